"""Departure times: a shape is recognized or refused; a write changes one value and keeps its style."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
import re
from typing import Any, Final
from zoneinfo import ZoneInfo

from hypothesis import example, given, strategies as st
import pytest

from custom_components.jedlix.api import ChargeSettings
from custom_components.jedlix.state.days import ALL_DAYS, WEEKDAYS, in_words
from custom_components.jedlix.state.departure_times import (
    Departure,
    DepartureTimes,
    Refusal,
    departure_times,
    with_times,
)

MO, TU, WE, TH, FR, SA, SU = ((day,) for day in range(7))
WORKDAYS: Final = (0, 1, 2, 3, 4)
WEEKEND: Final = (5, 6)
WEEK: Final = dict.fromkeys(WEEKDAYS, "07:30")


def settings_of(value: object, **others: Any) -> ChargeSettings:
    return ChargeSettings.from_json(
        {"desiredBatteryLevel": 80, "departureTimes": value, "keep": {"me": [1, None]}, **others}
    )


def read(value: object) -> dict[tuple[int, ...], str]:
    """Return the recognized times by their days."""
    found = departure_times(settings_of(value))
    return {item.days: item.at.isoformat() for item in found.departures}


def leaves(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[Any, object]]:
    """Yield every value that is neither object nor list, with the way to it."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    else:
        yield path, value
    for key, item in items:
        yield from leaves(item, (*path, key))


RECOGNIZED: Final[tuple[tuple[object, dict[tuple[int, ...], str]], ...]] = (
    # one time for all days
    ({"time": "07:30"}, {ALL_DAYS: "07:30:00"}),
    ({"departureTime": "7:30"}, {ALL_DAYS: "07:30:00"}),
    ({"DepartureTime": "07:30:00"}, {ALL_DAYS: "07:30:00"}),
    ({"ready_by": "07:30:00.0000000"}, {ALL_DAYS: "07:30:00"}),
    ({"default": "07:30"}, {ALL_DAYS: "07:30:00"}),
    ({"everyDay": "07:30", "notes": ["a"]}, {ALL_DAYS: "07:30:00"}),
    ({"hour": 7, "minute": 30}, {ALL_DAYS: "07:30:00"}),
    ({"time": {"hours": 7, "minutes": 30, "seconds": 0}}, {ALL_DAYS: "07:30:00"}),
    ({"schedule": {"hour": 0, "minute": 0}}, {ALL_DAYS: "00:00:00"}),
    ({"assumed": {"time": "23:59"}}, {ALL_DAYS: "23:59:00"}),
    ({"time": "07:30", "enabled": True, "timeZone": "Europe/Paris"}, {ALL_DAYS: "07:30:00"}),
    ({"time": "07:30", "monday": None, "locationId": "1234-56"}, {}),
    # by weekday
    (WEEK, {(day,): "07:30:00" for day in range(7)}),
    ({"Monday": "07:30", "SATURDAY": "9:00"}, {MO: "07:30:00", SA: "09:00:00"}),
    ({"mon": "07:30", "sat": "09:00:00"}, {MO: "07:30:00", SA: "09:00:00"}),
    ({"mo": "07:30", "Tuesday": "08:00", "thu": "9:00"}, {MO: "07:30:00", TU: "08:00:00", TH: "09:00:00"}),
    ({"monday": "07:30", "sunday": None}, {MO: "07:30:00"}),
    ({"monday": {"time": "07:30"}, "sunday": {"time": None}}, {MO: "07:30:00"}),
    ({"friday": {"hour": 7, "minute": 30}}, {FR: "07:30:00"}),
    ({"friday": {"departureTime": {"hour": 7, "minute": 30}, "smart": True}}, {FR: "07:30:00"}),
    ({"home": {"monday": "07:30", "tuesday": "08:00"}}, {MO: "07:30:00", TU: "08:00:00"}),
    ({"monday": "07:30", "id": 12}, {MO: "07:30:00"}),
    ({"monday": "07:30", "locationId": "1234", "departureId": 7}, {MO: "07:30:00"}),
    ({"monday": {"time": "07:30", "levelAtDeparture": 80}}, {MO: "07:30:00"}),
    ({"monday": "07:30", "updatedAt": "2026-01-01T07:30:00Z"}, {MO: "07:30:00"}),
    ({"time": "07:30", "last_modified": "2026-01-01T07:30:00.123"}, {ALL_DAYS: "07:30:00"}),
    ({"time": "07:30", "mode": "everyDay", "repeat": "daily", "note": "Every day"}, {ALL_DAYS: "07:30:00"}),
    ({"departureTimes": {"monday": "07:30"}, "version": 3}, {MO: "07:30:00"}),
    ({"weekdays": {"monday": "07:30"}}, {MO: "07:30:00"}),
    ({"time": {"monday": "07:30"}}, {MO: "07:30:00"}),
    # lists
    ([{"day": "monday", "time": "07:30"}, {"day": "SUN", "time": "9:00"}], {MO: "07:30:00", SU: "09:00:00"}),
    ([{"dayOfWeek": "Monday", "departureTime": "07:30:00"}], {MO: "07:30:00"}),
    (
        [
            {"daysOfWeek": ["monday", "tuesday", "wednesday", "thursday", "friday"], "time": "07:30"},
            {"daysOfWeek": ["sunday", "saturday"], "time": "09:00"},
        ],
        {WORKDAYS: "07:30:00", WEEKEND: "09:00:00"},
    ),
    ({"items": [{"daysOfWeek": [*WEEKDAYS], "time": "07:30"}]}, {ALL_DAYS: "07:30:00"}),
    ({"items": [{"day": "monday", "time": "07:30"}, {"day": "tuesday", "time": None}]}, {MO: "07:30:00"}),
    (
        [
            {"day": "monday", "time": "07:30", "locationId": "a"},
            {"day": "tuesday", "time": "07:40", "locationId": "a"},
        ],
        {MO: "07:30:00", TU: "07:40:00"},
    ),
    ({"days": ["friday", "monday"], "time": "07:30"}, {(0, 4): "07:30:00"}),
)  # fmt: skip

