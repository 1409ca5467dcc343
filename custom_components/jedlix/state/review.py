"""Review: the tenant's list, read again over the remembered days, for what Jedlix corrected or deleted.

A poll reads the newest pages of the list. A review goes on from there by one page at each poll: no call asks
for what has changed, and a large fleet cannot be read user by user each day.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
import logging
from typing import Final

from ..api import JedlixError, Session
from .ledger import SESSIONS_REMEMBERED
from .user_snapshot import UserSnapshot

_LOGGER = logging.getLogger(__name__)

# How long after the beginning of one the next begins: three that lack a session are made within a day.
REVIEW_INTERVAL: Final = timedelta(hours=6)
# How many pages a review reads besides those of the poll. What is older is read with its user's next session.
REVIEW_PAGES: Final = 144


@dataclass(slots=True)
class Findings:
    """What a page of a review brought, by user, and how many calls it took.

    `corrected`: sessions with news for a ledger. `users`: snapshots after the whole list was read.
    """

    corrected: dict[str, list[Session]] = field(default_factory=dict)
    users: dict[str, UserSnapshot] = field(default_factory=dict)
    calls: int = 0


class Review:
    """One review after the other."""

    def __init__(self) -> None:
        """Begin the first one with the next poll."""
        self._begun_at: datetime | None = None
        self._pages: AsyncIterator[tuple[Session, ...]] | None = None
        self._pages_left = 0
        self._not_compared: list[Session] = []
        self._listed: set[str] = set()
        # Another list may contradict the tenant's, so the same news again is none: other figures than in the
        # ledger, or that a session is missing.
        self._known_news: dict[str, Session] = {}
        self._missing: set[str] = set()
        self._not_missing: set[str] = set()

    def begin(
        self,
        sessions: Iterable[Session],
        pages: AsyncIterator[tuple[Session, ...]],
        now: datetime,
    ) -> None:
        """Begin a review where it is time for one, with the newest sessions and the pages after them."""
        begun_at = self._begun_at
        is_due = begun_at is None or not timedelta(0) <= now - begun_at < REVIEW_INTERVAL
        if is_due and self._pages is None:
            self._begun_at, self._pages, self._pages_left = now, pages, REVIEW_PAGES
            self._not_compared = list(sessions)
            self._listed = set()

    async def read_on(self, users: Mapping[str, UserSnapshot], now: datetime) -> Findings:
        """Read one page more, where a review is under way, and compare it with what is known.

        A review that fails begins again with the next poll.
        """
        findings = Findings()
        if self._pages is None or self._begun_at is None:
            return findings
        since = self._begun_at - SESSIONS_REMEMBERED
        is_whole = _reaches(self._not_compared, since)
        if not is_whole:
            try:
                page = await anext(self._pages, ())
            except JedlixError as err:
                _LOGGER.debug("The sessions of Jedlix are reviewed later: %s", err)
                self._pages = self._begun_at = None
                return findings
            findings.calls = 1 if page else 0
            self._pages_left -= 1
            self._not_compared += page
            is_whole = not page or _reaches(page, since)
        for session in self._not_compared:
            if (user := users.get(session.user_id or "")) is not None:
                self._listed.add(session.id)
                if self._is_news(user, session):
                    findings.corrected.setdefault(user.user_id, []).append(session)
        self._not_compared = []
        if is_whole:
            self._known_news = {
                key: session for key, session in self._known_news.items() if key in self._listed
            }
            findings.users = self._after_whole_list(users, (since, self._begun_at), now)
        if is_whole or not self._pages_left:
            self._pages = None
        return findings

    def _is_news(self, user: UserSnapshot, session: Session) -> bool:
        """Return whether an ended session differs from what the ledger of its car has."""
        differs = session.ended_at is not None and any(
            session.id in car.ledger.listed
            and session.id not in car.open_sessions
            and car.ledger.advance([session]) is not car.ledger
            for car in user.vehicles.values()
        )
        if not differs or self._known_news.get(session.id) == session:
            return False
        self._known_news[session.id] = session
        return True

    def _after_whole_list(
        self, users: Mapping[str, UserSnapshot], period: tuple[datetime, datetime], now: datetime
    ) -> dict[str, UserSnapshot]:
        """Return the users of whom sessions are missing, or found again, in what began in a period."""
        absent = {session_id for user in users.values() for session_id in user.absent_sessions}
        self._not_missing |= self._missing - absent - self._listed
        listed = self._listed | self._not_missing
        reviewed = {
            user_id: user.after_review(listed, *period, now) for user_id, user in users.items()
        }
        self._missing = {
            session_id for user in reviewed.values() for session_id in user.absent_sessions
        }
        return {key: user for key, user in reviewed.items() if user is not users[key]}


def _reaches(sessions: Collection[Session], since: datetime) -> bool:
    """Return whether any of the sessions, which come newest first, began before a moment."""
    return any(item.started_at is not None and item.started_at < since for item in sessions)
