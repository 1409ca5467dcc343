"""Triggers and conditions, as an automation uses them."""

from typing import Any

from homeassistant.components.websocket_api.automation import (
    async_get_conditions_for_target,
    async_get_triggers_for_target,
)
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import area_registry as ar, device_registry as dr
from homeassistant.helpers.condition import (
    async_from_config as condition_from_config,
    async_validate_condition_config,
)
from homeassistant.helpers.trigger import async_validate_trigger_config
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import voluptuous as vol

from custom_components.jedlix.const import EVENT_CHANGE, EVENT_WEBHOOK
from custom_components.jedlix.target import TargetDevices
from simulator.app import Simulator
from tests.commanding import device_of, entity_of
from tests.tools import state_of, until


async def automate(
    hass: HomeAssistant,
    trigger: dict[str, Any],
    conditions: list[dict[str, Any]] | None = None,
) -> list[dict[str, Any]]:
    """Set an automation up; returns the list that gets the trigger's variables of each run."""
    runs: list[dict[str, Any]] = []

    @callback
    def ran(event: Event) -> None:
        runs.append(dict(event.data))

    hass.bus.async_listen("test_ran", ran)
    assert await async_setup_component(
        hass,
        "automation",
        {
            "automation": {
                "id": "one",
                "alias": "one",
                "triggers": [trigger],
                "conditions": conditions or [],
                "actions": [
                    {
                        "event": "test_ran",
                        "event_data": {
                            "type": "{{ trigger.type }}",
                            "platform": "{{ trigger.platform }}",
                            "description": "{{ trigger.description }}",
                            "level": "{{ trigger.battery_level }}",
                        },
                    }
                ],
            }
        },
    )
    await hass.async_block_till_done()
    return runs


async def fire_change(hass: HomeAssistant, device_id: str, **more: Any) -> None:
    """Fire the event of a change by hand."""
    data = {"device_id": device_id, "type": "plugged_in", "late": False}
    hass.bus.async_fire(EVENT_CHANGE, data | more)
    await hass.async_block_till_done()


async def test_plugging_in_runs_an_automation_and_its_condition_sees_the_new_state(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    target = {"device_id": device_of(hass, entry, sim).id}
    runs = await automate(
        hass,
        {"trigger": "jedlix.plugged_in", "target": target},
        [{"condition": "jedlix.is_plugged_in", "target": target, "options": {"behavior": "any"}}],
    )
    sim.plug(sim.vehicle_ids[0])
    await until(hass, lambda: runs)
    assert [(run["type"], run["platform"]) for run in runs] == [("plugged_in", "jedlix.plugged_in")]
    assert runs[0]["description"] == "Jedlix: plugged in"
    assert str(runs[0]["level"]) == state_of(hass, "_battery_level")


async def test_a_car_that_moves_into_the_area_later_is_meant(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    device = device_of(hass, entry, sim)
    area = ar.async_get(hass).async_create("Garage")
    runs = await automate(hass, {"trigger": "jedlix.plugged_in", "target": {"area_id": area.id}})
    await fire_change(hass, device.id)
    assert not runs
    dr.async_get(hass).async_update_device(device.id, area_id=area.id)
    await hass.async_block_till_done()
    await fire_change(hass, device.id)
    assert len(runs) == 1


@pytest.mark.parametrize(("include_late", "expected"), [(False, 0), (True, 1)])
async def test_a_late_change_runs_only_automations_that_include_late_ones(
    hass: HomeAssistant,
    sim: Simulator,
    entry: MockConfigEntry,
    include_late: bool,
    expected: int,
) -> None:
    device = device_of(hass, entry, sim)
    runs = await automate(
        hass,
        {
            "trigger": "jedlix.plugged_in",
            "target": {"device_id": device.id},
            "options": {"include_late": include_late},
        },
    )
    await fire_change(hass, device.id, late=True)
    assert len(runs) == expected


async def test_the_automation_survives_a_reload_of_the_entry_and_stops_when_switched_off(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    device = device_of(hass, entry, sim)
    runs = await automate(
        hass, {"trigger": "jedlix.plugged_in", "target": {"device_id": device.id}}
    )
    assert await hass.config_entries.async_reload(entry.entry_id)
    hass.bus.async_fire(EVENT_CHANGE, {})
    await fire_change(hass, "another device")
    assert not runs
    await fire_change(hass, device.id)
    assert len(runs) == 1
    await hass.services.async_call(
        "automation", "turn_off", {"entity_id": "automation.one"}, blocking=True
    )
    await fire_change(hass, device.id)
    assert len(runs) == 1


@pytest.mark.parametrize(
    ("options", "expected"),
    [({}, 1), ({"event_types": ["userCreated"]}, 1), ({"event_types": ["other"]}, 0)],
)
async def test_a_delivery_triggers_by_its_type(
    hass: HomeAssistant,
    sim: Simulator,
    entry: MockConfigEntry,
    options: dict[str, Any],
    expected: int,
) -> None:
    runs = await automate(hass, {"trigger": "jedlix.webhook_received", "options": options})
    received = entry.runtime_data.push.health.received
    sim.add_user("NL")
    await until(hass, lambda: entry.runtime_data.push.health.received > received)
    assert len(runs) == expected
    assert not runs or runs[0]["description"] == "Jedlix: webhook userCreated"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 0),
        ({"include_late": False}, 0),
        ({"include_late": True}, 1),
        ({"include_late": True, "event_types": ["other"]}, 0),
    ],
)
async def test_a_late_delivery_runs_only_automations_that_include_late_ones(
    hass: HomeAssistant, entry: MockConfigEntry, options: dict[str, Any], expected: int
) -> None:
    runs = await automate(hass, {"trigger": "jedlix.webhook_received", "options": options})
    hass.bus.async_fire(EVENT_WEBHOOK, {"event_type": "userCreated", "late": True})
    await hass.async_block_till_done()
    assert len(runs) == expected


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"platform": "jedlix.plugged_in"}, "target"),
        ({"platform": "jedlix.plugged_in", "target": {}}, "at least one of"),
        (
            {
                "platform": "jedlix.plugged_in",
                "target": {"device_id": "x"},
                "options": {"include_late": "maybe"},
            },
            "include_late",
        ),
    ],
)
async def test_a_wrong_trigger_is_refused_with_a_reason(
    hass: HomeAssistant, entry: MockConfigEntry, config: dict[str, Any], reason: str
) -> None:
    with pytest.raises(vol.Invalid, match=reason):
        await async_validate_trigger_config(hass, [config])


