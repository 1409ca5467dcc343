"""Event types: what is subscribed by default, and tenants that refuse some, limit or spell them otherwise."""

from datetime import timedelta
import logging
from typing import Any

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.api import JedlixClient, RateLimited
from custom_components.jedlix.const import (
    CONF_EVENT_TYPES,
    CONF_FOLLOW_NEW_USERS,
    DOCUMENTED_EVENT_TYPES,
    USER_CREATED,
    VEHICLE_READY,
)
from custom_components.jedlix.push import registration
from custom_components.jedlix.push.event_types import DEFAULT_EVENT_TYPES, pascal_case
from custom_components.jedlix.push.health import PushState
from custom_components.jedlix.push.record import PushRecord
from custom_components.jedlix.push.refused_types import Reason
from simulator.app import Simulator
from simulator.event_types import PARTIAL_LIMIT
from tests.commanding import device_of
from tests.push.tools import (
    has_problem,
    push_of,
    reaches,
    registration_calls,
    repairs_of,
    toggle_plug,
    types_at,
)
from tests.simulators import StartSimulator
from tests.tools import Clock, make_entry, record_events, set_up, set_up_with_push, state_of, until

REPORTED = DEFAULT_EVENT_TYPES[2:]


def tries(sim: Simulator) -> int:
    """Return how often a registration was tried."""
    return sum(call.startswith("POST") for call in registration_calls(sim))


def record_of(entry: MockConfigEntry) -> PushRecord:
    """Return what the store of a loaded entry keeps of push."""
    record: PushRecord = entry.runtime_data.store.push
    return record


def reasons(entry: MockConfigEntry) -> dict[str, Reason]:
    """Return why event types were refused."""
    return {name: refusal.reason for name, refusal in record_of(entry).refused_types.items()}


async def set_up_default(
    hass: HomeAssistant, sim: Simulator, callback_url: str, **options: Any
) -> MockConfigEntry:
    """Set an entry up with the default event types, and wait for the end of its registration."""
    entry = make_entry(sim, callback_url, options={CONF_EVENT_TYPES: None, **options})
    entry.add_to_hass(hass)
    chosen = {key: value for key, value in entry.options.items() if value is not None}
    hass.config_entries.async_update_entry(entry, options=chosen)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    await until(hass, lambda: push_of(entry).state is not PushState.CONNECTING)
    return entry


