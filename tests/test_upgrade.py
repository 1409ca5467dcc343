"""Upgrade: an entry, a store file and an entity registry of an earlier version load unchanged.

tests/samples/ was written by version 0.1.0 in development, before its modules got their present names: two
users, an open session each, a boost, an entered battery level, charge settings, subscriptions and tried
event types. tests/samples/stores/ has the store files of other stages, each named by what was new in it.
"""

from copy import deepcopy
from datetime import timedelta
import json
from pathlib import Path
from typing import Any, Final

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er, issue_registry as ir
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.const import CONF_EVENT_TYPES, DOCUMENTED_EVENT_TYPES, DOMAIN
from custom_components.jedlix.publisher import Source
from custom_components.jedlix.push.event_types import DEFAULT_EVENT_TYPES
from custom_components.jedlix.state.ledger import SESSIONS_REMEMBERED
from custom_components.jedlix.store import JedlixStore
from simulator.app import Simulator
from tests.simulators import StartSimulator
from tests.tools import record_events, set_up, until

SAMPLES: Final = Path(__file__).parent / "samples"


def sample(name: str) -> Any:
    """Return the content of a stored file."""
    return json.loads((SAMPLES / f"{name}.json").read_text())


STORE: Final[dict[str, Any]] = sample("store")
STORES: Final = sorted(path.stem for path in (SAMPLES / "stores").glob("*.json"))


@pytest.fixture
async def sim(start_simulator: StartSimulator) -> Simulator:
    """Return a simulator with the users of the samples; its ids follow from its seed."""
    sim = await start_simulator(users=2)
    assert sim.user_ids == [user["user_id"] for user in STORE["data"]["users"]]
    return sim


@pytest.fixture
def entry(sim: Simulator, callback_url: str) -> MockConfigEntry:
    """Return the stored entry, at the address that the simulator has now."""
    stored = sample("entry")
    return MockConfigEntry(
        domain=DOMAIN,
        entry_id=stored["entry_id"],
        title=stored["title"],
        unique_id=stored["unique_id"],
        version=stored["version"],
        minor_version=stored["minor_version"],
        data=stored["data"]
        | {
            "base_url": sim.url,
            "token_url": f"{sim.url}/oauth/token",
            "audience": sim.url,
            "callback_url": callback_url,
        },
        options=stored["options"],
        subentries_data=stored["subentries"],
    )


def with_all_of(written: Any, stored: Any) -> Any:
    """Return what was written, with only those keys that were stored.

    New ones may have come, and empty mappings are left out.
    """
    if isinstance(stored, dict):
        return {
            key: with_all_of(written.get(key, {}) if value == {} else written[key], value)
            for key, value in stored.items()
        }
    if isinstance(stored, list):
        return [with_all_of(*pair) for pair in zip(written, stored, strict=True)]
    return written


def with_new_names(data: dict[str, Any]) -> dict[str, Any]:
    """Return stored data with the names that they have now."""
    text = json.dumps(data)
    for old, new in (
        ("checkpoint", "tenant_read_at"),
        ("push_announces", "reports_changes"),
        ("key_print", "key_hash"),
    ):
        assert f'"{old}": ' in text
        text = text.replace(f'"{old}": ', f'"{new}": ')
    renamed: dict[str, Any] = json.loads(text)
    return renamed


async def test_a_stored_file_is_read_and_loses_nothing_when_written_back(
    hass: HomeAssistant, hass_storage: dict[str, Any]
) -> None:
    hass_storage[STORE["key"]] = deepcopy(STORE)
    store = JedlixStore(hass, STORE["key"].removeprefix(f"{DOMAIN}."))
    await store.load()
    assert ir.async_get(hass).issues == {}
    del hass_storage[STORE["key"]]
    await store.save()
    # The event types that were tried became options, see below.
    data = {key: value for key, value in with_new_names(STORE["data"]).items() if key != "guesses"}
    expected = STORE | {"minor_version": 2, "data": data}
    assert with_all_of(hass_storage[STORE["key"]], expected) == expected
    read_at = STORE["data"]["checkpoint"]
    written = hass_storage[STORE["key"]]["data"]
    assert [user["refreshed_at"] for user in written["users"]] == [read_at] * 2
    # What is written now is read again as it is.
    again = JedlixStore(hass, STORE["key"].removeprefix(f"{DOMAIN}."))
    await again.load()
    assert again.users == store.users


