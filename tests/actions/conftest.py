"""Cars and an account for the actions."""

from collections.abc import Callable

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from simulator.app import Simulator
from tests.commanding import mark
from tests.simulators import StartSimulator
from tests.tools import make_entry, set_up


@pytest.fixture
async def fleet(start_simulator: StartSimulator) -> Simulator:
    """Return a simulator whose first two cars are in a session; the first is a smart one."""
    sim = await start_simulator(users=3)
    for vehicle_id in sim.vehicle_ids[:2]:
        sim.plug(vehicle_id)
    return sim


@pytest.fixture
async def loaded(hass: HomeAssistant, fleet: Simulator) -> MockConfigEntry:
    """Return an entry without push for these cars."""
    entry = make_entry(fleet, None)
    await set_up(hass, entry)
    return entry


@pytest.fixture
def nothing_written(fleet: Simulator) -> Callable[[], bool]:
    """Return a function that says whether nothing was written at Jedlix."""
    calls = mark(fleet)
    return lambda: not [call for call in calls() if not call.startswith("GET")]
