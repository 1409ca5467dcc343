"""The store: what cannot be read costs only itself."""

import asyncio
from datetime import timedelta
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient
import orjson
import pytest

from tests.slips.conftest import Begin
from tests.slips.stories import tries
from tests.tools import WEBHOOK_ID, WEBHOOK_KEY

DAMAGES = {
    "one user is a text": lambda data: data["users"].__setitem__(0, "a text"),
    "one user has no id": lambda data: data["users"].__setitem__(0, {}),
    "one delivery has no time": lambda data: data["inbox"].__setitem__("an id", "no time"),
    "one subscription is empty": lambda data: data["subscriptions"].__setitem__("userCreated", {}),
}


@tries(13)
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
async def test_a_part_of_the_store_that_cannot_be_read_costs_only_itself(
    begin: Begin, hass_storage: dict[str, Any], damage: Any
) -> None:
    house = await begin(users=2, absent=("webhook_history",))
    other = house.cars[1]
    await house.hass.config_entries.async_unload(house.entry.entry_id)
    damage(hass_storage[f"jedlix.{house.entry.entry_id}"]["data"])
    house.plug(other)
    house.clock.go_on(timedelta(minutes=10))
    house.unplug(other)
    house.clock.go_on(timedelta(minutes=10))
    await house.hass.config_entries.async_setup(house.entry.entry_id)
    await house.poll()
    assert len(house.published("session_started", "session_ended")) == 2
    await house.ends_well()


@tries(3, 13)
async def test_a_stored_moment_in_the_future_is_not_believed(
    begin: Begin, hass_storage: dict[str, Any]
) -> None:
    house = await begin(absent=("webhook_history",))
    await house.hass.config_entries.async_unload(house.entry.entry_id)
    stored = hass_storage[f"jedlix.{house.entry.entry_id}"]["data"]
    future = (house.clock.now() + timedelta(days=400)).isoformat()
    damaged = _with_moments(stored, future)
    hass_storage[f"jedlix.{house.entry.entry_id}"]["data"] = damaged
    house.plug()
    house.clock.go_on(timedelta(minutes=10))
    await house.hass.config_entries.async_setup(house.entry.entry_id)
    await house.poll()
    assert len(house.published("session_started")) == 1
    await house.ends_well()


def _with_moments(stored: Any, moment: str) -> Any:
    """Return what is stored with each moment that bounds a reading set to another one."""
    if isinstance(stored, dict):
        return {
            key: moment
            if key in {"tenant_read_at", "watched_since", "missed_since"} and value
            else _with_moments(value, moment)
            for key, value in stored.items()
        }
    if isinstance(stored, list):
        return [_with_moments(item, moment) for item in stored]
    return stored


@tries(1, 13)
async def test_a_restart_in_the_middle_of_a_session(begin: Begin) -> None:
    house = await begin(users=2)
    await house.in_session()
    await house.reload()
    await house.hass.config_entries.async_unload(house.entry.entry_id)
    house.unplug()
    house.plug()
    house.clock.go_on(timedelta(hours=4))
    await house.hass.config_entries.async_setup(house.entry.entry_id)
    await house.poll()
    assert len(house.published("session_started", "session_ended")) == 3
    await house.ends_well()


@tries(11, 13)
async def test_a_clean_stop_under_load_repeats_nothing(begin: Begin) -> None:
    house = await begin(push=True, users=3, retries=(0.05,) * 40)
    for _ in range(2):
        for car in house.cars:
            house.plug(car)
        await asyncio.sleep(0.02)
        await house.reload()
        house.clock.go_on(timedelta(minutes=2))
        for car in house.cars:
            house.unplug(car)
        await asyncio.sleep(0.02)
        await house.reload()
        house.clock.go_on(timedelta(minutes=2))
    await house.ends_well()
    seen = [event["event_id"] for event in house.recorded.webhooks]
    assert len(seen) == len(set(seen))


@tries(13)
async def test_ids_are_stored_short(
    begin: Begin, home: TestClient[web.Request, web.Application], hass_storage: dict[str, Any]
) -> None:
    house = await begin(push=True)
    await house.hass.config_entries.async_reload(house.entry.entry_id)
    stored = f"jedlix.{house.entry.entry_id}"
    before = len(orjson.dumps(hass_storage[stored]))
    message = {"eventType": "any", "id": "x" * 20_000, "userId": house.car.user_id}
    for _ in range(2):
        answer = await home.post(
            f"/api/webhook/{WEBHOOK_ID}",
            json=message,
            headers={"Authorization": f"Basic {WEBHOOK_KEY}"},
        )
        assert answer.status == 200
    await house.reload()
    assert len(orjson.dumps(hass_storage[stored])) < before + 1000
    assert len(house.recorded.webhooks) == 1
    await house.ends_well()
