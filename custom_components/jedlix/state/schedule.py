"""Poll schedule: which users a poll refreshes, and how thoroughly."""

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from heapq import nsmallest
from math import ceil
from typing import Final

from ..api import Session
from .user_snapshot import UserSnapshot

# Users without a session take turns, so that a poll costs the same for five users and for a thousand.
USERS_PER_POLL: Final = 5
_POLLS_PER_THOROUGH: Final = 6
# Users whose car is plugged in take turns as well where they are many, so that a fleet makes about 1,500
# calls an hour. A thorough refresh is up to four calls, reading the cars is one.
IN_SESSION_PER_MINUTE: Final = 3
PLUGGED_IN_PER_MINUTE: Final = 12


class _Turns:
    """Turns of users: who has waited longest is next."""

    def __init__(self) -> None:
        """Start with nobody's turn taken."""
        self._count = 0
        self._last: dict[str, int] = {}

    def take(self, candidates: Iterable[str], limit: int) -> list[str]:
        """Return the candidates whose turn it is."""
        chosen = nsmallest(limit, candidates, key=lambda user_id: self._last.get(user_id, 0))
        for user_id in chosen:
            self._count += 1
            self._last[user_id] = self._count
        return chosen

    def forget(self, user_id: str) -> None:
        """Forget a user who is no longer followed."""
        self._last.pop(user_id, None)


class PollSchedule:
    """The followed users, and who of them waits for a refresh."""

    def __init__(self, followed: Iterable[str]) -> None:
        """Start with all users waiting for a first refresh."""
        self._rotation = deque(followed)
        self.followed = frozenset(self._rotation)
        self._waiting = dict.fromkeys(self._rotation)
        self._trusted: set[str] = set()
        self._polls = 0
        self._thorough_turns = _Turns()
        self._quick_turns = _Turns()

    def follow(self, user_id: str) -> None:
        """Add a user."""
        self.followed |= {user_id}
        self._rotation.append(user_id)
        self._waiting[user_id] = None

    def unfollow(self, user_id: str) -> None:
        """Remove a user."""
        self.followed -= {user_id}
        self._rotation.remove(user_id)
        self.note_refreshed(user_id)
        self._thorough_turns.forget(user_id)
        self._quick_turns.forget(user_id)

    def is_waiting(self, user_id: str) -> bool:
        """Return whether a user waits for a thorough refresh, after the start or a gap."""
        return user_id in self._waiting

    def is_unread(self, user_id: str) -> bool:
        """Return whether a user was not refreshed since the start or a gap."""
        return user_id in self._waiting or user_id in self._trusted

    def trust(self, user_id: str) -> None:
        """Have a user who waits do so no more, although nobody has read them."""
        del self._waiting[user_id]
        self._trusted.add(user_id)

    def wait(self, user_id: str) -> None:
        """Have a user wait for a thorough refresh."""
        self._waiting[user_id] = None

    def note_refreshed(self, user_id: str) -> None:
        """Note a good refresh."""
        self._waiting.pop(user_id, None)
        self._trusted.discard(user_id)

    def polls_per_turn(self, *, lists_tenant: bool) -> int:
        """Return after how many polls every user was read, by their own list or by the tenant's."""
        return 1 if lists_tenant else max(1, ceil(len(self.followed) / USERS_PER_POLL))

    @property
    def is_household(self) -> bool:
        """Return whether the followed users are so few that each is read at each poll."""
        return len(self.followed) <= USERS_PER_POLL

    def take_due(
        self,
        users: Mapping[str, UserSnapshot],
        *,
        with_news: Collection[str],
        lists_tenant: bool,
        minutes: float,
        quick_minutes: float,
        other_calls: int = 0,
    ) -> dict[str, bool]:
        """Return the users to refresh now, with whether to read their sessions too; moves the turns on.

        Thoroughly refreshed are users who wait, cannot be read, miss something, or have news, and those in a
        session, in turn where they are many. For other users whose turn it is, the cars are enough as long as
        the tenant's list names the sessions. It does not name what Jedlix corrected or deleted; in a
        household every sixth turn does. `minutes` is the interval of the poll, `quick_minutes` the time since
        plugged-in cars were last read. In a fleet, `other_calls` of this poll take the place of turns.
        """
        self._polls += 1
        thorough = not lists_tenant or (
            self.is_household and self._polls % _POLLS_PER_THOROUGH == 0
        )
        due = dict.fromkeys((*self._waiting, *with_news), True)
        due |= {
            user_id: True
            for user_id, user in users.items()
            if user.failing_since is not None or user.absences
        }
        in_session = [user_id for user_id, user in users.items() if user.has_open_session]
        limit = max(USERS_PER_POLL, round(IN_SESSION_PER_MINUTE * minutes))
        due |= dict.fromkeys(self._thorough_turns.take(in_session, limit), True)
        turns = len(self._rotation) if self.is_household else USERS_PER_POLL - other_calls
        for _ in range(turns):
            due.setdefault(self._rotation[0], thorough)
            self._rotation.rotate(-1)
        limit = round(PLUGGED_IN_PER_MINUTE * quick_minutes)
        due |= dict.fromkeys(self._quick_turns.take(_plugged_in(users, due), limit), False)
        return {user_id: thorough for user_id, thorough in due.items() if user_id in self.followed}

    def take_quick_due(
        self,
        users: Mapping[str, UserSnapshot],
        *,
        with_news: Collection[str],
        lists_tenant: bool,
    ) -> dict[str, bool]:
        """Return the users to refresh between two polls, with whether to read their sessions too.

        These are the users with news and those whose car is plugged in, in turn where they are many. In a
        household, and where no list of the tenant names the sessions that begin, the others follow in turn.
        Who waits for a poll, or cannot be read, is left to the poll.
        """
        due = dict.fromkeys(with_news, True)
        due |= dict.fromkeys(
            self._quick_turns.take(_plugged_in(users, due), PLUGGED_IN_PER_MINUTE), False
        )
        if self.is_household or not lists_tenant:
            others = [user_id for user_id in users if user_id not in due]
            due |= dict.fromkeys(self._quick_turns.take(others, USERS_PER_POLL), False)
        return {
            user_id: thorough
            for user_id, thorough in due.items()
            if user_id in self.followed
            and user_id not in self._waiting
            and users[user_id].failing_since is None
        }


def _plugged_in(users: Mapping[str, UserSnapshot], due: Collection[str]) -> list[str]:
    """Return the users, besides those who are due anyway, with a car that is plugged in or in a session."""
    return [
        user_id
        for user_id, user in users.items()
        if user_id not in due and (user.has_open_session or user.has_plugged_in_car)
    ]


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
