"""Entities and devices of the integration, found through Home Assistant's registries.

Entity ids depend on the car's name and on what the user changed; platform, translation key and unique id
do not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .flows import DOMAIN
from .websocket import WebSocket


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity of the integration. `key` is its translation key: `battery_level`, `push`."""

    entity_id: str
    key: str
    device_id: str | None
    enabled: bool
    category: str | None
    """`diagnostic`, `config`, or None."""
    hidden: bool = False

    @property
    def domain(self) -> str:
        """`sensor`, `event` and so on."""
        return self.entity_id.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Device:
    """One device of the integration: a car, a charger, the account."""

    device_id: str
    name: str
    identifiers: tuple[str, ...]
    manufacturer: str | None = None
    model: str | None = None
    version: str | None = None
    subentry_id: str | None = None
    """The user to whom it belongs, as Home Assistant numbers them."""

    def is_for(self, jedlix_id: str) -> bool:
        """Return whether this is the device of the car or charger with this id at Jedlix."""
        return any(jedlix_id in identifier for identifier in self.identifiers)


async def our_entities(socket: WebSocket) -> list[Entity]:
    """Return all registered entities of the integration, the disabled ones as well."""
    return [
        Entity(
            entity_id=entry["entity_id"],
            key=entry["translation_key"] or str(entry["unique_id"]).rpartition("_")[2],
            device_id=entry["device_id"],
            enabled=entry["disabled_by"] is None,
            category=entry["entity_category"],
            hidden=entry["hidden_by"] is not None,
        )
        for entry in await socket.call("config/entity_registry/list")
        if entry["platform"] == DOMAIN
    ]


async def our_devices(socket: WebSocket) -> list[Device]:
    """Return all devices of the integration."""
    return [
        Device(
            device_id=entry["id"],
            name=entry["name_by_user"] or entry["name"] or entry["id"],
            identifiers=tuple(
                str(part)
                for domain, *parts in entry["identifiers"]
                if domain == DOMAIN
                for part in parts
            ),
            manufacturer=entry["manufacturer"],
            model=entry["model"],
            version=entry["hw_version"],
            subentry_id=entry["config_subentry_id"],
        )
        for entry in await socket.call("config/device_registry/list")
        if any(identifier[0] == DOMAIN for identifier in entry["identifiers"])
    ]


async def of_device(socket: WebSocket, jedlix_id: str) -> list[Entity]:
    """Return the entities of the car or charger with this id at Jedlix."""
    devices = {item.device_id for item in await our_devices(socket) if item.is_for(jedlix_id)}
    return [entity for entity in await our_entities(socket) if entity.device_id in devices]


def find(entities: Sequence[Entity], domain: str, key: str) -> Entity | None:
    """Return the first entity of this domain and key."""
    matching = (entity for entity in entities if (entity.domain, entity.key) == (domain, key))
    return next(matching, None)


def shown_state(state: dict[str, Any] | None) -> str:
    """Return a state for a person to read: with its unit, a time without its date."""
    if state is None:
        return "gone"
    value = str(state["state"])
    attributes = state.get("attributes", {})
    if attributes.get("device_class") == "timestamp" and "T" in value:
        return value.partition("T")[2][:5] + " UTC"
    if value in {"unknown", "unavailable"}:
        return value
    unit = attributes.get("unit_of_measurement")
    return f"{value} {unit}" if unit else value
