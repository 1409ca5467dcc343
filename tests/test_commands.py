"""Commands: each failure is an error in the user's language, and the states are right afterwards."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, cast

from aiohttp import ClientTimeout
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.api import ConnectionFailed, JedlixClient
from custom_components.jedlix.const import DOMAIN
from simulator.api.http import Problem
from simulator.app import Simulator
from tests.commanding import (
    car_state,
    command,
    device_of,
    entity_of,
    fails,
    mark,
    poll,
    set_up_with_rare_polls,
    troubles,
)
from tests.simulators import StartSimulator
from tests.tools import Clock, record_events, until

pytestmark = pytest.mark.usefixtures("home", "no_second_try")


@dataclass(frozen=True, eq=False)
class Command:
    """A use of a control, the call that it makes, and the action that makes the same call."""

    control: str
    service: str
    call: str
    data: dict[str, Any] = field(default_factory=dict)
    car: int = 0
    action: str | None = None
    action_data: dict[str, Any] = field(default_factory=dict)

    async def give(self, hass: HomeAssistant, sim: Simulator) -> None:
        await command(hass, sim, self.control, self.service, self.car, **self.data)

    def state(self, hass: HomeAssistant, sim: Simulator) -> str:
        return car_state(hass, sim, self.control, self.car).state


SETTINGS: Final = "update_charge_settings"
SESSION: Final = "session_settings"
SMART: Final = Command("switch.smart_charging", "turn_off", SETTINGS, action="pause_smart_charging")
BOOST: Final = Command("switch.boost", "turn_on", SESSION, action="boost")
DESIRED: Final = Command("number.desired_battery_level", "set_value", SETTINGS, {"value": 90})
MINIMUM: Final = Command("number.minimum_battery_level", "set_value", SETTINGS, {"value": 30})
CURRENT: Final = Command(
    "number.current_battery_level",
    "set_value",
    SESSION,
    {"value": 50},
    car=1,
    action="set_current_battery_level",
    action_data={"level": 50},
)
REFRESH: Final = Command("button.refresh", "press", "request_refresh")
COMMANDS: Final = (SMART, BOOST, DESIRED, MINIMUM, CURRENT, REFRESH)


def each(*commands: Command) -> pytest.MarkDecorator:
    """Run a test with each of these commands."""
    return pytest.mark.parametrize("it", commands, ids=lambda it: it.control)


@pytest.fixture
async def plugged(hass: HomeAssistant, start_simulator: StartSimulator) -> Simulator:
    """Return a simulator with two cars in a session each; the entry has no push."""
    sim = await start_simulator(users=2)
    for vehicle_id in sim.vehicle_ids:
        sim.plug(vehicle_id)
    await set_up_with_rare_polls(hass, sim)
    return sim


async def until_waiting(condition: Callable[[], object]) -> None:
    """Wait for something that leaves a command waiting, so that not all can be done."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  there is no event to wait for
            await asyncio.sleep(0.005)


def entry_of(hass: HomeAssistant) -> MockConfigEntry:
    """Return the only entry."""
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    return cast("MockConfigEntry", entry)


# -- Jedlix cannot be reached ------------------------------------------------------------------------------


@each(*COMMANDS)
async def test_a_command_that_does_not_reach_jedlix_says_so_and_can_be_given_again(
    hass: HomeAssistant,
    plugged: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    it: Command,
) -> None:
    before = it.state(hass, plugged)
    for fault in (
        {"api_429": 1.0},
        {"api_500": 1.0},
        {"api_slow_seconds": 0.2},
        {"outage_seconds": 60.0, "outage_how": "refuse"},
    ):
        plugged.strike(fault)
        with monkeypatch.context() as patch:
            if "api_slow_seconds" in fault:
                patch.setattr("custom_components.jedlix.api.http.TIMEOUT", ClientTimeout(0.05))
            await fails(hass, it.give(hass, plugged), "command_failed")
        plugged.strike({name: 0.0 for name in fault if name != "outage_how"})
        if it is not REFRESH:  # the state of a button is when it was pressed
            assert it.state(hass, plugged) == before
    assert not hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert troubles(caplog) == []
    await it.give(hass, plugged)
    assert it.state(hass, plugged) != before