@pytest.mark.parametrize("name", STORES)
async def test_the_store_of_each_stage_is_read(
    hass: HomeAssistant, hass_storage: dict[str, Any], name: str
) -> None:
    stored = sample(f"stores/{name}")
    hass_storage[stored["key"]] = deepcopy(stored)
    store = JedlixStore(hass, stored["key"].removeprefix(f"{DOMAIN}."))
    await store.load()
    assert ir.async_get(hass).issues == {}
    data = stored["data"]
    assert [key for key in data["inbox"] if key not in store.push.inbox] == []
    assert {key: held.id for key, held in store.push.subscriptions.items()} == {
        key: held["id"] for key, held in data["subscriptions"].items()
    }
    assert {
        (user_id, key): (car.status, {*car.open_sessions}, {*car.ended_sessions})
        for user_id, user in store.users.items()
        for key, car in user.vehicles.items()
    } == {
        (user["user_id"], key): (
            car["status"],
            {*car.get("open_sessions", {})},
            {*car.get("ended_sessions", {})},
        )
        for user in data["users"]
        for key, car in user["vehicles"].items()
        if "watched_since" in car  # the users of the first stage are read again
    }
    assert {
        key: {*car.ledger.listed}
        for user in store.users.values()
        for key, car in user.vehicles.items()
    } == {
        key: {*car.get("ledger", {}).get("listed", {})}
        for user in data["users"]
        for key, car in user["vehicles"].items()
        if "watched_since" in car
    }


@pytest.mark.parametrize(
    ("version", "minor_version", "state"),
    [(1, 9, ConfigEntryState.LOADED), (2, 1, ConfigEntryState.MIGRATION_ERROR)],
)
async def test_an_entry_of_a_later_version_is_refused_and_one_of_a_later_minor_version_is_not(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    version: int,
    minor_version: int,
    state: ConfigEntryState,
) -> None:
    entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(entry, version=version, minor_version=minor_version)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert entry.state is state


@pytest.mark.parametrize(
    ("chosen", "accepted", "expected"),
    [
        (None, {}, None),
        (DOCUMENTED_EVENT_TYPES, {}, None),
        ([], {}, []),
        (DOCUMENTED_EVENT_TYPES, {"sessionStarted": True, "userDeleted": False}, None),
        (["userCreated", "mine"], {"theirs": True}, [*DEFAULT_EVENT_TYPES, "mine", "theirs"]),
    ],
)
async def test_event_types_of_an_earlier_version_join_the_default(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    entry: MockConfigEntry,
    chosen: list[str] | None,
    accepted: dict[str, bool],
    expected: list[str] | None,
) -> None:
    hass_storage[STORE["key"]] = STORE | {"data": STORE["data"] | {"guesses": accepted}}
    entry.add_to_hass(hass)
    options: dict[str, Any] = {"poll_minutes": 7, "find_event_types": True}
    if chosen is not None:
        options[CONF_EVENT_TYPES] = list(chosen)
    hass.config_entries.async_update_entry(entry, options=options)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED
    assert entry.minor_version == 2
    assert entry.options.get(CONF_EVENT_TYPES) == expected
    assert entry.options["poll_minutes"] == 7
    assert "find_event_types" not in entry.options


