"""Faults: deliveries fail all the time, the API fails in bursts. The seed decides when and how."""

import asyncio
from random import Random
import time
from typing import Any

from ..simulator import Simulator
from .timeline import Timeline

DELIVERIES = {"drop": 0.1, "duplicate": 0.1, "reorder": 0.2}

BURSTS: tuple[dict[str, Any], ...] = (
    {"api_500": 0.5},
    {"api_429": 0.5, "retry_after": 2},
    {"outage_seconds": 6.0, "outage_how": "503"},
    {"outage_seconds": 6.0, "outage_how": "refuse"},
    {"token_expiry": True, "api_500": 0.2},
    {"token_expiry": True, "api_slow_seconds": 1.5},
)
_FINE = {"api_500": 0.0, "api_429": 0.0, "api_slow_seconds": 0.0, "outage_seconds": 0.0}
_DURATION = (2.0, 6.0)
_PAUSE = (15.0, 45.0)
"""Seconds, from and to."""


class ApiFaults:
    """Bursts of API trouble, noted in the timeline."""

    def __init__(self, simulator: Simulator, timeline: Timeline, seed: int) -> None:
        """Begin with an API that works."""
        self._simulator = simulator
        self._timeline = timeline
        self._random = Random(f"{seed}/trouble")
        self.bursts = 0

    async def run(self) -> None:
        """Make one burst after the other, until cancelled."""
        while True:
            await asyncio.sleep(self._random.uniform(*_PAUSE))
            began = time.time()
            try:
                await self._simulator.set_faults(**self._random.choice(BURSTS))
                await asyncio.sleep(self._random.uniform(*_DURATION))
            finally:
                await self._simulator.set_faults(**_FINE)
                self._timeline.troubles.append((began, time.time()))
                self.bursts += 1
