"""What somebody hostile could try: at Jedlix's end, between us, and at the door."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
import gzip
import logging
import traceback
import tracemalloc
from typing import Any, Final

import aiohttp
from aiohttp.test_utils import TestClient
from homeassistant.core import HomeAssistant
from homeassistant.util.aiohttp import MockRequest
import orjson
import pytest

from custom_components.jedlix.api import (
    BadAnswer,
    ConnectionFailed,
    JedlixClient,
    JedlixError,
    http as http_module,
)
from custom_components.jedlix.push import handler
from custom_components.jedlix.push.callback_url import is_private_host, is_valid_url
from custom_components.jedlix.push.handler import Refusal, WebhookHandler
from tests.api.stand_in import Cloud, Reply, make_auth, make_client
from tests.tools import WEBHOOK_ID

KEY: Final = "fbXq0ZP3v7Yk-2hJc9_Lr5sTnWdE8uGaMoBiK1xVyHQ"
HOOK: Final = f"https://house.example/api/webhook/{'3f9a0c7be1d24586' * 4}"
SECRET: Final = "the-client-secret-of-the-day"
API_KEY: Final = "the-api-key-of-the-tenant"
TOKEN: Final = f"eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6IjEifQ.e30.{'c2lnbmVkLWJ5LXRo' * 20}"
NOON: Final = datetime(2026, 1, 31, 12, tzinfo=UTC)
MESSAGE: Final = b'{"eventType":"userCreated","id":"e-1"}'

type Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
async def http(socket_enabled: None) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def cloud(socket_enabled: None) -> AsyncIterator[Cloud]:
    cloud = await Cloud().start()
    yield cloud
    await cloud.stop()


@pytest.fixture
def client(http: aiohttp.ClientSession, cloud: Cloud) -> JedlixClient:
    return make_client(http, cloud.url)


@asynccontextmanager
async def host(serve: Serve) -> AsyncIterator[str]:
    """Listen as somebody who does not care for HTTP; gives the address."""
    ends: list[asyncio.Task[None]] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        ends.append(task)
        try:
            await reader.readuntil(b"\r\n\r\n")
            await serve(reader, writer)
        except ConnectionError, asyncio.CancelledError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        for task in ends:
            task.cancel()
        server.close()


# -- answers that never end --------------------------------------------------------------------------------


@pytest.mark.parametrize("at", ["token", "api"])
async def test_an_answer_without_end_is_left(
    http: aiohttp.ClientSession, cloud: Cloud, at: str
) -> None:
    sent = 0

    async def flood(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n[")
        while True:
            writer.write(b" " * 65_536)
            await writer.drain()
            sent += 65_536

    async with host(flood) as url:
        token_url, base_url = (url, cloud.url) if at == "token" else (cloud.url, url)
        client = make_client(http, base_url, auth=make_auth(http, token_url))
        with pytest.raises(BadAnswer, match="larger than 8 MiB"):
            await client.vehicles("anna")
    assert 8 * 2**20 <= sent < 24 * 2**20  # the rest was on its way


async def test_an_answer_that_unpacks_into_gigabytes_takes_no_memory(
    client: JedlixClient, cloud: Cloud
) -> None:
    await client.vehicles("anna")
    bomb = gzip.compress(b" " * 200_000_000)
    cloud.say(Reply(200, bomb, {"Content-Encoding": "gzip"}))
    tracemalloc.start()
    try:
        with pytest.raises(BadAnswer, match="larger than 8 MiB"):
            await client.vehicles("anna")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 40 * 2**20


async def test_eight_mebibytes_are_an_answer(client: JedlixClient, cloud: Cloud) -> None:
    cloud.say(Reply(200, b"[]" + b" " * (8 * 2**20 - 2)))
    assert await client.vehicles("anna") == ()


async def test_an_answer_in_drops_is_not_waited_for(
    http: aiohttp.ClientSession, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert http_module.TIMEOUT.total == 15
    monkeypatch.setattr(http_module, "TIMEOUT", aiohttp.ClientTimeout(total=0.3))

    async def drip(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with host(drip) as url, asyncio.timeout(5):
        client = make_client(http, url, auth=make_auth(http, cloud.url), back_off=())
        with pytest.raises(ConnectionFailed, match="no answer within 15 seconds"):
            await client.vehicles("anna")


# -- JSON that hurts ---------------------------------------------------------------------------------------


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize("depth", [250, 500, 1_024, 100_000])
@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.vehicles("anna"),
        lambda client: client.charge_settings("anna", "car"),
        lambda client: anext(client.session_pages()),
        lambda client: anext(client.webhook_history_pages(NOON, NOON)),
    ],
    ids=["vehicles", "settings", "sessions", "history"],
)
async def test_what_is_nested_too_deep_to_be_passed_on_is_no_answer(
    client: JedlixClient, cloud: Cloud, depth: int, call: Callable[[JedlixClient], Awaitable[Any]]
) -> None:
    """Or a setting that was read could not be written back, and a message would break the bus."""
    item = b'{"id":"1","eventType":"userCreated","x":' + nested(depth) + b"}"
    for body in (item, b"[" + item + b"]", nested(depth)):
        cloud.say(Reply(200, body))
        with pytest.raises(BadAnswer):
            await call(client)


@pytest.mark.parametrize("depth", [250, 100_000])
async def test_what_was_done_is_done_however_deep_the_words_on_it(
    client: JedlixClient, cloud: Cloud, depth: int
) -> None:
    cloud.say(Reply(200, nested(depth)))
    assert (await client.subscribe("userCreated", HOOK, KEY)).id is None


@pytest.mark.parametrize(
    "value",
    [
        b"9" * 5_000,
        b"-" + b"9" * 400,
        b"1e400",
        b"1" + b"0" * 100_000 + b".5",
        b"0." + b"1" * 9_999,
    ],
)
async def test_a_huge_number_is_no_reading_and_no_crash(
    client: JedlixClient, cloud: Cloud, value: bytes
) -> None:
    state = b'{"batteryLevel":' + value + b',"range":' + value + b',"lastUpdated":' + value + b"}"
    cloud.say(Reply(200, b'[{"id":"car","chargeState":' + state + b"}]"))
    try:
        (car,) = await client.vehicles("anna")
    except BadAnswer:
        return
    assert car.charge_state.battery_level in (None, 0)


async def test_a_hundred_thousand_keys_make_no_long_line(
    client: JedlixClient, cloud: Cloud
) -> None:
    cloud.say(Reply(200, {f"{number:x}" * 50: number for number in range(10_000)}))
    with pytest.raises(BadAnswer) as raised:
        await client.vehicles("anna")
    assert len(str(raised.value)) < 500


# -- what an error tells -----------------------------------------------------------------------------------


def all_of(err: BaseException) -> str:
    """Return everything that a log could show of an error and of what led to it."""
    words = "".join(traceback.format_exception(err))
    cause: BaseException | None = err
    while cause is not None:
        if not isinstance(cause, aiohttp.ClientResponseError):  # which shows all headers, to nobody
            words += repr(cause)
        cause = cause.__cause__ or cause.__context__
    return words


REFUSALS: Final[dict[str, Reply]] = {
    "quotes the key": Reply(400, {"detail": f"The apiKey '{KEY}' is too long."}),
    "quotes the address": Reply(400, {"detail": f"{HOOK}?a=1 did not answer."}),
    "quotes the token": Reply(401, {"title": f"Bearer {TOKEN} has expired."}),
    "quotes all in one word": Reply(422, {"message": f"{HOOK}|{KEY}|{TOKEN}"}),
    "sends elsewhere": Reply(302, b"", {"Location": HOOK}),
    "has no words": Reply(409),
    "is busy": Reply(429, {"detail": KEY}, {"Retry-After": "60"}),
    "breaks": Reply(500, {"error": KEY, "detail": f"{HOOK} {KEY}"}),
    "says what nobody can read": Reply(200, b"\xff" + KEY.encode()),
}


@pytest.mark.parametrize("reply", REFUSALS.values(), ids=REFUSALS)
async def test_an_error_quotes_no_secret(
    http: aiohttp.ClientSession, cloud: Cloud, reply: Reply, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = Reply(200, {"access_token": TOKEN, "expires_in": 3600})
    cloud.say_at_login(token, token)
    cloud.otherwise = reply
    auth = make_auth(http, cloud.url, secret=SECRET)
    client = make_client(http, cloud.url, auth=auth, api_key=API_KEY, back_off=())
    told = ""
    for call in (
        client.subscribe("userCreated", HOOK, KEY),
        client.update_subscription("1", "userCreated", HOOK, KEY),
        client.vehicles("anna"),
    ):
        try:
            await call
        except JedlixError as err:
            told += all_of(err)
    assert "HTTP" in told or "not JSON" in told
    for secret in (KEY, HOOK.rpartition("/")[2], TOKEN.rpartition(".")[2], SECRET, API_KEY):
        assert secret not in told + caplog.text


@pytest.mark.parametrize("trouble", ["nobody", "line", "header", "url", "token", "drops"])
async def test_a_failure_on_the_way_quotes_no_secret(
    http: aiohttp.ClientSession,
    cloud: Cloud,
    trouble: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n[" if trouble == "line" else b""
        )
        await writer.drain()

    auth = make_auth(http, cloud.url, secret=SECRET)
    api_key = API_KEY + ("\n" if trouble == "header" else "")
    async with host(hang_up) as url:
        base = {"nobody": "http://127.0.0.1:9", "line": url, "drops": url, "url": "http://a:99999"}
        if trouble == "token":
            cloud.say_at_login(Reply(401, {"error": f"client_secret {SECRET * 2} is wrong"}))
        client = make_client(
            http, base.get(trouble, cloud.url), auth=auth, api_key=api_key, back_off=()
        )
        with pytest.raises(JedlixError) as raised:
            await client.subscribe("userCreated", HOOK, KEY)
    for secret in (KEY, HOOK, SECRET, API_KEY, "token-1"):
        assert secret not in all_of(raised.value) + caplog.text


@pytest.mark.parametrize(
    "words",
    [
        "The type vehicleConnectionReadyToContinue is not offered",
        "There is no user 0b7c1f0e-5a3d-4c62-9b0e-2f6d8a1c4e57",
        "The endpoint https://house.example could not be reached",
    ],
)
async def test_words_that_are_no_secret_stay(
    client: JedlixClient, cloud: Cloud, words: str
) -> None:
    cloud.say(Reply(400, {"detail": words}))
    with pytest.raises(JedlixError) as raised:
        await client.vehicles("anna")
    assert str(raised.value) == f"{words} (HTTP 400)"


async def test_an_error_is_one_line_whatever_jedlix_writes(
    client: JedlixClient, cloud: Cloud
) -> None:
    cloud.say(Reply(400, {"detail": "No.\r\n2026-01-01 ERROR (MainThread) [root] All is lost"}))
    with pytest.raises(JedlixError) as raised:
        await client.vehicles("anna")
    assert str(raised.value).splitlines() == [str(raised.value)]


# -- addresses ---------------------------------------------------------------------------------------------


async def test_a_secret_does_not_follow_a_redirect(
    http: aiohttp.ClientSession, cloud: Cloud
) -> None:
    other = await Cloud().start()
    try:
        for status in (301, 302, 303, 307, 308):
            cloud.say_at_login(Reply(status, b"", {"Location": f"{other.url}/oauth/token"}))
            with pytest.raises(BadAnswer, match="redirects elsewhere"):
                await make_auth(http, cloud.url, secret=SECRET).token()
        assert other.logins == other.calls == []
    finally:
        await other.stop()


@pytest.mark.parametrize(
    ("url", "is_valid"),
    [
        ("https://jedlix.example/path", True),
        ("https://me:word@jedlix.example", False),
        ("https://me@jedlix.example", False),
        ("https://jedlix.example/@path", True),
        ("https://jedlix.example?to=elsewhere", False),
        ("file:///etc/passwd", False),
        ("https:///path", False),
    ],
)
def test_an_address_carries_no_password(url: str, is_valid: bool) -> None:
    assert is_valid_url(url, allow_http=True) is is_valid


@pytest.mark.parametrize(
    ("host", "is_private"),
    [
        ("134744072", False),  # 8.8.8.8 in one number
        ("0x08080808", False),
        ("8.8.8.8", False),
        ("::ffff:8.8.8.8", False),
        ("2001:4860:4860::8888", False),
        ("localhost", True),
        ("localhost.jedlix.example", False),
        ("homeassistant", True),
        ("supervisor.local", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("fd00::1", True),
        ("", False),
        (None, False),
    ],
)
def test_plain_http_is_for_this_house(host: str | None, is_private: bool) -> None:
    assert is_private_host(host) is is_private


# -- the door ----------------------------------------------------------------------------------------------


@pytest.fixture
def refused(hass: HomeAssistant, home: TestClient[Any, Any]) -> list[Refusal]:
    """Open the door and return what it refuses."""
    refused: list[Refusal] = []
    WebhookHandler(
        hass, WEBHOOK_ID, KEY, on_delivery=lambda _message: None, on_refusal=refused.append
    ).register()
    return refused


async def shout(home: TestClient[Any, Any], *lines: str, body: bytes = MESSAGE) -> bytes:
    """Write a request by hand and return the status line of the answer."""
    reader, writer = await asyncio.open_connection(home.host, home.port)
    head = [f"POST /api/webhook/{WEBHOOK_ID} HTTP/1.1", "Host: home", *lines, "", ""]
    writer.write("\r\n".join(head).encode("utf-8", "surrogateescape") + body)
    try:
        async with asyncio.timeout(5):
            return (await reader.readline()).strip()
    finally:
        writer.close()


LENGTH: Final = f"Content-Length: {len(MESSAGE)}"
RIGHT: Final = f"Authorization: Basic {KEY}"
WRONG: Final = "Authorization: Basic wrong"


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
async def test_odd_headers_are_answered_and_are_never_our_fault(
    home: TestClient[Any, Any],
    refused: list[Refusal],
    lines: tuple[str, ...],
    status: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert f" {status} ".encode() in await shout(home, *lines) + b" "
    assert KEY not in caplog.text


@pytest.mark.parametrize(("lines", "status"), [((RIGHT, WRONG), 200), ((WRONG, RIGHT), 401)])
async def test_of_two_keys_the_first_counts(
    home: TestClient[Any, Any], refused: list[Refusal], lines: tuple[str, str], status: int
) -> None:
    assert f" {status} ".encode() in await shout(home, *lines, LENGTH)


@pytest.mark.parametrize("framing", ["Transfer-Encoding: chunked", "Content-Length: 1000"])
async def test_a_body_without_end_is_not_waited_for(
    home: TestClient[Any, Any],
    refused: list[Refusal],
    framing: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert handler.BODY_TIMEOUT == 30
    monkeypatch.setattr(handler, "BODY_TIMEOUT", 0.1)
    body = b"1\r\n{\r\n" if framing.endswith("chunked") else b"{"
    assert b" 408 " in await shout(home, RIGHT, framing, body=body)
    assert refused == [Refusal.TOO_SLOW]
    assert b" 200 " in await shout(home, RIGHT, LENGTH)


async def test_who_has_no_key_is_answered_before_a_body_comes(
    home: TestClient[Any, Any], refused: list[Refusal]
) -> None:
    assert b" 401 " in await shout(home, WRONG, "Content-Length: 1000", body=b"")
    assert b" 401 " in await shout(home, WRONG, "Transfer-Encoding: chunked", body=b"")
    assert refused == [Refusal.WRONG_KEY] * 2


@pytest.mark.parametrize("key", ["", "x", KEY[:-1], f"{KEY}x", KEY.swapcase(), "x" * 10_000_000])
async def test_every_key_is_compared_in_constant_time(
    hass: HomeAssistant, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(given: bytes, right: bytes) -> bool:
        compared.append((given, right))
        return False

    monkeypatch.setattr(handler, "compare_digest", compare)
    headers = {"Authorization": f"Basic {key}"}
    request: Any = MockRequest(MESSAGE, "cloud", method="POST", headers=headers)
    assert (
        await WebhookHandler(hass, WEBHOOK_ID, KEY)._handle(hass, WEBHOOK_ID, request)
    ).status == 401
    assert compared == [(key.encode(), KEY.encode())]


async def test_a_refused_message_makes_no_long_line(
    home: TestClient[Any, Any], refused: list[Refusal], caplog: pytest.LogCaptureFixture
) -> None:
    body = orjson.dumps({f"{number}\r\nERROR": number for number in range(3_000)})
    assert b" 400 " in await shout(home, RIGHT, f"Content-Length: {len(body)}", body=body)
    (line,) = [it.getMessage() for it in caplog.records if "was refused" in it.getMessage()]
    assert len(line.splitlines()) == 1
    assert len(line) < 500
