"""Clocks and times that are wrong: Home Assistant's, Jedlix's, and those of readings."""

import pytest

from tests.slips.conftest import Begin
from tests.slips.house import House
from tests.slips.stories import tries


async def a_session(house: House) -> None:
    """Let the car have a session, seen by polls."""
    await house.in_session()
    await house.poll()
    house.unplug()
    await house.poll()


@tries(3)
@pytest.mark.parametrize(
    "minutes",
    [
        70,
        600,
        -70,
        -600,
    ],
)
async def test_home_assistants_clock_is_wrong_and_then_right(begin: Begin, minutes: float) -> None:
    house = await begin()
    house.set_home_clock(minutes)
    await house.poll(times=2)
    await a_session(house)
    assert len(house.published("session_started", "session_ended")) == 2
    await house.reload()
    house.set_home_clock(0)
    await house.poll()
    await a_session(house)
    assert len(house.published("session_ended")) == 2
    await house.ends_well()


@tries(3)
@pytest.mark.parametrize(
    "minutes",
    [
        70,
        -70,
    ],
)
async def test_home_assistants_clock_is_wrong_when_the_account_is_added(
    begin: Begin, minutes: float
) -> None:
    house = await begin(home_ahead=minutes)
    await a_session(house)
    house.set_home_clock(0)
    await a_session(house)
    await house.ends_well()


@tries(3, kinds=("clock",))
@pytest.mark.parametrize(
    "minutes",
    [
        10,
        -10,
        -90,
    ],
)
async def test_jedlixs_clock_is_wrong_and_then_right(begin: Begin, minutes: float) -> None:
    house = await begin()
    slip = house.fault("clock", ahead_seconds=minutes * 60)
    await house.poll()
    await a_session(house)
    house.end_fault(slip)
    await house.poll(times=3)
    await a_session(house)
    await house.ends_well()


@tries(3, kinds=("future_readings",))
@pytest.mark.parametrize("restarts", [False, True], ids=["", "with a restart"])
@pytest.mark.parametrize("days", [1, 300], ids=["tomorrow", "next year"])
async def test_one_reading_is_dated_in_the_future(begin: Begin, days: int, restarts: bool) -> None:
    house = await begin()
    slip = house.fault("future_readings", ahead_seconds=days * 86400)
    house.sim.telemetry(house.car.id, battery_level=33)
    await house.poll()
    house.end_fault(slip)
    if restarts:
        await house.reload()
    await a_session(house)
    assert house.state("binary_sensor.plugged_in") == "off"
    await house.ends_well()


@tries(3, kinds=("future_readings",))
async def test_readings_are_old(begin: Begin) -> None:
    house = await begin()
    house.fault("future_readings", ahead_seconds=-7 * 86400)
    await a_session(house)
    await house.ends_well()


@tries(3, kinds=("local_times",))
@pytest.mark.parametrize(
    "hours",
    [
        -5,
        2,
    ],
)
async def test_readings_are_in_local_time_for_a_while(begin: Begin, hours: float) -> None:
    house = await begin()
    house.fault("local_times", utc_offset_hours=hours)
    await a_session(house)
    await house.ends_well()


@tries(3, kinds=("local_times",))
async def test_readings_are_always_in_local_time(begin: Begin) -> None:
    house = await begin()
    house.fault("local_times", utc_offset_hours=2)
    for _ in range(3):
        await a_session(house)
        assert house.state("binary_sensor.plugged_in") == "off"
    assert len(house.published("plugged_in", "unplugged")) == 6
    assert len(house.published("session_started", "session_ended")) == 6
