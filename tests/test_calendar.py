"""Calendar: the sessions of a car, read through Home Assistant's own API and actions."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from homeassistant.components.recorder.db_schema import StateAttributes
from homeassistant.const import EVENT_STATE_CHANGED, STATE_OFF, STATE_ON
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.entity_component import async_update_entity
from homeassistant.util import dt as dt_util
import orjson
import pytest
from pytest_homeassistant_custom_component.common import (
    async_capture_events,
    async_fire_time_changed,
)
from pytest_homeassistant_custom_component.typing import (
    ClientSessionGenerator,
    WebSocketGenerator,
)

from simulator.api import shapes
from simulator.app import Simulator
from tests.commanding import add_session, sessions_between
from tests.simulators import StartSimulator
from tests.tools import Clock, make_entry, record_events, set_time, set_up, state_of, until

pytestmark = pytest.mark.usefixtures("home")

CALENDAR: Final = "calendar.tesla_model_3_sessions"
DAY: Final = timedelta(days=1)
HOUR: Final = timedelta(hours=1)


@pytest.fixture
async def summer_time(hass: HomeAssistant) -> None:
    """Set a time zone with summer time."""
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


# -- the past ----------------------------------------------------------------------------------------------


async def test_scrolling_back_for_months_shows_every_session(
    hass: HomeAssistant, start_simulator: StartSimulator, hass_client: ClientSessionGenerator
) -> None:
    """The frontend's month view reads six weeks at a time, over Home Assistant's HTTP API."""
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
        ids = [event["uid"] for event in await response.json()]
        assert ids == [session.id for session in sessions_between(sim, start, end)]
        seen |= set(ids)
    assert seen == set(sim.world.sessions.by_id)


@pytest.mark.usefixtures("summer_time")
async def test_an_event_shows_energy_money_and_place(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(history_days=0)
    now = dt_util.utcnow().replace(microsecond=0)
    (home,) = sim.world.users[sim.user_ids[0]].locations
    add_session(
        sim,
        now - 9 * DAY,
        now - 8 * DAY,
        id="smart",
        is_managed=True,
        charging_location_id=home.id,
        energy_kwh=1023.456,
        cost=4.1,
        savings=-0.25,
    )
    add_session(sim, now - 7 * DAY, now - 6 * DAY, id="unmanaged")
    await set_up(hass, make_entry(sim, None))
    smart, unmanaged = await events(hass, now - 10 * DAY, now)
    assert moments(smart) == (now - 9 * DAY, now - 8 * DAY)
    assert datetime.fromisoformat(smart["start"]).tzinfo is not None
    assert smart["summary"] == "1023.5 kWh, Smart charging"
    assert smart["description"] == "Energy: 1023.5 kWh\nCost: 4.10 EUR\nSavings: -0.25 EUR"
    assert smart["location"] == f"{home.street} {home.house_number}, {home.city}"
    assert unmanaged["summary"] == "0.0 kWh, Unmanaged charging"
    assert "location" not in unmanaged  # Jedlix does not know the place (documented)
    for event in (smart, unmanaged):
        assert str(home.latitude) not in str(event)


@pytest.mark.parametrize(
    ("language", "summary", "description"),
    [
        ("nl", "12,3 kWh, Slim laden", "Energie: 12,3 kWh\nKosten: 4,10 EUR\nBesparing: "),
        ("de", "12,3 kWh, Intelligentes Laden", "Energie: 12,3 kWh\nKosten: 4,10 EUR\n"),
        ("fr", "12,3 kWh, Charge intelligente", "Énergie : 12,3 kWh\nCoût : 4,10 EUR"),
        ("sv", "12.3 kWh, Smart charging", "Energy: 12.3 kWh\nCost: 4.10 EUR\nSavings: "),
    ],
)
async def test_an_event_is_in_the_language_of_the_server(
    hass: HomeAssistant,
    start_simulator: StartSimulator,
    language: str,
    summary: str,
    description: str,
) -> None:
    hass.config.language = language
    sim = await start_simulator(history_days=0)
    now = dt_util.utcnow()
    add_session(sim, now - 9 * DAY, now - 8 * DAY, energy_kwh=12.34, cost=4.1, is_managed=True)
    await set_up(hass, make_entry(sim, None))
    (event,) = await events(hass, now - 10 * DAY, now)
    assert event["summary"] == summary
    assert event["description"].startswith(description)


async def test_a_tenant_that_reports_no_money_has_a_calendar_as_well(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    """A strict tenant offers only what is documented."""
    sim = await start_simulator(mode="strict", users=2)
    await set_up(hass, make_entry(sim, None, users=sim.user_ids[:1]))
    now = dt_util.utcnow()
    found = await events(hass, now - 30 * DAY, now)
    mine = sessions_between(sim, now - 30 * DAY, now)
    assert len(mine) > 10
    assert [moments(event)[0] for event in found] == [session.start for session in mine]
    assert [event["summary"] for event in found] == [
        "Smart charging" if session.is_managed else "Unmanaged charging" for session in mine
    ]
    assert not any("description" in event for event in found)


@pytest.mark.usefixtures("summer_time")
async def test_sessions_in_the_hour_that_comes_twice(
    hass: HomeAssistant, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clocks went back at 01:00 UTC; in local time the first session ends before it began."""
    sim = await start_simulator(history_days=0)
    change = datetime(2026, 10, 25, 1, 0, tzinfo=UTC)
    set_time(monkeypatch, lambda: change + 20 * DAY)
    half, whole = timedelta(minutes=30), timedelta(hours=3)
    add_session(sim, change - half / 3, change + half / 3, id="brief")
    add_session(sim, change + half, change + whole, id="long")
    await set_up(hass, make_entry(sim, None))
    brief, long = await events(hass, change - DAY, change + DAY)
    assert moments(brief)[0] == change - half / 3
    assert moments(long) == (change + half, change + whole)


