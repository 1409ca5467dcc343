"""A thousand cars under one entry: Home Assistant takes ten thousand enabled entities of one, and no more."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientResponse, ClientSession
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_platform import MAX_ENABLED_ENTITIES_PER_CONFIG_ENTRY
import pytest

from custom_components.jedlix.binary_sensor import VEHICLE_BINARY_SENSORS
from custom_components.jedlix.button import REFRESH
from custom_components.jedlix.calendar import SESSIONS
from custom_components.jedlix.const import DOMAIN
from custom_components.jedlix.entity import MAX_USERS_WITH_ALL_ENTITIES, JedlixEntityDescription
from custom_components.jedlix.event import VEHICLE_EVENTS
from custom_components.jedlix.number import VEHICLE_NUMBERS
from custom_components.jedlix.price_sensors import PRICES
from custom_components.jedlix.ready_by import NEXT_DEPARTURE
from custom_components.jedlix.sensor import CHARGER_SENSORS, VEHICLE_SENSORS
from custom_components.jedlix.switch import VEHICLE_SWITCHES
from custom_components.jedlix.time import ON_DAYS
from custom_components.jedlix.totals import TOTALS
from tests.simulators import StartSimulator
from tests.tools import make_entry, set_up

pytestmark = pytest.mark.usefixtures("home")

SMALL = MAX_USERS_WITH_ALL_ENTITIES
LARGE = 1000
OF_A_CAR: tuple[JedlixEntityDescription[Any], ...] = (
    *VEHICLE_SENSORS,
    *VEHICLE_BINARY_SENSORS,
    *VEHICLE_EVENTS,
    *VEHICLE_NUMBERS,
    *VEHICLE_SWITCHES,
    *CHARGER_SENSORS,
    *PRICES,
    *TOTALS,
    *NEXT_DEPARTURE,
    *[ON_DAYS] * 7,
    REFRESH,
    SESSIONS,
)
"""All that a car, its charger and its charging location can have."""


async def enabled_of_each_user(
    hass: HomeAssistant, start_simulator: StartSimulator, users: int
) -> tuple[dict[str, set[str]], int]:
    """Return the keys of the enabled entities of each user, and how many the account has."""
    sim = await start_simulator(users=users)
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    found: dict[str, set[str]] = {user_id: set() for user_id in sim.user_ids}
    account = 0
    for item in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id):
        if item.disabled_by is not None:
            continue
        user_id, _, key = item.unique_id.partition("_")
        if user_id in found:
            found[user_id].add(key)
        else:
            account += 1
    return found, account


async def test_in_a_small_fleet_all_entities_are_enabled(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    found, _ = await enabled_of_each_user(hass, start_simulator, SMALL)
    keys = Counter(key.partition("_")[2] for keys in found.values() for key in keys)
    assert keys["desired_battery_level"] > SMALL / 2
    assert keys["sessions"] == SMALL


async def test_a_thousand_cars_fit_with_the_essential_entities_of_each(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    """However the fleet grew: the first cars may have come while it was small, with everything."""
    found, account = await enabled_of_each_user(hass, start_simulator, SMALL + 1)
    for keys in found.values():
        of_car = {key.partition("_")[2] for key in keys}
        assert {"charge_state", "plugged_in", "charging", "smart_session", "session"} <= of_car
        assert not {"desired_battery_level", "range", "sessions", "refresh"} & of_car
    essential = sum(item.is_essential for item in OF_A_CAR)
    assert all(len(keys) <= essential for keys in found.values())
    wanted = SMALL * len(OF_A_CAR) + (LARGE - SMALL) * essential + account
    assert wanted <= MAX_ENABLED_ENTITIES_PER_CONFIG_ENTRY


async def test_an_entity_enabled_by_hand_is_there_after_the_reload(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(users=SMALL + 1)
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    registry = er.async_get(hass)
    unique_id = f"{sim.user_ids[0]}_{sim.vehicle_ids[0]}_range"
    (distance,) = (
        item
        for item in er.async_entries_for_config_entry(registry, entry.entry_id)
        if item.domain == "sensor" and item.unique_id == unique_id
    )
    assert hass.states.get(distance.entity_id) is None
    before = {item.entity_id for item in registry.entities.values()}

    registry.async_update_entity(distance.entity_id, disabled_by=None)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    state = hass.states.get(distance.entity_id)
    assert state is not None
    assert state.state.isdecimal()
    assert {item.entity_id for item in registry.entities.values()} == before


async def test_a_very_large_fleet_has_no_new_entity_that_is_hidden_or_disabled_in_any_house(
    hass: HomeAssistant, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is there already stays: somebody may use it."""
    monkeypatch.setattr("custom_components.jedlix.entity.MAX_USERS_WITH_RARE_ENTITIES", SMALL)
    sim = await start_simulator(users=SMALL + 1)
    entry = make_entry(sim, None)
    entry.add_to_hass(hass)
    registry = er.async_get(hass)
    cars = list(zip(sim.user_ids, sim.vehicle_ids, strict=True))
    rare = [f"{cars[0][0]}_{cars[0][1]}_{key}" for key in ("session", "energy_this_year")]
    for unique_id in rare:
        registry.async_get_or_create("sensor", DOMAIN, unique_id, config_entry=entry)
    await set_up(hass, entry)
    there = er.async_entries_for_config_entry(registry, entry.entry_id)
    keys = Counter(item.translation_key for item in there if item.domain == "sensor")
    assert keys["range"] > SMALL / 2
    assert keys["session"] == keys["energy_this_year"] == 1
    state = hass.states.get(str(registry.async_get_entity_id("sensor", DOMAIN, rare[0])))
    assert state is not None
    assert state.state == "none"


async def test_the_first_refresh_of_all_users_makes_at_most_eight_calls_at_once(
    hass: HomeAssistant, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way, most = 0, 0
    request = ClientSession.request

    @asynccontextmanager
    async def counted(
        session: ClientSession, *args: Any, **options: Any
    ) -> AsyncIterator[ClientResponse]:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        try:
            async with request(session, *args, **options) as response:
                yield response
        finally:
            under_way -= 1

    monkeypatch.setattr(ClientSession, "request", counted)
    sim = await start_simulator(users=SMALL)
    await set_up(hass, make_entry(sim, None))
    assert 1 < most <= 8