REFUSED: Final[tuple[object, ...]] = (
    # no times
    {"schedule": {}},
    {"schedule": None},
    {"monday": None},
    {"monday": ""},
    {"monday": "  "},
    {"monday": True},
    {"monday": []},
    {"text": "whenever"},
    [None],
    [[]],
    "07:30",
    450,
    True,
    # no times of day, or not of the clock on the wall
    {"time": "24:00"},
    {"time": "07:60"},
    {"time": "07:30Z"},
    {"time": "07:30+01:00"},
    {"time": "07:30:00.5"},
    {"time": "2026-01-01T07:30:00Z"},
    {"time": "2026-01-01T07:30:00"},
    {"time": "PT7H30M"},
    {"time": "1.07:30:00"},
    {"time": "7:30 AM"},
    {"time": "7h30"},
    {"time": "7.30"},
    {"time": "0730"},
    {"time": " 07:30"},
    {"time": "07:30\n"},
    {"time": "\u0660\u0667:\u0663\u0660"},
    {"time": 450},
    {"time": 7.5},
    {"hour": 7},
    {"hour": "7", "minute": "30"},
    {"hour": 7.0, "minute": 30},
    {"hour": True, "minute": 30},
    {"hour": 24, "minute": 0},
    {"hour": 7, "hours": 7, "minute": 30},
    {"hour": 7, "minute": 30, "period": "PM"},
    {"hour": 7, "minute": 30, "second": 0, "millisecond": 0, "ticks": 270000000000},
    {"monday": {"hour": 7}},
    # numbers as weekdays
    {"1": "07:30"},
    {"1": {"time": "07:30"}},
    {"0": "07:30", "1": "07:30"},
    [{"day": 1, "time": "07:30"}],
    [{"daysOfWeek": ["1"], "time": "07:30"}],
    ["07:30"] * 7,
    [["07:30"]] * 7,
    # days that are not certain
    {"weekday": "07:30", "weekend": "09:00"},
    {"weekend": "09:00"},
    {"weekdays": {"time": "07:30"}},
    {"holiday": "09:00"},
    {"mondayTime": "07:30"},
    {"saturday_departure": "07:30"},
    {"tomorrow": "07:30"},
    {"monday-friday": "07:30"},
    {"monday": "07:30", "tuesday-friday": "07:30"},
    {"montag": "07:30", "dienstag": "08:00"},
    [{"day": "weekday", "time": "07:30"}],
    [{"daysOfWeek": [], "time": "07:30"}],
    [{"daysOfWeek": "monday,tuesday", "time": "07:30"}],
    [{"daysOfWeek": None, "time": "07:30"}],
    [{"day": "monday", "hour": 7, "minute": 30}],
    {"time": "07:30", "weekend": None},
    {"time": "07:30", "mode": "weekdays"},
    {"time": "07:30", "repeat": ["mon", "tue"]},
    {"schedule": {"time": "07:30"}, "rule": "FREQ=WEEKLY;BYDAY=MO,TU"},
    {"week": {"time": "07:30"}, "others": [{"holidays": []}]},
    [{"time": "07:30"}],
    [{"day": "monday", "days": ["monday"], "time": "07:30"}],
    {"2026-01-01": {"time": "07:30"}},
    {"monday": "07:30", "2026-01-01": None},
    # a day twice
    {"monday": "07:30", "Monday": "08:00"},
    {"monday": "07:30", "mon": "08:00"},
    [{"day": "monday", "time": "07:30"}, {"day": "monday", "time": "08:00"}],
    [{"days": ["monday", "tuesday"], "time": "07:30"}, {"days": ["tuesday"], "time": "08:00"}],
    [{"days": ["monday", "Mon"], "time": "07:30"}],
    # two times, or another one than that of departure
    {"monday": ["07:30"]},
    {"monday": ["07:30", "18:00"]},
    {"monday": {"start": "22:00", "end": "07:30"}},
    {"monday": {"time": "07:30", "arrival": "18:00"}},
    {"monday": {"time": "07:30", "departureTime": "07:30"}},
    {"monday": {"earliest": "07:30"}},
    {"time": "07:30", "arrival": "18:00"},
    {"time": "07:30", "default": "08:00"},
    {"time": "07:30", "monday": "08:00"},
    {"monday": "07:30", "default": "08:00"},
    {"monday": "07:30", "days": [{"at": "08:00"}]},
    {"start": "22:00", "end": "07:30"},
    {"earliest": "06:00"},
    {"nextDeparture": "06:00"},
    {"arrival": {"monday": "18:00"}},
    {"lastUpdated": "07:30"},
    {"monday": "07:30", "updatedAt": "07:30"},
    {"monday": "07:30", "id": "07:30"},
    {"monday": "07:30", "nextId": 7, "next": "2026-01-01T07:30:00Z"},
    {"monday": "07:30", "validUntil": "2026-01-01"},
    {"monday": "07:30", "duration": "PT1H"},
    {"time": "07:30", "flexMinutes": 30},
    {"monday": {"time": "07:30", "hour": 7}},
    {"monday": "07:30", "note": "or 08:00"},
    # two places
    {"home": {"monday": "07:30"}, "work": {"monday": "16:30"}},
    {"home": {"time": "07:30"}, "work": {"time": "16:30"}},
    {"home": "07:30", "work": "16:30"},
    {"items": [{"day": "monday", "time": "07:30"}], "others": [{"day": "monday", "time": "08:00"}]},
    [
        {"day": "monday", "time": "07:30", "chargingLocationId": "a"},
        {"day": "tuesday", "time": "07:30", "chargingLocationId": "b"},
    ],
    [{"home": {"day": "monday", "time": "07:30"}}],
    # more than one level around
    {"a": {"b": {"monday": "07:30"}}},
    {"a": {"b": {"c": "07:30"}}},
    {"monday": {"departure": {"time": "07:30"}}},
    [{"day": "monday", "departure": {"time": "07:30"}}],
    [[{"day": "monday", "time": "07:30"}]],
    [{"day": "monday", "time": "07:30"}, "note"],
)