@pytest.mark.parametrize(("mode", "page_size"), [("default", 100), ("strict", 2)])
async def test_a_car_that_was_stored_without_a_ledger_gets_one_of_all_that_jedlix_lists(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    start_simulator: StartSimulator,
    entry: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    page_size: int,
) -> None:
    """Also where only the tenant's list is there, of which only the newest pages are read otherwise."""
    monkeypatch.setattr("custom_components.jedlix.api.transport.PAGE_SIZE", page_size)
    sim = await start_simulator(users=2, mode=mode)
    now = dt_util.utcnow()
    stored = deepcopy(STORE)
    stored["data"]["checkpoint"] = (now - timedelta(minutes=1)).isoformat()
    for user in stored["data"]["users"]:
        for car in user["vehicles"].values():
            for session in car["open_sessions"].values():
                session["started_at"] = (now - timedelta(hours=1)).isoformat()
    hass_storage[STORE["key"]] = stored
    entry.add_to_hass(hass)
    urls = {"base_url": sim.url, "token_url": f"{sim.url}/oauth/token", "audience": sim.url}
    hass.config_entries.async_update_entry(entry, data=entry.data | urls)
    recorded = record_events(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    for user in entry.runtime_data.coordinator.fleet.vehicles:
        assert await entry.runtime_data.coordinator.refresher.refresh(user[0], Source.POLL) is None
    for (user_id, vehicle_id), car in entry.runtime_data.coordinator.fleet.vehicles.items():
        own = [
            session
            for session in sim.world.sessions.by_id.values()
            if session.vehicle_id == vehicle_id
        ]
        remembered = {item.id for item in own if item.start > now - SESSIONS_REMEMBERED}
        assert len(remembered) > 1
        assert remembered <= car.ledger.sessions.keys()
        if mode == "strict":
            continue  # there are no figures
        entity_id = er.async_get(hass).async_get_entity_id(
            "sensor", DOMAIN, f"{user_id}_{vehicle_id}_energy_total"
        )
        assert (state := hass.states.get(entity_id or "")) is not None
        # The first page of the tenant's list names them all.
        energy = sum(item.energy_kwh for item in own)
        assert float(state.state) == pytest.approx(energy, abs=0.01 * len(own))
    # What was published before the upgrade is not published again.
    ended = {
        item
        for user in stored["data"]["users"]
        for car in user["vehicles"].values()
        for item in car["ended_sessions"]
    }
    assert not ended & {change["session_id"] for change in recorded.settled}


async def test_entities_keep_their_ids_and_whether_they_are_disabled(
    hass: HomeAssistant, hass_storage: dict[str, Any], entry: MockConfigEntry
) -> None:
    hass_storage[STORE["key"]] = deepcopy(STORE)
    entry.add_to_hass(hass)
    registry, devices = er.async_get(hass), dr.async_get(hass)
    stored = sample("entities")
    for item in stored:
        device = devices.async_get_or_create(
            config_entry_id=entry.entry_id,
            config_subentry_id=item["config_subentry_id"],
            identifiers={tuple(identifier) for identifier in item["device"]},
        )
        registry.async_get_or_create(
            item["domain"],
            DOMAIN,
            item["unique_id"],
            config_entry=entry,
            config_subentry_id=item["config_subentry_id"],
            device_id=device.id,
            disabled_by=item["disabled_by"] and er.RegistryEntryDisabler(item["disabled_by"]),
            suggested_object_id=item["entity_id"].partition(".")[2],
            translation_key=item["translation_key"],
        )
    await set_up(hass, entry)
    await until(hass, lambda: entry.runtime_data.push.state not in ("off", "connecting"))
    assert entry.state is ConfigEntryState.LOADED
    found = er.async_entries_for_config_entry(registry, entry.entry_id)
    as_stored = {
        item["entity_id"]: (item["domain"], item["unique_id"], item["disabled_by"])
        for item in stored
    }
    assert {
        item.entity_id: (item.domain, item.unique_id, item.disabled_by)
        for item in found
        if item.entity_id in as_stored  # later versions add entities
    } == as_stored
    used = {state.entity_id for state in hass.states.async_all()}
    assert {item["entity_id"] for item in stored if item["disabled_by"] is None} <= used
    assert ir.async_get(hass).async_get_issue(DOMAIN, f"memory_damaged_{entry.entry_id}") is None
