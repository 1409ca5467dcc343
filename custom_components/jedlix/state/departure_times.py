"""Departure times: until when a car has to be ready, as its charge settings say it.

The name `departureTimes` is documented, and that it is an object. What is in it is not known. So a shape is
recognized in an answer of Jedlix, or nothing is offered. Each value that looks like a time must be explained:
a time for all days, or one for a weekday or a group of weekdays.
"""

from collections.abc import Iterator, Mapping, Sequence
import copy
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta, tzinfo
from enum import StrEnum
from functools import lru_cache
import re
from typing import Any, Final

import orjson

from ..api import ChargeSettings
from ..api.reading import Fields, Json, moment, plain, words_of
from .days import ALL_DAYS, WEEKDAYS, weekday
from .time_of_day import in_style_of, read_time

READY_BY: Final = "ready_by"
"""What is written where a departure time is: the key of its entity."""
_TIME_KEYS: Final = frozenset(
    {"time", "departuretime", "departure", "readyby", "localtime", "value"}
)
_DAY_KEYS: Final = frozenset({"day", "days", "dayofweek", "daysofweek", "weekday", "weekdays"})
_FLAG_KEYS: Final = frozenset({"enabled", "isenabled", "active", "isactive"})
_PLACE: Final = re.compile("location|place|address")
# A text or a number that may be a time, a date or a duration.
_LIKE_A_TIME: Final = re.compile(
    r"\d\s*:\s*\d|\d{4}-\d\d-\d\d|^\s*\d{3,4}\s*$|^\s*\d{1,2}\.\d\d\s*$|^\s*\d{1,2}\s*[hH]\s*\d{0,2}\s*$"
    r"|^\s*\d{1,2}([:.]\d\d)?\s*[aApP]\.?[mM]\.?\s*$|^\s*[+-]?P[\dT]",
    re.ASCII,
)
_KEY_OF_A_TIME: Final = re.compile("time|hour|minute|second|duration|offset|departure|ready")
# A number is none of a time below a key of these words.
_KEY_OF_ANOTHER_NUMBER: Final = re.compile("level|percent")
# A date and time below a key of these words says when the settings were written.
_KEY_OF_CHANGE: Final = re.compile("changed|created|modified|updated")
_ZONE_NAME: Final = re.compile(r"[A-Za-z][\w+-]*(/[\w+-]+)*", re.ASCII)
# A key of these words gives the times below it another meaning.
_OTHER_MEANING: Final = frozenset(
    {
        "actual", "arrival", "begin", "changed", "created", "earliest", "end", "estimated", "exception",
        "exceptions", "from", "holiday", "holidays", "last", "max", "min", "modified", "next", "once",
        "override", "overrides", "previous", "recommended", "start", "suggested", "today", "tomorrow",
        "tonight", "trip", "until", "updated",
    }
)  # fmt: skip
_ALL_DAYS: Final = frozenset({"everyday", "eachday", "alldays"})

type Path = tuple[str | int, ...]
"""The keys and indexes that lead from the charge settings to a value."""


class Refusal(StrEnum):
    """Why no departure times are offered."""

    ABSENT = "absent"
    EMPTY = "empty"
    NOT_RECOGNIZED = "not_recognized"


@dataclass(frozen=True, slots=True)
class Departure:
    """One time in the settings: its weekdays, in order, and where it stands.

    `is_active`: no flag beside it says that it is switched off.
    `names_days`: the settings name its weekdays. Else it is the only time, for all days.
    """

    days: tuple[int, ...]
    path: Path
    at: time
    is_active: bool = True
    names_days: bool = True


@dataclass(frozen=True, slots=True)
class DepartureTimes:
    """The departure times of a car. `refusal` is None where they were recognized.

    `zones` are the names of time zones that the settings hold, that of the departure times first. A name may
    be no zone at all.
    """

    departures: tuple[Departure, ...] = ()
    zones: tuple[str, ...] = ()
    refusal: Refusal | None = None

    def of(self, days: tuple[int, ...]) -> Departure | None:
        """Return the departure of exactly these weekdays, None where there is none."""
        return next((item for item in self.departures if item.days == days), None)

    def next_after(self, now: datetime, zone: tzinfo) -> datetime | None:
        """Return the next departure in UTC, None where none is active.

        A time that occurs twice in a night means the first one. A time that the clock skips means the moment
        that is as long after midnight (RFC 5545 for both).
        """
        today = now.astimezone(zone).date()
        moments = (
            datetime.combine(day, departure.at, zone).astimezone(UTC)
            for day in (today + timedelta(days=ahead) for ahead in range(len(WEEKDAYS) + 1))
            for departure in self.departures
            if departure.is_active and day.weekday() in departure.days
        )
        return min((moment for moment in moments if moment > now), default=None)


