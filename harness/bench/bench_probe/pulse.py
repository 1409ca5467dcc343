"""For how long the event loop had no time for anybody else."""

import asyncio
from contextlib import suppress
import time
from typing import Self

_BEAT = 0.001


class Pulse:
    """Beats each millisecond; `longest` is the longest that a beat had to wait, in seconds."""

    def __init__(self) -> None:
        """Begin with `async with`."""
        self.longest = 0.0
        self._beating: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to beat."""
        self._beating = asyncio.create_task(self._beat())
        return self

    async def __aexit__(self, *error: object) -> None:
        """Beat no more."""
        if self._beating is not None:
            self._beating.cancel()
            with suppress(asyncio.CancelledError):
                await self._beating

    async def _beat(self) -> None:
        while True:
            due = time.monotonic() + _BEAT
            await asyncio.sleep(_BEAT)
            self.longest = max(self.longest, time.monotonic() - due)