@pytest.mark.parametrize(("value", "expected"), RECOGNIZED, ids=str)
def test_a_shape_is_recognized_and_one_write_changes_one_value_in_its_style(
    value: object, expected: dict[tuple[int, ...], str]
) -> None:
    settings = settings_of(value)
    assert read(value) == expected
    before = dict(leaves(settings.raw))
    for departure in departure_times(settings).departures:
        written = with_times(settings, {departure.path: time(5, 5)})
        after = dict(leaves(written))
        assert after.keys() == before.keys()
        changed = {path for path in before if after[path] != before[path]}
        assert changed
        assert all(path[: len(departure.path)] == departure.path for path in changed)
        for path in changed:
            assert type(after[path]) is type(before[path])
            if isinstance(old := before[path], str):
                digits = re.sub(r"\d+", lambda part: "0" * len(part[0]), old)
                assert re.sub(r"\d", "0", str(after[path])) == digits
        again = departure_times(settings_of(written["departureTimes"])).of(departure.days)
        assert again is not None
        assert again.at == time(5, 5)
    assert dict(leaves(settings.raw)) == before, "the settings that were read stay as they are"


@pytest.mark.parametrize("value", REFUSED, ids=str)
def test_a_shape_in_doubt_is_refused(value: object) -> None:
    found = departure_times(settings_of(value))
    assert found.departures == ()
    assert found.refusal in {Refusal.NOT_RECOGNIZED, Refusal.EMPTY}


