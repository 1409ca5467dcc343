"""Sessions of the tenant, sorted so that a filter need not check each."""

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from .model import Session


def _start(session: Session) -> datetime:
    return session.start


def _end(session: Session) -> datetime:
    assert session.end is not None
    return session.end


@dataclass(slots=True, frozen=True, kw_only=True)
class Filter:
    """The filters of the list of sessions: `startTimeFrom` is documented, the rest inferred."""

    user_id: str | None = None
    vehicle_id: str | None = None
    start_from: datetime | None = None
    start_to: datetime | None = None
    end_from: datetime | None = None
    end_to: datetime | None = None

    def matches(self, session: Session) -> bool:
        """Assumed: bounds are inclusive, and a session without an end meets no end filter."""
        return (
            self.user_id in {None, session.user_id}
            and self.vehicle_id in {None, session.vehicle_id}
            and _within(session.start, self.start_from, self.start_to)
            and _within(session.end, self.end_from, self.end_to)
        )


def _within(moment: datetime | None, first: datetime | None, last: datetime | None) -> bool:
    if moment is None:
        return first is last is None
    return (first is None or moment >= first) and (last is None or moment <= last)


class SessionLog:
    """Sessions by id, by start, by end and by user."""

    def __init__(self) -> None:
        """Begin with none."""
        self.by_id: dict[str, Session] = {}
        self._by_start: list[Session] = []
        self._by_end: list[Session] = []
        self._by_user: defaultdict[str, list[Session]] = defaultdict(list)

    def add(self, session: Session) -> None:
        """Take in a new session, running or already ended."""
        self.by_id[session.id] = session
        insort(self._by_start, session, key=_start)
        insort(self._by_user[session.user_id], session, key=_start)
        if session.end is not None:
            insort(self._by_end, session, key=_end)

    def end(self, session: Session) -> datetime:
        """Documented: the end is the newest telemetry that still met the conditions. Return it.

        Where the clock was set back meanwhile, it is the start: no end comes before that.
        """
        session.end = max(session.start, session.last_met)
        session.boost = False
        insort(self._by_end, session, key=_end)
        return session.end

    def newest_ended(self, user_ids: Collection[str] | None = None) -> dict[str, Session]:
        """Return the newest ended session of each car, by the car's id, of these users or of all."""
        return {
            session.vehicle_id: session
            for session in self._by_start
            if session.end is not None and (user_ids is None or session.user_id in user_ids)
        }

    def of(self, user_id: str | None) -> list[Session]:
        """Return the sessions of a user, or of all for None, oldest start first."""
        return self._by_start if user_id is None else self._by_user.get(user_id, [])

    def find(self, wanted: Filter) -> list[Session]:
        """Return the sessions that match, newest start first."""
        if wanted.user_id is None and (wanted.end_from or wanted.end_to):
            pool = _between(self._by_end, _end, wanted.end_from, wanted.end_to)
            pool.sort(key=_start)
        else:
            pool = _between(self.of(wanted.user_id), _start, wanted.start_from, wanted.start_to)
        return [session for session in reversed(pool) if wanted.matches(session)]


def _between(
    sessions: list[Session],
    key: Callable[[Session], datetime],
    first: datetime | None,
    last: datetime | None,
) -> list[Session]:
    low = 0 if first is None else bisect_left(sessions, first, key=key)
    high = len(sessions) if last is None else bisect_right(sessions, last, key=key)
    return sessions[low:high]
