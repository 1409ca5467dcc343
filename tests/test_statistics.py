"""Statistics: past energy and cost in a real recorder, every kWh once and in its hour."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
import logging
from typing import Any, Final, cast

from homeassistant.components.recorder.statistics import (
    list_statistic_ids,
    statistics_during_period,
)
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import device_registry as dr, issue_registry as ir
from homeassistant.helpers.recorder import get_instance
from homeassistant.util import slugify
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
)
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.jedlix.api import ConnectionFailed, Session
from custom_components.jedlix.const import CONF_IMPORT_ENERGY, DOMAIN
from custom_components.jedlix.session_history import SessionHistory
from custom_components.jedlix.state.hours import by_hour, flow_of
from simulator.api import charging
from simulator.app import Simulator
from simulator.model import Session as SimulatedSession
from simulator.sessions import Filter
from simulator.settings import Settings
from tests.commanding import add_session, delete_session, sessions_between
from tests.tools import make_entry, set_time, set_up, until

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
PRESENT: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
LONG_AGO: Final = datetime(2020, 1, 1, tzinfo=UTC)
FAR_AHEAD: Final = datetime(2100, 1, 1, tzinfo=UTC)
ON: Final = {CONF_IMPORT_ENERGY: True}


# -- in the recorder ---------------------------------------------------------------------------------------


class PresentClock:
    """A clock that stands still until a test sets it."""

    now = PRESENT

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Home:
    """A Home Assistant with a recorder, a simulator with past sessions, and a clock for both."""

    hass: HomeAssistant
    sim: Simulator
    entry: MockConfigEntry
    clock: PresentClock

    @property
    def car(self) -> str:
        return f"{DOMAIN}:{slugify(self.sim.user_ids[0])}_{slugify(self.sim.vehicle_ids[0])}"

    @property
    def history_calls(self) -> int:
        """Return how often past sessions were read: only those calls name a car."""
        return sum("vehicleId=" in request.path for request in self.sim.requests)

    async def set_up(self) -> None:
        await set_up(self.hass, self.entry)
        await self.done()

    async def poll(self) -> None:
        await self.entry.runtime_data.coordinator.async_refresh()
        await self.done()

    async def charge(self, at: datetime) -> None:
        """Let the first car charge for two and a half hours, and leave."""
        car = self.sim.vehicle(self.sim.vehicle_ids[0])
        self.clock.now = at
        if not car.plugged_in:
            self.sim.plug(car.id)
        self.sim.boost(car.id)
        self.clock.now = at + 2.5 * HOUR
        self.sim.advance(2.5)
        await self.poll()
        self.sim.unplug(car.id)
        self.sim.world.drive(car, 40)
        await self.poll()

    async def an_hour_later(self) -> None:
        """Fire the timers of the next hour; they run by the real clock."""
        async_fire_time_changed(self.hass, datetime.now(UTC) + 1.1 * HOUR)
        await self.done()

    async def reload(self) -> None:
        await self.hass.config_entries.async_reload(self.entry.entry_id)
        await self.done()

    async def done(self) -> None:
        await until(self.hass, lambda: not is_importing(self.hass), seconds=60)
        await async_wait_recording_done(self.hass)

    async def rows(self, what: str) -> list[tuple[datetime, float, float]]:
        """Return start, change and sum of all hours of a statistic."""
        name = f"{self.car}_{what}"
        found = await get_instance(self.hass).async_add_executor_job(
            lambda: statistics_during_period(
                self.hass,
                LONG_AGO,
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

    async def check(self) -> None:
        """Check that each hour has the energy that the simulator knows, and that no sum falls."""
        expected: defaultdict[datetime, float] = defaultdict(float)
        for item in sessions_between(self.sim, LONG_AGO, FAR_AHEAD):
            if item.end is not None:
                flow = flow_of(item.start, item.end)
                for hour, kwh in by_hour(round(item.energy_kwh, 3), flow).items():
                    expected[hour] += kwh
        rows = await self.rows("session_energy")
        imported = {start: change for start, change, _ in rows if change}
        assert imported == pytest.approx({hour: kwh for hour, kwh in expected.items() if kwh})
        sums = [total for *_, total in rows]
        assert sums == sorted(sums)
        assert sums[-1] == pytest.approx(sum(expected.values()))


def is_importing(hass: HomeAssistant) -> bool:
    return any(
        isinstance(task, asyncio.Task) and task.get_name() == "jedlix energy import"
        for task in hass._background_tasks
    )


type StartHome = Callable[..., Any]


@pytest.fixture(autouse=True)
def quiet_database(caplog: pytest.LogCaptureFixture) -> None:
    """Keep the database from logging each of its thousands of rows."""
    for name in ("sqlalchemy.engine", "homeassistant.components.recorder"):
        caplog.set_level(logging.WARNING, name)


@pytest.fixture
async def start_home(
    recorder_mock: object, hass: HomeAssistant, home: object, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[StartHome]:
    """Return a function that makes a home; its entry is not set up yet."""
    homes: list[Home] = []

    async def start(options: dict[str, Any] | None = None, **settings: Any) -> Home:
        clock = PresentClock()
        set_time(monkeypatch, clock)
        sim = Simulator(Settings(**settings), clock=clock)
        await sim.start()
        entry = make_entry(sim, None, options=ON if options is None else options)
        homes.append(Home(hass, sim, entry, clock))
        return homes[-1]

    yield start
    for started in homes:
        await started.sim.stop()


async def metadata(hass: HomeAssistant) -> dict[str, dict[str, Any]]:
    """Return the metadata of our statistics, by id."""
    found = await get_instance(hass).async_add_executor_job(list_statistic_ids, hass)
    return {item["statistic_id"]: dict(item) for item in found if item["source"] == DOMAIN}


async def test_history_exists_from_the_first_day(start_home: StartHome) -> None:
    home = await start_home(history_days=100)
    await home.set_up()
    await home.check()
    assert len(await home.rows("session_energy")) > 500
    cost = await home.rows("session_cost_in_eur")
    past = home.sim.world.sessions.by_id.values()
    assert cost[-1][2] == pytest.approx(sum(round(item.cost, 2) for item in past))


async def test_the_statistics_are_ready_for_the_energy_dashboard(start_home: StartHome) -> None:
    home = await start_home()
    home.hass.config.language = "nl"
    await home.set_up()
    (device,) = [
        device
        for device in dr.async_entries_for_config_entry(
            dr.async_get(home.hass), home.entry.entry_id
        )
        if device.model == "Model 3"
    ]
    dr.async_get(home.hass).async_update_device(device.id, name_by_user="De rode")
    await home.charge(PRESENT)
    known = await metadata(home.hass)
    cost, energy, savings = (known[key] for key in sorted(known))
    assert known.keys() == {
        f"{home.car}_session_{series}" for series in ("energy", "cost_in_eur", "savings_in_eur")
    }
    assert energy["name"] == "De rode laadgeschiedenis energie"
    assert energy["statistics_unit_of_measurement"] == "kWh"
    assert energy["unit_class"] == "energy"
    assert energy["has_sum"] is True
    assert cost["name"] == "De rode laadgeschiedenis kosten"
    assert savings["name"] == "De rode laadgeschiedenis besparing"
    assert cost["statistics_unit_of_measurement"] == "EUR"
    assert savings["statistics_unit_of_measurement"] == "EUR"


async def test_reloads_and_restarts_add_nothing(start_home: StartHome) -> None:
    home = await start_home()
    await home.set_up()
    before = await home.rows("session_energy")
    for _ in range(2):
        await home.reload()
    home.clock.now = PRESENT + 40 * DAY
    await home.reload()
    assert await home.rows("session_energy") == before
    await home.check()


async def test_each_session_is_imported_when_it_ends(start_home: StartHome) -> None:
    home = await start_home(history_days=10)
    await home.set_up()
    for number in range(1, 4):
        before = await home.rows("session_energy")
        home.clock.now = PRESENT + number * DAY
        home.sim.plug(home.sim.vehicle_ids[0])
        await home.poll()
        assert await home.rows("session_energy") == before  # it is still running
        await home.charge(PRESENT + number * DAY)
        assert len(await home.rows("session_energy")) > len(before)
        await home.check()


@pytest.mark.parametrize("days", [6.5, 25.5])
async def test_a_session_that_ends_after_a_later_one_counts_in_its_own_hours(
    start_home: StartHome, days: float
) -> None:
    home = await start_home(history_days=0)
    early = add_session(home.sim, PRESENT - days * DAY, None, energy_kwh=12.0)
    add_session(home.sim, PRESENT - 4 * DAY, PRESENT - 3.9 * DAY, energy_kwh=7.0)
    add_session(home.sim, PRESENT - 60 * DAY, PRESENT - 59.9 * DAY, energy_kwh=3.0)
    await home.set_up()
    await home.check()
    early.last_met = PRESENT - 0.01 * DAY
    home.sim.world.sessions.end(early)
    await home.poll()
    await home.check()
    assert (await home.rows("session_energy"))[-1][2] == pytest.approx(22.0)


async def test_a_session_of_weeks_counts_whole(start_home: StartHome) -> None:
    """Also where its energy is corrected after the end, and only the list of its user can name it."""
    home = await start_home(history_days=0, faults={"absent": ["sessions"]})
    long = add_session(home.sim, PRESENT - 30 * DAY, None, energy_kwh=60.0)
    add_session(home.sim, PRESENT - 50 * DAY, PRESENT - 49 * DAY, energy_kwh=7.0)
    await home.set_up()
    long.last_met = PRESENT
    home.sim.world.sessions.end(long)
    await home.poll()
    await home.check()
    long.energy_kwh = 66.0
    home.clock.now = PRESENT + 7 * HOUR
    await home.poll()
    await home.check()
    for days in (10, 20):
        home.clock.now = PRESENT + days * DAY
        await home.reload()
        await home.check()


async def test_energy_that_jedlix_corrects_is_corrected(start_home: StartHome) -> None:
    home = await start_home(history_days=0)
    first = add_session(home.sim, PRESENT - 5 * DAY, PRESENT - 4.7 * DAY, energy_kwh=12.0)
    add_session(home.sim, PRESENT - 3 * DAY, PRESENT - 2.7 * DAY, energy_kwh=5.0)
    await home.set_up()
    first.energy_kwh = 8.0
    await home.reload()
    await home.check()
    first.start += 3 * HOUR  # its first hours have no energy any more
    await home.reload()
    await home.check()


async def test_what_ended_while_home_assistant_was_away_is_imported(
    start_home: StartHome,
) -> None:
    home = await start_home(history_days=10)
    await home.set_up()
    await home.hass.config_entries.async_unload(home.entry.entry_id)
    for days in (2, 20, 45, 70):
        add_session(
            home.sim, PRESENT + days * DAY, PRESENT + (days + 0.4) * DAY, energy_kwh=float(days)
        )
    home.clock.now = PRESENT + 80 * DAY
    await home.hass.config_entries.async_setup(home.entry.entry_id)
    await home.done()
    await home.check()


async def test_two_sessions_that_share_an_hour_keep_their_parts(start_home: StartHome) -> None:
    """The first is older than the period that is computed again; the hour in which it ended is not."""
    home = await start_home(history_days=0)
    hour = PRESENT - 30 * DAY
    add_session(home.sim, hour - HOUR, hour + HOUR / 3, energy_kwh=4.0)
    add_session(home.sim, hour + HOUR / 2, hour + 2 * HOUR, energy_kwh=3.0)
    add_session(home.sim, PRESENT - 3 * HOUR, PRESENT - 1.8 * HOUR, energy_kwh=2.0)
    add_session(home.sim, PRESENT - 1.7 * HOUR, PRESENT, energy_kwh=1.0)
    await home.set_up()
    await home.check()
    home.clock.now = PRESENT + DAY
    await home.reload()
    await home.check()
    # When the next session ends, the third is 8 days old, and the fourth is not.
    home.clock.now = PRESENT + 8 * DAY - HOUR
    add_session(home.sim, home.clock.now - 2 * HOUR, home.clock.now - HOUR, energy_kwh=5.0)
    await home.poll()
    await home.check()


async def test_news_of_a_car_that_has_not_charged_for_long_imports_nothing(
    start_home: StartHome,
) -> None:
    """The last session stays remembered although it is older than what is sealed."""
    home = await start_home(history_days=0)
    for hours in (4, 1):
        end = PRESENT - hours * HOUR
        add_session(home.sim, end - 2 * HOUR, end, energy_kwh=4.0)
    await home.set_up()
    home.clock.now = PRESENT + 20 * DAY
    await home.poll()
    imported = home.entry.runtime_data.store.imported.copy()
    assert imported
    home.clock.now += HOUR
    home.sim.plug(home.sim.vehicle_ids[0])
    await home.poll()
    assert home.entry.runtime_data.store.imported == imported
    await home.check()


async def test_a_day_with_25_hours(start_home: StartHome) -> None:
    home = await start_home(history_days=0)
    await home.hass.config.async_set_time_zone("Europe/Amsterdam")
    change = datetime(2026, 10, 25, 1, 0, tzinfo=UTC)
    add_session(home.sim, change - 4 * HOUR, change + 4 * HOUR, energy_kwh=16.0)
    await home.set_up()
    assert [(start, change) for start, change, _ in await home.rows("session_energy")] == [
        (change + n * HOUR, pytest.approx(2.0)) for n in range(-4, 4)
    ]


async def test_an_import_that_fails_is_repeated_within_the_hour(
    start_home: StartHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = await start_home()

    async def fail(*_: object) -> None:
        raise ConnectionFailed("internal server error")

    with monkeypatch.context() as patch:
        patch.setattr(SessionHistory, "began_since", fail)
        await home.set_up()
    assert await metadata(home.hass) == {}
    await home.an_hour_later()
    await home.check()


async def test_what_the_ledger_remembers_is_imported_without_a_call(start_home: StartHome) -> None:
    home = await start_home()
    await home.set_up()
    assert (before := home.history_calls) > 0
    await home.charge(PRESENT)
    await home.check()
    await home.reload()
    assert home.history_calls == before


async def test_an_error_of_the_recorder_is_logged_and_the_import_is_repeated_within_the_hour(
    start_home: StartHome, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    home = await start_home()
    await home.set_up()
    before = await home.rows("session_energy")

    def fail(*_: object) -> None:
        raise RuntimeError("the database is gone")

    with monkeypatch.context() as patch:
        patch.setattr("custom_components.jedlix.recorded_hours.async_add_external_statistics", fail)
        await home.charge(PRESENT)
    assert "the database is gone" in caplog.text
    await home.an_hour_later()
    assert len(await home.rows("session_energy")) > len(before)
    await home.check()


async def test_sessions_that_are_no_longer_remembered_keep_their_hours(
    start_home: StartHome,
) -> None:
    home = await start_home(history_days=4)
    await home.set_up()
    before = home.history_calls
    for days in (3, 6, 9, 12):
        home.clock.now = PRESENT + days * DAY
        await home.poll()
        await home.check()
    assert home.history_calls == before
    await home.charge(PRESENT + 13 * DAY)
    await home.check()


async def call_import(home: Home, start: datetime) -> dict[str, Any]:
    """Call the action for the first car; returns what it answers for it."""
    (device,) = [
        device
        for device in dr.async_entries_for_config_entry(
            dr.async_get(home.hass), home.entry.entry_id
        )
        if device.model == "Model 3"
    ]
    answer = await home.hass.services.async_call(
        DOMAIN,
        "import_history",
        {"device_id": device.id, "start": start.isoformat()},
        blocking=True,
        return_response=True,
    )
    await home.done()
    return cast("Any", answer)[device.id]  # type: ignore[no-any-return]


async def test_what_jedlix_corrected_or_deleted_long_ago_is_imported_again_on_request(
    start_home: StartHome,
) -> None:
    home = await start_home(history_days=0)
    corrected = add_session(home.sim, PRESENT - 40 * DAY, PRESENT - 39.9 * DAY, energy_kwh=12.0)
    deleted = add_session(home.sim, PRESENT - 35 * DAY, PRESENT - 34.9 * DAY, energy_kwh=4.0)
    add_session(home.sim, PRESENT - 3 * DAY, PRESENT - 2.7 * DAY, energy_kwh=5.0)
    await home.set_up()
    await home.check()
    corrected.energy_kwh = 8.0
    delete_session(home.sim, deleted)
    await home.reload()
    assert (await home.rows("session_energy"))[-1][2] == pytest.approx(21.0)
    assert await call_import(home, PRESENT - 50 * DAY) == {"sessions": 2, "energy_kwh": 13.0}
    await home.check()
    assert await call_import(home, PRESENT - 4 * DAY) == {"sessions": 1, "energy_kwh": 5.0}
    await home.check()


async def test_an_empty_list_takes_nothing_away(start_home: StartHome) -> None:
    home = await start_home(history_days=0)
    session = add_session(home.sim, PRESENT - 40 * DAY, PRESENT - 39.9 * DAY, energy_kwh=12.0)
    await home.set_up()
    before = await home.rows("session_energy")
    delete_session(home.sim, session)
    with pytest.raises(ServiceValidationError, match="Jedlix lists no sessions since then"):
        await call_import(home, PRESENT - 50 * DAY)
    assert await home.rows("session_energy") == before
    with pytest.raises(ServiceValidationError, match="in the future"):
        await call_import(home, PRESENT + DAY)


async def home_with_two_sessions(start_home: StartHome) -> tuple[Home, SimulatedSession]:
    """Return a home with two sessions of the last days, and the later one, which is to be deleted."""
    home = await start_home(history_days=0)
    add_session(home.sim, PRESENT - 3 * DAY, PRESENT - 2.7 * DAY, energy_kwh=5.0)
    later = add_session(home.sim, PRESENT - 2 * DAY, PRESENT - 1.7 * DAY, energy_kwh=7.0)
    return home, later


async def test_a_session_that_jedlix_deletes_leaves_the_statistics(start_home: StartHome) -> None:
    """Three answers over a quarter of an hour have to agree."""
    home, deleted = await home_with_two_sessions(start_home)
    await home.set_up()
    delete_session(home.sim, deleted)
    assert (await home.rows("session_energy"))[-1][2] == pytest.approx(12.0)
    for minutes in range(5, 60, 5):
        home.clock.now = PRESENT + timedelta(minutes=minutes)
        await home.poll()
    await home.check()


async def test_a_session_that_is_deleted_before_a_stop_leaves_the_statistics_after_it(
    start_home: StartHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ended before the set-up. The recorder fails when it is deleted, and Home Assistant stops."""
    home, deleted = await home_with_two_sessions(start_home)
    await home.set_up()

    def fail(*_: object) -> None:
        raise RuntimeError("the database is gone")

    with monkeypatch.context() as patch:
        patch.setattr("custom_components.jedlix.recorded_hours.async_add_external_statistics", fail)
        delete_session(home.sim, deleted)
        for minutes in range(5, 60, 5):
            home.clock.now = PRESENT + timedelta(minutes=minutes)
            await home.poll()
    await home.reload()
    await home.check()


