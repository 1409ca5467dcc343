"""Clock of Jedlix, as the `Date` headers of its answers show it.

Times that Jedlix reports are compared with this clock, never with that of the machine, which may be hours
wrong. A header has whole seconds, so small differences count as none. One odd header decides nothing:
another offset is taken when two headers in a row agree.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

# A `Date` header has whole seconds, and an answer takes some seconds.
_TOLERANCE: Final = timedelta(seconds=20)
_NO_OFFSET: Final = timedelta(0)
# A machine without a battery starts in 1970. No real clock differs by more than this.
_MAX_OFFSET: Final = timedelta(days=100 * 365)


def _machine_time() -> datetime:
    return datetime.now(UTC)


class JedlixClock:
    """Jedlix's time: that of this machine, corrected by what the answers show."""

    def __init__(self, machine_time: Callable[[], datetime] = _machine_time) -> None:
        """Start with the machine's time."""
        self._machine_time = machine_time
        self._offset = _NO_OFFSET
        self._candidate: timedelta | None = None

    def now(self) -> datetime:
        """Return the time at Jedlix, in UTC."""
        return self._machine_time() + self._offset

    def note_date(self, header: str | None) -> None:
        """Note the `Date` header of an answer that just came."""
        try:
            date = parsedate_to_datetime(header or "")
        except ValueError:
            return
        if date.tzinfo is None:
            date = date.replace(tzinfo=UTC)
        offset = date - self._machine_time()
        if abs(offset) > _MAX_OFFSET:
            return
        if abs(offset) < _TOLERANCE:
            offset = _NO_OFFSET
        if abs(offset - self._offset) < _TOLERANCE:
            self._candidate = None
        elif self._candidate is not None and abs(offset - self._candidate) < _TOLERANCE:
            self._offset, self._candidate = offset, None
        else:
            self._candidate = offset
