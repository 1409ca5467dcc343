"""The world around push changes: each time it ends healthy, or in a repair that names the way out."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Final

from aiohttp import ClientSession, web
from homeassistant.components import cloud as real_cloud
from homeassistant.components.cloud import CloudConnectionState, CloudNotConnected
from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.const import CONF_CLIENT_SECRET, CONF_WEBHOOK_ID
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.dispatcher import async_dispatcher_send
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.api import JedlixClient
from custom_components.jedlix.const import (
    CONF_BASE_URL,
    CONF_CALLBACK,
    CONF_CALLBACK_URL,
    CONF_EVENT_TYPES,
    CONF_FIND_EVENT_TYPES,
    CONF_TOKEN_URL,
    CONF_WEBHOOK_KEY,
    DOCUMENTED_EVENT_TYPES,
    DOMAIN,
)
from custom_components.jedlix.push import event_types, registration
from custom_components.jedlix.push.health import PushState
from custom_components.jedlix.store import JedlixStore
from custom_components.jedlix.webhook import JedlixPush
from simulator.api.http import Problem
from simulator.app import Simulator
from simulator.messages import Subscription
from tests.conftest import StartSimulator
from tests.flows import Dialog
from tests.tools import WEBHOOK_ID, Clock, make_entry, set_up, state_of, until

# what the cloud sends when it connects or disconnects, and when a cloudhook was made or deleted
CONNECTION: Final = real_cloud.SIGNAL_CLOUD_CONNECTION_STATE
CLOUDHOOKS: Final = real_cloud._SIGNAL_CLOUDHOOKS_UPDATED


def push_of(entry: MockConfigEntry) -> JedlixPush:
    push: JedlixPush = entry.runtime_data.push
    return push


def shown(hass: HomeAssistant) -> list[str]:
    """Return the repairs that a user sees."""
    issues = ir.async_get(hass).issues.values()
    return [str(issue.translation_key) for issue in issues if issue.domain == DOMAIN]


def urls_at(sim: Simulator) -> set[str]:
    """Return the addresses that are registered and active."""
    return {item.url for item in sim.webhooks.subscriptions.values() if item.is_active}


def types_at(sim: Simulator) -> set[str]:
    """Return the event types that are registered."""
    return {item.event_type for item in sim.webhooks.subscriptions.values()}


def calls(sim: Simulator) -> list[str]:
    """Return the calls about subscriptions so far."""
    path = "/api/v1/webhooks/subscriptions"
    return [
        f"{request.method} {request.status}"
        for request in sim.requests
        if request.path.startswith(path)
    ]


def toggle(sim: Simulator) -> None:
    """Plug the car in, or out."""
    vehicle = sim.vehicle_ids[0]
    (sim.unplug if sim.vehicle(vehicle).plugged_in else sim.plug)(vehicle)


async def poll(
    hass: HomeAssistant, clock: Clock, entry: MockConfigEntry, minutes: float = 5, times: int = 1
) -> None:
    """Let the poll come round."""
    for _ in range(times):
        clock.go_on(timedelta(minutes=minutes))
        await entry.runtime_data.coordinator.async_refresh()
        await hass.async_block_till_done()


async def ends_healthy(hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry) -> None:
    """Wait until all is registered, then see a delivery come through."""
    await until(hass, lambda: push_of(entry).state in (PushState.WAITING, PushState.HEALTHY))
    received = push_of(entry).health.received
    toggle(sim)
    await until(hass, lambda: push_of(entry).health.received > received)
    assert state_of(hass, "_push_state") == "healthy"
    assert state_of(hass, "_push", "binary_sensor") == "on"
    assert shown(hass) == []


async def begin(
    hass: HomeAssistant, sim: Simulator, callback: str, url: str | None = None, **data: Any
) -> MockConfigEntry:
    """Set an entry up with this wish for a callback."""
    entry = make_entry(sim, url)
    entry.add_to_hass(hass)
    wish = {CONF_CALLBACK: callback, CONF_CALLBACK_URL: url}
    hass.config_entries.async_update_entry(entry, data={**entry.data, **wish, **data})
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


# -- Home Assistant Cloud ----------------------------------------------------------------------------------


class Cloud:
    """Home Assistant Cloud: its hooks are real addresses that pass on what is posted there."""

    def __init__(self, hass: HomeAssistant, home_url: str) -> None:
        """Begin subscribed and connected."""
        self._hass = hass
        self._home_url = home_url
        self.url = ""
        self.is_subscribed = self.is_connected = True
        self.hooks: dict[str, str] = {}
        self._made = 0

    async def relay(self, request: web.Request) -> web.Response:
        """Pass a request on to the webhook that the hook stands for, while Home Assistant is connected."""
        webhook_id = next(
            (id_ for id_, url in self.hooks.items() if url.endswith(request.path)), ""
        )
        if not self.is_connected or not webhook_id:
            return web.Response(status=503)
        headers = {"Authorization": request.headers["Authorization"]}
        url = f"{self._home_url}/api/webhook/{webhook_id}"
        async with (
            ClientSession() as session,
            session.post(url, data=await request.read(), headers=headers) as answer,
        ):
            return web.Response(status=answer.status, body=await answer.read())

    async def get_or_create(self, _hass: HomeAssistant, webhook_id: str) -> str:
        if not self.is_connected:
            raise CloudNotConnected
        if webhook_id not in self.hooks:
            self._made += 1
            self.hooks[webhook_id] = f"{self.url}/hook-{self._made}"
        return self.hooks[webhook_id]

    async def delete(self, _hass: HomeAssistant, webhook_id: str) -> None:
        del self.hooks[webhook_id]

    def connect(self) -> None:
        self.is_connected = True
        self._tell(CloudConnectionState.CLOUD_CONNECTED)

    def disconnect(self) -> None:
        self.is_connected = False
        self._tell(CloudConnectionState.CLOUD_DISCONNECTED)

    def sign_out(self) -> None:
        self.is_subscribed = False
        self.disconnect()

    def lose_hooks(self) -> None:
        """Delete the hooks, as a user can on the page of the cloud."""
        self.hooks.clear()
        async_dispatcher_send(self._hass, CLOUDHOOKS, {})

    def _tell(self, state: CloudConnectionState) -> None:
        async_dispatcher_send(self._hass, CONNECTION, state)


@pytest.fixture
async def cloud(
    hass: HomeAssistant, callback_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Cloud]:
    """Return a Home Assistant Cloud: the one thing that no test can have for real."""
    cloud = Cloud(hass, callback_url)
    app = web.Application()
    app.router.add_post("/{hook}", cloud.relay)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    cloud.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    hass.config.components.add("cloud")
    monkeypatch.setattr(real_cloud, "async_active_subscription", lambda _: cloud.is_subscribed)
    monkeypatch.setattr(real_cloud, "async_get_or_create_cloudhook", cloud.get_or_create)
    monkeypatch.setattr(real_cloud, "async_delete_cloudhook", cloud.delete)
    yield cloud
    await runner.cleanup()


@pytest.mark.parametrize("callback", ["auto", "cloud"])
async def test_a_cloud_that_connects_after_the_start_is_waited_for(
    hass: HomeAssistant, sim: Simulator, cloud: Cloud, clock: Clock, callback: str
) -> None:
    cloud.is_connected = False
    entry = await begin(hass, sim, callback)
    await until(hass, lambda: push_of(entry).registration.problem == "cloud_away")
    assert state_of(hass, "_push_state") == "connecting"
    await poll(hass, clock, entry, times=5)
    assert shown(hass) == []  # it is on its way, and a start takes as long as it takes
    assert urls_at(sim) == set()
    cloud.connect()
    await ends_healthy(hass, sim, entry)
    assert urls_at(sim) == {f"{cloud.url}/hook-1"}
    assert state_of(hass, "_callback") == "cloud"


async def test_a_cloud_that_stays_away_is_told_after_an_hour(
    hass: HomeAssistant, sim: Simulator, cloud: Cloud, clock: Clock
) -> None:
    cloud.is_connected = False
    entry = await begin(hass, sim, "cloud")
    await until(hass, lambda: push_of(entry).registration.problem == "cloud_away")
    await poll(hass, clock, entry, times=11)
    assert shown(hass) == []
    await poll(hass, clock, entry, times=2)
    assert shown(hass) == ["no_public_url"]
    cloud.connect()
    await ends_healthy(hass, sim, entry)


async def test_a_cloud_that_is_away_for_a_moment_moves_nothing(
    hass: HomeAssistant, sim: Simulator, cloud: Cloud, callback_url: str
) -> None:
    await hass.config.async_update(external_url=callback_url)
    entry = await begin(hass, sim, "auto")
    await ends_healthy(hass, sim, entry)
    registered = urls_at(sim)
    assert registered == {f"{cloud.url}/hook-1"}
    before = len(calls(sim))
    cloud.disconnect()
    await until(hass, lambda: push_of(entry).state is PushState.CONNECTING)
    assert state_of(hass, "_push", "binary_sensor") == "off"
    cloud.connect()
    await ends_healthy(hass, sim, entry)
    assert calls(sim)[before:] == ["GET 200"]
    assert urls_at(sim) == registered
    # and the same over a restart of Home Assistant, where the cloud comes last
    cloud.disconnect()
    await hass.config_entries.async_reload(entry.entry_id)
    await until(hass, lambda: push_of(entry).registration.problem == "cloud_away")
    assert urls_at(sim) == registered
    cloud.connect()
    await ends_healthy(hass, sim, entry)
    assert urls_at(sim) == registered


async def test_who_signs_out_is_reached_at_the_external_address(
    hass: HomeAssistant, sim: Simulator, cloud: Cloud, callback_url: str
) -> None:
    await hass.config.async_update(external_url=callback_url)
    entry = await begin(hass, sim, "auto")
    await until(hass, lambda: push_of(entry).state is PushState.WAITING)
    assert urls_at(sim) == {f"{cloud.url}/hook-1"}
    cloud.sign_out()
    await until(hass, lambda: urls_at(sim) == {f"{callback_url}/api/webhook/{WEBHOOK_ID}"})
    await ends_healthy(hass, sim, entry)
    assert state_of(hass, "_callback") == "external"
    assert types_at(sim) == set(entry.options[CONF_EVENT_TYPES])


@pytest.mark.parametrize("callback", ["auto", "cloud"])
async def test_who_signs_out_and_has_no_other_address_is_told(
    hass: HomeAssistant, sim: Simulator, cloud: Cloud, clock: Clock, callback: str
) -> None:
    entry = await begin(hass, sim, callback)
    await until(hass, lambda: push_of(entry).state is PushState.WAITING)
    cloud.sign_out()
    await until(hass, lambda: push_of(entry).state is PushState.FAILING)
    await poll(hass, clock, entry, times=2)
    assert shown(hass) == ["no_public_url"]
    cloud.is_subscribed = True
    cloud.connect()
    await ends_healthy(hass, sim, entry)


async def test_a_hook_that_was_deleted_is_made_anew(
    hass: HomeAssistant, sim: Simulator, cloud: Cloud
) -> None:
    entry = await begin(hass, sim, "auto")
    await until(hass, lambda: push_of(entry).state is PushState.WAITING)
    assert urls_at(sim) == {f"{cloud.url}/hook-1"}
    cloud.lose_hooks()
    await until(hass, lambda: urls_at(sim) == {f"{cloud.url}/hook-2"})
    await ends_healthy(hass, sim, entry)
    assert types_at(sim) == set(entry.options[CONF_EVENT_TYPES])


async def test_an_entry_that_is_gone_follows_nothing(
    hass: HomeAssistant, sim: Simulator, cloud: Cloud
) -> None:
    entry = await begin(hass, sim, "auto")
    await until(hass, lambda: push_of(entry).state is PushState.WAITING)
    await hass.config_entries.async_unload(entry.entry_id)
    before = len(calls(sim))
    cloud.disconnect()
    cloud.connect()
    cloud.lose_hooks()
    await hass.config.async_update(external_url="https://ha.example")
    await hass.async_block_till_done()
    assert len(calls(sim)) == before


# -- Jedlix ------------------------------------------------------------------------------------------------


def reauths(hass: HomeAssistant) -> int:
    """Return how many dialogs ask for new credentials."""
    flows = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    return sum(flow["context"]["source"] == SOURCE_REAUTH for flow in flows)


async def test_credentials_that_were_revoked_are_asked_for_and_not_tried_for_ever(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    sim: Simulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registration, "MIN_RETRY_INTERVAL", 0.001)
    client: JedlixClient = entry.runtime_data.client
    monkeypatch.setitem(client._auth._form, "client_secret", "revoked")
    sim.strike({"token_expiry": True})
    push_of(entry).resubscribe()
    await until(hass, lambda: reauths(hass) == 1)
    tries = len(sim.requests)
    assert state_of(hass, "_push_state") == "connecting"
    with pytest.raises(TimeoutError):
        await until(hass, lambda: len(sim.requests) > tries, seconds=0.2)
    assert shown(hass) == []
    (flow,) = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    await hass.config_entries.flow.async_configure(
        flow["flow_id"], {CONF_CLIENT_SECRET: "secret", "api_key": "key"}
    )
    await hass.async_block_till_done()
    await ends_healthy(hass, sim, entry)
    assert reauths(hass) == 0


async def test_a_401_for_webhooks_alone_is_a_refusal_and_no_question_for_credentials(
    hass: HomeAssistant, sim: Simulator, callback_url: str, clock: Clock
) -> None:
    sim.strike({"subscription_status": 401})
    entry = await begin(hass, sim, "custom", callback_url)
    await until(hass, lambda: push_of(entry).registration.problem == "rejected")
    await poll(hass, clock, entry, times=2)
    assert shown(hass) == ["subscription_rejected"]
    assert reauths(hass) == 0
    sim.faults.clear()
    push_of(entry).registration.check_now()
    await ends_healthy(hass, sim, entry)


async def test_names_that_cannot_be_resolved_at_the_start(
    hass: HomeAssistant, sim: Simulator, callback_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults: Any = JedlixClient.__init__.__kwdefaults__
    monkeypatch.setitem(defaults, "back_off", ())
    url = sim.url.replace("127.0.0.1", "jedlix.example")
    entry = await begin(
        hass,
        sim,
        "custom",
        callback_url,
        **{CONF_BASE_URL: url, CONF_TOKEN_URL: f"{url}/oauth/token"},
    )
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert shown(hass) == []
    hass.config_entries.async_update_entry(
        entry,
        data={**entry.data, CONF_BASE_URL: sim.url, CONF_TOKEN_URL: f"{sim.url}/oauth/token"},
    )
    await hass.config_entries.async_reload(entry.entry_id)
    await ends_healthy(hass, sim, entry)


async def test_jedlix_that_goes_away_between_the_first_look_and_the_registration(
    hass: HomeAssistant, sim: Simulator, callback_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registration, "MIN_RETRY_INTERVAL", 0.01)
    sim.strike({"subscription_status": 503})
    entry = await begin(hass, sim, "custom", callback_url)
    await until(hass, lambda: calls(sim).count("POST 503") > 3)
    assert entry.state is ConfigEntryState.LOADED
    assert state_of(hass, "_push_state") == "connecting"
    sim.faults.clear()
    await ends_healthy(hass, sim, entry)


@pytest.mark.parametrize("fault", ["subscriptions_gone", "subscriptions_inactive"])
async def test_what_was_deleted_or_switched_off_at_jedlix_is_noticed_by_its_silence(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator, clock: Clock, fault: str
) -> None:
    toggle(sim)
    await until(hass, lambda: push_of(entry).health.reports_changes)
    sim.strike({fault: True})
    assert urls_at(sim) == set()
    await poll(hass, clock, entry, times=4)
    toggle(sim)
    await poll(hass, clock, entry, times=5)
    await until(hass, lambda: len(urls_at(sim)) == 1)
    assert push_of(entry).health.missed_by_push == 1
    assert state_of(hass, "_missed_by_push") == "1"
    await ends_healthy(hass, sim, entry)
    assert types_at(sim) == set(entry.options[CONF_EVENT_TYPES])
    assert len(sim.webhooks.subscriptions) == len(entry.options[CONF_EVENT_TYPES])


@pytest.mark.parametrize("minutes", [-20, 20])
async def test_a_clock_that_is_wrong_by_minutes(
    hass: HomeAssistant, sim: Simulator, callback_url: str, minutes: int
) -> None:
    sim.strike({"clock_skew_seconds": 60.0 * minutes})
    entry = await begin(hass, sim, "custom", callback_url)
    await ends_healthy(hass, sim, entry)
    assert (push_of(entry).health.last_delay or 0) >= 0


async def test_a_second_home_at_the_same_tenant(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator, callback_url: str
) -> None:
    other = make_entry(sim, callback_url, users=sim.user_ids)
    other.add_to_hass(hass)
    hass.config_entries.async_update_entry(
        other,
        unique_id="another home",
        data={**other.data, CONF_WEBHOOK_ID: "its-own-id", CONF_WEBHOOK_KEY: "its-own-key"},
    )
    first = dict(sim.webhooks.subscriptions)
    await hass.config_entries.async_setup(other.entry_id)
    await until(hass, lambda: push_of(other).state is PushState.WAITING)
    toggle(sim)
    pushes = [push_of(home) for home in (entry, other)]
    await until(hass, lambda: all(push.state is PushState.HEALTHY for push in pushes))
    for push in pushes:
        push.resubscribe()
    await until(hass, lambda: calls(sim).count("PUT 200") == 2 * len(first))
    assert {key: sim.webhooks.subscriptions[key] for key in first} == first
    assert len(sim.webhooks.subscriptions) == 2 * len(first)
    await hass.config_entries.async_remove(other.entry_id)
    assert sim.webhooks.subscriptions == first
    toggle(sim)
    await until(hass, lambda: push_of(entry).health.rejected == 0)
    assert push_of(entry).state is PushState.HEALTHY


async def test_a_type_that_is_refused_for_a_moment_does_not_wait_for_a_day(
    hass: HomeAssistant,
    sim: Simulator,
    callback_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registration, "MIN_RETRY_INTERVAL", 0.01)
    wanted = [*DOCUMENTED_EVENT_TYPES, "newSoon"]
    entry = make_entry(sim, callback_url, options={CONF_EVENT_TYPES: wanted})
    await set_up(hass, entry)
    await until(hass, lambda: calls(sim).count("POST 400") == 2)
    assert push_of(entry).state is PushState.WAITING
    assert push_of(entry).registration.problem is None
    sim.webhooks.event_types["soon"] = "newSoon"
    await until(hass, lambda: types_at(sim) == set(wanted))
    assert calls(sim).count("POST 201") == 3


async def test_a_type_that_is_never_offered_is_left_alone_until_tomorrow(
    hass: HomeAssistant,
    sim: Simulator,
    callback_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registration, "MIN_RETRY_INTERVAL", 0.001)
    monkeypatch.setattr(registration, "MAX_RETRY_INTERVAL", 0.008)
    entry = make_entry(sim, callback_url, options={CONF_EVENT_TYPES: ["userCreated", "noSuch"]})
    await set_up(hass, entry)
    await until(hass, lambda: calls(sim).count("POST 400") == 4)
    with pytest.raises(TimeoutError):
        await until(hass, lambda: calls(sim).count("POST 400") > 4, seconds=0.2)
    assert push_of(entry).state is PushState.WAITING


# -- a tenant with one slot for each type ------------------------------------------------------------------


@pytest.fixture
def one_slot(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the simulator have one subscription for each type, like some tenants (assumed)."""
    create = sim.webhooks.create

    def create_unless_taken(event_type: str, *args: Any, **more: Any) -> Subscription:
        if event_type in types_at(sim):
            raise Problem(409, "There is a subscription for this event type.")
        return create(event_type, *args, **more)

    monkeypatch.setattr(sim.webhooks, "create", create_unless_taken)


