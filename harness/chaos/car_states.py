"""States of a car that lines of the journal lead to, and the changes between two that were seen."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
import math

from .truth import Happened, Report

CHARGE = {
    "plugged_in": "stopped",
    "charging_started": "charging",
    "charging_paused": "stopped",
    "charging_completed": "complete",
    "unplugged": "disconnected",
}
LINK = {"vehicle_link_lost": "lost", "vehicle_link_restored": "linked"}
SMART = {"smart_charging_enabled": "smart", "smart_charging_disabled": "off"}
BOOST = {"boost_started": "boosted", "boost_ended": "plain"}
"""The state after each change."""
_READ_AS = {
    "disconnected": "unplugged",
    "charging": "charging_started",
    "complete": "charging_completed",
    "lost": "vehicle_link_lost",
    "linked": "vehicle_link_restored",
    "smart": "smart_charging_enabled",
    "off": "smart_charging_disabled",
    "boosted": "boost_started",
    "plain": "boost_ended",
}
"""The change to each state; to `stopped` there is one from `charging` only."""


@dataclass(slots=True)
class Step:
    """A state that a car came to, with the lines of the journal about it."""

    known_at: float
    state: str
    lines: list[Happened] = field(default_factory=list)


def steps_of(lines: Sequence[Happened], states: Mapping[str, str], before: str) -> list[Step]:
    """Return the states of a car; the lines of one moment, which come from one telemetry, are one step."""
    steps = [Step(-math.inf, before)]
    for line in lines:
        if (state := states.get(line.type)) is None:
            continue
        if steps[-1].known_at != line.known_at:
            steps.append(Step(line.known_at, state))
        steps[-1].state = state
        steps[-1].lines.append(line)
    return steps


def with_unreported_steps(steps: Sequence[Step], reports: Sequence[Report]) -> Iterator[Step]:
    """Yield the steps, and where a car that was full is no longer: the journal has no line about that."""
    for step, following in pairwise([*steps, Step(math.inf, "")]):
        yield step
        if step.state == "complete":
            between = (item for item in reports if step.known_at < item.at < following.known_at)
            first = next((item for item in between if item.state == "stopped"), None)
            if first is not None:
                yield Step(first.at, first.state)


def changes_between(before: str, after: str) -> set[str]:
    """Return the types of the changes between two states that were seen one after the other."""
    types = set()
    if before != after:
        if before == "disconnected":
            types.add("plugged_in")
        if after in _READ_AS:
            types.add(_READ_AS[after])
        elif before == "charging":
            types.add("charging_paused")
    return types
