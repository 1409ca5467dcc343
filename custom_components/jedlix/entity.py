"""What all entities share: a device, a translated name, an id without a language, whom they listen to."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, override

from homeassistant.core import callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity import Entity, EntityDescription
from homeassistant.helpers.entity_platform import async_get_current_platform
from homeassistant.helpers.typing import StateType
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .announcer import identifier_of
from .api import Charger
from .const import DOMAIN, MANUFACTURER
from .coordinator import JedlixCoordinator
from .fetching import Truth
from .fleet import Key
from .snapshot import VehicleSnapshot

if TYPE_CHECKING:
    from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

    from .commands import Commands
    from .runtime import JedlixConfigEntry

# Home Assistant takes 10,000 enabled entities per entry: those of 50 cars and chargers, up to 27 each, and
# the essential ones of 950 more.
_LARGE_FLEET: Final = 50


def _always(_thing: object) -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class VehicleDescription(EntityDescription):
    """An entity of a car, made once the car and the tenant serve it; `needs` is the call that it makes.

    `available_fn` tells whether it makes sense just now. In a large fleet only the essential ones are enabled
    at first.
    """

    exists_fn: Callable[[VehicleSnapshot], bool] = _always
    available_fn: Callable[[VehicleSnapshot], bool] = _always
    needs: str | None = None
    is_essential: bool = False


@dataclass(frozen=True, kw_only=True)
class ChargerDescription(EntityDescription):
    """An entity of a charger, made once the charger serves it."""

    exists_fn: Callable[[Charger], bool] = _always
    needs: str | None = None
    is_essential: bool = False


class _Described(Protocol):
    @property
    def exists_fn(self) -> Callable[[Any], bool]: ...
    @property
    def needs(self) -> str | None: ...


def _is_served(item: _Described, thing: object, truth: Truth) -> bool:
    """Return whether the car or charger, and the tenant, have what an entity is made of."""
    return item.exists_fn(thing) and (item.needs is None or truth.serves(item.needs))


class JedlixEntity(Entity):
    """An entity whose name is translated and whose id is not."""

    _attr_has_entity_name = True

    @property
    @override
    def suggested_object_id(self) -> str:
        """Return the key, so that entity ids do not follow the language of the server."""
        return self.entity_description.key


class _ThingEntity[T](JedlixEntity, CoordinatorEntity[JedlixCoordinator]):
    """An entity of one car or charger; it is written when that changes, or when Jedlix goes or comes back."""

    def __init__(
        self,
        coordinator: JedlixCoordinator,
        key: Key,
        description: VehicleDescription | ChargerDescription,
        find: Callable[[Key], T | None],
    ) -> None:
        """Belong to this thing, which is there; it is kept once it is gone."""
        super().__init__(coordinator)
        if (thing := find(key)) is None:
            raise KeyError(key)
        self.entity_description = description
        self._described: _Described = description
        self._key = key
        self._thing = thing
        self._find = find
        self._identifier = identifier_of(*key)
        self._attr_translation_key = description.key
        self._attr_unique_id = f"{self._identifier}_{description.key}"
        if not description.is_essential and len(coordinator.followed) > _LARGE_FLEET:
            self._attr_entity_registry_enabled_default = False

    @property
    @override
    def available(self) -> bool:
        """Return whether Jedlix answers, the thing is still there and, for a control, can still be served."""
        return (
            super().available
            and self._find(self._key) is not None
            and (
                self._described.needs is None
                or _is_served(self._described, self._thing, self.coordinator.truth)
            )
        )

    @override
    async def async_added_to_hass(self) -> None:
        """Listen to this car or charger alone."""
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.fleet.listen_to(self._key, self._thing_changed))

    @callback
    def _thing_changed(self) -> None:
        if (thing := self._find(self._key)) is not None:
            self._thing = thing
        self.async_write_ha_state()


class VehicleEntity(_ThingEntity[VehicleSnapshot]):
    """An entity of one car."""

    entity_description: VehicleDescription

    def __init__(
        self, coordinator: JedlixCoordinator, key: Key, description: VehicleDescription
    ) -> None:
        """Belong to this car."""
        super().__init__(coordinator, key, description, coordinator.fleet.vehicle)
        vehicle = self._car.vehicle
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, self._identifier)},
            manufacturer=vehicle.brand or MANUFACTURER,
            model=vehicle.model,
            hw_version=vehicle.version,
            **_name(vehicle.name, "vehicle"),
        )

    @property
    @override
    def available(self) -> bool:
        """Return whether the car is there, and the entity makes sense just now."""
        return super().available and self.entity_description.available_fn(self._car)

    @property
    def _car(self) -> VehicleSnapshot:
        return self._thing

    @property
    def _commands(self) -> Commands:
        return self.coordinator.config_entry.runtime_data.commands


class ChargerEntity(_ThingEntity[Charger]):
    """An entity of one charger."""

    def __init__(
        self, coordinator: JedlixCoordinator, key: Key, description: ChargerDescription
    ) -> None:
        """Belong to this charger."""
        super().__init__(coordinator, key, description, coordinator.fleet.charger)
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, self._identifier)},
            manufacturer=self._thing.brand or MANUFACTURER,
            model=self._thing.model,
            **_name(self._thing.name, "charger"),
        )


def _name(name: str | None, word: str) -> DeviceInfo:
    """Return the name of a thing, or the word for such a thing in the language of Home Assistant."""
    return DeviceInfo(translation_key=word) if name is None else DeviceInfo(name=name)


class AccountEntity(JedlixEntity):
    """An entity of the account, written when push gives it another state. It is always available."""

    _attr_should_poll = False
    _told: StateType = None

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
        self._told = self.state
        self.async_on_remove(self._push.listen(self._push_changed))

    @callback
    def _push_changed(self) -> None:
        if (state := self.state) != self._told:
            self._told = state
            self.async_write_ha_state()


@callback
def add_for_vehicles[D: VehicleDescription](
    entry: JedlixConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
    descriptions: Iterable[D],
    make: Callable[[JedlixCoordinator, Key, D], Entity],
) -> None:
    """Make the entities of all cars, now and of those that come, each as soon as it can be served."""
    fleet = entry.runtime_data.coordinator.fleet
    _add(entry, async_add_entities, descriptions, make, fleet.vehicles, fleet.vehicle)


@callback
def add_for_chargers[D: ChargerDescription](
    entry: JedlixConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
    descriptions: Iterable[D],
    make: Callable[[JedlixCoordinator, Key, D], Entity],
) -> None:
    """Make the entities of all chargers, now and of those that come."""
    fleet = entry.runtime_data.coordinator.fleet
    _add(entry, async_add_entities, descriptions, make, fleet.chargers, fleet.charger)


@callback
def _add[D: _Described](  # noqa: PLR0917  both callers are right above
    entry: JedlixConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
    descriptions: Iterable[D],
    make: Callable[[JedlixCoordinator, Key, D], Entity],
    known: Mapping[Key, object],
    find: Callable[[Key], object | None],
) -> None:
    coordinator = entry.runtime_data.coordinator
    truth = coordinator.truth
    waiting: dict[Key, list[D]] = {}
    disabled = _disabled(entry)

    @callback
    def look(key: Key) -> None:
        if (thing := find(key)) is None:
            waiting.pop(key, None)
            return
        still = waiting.setdefault(key, list(descriptions))
        if not (ready := [item for item in still if _is_served(item, thing, truth)]):
            return
        waiting[key] = [item for item in still if item not in ready]
        subentry_id = entry.runtime_data.subentry_of.get(key[0])
        if subentry_id in entry.subentries:
            made = [make(coordinator, key, item) for item in ready]
            async_add_entities(
                [entity for entity in made if entity.unique_id not in disabled],
                config_subentry_id=subentry_id,
            )

    entry.async_on_unload(coordinator.fleet.listen(look))
    for key in known:
        look(key)


@callback
def _disabled(entry: JedlixConfigEntry) -> set[str | None]:
    """Return the unique ids of the entities of this platform that are disabled.

    Home Assistant would spend as much on each of them as on one that is enabled, before it drops it; a large
    fleet has twice as many. Enabling one loads the entry anew.
    """
    platform = async_get_current_platform()
    return {
        item.unique_id
        for item in er.async_entries_for_config_entry(er.async_get(platform.hass), entry.entry_id)
        if item.disabled_by is not None and item.domain == platform.domain
    }
