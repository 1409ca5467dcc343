"""Push health: what was delivered, refused and missed, and the push state that follows from it. Pure.

State machine, first match wins:

| state | when |
|---|---|
| off | no callback is wanted |
| failing | the registration is refused, or calls keep arriving with a wrong key or without one |
| connecting | the registration is under way, or is retried |
| limited | registered, but no accepted event type reports charging: changes come by poll |
| silent | the poll found a change that no delivery reported, at a tenant whose deliveries report changes |
| healthy | something was delivered since the subscriptions were last renewed |
| waiting | registered, and nothing was delivered yet |
"""

from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from ..state.changes import ChangeType
from .event_types import find, reports_charging

# A change that the poll found counts as missed when no delivery named its user in this time.
DELIVERY_TOLERANCE: Final = timedelta(minutes=15)
_WRONG_KEYS_WITHIN: Final = timedelta(minutes=15)
_WRONG_KEYS: Final = 3
_ANNOUNCED_BY: Final = {
    ChangeType.SESSION_STARTED: "sessionstarted",
    ChangeType.SESSION_ENDED: "sessionended",
}


class PushState(StrEnum):
    """The state of push, as a user sees it."""

    OFF = "off"
    CONNECTING = "connecting"
    WAITING = "waiting"
    LIMITED = "limited"
    HEALTHY = "healthy"
    SILENT = "silent"
    FAILING = "failing"


class RegistrationState(StrEnum):
    """How far the registration at Jedlix is."""

    OFF = "off"
    PENDING = "pending"
    DONE = "done"
    REFUSED = "refused"


@dataclass(slots=True, kw_only=True)
class PushHealth:
    """The health of one entry's push. Times are UTC, the delay is in seconds."""

    registration: RegistrationState = RegistrationState.OFF
    received: int = 0
    rejected: int = 0
    missed_by_push: int = 0
    last_delivery: datetime | None = None
    last_delay: float | None = None
    # the event types that Jedlix accepted; kept up to date by whoever registers them
    event_types: Collection[str] = ()
    # whether a delivery ever led to a change: only then is a change without a delivery a sign of trouble
    reports_changes: bool = False
    # called after each review, which follows each good poll
    reviewed: Callable[[], None] = lambda: None
    # how often push became silent since the last delivery
    silences: int = 0
    _last_by_user: dict[str, datetime] = field(default_factory=dict)
    _unreported: deque[tuple[datetime, str]] = field(default_factory=deque)
    _is_silent: bool = False
    _has_delivered: bool = False
    _renewed_at: datetime | None = None
    # what was wrong with the last of them, as a key of the translations
    key_problem: str = ""
    _wrong_keys: deque[datetime] = field(default_factory=lambda: deque(maxlen=_WRONG_KEYS))

    def note_delivery(
        self, user_id: str | None, occurred_at: datetime | None, now: datetime
    ) -> None:
        """Note an accepted delivery."""
        self.received += 1
        self.last_delivery = now
        if occurred_at is not None:
            self.last_delay = max(0.0, (now - occurred_at).total_seconds())
        if user_id is not None:
            self._last_by_user.pop(user_id, None)  # so that the dict stays in the order of time
            self._last_by_user[user_id] = now
            if self._unreported:
                self._unreported = deque(item for item in self._unreported if item[1] != user_id)
        self._has_delivered = True
        self._is_silent = False
        self.silences = 0
        self._wrong_keys.clear()

    def note_wrong_key(self, now: datetime, problem: str = "wrong_key") -> None:
        """Note a delivery with a wrong key, or without one."""
        self.rejected += 1
        self.key_problem = problem
        self._wrong_keys.append(now)

    def note_bad_body(self) -> None:
        """Note a delivery with the right key that could not be read."""
        self.rejected += 1

    def note_change_after_delivery(self) -> None:
        """Note that a delivery led to a change: this tenant's deliveries report what happens."""
        self.reports_changes = True

    def expects(self, change_type: ChangeType) -> bool:
        """Return whether an accepted event type reports such a change.

        The types about sessions report their start and end (documented meaning). What a type reports that is
        not in the table is not known, so with one of those any change is expected.
        """
        announces = _ANNOUNCED_BY.get(change_type)
        return any(name.casefold() == announces or find(name) is None for name in self.event_types)

    def note_change_found_by_poll(self, user_id: str, now: datetime) -> None:
        """Note a change that the poll found. A delivery shortly before or after it is its report."""
        last = self._last_by_user.get(user_id)
        is_wanted = self.registration is not RegistrationState.OFF
        if is_wanted and (last is None or now - last > DELIVERY_TOLERANCE):
            self._unreported.append((now, user_id))

    def review(self, now: datetime) -> None:
        """Count the changes that no delivery reported in time, and forget what is too old to matter."""
        while self._unreported and now - self._unreported[0][0] > DELIVERY_TOLERANCE:
            found_at, _ = self._unreported.popleft()
            self.missed_by_push += 1
            is_renewed_since = self._renewed_at is not None and found_at <= self._renewed_at
            if self.reports_changes and not self._is_silent and not is_renewed_since:
                self._is_silent = True
                self.silences += 1
        while self._last_by_user:
            oldest = next(iter(self._last_by_user))
            if now - self._last_by_user[oldest] <= DELIVERY_TOLERANCE:
                break
            del self._last_by_user[oldest]
        self.reviewed()

    def note_renewal(self, now: datetime) -> None:
        """Note that all subscriptions were written again. After a silence push has yet to deliver."""
        self._has_delivered = self._has_delivered and not self._is_silent
        self._is_silent = False
        self._renewed_at = now
        self._wrong_keys.clear()

    def has_wrong_keys(self, now: datetime) -> bool:
        """Return whether deliveries keep arriving with a wrong key, or without one."""
        return (
            len(self._wrong_keys) == _WRONG_KEYS and now - self._wrong_keys[0] < _WRONG_KEYS_WITHIN
        )

    def is_reporting(self, now: datetime) -> bool:
        """Return whether deliveries report what cars do: one led to a change, and push still works."""
        works = self.state(now) in (PushState.HEALTHY, PushState.WAITING)
        return works and self.reports_changes

    def state(self, now: datetime) -> PushState:
        """Return the push state."""
        if self.registration is RegistrationState.OFF:
            return PushState.OFF
        if self.registration is RegistrationState.REFUSED or self.has_wrong_keys(now):
            return PushState.FAILING
        if self.registration is RegistrationState.PENDING:
            return PushState.CONNECTING
        if not reports_charging(self.event_types):
            return PushState.LIMITED
        if self._is_silent:
            return PushState.SILENT
        return PushState.HEALTHY if self._has_delivered else PushState.WAITING
