"""Paths of the project, and the one folder in which a run may leave files."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
import os
from pathlib import Path
import shutil
import time

ROOT = Path(__file__).resolve().parent.parent
INTEGRATION = ROOT / "custom_components" / "jedlix"
IMMEDIATE_REPAIRS = ROOT / "harness" / "immediate_repairs"
WORK = ROOT / ".work"
"""Ignored by git. Everything that a run writes is in one folder below it."""


@dataclass(slots=True)
class RunFolder:
    """The folder of one run. It is kept until the run says that nobody wants to read its logs."""

    path: Path
    keep: bool = True


@contextmanager
def run_folder(name: str, note: Callable[[str], None]) -> Iterator[RunFolder]:
    """Make a folder for one run, named so that runs sort by time; at the end remove it or say where it is."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    folder = RunFolder(WORK / f"{name}-{stamp}-{os.getpid()}")
    folder.path.mkdir(parents=True)
    try:
        yield folder
    except asyncio.CancelledError:
        folder.keep = False
        raise
    finally:
        if folder.keep and any(folder.path.iterdir()):
            note(f"Logs: {folder.path}")
        else:
            shutil.rmtree(folder.path, ignore_errors=True)
            with suppress(OSError):  # another run has its folder there
                WORK.rmdir()
