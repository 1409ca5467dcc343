"""What can be changed afterwards: the options, and whom to follow."""

from datetime import timedelta
from typing import Any

from aiohttp.test_utils import TestClient
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import STATE_ON, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import InvalidData
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.const import (
    CONF_EVENT_TYPES,
    CONF_USER_ID,
    DOCUMENTED_EVENT_TYPES,
    USER_CREATED,
    VEHICLE_READY,
)
from simulator.app import Simulator
from tests.flows import Dialog, closed_port, hurry, subscriptions
from tests.tools import add_another_account, make_entry, set_up, state_of, until

OWN = "simSessionStarted"


@pytest.fixture(autouse=True)
def no_waiting(home: TestClient[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


@pytest.fixture
async def entry(hass: HomeAssistant, sim: Simulator, callback_url: str) -> MockConfigEntry:
    """Return an entry as the set-up makes it: with the documented event types."""
    entry = make_entry(sim, callback_url, options={CONF_EVENT_TYPES: list(DOCUMENTED_EVENT_TYPES)})
    await set_up(hass, entry)
    await until(hass, lambda: entry.runtime_data.push.state == "waiting")
    return entry


# -- options -----------------------------------------------------------------------------------------------


async def test_an_event_type_that_is_added_by_name_is_subscribed(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    before = {item.id for item in subscriptions(sim)}
    dialog = await Dialog.options(hass, entry)
    off = {"find_event_types": False, "follow_new_users": False, "import_energy": False}
    assert dialog.shown == {"event_types": list(DOCUMENTED_EVENT_TYPES), "poll_minutes": 5} | off
    await dialog.submit(event_types=[*DOCUMENTED_EVENT_TYPES, f" {OWN} ", "", USER_CREATED, OWN])
    assert (
        dict(entry.options)
        == {
            "event_types": [*DOCUMENTED_EVENT_TYPES, OWN],
            "poll_minutes": 5,
        }
        | off
    )
    await until(hass, lambda: subscriptions(sim, OWN))
    assert len(subscriptions(sim)) == 3
    assert before < {item.id for item in subscriptions(sim)}
    await until(hass, lambda: entry.runtime_data.push.state == "waiting")
    sim.plug(sim.vehicle_ids[0])
    await until(hass, lambda: state_of(hass, "_smart_session") == "on")
    assert state_of(hass, "_push_state") == "healthy"


async def test_without_any_event_type_push_is_off_and_nobody_is_told_that_it_is_connected(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    await (await Dialog.options(hass, entry)).submit(event_types=[])
    await until(hass, lambda: not subscriptions(sim))
    await until(hass, lambda: entry.runtime_data.push.state != "connecting")
    assert (state_of(hass, "_push_state"), state_of(hass, "_push")) == ("off", STATE_UNKNOWN)
    await (await Dialog.options(hass, entry)).submit(event_types=[USER_CREATED])
    await until(hass, lambda: state_of(hass, "_push_state") == "waiting")
    assert state_of(hass, "_push") == STATE_ON


async def test_an_event_type_that_jedlix_refuses_does_no_harm(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    dialog = await Dialog.options(hass, entry)
    await dialog.submit(event_types=[*DOCUMENTED_EVENT_TYPES, "carDreamtOfSheep"])
    await until(hass, lambda: entry.runtime_data.push.state == "waiting")
    assert len(subscriptions(sim)) == 2
    again = await Dialog.options(hass, entry)
    assert again.shown["event_types"] == [*DOCUMENTED_EVENT_TYPES, "carDreamtOfSheep"]


async def test_an_event_type_that_is_taken_away_is_unsubscribed(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    await (await Dialog.options(hass, entry)).submit(event_types=[USER_CREATED])
    await until(hass, lambda: not subscriptions(sim, VEHICLE_READY))
    assert len(subscriptions(sim, USER_CREATED)) == 1
    again = await Dialog.options(hass, entry)
    assert again.shown["event_types"] == [USER_CREATED]
    offered = again.fields["event_types"]["selector"]["select"]["options"]
    assert offered == list(DOCUMENTED_EVENT_TYPES)


async def test_the_poll_interval(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    at_jedlix = {item.id for item in subscriptions(sim)}
    assert entry.runtime_data.coordinator.update_interval == timedelta(minutes=5)
    await (await Dialog.options(hass, entry)).submit(poll_minutes=17.0)
    assert entry.options["poll_minutes"] == 17
    assert isinstance(entry.options["poll_minutes"], int)
    assert entry.runtime_data.coordinator.update_interval == timedelta(minutes=17)
    await until(hass, lambda: entry.runtime_data.push.state == "waiting")
    assert {item.id for item in subscriptions(sim)} == at_jedlix


@pytest.mark.parametrize("minutes", [0, 61])
async def test_a_poll_interval_out_of_bounds(
    hass: HomeAssistant, entry: MockConfigEntry, minutes: int
) -> None:
    dialog = await Dialog.options(hass, entry)
    with pytest.raises(InvalidData):
        await dialog.submit(poll_minutes=minutes)


async def test_options_that_stay_as_they_are_reload_nothing(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    before = entry.runtime_data
    await (await Dialog.options(hass, entry)).submit()
    assert entry.runtime_data is before


async def test_options_that_a_later_version_keeps_are_not_lost(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    hass.config_entries.async_update_entry(entry, options={**entry.options, "later": True})
    await hass.async_block_till_done()
    await (await Dialog.options(hass, entry)).submit(poll_minutes=7)
    assert entry.options["later"] is True


# -- one more user -----------------------------------------------------------------------------------------


async def test_a_user_is_added_and_the_car_appears(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    user = sim.add_user()
    assert user.vehicle is not None
    dialog = await Dialog.add_user(hass, entry)
    assert dialog.shown == {}
    await dialog.submit(user_id=f" {user.id.upper()} ")
    (added,) = [item for item in entry.subentries.values() if item.unique_id == user.id]
    assert added.data == {CONF_USER_ID: user.id}
    assert added.title == f"{user.vehicle.brand} {user.vehicle.model} · {user.id[:8]}"
    assert entry.state is ConfigEntryState.LOADED
    car = (user.id, user.vehicle.id)
    await until(hass, lambda: entry.runtime_data.coordinator.fleet.vehicle(car))
    assert state_of(hass, f"{user.vehicle.id}_charge_state") == "disconnected"
    assert entry.runtime_data.subentry_of[user.id] == added.subentry_id


@pytest.mark.parametrize("spelling", [str, str.upper, " {} ".format])
async def test_a_user_who_is_followed_already(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, spelling: type[str]
) -> None:
    dialog = await Dialog.add_user(hass, entry)
    await dialog.submit(user_id=spelling(sim.user_ids[0]))
    assert dialog.reason == "already_configured"
    assert len(entry.subentries) == 1


async def test_a_user_whom_another_account_follows(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    user = sim.add_user()
    add_another_account(hass, sim, user.id)
    dialog = await Dialog.add_user(hass, entry)
    await dialog.submit(user_id=user.id)
    assert (dialog.step, dialog.errors) == ("user", {"user_id": "followed_elsewhere"})
    assert len(entry.subentries) == 1
    await dialog.close()


@pytest.mark.parametrize("nobody", ["nobody", "   ", "../vehicles", "."])
async def test_a_user_who_does_not_exist(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, nobody: str
) -> None:
    user = sim.add_user()
    dialog = await Dialog.add_user(hass, entry)
    await dialog.submit(user_id=nobody)
    assert (dialog.step, dialog.errors) == ("user", {"user_id": "unknown_user"})
    assert dialog.shown == {"user_id": nobody}
    await dialog.submit(user_id=user.id)
    assert len(entry.subentries) == 2


async def test_a_user_who_may_not_be_seen(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    user = sim.add_user()
    sim.strike({"forbidden": ["vehicles"]})
    dialog = await (await Dialog.add_user(hass, entry)).submit(user_id=user.id)
    assert dialog.errors == {"user_id": "forbidden"}
    sim.faults.clear()
    await dialog.submit(user_id=user.id)
    assert len(entry.subentries) == 2


async def test_credentials_that_no_longer_count(
    hass: HomeAssistant, sim: Simulator, callback_url: str
) -> None:
    """The account must be logged in again first; the form says so and stays."""
    entry = make_entry(sim, None)
    entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(entry, data={**entry.data, "client_secret": "old"})
    user = sim.add_user()
    dialog = await (await Dialog.add_user(hass, entry)).submit(user_id=user.id)
    assert dialog.errors == {"user_id": "invalid_auth"}
    hass.config_entries.async_update_entry(entry, data={**entry.data, "client_secret": "secret"})
    await dialog.submit(user_id=user.id)
    assert len(entry.subentries) == 2


async def test_no_network(hass: HomeAssistant, sim: Simulator, home: object) -> None:
    entry = make_entry(sim, None)
    entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(entry, data={**entry.data, "token_url": closed_port()})
    dialog = await (await Dialog.add_user(hass, entry)).submit(user_id="somebody")
    assert dialog.errors == {"user_id": "cannot_connect"}
