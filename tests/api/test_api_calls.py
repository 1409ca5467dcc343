"""Calls: headers, bodies, addresses, the meaning of each status, and when a call is repeated."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import unquote
from uuid import UUID

import aiohttp
import pytest

from custom_components.jedlix.api import (
    AuthError,
    BadAnswer,
    Conflict,
    ConnectionFailed,
    Forbidden,
    JedlixClient,
    JedlixError,
    NotFound,
    RateLimited,
    Rejected,
    Subscription,
    http as http_module,
)
from custom_components.jedlix.api.endpoints import ENDPOINTS, Endpoint, Evidence
from custom_components.jedlix.api.errors import TokenRefused
from custom_components.jedlix.api.gate import CallGate
from custom_components.jedlix.api.http import parse_retry_after
from simulator.app import Simulator
from tests.api.stand_in import Cloud, Reply, make_client

_HTML = b"<!DOCTYPE html><title>502 Bad Gateway</title>"

type Call = Callable[[JedlixClient], Awaitable[object]]

GET: Call = lambda client: client.vehicles("anna")  # noqa: E731
POST: Call = lambda client: client.request_refresh("anna", "car")  # noqa: E731
PATCH: Call = lambda client: client.boost("anna", "session", enabled=True)  # noqa: E731
SUBSCRIBE: Call = lambda client: client.subscribe("type", "url", "key")  # noqa: E731
DELETE: Call = lambda client: client.unsubscribe("id")  # noqa: E731


class Pauses(list[float]):
    """The pauses that a client makes before it repeats a call, and a clock that knows no other time."""

    async def sleep(self, seconds: float) -> None:
        self.append(seconds)

    def clock(self) -> float:
        return sum(self)


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


# --- headers and bodies ------------------------------------------------------------------------------


async def test_a_call_names_its_client(client: JedlixClient, cloud: Cloud) -> None:
    await client.vehicles("anna")
    (call,) = cloud.calls
    assert call.method == "GET"
    assert call.target == "/api/v1/users/anna/vehicles"
    assert call.headers["Authorization"] == "Bearer token-1"
    assert call.headers["ApiKey"] == "key"
    assert call.headers["Accept"] == "application/json"
    assert call.headers["Jedlix-ClientName"] == "tests"
    assert call.headers["Jedlix-ClientVersion"] == "1.2.3"
    assert call.body == b""
    assert "Content-Type" not in call.headers


async def test_every_request_has_an_id_of_its_own(client: JedlixClient, cloud: Cloud) -> None:
    cloud.say(Reply(401), Reply(503), Reply(200, []), Reply(200, []))
    await client.vehicles("anna")
    await client.vehicles("anna")
    ids = [UUID(call.headers["Jedlix-CorrelationId"]) for call in cloud.calls]
    assert len(set(ids)) == 4


@pytest.mark.parametrize("api_key", [None, ""])
async def test_without_an_api_key_none_is_sent(
    http: aiohttp.ClientSession, cloud: Cloud, api_key: str | None
) -> None:
    await make_client(http, cloud.url, api_key=api_key).vehicles("anna")
    assert "ApiKey" not in cloud.calls[0].headers


async def test_a_wrong_api_key_is_forbidden(http: aiohttp.ClientSession, sim: Simulator) -> None:
    with pytest.raises(Forbidden, match="The ApiKey is missing or wrong"):
        await make_client(http, sim.url, api_key="another").vehicles(sim.user_ids[0])


async def test_the_token_address_does_not_get_the_api_key(
    client: JedlixClient, cloud: Cloud
) -> None:
    await client.vehicles("anna")
    assert "ApiKey" not in cloud.logins[0].headers


@pytest.mark.parametrize(
    ("call", "method", "body"),
    [
        (POST, "POST", {}),
        (DELETE, "DELETE", {}),
        (PATCH, "PATCH", {"type": "boostCharging", "enabled": True}),
        (
            SUBSCRIBE,
            "POST",
            {"eventType": "type", "endpointUrl": "url", "apiKey": "key", "isActive": True},
        ),
    ],
)
async def test_a_call_that_writes_has_a_body(
    client: JedlixClient, cloud: Cloud, call: Call, method: str, body: object
) -> None:
    cloud.say(Reply(204))
    await call(client)
    (request,) = cloud.calls
    assert (request.method, request.json) == (method, body)
    assert request.headers["Content-Type"] == "application/json"


# --- addresses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base_path", "prefix"),
    [
        ("", ""),
        ("/", ""),
        ("/api/v1", ""),
        ("/api/v1/", ""),
        ("/api/v2", ""),
        ("/gateway", "/gateway"),
        ("/gateway/", "/gateway"),
        ("/gateway/api/v1/", "/gateway"),
        ("/gateway/api/v2", "/gateway"),
        ("/api", "/api"),
    ],
)
async def test_the_base_url_may_have_a_path(
    http: aiohttp.ClientSession, cloud: Cloud, base_path: str, prefix: str
) -> None:
    client = make_client(http, cloud.url, base_path=base_path)
    await client.vehicles("anna")
    _ = [page async for page in client.session_pages()]
    assert [call.path for call in cloud.calls] == [
        f"{prefix}/api/v1/users/anna/vehicles",
        f"{prefix}/api/v2/sessions",
    ]


@pytest.mark.parametrize("user_id", ["a/b", "a?b=c#d", "50%", "%2F", "a b", "Ünal", "{x}", "../x"])
async def test_an_id_with_any_characters_is_one_part_of_the_path(
    client: JedlixClient, cloud: Cloud, user_id: str
) -> None:
    await client.vehicles(user_id)
    parts = cloud.calls[0].target.split("/")
    assert [unquote(part) for part in parts] == ["", "api", "v1", "users", user_id, "vehicles"]


async def test_a_tenant_with_other_paths_has_another_table(
    http: aiohttp.ClientSession, cloud: Cloud
) -> None:
    table = ENDPOINTS | {"vehicles": Endpoint("POST", "/cars?of={user_id}", Evidence.ASSUMED)}
    await make_client(http, cloud.url, endpoints=table).vehicles("anna")
    (call,) = cloud.calls
    assert (call.method, call.target, call.json) == ("POST", "/cars?of=anna", {})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(client: JedlixClient, cloud: Cloud, status: int) -> None:
    cloud.otherwise = Reply(status, headers={"Location": f"{cloud.url}/elsewhere"})
    with pytest.raises(BadAnswer, match=f"redirects elsewhere \\(HTTP {status}\\)"):
        await client.vehicles("anna")
    assert [call.path for call in cloud.calls] == ["/api/v1/users/anna/vehicles"]


# --- answers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, Rejected),
        (401, AuthError),
        (403, Forbidden),
        (404, NotFound),
        (405, NotFound),
        (409, Conflict),
        (410, NotFound),
        (415, Rejected),
        (418, Rejected),
        (422, Rejected),
        (429, RateLimited),
        (500, ConnectionFailed),
        (501, NotFound),
        (504, ConnectionFailed),
        (304, BadAnswer),
        (599, ConnectionFailed),
    ],
)
async def test_each_status_has_its_error(
    client: JedlixClient, cloud: Cloud, status: int, error: type[JedlixError]
) -> None:
    cloud.otherwise = Reply(status)
    with pytest.raises(JedlixError, match=f"HTTP {status}") as raised:
        await client.vehicles("anna")
    assert type(raised.value) is error


@pytest.mark.parametrize(
    ("body", "is_answer"),
    [
        ({"title": "Not Found", "status": 404}, True),
        ({"type": "https://tools.ietf.org/html/rfc9110#section-15.5.5"}, True),
        ({"detail": "There is no such user."}, True),
        (b"\xef\xbb\xbf" + b'{"title": "Not Found"}', True),
        (_HTML, False),
        (b"", False),
        ({}, False),
        ([], False),
        ({"message": "no Route matched with those values"}, False),  # of a gateway in between
    ],
)
@pytest.mark.parametrize("status", [404, 405, 410, 501])
async def test_only_by_its_problem_json_jedlix_itself_says_that_something_is_not_there(
    client: JedlixClient, cloud: Cloud, status: int, body: object, is_answer: bool
) -> None:
    cloud.say(Reply(status, body))
    with pytest.raises(NotFound) as raised:
        await client.vehicles("anna")
    assert raised.value.is_answer is is_answer


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"title": "Bad Request", "detail": "The car is away."}, "The car is away."),
        ({"title": "Bad Request", "detail": None}, "Bad Request"),
        ({"Title": "Bad Request", "Detail": " "}, "no reason given"),
        ({"error": "nope", "error_description": "Not so."}, "Not so."),
        ({"error": "nope"}, "nope"),
        ({"message": "Gone fishing"}, "Gone fishing"),
        ({"detail": {"because": "of that"}}, "no reason given"),
        ({"detail": "x  " * 1000}, "x " * 150 + " "),
        ({"detail": 42}, "42"),
        ({}, "no reason given"),
        ([], "no reason given"),
        (_HTML, "no reason given"),
        (b"", "no reason given"),
    ],
)
async def test_the_message_of_a_refusal_is_jedlixs_own(
    client: JedlixClient, cloud: Cloud, body: object, words: str
) -> None:
    cloud.say(Reply(400, body))
    with pytest.raises(Rejected) as raised:
        await client.vehicles("anna")
    assert str(raised.value).startswith(words)


@pytest.mark.parametrize("body", [_HTML, b"{", b"\xff", b'{"a": NaN}', b"[" * 5000 + b"]" * 5000])
async def test_an_answer_that_is_not_json(client: JedlixClient, cloud: Cloud, body: bytes) -> None:
    cloud.say(Reply(200, body, {"Content-Type": "application/json"}))
    with pytest.raises(BadAnswer, match="the answer is not JSON"):
        await client.vehicles("anna")
    assert len(cloud.calls) == 1


@pytest.mark.parametrize("body", [b"", b" \r\n"])
async def test_an_empty_answer_is_enough_for_a_write_and_not_for_a_read(
    client: JedlixClient, cloud: Cloud, body: bytes
) -> None:
    cloud.otherwise = Reply(200, body)
    await client.boost("anna", "session", enabled=False)
    await client.request_refresh("anna", "car")
    await client.unsubscribe("id")
    with pytest.raises(BadAnswer):
        await client.vehicles("anna")
    with pytest.raises(BadAnswer):
        await client.charge_settings("anna", "car")


async def test_the_content_type_of_an_answer_does_not_matter(
    client: JedlixClient, cloud: Cloud
) -> None:
    cloud.say(Reply(200, [{"id": "car"}], {"Content-Type": "text/html; charset=nonsense"}))
    assert (await client.vehicles("anna"))[0].id == "car"


# --- repeated calls ----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@pytest.mark.parametrize("call", [GET, PATCH, DELETE])
async def test_a_call_that_fails_at_jedlix_is_repeated_twice(
    client: JedlixClient, cloud: Cloud, call: Call, status: int
) -> None:
    cloud.say(Reply(status, _HTML), Reply(status, _HTML), Reply(200, []))
    await call(client)
    assert len(cloud.calls) == 3
    cloud.say(*[Reply(status)] * 3)
    with pytest.raises(ConnectionFailed):
        await call(client)
    assert len(cloud.calls) == 6


async def test_a_post_that_failed_at_jedlix_is_not_repeated(
    client: JedlixClient, cloud: Cloud
) -> None:
    cloud.say(Reply(500))
    with pytest.raises(ConnectionFailed):
        await client.request_refresh("anna", "car")
    assert len(cloud.calls) == 1


async def test_a_post_that_was_rate_limited_is_repeated(client: JedlixClient, cloud: Cloud) -> None:
    cloud.say(Reply(429), Reply(429), Reply(201))
    await client.request_refresh("anna", "car")
    assert len(cloud.calls) == 3


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422])
async def test_a_refused_call_is_not_repeated(
    client: JedlixClient, cloud: Cloud, status: int
) -> None:
    cloud.say(Reply(status))
    with pytest.raises(JedlixError):
        await client.vehicles("anna")
    assert len(cloud.calls) == 1


async def test_the_pauses_grow(http: aiohttp.ClientSession, cloud: Cloud, pauses: Pauses) -> None:
    client = make_client(http, cloud.url, sleep=pauses.sleep)
    cloud.otherwise = Reply(503)
    with pytest.raises(ConnectionFailed):
        await client.vehicles("anna")
    first, second = pauses
    assert 0.5 <= first <= 0.625
    assert 2 <= second <= 2.5


@pytest.mark.parametrize(
    ("retry_after", "low", "high"),
    [
        ("7", 7, 7 * 1.25),
        ("0.5", 0.5, 0.625),
        ("0", 0.1, 0.125),
        ("soon", 0.1, 0.125),
        ("Mon, 01 Jan 2024 00:00:00 GMT", 0.1, 0.125),
    ],
)
async def test_retry_after_may_be_in_seconds(
    http: aiohttp.ClientSession,
    cloud: Cloud,
    pauses: Pauses,
    retry_after: str,
    low: float,
    high: float,
) -> None:
    gate = CallGate(clock=pauses.clock)
    client = make_client(http, cloud.url, back_off=(0.1,), sleep=pauses.sleep, gate=gate)
    cloud.say(Reply(429, headers={"Retry-After": retry_after}))
    await client.vehicles("anna")
    (pause,) = pauses
    assert low <= pause <= high


async def test_retry_after_may_be_a_date(
    http: aiohttp.ClientSession, cloud: Cloud, pauses: Pauses
) -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=8), usegmt=True)
    cloud.say(Reply(429, headers={"Retry-After": until}))
    gate = CallGate(clock=pauses.clock)
    await make_client(http, cloud.url, sleep=pauses.sleep, gate=gate).vehicles("anna")
    (pause,) = pauses
    assert 6 < pause <= 10


@pytest.mark.parametrize("seconds", [11, 3600])
@pytest.mark.parametrize("style", ["seconds", "date"])
async def test_a_long_wait_is_left_to_the_caller(
    http: aiohttp.ClientSession, cloud: Cloud, pauses: Pauses, seconds: int, style: str
) -> None:
    client = make_client(http, cloud.url, sleep=pauses.sleep)
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds + 1), usegmt=True)
    cloud.say(Reply(429, headers={"Retry-After": date if style == "date" else f"{seconds}"}))
    with pytest.raises(RateLimited) as raised:
        await client.vehicles("anna")
    assert raised.value.retry_after == pytest.approx(seconds, abs=1.1)
    assert pauses == []
    assert len(cloud.calls) == 1


async def test_without_retry_after_the_error_has_none(client: JedlixClient, cloud: Cloud) -> None:
    cloud.otherwise = Reply(429)
    with pytest.raises(RateLimited) as raised:
        await client.vehicles("anna")
    assert raised.value.retry_after is None
    assert len(cloud.calls) == 3


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("12", 12),
        (" 12 ", 12),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("Wed, 21 Oct 2015 07:28:00 -0000", 0),
        ("Wed, 21 Oct 2015 07:28:00", 0),
        ("Wed, 21 Oct 2015 77:28:00 GMT", None),
        ("Wed, 21 Oct 99999999999999999999 07:28:00 GMT", None),
        ("Wed, 21 Oct 2015 07:28:00 +99999999999999999999", None),
        ("0.5", 0.5),
        ("-3", 0),
        ("nan", None),
        ("inf", None),
        ("Infinity", None),
        ("1e999", None),
        ("soon", None),
    ],
)
def test_retry_after_in_every_form(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header) == seconds


# --- no answer ---------------------------------------------------------------------------------------


async def test_jedlix_answers_too_late(
    client: JedlixClient, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.vehicles("anna")
    monkeypatch.setattr(http_module, "TIMEOUT", aiohttp.ClientTimeout(total=0.2))
    with cloud.silence():
        with pytest.raises(ConnectionFailed, match="no answer within 15 seconds"):
            await client.vehicles("anna")
        assert len(cloud.calls) == 1 + 3
        with pytest.raises(ConnectionFailed, match="no answer within 15 seconds"):
            await client.request_refresh("anna", "car")
        assert len(cloud.calls) == 4 + 1


@pytest.mark.usefixtures("socket_enabled")
async def test_no_server_listens_at_the_address(http: aiohttp.ClientSession) -> None:
    server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    with pytest.raises(ConnectionFailed, match=r"127\.0\.0\.1"):
        await make_client(http, f"http://127.0.0.1:{port}").vehicles("anna")


@pytest.mark.parametrize(
    "url", ["", "smartcharging", "ftp://jedlix.example", "http://", "http://[", "http://a:99999999"]
)
async def test_an_address_that_is_not_valid(http: aiohttp.ClientSession, url: str) -> None:
    with pytest.raises(ConnectionFailed) as raised:
        await make_client(http, url).vehicles("anna")
    assert str(raised.value)


async def test_a_key_that_is_not_valid_in_a_header(
    http: aiohttp.ClientSession, cloud: Cloud
) -> None:
    with pytest.raises(ConnectionFailed):
        await make_client(http, cloud.url, api_key="two\nlines").vehicles("anna")
    assert cloud.calls == []


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n[",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 999999 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000 + b"\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n[]",
    ],
)
async def test_a_connection_that_breaks_or_does_not_speak_http(
    http: aiohttp.ClientSession, socket_enabled: None, raw: bytes
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(raw)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        with pytest.raises(ConnectionFailed):
            await make_client(http, f"http://127.0.0.1:{port}").vehicles("anna")
    finally:
        server.close()


# --- calls with rules of their own -------------------------------------------------------------------


async def test_the_documented_spelling_of_the_level_is_sent_first(
    client: JedlixClient, cloud: Cloud
) -> None:
    cloud.say(Reply(204))
    await client.set_current_battery_level("anna", "session", 55)
    (call,) = cloud.calls
    assert (call.method, call.path) == ("PATCH", "/api/v1/users/anna/sessions/session/settings")
    assert call.json == {"type": "currentBatteryLevel", "currentSateOfCharge": 55}


@pytest.mark.parametrize("status", [400, 422])
async def test_the_correct_spelling_is_sent_when_the_documented_one_is_refused(
    client: JedlixClient, cloud: Cloud, status: int
) -> None:
    cloud.say(Reply(status), Reply(204))
    await client.set_current_battery_level("anna", "session", 55)
    assert [sorted(call.json) for call in cloud.calls] == [
        ["currentSateOfCharge", "type"],
        ["currentStateOfCharge", "type"],
    ]


async def test_a_level_that_is_refused_in_both_spellings(
    client: JedlixClient, cloud: Cloud
) -> None:
    cloud.say(Reply(400), Reply(400, {"detail": "Too low."}))
    with pytest.raises(Rejected, match=r"Too low\."):
        await client.set_current_battery_level("anna", "session", -5)
    assert len(cloud.calls) == 2


@pytest.mark.parametrize(("status", "error"), [(409, Conflict), (404, NotFound), (403, Forbidden)])
async def test_a_refusal_for_another_reason_is_not_answered_with_the_other_spelling(
    client: JedlixClient, cloud: Cloud, status: int, error: type[JedlixError]
) -> None:
    cloud.say(Reply(status))
    with pytest.raises(error):
        await client.set_current_battery_level("anna", "session", 55)
    assert len(cloud.calls) == 1


@pytest.mark.parametrize(
    ("body", "subscription_id"),
    [
        ({"id": "s1", "eventType": "other", "endpointUrl": "other"}, "s1"),
        ({"SubscriptionId": "s1", "EventType": "t", "Url": "u"}, "s1"),
        ({"eventType": "t", "endpointUrl": "u"}, None),
        ({"id": "s1"}, None),
        ({}, None),
        ([], None),
        ("ok", None),
        (b"", None),
        (b"<html>Created</html>", None),
        (b"OK", None),
    ],
)
async def test_a_subscription_exists_whatever_its_answer_contains(
    client: JedlixClient, cloud: Cloud, body: object, subscription_id: str | None
) -> None:
    cloud.say(Reply(201, body))
    assert await client.subscribe(
        "userCreated", "https://home.example/x", "secret"
    ) == Subscription(
        id=subscription_id, event_type="userCreated", endpoint_url="https://home.example/x"
    )
    assert cloud.calls[0].json == {
        "eventType": "userCreated",
        "endpointUrl": "https://home.example/x",
        "apiKey": "secret",
        "isActive": True,
    }


async def test_a_page_is_no_answer_to_an_assumed_write(client: JedlixClient, cloud: Cloud) -> None:
    cloud.otherwise = Reply(200, b"<html>")
    with pytest.raises(BadAnswer):
        await client.unsubscribe("s1")


async def test_a_write_has_succeeded_whatever_its_answer_contains(
    client: JedlixClient, cloud: Cloud
) -> None:
    cloud.otherwise = Reply(200, b"OK")
    await client.boost("anna", "session", enabled=True)
    await client.unsubscribe("s1")
    assert [call.method for call in cloud.calls] == ["PATCH", "DELETE"]


async def test_a_redirected_registration_fails(client: JedlixClient, cloud: Cloud) -> None:
    cloud.say(Reply(302, b"", {"Location": "https://elsewhere.example"}))
    with pytest.raises(BadAnswer, match="redirects"):
        await client.subscribe("userCreated", "https://home.example/x", "secret")


@pytest.mark.parametrize(
    ("sessions", "locations", "calls"), [(200, 0, 1), (404, 200, 2), (403, 200, 2), (404, 404, 2)]
)
async def test_access_needs_one_of_the_two_lists_of_the_tenant(
    client: JedlixClient, cloud: Cloud, sessions: int, locations: int, calls: int
) -> None:
    cloud.say(Reply(sessions, []), Reply(locations, []))
    await client.check_access()
    assert [call.target for call in cloud.calls] == [
        "/api/v2/sessions?pageSize=1&pageIndex=1",
        "/api/v2/charging-locations?pageSize=1&pageIndex=1",
    ][:calls]


@pytest.mark.parametrize(
    ("replies", "error"),
    [
        ((403, 403), Forbidden),
        ((403, 404), Forbidden),
        ((404, 403), Forbidden),
        ((401, 401), AuthError),
        ((404, 401, 401), AuthError),
        ((500, 500, 500), ConnectionFailed),
        ((302,), BadAnswer),
    ],
)
async def test_access_is_refused(
    client: JedlixClient, cloud: Cloud, replies: tuple[int, ...], error: type[JedlixError]
) -> None:
    cloud.say(*map(Reply, replies))
    with pytest.raises(error):
        await client.check_access()
    assert len(cloud.calls) == len(replies)


async def test_access_starts_with_a_token(client: JedlixClient, cloud: Cloud) -> None:
    cloud.say_at_login(Reply(401, {"error": "invalid_client"}))
    with pytest.raises(TokenRefused):
        await client.check_access()
    assert cloud.calls == []


@pytest.mark.parametrize("user_id", ["", ".", "..", "..."])
async def test_an_id_that_would_change_the_path_is_never_sent(
    client: JedlixClient, cloud: Cloud, user_id: str
) -> None:
    with pytest.raises(NotFound) as raised:
        await client.vehicles(user_id)
    assert not raised.value.is_answer
    assert cloud.calls == []
