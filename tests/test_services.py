"""Actions: what they do and answer, which targets they take, and the error for each failure."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast

from homeassistant.components import persistent_notification
from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.const import STATE_OFF, STATE_ON
from homeassistant.core import HomeAssistant, ServiceResponse
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import (
    area_registry as ar,
    config_validation as cv,
    device_registry as dr,
    entity_registry as er,
    floor_registry as fr,
)
from homeassistant.helpers.label_registry import async_get as labels
from homeassistant.util import dt as dt_util
from homeassistant.util.yaml import load_yaml_dict
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import voluptuous as vol

from custom_components.jedlix import services
from custom_components.jedlix.answers import costs_as_json, session_as_json
from custom_components.jedlix.api import ChargingLocation, JedlixClient, Rejected, Session
from custom_components.jedlix.const import DOMAIN
from custom_components.jedlix.periods import Period
from custom_components.jedlix.state.hours import flow_of
from simulator.app import Simulator
from tests.commanding import (
    add_session,
    car_state,
    device_of,
    entity_of,
    fails,
    mark,
    poll,
    troubles,
)
from tests.simulators import StartSimulator
from tests.tools import Clock, make_entry, record_events, set_up, state_of

pytestmark = pytest.mark.usefixtures("home", "no_second_try")

SOON: Final = "2126-01-01T00:00:00+00:00"
LONG_AGO: Final = "2020-01-01T00:00:00+00:00"

# The data of each action besides its target; the first eight are for cars, the next one for locations.
ACTIONS: Final[dict[str, dict[str, Any]]] = {
    "boost": {},
    "pause_smart_charging": {},
    "resume_smart_charging": {},
    "set_current_battery_level": {"level": 50},
    "set_ready_by": {"time": "06:00"},
    "get_sessions": {"period": "last_365_days"},
    "get_costs": {"period": "last_365_days"},
    "import_history": {"start": "2026-01-01"},
    "get_prices": {},
    "catch_up": {},
    "resubscribe": {},
    "get_api_report": {},
}
_TIMES: Final = {"period", "start", "duration", "end"}
SERVICES: Final = Path(__file__).parents[1] / "custom_components/jedlix/services.yaml"
CAR_ACTIONS: Final = list(ACTIONS)[:8]
ACCOUNT_ACTIONS: Final = list(ACTIONS)[9:]


@pytest.fixture
async def fleet(start_simulator: StartSimulator) -> Simulator:
    """Return a simulator whose first two cars are in a session; the first is a smart one."""
    sim = await start_simulator(users=3)
    for vehicle_id in sim.vehicle_ids[:2]:
        sim.plug(vehicle_id)
    return sim


@pytest.fixture
async def loaded(hass: HomeAssistant, fleet: Simulator) -> MockConfigEntry:
    """Return an entry without push for these cars."""
    entry = make_entry(fleet, None)
    await set_up(hass, entry)
    return entry


async def call_action(hass: HomeAssistant, action: str, **data: Any) -> ServiceResponse:
    """Call an action; returns its answer where it has one. A period of the call takes the place of ours."""
    return await hass.services.async_call(
        DOMAIN,
        action,
        data if _TIMES & data.keys() else ACTIONS[action] | data,
        blocking=True,
        return_response=action.startswith("get_"),
    )


@pytest.fixture
def nothing_written(fleet: Simulator) -> Callable[[], bool]:
    """Return a function that says whether nothing was written at Jedlix."""
    calls = mark(fleet)
    return lambda: not [call for call in calls() if not call.startswith("GET")]


# -- what they do ------------------------------------------------------------------------------------------


async def test_boost_is_switched_on_unless_the_call_says_off(
    hass: HomeAssistant, fleet: Simulator, loaded: MockConfigEntry
) -> None:
    session = fleet.vehicle(fleet.vehicle_ids[0]).session
    device_id = device_of(hass, loaded, fleet).id
    assert session is not None
    await call_action(hass, "boost", device_id=device_id)
    assert session.boost
    assert car_state(hass, fleet, "switch.boost").state == STATE_ON
    await call_action(hass, "boost", device_id=device_id, enabled=False)
    assert not session.boost


async def test_smart_charging_is_paused_until_a_local_time_or_for_a_while_and_resumed(
    hass: HomeAssistant, fleet: Simulator, loaded: MockConfigEntry
) -> None:
    await hass.config.async_set_time_zone("Europe/Amsterdam")
    car, device_id = fleet.vehicle(fleet.vehicle_ids[0]), device_of(hass, loaded, fleet).id
    await call_action(
        hass, "pause_smart_charging", device_id=device_id, until="2126-07-01 08:00:00"
    )
    assert car.settings["isSmartChargingEnabled"] is False
    resumes_at = car_state(hass, fleet, "sensor.smart_charging_resumes_at").state
    assert dt_util.parse_datetime(resumes_at) == datetime(2126, 7, 1, 6, tzinfo=UTC)
    await call_action(hass, "pause_smart_charging", device_id=device_id, duration={"hours": 8})
    end = dt_util.parse_datetime(car_state(hass, fleet, "sensor.smart_charging_resumes_at").state)
    assert end is not None
    now = loaded.runtime_data.coordinator.now()
    assert abs(end - now - timedelta(hours=8)) < timedelta(minutes=1)
    both = {"duration": {"hours": 8}, "until": "2126-07-01 08:00:00"}
    call = call_action(hass, "pause_smart_charging", device_id=device_id, **both)
    await fails(hass, call, "one_end", ServiceValidationError)
    await call_action(hass, "resume_smart_charging", device_id=device_id)
    assert car.settings["isSmartChargingEnabled"] is True
    assert car.settings["enableSmartChargingAt"] is None
    assert car_state(hass, fleet, "switch.smart_charging").state == STATE_ON


async def test_the_level_of_a_car_that_does_not_report_it_is_entered(
    hass: HomeAssistant, fleet: Simulator, loaded: MockConfigEntry
) -> None:
    device_id = device_of(hass, loaded, fleet, 1).id
    await call_action(hass, "set_current_battery_level", device_id=device_id, level="37")
    session = fleet.vehicle(fleet.vehicle_ids[1]).session
    assert session is not None
    assert session.current_battery_level == 37
    assert car_state(hass, fleet, "number.current_battery_level", 1).state == "37"


@pytest.mark.usefixtures("no_second_try")
async def test_resubscribe_registers_again_and_says_what_came_of_it(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    """For the account of the target, or for all; the button says it as a notification."""
    car, wanted = device_of(hass, entry, sim).id, sorted(entry.options["event_types"])
    for target in ({}, {"entity_id": "sensor.jedlix_push_state"}, {"device_id": car}):
        sim.strike({"subscriptions_gone": True})
        assert not sim.webhooks.subscriptions
        answer = await hass.services.async_call(
            DOMAIN, "resubscribe", target, blocking=True, return_response=True
        )
        assert answer is not None
        found: Any = answer[entry.entry_id]
        assert sorted(found.pop("accepted")) == wanted
        assert found == {"account": "Jedlix", "push_state": "waiting", "refused": []}
        assert len(sim.webhooks.subscriptions) == len(wanted)
    press = {"entity_id": "button.jedlix_resubscribe"}
    await hass.services.async_call("button", "press", press, blocking=True)
    (notification,) = persistent_notification._async_get_or_create_notifications(hass).values()
    assert notification["title"] == "Jedlix: webhooks registered again"
    assert all(name in notification["message"] for name in wanted)
    sim.strike({"outage_seconds": 60})
    for attempt in (
        hass.services.async_call("button", "press", press, blocking=True),
        call_action(hass, "resubscribe"),
    ):
        await fails(hass, attempt, "not_registered")


@pytest.mark.parametrize("hours", [0, 2])
async def test_catch_up_publishes_missed_changes_once_and_late_after_an_outage(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, clock: Clock, hours: int
) -> None:
    sim.strike({"drop": 1.0})
    sim.plug(sim.vehicle_ids[0])
    clock.go_on(timedelta(hours=hours))
    recorded = record_events(hass)
    since = (dt_util.utcnow() - timedelta(hours=3)).isoformat()
    answer = await hass.services.async_call(
        DOMAIN, "catch_up", {"since": since}, blocking=True, return_response=True
    )
    await hass.async_block_till_done()
    published = len(recorded.changes) + len(recorded.settled)
    assert answer == {
        entry.entry_id: {
            "account": "Jedlix",
            "changes": published,
            "deliveries": len(recorded.webhooks),
        }
    }
    assert {"plugged_in", "session_started"} <= set(recorded.types)
    assert {change["late"] for change in recorded.changes} == {hours > 0}
    assert len(recorded.types) == len(set(recorded.types))
    await call_action(hass, "catch_up")
    await hass.async_block_till_done()
    assert len(recorded.types) == len(set(recorded.types))


async def test_catch_up_without_a_target_tries_all_accounts(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    """One account that cannot be reached keeps no other from catching up."""
    sims = [await start_simulator(seed=seed) for seed in (1, 2, 3)]
    for number, sim in enumerate(sims):
        entry = make_entry(sim, None)
        entry.add_to_hass(hass)
        hass.config_entries.async_update_entry(entry, unique_id=f"account {number}")
        await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done()
    calls = [mark(sim) for sim in sims]
    sims[1].strike({"outage_seconds": 60.0})
    await fails(hass, call_action(hass, "catch_up"), "command_failed")
    assert all(any("/vehicles" in call for call in calls[number]()) for number in (0, 2))


# -- what they return --------------------------------------------------------------------------------------


async def test_sessions_and_costs_are_returned_for_each_car_of_the_target(
    hass: HomeAssistant, fleet: Simulator, loaded: MockConfigEntry
) -> None:
    devices = [device_of(hass, loaded, fleet, number).id for number in (0, 1)]
    period_start = dt_util.utcnow() - timedelta(days=20)
    start = period_start.isoformat()
    sessions = await call_action(hass, "get_sessions", device_id=devices, start=start)
    costs = await call_action(hass, "get_costs", device_id=devices, start=start)
    assert sessions is not None
    assert costs is not None
    assert set(sessions) == set(costs) == set(devices)
    for number, device_id in enumerate(devices):
        car = fleet.vehicle(fleet.vehicle_ids[number])
        listed: list[dict[str, Any]] = cast("Any", sessions[device_id])["sessions"]
        world = fleet.world.sessions.by_id
        assert {world[item["session_id"]].vehicle_id for item in listed} == {car.id}
        assert len(listed) > 5
        assert car.session is not None
        assert listed[-1]["session_id"] == car.session.id
        assert listed[-1]["ended_at"] is None
        (total,) = cast("Any", costs[device_id])["costs"]
        assert total["currency"] == "EUR"
        began = [
            item for item in listed if datetime.fromisoformat(item["started_at"]) >= period_start
        ]
        assert total["sessions"] == len(began)
        parts = [item["cost"] * part_after(item, period_start) for item in listed]
        assert total["cost"] == pytest.approx(sum(parts), abs=0.011)
        assert total["smart_sessions"] == sum(item["is_managed"] for item in began)


def part_after(session: dict[str, Any], moment: datetime) -> float:
    """Return which part of a session lies after a moment; nobody saw when it charged."""
    start, end = (
        dt_util.utcnow() if text is None else datetime.fromisoformat(text)
        for text in (session["started_at"], session["ended_at"])
    )
    return 1.0 if start >= moment else (end - moment) / (end - start)


async def test_a_period_has_a_name_or_a_length(
    hass: HomeAssistant, fleet: Simulator, loaded: MockConfigEntry
) -> None:
    device_id = device_of(hass, loaded, fleet).id

    async def ids(**data: Any) -> list[str]:
        answer = await call_action(hass, "get_sessions", device_id=device_id, **data)
        return [item["session_id"] for item in cast("Any", answer)[device_id]["sessions"]]

    now = dt_util.utcnow()
    week = await ids(start=(now - timedelta(days=7)).isoformat())
    assert len(week) > 2
    assert await ids(period="last_7_days") == week
    assert await ids(duration={"days": 7}) == week
    earlier = (now - timedelta(days=7)).isoformat()
    before = await ids(duration={"days": 7}, end=earlier)
    assert before == await ids(start=(now - timedelta(days=14)).isoformat(), end=earlier)
    assert len(before) > 2


async def test_the_costs_of_months_add_up_to_those_of_the_year_and_agree_with_the_sessions(
    hass: HomeAssistant, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One session is charged over the end of a month."""
    await hass.config.async_set_time_zone("Europe/Amsterdam")
    sim = await start_simulator(history_days=0)
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    monkeypatch.setattr(dt_util, "utcnow", lambda: now)
    monkeypatch.setattr(sim, "clock", lambda: now)
    midnight = datetime(2026, 10, 31, 23, tzinfo=UTC)
    night = timedelta(hours=1)
    add_session(sim, midnight - 3 * night, midnight + night, id="1", energy_kwh=8.0, cost=2.0)
    add_session(sim, midnight + 9 * night, midnight + 11 * night, id="2", energy_kwh=5.0, cost=1.0)
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    device_id = device_of(hass, entry, sim).id

    async def costs(period: str) -> tuple[Any, ...]:
        answer = await call_action(hass, "get_costs", device_id=device_id, period=period)
        (line,) = cast("Any", answer)[device_id]["costs"]
        return line["sessions"], line["energy_kwh"], line["cost"]

    assert await costs("last_month") == (1, 6.0, 1.5)
    assert await costs("this_month") == (1, 7.0, 1.5)
    assert await costs("this_year") == (2, 13.0, 3.0)
    # The sensors of a car that was just added begin with the sessions of the whole month.
    assert float(state_of(hass, "_energy_this_month")) == 7.0
    assert float(state_of(hass, "_cost_this_month")) == 1.5


