"""Is push alive? What was delivered, refused and missed, and the one state that follows from it. Pure."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

# A change that the poll found counts as missed when no delivery named its user in this time.
GRACE: Final = timedelta(minutes=15)
_WRONG_KEY_MATTERS: Final = timedelta(minutes=15)
_WRONG_KEYS: Final = 3


class PushState(StrEnum):
    """What a user sees of push."""

    OFF = "off"
    CONNECTING = "connecting"
    WAITING = "waiting"
    HEALTHY = "healthy"
    SILENT = "silent"
    FAILING = "failing"


class Registration(StrEnum):
    """How far the registration at Jedlix is."""

    OFF = "off"
    PENDING = "pending"
    DONE = "done"
    REFUSED = "refused"


@dataclass(slots=True, kw_only=True)
class PushHealth:
    """The evidence about one entry's push. Times are UTC, the delay is in seconds."""

    registration: Registration = Registration.OFF
    received: int = 0
    rejected: int = 0
    missed_by_push: int = 0
    last_delivery: datetime | None = None
    last_delay: float | None = None
    # whether a delivery ever announced a change: only then is one that comes without a sign of trouble
    announces: bool = False
    # called after each review, which is after each good poll
    reviewed: Callable[[], None] = lambda: None
    # how often push fell silent since something was last delivered
    silences: int = 0
    _last_by_user: dict[str, datetime] = field(default_factory=dict)
    _suspects: deque[tuple[datetime, str]] = field(default_factory=deque)
    _silent: bool = False
    _heard: bool = False
    _renewed_at: datetime | None = None
    _wrong_keys: deque[datetime] = field(default_factory=lambda: deque(maxlen=_WRONG_KEYS))

    def delivered(self, user_id: str | None, occurred_at: datetime | None, now: datetime) -> None:
        """Note an accepted delivery."""
        self.received += 1
        self.last_delivery = now
        if occurred_at is not None:
            self.last_delay = max(0.0, (now - occurred_at).total_seconds())
        if user_id is not None:
            self._last_by_user.pop(user_id, None)  # so that the dict stays in the order of time
            self._last_by_user[user_id] = now
            if self._suspects:
                self._suspects = deque(item for item in self._suspects if item[1] != user_id)
        self._heard = True
        self._silent = False
        self.silences = 0
        self._wrong_keys.clear()

    def refused_key(self, now: datetime) -> None:
        """Note a delivery with a wrong key."""
        self.rejected += 1
        self._wrong_keys.append(now)

    def refused_body(self) -> None:
        """Note a delivery with the right key that could not be read."""
        self.rejected += 1

    def announced(self) -> None:
        """Note that a delivery led to a change: this tenant's webhooks do tell what happens."""
        self.announces = True

    def found_by_poll(self, user_id: str, now: datetime) -> None:
        """Note a change that the poll found; a delivery shortly before or after clears it."""
        last = self._last_by_user.get(user_id)
        is_wanted = self.registration is not Registration.OFF
        if is_wanted and (last is None or now - last > GRACE):
            self._suspects.append((now, user_id))

    def review(self, now: datetime) -> None:
        """Count the changes whose time for an announcement is over, and forget what is too old to matter."""
        while self._suspects and now - self._suspects[0][0] > GRACE:
            found_at, _ = self._suspects.popleft()
            self.missed_by_push += 1
            renewed_since = self._renewed_at is not None and found_at <= self._renewed_at
            if self.announces and not self._silent and not renewed_since:
                self._silent = True
                self.silences += 1
        while self._last_by_user:
            oldest = next(iter(self._last_by_user))
            if now - self._last_by_user[oldest] <= GRACE:
                break
            del self._last_by_user[oldest]
        self.reviewed()

    def renewed(self, now: datetime) -> None:
        """Forget the trouble: all was just written anew. What was silent has yet to be heard."""
        self._heard = self._heard and not self._silent
        self._silent = False
        self._renewed_at = now
        self._wrong_keys.clear()

    def has_wrong_keys(self, now: datetime) -> bool:
        """Return whether deliveries keep coming with a key that is not ours."""
        return (
            len(self._wrong_keys) == _WRONG_KEYS and now - self._wrong_keys[0] < _WRONG_KEY_MATTERS
        )

    def state(self, now: datetime) -> PushState:
        """Return the one state that all this amounts to."""
        if self.registration is Registration.OFF:
            return PushState.OFF
        if self.registration is Registration.REFUSED or self.has_wrong_keys(now):
            return PushState.FAILING
        if self.registration is Registration.PENDING:
            return PushState.CONNECTING
        if self._silent:
            return PushState.SILENT
        return PushState.HEALTHY if self._heard else PushState.WAITING
