"""The management access token: OAuth2 client credentials, cached, renewed early, one renewal at a time."""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
import time
from typing import Final

from aiohttp import ClientSession
import orjson

from .errors import AuthError, BadAnswer, Forbidden
from .http import send
from .reading import Fields, number, text

# How long a token lives is not documented; where the answer does not say, ask again this soon (seconds).
_DEFAULT_LIFETIME: Final = 600.0
_LONGEST_MARGIN: Final = 300.0


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    renew_at: float


class TokenSource:
    """Gives the access token of one tenant (documented: D:mgmt-token).

    The token is kept until shortly before its end. Any number of callers that need a new one wait for the
    same single request.
    """

    def __init__(
        self,
        session: ClientSession,
        *,
        token_url: str,
        client_id: str,
        client_secret: str,
        audience: str,
    ) -> None:
        """Remember the credentials; nothing is asked before the first token is needed."""
        self._session = session
        self._token_url = token_url
        self._form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": client_secret,
            "audience": audience,
        }
        self._token: _Token | None = None
        self._renewal: asyncio.Task[_Token] | None = None

    async def token(self) -> str:
        """Return a token that is still good.

        Raises AuthError for wrong credentials, Forbidden where they are not meant for this audience, and
        ConnectionFailed, RateLimited or BadAnswer.
        """
        if self._token is None or time.monotonic() >= self._token.renew_at:
            if self._renewal is None:
                self._renewal = asyncio.create_task(self._renew())
                self._renewal.add_done_callback(self._renewed)
            renewal = self._renewal
            # Unlike a shield, this is silent when the renewal fails after its caller was cancelled.
            await asyncio.wait([renewal])
            return renewal.result().value
        return self._token.value

    def refuse(self, token: str) -> None:
        """Forget a token that the API no longer accepts; a newer one is kept."""
        if self._token is not None and self._token.value == token:
            self._token = None

    def _renewed(self, task: asyncio.Task[_Token]) -> None:
        self._renewal = None
        # An exception is told to the callers; asking for it here as well, as nobody may be left.
        if not task.cancelled() and task.exception() is None:
            self._token = task.result()

    async def _renew(self) -> _Token:
        answer = await send(self._session, "POST", self._token_url, data=self._form)
        if answer.status in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED):
            raise AuthError(answer.problem or "the client id or secret is wrong")
        if answer.status == HTTPStatus.FORBIDDEN:
            raise Forbidden(answer.problem or "the client is not allowed for this audience")
        answer.raise_unless_ok()
        try:
            fields = Fields(orjson.loads(answer.body))
        except orjson.JSONDecodeError as err:
            raise BadAnswer("the token address does not answer with JSON") from err
        if (value := text(fields.get("accesstoken"))) is None:
            raise BadAnswer("the token address gives no access_token")
        lifetime = number(fields.get("expiresin")) or _DEFAULT_LIFETIME
        return _Token(value, time.monotonic() + lifetime - min(_LONGEST_MARGIN, lifetime / 10))