# -- the present -------------------------------------------------------------------------------------------


async def test_the_end_of_a_running_session_moves_on_until_it_ends(
    hass: HomeAssistant, sim: Simulator, clock: Clock
) -> None:
    car, poll = sim.vehicle_ids[0], timedelta(minutes=5)
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    before = clock.now() - timedelta(minutes=1)
    assert state_of(hass, "_sessions") == STATE_OFF
    written = async_capture_events(hass, EVENT_STATE_CHANGED)
    sim.plug(car)
    await entry.runtime_data.coordinator.async_refresh()
    for _ in range(3):
        assert state_of(hass, "_sessions") == STATE_ON
        now, end = clock.now(), end_shown(hass)
        assert poll < end - now <= poll + HOUR
        assert (end.minute, end.second) == (0, 0)
        (event,) = await events(hass, now - timedelta(minutes=1), now + timedelta(minutes=1))
        assert now + poll <= moments(event)[1] <= clock.now() + poll
        assert event["summary"] == "Smart charging"
        clock.go_on(poll)
        await entry.runtime_data.coordinator.async_refresh()
        clock.go_on(end - clock.now())
        async_fire_time_changed(hass, clock.now())
        await until(hass, lambda: end_shown(hass) > end)  # noqa: B023  it is called at once
    states = [state for it in written if (state := it.data["new_state"]) is not None]
    ends = {state.attributes.get("end_time") for state in states if state.entity_id == CALENDAR}
    assert len(ends - {None}) == 3 + 1  # the first, and one for each that has come
    sim.unplug(car)
    await entry.runtime_data.coordinator.async_refresh()
    assert state_of(hass, "_sessions") == STATE_OFF
    (event,) = await events(hass, before, clock.now())
    assert moments(event)[1] < clock.now()


async def test_the_recorder_keeps_no_address_and_nothing_twice(
    hass: HomeAssistant, sim: Simulator, clock: Clock
) -> None:
    """The calendar shows the address of the running session, its state the name of the place.

    Of the session, the recorder keeps what its events on the bus and its sensors have.
    """
    (home,) = sim.world.users[sim.user_ids[0]].locations
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    changes = async_capture_events(hass, EVENT_STATE_CHANGED)
    sim.plug(sim.vehicle_ids[0])
    await entry.runtime_data.coordinator.async_refresh()
    now = clock.now()
    (event,) = await events(hass, now - timedelta(minutes=1), now + timedelta(minutes=1))
    assert event["location"] == f"{home.street} {home.house_number}, {home.city}"
    await async_update_entity(hass, CALENDAR)
    state = hass.states.get(CALENDAR)
    assert state is not None
    assert state.attributes["location"] == home.city
    kept: defaultdict[str, set[str]] = defaultdict(set)
    for change in changes:
        recorded = StateAttributes.shared_attrs_bytes_from_event(change, None).decode()
        assert home.street not in recorded
        kept[change.data["entity_id"].rpartition("_")[2]] |= orjson.loads(recorded).keys()
    assert kept["sessions"] == {"friendly_name"}
    assert kept["charging"] >= {"event_type"}
    for of_session in ("location_name", "session_id", "occurred_at", "is_managed"):
        assert not [name for name, attributes in kept.items() if of_session in attributes]


def end_shown(hass: HomeAssistant) -> datetime:
    state = hass.states.get(CALENDAR)
    assert state is not None
    local = datetime.strptime(state.attributes["end_time"], "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007
    return local.replace(tzinfo=dt_util.get_default_time_zone()).astimezone(UTC)


async def test_a_dashboard_that_shows_the_calendar_gets_a_new_session(
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


async def test_changes_are_published_although_the_texts_of_a_new_language_are_not_loaded(
    hass: HomeAssistant, sim: Simulator
) -> None:
    """Home Assistant first sets the new language, and then loads its texts."""
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    recorded = record_events(hass)
    hass.config.language = "pt"
    sim.plug(sim.vehicle_ids[0])
    await entry.runtime_data.coordinator.async_refresh()
    assert recorded.types == ["plugged_in", "session_started", "charging_started"]


# -- failures ----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_second_try")
async def test_a_failure_is_shown_with_its_reason(
    hass: HomeAssistant, sim: Simulator, hass_client: ClientSessionGenerator
) -> None:
    await set_up(hass, make_entry(sim, None))
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


async def test_a_period_with_too_many_sessions_is_an_error_that_says_so(
    hass: HomeAssistant, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await set_up(hass, make_entry(sim, None))
    monkeypatch.setattr("custom_components.jedlix.session_history.MAX_PAGES", 0)
    now = dt_util.utcnow()
    with pytest.raises(HomeAssistantError, match=r"^There are too many sessions in this period"):
        await events(hass, now - 10 * DAY, now)


async def test_a_session_without_a_start_is_not_shown(
    hass: HomeAssistant, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
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