async def test_a_session_that_is_deleted_during_the_first_import_leaves_the_statistics(
    start_home: StartHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jedlix still listed it when the past was read."""
    home, deleted = await home_with_two_sessions(start_home)
    read, has_read, may_go_on = SessionHistory.began_since, asyncio.Event(), asyncio.Event()

    async def read_slowly(*of: Any) -> list[Session]:
        sessions = await read(*of)
        has_read.set()
        await may_go_on.wait()
        return sessions

    monkeypatch.setattr(SessionHistory, "began_since", read_slowly)
    await set_up(home.hass, home.entry)
    await has_read.wait()
    delete_session(home.sim, deleted)
    for minutes in range(5, 60, 5):
        home.clock.now = PRESENT + timedelta(minutes=minutes)
        await home.entry.runtime_data.coordinator.async_refresh()
    may_go_on.set()
    await home.done()
    await home.check()


async def test_a_figure_that_comes_late_or_is_corrected_is_imported_within_the_hour(
    start_home: StartHome,
) -> None:
    """The car stays at home, and nothing else happens."""
    home = await start_home(history_days=0)
    session = add_session(home.sim, PRESENT - 2 * DAY, PRESENT - 1.7 * DAY, energy_kwh=7.0)
    await home.set_up()
    for hours, kwh in enumerate((9.0, 6.5)):
        session.energy_kwh = kwh
        for minutes in range(5, 65, 5):
            home.clock.now = PRESENT + timedelta(hours=hours, minutes=minutes)
            await home.poll()
        await home.check()


async def test_a_repair_says_that_the_import_has_failed_for_a_day(
    start_home: StartHome, monkeypatch: pytest.MonkeyPatch, hass_client: ClientSessionGenerator
) -> None:
    home = await start_home()
    issue = (DOMAIN, f"history_not_imported_{home.entry.entry_id}")
    issues = ir.async_get(home.hass)

    async def fail(*_: object) -> None:
        raise ConnectionFailed("internal server error")

    async def imported() -> dict[str, Any]:
        whole: Any = await get_diagnostics_for_config_entry(home.hass, hass_client, home.entry)
        return cast("dict[str, Any]", whole["history_import"])

    with monkeypatch.context() as patch:
        patch.setattr(SessionHistory, "began_since", fail)
        await home.set_up()
        await home.an_hour_later()
        assert issues.async_get_issue(*issue) is None
        seen = await imported()
        assert seen["failures"] == [
            {"vehicle": home.sim.vehicle_ids[0][:8], "error": "internal server error"}
        ]
        assert seen["failing_since"] is not None
        home.clock.now = PRESENT + DAY
        await home.an_hour_later()
        shown = issues.async_get_issue(*issue)
        assert shown is not None
        assert shown.translation_placeholders == {
            "account": "Jedlix",
            "error": "internal server error",
        }
    await home.an_hour_later()
    assert issues.async_get_issue(*issue) is None
    seen = await imported()
    assert (seen["failures"], seen["failing_since"], seen["vehicles_imported"]) == ([], None, 1)
    assert seen["wanted"] is seen["has_recorder"] is True


async def test_where_the_past_needs_too_many_pages_the_remembered_sessions_are_imported(
    start_home: StartHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.jedlix.session_history.MAX_PAGES", 1)
    home = await start_home(users=3, history_days=200, faults={"absent": ["user_sessions"]})
    monkeypatch.setattr(charging, "_find", lambda call, _: call.cloud.world.sessions.find(Filter()))
    await home.set_up()
    before, first = home.history_calls, (await home.rows("session_energy"))[0][0]
    assert PRESENT - 9 * DAY < first < PRESENT - 6 * DAY
    await home.an_hour_later()
    assert home.history_calls == before == 2  # for one of the three cars


async def test_a_car_that_comes_later_is_imported(start_home: StartHome) -> None:
    home = await start_home(users=2)
    owner = home.sim.world.users[home.sim.user_ids[0]]
    cars, owner.vehicles = owner.vehicles, []
    await home.set_up()
    assert f"{home.car}_session_energy" not in await metadata(home.hass)
    owner.vehicles = cars
    await home.poll()
    await home.check()


async def test_a_tenant_that_reports_no_energy_has_no_statistics(start_home: StartHome) -> None:
    home = await start_home(mode="strict", users=5)
    await home.set_up()
    assert await metadata(home.hass) == {}
    asked = sum("financials" in request.path for request in home.sim.requests)
    # The five users are refreshed side by side. They were refused, and the import asks no more.
    assert asked == 5
    await home.an_hour_later()
    assert home.history_calls == 0


async def test_nothing_is_imported_without_the_option(start_home: StartHome) -> None:
    home = await start_home(options={})
    await home.set_up()
    assert await metadata(home.hass) == {}


@pytest.mark.usefixtures("home")
async def test_without_a_recorder_there_is_no_import_and_no_error(
    hass: HomeAssistant, sim: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    entry = make_entry(sim, None, options=ON)
    await set_up(hass, entry)
    assert not is_importing(hass)
    assert entry.state is ConfigEntryState.LOADED
    assert "ERROR" not in caplog.text
