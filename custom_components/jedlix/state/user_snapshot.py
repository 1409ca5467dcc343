"""Snapshot of a user: what is known of their cars, chargers and charging locations at one moment.

`advance` puts newly fetched answers on top of what is known, and drops what is gone.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from typing import Self

from ..api import Charger, ChargeStatus, ChargingLocation, Session, Vehicle
from ..api.reading import Incomplete
from .gone import CHARGER, LOCATION, SESSION, VEHICLE, Absences, after_answer, gone
from .handover import hand_over, without_sessions
from .ledger import MAX_UNSEEN, SESSIONS_REMEMBERED, Ledger
from .vehicle_snapshot import VehicleSnapshot


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
    to its maker, say. `former_estimates` are the estimated ends of their sessions on the remembered days, by
    vehicle and session id: no ledger has these.
    """

    user_id: str
    vehicles: Mapping[str, VehicleSnapshot]
    chargers: Mapping[str, Charger] | None = None
    locations: Mapping[str, ChargingLocation] | None = None
    locations_read_at: datetime | None = None
    first_refresh: datetime | None = None
    refreshed_at: datetime | None = None
    failing_since: datetime | None = None
    absences: Absences = field(default_factory=dict)
    former_ledgers: Mapping[str, Ledger] = field(default_factory=dict)
    former_estimates: Mapping[str, Mapping[str, datetime]] = field(default_factory=dict)

    @classmethod
    def unknown(cls, user_id: str, now: datetime) -> Self:
        """Return the snapshot of a user before the first refresh."""
        return cls(user_id=user_id, vehicles={}, first_refresh=now)

    def oldest_start(self, now: datetime) -> datetime | None:
        """Return when the oldest session began that is open, or ended on the remembered days."""
        starts = [
            session.started_at
            for vehicle in self.vehicles.values()
            for session in vehicle.listed_sessions.values()
            if session.started_at is not None
            and (session.ended_at is None or session.ended_at > now - SESSIONS_REMEMBERED)
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
        vehicles: Collection[Vehicle],
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
        sessions = tuple(sessions)
        owners: dict[str, str] = {}
        for session in sessions:
            named = session.vehicle_id or owners.get(session.id)
            owner = named or self._owner_of(session, cars)
            if owner is not None and owner in everything:
                owners[session.id] = owner
        by_vehicle: dict[str, list[Session]] = {vehicle_id: [] for vehicle_id in everything}
        for session in sessions:
            if session.id in owners:
                by_vehicle[owners[session.id]].append(session)
        since = self.first_refresh or now
        before = hand_over(
            {
                **self._gone_cars,
                **{
                    vehicle_id: self.vehicles.get(vehicle_id)
                    or VehicleSnapshot(
                        vehicle=vehicle,
                        known_since=since,
                        ledger=self.former_ledgers.get(vehicle_id, Ledger()).go_on(now),
                    )
                    for vehicle_id, vehicle in everything.items()
                },
            },
            owners,
        )
        advanced = {
            vehicle_id: before[vehicle_id].advance(vehicle, by_vehicle[vehicle_id], now)
            for vehicle_id, vehicle in everything.items()
        }
        if self.refreshed_at is not None and now - self.refreshed_at > MAX_UNSEEN:
            advanced = {
                vehicle_id: replace(car, ledger=car.ledger.with_unseen(self.refreshed_at, now))
                for vehicle_id, car in advanced.items()
            }
        listed = {session.id for found in by_vehicle.values() for session in found}
        absences = self._absences_after(advanced, vehicles, listed, complete_since, now)
        return self._without_gone(before, advanced, absences, now)

    def cars_before(self, after: Self) -> dict[str, VehicleSnapshot]:
        """Return the cars of a later snapshot as this one has them, each with the sessions that it has later.

        What another car has of these in this snapshot is the car's own. A car that is new is as it is later,
        but for such sessions.
        """
        known = {**self._gone_cars, **self.vehicles}
        owners_before = {
            session_id: vehicle_id
            for vehicle_id, car in known.items()
            for session_id in car.session_ids
        }
        owners = {
            session_id: vehicle_id
            for vehicle_id, car in after.vehicles.items()
            for session_id in car.session_ids
            if owners_before.get(session_id, vehicle_id) != vehicle_id
        }
        new = {key: without_sessions(car, owners) for key, car in after.vehicles.items()}
        return hand_over({**known, **new, **self.vehicles}, owners)

    @property
    def _gone_cars(self) -> dict[str, VehicleSnapshot]:
        """Return the cars that are gone, with what is remembered of their sessions."""
        return {
            vehicle_id: VehicleSnapshot(
                vehicle=Vehicle(id=vehicle_id, user_id=self.user_id),
                known_since=datetime.max.replace(tzinfo=UTC),
                ended_sessions={
                    session_id: session.ended_at
                    for session_id, session in ledger.listed.items()
                    if session.ended_at is not None
                }
                | dict(self.former_estimates.get(vehicle_id, {})),
                estimated_ends=self.former_estimates.get(vehicle_id, {}),
                ledger=ledger,
            )
            for vehicle_id, ledger in self.former_ledgers.items()
        }

    @property
    def absent_sessions(self) -> list[str]:
        """Return the ids of the sessions that good answers no longer name."""
        return [key.removeprefix(SESSION) for key in self.absences if key.startswith(SESSION)]

    def after_review(
        self, listed: Collection[str], should_have: Callable[[Session], bool], now: datetime
    ) -> Self:
        """Return this snapshot after a list named all sessions that it should have.

        A session that it lacks is absent, as after any other answer.
        """
        reviewed = {
            session_id
            for car in self.vehicles.values()
            for session_id, session in car.listed_sessions.items()
            if should_have(session)
        }
        absences = after_answer(
            self.absences,
            named={SESSION + session_id for session_id in reviewed.intersection(listed)},
            absent={SESSION + session_id for session_id in reviewed.difference(listed)},
            last_seen=self.refreshed_at or now,
            now=now,
        )
        return self if absences == self.absences else replace(self, absences=absences)

    def seal(self, now: datetime, zone: tzinfo, *, may_settle: bool = False) -> Self:
        """Return this snapshot with the figures sealed of sessions that are no longer remembered.

        They are kept by the months of a time zone. `may_settle` says that the financials may complete them.
        """
        return replace(
            self,
            vehicles={
                key: replace(car, ledger=car.ledger.seal(now, zone, may_settle=may_settle))
                for key, car in self.vehicles.items()
            },
            former_ledgers={
                key: ledger.seal(now, zone, may_settle=may_settle)
                for key, ledger in self.former_ledgers.items()
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

    def _absences_after(
        self,
        advanced: Mapping[str, VehicleSnapshot],
        vehicles: Collection[Vehicle],
        session_ids: Collection[str],
        complete_since: datetime | None,
        now: datetime,
    ) -> Absences:
        """Return the absences after an answer that names these cars and sessions."""
        vehicle_ids = {vehicle.id for vehicle in vehicles}
        # Nothing is concluded from a list without the sessions of a car that is absent itself.
        absent_sessions = {
            session_id
            for vehicle_id, car in advanced.items()
            for session_id, session in (
                car.listed_sessions if vehicle_id in vehicle_ids else car.open_sessions
            ).items()
            if session_id not in session_ids
            and complete_since is not None
            and (session.started_at is None or session.started_at >= complete_since)
        }
        return after_answer(
            self.absences,
            named={
                *(VEHICLE + vehicle_id for vehicle_id in vehicle_ids),
                *(SESSION + session_id for session_id in session_ids),
            },
            absent={
                *(VEHICLE + vehicle_id for vehicle_id in _absent(advanced.keys(), vehicles)),
                *(SESSION + session_id for session_id in absent_sessions),
            },
            last_seen=self.refreshed_at or now,
            now=now,
        )

    def _without_gone(
        self,
        before: Mapping[str, VehicleSnapshot],
        advanced: Mapping[str, VehicleSnapshot],
        absences: Absences,
        now: datetime,
    ) -> Self:
        """Return this snapshot with the advanced cars, without those and without sessions that are gone.

        A car goes after its last open session, so that the end of that is published first.
        """
        lost = gone(absences, now)
        vehicles = {}
        former_ledgers = {key: before[key].ledger for key in self.former_ledgers}
        estimates = {key: before[key].estimated_ends for key in self.former_ledgers}
        for vehicle_id, car in advanced.items():
            known = car
            for session_id in car.listed_sessions:
                if (key := SESSION + session_id) in lost:
                    known = known.close(session_id, absences[key].last_seen)
            is_followed = known.open_sessions or before[vehicle_id].open_sessions
            if (key := VEHICLE + vehicle_id) not in lost or is_followed:
                vehicles[vehicle_id] = known
                former_ledgers.pop(vehicle_id, None)
                estimates.pop(vehicle_id, None)
            else:
                estimates[vehicle_id] = known.estimated_ends
                former_ledgers[vehicle_id] = known.ledger.with_unseen(absences[key].last_seen, now)
        kept = {
            *(VEHICLE + vehicle_id for vehicle_id in vehicles),
            *(
                SESSION + session_id
                for car in vehicles.values()
                for session_id in car.listed_sessions
            ),
        }
        return replace(
            self,
            first_refresh=None,
            vehicles=vehicles,
            absences={
                key: absence
                for key, absence in absences.items()
                if key in kept or key.startswith((CHARGER, LOCATION))
            },
            former_ledgers=former_ledgers,
            former_estimates={
                key: remembered
                for key, ends in estimates.items()
                if (
                    remembered := {
                        session_id: end
                        for session_id, end in ends.items()
                        if end > now - SESSIONS_REMEMBERED
                    }
                )
            },
        )

    def with_chargers(self, chargers: Collection[Charger], now: datetime) -> Self:
        """Return this snapshot with newly fetched chargers; one that is not listed stays until it is gone."""
        listed = {item.id: item for item in chargers}
        known = {**(self.chargers or {}), **listed}
        absences = after_answer(
            self.absences,
            named={CHARGER + key for key in listed},
            absent={CHARGER + key for key in _absent(known.keys(), chargers)},
            last_seen=self.refreshed_at or now,
            now=now,
        )
        lost = gone(absences, now)
        return replace(
            self,
            chargers={key: item for key, item in known.items() if CHARGER + key not in lost},
            absences={
                key: absence
                for key, absence in absences.items()
                if not (key.startswith(CHARGER) and key in lost)
            },
        )

    @property
    def has_absent_charger(self) -> bool:
        """Return whether good answers no longer name one of the chargers."""
        return any(key.startswith(CHARGER) for key in self.absences)

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
        for kind in (VEHICLE, CHARGER, LOCATION):
            if (absence := self.absences.get(kind + own_id)) is not None:
                return absence.since
        return None

    def with_vehicle(self, vehicle: VehicleSnapshot) -> Self:
        """Return this snapshot with one car replaced."""
        return replace(self, vehicles={**self.vehicles, vehicle.vehicle.id: vehicle})


def _absent(known: Collection[str], listed: Collection[Vehicle | Charger]) -> set[str]:
    """Return which ids an answer does not name; none where it has an item that could not be read."""
    if isinstance(listed, Incomplete):
        return set()
    return set(known).difference(item.id for item in listed)
