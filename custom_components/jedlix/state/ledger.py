"""Ledger: the energy, cost and savings of a car's sessions, each session counted once.

A late or corrected figure changes the session's entry, and the totals by the difference. Sessions that are no
longer remembered are sealed: what they had is kept by month, and they never count again.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta, tzinfo
import math
from types import MappingProxyType
from typing import Final, Self

from ..api import Session
from .figures import Figures, completed
from .hours import Flow, Interval, flow_of, hour_of, share

# How long an ended session is remembered. So long its figures may be corrected, and so long it is never
# published twice. Longer than any history reaches.
SESSIONS_REMEMBERED: Final = timedelta(days=8)
# How long after the end of a session its figures may come in the financials.
SETTLES_WITHIN: Final = timedelta(days=2)
# How long the ids of sealed sessions are kept: Jedlix may list one again, with a later end.
_SEALED_IDS_KEPT: Final = timedelta(days=31)
# How long it is remembered when the car charged: last month is split by it until it is over.
CHARGING_REMEMBERED: Final = timedelta(days=62)
# Where nobody has read the car for so long, it is not known when it charged.
MAX_UNSEEN: Final = timedelta(hours=2)

_NO_SESSIONS: Final[Mapping[str, Session]] = MappingProxyType({})
_NO_MOMENTS: Final[Mapping[str, datetime]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedMonth:
    """What sealed sessions had in a local month, written as 2026-11, and in one currency.

    `sessions` is how many they are; one over the end of a month is one in each.
    """

    month: str
    currency: str | None
    figures: Figures
    sessions: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The sessions of one car with their figures. Times are Jedlix's.

    `listed`: the remembered sessions by id, as Jedlix last listed them.
    `financials`: what the financials reported of them, by the session's id, at last at `financials_read_at`.
    `charging`: the intervals in which the car was seen charging, of the last 62 days.
    `unseen`: the intervals in which nobody read the car. `watched_since`: from when on these two are known.
    `sealed_months`: the figures of sealed sessions. `sealed_until`: sessions that ended before are sealed.
    `sealed_sessions`: when each sealed session ended, by id, for a while.
    """

    listed: Mapping[str, Session] = _NO_SESSIONS
    financials: Mapping[str, Session] = _NO_SESSIONS
    financials_read_at: datetime | None = None
    charging: tuple[Interval, ...] = ()
    unseen: tuple[Interval, ...] = ()
    watched_since: datetime | None = None
    sealed_months: tuple[SealedMonth, ...] = ()
    sealed_until: datetime | None = None
    sealed_sessions: Mapping[str, datetime] = _NO_MOMENTS

    # -- what is known -------------------------------------------------------------------------------------

    @property
    def sessions(self) -> dict[str, Session]:
        """Return the remembered sessions by id, with what Jedlix's list leaves out from the financials."""
        return {
            session_id: completed(session, self.financials.get(session_id))
            for session_id, session in self.listed.items()
        }

    def session(self, session_id: str) -> Session | None:
        """Return a remembered session, None where it is not known."""
        listed = self.listed.get(session_id)
        return None if listed is None else completed(listed, self.financials.get(session_id))

    def has_same_sessions(self, other: Self) -> bool:
        """Return whether neither ledger has news of a session that the other lacks."""
        return self.listed is other.listed and self.financials is other.financials

    def deleted_in(self, later: Self) -> list[Session]:
        """Return the ended sessions that a later ledger has lost, and not sealed."""
        return [
            session
            for session_id, session in self.sessions.items()
            if session_id not in later.listed
            and session.ended_at is not None
            and (later.sealed_until is None or session.ended_at > later.sealed_until)
        ]

    def unsettled(self, now: datetime) -> Iterator[Session]:
        """Yield the ended sessions whose missing figures the financials may have.

        They may until they were read after the time within which figures come.
        """
        read_at = self.financials_read_at
        for session in self.sessions.values():
            if session.ended_at is None or Figures.of(session).is_complete:
                continue
            if read_at is None or not session.ended_at + SETTLES_WITHIN <= read_at <= now:
                yield session

    @property
    def last_session(self) -> Session | None:
        """Return the remembered session that ended last, None where none has ended."""
        ended = [session for session in self.sessions.values() if session.ended_at is not None]
        return max(ended, key=_ended, default=None)

    @property
    def currency(self) -> str | None:
        """Return the currency of the money: that of most sessions, None where Jedlix names none.

        Of two with as many sessions it is the older one: a sensor keeps its unit.
        """
        count = Counter[str | None]()
        for item in self.sealed_months:
            count[item.currency] += item.sessions
        count.update(item.currency for item in sorted(self.sessions.values(), key=_began))
        del count[None]
        return max(count, key=count.__getitem__, default=None)

    def flow(self, session: Session, now: datetime) -> Flow:
        """Return when energy flowed in a session, as far as is known: up to now in one without an end.

        Where nobody has read the car for long, or not from the start on, it is not known when it charged:
        then it is all the time.
        """
        end = session.ended_at or now
        start = session.started_at or end
        if self.watched_since is not None and start < self.watched_since:
            return flow_of(start, end)
        unseen = sum(
            (max(timedelta(0), min(end, gap.end) - max(start, gap.start)) for gap in self.unseen),
            timedelta(0),
        )
        return flow_of(start, end, self.charging if unseen <= MAX_UNSEEN else ())

    def figures(self, now: datetime, since: datetime | None = None) -> Figures:
        """Return the figures of all sessions, or of the time since a local month began.

        Money in another currency than `currency` is left out. A figure that no session ever had is None.
        """
        currency = self.currency
        month = "" if since is None else _month_of(since)
        total = Figures()
        for item in self.sealed_months:
            figures = item.figures.in_currency(item.currency, currency)
            total = total.plus(figures.times(item.month >= month))
        for session in self.sessions.values():
            figures = Figures.of(session).in_currency(session.currency, currency)
            total = total.plus(figures.times(self._part_since(session, now, since)))
        return total

    # -- what is new ---------------------------------------------------------------------------------------

    def advance(self, sessions: Iterable[Session]) -> Self:
        """Return this ledger after an answer with these sessions. What it leaves out of them stays."""
        listed = dict(self.listed)
        for session in sessions:
            if (known := listed.get(session.id)) is not None:
                if not _is_from_before_the_end(session, known):
                    listed[session.id] = _updated(known, session)
            elif not self._is_sealed(session):
                listed[session.id] = session
        return self if listed == self.listed else replace(self, listed=listed)

    def with_financials(self, sessions: Iterable[Session], now: datetime) -> Self:
        """Return this ledger after an answer of the financials; only the sessions in it are completed."""
        financials = dict(self.financials)
        for session in sessions:
            if session.id in self.listed and not Figures.of(session).is_empty:
                figures = Session(
                    id=session.id,
                    energy_kwh=session.energy_kwh,
                    cost=session.cost,
                    savings=session.savings,
                    currency=session.currency,
                )
                financials[session.id] = _updated(financials.get(session.id, figures), figures)
        return replace(self, financials=financials, financials_read_at=now)

    def watch(self, now: datetime) -> Self:
        """Return this ledger after a reading of the car; the first one begins what is known of charging."""
        return self if self.watched_since is not None else replace(self, watched_since=now)

    def with_charging(self, start: datetime, end: datetime) -> Self:
        """Return this ledger with an interval in which the car was seen charging."""
        ledger = self._forget_charging(end)
        return replace(ledger, charging=_joined(ledger.charging, Interval(start, end)))

    def with_unseen(self, start: datetime, end: datetime) -> Self:
        """Return this ledger with an interval in which nobody read the car."""
        ledger = self._forget_charging(end)
        return replace(ledger, unseen=_joined(ledger.unseen, Interval(start, end)))

    def go_on(self, now: datetime) -> Self:
        """Return this ledger once its car is back; nobody has read the car since it was gone."""
        return self.with_unseen(self.unseen[-1].end, now) if self.unseen else self

    def without(self, session_ids: Collection[str]) -> Self:
        """Return this ledger without sessions that Jedlix has deleted."""
        if self.listed.keys().isdisjoint(session_ids):
            return self
        return replace(
            self,
            listed={key: item for key, item in self.listed.items() if key not in session_ids},
            financials={
                key: item for key, item in self.financials.items() if key not in session_ids
            },
        )

    def seal(self, now: datetime, zone: tzinfo, *, may_settle: bool = False) -> Self:
        """Return this ledger with the sessions sealed that are no longer remembered.

        Their figures are kept by the months of a time zone. The last session is remembered until another
        ends, and each as long as a later one that may share an hour with it, for two months at most: an hour
        of the statistics is written as a whole. Where one `may_settle` by the financials, it and what ended
        after it are remembered until those were read, for two months at most.
        """
        until, last = now - SESSIONS_REMEMBERED, self.last_session
        ends = [item.ended_at for item in self.unsettled(now) if item.ended_at and may_settle]
        waiting = [end - timedelta.resolution for end in ends if end > now - CHARGING_REMEMBERED]
        until = min([until, *waiting])
        sessions = self.sessions
        old = {
            name: item
            for name, item in sessions.items()
            if item.ended_at is not None and item.ended_at <= until and item != last
        }
        oldest_hour = hour_of(now)
        by_end = sorted(sessions.items(), key=lambda it: _ended(it[1]) or math.inf, reverse=True)
        for name, item in by_end:
            if name in old and _ended(item) >= oldest_hour.timestamp():
                del old[name]
            if name not in old and item.started_at is not None:
                start = max(item.started_at, now - CHARGING_REMEMBERED)
                oldest_hour = min(oldest_hour, hour_of(start))
        if not old and self.sealed_until is not None:
            return self
        months = {(item.month, item.currency): item for item in self.sealed_months}
        for session in old.values():
            for month, figures in self._by_month(session, now, zone):
                key = (month, session.currency)
                known = months.get(key) or SealedMonth(
                    month=month, currency=session.currency, figures=Figures(), sessions=0
                )
                months[key] = replace(
                    known, figures=known.figures.plus(figures), sessions=known.sessions + 1
                )
        return replace(
            self.without(old),
            sealed_months=tuple(months.values()),
            sealed_until=max(until, self.sealed_until or until),
            sealed_sessions={
                session_id: ended_at
                for session_id, ended_at in {
                    **self.sealed_sessions,
                    **{key: session.ended_at for key, session in old.items()},
                }.items()
                if ended_at is not None and ended_at > until - _SEALED_IDS_KEPT
            },
        )

    def _part_since(self, session: Session, now: datetime, since: datetime | None) -> float:
        """Return which part of a session's figures belongs to the time since a moment, from 0 to 1."""
        if since is None or (session.started_at or session.ended_at or now) >= since:
            return 1.0
        if session.ended_at is not None and session.ended_at <= since:
            return 0.0
        flow = self.flow(session, now)
        return share(flow, since, max(since, flow[-1].end) + timedelta(days=1))

    def _forget_charging(self, now: datetime) -> Self:
        """Return this ledger without what is known of charging long ago, before all remembered sessions."""
        starts = [item.started_at for item in self.listed.values() if item.started_at is not None]
        oldest = min([now - CHARGING_REMEMBERED, *starts])
        if self.watched_since is None or self.watched_since >= oldest:
            return self
        return replace(
            self,
            charging=tuple(item for item in self.charging if item.end > oldest),
            unseen=tuple(item for item in self.unseen if item.end > oldest),
            watched_since=oldest,
        )

    def _is_sealed(self, session: Session) -> bool:
        return session.id in self.sealed_sessions or (
            session.ended_at is not None
            and self.sealed_until is not None
            and session.ended_at <= self.sealed_until
        )

    def _by_month(
        self, session: Session, now: datetime, zone: tzinfo
    ) -> Iterator[tuple[str, Figures]]:
        """Yield each local month in which energy of an ended session flowed, and the figures of it."""
        flow = self.flow(session, now)
        begin = _month_start(flow[0].start.astimezone(zone))
        while begin <= flow[-1].end:
            following = _month_start(begin + timedelta(days=32))
            part = share(flow, begin, following)
            yield _month_of(begin), Figures.of(session).times(part)
            begin = following


