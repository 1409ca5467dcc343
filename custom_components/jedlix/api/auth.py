"""Access token of the management API: OAuth2 client credentials, cached and renewed early."""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
import time
from typing import Final

from aiohttp import ClientSession
import orjson

from .errors import AuthError, BadAnswer, Forbidden
from .http import send
from .reading import Fields, number, text
from .shared_call import SharedCall

# The lifetime of a token is not documented. Used where the answer does not contain it, in seconds.
_DEFAULT_LIFETIME: Final = 600.0
# A token is renewed this long before its end at most, in seconds.
_MAX_RENEWAL_MARGIN: Final = 300.0


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    renew_at: float


class TokenSource:
    """Gives the access token of one tenant (documented: D:mgmt-token).

    The token is kept until shortly before its end. All callers who need a new one wait for the same request.
    """

    def __init__(
        self,
        session: ClientSession,
        *,
        token_url: str,
        client_id: str,
        client_secret: str,
        audience: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep the credentials; the first request is made when the first token is needed."""
        self._session = session
        self._token_url = token_url
        self._form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": client_secret,
            "audience": audience,
        }
        self._clock = clock
        self._token: _Token | None = None
        self._renewal = SharedCall[_Token]()

    async def token(self) -> str:
        """Return a token that is still good.

        Raises AuthError for wrong credentials, Forbidden where they are not meant for this audience, and
        ConnectionFailed, RateLimited or BadAnswer.
        """
        token = self._token
        if token is None or self._clock() >= token.renew_at:
            token = await self._renewal.join(self._renew)
        return token.value

    def refuse(self, token: str) -> None:
        """Drop a token that the API no longer accepts; a newer one is kept."""
        if self._token is not None and self._token.value == token:
            self._token = None

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
        margin = min(_MAX_RENEWAL_MARGIN, lifetime / 10)
        self._token = _Token(value, self._clock() + lifetime - margin)
        return self._token
