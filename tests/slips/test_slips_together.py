"""Two slips at once: what each rule promises also holds when another slip comes at the same time."""

import asyncio
from datetime import timedelta
from typing import Any

from homeassistant.config_entries import ConfigEntryState
import pytest

from custom_components.jedlix.const import DOMAIN
from tests.coordinator.tools import stop
from tests.slips.conftest import Begin
from tests.slips.house import House
from tests.slips.stories import tries
from tests.tools import until

HOUR = 60
OF_USER = ["vehicles", "user_sessions", "charge_settings", "chargers"]


async def start(house: House) -> None:
    """Start Home Assistant again."""
    await house.hass.config_entries.async_setup(house.entry.entry_id)
    await house.hass.async_block_till_done()


@tries(1, 6, kinds=("status",))
async def test_one_user_is_forbidden_while_home_assistant_restarts(begin: Begin) -> None:
    house = await begin(users=2, absent=("webhook_history",))
    refused, other = house.cars
    await house.in_session(refused)
    await stop(house.hass, house.entry)
    house.unplug(refused)
    other_session = house.plug(other)
    house.clock.go_on(timedelta(hours=2))
    fault = house.fault("status", status=403, endpoints=OF_USER, users=[1])
    await start(house)
    await stop(house.hass, house.entry)  # a second restart, before the first user could be read
    house.clock.go_on(timedelta(hours=2))
    await start(house)
    await house.poll(times=3)
    assert house.published("session_started")[-1:] == [("session_started", other_session)]
    assert not house.is_available(refused)
    assert house.is_available(other)
    assert not house.published("session_ended")
    house.end_fault(fault)
    await house.poll(times=2)
    (ended,) = (it for it in house.recorded.changes if it["type"] == "session_ended")
    assert ended["late"]
    await house.ends_well()


@tries(3, 4, kinds=("empty_list", "clock"))
@pytest.mark.parametrize("home_ahead", [0, 70, -70])
@pytest.mark.parametrize("jedlix_ahead", [0, 4200])
async def test_an_empty_list_while_a_clock_is_wrong(
    begin: Begin, home_ahead: float, jedlix_ahead: float
) -> None:
    house = await begin(home_ahead=home_ahead)
    if jedlix_ahead:
        house.fault("clock", ahead_seconds=jedlix_ahead)
        await house.poll(times=2)
    await house.in_session()
    house.fault("empty_list", endpoints=["vehicles"], times=1)
    house.fault("empty_list", endpoints=["user_sessions"], times=2)
    await house.poll(times=2)
    house.nothing_is_gone()
    house.unplug()
    await house.poll()
    assert len(house.published("session_started", "session_ended")) == 2


