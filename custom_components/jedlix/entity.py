"""Entities: the base of those of cars and chargers, and of those of the account."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, override

from homeassistant.core import callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity import Entity, EntityDescription
from homeassistant.helpers.entity_platform import (
    AddConfigEntryEntitiesCallback,
    EntityPlatform,
    async_get_current_platform,
)
from homeassistant.helpers.typing import StateType

from .const import DOMAIN
from .coordinator import JedlixCoordinator
from .data import JedlixConfigEntry, JedlixData
from .devices import DeviceKey, device_info, identifier_of, move_to_subentry
from .entity_ids import prefixes_of
from .fleet import FleetMember
from .replacements import Replacements
from .slices import in_slices
from .webhook import JedlixPush

# Home Assistant takes 10,000 enabled entities per entry: those of 20 cars with chargers and locations, up to
# 50 each, and the essential ones of 980 more.
MAX_USERS_WITH_ALL_ENTITIES: Final = 20
# Even an entity that is disabled takes two KiB of memory, and a car has forty that a house hides or disables.
MAX_USERS_WITH_RARE_ENTITIES: Final = 200


@dataclass(frozen=True, kw_only=True)
class JedlixEntityDescription[T: FleetMember](EntityDescription):
    """An entity of a car or charger; it is added once the car or charger and the tenant support it.

    `available_fn` says whether it makes sense at the moment. `requires` is the call that the entity makes.
    In a large fleet only the essential entities are enabled at first. In a very large one those that are
    hidden or disabled in any house do not exist.
    """

    exists_fn: Callable[[T], bool] = lambda _: True
    available_fn: Callable[[T], bool] = lambda _: True
    requires: str | None = None
    is_essential: bool = False

    @property
    def is_rare(self) -> bool:
        """Return whether a very large fleet does without the entity."""
        is_shown = self.entity_registry_enabled_default and self.entity_registry_visible_default
        return not is_shown and not self.is_essential

    def is_supported(self, member: T, coordinator: JedlixCoordinator) -> bool:
        """Return whether the car or charger, and the tenant, have what the entity needs."""
        return self.exists_fn(member) and (
            self.requires is None or coordinator.offered.is_offered(self.requires)
        )


class JedlixEntity(Entity):
    """An entity with a translated name, and an entity id that does not depend on the language."""

    _attr_has_entity_name = True

    @property
    @override
    def suggested_object_id(self) -> str:
        """Return the key, so that entity ids do not follow the language of the server."""
        return self.entity_description.key


class FleetEntity[T: FleetMember](JedlixEntity):
    """An entity of one car or charger, written when that changes or can no longer be read."""

    _attr_should_poll = False
    entity_description: JedlixEntityDescription[T]

    def __init__(
        self, data: JedlixData, key: DeviceKey, member: T, description: JedlixEntityDescription[T]
    ) -> None:
        """Belong to this car or charger."""
        self.coordinator = data.coordinator
        self.entity_description = description
        self._data = data
        self._key = key
        self._member = member
        self._is_gone = False
        self._attr_translation_key = description.translation_key or description.key
        self._attr_unique_id = _unique_id(key, description)
        if _is_large(data) and not description.is_essential:
            self._attr_entity_registry_enabled_default = False

    @property
    @override
    def device_info(self) -> DeviceInfo:
        """Return the device. It is asked for once, so it is not kept."""
        return device_info(self._key, self._member)

    @property
    @override
    def available(self) -> bool:
        """Return whether the car or charger is there and was read lately, and the entity makes sense."""
        description = self.entity_description
        return (
            not self._is_gone
            and self.coordinator.fleet.is_available(self._key)
            # A sensor stays where a value is missing for a while; a control needs what it writes to.
            and (
                description.requires is None
                or description.is_supported(self._member, self.coordinator)
            )
            and description.available_fn(self._member)
        )

    @override
    async def async_added_to_hass(self) -> None:
        """Listen to this car or charger alone, and to whether the tenant offers the call."""
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.fleet.listen_to(self._key, self._member_changed))
        if self.entity_description.requires is not None:
            listeners = self.coordinator.offered_listeners
            self.async_on_remove(listeners.add(self.async_write_ha_state))

    @callback
    def _member_changed(self, member: FleetMember | None) -> None:
        self._is_gone = member is None
        if isinstance(member, type(self._member)):
            self._member = member
        self.async_write_ha_state()


class AccountEntity(JedlixEntity):
    """An entity of the account. It is always available."""

    _attr_should_poll = False

    def __init__(self, entry: JedlixConfigEntry, description: EntityDescription) -> None:
        """Belong to this entry's account."""
        self.entity_description = description
        self._attr_translation_key = description.key
        self._attr_unique_id = f"{entry.entry_id}_{description.key}"
        self._attr_device_info = DeviceInfo(identifiers={(DOMAIN, entry.entry_id)})


