"""The door: whoever knocks gets the right answer, and what is new is handled after it was answered."""

import asyncio
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
import gzip
import logging
import time
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

from aiohttp import StreamReader
from aiohttp.test_utils import TestClient
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.util import dt as dt_util
from homeassistant.util.aiohttp import MockRequest
import orjson
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.jedlix.api import WebhookMessage
from custom_components.jedlix import webhook as link
from custom_components.jedlix.push import handler
from custom_components.jedlix.push.handler import MAX_BODY_BYTES, Refusal, WebhookHandler
from custom_components.jedlix.push.inbox import Inbox
from simulator.app import Simulator
from tests.tools import WEBHOOK_ID, WEBHOOK_KEY, record_events, state_of, until

PATH = f"/api/webhook/{WEBHOOK_ID}"
RIGHT = {"Authorization": f"Basic {WEBHOOK_KEY}", "Content-Type": "application/json"}
MESSAGE = {
    "eventType": "userCreated",
    "id": "11111111-2222-3333-4444-555555555555",
    "tenant": "t",
    "timestamp": "2030-01-01T12:00:00.000Z",
    "userId": "u-1",
    "isTest": False,
}
"""The documented sample's envelope."""


@dataclass
class Answer:
    """What a caller sees."""

    status: int
    body: str


type Knock = Callable[[bytes, dict[str, str]], Awaitable[Answer]]


@dataclass
class Room:
    """What came in through a door."""

    delivered: list[WebhookMessage] = field(default_factory=list)
    tests: list[WebhookMessage] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    inbox: Inbox = field(default_factory=Inbox)


@pytest.fixture
async def room(hass: HomeAssistant, home: TestClient[Any, Any]) -> AsyncIterator[Room]:
    """Return a room whose door is open."""
    room = Room()
    door = WebhookHandler(
        hass,
        WEBHOOK_ID,
        WEBHOOK_KEY,
        inbox=room.inbox,
        on_delivery=room.delivered.append,
        on_test=room.tests.append,
        on_refusal=room.refused.append,
    )
    door.register()
    yield room
    door.unregister()


async def post(home: TestClient[Any, Any], body: Any, headers: dict[str, str]) -> Answer:
    """Knock as Jedlix does."""
    async with home.post(PATH, data=body, headers=headers) as answer:
        return Answer(answer.status, await answer.text())


@pytest.fixture(params=["plain", "cloudhook"])
def knock(
    request: pytest.FixtureRequest, home: TestClient[Any, Any], hass_ws_client: WebSocketGenerator
) -> Knock:
    """Return both ways in which a delivery arrives: a plain request, and one through a cloudhook."""

    async def over_http(body: bytes, headers: dict[str, str]) -> Answer:
        return await post(home, body, headers)

    async def as_cloudhook(body: bytes, headers: dict[str, str]) -> Answer:
        client = await hass_ws_client()
        await client.send_json_auto_id(
            {
                "type": "webhook/handle",
                "webhook_id": WEBHOOK_ID,
                "method": "POST",
                "body": body.decode(),
                "headers": headers,
            }
        )
        result = (await client.receive_json())["result"]
        return Answer(result["status"], result["body"] or "")

    return over_http if request.param == "plain" else as_cloudhook


def message(**changes: object) -> bytes:
    """Return the body of a delivery; None takes a field away."""
    fields = MESSAGE | changes
    return orjson.dumps({key: value for key, value in fields.items() if value is not None})


# -- what gets in ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "authorization",
    [
        f"Basic {WEBHOOK_KEY}",
        f"basic {WEBHOOK_KEY}",
        f"BASIC {WEBHOOK_KEY}",
        f"Basic  {WEBHOOK_KEY}",
    ],
)
async def test_the_right_key_gets_in_whatever_the_case_of_the_scheme(
    room: Room, knock: Knock, authorization: str
) -> None:
    answer = await knock(message(), {"Authorization": authorization})
    assert answer == Answer(200, "{}")
    (told,) = room.delivered
    assert (told.event_type, told.id, told.user_id) == ("userCreated", MESSAGE["id"], "u-1")
    assert told.payload == MESSAGE


async def test_the_same_id_again_is_thanked_for_and_nothing_else(room: Room, knock: Knock) -> None:
    for sent in (message(), message(), message(timestamp="2031-01-01T00:00:00Z")):
        assert await knock(sent, RIGHT) == Answer(200, "{}")
    assert len(room.delivered) == 1
    assert room.refused == []


