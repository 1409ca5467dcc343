"""Two snapshots in, changes out. Pure: no I/O, no Home Assistant.

A change is told exactly once, however its news came: comparing a snapshot with itself tells nothing, and what
was told for one pair of snapshots is never told again for the next.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from .api import ChargeStatus, Session, WebhookMessage
from .const import USER_CREATED, VEHICLE_READY
from .snapshot import UserSnapshot, VehicleSnapshot


class ChangeType(StrEnum):
    """What can happen, in the order in which things that happen at one moment are told."""

    USER_CREATED = "user_created"
    VEHICLE_READY_TO_CONTINUE = "vehicle_ready_to_continue"
    VEHICLE_ADDED = "vehicle_added"
    VEHICLE_LINK_RESTORED = "vehicle_link_restored"
    SMART_CHARGING_ENABLED = "smart_charging_enabled"
    SMART_CHARGING_DISABLED = "smart_charging_disabled"
    PLUGGED_IN = "plugged_in"
    SESSION_STARTED = "session_started"
    SESSION_BECAME_SMART = "session_became_smart"
    SESSION_BECAME_UNMANAGED = "session_became_unmanaged"
    BOOST_STARTED = "boost_started"
    CHARGING_STARTED = "charging_started"
    CHARGING_PAUSED = "charging_paused"
    CHARGING_COMPLETED = "charging_completed"
    BOOST_ENDED = "boost_ended"
    SESSION_ENDED = "session_ended"
    UNPLUGGED = "unplugged"
    VEHICLE_LINK_LOST = "vehicle_link_lost"
    VEHICLE_REMOVED = "vehicle_removed"


_ORDER: Final = {kind: place for place, kind in enumerate(ChangeType)}

type Detail = str | bool | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that happened. Levels in %, energy in kWh, times in UTC; `details` is what its type adds."""

    type: ChangeType
    user_id: str
    vehicle_id: str | None = None
    session_id: str | None = None
    occurred_at: datetime
    details: Mapping[str, Detail] = field(default_factory=dict)


def compare(
    before: UserSnapshot, after: UserSnapshot, now: datetime, *, watched: bool = True
) -> list[Change]:
    """Return what happened to a user's cars between two looks, oldest first.

    A user at whom we look for the first time has no changes. `watched` is false when the looks are so far
    apart that an unplug between them may have gone unseen; then one session after another is not read as one
    plug-in whose session changed its kind.
    """
    if before.first_look is not None:
        return []
    changes: list[Change] = []
    for vehicle_id, new in after.vehicles.items():
        if (old := before.vehicles.get(vehicle_id)) is None:
            changes.append(_told(ChangeType.VEHICLE_ADDED, new, now))
        elif old is not new:
            changes += _vehicle_changes(old, new, now)
            changes += _session_changes(old, new, now, watched=watched)
            changes += _boost_changes(old, new, now)
    changes += [
        _told(ChangeType.VEHICLE_REMOVED, old, now)
        for vehicle_id, old in before.vehicles.items()
        if vehicle_id not in after.vehicles
    ]
    changes.sort(key=lambda change: (change.occurred_at, _ORDER[change.type]))
    return changes


_DOCUMENTED: Final = {
    USER_CREATED: ChangeType.USER_CREATED,
    VEHICLE_READY: ChangeType.VEHICLE_READY_TO_CONTINUE,
}


def told_by(message: WebhookMessage, now: datetime) -> Change | None:
    """Return the change that a delivery of one of the two documented types is in itself, None for others."""
    if (kind := _DOCUMENTED.get(message.event_type)) is None or message.user_id is None:
        return None
    return Change(
        type=kind,
        user_id=message.user_id,
        vehicle_id=message.vehicle_id,
        occurred_at=message.occurred_at or now,
    )


def _vehicle_changes(old: VehicleSnapshot, new: VehicleSnapshot, now: datetime) -> Iterator[Change]:
    """Tell what the link and the settings say, and what the charge state says."""
    yield from _charge_changes(old, new, now)
    match old.vehicle.is_connected, new.vehicle.is_connected:
        case True, False:
            yield _told(ChangeType.VEHICLE_LINK_LOST, new, now)
        case False, True:
            yield _told(ChangeType.VEHICLE_LINK_RESTORED, new, now)
    if old.settings is not None and new.settings is not None:
        details: dict[str, Detail] = {"resumes_at": _text(new.settings.resumes_at)}
        match (
            old.settings.is_smart_charging_enabled,
            new.settings.is_smart_charging_enabled,
        ):
            case False, True:
                yield _told(ChangeType.SMART_CHARGING_ENABLED, new, now, details=details)
            case True, False:
                yield _told(ChangeType.SMART_CHARGING_DISABLED, new, now, details=details)


