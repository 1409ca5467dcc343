"""An entry of a driver's log-in: what it makes of what Jedlix and the provider give and refuse."""

from datetime import timedelta

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.const import EVENT_HOMEASSISTANT_STOP
from homeassistant.core import Event, HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.api import AuthError, JedlixError
from custom_components.jedlix.const import DOMAIN
from custom_components.jedlix.system_health import system_health_info
from simulator.app import Simulator
from tests.drivers import make_driver_entry
from tests.push.tools import poll_after
from tests.tools import Clock, record_events, set_up, state_of

POLL = timedelta(minutes=5)


@pytest.fixture
async def driver(
    hass: HomeAssistant, sim: Simulator, home: None, clock: Clock, no_second_try: None
) -> MockConfigEntry:
    """Return the entry of a driver's log-in that is set up."""
    entry = make_driver_entry(sim)
    await set_up(hass, entry)
    assert entry.state is ConfigEntryState.LOADED
    return entry


def requests(hass: HomeAssistant) -> list[str]:
    """Return the requests to log in again."""
    flows = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    return [flow["context"]["source"] for flow in flows]


async def test_a_charging_session_is_seen_by_polling_the_drivers_own_lists(
    hass: HomeAssistant, sim: Simulator, driver: MockConfigEntry, clock: Clock
) -> None:
    events, (car,) = record_events(hass), sim.vehicle_ids
    sim.plug(car)
    await poll_after(hass, clock, driver, POLL)
    assert state_of(hass, f"{car}_session", "sensor") == "smart"
    sim.unplug(car)
    await poll_after(hass, clock, driver, POLL)
    ended = {"unplugged", "session_ended"}
    assert {"plugged_in", "session_started", "charging_started"} | ended == set(events.types)
    assert len(events.types) == len(set(events.types))
    assert {request.status for request in sim.requests} == {200}
    health = await system_health_info(hass)
    assert await health["api_reachable"] == "ok"
    assert (health["push_state"], health["subscriptions_wanted"]) == ("", 0)


async def test_without_a_list_of_sessions_the_car_is_shown_and_nothing_nags(
    hass: HomeAssistant, sim: Simulator, driver: MockConfigEntry, clock: Clock
) -> None:
    """That a user's sessions can be listed is assumed, and the tenant's list is out of reach."""
    data, (car,) = driver.runtime_data, sim.vehicle_ids
    assert data.session_history.is_listed
    data.store.learned_calls.clear()
    sim.strike({"absent": ["user_sessions", "session", "financials"]})
    await poll_after(hass, clock, driver, *[POLL] * 4)
    assert not data.session_history.is_listed
    sim.plug(car)
    await poll_after(hass, clock, driver, POLL)
    assert state_of(hass, f"{car}_plugged_in") == "on"
    assert state_of(hass, f"{car}_session", "sensor") == "none"
    # An import of past sessions has nothing to read, which is no failure.
    data.statistics._due.add((sim.user_ids[0], car))
    await data.statistics._import_due()
    assert data.statistics.failing_since is None
    assert not requests(hass)


async def test_a_renewal_whose_answer_is_lost_ends_in_a_new_log_in_at_a_strict_provider(
    hass: HomeAssistant, sim: Simulator, driver: MockConfigEntry, clock: Clock
) -> None:
    sim.strike({"kind": "truncated", "endpoints": ["user_token"], "times": 1})
    sim.strike({"token_expiry": True})
    for _ in range(4):  # the first gets half an answer, which says nothing; the others are refused
        assert requests(hass) == []
        await poll_after(hass, clock, driver, POLL)
    assert requests(hass) == [SOURCE_REAUTH]


async def test_the_provider_may_be_away_as_long_as_the_token_is_good(
    hass: HomeAssistant, sim: Simulator, driver: MockConfigEntry, clock: Clock
) -> None:
    sim.strike({"kind": "status", "endpoints": ["user_token"], "status": 503})
    await poll_after(hass, clock, driver, *[POLL] * 3)
    assert driver.runtime_data.coordinator.last_update_success
    sim.strike({"token_expiry": True})
    await poll_after(hass, clock, driver, *[POLL] * 4)
    assert not driver.runtime_data.coordinator.last_update_success
    assert requests(hass) == []
    sim.clear_faults()
    await poll_after(hass, clock, driver, POLL)
    assert driver.runtime_data.coordinator.last_update_success


async def test_an_entry_that_is_not_loaded_uses_up_no_refresh_token(
    hass: HomeAssistant, sim: Simulator, driver: MockConfigEntry
) -> None:
    client = driver.runtime_data.client
    assert await hass.config_entries.async_unload(driver.entry_id)
    sim.strike({"token_expiry": True})
    with pytest.raises(AuthError):
        await client.check_access()
    health = await system_health_info(hass)
    assert "401" in (await health["api_reachable"])["error"]
    assert not [request for request in sim.requests if request.path == "/provider/token"]
    assert await hass.config_entries.async_setup(driver.entry_id)
    assert driver.runtime_data.coordinator.last_update_success


async def test_while_home_assistant_stops_no_token_is_renewed(
    hass: HomeAssistant, sim: Simulator, driver: MockConfigEntry
) -> None:
    """A file is then written at the very end only, and a kill before would lose the refresh token."""
    client, refused = driver.runtime_data.client, []

    async def ask(_event: Event) -> None:
        sim.strike({"token_expiry": True})
        with pytest.raises(JedlixError) as error:
            await client.check_access()
        refused.append(error.type)

    hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, ask)
    await hass.async_stop(force=True)
    assert len(refused) == 1
    assert not [request for request in sim.requests if request.path == "/provider/token"]
