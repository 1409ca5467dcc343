"""Shared call: several callers wait for the one call that is under way."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any


class SharedCall[T]:
    """Runs a call once for all callers who want it at the same time; each gets its result or its error.

    A caller who is cancelled leaves the call running, also when nobody else waits for it. A call that then
    fails does so silently.
    """

    def __init__(self) -> None:
        """Begin with no call under way."""
        self._running: dict[Hashable, asyncio.Task[T]] = {}

    async def join(self, call: Callable[[], Coroutine[Any, Any, T]], key: Hashable = None) -> T:
        """Wait for the call under way with this key, or start it; return its result or raise its error."""
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.create_task(call())
            task.add_done_callback(lambda done: self._forget(key, done))
        # asyncio.shield would log the error of a call whose caller was cancelled.
        await asyncio.wait([task])
        return task.result()

    async def wait(self) -> None:
        """Wait for the calls under way; what they come to does not matter."""
        if self._running:
            await asyncio.wait(self._running.values())

    def _forget(self, key: Hashable, task: asyncio.Task[T]) -> None:
        del self._running[key]
        if not task.cancelled():
            task.exception()  # Retrieved here too: asyncio warns of an error that nobody has retrieved.
