"""Past energy and cost in the real recorder: every kWh once, in its hour, whatever happens in between."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
import logging
from typing import Any, Final

from homeassistant.components.recorder.statistics import (
    list_statistic_ids,
    statistics_during_period,
)
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.recorder import get_instance
from homeassistant.util import dt as dt_util, slugify
from hypothesis import given, strategies as st
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)

from custom_components.jedlix.api import Session
from custom_components.jedlix.const import CONF_IMPORT_ENERGY, DOMAIN
from custom_components.jedlix.session_history import SessionHistory
from custom_components.jedlix.statistics import by_hour
from simulator.api import charging
from simulator.app import Simulator
from simulator.model import Session as TrueSession
from simulator.sessions import Filter
from simulator.settings import Settings
from tests.tools import make_entry, set_up, until

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
PRESENT: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ON: Final = {CONF_IMPORT_ENERGY: True}


# -- which amount belongs to which hour --------------------------------------------------------------------


def session(start: datetime, end: datetime) -> Session:
    return Session(id="1", started_at=start, ended_at=end)


def test_an_amount_is_spread_evenly_over_its_session() -> None:
    at = datetime(2026, 11, 1, 10, 0, tzinfo=UTC)
    half = session(at + HOUR / 2, at + HOUR)
    long = session(at + HOUR / 2, at + 3 * HOUR)
    brief = session(at + HOUR / 4, at + HOUR / 4)
    assert by_hour([(half, 5.0)]) == {at: 5.0}
    assert by_hour([(long, 5.0)]) == {at: 1.0, at + HOUR: 2.0, at + 2 * HOUR: 2.0}
    assert by_hour([(brief, 5.0)]) == {at: 5.0}
    assert by_hour([(half, 1.0), (long, 5.0), (brief, 0.5)])[at] == 2.5
    assert by_hour([]) == {}


@given(
    st.lists(
        st.tuples(
            st.timedeltas(timedelta(), timedelta(days=40)).map(lambda ago: PRESENT - ago),
            st.timedeltas(timedelta(), timedelta(days=3)),
            st.floats(0, 100),
        )
    )
)
def test_nothing_is_lost_and_hours_begin_on_the_hour(
    spans: list[tuple[datetime, timedelta, float]],
) -> None:
    hours = by_hour((session(start, start + length), amount) for start, length, amount in spans)
    assert sum(hours.values()) == pytest.approx(sum(amount for _, _, amount in spans))
    assert all((hour.minute, hour.second, hour.microsecond) == (0, 0, 0) for hour in hours)


# -- in the recorder ---------------------------------------------------------------------------------------


@dataclass
class House:
    """A Home Assistant with a recorder, a simulator with a past, and a clock for both."""

    hass: HomeAssistant
    sim: Simulator
    entry: MockConfigEntry
    turn: Callable[[datetime], None]

    @property
    def car(self) -> str:
        return f"{DOMAIN}:{slugify(self.sim.user_ids[0])}_{slugify(self.sim.vehicle_ids[0])}"

    @property
    def asked_for_the_past(self) -> int:
        """Return how often past sessions were asked for: nobody else names a car."""
        return sum("vehicleId=" in request.path for request in self.sim.requests)

    async def begin(self) -> None:
        await set_up(self.hass, self.entry)
        await self.done()

    async def poll(self) -> None:
        await self.entry.runtime_data.coordinator.async_refresh()
        await self.done()

    async def charge(self, at: datetime) -> None:
        """Let the first car charge for two and a half hours, and drive off."""
        car = self.sim.vehicle(self.sim.vehicle_ids[0])
        self.turn(at)
        if not car.plugged_in:
            self.sim.plug(car.id)
        self.sim.boost(car.id)
        self.turn(at + 2.5 * HOUR)
        self.sim.advance(2.5)
        await self.poll()
        self.sim.unplug(car.id)
        self.sim.world.drive(car, 40)
        await self.poll()

    async def an_hour_later(self) -> None:
        """Let the timers of the next hour go off; they run by the real clock."""
        async_fire_time_changed(self.hass, datetime.now(UTC) + 1.1 * HOUR)
        await self.done()

    async def reload(self) -> None:
        await self.hass.config_entries.async_reload(self.entry.entry_id)
        await self.done()

    async def done(self) -> None:
        await until(self.hass, lambda: not is_importing(self.hass))
        await async_wait_recording_done(self.hass)

    async def rows(self, what: str) -> list[tuple[datetime, float, float]]:
        """Return start, change and sum of all hours of a statistic."""
        name = f"{self.car}_{what}"
        found = await get_instance(self.hass).async_add_executor_job(
            lambda: statistics_during_period(
                self.hass,
                datetime(2020, 1, 1, tzinfo=UTC),
                None,
                {name},
                "hour",
                None,
                {"change", "sum"},
            )
        )
        return [
            (
                datetime.fromtimestamp(row["start"], UTC),
                row["change"] or 0.0,
                row["sum"] or 0.0,
            )
            for row in found.get(name, [])
        ]

    def past(self) -> Iterator[TrueSession]:
        """Yield the ended sessions of the first car."""
        for item in self.sim.world.sessions.by_id.values():
            if item.vehicle_id == self.sim.vehicle_ids[0] and item.end is not None:
                yield item

    def let_have_been(
        self, start: datetime, end: datetime | None, energy_kwh: float, **values: Any
    ) -> TrueSession:
        item = TrueSession(
            **{
                "id": f"session of {start}",
                "user_id": self.sim.user_ids[0],
                "vehicle_id": self.sim.vehicle_ids[0],
                "charging_location_id": None,
                "is_managed": False,
                "start": start,
                "last_met": end or start,
                "end": end,
                "energy_kwh": energy_kwh,
            }
            | values
        )
        self.sim.world.sessions.add(item)
        return item

    async def agrees(self) -> None:
        """Check that the statistics tell of each hour what the simulator knows, and never run back."""
        expected = by_hour(
            (session(item.start, item.end), round(item.energy_kwh, 3))
            for item in self.past()
            if item.end is not None
        )
        rows = await self.rows("session_energy")
        told = {start: change for start, change, _ in rows if change}
        assert told == pytest.approx({hour: kwh for hour, kwh in expected.items() if kwh})
        sums = [total for *_, total in rows]
        assert sums == sorted(sums)
        assert sums[-1] == pytest.approx(sum(expected.values()))


def is_importing(hass: HomeAssistant) -> bool:
    return any(
        isinstance(task, asyncio.Task) and task.get_name() == "jedlix energy import"
        for task in hass._background_tasks
    )


type StartHouse = Callable[..., Any]


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Let the database not log each of its thousands of rows."""
    for name in ("sqlalchemy.engine", "homeassistant.components.recorder"):
        caplog.set_level(logging.WARNING, name)


