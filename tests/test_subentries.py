"""Subentries: users are followed and unfollowed without a reload, and without a change being published."""

import asyncio
from types import MappingProxyType
from typing import Any, Final

from aiohttp import web
from aiohttp.test_utils import TestClient
from homeassistant.config_entries import ConfigEntryState, ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.const import (
    CONF_FOLLOW_NEW_USERS,
    CONF_USER_ID,
    DOMAIN,
    EVENT_CHANGE,
    SUBENTRY_USER,
)
from simulator.app import Simulator
from tests.commanding import car_state, command, device_of, mark, poll, troubles
from tests.dialogs import call_of
from tests.simulators import StartSimulator
from tests.tools import (
    add_another_account,
    make_entry,
    record_events,
    set_up,
    set_up_with_push,
    until,
)

type Home = TestClient[web.Request, web.Application]

pytestmark = pytest.mark.usefixtures("home", "no_second_try")

FOLLOW_NEW_USERS: Final = {CONF_FOLLOW_NEW_USERS: True}
SESSION: Final = "sensor.session"


def add_user(hass: HomeAssistant, entry: MockConfigEntry, user_id: str) -> None:
    """Follow one more user, as "Add user" does."""
    subentry = ConfigSubentry(
        data=MappingProxyType({CONF_USER_ID: user_id}),
        subentry_type=SUBENTRY_USER,
        title=user_id,
        unique_id=user_id,
    )
    hass.config_entries.async_add_subentry(entry, subentry)


def remove_user(hass: HomeAssistant, entry: MockConfigEntry, user_id: str) -> None:
    """Unfollow a user, as the frontend does."""
    (subentry_id,) = (
        key for key, subentry in entry.subentries.items() if subentry.unique_id == user_id
    )
    hass.config_entries.async_remove_subentry(entry, subentry_id)


def device_names(hass: HomeAssistant, entry: MockConfigEntry) -> list[str]:
    """Return the names of the devices of the account, the cars and the chargers; not those of locations."""
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    names = sorted(device.name or "" for device in devices)
    return [name for name in names if not name.startswith("Jedlix ")]


def users_of(entry: MockConfigEntry) -> list[str | None]:
    """Return the followed users."""
    return [item.unique_id for item in entry.subentries.values()]


