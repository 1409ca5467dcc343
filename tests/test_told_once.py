"""Every change is told exactly once: tables of what the field knows, and properties over any history."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given, strategies as st
import pytest

from custom_components.jedlix.api import ChargeSettings, ChargeState, ChargeStatus, Session, Vehicle
from custom_components.jedlix.changes import Change, ChangeType, compare
from custom_components.jedlix.snapshot import UserSnapshot, snapshot_as_json, snapshot_from_json

T0 = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
UNKNOWN, AWAY, STOPPED, CHARGING, COMPLETE = (
    ChargeStatus(word) for word in ("unknown", "disconnected", "stopped", "charging", "complete")
)


def at(minutes: float) -> datetime:
    """Return a moment of the story."""
    return T0 + timedelta(minutes=minutes)


def car(status: ChargeStatus, minutes: float, **more: Any) -> Vehicle:
    """Return the car with a reading of that minute."""
    state = ChargeState(status=status, battery_level=50, updated_at=at(minutes))
    usual: dict[str, Any] = {"charge_state": state, "is_connected": True}
    return Vehicle(id="v", user_id="u", **(usual | more))


def session(name: str, start: float, end: float | None = None, **more: Any) -> Session:
    """Return a smart session at home."""
    usual: dict[str, Any] = {"is_managed": True, "charging_location_id": "home"}
    return Session(
        id=name,
        user_id="u",
        vehicle_id="v",
        started_at=at(start),
        ended_at=None if end is None else at(end),
        **(usual | more),
    )


def story(
    *looks: tuple[Sequence[Vehicle], Sequence[Session]], watched: bool = True
) -> list[Change]:
    """Return all changes that a row of looks, a minute apart, tells."""
    user = UserSnapshot.unknown("u", at(0))
    told: list[Change] = []
    for minute, (vehicles, sessions) in enumerate(looks):
        after = user.advance(vehicles, sessions, at(minute))
        told += compare(user, after, at(minute), watched=watched)
        user = after
    return told


def types(changes: Sequence[Change]) -> list[str]:
    """Return the types alone."""
    return [change.type.value for change in changes]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (AWAY, STOPPED, ["plugged_in"]),
        (AWAY, CHARGING, ["plugged_in", "charging_started"]),
        (AWAY, COMPLETE, ["plugged_in", "charging_completed"]),
        (STOPPED, CHARGING, ["charging_started"]),
        (CHARGING, STOPPED, ["charging_paused"]),
        (COMPLETE, STOPPED, []),
        (CHARGING, COMPLETE, ["charging_completed"]),
        (CHARGING, AWAY, ["unplugged"]),
        (CHARGING, UNKNOWN, []),
        (UNKNOWN, CHARGING, []),
        (CHARGING, CHARGING, []),
    ],
)
def test_the_charge_state_tells(
    before: ChargeStatus, after: ChargeStatus, expected: list[str]
) -> None:
    told = story(([car(before, 0)], []), ([car(after, 1)], []))
    assert types(told) == expected
    assert {change.occurred_at for change in told} <= {at(1)}
    assert all(change.details["battery_level"] == 50 for change in told)


def test_unknown_in_between_is_no_change() -> None:
    assert (
        story(*(([car(status, i)], []) for i, status in enumerate([CHARGING, UNKNOWN, CHARGING])))
        == []
    )


def test_the_first_look_tells_nothing_and_what_was_before_it_is_never_told() -> None:
    old = [session("old", -600, -500), session("running", -60)]
    assert story(([car(CHARGING, 0)], old), ([car(CHARGING, 0)], old)) == []


def test_a_session_that_began_before_we_watched_is_not_told_when_it_shows_up() -> None:
    assert story(([car(CHARGING, 0)], []), ([car(CHARGING, 0)], [session("s", -5)])) == []


def test_a_session_is_told_when_it_begins_and_when_it_ends_with_what_it_brought() -> None:
    done = session("s", 1, 2, energy_kwh=7.5, cost=1.2, currency="EUR")
    told = story(
        ([car(AWAY, 0)], []),
        ([car(CHARGING, 1)], [session("s", 1)]),
        ([car(AWAY, 2.5)], [done]),
        ([car(AWAY, 2.5)], [done]),
    )
    assert types(told) == [
        "plugged_in",
        "session_started",
        "charging_started",
        "session_ended",
        "unplugged",
    ]
    ended = told[3]
    assert ended.session_id == "s"
    assert ended.occurred_at == at(2)
    assert ended.details == {
        "is_managed": True,
        "charging_location_id": "home",
        "started_at": at(1).isoformat(),
        "ended_at": at(2).isoformat(),
        "energy_kwh": 7.5,
        "cost": 1.2,
        "currency": "EUR",
    }


def test_a_session_between_two_looks_is_told_whole_and_in_order() -> None:
    told = story(([car(AWAY, 0)], []), ([car(AWAY, 0)], [session("s", 0.2, 0.8)]))
    assert types(told) == ["session_started", "session_ended"]


def test_a_forced_end_in_one_plug_in_is_never_an_unplug() -> None:
    smart, unmanaged = session("a", 1), session("b", 3, is_managed=False)
    told = story(
        ([car(AWAY, 0)], []),
        ([car(CHARGING, 1)], [smart]),
        ([car(CHARGING, 1)], [replace(smart, ended_at=at(2))]),
        ([car(CHARGING, 3)], [unmanaged]),
    )
    assert types(told[3:]) == ["session_ended", "session_started", "session_became_unmanaged"]
    assert told[-1].session_id == "b"
    assert told[-1].details == {"previous_session_id": "a"}


def test_looks_far_apart_do_not_read_two_sessions_as_one_plug_in() -> None:
    looks = (
        ([car(CHARGING, 0)], [session("a", -1)]),
        ([car(CHARGING, 3)], [session("a", -1, 1), session("b", 2, is_managed=False)]),
    )
    assert "session_became_unmanaged" in types(story(*looks))
    assert types(story(*looks, watched=False)) == ["session_started", "session_ended"][::-1]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (True, False, ["session_became_unmanaged"]),
        (False, True, ["session_became_smart"]),
        (None, True, []),
        (True, None, []),
    ],
)
def test_a_session_that_changes_its_kind(
    before: bool | None, after: bool | None, expected: list[str]
) -> None:
    told = story(
        ([car(CHARGING, 0)], [session("s", -1, is_managed=before)]),
        ([car(CHARGING, 0)], [session("s", -1, is_managed=after)]),
    )
    assert types(told) == expected


def test_cars_and_their_links_come_and_go() -> None:
    other = replace(car(AWAY, 0), id="w")
    told = story(
        ([car(AWAY, 0)], []),
        ([car(AWAY, 0, is_connected=False), other], []),
        ([car(AWAY, 0), other], []),
        ([other], []),
    )
    assert [(change.type.value, change.vehicle_id) for change in told] == [
        ("vehicle_added", "w"),
        ("vehicle_link_lost", "v"),
        ("vehicle_link_restored", "v"),
        ("vehicle_removed", "v"),
    ]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (True, False, ["smart_charging_disabled"]),
        (False, True, ["smart_charging_enabled"]),
        (True, True, []),
        (None, True, []),
    ],
)
def test_smart_charging_is_switched(
    before: bool | None, after: bool | None, expected: list[str]
) -> None:
    user = UserSnapshot.unknown("u", at(0)).advance([car(AWAY, 0)], [], at(0))

    def with_settings(enabled: bool | None) -> UserSnapshot:
        settings = ChargeSettings(
            is_smart_charging_enabled=enabled, enable_smart_charging_at=at(60), raw={}
        )
        return user.with_vehicle(replace(user.vehicles["v"], settings=settings))

    told = compare(with_settings(before), with_settings(after), at(1))
    assert types(told) == expected
    resumes_at = None if after else at(60).isoformat()  # once it is on, there is nothing to resume
    assert all(change.details == {"resumes_at": resumes_at} for change in told)


def test_boost_begins_by_our_command_and_ends_with_its_session() -> None:
    plain = UserSnapshot.unknown("u", at(0)).advance([car(CHARGING, 0)], [session("s", 0)], at(0))
    boosted = plain.with_vehicle(replace(plain.vehicles["v"], boost_session_id="s"))
    over = boosted.advance([car(AWAY, 2)], [session("s", 0, 1)], at(2))
    assert types(compare(plain, boosted, at(1))) == ["boost_started"]
    told = compare(boosted, over, at(2))
    assert types(told) == ["boost_ended", "session_ended", "unplugged"]
    assert {change.session_id for change in told[:2]} == {"s"}


def test_an_older_reading_never_wins_and_an_end_is_final() -> None:
    told = story(
        ([car(AWAY, 0)], []),
        ([car(CHARGING, 1)], [session("s", 1)]),
        ([car(AWAY, 0.5)], []),
        ([car(AWAY, 2)], [session("s", 1, 1.5)]),
        ([car(AWAY, 2)], [session("s", 1)]),
    )
    assert types(told).count("session_started") == types(told).count("session_ended") == 1
    assert types(told).count("unplugged") == 1


def test_a_session_without_a_car_is_the_only_cars_and_a_strangers_is_nobodys() -> None:
    nameless, strange = (
        replace(session("s", 1), vehicle_id=None),
        replace(session("x", 1), vehicle_id="w"),
    )
    told = story(([car(AWAY, 0)], []), ([car(AWAY, 0)], [nameless, strange]))
    assert [change.session_id for change in told] == ["s"]


STATUSES = st.sampled_from([UNKNOWN, AWAY, STOPPED, CHARGING, COMPLETE])


@st.composite
def looks(draw: st.DrawFn) -> list[tuple[list[Vehicle], list[Session]]]:
    """Make any row of looks at one car and its sessions: overtaken, repeated, with holes."""
    ends: dict[str, float] = {}
    row = []
    for minute in range(draw(st.integers(2, 8))):
        sessions = []
        for name in draw(st.lists(st.sampled_from("abc"), unique=True)):
            start = float("abc".index(name) * 2)
            if draw(st.booleans()):
                ends.setdefault(name, start + draw(st.sampled_from([0.0, 0.5, 1.0])))
            is_stale = draw(st.booleans())
            sessions.append(session(name, start, None if is_stale else ends.get(name)))
        reading = draw(st.integers(0, minute))
        row.append(([car(draw(STATUSES), reading)], sessions))
    return row


@given(looks())
def test_whatever_is_seen_each_thing_is_told_once_and_in_order(
    row: list[tuple[list[Vehicle], list[Session]]],
) -> None:
    told = story(*row)
    for name in "abc":
        of_session = [
            change.type
            for change in told
            if change.session_id == name and "session_" in change.type
        ]
        assert of_session.count(ChangeType.SESSION_STARTED) <= 1
        assert of_session.count(ChangeType.SESSION_ENDED) <= 1
        if ChangeType.SESSION_ENDED in of_session and ChangeType.SESSION_STARTED in of_session:
            assert of_session.index(ChangeType.SESSION_STARTED) < of_session.index(
                ChangeType.SESSION_ENDED
            )
    plugs = [change.type for change in told if "plug" in change.type]
    assert all(first is not second for first, second in pairwise(plugs))


@given(looks())
def test_a_snapshot_compared_with_itself_tells_nothing_and_survives_the_store(
    row: list[tuple[list[Vehicle], list[Session]]],
) -> None:
    user = UserSnapshot.unknown("u", at(0))
    for minute, (vehicles, sessions) in enumerate(row):
        user = user.advance(vehicles, sessions, at(minute))
    assert compare(user, user, at(9)) == []
    again = snapshot_from_json(snapshot_as_json(user))
    assert again == user
    assert compare(user, again, at(9)) == []
    vehicles, sessions = row[-1]
    assert [
        change.type
        for change in compare(again, again.advance(vehicles, sessions, at(9)), at(9))
        if "session" in change.type
    ] == []
