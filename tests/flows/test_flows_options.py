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
from custom_components.jedlix.push.event_types import DEFAULT_EVENT_TYPES, EVENT_TYPES
from simulator.app import Simulator
from tests.dialogs import Dialog, subscriptions, wait_until_connected
from tests.simulators import StartSimulator
from tests.tools import make_entry, set_up, set_up_with_push, state_of, until

ADDED = "chargeSessionStarted"


@pytest.fixture
async def entry(hass: HomeAssistant, sim: Simulator, callback_url: str) -> MockConfigEntry:
    """Return an entry with the documented event types."""
    options = {CONF_EVENT_TYPES: list(DOCUMENTED_EVENT_TYPES)}
    return await set_up_with_push(hass, sim, callback_url, "limited", options=options)


def offered_by(dialog: Dialog) -> list[str]:
    """Return the event types that a person can choose."""
    (field,) = dialog.fields["advanced"]["schema"]
    offered: list[str] = field["selector"]["select"]["options"]
    return offered


async def test_an_event_type_that_is_added_by_name_is_subscribed(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    sim.webhooks.event_types["session_started"] = ADDED
    before = {item.id for item in subscriptions(sim)}
    dialog = await Dialog.options(hass, entry)
    others = {"poll_minutes": 5, "follow_new_users": False, "import_energy": False}
    assert dialog.shown == others | {
        "find_event_types": False,
        "advanced": {"event_types": list(DOCUMENTED_EVENT_TYPES)},
        "groups": {
            "session": "not_chosen",
            "vehicle": "not_chosen",
            "link": "accepted",
            "charger": "not_chosen",
            "user": "accepted",
        },
    }
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
    assert dialog.shown["advanced"] == {"event_types": [*DOCUMENTED_EVENT_TYPES, ADDED]}
    assert dialog.shown["groups"]["other"] == "accepted"
    assert offered_by(dialog) == [*(item.name for item in EVENT_TYPES), ADDED]


async def test_the_default_is_not_stored_so_that_later_names_join_it(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    await (await Dialog.options(hass, entry)).submit(event_types=list(DEFAULT_EVENT_TYPES))
    assert CONF_EVENT_TYPES not in entry.options
    await until(hass, lambda: subscriptions(sim, "sessionStarted"))
    dialog = await Dialog.options(hass, entry)
    assert dialog.shown["advanced"] == {"event_types": list(DEFAULT_EVENT_TYPES)}


async def test_finding_event_types_tries_all_again_and_says_what_came_of_it(
    hass: HomeAssistant, start_simulator: StartSimulator, callback_url: str
) -> None:
    sim = await start_simulator(mode="partial")
    sim.strike({"refused_event_types": ["sessionStarted"]})
    entry = await set_up_with_push(
        hass,
        sim,
        callback_url,
        "limited",
        options={CONF_EVENT_TYPES: [*DEFAULT_EVENT_TYPES, ADDED]},
    )
    dialog = await Dialog.options(hass, entry)
    assert dialog.shown["groups"]["session"] == "partly"
    assert f"{ADDED} (Jedlix does not know the name here, " in dialog.placeholders["refused"]
    assert "sessionStarted (Jedlix does not know the name here, " in dialog.placeholders["refused"]
    assert "sessionEnded" in dialog.placeholders["accepted"]
    sim.strike({"refused_event_types": [], "subscription_limit": 20})
    await dialog.submit(find_event_types=True)
    assert dialog.step == "found"
    assert dialog.shown["groups"] == {
        "session": "partly",
        "vehicle": "partly",
        "link": "accepted",
        "charger": "unknown_name",
        "user": "partly",
        "other": "unknown_name",
    }
    assert "sessionStarted" in dialog.placeholders["accepted"]
    assert "sessionUpdated (Jedlix does not know the name here, " in dialog.placeholders["refused"]
    assert dialog.placeholders["untried"] == "-"
    before = entry.runtime_data
    await dialog.submit()
    assert "find_event_types" not in entry.options
    assert entry.runtime_data is before
    assert state_of(hass, "_push_state") == "waiting"


async def test_finding_event_types_while_jedlix_is_away_says_so(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    dialog = await Dialog.options(hass, entry)
    sim.strike({"outage_seconds": 600.0})
    await dialog.submit(find_event_types=True, event_types=list(DEFAULT_EVENT_TYPES))
    assert (dialog.step, dialog.errors) == ("found", {"base": "not_registered"})
    await dialog.close()
    assert entry.options[CONF_EVENT_TYPES] == list(DOCUMENTED_EVENT_TYPES)


async def test_without_push_there_is_nothing_to_find(hass: HomeAssistant, sim: Simulator) -> None:
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    dialog = await Dialog.options(hass, entry)
    await dialog.submit(find_event_types=True, poll_minutes=9)
    assert (dialog.step, dialog.errors) == ("init", {"find_event_types": "push_off"})
    assert dialog.shown["poll_minutes"] == 9
    await hass.config_entries.async_unload(entry.entry_id)
    dialog = await Dialog.options(hass, entry)
    assert dialog.shown["groups"]["session"] == "untried"
    await dialog.submit(find_event_types=True)
    assert dialog.errors == {"find_event_types": "push_off"}


async def test_without_any_event_type_push_is_off(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    await (await Dialog.options(hass, entry)).submit(event_types=[])
    await until(hass, lambda: not subscriptions(sim))
    await until(hass, lambda: entry.runtime_data.push.state != "connecting")
    assert (state_of(hass, "_push_state"), state_of(hass, "_push")) == ("off", STATE_UNKNOWN)
    await (await Dialog.options(hass, entry)).submit(event_types=[USER_CREATED])
    await until(hass, lambda: state_of(hass, "_push_state") == "limited")
    assert state_of(hass, "_push") == STATE_ON


async def test_an_event_type_that_is_removed_is_unsubscribed_and_stays_on_offer(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    await (await Dialog.options(hass, entry)).submit(event_types=[USER_CREATED])
    await until(hass, lambda: not subscriptions(sim, VEHICLE_READY))
    assert len(subscriptions(sim, USER_CREATED)) == 1
    dialog = await Dialog.options(hass, entry)
    assert dialog.shown["advanced"] == {"event_types": [USER_CREATED]}
    assert VEHICLE_READY in offered_by(dialog)


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
