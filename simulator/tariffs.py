"""Tariffs of charging locations: shapes as documented and in the SDK, and some that break the rules.

The prices are invented. The path of the call that creates tariffs is unknown, so there is none: a person sets
them on the page, at the start or through /control/.
"""

from collections.abc import Sequence

from . import prices
from .model import JsonObject

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WEEK, _WEEKEND = _DAYS[:5], _DAYS[5:]
_PRICES = {"standard": 0.3012, "peak": 0.4123, "offPeak": 0.3242, "superOffPeak": 0.1957}


def _tariffs(kinds: str, *intervals: JsonObject) -> JsonObject:
    """Return tariffs of some types; a dynamic one has the price 0 (SDK)."""
    return {
        "tariffs": [
            {"currency": prices.CURRENCY, "price": _PRICES.get(kind, 0), "type": kind}
            for kind in kinds.split()
        ],
        "tariffIntervals": list(intervals),
        "holidayTariffIntervals": None,
    }


def _day(days: Sequence[str], *bounds: str) -> list[JsonObject]:
    """Return the intervals of some days: times, with the types between them."""
    return [
        {"daysOfWeek": list(days), "startTime": start, "endTime": end, "tariffType": kind}
        for start, kind, end in zip(bounds[::2], bounds[1::2], bounds[2::2], strict=False)
    ]


TARIFFS: dict[str, JsonObject | None] = {
    "none": None,
    "single": _tariffs("standard", *_day(_DAYS, "00:00", "standard", "24:00")),
    "high_low": _tariffs(
        "peak offPeak",
        *_day(_DAYS, "00:00", "offPeak", "07:00", "peak", "23:00", "offPeak", "24:00"),
    ),
    "weekend": _tariffs(
        "peak offPeak",
        *_day(_WEEK, "00:00", "offPeak", "07:00", "peak", "23:00", "offPeak", "24:00"),
        *_day(_WEEKEND, "00:00", "offPeak", "24:00"),
    ),
    "three_rates": _tariffs(
        "peak offPeak superOffPeak",
        *_day(_WEEK, "00:00", "superOffPeak", "06:00", "offPeak", "16:30", "peak", "21:00"),
        *_day(_WEEK, "21:00", "offPeak", "24:00"),
        *_day(_WEEKEND, "00:00", "superOffPeak", "02:30", "offPeak", "24:00"),
    ),
    "dynamic": _tariffs("dynamic", *_day(_DAYS, "00:00", "dynamic", "24:00")),
    "no_intervals": _tariffs("standard"),
    "missing_day": _tariffs(
        "peak offPeak", *_day(_DAYS[:6], "00:00", "offPeak", "07:00", "peak", "24:00")
    ),
    "overlap": _tariffs(
        "peak offPeak",
        *_day(_DAYS, "00:00", "offPeak", "08:00"),
        *_day(_DAYS, "07:00", "peak", "24:00"),
    ),
    "twice": _tariffs(
        "peak offPeak peak", *_day(_DAYS, "00:00", "offPeak", "07:00", "peak", "24:00")
    ),
}
"""By name: none, those that keep the documented rules, and the last three, which break one each."""

_AT_THE_START = ("high_low", "dynamic", "single")


def of_user(number: int) -> str:
    """Return the tariffs that the home of a user has at the start, where none are asked for."""
    return _AT_THE_START[(number - 1) % len(_AT_THE_START)]


def is_dynamic(tariff: JsonObject | None) -> bool:
    """Return whether the price follows the market (documented)."""
    return tariff is not None and any(item.get("type") == "dynamic" for item in tariff["tariffs"])
