"""Reports: what deliveries say of users and cars, until the API confirms it. Pure.

Most event types are reported only (known from public code), so nothing is concluded from a name alone: the
API confirms a lost link and a removed user. That a session cannot reach its level is in no answer of the API,
so there the delivery is the only source (meaning: documented for the notification of the same name).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Self

from ..api import BadAnswer, WebhookMessage
from ..api.reading import Fields, Json, moment, text
from .changes import Change, ChangeType, Detail
from .link import LinkReport
from .user_snapshot import UserSnapshot
from .vehicle_snapshot import VehicleSnapshot

# How long a delivery waits for the API to agree.
REPORT_COUNTS_FOR: Final = timedelta(hours=1)

_LINK_REPORTS: Final = {
    "vehicleinvalidcredentials": LinkReport.CREDENTIALS,
    "vehicledisconnected": LinkReport.DISCONNECTED,
    "vehicleconnected": LinkReport.CONNECTED,
    "vehicleconnectionreadytocontinue": LinkReport.READY,
}
_USER_REMOVED: Final = "userremoved"
_SESSION_IMPOSSIBLE: Final = "sessionimpossible"


@dataclass(slots=True)
class Reports:
    """The reports that wait: of links by user and car, of removed users.

    Each has when it came, at Jedlix; those of removed users also when that happened. `newest` is when the
    newest report happened that a link is there, and that it is not: by user, car and whether it is there.
    """

    links: dict[tuple[str, str], tuple[LinkReport, datetime]] = field(default_factory=dict)
    newest: dict[tuple[str, str, bool], datetime] = field(default_factory=dict)
    removed_users: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Read them from the store; one that cannot be read is left out."""
        reports = cls()
        fields = Fields(data)
        for item in _list(fields.get("links")):
            try:
                stored = Fields(item)
            except BadAnswer:
                continue
            ids = text(stored.get("userid")), text(stored.get("vehicleid"))
            report, at = text(stored.get("report")), moment(stored.get("at"))
            if ids[0] and ids[1] and report in set(LinkReport) and at is not None:
                reports.links[ids[0], ids[1]] = (LinkReport(report), at)
        for item in _list(fields.get("newest")):
            match item:
                case [str(user_id), str(vehicle_id), bool(is_there), str(value)]:
                    if (at := moment(value)) is not None:
                        reports.newest[user_id, vehicle_id, is_there] = at
        removed = fields.get("removedusers")
        for user_id, times in (removed if isinstance(removed, dict) else {}).items():
            match [moment(item) for item in _list(times)]:
                case [datetime() as at, datetime() as happened_at]:
                    reports.removed_users[user_id] = (at, happened_at)
        return reports

    def as_json(self) -> dict[str, Json]:
        """Return them for the store. Safe in any thread."""
        return {
            "links": [
                {
                    "user_id": user_id,
                    "vehicle_id": vehicle_id,
                    "report": report.value,
                    "at": at.isoformat(),
                }
                for (user_id, vehicle_id), (report, at) in self.links.copy().items()
            ],
            "newest": [[*key, at.isoformat()] for key, at in self.newest.copy().items()],
            "removed_users": {
                user_id: [item.isoformat() for item in times]
                for user_id, times in self.removed_users.copy().items()
            },
        }

    def note(self, message: WebhookMessage, user: UserSnapshot, now: datetime) -> None:
        """Note what a delivery about a user says, if it says something that the API can confirm.

        Deliveries come in any order. What one says of a link is over when a newer one says the contrary.
        """
        event_type = message.event_type.casefold()
        happened_at = min(message.occurred_at or now, now)
        if event_type == _USER_REMOVED:
            self.removed_users[user.user_id] = (now, happened_at)
        report, car = _LINK_REPORTS.get(event_type), car_of(message, user)
        if report is None or car is None:
            return
        key, is_there = (user.user_id, car.vehicle.id), report is LinkReport.CONNECTED
        if happened_at < self.newest.get((*key, not is_there), happened_at):
            return
        self.newest[*key, is_there] = max(
            happened_at, self.newest.get((*key, is_there), happened_at)
        )
        waiting, _ = self.links.get(key, (None, None))
        if (waiting, report) != (LinkReport.CREDENTIALS, LinkReport.DISCONNECTED):
            self.links[key] = (report, now)

    def apply(self, user: UserSnapshot, now: datetime) -> UserSnapshot:
        """Return a user after an answer of the API, with what deliveries say of the links of the cars.

        A report that the API contradicts waits for an hour: the API may be slower than the delivery.
        """
        for vehicle_id, car in user.vehicles.items():
            key = (user.user_id, vehicle_id)
            if key not in self.links:
                continue
            report, at = self.links[key]
            if now - at > REPORT_COUNTS_FOR:
                del self.links[key]
                continue
            api = car.vehicle.is_connected
            link = car.link.with_report(report, now, is_connected=api)
            if api is None or api == (report is LinkReport.CONNECTED):
                del self.links[key]
            if link != car.link:
                user = user.with_vehicle(replace(car, link=link))
        return user

    def take_removed(self, user_id: str, now: datetime, *, is_known: bool) -> Change | None:
        """Return that a user was removed, once the API does not know a user of whom a delivery said so."""
        if (times := self.removed_users.get(user_id)) is None:
            return None
        at, happened_at = times
        if is_known and now - at <= REPORT_COUNTS_FOR:
            return None
        del self.removed_users[user_id]
        if is_known:
            return None
        return Change(
            type=ChangeType.USER_REMOVED, user_id=user_id, occurred_at=happened_at, is_timed=True
        )

    def forget(self, user_id: str) -> None:
        """Forget a user who is no longer followed."""
        self.removed_users.pop(user_id, None)
        self.links = {key: value for key, value in self.links.items() if key[0] != user_id}
        self.newest = {key: value for key, value in self.newest.items() if key[0] != user_id}


def change_of_report(message: WebhookMessage, user: UserSnapshot, now: datetime) -> Change | None:
    """Return the change that a delivery about a user reports by itself, None for other deliveries.

    The levels are those that are known now; the payload is not documented.
    """
    if message.event_type.casefold() != _SESSION_IMPOSSIBLE:
        return None
    car = car_of(message, user)
    session = None if car is None else car.session
    details: Mapping[str, Detail] = {
        "battery_level": None if car is None else car.vehicle.charge_state.battery_level,
        "desired_battery_level": None
        if car is None or car.settings is None
        else car.settings.desired_battery_level,
    }
    return Change(
        type=ChangeType.SESSION_IMPOSSIBLE,
        user_id=user.user_id,
        vehicle_id=None if car is None else car.vehicle.id,
        session_id=message.session_id or (None if session is None else session.id),
        occurred_at=message.occurred_at or now,
        details=details,
        is_timed=message.occurred_at is not None,
    )


def car_of(message: WebhookMessage, user: UserSnapshot) -> VehicleSnapshot | None:
    """Return the car that a delivery about a user names, by its id or its session, or the user's only car."""
    if message.vehicle_id is not None:
        return user.vehicles.get(message.vehicle_id)
    if (session_id := message.session_id) is not None:
        for car in user.vehicles.values():
            if session_id in car.open_sessions or session_id in car.ended_sessions:
                return car
    return next(iter(user.vehicles.values())) if len(user.vehicles) == 1 else None


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
