"""Long gaps: Home Assistant is off for longer than ended sessions are remembered."""

from datetime import timedelta
from typing import Any

from homeassistant.core import HomeAssistant
import pytest

from simulator.app import Simulator
from tests.commanding import add_session, poll
from tests.coordinator.tools import set_up_without_push
from tests.simulators import StartSimulator
from tests.tools import Clock, record_events

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    "settings", [{}, {"mode": "strict"}, {"faults": {"forbidden": ["sessions"]}}], ids=str
)
async def test_the_sessions_of_two_weeks_without_home_assistant_are_published_late_and_once(
    hass: HomeAssistant,
    start_simulator: StartSimulator,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, Any],
) -> None:
    sim: Simulator = await start_simulator(**settings)
    entry, clock = await set_up_without_push(hass, sim), Clock(monkeypatch, sim)
    recorded, begin = record_events(hass), clock.now()
    assert await hass.config_entries.async_unload(entry.entry_id)
    clock.go_on(14 * DAY)
    days = (1, 4, 7, 10, 13)
    sessions = [add_session(sim, begin + day * DAY, begin + (day + 0.2) * DAY).id for day in days]
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    await poll(hass, entry)
    assert [(change["type"], change["session_id"]) for change in recorded.changes] == [
        (kind, session) for session in sessions for kind in ("session_started", "session_ended")
    ]
    assert {change["late"] for change in recorded.changes} == {True}
