"""Deliveries to an entry: published raw, followed by a refresh, counted, and cheap."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
import logging
from typing import Any
from unittest.mock import patch

from aiohttp.test_utils import TestClient
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.util import dt as dt_util
import orjson
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.jedlix import webhook
from custom_components.jedlix.publisher import MAX_PAYLOAD_BYTES
from simulator.app import Simulator
from tests.push.deliveries import (
    MESSAGE,
    ODD_BODIES,
    ODD_BYTES,
    RIGHT_KEY,
    Answer,
    message,
    post,
)
from tests.tools import WEBHOOK_KEY, Clock, record_events, state_of, until

ACCEPTED = Answer(200, "{}")
MAX_EVENT_DATA_BYTES = 32_768
"""What the recorder keeps of an event."""


@pytest.fixture
def refreshes(sim: Simulator, entry: MockConfigEntry) -> Callable[[], int]:
    """Return a function that counts the refreshes of the simulator's user from now on."""
    before = len(sim.requests)
    return lambda: sum(
        request.path.startswith(f"/api/v1/users/{sim.user_ids[0]}/vehicles")
        for request in list(sim.requests)[before:]
    )


# -- what is published and refreshed -----------------------------------------------------------------------


async def test_a_delivery_of_an_unknown_type_is_published_raw_and_refreshes_its_user(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    sim: Simulator,
    home: TestClient[Any, Any],
    refreshes: Callable[[], int],
) -> None:
    recorded, user_id = record_events(hass), sim.user_ids[0]
    body = message(eventType="carDreamtOfSheep", userId=user_id, sheep=[7, {"black": True}])
    assert await post(home, body, RIGHT_KEY) == ACCEPTED
    await until(hass, refreshes)
    assert recorded.webhooks == [
        {
            "entry_id": entry.entry_id,
            "event_type": "carDreamtOfSheep",
            "event_id": MESSAGE["id"],
            "user_id": user_id,
            "followed": True,
            "occurred_at": "2030-01-01T12:00:00+00:00",
            "source": "webhook",
            "late": False,
            "payload": orjson.loads(body),
        }
    ]
    assert state_of(hass, "_push_state") == "healthy"
    assert state_of(hass, "_webhooks_received") == "1"


@pytest.mark.parametrize("size", [MAX_PAYLOAD_BYTES, MAX_PAYLOAD_BYTES + 1, 60_000])
async def test_a_delivery_that_the_recorder_would_not_keep_is_published_cut_and_marked(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    sim: Simulator,
    home: TestClient[Any, Any],
    refreshes: Callable[[], int],
    size: int,
) -> None:
    recorded, user_id = record_events(hass), sim.user_ids[0]
    more = {"note": "short", "list": [1] * 1000, "k" * 100: 1, **{f"key{n}": n for n in range(100)}}
    body = message(userId=user_id, long="", **more)
    body = message(userId=user_id, long="x" * (size - len(body)), **more)
    payload = orjson.loads(body)
    assert len(orjson.dumps(payload)) == size
    assert await post(home, body, RIGHT_KEY) == ACCEPTED
    await until(hass, refreshes)
    (event,) = recorded.webhooks
    assert len(orjson.dumps(event)) <= MAX_EVENT_DATA_BYTES
    assert (event["user_id"], event["event_id"]) == (user_id, MESSAGE["id"])
    if size <= MAX_PAYLOAD_BYTES:
        assert event["payload"] == payload
    else:
        assert event["payload"].pop("truncated") is True
        assert event["payload"].items() <= payload.items()
        assert event["payload"].keys() >= {*MESSAGE, "note"}
        assert event["payload"].keys().isdisjoint({"long", "list", "k" * 100})


async def test_a_delivery_of_very_many_short_fields_is_cut_as_well(
    hass: HomeAssistant, entry: MockConfigEntry, home: TestClient[Any, Any]
) -> None:
    recorded = record_events(hass)
    body = message(**{f"key{number}": "x" * 10 for number in range(2500)})
    assert await post(home, body, RIGHT_KEY) == ACCEPTED
    await hass.async_block_till_done()
    (event,) = recorded.webhooks
    assert len(orjson.dumps(event)) <= MAX_EVENT_DATA_BYTES
    assert event["payload"]["truncated"] is True
    assert event["payload"].keys() >= {*MESSAGE, "key0"}


async def test_a_delivery_for_an_unknown_user_is_published_once_and_refreshes_nobody(
    hass: HomeAssistant, home: TestClient[Any, Any], refreshes: Callable[[], int]
) -> None:
    """A test message is not published at all, nor is the same delivery again."""
    recorded = record_events(hass)
    for body in (message(isTest=True), message(userId="stranger"), message(userId="stranger")):
        assert await post(home, body, RIGHT_KEY) == ACCEPTED
    await asyncio.sleep(0.05)
    await hass.async_block_till_done()
    (event,) = recorded.webhooks
    assert (event["user_id"], event["followed"]) == ("stranger", False)
    assert refreshes() == 0


async def test_a_delivery_without_a_user_refreshes_the_household(
    hass: HomeAssistant, home: TestClient[Any, Any], refreshes: Callable[[], int]
) -> None:
    recorded = record_events(hass)
    body = message(userId=None, timestamp="yesterday")
    assert await post(home, body, RIGHT_KEY) == ACCEPTED
    await until(hass, refreshes)
    (event,) = recorded.webhooks
    assert (event["user_id"], event["followed"], event["occurred_at"]) == (None, False, None)


