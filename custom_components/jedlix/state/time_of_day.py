"""Time of day: read in each style in which it may be written, and written in the style that it had."""

from datetime import time
import re
from typing import Final

from ..api.reading import Json, plain

_TIME: Final = re.compile(r"(\d{1,2}):(\d\d)(:\d\d(\.0+)?)?", re.ASCII)
_TIME_OF_DAY: Final = (frozenset({"hour", "minute"}), frozenset({"hour", "minute", "second"}))


def read_time(value: object) -> time | None:
    """Return a time of day written as 7:30, 07:30, 07:30:00 or hour and minute; None for anything else.

    A time with a zone, and 24:00, is none.
    """
    if isinstance(value, dict):
        parts = {_singular(key): part for key, part in value.items()}
        if len(parts) < len(value) or frozenset(parts) not in _TIME_OF_DAY:
            return None
        numbers = [parts["hour"], parts["minute"], parts.get("second", 0)]
        if not all(type(number) is int for number in numbers):
            return None
        hour, minute, second = numbers
    elif isinstance(value, str) and (found := _TIME.fullmatch(value)) is not None:
        hour, minute = int(found[1]), int(found[2])
        second = int(found[3][1:3]) if found[3] else 0
    else:
        return None
    try:
        return time(hour, minute, second)
    except ValueError:
        return None


def in_style_of(old: object, at: time) -> Json:
    """Return a time, to the minute, written as the one that it replaces."""
    if isinstance(old, dict):
        values = {"hour": at.hour, "minute": at.minute, "second": 0}
        return {key: values[_singular(key)] for key in old}
    found = _TIME.fullmatch(str(old))
    if found is None:
        raise ValueError("not a time")
    hour = f"{at.hour:02d}" if len(found[1]) > 1 else str(at.hour)
    seconds = f":00{found[4] or ''}" if found[3] else ""
    return f"{hour}:{at.minute:02d}{seconds}"


def _singular(key: str) -> str:
    return plain(key).removesuffix("s")
