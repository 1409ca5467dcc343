"""Changes: what happened to a user's cars between two snapshots.

A change is published exactly once, however its news came. Comparing a snapshot with itself gives nothing,
and a change between two snapshots is not found again between the second and a third.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from ..api import ChargeStatus, Session, WebhookMessage
from ..const import USER_CREATED, VEHICLE_READY
from .figures import Figures, without_amounts
from .user_snapshot import UserSnapshot
from .vehicle_snapshot import CLOCK_TOLERANCE, VehicleSnapshot, newest


class ChangeType(StrEnum):
    """The types of changes, in the order in which those of one moment are published.

    The end of a session comes before the start of the next.
    """

    USER_CREATED = "user_created"
    VEHICLE_READY_TO_CONTINUE = "vehicle_ready_to_continue"
    VEHICLE_ADDED = "vehicle_added"
    VEHICLE_LINK_RESTORED = "vehicle_link_restored"
    SMART_CHARGING_ENABLED = "smart_charging_enabled"
    SMART_CHARGING_DISABLED = "smart_charging_disabled"
    BOOST_ENDED = "boost_ended"
    SESSION_ENDED = "session_ended"
    SESSION_SETTLED = "session_settled"
    PLUGGED_IN = "plugged_in"
    SESSION_STARTED = "session_started"
    SESSION_BECAME_SMART = "session_became_smart"
    SESSION_BECAME_UNMANAGED = "session_became_unmanaged"
    BOOST_STARTED = "boost_started"
    SESSION_IMPOSSIBLE = "session_impossible"
    CHARGING_STARTED = "charging_started"
    CHARGING_PAUSED = "charging_paused"
    CHARGING_COMPLETED = "charging_completed"
    UNPLUGGED = "unplugged"
    VEHICLE_LINK_LOST = "vehicle_link_lost"
    VEHICLE_REMOVED = "vehicle_removed"
    USER_REMOVED = "user_removed"


_ORDER: Final = {change_type: place for place, change_type in enumerate(ChangeType)}

_END: Final = (ChangeType.SESSION_ENDED, ChangeType.SESSION_SETTLED)

type Detail = str | bool | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change. Levels in %, energy in kWh, times in UTC; `details` is what its type adds.

    `is_timed` says whether Jedlix reports when it happened; otherwise `occurred_at` is when it was found.
    """

    type: ChangeType
    user_id: str
    vehicle_id: str | None = None
    session_id: str | None = None
    occurred_at: datetime
    details: Mapping[str, Detail] = field(default_factory=dict)
    is_timed: bool = False


def compare(
    before: UserSnapshot, after: UserSnapshot, now: datetime, *, after_gap: bool = False
) -> list[Change]:
    """Return what happened to a user's cars between two snapshots, oldest first.

    The first refresh of a user gives no changes. `after_gap` says that the snapshots lie so far apart that an
    unplug between them may have been missed. Two sessions then count as two plug-ins, not as one session that
    became smart or unmanaged.
    """
    if before.first_refresh is not None:
        return []
    changes: list[Change] = []
    known = before.cars_before(after)
    for vehicle_id, new in after.vehicles.items():
        if vehicle_id not in before.vehicles:
            changes.append(_change(ChangeType.VEHICLE_ADDED, new, now))
        if (old := known[vehicle_id]) is not new:
            changes += _charge_state_changes(old, new, now)
            changes += _link_changes(old, new, now)
            changes += _settings_changes(old, new, now)
            changes += _session_changes(old, new, now, after_gap=after_gap)
            changes += _settled_changes(old, new, now)
            changes += _boost_changes(old, new, now)
    changes += [
        _change(ChangeType.VEHICLE_REMOVED, old, now)
        for vehicle_id, old in before.vehicles.items()
        if vehicle_id not in after.vehicles
    ]
    began = {
        (change.session_id, change.occurred_at)
        for change in changes
        if change.type is ChangeType.SESSION_STARTED
    }

    def place(change: Change) -> tuple[datetime, int, int]:
        """Return where a change belongs; a session that ends when it begins begins first."""
        order = _ORDER[change.type]
        if change.type in _END and (change.session_id, change.occurred_at) in began:
            return change.occurred_at, _ORDER[ChangeType.SESSION_STARTED], order
        return change.occurred_at, order, 0

    return sorted(changes, key=place)


_REPORTED_BY: Final = {
    USER_CREATED: ChangeType.USER_CREATED,
    VEHICLE_READY: ChangeType.VEHICLE_READY_TO_CONTINUE,
}


def change_of_delivery(message: WebhookMessage, now: datetime) -> Change | None:
    """Return the change that a delivery of a documented type reports by itself, None for other types."""
    change_type = _REPORTED_BY.get(message.event_type)
    if change_type is None or message.user_id is None:
        return None
    return Change(
        type=change_type,
        user_id=message.user_id,
        vehicle_id=message.vehicle_id,
        occurred_at=message.occurred_at or now,
    )


