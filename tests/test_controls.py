"""Each control moves the truth at Jedlix, and the truth moved at Jedlix moves the control."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, Final, cast

from aiohttp import ClientTimeout
from homeassistant.config_entries import SOURCE_REAUTH
from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.api import ConnectionFailed, JedlixClient
from custom_components.jedlix.const import CONF_POLL_MINUTES, DOMAIN
from simulator import world
from simulator.api import charging, shapes
from simulator.api.http import Problem
from simulator.app import Simulator
from simulator.model import JsonObject
from tests.commanding import (
    car_state,
    command,
    device_of,
    entity_of,
    fails,
    mark,
    poll,
    troubles,
)
from tests.conftest import StartSimulator
from tests.tools import Clock, RecordedEvents, make_entry, record_events, set_up, until

pytestmark = pytest.mark.usefixtures("home", "no_second_try")

SMART: Final = "switch.smart_charging"
BOOST: Final = "switch.boost"
DESIRED: Final = "number.desired_battery_level"
MINIMUM: Final = "number.minimum_battery_level"
CURRENT: Final = "number.current_battery_level"
REFRESH: Final = "button.refresh"
RESUMES_AT: Final = "sensor.smart_charging_resumes_at"
SESSION: Final = "sensor.session"
A_MOMENT: Final = 0.01  # simulated hours in which a car follows a command


@pytest.fixture(params=["webhook", "poll"])
async def either(
    request: pytest.FixtureRequest, hass: HomeAssistant, sim: Simulator, callback_url: str
) -> MockConfigEntry:
    """Return an entry that hears of news by webhook, and one that has to poll."""
    pushed = request.param == "webhook"
    rarely = {CONF_POLL_MINUTES: 600}  # so that a day without one is no absence
    entry = make_entry(sim, callback_url if pushed else None, options=rarely)
    await set_up(hass, entry)
    if pushed:
        await until(hass, lambda: entry.runtime_data.push.state == "waiting")
    return entry


def way_of(entry: MockConfigEntry) -> str:
    """Return the source of what is news to this entry."""
    return "poll" if entry.runtime_data.push.state == "off" else "webhook"


async def news(
    hass: HomeAssistant, entry: MockConfigEntry, condition: Callable[[], object]
) -> None:
    """Let the news come: by itself where there is push, with the next poll where there is none."""
    if way_of(entry) == "poll":
        await poll(hass, entry)
        assert condition()
    else:
        await until(hass, condition)


async def polled(hass: HomeAssistant, sim: Simulator) -> MockConfigEntry:
    """Return an entry without push."""
    entry = make_entry(sim, None, options={CONF_POLL_MINUTES: 600})
    await set_up(hass, entry)
    return entry


def told(recorded: RecordedEvents, *types: str) -> list[tuple[str, str]]:
    """Return type and source of the changes of these types, in the order in which they were told."""
    return [
        (change["type"], change["source"]) for change in recorded.changes if change["type"] in types
    ]


# -- smart charging ----------------------------------------------------------------------------------------


async def test_switching_smart_charging_off_ends_the_smart_session_and_an_unmanaged_one_follows(
    hass: HomeAssistant, sim: Simulator, either: MockConfigEntry
) -> None:
    car = sim.vehicle(sim.vehicle_ids[0])
    sim.plug(car.id)
    await news(hass, either, lambda: car_state(hass, sim, SESSION).state == "smart")
    smart = car.session
    assert smart is not None
    before, recorded = dict(car.settings), record_events(hass)
    assert car_state(hass, sim, SMART).state == STATE_ON

    await command(hass, sim, SMART, "turn_off")
    assert car.settings == before | {"isSmartChargingEnabled": False}
    assert car_state(hass, sim, SMART).state == STATE_OFF
    assert smart.end is not None
    await until(hass, lambda: car_state(hass, sim, SESSION).state != "smart")
    assert car_state(hass, sim, BOOST).state == STATE_UNAVAILABLE
    sim.advance(A_MOMENT)
    await news(hass, either, lambda: car_state(hass, sim, SESSION).state == "unmanaged")
    assert car_state(hass, sim, BOOST).state == STATE_UNAVAILABLE
    assert recorded.types == [
        "smart_charging_disabled",
        "session_ended",
        "session_started",
        "session_became_unmanaged",
    ]
    disabled, ended, started, became = recorded.changes
    assert disabled["source"] == "command"
    assert disabled["resumes_at"] is None
    assert disabled["device_id"] == device_of(hass, either, sim).id
    assert ended["session_id"] == smart.id == became["previous_session_id"]
    assert car.session is not None
    assert started["session_id"] == car.session.id

    await command(hass, sim, SMART, "turn_on")
    assert car.settings == before
    assert car_state(hass, sim, SMART).state == STATE_ON
    sim.advance(A_MOMENT)
    await news(hass, either, lambda: car_state(hass, sim, SESSION).state == "smart")
    assert told(recorded, "smart_charging_enabled", "session_became_smart") == [
        ("smart_charging_enabled", "command"),
        ("session_became_smart", way_of(either)),
    ]
    assert car_state(hass, sim, BOOST).state == STATE_OFF


async def test_smart_charging_switched_at_jedlix_moves_the_switch(
    hass: HomeAssistant,
    sim: Simulator,
    either: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a webhook settings are looked at daily, and each half hour in a session."""
    clock, recorded = Clock(monkeypatch, sim), record_events(hass)
    for enabled, state, kind in (
        (False, STATE_OFF, "smart_charging_disabled"),
        (True, STATE_ON, "smart_charging_enabled"),
    ):
        sim.change_settings(sim.vehicle_ids[0], isSmartChargingEnabled=enabled)
        if way_of(either) == "poll":
            await poll(hass, either)
            assert kind not in recorded.types
            clock.go_on(timedelta(days=1))
        await news(hass, either, partial(_is, hass, sim, SMART, state))
        assert recorded.types[-1] == kind
    assert recorded.types == ["smart_charging_disabled", "smart_charging_enabled"]
    assert {change["source"] for change in recorded.changes} == {way_of(either)}


