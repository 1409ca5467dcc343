"""Read-back: whether charge settings that were written are what Jedlix then answers."""

from collections.abc import Collection, Iterator, Mapping
from datetime import time
from enum import StrEnum

from ..api import ChargeSettings
from ..api.reading import Json
from .departure_times import Path, departure_times, is_time_of_change
from .time_of_day import read_time


class Surprise(StrEnum):
    """What the settings say that were read again, other than what was written."""

    NOT_TAKEN_OVER = "not_taken_over"
    CHANGED_ELSEWHERE = "changed_elsewhere"


def surprise(
    written: Mapping[str, Json], read: Mapping[str, Json], paths: Collection[Path]
) -> Surprise | None:
    """Return what is wrong with settings that were read after a write to these paths, None if all is right.

    A time may be written in another style, an empty value may be left out, a key may be new where it is no
    departure time, and the time of the update may be another one.
    """
    different = set(_different(written, read, ()))
    if any(path[: len(place)] == place for path in paths for place in different):
        return Surprise.NOT_TAKEN_OVER
    if different or _departures(written) != _departures(read):
        return Surprise.CHANGED_ELSEWHERE
    return None


def _departures(settings: Mapping[str, Json]) -> dict[tuple[int, ...], time]:
    found = departure_times(ChargeSettings.from_json(settings)).departures
    return {departure.days: departure.at for departure in found}


def _different(written: object, read: object, path: Path) -> Iterator[Path]:
    """Yield where a written value was read as another one; one that is missing was read as null."""
    times = read_time(written), read_time(read)
    if None not in times:
        if times[0] != times[1]:
            yield path
        return
    if isinstance(written, dict) and isinstance(read, dict):
        for key, before in written.items():
            after = read.get(key)
            if not (is_time_of_change(key, before) and is_time_of_change(key, after)):
                yield from _different(before, after, (*path, key))
    elif isinstance(written, list) and isinstance(read, list) and len(written) == len(read):
        for index, (before, after) in enumerate(zip(written, read, strict=True)):
            yield from _different(before, after, (*path, index))
    elif written != read or isinstance(written, bool) != isinstance(read, bool):
        yield path
