"""Commands: each failure is an error in the user's language, and the states are right afterwards."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, cast

from aiohttp import ClientTimeout
from homeassistant.config_entries import SOURCE_REAUTH
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
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
    poll,
    set_up_with_rare_polls,
    troubles,
)
from tests.conftest import StartSimulator
from tests.tools import Clock, until

pytestmark = pytest.mark.usefixtures("home", "no_second_try")


@dataclass(frozen=True)
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
async def test_a_command_with_credentials_that_are_no_longer_good_asks_for_new_ones(
    hass: HomeAssistant, plugged: Simulator, monkeypatch: pytest.MonkeyPatch, it: Command
) -> None:
    monkeypatch.setattr(type(plugged.tokens), "is_valid", lambda *_: False)
    await fails(hass, it.give(hass, plugged), "auth_failed")
    flows = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert [flow["context"]["source"] for flow in flows] == [SOURCE_REAUTH]


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
    hass: HomeAssistant, plugged: Simulator, it: Command
) -> None:
    entity_id = entity_of(hass, plugged, it.control, it.car)
    assert entity_id is not None
    plugged.remove(plugged.vehicle_ids[it.car])
    attempt = hass.services.async_call(
        it.control.partition(".")[0], it.service, {"entity_id": entity_id, **it.data}, blocking=True
    )
    await fails(hass, attempt, "unknown_vehicle", ServiceValidationError)
    await hass.async_block_till_done()
    assert er.async_get(hass).async_get(entity_id) is None
    assert entry_of(hass).runtime_data.coordinator.offered.is_offered(it.call)


# -- the tenant does not offer the call --------------------------------------------------------------------


@each(*COMMANDS)
@pytest.mark.parametrize("how", ["absent", "forbidden"])
async def test_a_call_that_is_not_offered_makes_its_controls_unavailable_with_one_line_in_the_log(
    hass: HomeAssistant,
    plugged: Simulator,
    caplog: pytest.LogCaptureFixture,
    it: Command,
    how: str,
) -> None:
    plugged.strike({how: [it.call]})
    await fails(hass, it.give(hass, plugged), "not_offered")
    if it.action is not None:
        device_id = device_of(hass, entry_of(hass), plugged, it.car).id
        attempt = hass.services.async_call(
            DOMAIN, it.action, {"device_id": device_id} | it.action_data, blocking=True
        )
        await fails(hass, attempt, "not_offered", ServiceValidationError)
    await poll(hass, entry_of(hass))
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


@each(*COMMANDS)
async def test_one_refusal_of_a_call_that_was_answered_before_takes_no_control_away(
    hass: HomeAssistant, plugged: Simulator, monkeypatch: pytest.MonkeyPatch, it: Command
) -> None:
    clock = Clock(monkeypatch, plugged)
    await it.give(hass, plugged)
    plugged.strike({"forbidden": [it.call]})
    clock.go_on(timedelta(minutes=11))
    await fails(hass, it.give(hass, plugged), "command_refused")
    assert it.state(hass, plugged) != STATE_UNAVAILABLE