def _is(hass: HomeAssistant, sim: Simulator, key: str, state: str) -> bool:
    return car_state(hass, sim, key).state == state


async def test_in_a_session_settings_are_looked_at_each_half_hour(
    hass: HomeAssistant, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry, clock = await polled(hass, sim), Clock(monkeypatch, sim)
    sim.plug(sim.vehicle_ids[0])
    await poll(hass, entry)
    sim.change_settings(sim.vehicle_ids[0], desiredBatteryLevel=70)
    clock.go_on(timedelta(minutes=29))
    await poll(hass, entry)
    assert car_state(hass, sim, DESIRED).state == "80"
    clock.go_on(timedelta(minutes=2))
    await poll(hass, entry)
    assert car_state(hass, sim, DESIRED).state == "70"


async def test_a_pause_is_over_when_jedlix_says_so_and_that_is_noticed(
    hass: HomeAssistant,
    sim: Simulator,
    either: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, recorded = Clock(monkeypatch, sim), record_events(hass)
    assert car_state(hass, sim, RESUMES_AT).state == STATE_UNKNOWN
    until_then = clock.now().replace(microsecond=0) + timedelta(hours=3)
    await hass.services.async_call(
        DOMAIN,
        "pause_smart_charging",
        {"device_id": device_of(hass, either, sim).id, "until": until_then.isoformat()},
        blocking=True,
    )
    assert car_state(hass, sim, SMART).state == STATE_OFF
    assert dt_util.parse_datetime(car_state(hass, sim, RESUMES_AT).state) == until_then
    (paused,) = recorded.changes
    assert (paused["type"], paused["source"]) == ("smart_charging_disabled", "command")
    assert dt_util.parse_datetime(paused["resumes_at"]) == until_then

    clock.go_on(timedelta(hours=2, minutes=59))
    await poll(hass, either)
    assert car_state(hass, sim, SMART).state == STATE_OFF
    clock.go_on(timedelta(minutes=2))
    sim.advance(0)  # Jedlix's own clock
    await news(hass, either, lambda: car_state(hass, sim, SMART).state == STATE_ON)
    assert car_state(hass, sim, RESUMES_AT).state == STATE_UNKNOWN
    assert recorded.types == ["smart_charging_disabled", "smart_charging_enabled"]
    assert recorded.changes[1]["source"] == way_of(either)


async def test_a_pause_that_jedlix_ends_late_is_not_held_to_be_over(
    hass: HomeAssistant, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The moment makes us look; what counts is what Jedlix says."""
    entry, clock = await polled(hass, sim), Clock(monkeypatch, sim)
    sim.change_settings(sim.vehicle_ids[0], isSmartChargingEnabled=False)
    await command(hass, sim, SMART, "turn_off")
    settings = sim.vehicle(sim.vehicle_ids[0]).settings
    settings["enableSmartChargingAt"] = (clock.now() + timedelta(hours=1)).isoformat()
    clock.go_on(timedelta(days=1))
    await poll(hass, entry)
    assert car_state(hass, sim, SMART).state == STATE_OFF
    settings["isSmartChargingEnabled"] = True
    await poll(hass, entry)
    assert car_state(hass, sim, SMART).state == STATE_ON


# -- boost -------------------------------------------------------------------------------------------------


async def test_boost_is_for_smart_sessions_and_ends_with_them(
    hass: HomeAssistant, sim: Simulator, either: MockConfigEntry
) -> None:
    car, recorded = sim.vehicle(sim.vehicle_ids[0]), record_events(hass)
    assert car_state(hass, sim, BOOST).state == STATE_UNAVAILABLE
    sim.plug(car.id)
    await news(hass, either, lambda: car_state(hass, sim, BOOST).state == STATE_OFF)
    session = car.session
    assert session is not None

    await command(hass, sim, BOOST, "turn_on")
    assert session.boost
    assert car_state(hass, sim, BOOST).state == STATE_ON
    await command(hass, sim, BOOST, "turn_off")
    assert not session.boost
    assert car_state(hass, sim, BOOST).state == STATE_OFF
    await command(hass, sim, BOOST, "turn_on")
    sim.unplug(car.id)
    await news(hass, either, lambda: "unplugged" in recorded.types)
    assert car_state(hass, sim, BOOST).state == STATE_UNAVAILABLE
    boosts = [change for change in recorded.changes if change["type"].startswith("boost")]
    assert [(change["type"], change["session_id"]) for change in boosts] == [
        ("boost_started", session.id),
        ("boost_ended", session.id),
    ] * 2
    assert [change["source"] for change in boosts[:3]] == ["command"] * 3
    assert boosts[3]["source"] == way_of(either)
    assert recorded.types[-3:] == ["boost_ended", "session_ended", "unplugged"]

    sim.plug(car.id)
    await news(hass, either, lambda: car_state(hass, sim, SESSION).state == "smart")
    assert car_state(hass, sim, BOOST).state == STATE_OFF  # a boost is of its session


async def test_the_event_entity_of_the_session_tells_of_boost(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    sim.plug(sim.vehicle_ids[0])
    await until(hass, lambda: car_state(hass, sim, SESSION).state == "smart")
    for service, kind in (("turn_on", "boost_started"), ("turn_off", "boost_ended")):
        await command(hass, sim, BOOST, service)
        assert car_state(hass, sim, "event.session").attributes["event_type"] == kind
    await command(hass, sim, SMART, "turn_off")
    told_of = car_state(hass, sim, "event.session").attributes
    assert told_of["event_type"] in {"smart_charging_disabled", "session_ended"}


async def test_boost_started_at_jedlix_moves_the_switch(
    hass: HomeAssistant, sim: Simulator, either: MockConfigEntry
) -> None:
    """The simulator tells isBoosted, a name of its own (A12); no name is documented."""
    car, recorded = sim.vehicle(sim.vehicle_ids[0]), record_events(hass)
    sim.telemetry(car.id, battery_level=50)  # above the minimum: it waits for a cheap hour
    sim.plug(car.id)
    await news(hass, either, lambda: car_state(hass, sim, SESSION).state == "smart")
    sim.boost(car.id)
    sim.advance(A_MOMENT)
    await news(hass, either, lambda: car_state(hass, sim, BOOST).state == STATE_ON)
    sim.boost(car.id, enabled=False)
    sim.advance(A_MOMENT)
    await news(hass, either, lambda: car_state(hass, sim, BOOST).state == STATE_OFF)
    assert [kind for kind in recorded.types if kind.startswith("boost")] == [
        "boost_started",
        "boost_ended",
    ]
    assert {change["source"] for change in recorded.changes} == {way_of(either)}


@pytest.fixture
def untold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the tenant tell nothing of boost: no name of such a field is documented."""
    whole = shapes.session

    def without(*args: Any, **options: Any) -> JsonObject:
        shape = whole(*args, **options)
        shape.pop("isBoosted", None)
        return shape

    monkeypatch.setattr(shapes, "session", without)


@pytest.mark.usefixtures("untold")
async def test_a_boost_of_which_jedlix_tells_nothing_is_remembered_until_its_session_ends(
    hass: HomeAssistant, sim: Simulator, either: MockConfigEntry, hass_storage: dict[str, Any]
) -> None:
    recorded = record_events(hass)
    sim.plug(sim.vehicle_ids[0])
    await news(hass, either, lambda: car_state(hass, sim, SESSION).state == "smart")
    for service, state in (("turn_on", STATE_ON), ("turn_off", STATE_OFF)):
        await command(hass, sim, BOOST, service)
        await poll(hass, either)
        assert car_state(hass, sim, BOOST).state == state
    assert recorded.types[-2:] == ["boost_started", "boost_ended"]
    recorded.changes.clear()
    await command(hass, sim, BOOST, "turn_on")
    for _ in range(2):
        await poll(hass, either)
        assert car_state(hass, sim, BOOST).state == STATE_ON
    assert await hass.config_entries.async_reload(either.entry_id)
    await hass.async_block_till_done()
    assert car_state(hass, sim, BOOST).state == STATE_ON
    assert recorded.types.count("boost_started") == 1
    sim.unplug(sim.vehicle_ids[0])
    await poll(hass, either)
    assert recorded.types.count("boost_ended") == 1
    sim.plug(sim.vehicle_ids[0])
    await poll(hass, either)
    assert car_state(hass, sim, BOOST).state == STATE_OFF
    assert [kind for kind in recorded.types if kind.startswith("boost")] == [
        "boost_started",
        "boost_ended",
    ]


# -- levels ------------------------------------------------------------------------------------------------


async def test_levels_are_written_back_with_all_that_we_do_not_know(
    hass: HomeAssistant, sim: Simulator
) -> None:
    await polled(hass, sim)
    car = sim.vehicle(sim.vehicle_ids[0])
    car.settings["unknownKeyOfTheSimulator"] = {"changed": "since we looked"}
    before = dict(car.settings)
    await command(hass, sim, DESIRED, "set_value", value=90)
    await command(hass, sim, MINIMUM, "set_value", value=35)
    assert car.settings == before | {"desiredBatteryLevel": 90, "minimumBatteryLevel": 35}
    assert car_state(hass, sim, DESIRED).state == "90"
    assert car_state(hass, sim, MINIMUM).state == "35"
    assert car_state(hass, sim, MINIMUM).attributes["max"] == 90


async def test_levels_changed_at_jedlix_move_the_numbers(
    hass: HomeAssistant,
    sim: Simulator,
    either: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch, sim)
    sim.change_settings(sim.vehicle_ids[0], desiredBatteryLevel=70, minimumBatteryLevel=30)
    clock.go_on(timedelta(days=1))
    await news(hass, either, lambda: car_state(hass, sim, DESIRED).state == "70")
    assert car_state(hass, sim, MINIMUM).state == "30"


async def test_two_settings_changed_at_once_lose_neither(
    hass: HomeAssistant, sim: Simulator
) -> None:
    await polled(hass, sim)
    sim.strike({"api_slow_seconds": 0.03})
    await asyncio.gather(
        command(hass, sim, DESIRED, "set_value", value=95),
        command(hass, sim, MINIMUM, "set_value", value=40),
        command(hass, sim, SMART, "turn_off"),
    )
    settings = sim.vehicle(sim.vehicle_ids[0]).settings
    assert settings["desiredBatteryLevel"] == 95
    assert settings["minimumBatteryLevel"] == 40
    assert settings["isSmartChargingEnabled"] is False
    assert [car_state(hass, sim, key).state for key in (DESIRED, MINIMUM, SMART)] == [
        "95",
        "40",
        STATE_OFF,
    ]


async def test_the_minimum_is_never_above_the_desired_level(
    hass: HomeAssistant, sim: Simulator
) -> None:
    await polled(hass, sim)
    car = sim.vehicle(sim.vehicle_ids[0])
    await command(hass, sim, MINIMUM, "set_value", value=75)
    await command(hass, sim, DESIRED, "set_value", value=60)
    assert (car.settings["desiredBatteryLevel"], car.settings["minimumBatteryLevel"]) == (60, 60)
    with pytest.raises(ServiceValidationError, match="61"):  # in the words of Home Assistant
        await command(hass, sim, MINIMUM, "set_value", value=61)
    sim.change_settings(car.id, desiredBatteryLevel=50, minimumBatteryLevel=50)
    text = await fails(
        hass,
        command(hass, sim, MINIMUM, "set_value", value=55),
        "minimum_above_desired",
        ServiceValidationError,
    )
    assert "50 %" in text
    assert car.settings["minimumBatteryLevel"] == 50


@pytest.mark.parametrize("value", [49, 101])
async def test_the_desired_level_has_the_documented_range(
    hass: HomeAssistant, sim: Simulator, value: int
) -> None:
    await polled(hass, sim)
    calls = mark(sim)
    with pytest.raises(ServiceValidationError):
        await command(hass, sim, DESIRED, "set_value", value=value)
    assert calls() == []


@pytest.mark.parametrize("spelling", ["currentSateOfCharge", "currentStateOfCharge"])
async def test_the_level_of_a_car_that_cannot_report_it_is_told_in_the_documented_spelling_first(
    hass: HomeAssistant,
    start_simulator: StartSimulator,
    monkeypatch: pytest.MonkeyPatch,
    spelling: str,
) -> None:
    monkeypatch.setattr(charging, "_LEVEL_SPELLINGS", (spelling,))
    sim = await start_simulator(users=2)
    entry = await polled(hass, sim)
    assert entity_of(hass, sim, CURRENT, 0) is None  # this one reports it
    assert car_state(hass, sim, CURRENT, 1).state == STATE_UNAVAILABLE  # no session to tell it in
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


async def test_a_car_that_learns_to_report_its_level_is_no_longer_asked_for_it(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(users=2)
    entry = await polled(hass, sim)
    car = sim.vehicle(sim.vehicle_ids[1])
    sim.plug(car.id)
    await poll(hass, entry)
    assert car_state(hass, sim, CURRENT, 1).state == STATE_UNKNOWN
    car.capabilities = (*car.capabilities, "stateOfCharge")
    sim.telemetry(car.id, battery_level=33)
    await poll(hass, entry)
    assert car_state(hass, sim, CURRENT, 1).state == STATE_UNAVAILABLE


# -- refresh -----------------------------------------------------------------------------------------------


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask what became of a request without a pause worth mentioning."""
    monkeypatch.setattr("custom_components.jedlix.commands.MIN_STATUS_INTERVAL", 0.02)
    monkeypatch.setattr("custom_components.jedlix.commands.MAX_STATUS_INTERVAL", 0.02)


def is_waiting(hass: HomeAssistant) -> bool:
    """Return whether the answer of a car is still waited for."""
    return any(
        isinstance(task, asyncio.Task) and task.get_name().startswith("jedlix refresh")
        for task in hass._background_tasks
    )


@pytest.mark.usefixtures("quickly")
async def test_a_refresh_asks_the_car_and_shows_its_answer_as_soon_as_it_is_there(
    hass: HomeAssistant, sim: Simulator
) -> None:
    await polled(hass, sim)
    recorded, calls = record_events(hass), mark(sim)
    car = sim.vehicle(sim.vehicle_ids[0])
    await command(hass, sim, REFRESH, "press")
    assert car.refresh is not None
    car.level = 31.0
    assert car_state(hass, sim, "sensor.battery_level").state == "12"
    await until(hass, lambda: sum("GET" in call and "refresh" in call for call in calls()) >= 2)
    assert car_state(hass, sim, "sensor.battery_level").state == "12"
    sim.advance(A_MOMENT)
    await until(hass, lambda: car_state(hass, sim, "sensor.battery_level").state == "31")
    assert recorded.types == []
    await until(hass, lambda: not is_waiting(hass))


@pytest.mark.usefixtures("quickly")
async def test_a_car_is_asked_once_in_ten_minutes_and_the_time_is_told(
    hass: HomeAssistant, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hass.config.async_set_time_zone("Europe/Amsterdam")
    await polled(hass, sim)
    clock = Clock(monkeypatch, sim)
    earliest = clock.now()
    await command(hass, sim, REFRESH, "press")
    latest = clock.now()
    sim.advance(A_MOMENT)
    asked, calls = sim.vehicle(sim.vehicle_ids[0]).refresh, mark(sim)
    clock.go_on(timedelta(minutes=9, seconds=50))
    text = await fails(
        hass, command(hass, sim, REFRESH, "press"), "refresh_too_soon", ServiceValidationError
    )
    again = (dt_util.as_local(at + timedelta(minutes=10)) for at in (earliest, latest))
    assert any(f"{time:%H:%M}" in text for time in again)
    assert not any(call.startswith("POST") for call in calls())
    clock.go_on(timedelta(seconds=20))
    await command(hass, sim, REFRESH, "press")
    assert sim.vehicle(sim.vehicle_ids[0]).refresh is not asked


@pytest.mark.usefixtures("quickly")
@pytest.mark.parametrize("forgets", [True, False])
async def test_a_car_that_does_not_answer_is_waited_for_no_longer_than_jedlix_waits(
    hass: HomeAssistant, sim: Simulator, monkeypatch: pytest.MonkeyPatch, forgets: bool
) -> None:
    if not forgets:
        monkeypatch.setattr(world, "REFRESH_VALID", timedelta(days=1))
    await polled(hass, sim)
    clock = Clock(monkeypatch, sim)
    sim.link(sim.vehicle_ids[0], connected=False)
    calls = mark(sim)
    await command(hass, sim, REFRESH, "press")
    await until(hass, lambda: sum("refresh" in call for call in calls()) >= 4)
    assert is_waiting(hass)
    clock.go_on(timedelta(minutes=15))
    await until(hass, lambda: not is_waiting(hass))
    assert calls()[-1].split("?")[0].endswith(("/vehicles", "/sessions"))
    assert car_state(hass, sim, REFRESH).state != STATE_UNAVAILABLE


@pytest.mark.usefixtures("quickly")
async def test_a_tenant_that_does_not_tell_what_became_of_a_refresh_is_looked_at(
    hass: HomeAssistant, sim: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    await polled(hass, sim)
    sim.strike({"absent": ["refresh_status"]})
    calls = mark(sim)
    await command(hass, sim, REFRESH, "press")
    await until(hass, lambda: any("refresh" in call and "GET" in call for call in calls()))
    asked = next(n for n, call in enumerate(calls()) if "refresh" in call and "GET" in call)
    await until(hass, lambda: not is_waiting(hass))
    assert len(calls()) == asked + 3
    assert troubles(caplog) == []


# -- when it goes wrong ------------------------------------------------------------------------------------

COMMANDS: Final[dict[str, tuple[str, str, int, dict[str, Any]]]] = {
    "smart charging": (SMART, "turn_off", 0, {}),
    "boost": (BOOST, "turn_on", 0, {}),
    "desired": (DESIRED, "set_value", 0, {"value": 90}),
    "minimum": (MINIMUM, "set_value", 0, {"value": 30}),
    "current": (CURRENT, "set_value", 1, {"value": 50}),
    "refresh": (REFRESH, "press", 0, {}),
}
CALL_OF: Final = {
    SMART: "update_charge_settings",
    DESIRED: "update_charge_settings",
    MINIMUM: "update_charge_settings",
    BOOST: "session_settings",
    CURRENT: "session_settings",
    REFRESH: "request_refresh",
}


@pytest.fixture
async def plugged(hass: HomeAssistant, start_simulator: StartSimulator) -> Simulator:
    """Return a simulator with two cars in a session each; the entry has no push."""
    sim = await start_simulator(users=2)
    for vehicle_id in sim.vehicle_ids:
        sim.plug(vehicle_id)
    await polled(hass, sim)
    return sim


def entry_of(hass: HomeAssistant) -> MockConfigEntry:
    """Return the only entry."""
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    return cast("MockConfigEntry", entry)


@pytest.mark.parametrize("name", COMMANDS)
async def test_a_command_that_does_not_reach_jedlix_says_so_and_can_be_tried_again(
    hass: HomeAssistant,
    plugged: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    name: str,
) -> None:
    key, service, number, data = COMMANDS[name]
    before = car_state(hass, plugged, key, number)
    for fault, off in (
        ({"api_429": 1.0}, {"api_429": 0.0}),
        ({"api_500": 1.0}, {"api_500": 0.0}),
        ({"api_slow_seconds": 0.2}, {"api_slow_seconds": 0.0}),
        ({"outage_seconds": 60.0, "outage_how": "refuse"}, {"outage_seconds": 0.0}),
    ):
        plugged.strike(fault)
        with monkeypatch.context() as patch:
            if "api_slow_seconds" in fault:
                patch.setattr("custom_components.jedlix.api.http.TIMEOUT", ClientTimeout(0.05))
            attempt = command(hass, plugged, key, service, number, **data)
            await fails(hass, attempt, "command_failed")
        plugged.strike(off)
        if key != REFRESH:  # the state of a button is when it was pressed
            assert car_state(hass, plugged, key, number).state == before.state
    assert not hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert troubles(caplog) == []
    await command(hass, plugged, key, service, number, **data)
    assert car_state(hass, plugged, key, number).state != before.state


async def test_a_write_whose_answer_is_lost_is_shown_as_soon_as_jedlix_answers_again(
    hass: HomeAssistant, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.jedlix.state.refresh_queue.MIN_INTERVAL", 0.01)
    entry = await polled(hass, sim)
    client = entry.runtime_data.client

    async def lose_the_answer(*args: Any) -> None:
        await JedlixClient.update_charge_settings(client, *args)
        raise ConnectionFailed("no answer within 15 seconds")

    monkeypatch.setattr(client, "update_charge_settings", lose_the_answer)
    await fails(hass, command(hass, sim, DESIRED, "set_value", value=90), "command_failed")
    assert sim.vehicle(sim.vehicle_ids[0]).settings["desiredBatteryLevel"] == 90
    await until(hass, lambda: car_state(hass, sim, DESIRED).state == "90")


async def test_settings_that_fail_keep_nobody_from_the_chargers(
    hass: HomeAssistant, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_args: object) -> None:
        raise ConnectionFailed("internal api timeout (HTTP 504)")

    monkeypatch.setattr(JedlixClient, "charge_settings", fail)
    entry = await polled(hass, sim)
    assert entity_of(hass, sim, SMART) is None
    assert entry.runtime_data.coordinator.fleet.chargers


async def test_settings_that_were_not_found_once_are_asked_for_again_at_the_next_look(
    hass: HomeAssistant, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry, clock = await polled(hass, sim), Clock(monkeypatch, sim)
    sim.strike({"absent": ["charge_settings"]})
    clock.go_on(timedelta(days=1))
    await poll(hass, entry)
    assert car_state(hass, sim, SMART).state == STATE_UNAVAILABLE
    sim.strike({"absent": []})
    await poll(hass, entry)
    assert car_state(hass, sim, SMART).state == STATE_ON


@pytest.mark.parametrize("name", COMMANDS)
async def test_a_command_with_credentials_that_are_no_longer_good_asks_for_new_ones(
    hass: HomeAssistant, plugged: Simulator, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    key, service, number, data = COMMANDS[name]
    monkeypatch.setattr(type(plugged.tokens), "is_valid", lambda *_: False)
    await fails(hass, command(hass, plugged, key, service, number, **data), "auth_failed")
    flows = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert [flow["context"]["source"] for flow in flows] == [SOURCE_REAUTH]


@pytest.mark.parametrize("name", ["smart charging", "boost", "desired", "current"])
async def test_what_jedlix_refuses_is_told_in_its_own_words(
    hass: HomeAssistant, plugged: Simulator, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    key, service, number, data = COMMANDS[name]
    monkeypatch.setattr(plugged.world, "change_settings", _no_tuesday)
    monkeypatch.setattr(plugged.world, "set_boost", _no_tuesday)
    monkeypatch.setattr(plugged.world, "set_current_level", _no_tuesday)
    text = await fails(
        hass, command(hass, plugged, key, service, number, **data), "command_refused"
    )
    assert "Not on a Tuesday." in text
    assert car_state(hass, plugged, key, number).state != STATE_UNAVAILABLE


def _no_tuesday(*_args: object, **_options: object) -> None:
    raise Problem(422, "Not on a Tuesday.")


@pytest.mark.parametrize("answer", ["absent", "forbidden", "conflict"])
@pytest.mark.parametrize("name", ["boost", "current"])
async def test_a_session_that_is_over_meanwhile_costs_no_control(
    hass: HomeAssistant, plugged: Simulator, name: str, answer: str
) -> None:
    key, service, number, data = COMMANDS[name]
    vehicle_id = plugged.vehicle_ids[number]
    plugged.unplug(vehicle_id)
    if answer != "conflict":
        plugged.strike({answer: ["session_settings"]})
    await fails(
        hass,
        command(hass, plugged, key, service, number, **data),
        "no_session",
        ServiceValidationError,
    )
    assert car_state(hass, plugged, SESSION, number).state == "none"
    assert car_state(hass, plugged, key, number).state == STATE_UNAVAILABLE
    plugged.strike({"absent": [], "forbidden": []})
    plugged.plug(vehicle_id)
    await poll(hass, entry_of(hass))
    await command(hass, plugged, key, service, number, **data)
    assert car_state(hass, plugged, key, number).state in {STATE_ON, "50"}


@pytest.mark.parametrize("name", COMMANDS)
async def test_a_car_that_is_gone_meanwhile_costs_no_other_its_controls(
    hass: HomeAssistant, plugged: Simulator, name: str
) -> None:
    key, service, number, data = COMMANDS[name]
    car = plugged.vehicle(plugged.vehicle_ids[number])
    entity_id = entity_of(hass, plugged, key, number)
    plugged.remove(car.id)
    await fails(
        hass,
        hass.services.async_call(
            key.partition(".")[0], service, {"entity_id": entity_id, **data}, blocking=True
        ),
        "unknown_vehicle",
        ServiceValidationError,
    )
    await hass.async_block_till_done()
    assert entity_id is not None
    assert er.async_get(hass).async_get(entity_id) is None
    assert entry_of(hass).runtime_data.coordinator.offered.is_offered(CALL_OF[key])


# -- tenants that lack things ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("how", ["absent", "forbidden"])
async def test_a_call_that_the_tenant_lacks_takes_its_controls_away_with_one_line(
    hass: HomeAssistant,
    plugged: Simulator,
    caplog: pytest.LogCaptureFixture,
    name: str,
    how: str,
) -> None:
    key, service, number, data = COMMANDS[name]
    plugged.strike({how: [CALL_OF[key]]})
    await fails(hass, command(hass, plugged, key, service, number, **data), "not_offered")
    await fails(
        hass,
        _the_command_itself(hass, plugged, name),
        "not_offered",
        ServiceValidationError,
    )
    await poll(hass, entry_of(hass))
    assert {
        (each, of): car_state(hass, plugged, each, of).state == STATE_UNAVAILABLE
        for each in CALL_OF
        for of in (0, 1)
        if entity_of(hass, plugged, each, of) is not None
    } == {
        (each, of): call == CALL_OF[key]
        for each, call in CALL_OF.items()
        for of in (0, 1)
        if (each, of) not in {(CURRENT, 0), (BOOST, 1)}
    }
    lines = [record for record in caplog.records if "does not offer" in record.getMessage()]
    assert len(lines) == 1
    assert troubles(caplog) == []


async def _the_command_itself(hass: HomeAssistant, sim: Simulator, name: str) -> None:
    """Command as an action or a stale page would, whatever the state of the control."""
    key, _, number, data = COMMANDS[name]
    car = sim.vehicle(sim.vehicle_ids[number])
    commands, of = entry_of(hass).runtime_data.commands, (car.user_id, car.id)
    match key.partition(".")[2]:
        case "smart_charging":
            await commands.set_smart_charging(of, enabled=False)
        case "boost":
            await commands.boost(of, enabled=True)
        case "desired_battery_level":
            await commands.set_levels(of, desired=data["value"])
        case "minimum_battery_level":
            await commands.set_levels(of, minimum=data["value"])
        case "current_battery_level":
            await commands.set_current_battery_level(of, data["value"])
        case _:
            await commands.refresh(of)


@pytest.mark.parametrize("name", COMMANDS)
async def test_one_refusal_of_a_call_that_has_worked_takes_nothing_away(
    hass: HomeAssistant, plugged: Simulator, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    key, service, number, data = COMMANDS[name]
    clock = Clock(monkeypatch, plugged)
    await command(hass, plugged, key, service, number, **data)
    plugged.strike({"forbidden": [CALL_OF[key]]})
    clock.go_on(timedelta(minutes=11))
    await fails(hass, command(hass, plugged, key, service, number, **data), "command_refused")
    assert car_state(hass, plugged, key, number).state != STATE_UNAVAILABLE


async def test_settings_that_can_no_longer_be_read_can_no_longer_be_changed(
    hass: HomeAssistant,
    sim: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    entry, clock = await polled(hass, sim), Clock(monkeypatch, sim)
    sim.strike({"forbidden": ["charge_settings"]})
    clock.go_on(timedelta(days=1))
    await poll(hass, entry)
    for key in (SMART, DESIRED, MINIMUM, REFRESH):
        assert car_state(hass, sim, key).state == STATE_UNAVAILABLE
    assert car_state(hass, sim, RESUMES_AT).state == STATE_UNKNOWN
    await fails(
        hass,
        _smart_charging_off(hass, entry, sim),
        "not_offered",
        ServiceValidationError,
    )
    assert troubles(caplog) == []
    sim.strike({"forbidden": []})
    clock.go_on(timedelta(days=1))
    await poll(hass, entry)
    assert car_state(hass, sim, SMART).state == STATE_ON
    assert car_state(hass, sim, DESIRED).state == "80"


async def _smart_charging_off(hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator) -> None:
    await hass.services.async_call(
        DOMAIN,
        "pause_smart_charging",
        {"device_id": device_of(hass, entry, sim).id},
        blocking=True,
    )


def controls(hass: HomeAssistant) -> set[str]:
    """Return the entities of ours with which something can be done, and the calendars."""
    return {
        item.entity_id
        for item in er.async_get(hass).entities.values()
        if item.platform == DOMAIN and item.domain in {"switch", "number", "button", "calendar"}
    }


async def test_what_two_households_have_where_the_tenant_offers_everything(
    hass: HomeAssistant, plugged: Simulator
) -> None:
    assert controls(hass) == {
        "button.jedlix_resubscribe",
        "button.renault_zoe_refresh",
        "button.tesla_model_3_refresh",
        "calendar.renault_zoe_sessions",
        "calendar.tesla_model_3_sessions",
        "number.renault_zoe_current_battery_level",
        "number.renault_zoe_desired_battery_level",
        "number.renault_zoe_minimum_battery_level",
        "number.tesla_model_3_desired_battery_level",
        "number.tesla_model_3_minimum_battery_level",
        "switch.renault_zoe_smart_charging",
        "switch.tesla_model_3_boost",
        "switch.tesla_model_3_smart_charging",
    }


async def test_in_a_tenant_of_documented_calls_alone_nothing_pretends_to_be_there(
    hass: HomeAssistant,
    start_simulator: StartSimulator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sim = await start_simulator(users=2, mode="strict")
    entry, clock = await polled(hass, sim), Clock(monkeypatch, sim)
    for day in range(6):
        for vehicle_id in sim.vehicle_ids:
            sim.plug(vehicle_id) if day % 2 else None
            if sim.vehicle(vehicle_id).plugged_in and not day % 2:
                sim.unplug(vehicle_id)
        await poll(hass, entry)
        clock.go_on(timedelta(days=1))
    assert controls(hass) == {
        "button.jedlix_resubscribe",  # registering is documented
        "calendar.renault_zoe_sessions",  # so is the tenant's list
        "calendar.tesla_model_3_sessions",
    }
    everything = {
        item.entity_id
        for item in er.async_get(hass).entities.values()
        if item.platform == DOMAIN and item.domain == "sensor"
    }
    assert "sensor.easee_home_power" in everything  # chargers are in the SDK
    assert not any("resumes_at" in entity_id for entity_id in everything)
    lines = [
        record.getMessage().partition(":")[0]
        for record in caplog.records
        if "does not offer" in record.getMessage()
    ]
    assert sorted(lines) == [
        "This Jedlix tenant does not offer charge_settings",
        "This Jedlix tenant does not offer user_sessions",
    ]
    assert troubles(caplog) == []


async def test_a_tenant_without_chargers_has_none(
    hass: HomeAssistant, start_simulator: StartSimulator, caplog: pytest.LogCaptureFixture
) -> None:
    sim = await start_simulator(faults={"absent": ["chargers"]})
    entry = await polled(hass, sim)
    sim.plug(sim.vehicle_ids[0])
    await poll(hass, entry)
    assert not any("easee" in entity_id for entity_id in hass.states.async_entity_ids())
    assert car_state(hass, sim, SMART).state == STATE_ON
    assert troubles(caplog) == []


async def test_through_all_the_noise_the_controls_do_what_they_say(
    hass: HomeAssistant,
    start_simulator: StartSimulator,
    callback_url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sim = await start_simulator(mode="noisy", users=2)
    entry = make_entry(sim, callback_url)
    await set_up(hass, entry)
    await until(hass, lambda: entry.runtime_data.push.state not in ("off", "connecting"))
    car = sim.vehicle(sim.vehicle_ids[0])
    for turn in range(5):
        for vehicle_id in sim.vehicle_ids:
            sim.plug(vehicle_id)
        await poll(hass, entry)
        await command(hass, sim, BOOST, "turn_on")
        assert car.session is not None
        assert car.session.boost
        assert car_state(hass, sim, BOOST).state == STATE_ON
        await command(hass, sim, DESIRED, "set_value", value=60 + turn)
        assert car.settings["desiredBatteryLevel"] == 60 + turn
        assert car.settings["unknownKeyOfTheSimulator"]["keep"] == "me"
        assert car_state(hass, sim, DESIRED).state == str(60 + turn)
        await command(hass, sim, CURRENT, "set_value", 1, value=20 + turn)
        for service, enabled in (("turn_off", False), ("turn_on", True)):
            await command(hass, sim, SMART, service)
            assert car.smart_charging is enabled
            sim.advance(A_MOMENT)
        for vehicle_id in sim.vehicle_ids:
            sim.unplug(vehicle_id)
        await poll(hass, entry)
    assert troubles(caplog) == []
