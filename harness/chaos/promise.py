"""Promise: which changes in the simulator's journal have to be published.

State comes from Jedlix's API, so what can be known about an outage is what the API still reports after it:

- *Sessions*: the API lists them with their start and end. `session_started` and `session_ended` of every
  session are promised, always: through dropped deliveries, API trouble, kills and stops.
- *States* (plug and charge state, link, smart charging): the API reports only the present one. The change
  to a state is promised when the integration certainly refreshed the user while the state lasted, and also
  while the one before it lasted. A state between two refreshes (charging, paused and charging again within
  one outage) is not promised. The newest state is always seen.
- `session_became_smart`, `session_became_unmanaged`: promised where both sessions were certainly seen one
  after the other, while Home Assistant was up and the API was fine. After an outage nobody knows whether
  the car was unplugged in between.
- Boosts of somebody else: the API does not report them, so none is promised.

A refresh of the user is certain
- `REFRESH` seconds after a delivery about the user was accepted (for smart charging: one about settings),
- `POLL` seconds into a state of a car that is in a session, or just ended one (not for smart charging),
- at each start of Home Assistant,
each counted in seconds in which Home Assistant was up and the API was fine (`timeline`).

A missed state changes how the next one is read. A car charges, is unplugged during an outage, and then
waits for its turn, plugged in again: without the unplug that is a pause. Such a reading is allowed where
it follows from the states that may have been seen, and nowhere else.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
import math
from typing import Any

from .recording import seconds
from .timeline import Timeline

REFRESH = 8.0
"""Seconds: a refresh begins a second after the one before and takes three calls, on a busy machine."""
POLL = 80.0
"""Seconds: an interval of a minute, with its jitter and its calls."""

SESSIONS = ("session_started", "session_ended")
SESSION_KINDS = ("session_became_smart", "session_became_unmanaged")

_CHARGE = {
    "plugged_in": "stopped",
    "charging_started": "charging",
    "charging_paused": "stopped",
    "charging_completed": "complete",
    "unplugged": "disconnected",
}
_LINK = {"vehicle_link_lost": "lost", "vehicle_link_restored": "linked"}
_SMART = {"smart_charging_enabled": "smart", "smart_charging_disabled": "off"}


@dataclass(frozen=True, slots=True)
class Happened:
    """One line of the journal, with the moment at which Jedlix knew, in Unix seconds."""

    n: int
    type: str
    user_id: str
    vehicle_id: str
    session_id: str | None
    known_at: float

    @classmethod
    def read(cls, line: Mapping[str, Any]) -> Happened:
        """Read a line as /control/truth writes it."""
        return cls(
            n=line["n"],
            type=line["type"],
            user_id=line["user_id"],
            vehicle_id=line["vehicle_id"] or "",
            session_id=line["session_id"],
            known_at=seconds(line["known_at"]),
        )


@dataclass(slots=True)
class _Step:
    """A state that a car came to, with the lines of the journal about it."""

    known_at: float
    state: str
    lines: list[Happened] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Reading:
    """A state that is read differently when one before it was missed, and how long it lasted."""

    vehicle_id: str
    types: frozenset[str]
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Accepted:
    """When deliveries were accepted (answered 200 while our entry was set up), by user, in order."""

    by_user: Mapping[str, Sequence[float]]

    @classmethod
    def read(
        cls, deliveries: Sequence[Mapping[str, Any]], timeline: Timeline, *, naming: str = ""
    ) -> Accepted:
        """Read those in the simulator's log of deliveries whose type contains `naming`."""
        found: defaultdict[str, list[float]] = defaultdict(list)
        for delivery in deliveries:
            for attempt in delivery["attempts"] if naming in delivery["event_type"] else ():
                if attempt["status"] == 200 and timeline.is_up(attempt["at"]):
                    found[delivery["user_id"] or ""].append(attempt["at"])
        return cls({user: sorted(times) for user, times in found.items()})

    def first(self, user_id: str, since: float) -> float:
        """Return when the first one about a user was accepted from a moment on; inf if none was."""
        times = self.by_user.get(user_id, ())
        place = bisect_left(times, since)
        return times[place] if place < len(times) else math.inf


