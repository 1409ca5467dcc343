"""Credentials check: when refused credentials are asked for again.

One refusal is not yet a wrong password. New credentials are requested when several polls in a row, over some
minutes, were refused. The first good answer withdraws the request.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from ..api.agreement import Agreement

REQUESTED_AFTER: Final = Agreement(3, timedelta(minutes=10))


@dataclass(slots=True)
class CredentialsCheck:
    """The refusals of one account since its last good answer."""

    refused_since: datetime | None = None
    refusals: int = 0

    def note_refusal(self, now: datetime) -> bool:
        """Note a poll that was refused; returns whether to request new credentials."""
        self.refusals += 1
        if self.refused_since is None or self.refused_since > now:
            self.refused_since = now
        return REQUESTED_AFTER.is_reached(self.refusals, self.refused_since, now)

    def note_answer(self) -> None:
        """Note a good answer."""
        self.refused_since, self.refusals = None, 0