@pytest.mark.parametrize(
    ("charge_state", "place", "expected"),
    [
        ("disconnected", None, {"is_plugged_in": False, "is_unplugged": True, "is_charged": False}),
        ("unknown", "home", {"is_unplugged": False}),
        ("stopped", "home", {"is_plugged_in": True, "is_charging": False}),
        (
            "charging",
            "home",
            {
                "is_charging": True,
                "is_smart_session": True,
                "is_smart_charging_off": False,
                "is_at_unknown_location": False,
                "is_link_lost": False,
            },
        ),
        ("complete", "unknown", {"is_charged": True, "is_at_unknown_location": True}),
        ("stopped", "home", {"is_smart_charging_off": True, "is_link_lost": True}),
    ],
)
async def test_conditions_follow_the_car(
    hass: HomeAssistant,
    sim: Simulator,
    entry: MockConfigEntry,
    charge_state: str,
    place: str | None,
    expected: dict[str, bool],
) -> None:
    """In the area is the home's charger as well. It has a charge state of its own."""
    car = device_of(hass, entry, sim)
    area = ar.async_get(hass).async_get_or_create("Home")
    for device in dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id):
        dr.async_get(hass).async_update_device(device.id, area_id=area.id)
    vehicle_id = sim.vehicle_ids[0]
    conditions = {
        key: [
            await condition(hass, key, target, behavior)
            for target in ({"device_id": car.id}, {"area_id": area.id})
            for behavior in ("any", "all")
        ]
        for key in expected
    }
    if expected.get("is_smart_charging_off"):
        sim.change_settings(vehicle_id, isSmartChargingEnabled=False)
    if expected.get("is_link_lost"):
        sim.link(vehicle_id, connected=False)
    if place is not None:
        sim.plug(vehicle_id, place)
        sim.telemetry(vehicle_id, charge_state=charge_state)
    await entry.runtime_data.coordinator.async_refresh()
    await hass.async_block_till_done()
    for key, tests in conditions.items():
        assert [test.async_check() for test in tests] == [expected[key]] * 4, key


async def condition(hass: HomeAssistant, key: str, target: dict[str, Any], behavior: str) -> Any:
    """Return a condition of ours that can be checked."""
    config = await async_validate_condition_config(
        hass,
        {"condition": f"jedlix.{key}", "target": target, "options": {"behavior": behavior}},
    )
    return await condition_from_config(hass, config)


async def test_a_car_is_offered_our_triggers_and_conditions_though_their_entities_are_hidden(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    target = {"device_id": [device_of(hass, entry, sim).id]}
    assert await async_get_triggers_for_target(hass, target, expand_group=True) >= {
        "jedlix.plugged_in",
        "jedlix.session_ended",
    }
    assert await async_get_conditions_for_target(hass, target, expand_group=True) >= {
        "jedlix.is_plugged_in"
    }


async def test_triggers_and_conditions_leave_out_a_car_that_the_target_excludes_by_one_entity(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    """Home Assistant takes excludes from 2026.11 on; they are put into a validated target here."""
    sim.plug(sim.vehicle_ids[0])
    await entry.runtime_data.coordinator.async_refresh()
    device_id = device_of(hass, entry, sim).id
    entity_id = entity_of(hass, sim, "sensor.charge_state")
    for exclude, is_meant in (({}, True), ({"entity_id": [entity_id]}, False)):
        target = {"device_id": [device_id], "exclude": exclude}
        assert (device_id in TargetDevices(hass, target)) is is_meant
        config = await async_validate_condition_config(
            hass,
            {
                "condition": "jedlix.is_plugged_in",
                "target": {"device_id": device_id},
                "options": {"behavior": "any"},
            },
        )
        test = await condition_from_config(hass, config | {"target": target})
        assert test.async_check() is is_meant


async def test_all_of_nothing_is_false(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    test = await condition(hass, "is_plugged_in", {"area_id": "nowhere"}, "all")
    assert test.async_check() is False
