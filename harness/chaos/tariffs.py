"""Tariffs: what a kWh costs at a charging location, read minute by minute out of what Jedlix lists."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
import re
from typing import Any

from .zone import TIME_ZONE, is_local

_MINUTE = timedelta(minutes=1)


def prices_of(tariff: Mapping[str, Any]) -> dict[str, Any]:
    """Return the price of each type of a tariff."""
    return {item["type"]: item["price"] for item in tariff["tariffs"]}


def only_type(tariff: Mapping[str, Any]) -> str | None:
    """Return the type that a tariff has at any time, None where the time decides."""
    return next((kind for kind in ("standard", "dynamic") if kind in prices_of(tariff)), None)


def type_at(tariff: Mapping[str, Any], moment: datetime) -> str:
    """Return the type of a tariff at a moment, in Home Assistant's zone."""
    local = moment.astimezone(TIME_ZONE)
    day, clock = f"{local:%A}".lower(), f"{local:%H:%M}"
    return only_type(tariff) or next(
        item["tariffType"]
        for item in tariff["tariffIntervals"]
        if day in item["daysOfWeek"] and item["startTime"] <= clock < item["endTime"]
    )


def shown_type(kind: str) -> str:
    """Return how Home Assistant writes a type: offPeak is off_peak."""
    return re.sub("([A-Z])", r"_\1", kind).lower()


def minutes_after(moment: datetime, count: int) -> Iterator[datetime]:
    """Yield the next whole minutes, in UTC."""
    begin = moment.replace(second=0, microsecond=0).astimezone(UTC)
    for number in range(1, count + 1):
        yield begin + number * _MINUTE


def wrong_slots(
    slots: Sequence[Mapping[str, Any]], tariff: Mapping[str, Any], begin: datetime, end: datetime
) -> Iterator[str]:
    """Yield what is wrong in the prices of a period: each minute has one, and none has two."""
    if only_type(tariff) == "dynamic":
        if slots:
            yield f"{len(slots)} prices of a dynamic tariff"
        return
    prices, at = prices_of(tariff), begin
    for slot in slots:
        start, stop = (datetime.fromisoformat(slot[name]) for name in ("start", "end"))
        if start != at or stop <= start or not (is_local(slot["start"]) and is_local(slot["end"])):
            yield f"from {start} to {stop} after {at}"
            return
        for moment in (start, *minutes_after(start, int((stop - start) / _MINUTE) - 1)):
            kind = type_at(tariff, moment)
            wanted = prices[kind], shown_type(kind)
            if (shown := (slot["price"], slot["tariff_type"])) != wanted:
                yield f"{shown} at {moment}, not {wanted}"
                return
        at = stop
    if at != end:
        yield f"until {at}, not {end}"
