"""Child processes that can not outlive us.

Each child leads a process group of its own, so that Ctrl-C reaches only us and we
end the children in order, and so that one signal reaches what they started. Should
we be killed, the kernel kills them (Linux only: elsewhere every other way of ending
still stops them, a `kill -9` of the harness does not).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
import contextlib
import ctypes
import os
from pathlib import Path
import signal
import sys
from typing import Self

PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class ProcessFailed(Exception):
    """A child did not come up, or went down by itself; the message carries its last words."""


class Child:
    """One running process, its group and its log."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        """Use `Child.start`."""
        self.name = name
        self.log = log
        self._process = process

    @classmethod
    async def start(
        cls,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        folder: Path,
        environment: Mapping[str, str] | None = None,
    ) -> Self:
        """Start `command` in `folder`; what it prints is appended to `log`.

        To be called on the main thread: the kernel ends the child together with
        the thread that started it.
        """
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                cwd=folder,
                env=None if environment is None else dict(environment),
                start_new_session=True,
                preexec_fn=_dies_with(os.getpid()),
            )
        return cls(name, process, log)

    @property
    def pid(self) -> int:
        """The process id, which is the id of its group as well."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.returncode

    async def stop(self, patience: float = 20.0) -> int:
        """Ask it to end, wait up to `patience` seconds, then kill; returns the exit code."""
        if self.exit_code is None:
            self._signal_group(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._process.wait()
        return await self.kill()

    async def kill(self) -> int:
        """End it and whatever is left of its group at once; returns the exit code."""
        self._signal_group(signal.SIGKILL)
        return await self._process.wait()

    def last_words(self, lines: int = 25) -> str:
        """Return the end of the log, for a message to a person."""
        try:
            with self.log.open(encoding="utf-8", errors="replace") as log:
                return "".join(deque(log, maxlen=lines)).rstrip()
        except OSError as error:
            return f"(no log: {error})"

    def failed(self, what: str) -> ProcessFailed:
        """Build the error for `what` went wrong, with the end of the log under it."""
        state = "" if self.exit_code is None else f" (exit code {self.exit_code})"
        words = self.last_words() or "(it printed nothing)"
        return ProcessFailed(f"{self.name} {what}{state}. The end of {self.log}:\n{words}")

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)


def _dies_with(parent: int) -> Callable[[], None] | None:
    """Return what a child does before it becomes the program: tie its life to ours."""
    if _LIBC is None:
        return None
    prctl = _LIBC.prctl

    def tie() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # we were killed in between
            os._exit(1)

    return tie
