"""A hostile server in the place of Jedlix: endless answers, JSON that hurts, secrets in errors, redirects."""

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
import pytest

from custom_components.jedlix.api import (
    BadAnswer,
    ConnectionFailed,
    JedlixClient,
    JedlixError,
    http as http_module,
)
from tests.api.stand_in import Cloud, Reply, make_auth, make_client

KEY: Final = "fbXq0ZP3v7Yk-2hJc9_Lr5sTnWdE8uGaMoBiK1xVyHQ"
HOOK: Final = f"https://house.example/api/webhook/{'3f9a0c7be1d24586' * 4}"
SECRET: Final = "the-client-secret-of-the-day"
API_KEY: Final = "the-api-key-of-the-tenant"
TOKEN: Final = f"eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6IjEifQ.e30.{'c2lnbmVkLWJ5LXRo' * 20}"
NOON: Final = datetime(2026, 1, 31, 12, tzinfo=UTC)

type Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def host(serve: Serve) -> AsyncIterator[str]:
    """Serve raw bytes, whatever HTTP says; yields the address."""
    tasks: list[asyncio.Task[None]] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
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
        for task in tasks:
            task.cancel()
        server.close()


# -- answers that never end --------------------------------------------------------------------------------


@pytest.mark.parametrize("at", ["token", "api"])
async def test_an_endless_answer_is_cut_off(
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
    assert 8 * 2**20 <= sent < 24 * 2**20  # the rest was sent before the connection was closed


async def test_a_small_answer_that_unpacks_into_a_huge_one_takes_no_memory(
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


async def test_an_answer_of_exactly_8_mib_is_accepted(client: JedlixClient, cloud: Cloud) -> None:
    cloud.say(Reply(200, b"[]" + b" " * (8 * 2**20 - 2)))
    assert await client.vehicles("anna") == ()


async def test_an_answer_that_drips_is_not_waited_for(
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
async def test_an_answer_that_is_nested_too_deep_is_refused(
    client: JedlixClient, cloud: Cloud, depth: int, call: Callable[[JedlixClient], Awaitable[Any]]
) -> None:
    """A setting could not be written back, and a message would break the bus."""
    item = b'{"id":"1","eventType":"userCreated","x":' + nested(depth) + b"}"
    for body in (item, b"[" + item + b"]", nested(depth)):
        cloud.say(Reply(200, body))
        with pytest.raises(BadAnswer):
            await call(client)


@pytest.mark.parametrize("depth", [250, 100_000])
async def test_a_registration_succeeds_however_deep_its_answer_is_nested(
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
async def test_a_huge_number_is_not_a_battery_level(
    client: JedlixClient, cloud: Cloud, value: bytes
) -> None:
    state = b'{"batteryLevel":' + value + b',"range":' + value + b',"lastUpdated":' + value + b"}"
    cloud.say(Reply(200, b'[{"id":"car","chargeState":' + state + b"}]"))
    try:
        (car,) = await client.vehicles("anna")
    except BadAnswer:
        return
    assert car.charge_state.battery_level in (None, 0)


async def test_an_answer_with_many_keys_makes_a_short_error(
    client: JedlixClient, cloud: Cloud
) -> None:
    cloud.say(Reply(200, {f"{number:x}" * 50: number for number in range(10_000)}))
    with pytest.raises(BadAnswer) as raised:
        await client.vehicles("anna")
    assert len(str(raised.value)) < 500


# -- secrets in errors and logs ----------------------------------------------------------------------------


def all_of(err: BaseException) -> str:
    """Return everything that a log could show of an error and of its causes."""
    words = "".join(traceback.format_exception(err))
    cause: BaseException | None = err
    while cause is not None:
        if not isinstance(
            cause, aiohttp.ClientResponseError
        ):  # its repr has all headers, and is not logged
            words += repr(cause)
        cause = cause.__cause__ or cause.__context__
    return words


REFUSALS: Final[dict[str, Reply]] = {
    "quotes the key": Reply(400, {"detail": f"The apiKey '{KEY}' is too long."}),
    "quotes the address": Reply(400, {"detail": f"{HOOK}?a=1 did not answer."}),
    "quotes the token": Reply(401, {"title": f"Bearer {TOKEN} has expired."}),
    "quotes all in one word": Reply(422, {"message": f"{HOOK}|{KEY}|{TOKEN}"}),
    "sends elsewhere": Reply(302, b"", {"Location": HOOK}),
    "gives no reason": Reply(409),
    "is busy": Reply(429, {"detail": KEY}, {"Retry-After": "60"}),
    "breaks": Reply(500, {"error": KEY, "detail": f"{HOOK} {KEY}"}),
    "is not text": Reply(200, b"\xff" + KEY.encode()),
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
    shown = ""
    for call in (
        client.subscribe("userCreated", HOOK, KEY),
        client.vehicles("anna"),
    ):
        try:
            await call
        except JedlixError as err:
            shown += all_of(err)
    assert "HTTP" in shown or "not JSON" in shown
    for secret in (KEY, HOOK.rpartition("/")[2], TOKEN.rpartition(".")[2], SECRET, API_KEY):
        assert secret not in shown + caplog.text


@pytest.mark.parametrize("failure", ["closed", "line", "header", "url", "token", "drops"])
async def test_a_broken_connection_quotes_no_secret(
    http: aiohttp.ClientSession,
    cloud: Cloud,
    failure: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n[" if failure == "line" else b""
        )
        await writer.drain()

    auth = make_auth(http, cloud.url, secret=SECRET)
    api_key = API_KEY + ("\n" if failure == "header" else "")
    async with host(hang_up) as url:
        base = {"closed": "http://127.0.0.1:9", "line": url, "drops": url, "url": "http://a:99999"}
        if failure == "token":
            cloud.say_at_login(Reply(401, {"error": f"client_secret {SECRET * 2} is wrong"}))
        client = make_client(
            http, base.get(failure, cloud.url), auth=auth, api_key=api_key, back_off=()
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
async def test_the_reason_that_jedlix_gives_is_kept(
    client: JedlixClient, cloud: Cloud, words: str
) -> None:
    cloud.say(Reply(400, {"detail": words}))
    with pytest.raises(JedlixError) as raised:
        await client.vehicles("anna")
    assert str(raised.value) == f"{words} (HTTP 400)"


async def test_an_error_is_one_line(client: JedlixClient, cloud: Cloud) -> None:
    cloud.say(Reply(400, {"detail": "No.\r\n2026-01-01 ERROR (MainThread) [root] All is lost"}))
    with pytest.raises(JedlixError) as raised:
        await client.vehicles("anna")
    assert str(raised.value).splitlines() == [str(raised.value)]


# -- redirects ---------------------------------------------------------------------------------------------


async def test_no_secret_is_sent_to_where_a_redirect_leads(
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
