"""One run: a simulator, a Home Assistant, and all measurements one after the other."""

import asyncio
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
from ..paths import new_run_folder, remove_run_folder
from ..simulator import Simulator
from .doors import measure_deliveries
from .figures import Figures
from .growth import measure_growth, measure_set_up, measure_set_up_beside_templates
from .missed import measure_catch_up
from .stage import BenchFailed, Stage, prepare
from .talks import measure_events, measure_idle_polls, measure_rings

NEAR = 0.02
"""Seconds that an API takes which is very near: one in a cloud takes longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the command line asked for."""

    json: Path | None = None
    quick: bool = False
    rounds: int = 9
    cars: int = 1000
    keep: bool = False


class Bench:
    """One run."""

    def __init__(self, wish: Wish, say: Callable[[str], None]) -> None:
        """Start nothing yet; `say` gets a line for each part."""
        self._wish = wish
        self._say = say
        self._folder = new_run_folder("bench")
        self.figures = Figures()

    async def run(self) -> None:
        """Run it; `figures` has what was found. The folder stays where somebody may want to read its logs."""
        keep = True
        try:
            await self._run()
            keep = self._wish.keep
        except asyncio.CancelledError:
            keep = False
            raise
        finally:
            if self._wish.json is not None:
                self.figures.write(self._wish.json)
            if keep:
                self._say(f"Logs: {self._folder}")
            else:
                remove_run_folder(self._folder)

    async def _run(self) -> None:
        wish, figures = self._wish, self.figures
        sizes = [1, *(() if wish.quick else (100,)), wish.cars]
        arguments = ("--users", str(sum(sizes)), "--speed", "1", "--history-days", "3")
        async with AsyncExitStack() as stack:
            simulator = await stack.enter_async_context(Simulator.ours(self._folder, *arguments))
            home = Home(self._folder / "home")
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
            stage = Stage(home, socket, simulator, http)
            figures.about |= {
                "home_assistant": (await socket.call("get_config"))["version"],
                "python": platform.python_version(),
                "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
                "cars": wish.cars,
            }
            await self._measure(stage, sizes)
            if errors := home.log_errors("jedlix"):
                raise BenchFailed(f"Home Assistant logged:\n{errors[-1]}")

    async def _measure(self, stage: Stage, sizes: list[int]) -> None:
        wish, figures = self._wish, self.figures
        began = time.monotonic()

        def part(words: str) -> None:
            self._say(f"{time.monotonic() - began:5.0f} s  {words}")

        users = iter(await self._parked(stage))
        part("adding the accounts through the config flow, and loading them anew")
        accounts = {}
        for size in sizes:
            label = "1_car" if size == 1 else f"{size}_cars"
            chosen = [next(users) for _ in range(size)]
            accounts[size] = await measure_growth(stage, figures, chosen, label)
            if not wish.quick:
                await measure_set_up(stage, figures, accounts[size], label, rounds=3)
        if (hundred := accounts.get(100)) is not None and wish.cars != 100:
            await stage.remove(hundred)
        added = figures.found[f"add_{wish.cars}_cars_kib"].value
        figures.add("kib_per_car", [added / wish.cars])
        await stage.simulator.set_faults(drop=1.0)
        one, fleet = accounts[1], accounts[wish.cars]
        sleep = await stage.add_sleep_as_android()
        deliveries = partial(
            measure_deliveries,
            stage,
            figures,
            one=one,
            fleet=fleet,
            sleep_webhook_id=sleep,
            rounds=wish.rounds,
            turns=1 if wish.quick else 3,
        )

        part("idle polls")
        named = {"1_car": one, f"{wish.cars}_cars": fleet}
        await measure_idle_polls(stage, figures, named, rounds=wish.rounds)
        part("deliveries, beside sleep_as_android and a bare handler")
        await deliveries()
        part("rings")
        await measure_rings(stage, figures, fleet, rounds=2 if wish.quick else wish.rounds)
        part("from a POST to its event")
        events = partial(measure_events, stage, figures, fleet, rounds=wish.rounds * 4)
        await events(suffix="_on_this_machine")
        await stage.simulator.set_faults(api_slow_seconds=NEAR)
        await events()
        await stage.simulator.set_faults(api_slow_seconds=0.0)
        part("missed deliveries")
        rounds = 3 if wish.quick else wish.rounds
        await measure_catch_up(
            stage, figures, one, missed=1000 if wish.quick else 10_000, rounds=rounds
        )
        if not wish.quick:
            part("set-up, beside template entities")
            await measure_set_up_beside_templates(stage, figures, fleet, rounds=wish.rounds)
            part("deliveries once more, in a Home Assistant that records them")
            await stage.restart_with_recorder()
            for account in (one, fleet):
                await stage.ask("settle", entry_id=account.entry_id)
            await deliveries(suffix="_recorded")
        part("done")

    @staticmethod
    async def _parked(stage: Stage) -> list[str]:
        """Return all users, once no car is plugged in."""
        users = (await stage.simulator.truth())["users"]
        for user in users:
            for car in user["vehicles"]:
                if car["plugged_in"]:
                    await stage.simulator.unplug(car["id"])
        return [user["id"] for user in users]
