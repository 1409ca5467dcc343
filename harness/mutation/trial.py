"""Trial of one mutant: a copy of the project with it, and the tests in a process of their own.

The process is a fork of one that has Home Assistant in memory already: that is most of what a test waits for.
"""

from collections.abc import Callable, Sequence
import compileall
from contextlib import suppress
from enum import StrEnum
from functools import partial
import importlib
import json
import os
from pathlib import Path
import py_compile
import signal
import sys
import time
from typing import Never

import pytest

from .mutants import Mutant

_PRELOADED = (
    "pytest_homeassistant_custom_component.plugins",
    "homeassistant.components.http",
    "homeassistant.components.recorder.statistics",
    "hypothesis.stateful",
    "simulator.app",
)
_POLL = 0.02


class Outcome(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    TIMEOUT = "timeout"
    """The tests did not end in their time, so somebody would have noticed."""
    SURVIVED = "survived"
    BROKEN = "broken"
    """The tests could not be run; this proves nothing."""


_OUTCOMES: dict[int, Outcome] = {
    pytest.ExitCode.OK: Outcome.SURVIVED,
    pytest.ExitCode.TESTS_FAILED: Outcome.KILLED,
    # The tests' conftest cannot import the module.
    pytest.ExitCode.USAGE_ERROR: Outcome.KILLED,
}


def preload(copy: Path) -> None:
    """Import what all tests need and no mutant changes, and compile the copy.

    The compiled modules are checked against the text of the code: times of files are too coarse.
    """
    checked = py_compile.PycInvalidationMode.CHECKED_HASH
    compileall.compile_dir(copy, quiet=2, invalidation_mode=checked)
    sys.path.insert(0, str(copy))
    for name in _PRELOADED:
        with suppress(ImportError):
            importlib.import_module(name)


class Trial:
    """Tries one mutant after the other in a copy of the project."""

    def __init__(self, copy: Path, log: Path) -> None:
        """Take the copy, and where the tests print."""
        self.copy = copy
        self._log = log

    def outcome(self, mutant: Mutant, tests: Sequence[str], limit: float) -> Outcome:
        """Run the tests on a mutant, in their order, for so many seconds at most."""
        file = self.copy / mutant.path
        source = file.read_text(encoding="utf-8")
        file.write_text(mutant.apply(source), encoding="utf-8")
        try:
            return self._in_child(partial(self._try, tests), limit)
        finally:
            file.write_text(source, encoding="utf-8")

    def measure(self, files: Sequence[str], limit: float, data_file: Path) -> Outcome:
        """Run the tests of files on the copy as it is, and write which lines each executes, for `coverage`.

        The seconds of each test are written beside, as JSON.
        """
        return self._in_child(partial(self._measure, files, data_file), limit)

    def _in_child(self, work: Callable[[], Never], limit: float) -> Outcome:
        process = os.fork()
        if process == 0:
            work()
        ends = time.monotonic() + limit
        while time.monotonic() < ends:
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                return _OUTCOMES.get(os.waitstatus_to_exitcode(status), Outcome.BROKEN)
            time.sleep(_POLL)
        os.killpg(process, signal.SIGKILL)
        os.waitpid(process, 0)
        return Outcome.TIMEOUT

    def _try(self, tests: Sequence[str]) -> Never:
        sys.dont_write_bytecode = True
        self._test(list(dict.fromkeys(map(file_of, tests))), _Chosen(tests))

    def _measure(self, files: Sequence[str], data_file: Path) -> Never:
        # Only this tracer knows which test executes a line.
        os.environ |= {"COVERAGE_FILE": str(data_file), "COVERAGE_CORE": "ctrace"}
        options = ("--cov=custom_components", "--cov-context=test", "--cov-report=")
        self._test([*options, *files], _Seconds(seconds_beside(data_file)))

    def _test(self, arguments: Sequence[str], plugin: object) -> Never:
        """Run pytest in this process, which is the child, and end it."""
        code = int(os.EX_SOFTWARE)
        try:
            os.setpgid(0, 0)
            os.chdir(self.copy)
            log = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(log, 1)
            os.dup2(log, 2)
            options = ("-x", "-q", "--tb=line", "-p", "no:cacheprovider", "--hypothesis-seed=0")
            # What is in memory already cannot be rewritten, which it says as a warning.
            silent = ("-W", "ignore::pytest.PytestAssertRewriteWarning")
            code = int(pytest.main([*options, *silent, *arguments], plugins=[plugin]))
        finally:
            sys.stdout.flush()
            os._exit(code)


def file_of(test: str) -> str:
    """Return the file of a test."""
    return test.partition("::")[0]


def seconds_beside(data_file: Path) -> Path:
    """Return the file that has the seconds of each test, beside the data of `coverage`."""
    return data_file.with_suffix(".json")


class _Seconds:
    """Plugin of pytest: writes how many seconds each test takes, set-up included."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seconds: dict[str, float] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] = self._seconds.get(report.nodeid, 0.0) + report.duration

    def pytest_sessionfinish(self) -> None:
        self._file.write_text(json.dumps(self._seconds), encoding="utf-8")


class _Chosen:
    """Plugin of pytest: runs some of the tests, in their order."""

    def __init__(self, tests: Sequence[str]) -> None:
        self._places = {test: place for place, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if item.nodeid in self._places]
        items.sort(key=lambda item: self._places[item.nodeid])
