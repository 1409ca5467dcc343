"""Command lines of the scripts: what they share of their options, and how they run and end."""

import argparse
import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
import signal
import sys
from typing import Any

import aiohttp

from .flows import FlowFailed
from .home_api import RestFailed
from .process import ProcessFailed
from .simulator import SimulatorFailed
from .websocket import CommandFailed, Disconnected

INTERRUPTED = 130
FAILURES = (
    ProcessFailed,
    SimulatorFailed,
    FlowFailed,
    RestFailed,
    CommandFailed,
    Disconnected,
    aiohttp.ClientError,
    TimeoutError,
)
"""What can go wrong outside of the harness, each with a message for a person."""


def run(work: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Run the work and return its exit code: 1 when it could not go on, 130 when it was stopped."""
    try:
        return asyncio.run(_until_stopped(work))
    except FAILURES as failure:
        print(f"The run could not go on:\n{failure}", file=sys.stderr)
        return 1
    except asyncio.CancelledError, KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return INTERRUPTED


async def _until_stopped(work: Callable[[], Coroutine[Any, Any, int]]) -> int:
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("not in a task")
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # The children of the run end first, then the run.
        loop.add_signal_handler(number, task.cancel)
    return await work()


def print_progress(text: str) -> None:
    """Print a line about what the run does now."""
    print(f"  {text}", flush=True)


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """Return the type of an option that takes a whole number from `least` to `most`."""

    def number(text: str) -> int:
        if not least <= (value := int(text)) <= most:
            raise argparse.ArgumentTypeError(f"must be from {least} to {most}")
        return value

    return number


def output_file(text: str) -> Path:
    """Read the path of a file to be written; its folder has to exist."""
    path = Path(text)
    if not path.resolve().parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path.resolve().parent}")
    return path
