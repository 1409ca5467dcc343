"""What two looks at a user tell: tables of what the field knows, and properties over any history."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from hypothesis import given, strategies as st
import pytest

from custom_components.jedlix.api import ChargeSettings, ChargeState, ChargeStatus, Session, Vehicle
from custom_components.jedlix.state.changes import Change, ChangeType, compare
from custom_components.jedlix.state.snapshot import UserSnapshot, VehicleSnapshot

NOON: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
UNKNOWN, AWAY, STOPPED, CHARGING, COMPLETE = ChargeStatus


def at(minutes: float) -> datetime:
    """Return a moment of the story, in minutes after noon."""
    return NOON + timedelta(minutes=minutes)


def car(status: ChargeStatus = AWAY, seen: float | None = 0, **more: Any) -> Vehicle:
    """Return the car as Jedlix knows it from telemetry of that minute."""
    telemetry = ChargeState(
        status=status, battery_level=50, updated_at=None if seen is None else at(seen)
    )
    return Vehicle(id="car", user_id="user", **({"charge_state": telemetry} | more))


def session(
    name: str = "s", start: float | None = 1, end: float | None = None, **more: Any
) -> Session:
    """Return a smart session of the car at home."""
    smart_at_home: dict[str, Any] = {"is_managed": True, "charging_location_id": "home"}
    return Session(
        id=name,
        user_id="user",
        vehicle_id="car",
        started_at=None if start is None else at(start),
        ended_at=None if end is None else at(end),
        **(smart_at_home | more),
    )


@dataclass(frozen=True)
class Look:
    """What Jedlix answers at a minute."""

    minute: float
    cars: Sequence[Vehicle]
    sessions: Sequence[Session] = ()


def retell(looks: Iterable[Look], *, after_gap: bool = False) -> list[list[Change]]:
    """Return what each of a row of looks tells; the first is the first ever at this user."""
    told: list[list[Change]] = []
    before: UserSnapshot | None = None
    for look in looks:
        now = at(look.minute)
        before = before or UserSnapshot.unknown("user", now)
        after = before.advance(look.cars, look.sessions, now)
        told.append(compare(before, after, now, after_gap=after_gap))
        before = after
    return told


def last(*looks: Look, after_gap: bool = False) -> list[Change]:
    """Return what the last of these looks tells."""
    return retell(looks, after_gap=after_gap)[-1]


def types(changes: Iterable[Change]) -> list[str]:
    """Return the types alone, in the order in which they are told."""
    return [change.type.value for change in changes]


# -- the charge state --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (AWAY, STOPPED, ["plugged_in"]),
        (AWAY, CHARGING, ["plugged_in", "charging_started"]),
        (AWAY, COMPLETE, ["plugged_in", "charging_completed"]),
        (STOPPED, CHARGING, ["charging_started"]),
        (COMPLETE, CHARGING, ["charging_started"]),
        (CHARGING, STOPPED, ["charging_paused"]),
        (COMPLETE, STOPPED, []),
        (CHARGING, COMPLETE, ["charging_completed"]),
        (STOPPED, COMPLETE, ["charging_completed"]),
        (STOPPED, AWAY, ["unplugged"]),
        (CHARGING, AWAY, ["unplugged"]),
        (COMPLETE, AWAY, ["unplugged"]),
        *((status, status, []) for status in ChargeStatus),
        *((UNKNOWN, status, []) for status in ChargeStatus),
        *((status, UNKNOWN, []) for status in ChargeStatus),
    ],
)
def test_the_charge_state_tells_of_the_plug_and_of_charging(
    before: ChargeStatus, after: ChargeStatus, told: list[str]
) -> None:
    changes = last(Look(0, [car(before)]), Look(2, [car(after, 1)]))
    assert types(changes) == told
    assert {change.occurred_at for change in changes} <= {at(1)}
    assert {change.details["battery_level"] for change in changes} <= {50}
    assert {(change.user_id, change.vehicle_id) for change in changes} <= {("user", "car")}


@pytest.mark.parametrize(("after", "told"), [(CHARGING, []), (AWAY, ["unplugged"])])
def test_an_unknown_charge_state_between_two_known_ones_hides_nothing_and_adds_nothing(
    after: ChargeStatus, told: list[str]
) -> None:
    looks = (Look(0, [car(CHARGING)]), Look(1, [car(UNKNOWN, 1)]), Look(2, [car(after, 2)]))
    assert types(last(*looks)) == told


def test_without_a_time_of_the_reading_it_happened_now() -> None:
    (plugged_in,) = last(Look(0, [car()]), Look(7, [car(STOPPED, None)]))
    assert plugged_in.occurred_at == at(7)


def test_plugging_in_and_out_tell_at_which_place_and_in_which_session() -> None:
    looks = (
        Look(0, [car()]),
        Look(1, [car(STOPPED, 1)], [session(charging_location_id="garage")]),
        Look(2, [car(AWAY, 2)]),
    )
    plugged_in, unplugged = retell(looks)[1][0], retell(looks)[2][0]
    for change in (plugged_in, unplugged):
        assert change.details == {"battery_level": 50, "charging_location_id": "garage"}
    assert plugged_in.session_id == "s"


def test_a_plug_in_whose_session_is_not_known_has_no_place() -> None:
    (plugged_in,) = last(Look(0, [car()]), Look(1, [car(STOPPED, 1)]))
    assert plugged_in.details["charging_location_id"] is None
    assert plugged_in.session_id is None


# -- the first look ----------------------------------------------------------------------------------------


def test_the_first_look_tells_nothing_nor_is_what_it_saw_told_later() -> None:
    past = [session("over", -600, -500), session("running", -60)]
    looks = [Look(0, [car(CHARGING)], past)] * 3
    assert retell(looks) == [[], [], []]


@pytest.mark.parametrize("late_arrival", [session("s", -5), session("s", -9, -5)])
def test_what_happened_before_the_first_look_is_not_told_when_it_shows_up_later(
    late_arrival: Session,
) -> None:
    assert last(Look(0, [car(CHARGING)]), Look(1, [car(CHARGING)], [late_arrival])) == []


def test_the_end_of_a_session_that_ran_at_the_first_look_is_told_and_only_that() -> None:
    running, over = session("s", -60), session("s", -60, 4)
    looks = Look(0, [car(CHARGING)], [running]), Look(5, [car(AWAY, 5)], [over])
    assert types(last(*looks)) == ["session_ended", "unplugged"]


def test_a_session_that_was_seen_running_ends_whenever_jedlix_says_that_it_did() -> None:
    """It ends at the last telemetry of the plug-in (documented): of a sleeping car, before we looked."""
    seen = UserSnapshot.unknown("user", at(30)).advance([car(CHARGING)], [session()], at(30))
    over = seen.advance([car(AWAY, 40)], [session(end=5)], at(40))
    told = compare(seen, over, at(40))
    assert [(change.type, change.occurred_at) for change in told] == [
        ("session_ended", at(5)),
        ("unplugged", at(40)),
    ]


def test_a_session_across_the_first_look_that_shows_up_late_begins_no_earlier_than_we_watched() -> (
    None
):
    started, ended = last(Look(0, [car()]), Look(9, [car()], [session("s", -5, 5)]))
    assert (started.type, started.occurred_at) == (ChangeType.SESSION_STARTED, at(0))
    assert started.details["started_at"] == at(-5).isoformat()
    assert (ended.type, ended.occurred_at) == (ChangeType.SESSION_ENDED, at(5))


# -- sessions ----------------------------------------------------------------------------------------------


def test_a_session_tells_its_start_and_then_its_end_with_what_it_brought() -> None:
    done = session(end=40, energy_kwh=7.5, cost=1.2, savings=0.3, currency="EUR")
    told = retell(
        [
            Look(0, [car()]),
            Look(2, [car(CHARGING, 1)], [session()]),
            Look(45, [car(AWAY, 42)], [done]),
            Look(50, [car(AWAY, 42)], [done]),
        ]
    )
    assert [types(changes) for changes in told] == [
        [],
        ["plugged_in", "session_started", "charging_started"],
        ["session_ended", "unplugged"],
        [],
    ]
    started, ended = told[1][1], told[2][0]
    assert (started.session_id, started.occurred_at) == ("s", at(1))
    known = {
        "is_managed": True,
        "charging_location_id": "home",
        "started_at": at(1).isoformat(),
    }
    assert started.details == known
    assert (ended.session_id, ended.occurred_at) == ("s", at(40))
    assert ended.details == known | {
        "ended_at": at(40).isoformat(),
        "energy_kwh": 7.5,
        "cost": 1.2,
        "savings": 0.3,
        "currency": "EUR",
    }


def test_a_session_without_a_start_began_when_it_was_seen() -> None:
    (started,) = last(Look(0, [car()]), Look(3, [car()], [session(start=None)]))
    assert started.occurred_at == at(3)
    assert started.details["started_at"] is None


@pytest.mark.parametrize(("start", "end"), [(1, 2), (2, 2), (None, 2)])
def test_a_session_that_began_and_ended_between_two_looks_is_told_as_both_in_order(
    start: float | None, end: float
) -> None:
    told = last(Look(0, [car()]), Look(3, [car()], [session(start=start, end=end)]))
    assert types(told) == ["session_started", "session_ended"]
    assert [change.session_id for change in told] == ["s", "s"]


@pytest.mark.parametrize("copies", [["over", "over"], ["over", "stale"], ["stale", "over"]])
def test_a_session_that_two_lists_bring_is_told_once(copies: list[str]) -> None:
    of = {"over": session(end=2), "stale": session()}
    told = last(Look(0, [car()]), Look(3, [car()], [of[copy] for copy in copies]))
    assert types(told) == ["session_started", "session_ended"]


def test_several_sessions_between_two_looks_are_told_by_when_things_happened() -> None:
    seen = [session("c", 7), session("a", 1, 2), session("b", 3, 5)]
    told = last(Look(0, [car()]), Look(8, [car(CHARGING, 7)], seen))
    assert [(change.type.value, change.session_id) for change in told] == [
        ("session_started", "a"),
        ("session_ended", "a"),
        ("session_started", "b"),
        ("session_ended", "b"),
        ("plugged_in", "c"),
        ("session_started", "c"),
        ("charging_started", "c"),
    ]


def test_switching_smart_charging_off_in_a_plug_in_is_never_an_unplug() -> None:
    """Documented: the smart session is force-ended, the next telemetry opens an unmanaged one."""
    told = retell(
        [
            Look(0, [car()]),
            Look(1, [car(CHARGING, 1)], [session("smart")]),
            Look(6, [car(CHARGING, 1)], [session("smart", 1, 5)]),
            Look(7, [car(CHARGING, 7)], [session("plain", 7, is_managed=False)]),
            Look(9, [car(CHARGING, 7)], [session("plain", 7, is_managed=False)]),
        ]
    )
    assert [types(changes) for changes in told[2:]] == [
        ["session_ended"],
        ["session_started", "session_became_unmanaged"],
        [],
    ]
    assert told[3][1].session_id == "plain"
    assert told[3][1].details == {"previous_session_id": "smart"}
    assert told[3][1].occurred_at == at(7)


def test_the_replaced_and_the_new_session_may_be_found_in_one_look() -> None:
    told = last(
        Look(0, [car(CHARGING)], [session("plain", -9, is_managed=False)]),
        Look(5, [car(CHARGING)], [session("plain", -9, 2, is_managed=False), session("smart", 3)]),
    )
    assert types(told) == ["session_ended", "session_started", "session_became_smart"]
    assert told[-1].details == {"previous_session_id": "plain"}


def test_after_an_unplug_the_next_session_replaces_nothing() -> None:
    told = last(
        Look(0, [car(CHARGING)], [session("a", -9)]),
        Look(1, [car(AWAY, 1)], [session("a", -9, 1)]),
        Look(2, [car(CHARGING, 2)], [session("b", 2, is_managed=False)]),
    )
    assert "session_became_unmanaged" not in types(told)


def test_looks_far_apart_do_not_read_two_sessions_as_one_plug_in() -> None:
    looks = (
        Look(0, [car(CHARGING)], [session("a", -9)]),
        Look(
            600, [car(CHARGING, 550)], [session("a", -9, 100), session("b", 550, is_managed=False)]
        ),
    )
    assert types(last(*looks)) == ["session_ended", "session_started", "session_became_unmanaged"]
    assert types(last(*looks, after_gap=True)) == ["session_ended", "session_started"]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (True, False, ["session_became_unmanaged"]),
        (False, True, ["session_became_smart"]),
        (True, True, []),
        (None, True, []),
        (False, None, []),
    ],
)
def test_a_running_session_that_changes_its_kind(
    before: bool | None, after: bool | None, told: list[str]
) -> None:
    changes = last(
        Look(0, [car(CHARGING)], [session(start=-9, is_managed=before)]),
        Look(3, [car(CHARGING)], [session(start=-9, is_managed=after)]),
    )
    assert types(changes) == told
    assert [change.details for change in changes] == [{"previous_session_id": "s"}] * len(told)
    assert {change.occurred_at for change in changes} <= {at(3)}


# -- boost, settings, links, cars --------------------------------------------------------------------------


def with_car(**changed: Any) -> UserSnapshot:
    """Return a user whose car is in a session, with these fields of the car's snapshot changed."""
    user = UserSnapshot.unknown("user", at(0)).advance([car(CHARGING)], [session()], at(1))
    return user.with_vehicle(replace(user.vehicles["car"], **changed))


