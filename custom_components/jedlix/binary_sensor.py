"""Binary sensors of cars and of the account."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import override

from homeassistant.components.binary_sensor import (  # type: ignore[attr-defined] # not exported in so many words
    BinarySensorDeviceClass,
    BinarySensorEntity,
    BinarySensorEntityDescription,
)
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .data import JedlixConfigEntry
from .entity import (
    FleetEntity,
    JedlixEntityDescription,
    PushEntity,
    add_entities,
    add_push_entities,
)
from .push.health import PushState
from .state.vehicle_snapshot import VehicleSnapshot

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class VehicleBinarySensorDescription(
    JedlixEntityDescription[VehicleSnapshot], BinarySensorEntityDescription
):
    """A binary sensor of a car; None means unknown."""

    is_on_fn: Callable[[VehicleSnapshot], bool | None]


def _is_smart(car: VehicleSnapshot) -> bool | None:
    return False if car.session is None else car.session.is_managed


def _is_at_known_location(car: VehicleSnapshot) -> bool | None:
    """Return whether the session is at a known location. Null is an unknown location (documented)."""
    return None if car.session is None else car.session.charging_location_id is not None


VEHICLE_BINARY_SENSORS = (
    VehicleBinarySensorDescription(
        key="plugged_in",
        is_essential=True,
        entity_registry_visible_default=False,
        device_class=BinarySensorDeviceClass.PLUG,
        is_on_fn=lambda car: car.is_plugged_in,
    ),
    VehicleBinarySensorDescription(
        key="charging",
        is_essential=True,
        entity_registry_visible_default=False,
        device_class=BinarySensorDeviceClass.BATTERY_CHARGING,
        is_on_fn=lambda car: car.is_charging,
    ),
    VehicleBinarySensorDescription(
        key="smart_session",
        is_essential=True,
        entity_registry_visible_default=False,
        device_class=BinarySensorDeviceClass.RUNNING,
        is_on_fn=_is_smart,
    ),
    VehicleBinarySensorDescription(
        key="at_known_location",
        entity_category=EntityCategory.DIAGNOSTIC,
        is_on_fn=_is_at_known_location,
    ),
    VehicleBinarySensorDescription(
        key="vehicle_link",
        device_class=BinarySensorDeviceClass.CONNECTIVITY,
        entity_category=EntityCategory.DIAGNOSTIC,
        exists_fn=lambda car: car.link.is_connected is not None,
        is_on_fn=lambda car: car.link.is_connected,
    ),
)

PUSH = BinarySensorEntityDescription(
    key="push",
    device_class=BinarySensorDeviceClass.CONNECTIVITY,
    entity_category=EntityCategory.DIAGNOSTIC,
)


async def async_setup_entry(
    _hass: HomeAssistant,
    entry: JedlixConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the binary sensors."""
    add_push_entities(entry, async_add_entities, [PUSH], PushBinarySensor)
    await add_entities(
        entry, async_add_entities, VehicleSnapshot, VEHICLE_BINARY_SENSORS, VehicleBinarySensor
    )


class VehicleBinarySensor(FleetEntity[VehicleSnapshot], BinarySensorEntity):
    """A binary sensor of a car."""

    entity_description: VehicleBinarySensorDescription

    @property
    @override
    def is_on(self) -> bool | None:
        """Return the state."""
        return self.entity_description.is_on_fn(self._member)


class PushBinarySensor(PushEntity, BinarySensorEntity):
    """Whether Jedlix can reach us."""

    @property
    @override
    def is_on(self) -> bool | None:
        """Return whether push is registered and without trouble; unknown where no push is wanted."""
        if self._push.state is PushState.OFF:
            return None
        return self._push.state in (PushState.WAITING, PushState.LIMITED, PushState.HEALTHY)
