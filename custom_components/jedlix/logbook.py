"""Logbook: the text and the icon of each change that no event entity writes.

The line of an event entity has its type in the language of the person who reads it.
"""

from collections.abc import Callable
from typing import Any, Final

from homeassistant.components.logbook.const import (
    LOGBOOK_ENTRY_ICON,
    LOGBOOK_ENTRY_MESSAGE,
    LOGBOOK_ENTRY_NAME,
)
from homeassistant.const import ATTR_DEVICE_ID
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.translation import async_get_cached_translations

from .const import DOMAIN, EVENT_LOGBOOK_LINE

# The icon of each type of change. Its text is in the translations, as `change_` and the type.
_ICONS: Final = {
    "plugged_in": "mdi:power-plug",
    "unplugged": "mdi:power-plug-off",
    "charging_started": "mdi:battery-charging",
    "charging_paused": "mdi:pause-circle",
    "charging_completed": "mdi:battery-check",
    "session_started": "mdi:calendar-start",
    "session_ended": "mdi:calendar-end",
    "session_settled": "mdi:calendar-check",
    "session_became_smart": "mdi:lightbulb-on",
    "session_became_unmanaged": "mdi:lightbulb-off-outline",
    "session_impossible": "mdi:clock-alert",
    "boost_started": "mdi:rocket-launch",
    "boost_ended": "mdi:rocket",
    "smart_charging_enabled": "mdi:lightbulb-on",
    "smart_charging_disabled": "mdi:lightbulb-off-outline",
    "vehicle_added": "mdi:car",
    "vehicle_removed": "mdi:car-off",
    "vehicle_link_lost": "mdi:link-off",
    "vehicle_link_restored": "mdi:link",
    "user_created": "mdi:account-plus",
    "user_removed": "mdi:account-minus",
    "vehicle_ready_to_continue": "mdi:car-connected",
}
_OTHER: Final = "other"
_TEXT: Final = f"component.{DOMAIN}.common.change"


@callback
def async_describe_events(
    hass: HomeAssistant,
    async_describe_event: Callable[[str, str, Callable[[Event[Any]], dict[str, str]]], None],
) -> None:
    """Describe changes, in the language of the server; one fired by hand may lack any key.

    The frontend translates no event of an integration.
    """
    devices = dr.async_get(hass)

    @callback
    def describe(event: Event[Any]) -> dict[str, str]:
        device = devices.async_get(event.data.get(ATTR_DEVICE_ID) or "")
        name = None if device is None else device.name_by_user or device.name
        change = str(event.data.get("type"))
        if change not in _ICONS:
            change = _OTHER
        texts = async_get_cached_translations(hass, hass.config.language, "common", DOMAIN)
        # Right after a change of the language they may not be loaded.
        message = texts.get(f"{_TEXT}_{change}", change.replace("_", " "))
        if event.data.get("late"):
            message = texts.get(f"{_TEXT}_late", "{message}").format(message=message)
        return {
            LOGBOOK_ENTRY_NAME: name or "Jedlix",
            LOGBOOK_ENTRY_MESSAGE: message,
            LOGBOOK_ENTRY_ICON: _ICONS.get(change, "mdi:ev-station"),
        }

    async_describe_event(DOMAIN, EVENT_LOGBOOK_LINE, describe)
