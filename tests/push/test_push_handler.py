"""Webhook handler: each sender gets the right answer, and a new delivery is processed after it."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from unittest.mock import patch

from aiohttp import StreamReader
from aiohttp.test_utils import TestClient
from homeassistant.components.webhook import async_handle_webhook
from homeassistant.core import HomeAssistant
from homeassistant.util.aiohttp import MockRequest
import pytest
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.jedlix.api import WebhookMessage
from custom_components.jedlix.push.handler import MAX_BODY_BYTES, Refusal, WebhookHandler
from custom_components.jedlix.push.inbox import Inbox
from tests.push.deliveries import (
    MESSAGE,
    ODD_BODIES,
    ODD_BYTES,
    PATH,
    RIGHT_KEY,
    Answer,
    message,
    post,
)
from tests.tools import WEBHOOK_ID, WEBHOOK_KEY

ACCEPTED = Answer(200, "{}")
type Send = Callable[[bytes, dict[str, str]], Awaitable[Answer]]


@dataclass
class Received:
    """What a handler passed on, and the clock by which it limits its log."""

    delivered: list[WebhookMessage] = field(default_factory=list)
    tests: list[WebhookMessage] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    inbox: Inbox = field(default_factory=Inbox)
    now: float = 1000.0
    is_full: bool = False
    handler: WebhookHandler = field(init=False)


@pytest.fixture
async def received(hass: HomeAssistant, home: TestClient[Any, Any]) -> AsyncIterator[Received]:
    """Return what a registered handler passes on."""
    received = Received()
    handler = WebhookHandler(
        hass,
        WEBHOOK_ID,
        WEBHOOK_KEY,
        inbox=received.inbox,
        on_delivery=received.delivered.append,
        on_test=received.tests.append,
        on_refusal=received.refused.append,
        is_ready=lambda: not received.is_full,
        clock=lambda: received.now,
    )
    received.handler = handler
    handler.register()
    yield received
    handler.unregister()


@pytest.fixture(params=["plain", "cloudhook"])
def send(
    request: pytest.FixtureRequest, home: TestClient[Any, Any], hass_ws_client: WebSocketGenerator
) -> Send:
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


async def send_through_cloud(
    hass: HomeAssistant, body: bytes, headers: dict[str, str] = RIGHT_KEY
) -> int:
    """Send a delivery as the cloud does, without a socket in between; returns the status."""
    request: Any = MockRequest(body, "cloud", method="POST", headers=headers)
    return (await async_handle_webhook(hass, WEBHOOK_ID, request)).status


async def test_the_last_deliveries_are_kept_with_what_became_of_them_and_how_late_they_came(
    hass: HomeAssistant, received: Received
) -> None:
    sent_at = (datetime.now(UTC) - timedelta(seconds=90)).isoformat()
    for data in ({"timestamp": sent_at}, {"timestamp": sent_at}, {"isTest": True}):
        await send_through_cloud(hass, message(id="late", **data))
    await send_through_cloud(hass, message(id="another"), {})
    arrivals = list(received.handler.arrivals)
    verdicts = ["accepted", "duplicate", "test", "no_key"]
    assert [item.verdict for item in arrivals] == verdicts
    assert arrivals[0].delay == pytest.approx(90, abs=20)
    assert arrivals[0].event_type is not None
    assert arrivals[3] == arrivals[3]._replace(event_type=None, delay=None)


# -- what is accepted --------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["Basic ", "basic ", "BASIC ", "Basic  "])
async def test_the_right_key_is_accepted_whatever_the_case_of_the_scheme(
    received: Received, send: Send, scheme: str
) -> None:
    assert await send(message(), {"Authorization": scheme + WEBHOOK_KEY}) == ACCEPTED
    (delivery,) = received.delivered
    assert (delivery.event_type, delivery.id, delivery.user_id) == (
        "userCreated",
        MESSAGE["id"],
        "u-1",
    )
    assert delivery.payload == MESSAGE


async def test_a_repeated_id_is_accepted_and_not_processed_again(
    received: Received, send: Send
) -> None:
    for body in (message(), message(), message(timestamp="2031-01-01T00:00:00Z")):
        assert await send(body, RIGHT_KEY) == ACCEPTED
    assert len(received.delivered) == 1
    assert received.refused == []


async def test_a_test_message_is_noted_and_is_no_delivery(received: Received, send: Send) -> None:
    for _ in range(2):  # Jedlix sends one per registration, perhaps always with the same id
        assert await send(message(isTest=True), RIGHT_KEY) == ACCEPTED
    assert len(received.tests) == 2
    assert received.delivered == []
    assert len(received.inbox) == 0


@pytest.mark.parametrize("no_id", [None, "", "  ", 1.5, [], ["x"], {}, False])
async def test_a_message_without_an_id_is_known_by_its_content(
    received: Received, send: Send, no_id: object
) -> None:
    first, second = message(id=no_id), message(id=no_id, userId="u-2")
    for body in (first, first, second):
        assert await send(body, RIGHT_KEY) == ACCEPTED
    assert [delivery.user_id for delivery in received.delivered] == ["u-1", "u-2"]


@pytest.mark.parametrize("spelling", ["Id", "ID", "eventId", "event_id", "EventID"])
async def test_an_id_in_another_spelling_is_the_id(
    received: Received, send: Send, spelling: str
) -> None:
    for at in ("2030-01-01T12:00:00Z", "2030-01-01T12:00:01Z"):  # one event, sent at two times
        body = message(**{"id": None, "timestamp": at, spelling: "e-1"})
        assert await send(body, RIGHT_KEY) == ACCEPTED
    assert [delivery.id for delivery in received.delivered] == ["e-1"]


async def test_an_id_in_another_spelling_that_is_no_text_is_no_id(
    received: Received, send: Send
) -> None:
    assert await send(message(id=None, Id={}), RIGHT_KEY) == ACCEPTED
    assert len(received.delivered) == 1


async def test_a_whole_number_is_an_id(received: Received, send: Send) -> None:
    assert await send(message(id=17), RIGHT_KEY) == ACCEPTED
    assert [delivery.id for delivery in received.delivered] == ["17"]


# -- wrong keys --------------------------------------------------------------------------------------------


NO_KEY: Final[tuple[dict[str, str], ...]] = (
    {},
    {"Authorization": ""},
    {"Authorization": "Basic"},
    {"Authorization": "Basic "},
    {"Authorization": f"Bearer {WEBHOOK_KEY}"},
    {"Authorization": f"Digest {WEBHOOK_KEY}"},
    {"Authorization": WEBHOOK_KEY},
    {"ApiKey": WEBHOOK_KEY},
)
WRONG_KEY: Final = (
    {"Authorization": "Basic wrong"},
    {"Authorization": f"Basic {WEBHOOK_KEY[:-1]}"},
    {"Authorization": f"Basic {WEBHOOK_KEY}x"},
    {"Authorization": f"Basic {WEBHOOK_KEY.upper()}"},
    {"Authorization": "Basic " + b64encode(WEBHOOK_KEY.encode()).decode()},
    {"Authorization": "Basic " + b64encode(f":{WEBHOOK_KEY}".encode()).decode()},
    {"Authorization": "Basic s\u00e9cret"},
)


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        *((headers, Refusal.NO_KEY) for headers in NO_KEY),
        *((headers, Refusal.WRONG_KEY) for headers in WRONG_KEY),
    ],
)
async def test_without_the_key_the_answer_is_401_and_empty(
    received: Received, send: Send, headers: dict[str, str], why: Refusal
) -> None:
    assert await send(message(), headers) == Answer(401, "")
    assert await send(b"\x00" * (MAX_BODY_BYTES + 1), headers) == Answer(401, "")
    assert received.refused == [why, why]
    assert received.delivered == received.tests == []
    assert len(received.inbox) == 0


@pytest.mark.parametrize("half", [0xD800, 0xDCFF, 0xDFFF])
async def test_a_key_with_half_a_character_is_a_wrong_key(
    hass: HomeAssistant, received: Received, half: int
) -> None:
    """A cloudhook's headers come out of JSON, where half a character is possible."""
    headers = {"Authorization": f"Basic {WEBHOOK_KEY}{chr(half)}"}
    assert await send_through_cloud(hass, message(), headers) == 401


