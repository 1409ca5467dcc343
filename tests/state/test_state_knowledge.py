"""Knowledge: until when a user is known, how old that may be, and which changes come late."""

from datetime import UTC, datetime, timedelta
from typing import Final

from hypothesis import given, strategies as st
import pytest

from custom_components.jedlix.state.changes import Change, ChangeType
from custom_components.jedlix.state.knowledge import Gap, known_until, max_age
from custom_components.jedlix.state.user_snapshot import UserSnapshot

NOON: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
MINUTES: Final = st.none() | st.floats(-600, 600)


def at(minutes: float) -> datetime:
    """Return a moment in minutes after noon."""
    return NOON + timedelta(minutes=minutes)


def maybe_at(minutes: float | None) -> datetime | None:
    """Return a moment, None where there is none."""
    return None if minutes is None else at(minutes)


@pytest.mark.parametrize(
    ("refreshed", "tenant_read", "failing", "known"),
    [
        (None, None, None, None),
        (None, 50, None, None),  # a list says nothing about a user who was never refreshed
        (40, None, None, 40),
        (40, 50, None, 50),  # the list named nothing that began or ended
        (50, 40, None, 50),
        (40, 50, 45, 40),  # the list says nothing about a user who cannot be read
        (65, 50, None, 65),  # a clock may differ by some minutes
        (66, 50, None, None),  # a moment in the future is not believed
        (40, 66, None, 40),
    ],
)
def test_until_when_a_user_is_known(
    refreshed: float | None, tenant_read: float | None, failing: float | None, known: float | None
) -> None:
    user = UserSnapshot(
        user_id="user",
        vehicles={},
        refreshed_at=maybe_at(refreshed),
        failing_since=maybe_at(failing),
    )
    assert known_until(user, maybe_at(tenant_read), at(60)) == maybe_at(known)


def test_no_moment_is_doubted_before_jedlix_has_shown_its_clock() -> None:
    user = UserSnapshot(user_id="user", vehicles={}, refreshed_at=at(600))
    assert known_until(user, at(660), None) == at(660)


def test_nothing_is_known_of_a_stranger() -> None:
    assert known_until(None, at(0), at(1)) is None


@pytest.mark.parametrize(
    ("interval", "polls_per_turn", "minutes"),
    [
        (5, 1, 15),
        (1, 1, 3),
        (0.5, 1, 3),  # at least three minutes
        (600, 1, 1800),
        (5, 3, 45),  # a fleet whose tenant has no list: each user is read at every third poll
    ],
)
def test_a_user_may_be_known_as_long_ago_as_three_turns(
    interval: float, polls_per_turn: int, minutes: float
) -> None:
    assert max_age(timedelta(minutes=interval), polls_per_turn) == timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("gap", "occurred", "is_late"),
    [
        ((0, 20), 4, True),
        ((0, 20), 5, False),  # a quarter of an hour ago is still news
        ((0, 20), 19, False),
        ((0, 600), 599, False),
        ((0, 600), 10, True),
        # A change without a time of its own may have happened at any time in the gap.
        ((0, 15), None, True),
        ((0, 600), None, True),
    ],
)
def test_a_change_that_was_found_after_a_gap_is_late_when_it_is_old(
    gap: tuple[float, float], occurred: float | None, is_late: bool
) -> None:
    begin, end = gap
    change = Change(
        type=ChangeType.UNPLUGGED,
        user_id="user",
        occurred_at=at(end if occurred is None else occurred),
        is_timed=occurred is not None,
    )
    assert Gap(begin=at(begin), end=at(end)).is_late(change) is is_late


@given(MINUTES, MINUTES, MINUTES, st.floats(-600, 600))
def test_what_is_known_was_read_and_never_lies_far_in_the_future(
    refreshed: float | None,
    tenant_read: float | None,
    failing: float | None,
    now: float,
) -> None:
    user = UserSnapshot(
        user_id="user",
        vehicles={},
        refreshed_at=maybe_at(refreshed),
        failing_since=maybe_at(failing),
    )
    known = known_until(user, maybe_at(tenant_read), at(now))
    assert known is None or known in {maybe_at(refreshed), maybe_at(tenant_read)}
    assert known is None or known <= at(now + 5)
    if failing is not None and known is not None:
        assert known == maybe_at(refreshed)
