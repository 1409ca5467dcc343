"""Gaps: what happens while Home Assistant or Jedlix is away is published late, once and in order."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
import logging

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.const import EVENT_HOMEASSISTANT_STARTED, STATE_UNAVAILABLE
from homeassistant.core import CoreState, HomeAssistant, callback
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
)

from custom_components.jedlix.api import AuthError, ConnectionFailed, Forbidden, JedlixError
from custom_components.jedlix.const import DOMAIN, EVENT_CHANGE
from custom_components.jedlix.store import JedlixStore
from simulator.app import Simulator
from tests.commanding import mark, poll
from tests.coordinator.tools import (
    PLUGGED_IN,
    coordinator_of,
    event_states,
    fail_for,
    pass_minutes,
    set_up_without_push,
    stop,
)
from tests.simulators import StartSimulator
from tests.tools import Clock, record_events, set_time, state_of, until


async def restart(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    clock: Clock,
    away: timedelta = timedelta(hours=2),
    meanwhile: Callable[[], object] = lambda: None,
) -> None:
    """Stop Home Assistant, let something happen at Jedlix at once, and start again after some time."""
    await stop(hass, entry)
    meanwhile()
    clock.go_on(away)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()


async def reload(
    hass: HomeAssistant, entry: MockConfigEntry, meanwhile: Callable[[], object] = lambda: None
) -> None:
    """Let something happen at Jedlix during a reload."""
    assert await hass.config_entries.async_unload(entry.entry_id)
    meanwhile()
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()


def plug_and_unplug(sim: Simulator) -> None:
    """Let a car charge for a moment."""
    sim.plug(sim.vehicle_ids[0])
    sim.unplug(sim.vehicle_ids[0])


def reauth_sources(hass: HomeAssistant) -> list[str]:
    """Return how each flow of ours was started."""
    flows = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    return [flow["context"]["source"] for flow in flows]


# -- Home Assistant is away ----------------------------------------------------------------------------------


async def test_a_session_that_starts_while_home_assistant_is_down_is_published_late_and_once(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry, clock: Clock
) -> None:
    recorded, before = record_events(hass), event_states(hass)
    await restart(hass, polled, clock, meanwhile=lambda: sim.plug(sim.vehicle_ids[0]))
    assert recorded.types == PLUGGED_IN
    assert {change["late"] for change in recorded.changes} == {True}
    assert all(change["device_id"] for change in recorded.changes)
    assert event_states(hass) == before
    assert state_of(hass, "_smart_session") == "on"
    await poll(hass, polled)
    await restart(hass, polled, clock)
    assert len(recorded.types) == 3


@pytest.mark.parametrize(("minutes", "late"), [(5, False), (14, False), (16, True)])
async def test_after_a_stop_what_happened_more_than_a_quarter_of_an_hour_ago_is_late(
    hass: HomeAssistant,
    sim: Simulator,
    polled: MockConfigEntry,
    clock: Clock,
    minutes: int,
    late: bool,
) -> None:
    recorded = record_events(hass)
    away = timedelta(minutes=minutes)
    await restart(hass, polled, clock, away, lambda: sim.plug(sim.vehicle_ids[0]))
    assert recorded.types == PLUGGED_IN
    assert {change["late"] for change in recorded.changes} == {late}


async def test_a_setting_changed_during_a_stop_is_late_though_the_first_set_up_failed(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry, clock: Clock
) -> None:
    recorded = record_events(hass)
    await stop(hass, polled)
    sim.change_settings(sim.vehicle_ids[0], isSmartChargingEnabled=False)
    (number,) = sim.strike({"kind": "status", "status": 503})
    assert not await hass.config_entries.async_setup(polled.entry_id)
    assert polled.state is ConfigEntryState.SETUP_RETRY
    sim.strike({"remove": [number]})
    clock.go_on(timedelta(seconds=30))
    await hass.config_entries.async_reload(polled.entry_id)
    assert [(c["type"], c["late"]) for c in recorded.changes] == [("smart_charging_disabled", True)]


async def test_a_setting_changed_during_a_stop_is_late_though_it_is_read_later(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry, clock: Clock
) -> None:
    recorded = record_events(hass)
    await stop(hass, polled)
    sim.change_settings(sim.vehicle_ids[0], isSmartChargingEnabled=False)
    (number,) = sim.strike({"kind": "status", "status": 503, "endpoints": ["charge_settings"]})
    await hass.config_entries.async_reload(polled.entry_id)
    sim.strike({"remove": [number]})
    assert recorded.types == []
    clock.go_on(timedelta(minutes=1))
    await poll(hass, polled)
    sim.change_settings(sim.vehicle_ids[0], isSmartChargingEnabled=True)
    for _ in range(4):
        clock.go_on(timedelta(minutes=5))
        await poll(hass, polled)
    assert [(c["type"], c["late"]) for c in recorded.changes] == [
        ("smart_charging_disabled", True),
        ("smart_charging_enabled", False),
    ]


async def test_automations_run_for_what_the_first_refresh_after_a_start_finds(
    hass: HomeAssistant,
    sim: Simulator,
    polled: MockConfigEntry,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """States come first, as soon as they are known; a kill before the start is over loses nothing."""
    recorded = record_events(hass)
    monkeypatch.setattr("custom_components.jedlix.store.SAVE_DELAY", 0)

    async def is_stored() -> bool:
        """Return whether a Home Assistant that starts after a kill would know the session."""
        await asyncio.sleep(0.1)
        await hass.async_block_till_done()
        store = JedlixStore(hass, polled.entry_id)
        await store.load()
        (car,) = store.users[sim.user_ids[0]].vehicles.values()
        return bool(car.open_sessions)

    await stop(hass, polled)
    sim.plug(sim.vehicle_ids[0])
    clock.go_on(timedelta(minutes=5))
    hass.set_state(CoreState.not_running)
    ran = async_capture_events(hass, "ran")
    trigger = {
        "trigger": f"{DOMAIN}.plugged_in",
        "target": {"entity_id": "event.tesla_model_3_charging"},
        "options": {"include_late": True},
    }
    config = {"alias": "x", "triggers": [trigger], "actions": [{"event": "ran"}]}
    assert await async_setup_component(hass, "automation", {"automation": config})
    assert await hass.config_entries.async_setup(polled.entry_id)
    await hass.async_block_till_done()
    assert state_of(hass, "_plugged_in") == "on"
    assert recorded.types == []
    assert not await is_stored()
    await hass.async_start()
    await hass.async_block_till_done()
    assert recorded.types == PLUGGED_IN
    assert len(ran) == 1
    assert await is_stored()


async def test_an_entry_that_is_unloaded_before_the_start_is_over_publishes_then(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry, clock: Clock
) -> None:
    recorded = record_events(hass)
    await stop(hass, polled)
    hass.set_state(CoreState.starting)
    sim.plug(sim.vehicle_ids[0])
    assert await hass.config_entries.async_setup(polled.entry_id)
    await reload(hass, polled, lambda: sim.unplug(sim.vehicle_ids[0]))
    assert recorded.types == []
    hass.set_state(CoreState.running)
    hass.bus.async_fire(EVENT_HOMEASSISTANT_STARTED)
    await hass.async_block_till_done()
    assert recorded.types == [*PLUGGED_IN, "session_ended", "unplugged"]


async def test_what_happens_during_a_reload_is_published_once_and_is_not_late(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry
) -> None:
    recorded = record_events(hass)
    await reload(hass, polled, lambda: plug_and_unplug(sim))
    await reload(hass, polled, lambda: sim.plug(sim.vehicle_ids[0]))
    await reload(hass, polled, lambda: sim.link(sim.vehicle_ids[0], connected=False))
    expected = ["session_started", "session_ended", *PLUGGED_IN, "vehicle_link_lost"]
    assert recorded.types == expected
    assert {change["late"] for change in recorded.changes} == {False}
    await reload(hass, polled)
    assert recorded.types == expected


async def test_what_happens_after_the_restart_is_not_late(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry, clock: Clock
) -> None:
    recorded = record_events(hass)
    await restart(hass, polled, clock, meanwhile=lambda: sim.plug(sim.vehicle_ids[0]))
    sim.unplug(sim.vehicle_ids[0])
    await poll(hass, polled)
    assert [(change["type"], change["late"]) for change in recorded.changes[3:]] == [
        ("session_ended", False),
        ("unplugged", False),
    ]
    assert {kind for _, kind in event_states(hass).values()} == {"session_settled", "unplugged"}


@pytest.mark.parametrize("mode", ["default", "strict"])
async def test_sessions_that_start_and_end_while_home_assistant_is_down_are_late_and_in_order(
    hass: HomeAssistant,
    start_simulator: StartSimulator,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
) -> None:
    sim = await start_simulator(mode=mode)
    clock, entry = Clock(monkeypatch, sim), await set_up_without_push(hass, sim)
    recorded, before = record_events(hass), event_states(hass)

    def charge_twice() -> None:
        plug_and_unplug(sim)
        plug_and_unplug(sim)

    await restart(hass, entry, clock, meanwhile=charge_twice)
    assert recorded.types == ["session_started", "session_ended"] * 2
    assert {change["late"] for change in recorded.changes} == {True}
    assert event_states(hass) == before
    await poll(hass, entry)
    assert len(recorded.types) == 4


async def test_two_sessions_of_before_and_after_a_restart_are_two_plug_ins(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry, clock: Clock
) -> None:
    sim.plug(sim.vehicle_ids[0])
    await poll(hass, polled)
    recorded = record_events(hass)

    def move() -> None:
        sim.unplug(sim.vehicle_ids[0])
        sim.plug(sim.vehicle_ids[0], "unknown")

    await restart(hass, polled, clock, meanwhile=move)
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
    await reload(hass, polled)
    assert recorded.types == PLUGGED_IN


async def test_changes_after_a_sleep_of_the_machine_are_late(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry, clock: Clock
) -> None:
    recorded = record_events(hass)
    sim.plug(sim.vehicle_ids[0])
    clock.go_on(timedelta(hours=2))
    await poll(hass, polled)
    assert {change["late"] for change in recorded.changes} == {True}
    assert len(recorded.types) == 3


@pytest.mark.parametrize("hours", [-3, 3])
async def test_with_a_clock_of_the_machine_that_is_hours_wrong_each_session_is_published_once(
    hass: HomeAssistant, sim: Simulator, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """What is late is decided by Jedlix's clock, also after a reload."""
    wrong: Callable[[], datetime] = lambda: datetime.now(UTC) + timedelta(hours=hours)  # noqa: E731
    set_time(monkeypatch, wrong)
    entry = await set_up_without_push(hass, sim)
    recorded = record_events(hass)
    for _ in range(2):
        sim.plug(sim.vehicle_ids[0])
        await poll(hass, entry)
        sim.unplug(sim.vehicle_ids[0])
        await poll(hass, entry)
        await reload(hass, entry, lambda: plug_and_unplug(sim))
    kinds = [kind for kind in recorded.types if "session" in kind]
    assert kinds == ["session_started", "session_ended"] * 4
    assert {change["late"] for change in recorded.changes} == {False}


