"""Fixtures of the coordinator's tests: a household without push."""

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from simulator.app import Simulator
from tests.coordinator.tools import set_up_without_push


@pytest.fixture(autouse=True)
def _home(home: object, no_second_try: None) -> None:
    """Run Home Assistant with a web server, and let a call that fails fail at once."""


@pytest.fixture
async def polled(hass: HomeAssistant, sim: Simulator) -> MockConfigEntry:
    """Return an entry without push."""
    return await set_up_without_push(hass, sim)
