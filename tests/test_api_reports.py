"""API reports of clouds that differ: the reports differ too, and those of one cloud agree."""

from datetime import timedelta
from itertools import combinations
import re
from typing import Any, Final

from homeassistant.core import HomeAssistant
import pytest

from custom_components.jedlix.api.endpoints import ENDPOINTS, Evidence
from custom_components.jedlix.const import CONF_EVENT_TYPES
from custom_components.jedlix.push.event_types import DEFAULT_EVENT_TYPES
from tests.push.tools import poll_after, push_of, toggle_plug
from tests.simulators import StartSimulator
from tests.tools import Clock, make_entry, set_up, until

ASSUMED: Final = [name for name, item in ENDPOINTS.items() if item.evidence is Evidence.ASSUMED]


def catch_all(kind: str) -> dict[str, Any]:
    """Return the settings of a cloud that answers the calls that are not documented too, with 200."""
    faults = {"faults": [{"kind": kind, "endpoints": ASSUMED}]}
    return {"event_types": {}, "faults": faults}


# The settings of the simulator by cloud.
CLOUDS: Final[dict[str, dict[str, Any]]] = {
    "default": {},
    "partial": {"mode": "partial"},
    "strict": {"mode": "strict"},
    "PascalCase": {"faults": {"spelling": "PascalCase"}},
    "four subscriptions": {"faults": {"subscription_limit": 4}},
    "noisy": {"mode": "noisy"},
    "catch-all {}": catch_all("empty_object"),
    "catch-all []": catch_all("empty_list"),
    "catch-all HTML": catch_all("html"),
}


async def report_of(
    cloud: str,
    hass: HomeAssistant,
    start_simulator: StartSimulator,
    callback_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Any:
    """Return the report of a cloud after a plug-in and half an hour of polls."""
    sim = await start_simulator(**CLOUDS[cloud])
    clock = Clock(monkeypatch, sim)
    entry = make_entry(sim, callback_url, options={CONF_EVENT_TYPES: list(DEFAULT_EVENT_TYPES)})
    await set_up(hass, entry)
    await until(hass, lambda: push_of(entry).state in ("waiting", "limited"))
    toggle_plug(sim)
    await sim.delivered()
    await poll_after(hass, clock, entry, *[timedelta(minutes=11)] * 3)
    report = entry.runtime_data.api_report()
    await hass.config_entries.async_remove(entry.entry_id)
    await sim.stop()
    return report


def findings_of(report: Any) -> dict[str, Any]:
    """Return what a report says of a cloud, without times and numbers."""
    calls = report["calls"].items()
    return {
        "offered": report["offered"],
        "event types": report["event_types"],
        "answers": {
            name: {status: sorted(found["bodies"]) for status, found in call["answers"].items()}
            for name, call in calls
        },
        "forms": {
            name: re.findall("[a-z]+(?= of| \\()", call["shape"][""])
            for name, call in calls
            if "shape" in call
        },
    }


async def test_reports_of_different_clouds_differ_and_those_of_one_cloud_agree(
    hass: HomeAssistant,
    start_simulator: StartSimulator,
    callback_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def look_at(cloud: str) -> dict[str, Any]:
        report = await report_of(cloud, hass, start_simulator, callback_url, monkeypatch)
        return findings_of(report)

    findings = {cloud: await look_at(cloud) for cloud in CLOUDS}
    for one, other in combinations(CLOUDS, 2):
        assert findings[one] != findings[other], (one, other)
    for cloud in ("default", "partial", "catch-all HTML"):
        assert await look_at(cloud) == findings[cloud]
