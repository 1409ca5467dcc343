"""Cars and users that come and go at Jedlix: their changes, devices and entities."""

from datetime import timedelta

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.api import NotFound
from custom_components.jedlix.const import DOMAIN
from simulator.app import Simulator
from simulator.sessions import SessionLog
from tests.commanding import entity_of, poll
from tests.coordinator.tools import (
    PLUGGED_IN,
    add_user_without_car,
    coordinator_of,
    fail_for,
    link_car,
    set_up_without_push,
)
from tests.tools import Clock, record_events, set_up_with_push, state_of, until


def device_of(
    hass: HomeAssistant, entry: MockConfigEntry, user_id: str, vehicle_id: str
) -> dr.DeviceEntry | None:
    """Return the device of a car, None where there is none."""
    identifier = (DOMAIN, f"{user_id}_{vehicle_id}")
    return dr.async_get(hass).async_get_device_by_identifier(identifier, entry.entry_id)


async def poll_until_gone(hass: HomeAssistant, entry: MockConfigEntry, clock: Clock) -> None:
    """Poll three times over a quarter of an hour."""
    for minutes in (0, 10, 10):
        clock.go_on(timedelta(minutes=minutes))
        await poll(hass, entry)


async def test_a_car_that_is_removed_at_jedlix_is_published_and_its_device_removed(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, clock: Clock
) -> None:
    recorded, key = record_events(hass), (sim.user_ids[0], sim.vehicle_ids[0])
    device = device_of(hass, entry, *key)
    assert device is not None
    sim.remove(sim.vehicle_ids[0])
    await poll_until_gone(hass, entry, clock)
    assert recorded.types == ["vehicle_removed"]
    assert recorded.changes[0]["device_id"] == device.id
    assert device_of(hass, entry, *key) is None
    assert not any("tesla" in state.entity_id for state in hass.states.async_all())


@pytest.mark.parametrize("fault", ["an empty list", "a user it does not know"])
async def test_one_slip_of_jedlix_takes_no_car_away_and_loses_no_session(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry, clock: Clock, fault: str
) -> None:
    """Names and automations would be lost with the device."""
    recorded, user = record_events(hass), sim.world.users[sim.user_ids[0]]
    sim.plug(sim.vehicle_ids[0])
    await poll(hass, polled)
    cars = list(user.vehicles)
    for _ in range(2):
        if fault == "an empty list":
            user.vehicles.clear()
        else:
            sim.world.users.pop(user.id, None)
        clock.go_on(timedelta(minutes=10))
        await poll(hass, polled)
        assert device_of(hass, polled, user.id, cars[0].id) is not None
    user.vehicles[:] = cars
    sim.world.users[user.id] = user
    sim.unplug(cars[0].id)
    await poll(hass, polled)
    assert recorded.types == [*PLUGGED_IN, "session_ended", "unplugged"]
    assert state_of(hass, "_charge_state") == "disconnected"


async def test_a_car_that_is_absent_is_unavailable_before_it_is_gone(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry, clock: Clock
) -> None:
    car = sim.vehicle(sim.vehicle_ids[0])
    user = sim.world.users[car.user_id]
    user.vehicles.remove(car)
    await poll(hass, polled)
    assert state_of(hass, "_charge_state") == "disconnected"
    clock.go_on(timedelta(minutes=16))
    await poll(hass, polled)
    assert state_of(hass, "_charge_state") == STATE_UNAVAILABLE
    user.vehicles.append(car)
    await poll(hass, polled)
    assert state_of(hass, "_charge_state") == "disconnected"


async def test_a_car_that_is_linked_at_jedlix_appears_without_a_reload(
    hass: HomeAssistant, sim: Simulator, callback_url: str
) -> None:
    user_id = add_user_without_car(sim)
    entry = await set_up_with_push(hass, sim, callback_url, users=[user_id])
    recorded = record_events(hass)
    car = link_car(sim, user_id)
    await until(hass, lambda: recorded.types)
    assert recorded.types == ["vehicle_added"]
    assert recorded.changes[0]["vehicle_id"] == car.id
    assert state_of(hass, "_charge_state") == "disconnected"
    device = device_of(hass, entry, user_id, car.id)
    assert device is not None
    assert recorded.changes[0]["device_id"] == device.id
    sim.plug(car.id)
    await until(hass, lambda: len(recorded.types) == 4)
    assert recorded.types[1:] == PLUGGED_IN