async def test_a_test_message_is_seen_and_rings_for_nobody(room: Room, knock: Knock) -> None:
    for _ in range(2):  # Jedlix sends one per registration, perhaps always with the same id
        assert await knock(message(isTest=True), RIGHT) == Answer(200, "{}")
    assert len(room.tests) == 2
    assert room.delivered == []
    assert len(room.inbox) == 0


@pytest.mark.parametrize("nameless", [None, "", "  ", 1.5, [], ["x"], {}, False])
async def test_a_message_without_an_id_is_known_by_its_content(
    room: Room, knock: Knock, nameless: object
) -> None:
    first, second = message(id=nameless), message(id=nameless, userId="u-2")
    for sent in (first, first, second):
        assert await knock(sent, RIGHT) == Answer(200, "{}")
    assert [told.user_id for told in room.delivered] == ["u-1", "u-2"]


@pytest.mark.parametrize("spelling", ["Id", "ID", "eventId", "event_id", "EventID"])
async def test_an_id_in_another_spelling_is_the_id(room: Room, knock: Knock, spelling: str) -> None:
    for at in ("2030-01-01T12:00:00Z", "2030-01-01T12:00:01Z"):  # one event, sent at two times
        sent = message(id=None, timestamp=at)[:-1] + f',"{spelling}":"e-1"}}'.encode()
        assert await knock(sent, RIGHT) == Answer(200, "{}")
    assert [told.id for told in room.delivered] == ["e-1"]


async def test_an_id_that_is_spelled_otherwise_and_cannot_be_read_is_no_id(
    room: Room, knock: Knock
) -> None:
    assert await knock(message(id=None)[:-1] + b',"Id":{}}', RIGHT) == Answer(200, "{}")
    assert len(room.delivered) == 1


async def test_a_whole_number_is_an_id_too(room: Room, knock: Knock) -> None:
    assert await knock(message(id=17), RIGHT) == Answer(200, "{}")
    assert [told.id for told in room.delivered] == ["17"]


# -- who does not get in -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Basic"},
        {"Authorization": "Basic "},
        {"Authorization": "Basic wrong"},
        {"Authorization": f"Basic {WEBHOOK_KEY[:-1]}"},
        {"Authorization": f"Basic {WEBHOOK_KEY}x"},
        {"Authorization": f"Basic {WEBHOOK_KEY.upper()}"},
        {"Authorization": f"Bearer {WEBHOOK_KEY}"},
        {"Authorization": WEBHOOK_KEY},
        {"Authorization": "Basic " + b64encode(WEBHOOK_KEY.encode()).decode()},
        {"Authorization": "Basic " + b64encode(f":{WEBHOOK_KEY}".encode()).decode()},
        {"Authorization": "Basic s\u00e9cret"},
        {"ApiKey": WEBHOOK_KEY},
    ],
)
async def test_without_the_key_the_answer_is_401_and_empty(
    room: Room, knock: Knock, headers: dict[str, str]
) -> None:
    assert await knock(message(), headers) == Answer(401, "")
    assert await knock(b"\x00" * (MAX_BODY_BYTES + 1), headers) == Answer(401, "")
    assert room.refused == [Refusal.WRONG_KEY, Refusal.WRONG_KEY]
    assert room.delivered == room.tests == []
    assert len(room.inbox) == 0


@pytest.mark.parametrize("half", [0xD800, 0xDCFF, 0xDFFF])
async def test_a_key_that_is_no_text_is_a_wrong_key(hass: HomeAssistant, half: int) -> None:
    """A cloudhook's headers come out of JSON, where half a character is possible."""
    headers = {"Authorization": f"Basic {WEBHOOK_KEY}{chr(half)}"}
    answer = await WebhookHandler(hass, WEBHOOK_ID, WEBHOOK_KEY)._handle(
        hass, WEBHOOK_ID, mock_request(message(), headers)
    )
    assert answer.status == 401


# -- what is not understood --------------------------------------------------------------------------------

