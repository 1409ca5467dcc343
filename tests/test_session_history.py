"""Past sessions: any period, whole, with few calls, whatever the tenant offers."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from unittest.mock import AsyncMock

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.api import (
    BadAnswer,
    ConnectionFailed,
    JedlixError,
    NotFound,
    Rejected,
    Session,
)
from custom_components.jedlix.session_history import (
    SessionHistory,
    TooManySessions,
    costs_as_json,
    session_as_json,
)
from simulator.api import charging
from simulator.app import Simulator
from simulator.model import JsonObject, Session as TrueSession
from simulator.sessions import Filter
from tests.conftest import StartSimulator
from tests.tools import make_entry, set_up

pytestmark = pytest.mark.usefixtures("home")

DAY: Final = timedelta(days=1)
MONTH: Final = timedelta(days=30)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """Return the present, which stands still."""
    present = datetime.now(UTC)
    monkeypatch.setattr(dt_util, "utcnow", lambda: present)
    return present


class Car:
    """The first car of a simulator, and how its past is asked for."""

    def __init__(self, sim: Simulator, entry: MockConfigEntry) -> None:
        self.sim = sim
        self.key = (sim.user_ids[0], sim.vehicle_ids[0])
        self.past: SessionHistory = entry.runtime_data.session_history
        self.truth = entry.runtime_data.coordinator.offered

    async def asked(self, start: datetime, end: datetime) -> tuple[list[str], list[str]]:
        """Return the ids of the sessions in a period, and the calls that it took, by their last part."""
        before = len(self.sim.requests)
        sessions = await self.past.between(self.key, start, end)
        paths = [request.path.partition("?")[0] for request in [*self.sim.requests][before:]]
        return [session.id for session in sessions], [path.rpartition("/")[2] for path in paths]

    def true(self, start: datetime, end: datetime) -> list[str]:
        """Return the ids of the sessions that were truly running in a period, oldest first."""
        found = [
            session
            for session in self.sim.world.sessions.by_id.values()
            if session.vehicle_id == self.key[1]
            and session.start < end
            and (session.end is None or session.end > start)
        ]
        return [session.id for session in sorted(found, key=lambda session: session.start)]

    def add(self, start: datetime, end: datetime | None, **values: Any) -> TrueSession:
        """Let a session have been."""
        session = TrueSession(
            **{
                "id": f"session of {start}",
                "user_id": self.key[0],
                "vehicle_id": self.key[1],
                "charging_location_id": None,
                "is_managed": False,
                "start": start,
                "last_met": end or start,
                "end": end,
            }
            | values
        )
        self.sim.world.sessions.add(session)
        return session


type StartCar = Callable[..., Any]


@pytest.fixture
def start_car(hass: HomeAssistant, start_simulator: StartSimulator) -> StartCar:
    """Return how to start a simulator with a past, and to follow its first user."""

    async def start(**settings: object) -> Car:
        sim = await start_simulator(**({"history_days": 200} | settings))
        entry = make_entry(sim, None, users=sim.user_ids[:1])
        await set_up(hass, entry)
        entry.runtime_data.client._back_off = ()
        return Car(sim, entry)

    return start


# -- whole -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["default", "strict", "noisy"])
async def test_any_period_is_whole_whatever_the_tenant_offers(
    now: datetime, start_car: StartCar, mode: str
) -> None:
    """Two users are in the tenant, and one is followed."""
    car = await start_car(mode=mode, users=2)
    assert len(car.true(now - 200 * DAY, now)) > 100
    for begin, days in ((200, 200), (170, 1), (1, 1), (90, 30), (45, 42), (300, 60)):
        start = now - begin * DAY
        ids, _ = await car.asked(start, start + days * DAY)
        assert ids == car.true(start, start + days * DAY)


async def test_a_session_that_reaches_into_a_period_is_in_it(
    now: datetime, start_car: StartCar
) -> None:
    car = await start_car(history_days=0)
    holiday = car.add(now - 40 * DAY, now - 20 * DAY)
    for at in (now - 40 * DAY, now - 30 * DAY, now - 20 * DAY - timedelta(minutes=1)):
        assert (await car.asked(at, at + timedelta(minutes=1)))[0] == [holiday.id]
    for at in (now - 40 * DAY - timedelta(hours=1), now - 20 * DAY):
        assert (await car.asked(at, at + timedelta(hours=1)))[0] == []


async def test_one_without_length_is_at_its_moment(now: datetime, start_car: StartCar) -> None:
    car = await start_car(history_days=0)
    brief = car.add(now - 5 * DAY, now - 5 * DAY)
    assert (await car.asked(now - 5 * DAY, now - 4 * DAY))[0] == [brief.id]
    assert (await car.asked(now - 6 * DAY, now - 5 * DAY))[0] == []


async def test_the_running_one_is_there_however_long_it_runs(
    now: datetime, start_car: StartCar, hass: HomeAssistant
) -> None:
    car = await start_car(history_days=0)
    running = Session(id="1", vehicle_id=car.key[1], started_at=now - 90 * DAY)
    snapshot = car.past._fleet.vehicle(car.key)
    assert snapshot is not None
    object.__setattr__(snapshot, "open_sessions", {"1": running})
    assert (await car.asked(now - DAY, now))[0] == ["1"]
    assert (await car.asked(now - 91 * DAY, now - 89 * DAY))[0] == ["1"]
    assert (await car.asked(now - 95 * DAY, now - 91 * DAY))[0] == []


async def test_a_period_to_come_costs_nothing(now: datetime, start_car: StartCar) -> None:
    car = await start_car()
    assert await car.asked(now + DAY, now + MONTH) == ([], [])


# -- few calls ---------------------------------------------------------------------------------------------


async def test_scrolling_costs_a_call_for_what_it_adds_and_none_for_what_was_seen(
    now: datetime, start_car: StartCar
) -> None:
    car = await start_car()
    months = [(now - (n + 1) * MONTH, now - n * MONTH) for n in range(5)]
    for month in months:
        assert await car.asked(*month) == (car.true(*month), ["sessions"])
    for month in reversed(months[1:]):
        assert await car.asked(*month) == (car.true(*month), [])
    assert await car.asked(*months[0]) == (car.true(*months[0]), ["sessions"])
    asked_from = car.sim.requests[-1].path
    assert f"startTimeFrom={(now - 2 * DAY).date()}" in asked_from  # the recent edge only


async def test_two_who_ask_at_once_share_the_past(now: datetime, start_car: StartCar) -> None:
    car = await start_car()
    before = len(car.sim.requests)
    period = (now - 2 * MONTH, now - MONTH)
    one, other = await asyncio.gather(*(car.past.between(car.key, *period) for _ in range(2)))
    assert one == other
    assert len(car.sim.requests) == before + 1


async def test_a_jump_begins_a_new_stretch(now: datetime, start_car: StartCar) -> None:
    car = await start_car(history_days=400)
    near, far = (now - 10 * DAY, now - 5 * DAY), (now - 300 * DAY, now - 290 * DAY)
    for period in (near, far, near):
        assert await car.asked(*period) == (car.true(*period), ["sessions"])
    assert await car.asked(*near) == (car.true(*near), [])


async def test_an_end_that_comes_late_is_seen(
    now: datetime, start_car: StartCar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has not ended, or only just, is asked for anew, and so is all that began after it."""
    car = await start_car(history_days=0)
    long = car.add(now - 10 * DAY, None)
    later = car.add(now - 6 * DAY, now - 5 * DAY)
    period = (now - 12 * DAY, now)
    (first, second), _ = await car.asked(*period)
    assert (first, second) == (long.id, later.id)
    long.last_met = now - timedelta(hours=3)
    car.sim.world.sessions.end(long)
    for energy in (12.0, 13.0):  # corrected soon after
        long.energy_kwh = energy
        found = await car.past.between(car.key, *period)
        assert found[0].ended_at == now - timedelta(hours=3)
        assert found[0].energy_kwh == energy
    much_later = now + 3 * DAY
    monkeypatch.setattr(dt_util, "utcnow", lambda: much_later)
    assert (await car.asked(*period))[1] == ["sessions"]
    assert (await car.asked(*period))[1] == []


