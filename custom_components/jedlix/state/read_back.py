"""Read-back: whether charge settings that were written are what Jedlix then answers."""

from collections.abc import Collection, Iterator, Mapping
from enum import StrEnum
from typing import Final

from ..api.reading import Json, moment, plain
from .departure_times import Path, read_time

_OF_THE_ANSWER: Final = frozenset({"updatedat", "modifiedat", "changedat", "lastupdated"})


class Surprise(StrEnum):
    """What the settings say that were read again, other than what was written."""

    NOT_TAKEN_OVER = "not_taken_over"
    CHANGED_ELSEWHERE = "changed_elsewhere"


def surprise(
    written: Mapping[str, Json], read: Mapping[str, Json], paths: Collection[Path]
) -> Surprise | None:
    """Return what is wrong with settings that were read after a write to these paths, None if all is right.

    A time may be written in another style, an empty value may be left out, and the time of the update may be
    another one.
    """
    different = set(_different(written, read, ()))
    if not different:
        return None
    if any(path[: len(place)] == place for path in paths for place in different):
        return Surprise.NOT_TAKEN_OVER
    return Surprise.CHANGED_ELSEWHERE


def _different(written: object, read: object, path: Path) -> Iterator[Path]:
    """Yield where two values differ; a value that is missing in one of them is null there."""
    times = read_time(written), read_time(read)
    if None not in times:
        if times[0] != times[1]:
            yield path
        return
    if isinstance(written, dict) and isinstance(read, dict):
        for key in written.keys() | read.keys():
            before, after = written.get(key), read.get(key)
            is_update = plain(key) in _OF_THE_ANSWER
            if not (is_update and moment(before) is not None and moment(after) is not None):
                yield from _different(before, after, (*path, key))
    elif isinstance(written, list) and isinstance(read, list) and len(written) == len(read):
        for index, (before, after) in enumerate(zip(written, read, strict=True)):
            yield from _different(before, after, (*path, index))
    elif written != read or isinstance(written, bool) != isinstance(read, bool):
        yield path
