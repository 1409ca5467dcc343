"""Person: what somebody does once in Home Assistant when all is calm, and what must come of it."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, time as time_of_day, timedelta
import time
from typing import Any

import aiohttp

from ..home import Home
from ..home_api import RestFailed
from ..simulator import Simulator
from ..translations import translations
from ..websocket import CommandFailed
from .car import Car
from .drivers import COMMANDS_APART, QUIET, SEEN, Drivers
from .timeline import Command, Timeline
from .truth import moment, ready_by_of, settings_of
from .zone import TIME_ZONE

PAUSE = timedelta(hours=26)
MINIMUM, DESIRED = 70, 60
"""Levels in %, in the order in which they are set: the minimum goes down with the desired one."""
READY_BY = time_of_day(5, 45)
_SOON = 5.0
"""Seconds between two clocks that both mean now."""


class Person:
    """Uses two cars through Home Assistant; `wrong` is what did not come of it."""

    def __init__(
        self, home: Home, simulator: Simulator, timeline: Timeline, drivers: Drivers
    ) -> None:
        """Do nothing yet."""
        self._home = home
        self._simulator = simulator
        self._timeline = timeline
        self._drivers = drivers
        self.wrong: list[str] = []

    async def run(self) -> None:
        """Do each thing once, while nobody else uses these cars: those of the tour were chosen before."""
        await asyncio.sleep(QUIET)
        chosen = await self._drivers.pick_several(2)
        self._drivers.resting |= {*chosen}
        cars = [self._drivers.car(vehicle_id) for vehicle_id in chosen]
        for vehicle_id, car in zip(chosen, cars, strict=True):
            if car.is_plugged:
                await self._drivers.swap_plug(vehicle_id)
            if not car.is_smart:
                await self._simulator.change_settings(vehicle_id, isSmartChargingEnabled=True)
                car.is_smart = True
        await asyncio.sleep(SEEN)
        try:
            await self._boost_without_session(cars[0])
            await self._lower_both_levels(cars[0])
            await self._pause(cars[1])
            await self._set_ready_by(cars)
        except (RestFailed, aiohttp.ClientError, TimeoutError) as err:
            self.wrong.append(str(err))
        self._drivers.resting -= {*chosen}

    async def _boost_without_session(self, car: Car) -> None:
        """Boost a car that is not plugged in: a person reads why that cannot be."""
        texts = translations()["exceptions"]
        data = {"domain": "jedlix", "service": "boost", "target": {"device_id": car.device_id}}
        async with await self._home.api.websocket() as socket:
            try:
                await socket.call("call_service", **data)
            except CommandFailed as err:
                if texts["no_smart_session"]["message"].removesuffix(".") not in str(err):
                    self.wrong.append(f"a boost without a session says: {err}")
            else:
                self.wrong.append("a boost without a session says nothing")

    async def _lower_both_levels(self, car: Car) -> None:
        for key, level in (("minimum", MINIMUM), ("desired", DESIRED)):
            entity_id = car.entities[f"number {key}_battery_level"]
            await self._command([car], "number", "set_value", entity_id=entity_id, value=level)
        settings = await self._settings(car)
        levels = settings["minimumBatteryLevel"], settings["desiredBatteryLevel"]
        if levels != (DESIRED, DESIRED):
            self.wrong.append(f"levels are {levels} after {MINIMUM} and {DESIRED} were set")

    async def _pause(self, car: Car) -> None:
        """Pause smart charging for some hours, and until a local time as the dialog writes it."""
        data = {"device_id": car.device_id}
        for kind in ("duration", "until"):
            until = datetime.now(TIME_ZONE) + PAUSE
            end: Any = f"{until:%Y-%m-%d %H:%M:%S}"
            if kind == "duration":
                end = {"hours": PAUSE / timedelta(hours=1)}
            await self._command([car], "jedlix", "pause_smart_charging", **data, **{kind: end})
            is_enabled, ends = (await self._settings(car))["isSmartChargingEnabled"]
            if is_enabled or not abs(moment(ends) - until.timestamp()) < _SOON:
                self.wrong.append(f"a pause with a {kind} of {end} ends at {ends}, not {until}")
            await asyncio.sleep(COMMANDS_APART)
            await self._command([car], "jedlix", "resume_smart_charging", **data)
            if (resumed := (await self._settings(car))["isSmartChargingEnabled"]) != (True, None):
                self.wrong.append(f"smart charging that was resumed is {resumed}")
            await asyncio.sleep(COMMANDS_APART)

    async def _set_ready_by(self, cars: Sequence[Car]) -> None:
        """Set the time of several cars at once."""
        data = {"device_id": [car.device_id for car in cars], "time": READY_BY.isoformat()}
        await self._command(cars, "jedlix", "set_ready_by", **data)
        for car in cars:
            if (ready_by := ready_by_of(await self._settings(car))) != READY_BY:
                self.wrong.append(f"{car.device_id} is ready by {ready_by}, not {READY_BY}")

    async def _command(self, cars: Sequence[Car], domain: str, action: str, **data: Any) -> None:
        """Call an action; raises RestFailed."""
        changes = "smart_charging" if "smart_charging" in action else ""
        await self._home.api.call_action(domain, action, **data)
        self._timeline.commands += [Command(time.time(), car.user_id, changes) for car in cars]

    async def _settings(self, car: Car) -> Mapping[str, Any]:
        return settings_of(await self._simulator.users(), car.user_id)
