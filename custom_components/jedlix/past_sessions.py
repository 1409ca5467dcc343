"""The sessions of a car in any period, with few calls however one scrolls, and what actions answer of them.

They come from the user's own list (assumed, A4), or from the tenant's (documented) where there is none. What
a session leaves out of energy and money is taken from the financials (assumed, A7), where there are any.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
import logging
from typing import Final

from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonObjectType

from .api import (
    REFUSALS,
    BadAnswer,
    Forbidden,
    JedlixClient,
    JedlixError,
    NotFound,
    Session,
)
from .coordinator import JedlixCoordinator
from .fleet import Key

_LOGGER = logging.getLogger(__name__)

# How long before a period a session that reaches into it may have begun: some cars stay plugged in for weeks.
_LONGEST_SESSION: Final = timedelta(days=31)
# An end is learned later than its own time (documented), and the final energy and money perhaps later still.
_SETTLES_AFTER: Final = timedelta(days=2)
_MOST_PAGES: Final = 100
_PLACES_LAST: Final = timedelta(days=1)


class TooManySessions(BadAnswer):
    """The tenant has no list of one user or car, and its own is too long for the period."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__("there are too many sessions in this period; ask for a shorter one")


@dataclass(frozen=True, slots=True)
class _Stretch:
    """All sessions of a car that began from `start` up to `end`; none of them changes any more."""

    start: datetime
    end: datetime
    sessions: Mapping[str, Session] = field(default_factory=dict)


