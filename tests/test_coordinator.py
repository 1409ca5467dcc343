"""Polls, rings, restarts and outages: whatever happens at Jedlix is told once, with the states in place."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
import time
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient
from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.jedlix.api import (
    AuthError,
    BadAnswer,
    ConnectionFailed,
    JedlixClient,
    JedlixError,
    Rejected,
    Session,
)
from custom_components.jedlix.const import DOMAIN, EVENT_CHANGE
from custom_components.jedlix.coordinator import JedlixCoordinator
from custom_components.jedlix.store import JedlixStore
from simulator.app import Simulator
from simulator.model import Vehicle
from tests.commanding import mark, poll
from tests.conftest import StartSimulator
from tests.tools import (
    WEBHOOK_ID,
    WEBHOOK_KEY,
    make_entry,
    record_events,
    set_up,
    set_up_with_push,
    state_of,
    until,
)

type Home = TestClient[web.Request, web.Application]

pytestmark = pytest.mark.usefixtures("home", "no_second_try")


@pytest.fixture
async def polled(hass: HomeAssistant, sim: Simulator) -> MockConfigEntry:
    """Return an entry without push: what it knows comes from polls."""
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    return entry


def coordinator_of(entry: MockConfigEntry) -> JedlixCoordinator:
    """Return the coordinator of a loaded entry."""
    coordinator: JedlixCoordinator = entry.runtime_data.coordinator
    return coordinator


def without_car(sim: Simulator) -> str:
    """Create a user to whom no car is linked yet, and return the id."""
    return sim.act(lambda now: sim.world.add_user(now, car=False)).id


def link_car(sim: Simulator, user_id: str) -> Vehicle:
    """Link a car to a user."""
    return sim.act(lambda now: sim.world.give_car(sim.world.users[user_id], now))


# -- rings -------------------------------------------------------------------------------------------------


async def test_a_ring_tells_within_a_moment_and_the_states_are_there_before(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    seen: list[tuple[str, str, str, str]] = []

    @callback
    def look(event: Event) -> None:
        seen.append(
            (
                event.data["type"],
                state_of(hass, "_plugged_in"),
                state_of(hass, "_charge_state"),
                state_of(hass, "_smart_session"),
            )
        )

    hass.bus.async_listen(EVENT_CHANGE, look)
    recorded = record_events(hass)
    sim.plug(sim.vehicle_ids[0])
    await until(hass, lambda: len(seen) == 3)
    assert seen == [
        (kind, "on", "charging", "on")
        for kind in ("plugged_in", "session_started", "charging_started")
    ]
    device = dr.async_get(hass).async_get_device_by_identifier(
        (DOMAIN, f"{sim.user_ids[0]}_{sim.vehicle_ids[0]}"), entry.entry_id
    )
    assert device is not None
    for change in recorded.changes:
        assert change["source"] == "webhook"
        assert change["late"] is False
        assert change["entry_id"] == entry.entry_id
        assert change["device_id"] == device.id
        assert change["user_id"] == sim.user_ids[0]
        assert change["vehicle_id"] == sim.vehicle_ids[0]
        assert dt_util.parse_datetime(change["occurred_at"]) is not None


async def test_the_event_entities_tell_what_was_announced(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    contexts: list[str] = []
    hass.bus.async_listen(EVENT_CHANGE, callback(lambda event: contexts.append(event.context.id)))
    sim.plug(sim.vehicle_ids[0])
    await until(hass, lambda: len(contexts) == 3)
    states = {state.attributes.get("event_type"): state for state in hass.states.async_all("event")}
    charging, session = states["charging_started"], states["session_started"]
    assert charging.attributes["battery_level"] == 12
    assert session.attributes["is_managed"] is True
    assert session.attributes["session_id"]
    # what an automation on the event did can be traced back to it
    assert [session.context.id, charging.context.id] == contexts[1:]


async def test_a_hundred_rings_in_a_second_cost_four_calls(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, home: Home
) -> None:
    calls, begin = mark(sim), time.monotonic()
    for number in range(100):
        response = await home.post(
            f"/api/webhook/{WEBHOOK_ID}",
            json={"eventType": "any", "id": f"{number}", "userId": sim.user_ids[0]},
            headers={"Authorization": f"Basic {WEBHOOK_KEY}"},
        )
        assert response.status == 200
    seconds = int(time.monotonic() - begin)  # 0, unless the machine is busy with something else
    await asyncio.sleep(1.3)
    assert 2 <= len(calls()) <= 4 + 2 * seconds


@pytest.mark.parametrize(
    ("message", "rings"),
    [
        ({"userId": "the user"}, True),
        ({"userId": "a stranger"}, False),
        ({"vehicleId": "the car"}, True),
        ({"sessionId": "the session"}, True),
        ({"vehicleId": "a stranger's", "sessionId": "a stranger's"}, True),
        ({}, True),
    ],
)
async def test_who_is_rung_for_is_named_by_the_delivery_or_else_the_household(
    hass: HomeAssistant,
    sim: Simulator,
    entry: MockConfigEntry,
    home: Home,
    message: dict[str, str],
    rings: bool,
) -> None:
    sim.webhooks.event_types.clear()
    sim.plug(sim.vehicle_ids[0])
    await poll(hass, entry)
    session = sim.vehicle(sim.vehicle_ids[0]).session
    assert session is not None
    names = {
        "the user": sim.user_ids[0],
        "the car": sim.vehicle_ids[0],
        "the session": session.id,
    }
    calls = mark(sim)
    await home.post(
        f"/api/webhook/{WEBHOOK_ID}",
        json={"eventType": "any", "id": "1"}
        | {key: names.get(value, value) for key, value in message.items()},
        headers={"Authorization": f"Basic {WEBHOOK_KEY}"},
    )
    if rings:
        await until(hass, calls)
    await asyncio.sleep(0.05)
    assert bool(calls()) is rings


async def test_in_a_fleet_a_delivery_that_names_nobody_brings_the_poll_forward(
    hass: HomeAssistant, start_simulator: StartSimulator, callback_url: str, home: Home
) -> None:
    sim = await start_simulator(users=12)
    await set_up_with_push(hass, sim, callback_url)
    calls = mark(sim)
    await home.post(
        f"/api/webhook/{WEBHOOK_ID}",
        json={"eventType": "any", "id": "1"},
        headers={"Authorization": f"Basic {WEBHOOK_KEY}"},
    )
    await until(hass, lambda: len(calls()) >= 7)
    await asyncio.sleep(0.05)
    assert len(calls()) == 7  # two lists of the tenant and the cars of five users


async def test_in_a_fleet_a_delivery_that_names_a_car_rings_for_its_user_alone(
    hass: HomeAssistant, start_simulator: StartSimulator, callback_url: str, home: Home
) -> None:
    sim = await start_simulator(users=12)
    await set_up_with_push(hass, sim, callback_url)
    calls = mark(sim)
    await home.post(
        f"/api/webhook/{WEBHOOK_ID}",
        json={"eventType": "any", "id": "1", "vehicleId": sim.vehicle_ids[7]},
        headers={"Authorization": f"Basic {WEBHOOK_KEY}"},
    )
    await until(hass, lambda: len(calls()) >= 2)
    await asyncio.sleep(0.05)
    assert {path.split("/")[4] for path in calls()} == {sim.user_ids[7]}


async def test_only_the_named_users_car_is_asked_for_and_written(
    hass: HomeAssistant, start_simulator: StartSimulator, callback_url: str
) -> None:
    sim = await start_simulator(users=3)
    await set_up_with_push(hass, sim, callback_url)
    recorded, calls = record_events(hass), mark(sim)
    written: set[str] = set()
    hass.bus.async_listen(
        "state_changed", callback(lambda event: written.add(event.data["entity_id"]))
    )
    sim.plug(sim.vehicle_ids[0])
    await until(hass, lambda: len(recorded.types) == 3)
    assert {path.split("/")[4] for path in calls()} == {sim.user_ids[0]}
    assert not any("zoe" in entity_id for entity_id in written)
    assert {change["vehicle_id"] for change in recorded.changes} == {sim.vehicle_ids[0]}


async def test_a_ring_is_answered_when_the_api_is_back(
    hass: HomeAssistant,
    sim: Simulator,
    entry: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("custom_components.jedlix.state.refresh_queue.MIN_INTERVAL", 0.02)
    recorded, calls = record_events(hass), mark(sim)
    sim.strike({"outage_seconds": 60.0})
    sim.plug(sim.vehicle_ids[0])
    await until(hass, lambda: len(calls()) >= 4)  # two tries
    assert recorded.types == []
    sim.strike({"outage_seconds": 0.0})
    await until(hass, lambda: recorded.types)
    assert recorded.types == ["plugged_in", "session_started", "charging_started"]
    assert {change["source"] for change in recorded.changes} == {"webhook"}


async def test_a_ring_that_meets_refused_credentials_asks_for_new_ones_and_is_not_tried_again(
    hass: HomeAssistant,
    sim: Simulator,
    entry: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("custom_components.jedlix.state.refresh_queue.MIN_INTERVAL", 0.02)
    recorded, before = record_events(hass), sim.settings
    sim.settings = replace(before, client_secret="another")
    sim.strike({"token_expiry": True})
    sim.plug(sim.vehicle_ids[0])
    await until(hass, lambda: hass.config_entries.flow.async_progress_by_handler(DOMAIN))
    await until(hass, lambda: not entry.runtime_data.coordinator._rings._again)
    assert recorded.types == []
    sim.settings = before
    await poll(hass, entry)
    assert "session_started" in recorded.types  # what the ring told of is still owed


# -- polls -------------------------------------------------------------------------------------------------


async def test_the_poll_finds_what_no_webhook_told(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    recorded = record_events(hass)
    sim.strike({"drop": 1.0})
    sim.plug(sim.vehicle_ids[0])
    await poll(hass, entry)
    assert recorded.types == ["plugged_in", "session_started", "charging_started"]
    assert {(change["source"], change["late"]) for change in recorded.changes} == {("poll", False)}
    await poll(hass, entry)
    assert len(recorded.types) == 3


async def test_the_poll_comes_by_itself_every_few_minutes(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry
) -> None:
    recorded, calls = record_events(hass), mark(sim)
    sim.plug(sim.vehicle_ids[0])
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=4))
    await asyncio.sleep(0.05)
    assert calls() == []
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=6))
    await until(hass, lambda: recorded.types)
    assert recorded.types == ["plugged_in", "session_started", "charging_started"]


async def test_the_poll_comes_although_there_is_no_car_yet(
    hass: HomeAssistant, sim: Simulator
) -> None:
    """A new customer links the car days after the account was set up, and may have no push at all."""
    user_id = without_car(sim)
    await set_up(hass, make_entry(sim, None, users=[user_id]))
    recorded = record_events(hass)
    link_car(sim, user_id)
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=6))
    await until(hass, lambda: recorded.types)
    assert recorded.types == ["vehicle_added"]
    assert state_of(hass, "_charge_state") == "disconnected"


async def test_an_idle_poll_of_one_car_costs_three_calls(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry
) -> None:
    calls = mark(sim)
    await poll(hass, polled)
    assert len(calls()) == 3
    assert calls()[-1] == f"GET /api/v1/users/{sim.user_ids[0]}/vehicles"


async def test_an_idle_poll_of_a_fleet_costs_seven_calls_and_reaches_every_car_in_turn(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(users=12)
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    asked: set[str] = set()
    for _ in range(3):
        calls = mark(sim)
        await poll(hass, entry)
        assert len(calls()) == 7
        asked |= {path.split("/")[4] for path in calls() if "/users/" in path}
    assert asked == set(sim.user_ids)


async def test_a_filter_that_the_tenant_does_not_understand_makes_no_poll_dearer(
    hass: HomeAssistant, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only `startTimeFrom` is documented; without the other one the answer is all sessions there are."""
    sim = await start_simulator(users=12)
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    client: JedlixClient = entry.runtime_data.client
    pages = client.session_pages

    def deaf(**asked: Any) -> Any:
        return pages(**(asked | {"ended_from": None}))

    monkeypatch.setattr(client, "session_pages", deaf)
    await poll(hass, entry)
    calls = mark(sim)
    await poll(hass, entry)
    assert len(calls()) == 7
    sim.plug(sim.vehicle_ids[11])
    sim.unplug(sim.vehicle_ids[11])
    recorded = record_events(hass)
    await poll(hass, entry)
    assert recorded.types == ["session_started", "session_ended"]


