"""Snapshots: what is known of a user, their cars and chargers at one moment.

`advance` puts newly fetched answers on top of what is known. An older reading never replaces a newer one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, Self

from ..api import Charger, ChargeSettings, ChargeStatus, Session, Vehicle

# How long an ended session is remembered, so that it is never published twice. Longer than any history
# reaches.
SESSIONS_REMEMBERED: Final = timedelta(days=8)

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
    were published so long ago that they are forgotten.
    `status`: the last charge state that was known. `unknown` is no change (SDK).
    `open_sessions`: the sessions without an end, by id.
    `ended_sessions`: when each remembered session ended, by id.
    `latest_session`: the newest session of all.
    `plug_session`: the newest session of the current plug-in, None while the car is unplugged.
    `boost_session_id`: the session that is boosted. The API may not report it, so a command of ours is
    remembered with its session.
    `entered_levels`: battery levels in % that the user entered, by session id; remembered likewise.
    `fetched`: the ended sessions of the last refresh. The comparison reads them; they are not stored.
    """

    vehicle: Vehicle
    known_since: datetime
    status: ChargeStatus = ChargeStatus.UNKNOWN
    settings: ChargeSettings | None = None
    open_sessions: Mapping[str, Session] = field(default_factory=dict)
    ended_sessions: Mapping[str, datetime] = _NO_SESSIONS
    latest_session: Session | None = None
    plug_session: Session | None = None
    boost_session_id: str | None = None
    entered_levels: Mapping[str, int] = field(default_factory=dict)
    fetched: tuple[Session, ...] = field(default=(), compare=False)

    @property
    def session(self) -> Session | None:
        """Return the running session: the newest without an end (assumed, no flag is documented)."""
        return max(self.open_sessions.values(), key=_started, default=None)

    @property
    def is_plugged_in(self) -> bool | None:
        """Return whether the car is plugged in, None while the charge state is unknown."""
        status = self.vehicle.charge_state.status
        return None if status is ChargeStatus.UNKNOWN else status is not ChargeStatus.DISCONNECTED

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
        vehicle = _newer_reading(self.vehicle, vehicle)
        status = vehicle.charge_state.status
        if status is ChargeStatus.UNKNOWN:
            status = self.status
        open_sessions = dict(self.open_sessions)
        ended = {
            key: end for key, end in self.ended_sessions.items() if end > now - SESSIONS_REMEMBERED
        }
        forgotten = self.ended_sessions.keys() - ended.keys()
        latest = self.latest_session
        for session in sessions:
            if session.ended_at is None:
                if session.id not in ended:  # an end is final: a late answer does not open it again
                    open_sessions[session.id] = session
            else:
                open_sessions.pop(session.id, None)
                ended[session.id] = session.ended_at
            if latest is None or session.id == latest.id or _started(session) > _started(latest):
                latest = session
        running = max(open_sessions.values(), key=_started, default=None)
        boosted = self.boost_session_id
        for session in sessions:
            if session.is_boosted and session.ended_at is None:
                boosted = session.id
            elif session.is_boosted is False and session.id == boosted:
                boosted = None
        return replace(
            self,
            vehicle=vehicle,
            known_since=max([self.known_since, *(self.ended_sessions[key] for key in forgotten)]),
            status=status,
            open_sessions=open_sessions,
            ended_sessions=ended,
            latest_session=latest,
            plug_session=None
            if status is ChargeStatus.DISCONNECTED
            else running or self.plug_session,
            boost_session_id=boosted if boosted in open_sessions else None,
            entered_levels={
                key: level for key, level in self.entered_levels.items() if key in open_sessions
            },
            fetched=tuple({item.id: item for item in sessions if item.ended_at}.values()),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSnapshot:
    """All cars and chargers of one followed user.

    `first_refresh` is when the first refresh began, None once it is done. `chargers` is None until they
    were read.
    """

    user_id: str
    vehicles: Mapping[str, VehicleSnapshot]
    chargers: Mapping[str, Charger] | None = None
    first_refresh: datetime | None = None

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

    def needs_sessions(self, vehicles: Iterable[Vehicle]) -> bool:
        """Return whether a car is new, or its charge state changed: then its sessions are read as well."""
        return any(
            (known := self.vehicles.get(vehicle.id)) is None
            or known.vehicle.charge_state.status is not vehicle.charge_state.status
            for vehicle in vehicles
        )

    @property
    def has_open_session(self) -> bool:
        """Return whether any car of the user is in a session."""
        return any(vehicle.open_sessions for vehicle in self.vehicles.values())

    def advance(
        self, vehicles: Iterable[Vehicle], sessions: Iterable[Session], now: datetime
    ) -> Self:
        """Return this snapshot with newly fetched answers on top; a car that is not listed is gone."""
        cars = {vehicle.id: vehicle for vehicle in vehicles}
        by_vehicle: dict[str, list[Session]] = {vehicle_id: [] for vehicle_id in cars}
        only = next(
            iter(cars), None
        )  # one car per user (documented), so a session without a vehicle id is its
        for session in sessions:
            owner = session.vehicle_id or only
            if owner in by_vehicle:
                by_vehicle[owner].append(session)
        since = self.first_refresh or now
        return replace(
            self,
            first_refresh=None,
            vehicles={
                vehicle_id: self.vehicles.get(
                    vehicle_id, VehicleSnapshot(vehicle=vehicle, known_since=since)
                ).advance(vehicle, by_vehicle[vehicle_id], now)
                for vehicle_id, vehicle in cars.items()
            },
        )

    def with_vehicle(self, vehicle: VehicleSnapshot) -> Self:
        """Return this snapshot with one car replaced."""
        return replace(self, vehicles={**self.vehicles, vehicle.vehicle.id: vehicle})


def _started(session: Session) -> float:
    """Return the start in seconds, to order sessions by; a session without a start is the oldest."""
    return 0.0 if session.started_at is None else session.started_at.timestamp()


def _newer_reading(known: Vehicle, fetched: Vehicle) -> Vehicle:
    """Return the fetched car, with the known reading where the fetched one is older.

    An answer may come from a cache, or be overtaken by a later one.
    """
    held, read = known.charge_state.updated_at, fetched.charge_state.updated_at
    if held is not None and read is not None and read < held:
        return replace(fetched, charge_state=known.charge_state)
    return fetched
