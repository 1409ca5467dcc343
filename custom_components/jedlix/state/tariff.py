"""Tariff: the price of a charging location at a moment, when it changes, and all prices of a period.

Jedlix writes tariffs in local time (documented). So the hours of a day are laid out by the clock on the wall,
and each stretch of time between two changes of that clock is read by itself.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Final, NamedTuple, Self

from ..api import TariffDetails, TariffInterval, TariffType
from .days import WEEKDAYS

_WHOLE_DAY: Final = 24 * 60
# Every price of a week comes within this time, also where a clock is put back.
_WEEK_AND_A_DAY: Final = timedelta(days=8)
# A clock is put on or back at most once in this time.
_BETWEEN_JUMPS: Final = timedelta(hours=12)
# Types that stand alone (documented).
_ALONE: Final = frozenset({TariffType.STANDARD, TariffType.DYNAMIC})


class UnclearTariff(Exception):
    """The tariffs of a location do not say what every minute costs; the message says why."""


class Hours(NamedTuple):
    """The minutes of a day, from the first up to the last, in which one type holds."""

    first: int
    last: int
    type: TariffType


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A time in which one type holds, from `start` up to `end` (UTC), and its price per kWh.

    The price is None where it is dynamic: Jedlix then writes 0 (SDK), which is no price.
    """

    start: datetime
    end: datetime
    type: TariffType
    price: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """The prices per kWh by type, in one currency, and the hours of Monday to Sunday.

    `currency` is None where Jedlix names none.
    """

    currency: str | None
    prices: Mapping[TariffType, float | None]
    week: tuple[tuple[Hours, ...], ...]

    @classmethod
    def recognize(cls, details: TariffDetails) -> Self:
        """Return the tariff of a location.

        Documented: each type at most once; `standard` and `dynamic` stand alone; the intervals of the others
        cover all days as a whole. Raises UnclearTariff where that is not so: a price that is true in some
        hours only is worse than none.
        """
        kinds = [tariff.type for tariff in details.tariffs]
        if None in kinds:
            raise UnclearTariff("a type is not known")
        prices = {
            tariff.type: tariff.price for tariff in details.tariffs if tariff.type is not None
        }
        if len(prices) < len(kinds):
            raise UnclearTariff("a type is there twice")
        currencies = {tariff.currency for tariff in details.tariffs} - {None}
        if len(currencies) > 1:
            raise UnclearTariff("there are several currencies")
        alone = next(iter(_ALONE & prices.keys()), None)
        if alone is not None and len(prices) > 1:
            raise UnclearTariff("a type that stands alone has others beside it")
        week = _week(details.tariff_intervals) if alone is None else _every_day(alone)
        used = {hours.type for day in week for hours in day}
        if not used <= prices.keys():
            raise UnclearTariff("an interval has a type without a price")
        if TariffType.DYNAMIC in prices:
            prices = {TariffType.DYNAMIC: None}
        elif None in prices.values():
            raise UnclearTariff("a type has no price")
        return cls(currency=next(iter(currencies), None), prices=prices, week=week)

    @property
    def is_dynamic(self) -> bool:
        """Return whether the price follows the market (documented): Jedlix does not report it here."""
        return TariffType.DYNAMIC in self.prices

    def slot_at(self, moment: datetime, zone: tzinfo) -> Slot:
        """Return the slot of a moment, by the local time of a zone; it begins at that moment.

        It ends with the next change of the type, at most 8 days later.
        """
        return next(self.slots(moment, moment + _WEEK_AND_A_DAY, zone))

    def next_price_change(self, moment: datetime, zone: tzinfo) -> datetime | None:
        """Return when the price changes next (UTC), None where it never does, or is not known."""
        slots = self.slots(moment, moment + _WEEK_AND_A_DAY, zone)
        price = next(slots).price
        return next((slot.start for slot in slots if slot.price != price), None)

    def slots(self, start: datetime, end: datetime, zone: tzinfo) -> Iterator[Slot]:
        """Yield the slots of a period without a gap, oldest first, by the local time of a zone."""
        held: Slot | None = None
        for part in self._parts(start.astimezone(UTC), end.astimezone(UTC), zone):
            if held is not None and held.type is part.type:
                held = replace(held, end=part.end)
                continue
            if held is not None:
                yield held
            held = part
        if held is not None:
            yield held

    def _parts(self, start: datetime, end: datetime, zone: tzinfo) -> Iterator[Slot]:
        """Yield the slots of a period, cut at midnight and where a clock is put on or back."""
        for begin, finish, offset in _stretches(start, end, zone):
            local_begin, local_finish = (
                (moment + offset).replace(tzinfo=None) for moment in (begin, finish)
            )
            midnight = datetime.combine(local_begin.date(), time())
            while midnight < local_finish:
                for hours in self.week[midnight.weekday()]:
                    first = max(local_begin, midnight + timedelta(minutes=hours.first))
                    last = min(local_finish, midnight + timedelta(minutes=hours.last))
                    if first < last:
                        yield Slot(
                            start=first.replace(tzinfo=UTC) - offset,
                            end=last.replace(tzinfo=UTC) - offset,
                            type=hours.type,
                            price=self.prices[hours.type],
                        )
                midnight += timedelta(days=1)


