"""Polls: when they happen, what they cost, and what they find whatever the tenant offers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.api import (
    AuthError,
    BadAnswer,
    ConnectionFailed,
    JedlixClient,
    JedlixError,
    RateLimited,
    Rejected,
    Session,
)
from simulator.app import Simulator
from tests.commanding import (
    add_session,
    car_state,
    delete_session,
    mark,
    poll,
    set_up_with_rare_polls,
)
from tests.coordinator.tools import (
    PLUGGED_IN,
    add_user_without_car,
    coordinator_of,
    link_car,
    pass_minutes,
    set_up_without_push,
)
from tests.simulators import StartSimulator
from tests.tools import Clock, record_events, set_up_with_push, state_of, until


def fail_pages(
    monkeypatch: pytest.MonkeyPatch, which: Callable[[dict[str, Any]], object], error: JedlixError
) -> None:
    """Let Jedlix refuse lists of sessions with certain arguments."""
    pages = JedlixClient.session_pages

    async def fail() -> AsyncIterator[tuple[Session, ...]]:
        raise error
        yield ()

    monkeypatch.setattr(
        JedlixClient,
        "session_pages",
        lambda client, **asked: fail() if which(asked) else pages(client, **asked),
    )


# -- when ----------------------------------------------------------------------------------------------------


async def test_a_poll_finds_what_no_delivery_announced_and_publishes_it_once(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    recorded = record_events(hass)
    sim.strike({"drop": 1.0})
    sim.plug(sim.vehicle_ids[0])
    for _ in range(2):
        await poll(hass, entry)
        assert recorded.types == PLUGGED_IN
    assert {(change["source"], change["late"]) for change in recorded.changes} == {("poll", False)}


async def test_polls_happen_every_few_minutes(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry
) -> None:
    recorded, calls = record_events(hass), mark(sim)
    coordinator_of(polled).quick_poll.stop()
    sim.plug(sim.vehicle_ids[0])
    await pass_minutes(hass, 4)
    assert calls() == []
    await pass_minutes(hass, 6)
    await until(hass, lambda: recorded.types)
    assert recorded.types == PLUGGED_IN


async def test_polls_happen_before_there_is_a_car(hass: HomeAssistant, sim: Simulator) -> None:
    """A new customer links the car days after the account was set up, and may have no push at all."""
    user_id = add_user_without_car(sim)
    await set_up_without_push(hass, sim, [user_id])
    recorded = record_events(hass)
    link_car(sim, user_id)
    await pass_minutes(hass, 6)
    await until(hass, lambda: recorded.types)
    assert recorded.types == ["vehicle_added"]
    assert state_of(hass, "_charge_state") == "disconnected"


async def test_the_next_poll_waits_as_long_as_jedlix_asks_for_and_so_does_everything_else(
    hass: HomeAssistant, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry, clock = await set_up_without_push(hass, sim), Clock(monkeypatch, sim)
    sim.strike({"api_429": 1.0, "retry_after": 1800})
    await poll(hass, entry)
    sim.faults.clear()
    calls = mark(sim)
    await coordinator_of(entry).refresh_after_command(sim.user_ids[0])
    await pass_minutes(hass, 10)
    assert calls() == []
    clock.go_on(timedelta(seconds=1801))
    await pass_minutes(hass, 31)
    await until(hass, calls)


# -- what a poll costs ---------------------------------------------------------------------------------------


async def test_how_long_after_a_failure_the_next_poll_comes(polled: MockConfigEntry) -> None:
    """At most an hour, whatever Jedlix asks for; with refused credentials no more often than usual."""
    retry_interval = coordinator_of(polled)._retry_interval
    assert [
        retry_interval(failure)
        for failure in (
            ConnectionFailed("away"),
            RateLimited("later", None),
            RateLimited("later", 600),
            RateLimited("later", 3_000_000),
            AuthError("who?"),
        )
    ] == [60, 60, 600, 3600, 300]


async def test_an_idle_poll_of_one_car_costs_three_calls(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry
) -> None:
    calls = mark(sim)
    await poll(hass, polled)
    assert len(calls()) == 3
    assert calls()[-1] == f"GET /api/v1/users/{sim.user_ids[0]}/vehicles"


async def test_an_idle_poll_of_one_car_of_a_large_tenant_costs_three_calls(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    """Its list has many pages, and what is in those of before is in the user's own list as well."""
    sim = await start_simulator(users=40, history_days=8)
    entry = await set_up_without_push(hass, sim, users=sim.user_ids[:1])
    for _ in range(4):  # the sixth one reads the user's own list
        calls = mark(sim)
        await poll(hass, entry)
        assert len(calls()) == 3