async def test_one_that_jedlix_takes_back_is_gone(now: datetime, start_car: StartCar) -> None:
    car = await start_car(history_days=0)
    mistaken = car.add(now - DAY, now - 0.5 * DAY)
    assert (await car.asked(now - 2 * DAY, now))[0] == [mistaken.id]
    mistaken.user_id = "somebody else"
    car.sim.world.sessions._by_user.clear()
    assert (await car.asked(now - 2 * DAY, now))[0] == []


# -- what the tenant lacks ---------------------------------------------------------------------------------


async def test_a_call_that_the_tenant_lacks_is_asked_for_once(
    now: datetime, start_car: StartCar, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    car = await start_car(mode="strict")
    calls = [(await car.asked(now - n * MONTH, now))[1] for n in range(1, 4)]
    # the coordinator knew already that there is no list of one user
    assert calls[0] == ["sessions", "financials"]
    assert calls[1] == calls[2] == ["sessions", "sessions"]  # what is older, and the recent edge
    assert all("/api/v2/sessions" in request.path for request in [*car.sim.requests][-4:])
    for name in ("user_sessions", "financials"):
        assert caplog.text.count(f"does not offer {name}") == 1


@pytest.mark.parametrize("how", ["absent", "forbidden"])
async def test_the_tenants_list_stands_in_for_the_users(
    now: datetime, start_car: StartCar, how: str
) -> None:
    car = await start_car()
    car.sim.strike({how: ["user_sessions"]})
    ids, calls = await car.asked(now - MONTH, now)
    assert ids == car.true(now - MONTH, now)
    assert calls == ["sessions"] * 2
    assert (await car.asked(now - MONTH, now))[1] == ["sessions"]


async def test_a_tenant_without_any_list_does_not_pretend_to_an_empty_past(
    now: datetime, start_car: StartCar
) -> None:
    car = await start_car()
    car.sim.strike({"absent": ["user_sessions", "sessions"]})
    with pytest.raises(NotFound, match="lists no sessions"):
        await car.asked(now - MONTH, now)


async def test_a_failure_is_raised_and_leaves_no_gap(now: datetime, start_car: StartCar) -> None:
    car = await start_car()
    await car.asked(now - MONTH, now)
    car.sim.strike({"api_500": 1.0})
    with pytest.raises(ConnectionFailed):
        await car.asked(now - 3 * MONTH, now - 2 * MONTH)
    car.sim.strike({"api_500": 0.0})
    period = (now - 3 * MONTH, now)
    assert (await car.asked(*period))[0] == car.true(*period)


async def test_a_fleet_too_large_for_a_period_is_said_so(
    now: datetime, start_car: StartCar, monkeypatch: pytest.MonkeyPatch
) -> None:
    car = await start_car(mode="strict", history_days=300)
    monkeypatch.setattr("custom_components.jedlix.session_history.MAX_PAGES", 1)
    assert (await car.asked(now - MONTH, now))[0] == car.true(now - MONTH, now)
    with pytest.raises(TooManySessions, match="shorter"):
        await car.asked(now - 300 * DAY, now)


async def test_filters_that_are_not_understood_only_make_the_answer_longer(
    now: datetime, start_car: StartCar, monkeypatch: pytest.MonkeyPatch
) -> None:
    car = await start_car(mode="strict", users=3)
    monkeypatch.setattr(charging, "_find", lambda call, _: call.cloud.world.sessions.find(Filter()))
    period = (now - 3 * MONTH, now - 2 * MONTH)
    ids, calls = await car.asked(*period)
    assert ids == car.true(*period)
    true = sorted(session.start for session in car.sim.world.sessions.by_id.values())
    needed = sum(start >= period[0] - timedelta(days=31) for start in true)
    pages = -(-needed // 100) + 1  # the last one shows that there is nothing more to come
    assert calls == ["sessions"] * pages + ["financials"]


# -- money of the financials -------------------------------------------------------------------------------


@pytest.fixture
def no_money_in_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let only the financials tell energy and money."""
    whole = charging._shape

    def shape(call: Any, *args: Any) -> JsonObject:
        told = whole(call, *args)
        if not call.request.path.endswith("/financials"):
            for name in ("energyKwh", "cost", "savings", "currency"):
                told.pop(name, None)
        return told

    monkeypatch.setattr(charging, "_shape", shape)


@pytest.mark.usefixtures("no_money_in_sessions")
async def test_the_financials_complete_what_sessions_leave_out(
    now: datetime, start_car: StartCar
) -> None:
    car = await start_car()
    period = (now - 2 * MONTH, now - MONTH)
    assert (await car.asked(*period))[1] == ["sessions", "financials"]
    assert (await car.asked(*period))[1] == []
    sessions = await car.past.between(car.key, *period)
    assert len(sessions) > 10
    for session in sessions:
        true = car.sim.world.sessions.by_id[session.id]
        assert session.cost == pytest.approx(true.cost, abs=0.01)
        assert session.savings == pytest.approx(true.savings, abs=0.01)
        assert session.energy_kwh == pytest.approx(true.energy_kwh, abs=0.01)
        assert session.currency == "EUR"


@pytest.mark.usefixtures("no_money_in_sessions")
async def test_without_financials_the_sessions_are_there_all_the_same(
    now: datetime, start_car: StartCar, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    car = await start_car()
    car.sim.strike({"forbidden": ["financials"]})
    for _ in range(2):
        ids, _ = await car.asked(now - MONTH, now)
        assert ids == car.true(now - MONTH, now)
    assert sum("financials" in request.path for request in car.sim.requests) == 1
    assert caplog.text.count("does not offer financials") == 1


@pytest.mark.usefixtures("no_money_in_sessions")
@pytest.mark.parametrize("answer", [Rejected("no such filter"), BadAnswer("one total of all")])
async def test_financials_that_are_something_else_hide_no_session(
    now: datetime, start_car: StartCar, monkeypatch: pytest.MonkeyPatch, answer: JedlixError
) -> None:
    """Their path and their shape are guesses."""
    car = await start_car()
    monkeypatch.setattr(car.past._client, "financials", AsyncMock(side_effect=answer))
    assert (await car.asked(now - MONTH, now))[0] == car.true(now - MONTH, now)
    assert not car.truth.serves("financials")


async def test_who_tells_it_all_is_not_asked_for_financials(
    now: datetime, start_car: StartCar
) -> None:
    car = await start_car()
    await car.asked(now - MONTH, now)
    assert not [request for request in car.sim.requests if "financials" in request.path]


# -- places ------------------------------------------------------------------------------------------------


async def test_places_are_learned_once_a_day(
    now: datetime, start_car: StartCar, monkeypatch: pytest.MonkeyPatch
) -> None:
    car = await start_car()
    (home,) = car.sim.world.users[car.key[0]].locations

    def times_asked() -> int:
        return sum("/charging-locations" in request.path for request in car.sim.requests)

    before = times_asked()
    for _ in range(2):
        await car.past.read_places(car.key[0])
    assert car.past.places == {home.id: f"{home.street} {home.house_number}, {home.city}"}
    assert times_asked() == before + 1
    tomorrow = now + timedelta(hours=25)
    monkeypatch.setattr(dt_util, "utcnow", lambda: tomorrow)
    await car.past.read_places(car.key[0])
    assert times_asked() == before + 2


async def test_places_that_the_tenant_does_not_tell_are_asked_for_once(start_car: StartCar) -> None:
    car = await start_car(faults={"absent": ["user_locations"]})
    before = len(car.sim.requests)
    for _ in range(2):
        await car.past.read_places(car.key[0])
    assert car.past.places == {}
    assert len(car.sim.requests) == before + 1


@pytest.mark.parametrize(
    ("answer", "is_asked_again"),
    [(Rejected("not like this"), False), (BadAnswer("a page"), False), (ConnectionFailed(), True)],
)
async def test_places_that_cannot_be_had_hide_no_session(
    start_car: StartCar, monkeypatch: pytest.MonkeyPatch, answer: JedlixError, is_asked_again: bool
) -> None:
    car = await start_car()
    ask = AsyncMock(side_effect=answer)
    monkeypatch.setattr(car.past._client, "user_locations", ask)
    for _ in range(2):
        await car.past.read_places(car.key[0])
    assert car.past.places == {}
    assert ask.await_count == (2 if is_asked_again else 1)


# -- what the actions answer -------------------------------------------------------------------------------

FULL: Final = Session(
    id="1",
    user_id="user",
    vehicle_id="car",
    is_managed=True,
    charging_location_id="home",
    started_at=datetime(2026, 7, 1, 18, 0, tzinfo=UTC),
    ended_at=datetime(2026, 7, 2, 6, 30, tzinfo=UTC),
    energy_kwh=20.25,
    cost=4.1,
    savings=1.234,
    currency="EUR",
)


async def test_a_session_is_answered_in_local_time(hass: HomeAssistant) -> None:
    await hass.config.async_set_time_zone("Europe/Amsterdam")
    assert session_as_json(FULL) == {
        "session_id": "1",
        "vehicle_id": "car",
        "is_managed": True,
        "charging_location_id": "home",
        "started_at": "2026-07-01T20:00:00+02:00",
        "ended_at": "2026-07-02T08:30:00+02:00",
        "energy_kwh": 20.25,
        "cost": 4.1,
        "savings": 1.234,
        "currency": "EUR",
    }
    assert session_as_json(Session(id="2")) == dict.fromkeys(session_as_json(FULL)) | {
        "session_id": "2"
    }


def test_costs_are_totals_by_currency() -> None:
    sessions = [
        replace(FULL, id="before", started_at=datetime(2026, 6, 30, 23, 59, tzinfo=UTC)),
        FULL,
        replace(FULL, id="2", is_managed=False, cost=0.2, savings=None),
        replace(FULL, id="3", currency="SEK", energy_kwh=None),
        Session(id="4", started_at=FULL.started_at),
    ]
    assert costs_as_json(sessions, datetime(2026, 7, 1, tzinfo=UTC)) == [
        {
            "currency": "EUR",
            "sessions": 2,
            "smart_sessions": 1,
            "unmanaged_sessions": 1,
            "energy_kwh": 40.5,
            "cost": 4.3,
            "savings": 1.23,
        },
        {
            "currency": "SEK",
            "sessions": 1,
            "smart_sessions": 1,
            "unmanaged_sessions": 0,
            "energy_kwh": None,
            "cost": 4.1,
            "savings": 1.23,
        },
        {
            "currency": None,
            "sessions": 1,
            "smart_sessions": 0,
            "unmanaged_sessions": 0,
            "energy_kwh": None,
            "cost": None,
            "savings": None,
        },
    ]
    assert costs_as_json([], datetime(2026, 7, 1, tzinfo=UTC)) == []
