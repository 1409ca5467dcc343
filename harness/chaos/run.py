"""One run: the processes, the driver, the trouble, the kills; then calm, and the count."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
import time
from typing import Any

from ..home import Home
from ..paths import INTEGRATION, new_run_folder, remove_run_folder
from ..process import ProcessFailed
from ..simulator import Simulator
from . import record
from .count import count, wrong_states
from .driver import Driver
from .stage import set_up, until_loaded
from .timeline import Life, Timeline
from .trouble import DELIVERIES, Trouble
from .verdict import Verdict

SPEED = 240.0
"""Simulated seconds per second: a price hour takes 15 s, a charge from low to full a minute or so."""
RETRIES = (1.0, 3.0, 6.0)
"""Seconds until each retry of the simulator; a clean stop lasts longer than all of them."""
STOPPED_FOR = sum(RETRIES) + 8.0
PATIENCE = 420.0
"""Seconds until what is still missing is lost: an idle fleet is looked at five cars a minute."""
CHECKED_EVERY = 2.0
_AWAY = "Error fetching jedlix data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the command line asked for."""

    events: int
    seed: int
    kills: int
    cars: int
    calm: float
    json: Path | None = None
    keep: bool = False
    strict: bool = False
    integration: Path = INTEGRATION


class Chaos:
    """One run."""

    def __init__(self, wish: Wish, say: Callable[[str], None]) -> None:
        """Start nothing yet; `say` gets a line now and then."""
        self._wish = wish
        self._say = say
        self._random = Random(f"{wish.seed}/kills")
        self._folder = new_run_folder("chaos")
        self._timeline = Timeline()
        self._began = time.monotonic()
        self.verdict = Verdict(seed=wish.seed, cars=wish.cars)

    async def run(self) -> Verdict:
        """Run it and return the count. The folder stays where somebody may want to read its logs."""
        keep = True
        try:
            await self._run()
            keep = self._wish.keep or not self.verdict.is_good
        except asyncio.CancelledError:
            keep = False
            raise
        finally:
            if self._wish.json is not None:
                self.verdict.write(self._wish.json)
            if keep:
                self._say(f"Logs: {self._folder}")
            else:
                remove_run_folder(self._folder)
        return self.verdict

    async def _run(self) -> None:
        wish = self._wish
        arguments = {
            "--users": wish.cars,
            "--seed": wish.seed,
            "--speed": 1,
            "--mode": "strict" if wish.strict else "default",
            "--history-days": 1,
            "--retries": ",".join(f"{pause:g}" for pause in RETRIES),
        }
        words = [str(word) for pair in arguments.items() for word in pair]
        async with AsyncExitStack() as stack:
            simulator = await stack.enter_async_context(Simulator.ours(self._folder, *words))
            home = Home(self._folder / "home", integration=wish.integration)
            record.install(home.folder)
            stack.push_async_callback(home.close)
            await self._begin(home, simulator)
            before = await simulator.truth()
            await self._storm(home, simulator, before)
            await self._calm(home, simulator, before)

    async def _begin(self, home: Home, simulator: Simulator) -> None:
        """Start Home Assistant and add the integration as a person would; all is fine yet."""
        self._say("Starting Home Assistant and adding the integration")
        await self._start(home)
        await set_up(home, simulator)
        self._timeline.lives[-1].ready = time.time()

    async def _storm(self, home: Home, simulator: Simulator, before: dict[str, Any]) -> None:
        """Let everything go wrong until so many deliveries were made and all kills are done."""
        driver = Driver(simulator, before, self._wish.seed)
        trouble = Trouble(simulator, self._timeline, self._wish.seed)
        await simulator.set_faults(**DELIVERIES)
        await simulator.clock(speed=SPEED)
        tasks = [asyncio.create_task(driver.drive()), asyncio.create_task(trouble.make())]
        try:
            for at, how in self._downs():
                await self._deliveries(home, simulator, tasks, at)
                await self._go_down(home, how=how)
            await self._deliveries(home, simulator, tasks, self._wish.events)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        self.verdict.bursts = trouble.bursts
        await simulator.clear_faults()
        await driver.rest()
        await simulator.clock(speed=0)

    def _downs(self) -> list[tuple[int, str]]:
        """Return after how many deliveries Home Assistant goes down, and how."""
        hows = ["kill"] * self._wish.kills + ["stop"]
        self._random.shuffle(hows)
        places = sorted(self._random.uniform(0.08, 0.92) for _ in hows)
        return [
            (int(place * self._wish.events), how) for place, how in zip(places, hows, strict=True)
        ]

    async def _deliveries(
        self, home: Home, simulator: Simulator, tasks: list[asyncio.Task[None]], wanted: int
    ) -> None:
        """Wait until so many deliveries were made in all."""
        while True:
            for task in tasks:
                if task.done():
                    task.result()
            if words := home.exited() or simulator.exited():
                raise ProcessFailed(words)
            made = [
                item
                for item in await simulator.deliveries()
                if not item["is_test"] and not item["dropped"]
            ]
            self.verdict.deliveries = len(made)
            if len(made) >= wanted:
                return
            await asyncio.sleep(self._random.uniform(0.3, 1.0))

    async def _go_down(self, home: Home, *, how: str) -> None:
        life = self._timeline.lives[-1]
        self._say(f"{self.verdict.deliveries} deliveries: {how}")
        life.ended, life.was_killed = time.time(), how == "kill"
        if life.was_killed:
            await home.kill()
            await asyncio.sleep(self._random.uniform(0.0, 5.0))
        else:
            await home.stop()
            await asyncio.sleep(STOPPED_FOR)
        await self._start(home)
        await until_loaded(home)
        self._timeline.lives[-1].ready = time.time()

    async def _start(self, home: Home) -> None:
        self._timeline.lives.append(Life(time.time()))
        await home.start()

    # -- the count ---------------------------------------------------------------------------------------

    async def _calm(self, home: Home, simulator: Simulator, before: dict[str, Any]) -> None:
        """Wait until everything has come that can come, then count."""
        self._say(f"{self.verdict.deliveries} deliveries: calm")
        began = time.monotonic()
        while True:
            await asyncio.sleep(CHECKED_EVERY)
            waited = time.monotonic() - began
            if waited < self._wish.calm:
                continue
            truth = await simulator.truth()
            deliveries = await simulator.deliveries()
            promises = count(
                self.verdict,
                home.folder,
                self._timeline,
                deliveries,
                before=before,
                truth=truth,
            )
            wrong = await wrong_states(home, truth, promises)
            self.verdict.wrong_state = len(wrong)
            if waited > PATIENCE or not (self.verdict.lost or wrong):
                break
        self.verdict.details["wrong_state"] = wrong
        await home.stop()
        logged = home.log_errors("jedlix")
        errors = [words for words in logged if _AWAY not in words]
        self.verdict.errors_logged = len(errors)
        self.verdict.outages_logged = len(logged) - len(errors)
        self.verdict.details["errors_logged"] = errors
        self.verdict.seconds = round(time.monotonic() - self._began)
