"""The calendar of a car, asked through Home Assistant's own doors."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from homeassistant.const import STATE_OFF, STATE_ON
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed
from pytest_homeassistant_custom_component.typing import (
    ClientSessionGenerator,
    WebSocketGenerator,
)

from simulator.app import Simulator
from simulator.model import Session as TrueSession
from tests.conftest import StartSimulator
from tests.tools import Clock, make_entry, record_events, set_up, state_of, until

pytestmark = pytest.mark.usefixtures("home")

CALENDAR: Final = "calendar.tesla_model_3_sessions"
DAY: Final = timedelta(days=1)


@pytest.fixture
async def at_home(hass: HomeAssistant) -> None:
    """Let Home Assistant live in a zone with summer time."""
    await hass.config.async_set_time_zone("Europe/Amsterdam")


async def events(hass: HomeAssistant, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """Return the events of a period, as an automation gets them."""
    response = await hass.services.async_call(
        "calendar",
        "get_events",
        {"entity_id": CALENDAR, "start_date_time": start, "end_date_time": end},
        blocking=True,
        return_response=True,
    )
    assert response is not None
    answer: Any = response[CALENDAR]
    return list(answer["events"])


def moments(event: dict[str, Any]) -> tuple[datetime, datetime]:
    """Return start and end of an event, in UTC."""
    return tuple(datetime.fromisoformat(event[name]).astimezone(UTC) for name in ("start", "end"))  # type: ignore[return-value]


def true_sessions(sim: Simulator, start: datetime, end: datetime) -> Iterator[TrueSession]:
    """Yield what was truly running in a period, oldest first."""
    for session in sorted(sim.world.sessions.by_id.values(), key=lambda session: session.start):
        assert session.end is not None
        if session.start < end and session.end > start:
            yield session


def let_have_been(sim: Simulator, start: datetime, end: datetime, **values: Any) -> TrueSession:
    """Let the first car have had a session."""
    session = TrueSession(
        **{
            "id": "made up",
            "user_id": sim.user_ids[0],
            "vehicle_id": sim.vehicle_ids[0],
            "charging_location_id": None,
            "is_managed": True,
            "start": start,
            "last_met": end,
            "end": end,
        }
        | values
    )
    sim.world.sessions.add(session)
    return session


# -- the past ----------------------------------------------------------------------------------------------


async def test_who_scrolls_back_for_months_sees_every_session(
    hass: HomeAssistant, start_simulator: StartSimulator, hass_client: ClientSessionGenerator
) -> None:
    """As the frontend's month view does it: six weeks at a time, over Home Assistant's HTTP API."""
    sim = await start_simulator(history_days=150)
    await set_up(hass, make_entry(sim, None))
    client = await hass_client()
    midnight = dt_util.utcnow().replace(hour=0, minute=0, second=0, microsecond=0)
    seen = set()
    for months in range(6):
        start = midnight - months * 30 * DAY - 35 * DAY
        end = start + 42 * DAY
        response = await client.get(
            f"/api/calendars/{CALENDAR}",
            params={"start": start.isoformat(), "end": end.isoformat()},
        )
        assert response.status == 200
        told = await response.json()
        assert [event["uid"] for event in told] == [
            session.id for session in true_sessions(sim, start, end)
        ]
        seen |= {event["uid"] for event in told}
    assert seen == set(sim.world.sessions.by_id)


@pytest.mark.usefixtures("at_home")
async def test_an_event_tells_what_jedlix_tells(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(history_days=0)
    now = dt_util.utcnow().replace(microsecond=0)
    (home,) = sim.world.users[sim.user_ids[0]].locations
    let_have_been(
        sim,
        now - 9 * DAY,
        now - 8 * DAY,
        id="smart",
        charging_location_id=home.id,
        energy_kwh=1023.456,
        cost=4.1,
        savings=-0.25,
    )
    let_have_been(sim, now - 7 * DAY, now - 6 * DAY, id="unmanaged", is_managed=False)
    await set_up(hass, make_entry(sim, None))
    smart, unmanaged = await events(hass, now - 10 * DAY, now)
    assert moments(smart) == (now - 9 * DAY, now - 8 * DAY)
    assert datetime.fromisoformat(smart["start"]).tzinfo is not None
    assert smart["summary"] == "Smart charging, 1023.5 kWh"
    assert smart["description"] == "Energy: 1023.5 kWh\nCost: 4.10 EUR\nSavings: -0.25 EUR"
    assert smart["location"] == f"{home.street} {home.house_number}, {home.city}"
    assert unmanaged["summary"] == "Unmanaged charging, 0.0 kWh"
    assert "location" not in unmanaged  # Jedlix does not know the place (documented)
    for event in (smart, unmanaged):
        assert str(home.latitude) not in str(event)


@pytest.mark.parametrize(
    ("language", "summary", "description"),
    [
        ("nl", "Slim laden, 12,3 kWh", "Energie: 12,3 kWh\nKosten: 4,10 EUR\nBesparing: "),
        ("de", "Intelligentes Laden, 12,3 kWh", "Energie: 12,3 kWh\nKosten: 4,10 EUR\n"),
        ("fr", "Charge intelligente, 12,3 kWh", "Énergie : 12,3 kWh\nCoût : 4,10 EUR"),
        ("sv", "Smart charging, 12.3 kWh", "Energy: 12.3 kWh\nCost: 4.10 EUR\nSavings: "),
    ],
)
async def test_an_event_speaks_the_language_of_the_server(
    hass: HomeAssistant,
    start_simulator: StartSimulator,
    language: str,
    summary: str,
    description: str,
) -> None:
    hass.config.language = language
    sim = await start_simulator(history_days=0)
    now = dt_util.utcnow()
    let_have_been(sim, now - 9 * DAY, now - 8 * DAY, energy_kwh=12.34, cost=4.1)
    await set_up(hass, make_entry(sim, None))
    (event,) = await events(hass, now - 10 * DAY, now)
    assert event["summary"] == summary
    assert event["description"].startswith(description)


async def test_a_tenant_that_tells_no_money_has_a_calendar_all_the_same(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    """Strict: nothing but what is documented."""
    sim = await start_simulator(mode="strict", users=2)
    await set_up(hass, make_entry(sim, None, users=sim.user_ids[:1]))
    now = dt_util.utcnow()
    told = await events(hass, now - 30 * DAY, now)
    mine = [
        session
        for session in true_sessions(sim, now - 30 * DAY, now)
        if session.user_id == sim.user_ids[0]
    ]
    assert len(mine) > 10
    assert [moments(event)[0] for event in told] == [session.start for session in mine]
    assert [event["summary"] for event in told] == [
        "Smart charging" if session.is_managed else "Unmanaged charging" for session in mine
    ]
    assert not any("description" in event for event in told)


@pytest.mark.usefixtures("at_home")
async def test_an_hour_that_comes_twice(
    hass: HomeAssistant, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clocks went back at 01:00 UTC; by the clock on the wall the first session ends before it began."""
    sim = await start_simulator(history_days=0)
    change = datetime(2026, 10, 25, 1, 0, tzinfo=UTC)
    monkeypatch.setattr(dt_util, "utcnow", lambda: change + 20 * DAY)
    half, whole = timedelta(minutes=30), timedelta(hours=3)
    let_have_been(sim, change - half / 3, change + half / 3, id="brief")
    let_have_been(sim, change + half, change + whole, id="long")
    await set_up(hass, make_entry(sim, None))
    brief, long = await events(hass, change - DAY, change + DAY)
    assert moments(brief)[0] == change - half / 3
    assert moments(long) == (change + half, change + whole)


