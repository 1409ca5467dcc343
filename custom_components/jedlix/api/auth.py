"""Access token of the management API: OAuth2 client credentials, cached and renewed early."""

from codecs import BOM_UTF8
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
import time
from typing import Final

from aiohttp import ClientSession
import orjson

from .errors import BadAnswer, ConnectionFailed, TokenForbidden, TokenRefused
from .http import send
from .reading import Fields, number, text
from .shared_call import SharedCall

# The lifetime of a token is not documented. Used where the answer does not contain it, in seconds.
_DEFAULT_LIFETIME: Final = 600.0
# A token is renewed this long before its end at most, in seconds.
_MAX_RENEWAL_MARGIN: Final = 300.0
_REFUSALS: Final = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


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

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return what must not stand in any text: the client secret and the token."""
        token = () if self._token is None else (self._token.value,)
        return (self._form["client_secret"], *token)

    async def token(self) -> str:
        """Return a token that is still good.

        Raises TokenRefused for wrong credentials, TokenForbidden where they are not meant for this
        audience, and ConnectionFailed, RateLimited or BadAnswer.
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
        words = answer.problem(self.secrets)
        if answer.status in _REFUSALS:
            if not answer.is_oauth_error:
                # Something in between, a proxy say: the token address would name the error.
                raise ConnectionFailed(f"the token address answers with HTTP {answer.status}")
            is_forbidden = answer.status == HTTPStatus.FORBIDDEN
            raise (TokenForbidden if is_forbidden else TokenRefused)(str(words))
        answer.raise_unless_ok(self.secrets)
        try:
            fields = Fields(orjson.loads(answer.body.removeprefix(BOM_UTF8)))
        except orjson.JSONDecodeError as err:
            raise BadAnswer("the token address does not answer with JSON") from err
        if (value := text(fields.get("accesstoken"))) is None:
            raise BadAnswer("the token address gives no access_token")
        lifetime = number(fields.get("expiresin")) or 0.0
        if lifetime <= 0:
            lifetime = _DEFAULT_LIFETIME
        margin = min(_MAX_RENEWAL_MARGIN, lifetime / 10)
        self._token = _Token(value, self._clock() + lifetime - margin)
        return self._token
