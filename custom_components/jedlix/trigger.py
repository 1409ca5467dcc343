"""Triggers: one plain trigger over each of our two bus events.

Bus listeners, triggers and the logbook get the same event, so they cannot differ. An automation can be
tried by firing the event by hand.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Final, override

from homeassistant.const import CONF_OPTIONS, CONF_TARGET
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.trigger import (
    Trigger,
    TriggerActionRunner,
    TriggerConfig,
    TriggerNotTriggeredReporter,
)
from homeassistant.helpers.typing import ConfigType
import voluptuous as vol

from .const import CONF_EVENT_TYPES, EVENT_CHANGE, EVENT_WEBHOOK
from .state.changes import ChangeType
from .target import TargetDevices

CONF_INCLUDE_LATE: Final = "include_late"

_TARGETS: Final = ("entity_id", "device_id", "area_id", "floor_id", "label_id")

_CHANGE_SCHEMA: Final = vol.Schema(
    {
        vol.Required(CONF_TARGET): vol.All(cv.TARGET_FIELDS, cv.has_at_least_one_key(*_TARGETS)),
        vol.Required(CONF_OPTIONS, default={}): {
            vol.Required(CONF_INCLUDE_LATE, default=False): cv.boolean,
        },
    }
)
_WEBHOOK_SCHEMA: Final = vol.Schema(
    {
        vol.Required(CONF_OPTIONS, default={}): {
            vol.Optional(CONF_EVENT_TYPES, default=[]): vol.All(cv.ensure_list, [cv.string]),
            vol.Required(CONF_INCLUDE_LATE, default=False): cv.boolean,
        },
    }
)


class JedlixTrigger(Trigger):
    """A trigger over one of our bus events."""

    _event: ClassVar[str]
    _schema: ClassVar[vol.Schema]

    @override
    @classmethod
    async def async_validate_config(cls, hass: HomeAssistant, config: ConfigType) -> ConfigType:
        """Validate options and target. The devices of a target need not exist yet."""
        return cls._schema(config)  # type: ignore[no-any-return]

    def __init__(self, hass: HomeAssistant, config: TriggerConfig) -> None:
        """Take the validated options."""
        super().__init__(hass, config)
        self._options: Mapping[str, Any] = config.options or {}

    @override
    async def async_attach_runner(
        self,
        run_action: TriggerActionRunner,
        did_not_trigger: TriggerNotTriggeredReporter | None = None,
    ) -> CALLBACK_TYPE:
        """Run the action when a wanted event is fired; returns what ends it."""

        @callback
        def event_fired(event: Event) -> None:
            if self._wants(event.data):
                run_action(dict(event.data), self._describe(event.data), event.context)

        return self._hass.bus.async_listen(self._event, event_fired)

    @abstractmethod
    def _wants(self, data: Mapping[str, Any]) -> bool:
        """Return whether to run for this event; one that is fired by hand may lack any key."""

    @abstractmethod
    def _describe(self, data: Mapping[str, Any]) -> str:
        """Return a description of the event, for the trace."""


class ChangeTrigger(JedlixTrigger):
    """A change of a car of the target."""

    _event = EVENT_CHANGE
    _schema = _CHANGE_SCHEMA
    _type: ClassVar[ChangeType]

    def __init__(self, hass: HomeAssistant, config: TriggerConfig) -> None:
        """Take the target."""
        super().__init__(hass, config)
        self._devices = TargetDevices(hass, config.target or {})

    @override
    async def async_attach_runner(
        self,
        run_action: TriggerActionRunner,
        did_not_trigger: TriggerNotTriggeredReporter | None = None,
    ) -> CALLBACK_TYPE:
        """Follow the target as well, while the trigger is attached."""
        stop_following = self._devices.follow()
        stop_listening = await super().async_attach_runner(run_action, did_not_trigger)

        def stop() -> None:
            stop_listening()
            stop_following()

        return stop

    @override
    def _wants(self, data: Mapping[str, Any]) -> bool:
        return (
            data.get("type") == self._type
            and (self._options[CONF_INCLUDE_LATE] or not data.get("late"))
            and data.get("device_id") in self._devices
        )

    @override
    def _describe(self, data: Mapping[str, Any]) -> str:
        return f"Jedlix: {self._type.value.replace('_', ' ')}"


class WebhookTrigger(JedlixTrigger):
    """A delivery from Jedlix, to any account."""

    _event = EVENT_WEBHOOK
    _schema = _WEBHOOK_SCHEMA

    @override
    def _wants(self, data: Mapping[str, Any]) -> bool:
        wanted = self._options[CONF_EVENT_TYPES]
        is_wanted = not wanted or data.get("event_type") in wanted
        return is_wanted and (self._options[CONF_INCLUDE_LATE] or not data.get("late"))

    @override
    def _describe(self, data: Mapping[str, Any]) -> str:
        return f"Jedlix: webhook {data.get('event_type')}"


def _for_type(change_type: ChangeType) -> type[ChangeTrigger]:
    return type(f"{change_type.name.title()}Trigger", (ChangeTrigger,), {"_type": change_type})


TRIGGERS: Final[dict[str, type[Trigger]]] = {
    change_type.value: _for_type(change_type)
    for change_type in (
        ChangeType.SESSION_STARTED,
        ChangeType.SESSION_ENDED,
        ChangeType.SESSION_SETTLED,
        ChangeType.PLUGGED_IN,
        ChangeType.UNPLUGGED,
        ChangeType.CHARGING_STARTED,
        ChangeType.CHARGING_PAUSED,
        ChangeType.CHARGING_COMPLETED,
        ChangeType.SESSION_IMPOSSIBLE,
        ChangeType.VEHICLE_LINK_LOST,
        ChangeType.VEHICLE_LINK_RESTORED,
    )
} | {"webhook_received": WebhookTrigger}


async def async_get_triggers(_hass: HomeAssistant) -> dict[str, type[Trigger]]:
    """Return our triggers, without the domain."""
    return TRIGGERS
