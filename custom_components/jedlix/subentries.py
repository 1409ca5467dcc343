"""Subentries: one for each followed user. Users are added and removed without a reload."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback

from .const import CONF_FOLLOW_NEW_USERS, CONF_USER_ID, DOMAIN, EVENT_CHANGE, SUBENTRY_USER
from .data import JedlixConfigEntry
from .state.changes import ChangeType
from .users import TenantUser


def user_subentries(entry: JedlixConfigEntry) -> dict[str, str]:
    """Return the subentry of each followed user."""
    return {
        subentry.data[CONF_USER_ID]: subentry.subentry_id
        for subentry in entry.subentries.values()
        if subentry.subentry_type == SUBENTRY_USER
    }


def followed_users(hass: HomeAssistant) -> set[str]:
    """Return the users that all entries follow. No user is followed twice: that would double each event."""
    return {
        user_id
        for entry in hass.config_entries.async_entries(DOMAIN)
        for user_id in user_subentries(entry)
    }


@callback
def follow_user(hass: HomeAssistant, entry: JedlixConfigEntry, user_id: str, title: str) -> None:
    """Follow one more user, from now on."""
    subentry = ConfigSubentry(
        data=MappingProxyType({CONF_USER_ID: user_id}),
        subentry_type=SUBENTRY_USER,
        title=title,
        unique_id=user_id,
    )
    hass.config_entries.async_add_subentry(entry, subentry)


async def async_entry_updated(hass: HomeAssistant, entry: JedlixConfigEntry) -> None:
    """Reload after a change of data, options or title; follow or unfollow where only the users changed."""
    data = entry.runtime_data
    if data.loaded_with != (entry.data, entry.options, entry.title):
        await hass.config_entries.async_reload(entry.entry_id)
        return
    wanted, known = user_subentries(entry), dict(data.subentry_of)
    data.subentry_of.clear()
    data.subentry_of.update(wanted)
    for user_id in known.keys() - wanted.keys():
        data.coordinator.unfollow(user_id)
    for user_id in wanted.keys() - known.keys():
        data.coordinator.follow(user_id)


@callback
def follow_new_users(hass: HomeAssistant, entry: JedlixConfigEntry) -> CALLBACK_TYPE:
    """Follow each user whose creation Jedlix reports (documented), where the option asks for it."""

    @callback
    def created(event: Event) -> None:
        user_id = event.data["user_id"]
        if user_id in followed_users(hass):
            return
        follow_user(hass, entry, user_id, TenantUser(user_id).label)

    @callback
    def is_ours(data: Mapping[str, Any]) -> bool:
        """Return whether to follow the user; an event that is fired by hand may lack any key."""
        return (
            data.get("type") == ChangeType.USER_CREATED
            and data.get("entry_id") == entry.entry_id
            and isinstance(data.get("user_id"), str)
        )

    if not entry.options.get(CONF_FOLLOW_NEW_USERS):
        return lambda: None
    return hass.bus.async_listen(EVENT_CHANGE, created, event_filter=is_ours)
