"""Users who cannot be read for a while: what is known of each, and since when, is that user's matter."""

from datetime import timedelta

from aiohttp import ClientTimeout
from homeassistant.const import STATE_UNAVAILABLE
import pytest

from custom_components.jedlix.api import http
from tests.slips.conftest import Begin
from tests.slips.house import House
from tests.slips.stories import tries
from tests.tools import until

FAILURES = pytest.mark.parametrize(
    "failure",
    [{"kind": "status", "status": 503}, {"kind": "truncated"}, {"kind": "html"}],
    ids=lambda failure: failure["kind"],
)


def late(house: House) -> list[bool]:
    """Return of each published start and end of a session whether it was late."""
    types = ("session_started", "session_ended")
    return [change["late"] for change in house.recorded.changes if change["type"] in types]


async def a_missed_session(house: House, number: int = 0) -> None:
    """Let a car have a session that nobody can read at the time."""
    await house.poll()
    house.plug(house.cars[number])
    await house.poll(times=2)
    house.unplug(house.cars[number])
    await house.poll()


@tries(7, kinds=("status", "truncated", "html"))
@FAILURES
async def test_one_user_cannot_be_read_for_hours(begin: Begin, failure: dict[str, object]) -> None:
    house = await begin(users=2)
    unread, other = house.cars
    before = house.logged(unread.user_id)
    house.sim.strike({**failure, "users": [1]})
    await house.poll(times=5)
    assert house.state("sensor.charge_state", unread) == STATE_UNAVAILABLE
    assert house.logged(unread.user_id) == before + 1
    session = await house.in_session(other)
    assert ("session_started", session) in house.published("session_started")
    await house.poll(times=80)
    assert house.is_available(other)
    assert house.repairs == ["user_unreadable"]
    house.calm()
    await house.poll()
    assert house.is_available(unread)
    await house.ends_well()


@tries(7)
async def test_the_first_good_refresh_after_an_outage_is_a_deliverys(begin: Begin) -> None:
    house = await begin(push=True)
    house.fault("status", status=503)
    await house.poll(times=4)
    assert not house.is_available()
    house.calm()
    house.plug()
    await house.sim.delivered()
    await until(house.hass, lambda: house.published("session_started"))
    assert house.state("binary_sensor.plugged_in") == "on"
    await house.ends_well()


@tries(1)
@pytest.mark.parametrize("absent", [(), ("sessions",)], ids=["all calls", "user's list only"])
async def test_what_one_user_missed_for_hours_is_published(
    begin: Begin, absent: tuple[str, ...]
) -> None:
    house = await begin(users=2, absent=(*absent, "webhook_history"))
    house.fault("status", status=503, users=[1])
    house.fault("late_start", endpoints=["sessions"], delay_seconds=86400)
    await a_missed_session(house)
    await house.poll(times=20)
    house.calm()
    await house.ends_well()


@tries(7, 8)
async def test_jedlix_is_away_for_hours(begin: Begin) -> None:
    house = await begin(users=2)
    house.fault("status", status=503)
    await a_missed_session(house)
    await house.poll(times=30)
    assert not any(house.is_available(car) for car in house.cars)
    house.calm()
    await house.poll()
    assert late(house) == [True, True]
    await house.ends_well()


@tries(8)
async def test_what_one_user_missed_for_hours_is_late(begin: Begin) -> None:
    house = await begin(users=2)
    house.fault("status", status=503, users=[1])
    await a_missed_session(house)
    await house.poll(times=12)
    house.calm()
    await house.poll(times=2)
    assert late(house) == [True, True]
    await house.ends_well()


