"""Quick poll: where push does not report charging, a minute passes until a change is seen, not five."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.api import Session
from custom_components.jedlix.const import CONF_EVENT_TYPES, CONF_POLL_MINUTES
from custom_components.jedlix.push.event_types import DEFAULT_EVENT_TYPES
from custom_components.jedlix.push.health import PushState
from simulator.app import Simulator
from tests.commanding import mark, poll
from tests.coordinator.tools import (
    PLUGGED_IN,
    coordinator_of,
    pass_minutes,
    set_up_without_push,
)
from tests.simulators import StartSimulator
from tests.tools import make_entry, record_events, set_up, until


async def test_without_push_a_plug_in_and_a_short_charging_are_seen(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry
) -> None:
    recorded, car = record_events(hass), sim.vehicle_ids[0]
    sim.plug(car)
    await pass_minutes(hass, 1)
    await until(hass, lambda: recorded.types == PLUGGED_IN)
    sim.telemetry(car, charge_state="stopped")
    await pass_minutes(hass, 1)
    await until(hass, lambda: "charging_paused" in recorded.types)
    sim.telemetry(car, charge_state="charging")
    await pass_minutes(hass, 1)
    await until(hass, lambda: recorded.types.count("charging_started") == 2)
    sim.unplug(car)
    await pass_minutes(hass, 1)
    await until(hass, lambda: "session_ended" in recorded.types)
    assert {(change["source"], change["late"]) for change in recorded.changes} == {("poll", False)}


async def test_a_minute_costs_a_household_one_call_for_each_user(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(users=2)
    sim.plug(sim.vehicle_ids[0])
    entry = await set_up_without_push(hass, sim)
    await poll(hass, entry)
    calls = mark(sim)
    await pass_minutes(hass, 1)
    await until(hass, lambda: len(calls()) >= 2)
    await hass.async_block_till_done()
    assert sorted(calls()) == sorted(f"GET /api/v1/users/{it}/vehicles" for it in sim.user_ids)


@pytest.mark.parametrize("absent", [[], ["sessions"]])
async def test_in_a_fleet_a_plug_in_is_seen_as_well(
    hass: HomeAssistant, start_simulator: StartSimulator, absent: list[str]
) -> None:
    """Where the tenant has no list of sessions, it may take some minutes until it is a user's turn."""
    sim = await start_simulator(users=8, faults={"absent": absent})
    entry = await set_up_without_push(hass, sim)
    await poll(hass, entry)
    recorded, calls = record_events(hass), mark(sim)
    await pass_minutes(hass, 1)
    await until(hass, lambda: len(calls()) >= (5 if absent else 1))
    await asyncio.sleep(0.2)
    assert len(calls()) == (5 if absent else 1)
    sim.plug(sim.vehicle_ids[7])
    for _ in range(2 if absent else 1):
        calls = mark(sim)
        await pass_minutes(hass, 1)
        await until(hass, lambda: len(calls()) >= (5 if absent else 3))  # noqa: B023
        await asyncio.sleep(0.2)  # whoever is still refreshed must not meet the next minute
    await until(hass, lambda: recorded.types)
    assert recorded.types == PLUGGED_IN


async def test_a_user_who_cannot_be_read_is_left_to_the_poll(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry, caplog: pytest.LogCaptureFixture
) -> None:
    sim.strike({"forbidden": ["vehicles"]})
    calls = mark(sim)
    await pass_minutes(hass, 1)
    await until(hass, calls)
    await hass.async_block_till_done()
    calls = mark(sim)
    await pass_minutes(hass, 1)
    assert calls() == []
    sim.faults.clear()
    await poll(hass, polled)
    assert coordinator_of(polled).known.failing == {}
    assert "cannot be read" not in caplog.text
    calls = mark(sim)
    await pass_minutes(hass, 1)
    await until(hass, calls)


async def test_a_list_that_cannot_be_read_is_left_to_the_poll(
    hass: HomeAssistant, start_simulator: StartSimulator, caplog: pytest.LogCaptureFixture
) -> None:
    sim = await start_simulator(users=8)
    entry = await set_up_without_push(hass, sim)
    await poll(hass, entry)
    sim.strike({"forbidden": ["sessions"]})
    calls = mark(sim)
    await pass_minutes(hass, 1)
    await until(hass, calls)
    await hass.async_block_till_done()
    assert coordinator_of(entry).last_update_success
    sim.faults.clear()
    calls = mark(sim)
    await pass_minutes(hass, 1)
    await until(hass, calls)
    assert "failed" not in caplog.text