async def test_a_filter_that_the_tenant_refuses_costs_no_more_than_the_filter(
    hass: HomeAssistant,
    sim: Simulator,
    polled: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client: JedlixClient = polled.runtime_data.client
    pages = client.session_pages

    async def refused() -> AsyncIterator[tuple[Session, ...]]:
        raise Rejected("endTimeFrom is not a filter")
        yield ()

    monkeypatch.setattr(
        client,
        "session_pages",
        lambda **asked: refused() if asked.get("ended_from") else pages(**asked),
    )
    recorded = record_events(hass)
    sim.plug(sim.vehicle_ids[0])
    await poll(hass, polled)
    sim.unplug(sim.vehicle_ids[0])
    await poll(hass, polled)
    assert coordinator_of(polled).last_update_success
    assert [kind for kind in recorded.types if "session" in kind] == [
        "session_started",
        "session_ended",
    ]


@pytest.mark.parametrize("answer", [Rejected("a period is required"), BadAnswer("one number")])
async def test_a_guessed_list_that_is_something_else_is_lived_without(
    hass: HomeAssistant, sim: Simulator, monkeypatch: pytest.MonkeyPatch, answer: JedlixError
) -> None:
    pages = JedlixClient.session_pages

    async def refused() -> AsyncIterator[tuple[Session, ...]]:
        raise answer
        yield ()

    monkeypatch.setattr(
        JedlixClient,
        "session_pages",
        lambda client, **asked: refused() if asked.get("user_id") else pages(client, **asked),
    )
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    assert entry.state is ConfigEntryState.LOADED
    recorded = record_events(hass)
    sim.plug(sim.vehicle_ids[0])
    await poll(hass, entry)
    assert recorded.types == ["plugged_in", "session_started", "charging_started"]


async def test_who_unloads_while_the_tenants_list_is_read_hears_no_more_of_it(
    hass: HomeAssistant,
    start_simulator: StartSimulator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sim = await start_simulator(mode="strict")
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    is_asked, fails, has_failed = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def hanging() -> AsyncIterator[tuple[Session, ...]]:
        is_asked.set()
        await fails.wait()
        has_failed.set()
        raise ConnectionFailed("no answer within 15 seconds")
        yield ()

    monkeypatch.setattr(entry.runtime_data.client, "session_pages", lambda **_: hanging())
    coordinator_of(entry).request_after_failed_command(sim.user_ids[0])
    await is_asked.wait()
    await hass.config_entries.async_unload(entry.entry_id)
    fails.set()
    await has_failed.wait()
    await hass.async_block_till_done()
    assert "no answer within 15 seconds" not in caplog.text


async def test_in_a_fleet_a_session_is_found_by_the_next_poll_whoever_is_in_turn(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(users=15)
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    for vehicle_id in sim.vehicle_ids:
        sim.plug(vehicle_id)
    recorded = record_events(hass)
    await poll(hass, entry)
    assert recorded.types.count("session_started") == 15
    for vehicle_id in sim.vehicle_ids:
        sim.unplug(vehicle_id)
    await poll(hass, entry)
    assert recorded.types.count("session_ended") == recorded.types.count("unplugged") == 15


@pytest.mark.parametrize("absent", ["none", "sessions", "user_sessions"])
async def test_a_session_that_began_and_ended_between_two_polls_is_told_as_both(
    hass: HomeAssistant, start_simulator: StartSimulator, absent: str
) -> None:
    sim = await start_simulator(faults={"absent": [absent]})
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    await poll(hass, entry)
    recorded = record_events(hass)
    sim.plug(sim.vehicle_ids[0])
    sim.unplug(sim.vehicle_ids[0])
    await poll(hass, entry)
    assert recorded.types == ["session_started", "session_ended"]
    await poll(hass, entry)
    assert len(recorded.types) == 2


async def test_switching_smart_charging_off_is_told_as_two_sessions_and_no_unplug(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry
) -> None:
    sim.plug(sim.vehicle_ids[0])
    await poll(hass, polled)
    recorded = record_events(hass)
    sim.change_settings(sim.vehicle_ids[0], isSmartChargingEnabled=False)
    await poll(hass, polled)
    assert recorded.types == ["session_ended"]
    assert state_of(hass, "_plugged_in") == "on"
    assert [state_of(hass, "_session", "sensor")] == ["none"]
    sim.advance(0.1)
    await poll(hass, polled)
    assert recorded.types[1:3] == ["session_started", "session_became_unmanaged"]
    assert recorded.changes[2]["previous_session_id"] == recorded.changes[0]["session_id"]
    assert recorded.changes[2]["session_id"] == recorded.changes[1]["session_id"]
    assert state_of(hass, "_session", "sensor") == "unmanaged"
    assert "unplugged" not in recorded.types


@pytest.mark.parametrize("absent", [[], ["sessions"], ["user_sessions"]])
@pytest.mark.parametrize("mode", ["default", "strict"])
async def test_sessions_are_told_whatever_calls_the_tenant_offers(
    hass: HomeAssistant, start_simulator: StartSimulator, mode: str, absent: list[str]
) -> None:
    if mode == "strict" and absent == ["sessions"]:
        pytest.skip("a tenant without any list of sessions has none to tell")
    sim = await start_simulator(users=2, mode=mode, faults={"absent": absent})
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    recorded = record_events(hass)
    for vehicle_id in sim.vehicle_ids:
        sim.plug(vehicle_id)
    await poll(hass, entry)
    for vehicle_id in sim.vehicle_ids:
        sim.unplug(vehicle_id)
    await poll(hass, entry)
    await poll(hass, entry)
    for vehicle_id, managed in zip(sim.vehicle_ids, (True, False), strict=True):
        of_car = [change for change in recorded.changes if change["vehicle_id"] == vehicle_id]
        assert [change["type"] for change in of_car if "session" in change["type"]] == [
            "session_started",
            "session_ended",
        ]
        assert {change["is_managed"] for change in of_car if "is_managed" in change} == {managed}


async def test_a_tenant_without_any_list_of_sessions_still_tells_of_the_plug(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(faults={"forbidden": ["sessions", "user_sessions"]})
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    recorded = record_events(hass)
    sim.plug(sim.vehicle_ids[0])
    await poll(hass, entry)
    assert recorded.types == ["plugged_in", "charging_started"]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_sessions_are_told_once_through_all_the_noise(
    hass: HomeAssistant, start_simulator: StartSimulator, callback_url: str, seed: int
) -> None:
    sim = await start_simulator(mode="noisy", seed=seed, users=2)
    entry = await set_up_with_push(hass, sim, callback_url)
    recorded = record_events(hass)
    for _ in range(2):
        for vehicle_id in sim.vehicle_ids:
            sim.plug(vehicle_id)
        await poll(hass, entry)
        for vehicle_id in sim.vehicle_ids:
            sim.unplug(vehicle_id)
        await poll(hass, entry)
    await poll(hass, entry)
    truth = [
        (change.type, change.session_id)
        for change in sim.world.changes
        if change.type in ("session_started", "session_ended")
    ]
    told = [
        (change["type"], change["session_id"])
        for change in recorded.changes
        if change["type"] in ("session_started", "session_ended")
    ]
    assert sorted(told) == sorted(truth)
    assert len(truth) == 8


async def test_old_telemetry_never_overwrites_newer(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry
) -> None:
    """A cache at Jedlix may answer with what was before."""
    car = sim.vehicle(sim.vehicle_ids[0])
    before = car.report
    sim.telemetry(car.id, battery_level=55)
    await poll(hass, polled)
    assert state_of(hass, "_battery_level") == "55"
    newest, car.report = car.report, before
    await poll(hass, polled)
    assert state_of(hass, "_battery_level") == "55"
    car.report = newest
    sim.telemetry(car.id, battery_level=56)
    await poll(hass, polled)
    assert state_of(hass, "_battery_level") == "56"


async def test_an_unknown_charge_state_is_shown_as_unknown_and_told_as_nothing(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry
) -> None:
    sim.plug(sim.vehicle_ids[0])
    await poll(hass, polled)
    recorded = record_events(hass)
    sim.telemetry(sim.vehicle_ids[0], charge_state="unknown")
    await poll(hass, polled)
    assert state_of(hass, "_plugged_in") == "unknown"
    assert state_of(hass, "_charging", "binary_sensor") == "unknown"
    assert state_of(hass, "_charge_state") == "unknown"
    sim.telemetry(sim.vehicle_ids[0])
    await poll(hass, polled)
    assert state_of(hass, "_plugged_in") == "on"
    assert recorded.types == []


async def test_a_car_plugged_in_between_two_answers_of_one_look_is_told_whole(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cars were read a moment before the plug-in and the sessions a moment after it."""
    client: JedlixClient = polled.runtime_data.client
    look, car = client.vehicles, sim.vehicle(sim.vehicle_ids[0])
    unplugged = await look(car.user_id)
    answers = iter([unplugged])

    async def overtaken(user_id: str) -> Any:
        return next(answers, None) or await look(user_id)

    monkeypatch.setattr(client, "vehicles", overtaken)
    sim.plug(car.id)
    recorded = record_events(hass)
    await poll(hass, polled)
    assert recorded.types == ["plugged_in", "session_started", "charging_started"]


async def test_a_car_plugged_in_after_the_tenants_list_was_read_is_told_whole(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    client: JedlixClient = polled.runtime_data.client
    pages = client.session_pages

    def read_before(**asked: Any) -> Any:
        long_hence = dt_util.utcnow() + timedelta(days=1)
        return pages(**(asked if "user_id" in asked else {"started_from": long_hence}))

    monkeypatch.setattr(client, "session_pages", read_before)
    sim.plug(sim.vehicle_ids[0])
    recorded = record_events(hass)
    await poll(hass, polled)
    assert recorded.types == ["plugged_in", "session_started", "charging_started"]


# -- restarts ----------------------------------------------------------------------------------------------


async def restart(
    hass: HomeAssistant, entry: MockConfigEntry, meanwhile: Callable[[], object]
) -> None:
    """Let something happen at Jedlix while the entry is unloaded."""
    assert await hass.config_entries.async_unload(entry.entry_id)
    meanwhile()
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()


def event_states(hass: HomeAssistant) -> dict[str, tuple[str, Any]]:
    """Return what the event entities of the cars say."""
    return {
        state.entity_id: (state.state, state.attributes.get("event_type"))
        for state in hass.states.async_all("event")
        if not state.entity_id.endswith("_webhook")
    }


async def test_a_session_that_starts_while_we_are_away_is_told_late_and_once(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry
) -> None:
    recorded, before = record_events(hass), event_states(hass)
    await restart(hass, polled, lambda: sim.plug(sim.vehicle_ids[0]))
    assert recorded.types == ["plugged_in", "session_started", "charging_started"]
    assert {change["late"] for change in recorded.changes} == {True}
    assert all(change["device_id"] for change in recorded.changes)
    assert event_states(hass) == before
    assert state_of(hass, "_smart_session") == "on"
    await poll(hass, polled)
    await restart(hass, polled, lambda: None)
    assert len(recorded.types) == 3


async def test_what_happens_after_the_return_is_not_late(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry
) -> None:
    recorded = record_events(hass)
    await restart(hass, polled, lambda: sim.plug(sim.vehicle_ids[0]))
    sim.unplug(sim.vehicle_ids[0])
    await poll(hass, polled)
    assert [(change["type"], change["late"]) for change in recorded.changes[3:]] == [
        ("session_ended", False),
        ("unplugged", False),
    ]
    assert {kind for _, kind in event_states(hass).values()} == {"session_ended", "unplugged"}


@pytest.mark.parametrize("mode", ["default", "strict"])
async def test_a_session_that_starts_and_ends_while_we_are_away_is_told_late_and_in_order(
    hass: HomeAssistant, start_simulator: StartSimulator, mode: str
) -> None:
    sim = await start_simulator(mode=mode)
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    recorded, before = record_events(hass), event_states(hass)

    def come_and_go() -> None:
        for _ in range(2):
            sim.plug(sim.vehicle_ids[0])
            sim.unplug(sim.vehicle_ids[0])

    await restart(hass, entry, come_and_go)
    assert recorded.types == ["session_started", "session_ended"] * 2
    assert {change["late"] for change in recorded.changes} == {True}
    assert event_states(hass) == before
    await poll(hass, entry)
    assert len(recorded.types) == 4


async def test_a_session_that_ends_and_another_that_starts_while_we_are_away(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry
) -> None:
    sim.plug(sim.vehicle_ids[0])
    await poll(hass, polled)
    recorded = record_events(hass)

    def move() -> None:
        sim.unplug(sim.vehicle_ids[0])
        sim.plug(sim.vehicle_ids[0], "unknown")

    await restart(hass, polled, move)
    assert recorded.types == [
        "session_ended",
        "session_started",
    ]  # not one plug-in that changed its kind
    assert state_of(hass, "_session", "sensor") == "unmanaged"


async def test_the_first_set_up_tells_nothing_of_what_was_before(
    hass: HomeAssistant, sim: Simulator
) -> None:
    sim.plug(sim.vehicle_ids[0])
    recorded = record_events(hass)
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    assert state_of(hass, "_smart_session") == "on"
    await poll(hass, entry)
    assert recorded.types == []


async def test_a_change_that_cannot_be_remembered_any_more_is_left_to_the_next_life(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry
) -> None:
    """A look that is under way while the entry is unloaded must not tell what the Store will not know."""
    recorded, coordinator = record_events(hass), coordinator_of(polled)
    store: JedlixStore = polled.runtime_data.store
    write = store.write

    async def write_while_a_look_ends() -> None:
        await write()
        sim.plug(sim.vehicle_ids[0])
        await coordinator.refresh_after_command(sim.user_ids[0])

    store.write = write_while_a_look_ends  # type: ignore[method-assign]
    await restart(hass, polled, lambda: None)
    assert recorded.types == ["plugged_in", "session_started", "charging_started"]
    assert {change["late"] for change in recorded.changes} == {True}


async def test_users_who_are_no_longer_followed_are_forgotten(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(users=2)
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    gone = next(
        subentry for subentry in entry.subentries.values() if subentry.unique_id == sim.user_ids[1]
    )
    hass.config_entries.async_remove_subentry(entry, gone.subentry_id)
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED
    assert list(coordinator_of(entry).fleet.vehicles) == [(sim.user_ids[0], sim.vehicle_ids[0])]
    names = {
        device.name
        for device in dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    }
    assert names == {"Jedlix", "Tesla Model 3", "Easee Home"}


# -- outages -----------------------------------------------------------------------------------------------


async def test_while_the_api_is_away_cars_are_unavailable_and_event_entities_are_not(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry, caplog: pytest.LogCaptureFixture
) -> None:
    before = event_states(hass)
    sim.strike({"outage_seconds": 60.0})
    await poll(hass, polled)
    await poll(hass, polled)
    assert state_of(hass, "_charge_state") == STATE_UNAVAILABLE
    assert state_of(hass, "_plugged_in") == STATE_UNAVAILABLE
    assert event_states(hass) == before
    assert state_of(hass, "_push_state") == "off"
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 1
    assert "Jedlix could not be asked for the cars" in errors[0]
    sim.strike({"outage_seconds": 0.0})
    await poll(hass, polled)
    assert state_of(hass, "_charge_state") == "disconnected"
    assert event_states(hass) == before


async def test_after_a_failed_poll_jedlix_is_asked_again_within_a_minute_and_a_half(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry
) -> None:
    sim.strike({"outage_seconds": 60.0})
    await poll(hass, polled)
    sim.strike({"outage_seconds": 0.0})
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=30))
    await hass.async_block_till_done()
    assert state_of(hass, "_charge_state") == STATE_UNAVAILABLE
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=90))
    await until(hass, lambda: state_of(hass, "_charge_state") == "disconnected")


async def test_what_happened_in_an_outage_is_told_late(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry
) -> None:
    recorded, before = record_events(hass), event_states(hass)
    sim.strike({"outage_seconds": 60.0})
    await poll(hass, polled)
    sim.plug(sim.vehicle_ids[0])
    sim.unplug(sim.vehicle_ids[0])
    sim.plug(sim.vehicle_ids[0])
    sim.strike({"outage_seconds": 0.0})
    await poll(hass, polled)
    assert [kind for kind in recorded.types if "session" in kind] == [
        "session_started",
        "session_ended",
        "session_started",
    ]
    assert {change["late"] for change in recorded.changes} == {True}
    assert event_states(hass) == before


async def test_a_gap_of_several_polls_is_an_absence_too(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry
) -> None:
    """A laptop that slept, or a host that stood still."""
    recorded = record_events(hass)
    store = polled.runtime_data.store
    store.last_poll -= timedelta(hours=2)
    sim.plug(sim.vehicle_ids[0])
    await poll(hass, polled)
    assert {change["late"] for change in recorded.changes} == {True}
    assert len(recorded.types) == 3


async def test_a_user_who_cannot_be_looked_at_does_not_hide_the_others(
    hass: HomeAssistant, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sim = await start_simulator(users=2)
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    lost = sim.user_ids[1]
    fail_for(monkeypatch, entry, lost)
    recorded = record_events(hass)
    for vehicle_id in sim.vehicle_ids:
        sim.plug(vehicle_id)
    await poll(hass, entry)
    assert {change["user_id"] for change in recorded.changes} == {sim.user_ids[0]}
    monkeypatch.undo()
    await poll(hass, entry)
    assert [change["user_id"] for change in recorded.changes].count(lost) == 3


async def test_a_user_who_could_not_be_looked_at_for_hours_loses_no_session(
    hass: HomeAssistant, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sim = await start_simulator(users=2)
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    lost = sim.user_ids[1]
    with monkeypatch.context() as patch:
        fail_for(patch, entry, lost)
        sim.plug(sim.vehicle_ids[1])
        sim.unplug(sim.vehicle_ids[1])
        await poll(hass, entry)
    # hours later, as far as the checkpoint is concerned
    entry.runtime_data.store.last_poll += timedelta(hours=6)
    recorded = record_events(hass)
    await poll(hass, entry)
    assert [(change["type"], change["user_id"]) for change in recorded.changes] == [
        ("session_started", lost),
        ("session_ended", lost),
    ]


def fail_for(
    monkeypatch: pytest.MonkeyPatch,
    entry: MockConfigEntry,
    user_id: str,
    error: type[JedlixError] = ConnectionFailed,
) -> None:
    """Let Jedlix fail whenever it is asked for this user's cars."""
    client: JedlixClient = entry.runtime_data.client
    vehicles = client.vehicles

    async def fail(asked: str) -> Any:
        if asked == user_id:
            raise error("an error of this user's alone")
        return await vehicles(asked)

    monkeypatch.setattr(client, "vehicles", fail)


async def test_refused_credentials_ask_to_log_in_again(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry
) -> None:
    sim.settings = replace(sim.settings, client_secret="another")
    sim.strike({"token_expiry": True})
    await poll(hass, polled)
    flows = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert [flow["context"]["source"] for flow in flows] == [SOURCE_REAUTH]
    assert state_of(hass, "_charge_state") == STATE_UNAVAILABLE


async def test_credentials_that_are_refused_half_way_through_a_poll_count_as_refused(
    hass: HomeAssistant, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sim = await start_simulator(users=2)
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    fail_for(monkeypatch, entry, sim.user_ids[1], AuthError)
    await poll(hass, entry)
    flows = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert [flow["context"]["source"] for flow in flows] == [SOURCE_REAUTH]


async def test_a_token_that_ends_early_is_replaced_unnoticed(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry
) -> None:
    sim.strike({"token_expiry": True})
    await poll(hass, polled)
    assert state_of(hass, "_charge_state") == "disconnected"
    assert not hass.config_entries.flow.async_progress_by_handler(DOMAIN)


async def test_the_pause_that_jedlix_asks_for_is_kept(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry
) -> None:
    sim.strike({"api_429": 1.0, "retry_after": 1800})
    await poll(hass, polled)
    sim.faults.clear()
    calls = mark(sim)
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=10))
    await asyncio.sleep(0.05)
    assert calls() == []
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=31))
    await until(hass, calls)


async def test_set_up_does_not_wait_for_a_slow_user(
    hass: HomeAssistant,
    sim: Simulator,
    vehicles_may_answer: asyncio.Event,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The cars of a large fleet may come while Home Assistant already runs."""
    monkeypatch.setattr("custom_components.jedlix.coordinator.FIRST_REFRESH_TIMEOUT", 0.05)
    vehicles_may_answer.clear()
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    coordinator = coordinator_of(entry)
    assert entry.state is ConfigEntryState.LOADED
    assert coordinator.fleet.vehicles == {}
    assert coordinator.never_refreshed == set(sim.user_ids)
    vehicles_may_answer.set()
    await until(hass, lambda: not coordinator.never_refreshed)
    assert coordinator.fleet.vehicles
    await until(hass, lambda: state_of(hass, "_charge_state") == "disconnected")


# -- cars and users that come and go -----------------------------------------------------------------------


async def test_a_car_that_is_removed_at_jedlix_says_so_and_its_device_goes(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    recorded = record_events(hass)
    devices = dr.async_get(hass)
    identifier = (DOMAIN, f"{sim.user_ids[0]}_{sim.vehicle_ids[0]}")
    device = devices.async_get_device_by_identifier(identifier, entry.entry_id)
    assert device is not None
    sim.remove(sim.vehicle_ids[0])
    await until(hass, lambda: recorded.types)
    assert recorded.types == ["vehicle_removed"]
    assert recorded.changes[0]["device_id"] == device.id
    assert devices.async_get_device_by_identifier(identifier, entry.entry_id) is None
    assert [
        state.entity_id for state in hass.states.async_all() if "tesla" in state.entity_id
    ] == []


async def test_a_car_that_is_linked_at_jedlix_appears_without_a_reload(
    hass: HomeAssistant, sim: Simulator, callback_url: str
) -> None:
    user_id = without_car(sim)
    entry = await set_up_with_push(hass, sim, callback_url, users=[user_id])
    recorded = record_events(hass)
    car = link_car(sim, user_id)
    await until(hass, lambda: recorded.types)
    assert recorded.types == ["vehicle_added"]
    assert recorded.changes[0]["vehicle_id"] == car.id
    assert state_of(hass, "_charge_state") == "disconnected"
    device = dr.async_get(hass).async_get_device_by_identifier(
        (DOMAIN, f"{user_id}_{car.id}"), entry.entry_id
    )
    assert device is not None
    assert recorded.changes[0]["device_id"] == device.id
    sim.plug(car.id)
    await until(hass, lambda: len(recorded.types) == 4)
    assert recorded.types[1:] == ["plugged_in", "session_started", "charging_started"]


async def test_another_car_takes_the_place_of_the_old_one(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry
) -> None:
    recorded = record_events(hass)
    sim.remove(sim.vehicle_ids[0])
    car = link_car(sim, sim.user_ids[0])
    await poll(hass, polled)
    assert sorted(recorded.types) == ["vehicle_added", "vehicle_removed"]
    assert list(coordinator_of(polled).fleet.vehicles) == [(sim.user_ids[0], car.id)]
    assert state_of(hass, "_charge_state") == "disconnected"


async def test_a_user_whom_jedlix_does_not_know_has_no_cars_and_harms_nobody(
    hass: HomeAssistant, sim: Simulator
) -> None:
    entry = make_entry(sim, None, users=[*sim.user_ids, "nobody"])
    await set_up(hass, entry)
    assert entry.state is ConfigEntryState.LOADED
    assert list(coordinator_of(entry).fleet.vehicles) == [(sim.user_ids[0], sim.vehicle_ids[0])]
    await poll(hass, entry)
    assert state_of(hass, "_charge_state") == "disconnected"


async def test_a_user_who_is_deleted_at_jedlix_takes_the_cars_along(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry
) -> None:
    """One 404 may be a slip of Jedlix's, and devices that are gone take names and automations along."""
    recorded = record_events(hass)
    user = sim.world.users.pop(sim.user_ids[0])
    await poll(hass, polled)
    sim.world.users[user.id] = user
    await poll(hass, polled)
    assert state_of(hass, "_charge_state") == "disconnected"
    del sim.world.users[user.id]
    await poll(hass, polled)
    assert recorded.types == []
    assert coordinator_of(polled).fleet.vehicles
    await poll(hass, polled)
    assert recorded.types == ["vehicle_removed"]
    assert list(coordinator_of(polled).fleet.vehicles) == []
    await poll(hass, polled)
    assert recorded.types == ["vehicle_removed"]


async def test_a_lost_link_to_the_car_is_told(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry
) -> None:
    recorded = record_events(hass)
    for connected in (False, True):
        sim.link(sim.vehicle_ids[0], connected=connected)
        await poll(hass, polled)
        assert state_of(hass, "_vehicle_link") == ("on" if connected else "off")
    assert recorded.types == ["vehicle_link_lost", "vehicle_link_restored"]


# -- our own commands --------------------------------------------------------------------------------------


async def test_a_look_after_a_command_tells_that_we_did_it(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry
) -> None:
    recorded = record_events(hass)
    sim.plug(sim.vehicle_ids[0])
    await coordinator_of(polled).refresh_after_command(sim.user_ids[0])
    assert len(recorded.types) == 3
    assert {change["source"] for change in recorded.changes} == {"command"}


async def test_a_look_after_a_command_that_fails_is_made_good_for(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.jedlix.state.refresh_queue.MIN_INTERVAL", 0.02)
    polled.runtime_data.client._back_off = ()
    sim.plug(sim.vehicle_ids[0])
    sim.strike({"outage_seconds": 0.3})
    recorded = record_events(hass)
    await coordinator_of(polled).refresh_after_command(sim.user_ids[0])
    assert state_of(hass, "_plugged_in") == "off"
    await until(hass, lambda: state_of(hass, "_plugged_in") == "on")
    assert {change["source"] for change in recorded.changes} == {"command"}
    assert not polled.runtime_data.store.push.reports_changes  # no delivery had a part in it
