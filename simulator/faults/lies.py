"""Lies: what one API call reports instead of the true state, by the faults that concern it."""

from collections.abc import Callable, Sequence
import copy
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
import re
from typing import Any

from simulator import dates
from simulator.model import JsonObject, Session, User, Vehicle

from .aimed import Fault, StaleView

_TIME_OF_DAY = re.compile(r"(\d{1,2})(:\d\d(?::\d\d)?)")
_FIGURES = ("energyKwh", "cost", "savings", "currency")
_AMOUNTS = ("energyKwh", "cost", "savings")

type _SessionView = Callable[[Fault, Session, datetime], Session | None]
type _ShapeView = Callable[[Fault, Session, JsonObject, datetime], JsonObject]


class Lies:
    """The lies of one call. Without faults, each method returns what it was given."""

    def __init__(self, faults: Sequence[Fault], clock: datetime, now: datetime) -> None:
        """Take the faults that concern the call. `clock` is the real time, `now` Jedlix's."""
        self._faults = faults
        self._clock, self._now = clock, now
        self._used: set[Fault] = set()
        self._kept: dict[Fault, StaleView] = {}

    def count(self) -> None:
        """Count the use of each fault that has changed the answer. Called once, after the call."""
        for fault in self._used:
            fault.used += 1

    def _of(self, kind: str, user_id: str | None) -> list[Fault]:
        return [
            fault
            for fault in self._faults
            if fault.kind.name == kind
            and fault.is_usable(self._clock)
            and fault.concerns_user(user_id)
        ]

    # --- users and cars -----------------------------------------------------------------------------

    def hides_user(self, user_id: str) -> bool:
        """Whether the user is gone for this call."""
        hiding = self._of("user_vanishes", user_id)
        self._used.update(hiding)
        return bool(hiding) or any(
            fault.kind.name == "user_moves" and fault["user"] == user_id for fault in self._faults
        )

    def hides_vehicle(self, vehicle: Vehicle) -> bool:
        """Whether the car is gone for this call."""
        hiding = [
            fault
            for fault in self._of("vehicle_vanishes", vehicle.user_id)
            if fault["vehicle"] in {None, vehicle.id}
        ]
        self._used.update(hiding)
        return bool(hiding)

    def user(self, user: User) -> User:
        """Return the user as a read sees it: without the cars that are gone, with stale ones."""
        seen = [self._stale_vehicle(car) for car in user.vehicles if not self.hides_vehicle(car)]
        if seen == user.vehicles:
            return user
        user = copy.copy(user)
        user.vehicles = seen
        return user

    def listed(self, user_id: str, vehicles: list[Vehicle]) -> list[Vehicle]:
        """Return the cars that the user's list shows."""
        for fault in self._of("list_without_vehicle", user_id):
            left_out = fault["vehicle"] or (vehicles[0].id if vehicles else None)
            shown = [car for car in vehicles if car.id != left_out]
            if len(shown) < len(vehicles):
                self._used.add(fault)
            vehicles = shown
        return vehicles

    def reading_style(self, user_id: str, style: dates.Style) -> dates.Style:
        """Return how the time of a reading of this user's car or charger is written."""
        for fault in self._of("future_readings", user_id):
            style = self._shifted(fault, style, fault.seconds("ahead_seconds"))
        for fault in self._of("local_times", user_id):
            style = self._shifted(
                fault, dates.v1, timedelta(hours=fault["utc_offset_hours"]), after=style
            )
        return style

    def _shifted(
        self,
        fault: Fault,
        style: dates.Style,
        ahead: timedelta,
        after: dates.Style | None = None,
    ) -> dates.Style:
        def write(moment: datetime) -> str:
            self._used.add(fault)
            true = moment if after is None else dates.read(after(moment))
            return style(true + ahead)

        return write

    def written_settings(self, vehicle: Vehicle, written: JsonObject) -> JsonObject:
        """Return what the charge settings of a car are after a write."""
        for fault in self._of("settings_not_as_written", vehicle.user_id):
            self._used.add(fault)
            match fault["how"]:
                case "ignored":
                    written = vehicle.settings
                case "times_moved":
                    written = written | {"departureTimes": _moved(written.get("departureTimes"))}
                case _:
                    level = 50 if vehicle.settings["desiredBatteryLevel"] == 100 else 100
                    written = written | {"desiredBatteryLevel": level}
        return written

    # --- stale reads --------------------------------------------------------------------------------

    def before_change(self, user: User, sessions: Sequence[Session]) -> None:
        """Keep how a user is before a call changes something, for the reads of the next seconds."""
        for fault in self._of("stale_reads", user.id):
            self._kept[fault] = StaleView(
                until=self._now + fault.seconds("stale_seconds"),
                vehicles={car.id: copy.copy(car) for car in user.vehicles},
                sessions={session.id: copy.copy(session) for session in sessions},
            )

    def after_change(self, user_id: str) -> None:
        """Let reads show what `before_change` kept, now that the call was a success."""
        for fault, stale in self._kept.items():
            fault.stale_views[user_id] = stale
            fault.used += 1

    def _stale_views(self, user_id: str) -> list[StaleView]:
        return [
            stale
            for fault in self._faults
            if (stale := fault.stale_views.get(user_id)) and self._now < stale.until
        ]

    def _stale_vehicle(self, vehicle: Vehicle) -> Vehicle:
        for stale in self._stale_views(vehicle.user_id):
            vehicle = stale.vehicles.get(vehicle.id, vehicle)
        return vehicle

    # --- sessions -----------------------------------------------------------------------------------

    @property
    def concern_sessions(self) -> bool:
        """Whether sessions must be checked one by one; else the sorted log answers."""
        return any(
            fault.kind.name in _SESSION_VIEWS or fault.stale_views or fault.kind.name in _HIDING
            for fault in self._faults
        )

    def session(self, session: Session) -> Session | None:
        """Return the session as this call sees it, or None where it does not see it."""
        if self.hides_user(session.user_id):
            return None
        seen: Session | None = session
        for stale in self._stale_views(session.user_id):
            seen = stale.sessions.get(session.id, seen)
        for fault in self._faults:
            view = _SESSION_VIEWS.get(fault.kind.name)
            if (
                view is not None
                and seen is not None
                and fault.is_usable(self._clock)
                and fault.concerns_user(session.user_id)
            ):
                before, seen = seen, view(fault, seen, self._now)
                if seen is not before:
                    self._used.add(fault)
        return seen

    def session_shape(self, session: Session, shape: JsonObject) -> JsonObject:
        """Return the answer's object for a session."""
        for fault in self._faults:
            view = _SHAPE_VIEWS.get(fault.kind.name)
            if (
                view is not None
                and fault.is_usable(self._clock)
                and fault.concerns_user(session.user_id)
            ):
                before, shape = shape, view(fault, session, shape, self._now)
                if shape != before:
                    self._used.add(fault)
        return shape

    def end_filter(self, user_id: str | None) -> str | None:
        """Return what becomes of the filter `endTimeFrom`: `ignored`, `refused`, or None."""
        for fault in self._of("end_filter", user_id):
            self._used.add(fault)
            how: str = fault["how"]
            return how
        return None

    # --- lists --------------------------------------------------------------------------------------

    def page[T](
        self, user_id: str | None, items: Sequence[T], size: int
    ) -> tuple[Sequence[T], int]:
        """Return the items in the order of this call, and the size of a page."""
        for fault in self._of("unstable_pages", user_id):
            items = list(items)
            Random(f"{fault.number}/{fault.used}").shuffle(items)
            size = min(size, fault["page_size"])
            self._used.add(fault)
        return items, size


