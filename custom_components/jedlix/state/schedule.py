"""Poll schedule: which users a poll refreshes, how thoroughly, and which of their details are read again."""

from collections import deque
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from ..api import Session
from .changes import Change, ChangeType
from .snapshot import UserSnapshot, VehicleSnapshot

# Users without a session take turns, so that a poll costs the same for five users and for a thousand.
USERS_PER_POLL: Final = 5


class PollSchedule:
    """The followed users, and what is missing of each.

    After a gap in which nobody polled, whatever the next refresh of a user finds may have happened in the
    gap.
    """

    def __init__(self, followed: Iterable[str], now: datetime) -> None:
        """Start with a gap that ends now: no user was refreshed yet."""
        self._rotation = deque(followed)
        self.followed = frozenset(self._rotation)
        self.gap_ended_at = now
        self._after_gap = set(self.followed)
        self._missed_since: dict[str, datetime] = {}

    def follow(self, user_id: str) -> None:
        """Add a user."""
        self.followed |= {user_id}
        self._rotation.append(user_id)
        self._after_gap.add(user_id)

    def unfollow(self, user_id: str) -> None:
        """Remove a user."""
        self.followed -= {user_id}
        self._rotation.remove(user_id)
        self._after_gap.discard(user_id)
        self._missed_since.pop(user_id, None)

    def note_gap(self, now: datetime) -> None:
        """Note a gap for all users that ends now."""
        self._after_gap = set(self.followed)
        self.gap_ended_at = now

    def note_missed(self, user_ids: Iterable[str], since: datetime, now: datetime) -> None:
        """Note a gap for some users that began at `since` and ends now."""
        for user_id in user_ids:
            self._after_gap.add(user_id)
            self.note_failed(user_id, since)
        self.gap_ended_at = now

    def note_failed(self, user_id: str, since: datetime) -> None:
        """Note a refresh that failed: what happened since then is still missed."""
        self._missed_since.setdefault(user_id, since)

    def note_refreshed(self, user_id: str) -> None:
        """Note a good refresh: nothing is missed any longer."""
        self._after_gap.discard(user_id)
        self._missed_since.pop(user_id, None)

    def is_after_gap(self, user_id: str) -> bool:
        """Return whether the user was not refreshed since the gap."""
        return user_id in self._after_gap

    def missed_since(self, user_id: str) -> datetime | None:
        """Return since when changes of a user are missed, None when none are."""
        return self._missed_since.get(user_id)

    def take_due(
        self,
        users: Mapping[str, UserSnapshot],
        sessions: Mapping[str, Iterable[Session]],
        *,
        lists_tenant: bool,
    ) -> dict[str, bool]:
        """Return the users to refresh now, with whether to read their sessions too; moves the rotation on.

        Thoroughly refreshed are users after a gap or a failure, in a session, or with new sessions. For a
        user whose turn it is, the cars are enough as long as the tenant's list names the sessions.
        """
        due = dict.fromkeys(
            self._after_gap | self._missed_since.keys() | users_with_new_sessions(users, sessions),
            True,
        )
        due |= {user_id: True for user_id, user in users.items() if user.has_open_session}
        for _ in range(min(USERS_PER_POLL, len(self._rotation))):
            due.setdefault(self._rotation[0], not lists_tenant)
            self._rotation.rotate(-1)
        return due


def users_with_new_sessions(
    users: Mapping[str, UserSnapshot], sessions: Mapping[str, Iterable[Session]]
) -> set[str]:
    """Return the users with a session whose start or end is not known yet."""
    return {
        user_id
        for user_id, user in users.items()
        if any(not _is_known(user, session) for session in sessions.get(user_id, ()))
    }


def _is_known(user: UserSnapshot, session: Session) -> bool:
    """Return whether the user's snapshot has the session as it is."""
    for vehicle in user.vehicles.values():
        if session.ended_at is not None and session.id in vehicle.ended_sessions:
            return True
        if session.ended_at is None and session.id in vehicle.open_sessions:
            return True
    return False


# -- settings and chargers -----------------------------------------------------------------------------------

_READ_DAILY: Final = timedelta(days=1)
_READ_IN_SESSION: Final = timedelta(minutes=30)

# Changes after which a charger has another state.
_MOVES_CHARGER: Final = frozenset(
    {
        ChangeType.PLUGGED_IN,
        ChangeType.UNPLUGGED,
        ChangeType.CHARGING_STARTED,
        ChangeType.CHARGING_PAUSED,
        ChangeType.CHARGING_COMPLETED,
    }
)
# Changes that may come from other settings.
_HINTS_AT_SETTINGS: Final = frozenset(
    {
        ChangeType.SESSION_STARTED,
        ChangeType.SESSION_BECAME_SMART,
        ChangeType.SESSION_BECAME_UNMANAGED,
        ChangeType.VEHICLE_ADDED,
    }
)


class DetailSchedule:
    """When the charge settings of a user's cars, and the chargers, are read again.

    Both are read at the first refresh after a start and then daily; settings more often in a session, and
    when a delivery names them; chargers when the car is plugged in or charges, and at each poll in a
    session.
    """

    def __init__(self) -> None:
        """Start with nothing read."""
        self._settings_read_at: dict[str, datetime] = {}
        self._chargers_read_at: dict[str, datetime] = {}

    def request_settings(self, user_id: str) -> None:
        """Have the settings of a user's cars read at the next refresh."""
        self._settings_read_at.pop(user_id, None)

    def request_chargers(self, user_id: str) -> None:
        """Have a user's chargers read at the next refresh."""
        self._chargers_read_at.pop(user_id, None)

    def take_settings_due(
        self, user: UserSnapshot, changes: Iterable[Change], now: datetime
    ) -> bool:
        """Return whether to read the settings of a user's cars now; counts them as read if so."""
        return _take_due(
            self._settings_read_at,
            user,
            now,
            _READ_IN_SESSION if user.has_open_session else _READ_DAILY,
            now_anyway=any(change.type in _HINTS_AT_SETTINGS for change in changes)
            or any(_has_resumed(car, now) for car in user.vehicles.values()),
        )

    def take_chargers_due(
        self, user: UserSnapshot, changes: Iterable[Change], now: datetime, *, polled: bool
    ) -> bool:
        """Return whether to read a user's chargers now; counts them as read if so."""
        is_moved = any(change.type in _MOVES_CHARGER for change in changes)
        return _take_due(
            self._chargers_read_at,
            user,
            now,
            _READ_DAILY,
            now_anyway=bool(user.chargers) and (is_moved or (polled and user.has_open_session)),
        )


def _take_due(
    read_at: dict[str, datetime],
    user: UserSnapshot,
    now: datetime,
    interval: timedelta,
    *,
    now_anyway: bool,
) -> bool:
    is_new = user.chargers is None  # also a user who was removed and is followed again
    last = read_at.get(user.user_id)
    if last is not None and now - last < interval and not now_anyway and not is_new:
        return False
    read_at[user.user_id] = now
    return True


def _has_resumed(car: VehicleSnapshot, now: datetime) -> bool:
    """Return whether the time has come at which smart charging takes over again (documented)."""
    resumes_at = None if car.settings is None else car.settings.resumes_at
    return resumes_at is not None and resumes_at <= now