@pytest.fixture
async def start_house(
    recorder_mock: object,
    hass: HomeAssistant,
    home: object,
    monkeypatch: pytest.MonkeyPatch,
) -> Any:
    """Return how to make a house; nothing in it is set up yet."""
    running: list[Simulator] = []
    present = PRESENT

    def turn(to: datetime) -> None:
        nonlocal present
        present = to

    monkeypatch.setattr(dt_util, "utcnow", lambda: present)

    async def start(options: dict[str, Any] | None = None, **settings: Any) -> House:
        sim = Simulator(Settings(**settings), clock=lambda: present)
        running.append(sim)
        await sim.start()
        entry = make_entry(sim, None, options=ON if options is None else options)
        return House(hass, sim, entry, turn)

    yield start
    for sim in running:
        await sim.stop()


async def ids(hass: HomeAssistant) -> dict[str, dict[str, Any]]:
    """Return what is known of our statistics, by id."""
    found = await get_instance(hass).async_add_executor_job(list_statistic_ids, hass)
    return {item["statistic_id"]: dict(item) for item in found if item["source"] == DOMAIN}


async def test_history_exists_from_the_first_day(start_house: StartHouse) -> None:
    house = await start_house(history_days=100)
    await house.begin()
    await house.agrees()
    assert len(await house.rows("session_energy")) > 500
    cost = await house.rows("session_cost_in_eur")
    assert cost[-1][2] == pytest.approx(sum(round(item.cost, 2) for item in house.past()))


