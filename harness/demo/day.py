"""The charging day: what the driver does, how fast the clock runs, and what must come of it."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..entities import find, of_device
from ..simulator import Simulator
from .screen import Screen
from .story import Story

ARRIVES_AT = 18
"""O'clock: electricity is dear until midnight."""
ARRIVES_WITH = 12
"""Percent: below the minimum level, so that charging starts at once."""
READ_OFF = 45
"""Percent: what the dashboard of the car says that cannot tell it itself."""
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

    `vehicle` is the car that it is about, `speed` how many simulated seconds pass in one of ours.
    """

    vehicle: str
    words: str
    brings: tuple[str, ...]
    speed: float
    act: Act | None = None
    patience: float = 40.0


class Day:
    """One charging day of one car, and a visit of another where there is one."""

    def __init__(
        self,
        simulator: Simulator,
        story: Story,
        screen: Screen,
        car: Mapping[str, Any],
        other: Mapping[str, Any] | None,
    ) -> None:
        """Nothing happens yet. The cars are as the simulator's truth tells them."""
        self._simulator = simulator
        self._story = story
        self._screen = screen
        self._car = car
        self._other = other
        self._wanted: defaultdict[str, Counter[str]] = defaultdict(Counter)

    async def run(self) -> list[str]:
        """Let the day go by; returns what did not come, a sentence each."""
        settings = self._car["settings"]
        changed = {key: value for key, value in SETTINGS.items() if settings.get(key) != value}
        if changed:
            await self._simulator.change_settings(self._car["id"], **changed)
        await self._simulator.telemetry(self._car["id"], battery_level=ARRIVES_WITH)
        usual = await self._simulator.clock(hour=ARRIVES_AT)
        await self._breathe()
        self._story.turn_page()
        missed: list[str] = []
        try:
            for step in [*await self._steps(), *await self._visit()]:
                missed += await self._take(step)
        finally:
            await self._simulator.clock(speed=usual["speed"])
        return missed

    async def _steps(self) -> list[Step]:
        simulator, vehicle = self._simulator, self._car["id"]
        return [
            Step(
                vehicle=vehicle,
                words=f"{ARRIVES_AT}:00. The car comes home with {ARRIVES_WITH} % and is plugged in.",
                brings=("plugged_in", "session_started", "charging_started"),
                speed=300,
                act=lambda: simulator.plug(vehicle),
            ),
            Step(
                vehicle=vehicle,
                words="It charges to the minimum level. Then electricity is dear, and Jedlix waits.",
                brings=("charging_paused",),
                speed=600,
            ),
            *await self._hurry(),
            Step(
                vehicle=vehicle,
                words="The evening goes by, until the cheap hours begin.",
                brings=("charging_started",),
                speed=2400,
            ),
            Step(
                vehicle=vehicle,
                words="It charges to the desired level.",
                brings=("charging_completed",),
                speed=1000,
            ),
            Step(
                vehicle=vehicle,
                words="Morning. The driver pulls the plug and leaves.",
                brings=("unplugged", "session_ended"),
                speed=300,
                act=lambda: simulator.unplug(vehicle),
            ),
        ]

    async def _hurry(self) -> list[Step]:
        """Boost and think better of it, where the tenant offers boost."""
        vehicle = self._car["id"]
        if (boost := await self._entity(vehicle, "switch", "boost")) is None:
            return []
        return [
            Step(
                vehicle=vehicle,
                words="In a hurry: somebody turns Boost on in Home Assistant.",
                brings=("boost_started", "charging_started"),
                speed=60,
                act=lambda: self._call("switch.turn_on", boost),
            ),
            Step(
                vehicle=vehicle,
                words="No hurry after all: Boost is turned off.",
                brings=("boost_ended", "charging_paused"),
                speed=60,
                act=lambda: self._call("switch.turn_off", boost),
            ),
        ]

    async def _visit(self) -> list[Step]:
        """Let the other car come and go: Jedlix cannot steer it, and it tells no battery level."""
        if self._other is None:
            return []
        simulator, vehicle, name = self._simulator, self._other["id"], self._other["model"]
        level = await self._entity(vehicle, "number", "current_battery_level")

        async def leave() -> None:
            if level is not None:
                await self._call("number.set_value", level, value=READ_OFF)
            await simulator.unplug(vehicle)

        return [
            Step(
                vehicle=vehicle,
                words=f"The {name} is plugged in. Jedlix cannot steer it; it just charges.",
                brings=("plugged_in", "session_started", "charging_started"),
                speed=300,
                act=lambda: simulator.plug(vehicle),
            ),
            Step(
                vehicle=vehicle,
                words=f"The {name} leaves again.",
                brings=("session_ended", "unplugged"),
                speed=300,
                act=leave,
            ),
        ]

    async def _entity(self, vehicle: str, domain: str, key: str) -> str | None:
        entity = find(await of_device(self._story.socket, vehicle), domain, key)
        return None if entity is None else entity.entity_id

    async def _call(self, action: str, entity_id: str, **data: Any) -> None:
        domain, service = action.split(".")
        await self._story.socket.call(
            "call_service",
            domain=domain,
            service=service,
            target={"entity_id": entity_id},
            service_data=data,
        )

    async def _take(self, step: Step) -> list[str]:
        self._screen.chapter(step.words)
        await self._simulator.clock(speed=step.speed)
        if step.act is not None:
            await step.act()
        vehicle = step.vehicle
        self._wanted[vehicle].update(step.brings)
        came = await self._story.until(lambda: not self._missing(vehicle), step.patience)
        missing = (
            [] if came else [await self._explain(kind, step) for kind in self._missing(vehicle)]
        )
        if not came:  # told once; the next step is judged by itself
            self._wanted[vehicle] = Counter(self._story.types(vehicle))
        await self._story.silence()
        await self._simulator.clock(speed=1)
        await self._breathe()
        return missing

    async def _breathe(self) -> None:
        await asyncio.sleep(BREATH)

    def _missing(self, vehicle: str) -> list[str]:
        return list((self._wanted[vehicle] - Counter(self._story.types(vehicle))).elements())

    async def _explain(self, kind: str, step: Step) -> str:
        truth = await self._simulator.truth()
        happened = [
            change["type"] for change in truth["changes"] if change["vehicle_id"] == step.vehicle
        ]
        known = "it happened at the simulator" if kind in happened else "nor at the simulator"
        return f"{kind} did not come within {step.patience:.0f} s ({known}): {step.words}"
