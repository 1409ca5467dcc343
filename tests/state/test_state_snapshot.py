"""Snapshots: newer answers on top of older ones."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from custom_components.jedlix.api import (
    Charger,
    ChargeState,
    ChargeStatus,
    Session,
    Vehicle,
)
from custom_components.jedlix.state.hours import Interval
from custom_components.jedlix.state.ledger import SESSIONS_REMEMBERED
from custom_components.jedlix.state.snapshot import (
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
        session("old", 1), session("new", 3), session("ended", 5, 6), session("?", None), read_at=9
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


@pytest.mark.parametrize(
    ("answers", "latest"),
    [
        ([[session("a", 1, 1), session("b", 1)]], "b"),
        ([[session("b", 1), session("a", 1, 1)]], "b"),
        ([[session("a", 1)], [session("b", 1), session("a", 1, 1)]], "b"),
        ([[session("b", 1)], [session("a", 1, 1), session("b", 1)]], "b"),
        ([[session("a", 1)], [session("b", 1)], [session("b", 1, 2)], [session("a", 1, 3)]], "b"),
        ([[session("a", 1)], [session("b", 1)], [session("a", 1, 2)], [session("b", 1, 3)]], "b"),
    ],
)
def test_of_sessions_that_begin_at_one_moment_the_one_found_last_is_the_newest(
    answers: list[list[Session]], latest: str
) -> None:
    car_now = known(read_at=9)
    for listed in answers:
        car_now = car_now.advance(car(CHARGING, 9), listed, at(9))
        if len(car_now.open_sessions) == 2:
            assert car_now.session is not None
            assert car_now.session.id == latest
    assert car_now.latest_session is not None
    assert car_now.latest_session.id == latest


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


@pytest.mark.parametrize(
    ("level", "capabilities", "reports"),
    [(50, [], True), (None, ["stateOfCharge"], True), (None, ["charge"], False), (None, [], False)],
)
def test_a_car_reports_its_battery_level_when_it_has_one_or_says_that_it_can(
    level: int | None, capabilities: list[str], reports: bool
) -> None:
    reading = ChargeState(status=CHARGING, battery_level=level)
    vehicle = Vehicle(
        id="car", user_id="user", charge_state=reading, capabilities=frozenset(capabilities)
    )
    assert VehicleSnapshot(vehicle=vehicle, known_since=at(0)).reports_battery_level is reports


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


@pytest.mark.parametrize(
    ("plugged_in", "known_of", "owner"),
    [
        (None, None, "car"),  # the first, where nothing says more
        ("other", None, "other"),
        ("car", None, "car"),
        ("other", "car", "car"),  # it has the session already
    ],
)
def test_a_session_without_a_car_belongs_to_the_one_that_has_it_or_is_plugged_in(
    plugged_in: str | None, known_of: str | None, owner: str
) -> None:
    user = UserSnapshot.unknown("user", at(0))
    names = ("car", "other")
    away = [replace(car(AWAY), id=name) for name in names]
    if known_of is not None:
        user = user.advance(away, [replace(session("s", 1), vehicle_id=known_of)], at(2))
    cars = [replace(car(STOPPED if name == plugged_in else AWAY, 3), id=name) for name in names]
    user = user.advance(cars, [replace(session("s", 1), vehicle_id=None)], at(4))
    assert [name for name, each in user.vehicles.items() if "s" in each.open_sessions] == [owner]


def test_an_ended_session_without_a_car_belongs_to_the_one_that_had_it() -> None:
    cars = [car(AWAY), replace(car(STOPPED), id="other")]
    user = UserSnapshot.unknown("user", at(0)).advance(cars, [session("s", 1, 2)], at(3))
    user = user.advance(cars, [replace(session("s", 1, 2), vehicle_id=None)], at(4))
    assert user.vehicles["other"].ended_sessions == {}


@pytest.mark.parametrize(
    ("cars", "needed"),
    [
        ([], False),
        ([car(CHARGING, 5)], False),
        ([car(AWAY, 5)], True),
        ([car(CHARGING), replace(car(), id="new")], True),
    ],
)
def test_the_sessions_are_read_as_well_when_a_car_is_new_or_its_charge_state_changed(
    cars: list[Vehicle], needed: bool
) -> None:
    user = UserSnapshot.unknown("user", at(0)).advance([car(CHARGING)], [], at(1))
    assert user.needs_sessions(cars) is needed


# -- what is no longer listed ------------------------------------------------------------------------------


def refreshed(*minutes: float, user: UserSnapshot | None = None, **answer: Any) -> UserSnapshot:
    """Return a user after the same answer at these minutes; without `cars` it has one."""
    user = user or UserSnapshot.unknown("user", at(0))
    for minute in minutes:
        user = user.advance(
            answer.get("cars", [car()]),
            answer.get("sessions", []),
            at(minute),
            complete_since=answer.get("complete_since"),
        )
        user = replace(user, refreshed_at=at(minute), failing_since=None)
    return user


def test_a_car_is_gone_when_three_answers_over_a_quarter_of_an_hour_leave_it_out() -> None:
    both = refreshed(1, cars=[car(), replace(car(), id="other")])
    absent = refreshed(5, 10, user=both)
    assert list(absent.vehicles) == ["car", "other"]
    assert absent.absent_since("other") == at(5)
    assert absent.absent_since("car") is None
    assert list(refreshed(19, user=absent).vehicles) == ["car", "other"]
    gone = refreshed(20, user=absent)
    assert list(gone.vehicles) == ["car"]
    assert gone.absences == {}


def test_an_empty_list_is_no_more_than_another_answer() -> None:
    assert refreshed(5, 10, user=refreshed(1), cars=[]).vehicles.keys() == {"car"}
    assert refreshed(5, 10, 20, user=refreshed(1), cars=[]).vehicles == {}


def test_a_car_that_is_listed_again_was_never_gone() -> None:
    user = refreshed(5, 10, user=refreshed(1), cars=[])
    user = refreshed(15, user=user)
    assert user.absences == {}
    assert list(refreshed(20, user=user, cars=[]).vehicles) == ["car"]


def test_a_car_with_an_open_session_stays_until_that_has_ended() -> None:
    charging = refreshed(2, sessions=[session("s", 1)])
    absent = refreshed(5, 15, 25, 35, user=charging, cars=[], sessions=[session("s", 1)])
    assert list(absent.vehicles) == ["car"]
    ended = refreshed(40, user=absent, cars=[], sessions=[session("s", 1, 38)])
    assert ended.vehicles["car"].ended_sessions == {"s": at(38)}  # the end is published first
    assert refreshed(45, user=ended, cars=[]).vehicles == {}


def test_a_car_that_comes_back_has_its_ledger_again() -> None:
    """It was sealed further meanwhile. Nobody knows when the car charged while it was gone."""
    old = session("old", -20_000, -19_990, energy_kwh=7.0)
    user = refreshed(2, sessions=[old, session("s", 0, 1, energy_kwh=5.0)])
    user = user.seal(at(2), UTC)
    gone = refreshed(5, 15, 25, 35, user=user, cars=[], complete_since=at(-60))
    assert gone.vehicles == {}
    assert gone.former_ledgers.keys() == {"car"}
    days = 30 * 24 * 60
    back = refreshed(days, user=gone.seal(at(days), UTC))
    assert back.former_ledgers == {}
    ledger = back.vehicles["car"].ledger
    assert ledger.figures(at(days)).energy_kwh == pytest.approx(12.0)
    assert ledger.unseen == (Interval(at(2), at(days)),)


def test_a_car_that_is_gone_does_not_wait_for_the_session_of_another() -> None:
    cars, charging = [car(), replace(car(AWAY), id="other")], [session("s", 1)]
    both = refreshed(2, cars=cars, sessions=charging)
    assert list(refreshed(5, 15, 25, user=both, sessions=charging).vehicles) == ["car"]


COMPLETE_SINCE: Final = {"complete_since": at(-60)}


def test_an_open_session_that_is_gone_is_closed_at_its_last_sighting() -> None:
    charging = refreshed(2, 4, sessions=[session("s", 1, energy_kwh=3.0)])
    absent = refreshed(9, 14, user=charging, **COMPLETE_SINCE)
    assert absent.has_open_session
    closed = refreshed(24, user=absent, **COMPLETE_SINCE)
    vehicle = closed.vehicles["car"]
    assert vehicle.open_sessions == {}
    assert vehicle.ended_sessions == vehicle.estimated_ends == {"s": at(4)}
    assert vehicle.fetched == (session("s", 1, 4, energy_kwh=3.0),)
    assert vehicle.latest_session == vehicle.fetched[0]
    assert closed.absences == {}


def test_two_sessions_that_are_gone_are_both_closed() -> None:
    charging = refreshed(4, sessions=[session("s", 1), session("t", 2)])
    closed = refreshed(9, 14, 24, user=charging, **COMPLETE_SINCE).vehicles["car"]
    assert closed.ended_sessions == {"s": at(4), "t": at(4)}
    assert {item.id for item in closed.fetched} == {"s", "t"}


def test_of_two_sessions_only_the_one_that_is_gone_is_closed() -> None:
    charging = refreshed(4, sessions=[session("s", 1), session("t", 2)])
    user = refreshed(9, 14, 24, user=charging, sessions=[session("t", 2)], **COMPLETE_SINCE)
    assert list(user.vehicles["car"].open_sessions) == ["t"]
    assert user.vehicles["car"].ended_sessions == {"s": at(4)}


@pytest.mark.parametrize(
    "complete_since",
    [
        None,  # it is not known what the list leaves out
        at(2),  # the session began before what the list is about
    ],
)
def test_a_list_says_nothing_about_sessions_that_it_is_not_about(
    complete_since: datetime | None,
) -> None:
    user = refreshed(2, sessions=[session("s", 1)])
    user = refreshed(9, 14, 24, user=user, complete_since=complete_since)
    assert user.has_open_session
    assert user.absences == {}


def test_a_list_in_between_that_is_not_about_a_session_does_not_make_it_listed() -> None:
    user = refreshed(4, sessions=[session("s", 1)])
    user = refreshed(9, 14, user=user, **COMPLETE_SINCE)
    user = refreshed(15, user=user)
    assert not refreshed(24, user=user, **COMPLETE_SINCE).has_open_session


def test_a_session_that_was_closed_and_is_listed_again_is_open_again() -> None:
    user = refreshed(4, sessions=[session("s", 1)])
    user = refreshed(9, 14, 24, user=user, **COMPLETE_SINCE)
    again = refreshed(30, user=user, sessions=[session("s", 1)])
    assert again.has_open_session
    assert again.vehicles["car"].ended_sessions == {}
    ended = refreshed(40, user=again, sessions=[session("s", 1, 35)]).vehicles["car"]
    assert ended.ended_sessions == {"s": at(35)}


def test_a_charger_is_gone_when_three_answers_over_a_quarter_of_an_hour_leave_it_out() -> None:
    one, two = (Charger(id=name, user_id="user") for name in ("one", "two"))
    user = refreshed(1).with_chargers([one, two], at(1))
    assert user.chargers is not None
    assert list(user.chargers) == ["one", "two"]
    for minute in (5, 10):
        user = refreshed(minute, user=user.with_chargers([one], at(minute)))
    assert user.chargers is not None
    assert list(user.chargers) == ["one", "two"]
    assert user.absent_since("two") == at(5)
    slip = user.with_chargers([one, two], at(20))
    assert slip.absences == {}
    gone = user.with_chargers([one], at(20))
    assert gone.chargers == {"one": one}
    assert gone.absences == {}


# -- the future --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minutes_ahead", "wins"), [(5, "held"), (6, "fetched"), (1440, "fetched")]
)
def test_a_reading_from_the_future_never_wins_against_a_later_answer(
    minutes_ahead: float, wins: str
) -> None:
    before = known().advance(car(CHARGING, 10 + minutes_ahead), [], at(9))
    after = before.advance(car(AWAY, 10), [], at(10))
    assert after.status is (CHARGING if wins == "held" else AWAY)


@pytest.mark.parametrize(("minutes_ahead", "has_ended"), [(-1, True), (5, True), (6, False)])
def test_an_end_in_the_future_has_not_come_yet(minutes_ahead: float, has_ended: bool) -> None:
    after = known().advance(car(), [session("s", 1, 10 + minutes_ahead)], at(10))
    assert (after.session is None) is has_ended
    assert ("s" in after.ended_sessions) is has_ended
    assert after.latest_session is not None
    assert (after.latest_session.ended_at is not None) is has_ended


def test_a_car_is_known_since_the_first_refresh_began_or_since_it_was_added() -> None:
    user = UserSnapshot.unknown("user", at(0)).advance([car()], [], at(1))
    user = user.advance([car(), replace(car(), id="other")], [], at(5))
    assert {name: each.known_since for name, each in user.vehicles.items()} == {
        "car": at(0),
        "other": at(5),
    }


# -- the ledger --------------------------------------------------------------------------------------------


def test_the_ledger_knows_when_the_car_charged() -> None:
    found = known(session("s", 0), read_at=1)
    for status, minute in ((CHARGING, 5), (STOPPED, 9), (STOPPED, 20), (CHARGING, 30), (AWAY, 40)):
        found = found.advance(car(status, minute), [session("s", 0)], at(minute))
    assert found.ledger.charging == (Interval(at(0), at(9)), Interval(at(30), at(40)))


def test_the_ledger_follows_a_session_and_an_end_in_the_future_has_not_come() -> None:
    found = known(session("s", 0, 60, energy_kwh=3))
    assert found.ledger.listed == {"s": session("s", 0, energy_kwh=3)}
    found = found.advance(car(STOPPED, 60), [session("s", 0, 60, energy_kwh=5)], at(60))
    assert found.ledger.listed == {"s": session("s", 0, 60, energy_kwh=5)}


def test_the_ledger_knows_when_nobody_read_the_car() -> None:
    user = UserSnapshot.unknown("user", at(0)).advance([car()], [], at(0))
    user = replace(user, refreshed_at=at(0)).advance([car()], [], at(120))
    assert user.vehicles["car"].ledger.unseen == ()
    user = replace(user, refreshed_at=at(120)).advance([car()], [], at(241))
    assert user.vehicles["car"].ledger.unseen == (Interval(at(120), at(241)),)


@pytest.mark.parametrize("end", [None, 5])
def test_a_session_that_jedlix_has_deleted_leaves_the_ledger_once_answers_agree(
    end: float | None,
) -> None:
    lost, other = session("lost", 1, end, energy_kwh=3), session("other", 1, 2, energy_kwh=1)
    user = UserSnapshot.unknown("user", at(0)).advance([car()], [lost, other], at(6))
    for minute in (10, 20):
        user = user.advance([car()], [other], at(minute), complete_since=at(0))
    assert user.vehicles["car"].ledger.figures(at(20)).energy_kwh == 4
    user = user.advance([car()], [other], at(30), complete_since=at(0))
    assert user.vehicles["car"].ledger.figures(at(30)).energy_kwh == 1
    assert user.absences == {}
    # It was no deletion: the session is listed again.
    user = user.advance([car()], [lost, other], at(40), complete_since=at(0))
    assert user.vehicles["car"].ledger.figures(at(40)).energy_kwh == 4


def test_a_session_before_what_the_list_covers_is_not_deleted() -> None:
    user = UserSnapshot.unknown("user", at(0)).advance([car()], [session("s", 1, 2)], at(6))
    for minute in (10, 20, 30, 40):
        user = user.advance([car()], [], at(minute), complete_since=at(1.5))
    assert user.vehicles["car"].ledger.listed.keys() == {"s"}


def test_sealing_concerns_each_car() -> None:
    user = UserSnapshot.unknown("user", at(0)).advance(
        [car()], [session("s", 1, 2), session("t", 3, 4)], at(6)
    )
    assert user.seal(at(6), UTC).vehicles["car"].ledger.listed.keys() == {"s", "t"}
    sealed = user.seal(at(2) + SESSIONS_REMEMBERED, UTC)
    assert sealed.vehicles["car"].ledger.listed.keys() == {"t"}


# -- what nobody can know any more -------------------------------------------------------------------------


@pytest.mark.parametrize(("minutes", "expected"), [(59, (True, True)), (60, (None, None))])
def test_plug_and_charging_are_unknown_an_hour_after_the_link_was_lost(
    minutes: float, expected: tuple[bool | None, bool | None]
) -> None:
    found = known().advance(car(is_connected=False), [], at(0))
    found = found.advance(car(is_connected=False), [], at(minutes))
    assert (found.is_plugged_in, found.is_charging) == expected
    found = found.advance(car(is_connected=True), [], at(minutes + 1))
    assert (found.is_plugged_in, found.is_charging) == (True, True)


@pytest.mark.parametrize(
    ("status", "minutes", "expected"),
    [(CHARGING, 360, True), (CHARGING, 361, None), (STOPPED, 361, False), (AWAY, 361, False)],
)
def test_charging_is_unknown_when_its_reading_is_old(
    status: ChargeStatus, minutes: float, *, expected: bool | None
) -> None:
    found = known().advance(car(status, 0), [], at(minutes))
    assert found.is_charging is expected
    assert found.is_plugged_in is (status is not AWAY)


@pytest.mark.parametrize(
    ("status", "read_at", "is_running"),
    [(AWAY, 5, False), (AWAY, 1, True), (AWAY, None, True), (UNKNOWN, 5, True), (STOPPED, 5, True)],
)
def test_a_session_runs_only_until_the_car_is_known_to_be_unplugged(
    status: ChargeStatus, read_at: float | None, *, is_running: bool
) -> None:
    found = VehicleSnapshot(vehicle=car(AWAY, None), known_since=at(0)).advance(
        car(status, read_at), [session("s", 2)], at(9)
    )
    assert (found.session is not None) is is_running
    assert found.open_sessions.keys() == {"s"}