# -- bodies that cannot be read ----------------------------------------------------------------------------


@pytest.mark.parametrize("odd", ODD_BODIES)
async def test_an_odd_body_is_read_or_refused_and_never_an_error_of_ours(
    received: Received, send: Send, odd: str
) -> None:
    body, status = ODD_BODIES[odd]
    assert (await send(body, RIGHT_KEY)).status == status
    assert len(received.delivered) == (status == 200)
    assert received.refused == ([] if status == 200 else [Refusal.BAD_BODY])


@pytest.mark.parametrize("odd", ODD_BYTES)
async def test_odd_bytes_are_read_or_refused(
    received: Received, home: TestClient[Any, Any], odd: str
) -> None:
    """Only a plain request can bring them: a cloudhook's body is text."""
    body, headers, status = ODD_BYTES[odd]
    assert (await post(home, body, RIGHT_KEY | headers)).status == status
    assert len(received.delivered) == (status == 200)
    assert len(received.refused) == (status != 200)


async def test_a_connection_that_breaks_within_a_message_is_no_error_of_ours(
    received: Received, home: TestClient[Any, Any], caplog: pytest.LogCaptureFixture
) -> None:
    _, writer = await asyncio.open_connection(home.host, home.port)
    lines = [f"POST {PATH} HTTP/1.1", "Host: home", f"Authorization: Basic {WEBHOOK_KEY}"]
    writer.write("\r\n".join([*lines, "Content-Length: 1000", "", "{"]).encode())
    await writer.drain()
    await asyncio.sleep(0.02)
    writer.transport.abort()
    await asyncio.sleep(0.02)
    assert received.delivered == received.refused == []
    assert "Traceback" not in caplog.text