@tries(8)
@pytest.mark.parametrize("gap", ["a reload", "a failed poll"])
async def test_a_short_gap_makes_nothing_late(begin: Begin, gap: str) -> None:
    house = await begin()
    if gap == "a reload":
        await house.hass.config_entries.async_unload(house.entry.entry_id)
        house.plug()
        house.clock.go_on(timedelta(minutes=1))
        await house.hass.config_entries.async_setup(house.entry.entry_id)
    else:
        house.fault("status", status=503)
        house.plug()
        await house.poll()
        house.calm()
    await house.poll()
    assert late(house) == [False]
    await house.ends_well()


@tries(1)
@pytest.mark.parametrize("absent", [(), ("sessions",)], ids=["all calls", "user's list only"])
async def test_a_reload_while_one_user_cannot_be_read(
    begin: Begin, absent: tuple[str, ...]
) -> None:
    house = await begin(users=2, absent=(*absent, "webhook_history"))
    house.fault("status", status=503, users=[1])
    house.fault("late_end", users=[1], endpoints=["sessions"], delay_seconds=3600)
    await a_missed_session(house)
    await house.poll(times=20)
    await house.reload()
    await house.poll(times=2)
    house.calm()
    await house.ends_well()


@tries(1, kinds=("slow",))
async def test_a_second_restart_before_the_first_round_is_over(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await begin(users=3, absent=("sessions", "webhook_history"))
    await house.hass.config_entries.async_unload(house.entry.entry_id)
    for car in house.cars:
        house.plug(car)
        house.clock.go_on(timedelta(minutes=10))
        house.unplug(car)
    house.clock.go_on(timedelta(hours=3))
    monkeypatch.setattr("custom_components.jedlix.poll.FIRST_REFRESH_TIMEOUT", 0.05)
    house.fault("slow", delay_seconds=0.5, endpoints=["vehicles", "user_sessions"])
    await house.hass.config_entries.async_setup(house.entry.entry_id)
    await house.hass.config_entries.async_unload(house.entry.entry_id)
    house.clock.go_on(timedelta(minutes=1))
    house.calm()
    monkeypatch.setattr("custom_components.jedlix.poll.FIRST_REFRESH_TIMEOUT", 10.0)
    await house.hass.config_entries.async_setup(house.entry.entry_id)
    await house.ends_well()


@tries(1)
async def test_a_catch_up_of_days_for_a_user_who_is_behind(begin: Begin) -> None:
    house = await begin(users=2, absent=("webhook_history", "sessions"))
    house.fault("late_start", delay_seconds=90 * 60)
    house.plug()
    house.clock.go_on(timedelta(minutes=10))
    house.unplug()
    await house.poll(times=30)  # by now the session is listed
    slip = house.fault("status", status=503, users=[1])
    await house.poll()
    house.end_fault(slip)
    since = house.clock.now() - timedelta(days=2)
    await house.hass.services.async_call(
        "jedlix", "catch_up", {"since": since.isoformat()}, blocking=True
    )
    assert len(house.published("session_started", "session_ended")) == 2
    await house.ends_well()


@tries(1, kinds=("hang",))
async def test_a_user_is_removed_while_a_refresh_is_under_way(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await begin(users=2)
    monkeypatch.setattr("custom_components.jedlix.poll.FIRST_REFRESH_TIMEOUT", 0.05)
    monkeypatch.setattr(http, "TIMEOUT", ClientTimeout(total=0.5))
    user_id = house.car.user_id
    house.fault("hang", users=[1])
    path = f"/users/{user_id}/vehicles"
    before = house.calls(path)
    await house.poll()
    (subentry,) = [it for it in house.entry.subentries.values() if it.unique_id == user_id]
    house.hass.config_entries.async_remove_subentry(house.entry, subentry.subentry_id)
    house.followed.discard(user_id)
    await until(house.hass, lambda: house.calls(path) >= before + 3)  # it is tried twice again
    house.calm()
    await house.quiet()
    await house.poll(times=2)
    before = house.calls(f"/users/{user_id}/")
    await house.poll(times=2)
    assert house.calls(f"/users/{user_id}/") == before
    await house.ends_well()
