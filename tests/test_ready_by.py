"""Ready by, and the flags of the charge settings: shown, and written as they were found, or not at all."""

import asyncio
from copy import deepcopy
from datetime import datetime, time, timedelta
from typing import Any, Final

from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.jedlix.api import ConnectionFailed, JedlixError
from custom_components.jedlix.const import DOMAIN
from custom_components.jedlix.diagnostics import async_get_config_entry_diagnostics
from simulator.app import Simulator
from simulator.departures import DEPARTURES
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
from tests.tools import Clock, until

pytestmark = pytest.mark.usefixtures("home", "no_second_try")

TIME: Final = "time.ready_by"
SENSOR: Final = "sensor.ready_by"
SOLAR: Final = "switch.solar_charging"
WORKDAYS: Final = "time.ready_by_monday_to_friday"
WEEKEND: Final = "time.ready_by_saturday_sunday"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read again at once what was written."""
    monkeypatch.setattr("custom_components.jedlix.commands.READ_BACK_WAITS", (0.0,) * 4)


def settings_of(sim: Simulator) -> dict[str, Any]:
    """Return a copy of the first car's charge settings."""
    return deepcopy(sim.vehicle(sim.vehicle_ids[0]).settings)


async def set_ready_by(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator, **data: Any
) -> None:
    """Call the action for the first car."""
    target = {"device_id": device_of(hass, entry, sim).id}
    await hass.services.async_call(DOMAIN, "set_ready_by", target | data, blocking=True)


def turn_to(clock: Clock, moment: str) -> None:
    """Move the clock to a moment."""
    clock.go_on(datetime.fromisoformat(moment) - clock.now())


async def test_one_time_is_shown_and_written_as_it_was(
    hass: HomeAssistant, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch, sim)
    turn_to(clock, "2027-10-30T04:00:00+00:00")
    await hass.config.async_set_time_zone("Pacific/Auckland")  # the settings' zone counts
    entry = await set_up_with_rare_polls(hass, sim)
    assert car_state(hass, sim, TIME).state == "07:30:00"
    assert car_state(hass, sim, SENSOR).state == "2027-10-30T05:30:00+00:00"
    before, calls = settings_of(sim), mark(sim)
    await command(hass, sim, TIME, "set_value", time="06:45:59")
    after = before | {"departureTimes": {"assumedByTheSimulator": {"time": "06:45"}}}
    assert settings_of(sim) == after
    assert [call.split()[0] for call in calls() if call.endswith("charge-settings")] == [
        *("GET", "PATCH", "GET"),
        "GET",  # the refresh after each command
    ]
    assert car_state(hass, sim, TIME).state == "06:45:00"
    assert car_state(hass, sim, SENSOR).state == "2027-10-30T04:45:00+00:00"
    # the moment comes: the next one is a day later, after the clocks were put back
    turn_to(clock, "2027-10-30T04:45:00+00:00")
    async_fire_time_changed(hass, dt_util.utcnow())
    await hass.async_block_till_done()
    assert car_state(hass, sim, SENSOR).state == "2027-10-31T05:45:00+00:00"
    # changed at Jedlix: the time, and a zone that is none
    sim.change_settings(sim.vehicle_ids[0], timeZone="Europe", departureTimes={"time": "8:00"})
    clock.go_on(timedelta(minutes=20))
    await poll(hass, entry)
    assert car_state(hass, sim, TIME).state == "08:00:00"
    assert car_state(hass, sim, SENSOR).state == "2027-10-30T19:00:00+00:00"  # in Auckland
    await set_ready_by(hass, entry, sim, time="07:05:00")
    assert settings_of(sim)["departureTimes"] == {"time": "7:05"}
    # a shape in doubt: nothing is written any more
    sim.change_settings(sim.vehicle_ids[0], departureTimes={"time": "07:30Z"})
    await fails(
        hass,
        set_ready_by(hass, entry, sim, time="07:30"),
        "no_departure_times",
        ServiceValidationError,
    )
    assert settings_of(sim)["departureTimes"] == {"time": "07:30Z"}
    await until(hass, lambda: car_state(hass, sim, TIME).state == STATE_UNAVAILABLE)