class _NotRecognizedError(Exception):
    """The shape is not one of those that are certain."""


def departure_times(settings: ChargeSettings | None) -> DepartureTimes:
    """Return the departure times of charge settings, as far as their shape is recognized.

    The name is documented. The shapes are assumed: none is taken for granted, each answer is looked at.
    """
    if settings is None:
        return DepartureTimes(refusal=Refusal.ABSENT)
    return _of_settings(orjson.dumps(settings.raw))


# Entities ask with each change of a car, and settings change rarely.
@lru_cache(maxsize=2048)
def _of_settings(written: bytes) -> DepartureTimes:
    raw = orjson.loads(written)
    key = Fields(raw).key_of("departuretimes")
    if key is None or (data := raw[key]) is None:
        return DepartureTimes(refusal=Refusal.ABSENT)
    if data in ({}, []):
        return DepartureTimes(refusal=Refusal.EMPTY)
    try:
        departures = tuple(_departures(data, (key,)))
        _explain_all(data, key, (key,), {item.path for item in departures})
        if not all(item.names_days for item in departures):
            _check_no_days(data)
    except _NotRecognizedError:
        return DepartureTimes(refusal=Refusal.NOT_RECOGNIZED)
    if not departures:
        return DepartureTimes(refusal=Refusal.EMPTY)
    zones = [*_zones(data), *(name for other in raw for name in _zone(other, raw[other]))]
    return DepartureTimes(departures, tuple(dict.fromkeys(zones)))


def with_times(settings: ChargeSettings, times: Mapping[Path, time]) -> dict[str, Json]:
    """Return the whole settings, with the times at these paths in the style that each had."""
    raw: dict[str, Any] = copy.deepcopy(dict(settings.raw))
    for path, at in times.items():
        *above, last = path
        holder: Any = raw
        for key in above:
            holder = holder[key]
        holder[last] = in_style_of(holder[last], at)
    return raw


def is_time_of_change(key: str, value: object) -> bool:
    """Return whether a value is the date and time at which the settings were written last, or first."""
    return moment(value) is not None and _KEY_OF_CHANGE.search(plain(key)) is not None


def _departures(data: object, path: Path) -> Sequence[Departure]:
    """Return the departures of a shape, or of the only one that an object holds."""
    is_object = isinstance(data, dict | list)  # documented: no bare time
    if is_object and (found := _of_shape(data, path)) is not None:
        return found
    if not isinstance(data, dict):
        raise _NotRecognizedError
    shapes = {
        key: inner
        for key, value in data.items()
        if (inner := _of_shape(value, (*path, key))) is not None
    }
    if len(shapes) != 1:
        raise _NotRecognizedError
    [(key, found)] = shapes.items()
    if not _OTHER_MEANING.isdisjoint(words_of(key)):
        raise _NotRecognizedError
    return _inactive_where_off(found, data)


def _of_shape(data: object, path: Path) -> Sequence[Departure] | None:
    """Return the departures of one of the shapes, None where it is none of them."""
    if (at := read_time(data)) is not None:
        return [Departure(ALL_DAYS, path, at, names_days=False)]
    if isinstance(data, dict):
        return _of_object(data, path)
    if isinstance(data, list) and any(
        isinstance(item, dict) and _keys_in(item, _DAY_KEYS) for item in data
    ):
        return [*_of_items(data, path)]
    return None


def _of_object(data: dict[str, Any], path: Path) -> Sequence[Departure] | None:
    times = [key for key in _keys_in(data, _TIME_KEYS) if read_time(data[key]) is not None]
    if times and _keys_in(data, _DAY_KEYS):
        return [*_of_group(data, path)]
    days = {key: day for key in data if (day := weekday(key)) is not None}
    if not days:
        found = [*_of_item(data, path, ALL_DAYS)] if times else None
        return found and [replace(item, names_days=False) for item in found]
    if len(set(days.values())) < len(days):
        raise _NotRecognizedError
    found = [
        departure
        for key, day in days.items()
        for departure in _of_item(data[key], (*path, key), (day,))
    ]
    return _inactive_where_off(found, data)


def _inactive_where_off(found: Sequence[Departure], data: object) -> Sequence[Departure]:
    return [replace(item, is_active=False) for item in found] if _is_off(data) else found


