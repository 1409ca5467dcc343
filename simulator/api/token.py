"""The token endpoint (documented: form, grant, audience; the errors are Auth0's habit)."""

from datetime import datetime, timedelta
import secrets
from typing import TYPE_CHECKING

from aiohttp import web

from .http import json_response

if TYPE_CHECKING:
    from simulator.app import Simulator


class Tokens:
    """The access tokens that were given out and still count."""

    def __init__(self) -> None:
        """Start with none."""
        self._ends: dict[str, datetime] = {}

    def give(self, now: datetime, seconds: float) -> str:
        """Return a new token that is good for so long."""
        self._ends = {token: end for token, end in self._ends.items() if end > now}
        token = secrets.token_urlsafe(32)
        self._ends[token] = now + timedelta(seconds=seconds)
        return token

    def is_valid(self, token: str, now: datetime) -> bool:
        """Whether the token is ours and has not expired."""
        end = self._ends.get(token)
        return end is not None and end > now

    def expire(self) -> None:
        """Let all tokens end now."""
        self._ends.clear()


async def answer(sim: Simulator, request: web.Request) -> web.Response:
    """Answer a client-credentials request: any client id with the right secret and audience."""
    form = await request.post()
    if form.get("grant_type") != "client_credentials":
        return _error(400, "unsupported_grant_type", "grant_type must be client_credentials")
    if not form.get("client_id") or form.get("client_secret") != sim.settings.client_secret:
        return _error(401, "access_denied", "Unauthorized")
    audience = str(form.get("audience", "")).rstrip("/")
    if audience not in sim.audiences | {f"{request.scheme}://{request.host}"}:
        return _error(403, "access_denied", f'Service not found: "{audience}"')
    seconds = sim.settings.expires_in
    return json_response(
        {
            "access_token": sim.tokens.give(sim.now(), seconds),
            "token_type": "Bearer",
            "expires_in": seconds,
        }
    )


def _error(status: int, error: str, description: str) -> web.Response:
    return json_response({"error": error, "error_description": description}, status)
