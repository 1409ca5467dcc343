"""Logbook: the text of each change."""

from collections.abc import Callable
from typing import Any, Final

from homeassistant.components.logbook.const import LOGBOOK_ENTRY_MESSAGE, LOGBOOK_ENTRY_NAME
from homeassistant.const import ATTR_DEVICE_ID
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr

from .const import DOMAIN, EVENT_CHANGE

# The logbook has no translations for integrations, so these texts are English in every language.
_MESSAGES: Final = {
    "plugged_in": "was plugged in",
    "unplugged": "was unplugged",
    "charging_started": "started charging",
    "charging_paused": "paused charging",
    "charging_completed": "finished charging",
    "session_started": "started a charging session",
    "session_ended": "ended a charging session",
    "session_settled": "has new figures for a charging session",
    "session_became_smart": "is now charged smart",
    "session_became_unmanaged": "is no longer charged smart",
    "session_impossible": "will not be charged in time",
    "boost_started": "charges at once",
    "boost_ended": "no longer charges at once",
    "smart_charging_enabled": "had smart charging switched on",
    "smart_charging_disabled": "had smart charging switched off",
    "vehicle_added": "was added",
    "vehicle_removed": "was removed",
    "vehicle_link_lost": "lost the link to its manufacturer",
    "vehicle_link_restored": "has its link to the manufacturer again",
    "user_created": "has a new user",
    "user_removed": "has a user less",
    "vehicle_ready_to_continue": "has a car that is ready to be linked",
}


@callback
def async_describe_events(
    hass: HomeAssistant,
    async_describe_event: Callable[[str, str, Callable[[Event[Any]], dict[str, str]]], None],
) -> None:
    """Describe the changes; one fired by hand may lack any key."""
    devices = dr.async_get(hass)

    @callback
    def describe(event: Event[Any]) -> dict[str, str]:
        device = devices.async_get(event.data.get(ATTR_DEVICE_ID) or "")
        name = None if device is None else device.name_by_user or device.name
        message = _MESSAGES.get(event.data.get("type", ""), "changed")
        if event.data.get("late"):
            message += " (reported late)"
        return {LOGBOOK_ENTRY_NAME: name or "Jedlix", LOGBOOK_ENTRY_MESSAGE: message}

    async_describe_event(DOMAIN, EVENT_CHANGE, describe)
