"""Tokens: the access tokens that were given out and are still valid."""

from collections import deque
from datetime import datetime, timedelta
import secrets

KEPT_TOKENS = 1000


class Tokens:
    """Access tokens with the time until which each is valid."""

    def __init__(self) -> None:
        """Start with none."""
        self._ends: dict[str, datetime] = {}
        self.given: deque[str] = deque(maxlen=KEPT_TOKENS)
        """All tokens that were given out, those that have ended as well."""

    def give(self, now: datetime, seconds: float) -> str:
        """Return a new token that is valid for so many seconds."""
        self._ends = {token: end for token, end in self._ends.items() if end > now}
        token = secrets.token_urlsafe(32)
        self.given.append(token)
        self._ends[token] = now + timedelta(seconds=seconds)
        return token

    def is_valid(self, token: str, now: datetime) -> bool:
        """Whether the token was given out here and has not expired."""
        end = self._ends.get(token)
        return end is not None and end > now

    def expire(self) -> None:
        """Let all tokens end now."""
        self._ends.clear()
