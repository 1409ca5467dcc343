"""Holds: what a command of ours wrote holds against answers that do not know it yet.

An answer whose request began before the write says nothing about it. A later one may still come from a
cache, so one contradiction decides nothing. A hold ends when an answer agrees, when two contradict, or
after some minutes.
"""

from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from .vehicle_snapshot import VehicleSnapshot

HOLD_TIME: Final = timedelta(minutes=2)
CONTRADICTIONS_BEFORE_END: Final = 2
# How long answers may come from before a write, although they were asked for after it.
_READ_LAG: Final = timedelta(seconds=10)

type Edit = Callable[[VehicleSnapshot], VehicleSnapshot]
type Key = tuple[str, str]


class Part(StrEnum):
    """What a command writes, and an answer may contain."""

    SETTINGS = "settings"
    BOOST = "boost"
    LEVEL = "level"


@dataclass(slots=True)
class _Hold:
    part: Part
    edit: Edit
    written_at: datetime
    contradictions: int = 0


class Holds:
    """The holds of all cars, by user and vehicle id."""

    def __init__(self) -> None:
        """Start without one."""
        self._holds: defaultdict[Key, list[_Hold]] = defaultdict(list)

    def add(self, key: Key, part: Part, edit: Edit, now: datetime) -> None:
        """Hold what a command wrote: `edit` makes it true of a snapshot."""
        self._holds[key].append(_Hold(part, edit, now))

    def apply(
        self,
        key: Key,
        car: VehicleSnapshot,
        *,
        read: Collection[Part] = (),
        asked_at: datetime,
        now: datetime,
    ) -> VehicleSnapshot:
        """Return a newly read car with what is held on top.

        `read` are the parts that the answer contains, `asked_at` is when its request began.
        """
        kept = []
        for hold in self._holds.pop(key, ()):
            if not timedelta(0) <= now - hold.written_at < HOLD_TIME:
                continue
            held = hold.edit(car)
            if hold.part in read and asked_at >= hold.written_at:
                if held == car:
                    continue
                if asked_at >= hold.written_at + _READ_LAG:
                    hold.contradictions += 1
                if hold.contradictions >= CONTRADICTIONS_BEFORE_END:
                    continue
            kept.append(hold)
            car = held
        if kept:
            self._holds[key] = kept
        return car
