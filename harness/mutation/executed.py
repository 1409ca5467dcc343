"""Tests that execute the code of a mutant, as measured once: no other test can notice the mutant.

What was measured of a file of tests is kept. It counts as long as the file and the module are the same.
"""

from collections.abc import Iterable, Mapping, Sequence
import hashlib
import json
from operator import itemgetter
from pathlib import Path
from typing import TypedDict

from coverage import CoverageData

from .mutants import Mutant
from .trial import Outcome, Trial, file_of, seconds_beside

_ALL_TESTS = 1800.0
"""Seconds."""


class TestsFail(Exception):
    """The tests of a module fail on the code as it is, so that they prove nothing about it."""


class _Module(TypedDict):
    text: str
    """A hash of it."""
    lines: dict[str, list[str]]
    """The tests that execute a line, which are all where one of them is empty: at the import."""


class _Measured(TypedDict):
    """What is kept of a file of tests: the seconds of each test, and the modules by their paths."""

    seconds: dict[str, float]
    modules: dict[str, _Module]


class ExecutedLines:
    """Measures files of tests, and chooses tests by the lines of a mutant."""

    def __init__(self, trial: Trial, folder: Path) -> None:
        """Take what runs the tests, and where measurements are kept."""
        self._trial = trial
        self._folder = folder
        self._kept: dict[Path, _Measured] = {}

    def select(self, mutant: Mutant, files: Sequence[str]) -> dict[str, float]:
        """Return the tests of these files that execute the mutant's lines; raises TestsFail.

        Each comes with its seconds, the quickest first. Where code runs at the import of its module, all
        tests count.
        """
        measured = {file: self._read(file, mutant.path) for file in files}
        if missing := [file for file, found in measured.items() if found is None]:
            self._measure(missing, mutant.path)
            measured |= {file: self._read(file, mutant.path) for file in missing}
        seconds: dict[str, float] = {}
        for found in measured.values():
            if found is None:
                continue
            lines = found["modules"][mutant.path]["lines"]
            tests = {test for line in mutant.lines for test in lines.get(str(line), ())}
            all_seconds = found["seconds"]
            seconds |= all_seconds if "" in tests else {test: all_seconds[test] for test in tests}
        return dict(sorted(seconds.items(), key=itemgetter(1)))

    def _measure(self, files: Sequence[str], path: str) -> None:
        data_file = self._folder / "coverage.sqlite"
        if (outcome := self._trial.measure(files, _ALL_TESTS, data_file)) is not Outcome.SURVIVED:
            raise TestsFail(f"{' '.join(files)}: {outcome} without any mutant")
        seconds: dict[str, float] = json.loads(
            seconds_beside(data_file).read_text(encoding="utf-8")
        )
        data = CoverageData(str(data_file))
        data.read()
        executed: dict[str, Mapping[int, list[str]]] = {path: {}}
        for name in data.measured_files():
            module = Path(name).relative_to(self._trial.copy).as_posix()
            executed[module] = data.contexts_by_lineno(name)
        for file in files:
            kept: _Measured = {
                "seconds": {test: took for test, took in seconds.items() if file_of(test) == file},
                "modules": {
                    module: {
                        "text": self._hash(module),
                        "lines": {
                            str(line): _tests(contexts, file) for line, contexts in lines.items()
                        },
                    }
                    for module, lines in executed.items()
                },
            }
            self._kept[self._file(file)] = kept
            self._file(file).parent.mkdir(exist_ok=True)
            self._file(file).write_text(json.dumps(kept), encoding="utf-8")

    def _read(self, file: str, path: str) -> _Measured | None:
        kept = self._file(file)
        if kept not in self._kept:
            if not kept.exists():
                return None
            self._kept[kept] = json.loads(kept.read_text(encoding="utf-8"))
        measured = self._kept[kept]
        module = measured["modules"].get(path)
        return measured if module is not None and module["text"] == self._hash(path) else None

    def _file(self, tests: str) -> Path:
        return self._folder / "executed" / f"{Path(tests).stem}-{self._hash(tests)}.json"

    def _hash(self, path: str) -> str:
        return hashlib.sha256((self._trial.copy / path).read_bytes()).hexdigest()[:16]


def _tests(contexts: Iterable[str], file: str) -> list[str]:
    """Return the tests of a file among contexts as `test|run`; the empty one is an import."""
    names = {context.rpartition("|")[0] for context in contexts}
    return sorted(name for name in names if not name or file_of(name) == file)
