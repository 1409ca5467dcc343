"""The harness leaves nothing running, however it ends."""

import asyncio
import os
from pathlib import Path
import signal
import subprocess
import sys
import time

import pytest

from harness.process import Child, ProcessFailed

ROOT = Path(__file__).resolve().parents[2]
SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
PARENT = f"""
import asyncio, pathlib, sys, time
from harness.process import Child
async def main():
    folder = pathlib.Path(sys.argv[1])
    child = await Child.start("A sleeper", {SLEEPER!r}, log=folder / "log", folder=folder)
    print(child.pid, flush=True)
    time.sleep(600)
asyncio.run(main())
"""

pytestmark = pytest.mark.e2e


def is_alive(pid: int) -> bool:
    try:
        return (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").split(")")[-1].split()[0] != "Z"
        )
    except OSError:
        return False


def ends(pid: int) -> bool:
    for _ in range(100):
        if not is_alive(pid):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux does it")
def test_the_children_of_a_killed_harness_end_with_it(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, tmp_path], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_alive(child)
        os.kill(parent.pid, signal.SIGKILL)
    assert ends(child)


async def test_a_child_that_does_not_stop_is_killed_with_its_own_children(
    tmp_path: Path,
) -> None:
    stubborn = "trap '' TERM; sleep 600 & echo $! > grandchild; echo up; while :; do wait; done"
    child = await Child.start(
        "A stubborn child", ["sh", "-c", stubborn], log=tmp_path / "log", folder=tmp_path
    )
    while not (tmp_path / "log").read_text(encoding="utf-8"):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    grandchild = int((tmp_path / "grandchild").read_text(encoding="utf-8"))
    assert await child.stop(patience=0.2) == -signal.SIGKILL
    assert ends(grandchild)


async def test_a_failure_shows_the_end_of_the_log(tmp_path: Path) -> None:
    child = await Child.start(
        "A short child",
        ["sh", "-c", "echo last words; exit 3"],
        log=tmp_path / "log",
        folder=tmp_path,
    )
    while child.exit_code is None:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert await child.stop() == 3
    failure = child.failed("ended by itself")
    assert isinstance(failure, ProcessFailed)
    assert "exit code 3" in str(failure)
    assert "last words" in str(failure)
