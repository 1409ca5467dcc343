"""What is known of a car: newer truth on top of older, and the way through the Store."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
import json
from typing import Any, Final

from hypothesis import given, strategies as st
import pytest

from custom_components.jedlix.api import (
    BadAnswer,
    ChargeSettings,
    ChargeState,
    ChargeStatus,
    Session,
    Vehicle,
)
from custom_components.jedlix.state.serialization import snapshot_as_json, snapshot_from_json
from custom_components.jedlix.state.snapshot import (
    SESSIONS_REMEMBERED,
    UserSnapshot,
    VehicleSnapshot,
)

NOON: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
UNKNOWN, AWAY, STOPPED, CHARGING, COMPLETE = ChargeStatus


def at(minutes: float) -> datetime:
    """Return a moment of the story, in minutes after noon."""
    return NOON + timedelta(minutes=minutes)


def car(status: ChargeStatus = CHARGING, seen: float | None = 0, **more: Any) -> Vehicle:
    """Return the car as Jedlix knows it from telemetry of that minute."""
    telemetry = ChargeState(
        status=status, battery_level=50, updated_at=None if seen is None else at(seen)
    )
    return Vehicle(id="car", user_id="user", charge_state=telemetry, **more)


def session(name: str, start: float | None, end: float | None = None, **more: Any) -> Session:
    """Return a session of the car."""
    return Session(
        id=name,
        vehicle_id="car",
        started_at=None if start is None else at(start),
        ended_at=None if end is None else at(end),
        **more,
    )


def known(*sessions: Session, status: ChargeStatus = CHARGING, seen: float = 0) -> VehicleSnapshot:
    """Return the car after a look that brought these sessions."""
    return VehicleSnapshot(vehicle=car(), known_since=at(0)).advance(
        car(status, seen), sessions, at(seen)
    )


# -- the car -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "fetched", "wins"), [(5, 4, "held"), (5, 5, "fetched"), (5, 6, "fetched")]
)
def test_an_older_reading_never_wins_over_a_newer_one(held: int, fetched: int, wins: str) -> None:
    before = known(status=CHARGING, seen=held)
    after = before.advance(car(AWAY, fetched, brand="Tesla"), [], at(9))
    assert after.status is (CHARGING if wins == "held" else AWAY)
    assert after.vehicle.charge_state.updated_at == at(max(held, fetched))
    assert after.vehicle.brand == "Tesla"  # only the telemetry is kept


@pytest.mark.parametrize("untimed", ["held", "fetched"])
def test_a_reading_without_a_time_is_taken_as_the_newest(untimed: str) -> None:
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
def test_plugged_in_follows_from_the_charge_state(
    status: ChargeStatus, plugged_in: bool | None
) -> None:
    assert known(status=status).is_plugged_in is plugged_in


# -- its sessions ------------------------------------------------------------------------------------------


def test_the_running_session_is_the_newest_without_an_end() -> None:
    car_now = known(session("old", 1), session("new", 3), session("over", 5, 6), session("?", None))
    assert car_now.session is not None
    assert car_now.session.id == "new"
    assert car_now.latest_session is not None
    assert car_now.latest_session.id == "over"
    assert known().session is None


@pytest.mark.parametrize(("managed", "smart"), [(True, True), (False, False), (None, False)])
def test_a_session_is_smart_when_jedlix_says_so(managed: bool | None, smart: bool) -> None:
    assert known(session("s", 1, is_managed=managed)).is_smart is smart


def test_without_a_session_nothing_is_smart() -> None:
    assert not known(session("s", 1, 2, is_managed=True)).is_smart


def test_an_end_is_final() -> None:
    over = known(session("s", 1)).advance(car(), [session("s", 1, 2)], at(2))
    again = over.advance(car(), [session("s", 1)], at(3))
    assert again.session is None
    assert again.ended_sessions == {"s": at(2)}


def test_the_newest_session_is_kept_up_to_date_with_what_it_brings() -> None:
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


def test_boost_lives_as_long_as_its_session() -> None:
    boosted = replace(known(session("s", 1)), boost_session_id="s")
    assert boosted.advance(car(), [], at(2)).boost_session_id == "s"
    assert boosted.advance(car(), [session("s", 1, 2)], at(2)).boost_session_id is None


@pytest.mark.parametrize(
    ("known_boost", "told", "boosted"),
    [
        ("s", None, "s"),  # not told: what was commanded holds
        ("s", True, "s"),
        ("s", False, None),
        (None, True, "s"),
        (None, False, None),
        (None, None, None),
    ],
)
def test_boost_is_what_jedlix_tells_and_else_what_was_commanded(
    known_boost: str | None, told: bool | None, boosted: str | None
) -> None:
    before = replace(known(session("s", 1)), boost_session_id=known_boost)
    after = before.advance(car(), [session("s", 1, is_boosted=told)], at(2))
    assert after.boost_session_id == boosted
    assert after.is_boosted is (boosted is not None)


def test_a_boost_that_is_told_of_another_session_leaves_ours_alone() -> None:
    boosted = replace(known(session("s", 1), session("t", 2)), boost_session_id="t")
    assert boosted.is_boosted
    old = session("s", 1, is_boosted=False)
    assert boosted.advance(car(), [old], at(3)).boost_session_id == "t"
    over = session("s", 1, 3, is_boosted=True)  # of one that has ended it says nothing any more
    assert boosted.advance(car(), [over], at(3)).boost_session_id == "t"


def test_a_level_that_was_told_lives_as_long_as_its_session() -> None:
    told = replace(known(session("s", 1)), entered_levels={"s": 40})
    assert told.advance(car(), [], at(2)).entered_levels == {"s": 40}
    assert told.advance(car(), [session("s", 1, 2)], at(2)).entered_levels == {}


@pytest.mark.parametrize(
    ("capabilities", "managed_before", "can"),
    [
        ([], None, True),  # it tells nothing of itself
        (["startStopCharging", "geoLocation"], None, True),
        (["startStopCharging", "geoFencing"], None, True),
        (["startStopCharging"], None, False),
        (["geoLocation"], None, False),
        (["charge"], False, False),
        (["charge"], True, True),  # it was steered once, whatever it names
    ],
)
def test_jedlix_steers_a_car_with_a_position_and_start_and_stop(
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
def test_a_car_that_only_pushes_is_not_asked(capabilities: list[str], can: bool) -> None:
    pushing = car(capabilities=frozenset(capabilities))
    assert VehicleSnapshot(vehicle=pushing, known_since=at(0)).can_be_asked is can


def test_ended_sessions_are_forgotten_when_nobody_can_bring_them_again() -> None:
    over = known(session("s", 1, 2))
    assert (
        "s"
        in over.advance(
            car(), [], at(2) + SESSIONS_REMEMBERED - timedelta(minutes=1)
        ).ended_sessions
    )
    assert "s" not in over.advance(car(), [], at(2) + SESSIONS_REMEMBERED).ended_sessions


# -- the user ----------------------------------------------------------------------------------------------


def test_sessions_find_their_car() -> None:
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


def test_a_session_without_a_car_of_a_user_without_one_is_nobodys() -> None:
    nameless = replace(session("s", 1), vehicle_id=None)
    assert UserSnapshot.unknown("user", at(0)).advance([], [nameless], at(1)).vehicles == {}


def test_a_user_asks_for_sessions_since_the_oldest_that_is_open() -> None:
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


def test_a_car_is_watched_since_the_first_look_began_or_it_came() -> None:
    user = UserSnapshot.unknown("user", at(0)).advance([car()], [], at(1))
    user = user.advance([car(), replace(car(), id="other")], [], at(5))
    assert {name: each.known_since for name, each in user.vehicles.items()} == {
        "car": at(0),
        "other": at(5),
    }


# -- the Store ---------------------------------------------------------------------------------------------

TIMES: Final = st.datetimes(at(0).replace(year=2000, tzinfo=None), timezones=st.just(UTC))
IDS: Final = st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1)
WORDS: Final = st.none() | IDS
BOOLEANS: Final = st.none() | st.booleans()
LEVELS: Final = st.none() | st.integers(0, 100)
AMOUNTS: Final = st.none() | st.floats(-1e6, 1e6)
SESSIONS: Final = st.builds(
    Session,
    id=IDS,
    user_id=WORDS,
    vehicle_id=WORDS,
    is_managed=BOOLEANS,
    charging_location_id=WORDS,
    started_at=st.none() | TIMES,
    ended_at=st.none() | TIMES,
    energy_kwh=AMOUNTS,
    cost=AMOUNTS,
    savings=AMOUNTS,
    currency=WORDS,
)
SETTINGS: Final = st.fixed_dictionaries(
    {},
    optional={
        "isSmartChargingEnabled": st.booleans(),
        "enableSmartChargingAt": st.none() | TIMES.map(datetime.isoformat),
        "desiredBatteryLevel": st.integers(50, 100),
        "minimumBatteryLevel": st.integers(0, 100),
        "departureTimes": st.dictionaries(IDS, st.lists(st.none() | IDS, max_size=2), max_size=2),
    },
).map(ChargeSettings.from_json)
CARS: Final = st.builds(
    VehicleSnapshot,
    vehicle=st.builds(
        Vehicle,
        id=IDS,
        user_id=st.just("user"),
        brand=WORDS,
        model=WORDS,
        version=WORDS,
        is_connected=BOOLEANS,
        is_connectable=BOOLEANS,
        connection_status=WORDS,
        capabilities=st.frozensets(IDS, max_size=3),
        charge_state=st.builds(
            ChargeState,
            status=st.sampled_from(ChargeStatus),
            battery_level=LEVELS,
            range_km=st.none() | st.integers(0, 2000),
            updated_at=st.none() | TIMES,
        ),
    ),
    known_since=TIMES,
    status=st.sampled_from(ChargeStatus),
    settings=st.none() | SETTINGS,
    open_sessions=st.dictionaries(IDS, SESSIONS, max_size=2),
    ended_sessions=st.dictionaries(IDS, TIMES, max_size=2),
    latest_session=st.none() | SESSIONS,
    plug_session=st.none() | SESSIONS,
    boost_session_id=WORDS,
    fetched=st.lists(SESSIONS, max_size=1).map(tuple),
)
USERS: Final = st.builds(
    UserSnapshot,
    user_id=IDS,
    vehicles=st.dictionaries(IDS, CARS, max_size=2),
    first_refresh=st.none() | TIMES,
)


@given(USERS)
def test_a_user_comes_out_of_the_store_as_they_went_in(user: UserSnapshot) -> None:
    user = replace(
        user,
        vehicles={
            key: replace(item, vehicle=replace(item.vehicle, user_id=user.user_id))
            for key, item in user.vehicles.items()
        },
    )
    assert snapshot_from_json(json.loads(json.dumps(snapshot_as_json(user)))) == user


def test_what_is_empty_or_only_for_the_comparison_is_not_written() -> None:
    written = snapshot_as_json(
        UserSnapshot(user_id="user", vehicles={"car": known(session("s", 1, 2))})
    )
    assert isinstance(written["vehicles"], dict)
    stored = written["vehicles"]["car"]
    assert isinstance(stored, dict)
    assert not {"fetched", "settings", "boost_session_id"} & stored.keys()
    assert "first_look" not in written


@pytest.mark.parametrize(
    "damaged",
    [
        None,
        [],
        {},
        {"user_id": ""},
        {"user_id": "user", "vehicles": {"car": None}},
        {"user_id": "user", "vehicles": {"car": {}}},
        {"user_id": "user", "vehicles": {"car": {"vehicle": {"id": "car"}}}},
        {"user_id": "user", "vehicles": {"car": {"watched_since": "2026-11-24T12:00:00Z"}}},
    ],
)
def test_what_is_not_a_user_is_refused(damaged: object) -> None:
    with pytest.raises(BadAnswer):
        snapshot_from_json(damaged)


@pytest.mark.parametrize("odd", [None, [], "text", 5])
def test_what_is_odd_inside_a_user_is_left_out(odd: object) -> None:
    user = snapshot_from_json(
        {
            "user_id": "user",
            "vehicles": {
                "car": {
                    "vehicle": {"id": "car"},
                    "watched_since": "2026-11-24T12:00:00Z",
                    "settings": odd,
                    "open_sessions": odd,
                    "ended_sessions": {"s": odd} if odd else odd,
                }
            },
        }
    )
    assert user.vehicles["car"].ended_sessions == {}
    assert user.vehicles["car"].open_sessions == {}
    assert user.vehicles["car"].settings is None
    assert snapshot_from_json({"user_id": "user", "vehicles": odd}).vehicles == {}
