"""Soak: simulated days in a real Home Assistant, after which memory is flat and no task is left.

Cars drive and plug in by themselves, a simulated day takes a minute, and deliveries come twice, late or
not at all. Memory, tasks and open files of the process are measured all the time. At the end the entry is
removed, and no task of it may still run.
"""

import argparse
import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
import json
from pathlib import Path
import statistics
import sys
import time

from ..command_line import output_file, print_progress, run
from ..config_entries import add_for_all_users, remove_all
from ..config_folder import add_component
from ..home import Home
from ..paths import run_folder
from ..simulator import Simulator
from . import recording

SPEED = 1440.0
"""Simulated seconds per second: a day in a minute."""
FAULTS = {"duplicate": 0.1, "reorder": 0.2, "drop": 0.05, "api_500": 0.01}
SAMPLE_PERIOD = 5.0
WARM_UP = 1 / 3
"""The part of the run that is left out: caches fill, the database grows its own."""
MAX_GROWTH = 1.5
"""Megabytes per simulated day that the process may grow after the warm-up. Most of that are caches of Home
Assistant's database. Ours are ids that are kept for eight real days, longer than a run."""
REMOVAL_TIME = 5.0


@dataclass(slots=True)
class Sample:
    """One measurement of the process: minutes into the run, memory in MB, open files."""

    minute: float
    memory_mb: float
    files: int


@dataclass(slots=True)
class Soak:
    """The figures of a run. Times are in real minutes, growth is after the warm-up."""

    minutes: float = 0.0
    days: float = 0.0
    cars: int = 0
    deliveries: int = 0
    changes: int = 0
    memory_begin_mb: float = 0.0
    memory_end_mb: float = 0.0
    growth_mb_per_day: float = 0.0
    files_begin: int = 0
    files_end: int = 0
    tasks_median_begin: float = 0.0
    tasks_median_end: float = 0.0
    tasks_left: list[str] = field(default_factory=list)
    blocked_ms: float = 0.0
    errors_logged: list[str] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Return whether memory is flat, no task is left and no error was logged."""
        return not (self.growth_mb_per_day > MAX_GROWTH or self.tasks_left or self.errors_logged)

    def write(self, path: Path) -> None:
        """Write the JSON."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


async def soak(minutes: float, cars: int, seed: int) -> Soak:
    """Run for so many minutes and return the figures."""
    arguments = ["--users", str(cars), "--seed", str(seed), "--speed", str(SPEED), "--auto"]
    found = Soak(minutes=minutes, days=minutes * 60 * SPEED / 86400, cars=cars)
    with run_folder("soak", print_progress) as folder:
        async with AsyncExitStack() as stack:
            simulator = await stack.enter_async_context(Simulator.ours(folder.path, *arguments))
            home = Home(folder.path / "home")
            add_component(home.folder, recording.RECORDER)
            await stack.enter_async_context(home)
            await add_for_all_users(home.api, simulator, poll_minutes=1)
            await simulator.set_faults(**FAULTS)
            began = time.time()
            while (minute := (time.time() - began) / 60) < minutes:
                found.samples.append(_sample(home.pid, minute))
                await asyncio.sleep(SAMPLE_PERIOD)
            await simulator.clear_faults()
            await _measure(found, home, simulator, began)
        folder.keep = False
    return found


async def _measure(found: Soak, home: Home, simulator: Simulator, began: float) -> None:
    deliveries = await simulator.deliveries()
    found.deliveries = sum(1 for item in deliveries if not item["is_test"] and not item["dropped"])
    found.changes = len(recording.changes(home.folder))
    warm = found.samples[int(len(found.samples) * WARM_UP) :]
    found.memory_begin_mb, found.memory_end_mb = warm[0].memory_mb, warm[-1].memory_mb
    found.files_begin, found.files_end = warm[0].files, warm[-1].files
    line = statistics.linear_regression(
        [each.minute for each in warm], [each.memory_mb for each in warm]
    )
    found.growth_mb_per_day = round(line.slope / (60 * SPEED / 86400), 3)
    pulses = [line for line in recording.lines(home.folder) if line["kind"] == "pulse"]
    of_run = [pulse["data"] for pulse in pulses if pulse["at"] > began + 5]
    found.blocked_ms = max(pulse["blocked_ms"] for pulse in of_run)
    third = max(1, len(of_run) // 3)
    found.tasks_median_begin = statistics.median(pulse["tasks"] for pulse in of_run[:third])
    found.tasks_median_end = statistics.median(pulse["tasks"] for pulse in of_run[-third:])
    await remove_all(home.api)
    await asyncio.sleep(REMOVAL_TIME)
    last = [line for line in recording.lines(home.folder) if line["kind"] == "pulse"][-1]
    found.tasks_left = last["data"]["ours"]
    await home.stop()
    found.errors_logged = [
        record for record in home.log_errors("jedlix") if "Error fetching jedlix data" not in record
    ]


def _sample(pid: int, minute: float) -> Sample:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    kilobytes = next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]
    files = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    return Sample(round(minute, 2), round(int(kilobytes) / 1024, 1), files)


def _lines(found: Soak) -> Sequence[str]:
    run = f"{found.days:g} simulated days of {found.cars} cars in {found.minutes:g} minutes"
    work = f"{found.deliveries} deliveries, {found.changes} changes"
    memory = f"memory {found.memory_begin_mb:g} to {found.memory_end_mb:g} MB after the warm-up"
    tasks = f"{found.tasks_median_begin:g} to {found.tasks_median_end:g} tasks"
    left = f"{len(found.tasks_left)} left after the removal"
    blocked = f"event loop blocked for {found.blocked_ms:g} ms at most"
    return (
        f"{run}: {work}",
        f"{memory}: {found.growth_mb_per_day:+g} MB a day",
        f"{tasks}, {left}; {found.files_begin} to {found.files_end} open files",
        f"{blocked}; {len(found.errors_logged)} errors logged",
    )


def main() -> int:
    """Read the command line, run, and return 0 where memory stayed flat and nothing was left."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="real minutes (60)")
    parser.add_argument("--cars", type=int, default=20, help="users with a car each (20)")
    parser.add_argument(
        "--seed", type=int, default=1, help="the same seed makes the same world (1)"
    )
    parser.add_argument(
        "--json", type=output_file, metavar="FILE", help="write all figures as JSON"
    )
    given = parser.parse_args()
    return run(lambda: _run(given.minutes, given.cars, given.seed, given.json))


async def _run(minutes: float, cars: int, seed: int, file: Path | None) -> int:
    found = await soak(minutes, cars, seed)
    if file is not None:
        found.write(file)
    for line in _lines(found):
        print(line)
    return 0 if found.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
