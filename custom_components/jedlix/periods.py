"""Periods that an action means, such as this month, in the zone of Home Assistant."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

_DAY: Final = timedelta(days=1)
_WEEK: Final = timedelta(days=7)


class Period(NamedTuple):
    """The time from a moment up to another."""

    start: datetime
    end: datetime


def named_period(name: str, now: datetime) -> Period:
    """Return the period of a name in PERIODS; `now` is local. What is not over yet ends now."""
    return PERIODS[name](now)


def _day(now: datetime) -> datetime:
    """Return the local midnight before a moment."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)


def _week(now: datetime) -> datetime:
    """Return when the week began: on a Monday."""
    return _day(now) - now.weekday() * _DAY


def _month(now: datetime) -> datetime:
    return _day(now).replace(day=1)


def _year(now: datetime) -> datetime:
    return _month(now).replace(month=1)


def _before(begin: Callable[[datetime], datetime]) -> Callable[[datetime], Period]:
    """Return the whole day, week, month or year before."""
    return lambda now: Period(begin(begin(now) - _DAY), begin(now))


PERIODS: Final[dict[str, Callable[[datetime], Period]]] = {
    "today": lambda now: Period(_day(now), now),
    "yesterday": _before(_day),
    "this_week": lambda now: Period(_week(now), now),
    "last_week": _before(_week),
    "this_month": lambda now: Period(_month(now), now),
    "last_month": _before(_month),
    "this_year": lambda now: Period(_year(now), now),
    "last_year": _before(_year),
    "last_7_days": lambda now: Period(now - _WEEK, now),
    "last_30_days": lambda now: Period(now - 30 * _DAY, now),
    "last_365_days": lambda now: Period(now - 365 * _DAY, now),
}


def _whole(
    begin: Callable[[datetime], datetime], longest: timedelta, ahead: timedelta = timedelta(0)
) -> Callable[[datetime], Period]:
    """Return the whole day, week, month or year, or the one of a later moment; `longest` reaches its end."""
    return lambda now: Period(begin(now + ahead), begin(begin(now + ahead) + longest))


def _next(length: timedelta) -> Callable[[datetime], Period]:
    """Return the time from now on, of this length by any clock."""
    return lambda now: Period(now, (now.astimezone(UTC) + length).astimezone(now.tzinfo))


# A price is known ahead: what is not over does not end now.
PRICE_PERIODS: Final[dict[str, Callable[[datetime], Period]]] = {
    "today": _whole(_day, _DAY),
    "tomorrow": _whole(_day, _DAY, ahead=_DAY),
    "today_and_tomorrow": _whole(_day, 2 * _DAY),
    "next_24_hours": _next(_DAY),
    "next_48_hours": _next(2 * _DAY),
    "next_7_days": _next(_WEEK),
    "this_week": _whole(_week, _WEEK),
    "this_month": _whole(_month, 31 * _DAY),
    "this_year": _whole(_year, 366 * _DAY),
    **{name: PERIODS[name] for name in ("yesterday", "last_week", "last_month", "last_year")},
}
_PRICES_AHEAD: Final = 2 * _DAY


def price_period(
    now: datetime,
    *,
    name: str | None = None,
    start: datetime | None = None,
    duration: timedelta | None = None,
    end: datetime | None = None,
) -> Period | None:
    """Return a period of prices: a name in PRICE_PERIODS, or at most two of start, duration and end.

    It starts now if nothing says when, and lasts two days if nothing says how long. Returns None for other
    combinations.
    """
    given = [value for value in (start, duration, end) if value is not None]
    if name is not None:
        return None if given else PRICE_PERIODS[name](now)
    if len(given) > 2:  # noqa: PLR2004
        return None
    if start is None:
        # In UTC, so that a duration is as long in the nights in which the clock changes.
        start = now.astimezone(UTC) if duration is None or end is None else end - duration
    if end is None:
        end = start + (_PRICES_AHEAD if duration is None else duration)
    return Period(start, end)
