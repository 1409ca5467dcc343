"""What we last knew of a car: the memory that changes are found against. Pure, no I/O.

`advance` puts newly fetched truth on top of what was known and never lets an older reading win.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Self

from .api import BadAnswer, Charger, ChargeSettings, ChargeStatus, Session, Vehicle
from .api.models import read_status
from .api.reading import Fields, Json, moment, percent, text

# How long an ended session is remembered, so that it is never told twice: longer than a catch-up looks back.
MEMORY: Final = timedelta(days=8)

# Capabilities (SDK).
_START_STOP: Final = "startStopCharging"
_POSITION: Final = frozenset({"geoLocation", "geoFencing"})
_BATTERY_LEVEL: Final = "stateOfCharge"
_PUSHES: Final = "pushTelemetry"
_IS_ASKED: Final = "pullTelemetry"

_NOTHING: Final[Mapping[str, datetime]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class VehicleSnapshot:
    """One car of one followed user.

    What ended up to `watched_since` is not told: it was before the first look, or told so long ago that it is
    forgotten.

    `status` is the last charge state that was known: `unknown` is no change (SDK). `open_sessions` holds the
    sessions without an end, `ended_sessions` the end of each that is still remembered, `latest_session` the
    newest of all. `plug_session` is the newest session of the current plug-in, None while unplugged.
    `boost_session_id` is the boosted session, `told_levels` the battery level in % that the user told for a
    session: the API need not tell either, so what a command of ours did is remembered with its session.
    `fetched` are the ended sessions that the last look brought, each once however many lists named it; they
    serve the comparison and are not kept.
    """

    vehicle: Vehicle
    watched_since: datetime
    status: ChargeStatus = ChargeStatus.UNKNOWN
    settings: ChargeSettings | None = None
    open_sessions: Mapping[str, Session] = field(default_factory=dict)
    ended_sessions: Mapping[str, datetime] = _NOTHING
    latest_session: Session | None = None
    plug_session: Session | None = None
    boost_session_id: str | None = None
    told_levels: Mapping[str, int] = field(default_factory=dict)
    fetched: tuple[Session, ...] = field(default=(), compare=False)

    @property
    def session(self) -> Session | None:
        """Return the running session: the newest without an end (assumed, no flag is documented)."""
        return max(self.open_sessions.values(), key=_age, default=None)

    @property
    def is_plugged_in(self) -> bool | None:
        """Return whether the car is at a charger, None while the charge state is unknown."""
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
        """Return whether Jedlix can steer the car: it needs a position and start/stop (documented).

        How the SDK names these two is inferred, so a car that was steered once can be, whatever it names.
        """
        can = self.vehicle.capabilities
        return (
            not can
            or (_START_STOP in can and not _POSITION.isdisjoint(can))
            or (self.latest_session is not None and self.latest_session.is_managed is True)
        )

    @property
    def tells_battery_level(self) -> bool:
        """Return whether the car reports its battery level; some cannot (documented)."""
        return (
            self.vehicle.charge_state.battery_level is not None
            or _BATTERY_LEVEL in self.vehicle.capabilities
        )

    @property
    def can_be_asked(self) -> bool:
        """Return whether Jedlix can ask the car; from one that only pushes it waits (documented)."""
        can = self.vehicle.capabilities
        return _PUSHES not in can or _IS_ASKED in can

    def advance(self, vehicle: Vehicle, sessions: Sequence[Session], now: datetime) -> Self:
        """Return this snapshot with newer truth on top: the car, and the sessions that were asked for."""
        vehicle = _newer_reading(self.vehicle, vehicle)
        status = vehicle.charge_state.status
        if status is ChargeStatus.UNKNOWN:
            status = self.status
        open_sessions = dict(self.open_sessions)
        ended = {key: end for key, end in self.ended_sessions.items() if end > now - MEMORY}
        forgotten = self.ended_sessions.keys() - ended.keys()
        latest = self.latest_session
        for session in sessions:
            if session.ended_at is None:
                if session.id not in ended:  # an end is final; a late answer does not reopen it
                    open_sessions[session.id] = session
            else:
                open_sessions.pop(session.id, None)
                ended[session.id] = session.ended_at
            if latest is None or session.id == latest.id or _age(session) > _age(latest):
                latest = session
        running = max(open_sessions.values(), key=_age, default=None)
        boosted = self.boost_session_id
        for session in sessions:
            if session.is_boosted and session.ended_at is None:
                boosted = session.id
            elif session.is_boosted is False and session.id == boosted:
                boosted = None
        return replace(
            self,
            vehicle=vehicle,
            watched_since=max(
                [self.watched_since, *(self.ended_sessions[key] for key in forgotten)]
            ),
            status=status,
            open_sessions=open_sessions,
            ended_sessions=ended,
            latest_session=latest,
            plug_session=None
            if status is ChargeStatus.DISCONNECTED
            else running or self.plug_session,
            boost_session_id=boosted if boosted in open_sessions else None,
            told_levels={
                key: level for key, level in self.told_levels.items() if key in open_sessions
            },
            fetched=tuple({item.id: item for item in sessions if item.ended_at}.values()),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSnapshot:
    """All cars and chargers of one followed user.

    `first_look` is when the first look began, None once it is done; `chargers` is None until they were read.
    """

    user_id: str
    vehicles: Mapping[str, VehicleSnapshot]
    chargers: Mapping[str, Charger] | None = None
    first_look: datetime | None = None

    @classmethod
    def unknown(cls, user_id: str, now: datetime) -> Self:
        """Return the snapshot of a user at whom nobody has looked yet."""
        return cls(user_id=user_id, vehicles={}, first_look=now)

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

    def has_moved(self, vehicles: Iterable[Vehicle]) -> bool:
        """Return whether a car came, or was plugged in or out: then its sessions matter, too."""
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
        """Return the user with newly fetched cars and sessions; a car that is no longer listed is gone."""
        cars = {vehicle.id: vehicle for vehicle in vehicles}
        by_vehicle: dict[str, list[Session]] = {vehicle_id: [] for vehicle_id in cars}
        only = next(iter(cars), None)  # one car per user (documented), so a nameless session is its
        for session in sessions:
            owner = session.vehicle_id or only
            if owner in by_vehicle:
                by_vehicle[owner].append(session)
        since = self.first_look or now
        return replace(
            self,
            first_look=None,
            vehicles={
                vehicle_id: self.vehicles.get(
                    vehicle_id, VehicleSnapshot(vehicle=vehicle, watched_since=since)
                ).advance(vehicle, by_vehicle[vehicle_id], now)
                for vehicle_id, vehicle in cars.items()
            },
        )

    def with_vehicle(self, vehicle: VehicleSnapshot) -> Self:
        """Return the user with one car replaced."""
        return replace(self, vehicles={**self.vehicles, vehicle.vehicle.id: vehicle})


def _age(session: Session) -> float:
    """Order sessions by their start; one without a start is the oldest."""
    return 0.0 if session.started_at is None else session.started_at.timestamp()


def _newer_reading(known: Vehicle, fetched: Vehicle) -> Vehicle:
    """Keep the telemetry that we have where the fetched one is older (a cache, an answer overtaken)."""
    held, read = known.charge_state.updated_at, fetched.charge_state.updated_at
    if held is not None and read is not None and read < held:
        return replace(fetched, charge_state=known.charge_state)
    return fetched


# -- how the Store keeps it: the lenient readers of the API read our own spelling as well ----------------


def snapshot_as_json(user: UserSnapshot) -> dict[str, Json]:
    """Write a user for the Store; what is empty is left out, so that the file stays small."""
    return _as_json(user)  # type: ignore[return-value]


def snapshot_from_json(data: object) -> UserSnapshot:
    """Read a user from the Store; raises BadAnswer when it is not one."""
    user = Fields(data)
    user_id = user.required_id("userid")
    vehicles = user.get("vehicles")
    return UserSnapshot(
        user_id=user_id,
        first_look=moment(user.get("firstlook")),
        vehicles={key: _vehicle_from_json(value, user_id) for key, value in vehicles.items()}
        if isinstance(vehicles, dict)
        else {},
    )


def _vehicle_from_json(data: object, user_id: str) -> VehicleSnapshot:
    car = Fields(data)
    settings, latest, plug = (
        car.get(name) for name in ("settings", "latestsession", "plugsession")
    )
    opened, ended = car.get("opensessions"), car.get("endedsessions")
    raw = Fields(settings).get("raw") if isinstance(settings, dict) else None
    stored = car.get("vehicle")
    vehicle = Vehicle.from_json(stored, user_id)
    if (since := moment(car.get("watchedsince"))) is None:
        raise BadAnswer("a stored car without watched_since")
    return VehicleSnapshot(
        # the API tells the version among the details only
        vehicle=replace(vehicle, version=text(Fields(stored).get("version"))),
        watched_since=since,
        status=read_status(car.get("status")),
        settings=None if raw is None else ChargeSettings.from_json(raw),
        open_sessions={key: Session.from_json(value) for key, value in opened.items()}
        if isinstance(opened, dict)
        else {},
        ended_sessions={
            key: end for key, value in ended.items() if (end := moment(value)) is not None
        }
        if isinstance(ended, dict)
        else {},
        latest_session=None if latest is None else Session.from_json(latest),
        plug_session=None if plug is None else Session.from_json(plug),
        boost_session_id=text(car.get("boostsessionid")),
        told_levels={
            key: level for key, value in told.items() if (level := percent(value)) is not None
        }
        if isinstance(told := car.get("toldlevels"), dict)
        else {},
    )


def _as_json(value: object) -> Json:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, StrEnum):
        return value.value
    if is_dataclass(value):
        parts = {item.name: getattr(value, item.name) for item in fields(value)}
        return {
            key: _as_json(part)
            for key, part in parts.items()
            if part is not None and key not in ("fetched", "chargers")
        }
    if isinstance(value, Mapping):
        return {str(key): _as_json(item) for key, item in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    return value  # type: ignore[return-value]
