"""Users and chargers come and go while everything else goes on; nothing is reloaded, and nothing told."""

import asyncio
from datetime import timedelta
from functools import partial
import time
from types import MappingProxyType
from typing import Any, Final

from aiohttp import web
from aiohttp.test_utils import TestClient
from homeassistant.config_entries import ConfigEntryState, ConfigSubentry
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.const import (
    CONF_FOLLOW_NEW_USERS,
    CONF_POLL_MINUTES,
    CONF_USER_ID,
    DOMAIN,
    SUBENTRY_USER,
)
from simulator.api import shapes
from simulator.api.http import Call, Problem
from simulator.app import Simulator
from simulator.model import Charger
from tests.commanding import car_state, command, device_of, mark, poll, troubles
from tests.conftest import StartSimulator
from tests.tools import (
    WEBHOOK_ID,
    WEBHOOK_KEY,
    Clock,
    RecordedEvents,
    add_another_account,
    make_entry,
    record_events,
    set_up,
    set_up_with_push,
    until,
)

type Home = TestClient[web.Request, web.Application]

pytestmark = pytest.mark.usefixtures("home", "no_second_try")

FOLLOW_NEW: Final = {CONF_FOLLOW_NEW_USERS: True}
SESSION: Final = "sensor.session"


def add_user(hass: HomeAssistant, entry: MockConfigEntry, user_id: str) -> None:
    """Follow one more user, as the subentry flow does."""
    hass.config_entries.async_add_subentry(
        entry,
        ConfigSubentry(
            data=MappingProxyType({CONF_USER_ID: user_id}),
            subentry_type=SUBENTRY_USER,
            title=user_id,
            unique_id=user_id,
        ),
    )


def remove_user(hass: HomeAssistant, entry: MockConfigEntry, user_id: str) -> None:
    """Let a user go, as the frontend does."""
    (subentry_id,) = (
        key for key, subentry in entry.subentries.items() if subentry.unique_id == user_id
    )
    hass.config_entries.async_remove_subentry(entry, subentry_id)


def names(hass: HomeAssistant, entry: MockConfigEntry) -> list[str]:
    """Return the names of all devices."""
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    return sorted(device.name or "" for device in devices)


# -- users -------------------------------------------------------------------------------------------------


