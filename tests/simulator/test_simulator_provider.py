"""Identity provider: log-in with PKCE, renewal with rotation, and what a driver's token is good for."""

from base64 import urlsafe_b64decode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
import json
from typing import Any

import pytest
from yarl import URL

from simulator.api.scopes import SCOPES
from simulator.api.table import TABLE
from simulator.provider import Denied, LogIn
from tests.drivers import challenge_of, choose
from tests.simulator.conftest import Start
from tests.simulator.tools import Api

VERIFIER = "v" * 43
CHALLENGE = challenge_of(VERIFIER)
BACK = "https://home.example/auth/external/callback"
SCOPE = "offline_access read:vehicle read:charger"


def query(api: Api, **changes: str) -> dict[str, str]:
    """Return what an app asks for; an empty value is left out."""
    fields = {
        "response_type": "code",
        "client_id": "app",
        "redirect_uri": BACK,
        "state": "a state",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "scope": SCOPE,
        "audience": api.sim.url,
    }
    return {name: value for name, value in (fields | changes).items() if value}


async def code(api: Api, kind: str = "jwt", **changes: str) -> str:
    """Log in as a driver and return the code."""
    page = URL(f"{api.sim.url}/provider/authorize").with_query(query(api, **changes))
    back = await choose(str(page), user=api.sim.user_ids[0], token=kind)
    assert back.query["state"] == "a state"
    return back.query["code"]


async def request(api: Api, **form: str) -> tuple[int, dict[str, Any]]:
    """Ask the token address."""
    async with api.http.post(f"{api.sim.url}/provider/token", data=form) as answer:
        return answer.status, await answer.json()


async def redeem(api: Api, the_code: str, **changes: str) -> tuple[int, dict[str, Any]]:
    """Exchange a code."""
    form = {
        "grant_type": "authorization_code",
        "client_id": "app",
        "code": the_code,
        "redirect_uri": BACK,
        "code_verifier": VERIFIER,
    }
    return await request(api, **form | changes)


async def renew(api: Api, refresh_token: str, **changes: str) -> tuple[int, dict[str, Any]]:
    """Use a refresh token."""
    form = {"grant_type": "refresh_token", "client_id": "app", "refresh_token": refresh_token}
    return await request(api, **form | changes)


def claims(token: str) -> Mapping[str, Any]:
    """Return the claims of a JWT."""
    body = token.split(".")[1]
    found: Mapping[str, Any] = json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found


async def status_with(api: Api, token: str, path: str) -> int:
    """Return the status of a GET with a token."""
    headers = {"Authorization": f"Bearer {token}"}
    async with api.http.get(f"{api.sim.url}/api/v1{path}", headers=headers) as answer:
        return answer.status


async def test_a_driver_logs_in_and_gets_what_is_documented(api: Api) -> None:
    status, tokens = await redeem(api, await code(api))
    assert (status, tokens["token_type"], tokens["expires_in"]) == (200, "Bearer", 86400)
    named = claims(tokens["access_token"])
    assert (named["jedlix_user_id"], named["aud"]) == (api.sim.user_ids[0], api.sim.url)
    assert named["iss"] == api.sim.url
    assert abs(named["exp"] - datetime.now(UTC).timestamp() - 86400) < 60
    assert {tokens["access_token"], tokens["refresh_token"]} < set(api.sim.tokens.given)


async def test_a_drivers_token_is_good_for_that_drivers_calls_only(start: Start) -> None:
    api = await start(users=2)
    token = (await redeem(api, await code(api)))[1]["access_token"]
    own, other = api.sim.user_ids
    expected = {
        f"/users/{own}/vehicles": 200,
        f"/users/{own}/chargers": 200,
        f"/users/{own}/sessions": 200,
        f"/users/{own}/charging-locations": 403,  # the scope is missing
        f"/users/{other}/vehicles": 403,
        "/sessions": 403,
        "/charging-locations": 403,
        "/webhooks/subscriptions": 403,
    }
    assert {path: await status_with(api, token, path) for path in expected} == expected
    assert await status_with(api, f"{token}x", f"/users/{own}/vehicles") == 401
    api.sim.strike({"token_expiry": True})
    assert await status_with(api, token, f"/users/{own}/vehicles") == 401
    assert SCOPES.keys() <= {row.name for row in TABLE}


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("no_claim", {}),
        ("opaque", {}),
        ("jwt", {"audience": ""}),
        ("jwt", {"audience": "https://elsewhere"}),
    ],
)
async def test_jedlix_accepts_no_other_token(api: Api, kind: str, changes: dict[str, str]) -> None:
    token = (await redeem(api, await code(api, kind, **changes)))[1]["access_token"]
    assert (token.count(".") == 2) == (kind != "opaque" and changes != {"audience": ""})
    assert await status_with(api, token, f"/users/{api.sim.user_ids[0]}/vehicles") == 401
    assert token in api.sim.tokens.given


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code": "another"}, "invalid_grant"),
        ({"client_id": "another"}, "invalid_grant"),
        ({"redirect_uri": "https://elsewhere"}, "invalid_grant"),
        ({"code_verifier": "w" * 43}, "invalid_grant"),
        ({"code_verifier": ""}, "invalid_grant"),
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
async def test_a_code_is_good_for_the_app_that_asked_for_it(
    api: Api, changes: dict[str, str], error: str
) -> None:
    status, answer = await redeem(api, await code(api), **changes)
    assert (status, answer["error"]) == (401 if error == "invalid_client" else 400, error)


