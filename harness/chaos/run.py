"""Chaos run: the processes, the drivers, the faults, the kills; then a time without faults, and the count."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
import time
from typing import Any

from ..config_entries import add_for_all_users, until_loaded
from ..config_folder import add_component
from ..home import Home
from ..paths import INTEGRATION, run_folder
from ..process import ProcessFailed
from ..simulator import Simulator
from .drivers import Drivers
from .evaluation import evaluate, wrong_states
from .faults import DELIVERIES, ApiFaults
from .recording import RECORDER
from .timeline import Life, Timeline
from .verdict import Verdict

SPEED = 240.0
"""Simulated seconds per second: a price hour takes 15 s, a charge from low to full a minute or so."""
RETRIES = (1.0, 3.0, 6.0)
"""Seconds until each retry of the simulator; a clean stop lasts longer than all of them."""
STOPPED_FOR = sum(RETRIES) + 8.0
PATIENCE = 420.0
"""Seconds until what is still missing is lost: a poll of an idle fleet refreshes five cars a minute."""
CHECK_PERIOD = 2.0
_API_IS_AWAY = "Error fetching jedlix data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of the command line."""

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

    def __init__(self, options: Options, note: Callable[[str], None]) -> None:
        """Start nothing yet; `note` gets a line now and then."""
        self._options = options
        self._note = note
        self._random = Random(f"{options.seed}/kills")
        self._timeline = Timeline()
        self._began = time.monotonic()
        self.verdict = Verdict(seed=options.seed, cars=options.cars)

    async def run(self) -> Verdict:
        """Run it and return the verdict."""
        with run_folder("chaos", self._note) as folder:
            try:
                await self._run(folder.path)
            finally:
                if self._options.json is not None:
                    self.verdict.write(self._options.json)
            folder.keep = self._options.keep or not self.verdict.is_good
        return self.verdict

    async def _run(self, folder: Path) -> None:
        options = self._options
        arguments = {
            "--users": options.cars,
            "--seed": options.seed,
            "--speed": 1,
            "--mode": "strict" if options.strict else "default",
            "--history-days": 1,
            "--retries": ",".join(f"{pause:g}" for pause in RETRIES),
        }
        command = [str(part) for pair in arguments.items() for part in pair]
        async with AsyncExitStack() as stack:
            simulator = await stack.enter_async_context(Simulator.ours(folder, *command))
            home = Home(folder / "home", integration=options.integration)
            add_component(home.folder, RECORDER)
            stack.push_async_callback(home.close)
            await self._begin(home, simulator)
            before = await simulator.truth()
            await self._disturb(home, simulator, before)
            await self._count(home, simulator, before)

    async def _begin(self, home: Home, simulator: Simulator) -> None:
        """Start Home Assistant and add the integration as a person would, without any fault."""
        self._note("Starting Home Assistant and adding the integration")
        await self._start(home)
        await add_for_all_users(home.api, simulator, poll_minutes=1)
        self._timeline.lives[-1].ready = time.time()

    async def _disturb(self, home: Home, simulator: Simulator, before: dict[str, Any]) -> None:
        """Make faults until so many deliveries were made and all kills are done."""
        drivers = Drivers(simulator, before, self._options.seed)
        faults = ApiFaults(simulator, self._timeline, self._options.seed)
        await simulator.set_faults(**DELIVERIES)
        await simulator.clock(speed=SPEED)
        tasks = [asyncio.create_task(drivers.run()), asyncio.create_task(faults.run())]
        try:
            for count, kind in self._interruptions():
                await self._until_delivered(home, simulator, tasks, count)
                await self._interrupt(home, kind)
            await self._until_delivered(home, simulator, tasks, self._options.events)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        self.verdict.bursts = faults.bursts
        await simulator.clear_faults()
        await drivers.restore_links()
        await simulator.clock(speed=0)

    def _interruptions(self) -> list[tuple[int, str]]:
        """Return after how many deliveries Home Assistant is killed or stopped, and which of both."""
        kinds = ["kill"] * self._options.kills + ["stop"]
        self._random.shuffle(kinds)
        counts = sorted(self._options.events * self._random.uniform(0.08, 0.92) for _ in kinds)
        return [(int(count), kind) for count, kind in zip(counts, kinds, strict=True)]

    async def _until_delivered(
        self, home: Home, simulator: Simulator, tasks: list[asyncio.Task[None]], wanted: int
    ) -> None:
        """Wait until so many deliveries were made in all."""
        while True:
            for task in tasks:
                if task.done():
                    task.result()
            if end := home.exited() or simulator.exited():
                raise ProcessFailed(end)
            made = [
                item
                for item in await simulator.deliveries()
                if not item["is_test"] and not item["dropped"]
            ]
            self.verdict.deliveries = len(made)
            if len(made) >= wanted:
                return
            await asyncio.sleep(self._random.uniform(0.3, 1.0))

    async def _interrupt(self, home: Home, kind: str) -> None:
        life = self._timeline.lives[-1]
        self._note(f"{self.verdict.deliveries} deliveries: {kind}")
        life.ended, life.was_killed = time.time(), kind == "kill"
        if life.was_killed:
            await home.kill()
            await asyncio.sleep(self._random.uniform(0.0, 5.0))
        else:
            await home.stop()
            await asyncio.sleep(STOPPED_FOR)
        await self._start(home)
        await until_loaded(home.api)
        self._timeline.lives[-1].ready = time.time()

    async def _start(self, home: Home) -> None:
        self._timeline.lives.append(Life(time.time()))
        await home.start()

    async def _count(self, home: Home, simulator: Simulator, before: dict[str, Any]) -> None:
        """Wait until everything was published that still can be, then count."""
        self._note(f"{self.verdict.deliveries} deliveries: calm")
        began = time.monotonic()
        while True:
            await asyncio.sleep(CHECK_PERIOD)
            waited = time.monotonic() - began
            if waited < self._options.calm:
                continue
            truth = await simulator.truth()
            deliveries = await simulator.deliveries()
            promises = evaluate(
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
        errors = [record for record in logged if _API_IS_AWAY not in record]
        self.verdict.errors_logged = len(errors)
        self.verdict.outages_logged = len(logged) - len(errors)
        self.verdict.details["errors_logged"] = errors
        self.verdict.seconds = round(time.monotonic() - self._began)