async def test_the_statistics_are_ready_for_the_energy_dashboard(start_house: StartHouse) -> None:
    house = await start_house()
    house.hass.config.language = "nl"
    await house.begin()
    (device,) = [
        device
        for device in dr.async_entries_for_config_entry(
            dr.async_get(house.hass), house.entry.entry_id
        )
        if device.model == "Model 3"
    ]
    dr.async_get(house.hass).async_update_device(device.id, name_by_user="De rode")
    await house.reload()
    known = await ids(house.hass)
    assert known.keys() == {f"{house.car}_session_energy", f"{house.car}_session_cost_in_eur"}
    energy, cost = (known[key] for key in sorted(known, reverse=True))
    assert energy["name"] == "De rode Energie van de laadsessie"
    assert energy["statistics_unit_of_measurement"] == "kWh"
    assert energy["unit_class"] == "energy"
    assert energy["has_sum"] is True
    assert cost["name"] == "De rode Kosten van de laadsessie"
    assert cost["statistics_unit_of_measurement"] == "EUR"


async def test_reloads_and_restarts_add_nothing(start_house: StartHouse) -> None:
    house = await start_house()
    await house.begin()
    before = await house.rows("session_energy")
    for _ in range(2):
        await house.reload()
    house.turn(PRESENT + 40 * DAY)
    await house.reload()
    assert await house.rows("session_energy") == before
    await house.agrees()


async def test_each_session_is_imported_when_it_ends(start_house: StartHouse) -> None:
    house = await start_house(history_days=10)
    await house.begin()
    for number in range(1, 4):
        before = await house.rows("session_energy")
        house.turn(PRESENT + number * DAY)
        house.sim.plug(house.sim.vehicle_ids[0])
        await house.poll()
        assert await house.rows("session_energy") == before  # it is still running
        await house.charge(PRESENT + number * DAY)
        assert len(await house.rows("session_energy")) > len(before)
        await house.agrees()


@pytest.mark.parametrize("days", [6.5, 25.5])
async def test_one_that_ends_after_a_later_one_lands_in_its_own_hours(
    start_house: StartHouse, days: float
) -> None:
    house = await start_house(history_days=0)
    early = house.let_have_been(PRESENT - days * DAY, None, 12.0)
    house.let_have_been(PRESENT - 4 * DAY, PRESENT - 3.9 * DAY, 7.0)
    house.let_have_been(PRESENT - 60 * DAY, PRESENT - 59.9 * DAY, 3.0)
    await house.begin()
    await house.agrees()
    early.last_met = PRESENT - 0.01 * DAY
    house.sim.world.sessions.end(early)
    await house.poll()
    await house.agrees()
    assert (await house.rows("session_energy"))[-1][2] == pytest.approx(22.0)


async def test_a_car_that_was_plugged_in_for_weeks_has_it_all(start_house: StartHouse) -> None:
    house = await start_house(history_days=0)
    long = house.let_have_been(PRESENT - 30 * DAY, None, 60.0)
    house.let_have_been(PRESENT - 50 * DAY, PRESENT - 49 * DAY, 7.0)
    await house.begin()
    long.last_met = PRESENT
    house.sim.world.sessions.end(long)
    await house.poll()
    await house.agrees()
    for days in (10, 20):  # and keeps it
        house.turn(PRESENT + days * DAY)
        await house.reload()
        await house.agrees()


async def test_energy_that_is_corrected_afterwards_is_put_right(start_house: StartHouse) -> None:
    house = await start_house(history_days=0)
    first = house.let_have_been(PRESENT - 5 * DAY, PRESENT - 4.7 * DAY, 12.0)
    house.let_have_been(PRESENT - 3 * DAY, PRESENT - 2.7 * DAY, 5.0)
    await house.begin()
    first.energy_kwh = 8.0
    await house.reload()
    await house.agrees()
    first.start += 3 * HOUR  # hours that have nothing any more
    await house.reload()
    await house.agrees()


async def test_what_ended_while_home_assistant_was_away_is_imported(
    start_house: StartHouse,
) -> None:
    house = await start_house(history_days=10)
    await house.begin()
    await house.hass.config_entries.async_unload(house.entry.entry_id)
    for days in (2, 20, 45, 70):
        house.let_have_been(PRESENT + days * DAY, PRESENT + (days + 0.4) * DAY, float(days))
    house.turn(PRESENT + 80 * DAY)
    await house.hass.config_entries.async_setup(house.entry.entry_id)
    await house.done()
    await house.agrees()


