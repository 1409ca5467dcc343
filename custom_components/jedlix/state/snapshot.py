"""Snapshots: what is known of a user, their cars and chargers at one moment.

`advance` puts newly fetched answers on top of what is known. An older reading never replaces a newer one.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
import math
from types import MappingProxyType
from typing import Final, Self

from ..api import Charger, ChargeSettings, ChargeStatus, ChargingLocation, Session, Vehicle
from .gone import Absence, after_answer, gone
from .ledger import MAX_UNSEEN, SESSIONS_REMEMBERED, Ledger
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
        newest = _newest(self.open_sessions.values())
        reading = self.vehicle.charge_state
        is_over = (
            newest is not None
            and reading.status is ChargeStatus.DISCONNECTED
            and reading.updated_at is not None
            and reading.updated_at.timestamp() > _started(newest)
        )
        return None if is_over else newest

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
        status = vehicle.charge_state.status
        if status is ChargeStatus.UNKNOWN:
            status = self.status
        link = self.link.advance(
            now, is_connected=vehicle.is_connected, status=vehicle.connection_status
        )
        is_plug_unknown = link.lost_at is not None and now - link.lost_at >= _LOST_LINK_COUNTS_FOR
        read_at = vehicle.charge_state.updated_at
        is_charging_stale = (
            vehicle.charge_state.status is ChargeStatus.CHARGING
            and read_at is not None
            and now - read_at > _CHARGING_COUNTS_FOR
        )
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
        latest = self.latest_session
        sessions = sorted(
            (_without_future_end(session, now) for session in sessions), key=_started_and_ended
        )
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
        running = _newest(open_sessions.values())
        boosted = self.boost_session_id
        for session in sessions:
            if session.is_boosted and session.ended_at is None:
                boosted = session.id
            elif session.is_boosted is False and session.id == boosted:
                boosted = None
        return replace(
            self,
            vehicle=vehicle,
            known_since=known_since,
            status=status,
            open_sessions=open_sessions,
            ended_sessions=ended,
            estimated_ends=estimated,
            latest_session=latest,
            plug_session=None
            if status is ChargeStatus.DISCONNECTED
            else running or self.plug_session,
            boost_session_id=boosted if boosted in open_sessions else None,
            entered_levels={
                key: level for key, level in self.entered_levels.items() if key in open_sessions
            },
            link=link,
            is_plug_unknown=is_plug_unknown,
            is_charging_unknown=is_plug_unknown or is_charging_stale,
            ledger=_with_charging(self.ledger.watch(now).advance(sessions), self.vehicle, vehicle),
            fetched=tuple({item.id: item for item in sessions if item.ended_at}.values()),
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


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSnapshot:
    """All cars, chargers and charging locations of one followed user. Times are Jedlix's.

    `chargers` and `locations` are None until they were read.
    `locations_read_at` is when the locations were read last.
    `first_refresh` is when the first refresh began, None once it is done.
    `refreshed_at` is until when cars and sessions are known.
    `failing_since` is since when this user cannot be read, None while they can.
    `absences` are the cars, chargers, locations and open sessions that good answers no longer name, by kind
    and id.
    `former_ledgers` are those of the cars that are gone, by vehicle id. A car may come back: after a new link
    to its maker, say.
    """

    user_id: str
    vehicles: Mapping[str, VehicleSnapshot]
    chargers: Mapping[str, Charger] | None = None
    locations: Mapping[str, ChargingLocation] | None = None
    locations_read_at: datetime | None = None
    first_refresh: datetime | None = None
    refreshed_at: datetime | None = None
    failing_since: datetime | None = None
    absences: Mapping[str, Absence] = field(default_factory=dict)
    former_ledgers: Mapping[str, Ledger] = field(default_factory=dict)

    @classmethod
    def unknown(cls, user_id: str, now: datetime) -> Self:
        """Return the snapshot of a user before the first refresh."""
        return cls(user_id=user_id, vehicles={}, first_refresh=now)

    @property
    def oldest_open_start(self) -> datetime | None:
        """Return when the user's oldest open session began."""
        starts = [
            session.started_at
            for vehicle in self.vehicles.values()
            for session in vehicle.open_sessions.values()
            if session.started_at is not None
        ]
        return min(starts, default=None)

    @property
    def lacks_ledger(self) -> bool:
        """Return whether a car was stored before there were ledgers: then all of its sessions are read."""
        return any(car.ledger.watched_since is None for car in self.vehicles.values())

    @property
    def is_complete(self) -> bool:
        """Return whether all of the user was read, and the last good answers agree with what is known."""
        return (
            self.chargers is not None
            and self.first_refresh is None
            and self.failing_since is None
            and not self.absences
            and not self.lacks_ledger
        )

    def needs_sessions(self, vehicles: Iterable[Vehicle]) -> bool:
        """Return whether a car is new, or its charge state changed: then its sessions are read as well."""
        return self.lacks_ledger or any(
            (known := self.vehicles.get(vehicle.id)) is None
            or known.vehicle.charge_state.status is not vehicle.charge_state.status
            for vehicle in vehicles
        )

    @property
    def has_open_session(self) -> bool:
        """Return whether any car of the user is in a session."""
        return any(vehicle.open_sessions for vehicle in self.vehicles.values())

    @property
    def has_plugged_in_car(self) -> bool:
        """Return whether any car of the user is plugged in, as far as is known."""
        return any(vehicle.is_plugged_in for vehicle in self.vehicles.values())

    def advance(
        self,
        vehicles: Iterable[Vehicle],
        sessions: Iterable[Session],
        now: datetime,
        *,
        complete_since: datetime | None = None,
    ) -> Self:
        """Return this snapshot with newly fetched answers on top.

        A car that is not listed keeps its state until it counts as gone; so does an open session that began
        after `complete_since`, from when on all sessions are listed. The open session of an absent car is
        followed on.
        """
        cars = {vehicle.id: vehicle for vehicle in vehicles}
        everything = {
            **{key: known.vehicle for key, known in self.vehicles.items()},
            **cars,
        }
        by_vehicle: dict[str, list[Session]] = {vehicle_id: [] for vehicle_id in everything}
        for session in sessions:
            owner = session.vehicle_id or self._owner_of(session, cars)
            if owner in by_vehicle:
                by_vehicle[owner].append(session)
        since = self.first_refresh or now
        advanced = {
            vehicle_id: (
                self.vehicles.get(vehicle_id)
                or VehicleSnapshot(
                    vehicle=vehicle,
                    known_since=since,
                    ledger=self.former_ledgers.get(vehicle_id, Ledger()).go_on(now),
                )
            ).advance(vehicle, by_vehicle[vehicle_id], now)
            for vehicle_id, vehicle in everything.items()
        }
        if self.refreshed_at is not None and now - self.refreshed_at > MAX_UNSEEN:
            advanced = {
                vehicle_id: replace(car, ledger=car.ledger.with_unseen(self.refreshed_at, now))
                for vehicle_id, car in advanced.items()
            }
        user = replace(self, first_refresh=None, vehicles=advanced)
        listed = {session.id for found in by_vehicle.values() for session in found}
        return user._with_absences(self, cars.keys(), listed, complete_since, now)  # noqa: SLF001

    @property
    def absent_sessions(self) -> list[str]:
        """Return the ids of the sessions that good answers no longer name."""
        return [key.removeprefix(_SESSION) for key in self.absences if key.startswith(_SESSION)]

    def after_review(
        self, listed: Collection[str], since: datetime, until: datetime, now: datetime
    ) -> Self:
        """Return this snapshot after the tenant's list named all sessions that began in a period.

        A session that it lacks is absent, as after any other answer.
        """
        reviewed = {
            session_id
            for car in self.vehicles.values()
            for session_id, session in car.listed_sessions.items()
            if session.started_at is not None and since <= session.started_at < until
        }
        absences = after_answer(
            self.absences,
            named={_SESSION + session_id for session_id in reviewed.intersection(listed)},
            absent={_SESSION + session_id for session_id in reviewed.difference(listed)},
            last_seen=self.refreshed_at or now,
            now=now,
        )
        return self if absences == self.absences else replace(self, absences=absences)

    def seal(self, now: datetime, zone: tzinfo) -> Self:
        """Return this snapshot with the figures sealed of sessions that are no longer remembered.

        They are kept by the months of a time zone.
        """
        return replace(
            self,
            vehicles={
                key: replace(car, ledger=car.ledger.seal(now, zone))
                for key, car in self.vehicles.items()
            },
            former_ledgers={
                key: ledger.seal(now, zone) for key, ledger in self.former_ledgers.items()
            },
        )

    def _owner_of(self, session: Session, cars: Mapping[str, Vehicle]) -> str | None:
        """Return the car of a session without a vehicle id.

        One car per user is documented. Of several it is the one that has the session, or that is plugged in.
        """
        for vehicle_id, known in self.vehicles.items():
            if session.id in known.open_sessions or session.id in known.ended_sessions:
                return vehicle_id
        plugged_in = [
            vehicle_id
            for vehicle_id, vehicle in cars.items()
            if vehicle.charge_state.status is not ChargeStatus.DISCONNECTED
        ]
        return next(iter([*plugged_in, *cars]), None)

    def _with_absences(
        self,
        before: Self,
        vehicle_ids: Collection[str],
        session_ids: Collection[str],
        complete_since: datetime | None,
        now: datetime,
    ) -> Self:
        """Return this snapshot after an answer that names these cars and sessions, without what is gone.

        A car goes after its last open session, so that the end of that is published first.
        """
        # Nothing is concluded from a list without the sessions of a car that is absent itself.
        absent_sessions = {
            session_id
            for vehicle_id, car in self.vehicles.items()
            for session_id, session in (
                car.listed_sessions if vehicle_id in vehicle_ids else car.open_sessions
            ).items()
            if session_id not in session_ids
            and complete_since is not None
            and (session.started_at is None or session.started_at >= complete_since)
        }
        absences = after_answer(
            self.absences,
            named={
                *(_vehicle_key(vehicle_id) for vehicle_id in vehicle_ids),
                *(_SESSION + session_id for session_id in session_ids),
            },
            absent={
                *(_vehicle_key(vehicle_id) for vehicle_id in self.vehicles.keys() - vehicle_ids),
                *(_SESSION + session_id for session_id in absent_sessions),
            },
            last_seen=self.refreshed_at or now,
            now=now,
        )
        lost = gone(absences, now)
        vehicles = {}
        former_ledgers = dict(self.former_ledgers)
        for vehicle_id, car in self.vehicles.items():
            known = car
            for session_id in car.listed_sessions:
                if (key := _SESSION + session_id) in lost:
                    known = known.close(session_id, absences[key].last_seen)
            held = before.vehicles.get(vehicle_id)
            is_followed = known.open_sessions or (held is not None and held.open_sessions)
            if (key := _vehicle_key(vehicle_id)) not in lost or is_followed:
                vehicles[vehicle_id] = known
                former_ledgers.pop(vehicle_id, None)
            else:
                former_ledgers[vehicle_id] = known.ledger.with_unseen(absences[key].last_seen, now)
        kept = {
            *(_vehicle_key(vehicle_id) for vehicle_id in vehicles),
            *(
                _SESSION + session_id
                for car in vehicles.values()
                for session_id in car.listed_sessions
            ),
        }
        return replace(
            self,
            vehicles=vehicles,
            absences={
                key: absence
                for key, absence in absences.items()
                if key in kept or key.startswith((_CHARGER, LOCATION))
            },
            former_ledgers=former_ledgers,
        )

    def with_chargers(self, chargers: Iterable[Charger], now: datetime) -> Self:
        """Return this snapshot with newly fetched chargers; one that is not listed stays until it is gone."""
        listed = {item.id: item for item in chargers}
        known = {**(self.chargers or {}), **listed}
        absences = after_answer(
            self.absences,
            named={_CHARGER + key for key in listed},
            absent={_CHARGER + key for key in known.keys() - listed.keys()},
            last_seen=self.refreshed_at or now,
            now=now,
        )
        lost = gone(absences, now)
        return replace(
            self,
            chargers={key: item for key, item in known.items() if _CHARGER + key not in lost},
            absences={
                key: absence
                for key, absence in absences.items()
                if not (key.startswith(_CHARGER) and key in lost)
            },
        )

    @property
    def has_absent_charger(self) -> bool:
        """Return whether good answers no longer name one of the chargers."""
        return any(key.startswith(_CHARGER) for key in self.absences)

    @property
    def has_absent_location(self) -> bool:
        """Return whether good answers no longer name one of the locations, or its tariffs."""
        return any(key.startswith(LOCATION) for key in self.absences)

    @property
    def priced_locations(self) -> dict[str, ChargingLocation]:
        """Return the charging locations that have tariffs, by id."""
        locations = self.locations or {}
        return {key: item for key, item in locations.items() if item.tariff_details is not None}

    def absent_since(self, own_id: str) -> datetime | None:
        """Return since when good answers no longer name a car, charger or location, None while they do."""
        for kind in (_VEHICLE, _CHARGER, LOCATION):
            if (absence := self.absences.get(kind + own_id)) is not None:
                return absence.since
        return None

    def with_vehicle(self, vehicle: VehicleSnapshot) -> Self:
        """Return this snapshot with one car replaced."""
        return replace(self, vehicles={**self.vehicles, vehicle.vehicle.id: vehicle})


def _started(session: Session) -> float:
    """Return the start in seconds, to order sessions by; a session without a start is the oldest."""
    return 0.0 if session.started_at is None else session.started_at.timestamp()


def _started_and_ended(session: Session) -> tuple[float, float]:
    """Return start and end in seconds, to order sessions by; one without an end comes last."""
    end = math.inf if session.ended_at is None else session.ended_at.timestamp()
    return _started(session), end


def _newest(sessions: Iterable[Session]) -> Session | None:
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


_VEHICLE: Final = "vehicle "
_CHARGER: Final = "charger "
LOCATION: Final = "location "
_SESSION: Final = "session "


def _vehicle_key(vehicle_id: str) -> str:
    return _VEHICLE + vehicle_id
