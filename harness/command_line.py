"""How a script of ours runs: until it is done or told to end, its children first."""

import asyncio
from collections.abc import Callable, Coroutine
import signal
import sys
from typing import Any

INTERRUPTED = 130


def run(work: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Run the work and return its exit code, or 130 when it was told to end."""
    try:
        return asyncio.run(_until_told(work))
    except asyncio.CancelledError, KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return INTERRUPTED


async def _until_told(work: Callable[[], Coroutine[Any, Any, int]]) -> int:
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("not in a task")
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # However we are told to end: children first, then we.
        loop.add_signal_handler(number, task.cancel)
    return await work()
