"""Access token: requested once, kept until shortly before its end, dropped when it is refused."""

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from custom_components.jedlix.api import (
    AuthError,
    BadAnswer,
    ConnectionFailed,
    JedlixClient,
    JedlixError,
    NotFound,
    RateLimited,
    TokenSource,
)
from custom_components.jedlix.api.errors import TokenForbidden, TokenRefused
from simulator.app import Simulator
from tests.api.stand_in import TOKEN_PATH, Cloud, Reply, make_auth, make_client, until


class Clock:
    """A clock that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def logins(sim: Simulator) -> int:
    return sum(request.path == TOKEN_PATH for request in sim.requests)


async def test_no_token_is_requested_before_one_is_needed(auth: TokenSource, cloud: Cloud) -> None:
    assert cloud.logins == []
    await auth.token()
    (login,) = cloud.logins
    assert login.method == "POST"
    assert login.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert login.form == {
        "grant_type": "client_credentials",
        "client_id": "client",
        "client_secret": "secret",
        "audience": cloud.url,
    }


async def test_a_token_is_kept(http: aiohttp.ClientSession, sim: Simulator) -> None:
    client = make_client(http, sim.url)
    for _ in range(3):
        assert await client.vehicles(sim.user_ids[0])
    assert logins(sim) == 1


@pytest.mark.parametrize(
    ("expires_in", "renewed_after"),
    [
        (b"86400", 86400 - 300),
        (b"3600", 3600 - 300),
        (b"3000", 3000 - 300),
        (b"100", 90),
        (b"10", 9),
        (b'"3600"', 3600 - 300),
        (b"0", 540),
        (b"null", 540),
        (b"true", 540),
        (b'"soon"', 540),
        (b'"Infinity"', 540),
        (b"1" + b"0" * 40, 540),
        (b"[60]", 540),
        (b"-60", 540),
    ],
)
async def test_a_token_is_renewed_shortly_before_its_end(
    http: aiohttp.ClientSession, cloud: Cloud, expires_in: bytes, renewed_after: float
) -> None:
    clock = Clock()
    auth = make_auth(http, cloud.url, clock=clock)
    cloud.say_at_login(Reply(body=b'{"access_token": "first", "expires_in": %b}' % expires_in))
    assert await auth.token() == "first"
    clock.now += renewed_after - 0.1
    assert await auth.token() == "first"
    clock.now = 1000.0 + renewed_after
    assert await auth.token() == "token-2"


async def test_a_token_after_a_byte_order_mark_is_read(auth: TokenSource, cloud: Cloud) -> None:
    cloud.say_at_login(Reply(body=b'\xef\xbb\xbf{"access_token": "t", "expires_in": 60}'))
    assert await auth.token() == "t"


@pytest.mark.parametrize(
    "answer",
    [{"accessToken": " t ", "expiresIn": 60}, {"Access_Token": "t"}, {"ACCESS-TOKEN": "t"}],
)
async def test_the_token_is_found_in_any_spelling(
    auth: TokenSource, cloud: Cloud, answer: dict[str, object]
) -> None:
    cloud.say_at_login(Reply(body=answer))
    assert await auth.token() == "t"


async def test_fifty_callers_wait_for_one_renewal(
    http: aiohttp.ClientSession, sim: Simulator
) -> None:
    auth = make_auth(http, sim.url)
    tokens = await asyncio.gather(*(auth.token() for _ in range(50)))
    assert len(set(tokens)) == 1
    assert logins(sim) == 1


async def test_fifty_calls_with_an_expired_token_make_one_renewal(
    http: aiohttp.ClientSession, sim: Simulator
) -> None:
    client = make_client(http, sim.url)
    await client.vehicles(sim.user_ids[0])
    sim.strike({"token_expiry": True})
    answers = await asyncio.gather(*(client.vehicles(sim.user_ids[0]) for _ in range(50)))
    assert all(answers)
    assert logins(sim) == 2


async def test_a_failed_renewal_fails_for_all_callers_and_the_next_one_tries_again(
    auth: TokenSource, cloud: Cloud
) -> None:
    cloud.say_at_login(Reply(500))
    errors = await asyncio.gather(*(auth.token() for _ in range(50)), return_exceptions=True)
    assert {type(error) for error in errors} == {ConnectionFailed}
    assert len(cloud.logins) == 1
    assert await auth.token() == "token-2"


async def test_a_caller_who_is_cancelled_does_not_cancel_the_renewal(
    auth: TokenSource, cloud: Cloud
) -> None:
    with cloud.silence():
        leaving, staying = (asyncio.create_task(auth.token()) for _ in range(2))
        await until(lambda: cloud.logins)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
    assert await staying == "token-1"
    assert len(cloud.logins) == 1


async def test_a_call_whose_token_is_refused_is_repeated_with_a_new_one(
    client: JedlixClient, cloud: Cloud
) -> None:
    cloud.say(Reply(401), Reply(body=[{"id": "car"}]))
    assert [vehicle.id for vehicle in await client.vehicles("anna")] == ["car"]
    assert [call.headers["Authorization"] for call in cloud.calls] == [
        "Bearer token-1",
        "Bearer token-2",
    ]


async def test_a_post_whose_token_is_refused_is_repeated_too(
    client: JedlixClient, cloud: Cloud
) -> None:
    cloud.say(Reply(401), Reply(204))
    await client.request_refresh("anna", "car")
    assert [call.method for call in cloud.calls] == ["POST", "POST"]


async def test_a_second_refusal_means_that_the_credentials_are_wrong(
    client: JedlixClient, cloud: Cloud
) -> None:
    cloud.say(Reply(401), Reply(401, {"detail": "The client was removed."}))
    with pytest.raises(AuthError, match=r"The client was removed. \(HTTP 401\)"):
        await client.vehicles("anna")
    assert (len(cloud.calls), len(cloud.logins)) == (2, 2)
    # The second token was refused as well: the next call does not use it again.
    await client.vehicles("anna")
    assert cloud.calls[-1].headers["Authorization"] == "Bearer token-3"


async def test_a_late_refusal_of_an_old_token_keeps_the_new_one(
    auth: TokenSource, cloud: Cloud
) -> None:
    old = await auth.token()
    auth.refuse(old)
    new = await auth.token()
    auth.refuse(old)
    assert await auth.token() == new
    auth.refuse(new)
    auth.refuse(new)
    assert await auth.token() == "token-3"


_OAUTH = {"error": "access_denied", "error_description": "Unauthorized"}
_BOM = b'\xef\xbb\xbf{"error": "invalid_client"}'
_HTML = b"<html><body>It works!</body></html>"


@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        (Reply(400, {"error": "invalid_request"}), TokenRefused, "invalid_request"),
        (Reply(401, _OAUTH), TokenRefused, "Unauthorized"),
        (Reply(401, _BOM), TokenRefused, "invalid_client"),
        (Reply(403, _OAUTH), TokenForbidden, "Unauthorized"),
        # Something in between answers so: it says nothing about the credentials.
        (Reply(400), ConnectionFailed, "the token address answers with HTTP 400"),
        (Reply(401), ConnectionFailed, "the token address answers with HTTP 401"),
        (Reply(401, _HTML), ConnectionFailed, "the token address answers with HTTP 401"),
        (Reply(401, {"title": "Unauthorized"}), ConnectionFailed, "HTTP 401"),
        (Reply(403, _HTML), ConnectionFailed, "the token address answers with HTTP 403"),
        (Reply(404, _HTML), NotFound, "no reason given (HTTP 404)"),
        (Reply(405), NotFound, "no reason given (HTTP 405)"),
        # OAuth errors that say nothing about the client.
        (Reply(400, {"error": "temporarily_unavailable"}), ConnectionFailed, "HTTP 400"),
        (Reply(403, {"error": "server_error"}), ConnectionFailed, "HTTP 403"),
        (Reply(429, _OAUTH), RateLimited, "Unauthorized (HTTP 429)"),
        (Reply(500), ConnectionFailed, "no reason given (HTTP 500)"),
        (Reply(503, _HTML), ConnectionFailed, "no reason given (HTTP 503)"),
        (Reply(302, headers={"Location": "/elsewhere"}), BadAnswer, "redirects elsewhere"),
        (Reply(200, _HTML), BadAnswer, "does not answer with JSON"),
        (Reply(200, b""), BadAnswer, "does not answer with JSON"),
        (Reply(200, b"\xff\xfe"), BadAnswer, "does not answer with JSON"),
        (Reply(204), BadAnswer, "does not answer with JSON"),
        (Reply(200, []), BadAnswer, "expected an object, got list"),
        (Reply(200, "token"), BadAnswer, "expected an object, got str"),
        (Reply(200, {}), BadAnswer, "gives no access_token"),
        (Reply(200, {"access_token": None}), BadAnswer, "gives no access_token"),
        (Reply(200, {"access_token": "  "}), BadAnswer, "gives no access_token"),
        (Reply(200, {"access_token": ["t"]}), BadAnswer, "gives no access_token"),
    ],
)
async def test_any_other_answer_of_the_token_address_is_an_error(
    auth: TokenSource, cloud: Cloud, reply: Reply, error: type[JedlixError], words: str
) -> None:
    cloud.say_at_login(reply)
    with pytest.raises(JedlixError) as raised:
        await auth.token()
    assert type(raised.value) is error
    assert words in str(raised.value)
    assert await auth.token() == "token-2"


async def test_the_token_address_may_be_rate_limited(auth: TokenSource, cloud: Cloud) -> None:
    cloud.say_at_login(Reply(429, headers={"Retry-After": "60"}))
    with pytest.raises(RateLimited) as raised:
        await auth.token()
    assert raised.value.retry_after == 60


async def test_a_call_is_repeated_when_its_token_could_not_be_fetched(
    client: JedlixClient, cloud: Cloud
) -> None:
    cloud.say_at_login(Reply(503), Reply(429))
    assert await client.vehicles("anna") == ()
    assert (len(cloud.logins), len(cloud.calls)) == (3, 1)


async def test_a_wrong_secret_and_a_wrong_audience_are_different_errors(
    http: aiohttp.ClientSession, sim: Simulator
) -> None:
    with pytest.raises(TokenRefused, match="Unauthorized") as raised:
        await make_auth(http, sim.url, secret="guessed").token()
    assert not isinstance(raised.value, TokenForbidden)
    with pytest.raises(TokenForbidden, match="Service not found"):
        await make_auth(http, sim.url, audience="https://elsewhere.example").token()


async def test_a_token_is_renewed_before_jedlix_refuses_it(
    http: aiohttp.ClientSession,
    start_simulator: Callable[..., Awaitable[Simulator]],
) -> None:
    sim, clock = await start_simulator(expires_in=3600, history_days=0), Clock()
    client = make_client(http, sim.url, auth=make_auth(http, sim.url, clock=clock))
    for _ in range(3):
        clock.now += 1700.0
        await client.vehicles(sim.user_ids[0])
    assert logins(sim) == 2
    assert {request.status for request in sim.requests} == {200}