# -- the present -------------------------------------------------------------------------------------------


async def test_the_running_session_moves_on_until_it_ends(
    hass: HomeAssistant, sim: Simulator, clock: Clock
) -> None:
    car, poll = sim.vehicle_ids[0], timedelta(minutes=5)
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    before = clock.now() - timedelta(minutes=1)
    assert state_of(hass, "_sessions") == STATE_OFF
    sim.plug(car)
    await entry.runtime_data.coordinator.async_refresh()
    for _ in range(3):
        assert state_of(hass, "_sessions") == STATE_ON
        now, end = clock.now(), _ends_at(hass)
        assert timedelta(0) < end - now <= poll
        (event,) = await events(hass, now - timedelta(minutes=1), now + timedelta(minutes=1))
        assert now + poll <= moments(event)[1] <= clock.now() + poll
        assert event["summary"] == "Smart charging"
        clock.go_on(poll)
        async_fire_time_changed(hass, clock.now())
        await until(hass, lambda: _ends_at(hass) > end)  # noqa: B023  it is called at once
    sim.unplug(car)
    await entry.runtime_data.coordinator.async_refresh()
    assert state_of(hass, "_sessions") == STATE_OFF
    (event,) = await events(hass, before, clock.now())
    assert moments(event)[1] < clock.now()


