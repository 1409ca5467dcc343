"""Tariffs: what is recognized, and prices against a truth that asks every minute by itself."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
import random
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from custom_components.jedlix.api import TariffDetails, TariffType
from custom_components.jedlix.state.tariff import Slot, Tariff, UnclearTariff

DAYS: Final = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
PRICES: Final = {"standard": 0.31, "peak": 0.4123, "offPeak": 0.3242, "superOffPeak": 0.12}
MINUTE: Final = timedelta(minutes=1)
DAY: Final = timedelta(days=1)

type Json = dict[str, Any]


def price(kind: str, of: float | None = None, currency: str | None = "EUR") -> Json:
    """Return what a type costs, as Jedlix writes it."""
    return {"currency": currency, "price": PRICES.get(kind, 0) if of is None else of, "type": kind}


def hours(start: str | None, end: str | None, kind: str, days: object = DAYS) -> Json:
    """Return an interval, as Jedlix writes it."""
    return {"daysOfWeek": days, "startTime": start, "endTime": end, "tariffType": kind}


def day(*bounds: str, days: object = DAYS) -> list[Json]:
    """Return the intervals of whole days: times, with the types between them."""
    return [
        hours(start, end, kind, days)
        for start, kind, end in zip(bounds[::2], bounds[1::2], bounds[2::2], strict=False)
    ]


def details(kinds: str, *intervals: Json) -> Json:
    """Return the tariffs of a location, as Jedlix writes them."""
    return {
        "chargingLocationId": "home",
        "tariffs": [price(kind) for kind in kinds.split()],
        "tariffIntervals": list(intervals),
        "holidayTariffIntervals": None,
    }


def tariff_of(data: Json) -> Tariff:
    """Return the tariff that Jedlix's answer means."""
    read = TariffDetails.from_json(data)
    assert read is not None
    return Tariff.recognize(read)


HIGH_AND_LOW: Final = details(
    "peak offPeak",
    *day("00:00", "offPeak", "07:00", "peak", "23:00", "offPeak", "24:00", days=DAYS[:5]),
    *day("00:00", "offPeak", "24:00", days=DAYS[5:]),
)
TARIFFS: Final[Mapping[str, Json]] = {
    "single": details("standard"),
    "single, with intervals": details("standard", *day("00:00", "standard", "24:00")),
    "high and low, as documented": HIGH_AND_LOW,
    "in the hours of the clock": details(
        "peak offPeak superOffPeak",
        *day("00:00", "offPeak", "01:30", "peak", "02:15", "superOffPeak", "02:45", "offPeak"),
        *day("02:45", "offPeak", "03:00", "peak", "24:00"),
    ),
    "weekend": details(
        "peak superOffPeak",
        *day("00:00", "peak", "24:00", days=[name.upper() for name in DAYS[:5]]),
        *day("00:00", "superOffPeak", "00:00", days=DAYS[5:]),
    ),
    "a day for each": details(
        "peak offPeak superOffPeak",
        *(
            interval
            for n, name in enumerate(DAYS)
            for interval in day(
                *("00:00", "offPeak", f"0{n}:{7 * n + 1:02}", "peak", f"{12 + n}:00:00"),
                *("superOffPeak", "23:59", "offPeak", "24:00"),
                days=[name],
            )
        ),
    ),
    "without days and outer times": details(
        "peak offPeak", hours(None, "02:30", "offPeak", None), hours("02:30", None, "peak", [])
    ),
    "one price in all intervals": details("peak", *day("00:00", "peak", "12:00", "peak", "24:00")),
}


def end_of(interval: Json) -> str:
    """Return the end of an interval, midnight as 24:00."""
    end = (interval["endTime"] or "24:00")[:5]
    return "24:00" if end == "00:00" else end


def price_by_the_clock(data: Json, local: datetime) -> float:
    """Return the price of a local time: found by reading the intervals one by one."""
    of_types = {item["type"]: item["price"] for item in data["tariffs"]}
    if "standard" in of_types:
        return float(of_types["standard"])
    clock = f"{local:%H:%M}"
    (kind,) = {
        item["tariffType"]
        for item in data["tariffIntervals"]
        if DAYS[local.weekday()] in [name.lower() for name in item["daysOfWeek"] or DAYS]
        and (item["startTime"] or "00:00")[:5] <= clock < end_of(item)
    }
    return float(of_types[kind])


