"""Entities of cars and of the account: their names, their states, and when they are added."""

from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from unittest.mock import patch

from homeassistant.components.event import ATTR_EVENT_TYPE, ATTR_EVENT_TYPES
from homeassistant.components.sensor import ATTR_LAST_RESET, ATTR_STATE_CLASS, SensorStateClass
from homeassistant.const import (
    ATTR_UNIT_OF_MEASUREMENT,
    EVENT_STATE_CHANGED,
    STATE_UNAVAILABLE,
    STATE_UNKNOWN,
    Platform,
    __version__,
)
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, State, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
    snapshot_platform,
)
from pytest_homeassistant_custom_component.syrupy import HomeAssistantSnapshotExtension
from syrupy.assertion import SnapshotAssertion

from custom_components.jedlix import PLATFORMS, slices
from custom_components.jedlix.const import CONF_EVENT_TYPES, DOMAIN
from simulator.api import shapes
from simulator.app import Simulator
from simulator.model import JsonObject, Vehicle
from simulator.settings import Settings
from tests.commanding import poll
from tests.deliveries import ACCEPTED, Home, deliver
from tests.push.tools import poll_after
from tests.simulators import StartSimulator
from tests.tools import Clock, make_entry, set_time, set_up, state_of, until

pytestmark = pytest.mark.usefixtures("home")

NOON: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def entity(hass: HomeAssistant, entity_id: str) -> State:
    """Return the state of an entity, which must be there."""
    state = hass.states.get(entity_id)
    assert state is not None, sorted(hass.states.async_entity_ids())
    return state


# -- all of them -------------------------------------------------------------------------------------------


@pytest.fixture
def snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Return snapshots without what differs from run to run."""
    return snapshot.use_extension(HomeAssistantSnapshotExtension)


@pytest.fixture
async def noon(socket_enabled: None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Simulator]:
    """Return a simulator of two users; its time, and that of Home Assistant, is always noon."""
    set_time(monkeypatch, lambda: NOON)
    sim = Simulator(Settings(users=2), clock=lambda: NOON)
    await sim.start()
    yield sim
    await sim.stop()


@pytest.mark.skipif(
    __version__ >= "2026.11", reason="its registry has fields that the snapshot has not"
)
@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.usefixtures("all_enabled")
async def test_all_entities(
    hass: HomeAssistant,
    noon: Simulator,
    callback_url: str,
    entity_registry: er.EntityRegistry,
    snapshot: SnapshotAssertion,
    platform: Platform,
) -> None:
    noon.plug(noon.vehicle_ids[0])
    noon.advance(0.5)
    entry = make_entry(noon, callback_url)
    object.__setattr__(entry, "entry_id", "entry")
    with patch("custom_components.jedlix.PLATFORMS", [platform]):
        await set_up(hass, entry)
        await until(hass, lambda: entry.runtime_data.push.state == "waiting")
        await snapshot_platform(hass, entity_registry, snapshot, entry.entry_id)
        await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.parametrize("language", ["en", "nl"])
async def test_names_follow_the_language_and_entity_ids_do_not(
    hass: HomeAssistant, sim: Simulator, language: str
) -> None:
    hass.config.language = language
    await set_up(hass, make_entry(sim, None))
    name = entity(hass, "sensor.tesla_model_3_charge_state").name
    assert name == {"en": "Tesla Model 3 Charge state", "nl": "Tesla Model 3 Laadstatus"}[language]
    entity(hass, "binary_sensor.jedlix_push")
    registry = er.async_get(hass)
    for state in hass.states.async_all():
        registered = registry.async_get(state.entity_id)
        assert registered is not None
        assert state.entity_id.endswith(f"_{registered.translation_key}")


async def test_the_page_of_an_area_shows_what_a_driver_uses_first_and_nothing_twice(
    hass: HomeAssistant,
    sim: Simulator,
    entity_registry: er.EntityRegistry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It shows the entities that are visible and have no category, in the order of their states.

    A slow machine has the same order.
    """
    monkeypatch.setattr(slices, "MAX_BLOCKING", 0.0)
    # Home Assistant sets up what many integrations use before ours.
    for platform in reversed(PLATFORMS):
        assert await async_setup_component(hass, platform, {})
    sim.plug(sim.vehicle_ids[0])
    await set_up(hass, make_entry(sim, None))
    registered = [
        entity_registry.async_get(entity_id) for entity_id in hass.states.async_entity_ids()
    ]
    shown = [
        f"{item.domain}.{item.translation_key}"
        for item in registered
        if item is not None
        and item.hidden_by is None
        and item.entity_category is None
        and item.entity_id.partition(".")[2].startswith("tesla_model_3")
    ]
    # It reads a time zone first, and then finds its place.
    shown.remove("sensor.ready_by")
    assert shown == [
        "switch.smart_charging",
        "switch.boost",
        "sensor.charge_state",
        "sensor.battery_level",  # in the heading
        "sensor.range",
        "sensor.session_energy",
        "sensor.session_cost",
        "sensor.session_savings",
        "number.desired_battery_level",
        "number.minimum_battery_level",
        "calendar.sessions",
    ]
    assert [
        key
        for key in shown
        if entity(hass, key.replace(".", ".tesla_model_3_")).state == STATE_UNKNOWN
    ] == []


