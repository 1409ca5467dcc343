"""Tools of the coordinator's tests: set-up, cars that come, time that passes, users whose refresh fails."""

import asyncio
from datetime import timedelta
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.jedlix.api import ConnectionFailed, JedlixClient, JedlixError
from custom_components.jedlix.coordinator import READ_SINCE_START, JedlixCoordinator
from simulator.app import Simulator
from simulator.model import Vehicle
from tests.tools import make_entry, set_up

PLUGGED_IN = ["plugged_in", "session_started", "charging_started"]
"""The changes of a car that is plugged in at home, in their order."""


def coordinator_of(entry: MockConfigEntry) -> JedlixCoordinator:
    """Return the coordinator of a loaded entry."""
    coordinator: JedlixCoordinator = entry.runtime_data.coordinator
    return coordinator


async def set_up_without_push(
    hass: HomeAssistant, sim: Simulator, users: list[str] | None = None
) -> MockConfigEntry:
    """Return an entry that is set up; what it knows comes from polls."""
    entry = make_entry(sim, None, users=users)
    await set_up(hass, entry)
    return entry


async def stop(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Stop the integration, and forget what a new process of Home Assistant does not know."""
    assert await hass.config_entries.async_unload(entry.entry_id)
    hass.data.pop(READ_SINCE_START)


def add_user_without_car(sim: Simulator) -> str:
    """Create a user to whom no car is linked yet, and return the id."""
    return sim.act(lambda now: sim.world.add_user(now, car=False)).id


def link_car(sim: Simulator, user_id: str) -> Vehicle:
    """Link a car to a user."""
    return sim.act(lambda now: sim.world.give_car(sim.world.users[user_id], now))


async def pass_minutes(hass: HomeAssistant, minutes: float) -> None:
    """Let the timers of the next minutes fire, and what they begin reach the simulator."""
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=minutes))
    await asyncio.sleep(0.05)


def event_states(hass: HomeAssistant) -> dict[str, tuple[str, Any]]:
    """Return the states and event types of the event entities of the cars."""
    return {
        state.entity_id: (state.state, state.attributes.get("event_type"))
        for state in hass.states.async_all("event")
        if not state.entity_id.endswith("_webhook")
    }


def fail_for(
    monkeypatch: pytest.MonkeyPatch,
    entry: MockConfigEntry,
    user_id: str,
    error: type[JedlixError] = ConnectionFailed,
) -> None:
    """Let each call for this user's cars fail."""
    client: JedlixClient = entry.runtime_data.client
    vehicles = client.vehicles

    async def fail(asked: str) -> Any:
        if asked == user_id:
            raise error("a failure of this user alone")
        return await vehicles(asked)

    monkeypatch.setattr(client, "vehicles", fail)
