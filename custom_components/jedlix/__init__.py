"""Jedlix Smart Charging: set up, unload, remove, migrate; nothing else."""

import logging

from homeassistant.const import CONF_WEBHOOK_ID, Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr

from .announcer import vehicle_identifier
from .api import JedlixError
from .const import CONF_USER_ID, DOMAIN, MANUFACTURER, SUBENTRY_USER
from .coordinator import JedlixCoordinator, VehicleKey
from .memory import Memory
from .push.callback_url import delete_cloudhook
from .push.health import PushHealth
from .push.link import PushLink
from .push.subscriptions import unsubscribe_all
from .push.trial import HANDED_OVER
from .runtime import JedlixConfigEntry, JedlixData, make_client

_LOGGER = logging.getLogger(__name__)

PLATFORMS = [Platform.BINARY_SENSOR, Platform.EVENT, Platform.SENSOR]


async def async_setup_entry(hass: HomeAssistant, entry: JedlixConfigEntry) -> bool:
    """Open the door, catch up, make the entities, then see to the registration at Jedlix."""
    memory = Memory(hass, entry.entry_id)
    await memory.load()
    if handed_over := hass.data.get(HANDED_OVER, {}).pop(entry.data[CONF_WEBHOOK_ID], None):
        memory.subscriptions |= handed_over
        await memory.write()
    client = make_client(hass, entry.data)
    subentry_of = {
        subentry.data[CONF_USER_ID]: subentry.subentry_id
        for subentry in entry.subentries.values()
        if subentry.subentry_type == SUBENTRY_USER
    }
    health = PushHealth(announces=memory.push_announces)
    coordinator = JedlixCoordinator(
        hass, entry, client, memory=memory, health=health, followed=subentry_of
    )
    push = PushLink(hass, entry, client, memory=memory, health=health, coordinator=coordinator)
    entry.runtime_data = JedlixData(
        client=client,
        memory=memory,
        coordinator=coordinator,
        push=push,
        subentry_of=subentry_of,
    )
    # The account's device comes first: cars point to it, and the first catch-up may already tell of it.
    dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id,
        identifiers={(DOMAIN, entry.entry_id)},
        entry_type=dr.DeviceEntryType.SERVICE,
        manufacturer=MANUFACTURER,
        name=entry.title,
    )
    entry.async_on_unload(push.open())
    await coordinator.async_config_entry_first_refresh()
    _drop_devices_of_the_gone(hass, entry)
    entry.async_on_unload(
        coordinator.listen_to_fleet(lambda key: _vehicle_changed(hass, entry, key))
    )
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    push.start()
    entry.async_on_unload(entry.add_update_listener(_reload))
    return True


async def async_unload_entry(hass: HomeAssistant, entry: JedlixConfigEntry) -> bool:
    """Unload; what Jedlix holds for us stays, so that a reload costs no call and loses nothing."""
    if unloaded := await hass.config_entries.async_unload_platforms(entry, PLATFORMS):
        await entry.runtime_data.memory.save()
    return unloaded


async def async_remove_entry(hass: HomeAssistant, entry: JedlixConfigEntry) -> None:
    """Leave nothing behind: not at Jedlix, not in the cloud, not on the disk."""
    memory = Memory(hass, entry.entry_id)
    await memory.load()
    webhook_id = entry.data[CONF_WEBHOOK_ID]
    try:
        await unsubscribe_all(make_client(hass, entry.data), memory.subscriptions, webhook_id)
    except JedlixError as err:
        _LOGGER.warning("The webhook subscriptions could not be deleted at Jedlix: %s", err)
    await delete_cloudhook(hass, webhook_id)
    await memory.forget()


async def _reload(hass: HomeAssistant, entry: JedlixConfigEntry) -> None:
    """Begin anew after a change of data, options or followed users."""
    await hass.config_entries.async_reload(entry.entry_id)


@callback
def _vehicle_changed(hass: HomeAssistant, entry: JedlixConfigEntry, key: VehicleKey) -> None:
    """Remove the device of a car that is gone, once its going has been told."""
    if entry.runtime_data.coordinator.vehicle(key) is None:
        hass.loop.call_soon(_drop_devices_of_the_gone, hass, entry)


@callback
def _drop_devices_of_the_gone(hass: HomeAssistant, entry: JedlixConfigEntry) -> None:
    """Remove the devices of cars that no followed user has any longer.

    A user at whom nobody could look yet keeps the devices.
    """
    coordinator = entry.runtime_data.coordinator
    keep = {vehicle_identifier(*key) for key in coordinator.vehicles} | {entry.entry_id}
    unknown = tuple(f"{user_id}_" for user_id in coordinator.not_yet_seen)
    devices = dr.async_get(hass)
    for device in dr.async_entries_for_config_entry(devices, entry.entry_id):
        names = {identifier for domain, identifier in device.identifiers if domain == DOMAIN}
        if not names & keep and not any(name.startswith(unknown) for name in names):
            devices.async_remove_device(device.id)