async def test_a_code_is_good_once_and_for_ten_minutes(api: Api) -> None:
    first = await code(api)
    assert (await redeem(api, first, client_secret="secret"))[0] == 200
    assert (await redeem(api, first))[0] == 400
    late = await code(api)
    now = datetime.now(UTC) + timedelta(minutes=10)
    api.sim.clock = lambda: now
    assert (await redeem(api, late))[0] == 400


async def test_a_refresh_token_is_good_once_and_a_second_use_ends_the_log_in(api: Api) -> None:
    mine, others = [(await redeem(api, await code(api)))[1] for _ in range(2)]
    status, renewed = await renew(api, mine["refresh_token"])
    assert status == 200
    assert claims(renewed["access_token"])["jedlix_user_id"] == api.sim.user_ids[0]
    assert renewed["refresh_token"] != mine["refresh_token"]
    assert (await renew(api, mine["refresh_token"]))[1]["error"] == "invalid_grant"
    assert (await renew(api, renewed["refresh_token"]))[1]["error"] == "invalid_grant"
    assert (await renew(api, others["refresh_token"], client_id="b"))[1]["error"] == "invalid_grant"
    again = (await redeem(api, await code(api)))[1]
    api.sim.provider.end_log_ins()
    assert (await renew(api, again["refresh_token"]))[1]["error"] == "invalid_grant"


async def test_without_offline_access_there_is_no_refresh_token(api: Api) -> None:
    tokens = (await redeem(api, await code(api, scope="read:vehicle")))[1]
    assert "refresh_token" not in tokens


async def test_a_driver_may_refuse(api: Api) -> None:
    page = URL(f"{api.sim.url}/provider/authorize").with_query(query(api))
    back = await choose(str(page), refuse="true")
    assert back == URL(BACK).with_query(state="a state", error="access_denied")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"redirect_uri": "https://elsewhere"}, "no registered redirect address"),
        ({"redirect_uri": ""}, "no registered redirect address"),
        ({"client_id": ""}, "client_id is missing"),
        ({"response_type": "token"}, "response_type must be code"),
        ({"code_challenge": ""}, "PKCE"),
        ({"code_challenge_method": "plain"}, "PKCE"),
    ],
)
def test_a_page_that_an_app_asks_for_wrongly(changes: dict[str, str], words: str) -> None:
    asked = {
        "response_type": "code",
        "client_id": "app",
        "redirect_uri": BACK,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    assert LogIn.read(asked, frozenset({BACK})).audience == ""
    with pytest.raises(Denied, match=words):
        LogIn.read(asked | changes, frozenset({BACK}))


async def test_the_page_shows_what_is_asked_for_and_escapes_it(api: Api) -> None:
    page = URL(f"{api.sim.url}/provider/authorize")
    asked = query(api, client_id="<b>app</b>")
    async with api.http.get(page.with_query(asked)) as answer:
        text = await answer.text()
    assert "&lt;b&gt;app&lt;/b&gt;" in text
    assert "read:vehicle" in text
    assert api.sim.user_ids[0] in text
    async with api.http.get(page) as answer:
        assert (answer.status, "redirect" in await answer.text()) == (400, True)


async def test_the_provider_can_fail_although_jedlix_answers(api: Api) -> None:
    log_in = await code(api)
    api.sim.strike({"kind": "status", "endpoints": ["user_token"], "status": 503, "times": 1})
    assert (await redeem(api, log_in))[0] == 503
    api.sim.strike({"outage_seconds": 60})
    assert (await redeem(api, log_in))[0] == 200