async def test_another_car_replaces_the_old_one(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry, clock: Clock
) -> None:
    recorded = record_events(hass)
    sim.remove(sim.vehicle_ids[0])
    car = link_car(sim, sim.user_ids[0])
    await poll(hass, polled)
    assert recorded.types == ["vehicle_added"]
    await poll_until_gone(hass, polled, clock)
    assert recorded.types == ["vehicle_added", "vehicle_removed"]
    assert list(coordinator_of(polled).fleet.vehicles) == [(sim.user_ids[0], car.id)]
    assert state_of(hass, "_charge_state") == "disconnected"


async def test_a_car_that_comes_back_has_its_disabled_entities_in_the_registry_again(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry, clock: Clock
) -> None:
    """They go with the device; in the registry they can be enabled."""
    registry, car = er.async_get(hass), sim.vehicle(sim.vehicle_ids[0])
    entity_id = entity_of(hass, sim, "sensor.range")
    assert entity_id is not None
    registry.async_update_entity(entity_id, disabled_by=er.RegistryEntryDisabler.USER)
    await hass.config_entries.async_reload(polled.entry_id)
    await hass.async_block_till_done()

    sim.remove(car.id)
    await poll_until_gone(hass, polled, clock)
    assert registry.async_get(entity_id) is None

    sim.world.vehicles[car.id] = car
    sim.world.users[car.user_id].vehicles.append(car)
    await poll(hass, polled)
    entity = registry.async_get(entity_id)
    assert entity is not None
    assert entity.disabled_by is er.RegistryEntryDisabler.USER
    assert hass.states.get(entity_id) is None
    assert state_of(hass, "_charge_state") == "disconnected"


async def test_a_user_whom_jedlix_does_not_know_has_no_cars_and_fails_nothing(
    hass: HomeAssistant, sim: Simulator
) -> None:
    entry = await set_up_without_push(hass, sim, [*sim.user_ids, "nobody"])
    assert entry.state is ConfigEntryState.LOADED
    assert list(coordinator_of(entry).fleet.vehicles) == [(sim.user_ids[0], sim.vehicle_ids[0])]
    await poll(hass, entry)
    assert state_of(hass, "_charge_state") == "disconnected"


async def test_the_cars_of_a_user_deleted_at_jedlix_are_removed_and_the_entry_still_loads(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry, clock: Clock
) -> None:
    recorded = record_events(hass)
    del sim.world.users[sim.user_ids[0]]
    await poll_until_gone(hass, polled, clock)
    assert recorded.types == ["vehicle_removed"]
    assert list(coordinator_of(polled).fleet.vehicles) == []
    await poll(hass, polled)
    assert recorded.types == ["vehicle_removed"]
    await hass.config_entries.async_reload(polled.entry_id)
    assert polled.state is ConfigEntryState.LOADED


async def test_a_404_that_jedlix_did_not_write_is_an_outage_and_takes_no_car_away(
    hass: HomeAssistant,
    sim: Simulator,
    polled: MockConfigEntry,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fail_for(monkeypatch, polled, sim.user_ids[0], NotFound)
    await poll_until_gone(hass, polled, clock)
    await poll(hass, polled)
    assert list(coordinator_of(polled).fleet.vehicles) == [(sim.user_ids[0], sim.vehicle_ids[0])]
    assert state_of(hass, "_charge_state") == STATE_UNAVAILABLE


async def test_a_session_that_jedlix_no_longer_lists_is_closed_and_its_end_is_estimated(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry, clock: Clock
) -> None:
    sim.plug(sim.vehicle_ids[0])
    await poll(hass, polled)
    session = sim.vehicle(sim.vehicle_ids[0]).session
    assert session is not None
    sim.vehicle(sim.vehicle_ids[0]).session = None
    sim.world.sessions = SessionLog()
    recorded = record_events(hass)
    await poll_until_gone(hass, polled, clock)
    (ended,) = recorded.changes
    assert (ended["type"], ended["session_id"], ended["estimated"]) == (
        "session_ended",
        session.id,
        True,
    )
    assert state_of(hass, "_session", "sensor") == "none"


async def test_a_lost_link_to_a_car_is_published_and_shown(
    hass: HomeAssistant, sim: Simulator, polled: MockConfigEntry
) -> None:
    recorded = record_events(hass)
    for connected, state in ((False, "off"), (True, "on")):
        sim.link(sim.vehicle_ids[0], connected=connected)
        await poll(hass, polled)
        assert state_of(hass, "_vehicle_link") == state
    assert recorded.types == ["vehicle_link_lost", "vehicle_link_restored"]
