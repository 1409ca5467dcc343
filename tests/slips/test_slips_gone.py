"""Things that are not listed: a car, a user or a session is gone only when Jedlix says so again and again."""

from datetime import timedelta

from homeassistant.config_entries import ConfigEntryState
import pytest

from tests.slips.conftest import Begin
from tests.slips.stories import tries

VANISHED = ("vehicle_removed", "vehicle_added")


@tries(4, kinds=("empty_list",))
async def test_one_empty_list_of_cars_ends_nothing(begin: Begin) -> None:
    house = await begin()
    await house.in_session()
    slip = house.fault("empty_list", endpoints=["vehicles"])
    await house.poll()
    house.nothing_is_gone()
    house.end_fault(slip)
    await house.ends_well()


@tries(4, kinds=("empty_list",))
async def test_three_empty_lists_within_a_minute_end_nothing(begin: Begin) -> None:
    house = await begin(push=True)
    await house.in_session()
    house.fault("empty_list", endpoints=["vehicles"])
    for _ in range(3):
        house.sim.change_settings(house.car.id, desiredBatteryLevel=85)
        await house.sim.delivered()
        await house.quiet()
        house.clock.go_on(timedelta(seconds=15))
    house.nothing_is_gone()
    await house.ends_well()


@tries(4, kinds=("list_without_vehicle",))
@pytest.mark.parametrize("polls", [1, 2])
async def test_a_list_that_lacks_one_of_two_cars(begin: Begin, polls: int) -> None:
    house = await begin()
    house.give_second_car()
    await house.poll()
    for car in house.cars:
        await house.in_session(car)
    slip = house.fault("list_without_vehicle", vehicle=house.cars[0].id)
    await house.poll(times=polls)
    house.nothing_is_gone()
    house.end_fault(slip)
    await house.ends_well()


@tries(4, kinds=("vehicle_vanishes",))
async def test_a_car_with_an_open_session_vanishes_and_comes_back(begin: Begin) -> None:
    house = await begin()
    await house.in_session()
    slip = house.fault("vehicle_vanishes", vehicle=house.car.id)
    await house.poll()
    house.unplug()
    await house.poll()
    house.nothing_is_gone()
    house.end_fault(slip)
    await house.ends_well()


@tries(4)
@pytest.mark.parametrize("push", [False, True], ids=["polls", "deliveries"])
async def test_a_car_with_an_open_session_is_removed_for_good(begin: Begin, push: bool) -> None:
    house = await begin(push=push, users=2)
    session = await house.in_session()
    car = house.car
    house.sim.telemetry(car.id)
    house.sim.remove(car.id)
    await house.poll(times=5)
    assert ("session_ended", session) in house.published("session_ended")
    assert len(house.published("vehicle_removed")) == 1
    assert f"{car.user_id}_{car.id}" not in house.devices
    await house.ends_well()


@tries(4, kinds=("vehicle_vanishes",))
async def test_a_car_that_stays_away_for_hours_while_its_session_ends(begin: Begin) -> None:
    house = await begin(users=2)
    session = await house.in_session()
    house.fault("vehicle_vanishes", vehicle=house.car.id)
    await house.poll(times=2)
    house.unplug()
    await house.poll(times=24)
    assert house.published("session_ended") == [("session_ended", session)]
    await house.ends_well(changes=VANISHED)


@tries(4, kinds=("session_gone",))
async def test_a_session_that_is_never_listed_again_is_closed(begin: Begin) -> None:
    house = await begin()
    session = await house.in_session()
    await house.poll()
    house.fault("session_gone", session=session)
    await house.poll(times=2)
    assert house.published("session_ended") == []
    house.unplug()
    await house.poll(times=5)
    assert house.state("sensor.session") == "none"
    (ended,) = [each for each in house.recorded.changes if each["type"] == "session_ended"]
    assert (ended["session_id"], ended["estimated"]) == (session, True)
    await house.ends_well(other_ends=True)