def _joined(intervals: tuple[Interval, ...], new: Interval) -> tuple[Interval, ...]:
    """Return intervals with a new one, joined with the last of them where it goes on."""
    if intervals and intervals[-1].start <= new.start <= intervals[-1].end:
        *intervals_before, last = intervals
        return (*intervals_before, Interval(last.start, max(last.end, new.end)))
    return (*intervals, new)


def _updated(known: Session, session: Session) -> Session:
    """Return a session as an answer reports it; what the answer leaves out stays as it is known."""
    reported = {item.name: getattr(session, item.name) for item in fields(session)}
    return replace(known, **{name: value for name, value in reported.items() if value is not None})


def _is_from_before_the_end(session: Session, known: Session) -> bool:
    """Return whether an answer has an ended session as it was before.

    Where Jedlix has taken the end back, there is more energy than at that end.
    """
    return (
        known.ended_at is not None
        and session.ended_at is None
        and (session.energy_kwh or 0.0) <= (known.energy_kwh or 0.0)
    )


def _began(session: Session) -> float:
    """Return the start in seconds, to order sessions by; one without a start comes first."""
    return 0.0 if session.started_at is None else session.started_at.timestamp()


def _ended(session: Session) -> float:
    """Return the end in seconds, to order sessions by."""
    return 0.0 if session.ended_at is None else session.ended_at.timestamp()


def _month_start(local: datetime) -> datetime:
    return local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _month_of(local: datetime) -> str:
    return local.strftime("%Y-%m")
