"""What survives a restart, on a real disk: it is written soon, once, and a damaged file stops nobody."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
import time
from typing import Any, Final
from unittest.mock import patch

from aiohttp.test_utils import TestClient
from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util
import orjson
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.jedlix.api import Session, Vehicle
from custom_components.jedlix.const import DOMAIN
from custom_components.jedlix.push.subscriptions import Held
from custom_components.jedlix.state.serialization import snapshot_as_json
from custom_components.jedlix.state.snapshot import UserSnapshot
from custom_components.jedlix.store import JedlixStore
from simulator.app import Simulator
from tests.tools import WEBHOOK_ID, WEBHOOK_KEY, make_entry, record_events, set_up, until

NOON: Final = datetime(2030, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
HELD: Final = Held("https://ha.example/api/webhook/w", "print", "s-1")


@pytest.fixture
def hass_storage() -> dict[str, Any]:
    """Write to the disk, not to a dictionary."""
    return {}


@pytest.fixture
def hass_config_dir(hass_tmp_config_dir: str) -> str:
    """Write to a disk of our own."""
    return hass_tmp_config_dir


@pytest.fixture
def folder(hass: HomeAssistant) -> Path:
    """Return where Home Assistant keeps its Stores."""
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
    """Return the names of all files of ours."""
    return sorted(path.name for path in folder.iterdir() if path.name.startswith(DOMAIN))


def put(file: Path, content: bytes) -> None:
    """Write what somebody else may have written."""
    file.write_bytes(content)


def content(file: Path) -> bytes | None:
    """Return what is on the disk."""
    return file.read_bytes() if file.exists() else None


def mode(file: Path) -> int:
    """Return who may do what with a file."""
    return file.stat().st_mode


async def after(hass: HomeAssistant, seconds: float) -> None:
    """Let so much time go by since the beginning of the test."""
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=seconds))
    await hass.async_block_till_done()


def fill(store: JedlixStore) -> None:
    """Remember a little of everything."""
    store.push.inbox.add("e-1", NOON.timestamp())
    store.push.inbox.add("e-0", NOON.timestamp() + 1)
    store.last_poll = NOON
    store.push.subscriptions["userCreated"] = HELD
    store.push.reports_changes = True
    store.push.last_delivery = NOON


# -- writing -----------------------------------------------------------------------------------------------


async def test_everything_comes_back(hass: HomeAssistant, store: JedlixStore) -> None:
    fill(store)
    await store.close()
    again = JedlixStore(hass, "e-1")
    await again.load()
    assert list(again.push.inbox.as_json()) == ["e-1", "e-0"]  # the oldest first, as before
    assert not again.push.inbox.add("e-1", NOON.timestamp() + 60)
    assert again.last_poll == NOON
    assert again.push.subscriptions == {"userCreated": HELD}
    assert again.push.reports_changes
    assert again.push.last_delivery == NOON


async def test_a_memory_of_nothing_is_empty(hass: HomeAssistant, store: JedlixStore) -> None:
    await store.load()
    await store.close()
    again = JedlixStore(hass, "e-1")
    await again.load()
    assert (len(again.push.inbox), again.last_poll, again.users, again.push.subscriptions) == (
        0,
        None,
        {},
        {},
    )
    assert not again.push.reports_changes
    assert again.push.last_delivery is None
    assert ir.async_get(hass).issues == {}


async def test_a_change_is_written_some_seconds_later_and_once(
    hass: HomeAssistant, store: JedlixStore, file: Path
) -> None:
    with patch.object(Store, "async_save", autospec=True, side_effect=Store.async_save) as writes:
        for second in range(5):  # more changes do not push it back
            store.schedule_save()
            store.schedule_save()
            await after(hass, second - 0.5)
        assert content(file) is None
        store.last_poll = NOON  # what is written is what is true then
        await after(hass, 6)
        assert writes.await_count == 1
        assert orjson.loads(content(file) or b"")["data"]["checkpoint"] == NOON.isoformat()
        await after(hass, 4000)
        assert writes.await_count == 1
        store.schedule_save()
        await after(hass, 4010)
        assert writes.await_count == 2


async def test_what_is_not_yet_written_is_written_at_a_normal_stop(
    hass: HomeAssistant, store: JedlixStore, file: Path
) -> None:
    fill(store)
    store.schedule_save()
    hass.bus.async_fire(EVENT_HOMEASSISTANT_FINAL_WRITE)
    await hass.async_block_till_done()
    assert orjson.loads(content(file) or b"")["data"]["push_announces"] is True
    await store.close()


async def test_after_the_last_write_nothing_overwrites_what_the_next_life_writes(
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
    written = content(file)
    for seconds in (10, 4000):
        await after(hass, seconds)
    assert content(file) == written


async def test_only_home_assistant_may_read_it(
    store: JedlixStore, file: Path, folder: Path
) -> None:
    await store.close()
    assert mode(file) & 0o077 == 0
    assert ours(folder) == [file.name]


# -- damage ------------------------------------------------------------------------------------------------


def stored(data: object, **more: object) -> bytes:
    """Return a file as the Store writes it."""
    return orjson.dumps(
        {"version": 1, "minor_version": 1, "key": f"{DOMAIN}.e-1", "data": data} | more
    )


USER: Final = {"user_id": "u-1"}
WRONG_SHAPES: Final[dict[str, bytes]] = {
    "a list": stored([]),
    "a string": stored("x"),
    "a number": stored(1),
    "a delivery without a time": stored({"inbox": {"e-1": None}}),
    "a delivery with a strange time": stored({"inbox": {"e-1": "noon"}}),
    "a delivery with a list of times": stored({"inbox": {"e-1": [1]}}),
    "a user that is none": stored({"users": [1]}),
    "a user without an id": stored({"users": [{"vehicles": {}}]}),
    "a car that is none": stored({"users": [USER | {"vehicles": {"v-1": 1}}]}),
    "a car without an id": stored({"users": [USER | {"vehicles": {"v-1": {"vehicle": {}}}}]}),
    "a subscription that is none": stored({"subscriptions": {"userCreated": "x"}}),
    "a subscription without a URL": stored({"subscriptions": {"userCreated": {"id": "s"}}}),
    "of a newer version": stored({}, version=2),
    "of a version that never was": stored({}, version=0),
    "of a version in words": stored({}, version="one"),
    "without a version": b'{"data": {}}',
    "without data": b'{"version": 1}',
    "a bare list": b"[]",
    "a bare null": b"null",
    "a bare string": b'"x"',
}
BROKEN: Final[dict[str, bytes]] = {
    "empty": b"",
    "cut off": stored({})[:-3],
    "NUL bytes": b"\0" * 100,
    "bad UTF-8": b'"\xff"',
}


@pytest.mark.parametrize("shape", WRONG_SHAPES)
async def test_a_file_of_a_wrong_shape_is_set_aside_with_a_repair(
    hass: HomeAssistant, store: JedlixStore, folder: Path, file: Path, shape: str
) -> None:
    put(file, WRONG_SHAPES[shape])
    await store.load()
    assert (len(store.push.inbox), store.users, store.push.subscriptions) == (0, {}, {})
    (aside,) = ours(folder)
    assert aside.startswith(f"{file.name}.damaged.")
    assert content(folder / aside) == WRONG_SHAPES[shape]
    issue = ir.async_get(hass).async_get_issue(DOMAIN, "memory_damaged_e-1")
    assert issue is not None
    assert issue.translation_key == "memory_damaged"
    # and from now on all is well
    fill(store)
    await store.close()
    again = JedlixStore(hass, "e-1")
    await again.load()
    assert again.push.subscriptions == {"userCreated": HELD}


@pytest.mark.parametrize("shape", BROKEN)
async def test_what_is_no_json_is_set_aside_by_home_assistant_with_its_own_repair(
    hass: HomeAssistant, store: JedlixStore, folder: Path, file: Path, shape: str
) -> None:
    put(file, BROKEN[shape])
    await store.load()
    (aside,) = ours(folder)
    assert aside.startswith(f"{file.name}.corrupt.")
    (issue,) = ir.async_get(hass).issues.values()
    assert (issue.domain, issue.translation_key) == ("homeassistant", "storage_corruption")
    fill(store)
    await store.close()
    assert content(file) is not None


async def test_a_damaged_part_leaves_nothing_half_read(store: JedlixStore, file: Path) -> None:
    good = {"inbox": {"e-1": 1}, "checkpoint": NOON.isoformat(), "push_announces": True}
    put(file, stored(good | {"subscriptions": {"userCreated": 1}}))
    await store.load()
    assert (len(store.push.inbox), store.last_poll, store.push.reports_changes) == (0, None, False)


@pytest.mark.parametrize(
    "lenient",
    [
        {},
        {"inbox": None, "users": None, "subscriptions": None},
        {"inbox": [], "users": {}, "subscriptions": []},
        {"checkpoint": "yesterday", "push_announces": "perhaps", "last_delivery": 5},
        {"of a later": "minor version"},
    ],
)
async def test_what_is_missing_is_empty(
    hass: HomeAssistant, store: JedlixStore, file: Path, lenient: object
) -> None:
    put(file, stored(lenient, minor_version=2))
    await store.load()
    assert (len(store.push.inbox), store.last_poll, store.users) == (0, None, {})
    assert ir.async_get(hass).issues == {}


async def test_a_disk_that_fails_is_no_end_either(
    hass: HomeAssistant, store: JedlixStore, folder: Path
) -> None:
    with patch.object(Store, "async_load", side_effect=HomeAssistantError("Error reading")):
        await store.load()
    assert ours(folder) == []
    assert ir.async_get(hass).async_get_issue(DOMAIN, "memory_damaged_e-1") is not None


@pytest.mark.parametrize(
    "content", [WRONG_SHAPES["a list"], WRONG_SHAPES["of a newer version"], b"{"]
)
async def test_set_up_succeeds_with_a_damaged_file_and_removing_leaves_nothing_of_ours(
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


# -- restarts ----------------------------------------------------------------------------------------------


async def knock(home: TestClient[Any, Any], delivery_id: str) -> None:
    async with home.post(
        f"/api/webhook/{WEBHOOK_ID}",
        json={"eventType": "userCreated", "id": delivery_id, "userId": "stranger"},
        headers={"Authorization": f"Basic {WEBHOOK_KEY}"},
    ) as answer:
        assert (answer.status, await answer.text()) == (200, "{}")


async def test_a_delivery_of_before_the_restart_is_not_told_again(
    hass: HomeAssistant, entry: MockConfigEntry, home: TestClient[Any, Any]
) -> None:
    recorded = record_events(hass)
    await knock(home, "e-1")
    await hass.async_block_till_done()
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    for delivery_id in ("e-1", "e-2"):
        await knock(home, delivery_id)
    await hass.async_block_till_done()
    assert [told["event_id"] for told in recorded.webhooks] == ["e-1", "e-2"]


async def test_a_delivery_is_on_the_disk_some_seconds_later(
    hass: HomeAssistant, entry: MockConfigEntry, home: TestClient[Any, Any], folder: Path
) -> None:
    """What comes after that, a kill may take away, but no more."""
    await after(hass, 10)
    await knock(home, "e-1")
    await hass.async_block_till_done()
    await after(hass, 20)
    written = orjson.loads(content(folder / f"{DOMAIN}.{entry.entry_id}") or b"")
    assert list(written["data"]["inbox"]) == ["e-1"]


async def test_cars_sessions_and_subscriptions_come_back_as_they_were(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator, folder: Path
) -> None:
    recorded = record_events(hass)
    sim.plug(sim.vehicle_ids[0])
    await until(hass, lambda: "charging_started" in recorded.types)
    before: JedlixStore = entry.runtime_data.store
    assert await hass.config_entries.async_unload(entry.entry_id)
    again = JedlixStore(hass, entry.entry_id)
    await again.load()
    assert again.users == {  # chargers are read anew
        user_id: replace(user, chargers=None) for user_id, user in before.users.items()
    }
    assert again.users[sim.user_ids[0]].has_open_session
    assert again.push.subscriptions == before.push.subscriptions
    assert again.last_poll == before.last_poll
    assert again.push.inbox.as_json() == before.push.inbox.as_json()
    assert again.push.reports_changes
    assert ours(folder) == [f"{DOMAIN}.{entry.entry_id}"]


async def test_removing_the_entry_leaves_nothing_on_the_disk_then_or_later(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    sim: Simulator,
    folder: Path,
    home: TestClient[Any, Any],
) -> None:
    await knock(home, "e-1")
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
    """Return so many users with a car in a session each."""
    users = {}
    for number in range(count):
        session = Session(id=f"s-{number}", vehicle_id="v", is_managed=True, started_at=NOON)
        user = UserSnapshot.unknown(f"u-{number}", NOON)
        car = Vehicle(id="v", user_id=user.user_id, brand="Renault", model="Zoe")
        users[user.user_id] = user.advance([car], [session], NOON)
    return users


async def test_writing_a_large_fleet_keeps_nobody_waiting(
    hass: HomeAssistant, store: JedlixStore
) -> None:
    """The work between two turns of everybody else, in the time of this thread alone."""
    store.users = fleet(1000)
    for number in range(50_000):
        store.push.inbox.add(f"51640a48-7ec3-45ca-8594-{number:012}", NOON.timestamp())
    longest = 0.0
    writing = asyncio.create_task(store.save())
    while not writing.done():
        began = time.thread_time()
        await asyncio.sleep(0)
        longest = max(longest, time.thread_time() - began)
    await writing
    assert longest < 0.02
    again = JedlixStore(hass, "e-1")
    await again.load()
    assert again.users == store.users
    assert len(again.push.inbox) == 50_000


async def test_only_the_users_that_changed_are_put_into_words_anew(store: JedlixStore) -> None:
    store.users = fleet(3)
    with patch("custom_components.jedlix.store.snapshot_as_json", wraps=snapshot_as_json) as words:
        await store.save()
        assert words.call_count == 3
        store.users["u-1"] = replace(store.users["u-1"], chargers={})
        del store.users["u-2"]
        await store.save()
        assert words.call_count == 4
        await store.save()
        assert words.call_count == 4
    await store.close()
