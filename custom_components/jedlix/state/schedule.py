"""Poll schedule: which users a poll refreshes, and how thoroughly."""

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from math import ceil
from typing import Final

from ..api import Session
from .snapshot import UserSnapshot

# Users without a session take turns, so that a poll costs the same for five users and for a thousand.
USERS_PER_POLL: Final = 5
_POLLS_PER_THOROUGH: Final = 6


class PollSchedule:
    """The followed users, and who of them waits for a refresh."""

    def __init__(self, followed: Iterable[str]) -> None:
        """Start with all users waiting for a first refresh."""
        self._rotation = deque(followed)
        self.followed = frozenset(self._rotation)
        self._waiting = dict.fromkeys(self._rotation)
        self._polls = 0

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
        sessions. It does not name what Jedlix corrected or deleted; in a household every sixth turn does.
        """
        self._polls += 1
        is_household = len(self.followed) <= USERS_PER_POLL
        thorough = not lists_tenant or (is_household and self._polls % _POLLS_PER_THOROUGH == 0)
        due = dict.fromkeys((*self._waiting, *with_news), True)
        due |= {
            user_id: True
            for user_id, user in users.items()
            if user.has_open_session or user.failing_since is not None or user.absences
        }
        for _ in range(min(USERS_PER_POLL, len(self._rotation))):
            due.setdefault(self._rotation[0], thorough)
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
