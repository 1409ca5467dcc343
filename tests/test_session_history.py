"""Session history: every session of any period, with few calls, whatever the tenant offers."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final
from unittest.mock import AsyncMock

from homeassistant.core import HomeAssistant
import pytest

from custom_components.jedlix import session_history, users
from custom_components.jedlix.api import (
    BadAnswer,
    ConnectionFailed,
    Forbidden,
    JedlixClient,
    JedlixError,
    NotFound,
    Rejected,
    Session,
    transport,
)
from custom_components.jedlix.coordinator import JedlixCoordinator
from custom_components.jedlix.devices import DeviceKey
from custom_components.jedlix.session_history import (
    MAX_SESSION_LENGTH,
    SessionHistory,
    TooManySessions,
)
from custom_components.jedlix.state import fetcher
from custom_components.jedlix.state.holds import Part
from simulator.api import charging
from simulator.app import Simulator
from simulator.model import JsonObject
from simulator.sessions import Filter
from tests.commanding import add_session, delete_session, sessions_between
from tests.simulators import StartSimulator
from tests.tools import Clock, make_entry, set_time, set_up, until

pytestmark = pytest.mark.usefixtures("home", "no_second_try")

DAY: Final = timedelta(days=1)
MONTH: Final = timedelta(days=30)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """Return the time, which stands still."""
    present = datetime.now(UTC)
    set_time(monkeypatch, lambda: present)
    return present


@dataclass
class Car:
    """The first car of a simulator, and its session history."""

    sim: Simulator
    history: SessionHistory
    coordinator: JedlixCoordinator

    @property
    def key(self) -> DeviceKey:
        return (self.sim.user_ids[0], self.sim.vehicle_ids[0])

    async def read(self, start: datetime, end: datetime) -> tuple[list[str], list[str]]:
        """Return the ids of the sessions in a period, and the calls that were made, by their last part."""
        before = len(self.sim.requests)
        sessions = await self.history.between(self.key, start, end)
        paths = [request.path.partition("?")[0] for request in [*self.sim.requests][before:]]
        return [session.id for session in sessions], [path.rpartition("/")[2] for path in paths]

    async def ids(self, start: datetime, end: datetime) -> list[str]:
        """Return the ids of the sessions in a period."""
        return (await self.read(start, end))[0]

    def true_ids(self, start: datetime, end: datetime) -> list[str]:
        """Return the ids of the sessions that were running in a period, oldest first."""
        return [session.id for session in sessions_between(self.sim, start, end)]


type StartCar = Callable[..., Any]


@pytest.fixture
def start_car(hass: HomeAssistant, start_simulator: StartSimulator) -> StartCar:
    """Return a function that starts a simulator with past sessions, and follows its first user."""

    async def start(**settings: object) -> Car:
        sim = await start_simulator(**({"history_days": 200} | settings))
        entry = make_entry(sim, None, users=sim.user_ids[:1])
        await set_up(hass, entry)
        # The last call of the set-up looks for subscriptions that were left.
        await until(hass, lambda: any("subscriptions" in item.path for item in sim.requests))
        data = entry.runtime_data
        return Car(sim, data.session_history, data.coordinator)

    return start


# -- every session of a period -----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["default", "strict", "noisy"])
async def test_any_period_has_all_its_sessions_whatever_the_tenant_offers(
    now: datetime, start_car: StartCar, mode: str
) -> None:
    """One of the tenant's two users is followed."""
    car = await start_car(mode=mode, users=2)
    assert len(car.true_ids(now - 200 * DAY, now)) > 100
    for begin, days in ((200, 200), (170, 1), (1, 1), (90, 30), (45, 42), (300, 60)):
        start = now - begin * DAY
        assert await car.ids(start, start + days * DAY) == car.true_ids(start, start + days * DAY)


