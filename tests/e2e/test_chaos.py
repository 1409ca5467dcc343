"""Nothing lost in a small storm with one kill and one stop. `scripts/chaos` is the big one."""

import json
from pathlib import Path

import pytest

from tests.e2e.test_demo import ROOT, run

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]


async def test_nothing_is_lost_in_a_small_storm(tmp_path: Path) -> None:
    file = tmp_path / "chaos.json"
    options = ("--events", "90", "--kills", "1", "--cars", "5", "--seed", "7", "--calm", "15")
    code, output = await run(ROOT / "scripts" / "chaos", *options, "--json", file)
    assert code == 0, output
    told = json.loads(file.read_text(encoding="utf-8"))
    for name in ("lost", "wrong_state", "errors_logged", "invented"):
        assert told[name] == 0, f"{name}: {told['details'][name]}"
    assert told["kills"] == 1
    assert told["truth"] == told["announced"] > 10
    assert told["webhooks"] > 30
    assert told["webhooks_lost"] == told["webhooks_told_twice"] == 0
