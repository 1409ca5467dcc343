"""Drivers at the simulator's identity provider: what a browser does there, without a browser."""

from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any

import aiohttp
from homeassistant.config_entries import ConfigSubentryData
from pytest_homeassistant_custom_component.common import MockConfigEntry
from yarl import URL

from custom_components.jedlix.const import CONF_USER_ID, DOMAIN, SUBENTRY_USER
from simulator.app import Simulator
from simulator.provider import LogIn, TokenKind

SCOPE = "offline_access read:vehicle read:charginglocations read:charger"


async def choose(url: str, **form: str) -> URL:
    """Open the log-in page at `url`, send its form, and return the address that it leads back to.

    The form has the id of a `user` and the kind of `token`, or `refuse`.
    """
    async with aiohttp.ClientSession() as browser:
        async with browser.get(url) as page:
            page.raise_for_status()
        async with browser.post(url, data=form, allow_redirects=False) as answer:
            assert answer.status == 302, await answer.text()
            return URL(answer.headers["Location"])


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge of a verifier (RFC 7636)."""
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")


def answers(url: str, **more: Any) -> dict[str, Any]:
    """Return the answers of the form for the simulator at this address."""
    return {
        "environment": "custom",
        "base_url": url,
        "authorize_url": f"{url}/provider/authorize",
        "token_url": f"{url}/provider/token",
        "client_id": "app",
        "scope": SCOPE,
        "audience": url,
        "api_key": "key",
        **more,
    }


def make_driver_entry(sim: Simulator) -> MockConfigEntry:
    """Return the entry of the first user's log-in, with tokens that were just given."""
    user_id, now = sim.user_ids[0], sim.now()
    verifier = "v" * 43
    log_in = LogIn(
        client_id="app",
        redirect_uri="https://home.example",
        state="",
        challenge=challenge_of(verifier),
        scopes=frozenset(SCOPE.split()),
        audience=sim.url,
    )
    tokens = sim.provider.token(
        {
            "grant_type": "authorization_code",
            "client_id": "app",
            "code": sim.provider.agree(log_in, user_id, TokenKind.JWT, now),
            "redirect_uri": log_in.redirect_uri,
            "code_verifier": verifier,
        },
        sim.url,
        now,
        sim.settings.expires_in,
    )
    ends = now.timestamp() + sim.settings.expires_in
    return MockConfigEntry(
        domain=DOMAIN,
        minor_version=2,
        title="Jedlix",
        unique_id=f"{sim.url.removeprefix('http://')}/user/{user_id}",
        data={
            **answers(sim.url, client_secret=None, callback="none", user_id=user_id),
            "token": {
                "log_in": "a log-in",
                "access_token": tokens["access_token"],
                "refresh_token": tokens["refresh_token"],
                "renew_at": ends - 300,
                "expires_at": ends,
            },
        },
        options={"poll_minutes": 5, "import_energy": False},
        subentries_data=[
            ConfigSubentryData(
                subentry_type=SUBENTRY_USER,
                data={CONF_USER_ID: user_id},
                title=user_id,
                unique_id=user_id,
            )
        ],
    )
