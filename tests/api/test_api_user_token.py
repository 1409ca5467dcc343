"""Tokens of a driver's log-in: the user they name, and their renewal. One failure decides nothing."""

import asyncio
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
import json
from typing import Any, Final

import aiohttp
import pytest

from custom_components.jedlix.api import AuthError, BadAnswer, ConnectionFailed, JedlixError
from custom_components.jedlix.api.endpoints import ENDPOINTS
from custom_components.jedlix.api.errors import TokenRefused
from custom_components.jedlix.api.offered import OfferedCalls
from custom_components.jedlix.api.user_token import (
    NoJwt,
    NoUserClaim,
    UserToken,
    UserTokenSource,
    redeem_code,
)
from tests.api.stand_in import TOKEN_PATH, Cloud, Reply, make_client, until
from tests.api.test_api_token import Clock

HOUR: Final = 3600.0
ENDED: Final = Reply(400, {"error": "invalid_grant", "error_description": "It was used before."})


def jwt(claims: object) -> str:
    """Return an access token with these claims; nobody here checks its signature."""
    body = urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{body}.c2lnbmF0dXJl"


def tokens(**changes: Any) -> UserToken:
    """Return the tokens of a log-in at 1000 s, valid for an hour."""
    fields: dict[str, Any] = {
        "access_token": "access-1",
        "refresh_token": "refresh-1",
        "renew_at": 1000 + HOUR - 300,
        "expires_at": 1000 + HOUR,
    }
    return UserToken(**fields | changes)


def answer(number: int, **more: Any) -> Reply:
    """Return the answer to a renewal: new tokens for an hour, both with this number."""
    fields = {"access_token": f"access-{number}", "refresh_token": f"refresh-{number}"}
    return Reply(body=fields | {"expires_in": 3600} | more)


