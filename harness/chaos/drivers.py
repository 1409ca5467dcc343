"""Drivers: plug cars in and out, boost, change settings, lose links. The seed decides when and what.

Part of what they do goes through Home Assistant: its switches, numbers and actions.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, time as time_of_day, timedelta
import math
from random import Random
import time
from typing import Any

import aiohttp

from ..home import Home
from ..home_api import RestFailed
from ..simulator import Simulator, SimulatorFailed
from . import refusal
from .acts import Acts
from .car import Car
from .timeline import RECOVERY, Command, Timeline
from .truth import moment, ready_by_of, settings_of

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
_KINDS = ("boost", "smart_charging")
"""What commands change: their action or entity names it, and so do the types of their changes."""
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
        self._is_strict = is_strict
        self._quiet = QUIET_WITHOUT_PUSH if is_strict else QUIET
        self._cars = dict(cars)
        self._acts = Acts(self._random)
        self._last: dict[str, float] = {}
        self._windows: list[tuple[float, float, str]] = []
        """Since when a car may not have acted, until when that holds, and for which user."""
        self.resting: set[str] = set()
        """The cars that somebody else moves."""
        self.is_interrupted = False
        """Whether something is going on that API trouble must not disturb."""
        self.commands = 0
        self.failed: list[str] = []
        """Commands that failed, or did nothing, although all was well."""

    async def run(self) -> None:
        """Let one car after the other do something, until cancelled."""
        while True:
            await asyncio.sleep(self._random.expovariate(1 / _PAUSE))
            now = time.monotonic()
            rested = [
                car for car in self._cars if car not in self.resting and self._has_rested(car)
            ]
            if rested:
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
        full, switched, linked = [await self.pick() for _ in range(3)]
        boosted = await self.pick(is_plugged=False)
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
                while not (self._can_command(car) and self._has_rested(vehicle_id)):  # noqa: ASYNC110
                    await asyncio.sleep(0.5)
        except TimeoutError:
            return
        self.is_interrupted = True
        if car.is_plugged:
            await self.swap_plug(vehicle_id)
            await asyncio.sleep(SEEN)
        if not car.is_smart:
            await self._switch_smart(vehicle_id, car, "switch")
        await self.swap_plug(vehicle_id)
        await asyncio.sleep(SEEN)
        await self._boost(vehicle_id, car, "action", enabled=True)
        await self._set_level(vehicle_id, car)
        await self._set_rest(vehicle_id, car)
        await asyncio.sleep(COMMANDS_APART)
        await self._boost(vehicle_id, car, "switch", enabled=False)
        await asyncio.sleep(COMMANDS_APART)
        if not self._is_strict:
            await refusal.refuse_once(self._simulator, car.user_id)
        await self._switch_smart(vehicle_id, car, "action")
        await asyncio.sleep(COMMANDS_APART)
        if self._can_command(car):
            self.failed += await refusal.unseen_failures(
                self._home, self._simulator, self._timeline, car.user_id, car.device_id
            )
        self._last[vehicle_id] = time.monotonic()
        self.resting.discard(vehicle_id)
        self.is_interrupted = False

    async def pick(self, *, is_plugged: bool | None = None) -> str:
        """Wait for a car that has rested and reports, for somebody who wants to move it, and return it.

        `is_plugged` says whether it has to be plugged in; None: either.
        """
        while True:
            rested = [
                key
                for key, car in self._cars.items()
                if key not in self.resting
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
                await self._set_level(vehicle_id, car)
            case "smart charging":
                await self._switch_smart(vehicle_id, car, way)
            case "boost":
                await self._boost(vehicle_id, car, way, enabled=enabled)
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

    async def _switch_smart(self, vehicle_id: str, car: Car, way: str) -> None:
        enabled = not car.is_smart
        until = datetime.now(UTC) + timedelta(days=1)
        if way == "app" or not self._can_command(car):
            await self._simulator.change_settings(vehicle_id, isSmartChargingEnabled=enabled)
        elif way == "switch":
            action = "turn_on" if enabled else "turn_off"
            entity = car.entities["switch smart_charging"]
            await self._command(car, "switch", action, entity_id=entity)
        elif enabled:
            await self._command(car, "jedlix", "resume_smart_charging", device_id=car.device_id)
        else:
            data = {"device_id": car.device_id, "until": until.isoformat()}
            if await self._command(car, "jedlix", "pause_smart_charging", **data):
                resumes_at = (await self._shown(vehicle_id))["settings"].get(
                    "enableSmartChargingAt"
                )
                if not abs(moment(resumes_at) - until.timestamp()) < 1.0:
                    self._note_ineffective(car, f"a pause until {until}, not {resumes_at},")
        settings = (await self._shown(vehicle_id))["settings"]
        if settings["isSmartChargingEnabled"] is not enabled:
            await self._simulator.change_settings(vehicle_id, isSmartChargingEnabled=enabled)
            self._note_ineffective(car, f"smart charging by {way}")
        car.is_smart = enabled

    async def _boost(self, vehicle_id: str, car: Car, way: str, *, enabled: bool) -> None:
        session = (await self._shown(vehicle_id))["session"]
        if session is None or not session["is_managed"]:
            return  # there is no smart session, so nobody would offer it
        if way == "app" or not self._can_command(car):
            try:
                await self._simulator.boost(vehicle_id, enabled=enabled)
            except SimulatorFailed:
                return
        else:
            domain, action = "jedlix", "boost"
            data: dict[str, Any] = {"device_id": car.device_id}
            if not enabled:
                data["enabled"] = False
            if way == "switch" and "switch boost" in car.entities:
                domain, action = "switch", "turn_on" if enabled else "turn_off"
                data = {"entity_id": car.entities["switch boost"]}
            done = await self._command(car, domain, action, **data)
            after = await self._shown(vehicle_id)
            is_same = after["session"] is not None and after["session"]["id"] == session["id"]
            if done and is_same and after["boost"] is not enabled:
                self._note_ineffective(car, f"boost by {way}")

    async def _set_level(self, vehicle_id: str, car: Car) -> None:
        desired = self._random.randrange(75, 101)
        entity = car.entities.get("number desired_battery_level")
        if entity is None or not self._can_command(car):
            await self._simulator.change_settings(vehicle_id, desiredBatteryLevel=desired)
            return
        done = await self._command(car, "number", "set_value", entity_id=entity, value=desired)
        settings = (await self._shown(vehicle_id))["settings"]
        if done and settings["desiredBatteryLevel"] != desired:
            self._note_ineffective(car, "the desired level")

    async def _set_rest(self, vehicle_id: str, car: Car) -> None:
        """Set what nothing else sets: the minimum level, charging with solar power, and ready by."""
        settings = (await self._shown(vehicle_id))["settings"]
        minimum = self._random.randrange(10, 50)
        is_solar = not settings["useSolarProduction"]
        ready_by = time_of_day(self._random.randrange(5, 9), self._random.randrange(60))
        for domain, key, action, data, expected in (
            ("number", "minimum_battery_level", "set_value", {"value": minimum}, minimum),
            ("switch", "solar_charging", f"turn_{'on' if is_solar else 'off'}", {}, is_solar),
            ("time", "ready_by", "set_value", {"time": ready_by.isoformat()}, ready_by),
        ):
            entity = car.entities[f"{domain} {key}"]
            done = await self._command(car, domain, action, entity_id=entity, **data)
            settings = (await self._shown(vehicle_id))["settings"]
            shown = {
                "minimum_battery_level": settings["minimumBatteryLevel"],
                "solar_charging": settings["useSolarProduction"],
                "ready_by": ready_by_of(settings),
            }
            if done and shown[key] != expected:
                self._note_ineffective(car, f"{key}: {shown[key]}, not {expected},")

    def _can_command(self, car: Car) -> bool:
        """Return whether all is well, and has been for a while."""
        now = time.time()
        return not self._is_strict and self._timeline.was_calm(now - 4.0, now, car.user_id)

    async def _command(self, car: Car, domain: str, action: str, **data: Any) -> bool:
        """Call an action of Home Assistant; a failure counts only where nothing else went wrong."""
        before = settings_of(await self._simulator.users(), car.user_id)
        began = time.time()
        self.commands += 1
        try:
            await self._home.api.call_action(domain, action, **data)
        except (RestFailed, aiohttp.ClientError, TimeoutError) as err:
            await asyncio.sleep(0.5)  # whoever stops Home Assistant notes it first
            if self._timeline.was_calm(began, time.time(), car.user_id):
                self.failed.append(f"{domain}.{action}: {err}")
            failed = Command(time.time(), car.user_id, "", has_failed=True)
            self._timeline.commands.append(failed)
            return False
        changes = next((kind for kind in _KINDS if kind in f"{action} {data}"), "")
        self._timeline.commands.append(Command(time.time(), car.user_id, changes))
        after = settings_of(await self._simulator.users(), car.user_id)
        if len(set_too := sorted(name for name in before if before[name] != after[name])) > 1:
            self.failed.append(f"{domain}.{action} has set {', '.join(set_too)}")
        return True

    def _note_ineffective(self, car: Car, what: str) -> None:
        now = time.time()
        if self._timeline.was_calm(now - RECOVERY, now, car.user_id):
            self.failed.append(f"{what} did nothing for {car.device_id}")

    async def _shown(self, vehicle_id: str) -> Mapping[str, Any]:
        users = await self._simulator.users()
        return next(car for user in users for car in user["vehicles"] if car["id"] == vehicle_id)

    async def _link(self, vehicle_id: str, car: Car, reason: str | None = None) -> None:
        car.is_linked = not car.is_linked
        reason = reason or self._random.choice(("disconnected", "credentials"))
        await self._simulator.link(vehicle_id, connected=car.is_linked, reason=reason)
