"""The demo: all parts together, as real processes over real HTTP."""

import asyncio
from collections import Counter
import json
from pathlib import Path
import sys
from typing import Any

import pytest

from tests.e2e.scripts import ROOT, run

DAY = {
    "plugged_in",
    "session_started",
    "charging_started",
    "charging_paused",
    "charging_completed",
    "session_ended",
    "session_settled",
    "unplugged",
}

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]


async def test_a_charging_day_is_told_by_real_webhooks(tmp_path: Path) -> None:
    file = tmp_path / "demo.json"
    code, output = await run(ROOT / "scripts" / "demo", "--once", "--port", "0", "--json", file)
    assert code == 0, output
    shown: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))

    vehicle_id = shown["events"][0]["vehicle_id"]
    types = Counter(event["type"] for event in shown["events"] if event["vehicle_id"] == vehicle_id)
    assert types.keys() >= DAY, output
    assert types["plugged_in"] == types["unplugged"] == 1, output
    assert not any(event["late"] for event in shown["events"]), output

    assert shown["push_state"] == "healthy"
    assert shown["webhooks"] >= 1
    assert shown["home_assistant"].count(".") == 2
    assert any(entity_id.startswith("binary_sensor.") for entity_id in shown["entities"])
    for kind in ("webhook", "event"):
        assert 0 <= shown["latency_ms"][kind]["p50"] <= shown["latency_ms"][kind]["p99"] < 5000

    for event_type in DAY:
        assert event_type in output, f"no line shows {event_type}"


async def test_a_taken_port_is_refused_with_a_reason() -> None:
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
