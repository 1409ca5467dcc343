"""Absence: one answer without a car says nothing, several over a quarter of an hour do."""

from datetime import UTC, datetime, timedelta
from typing import Final

from hypothesis import given, strategies as st
import pytest

from custom_components.jedlix.state.gone import (
    GONE_AFTER,
    Absence,
    after_answer,
    gone,
)

NOON: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    """Return a moment in minutes after noon."""
    return NOON + timedelta(minutes=minutes)


def absences_after(answers: list[tuple[float, str]]) -> dict[str, Absence]:
    """Return the absences after answers: of which minute, and whether each names the car."""
    absences: dict[str, Absence] = {}
    for minute, answer in answers:
        absences = after_answer(
            absences,
            named={"car"} if answer == "named" else (),
            absent={"car"} if answer == "absent" else (),
            last_seen=at(minute - 1),
            now=at(minute),
        )
    return absences


@pytest.mark.parametrize(
    ("answers", "is_gone"),
    [
        ([], False),
        ([(0, "absent")], False),
        ([(0, "absent"), (20, "absent")], False),  # over enough time, but too few
        ([(0, "absent"), (5, "absent"), (14, "absent")], False),  # enough, but too soon
        ([(0, "absent"), (5, "absent"), (15, "absent")], True),
        ([(minute, "absent") for minute in range(15)], False),
        ([(minute, "absent") for minute in range(16)], True),
        ([(0, "absent"), (5, "absent"), (10, "named"), (15, "absent")], False),
        ([(0, "absent"), (5, "other"), (10, "absent"), (15, "absent")], True),
        ([(0, "absent"), (5, "other"), (15, "other")], False),  # they say nothing about it
    ],
)
def test_a_thing_is_gone_when_three_answers_over_a_quarter_of_an_hour_agree(
    answers: list[tuple[float, str]], is_gone: bool
) -> None:
    now = at(max((minute for minute, _ in answers), default=0))
    assert gone(absences_after(answers), now) == ({"car"} if is_gone else set())


def test_what_is_named_again_was_never_gone_and_begins_from_the_start() -> None:
    again = absences_after([(0, "absent"), (5, "absent"), (6, "named"), (20, "absent")])
    assert again == {"car": Absence(since=at(20), last_seen=at(19), answers=1)}


def test_the_last_sighting_is_that_before_the_first_answer_without_it() -> None:
    (absence,) = absences_after([(0, "absent"), (5, "absent"), (9, "absent")]).values()
    assert absence == Absence(since=at(0), last_seen=at(-1), answers=3)


def test_each_thing_is_absent_by_itself() -> None:
    first = after_answer({}, named=(), absent={"a"}, last_seen=at(-1), now=at(0))
    both = after_answer(first, named=(), absent={"a", "b"}, last_seen=at(4), now=at(5))
    assert {key: item.answers for key, item in both.items()} == {"a": 2, "b": 1}
    only_b = after_answer(both, named={"a"}, absent={"b"}, last_seen=at(9), now=at(10))
    assert only_b == {"b": Absence(since=at(5), last_seen=at(4), answers=2)}


@given(
    st.lists(
        st.tuples(st.floats(0.1, 30), st.sampled_from(["absent", "named", "other"])), max_size=20
    )
)
def test_a_thing_is_gone_exactly_when_enough_answers_in_a_row_over_enough_time_leave_it_out(
    steps: list[tuple[float, str]],
) -> None:
    minute, answers, row = 0.0, [], list[float]()
    for pause, answer in steps:
        minute += pause
        answers.append((minute, answer))
        if answer == "named":
            row = []
        elif answer == "absent":
            row.append(minute)
    agree = len(row) >= GONE_AFTER.answers and at(minute) - at(row[0]) >= GONE_AFTER.time
    assert bool(gone(absences_after(answers), at(minute))) is agree
