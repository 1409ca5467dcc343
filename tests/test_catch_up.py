"""The coordinator in the field: rings, polls, restarts, outages, cars that come and go."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
import logging
import time
from typing import cast

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.jedlix.announcer import Announcer, Source
from custom_components.jedlix.api import ConnectionFailed, JedlixClient, WebhookMessage
from custom_components.jedlix.catch_up import CatchUp
from custom_components.jedlix.const import DOMAIN
from custom_components.jedlix.fetching import Truth
from custom_components.jedlix.memory import Memory
from simulator.app import Simulator
from tests.conftest import StartSimulator
from tests.tools import Ears, listen, make_entry, set_up, state_of, until


async def poll(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Have the next poll now."""
    await entry.runtime_data.coordinator.async_refresh()
    await hass.async_block_till_done()


@pytest.fixture
async def quiet(hass: HomeAssistant, sim: Simulator, home: object) -> MockConfigEntry:
    """Return an entry without push: only the poll finds out."""
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    return entry


async def test_the_poll_finds_what_no_webhook_told(
    hass: HomeAssistant, sim: Simulator, quiet: MockConfigEntry
) -> None:
    ears = listen(hass)
    sim.plug(sim.vehicle_ids[0])
    await poll(hass, quiet)
    assert ears.types == ["plugged_in", "session_started", "charging_started"]
    assert {(told["source"], told["late"]) for told in ears.changes} == {("poll", False)}
    await poll(hass, quiet)
    assert len(ears.changes) == 3


async def test_the_poll_comes_by_itself(
    hass: HomeAssistant, sim: Simulator, quiet: MockConfigEntry
) -> None:
    ears = listen(hass)
    sim.plug(sim.vehicle_ids[0])
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=5, seconds=2))
    await until(hass, lambda: "session_started" in ears.types)


async def test_an_idle_poll_of_one_car_costs_three_calls(
    hass: HomeAssistant, sim: Simulator, quiet: MockConfigEntry
) -> None:
    before = len(sim.requests)
    await poll(hass, quiet)
    assert len(sim.requests) - before == 3


async def test_a_hundred_rings_in_a_second_cost_four_calls(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    before = len(sim.requests)
    message = {"eventType": "userCreated", "id": "again", "userId": sim.user_ids[0]}
    for _ in range(100):
        entry.runtime_data.coordinator.ring(WebhookMessage.from_json(message))
    await asyncio.sleep(1.5)
    await until(hass, lambda: len(sim.requests) - before >= 2)
    assert len(sim.requests) - before <= 4


async def test_a_ring_is_answered_once_the_api_is_back(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.jedlix.rings._PAUSE", 0.05)
    ears = listen(hass)
    sim.strike({"forbidden": ["vehicles"]})
    sim.plug(sim.vehicle_ids[0])
    await until(hass, lambda: ears.webhooks)
    await asyncio.sleep(0.1)
    assert not ears.changes
    sim.strike({"forbidden": []})
    await until(hass, lambda: "session_started" in ears.types)
    assert not any(told["late"] for told in ears.changes)


async def test_what_happened_while_we_were_away_is_told_late_once_and_in_order(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    vehicle = sim.vehicle_ids[0]
    await hass.config_entries.async_unload(entry.entry_id)
    sim.plug(vehicle)
    sim.unplug(vehicle)
    sim.plug(vehicle)
    ears = listen(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    sessions = [kind for kind in ears.types if kind.startswith("session_")]
    assert sessions == ["session_started", "session_ended", "session_started"]
    assert "plugged_in" in ears.types
    assert all(told["late"] for told in ears.changes)
    assert [told["occurred_at"] for told in ears.changes] == sorted(
        told["occurred_at"] for told in ears.changes
    )
    assert state_of(hass, f"{vehicle}_session", "event") == "unknown"
    assert state_of(hass, f"{vehicle}_session", "sensor") == "smart"
    count = len(ears.changes)
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert len(ears.changes) == count


async def test_an_outage_makes_states_unavailable_and_events_not(
    hass: HomeAssistant, sim: Simulator, quiet: MockConfigEntry
) -> None:
    ears, vehicle = listen(hass), sim.vehicle_ids[0]
    sim.strike({"forbidden": ["sessions", "vehicles", "user_sessions"]})
    await poll(hass, quiet)
    assert state_of(hass, f"{vehicle}_charge_state") == "unavailable"
    assert state_of(hass, f"{vehicle}_charging", "event") == "unknown"
    sim.plug(vehicle)
    sim.strike({"forbidden": []})
    await poll(hass, quiet)
    assert state_of(hass, f"{vehicle}_charge_state") == "charging"
    assert ears.types == ["plugged_in", "session_started", "charging_started"]
    assert all(told["late"] for told in ears.changes)


async def test_revoked_credentials_ask_for_new_ones(
    hass: HomeAssistant, sim: Simulator, quiet: MockConfigEntry
) -> None:
    sim.settings = replace(sim.settings, client_secret="another")
    sim.strike({"token_expiry": True})
    await poll(hass, quiet)
    flows = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert [flow["context"]["source"] for flow in flows] == [SOURCE_REAUTH]


async def test_a_cloud_that_is_away_at_the_start_is_tried_again(
    hass: HomeAssistant, sim: Simulator, home: object
) -> None:
    sim.strike({"forbidden": ["vehicles"]})
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    assert entry.state is ConfigEntryState.SETUP_RETRY


async def test_a_car_that_goes_takes_its_device_along_and_says_so_before(
    hass: HomeAssistant, sim: Simulator, quiet: MockConfigEntry
) -> None:
    ears, vehicle = listen(hass), sim.vehicle_ids[0]
    sim.remove(vehicle)
    await poll(hass, quiet)
    assert ears.types == ["vehicle_removed"]
    assert ears.changes[0]["device_id"] is not None
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), quiet.entry_id)
    assert not any(vehicle in str(device.identifiers) for device in devices)


async def test_a_user_who_is_gone_while_we_are_away_leaves_no_device(
    hass: HomeAssistant, sim: Simulator, quiet: MockConfigEntry
) -> None:
    vehicle = sim.vehicle_ids[0]
    await hass.config_entries.async_unload(quiet.entry_id)
    sim.remove(vehicle)
    await hass.config_entries.async_setup(quiet.entry_id)
    await hass.async_block_till_done()
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), quiet.entry_id)
    assert not any(vehicle in str(device.identifiers) for device in devices)


