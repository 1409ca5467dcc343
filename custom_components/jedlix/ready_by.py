"""Ready by: when a car has to be ready next."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final, override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
)
from homeassistant.core import CALLBACK_TYPE, callback
from homeassistant.helpers.event import async_track_point_in_utc_time
from homeassistant.util import dt as dt_util

from .entity import FleetEntity, JedlixEntityDescription
from .fleet import FleetMember
from .state.departure_times import READY_BY, DepartureTimes, departure_times
from .state.vehicle_snapshot import VehicleSnapshot


async def _first_zone(names: Iterable[str]) -> tzinfo | None:
    """Return the first of these that is a time zone, None where none is."""
    for name in names:
        try:
            zone = await dt_util.async_get_time_zone(name)
        except OSError, ValueError:  # the name of a folder of zones, say
            continue
        if zone is not None:
            return zone
    return None


@dataclass(frozen=True, kw_only=True)
class NextDepartureDescription(JedlixEntityDescription[VehicleSnapshot], SensorEntityDescription):
    """The next of the departure times."""


NEXT_DEPARTURE: Final = (
    NextDepartureDescription(
        key=READY_BY,
        device_class=SensorDeviceClass.TIMESTAMP,
        exists_fn=lambda car: bool(departure_times(car.settings).departures),
    ),
)


class ReadyBySensor(FleetEntity[VehicleSnapshot], SensorEntity):
    """When a car has to be ready next. It moves on when that moment has come."""

    entity_description: NextDepartureDescription
    _next: datetime | None = None
    _zone: tzinfo | None = None
    _zones: tuple[str, ...] = ()
    _times = DepartureTimes()
    _timer: CALLBACK_TYPE | None = None
    _is_removed = False

    @property
    @override
    def native_value(self) -> datetime | None:
        """Return the moment in UTC."""
        return self._next

    @override
    async def async_added_to_hass(self) -> None:
        """Compute the first moment, and the next one whenever one has come."""
        await super().async_added_to_hass()
        self.async_on_remove(self._removed)
        await self.async_update()

    @override
    @callback
    def _member_changed(self, member: FleetMember | None) -> None:
        super()._member_changed(member)
        times = departure_times(self._member.settings)
        if times.zones != self._zones:
            # Reading a time zone may wait for the disk.
            self.async_schedule_update_ha_state(force_refresh=True)
        elif times != self._times:
            self._go_on()

    async def async_update(self) -> None:
        """Read the time zone that the settings name, else that of Home Assistant, and compute the moment."""
        zones = departure_times(self._member.settings).zones
        if zones != self._zones:
            self._zones, self._zone = zones, await _first_zone(zones)
        self._compute()

    @callback
    def _compute(self) -> None:
        self._stop_timer()
        self._times = departure_times(self._member.settings)
        zone = self._zone or dt_util.get_default_time_zone()
        self._next = self._times.next_after(dt_util.utcnow(), zone)
        if self._next is not None and not self._is_removed:
            self._timer = async_track_point_in_utc_time(self.hass, self._go_on, self._next)

    @callback
    def _go_on(self, _now: datetime | None = None) -> None:
        self._compute()
        self.async_write_ha_state()

    @callback
    def _removed(self) -> None:
        """End the timer; the update that reads a time zone may still be under way."""
        self._is_removed = True
        self._stop_timer()

    @callback
    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer()
            self._timer = None
