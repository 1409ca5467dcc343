"""Drivers: plug cars in and out, boost, change settings, lose links. The seed decides when and what.

Part of what they do goes through Home Assistant: its switches, numbers and actions.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
import math
from random import Random
import time

from ..home import Home
from ..simulator import Simulator, SimulatorFailed
from . import refusal
from .acts import Acts
from .car import Car
from .commands import Commands
from .timeline import Timeline

QUIET = 12.0
"""Seconds that a car is left alone after each act, so that most states last until they are read."""
QUIET_WITHOUT_PUSH = 80.0
"""The same where no delivery reports what cars do: the poll of each minute has to see it."""
SEEN = 8.0
"""Seconds within which an act is seen, where all is well."""
DURING_REFRESH = 0.3
"""Seconds after a delivery in which another one requests one refresh more."""
COMMAND_PATIENCE = 40.0
COMMANDS_APART = 3.0
WAYS = ("app", "switch", "action")
_PAUSE = 0.35
"""Mean seconds between two acts."""


class Drivers:
    """The drivers of all cars."""

    def __init__(
        self,
        simulator: Simulator,
        home: Home,
        timeline: Timeline,
        cars: Mapping[str, Car],
        *,
        seed: int,
        is_strict: bool,
    ) -> None:
        """Drive these cars, by their ids; do nothing yet. Where Jedlix is strict, all is done in its app."""
        self._simulator = simulator
        self._home = home
        self._timeline = timeline
        self._random = Random(f"{seed}/driver")
        self.commands = Commands(simulator, home, timeline, self._random, is_strict=is_strict)
        self._is_strict = is_strict
        self._quiet = QUIET_WITHOUT_PUSH if is_strict else QUIET
        self._cars = dict(cars)
        self._acts = Acts(self._random)
        self._last: dict[str, float] = {}
        self._windows: list[tuple[float, float, str]] = []
        """Since when a car may not have acted, until when that holds, and for which user."""
        self.resting: set[str] = set()
        """The cars that somebody else moves."""
        self.is_still = False
        """Whether nobody moves any car: Jedlix's clock is wrong just now."""
        self.is_interrupted = False
        """Whether something is going on that API trouble must not disturb."""

    async def run(self) -> None:
        """Let one car after the other do something, until cancelled."""
        while True:
            await asyncio.sleep(self._random.expovariate(1 / _PAUSE))
            now = time.monotonic()
            rested = [
                car for car in self._cars if car not in self.resting and self._has_rested(car)
            ]
            if rested and not self.is_still:
                car = self._random.choice(rested)
                self._last[car] = now
                await self._act(car)
                self._last[car] = time.monotonic()

    @contextmanager
    def once_each(self) -> Iterator[None]:
        """Let each car do one thing at most meanwhile: nobody could see a second one."""
        window = (time.monotonic() - SEEN, math.inf, "")
        self._windows.append(window)
        self.is_interrupted = True
        try:
            yield
        finally:
            self._windows.remove(window)
            self.is_interrupted = False

    def once_each_for(self, seconds: float, user_id: str = "") -> None:
        """Let each car, or those of one user, do one thing at most in so many seconds."""
        now = time.monotonic()
        self._windows.append((now - SEEN, now + seconds, user_id))

    def _has_rested(self, vehicle_id: str) -> bool:
        is_quiet = self._last.get(vehicle_id, 0.0) < time.monotonic() - self._quiet
        return is_quiet and self._may_act(vehicle_id)

    def _may_act(self, vehicle_id: str) -> bool:
        last, user_id = self._last.get(vehicle_id, 0.0), self._cars[vehicle_id].user_id
        now = time.monotonic()
        if self._timeline.is_starting:
            return False  # nobody can know whether the first refresh comes before or after it
        self._windows = [window for window in self._windows if window[1] > now]
        return all(last < since for since, _, user in self._windows if user in {"", user_id})

    async def swap_plug(self, vehicle_id: str, place: str = "home") -> None:
        """Plug a car in at a place, or unplug it."""
        car = self._cars[vehicle_id]
        self._last[vehicle_id] = time.monotonic()
        if car.is_plugged:
            await self._simulator.unplug(vehicle_id)
        else:
            await self._simulator.plug(vehicle_id, place)
        car.is_plugged = not car.is_plugged

    async def lose_link(self, vehicle_id: str) -> None:
        """Let a car lose the link to its maker: it reports nothing any more."""
        await self._link(vehicle_id, self._cars[vehicle_id])

    async def settle(self) -> None:
        """Let every car and its settings be reported once more, as happens all the time in reality."""
        for vehicle_id, car in self._cars.items():
            if not car.is_linked:
                await self._link(vehicle_id, car)
            level, desired = self._random.randrange(20, 70), self._random.randrange(75, 101)
            await self._simulator.telemetry(vehicle_id, battery_level=level)
            await self._simulator.change_settings(vehicle_id, desiredBatteryLevel=desired)

    async def tour(self, move_in: Callable[[str, str], Awaitable[None]]) -> None:
        """Have what a short run may lack happen, with the time to see each of it.

        One of two cars is moved into the area of the automations for one car.
        """
        full, switched, linked = await self.pick_several(3)
        boosted = await self.pick(but=(full, switched, linked), is_plugged=False)
        for car in (full, switched, boosted):
            if self._cars[car].is_plugged:
                await self._plug_or_unplug(car)
            self._cars[car].is_smart = True
            await self._simulator.change_settings(car, isSmartChargingEnabled=True)
        await move_in(full, boosted)
        await asyncio.sleep(SEEN)
        await self._simulator.set_faults(token_expiry=True)
        for car in (full, switched, boosted):
            await self.swap_plug(car)
        await self._link(linked, self._cars[linked], "credentials")
        await asyncio.sleep(SEEN)
        await self._report(full, "full")
        await self._simulator.change_settings(switched, isSmartChargingEnabled=False)
        await self._link(linked, self._cars[linked])
        with suppress(SimulatorFailed):  # not every car can be controlled
            await self._simulator.boost(boosted, enabled=True)
        await self._report(boosted, "impossible")
        await asyncio.sleep(SEEN)
        await self._report(switched, "telemetry")
        await asyncio.sleep(DURING_REFRESH)
        await self._simulator.change_settings(switched, isSmartChargingEnabled=True)
        await self._report(linked, "ready")
        await self.swap_plug(boosted)
        await asyncio.sleep(SEEN)
        await self.swap_plug(boosted)  # this session is not boosted
        await self._link(linked, self._cars[linked], "disconnected")
        await asyncio.sleep(SEEN)

    async def use_home(self, vehicle_id: str) -> None:
        """Let a driver do all through Home Assistant: boost, set each setting, pause smart charging."""
        car = self._cars[vehicle_id]
        self.resting.add(vehicle_id)
        try:
            async with asyncio.timeout(COMMAND_PATIENCE):
                if not car.is_linked:
                    await self._link(vehicle_id, car)
                    self._last[vehicle_id] = time.monotonic()
                while not (self.commands.can_command(car) and self._has_rested(vehicle_id)):  # noqa: ASYNC110
                    await asyncio.sleep(0.5)
        except TimeoutError:
            return
        self.is_interrupted = True
        if car.is_plugged:
            await self.swap_plug(vehicle_id)
            await asyncio.sleep(SEEN)
        if not car.is_smart:
            await self.commands.switch_smart(vehicle_id, car, "switch")
        await self.swap_plug(vehicle_id)
        await asyncio.sleep(SEEN)
        await self.commands.boost(vehicle_id, car, "action", enabled=True)
        await self.commands.set_level(vehicle_id, car)
        await self.commands.set_rest(vehicle_id, car)
        await asyncio.sleep(COMMANDS_APART)
        await self.commands.boost(vehicle_id, car, "switch", enabled=False)
        await asyncio.sleep(COMMANDS_APART)
        if not self._is_strict:
            await refusal.refuse_once(self._simulator, car.user_id)
        await self.commands.switch_smart(vehicle_id, car, "action")
        await asyncio.sleep(COMMANDS_APART)
        if self.commands.can_command(car):
            self.commands.failed += await refusal.unseen_failures(
                self._home, self._simulator, self._timeline, car.user_id, car.device_id
            )
        self._last[vehicle_id] = time.monotonic()
        self.resting.discard(vehicle_id)
        self.is_interrupted = False

    async def pick_several(self, count: int) -> list[str]:
        """Wait for so many different cars that have rested and report, and return them."""
        picked: list[str] = []
        while len(picked) < count:
            picked.append(await self.pick(but=picked))
        return picked

    async def pick(self, *, but: Collection[str] = (), is_plugged: bool | None = None) -> str:
        """Wait for a car that has rested and reports, for somebody who wants to move it, and return it.

        It is none of `but`; `is_plugged` says whether it has to be plugged in, None: either.
        """
        while True:
            rested = [
                key
                for key, car in self._cars.items()
                if key not in self.resting
                and key not in but
                and self._has_rested(key)
                and car.is_linked
                and is_plugged in {None, car.is_plugged}
            ]
            if rested:
                car = min(rested, key=lambda key: self._last.get(key, 0.0))
                self._last[car] = time.monotonic()
                return car
            await asyncio.sleep(0.2)

    def car(self, vehicle_id: str) -> Car:
        """Return a car."""
        return self._cars[vehicle_id]

    def owner(self, vehicle_id: str) -> str:
        """Return the user of a car."""
        return self._cars[vehicle_id].user_id

    async def _act(self, vehicle_id: str) -> None:
        car = self._cars[vehicle_id]
        if not car.is_linked:
            await self._link(vehicle_id, car)
            return
        way, enabled = self._random.choice(WAYS), self._random.random() < 0.7
        match self._acts.choose(is_plugged=car.is_plugged):
            case "plug" | "unplug":
                await self._plug_or_unplug(vehicle_id)
            case "link":
                await self._link(vehicle_id, car)
            case "level":
                await self.commands.set_level(vehicle_id, car)
            case "smart charging":
                await self.commands.switch_smart(vehicle_id, car, way)
            case "boost":
                await self.commands.boost(vehicle_id, car, way, enabled=enabled)
            case report:
                await self._report(vehicle_id, report)

    async def _plug_or_unplug(self, vehicle_id: str) -> None:
        await self.swap_plug(vehicle_id, "home" if self._random.random() < 0.8 else "unknown")
        if not self._cars[vehicle_id].is_plugged:
            # It comes back with less in the battery: else it would stay full.
            await self._report(vehicle_id, "drive")

    async def _report(self, vehicle_id: str, what: str) -> None:
        """Let the car or Jedlix report something."""
        match what:
            case "ready":
                await self._simulator.ready(vehicle_id)
            case "impossible":
                with suppress(SimulatorFailed):  # its session may have ended with smart charging
                    await self._simulator.impossible(vehicle_id)
            case "full":
                await self._simulator.telemetry(vehicle_id, battery_level=100)
            case "drive":
                level = self._random.randrange(5, 75)
                await self._simulator.telemetry(vehicle_id, battery_level=level)
            case _:
                await self._simulator.telemetry(vehicle_id)

    async def _link(self, vehicle_id: str, car: Car, reason: str | None = None) -> None:
        car.is_linked = not car.is_linked
        reason = reason or self._random.choice(("disconnected", "credentials"))
        await self._simulator.link(vehicle_id, connected=car.is_linked, reason=reason)
