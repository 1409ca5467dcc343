"""An entry is set up, reloaded and removed, whether or not Jedlix answers."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

from homeassistant.components.webhook import DOMAIN as WEBHOOK
from homeassistant.config_entries import (
    SOURCE_REAUTH,
    ConfigEntryDisabler,
    ConfigEntryState,
    ConfigSubentry,
)
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, issue_registry as ir
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.jedlix.const import (
    CONF_EVENT_TYPES,
    CONF_POLL_MINUTES,
    DOMAIN,
    USER_CREATED,
)
from simulator.app import Simulator
from tests.deliveries import ACCEPTED, Home, deliver
from tests.push.tools import poll_after
from tests.simulators import StartSimulator
from tests.tools import (
    WEBHOOK_ID,
    Clock,
    make_entry,
    record_events,
    set_up,
    set_up_with_push,
    state_of,
    until,
)

# Jedlix answers, and fails whenever it is asked for a user's cars.
AWAY = {"kind": "status", "status": 503}

pytestmark = pytest.mark.usefixtures("home", "no_second_try")


def car_device(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator, number: int = 0
) -> dr.DeviceEntry | None:
    """Return the device of one of the simulator's cars."""
    identifier = f"{sim.user_ids[number]}_{sim.vehicle_ids[number]}"
    return dr.async_get(hass).async_get_device_by_identifier((DOMAIN, identifier), entry.entry_id)


def last_statuses(sim: Simulator) -> set[int | None]:
    """Return what was answered to all attempts of the last delivery."""
    return {attempt.status for attempt in sim.webhooks.deliveries[-1].attempts}


def left_of(hass: HomeAssistant, entry: MockConfigEntry) -> dict[str, str] | None:
    """Return what the repair says of subscriptions that are left at Jedlix, None where there is none."""
    issue = ir.async_get(hass).async_get_issue(DOMAIN, f"subscriptions_left_{entry.entry_id}")
    return None if issue is None else issue.translation_placeholders


def car_subentry(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator, number: int
) -> ConfigSubentry:
    """Return the subentry that has the device of a user's car."""
    device = car_device(hass, entry, sim, number)
    assert device is not None
    return entry.subentries[device.config_subentry_id or ""]


# -- set up, reload, remove ----------------------------------------------------------------------------------


async def test_an_entry_has_an_account_and_a_device_for_each_car(
    hass: HomeAssistant, start_simulator: StartSimulator, caplog: pytest.LogCaptureFixture
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
        ("Jedlix Rotterdam", "Jedlix", None, None, None),
        ("Jedlix Utrecht", "Jedlix", None, None, None),
    }
    users = [car_subentry(hass, entry, sim, number).unique_id for number in (0, 1)]
    assert users == sim.user_ids
    # After a power failure a device may be that of another subentry.
    device, another = car_device(hass, entry, sim, 0), car_subentry(hass, entry, sim, 1)
    assert device is not None
    dr.async_get(hass).async_update_device(device.id, new_config_subentry_id=another.subentry_id)
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert car_subentry(hass, entry, sim, 0).unique_id == sim.user_ids[0]
    assert "subentry" not in caplog.text


async def test_a_reload_keeps_subscriptions_and_seen_deliveries(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, home: Home
) -> None:
    subscriptions = dict(sim.webhooks.subscriptions)
    assert await deliver(home, userId=sim.user_ids[0]) == ACCEPTED
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert await deliver(home, userId=sim.user_ids[0]) == (503, "")  # Jedlix is to try again
    assert state_of(hass, "_charge_state") == STATE_UNAVAILABLE
    assert await hass.config_entries.async_setup(entry.entry_id)
    await until(hass, lambda: entry.runtime_data.push.state != "connecting")
    assert sim.webhooks.subscriptions == subscriptions
    assert await deliver(home, userId=sim.user_ids[0]) == ACCEPTED
    await hass.async_block_till_done()
    assert state_of(hass, "_webhooks_received") == "0"  # it was seen before the reload


