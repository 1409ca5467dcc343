"""Periods that an action may name, such as this month, in the zone of Home Assistant."""

from collections.abc import Callable
from datetime import datetime, timedelta
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
