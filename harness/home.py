"""One Home Assistant process: started, stopped, killed and started again, never left over."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
import os
from pathlib import Path
import sys
from typing import Self

from . import config_folder, home_log
from .home_api import HomeApi
from .paths import INTEGRATION
from .ports import free_port
from .process import Child

START_PATIENCE = 240.0
"""Seconds. A first start may install packages and compile everything."""


class Home:
    """A Home Assistant with its own folder. Use it as a context manager: it always ends."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        integration: Path = INTEGRATION,
        name: str = "Home",
        language: str = "en",
        log_levels: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare `folder`, which must be new; nothing is started yet. Port 0: any free one."""
        self.folder = folder
        self.port = port or free_port()
        self.api = HomeApi(f"http://127.0.0.1:{self.port}")
        self._child: Child | None = None
        config_folder.prepare(
            folder,
            integration,
            port=self.port,
            name=name,
            language=language,
            log_levels=log_levels,
        )

    async def start(self) -> None:
        """Start it and wait until everything is set up and `api` is signed in.

        Raises `ProcessFailed`, with the end of its log, when it does not come up.
        """
        home_log.keep_for_later(self.folder)
        child = self._child = await Child.start(
            "Home Assistant",
            [sys.executable, "-m", "homeassistant", "-c", self.folder, "--log-no-color"],
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
        """End it as a user would: everything is saved."""
        if self._child is not None:
            await self._child.stop()
            self._child = None

    async def kill(self) -> None:
        """End it as a power cut would: nothing more is saved."""
        if self._child is not None:
            await self._child.kill()
            self._child = None

    async def restart(self) -> None:
        """Stop it and start it again, in the same folder, on the same port."""
        await self.stop()
        await self.start()

    @property
    def pid(self) -> int:
        """The process id, for measuring and for killing at an awkward moment."""
        if self._child is None:
            raise RuntimeError("Home Assistant is not started")
        return self._child.pid

    @property
    def base_url(self) -> str:
        """Its address on this machine."""
        return self.api.base_url

    def exited(self) -> str:
        """Say how it went down by itself, with its last words; empty while all is well."""
        if self._child is None or self._child.exit_code is None:
            return ""
        return str(self._child.failed("ended by itself"))

    def log_errors(self, naming: str = "") -> list[str]:
        """Return the errors logged over all starts, with their traces, that contain `naming`."""
        return home_log.errors(self.folder, naming)

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
        # Ours names the project, whose custom_components would come in beside the linked one.
        environment.pop("PYTHONPATH", None)
        return environment


async def _until(child: Child, ready: Callable[[], Awaitable[bool]]) -> None:
    while not await ready():
        if child.exit_code is not None:
            raise child.failed("ended while it was starting")
        await asyncio.sleep(0.1)
