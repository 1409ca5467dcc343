"""What of the simulator's journal has to be announced, change by change.

State comes from Jedlix's API (design, section 2), so what can be known through an outage is what the API
still tells after it:

- *Sessions*: the API lists them with their start and end. `session_started` and `session_ended` of every
  session are promised, always: through dropped deliveries, API trouble, kills and stops.
- *States* (plug and charge state, link, smart charging): the API tells the present one only. The change to
  a state is promised when somebody was certain to look while it lasted, and while the one before it lasted,
  too. One that nobody could see (charging, paused and charging again within one outage) is not. The newest
  state is always seen.
- `session_became_smart`, `session_became_unmanaged`: promised where both sessions were certain to be seen one
  after the other, with Home Assistant up and the API fine in between. After an outage nobody knows whether
  the car was unplugged in between.
- Boosts of somebody else are not told by the API at all: none is promised.

Somebody is certain to look
- `RING` seconds after a delivery about the user was accepted (for smart charging: one about settings),
- `POLL` seconds into a state of a car that is in a session, or just ended one (not for smart charging),
- at each start of Home Assistant,
each counted in seconds in which Home Assistant was up and the API fine (`timeline`).

Whoever missed a state in between reads the next one otherwise: a car that charged and, after an unplug that
nobody could see, is plugged in again and does not charge has paused, for all that anybody can tell. Such a
reading is allowed where it follows from the states that may have been seen, and nowhere else.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
import math
from typing import Any

from .record import seconds
from .timeline import Timeline

RING = 8.0
"""Seconds: a look a second after the one before, three calls, on a machine that has other work."""
POLL = 80.0
"""Seconds: an interval of a minute, with its jitter and its calls."""

SESSIONS = ("session_started", "session_ended")
KINDS = ("session_became_smart", "session_became_unmanaged")

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
    """A state that a car came to, with the lines of the journal that tell it."""

    known_at: float
    state: str
    lines: list[Happened] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Reading:
    """A state that is told otherwise by whoever missed one before it, and how long it lasted."""

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
    """Which lines of the journal are promised, and what else may be told of what nobody saw."""

    timeline: Timeline
    rings: Accepted
    settings_rings: Accepted
    lines: set[int] = field(default_factory=set)
    readings: list[Reading] = field(default_factory=list)
    unsure_settings: set[str] = field(default_factory=set)
    """The cars whose smart charging was switched last without anybody being certain to see it."""

    @classmethod
    def of(
        cls,
        journal: Sequence[Happened],
        deliveries: Sequence[Mapping[str, Any]],
        timeline: Timeline,
        before: Mapping[str, Mapping[str, Any]],
        *,
        tells_settings: bool,
    ) -> Promises:
        """Work it out. `before` are the cars at the beginning, as /control/truth tells them, by id.

        Where the tenant does not tell the charge settings, nothing about them is promised.
        """
        promises = cls(
            timeline,
            rings=Accepted.read(deliveries, timeline),
            settings_rings=Accepted.read(deliveries, timeline, naming="Setting"),
            lines={line.n for line in journal if line.type in SESSIONS},
        )
        by_car: defaultdict[str, list[Happened]] = defaultdict(list)
        for line in journal:
            by_car[line.vehicle_id].append(line)
        for vehicle_id, lines in by_car.items():
            car = before[vehicle_id]
            promises._add_states(_steps(lines, _CHARGE, car["charge_state"]), promises._seen_at)
            link = "linked" if car["is_connected"] else "lost"
            promises._add_states(_steps(lines, _LINK, link), promises._seen_unpolled_at)
            smart = "smart" if car["settings"]["isSmartChargingEnabled"] else "off"
            switched = _steps(lines, _SMART, smart)
            if not tells_settings or not promises._add_states(switched, promises._settings_seen_at):
                promises.unsure_settings.add(vehicle_id)
            promises._add_kinds(lines)
        return promises

    def may_be_read(self, kind: str, vehicle_id: str, told_at: float) -> bool:
        """Return whether a change that never happened follows from states that may have been seen."""
        return any(
            reading.vehicle_id == vehicle_id
            and kind in reading.types
            and reading.begin <= told_at <= reading.end + RING
            for reading in self.readings
        )

    def _seen_at(self, user_id: str, begin: float) -> float:
        """Return by when somebody has certainly looked at what is so from `begin` on."""
        return min(self._seen_unpolled_at(user_id, begin), self.timeline.settled(begin, POLL))

    def _seen_unpolled_at(self, user_id: str, begin: float) -> float:
        rung = self.timeline.settled(self.rings.first(user_id, begin), RING)
        return min(rung, self._started_at(begin))

    def _settings_seen_at(self, user_id: str, begin: float) -> float:
        rung = self.settings_rings.first(user_id, begin)
        need = RING if self.timeline.was_calm(rung, rung + RING) else POLL
        return min(self.timeline.settled(rung, need), self._started_at(begin))

    def _started_at(self, begin: float) -> float:
        """Return by when the first look of the next life is over."""
        timeline = self.timeline
        looks = (
            timeline.settled(life.ready, 0.0 if timeline.was_fine(life.began, life.ready) else POLL)
            for life in timeline.lives
            if begin <= life.began
        )
        return min(looks, default=math.inf)

    def _add_states(self, steps: Sequence[_Step], seen_at: Callable[[str, float], float]) -> bool:
        """Add the lines that are told whichever step before was seen last; tell if the last step is seen."""
        candidates = [steps[0].state]
        for place, step in enumerate(steps[1:], 1):
            end = steps[place + 1].known_at if place + 1 < len(steps) else math.inf
            line = step.lines[0]
            readings = [_told(was, step.state) for was in candidates]
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

    def _add_kinds(self, lines: Sequence[Happened]) -> None:
        """Add the flips between two sessions that were certain to be seen one after the other.

        Two sessions between which nobody was certain to see the unplug may be read as a flip.
        """
        starts = [line for line in lines if line.type == "session_started"]
        for place, start in enumerate(starts[1:], 1):
            previous = starts[place - 1]
            end = starts[place + 1].known_at if place + 1 < len(starts) else math.inf
            of_session = [item for item in lines if item.session_id == start.session_id]
            flips = {item.n for item in of_session if item.type in KINDS}
            if not flips:
                unplugs = {
                    item.n
                    for item in lines
                    if item.type == "unplugged" and previous.n < item.n < start.n
                }
                if not unplugs & self.lines:
                    kinds = frozenset(KINDS)
                    self.readings.append(Reading(start.vehicle_id, kinds, start.known_at, end))
                continue
            ends = (item.known_at for item in of_session if item.type == "session_ended")
            end = min(end, min(ends, default=math.inf))
            first = self._seen_at(start.user_id, previous.known_at)
            second = self._seen_at(start.user_id, start.known_at)
            seen = first < start.known_at and second < end
            if seen and self.timeline.was_calm(first, second):
                self.lines |= flips


def _steps(lines: Sequence[Happened], states: Mapping[str, str], before: str) -> list[_Step]:
    """Put the lines of one moment together: each step is what one telemetry told."""
    steps = [_Step(-math.inf, before)]
    for line in lines:
        if (state := states.get(line.type)) is None:
            continue
        if steps[-1].known_at != line.known_at:
            steps.append(_Step(line.known_at, state))
        steps[-1].state = state
        steps[-1].lines.append(line)
    return steps


def _told(before: str, after: str) -> set[str]:
    """Return what is told of two states seen one after the other (design, section 6)."""
    if before == after:
        return set()
    told = set()
    if before == "disconnected":
        told.add("plugged_in")
    match after:
        case "disconnected":
            told.add("unplugged")
        case "charging":
            told.add("charging_started")
        case "complete":
            told.add("charging_completed")
        case "stopped" if before == "charging":
            told.add("charging_paused")
        case "lost":
            told.add("vehicle_link_lost")
        case "linked":
            told.add("vehicle_link_restored")
    return told