@tries(4, kinds=("session_gone",))
async def test_a_session_that_is_not_listed_for_a_moment_goes_on(begin: Begin) -> None:
    house = await begin()
    await house.in_session()
    slip = house.fault("session_gone")
    await house.poll(times=2)
    assert house.state("sensor.session") == "smart"
    house.nothing_is_gone()
    house.end_fault(slip)
    await house.ends_well()


@tries(4, kinds=("user_vanishes",))
@pytest.mark.parametrize(
    "users",
    [
        pytest.param(1, id="the only user"),
        pytest.param(
            2,
            id="one of two",
        ),
    ],
)
async def test_a_user_who_is_unknown_for_two_polls(begin: Begin, users: int) -> None:
    house = await begin(users=users)
    await house.in_session()
    slip = house.fault("user_vanishes", users=[1])
    await house.poll(times=2)
    house.nothing_is_gone()
    house.unplug()
    house.end_fault(slip)
    await house.ends_well()


@tries(4, kinds=("user_vanishes",))
async def test_the_only_user_is_gone_and_the_entry_still_loads(begin: Begin) -> None:
    house = await begin()
    house.fault("user_vanishes")
    await house.poll(times=6)
    await house.reload()
    await house.poll(times=2)
    assert house.entry.state is ConfigEntryState.LOADED
    assert house.repairs == ["no_users"]
    await house.ends_well(changes=VANISHED)


@tries(4, kinds=("status",))
@pytest.mark.parametrize(
    ("status", "problem"), [(404, False), (403, True)], ids=["404 of a proxy", "403"]
)
async def test_the_only_user_is_closed_to_us_for_hours(
    begin: Begin, status: int, problem: bool
) -> None:
    house = await begin()
    await house.in_session()
    house.fault("status", status=status, problem=problem, endpoints=["vehicles", "user_sessions"])
    await house.poll(times=6)
    house.unplug()
    await house.reload()
    await house.poll()
    assert house.entry.state is ConfigEntryState.LOADED
    house.nothing_is_gone()
    await house.ends_well()


@tries(4, kinds=("vehicle_replaced",))
async def test_a_car_is_replaced_by_one_of_the_same_model(begin: Begin) -> None:
    house = await begin()
    session = await house.in_session()
    former = house.car
    house.sim.strike({"kind": "vehicle_replaced", "vehicle": former.id})
    assert former.id != house.car.id
    await house.poll(times=5)
    assert house.published("session_ended") == [("session_ended", session)]
    await house.ends_well()


@tries(4, kinds=("vehicle_moves",))
@pytest.mark.parametrize("hours", [0, 1], ids=["for a moment", "for an hour"])
async def test_a_car_moves_to_another_user_and_back(begin: Begin, hours: int) -> None:
    house = await begin(users=2)
    await house.in_session()
    slip = house.fault("vehicle_moves", vehicle=house.car.id, to_user=2)
    await house.poll(times=1 + hours * 12)
    house.end_fault(slip)
    await house.ends_well(changes=VANISHED if hours else ())


@tries(4, kinds=("user_moves",))
@pytest.mark.parametrize("hours", [0, 1], ids=["for a moment", "for an hour"])
async def test_a_user_moves_to_another_one_and_back(begin: Begin, hours: int) -> None:
    house = await begin(users=3, follow=2)
    house.fault("user_moves", user=1, to_user=3)
    await house.poll(times=1 + hours * 12)
    assert house.is_available(house.cars[-1])
    await house.ends_well(changes=VANISHED if hours else ())


@tries(4, kinds=("second_vehicle",))
async def test_a_second_car_comes_and_goes(begin: Begin) -> None:
    house = await begin()
    slip = house.fault("second_vehicle", user=1)
    await house.poll()
    assert len(house.devices & {f"{car.user_id}_{car.id}" for car in house.cars}) == 2
    second = house.cars[-1]
    await house.in_session(second)
    house.unplug(second)
    await house.poll()
    house.end_fault(slip)
    await house.ends_well()
