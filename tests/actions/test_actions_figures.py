"""Figures: the sessions and costs of a period, and why there may be none."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.api import JedlixClient, Rejected
from custom_components.jedlix.statistics import StatisticsImport
from simulator.app import Simulator
from tests.actions.calls import call_action
from tests.commanding import add_session, device_of, fails
from tests.simulators import StartSimulator
from tests.tools import make_entry, set_time, set_up, state_of

pytestmark = pytest.mark.usefixtures("home", "no_second_try")


async def test_sessions_and_costs_are_returned_for_each_car_of_the_target(
    hass: HomeAssistant, fleet: Simulator, loaded: MockConfigEntry
) -> None:
    devices = [device_of(hass, loaded, fleet, number).id for number in (0, 1)]
    period_start = dt_util.utcnow() - timedelta(days=20)
    start = period_start.isoformat()
    sessions = await call_action(hass, "get_sessions", device_id=devices, start=start)
    costs = await call_action(hass, "get_costs", device_id=devices, start=start)
    assert sessions is not None
    assert costs is not None
    assert set(sessions) == set(costs) == set(devices)
    for number, device_id in enumerate(devices):
        car = fleet.vehicle(fleet.vehicle_ids[number])
        listed: list[dict[str, Any]] = cast("Any", sessions[device_id])["sessions"]
        world = fleet.world.sessions.by_id
        assert {world[item["session_id"]].vehicle_id for item in listed} == {car.id}
        assert len(listed) > 5
        assert car.session is not None
        assert listed[-1]["session_id"] == car.session.id
        assert listed[-1]["ended_at"] is None
        (total,) = cast("Any", costs[device_id])["costs"]
        assert total["currency"] == "EUR"
        began = [
            item for item in listed if datetime.fromisoformat(item["started_at"]) >= period_start
        ]
        assert total["sessions"] == len(began)
        parts = [item["cost"] * part_after(item, period_start) for item in listed]
        assert total["cost"] == pytest.approx(sum(parts), abs=0.011)
        assert total["smart_sessions"] == sum(item["is_managed"] for item in began)


def part_after(session: dict[str, Any], moment: datetime) -> float:
    """Return which part of a session lies after a moment; nobody saw when it charged."""
    start, end = (
        dt_util.utcnow() if text is None else datetime.fromisoformat(text)
        for text in (session["started_at"], session["ended_at"])
    )
    return 1.0 if start >= moment else (end - moment) / (end - start)


async def test_a_period_has_a_name_or_a_length(
    hass: HomeAssistant, fleet: Simulator, loaded: MockConfigEntry
) -> None:
    device_id = device_of(hass, loaded, fleet).id

    async def ids(**data: Any) -> list[str]:
        answer = await call_action(hass, "get_sessions", device_id=device_id, **data)
        return [item["session_id"] for item in cast("Any", answer)[device_id]["sessions"]]

    now = dt_util.utcnow()
    week = await ids(start=(now - timedelta(days=7)).isoformat())
    assert len(week) > 2
    assert await ids(period="last_7_days") == week
    assert await ids(duration={"days": 7}) == week
    earlier = (now - timedelta(days=7)).isoformat()
    before = await ids(duration={"days": 7}, end=earlier)
    assert before == await ids(start=(now - timedelta(days=14)).isoformat(), end=earlier)
    assert len(before) > 2


async def test_the_costs_of_months_add_up_to_those_of_the_year_and_agree_with_the_sessions(
    hass: HomeAssistant, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One session is charged over the end of a month."""
    await hass.config.async_set_time_zone("Europe/Amsterdam")
    sim = await start_simulator(history_days=0)
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    set_time(monkeypatch, lambda: now)
    monkeypatch.setattr(sim, "clock", lambda: now)
    midnight = datetime(2026, 10, 31, 23, tzinfo=UTC)
    night = timedelta(hours=1)
    add_session(sim, midnight - 3 * night, midnight + night, id="1", energy_kwh=8.0, cost=2.0)
    add_session(sim, midnight + 9 * night, midnight + 11 * night, id="2", energy_kwh=5.0, cost=1.0)
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    device_id = device_of(hass, entry, sim).id

    async def costs(period: str) -> tuple[Any, ...]:
        answer = await call_action(hass, "get_costs", device_id=device_id, period=period)
        (line,) = cast("Any", answer)[device_id]["costs"]
        return line["sessions"], line["energy_kwh"], line["cost"]

    assert await costs("last_month") == (1, 6.0, 1.5)
    assert await costs("this_month") == (1, 7.0, 1.5)
    assert await costs("this_year") == (2, 13.0, 3.0)
    # The sensors of a car that was just added begin with the sessions of the whole month.
    assert float(state_of(hass, "_energy_this_month")) == 7.0
    assert float(state_of(hass, "_cost_this_month")) == 1.5


async def test_a_period_without_sessions_returns_none(
    hass: HomeAssistant, fleet: Simulator, loaded: MockConfigEntry
) -> None:
    device_id = device_of(hass, loaded, fleet).id
    period = {"start": "2020-01-01", "end": "2020-02-01 00:00"}
    assert await call_action(hass, "get_sessions", device_id=device_id, **period) == {
        device_id: {"sessions": []}
    }
    assert await call_action(hass, "get_costs", device_id=device_id, **period) == {
        device_id: {"costs": []}
    }


@pytest.mark.parametrize("action", ["get_sessions", "get_costs", "import_history"])
async def test_a_period_with_too_many_sessions_is_an_error(
    hass: HomeAssistant,
    fleet: Simulator,
    loaded: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
    action: str,
) -> None:
    monkeypatch.setattr("custom_components.jedlix.session_history.MAX_PAGES", 0)
    monkeypatch.setattr(StatisticsImport, "has_recorder", True)
    await fails(
        hass,
        call_action(hass, action, device_id=device_of(hass, loaded, fleet).id),
        "too_many_sessions",
        ServiceValidationError,
    )


@pytest.mark.parametrize("action", ["get_sessions", "import_history"])
async def test_a_list_that_jedlix_refuses_is_an_error_with_its_reason(
    hass: HomeAssistant,
    fleet: Simulator,
    loaded: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
    action: str,
) -> None:
    def refuse(*_args: object, **_options: object) -> None:
        raise Rejected("a year at most")

    monkeypatch.setattr(JedlixClient, "session_pages", refuse)
    monkeypatch.setattr(StatisticsImport, "has_recorder", True)
    device_id = device_of(hass, loaded, fleet).id
    text = await fails(hass, call_action(hass, action, device_id=device_id), "command_refused")
    assert "a year at most" in text


async def test_without_a_recorder_nothing_can_be_imported(
    hass: HomeAssistant, fleet: Simulator, loaded: MockConfigEntry
) -> None:
    device_id = device_of(hass, loaded, fleet).id
    await fails(
        hass,
        call_action(hass, "import_history", device_id=device_id),
        "no_recorder",
        ServiceValidationError,
    )


async def test_a_tenant_without_a_list_of_sessions_does_not_offer_the_answers(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(faults={"absent": ["sessions", "user_sessions"]})
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    device_id = device_of(hass, entry, sim).id
    for action in ("get_sessions", "get_costs"):
        await fails(hass, call_action(hass, action, device_id=device_id), "not_offered")
    await fails(
        hass,
        call_action(hass, "boost", device_id=device_id),
        "no_smart_session",
        ServiceValidationError,
    )
