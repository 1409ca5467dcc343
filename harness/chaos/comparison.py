"""Comparison of what was published with what happened, change by change."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .promise import SESSION_KINDS, SESSIONS, Happened, Promises
from .recording import Published
from .timeline import Timeline

BEFORE_A_KILL = 8.0
"""Seconds. What was published in them may be repeated: the store is written five seconds after a change."""

AT_A_KILL = 0.1
"""Seconds between an answer and what follows from it, on a busy machine."""


@dataclass(slots=True)
class Comparison:
    """The result. `published` are the lines of the journal that were published, promised or not."""

    published: set[int] = field(default_factory=set)
    repeated: list[Published] = field(default_factory=list)
    read_otherwise: list[Published] = field(default_factory=list)
    """It did not happen like this, but follows from a state that was missed."""
    invented: list[Published] = field(default_factory=list)
    """Published, but it never happened, or was repeated without a kill."""


def compare(
    journal: Sequence[Happened],
    published: Sequence[Published],
    promises: Promises,
    timeline: Timeline,
) -> Comparison:
    """Find the line of the journal for each published change; no line is found twice."""
    found = Comparison()
    open_lines: defaultdict[tuple[str, ...], list[Happened]] = defaultdict(list)
    for line in journal:
        open_lines[_key(line.type, line.vehicle_id, line.session_id)].append(line)
    first_published: defaultdict[tuple[str, ...], list[float]] = defaultdict(list)
    for change in published:
        key = _key(change.type, change.vehicle_id, change.data.get("session_id"))
        # The newest that had happened by then: of two within one refresh, one is published.
        lines = [line for line in open_lines[key] if line.known_at <= change.at]
        if lines:
            open_lines[key].remove(lines[-1])
            found.published.add(lines[-1].n)
        elif _is_repeated(first_published[key], change.at, timeline):
            found.repeated.append(change)
        elif promises.may_be_read(change.type, change.vehicle_id, change.at):
            found.read_otherwise.append(change)
        else:
            found.invented.append(change)
        first_published[key].append(change.at)
    return found


@dataclass(slots=True)
class Deliveries:
    """What became of the deliveries, by their ids: each accepted one is passed on once."""

    lost: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    passed_on_twice: list[str] = field(default_factory=list)
    """Without a kill in between."""


def compare_deliveries(
    deliveries: Sequence[Mapping[str, Any]],
    passed_on: Sequence[tuple[float, str]],
    timeline: Timeline,
    *,
    has_history: bool,
) -> Deliveries:
    """Compare the simulator's log with the `jedlix_webhook` events.

    One that was answered in the moment of a kill is passed on only where the tenant offers the history.
    """
    moment = 0.0 if has_history else AT_A_KILL
    found = Deliveries()
    times: defaultdict[str, list[float]] = defaultdict(list)
    for at, delivery_id in passed_on:
        if _is_repeated(times[delivery_id], at, timeline):
            found.repeated.append(delivery_id)
        elif times[delivery_id]:
            found.passed_on_twice.append(delivery_id)
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
    """Return what two repeated changes have in common: their type, and the session or the car."""
    return (kind, session_id or "") if kind in SESSIONS + SESSION_KINDS else (kind, vehicle_id)


def _is_repeated(before: Sequence[float], at: float, timeline: Timeline) -> bool:
    """Return whether it was published before, in the seconds before a kill that lies in between."""
    return any(
        kill - BEFORE_A_KILL <= earlier <= kill < at
        for earlier in before
        for kill in timeline.kills
    )