@pytest.mark.parametrize(
    ("settings", "refusal"),
    [
        (None, Refusal.ABSENT),
        (ChargeSettings.from_json({"desiredBatteryLevel": 80}), Refusal.ABSENT),
        (settings_of(None), Refusal.ABSENT),
        (settings_of({}), Refusal.EMPTY),
        (settings_of([]), Refusal.EMPTY),
        (settings_of({"monday": None}), Refusal.EMPTY),
        (settings_of(""), Refusal.NOT_RECOGNIZED),
        (settings_of({"time": "07:30Z"}), Refusal.NOT_RECOGNIZED),
        (settings_of({"time": "07:30"}), None),
    ],
)
def test_it_says_why_there_are_none(
    settings: ChargeSettings | None, refusal: Refusal | None
) -> None:
    assert departure_times(settings).refusal is refusal


def test_the_name_is_found_in_any_style() -> None:
    settings = ChargeSettings.from_json(
        {"desired_battery_level": 80, "departure_times": {"time": "7:30"}}
    )
    [departure] = departure_times(settings).departures
    written = with_times(settings, {departure.path: time(18, 5)})
    assert written == {"desired_battery_level": 80, "departure_times": {"time": "18:05"}}


def test_a_time_loses_its_seconds_and_fraction_only_as_digits() -> None:
    settings = settings_of(
        {"monday": "7:30:15.000", "tuesday": {"Hour": 7, "Minute": 0, "Second": 5}}
    )
    times = {item.path: time(18, 5) for item in departure_times(settings).departures}
    assert with_times(settings, times)["departureTimes"] == {
        "monday": "18:05:00.000",
        "tuesday": {"Hour": 18, "Minute": 5, "Second": 0},
    }  # fmt: skip
    with pytest.raises(ValueError, match="not a time"):
        with_times(settings, {("desiredBatteryLevel",): time(5)})


@pytest.mark.parametrize(
    ("value", "active"),
    [
        ({"monday": {"time": "07:30", "enabled": False}, "tuesday": {"time": "07:30"}}, {TU}),
        ({"monday": {"time": "07:30", "isActive": True}}, {MO}),
        ({"monday": "07:30", "enabled": False}, set()),
        ({"week": {"monday": "07:30"}, "isEnabled": False}, set()),
        ({"items": [{"day": "monday", "time": "07:30", "active": False}]}, set()),
        ({"time": "07:30", "enabled": False}, set()),
        ({"time": "07:30", "enabled": None, "smart": False}, {ALL_DAYS}),
        ({"week": {"hour": 7, "minute": 30}}, {ALL_DAYS}),
    ],
)
def test_a_time_that_is_switched_off_is_no_departure(
    value: object, active: set[tuple[int, ...]]
) -> None:
    found = departure_times(settings_of(value))
    assert found.departures
    assert {item.days for item in found.departures if item.is_active} == active
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert (found.next_after(now, UTC) is not None) is bool(active)


def test_the_zone_of_the_departure_times_comes_before_that_of_the_settings() -> None:
    value = {"items": [{"day": "monday", "time": "07:30", "timezone": "Europe/Paris"}]}
    settings = settings_of(value, zoneId="", timeZone="Europe/Amsterdam", zone=7)
    assert departure_times(settings).zones == ("Europe/Paris", "Europe/Amsterdam")


@pytest.mark.parametrize(
    ("days", "text"),
    [
        ((0,), "monday"),
        ((5, 6), "saturday_sunday"),
        ((0, 1, 2, 3, 4), "monday_to_friday"),
        ((0, 2, 3, 4, 6), "monday_wednesday_to_friday_sunday"),
        (ALL_DAYS, "monday_to_sunday"),
    ],
)
def test_weekdays_in_words(days: tuple[int, ...], text: str) -> None:
    assert in_words(days) == text


# -- the next departure ------------------------------------------------------------------------------------

