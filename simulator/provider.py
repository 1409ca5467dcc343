"""Identity provider of an app: drivers log in there, and it gives them the tokens that Jedlix accepts.

Documented is the access token: a JWT with the claims iss, aud, exp and jedlix_user_id. The rest is OAuth2
with PKCE, and how Auth0 behaves: no JWT without an audience, no refresh token without the scope
offline_access, each refresh token good for one renewal, and one that is used twice ends the log-in.
"""

from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
import hmac
import json
import secrets

from .model import JsonObject
from .tokens import Owner, Tokens


class TokenKind(StrEnum):
    """What the access tokens of a log-in are like."""

    JWT = "jwt"
    NO_CLAIM = "no_claim"
    OPAQUE = "opaque"


_CODE_LIFETIME = timedelta(minutes=10)
_OFFLINE = "offline_access"


class Denied(Exception):
    """A request that the provider refuses, with an error of OAuth2 and words about it."""

    def __init__(self, error: str, description: str) -> None:
        """Keep both."""
        super().__init__(description)
        self.error, self.description = error, description


@dataclass(slots=True, frozen=True, kw_only=True)
class LogIn:
    """What an app asks for, and after the page who logged in."""

    client_id: str
    redirect_uri: str
    state: str
    challenge: str
    scopes: frozenset[str]
    audience: str

    @classmethod
    def read(cls, query: Mapping[str, str], redirects: frozenset[str] | None) -> LogIn:
        """Read the query of a log-in page; raises Denied. `redirects` are the registered addresses."""
        redirect_uri = query.get("redirect_uri", "")
        if not redirect_uri or (redirects is not None and redirect_uri not in redirects):
            raise Denied("invalid_request", f"{redirect_uri} is no registered redirect address.")
        if not query.get("client_id"):
            raise Denied("invalid_request", "client_id is missing.")
        if query.get("response_type") != "code":
            raise Denied("unsupported_response_type", "response_type must be code.")
        if query.get("code_challenge_method") != "S256" or not query.get("code_challenge"):
            raise Denied("invalid_request", "PKCE with S256 is required.")
        return cls(
            client_id=query["client_id"],
            redirect_uri=redirect_uri,
            state=query.get("state", ""),
            challenge=query["code_challenge"],
            scopes=frozenset(query.get("scope", "").split()),
            audience=query.get("audience", "").rstrip("/"),
        )


@dataclass(slots=True, frozen=True, kw_only=True)
class Grant:
    """A log-in that a driver agreed to. All tokens of one log-in have the same `family`."""

    log_in: LogIn
    user_id: str
    kind: TokenKind
    family: str


class Provider:
    """The identity provider. `redirects` are the addresses registered at it, None for any."""

    def __init__(
        self, tokens: Tokens, *, client_secret: str, audiences: Callable[[], set[str]]
    ) -> None:
        """Give tokens that Jedlix accepts, where they are meant for one of these audiences."""
        self._tokens = tokens
        self._client_secret = client_secret
        self._audiences = audiences
        self._codes: dict[str, tuple[Grant, datetime]] = {}
        self._refresh_tokens: dict[str, Grant] = {}
        self._used: dict[str, Grant] = {}
        self._key = secrets.token_bytes(32)
        self.redirects: frozenset[str] | None = None

    def agree(self, log_in: LogIn, user_id: str, kind: TokenKind, now: datetime) -> str:
        """Return the code for a driver who logged in and agreed."""
        code = secrets.token_urlsafe(24)
        grant = Grant(log_in=log_in, user_id=user_id, kind=kind, family=secrets.token_hex(8))
        self._codes[code] = (grant, now + _CODE_LIFETIME)
        return code

    def end_log_ins(self) -> None:
        """End all log-ins: no refresh token is good any more. Access tokens stay valid until they end."""
        self._refresh_tokens.clear()

    def token(
        self, form: Mapping[str, str], issuer: str, now: datetime, seconds: int
    ) -> JsonObject:
        """Answer a request for tokens; raises Denied. The access token is valid for so many seconds."""
        secret = form.get("client_secret")
        if secret is not None and secret != self._client_secret:
            raise Denied("invalid_client", "The client secret is wrong.")
        match form.get("grant_type"):
            case "authorization_code":
                grant = self._redeem(form, now)
            case "refresh_token":
                grant = self._renew(form)
            case _:
                raise Denied("unsupported_grant_type", "Use a code or a refresh token.")
        access_token = self._access_token(grant, issuer, now, seconds)
        answer: JsonObject = {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": seconds,
        }
        if _OFFLINE in grant.log_in.scopes:
            answer["refresh_token"] = refresh_token = secrets.token_urlsafe(32)
            self._refresh_tokens[refresh_token] = grant
            self._tokens.given.append(refresh_token)
        return answer

    def _redeem(self, form: Mapping[str, str], now: datetime) -> Grant:
        grant, until = self._codes.pop(form.get("code", ""), (None, now))
        if grant is None or until <= now:
            raise Denied("invalid_grant", "The code is unknown, used or too old.")
        log_in = grant.log_in
        if form.get("client_id") != log_in.client_id:
            raise Denied("invalid_grant", "The code belongs to another client.")
        if form.get("redirect_uri") != log_in.redirect_uri:
            raise Denied("invalid_grant", "The redirect address is another one.")
        if not hmac.compare_digest(_challenge(form.get("code_verifier", "")), log_in.challenge):
            raise Denied("invalid_grant", "The code verifier does not fit.")
        return grant

    def _renew(self, form: Mapping[str, str]) -> Grant:
        """Use a refresh token up. One that comes a second time may be stolen: the log-in ends."""
        token = form.get("refresh_token", "")
        if (grant := self._refresh_tokens.pop(token, None)) is None:
            if (reused := self._used.get(token)) is not None:
                self._refresh_tokens = {
                    known: other
                    for known, other in self._refresh_tokens.items()
                    if other.family != reused.family
                }
            raise Denied("invalid_grant", "The refresh token is unknown, used or has ended.")
        if form.get("client_id") != grant.log_in.client_id:
            raise Denied("invalid_grant", "The refresh token belongs to another client.")
        self._used[token] = grant
        return grant

    def _access_token(self, grant: Grant, issuer: str, now: datetime, seconds: int) -> str:
        log_in = grant.log_in
        if grant.kind is TokenKind.OPAQUE or not log_in.audience:
            self._tokens.given.append(opaque := secrets.token_urlsafe(32))
            return opaque
        claims: JsonObject = {
            "iss": issuer,
            "aud": log_in.audience,
            "sub": f"driver|{grant.user_id[:8]}",
            "iat": int(now.timestamp()),
            "exp": int(now.timestamp()) + seconds,
            "jti": secrets.token_hex(8),
            "scope": " ".join(sorted(log_in.scopes)),
        }
        if grant.kind is TokenKind.JWT:
            claims["jedlix_user_id"] = grant.user_id
        parts = ".".join(_encoded(json.dumps(part).encode()) for part in (_HEADER, claims))
        signature = hmac.digest(self._key, parts.encode(), "sha256")
        access_token = f"{parts}.{_encoded(signature)}"
        if grant.kind is TokenKind.JWT and log_in.audience in self._audiences():
            self._tokens.accept(access_token, now, seconds, Owner(grant.user_id, log_in.scopes))
        else:
            self._tokens.given.append(access_token)
        return access_token


_HEADER = {"alg": "HS256", "typ": "JWT"}


def _challenge(verifier: str) -> str:
    """Return the S256 challenge of a verifier (RFC 7636)."""
    return _encoded(sha256(verifier.encode()).digest())


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")
