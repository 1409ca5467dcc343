"""A hostile caller of the webhook: odd headers, bodies without an end, guessed keys, long lines."""

import asyncio
from typing import Final

from aiohttp import web
from aiohttp.test_utils import TestClient
from homeassistant.core import HomeAssistant
import orjson
import pytest

from custom_components.jedlix.push import handler
from custom_components.jedlix.push.handler import Refusal, WebhookHandler
from tests.tools import WEBHOOK_ID

KEY: Final = "fbXq0ZP3v7Yk-2hJc9_Lr5sTnWdE8uGaMoBiK1xVyHQ"
MESSAGE: Final = b'{"eventType":"userCreated","id":"e-1"}'
LENGTH: Final = f"Content-Length: {len(MESSAGE)}"
RIGHT: Final = f"Authorization: Basic {KEY}"
WRONG: Final = "Authorization: Basic wrong"

type Home = TestClient[web.Request, web.Application]


@pytest.fixture
def refused(hass: HomeAssistant, home: Home) -> list[Refusal]:
    """Register a webhook handler and return what it refuses."""
    refused: list[Refusal] = []
    WebhookHandler(
        hass, WEBHOOK_ID, KEY, on_delivery=lambda _message: None, on_refusal=refused.append
    ).register()
    return refused


async def send(home: Home, *lines: str, body: bytes = MESSAGE) -> int:
    """Send a request with these header lines and return the status of the answer."""
    reader, writer = await asyncio.open_connection(home.host, home.port)
    head = [f"POST /api/webhook/{WEBHOOK_ID} HTTP/1.1", "Host: home", *lines, "", ""]
    writer.write("\r\n".join(head).encode("utf-8", "surrogateescape") + body)
    try:
        async with asyncio.timeout(5):
            return int((await reader.readline()).split()[1])
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ((RIGHT, LENGTH), 200),
        ((RIGHT, LENGTH, "Content-Type: application/x-no-such-thing"), 200),
        ((RIGHT, LENGTH, "Content-Type: multipart/form-data"), 200),
        ((RIGHT, LENGTH, "Content-Type: ;;;"), 200),
        ((RIGHT, LENGTH, "Content-Encoding: br"), 400),
        ((RIGHT, LENGTH, "X-Forwarded-For: nobody"), 400),  # no proxy is trusted here
        ((WRONG, LENGTH, "X-Jedlix: " + "y" * 7000), 401),
        ((f"{RIGHT}é", LENGTH), 401),
        ((f"Authorization: Basic {'ключ'}", LENGTH), 401),
        ((f"{RIGHT}\udcff", LENGTH), 401),
        ((f"Authorization: Basic {'x' * 5000}", LENGTH), 401),
        ((f"Authorization: Basic {'x' * 100_000}", LENGTH), 400),
        ((RIGHT, "Content-Length: -1"), 400),
        ((RIGHT, LENGTH, "Content-Length: 3"), 400),
        ((RIGHT, LENGTH, "Transfer-Encoding: chunked"), 400),
    ],
)
async def test_odd_headers_are_answered(
    home: Home,
    refused: list[Refusal],
    lines: tuple[str, ...],
    status: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert await send(home, *lines) == status
    assert KEY not in caplog.text


@pytest.mark.parametrize(("lines", "status"), [((RIGHT, WRONG), 200), ((WRONG, RIGHT), 401)])
async def test_the_first_of_two_keys_counts(
    home: Home, refused: list[Refusal], lines: tuple[str, str], status: int
) -> None:
    assert await send(home, *lines, LENGTH) == status


@pytest.mark.parametrize("framing", ["Transfer-Encoding: chunked", "Content-Length: 1000"])
async def test_a_body_without_an_end_is_not_waited_for(
    home: Home,
    refused: list[Refusal],
    framing: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert handler.BODY_TIMEOUT == 30
    monkeypatch.setattr(handler, "BODY_TIMEOUT", 0.1)
    body = b"1\r\n{\r\n" if framing.endswith("chunked") else b"{"
    assert await send(home, RIGHT, framing, body=body) == 408
    assert refused == [Refusal.TOO_SLOW]
    assert await send(home, RIGHT, LENGTH) == 200


async def test_a_wrong_key_is_refused_before_the_body_arrives(
    home: Home, refused: list[Refusal]
) -> None:
    assert await send(home, WRONG, "Content-Length: 1000", body=b"") == 401
    assert await send(home, WRONG, "Transfer-Encoding: chunked", body=b"") == 401
    assert refused == [Refusal.WRONG_KEY] * 2


@pytest.mark.parametrize("key", ["x", KEY[:-1], f"{KEY}x", KEY.swapcase(), "x" * 5000])
async def test_every_key_is_compared_in_constant_time(
    hass: HomeAssistant, home: Home, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    WebhookHandler(hass, WEBHOOK_ID, KEY).register()
    compared: list[tuple[bytes, bytes]] = []

    def compare(given: bytes, right: bytes) -> bool:
        compared.append((given, right))
        return False

    monkeypatch.setattr(handler, "compare_digest", compare)
    assert await send(home, f"Authorization: Basic {key}", LENGTH) == 401
    assert compared == [(key.encode(), KEY.encode())]


async def test_a_refused_message_makes_one_short_line(
    home: Home, refused: list[Refusal], caplog: pytest.LogCaptureFixture
) -> None:
    body = orjson.dumps({f"{number}\r\nERROR": number for number in range(3_000)})
    assert await send(home, RIGHT, f"Content-Length: {len(body)}", body=body) == 400
    (line,) = [it.getMessage() for it in caplog.records if "was refused" in it.getMessage()]
    assert len(line.splitlines()) == 1
    assert len(line) < 500