async def test_a_user_is_added_without_a_reload_and_the_car_is_complete_at_once(
    hass: HomeAssistant,
    start_simulator: StartSimulator,
    callback_url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sim = await start_simulator(users=2)
    entry = await set_up_with_push(hass, sim, callback_url, users=[sim.user_ids[1]])
    data, recorded = entry.runtime_data, record_events(hass)
    sim.plug(sim.vehicle_ids[0])
    await sim.delivered()
    add_user(hass, entry, sim.user_ids[0])
    await until(hass, lambda: "Easee Home" in device_names(hass, entry))
    assert entry.runtime_data is data
    assert device_names(hass, entry) == ["Easee Home", "Jedlix", "Renault Zoe", "Tesla Model 3"]
    assert car_state(hass, sim, SESSION).state == "smart"
    assert car_state(hass, sim, "number.desired_battery_level").state == "80"
    assert recorded.types == []  # the session started before the user was followed
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


async def test_a_user_is_removed_without_a_reload_and_can_be_added_again(
    hass: HomeAssistant,
    start_simulator: StartSimulator,
    callback_url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sim = await start_simulator(users=2)
    entry = await set_up_with_push(hass, sim, callback_url)
    sim.plug(sim.vehicle_ids[0])
    await until(hass, lambda: car_state(hass, sim, SESSION).state == "smart")
    data, recorded = entry.runtime_data, record_events(hass)
    async with data.coordinator.refresher.user_locks[sim.user_ids[0]]:  # no refresh is under way
        data.store.refresh_requests[sim.user_ids[0]] = sim.now()
        remove_user(hass, entry, sim.user_ids[0])
    await hass.async_block_till_done()
    assert data.store.refresh_requests == {}
    assert entry.runtime_data is data
    assert entry.state is ConfigEntryState.LOADED
    assert device_names(hass, entry) == ["Jedlix", "Renault Zoe"]
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
    await until(hass, lambda: "Easee Home" in device_names(hass, entry))
    assert car_state(hass, sim, SESSION).state == "none"
    assert recorded.types == []


async def test_a_user_who_is_removed_during_a_refresh_leaves_nothing(
    hass: HomeAssistant,
    start_simulator: StartSimulator,
    hass_storage: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    sim = await start_simulator(users=2)
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    sim.plug(sim.vehicle_ids[0])
    calls = mark(sim)
    sim.strike({"api_slow_seconds": 0.05})
    refresh = asyncio.ensure_future(entry.runtime_data.coordinator.async_refresh())
    await until(hass, calls)
    remove_user(hass, entry, sim.user_ids[0])
    await refresh
    await hass.async_block_till_done()
    assert device_names(hass, entry) == ["Jedlix", "Renault Zoe"]
    assert troubles(caplog) == []
    await hass.config_entries.async_unload(entry.entry_id)
    stored = hass_storage[f"{DOMAIN}.{entry.entry_id}"]["data"]["users"]
    assert [user["user_id"] for user in stored] == [sim.user_ids[1]]


async def test_a_new_title_reloads_the_entry_and_renames_its_device(
    hass: HomeAssistant, sim: Simulator
) -> None:
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    data = entry.runtime_data
    hass.config_entries.async_update_entry(entry, title="My Jedlix")
    await hass.async_block_till_done()
    assert entry.runtime_data is not data
    assert entry.state is ConfigEntryState.LOADED
    assert "My Jedlix" in device_names(hass, entry)


# -- new users ---------------------------------------------------------------------------------------------


async def test_a_new_user_is_followed_as_soon_as_jedlix_reports_the_creation(
    hass: HomeAssistant, sim: Simulator, callback_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    entry = await set_up_with_push(hass, sim, callback_url, options=FOLLOW_NEW_USERS)
    data, recorded = entry.runtime_data, record_events(hass)
    user = sim.add_user()
    await until(hass, lambda: len(device_names(hass, entry)) == 4)
    assert entry.runtime_data is data
    assert car_state(hass, sim, SESSION, 1).state == "none"
    assert recorded.types == ["user_created"]
    assert recorded.changes[0]["user_id"] == user.id
    account = dr.async_get(hass).async_get_device_by_identifier(
        (DOMAIN, entry.entry_id), entry.entry_id
    )
    assert account is not None
    assert recorded.changes[0]["device_id"] == account.id
    (added,) = [item for item in entry.subentries.values() if item.unique_id == user.id]
    assert user.id[:8] in added.title
    assert troubles(caplog) == []


async def test_a_new_user_is_followed_only_while_the_option_is_set(
    hass: HomeAssistant, sim: Simulator, callback_url: str
) -> None:
    entry = await set_up_with_push(hass, sim, callback_url)
    recorded = record_events(hass)

    async def followed_after(number: int) -> int:
        """Return how many users are followed when so many have been created."""
        sim.add_user()
        await until(hass, lambda: recorded.types == ["user_created"] * number)
        return len(entry.subentries)

    assert await followed_after(1) == 1
    for wanted, number, followed in ((True, 2, 2), (False, 3, 2)):
        options = {**entry.options, CONF_FOLLOW_NEW_USERS: wanted}
        hass.config_entries.async_update_entry(entry, options=options)
        await hass.async_block_till_done()
        assert await followed_after(number) == followed


async def test_a_user_who_is_created_while_home_assistant_is_down_is_followed_at_the_start(
    hass: HomeAssistant, sim: Simulator, callback_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    entry = await set_up_with_push(hass, sim, callback_url, options=FOLLOW_NEW_USERS)
    await hass.config_entries.async_unload(entry.entry_id)
    user = sim.add_user()
    await sim.delivered()
    recorded = record_events(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    await until(hass, lambda: len(device_names(hass, entry)) == 4)
    assert entry.state is ConfigEntryState.LOADED
    assert user.id in entry.runtime_data.coordinator.followed
    assert [(change["type"], change["late"]) for change in recorded.changes] == [
        ("user_created", True)
    ]
    sim.plug(sim.vehicle_ids[1])
    await until(hass, lambda: "session_started" in recorded.types)
    assert troubles(caplog) == []


async def test_a_new_user_who_is_reported_twice_is_followed_once(
    hass: HomeAssistant,
    sim: Simulator,
    callback_url: str,
    home: Home,
    caplog: pytest.LogCaptureFixture,
) -> None:
    entry = await set_up_with_push(hass, sim, callback_url, options=FOLLOW_NEW_USERS)
    path, headers = call_of(entry)
    for event_id in ("1", "2"):
        message = {"eventType": "userCreated", "id": event_id, "userId": "new"}
        await home.post(path, json=message, headers=headers)
    await hass.async_block_till_done()
    assert users_of(entry) == [sim.user_ids[0], "new"]
    assert troubles(caplog) == []


async def test_events_about_other_accounts_and_incomplete_events_follow_nobody(
    hass: HomeAssistant, sim: Simulator, callback_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    entry = await set_up_with_push(hass, sim, callback_url, options=FOLLOW_NEW_USERS)
    add_another_account(hass, sim, "followed elsewhere")
    ours = {"type": "user_created", "entry_id": entry.entry_id}
    for event in (
        {**ours, "user_id": "followed elsewhere"},
        {**ours, "user_id": "somebody", "entry_id": "another"},
        {**ours, "user_id": "somebody", "type": "vehicle_added"},
        {},
        {"type": "user_created"},
        ours,
        {**ours, "user_id": None},
    ):
        hass.bus.async_fire(EVENT_CHANGE, event)
    await hass.async_block_till_done()
    assert users_of(entry) == sim.user_ids
    assert troubles(caplog) == []
