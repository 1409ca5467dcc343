"""Cars: the actions that command them, and their errors."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from unittest.mock import AsyncMock, patch

from homeassistant.const import STATE_ON
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from simulator.app import Simulator
from tests.actions.calls import call_action
from tests.commanding import car_state, device_of, fails, poll
from tests.simulators import StartSimulator
from tests.tools import make_entry, set_time, set_up

pytestmark = pytest.mark.usefixtures("home", "no_second_try")


async def test_boost_is_switched_on_unless_the_call_says_off(
    hass: HomeAssistant, fleet: Simulator, loaded: MockConfigEntry
) -> None:
    session = fleet.vehicle(fleet.vehicle_ids[0]).session
    device_id = device_of(hass, loaded, fleet).id
    assert session is not None
    await call_action(hass, "boost", device_id=device_id)
    assert session.boost
    assert car_state(hass, fleet, "switch.boost").state == STATE_ON
    await call_action(hass, "boost", device_id=device_id, enabled=False)
    assert not session.boost


async def test_smart_charging_is_paused_until_a_local_time_or_for_a_while_and_resumed(
    hass: HomeAssistant, fleet: Simulator, loaded: MockConfigEntry
) -> None:
    await hass.config.async_set_time_zone("Europe/Amsterdam")
    car, device_id = fleet.vehicle(fleet.vehicle_ids[0]), device_of(hass, loaded, fleet).id
    await call_action(
        hass, "pause_smart_charging", device_id=device_id, until="2126-07-01 08:00:00"
    )
    assert car.settings["isSmartChargingEnabled"] is False
    resumes_at = car_state(hass, fleet, "sensor.smart_charging_resumes_at").state
    assert dt_util.parse_datetime(resumes_at) == datetime(2126, 7, 1, 6, tzinfo=UTC)
    await call_action(hass, "pause_smart_charging", device_id=device_id, duration={"hours": 8})
    end = dt_util.parse_datetime(car_state(hass, fleet, "sensor.smart_charging_resumes_at").state)
    assert end is not None
    now = loaded.runtime_data.coordinator.now()
    assert abs(end - now - timedelta(hours=8)) < timedelta(minutes=1)
    both = {"duration": {"hours": 8}, "until": "2126-07-01 08:00:00"}
    call = call_action(hass, "pause_smart_charging", device_id=device_id, **both)
    await fails(hass, call, "one_end", ServiceValidationError)
    # The simulator would take an end back by itself.
    client = loaded.runtime_data.client
    written = AsyncMock(wraps=client.update_charge_settings)
    with patch.object(client, "update_charge_settings", written):
        await call_action(hass, "resume_smart_charging", device_id=device_id)
    assert written.call_args.args[-1]["enableSmartChargingAt"] is None
    assert car.settings["isSmartChargingEnabled"] is True
    assert car_state(hass, fleet, "switch.smart_charging").state == STATE_ON


async def test_smart_charging_is_paused_for_a_while_although_the_clock_of_the_home_is_hours_ahead(
    hass: HomeAssistant,
    fleet: Simulator,
    loaded: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    true_time = dt_util.utcnow
    set_time(monkeypatch, lambda: true_time() + timedelta(hours=3))
    await poll(hass, loaded)
    device_id = device_of(hass, loaded, fleet).id
    await call_action(hass, "pause_smart_charging", device_id=device_id, duration={"hours": 1})
    end = dt_util.parse_datetime(car_state(hass, fleet, "sensor.smart_charging_resumes_at").state)
    assert end is not None
    assert timedelta(0) < end - loaded.runtime_data.coordinator.now() <= timedelta(hours=1)


async def test_the_level_of_a_car_that_does_not_report_it_is_entered(
    hass: HomeAssistant, fleet: Simulator, loaded: MockConfigEntry
) -> None:
    device_id = device_of(hass, loaded, fleet, 1).id
    session = fleet.vehicle(fleet.vehicle_ids[1]).session
    assert session is not None
    for level in (0, 100, "37"):
        await call_action(hass, "set_current_battery_level", device_id=device_id, level=level)
        assert session.current_battery_level == int(level)
    assert car_state(hass, fleet, "number.current_battery_level", 1).state == "37"


async def test_without_a_session_there_is_no_boost_and_no_level_to_enter(
    hass: HomeAssistant,
    fleet: Simulator,
    loaded: MockConfigEntry,
    nothing_written: Callable[[], bool],
) -> None:
    parked, unmanaged = (device_of(hass, loaded, fleet, number).id for number in (2, 1))
    for device_id in (parked, unmanaged):
        await fails(
            hass,
            call_action(hass, "boost", device_id=device_id),
            "no_smart_session",
            ServiceValidationError,
        )
    await fails(
        hass,
        call_action(hass, "set_current_battery_level", device_id=parked),
        "no_session",
        ServiceValidationError,
    )
    assert nothing_written()


async def test_all_cars_of_the_target_are_tried_before_an_error_is_raised(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(users=3)
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    cars = [sim.vehicle(vehicle_id) for vehicle_id in sim.vehicle_ids]
    for car in (cars[0], cars[2]):
        car.capabilities = cars[0].capabilities
        sim.plug(car.id)
    await poll(hass, entry)
    devices = [device_of(hass, entry, sim, number).id for number in (0, 1, 2)]
    await fails(
        hass,
        call_action(hass, "boost", device_id=devices),
        "no_smart_session",
        ServiceValidationError,
    )
    assert [car.session is not None and car.session.boost for car in cars] == [True, False, True]
