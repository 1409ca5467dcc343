"""Comparison of what was published with what happened, change by change."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .promise import REPORTED, SESSION_KINDS, SESSIONS, Promises
from .recording import Published
from .timeline import Timeline
from .truth import EXACT, Happened

BEFORE_A_KILL = 6.5
"""Seconds. What was published in them may be repeated: the store is written five seconds after a change,
and writing takes a moment."""


@dataclass(frozen=True, slots=True)
class Match:
    """A published change, and the line of the journal that it reports."""

    change: Published
    line: Happened


@dataclass(slots=True)
class Comparison:
    """The result. `published` are the lines of the journal that were published, promised or not."""

    published: set[int] = field(default_factory=set)
    matches: list[Match] = field(default_factory=list)
    """In the order in which they were published."""
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
        open_lines[_key(line.type, line.user_id, line.vehicle_id, line.session_id)].append(line)
    repeats: defaultdict[tuple[str, ...], Repeats] = defaultdict(lambda: Repeats(timeline))
    for change in published:
        key = _key(change.type, change.user_id, change.vehicle_id, change.session_id)
        # The newest that had happened by then: of two within one refresh, one is published.
        lines = [line for line in open_lines[key] if line.known_at <= change.at + EXACT]
        is_repeated = not lines and repeats[key].take(change.at)
        if lines:
            open_lines[key] = _still_open(open_lines[key], lines[-1])
            found.published.add(lines[-1].n)
            found.matches.append(Match(change, lines[-1]))
        elif is_repeated:
            found.repeated.append(change)
        elif promises.may_be_read(change):
            found.read_otherwise.append(change)
        else:
            found.invented.append(change)
        repeats[key].note(change.at)
    return found


def _still_open(lines: Sequence[Happened], published: Happened) -> list[Happened]:
    """Return the lines that may still be published: a state from before the published one is never read.

    What deliveries report comes in any order.
    """
    is_reported = published.type in REPORTED
    return [line for line in lines if line.n > published.n or (is_reported and line != published)]


def _key(kind: str, user_id: str, vehicle_id: str, session_id: str | None) -> tuple[str, ...]:
    """Return what two repeated changes have in common: their type, and the session, the car or the user."""
    if kind in SESSIONS + SESSION_KINDS:
        return (kind, session_id or "")
    return (kind, user_id if kind in REPORTED else vehicle_id)


class Repeats:
    """What may be published again: each publication in the seconds before a kill, once after that kill."""

    def __init__(self, timeline: Timeline) -> None:
        """Start with nothing published."""
        self._timeline = timeline
        self._published: list[float] = []
        self._taken: set[tuple[int, float]] = set()

    def note(self, at: float) -> None:
        """Note that it was published."""
        self._published.append(at)

    def take(self, at: float) -> bool:
        """Return whether it may be published again at this moment; each such right is used once."""
        for place, earlier in enumerate(self._published):
            for kill in self._timeline.kills:
                is_free = (place, kill) not in self._taken
                if is_free and kill - BEFORE_A_KILL <= earlier <= kill < at:
                    self._taken.add((place, kill))
                    return True
        return False


def published_before_kills(times: Iterable[float], timeline: Timeline) -> int:
    """Return how much was published in the seconds before the kills: so much may be repeated."""
    moments = list(times)
    return sum(kill - BEFORE_A_KILL <= at <= kill for at in moments for kill in timeline.kills)
