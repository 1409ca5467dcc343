"""Bench run: a simulator, a Home Assistant, and all measurements one after the other."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
import os
from pathlib import Path
import platform
import time

import aiohttp

from ..home import Home
from ..paths import run_folder
from ..simulator import Simulator
from .deliveries import measure_deliveries
from .figures import Figures
from .refreshes import (
    measure_catch_up,
    measure_events,
    measure_hours,
    measure_idle_polls,
    measure_requests,
)
from .set_up import compare_set_up_with_templates, measure_adding, measure_set_up
from .testbed import BenchFailed, Testbed, prepare

NEAR_API = 0.02
"""Seconds that a call of a very near API takes: one in a cloud takes longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of the command line."""

    json: Path | None = None
    quick: bool = False
    rounds: int = 9
    cars: int = 1000
    keep: bool = False


class Bench:
    """One run."""

    def __init__(self, options: Options, note: Callable[[str], None]) -> None:
        """Start nothing yet; `note` gets a line for each part."""
        self._options = options
        self._note = note
        self.figures = Figures()

    async def run(self) -> None:
        """Run it; `figures` has the results."""
        with run_folder("bench", self._note) as folder:
            try:
                await self._run(folder.path)
            finally:
                if self._options.json is not None:
                    self.figures.write(self._options.json)
            folder.keep = self._options.keep

    async def _run(self, folder: Path) -> None:
        options, figures = self._options, self.figures
        sizes = [1, *(() if options.quick else (100,)), options.cars]
        arguments = ("--users", str(sum(sizes)), "--speed", "1", "--history-days", "3")
        async with AsyncExitStack() as stack:
            simulator = await stack.enter_async_context(Simulator.ours(folder, *arguments))
            home = Home(folder / "home")
            prepare(home)
            await stack.enter_async_context(home)
            socket = await stack.enter_async_context(await home.api.websocket())
            http = await stack.enter_async_context(
                aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(limit=1),
                    timeout=aiohttp.ClientTimeout(total=60),
                    cookie_jar=aiohttp.DummyCookieJar(),
                )
            )
            testbed = Testbed(home, socket, simulator, http)
            figures.about |= {
                "home_assistant": (await socket.call("get_config"))["version"],
                "python": platform.python_version(),
                "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
                "cars": options.cars,
            }
            await self._measure(testbed, sizes)
            if errors := home.log_errors("jedlix"):
                raise BenchFailed(f"Home Assistant logged:\n{errors[-1]}")

    async def _measure(self, testbed: Testbed, sizes: list[int]) -> None:
        options, figures = self._options, self.figures
        began = time.monotonic()

        def part(text: str) -> None:
            self._note(f"{time.monotonic() - began:5.0f} s  {text}")

        users = iter(await self._parked(testbed))
        part("adding the accounts through the config flow, and loading them again")
        accounts = {}
        for size in sizes:
            label = "1_car" if size == 1 else f"{size}_cars"
            chosen = [next(users) for _ in range(size)]
            accounts[size] = await measure_adding(testbed, figures, chosen, label)
            if not options.quick:
                await measure_set_up(testbed, figures, accounts[size], label, rounds=3)
        if (hundred := accounts.get(100)) is not None and options.cars != 100:
            await testbed.remove(hundred)
        added = figures.found[f"add_{options.cars}_cars_kib"].value
        figures.add("kib_per_car", [added / options.cars])
        await testbed.simulator.set_faults(drop=1.0)
        one, fleet = accounts[1], accounts[options.cars]
        sleep = await testbed.add_sleep_as_android()
        deliveries = partial(
            measure_deliveries,
            testbed,
            figures,
            one=one,
            fleet=fleet,
            sleep_webhook_id=sleep,
            rounds=options.rounds,
            repeats=1 if options.quick else 3,
        )

        part("idle polls")
        named = {"1_car": one, f"{options.cars}_cars": fleet}
        await measure_idle_polls(testbed, figures, named, rounds=options.rounds)
        # Before the first delivery leads to a change: from then on, nothing is polled each minute.
        part("an hour of polls with cars that are plugged in")
        await measure_hours(testbed, figures, one, plugged_in=1, name="1_car")
        some = max(2, options.cars // 5)
        name = f"{some}_of_{options.cars}"
        await measure_hours(testbed, figures, fleet, plugged_in=some, name=name)
        part("deliveries, compared with sleep_as_android and a bare handler")
        await deliveries()
        part("many deliveries about one user")
        await measure_requests(
            testbed, figures, fleet, rounds=2 if options.quick else options.rounds
        )
        part("from a POST to its event")
        events = partial(measure_events, testbed, figures, fleet, rounds=options.rounds * 4)
        await events(suffix="_on_this_machine")
        await testbed.simulator.set_faults(api_slow_seconds=NEAR_API)
        await events()
        await testbed.simulator.set_faults(api_slow_seconds=0.0)
        part("missed deliveries")
        rounds = 3 if options.quick else options.rounds
        await measure_catch_up(
            testbed, figures, one, missed=1000 if options.quick else 10_000, rounds=rounds
        )
        if not options.quick:
            part("set-up, compared with template entities")
            await compare_set_up_with_templates(testbed, figures, fleet, rounds=options.rounds)
            part("deliveries once more, with the recorder")
            await testbed.restart_with_recorder()
            for account in (one, fleet):
                await testbed.ask("settle", entry_id=account.entry_id)
            await deliveries(suffix="_recorded")
        part("done")

    @staticmethod
    async def _parked(testbed: Testbed) -> list[str]:
        """Unplug all cars, and return all users."""
        users = await testbed.simulator.users()
        for user in users:
            for car in user["vehicles"]:
                if car["plugged_in"]:
                    await testbed.simulator.unplug(car["id"])
        return [user["id"] for user in users]
