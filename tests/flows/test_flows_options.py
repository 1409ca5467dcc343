"""Options: the event types and the poll interval of an entry."""

from datetime import timedelta

from homeassistant.const import STATE_ON, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import InvalidData
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.const import (
    CONF_EVENT_TYPES,
    DOCUMENTED_EVENT_TYPES,
    USER_CREATED,
    VEHICLE_READY,
)
from simulator.app import Simulator
from tests.dialogs import Dialog, subscriptions, wait_until_connected
from tests.tools import set_up_with_push, state_of, until

ADDED = "simSessionStarted"


@pytest.fixture
async def entry(hass: HomeAssistant, sim: Simulator, callback_url: str) -> MockConfigEntry:
    """Return an entry with the documented event types, as the set-up creates it."""
    options = {CONF_EVENT_TYPES: list(DOCUMENTED_EVENT_TYPES)}
    return await set_up_with_push(hass, sim, callback_url, options=options)


def offered_by(dialog: Dialog) -> list[str]:
    """Return the event types that a person can choose."""
    offered: list[str] = dialog.fields["event_types"]["selector"]["select"]["options"]
    return offered


async def test_an_event_type_that_is_added_by_name_is_subscribed(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    before = {item.id for item in subscriptions(sim)}
    dialog = await Dialog.options(hass, entry)
    others = {
        "poll_minutes": 5,
        "find_event_types": False,
        "follow_new_users": False,
        "import_energy": False,
    }
    assert dialog.shown == {"event_types": list(DOCUMENTED_EVENT_TYPES)} | others
    entered = [*DOCUMENTED_EVENT_TYPES, f" {ADDED} ", "", USER_CREATED, ADDED]
    await dialog.submit(event_types=entered)
    assert dict(entry.options) == {"event_types": [*DOCUMENTED_EVENT_TYPES, ADDED]} | others
    await until(hass, lambda: subscriptions(sim, ADDED))
    assert len(subscriptions(sim)) == 3
    assert before < {item.id for item in subscriptions(sim)}
    await wait_until_connected(hass, entry)
    sim.plug(sim.vehicle_ids[0])
    await until(hass, lambda: state_of(hass, "_smart_session") == "on")
    assert state_of(hass, "_push_state") == "healthy"
    dialog = await Dialog.options(hass, entry)
    assert dialog.shown["event_types"] == [*DOCUMENTED_EVENT_TYPES, ADDED]
    assert offered_by(dialog) == [*DOCUMENTED_EVENT_TYPES, ADDED]


async def test_without_any_event_type_push_is_off(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    await (await Dialog.options(hass, entry)).submit(event_types=[])
    await until(hass, lambda: not subscriptions(sim))
    await until(hass, lambda: entry.runtime_data.push.state != "connecting")
    assert (state_of(hass, "_push_state"), state_of(hass, "_push")) == ("off", STATE_UNKNOWN)
    await (await Dialog.options(hass, entry)).submit(event_types=[USER_CREATED])
    await until(hass, lambda: state_of(hass, "_push_state") == "waiting")
    assert state_of(hass, "_push") == STATE_ON


async def test_an_event_type_that_is_removed_is_unsubscribed_and_stays_on_offer(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    await (await Dialog.options(hass, entry)).submit(event_types=[USER_CREATED])
    await until(hass, lambda: not subscriptions(sim, VEHICLE_READY))
    assert len(subscriptions(sim, USER_CREATED)) == 1
    dialog = await Dialog.options(hass, entry)
    assert dialog.shown["event_types"] == [USER_CREATED]
    assert offered_by(dialog) == list(DOCUMENTED_EVENT_TYPES)


async def test_the_poll_interval(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    at_jedlix = {item.id for item in subscriptions(sim)}
    assert entry.runtime_data.coordinator.update_interval == timedelta(minutes=5)
    await (await Dialog.options(hass, entry)).submit(poll_minutes=17.0)
    assert entry.options["poll_minutes"] == 17
    assert isinstance(entry.options["poll_minutes"], int)
    assert entry.runtime_data.coordinator.update_interval == timedelta(minutes=17)
    await wait_until_connected(hass, entry)
    assert {item.id for item in subscriptions(sim)} == at_jedlix


@pytest.mark.parametrize("minutes", [0, 61])
async def test_a_poll_interval_out_of_bounds_is_refused(
    hass: HomeAssistant, entry: MockConfigEntry, minutes: int
) -> None:
    dialog = await Dialog.options(hass, entry)
    with pytest.raises(InvalidData):
        await dialog.submit(poll_minutes=minutes)


async def test_unchanged_options_reload_nothing_and_options_of_a_later_version_stay(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    hass.config_entries.async_update_entry(entry, options={**entry.options, "later": True})
    await hass.async_block_till_done()
    before = entry.runtime_data
    await (await Dialog.options(hass, entry)).submit()
    assert entry.runtime_data is before
    assert entry.options["later"] is True
