"""Refresh requests: what a delivery, or a command of ours, has refreshed and published."""

import asyncio
from dataclasses import replace
import time

from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.api import WebhookMessage
from custom_components.jedlix.const import DOMAIN, EVENT_CHANGE
from custom_components.jedlix.state.user_snapshot import UserSnapshot
from simulator.app import Simulator
from tests.commanding import mark, poll
from tests.coordinator.tools import PLUGGED_IN, coordinator_of
from tests.deliveries import ACCEPTED, Home, deliver
from tests.simulators import StartSimulator
from tests.tools import record_events, set_up_with_push, state_of, until


@pytest.fixture
def short_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a refresh that failed be tried again soon."""
    monkeypatch.setattr("custom_components.jedlix.state.refresh_queue.MIN_INTERVAL", 0.02)


async def test_a_delivery_has_changes_published_after_all_states_are_written(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    found: list[tuple[str, ...]] = []

    @callback
    def note_states(event: Event) -> None:
        keys = ("_plugged_in", "_charge_state", "_smart_session")
        found.append((event.data["type"], *(state_of(hass, key) for key in keys)))

    hass.bus.async_listen(EVENT_CHANGE, note_states)
    recorded = record_events(hass)
    sim.plug(sim.vehicle_ids[0])
    await until(hass, lambda: len(found) == 3)
    assert found == [(change_type, "on", "charging", "on") for change_type in PLUGGED_IN]
    device = dr.async_get(hass).async_get_device_by_identifier(
        (DOMAIN, f"{sim.user_ids[0]}_{sim.vehicle_ids[0]}"), entry.entry_id
    )
    assert device is not None
    expected = {
        "source": "webhook",
        "late": False,
        "entry_id": entry.entry_id,
        "device_id": device.id,
        "user_id": sim.user_ids[0],
        "vehicle_id": sim.vehicle_ids[0],
    }
    for change in recorded.changes:
        assert expected.items() <= change.items()
        assert dt_util.parse_datetime(change["occurred_at"]) is not None


async def test_event_entities_have_the_context_of_the_bus_event(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    """What an automation on the event does can be traced back to it."""
    contexts: list[str] = []
    hass.bus.async_listen(EVENT_CHANGE, callback(lambda event: contexts.append(event.context.id)))
    sim.plug(sim.vehicle_ids[0])
    await until(hass, lambda: len(contexts) == 3)
    states = {state.attributes.get("event_type"): state for state in hass.states.async_all("event")}
    charging, session = states["charging_started"], states["session_started"]
    assert charging.attributes["battery_level"] == 12
    assert session.attributes["is_managed"] is True
    assert session.attributes["session_id"]
    assert [session.context.id, charging.context.id] == contexts[1:]


async def test_a_hundred_deliveries_in_a_second_cost_four_calls(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, home: Home
) -> None:
    calls, begin = mark(sim), time.monotonic()
    for number in range(100):
        assert await deliver(home, id=f"{number}", userId=sim.user_ids[0]) == ACCEPTED
    seconds = int(time.monotonic() - begin)  # 0, unless the machine is busy with something else
    await asyncio.sleep(1.3)
    assert 2 <= len(calls()) <= 4 + 2 * seconds


# -- whom a delivery refreshes -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "refreshes"),
    [
        ({"userId": "the user"}, True),
        ({"userId": "a stranger"}, False),
        ({"vehicleId": "the car"}, True),
        ({"sessionId": "the session"}, True),
        ({"vehicleId": "a stranger's", "sessionId": "a stranger's"}, True),
        ({}, True),
    ],
)
async def test_a_delivery_refreshes_the_user_it_names_or_else_the_household(
    hass: HomeAssistant,
    sim: Simulator,
    entry: MockConfigEntry,
    home: Home,
    message: dict[str, str],
    refreshes: bool,
) -> None:
    sim.webhooks.event_types.clear()
    sim.plug(sim.vehicle_ids[0])
    await poll(hass, entry)
    session = sim.vehicle(sim.vehicle_ids[0]).session
    assert session is not None
    ids = {
        "the user": sim.user_ids[0],
        "the car": sim.vehicle_ids[0],
        "the session": session.id,
    }
    calls = mark(sim)
    await deliver(home, **{key: ids.get(value, value) for key, value in message.items()})
    if refreshes:
        await until(hass, calls)
    await asyncio.sleep(0.05)
    assert bool(calls()) is refreshes


async def test_in_a_fleet_a_delivery_that_names_nobody_brings_the_poll_forward(
    hass: HomeAssistant, start_simulator: StartSimulator, callback_url: str, home: Home
) -> None:
    sim = await start_simulator(users=12)
    entry = await set_up_with_push(hass, sim, callback_url)
    calls = mark(sim)
    await deliver(home)
    await until(hass, lambda: len(calls()) >= 7)
    await asyncio.sleep(0.05)
    assert len(calls()) == 7  # two lists of the tenant and the cars of five users
    missed = WebhookMessage.from_json({"id": "missed", "eventType": "any"})
    assert coordinator_of(entry).deliveries.publish_missed(missed) == ()


async def test_in_a_fleet_a_delivery_that_names_a_car_refreshes_its_user_alone(
    hass: HomeAssistant, start_simulator: StartSimulator, callback_url: str, home: Home
) -> None:
    sim = await start_simulator(users=12)
    await set_up_with_push(hass, sim, callback_url)
    calls = mark(sim)
    await deliver(home, vehicleId=sim.vehicle_ids[7])
    await until(hass, lambda: len(calls()) >= 2)
    await asyncio.sleep(0.05)
    assert {path.split("/")[4] for path in calls()} == {sim.user_ids[7]}


async def test_a_change_of_one_car_writes_the_entities_of_that_car_alone(
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


# -- requests that cannot be served at once ------------------------------------------------------------------


@pytest.mark.usefixtures("short_interval")
async def test_a_delivery_during_an_outage_is_served_when_the_api_is_back(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    recorded, calls = record_events(hass), mark(sim)
    sim.strike({"outage_seconds": 60.0})
    sim.plug(sim.vehicle_ids[0])
    await until(hass, lambda: len(calls()) >= 4)  # two tries
    assert recorded.types == []
    sim.strike({"outage_seconds": 0.0})
    await until(hass, lambda: recorded.types)
    assert recorded.types == PLUGGED_IN
    assert {change["source"] for change in recorded.changes} == {"webhook"}


@pytest.mark.usefixtures("short_interval")
async def test_a_request_with_refused_credentials_is_left_to_the_poll_and_asks_for_nothing(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    recorded, before = record_events(hass), sim.settings
    sim.settings = replace(before, client_secret="another")
    sim.strike({"token_expiry": True})
    count = sim.requests_answered
    sim.plug(sim.vehicle_ids[0])
    await until(hass, lambda: sim.requests_answered > count)
    await asyncio.sleep(0.1)  # the rest of the three deliveries
    count = sim.requests_answered
    await asyncio.sleep(0.2)
    assert sim.requests_answered == count
    assert recorded.types == []
    assert not hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    sim.settings = before
    await poll(hass, entry)
    assert recorded.types == PLUGGED_IN  # it was still missed


async def test_a_refresh_that_hangs_is_ended_and_counts_as_failed(
    hass: HomeAssistant,
    sim: Simulator,
    polled: MockConfigEntry,
    vehicles_may_answer: asyncio.Event,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    vehicles_may_answer.clear()
    with monkeypatch.context() as patch:
        patch.setattr("custom_components.jedlix.refresher.REFRESH_TIMEOUT", 0.1)
        await poll(hass, polled)
    assert "cannot be read at the moment: the refresh took longer than a minute" in caplog.text
    assert polled.runtime_data.store.users[sim.user_ids[0]].failing_since is not None
    vehicles_may_answer.set()
    sim.plug(sim.vehicle_ids[0])
    recorded = record_events(hass)
    await poll(hass, polled)
    assert recorded.types == PLUGGED_IN
    assert polled.runtime_data.store.users[sim.user_ids[0]].failing_since is None


async def test_a_fault_of_ours_is_in_the_log_and_the_next_refresh_finds_the_change(
    hass: HomeAssistant,
    sim: Simulator,
    polled: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    recorded = record_events(hass)
    sim.plug(sim.vehicle_ids[0])
    with monkeypatch.context() as patch:
        patch.setattr(UserSnapshot, "advance", {}.pop)
        await poll(hass, polled)
    assert "The refresh of the Jedlix user" in caplog.text
    assert "Traceback" in caplog.text
    assert recorded.types == []
    await poll(hass, polled)
    assert recorded.types == PLUGGED_IN


async def test_a_refresh_after_a_command_has_the_command_as_its_source(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry
) -> None:
    recorded = record_events(hass)
    sim.plug(sim.vehicle_ids[0])
    await coordinator_of(polled).refresh_after_command(sim.user_ids[0])
    assert len(recorded.types) == 3
    assert {change["source"] for change in recorded.changes} == {"command"}


@pytest.mark.usefixtures("short_interval")
async def test_a_failed_refresh_after_a_command_is_requested_again(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry
) -> None:
    sim.plug(sim.vehicle_ids[0])
    sim.strike({"outage_seconds": 0.3})
    recorded = record_events(hass)
    await coordinator_of(polled).refresh_after_command(sim.user_ids[0])
    assert state_of(hass, "_plugged_in") == "off"
    await until(hass, lambda: state_of(hass, "_plugged_in") == "on")
    assert {change["source"] for change in recorded.changes} == {"command"}
    assert not polled.runtime_data.store.push.reports_changes  # no delivery had a part in it


@pytest.mark.usefixtures("short_interval")
async def test_only_the_first_refresh_after_a_command_without_an_answer_counts_as_its(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    recorded, car = record_events(hass), sim.vehicle_ids[0]
    sim.strike({"drop": 1})
    sim.change_settings(car, isSmartChargingEnabled=False)
    coordinator_of(entry).request_after_failed_command(sim.user_ids[0])
    await until(hass, lambda: recorded.types == ["smart_charging_disabled"])
    sim.strike({"drop": 0})
    sim.plug(car)
    await until(hass, lambda: "session_started" in recorded.types)
    assert [change["source"] for change in recorded.changes[:2]] == ["command", "webhook"]