async def test_a_period_without_sessions_returns_none(
    hass: HomeAssistant, fleet: Simulator, loaded: MockConfigEntry
) -> None:
    device_id = device_of(hass, loaded, fleet).id
    period = {"start": "2020-01-01", "end": "2020-02-01 00:00"}
    assert await call_action(hass, "get_sessions", device_id=device_id, **period) == {
        device_id: {"sessions": []}
    }
    assert await call_action(hass, "get_costs", device_id=device_id, **period) == {
        device_id: {"costs": []}
    }


FULL: Final = Session(
    id="1",
    user_id="user",
    vehicle_id="car",
    is_managed=True,
    charging_location_id="home",
    started_at=datetime(2026, 7, 1, 18, 0, tzinfo=UTC),
    ended_at=datetime(2026, 7, 2, 6, 30, tzinfo=UTC),
    energy_kwh=20.25,
    cost=4.1,
    savings=1.234,
    currency="EUR",
)


async def test_a_session_is_returned_in_local_time(hass: HomeAssistant) -> None:
    await hass.config.async_set_time_zone("Europe/Amsterdam")
    assert session_as_json(FULL) == {
        "session_id": "1",
        "vehicle_id": "car",
        "is_managed": True,
        "charging_location_id": "home",
        "charging_location": None,
        "started_at": "2026-07-01T20:00:00+02:00",
        "ended_at": "2026-07-02T08:30:00+02:00",
        "energy_kwh": 20.25,
        "cost": 4.1,
        "savings": 1.234,
        "currency": "EUR",
    }
    home = ChargingLocation(id="home", street="Kerkstraat", city="Utrecht")
    assert session_as_json(FULL, home) == session_as_json(FULL) | {"charging_location": "Utrecht"}
    assert session_as_json(Session(id="2")) == dict.fromkeys(session_as_json(FULL)) | {
        "session_id": "2"
    }


