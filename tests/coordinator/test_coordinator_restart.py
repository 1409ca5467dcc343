"""A start with a store that knows every car: what is read again, and what the entities show meanwhile."""

from datetime import timedelta
from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.publisher import Source
from simulator.app import Simulator
from tests.commanding import poll
from tests.coordinator.test_coordinator_gaps import restart
from tests.coordinator.tools import set_up_without_push, stop
from tests.simulators import StartSimulator
from tests.tools import Clock, record_events, set_up_with_push, state_of, until

USERS = 20
SHORT, LONG = timedelta(minutes=4), timedelta(minutes=6)
"""Shorter and longer than the poll interval."""


@pytest.fixture
async def fleet(start_simulator: StartSimulator, clock: Clock) -> Simulator:
    sim = await start_simulator(users=USERS)
    sim.clock = clock.now
    return sim


def users_read(sim: Simulator, before: int) -> set[str]:
    """Return the users whose cars were read since a moment in the log."""
    paths = [request.path for request in list(sim.requests)[before:]]
    return {user for user in sim.user_ids if f"/api/v1/users/{user}/vehicles" in paths}


def calls_about(sim: Simulator, user_id: str, before: int) -> int:
    """Return how many calls were made about a user since a moment in the log."""
    return sum(f"/users/{user_id}/" in request.path for request in list(sim.requests)[before:])


async def test_a_short_stop_of_a_fleet_reads_the_lists_and_whom_they_name(
    hass: HomeAssistant, fleet: Simulator, clock: Clock, callback_url: str
) -> None:
    entry = await set_up_with_push(hass, fleet, callback_url)
    recorded = record_events(hass)
    fleet.plug(fleet.vehicle_ids[0])
    await until(hass, lambda: "charging_started" in recorded.types)
    before = len(fleet.requests)
    await restart(hass, entry, clock, SHORT, lambda: fleet.plug(fleet.vehicle_ids[-1]))
    assert fleet.user_ids[-1] in users_read(fleet, before)
    assert len(users_read(fleet, before)) <= 2 + 5  # in a session, and whose turn it is
    assert recorded.types.count("session_started") == 2
    ids = [
        entity_id for entity_id in hass.states.async_entity_ids() if "_charge_state" in entity_id
    ]
    assert len(ids) >= USERS
    assert not [entity_id for entity_id in ids if hass.states.is_state(entity_id, "unavailable")]


@pytest.mark.usefixtures("no_second_try")
async def test_whom_a_delivery_was_about_is_read_after_a_short_stop(
    hass: HomeAssistant, fleet: Simulator, clock: Clock, callback_url: str
) -> None:
    """One delivery came right before the stop, and one during it: neither is about a session."""
    entry = await set_up_with_push(hass, fleet, callback_url)
    recorded = record_events(hass)
    (fault,) = fleet.strike({"kind": "status", "status": 503, "endpoints": ["vehicles"]})
    fleet.link(fleet.vehicle_ids[11], connected=False)
    await until(
        hass, lambda: "vehicleDisconnected" in [item["event_type"] for item in recorded.webhooks]
    )
    await stop(hass, entry)
    fleet.strike({"remove": [fault]})
    fleet.change_settings(fleet.vehicle_ids[14], isSmartChargingEnabled=False)
    clock.go_on(SHORT)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await until(hass, lambda: {"vehicle_link_lost", "smart_charging_disabled"} <= {*recorded.types})
    assert entry.runtime_data.store.refresh_requests == {}


@pytest.mark.usefixtures("no_second_try")
async def test_a_quick_refresh_is_no_answer_to_a_delivery(
    hass: HomeAssistant, fleet: Simulator, clock: Clock, callback_url: str
) -> None:
    """The refresh that a delivery about a setting requested fails; then only the cars are read."""
    entry = await set_up_with_push(hass, fleet, callback_url)
    recorded, user_id = record_events(hass), fleet.user_ids[11]
    store, refresher = entry.runtime_data.store, entry.runtime_data.coordinator.refresher
    lists = ["sessions", "user_sessions"]
    (fault,) = fleet.strike({"kind": "status", "status": 503, "endpoints": lists})
    fleet.change_settings(fleet.vehicle_ids[11], isSmartChargingEnabled=False)
    await until(hass, lambda: store.users[user_id].failing_since)
    assert await refresher.refresh(user_id, Source.POLL, thorough=False) is None
    assert user_id in store.refresh_requests
    await restart(hass, entry, clock, SHORT, lambda: fleet.strike({"remove": [fault]}))
    await until(hass, lambda: "smart_charging_disabled" in recorded.types)


