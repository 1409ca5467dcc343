"""Numbers of cars: the desired and the minimum battery level, and the current one where no car reports it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import override

from homeassistant.components.number import NumberEntity, NumberEntityDescription, NumberMode
from homeassistant.const import PERCENTAGE
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .commands import Commands
from .data import JedlixConfigEntry
from .devices import DeviceKey
from .entity import FleetEntity, JedlixEntityDescription, add_entities
from .state.vehicle_snapshot import VehicleSnapshot

PARALLEL_UPDATES = 1


@dataclass(frozen=True, kw_only=True)
class VehicleNumberDescription(JedlixEntityDescription[VehicleSnapshot], NumberEntityDescription):
    """A battery level of a car in %."""

    native_unit_of_measurement: str = PERCENTAGE
    native_max_value: float = 100
    native_step: float = 1
    mode: NumberMode = NumberMode.SLIDER
    value_fn: Callable[[VehicleSnapshot], int | None]
    max_fn: Callable[[VehicleSnapshot], int | None] = lambda _: None
    set_fn: Callable[[Commands, DeviceKey, int], Awaitable[None]]


def _desired(car: VehicleSnapshot) -> int | None:
    return None if car.settings is None else car.settings.desired_battery_level


def _minimum(car: VehicleSnapshot) -> int | None:
    return None if car.settings is None else car.settings.minimum_battery_level


VEHICLE_NUMBERS = (
    VehicleNumberDescription(
        key="desired_battery_level",
        requires="update_charge_settings",
        native_min_value=50,  # documented
        exists_fn=lambda car: _desired(car) is not None,
        value_fn=_desired,
        set_fn=lambda commands, key, level: commands.set_levels(key, desired=level),
    ),
    VehicleNumberDescription(
        key="minimum_battery_level",
        requires="update_charge_settings",
        native_min_value=0,
        exists_fn=lambda car: _minimum(car) is not None,
        value_fn=_minimum,
        max_fn=_desired,
        set_fn=lambda commands, key, level: commands.set_levels(key, minimum=level),
    ),
    VehicleNumberDescription(
        key="current_battery_level",
        requires="session_settings",
        native_min_value=0,
        exists_fn=lambda car: not car.reports_battery_level,
        value_fn=lambda car: (
            None if car.session is None else car.entered_levels.get(car.session.id)
        ),
        available_fn=lambda car: car.session is not None,
        set_fn=lambda commands, key, level: commands.set_current_battery_level(key, level),
    ),
)


async def async_setup_entry(
    _hass: HomeAssistant,
    entry: JedlixConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the numbers."""
    await add_entities(entry, async_add_entities, VehicleSnapshot, VEHICLE_NUMBERS, VehicleNumber)


class VehicleNumber(FleetEntity[VehicleSnapshot], NumberEntity):
    """A battery level of a car."""

    entity_description: VehicleNumberDescription

    @property
    @override
    def native_value(self) -> float | None:
        """Return the level."""
        return self.entity_description.value_fn(self._member)

    @property
    @override
    def native_max_value(self) -> float:
        """Return the highest level that may be set."""
        return (
            self.entity_description.max_fn(self._member) or self.entity_description.native_max_value
        )

    @override
    async def async_set_native_value(self, value: float) -> None:
        """Set it at Jedlix."""
        await self.entity_description.set_fn(self._data.commands, self._key, round(value))