@tries(9, 11, kinds=("slow",))
async def test_a_reload_while_jedlix_is_slow(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    house = await begin(users=12, push=True)
    monkeypatch.setattr("custom_components.jedlix.poll.FIRST_REFRESH_TIMEOUT", 0.05)
    house.fault("slow", delay_seconds=0.1)
    polling = asyncio.create_task(house.poll())
    sessions = [house.plug(car) for car in house.cars]
    await asyncio.sleep(0.15)
    await house.reload()
    await polling
    await house.reload()
    await house.quiet()
    monkeypatch.setattr("custom_components.jedlix.poll.FIRST_REFRESH_TIMEOUT", 10.0)
    await house.poll(times=2)
    assert sorted(house.published("session_started")) == sorted(
        ("session_started", session) for session in sessions
    )
    await house.ends_well()


@tries(5, 6, kinds=("token_refused",))
@pytest.mark.parametrize("status", [401, 403])
async def test_the_token_is_refused_during_a_boost(begin: Begin, status: int) -> None:
    house = await begin()
    await house.in_session()
    house.sim.strike({"token_expiry": True})
    fault = house.fault("token_refused", status=status)
    with pytest.raises(Exception, match=r"credentials|allow|log in|accept"):
        await house.use("switch.boost", "turn_on")
    assert house.state("switch.boost") == "off"
    house.end_fault(fault)
    await house.poll()
    await house.use("switch.boost", "turn_on")
    assert house.state("switch.boost") == "on"
    assert house.reauths == 0
    await house.ends_well()


@tries(2, 8, kinds=("status",))
@pytest.mark.parametrize("slip", ["404", "html", "hang"])
async def test_the_history_fails_at_a_restart_after_a_whole_session(
    begin: Begin, slip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.jedlix.poll.FIRST_REFRESH_TIMEOUT", 0.3)
    house = await begin(push=True)
    await stop(house.hass, house.entry)
    house.plug()
    house.clock.go_on(timedelta(minutes=40))
    house.unplug()
    house.clock.go_on(timedelta(minutes=40))
    kind: dict[str, Any] = {"404": {"kind": "status", "status": 404}}.get(slip, {"kind": slip})
    house.fault(**kind, endpoints=["webhook_history"])
    await start(house)
    await house.poll()
    assert len(house.published("session_started", "session_ended")) == 2
    assert all(
        change["late"] for change in house.recorded.changes if change["type"].startswith("session_")
    )
    await house.ends_well()


@tries(4, 7, kinds=("html", "empty_list"))
async def test_a_users_404_is_a_page_and_their_list_is_empty_in_between(begin: Begin) -> None:
    house = await begin(users=2)
    away, other = house.cars
    await house.in_session(away)
    for _ in range(4):
        fault = house.fault("html", status=404, endpoints=OF_USER, users=[1])
        await house.poll(times=3)
        house.end_fault(fault)
        house.fault("empty_list", endpoints=["vehicles"], users=[1], times=1)
        await house.poll()
    house.nothing_is_gone()
    assert house.is_available(other)
    await house.ends_well()


@tries(2, 6, kinds=("unauthorized",))
async def test_the_token_expires_between_two_pages_while_sessions_are_listed_anew(
    begin: Begin,
) -> None:
    house = await begin(users=3, absent=("user_sessions", "session_settings", "webhook_history"))
    house.fault("unstable_pages", page_size=2)
    session = house.plug()
    house.clock.go_on(timedelta(minutes=1))
    before = house.calls("sessions")

    async def expire() -> None:
        await until(house.hass, lambda: house.calls("sessions") > before)
        house.sim.strike({"token_expiry": True})

    await asyncio.gather(expire(), house.poll())
    assert house.published("session_started") == [("session_started", session)]
    assert house.reauths == 0
    await house.ends_well()


@tries(11, 13)
async def test_deliveries_during_an_unload_whose_next_set_up_fails(begin: Begin) -> None:
    house = await begin(push=True)
    await house.hass.config_entries.async_unload(house.entry.entry_id)
    session = house.plug()
    number = house.fault("status", status=503)
    await start(house)
    assert house.entry.state is ConfigEntryState.SETUP_RETRY
    await house.sim.delivered()
    house.clock.go_on(timedelta(minutes=5))
    house.unplug()
    house.end_fault(number)
    await house.poll(times=2)
    await house.sim.delivered()
    assert house.published("session_started", "session_ended") == [
        ("session_started", session),
        ("session_ended", session),
    ]
    ids = [event["event_id"] for event in house.recorded.webhooks]
    assert len(ids) == len(set(ids))
    await house.ends_well()


@tries(1, 13, kinds=("status",))
async def test_the_store_loses_one_user_who_then_cannot_be_read(
    begin: Begin, hass_storage: dict[str, Any]
) -> None:
    house = await begin(users=2, absent=("webhook_history",))
    lost, other = house.cars
    devices = house.devices
    await stop(house.hass, house.entry)
    data = hass_storage[f"{DOMAIN}.{house.entry.entry_id}"]["data"]
    data["users"] = [it for it in data["users"] if it["user_id"] != lost.user_id] + ['{"user_id": ']
    sessions = [house.plug(lost), house.plug(other)]
    house.clock.go_on(timedelta(minutes=10))
    fault = house.fault("status", status=500, endpoints=OF_USER, users=[1])
    await start(house)
    await house.poll(times=2)
    assert house.published("session_started") == [("session_started", sessions[1])]
    assert house.devices == devices  # those of a user who was never refreshed stay
    house.end_fault(fault)
    await house.poll()
    assert len([it for it in house.published("session_started") if it[1] == sessions[0]]) <= 1
    house.nothing_is_gone()
    house.unplug(lost)
    await house.poll()
    assert ("session_ended", sessions[0]) in house.published("session_ended")


@tries(4, 15, kinds=("vehicle_moves", "status"))
async def test_a_car_in_a_session_moves_to_a_user_who_cannot_be_read(begin: Begin) -> None:
    house = await begin(users=2)
    car, other = house.cars
    await house.in_session(car)
    former = car.user_id
    fault = house.fault("status", status=503, endpoints=OF_USER, users=[2])
    house.fault("vehicle_moves", vehicle=car.id, to_user=2)
    await house.poll(times=6)
    assert f"{former}_{car.id}" not in house.devices
    house.end_fault(fault)
    await house.poll(times=2)
    assert f"{other.user_id}_{car.id}" in house.devices
    assert house.state("sensor.charge_state", car) == car.report.state.value
