"""Where the harness finds the project, and the one folder in which it may leave files."""

import os
from pathlib import Path
import shutil
import time

ROOT = Path(__file__).resolve().parent.parent
INTEGRATION = ROOT / "custom_components" / "jedlix"
IMPATIENT = ROOT / "harness" / "impatient"
WORK = ROOT / ".work"
"""Ignored by git. Everything that a run writes lies in one folder below it."""


def new_run_folder(name: str) -> Path:
    """Make a folder for one run, named so that runs sort by time and never collide."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    folder = WORK / f"{name}-{stamp}-{os.getpid()}"
    folder.mkdir(parents=True)
    return folder


def remove_run_folder(folder: Path) -> None:
    """Remove what one run left; a folder outside `.work` is refused.

    `.work` itself goes as well once it is empty.
    """
    if WORK not in folder.parents:
        raise ValueError(f"{folder} is not inside {WORK}")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        WORK.rmdir()
    except OSError:
        return
