"""Totals over the end of a month, across a power failure, and what each kind of helper counts of them."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final

from aiohttp import web
from aiohttp.test_utils import TestClient
from homeassistant.const import EVENT_HOMEASSISTANT_STARTED, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import CoreState, Event, HomeAssistant, callback
from homeassistant.helpers.event import async_track_state_change_event
from homeassistant.helpers.restore_state import async_get as restore_states
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.jedlix import totals
from tests.histories import HOUR, Cloud, History, a, s
from tests.test_histories import (
    AMSTERDAM,
    Time,
    add_meter,
    go_on,
    id_of,
    make_entry,
    refresh_all,
    time,
    value,
)
from tests.tools import set_up

__all__ = ["time"]

USER: Final = "user-0"
SECOND: Final = timedelta(seconds=1)

type StartCloud = Callable[[History, datetime], Any]


@pytest.fixture
async def start_cloud(
    home: TestClient[web.Request, web.Application], time: Time
) -> AsyncIterator[StartCloud]:
    """Return a function that starts a cloud with one history."""
    clouds: list[Cloud] = []

    async def start(history: History, began: datetime) -> Cloud:
        clouds.append(Cloud(began=began, now=time.now, histories=[history]))
        await clouds[-1].start()
        return clouds[-1]

    yield start
    for cloud in clouds:
        await cloud.runner.cleanup()


def coming_month(*, clock_changes: bool) -> tuple[datetime, datetime]:
    """Return the beginning and the end of a month in Amsterdam in which the clock changes, or not."""
    now = datetime.now(AMSTERDAM)
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    for months in count(1):
        month = now.month + months
        begin, end = (
            first.replace(year=now.year + (it - 1) // 12, month=(it - 1) % 12 + 1)
            for it in (month, month + 1)
        )
        if (begin.utcoffset() != end.utcoffset()) is clock_changes:
            return begin, end
    raise AssertionError


@pytest.mark.parametrize("clock_changes", [False, True])
async def test_the_month_begins_again_at_local_midnight(
    hass: HomeAssistant,
    start_cloud: StartCloud,
    time: Time,
    clock_changes: bool,
) -> None:
    """A quarter of a session over the beginning of the month belongs to the month before."""
    await hass.config.async_set_time_zone("Europe/Amsterdam")
    begin, midnight = coming_month(clock_changes=clock_changes)
    evening = midnight.astimezone(dt_util.UTC) - 2 * HOUR
    month = (midnight.astimezone(dt_util.UTC) - begin.astimezone(dt_util.UTC)) / HOUR
    old = s("old", 1 - month, 5 - month, 8.0, 0.8, 0.4)
    first, second = s("a", 0.2, 1.2, 5.0, 0.5, 0.1), s("b", 2.1, 2.9, 3.0, 0.3, 0.1)
    history = History(
        name="over the end of a month",
        answers=[a(old, first), a(old, first, second)],
        truth=(16.0, 1.6, 0.6),
        ends=1,
    )
    time.go_to(evening + 1.5 * HOUR)
    cloud = await start_cloud(history, evening)
    entry = make_entry(cloud)
    await set_up(hass, entry)
    await refresh_all(hass, entry, cloud)
    assert value(hass, cloud, USER, "energy_this_month") == pytest.approx(11.0)
    assert value(hass, cloud, USER, "energy_total") == pytest.approx(13.0)
    entity_id = id_of(hass, cloud, USER, "energy_this_month") or ""
    assert reset_of(hass, entity_id) == begin
    written = record_states(hass, entity_id)
    time.go_to(midnight + SECOND)
    async_fire_time_changed(hass, time.now())
    await hass.async_block_till_done()
    assert written == [0.0]
    assert reset_of(hass, entity_id) == midnight
    time.go_on(HOUR)
    cloud.turn = 1
    await refresh_all(hass, entry, cloud)
    assert written == [0.0, 3.0]
    assert reset_of(hass, entity_id) == midnight
    assert value(hass, cloud, USER, "energy_total") == pytest.approx(16.0)


def test_the_month_and_the_year_begin_with_their_first_day(monkeypatch: pytest.MonkeyPatch) -> None:
    today = datetime(2027, 5, 17, tzinfo=AMSTERDAM)
    monkeypatch.setattr(dt_util, "start_of_local_day", lambda: today)
    assert totals._start_of_month() == datetime(2027, 5, 1, tzinfo=AMSTERDAM)
    assert totals._start_of_year() == datetime(2027, 1, 1, tzinfo=AMSTERDAM)


SENSORS: Final = ("session_energy", "energy_total")
HAND_OVERS: Final = History(
    name="hand-overs in the minutes before a power failure",
    answers=[
        a(s("a", 0.5, None, 3.0)),
        a(s("a", 0.5, None, 4.0)),
        a(s("a", 0.5, 1.5, 5.0), s("b", 1.5, None, 1.0)),
        a(s("a", 0.5, 1.5, 5.0), s("b", 1.5, 2.5, 4.0), s("c", 2.5, None, 0.5)),
        a(s("a", 0.5, 1.5, 5.0), s("b", 1.5, 2.5, 4.0), s("c", 2.5, None, 1.5)),
    ],
    truth=(10.5, None, None),
    ends=2,
)


@pytest.mark.parametrize("helpers_are_first", [True, False])
async def test_helpers_count_what_was_charged_in_the_minutes_before_a_power_failure(
    hass: HomeAssistant, start_cloud: StartCloud, time: Time, helpers_are_first: bool
) -> None:
    """Home Assistant saves its states every 15 minutes. The file of the integration is newer.

    At a start, helpers may begin to listen long after the car was read.
    """
    cloud, entry = await begin_hand_overs(hass, start_cloud, time)
    meters = [await add_meter(hass, id_of(hass, cloud, USER, name) or "") for name in SENSORS]
    await go_on(hass, entry, cloud, time, 1, restart=False)
    saved = {item.state.entity_id: item for item in restore_states(hass).async_get_stored_states()}
    for turn in (2, 3):
        await go_on(hass, entry, cloud, time, turn, restart=False)
    entries = [*hass.config_entries.async_entries("utility_meter"), entry]
    for stopped in entries:
        assert await hass.config_entries.async_unload(stopped.entry_id)
    restore_states(hass).last_states = saved
    cloud.turn = 4
    if helpers_are_first:
        for stopped in entries:
            assert await hass.config_entries.async_setup(stopped.entry_id)
        await refresh_all(hass, entry, cloud)
    else:
        hass.set_state(CoreState.starting)
        assert await hass.config_entries.async_setup(entry.entry_id)
        await refresh_all(hass, entry, cloud)
        for stopped in entries[:-1]:
            assert await hass.config_entries.async_setup(stopped.entry_id)
        hass.set_state(CoreState.running)
        hass.bus.async_fire(EVENT_HOMEASSISTANT_STARTED)
        await hass.async_block_till_done()
    assert [counted(hass, meter) for meter in meters] == [pytest.approx(10.5 - 3.0)] * 2


@pytest.mark.usefixtures("no_second_try")
async def test_a_car_that_was_unavailable_goes_on_from_its_last_state(
    hass: HomeAssistant, start_cloud: StartCloud, time: Time
) -> None:
    """Home Assistant's cost sensor of the Energy page begins to count at the first state that it sees."""
    cloud, entry = await begin_hand_overs(hass, start_cloud, time)
    entity_id = id_of(hass, cloud, USER, "energy_total") or ""
    cloud.is_down = True
    time.go_on(4 * HOUR)
    await entry.runtime_data.coordinator.async_refresh()
    await hass.async_block_till_done()
    state = hass.states.get(entity_id)
    assert state is not None
    assert state.state == STATE_UNAVAILABLE
    cloud.is_down = False
    written = record_states(hass, entity_id)
    await go_on(hass, entry, cloud, time, 1, restart=False)
    assert written == [3.0, 4.0]


