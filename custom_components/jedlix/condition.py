"""Conditions: whether a car is plugged in, charging, or in a smart session."""

from typing import ClassVar, Final, override

from homeassistant.const import STATE_ON
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.automation import DomainSpec
from homeassistant.helpers.condition import Condition, EntityStateConditionBase

from .const import DOMAIN


class BinarySensorCondition(EntityStateConditionBase):
    """A binary sensor of ours is on, for any or for all cars of the target."""

    _domain_specs = {"binary_sensor": DomainSpec()}  # noqa: RUF012  so declared in the base class
    _states = {STATE_ON}  # noqa: RUF012  so declared in the base class
    _key: ClassVar[str]

    @override
    def entity_filter(self, entities: set[str]) -> set[str]:
        """Keep this one entity of each car."""
        registry = er.async_get(self._hass)
        return {
            entity_id
            for entity_id in super().entity_filter(entities)
            if (entity := registry.async_get(entity_id)) is not None
            and entity.platform == DOMAIN
            and entity.translation_key == self._key
        }

    @override
    def _check_all_match_state(self, states: list[State]) -> bool:
        """Return false where the target has no car: none is plugged in then."""
        return bool(states) and super()._check_all_match_state(states)


class IsPluggedIn(BinarySensorCondition):
    """The car is plugged in."""

    _key = "plugged_in"


class IsCharging(BinarySensorCondition):
    """The car charges."""

    _key = "charging"


class IsSmartSession(BinarySensorCondition):
    """The running session is smart."""

    _key = "smart_session"


CONDITIONS: Final[dict[str, type[Condition]]] = {
    "is_plugged_in": IsPluggedIn,
    "is_charging": IsCharging,
    "is_smart_session": IsSmartSession,
}


async def async_get_conditions(_hass: HomeAssistant) -> dict[str, type[Condition]]:
    """Return our conditions, without the domain."""
    return CONDITIONS