class PastSessions:
    """The sessions of the cars of one entry, the settled ones remembered; `places` are addresses by id."""

    def __init__(self, client: JedlixClient, coordinator: JedlixCoordinator) -> None:
        """Begin with nothing remembered."""
        self._client = client
        self._fleet = coordinator.fleet
        self._truth = coordinator.truth
        self._locks: defaultdict[Key, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._known: dict[Key, _Stretch] = {}
        self._places_read_at: dict[str, datetime] = {}
        self.places: dict[str, str] = {}

    async def between(self, key: Key, start: datetime, end: datetime) -> list[Session]:
        """Return a car's sessions that overlap a period, oldest first, a running one among them.

        One stretch is remembered for each car: a period that touches it costs what it adds, and what is too
        young to be settled is asked for anew. Raises a JedlixError.
        """
        now = dt_util.utcnow()
        found: dict[str, Session] = {}
        if (car := self._fleet.vehicle(key)) is not None:
            found |= car.open_sessions
        if start <= now:
            async with self._locks[key]:
                found |= await self._remembering(key, start - _LONGEST_SESSION, min(end, now), now)
        return sorted(
            (session for session in found.values() if _overlaps(session, start, end, now)),
            key=_began_at,
        )

    async def began_since(self, key: Key, start: datetime) -> list[Session]:
        """Return a car's sessions that began since a moment, oldest first; raises a JedlixError."""
        return sorted(await self._fetch(key, start, None), key=_began_at)

    async def learn_places(self, user_id: str) -> None:
        """Have the addresses of a user's charging locations (SDK) known, as far as they can be had."""
        now = dt_util.utcnow()
        read_at = self._places_read_at.get(user_id)
        if read_at is not None and now - read_at <= _PLACES_LAST:
            return
        if not self._truth.serves("user_locations"):
            return
        try:
            locations = await self._client.user_locations(user_id)
        except REFUSALS as err:
            self._truth.refused("user_locations", err)
        except JedlixError as err:
            _LOGGER.debug("The places of %s are read later: %s", user_id, err)
        else:
            self._truth.answered("user_locations")
            self._places_read_at[user_id] = now
            self.places |= {place.id: place.label for place in locations if place.label}

    async def _remembering(
        self, key: Key, start: datetime, end: datetime, now: datetime
    ) -> dict[str, Session]:
        """Return what began in a period, and perhaps more."""
        known = self._known.get(key)
        if known is None or start > known.end or end < known.start:
            known = _Stretch(start, start)
        fetched: list[Session] = []
        if start < known.start:
            fetched += await self._fetch(key, start, known.start)
        if end > known.end:
            fetched += await self._fetch(key, known.end, None if end == now else end)
        found = {**known.sessions, **{session.id: session for session in fetched}}
        settled = now - _SETTLES_AFTER
        start = min(start, known.start)
        end = min(
            max(end, known.end),
            settled,
            *(
                _began_at(session)
                for session in fetched
                if session.ended_at is None or session.ended_at > settled
            ),
        )
        self._known[key] = _Stretch(
            start,
            max(start, end),
            {name: session for name, session in found.items() if _began_at(session) < end},
        )
        return found

    async def _fetch(self, key: Key, start: datetime, end: datetime | None) -> list[Session]:
        """Return the sessions that began in a period (None: up to now), completed from the financials."""
        sessions = await self._list(key, start, end)
        if not self._truth.serves("financials") or not any(map(_is_wanting, sessions)):
            return sessions
        try:
            financials = await self._client.financials(
                key[0], started_from=start, started_to=end or dt_util.utcnow()
            )
        except REFUSALS as err:
            self._truth.refused("financials", err)
            return sessions
        self._truth.answered("financials")
        told = {session.id: session for session in financials}
        return [_completed(session, told.get(session.id)) for session in sessions]

    async def _list(self, key: Key, start: datetime, end: datetime | None) -> list[Session]:
        user_id, _ = key
        for name, owner in (("user_sessions", user_id), ("sessions", None)):
            if self._truth.serves(name):
                try:
                    sessions = await self._read(owner, key, start, end)
                except (NotFound, Forbidden) as err:
                    self._truth.refused(name, err)
                else:
                    self._truth.answered(name)
                    return sessions
        raise NotFound("this tenant lists no sessions")

    async def _read(
        self, owner: str | None, key: Key, start: datetime, end: datetime | None
    ) -> list[Session]:
        """Read pages, newest first, until one is older than what was asked for.

        The end and the car are inferred filters: where they are not understood, more pages are read, and what
        is returned goes beyond the end.
        """
        found: list[Session] = []
        pages = self._client.session_pages(
            user_id=owner, vehicle_id=key[1], started_from=start, started_to=end
        )
        count = 0
        async for page in pages:
            if (count := count + 1) > _MOST_PAGES:
                raise TooManySessions
            began = [session for session in page if session.started_at is not None]
            found += [session for session in began if _is_of(session, key)]
            if began and max(map(_began_at, began)) < start:
                break
        return found


def _is_of(session: Session, key: Key) -> bool:
    """Return whether a session is of this car. One car per user is documented, so the user's id will do."""
    named = (session.user_id, session.vehicle_id)
    return named != (None, None) and all(
        name in (None, of) for name, of in zip(named, key, strict=True)
    )


def _began_at(session: Session) -> datetime:
    """Return when a session began; one that does not tell is in no period, and was left out before."""
    assert session.started_at is not None  # noqa: S101
    return session.started_at


def _overlaps(session: Session, start: datetime, end: datetime, now: datetime) -> bool:
    """Return whether a session was running at any time from `start` up to `end`."""
    return (
        session.started_at is not None
        and session.started_at < end
        and (session.started_at >= start or (session.ended_at or now) > start)
    )


def _is_wanting(session: Session) -> bool:
    """Return whether an ended session leaves out what the financials may tell."""
    return session.ended_at is not None and None in (session.cost, session.savings)


def _completed(session: Session, told: Session | None) -> Session:
    """Return a session with what it leaves out taken from what the financials tell of it."""
    if told is None:
        return session
    return replace(
        session,
        energy_kwh=told.energy_kwh if session.energy_kwh is None else session.energy_kwh,
        cost=told.cost if session.cost is None else session.cost,
        savings=told.savings if session.savings is None else session.savings,
        currency=session.currency or told.currency,
    )


# -- what the actions answer -------------------------------------------------------------------------------


def session_as_json(session: Session) -> JsonObjectType:
    """Return a session as `get_sessions` answers it: local times, kWh, null for what is not told."""
    return {
        "session_id": session.id,
        "vehicle_id": session.vehicle_id,
        "is_managed": session.is_managed,
        "charging_location_id": session.charging_location_id,
        "started_at": _local(session.started_at),
        "ended_at": _local(session.ended_at),
        "energy_kwh": session.energy_kwh,
        "cost": session.cost,
        "savings": session.savings,
        "currency": session.currency,
    }


def costs_as_json(sessions: Iterable[Session], start: datetime) -> list[JsonObjectType]:
    """Return totals by currency as `get_costs` answers them: energy in kWh, null for what no session tells.

    A session counts in the period in which it began, so that the totals of months add up to that of the year:
    those that began before `start` are left out.
    """
    by_currency: defaultdict[str | None, list[Session]] = defaultdict(list)
    for session in sessions:
        if session.started_at is not None and session.started_at >= start:
            by_currency[session.currency].append(session)
    return [
        {
            "currency": currency,
            "sessions": len(counted),
            "smart_sessions": sum(session.is_managed is True for session in counted),
            "unmanaged_sessions": sum(session.is_managed is False for session in counted),
            "energy_kwh": _total(counted, lambda session: session.energy_kwh, 3),
            "cost": _total(counted, lambda session: session.cost, 2),
            "savings": _total(counted, lambda session: session.savings, 2),
        }
        for currency, counted in by_currency.items()
    ]


def _local(moment: datetime | None) -> str | None:
    return None if moment is None else dt_util.as_local(moment).isoformat()


def _total(
    sessions: Iterable[Session], read: Callable[[Session], float | None], digits: int
) -> float | None:
    told = [value for value in map(read, sessions) if value is not None]
    return round(sum(told), digits) if told else None
