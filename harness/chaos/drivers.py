"""Drivers: plug cars in and out, boost, change settings, lose links. The seed decides when and what."""

import asyncio
from random import Random
import time
from typing import Any

from ..simulator import Simulator, SimulatorFailed

QUIET = 6.0
"""Seconds that a car is left alone after each act."""
_PAUSE = 0.3
"""Mean seconds between two acts."""


class Drivers:
    """The drivers of all cars."""

    def __init__(self, simulator: Simulator, truth: dict[str, Any], seed: int) -> None:
        """Take the cars as `truth` has them; do nothing yet."""
        self._simulator = simulator
        self._random = Random(f"{seed}/driver")
        self._cars = {
            car["id"]: {
                "plugged": car["plugged_in"],
                "smart": car["settings"]["isSmartChargingEnabled"],
                "linked": car["is_connected"],
            }
            for user in truth["users"]
            for car in user["vehicles"]
        }
        self._last: dict[str, float] = {}

    async def run(self) -> None:
        """Let one car after the other do something, until cancelled."""
        while True:
            await asyncio.sleep(self._random.expovariate(1 / _PAUSE))
            now = time.monotonic()
            rested = [car for car in self._cars if self._last.get(car, 0.0) < now - QUIET]
            if rested:
                car = self._random.choice(rested)
                await self._act(car)
                self._last[car] = time.monotonic()

    async def restore_links(self) -> None:
        """Restore all links: a car that reports nothing has no final state to compare."""
        for vehicle_id, car in self._cars.items():
            if not car["linked"]:
                await self._link(vehicle_id, car)

    async def _act(self, vehicle_id: str) -> None:
        car, roll = self._cars[vehicle_id], self._random.random()
        if not car["linked"] or roll < 0.03:
            await self._link(vehicle_id, car)
        elif car["plugged"]:
            await self._act_plugged(vehicle_id, car, roll)
        elif roll < 0.2:
            level = self._random.randrange(5, 75)
            await self._simulator.telemetry(vehicle_id, battery_level=level)
        elif roll < 0.25:
            desired = self._random.randrange(75, 101)
            await self._simulator.change_settings(vehicle_id, desiredBatteryLevel=desired)
        else:
            place = "home" if self._random.random() < 0.8 else "unknown"
            await self._simulator.plug(vehicle_id, place)
            car["plugged"] = True

    async def _act_plugged(self, vehicle_id: str, car: dict[str, Any], roll: float) -> None:
        if roll < 0.15:
            car["smart"] = not car["smart"]
            await self._simulator.change_settings(vehicle_id, isSmartChargingEnabled=car["smart"])
        elif roll < 0.25:
            await self._boost(vehicle_id)
        elif roll < 0.5:
            await self._simulator.telemetry(vehicle_id)
        else:
            await self._simulator.unplug(vehicle_id)
            car["plugged"] = False
            # It comes back with less in the battery: else it would stay full.
            await self._simulator.telemetry(vehicle_id, battery_level=self._random.randrange(5, 75))

    async def _boost(self, vehicle_id: str) -> None:
        try:
            await self._simulator.boost(vehicle_id, enabled=self._random.random() < 0.7)
        except SimulatorFailed:
            return  # there is no smart session, so the app would not offer it

    async def _link(self, vehicle_id: str, car: dict[str, Any]) -> None:
        car["linked"] = not car["linked"]
        await self._simulator.link(vehicle_id, connected=car["linked"])