async def test_a_user_is_added_without_a_reload_and_their_car_is_whole_at_once(
    hass: HomeAssistant,
    start_simulator: StartSimulator,
    callback_url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sim = await start_simulator(users=2)
    entry = await set_up_with_push(hass, sim, callback_url, users=[sim.user_ids[1]])
    data, recorded = entry.runtime_data, record_events(hass)
    sim.plug(sim.vehicle_ids[0])  # nobody we follow
    await sim.delivered()
    add_user(hass, entry, sim.user_ids[0])
    await until(hass, lambda: "Easee Home" in names(hass, entry))
    assert entry.runtime_data is data
    assert names(hass, entry) == ["Easee Home", "Jedlix", "Renault Zoe", "Tesla Model 3"]
    assert car_state(hass, sim, SESSION).state == "smart"
    assert car_state(hass, sim, "number.desired_battery_level").state == "80"
    assert recorded.types == []  # it was so before we looked
    subentry_id = device_of(hass, entry, sim).config_subentry_id
    assert subentry_id is not None
    assert entry.subentries[subentry_id].unique_id == sim.user_ids[0]
    sim.unplug(sim.vehicle_ids[0])
    await until(hass, lambda: "unplugged" in recorded.types)
    assert recorded.types == ["session_ended", "unplugged"]
    assert {change["device_id"] for change in recorded.changes} == {device_of(hass, entry, sim).id}
    await command(hass, sim, "number.desired_battery_level", "set_value", value=70)
    assert car_state(hass, sim, "number.desired_battery_level").state == "70"
    assert troubles(caplog) == []


async def test_a_user_is_let_go_without_a_reload_and_without_a_word(
    hass: HomeAssistant,
    start_simulator: StartSimulator,
    callback_url: str,
    home: Home,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sim = await start_simulator(users=2)
    entry = await set_up_with_push(hass, sim, callback_url)
    sim.plug(sim.vehicle_ids[0])
    await until(hass, lambda: car_state(hass, sim, SESSION).state == "smart")
    data, recorded = entry.runtime_data, record_events(hass)
    async with data.coordinator.user_locks[sim.user_ids[0]]:  # nobody is looking just now
        remove_user(hass, entry, sim.user_ids[0])
    await hass.async_block_till_done()
    assert entry.runtime_data is data
    assert entry.state is ConfigEntryState.LOADED
    assert names(hass, entry) == ["Jedlix", "Renault Zoe"]
    assert sim.user_ids[0] not in data.store.users
    assert not any("tesla" in entity_id for entity_id in hass.states.async_entity_ids())
    calls = mark(sim)
    sim.unplug(sim.vehicle_ids[0])
    await sim.delivered()
    await poll(hass, entry)
    assert recorded.types == []
    assert not any(sim.user_ids[0] in call for call in calls()), calls()
    assert recorded.webhooks[-1]["followed"] is False
    assert troubles(caplog) == []

    add_user(hass, entry, sim.user_ids[0])
    await until(hass, lambda: "Easee Home" in names(hass, entry))
    assert car_state(hass, sim, SESSION).state == "none"
    assert recorded.types == []


async def test_letting_a_user_go_while_their_car_is_looked_at_leaves_nothing_behind(
    hass: HomeAssistant, start_simulator: StartSimulator, caplog: pytest.LogCaptureFixture
) -> None:
    sim = await start_simulator(users=2)
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    sim.plug(sim.vehicle_ids[0])
    calls = mark(sim)
    sim.strike({"api_slow_seconds": 0.05})
    looking = asyncio.ensure_future(entry.runtime_data.coordinator.async_refresh())
    await until(hass, calls)
    remove_user(hass, entry, sim.user_ids[0])
    await looking
    await hass.async_block_till_done()
    assert names(hass, entry) == ["Jedlix", "Renault Zoe"]
    assert sim.user_ids[0] not in entry.runtime_data.store.users
    assert troubles(caplog) == []


async def test_a_user_who_is_let_go_is_forgotten_on_the_disk_too(
    hass: HomeAssistant, start_simulator: StartSimulator, hass_storage: dict[str, Any]
) -> None:
    sim = await start_simulator(users=2)
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    remove_user(hass, entry, sim.user_ids[0])
    await hass.async_block_till_done()
    await hass.config_entries.async_unload(entry.entry_id)
    stored = hass_storage[f"{DOMAIN}.{entry.entry_id}"]["data"]["users"]
    assert [user["user_id"] for user in stored] == [sim.user_ids[1]]


@pytest.mark.parametrize("changed", ["title", "options"])
async def test_what_is_made_once_is_made_anew_when_it_changes(
    hass: HomeAssistant, sim: Simulator, changed: str
) -> None:
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    data = entry.runtime_data
    if changed == "title":
        hass.config_entries.async_update_entry(entry, title="My Jedlix")
    else:
        options = dict(entry.options) | {CONF_POLL_MINUTES: 7}
        hass.config_entries.async_update_entry(entry, options=options)
    await hass.async_block_till_done()
    assert entry.runtime_data is not data
    assert entry.state is ConfigEntryState.LOADED
    if changed == "title":
        assert "My Jedlix" in names(hass, entry)


# -- new users ---------------------------------------------------------------------------------------------


async def test_a_new_user_is_followed_as_soon_as_jedlix_tells_of_them(
    hass: HomeAssistant, sim: Simulator, callback_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    entry = await set_up_with_push(hass, sim, callback_url, options=FOLLOW_NEW)
    data, recorded = entry.runtime_data, record_events(hass)
    user = sim.add_user()
    await until(hass, lambda: len(names(hass, entry)) == 4)
    assert entry.runtime_data is data
    assert car_state(hass, sim, SESSION, 1).state == "none"
    (created,) = [change for change in recorded.changes if change["type"] == "user_created"]
    assert created["user_id"] == user.id
    account = dr.async_get(hass).async_get_device_by_identifier(
        (DOMAIN, entry.entry_id), entry.entry_id
    )
    assert account is not None
    assert created["device_id"] == account.id
    (added,) = [item for item in entry.subentries.values() if item.unique_id == user.id]
    assert user.id[:8] in added.title
    assert set(recorded.types) == {"user_created"}
    assert troubles(caplog) == []


async def test_without_the_option_a_new_user_is_only_told(
    hass: HomeAssistant, sim: Simulator, callback_url: str
) -> None:
    entry = await set_up_with_push(hass, sim, callback_url)
    recorded = record_events(hass)
    sim.add_user()
    await until(hass, lambda: "user_created" in recorded.types)
    assert len(entry.subentries) == 1
    assert len(names(hass, entry)) == 3


async def test_the_option_counts_from_the_moment_it_is_set(
    hass: HomeAssistant, sim: Simulator, callback_url: str
) -> None:
    entry = await set_up_with_push(hass, sim, callback_url)
    for wanted in (True, False):
        hass.config_entries.async_update_entry(
            entry, options=dict(entry.options) | {CONF_FOLLOW_NEW_USERS: wanted}
        )
        await hass.async_block_till_done()
        recorded = record_events(hass)
        sim.add_user()
        await until(hass, partial(_has_told_of_a_user, recorded))
        assert len(entry.subentries) == 2


def _has_told_of_a_user(recorded: RecordedEvents) -> bool:
    return "user_created" in recorded.types


async def test_a_new_user_whom_another_account_follows_stays_there(
    hass: HomeAssistant, sim: Simulator, callback_url: str
) -> None:
    entry = await set_up_with_push(hass, sim, callback_url, options=FOLLOW_NEW)
    add_another_account(hass, sim, "somebody")
    told = {"type": "user_created", "entry_id": entry.entry_id, "user_id": "somebody"}
    hass.bus.async_fire("jedlix_event", told)
    await hass.async_block_till_done()
    assert len(entry.subentries) == 1


async def test_a_user_of_another_account_is_not_ours(
    hass: HomeAssistant, sim: Simulator, callback_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    entry = await set_up_with_push(hass, sim, callback_url, options=FOLLOW_NEW)
    hass.bus.async_fire(
        "jedlix_event", {"type": "user_created", "entry_id": "another", "user_id": "somebody"}
    )
    # by hand, without keys
    hass.bus.async_fire("jedlix_event")
    hass.bus.async_fire("jedlix_event", {"type": "user_created"})
    hass.bus.async_fire("jedlix_event", {"type": "user_created", "entry_id": entry.entry_id})
    hass.bus.async_fire(
        "jedlix_event", {"type": "user_created", "entry_id": entry.entry_id, "user_id": None}
    )
    await hass.async_block_till_done()
    assert len(entry.subentries) == 1
    assert troubles(caplog) == []


async def test_the_same_new_user_told_twice_is_followed_once(
    hass: HomeAssistant,
    sim: Simulator,
    callback_url: str,
    home: Home,
    caplog: pytest.LogCaptureFixture,
) -> None:
    entry = await set_up_with_push(hass, sim, callback_url, options=FOLLOW_NEW)
    for number in range(2):
        await home.post(
            f"/api/webhook/{WEBHOOK_ID}",
            json={"eventType": "userCreated", "id": f"{number}", "userId": "new"},
            headers={"Authorization": f"Basic {WEBHOOK_KEY}"},
        )
    await hass.async_block_till_done()
    assert [item.unique_id for item in entry.subentries.values()] == [sim.user_ids[0], "new"]
    assert troubles(caplog) == []


async def test_a_user_created_while_home_assistant_was_down_is_followed_too(
    hass: HomeAssistant, sim: Simulator, callback_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    entry = await set_up_with_push(hass, sim, callback_url, options=FOLLOW_NEW)
    await hass.config_entries.async_unload(entry.entry_id)
    user = sim.add_user()
    await sim.delivered()
    recorded = record_events(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    await until(hass, lambda: len(names(hass, entry)) == 4)
    assert entry.state is ConfigEntryState.LOADED
    assert user.id in entry.runtime_data.coordinator.followed
    assert [(change["type"], change["late"]) for change in recorded.changes] == [
        ("user_created", True)
    ]
    sim.plug(sim.vehicle_ids[1])
    await until(hass, lambda: "session_started" in recorded.types)
    assert troubles(caplog) == []


# -- what the two documented webhooks tell -----------------------------------------------------------------


async def test_a_vehicle_that_is_ready_is_told_of_its_car(
    hass: HomeAssistant, start_simulator: StartSimulator, callback_url: str
) -> None:
    sim = await start_simulator(users=2)
    entry = await set_up_with_push(hass, sim, callback_url)
    recorded = record_events(hass)
    sim.ready(sim.vehicle_ids[1])
    await until(hass, lambda: recorded.types)
    (ready,) = recorded.changes
    assert ready["type"] == "vehicle_ready_to_continue"
    assert ready["device_id"] == device_of(hass, entry, sim, 1).id
    assert (ready["user_id"], ready["vehicle_id"]) == (sim.user_ids[1], sim.vehicle_ids[1])
    assert (ready["source"], ready["late"]) == ("webhook", False)


def broken(patch: pytest.MonkeyPatch, endpoint: str) -> None:
    """Let one call be away while all others answer."""

    def away(*_: object) -> Any:
        raise Problem(503, "Away.")

    match endpoint:
        case "chargers":
            patch.setattr(shapes, "charger", away)
        case _:
            patch.setattr(Call, "vehicle", away)


# -- chargers ----------------------------------------------------------------------------------------------


def charger_state(hass: HomeAssistant, sim: Simulator, key: str, number: int = 0) -> str:
    """Return the state of a sensor of the first user's charger."""
    user = sim.world.users[sim.user_ids[0]]
    unique_id = f"{user.id}_{user.chargers[number].id}_{key}"
    entity_id = er.async_get(hass).async_get_entity_id("sensor", DOMAIN, unique_id)
    assert entity_id is not None
    state = hass.states.get(entity_id)
    assert state is not None
    return state.state


@pytest.mark.parametrize("pushed", [True, False])
async def test_a_charger_follows_the_charging_of_its_car(
    hass: HomeAssistant, sim: Simulator, callback_url: str, pushed: bool
) -> None:
    entry = make_entry(sim, callback_url if pushed else None)
    await set_up(hass, entry)
    if pushed:
        await until(hass, lambda: entry.runtime_data.push.state == "waiting")

    async def shows(state: str) -> None:
        if not pushed:
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


async def test_chargers_come_and_go(
    hass: HomeAssistant,
    sim: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    entry, clock = make_entry(sim, None, options={CONF_POLL_MINUTES: 600}), Clock(monkeypatch, sim)
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
    clock.go_on(timedelta(days=1))
    await poll(hass, entry)
    assert names(hass, entry) == ["Alfen Eve", "Easee Home", "Jedlix", "Tesla Model 3"]
    assert charger_state(hass, sim, "charge_state", 1) == "disconnected"
    del user.chargers[0]
    clock.go_on(timedelta(days=1))
    await poll(hass, entry)
    assert names(hass, entry) == ["Alfen Eve", "Jedlix", "Tesla Model 3"]
    assert not any("easee" in entity_id for entity_id in hass.states.async_entity_ids())
    user.chargers.clear()
    clock.go_on(timedelta(days=1))
    await poll(hass, entry)
    assert names(hass, entry) == ["Jedlix", "Tesla Model 3"]
    assert recorded.types == []
    assert troubles(caplog) == []


async def test_a_charger_that_went_while_we_were_away_loses_its_device(
    hass: HomeAssistant, sim: Simulator
) -> None:
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    await hass.config_entries.async_unload(entry.entry_id)
    sim.world.users[sim.user_ids[0]].chargers.clear()
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert names(hass, entry) == ["Jedlix", "Tesla Model 3"]


async def test_chargers_that_cannot_be_read_at_a_start_keep_their_devices(
    hass: HomeAssistant, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    await hass.config_entries.async_unload(entry.entry_id)
    with monkeypatch.context() as patch:
        broken(patch, "chargers")
        await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done()
        assert "Easee Home" in names(hass, entry)
        assert charger_state(hass, sim, "charge_state") == STATE_UNAVAILABLE
    await poll(hass, entry)
    assert charger_state(hass, sim, "charge_state") == "disconnected"


# -- details and what they cost ----------------------------------------------------------------------------


@pytest.mark.parametrize("endpoint", ["charge_settings", "chargers"])
async def test_details_that_cannot_be_read_are_read_at_the_next_look(
    hass: HomeAssistant,
    sim: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    endpoint: str,
) -> None:
    with monkeypatch.context() as patch:
        broken(patch, endpoint)
        entry = make_entry(sim, None)
        await set_up(hass, entry)
        assert entry.state is ConfigEntryState.LOADED
        assert endpoint != "chargers" or "Easee Home" not in names(hass, entry)
        assert ("number.tesla_model_3_desired_battery_level" in hass.states.async_entity_ids()) is (
            endpoint != "charge_settings"
        )
    await poll(hass, entry)
    assert "Easee Home" in names(hass, entry)
    assert car_state(hass, sim, "number.desired_battery_level").state == "80"
    assert troubles(caplog) == []
    await poll(hass, entry)
    calls = mark(sim)
    await poll(hass, entry)
    assert len(calls()) == 3


async def test_rings_in_a_session_cost_no_more_for_a_charger_and_settings(
    hass: HomeAssistant, sim: Simulator, callback_url: str, home: Home
) -> None:
    entry = await set_up_with_push(hass, sim, callback_url)
    sim.webhooks.event_types.clear()
    sim.plug(sim.vehicle_ids[0])
    await poll(hass, entry)
    calls, begin = mark(sim), time.monotonic()
    for number in range(100):
        await home.post(
            f"/api/webhook/{WEBHOOK_ID}",
            json={"eventType": "any", "id": f"{number}", "userId": sim.user_ids[0]},
            headers={"Authorization": f"Basic {WEBHOOK_KEY}"},
        )
    seconds = int(time.monotonic() - begin)  # 0, unless the machine is busy with something else
    await asyncio.sleep(1.3)
    assert 2 <= len(calls()) <= 4 + 2 * seconds


async def test_a_poll_in_a_session_costs_one_call_more_for_the_charger(
    hass: HomeAssistant, sim: Simulator
) -> None:
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    sim.plug(sim.vehicle_ids[0])
    await poll(hass, entry)
    calls = mark(sim)
    await poll(hass, entry)
    asked = [call.partition("?")[0].rpartition("/")[2] for call in calls()]
    assert sorted(asked) == ["chargers", *["sessions"] * 3, "vehicles"]


async def test_an_idle_poll_of_a_fleet_asks_for_no_details(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(users=12)
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    for _ in range(3):
        calls = mark(sim)
        await poll(hass, entry)
        assert len(calls()) == 7
        assert not any("settings" in call or "chargers" in call for call in calls())


async def test_a_command_to_one_car_of_a_fleet_asks_for_that_car_alone(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(users=12)
    await set_up(hass, make_entry(sim, None))
    calls = mark(sim)
    await command(hass, sim, "number.desired_battery_level", "set_value", 3, value=70)
    assert {call.split("/")[4] for call in calls()} == {sim.user_ids[3]}
    assert len(calls()) == 5  # read, write, read again; then the car and its sessions