async def pass_once(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Let the registration make one more pass."""
    await push_of(entry).registration._register()
    await hass.async_block_till_done()


def shown_event_type(hass: HomeAssistant) -> str:
    """Return the event type that the account's event entity shows; it must be one of its own types."""
    (state,) = (it for it in hass.states.async_all("event") if "webhook_type" in it.attributes)
    event_type: str = state.attributes["event_type"]
    assert event_type in state.attributes["event_types"]
    return event_type


@pytest.mark.usefixtures("all_enabled")
async def test_by_default_each_known_type_is_subscribed_the_documented_first(
    hass: HomeAssistant, sim: Simulator, callback_url: str
) -> None:
    entry = await set_up_default(hass, sim, callback_url)
    assert [item.event_type for item in sim.webhooks.subscriptions.values()] == list(
        DEFAULT_EVENT_TYPES
    )
    assert reasons(entry) == {}
    assert push_of(entry).state is PushState.WAITING
    recorded = record_events(hass)
    sent_at = sim.now()
    toggle_plug(sim)
    await until(hass, lambda: "plugged_in" in recorded.types)
    assert sim.now() - sent_at < timedelta(seconds=1)
    assert {change["source"] for change in recorded.changes} == {"webhook"}
    assert push_of(entry).state is PushState.HEALTHY
    assert shown_event_type(hass) in ("sessionStarted", "sessionUpdated")
    before = len(registration_calls(sim))
    await pass_once(hass, entry)
    assert registration_calls(sim)[before:] == ["GET 200"]


async def test_a_partial_tenant_is_used_as_far_as_it_goes(
    hass: HomeAssistant,
    start_simulator: StartSimulator,
    callback_url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "custom_components.jedlix")
    sim = await start_simulator(mode="partial")
    entry = await set_up_default(hass, sim, callback_url)
    accepted = {
        USER_CREATED,
        VEHICLE_READY,
        "sessionStarted",
        "sessionEnded",
        "sessionImpossible",
        "vehicleInvalidCredentials",
    }
    assert len(accepted) == PARTIAL_LIMIT
    assert types_at(sim) == set(record_of(entry).subscriptions) == accepted
    assert reasons(entry).keys() == set(DEFAULT_EVENT_TYPES) - accepted
    assert reasons(entry)["sessionUpdated"] is Reason.UNKNOWN_NAME
    assert reasons(entry)["vehicleConnected"] is Reason.NO_ROOM
    assert push_of(entry).state is PushState.WAITING
    assert repairs_of(hass) == []
    # A restart tries no refused type again.
    tried = tries(sim)
    await hass.config_entries.async_reload(entry.entry_id)
    await reaches(hass, entry, PushState.WAITING)
    assert tries(sim) == tried
    assert not [line for line in caplog.records if "event type" in line.getMessage()]
    recorded = record_events(hass)
    toggle_plug(sim)
    await until(hass, lambda: "session_started" in recorded.types)
    assert push_of(entry).state is PushState.HEALTHY


async def test_a_refusal_while_push_works_does_not_say_that_home_assistant_was_not_reached(
    hass: HomeAssistant, sim: Simulator, callback_url: str, clock: Clock
) -> None:
    """In the pass that tries the new name nothing else is written, so no test message arrives in it."""
    entry = await set_up_with_push(hass, sim, callback_url)
    types, keep = list(entry.options[CONF_EVENT_TYPES]), push_of(entry).registration
    assert await keep.find_event_types([*types, "noSuchType"]) is None
    assert reasons(entry) == {"noSuchType": Reason.UNKNOWN_NAME}
    # Two days later nothing shows any more that Home Assistant can be reached.
    clock.go_on(timedelta(days=2))
    assert await keep.find_event_types([*types, "noSuchType", "nothingEither"]) is None
    assert reasons(entry)["nothingEither"] is Reason.NOT_REACHED
    assert reasons(entry)["noSuchType"] is Reason.UNKNOWN_NAME


async def test_refused_types_are_tried_again_later_and_on_wish(
    hass: HomeAssistant, start_simulator: StartSimulator, callback_url: str, clock: Clock
) -> None:
    sim = await start_simulator(event_types={})
    clock_of(sim, clock)
    entry = await set_up_default(hass, sim, callback_url)
    assert push_of(entry).state is PushState.LIMITED
    assert state_of(hass, "_push_state") == "limited"
    assert state_of(hass, "_push", "binary_sensor") == "on"
    names = 2 * len(REPORTED)  # in both spellings
    tried = tries(sim)
    assert tried == len(DOCUMENTED_EVENT_TYPES) + names
    for pause, expected, minutes_to_next in (
        (timedelta(minutes=9), 0, 1),
        (timedelta(minutes=2), names, 60),
        (timedelta(minutes=50), 0, 10),
        (timedelta(minutes=11), names, 24 * 60),
        (timedelta(days=6), 0, 24 * 60),
        (timedelta(days=2), names, 24 * 60),
    ):
        clock.go_on(pause)
        before = tries(sim)
        await pass_once(hass, entry)
        assert tries(sim) - before == expected, pause
        seconds_to_next = push_of(entry).registration._time_to_next_pass()
        assert seconds_to_next == pytest.approx(minutes_to_next * 60, abs=30)
    before = tries(sim)
    push_of(entry).resubscribe()
    await until(hass, lambda: tries(sim) - before == tried)
    sim.webhooks.event_types["session_started"] = "sessionStarted"
    push_of(entry).resubscribe()
    await reaches(hass, entry, PushState.WAITING)
    assert "sessionStarted" in types_at(sim)


def clock_of(sim: Simulator, clock: Clock) -> None:
    """Let a simulator that was started later follow the clock as well."""
    sim.clock = clock.now


@pytest.mark.usefixtures("all_enabled")
async def test_a_tenant_that_takes_the_other_spelling(
    hass: HomeAssistant, sim: Simulator, callback_url: str
) -> None:
    sim.strike({"spelling": "PascalCase"})
    entry = await set_up_default(hass, sim, callback_url)
    assert types_at(sim) == {*DOCUMENTED_EVENT_TYPES, *map(pascal_case, REPORTED)}
    assert push_of(entry).state is PushState.WAITING
    tried = tries(sim)
    await pass_once(hass, entry)
    assert tries(sim) == tried
    toggle_plug(sim)
    await reaches(hass, entry, PushState.HEALTHY)
    assert shown_event_type(hass) in ("SessionStarted", "SessionUpdated")


@pytest.mark.parametrize(
    ("limit", "kept"),
    [
        (1, {"sessionStarted"}),
        (2, {USER_CREATED, "sessionStarted"}),
        (3, {USER_CREATED, "sessionStarted", "sessionEnded"}),
        (4, {USER_CREATED, "sessionStarted", "sessionEnded", "sessionUpdated"}),
    ],
)
async def test_a_tenant_that_limits_the_number_keeps_the_most_useful(
    hass: HomeAssistant, sim: Simulator, callback_url: str, limit: int, kept: set[str]
) -> None:
    sim.strike({"subscription_limit": limit})
    # An entry of an earlier version lacks the option.
    entry = await set_up_default(hass, sim, callback_url, **{CONF_FOLLOW_NEW_USERS: None})
    assert types_at(sim) == set(record_of(entry).subscriptions) == kept
    assert set(reasons(entry).values()) == {Reason.NO_ROOM}
    assert push_of(entry).state is PushState.WAITING
    tried = tries(sim)
    await pass_once(hass, entry)
    assert (tries(sim), types_at(sim)) == (tried, kept)
    toggle_plug(sim)
    await reaches(hass, entry, PushState.HEALTHY)


async def test_a_limit_of_one_is_kept_for_new_users_where_they_are_followed(
    hass: HomeAssistant, sim: Simulator, callback_url: str
) -> None:
    sim.strike({"subscription_limit": 1})
    entry = await set_up_default(hass, sim, callback_url, **{CONF_FOLLOW_NEW_USERS: True})
    assert types_at(sim) == set(record_of(entry).subscriptions) == {USER_CREATED}
    assert push_of(entry).state is PushState.LIMITED


async def test_a_limit_at_a_tenant_without_a_delete_loses_nothing(
    hass: HomeAssistant, sim: Simulator, callback_url: str
) -> None:
    sim.strike({"subscription_limit": 2, "absent": ["unsubscribe"]})
    entry = await set_up_default(hass, sim, callback_url)
    assert types_at(sim) == set(record_of(entry).subscriptions) == set(DOCUMENTED_EVENT_TYPES)
    assert push_of(entry).state is PushState.LIMITED


async def test_one_type_at_which_jedlix_fails_stops_no_other(
    hass: HomeAssistant, sim: Simulator, callback_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = sim.webhooks.test

    async def fail_at_one(event_type: str, *args: str) -> str | None:
        if event_type == "sessionEnded":
            raise RuntimeError
        return await test(event_type, *args)

    monkeypatch.setattr(sim.webhooks, "test", fail_at_one)
    entry = await set_up_default(hass, sim, callback_url)
    assert types_at(sim) == {*DEFAULT_EVENT_TYPES} - {"sessionEnded"}
    assert reasons(entry) == {"sessionEnded": Reason.FAILED}
    assert push_of(entry).state is PushState.WAITING


async def test_a_pass_that_jedlix_ends_early_goes_on_soon(
    hass: HomeAssistant, sim: Simulator, callback_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe, asks_to_wait = JedlixClient.subscribe, True

    async def wait_at_one(client: JedlixClient, event_type: str, url: str, key: str) -> Any:
        if event_type == "sessionEnded" and asks_to_wait:
            raise RateLimited("later", None)
        return await subscribe(client, event_type, url, key)

    monkeypatch.setattr(JedlixClient, "subscribe", wait_at_one)
    entry = await set_up_default(hass, sim, callback_url)
    assert not await push_of(entry).registration._register()
    assert "sessionEnded" not in types_at(sim)
    asks_to_wait = False
    assert await push_of(entry).registration._register()
    assert types_at(sim) == {*DEFAULT_EVENT_TYPES}


async def test_all_types_are_tried_again_where_a_tenant_had_room_for_none(
    hass: HomeAssistant, sim: Simulator, callback_url: str
) -> None:
    sim.strike({"subscription_status": 409})
    entry = await set_up_default(hass, sim, callback_url)
    await has_problem(hass, entry, "slot_taken")
    assert types_at(sim) == set()
    assert reasons(entry) == {}
    sim.faults.clear()
    await pass_once(hass, entry)
    assert types_at(sim) == {*DEFAULT_EVENT_TYPES}


async def test_a_tenant_that_accepts_all_and_never_sends_is_waiting(
    hass: HomeAssistant, sim: Simulator, callback_url: str
) -> None:
    sim.strike({"drop": 1.0})
    entry = await set_up_default(hass, sim, callback_url)
    toggle_plug(sim)
    recorded = record_events(hass)
    await entry.runtime_data.coordinator.async_refresh()
    await until(hass, lambda: "plugged_in" in recorded.types)
    assert {change["source"] for change in recorded.changes} == {"poll"}
    assert push_of(entry).state is PushState.WAITING


async def test_no_reported_type_is_tried_while_the_address_does_not_work(
    hass: HomeAssistant, sim: Simulator, callback_url: str
) -> None:
    entry = make_entry(sim, "http://127.0.0.1:9", options={CONF_EVENT_TYPES: DEFAULT_EVENT_TYPES})
    await set_up(hass, entry)
    await has_problem(hass, entry, "not_reachable")
    assert tries(sim) == len(DOCUMENTED_EVENT_TYPES)
    assert reasons(entry) == {}


async def test_a_tenant_that_refuses_all_after_the_test_has_a_problem_and_is_asked_sparingly(
    hass: HomeAssistant, sim: Simulator, callback_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registration, "MIN_RETRY_INTERVAL", 0.01)
    sim.strike({"subscription_status": 422})
    entry = make_entry(sim, callback_url)
    await set_up(hass, entry)
    await has_problem(hass, entry, "rejected")
    assert tries(sim) % len(DOCUMENTED_EVENT_TYPES) == 0
    assert reasons(entry) == {}
    sim.strike({"subscription_status": 0})
    await until(hass, lambda: types_at(sim) == set(entry.options[CONF_EVENT_TYPES]))


async def test_a_car_that_is_ready_to_continue_is_published_for_its_device(
    hass: HomeAssistant, start_simulator: StartSimulator, callback_url: str
) -> None:
    sim = await start_simulator(users=2)
    entry = await set_up_with_push(hass, sim, callback_url)
    recorded = record_events(hass)
    sim.ready(sim.vehicle_ids[1])
    await until(hass, lambda: recorded.types)
    (change,) = recorded.changes
    assert change["type"] == "vehicle_ready_to_continue"
    assert change["device_id"] == device_of(hass, entry, sim, 1).id
    assert (change["user_id"], change["vehicle_id"]) == (sim.user_ids[1], sim.vehicle_ids[1])
    assert (change["source"], change["late"]) == ("webhook", False)
