"""Refused event types: why, and when they are tried again. Tables and properties."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, strategies as st
import pytest

from custom_components.jedlix.api import (
    BadAnswer,
    Conflict,
    ConnectionFailed,
    Forbidden,
    JedlixError,
    NotFound,
    Rejected,
)
from custom_components.jedlix.push.event_types import (
    DEFAULT_EVENT_TYPES,
    gives_way_to,
    pascal_case,
)
from custom_components.jedlix.push.refused_types import (
    Reason,
    Refusal,
    RefusedTypes,
    next_due,
    note_refused,
    plan,
    reason_of,
)

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
DOCUMENTED = ("userCreated", "vehicleConnectionReadyToContinue")
REPORTED = DEFAULT_EVENT_TYPES[2:]


@pytest.mark.parametrize(
    ("err", "is_reached", "is_tested", "reason"),
    [
        (Rejected("no"), False, False, Reason.NOT_REACHED),
        (Rejected("no"), True, False, Reason.UNKNOWN_NAME),
        (Rejected("no"), True, True, Reason.REFUSED),
        (Conflict("full"), False, False, Reason.NO_ROOM),
        (Forbidden("no"), True, False, Reason.NOT_ALLOWED),
        (NotFound("no"), True, False, Reason.NOT_ALLOWED),
        (ConnectionFailed("500"), True, False, Reason.FAILED),
        (BadAnswer("html"), True, False, Reason.REFUSED),
    ],
)
def test_why_a_type_was_refused(
    err: JedlixError, is_reached: bool, is_tested: bool, reason: Reason
) -> None:
    assert reason_of(err, is_reached=is_reached, is_tested=is_tested) is reason


def test_what_is_missing_in_a_stored_refusal_makes_it_one_refusal_at_once_due() -> None:
    refusal = Refusal.from_json({"reason": "of another version"})
    assert refusal == Refusal(reason=Reason.REFUSED, at=None, count=1, version=None)
    assert replace(refusal, version="v").due_at("v") is None


def refused(*names: str, reason: Reason = Reason.UNKNOWN_NAME, times: int = 1) -> RefusedTypes:
    """Return types that were refused so many times, the last time now."""
    types: RefusedTypes = {}
    for _ in range(times):
        for name in names:
            note_refused(types, name, reason, NOW, "1")
    return types


@pytest.mark.parametrize(
    ("reason", "times", "pause"),
    [
        (Reason.UNKNOWN_NAME, 1, timedelta(minutes=10)),
        (Reason.UNKNOWN_NAME, 2, timedelta(hours=1)),
        (Reason.UNKNOWN_NAME, 3, timedelta(weeks=1)),
        (Reason.NO_ROOM, 9, timedelta(weeks=1)),
        (Reason.NOT_REACHED, 3, timedelta(days=1)),
        (Reason.FAILED, 4, timedelta(days=1)),
    ],
)
def test_when_a_type_is_tried_again(reason: Reason, times: int, pause: timedelta) -> None:
    types = refused("sessionStarted", reason=reason, times=times)
    held = {"userCreated", "sessionEnded"}
    for at, is_due in ((NOW + pause - timedelta(seconds=1), False), (NOW + pause, True)):
        trial = plan(["userCreated", "sessionStarted", "sessionEnded"], held, types, at, "1")
        assert set(trial.core) == held
        assert trial.others == (("sessionStarted",) if is_due else ())
    assert next_due(["sessionStarted"], types, "1") == NOW + pause


def test_an_update_a_wish_and_a_wrong_clock_make_a_type_due() -> None:
    types = refused("sessionStarted", times=5)
    wanted, held = (
        ["userCreated", "sessionStarted", "sessionEnded"],
        {"userCreated", "sessionEnded"},
    )
    assert plan(wanted, held, types, NOW, "1").others == ()
    assert plan(wanted, held, types, NOW, "2").others == ("sessionStarted",)
    assert plan(wanted, held, types, NOW, "1", all_due=True).others == ("sessionStarted",)
    before = NOW - timedelta(minutes=1)
    assert plan(wanted, held, types, before, "1").others == ("sessionStarted",)
    note_refused(types, "sessionStarted", Reason.UNKNOWN_NAME, NOW, "2")
    assert types["sessionStarted"].count == 1


def test_the_documented_types_decide_and_come_first() -> None:
    trial = plan(DEFAULT_EVENT_TYPES, (), {}, NOW, "1")
    assert trial.core == DOCUMENTED
    assert trial.others == REPORTED
    assert plan(REPORTED, (), {}, NOW, "1").core == REPORTED[:1]
    assert plan((), (), {}, NOW, "1").core == ()


def test_where_nothing_is_held_the_core_is_tried_however_often_it_was_refused() -> None:
    types = refused(*DOCUMENTED, times=4)
    assert plan(DOCUMENTED, (), types, NOW, "1").core


def test_the_other_spelling_is_tried_once_all_reported_types_are_refused_by_name() -> None:
    pascal = tuple(map(pascal_case, REPORTED))
    held = set(DOCUMENTED)
    assert plan(DEFAULT_EVENT_TYPES, held, refused(*REPORTED), NOW, "1").others == pascal
    both = refused(*REPORTED, *pascal)
    assert plan(DEFAULT_EVENT_TYPES, held, both, NOW, "1").others == ()
    for some in (refused(*REPORTED[1:]), refused(*REPORTED, reason=Reason.NOT_REACHED)):
        assert not set(pascal) & set(plan(DEFAULT_EVENT_TYPES, held, some, NOW, "1").others)
    # What was accepted in that spelling is kept while the other one stays refused.
    accepted = held | {pascal[0]}
    assert pascal[0] in plan(DEFAULT_EVENT_TYPES, accepted, refused(*REPORTED), NOW, "1").core


@given(
    st.builds(
        Refusal,
        reason=st.sampled_from(Reason),
        at=st.none() | st.datetimes(datetime(2001, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
        count=st.integers(1, 100),
        version=st.none() | st.just("0.1.0"),
    )
)
def test_a_refusal_survives_the_store(refusal: Refusal) -> None:
    assert Refusal.from_json(refusal.as_json()) == refusal


def test_a_damaged_refusal_is_due_at_once() -> None:
    assert Refusal.from_json({"reason": "new", "at": "never"}).due_at("1") is None
    with pytest.raises(BadAnswer):
        Refusal.from_json([])


@pytest.mark.parametrize(
    ("name", "held", "keep_users", "gives_way"),
    [
        ("sessionStarted", DOCUMENTED, False, "vehicleConnectionReadyToContinue"),
        ("sessionUpdated", DOCUMENTED, False, "vehicleConnectionReadyToContinue"),
        ("sessionStarted", ("userCreated",), False, "userCreated"),
        ("sessionStarted", ("userCreated",), True, None),
        ("sessionUpdated", ("userCreated", "sessionStarted"), False, None),
        ("vehicleUpdated", DOCUMENTED, False, None),
        ("mySession", DOCUMENTED, False, None),
    ],
)
def test_what_gives_way(
    name: str, held: tuple[str, ...], keep_users: bool, gives_way: str | None
) -> None:
    assert gives_way_to(name, held, keep_users=keep_users) == gives_way
