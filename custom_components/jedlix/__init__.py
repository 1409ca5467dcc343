"""Jedlix Smart Charging: set up, unload, remove, migrate; nothing else."""

import logging

from homeassistant.components import webhook
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_WEBHOOK_ID, Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import config_validation as cv, device_registry as dr
from homeassistant.helpers.typing import ConfigType

from .actions import register_actions
from .announcer import identifier_of
from .api import JedlixError
from .commands import Commands
from .const import CONF_WEBHOOK_KEY, DOMAIN, MANUFACTURER
from .coordinator import JedlixCoordinator
from .energy import import_energy
from .fleet import Key
from .following import entry_changed, follow_new_users, subentries_of_users
from .memory import Memory
from .past_sessions import PastSessions
from .push.callback_url import delete_cloudhook
from .push.health import PushHealth
from .push.link import PushLink
from .push.receiver import Door
from .push.subscriptions import unsubscribe_all
from .push.trial import HANDED_OVER
from .runtime import JedlixConfigEntry, JedlixData, make_client

_LOGGER = logging.getLogger(__name__)

PLATFORMS = [
    Platform.BINARY_SENSOR,
    Platform.BUTTON,
    Platform.CALENDAR,
    Platform.EVENT,
    Platform.NUMBER,
    Platform.SENSOR,
    Platform.SWITCH,
]


CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, _config: ConfigType) -> bool:
    """Register the actions, which are there whether or not an account is loaded."""
    register_actions(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: JedlixConfigEntry) -> bool:
    """Open the door, catch up, make the entities, then see to the registration at Jedlix."""
    memory = Memory(hass, entry.entry_id)
    await memory.load()
    # The first of these runs last: when the door is shut and nothing can happen, also where set-up fails.
    entry.async_on_unload(lambda: _turn_away(hass, entry))
    entry.async_on_unload(memory.save)
    if handed_over := hass.data.get(HANDED_OVER, {}).pop(entry.data[CONF_WEBHOOK_ID], None):
        memory.subscriptions |= handed_over
        await memory.write()
    client = make_client(hass, entry.data)
    subentry_of = subentries_of_users(entry)
    health = PushHealth(announces=memory.push_announces, last_delivery=memory.last_delivery)
    coordinator = JedlixCoordinator(
        hass, entry, client, memory=memory, health=health, followed=subentry_of
    )
    push = PushLink(hass, entry, client, memory=memory, health=health, coordinator=coordinator)
    entry.runtime_data = JedlixData(
        client=client,
        memory=memory,
        coordinator=coordinator,
        commands=Commands(hass, entry, client, coordinator),
        past=PastSessions(client, coordinator),
        push=push,
        subentry_of=subentry_of,
        loaded_with=(entry.data, entry.options, entry.title),
    )
    # The account's device comes first: the first catch-up may already tell of it.
    dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id,
        identifiers={(DOMAIN, entry.entry_id)},
        entry_type=dr.DeviceEntryType.SERVICE,
        manufacturer=MANUFACTURER,
        name=entry.title,
    )
    # Before the catch-up, which may tell of a new user.
    entry.async_on_unload(entry.add_update_listener(entry_changed))
    entry.async_on_unload(follow_new_users(hass, entry))
    entry.async_on_unload(push.open())
    await coordinator.async_config_entry_first_refresh()
    # The poll comes only while somebody listens, and an account need not have a car yet.
    entry.async_on_unload(coordinator.async_add_listener(lambda: None))
    _drop_devices_of_the_gone(hass, entry)
    entry.async_on_unload(coordinator.fleet.listen(lambda key: _thing_changed(hass, entry, key)))
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    push.start()
    import_energy(hass, entry)
    return True


async def async_migrate_entry(_hass: HomeAssistant, entry: JedlixConfigEntry) -> bool:
    """Take an entry of this version, and refuse one that a later version made; none is older yet."""
    return entry.version == 1


async def async_unload_entry(hass: HomeAssistant, entry: JedlixConfigEntry) -> bool:
    """Unload; what Jedlix holds for us stays, so that a reload costs no call and loses nothing."""
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)


async def async_remove_entry(hass: HomeAssistant, entry: JedlixConfigEntry) -> None:
    """Leave nothing behind: not at Jedlix, not in the cloud, not on the disk."""
    memory = Memory(hass, entry.entry_id)
    await memory.load()
    webhook_id = entry.data[CONF_WEBHOOK_ID]
    try:
        await unsubscribe_all(make_client(hass, entry.data), memory.subscriptions, webhook_id)
    except JedlixError as err:
        _LOGGER.warning("The webhook subscriptions could not be deleted at Jedlix: %s", err)
    webhook.async_unregister(hass, webhook_id)
    await delete_cloudhook(hass, webhook_id)
    await memory.forget()


@callback
def _turn_away(hass: HomeAssistant, entry: JedlixConfigEntry) -> None:
    """Ask Jedlix to come back later where set-up has failed; Home Assistant itself would answer 200.

    That ends with the next attempt, whose door takes the place of this one, or when the entry is disabled.
    """
    if entry.state is ConfigEntryState.UNLOAD_IN_PROGRESS:
        return
    door = Door(hass, entry.data[CONF_WEBHOOK_ID], entry.data[CONF_WEBHOOK_KEY])
    door.open()

    @callback
    def state_changed() -> None:
        is_disabled = entry.disabled_by is not None
        if is_disabled:
            door.close()
        if is_disabled or entry.state is ConfigEntryState.SETUP_IN_PROGRESS:
            stop()

    stop = entry.async_on_state_change(state_changed)


@callback
def _thing_changed(hass: HomeAssistant, entry: JedlixConfigEntry, key: Key) -> None:
    """Remove the device of a car or charger that is gone, once its going has been told."""
    fleet = entry.runtime_data.coordinator.fleet
    if fleet.vehicle(key) is None and fleet.charger(key) is None:
        hass.loop.call_soon(_drop_devices_of_the_gone, hass, entry)


@callback
def _drop_devices_of_the_gone(hass: HomeAssistant, entry: JedlixConfigEntry) -> None:
    """Remove the devices of cars and chargers that no followed user has any longer.

    A user at whom nobody could look yet keeps the devices.
    """
    coordinator = entry.runtime_data.coordinator
    fleet = coordinator.fleet
    keep = {identifier_of(*key) for key in (*fleet.vehicles, *fleet.chargers)} | {entry.entry_id}
    unknown = tuple(f"{user_id}_" for user_id in coordinator.not_yet_seen)
    devices = dr.async_get(hass)
    for device in dr.async_entries_for_config_entry(devices, entry.entry_id):
        names = {identifier for domain, identifier in device.identifiers if domain == DOMAIN}
        if not names & keep and not any(name.startswith(unknown) for name in names):
            devices.async_remove_device(device.id)
