"""Event types: the documented one about a car, candidates that are tried once, and types that are refused."""

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.const import (
    CONF_EVENT_TYPES,
    CONF_FIND_EVENT_TYPES,
    DOCUMENTED_EVENT_TYPES,
)
from custom_components.jedlix.push import registration
from custom_components.jedlix.push.event_types import CANDIDATES
from custom_components.jedlix.push.health import PushState
from custom_components.jedlix.push.record import PushRecord
from custom_components.jedlix.store import JedlixStore
from simulator.app import Simulator
from tests.commanding import device_of
from tests.conftest import StartSimulator
from tests.push.tools import (
    has_problem,
    push_of,
    reaches,
    registration_calls,
    toggle_plug,
    types_at,
)
from tests.tools import make_entry, record_events, set_up, set_up_with_push, until


def tries(sim: Simulator) -> int:
    """Return how often a registration was tried."""
    return sum(call.startswith("POST") for call in registration_calls(sim))


def record_of(entry: MockConfigEntry) -> PushRecord:
    """Return what the store of a loaded entry keeps of push."""
    record: PushRecord = entry.runtime_data.store.push
    return record


def shown_event_type(hass: HomeAssistant) -> str:
    """Return the event type that the account's event entity shows; it must be one of its own types."""
    (state,) = (it for it in hass.states.async_all("event") if "webhook_type" in it.attributes)
    event_type: str = state.attributes["event_type"]
    assert event_type in state.attributes["event_types"]
    return event_type


async def find_event_types(hass: HomeAssistant, entry: MockConfigEntry, wanted: bool) -> None:
    """Switch the option on or off."""
    options = {**entry.options, CONF_FIND_EVENT_TYPES: wanted}
    hass.config_entries.async_update_entry(entry, options=options)
    await hass.async_block_till_done()


async def test_accepted_candidates_are_found_once_and_kept(
    hass: HomeAssistant, start_simulator: StartSimulator, callback_url: str
) -> None:
    sim = await start_simulator(
        session_events={"session_started": "sessionStarted", "session_ended": "sessionEnded"}
    )
    options = {CONF_EVENT_TYPES: [*DOCUMENTED_EVENT_TYPES], CONF_FIND_EVENT_TYPES: True}
    entry = make_entry(sim, callback_url, options=options)
    await set_up(hass, entry)
    found = {*DOCUMENTED_EVENT_TYPES, "sessionStarted", "sessionEnded"}
    await until(hass, lambda: len(record_of(entry).tried_event_types) == len(CANDIDATES))
    assert types_at(sim) == found
    assert push_of(entry).state is PushState.WAITING
    tried = tries(sim)
    assert tried == len(DOCUMENTED_EVENT_TYPES) + len(CANDIDATES)
    # The event entity knows a found type without a restart.
    toggle_plug(sim)
    await reaches(hass, entry, PushState.HEALTHY)
    assert shown_event_type(hass) == "sessionStarted"
    # Neither a restart nor another pass tries the candidates again.
    await hass.config_entries.async_reload(entry.entry_id)
    await reaches(hass, entry, PushState.WAITING)
    push_of(entry).registration.check_now()
    await until(hass, lambda: registration_calls(sim)[-2:] == ["GET 200", "GET 200"])
    assert tries(sim) == tried
    assert types_at(sim) == found
    stored = JedlixStore(hass, entry.entry_id)
    await stored.load()
    assert stored.push.tried_event_types == record_of(entry).tried_event_types
    # Without the option the found types are unsubscribed; the refusals are remembered.
    await find_event_types(hass, entry, wanted=False)
    await until(hass, lambda: types_at(sim) == set(DOCUMENTED_EVENT_TYPES))
    refused = [name for name in CANDIDATES if name not in found]
    assert record_of(entry).tried_event_types == dict.fromkeys(refused, False)
    await find_event_types(hass, entry, wanted=True)
    await until(hass, lambda: types_at(sim) == found)
    assert tries(sim) == tried + len(CANDIDATES) - len(refused)


async def test_no_candidate_is_judged_while_no_type_can_be_registered(
    hass: HomeAssistant, sim: Simulator, callback_url: str
) -> None:
    sim.strike({"subscription_status": 422})
    entry = make_entry(sim, callback_url, options={CONF_FIND_EVENT_TYPES: True})
    await set_up(hass, entry)
    await has_problem(hass, entry, "rejected")
    assert tries(sim) == len(entry.options[CONF_EVENT_TYPES])
    assert record_of(entry).tried_event_types == {}


async def test_without_the_option_no_candidate_is_tried(
    entry: MockConfigEntry, sim: Simulator
) -> None:
    assert tries(sim) == len(entry.options[CONF_EVENT_TYPES])


async def test_a_type_that_is_refused_for_a_moment_is_tried_again_soon(
    hass: HomeAssistant, sim: Simulator, callback_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registration, "MIN_RETRY_INTERVAL", 0.01)
    wanted = [*DOCUMENTED_EVENT_TYPES, "newSoon"]
    entry = make_entry(sim, callback_url, options={CONF_EVENT_TYPES: wanted})
    await set_up(hass, entry)
    await until(hass, lambda: registration_calls(sim).count("POST 400") == 2)
    assert push_of(entry).state is PushState.WAITING
    assert push_of(entry).registration.problem is None
    sim.webhooks.event_types["soon"] = "newSoon"
    await until(hass, lambda: types_at(sim) == set(wanted))
    assert registration_calls(sim).count("POST 201") == 3


async def test_a_type_that_is_refused_each_time_is_not_tried_again_before_the_next_day(
    hass: HomeAssistant, sim: Simulator, callback_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registration, "MIN_RETRY_INTERVAL", 0.001)
    monkeypatch.setattr(registration, "MAX_RETRY_INTERVAL", 0.008)
    entry = make_entry(sim, callback_url, options={CONF_EVENT_TYPES: ["userCreated", "noSuch"]})
    await set_up(hass, entry)
    await until(hass, lambda: registration_calls(sim).count("POST 400") == 4)
    with pytest.raises(TimeoutError):
        await until(hass, lambda: registration_calls(sim).count("POST 400") > 4, seconds=0.2)
    assert push_of(entry).state is PushState.WAITING


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
