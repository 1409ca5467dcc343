"""Whose turn it is: nobody is forgotten, and a poll costs the same however many cars there are."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from hypothesis import given, strategies as st
import pytest

from custom_components.jedlix.api import Session, Vehicle
from custom_components.jedlix.state.schedule import (
    USERS_PER_POLL,
    PollSchedule,
    users_with_new_sessions,
)
from custom_components.jedlix.state.snapshot import UserSnapshot, VehicleSnapshot

NOON: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def user(user_id: str, *, running: str | None = None, ended: str | None = None) -> UserSnapshot:
    """Return a user with one car."""
    return UserSnapshot(
        user_id=user_id,
        vehicles={
            "car": VehicleSnapshot(
                vehicle=Vehicle(id="car", user_id=user_id),
                known_since=NOON,
                open_sessions={} if running is None else {running: Session(id=running)},
                ended_sessions={} if ended is None else {ended: NOON},
            )
        },
    )


def fleet(count: int, **known: UserSnapshot) -> tuple[PollSchedule, dict[str, UserSnapshot]]:
    """Return a rota whose users have all been looked at, and the users."""
    users = {f"u{number}": user(f"u{number}") for number in range(count)} | known
    rota = PollSchedule(users, NOON)
    for user_id in users:
        rota.note_refreshed(user_id)
    return rota, users


# -- who is due --------------------------------------------------------------------------------------------


def test_whoever_was_not_looked_at_yet_is_looked_at_thoroughly() -> None:
    rota = PollSchedule([f"u{number}" for number in range(12)], NOON)
    assert rota.take_due({}, {}, lists_tenant=True) == dict.fromkeys(rota.followed, True)


@pytest.mark.parametrize("lists_tenant", [True, False])
def test_five_others_have_their_turn_and_the_car_will_do_where_the_tenant_lists_sessions(
    lists_tenant: bool,
) -> None:
    rota, users = fleet(12)
    seen: list[str] = []
    for _ in range(12):
        due = rota.take_due(users, {}, lists_tenant=lists_tenant)
        assert len(due) == USERS_PER_POLL
        assert set(due.values()) == {not lists_tenant}
        seen += due
    assert {user_id: seen.count(user_id) for user_id in users} == dict.fromkeys(
        users, USERS_PER_POLL
    )


def test_in_a_household_everybody_has_a_turn_each_time() -> None:
    rota, users = fleet(3)
    for _ in range(2):
        assert rota.take_due(users, {}, lists_tenant=True) == dict.fromkeys(users, False)


def test_who_is_in_a_session_is_due_each_time() -> None:
    rota, users = fleet(20, busy=user("busy", running="s"))
    for _ in range(5):
        assert rota.take_due(users, {}, lists_tenant=True)["busy"] is True


@pytest.mark.parametrize(
    ("session", "news"),
    [
        (Session(id="new"), True),
        (Session(id="running"), False),
        (Session(id="running", ended_at=NOON), True),
        (Session(id="ended", ended_at=NOON), False),
        (Session(id="new", ended_at=NOON), True),
    ],
)
def test_a_session_that_began_or_ended_is_news(session: Session, news: bool) -> None:
    users = {"u": user("u", running="running", ended="ended")}
    assert users_with_new_sessions(users, {"u": [session]}) == ({"u"} if news else set())


def test_who_has_news_is_looked_at_thoroughly() -> None:
    rota, users = fleet(20)
    due = rota.take_due(users, {"u19": [Session(id="new", ended_at=NOON)]}, lists_tenant=True)
    assert due["u19"] is True
    assert sum(due.values()) == 1


def test_news_of_somebody_unknown_harm_nobody() -> None:
    rota, users = fleet(1)
    assert rota.take_due(users, {"stranger": [Session(id="new")]}, lists_tenant=True) == {
        "u0": False
    }


# -- who is owed -------------------------------------------------------------------------------------------


def test_a_look_that_failed_is_owed_from_the_first_failure_on_until_one_succeeds() -> None:
    rota, users = fleet(20)
    rota.note_failed("u19", NOON)
    rota.note_failed("u19", NOON + timedelta(minutes=5))
    assert rota.missed_since("u19") == NOON
    for _ in range(3):
        assert rota.take_due(users, {}, lists_tenant=True)["u19"] is True
    rota.note_refreshed("u19")
    assert rota.missed_since("u19") is None


def test_after_an_absence_everybody_is_unwatched_until_looked_at() -> None:
    rota, users = fleet(12)
    assert not rota.is_after_gap("u0")
    back = NOON + timedelta(hours=3)
    rota.note_gap(back)
    assert rota.gap_ended_at == back
    assert rota.is_after_gap("u0")
    assert rota.take_due(users, {}, lists_tenant=True) == dict.fromkeys(users, True)
    rota.note_refreshed("u0")
    assert not rota.is_after_gap("u0")


# -- who comes and goes ------------------------------------------------------------------------------------


def test_who_is_followed_from_now_on_is_looked_at_thoroughly_first() -> None:
    rota, users = fleet(20)
    rota.follow("new")
    assert "new" in rota.followed
    assert rota.is_after_gap("new")
    assert rota.take_due(users, {}, lists_tenant=True)["new"] is True


def test_who_is_let_go_has_no_turn_and_is_owed_nothing() -> None:
    rota, users = fleet(8)
    rota.note_failed("u3", NOON)
    rota.unfollow("u3")
    del users["u3"]
    rota.note_gap(NOON)
    assert rota.missed_since("u3") is None
    assert rota.followed == set(users)
    for _ in range(3):
        assert "u3" not in rota.take_due(users, {}, lists_tenant=True)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["follow", "unfollow", "owe", "look", "away", "poll"]),
            st.integers(0, 14),
        ),
        max_size=60,
    )
)
def test_whatever_happens_nobody_is_left_out_for_long(steps: list[tuple[str, int]]) -> None:
    """Within as many polls as there are groups of five, each followed user is looked at; no others are."""
    rota = PollSchedule([], NOON)
    for deed, number in steps:
        name = f"u{number}"
        followed = name in rota.followed
        match deed:
            case "follow" if not followed:
                rota.follow(name)
            case "unfollow" if followed:
                rota.unfollow(name)
            case "owe" if followed:
                rota.note_failed(name, NOON)
            case "look" if followed:
                rota.note_refreshed(name)
            case "away":
                rota.note_gap(NOON)
            case "poll":
                _poll(rota)
    looked_at: set[str] = set()
    for _ in range(-(-len(rota.followed) // USERS_PER_POLL)):
        looked_at |= _poll(rota).keys()
    assert looked_at == rota.followed
    idle = _poll(rota)
    assert len(idle) == min(USERS_PER_POLL, len(rota.followed))
    assert not any(idle.values())


def _poll(rota: PollSchedule) -> Mapping[str, bool]:
    """Look at all who are due, each with success."""
    due = rota.take_due({name: user(name) for name in rota.followed}, {}, lists_tenant=True)
    for name in due:
        rota.note_refreshed(name)
    return due
