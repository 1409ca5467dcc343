"""The charging day: what the driver does, how fast the clock runs, and what must come of it."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..simulator import Simulator
from .screen import Screen
from .story import Story

ARRIVES_AT = 18
"""O'clock: electricity is dear until midnight."""
ARRIVES_WITH = 12
"""Percent: below the minimum level, so that charging starts at once."""
SETTINGS = {
    "isSmartChargingEnabled": True,
    "minimumBatteryLevel": 20,
    "desiredBatteryLevel": 80,
}
"""The simulator's own; in one that others have played with, they are put back."""
BREATH = 1.2
"""Seconds between one step and the next. Looks at Jedlix are at most one a second per user, and
a state that came and went in between would have been seen by nobody, in a real house as well."""

type Act = Callable[[], Awaitable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A piece of the day. It ends once everything in `brings` was told once more.

    `speed` is how many simulated seconds pass in one of ours.
    """

    words: str
    brings: tuple[str, ...]
    speed: float
    act: Act | None = None
    patience: float = 40.0


class Day:
    """One charging day of one car."""

    def __init__(
        self, simulator: Simulator, story: Story, screen: Screen, car: Mapping[str, Any]
    ) -> None:
        """Nothing happens yet. `car` is the car as the simulator's truth tells it."""
        self._simulator = simulator
        self._story = story
        self._screen = screen
        self._car = car
        self._vehicle: str = car["id"]
        self._wanted: Counter[str] = Counter()

    async def run(self) -> list[str]:
        """Let the day go by; returns what did not come, a sentence each."""
        settings = self._car["settings"]
        changed = {key: value for key, value in SETTINGS.items() if settings.get(key) != value}
        if changed:
            await self._simulator.change_settings(self._vehicle, **changed)
        await self._simulator.telemetry(self._vehicle, battery_level=ARRIVES_WITH)
        usual = await self._simulator.clock(hour=ARRIVES_AT)
        await self._breathe()
        self._story.turn_page()
        missed: list[str] = []
        try:
            for step in self._steps():
                missed += await self._take(step)
        finally:
            await self._simulator.clock(speed=usual["speed"])
        return missed

    def _steps(self) -> tuple[Step, ...]:
        simulator, vehicle = self._simulator, self._vehicle
        return (
            Step(
                words=f"{ARRIVES_AT}:00. The car comes home with {ARRIVES_WITH} % and is plugged in.",
                brings=("plugged_in", "session_started", "charging_started"),
                speed=300,
                act=lambda: simulator.plug(vehicle),
            ),
            Step(
                words="It charges to the minimum level. Then electricity is dear, and Jedlix waits.",
                brings=("charging_paused",),
                speed=600,
            ),
            Step(
                words="The evening goes by, until the cheap hours begin.",
                brings=("charging_started",),
                speed=2400,
            ),
            Step(
                words="It charges to the desired level.",
                brings=("charging_completed",),
                speed=1000,
            ),
            Step(
                words="Morning. The driver pulls the plug and leaves.",
                brings=("unplugged", "session_ended"),
                speed=300,
                act=lambda: simulator.unplug(vehicle),
            ),
        )

    async def _take(self, step: Step) -> list[str]:
        self._screen.chapter(step.words)
        await self._simulator.clock(speed=step.speed)
        if step.act is not None:
            await step.act()
        self._wanted.update(step.brings)
        came = await self._story.until(lambda: not self._missing(), step.patience)
        missing = [] if came else [await self._explain(kind, step) for kind in self._missing()]
        if not came:  # told once; the next step is judged by itself
            self._wanted = Counter(self._story.types(self._vehicle))
        await self._story.silence()
        await self._simulator.clock(speed=1)
        await self._breathe()
        return missing

    async def _breathe(self) -> None:
        await asyncio.sleep(BREATH)

    def _missing(self) -> list[str]:
        return list((self._wanted - Counter(self._story.types(self._vehicle))).elements())

    async def _explain(self, kind: str, step: Step) -> str:
        truth = await self._simulator.truth()
        happened = [
            change["type"] for change in truth["changes"] if change["vehicle_id"] == self._vehicle
        ]
        known = "it happened at the simulator" if kind in happened else "nor at the simulator"
        return f"{kind} did not come within {step.patience:.0f} s ({known}): {step.words}"