# -- which entities a car has ------------------------------------------------------------------------------


async def test_the_sensor_of_a_value_is_added_once_the_car_reports_it(
    hass: HomeAssistant, start_simulator: StartSimulator, caplog: pytest.LogCaptureFixture
) -> None:
    """The second user's car reports no battery (documented: some cannot)."""
    sim = await start_simulator(users=2)
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    assert entity(hass, "sensor.tesla_model_3_battery_level").state == "12"
    for key in ("battery_level", "range"):
        assert hass.states.get(f"sensor.renault_zoe_{key}") is None
    car = sim.vehicle(sim.vehicle_ids[1])
    car.capabilities = (*car.capabilities, "stateOfCharge")
    sim.telemetry(car.id, battery_level=42)
    await poll(hass, entry)
    assert entity(hass, "sensor.renault_zoe_battery_level").state == "42"
    assert entity(hass, "sensor.renault_zoe_range").state != STATE_UNKNOWN
    assert "unique ID" not in caplog.text  # none is added twice


async def test_sensors_of_energy_and_money_are_added_once_jedlix_reports_any(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    """No known call has these fields; they are read where they show up."""
    sim = await start_simulator(history_days=0)
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    money_and_energy = [
        f"sensor.tesla_model_3_session_{key}" for key in ("energy", "cost", "savings")
    ]
    assert [hass.states.get(entity_id) for entity_id in money_and_energy] == [None] * 3
    sim.plug(sim.vehicle_ids[0])
    await poll(hass, entry)
    assert [entity(hass, entity_id).state for entity_id in money_and_energy] == ["0.0"] * 3


async def test_the_energy_of_a_session_is_a_meter_that_each_session_resets(
    hass: HomeAssistant, sim: Simulator
) -> None:
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    resets = []
    for hours in (0.5, 1.0):
        sim.plug(sim.vehicle_ids[0])
        sim.boost(sim.vehicle_ids[0])
        sim.advance(hours)
        await poll(hass, entry)
        state = entity(hass, "sensor.tesla_model_3_session_energy")
        session = sim.vehicle(sim.vehicle_ids[0]).session
        assert session is not None
        assert float(state.state) == pytest.approx(session.energy_kwh, abs=0.001)
        assert session.energy_kwh > 1
        assert state.attributes[ATTR_STATE_CLASS] == SensorStateClass.TOTAL
        assert state.attributes[ATTR_UNIT_OF_MEASUREMENT] == "kWh"
        assert state.attributes[ATTR_LAST_RESET] == session.start.isoformat()
        assert (
            entity(hass, "sensor.tesla_model_3_session_cost").attributes[ATTR_UNIT_OF_MEASUREMENT]
            == "EUR"
        )
        resets.append(state.attributes[ATTR_LAST_RESET])
        sim.unplug(sim.vehicle_ids[0])
        await poll(hass, entry)
        after = entity(hass, "sensor.tesla_model_3_session_energy")
        assert after.attributes[ATTR_LAST_RESET] == resets[-1]  # until the next one begins
    assert resets[0] < resets[1]


# -- their states -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("location", "number", "session", "smart", "known"),
    [
        ("home", 0, "smart", "on", "on"),
        ("unknown", 0, "unmanaged", "off", "off"),
        ("home", 1, "unmanaged", "off", "on"),
    ],
)
@pytest.mark.usefixtures("all_enabled")
async def test_a_session_is_smart_where_jedlix_can_control_it(
    hass: HomeAssistant,
    start_simulator: StartSimulator,
    location: str,
    number: int,
    session: str,
    smart: str,
    known: str,
) -> None:
    sim = await start_simulator(users=2)
    entry = make_entry(sim, None, users=[sim.user_ids[number]])
    await set_up(hass, entry)
    assert state_of(hass, "_session", "sensor") == "none"
    assert state_of(hass, "_session_started") == STATE_UNKNOWN
    assert state_of(hass, "_at_known_location") == STATE_UNKNOWN
    sim.plug(sim.vehicle_ids[number], location)
    await poll(hass, entry)
    assert state_of(hass, "_session", "sensor") == session
    assert state_of(hass, "_smart_session") == smart
    assert state_of(hass, "_at_known_location") == known
    assert state_of(hass, "_plugged_in") == "on"
    assert state_of(hass, "_session_started") != STATE_UNKNOWN