def _week(intervals: Iterable[TariffInterval]) -> tuple[tuple[Hours, ...], ...]:
    """Return the hours of Monday to Sunday; raises UnclearTariff where they do not cover all days.

    An interval without days is read as one of every day, one without a time as one from or up to midnight:
    only so it can be part of whole days, and that is checked.
    """
    week: dict[str, list[Hours]] = {day: [] for day in WEEKDAYS}
    for interval in intervals:
        if (kind := interval.tariff_type) is None:
            raise UnclearTariff("an interval has no type")
        first = 0 if interval.start_time is None else _minutes(interval.start_time)
        last = 0 if interval.end_time is None else _minutes(interval.end_time)
        last = last or _WHOLE_DAY
        if first >= last:
            raise UnclearTariff("an interval ends before it starts")
        for day in interval.days_of_week or WEEKDAYS:
            if day not in week:
                raise UnclearTariff("a day of the week is not known")
            week[day].append(Hours(first, last, kind))
    return tuple(_whole_day(day, sorted(hours)) for day, hours in week.items())


def _every_day(kind: TariffType) -> tuple[tuple[Hours, ...], ...]:
    """Return the hours of Monday to Sunday of a type that stands alone."""
    return ((Hours(0, _WHOLE_DAY, kind),),) * len(WEEKDAYS)


def _whole_day(day: str, hours: list[Hours]) -> tuple[Hours, ...]:
    """Return the hours of a day; raises UnclearTariff where there is a gap or an overlap."""
    reached = 0
    for part in hours:
        if part.first != reached:
            raise UnclearTariff(f"{day} has {'a gap' if part.first > reached else 'an overlap'}")
        reached = part.last
    if reached != _WHOLE_DAY:
        raise UnclearTariff(f"{day} is not whole")
    return tuple(hours)


def _minutes(text: str) -> int:
    """Return the minutes since midnight of `HH:mm`, up to 24:00; raises UnclearTariff."""
    hour, _, rest = text.partition(":")
    minute = rest.removesuffix(":00") if len(rest) > len("00") else rest
    if all(part.isascii() and part.isdigit() and len(part) <= len("00") for part in (hour, minute)):
        minutes = int(hour) * 60 + int(minute)
        if int(minute) < 60 and minutes <= _WHOLE_DAY:  # noqa: PLR2004  an hour
            return minutes
    raise UnclearTariff("a time cannot be read")


def _stretches(
    start: datetime, end: datetime, zone: tzinfo
) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """Yield the stretches of a period in which no clock is put on or back, with their offset from UTC."""
    while start < end:
        offset = _offset(start, zone)
        finish = _end_of_stretch(start, end, zone)
        yield start, finish, offset
        start = finish


def _end_of_stretch(start: datetime, end: datetime, zone: tzinfo) -> datetime:
    """Return when a clock is put on or back after `start`, or `end` where that is sooner."""
    offset, same = _offset(start, zone), start
    while same < end:
        other = min(same + _BETWEEN_JUMPS, end)
        if _offset(other, zone) == offset:
            same = other
            continue
        while other - same > timedelta.resolution:
            middle = same + (other - same) // 2
            if _offset(middle, zone) == offset:
                same = middle
            else:
                other = middle
        return other
    return end


def _offset(moment: datetime, zone: tzinfo) -> timedelta:
    """Return how far the local time of a zone is ahead of UTC at a moment."""
    return moment.astimezone(zone).utcoffset() or timedelta(0)