def test_boost_begins_with_the_command_and_ends_with_it() -> None:
    plain, boosted = with_car(), with_car(boost_session_id="s")
    (started,) = compare(plain, boosted, at(2))
    (ended,) = compare(boosted, plain, at(3))
    assert (started.type, started.session_id) == (ChangeType.BOOST_STARTED, "s")
    assert (ended.type, ended.session_id) == (ChangeType.BOOST_ENDED, "s")
    assert (started.occurred_at, ended.occurred_at) == (at(2), at(3))


def test_boost_ends_with_its_session() -> None:
    boosted = with_car(boost_session_id="s")
    over = boosted.advance([car(AWAY, 4)], [session(end=4)], at(4))
    assert types(compare(boosted, over, at(4))) == ["boost_ended", "session_ended", "unplugged"]


def test_a_boost_ends_when_its_session_did_and_before_the_next_begins() -> None:
    boosted = with_car(boost_session_id="s")
    sessions = [session(end=4), session("next", start=5, is_boosted=True)]
    both = boosted.advance([car(CHARGING, 9)], sessions, at(9))
    told = compare(boosted, both, at(9))
    assert [(change.type, change.session_id, change.occurred_at) for change in told] == [
        ("boost_ended", "s", at(4)),
        ("session_ended", "s", at(4)),
        ("session_started", "next", at(5)),
        ("boost_started", "next", at(9)),
    ]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (True, False, ["smart_charging_disabled"]),
        (False, True, ["smart_charging_enabled"]),
        (False, False, []),
        (None, True, []),
        (True, None, []),
    ],
)
def test_smart_charging_is_switched(
    before: bool | None, after: bool | None, told: list[str]
) -> None:
    old, new = (
        with_car(
            settings=ChargeSettings(
                is_smart_charging_enabled=on, enable_smart_charging_at=at(60), raw={}
            )
        )
        for on in (before, after)
    )
    changes = compare(old, new, at(2))
    assert types(changes) == told
    resumes_at = None if after else at(60).isoformat()
    assert [change.details for change in changes] == [{"resumes_at": resumes_at}] * len(told)