def message_of_size(size: int) -> bytes:
    """Return a delivery of so many bytes."""
    return message(x="y" * (size - len(message(x=""))))


@pytest.mark.parametrize(("more", "status"), [(-1, 200), (0, 200), (1, 413), (1000, 413)])
async def test_64_kib_are_accepted_and_not_one_byte_more(
    received: Received, send: Send, more: int, status: int
) -> None:
    assert MAX_BODY_BYTES == 64 * 1024
    assert (await send(message_of_size(MAX_BODY_BYTES + more), RIGHT_KEY)).status == status
    assert received.refused == ([] if status == 200 else [Refusal.TOO_LARGE])


async def test_twenty_megabytes_in_chunks_are_refused_without_being_read(
    received: Received, home: TestClient[Any, Any]
) -> None:
    sizes: list[int] = []
    read = StreamReader.read

    async def recording_read(stream: StreamReader, n: int = -1) -> bytes:
        sizes.append(n)
        return await read(stream, n)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 2**20

    with patch.object(StreamReader, "read", recording_read):
        answer = await post(home, chunks(), RIGHT_KEY)
    assert answer == Answer(413, "")
    assert 0 < max(sizes) <= MAX_BODY_BYTES + 1
    assert received.refused == [Refusal.TOO_LARGE]


async def test_a_message_in_many_small_chunks_is_one_message(
    received: Received, home: TestClient[Any, Any]
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(message()), 7):
            yield message()[start : start + 7]
            await asyncio.sleep(0)

    assert await post(home, chunks(), RIGHT_KEY) == ACCEPTED
    assert len(received.delivered) == 1


async def test_a_delivery_that_is_still_arriving_when_its_handler_goes_is_refused(
    hass: HomeAssistant, received: Received, home: TestClient[Any, Any]
) -> None:
    """Its own inbox and store are closed by then; Jedlix tries again and reaches the next handler."""
    following: list[WebhookMessage] = []

    async def chunks(*, is_test: bool) -> AsyncIterator[bytes]:
        body = message(isTest=is_test)
        yield body[:7]
        await asyncio.sleep(0.02)
        received.handler.unregister()
        WebhookHandler(
            hass, WEBHOOK_ID, WEBHOOK_KEY, inbox=received.inbox, on_delivery=following.append
        ).register()
        yield body[7:]

    for is_test in (False, True):
        received.handler.register()
        assert await post(home, chunks(is_test=is_test), RIGHT_KEY) == Answer(503, "")
    assert received.delivered == received.tests == []
    assert received.refused == [Refusal.NOT_READY] * 2
    assert await post(home, message(), RIGHT_KEY) == ACCEPTED
    assert len(following) == 1