async def test_two_sessions_that_share_an_hour_keep_their_parts(start_house: StartHouse) -> None:
    """The first is older than what is computed anew; the hour that it ended in is not."""
    house = await start_house(history_days=0)
    hour = PRESENT - 30 * DAY
    house.let_have_been(hour - HOUR, hour + HOUR / 3, 4.0)
    house.let_have_been(hour + HOUR / 2, hour + 2 * HOUR, 3.0)
    await house.begin()
    await house.agrees()
    house.turn(PRESENT + DAY)
    await house.reload()
    await house.agrees()


async def test_the_day_with_25_hours(start_house: StartHouse) -> None:
    house = await start_house(history_days=0)
    await house.hass.config.async_set_time_zone("Europe/Amsterdam")
    change = datetime(2026, 10, 25, 1, 0, tzinfo=UTC)
    house.let_have_been(change - 4 * HOUR, change + 4 * HOUR, 16.0)
    await house.begin()
    assert [(start, change) for start, change, _ in await house.rows("session_energy")] == [
        (change + n * HOUR, pytest.approx(2.0)) for n in range(-4, 4)
    ]


async def test_a_failure_is_made_good_within_the_hour(
    start_house: StartHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await start_house()
    await house.begin()
    before = await house.rows("session_energy")
    house.entry.runtime_data.client._back_off = ()
    fetch = SessionHistory.began_since

    async def fail(*args: Any) -> list[Session]:
        house.sim.strike({"api_500": 1.0})
        try:
            return await fetch(*args)
        finally:
            house.sim.strike({"api_500": 0.0})

    with monkeypatch.context() as patch:
        patch.setattr(SessionHistory, "began_since", fail)
        await house.charge(PRESENT)
    assert await house.rows("session_energy") == before
    await house.an_hour_later()
    assert len(await house.rows("session_energy")) > len(before)
    await house.agrees()


async def test_a_fault_of_the_recorder_is_logged_and_made_good_within_the_hour(
    start_house: StartHouse, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    house = await start_house()
    await house.begin()
    before = await house.rows("session_energy")

    def fail(*_: object) -> None:
        raise RuntimeError("the database is gone")

    with monkeypatch.context() as patch:
        patch.setattr("custom_components.jedlix.statistics.async_add_external_statistics", fail)
        await house.charge(PRESENT)
    assert "the database is gone" in caplog.text
    await house.an_hour_later()
    assert len(await house.rows("session_energy")) > len(before)
    await house.agrees()


async def test_an_import_that_would_ask_for_too_much_is_given_up(
    start_house: StartHouse, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("custom_components.jedlix.session_history.MAX_PAGES", 1)
    house = await start_house(users=3, history_days=200, faults={"absent": ["user_sessions"]})
    monkeypatch.setattr(charging, "_find", lambda call, _: call.cloud.world.sessions.find(Filter()))
    await house.begin()
    assert caplog.text.count("The energy of past sessions is not imported") == 1
    before = house.asked_for_the_past
    await house.an_hour_later()
    assert house.asked_for_the_past == before > 0


async def test_a_car_that_comes_later_is_imported(start_house: StartHouse) -> None:
    house = await start_house(users=2)
    owner = house.sim.world.users[house.sim.user_ids[0]]
    cars, owner.vehicles = owner.vehicles, []
    await house.begin()
    assert f"{house.car}_session_energy" not in await ids(house.hass)
    owner.vehicles = cars
    await house.poll()
    await house.agrees()


async def test_a_tenant_that_tells_no_energy_has_no_statistics(start_house: StartHouse) -> None:
    house = await start_house(mode="strict", users=3)
    await house.begin()
    assert await ids(house.hass) == {}
    asked = sum("financials" in request.path for request in house.sim.requests)
    assert asked == 1
    before = house.asked_for_the_past
    assert before == 1  # one car is enough to know that of all three
    await house.an_hour_later()
    assert house.asked_for_the_past == before > 0


async def test_nothing_is_imported_unasked(start_house: StartHouse) -> None:
    house = await start_house(options={})
    await house.begin()
    assert await ids(house.hass) == {}


@pytest.mark.usefixtures("home")
async def test_without_a_recorder_there_is_no_import_and_no_error(
    hass: HomeAssistant, sim: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    entry = make_entry(sim, None, options=ON)
    await set_up(hass, entry)
    assert not is_importing(hass)
    assert entry.state is ConfigEntryState.LOADED
    assert "ERROR" not in caplog.text
