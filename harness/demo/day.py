"""Charging day: what the driver does, how fast the clock runs, and which events must follow."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..entities import find, of_device
from ..simulator import Simulator
from .listener import Listener
from .screen import Screen

ARRIVES_AT = 18
"""O'clock: electricity is expensive until midnight."""
ARRIVES_WITH = 12
"""Percent: below the minimum level, so that charging starts at once."""
ENTERED_LEVEL = 45
"""Percent: what somebody enters for the car that cannot report its level."""
SETTINGS = {
    "isSmartChargingEnabled": True,
    "minimumBatteryLevel": 20,
    "desiredBatteryLevel": 80,
}
"""The simulator's defaults. In a simulator that others have used they are restored."""
STEP_PAUSE = 1.2
"""Seconds between one step and the next. A user is refreshed at most once a second, and a state that came and
went in between would be missed, in a real house as well."""

type Act = Callable[[], Awaitable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A part of the day. It ends once each of the events in `brings` was published once more.

    `vehicle` is the car, `speed` is the number of simulated seconds that pass in a second.
    """

    vehicle: str
    text: str
    brings: tuple[str, ...]
    speed: float
    act: Act | None = None
    patience: float = 40.0


class Day:
    """One charging day of one car, and then of another car where there is one."""

    def __init__(
        self,
        simulator: Simulator,
        listener: Listener,
        screen: Screen,
        car: Mapping[str, Any],
        other: Mapping[str, Any] | None,
    ) -> None:
        """Take the cars as the simulator's truth has them; do nothing yet."""
        self._simulator = simulator
        self._listener = listener
        self._screen = screen
        self._car = car
        self._other = other
        self._expected: defaultdict[str, Counter[str]] = defaultdict(Counter)

    async def run(self) -> list[str]:
        """Let the day go by; returns a sentence for each event that did not come."""
        settings = self._car["settings"]
        changed = {key: value for key, value in SETTINGS.items() if settings.get(key) != value}
        if changed:
            await self._simulator.change_settings(self._car["id"], **changed)
        await self._simulator.telemetry(self._car["id"], battery_level=ARRIVES_WITH)
        usual = await self._simulator.clock(hour=ARRIVES_AT)
        await asyncio.sleep(STEP_PAUSE)
        self._listener.forget_states()
        missed: list[str] = []
        try:
            for step in [*await self._steps(), *await self._other_car()]:
                missed += await self._take(step)
        finally:
            await self._simulator.clock(speed=usual["speed"])
        return missed

    async def _steps(self) -> list[Step]:
        simulator, vehicle = self._simulator, self._car["id"]
        return [
            Step(
                vehicle=vehicle,
                text=f"{ARRIVES_AT}:00. The car comes home with {ARRIVES_WITH} % and is plugged in.",
                brings=("plugged_in", "session_started", "charging_started"),
                speed=300,
                act=lambda: simulator.plug(vehicle),
            ),
            Step(
                vehicle=vehicle,
                text="It charges to the minimum level. Then electricity is expensive, and Jedlix waits.",
                brings=("charging_paused",),
                speed=600,
            ),
            *await self._boost(),
            Step(
                vehicle=vehicle,
                text="The evening goes by, until the cheap hours begin.",
                brings=("charging_started",),
                speed=2400,
            ),
            Step(
                vehicle=vehicle,
                text="It charges to the desired level.",
                brings=("charging_completed",),
                speed=1000,
            ),
            Step(
                vehicle=vehicle,
                text="Morning. The driver pulls the plug and leaves.",
                brings=("unplugged", "session_ended"),
                speed=300,
                act=lambda: simulator.unplug(vehicle),
            ),
        ]

    async def _boost(self) -> list[Step]:
        """Return the steps in which somebody boosts and stops it, where the tenant offers boost."""
        vehicle = self._car["id"]
        if (boost := await self._entity(vehicle, "switch", "boost")) is None:
            return []
        return [
            Step(
                vehicle=vehicle,
                text="In a hurry: somebody turns Boost on in Home Assistant.",
                brings=("boost_started", "charging_started"),
                speed=60,
                act=lambda: self._call("switch.turn_on", boost),
            ),
            Step(
                vehicle=vehicle,
                text="No hurry after all: Boost is turned off.",
                brings=("boost_ended", "charging_paused"),
                speed=60,
                act=lambda: self._call("switch.turn_off", boost),
            ),
        ]

    async def _other_car(self) -> list[Step]:
        """Return the steps of the other car: Jedlix cannot steer it, and it reports no battery level."""
        if self._other is None:
            return []
        simulator, vehicle, name = self._simulator, self._other["id"], self._other["model"]
        level = await self._entity(vehicle, "number", "current_battery_level")

        async def leave() -> None:
            if level is not None:
                await self._call("number.set_value", level, value=ENTERED_LEVEL)
            await simulator.unplug(vehicle)

        return [
            Step(
                vehicle=vehicle,
                text=f"The {name} is plugged in. Jedlix cannot steer it; it just charges.",
                brings=("plugged_in", "session_started", "charging_started"),
                speed=300,
                act=lambda: simulator.plug(vehicle),
            ),
            Step(
                vehicle=vehicle,
                text=f"The {name} leaves again.",
                brings=("session_ended", "unplugged"),
                speed=300,
                act=leave,
            ),
        ]

    async def _entity(self, vehicle: str, domain: str, key: str) -> str | None:
        entity = find(await of_device(self._listener.socket, vehicle), domain, key)
        return None if entity is None else entity.entity_id

    async def _call(self, action: str, entity_id: str, **data: Any) -> None:
        domain, service = action.split(".")
        await self._listener.socket.call(
            "call_service",
            domain=domain,
            service=service,
            target={"entity_id": entity_id},
            service_data=data,
        )

    async def _take(self, step: Step) -> list[str]:
        self._screen.chapter(step.text)
        await self._simulator.clock(speed=step.speed)
        if step.act is not None:
            await step.act()
        vehicle = step.vehicle
        self._expected[vehicle].update(step.brings)
        came = await self._listener.until(lambda: not self._missing(vehicle), step.patience)
        missing = []
        if not came:
            missing = [await self._explain(item, step) for item in self._missing(vehicle)]
            # The next step does not wait for them again.
            self._expected[vehicle] = Counter(self._listener.types(vehicle))
        await self._listener.until_printed()
        await self._simulator.clock(speed=1)
        await asyncio.sleep(STEP_PAUSE)
        return missing

    def _missing(self, vehicle: str) -> list[str]:
        return list((self._expected[vehicle] - Counter(self._listener.types(vehicle))).elements())

    async def _explain(self, event_type: str, step: Step) -> str:
        truth = await self._simulator.truth()
        happened = [
            change["type"] for change in truth["changes"] if change["vehicle_id"] == step.vehicle
        ]
        cause = "it happened" if event_type in happened else "it did not happen"
        return (
            f"{event_type} did not come within {step.patience:.0f} s "
            f"({cause} at the simulator): {step.text}"
        )
