"""Link issues: the repair of each car that Jedlix no longer reaches through its maker."""

from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.loader import async_get_loaded_integration

from .const import DOMAIN
from .devices import DeviceKey, identifier_of
from .fleet import Fleet, FleetMember
from .state.snapshot import VehicleSnapshot

ISSUE_LINK_LOST: Final = "vehicle_link_lost"
_PAGE: Final = "/blob/main/docs/troubleshooting.md#vehicle-link-lost"


class LinkIssues:
    """The repairs of one entry. Each disappears with the link's return, with the car and with the entry."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry[Any], fleet: Fleet) -> None:
        """Show what is lost already."""
        self._hass = hass
        self._entry = entry
        self._fleet = fleet
        self._shown: set[DeviceKey] = set()
        for key, car in fleet.vehicles.items():
            self._review(key, car)

    @callback
    def follow(self) -> CALLBACK_TYPE:
        """Follow the cars; returns what ends it and deletes the repairs."""
        stop = self._fleet.listen(self._review)

        @callback
        def clear() -> None:
            stop()
            for key in list(self._shown):
                self._delete(key)

        return clear

    @callback
    def _review(self, key: DeviceKey, member: FleetMember | None) -> None:
        is_lost = isinstance(member, VehicleSnapshot) and member.link.is_connected is False
        if key in self._shown and not is_lost:
            self._delete(key)
        elif is_lost and key not in self._shown and isinstance(member, VehicleSnapshot):
            self._show(key, member)

    def _show(self, key: DeviceKey, car: VehicleSnapshot) -> None:
        self._shown.add(key)
        documentation = async_get_loaded_integration(self._hass, DOMAIN).documentation
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            self._issue_id(key),
            is_fixable=False,
            learn_more_url=f"{documentation}{_PAGE}",
            severity=ir.IssueSeverity.WARNING,
            translation_key=ISSUE_LINK_LOST,
            translation_placeholders={
                "account": self._entry.title,
                "car": car.vehicle.name or car.vehicle.id,
            },
        )

    def _delete(self, key: DeviceKey) -> None:
        self._shown.discard(key)
        ir.async_delete_issue(self._hass, DOMAIN, self._issue_id(key))

    def _issue_id(self, key: DeviceKey) -> str:
        return f"{ISSUE_LINK_LOST}_{self._entry.entry_id}_{identifier_of(key)}"
