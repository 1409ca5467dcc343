"""The bench in its short form: it fails only when something has become much more expensive.

The exact limits are those of the long form; see docs/performance.md.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.scripts import ROOT, run

CARS = 50
LIMITS = {
    "delivery_above_floor_vs_peer": 4.0,
    "refused_vs_empty": 1.7,
    f"delivery_{CARS}_cars_vs_1": 1.6,
    "event_vs_api_round_trip": 3.0,
    "catch_up_vs_json": 12,
    "loop_blocked_ms_catch_up": 500,
    "setup_waits_ms": 1500,
    f"kib_per_car_of_{CARS}": 1000,
}
"""Ratios and waits, with room for a busy machine."""
CALLS = {
    "idle_poll_calls_1_car": 3,
    f"idle_poll_calls_{CARS}_cars": 7,
    "calls_per_100_requests": 4,
    "calls_per_hour_plugged_in_1_car": 200,
    f"calls_per_hour_plugged_in_{CARS // 5}_of_{CARS}": 2000,
}
"""Counted in the simulator's log, so that a busy machine makes no difference."""

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


async def test_nothing_has_become_much_dearer(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    _, output = await run(
        ROOT / "scripts" / "bench", "--quick", "--cars", str(CARS), "--json", file
    )
    assert "could not go on" not in output, output
    figures: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    for name, limit in LIMITS.items():
        assert 0 < figures[name] <= limit, output
    for name, limit in CALLS.items():
        if name == "calls_per_100_requests" and name not in figures:
            continue  # the machine was too busy for a hundred POSTs in a second
        assert 0 < figures[name] <= limit, output
    assert figures["states_written_per_idle_poll_1_car"] == 0, output
    assert figures[f"states_written_per_idle_poll_{CARS}_cars"] == 0, output
