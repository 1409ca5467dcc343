"""Snapshot of a user: newer answers on top of older ones, and what they no longer name."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from custom_components.jedlix.api import Charger, Vehicle
from custom_components.jedlix.api.reading import Incomplete
from custom_components.jedlix.state.changes import compare
from custom_components.jedlix.state.hours import Interval
from custom_components.jedlix.state.ledger import SESSIONS_REMEMBERED
from custom_components.jedlix.state.serialization import snapshot_as_json, snapshot_from_json
from custom_components.jedlix.state.user_snapshot import UserSnapshot
from tests.state.cars import AWAY, CHARGING, STOPPED, at, car, session

# -- the cars and their sessions ---------------------------------------------------------------------------


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


@pytest.mark.parametrize("answer", [tuple, Incomplete])
def test_a_list_with_an_item_that_cannot_be_read_has_no_car_and_no_charger_absent(
    answer: type[tuple[Any, ...]],
) -> None:
    """The car that it lacks may be the one that could not be read."""
    other = replace(car(), id="other")
    chargers = [Charger(id=name, user_id="user") for name in ("a", "b")]
    user = UserSnapshot.unknown("user", at(0)).advance([car(), other], [], at(1))
    user = user.with_chargers(chargers, at(1))
    for moment in range(100, 500, 100):
        user = user.advance(answer([car()]), [], at(moment))
        user = user.with_chargers(answer(chargers[:1]), at(moment))
    is_whole = answer is tuple
    assert user.vehicles.keys() == ({"car"} if is_whole else {"car", "other"})
    assert user.chargers is not None
    assert user.chargers.keys() == ({"a"} if is_whole else {"a", "b"})


def test_a_session_of_a_user_without_a_car_belongs_to_none() -> None:
    nameless = replace(session("s", 1), vehicle_id=None)
    assert UserSnapshot.unknown("user", at(0)).advance([], [nameless], at(1)).vehicles == {}


def test_the_oldest_session_of_a_user_that_may_still_change() -> None:
    """It is open, or ended on the remembered days: its figures may come late."""
    empty = UserSnapshot.unknown("user", at(0)).advance([car()], [session("x", 0, 1)], at(2))
    assert empty.oldest_start(at(2)) == at(0)
    later = at(1) + SESSIONS_REMEMBERED
    assert empty.oldest_start(later) is None
    assert not empty.has_open_session
    busy = empty.advance([car()], [session("a", 5), session("b", 3), session("c", None)], at(6))
    assert busy.oldest_start(later) == at(3)
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


def test_a_car_is_known_since_the_first_refresh_began_or_since_it_was_added() -> None:
    user = UserSnapshot.unknown("user", at(0)).advance([car()], [], at(1))
    user = user.advance([car(), replace(car(), id="other")], [], at(5))
    assert {name: each.known_since for name, each in user.vehicles.items()} == {
        "car": at(0),
        "other": at(5),
    }


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


# -- the ledgers -------------------------------------------------------------------------------------------


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
        [car()], [session("s", 1, 2), session("t", 63, 64)], at(66)
    )
    assert user.seal(at(66), UTC).vehicles["car"].ledger.listed.keys() == {"s", "t"}
    sealed = user.seal(at(2) + SESSIONS_REMEMBERED, UTC)
    assert sealed.vehicles["car"].ledger.listed.keys() == {"t"}


@pytest.mark.parametrize("end", [None, 95])
def test_a_session_whose_end_was_estimated_on_a_car_that_is_gone_was_published_already(
    end: int | None,
) -> None:
    """A car may get another id with a new link, and its session may be listed again only then."""
    user = refreshed(4, sessions=[session("s", 1)])
    user = refreshed(9, 14, 24, user=user, **COMPLETE_SINCE)
    gone = refreshed(30, 40, 50, user=user, cars=[replace(car(), id="other")], **COMPLETE_SINCE)
    assert gone.former_ledgers.keys() == {"car"}
    gone = snapshot_from_json(snapshot_as_json(gone))
    listed = replace(session("s", 1, end), vehicle_id="new")
    linked = refreshed(
        100, user=gone, cars=[replace(car(), id=key) for key in ("other", "new")], sessions=[listed]
    )
    assert [change.type for change in compare(gone, linked, at(100))] == ["vehicle_added"]
    assert linked.has_open_session is (end is None)
    assert linked.former_estimates == {}


def test_an_estimated_end_of_a_car_that_is_gone_is_forgotten_with_its_day() -> None:
    user = refreshed(4, sessions=[session("s", 1)])
    user = refreshed(9, 14, 24, user=user, **COMPLETE_SINCE)
    gone = refreshed(30, 40, 50, user=user, cars=[], **COMPLETE_SINCE)
    assert gone.former_estimates == {"car": {"s": at(4)}}
    later = 4 + SESSIONS_REMEMBERED / timedelta(minutes=1)
    assert refreshed(later - 1, user=gone, cars=[]).former_estimates == gone.former_estimates
    assert refreshed(later, user=gone, cars=[]).former_estimates == {}