def _moved(value: Any) -> Any:
    """Return a JSON value whose times of day are an hour later."""
    match value:
        case dict():
            return {
                key: (item + 1) % 24 if key == "hour" else _moved(item)
                for key, item in value.items()
            }
        case list():
            return [_moved(item) for item in value]
        case str() if found := _TIME_OF_DAY.fullmatch(value):
            return f"{(int(found[1]) + 1) % 24:02d}{found[2]}"
    return value


def _is_chosen(fault: Fault, session: Session) -> bool:
    """Whether a fault about one session is about this one."""
    if fault["session"] is not None:
        return bool(session.id == fault["session"])
    return session.id in fault.sessions or _ends_in_force(fault, session)


def _ends_in_force(fault: Fault, session: Session) -> bool:
    return session.end_known is not None and session.end_known >= fault.since


def _is_due(fault: Fault, session: Session, now: datetime) -> bool:
    """Whether the delay since the end was first shown is over, for an ended session."""
    if session.end is None:
        return False
    shown = max(session.end_known or session.end, fault.since)
    return now >= shown + fault.seconds("delay_seconds")


def _late_start(fault: Fault, session: Session, now: datetime) -> Session | None:
    is_late = fault.since <= session.start and now < session.start + fault.seconds("delay_seconds")
    return None if is_late else session


