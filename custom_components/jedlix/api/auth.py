"""Access token of the management API: OAuth2 client credentials, cached and renewed early."""

from collections.abc import Callable
from dataclasses import dataclass
import time

from aiohttp import ClientSession

from .shared_call import SharedCall
from .token_address import request_token


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
        answer = await request_token(self._session, self._token_url, self._form, self.secrets)
        self._token = _Token(answer.access_token, self._clock() + answer.renew_after)
        return self._token