@pytest.mark.parametrize("known_first", [True, False])
def test_settings_that_are_known_on_one_side_only_tell_nothing(known_first: bool) -> None:
    known = with_car(settings=ChargeSettings(is_smart_charging_enabled=False, raw={}))
    old, new = (known, with_car()) if known_first else (with_car(), known)
    assert compare(old, new, at(2)) == []


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (True, False, ["vehicle_link_lost"]),
        (False, True, ["vehicle_link_restored"]),
        (True, None, []),
        (None, False, []),
        (True, True, []),
    ],
)
def test_the_link_to_the_car(before: bool | None, after: bool | None, told: list[str]) -> None:
    looks = [Look(i, [car(is_connected=linked)]) for i, linked in enumerate((before, after))]
    assert types(last(*looks)) == told


def test_cars_come_and_go() -> None:
    other = replace(car(), id="other")
    told = retell(
        [
            Look(0, [car()]),
            Look(1, [car(), other]),
            Look(2, [other]),
            Look(3, []),
            Look(4, [car()]),
        ]
    )
    assert [[(change.type.value, change.vehicle_id) for change in each] for each in told] == [
        [],
        [("vehicle_added", "other")],
        [("vehicle_removed", "car")],
        [("vehicle_removed", "other")],
        [("vehicle_added", "car")],
    ]
    assert [each[0].occurred_at for each in told[1:]] == [at(1), at(2), at(3), at(4)]


