"""Truth: what happened by the simulator's own account, and what was said to it and by it."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
import math
from operator import attrgetter
from typing import Any, NamedTuple, Self

from ..simulator import Simulator
from .timeline import Timeline
from .zone import ZONE, place_in_zone

EXACT = 0.0006
"""Seconds: the API reports milliseconds."""


def seconds(text: str | None) -> float:
    """Return a time of the simulator or of an event as Unix seconds; inf for none."""
    return math.inf if text is None else datetime.fromisoformat(text).timestamp()


def moment(text: Any) -> float:
    """Return a time that somebody else wrote as Unix seconds; nan where it is none, or has no zone."""
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return math.nan
    return math.nan if at is None or at.tzinfo is None else at.timestamp()


def ready_by_of(settings: Mapping[str, Any]) -> time:
    """Return the departure time in the settings of a car."""
    return time.fromisoformat(settings["departureTimes"]["assumedByTheSimulator"]["time"])


def settings_of(users: Sequence[Mapping[str, Any]], user_id: str) -> Mapping[str, Any]:
    """Return the settings of a user's car; whether it is charged smart and until when not are one."""
    (car,) = next(user["vehicles"] for user in users if user["id"] == user_id)
    settings = dict(car["settings"])
    ends = settings.pop("enableSmartChargingAt", None)
    settings["isSmartChargingEnabled"] = (settings["isSmartChargingEnabled"], ends)
    return settings


@dataclass(frozen=True, slots=True)
class Happened:
    """One line of the journal. `known_at` is when Jedlix could first know it; times are Unix seconds."""

    n: int
    type: str
    user_id: str
    vehicle_id: str
    session_id: str | None
    occurred_at: float
    known_at: float
    details: Mapping[str, Any]

    @classmethod
    def read(cls, line: Mapping[str, Any], timeline: Timeline) -> Self:
        """Read a line as /control/truth writes it."""
        return cls(
            n=line["n"],
            type=line["type"],
            user_id=line["user_id"],
            vehicle_id=line["vehicle_id"] or "",
            session_id=line["session_id"],
            occurred_at=seconds(line["occurred_at"]),
            known_at=timeline.real(seconds(line["known_at"])),
            details=line["details"],
        )


@dataclass(frozen=True, slots=True)
class Session:
    """A session; `end` and `end_known` are inf while it is running."""

    id: str
    user_id: str
    vehicle_id: str
    start: float
    end: float
    end_known: float
    facts: Mapping[str, Any]
    """All fields, as the simulator writes them."""

    @classmethod
    def read(cls, item: Mapping[str, Any]) -> Self:
        """Read a session of the simulator's ledger."""
        end = seconds(item["ended_at"])
        known = end if item["end_known_at"] is None else seconds(item["end_known_at"])
        start = seconds(item["started_at"])
        return cls(item["id"], item["user_id"], item["vehicle_id"], start, end, known, item)


@dataclass(frozen=True, slots=True)
class Report:
    """One telemetry of a car."""

    at: float
    state: str
    battery_level: int | None


@dataclass(frozen=True, slots=True)
class Sent:
    """One POST to Home Assistant that carried a delivery."""

    at: float
    status: int | None
    delivery_id: str
    event_type: str
    user_id: str
    created_at: float
    ms: float = 0.0
    """How long the answer took."""


class Call(NamedTuple):
    """A call to the API, or for a token, and when it was answered, with which status."""

    at: float
    path: str
    status: int
    method: str = "GET"

    def ends_with(self, ending: str) -> bool:
        """Return whether the path, without its query, ends like this."""
        return self.path.partition("?")[0].endswith(ending)


_AT = attrgetter("at")


@dataclass(frozen=True, slots=True)
class Truth:
    """All that the simulator knows, from the beginning of the run on."""

    mode: str
    users: Sequence[Mapping[str, Any]]
    cars: Mapping[str, Mapping[str, Any]]
    journal: Sequence[Happened]
    sessions: Mapping[str, Session]
    sessions_of: Mapping[str, Sequence[Session]]
    """By car, oldest first."""
    reports_of: Mapping[str, Sequence[Report]]
    """By car, oldest first."""
    deliveries: Sequence[Mapping[str, Any]]
    sent: Sequence[Sent]
    calls: Sequence[Call]
    """In the order in which they were answered."""
    tokens: Sequence[str]
    place_in_zone: str = ""
    """The charging location that lies in a zone of Home Assistant."""

    @classmethod
    async def fetch(
        cls, simulator: Simulator, before: Mapping[str, Any], timeline: Timeline
    ) -> Self:
        """Ask the simulator. `before` is the answer of /control/truth at the beginning."""
        first = before["changes"][-1]["n"] if before["changes"] else 0
        truth, ledger = await simulator.truth(), await simulator.ledger()
        deliveries, requests = await simulator.deliveries(), await simulator.requests()
        sessions = [Session.read(item) for item in ledger["sessions"]]
        sessions_of: defaultdict[str, list[Session]] = defaultdict(list)
        for session in sessions:
            sessions_of[session.vehicle_id].append(session)
        reports_of: defaultdict[str, list[Report]] = defaultdict(list)
        for item in ledger["reports"]:
            report = Report(seconds(item["at"]), item["charge_state"], item["battery_level"])
            reports_of[item["vehicle_id"]].append(report)
        sent = [
            Sent(
                attempt["at"],
                attempt["status"],
                delivery["id"],
                delivery["event_type"],
                delivery["user_id"] or "",
                timeline.real(delivery["created_at"]),
                attempt["ms"],
            )
            for delivery in deliveries
            if not delivery["is_test"]
            for attempt in delivery["attempts"]
        ]
        return cls(
            mode=truth["mode"],
            users=truth["users"],
            cars={car["id"]: car for user in truth["users"] for car in user["vehicles"]},
            journal=[
                Happened.read(line, timeline) for line in truth["changes"] if line["n"] > first
            ],
            sessions={session.id: session for session in sessions},
            sessions_of=sessions_of,
            reports_of=reports_of,
            deliveries=deliveries,
            sent=sorted(sent, key=lambda item: item.at),
            calls=[
                Call(item["time"], item["path"], item["status"], item["method"])
                for item in requests
            ],
            tokens=ledger["tokens"],
            place_in_zone=place_in_zone(truth["users"])["id"],
        )

    @property
    def place_names(self) -> Mapping[str, str]:
        """How Home Assistant names the charging locations, by id: after their zone, else after their city."""
        return {
            place["id"]: ZONE if place["id"] == self.place_in_zone else place["city"]
            for user in self.users
            for place in user["locations"]
        }

    @property
    def is_strict(self) -> bool:
        """Return whether only documented calls and fields are there."""
        return self.mode == "strict"

    def was_called(self, ending: str, begin: float, end: float) -> bool:
        """Return whether a call whose path ends like this was answered from `begin` to `end`."""
        first = bisect_left(self.calls, begin, key=_AT)
        return any(call.ends_with(ending) for call in self.calls[first : self._calls_until(end)])

    def last_call(self, ending: str, until: float) -> float:
        """Return when a call whose path ends like this was answered last until a moment, 0 if none was."""
        calls = reversed(self.calls[: self._calls_until(until)])
        return next((call.at for call in calls if call.ends_with(ending)), 0.0)

    def _calls_until(self, moment: float) -> int:
        return bisect_right(self.calls, moment, key=_AT)

    def was_sent(self, user_id: str, begin: float, end: float) -> bool:
        """Return whether a delivery about a user was sent to Home Assistant from `begin` to `end`."""
        return any(item.user_id == user_id and begin <= item.at <= end for item in self.sent)
