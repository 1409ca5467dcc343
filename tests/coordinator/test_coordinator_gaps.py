"""Gaps: what happens while Home Assistant or Jedlix is away is published late, once and in order."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.api import AuthError
from custom_components.jedlix.const import DOMAIN
from custom_components.jedlix.store import JedlixStore
from simulator.app import Simulator
from tests.commanding import mark, poll
from tests.conftest import StartSimulator
from tests.coordinator.tools import (
    PLUGGED_IN,
    coordinator_of,
    event_states,
    fail_for,
    pass_minutes,
    set_up_without_push,
)
from tests.tools import Clock, record_events, state_of, until


async def restart(
    hass: HomeAssistant, entry: MockConfigEntry, meanwhile: Callable[[], object] = lambda: None
) -> None:
    """Let something happen at Jedlix while the entry is unloaded."""
    assert await hass.config_entries.async_unload(entry.entry_id)
    meanwhile()
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()


def reauth_sources(hass: HomeAssistant) -> list[str]:
    """Return how each flow of ours was started."""
    flows = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    return [flow["context"]["source"] for flow in flows]


# -- Home Assistant is away ----------------------------------------------------------------------------------


async def test_a_session_that_starts_while_home_assistant_is_down_is_published_late_and_once(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry
) -> None:
    recorded, before = record_events(hass), event_states(hass)
    await restart(hass, polled, lambda: sim.plug(sim.vehicle_ids[0]))
    assert recorded.types == PLUGGED_IN
    assert {change["late"] for change in recorded.changes} == {True}
    assert all(change["device_id"] for change in recorded.changes)
    assert event_states(hass) == before
    assert state_of(hass, "_smart_session") == "on"
    await poll(hass, polled)
    await restart(hass, polled)
    assert len(recorded.types) == 3


async def test_what_happens_after_the_restart_is_not_late(
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
async def test_sessions_that_start_and_end_while_home_assistant_is_down_are_late_and_in_order(
    hass: HomeAssistant, start_simulator: StartSimulator, mode: str
) -> None:
    sim = await start_simulator(mode=mode)
    entry = await set_up_without_push(hass, sim)
    recorded, before = record_events(hass), event_states(hass)

    def charge_twice() -> None:
        for _ in range(2):
            sim.plug(sim.vehicle_ids[0])
            sim.unplug(sim.vehicle_ids[0])

    await restart(hass, entry, charge_twice)
    assert recorded.types == ["session_started", "session_ended"] * 2
    assert {change["late"] for change in recorded.changes} == {True}
    assert event_states(hass) == before
    await poll(hass, entry)
    assert len(recorded.types) == 4


async def test_two_sessions_of_before_and_after_a_restart_are_two_plug_ins(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry
) -> None:
    sim.plug(sim.vehicle_ids[0])
    await poll(hass, polled)
    recorded = record_events(hass)

    def move() -> None:
        sim.unplug(sim.vehicle_ids[0])
        sim.plug(sim.vehicle_ids[0], "unknown")

    await restart(hass, polled, move)
    # The session did not become unmanaged: an unplug lies between the two.
    assert recorded.types == ["session_ended", "session_started"]
    assert state_of(hass, "_session", "sensor") == "unmanaged"


async def test_the_first_set_up_publishes_nothing_of_what_was_before(
    hass: HomeAssistant, sim: Simulator
) -> None:
    sim.plug(sim.vehicle_ids[0])
    recorded = record_events(hass)
    entry = await set_up_without_push(hass, sim)
    assert state_of(hass, "_smart_session") == "on"
    await poll(hass, entry)
    assert recorded.types == []


async def test_a_change_found_after_the_last_save_is_published_by_the_next_set_up(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry
) -> None:
    """A refresh under way during the unload must not publish what the store will not know."""
    recorded, coordinator = record_events(hass), coordinator_of(polled)
    store: JedlixStore = polled.runtime_data.store
    save = store.save

    async def save_while_a_refresh_ends() -> None:
        await save()
        sim.plug(sim.vehicle_ids[0])
        await coordinator.refresh_after_command(sim.user_ids[0])

    store.save = save_while_a_refresh_ends  # type: ignore[method-assign]
    await restart(hass, polled)
    assert recorded.types == PLUGGED_IN
    assert {change["late"] for change in recorded.changes} == {True}


async def test_changes_after_a_sleep_of_the_machine_are_late(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry, clock: Clock
) -> None:
    recorded = record_events(hass)
    sim.plug(sim.vehicle_ids[0])
    clock.go_on(timedelta(hours=2))
    await poll(hass, polled)
    assert {change["late"] for change in recorded.changes} == {True}
    assert len(recorded.types) == 3


# -- Jedlix is away ------------------------------------------------------------------------------------------


async def test_during_an_outage_cars_are_unavailable_and_event_entities_are_not(
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
    (error,) = (record.getMessage() for record in caplog.records if record.levelname == "ERROR")
    assert "Jedlix could not be asked for the cars" in error
    sim.strike({"outage_seconds": 0.0})
    await poll(hass, polled)
    assert state_of(hass, "_charge_state") == "disconnected"
    assert event_states(hass) == before


async def test_a_failed_poll_is_tried_again_within_a_minute_and_a_half(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry
) -> None:
    sim.strike({"outage_seconds": 60.0})
    await poll(hass, polled)
    sim.strike({"outage_seconds": 0.0})
    calls = mark(sim)
    await pass_minutes(hass, 0.5)
    assert calls() == []
    await pass_minutes(hass, 1.5)
    await until(hass, lambda: state_of(hass, "_charge_state") == "disconnected")


async def test_what_happens_during_an_outage_is_published_late(
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


async def test_a_user_whose_refresh_fails_does_not_hold_up_the_others(
    hass: HomeAssistant, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sim = await start_simulator(users=2)
    entry = await set_up_without_push(hass, sim)
    failing = sim.user_ids[1]
    recorded = record_events(hass)
    with monkeypatch.context() as patch:
        fail_for(patch, entry, failing)
        for vehicle_id in sim.vehicle_ids:
            sim.plug(vehicle_id)
        await poll(hass, entry)
    assert {change["user_id"] for change in recorded.changes} == {sim.user_ids[0]}
    await poll(hass, entry)
    assert [change["user_id"] for change in recorded.changes].count(failing) == 3


async def test_a_user_whose_refresh_failed_for_hours_loses_no_session(
    hass: HomeAssistant, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sim = await start_simulator(users=2)
    entry = await set_up_without_push(hass, sim)
    failing = sim.user_ids[1]
    with monkeypatch.context() as patch:
        fail_for(patch, entry, failing)
        sim.plug(sim.vehicle_ids[1])
        sim.unplug(sim.vehicle_ids[1])
        await poll(hass, entry)
    # hours later, as far as the last good poll is concerned
    entry.runtime_data.store.last_poll += timedelta(hours=6)
    recorded = record_events(hass)
    await poll(hass, entry)
    assert [(change["type"], change["user_id"]) for change in recorded.changes] == [
        ("session_started", failing),
        ("session_ended", failing),
    ]


async def test_set_up_does_not_wait_for_a_slow_user(
    hass: HomeAssistant,
    sim: Simulator,
    vehicles_may_answer: asyncio.Event,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The cars of a large fleet may come while Home Assistant already runs."""
    monkeypatch.setattr("custom_components.jedlix.coordinator.FIRST_REFRESH_TIMEOUT", 0.05)
    vehicles_may_answer.clear()
    entry = await set_up_without_push(hass, sim)
    coordinator = coordinator_of(entry)
    assert entry.state is ConfigEntryState.LOADED
    assert coordinator.fleet.vehicles == {}
    assert coordinator.never_refreshed == set(sim.user_ids)
    vehicles_may_answer.set()
    await until(hass, lambda: not coordinator.never_refreshed)
    assert coordinator.fleet.vehicles
    await until(hass, lambda: state_of(hass, "_charge_state") == "disconnected")


# -- credentials are refused ---------------------------------------------------------------------------------


async def test_a_poll_with_refused_credentials_asks_for_new_ones(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry
) -> None:
    sim.settings = replace(sim.settings, client_secret="another")
    sim.strike({"token_expiry": True})
    await poll(hass, polled)
    assert reauth_sources(hass) == [SOURCE_REAUTH]
    assert state_of(hass, "_charge_state") == STATE_UNAVAILABLE


async def test_credentials_refused_for_one_user_of_a_poll_are_refused(
    hass: HomeAssistant, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sim = await start_simulator(users=2)
    entry = await set_up_without_push(hass, sim)
    fail_for(monkeypatch, entry, sim.user_ids[1], AuthError)
    await poll(hass, entry)
    assert reauth_sources(hass) == [SOURCE_REAUTH]