def test_a_user_who_had_no_car_at_the_first_look_gets_one() -> None:
    assert types(last(Look(0, []), Look(1, [car(CHARGING)], [session(start=-5)]))) == [
        "vehicle_added"
    ]


def test_a_car_that_was_away_for_a_moment_does_not_tell_its_past_again() -> None:
    over = session(end=2)
    looks = (
        Look(0, [car()]),
        Look(3, [car()], [over]),
        Look(4, []),
        Look(5, [car()]),
        Look(6, [car()], [over]),
    )
    assert types(last(*looks)) == []


@pytest.mark.parametrize("days", [7, 9, 30])
def test_a_session_that_shows_up_again_after_days_is_not_told_again(days: int) -> None:
    """A tenant that ignores a filter lists all of a month; not every look asks for that list."""
    over, later = session(end=2), days * 24 * 60
    looks = (
        Look(0, [car()]),
        Look(3, [car()], [over]),
        Look(later, [car()]),
        Look(later + 1, [car()], [over]),
        Look(later + 2, [car()]),
        Look(later + 3, [car()], [over]),
    )
    assert [types(told) for told in retell(looks)[1:]] == [
        ["session_started", "session_ended"],
        *[[]] * 4,
    ]


def test_what_ended_while_nobody_looked_for_weeks_is_told_after_them() -> None:
    weeks = 21 * 24 * 60
    missed = session("missed", 60, 120)
    looks = Look(0, [car()]), Look(3, [car()], [session(end=2)]), Look(weeks, [car()], [missed])
    assert types(last(*looks)) == ["session_started", "session_ended"]


