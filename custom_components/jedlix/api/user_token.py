"""Access token of one user: from a log-in at the provider of the user's app, renewed with a refresh token.

The token is a JWT that the provider issues, with the user's id in the claim `jedlix_user_id` (documented:
D:user-token). How the provider gives and renews it is OAuth2, of which Jedlix documents nothing.
"""

from base64 import urlsafe_b64decode
from binascii import Error as NotBase64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
import time
from typing import Final, Self

from aiohttp import ClientSession
import orjson

from .errors import BadAnswer, ConnectionFailed, JedlixError, TokenRefused
from .reading import Fields, Json, number, text
from .shared_call import SharedCall
from .token_address import TokenAnswer, request_token

_CLAIM: Final = "jedlix_user_id"
_PARTS_OF_JWT: Final = 3
# After a renewal that failed, and after a good one, the next comes this much later at the earliest, in
# seconds. Until then the token at hand is used as long as it is valid.
RENEWAL_PAUSE: Final = 60.0


class NoJwt(BadAnswer):
    """The access token is no JWT, so it cannot be one that Jedlix accepts (documented)."""


class NoUserClaim(BadAnswer):
    """The access token does not name a user of Jedlix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserToken:
    """The tokens of a log-in. Times are in seconds since 1970."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    renew_at: float
    expires_at: float

    @classmethod
    def from_answer(cls, answer: TokenAnswer, now: float, refresh_token: str | None = None) -> Self:
        """Return the tokens of an answer; one that names no refresh token leaves the known one valid."""
        return cls(
            access_token=answer.access_token,
            refresh_token=answer.refresh_token or refresh_token,
            renew_at=now + answer.renew_after,
            expires_at=now + answer.lifetime,
        )

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Read stored tokens; raises BadAnswer when they are none."""
        fields = Fields(data)
        expires_at = number(fields.get("expiresat")) or 0.0
        return cls(
            access_token=fields.required_id("accesstoken"),
            refresh_token=text(fields.get("refreshtoken")),
            renew_at=number(fields.get("renewat")) or expires_at,
            expires_at=expires_at,
        )

    def as_json(self) -> dict[str, Json]:
        """Return the tokens for storage."""
        return {
            "access_token": self.access_token,
            "refresh_token": self.refresh_token,
            "renew_at": self.renew_at,
            "expires_at": self.expires_at,
        }

    @property
    def user_id(self) -> str:
        """Return the id of the user whom the access token names (documented); Jedlix checks its signature.

        Raises NoJwt or NoUserClaim.
        """
        parts = self.access_token.split(".")
        if len(parts) != _PARTS_OF_JWT:
            raise NoJwt("the access token has not the three parts of a JWT")
        try:
            claims = Fields(orjson.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))))
        except (NotBase64, UnicodeEncodeError, ValueError, BadAnswer) as err:
            raise NoJwt("the access token has no readable claims") from err
        if (user_id := text(claims.raw.get(_CLAIM))) is None:
            raise NoUserClaim(f"the access token has no claim {_CLAIM}")
        return user_id


async def redeem_code(
    session: ClientSession,
    *,
    token_url: str,
    client_id: str,
    client_secret: str | None,
    code: str,
    redirect_uri: str,
    code_verifier: str,
    now: float,
) -> UserToken:
    """Exchange the code of a log-in for its tokens (OAuth2 with PKCE, RFC 7636); raises a JedlixError."""
    form = {
        "grant_type": "authorization_code",
        "client_id": client_id,
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": code_verifier,
    }
    if client_secret:
        form["client_secret"] = client_secret
    secrets = tuple(filter(None, (client_secret, code, code_verifier)))
    return UserToken.from_answer(await request_token(session, token_url, form, secrets), now)


class UserTokenSource:
    """Gives the access token of one user, and renews it shortly before its end.

    `keep` stores renewed tokens, and they are used once it has returned: a provider that rotates refresh
    tokens accepts the old one no longer. Without `keep` nothing is renewed. The answer to a renewal may be
    lost on the way; the old refresh token is then tried again, as providers allow for a while or not at all.
    """

    def __init__(
        self,
        session: ClientSession,
        *,
        token_url: str,
        client_id: str,
        client_secret: str | None,
        token: UserToken,
        keep: Callable[[UserToken], Awaitable[None]] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Start with the tokens of a log-in; `clock` gives seconds since 1970."""
        self._session = session
        self._token_url = token_url
        self._form = {"grant_type": "refresh_token", "client_id": client_id}
        if client_secret:
            self._form["client_secret"] = client_secret
        self._token = token
        self._keep = keep
        self._clock = clock
        self._renewal = SharedCall[None]()
        self._refused: str | None = None
        self._renewed_at: float | None = None
        self._failed_at: float | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return what must not stand in any text: the client secret and the tokens."""
        token = self._token
        secrets = (self._form.get("client_secret"), token.access_token, token.refresh_token)
        return tuple(filter(None, secrets))

    async def token(self) -> str:
        """Return a token that is still good.

        A renewal that fails matters only once the token has ended, or the API has refused it. Raises
        TokenRefused where the provider no longer renews it, and ConnectionFailed, RateLimited, NotFound or
        BadAnswer.
        """
        token, now = self._token, self._clock()
        is_good = self._refused != token.access_token and now < token.expires_at
        if is_good and (now < token.renew_at or self._is_recent(self._failed_at)):
            return token.access_token
        try:
            await self._renewal.join(self._renew)
        except JedlixError:
            self._failed_at = self._clock()
            if not is_good:
                raise
        return self._token.access_token

    def refuse(self, token: str) -> None:
        """Have a token renewed that the API no longer accepts.

        One that was renewed within the last minute stays: another would not be accepted either. So does one
        that is not renewed here.
        """
        is_last = token == self._token.access_token
        if is_last and self._keep is not None and not self._is_recent(self._renewed_at):
            self._refused = token

    async def close(self) -> None:
        """Wait for the renewal under way and begin no other: the next source starts from what it kept."""
        self._keep = None
        await self._renewal.wait()

    def _is_recent(self, at: float | None) -> bool:
        """Return whether something was within the last minute; a time in the future is not believed."""
        return at is not None and 0 <= self._clock() - at < RENEWAL_PAUSE

    async def _renew(self) -> None:
        token, keep = self._token, self._keep
        if keep is None:
            raise ConnectionFailed("this account is not loaded, so its log-in is not renewed")
        if token.refresh_token is None:
            raise TokenRefused("the log-in has ended, and the provider gave no refresh token")
        form = {**self._form, "refresh_token": token.refresh_token}
        answer = await request_token(self._session, self._token_url, form, self.secrets)
        renewed = UserToken.from_answer(answer, self._clock(), token.refresh_token)
        await keep(renewed)
        self._token = renewed
        self._renewed_at = self._clock()
