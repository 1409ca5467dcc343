"""Clock of Jedlix: its time is known from its answers, and one odd answer decides nothing."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from typing import Final

from hypothesis import given, strategies as st
import pytest

from custom_components.jedlix.api.clock import JedlixClock

NOON: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
AN_HOUR: Final = 3600
HEADERS: Final = st.one_of(
    st.none(),
    st.text(max_size=40),
    st.datetimes(timezones=st.timezones()).map(format_datetime),
    st.from_regex(r"\A[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{1,6} \d\d:\d\d:\d\d [+-]\d{4}\Z"),
)


class Machine:
    """The clock of this machine, which a test moves."""

    def __init__(self) -> None:
        """Start at noon."""
        self.time = NOON

    def now(self) -> datetime:
        """Return the time."""
        return self.time


def header(offset: float, machine_time: datetime = NOON) -> str:
    """Return the header of a Jedlix whose clock is so many seconds ahead of this machine."""
    return format_datetime(machine_time + timedelta(seconds=offset), usegmt=True)


def offset_after(offsets: Iterable[float]) -> float:
    """Return by how many seconds Jedlix counts as ahead after answers with these offsets."""
    clock = JedlixClock(Machine().now)
    for offset in offsets:
        clock.note_date(header(offset))
    return (clock.now() - NOON).total_seconds()


@pytest.mark.parametrize(
    ("offsets", "believed"),
    [
        ([], 0),
        ([0, 0], 0),
        ([19, 19], 0),  # an answer takes some seconds, and a header has whole ones
        ([-19, -19], 0),
        ([AN_HOUR], 0),  # one header decides nothing
        ([AN_HOUR, AN_HOUR], AN_HOUR),
        ([-AN_HOUR, -AN_HOUR], -AN_HOUR),
        ([AN_HOUR, AN_HOUR + 5], AN_HOUR + 5),
        ([AN_HOUR, 2 * AN_HOUR, 3 * AN_HOUR], 0),  # none agrees with the one before
        ([AN_HOUR, 0, AN_HOUR], 0),  # not in a row
        ([AN_HOUR, AN_HOUR, 0], AN_HOUR),
        ([AN_HOUR, AN_HOUR, 0, 0], 0),  # the machine's clock was put right
        ([AN_HOUR, AN_HOUR, AN_HOUR + 10], AN_HOUR),  # no jitter
        ([AN_HOUR, AN_HOUR, 0, AN_HOUR, 0], AN_HOUR),
    ],
)
def test_another_offset_is_taken_when_two_headers_in_a_row_agree(
    offsets: list[float], believed: float
) -> None:
    assert offset_after(offsets) == believed


def test_the_time_at_jedlix_goes_on_with_the_machines() -> None:
    machine = Machine()
    clock = JedlixClock(machine.now)
    for _ in range(2):
        clock.note_date(header(AN_HOUR))
    machine.time += timedelta(minutes=5)
    assert clock.now() == NOON + timedelta(hours=1, minutes=5)


def test_a_clock_of_the_machine_that_is_put_back_is_noticed() -> None:
    machine = Machine()
    clock = JedlixClock(machine.now)
    machine.time -= timedelta(hours=1)
    for _ in range(2):
        clock.note_date(header(0))
    assert clock.now() == NOON


def test_a_header_without_a_time_zone_is_in_utc() -> None:
    clock = JedlixClock(Machine().now)
    for _ in range(2):
        clock.note_date("Tue, 24 Nov 2026 13:00:00 -0000")
    assert clock.now() == NOON + timedelta(hours=1)


def test_a_machine_that_starts_in_1970_has_the_time_of_jedlix() -> None:
    clock = JedlixClock(lambda: datetime(1970, 1, 1, tzinfo=UTC))
    for _ in range(2):
        clock.note_date(header(0))
    assert clock.now() == NOON


@pytest.mark.parametrize(
    "odd",
    [
        None,
        "",
        "soon",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "Mon, 01 Jan 0101 00:00:00 GMT",
        "Mon, 01 Jan 99999 00:00:00 GMT",
    ],
)
def test_a_header_that_no_clock_shows_is_ignored(odd: str | None) -> None:
    machine = Machine()
    clock = JedlixClock(machine.now)
    for _ in range(3):
        clock.note_date(odd)
    machine.time += timedelta(minutes=5)
    assert clock.now() == machine.time


@given(st.lists(HEADERS, max_size=4))
def test_no_header_stops_the_clock(headers: list[str | None]) -> None:
    clock = JedlixClock(Machine().now)
    for each in headers:
        clock.note_date(each)
        clock.note_date(each)
    clock.now()


@given(st.lists(st.integers(-(10**6), 10**6), max_size=6))
def test_the_offset_is_none_or_one_that_two_headers_show(offsets: list[int]) -> None:
    agreed = [new for old, new in pairwise(offsets) if abs(new - old) < 20]
    assert offset_after(offsets) in {0, *agreed}


def test_without_another_clock_it_starts_with_the_machines() -> None:
    before = datetime.now(UTC)
    assert before <= JedlixClock().now() <= datetime.now(UTC)
