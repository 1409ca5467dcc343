"""Home Assistant as a process: started, stopped, killed and started again, never left running."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
import os
from pathlib import Path
import re
import sys
from typing import Self

from . import config_folder
from .home_api import HomeApi
from .paths import INTEGRATION, ROOT
from .process import Child, free_port

START_PATIENCE = 240.0
"""Seconds. A first start may install packages and compile everything."""
LOG = "home-assistant.log"
_RECORD = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+(?:[+-]\d\d:\d\d)? ([A-Z]+) \(")


class Home:
    """A Home Assistant with its own folder. Use it as a context manager: it always ends."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        integration: Path = INTEGRATION,
        log_levels: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare `folder`, which must be new; nothing is started yet. Port 0: any free one."""
        self.folder = folder
        port = port or free_port()
        self.api = HomeApi(f"http://127.0.0.1:{port}")
        self._child: Child | None = None
        self.started_by: tuple[str, ...] = ()
        """A command that runs the process, with its arguments: for a wrong clock, say."""
        config_folder.prepare(folder, integration, port=port, log_levels=log_levels)

    async def start(self) -> None:
        """Start it and wait until everything is set up and `api` is signed in.

        Raises `ProcessFailed`, with the end of its log, when it does not come up.
        """
        _keep_log(self.folder)
        child = self._child = await Child.start(
            "Home Assistant",
            [
                *(*self.started_by, sys.executable, "-m", "homeassistant"),
                *("-c", self.folder, "--log-no-color"),
            ],
            log=self.folder / "console.log",
            folder=self.folder,
            environment=self._environment(),
        )
        try:
            async with asyncio.timeout(START_PATIENCE):
                await _until(child, self.api.answers)
                await self.api.sign_in()
                await _until(child, self.api.is_running)
        except TimeoutError:
            raise child.failed(f"was not ready after {START_PATIENCE:.0f} s") from None

    async def stop(self) -> None:
        """Stop it as a user would: everything is saved."""
        if self._child is not None:
            await self._child.stop()
            self._child = None

    async def kill(self) -> None:
        """Kill it as a power cut would: nothing more is saved."""
        if self._child is not None:
            await self._child.kill()
            self._child = None

    async def restart(self) -> None:
        """Stop it and start it again, in the same folder, on the same port."""
        await self.stop()
        await self.start()

    @property
    def pid(self) -> int:
        """The process id, for measuring."""
        if self._child is None:
            raise RuntimeError("Home Assistant is not started")
        return self._child.pid

    @property
    def base_url(self) -> str:
        """Its address on this machine."""
        return self.api.base_url

    def exited(self) -> str:
        """Return how it ended although nobody stopped it; empty while all is well."""
        return "" if self._child is None else self._child.ended_by_itself()

    def log_errors(self, naming: str = "") -> list[str]:
        """Return the errors logged over all starts, with their traces, that contain `naming`."""
        return log_errors(self.folder, naming)

    async def close(self) -> None:
        """Stop the process and close our connections to it."""
        await self.api.close()
        await self.stop()

    async def __aenter__(self) -> Self:
        """Start it."""
        try:
            await self.start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        """End it."""
        await self.close()

    def _environment(self) -> dict[str, str]:
        environment = dict(os.environ)
        # Without its bytecode, every start takes three times as long.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        # With ours, the custom_components of the project would be found beside the linked one.
        environment.pop("PYTHONPATH", None)
        return environment


async def _until(child: Child, ready: Callable[[], Awaitable[bool]]) -> None:
    while not await ready():
        if child.exit_code is not None:
            raise child.failed("ended while it was starting")
        await asyncio.sleep(0.1)


def _keep_log(folder: Path) -> None:
    """Rename the log of the last start; Home Assistant itself keeps only one old log."""
    log = folder / LOG
    if log.exists():
        log.rename(folder / f"{log.stem}.{len(_kept_logs(folder)) + 1:03}.log")


def _kept_logs(folder: Path) -> list[Path]:
    return sorted(folder.glob("home-assistant.[0-9][0-9][0-9].log"))


def log_errors(folder: Path, naming: str = "") -> list[str]:
    """Return the errors in the logs of all starts, each with its trace, that contain `naming`.

    `naming` is searched for in the whole record, in any case of letters: Home Assistant often logs an error
    of ours, and only the trace names us.
    """
    found: list[list[str]] = []
    for log in [*_kept_logs(folder), folder / LOG]:
        if not log.exists():
            continue
        wanted = False
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            if record := _RECORD.match(line):
                if wanted := record[1] in {"ERROR", "CRITICAL", "FATAL"}:
                    found.append([line])
            elif wanted:
                found[-1].append(line)
    records = ["\n".join(lines) for lines in found]
    # Traces are full of paths, and the checkout itself may have the integration's name.
    return [record for record in records if naming.lower() in record.replace(str(ROOT), "").lower()]
