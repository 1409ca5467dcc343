"""Switches of cars: smart charging, and boost in a smart session."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, override

from homeassistant.components.switch import SwitchEntity, SwitchEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .commands import Commands
from .data import JedlixConfigEntry
from .devices import DeviceKey
from .entity import FleetEntity, JedlixEntityDescription, add_entities
from .state.flags import Flag, flag
from .state.vehicle_snapshot import VehicleSnapshot

PARALLEL_UPDATES = 1


@dataclass(frozen=True, kw_only=True)
class VehicleSwitchDescription(JedlixEntityDescription[VehicleSnapshot], SwitchEntityDescription):
    """A switch of a car."""

    is_on_fn: Callable[[VehicleSnapshot], bool | None]
    on_fn: Callable[[Commands, DeviceKey], Awaitable[None]]
    off_fn: Callable[[Commands, DeviceKey], Awaitable[None]]


def _smart_charging(car: VehicleSnapshot) -> bool | None:
    return None if car.settings is None else car.settings.is_smart_charging_enabled


def _flag_switch(which: Flag) -> VehicleSwitchDescription:
    """Return the switch of a flag; few cars charge in both directions."""
    return VehicleSwitchDescription(
        key=which,
        entity_category=EntityCategory.CONFIG,
        entity_registry_enabled_default=which is not Flag.BIDIRECTIONAL_CHARGING,
        requires="update_charge_settings",
        exists_fn=lambda car: flag(car.settings, which) is not None,
        is_on_fn=lambda car: flag(car.settings, which),
        available_fn=lambda car: which not in car.stopped_writes,
        on_fn=lambda commands, key: commands.set_flag(key, which, enabled=True),
        off_fn=lambda commands, key: commands.set_flag(key, which, enabled=False),
    )


VEHICLE_SWITCHES = (
    VehicleSwitchDescription(
        key="smart_charging",
        is_essential=True,
        requires="update_charge_settings",
        exists_fn=lambda car: _smart_charging(car) is not None,
        is_on_fn=_smart_charging,
        on_fn=lambda commands, key: commands.set_smart_charging(key, enabled=True),
        off_fn=lambda commands, key: commands.set_smart_charging(key, enabled=False),
    ),
    VehicleSwitchDescription(
        key="boost",
        requires="session_settings",
        exists_fn=lambda car: car.can_be_smart,
        is_on_fn=lambda car: car.is_boosted,
        available_fn=lambda car: car.is_smart,
        on_fn=lambda commands, key: commands.boost(key, enabled=True),
        off_fn=lambda commands, key: commands.boost(key, enabled=False),
    ),
    *map(_flag_switch, Flag),
)


async def async_setup_entry(
    _hass: HomeAssistant,
    entry: JedlixConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the switches."""
    await add_entities(entry, async_add_entities, VehicleSnapshot, VEHICLE_SWITCHES, VehicleSwitch)


class VehicleSwitch(FleetEntity[VehicleSnapshot], SwitchEntity):
    """A switch of a car."""

    entity_description: VehicleSwitchDescription

    @property
    @override
    def is_on(self) -> bool | None:
        """Return the state."""
        return self.entity_description.is_on_fn(self._member)

    @override
    async def async_turn_on(self, **_kwargs: Any) -> None:
        """Turn it on at Jedlix."""
        await self.entity_description.on_fn(self._data.commands, self._key)

    @override
    async def async_turn_off(self, **_kwargs: Any) -> None:
        """Turn it off at Jedlix."""
        await self.entity_description.off_fn(self._data.commands, self._key)
