"""The demo is the proof that all of it lives together: real processes, real HTTP, once."""

import asyncio
from collections import Counter
import json
from pathlib import Path
import signal
import sys
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
DAY = {
    "plugged_in",
    "session_started",
    "charging_started",
    "charging_paused",
    "charging_completed",
    "session_ended",
    "unplugged",
}

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]


async def run(*command: str | Path, patience: float = 300) -> tuple[int, str]:
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
        process.send_signal(signal.SIGTERM)  # it stops what it has started
        await process.wait()
        raise
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_a_charging_day_is_told_by_real_webhooks(tmp_path: Path) -> None:
    file = tmp_path / "demo.json"
    code, output = await run(ROOT / "scripts" / "demo", "--once", "--port", "0", "--json", file)
    assert code == 0, output
    told: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))

    driven = told["events"][0]["vehicle_id"]
    types = Counter(event["type"] for event in told["events"] if event["vehicle_id"] == driven)
    assert types.keys() >= DAY, output
    assert types["plugged_in"] == types["unplugged"] == 1, output
    assert not any(event["late"] for event in told["events"]), output

    assert told["push_state"] == "healthy"
    assert told["webhooks"] >= 1
    assert told["home_assistant"].count(".") == 2
    assert any(entity_id.startswith("binary_sensor.") for entity_id in told["entities"])
    for kind in ("webhook", "event"):
        assert 0 <= told["latency_ms"][kind]["p50"] <= told["latency_ms"][kind]["p99"] < 5000

    for made_of_it in DAY:
        assert made_of_it in output, f"no line tells {made_of_it}"


async def test_a_taken_port_is_refused_in_words() -> None:
    server = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import socket, sys; s = socket.create_server(('127.0.0.1', 0));"
        " print(s.getsockname()[1], flush=True); sys.stdin.read()",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert server.stdout is not None
    port = (await server.stdout.readline()).decode().strip()
    try:
        code, output = await run(ROOT / "scripts" / "demo", "--once", "--port", port)
    finally:
        server.kill()
        await server.wait()
    assert code == 2
    assert f"port {port} is taken" in output