def _charge_changes(old: VehicleSnapshot, new: VehicleSnapshot, now: datetime) -> Iterator[Change]:
    """Tell what the charge state says; `unknown` is no change (SDK)."""
    seen_at = new.vehicle.charge_state.updated_at or now
    level: dict[str, Detail] = {"battery_level": new.vehicle.charge_state.battery_level}
    if old.status is new.status or ChargeStatus.UNKNOWN in (old.status, new.status):
        return
    running = new.plug_session or old.plug_session
    place = level | {
        "charging_location_id": None if running is None else running.charging_location_id
    }
    if old.status is ChargeStatus.DISCONNECTED:
        yield _told(ChangeType.PLUGGED_IN, new, seen_at, details=place)
    match new.status:
        case ChargeStatus.DISCONNECTED:
            yield _told(ChangeType.UNPLUGGED, new, seen_at, details=place)
        case ChargeStatus.CHARGING:
            yield _told(ChangeType.CHARGING_STARTED, new, seen_at, details=level)
        case ChargeStatus.COMPLETE:
            yield _told(ChangeType.CHARGING_COMPLETED, new, seen_at, details=level)
        case ChargeStatus.STOPPED if old.status is ChargeStatus.CHARGING:
            yield _told(ChangeType.CHARGING_PAUSED, new, seen_at, details=level)


def _session_changes(
    old: VehicleSnapshot, new: VehicleSnapshot, now: datetime, *, watched: bool
) -> Iterator[Change]:
    """Tell sessions that appeared, ended or changed their kind."""
    for session_id, session in new.open_sessions.items():
        if (known := old.open_sessions.get(session_id)) is not None:
            yield from _kind_changed(new, known, session, now)
        elif session.started_at is None or session.started_at >= old.watched_since:
            started_at = session.started_at or now
            yield _of_session(ChangeType.SESSION_STARTED, new, session, started_at)
            if watched and old.plug_session is not None:
                yield from _kind_changed(new, old.plug_session, session, started_at)
    for session in new.fetched:
        ended_at = session.ended_at
        if ended_at is None or session.id in old.ended_sessions:
            continue
        if session.id not in old.open_sessions:
            if ended_at <= old.watched_since:
                continue
            started_at = max(session.started_at or ended_at, old.watched_since)
            yield _of_session(ChangeType.SESSION_STARTED, new, session, started_at)
        yield _of_session(ChangeType.SESSION_ENDED, new, session, ended_at)


def _boost_changes(old: VehicleSnapshot, new: VehicleSnapshot, now: datetime) -> Iterator[Change]:
    """Tell a boost that ended, by itself or with its session, and one that began."""
    ended, started = old.boost_session_id, new.boost_session_id
    if ended == started:
        return
    if ended is not None:
        yield _told(ChangeType.BOOST_ENDED, new, new.ended_sessions.get(ended, now), ended)
    if started is not None:
        yield _told(ChangeType.BOOST_STARTED, new, now, started)


def _kind_changed(
    car: VehicleSnapshot, previous: Session, session: Session, at: datetime
) -> Iterator[Change]:
    """Tell that smart charging took over, or let go, where the two sessions differ in that."""
    if previous.is_managed == session.is_managed or None in (
        previous.is_managed,
        session.is_managed,
    ):
        return
    kind = (
        ChangeType.SESSION_BECAME_SMART
        if session.is_managed
        else ChangeType.SESSION_BECAME_UNMANAGED
    )
    yield _told(kind, car, at, session.id, {"previous_session_id": previous.id})


def _of_session(kind: ChangeType, car: VehicleSnapshot, session: Session, at: datetime) -> Change:
    details: dict[str, Detail] = {
        "is_managed": session.is_managed,
        "charging_location_id": session.charging_location_id,
        "started_at": _text(session.started_at),
    }
    if kind is ChangeType.SESSION_ENDED:
        details["ended_at"] = _text(session.ended_at)
        details |= {
            name: value
            for name in ("energy_kwh", "cost", "savings", "currency")
            if (value := getattr(session, name)) is not None
        }
    return _told(kind, car, at, session.id, details)


def _told(
    kind: ChangeType,
    car: VehicleSnapshot,
    at: datetime,
    session_id: str | None = None,
    details: Mapping[str, Detail] | None = None,
) -> Change:
    return Change(
        type=kind,
        user_id=car.vehicle.user_id,
        vehicle_id=car.vehicle.id,
        session_id=session_id or (car.plug_session.id if car.plug_session else None),
        occurred_at=at,
        details=details or {},
    )


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
