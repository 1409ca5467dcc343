"""The gate of all calls: how many there are at once, who waits when Jedlix asks for it, and what hangs."""

import asyncio
from datetime import timedelta
from typing import Any

from aiohttp import ClientTimeout
import pytest

from custom_components.jedlix import refresher
from custom_components.jedlix.api import http
from custom_components.jedlix.state import details
from tests.slips.conftest import Begin, InFlight
from tests.slips.stories import tries
from tests.tools import until


@tries(9, kinds=("retry_after",))
@pytest.mark.parametrize(
    "wait",
    [
        {"form": "seconds", "wait_seconds": 1200},
        {"form": "date", "wait_seconds": 1200},
        {"form": "seconds", "wait_seconds": 1200, "status": 503},
    ],
    ids=["seconds", "date", "503"],
)
async def test_retry_after_is_honoured_by_all(begin: Begin, wait: dict[str, Any]) -> None:
    house = await begin(push=True, users=2)
    house.fault("retry_after", users=[1], times=1, **wait)
    await house.poll()
    before = house.calls("/api/v")
    house.plug()
    await house.sim.delivered()
    await house.poll(times=3)
    assert house.calls("/api/v") == before
    await house.poll(times=2)
    assert house.published("session_started")
    await house.ends_well()


@tries(9, kinds=("retry_after",))
@pytest.mark.parametrize(
    "wait",
    [
        pytest.param({"form": "absurd"}, id="absurd"),
        pytest.param({"form": "epoch"}, id="epoch"),
        pytest.param({"wait_seconds": 86400 * 300}, id="a year"),
        pytest.param({"form": "absurd", "text": "soon"}, id="words"),
        pytest.param({"wait_seconds": -60}, id="the past"),
    ],
)
async def test_retry_after_is_honoured_for_an_hour_at_most(
    begin: Begin, wait: dict[str, Any]
) -> None:
    house = await begin()
    house.fault("retry_after", times=1, **wait)
    await house.poll(times=2)
    house.plug()
    await house.poll(times=12)
    assert len(house.published("session_started")) == 1
    await house.ends_well()


@tries(9, kinds=("slow",))
async def test_at_most_eight_calls_at_once_and_two_per_user(
    begin: Begin, in_flight: InFlight
) -> None:
    house = await begin(users=12)
    house.fault("slow", delay_seconds=0.15)
    now = house.clock.now()
    period = {"start": (now - timedelta(days=9)).isoformat(), "end": now.isoformat()}
    await asyncio.gather(
        house.poll(minutes=60),
        *(
            house.hass.services.async_call(
                "jedlix",
                "get_sessions",
                {"device_id": house.device_id(car), **period},
                blocking=True,
                return_response=True,
            )
            for car in house.cars
        ),
    )
    assert in_flight.most <= 8
    assert in_flight.most_of_one_user <= 2
    await house.ends_well()


@tries(9, kinds=("hang",))
async def test_a_refresh_that_hangs_is_not_started_again(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await begin(users=2, absent=("webhook_history",))
    monkeypatch.setattr("custom_components.jedlix.poll.FIRST_REFRESH_TIMEOUT", 0.05)
    monkeypatch.setattr(http, "TIMEOUT", ClientTimeout(total=1.5))
    hanging, other = house.cars

    def calls() -> int:
        path = f"/users/{hanging.user_id}/vehicles"
        return sum(request.path.endswith(path) for request in house.sim.requests)

    house.fault("hang", users=[1], times=1)
    for _ in range(4):
        await house.poll()
    before = calls()
    session = await house.in_session(other)
    assert house.published("session_started") == [("session_started", session)]
    await until(house.hass, lambda: calls() > before)
    await house.quiet()
    assert calls() - before <= 1 + 1 + 1  # the one that hung, its second try, one more
    await house.ends_well()


@tries(9, kinds=("slow",))
async def test_a_refresh_that_waits_for_its_turn_has_not_failed(
    begin: Begin, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """In a fleet, at a Jedlix that answers slowly, only the time of the refresh itself counts."""
    house = await begin(users=20)
    monkeypatch.setattr(refresher, "REFRESH_TIMEOUT", 0.9)
    house.fault("slow", delay_seconds=0.15)
    await house.poll(minutes=60)
    assert "took longer than a minute" not in caplog.text
    assert house.entry.runtime_data.coordinator.known.failing == {}
    await house.ends_well()


@tries(9, kinds=("hang",))
@pytest.mark.parametrize("endpoint", ["chargers", "charge_settings"])
async def test_a_detail_that_hangs_loses_neither_the_session_nor_the_other_detail(
    begin: Begin, monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    house = await begin()
    with monkeypatch.context() as patch:
        patch.setattr(details, "DETAIL_TIMEOUT", 0.5)
        fault = house.fault("hang", endpoints=[endpoint])
        house.sim.change_settings(house.car.id, desiredBatteryLevel=60)
        session = await house.in_session()
        assert house.published("session_started") == [("session_started", session)]
        assert house.entry.runtime_data.coordinator.known.failing == {}
        assert house.state("number.desired_battery_level") == (
            "60" if endpoint == "chargers" else "80"
        )
        house.end_fault(fault)
    await house.poll()
    assert house.state("number.desired_battery_level") == "60"
    await house.ends_well()


@tries(9, kinds=("retry_after",))
async def test_what_a_person_asks_for_does_not_wait_for_retry_after(begin: Begin) -> None:
    house = await begin(push=True)
    house.fault("retry_after", times=1, wait_seconds=1200)
    await house.poll()
    before = house.calls("/subscriptions")
    await house.hass.services.async_call("jedlix", "resubscribe", {}, blocking=True)
    await until(house.hass, lambda: house.calls("/subscriptions") > before)
    await house.poll(times=6)
    await house.ends_well()
