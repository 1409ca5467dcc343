"""An entry is set up, unloaded, reloaded and removed, and its store survives what it can."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient
from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, issue_registry as ir
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.jedlix.const import CONF_POLL_MINUTES, DOMAIN
from simulator.app import Simulator
from tests.conftest import StartSimulator
from tests.tools import WEBHOOK_ID, WEBHOOK_KEY, make_entry, record_events, set_up, state_of, until

type Home = TestClient[web.Request, web.Application]

pytestmark = pytest.mark.usefixtures("home", "no_second_try")


@pytest.fixture
def hass_config_dir(hass_tmp_config_dir: str) -> str:
    """Let files be real, in a folder of the test's own."""
    return hass_tmp_config_dir


def car_device(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator, number: int = 0
) -> dr.DeviceEntry | None:
    """Return the device of one of the simulator's cars."""
    identifier = f"{sim.user_ids[number]}_{sim.vehicle_ids[number]}"
    return dr.async_get(hass).async_get_device_by_identifier((DOMAIN, identifier), entry.entry_id)


def store_file(hass: HomeAssistant, entry: MockConfigEntry, end: str = "") -> Path:
    """Return where the store lies; in tests, Home Assistant keeps what is in it elsewhere."""
    path = Path(hass.config.path(".storage", f"{DOMAIN}.{entry.entry_id}{end}"))
    path.parent.mkdir(exist_ok=True)
    return path


async def ring(home: Home, sim: Simulator) -> int:
    """Deliver something by hand; returns the answer's status."""
    response = await home.post(
        f"/api/webhook/{WEBHOOK_ID}",
        json={"eventType": "any", "id": "1", "userId": sim.user_ids[0]},
        headers={"Authorization": f"Basic {WEBHOOK_KEY}"},
    )
    return response.status if await response.read() else 0


# -- life and death ----------------------------------------------------------------------------------------


async def test_an_entry_has_an_account_and_a_device_for_each_car(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(users=2)
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    assert entry.state is ConfigEntryState.LOADED
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    assert {
        (device.name, device.manufacturer, device.model, device.hw_version, device.entry_type)
        for device in devices
    } == {
        ("Jedlix", "Jedlix", None, None, dr.DeviceEntryType.SERVICE),
        ("Tesla Model 3", "Tesla", "Model 3", "Long Range", None),
        ("Renault Zoe", "Renault", "Zoe", "R110", None),
        ("Easee Home", "Easee", "Home", None, None),
    }
    for number, user_id in enumerate(sim.user_ids):
        device = car_device(hass, entry, sim, number)
        assert device is not None
        subentry_id = device.config_subentry_id
        assert subentry_id is not None
        assert entry.subentries[subentry_id].unique_id == user_id


async def test_a_reload_costs_no_registration_and_shuts_the_door_only_for_a_moment(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, home: Home
) -> None:
    subscriptions = dict(sim.webhooks.subscriptions)
    assert await ring(home, sim) == 200
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert await ring(home, sim) == 0  # nobody is there: Home Assistant's own empty answer
    assert state_of(hass, "_charge_state") == STATE_UNAVAILABLE
    assert await hass.config_entries.async_setup(entry.entry_id)
    await until(hass, lambda: entry.runtime_data.push.state != "connecting")
    assert sim.webhooks.subscriptions == subscriptions
    assert state_of(hass, "_webhooks_received") == "0"
    assert await ring(home, sim) == 200
    await hass.async_block_till_done()
    assert state_of(hass, "_webhooks_received") == "0"  # the same delivery as before the reload


async def test_new_options_are_taken_over(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    hass.config_entries.async_update_entry(
        entry, options=dict(entry.options) | {CONF_POLL_MINUTES: 30}
    )
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED
    assert entry.runtime_data.coordinator.update_interval == timedelta(minutes=30)


async def test_removing_the_entry_leaves_nothing_behind(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, hass_storage: dict[str, Any]
) -> None:
    stranger = sim.webhooks.create(
        "userCreated", "http://127.0.0.1:9/elsewhere", "key", is_active=True
    )
    aside = store_file(hass, entry, ".damaged.1")
    aside.touch()
    hass_storage[f"{DOMAIN}.{entry.entry_id}"] = {"version": 1, "data": {}}
    await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()
    assert list(sim.webhooks.subscriptions.values()) == [stranger]
    assert f"{DOMAIN}.{entry.entry_id}" not in hass_storage
    assert not aside.exists()
    assert not dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)


async def test_an_entry_can_be_removed_while_jedlix_is_away(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, caplog: pytest.LogCaptureFixture
) -> None:
    sim.strike({"outage_seconds": 60.0})
    await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()
    assert hass.config_entries.async_get_entry(entry.entry_id) is None
    assert "could not be deleted at Jedlix" in caplog.text


# -- trouble at set-up -------------------------------------------------------------------------------------


async def test_set_up_is_tried_again_while_jedlix_is_away(
    hass: HomeAssistant, sim: Simulator
) -> None:
    sim.strike({"outage_seconds": 60.0})
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert entry.reason is not None
    assert "HTTP 503" in entry.reason
    sim.strike({"outage_seconds": 0.0})
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=1))
    await until(hass, lambda: entry.state is ConfigEntryState.LOADED)
    assert state_of(hass, "_charge_state") == "disconnected"


