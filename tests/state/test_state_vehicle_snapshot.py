"""Snapshot of a vehicle: newer answers on top of older ones."""

from dataclasses import replace
from datetime import timedelta

import pytest

from custom_components.jedlix.api import ChargeState, ChargeStatus, Session, Vehicle
from custom_components.jedlix.state.hours import Interval
from custom_components.jedlix.state.ledger import SESSIONS_REMEMBERED
from custom_components.jedlix.state.vehicle_snapshot import VehicleSnapshot
from tests.state.cars import AWAY, CHARGING, COMPLETE, STOPPED, UNKNOWN, at, car, session


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
