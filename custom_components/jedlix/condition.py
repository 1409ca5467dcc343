"""Conditions: what state a car, its session or its link is in."""

from typing import ClassVar, Final, override

from homeassistant.const import STATE_OFF, STATE_ON, Platform
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.automation import DomainSpec
from homeassistant.helpers.condition import Condition, EntityStateConditionBase

from .api import ChargeStatus
from .const import DOMAIN
from .target import excluded_devices_of


class CarCondition(EntityStateConditionBase):
    """An entity of ours has a state, for any or for all cars of the target."""

    _key: ClassVar[str]

    @override
    def entity_filter(self, entities: set[str]) -> set[str]:
        """Return this one entity of each car that the target means, also where it is hidden.

        A target expands to visible entities only, and some of these are hidden by default.
        """
        registry = er.async_get(self._hass)
        devices = {
            entity.device_id
            for entity_id in entities
            if (entity := registry.async_get(entity_id)) is not None
            and entity.platform == DOMAIN
            and entity.device_id is not None
        } - excluded_devices_of(self._hass, self._target or {})
        return super().entity_filter(
            {
                entity.entity_id
                for device_id in devices
                for entity in _entities_of_car(registry, device_id)
                if entity.translation_key == self._key
            }
        )

    @override
    def _check_all_match_state(self, states: list[State]) -> bool:
        """Return false where the target has no car: none is plugged in then."""
        return bool(states) and super()._check_all_match_state(states)


def _entities_of_car(registry: er.EntityRegistry, device_id: str) -> list[er.RegistryEntry]:
    """Return our entities of a device, none where it is a charger, which has a charge state as well."""
    entities = er.async_entries_for_device(registry, device_id, include_disabled_entities=True)
    ours = [entity for entity in entities if entity.platform == DOMAIN]
    return ours if any(entity.translation_key == "plugged_in" for entity in ours) else []


def _condition(domain: str, key: str, state: str) -> type[Condition]:
    """Return the condition that this entity of a car has this state."""

    class StateCondition(CarCondition):
        _domain_specs = {domain: DomainSpec()}  # noqa: RUF012  so declared in the base class
        _states = {state}  # noqa: RUF012  so declared in the base class
        _key = key

    return StateCondition


# Each asks for what is known: the opposite of "is plugged in" is also true where nobody knows.
CONDITIONS: Final[dict[str, type[Condition]]] = {
    "is_plugged_in": _condition(Platform.BINARY_SENSOR, "plugged_in", STATE_ON),
    "is_unplugged": _condition(Platform.BINARY_SENSOR, "plugged_in", STATE_OFF),
    "is_charging": _condition(Platform.BINARY_SENSOR, "charging", STATE_ON),
    "is_charged": _condition(Platform.SENSOR, "charge_state", ChargeStatus.COMPLETE),
    "is_smart_session": _condition(Platform.BINARY_SENSOR, "smart_session", STATE_ON),
    "is_smart_charging_off": _condition(Platform.SWITCH, "smart_charging", STATE_OFF),
    "is_at_unknown_location": _condition(Platform.BINARY_SENSOR, "at_known_location", STATE_OFF),
    "is_link_lost": _condition(Platform.BINARY_SENSOR, "vehicle_link", STATE_OFF),
}


async def async_get_conditions(_hass: HomeAssistant) -> dict[str, type[Condition]]:
    """Return our conditions, without the domain."""
    return CONDITIONS