ZONE: Final = ZoneInfo("Europe/Amsterdam")


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-03-28T07:29:00+01:00", "2026-03-28T07:30:00+01:00"),
        ("2026-03-28T07:30:00+01:00", "2026-03-29T07:30:00+02:00"),  # the clock is put on
        ("2026-10-24T08:00:00+02:00", "2026-10-25T07:30:00+01:00"),  # the clock is put back
        ("2026-10-25T00:30:00+00:00", "2026-10-25T07:30:00+01:00"),
        ("2026-06-01T22:30:00+00:00", "2026-06-02T07:30:00+02:00"),  # past midnight there
    ],
)
def test_the_next_departure_is_by_the_clock_of_the_zone(now: str, expected: str) -> None:
    times = departure_times(settings_of({"time": "07:30"}))
    found = times.next_after(datetime.fromisoformat(now), ZONE)
    assert found == datetime.fromisoformat(expected)
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-03-28T23:00:00+00:00", "2026-03-29T01:30:00+00:00"),  # 02:30 is skipped: 03:30
        ("2026-10-24T23:00:00+00:00", "2026-10-25T00:30:00+00:00"),  # twice 02:30: the first
        ("2026-10-25T00:45:00+00:00", "2026-10-26T01:30:00+00:00"),  # between the two
    ],
)
def test_a_departure_in_the_hour_of_the_change(now: str, expected: str) -> None:
    times = departure_times(settings_of({"time": "02:30"}))
    found = times.next_after(datetime.fromisoformat(now), ZONE)
    assert found == datetime.fromisoformat(expected)


def test_the_only_departure_of_the_week_is_found_a_week_ahead() -> None:
    times = departure_times(settings_of({"thursday": "07:30", "friday": None}))
    now = datetime(2026, 1, 1, 7, 30, tzinfo=ZONE)  # a Thursday
    assert times.next_after(now, ZONE) == now + timedelta(days=7)
    assert DepartureTimes().next_after(now, ZONE) is None


@given(
    st.dictionaries(st.sampled_from(WEEKDAYS), st.times().map(lambda at: at.strftime("%H:%M")), min_size=1),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001  made UTC below
)  # fmt: skip
def test_the_next_departure_is_the_first_minute_that_shows_one(
    value: dict[str, str], moment: datetime
) -> None:
    now = moment.replace(tzinfo=UTC)
    found = departure_times(settings_of(value)).next_after(now, ZONE)
    assert found is not None
    assert now < found <= now + timedelta(days=8)
    shown = found.astimezone(ZONE)
    is_skipped = shown.replace(tzinfo=None) != datetime.combine(
        shown.date(), time.fromisoformat(value[WEEKDAYS[shown.weekday()]])
    )
    assert not is_skipped or shown.date() == date(2026, 3, 29)
    earlier = [
        at
        for hours in range(24 * 8)
        for at in [now + timedelta(hours=hours)]
        if at < found
        for local in [at.astimezone(ZONE)]
        if value.get(WEEKDAYS[local.weekday()]) == local.strftime("%H:%M") and local.fold == 0
        and local.second == 0 and at > now
    ]  # fmt: skip
    assert earlier == []


# -- anything ----------------------------------------------------------------------------------------------

KEYS: Final = st.sampled_from(
    [
        *WEEKDAYS,
        "mon",
        "time",
        "day",
        "daysOfWeek",
        "enabled",
        "departureTime",
        "x",
        "hour",
        "minute",
    ]
)
VALUES: Final = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(0, 30)
    | st.sampled_from(["07:30", "7:30:00", "24:00", "07:30Z", "monday", "tue", "", "note"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
@example({"monday": None, "tuesday": "07:30", "hour": None})
@example({"monday": "07:30", "time": {"monday": None, "hour": False}})
def test_whatever_comes_every_time_is_explained_and_written_alone(value: Any) -> None:
    settings = settings_of(value)
    found = departure_times(settings)
    assert (found.refusal is None) is bool(found.departures)
    assert len({item.path for item in found.departures}) == len(found.departures)
    days = [day for item in found.departures for day in item.days]
    assert len(set(days)) == len(days)
    before = dict(leaves(settings.raw))
    if found.departures:
        like = {path for path, leaf in before.items() if isinstance(leaf, str) and ":" in leaf}
        whole = {path for path, leaf in before.items() if type(leaf) is int}
        numbers = {path for path in whole if path[-1] in {"hour", "minute"}}
        written = {item.path for item in found.departures}
        assert like | {path[:-1] for path in numbers} == written
    for departure in found.departures:
        after = dict(leaves(with_times(settings, {departure.path: time(5, 5)})))
        assert after.keys() == before.keys()
        changed = {path for path in before if after[path] != before[path]}
        assert {path[: len(departure.path)] for path in changed} <= {departure.path}
        assert isinstance(departure, Departure)
