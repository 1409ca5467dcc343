"""Child processes that cannot outlive us, and free ports for them.

Each child leads a process group of its own. So Ctrl-C reaches only us, we end the children in order, and one
signal reaches what they started. When we are killed, the kernel kills them. That works on Linux only:
elsewhere a `kill -9` of the harness leaves them running.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
import contextlib
import ctypes
import os
from pathlib import Path
import signal
import socket
import sys
from typing import Self

PR_SET_PDEATHSIG = 1
LOG_LINES = 25
"""How much of a log a message to a person has."""
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class ProcessFailed(Exception):
    """A child did not start, or ended by itself; the message has the end of its log."""


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

        Call it on the main thread: the kernel ends the child together with the thread that started it.
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
                preexec_fn=_die_with(os.getpid()),
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

    async def stop(self, patience: float = 60.0) -> int:
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

    def failed(self, what: str) -> ProcessFailed:
        """Return the error for what went wrong, with the end of the log under it."""
        state = "" if self.exit_code is None else f" (exit code {self.exit_code})"
        with self.log.open(encoding="utf-8", errors="replace") as log:
            end = "".join(deque(log, maxlen=LOG_LINES)).rstrip() or "(it printed nothing)"
        return ProcessFailed(f"{self.name} {what}{state}. The end of {self.log}:\n{end}")

    def ended_by_itself(self) -> str:
        """Return how the child ended although nobody stopped it; empty while it runs."""
        return "" if self.exit_code is None else str(self.failed("ended by itself"))

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)


def _die_with(parent: int) -> Callable[[], None] | None:
    """Return what a child does before it becomes the program, so that it ends when its parent ends."""
    if _LIBC is None:
        return None
    prctl = _LIBC.prctl

    def request_death_signal() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the parent was killed in between
            os._exit(1)

    return request_death_signal


def free_port() -> int:
    """Return a port that was free a moment ago.

    Another process can take it before ours does. Then ours does not start, and its log says why.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def is_free(port: int) -> bool:
    """Return whether a server could listen on this port, on any address of the machine."""
    with socket.socket() as probe:
        # As servers do: a port counts as free although its last connections are still closing.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True