ODD: Final[dict[str, tuple[bytes, int]]] = {
    "empty": (b"", 400),
    "no JSON": (b"hello", 400),
    "a form": (b"eventType=userCreated&id=1", 400),
    "cut off": (message()[:-1], 400),
    "two objects": (message() * 2, 400),
    "an array": (b"[" + message() + b"]", 400),
    "a string": (b'"userCreated"', 400),
    "a number": (b"1", 400),
    "null": (b"null", 400),
    "an empty object": (b"{}", 400),
    "no event type": (message(eventType=None), 400),
    "an empty event type": (message(eventType=" "), 400),
    "an event type that is an object": (message(eventType={}), 400),
    "NaN": (message()[:-1] + b',"x":NaN}', 400),
    "an infinite number": (message()[:-1] + b',"x":1e999}', 400),
    "half a character": (message()[:-1] + b',"x":"\\ud800"}', 400),
    "nested too deep": (message()[:-1] + b',"x":' + b"[" * 5000 + b"]" * 5000 + b"}", 400),
    "nested deeper than can be passed on": (
        message()[:-1] + b',"x":' + b"[" * 250 + b"]" * 250 + b"}",
        400,
    ),
    "nested deep": (message()[:-1] + b',"x":' + b"[" * 240 + b"]" * 240 + b"}", 200),
    "a huge number": (message()[:-1] + b',"x":1234567890123456789012345678901234567890}', 200),
    "a null byte": (message()[:-1] + b',"x":"\\u0000"}', 200),
    "fields of the wrong kind": (message(userId=[1], timestamp={"a": 1}, isTest="perhaps"), 200),
    "one field twice": (message()[:-1] + b',"userId":"u-2"}', 200),
    "blanks around it": (b"\r\n " + message() + b"\n", 200),
}
NOT_EVEN_TEXT: Final[dict[str, tuple[bytes, dict[str, str], int]]] = {
    "bad UTF-8": (message()[:-1] + b',"x":"\xff"}', {}, 400),
    "UTF-8 of half a character": (message()[:-1] + b',"x":"\xed\xa0\x80"}', {}, 400),
    "UTF-16": (message().decode().encode("utf-16"), {}, 400),
    "UTF-8 with a byte order mark": (b"\xef\xbb\xbf" + message(), {}, 400),
    "bytes": (bytes(range(256)), {}, 400),
    "gzip that says so": (gzip.compress(message()), {"Content-Encoding": "gzip"}, 200),
    "gzip that does not say so": (gzip.compress(message()), {}, 400),
    "says gzip and is none": (message(), {"Content-Encoding": "gzip"}, 400),
    "says a charset that nobody knows": (message(), {"Content-Type": "text/x; charset=no"}, 200),
    "a bomb": (gzip.compress(b" " * 10_000_000), {"Content-Encoding": "gzip"}, 413),
}


@pytest.mark.parametrize("odd", ODD)
async def test_what_cannot_be_read_is_refused_and_is_never_our_fault(
    room: Room, knock: Knock, odd: str
) -> None:
    body, status = ODD[odd]
    assert (await knock(body, RIGHT)).status == status
    assert len(room.delivered) == (status == 200)
    assert room.refused == ([] if status == 200 else [Refusal.BAD_BODY])


@pytest.mark.parametrize("odd", NOT_EVEN_TEXT)
async def test_bytes_that_only_a_plain_request_can_bring(
    room: Room, home: TestClient[Any, Any], odd: str
) -> None:
    body, headers, status = NOT_EVEN_TEXT[odd]
    assert (await post(home, body, RIGHT | headers)).status == status
    assert len(room.delivered) == (status == 200)
    assert len(room.refused) == (status != 200)


async def test_a_line_that_breaks_in_the_middle_of_a_message_is_not_our_fault(
    room: Room, home: TestClient[Any, Any], caplog: pytest.LogCaptureFixture
) -> None:
    _, writer = await asyncio.open_connection(home.host, home.port)
    lines = [f"POST {PATH} HTTP/1.1", "Host: home", f"Authorization: Basic {WEBHOOK_KEY}"]
    writer.write("\r\n".join([*lines, "Content-Length: 1000", "", "{"]).encode())
    await writer.drain()
    await asyncio.sleep(0.02)
    writer.transport.abort()
    await asyncio.sleep(0.02)
    assert room.delivered == room.refused == []
    assert "Traceback" not in caplog.text


# -- what is too large -------------------------------------------------------------------------------------


def of_size(size: int) -> bytes:
    """Return a delivery of so many bytes."""
    empty = len(message(x=""))
    return message(x="y" * (size - empty))


