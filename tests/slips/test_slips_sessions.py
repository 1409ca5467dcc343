"""Sessions that Jedlix lists late, otherwise, in another order, or without what they should have."""

from datetime import datetime, timedelta
from typing import Final

import pytest

from custom_components.jedlix.state import fetcher
from simulator.model import Session
from tests.slips.conftest import Begin
from tests.slips.stories import tries

# Tenants by the calls that they lack.
TENANTS: Final = {
    "all calls": (),
    "tenant's list only": ("user_sessions", "session", "session_settings"),
    "user's list only": ("sessions",),
}
# Options with which a story of hours needs few polls.
SELDOM: Final = {"poll_minutes": 20}

tenants = pytest.mark.parametrize("absent", TENANTS.values(), ids=TENANTS.keys())


@tries(2, kinds=("late_start",))
@tenants
async def test_a_session_is_listed_90_minutes_after_its_start(
    begin: Begin, absent: tuple[str, ...]
) -> None:
    house = await begin(absent=absent, options=SELDOM)
    house.fault("late_start", delay_seconds=90 * 60)
    session = await house.in_session()
    await house.poll(times=5)
    assert house.published("session_started") == [("session_started", session)]
    assert house.state("sensor.session") == "smart"
    await house.ends_well()


@tries(2, kinds=("late_start",))
@tenants
async def test_a_session_is_listed_for_the_first_time_when_it_is_over(
    begin: Begin, absent: tuple[str, ...]
) -> None:
    house = await begin(absent=absent, options=SELDOM)
    house.fault("late_start", delay_seconds=3 * 3600)
    await house.in_session()
    await house.poll(times=2)
    house.unplug()
    await house.poll(times=7)
    assert [kind for kind, _ in house.published("session_started", "session_ended")] == [
        "session_started",
        "session_ended",
    ]
    await house.ends_well()


@tries(2, kinds=("late_start",))
@tenants
async def test_a_session_is_listed_40_minutes_after_its_start(
    begin: Begin, absent: tuple[str, ...]
) -> None:
    house = await begin(absent=absent, options=SELDOM)
    house.fault("late_start", delay_seconds=40 * 60)
    await house.in_session()
    await house.poll(times=2)
    assert len(house.published("session_started")) == 1
    await house.ends_well()


@tries(2, kinds=("late_end",))
@tenants
async def test_an_end_is_known_hours_later(begin: Begin, absent: tuple[str, ...]) -> None:
    house = await begin(absent=absent, options=SELDOM)
    session = await house.in_session()
    house.fault("late_end", delay_seconds=3 * 3600)
    await house.poll()
    house.unplug()
    await house.poll(times=2)
    assert house.published("session_ended") == []
    await house.poll(times=8)
    assert house.published("session_ended") == [("session_ended", session)]
    await house.ends_well()


@tries(2, kinds=("end_taken_back",))
@tenants
async def test_an_end_is_taken_back(begin: Begin, absent: tuple[str, ...]) -> None:
    house = await begin(absent=absent)
    session = await house.in_session()
    house.fault("end_taken_back", delay_seconds=600)
    house.unplug()
    await house.poll(times=4)
    assert house.published("session_ended") == [("session_ended", session)]
    assert house.state("sensor.session") == "none"
    await house.ends_well()


@tries(2, kinds=("end_corrected",))
@pytest.mark.parametrize("shift", [-300, 120], ids=["earlier", "later"])
async def test_an_end_is_corrected(begin: Begin, shift: int) -> None:
    house = await begin()
    session = await house.in_session()
    await house.poll(times=3)
    house.fault("end_corrected", shift_seconds=shift, delay_seconds=600)
    house.unplug()
    await house.poll(times=8)
    assert house.published("session_ended") == [("session_ended", session)]
    await house.ends_well()


@tries(15, kinds=("end_corrected",))
async def test_an_end_in_the_future_ends_nothing_yet(begin: Begin) -> None:
    house = await begin()
    await house.in_session()
    slip = house.fault("end_corrected", shift_seconds=4 * 3600)
    house.unplug()
    await house.poll(times=2)
    now = house.clock.now() + timedelta(minutes=5)
    for change in house.recorded.changes:
        assert datetime.fromisoformat(change["occurred_at"]) < now, change
    house.end_fault(slip)
    await house.ends_well()


