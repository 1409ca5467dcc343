"""Other slips: tokens, names, users and words that are not as they should be."""

from datetime import timedelta

from homeassistant.const import CONF_CLIENT_SECRET
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr
import orjson
import pytest

from tests.slips.conftest import Begin
from tests.slips.stories import tries


@tries(15)
async def test_a_token_whose_lifetime_is_negative(begin: Begin) -> None:
    house = await begin()
    token = house.sim.tokens.give(house.sim.now(), 86400)
    answer = {"access_token": token, "token_type": "Bearer", "expires_in": -60}
    text = orjson.dumps(answer).decode()
    house.fault("status", status=200, problem=False, text=text, endpoints=["token"])
    house.sim.tokens.expire()
    house.sim.tokens._ends[token] = house.sim.now() + timedelta(days=1)
    await house.poll()
    before = house.calls("/oauth/token")
    await house.poll(times=2)
    assert house.calls("/oauth/token") - before <= 2
    await house.ends_well()


@tries(15, kinds=("status",))
async def test_secrets_in_jedlixs_words_are_not_logged(
    begin: Begin, caplog: pytest.LogCaptureFixture
) -> None:
    house = await begin()
    text = f"The client with {house.entry.data[CONF_CLIENT_SECRET]} is not welcome"
    house.fault("status", status=503, text=text)
    await house.poll(times=2)
    assert house.logged("is not welcome")
    assert not house.logged(text)
    await house.ends_well()


@tries(15)
async def test_control_characters_leave_names(begin: Begin) -> None:
    house = await begin(users=2, follow=1)
    second = house.give_second_car()
    second.model = "Model\u202e\x07 3\n"
    await house.poll()
    device = dr.async_get(house.hass).async_get(house.device_id(second))
    assert isinstance(device, dr.DeviceEntry)
    assert f"{device.name} {device.model}".isprintable()
    await house.ends_well()


@tries(15)
async def test_a_users_list_that_names_another_user_is_not_believed(begin: Begin) -> None:
    house = await begin(users=2)
    foreign = house.cars[1]
    now = house.clock.now().isoformat()
    session = {
        "id": "00000000-0000-4000-8000-000000000001",
        "userId": foreign.user_id,
        "vehicleId": None,
        "isManaged": True,
        "startTime": now,
        "endTime": None,
    }
    text = orjson.dumps({"items": [session], "totalPages": 1, "totalCount": 1}).decode()
    number = house.fault(
        "status", status=200, problem=False, text=text, endpoints=["user_sessions"], users=[1]
    )
    house.sim.telemetry(house.car.id, battery_level=44)
    await house.poll()
    await house.poll(minutes=60)
    assert house.published("session_started") == []
    house.end_fault(number)
    await house.ends_well()


@tries(15)
async def test_catch_up_without_a_target_tries_all_accounts(begin: Begin) -> None:
    away, house = await begin(users=1), await begin(users=1)
    away.fault("status", status=503)
    house.plug()
    with pytest.raises(HomeAssistantError):
        await house.hass.services.async_call("jedlix", "catch_up", {}, blocking=True)
    assert len(house.published("session_started")) == 1


@tries(7, kinds=("slow",))
async def test_answers_that_are_slow_lose_nothing(begin: Begin) -> None:
    house = await begin(push=True, users=2)
    house.fault("slow", delay_seconds=0.05)
    for car in house.cars:
        house.plug(car)
    await house.sim.delivered()
    await house.poll()
    for car in house.cars:
        house.unplug(car)
    await house.sim.delivered()
    await house.poll()
    await house.ends_well()


@tries(15)
@pytest.mark.parametrize(
    ("name", "moment"),
    [
        pytest.param(
            "endTime",
            "9999-12-31T23:59:59.999Z",
        ),
        ("startTime", "0001-01-01T00:00:00.000Z"),
        ("startTime", "9999-12-31T23:59:59.999Z"),
    ],
)
async def test_a_date_that_no_calendar_can_hold(begin: Begin, name: str, moment: str) -> None:
    house = await begin()
    session_id = await house.in_session()
    session = {
        "id": session_id,
        "userId": house.car.user_id,
        "vehicleId": house.car.id,
        "isManaged": True,
        "startTime": house.clock.now().isoformat(),
        "endTime": None,
        name: moment,
    }
    text = orjson.dumps({"items": [session], "totalPages": 1, "totalCount": 1}).decode()
    calls = ["user_sessions", "sessions"]
    number = house.fault("status", status=200, problem=False, text=text, endpoints=calls)
    await house.poll(times=2)
    assert house.published("session_ended") == []
    assert house.state("sensor.session") == "smart"
    house.end_fault(number)
    await house.ends_well()


@tries(10, kinds=("settings_not_as_written",))
async def test_a_departure_is_not_kept_as_written(begin: Begin) -> None:
    """The person hears of it; that control waits for a reload, and nothing else."""
    house = await begin()
    house.fault("settings_not_as_written", how="ignored")
    with pytest.raises(HomeAssistantError):
        await house.use("time.ready_by", "set_value", time="05:05:00")
    house.calm()
    await house.poll()
    assert house.is_available(house.car)
    await house.reload()
    await house.use("time.ready_by", "set_value", time="05:05:00")
    await house.ends_well()
