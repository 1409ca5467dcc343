"""What all entities share: a device, a translated name, an id without a language, whom they listen to."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, override

from homeassistant.core import callback
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity import Entity, EntityDescription
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .announcer import vehicle_identifier
from .const import DOMAIN, MANUFACTURER
from .coordinator import JedlixCoordinator, VehicleKey
from .snapshot import VehicleSnapshot

if TYPE_CHECKING:
    from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

    from .runtime import JedlixConfigEntry


def _always(_car: VehicleSnapshot) -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class VehicleDescription(EntityDescription):
    """An entity of a car. It is made once `exists_fn` says that the car or the tenant serves it."""

    exists_fn: Callable[[VehicleSnapshot], bool] = _always


class JedlixEntity(Entity):
    """An entity whose name is translated and whose id is not."""

    _attr_has_entity_name = True

    @property
    @override
    def suggested_object_id(self) -> str:
        """Return the key, so that entity ids do not follow the language of the server."""
        return self.entity_description.key


class VehicleEntity(JedlixEntity, CoordinatorEntity[JedlixCoordinator]):
    """An entity of one car; it is written when that car changes, or when Jedlix goes away or comes back."""

    def __init__(
        self, coordinator: JedlixCoordinator, key: VehicleKey, description: VehicleDescription
    ) -> None:
        """Belong to this car."""
        super().__init__(coordinator)
        self.entity_description = description
        self._key = key
        self._car = car = coordinator.car(key)
        identifier = vehicle_identifier(*key)
        self._attr_translation_key = description.key
        self._attr_unique_id = f"{identifier}_{description.key}"
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, identifier)},
            manufacturer=car.vehicle.brand or MANUFACTURER,
            model=car.vehicle.model,
            hw_version=car.vehicle.version,
            name=car.vehicle.name,
        )

    @property
    @override
    def available(self) -> bool:
        """Return whether Jedlix answers and the car is still there."""
        return super().available and self.coordinator.vehicle(self._key) is not None

    @override
    async def async_added_to_hass(self) -> None:
        """Listen to this car alone."""
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.listen_to_vehicle(self._key, self._car_changed))

    @callback
    def _car_changed(self) -> None:
        if (car := self.coordinator.vehicle(self._key)) is not None:
            self._car = car
        self.async_write_ha_state()


class AccountEntity(JedlixEntity):
    """An entity of the account, written when something about push changes. It is always available."""

    _attr_should_poll = False

    def __init__(self, entry: JedlixConfigEntry, description: EntityDescription) -> None:
        """Belong to this entry's account."""
        self.entity_description = description
        self._push = entry.runtime_data.push
        self._announcer = entry.runtime_data.coordinator.announcer
        self._attr_translation_key = description.key
        self._attr_unique_id = f"{entry.entry_id}_{description.key}"
        self._attr_device_info = DeviceInfo(identifiers={(DOMAIN, entry.entry_id)})

    @override
    async def async_added_to_hass(self) -> None:
        """Listen to what happens to push."""
        await super().async_added_to_hass()
        self.async_on_remove(self._push.listen(self.async_write_ha_state))


@callback
def add_for_vehicles[D: VehicleDescription](
    entry: JedlixConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
    descriptions: Iterable[D],
    make: Callable[[JedlixCoordinator, VehicleKey, D], Entity],
) -> None:
    """Make the entities of all cars, now and of those that come, each as soon as it can be served."""
    coordinator = entry.runtime_data.coordinator
    waiting: dict[VehicleKey, list[D]] = {}

    @callback
    def look(key: VehicleKey) -> None:
        if (car := coordinator.vehicle(key)) is None:
            waiting.pop(key, None)
            return
        still = waiting.setdefault(key, list(descriptions))
        if not (ready := [item for item in still if item.exists_fn(car)]):
            return
        waiting[key] = [item for item in still if item not in ready]
        subentry_id = entry.runtime_data.subentry_of[key[0]]
        if subentry_id in entry.subentries:
            async_add_entities(
                [make(coordinator, key, item) for item in ready], config_subentry_id=subentry_id
            )

    entry.async_on_unload(coordinator.listen_to_fleet(look))
    for key in coordinator.vehicles:
        look(key)
