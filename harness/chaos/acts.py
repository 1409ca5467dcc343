"""Acts: what a car or its driver may do, and which of it comes next."""

from collections import Counter
from random import Random

_UNPLUGGED = {"link": 0.04, "drive": 0.11, "level": 0.07, "ready": 0.03, "plug": 0.75}
_PLUGGED = {
    "link": 0.04,
    "smart charging": 0.16,
    "boost": 0.25,
    "full": 0.05,
    "telemetry": 0.05,
    "impossible": 0.05,
    "unplug": 0.4,
}
"""Weights."""


class Acts:
    """The acts of all cars together."""

    def __init__(self, random: Random) -> None:
        """Start with nothing done."""
        self._random = random
        self._done: Counter[str] = Counter()

    def choose(self, *, is_plugged: bool) -> str:
        """Draw an act by the weights. What was done less often than its weight comes first.

        So a rare act is made in a short run as well.
        """
        acts = _PLUGGED if is_plugged else _UNPLUGGED
        act = min(acts, key=lambda name: (self._done[name] + self._random.random()) / acts[name])
        self._done[act] += 1
        return act