def _late_end(fault: Fault, session: Session, now: datetime) -> Session | None:
    if not _ends_in_force(fault, session) or _is_due(fault, session, now):
        return session
    return replace(session, end=None)


def _session_gone(fault: Fault, session: Session, _now: datetime) -> Session | None:
    if fault["session"] is not None:
        return None if session.id == fault["session"] else session
    return None if session.end is None or _ends_in_force(fault, session) else session


def _end_taken_back(fault: Fault, session: Session, now: datetime) -> Session | None:
    if not _is_chosen(fault, session) or not _is_due(fault, session, now):
        return session
    return replace(session, end=None)


def _end_corrected(fault: Fault, session: Session, now: datetime) -> Session | None:
    if session.end is None or not _is_chosen(fault, session) or not _is_due(fault, session, now):
        return session
    return replace(session, end=max(session.start, session.end + fault.seconds("shift_seconds")))


def _without(shape: JsonObject, names: Sequence[str], how: str) -> JsonObject:
    if how == "missing":
        return {name: value for name, value in shape.items() if name not in names}
    return {name: None if name in names else value for name, value in shape.items()}


def _late_figures(fault: Fault, session: Session, shape: JsonObject, now: datetime) -> JsonObject:
    is_open = session.end is None
    if not is_open and (not _ends_in_force(fault, session) or _is_due(fault, session, now)):
        return shape
    return _without(shape, _FIGURES, fault["until_then"])


def _figures_only_in_financials(
    _fault: Fault, _session: Session, shape: JsonObject, _now: datetime
) -> JsonObject:
    return _without(shape, _FIGURES, "missing")


def _corrected_figures(
    fault: Fault, session: Session, shape: JsonObject, now: datetime
) -> JsonObject:
    if not _is_chosen(fault, session) or not _is_due(fault, session, now):
        return shape

    def corrected(value: Any) -> Any:
        return value if value is None else round(value * fault["factor"], 3)

    return {name: corrected(value) if name in _AMOUNTS else value for name, value in shape.items()}


def _no_vehicle_id(
    fault: Fault, _session: Session, shape: JsonObject, _now: datetime
) -> JsonObject:
    return _without(shape, ("vehicleId",), fault["how"])


_SESSION_VIEWS: dict[str, _SessionView] = {
    "late_start": _late_start,
    "late_end": _late_end,
    "session_gone": _session_gone,
    "end_taken_back": _end_taken_back,
    "end_corrected": _end_corrected,
}
_SHAPE_VIEWS: dict[str, _ShapeView] = {
    "late_figures": _late_figures,
    "figures_only_in_financials": _figures_only_in_financials,
    "corrected_figures": _corrected_figures,
    "no_vehicle_id": _no_vehicle_id,
}
_HIDING = {"user_vanishes", "user_moves"}