@pytest.mark.parametrize(("more", "status"), [(-1, 200), (0, 200), (1, 413), (1000, 413)])
async def test_64_kib_pass_and_not_one_byte_more(
    room: Room, knock: Knock, more: int, status: int
) -> None:
    body = of_size(MAX_BODY_BYTES + more)
    assert len(body) == 64 * 1024 + more
    assert (await knock(body, RIGHT)).status == status
    assert room.refused == ([] if status == 200 else [Refusal.TOO_LARGE])


async def test_twenty_megabytes_in_chunks_are_refused_without_being_read(
    room: Room, home: TestClient[Any, Any]
) -> None:
    asked: list[int] = []
    read = StreamReader.read

    async def watched(stream: StreamReader, n: int = -1) -> bytes:
        asked.append(n)
        return await read(stream, n)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 2**20

    with patch.object(StreamReader, "read", watched):
        answer = await post(home, chunks(), RIGHT)
    assert answer == Answer(413, "")
    assert 0 < max(asked) <= MAX_BODY_BYTES + 1
    assert room.refused == [Refusal.TOO_LARGE]


async def test_a_message_in_many_small_chunks_is_one_message(
    room: Room, home: TestClient[Any, Any]
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(message()), 7):
            yield message()[start : start + 7]
            await asyncio.sleep(0)

    assert await post(home, chunks(), RIGHT) == Answer(200, "{}")
    assert len(room.delivered) == 1


async def test_only_post_is_a_delivery(room: Room, home: TestClient[Any, Any]) -> None:
    for method, status in {"GET": 405, "PUT": 405, "HEAD": 200}.items():
        async with home.request(method, PATH, data=message(), headers=RIGHT) as answer:
            assert answer.status == status
    assert room.delivered == []


# -- the door itself ---------------------------------------------------------------------------------------


def mock_request(body: bytes, headers: dict[str, str]) -> Any:
    """Return a request as a cloudhook brings it."""
    return MockRequest(body, "cloud", method="POST", headers=headers)


async def test_the_answer_is_given_before_any_work_is_done(hass: HomeAssistant) -> None:
    worked: list[WebhookMessage] = []
    door = WebhookHandler(hass, WEBHOOK_ID, WEBHOOK_KEY, on_delivery=worked.append)
    answer = await door._handle(hass, WEBHOOK_ID, mock_request(message(), RIGHT))
    assert answer.status == 200
    assert worked == []
    await asyncio.sleep(0)
    assert len(worked) == 1


async def test_our_own_fault_is_a_500_with_one_trace(
    room: Room, knock: Knock, caplog: pytest.LogCaptureFixture
) -> None:
    with patch.object(room.inbox, "add", side_effect=RuntimeError("the inbox is broken")):
        answer = await knock(message(), RIGHT)
    assert answer == Answer(500, "")
    traces = [record for record in caplog.records if record.exc_info]
    assert len(traces) == 1
    assert "the inbox is broken" in caplog.text
    assert await knock(message(), RIGHT) == Answer(200, "{}")  # so Jedlix may send it again
    assert len(room.delivered) == 1


async def test_work_that_fails_is_logged_and_costs_jedlix_nothing(
    hass: HomeAssistant, home: TestClient[Any, Any]
) -> None:
    failures: list[dict[str, Any]] = []
    hass.loop.set_exception_handler(lambda _, context: failures.append(context))

    def deliver(_message: WebhookMessage) -> None:
        raise RuntimeError("nobody at home")

    door = WebhookHandler(hass, WEBHOOK_ID, WEBHOOK_KEY, on_delivery=deliver)
    door.register()
    assert await post(home, message(), RIGHT) == Answer(200, "{}")
    assert await post(home, message(id="2"), RIGHT) == Answer(200, "{}")
    assert [str(context["exception"]) for context in failures] == ["nobody at home"] * 2
    door.unregister()


async def test_a_door_on_trial_takes_test_messages_and_asks_others_to_come_back(
    hass: HomeAssistant, knock: Knock
) -> None:
    tests: list[WebhookMessage] = []
    trial = WebhookHandler(hass, WEBHOOK_ID, WEBHOOK_KEY, on_test=tests.append)
    trial.register()
    assert (await knock(message(isTest=True), RIGHT)).status == 200
    assert (await knock(message(), RIGHT)).status == 503
    delivered: list[WebhookMessage] = []
    WebhookHandler(
        hass, WEBHOOK_ID, WEBHOOK_KEY, on_delivery=delivered.append
    ).register()  # without shutting the other
    assert (await knock(message(), RIGHT)).status == 200
    assert (await knock(message(isTest=True), RIGHT)).status == 200  # nobody waits for it now
    assert len(delivered) == len(tests) == 1
    trial.unregister()


