"""Credentials check: a refusal or two ask nobody for a new password; three over ten minutes do."""

from datetime import UTC, datetime, timedelta
from typing import Final

from hypothesis import given, strategies as st
import pytest

from custom_components.jedlix.state.credentials import (
    REQUESTED_AFTER,
    CredentialsCheck,
)

NOON: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    """Return a moment in minutes after noon."""
    return NOON + timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("refused_at", "is_requested"),
    [
        ([0], [False]),
        ([0, 30], [False, False]),  # over enough time, but too few
        ([0, 1, 9], [False, False, False]),  # enough, but too soon
        ([0, 5, 10], [False, False, True]),
        ([0, 1, 2, 10, 11], [False, False, False, True, True]),
        ([0, 5, None, 10, 15], [False, False, None, False, False]),
        ([0, 5, None, 10, 15, 20], [False, False, None, False, False, True]),
    ],
)
def test_new_credentials_are_requested_after_three_refusals_over_ten_minutes(
    refused_at: list[float | None], is_requested: list[bool | None]
) -> None:
    check, found = CredentialsCheck(), list[bool | None]()
    for minute in refused_at:
        if minute is None:
            check.note_answer()
            found.append(None)
        else:
            found.append(check.note_refusal(at(minute)))
    assert found == is_requested


def test_a_good_answer_forgets_the_refusals() -> None:
    check = CredentialsCheck()
    check.note_refusal(at(0))
    check.note_answer()
    assert check == CredentialsCheck()


def test_refusals_count_on_after_a_restart() -> None:
    stored = CredentialsCheck(refused_since=at(0), refusals=2)
    assert stored.note_refusal(at(10))


def test_a_first_refusal_that_lies_in_the_future_is_not_believed() -> None:
    stored = CredentialsCheck(refused_since=at(600), refusals=2)
    assert not stored.note_refusal(at(0))
    assert stored.refused_since == at(0)
    assert stored.note_refusal(at(10))


@given(st.lists(st.tuples(st.floats(0.1, 20), st.booleans()), max_size=20))
def test_a_request_needs_as_many_refusals_in_a_row_and_as_much_time(
    polls: list[tuple[float, bool]],
) -> None:
    check, minute, row = CredentialsCheck(), 0.0, list[float]()
    for pause, is_refused in polls:
        minute += pause
        if not is_refused:
            row = []
            check.note_answer()
            continue
        row.append(minute)
        assert check.note_refusal(at(minute)) is (
            len(row) >= REQUESTED_AFTER.answers and at(minute) - at(row[0]) >= REQUESTED_AFTER.time
        )
