"""Outage: one user cannot be read for so long that the entities of their car have to say so."""

import asyncio
from collections.abc import Mapping
import time

import aiohttp

from ..entities import our_entities
from ..home import Home
from ..home_api import RestFailed
from ..websocket import CommandFailed
from .drivers import Drivers
from .faults import AIMED, ApiFaults

SECONDS = 290.0
"""Three intervals of a minute until nothing counts as known, the polls around them, and a restart."""
_FIRST_LOOK = 250.0
_LOOK_AGAIN = 2.0


class Outage:
    """Lets the calls of one user fail, and looks at the entities of all cars before the end of that."""

    def __init__(
        self, home: Home, drivers: Drivers, faults: ApiFaults, cars: Mapping[str, str]
    ) -> None:
        """Take the device id of each car that may be chosen, by the car's id."""
        self._home = home
        self._drivers = drivers
        self._faults = faults
        self._cars = cars
        self.wrong: list[str] = []
        """What was wrong to the end of the outage; nothing where all was right at one moment."""

    async def run(self) -> None:
        """Let a car in a session be unreadable: Home Assistant asks for it at each poll."""
        while (car_id := await self._drivers.pick(is_plugged=True)) not in self._cars:
            pass
        self._drivers.resting.add(car_id)
        end = time.monotonic() + SECONDS - _LOOK_AGAIN
        user_id = self._drivers.owner(car_id)
        failing = asyncio.create_task(self._faults.aim(user_id, AIMED[0], SECONDS))
        await asyncio.sleep(_FIRST_LOOK)
        while True:
            self.wrong = await self._look(car_id)
            if not self.wrong or time.monotonic() > end:
                break
            await asyncio.sleep(_LOOK_AGAIN)
        await failing
        self._drivers.resting.discard(car_id)

    async def _look(self, car_id: str) -> list[str]:
        """Return what is wrong: all entities of this car are unavailable, and of each other one some are not.

        Home Assistant may be starting. Event entities are always available.
        """
        try:
            async with await self._home.api.websocket() as socket:
                entities = [it for it in await our_entities(socket) if it.domain != "event"]
            states = await self._home.api.states()
        except (RestFailed, CommandFailed, aiohttp.ClientError, OSError) as err:
            return [f"Home Assistant does not answer: {err!r}"]
        wrong = []
        for other, device_id in self._cars.items():
            readable = [
                item.entity_id
                for item in entities
                if item.device_id == device_id
                and states.get(item.entity_id, {}).get("state", "unavailable") != "unavailable"
            ]
            if other == car_id:
                wrong += [f"{entity_id} is available in an outage" for entity_id in readable]
            elif not readable:
                wrong.append(f"{other} is unavailable in an outage of {car_id}")
        return wrong