async def test_new_options_reload_the_entry(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    hass.config_entries.async_update_entry(
        entry, options=dict(entry.options) | {CONF_POLL_MINUTES: 30}
    )
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED
    assert entry.runtime_data.coordinator.update_interval == timedelta(minutes=30)


async def test_removing_the_entry_deletes_its_own_subscriptions_and_devices(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    of_another = sim.webhooks.create(
        "userCreated", "http://127.0.0.1:9/elsewhere", "key", is_active=True
    )
    await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()
    assert list(sim.webhooks.subscriptions.values()) == [of_another]
    assert left_of(hass, entry) is None
    assert not dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)


async def test_removing_or_disabling_a_loaded_entry_unregisters_its_webhook(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    assert WEBHOOK_ID in hass.data[WEBHOOK]
    await hass.config_entries.async_set_disabled_by(entry.entry_id, ConfigEntryDisabler.USER)
    assert WEBHOOK_ID not in hass.data[WEBHOOK]
    await hass.config_entries.async_set_disabled_by(entry.entry_id, None)
    assert WEBHOOK_ID in hass.data[WEBHOOK]
    await hass.config_entries.async_remove(entry.entry_id)
    assert WEBHOOK_ID not in hass.data[WEBHOOK]


async def test_an_entry_can_be_removed_while_jedlix_is_away(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, caplog: pytest.LogCaptureFixture
) -> None:
    sim.strike({"outage_seconds": 60.0})
    await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()
    assert hass.config_entries.async_get_entry(entry.entry_id) is None
    assert "could not be deleted at Jedlix" in caplog.text
    left = ", ".join(sorted(entry.options[CONF_EVENT_TYPES]))
    assert left_of(hass, entry) == {"account": entry.title, "event_types": left}


async def test_what_cannot_be_deleted_at_jedlix_is_shown(
    hass: HomeAssistant, start_simulator: StartSimulator, callback_url: str
) -> None:
    """A tenant with the documented calls only has no call to delete a subscription."""
    sim = await start_simulator(mode="strict")
    entry = await set_up_with_push(hass, sim, callback_url, "limited")
    await hass.config_entries.async_remove(entry.entry_id)
    left = left_of(hass, entry)
    assert left is not None
    assert USER_CREATED in left["event_types"]


# -- devices at set-up ---------------------------------------------------------------------------------------


async def test_a_car_removed_while_home_assistant_is_down_is_published_once_it_counts_as_gone(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, clock: Clock
) -> None:
    device = car_device(hass, entry, sim)
    assert device is not None
    await hass.config_entries.async_unload(entry.entry_id)
    recorded = record_events(hass)
    sim.remove(sim.vehicle_ids[0])
    await hass.config_entries.async_setup(entry.entry_id)
    await poll_after(hass, clock, entry, *[timedelta(minutes=5)] * 2)
    assert recorded.types == []
    assert dr.async_get(hass).async_get(device.id) == device
    await poll_after(hass, clock, entry, timedelta(minutes=6))
    assert recorded.types == ["vehicle_removed"]
    assert recorded.changes[0]["device_id"] == device.id
    assert dr.async_get(hass).async_get(device.id) is None


async def test_the_devices_of_a_user_who_was_never_refreshed_stay(
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
    hass_storage.pop(f"{DOMAIN}.{entry.entry_id}")  # a lost file, and a slow Jedlix
    monkeypatch.setattr("custom_components.jedlix.poll.FIRST_REFRESH_TIMEOUT", 0.05)
    vehicles_may_answer.clear()
    await hass.config_entries.async_setup(entry.entry_id)
    assert entry.runtime_data.coordinator.known.never_refreshed == set(sim.user_ids)
    assert car_device(hass, entry, sim) == device
    vehicles_may_answer.set()
    await until(hass, lambda: not entry.runtime_data.coordinator.known.never_refreshed)
    assert car_device(hass, entry, sim) is not None


# -- a set-up that fails -------------------------------------------------------------------------------------


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


async def test_while_set_up_is_tried_again_deliveries_are_answered_503_and_come_again(
    hass: HomeAssistant, start_simulator: StartSimulator, callback_url: str
) -> None:
    sim = await start_simulator(retries=(0.3,) * 9)
    sim.strike({"absent": ["webhook_history"]})  # it would bring them before the next attempt
    entry = await set_up_with_push(hass, sim, callback_url)
    away = sim.strike(AWAY)
    await hass.config_entries.async_reload(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    sim.plug(sim.vehicle_ids[0])
    await sim.delivered()
    assert last_statuses(sim) == {503}
    sim.strike({"remove": away})
    recorded = record_events(hass)
    await hass.config_entries.async_reload(entry.entry_id)
    await until(hass, lambda: any(item["source"] == "webhook" for item in recorded.webhooks))
    assert recorded.types.count("session_started") == 1


async def test_set_up_with_refused_credentials_is_tried_again_then_asks_for_new_ones(
    hass: HomeAssistant,
    start_simulator: StartSimulator,
    callback_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The webhook answers 503 meanwhile. The refusals are counted over the attempts."""
    sim = await start_simulator(retries=())
    clock = Clock(monkeypatch, sim)
    entry = await set_up_with_push(hass, sim, callback_url)
    sim.settings = replace(sim.settings, client_secret="another")
    sim.strike({"token_expiry": True})
    for requests in ([], [], [SOURCE_REAUTH]):
        await hass.config_entries.async_reload(entry.entry_id)
        assert entry.state is ConfigEntryState.SETUP_RETRY
        flows = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
        assert [flow["context"]["source"] for flow in flows] == requests
        sim.webhooks.publish("userCreated", sim.user_ids[0], sim.now(), {})
        await sim.delivered()
        assert last_statuses(sim) == {503}
        clock.go_on(timedelta(minutes=5))
    # Jedlix accepts them again, and nobody has to enter anything.
    sim.settings = replace(sim.settings, client_secret="secret")
    await hass.config_entries.async_reload(entry.entry_id)
    assert entry.state is ConfigEntryState.LOADED
    assert hass.config_entries.flow.async_progress_by_handler(DOMAIN) == []


@pytest.mark.parametrize("status", [403, 404])
async def test_an_entry_whose_only_user_is_closed_or_gone_is_loaded_all_the_same(
    hass: HomeAssistant, sim: Simulator, status: int
) -> None:
    closed = sim.strike({"kind": "status", "status": status, "endpoints": ["vehicles"]})
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    assert entry.state is ConfigEntryState.LOADED
    assert car_device(hass, entry, sim) is None
    sim.strike({"remove": closed})
    await entry.runtime_data.coordinator.async_refresh()
    await hass.async_block_till_done()
    assert car_device(hass, entry, sim) is not None


async def test_disabling_an_entry_whose_set_up_fails_unregisters_its_webhook(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    away = sim.strike(AWAY)
    for _ in range(2):
        await hass.config_entries.async_reload(entry.entry_id)
        assert entry.state is ConfigEntryState.SETUP_RETRY
        assert WEBHOOK_ID in hass.data[WEBHOOK]
    await hass.config_entries.async_set_disabled_by(entry.entry_id, ConfigEntryDisabler.USER)
    assert WEBHOOK_ID not in hass.data[WEBHOOK]
    sim.strike({"remove": away})
    await hass.config_entries.async_set_disabled_by(entry.entry_id, None)
    assert entry.state is ConfigEntryState.LOADED
    assert WEBHOOK_ID in hass.data[WEBHOOK]
