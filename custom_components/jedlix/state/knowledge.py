"""Knowledge: until when a user is known, whether that is recent enough to show, and which changes are late.

All moments are Jedlix's. A stored moment that lies in the future is not believed.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from .changes import Change
from .user_snapshot import UserSnapshot
from .vehicle_snapshot import CLOCK_TOLERANCE

POLLS_BEFORE_UNKNOWN: Final = 3
MIN_TIME_BEFORE_UNKNOWN: Final = timedelta(minutes=3)
LATE_AFTER: Final = timedelta(minutes=15)


def known_until(
    user: UserSnapshot | None, tenant_read_at: datetime | None, now: datetime | None
) -> datetime | None:
    """Return until when a user is known, None where nothing is.

    `now` is None as long as Jedlix has not answered: then its clock is not known, and no moment is doubted.
    The tenant's list names what began or ended. It says nothing about a user who cannot be read.
    """
    if user is None or (refreshed_at := _believed(user.refreshed_at, now)) is None:
        return None
    tenant_read_at = _believed(tenant_read_at, now)
    if user.failing_since is not None or tenant_read_at is None:
        return refreshed_at
    return max(refreshed_at, tenant_read_at)


def max_age(poll_interval: timedelta, polls_per_turn: int) -> timedelta:
    """Return how old the knowledge of a user may be; every so many polls it is their turn."""
    return max(POLLS_BEFORE_UNKNOWN * poll_interval * polls_per_turn, MIN_TIME_BEFORE_UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A time in which nobody read a user: what happened in it may have been missed."""

    begin: datetime
    end: datetime

    def is_late(self, change: Change) -> bool:
        """Return whether a change that was found after the gap is late.

        A change without a time of its own may have happened at any time in the gap.
        """
        return not change.is_timed or self.end - change.occurred_at > LATE_AFTER


def _believed(moment: datetime | None, now: datetime | None) -> datetime | None:
    if moment is None or now is None:
        return moment
    return None if moment > now + CLOCK_TOLERANCE else moment
