"""Bench run: a simulator, a Home Assistant, and all measurements one after the other."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
import os
from pathlib import Path
import platform
import time

from ..paths import run_folder
from .deliveries import measure_deliveries
from .figures import Figures
from .recorded_session import measure_recorded_session
from .refreshes import (
    measure_catch_up,
    measure_events,
    measure_hours,
    measure_idle_polls,
    measure_requests,
)
from .set_up import (
    compare_set_up_with_templates,
    measure_adding,
    measure_restart,
    measure_set_up,
    measure_waits,
)
from .testbed import Account, Testbed, start_testbed

FLEET = 1000
"""The cars of a fleet whose figures have limits."""
NEAR_API = 0.02
"""Seconds that a call of a very near API takes: one in a cloud takes longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of the command line."""

    json: Path | None = None
    quick: bool = False
    rounds: int = 9
    cars: int = FLEET
    keep: bool = False


class Bench:
    """One run."""

    def __init__(self, options: Options, note: Callable[[str], None]) -> None:
        """Start nothing yet; `note` gets a line for each part."""
        self._options = options
        self._note = note
        self._began = time.monotonic()
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

    def _part(self, text: str) -> None:
        self._note(f"{time.monotonic() - self._began:5.0f} s  {text}")

    async def _run(self, folder: Path) -> None:
        options, figures = self._options, self.figures
        sizes = [1, *(() if options.quick else (100,)), options.cars]
        arguments = ("--users", str(sum(sizes)), "--speed", "1", "--history-days", "3")
        async with start_testbed(folder, *arguments) as testbed:
            figures.about |= {
                "home_assistant": await testbed.version(),
                "python": platform.python_version(),
                "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
                "cars": options.cars,
            }
            accounts = await self._measure_set_ups(testbed, sizes)
            await testbed.simulator.set_faults(drop=1.0)
            await self._measure_work(testbed, accounts[1], accounts[options.cars])
        if not options.quick:
            self._part("a night in a house with a recorder")
            await measure_recorded_session(folder / "house", figures, rounds=3)
        self._part("done")

    async def _measure_set_ups(self, testbed: Testbed, sizes: list[int]) -> dict[int, Account]:
        """Add the accounts, and start again; returns the accounts by the number of their users."""
        options, figures, part = self._options, self.figures, self._part
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
        # A small fleet shares what is there once for all.
        few = "" if options.cars >= FLEET else f"_of_{options.cars}"
        figures.add(f"kib_per_car{few}", [added / options.cars])
        one, fleet = accounts[1], accounts[options.cars]
        part("set-up while the API hangs")
        await measure_waits(testbed, figures, one, rounds=3)
        if not options.quick:
            part("a restart")
            label = f"{options.cars}_cars"
            await measure_restart(testbed, figures, (one, fleet), label)
        return accounts

    async def _measure_work(self, testbed: Testbed, one: Account, fleet: Account) -> None:
        """Measure polls and deliveries. No delivery of the simulator arrives by itself."""
        options, figures, part = self._options, self.figures, self._part
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
        rounds = 3 if options.quick else 7
        await measure_catch_up(
            testbed, figures, one, missed=1000 if options.quick else 10_000, rounds=rounds
        )
        if not options.quick:
            part("set-up, compared with template entities")
            await compare_set_up_with_templates(testbed, figures, fleet, rounds=options.rounds)
            part("deliveries once more, with the recorder")
            # The missed deliveries of all measurements are not to be fetched once more.
            await testbed.simulator.set_faults(absent=["webhook_history"])
            await testbed.restart(with_recorder=True)
            for account in (one, fleet):
                await testbed.ask("settle", entry_id=account.entry_id)
            await deliveries(suffix="_recorded")

    @staticmethod
    async def _parked(testbed: Testbed) -> list[str]:
        """Unplug all cars, and return all users."""
        users = await testbed.simulator.users()
        for user in users:
            for car in user["vehicles"]:
                if car["plugged_in"]:
                    await testbed.simulator.unplug(car["id"])
        return [user["id"] for user in users]
