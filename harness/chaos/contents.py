"""Contents of a published change: each field against the truth.

`occurred_at` is exact to the millisecond where Jedlix reports a time: that of the telemetry that was read, or
the start or end of the session. A change without a time of its own bears the time at which it was found.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .comparison import Match
from .promise import REPORTED, SESSION_KINDS, SESSIONS
from .recording import Published
from .timeline import Timeline
from .truth import EXACT, Happened, Sent, Session, Truth, moment

MARGIN = 2.5
"""Seconds: two answers of Jedlix that are read side by side, and the clock of a busy machine."""
SAME_REFRESH = 0.15
"""Seconds within which the changes of one refresh are published."""
QUEUED = 2.0
"""Seconds for which a requested refresh may wait for its turn."""
CALM = 90.0
"""Seconds of calm after which Home Assistant knows a car as it is."""
LINK_LOST = ("vehicleDisconnected", "vehicleInvalidCredentials")
"""The event types that say why a link was lost."""
UTC = ("+00:00", "Z")
"""How a time in UTC ends."""
FIGURES = ("energy_kwh", "cost", "savings", "currency")

_STATES = {
    "plugged_in": ("stopped", "charging", "complete"),
    "unplugged": ("disconnected",),
    "charging_started": ("charging",),
    "charging_paused": ("stopped",),
    "charging_completed": ("complete",),
}
ENVELOPE = frozenset(
    {
        *("entry_id", "device_id", "type", "user_id", "vehicle_id", "session_id"),
        *("occurred_at", "source", "late"),
    }
)
_SESSION = frozenset({"is_managed", "charging_location_id", "started_at"})
ADDED: Mapping[str, frozenset[str]] = {
    "plugged_in": frozenset({"battery_level", "charging_location_id"}),
    "unplugged": frozenset({"battery_level", "charging_location_id"}),
    "charging_started": frozenset({"battery_level"}),
    "charging_paused": frozenset({"battery_level"}),
    "charging_completed": frozenset({"battery_level"}),
    "session_started": _SESSION,
    "session_ended": _SESSION | {"ended_at", *FIGURES},
    "session_settled": _SESSION | {"ended_at", *FIGURES, "corrected"},
    "session_became_smart": frozenset({"previous_session_id"}),
    "session_became_unmanaged": frozenset({"previous_session_id"}),
    "smart_charging_enabled": frozenset({"resumes_at"}),
    "smart_charging_disabled": frozenset({"resumes_at"}),
    "vehicle_link_lost": frozenset({"reason"}),
    "vehicle_link_restored": frozenset({"reason"}),
    "session_impossible": frozenset({"battery_level", "desired_battery_level"}),
}
"""What a type adds, by the contract."""


@dataclass(frozen=True, slots=True)
class Contents:
    """Checks the contents of changes.

    `devices` are the ids of Home Assistant's devices by identifier, `started` is when the start of each
    session was published.
    """

    truth: Truth
    timeline: Timeline
    entry_id: str
    devices: Mapping[str, str]
    started: Mapping[str, float]

    def wrong(self, match: Match) -> list[str]:
        """Return what is wrong with a change, each with the name of the field first."""
        return [
            *self._envelope(match),
            *self._occurred_at(match),
            *self._session_id(match),
            *self._details(match),
            *_not_in_utc(match.change.data),
        ]

    def _envelope(self, match: Match) -> Iterator[str]:
        change, line = match.change, match.line
        device = f"{line.user_id}_{line.vehicle_id}" if line.vehicle_id else self.entry_id
        expected = {
            "entry_id": self.entry_id,
            "device_id": self.devices.get(device, self.devices.get(self.entry_id)),
            "user_id": line.user_id,
            "vehicle_id": None if line.type == "user_created" else line.vehicle_id,
        }
        yield from _differing(change.data, expected)
        if unknown := change.data.keys() - ENVELOPE - ADDED.get(line.type, frozenset()):
            yield f"unknown fields: {sorted(unknown)}"

    def _occurred_at(self, match: Match) -> Iterator[str]:
        change, line = match.change, match.line
        at = moment(change.data.get("occurred_at"))
        if line.type in _STATES:
            is_right = self._report_level(change, line) is not None
        elif line.type.startswith("session_") or line.type in REPORTED:
            is_right = abs(at - line.occurred_at) < EXACT
        else:
            is_right = self._is_untimed_right(at, change, line)
        if not is_right:
            yield f"occurred_at: {change.data.get('occurred_at')}"

    def _is_untimed_right(self, at: float, change: Published, line: Happened) -> bool:
        """Return whether the time of a change without its own lies between knowing and publishing.

        After a gap it is the end of the gap, which another refresh may have noted a moment before. A boost
        that ends with its session has the time of that.
        """
        session = self.truth.sessions.get(line.session_id or "")
        if line.type == "boost_ended" and session is not None:
            is_with_session = abs(line.known_at - session.end_known) < EXACT
            if is_with_session or abs(at - session.end) < EXACT:
                return abs(at - session.end) < EXACT
        early = MARGIN if not change.is_late else 15.0
        return line.known_at - early <= at <= change.at + EXACT

    def _report_level(self, change: Published, line: Happened) -> tuple[int | None] | None:
        """Return the battery level of the report that a change of state bears the time of, None if none."""
        at = moment(change.data.get("occurred_at"))
        for report in self.truth.reports_of.get(line.vehicle_id, ()):
            if (
                abs(report.at - at) < EXACT
                and line.occurred_at - EXACT <= report.at <= change.at + EXACT
                and report.state in _STATES[line.type]
            ):
                return (report.battery_level,)
        return None

    def _session_id(self, match: Match) -> Iterator[str]:
        """Check the session where the line itself does not decide it: it must be running at that time."""
        change, line = match.change, match.line
        if line.type.startswith("session_") or line.type in REPORTED:
            if change.session_id != line.session_id:
                yield f"session_id: {change.session_id}, not {line.session_id}"
            return
        running = self._running(change, line)
        allowed: set[str | None] = {session.id for session in running}
        # The journal has a plug-in before the session that begins with it.
        had_none = line.session_id is None and line.type != "plugged_in"
        if had_none or not running or self._began_meanwhile(change, line):
            allowed.add(None)
        if line.session_id is not None:
            allowed.add(line.session_id)
        if change.session_id not in allowed:
            yield f"session_id: {change.session_id}, not one of {sorted(map(str, allowed))}"

    def _running(self, change: Published, line: Happened) -> list[Session]:
        """Return the car's sessions that were running between the change and its publication."""
        return [
            session
            for session in self.truth.sessions_of.get(line.vehicle_id, ())
            if session.start <= change.at and session.end_known >= line.known_at - EXACT
        ]

    def _began_meanwhile(self, change: Published, line: Happened) -> bool:
        """Return whether a session was not listed yet when its car was read, or had ended since.

        Of what one refresh found, only the plug-in comes before the start of its session.
        """
        until = change.at + (SAME_REFRESH if line.type == "plugged_in" else 0.0)
        return any(
            self.started.get(session.id, session.start + MARGIN) > until
            or session.end_known < change.at + EXACT
            for session in self._running(change, line)
        )

    def _details(self, match: Match) -> Iterator[str]:
        change, line = match.change, match.line
        if line.type in _STATES:
            level = self._report_level(change, line)
            if level is not None:
                yield from _differing(change.data, {"battery_level": level[0]})
            if line.type in {"plugged_in", "unplugged"}:
                yield from self._location(change, line)
        elif line.type in SESSION_KINDS or line.type.startswith("smart_charging_"):
            yield from _differing(change.data, line.details)
        elif line.type in SESSIONS:
            yield from self._session_details(change, line)
        elif line.type == "vehicle_link_lost":
            yield from self._reason(change, line)
        elif line.type == "session_impossible":
            yield from self._levels(change, line)

    def _reason(self, change: Published, line: Happened) -> Iterator[str]:
        """Check why a link was lost: a delivery that was accepted before, or is in the history, says it."""
        reason, given = line.details["reason"], change.data.get("reason", "nothing")
        accepted = [
            item
            for item in self.truth.sent
            if item.user_id == line.user_id
            and item.status == 200
            and line.known_at - QUEUED <= item.at <= change.at
            and self.timeline.was_calm(item.at, change.at, line.user_id)
        ]
        # Another delivery before the first that says it may have requested the refresh that found it.
        is_first = change.data.get("source") == "webhook" and bool(accepted)
        is_explained = (is_first and accepted[0].event_type in LINK_LOST) or any(
            item.event_type in LINK_LOST and item.at <= change.at - SAME_REFRESH
            for item in (self._read_from_history(change, line) or accepted)
        )
        if given != reason and (is_explained or given is not None):
            yield f"reason: {given!r}, not {reason!r}"

    def _read_from_history(self, change: Published, line: Happened) -> Sequence[Sent]:
        """Return the deliveries about a user that the history had when it named them."""
        if change.data.get("source") != "history":
            return ()
        return [
            item
            for item in self.truth.sent
            if item.user_id == line.user_id and line.known_at <= item.at <= change.at
        ]

    def _levels(self, change: Published, line: Happened) -> Iterator[str]:
        """Check the levels as Home Assistant knew them; after trouble they may be older.

        Once the start of a session was published, the settings are read.
        """
        begin, started = line.known_at - CALM, self.started.get(line.session_id or "")
        if started is not None and started + MARGIN < change.at:
            begin = max(begin, started)
        if self.timeline.was_calm(begin, change.at, line.user_id):
            desired = None if self.truth.is_strict else line.details["desired_battery_level"]
            yield from _differing(change.data, {"desired_battery_level": desired})
            levels = self._readable_levels(change, line)
            if (given := change.data.get("battery_level", "nothing")) not in levels:
                yield f"battery_level: {given!r}, not one of {levels}"

    def _readable_levels(self, change: Published, line: Happened) -> list[int | None]:
        """Return the battery levels that Jedlix reported from the last read of the car until the change.

        A delivery may have been lost since that read, so the car's newest level need not be known.
        """
        read_at = self.truth.last_call(f"/users/{line.user_id}/vehicles", change.at - SAME_REFRESH)
        reports = [
            report
            for report in self.truth.reports_of.get(line.vehicle_id, ())
            if report.at <= change.at + EXACT
        ]
        before = sum(report.at <= read_at for report in reports)
        return [report.battery_level for report in reports[max(0, before - 1) :]]

    def _location(self, change: Published, line: Happened) -> Iterator[str]:
        sessions = self.truth.sessions_of.get(line.vehicle_id, ())
        if line.type == "unplugged":
            ended = [item for item in sessions if item.end_known <= change.at]
            allowed = {item.facts["charging_location_id"] for item in ended[-1:]}
        else:
            running = self._running(change, line)
            allowed = {item.facts["charging_location_id"] for item in running}
            if self._began_meanwhile(change, line):
                allowed.add(None)
        if (given := change.data.get("charging_location_id", "")) not in list(allowed):
            yield f"charging_location_id: {given!r}, not one of {sorted(map(str, allowed))}"

    def _session_details(self, change: Published, line: Happened) -> Iterator[str]:
        session = self.truth.sessions[line.session_id or ""]
        names = {"is_managed", "charging_location_id"}
        if line.type != "session_started" and not self.truth.is_strict:
            names |= set(FIGURES)
        yield from _differing(change.data, {name: session.facts[name] for name in names})
        times = {"started_at": session.start}
        if line.type == "session_settled":
            yield from _differing(change.data, {"corrected": False})
        if line.type != "session_started":
            times["ended_at"] = session.end
        for name, at in times.items():
            given = change.data.get(name)
            if not abs(moment(given) - at) < EXACT:
                yield f"{name}: {given}, not {session.facts[name]}"


def starts_of(matches: Iterable[Match]) -> dict[str, float]:
    """Return when the start of each session was published."""
    return {
        str(match.line.session_id): match.change.at
        for match in matches
        if match.line.type == "session_started"
    }


def _not_in_utc(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield the times that are not in UTC, which all of an event have to be."""
    for name, value in data.items():
        if name.endswith("_at") and value is not None and not str(value).endswith(UTC):
            yield f"{name} is not in UTC: {value}"


def _differing(data: Mapping[str, Any], expected: Mapping[str, Any]) -> Iterator[str]:
    for name, value in expected.items():
        given = data.get(name, "nothing")
        if not _is_same(given, value):
            yield f"{name}: {given!r}, not {value!r}"


def _is_same(given: Any, value: Any) -> bool:
    if isinstance(value, bool) or value is None:
        return given is value
    if isinstance(value, int | float):
        is_number = isinstance(given, int | float) and not isinstance(given, bool)
        return is_number and abs(given - value) < 1e-6
    return bool(given == value) or abs(moment(given) - moment(value)) < EXACT