async def test_groups_of_days_have_a_time_each_with_their_names(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    hass.config.language = "nl"
    sim = await start_simulator(departure_times="groups")
    entry = await set_up_with_rare_polls(hass, sim)
    assert entity_of(hass, sim, TIME) is None
    assert entity_of(hass, sim, WORKDAYS) == "time.tesla_model_3_ready_by_monday_to_friday"
    assert car_state(hass, sim, WORKDAYS).name == (
        "Tesla Model 3 Klaar voor vertrek (maandag \N{EN DASH} vrijdag)"
    )
    assert car_state(hass, sim, WEEKEND).name.endswith("(zaterdag, zondag)")
    assert car_state(hass, sim, WORKDAYS).state == "07:30:00"
    assert car_state(hass, sim, WEEKEND).state == "09:00:00"
    await command(hass, sim, WEEKEND, "set_value", time="8:05:00")
    [workdays, weekend] = DEPARTURES["groups"]["assumedByTheSimulator"]
    expected = [workdays, weekend | {"departureTime": "8:05"}]
    assert settings_of(sim)["departureTimes"] == {"assumedByTheSimulator": expected}
    # one write for both
    calls = mark(sim)
    await set_ready_by(hass, entry, sim, time="06:00")
    times = [item["departureTime"] for item in settings_of(sim)["departureTimes"].popitem()[1]]
    assert times == ["6:00", "6:00"]
    assert sum(call.startswith("PATCH") for call in calls()) == 1
    await set_ready_by(hass, entry, sim, time="08:00", days=["sunday", "saturday"])
    assert car_state(hass, sim, WORKDAYS).state == "06:00:00"
    assert car_state(hass, sim, WEEKEND).state == "08:00:00"
    before = settings_of(sim)
    text = await fails(
        hass,
        set_ready_by(hass, entry, sim, time="05:00", days=["sunday"]),
        "days_share_a_time",
        ServiceValidationError,
    )
    assert "zaterdag, zondag" in text
    assert settings_of(sim) == before
    # the group is split at Jedlix; a day without a time cannot be set
    sim.change_settings(
        sim.vehicle_ids[0], departureTimes={"items": {"monday": "07:30", "tuesday": None}}
    )
    text = await fails(
        hass,
        set_ready_by(hass, entry, sim, time="05:00", days=["monday", "tuesday"]),
        "no_time_on_days",
        ServiceValidationError,
    )
    assert "dinsdag" in text
    await set_ready_by(hass, entry, sim, time="05:00", days="monday")
    assert car_state(hass, sim, "time.ready_by_monday").state == "05:00:00"
    assert car_state(hass, sim, WORKDAYS).state == STATE_UNAVAILABLE


@pytest.mark.parametrize(
    ("key", "service", "data", "how", "error"),
    [
        (TIME, "set_value", {"time": "06:00:00"}, "ignored", "not_taken_over"),
        (TIME, "set_value", {"time": "06:00:00"}, "times_moved", "not_taken_over"),
        (TIME, "set_value", {"time": "06:00:00"}, "something_else", "changed_elsewhere"),
        (SOLAR, "turn_on", {}, "ignored", "not_taken_over"),
    ],
)
async def test_a_surprise_is_said_and_nothing_more_is_written_until_a_reload(
    hass: HomeAssistant,
    sim: Simulator,
    key: str,
    service: str,
    data: dict[str, Any],
    how: str,
    error: str,
) -> None:
    entry = await set_up_with_rare_polls(hass, sim)
    sim.strike({"kind": "settings_not_as_written", "how": how})
    await fails(hass, command(hass, sim, key, service, **data), error)
    sim.clear_faults()
    assert car_state(hass, sim, key).state == STATE_UNAVAILABLE
    assert car_state(hass, sim, SENSOR).state != STATE_UNAVAILABLE
    other = SOLAR if key == TIME else TIME
    assert car_state(hass, sim, other).state != STATE_UNAVAILABLE, "only this one is stopped"
    name = key.partition(".")[2]
    [car] = (await async_get_config_entry_diagnostics(hass, entry))["vehicles"]
    assert car["stopped_writes"] == {name: error}
    calls, before = mark(sim), settings_of(sim)
    again = (
        set_ready_by(hass, entry, sim, time="05:00")
        if key == TIME
        else entry.runtime_data.commands.set_flag(
            (sim.user_ids[0], sim.vehicle_ids[0]), name, enabled=True
        )
    )
    await fails(hass, again, "write_stopped", ServiceValidationError)
    assert calls() == []
    assert settings_of(sim) == before
    await poll(hass, entry)
    assert car_state(hass, sim, key).state == STATE_UNAVAILABLE
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert car_state(hass, sim, key).state != STATE_UNAVAILABLE
    await command(hass, sim, key, service, **data | ({"time": "05:00"} if key == TIME else {}))
    assert settings_of(sim) != before
    assert car_state(hass, sim, key).state != STATE_UNAVAILABLE


async def test_of_two_commands_at_once_the_second_is_not_written_after_a_surprise(
    hass: HomeAssistant, sim: Simulator
) -> None:
    entry = await set_up_with_rare_polls(hass, sim)
    sim.strike({"kind": "settings_not_as_written", "how": "ignored"})
    calls, commands = mark(sim), entry.runtime_data.commands
    key = (sim.user_ids[0], sim.vehicle_ids[0])
    results = await asyncio.gather(
        *(commands.set_ready_by(key, time(hour)) for hour in (5, 6)), return_exceptions=True
    )
    errors = [result for result in results if isinstance(result, HomeAssistantError)]
    assert [error.translation_key for error in errors] == ["not_taken_over", "write_stopped"]
    assert sum(call.startswith("PATCH") for call in calls()) == 1


async def test_one_answer_from_before_the_write_is_no_surprise_and_no_answer_is_none(
    hass: HomeAssistant,
    sim: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    entry = await set_up_with_rare_polls(hass, sim)
    client, read = entry.runtime_data.client, entry.runtime_data.client.charge_settings
    stale = await read(sim.user_ids[0], sim.vehicle_ids[0])
    answers: list[Any] = [stale] * 3  # one to start from, two after the write

    async def answer(*key: str) -> Any:
        match answers.pop(0) if answers else None:
            case None:
                return await read(*key)
            case JedlixError() as err:
                raise err
            case settings:
                return settings

    monkeypatch.setattr(client, "charge_settings", answer)
    await command(hass, sim, TIME, "set_value", time="06:00:00")
    assert answers == []
    assert car_state(hass, sim, TIME).state == "06:00:00"
    # what is not answered at all is shown as it was written
    answers += [None, ConnectionFailed("no answer"), ConnectionFailed("no answer")]
    await command(hass, sim, TIME, "set_value", time="05:00:00")
    assert answers == []
    assert car_state(hass, sim, TIME).state == "05:00:00"
    assert settings_of(sim)["departureTimes"] == {"assumedByTheSimulator": {"time": "05:00"}}
    assert troubles(caplog) == []


async def test_flags_are_switches_where_one_boolean_says_so(
    hass: HomeAssistant, sim: Simulator
) -> None:
    entry = await set_up_with_rare_polls(hass, sim)
    assert car_state(hass, sim, SOLAR).state == STATE_OFF
    before = settings_of(sim)
    await command(hass, sim, SOLAR, "turn_on")
    assert settings_of(sim) == before | {"useSolarProduction": True}
    assert car_state(hass, sim, SOLAR).state == STATE_ON
    await command(hass, sim, SOLAR, "turn_off")
    assert settings_of(sim) == before
    bidirectional = entity_of(hass, sim, "switch.bidirectional_charging")
    assert bidirectional is not None
    registered = er.async_get(hass).async_get(bidirectional)
    assert registered is not None
    assert registered.disabled_by is er.RegistryEntryDisabler.INTEGRATION
    # a second key says so as well: which one counts is not known
    sim.change_settings(sim.vehicle_ids[0], solarOnly=True)
    await fails(
        hass,
        command(hass, sim, SOLAR, "turn_on"),
        "not_offered",
        ServiceValidationError,
    )
    await poll(hass, entry)
    assert settings_of(sim)["useSolarProduction"] is False


@pytest.mark.parametrize("shape", ["none", "numbers", "zoned", "two_times"])
async def test_nothing_of_it_is_there_where_nothing_is_certain(
    hass: HomeAssistant, start_simulator: StartSimulator, shape: str
) -> None:
    sim = await start_simulator(departure_times=shape)
    settings = sim.vehicle(sim.vehicle_ids[0]).settings
    del settings["useSolarProduction"]
    settings["isBidirectionalChargingEnabled"] = None
    entry = await set_up_with_rare_polls(hass, sim)
    assert car_state(hass, sim, "switch.smart_charging").state == STATE_ON
    keys = {
        item.translation_key
        for item in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    }
    assert not {
        key for key in keys if key and key.startswith(("ready_by", "solar", "bidirectional"))
    }
    report = entry.runtime_data.api_report()
    assert report["departure_times"] == {"empty" if shape == "none" else "not_recognized": 1}


async def test_the_report_says_that_departure_times_were_recognized_and_not_when(
    hass: HomeAssistant, sim: Simulator
) -> None:
    entry = await set_up_with_rare_polls(hass, sim)
    diagnostics = await async_get_config_entry_diagnostics(hass, entry)
    assert diagnostics["api"]["departure_times"] == {"recognized": 1}
    [car] = diagnostics["vehicles"]
    assert car["departure_times"] == {
        "refusal": None,
        "days": ["monday_to_sunday"],
        "active": [True],
        "names_a_zone": True,
    }
    assert car["flags"] == {"solar_charging": False, "bidirectional_charging": False}
    assert car["stopped_writes"] == {}
    assert "07:30" not in str(diagnostics)