def _charge_state_changes(
    old: VehicleSnapshot, new: VehicleSnapshot, now: datetime
) -> Iterator[Change]:
    """Yield what the charge state says; `unknown` is no change (SDK)."""
    if old.status is new.status or ChargeStatus.UNKNOWN in (old.status, new.status):
        return
    read_at = new.vehicle.charge_state.updated_at
    if read_at is not None and read_at > now + CLOCK_TOLERANCE:
        read_at = now  # nobody believes a reading from the future
    level: dict[str, Detail] = {"battery_level": new.vehicle.charge_state.battery_level}
    if old.status is ChargeStatus.DISCONNECTED:
        details = level | _location(new.plug_session)
        yield _change(ChangeType.PLUGGED_IN, new, now, read_at, details=details)
    match new.status:
        case ChargeStatus.DISCONNECTED:
            details = level | _location(_last_of_plug_in(old, new))
            yield _change(ChangeType.UNPLUGGED, new, now, read_at, details=details)
        case ChargeStatus.CHARGING:
            yield _change(ChangeType.CHARGING_STARTED, new, now, read_at, details=level)
        case ChargeStatus.COMPLETE:
            yield _change(ChangeType.CHARGING_COMPLETED, new, now, read_at, details=level)
        case ChargeStatus.STOPPED if old.status is ChargeStatus.CHARGING:
            yield _change(ChangeType.CHARGING_PAUSED, new, now, read_at, details=level)


def _last_of_plug_in(old: VehicleSnapshot, new: VehicleSnapshot) -> Session | None:
    """Return the session that ended with an unplug; it may have begun since the last refresh too."""
    ended = [item for item in new.fetched if item.id not in old.ended_sessions]
    return newest(ended if old.plug_session is None else (old.plug_session, *ended))


def _location(session: Session | None) -> dict[str, Detail]:
    return {"charging_location_id": None if session is None else session.charging_location_id}


def _link_changes(old: VehicleSnapshot, new: VehicleSnapshot, now: datetime) -> Iterator[Change]:
    """Yield that the link to the car's maker was lost or restored.

    That a car was never connected is no loss, unless a delivery says that it is one.
    """
    reason = None if new.link.reason is None else new.link.reason.value
    match old.link.is_connected, new.link.is_connected:
        case (True, False) | (None, False) if old.link.is_connected or reason is not None:
            yield _change(ChangeType.VEHICLE_LINK_LOST, new, now, details={"reason": reason})
        case False, True:
            yield _change(ChangeType.VEHICLE_LINK_RESTORED, new, now)


def _settings_changes(
    old: VehicleSnapshot, new: VehicleSnapshot, now: datetime
) -> Iterator[Change]:
    """Yield that smart charging was switched on or off."""
    if old.settings is None or new.settings is None:
        return
    details: dict[str, Detail] = {"resumes_at": _text(new.settings.resumes_at)}
    match old.settings.is_smart_charging_enabled, new.settings.is_smart_charging_enabled:
        case False, True:
            yield _change(ChangeType.SMART_CHARGING_ENABLED, new, now, details=details)
        case True, False:
            yield _change(ChangeType.SMART_CHARGING_DISABLED, new, now, details=details)


def _session_changes(
    old: VehicleSnapshot, new: VehicleSnapshot, now: datetime, *, after_gap: bool
) -> Iterator[Change]:
    """Yield sessions that appeared, ended, or became smart or unmanaged.

    A session whose end was only estimated may be listed again. It was published already.
    """
    for session_id, session in new.open_sessions.items():
        if (known := old.open_sessions.get(session_id)) is not None:
            yield from _management_changes(new, known, session, now)
        elif session_id in old.ended_sessions:
            continue
        else:
            yield _session_change(ChangeType.SESSION_STARTED, new, session, now, session.started_at)
            if not after_gap:
                yield from _replacement_changes(old, new, session, now, session.started_at)
    for session in new.fetched:
        ended_at = session.ended_at
        if ended_at is None or session.id in old.ended_sessions or session.id in old.estimated_ends:
            continue
        if session.id not in old.open_sessions:
            if ended_at <= old.known_since:
                continue
            started_at = max(session.started_at or ended_at, old.known_since)
            yield _session_change(ChangeType.SESSION_STARTED, new, session, now, started_at)
            if not after_gap:
                yield from _replacement_changes(old, new, session, now, started_at)
        yield _session_change(ChangeType.SESSION_ENDED, new, session, now, ended_at)