@pytest.mark.usefixtures("no_second_try")
async def test_a_delivery_is_served_once_its_settings_were_read(
    hass: HomeAssistant, fleet: Simulator, clock: Clock, callback_url: str
) -> None:
    """The cars and sessions are read, the settings are not; then Home Assistant stops."""
    entry = await set_up_with_push(hass, fleet, callback_url)
    recorded, user_id = record_events(hass), fleet.user_ids[11]
    store = entry.runtime_data.store
    (fault,) = fleet.strike({"kind": "status", "status": 503, "endpoints": ["charge_settings"]})
    before = store.users[user_id].refreshed_at
    fleet.change_settings(fleet.vehicle_ids[11], isSmartChargingEnabled=False)
    await until(hass, lambda: store.users[user_id].refreshed_at != before)
    is_busy = entry.runtime_data.coordinator.refresher.user_locks[user_id].locked
    await until(hass, lambda: not is_busy())
    assert user_id in store.refresh_requests
    await restart(hass, entry, clock, SHORT, lambda: fleet.strike({"remove": [fault]}))
    await until(hass, lambda: "smart_charging_disabled" in recorded.types)
    await until(hass, lambda: not entry.runtime_data.store.refresh_requests)


@pytest.mark.usefixtures("no_second_try")
@pytest.mark.parametrize(
    ("slip", "is_thorough"),
    [
        ({"kind": "status", "status": 503, "endpoints": ["sessions"]}, True),
        ({"absent": ["webhook_history"]}, False),
        ({"kind": "slow", "delay_seconds": 0.5, "endpoints": ["webhook_history"]}, False),
    ],
    ids=["no sessions", "no history", "a slow history"],
)
async def test_where_no_list_names_what_happened_everybody_is_read(
    hass: HomeAssistant,
    fleet: Simulator,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    slip: dict[str, object],
    is_thorough: bool,
) -> None:
    """Without the history each car is read once; without the list of sessions, all of each user."""
    entry = await set_up_without_push(hass, fleet)
    await stop(hass, entry)
    clock.go_on(SHORT)
    fleet.strike(slip)
    before = len(fleet.requests)
    if slip.get("kind") == "slow":
        monkeypatch.setattr("custom_components.jedlix.poll.FIRST_REFRESH_TIMEOUT", 0.1)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await until(hass, lambda: users_read(fleet, before) == set(fleet.user_ids))
    assert (calls_about(fleet, fleet.user_ids[10], before) > 1) is is_thorough


