"""Hours: an amount belongs to the hours in which energy flowed, and none of it is lost or counted twice."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from hypothesis import given, strategies as st
import pytest

from custom_components.jedlix.state.hours import Interval, by_hour, flow_of, hour_of, share

HOUR: Final = timedelta(hours=1)
AT: Final = datetime(2026, 11, 1, 10, 0, tzinfo=UTC)
AMSTERDAM: Final = ZoneInfo("Europe/Amsterdam")

spans = st.builds(
    lambda start, length: Interval(AT + start, AT + start + length),
    st.timedeltas(timedelta(0), timedelta(days=25)),
    st.timedeltas(-HOUR, timedelta(days=3)),
)


def charged(*hours: tuple[float, float]) -> list[Interval]:
    return [Interval(AT + start * HOUR, AT + end * HOUR) for start, end in hours]


# -- tables ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        (0.5, 1, {0: 6.0}),
        (0, 1, {0: 6.0}),
        (0.5, 2, {0: 2.0, 1: 4.0}),
        (-1.5, 1.5, {-2: 1.0, -1: 2.0, 0: 2.0, 1: 1.0}),
        (0.25, 0.25, {0: 6.0}),  # no length
        (0.25, -3, {0: 6.0}),  # ends before it begins
    ],
)
def test_an_amount_is_spread_evenly_where_nothing_else_is_known(
    start: float, end: float, hours: dict[int, float]
) -> None:
    spread = by_hour(6.0, flow_of(AT + start * HOUR, AT + end * HOUR))
    assert spread == pytest.approx({AT + hour * HOUR: part for hour, part in hours.items()})


@pytest.mark.parametrize(
    ("charging", "hours"),
    [
        ([(2, 3)], {2: 6.0}),
        ([(2, 3), (4, 4.5)], {2: 4.0, 4: 2.0}),
        ([(4, 4.5), (2, 3)], {2: 4.0, 4: 2.0}),  # in any order
        ([(2, 3), (2.5, 4)], {2: 3.0, 3: 3.0}),  # they overlap
        ([(2, 3), (3, 4)], {2: 3.0, 3: 3.0}),  # they touch
        ([(2, 2.25), (2.5, 2.75)], {2: 6.0}),  # twice within an hour
        ([(-5, 1)], {0: 6.0}),  # before the session as well
        ([(9, 20)], {9: 6.0}),  # after it as well
        ([(-5, -1), (20, 30)], dict.fromkeys(range(10), 0.6)),  # outside only
        ([(4, 4)], dict.fromkeys(range(10), 0.6)),
    ],
)
def test_an_amount_belongs_to_the_hours_in_which_the_car_charged(
    charging: list[tuple[float, float]], hours: dict[int, float]
) -> None:
    """The session lasts ten hours."""
    spread = by_hour(6.0, flow_of(AT, AT + 10 * HOUR, charged(*charging)))
    assert spread == pytest.approx({AT + hour * HOUR: part for hour, part in hours.items()})


def test_a_session_over_midnight_of_the_first_is_split_by_when_the_car_charged() -> None:
    midnight = datetime(2026, 12, 1, tzinfo=AMSTERDAM)
    november, january = (
        datetime(2026, 11, 1, tzinfo=AMSTERDAM),
        datetime(2027, 1, 1, tzinfo=AMSTERDAM),
    )
    evenly = flow_of(midnight - 6 * HOUR, midnight + 6 * HOUR)
    assert share(evenly, november, midnight) == share(evenly, midnight, january) == 0.5
    at_night = Interval(midnight - HOUR, midnight + 3 * HOUR)
    seen = flow_of(midnight - 6 * HOUR, midnight + 6 * HOUR, [at_night])
    assert share(seen, november, midnight) == 0.25
    assert share(seen, midnight, january) == 0.75


def test_a_session_without_length_belongs_to_the_period_that_begins_with_it() -> None:
    brief = flow_of(AT, AT)
    assert share(brief, AT - HOUR, AT) == 0
    assert share(brief, AT, AT + HOUR) == 1
    assert share(brief, AT + HOUR, AT + 2 * HOUR) == 0


@pytest.mark.parametrize(
    ("midnight", "hours"),
    [
        (datetime(2026, 10, 25, tzinfo=AMSTERDAM), 25),
        (datetime(2026, 3, 29, tzinfo=AMSTERDAM), 23),
        (datetime(2026, 6, 1, tzinfo=AMSTERDAM), 24),
    ],
)
def test_a_night_in_which_clocks_change_has_the_hours_that_it_lasts(
    midnight: datetime, hours: int
) -> None:
    """Moments in local time would be an hour longer or shorter than the night."""
    next_midnight = midnight + timedelta(days=1)
    flow = flow_of(midnight, next_midnight)
    spread = by_hour(50.0, flow)
    assert list(spread.values()) == pytest.approx([50.0 / hours] * hours)
    assert min(spread) == midnight.astimezone(UTC)
    assert share(flow, midnight, next_midnight) == 1
    assert share(flow, midnight, midnight + 2 * HOUR) == pytest.approx(2 / hours)


# -- properties --------------------------------------------------------------------------------------------


@given(spans, st.lists(spans, max_size=6), st.floats(-100, 100))
def test_nothing_is_lost_and_every_hour_has_the_sign_of_the_amount(
    session: Interval, charging: list[Interval], amount: float
) -> None:
    """Savings may be negative."""
    spread = by_hour(amount, flow_of(*session, charging))
    assert sum(spread.values()) == pytest.approx(amount)
    assert all(part * amount >= 0 for part in spread.values())
    assert all(hour == hour_of(hour) and hour.tzinfo is UTC for hour in spread)
    assert all(hour_of(session.start) <= hour <= max(session.start, session.end) for hour in spread)


@given(
    spans,
    st.lists(spans, max_size=6),
    st.lists(st.timedeltas(timedelta(0), timedelta(days=28)).map(lambda at: AT + at), max_size=8),
)
def test_the_shares_of_periods_add_up_to_the_whole(
    session: Interval, charging: list[Interval], boundaries: list[datetime]
) -> None:
    flow = flow_of(*session, charging)
    bounds = sorted({AT, *boundaries, AT + timedelta(days=100)})
    shares = [share(flow, *period) for period in pairwise(bounds)]
    assert sum(shares) == pytest.approx(1)
    assert all(0 <= part <= 1 for part in shares)


@given(spans, st.lists(spans, max_size=6), st.floats(0, 100), st.integers(0, 30 * 24))
def test_hours_and_shares_agree_at_every_hour(
    session: Interval, charging: list[Interval], amount: float, hours: int
) -> None:
    flow, boundary = flow_of(*session, charging), AT + hours * HOUR
    before = sum(part for hour, part in by_hour(amount, flow).items() if hour < boundary)
    assert before == pytest.approx(amount * share(flow, AT, boundary), abs=1e-9)


@given(spans, st.lists(spans, max_size=6))
def test_the_order_of_what_was_seen_does_not_matter(
    session: Interval, charging: list[Interval]
) -> None:
    flow = flow_of(*session, charging)
    assert flow_of(*session, reversed(charging)) == flow
    assert flow_of(*session, [*charging, *flow]) in (flow, flow_of(*session))
    assert all(before.end < after.start for before, after in pairwise(flow))
