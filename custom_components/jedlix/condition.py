"""Conditions: whether a car is plugged in, charging, or in a smart session."""

from typing import ClassVar, Final, override

from homeassistant.const import STATE_ON
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.automation import DomainSpec
from homeassistant.helpers.condition import Condition, EntityStateConditionBase

from .const import DOMAIN
from .target import excluded_devices_of


class BinarySensorCondition(EntityStateConditionBase):
    """A binary sensor of ours is on, for any or for all cars of the target."""

    _domain_specs = {"binary_sensor": DomainSpec()}  # noqa: RUF012  so declared in the base class
    _states = {STATE_ON}  # noqa: RUF012  so declared in the base class
    _key: ClassVar[str]

    @override
    def entity_filter(self, entities: set[str]) -> set[str]:
        """Return this one entity of each car that the target means, also where it is hidden.

        A target expands to visible entities only, and this one is hidden by default.
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
                for entity in er.async_entries_for_device(registry, device_id)
                if entity.platform == DOMAIN and entity.translation_key == self._key
            }
        )

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