def test_costs_are_totals_by_currency() -> None:
    """What a session charged before the period counts in the period before."""
    july = datetime(2026, 7, 1, tzinfo=UTC)
    over = datetime(2026, 7, 1, 4, tzinfo=UTC)
    sessions = [
        replace(FULL, id="before", started_at=july - timedelta(hours=4), ended_at=over),
        replace(
            FULL,
            id="long before",
            started_at=july - timedelta(hours=4),
            ended_at=july,
            currency="NOK",
        ),
        FULL,
        replace(FULL, id="2", is_managed=False, cost=0.2, savings=None),
        replace(FULL, id="3", currency="SEK", energy_kwh=None),
        Session(id="4", started_at=FULL.started_at),
    ]
    parts = [
        (session, flow_of(session.started_at or july, session.ended_at or july))
        for session in sessions
    ]
    period = Period(july, july + timedelta(days=31))
    columns = ("currency", "sessions", "smart_sessions", "unmanaged_sessions")
    figures = ("energy_kwh", "cost", "savings")
    assert [tuple(total.items()) for total in costs_as_json(parts, period)] == [
        tuple(zip(columns + figures, row, strict=True))
        for row in (
            ("EUR", 2, 1, 1, 50.625, 6.35, 1.85),
            ("SEK", 1, 1, 0, None, 4.1, 1.23),
            (None, 1, 0, 0, None, None, None),
        )
    ]
    assert costs_as_json([], period) == []


