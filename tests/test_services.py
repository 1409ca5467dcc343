"""The actions: what they do, for which targets, what they answer, and each error in words."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast
from unittest.mock import AsyncMock

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryDisabler
from homeassistant.const import STATE_OFF, STATE_ON
from homeassistant.core import HomeAssistant, ServiceResponse
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import (
    area_registry as ar,
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

from custom_components.jedlix.api import Rejected
from custom_components.jedlix.const import DOMAIN
from simulator.app import Simulator
from tests.commanding import car_state, device_of, entity_of, fails, mark, poll, troubles
from tests.conftest import StartSimulator
from tests.tools import make_entry, record_events, set_up, until

pytestmark = pytest.mark.usefixtures("home", "no_second_try")

SOON: Final = "2126-01-01T00:00:00+00:00"
LONG_AGO: Final = "2020-01-01T00:00:00+00:00"

# What each action needs besides its target; the first five are for cars.
ACTIONS: Final[dict[str, dict[str, Any]]] = {
    "boost": {},
    "pause_smart_charging": {},
    "resume_smart_charging": {},
    "set_current_battery_level": {"level": 50},
    "get_sessions": {"start": LONG_AGO},
    "get_costs": {"start": LONG_AGO},
    "catch_up": {},
    "resubscribe": {},
}
SERVICES: Final = Path(__file__).parents[1] / "custom_components/jedlix/services.yaml"
OF_CARS: Final = list(ACTIONS)[:6]
OF_ACCOUNTS: Final = list(ACTIONS)[6:]


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


async def act(hass: HomeAssistant, action: str, **data: Any) -> ServiceResponse:
    """Call an action, and ask for its answer where it has one."""
    return await hass.services.async_call(
        DOMAIN,
        action,
        ACTIONS[action] | data,
        blocking=True,
        return_response=action.startswith("get_"),
    )


@pytest.fixture
def untouched(fleet: Simulator) -> Callable[[], bool]:
    """Return what tells whether Jedlix was not told anything."""
    calls = mark(fleet)
    return lambda: not [call for call in calls() if not call.startswith("GET")]


# -- what they do ------------------------------------------------------------------------------------------


async def test_boost_is_on_unless_said_otherwise(
    hass: HomeAssistant, fleet: Simulator, loaded: MockConfigEntry
) -> None:
    session = fleet.vehicle(fleet.vehicle_ids[0]).session
    device_id = device_of(hass, loaded, fleet).id
    assert session is not None
    await act(hass, "boost", device_id=device_id)
    assert session.boost
    assert car_state(hass, fleet, "switch.boost").state == STATE_ON
    await act(hass, "boost", device_id=device_id, enabled=False)
    assert not session.boost


async def test_smart_charging_is_paused_and_resumed(
    hass: HomeAssistant, fleet: Simulator, loaded: MockConfigEntry
) -> None:
    car, device_id = fleet.vehicle(fleet.vehicle_ids[0]), device_of(hass, loaded, fleet).id
    await act(hass, "pause_smart_charging", device_id=device_id)
    assert car.settings["isSmartChargingEnabled"] is False
    assert car.settings["enableSmartChargingAt"] is None
    await act(hass, "resume_smart_charging", device_id=device_id)
    assert car.settings["isSmartChargingEnabled"] is True
    assert car_state(hass, fleet, "switch.smart_charging").state == STATE_ON


async def test_a_time_without_a_zone_is_local(
    hass: HomeAssistant, fleet: Simulator, loaded: MockConfigEntry
) -> None:
    await hass.config.async_set_time_zone("Europe/Amsterdam")
    device_id = device_of(hass, loaded, fleet).id
    await act(hass, "pause_smart_charging", device_id=device_id, until="2126-07-01 08:00:00")
    resumes_at = car_state(hass, fleet, "sensor.smart_charging_resumes_at").state
    assert dt_util.parse_datetime(resumes_at) == datetime(2126, 7, 1, 6, tzinfo=UTC)
    await act(hass, "resume_smart_charging", device_id=device_id)
    settings = fleet.vehicle(fleet.vehicle_ids[0]).settings
    assert settings["enableSmartChargingAt"] is None


async def test_the_level_of_a_mute_car_is_told(
    hass: HomeAssistant, fleet: Simulator, loaded: MockConfigEntry
) -> None:
    device_id = device_of(hass, loaded, fleet, 1).id
    await act(hass, "set_current_battery_level", device_id=device_id, level="37")
    session = fleet.vehicle(fleet.vehicle_ids[1]).session
    assert session is not None
    assert session.current_battery_level == 37
    assert car_state(hass, fleet, "number.current_battery_level", 1).state == "37"


async def test_resubscribe_registers_anew_for_the_account_that_is_meant_or_for_all(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    car_of_it = device_of(hass, entry, sim).id
    for target in ({}, {"entity_id": "event.jedlix_webhook"}, {"device_id": car_of_it}):
        sim.strike({"subscriptions_gone": True})
        assert not sim.webhooks.subscriptions
        await act(hass, "resubscribe", **target)
        await until(hass, lambda: len(sim.webhooks.subscriptions) == 6)


async def test_catch_up_tells_what_was_missed_as_late(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    sim.strike({"drop": 1.0})
    sim.plug(sim.vehicle_ids[0])
    recorded = record_events(hass)
    await act(hass, "catch_up", since=(dt_util.utcnow() - timedelta(hours=1)).isoformat())
    await hass.async_block_till_done()
    assert {"plugged_in", "session_started"} <= set(recorded.types)
    assert {change["late"] for change in recorded.changes} == {True}
    assert len(recorded.types) == len(set(recorded.types))
    await act(hass, "catch_up")
    await hass.async_block_till_done()
    assert len(recorded.types) == len(set(recorded.types))


# -- what they answer --------------------------------------------------------------------------------------


async def test_sessions_and_costs_are_answered_for_each_car_of_the_target(
    hass: HomeAssistant, fleet: Simulator, loaded: MockConfigEntry
) -> None:
    devices = [device_of(hass, loaded, fleet, number).id for number in (0, 1)]
    period_start = dt_util.utcnow() - timedelta(days=20)
    start = period_start.isoformat()
    sessions = await act(hass, "get_sessions", device_id=devices, start=start)
    costs = await act(hass, "get_costs", device_id=devices, start=start)
    assert sessions is not None
    assert costs is not None
    assert set(sessions) == set(costs) == set(devices)
    for number, device_id in enumerate(devices):
        car = fleet.vehicle(fleet.vehicle_ids[number])
        listed: list[dict[str, Any]] = cast("Any", sessions[device_id])["sessions"]
        true = [item for item in fleet.world.sessions.by_id.values() if item.vehicle_id == car.id]
        assert {item["session_id"] for item in listed} <= {item.id for item in true}
        assert len(listed) > 5
        running = listed[-1]
        assert car.session is not None
        assert running["session_id"] == car.session.id
        assert running["ended_at"] is None
        assert set(running) == {
            "session_id",
            "vehicle_id",
            "is_managed",
            "charging_location_id",
            "started_at",
            "ended_at",
            "energy_kwh",
            "cost",
            "savings",
            "currency",
        }
        (total,) = cast("Any", costs[device_id])["costs"]
        assert set(total) == {
            "currency",
            "sessions",
            "smart_sessions",
            "unmanaged_sessions",
            "energy_kwh",
            "cost",
            "savings",
        }
        assert total["currency"] == "EUR"
        began = [
            item for item in listed if datetime.fromisoformat(item["started_at"]) >= period_start
        ]
        assert total["sessions"] == len(began)
        assert total["cost"] == pytest.approx(sum(item["cost"] for item in began), abs=0.011)
        assert total["smart_sessions"] == sum(item["is_managed"] for item in began)


async def test_a_period_without_sessions_is_answered_with_none(
    hass: HomeAssistant, fleet: Simulator, loaded: MockConfigEntry
) -> None:
    device_id = device_of(hass, loaded, fleet).id
    period = {"start": "2020-01-01", "end": "2020-02-01 00:00"}
    assert await act(hass, "get_sessions", device_id=device_id, **period) == {
        device_id: {"sessions": []}
    }
    assert await act(hass, "get_costs", device_id=device_id, **period) == {device_id: {"costs": []}}


# -- targets -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "by", ["device_id", "area_id", "label_id", "entity_id", "floor_id", "label of an entity"]
)
async def test_a_car_is_meant_by_device_area_label_or_any_of_its_entities(
    hass: HomeAssistant, fleet: Simulator, loaded: MockConfigEntry, by: str
) -> None:
    device = device_of(hass, loaded, fleet)
    devices, entities = dr.async_get(hass), er.async_get(hass)
    entity_id = entity_of(hass, fleet, "binary_sensor.plugged_in")
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
            devices.async_update_device(account.id, area_id=area.id)  # is there, and is no car
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
    await act(hass, "pause_smart_charging", **target)
    paused = [not fleet.vehicle(vehicle_id).smart_charging for vehicle_id in fleet.vehicle_ids]
    assert paused == [True, False, False]
    assert car_state(hass, fleet, "switch.smart_charging").state == STATE_OFF


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
        {"entity_id": "event.jedlix_webhook"},
    ],
)
async def test_a_target_without_a_car_is_an_error(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    untouched: Callable[[], bool],
    target: dict[str, Any],
) -> None:
    for action in OF_CARS:
        await fails(hass, act(hass, action, **target), "no_vehicle", ServiceValidationError)
    assert untouched()


async def test_a_named_device_must_be_there_and_ours(
    hass: HomeAssistant,
    fleet: Simulator,
    loaded: MockConfigEntry,
    untouched: Callable[[], bool],
) -> None:
    good = device_of(hass, loaded, fleet).id
    other = MockConfigEntry(domain="lamps")
    other.add_to_hass(hass)
    lamp = dr.async_get(hass).async_get_or_create(
        config_entry_id=other.entry_id, identifiers={("lamps", "1")}, name="Lamp"
    )
    dr.async_get(hass).async_update_device(lamp.id, name_by_user="Reading lamp")
    for action in ACTIONS:
        for device_id, key, name in (
            ("a1b2", "unknown_device", "a1b2"),
            (lamp.id, "foreign_device", "Reading lamp"),
        ):
            attempt = act(hass, action, device_id=[good, device_id])
            assert name in await fails(hass, attempt, key, ServiceValidationError)
    assert untouched()


async def test_a_named_account_or_charger_is_no_car(
    hass: HomeAssistant,
    fleet: Simulator,
    loaded: MockConfigEntry,
    untouched: Callable[[], bool],
    caplog: pytest.LogCaptureFixture,
) -> None:
    good = device_of(hass, loaded, fleet).id
    named = {
        device.name: device.id
        for device in dr.async_entries_for_config_entry(dr.async_get(hass), loaded.entry_id)
    }
    for action in OF_CARS:
        for name in ("Jedlix", "Easee Home"):
            text = await fails(
                hass,
                act(hass, action, device_id=[good, named[name]]),
                "not_a_vehicle",
                ServiceValidationError,
            )
            assert name in text
    assert untouched()
    assert troubles(caplog) == []


async def test_an_account_that_is_not_loaded_says_so(
    hass: HomeAssistant,
    fleet: Simulator,
    loaded: MockConfigEntry,
    untouched: Callable[[], bool],
) -> None:
    device_id = device_of(hass, loaded, fleet).id
    await hass.config_entries.async_unload(loaded.entry_id)
    for action in ACTIONS:
        text = await fails(
            hass, act(hass, action, device_id=device_id), "not_loaded", ServiceValidationError
        )
        assert "account Jedlix" in text
    assert untouched()


@pytest.mark.parametrize("target", [{}, {"area_id": "nowhere"}, {"device_id": "none"}])
async def test_without_an_account_there_is_nothing_to_do(
    hass: HomeAssistant, loaded: MockConfigEntry, target: dict[str, Any]
) -> None:
    """Without a target all accounts are meant; with one that means none, none is."""
    if not target:
        await hass.config_entries.async_set_disabled_by(loaded.entry_id, ConfigEntryDisabler.USER)
    for action in OF_ACCOUNTS:
        await fails(hass, act(hass, action, **target), "no_account", ServiceValidationError)


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
        ("catch_up", {"since": timedelta(minutes=1)}, "time_in_the_future"),
        ("catch_up", {"since": timedelta(days=-7, minutes=-1)}, "too_long_ago"),
    ],
)
async def test_bad_input_is_told_in_words_before_jedlix_is_told_anything(
    hass: HomeAssistant,
    fleet: Simulator,
    loaded: MockConfigEntry,
    untouched: Callable[[], bool],
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
        hass, act(hass, action, device_id=devices, **data), key, ServiceValidationError
    )
    if key == "level_out_of_range":
        assert str(data["level"]) in text
    assert untouched()


@pytest.mark.parametrize(
    ("action", "data"),
    [
        ("boost", {"enabled": "perhaps"}),
        ("pause_smart_charging", {"until": "tomorrow"}),
        ("set_current_battery_level", {"level": "half"}),
        ("set_current_battery_level", {"level": None}),
        ("get_sessions", {"start": None}),
        ("get_costs", {"start": "2020-01-01", "end": "never"}),
        ("catch_up", {"since": "yesterday"}),
        ("resubscribe", {"since": SOON}),
    ],
)
async def test_what_is_no_time_number_or_flag_at_all_is_refused_by_home_assistant(
    hass: HomeAssistant,
    fleet: Simulator,
    loaded: MockConfigEntry,
    action: str,
    data: dict[str, Any],
) -> None:
    with pytest.raises(vol.Invalid):
        await act(hass, action, device_id=device_of(hass, loaded, fleet).id, **data)


async def test_without_a_session_there_is_nothing_to_boost_or_to_tell(
    hass: HomeAssistant,
    fleet: Simulator,
    loaded: MockConfigEntry,
    untouched: Callable[[], bool],
) -> None:
    parked, unmanaged = (device_of(hass, loaded, fleet, number).id for number in (2, 1))
    for device_id in (parked, unmanaged):
        await fails(
            hass,
            act(hass, "boost", device_id=device_id),
            "no_smart_session",
            ServiceValidationError,
        )
    await fails(
        hass,
        act(hass, "set_current_battery_level", device_id=parked),
        "no_session",
        ServiceValidationError,
    )
    assert untouched()


# -- when it goes wrong ------------------------------------------------------------------------------------


async def test_several_cars_are_tried_whatever_one_of_them_says(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(users=3)
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    for number in (0, 2):
        sim.vehicle(sim.vehicle_ids[number]).capabilities = sim.vehicle(
            sim.vehicle_ids[0]
        ).capabilities
        sim.plug(sim.vehicle_ids[number])
    await poll(hass, entry)
    devices = [device_of(hass, entry, sim, number).id for number in (0, 1, 2)]
    await fails(
        hass, act(hass, "boost", device_id=devices), "no_smart_session", ServiceValidationError
    )
    boosted = [
        session is not None and session.boost
        for session in (sim.vehicle(vehicle_id).session for vehicle_id in sim.vehicle_ids)
    ]
    assert boosted == [True, False, True]


@pytest.mark.parametrize("action", ["get_sessions", "get_costs"])
async def test_a_period_that_is_too_long_for_the_tenant_is_told_in_words(
    hass: HomeAssistant,
    fleet: Simulator,
    loaded: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
    action: str,
) -> None:
    monkeypatch.setattr("custom_components.jedlix.session_history.MAX_PAGES", 0)
    await fails(
        hass,
        act(hass, action, device_id=device_of(hass, loaded, fleet).id),
        "too_many_sessions",
        ServiceValidationError,
    )


async def test_a_list_that_jedlix_refuses_is_told_with_its_words(
    hass: HomeAssistant,
    fleet: Simulator,
    loaded: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refusal = AsyncMock(side_effect=Rejected("a year at most"))
    monkeypatch.setattr(loaded.runtime_data.session_history, "_list", refusal)
    device_id = device_of(hass, loaded, fleet).id
    text = await fails(hass, act(hass, "get_sessions", device_id=device_id), "command_refused")
    assert "a year at most" in text


@pytest.mark.parametrize("action", [*OF_CARS, "catch_up"])
@pytest.mark.parametrize(("fault", "key"), [("api_500", "command_failed"), ("401", "auth_failed")])
async def test_what_keeps_an_action_from_its_answer_is_told(
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
    await fails(hass, act(hass, action, device_id=device_id), key)
    flows = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert [flow["context"]["source"] for flow in flows] == [SOURCE_REAUTH] * (fault == "401")


async def test_a_tenant_that_lists_no_sessions_cannot_answer_for_them(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(faults={"absent": ["sessions", "user_sessions"]})
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    device_id = device_of(hass, entry, sim).id
    for action in ("get_sessions", "get_costs"):
        await fails(hass, act(hass, action, device_id=device_id), "not_offered")
    await fails(
        hass, act(hass, "boost", device_id=device_id), "no_smart_session", ServiceValidationError
    )


# -- how they are shown ------------------------------------------------------------------------------------


async def test_the_actions_are_there_without_an_account_and_described_as_they_are(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
) -> None:
    """Home Assistant shows what services.yaml describes; both must name the same fields."""
    described = load_yaml_dict(str(SERVICES))
    registered = hass.services.async_services_for_domain(DOMAIN)
    assert set(described) == set(registered) == set(ACTIONS)
    target = {"entity_id", "device_id", "area_id", "floor_id", "label_id"}
    for name, service in registered.items():
        schema = cast("dict[Any, Any]", cast("Any", service.schema).schema)
        fields = {str(key): key for key in schema if str(key) not in target}
        assert fields.keys() == (described[name].get("fields") or {}).keys()
        for field, key in fields.items():
            required = described[name]["fields"][field].get("required", False)
            assert required is isinstance(key, vol.Required)
