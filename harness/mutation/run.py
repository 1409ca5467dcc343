"""Mutation run: all mutants of the modules, one after the other, and what became of each."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
import hashlib
import json
from pathlib import Path
from random import Random
import shutil
import tempfile

from .concern import tests_of
from .executed import ExecutedLines, TestsFail
from .mutants import Mutant, mutants_of
from .trial import Outcome, Trial, preload

MODULES = tuple(
    f"custom_components/jedlix/{name}"
    for name in (
        *("state/*.py", "push/*.py", "coordinator.py", "poll.py"),
        *("deliveries.py", "tenant_sessions.py", "refresher.py", "known_users.py"),
        *("statistics.py", "services.py", "actions/*.py"),
    )
)
"""The rules: which changes there are, when they are late, how push is registered, what is imported."""
_LEAST_LIMIT = 30.0
"""Seconds."""
_PATIENCE = 4.0
"""A mutant may take so many times as long as the code as it is."""
_RESULTS = "results.jsonl"
_NOT_COPIED = shutil.ignore_patterns(
    *(".git", ".venv*", ".work", ".*_cache", "dist", "__pycache__", "*.pyc")
)
_OPEN = frozenset({Outcome.SURVIVED, Outcome.BROKEN})
"""These are tried again by the next run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MutationRun:
    """One run of the command."""

    root: Path
    folder: Path
    """For the results, which the next run reads."""
    modules: Sequence[str]
    sample: int | None
    seed: int
    only: str
    note: Callable[[str], None]

    def run(self) -> bool:
        """Try what was not tried yet, print what survived, and return whether nothing did."""
        self.folder.mkdir(parents=True, exist_ok=True)
        before = self._results()
        all_outcomes: list[Outcome] = []
        survivors: list[str] = []
        with tempfile.TemporaryDirectory(prefix="mutation-") as name:
            copy = Path(name) / "copy"
            shutil.copytree(self.root, copy, ignore=_NOT_COPIED)
            preload(copy)
            trial = Trial(copy, self.folder / "last.log")
            executed = ExecutedLines(trial, self.folder)
            for path in self._paths():
                outcomes: dict[Mutant, Outcome] = {}
                todo = {}
                for mutant, key in self._mutants(path):
                    outcomes[mutant] = before.get(key, Outcome.SURVIVED)
                    if outcomes[mutant] in _OPEN:
                        todo[mutant] = key
                try:
                    for mutant, outcome in self._try(trial, executed, path, list(todo)):
                        outcomes[mutant] = outcome
                        self._keep(todo[mutant], mutant, outcome)
                except TestsFail as err:
                    survivors.append(f"{path} was not tried: {err}")
                    continue
                self.note(_line(path, outcomes.values()))
                all_outcomes += outcomes.values()
                survivors += [
                    f"{outcome}: {mutant.name}"
                    for mutant, outcome in outcomes.items()
                    if outcome in _OPEN
                ]
        for survivor in survivors:
            print(survivor)
        print(_line("all", all_outcomes))
        return not survivors

    def _paths(self) -> list[str]:
        """Return the modules, below the root."""
        found = [file for pattern in self.modules for file in sorted(self.root.glob(pattern))]
        return [file.relative_to(self.root).as_posix() for file in found]

    def _mutants(self, path: str) -> Iterator[tuple[Mutant, str]]:
        """Yield the mutants of a module, or a sample of them, each with its key in the results."""
        source = (self.root / path).read_text(encoding="utf-8")
        mutants = [item for item in mutants_of(path, source) if self.only in item.name]
        if self.sample is not None and len(mutants) > self.sample:
            chosen = set(Random(f"{self.seed}/{path}").sample(mutants, self.sample))
            mutants = [item for item in mutants if item in chosen]
        text = hashlib.sha256(source.encode()).hexdigest()
        for mutant in mutants:
            yield mutant, f"{text[:16]} {mutant.begin} {mutant.end} {mutant.new}"

    def _try(
        self, trial: Trial, executed: ExecutedLines, path: str, mutants: Sequence[Mutant]
    ) -> Iterator[tuple[Mutant, Outcome]]:
        """Try mutants of one module; raises TestsFail.

        Most mutants do not survive the first group of tests; the others are run only for those that do. A
        mutant that no test executes survives without a run.
        """
        groups = tests_of(path, self.root)
        for mutant in mutants:
            outcome = Outcome.SURVIVED
            for files in groups:
                if tests := executed.select(mutant, files):
                    limit = max(_LEAST_LIMIT, _PATIENCE * sum(tests.values()))
                    outcome = trial.outcome(mutant, list(tests), limit)
                if outcome is not Outcome.SURVIVED:
                    break
            yield mutant, outcome

    def _results(self) -> dict[str, Outcome]:
        """Return what was tried before; the last result counts."""
        file = self.folder / _RESULTS
        if not file.exists():
            return {}
        lines = file.read_text(encoding="utf-8").splitlines()
        return {item["key"]: Outcome(item["outcome"]) for item in map(json.loads, lines)}

    def _keep(self, key: str, mutant: Mutant, outcome: Outcome) -> None:
        with (self.folder / _RESULTS).open("a", encoding="utf-8") as file:
            line = {"key": key, "name": mutant.name, "outcome": outcome}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _line(name: str, outcomes: Iterable[Outcome]) -> str:
    counts = Counter(outcomes)
    words = ", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome if counts[outcome])
    return f"{name}: {counts.total()} mutants, {words or 'none tried'}"
