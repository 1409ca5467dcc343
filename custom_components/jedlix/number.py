"""Battery levels of cars: what to charge to, what to charge to at once, and what a mute car has now."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, override

from homeassistant.components.number import NumberEntity, NumberEntityDescription, NumberMode
from homeassistant.const import PERCENTAGE
from homeassistant.core import HomeAssistant

from .commands import Commands
from .entity import VehicleDescription, VehicleEntity, add_for_vehicles
from .fleet import Key
from .snapshot import VehicleSnapshot

if TYPE_CHECKING:
    from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

    from .runtime import JedlixConfigEntry

PARALLEL_UPDATES = 1


@dataclass(frozen=True, kw_only=True)
class VehicleNumberDescription(VehicleDescription, NumberEntityDescription):
    """A battery level of a car in %."""

    native_unit_of_measurement: str = PERCENTAGE
    native_max_value: float = 100
    native_step: float = 1
    mode: NumberMode = NumberMode.SLIDER
    value_fn: Callable[[VehicleSnapshot], int | None]
    max_fn: Callable[[VehicleSnapshot], int | None] = lambda _: None
    set_fn: Callable[[Commands, Key, int], Awaitable[None]]


def _desired(car: VehicleSnapshot) -> int | None:
    return None if car.settings is None else car.settings.desired_battery_level


def _minimum(car: VehicleSnapshot) -> int | None:
    return None if car.settings is None else car.settings.minimum_battery_level


VEHICLE_NUMBERS = (
    VehicleNumberDescription(
        key="desired_battery_level",
        needs="update_charge_settings",
        native_min_value=50,  # documented
        exists_fn=lambda car: _desired(car) is not None,
        value_fn=_desired,
        set_fn=lambda commands, key, level: commands.set_levels(key, desired=level),
    ),
    VehicleNumberDescription(
        key="minimum_battery_level",
        needs="update_charge_settings",
        native_min_value=0,
        exists_fn=lambda car: _minimum(car) is not None,
        value_fn=_minimum,
        max_fn=_desired,
        set_fn=lambda commands, key, level: commands.set_levels(key, minimum=level),
    ),
    VehicleNumberDescription(
        key="current_battery_level",
        needs="session_settings",
        native_min_value=0,
        exists_fn=lambda car: not car.tells_battery_level,
        value_fn=lambda car: None if car.session is None else car.told_levels.get(car.session.id),
        available_fn=lambda car: car.session is not None,
        set_fn=lambda commands, key, level: commands.tell_battery_level(key, level),
    ),
)


async def async_setup_entry(
    _hass: HomeAssistant,
    entry: JedlixConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Make the numbers."""
    add_for_vehicles(entry, async_add_entities, VEHICLE_NUMBERS, VehicleNumber)


class VehicleNumber(VehicleEntity, NumberEntity):
    """A battery level of a car."""

    entity_description: VehicleNumberDescription

    @property
    @override
    def native_value(self) -> float | None:
        """Return what the snapshot says."""
        return self.entity_description.value_fn(self._car)

    @property
    @override
    def native_max_value(self) -> float:
        """Return the highest level that may be set."""
        return self.entity_description.max_fn(self._car) or self.entity_description.native_max_value

    @override
    async def async_set_native_value(self, value: float) -> None:
        """Set it at Jedlix."""
        await self.entity_description.set_fn(self._commands, self._key, round(value))
