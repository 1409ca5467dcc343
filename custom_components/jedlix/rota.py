"""Whose turn it is: whom a poll looks at, how thoroughly, and since when somebody is owed a look. Pure."""

from collections import deque
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from .api import Session
from .snapshot import UserSnapshot

# Cars without a session are looked at in turns, so that a poll costs the same for five and a thousand.
A_TURN: Final = 5


class Rota:
    """The followed users, and what each is owed.

    Until the first look at a user is done, what it finds may have happened while nobody was watching.
    """

    def __init__(self, followed: Iterable[str], now: datetime) -> None:
        """Begin with nobody looked at."""
        self._turn = deque(followed)
        self.followed = frozenset(self._turn)
        self.watching_since = now
        self._unwatched = set(self.followed)
        self._owed: dict[str, datetime] = {}

    def follow(self, user_id: str) -> None:
        """Take one more user in."""
        self.followed |= {user_id}
        self._turn.append(user_id)
        self._unwatched.add(user_id)

    def unfollow(self, user_id: str) -> None:
        """Let a user go."""
        self.followed -= {user_id}
        self._turn.remove(user_id)
        self._unwatched.discard(user_id)
        self._owed.pop(user_id, None)

    def was_away(self, now: datetime) -> None:
        """Take note that nobody was watching until now."""
        self._unwatched = set(self.followed)
        self.watching_since = now

    def missed(self, user_ids: Iterable[str], since: datetime, now: datetime) -> None:
        """Take note that something about these users may have been missed since a moment."""
        for user_id in user_ids:
            self._unwatched.add(user_id)
            self.owe(user_id, since)
        self.watching_since = now

    def is_unwatched(self, user_id: str) -> bool:
        """Return whether nobody was watching this user since the last good look."""
        return user_id in self._unwatched

    def looked_at(self, user_id: str) -> None:
        """Take note that the user is known again."""
        self._unwatched.discard(user_id)
        self._owed.pop(user_id, None)

    def owe(self, user_id: str, since: datetime) -> None:
        """Take note that a look failed; everything since a moment is owed."""
        self._owed.setdefault(user_id, since)

    def owed_since(self, user_id: str) -> datetime | None:
        """Return since when a user is owed a look, None for whom is not."""
        return self._owed.get(user_id)

    def due(
        self,
        users: Mapping[str, UserSnapshot],
        changed: Mapping[str, Iterable[Session]],
        *,
        lists_tenant: bool,
    ) -> dict[str, bool]:
        """Return whom to look at, and whether the sessions are to be asked for as well.

        The unwatched, those in a session and those with news are looked at thoroughly. For whoever is only
        next in turn the car will do, as long as the tenant's list tells what began and ended.
        """
        due = dict.fromkeys(self._unwatched | self._owed.keys() | with_news(users, changed), True)
        due |= {user_id: True for user_id, user in users.items() if user.has_open_session}
        for _ in range(min(A_TURN, len(self._turn))):
            due.setdefault(self._turn[0], not lists_tenant)
            self._turn.rotate(-1)
        return due


def with_news(
    users: Mapping[str, UserSnapshot], sessions: Mapping[str, Iterable[Session]]
) -> set[str]:
    """Return the users of whose sessions one began or ended and is not known yet."""
    return {
        user_id
        for user_id, user in users.items()
        if any(not _is_known(user, session) for session in sessions.get(user_id, ()))
    }


def _is_known(user: UserSnapshot, session: Session) -> bool:
    """Return whether a session brings no news."""
    for vehicle in user.vehicles.values():
        if session.ended_at is not None and session.id in vehicle.ended_sessions:
            return True
        if session.ended_at is None and session.id in vehicle.open_sessions:
            return True
    return False
