"""Link issues: the repair of each car that a person has to link, again or at last."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.loader import async_get_loaded_integration

from .const import DOMAIN
from .devices import DeviceKey, identifier_of
from .fleet import Fleet, FleetMember
from .state.link import LinkRepair
from .state.vehicle_snapshot import VehicleSnapshot

# The keys of the data with which a repair's dialog begins.
ISSUE_USER: Final = "user_id"
ISSUE_VEHICLE: Final = "vehicle_id"
ISSUE_CAR: Final = "car"

_REVIEW_INTERVAL: Final = timedelta(minutes=1)
# The section of the docs about each.
SECTION_OF: Final = {
    LinkRepair.LOST: "vehicle-link-lost",
    LinkRepair.LOST_IN_APP: "vehicle-link-lost",
    LinkRepair.READY: "link-ready-to-continue",
}
_PAGE: Final = "/blob/main/docs/troubleshooting.md#"


class LinkIssues:
    """The repairs of one entry. Each disappears with the reason for it, with the car and with the entry.

    An account with many users has none: its owner is not the one who can log in at all the makers.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry[Any],
        fleet: Fleet,
        *,
        is_household: Callable[[], bool],
        now: Callable[[], datetime],
    ) -> None:
        """Show what is lost already; `now` is Jedlix's time."""
        self._hass = hass
        self._entry = entry
        self._fleet = fleet
        self._is_household = is_household
        self._now = now
        self._shown: dict[DeviceKey, LinkRepair] = {}
        self._review_all()

    @callback
    def follow(self) -> CALLBACK_TYPE:
        """Follow the cars; returns what ends it and deletes the repairs."""
        stop_listening = self._fleet.listen(self._review)
        stop_timer = async_track_time_interval(self._hass, self._review_all, _REVIEW_INTERVAL)

        @callback
        def clear() -> None:
            stop_listening()
            stop_timer()
            for key in list(self._shown):
                self._delete(key)

        return clear

    @callback
    def _review_all(self, _at: datetime | None = None) -> None:
        cars = self._fleet.vehicles if self._is_household() else {}
        for key in {**self._shown, **cars}:
            self._review(key, cars.get(key))

    @callback
    def _review(self, key: DeviceKey, member: FleetMember | None) -> None:
        car = member if isinstance(member, VehicleSnapshot) and self._is_household() else None
        wanted = None if car is None else car.link.repair(car.vehicle, self._now())
        if wanted is self._shown.get(key):
            return
        if key in self._shown:
            self._delete(key)
        if car is not None and wanted is not None:
            self._show(key, car, wanted)

    def _show(self, key: DeviceKey, car: VehicleSnapshot, repair: LinkRepair) -> None:
        self._shown[key] = repair
        documentation = async_get_loaded_integration(self._hass, DOMAIN).documentation
        name = car.vehicle.name or car.vehicle.id
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            self._issue_id(key),
            data={
                "entry_id": self._entry.entry_id,
                ISSUE_USER: key[0],
                ISSUE_VEHICLE: key[1],
                ISSUE_CAR: name,
            },
            is_fixable=repair is not LinkRepair.LOST_IN_APP,
            learn_more_url=f"{documentation}{_PAGE}{SECTION_OF[repair]}",
            severity=ir.IssueSeverity.WARNING,
            translation_key=repair.value,
            translation_placeholders={"account": self._entry.title, "car": name},
        )

    def _delete(self, key: DeviceKey) -> None:
        ir.async_delete_issue(self._hass, DOMAIN, self._issue_id(key))
        del self._shown[key]

    def _issue_id(self, key: DeviceKey) -> str:
        repair = LinkRepair.READY if self._shown[key] is LinkRepair.READY else LinkRepair.LOST
        return f"{repair.value}_{self._entry.entry_id}_{identifier_of(key)}"
