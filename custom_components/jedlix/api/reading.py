"""Lenient readers: ids, dates, numbers, lists and pages.

The API has no public schema. A key may be spelled in another case or style, a date may have no zone, a list
may come bare or inside a page. A value that cannot be read is `None`; only an answer of an impossible kind
raises, and always `BadAnswer`.
"""

from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from math import isfinite
import re
from typing import Final

import orjson

from .errors import BadAnswer

type Json = bool | float | str | list[Json] | dict[str, Json] | None

# .NET writes its zero date instead of null; no car charged before this year.
_MIN_YEAR: Final = 2000
# No local time of a later year can be shown.
_LAST_YEAR: Final = 9998
_MAX_NUMBER: Final = 1e15
_MAX_KEYS_LENGTH: Final = 300
# orjson writes at most 254 levels. With fewer brackets than this there cannot be too many levels.
_MAX_BRACKETS_UNCHECKED: Final = 200
_WORD_OF_KEY: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_LIST_KEYS: Final = ("items", "data", "results", "value", "values")


def read_json(body: bytes) -> object:
    """Return JSON that can also be written again.

    Raises orjson.JSONDecodeError for a body that is not JSON, BadAnswer for one that is nested too deep.
    """
    data = orjson.loads(body.removeprefix(BOM_UTF8))
    if body.count(b"{") + body.count(b"[") > _MAX_BRACKETS_UNCHECKED:
        try:
            # orjson reads deeper than it writes, and a message is later put into other objects.
            orjson.dumps([[[[[[[[data]]]]]]]])
        except orjson.JSONEncodeError as err:
            raise BadAnswer("the JSON is nested too deep") from err
    return data


def _keys(data: Mapping[str, object]) -> str:
    return str(sorted(data))[:_MAX_KEYS_LENGTH]


def plain(key: str) -> str:
    """Return the plain form of a key: lower case, no separators."""
    return key.lower().replace("_", "").replace("-", "")


def words_of(key: str) -> list[str]:
    """Return the words of a key in lower case: those of `isSolarOn` are is, solar and on."""
    return [word.lower() for word in _WORD_OF_KEY.findall(key)]


@lru_cache(maxsize=256)
def _spellings(keys: tuple[str, ...]) -> Mapping[str, str]:
    """Map the plain form of each key to the key as it came."""
    return {plain(key): key for key in reversed(keys)}


class Fields:
    """The fields of one JSON object, found in whatever style their names are written."""

    __slots__ = ("_spellings", "raw")

    def __init__(self, data: object) -> None:
        """Read an object; anything else raises `BadAnswer`."""
        if not isinstance(data, dict):
            raise BadAnswer(f"expected an object, got {type(data).__name__}")
        self.raw: dict[str, Json] = data
        self._spellings = _spellings(tuple(data))

    def get(self, *names: str) -> object:
        """Return the first of these fields that has a value; names are given in plain form."""
        for name in names:
            if (key := self._spellings.get(name)) is not None and (
                value := self.raw[key]
            ) is not None:
                return value
        return None

    def key_of(self, name: str) -> str | None:
        """Return the key of a field as Jedlix wrote it, or None; the name is given in plain form."""
        return self._spellings.get(name)

    def required_id(self, *names: str) -> str:
        """Return the first of these fields as an id; raises `BadAnswer` when none has one."""
        if (value := text(self.get(*names))) is None:
            raise BadAnswer(f"no {names[0]} in the object with the keys {_keys(self.raw)}")
        return value


def text(value: object) -> str | None:
    """Return a non-empty string; whole numbers count, since ids are opaque."""
    if isinstance(value, str):
        if not value.isprintable():  # control characters belong in no id and no name
            value = "".join(char if char.isprintable() else " " * char.isspace() for char in value)
        return value.strip() or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) < _MAX_NUMBER else None
    return None


def boolean(value: object) -> bool | None:
    """Return true or false, also from their names."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower())
    return None


def number(value: object) -> float | None:
    """Return a finite number of plausible size, also from a string."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, int | float) and -_MAX_NUMBER < value < _MAX_NUMBER and isfinite(value):
        return float(value)
    return None


def integer(value: object) -> int | None:
    """Return a number, rounded."""
    return None if (read := number(value)) is None else round(read)


def percent(value: object) -> int | None:
    """Return a whole percentage, None outside of 0 to 100."""
    read = integer(value)
    return read if read is not None and 0 <= read <= 100 else None  # noqa: PLR2004


def moment(value: object) -> datetime | None:
    """Return a date-time in UTC: v1 writes it without a zone (SDK), v2 with a Z (documented)."""
    if not isinstance(value, str):
        return None
    try:
        read = datetime.fromisoformat(value)
        if read.tzinfo is not UTC:
            read = read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except ValueError, OverflowError:
        return None
    return read if _MIN_YEAR <= read.year <= _LAST_YEAR else None


def wire_time(value: datetime) -> str:
    """Write a date-time as Jedlix documents it for v2: yyyy-MM-ddTHH:mm:ss.fffZ."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def currency(value: object) -> str | None:
    """Return a currency in capital letters (ISO 4217: documented for prices), however it is spelled."""
    return None if (read := text(value)) is None else read.upper()


def money(value: object) -> tuple[float | None, str | None]:
    """Return amount and currency of a number, or of an object (or list of one) that holds both."""
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, dict):
        fields = Fields(value)
        return number(fields.get("amount", "value", "price")), currency(fields.get("currency"))
    return number(value), None


class Incomplete[T](tuple[T, ...]):
    """The items of an answer of which one could not be read: what is not among them may be that one."""

    __slots__ = ()


def join_pages[T](pages: Iterable[tuple[T, ...]]) -> tuple[T, ...]:
    """Return the items of pages, `Incomplete` where those of one page are."""
    pages = tuple(pages)
    items = (item for page in pages for item in page)
    return (
        Incomplete(items) if any(isinstance(page, Incomplete) for page in pages) else tuple(items)
    )


@dataclass(frozen=True, slots=True)
class Page[T]:
    """Items of one answer, and whether another page follows."""

    items: tuple[T, ...]
    has_more: bool


def read_page[T](data: object, read: Callable[[object], T]) -> Page[T]:
    """Read a bare array (v1, SDK) or a page of items (v2, documented).

    An item that cannot be read is left out, so that one odd car does not hide the others; the items are then
    `Incomplete`. If none can be read, the answer is not a list of such items: `BadAnswer`.
    """
    has_more = False
    if isinstance(data, dict):
        fields = Fields(data)
        items = next(
            (found for key in _LIST_KEYS if isinstance(found := fields.get(key), list)), None
        )
        if items is None and integer(fields.get("totalcount")) == 0:
            items = []
        if items is None:
            raise BadAnswer(f"expected a list or a page, got the keys {_keys(data)}")
        has_more = (integer(fields.get("pageindex")) or 1) < (
            integer(fields.get("totalpages")) or 1
        )
    elif isinstance(data, list):
        items = data
    else:
        raise BadAnswer(f"expected a list, got {type(data).__name__}")
    readable = tuple(_readable(items, read))
    if items and not readable:
        raise BadAnswer("no item of the list has an id")
    return Page(readable if len(readable) == len(items) else Incomplete(readable), has_more)


def _readable[T](items: Iterable[object], read: Callable[[object], T]) -> Iterable[T]:
    for item in items:
        try:
            yield read(item)
        except BadAnswer:
            continue