async def test_a_shut_door_is_not_there(room: Room, hass: HomeAssistant, knock: Knock) -> None:
    WebhookHandler(hass, WEBHOOK_ID, WEBHOOK_KEY).unregister()
    assert await knock(message(), RIGHT) == Answer(200, "")  # how Home Assistant answers for no one
    assert room.delivered == []


async def test_refusals_are_logged_once_in_five_minutes(
    room: Room,
    home: TestClient[Any, Any],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    hass: HomeAssistant,
) -> None:
    clock = SimpleNamespace(now=1000.0)
    WebhookHandler(hass, WEBHOOK_ID, WEBHOOK_KEY, clock=lambda: clock.now, on_refusal=room.refused.append).register()

    async def knock_badly() -> int:
        """Return how often the log tells of three refusals of different kinds."""
        caplog.clear()
        await post(home, message(), {})
        await post(home, b"", RIGHT)
        await post(home, of_size(MAX_BODY_BYTES + 1), RIGHT)
        return caplog.text.count("A delivery to the Jedlix webhook was refused")

    assert await knock_badly() == 1
    assert WEBHOOK_KEY not in caplog.text
    clock.now += 299
    assert await knock_badly() == 0
    clock.now += 1
    assert await knock_badly() == 1
    assert len(room.refused) == 9


# -- with an entry behind the door -------------------------------------------------------------------------


@pytest.fixture
def looks(sim: Simulator) -> Callable[[], int]:
    """Return how to count the looks at the cars of the simulator's user from now on."""
    before = len(sim.requests)

    def count() -> int:
        return sum(
            request.path.startswith(f"/api/v1/users/{sim.user_ids[0]}/vehicles")
            for request in list(sim.requests)[before:]
        )

    return count


async def test_a_type_that_nobody_heard_of_is_passed_on_raw_and_rings(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    sim: Simulator,
    knock: Knock,
    looks: Callable[[], int],
) -> None:
    recorded, user_id = record_events(hass), sim.user_ids[0]
    before = looks()
    body = message(eventType="carDreamtOfSheep", userId=user_id, sheep=[7, {"black": True}])
    assert await knock(body, RIGHT) == Answer(200, "{}")
    await until(hass, lambda: looks() > before)
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


async def test_a_delivery_for_a_stranger_is_passed_on_and_looks_at_nobody(
    hass: HomeAssistant, entry: MockConfigEntry, knock: Knock, looks: Callable[[], int]
) -> None:
    recorded = record_events(hass)
    before = looks()
    assert await knock(message(userId="stranger"), RIGHT) == Answer(200, "{}")
    await asyncio.sleep(0.05)
    assert [(told["user_id"], told["followed"]) for told in recorded.webhooks] == [
        ("stranger", False)
    ]
    assert looks() == before


async def test_a_delivery_for_nobody_looks_at_the_household(
    hass: HomeAssistant, entry: MockConfigEntry, knock: Knock, looks: Callable[[], int]
) -> None:
    recorded = record_events(hass)
    before = looks()
    assert await knock(message(userId=None, timestamp="yesterday"), RIGHT) == Answer(200, "{}")
    await until(hass, lambda: looks() > before)
    (told,) = recorded.webhooks
    assert (told["user_id"], told["followed"], told["occurred_at"]) == (None, False, None)


async def test_a_test_message_and_a_duplicate_are_heard_by_nobody(
    hass: HomeAssistant, entry: MockConfigEntry, knock: Knock, looks: Callable[[], int]
) -> None:
    recorded = record_events(hass)
    before = looks()
    for sent in (message(isTest=True), message(userId="stranger"), message(userId="stranger")):
        assert await knock(sent, RIGHT) == Answer(200, "{}")
    await hass.async_block_till_done()
    assert len(recorded.webhooks) == 1
    assert looks() == before


async def test_the_answer_waits_neither_for_jedlix_nor_for_the_disk(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator, knock: Knock
) -> None:
    sim.faults.api_slow_seconds = 1.0
    answered = sim.requests_answered
    with patch(
        "homeassistant.helpers.storage.Store.async_save", side_effect=AssertionError("a write")
    ):
        answer = await knock(message(userId=sim.user_ids[0]), RIGHT)
    assert answer == Answer(200, "{}")
    assert sim.requests_answered == answered


