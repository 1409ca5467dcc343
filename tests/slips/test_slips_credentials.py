"""Refused credentials: a 401 is not yet a wrong secret, and one user's refusal is that user's matter."""

import pytest

from tests.slips.conftest import Begin
from tests.slips.stories import tries


@tries(6, kinds=("unauthorized",))
async def test_one_401_asks_for_nothing(begin: Begin) -> None:
    house = await begin()
    await house.in_session()
    house.fault("unauthorized", times=2)  # the call is repeated once, with a new token
    await house.poll()
    assert house.reauths == 0
    await house.ends_well()


@tries(6, kinds=("unauthorized",))
async def test_401_for_half_an_hour_asks_and_the_first_good_answer_withdraws(begin: Begin) -> None:
    house = await begin()
    await house.in_session()
    house.fault("unauthorized")
    await house.poll(times=6)
    assert house.reauths == 1
    house.nothing_is_gone()
    house.unplug()
    house.plug()
    await house.poll(times=2)
    await house.ends_well()


@tries(6, kinds=("token_refused",))
@pytest.mark.parametrize("status", [400, 401, 403])
async def test_the_token_address_refuses_for_good(begin: Begin, status: int) -> None:
    house = await begin()
    house.sim.strike({"token_expiry": True})
    house.fault("token_refused", status=status)
    await house.poll()
    assert house.reauths == 0
    await house.poll(times=6)
    assert house.reauths == 1
    await house.ends_well()


@tries(6, kinds=("unauthorized", "status"))
@pytest.mark.parametrize("status", [401, 403])
async def test_one_users_refusal_is_that_users_matter(begin: Begin, status: int) -> None:
    house = await begin(users=2)
    refused, other = house.cars
    calls = ["vehicles", "user_sessions", "charge_settings", "chargers"]
    house.fault("status", status=status, endpoints=calls, users=[1])
    await house.poll(times=4)
    assert house.reauths == 0
    assert not house.is_available(refused)
    session = await house.in_session(other)
    assert ("session_started", session) in house.published("session_started")
    await house.poll(times=75)
    assert house.repairs == ["user_unreadable"]
    assert house.reauths == 0
    await house.ends_well()