# -- targets -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "by", ["device_id", "area_id", "label_id", "entity_id", "floor_id", "label of an entity"]
)
async def test_a_target_means_a_car_by_device_area_floor_label_or_entity(
    hass: HomeAssistant, fleet: Simulator, loaded: MockConfigEntry, by: str
) -> None:
    device = device_of(hass, loaded, fleet)
    devices, entities = dr.async_get(hass), er.async_get(hass)
    entity_id = entity_of(hass, fleet, "sensor.charge_state")
    assert entity_id is not None
    target: dict[str, Any] = {}
    match by:
        case "device_id":
            target = {by: [device.id]}
        case "entity_id":
            target = {by: entity_id}
        case "area_id":
            area = ar.async_get(hass).async_create("Drive")
            devices.async_update_device(device.id, area_id=area.id)
            account = devices.async_get_device_by_identifier(
                (DOMAIN, loaded.entry_id), loaded.entry_id
            )
            assert account is not None
            devices.async_update_device(account.id, area_id=area.id)  # which is no car
            target = {by: area.id}
        case "floor_id":
            floor = fr.async_get(hass).async_create("Ground")
            area = ar.async_get(hass).async_create("Drive", floor_id=floor.floor_id)
            devices.async_update_device(device.id, area_id=area.id)
            target = {by: floor.floor_id}
        case "label_id":
            label = labels(hass).async_create("Electric")
            devices.async_update_device(device.id, labels={label.label_id})
            target = {by: label.label_id}
        case _:
            label = labels(hass).async_create("Electric")
            entities.async_update_entity(entity_id, labels={label.label_id})
            target = {"label_id": [label.label_id]}
    await call_action(hass, "pause_smart_charging", **target)
    paused = [not fleet.vehicle(vehicle_id).smart_charging for vehicle_id in fleet.vehicle_ids]
    assert paused == [True, False, False]
    assert car_state(hass, fleet, "switch.smart_charging").state == STATE_OFF


