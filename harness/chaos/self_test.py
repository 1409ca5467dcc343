"""Self-test: the chaos run is red on each falsified integration, with a figure that names the kind."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
import json
import os
from pathlib import Path
import sys

from ..paths import ROOT, run_folder
from ..process import Child
from .falsifications import FALSIFICATIONS, SHORT
from .falsify import Falsification, falsify

PATIENCE = 12.0
POLL_PATIENCE = 85.0
"""Seconds in which the figures of a falsified integration settle, with a poll and without."""
GOOD = "the integration as it is"
_RUN = {"--events": 90, "--kills": 1, "--cars": 8, "--calm": 6}


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of one run: the falsifications, and the figures that were red."""

    names: list[str]
    expected: dict[str, list[str]]
    """For each falsification, the figures of which one has to be red."""
    red: dict[str, str] = field(default_factory=dict)
    failed: str = ""
    """Why the run could not go on."""

    @property
    def blind_to(self) -> list[str]:
        """The falsifications that no figure of theirs showed."""
        return [
            name for name, figures in self.expected.items() if not self.red.keys() & set(figures)
        ]

    @property
    def is_good(self) -> bool:
        """Whether each falsification was seen, or nothing was where there is none."""
        if self.failed:
            return False
        return not self.blind_to if self.expected else not self.red

    def line(self) -> str:
        """Return it as a line of the table."""
        word = "ok " if self.is_good else "BAD"
        shown = self.failed or ", ".join(self.red) or "no figure is red"
        blind = f" (blind to: {', '.join(self.blind_to)})" if self.blind_to else ""
        return f"{word} {' + '.join(self.names)}: {shown}{blind}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    """Runs the table, some runs at the same time."""

    integration: Path
    seed: int
    jobs: int
    is_short: bool
    only: Sequence[str] = ()
    file: Path | None = None

    async def run(self, note: Callable[[str], None]) -> bool:
        """Run all, print the table, and return whether the run was blind to nothing."""
        groups = self._groups()
        slots = asyncio.Semaphore(self.jobs)
        outcomes: list[Outcome] = []

        async def run_one(number: int, group: Sequence[Falsification]) -> None:
            async with slots:
                outcome = await self._run_one(folder.path / str(number), group)
            outcomes.append(outcome)
            note(outcome.line())

        with run_folder("self-test", note) as folder:
            # All copies are made first, so that an edit without its place fails at once.
            for number, group in enumerate(groups):
                (folder.path / str(number)).mkdir()
                falsify(self.integration, folder.path / str(number), group)
            async with asyncio.TaskGroup() as tasks:
                for number, group in enumerate(groups):
                    tasks.create_task(run_one(number, group))
            is_good = all(outcome.is_good for outcome in outcomes)
            folder.keep = not is_good
        if self.file is not None:
            content = {"is_good": is_good, "outcomes": [asdict(item) for item in outcomes]}
            self.file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        return is_good

    def _groups(self) -> list[Sequence[Falsification]]:
        """Return the falsifications of each run; the first run has none."""
        by_name = {item.name: item for item in FALSIFICATIONS}
        if self.is_short:
            return [[by_name[name] for name in group] for group in SHORT]
        if self.only:
            return [[by_name[name]] for name in self.only]
        return [(), *((item,) for item in FALSIFICATIONS)]

    async def _run_one(self, folder: Path, group: Sequence[Falsification]) -> Outcome:
        needs_outage = any(item.needs_outage for item in group)
        needs_poll = not group or needs_outage or any(item.needs_poll for item in group)
        json_file = folder / "chaos.json"
        arguments = {
            **_RUN,
            "--seed": self.seed,
            "--patience": POLL_PATIENCE if needs_poll else PATIENCE,
            "--integration": folder / self.integration.name,
            "--json": json_file,
        }
        command = [str(part) for pair in arguments.items() for part in pair]
        flags = [] if needs_outage else ["--short"] if needs_poll else ["--short", "--no-poll"]
        child = await Child.start(
            "The chaos run",
            [sys.executable, "-P", "-m", "harness.chaos", *command, *flags],
            log=folder / "chaos.log",
            folder=folder,
            environment={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        try:
            while child.exit_code is None:  # noqa: ASYNC110  a process has no event
                await asyncio.sleep(0.5)
        finally:
            await child.stop()
        outcome = Outcome(
            names=[item.name for item in group] or [GOOD],
            expected={item.name: list(item.figures) for item in group},
        )
        if json_file.exists():
            found = json.loads(json_file.read_text(encoding="utf-8"))
            outcome.red = found["failures"]
            if not found["seconds"]:
                outcome.failed = "the run did not come to its end"
        else:
            outcome.failed = "the run could not go on"
        return outcome
