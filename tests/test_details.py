"""Details, which are chargers and settings: their devices and states, and what reading them costs."""

from datetime import timedelta
from typing import Any, Final

from aiohttp import web
from aiohttp.test_utils import TestClient
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.const import CONF_POLL_MINUTES, DOMAIN
from simulator.api import shapes
from simulator.api.http import Call, Problem
from simulator.app import Simulator
from simulator.model import Charger
from tests.commanding import car_state, command, entity_of, mark, poll, troubles
from tests.dialogs import call_of, message
from tests.simulators import StartSimulator
from tests.tools import Clock, make_entry, record_events, set_up, set_up_with_push, until

type Home = TestClient[web.Request, web.Application]

pytestmark = pytest.mark.usefixtures("home", "no_second_try")

DAY: Final = timedelta(days=1)
LEVEL: Final = "number.desired_battery_level"


def device_names(hass: HomeAssistant, entry: MockConfigEntry) -> list[str]:
    """Return the names of cars and chargers."""
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    names = (device.name or "" for device in devices)
    return sorted(name for name in names if not name.startswith("Jedlix"))


def charger_state(hass: HomeAssistant, sim: Simulator, key: str) -> str:
    """Return the state of a sensor of the first user's newest charger."""
    user = sim.world.users[sim.user_ids[0]]
    unique_id = f"{user.id}_{user.chargers[-1].id}_{key}"
    entity_id = er.async_get(hass).async_get_entity_id("sensor", DOMAIN, unique_id)
    assert entity_id is not None
    state = hass.states.get(entity_id)
    assert state is not None
    return state.state


def break_call(patch: pytest.MonkeyPatch, endpoint: str) -> None:
    """Let the simulator fail at one call."""

    def fail(*_: object) -> Any:
        raise Problem(503, "Away.")

    if endpoint == "chargers":
        patch.setattr(shapes, "charger", fail)
    else:
        patch.setattr(Call, "vehicle", fail)


# -- chargers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("has_push", [True, False])
async def test_a_charger_follows_the_charging_of_its_car(
    hass: HomeAssistant, sim: Simulator, callback_url: str, has_push: bool
) -> None:
    if has_push:
        entry = await set_up_with_push(hass, sim, callback_url)
    else:
        entry = make_entry(sim, None)
        await set_up(hass, entry)

    async def shows(state: str) -> None:
        if not has_push:
            await poll(hass, entry)
        await until(hass, lambda: charger_state(hass, sim, "charge_state") == state)

    assert charger_state(hass, sim, "charge_state") == "disconnected"
    sim.plug(sim.vehicle_ids[0])
    await shows("charging")
    assert float(charger_state(hass, sim, "power")) > 1
    sim.telemetry(sim.vehicle_ids[0], charge_state="stopped")
    await shows("stopped")
    assert float(charger_state(hass, sim, "power")) == 0
    sim.unplug(sim.vehicle_ids[0])
    await shows("disconnected")