async def test_set_up_with_credentials_that_are_no_longer_good_asks_for_new_ones(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(client_secret="another")
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    assert entry.state is ConfigEntryState.SETUP_ERROR
    flows = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert [flow["context"]["source"] for flow in flows] == [SOURCE_REAUTH]


async def test_a_car_that_went_while_we_were_away_is_told_and_its_device_goes(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    device = car_device(hass, entry, sim)
    user_id, vehicle_id = sim.user_ids[0], sim.vehicle_ids[0]
    assert device is not None
    await hass.config_entries.async_unload(entry.entry_id)
    recorded = record_events(hass)
    sim.remove(vehicle_id)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert [(change["type"], change["late"]) for change in recorded.changes] == [
        ("vehicle_removed", True)
    ]
    assert recorded.changes[0]["device_id"] == device.id
    assert not dr.async_get(hass).async_get_device_by_identifier(
        (DOMAIN, f"{user_id}_{vehicle_id}"), entry.entry_id
    )


async def test_a_user_at_whom_nobody_could_look_yet_keeps_the_devices(
    hass: HomeAssistant,
    sim: Simulator,
    entry: MockConfigEntry,
    hass_storage: dict[str, Any],
    vehicles_may_answer: asyncio.Event,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    device = car_device(hass, entry, sim)
    assert device is not None
    await hass.config_entries.async_unload(entry.entry_id)
    hass_storage.pop(f"{DOMAIN}.{entry.entry_id}")  # a lost store, and a Jedlix that takes its time
    monkeypatch.setattr("custom_components.jedlix.coordinator.FIRST_REFRESH_TIMEOUT", 0.05)
    vehicles_may_answer.clear()
    await hass.config_entries.async_setup(entry.entry_id)
    assert entry.runtime_data.coordinator.never_refreshed == set(sim.user_ids)
    assert car_device(hass, entry, sim) == device
    vehicles_may_answer.set()
    await until(hass, lambda: not entry.runtime_data.coordinator.never_refreshed)
    assert car_device(hass, entry, sim) is not None


# -- store ------------------------------------------------------------------------------------------------


async def test_what_is_known_is_written_soon_and_not_again_without_need(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, hass_storage: dict[str, Any]
) -> None:
    key = f"{DOMAIN}.{entry.entry_id}"
    for _ in range(3):
        entry.runtime_data.store.schedule_save()
    assert key not in hass_storage
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=6))
    await hass.async_block_till_done()
    assert sim.vehicle_ids[0] in hass_storage.pop(key)["data"]["users"][0]["vehicles"]
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=60))
    await hass.async_block_till_done()
    assert key not in hass_storage
    entry.runtime_data.store.schedule_save()
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=70))
    await hass.async_block_till_done()
    assert key in hass_storage


async def test_after_the_last_save_nothing_is_written_over_the_next_life(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, hass_storage: dict[str, Any]
) -> None:
    store = entry.runtime_data.store
    await hass.config_entries.async_unload(entry.entry_id)
    hass_storage.pop(f"{DOMAIN}.{entry.entry_id}")
    store.schedule_save()
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(hours=2))
    await hass.async_block_till_done()
    assert f"{DOMAIN}.{entry.entry_id}" not in hass_storage


@pytest.mark.parametrize(
    "damaged",
    [
        {"version": 1, "key": "x", "data": {"users": [{"user_id": "u", "vehicles": {"v": {}}}]}},
        {"version": 1, "key": "x", "data": {"inbox": {"a": "not a time"}}},
        {"version": 1, "key": "x", "data": []},
        {"version": 99, "key": "x", "data": {}},
    ],
)
async def test_a_damaged_memory_is_set_aside_and_a_new_one_begun(
    hass: HomeAssistant, sim: Simulator, hass_storage: dict[str, Any], damaged: dict[str, Any]
) -> None:
    entry = make_entry(sim, None)
    hass_storage[f"{DOMAIN}.{entry.entry_id}"] = damaged
    store = store_file(hass, entry)
    store.touch()
    recorded = record_events(hass)
    await set_up(hass, entry)
    assert entry.state is ConfigEntryState.LOADED
    assert recorded.types == []
    assert not store.exists()
    assert len(list(store.parent.glob(f"{store.name}.damaged.*"))) == 1
    issue_id = f"memory_damaged_{entry.entry_id}"
    assert ir.async_get(hass).async_get_issue(DOMAIN, issue_id) is not None
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert len(list(store.parent.glob(f"{store.name}.damaged.*"))) == 1
    await hass.config_entries.async_remove(entry.entry_id)
    assert ir.async_get(hass).async_get_issue(DOMAIN, issue_id) is None


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"inbox": [], "users": {}, "subscriptions": [], "checkpoint": 5, "push_announces": "?"},
    ],
)
async def test_a_memory_that_lacks_something_is_used_as_far_as_it_goes(
    hass: HomeAssistant, sim: Simulator, hass_storage: dict[str, Any], odd: dict[str, Any]
) -> None:
    entry = make_entry(sim, None)
    hass_storage[f"{DOMAIN}.{entry.entry_id}"] = {"version": 1, "key": "x", "data": odd}
    await set_up(hass, entry)
    assert entry.state is ConfigEntryState.LOADED
    assert not ir.async_get(hass).issues
    assert state_of(hass, "_charge_state") == "disconnected"