@dataclass(slots=True)
class Promises:
    """Which lines of the journal are promised, and what else may be published after a missed state."""

    timeline: Timeline
    accepted: Accepted
    accepted_settings: Accepted
    lines: set[int] = field(default_factory=set)
    readings: list[Reading] = field(default_factory=list)
    unsure_settings: set[str] = field(default_factory=set)
    """The cars whose last switch of smart charging was not certainly seen."""

    @classmethod
    def of(
        cls,
        journal: Sequence[Happened],
        deliveries: Sequence[Mapping[str, Any]],
        timeline: Timeline,
        before: Mapping[str, Mapping[str, Any]],
        *,
        reports_settings: bool,
    ) -> Promises:
        """Return what is promised. `before` are the cars at the beginning by their ids, from /control/truth.

        Where the tenant does not report the charge settings, nothing about them is promised.
        """
        promises = cls(
            timeline,
            accepted=Accepted.read(deliveries, timeline),
            accepted_settings=Accepted.read(deliveries, timeline, naming="Setting"),
            lines={line.n for line in journal if line.type in SESSIONS},
        )
        by_car: defaultdict[str, list[Happened]] = defaultdict(list)
        for line in journal:
            by_car[line.vehicle_id].append(line)
        for vehicle_id, lines in by_car.items():
            car = before[vehicle_id]
            promises._add_states(_steps(lines, _CHARGE, car["charge_state"]), promises._seen_at)
            link = "linked" if car["is_connected"] else "lost"
            promises._add_states(_steps(lines, _LINK, link), promises._seen_without_poll_at)
            smart = "smart" if car["settings"]["isSmartChargingEnabled"] else "off"
            switches = _steps(lines, _SMART, smart)
            is_seen = promises._add_states(switches, promises._settings_seen_at)
            if not (reports_settings and is_seen):
                promises.unsure_settings.add(vehicle_id)
            promises._add_session_kinds(lines)
        return promises

    def may_be_read(self, event_type: str, vehicle_id: str, published_at: float) -> bool:
        """Return whether a change that never happened follows from states that may have been seen."""
        return any(
            reading.vehicle_id == vehicle_id
            and event_type in reading.types
            and reading.begin <= published_at <= reading.end + REFRESH
            for reading in self.readings
        )

    def _seen_at(self, user_id: str, begin: float) -> float:
        """Return by when a state that began at `begin` was certainly seen."""
        return min(self._seen_without_poll_at(user_id, begin), self.timeline.settled(begin, POLL))

    def _seen_without_poll_at(self, user_id: str, begin: float) -> float:
        delivered = self.timeline.settled(self.accepted.first(user_id, begin), REFRESH)
        return min(delivered, self._seen_at_start(begin))

    def _settings_seen_at(self, user_id: str, begin: float) -> float:
        accepted = self.accepted_settings.first(user_id, begin)
        is_calm = self.timeline.was_calm(accepted, accepted + REFRESH)
        return min(
            self.timeline.settled(accepted, REFRESH if is_calm else POLL),
            self._seen_at_start(begin),
        )

    def _seen_at_start(self, begin: float) -> float:
        """Return by when the first refresh of the next life is over."""
        timeline = self.timeline
        refreshed = (
            timeline.settled(life.ready, 0.0 if timeline.was_fine(life.began, life.ready) else POLL)
            for life in timeline.lives
            if begin <= life.began
        )
        return min(refreshed, default=math.inf)

    def _add_states(self, steps: Sequence[_Step], seen_at: Callable[[str, float], float]) -> bool:
        """Add the lines that do not depend on which step was seen before; return whether the last is seen."""
        candidates = [steps[0].state]
        for place, step in enumerate(steps[1:], 1):
            end = steps[place + 1].known_at if place + 1 < len(steps) else math.inf
            line = step.lines[0]
            readings = [_changes(before, step.state) for before in candidates]
            own = {item.type for item in step.lines}
            if other := frozenset(set.union(*readings) - own):
                self.readings.append(Reading(line.vehicle_id, other, step.known_at, end))
            if seen_at(line.user_id, step.known_at) < end:
                certain = set.intersection(*readings)
                self.lines.update(item.n for item in step.lines if item.type in certain)
                candidates = [step.state]
            else:
                candidates.append(step.state)
        return len(candidates) == 1

    def _add_session_kinds(self, lines: Sequence[Happened]) -> None:
        """Add the changes between smart and unmanaged where both sessions were certainly seen.

        Where the unplug between two sessions was not certainly seen, they may be read as such a change.
        """
        starts = [line for line in lines if line.type == "session_started"]
        for place, start in enumerate(starts[1:], 1):
            previous = starts[place - 1]
            end = starts[place + 1].known_at if place + 1 < len(starts) else math.inf
            of_session = [item for item in lines if item.session_id == start.session_id]
            became = {item.n for item in of_session if item.type in SESSION_KINDS}
            if not became:
                unplugs = {
                    item.n
                    for item in lines
                    if item.type == "unplugged" and previous.n < item.n < start.n
                }
                if not unplugs & self.lines:
                    kinds = frozenset(SESSION_KINDS)
                    self.readings.append(Reading(start.vehicle_id, kinds, start.known_at, end))
                continue
            ends = (item.known_at for item in of_session if item.type == "session_ended")
            end = min(end, min(ends, default=math.inf))
            first = self._seen_at(start.user_id, previous.known_at)
            second = self._seen_at(start.user_id, start.known_at)
            seen = first < start.known_at and second < end
            if seen and self.timeline.was_calm(first, second):
                self.lines |= became


def _steps(lines: Sequence[Happened], states: Mapping[str, str], before: str) -> list[_Step]:
    """Return the states of a car; the lines of one moment, which come from one telemetry, are one step."""
    steps = [_Step(-math.inf, before)]
    for line in lines:
        if (state := states.get(line.type)) is None:
            continue
        if steps[-1].known_at != line.known_at:
            steps.append(_Step(line.known_at, state))
        steps[-1].state = state
        steps[-1].lines.append(line)
    return steps


def _changes(before: str, after: str) -> set[str]:
    """Return the types of the changes between two states that were seen one after the other."""
    if before == after:
        return set()
    types = set()
    if before == "disconnected":
        types.add("plugged_in")
    match after:
        case "disconnected":
            types.add("unplugged")
        case "charging":
            types.add("charging_started")
        case "complete":
            types.add("charging_completed")
        case "stopped" if before == "charging":
            types.add("charging_paused")
        case "lost":
            types.add("vehicle_link_lost")
        case "linked":
            types.add("vehicle_link_restored")
    return types
