"""Pages for engineers: the calls of the API as in the code, an example that works, no stale name."""

from pathlib import Path
import re
from typing import Final

from aiohttp import web
from aiohttp.test_utils import TestClient
from homeassistant.core import HomeAssistant
import pytest

from custom_components.jedlix import sensor
from custom_components.jedlix.api.endpoints import ENDPOINTS
from simulator.app import Simulator
from tests.tools import make_entry, set_up, state_of

ROOT: Final = Path(__file__).parents[1]
CALLS: Final = re.compile(r"^\| `(\w+)` \| `([A-Z]+) (\S+)` \| (\w+)", re.MULTILINE)


def test_the_page_on_the_api_has_the_calls_of_the_code() -> None:
    documented = CALLS.findall((ROOT / "docs/api.md").read_text())
    known = [
        (name, endpoint.method, endpoint.path, endpoint.evidence.value)
        for name, endpoint in ENDPOINTS.items()
    ]
    assert documented == known


async def test_the_page_on_the_api_names_the_fields_of_the_documented_message(
    sim: Simulator,
) -> None:
    text = (ROOT / "docs/api.md").read_text()
    (sentence,) = re.findall(r"and the fields (.*?)\(seen", text, re.DOTALL)
    message = sim.webhooks.publish("userCreated", "a-user", sim.now()).message
    assert set(re.findall(r"`(\w+)`", sentence)) == message.keys() - {"isTest"}


async def test_an_entity_is_added_in_ten_lines(
    hass: HomeAssistant,
    home: TestClient[web.Request, web.Application],
    sim: Simulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = (ROOT / "docs/contributing.md").read_text()
    (row,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert row.count("\n") <= 10
    added = eval(f"({row})", vars(sensor))  # as if it stood in the table
    monkeypatch.setattr(sensor, "VEHICLE_SENSORS", (*sensor.VEHICLE_SENSORS, *added))
    sim.vehicle(sim.vehicle_ids[0]).connection_status = "readyToContinue"
    await set_up(hass, make_entry(sim, None))
    assert state_of(hass, "_connection_status") == "readyToContinue"


@pytest.mark.parametrize("page", ["architecture", "contributing", "api"])
def test_every_file_and_script_that_is_named_is_there(page: str) -> None:
    """`push/inbox.py` belongs to the integration, `tests/test_architecture.py` to the whole repository."""
    text = (ROOT / f"docs/{page}.md").read_text()
    named = set(re.findall(r"[\w./-]*\w\.(?:py|yaml|json|md)\b", text))
    named |= set(re.findall(r"scripts/\w+", text))
    places = (ROOT, ROOT / "custom_components/jedlix", ROOT / "docs")
    assert named
    assert not [name for name in named if not any((place / name).exists() for place in places)]
