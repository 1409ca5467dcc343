"""Refused reads: what a tenant does not offer, and what is only one refusal of one user."""

import pytest

from tests.slips.conftest import Begin
from tests.slips.stories import tries

TENANTS_LIST = ("user_sessions", "session", "session_settings")


@tries(5, kinds=("status", "html"))
@pytest.mark.parametrize(
    "answer",
    [
        {"kind": "status", "status": 404},
        {"kind": "status", "status": 403},
        {"kind": "status", "status": 404, "problem": False},
        {"kind": "html", "status": 403},
    ],
    ids=["404", "403", "404 of a proxy", "403 of a proxy"],
)
async def test_one_refusal_of_the_documented_list(begin: Begin, answer: dict[str, object]) -> None:
    house = await begin(absent=TENANTS_LIST)
    house.sim.strike({**answer, "endpoints": ["sessions"], "times": 1})
    await house.poll()
    await house.in_session()
    assert len(house.published("session_started")) == 1
    await house.ends_well()


@tries(5, kinds=("status",))
@pytest.mark.parametrize("status", [404, 403])
async def test_one_refusal_of_a_users_list(begin: Begin, status: int) -> None:
    house = await begin(users=2)
    house.fault("status", status=status, endpoints=["user_sessions"], users=[1], times=1)
    await house.in_session()
    assert len(house.published("session_started")) == 1
    before = house.calls(f"/users/{house.cars[1].user_id}/sessions")
    await house.in_session(house.cars[1])
    assert house.calls(f"/users/{house.cars[1].user_id}/sessions") > before
    await house.ends_well()


@tries(5, kinds=("status",))
@pytest.mark.parametrize(
    ("call", "missing"),
    [
        ("charge_settings", ["charge_settings"]),
        ("user_sessions", ["boost"]),
        ("chargers", []),  # it is asked too rarely to be decided so soon
    ],
)
async def test_a_read_that_the_tenant_never_offers(
    begin: Begin, call: str, missing: list[str]
) -> None:
    house = await begin(users=2, absent=(call,) if call != "user_sessions" else TENANTS_LIST)
    assert house.missing_features() == []
    for car in house.cars:
        await house.in_session(car)
    await house.poll(times=6)
    assert len(house.published("session_started")) == 2
    assert house.missing_features() == missing
    house.nothing_is_gone()


@tries(5, kinds=("token_refused",))
async def test_what_the_token_address_answers_is_not_the_calls_answer(begin: Begin) -> None:
    house = await begin(absent=TENANTS_LIST)
    house.sim.strike({"token_expiry": True})
    house.fault("token_refused", status=403, times=1)
    await house.poll()
    await house.in_session()
    assert len(house.published("session_started")) == 1
    await house.ends_well()


@tries(5, kinds=("status",))
async def test_refused_settings_of_one_user_for_an_hour(begin: Begin) -> None:
    house = await begin(users=2)
    slip = house.fault("status", status=403, endpoints=["charge_settings"], users=[1])
    for _ in range(3):
        await house.in_session(house.cars[1])
        await house.poll(times=2, minutes=20)
        house.unplug(house.cars[1])
    assert house.state("number.desired_battery_level", house.cars[1]) == "80"
    house.end_fault(slip)
    await house.ends_well(polls=12)
