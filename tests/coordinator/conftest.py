"""Fixtures of the coordinator's tests: a household without push."""

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from simulator.app import Simulator
from tests.tools import make_entry, set_up


@pytest.fixture(autouse=True)
def _home(home: object, no_second_try: None) -> None:
    """Run Home Assistant with a web server, and let a call that fails fail at once."""


@pytest.fixture
async def polled(hass: HomeAssistant, sim: Simulator) -> MockConfigEntry:
    """Return an entry without push: what it knows comes from polls."""
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    return entry
