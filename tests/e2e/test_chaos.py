"""The chaos run in a short form: one kill, one stop, and nothing is lost."""

import json
from pathlib import Path

import pytest

from tests.e2e.scripts import ROOT, run

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]


async def test_nothing_is_lost_in_a_small_storm(tmp_path: Path) -> None:
    file = tmp_path / "chaos.json"
    options = ("--events", "90", "--kills", "1", "--cars", "5", "--seed", "7", "--calm", "15")
    code, output = await run(ROOT / "scripts" / "chaos", *options, "--json", file)
    assert code == 0, output
    figures = json.loads(file.read_text(encoding="utf-8"))
    for name in ("lost", "wrong_state", "errors_logged", "invented"):
        assert figures[name] == 0, f"{name}: {figures['details'][name]}"
    assert figures["kills"] == 1
    assert figures["truth"] == figures["announced"] > 10
    assert figures["webhooks"] > 30
    assert figures["webhooks_lost"] == figures["webhooks_told_twice"] == 0
