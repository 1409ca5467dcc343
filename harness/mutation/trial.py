"""Trial of one mutant: a copy of the project with it, and the tests in a process of their own.

The process is a fork of one that has Home Assistant in memory already: that is most of what a test waits for.
"""

from collections.abc import Sequence
import compileall
from contextlib import suppress
from enum import StrEnum
import importlib
import os
from pathlib import Path
import py_compile
import signal
import sys
import time

from .mutants import Mutant

_PRELOADED = (
    "pytest_homeassistant_custom_component.plugins",
    "homeassistant.components.http",
    "homeassistant.components.recorder.statistics",
    "hypothesis.stateful",
    "simulator.app",
)
_POLL = 0.02
_FAILED = 1
"""pytest's exit code where a test failed."""


class Outcome(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    TIMEOUT = "timeout"
    """The tests did not end in their time, so somebody would have noticed."""
    SURVIVED = "survived"
    BROKEN = "broken"
    """The tests could not be run; this proves nothing."""


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
        self._copy = copy
        self._log = log

    def outcome(self, mutant: Mutant, tests: Sequence[str], limit: float) -> Outcome:
        """Run the tests on a mutant, for so many seconds at most."""
        file = self._copy / mutant.path
        source = file.read_text(encoding="utf-8")
        file.write_text(mutant.apply(source), encoding="utf-8")
        try:
            return self.run(tests, limit, keeps_compiled=False)
        finally:
            file.write_text(source, encoding="utf-8")

    def run(self, tests: Sequence[str], limit: float, *, keeps_compiled: bool = True) -> Outcome:
        """Run the tests on the copy as it is, for so many seconds at most."""
        process = os.fork()
        if process == 0:
            self._test(tests, keeps_compiled=keeps_compiled)
        ends = time.monotonic() + limit
        while time.monotonic() < ends:
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                code = os.waitstatus_to_exitcode(status)
                return {0: Outcome.SURVIVED, _FAILED: Outcome.KILLED}.get(code, Outcome.BROKEN)
            time.sleep(_POLL)
        os.killpg(process, signal.SIGKILL)
        os.waitpid(process, 0)
        return Outcome.TIMEOUT

    def _test(self, tests: Sequence[str], *, keeps_compiled: bool) -> None:
        """Run pytest in this process, which is the child, and end it."""
        code = int(os.EX_SOFTWARE)
        try:
            os.setpgid(0, 0)
            os.chdir(self._copy)
            sys.dont_write_bytecode = not keeps_compiled
            log = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(log, 1)
            os.dup2(log, 2)
            import pytest  # noqa: PLC0415  only the child tests

            options = ("-x", "-q", "--tb=line", "-p", "no:cacheprovider", "--hypothesis-seed=0")
            # What is in memory already cannot be rewritten, which it says as a warning.
            silent = ("-W", "ignore::pytest.PytestAssertRewriteWarning")
            code = int(pytest.main([*options, *silent, *tests]))
        finally:
            sys.stdout.flush()
            os._exit(code)