def minutes(start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield every minute of a period."""
    while start < end:
        yield start
        start += MINUTE


# Zones, and days on whose nights their clocks are put on and back.
JUMPS: Final = [
    pytest.param(zone, date, id=f"{zone} {date}")
    for zone, dates in {
        "Europe/Amsterdam": ("2026-03-29", "2026-10-25", "2026-06-01"),
        "Europe/London": ("2026-03-29", "2026-10-25"),
        "America/New_York": ("2026-03-08", "2026-11-01"),
        "Australia/Lord_Howe": ("2026-04-05", "2026-10-04"),
        "Africa/Cairo": ("2026-04-24", "2026-10-29"),
        "Asia/Kolkata": ("2026-03-29",),
        "UTC": ("2026-10-25",),
    }.items()
    for date in dates
]


@pytest.mark.parametrize("name", TARIFFS)
@pytest.mark.parametrize(("zone_name", "date"), JUMPS)
def test_the_series_has_the_price_of_every_minute_on_nights_when_clocks_change(
    zone_name: str, date: str, name: str
) -> None:
    """Three days, from noon to noon, around the change."""
    zone, data = ZoneInfo(zone_name), TARIFFS[name]
    noon = datetime.fromisoformat(f"{date}T12:00").replace(tzinfo=zone).astimezone(UTC)
    start, end = noon - 2 * DAY, noon + DAY
    slots = list(tariff_of(data).slots(start, end, zone))
    assert (slots[0].start, slots[-1].end) == (start, end)
    assert all(before.end == after.start for before, after in pairwise(slots))
    assert all(before.type is not after.type for before, after in pairwise(slots))
    found = {minute: slot.price for slot in slots for minute in minutes(slot.start, slot.end)}
    expected = {
        minute: price_by_the_clock(data, minute.astimezone(zone)) for minute in minutes(start, end)
    }
    assert len(expected) == 3 * 24 * 60
    differing = [minute for minute in expected if found[minute] != expected[minute]]
    assert len(differing) == 0, differing


@pytest.mark.parametrize("seed", range(20))
def test_a_price_and_its_next_change_agree_with_the_series(seed: int) -> None:
    """A moment anywhere, in a week that one has not seen."""
    chance = random.Random(seed)
    zone = ZoneInfo(chance.choice(["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"]))
    data = details("peak offPeak superOffPeak")
    for name in DAYS:
        bounds = sorted(chance.sample(range(1, 24 * 60), chance.randint(0, 5)))
        times = [f"{at // 60:02}:{at % 60:02}" for at in (0, *bounds, 24 * 60)]
        data["tariffIntervals"] += [
            hours(*times_of, chance.choice(["peak", "offPeak", "superOffPeak"]), [name])
            for times_of in pairwise(times)
        ]
    tariff = tariff_of(data)
    moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=chance.randrange(365 * 86400))
    here = tariff.slot_at(moment, zone)
    assert here.price == price_by_the_clock(data, moment.astimezone(zone))
    change = next(
        (
            minute
            for minute in minutes(moment.replace(second=0) + MINUTE, moment + 8 * DAY)
            if price_by_the_clock(data, minute.astimezone(zone)) != here.price
        ),
        None,
    )
    assert change is not None
    assert tariff.next_price_change(moment, zone) == change
    assert here.end == change  # here, types differ in price


def test_the_types_of_all_tariffs_are_known() -> None:
    shown = [slot.type for slot in tariff_of(TARIFFS["a day for each"]).slots(*_week(), UTC)]
    assert shown[:4] == ["off_peak", "peak", "super_off_peak", "off_peak"]
    assert {slot.type for slot in tariff_of(TARIFFS["single"]).slots(*_week(), UTC)} == {"standard"}


def _week() -> tuple[datetime, datetime]:
    monday = datetime(2026, 6, 1, tzinfo=UTC)
    return monday, monday + 7 * DAY


def test_a_single_price_never_changes() -> None:
    start, end = _week()
    tariff = tariff_of(TARIFFS["single"])
    assert tariff.next_price_change(start, UTC) is None
    assert list(tariff.slots(start, end, UTC)) == [
        Slot(start=start, end=end, type=TariffType.STANDARD, price=0.31)
    ]
    assert not list(tariff.slots(end, start, UTC))


def test_a_change_of_the_type_alone_is_no_change_of_the_price() -> None:
    data = details("", *day("00:00", "peak", "07:00", "offPeak", "24:00"))
    data["tariffs"] = [price("peak", 0.2), price("offPeak", 0.2)]
    start, _ = _week()
    assert tariff_of(data).next_price_change(start, UTC) is None
    assert tariff_of(data).slot_at(start, UTC).end == start + timedelta(hours=7)


@pytest.mark.parametrize("written", [0, 0.0, None, 0.3])
def test_a_dynamic_price_is_unknown_and_never_zero(written: float | None) -> None:
    data = details("")
    data["tariffs"] = [price("dynamic", currency="") | {"price": written}]
    tariff, (start, end) = tariff_of(data), _week()
    assert tariff.is_dynamic
    assert tariff.currency is None
    assert {slot.price for slot in tariff.slots(start, end, UTC)} == {None}
    assert tariff.next_price_change(start, UTC) is None


def test_a_price_of_zero_that_is_not_dynamic_is_a_price() -> None:
    data = details("") | {"tariffs": [price("standard", 0.0, "eur")]}
    tariff = tariff_of(data)
    assert not tariff.is_dynamic
    assert tariff.currency == "EUR"
    assert tariff.slot_at(_week()[0], UTC).price == 0.0


def test_a_currency_that_one_type_leaves_out_is_that_of_the_others() -> None:
    data = HIGH_AND_LOW | {"tariffs": [price("peak", currency=""), price("offPeak")]}
    assert tariff_of(data).currency == "EUR"


def test_intervals_of_holidays_change_nothing() -> None:
    """Which days are holidays is not known."""
    holiday = day("00:00", "offPeak", "24:00")
    assert tariff_of(HIGH_AND_LOW | {"holidayTariffIntervals": holiday}) == tariff_of(HIGH_AND_LOW)


WHOLE: Final = day("00:00", "offPeak", "07:00", "peak", "24:00")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (details("peak offPeak"), "monday is not whole"),
        (
            details("peak offPeak", *day("00:00", "peak", "24:00", days=DAYS[:6])),
            "sunday is not whole",
        ),
        (
            details("peak offPeak", *day("00:00", "offPeak", "07:00", "peak", "23:59")),
            "monday is not whole",
        ),
        (
            details("peak offPeak", *WHOLE, hours("03:00", "04:00", "peak", ["friday"])),
            "friday has an overlap",
        ),
        (details("peak offPeak", *WHOLE, *WHOLE), "monday has an overlap"),
        (
            details("peak", hours("00:00", "06:00", "peak"), hours("06:01", "24:00", "peak")),
            "monday has a gap",
        ),
        (
            details("peak", *day("00:00", "peak", "24:00", days=["Monday", "someday"])),
            "a day of the week is not known",
        ),
        (
            details("peak", *day("00:00", "peak", "24:00", days="monday")),
            "a day of the week is not known",
        ),
        (
            details("peak", *day("00:00", "peak", "24:00", days=[1, 2])),
            "a day of the week is not known",
        ),
        (
            details("peak offPeak", *day("23:00", "offPeak", "07:00", "peak", "23:00")),
            "an interval ends before it starts",
        ),
        (details("peak", *day("07:00", "peak", "07:00")), "an interval ends before it starts"),
        (details("peak", *WHOLE), "an interval has a type without a price"),
        (details("peak offPeak", *day("00:00", "night", "24:00")), "an interval has no type"),
        (details("peak happyHour", *WHOLE), "a type is not known"),
        (details("peak peak offPeak", *WHOLE), "a type is there twice"),
        (details("standard peak", *WHOLE), "a type that stands alone has others beside it"),
        (details("standard dynamic"), "a type that stands alone has others beside it"),
        (
            details("peak offPeak", *WHOLE) | {"tariffs": [price("peak"), {"type": "offPeak"}]},
            "a type has no price",
        ),
        (details("") | {"tariffs": [{"type": "standard", "price": "much"}]}, "a type has no price"),
        (details("") | {"tariffs": [price("standard"), "peak"]}, "a type is not known"),
        (
            details("peak offPeak", *WHOLE)
            | {"tariffs": [price("peak"), price("offPeak", currency="GBP")]},
            "there are several currencies",
        ),
        *(
            (
                details("peak", *day("00:00", "peak", wrong, "peak", "24:00")),
                "a time cannot be read",
            )
            for wrong in (
                "25:00",
                "24:01",
                "12:60",
                "12",
                "noon",
                "12:30:15",
                "",
                "-1:00",
                "1²:00",
                "120:00",
            )
        ),
    ],
)
def test_what_is_not_clear_is_not_shown(data: Json, reason: str) -> None:
    read = TariffDetails.from_json(data)
    assert read is not None
    with pytest.raises(UnclearTariff, match=f"^{reason}$"):
        Tariff.recognize(read)


@pytest.mark.parametrize("data", [None, {}, [], "none", {"tariffs": []}, {"tariffs": None}])
def test_a_location_without_tariffs_has_none(data: object) -> None:
    assert TariffDetails.from_json(data) is None


@pytest.mark.parametrize("wrong", [7.5, ["07:00"], {"hour": 7}, True])
def test_a_time_that_is_no_text_is_not_taken_for_a_missing_one(wrong: object) -> None:
    data = details("peak", hours("00:00", "24:00", "peak") | {"startTime": wrong})
    read = TariffDetails.from_json(data)
    assert read is not None
    with pytest.raises(UnclearTariff, match="a time cannot be read"):
        Tariff.recognize(read)
