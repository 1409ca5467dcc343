"""Financials: when Jedlix is asked for the figures that its list of sessions leaves out, and how.

They are documented for costs and savings; path and shape are assumed (A7). They are asked for when a session
has ended, and again until they have all of its figures, ever more rarely, for two days. A session that ended
earlier than that, before the set-up or in a long outage, is asked for once. While the session is remembered,
they are asked once a day whether they have been corrected.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
import logging
from typing import Final

from ..api import REFUSALS, JedlixClient, JedlixError, Session
from ..api.offered import OfferedCalls
from .figures import Figures
from .ledger import SETTLES_WITHIN
from .user_snapshot import UserSnapshot

_LOGGER = logging.getLogger(__name__)

_CALL: Final = "financials"
# They are asked for again when half as much time has passed as since the end, within these bounds.
_SHORTEST: Final = timedelta(minutes=2)
_LONGEST: Final = timedelta(hours=6)
# How often they are asked for while a session runs, where the tenant has answered before.
_RUNNING: Final = timedelta(minutes=15)
# How long what they have is not asked for again.
_REVIEW_INTERVAL: Final = timedelta(hours=20)
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


class Financials:
    """Completes the ledgers of users from the financials."""

    def __init__(self, client: JedlixClient, offered: OfferedCalls) -> None:
        """Start with nobody asked."""
        self._client = client
        self._offered = offered
        self._asked_at: dict[str, datetime] = {}
        self._reviewed: str | None = None

    @property
    def are_offered(self) -> bool:
        """Return whether the tenant has financials, as far as is known."""
        return self._offered.is_offered(_CALL)

    def is_due(self, user: UserSnapshot, now: datetime) -> bool:
        """Return whether to refresh a user for the financials.

        They are not refreshed for an older session: it is asked for with the next refresh.
        """
        lately = (
            item
            for item in self._lacking(user, now)
            if item.ended_at is None or now - item.ended_at <= SETTLES_WITHIN
        )
        return self._is_time(user.user_id, lately, now)

    def take_review(self, users: Mapping[str, UserSnapshot], now: datetime) -> set[str]:
        """Return the user whose financials to read again, at most one: who was asked longest ago."""
        self._reviewed = None
        if not self.are_offered or not self._offered.has_answered(_CALL):
            return set()
        asked_at = {
            user_id: self._asked_at.get(user_id, _LONG_AGO)
            for user_id, user in users.items()
            if any(_listed_without_figures(user))
        }
        first = min(asked_at, key=asked_at.__getitem__, default=None)
        if first is None or now - asked_at[first] < _REVIEW_INTERVAL:
            return set()
        self._reviewed = first
        return {first}

    async def complete(self, user: UserSnapshot, now: datetime) -> UserSnapshot:
        """Return a user with the figures that the financials have, where it is time to ask for them."""
        is_reviewed = user.user_id == self._reviewed
        if not is_reviewed and not self._is_time(user.user_id, self._lacking(user, now), now):
            return user
        self._asked_at[user.user_id] = now
        starts = [
            item.started_at for item in _listed_without_figures(user) if item.started_at is not None
        ]
        try:
            sessions = await self._client.financials(
                user.user_id, started_from=min(starts, default=now - SETTLES_WITHIN), started_to=now
            )
        except REFUSALS as err:
            self._offered.note_refusal(_CALL, err)
            return user
        except JedlixError as err:
            _LOGGER.debug("The financials of Jedlix user %s are read later: %s", user.user_id, err)
            return user
        self._offered.note_list(_CALL, sessions)
        return replace(
            user,
            vehicles={
                key: replace(car, ledger=car.ledger.with_financials(sessions, now))
                for key, car in user.vehicles.items()
            },
        )

    def _is_time(self, user_id: str, lacking: Iterable[Session], now: datetime) -> bool:
        """Return whether to ask for the figures that these sessions of a user lack."""
        interval = min((_interval(session, now) for session in lacking), default=None)
        if interval is None or not self.are_offered:
            return False
        asked_at = self._asked_at.get(user_id)
        return asked_at is None or now - asked_at >= interval

    def _lacking(self, user: UserSnapshot, now: datetime) -> Iterator[Session]:
        """Yield the sessions, ended or running, that lack figures which the financials may have."""
        for car in user.vehicles.values():
            yield from car.ledger.unsettled(now)
            for session in car.ledger.sessions.values():
                is_running = session.ended_at is None and self._offered.has_answered(_CALL)
                if is_running and not Figures.of(session).is_complete:
                    yield session


def _listed_without_figures(user: UserSnapshot) -> Iterator[Session]:
    """Yield the remembered sessions whose figures Jedlix's list leaves out."""
    return (
        session
        for car in user.vehicles.values()
        for session in car.ledger.listed.values()
        if None in (session.energy_kwh, session.cost, session.savings)
    )


def _interval(session: Session, now: datetime) -> timedelta:
    if session.ended_at is None:
        return _RUNNING
    return min(max((now - session.ended_at) / 2, _SHORTEST), _LONGEST)
