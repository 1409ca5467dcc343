"""A day with push: what happens at Jedlix is told once, in order, and the states are there before."""

from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from simulator.app import Simulator
from tests.tools import record_events, state_of, until


async def test_plug_in_is_told_within_a_moment(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    recorded = record_events(hass)
    sim.plug(sim.vehicle_ids[0])
    await until(hass, lambda: "charging_started" in recorded.types)
    assert recorded.types == ["plugged_in", "session_started", "charging_started"]
    assert state_of(hass, "_plugged_in") == "on"
    assert state_of(hass, "_push_state") == "healthy"
