"""Price sensors: what a kWh costs at a charging location now, the type of the tariff, the next change.

Nothing is polled: the sensors are written when the price changes by the clock, and when Jedlix has other
tariffs. Local times are those of Home Assistant's time zone, since Jedlix names none.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Final, override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.core import CALLBACK_TYPE, callback
from homeassistant.helpers.event import async_track_point_in_utc_time
from homeassistant.helpers.typing import StateType
from homeassistant.util import dt as dt_util

from .api import ChargingLocation, TariffType
from .api.gate import wanted_by_person
from .data import JedlixData
from .devices import DeviceKey
from .entity import FleetEntity, JedlixEntityDescription
from .fleet import FleetMember
from .prices import tariff_of, unit_of
from .state.tariff import Tariff

# The clock or the time zone of this machine may be corrected while a timer waits. So none waits longer.
LONGEST_WAIT: Final = timedelta(minutes=15)


@dataclass(frozen=True, kw_only=True)
class PriceDescription(JedlixEntityDescription[ChargingLocation], SensorEntityDescription):
    """A sensor of a charging location; `value_fn` takes its tariff, the time and the zone."""

    value_fn: Callable[[Tariff, datetime, tzinfo], StateType | datetime]


PRICES: Final = (
    PriceDescription(
        key="price",
        # No device class: monetary is an amount, and this is one per kWh.
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=3,
        value_fn=lambda tariff, now, zone: tariff.slot_at(now, zone).price,
    ),
    PriceDescription(
        key="tariff_type",
        device_class=SensorDeviceClass.ENUM,
        options=[kind.value for kind in TariffType],
        value_fn=lambda tariff, now, zone: tariff.slot_at(now, zone).type.value,
    ),
    PriceDescription(
        key="next_price_change",
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=lambda tariff, now, zone: tariff.next_price_change(now, zone),
    ),
)


class PriceSensor(FleetEntity[ChargingLocation], SensorEntity):
    """A sensor of a charging location. It is unknown where the tariffs are not clear."""

    entity_description: PriceDescription
    _stop_timer: CALLBACK_TYPE | None = None

    def __init__(
        self,
        data: JedlixData,
        key: DeviceKey,
        location: ChargingLocation,
        description: PriceDescription,
    ) -> None:
        """Read the tariffs."""
        super().__init__(data, key, location, description)
        self._tariff = tariff_of(location)

    @property
    @override
    def native_value(self) -> StateType | datetime:
        """Return the value at this moment."""
        if self._tariff is None:
            return None
        return self.entity_description.value_fn(
            self._tariff, dt_util.utcnow(), dt_util.get_default_time_zone()
        )

    @property
    @override
    def native_unit_of_measurement(self) -> str | None:
        """Return the unit of the price; the others have none."""
        is_price = self.entity_description.state_class is not None
        return unit_of(self._tariff, self.coordinator.fleet)[1] if is_price else None

    @override
    async def async_added_to_hass(self) -> None:
        """Wait for the next change."""
        await super().async_added_to_hass()
        self._start_timer()

    @override
    async def async_will_remove_from_hass(self) -> None:
        """End the wait."""
        self._end_timer()

    async def async_update(self) -> None:
        """Read the tariffs again: Home Assistant calls this on the action `update_entity` only."""
        with wanted_by_person():
            await self.coordinator.refresh_locations(self._key[0])

    @callback
    @override
    def _member_changed(self, member: FleetMember | None) -> None:
        if isinstance(member, ChargingLocation):
            self._tariff = tariff_of(member)
        super()._member_changed(member)
        self._start_timer()

    @callback
    def _start_timer(self) -> None:
        """Have the state written at the next change of the tariff."""
        self._end_timer()
        if self._tariff is not None and not self._tariff.is_dynamic:
            now = dt_util.utcnow()
            change = self._tariff.slot_at(now, dt_util.get_default_time_zone()).end
            self._stop_timer = async_track_point_in_utc_time(
                self.hass, self._time_has_come, min(change, now + LONGEST_WAIT)
            )

    @callback
    def _end_timer(self) -> None:
        if self._stop_timer is not None:
            self._stop_timer()
            self._stop_timer = None

    @callback
    def _time_has_come(self, _now: datetime) -> None:
        self._stop_timer = None
        self.async_write_ha_state()
        self._start_timer()