@pytest.mark.parametrize("mode", ["strict", "noisy"])
async def test_sessions_are_told_in_every_mode(
    hass: HomeAssistant, start_simulator: StartSimulator, callback_url: str, mode: str
) -> None:
    sim = await start_simulator(mode=mode, users=2)
    entry = make_entry(sim, callback_url)
    await set_up(hass, entry)
    await until(hass, lambda: entry.runtime_data.push.state not in ("off", "connecting"))
    ears: Ears = listen(hass)
    for vehicle in sim.vehicle_ids:
        sim.plug(vehicle)
    await until(hass, lambda: ears.types.count("session_started") == 2)
    for vehicle in sim.vehicle_ids:
        sim.unplug(vehicle)
    await until(hass, lambda: ears.types.count("session_ended") == 2)
    await poll(hass, entry)
    assert ears.types.count("session_started") == ears.types.count("session_ended") == 2
    assert {told["is_managed"] for told in ears.changes if told["type"] == "session_started"} == {
        True,
        False,
    }


async def test_a_fleet_polls_in_turns_and_a_delivery_without_a_name_brings_the_poll_forward(
    hass: HomeAssistant, start_simulator: StartSimulator, callback_url: str
) -> None:
    sim = await start_simulator(users=7, history_days=0)
    entry = make_entry(sim, callback_url)
    await set_up(hass, entry)
    await until(hass, lambda: entry.runtime_data.push.state not in ("off", "connecting"))
    before = len(sim.requests)
    await poll(hass, entry)
    assert len(sim.requests) - before == 7
    before = len(sim.requests)
    message = {"eventType": "userCreated", "id": "nameless", "vehicleId": "nobody's"}
    entry.runtime_data.coordinator.ring(WebhookMessage.from_json(message))
    await until(hass, lambda: len(sim.requests) - before == 7)


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
    ears = listen(hass)
    known = deliver(sim, "userCreated", 3)
    await until(hass, lambda: ears.webhooks)
    await down(hass, entry)
    second = deliver(sim, "vehicleConnectionReadyToContinue", 1, vehicleId=sim.vehicle_ids[0])
    first = deliver(sim, "simVehicleStateChanged", 2)
    await sim.delivered()
    await up(hass, entry)
    assert [told["event_id"] for told in ears.webhooks] == [known, first, second]
    assert [(told["source"], told["late"]) for told in ears.webhooks[1:]] == [("history", True)] * 2
    change = ears.changes[-1]
    assert (change["type"], change["source"]) == ("vehicle_ready_to_continue", "history")
    assert change["late"]
    assert state_of(hass, "_webhook", "event") != "unknown"  # of the first one, which was not late
    for _ in range(2):
        await hass.config_entries.async_reload(entry.entry_id)
        await hass.async_block_till_done()
    assert len(ears.webhooks) == 3


