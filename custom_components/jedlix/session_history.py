"""Session history: the sessions of a car in any period, with few calls however a calendar is scrolled.

They come from the user's own list (assumed, A4), or from the tenant's (documented) where there is none.
Energy and money that a session leaves out are taken from the financials (assumed, A7), where the tenant
offers them.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Final

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
from .devices import DeviceKey
from .state.figures import completed
from .state.hours import Flow
from .state.ledger import Ledger

# How long before a period a session may have begun that reaches into it: some cars stay plugged in for weeks.
MAX_SESSION_LENGTH: Final = timedelta(days=92)
# An end is listed later than its own time (documented), and the final energy and money perhaps later still.
_SETTLED_AFTER: Final = timedelta(days=2)
# What Jedlix corrects or deletes later is seen after this time.
_KEPT_FOR: Final = timedelta(days=1)
MAX_PAGES: Final = 100


class TooManySessions(BadAnswer):
    """The tenant has no list of one user or car, and its own is too long for the period."""

    def __init__(self) -> None:
        """Name the way out."""
        super().__init__("there are too many sessions in this period; ask for a shorter one")


@dataclass(frozen=True, slots=True)
class _SettledPeriod:
    """All sessions of a car that began from `start` up to `end`; Jedlix rarely changes them any more.

    `read_at` is when the first of them were read.
    """

    start: datetime
    end: datetime
    read_at: datetime
    sessions: Mapping[str, Session] = field(default_factory=dict)


class SessionHistory:
    """The past sessions of the cars of one entry.

    Every session that is returned has a start. A session without one belongs to no period.
    """

    def __init__(self, client: JedlixClient, coordinator: JedlixCoordinator) -> None:
        """Start with nothing read."""
        self._client = client
        self._now = coordinator.now
        self._fleet = coordinator.fleet
        self._offered = coordinator.offered
        self._locks: defaultdict[DeviceKey, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._settled: dict[DeviceKey, _SettledPeriod] = {}

    async def between(self, key: DeviceKey, start: datetime, end: datetime) -> list[Session]:
        """Return a car's sessions that overlap a period, oldest first, a running one included.

        One settled period is kept per car for a day: a period that touches it costs what it adds. Younger
        sessions are read each time. Times are Jedlix's. Raises a JedlixError.
        """
        now = self._now()
        found: dict[str, Session] = {}
        if start <= now:
            async with self._locks[key]:
                found = await self._read_and_keep(
                    key, start - MAX_SESSION_LENGTH, min(end, now), now
                )
        sessions = self._with_what_is_known(key, found)
        overlapping = [session for session in sessions if _overlaps(session, start, end, now)]
        return sorted(overlapping, key=_start_of)

    @property
    def is_listed(self) -> bool:
        """Return whether Jedlix lists sessions, as far as is known: a driver may see no list at all."""
        return any(map(self._offered.is_offered, ("user_sessions", "sessions")))

    def flow(self, key: DeviceKey, session: Session) -> Flow:
        """Return when energy flowed in a session, up to now in a running one."""
        car = self._fleet.vehicle(key)
        return (Ledger() if car is None else car.ledger).flow(session, self._now())

    async def began_since(self, key: DeviceKey, start: datetime) -> list[Session]:
        """Return a car's sessions that began since a moment, and those remembered, oldest first.

        Raises a JedlixError, also where the financials had figures before and refuse them now.
        """
        sessions, refusal = await self._fetch(key, start, None)
        if refusal is not None and self._offered.has_answered("financials"):
            raise refusal
        found = {session.id: session for session in sessions}
        return sorted(self._with_what_is_known(key, found), key=_start_of)

    def remembered(self, key: DeviceKey) -> list[Session]:
        """Return the sessions of a car that are remembered without a call, oldest first."""
        return sorted(self._with_what_is_known(key, {}), key=_start_of)

    def _with_what_is_known(
        self, key: DeviceKey, found: Mapping[str, Session]
    ) -> Iterable[Session]:
        """Return the sessions that were read and those that are remembered, with what is known of both.

        Where Jedlix names no currency, it is that of the car's other sessions, or of the account's.
        """
        cars = self._fleet.vehicles
        car = cars.pop(key, None)
        known = {} if car is None else {**car.ledger.sessions, **car.open_sessions}
        sessions = {
            **found,
            **{name: completed(item, found.get(name)) for name, item in known.items()},
        }.values()
        named = Counter(item.currency for item in sessions if item.currency is not None)
        of_others = (other.ledger.currency for other in cars.values())
        currency = next(
            filter(None, chain((name for name, _ in named.most_common(1)), of_others)), None
        )
        return [replace(item, currency=item.currency or currency) for item in sessions]

    async def _read_and_keep(
        self, key: DeviceKey, start: datetime, end: datetime, now: datetime
    ) -> dict[str, Session]:
        """Return the sessions that began in a period, and perhaps more; keep those that are settled.

        Nothing is kept where the financials refuse figures that they may have.
        """
        known = self._settled.get(key)
        if (
            known is None
            or start > known.end
            or end < known.start
            or not timedelta(0) <= now - known.read_at < _KEPT_FOR
        ):
            known = _SettledPeriod(start, start, now)
        missing: list[tuple[datetime, datetime | None]] = []
        if start < known.start:
            missing.append((start, known.start))
        if end > known.end:
            missing.append((known.end, None if end == now else end))
        answers = [await self._fetch(key, *period) for period in missing]
        fetched = [session for sessions, _ in answers for session in sessions]
        found = {**known.sessions, **{session.id: session for session in fetched}}
        if any(refusal is not None for _, refusal in answers):
            return found
        settled = now - _SETTLED_AFTER
        start = min(start, known.start)
        end = min(
            max(end, known.end),
            settled,
            *(
                _start_of(session)
                for session in fetched
                if session.ended_at is None or session.ended_at > settled
            ),
        )
        self._settled[key] = _SettledPeriod(
            start,
            max(start, end),
            known.read_at,
            {name: session for name, session in found.items() if _start_of(session) < end},
        )
        return found

    async def _fetch(
        self, key: DeviceKey, start: datetime, end: datetime | None
    ) -> tuple[list[Session], JedlixError | None]:
        """Return the sessions that began in a period (None: up to now), completed from the financials.

        Where the financials refuse figures that they may have, that is returned as well.
        """
        sessions = await self._list(key, start, end)
        if not self._offered.is_offered("financials") or not any(map(_is_incomplete, sessions)):
            return sessions, None
        try:
            financials = await self._client.financials(
                key[0], started_from=start, started_to=end or self._now()
            )
        except REFUSALS as err:
            self._offered.note_refusal("financials", err)
            return sessions, err
        self._offered.note_list("financials", financials)
        figures = {session.id: session for session in financials}
        return [completed(session, figures.get(session.id)) for session in sessions], None

    async def _list(self, key: DeviceKey, start: datetime, end: datetime | None) -> list[Session]:
        user_id, _ = key
        unproven: list[Session] | None = None
        for name, owner in (("user_sessions", user_id), ("sessions", None)):
            if self._offered.is_offered(name):
                try:
                    sessions = await self._read_pages(owner, key, start, end)
                except (NotFound, Forbidden) as err:
                    self._offered.note_refusal(name, err)
                else:
                    if owner is None or any(session.is_plausible for session in sessions):
                        self._offered.note_answer(name)
                    if owner is None or self._offered.has_answered(name):
                        return sessions
                    unproven = sessions
        if unproven is not None:
            return unproven
        raise NotFound("this tenant lists no sessions")

    async def _read_pages(
        self, owner: str | None, key: DeviceKey, start: datetime, end: datetime | None
    ) -> list[Session]:
        """Read pages, newest first, until one is older than what was asked for.

        The end and the car are inferred filters. Where they are not understood, more pages are read, and
        sessions after the end are returned.
        """
        found: list[Session] = []
        pages = self._client.session_pages(
            user_id=owner, vehicle_id=key[1], started_from=start, started_to=end
        )
        count = 0
        async for page in pages:
            if (count := count + 1) > MAX_PAGES:
                raise TooManySessions
            began = [session for session in page if session.started_at is not None]
            found += [session for session in began if _is_of(session, key)]
            if began and max(map(_start_of, began)) < start:
                break
        return found


def _is_of(session: Session, key: DeviceKey) -> bool:
    """Return whether a session is of this car. One car per user is documented, so the user's id is enough."""
    named = (session.user_id, session.vehicle_id)
    return named != (None, None) and all(
        name in (None, own_id) for name, own_id in zip(named, key, strict=True)
    )


def _start_of(session: Session) -> datetime:
    """Return when a session began, to order sessions by; one without a start sorts first."""
    return session.started_at or datetime.min.replace(tzinfo=UTC)


def _overlaps(session: Session, start: datetime, end: datetime, now: datetime) -> bool:
    """Return whether a session was running at any time from `start` up to `end`."""
    return (
        session.started_at is not None
        and session.started_at < end
        and (session.started_at >= start or (session.ended_at or now) > start)
    )


def _is_incomplete(session: Session) -> bool:
    """Return whether an ended session leaves out figures that the financials may have."""
    return session.ended_at is not None and None in (session.cost, session.savings)