async def test_a_session_that_reaches_into_a_period_is_in_it(
    now: datetime, start_car: StartCar
) -> None:
    """A car may stay plugged in for months, while its owner travels."""
    car = await start_car(history_days=0)
    journey = add_session(car.sim, now - 100 * DAY, now - 20 * DAY)
    for days in (100, 70, 60, 30, 20.01):
        at = now - days * DAY
        assert await car.ids(at, at + timedelta(minutes=1)) == [journey.id]
    for at in (now - 100 * DAY - timedelta(hours=1), now - 20 * DAY):
        assert await car.ids(at, at + timedelta(hours=1)) == []


async def test_a_session_without_length_is_in_the_period_of_its_start(
    now: datetime, start_car: StartCar
) -> None:
    car = await start_car(history_days=0)
    brief = add_session(car.sim, now - 5 * DAY, now - 5 * DAY)
    assert await car.ids(now - 5 * DAY, now - 4 * DAY) == [brief.id]
    assert await car.ids(now - 6 * DAY, now - 5 * DAY) == []


async def test_a_running_session_is_there_however_long_it_runs(
    now: datetime, start_car: StartCar
) -> None:
    car = await start_car(history_days=0)
    running = Session(id="1", vehicle_id=car.key[1], started_at=now - 90 * DAY)
    car.coordinator.refresher.apply_command(
        car.key, Part.LEVEL, lambda vehicle: replace(vehicle, open_sessions={"1": running})
    )
    assert await car.ids(now - DAY, now) == ["1"]
    assert await car.ids(now - 91 * DAY, now - 89 * DAY) == ["1"]
    assert await car.ids(now - 95 * DAY, now - 91 * DAY) == []


async def test_a_period_in_the_future_costs_no_call(now: datetime, start_car: StartCar) -> None:
    car = await start_car()
    assert await car.read(now + DAY, now + MONTH) == ([], [])


# -- few calls ---------------------------------------------------------------------------------------------


async def test_scrolling_costs_a_call_for_a_new_month_and_none_for_a_month_that_was_read(
    now: datetime, start_car: StartCar
) -> None:
    car = await start_car()
    months = [(now - (n + 1) * MONTH, now - n * MONTH) for n in range(5)]
    for month in months:
        assert await car.read(*month) == (car.true_ids(*month), ["sessions"])
    for month in reversed(months[1:]):
        assert await car.read(*month) == (car.true_ids(*month), [])
    assert await car.read(*months[0]) == (car.true_ids(*months[0]), ["sessions"])
    # Only the sessions that are not settled yet are read again.
    assert f"startTimeFrom={(now - 2 * DAY).date()}" in car.sim.requests[-1].path


async def test_two_reads_at_the_same_time_share_their_calls(
    now: datetime, start_car: StartCar
) -> None:
    car = await start_car()
    before = len(car.sim.requests)
    period = (now - 2 * MONTH, now - MONTH)
    one, other = await asyncio.gather(*(car.history.between(car.key, *period) for _ in range(2)))
    assert one == other
    assert len(car.sim.requests) == before + 1


async def test_a_period_far_away_takes_the_place_of_the_one_that_was_kept(
    now: datetime, start_car: StartCar
) -> None:
    car = await start_car(history_days=400)
    near, far = (now - 10 * DAY, now - 5 * DAY), (now - 300 * DAY, now - 290 * DAY)
    for period in (near, far, near):
        assert await car.read(*period) == (car.true_ids(*period), ["sessions"])
    assert await car.read(*near) == (car.true_ids(*near), [])


