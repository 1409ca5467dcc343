"""Snapshots: newer answers on top of older ones."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from custom_components.jedlix.api import (
    ChargeState,
    ChargeStatus,
    Session,
    Vehicle,
)
from custom_components.jedlix.state.snapshot import (
    SESSIONS_REMEMBERED,
    UserSnapshot,
    VehicleSnapshot,
)

NOON: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
UNKNOWN, AWAY, STOPPED, CHARGING, COMPLETE = ChargeStatus


def at(minutes: float) -> datetime:
    """Return a moment in minutes after noon."""
    return NOON + timedelta(minutes=minutes)


def car(status: ChargeStatus = CHARGING, read_at: float | None = 0, **more: Any) -> Vehicle:
    """Return the car as Jedlix reports it, with a reading of that minute."""
    reading = ChargeState(
        status=status, battery_level=50, updated_at=None if read_at is None else at(read_at)
    )
    return Vehicle(id="car", user_id="user", charge_state=reading, **more)


def session(name: str, start: float | None, end: float | None = None, **more: Any) -> Session:
    """Return a session of the car."""
    return Session(
        id=name,
        vehicle_id="car",
        started_at=None if start is None else at(start),
        ended_at=None if end is None else at(end),
        **more,
    )


def known(
    *sessions: Session, status: ChargeStatus = CHARGING, read_at: float = 0
) -> VehicleSnapshot:
    """Return the car after a refresh that brought these sessions."""
    return VehicleSnapshot(vehicle=car(), known_since=at(0)).advance(
        car(status, read_at), sessions, at(read_at)
    )


# -- the car -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "fetched", "wins"), [(5, 4, "held"), (5, 5, "fetched"), (5, 6, "fetched")]
)
def test_an_older_reading_never_wins_over_a_newer_one(held: int, fetched: int, wins: str) -> None:
    before = known(status=CHARGING, read_at=held)
    after = before.advance(car(AWAY, fetched, brand="Tesla"), [], at(9))
    assert after.status is (CHARGING if wins == "held" else AWAY)
    assert after.vehicle.charge_state.updated_at == at(max(held, fetched))
    assert after.vehicle.brand == "Tesla"  # only the reading is kept


@pytest.mark.parametrize("untimed", ["held", "fetched"])
def test_a_reading_without_a_time_counts_as_the_newest(untimed: str) -> None:
    held, fetched = (None, 4.0) if untimed == "held" else (5.0, None)
    before = known().advance(car(CHARGING, held), [], at(5))
    assert before.advance(car(AWAY, fetched), [], at(9)).status is AWAY


def test_an_unknown_charge_state_keeps_the_last_known_status_but_is_shown_as_unknown() -> None:
    after = known(status=COMPLETE).advance(car(UNKNOWN, 1), [], at(1))
    assert after.status is COMPLETE
    assert after.is_plugged_in is None


@pytest.mark.parametrize(
    ("status", "plugged_in"),
    [(AWAY, False), (STOPPED, True), (CHARGING, True), (COMPLETE, True), (UNKNOWN, None)],
)
def test_a_car_is_plugged_in_in_each_charge_state_but_disconnected(
    status: ChargeStatus, plugged_in: bool | None
) -> None:
    assert known(status=status).is_plugged_in is plugged_in


# -- its sessions ------------------------------------------------------------------------------------------


def test_the_running_session_is_the_newest_without_an_end() -> None:
    car_now = known(
        session("old", 1), session("new", 3), session("ended", 5, 6), session("?", None)
    )
    assert car_now.session is not None
    assert car_now.session.id == "new"
    assert car_now.latest_session is not None
    assert car_now.latest_session.id == "ended"
    assert known().session is None


@pytest.mark.parametrize(("managed", "smart"), [(True, True), (False, False), (None, False)])
def test_a_session_is_smart_when_jedlix_says_so(managed: bool | None, smart: bool) -> None:
    assert known(session("s", 1, is_managed=managed)).is_smart is smart


def test_without_a_session_nothing_is_smart() -> None:
    assert not known(session("s", 1, 2, is_managed=True)).is_smart


def test_an_ended_session_does_not_open_again() -> None:
    ended = known(session("s", 1)).advance(car(), [session("s", 1, 2)], at(2))
    again = ended.advance(car(), [session("s", 1)], at(3))
    assert again.session is None
    assert again.ended_sessions == {"s": at(2)}


def test_the_newest_session_has_its_newest_figures() -> None:
    first = known(session("s", 1, energy_kwh=1.0))
    more = first.advance(car(), [session("s", 1, energy_kwh=2.0), session("t", 0, 1)], at(2))
    assert more.latest_session == session("s", 1, energy_kwh=2.0)
    assert more.open_sessions["s"].energy_kwh == 2.0


def test_the_session_of_a_plug_in_is_remembered_until_the_unplug() -> None:
    ended = known(session("s", 1)).advance(car(CHARGING, 2), [session("s", 1, 2)], at(2))
    assert ended.plug_session == session("s", 1)
    unplugged = ended.advance(car(AWAY, 3), [], at(3))
    assert unplugged.plug_session is None
    replaced = ended.advance(car(CHARGING, 3), [session("t", 3)], at(3))
    assert replaced.plug_session == session("t", 3)


def test_a_boost_ends_with_its_session() -> None:
    boosted = replace(known(session("s", 1)), boost_session_id="s")
    assert boosted.advance(car(), [], at(2)).boost_session_id == "s"
    assert boosted.advance(car(), [session("s", 1, 2)], at(2)).boost_session_id is None


@pytest.mark.parametrize(
    ("known_boost", "reported", "boosted"),
    [
        ("s", None, "s"),  # not reported: the command holds
        ("s", True, "s"),
        ("s", False, None),
        (None, True, "s"),
        (None, False, None),
        (None, None, None),
    ],
)
def test_boost_is_what_jedlix_reports_or_else_what_was_commanded(
    known_boost: str | None, reported: bool | None, boosted: str | None
) -> None:
    before = replace(known(session("s", 1)), boost_session_id=known_boost)
    after = before.advance(car(), [session("s", 1, is_boosted=reported)], at(2))
    assert after.boost_session_id == boosted
    assert after.is_boosted is (boosted is not None)


def test_a_boost_reported_of_another_session_does_not_change_ours() -> None:
    boosted = replace(known(session("s", 1), session("t", 2)), boost_session_id="t")
    assert boosted.is_boosted
    old = session("s", 1, is_boosted=False)
    assert boosted.advance(car(), [old], at(3)).boost_session_id == "t"
    ended = session("s", 1, 3, is_boosted=True)  # of an ended session it means nothing
    assert boosted.advance(car(), [ended], at(3)).boost_session_id == "t"


def test_an_entered_level_is_dropped_with_its_session() -> None:
    entered = replace(known(session("s", 1)), entered_levels={"s": 40})
    assert entered.advance(car(), [], at(2)).entered_levels == {"s": 40}
    assert entered.advance(car(), [session("s", 1, 2)], at(2)).entered_levels == {}


@pytest.mark.parametrize(
    ("capabilities", "managed_before", "can"),
    [
        ([], None, True),  # it names none
        (["startStopCharging", "geoLocation"], None, True),
        (["startStopCharging", "geoFencing"], None, True),
        (["startStopCharging"], None, False),
        (["geoLocation"], None, False),
        (["charge"], False, False),
        (["charge"], True, True),  # Jedlix controlled it before, whatever it names
    ],
)
def test_jedlix_can_control_a_car_with_a_position_and_start_and_stop(
    capabilities: list[str], managed_before: bool | None, can: bool
) -> None:
    sessions = [] if managed_before is None else [session("s", 1, is_managed=managed_before)]
    able = car(capabilities=frozenset(capabilities))
    before = VehicleSnapshot(vehicle=able, known_since=at(0))
    assert before.advance(able, sessions, at(2)).can_be_smart is can


@pytest.mark.parametrize(
    ("capabilities", "can"),
    [([], True), (["pushTelemetry"], False), (["pushTelemetry", "pullTelemetry"], True)],
)
def test_a_car_that_only_pushes_cannot_be_asked(capabilities: list[str], can: bool) -> None:
    pushing = car(capabilities=frozenset(capabilities))
    assert VehicleSnapshot(vehicle=pushing, known_since=at(0)).can_be_asked is can


def test_ended_sessions_are_remembered_for_eight_days() -> None:
    ended, days_later = known(session("s", 1, 2)), at(2) + SESSIONS_REMEMBERED
    just_before = ended.advance(car(), [], days_later - timedelta(minutes=1))
    assert "s" in just_before.ended_sessions
    assert "s" not in ended.advance(car(), [], days_later).ended_sessions


# -- the user ----------------------------------------------------------------------------------------------


def test_a_session_belongs_to_the_car_it_names_or_else_to_the_first() -> None:
    cars = [car(), replace(car(), id="other")]
    user = UserSnapshot.unknown("user", at(0)).advance(
        cars,
        [
            session("a", 1),
            replace(session("b", 2), vehicle_id="other"),
            replace(session("c", 3), vehicle_id=None),
            replace(session("d", 4), vehicle_id="stranger"),
        ],
        at(5),
    )
    assert {name: list(each.open_sessions) for name, each in user.vehicles.items()} == {
        "car": ["a", "c"],
        "other": ["b"],
    }


def test_a_session_of_a_user_without_a_car_belongs_to_none() -> None:
    nameless = replace(session("s", 1), vehicle_id=None)
    assert UserSnapshot.unknown("user", at(0)).advance([], [nameless], at(1)).vehicles == {}


def test_the_oldest_open_session_of_a_user() -> None:
    empty = UserSnapshot.unknown("user", at(0)).advance([car()], [session("x", 0, 1)], at(2))
    assert empty.oldest_open_start is None
    assert not empty.has_open_session
    busy = empty.advance([car()], [session("a", 5), session("b", 3), session("c", None)], at(6))
    assert busy.oldest_open_start == at(3)
    assert busy.has_open_session


def test_a_car_that_is_no_longer_listed_is_gone() -> None:
    both = UserSnapshot.unknown("user", at(0)).advance(
        [car(), replace(car(), id="other")], [], at(1)
    )
    assert list(both.advance([car()], [], at(2)).vehicles) == ["car"]


def test_a_car_is_known_since_the_first_refresh_began_or_since_it_was_added() -> None:
    user = UserSnapshot.unknown("user", at(0)).advance([car()], [], at(1))
    user = user.advance([car(), replace(car(), id="other")], [], at(5))
    assert {name: each.known_since for name, each in user.vehicles.items()} == {
        "car": at(0),
        "other": at(5),
    }