async def test_wrong_keys_that_keep_coming_show_and_the_right_one_ends_it(
    hass: HomeAssistant, entry: MockConfigEntry, home: TestClient[Any, Any]
) -> None:
    states = []
    for _ in range(3):
        await post(home, message(), {"Authorization": "Basic wrong"})
        states.append(state_of(hass, "_push_state"))
    assert states == ["waiting", "waiting", "failing"]
    await post(home, message(), RIGHT)
    await hass.async_block_till_done()
    assert state_of(hass, "_push_state") == "healthy"
    await post(home, b"no JSON", RIGHT)
    assert state_of(hass, "_push_state") == "healthy"
    assert entry.runtime_data.push.health.rejected == 4


async def test_odd_bodies_with_the_right_key_leave_no_error_in_the_log(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    home: TestClient[Any, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Also behind the door: on the bus, in the states, in the store."""
    for body, status in ODD.values():
        assert (await post(home, body, RIGHT)).status == status
    for body, headers, status in NOT_EVEN_TEXT.values():
        alone = RIGHT | {"Connection": "close"}  # what is no gzip leaves no line to go on with
        assert (await post(home, body, alone | headers)).status == status
    await hass.async_block_till_done()
    await entry.runtime_data.store.save()
    errors = [it for it in caplog.records if it.levelno > logging.WARNING]
    # aiohttp itself complains of what says gzip and is none, whoever reads it
    assert [it.getMessage() for it in errors if it.name != "aiohttp.server"] == []
    assert caplog.text.count("A delivery to the Jedlix webhook was refused") == 1


async def test_a_flood_with_wrong_keys_keeps_no_real_delivery_out(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    home: TestClient[Any, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    recorded = record_events(hass)

    async def knock(number: int) -> int:
        is_real = number % 20 == 0
        headers = RIGHT if is_real else {"Authorization": f"Basic wrong-{number}"}
        return (await post(home, message(id=f"e-{number}"), headers)).status

    statuses = await asyncio.gather(*(knock(number) for number in range(1000)))
    await until(hass, lambda: len(recorded.webhooks) == 50)
    assert statuses[::20] == [200] * 50
    assert sum(status == 401 for status in statuses) == 950
    assert {it["event_id"] for it in recorded.webhooks} == {f"e-{n}" for n in range(0, 1000, 20)}
    health = entry.runtime_data.push.health
    assert (health.received, health.rejected) == (50, 950)
    assert caplog.text.count("A delivery to the Jedlix webhook was refused") == 1
    assert WEBHOOK_KEY not in caplog.text


# -- what a delivery costs ---------------------------------------------------------------------------------


def written(hass: HomeAssistant, *ends: str) -> Counter[str]:
    """Count the states that are written from now on, also those that stay what they were."""
    count: Counter[str] = Counter()

    @callback
    def note(event: Event[Any]) -> None:
        entity_id: str = event.data["entity_id"]
        count.update(end for end in ends if entity_id.endswith(end))

    for event_type in ("state_changed", "state_reported"):
        hass.bus.async_listen(event_type, note, event_filter=callback(lambda _data: True))
    return count


async def test_events_are_written_at_once_and_counters_once_for_many(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    home: TestClient[Any, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await post(home, message(id="first"), RIGHT)
    await until(hass, lambda: state_of(hass, "_push_state") == "healthy")
    monkeypatch.setattr(link, "COUNTERS_DELAY", 60)
    later = dt_util.utcnow() + timedelta(minutes=2)
    count = written(hass, ".jedlix_webhook", "_received", "_rejected", "_push_state", "_push")
    for number in range(10):
        await post(home, message(id=f"e-{number}"), RIGHT)
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


async def test_counters_that_are_due_do_not_outlive_the_entry(
    hass: HomeAssistant, entry: MockConfigEntry, home: TestClient[Any, Any]
) -> None:
    await post(home, message(id="first"), RIGHT)
    await post(home, message(id="second"), RIGHT)
    await hass.async_block_till_done()
    push = entry.runtime_data.push
    assert push._cancel_counters is not None
    assert await hass.config_entries.async_unload(entry.entry_id)
    heard: list[bool] = []
    push.listen(lambda: heard.append(True))
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=5))
    await hass.async_block_till_done()
    assert heard == []