async def test_an_end_that_comes_late_is_read(
    now: datetime, start_car: StartCar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that has not ended, or ended lately, is read again, with all that began after it."""
    car = await start_car(history_days=0)
    long = add_session(car.sim, now - 10 * DAY, None)
    later = add_session(car.sim, now - 6 * DAY, now - 5 * DAY)
    period = (now - 12 * DAY, now)
    (first, second), _ = await car.read(*period)
    assert (first, second) == (long.id, later.id)
    long.last_met = now - timedelta(hours=3)
    car.sim.world.sessions.end(long)
    for energy in (12.0, 13.0):  # corrected soon after
        long.energy_kwh = energy
        found = await car.history.between(car.key, *period)
        assert found[0].ended_at == now - timedelta(hours=3)
        assert found[0].energy_kwh == energy
    much_later = now + 3 * DAY
    set_time(monkeypatch, lambda: much_later)
    assert (await car.read(*period))[1] == ["sessions"]
    assert (await car.read(*period))[1] == []


async def test_what_jedlix_corrects_or_deletes_long_afterwards_is_seen_within_a_day(
    now: datetime, start_car: StartCar, monkeypatch: pytest.MonkeyPatch
) -> None:
    car = await start_car(history_days=0)
    corrected = add_session(car.sim, now - 40 * DAY, now - 39 * DAY, energy_kwh=10.0)
    deleted = add_session(car.sim, now - 35 * DAY, now - 34 * DAY)
    period = (now - 50 * DAY, now - 30 * DAY)
    assert await car.ids(*period) == [corrected.id, deleted.id]
    corrected.energy_kwh = 8.0
    delete_session(car.sim, deleted)
    assert (await car.read(*period))[1] == []
    later = now + timedelta(hours=24)
    set_time(monkeypatch, lambda: later)
    (session,) = await car.history.between(car.key, *period)
    assert session.energy_kwh == 8.0


async def test_a_wrong_clock_of_the_machine_hides_no_session(
    hass: HomeAssistant,
    start_simulator: StartSimulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is six hours slow. What counts is the time at Jedlix."""
    sim = await start_simulator(history_days=0)
    now = datetime.now(UTC)
    set_time(monkeypatch, lambda: now - timedelta(hours=6))
    monkeypatch.setattr(sim, "clock", lambda: now)
    session = add_session(sim, now - timedelta(hours=4), now - timedelta(hours=1))
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    history: SessionHistory = entry.runtime_data.session_history
    found = await history.between((sim.user_ids[0], sim.vehicle_ids[0]), now - DAY, now)
    assert [item.id for item in found] == [session.id]


async def test_a_session_that_jedlix_withdraws_is_gone(now: datetime, start_car: StartCar) -> None:
    car = await start_car(history_days=0)
    mistaken = add_session(car.sim, now - DAY, now - 0.5 * DAY)
    assert await car.ids(now - 2 * DAY, now) == [mistaken.id]
    delete_session(car.sim, mistaken)
    assert await car.ids(now - 2 * DAY, now) == []


# -- what the tenant does not offer ------------------------------------------------------------------------


async def test_a_list_that_is_refused_is_asked_for_less_and_less_and_hides_no_session(
    start_car: StartCar, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Three refusals are enough for ten minutes of rest, and after those for a day."""
    caplog.set_level("INFO")
    car = await start_car(mode="strict")
    clock = Clock(monkeypatch, car.sim)

    async def refused(times: int = 4) -> int:
        """Read some times; returns how often the user's own list was asked for."""
        before = len(car.sim.requests)
        for _ in range(times):
            period = (clock.now() - MONTH, clock.now())
            assert await car.ids(*period) == car.true_ids(*period)
        own = f"/users/{car.key[0]}/sessions"
        calls = [*car.sim.requests][before:]
        return sum(
            own in request.path and request.status == HTTPStatus.NOT_FOUND for request in calls
        )

    assert await refused(5) == 2  # the set-up was refused once
    assert "does not offer" not in caplog.text
    clock.go_on(timedelta(minutes=11))
    assert await refused() == 1
    assert caplog.text.count("does not offer user_sessions") == 1
    clock.go_on(timedelta(hours=23))
    assert await refused() == 0
    clock.go_on(timedelta(hours=2))
    assert await refused() == 1
    assert caplog.text.count("does not offer user_sessions") == 1


@pytest.mark.parametrize("how", ["absent", "forbidden"])
async def test_the_tenants_list_is_read_while_that_of_the_user_is_refused(
    now: datetime, start_car: StartCar, how: str
) -> None:
    """The user's own list was answered before. So it remains the first that is asked for."""
    car = await start_car()
    car.sim.strike({how: ["user_sessions"]})
    period = (now - MONTH, now)
    for _ in range(4):
        assert await car.read(*period) == (car.true_ids(*period), ["sessions"] * 2)
    car.sim.strike({how: []})
    assert await car.read(*period) == (car.true_ids(*period), ["sessions"])


async def test_a_tenant_without_any_list_is_an_error_and_no_empty_history(
    now: datetime, start_car: StartCar
) -> None:
    car = await start_car()
    car.sim.strike({"absent": ["user_sessions", "sessions"]})
    with pytest.raises(NotFound, match="lists no sessions"):
        await car.read(now - MONTH, now)


async def test_sessions_without_a_car_belong_to_the_user_whom_they_name(
    now: datetime, start_car: StartCar
) -> None:
    """The tenant's list names the sessions of all users, and the filter by car finds none of them."""
    car = await start_car(mode="strict", users=2, history_days=30)
    period = (now - MONTH, now)
    own = car.true_ids(*period)
    assert {item.user_id for item in car.sim.world.sessions.by_id.values()} == {*car.sim.user_ids}
    car.sim.strike({"kind": "no_vehicle_id", "endpoints": ["sessions"]})
    assert await car.ids(*period) == own


async def test_a_failure_is_raised_and_no_session_is_missing_afterwards(
    now: datetime, start_car: StartCar
) -> None:
    car = await start_car()
    await car.read(now - MONTH, now)
    car.sim.strike({"api_500": 1.0})
    with pytest.raises(ConnectionFailed):
        await car.read(now - 3 * MONTH, now - 2 * MONTH)
    car.sim.strike({"api_500": 0.0})
    period = (now - 3 * MONTH, now)
    assert await car.ids(*period) == car.true_ids(*period)


async def test_a_period_with_too_many_sessions_is_an_error(
    now: datetime, start_car: StartCar, monkeypatch: pytest.MonkeyPatch
) -> None:
    car = await start_car(mode="strict", history_days=300)
    monkeypatch.setattr("custom_components.jedlix.session_history.MAX_PAGES", 1)
    assert await car.ids(now - MONTH, now) == car.true_ids(now - MONTH, now)
    with pytest.raises(TooManySessions, match="shorter"):
        await car.read(now - 300 * DAY, now)


def test_the_limit_of_who_reads_pages_is_reached_before_that_of_the_client() -> None:
    """The reader reports that it stops; the client just stops."""
    readers = (session_history, fetcher, users)
    assert all(reader.MAX_PAGES < transport.MAX_PAGES for reader in readers)


async def test_filters_that_are_ignored_only_cost_more_pages(
    now: datetime, start_car: StartCar, monkeypatch: pytest.MonkeyPatch
) -> None:
    car = await start_car(mode="strict", users=3)
    monkeypatch.setattr(charging, "_find", lambda call, _: call.cloud.world.sessions.find(Filter()))
    period = (now - 3 * MONTH, now - 2 * MONTH)
    ids, calls = await car.read(*period)
    assert ids == car.true_ids(*period)
    starts = [session.start for session in car.sim.world.sessions.by_id.values()]
    needed = sum(start >= period[0] - MAX_SESSION_LENGTH for start in starts)
    pages = -(-needed // 100) + 1  # the last one shows that there are no more
    assert calls == ["sessions"] * (1 + pages) + ["financials"]  # the user's own list is refused


# -- money of the financials -------------------------------------------------------------------------------


@pytest.fixture
def no_money_in_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let only the financials report energy and money."""
    whole = charging._shape

    def shape(call: Any, *args: Any) -> JsonObject:
        session = whole(call, *args)
        if not call.request.path.endswith("/financials"):
            for name in ("energyKwh", "cost", "savings", "currency"):
                session.pop(name, None)
        return session

    monkeypatch.setattr(charging, "_shape", shape)


@pytest.mark.usefixtures("no_money_in_sessions")
async def test_the_financials_complete_sessions_without_figures(
    now: datetime, start_car: StartCar
) -> None:
    car = await start_car()
    period = (now - 2 * MONTH, now - MONTH)
    assert (await car.read(*period))[1] == ["sessions", "financials"]
    assert (await car.read(*period))[1] == []
    sessions = await car.history.between(car.key, *period)
    assert len(sessions) > 10
    for session in sessions:
        true = car.sim.world.sessions.by_id[session.id]
        assert session.cost == pytest.approx(true.cost, abs=0.01)
        assert session.savings == pytest.approx(true.savings, abs=0.01)
        assert session.energy_kwh == pytest.approx(true.energy_kwh, abs=0.01)
        assert session.currency == "EUR"


@pytest.mark.usefixtures("no_money_in_sessions")
async def test_without_financials_the_sessions_are_returned_as_they_are(
    now: datetime, start_car: StartCar
) -> None:
    car = await start_car(faults={"forbidden": ["financials"]})
    for _ in range(5):
        assert await car.ids(now - MONTH, now) == car.true_ids(now - MONTH, now)
    # Three refusals are enough for ten minutes of rest.
    assert sum("financials" in request.path for request in car.sim.requests) == 3


@pytest.mark.usefixtures("no_money_in_sessions")
async def test_one_refusal_by_the_financials_is_not_kept_although_they_never_answered(
    now: datetime, start_car: StartCar
) -> None:
    car = await start_car()
    period = (now - 3 * MONTH, now - 2 * MONTH)  # set-up has read the last month
    car.sim.strike({"forbidden": ["financials"]})
    assert {item.cost for item in await car.history.between(car.key, *period)} == {None}
    car.sim.strike({"forbidden": []})
    assert None not in {item.cost for item in await car.history.between(car.key, *period)}


@pytest.mark.usefixtures("no_money_in_sessions")
async def test_a_slip_of_the_financials_hides_their_figures_only_until_the_next_read(
    now: datetime, start_car: StartCar
) -> None:
    car = await start_car(history_days=300)
    await car.read(now - 2 * MONTH, now - MONTH)
    period = (now - 9 * MONTH, now - 7 * MONTH)
    car.sim.strike({"forbidden": ["financials"]})
    sessions = await car.history.between(car.key, *period)
    assert [session.id for session in sessions] == car.true_ids(*period)
    assert {session.cost for session in sessions} == {None}
    with pytest.raises(Forbidden):  # an import that went on would write that nothing was charged
        await car.history.began_since(car.key, now - MONTH)
    car.sim.strike({"forbidden": []})
    assert None not in {session.cost for session in await car.history.between(car.key, *period)}
    assert await car.history.began_since(car.key, now - MONTH)


@pytest.mark.usefixtures("no_money_in_sessions")
@pytest.mark.parametrize("answer", [Rejected("no such filter"), BadAnswer("one total of all")])
async def test_financials_that_cannot_be_read_hide_no_session(
    now: datetime, start_car: StartCar, monkeypatch: pytest.MonkeyPatch, answer: JedlixError
) -> None:
    """Their path and their shape are assumed."""
    monkeypatch.setattr(JedlixClient, "financials", read := AsyncMock(side_effect=answer))
    car = await start_car()
    for _ in range(5):
        assert await car.ids(now - MONTH, now) == car.true_ids(now - MONTH, now)
    assert read.await_count == 3


async def test_sessions_with_all_figures_need_no_financials(
    now: datetime, start_car: StartCar
) -> None:
    car = await start_car()
    assert await car.ids(now - MONTH, now)
    assert not [request for request in car.sim.requests if "financials" in request.path]
