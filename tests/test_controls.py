"""Controls: a car has those that its tenant offers, and they do what they say."""

from datetime import timedelta
from typing import Final

from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import entity_registry as er
import pytest

from custom_components.jedlix.api import ConnectionFailed, JedlixClient
from custom_components.jedlix.const import DOMAIN
from simulator.app import Simulator
from tests.commanding import (
    car_state,
    command,
    device_of,
    entity_of,
    fails,
    poll,
    set_up_with_rare_polls,
    troubles,
)
from tests.simulators import StartSimulator
from tests.tools import Clock, set_up_with_push

pytestmark = pytest.mark.usefixtures("home", "no_second_try")

SMART: Final = "switch.smart_charging"
BOOST: Final = "switch.boost"
DESIRED: Final = "number.desired_battery_level"
MINIMUM: Final = "number.minimum_battery_level"
REFRESH: Final = "button.refresh"
DAY: Final = timedelta(days=1)


def our_entities(hass: HomeAssistant, *domains: str) -> set[str]:
    """Return the ids of our entities of these domains."""
    return {
        item.entity_id
        for item in er.async_get(hass).entities.values()
        if item.platform == DOMAIN and item.domain in domains
    }


def controls(hass: HomeAssistant) -> set[str]:
    """Return the ids of our controls and calendars."""
    return our_entities(hass, "switch", "number", "button", "calendar")


# -- which there are ---------------------------------------------------------------------------------------


async def test_a_tenant_of_documented_calls_alone_has_no_control_that_cannot_work(
    hass: HomeAssistant,
    start_simulator: StartSimulator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sim = await start_simulator(users=2, mode="strict")
    entry, clock = await set_up_with_rare_polls(hass, sim), Clock(monkeypatch, sim)
    for day in range(6):
        for vehicle_id in sim.vehicle_ids:
            if day % 2:
                sim.plug(vehicle_id)
            elif day:
                sim.unplug(vehicle_id)
        await poll(hass, entry)
        clock.go_on(DAY)
    assert controls(hass) == {
        "button.jedlix_resubscribe",  # registering is documented
        "calendar.renault_zoe_sessions",  # so is the tenant's list
        "calendar.tesla_model_3_sessions",
    }
    sensors = our_entities(hass, "sensor")
    assert "sensor.easee_home_power" in sensors  # chargers are in the SDK
    assert not any("resumes_at" in entity_id for entity_id in sensors)
    lines = [
        record.getMessage().partition(":")[0]
        for record in caplog.records
        if "does not offer" in record.getMessage()
    ]
    assert sorted(lines) == [
        "This Jedlix tenant does not offer charge_settings",
        "This Jedlix tenant does not offer financials",
        "This Jedlix tenant does not offer user_sessions",
    ]
    assert troubles(caplog) == []


async def test_a_tenant_without_chargers_has_none(
    hass: HomeAssistant, start_simulator: StartSimulator, caplog: pytest.LogCaptureFixture
) -> None:
    sim = await start_simulator(faults={"absent": ["chargers"]})
    entry = await set_up_with_rare_polls(hass, sim)
    sim.plug(sim.vehicle_ids[0])
    await poll(hass, entry)
    assert not any("easee" in entity_id for entity_id in hass.states.async_entity_ids())
    assert car_state(hass, sim, SMART).state == STATE_ON
    assert troubles(caplog) == []


# -- settings that cannot be read --------------------------------------------------------------------------


async def test_settings_that_cannot_be_read_keep_no_charger_from_being_read(
    hass: HomeAssistant, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_args: object) -> None:
        raise ConnectionFailed("internal api timeout (HTTP 504)")

    monkeypatch.setattr(JedlixClient, "charge_settings", fail)
    entry = await set_up_with_rare_polls(hass, sim)
    assert entity_of(hass, sim, SMART) is None
    assert entry.runtime_data.coordinator.fleet.chargers


async def test_settings_that_were_not_found_once_stay_and_are_read_again_at_the_next_refresh(
    hass: HomeAssistant, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry, clock = await set_up_with_rare_polls(hass, sim), Clock(monkeypatch, sim)
    sim.strike({"absent": ["charge_settings"]})
    sim.change_settings(sim.vehicle_ids[0], isSmartChargingEnabled=False)
    clock.go_on(DAY)
    await poll(hass, entry)
    assert car_state(hass, sim, SMART).state == STATE_ON
    sim.strike({"absent": []})
    await poll(hass, entry)
    assert car_state(hass, sim, SMART).state == STATE_OFF


async def test_settings_that_could_not_be_read_for_a_month_can_no_longer_be_changed(
    hass: HomeAssistant,
    sim: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    entry, clock = await set_up_with_rare_polls(hass, sim), Clock(monkeypatch, sim)
    device_id = device_of(hass, entry, sim).id

    async def pause() -> None:
        await hass.services.async_call(
            DOMAIN, "pause_smart_charging", {"device_id": device_id}, blocking=True
        )

    sim.strike({"forbidden": ["charge_settings"]})
    for _ in range(3):
        clock.go_on(DAY)
        await poll(hass, entry)
    assert car_state(hass, sim, SMART).state == STATE_ON
    await fails(hass, pause(), "command_refused")
    clock.go_on(30 * DAY)
    for _ in range(2):
        await poll(hass, entry)
    for key in (SMART, DESIRED, MINIMUM, REFRESH):
        assert car_state(hass, sim, key).state == STATE_UNAVAILABLE
    assert car_state(hass, sim, "sensor.smart_charging_resumes_at").state == STATE_UNKNOWN
    await fails(hass, pause(), "not_offered", ServiceValidationError)
    assert troubles(caplog) == []
    sim.strike({"forbidden": []})
    clock.go_on(2 * DAY)
    await poll(hass, entry)
    assert car_state(hass, sim, SMART).state == STATE_ON
    assert car_state(hass, sim, DESIRED).state == "80"


# -- what they do ------------------------------------------------------------------------------------------


async def test_controls_do_what_they_say_whatever_noise_jedlix_makes(
    hass: HomeAssistant,
    start_simulator: StartSimulator,
    callback_url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sim = await start_simulator(mode="noisy", users=2)
    entry = await set_up_with_push(hass, sim, callback_url)
    car = sim.vehicle(sim.vehicle_ids[0])
    for turn in range(5):
        for vehicle_id in sim.vehicle_ids:
            sim.plug(vehicle_id)
        await poll(hass, entry)
        await command(hass, sim, BOOST, "turn_on")
        assert car.session is not None
        assert car.session.boost
        assert car_state(hass, sim, BOOST).state == STATE_ON
        await command(hass, sim, DESIRED, "set_value", value=60 + turn)
        assert car.settings["desiredBatteryLevel"] == 60 + turn
        assert car.settings["unknownKeyOfTheSimulator"]["keep"] == "me"
        assert car_state(hass, sim, DESIRED).state == str(60 + turn)
        await command(hass, sim, "number.current_battery_level", "set_value", 1, value=20 + turn)
        for service, enabled in (("turn_off", False), ("turn_on", True)):
            await command(hass, sim, SMART, service)
            assert car.smart_charging is enabled
            sim.advance(0.01)
        for vehicle_id in sim.vehicle_ids:
            sim.unplug(vehicle_id)
        await poll(hass, entry)
    assert troubles(caplog) == []
