"""Tokens: the access tokens that were given out and are still valid, and whose they are."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
import secrets

KEPT_TOKENS = 1000


@dataclass(slots=True, frozen=True)
class Owner:
    """The user to whom an access token belongs, and what it allows (documented: scopes decide)."""

    user_id: str
    scopes: frozenset[str]


class Tokens:
    """Access tokens with the time until which each is valid."""

    def __init__(self) -> None:
        """Start with none."""
        self._ends: dict[str, datetime] = {}
        self._owners: dict[str, Owner] = {}
        self.given: deque[str] = deque(maxlen=KEPT_TOKENS)
        """All tokens that were given out, those that have ended as well, and those that renew others."""

    def give(self, now: datetime, seconds: float) -> str:
        """Return a new token of the tenant that is valid for so many seconds."""
        token = secrets.token_urlsafe(32)
        self._keep(token, now, seconds)
        return token

    def accept(self, token: str, now: datetime, seconds: float, owner: Owner) -> None:
        """Accept a token that an identity provider gave a user, for so many seconds."""
        self._keep(token, now, seconds)
        self._owners[token] = owner

    def is_valid(self, token: str, now: datetime) -> bool:
        """Whether the token was given out here and has not expired."""
        end = self._ends.get(token)
        return end is not None and end > now

    def owner(self, token: str) -> Owner | None:
        """Return the user to whom a token belongs, None for a token of the tenant."""
        return self._owners.get(token)

    def expire(self) -> None:
        """Let all tokens end now."""
        self._ends.clear()

    def _keep(self, token: str, now: datetime, seconds: float) -> None:
        self._ends = {known: end for known, end in self._ends.items() if end > now}
        self._owners = {
            known: owner for known, owner in self._owners.items() if known in self._ends
        }
        self._ends[token] = now + timedelta(seconds=seconds)
        self.given.append(token)