async def test_an_idle_poll_of_a_fleet_costs_seven_calls_and_refreshes_each_user_in_turn(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(users=12)
    entry = await set_up_without_push(hass, sim)
    refreshed: set[str] = set()
    for _ in range(3):
        calls = mark(sim)
        await poll(hass, entry)
        assert len(calls()) == 7
        refreshed |= {path.split("/")[4] for path in calls() if "/users/" in path}
    assert refreshed == set(sim.user_ids)


async def test_a_filter_that_the_tenant_ignores_costs_no_further_calls(
    hass: HomeAssistant, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only `startTimeFrom` is documented; without the other one the answer is all sessions there are."""
    sim = await start_simulator(users=12)
    entry = await set_up_without_push(hass, sim)
    client: JedlixClient = entry.runtime_data.client
    pages = client.session_pages
    monkeypatch.setattr(
        client, "session_pages", lambda **asked: pages(**(asked | {"ended_from": None}))
    )
    await poll(hass, entry)
    calls = mark(sim)
    await poll(hass, entry)
    assert len(calls()) == 7
    sim.plug(sim.vehicle_ids[11])
    sim.unplug(sim.vehicle_ids[11])
    recorded = record_events(hass)
    await poll(hass, entry)
    assert recorded.types == ["session_started", "session_ended"]


# -- sessions, whatever the tenant offers --------------------------------------------------------------------


@pytest.mark.parametrize("absent", [[], ["sessions"], ["user_sessions"]])
@pytest.mark.parametrize("mode", ["default", "strict"])
async def test_each_session_is_published_once_whatever_calls_the_tenant_offers(
    hass: HomeAssistant, start_simulator: StartSimulator, mode: str, absent: list[str]
) -> None:
    if mode == "strict" and absent == ["sessions"]:
        pytest.skip("a tenant without any list of sessions has none to publish")
    sim = await start_simulator(users=2, mode=mode, faults={"absent": absent})
    entry = await set_up_without_push(hass, sim)
    recorded = record_events(hass)
    for vehicle_id in sim.vehicle_ids:
        sim.plug(vehicle_id)
    await poll(hass, entry)
    for vehicle_id in sim.vehicle_ids:
        sim.unplug(vehicle_id)
    await poll(hass, entry)
    for vehicle_id in sim.vehicle_ids:  # a whole session between two polls
        sim.plug(vehicle_id)
        sim.unplug(vehicle_id)
    await poll(hass, entry)
    await poll(hass, entry)
    for vehicle_id, managed in zip(sim.vehicle_ids, (True, False), strict=True):
        of_car = [change for change in recorded.changes if change["vehicle_id"] == vehicle_id]
        types = [change["type"] for change in of_car if "session" in change["type"]]
        assert types == ["session_started", "session_ended"] * 2
        assert {change["is_managed"] for change in of_car if "is_managed" in change} == {managed}


async def test_a_tenant_without_any_list_of_sessions_has_changes_of_the_plug(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(faults={"forbidden": ["sessions", "user_sessions"]})
    entry = await set_up_without_push(hass, sim)
    recorded = record_events(hass)
    sim.plug(sim.vehicle_ids[0])
    await poll(hass, entry)
    assert recorded.types == ["plugged_in", "charging_started"]


async def test_a_refused_filter_fails_no_poll(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_pages(monkeypatch, lambda asked: asked.get("ended_from"), Rejected("no such filter"))
    recorded = record_events(hass)
    sim.plug(sim.vehicle_ids[0])
    await poll(hass, polled)
    sim.unplug(sim.vehicle_ids[0])
    await poll(hass, polled)
    assert coordinator_of(polled).last_update_success
    assert [each for each in recorded.types if "session" in each] == [
        "session_started",
        "session_ended",
    ]


@pytest.mark.parametrize("error", [Rejected("a period is required"), BadAnswer("one number")])
async def test_where_the_assumed_list_is_something_else_the_tenants_list_is_read(
    hass: HomeAssistant, sim: Simulator, monkeypatch: pytest.MonkeyPatch, error: JedlixError
) -> None:
    fail_pages(monkeypatch, lambda asked: asked.get("user_id"), error)
    entry = await set_up_without_push(hass, sim)
    assert entry.state is ConfigEntryState.LOADED
    recorded = record_events(hass)
    sim.plug(sim.vehicle_ids[0])
    await poll(hass, entry)
    assert recorded.types == PLUGGED_IN


async def test_in_a_fleet_the_next_poll_finds_a_session_of_any_user(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(users=15)
    entry = await set_up_without_push(hass, sim)
    for vehicle_id in sim.vehicle_ids:
        sim.plug(vehicle_id)
    recorded = record_events(hass)
    await poll(hass, entry)
    assert recorded.types.count("session_started") == 15
    for vehicle_id in sim.vehicle_ids:
        sim.unplug(vehicle_id)
    await poll(hass, entry)
    assert recorded.types.count("session_ended") == recorded.types.count("unplugged") == 15


@pytest.mark.parametrize("absent", [[], ["user_sessions"]])
async def test_in_a_fleet_a_correction_of_days_ago_and_a_deletion_are_found_within_a_day(
    hass: HomeAssistant,
    start_simulator: StartSimulator,
    monkeypatch: pytest.MonkeyPatch,
    absent: list[str],
) -> None:
    sim = await start_simulator(users=12, faults={"absent": absent})
    clock = Clock(monkeypatch, sim)
    begin = clock.now() - timedelta(days=5)
    of_car: dict[str, Any] = {"user_id": sim.user_ids[5], "vehicle_id": sim.vehicle_ids[5]}
    corrected, deleted, deleted_long = (
        add_session(sim, start, begin + timedelta(days=days), energy_kwh=kwh, **of_car)
        for start, days, kwh in (
            (begin, 0.1, 5.0),
            (begin + timedelta(days=1), 1.1, 5.0),
            (begin - timedelta(days=20), -0.1, 50.0),
        )
    )
    entry = await set_up_with_rare_polls(hass, sim)
    await poll(hass, entry)
    await poll(hass, entry)
    total = float(car_state(hass, sim, "sensor.energy_total", 5).state)
    corrected.energy_kwh = 6.0
    delete_session(sim, deleted)
    delete_session(sim, deleted_long)
    # Four times a day, with what the poll reads anyway, and one call for a car with an older session.
    differences = []
    for _ in range(3):
        clock.go_on(timedelta(hours=7))
        for _ in range(3):
            await poll(hass, entry)
        differences.append(float(car_state(hass, sim, "sensor.energy_total", 5).state) - total)
    assert (differences[0], differences[-1]) == (
        pytest.approx(1.0),
        pytest.approx(1.0 - 5.0 - 50.0),
    )


async def test_a_correction_in_the_financials_is_found_within_a_day(
    hass: HomeAssistant, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sim = await start_simulator(faults={"kind": "figures_only_in_financials"})
    clock = Clock(monkeypatch, sim)
    begin = clock.now() - timedelta(days=1)
    session = add_session(sim, begin, begin + timedelta(hours=2), energy_kwh=5.0)
    entry = await set_up_with_rare_polls(hass, sim)
    for _ in range(2):
        await poll(hass, entry)
    total = float(car_state(hass, sim, "sensor.energy_total").state)
    session.energy_kwh = 6.0
    clock.go_on(timedelta(hours=21))
    calls = mark(sim)
    await poll(hass, entry)
    assert float(car_state(hass, sim, "sensor.energy_total").state) == pytest.approx(total + 1.0)
    assert len([path for path in calls() if "financials" in path]) == 1
    calls = mark(sim)
    await poll(hass, entry)
    assert not [path for path in calls() if "financials" in path]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_each_session_is_published_once_through_all_the_noise(
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
    wanted = ("session_started", "session_ended")
    happened = [(it.type, it.session_id) for it in sim.world.changes if it.type in wanted]
    published = [(it["type"], it["session_id"]) for it in recorded.changes if it["type"] in wanted]
    assert sorted(published) == sorted(happened)
    assert len(happened) == 8


async def test_an_unload_while_the_tenants_list_is_read_logs_nothing(
    hass: HomeAssistant,
    start_simulator: StartSimulator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sim = await start_simulator(mode="strict")
    entry = await set_up_without_push(hass, sim)
    is_asked, fails, has_failed = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def hanging() -> AsyncIterator[tuple[Session, ...]]:
        is_asked.set()
        await fails.wait()
        has_failed.set()
        raise ConnectionFailed("no answer within 15 seconds")
        yield ()

    client: JedlixClient = entry.runtime_data.client
    pages = client.session_pages
    monkeypatch.setattr(
        client,
        "session_pages",
        lambda **asked: pages(**asked) if "user_id" in asked else hanging(),
    )
    coordinator_of(entry).request_after_failed_command(sim.user_ids[0])
    await is_asked.wait()
    await hass.config_entries.async_unload(entry.entry_id)
    fails.set()
    await has_failed.wait()
    await hass.async_block_till_done()
    assert "no answer within 15 seconds" not in caplog.text


# -- what is read is not always of one moment ----------------------------------------------------------------


async def test_a_car_plugged_in_between_two_answers_of_one_refresh_has_all_changes(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cars were read a moment before the plug-in and the sessions a moment after it."""
    client: JedlixClient = polled.runtime_data.client
    vehicles, car = client.vehicles, sim.vehicle(sim.vehicle_ids[0])
    overtaken = iter([await vehicles(car.user_id)])

    async def answer(user_id: str) -> Any:
        return next(overtaken, None) or await vehicles(user_id)

    monkeypatch.setattr(client, "vehicles", answer)
    sim.plug(car.id)
    recorded = record_events(hass)
    await poll(hass, polled)
    assert recorded.types == PLUGGED_IN


async def test_a_car_plugged_in_after_the_tenants_list_was_read_has_all_changes(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    client: JedlixClient = polled.runtime_data.client
    pages = client.session_pages
    tomorrow = dt_util.utcnow() + timedelta(days=1)
    monkeypatch.setattr(
        client,
        "session_pages",
        lambda **asked: pages(**(asked if "user_id" in asked else {"started_from": tomorrow})),
    )
    sim.plug(sim.vehicle_ids[0])
    recorded = record_events(hass)
    await poll(hass, polled)
    assert recorded.types == PLUGGED_IN


async def test_an_unknown_charge_state_is_shown_as_unknown_and_is_no_change(
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