@tries(2, kinds=("late_figures", "figures_only_in_financials", "corrected_figures"))
@pytest.mark.parametrize(
    "lie",
    [
        {"kind": "late_figures", "until_then": "null"},
        {"kind": "late_figures", "until_then": "missing"},
        {"kind": "figures_only_in_financials"},
        {"kind": "corrected_figures", "delay_seconds": 600},
    ],
    ids=lambda lie: " ".join(map(str, lie.values())),
)
async def test_energy_and_money_come_later_or_otherwise(
    begin: Begin, lie: dict[str, object]
) -> None:
    house = await begin(options=SELDOM)
    await house.in_session()
    house.sim.strike(lie)
    await house.poll()
    house.sim.advance(1)
    house.unplug()
    await house.poll(times=4)
    assert len(house.published("session_ended")) == 1
    await house.ends_well()


@tries(15, kinds=("no_vehicle_id",))
@pytest.mark.parametrize("how", ["null", "missing"])
@tenants
async def test_sessions_without_a_vehicle_id_of_one_car(
    begin: Begin, absent: tuple[str, ...], how: str
) -> None:
    house = await begin(absent=absent, users=2)
    house.fault("no_vehicle_id", how=how)
    for car in house.cars:
        await house.in_session(car)
    house.unplug(house.cars[1])
    await house.poll()
    assert len(house.published("session_started")) == 2
    await house.ends_well()


@tries(15, kinds=("no_vehicle_id",))
async def test_sessions_without_a_vehicle_id_of_two_cars_of_one_user(begin: Begin) -> None:
    house = await begin()
    second = house.give_second_car()
    await house.poll()
    house.fault("no_vehicle_id")
    await house.in_session(second)
    assert house.state("sensor.session", second) == "smart"
    house.unplug(second)
    await house.poll()
    await house.ends_well()


@tries(2, kinds=("unstable_pages",))
@tenants
async def test_a_list_is_cut_to_pages_in_an_unstable_order(
    begin: Begin, absent: tuple[str, ...]
) -> None:
    house = await begin(absent=absent, users=3)
    for car in house.cars:
        await house.in_session(car)
    house.fault("unstable_pages", page_size=2)
    for car in house.cars:
        house.unplug(car)
        await house.poll()
        await house.in_session(car)
    await house.poll(times=6)
    await house.ends_well()


@tries(2, kinds=("end_filter",))
@pytest.mark.parametrize("how", ["ignored", "refused"])
@tenants
async def test_the_filter_by_end_does_not_work(
    begin: Begin, absent: tuple[str, ...], how: str
) -> None:
    house = await begin(absent=absent, users=2, options=SELDOM)
    house.fault("end_filter", how=how)
    await house.reload()
    await house.in_session()
    await house.poll(times=4)
    house.unplug()
    await house.poll()
    assert len(house.published("session_ended")) == 1
    await house.ends_well()


@tries(2)
async def test_a_fleet_without_a_tenants_list(begin: Begin) -> None:
    house = await begin(
        users=16, absent=("sessions", "webhook_history"), options={"poll_minutes": 60}
    )
    for car in house.cars:
        house.plug(car)
        house.clock.go_on(timedelta(minutes=2))
        house.unplug(car)
    await house.poll(times=5, minutes=60)
    assert len(house.published("session_started", "session_ended")) == 2 * len(house.cars)
    # Without a list and without push, a fleet is read in turns: it ends well, but not in one poll.


@tries(2)
async def test_more_sessions_than_the_pages_that_are_read(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetcher, "MAX_PAGES", 2)
    house = await begin(users=2, follow=1, absent=("webhook_history",), options=SELDOM)
    house.plug()
    house.clock.go_on(timedelta(minutes=1))
    house.unplug()
    other = house.sim.world.users[house.sim.user_ids[1]].vehicles[0]
    for number in range(250):
        at = house.clock.now() + timedelta(seconds=number)
        house.sim.world.sessions.add(
            Session(
                id=f"{number:08}-0000-4000-8000-000000000000",
                user_id=other.user_id,
                vehicle_id=other.id,
                charging_location_id=None,
                is_managed=False,
                start=at,
                last_met=at,
                end=at,
            )
        )
    await house.poll(times=5)
    assert len(house.published("session_started", "session_ended")) == 2
    await house.ends_well()


@tries(2)
@tenants
async def test_deliveries_alone_are_enough_for_short_sessions(
    begin: Begin, absent: tuple[str, ...]
) -> None:
    house = await begin(push=True, absent=absent)
    for _ in range(3):
        house.plug()
        await house.sim.delivered()
        house.clock.go_on(timedelta(minutes=1))
        house.unplug()
        await house.sim.delivered()
    await house.ends_well()