async def test_a_delivery_that_cannot_be_taken_now_is_answered_with_503(
    received: Received, home: TestClient[Any, Any]
) -> None:
    """Jedlix tries again, and its history has it. Jedlix's test messages are answered all the same."""
    received.is_full = True
    assert await post(home, message(), RIGHT_KEY) == Answer(503, "")
    assert await post(home, message(isTest=True), RIGHT_KEY) == ACCEPTED
    assert (received.delivered, received.refused) == ([], [Refusal.NOT_READY])
    received.is_full = False
    assert await post(home, message(), RIGHT_KEY) == ACCEPTED
    assert len(received.delivered) == 1


async def test_only_a_post_is_a_delivery(received: Received, home: TestClient[Any, Any]) -> None:
    for method, status in {"GET": 405, "PUT": 405, "HEAD": 200}.items():
        async with home.request(method, PATH, data=message(), headers=RIGHT_KEY) as answer:
            assert answer.status == status
    assert received.delivered == []


# -- the handler itself ------------------------------------------------------------------------------------


async def test_a_delivery_is_answered_before_it_is_processed(
    hass: HomeAssistant, received: Received
) -> None:
    assert await send_through_cloud(hass, message()) == 200
    assert received.delivered == []
    await asyncio.sleep(0)
    assert len(received.delivered) == 1


async def test_an_error_of_ours_is_a_500_with_one_trace(
    received: Received, send: Send, caplog: pytest.LogCaptureFixture
) -> None:
    with patch.object(received.inbox, "add", side_effect=RuntimeError("the inbox is broken")):
        assert await send(message(), RIGHT_KEY) == Answer(500, "")
    assert len([record for record in caplog.records if record.exc_info]) == 1
    assert "the inbox is broken" in caplog.text
    assert await send(message(), RIGHT_KEY) == ACCEPTED  # so Jedlix may send it again
    assert len(received.delivered) == 1


async def test_processing_that_fails_is_logged_and_jedlix_gets_its_answer(
    hass: HomeAssistant, home: TestClient[Any, Any]
) -> None:
    failures: list[dict[str, Any]] = []
    hass.loop.set_exception_handler(lambda _, context: failures.append(context))

    def fail(_message: WebhookMessage) -> None:
        raise RuntimeError("processing failed")

    handler = WebhookHandler(hass, WEBHOOK_ID, WEBHOOK_KEY, on_delivery=fail)
    handler.register()
    assert await post(home, message(), RIGHT_KEY) == ACCEPTED
    assert await post(home, message(id="2"), RIGHT_KEY) == ACCEPTED
    assert [str(context["exception"]) for context in failures] == ["processing failed"] * 2
    handler.unregister()


async def test_the_handler_of_a_connection_test_accepts_test_messages_and_answers_others_503(
    hass: HomeAssistant, send: Send
) -> None:
    tests: list[WebhookMessage] = []
    testing = WebhookHandler(hass, WEBHOOK_ID, WEBHOOK_KEY, on_test=tests.append)
    testing.register()
    assert (await send(message(isTest=True), RIGHT_KEY)).status == 200
    assert (await send(message(), RIGHT_KEY)).status == 503
    delivered: list[WebhookMessage] = []
    following = WebhookHandler(hass, WEBHOOK_ID, WEBHOOK_KEY, on_delivery=delivered.append)
    following.register()  # in the place of the other, which is still registered
    assert (await send(message(), RIGHT_KEY)).status == 200
    assert (await send(message(isTest=True), RIGHT_KEY)).status == 200  # nobody waits for it now
    assert len(delivered) == len(tests) == 1
    following.unregister()


async def test_once_unregistered_home_assistant_answers_by_itself(
    hass: HomeAssistant, received: Received, send: Send
) -> None:
    WebhookHandler(hass, WEBHOOK_ID, WEBHOOK_KEY).unregister()
    assert await send(message(), RIGHT_KEY) == Answer(200, "")
    assert received.delivered == []


async def test_refusals_are_logged_once_in_five_minutes(
    received: Received, home: TestClient[Any, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def lines_of_three_refusals() -> int:
        caplog.clear()
        await post(home, message(), {})
        await post(home, b"", RIGHT_KEY)
        await post(home, message_of_size(MAX_BODY_BYTES + 1), RIGHT_KEY)
        return caplog.text.count("A delivery to the Jedlix webhook was refused")

    assert await lines_of_three_refusals() == 1
    assert WEBHOOK_KEY not in caplog.text
    received.now += 299
    assert await lines_of_three_refusals() == 0
    received.now += 1
    assert await lines_of_three_refusals() == 1
    assert len(received.refused) == 9
