"""Hours: how much of a session's energy, cost or savings belongs to an hour, or to a month.

One rule for sensors, statistics and actions: an amount belongs to the hours in which energy flowed. Those are
the intervals in which the car charged, where they are known, else the whole session evenly. So the amounts of
days add up to that of the month, and two sessions never share more than they have.

Everything is computed in UTC: Python counts between two local times as if clocks never changed.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

HOUR: Final = timedelta(hours=1)


class Interval(NamedTuple):
    """The time from a moment up to another, in any zone."""

    start: datetime
    end: datetime


type Flow = tuple[Interval, ...]
"""When energy flowed in a session: at least one interval, in order, none overlapping, in UTC."""


def flow_of(start: datetime, end: datetime, charging: Iterable[Interval] = ()) -> Flow:
    """Return when energy flowed in a session from `start` to `end`.

    `charging` are the intervals in which the car charged, in any order. They may overlap or reach beyond the
    session. Without one inside the session, energy flowed all the time. A session that ends before it begins
    has no length: its amount belongs to its start.
    """
    start = start.astimezone(UTC)
    end = max(start, end.astimezone(UTC))
    joined: list[Interval] = []
    for part in sorted(_within(interval, start, end) for interval in charging):
        if part.start >= part.end:
            continue
        if joined and part.start <= joined[-1].end:
            joined[-1] = Interval(joined[-1].start, max(joined[-1].end, part.end))
        else:
            joined.append(part)
    return tuple(joined) or (Interval(start, end),)


def share(flow: Flow, start: datetime, end: datetime) -> float:
    """Return which part of a session's amount belongs to the time from `start` up to `end`, from 0 to 1."""
    if not (whole := _length(flow)):
        return float(start <= flow[0].start < end)
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    parts = (_within(interval, start, end) for interval in flow)
    return _length(part for part in parts if part.start < part.end) / whole


def by_hour(amount: float, flow: Flow) -> dict[datetime, float]:
    """Return the part of an amount that belongs to each hour, by the hour's start in UTC.

    Hours without a part are left out.
    """
    if not (whole := _length(flow)):
        return {hour_of(flow[0].start): amount}
    within: dict[datetime, timedelta] = {}
    for start, end in flow:
        hour = hour_of(start)
        while hour < end:
            part = min(end, hour + HOUR) - max(start, hour)
            within[hour] = within.get(hour, timedelta(0)) + part
            hour += HOUR
    return {hour: amount * (part / whole) for hour, part in within.items()}


def hour_of(moment: datetime) -> datetime:
    """Return the start, in UTC, of the hour in which a moment lies."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _within(interval: Interval, start: datetime, end: datetime) -> Interval:
    """Return the part of an interval from `start` up to `end`, both UTC; it may end before it begins."""
    return Interval(
        max(start, interval.start.astimezone(UTC)), min(end, interval.end.astimezone(UTC))
    )


def _length(parts: Iterable[Interval]) -> timedelta:
    return sum((end - start for start, end in parts), timedelta(0))
