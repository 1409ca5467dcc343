"""The coordinator in the field: rings, polls, restarts, outages, cars that come and go."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.jedlix.api import WebhookMessage
from custom_components.jedlix.const import DOMAIN
from simulator.app import Simulator
from tests.conftest import StartSimulator
from tests.tools import Ears, listen, make_entry, set_up, state_of, until


async def poll(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Have the next poll now."""
    await entry.runtime_data.coordinator.async_refresh()
    await hass.async_block_till_done()


@pytest.fixture
async def quiet(hass: HomeAssistant, sim: Simulator, home: object) -> MockConfigEntry:
    """Return an entry without push: only the poll finds out."""
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    return entry


async def test_the_poll_finds_what_no_webhook_told(
    hass: HomeAssistant, sim: Simulator, quiet: MockConfigEntry
) -> None:
    ears = listen(hass)
    sim.plug(sim.vehicle_ids[0])
    await poll(hass, quiet)
    assert ears.types == ["plugged_in", "session_started", "charging_started"]
    assert {(told["source"], told["late"]) for told in ears.changes} == {("poll", False)}
    await poll(hass, quiet)
    assert len(ears.changes) == 3


async def test_the_poll_comes_by_itself(
    hass: HomeAssistant, sim: Simulator, quiet: MockConfigEntry
) -> None:
    ears = listen(hass)
    sim.plug(sim.vehicle_ids[0])
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=5, seconds=2))
    await until(hass, lambda: "session_started" in ears.types)


async def test_an_idle_poll_of_one_car_costs_three_calls(
    hass: HomeAssistant, sim: Simulator, quiet: MockConfigEntry
) -> None:
    before = len(sim.requests)
    await poll(hass, quiet)
    assert len(sim.requests) - before == 3


async def test_a_hundred_rings_in_a_second_cost_four_calls(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    before = len(sim.requests)
    message = {"eventType": "userCreated", "id": "again", "userId": sim.user_ids[0]}
    for _ in range(100):
        entry.runtime_data.coordinator.ring(WebhookMessage.from_json(message))
    await asyncio.sleep(1.5)
    await until(hass, lambda: len(sim.requests) - before >= 2)
    assert len(sim.requests) - before <= 4


async def test_a_ring_is_answered_once_the_api_is_back(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.jedlix.rings._PAUSE", 0.05)
    ears = listen(hass)
    sim.strike({"forbidden": ["vehicles"]})
    sim.plug(sim.vehicle_ids[0])
    await until(hass, lambda: ears.webhooks)
    await asyncio.sleep(0.1)
    assert not ears.changes
    sim.strike({"forbidden": []})
    await until(hass, lambda: "session_started" in ears.types)
    assert not any(told["late"] for told in ears.changes)


async def test_what_happened_while_we_were_away_is_told_late_once_and_in_order(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    vehicle = sim.vehicle_ids[0]
    await hass.config_entries.async_unload(entry.entry_id)
    sim.plug(vehicle)
    sim.unplug(vehicle)
    sim.plug(vehicle)
    ears = listen(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    sessions = [kind for kind in ears.types if kind.startswith("session_")]
    assert sessions == ["session_started", "session_ended", "session_started"]
    assert "plugged_in" in ears.types
    assert all(told["late"] for told in ears.changes)
    assert [told["occurred_at"] for told in ears.changes] == sorted(
        told["occurred_at"] for told in ears.changes
    )
    assert state_of(hass, f"{vehicle}_session", "event") == "unknown"
    assert state_of(hass, f"{vehicle}_session", "sensor") == "smart"
    count = len(ears.changes)
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert len(ears.changes) == count


async def test_an_outage_makes_states_unavailable_and_events_not(
    hass: HomeAssistant, sim: Simulator, quiet: MockConfigEntry
) -> None:
    ears, vehicle = listen(hass), sim.vehicle_ids[0]
    sim.strike({"forbidden": ["sessions", "vehicles", "user_sessions"]})
    await poll(hass, quiet)
    assert state_of(hass, f"{vehicle}_charge_state") == "unavailable"
    assert state_of(hass, f"{vehicle}_charging", "event") == "unknown"
    sim.plug(vehicle)
    sim.strike({"forbidden": []})
    await poll(hass, quiet)
    assert state_of(hass, f"{vehicle}_charge_state") == "charging"
    assert ears.types == ["plugged_in", "session_started", "charging_started"]
    assert all(told["late"] for told in ears.changes)


async def test_revoked_credentials_ask_for_new_ones(
    hass: HomeAssistant, sim: Simulator, quiet: MockConfigEntry
) -> None:
    sim.settings = replace(sim.settings, client_secret="another")
    sim.strike({"token_expiry": True})
    await poll(hass, quiet)
    flows = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert [flow["context"]["source"] for flow in flows] == [SOURCE_REAUTH]


async def test_a_cloud_that_is_away_at_the_start_is_tried_again(
    hass: HomeAssistant, sim: Simulator, home: object
) -> None:
    sim.strike({"forbidden": ["vehicles"]})
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    assert entry.state is ConfigEntryState.SETUP_RETRY


async def test_a_car_that_goes_takes_its_device_along_and_says_so_before(
    hass: HomeAssistant, sim: Simulator, quiet: MockConfigEntry
) -> None:
    ears, vehicle = listen(hass), sim.vehicle_ids[0]
    sim.remove(vehicle)
    await poll(hass, quiet)
    assert ears.types == ["vehicle_removed"]
    assert ears.changes[0]["device_id"] is not None
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), quiet.entry_id)
    assert [device.name for device in devices] == ["Jedlix"]


async def test_a_user_who_is_gone_while_we_are_away_leaves_no_device(
    hass: HomeAssistant, sim: Simulator, quiet: MockConfigEntry
) -> None:
    await hass.config_entries.async_unload(quiet.entry_id)
    sim.remove(sim.vehicle_ids[0])
    await hass.config_entries.async_setup(quiet.entry_id)
    await hass.async_block_till_done()
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), quiet.entry_id)
    assert [device.name for device in devices] == ["Jedlix"]