async def test_an_unexpected_failure_is_logged_and_a_minute_later_it_is_tried_again(
    hass: HomeAssistant,
    sim: Simulator,
    polled: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    schedule = coordinator_of(polled).quick_poll._schedule
    with monkeypatch.context() as patched:
        patched.setattr(schedule, "take_quick_due", lambda *_, **__: 1 / 0)
        await pass_minutes(hass, 1)
    assert "The quick poll of Jedlix failed" in caplog.text
    calls = mark(sim)
    await pass_minutes(hass, 1)
    await until(hass, calls)


async def test_there_is_none_while_jedlix_does_not_answer(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry
) -> None:
    sim.strike({"api_500": 1.0})
    await poll(hass, polled)
    assert not coordinator_of(polled).last_update_success
    calls = mark(sim)
    await pass_minutes(hass, 0.9)
    await hass.async_block_till_done()
    assert calls() == []
    sim.faults.clear()
    await poll(hass, polled)
    calls = mark(sim)
    await pass_minutes(hass, 1)
    await until(hass, calls)


async def test_there_is_none_while_jedlix_refuses_the_credentials(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(users=8)
    entry = await set_up_without_push(hass, sim)
    await poll(hass, entry)
    (number,) = sim.strike({"kind": "status", "status": 401})
    await poll(hass, entry)
    assert not coordinator_of(entry).last_update_success
    calls = mark(sim)
    await pass_minutes(hass, 1.1)
    await hass.async_block_till_done()
    assert calls() == []
    sim.strike({"remove": [number]})
    await poll(hass, entry)
    calls = mark(sim)
    await pass_minutes(hass, 1)
    await until(hass, calls)


async def test_a_poll_that_outlasts_its_account_leaves_none_behind(
    hass: HomeAssistant, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An action of Home Assistant may ask for a poll, which does not end with the account."""
    sim = await start_simulator(mode="strict")
    entry = await set_up_without_push(hass, sim)
    is_asked, may_go_on = asyncio.Event(), asyncio.Event()

    async def hanging(**_asked: object) -> AsyncIterator[tuple[Session, ...]]:
        is_asked.set()
        await may_go_on.wait()
        yield ()

    monkeypatch.setattr(entry.runtime_data.client, "session_pages", hanging)
    poll_of_action = hass.async_create_task(coordinator_of(entry).async_refresh())
    await is_asked.wait()
    assert await hass.config_entries.async_unload(entry.entry_id)
    may_go_on.set()
    await poll_of_action
    calls = mark(sim)
    await pass_minutes(hass, 1.1)
    await hass.async_block_till_done()
    assert calls() == []


@pytest.mark.parametrize(("minutes", "quick"), [(1, 0), (2, 1), (5, 4)])
async def test_there_is_one_in_each_minute_between_two_polls(
    hass: HomeAssistant, sim: Simulator, minutes: int, quick: int
) -> None:
    entry = make_entry(sim, None, options={CONF_POLL_MINUTES: minutes})
    await set_up(hass, entry)
    await poll(hass, entry)
    calls = mark(sim)
    for _ in range(6):
        # Only timers of the quick poll are that short.
        await pass_minutes(hass, min(1, minutes - 0.1))
        await hass.async_block_till_done()
    assert len(calls()) == quick


async def test_while_deliveries_report_what_happens_there_is_none(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.jedlix.state.refresh_queue.MIN_INTERVAL", 0.0)
    recorded = record_events(hass)
    assert coordinator_of(entry).quick_poll.is_wanted  # nothing was delivered yet
    sim.plug(sim.vehicle_ids[0])
    await until(hass, lambda: recorded.types == PLUGGED_IN)
    assert entry.runtime_data.push.state is PushState.HEALTHY
    await hass.async_block_till_done()
    await asyncio.sleep(0.1)
    calls = mark(sim)
    await pass_minutes(hass, 1)
    assert calls() == []


async def test_a_restart_forgets_not_that_deliveries_report_what_happens(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    recorded = record_events(hass)
    sim.plug(sim.vehicle_ids[0])
    await until(hass, lambda: recorded.types == PLUGGED_IN)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await until(hass, lambda: entry.runtime_data.push.state is PushState.WAITING)
    assert not coordinator_of(entry).quick_poll.is_wanted


async def test_at_a_strict_tenant_a_plug_in_and_two_minutes_of_charging_are_seen(
    hass: HomeAssistant, start_simulator: StartSimulator, callback_url: str
) -> None:
    """Push is limited there: no event type that is accepted reports charging."""
    sim = await start_simulator(mode="strict")
    entry = make_entry(sim, callback_url, options={CONF_EVENT_TYPES: DEFAULT_EVENT_TYPES})
    await set_up(hass, entry)
    await until(hass, lambda: entry.runtime_data.push.state is PushState.LIMITED)
    recorded, car = record_events(hass), sim.vehicle_ids[0]
    sim.plug(car)
    await pass_minutes(hass, 1)
    await until(hass, lambda: recorded.types == PLUGGED_IN)
    await asyncio.sleep(0.2)
    sim.telemetry(car, charge_state="stopped")
    await pass_minutes(hass, 1)
    await until(hass, lambda: "charging_paused" in recorded.types)
    await until(hass, lambda: "sessionStarted" in entry.runtime_data.store.push.refused_types)
    report: Any = entry.runtime_data.api_report()
    assert report["push_state"] == "limited"
    assert report["event_types"]["accepted"] == ["userCreated", "vehicleConnectionReadyToContinue"]
    assert report["event_types"]["refused"]["sessionStarted"] == "unknown_name"
    assert report["calls"]["charge_settings"]["answers"].keys() == {"404"}
    assert report["calls"]["user_sessions"]["offered"] == "not known"
    assert report["calls"]["sessions"]["offered"] == "yes"
