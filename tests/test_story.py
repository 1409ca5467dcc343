"""A day with push: each change at Jedlix is published once, in order, after the states are written."""

from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from simulator.app import Simulator
from tests.tools import record_events, state_of, until


async def test_plugging_in_is_published_at_once(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    events = record_events(hass)
    sim.plug(sim.vehicle_ids[0])
    await until(hass, lambda: "charging_started" in events.types)
    assert events.types == ["plugged_in", "session_started", "charging_started"]
    assert state_of(hass, "_plugged_in") == "on"
    assert state_of(hass, "_push_state") == "healthy"