@pytest.mark.usefixtures("one_slot")
async def test_a_slot_that_our_own_subscription_has_is_not_taken(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    sim.strike({"absent": ["update_subscription"]})
    first = set(sim.webhooks.subscriptions)
    push_of(entry).resubscribe()
    await until(hass, lambda: not set(sim.webhooks.subscriptions) & first)
    await until(hass, lambda: types_at(sim) == set(entry.options[CONF_EVENT_TYPES]))
    await ends_healthy(hass, sim, entry)


async def to_new_callback(hass: HomeAssistant, entry: MockConfigEntry) -> Dialog:
    """Open "Reconfigure" and go to push, with everything before as it is."""
    dialog = await Dialog.reconfigure(hass, entry)
    await dialog.submit(client_secret="secret", api_key="key")
    await dialog.submit()
    assert dialog.step == "webhook", dialog.result
    return dialog


@pytest.mark.usefixtures("one_slot")
@pytest.mark.parametrize("absent", [[], ["subscriptions"]], ids=["with a list", "without"])
async def test_reconfiguring_takes_the_slot_of_the_entry_itself(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, absent: list[str]
) -> None:
    sim.strike({"absent": absent})
    dialog = await to_new_callback(hass, entry)
    await dialog.submit()
    assert dialog.reason == "reconfigure_successful"
    await hass.async_block_till_done()
    await ends_healthy(hass, sim, entry)
    assert urls_at(sim) == {f"{entry.data[CONF_CALLBACK_URL]}/api/webhook/{webhook_id(entry)}"}
    assert webhook_id(entry) != WEBHOOK_ID
    assert types_at(sim) == set(entry.options[CONF_EVENT_TYPES])


@pytest.mark.usefixtures("one_slot")
async def test_a_reconfiguration_that_is_given_up_gives_the_slot_back(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    before = urls_at(sim)
    dialog = await to_new_callback(hass, entry)
    await dialog.submit(callback_url="http://127.0.0.1:9")
    assert dialog.errors == {"base": "not_reachable"}
    assert urls_at(sim) == before
    # now with a good address, and closed once that has taken the place of the old one
    await dialog.send(callback_url=entry.data[CONF_CALLBACK_URL])
    await until(hass, lambda: bool(urls_at(sim) - before))
    await dialog.close()
    await until(hass, lambda: types_at(sim) == set(entry.options[CONF_EVENT_TYPES]))
    await ends_healthy(hass, sim, entry)
    assert urls_at(sim) == before


@pytest.mark.usefixtures("one_slot")
async def test_a_slot_that_somebody_else_has_is_told_and_left_alone(
    hass: HomeAssistant, sim: Simulator, callback_url: str, clock: Clock
) -> None:
    theirs = sim.webhooks.create("userCreated", sim.url, "their-key", is_active=True)
    entry = make_entry(sim, callback_url, options={CONF_EVENT_TYPES: ["userCreated"]})
    await set_up(hass, entry)
    await until(hass, lambda: push_of(entry).registration.problem == "slot_taken")
    await poll(hass, clock, entry, times=2)
    assert shown(hass) == ["slot_taken"]
    assert list(sim.webhooks.subscriptions.values()) == [theirs]
    sim.webhooks.delete(theirs)
    push_of(entry).registration.check_now()
    await until(hass, lambda: push_of(entry).state is PushState.WAITING)
    assert shown(hass) == []


def webhook_id(entry: MockConfigEntry) -> str:
    """Return the webhook id that the entry has now."""
    id_: str = entry.data[CONF_WEBHOOK_ID]
    return id_


# -- finding event types -----------------------------------------------------------------------------------


def tries_of(sim: Simulator) -> int:
    """Return how many registrations were asked for."""
    return sum(call.startswith("POST") for call in calls(sim))


async def test_types_are_found_once_and_kept(
    hass: HomeAssistant, start_simulator: StartSimulator, callback_url: str
) -> None:
    sim = await start_simulator(
        session_events={"session_started": "sessionStarted", "session_ended": "sessionEnded"}
    )
    options = {CONF_EVENT_TYPES: [*DOCUMENTED_EVENT_TYPES], CONF_FIND_EVENT_TYPES: True}
    entry = make_entry(sim, callback_url, options=options)
    await set_up(hass, entry)
    found = {*DOCUMENTED_EVENT_TYPES, "sessionStarted", "sessionEnded"}
    await until(
        hass,
        lambda: len(entry.runtime_data.store.push.tried_event_types) == len(event_types.CANDIDATES),
    )
    assert types_at(sim) == found
    assert push_of(entry).state is PushState.WAITING
    asked = tries_of(sim)
    assert asked == len(DOCUMENTED_EVENT_TYPES) + len(event_types.CANDIDATES)
    # what was found is an event type of the event entity, also before a restart
    toggle(sim)
    await until(hass, lambda: push_of(entry).state is PushState.HEALTHY)
    assert last_event_type(hass) == "sessionStarted"
    # neither a restart nor another look asks again
    await hass.config_entries.async_reload(entry.entry_id)
    await until(hass, lambda: push_of(entry).state is PushState.WAITING)
    push_of(entry).registration.check_now()
    await until(hass, lambda: calls(sim)[-2:] == ["GET 200", "GET 200"])
    assert tries_of(sim) == asked
    assert types_at(sim) == found
    again = JedlixStore(hass, entry.entry_id)
    await again.load()
    assert again.push.tried_event_types == entry.runtime_data.store.push.tried_event_types
    # turning it off takes back what was found, and keeps in mind what was refused
    hass.config_entries.async_update_entry(
        entry, options={**entry.options, CONF_FIND_EVENT_TYPES: False}
    )
    await hass.async_block_till_done()
    await until(hass, lambda: types_at(sim) == set(DOCUMENTED_EVENT_TYPES))
    refused = len(event_types.CANDIDATES) - 2
    assert entry.runtime_data.store.push.tried_event_types == dict.fromkeys(
        [name for name in event_types.CANDIDATES if name not in found], False
    )
    assert len(entry.runtime_data.store.push.tried_event_types) == refused
    hass.config_entries.async_update_entry(
        entry, options={**entry.options, CONF_FIND_EVENT_TYPES: True}
    )
    await until(hass, lambda: types_at(sim) == found)
    assert tries_of(sim) == asked + 2


def last_event_type(hass: HomeAssistant) -> str:
    """Return what the account's event entity was last written with."""
    (state,) = (it for it in hass.states.async_all("event") if "webhook_type" in it.attributes)
    event_type: str = state.attributes["event_type"]
    assert event_type in state.attributes["event_types"]
    return event_type


async def test_nothing_is_judged_while_nothing_can_be_registered(
    hass: HomeAssistant, sim: Simulator, callback_url: str
) -> None:
    sim.strike({"subscription_status": 422})
    options = {CONF_FIND_EVENT_TYPES: True}
    entry = make_entry(sim, callback_url, options=options)
    await set_up(hass, entry)
    await until(hass, lambda: push_of(entry).registration.problem == "rejected")
    assert tries_of(sim) == len(entry.options[CONF_EVENT_TYPES])
    assert entry.runtime_data.store.push.tried_event_types == {}


async def test_by_default_nobody_guesses(entry: MockConfigEntry, sim: Simulator) -> None:
    assert tries_of(sim) == len(entry.options[CONF_EVENT_TYPES])
