"""Scripts of the project, run as a person would."""

import asyncio
from pathlib import Path
import signal

ROOT = Path(__file__).resolve().parents[2]


async def run(*command: str | Path, patience: float = 300) -> tuple[int, str]:
    """Run a command and return its exit code and its output; it is stopped when the test ends early."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(patience):
            output, _ = await process.communicate()
    except BaseException:
        process.send_signal(signal.SIGTERM)  # it stops its own children
        await process.wait()
        raise
    assert process.returncode is not None
    return process.returncode, output.decode()