class LogIn:
    """A source of tokens, with what it stored."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        cloud: Cloud,
        secret: str | None = "secret",
        **changes: Any,
    ) -> None:
        """Start with tokens that were just given."""
        self.clock = Clock()
        self.stored: list[UserToken] = []
        self.may_store = asyncio.Event()
        self.may_store.set()
        self.source = UserTokenSource(
            http,
            token_url=cloud.url + TOKEN_PATH,
            client_id="client",
            client_secret=secret,
            token=tokens(**changes),
            keep=self._keep,
            clock=self.clock,
        )

    async def _keep(self, token: UserToken) -> None:
        await self.may_store.wait()
        self.stored.append(token)


@pytest.fixture
def log_in(http: aiohttp.ClientSession, cloud: Cloud) -> LogIn:
    return LogIn(http, cloud)


# -- whom it names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("access_token", "user_id"),
    [
        (jwt({"jedlix_user_id": "anna"}), "anna"),
        (jwt({"jedlix_user_id": " anna ", "sub": "someone"}), "anna"),
        (jwt({"jedlix_user_id": "a", "more": "ü" * 3}), "a"),
        (jwt({"jedlix_user_id": 17}), "17"),
        (jwt({}), NoUserClaim),
        (jwt({"jedlix_user_id": None}), NoUserClaim),
        (jwt({"jedlix_user_id": ""}), NoUserClaim),
        (jwt({"jedlix_user_id": ["anna"]}), NoUserClaim),
        (jwt({"user_id": "anna", "jedlixUserId": "anna"}), NoUserClaim),
        (jwt([]), NoJwt),
        (jwt("anna"), NoJwt),
        ("opaque", NoJwt),
        ("", NoJwt),
        ("a.b", NoJwt),
        ("a.b.c.d.e", NoJwt),  # encrypted
        ("a.b.c", NoJwt),
        ("a.{}.c", NoJwt),
        ("a.üü.c", NoJwt),
        ("..", NoJwt),
    ],
)
def test_the_user_whom_an_access_token_names(
    access_token: str, user_id: str | type[BadAnswer]
) -> None:
    token = tokens(access_token=access_token)
    if isinstance(user_id, str):
        assert token.user_id == user_id
        return
    with pytest.raises(BadAnswer) as raised:
        _ = token.user_id
    assert type(raised.value) is user_id
    assert not access_token or access_token not in str(raised.value)


def test_tokens_are_stored_whole_and_never_printed() -> None:
    token = tokens()
    assert UserToken.from_json(token.as_json()) == token
    assert "access-1" not in repr(token)
    assert "refresh-1" not in repr(token)
    several: tuple[object, ...] = (None, [], {}, {"access_token": None})
    for damaged in several:
        with pytest.raises(BadAnswer):
            UserToken.from_json(damaged)
    ended = UserToken.from_json({"access_token": "a"})
    assert (ended.refresh_token, ended.renew_at, ended.expires_at) == (None, 0, 0)


@pytest.mark.parametrize("secret", [None, "", "secret"])
async def test_the_code_of_a_log_in_is_redeemed_with_its_verifier(
    http: aiohttp.ClientSession, cloud: Cloud, secret: str | None
) -> None:
    more: Mapping[str, str] = {"client_secret": secret} if secret else {}
    cloud.say_at_login(answer(1, expires_in=600), ENDED)

    async def redeem() -> UserToken:
        return await redeem_code(
            http,
            token_url=cloud.url + TOKEN_PATH,
            client_id="client",
            client_secret=secret,
            code="the-code",
            redirect_uri="https://home.example/auth/external/callback",
            code_verifier="the-verifier",
            now=1000.0,
        )

    assert await redeem() == tokens(renew_at=1540, expires_at=1600)
    assert cloud.logins[0].form == {
        "grant_type": "authorization_code",
        "client_id": "client",
        "code": "the-code",
        "redirect_uri": "https://home.example/auth/external/callback",
        "code_verifier": "the-verifier",
        **more,
    }
    with pytest.raises(TokenRefused, match="It was used before"):
        await redeem()


# -- renewal -----------------------------------------------------------------------------------------------


async def test_a_token_is_renewed_before_its_end_with_each_refresh_token_once(
    log_in: LogIn, cloud: Cloud
) -> None:
    cloud.say_at_login(answer(2), answer(3, refresh_token=None), answer(4))
    for number, refresh_token in enumerate(("refresh-1", "refresh-2", "refresh-2"), start=1):
        log_in.clock.now += HOUR - 301
        assert await log_in.source.token() == f"access-{number}"
        log_in.clock.now += 1
        assert await log_in.source.token() == f"access-{number + 1}"
        assert cloud.logins[-1].form == {
            "grant_type": "refresh_token",
            "client_id": "client",
            "client_secret": "secret",
            "refresh_token": refresh_token,
        }
    assert [token.refresh_token for token in log_in.stored] == [
        *("refresh-2", "refresh-2", "refresh-4")
    ]


async def test_renewed_tokens_are_stored_before_they_are_used(log_in: LogIn, cloud: Cloud) -> None:
    cloud.say_at_login(answer(2))
    log_in.may_store.clear()
    log_in.clock.now += HOUR
    callers = [asyncio.create_task(log_in.source.token()) for _ in range(3)]
    await until(lambda: cloud.logins)
    await asyncio.sleep(0.05)
    callers.append(asyncio.create_task(log_in.source.token()))
    await asyncio.sleep(0.05)
    assert not any(caller.done() for caller in callers)
    log_in.may_store.set()
    assert await asyncio.gather(*callers) == ["access-2"] * 4
    assert len(cloud.logins) == len(log_in.stored) == 1


@pytest.mark.parametrize("failure", [Reply(503), Reply(404), ENDED], ids=["away", "404", "refused"])
async def test_a_failed_renewal_matters_only_when_the_token_has_ended(
    log_in: LogIn, cloud: Cloud, failure: Reply
) -> None:
    """One refusal of the provider is not the truth; and it is not asked at every call."""
    cloud.say_at_login(failure, failure)
    log_in.clock.now += HOUR - 200
    for _ in range(3):
        assert await log_in.source.token() == "access-1"
    assert len(cloud.logins) == 1
    log_in.clock.now += 61
    assert await log_in.source.token() == "access-1"
    assert len(cloud.logins) == 2
    log_in.clock.now += 139
    cloud.say_at_login(failure, answer(2))
    with pytest.raises(JedlixError) as raised:
        await log_in.source.token()
    assert isinstance(raised.value, AuthError) == (failure is ENDED)
    assert await log_in.source.token() == "access-2"
    assert {login.form["refresh_token"] for login in cloud.logins} == {"refresh-1"}


async def test_a_renewal_whose_answer_was_lost_is_tried_with_the_old_refresh_token(
    log_in: LogIn, cloud: Cloud
) -> None:
    """A provider that rotates strictly then ends the log-in: the driver has to log in again."""
    cloud.say_at_login(Reply(200, b'{"access_token": "acc'), ENDED)
    log_in.clock.now += HOUR
    with pytest.raises(BadAnswer):
        await log_in.source.token()
    with pytest.raises(TokenRefused, match="It was used before"):
        await log_in.source.token()
    assert [login.form["refresh_token"] for login in cloud.logins] == ["refresh-1"] * 2
    assert log_in.stored == []


async def test_a_log_in_without_a_refresh_token_ends(
    http: aiohttp.ClientSession, cloud: Cloud
) -> None:
    log_in = LogIn(http, cloud, refresh_token=None)
    log_in.clock.now += HOUR - 1
    assert await log_in.source.token() == "access-1"
    log_in.clock.now += 1
    with pytest.raises(TokenRefused, match="no refresh token"):
        await log_in.source.token()
    assert cloud.logins == []


async def test_a_token_that_jedlix_refuses_is_renewed_once_a_minute(
    log_in: LogIn, http: aiohttp.ClientSession, cloud: Cloud
) -> None:
    """Jedlix may refuse whatever comes; each renewal ends a refresh token at the provider."""
    client = make_client(http, cloud.url, auth=log_in.source)
    cloud.otherwise = Reply(401)
    cloud.say_at_login(answer(2), answer(3))
    for _ in range(3):
        with pytest.raises(AuthError):
            await client.vehicles("anna")
    assert len(cloud.logins) == 1
    log_in.clock.now += 61
    cloud.otherwise = Reply(body=[])
    cloud.say(Reply(401))
    assert await client.vehicles("anna") == ()
    assert cloud.calls[-1].headers["Authorization"] == "Bearer access-3"
    log_in.source.refuse("access-1")
    assert await log_in.source.token() == "access-3"


async def test_an_app_without_a_secret_renews_without_one(
    http: aiohttp.ClientSession, cloud: Cloud
) -> None:
    cloud.say_at_login(answer(2))
    log_in = LogIn(http, cloud, secret=None)
    log_in.clock.now += HOUR
    assert await log_in.source.token() == "access-2"
    assert cloud.logins[0].form.keys() == {"grant_type", "client_id", "refresh_token"}
    assert log_in.source.secrets == ("access-2", "refresh-2")
    await log_in.source.close()


async def test_a_refused_token_is_not_used_again_while_the_provider_is_away(
    log_in: LogIn, cloud: Cloud
) -> None:
    cloud.say_at_login(Reply(503), answer(2))
    log_in.source.refuse("access-1")
    with pytest.raises(ConnectionFailed):
        await log_in.source.token()
    assert await log_in.source.token() == "access-2"


async def test_a_source_that_stores_nothing_renews_nothing(
    http: aiohttp.ClientSession, cloud: Cloud
) -> None:
    """In a dialog, what Jedlix refuses is the token that the log-in has just given."""
    clock = Clock()
    source = UserTokenSource(
        http,
        token_url=cloud.url + TOKEN_PATH,
        client_id="client",
        client_secret=None,
        token=tokens(),
        clock=clock,
    )
    cloud.otherwise = Reply(401)
    with pytest.raises(AuthError):
        await make_client(http, cloud.url, auth=source).vehicles("anna")
    clock.now += HOUR
    with pytest.raises(ConnectionFailed, match="not loaded"):
        await source.token()
    assert cloud.logins == []


async def test_a_clock_that_was_set_back_holds_nothing_up(log_in: LogIn, cloud: Cloud) -> None:
    cloud.say_at_login(Reply(503), answer(2))
    log_in.clock.now += HOUR - 100
    assert await log_in.source.token() == "access-1"
    log_in.clock.now -= 90
    assert await log_in.source.token() == "access-2"


async def test_no_error_contains_a_secret(log_in: LogIn, cloud: Cloud) -> None:
    words = {"error": "invalid_grant", "error_description": "secret access-1 refresh-1 are wrong"}
    cloud.say_at_login(Reply(400, words))
    log_in.clock.now += HOUR
    with pytest.raises(TokenRefused, match=r"… … … are wrong"):
        await log_in.source.token()


async def test_an_unload_waits_for_the_renewal_under_way_and_begins_no_other(
    log_in: LogIn, cloud: Cloud
) -> None:
    """Otherwise the next set-up would start with a refresh token that has just ended."""
    cloud.say_at_login(answer(2, expires_in=1))
    log_in.clock.now += HOUR
    with cloud.silence():
        calling = asyncio.create_task(log_in.source.token())
        await until(lambda: cloud.logins)
        closing = asyncio.create_task(log_in.source.close())
        await asyncio.sleep(0.05)
        assert not closing.done()
    await closing
    assert [token.refresh_token for token in log_in.stored] == ["refresh-2"]
    assert await calling == "access-2"
    log_in.clock.now += 1
    with pytest.raises(ConnectionFailed, match="not loaded"):
        await log_in.source.token()
    assert len(cloud.logins) == 1


# -- what it is good for -----------------------------------------------------------------------------------


async def test_the_access_of_a_user_is_checked_by_that_users_own_call(
    log_in: LogIn, http: aiohttp.ClientSession, cloud: Cloud
) -> None:
    client = make_client(http, cloud.url, auth=log_in.source, user_id="anna")
    await client.check_access()
    assert [call.path for call in cloud.calls] == ["/api/v1/users/anna/vehicles"]
    cloud.say(Reply(403))
    with pytest.raises(JedlixError):
        await client.check_access()


def test_a_users_token_is_good_for_that_users_calls_only() -> None:
    offered = OfferedCalls({}, lambda: datetime.now(UTC), of_one_user=True)
    of_user = {name for name in ENDPOINTS if "/users/{user_id}/" in ENDPOINTS[name].path}
    tried = {name for name in ENDPOINTS if offered.is_offered(name)}
    assert tried == of_user - {"session_settings"}  # offered once its parent has answered
    for name in ENDPOINTS.keys() - of_user:
        assert offered.describe(name)["offered"] == "no"
