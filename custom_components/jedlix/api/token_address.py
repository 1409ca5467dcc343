"""Token address: one request for a token, its answer, and what the client needs of whoever has a token."""

from codecs import BOM_UTF8
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Protocol

from aiohttp import ClientSession
import orjson

from .errors import BadAnswer, ConnectionFailed, TokenForbidden, TokenRefused
from .http import send
from .reading import Fields, number, text

# Used where the answer does not say how long the token is valid, in seconds (Jedlix documents no lifetime).
_DEFAULT_LIFETIME: Final = 600.0
# A token is renewed this long before its end at most, in seconds.
_MAX_RENEWAL_MARGIN: Final = 300.0
_REFUSALS: Final = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
# Errors that say nothing about the client (OAuth, RFC 6749), whatever their status.
_TEMPORARY: Final = frozenset({"server_error", "temporarily_unavailable"})


class Auth(Protocol):
    """What gives the client its access token."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return what must not stand in any text."""

    async def token(self) -> str:
        """Return a token that is still good; raises a JedlixError."""

    def refuse(self, token: str) -> None:
        """Note that the API no longer accepts a token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAnswer:
    """A good answer of a token address; `lifetime` and `renew_after` are in seconds."""

    access_token: str
    refresh_token: str | None
    lifetime: float

    @property
    def renew_after(self) -> float:
        """Return after which time to renew the token: shortly before its end."""
        return self.lifetime - min(_MAX_RENEWAL_MARGIN, self.lifetime / 10)


async def request_token(
    session: ClientSession, token_url: str, form: Mapping[str, str], secrets: Collection[str]
) -> TokenAnswer:
    """Post a form to a token address (OAuth2); no text of an error contains one of the secrets.

    Raises TokenRefused or TokenForbidden where it refuses in so many words, and ConnectionFailed,
    RateLimited, NotFound or BadAnswer.
    """
    answer = await send(session, "POST", token_url, data=form)
    if answer.status in _REFUSALS:
        if (error := answer.oauth_error) is None or error in _TEMPORARY:
            # Something in between, a proxy say: the token address would name the error.
            raise ConnectionFailed(f"the token address answers with HTTP {answer.status}")
        is_forbidden = answer.status == HTTPStatus.FORBIDDEN
        raise (TokenForbidden if is_forbidden else TokenRefused)(str(answer.problem(secrets)))
    answer.raise_unless_ok(secrets)
    try:
        fields = Fields(orjson.loads(answer.body.removeprefix(BOM_UTF8)))
    except orjson.JSONDecodeError as err:
        raise BadAnswer("the token address does not answer with JSON") from err
    if (value := text(fields.get("accesstoken"))) is None:
        raise BadAnswer("the token address gives no access_token")
    lifetime = number(fields.get("expiresin")) or 0.0
    return TokenAnswer(
        access_token=value,
        refresh_token=text(fields.get("refreshtoken")),
        lifetime=lifetime if lifetime > 0 else _DEFAULT_LIFETIME,
    )