async def test_a_write_whose_answer_is_lost_is_shown_as_soon_as_jedlix_answers_again(
    hass: HomeAssistant, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.jedlix.state.refresh_queue.MIN_INTERVAL", 0.01)
    entry = await set_up_with_rare_polls(hass, sim)
    client = entry.runtime_data.client

    async def lose_the_answer(*args: Any) -> None:
        await JedlixClient.update_charge_settings(client, *args)
        raise ConnectionFailed("no answer within 15 seconds")

    monkeypatch.setattr(client, "update_charge_settings", lose_the_answer)
    await fails(hass, DESIRED.give(hass, sim), "command_failed")
    assert sim.vehicle(sim.vehicle_ids[0]).settings["desiredBatteryLevel"] == 90
    await until(hass, lambda: DESIRED.state(hass, sim) == "90")


# -- Jedlix refuses ----------------------------------------------------------------------------------------


@each(*COMMANDS)
async def test_a_command_with_refused_credentials_says_so_and_leaves_it_to_the_poll_to_ask_for_new_ones(
    hass: HomeAssistant, plugged: Simulator, monkeypatch: pytest.MonkeyPatch, it: Command
) -> None:
    """One refusal is not yet a wrong password."""
    before = it.state(hass, plugged)
    with monkeypatch.context() as patch:
        patch.setattr(type(plugged.tokens), "is_valid", lambda *_: False)
        for _ in range(3):
            await fails(hass, it.give(hass, plugged), "auth_failed")
    assert not hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    await it.give(hass, plugged)
    assert it.state(hass, plugged) != before


@each(SMART, BOOST, DESIRED, CURRENT)
async def test_a_refused_command_shows_the_reason_that_jedlix_gives(
    hass: HomeAssistant, plugged: Simulator, monkeypatch: pytest.MonkeyPatch, it: Command
) -> None:
    def refuse(*_args: object, **_options: object) -> None:
        raise Problem(422, "Not on a Tuesday.")

    for name in ("change_settings", "set_boost", "set_current_level"):
        monkeypatch.setattr(plugged.world, name, refuse)
    text = await fails(hass, it.give(hass, plugged), "command_refused")
    assert "Not on a Tuesday." in text
    assert it.state(hass, plugged) != STATE_UNAVAILABLE


@pytest.mark.parametrize("answer", ["absent", "forbidden", "conflict"])
@each(BOOST, CURRENT)
async def test_a_session_that_ended_meanwhile_takes_no_control_away(
    hass: HomeAssistant, plugged: Simulator, it: Command, answer: str
) -> None:
    vehicle_id = plugged.vehicle_ids[it.car]
    plugged.unplug(vehicle_id)
    if answer != "conflict":
        plugged.strike({answer: ["session_settings"]})
    await fails(hass, it.give(hass, plugged), "no_session", ServiceValidationError)
    assert car_state(hass, plugged, "sensor.session", it.car).state == "none"
    assert it.state(hass, plugged) == STATE_UNAVAILABLE
    plugged.strike({"absent": [], "forbidden": []})
    plugged.plug(vehicle_id)
    await poll(hass, entry_of(hass))
    await it.give(hass, plugged)
    assert it.state(hass, plugged) in {"on", "50"}


@each(*COMMANDS)
async def test_a_car_that_is_gone_meanwhile_takes_no_control_of_another_away(
    hass: HomeAssistant, plugged: Simulator, monkeypatch: pytest.MonkeyPatch, it: Command
) -> None:
    """Jedlix refuses commands to it from the start. It is gone here once several answers agree."""
    entity_id = entity_of(hass, plugged, it.control, it.car)
    assert entity_id is not None
    clock = Clock(monkeypatch, plugged)
    plugged.remove(plugged.vehicle_ids[it.car])
    with pytest.raises(HomeAssistantError) as caught:
        await hass.services.async_call(
            it.control.partition(".")[0],
            it.service,
            {"entity_id": entity_id, **it.data},
            blocking=True,
        )
    refusal = "no_session" if it.call == SESSION else "command_refused"
    assert caught.value.translation_key == refusal
    for _ in range(2):
        assert er.async_get(hass).async_get(entity_id) is not None
        clock.go_on(timedelta(minutes=8))
        await poll(hass, entry_of(hass))
    assert er.async_get(hass).async_get(entity_id) is None
    assert entry_of(hass).runtime_data.coordinator.offered.is_offered(it.call)


# -- the tenant does not offer the call --------------------------------------------------------------------


@each(*COMMANDS)
@pytest.mark.parametrize("how", ["absent", "forbidden"])
async def test_a_call_that_is_not_offered_makes_its_controls_unavailable_with_one_line_in_the_log(
    hass: HomeAssistant,
    plugged: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    it: Command,
    how: str,
) -> None:
    """One refusal decides nothing; three over ten minutes do."""
    clock, entry = Clock(monkeypatch, plugged), entry_of(hass)
    plugged.strike({how: [it.call]})
    for _ in range(2):
        await fails(hass, it.give(hass, plugged), "command_refused")
        assert it.state(hass, plugged) != STATE_UNAVAILABLE
    clock.go_on(timedelta(minutes=11))
    await fails(hass, it.give(hass, plugged), "not_offered")
    if it.action is not None:
        device_id = device_of(hass, entry, plugged, it.car).id
        attempt = hass.services.async_call(
            DOMAIN, it.action, {"device_id": device_id} | it.action_data, blocking=True
        )
        await fails(hass, attempt, "not_offered", ServiceValidationError)
    await poll(hass, entry)
    unavailable = {
        (other.control, car): car_state(hass, plugged, other.control, car).state
        == STATE_UNAVAILABLE
        for other in COMMANDS
        for car in (0, 1)
        if entity_of(hass, plugged, other.control, car) is not None
    }
    assert unavailable == {
        (other.control, car): other.call == it.call
        for other in COMMANDS
        for car in (0, 1)
        if (other.control, car) not in {(CURRENT.control, 0), (BOOST.control, 1)}
    }
    lines = [record for record in caplog.records if "does not offer" in record.getMessage()]
    assert len(lines) == 1
    assert troubles(caplog) == []
    plugged.strike({how: []})
    clock.go_on(timedelta(hours=25))
    await poll(hass, entry)
    await it.give(hass, plugged)


@each(*COMMANDS)
async def test_refusals_of_a_call_that_was_answered_before_take_no_control_away(
    hass: HomeAssistant, plugged: Simulator, monkeypatch: pytest.MonkeyPatch, it: Command
) -> None:
    clock = Clock(monkeypatch, plugged)
    await it.give(hass, plugged)
    plugged.strike({"forbidden": [it.call]})
    for _ in range(4):
        clock.go_on(timedelta(minutes=11))
        await fails(hass, it.give(hass, plugged), "command_refused")
    assert it.state(hass, plugged) != STATE_UNAVAILABLE


# -- reads that lag behind a command -----------------------------------------------------------------------


@pytest.fixture
def lagging(plugged: Simulator) -> Simulator:
    """Return a simulator whose reads show each change some seconds late."""
    plugged.strike({"kind": "stale_reads", "stale_seconds": 8})
    return plugged


@pytest.mark.parametrize("commands", [(DESIRED, MINIMUM), (SMART, DESIRED), (MINIMUM, SMART)])
async def test_two_commands_within_two_seconds_are_both_kept(
    hass: HomeAssistant,
    lagging: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    commands: tuple[Command, Command],
) -> None:
    settings = lagging.vehicle(lagging.vehicle_ids[0]).settings
    before, recorded, clock = dict(settings), record_events(hass), Clock(monkeypatch, lagging)
    for it in commands:
        await it.give(hass, lagging)
    written = {
        DESIRED: ("desiredBatteryLevel", 90),
        MINIMUM: ("minimumBatteryLevel", 30),
        SMART: ("isSmartChargingEnabled", False),
    }
    shown = {DESIRED: "90", MINIMUM: "30", SMART: STATE_OFF}
    entry = entry_of(hass)
    for pause in (0, 0, 9, 30, 300):
        clock.go_on(timedelta(seconds=pause))
        entry.runtime_data.coordinator._details.schedule.request_settings(lagging.user_ids[0])
        await poll(hass, entry)
        settings = lagging.vehicle(lagging.vehicle_ids[0]).settings
        assert settings == before | dict(written[it] for it in commands)
        assert [it.state(hass, lagging) for it in commands] == [shown[it] for it in commands]
    assert recorded.types.count("smart_charging_disabled") == (SMART in commands)
    assert "smart_charging_enabled" not in recorded.types


async def test_a_boost_that_reads_show_late_does_not_flip_back(
    hass: HomeAssistant, lagging: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded, clock = record_events(hass), Clock(monkeypatch, lagging)
    await BOOST.give(hass, lagging)
    for pause in (0, 0, 0, 9, 30, 300):
        clock.go_on(timedelta(seconds=pause))
        await poll(hass, entry_of(hass))
        assert BOOST.state(hass, lagging) == STATE_ON
    assert [kind for kind in recorded.types if "boost" in kind] == ["boost_started"]


async def test_what_jedlix_itself_changes_after_a_command_is_shown(
    hass: HomeAssistant, lagging: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One answer that contradicts the command may lag as well. Two decide."""
    recorded, clock = record_events(hass), Clock(monkeypatch, lagging)
    await BOOST.give(hass, lagging)
    lagging.boost(lagging.vehicle_ids[0], enabled=False)
    for shown in (STATE_ON, STATE_OFF):
        clock.go_on(timedelta(seconds=30))
        await poll(hass, entry_of(hass))
        assert BOOST.state(hass, lagging) == shown
    assert [kind for kind in recorded.types if "boost" in kind] == ["boost_started", "boost_ended"]


# -- callers and entries that go away ----------------------------------------------------------------------


@pytest.fixture
def settings_may_be_written(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Return what lets Jedlix take charge settings, and then answer."""
    may_be_written, write = asyncio.Event(), JedlixClient.update_charge_settings

    async def wait_and_write(client: JedlixClient, *args: Any) -> None:
        await may_be_written.wait()
        await write(client, *args)

    monkeypatch.setattr(JedlixClient, "update_charge_settings", wait_and_write)
    return may_be_written


async def cancel_while_writing(hass: HomeAssistant, plugged: Simulator) -> None:
    """Give a command, and cancel its caller while the write waits."""
    calls = mark(plugged)
    caller = hass.async_create_task(DESIRED.give(hass, plugged))
    await until_waiting(lambda: any("charge-settings" in call for call in calls()))
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller


async def test_a_command_whose_caller_is_cancelled_is_carried_out_and_shown(
    hass: HomeAssistant,
    plugged: Simulator,
    settings_may_be_written: asyncio.Event,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await cancel_while_writing(hass, plugged)
    settings_may_be_written.set()
    await hass.async_block_till_done()
    assert plugged.vehicle(plugged.vehicle_ids[0]).settings["desiredBatteryLevel"] == 90
    assert DESIRED.state(hass, plugged) == "90"
    assert troubles(caplog) == []


async def test_a_command_that_fails_after_its_caller_was_cancelled_is_in_the_log(
    hass: HomeAssistant,
    plugged: Simulator,
    settings_may_be_written: asyncio.Event,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await cancel_while_writing(hass, plugged)
    plugged.strike({"kind": "status", "status": 422, "endpoints": [SETTINGS], "text": "No."})
    settings_may_be_written.set()
    await hass.async_block_till_done()
    (line,) = troubles(caplog)
    assert line.startswith("A Jedlix command failed after its caller was cancelled: ")
    assert "No." in line


async def test_a_command_that_is_given_to_an_unloaded_entry_is_refused_in_words(
    hass: HomeAssistant, plugged: Simulator
) -> None:
    """An action or a control may have waited while the entry was unloaded."""
    entry = entry_of(hass)
    commands, key = entry.runtime_data.commands, (plugged.user_ids[0], plugged.vehicle_ids[0])
    calls = mark(plugged)
    assert await hass.config_entries.async_unload(entry.entry_id)
    for attempt in (
        commands.set_levels(key, desired=90),
        commands.set_smart_charging(key, enabled=False),
        commands.boost(key, enabled=True),
        commands.set_current_battery_level(key, 50),
        commands.ask_car(key),
    ):
        text = await fails(hass, attempt, "not_loaded", ServiceValidationError)
        assert entry.title in text
    assert calls() == []


async def test_a_command_that_is_under_way_during_a_reload_is_shown_by_the_next_set_up(
    hass: HomeAssistant, plugged: Simulator, settings_may_be_written: asyncio.Event
) -> None:
    entry, calls = entry_of(hass), mark(plugged)
    key = (plugged.user_ids[0], plugged.vehicle_ids[0])
    command = hass.async_create_task(entry.runtime_data.commands.set_levels(key, desired=90))
    await until_waiting(lambda: any("charge-settings" in call for call in calls()))
    entry.async_create_task(hass, hass.config_entries.async_reload(entry.entry_id))
    await until_waiting(lambda: entry.state is ConfigEntryState.LOADED and calls()[3:])
    assert DESIRED.state(hass, plugged) != "90"
    settings_may_be_written.set()
    await command
    assert DESIRED.state(hass, plugged) == "90"


# -- Jedlix asks to wait -----------------------------------------------------------------------------------


async def test_a_request_to_wait_stops_the_polls_and_not_the_commands_of_a_person(
    hass: HomeAssistant, plugged: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = entry_of(hass)
    plugged.strike({"kind": "retry_after", "wait_seconds": 600, "times": 1})
    await poll(hass, entry)
    calls = mark(plugged)
    await poll(hass, entry)
    assert calls() == []
    for it in (BOOST, DESIRED, MINIMUM, CURRENT, REFRESH, SMART):  # the last one ends the session
        before = it.state(hass, plugged)
        await it.give(hass, plugged)
        assert it.state(hass, plugged) != before
    asked = len(calls())
    await poll(hass, entry)
    assert len(calls()) == asked

    plugged.strike({"kind": "retry_after", "wait_seconds": 600, "endpoints": [SETTINGS]})
    monkeypatch.setattr("custom_components.jedlix.state.refresh_queue.MIN_INTERVAL", 0.01)
    await fails(hass, DESIRED.give(hass, plugged), "command_failed")
    asked = len(calls())
    await asyncio.sleep(0.1)  # the refresh that follows waits as well: nobody waits for it
    assert len(calls()) == asked

    Clock(monkeypatch, plugged).go_on(timedelta(minutes=11))
    await poll(hass, entry)
    assert len(calls()) > asked
