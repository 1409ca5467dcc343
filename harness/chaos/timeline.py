"""Timeline of a run: when Home Assistant was up and Jedlix's API fine."""

from collections.abc import Sequence
from dataclasses import dataclass, field
import math

RECOVERY = 10.0
"""Seconds after API trouble within which refreshes that wait for their next try are made."""


@dataclass(slots=True)
class Life:
    """One start of Home Assistant, from the beginning of the process to its end, in Unix seconds."""

    began: float
    ready: float = math.inf
    ended: float = math.inf
    was_killed: bool = False


@dataclass(slots=True)
class Timeline:
    """The lives of Home Assistant, and the bursts of API trouble."""

    lives: list[Life] = field(default_factory=list)
    troubles: list[tuple[float, float]] = field(default_factory=list)

    @property
    def kills(self) -> Sequence[float]:
        """The moments of the kills."""
        return [life.ended for life in self.lives if life.was_killed]

    def is_up(self, at: float) -> bool:
        """Return whether Home Assistant was up and our entry set up at a moment."""
        return any(life.ready <= at < life.ended for life in self.lives)

    def was_fine(self, begin: float, end: float) -> bool:
        """Return whether the API was fine all the time from `begin` to `end`, and for a while before."""
        return not any(start < end and begin < stop + RECOVERY for start, stop in self.troubles)

    def was_calm(self, begin: float, end: float) -> bool:
        """Return whether the API was fine, and Home Assistant up, all the time from `begin` to `end`."""
        is_one_life = any(life.ready <= begin and end < life.ended for life in self.lives)
        return is_one_life and self.was_fine(begin, end)

    def settled(self, at: float, need: float) -> float:
        """Return when `need` seconds of calm in one life are over, counted from `at`; inf if never.

        Trouble starts the count again; the end of that life ends it.
        """
        life = next((life for life in self.lives if life.ready <= at < life.ended), None)
        if life is None:
            return math.inf
        for start, stop in sorted(self.troubles):
            if start < at + need and at < stop + RECOVERY:
                at = stop + RECOVERY
        return at + need if at + need < life.ended else math.inf