def _of_items(items: Sequence[object], path: Path) -> Iterator[Departure]:
    """Yield the departures of a list by weekdays. No weekday is in two items, and all are of one place."""
    seen: set[int] = set()
    places: set[tuple[str, str]] = set()
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            raise _NotRecognizedError
        days = set(_days_of(item))
        if seen & days:
            raise _NotRecognizedError
        seen |= days
        places |= {(key, str(item[key])) for key in item if _PLACE.search(plain(key))}
        yield from _of_group(item, (*path, index))
    if len({key for key, _ in places}) < len(places):
        raise _NotRecognizedError


def _of_group(item: dict[str, object], path: Path) -> Iterator[Departure]:
    rest = {key: value for key, value in item.items() if plain(key) not in _DAY_KEYS}
    if read_time(rest) is not None:
        raise _NotRecognizedError  # hour and minute beside the days: not seen, and no value of its own
    yield from _of_item(rest, path, _days_of(item))


def _days_of(item: dict[str, object]) -> tuple[int, ...]:
    """Return the weekdays that an item names, in order."""
    if len(keys := _keys_in(item, _DAY_KEYS)) != 1:
        raise _NotRecognizedError
    named = item[keys[0]]
    days = [weekday(name) for name in (named if isinstance(named, list) else [named])]
    known = sorted({day for day in days if day is not None})
    if not known or len(known) < len(days):
        raise _NotRecognizedError
    return tuple(known)


def _of_item(item: object, path: Path, days: tuple[int, ...]) -> Iterator[Departure]:
    """Yield the only time of an item, none where it is null."""
    if item is None:
        return
    value = item
    is_active = True
    if isinstance(item, dict) and read_time(item) is None:
        keys = _keys_in(item, _TIME_KEYS)
        filled = [key for key in keys if item[key] is not None]
        if not keys or len(filled) > 1:
            raise _NotRecognizedError
        if not filled:
            return
        value, path = item[filled[0]], (*path, filled[0])
        is_active = not _is_off(item)
    if (at := read_time(value)) is None:
        raise _NotRecognizedError
    yield Departure(days, path, at, is_active)


def _explain_all(value: object, key: str, path: Path, explained: set[Path]) -> None:
    """Check that no other value than the explained ones, and no key, looks like a time."""
    if path in explained:
        return
    if _LIKE_A_TIME.search(key):
        raise _NotRecognizedError
    if isinstance(value, dict):
        for name, item in value.items():
            _explain_all(item, name, (*path, name), explained)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _explain_all(item, key, (*path, index), explained)
    elif _may_be_a_time(key, value):
        raise _NotRecognizedError


def _may_be_a_time(key: str, value: object) -> bool:
    """Return whether a text or a number may be a time, a date or a duration of unknown meaning."""
    name = plain(key)
    is_id = words_of(key)[-1:] == ["id"]
    if isinstance(value, str):
        is_explained = is_time_of_change(key, value) or (is_id and value.isdigit())
        return not is_explained and _LIKE_A_TIME.search(value) is not None
    is_explained = is_id or _KEY_OF_ANOTHER_NUMBER.search(name) is not None
    is_number = type(value) in {int, float}
    return is_number and not is_explained and _KEY_OF_A_TIME.search(name) is not None


def _check_no_days(data: object) -> None:
    """Check that no key or text beside a time for all days says something of days."""
    if isinstance(data, list):
        for item in data:
            _check_no_days(item)
            if weekday(item) is not None:
                raise _NotRecognizedError
    elif isinstance(data, dict):
        for key, value in data.items():
            if plain(key).isdigit():
                raise _NotRecognizedError
            _check_no_days(key)
            _check_no_days(value)
    elif isinstance(data, str):
        text = plain(data).replace(" ", "")
        if ("day" in text or "weekend" in text) and text not in _ALL_DAYS:
            raise _NotRecognizedError


def _is_off(data: object) -> bool:
    """Return whether a flag of an object says that its times do not count."""
    return isinstance(data, dict) and any(data[key] is False for key in _keys_in(data, _FLAG_KEYS))


def _zones(data: object) -> Iterator[str]:
    """Yield the names of time zones within the departure times."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _zone(key, value)
            yield from _zones(value)
    elif isinstance(data, list):
        for item in data:
            yield from _zones(item)


def _zone(key: str, value: object) -> Iterator[str]:
    """Yield a value that looks like the name of a time zone. Only its description is documented."""
    if "zone" in plain(key) and isinstance(value, str) and _ZONE_NAME.fullmatch(value):
        yield value


def _keys_in(data: Mapping[str, object], names: frozenset[str]) -> list[str]:
    return [key for key in data if plain(key) in names]
