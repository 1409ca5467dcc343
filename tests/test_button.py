"""The button that asks a car for its state, and how its answer is awaited."""

import asyncio
from datetime import timedelta
from typing import Final

from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.util import dt as dt_util
import pytest

from simulator import world
from simulator.app import Simulator
from tests.commanding import car_state, command, fails, mark, set_up_with_rare_polls, troubles
from tests.tools import Clock, record_events, until

pytestmark = pytest.mark.usefixtures("home", "no_second_try", "short_intervals")

REFRESH: Final = "button.refresh"
BATTERY_LEVEL: Final = "sensor.battery_level"
A_MOMENT: Final = 0.01  # simulated hours in which a car follows a command


@pytest.fixture
def short_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask for the answer of a car at short intervals."""
    monkeypatch.setattr("custom_components.jedlix.commands.MIN_STATUS_INTERVAL", 0.02)
    monkeypatch.setattr("custom_components.jedlix.commands.MAX_STATUS_INTERVAL", 0.02)


def is_waiting(hass: HomeAssistant) -> bool:
    """Return whether the answer of a car is still awaited."""
    return any(
        isinstance(task, asyncio.Task) and task.get_name().startswith("jedlix refresh")
        for task in hass._background_tasks
    )


async def test_the_car_is_asked_and_its_answer_is_shown_as_soon_as_jedlix_has_it(
    hass: HomeAssistant, sim: Simulator
) -> None:
    await set_up_with_rare_polls(hass, sim)
    recorded, calls = record_events(hass), mark(sim)
    car = sim.vehicle(sim.vehicle_ids[0])
    await command(hass, sim, REFRESH, "press")
    assert car.refresh is not None
    car.level = 31.0
    assert car_state(hass, sim, BATTERY_LEVEL).state == "12"
    await until(hass, lambda: sum("GET" in call and "refresh" in call for call in calls()) >= 2)
    assert car_state(hass, sim, BATTERY_LEVEL).state == "12"
    sim.advance(A_MOMENT)
    await until(hass, lambda: car_state(hass, sim, BATTERY_LEVEL).state == "31")
    assert recorded.types == []
    await until(hass, lambda: not is_waiting(hass))


async def test_a_car_is_asked_once_in_ten_minutes_and_the_error_names_the_time(
    hass: HomeAssistant, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hass.config.async_set_time_zone("Europe/Amsterdam")
    await set_up_with_rare_polls(hass, sim)
    clock = Clock(monkeypatch, sim)
    earliest = clock.now()
    await command(hass, sim, REFRESH, "press")
    latest = clock.now()
    sim.advance(A_MOMENT)
    request, calls = sim.vehicle(sim.vehicle_ids[0]).refresh, mark(sim)
    clock.go_on(timedelta(minutes=9, seconds=50))
    attempt = command(hass, sim, REFRESH, "press")
    text = await fails(hass, attempt, "refresh_too_soon", ServiceValidationError)
    times = (dt_util.as_local(at + timedelta(minutes=10)) for at in (earliest, latest))
    assert any(f"{time:%H:%M}" in text for time in times)
    assert not any(call.startswith("POST") for call in calls())
    clock.go_on(timedelta(seconds=20))
    await command(hass, sim, REFRESH, "press")
    assert sim.vehicle(sim.vehicle_ids[0]).refresh is not request


@pytest.mark.parametrize("forgets", [True, False])
async def test_an_answer_that_does_not_come_is_awaited_no_longer_than_jedlix_awaits_it(
    hass: HomeAssistant, sim: Simulator, monkeypatch: pytest.MonkeyPatch, forgets: bool
) -> None:
    if not forgets:
        monkeypatch.setattr(world, "REFRESH_VALID", timedelta(days=1))
    await set_up_with_rare_polls(hass, sim)
    clock = Clock(monkeypatch, sim)
    sim.link(sim.vehicle_ids[0], connected=False)
    calls = mark(sim)
    await command(hass, sim, REFRESH, "press")
    await until(hass, lambda: sum("refresh" in call for call in calls()) >= 4)
    assert is_waiting(hass)
    clock.go_on(timedelta(minutes=15))
    await until(hass, lambda: not is_waiting(hass))
    assert calls()[-1].endswith("/charge-settings")  # the end of a refresh
    assert car_state(hass, sim, REFRESH).state != STATE_UNAVAILABLE


async def test_a_tenant_that_does_not_report_the_answer_leads_to_a_refresh_at_once(
    hass: HomeAssistant, sim: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    await set_up_with_rare_polls(hass, sim)
    sim.strike({"absent": ["refresh_status"]})
    calls = mark(sim)
    await command(hass, sim, REFRESH, "press")
    await until(hass, lambda: any("refresh" in call and "GET" in call for call in calls()))
    asked = next(n for n, call in enumerate(calls()) if "refresh" in call and "GET" in call)
    await until(hass, lambda: not is_waiting(hass))
    after = [call.partition("?")[0].rpartition("/")[2] for call in calls()[asked + 1 :]]
    assert after == ["vehicles", "sessions", "charge-settings"]
    assert troubles(caplog) == []