async def test_a_charger_that_jedlix_adds_or_removes_gets_or_loses_its_device(
    hass: HomeAssistant, sim: Simulator, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    entry = make_entry(sim, None, options={CONF_POLL_MINUTES: 600})
    await set_up(hass, entry)
    recorded, user = record_events(hass), sim.world.users[sim.user_ids[0]]
    wallbox = Charger(
        id="wallbox",
        charging_location_id=user.locations[0].id,
        brand="Alfen",
        model="Eve",
        power_kw=11,
    )
    user.chargers.append(wallbox)
    clock.go_on(DAY)
    await poll(hass, entry)
    assert device_names(hass, entry) == ["Alfen Eve", "Easee Home", "Tesla Model 3"]
    assert charger_state(hass, sim, "charge_state") == "disconnected"
    del user.chargers[0]
    clock.go_on(DAY)
    await poll(hass, entry)
    for _ in range(2):  # one answer decides nothing
        assert device_names(hass, entry) == ["Alfen Eve", "Easee Home", "Tesla Model 3"]
        clock.go_on(timedelta(minutes=10))
        await poll(hass, entry)
    assert device_names(hass, entry) == ["Alfen Eve", "Tesla Model 3"]
    assert not any("easee" in entity_id for entity_id in hass.states.async_entity_ids())
    user.chargers.clear()
    clock.go_on(DAY)
    for _ in range(3):
        await poll(hass, entry)
        clock.go_on(timedelta(minutes=10))
    assert device_names(hass, entry) == ["Tesla Model 3"]
    assert recorded.types == []
    assert troubles(caplog) == []


async def test_a_charger_that_is_removed_while_home_assistant_is_down_loses_its_device(
    hass: HomeAssistant, sim: Simulator, clock: Clock
) -> None:
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    await hass.config_entries.async_unload(entry.entry_id)
    sim.world.users[sim.user_ids[0]].chargers.clear()
    await hass.config_entries.async_setup(entry.entry_id)
    for _ in range(2):  # one answer decides nothing
        assert device_names(hass, entry) == ["Easee Home", "Tesla Model 3"]
        clock.go_on(timedelta(minutes=10))
        await poll(hass, entry)
    assert device_names(hass, entry) == ["Tesla Model 3"]


async def test_a_charger_that_cannot_be_read_at_the_start_shows_what_is_stored(
    hass: HomeAssistant, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    await hass.config_entries.async_unload(entry.entry_id)
    with monkeypatch.context() as patch:
        break_call(patch, "chargers")
        await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done()
        assert device_names(hass, entry) == ["Easee Home", "Tesla Model 3"]
        assert charger_state(hass, sim, "charge_state") == "disconnected"
    await poll(hass, entry)
    assert charger_state(hass, sim, "charge_state") == "disconnected"


# -- what details cost -------------------------------------------------------------------------------------


@pytest.mark.parametrize("endpoint", ["charge_settings", "chargers"])
async def test_details_that_cannot_be_read_are_read_at_the_next_refresh(
    hass: HomeAssistant,
    sim: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    endpoint: str,
) -> None:
    with monkeypatch.context() as patch:
        break_call(patch, endpoint)
        entry = make_entry(sim, None)
        await set_up(hass, entry)
        assert entry.state is ConfigEntryState.LOADED
        assert endpoint != "chargers" or "Easee Home" not in device_names(hass, entry)
        assert (entity_of(hass, sim, LEVEL) is None) is (endpoint == "charge_settings")
    await poll(hass, entry)
    assert "Easee Home" in device_names(hass, entry)
    assert car_state(hass, sim, LEVEL).state == "80"
    assert troubles(caplog) == []
    await poll(hass, entry)
    calls = mark(sim)
    await poll(hass, entry)
    assert len(calls()) == 3


async def test_in_a_session_polls_read_the_charger_and_deliveries_do_not(
    hass: HomeAssistant, sim: Simulator, callback_url: str, home: Home
) -> None:
    entry = await set_up_with_push(hass, sim, callback_url)
    sim.webhooks.event_types.clear()
    sim.plug(sim.vehicle_ids[0])
    await poll(hass, entry)
    calls = mark(sim)
    path, headers = call_of(entry)
    await home.post(path, json=message("e-1", userId=sim.user_ids[0]), headers=headers)
    await until(hass, lambda: len(calls()) >= 2)
    async with entry.runtime_data.coordinator.refresher.user_locks[sim.user_ids[0]]:
        ended = [call.partition("?")[0].rpartition("/")[2] for call in calls()]
    assert sorted(ended) == ["sessions", "vehicles"]
    calls = mark(sim)
    await poll(hass, entry)
    ended = [call.partition("?")[0].rpartition("/")[2] for call in calls()]
    assert sorted(ended) == ["chargers", *["sessions"] * 3, "vehicles"]


async def test_a_command_to_one_car_of_a_fleet_refreshes_that_car_alone(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(users=12)
    await set_up(hass, make_entry(sim, None))
    calls = mark(sim)
    await command(hass, sim, LEVEL, "set_value", 3, value=70)
    assert {call.split("/")[4] for call in calls()} == {sim.user_ids[3]}
    assert (
        len(calls()) == 5
    )  # settings are read, written and read again, then the car and its sessions
