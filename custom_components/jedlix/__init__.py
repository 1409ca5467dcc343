"""Jedlix Smart Charging: set up, unload, remove, migrate; nothing else."""

from homeassistant.components.webhook import async_unregister as async_unregister_webhook
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_WEBHOOK_ID, Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import config_validation as cv, device_registry as dr
from homeassistant.helpers.start import async_at_started
from homeassistant.helpers.typing import ConfigType

from .commands import Commands
from .const import CONF_EVENT_TYPES, CONF_FIND_EVENT_TYPES, CONF_WEBHOOK_KEY, DOMAIN
from .coordinator import JedlixCoordinator
from .dashboard import register_module
from .data import JedlixConfigEntry, JedlixData, is_driver, load_client, make_client
from .devices import DeviceKey, create_account_device, identifier_of
from .fleet import FleetMember
from .issues import show_subscriptions_left
from .link_issues import LinkIssues
from .push.callback_url import delete_cloudhook
from .push.connection_test import HANDED_OVER
from .push.copies import unsubscribe_own
from .push.event_types import DEFAULT_EVENT_TYPES
from .push.handler import WebhookHandler
from .push.health import PushHealth
from .push.subscriber import LOST_URLS
from .services import async_setup_services
from .session_history import SessionHistory
from .statistics import StatisticsImport
from .store import JedlixStore, remove_orphaned_files
from .subentries import async_entry_updated, follow_new_users, user_subentries
from .token_file import TokenFile
from .voice import async_setup_voice
from .webhook import JedlixPush

# The page of an area shows the entities of a car in this order, and within a platform in that of its table.
PLATFORMS = [
    Platform.SWITCH,
    Platform.TIME,
    Platform.SENSOR,
    Platform.NUMBER,
    Platform.BINARY_SENSOR,
    Platform.BUTTON,
    Platform.CALENDAR,
    Platform.EVENT,
]


CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, _config: ConfigType) -> bool:
    """Register what needs no loaded account: actions, voice, the dashboard; delete files without an entry."""
    async_setup_services(hass)
    async_setup_voice(hass)
    await register_module(hass)
    entry_ids = {entry.entry_id for entry in hass.config_entries.async_entries(DOMAIN)}
    hass.data[LOST_URLS] = await hass.async_add_executor_job(
        remove_orphaned_files, hass.config.path(), entry_ids
    )
    return True


async def async_setup_entry(hass: HomeAssistant, entry: JedlixConfigEntry) -> bool:
    """Answer deliveries, fetch what was missed, add the entities, then register at Jedlix."""
    store = JedlixStore(hass, entry.entry_id)
    await store.load()
    _close_at_the_end(hass, entry, store)
    if handed_over := hass.data.get(HANDED_OVER, {}).pop(entry.data.get(CONF_WEBHOOK_ID, ""), None):
        store.push.subscriptions |= handed_over
        await store.save()
    client = await load_client(hass, entry)
    subentry_of = user_subentries(entry)
    health = PushHealth(
        event_types=store.push.subscriptions.keys(),
        reports_changes=store.push.reports_changes,
        last_delivery=store.push.last_delivery,
    )
    coordinator = JedlixCoordinator(
        hass, entry, client, store=store, health=health, followed=subentry_of
    )
    push: JedlixPush | None = None
    if not is_driver(entry.data):
        push = JedlixPush(
            hass, entry, client, record=store.push, health=health, coordinator=coordinator
        )
    history = SessionHistory(client, coordinator)
    entry.runtime_data = JedlixData(
        client=client,
        store=store,
        coordinator=coordinator,
        commands=Commands(hass, entry, client, coordinator),
        session_history=history,
        statistics=StatisticsImport(hass, entry, coordinator, history, store),
        push=push,
        subentry_of=subentry_of,
        loaded_with=(entry.data, entry.options, entry.title),
    )
    # Before the first refresh, which may publish changes of the account, and a new user.
    create_account_device(hass, entry)
    entry.async_on_unload(entry.add_update_listener(async_entry_updated))
    entry.async_on_unload(follow_new_users(hass, entry))
    store.hold()

    async def publish_what_was_found(_hass: HomeAssistant) -> None:
        """Publish what was found during set-up, and remember it from now on."""
        await coordinator.publisher.release()
        store.release()

    @callback
    def publish_after_unload() -> None:
        """Publish it all the same when the entry is unloaded, or set-up fails, before automations run."""
        async_at_started(hass, publish_what_was_found)

    entry.async_on_unload(publish_after_unload)
    if push is not None:
        entry.async_on_unload(push.register_handler())
    entry.async_on_unload(coordinator.user_issues.clear)
    link_issues = LinkIssues(
        hass,
        entry,
        coordinator.fleet,
        is_household=lambda: coordinator.is_household,
        now=coordinator.now,
    )
    entry.async_on_unload(link_issues.follow())
    entry.async_on_unload(coordinator.quick_poll.stop)
    await coordinator.first_poll()
    # The coordinator polls only while somebody listens, and an account may have no car yet.
    entry.async_on_unload(coordinator.async_add_listener(lambda: None))
    _remove_devices_of_the_gone(hass, entry)

    @callback
    def member_changed(_key: DeviceKey, member: FleetMember | None) -> None:
        """Remove the device of a car or charger that is gone, after that was published."""
        if member is None:
            hass.loop.call_soon(_remove_devices_of_the_gone, hass, entry)

    entry.async_on_unload(coordinator.fleet.listen(member_changed))
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    # Now the event entities exist. Automations run only once Home Assistant has started.
    entry.async_on_unload(async_at_started(hass, publish_what_was_found))
    if push is not None:
        push.start()
    entry.runtime_data.statistics.start()
    return True


