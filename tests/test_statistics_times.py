"""Statistics do not depend on when they are imported: with each answer, or once in the end."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, Final, cast, override
from unittest.mock import AsyncMock, Mock

from homeassistant.components.recorder.models import StatisticData, StatisticMetaData
from homeassistant.components.recorder.tasks import SynchronizeTask
from hypothesis import example, given, settings, strategies as st
import pytest

from custom_components.jedlix import recorded_hours, statistics
from custom_components.jedlix.api import ChargeState, ChargeStatus, Session, Vehicle
from custom_components.jedlix.api.offered import OfferedCalls
from custom_components.jedlix.devices import identifier_of
from custom_components.jedlix.recorded_hours import RecordedHours
from custom_components.jedlix.session_history import TooManySessions
from custom_components.jedlix.state.hours import Flow
from custom_components.jedlix.state.series import Row
from custom_components.jedlix.state.user_snapshot import UserSnapshot
from custom_components.jedlix.state.vehicle_snapshot import VehicleSnapshot
from custom_components.jedlix.statistics import StatisticsImport

KEY: Final = ("user", "car")
BEGIN: Final = datetime(2026, 11, 24, 0, 0, tzinfo=UTC)
MINUTES: Final = 10 * 60


def at(minutes: float) -> datetime:
    """Return a moment in minutes after the beginning."""
    return BEGIN + timedelta(minutes=minutes)


class Recorder(RecordedHours):
    """The statistics of the car, kept in memory."""

    def __init__(self) -> None:
        """Begin with none."""
        super().__init__(cast("Any", self), "entry", KEY)
        self.units: dict[str, str | None] = {}
        self.rows: dict[str, dict[datetime, tuple[float, float]]] = {}

    @override
    async def _run[*Args, T](self, read: Callable[[*Args], T], *args: *Args) -> T:
        return read(*args)

    @override
    def _written(self) -> dict[str, StatisticMetaData]:
        return {
            name: cast(
                "StatisticMetaData",
                {"unit_of_measurement": unit, "name": self._name(self._kind(name))},
            )
            for name, unit in self.units.items()
        }

    @override
    def _read(self, statistic_id: str, begin: datetime) -> tuple[list[Row], float]:
        hours = sorted(self.rows.get(statistic_id, {}).items())
        base = [total for hour, (_, total) in hours if hour < begin]
        return [Row(hour, *row) for hour, row in hours if hour >= begin], (base or [0.0])[-1]

    @override
    def _name(self, kind: str) -> str:
        return kind

    def add(self, metadata: StatisticMetaData, data: Iterable[StatisticData]) -> None:
        """Write rows."""
        name = metadata["statistic_id"]
        self.units[name] = metadata["unit_of_measurement"]
        for row in data:
            self.rows.setdefault(name, {})[row["start"]] = (row["state"] or 0.0, row["sum"] or 0.0)

    def amounts(self) -> dict[str, dict[datetime, float]]:
        """Return the amount of each hour that has one, by statistic."""
        return {
            name: {hour: amount for hour, (amount, _) in rows.items() if abs(amount) > 0.01}
            for name, rows in self.rows.items()
        }


class Home:
    """What an import asks of the rest: the car as it is known, and its sessions."""

    is_listed = True

    def __init__(self) -> None:
        """Begin with an unknown user."""
        self.user = UserSnapshot.unknown("user", BEGIN)
        self.moment = BEGIN
        self.offered = OfferedCalls({}, self.now)
        self.imported: dict[str, Any] = {}
        self.config = SimpleNamespace(currency="EUR")
        self.recorder = Recorder()
        self.listed: list[Session] = []
        self.is_too_long = False
        self.statistics: StatisticsImport | None = None

    def now(self) -> datetime:
        """Return the time."""
        return self.moment

    @property
    def fleet(self) -> Home:
        """Return what has the car."""
        return self

    @property
    def vehicles(self) -> dict[tuple[str, str], VehicleSnapshot]:
        """Return the car, once it is known."""
        return {("user", name): car for name, car in self.user.vehicles.items()}

    def vehicle(self, key: tuple[str, str]) -> VehicleSnapshot | None:
        """Return a car."""
        return self.vehicles.get(key)

    def remembered(self, _key: object) -> list[Session]:
        """Return the sessions that the ledger has."""
        return list(self.user.vehicles["car"].ledger.sessions.values())

    async def began_since(self, _key: object, _start: datetime) -> list[Session]:
        """Return the sessions that Jedlix lists."""
        if self.is_too_long:
            raise TooManySessions
        return self.listed

    def flow(self, _key: object, session: Session) -> Flow:
        """Return when energy flowed in a session."""
        return self.user.vehicles["car"].ledger.flow(session, self.moment)

    def schedule_save(self) -> None:
        """Save nothing."""

    def refresh(
        self,
        sessions: list[Session],
        minute: float,
        status: ChargeStatus = ChargeStatus.STOPPED,
        age: float = 0,
    ) -> None:
        """Have a refresh find these sessions, and the car with a reading of some minutes ago."""
        self.listed, self.moment = sessions, at(minute)
        reading = ChargeState(status=status, updated_at=at(minute - age))
        self.user = self.user.advance(
            [Vehicle(id="car", user_id="user", charge_state=reading)],
            sessions,
            self.moment,
            complete_since=at(-60 * 24 * 30),
        ).seal(self.moment, UTC)

    async def import_news(self) -> None:
        """Import the car where it is due."""
        home = cast("Any", self)
        if self.statistics is None:
            entry = SimpleNamespace(entry_id="entry", options={})
            self.statistics = StatisticsImport(home, cast("Any", entry), home, home, home)
            self.statistics._ended.clear()
        if self.statistics._note_changes(KEY, self.user.vehicles["car"]):
            await self.statistics._import_news(KEY)


@dataclass(frozen=True)
class Charging:
    """A session: when it began and ended, in minutes, and its energy in one answer after the other.

    `end_known`: after how many minutes its end is listed. `is_deleted`: whether Jedlix deletes it.
    """

    start: int
    end: int
    energies: tuple[float | None, ...]
    end_known: int
    is_deleted: bool


@dataclass(frozen=True)
class Day:
    """What happened: the sessions, and the readings of the car with their ages, by minute of the refresh."""

    readings: dict[int, tuple[ChargeStatus, int]]
    sessions: tuple[Charging, ...]


CHARGING, STOPPED = ChargeStatus.CHARGING, ChargeStatus.STOPPED
STATES: Final = st.sampled_from([CHARGING, CHARGING, STOPPED])
# In the end each energy is known. Until then the hours keep what they have.
ENERGIES: Final = st.lists(st.sampled_from([None, 5.0, 20.0]), max_size=2).map(
    lambda it: [*it, 30.0]
)
DELETED: Final = st.sampled_from([False, False, False, True])

READ_LATE: Final = Day(
    {10: (STOPPED, 0), 65: (CHARGING, 0), 155: (CHARGING, 60), 200: (STOPPED, 0)},
    (Charging(60, 150, (8.0,), 0, is_deleted=False),),
)


@st.composite
def days(draw: st.DrawFn) -> Day:
    """Return a day of refreshes and sessions, none of which overlaps another."""
    borders = sorted(draw(st.lists(st.integers(20, MINUTES), min_size=2, max_size=8, unique=True)))
    sessions = tuple(
        Charging(start, end, tuple(draw(ENERGIES)), draw(st.integers(0, 30)), draw(DELETED))
        for start, end in zip(borders[::2], borders[1::2], strict=False)
    )
    minutes = draw(st.lists(st.integers(1, MINUTES // 10), min_size=15, max_size=40, unique=True))
    return Day(
        {10 * minute: (draw(STATES), draw(st.integers(0, 60))) for minute in sorted(minutes)},
        sessions,
    )


def listed(day: Day, minute: int, answers: Counter[int]) -> list[Session]:
    """Return the sessions as Jedlix lists them at a minute; counts the answers since each has ended."""
    found = []
    for number, item in enumerate(day.sessions):
        has_ended = item.end + item.end_known <= minute
        if item.start > minute or (item.is_deleted and answers[number] > len(item.energies)):
            continue
        energy = item.energies[min(answers[number], len(item.energies) - 1)] if has_ended else None
        answers[number] += has_ended
        found.append(
            Session(
                id=f"{number}",
                user_id="user",
                vehicle_id="car",
                started_at=at(item.start),
                ended_at=at(item.end) if has_ended else None,
                energy_kwh=energy,
                cost=None if energy is None else energy / 4,
                currency="EUR",
            )
        )
    return found


@contextmanager
def home_with_recorder() -> Iterator[Home]:
    """Give a home whose imports write to its recorder."""
    home = Home()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statistics, "RecordedHours", lambda *_: home.recorder)
        patch.setattr(
            recorded_hours, "async_add_external_statistics", lambda hass, *args: hass.add(*args)
        )
        patch.setattr(RecordedHours, "_until_imported", _nothing)
        yield home


async def play(day: Day, *, imports_each: bool) -> dict[str, dict[datetime, float]]:
    """Let the days pass, with an import after each refresh or only after the last; returns what it wrote."""
    with home_with_recorder() as home:
        # What is deleted is missing in several answers before it is gone.
        last = [MINUTES + 60 * number for number in range(1, 6)]
        readings = {**day.readings, **dict.fromkeys(last, (STOPPED, 0))}
        answers: Counter[int] = Counter()
        for minute, (status, age) in readings.items():
            home.moment = at(minute)
            home.refresh(listed(day, minute, answers), minute, status, age)
            if imports_each or minute == last[-1]:
                await home.import_news()
    return home.recorder.amounts()


async def _nothing(_recorded: RecordedHours) -> None:
    """Wait for nothing."""


@given(day=days())
@example(day=READ_LATE)
@settings(max_examples=50, deadline=None)
async def test_the_hours_do_not_depend_on_when_they_are_imported(day: Day) -> None:
    """A car may be read only after its session has ended: then it is known when it charged."""
    each, once = await play(day, imports_each=True), await play(day, imports_each=False)
    assert each.keys() >= once.keys()
    for name, hours in each.items():
        assert hours == pytest.approx(once.get(name, {}), abs=0.01), name


async def test_an_import_waits_for_the_one_that_the_recorder_is_doing() -> None:
    """Nothing waits in its queue then, so Home Assistant's own wait would end at once."""
    queued: list[SynchronizeTask] = []
    instance = SimpleNamespace(queue_task=queued.append, async_block_till_done=AsyncMock())
    home = Home()
    reads = Mock(return_value={})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorded_hours, "get_instance", lambda _hass: instance)
        patch.setattr(home.recorder, "_written", reads)
        writing = asyncio.create_task(home.recorder.write([], BEGIN))
        await _turns()
        reads.assert_not_called()
        queued.pop().future.set_result(None)
        await _turns()
        reads.assert_called_once()
        assert not writing.done()
        queued.pop().future.set_result(None)
        await writing


async def _turns() -> None:
    """Let the event loop do what it can."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("is_too_long", [False, True])
async def test_a_long_session_that_is_deleted_leaves_the_others_of_its_hours(
    *, is_too_long: bool
) -> None:
    """The one before it is sealed then: it was remembered as long as they shared an hour.

    Where the list is too long to be read, the hours before the remembered days stay as they are.
    """
    day = 24 * 60.0
    short, long, last = (
        Session(id=f"{start}", started_at=at(start), ended_at=at(end), energy_kwh=10.0)
        for start, end in ((-15 * day, -15 * day + 30), (-15 * day + 31, -day), (-300, -241))
    )
    with home_with_recorder() as home:
        home.refresh([last, long, short], 0)
        await home.import_news()
        home.is_too_long = is_too_long
        for minute in (10, 20, 30):
            home.refresh([last, short], minute)
            await home.import_news()
        (hours,) = home.recorder.amounts().values()
        assert hours[at(-300)] == pytest.approx(10.0)
        assert hours[at(-15 * day)] == pytest.approx(10.0, abs=0.05)
        assert (at(-14 * day) in hours) is is_too_long
        assert at(-2 * day) not in hours
        assert home.imported[identifier_of(KEY)].stale == frozenset()
