"""Who is followed: users come and go with their subentries and without a reload; new ones, on wish, too."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback

from .changes import ChangeType
from .const import CONF_FOLLOW_NEW_USERS, CONF_USER_ID, DOMAIN, EVENT_CHANGE, SUBENTRY_USER
from .runtime import JedlixConfigEntry
from .tenant import TenantUser


def subentries_of_users(entry: JedlixConfigEntry) -> dict[str, str]:
    """Return the subentry of each followed user."""
    return {
        subentry.data[CONF_USER_ID]: subentry.subentry_id
        for subentry in entry.subentries.values()
        if subentry.subentry_type == SUBENTRY_USER
    }


def all_followed(hass: HomeAssistant) -> set[str]:
    """Return whom the entries follow. Nobody twice: it would double each event, and no entity."""
    return {
        user_id
        for entry in hass.config_entries.async_entries(DOMAIN)
        for user_id in subentries_of_users(entry)
    }


async def entry_changed(hass: HomeAssistant, entry: JedlixConfigEntry) -> None:
    """Begin anew after a change of data, options or title; follow or let go where only users changed."""
    data = entry.runtime_data
    if data.loaded_with != (entry.data, entry.options, entry.title):
        await hass.config_entries.async_reload(entry.entry_id)
        return
    wanted, known = subentries_of_users(entry), dict(data.subentry_of)
    data.subentry_of.clear()
    data.subentry_of.update(wanted)
    for user_id in known.keys() - wanted.keys():
        data.coordinator.unfollow(user_id)
    for user_id in wanted.keys() - known.keys():
        data.coordinator.follow(user_id)


@callback
def follow_new_users(hass: HomeAssistant, entry: JedlixConfigEntry) -> CALLBACK_TYPE:
    """Follow each user whose creation Jedlix tells (documented), where the option asks for it."""

    @callback
    def created(event: Event) -> None:
        user_id = event.data["user_id"]
        if user_id in all_followed(hass):
            return
        subentry = ConfigSubentry(
            data=MappingProxyType({CONF_USER_ID: user_id}),
            subentry_type=SUBENTRY_USER,
            title=TenantUser(user_id).label,
            unique_id=user_id,
        )
        hass.config_entries.async_add_subentry(entry, subentry)

    @callback
    def is_ours(data: Mapping[str, Any]) -> bool:
        """Return whether to follow; an event that is fired by hand may lack any key."""
        return (
            data.get("type") == ChangeType.USER_CREATED
            and data.get("entry_id") == entry.entry_id
            and isinstance(data.get("user_id"), str)
        )

    if not entry.options.get(CONF_FOLLOW_NEW_USERS):
        return lambda: None
    return hass.bus.async_listen(EVENT_CHANGE, created, event_filter=is_ours)
