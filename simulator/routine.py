"""Routine of cars that drive and plug in by themselves (`--auto`)."""

import heapq
from random import Random

from . import prices

_LEAVE, _ARRIVE = (6.0, 9.0), (16.0, 21.0)
_PERCENT_PER_HOUR = (1.0, 4.5)
_KNOWN_PLACE = 0.85


class Routine:
    """When which car leaves and arrives, in simulated seconds, out of a seed."""

    def __init__(self, seed: int) -> None:
        """Begin with no cars."""
        self._random = Random(f"{seed}/routine")
        self._known: set[str] = set()
        self._agenda: list[tuple[float, str, bool]] = []

    def add(self, vehicle_id: str, second: float) -> None:
        """Let a car arrive for the first time within the next hours."""
        if vehicle_id not in self._known:
            self._known.add(vehicle_id)
            first = second + self._random.uniform(0, 4) * prices.HOUR
            heapq.heappush(self._agenda, (first, vehicle_id, True))

    @property
    def next_at(self) -> float | None:
        """Second of the next arrival or departure."""
        return self._agenda[0][0] if self._agenda else None

    def pop(self) -> tuple[str, bool]:
        """Return the next car and whether it arrives, and plan what it does after that."""
        second, vehicle_id, arrives = heapq.heappop(self._agenda)
        hours = _LEAVE if arrives else _ARRIVE
        day = second // prices.DAY * prices.DAY
        follow = day + self._random.uniform(*hours) * prices.HOUR
        if follow <= second:
            follow += prices.DAY
        heapq.heappush(self._agenda, (follow, vehicle_id, not arrives))
        return vehicle_id, arrives

    def at_home(self) -> bool:
        """Whether the car arrives at its registered place this time."""
        return self._random.random() < _KNOWN_PLACE

    def consumption(self) -> float:
        """Percent of the battery per hour on the road this time."""
        return self._random.uniform(*_PERCENT_PER_HOUR)