async def async_migrate_entry(hass: HomeAssistant, entry: JedlixConfigEntry) -> bool:
    """Take an entry of this version or an older one, and refuse one that a later version made.

    Before minor version 2, only the documented event types were subscribed by default, and the others that
    Jedlix accepted stood in the store.
    """
    if entry.version != 1:
        return False
    if entry.minor_version == 1:
        store = JedlixStore(hass, entry.entry_id)
        await store.load()
        options = dict(entry.options)
        options.pop(CONF_FIND_EVENT_TYPES, None)
        if options.get(CONF_EVENT_TYPES) != []:  # none was chosen by a user who wants no push
            chosen = {*options.pop(CONF_EVENT_TYPES, ()), *store.push.found_before}
            if added := sorted(chosen.difference(DEFAULT_EVENT_TYPES)):
                options[CONF_EVENT_TYPES] = [*DEFAULT_EVENT_TYPES, *added]
        hass.config_entries.async_update_entry(entry, options=options, minor_version=2)
    return True


async def async_unload_entry(hass: HomeAssistant, entry: JedlixConfigEntry) -> bool:
    """Unload. The subscriptions at Jedlix stay, so that a reload costs no call and loses nothing."""
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)


async def async_remove_entry(hass: HomeAssistant, entry: JedlixConfigEntry) -> None:
    """Delete the subscriptions at Jedlix, the cloudhook and the files."""
    store = JedlixStore(hass, entry.entry_id)
    if is_driver(entry.data):
        await TokenFile(hass, entry.entry_id).remove()
        await store.remove()
        return
    await store.load()
    webhook_id = entry.data[CONF_WEBHOOK_ID]
    client = make_client(hass, entry.data)
    left = await unsubscribe_own(hass, client, entry.data, store.push.subscriptions)
    show_subscriptions_left(hass, entry, left)
    async_unregister_webhook(hass, webhook_id)
    await delete_cloudhook(hass, webhook_id)
    await store.remove()


@callback
def _close_at_the_end(hass: HomeAssistant, entry: JedlixConfigEntry, store: JedlixStore) -> None:
    """Have the store closed on unload, and when Home Assistant saves for the last time."""
    # On unload, callbacks run in reverse: these after the webhook is unregistered.
    if not is_driver(entry.data):
        entry.async_on_unload(lambda: _answer_503(hass, entry))
    entry.async_on_unload(store.close)
    entry.async_on_unload(store.close_with_home_assistant())


@callback
def _answer_503(hass: HomeAssistant, entry: JedlixConfigEntry) -> None:
    """Answer 503 while the entry is not loaded, so that Jedlix tries again; Home Assistant would answer 200.

    The handler of the next set-up replaces this one. Disabling or removing the entry unregisters it, and so
    does a set-up with another webhook id.
    """
    webhook_id = entry.data[CONF_WEBHOOK_ID]
    handler = WebhookHandler(hass, webhook_id, entry.data[CONF_WEBHOOK_KEY])
    handler.register()

    @callback
    def state_changed() -> None:
        if entry.disabled_by is not None or entry.data[CONF_WEBHOOK_ID] != webhook_id:
            handler.unregister()
            stop()
        elif entry.state is ConfigEntryState.SETUP_IN_PROGRESS:
            stop()

    stop = entry.async_on_state_change(state_changed)


@callback
def _remove_devices_of_the_gone(hass: HomeAssistant, entry: JedlixConfigEntry) -> None:
    """Remove the devices of cars and chargers that no followed user has any longer.

    The devices of a user who was never refreshed stay.
    """
    coordinator = entry.runtime_data.coordinator
    known = {identifier_of(key) for key in coordinator.fleet.members} | {entry.entry_id}
    of_unknown = tuple(f"{user_id}_" for user_id in coordinator.known.never_refreshed)
    devices = dr.async_get(hass)
    for device in dr.async_entries_for_config_entry(devices, entry.entry_id):
        identifiers = {identifier for domain, identifier in device.identifiers if domain == DOMAIN}
        if not identifiers & known and not any(it.startswith(of_unknown) for it in identifiers):
            devices.async_remove_device(device.id)
