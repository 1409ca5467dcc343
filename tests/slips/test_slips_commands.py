"""Commands on a cloud whose reads lag, whose answers are lost, or that refuses one of them."""

import asyncio

from homeassistant.exceptions import HomeAssistantError
import pytest

from tests.slips.conftest import Begin
from tests.slips.stories import tries

# The simulator's server logs this when a caller hangs up.
CALLER_IS_GONE = "Error handling request"
BOOSTS = ("boost_started", "boost_ended")


@tries(10, kinds=("stale_reads",))
async def test_two_commands_within_two_seconds_while_reads_lag(begin: Begin) -> None:
    house = await begin()
    house.fault("stale_reads", stale_seconds=10)
    await house.use("number.desired_battery_level", "set_value", value=90)
    await house.use("number.minimum_battery_level", "set_value", value=40)
    settings = house.car.settings
    assert (settings["desiredBatteryLevel"], settings["minimumBatteryLevel"]) == (90, 40)
    assert house.state("number.desired_battery_level") == "90"
    assert house.state("number.minimum_battery_level") == "40"
    await house.ends_well()


@tries(10, kinds=("stale_reads",))
async def test_a_switch_stays_as_it_was_set_while_reads_lag(begin: Begin) -> None:
    house = await begin()
    house.fault("stale_reads", stale_seconds=10)
    await house.use("switch.smart_charging", "turn_off")
    assert house.state("switch.smart_charging") == "off"
    assert house.published("smart_charging_enabled") == []
    await house.poll()
    await house.use("switch.smart_charging", "turn_on")
    assert house.state("switch.smart_charging") == "on"
    await house.ends_well()


@tries(10, kinds=("stale_reads",))
@pytest.mark.parametrize("push", [False, True], ids=["polls", "deliveries"])
async def test_boost_stays_on_while_reads_lag(begin: Begin, push: bool) -> None:
    house = await begin(push=push)
    await house.in_session()
    house.fault("stale_reads", stale_seconds=10)
    await house.use("switch.boost", "turn_on")
    assert house.state("switch.boost") == "on"
    await house.quiet()
    await house.poll()
    assert [kind for kind, _ in house.published(*BOOSTS)] == ["boost_started"]
    await house.ends_well()


@tries(10, kinds=("status", "truncated"))
@pytest.mark.parametrize(
    "answer",
    [
        {"kind": "status", "status": 503},
        {"kind": "status", "status": 500},
        {"kind": "truncated"},
    ],
    ids=["503", "500", "truncated"],
)
async def test_the_answer_to_a_command_is_lost(begin: Begin, answer: dict[str, object]) -> None:
    house = await begin()
    await house.in_session()
    done = {} if answer["kind"] == "truncated" else {"performed": True}
    for call in ("session_settings", "update_charge_settings"):
        house.sim.strike({**answer, **done, "endpoints": [call], "times": 3})
    for key in ("switch.boost", "switch.smart_charging"):
        service = "turn_on" if key == "switch.boost" else "turn_off"
        with pytest.raises(HomeAssistantError):
            await house.use(key, service)
    await house.poll(times=2)
    assert house.state("switch.smart_charging") == "off"
    await house.ends_well()


@tries(10, kinds=("hang",))
async def test_a_command_whose_caller_is_cancelled(begin: Begin) -> None:
    house = await begin(absent=("webhook_history",))
    slip = house.fault("hang", performed=True, endpoints=["update_charge_settings"])
    attempt = asyncio.create_task(house.use("switch.smart_charging", "turn_off"))
    while house.car.smart_charging:  # noqa: ASYNC110  the write is done, its answer never comes
        await asyncio.sleep(0.01)
    attempt.cancel()
    house.end_fault(slip)
    await house.quiet()
    await house.poll()
    assert house.state("switch.smart_charging") == "off"
    await house.ends_well(errors=[CALLER_IS_GONE])


@tries(10)
@pytest.mark.parametrize("in_session", [True, False], ids=["in a session", "otherwise"])
async def test_settings_that_were_changed_in_the_app_show_soon(
    begin: Begin, in_session: bool
) -> None:
    house = await begin()
    if in_session:
        await house.in_session()
        await house.poll()
    house.sim.change_settings(house.car.id, desiredBatteryLevel=95)
    await house.poll(times=1 if in_session else 3)
    assert house.state("number.desired_battery_level") == "95"
    await house.ends_well()


@tries(5, kinds=("status",))
@pytest.mark.parametrize("status", [404, 403, 405])
async def test_one_refused_boost_takes_it_from_nobody(begin: Begin, status: int) -> None:
    house = await begin(users=3)
    for car in house.cars:
        await house.in_session(car)
    house.fault("status", status=status, endpoints=["session_settings"], users=[1])
    with pytest.raises(HomeAssistantError):
        await house.use("switch.boost", "turn_on")
    smart = next(car for car in house.cars[1:] if car.session and car.session.is_managed)
    assert house.state("switch.boost", smart) == "off"
    await house.use("switch.boost", "turn_on", smart)
    await house.ends_well()