def test_a_new_car_tells_only_that_it_is_there() -> None:
    other = replace(car(CHARGING), id="other")
    running = replace(session(start=-3), vehicle_id="other")
    assert types(last(Look(0, [car()]), Look(1, [car(), other], [running]))) == ["vehicle_added"]


def test_things_of_one_moment_are_told_in_the_order_of_life() -> None:
    before = with_car(boost_session_id="s")
    vehicle = car(AWAY, 5, is_connected=False)
    before = before.with_vehicle(
        replace(before.vehicles["car"], vehicle=car(CHARGING, is_connected=True))
    )
    after = before.advance([vehicle], [session(end=5), session("t", 5, 5)], at(5))
    assert types(compare(before, after, at(5))) == [
        "session_started",
        "boost_ended",
        "session_ended",
        "session_ended",
        "unplugged",
        "vehicle_link_lost",
    ]


# -- properties --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class History:
    """What truly happened to a car, and which answers came to us in which order."""

    sessions: Sequence[tuple[int, int]]
    looks: Sequence[int]
    """The minutes whose answers arrive: some come again, some were overtaken by a newer one."""

    def __iter__(self) -> Iterator[Look]:
        """Yield what arrives; a poll reads the tenant's list and the user's, and the first may be older."""
        for before, minute in zip((0, *self.looks), self.looks, strict=False):
            answer = self.answer(minute)
            yield replace(answer, sessions=[*self.answer(before).sessions, *answer.sessions])

    def answer(self, minute: int) -> Look:
        """Return what Jedlix says at a minute."""
        seen = [(start, end) for start, end in self.sessions if start <= minute]
        plugged_in = bool(seen) and minute < seen[-1][1]
        moved = [moment for each in seen for moment in each if moment <= minute]
        return Look(
            minute,
            [car(CHARGING if plugged_in else AWAY, max(moved, default=-1000))],
            [
                session(f"from {start}", start, end if end <= minute else None)
                for start, end in seen
            ],
        )


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Make any row of sessions with any row of looks at it; the newest answer comes last."""
    moments = sorted(draw(st.sets(st.integers(-20, 100), max_size=12)))
    sessions = list(zip(moments[::2], moments[1::2], strict=False))
    times = sorted(draw(st.sets(st.integers(1, 120), max_size=8)) | {0, 130})
    arrivals = [0]
    for number in range(1, len(times)):
        arrivals.append(times[number])
        arrivals += [times[i] for i in draw(st.lists(st.integers(0, number), max_size=2))]
    return History(sessions, [*arrivals, 130])


@given(histories())
def test_each_session_is_told_exactly_once_however_the_answers_come(history: History) -> None:
    told = [change for each in retell(history) for change in each]
    sessions = [
        (change.type.value, change.session_id, change.occurred_at)
        for change in told
        if change.type in (ChangeType.SESSION_STARTED, ChangeType.SESSION_ENDED)
    ]
    expected = [
        (kind, f"from {start}", at(moment))
        for start, end in history.sessions
        for kind, moment in (("session_started", start), ("session_ended", end))
        if moment > 0
    ]
    assert sorted(sessions) == sorted(expected)
    for start, end in history.sessions:
        if start > 0:
            name = f"from {start}"
            assert sessions.index(("session_started", name, at(start))) < sessions.index(
                ("session_ended", name, at(end))
            )


@given(histories())
def test_the_plug_goes_in_and_out_in_turns_and_ends_as_it_truly_is(history: History) -> None:
    told = retell(history)
    plugs = [
        change.type
        for each in told
        for change in each
        if change.type in (ChangeType.PLUGGED_IN, ChangeType.UNPLUGGED)
    ]
    assert all(first is not second for first, second in pairwise(plugs))
    began_plugged_in = history.answer(0).cars[0].charge_state.status is CHARGING
    assert (len(plugs) % 2 == 1) == began_plugged_in


@given(histories())
def test_each_look_tells_in_the_order_in_which_things_happened(history: History) -> None:
    for each in retell(history):
        moments = [change.occurred_at for change in each]
        assert moments == sorted(moments)


BOOLEANS: Final = st.none() | st.booleans()
TIMES: Final = st.none() | st.integers(-60, 60).map(at)
SESSIONS: Final[st.SearchStrategy[Session]] = st.builds(
    Session,
    id=st.sampled_from("abcd"),
    user_id=st.just("user"),
    vehicle_id=st.sampled_from(["car", "other", "stranger", None]),
    is_managed=BOOLEANS,
    started_at=TIMES,
    ended_at=TIMES,
)


def cars_named(name: str) -> st.SearchStrategy[Vehicle]:
    """Make the car in any condition."""
    return st.builds(
        Vehicle,
        id=st.just(name),
        user_id=st.just("user"),
        is_connected=BOOLEANS,
        charge_state=st.builds(
            ChargeState,
            status=st.sampled_from(ChargeStatus),
            battery_level=st.none() | st.integers(0, 100),
            updated_at=TIMES,
        ),
    )


CARS: Final = st.fixed_dictionaries(
    {}, optional={"car": cars_named("car"), "other": cars_named("other")}
)


def with_odds(user: UserSnapshot, odds: tuple[bool | None, bool]) -> UserSnapshot:
    """Return the user with settings and boost of any kind."""
    enabled, boosted = odds

    def changed(vehicle: VehicleSnapshot) -> VehicleSnapshot:
        return replace(
            vehicle,
            settings=ChargeSettings(is_smart_charging_enabled=enabled, raw={}),
            boost_session_id=next(iter(vehicle.open_sessions), None) if boosted else None,
        )

    return replace(user, vehicles={key: changed(value) for key, value in user.vehicles.items()})


@given(
    st.lists(
        st.tuples(CARS, st.lists(SESSIONS, max_size=4), st.tuples(BOOLEANS, st.booleans())),
        min_size=1,
        max_size=6,
    )
)
def test_whatever_jedlix_answers_nothing_breaks_and_nothing_is_told_twice(
    answers: list[tuple[Mapping[str, Vehicle], list[Session], tuple[bool | None, bool]]],
) -> None:
    user = UserSnapshot.unknown("user", at(0))
    told: list[Change] = []
    for minute, (cars, sessions, odds) in enumerate(answers):
        now = at(minute)
        after = with_odds(user.advance(cars.values(), sessions, now), odds)
        told += compare(user, after, now)
        assert compare(after, after, now) == []
        again = after.advance(cars.values(), sessions, now)
        assert types(compare(again, again.advance(cars.values(), sessions, now), now)) == []
        user = after
    if ChangeType.VEHICLE_REMOVED in (change.type for change in told):
        return  # with a car goes what was known of it
    for kind in (ChangeType.SESSION_STARTED, ChangeType.SESSION_ENDED):
        of_kind = [(change.vehicle_id, change.session_id) for change in told if change.type is kind]
        assert len(of_kind) == len(set(of_kind))