@pytest.mark.parametrize("by", ["device_id", "entity_id"])
async def test_a_car_that_the_target_excludes_is_left_alone_also_where_it_is_named(
    hass: HomeAssistant,
    fleet: Simulator,
    loaded: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
    by: str,
) -> None:
    """An entity stands for its car. Home Assistant takes excludes from 2026.11 on."""
    fields = {**cv.TARGET_SERVICE_FIELDS, vol.Optional("exclude"): dict}
    monkeypatch.setattr("custom_components.jedlix.services._TARGET", fields)
    monkeypatch.setattr(
        "custom_components.jedlix.services._TARGET_KEYS", frozenset(str(key) for key in fields)
    )
    services.async_setup_services(hass)
    cars = [device_of(hass, loaded, fleet, number).id for number in range(3)]
    out = cars[1] if by == "device_id" else entity_of(hass, fleet, "sensor.charge_state", 1)
    await call_action(hass, "pause_smart_charging", device_id=cars, exclude={by: [out]})
    paused = [not fleet.vehicle(vehicle_id).smart_charging for vehicle_id in fleet.vehicle_ids]
    assert paused == [True, False, True]
    excluded = {"device_id": [cars[1]]}
    call = call_action(hass, "boost", device_id=[cars[1]], exclude=excluded)
    await fails(hass, call, "no_vehicle", ServiceValidationError)