@pytest.mark.parametrize("mode", ["strict", "noisy"])
async def test_sessions_are_told_in_every_mode(
    hass: HomeAssistant, start_simulator: StartSimulator, callback_url: str, mode: str
) -> None:
    sim = await start_simulator(mode=mode, users=2)
    entry = make_entry(sim, callback_url)
    await set_up(hass, entry)
    await until(hass, lambda: entry.runtime_data.push.state not in ("off", "connecting"))
    ears: Ears = listen(hass)
    for vehicle in sim.vehicle_ids:
        sim.plug(vehicle)
    await until(hass, lambda: ears.types.count("session_started") == 2)
    for vehicle in sim.vehicle_ids:
        sim.unplug(vehicle)
    await until(hass, lambda: ears.types.count("session_ended") == 2)
    await poll(hass, entry)
    assert ears.types.count("session_started") == ears.types.count("session_ended") == 2
    assert {told["is_managed"] for told in ears.changes if told["type"] == "session_started"} == {
        True,
        False,
    }


async def test_a_fleet_polls_in_turns_and_a_delivery_without_a_name_brings_the_poll_forward(
    hass: HomeAssistant, start_simulator: StartSimulator, callback_url: str
) -> None:
    sim = await start_simulator(users=7, history_days=0)
    entry = make_entry(sim, callback_url)
    await set_up(hass, entry)
    await until(hass, lambda: entry.runtime_data.push.state not in ("off", "connecting"))
    before = len(sim.requests)
    await poll(hass, entry)
    assert len(sim.requests) - before == 7
    before = len(sim.requests)
    message = {"eventType": "userCreated", "id": "nameless", "vehicleId": "nobody's"}
    entry.runtime_data.coordinator.ring(WebhookMessage.from_json(message))
    await until(hass, lambda: len(sim.requests) - before == 7)
