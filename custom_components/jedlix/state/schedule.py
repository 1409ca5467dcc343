"""Poll schedule: which users a poll refreshes, how thoroughly, and which of their details are read again."""

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from math import ceil
from typing import Final

from ..api import Session
from .changes import Change, ChangeType
from .snapshot import UserSnapshot, VehicleSnapshot

# Users without a session take turns, so that a poll costs the same for five users and for a thousand.
USERS_PER_POLL: Final = 5


class PollSchedule:
    """The followed users, and who of them waits for a refresh."""

    def __init__(self, followed: Iterable[str]) -> None:
        """Start with all users waiting for a first refresh."""
        self._rotation = deque(followed)
        self.followed = frozenset(self._rotation)
        self._waiting = dict.fromkeys(self._rotation)

    def follow(self, user_id: str) -> None:
        """Add a user."""
        self.followed |= {user_id}
        self._rotation.append(user_id)
        self._waiting[user_id] = None

    def unfollow(self, user_id: str) -> None:
        """Remove a user."""
        self.followed -= {user_id}
        self._rotation.remove(user_id)
        self._waiting.pop(user_id, None)

    def is_waiting(self, user_id: str) -> bool:
        """Return whether a user waits for a thorough refresh, after the start or a gap."""
        return user_id in self._waiting

    def wait(self, user_id: str) -> None:
        """Have a user wait for a thorough refresh."""
        self._waiting[user_id] = None

    def note_refreshed(self, user_id: str) -> None:
        """Note a good refresh."""
        self._waiting.pop(user_id, None)

    def polls_per_turn(self, *, lists_tenant: bool) -> int:
        """Return after how many polls every user was read, by their own list or by the tenant's."""
        return 1 if lists_tenant else max(1, ceil(len(self.followed) / USERS_PER_POLL))

    def take_due(
        self,
        users: Mapping[str, UserSnapshot],
        *,
        with_news: Collection[str],
        lists_tenant: bool,
    ) -> dict[str, bool]:
        """Return the users to refresh now, with whether to read their sessions too; moves the rotation on.

        Thoroughly refreshed are users who wait, cannot be read, are in a session, miss something, or have
        news. For a user whose turn it is, the cars are enough as long as the tenant's list names the
        sessions.
        """
        due = dict.fromkeys((*self._waiting, *with_news), True)
        due |= {
            user_id: True
            for user_id, user in users.items()
            if user.has_open_session or user.failing_since is not None or user.absences
        }
        for _ in range(min(USERS_PER_POLL, len(self._rotation))):
            due.setdefault(self._rotation[0], not lists_tenant)
            self._rotation.rotate(-1)
        return {user_id: thorough for user_id, thorough in due.items() if user_id in self.followed}


def users_with_new_sessions(
    users: Mapping[str, UserSnapshot], sessions: Mapping[str, Iterable[Session]]
) -> set[str]:
    """Return the users with a session whose start or end is not known yet."""
    return {
        user_id
        for user_id, user in users.items()
        if any(not is_known(user, session) for session in sessions.get(user_id, ()))
    }


def is_known(user: UserSnapshot | None, session: Session) -> bool:
    """Return whether a session brings no news: the snapshot has it as it is, or it ended too long ago."""
    if user is None or not user.vehicles:
        return True  # nothing to compare with; whoever was never refreshed waits for that anyway
    is_open = any(session.id in car.open_sessions for car in user.vehicles.values())
    if session.ended_at is None:
        return is_open
    return not is_open and any(
        session.id in car.ended_sessions or session.ended_at <= car.known_since
        for car in user.vehicles.values()
    )


# -- settings and chargers -----------------------------------------------------------------------------------

_READ_DAILY: Final = timedelta(days=1)
# In a household settings that were changed in Jedlix's app show this soon; in a session at each poll.
_READ_AT_HOME: Final = timedelta(minutes=15)
_READ_IN_SESSION: Final = timedelta(minutes=1)

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

    def is_requested(self, user_id: str) -> bool:
        """Return whether settings or chargers of a user wait to be read at the next refresh."""
        return not (user_id in self._settings_read_at and user_id in self._chargers_read_at)

    def take_settings_due(
        self,
        user: UserSnapshot,
        changes: Iterable[Change],
        now: datetime,
        *,
        is_household: bool = True,
    ) -> bool:
        """Return whether to read the settings of a user's cars now; counts them as read if so."""
        interval = _READ_AT_HOME if is_household else _READ_DAILY
        if user.has_open_session:
            interval = _READ_IN_SESSION
        return _take_due(
            self._settings_read_at,
            user,
            now,
            interval,
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
            now_anyway=bool(user.chargers)
            and (is_moved or (polled and (user.has_open_session or user.has_absent_charger))),
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