@pytest.mark.parametrize(
    "target",
    [
        {},
        {"entity_id": "sun.sun"},
        {"entity_id": "all"},
        {"entity_id": "none"},
        {"device_id": "none"},
        {"device_id": []},
        {"area_id": "nowhere"},
        {"label_id": ["none"]},
        {"entity_id": "sensor.jedlix_push_state"},
    ],
)
async def test_a_target_without_a_car_is_an_error(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    nothing_written: Callable[[], bool],
    target: dict[str, Any],
) -> None:
    for action in CAR_ACTIONS:
        await fails(hass, call_action(hass, action, **target), "no_vehicle", ServiceValidationError)
    assert nothing_written()


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("a1b2", "unknown_device"),
        ("Reading lamp", "foreign_device"),
        ("Jedlix", "not_a_vehicle"),
        ("Easee Home", "not_a_vehicle"),
    ],
)
async def test_a_named_device_must_exist_be_ours_and_be_a_car(
    hass: HomeAssistant,
    fleet: Simulator,
    loaded: MockConfigEntry,
    nothing_written: Callable[[], bool],
    caplog: pytest.LogCaptureFixture,
    name: str,
    error: str,
) -> None:
    """An account may be named for the actions of accounts."""
    devices, other = dr.async_get(hass), MockConfigEntry(domain="lamps")
    other.add_to_hass(hass)
    lamp = devices.async_get_or_create(
        config_entry_id=other.entry_id, identifiers={("lamps", "1")}, name="Lamp"
    )
    devices.async_update_device(lamp.id, name_by_user="Reading lamp")
    ours = dr.async_entries_for_config_entry(devices, loaded.entry_id)
    ids = {device.name: device.id for device in ours} | {"Reading lamp": lamp.id}
    named = [device_of(hass, loaded, fleet).id, ids.get(name, name)]
    for action in CAR_ACTIONS if error == "not_a_vehicle" else ACTIONS:
        attempt = call_action(hass, action, device_id=named)
        assert name in await fails(hass, attempt, error, ServiceValidationError)
    assert nothing_written()
    assert troubles(caplog) == []


async def test_an_account_that_is_not_loaded_is_an_error(
    hass: HomeAssistant,
    fleet: Simulator,
    loaded: MockConfigEntry,
    nothing_written: Callable[[], bool],
) -> None:
    device_id = device_of(hass, loaded, fleet).id
    await hass.config_entries.async_unload(loaded.entry_id)
    for action in ACTIONS:
        text = await fails(
            hass,
            call_action(hass, action, device_id=device_id),
            "not_loaded",
            ServiceValidationError,
        )
        assert "account Jedlix" in text
    assert nothing_written()


@pytest.mark.parametrize("target", [{}, {"area_id": "nowhere"}, {"device_id": "none"}])
async def test_without_an_account_there_is_an_error(
    hass: HomeAssistant, loaded: MockConfigEntry, target: dict[str, Any]
) -> None:
    """Without a target all accounts are meant. A target may mean none."""
    if not target:
        await hass.config_entries.async_set_disabled_by(loaded.entry_id, ConfigEntryDisabler.USER)
    for action in ACCOUNT_ACTIONS:
        await fails(hass, call_action(hass, action, **target), "no_account", ServiceValidationError)


# -- bad input ---------------------------------------------------------------------------------------------

_YESTERDAY: Final = timedelta(days=-1)


