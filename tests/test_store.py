"""Store, on a real disk: it is saved soon and once, and a damaged part costs only itself."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
import time
from typing import Any, Final
from unittest.mock import patch

from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util
import orjson
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.jedlix import async_setup
from custom_components.jedlix.api import ChargingLocation, Session, Vehicle
from custom_components.jedlix.api.offered import Experience
from custom_components.jedlix.const import DOMAIN
from custom_components.jedlix.push.refused_types import Reason, Refusal
from custom_components.jedlix.push.subscriptions import HeldSubscription
from custom_components.jedlix.state.serialization import snapshot_as_json
from custom_components.jedlix.state.series import ImportMark
from custom_components.jedlix.state.user_snapshot import UserSnapshot
from custom_components.jedlix.store import JedlixStore
from simulator.app import Simulator
from tests.commanding import poll
from tests.deliveries import ACCEPTED, Home, deliver
from tests.disk import hass_config_dir, hass_storage
from tests.tools import make_entry, record_events, set_up, until

__all__ = ["hass_config_dir", "hass_storage"]

NOON: Final = datetime(2030, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
HELD: Final = HeldSubscription("https://ha.example/api/webhook/w", "print", "s-1")
MARK: Final = ImportMark(NOON, 7)
REFUSED = Refusal(reason=Reason.UNKNOWN_NAME, at=NOON, count=2, version="0.1.0")
LEARNED: Final = Experience(answered_at=NOON, refusals=2, refused_since=NOON, refused_at=NOON)


@pytest.fixture
def folder(hass: HomeAssistant) -> Path:
    """Return the folder of the stores."""
    folder = Path(hass.config.path(".storage"))
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def file(folder: Path) -> Path:
    """Return the file of the store."""
    return folder / f"{DOMAIN}.e-1"


@pytest.fixture
def store(hass: HomeAssistant, file: Path) -> JedlixStore:
    """Return an empty store."""
    return JedlixStore(hass, "e-1")


def ours(folder: Path) -> list[str]:
    """Return the names of the files of this integration."""
    return sorted(path.name for path in folder.iterdir() if path.name.startswith(DOMAIN))


def write(file: Path, content: bytes) -> None:
    """Write a file, whole or damaged."""
    file.write_bytes(content)


def permissions(file: Path) -> int:
    """Return who may do what with a file."""
    return file.stat().st_mode


def saved(file: Path) -> Any:
    """Return the data in a file, None where there is no file."""
    return orjson.loads(file.read_bytes())["data"] if file.exists() else None


async def after(hass: HomeAssistant, seconds: float) -> None:
    """Let timers fire as if so many seconds had passed since the test began."""
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=seconds))
    await hass.async_block_till_done()


def fill(store: JedlixStore) -> None:
    """Put a little of everything into a store."""
    store.push.inbox.add("e-1", NOON.timestamp())
    store.push.inbox.add("e-0", NOON.timestamp() + 1)
    store.tenant_read_at = NOON
    store.refresh_requests["u"] = NOON
    store.push.subscriptions["userCreated"] = HELD
    store.push.missed_since = NOON
    store.push.refused_types["sessionStarted"] = REFUSED
    store.push.reports_changes = True
    store.reports.removed_users["u"] = (NOON, NOON)
    store.push.last_delivery = store.push.last_tests = NOON
    store.learned_calls["user_sessions"] = LEARNED
    store.imported["u_1"] = MARK
    store.credentials.note_refusal(NOON)


# -- saving ------------------------------------------------------------------------------------------------


async def test_everything_that_was_saved_is_loaded(
    hass: HomeAssistant, store: JedlixStore, file: Path
) -> None:
    fill(store)
    await store.close()
    # Files of earlier versions are read by these names.
    assert saved(file).keys() == {
        "inbox",
        "tenant_read_at",
        "missed_since",
        "users",
        "refresh_requests",
        "subscriptions",
        "refused_types",
        "reports_changes",
        "reports",
        "last_delivery",
        "last_tests",
        "learned_calls",
        "imported",
        "credentials",
    }
    again = JedlixStore(hass, "e-1")
    await again.load()
    assert list(again.push.inbox.as_json()) == ["e-1", "e-0"]  # the oldest first
    assert not again.push.inbox.add("e-1", NOON.timestamp() + 60)
    assert again.tenant_read_at == NOON
    assert again.refresh_requests == {"u": NOON}
    assert again.push.subscriptions == {"userCreated": HELD}
    assert again.push.missed_since == again.push.last_delivery == again.push.last_tests == NOON
    assert again.push.refused_types == {"sessionStarted": REFUSED}
    assert again.push.reports_changes
    assert again.reports == store.reports
    assert again.learned_calls == {"user_sessions": LEARNED}
    assert again.imported == {"u_1": MARK}
    assert (again.credentials.refused_since, again.credentials.refusals) == (NOON, 1)


async def test_an_empty_store_is_loaded_as_empty(hass: HomeAssistant, store: JedlixStore) -> None:
    await store.load()
    await store.close()
    again = JedlixStore(hass, "e-1")
    await again.load()
    assert (len(again.push.inbox), again.tenant_read_at, again.users) == (0, None, {})
    assert again.push.subscriptions == {}
    assert not again.push.reports_changes
    assert again.push.last_delivery is None
    assert ir.async_get(hass).issues == {}


async def test_a_change_is_saved_some_seconds_later_and_once(
    hass: HomeAssistant, store: JedlixStore, file: Path
) -> None:
    for second in range(5):  # more changes do not push it back
        store.schedule_save()
        store.schedule_save()
        await after(hass, second - 0.5)
    assert saved(file) is None
    store.tenant_read_at = NOON  # the state of the moment of the save is saved
    await after(hass, 6)
    assert saved(file)["tenant_read_at"] == NOON.isoformat()
    store.tenant_read_at = None
    await after(hass, 4000)
    assert saved(file)["tenant_read_at"] == NOON.isoformat()
    store.schedule_save()
    await after(hass, 4010)
    assert saved(file)["tenant_read_at"] is None


async def test_a_change_during_a_save_is_saved_some_seconds_later(
    hass: HomeAssistant, store: JedlixStore, file: Path
) -> None:
    """Home Assistant drops a save that is due when it saves at once."""
    write_now = Store.async_save

    async def change_then_write(written: Store[Any], data: Any) -> None:
        store.tenant_read_at = NOON
        store.schedule_save()
        await write_now(written, data)

    with patch.object(Store, "async_save", change_then_write):
        await store.save()
    assert saved(file)["tenant_read_at"] is None
    await after(hass, 6)
    assert saved(file)["tenant_read_at"] == NOON.isoformat()


async def test_what_is_not_saved_yet_is_saved_at_a_normal_stop(
    hass: HomeAssistant, store: JedlixStore, file: Path
) -> None:
    fill(store)
    store.schedule_save()
    hass.bus.async_fire(EVENT_HOMEASSISTANT_FINAL_WRITE)
    await hass.async_block_till_done()
    assert saved(file)["reports_changes"] is True
    await store.close()


async def test_a_closed_store_does_not_overwrite_what_the_next_set_up_saves(
    hass: HomeAssistant, store: JedlixStore, file: Path
) -> None:
    store.schedule_save()
    await store.close()
    store.push.inbox.add("e-9", NOON.timestamp())  # a delivery while the entry is being unloaded
    store.schedule_save()
    again = JedlixStore(hass, "e-1")
    await again.load()
    fill(again)
    await again.close()
    written = saved(file)
    for seconds in (10, 4000):
        await after(hass, seconds)
    assert saved(file) == written


async def test_only_home_assistant_may_read_the_file(
    store: JedlixStore, file: Path, folder: Path
) -> None:
    await store.close()
    assert ours(folder) == [file.name]
    assert permissions(file) & 0o077 == 0


# -- damage ------------------------------------------------------------------------------------------------


def file_of(data: object, **more: object) -> bytes:
    """Return a file with this data, as Home Assistant writes it."""
    return orjson.dumps(
        {"version": 1, "minor_version": 2, "key": f"{DOMAIN}.e-1", "data": data} | more
    )


WRONG_SHAPES: Final[dict[str, bytes]] = {
    "a list": file_of([]),
    "a string": file_of("x"),
    "a number": file_of(1),
    "of a newer version": file_of({}, version=2),
    "of a version that never was": file_of({}, version=0),
    "of a version in words": file_of({}, version="one"),
    "without a version": b'{"data": {}}',
    "without data": b'{"version": 1}',
    "a bare list": b"[]",
    "a bare null": b"null",
    "a bare string": b'"x"',
}
BROKEN: Final[dict[str, bytes]] = {
    "empty": b"",
    "cut off": file_of({})[:-3],
    "NUL bytes": b"\0" * 100,
    "bad UTF-8": b'"\xff"',
}


@pytest.mark.parametrize("shape", WRONG_SHAPES)
async def test_a_file_of_a_wrong_shape_is_set_aside_with_a_repair(
    hass: HomeAssistant, store: JedlixStore, folder: Path, file: Path, shape: str
) -> None:
    write(file, WRONG_SHAPES[shape])
    await store.load()
    assert (len(store.push.inbox), store.users, store.push.subscriptions) == (0, {}, {})
    (aside,) = ours(folder)
    assert aside.startswith(f"{file.name}.damaged.")
    assert (folder / aside).read_bytes() == WRONG_SHAPES[shape]
    issue = ir.async_get(hass).async_get_issue(DOMAIN, "memory_damaged_e-1")
    assert issue is not None
    assert issue.translation_key == "memory_damaged"
    fill(store)
    await store.close()
    again = JedlixStore(hass, "e-1")
    await again.load()
    assert again.push.subscriptions == {"userCreated": HELD}


@pytest.mark.parametrize("shape", BROKEN)
async def test_a_file_without_json_is_set_aside_by_home_assistant_with_its_own_repair(
    hass: HomeAssistant, store: JedlixStore, folder: Path, file: Path, shape: str
) -> None:
    write(file, BROKEN[shape])
    await store.load()
    (aside,) = ours(folder)
    assert aside.startswith(f"{file.name}.corrupt.")
    (issue,) = ir.async_get(hass).issues.values()
    assert (issue.domain, issue.translation_key) == ("homeassistant", "storage_corruption")
    fill(store)
    await store.close()
    assert saved(file) is not None


GOOD_USER: Final = snapshot_as_json(UserSnapshot.unknown("u-1", NOON))
# By name: the part of the file, and what is wrong in it beside what is right.
DAMAGED_PARTS: Final[dict[str, tuple[str, Any]]] = {
    "a delivery without a time": ("inbox", {"e-1": 1, "e-2": None}),
    "a delivery with a strange time": ("inbox", {"e-1": 1, "e-2": "noon"}),
    "a delivery with a list of times": ("inbox", {"e-1": 1, "e-2": [1]}),
    "a user that is none": ("users", [GOOD_USER, 1]),
    "a user without an id": ("users", [{"vehicles": {}}, GOOD_USER]),
    "a car that is none": ("users", [{"user_id": "u-2", "vehicles": {"v-1": 1}}, GOOD_USER]),
    "a car without a time": (
        "users",
        [{"user_id": "u-2", "vehicles": {"v-1": {"vehicle": {"id": "v-1"}}}}, GOOD_USER],
    ),
    "a subscription that is none": (
        "subscriptions",
        {"userCreated": HELD.as_json(), "other": "x"},
    ),
    "a subscription without a URL": (
        "subscriptions",
        {"other": {"id": "s"}, "userCreated": HELD.as_json()},
    ),
    "a learned call that is none": (
        "learned_calls",
        {"user_sessions": LEARNED.as_json(), "user_locations": 1},
    ),
}


@pytest.mark.parametrize("damage", DAMAGED_PARTS)
async def test_a_damaged_part_costs_only_itself(
    hass: HomeAssistant,
    store: JedlixStore,
    file: Path,
    folder: Path,
    caplog: pytest.LogCaptureFixture,
    damage: str,
) -> None:
    good = {
        "inbox": {"e-1": 1},
        "users": [GOOD_USER],
        "subscriptions": {"userCreated": HELD.as_json()},
        "learned_calls": {"user_sessions": LEARNED.as_json()},
        "tenant_read_at": NOON.isoformat(),
        "reports_changes": True,
    }
    part, damaged = DAMAGED_PARTS[damage]
    write(file, file_of(good | {part: damaged}))
    await store.load()
    assert list(store.push.inbox.as_json()) == ["e-1"]
    assert store.users == {"u-1": UserSnapshot.unknown("u-1", NOON)}
    assert store.push.subscriptions == {"userCreated": HELD}
    assert store.learned_calls == {"user_sessions": LEARNED}
    assert (store.tenant_read_at, store.push.reports_changes) == (NOON, True)
    warnings = [
        item.getMessage() for item in caplog.records if item.name.startswith("custom_components")
    ]
    assert len(warnings) == 1
    assert "A part of the file of Jedlix cannot be read" in warnings[0]
    assert ours(folder) == [file.name]  # nothing is set aside
    assert ir.async_get(hass).issues == {}


async def test_refused_credentials_of_a_damaged_shape_count_as_none(
    store: JedlixStore, file: Path
) -> None:
    shapes: list[object] = [1, [], {"refused_since": 5, "refusals": "many"}]
    for odd in shapes:
        write(file, file_of({"credentials": odd}))
        await store.load()
        assert (store.credentials.refused_since, store.credentials.refusals) == (None, 0)


async def test_a_user_of_an_earlier_version_is_known_until_the_last_poll(
    store: JedlixStore, file: Path
) -> None:
    earlier = {"user_id": "u-1", "vehicles": {}}
    write(
        file,
        file_of(
            {"tenant_read_at": NOON.isoformat(), "users": [earlier, GOOD_USER | {"user_id": "u-2"}]}
        ),
    )
    await store.load()
    assert store.users["u-1"].refreshed_at == NOON
    assert store.users["u-2"].refreshed_at is None  # nobody has read this user yet


@pytest.mark.parametrize(
    "lenient",
    [
        {},
        {"inbox": None, "users": None, "subscriptions": None},
        {"inbox": [], "users": {}, "subscriptions": []},
        {"tenant_read_at": "yesterday", "reports_changes": "perhaps", "last_delivery": 5},
        {"of a later": "minor version"},
    ],
)
async def test_a_missing_or_odd_field_is_empty(
    hass: HomeAssistant, store: JedlixStore, file: Path, lenient: object
) -> None:
    write(file, file_of(lenient, minor_version=3))
    await store.load()
    assert (len(store.push.inbox), store.tenant_read_at, store.users) == (0, None, {})
    assert ir.async_get(hass).issues == {}


async def test_a_file_that_cannot_be_read_gets_a_repair(
    hass: HomeAssistant, store: JedlixStore, folder: Path
) -> None:
    with patch.object(Store, "async_load", side_effect=HomeAssistantError("Error reading")):
        await store.load()
    assert ours(folder) == []
    assert ir.async_get(hass).async_get_issue(DOMAIN, "memory_damaged_e-1") is not None


@pytest.mark.parametrize(
    "content", [WRONG_SHAPES["a list"], WRONG_SHAPES["of a newer version"], b"{"]
)
async def test_set_up_succeeds_with_a_damaged_file_and_removing_deletes_it(
    hass: HomeAssistant,
    folder: Path,
    sim: Simulator,
    callback_url: str,
    content: bytes,
) -> None:
    entry = make_entry(sim, callback_url)
    (folder / f"{DOMAIN}.{entry.entry_id}").write_bytes(content)
    await set_up(hass, entry)
    await until(hass, lambda: entry.runtime_data.push.state == "waiting")
    assert any(issue.translation_key for issue in ir.async_get(hass).issues.values())
    await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()
    assert [name for name in ours(folder) if ".corrupt." not in name] == []
    assert [domain for domain, _ in ir.async_get(hass).issues if domain == DOMAIN] == []
    assert sim.webhooks.subscriptions == {}


async def test_files_of_entries_that_are_gone_are_deleted_at_the_start(
    hass: HomeAssistant, folder: Path, entry: MockConfigEntry, store: JedlixStore, sim: Simulator
) -> None:
    """Also those that were set aside; files of others, and of our other entries, stay.

    The folder of the integration was deleted before the entry, so nobody unsubscribed. That is done now.
    """
    cloudhook = "https://cloud.example/hook-of-e-1"
    left = sim.webhooks.create("userCreated", cloudhook, "key", is_active=True)
    others = sim.webhooks.create("userCreated", f"{cloudhook}0", "key", is_active=True)
    store.push.subscriptions["userCreated"] = replace(HELD, url=cloudhook)
    await store.save()
    await entry.runtime_data.store.save()
    kept = [f"{DOMAIN}.{entry.entry_id}", f"{DOMAIN}.{entry.entry_id}.damaged.1", f"{DOMAIN}x.e-1"]
    gone = [f"{DOMAIN}.e-1", f"{DOMAIN}.e-2.damaged.1", f"{DOMAIN}.e-3.corrupt.2030"]
    for name in (*kept[1:], *gone[1:]):
        write(folder / name, b"{" if "corrupt" in name else b"{}")
    with patch("custom_components.jedlix.register_module"):  # once per start
        assert await async_setup(hass, {})
    assert ours(folder) == sorted(kept)
    assert left.id in sim.webhooks.subscriptions
    entry.runtime_data.push.resubscribe()
    await until(hass, lambda: left.id not in sim.webhooks.subscriptions)
    assert others.id in sim.webhooks.subscriptions


# -- restarts ----------------------------------------------------------------------------------------------


async def test_a_delivery_of_before_a_restart_is_not_published_again(
    hass: HomeAssistant, entry: MockConfigEntry, home: Home
) -> None:
    recorded = record_events(hass)
    assert await deliver(home, id="e-1") == ACCEPTED
    await hass.async_block_till_done()
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    for delivery_id in ("e-1", "e-2"):
        assert await deliver(home, id=delivery_id) == ACCEPTED
    await hass.async_block_till_done()
    assert [item["event_id"] for item in recorded.webhooks] == ["e-1", "e-2"]


async def test_a_delivery_is_saved_some_seconds_later(
    hass: HomeAssistant, entry: MockConfigEntry, home: Home, folder: Path
) -> None:
    """A kill of Home Assistant loses no more than that."""
    await after(hass, 10)
    assert await deliver(home, id="e-1") == ACCEPTED
    await hass.async_block_till_done()
    await after(hass, 20)
    assert list(saved(folder / f"{DOMAIN}.{entry.entry_id}")["inbox"]) == ["e-1"]


async def test_nothing_is_published_that_the_last_save_of_a_stop_lacks(
    hass: HomeAssistant, entry: MockConfigEntry, home: Home, sim: Simulator
) -> None:
    """A refresh that is under way ends after it, and a delivery too; the next start finds both."""
    recorded = record_events(hass)
    hass.bus.async_fire(EVENT_HOMEASSISTANT_FINAL_WRITE)
    sim.plug(sim.vehicle_ids[0])
    await entry.runtime_data.coordinator.async_refresh()
    assert await deliver(home, id="e-1") == (HTTPStatus.SERVICE_UNAVAILABLE, "")
    await hass.async_block_till_done()
    assert not [*recorded.changes, *recorded.webhooks]
    await hass.config_entries.async_reload(entry.entry_id)
    await until(hass, lambda: "plugged_in" in recorded.types)
    assert recorded.types.count("plugged_in") == 1


async def test_until_when_the_tenant_is_known_is_saved_after_a_poll_without_news(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator, folder: Path
) -> None:
    """After a kill, the time before the last poll is no gap."""
    await after(hass, 10)
    file = folder / f"{DOMAIN}.{entry.entry_id}"
    before = saved(file)["tenant_read_at"]
    await poll(hass, entry)
    known = entry.runtime_data.store.tenant_read_at.isoformat()
    assert known > before
    await after(hass, 20)
    assert saved(file)["tenant_read_at"] == known


async def test_a_subscription_written_again_and_a_refusal_are_saved(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator, folder: Path
) -> None:
    """After a kill, ours is known at Jedlix, and what counts against the credentials."""
    await after(hass, 10)
    file = folder / f"{DOMAIN}.{entry.entry_id}"
    before = saved(file)["subscriptions"]
    assert await entry.runtime_data.push.try_callback(entry.data) is None
    await after(hass, 20)
    assert saved(file)["subscriptions"] != before
    sim.strike({"kind": "unauthorized"})
    for refusals in (1, 2):
        await poll(hass, entry)
        await after(hass, 20 + 10 * refusals)
        assert saved(file)["credentials"]["refusals"] == refusals


async def test_cars_sessions_and_subscriptions_survive_a_restart(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator, folder: Path
) -> None:
    recorded = record_events(hass)
    sim.plug(sim.vehicle_ids[0])
    await until(hass, lambda: "charging_started" in recorded.types)
    before: JedlixStore = entry.runtime_data.store
    assert await hass.config_entries.async_unload(entry.entry_id)
    again = JedlixStore(hass, entry.entry_id)
    await again.load()
    assert again.users == {  # addresses are read again
        user_id: replace(
            user,
            locations={
                key: ChargingLocation(
                    id=key, user_id=user_id, city=item.city, tariff_details=item.tariff_details
                )
                for key, item in (user.locations or {}).items()
            },
        )
        for user_id, user in before.users.items()
    }
    assert again.users[sim.user_ids[0]].priced_locations
    assert again.users[sim.user_ids[0]].chargers
    assert again.users[sim.user_ids[0]].has_open_session
    assert again.push.subscriptions == before.push.subscriptions
    assert again.tenant_read_at == before.tenant_read_at
    assert again.push.inbox.as_json() == before.push.inbox.as_json()
    assert again.push.reports_changes
    assert ours(folder) == [f"{DOMAIN}.{entry.entry_id}"]


async def test_removing_the_entry_leaves_no_file_then_or_later(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    sim: Simulator,
    folder: Path,
    home: Home,
) -> None:
    assert await deliver(home, id="e-1") == ACCEPTED
    await after(hass, 6)
    assert ours(folder) != []
    await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()
    await after(hass, 4000)
    await asyncio.sleep(0.02)
    assert ours(folder) == []
    assert sim.webhooks.subscriptions == {}


# -- a large fleet -----------------------------------------------------------------------------------------


def fleet(count: int) -> dict[str, UserSnapshot]:
    """Return users with a car in a session each."""
    users = {}
    for number in range(count):
        session = Session(id=f"s-{number}", vehicle_id="v", is_managed=True, started_at=NOON)
        user = UserSnapshot.unknown(f"u-{number}", NOON)
        car = Vehicle(id="v", user_id=user.user_id, brand="Renault", model="Zoe")
        users[user.user_id] = user.advance([car], [session], NOON)
    return users


async def test_saving_a_large_fleet_does_not_block_the_event_loop(
    hass: HomeAssistant, store: JedlixStore
) -> None:
    """Measured between two turns of other tasks, in the time of this thread alone."""
    store.users = fleet(1000)
    for number in range(50_000):
        store.push.inbox.add(f"51640a48-7ec3-45ca-8594-{number:012}", NOON.timestamp())
    longest = 0.0
    saving = asyncio.create_task(store.save())
    while not saving.done():
        began = time.thread_time()
        await asyncio.sleep(0)
        longest = max(longest, time.thread_time() - began)
    await saving
    assert longest < 0.02
    again = JedlixStore(hass, "e-1")
    await again.load()
    assert again.users == store.users
    assert len(again.push.inbox) == 50_000


async def test_only_users_that_changed_are_serialized_again(store: JedlixStore) -> None:
    store.users = fleet(3)
    with patch("custom_components.jedlix.store.snapshot_as_json", wraps=snapshot_as_json) as calls:
        await store.save()
        assert calls.call_count == 3
        store.users["u-1"] = replace(store.users["u-1"], chargers={})
        del store.users["u-2"]
        await store.save()
        assert calls.call_count == 4
        await store.save()
        assert calls.call_count == 4
    await store.close()
