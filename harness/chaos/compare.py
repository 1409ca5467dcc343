"""Compares what was announced with what happened, change by change."""

from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .promise import KINDS, SESSIONS, Happened, Promises
from .record import Announced
from .timeline import Timeline

BEFORE_A_KILL = 8.0
"""Seconds. What was told in them may be told again: the memory is written five seconds after a change."""

AT_A_KILL = 0.1
"""Seconds between an answer and what follows from it, on a busy machine."""


@dataclass(slots=True)
class Comparison:
    """What came of it. `told` are the lines that were announced, promised or not."""

    told: set[int] = field(default_factory=set)
    repeated: list[Announced] = field(default_factory=list)
    read_otherwise: list[Announced] = field(default_factory=list)
    """It did not happen so, but that is how it looks to whoever missed a state in between."""
    invented: list[Announced] = field(default_factory=list)
    """Announced, but it never happened, or was told again without a kill."""


def compare(
    journal: Sequence[Happened],
    announced: Sequence[Announced],
    promises: Promises,
    timeline: Timeline,
) -> Comparison:
    """Give each announced change the line of the journal that it tells, and none twice."""
    found = Comparison()
    open_lines: defaultdict[tuple[str, ...], list[Happened]] = defaultdict(list)
    for line in journal:
        open_lines[_key(line.type, line.vehicle_id, line.session_id)].append(line)
    first_told: defaultdict[tuple[str, ...], list[float]] = defaultdict(list)
    for change in announced:
        key = _key(change.type, change.vehicle_id, change.data.get("session_id"))
        # The newest that had happened by then: of two that nobody saw apart, one is told.
        lines = [line for line in open_lines[key] if line.known_at <= change.told_at]
        if lines:
            open_lines[key].remove(lines[-1])
            found.told.add(lines[-1].n)
        elif _is_repeated(first_told[key], change.told_at, timeline):
            found.repeated.append(change)
        elif promises.may_be_read(change.type, change.vehicle_id, change.told_at):
            found.read_otherwise.append(change)
        else:
            found.invented.append(change)
        first_told[key].append(change.told_at)
    return found


@dataclass(slots=True)
class Deliveries:
    """What became of the deliveries, by their ids: each that was accepted is told once."""

    lost: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    told_twice: list[str] = field(default_factory=list)
    """Again though no kill lies between."""


def compare_deliveries(
    deliveries: Sequence[Mapping[str, Any]],
    told: Sequence[tuple[float, str]],
    timeline: Timeline,
    *,
    has_history: bool,
) -> Deliveries:
    """Compare the simulator's log with the `jedlix_webhook` events.

    One that was answered in the very moment of a kill is told only where the history can be asked for it.
    """
    moment = 0.0 if has_history else AT_A_KILL
    found = Deliveries()
    times: defaultdict[str, list[float]] = defaultdict(list)
    for at, delivery_id in told:
        if _is_repeated(times[delivery_id], at, timeline):
            found.repeated.append(delivery_id)
        elif times[delivery_id]:
            found.told_twice.append(delivery_id)
        times[delivery_id].append(at)
    accepted = {
        delivery["id"]
        for delivery in deliveries
        for attempt in delivery["attempts"]
        if attempt["status"] == 200 and not delivery["is_test"]
        if timeline.is_up(attempt["at"]) and timeline.is_up(attempt["at"] + moment)
    }
    found.lost = sorted(accepted - times.keys())
    return found


def _key(kind: str, vehicle_id: str, session_id: str | None) -> tuple[str, ...]:
    """Return what makes two tellings the same: a session's are told once for each session."""
    return (kind, session_id or "") if kind in SESSIONS + KINDS else (kind, vehicle_id)


def _is_repeated(before: Sequence[float], at: float, timeline: Timeline) -> bool:
    """Return whether the same was told in the seconds before a kill that lies between."""
    return any(
        kill - BEFORE_A_KILL <= told <= kill < at for told in before for kill in timeline.kills
    )


@dataclass(frozen=True, slots=True)
class Expected:
    """What one entity must show in the end."""

    user_id: str
    vehicle_id: str
    domain: str
    key: str
    state: str


def expected_states(truth: dict[str, Any], unsure_settings: Container[str]) -> list[Expected]:
    """Return what the entities of all cars must show once the world is calm.

    Whether smart charging is on is left out where nobody was certain to be told: it is read rarely.
    """
    found = []
    for user in truth["users"]:
        for car in user["vehicles"]:
            session = car["session"]
            kind = "none" if session is None else "smart" if session["is_managed"] else "unmanaged"
            states = {
                ("sensor", "charge_state"): car["charge_state"],
                ("sensor", "session"): kind,
                ("binary_sensor", "plugged_in"): _on(car["plugged_in"]),
                ("binary_sensor", "charging"): _on(car["charge_state"] == "charging"),
                ("binary_sensor", "smart_session"): _on(kind == "smart"),
                ("binary_sensor", "vehicle_link"): _on(car["is_connected"]),
            }
            if car["id"] not in unsure_settings:
                states["switch", "smart_charging"] = _on(car["settings"]["isSmartChargingEnabled"])
            if car["reads_battery"]:
                states["sensor", "battery_level"] = str(car["battery_level"])
                states["sensor", "range"] = str(car["range"])
            found += [
                Expected(user["id"], car["id"], domain, key, state)
                for (domain, key), state in states.items()
            ]
    return found


def _on(value: object) -> str:
    return "on" if value else "off"