@pytest.mark.parametrize(
    ("action", "data", "key"),
    [
        ("pause_smart_charging", {"until": LONG_AGO}, "time_in_the_past"),
        ("pause_smart_charging", {"until": timedelta(seconds=-1)}, "time_in_the_past"),
        ("set_current_battery_level", {"level": 101}, "level_out_of_range"),
        ("set_current_battery_level", {"level": -1}, "level_out_of_range"),
        ("get_sessions", {"start": _YESTERDAY, "end": timedelta(days=-2)}, "end_before_start"),
        ("get_sessions", {"start": timedelta(minutes=1)}, "end_before_start"),
        ("get_costs", {"start": LONG_AGO, "end": LONG_AGO}, "end_before_start"),
        ("get_costs", {"start": SOON}, "end_before_start"),
        ("get_costs", {"duration": 0}, "end_before_start"),
        ("get_costs", {"duration": -60}, "end_before_start"),
        ("get_costs", {"end": LONG_AGO}, "one_period"),
        ("get_costs", {"period": "today", "start": LONG_AGO}, "one_period"),
        ("get_sessions", {"period": "today", "duration": 60}, "one_period"),
        ("get_sessions", {"start": LONG_AGO, "duration": 60}, "one_period"),
        ("get_sessions", {"period": "today", "end": SOON}, "one_period"),
        ("get_prices", {"start": SOON, "end": LONG_AGO}, "end_before_start"),
        ("get_prices", {"duration": 0}, "end_before_start"),
        ("get_prices", {"period": "today", "end": SOON}, "one_price_period"),
        ("get_prices", {"start": LONG_AGO, "duration": 60, "end": SOON}, "one_price_period"),
        ("get_prices", {"start": LONG_AGO, "end": SOON}, "period_too_long"),
        ("get_prices", {"start": timedelta(0), "duration": 367 * 86400}, "period_too_long"),
        ("catch_up", {"since": timedelta(minutes=1)}, "time_in_the_future"),
        ("catch_up", {"since": timedelta(days=-7, minutes=-1)}, "too_long_ago"),
    ],
)
async def test_bad_input_is_an_error_and_nothing_is_written(
    hass: HomeAssistant,
    fleet: Simulator,
    loaded: MockConfigEntry,
    nothing_written: Callable[[], bool],
    action: str,
    data: dict[str, Any],
    key: str,
) -> None:
    now = dt_util.utcnow()
    data = {
        name: (now + value).isoformat() if isinstance(value, timedelta) else value
        for name, value in data.items()
    }
    devices = [device_of(hass, loaded, fleet, number).id for number in (0, 1)]
    text = await fails(
        hass, call_action(hass, action, device_id=devices, **data), key, ServiceValidationError
    )
    if key == "level_out_of_range":
        assert str(data["level"]) in text
    assert nothing_written()


@pytest.mark.parametrize(
    ("action", "data"),
    [
        ("boost", {"enabled": "perhaps"}),
        ("pause_smart_charging", {"until": "tomorrow"}),
        ("set_current_battery_level", {"level": "half"}),
        ("set_current_battery_level", {"level": None}),
        ("get_sessions", {"start": None}),
        ("get_costs", {"start": "2020-01-01", "end": "never"}),
        ("get_costs", {"period": "next_month"}),
        ("get_costs", {"duration": "a week"}),
        ("catch_up", {"since": "yesterday"}),
        ("resubscribe", {"since": SOON}),
    ],
)
async def test_input_of_the_wrong_type_is_refused_by_home_assistant(
    hass: HomeAssistant,
    fleet: Simulator,
    loaded: MockConfigEntry,
    action: str,
    data: dict[str, Any],
) -> None:
    with pytest.raises(vol.Invalid):
        await call_action(hass, action, device_id=device_of(hass, loaded, fleet).id, **data)


async def test_without_a_session_there_is_no_boost_and_no_level_to_enter(
    hass: HomeAssistant,
    fleet: Simulator,
    loaded: MockConfigEntry,
    nothing_written: Callable[[], bool],
) -> None:
    parked, unmanaged = (device_of(hass, loaded, fleet, number).id for number in (2, 1))
    for device_id in (parked, unmanaged):
        await fails(
            hass,
            call_action(hass, "boost", device_id=device_id),
            "no_smart_session",
            ServiceValidationError,
        )
    await fails(
        hass,
        call_action(hass, "set_current_battery_level", device_id=parked),
        "no_session",
        ServiceValidationError,
    )
    assert nothing_written()


# -- failures ----------------------------------------------------------------------------------------------