async def test_a_helper_of_delta_values_counts_every_state_as_an_amount(
    hass: HomeAssistant, start_cloud: StartCloud, time: Time
) -> None:
    """So none of our sensors suits it: their states are sums."""
    cloud, entry = await begin_hand_overs(hass, start_cloud, time)
    meters = [
        await add_meter(hass, id_of(hass, cloud, USER, name) or "", delta_values=True)
        for name in SENSORS
    ]
    await go_on(hass, entry, cloud, time, 1, restart=False)
    assert [counted(hass, meter) for meter in meters] == [4.0] * 2  # although 1.0 was charged


async def begin_hand_overs(
    hass: HomeAssistant, start_cloud: StartCloud, time: Time
) -> tuple[Cloud, MockConfigEntry]:
    """Return the cloud of the hand-overs and an entry that has read its first answer."""
    cloud: Cloud = await start_cloud(HAND_OVERS, time.now())
    entry = make_entry(cloud)
    await set_up(hass, entry)
    await go_on(hass, entry, cloud, time, 0, restart=False)
    return cloud, entry


def counted(hass: HomeAssistant, meter: str) -> float | None:
    state = hass.states.get(meter)
    return None if state is None or state.state == STATE_UNKNOWN else float(state.state)


def reset_of(hass: HomeAssistant, entity_id: str) -> datetime | None:
    state = hass.states.get(entity_id)
    return None if state is None else dt_util.parse_datetime(state.attributes["last_reset"])


def record_states(hass: HomeAssistant, entity_id: str) -> list[float]:
    """Record the states that are written from now on."""
    written: list[float] = []

    @callback
    def keep(event: Event[Any]) -> None:
        written.append(float(event.data["new_state"].state))

    async_track_state_change_event(hass, entity_id, keep)
    return written
