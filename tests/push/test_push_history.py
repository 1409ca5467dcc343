"""What was missed while nobody was listening is told once, late and in order."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
import gc
import logging
import time
from typing import cast

from homeassistant.components.webhook import DOMAIN as WEBHOOK
from homeassistant.config_entries import ConfigEntryDisabler, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.api import ConnectionFailed, JedlixClient, WebhookMessage
from custom_components.jedlix.publisher import Publisher, Source
from custom_components.jedlix.push.history import WebhookHistory
from custom_components.jedlix.api.offered import OfferedCalls
from custom_components.jedlix.store import JedlixStore
from simulator.app import Simulator
from tests.commanding import poll
from tests.conftest import StartSimulator
from tests.tools import WEBHOOK_ID, make_entry, record_events, set_up, state_of, until


@pytest.fixture
async def quiet(hass: HomeAssistant, sim: Simulator, home: object) -> MockConfigEntry:
    """Return an entry without push: only the poll finds out."""
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    return entry


# -- the webhook history -----------------------------------------------------------------------------------


async def down(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Let Home Assistant be away: it answers 200 to whatever is delivered, and hears nothing."""
    await hass.config_entries.async_unload(entry.entry_id)


async def up(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Let it be back."""
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()


def deliver(sim: Simulator, event_type: str, minutes_ago: float, **payload: object) -> str:
    """Let Jedlix deliver something of its own time; returns its id."""
    at = sim.now() - timedelta(minutes=minutes_ago)
    event = sim.webhooks.publish(event_type, sim.user_ids[0], at, payload)
    return str(event.message["id"])


async def test_deliveries_that_came_while_we_were_away_are_told_late_once_and_in_order(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    recorded = record_events(hass)
    known = deliver(sim, "userCreated", 3)
    await until(hass, lambda: recorded.webhooks)
    await down(hass, entry)
    second = deliver(sim, "vehicleConnectionReadyToContinue", 1, vehicleId=sim.vehicle_ids[0])
    first = deliver(sim, "simVehicleStateChanged", 2)
    await sim.delivered()
    await up(hass, entry)
    assert [told["event_id"] for told in recorded.webhooks] == [known, first, second]
    assert [(told["source"], told["late"]) for told in recorded.webhooks[1:]] == [
        ("history", True)
    ] * 2
    change = recorded.changes[-1]
    assert (change["type"], change["source"]) == ("vehicle_ready_to_continue", "history")
    assert change["late"]
    assert state_of(hass, "_webhook", "event") != "unknown"  # of the first one, which was not late
    for _ in range(2):
        await hass.config_entries.async_reload(entry.entry_id)
        await hass.async_block_till_done()
    assert len(recorded.webhooks) == 3


async def test_what_the_history_names_is_looked_at_and_nothing_old_wins(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    vehicle = sim.vehicle_ids[0]
    await down(hass, entry)
    sim.plug(vehicle)
    sim.unplug(vehicle)
    await sim.delivered()
    recorded = record_events(hass)
    await up(hass, entry)
    assert recorded.types == ["session_started", "session_ended"]
    assert {(told["source"], told["late"]) for told in recorded.changes} == {("history", True)}
    assert state_of(hass, f"{vehicle}_charge_state") == "disconnected"
    assert state_of(hass, f"{vehicle}_session", "sensor") == "none"


async def test_a_tenant_without_history_gets_its_sessions_all_the_same_and_one_line_in_the_log(
    hass: HomeAssistant,
    sim: Simulator,
    entry: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    sim.strike({"absent": ["webhook_history", "subscriptions", "unsubscribe"]})
    await down(hass, entry)
    sim.plug(sim.vehicle_ids[0])
    sim.unplug(sim.vehicle_ids[0])
    await sim.delivered()
    recorded = record_events(hass)
    await up(hass, entry)
    assert recorded.types == ["session_started", "session_ended"]
    assert {(told["source"], told["late"]) for told in recorded.changes} == {("poll", True)}
    assert not recorded.webhooks
    await poll(hass, entry)
    assert caplog.text.count("does not offer webhook_history") == 1


async def test_a_history_that_cannot_be_read_now_is_read_at_the_next_poll_even_after_a_restart(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    await down(hass, entry)
    missed = deliver(sim, "userCreated", 1)
    await sim.delivered()
    recorded = record_events(hass)

    async def away(*_: object) -> AsyncIterator[tuple[WebhookMessage, ...]]:
        raise ConnectionFailed("away")
        yield ()

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(JedlixClient, "webhook_history_pages", away)
        await up(hass, entry)
        await poll(hass, entry)
        await down(hass, entry)
        await up(hass, entry)
    assert not recorded.webhooks
    await poll(hass, entry)
    assert [told["event_id"] for told in recorded.webhooks] == [missed]
    await poll(hass, entry)
    assert len(recorded.webhooks) == 1


async def test_after_an_outage_of_jedlix_the_history_is_read_too(
    hass: HomeAssistant, sim: Simulator, quiet: MockConfigEntry
) -> None:
    sim.strike({"forbidden": ["sessions", "vehicles", "user_sessions"]})
    await poll(hass, quiet)
    missed = deliver(sim, "userCreated", 0)
    recorded = record_events(hass)
    sim.strike({"forbidden": []})
    await poll(hass, quiet)
    assert [told["event_id"] for told in recorded.webhooks] == [missed]


async def test_the_action_finds_what_never_came(
    hass: HomeAssistant, start_simulator: StartSimulator, callback_url: str
) -> None:
    sim = await start_simulator(users=7, history_days=0)
    entry = make_entry(sim, callback_url)
    await set_up(hass, entry)
    await until(hass, lambda: entry.runtime_data.push.state not in ("off", "connecting"))
    for vehicle in sim.vehicle_ids[:6]:
        sim.plug(vehicle)
    await sim.delivered()
    await poll(hass, entry)
    recorded, began = record_events(hass), dt_util.utcnow()
    sim.strike({"drop": 1.0})
    sim.unplug(sim.vehicle_ids[0])
    before = len(sim.requests)
    await entry.runtime_data.coordinator.catch_up(began - timedelta(minutes=5))
    await hass.async_block_till_done()
    assert recorded.types == ["session_ended", "unplugged"]
    assert {(told["source"], told["late"]) for told in recorded.changes} == {("history", True)}
    assert {told["vehicle_id"] for told in recorded.changes} == {sim.vehicle_ids[0]}
    asked = " ".join(request.path for request in list(sim.requests)[before:])
    assert [user_id for user_id in sim.user_ids if user_id in asked] == [sim.user_ids[0]]


async def test_ten_thousand_missed_deliveries_keep_nobody_waiting(hass: HomeAssistant) -> None:
    """The work between two turns of everybody else, in the time of this thread alone."""
    now = dt_util.utcnow()
    messages = [
        WebhookMessage.from_json(
            {
                "eventType": "simSessionStarted",
                "id": f"e-{number}",
                "timestamp": (now - timedelta(seconds=number)).isoformat(),
                "userId": "u",
                "vehicleId": "v",
            }
        )
        for number in range(10_000)
    ]

    class Client:
        async def webhook_history_pages(
            self, *_: object
        ) -> AsyncIterator[tuple[WebhookMessage, ...]]:
            for start in range(0, len(messages), 100):
                await asyncio.sleep(0)
                yield tuple(messages[start : start + 100])

    recorded = record_events(hass)
    announcer = Publisher(hass, "an entry")

    def tell(message: WebhookMessage) -> tuple[str, ...]:
        announcer.publish_delivery(message, Source.HISTORY, followed=True, late=True)
        return ("u",)

    client = cast("JedlixClient", Client())
    store = JedlixStore(hass, "an entry")
    catch_up = WebhookHistory(client, OfferedCalls(), store.push, tell)
    longest = 0.0
    gc.freeze()  # what lies about from other tests is not swept now
    done = asyncio.create_task(catch_up.publish_since(now - timedelta(days=1), now))
    while not done.done():
        began = time.thread_time()
        await asyncio.sleep(0)
        longest = max(longest, time.thread_time() - began)
    assert await done == {"u"}
    assert longest < 0.02
    assert [told["event_id"] for told in recorded.webhooks] == [f"e-{n}" for n in range(10_000)][
        ::-1
    ]
    assert len(store.push.inbox) == 10_000
    await store.close()


# -- a set-up that fails -----------------------------------------------------------------------------------


async def test_while_set_up_is_tried_again_jedlix_is_asked_to_come_back(
    hass: HomeAssistant, start_simulator: StartSimulator, callback_url: str
) -> None:
    sim = await start_simulator(retries=(0.3,) * 9)
    sim.strike({"absent": ["webhook_history"]})  # it would tell before the next try
    entry = make_entry(sim, callback_url)
    await set_up(hass, entry)
    await until(hass, lambda: entry.runtime_data.push.state not in ("off", "connecting"))
    sim.strike({"forbidden": ["vehicles"]})
    await hass.config_entries.async_reload(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    sim.plug(sim.vehicle_ids[0])
    await sim.delivered()
    statuses = {each.status for each in sim.webhooks.deliveries[-1].attempts}
    assert statuses == {503}
    sim.strike({"forbidden": []})
    recorded = record_events(hass)
    await hass.config_entries.async_reload(entry.entry_id)
    await until(hass, lambda: any(told["source"] == "webhook" for told in recorded.webhooks))
    assert recorded.types.count("session_started") == 1


async def test_while_new_credentials_are_awaited_jedlix_is_asked_to_come_back(
    hass: HomeAssistant, start_simulator: StartSimulator, callback_url: str
) -> None:
    sim = await start_simulator(retries=())
    entry = make_entry(sim, callback_url)
    await set_up(hass, entry)
    await until(hass, lambda: entry.runtime_data.push.state not in ("off", "connecting"))
    sim.settings = replace(sim.settings, client_secret="another")
    sim.strike({"token_expiry": True})
    await hass.config_entries.async_reload(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_ERROR
    deliver(sim, "userCreated", 1)
    await sim.delivered()
    assert {each.status for each in sim.webhooks.deliveries[-1].attempts} == {503}


async def test_an_account_that_is_disabled_while_set_up_is_tried_again_shuts_its_door(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    sim.strike({"forbidden": ["vehicles"]})
    for _ in range(2):
        await hass.config_entries.async_reload(entry.entry_id)
        assert entry.state is ConfigEntryState.SETUP_RETRY
        assert WEBHOOK_ID in hass.data[WEBHOOK]
    await hass.config_entries.async_set_disabled_by(entry.entry_id, ConfigEntryDisabler.USER)
    assert WEBHOOK_ID not in hass.data[WEBHOOK]
    sim.strike({"forbidden": []})
    await hass.config_entries.async_set_disabled_by(entry.entry_id, None)
    assert entry.state is ConfigEntryState.LOADED
    assert WEBHOOK_ID in hass.data[WEBHOOK]


async def test_what_a_set_up_told_before_it_failed_is_not_told_again(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    await down(hass, entry)
    deliver(sim, "userCreated", 1)
    await sim.delivered()
    recorded = record_events(hass)
    sim.strike({"forbidden": ["vehicles"]})
    await up(hass, entry)
    assert len(recorded.webhooks) == 1
    await hass.config_entries.async_reload(entry.entry_id)
    sim.strike({"forbidden": []})
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED
    assert len(recorded.webhooks) == 1
