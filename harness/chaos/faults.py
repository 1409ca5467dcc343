"""Faults: deliveries fail all the time, the API fails in bursts. The seed decides when and how."""

import asyncio
from collections.abc import Mapping, Sequence
from random import Random
import time
from typing import Any

from ..simulator import Simulator
from .drivers import Drivers
from .timeline import RECOVERY, Timeline, Trouble

PAUSE = 2
"""Seconds for which Jedlix asks to wait."""
DELIVERIES = {"drop": 0.03, "duplicate": 0.1, "reorder": 0.2}

_ASKS_TO_WAIT: Mapping[str, Any] = {"api_429": 0.5, "retry_after": PAUSE}
BURSTS: tuple[Mapping[str, Any], ...] = (
    {"api_500": 0.5},
    _ASKS_TO_WAIT,
    {"outage_seconds": 6.0, "outage_how": "503"},
    {"outage_seconds": 6.0, "outage_how": "refuse"},
    {"token_expiry": True, "api_500": 0.2},
    {"token_expiry": True, "api_slow_seconds": 1.5},
)
AIMED: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 503, "problem": False, "endpoints": ["vehicles"]},
    {"kind": "status", "status": 500, "endpoints": ["user_sessions"]},
    {"kind": "slow", "delay_seconds": 2.0, "endpoints": ["vehicles"]},
    {"kind": "truncated", "endpoints": ["vehicles"]},
    {"kind": "retry_after", "wait_seconds": PAUSE, "endpoints": ["vehicles"]},
    {"kind": "html", "status": 502, "endpoints": ["user_sessions"]},
)
"""What one user's calls may get, and the integration survives."""

GAPS: Mapping[str, tuple[dict[str, Any], str]] = {
    "passing_404": (
        {"kind": "status", "status": 404, "problem": False, "endpoints": ["user_sessions"]},
        "One 404 of a user's list of sessions was taken as: this tenant has no such call.",
    ),
    "passing_403": (
        {"kind": "status", "status": 403, "endpoints": ["user_sessions"]},
        "One 403 of a user's list of sessions was taken as: this tenant has no such call.",
    ),
    "empty_list_of_cars": (
        {"kind": "empty_list", "endpoints": ["vehicles"]},
        "One empty list of cars dropped the user's car.",
    ),
    "list_without_a_car": (
        {"kind": "list_without_vehicle", "endpoints": ["vehicles"]},
        "One list that lacks a car dropped it.",
    ),
    "passing_401": (
        {"kind": "unauthorized", "endpoints": ["vehicles"]},
        "One user's 401 ended polling until somebody enters the credentials again.",
    ),
    "reading_from_the_future": (
        {"kind": "future_readings", "ahead_seconds": 86400, "endpoints": ["vehicles"]},
        "A reading that is dated tomorrow was kept until tomorrow.",
    ),
    "redirect": (
        {"kind": "redirect", "endpoints": ["user_sessions"]},
        "A log-in page in between was taken as: this tenant has no such call.",
    ),
    "listed_late": (
        {"kind": "late_start", "delay_seconds": 20, "endpoints": ["user_sessions", "sessions"]},
        "A session that is listed late was read as something else meanwhile.",
    ),
}
"""Slips of single calls, each with what it once led to. Only the full form has them."""

_FINE = {"api_500": 0.0, "api_429": 0.0, "api_slow_seconds": 0.0, "outage_seconds": 0.0}
_DURATION = (1.5, 4.0)
AFTER = RECOVERY + 6.0
"""Seconds after a burst in which nobody can be sure to see a second change."""
_PAUSE = (AFTER + 4.0, AFTER + 24.0)
"""Seconds, from and to."""
SLIP = 10.0
"""Seconds for which one user cannot be read: longer than two refreshes with all tries of the client."""


class ApiFaults:
    """Bursts of API trouble, noted in the timeline."""

    def __init__(
        self,
        simulator: Simulator,
        timeline: Timeline,
        users: Sequence[str],
        *,
        seed: int,
        drivers: Drivers,
        is_full: bool,
    ) -> None:
        """Begin with an API that works; aimed faults are about one of these users."""
        self._simulator = simulator
        self._timeline = timeline
        self._users = users
        self._random = Random(f"{seed}/trouble")
        self._drivers = drivers
        self._is_full = is_full
        self.bursts = 0
        self._has_paused = False
        """Whether Jedlix has asked to wait: a short run may have few bursts, so that is the first."""
        self.struck: dict[str, int] = {}
        """How often each slip that is not survived yet was made."""

    async def run(self) -> None:
        """Make one burst after the other, until cancelled."""
        while True:
            await asyncio.sleep(self._random.uniform(*_PAUSE))
            duration, roll = self._random.uniform(*_DURATION), self._random.random()
            if self._drivers.is_interrupted:
                continue
            if roll < 0.5 or not self._has_paused:
                await self._burst(duration)
            else:
                user_id = self._random.choice(self._users)
                await self.aim(user_id, self._random.choice(AIMED), duration)
            if self._is_full:
                await self._gap()

    async def aim(self, user_id: str, fault: Mapping[str, Any], seconds: float) -> None:
        """Aim a fault at one user's calls for some seconds, and wait for its end."""
        self._drivers.once_each_for(seconds + AFTER, user_id)
        began = time.time()
        await self._simulator.set_faults(**fault, users=[user_id], for_seconds=seconds)
        # What takes long is still under way when the fault ends.
        end = began + seconds + fault.get("delay_seconds", 0.0) + fault.get("wait_seconds", 0.0)
        self._timeline.troubles.append(Trouble(began, end, user_id))
        await asyncio.sleep(seconds)
        self.bursts += 1

    async def _burst(self, seconds: float) -> None:
        self._drivers.once_each_for(seconds + AFTER)
        began = time.time()
        try:
            fault = self._random.choice(BURSTS) if self._has_paused else _ASKS_TO_WAIT
            self._has_paused = True
            await self._simulator.set_faults(**fault)
            await asyncio.sleep(seconds)
        finally:
            await self._simulator.set_faults(**_FINE)
            self._timeline.troubles.append(Trouble(began, time.time()))
            self.bursts += 1

    async def _gap(self) -> None:
        name = self._random.choice(sorted(GAPS))
        fault, _ = GAPS[name]
        self.struck[name] = self.struck.get(name, 0) + 1
        user_id = self._random.choice(self._users)
        await self._simulator.set_faults(**fault, users=[user_id], times=2)