async def test_what_the_history_names_is_looked_at_and_nothing_old_wins(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    vehicle = sim.vehicle_ids[0]
    await down(hass, entry)
    sim.plug(vehicle)
    sim.unplug(vehicle)
    await sim.delivered()
    ears = listen(hass)
    await up(hass, entry)
    assert ears.types == ["session_started", "session_ended"]
    assert {(told["source"], told["late"]) for told in ears.changes} == {("history", True)}
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
    ears = listen(hass)
    await up(hass, entry)
    assert ears.types == ["session_started", "session_ended"]
    assert {(told["source"], told["late"]) for told in ears.changes} == {("poll", True)}
    assert not ears.webhooks
    await poll(hass, entry)
    assert caplog.text.count("does not offer webhook_history") == 1


async def test_a_history_that_cannot_be_read_now_is_read_at_the_next_poll_even_after_a_restart(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    await down(hass, entry)
    missed = deliver(sim, "userCreated", 1)
    await sim.delivered()
    ears = listen(hass)

    async def away(*_: object) -> AsyncIterator[tuple[WebhookMessage, ...]]:
        raise ConnectionFailed("away")
        yield ()

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(JedlixClient, "webhook_history_pages", away)
        await up(hass, entry)
        await poll(hass, entry)
        await down(hass, entry)
        await up(hass, entry)
    assert not ears.webhooks
    await poll(hass, entry)
    assert [told["event_id"] for told in ears.webhooks] == [missed]
    await poll(hass, entry)
    assert len(ears.webhooks) == 1


async def test_after_an_outage_of_jedlix_the_history_is_read_too(
    hass: HomeAssistant, sim: Simulator, quiet: MockConfigEntry
) -> None:
    sim.strike({"forbidden": ["sessions", "vehicles", "user_sessions"]})
    await poll(hass, quiet)
    missed = deliver(sim, "userCreated", 0)
    ears = listen(hass)
    sim.strike({"forbidden": []})
    await poll(hass, quiet)
    assert [told["event_id"] for told in ears.webhooks] == [missed]


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
    ears, began = listen(hass), dt_util.utcnow()
    sim.strike({"drop": 1.0})
    sim.unplug(sim.vehicle_ids[0])
    before = len(sim.requests)
    await entry.runtime_data.coordinator.catch_up(began - timedelta(minutes=5))
    await hass.async_block_till_done()
    assert ears.types == ["session_ended", "unplugged"]
    assert {(told["source"], told["late"]) for told in ears.changes} == {("history", True)}
    assert {told["vehicle_id"] for told in ears.changes} == {sim.vehicle_ids[0]}
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

    ears = listen(hass)
    announcer = Announcer(hass, "an entry")

    def tell(message: WebhookMessage) -> tuple[str, ...]:
        announcer.tell_webhook(message, Source.HISTORY, followed=True, late=True)
        return ("u",)

    client = cast("JedlixClient", Client())
    memory = Memory(hass, "an entry")
    catch_up = CatchUp(client, Truth(client), memory, tell)
    longest = 0.0
    done = asyncio.create_task(catch_up.tell_since(now - timedelta(days=1), now))
    while not done.done():
        began = time.thread_time()
        await asyncio.sleep(0)
        longest = max(longest, time.thread_time() - began)
    assert await done == {"u"}
    assert longest < 0.02
    assert [told["event_id"] for told in ears.webhooks] == [f"e-{n}" for n in range(10_000)][::-1]
    assert len(memory.inbox) == 10_000
    await memory.save()


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
    ears = listen(hass)
    await hass.config_entries.async_reload(entry.entry_id)
    await until(hass, lambda: any(told["source"] == "webhook" for told in ears.webhooks))
    assert ears.types.count("session_started") == 1


async def test_what_a_set_up_told_before_it_failed_is_not_told_again(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    await down(hass, entry)
    deliver(sim, "userCreated", 1)
    await sim.delivered()
    ears = listen(hass)
    sim.strike({"forbidden": ["vehicles"]})
    await up(hass, entry)
    assert len(ears.webhooks) == 1
    await hass.config_entries.async_reload(entry.entry_id)
    sim.strike({"forbidden": []})
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED
    assert len(ears.webhooks) == 1
