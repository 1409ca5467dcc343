"""Numbers: the battery levels that are set at Jedlix, and the one that a person enters for a car."""

import asyncio
from datetime import timedelta
from typing import Final

from homeassistant.const import STATE_OFF, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from simulator.api import charging
from simulator.app import Simulator
from tests.commanding import (
    car_state,
    command,
    entity_of,
    fails,
    mark,
    poll,
    refreshed,
    set_up_with_rare_polls,
)
from tests.simulators import StartSimulator
from tests.tools import Clock

pytestmark = pytest.mark.usefixtures("home", "no_second_try")

DESIRED: Final = "number.desired_battery_level"
MINIMUM: Final = "number.minimum_battery_level"
CURRENT: Final = "number.current_battery_level"


async def test_levels_are_written_back_with_all_settings_that_we_do_not_know(
    hass: HomeAssistant, sim: Simulator
) -> None:
    await set_up_with_rare_polls(hass, sim)
    car = sim.vehicle(sim.vehicle_ids[0])
    car.settings["unknownKeyOfTheSimulator"] = {"changed": "since we read it"}
    before = dict(car.settings)
    await command(hass, sim, DESIRED, "set_value", value=90)
    await command(hass, sim, MINIMUM, "set_value", value=35)
    assert car.settings == before | {"desiredBatteryLevel": 90, "minimumBatteryLevel": 35}
    assert car_state(hass, sim, DESIRED).state == "90"
    assert car_state(hass, sim, MINIMUM).state == "35"
    assert car_state(hass, sim, MINIMUM).attributes["max"] == 90


async def test_levels_changed_at_jedlix_change_the_numbers(
    hass: HomeAssistant,
    sim: Simulator,
    entry_either_way: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch, sim)
    sim.change_settings(sim.vehicle_ids[0], desiredBatteryLevel=70, minimumBatteryLevel=30)
    clock.go_on(timedelta(days=1))
    await refreshed(hass, entry_either_way, lambda: car_state(hass, sim, DESIRED).state == "70")
    assert car_state(hass, sim, MINIMUM).state == "30"


@pytest.mark.parametrize(
    ("in_session", "times"),
    [(True, ((0.1, "80"), (2, "70"))), (False, ((13, "80"), (3, "70")))],
    ids=["in a session", "otherwise"],
)
async def test_levels_changed_at_jedlix_show_at_a_poll_in_a_session_and_else_after_fifteen_minutes(
    hass: HomeAssistant,
    sim: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    in_session: bool,
    times: tuple[tuple[float, str], ...],
) -> None:
    entry, clock = await set_up_with_rare_polls(hass, sim), Clock(monkeypatch, sim)
    if in_session:
        sim.plug(sim.vehicle_ids[0])
    await poll(hass, entry)
    sim.change_settings(sim.vehicle_ids[0], desiredBatteryLevel=70)
    for minutes, level in times:
        clock.go_on(timedelta(minutes=minutes))
        await poll(hass, entry)
        assert car_state(hass, sim, DESIRED).state == level


async def test_settings_changed_at_the_same_time_are_all_written(
    hass: HomeAssistant, sim: Simulator
) -> None:
    await set_up_with_rare_polls(hass, sim)
    smart = "switch.smart_charging"
    sim.strike({"api_slow_seconds": 0.03})
    await asyncio.gather(
        command(hass, sim, DESIRED, "set_value", value=95),
        command(hass, sim, MINIMUM, "set_value", value=40),
        command(hass, sim, smart, "turn_off"),
    )
    settings = sim.vehicle(sim.vehicle_ids[0]).settings
    names = ("desiredBatteryLevel", "minimumBatteryLevel", "isSmartChargingEnabled")
    assert [settings[name] for name in names] == [95, 40, False]
    states = [car_state(hass, sim, key).state for key in (DESIRED, MINIMUM, smart)]
    assert states == ["95", "40", STATE_OFF]


async def test_the_minimum_is_never_above_the_desired_level(
    hass: HomeAssistant, sim: Simulator
) -> None:
    await set_up_with_rare_polls(hass, sim)
    car = sim.vehicle(sim.vehicle_ids[0])
    await command(hass, sim, MINIMUM, "set_value", value=75)
    await command(hass, sim, DESIRED, "set_value", value=60)
    assert (car.settings["desiredBatteryLevel"], car.settings["minimumBatteryLevel"]) == (60, 60)
    with pytest.raises(ServiceValidationError, match="61"):  # Home Assistant's own error
        await command(hass, sim, MINIMUM, "set_value", value=61)
    sim.change_settings(car.id, desiredBatteryLevel=50, minimumBatteryLevel=50)
    for value in (51, 55):
        attempt = command(hass, sim, MINIMUM, "set_value", value=value)
        text = await fails(hass, attempt, "minimum_above_desired", ServiceValidationError)
        assert "50 %" in text
        assert car.settings["minimumBatteryLevel"] == 50
    sim.change_settings(car.id, desiredBatteryLevel=61, minimumBatteryLevel=61)
    await command(hass, sim, DESIRED, "set_value", value=60)
    assert (car.settings["desiredBatteryLevel"], car.settings["minimumBatteryLevel"]) == (60, 60)


@pytest.mark.parametrize("spelling", ["currentSateOfCharge", "currentStateOfCharge"])
async def test_the_current_level_of_a_car_that_cannot_report_it_is_entered_for_its_session(
    hass: HomeAssistant,
    start_simulator: StartSimulator,
    monkeypatch: pytest.MonkeyPatch,
    spelling: str,
) -> None:
    """It is sent in the documented spelling first."""
    monkeypatch.setattr(charging, "_LEVEL_SPELLINGS", (spelling,))
    sim = await start_simulator(users=2)
    entry = await set_up_with_rare_polls(hass, sim)
    assert entity_of(hass, sim, CURRENT, 0) is None  # this car reports it
    assert car_state(hass, sim, CURRENT, 1).state == STATE_UNAVAILABLE
    car = sim.vehicle(sim.vehicle_ids[1])
    sim.plug(car.id)
    await poll(hass, entry)
    assert car_state(hass, sim, CURRENT, 1).state == STATE_UNKNOWN
    calls = mark(sim)
    await command(hass, sim, CURRENT, "set_value", 1, value=42)
    assert car.session is not None
    assert car.session.current_battery_level == 42
    assert car_state(hass, sim, CURRENT, 1).state == "42"
    tries = [call for call in calls() if call.startswith("PATCH")]
    assert len(tries) == (1 if spelling == "currentSateOfCharge" else 2)
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert car_state(hass, sim, CURRENT, 1).state == "42"
    sim.unplug(car.id)
    sim.plug(car.id)
    await poll(hass, entry)
    assert car_state(hass, sim, CURRENT, 1).state == STATE_UNKNOWN  # another session


async def test_a_car_that_begins_to_report_its_level_no_longer_has_it_entered(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(users=2)
    entry = await set_up_with_rare_polls(hass, sim)
    car = sim.vehicle(sim.vehicle_ids[1])
    sim.plug(car.id)
    await poll(hass, entry)
    assert car_state(hass, sim, CURRENT, 1).state == STATE_UNKNOWN
    car.capabilities = (*car.capabilities, "stateOfCharge")
    sim.telemetry(car.id, battery_level=33)
    await poll(hass, entry)
    assert car_state(hass, sim, CURRENT, 1).state == STATE_UNAVAILABLE
