"""Commands: boost, change settings and pause smart charging, in Jedlix's app or through Home Assistant."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, time as time_of_day, timedelta
from random import Random
import time
from typing import Any

import aiohttp

from ..home import Home
from ..home_api import RestFailed
from ..simulator import Simulator, SimulatorFailed
from .car import Car
from .timeline import RECOVERY, Command, Timeline
from .truth import moment, ready_by_of, settings_of

_KINDS = ("boost", "smart_charging")
"""What commands change: their action or entity names it, and so do the types of their changes."""


class Commands:
    """Gives the commands of all drivers."""

    def __init__(
        self,
        simulator: Simulator,
        home: Home,
        timeline: Timeline,
        random: Random,
        *,
        is_strict: bool,
    ) -> None:
        """Do nothing yet. Where Jedlix is strict, all is done in its app."""
        self._simulator = simulator
        self._home = home
        self._timeline = timeline
        self._random = random
        self._is_strict = is_strict
        self.count = 0
        """How many went through Home Assistant."""
        self.failed: list[str] = []
        """Those that failed, or did nothing, although all was well."""

    async def switch_smart(self, vehicle_id: str, car: Car, way: str) -> None:
        """Turn smart charging on or off; off by the action is a pause of a day."""
        enabled = not car.is_smart
        until = datetime.now(UTC) + timedelta(days=1)
        if way == "app" or not self.can_command(car):
            await self._simulator.change_settings(vehicle_id, isSmartChargingEnabled=enabled)
        elif way == "switch":
            action = "turn_on" if enabled else "turn_off"
            entity = car.entities["switch smart_charging"]
            await self._call(car, "switch", action, entity_id=entity)
        elif enabled:
            await self._call(car, "jedlix", "resume_smart_charging", device_id=car.device_id)
        else:
            data = {"device_id": car.device_id, "until": until.isoformat()}
            if await self._call(car, "jedlix", "pause_smart_charging", **data):
                settings = (await self._shown(vehicle_id))["settings"]
                resumes_at = settings.get("enableSmartChargingAt")
                if not abs(moment(resumes_at) - until.timestamp()) < 1.0:
                    self._note_ineffective(car, f"a pause until {until}, not {resumes_at},")
        settings = (await self._shown(vehicle_id))["settings"]
        if settings["isSmartChargingEnabled"] is not enabled:
            await self._simulator.change_settings(vehicle_id, isSmartChargingEnabled=enabled)
            self._note_ineffective(car, f"smart charging by {way}")
        car.is_smart = enabled

    async def boost(self, vehicle_id: str, car: Car, way: str, *, enabled: bool) -> None:
        """Boost, or end a boost, where there is a smart session."""
        session = (await self._shown(vehicle_id))["session"]
        if session is None or not session["is_managed"]:
            return  # there is no smart session, so nobody would offer it
        if way == "app" or not self.can_command(car):
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
            done = await self._call(car, domain, action, **data)
            after = await self._shown(vehicle_id)
            is_same = after["session"] is not None and after["session"]["id"] == session["id"]
            if done and is_same and after["boost"] is not enabled:
                self._note_ineffective(car, f"boost by {way}")

    async def set_level(self, vehicle_id: str, car: Car) -> None:
        """Set a desired level."""
        desired = self._random.randrange(75, 101)
        entity = car.entities.get("number desired_battery_level")
        if entity is None or not self.can_command(car):
            await self._simulator.change_settings(vehicle_id, desiredBatteryLevel=desired)
            return
        done = await self._call(car, "number", "set_value", entity_id=entity, value=desired)
        settings = (await self._shown(vehicle_id))["settings"]
        if done and settings["desiredBatteryLevel"] != desired:
            self._note_ineffective(car, "the desired level")

    async def set_rest(self, vehicle_id: str, car: Car) -> None:
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
            done = await self._call(car, domain, action, entity_id=entity, **data)
            settings = (await self._shown(vehicle_id))["settings"]
            shown = {
                "minimum_battery_level": settings["minimumBatteryLevel"],
                "solar_charging": settings["useSolarProduction"],
                "ready_by": ready_by_of(settings),
            }
            if done and shown[key] != expected:
                self._note_ineffective(car, f"{key}: {shown[key]}, not {expected},")

    def can_command(self, car: Car) -> bool:
        """Return whether all is well, and has been for a while."""
        now = time.time()
        return not self._is_strict and self._timeline.was_calm(now - 4.0, now, car.user_id)

    async def _call(self, car: Car, domain: str, action: str, **data: Any) -> bool:
        """Call an action of Home Assistant; a failure counts only where nothing else went wrong."""
        before = settings_of(await self._simulator.users(), car.user_id)
        began = time.time()
        self.count += 1
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