async def test_all_cars_of_the_target_are_tried_before_an_error_is_raised(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(users=3)
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    cars = [sim.vehicle(vehicle_id) for vehicle_id in sim.vehicle_ids]
    for car in (cars[0], cars[2]):
        car.capabilities = cars[0].capabilities
        sim.plug(car.id)
    await poll(hass, entry)
    devices = [device_of(hass, entry, sim, number).id for number in (0, 1, 2)]
    await fails(
        hass,
        call_action(hass, "boost", device_id=devices),
        "no_smart_session",
        ServiceValidationError,
    )
    assert [car.session is not None and car.session.boost for car in cars] == [True, False, True]


@pytest.mark.parametrize("action", ["get_sessions", "get_costs"])
async def test_a_period_with_too_many_sessions_is_an_error(
    hass: HomeAssistant,
    fleet: Simulator,
    loaded: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
    action: str,
) -> None:
    monkeypatch.setattr("custom_components.jedlix.session_history.MAX_PAGES", 0)
    await fails(
        hass,
        call_action(hass, action, device_id=device_of(hass, loaded, fleet).id),
        "too_many_sessions",
        ServiceValidationError,
    )


async def test_a_list_that_jedlix_refuses_is_an_error_with_its_reason(
    hass: HomeAssistant,
    fleet: Simulator,
    loaded: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_args: object, **_options: object) -> None:
        raise Rejected("a year at most")

    monkeypatch.setattr(JedlixClient, "session_pages", refuse)
    device_id = device_of(hass, loaded, fleet).id
    text = await fails(
        hass, call_action(hass, "get_sessions", device_id=device_id), "command_refused"
    )
    assert "a year at most" in text


# Without a recorder there is nothing to import into.
@pytest.mark.parametrize("action", [*CAR_ACTIONS[:7], "catch_up"])
@pytest.mark.parametrize(("fault", "key"), [("api_500", "command_failed"), ("401", "auth_failed")])
async def test_a_failure_of_an_action_is_shown(
    hass: HomeAssistant,
    fleet: Simulator,
    loaded: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
    action: str,
    fault: str,
    key: str,
) -> None:
    number = 1 if action == "set_current_battery_level" else 0
    device_id = device_of(hass, loaded, fleet, number).id
    if fault == "401":
        monkeypatch.setattr(type(fleet.tokens), "is_valid", lambda *_: False)
    else:
        fleet.strike({fault: 1.0})
    await fails(hass, call_action(hass, action, device_id=device_id), key)
    # Whether the credentials are still good is a matter of the poll.
    assert not hass.config_entries.flow.async_progress_by_handler(DOMAIN)


async def test_without_a_recorder_nothing_can_be_imported(
    hass: HomeAssistant, fleet: Simulator, loaded: MockConfigEntry
) -> None:
    device_id = device_of(hass, loaded, fleet).id
    await fails(
        hass,
        call_action(hass, "import_history", device_id=device_id),
        "no_recorder",
        ServiceValidationError,
    )


async def test_a_tenant_without_a_list_of_sessions_does_not_offer_the_answers(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(faults={"absent": ["sessions", "user_sessions"]})
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    device_id = device_of(hass, entry, sim).id
    for action in ("get_sessions", "get_costs"):
        await fails(hass, call_action(hass, action, device_id=device_id), "not_offered")
    await fails(
        hass,
        call_action(hass, "boost", device_id=device_id),
        "no_smart_session",
        ServiceValidationError,
    )


# -- how they are described --------------------------------------------------------------------------------


async def test_services_yaml_describes_the_registered_actions_and_fields(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
) -> None:
    """Home Assistant shows what services.yaml describes."""
    described = load_yaml_dict(str(SERVICES))
    registered = hass.services.async_services_for_domain(DOMAIN)
    assert set(described) == set(registered) == set(ACTIONS)
    target = {"entity_id", "device_id", "area_id", "floor_id", "label_id", "exclude"}
    for name, service in registered.items():
        schema = cast("dict[Any, Any]", cast("Any", service.schema).schema)
        fields = {str(key): key for key in schema if str(key) not in target}
        assert fields.keys() == (described[name].get("fields") or {}).keys()
        for field, key in fields.items():
            required = described[name]["fields"][field].get("required", False)
            assert required is isinstance(key, vol.Required)
