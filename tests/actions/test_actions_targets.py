"""Targets: the cars and accounts that a call means, and the error where it means none."""

from collections.abc import Callable
from typing import Any

from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.const import STATE_OFF
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import (
    area_registry as ar,
    config_validation as cv,
    device_registry as dr,
    entity_registry as er,
    floor_registry as fr,
)
from homeassistant.helpers.label_registry import async_get as labels
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import voluptuous as vol

from custom_components.jedlix import services
from custom_components.jedlix.const import DOMAIN
from simulator.app import Simulator
from tests.actions.calls import ACCOUNT_ACTIONS, ACTIONS, CAR_ACTIONS, call_action
from tests.commanding import car_state, device_of, entity_of, fails, troubles

pytestmark = pytest.mark.usefixtures("home", "no_second_try")


@pytest.mark.parametrize(
    "by", ["device_id", "area_id", "label_id", "entity_id", "floor_id", "label of an entity"]
)
async def test_a_target_means_a_car_by_device_area_floor_label_or_entity(
    hass: HomeAssistant, fleet: Simulator, loaded: MockConfigEntry, by: str
) -> None:
    device = device_of(hass, loaded, fleet)
    devices, entities = dr.async_get(hass), er.async_get(hass)
    entity_id = entity_of(hass, fleet, "sensor.charge_state")
    assert entity_id is not None
    target: dict[str, Any] = {}
    match by:
        case "device_id":
            target = {by: [device.id]}
        case "entity_id":
            target = {by: entity_id}
        case "area_id":
            area = ar.async_get(hass).async_create("Drive")
            devices.async_update_device(device.id, area_id=area.id)
            account = devices.async_get_device_by_identifier(
                (DOMAIN, loaded.entry_id), loaded.entry_id
            )
            assert account is not None
            devices.async_update_device(account.id, area_id=area.id)  # which is no car
            target = {by: area.id}
        case "floor_id":
            floor = fr.async_get(hass).async_create("Ground")
            area = ar.async_get(hass).async_create("Drive", floor_id=floor.floor_id)
            devices.async_update_device(device.id, area_id=area.id)
            target = {by: floor.floor_id}
        case "label_id":
            label = labels(hass).async_create("Electric")
            devices.async_update_device(device.id, labels={label.label_id})
            target = {by: label.label_id}
        case _:
            label = labels(hass).async_create("Electric")
            entities.async_update_entity(entity_id, labels={label.label_id})
            target = {"label_id": [label.label_id]}
    await call_action(hass, "pause_smart_charging", **target)
    paused = [not fleet.vehicle(vehicle_id).smart_charging for vehicle_id in fleet.vehicle_ids]
    assert paused == [True, False, False]
    assert car_state(hass, fleet, "switch.smart_charging").state == STATE_OFF


@pytest.mark.parametrize("by", ["device_id", "entity_id"])
async def test_a_car_that_the_target_excludes_is_left_alone_also_where_it_is_named(
    hass: HomeAssistant,
    fleet: Simulator,
    loaded: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
    by: str,
) -> None:
    """An entity stands for its car. Home Assistant takes excludes from 2026.11 on."""
    fields = {**cv.TARGET_SERVICE_FIELDS, vol.Optional("exclude"): dict}
    monkeypatch.setattr("custom_components.jedlix.services.TARGET", fields)
    monkeypatch.setattr(
        "custom_components.jedlix.actions.targets._TARGET_KEYS",
        frozenset(str(key) for key in fields),
    )
    services.async_setup_services(hass)
    cars = [device_of(hass, loaded, fleet, number).id for number in range(3)]
    out = cars[1] if by == "device_id" else entity_of(hass, fleet, "sensor.charge_state", 1)
    await call_action(hass, "pause_smart_charging", device_id=cars, exclude={by: [out]})
    paused = [not fleet.vehicle(vehicle_id).smart_charging for vehicle_id in fleet.vehicle_ids]
    assert paused == [True, False, True]
    excluded = {"device_id": [cars[1]]}
    call = call_action(hass, "boost", device_id=[cars[1]], exclude=excluded)
    await fails(hass, call, "no_vehicle", ServiceValidationError)


@pytest.mark.parametrize(
    "target",
    [
        {},
        {"entity_id": "sun.sun"},
        {"entity_id": "all"},
        {"entity_id": "none"},
        {"device_id": "none"},
        {"device_id": []},
        {"area_id": "nowhere"},
        {"label_id": ["none"]},
        {"entity_id": "sensor.jedlix_push_state"},
    ],
)
async def test_a_target_without_a_car_is_an_error(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    nothing_written: Callable[[], bool],
    target: dict[str, Any],
) -> None:
    for action in CAR_ACTIONS:
        await fails(hass, call_action(hass, action, **target), "no_vehicle", ServiceValidationError)
    assert nothing_written()


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("a1b2", "unknown_device"),
        ("Reading lamp", "foreign_device"),
        ("Jedlix", "not_a_vehicle"),
        ("Easee Home", "not_a_vehicle"),
    ],
)
async def test_a_named_device_must_exist_be_ours_and_be_a_car(
    hass: HomeAssistant,
    fleet: Simulator,
    loaded: MockConfigEntry,
    nothing_written: Callable[[], bool],
    caplog: pytest.LogCaptureFixture,
    name: str,
    error: str,
) -> None:
    """An account may be named for the actions of accounts."""
    devices, other = dr.async_get(hass), MockConfigEntry(domain="lamps")
    other.add_to_hass(hass)
    lamp = devices.async_get_or_create(
        config_entry_id=other.entry_id, identifiers={("lamps", "1")}, name="Lamp"
    )
    devices.async_update_device(lamp.id, name_by_user="Reading lamp")
    ours = dr.async_entries_for_config_entry(devices, loaded.entry_id)
    ids = {device.name: device.id for device in ours} | {"Reading lamp": lamp.id}
    named = [device_of(hass, loaded, fleet).id, ids.get(name, name)]
    for action in CAR_ACTIONS if error == "not_a_vehicle" else ACTIONS:
        attempt = call_action(hass, action, device_id=named)
        assert name in await fails(hass, attempt, error, ServiceValidationError)
    assert nothing_written()
    assert troubles(caplog) == []


async def test_an_account_that_is_not_loaded_is_an_error(
    hass: HomeAssistant,
    fleet: Simulator,
    loaded: MockConfigEntry,
    nothing_written: Callable[[], bool],
) -> None:
    device_id = device_of(hass, loaded, fleet).id
    await hass.config_entries.async_unload(loaded.entry_id)
    for action in ACTIONS:
        text = await fails(
            hass,
            call_action(hass, action, device_id=device_id),
            "not_loaded",
            ServiceValidationError,
        )
        assert "account Jedlix" in text
    assert nothing_written()


@pytest.mark.parametrize("target", [{}, {"area_id": "nowhere"}, {"device_id": "none"}])
async def test_without_an_account_there_is_an_error(
    hass: HomeAssistant, loaded: MockConfigEntry, target: dict[str, Any]
) -> None:
    """Without a target all accounts are meant. A target may mean none."""
    if not target:
        await hass.config_entries.async_set_disabled_by(loaded.entry_id, ConfigEntryDisabler.USER)
    for action in ACCOUNT_ACTIONS:
        await fails(hass, call_action(hass, action, **target), "no_account", ServiceValidationError)
