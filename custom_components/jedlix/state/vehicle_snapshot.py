"""Snapshot of a vehicle: what is known of one car and its sessions at one moment.

`advance` puts newly fetched answers on top of what is known. An older reading never replaces a newer one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
import math
from types import MappingProxyType
from typing import Final, Self

from ..api import ChargeSettings, ChargeStatus, Session, Vehicle
from .ledger import SESSIONS_REMEMBERED, Ledger
from .link import Link
from .read_back import Surprise

# A reading or an end that lies further in the future is not believed.
CLOCK_TOLERANCE: Final = timedelta(minutes=5)

# How long the last reading counts after the link to the maker was lost.
_LOST_LINK_COUNTS_FOR: Final = timedelta(hours=1)
# How long a reading counts by which the car charges: a car that charges reports (assumed).
_CHARGING_COUNTS_FOR: Final = timedelta(hours=6)

# Capabilities (SDK).
_START_STOP: Final = "startStopCharging"
_POSITION: Final = frozenset({"geoLocation", "geoFencing"})
_BATTERY_LEVEL: Final = "stateOfCharge"
_PUSHES: Final = "pushTelemetry"
_IS_ASKED: Final = "pullTelemetry"

_NO_SESSIONS: Final[Mapping[str, datetime]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class VehicleSnapshot:
    """One car of one followed user.

    `known_since`: sessions that ended before are not published. They ended before the first refresh, or they
    were published so long ago that they are forgotten. A session that was open at the first refresh is
    published, also where Jedlix reports later that it had ended before.
    `status`: the last charge state that was known. `unknown` is no change (SDK).
    `open_sessions`: the sessions without an end, by id.
    `ended_sessions`: when each remembered session ended, by id.
    `latest_session`: the newest session of all; of those that began at one moment, the one found last.
    `plug_session`: the newest session of the current plug-in, None while the car is unplugged.
    `boost_session_id`: the session that is boosted. The API may not report it, so a command of ours is
    remembered with its session.
    `entered_levels`: battery levels in % that the user entered, by session id; remembered likewise.
    `link`: whether Jedlix reaches the car through its maker.
    `is_plug_unknown`, `is_charging_unknown`: whether the reading is so old that nobody can know any more.
    `estimated_ends`: the ends among them that are estimated, because Jedlix no longer lists the session.
    `ledger`: the figures of all sessions.
    `stopped_writes`: what is not written any more until the next set-up, by the key of its entity, because
    Jedlix did something else with it. It is not stored.
    `fetched`: the ended sessions of the last refresh. The comparison reads them; they are not stored.
    """

    vehicle: Vehicle
    known_since: datetime
    status: ChargeStatus = ChargeStatus.UNKNOWN
    settings: ChargeSettings | None = None
    open_sessions: Mapping[str, Session] = field(default_factory=dict)
    ended_sessions: Mapping[str, datetime] = _NO_SESSIONS
    estimated_ends: Mapping[str, datetime] = _NO_SESSIONS
    latest_session: Session | None = None
    plug_session: Session | None = None
    boost_session_id: str | None = None
    entered_levels: Mapping[str, int] = field(default_factory=dict)
    link: Link = field(default_factory=Link)
    is_plug_unknown: bool = False
    is_charging_unknown: bool = False
    ledger: Ledger = field(default_factory=Ledger)
    stopped_writes: Mapping[str, Surprise] = field(default_factory=dict)
    fetched: tuple[Session, ...] = field(default=(), compare=False)

    @property
    def session(self) -> Session | None:
        """Return the running session: the newest without an end (assumed, no flag is documented).

        A session ends with the plug (documented): none is running once the car is known to be unplugged.
        """
        running = newest(self.open_sessions.values())
        reading = self.vehicle.charge_state
        is_over = (
            running is not None
            and reading.status is ChargeStatus.DISCONNECTED
            and reading.updated_at is not None
            and reading.updated_at.timestamp() > _started(running)
        )
        return None if is_over else running

    @property
    def session_ids(self) -> set[str]:
        """Return the ids of all sessions that are remembered of this car."""
        return {*self.open_sessions, *self.ended_sessions, *self.ledger.listed}

    @property
    def listed_sessions(self) -> dict[str, Session]:
        """Return the sessions that Jedlix should list, by id."""
        return {**self.ledger.listed, **self.open_sessions}

    @property
    def is_plugged_in(self) -> bool | None:
        """Return whether the car is plugged in, None while nobody knows."""
        status = self.vehicle.charge_state.status
        if self.is_plug_unknown or status is ChargeStatus.UNKNOWN:
            return None
        return status is not ChargeStatus.DISCONNECTED

    @property
    def is_charging(self) -> bool | None:
        """Return whether the car draws power, None while nobody knows."""
        status = self.vehicle.charge_state.status
        if self.is_charging_unknown or status is ChargeStatus.UNKNOWN:
            return None
        return status is ChargeStatus.CHARGING

    @property
    def is_smart(self) -> bool:
        """Return whether a smart session is running."""
        return (session := self.session) is not None and session.is_managed is True

    @property
    def is_boosted(self) -> bool:
        """Return whether the running session charges at once, as far as is known."""
        session = self.session
        return session is not None and session.id == self.boost_session_id

    @property
    def can_be_smart(self) -> bool:
        """Return whether Jedlix can control the charging: it needs a position and start/stop (documented).

        The SDK's names for these two are inferred. So a car that had a smart session counts, whatever it
        names.
        """
        can = self.vehicle.capabilities
        return (
            not can
            or (_START_STOP in can and not _POSITION.isdisjoint(can))
            or (self.latest_session is not None and self.latest_session.is_managed is True)
        )

    @property
    def reports_battery_level(self) -> bool:
        """Return whether the car reports its battery level; some cannot (documented)."""
        return (
            self.vehicle.charge_state.battery_level is not None
            or _BATTERY_LEVEL in self.vehicle.capabilities
        )

    @property
    def can_be_asked(self) -> bool:
        """Return whether Jedlix can ask the car for its state; some cars only push it (documented)."""
        can = self.vehicle.capabilities
        return _PUSHES not in can or _IS_ASKED in can

    def advance(self, vehicle: Vehicle, sessions: Sequence[Session], now: datetime) -> Self:
        """Return this snapshot with newly fetched answers on top: the car, and sessions of it."""
        vehicle = _newer_reading(self.vehicle, vehicle, now)
        sessions = sorted(
            (_without_future_end(session, now) for session in sessions), key=_started_and_ended
        )
        status = vehicle.charge_state.status
        if status is ChargeStatus.UNKNOWN:
            status = self.status
        link = self.link.advance(
            now, is_connected=vehicle.is_connected, status=vehicle.connection_status
        )
        is_plug_unknown = link.lost_at is not None and now - link.lost_at >= _LOST_LINK_COUNTS_FOR
        known = self._with_sessions(sessions, now)
        return replace(
            known,
            vehicle=vehicle,
            status=status,
            plug_session=None
            if status is ChargeStatus.DISCONNECTED
            else newest(known.open_sessions.values()) or self.plug_session,
            link=link,
            is_plug_unknown=is_plug_unknown,
            is_charging_unknown=is_plug_unknown or _is_charging_stale(vehicle, now),
            ledger=_with_charging(self.ledger.watch(now).advance(sessions), self.vehicle, vehicle),
            fetched=tuple({item.id: item for item in sessions if item.ended_at}.values()),
        )

    def _with_sessions(self, sessions: Sequence[Session], now: datetime) -> Self:
        """Return this snapshot after these sessions were read, the oldest first.

        What was remembered of a session that has ended goes.
        """
        open_sessions = dict(self.open_sessions)
        ended = {
            key: end for key, end in self.ended_sessions.items() if end > now - SESSIONS_REMEMBERED
        }
        estimated = {
            key: end
            for key, end in self.estimated_ends.items()
            if key in ended or key in open_sessions
        }
        forgotten = self.ended_sessions.keys() - ended.keys()
        known_since = max([self.known_since, *(self.ended_sessions[key] for key in forgotten)])
        latest, boosted = self.latest_session, self.boost_session_id
        for session in sessions:
            if session.ended_at is not None:
                if open_sessions.pop(session.id, None) is not None:
                    before_end = session.ended_at - timedelta.resolution
                    known_since = min(known_since, max(before_end, now - SESSIONS_REMEMBERED))
                ended[session.id] = session.ended_at
            elif session.id not in ended or session.id in estimated:
                # An end is final: a late answer does not open the session again. An estimated one is not.
                open_sessions[session.id] = session
                ended.pop(session.id, None)
            if latest is None or session.id == latest.id or self._is_later(session, latest):
                latest = session
            if session.is_boosted and session.ended_at is None:
                boosted = session.id
            elif session.is_boosted is False and session.id == boosted:
                boosted = None
        return replace(
            self,
            known_since=known_since,
            open_sessions=open_sessions,
            ended_sessions=ended,
            estimated_ends=estimated,
            latest_session=latest,
            boost_session_id=boosted if boosted in open_sessions else None,
            entered_levels={
                key: level for key, level in self.entered_levels.items() if key in open_sessions
            },
        )

    def _is_later(self, session: Session, latest: Session) -> bool:
        """Return whether a session comes after the latest one.

        Of two that began at one moment it is the one that was found last, unless it had ended before. Once
        both are known, that stays so, whichever ends first.
        """
        if session.id in self.ledger.listed:
            return _started(session) > _started(latest)
        return _started_and_ended(session) >= _started_and_ended(latest)

    def close(self, session_id: str, last_seen: datetime) -> Self:
        """Return this snapshot without a session that Jedlix no longer lists.

        An open one gets an estimated end.
        """
        ledger = self.ledger.without({session_id})
        if session_id not in self.open_sessions:
            return replace(self, ledger=ledger)
        session = replace(self.open_sessions[session_id], ended_at=last_seen)
        closed = self.advance(self.vehicle, [session], last_seen)
        return replace(
            closed,
            estimated_ends={**closed.estimated_ends, session_id: last_seen},
            ledger=ledger,
            fetched=(*self.fetched, session),
        )


def _started(session: Session) -> float:
    """Return the start in seconds, to order sessions by; a session without a start is the oldest."""
    return 0.0 if session.started_at is None else session.started_at.timestamp()


def _started_and_ended(session: Session) -> tuple[float, float]:
    """Return start and end in seconds, to order sessions by; one without an end comes last."""
    end = math.inf if session.ended_at is None else session.ended_at.timestamp()
    return _started(session), end


def newest(sessions: Iterable[Session]) -> Session | None:
    """Return the session that began last; of those that began at one moment, the one that was found last."""
    return max(reversed(tuple(sessions)), key=_started, default=None)


def _newer_reading(known: Vehicle, fetched: Vehicle, now: datetime) -> Vehicle:
    """Return the fetched car, with the known reading where the fetched one is older.

    An answer may come from a cache, or be overtaken by a later one. A known reading from the future never
    wins.
    """
    held, read = known.charge_state.updated_at, fetched.charge_state.updated_at
    if held is None or read is None or held > now + CLOCK_TOLERANCE or read >= held:
        return fetched
    return replace(fetched, charge_state=known.charge_state)


def _is_charging_stale(vehicle: Vehicle, now: datetime) -> bool:
    """Return whether the car charges by a reading that is too old to be believed."""
    reading = vehicle.charge_state
    return (
        reading.status is ChargeStatus.CHARGING
        and reading.updated_at is not None
        and now - reading.updated_at > _CHARGING_COUNTS_FOR
    )


def _with_charging(ledger: Ledger, before: Vehicle, after: Vehicle) -> Ledger:
    """Return a ledger that knows when the car charged between two readings."""
    start, end = before.charge_state.updated_at, after.charge_state.updated_at
    was_charging = before.charge_state.status is ChargeStatus.CHARGING
    if not was_charging or start is None or end is None or start >= end:
        return ledger
    return ledger.with_charging(start, end)


def _without_future_end(session: Session, now: datetime) -> Session:
    """Return a session; an end that lies in the future has not come yet."""
    if session.ended_at is None or session.ended_at <= now + CLOCK_TOLERANCE:
        return session
    return replace(session, ended_at=None)
