"""Push of one entry as a user sees it: its state, its repairs, and what is registered at Jedlix."""

from datetime import timedelta

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.const import CONF_CALLBACK, DOMAIN
from custom_components.jedlix.push.health import PushState
from custom_components.jedlix.webhook import JedlixPush
from simulator.app import Simulator
from tests.tools import Clock, make_entry, set_up, state_of, until


async def set_up_callback(
    hass: HomeAssistant, sim: Simulator, callback: str, url: str | None = None
) -> MockConfigEntry:
    """Set up an entry with this callback."""
    entry = make_entry(sim, url)
    entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_CALLBACK: callback})
    await set_up(hass, entry)
    return entry


def push_of(entry: MockConfigEntry) -> JedlixPush:
    """Return the push of a loaded entry."""
    push: JedlixPush = entry.runtime_data.push
    return push


async def has_problem(hass: HomeAssistant, entry: MockConfigEntry, problem: str) -> None:
    """Wait until the registration has this problem."""
    await until(hass, lambda: push_of(entry).registration.problem == problem)


async def reaches(hass: HomeAssistant, entry: MockConfigEntry, state: PushState) -> None:
    """Wait until push has this state."""
    await until(hass, lambda: push_of(entry).state is state)


async def ends_healthy(hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry) -> None:
    """Wait until push is registered, and see a delivery arrive."""
    await until(hass, lambda: push_of(entry).state in (PushState.WAITING, PushState.HEALTHY))
    received = push_of(entry).health.received
    toggle_plug(sim)
    await until(hass, lambda: push_of(entry).health.received > received)
    assert state_of(hass, "_push_state") == "healthy"
    assert state_of(hass, "_push", "binary_sensor") == "on"
    assert repairs_of(hass) == []


def toggle_plug(sim: Simulator) -> None:
    """Plug the car in, or unplug it."""
    vehicle = sim.vehicle_ids[0]
    (sim.unplug if sim.vehicle(vehicle).plugged_in else sim.plug)(vehicle)


async def poll_after(
    hass: HomeAssistant, clock: Clock, entry: MockConfigEntry, *pauses: timedelta
) -> None:
    """Poll after each of these pauses."""
    for pause in pauses:
        clock.go_on(pause)
        await entry.runtime_data.coordinator.async_refresh()
        await hass.async_block_till_done()


def repairs_of(hass: HomeAssistant) -> list[str]:
    """Return the repairs that a user sees."""
    issues = ir.async_get(hass).issues.values()
    return [str(issue.translation_key) for issue in issues if issue.domain == DOMAIN]


def urls_at(sim: Simulator) -> set[str]:
    """Return the URLs that Jedlix calls."""
    return {item.url for item in sim.webhooks.subscriptions.values() if item.is_active}


def types_at(sim: Simulator) -> set[str]:
    """Return the event types that are subscribed."""
    return {item.event_type for item in sim.webhooks.subscriptions.values()}


def registration_calls(sim: Simulator) -> list[str]:
    """Return the calls about subscriptions so far, and their answers."""
    return [
        f"{request.method} {request.status}"
        for request in sim.requests
        if request.path.startswith("/api/v1/webhooks/subscriptions")
    ]