async def test_the_answer_waits_neither_for_jedlix_nor_for_the_disk(
    entry: MockConfigEntry, sim: Simulator, home: TestClient[Any, Any]
) -> None:
    sim.faults.api_slow_seconds = 1.0
    answered = sim.requests_answered
    save = "homeassistant.helpers.storage.Store.async_save"
    with patch(save, side_effect=AssertionError("a write")):
        assert await post(home, message(userId=sim.user_ids[0]), RIGHT_KEY) == ACCEPTED
    assert sim.requests_answered == answered


async def test_a_delivery_reports_a_change_of_the_user_or_of_the_car_that_it_names(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    sim: Simulator,
    clock: Clock,
    home: TestClient[Any, Any],
) -> None:
    health, (user_id,), car_id = entry.runtime_data.push.health, sim.user_ids, sim.vehicle_ids[0]
    for names, missed in (
        ({"userId": user_id}, 0),
        ({"userId": None, "vehicleId": car_id}, 0),
        ({"userId": "stranger"}, 1),
    ):
        health.note_change_found_by_poll(user_id, clock.now())
        assert await post(home, message(id=f"{names}", **names), RIGHT_KEY) == ACCEPTED
        await hass.async_block_till_done()
        clock.go_on(timedelta(minutes=20))
        health.review(clock.now())
        assert health.missed_by_push == missed


# -- refusals ----------------------------------------------------------------------------------------------


async def test_odd_bodies_with_the_right_key_leave_no_error_in_the_log(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    home: TestClient[Any, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither on the bus, nor in the states, nor in the store."""
    odd: list[tuple[bytes, dict[str, str], int]]
    odd = [*((body, {}, status) for body, status in ODD_BODIES.values()), *ODD_BYTES.values()]
    for body, headers, status in odd:
        alone = RIGHT_KEY | {"Connection": "close"}  # a body that is no gzip ends its connection
        assert (await post(home, body, alone | headers)).status == status
    await hass.async_block_till_done()
    assert state_of(hass, "_push_state") == "healthy"
    refused = sum(status != 200 for *_, status in odd)
    assert entry.runtime_data.push.health.rejected == refused
    await entry.runtime_data.store.save()
    errors = [it for it in caplog.records if it.levelno > logging.WARNING]
    # aiohttp itself logs a body that says gzip and is none
    assert [it.getMessage() for it in errors if it.name != "aiohttp.server"] == []
    assert caplog.text.count("A delivery to the Jedlix webhook was refused") == 1


async def test_a_flood_with_wrong_keys_keeps_no_real_delivery_out(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    home: TestClient[Any, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    recorded = record_events(hass)

    async def send(number: int) -> int:
        is_real = number % 20 == 0
        headers = RIGHT_KEY if is_real else {"Authorization": f"Basic wrong-{number}"}
        return (await post(home, message(id=f"e-{number}"), headers)).status

    statuses = await asyncio.gather(*map(send, range(1000)))
    await until(hass, lambda: len(recorded.webhooks) == 50)
    assert statuses[::20] == [200] * 50
    assert statuses.count(401) == 950
    assert {it["event_id"] for it in recorded.webhooks} == {f"e-{n}" for n in range(0, 1000, 20)}
    health = entry.runtime_data.push.health
    assert (health.received, health.rejected) == (50, 950)
    assert caplog.text.count("A delivery to the Jedlix webhook was refused") == 1
    assert WEBHOOK_KEY not in caplog.text


# -- what a delivery writes --------------------------------------------------------------------------------


def count_writes(hass: HomeAssistant, *ends: str) -> Counter[str]:
    """Count the states that are written from now on, also those that stay what they were."""
    count: Counter[str] = Counter()

    @callback
    def note(event: Event[Any]) -> None:
        entity_id: str = event.data["entity_id"]
        count.update(end for end in ends if entity_id.endswith(end))

    for event_type in ("state_changed", "state_reported"):
        hass.bus.async_listen(event_type, note, event_filter=callback(lambda _data: True))
    return count


@pytest.mark.usefixtures("all_enabled")
async def test_the_event_is_written_at_once_and_the_counters_once_for_many_deliveries(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    home: TestClient[Any, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await post(home, message(id="first"), RIGHT_KEY)
    await until(hass, lambda: state_of(hass, "_push_state") == "healthy")
    monkeypatch.setattr(webhook, "COUNTERS_DELAY", 60)
    later = dt_util.utcnow() + timedelta(minutes=2)
    count = count_writes(hass, ".jedlix_webhook", "_received", "_rejected", "_push_state", "_push")
    for number in range(10):
        await post(home, message(id=f"e-{number}"), RIGHT_KEY)
        await hass.async_block_till_done()
        assert count[".jedlix_webhook"] == number + 1
    assert state_of(hass, "_webhooks_received") == "1"
    async_fire_time_changed(hass, later)
    assert state_of(hass, "_webhooks_received") == "11"
    assert count == {".jedlix_webhook": 10, "_received": 1}
    await post(home, message(), {})
    async_fire_time_changed(hass, later)
    assert state_of(hass, "_webhooks_rejected") == "1"
    assert count == {".jedlix_webhook": 10, "_received": 1, "_rejected": 1}


async def test_counters_that_are_due_are_not_written_after_the_entry_is_unloaded(
    hass: HomeAssistant, entry: MockConfigEntry, home: TestClient[Any, Any]
) -> None:
    await post(home, message(id="first"), RIGHT_KEY)
    await post(home, message(id="second"), RIGHT_KEY)
    await hass.async_block_till_done()
    push = entry.runtime_data.push
    assert push.health.received == 2
    assert state_of(hass, "_webhooks_received") == "1"
    assert await hass.config_entries.async_unload(entry.entry_id)
    calls: list[bool] = []
    push.listen(lambda: calls.append(True))
    push.health.review(dt_util.utcnow())  # by a poll that was under way
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=5))
    await hass.async_block_till_done()
    assert calls == []
