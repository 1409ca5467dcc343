"""Proxy between Jedlix and Home Assistant that can cut their connections."""

import asyncio
import contextlib
from enum import StrEnum
from typing import Self

from ..process import free_port


class HangUp(StrEnum):
    """When the proxy hangs up."""

    NEVER = "never"
    AT_ONCE = "at once"
    """The delivery does not arrive."""
    BEFORE_THE_ANSWER = "before the answer"
    """The delivery arrives, and Jedlix does not learn of it."""


class Proxy:
    """Passes connections on to a port of this machine. Use it as a context manager."""

    def __init__(self, port: int) -> None:
        """Pass on to this port."""
        self._target = port
        self._port = free_port()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.hang_up = HangUp.NEVER

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        return self

    async def __aexit__(self, *error: object) -> None:
        """End all connections."""
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._pass_on(reader, writer)
        except OSError, asyncio.IncompleteReadError:
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.hang_up is HangUp.AT_ONCE:
            return
        there, answers = await asyncio.open_connection("127.0.0.1", self._target)
        up = asyncio.create_task(self._copy(reader, answers, is_answer=False))
        try:
            await self._copy(there, writer, is_answer=True)
        finally:
            up.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await up
            answers.close()

    async def _copy(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, is_answer: bool
    ) -> None:
        while data := await source.read(65536):
            is_cut = self.hang_up is HangUp.AT_ONCE
            if is_cut or (is_answer and self.hang_up is HangUp.BEFORE_THE_ANSWER):
                return
            target.write(data)
            await target.drain()