class PushEntity(AccountEntity):
    """An entity about the push of an account, written when push gives it another state."""

    _written_state: StateType = None

    def __init__(
        self, entry: JedlixConfigEntry, push: JedlixPush, description: EntityDescription
    ) -> None:
        """Belong to this entry's account."""
        super().__init__(entry, description)
        self._push = push
        self._publisher = entry.runtime_data.coordinator.publisher

    @override
    async def async_added_to_hass(self) -> None:
        """Listen to push."""
        await super().async_added_to_hass()
        self._written_state = self.state
        self.async_on_remove(self._push.listen(self._push_changed))

    @callback
    def _push_changed(self) -> None:
        if (state := self.state) != self._written_state:
            self._written_state = state
            self.async_write_ha_state()


def _followed(data: JedlixData) -> int:
    return len(data.coordinator.followed)


def _is_large(data: JedlixData) -> bool:
    return _followed(data) > MAX_USERS_WITH_ALL_ENTITIES


def _unique_id(key: DeviceKey, description: EntityDescription) -> str:
    return f"{identifier_of(key)}_{description.key}"


@callback
def add_push_entities[D: EntityDescription](
    entry: JedlixConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
    descriptions: Iterable[D],
    entity_type: Callable[[JedlixConfigEntry, JedlixPush, D], Entity],
) -> None:
    """Add the entities about push to an account that has push; a driver's log-in has none."""
    if (push := entry.runtime_data.push) is not None:
        async_add_entities(entity_type(entry, push, description) for description in descriptions)


@callback
def _suggest_entity_id(
    platform: EntityPlatform, entity: Entity, entry_id: str, key: DeviceKey, member: FleetMember
) -> None:
    """Give an entity that is not registered the prefix of its device, where Home Assistant would not."""
    registry = er.async_get(platform.hass)
    if registry.async_get_entity_id(platform.domain, DOMAIN, entity.unique_id or "") is None:
        name = device_info(key, member).get("name")
        prefix = prefixes_of(platform.hass).prefix(entry_id, key, name)
        if prefix is not None:
            entity.entity_id = f"{platform.domain}.{prefix}_{entity.suggested_object_id}"


def _is_wanted(
    platform: EntityPlatform,
    data: JedlixData,
    key: DeviceKey,
    description: JedlixEntityDescription[Any],
) -> bool:
    """Return whether to make an entity: no disabled one, and in a very large fleet no new one that is rare.

    Home Assistant would spend as much on a disabled one as on an enabled one before it drops it. Enabling it
    reloads the entry.
    """
    registry = er.async_get(platform.hass)
    entity_id = registry.async_get_entity_id(platform.domain, DOMAIN, _unique_id(key, description))
    if entity_id is None or (entity := registry.async_get(entity_id)) is None:
        return not (description.is_rare and _followed(data) > MAX_USERS_WITH_RARE_ENTITIES)
    return entity.disabled_by is None


async def add_entities[T: FleetMember, D: JedlixEntityDescription[Any]](
    entry: JedlixConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
    member_type: type[T],
    descriptions: Iterable[D],
    entity_type: Callable[[JedlixData, DeviceKey, T, D], Entity],
    *,
    descriptions_of: Callable[[T], Iterable[D]] = lambda _: (),
) -> None:
    """Add the entities of all cars, or of all chargers, now and when one comes, each once it is supported.

    `descriptions_of` returns those that only this one has. They may become more.
    """
    data = entry.runtime_data
    platform = async_get_current_platform()
    not_added: dict[DeviceKey, list[D]] = {}
    seen: defaultdict[DeviceKey, set[str]] = defaultdict(set)
    replacements = Replacements(
        platform.hass, entry.entry_id, data.coordinator.fleet, data.coordinator.now
    )

    @callback
    def member_changed(key: DeviceKey, member: FleetMember | None) -> None:
        if not isinstance(member, member_type):
            not_added.pop(key, None)
            seen.pop(key, None)
            replacements.look_again()
            return
        if key not in not_added and replacements.waits(key, member_changed):
            return
        missing = not_added.setdefault(key, list(descriptions))
        for description in descriptions_of(member):
            if description.key not in seen[key]:
                seen[key].add(description.key)
                missing.append(description)
        if not (ready := [it for it in missing if it.is_supported(member, data.coordinator)]):
            return
        not_added[key] = [description for description in missing if description not in ready]
        subentry_id = data.subentry_of.get(key[0])
        if subentry_id in entry.subentries:
            entities = [
                entity_type(data, key, member, description)
                for description in ready
                if _is_wanted(platform, data, key, description)
            ]
            move_to_subentry(platform.hass, entry.entry_id, key, subentry_id)
            for entity in entities:
                _suggest_entity_id(platform, entity, entry.entry_id, key, member)
            async_add_entities(
                entities,
                config_subentry_id=subentry_id,
            )

    entry.async_on_unload(replacements.stop)
    entry.async_on_unload(data.coordinator.fleet.listen(member_changed))
    # In a house the page of an area shows the entities in the order in which they are added.
    async for key in in_slices(data.coordinator.fleet.members, are_many=_is_large(data)):
        member_changed(key, data.coordinator.fleet.member(key))
