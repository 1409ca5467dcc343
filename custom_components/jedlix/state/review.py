"""Review: the tenant's list, read again over the remembered days, for what Jedlix corrected or deleted.

A poll reads the newest pages of the list. A review goes on from there by one page at each poll: no call asks
for what has changed, and a large fleet cannot be read user by user each day. Long sessions that began before
these days, and are open or ended on them, are asked for car by car.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
import logging
from typing import Final

from ..api import REFUSALS, JedlixError, Session
from ..api.offered import OfferedCalls
from ..api.reading import Incomplete
from .hours import hour_of
from .ledger import SESSIONS_REMEMBERED
from .user_snapshot import UserSnapshot

_LOGGER = logging.getLogger(__name__)

# How long after the beginning of one the next begins: three that lack a session are made within a day.
REVIEW_INTERVAL: Final = timedelta(hours=6)
# How far back a review reads. A session of up to a day that ended on the remembered days began in this time.
REVIEWED: Final = SESSIONS_REMEMBERED + timedelta(days=1)
# How many pages a review reads besides those of the poll. What is older is read with its user's next session.
REVIEW_PAGES: Final = 144
# How many it reads for one car. One is enough, unless the tenant does not understand the filters.
PAGES_OF_CAR: Final = 5
# The filters by car and by the end of a period are inferred. What they leave out is missing only in a tenant
# where they have named a session that was asked for.
_SESSIONS_OF_CAR: Final = "sessions of one car"

type _Pages = AsyncIterator[tuple[Session, ...]]
type PagesOfCar = Callable[[str | None, datetime, datetime], _Pages]
"""Gives the pages of the sessions that began from a moment up to another, of one car where it is named."""
type _CarKey = tuple[str, str]


@dataclass(slots=True)
class Findings:
    """What a page of a review brought, by user, and how many calls it took.

    `corrected`: sessions with news for a ledger. `users`: snapshots after a whole list was read.
    """

    corrected: dict[str, list[Session]] = field(default_factory=dict)
    users: dict[str, UserSnapshot] = field(default_factory=dict)
    calls: int = 0

    def joined_with(self, sessions: Mapping[str, list[Session]]) -> dict[str, list[Session]]:
        """Return what was corrected and the newest sessions, by user."""
        corrected = self.corrected
        return {
            user_id: [*corrected.get(user_id, ()), *sessions.get(user_id, ())]
            for user_id in {**corrected, **sessions}
        }


@dataclass(slots=True)
class _List:
    """A list that comes newest first, and is read until it reaches beyond `since`.

    That of the tenant has all that began up to `until`. That of one car is read for the sessions which are
    `asked_for`. `listed` was named so far. `is_readable` says whether each session in it could be read.
    """

    pages: _Pages
    since: datetime
    until: datetime
    pages_left: int
    asked_for: frozenset[str] = frozenset()
    listed: set[str] = field(default_factory=set)
    is_readable: bool = True

    def should_have(self, session: Session) -> bool:
        """Return whether a session is missing where the list does not name it."""
        if self.asked_for:
            return session.id in self.asked_for
        return session.started_at is not None and self.since <= session.started_at < self.until

    def is_beyond(self, sessions: Iterable[Session]) -> bool:
        """Return whether any of these sessions of it began so early that the rest is not wanted."""
        return any(
            item.started_at is not None and item.started_at < self.since for item in sessions
        )


class Review:
    """One review after the other."""

    def __init__(self, pages_of_car: PagesOfCar, offered: OfferedCalls) -> None:
        """Begin the first one with the next poll."""
        self._pages_of_car = pages_of_car
        self._offered = offered
        self._begun_at: datetime | None = None
        self._list: _List | None = None
        self._not_compared: tuple[Session, ...] = ()
        # The cars that are still to be asked for, the present one first. Those that one review leaves are the
        # first of the next.
        self._cars: list[_CarKey] = []
        # A user's own list may contradict the tenant's, so the same news again is none: other figures than in
        # the ledger, or that a session is missing.
        self._known_news: dict[str, Session] = {}
        self._listed: set[str] = set()
        self._missing: set[str] = set()
        self._not_missing: set[str] = set()

    def begin(self, sessions: tuple[Session, ...], pages: _Pages, now: datetime) -> None:
        """Begin a review where it is time for one, with the newest sessions and the pages after them."""
        begun_at = self._begun_at
        is_due = begun_at is None or not timedelta(0) <= now - begun_at < REVIEW_INTERVAL
        if is_due and (self._list is None or self._list.asked_for):
            self._begun_at = now
            self._list = _List(pages, now - REVIEWED, now, REVIEW_PAGES)
            self._list.is_readable = not isinstance(sessions, Incomplete)
            self._not_compared = sessions
            self._listed = set()

    async def read_on(self, users: Mapping[str, UserSnapshot], now: datetime) -> Findings:
        """Read one page more, where a review is under way, and compare it with what is known.

        A review that fails begins again with the next poll.
        """
        findings = Findings()
        if (current := self._list) is None:
            return findings
        sessions, is_whole = self._not_compared, current.is_beyond(self._not_compared)
        if not is_whole:
            try:
                page = await anext(current.pages, None)
            except JedlixError as err:
                self._give_up(current, err)
                return findings
            findings.calls = 0 if page is None else 1
            current.pages_left -= 1
            current.is_readable &= not isinstance(page, Incomplete)
            sessions += tuple(page or ())
            is_whole = not page or current.is_beyond(page)
        self._not_compared = ()
        for session in sessions:
            if (user := users.get(session.user_id or "")) is not None:
                current.listed.add(session.id)
                if self._is_news(user, session):
                    findings.corrected.setdefault(user.user_id, []).append(session)
        if is_whole or (current.asked_for and current.asked_for <= current.listed):
            findings.users = self._after_whole_list(current, users, now)
        elif current.pages_left:
            return findings
        self._begin_next_list(current, users)
        return findings

    def _give_up(self, current: _List, err: JedlixError) -> None:
        """Leave a list that cannot be read; that of the tenant is tried again with the next poll."""
        _LOGGER.debug("The sessions of Jedlix are reviewed later: %s", err)
        self._list, self._not_compared = None, ()
        if not current.asked_for:
            self._begun_at = None
            return
        del self._cars[0]
        if isinstance(err, REFUSALS):
            self._offered.note_refusal(_SESSIONS_OF_CAR, err)

    def _is_news(self, user: UserSnapshot, session: Session) -> bool:
        """Return whether an ended session differs from what the ledger of its car has."""
        differs = session.ended_at is not None and any(
            session.id in car.ledger.listed and car.ledger.advance([session]) is not car.ledger
            for car in user.vehicles.values()
        )
        if not differs:
            return False
        if (
            self._offered.has_answered("user_sessions")
            and self._known_news.get(session.id) == session
        ):
            return False
        self._known_news[session.id] = session
        return True

    def _after_whole_list(
        self, current: _List, users: Mapping[str, UserSnapshot], now: datetime
    ) -> dict[str, UserSnapshot]:
        """Return the users of whom sessions are missing in a list, or found again."""
        self._listed |= current.listed
        if not current.asked_for.isdisjoint(current.listed):
            self._offered.note_answer(_SESSIONS_OF_CAR)
        is_proven = not current.asked_for or self._offered.has_answered(_SESSIONS_OF_CAR)
        if not current.is_readable or not is_proven:
            return {}
        absent = {session_id for user in users.values() for session_id in user.absent_sessions}
        self._not_missing |= self._missing - absent - self._listed
        listed = self._listed | self._not_missing
        reviewed = {
            user_id: user.after_review(listed, current.should_have, now)
            for user_id, user in users.items()
        }
        self._missing = {
            session_id for user in reviewed.values() for session_id in user.absent_sessions
        }
        return {key: user for key, user in reviewed.items() if user is not users[key]}

    def _begin_next_list(self, current: _List, users: Mapping[str, UserSnapshot]) -> None:
        """Go on with the list of the next car that has older sessions, where there is one."""
        begin = current.until if current.asked_for else current.since
        older = _older_sessions(users, begin)
        if current.asked_for:
            del self._cars[0]
        else:
            self._cars = list(dict.fromkeys([*self._cars, *older]))
            self._forget_old_news(users)
        self._cars = [key for key in self._cars if key in older]
        self._list = None
        if not self._cars or not self._offered.is_offered(_SESSIONS_OF_CAR):
            return
        key = self._cars[0]
        sessions = older[key]
        names_car = all(session.vehicle_id == key[1] for session in sessions)
        since = hour_of(min(session.started_at for session in sessions if session.started_at))
        self._list = _List(
            self._pages_of_car(key[1] if names_car else None, since, begin),
            since,
            begin,
            PAGES_OF_CAR,
            frozenset(session.id for session in sessions),
        )

    def _forget_old_news(self, users: Mapping[str, UserSnapshot]) -> None:
        """Forget the news of sessions that are no longer remembered."""
        self._known_news = {
            session_id: session
            for session_id, session in self._known_news.items()
            if any(
                session_id in car.ledger.listed
                for user in users.values()
                for car in user.vehicles.values()
            )
        }


def _older_sessions(
    users: Mapping[str, UserSnapshot], begin: datetime
) -> dict[_CarKey, list[Session]]:
    """Return the sessions by car that began before a moment, and are open or ended on the remembered days."""
    remembered = begin + REVIEWED - SESSIONS_REMEMBERED
    older: dict[_CarKey, list[Session]] = {}
    for user_id, user in users.items():
        for vehicle_id, car in user.vehicles.items():
            for session in car.listed_sessions.values():
                began = session.started_at is not None and session.started_at < begin
                if began and (session.ended_at is None or session.ended_at > remembered):
                    older.setdefault((user_id, vehicle_id), []).append(session)
    return older