def _replacement_changes(
    old: VehicleSnapshot,
    new: VehicleSnapshot,
    session: Session,
    now: datetime,
    at: datetime | None,
) -> Iterator[Change]:
    """Yield that a new session is managed other than the one before it in the same plug-in.

    One that began and ended since the last refresh lies between the two.
    """
    if (known := old.plug_session) is None:
        return
    previous = newest(
        item
        for item in (*new.fetched, known)
        if item.id != session.id
        and (
            item.started_at is None
            or session.started_at is None
            or item.started_at <= session.started_at
        )
    )
    if previous is not None:
        yield from _management_changes(new, previous, session, now, at)


def _settled_changes(old: VehicleSnapshot, new: VehicleSnapshot, now: datetime) -> Iterator[Change]:
    """Yield that figures of an ended session became known, were corrected, or went with the session.

    Of a session that ended before anything was known of the car, or of its figures, only a correction is.
    """
    if old.ledger.has_same_sessions(new.ledger):
        return
    for session_id, session in new.ledger.sessions.items():
        before, figures = old.ledger.session(session_id), Figures.of(session)
        if (ended_at := session.ended_at) is None:
            continue
        had_ended = before is not None and before.ended_at is not None
        known = Figures() if before is None or not had_ended else Figures.of(before)
        is_from_before = old.ledger.watched_since is None or ended_at <= new.known_since
        corrected = figures.contradicts(known)
        if figures in (known, Figures()) or (is_from_before and not corrected):
            continue
        at = None if had_ended else ended_at
        change = _session_change(ChangeType.SESSION_SETTLED, new, session, now, at)
        yield replace(change, details={**change.details, "corrected": corrected})
    for session in old.ledger.deleted_in(new.ledger):
        if not Figures.of(session).is_empty:
            change = _session_change(
                ChangeType.SESSION_SETTLED, new, without_amounts(session), now, None
            )
            details = {**change.details, "corrected": True, "deleted": True}
            yield replace(change, details=details)


def _boost_changes(old: VehicleSnapshot, new: VehicleSnapshot, now: datetime) -> Iterator[Change]:
    """Yield a boost that ended, by itself or with its session, and one that started."""
    ended, started = old.boost_session_id, new.boost_session_id
    if ended == started:
        return
    if ended is not None:
        ended_at = new.ended_sessions.get(ended)
        yield _change(ChangeType.BOOST_ENDED, new, now, ended_at, session_id=ended)
    if started is not None:
        yield _change(ChangeType.BOOST_STARTED, new, now, session_id=started)


def _management_changes(
    car: VehicleSnapshot,
    previous: Session,
    session: Session,
    now: datetime,
    at: datetime | None = None,
) -> Iterator[Change]:
    """Yield that Jedlix took over the charging, or stopped managing it, between two sessions."""
    if previous.is_managed == session.is_managed or None in (
        previous.is_managed,
        session.is_managed,
    ):
        return
    change_type = (
        ChangeType.SESSION_BECAME_SMART
        if session.is_managed
        else ChangeType.SESSION_BECAME_UNMANAGED
    )
    details: dict[str, Detail] = {"previous_session_id": previous.id}
    yield _change(change_type, car, now, at, session_id=session.id, details=details)


def _session_change(
    change_type: ChangeType,
    car: VehicleSnapshot,
    session: Session,
    now: datetime,
    at: datetime | None,
) -> Change:
    details: dict[str, Detail] = {
        "is_managed": session.is_managed,
        "charging_location_id": session.charging_location_id,
        "started_at": _text(session.started_at),
    }
    if change_type in _END:
        figures: dict[str, Detail] = {
            "energy_kwh": session.energy_kwh,
            "cost": session.cost,
            "savings": session.savings,
            "currency": session.currency,
        }
        details["ended_at"] = _text(session.ended_at)
        if session.id in car.estimated_ends:
            details["estimated"] = True
        details |= {name: value for name, value in figures.items() if value is not None}
    return _change(change_type, car, now, at, session_id=session.id, details=details)


def _change(
    change_type: ChangeType,
    car: VehicleSnapshot,
    now: datetime,
    at: datetime | None = None,
    *,
    session_id: str | None = None,
    details: Mapping[str, Detail] | None = None,
) -> Change:
    """Return a change that happened at a time, where Jedlix reports one, and else now."""
    return Change(
        type=change_type,
        user_id=car.vehicle.user_id,
        vehicle_id=car.vehicle.id,
        session_id=session_id or _session_at(car, at),
        occurred_at=now if at is None else at,
        details=details or {},
        is_timed=at is not None,
    )


def _session_at(car: VehicleSnapshot, at: datetime | None) -> str | None:
    """Return the session of the plug-in, None where it had ended at that time and no other is known."""
    if car.plug_session is None:
        return None
    ended_at = car.ended_sessions.get(car.plug_session.id)
    had_ended = at is not None and ended_at is not None and ended_at < at
    return None if had_ended else car.plug_session.id


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