async def test_whom_a_slow_history_names_is_read_at_the_next_poll(
    hass: HomeAssistant,
    fleet: Simulator,
    clock: Clock,
    callback_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = await set_up_with_push(hass, fleet, callback_url)
    recorded = record_events(hass)
    await stop(hass, entry)
    fleet.strike({"drop": 1})  # else Jedlix tries again when Home Assistant has started
    fleet.change_settings(fleet.vehicle_ids[14], isSmartChargingEnabled=False)
    fleet.strike({"kind": "slow", "delay_seconds": 0.5, "endpoints": ["webhook_history"]})
    monkeypatch.setattr("custom_components.jedlix.poll.FIRST_REFRESH_TIMEOUT", 0.1)
    clock.go_on(SHORT)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await until(hass, lambda: recorded.webhooks)
    store = entry.runtime_data.store
    assert list(store.refresh_requests) == [fleet.user_ids[14]]  # another stop forgets none
    await poll(hass, entry)
    await until(hass, lambda: "smart_charging_disabled" in recorded.types)
    assert store.refresh_requests == {}


async def test_a_setting_changed_during_a_short_stop_of_a_fleet_is_late(
    hass: HomeAssistant, fleet: Simulator, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When it was changed is not known, and no delivery and no list names it."""
    monkeypatch.setattr("custom_components.jedlix.state.details.random.random", lambda: 0.999)
    entry = await set_up_without_push(hass, fleet)
    recorded, car = record_events(hass), fleet.vehicle_ids[3]
    changed = {"isSmartChargingEnabled": False}
    await restart(hass, entry, clock, SHORT, lambda: fleet.change_settings(car, **changed))
    for _ in range(2 * USERS):
        clock.go_on(timedelta(minutes=5))
        await poll(hass, entry)
    assert [(it["type"], it["late"]) for it in recorded.changes] == [
        ("smart_charging_disabled", True)
    ]


async def test_after_a_stop_longer_than_a_poll_interval_everybody_is_read(
    hass: HomeAssistant, fleet: Simulator, clock: Clock
) -> None:
    entry = await set_up_without_push(hass, fleet)
    before = len(fleet.requests)
    await restart(hass, entry, clock, LONG)
    assert users_read(fleet, before) == set(fleet.user_ids)


async def test_who_could_not_be_read_before_a_short_stop_is_read_after_it(
    hass: HomeAssistant, fleet: Simulator, clock: Clock
) -> None:
    entry = await set_up_without_push(hass, fleet)
    fleet.strike({"kind": "status", "status": 503, "users": [7]})
    for _ in range(USERS // 5):
        await poll(hass, entry)
    failing = set(entry.runtime_data.coordinator.known.failing)
    assert failing == {fleet.user_ids[6]}
    before = len(fleet.requests)
    await restart(hass, entry, clock, SHORT)
    assert failing <= users_read(fleet, before)


async def test_the_calendar_has_addresses_after_a_start_that_read_none(
    hass: HomeAssistant, fleet: Simulator, clock: Clock
) -> None:
    """The store keeps no address."""
    user = fleet.world.users[fleet.user_ids[0]]
    entry = await set_up_without_push(hass, fleet)
    await restart(hass, entry, clock, SHORT)
    unique_id = f"{user.id}_{fleet.vehicle_ids[0]}_sessions"
    entity_id = er.async_get(hass).async_get_entity_id("calendar", "jedlix", unique_id)
    assert entity_id is not None
    before = len(fleet.requests)
    for _ in range(2):
        answer: Any = await hass.services.async_call(
            "calendar",
            "get_events",
            {"start_date_time": "2020-01-01 00:00", "end_date_time": "2100-01-01 00:00"},
            target={"entity_id": entity_id},
            blocking=True,
            return_response=True,
        )
        events = answer[entity_id]["events"]
        assert any(user.locations[0].street in event.get("location", "") for event in events)
    asked = [it.path for it in list(fleet.requests)[before:] if "charging-locations" in it.path]
    assert len(asked) == 1


@pytest.fixture
def stored_users_wait_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("custom_components.jedlix.coordinator.STORED_USERS_TIMEOUT", 0.0)


@pytest.mark.usefixtures("stored_users_wait_a_moment")
async def test_an_api_that_hangs_at_a_start_holds_nothing_up(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry, clock: Clock
) -> None:
    sim.plug(sim.vehicle_ids[0])
    await poll(hass, polled)
    (number,) = sim.strike({"kind": "hang"})
    await restart(hass, polled, clock, SHORT)
    assert polled.state is ConfigEntryState.LOADED
    assert state_of(hass, "_smart_session") == "on"
    recorded = record_events(hass)
    sim.strike({"remove": [number]})
    sim.unplug(sim.vehicle_ids[0])
    await poll(hass, polled)
    assert recorded.types.count("session_ended") == 1
    assert state_of(hass, "_smart_session") == "off"


@pytest.mark.usefixtures("stored_users_wait_a_moment")
async def test_what_was_stored_too_long_ago_is_not_shown_meanwhile(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry, clock: Clock
) -> None:
    sim.strike({"kind": "hang"})
    await restart(hass, polled, clock, timedelta(hours=2))
    assert polled.state is ConfigEntryState.LOADED
    assert state_of(hass, "_smart_session") == STATE_UNAVAILABLE
    assert {state.state for state in hass.states.async_all("event")} == {STATE_UNKNOWN}


@pytest.mark.usefixtures("stored_users_wait_a_moment", "no_second_try")
async def test_why_a_poll_failed_that_set_up_did_not_wait_for_is_in_the_log(
    hass: HomeAssistant,
    sim: Simulator,
    polled: MockConfigEntry,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sim.strike({"kind": "status", "status": 503})
    await restart(hass, polled, clock, SHORT)
    await until(hass, lambda: "Jedlix cannot be read since the start: " in caplog.text)
