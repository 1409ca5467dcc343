"""The chaos run in a short form: green on the integration, and red on falsified copies of it."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.e2e.scripts import ROOT, run

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

RUN = [
    *("--short", "--events", "150", "--kills", "1", "--cars", "8", "--seed", "7"),
    *("--calm", "6", "--patience", "80"),
]
SELF_TEST = ["--self-test", "--short", "--jobs", "2", "--seed", "7"]


async def test_nothing_is_lost_in_a_small_storm(tmp_path: Path) -> None:
    """Falsified copies are run at the same time, and must be red: most of a run is waiting."""
    file, table = tmp_path / "chaos.json", tmp_path / "self-test.json"
    (code, output), (self_code, self_output) = await asyncio.gather(
        run(ROOT / "scripts" / "chaos", *RUN, "--json", file, patience=400),
        run(ROOT / "scripts" / "chaos", *SELF_TEST, "--json", table, patience=400),
    )
    assert code == 0, output
    figures = json.loads(file.read_text(encoding="utf-8"))
    assert figures["failures"] == {}
    for name in ("lost", "wrong_state", "errors_logged", "invented", "wrong_details"):
        assert figures[name] == 0, f"{name}: {figures['details'][name]}"
    assert figures["kills"] == 1
    assert figures["announced"] > 30
    assert figures["webhooks"] > 30
    assert figures["triggers"] > 30
    assert figures["known_gaps"]

    assert self_code == 0, self_output
    outcomes = json.loads(table.read_text(encoding="utf-8"))["outcomes"]
    assert sum(len(outcome["expected"]) for outcome in outcomes) >= 12
    for outcome in outcomes:
        for name, expected in outcome["expected"].items():
            assert set(expected) & set(outcome["red"]), f"the run is blind: {name}"