def _ends_at(hass: HomeAssistant) -> datetime:
    state = hass.states.get(CALENDAR)
    assert state is not None
    local = datetime.strptime(state.attributes["end_time"], "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007
    return local.replace(tzinfo=dt_util.get_default_time_zone()).astimezone(UTC)


async def test_a_dashboard_that_shows_the_calendar_is_told_of_a_session(
    hass: HomeAssistant, sim: Simulator, hass_ws_client: WebSocketGenerator
) -> None:
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    client = await hass_ws_client(hass)
    now = dt_util.utcnow()
    await client.send_json_auto_id(
        {
            "type": "calendar/event/subscribe",
            "entity_id": CALENDAR,
            "start": now.isoformat(),
            "end": (now + DAY).isoformat(),
        }
    )
    assert (await client.receive_json())["success"]
    assert (await client.receive_json())["event"]["events"] == []
    sim.plug(sim.vehicle_ids[0])
    await entry.runtime_data.coordinator.async_refresh()
    (event,) = (await client.receive_json())["event"]["events"]
    session = sim.vehicle(sim.vehicle_ids[0]).session
    assert session is not None
    assert event["uid"] == session.id


async def test_a_language_whose_words_are_not_loaded_yet_keeps_no_change_from_being_told(
    hass: HomeAssistant, sim: Simulator
) -> None:
    """Home Assistant first takes the new language, and then reads its words."""
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    recorded = record_events(hass)
    hass.config.language = "pt"
    sim.plug(sim.vehicle_ids[0])
    await entry.runtime_data.coordinator.async_refresh()
    assert recorded.types == ["plugged_in", "session_started", "charging_started"]


# -- when Jedlix does not answer ---------------------------------------------------------------------------


async def test_a_failure_is_told_in_words(
    hass: HomeAssistant, sim: Simulator, hass_client: ClientSessionGenerator
) -> None:
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    entry.runtime_data.client._back_off = ()
    sim.strike({"api_500": 1.0})
    now = dt_util.utcnow()
    with pytest.raises(HomeAssistantError, match="Jedlix could not be asked for the sessions: "):
        await events(hass, now - 10 * DAY, now)
    client = await hass_client()
    response = await client.get(
        f"/api/calendars/{CALENDAR}",
        params={"start": (now - DAY).isoformat(), "end": now.isoformat()},
    )
    assert response.status == 500
    assert "could not be asked for the sessions" in (await response.json())["message"]


async def test_a_period_that_is_too_long_for_the_tenant_is_told_in_words(
    hass: HomeAssistant, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await set_up(hass, make_entry(sim, None))
    monkeypatch.setattr("custom_components.jedlix.session_history.MAX_PAGES", 0)
    now = dt_util.utcnow()
    with pytest.raises(HomeAssistantError, match=r"^There are too many sessions in this period"):
        await events(hass, now - 10 * DAY, now)


async def test_a_session_without_a_start_is_at_no_time(
    hass: HomeAssistant, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from simulator.api import shapes

    whole = shapes.session
    monkeypatch.setattr(
        shapes, "session", lambda *args, **kwargs: whole(*args, **kwargs) | {"startTime": None}
    )
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    sim.plug(sim.vehicle_ids[0])
    await entry.runtime_data.coordinator.async_refresh()
    assert state_of(hass, "_sessions") == STATE_OFF
    now = dt_util.utcnow()
    assert await events(hass, now - 30 * DAY, now + DAY) == []
