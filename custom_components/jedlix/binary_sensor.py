"""Binary sensors of cars and of the account, as tables."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, override

from homeassistant.components.binary_sensor import (  # type: ignore[attr-defined] # not exported in so many words
    BinarySensorDeviceClass,
    BinarySensorEntity,
    BinarySensorEntityDescription,
)
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant

from .api import ChargeStatus
from .entity import AccountEntity, VehicleDescription, VehicleEntity, add_for_vehicles
from .push.health import PushState
from .snapshot import VehicleSnapshot

if TYPE_CHECKING:
    from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

    from .runtime import JedlixConfigEntry

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class VehicleBinarySensorDescription(VehicleDescription, BinarySensorEntityDescription):
    """A binary sensor of a car; None means that Jedlix does not know."""

    is_on_fn: Callable[[VehicleSnapshot], bool | None]


def _is_charging(car: VehicleSnapshot) -> bool | None:
    status = car.vehicle.charge_state.status
    return None if status is ChargeStatus.UNKNOWN else status is ChargeStatus.CHARGING


def _is_smart(car: VehicleSnapshot) -> bool | None:
    return False if car.session is None else car.session.is_managed


def _is_at_known_location(car: VehicleSnapshot) -> bool | None:
    """Jedlix tells the location of a session only; null is an unknown location (documented)."""
    return None if car.session is None else car.session.charging_location_id is not None


VEHICLE_BINARY_SENSORS = (
    VehicleBinarySensorDescription(
        key="plugged_in",
        is_essential=True,
        device_class=BinarySensorDeviceClass.PLUG,
        is_on_fn=lambda car: car.is_plugged_in,
    ),
    VehicleBinarySensorDescription(
        key="charging",
        is_essential=True,
        device_class=BinarySensorDeviceClass.BATTERY_CHARGING,
        is_on_fn=_is_charging,
    ),
    VehicleBinarySensorDescription(
        key="smart_session",
        is_essential=True,
        device_class=BinarySensorDeviceClass.RUNNING,
        is_on_fn=_is_smart,
    ),
    VehicleBinarySensorDescription(key="at_known_location", is_on_fn=_is_at_known_location),
    VehicleBinarySensorDescription(
        key="vehicle_link",
        device_class=BinarySensorDeviceClass.CONNECTIVITY,
        entity_category=EntityCategory.DIAGNOSTIC,
        exists_fn=lambda car: car.vehicle.is_connected is not None,
        is_on_fn=lambda car: car.vehicle.is_connected,
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
    """Make the binary sensors."""
    async_add_entities([PushBinarySensor(entry, PUSH)])
    add_for_vehicles(entry, async_add_entities, VEHICLE_BINARY_SENSORS, VehicleBinarySensor)


class VehicleBinarySensor(VehicleEntity, BinarySensorEntity):
    """A binary sensor of a car."""

    entity_description: VehicleBinarySensorDescription

    @property
    @override
    def is_on(self) -> bool | None:
        """Return what the snapshot says."""
        return self.entity_description.is_on_fn(self._car)


class PushBinarySensor(AccountEntity, BinarySensorEntity):
    """Whether Jedlix can reach us."""

    @property
    @override
    def is_on(self) -> bool | None:
        """Return whether push is registered and nothing speaks against it; unknown where none is wanted."""
        if self._push.state is PushState.OFF:
            return None
        return self._push.state in (PushState.WAITING, PushState.HEALTHY)