async def test_with_a_clock_of_the_machine_that_is_behind_what_a_restart_finds_is_late(
    hass: HomeAssistant, sim: Simulator, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The moments in the store are Jedlix's, and lie in the future of this machine."""
    set_time(monkeypatch, lambda: clock.now() - timedelta(hours=3))
    entry = await set_up_without_push(hass, sim)
    recorded = record_events(hass)
    await restart(hass, entry, clock, meanwhile=lambda: sim.plug(sim.vehicle_ids[0]))
    assert recorded.types == PLUGGED_IN
    assert {change["late"] for change in recorded.changes} == {True}


# -- Jedlix is away ------------------------------------------------------------------------------------------


async def test_a_failed_poll_makes_nothing_unavailable_and_an_outage_does(
    hass: HomeAssistant,
    sim: Simulator,
    polled: MockConfigEntry,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = event_states(hass)
    sim.strike({"outage_seconds": 24 * 3600.0})
    await poll(hass, polled)
    assert state_of(hass, "_charge_state") == "disconnected"
    clock.go_on(timedelta(minutes=14))
    await poll(hass, polled)
    assert state_of(hass, "_charge_state") == "disconnected"
    clock.go_on(timedelta(minutes=2))
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


async def test_a_car_is_available_again_before_its_changes_are_published(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry, clock: Clock
) -> None:
    sim.strike({"outage_seconds": 24 * 3600.0})
    clock.go_on(timedelta(minutes=20))
    await poll(hass, polled)
    assert state_of(hass, "_plugged_in") == STATE_UNAVAILABLE
    found: list[str] = []
    hass.bus.async_listen(
        EVENT_CHANGE, callback(lambda _: found.append(state_of(hass, "_plugged_in")))
    )
    sim.strike({"outage_seconds": 0.0})
    sim.plug(sim.vehicle_ids[0])
    await coordinator_of(polled).refresh_after_command(sim.user_ids[0])  # not a poll
    assert found == ["on"] * 3


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
    await until(hass, calls)
    await until(hass, lambda: coordinator_of(polled).last_update_success)


@pytest.mark.parametrize(("minutes", "late"), [(1, False), (12, False), (60, True)])
async def test_what_happens_during_an_outage_is_published_once_and_late_where_it_is_old(
    hass: HomeAssistant,
    sim: Simulator,
    polled: MockConfigEntry,
    clock: Clock,
    minutes: int,
    late: bool,
) -> None:
    recorded, before = record_events(hass), event_states(hass)
    sim.strike({"outage_seconds": 24 * 3600.0})
    await poll(hass, polled)
    sim.plug(sim.vehicle_ids[0])
    sim.unplug(sim.vehicle_ids[0])
    sim.plug(sim.vehicle_ids[0])
    clock.go_on(timedelta(minutes=minutes))
    await poll(hass, polled)
    sim.strike({"outage_seconds": 0.0})
    await poll(hass, polled)
    assert [kind for kind in recorded.types if "session" in kind] == [
        "session_started",
        "session_ended",
        "session_started",
    ]
    assert {change["late"] for change in recorded.changes} == {late}
    assert (event_states(hass) == before) is late


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


async def test_a_user_who_cannot_be_read_becomes_unavailable_alone_and_the_log_has_two_lines(
    hass: HomeAssistant,
    start_simulator: StartSimulator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "custom_components.jedlix")
    sim = await start_simulator(users=2)
    clock, entry = Clock(monkeypatch, sim), await set_up_without_push(hass, sim)
    failing, other = sim.user_ids[1], sim.user_ids[0]

    def states() -> tuple[str, str]:
        return tuple(  # type: ignore[return-value]
            state_of(hass, f"{user_id}_{vehicle_id}_charge_state")
            for user_id, vehicle_id in zip((other, failing), sim.vehicle_ids, strict=True)
        )

    with monkeypatch.context() as patch:
        fail_for(patch, entry, failing)
        await poll(hass, entry)
        assert states() == ("disconnected", "disconnected")
        clock.go_on(timedelta(minutes=16))
        for _ in range(2):
            await poll(hass, entry)
            assert states() == ("disconnected", STATE_UNAVAILABLE)
        assert coordinator_of(entry).last_update_success
    await poll(hass, entry)
    assert states() == ("disconnected", "disconnected")
    assert [line for line in caplog.messages if failing in line] == [
        f"The Jedlix user {failing} cannot be read at the moment: a failure of this user alone",
        f"The Jedlix user {failing} can be read again",
    ]


@pytest.mark.parametrize("minutes", [5, 120])
async def test_what_one_user_missed_is_late_for_that_user_alone(
    hass: HomeAssistant,
    start_simulator: StartSimulator,
    monkeypatch: pytest.MonkeyPatch,
    minutes: int,
) -> None:
    sim = await start_simulator(users=2)
    clock, entry = Clock(monkeypatch, sim), await set_up_without_push(hass, sim)
    failing = sim.user_ids[1]
    with monkeypatch.context() as patch:
        fail_for(patch, entry, failing)
        await poll(hass, entry)
        sim.plug(sim.vehicle_ids[1])
        clock.go_on(timedelta(minutes=minutes))
        await poll(hass, entry)
    sim.plug(sim.vehicle_ids[0])
    recorded = record_events(hass)
    await poll(hass, entry)
    late = {change["user_id"]: change["late"] for change in recorded.changes}
    assert late == {sim.user_ids[0]: False, failing: minutes > 15}


async def test_a_user_whose_refresh_failed_for_hours_loses_no_session(
    hass: HomeAssistant, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sim = await start_simulator(users=2, mode="strict")
    clock, entry = Clock(monkeypatch, sim), await set_up_without_push(hass, sim)
    failing = sim.user_ids[1]
    with monkeypatch.context() as patch:
        fail_for(patch, entry, failing)
        sim.plug(sim.vehicle_ids[1])
        sim.unplug(sim.vehicle_ids[1])
        await poll(hass, entry)
        clock.go_on(timedelta(hours=20))  # polls of the other user go on
        for _ in range(2):
            await poll(hass, entry)
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
    monkeypatch.setattr("custom_components.jedlix.poll.FIRST_REFRESH_TIMEOUT", 0.05)
    vehicles_may_answer.clear()
    entry = await set_up_without_push(hass, sim)
    coordinator = coordinator_of(entry)
    assert entry.state is ConfigEntryState.LOADED
    assert coordinator.fleet.vehicles == {}
    assert coordinator.known.never_refreshed == set(sim.user_ids)
    vehicles_may_answer.set()
    await until(hass, lambda: not coordinator.known.never_refreshed)
    assert coordinator.fleet.vehicles
    await until(hass, lambda: state_of(hass, "_charge_state") == "disconnected")


# -- credentials are refused ---------------------------------------------------------------------------------


@pytest.fixture
def refusing(sim: Simulator, polled: MockConfigEntry) -> Callable[[], None]:
    """Let Jedlix refuse the credentials; returns what lets it accept them again."""
    before = sim.settings
    sim.settings = replace(before, client_secret="another")
    sim.strike({"token_expiry": True})

    def accept() -> None:
        sim.settings = before

    return accept


async def test_one_refusal_is_not_yet_a_wrong_password(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry, refusing: Callable[[], None]
) -> None:
    for _ in range(5):  # enough, but too soon
        await poll(hass, polled)
    assert reauth_sources(hass) == []
    assert state_of(hass, "_charge_state") == "disconnected"
    sim.plug(sim.vehicle_ids[0])
    refusing()
    recorded = record_events(hass)
    await poll(hass, polled)
    assert recorded.types == PLUGGED_IN


async def test_three_refused_polls_over_ten_minutes_ask_for_new_credentials_and_polls_go_on(
    hass: HomeAssistant,
    sim: Simulator,
    polled: MockConfigEntry,
    refusing: Callable[[], None],
) -> None:
    store: JedlixStore = polled.runtime_data.store
    for minutes in (0, 5):
        age(store, minutes)
        await poll(hass, polled)
        assert reauth_sources(hass) == []
    age(store, 5)
    await poll(hass, polled)
    assert reauth_sources(hass) == [SOURCE_REAUTH]
    assert polled.state is ConfigEntryState.LOADED
    # Polls go on, every five minutes at most, and the first good answer withdraws the request.
    refusing()
    calls = mark(sim)
    await pass_minutes(hass, 4)
    assert calls() == []
    await pass_minutes(hass, 7)
    await until(hass, lambda: not reauth_sources(hass))
    assert store.credentials.refusals == 0


def age(store: JedlixStore, minutes: float) -> None:
    """Let the first refusal be longer ago; a clock that is moved would let the timers fire."""
    if store.credentials.refused_since is not None:
        store.credentials.refused_since -= timedelta(minutes=minutes)


async def test_credentials_that_one_users_calls_refuse_are_a_matter_of_that_user(
    hass: HomeAssistant, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sim = await start_simulator(users=2)
    entry = await set_up_without_push(hass, sim)
    fail_for(monkeypatch, entry, sim.user_ids[1], AuthError)
    recorded = record_events(hass)
    sim.plug(sim.vehicle_ids[0])
    for _ in range(4):
        await poll(hass, entry)
    assert reauth_sources(hass) == []
    assert coordinator_of(entry).last_update_success
    assert recorded.types == PLUGGED_IN


@pytest.mark.parametrize("faults", [{}, {"forbidden": ["sessions"]}])
async def test_of_a_household_a_refused_user_asks_for_nothing_while_the_account_works(
    hass: HomeAssistant,
    sim: Simulator,
    polled: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
    faults: dict[str, list[str]],
) -> None:
    """A second call is made, and it disagrees."""
    fail_for(monkeypatch, polled, sim.user_ids[0], AuthError)
    sim.strike(faults)
    for _ in range(4):
        calls = mark(sim)
        await poll(hass, polled)
        assert calls()
    assert polled.runtime_data.store.credentials.refusals == 0
    assert coordinator_of(polled).last_update_success


@pytest.mark.parametrize(("error", "is_good"), [(Forbidden, True), (ConnectionFailed, False)])
async def test_a_user_who_may_not_be_read_fails_no_poll_where_there_is_no_list(
    hass: HomeAssistant,
    start_simulator: StartSimulator,
    monkeypatch: pytest.MonkeyPatch,
    error: type[JedlixError],
    is_good: bool,
) -> None:
    sim = await start_simulator(faults={"absent": ["sessions"]})
    entry = await set_up_without_push(hass, sim)
    await poll(hass, entry)
    fail_for(monkeypatch, entry, sim.user_ids[0], error)
    await poll(hass, entry)
    assert coordinator_of(entry).last_update_success is is_good


async def test_a_refusal_with_which_a_second_call_agrees_is_one_of_the_account(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry
) -> None:
    sim.strike({"kind": "status", "status": 401})
    await poll(hass, polled)
    assert polled.runtime_data.store.credentials.refusals == 1
    assert not coordinator_of(polled).last_update_success
