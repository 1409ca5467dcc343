"""Target: the devices that the target of a trigger or an action means.

Resolving an area full of cars takes tens of milliseconds, and a change is published within one. So the
devices are kept until a registry changes.
"""

from collections.abc import Mapping
from typing import Any, Final

from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.area_registry import EVENT_AREA_REGISTRY_UPDATED
from homeassistant.helpers.device_registry import EVENT_DEVICE_REGISTRY_UPDATED
from homeassistant.helpers.entity_registry import EVENT_ENTITY_REGISTRY_UPDATED
from homeassistant.helpers.target import TargetSelection, async_extract_referenced_entity_ids

from .const import DOMAIN

_EXCLUDE: Final = "exclude"


class TargetDevices:
    """The devices of a target: named, in an area or floor, labelled, or owning an entity of ours."""

    def __init__(self, hass: HomeAssistant, target: Mapping[str, Any]) -> None:
        """Take a validated target; it is resolved when it is first needed."""
        self._hass = hass
        self._target = target
        self._resolved: frozenset[str] | None = None

    def __contains__(self, device_id: object) -> bool:
        """Return whether the target means this device."""
        if self._resolved is None:
            self._resolved = devices_of(self._hass, self._target)
        return device_id in self._resolved

    @callback
    def follow(self) -> CALLBACK_TYPE:
        """Resolve again after a registry changes; returns what ends that."""
        stops = [
            self._hass.bus.async_listen(event, self._forget)
            for event in (
                EVENT_AREA_REGISTRY_UPDATED,
                EVENT_DEVICE_REGISTRY_UPDATED,
                EVENT_ENTITY_REGISTRY_UPDATED,
            )
        ]

        def stop() -> None:
            for stop_one in stops:
                stop_one()

        return stop

    @callback
    def _forget(self, _event: Event[Any]) -> None:
        self._resolved = None


def devices_of(hass: HomeAssistant, target: Mapping[str, Any]) -> frozenset[str]:
    """Return the ids of the devices that a validated target means, without those that it excludes."""
    included = {key: value for key, value in target.items() if key != _EXCLUDE}
    return _referenced(hass, included) - excluded_devices_of(hass, target)


def excluded_devices_of(hass: HomeAssistant, target: Mapping[str, Any]) -> frozenset[str]:
    """Return the ids of the devices that a target excludes (from Home Assistant 2026.11 on).

    As for what a target includes, an entity of ours stands for its device.
    """
    excluded = target.get(_EXCLUDE)
    return _referenced(hass, excluded) if excluded else frozenset()


def _referenced(hass: HomeAssistant, target: Mapping[str, Any]) -> frozenset[str]:
    found = async_extract_referenced_entity_ids(
        hass, TargetSelection(dict(target)), primary_entities_only=False
    )
    entities = er.async_get(hass)
    owners = (
        entity.device_id
        for entity_id in found.referenced | found.indirectly_referenced
        if (entity := entities.async_get(entity_id)) is not None
        and entity.platform == DOMAIN
        and entity.device_id is not None
    )
    return frozenset(found.referenced_devices) | frozenset(owners)