@pytest.mark.usefixtures("all_enabled")
async def test_whether_a_session_is_smart_is_unknown_where_jedlix_does_not_report_it(
    hass: HomeAssistant, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = shapes.session

    def without(*args: Any, **options: Any) -> JsonObject:
        return shape(*args, **options) | {"isManaged": None}

    monkeypatch.setattr(shapes, "session", without)
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    assert state_of(hass, "_smart_session") == "off"
    sim.plug(sim.vehicle_ids[0])
    await poll(hass, entry)
    assert state_of(hass, "_session_started") != STATE_UNKNOWN
    assert state_of(hass, "_session", "sensor") == STATE_UNKNOWN
    assert state_of(hass, "_smart_session") == STATE_UNKNOWN


async def test_an_event_entity_is_written_for_its_own_events_only(
    hass: HomeAssistant, sim: Simulator
) -> None:
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    written: list[tuple[str, str]] = []

    @callback
    def note(event: Event[EventStateChangedData]) -> None:
        state = event.data["new_state"]
        if state is not None and state.domain == "event":
            written.append((state.entity_id, state.attributes[ATTR_EVENT_TYPE]))

    hass.bus.async_listen(EVENT_STATE_CHANGED, note)
    sim.plug(sim.vehicle_ids[0])
    await poll(hass, entry)
    sim.telemetry(sim.vehicle_ids[0], battery_level=15)
    await poll(hass, entry)
    assert written == [
        ("event.tesla_model_3_charging", "plugged_in"),
        ("event.tesla_model_3_session", "session_started"),
        ("event.tesla_model_3_charging", "charging_started"),
    ]
    state = entity(hass, "event.tesla_model_3_session")
    assert state.attributes["session_id"] == sim.vehicle(sim.vehicle_ids[0]).session.id  # type: ignore[union-attr]
    assert dt_util.parse_datetime(state.attributes["occurred_at"]) is not None


async def test_a_car_under_two_followed_users_is_two_devices(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(users=2)
    first, second = sim.world.users.values()
    second.vehicles = first.vehicles
    await set_up(hass, make_entry(sim, None))
    assert {"sensor.tesla_model_3_charge_state", "sensor.tesla_model_3_2_charge_state"} <= set(
        hass.states.async_entity_ids("sensor")
    )


def prefixes_of_cars(hass: HomeAssistant, entry: MockConfigEntry) -> dict[str, set[str]]:
    """Return the prefixes of all entity ids, without platform and key, by the identifier of the device."""
    devices, found = dr.async_get(hass), defaultdict[str, set[str]](set)
    for item in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id):
        device = devices.async_get(item.device_id or "")
        assert device is not None
        ((_, identifier),) = device.identifiers
        key = item.unique_id.removeprefix(f"{identifier}_")
        _, _, object_id = item.entity_id.partition(".")
        assert object_id.endswith(f"_{key}"), object_id
        found[identifier].add(object_id.removesuffix(f"_{key}"))
    return found


async def test_cars_of_one_model_have_ids_of_their_own_also_for_what_comes_later(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    """One prefix for each device, over a new name and a reload."""
    sim = await start_simulator(users=2, history_days=0)
    for vehicle_id in sim.vehicle_ids:
        sim.vehicle(vehicle_id).brand, sim.vehicle(vehicle_id).model = "Kia", "EV3"
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    before = prefixes_of_cars(hass, entry)
    first, second = (
        f"{sim.vehicle(vehicle_id).user_id}_{vehicle_id}" for vehicle_id in sim.vehicle_ids
    )
    assert sorted([*before[first], *before[second]]) == ["kia_ev3", "kia_ev3_2"]
    devices = dr.async_get(hass)
    renamed = devices.async_get_device_by_identifier((DOMAIN, first), entry.entry_id)
    assert renamed is not None
    devices.async_update_device(renamed.id, name_by_user="Zoe of the neighbours")
    await hass.config_entries.async_reload(entry.entry_id)
    hass.data.pop(f"{DOMAIN}_entity_ids")  # as after a restart
    car = sim.vehicle(sim.vehicle_ids[1])
    car.capabilities = (*car.capabilities, "stateOfCharge")
    for vehicle_id in reversed(sim.vehicle_ids):
        sim.plug(vehicle_id)
        await poll(hass, entry)  # energy and money come
    after = prefixes_of_cars(hass, entry)
    assert after == before
    assert hass.states.get(f"sensor.{before[second].pop()}_session_energy") is not None


@pytest.mark.parametrize("is_gone", [True, False])
async def test_a_car_that_replaces_one_of_the_same_model_takes_over_its_entity_ids(
    hass: HomeAssistant, sim: Simulator, clock: Clock, *, is_gone: bool
) -> None:
    """The old one leaves first: Jedlix has to agree that it is gone. One that comes back stays."""
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    (user,) = sim.world.users.values()
    (old,) = user.vehicles
    new = replace(old, id="the-new-car")
    sim.world.vehicles[new.id] = new

    async def prefixes_with(*vehicles: Vehicle, minutes: int) -> list[set[str]]:
        user.vehicles[:] = vehicles
        await poll_after(hass, clock, entry, timedelta(minutes=minutes))
        found = prefixes_of_cars(hass, entry)
        return [found[f"{user.id}_{vehicle.id}"] for vehicle in (old, new)]

    before = (await prefixes_with(old, minutes=1))[0]
    assert await prefixes_with(new, minutes=1) == [before, set()]
    assert await prefixes_with(new, minutes=10) == [before, set()]
    if is_gone:
        assert await prefixes_with(new, minutes=10) == [set(), before]
    else:
        (prefix,) = before
        assert await prefixes_with(old, new, minutes=1) == [before, {f"{prefix}_2"}]


async def test_a_new_car_waits_for_a_day_at_most(
    hass: HomeAssistant, sim: Simulator, clock: Clock
) -> None:
    """The old one stays as long as Jedlix lists an open session of it."""
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    (user,) = sim.world.users.values()
    (old,) = user.vehicles
    sim.plug(old.id)
    await poll(hass, entry)
    new = replace(old, id="the-new-car", session=None)
    sim.world.vehicles[new.id] = new
    user.vehicles[:] = [new]
    key = f"{user.id}_{new.id}"
    for hours in (0, 12, 11):
        await poll_after(hass, clock, entry, timedelta(hours=hours, minutes=1))
        assert not prefixes_of_cars(hass, entry)[key]
    await poll_after(hass, clock, entry, timedelta(hours=1))
    async_fire_time_changed(hass, dt_util.utcnow())
    await until(hass, lambda: bool(prefixes_of_cars(hass, entry)[key]))
    (old_prefix,) = prefixes_of_cars(hass, entry)[f"{user.id}_{old.id}"]
    assert prefixes_of_cars(hass, entry)[key] == {f"{old_prefix}_2"}


@pytest.mark.parametrize(
    ("language", "car", "charger"),
    [
        ("en", "Vehicle", "Charger"),
        ("nl", "Auto", "Laadpaal"),
        ("de", "Auto", "Wallbox"),
        ("fr", "Véhicule", "Borne de recharge"),
    ],
)
async def test_a_car_or_charger_without_a_name_has_a_translated_one(
    hass: HomeAssistant, sim: Simulator, language: str, car: str, charger: str
) -> None:
    hass.config.language = language
    sim.vehicle(sim.vehicle_ids[0]).brand = sim.vehicle(sim.vehicle_ids[0]).model = ""
    user = sim.world.users[sim.user_ids[0]]
    user.chargers = [replace(item, brand="", model="") for item in user.chargers]
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    assert {device.name for device in devices} == {entry.title, car, charger, "Jedlix Rotterdam"}


# -- the account -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("all_enabled")
async def test_the_account_counts_deliveries(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, home: Home
) -> None:
    assert state_of(hass, "_push", "binary_sensor") == "on"
    assert state_of(hass, "_push_state") == "waiting"
    assert state_of(hass, "_callback") == "custom"
    assert state_of(hass, "_last_webhook") == STATE_UNKNOWN
    assert state_of(hass, "_delivery_delay") == STATE_UNKNOWN
    assert await deliver(home, timestamp=dt_util.utcnow().isoformat()) == ACCEPTED
    assert await deliver(home) == ACCEPTED  # the same again
    await until(hass, lambda: state_of(hass, "_webhooks_received") == "1")
    assert state_of(hass, "_push_state") == "healthy"
    assert state_of(hass, "_last_webhook") != STATE_UNKNOWN
    assert float(state_of(hass, "_delivery_delay")) < 5
    assert state_of(hass, "_missed_by_push") == "0"
    for _ in range(3):
        assert await deliver(home, key="wrong") == (401, "")
    assert state_of(hass, "_push_state") == "failing"
    assert state_of(hass, "_push", "binary_sensor") == "off"
    assert state_of(hass, "_webhooks_rejected") == "3"
    last = state_of(hass, "_last_webhook")
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert state_of(hass, "_last_webhook") == last


@pytest.mark.parametrize(
    ("event_type", "shown_as"),
    [
        ("userCreated", "userCreated"),
        ("ourOwn", "ourOwn"),
        ("sessionStarted", "other"),
        ("never heard of", "other"),
    ],
)
@pytest.mark.usefixtures("all_enabled")
async def test_a_delivery_is_shown_by_its_type_or_as_other_where_that_was_not_chosen(
    hass: HomeAssistant,
    sim: Simulator,
    callback_url: str,
    home: Home,
    event_type: str,
    shown_as: str,
) -> None:
    entry = make_entry(sim, callback_url, options={CONF_EVENT_TYPES: ["ourOwn"]})
    await set_up(hass, entry)
    state = entity(hass, "event.jedlix_webhook")
    assert state.attributes[ATTR_EVENT_TYPES] == [
        "userCreated",
        "vehicleConnectionReadyToContinue",
        "ourOwn",
        "other",
    ]
    await deliver(home, eventType=event_type, id="7", userId=sim.user_ids[0])
    await until(hass, lambda: entity(hass, "event.jedlix_webhook").state != STATE_UNKNOWN)
    state = entity(hass, "event.jedlix_webhook")
    assert state.attributes[ATTR_EVENT_TYPE] == shown_as
    assert state.attributes["webhook_type"] == event_type
    assert state.attributes["event_id"] == "7"
    assert state.attributes["user_id"] == sim.user_ids[0]
    assert state.attributes["occurred_at"] is None


@pytest.mark.usefixtures("no_second_try")
async def test_during_an_outage_only_cars_become_unavailable_and_not_at_once(
    hass: HomeAssistant, sim: Simulator, clock: Clock
) -> None:
    entry = make_entry(sim, None)
    await set_up(hass, entry)

    def unavailable() -> set[str]:
        return {
            state.entity_id for state in hass.states.async_all() if state.state == STATE_UNAVAILABLE
        }

    before = unavailable()
    sim.strike({"outage_seconds": 60.0})
    await poll_after(hass, clock, entry, *[timedelta(minutes=5)] * 2)
    assert unavailable() == before  # boost: the car is in no session
    await poll_after(hass, clock, entry, timedelta(minutes=6))
    registry = er.async_get(hass)
    of_cars = {
        state.entity_id
        for state in hass.states.async_all()
        if (registered := registry.async_get(state.entity_id)) is not None
        and registered.platform == DOMAIN
        and "jedlix" not in state.entity_id
        and registered.domain != "event"
    }
    assert of_cars
    assert of_cars == unavailable()
    sim.strike({"outage_seconds": 0.0})
    await poll_after(hass, clock, entry, timedelta(minutes=5))
    assert unavailable() == before
