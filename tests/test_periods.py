"""Periods: what this month, last week and the like mean, in local time."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from homeassistant.util.yaml import load_yaml_dict
from hypothesis import given, strategies as st
import pytest

from custom_components.jedlix.periods import PERIODS, PRICE_PERIODS, named_period, price_period

SERVICES: Final = Path(__file__).parents[1] / "custom_components/jedlix/services.yaml"
AMSTERDAM: Final = ZoneInfo("Europe/Amsterdam")
NOW: Final = datetime(2026, 11, 25, 14, 30, 5, tzinfo=AMSTERDAM)  # a Wednesday


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("today", "2026-11-25T00:00:00+01:00", None),
        ("yesterday", "2026-11-24T00:00:00+01:00", "2026-11-25T00:00:00+01:00"),
        ("this_week", "2026-11-23T00:00:00+01:00", None),
        ("last_week", "2026-11-16T00:00:00+01:00", "2026-11-23T00:00:00+01:00"),
        ("this_month", "2026-11-01T00:00:00+01:00", None),
        ("last_month", "2026-10-01T00:00:00+02:00", "2026-11-01T00:00:00+01:00"),
        ("this_year", "2026-01-01T00:00:00+01:00", None),
        ("last_year", "2025-01-01T00:00:00+01:00", "2026-01-01T00:00:00+01:00"),
        ("last_7_days", "2026-11-18T14:30:05+01:00", None),
        ("last_30_days", "2026-10-26T14:30:05+01:00", None),
        ("last_365_days", "2025-11-25T14:30:05+01:00", None),
    ],
)
def test_a_name_means_a_period(name: str, start: str, end: str | None) -> None:
    """One that is not over ends now. October began in summer time."""
    period = named_period(name, NOW)
    assert period.start.isoformat() == start
    assert period.end == (NOW if end is None else datetime.fromisoformat(end))


def test_last_month_in_january_and_the_day_after_clocks_changed() -> None:
    new_year = datetime(2027, 1, 1, 0, 5, tzinfo=AMSTERDAM)
    assert named_period("last_month", new_year).start == datetime(2026, 12, 1, tzinfo=AMSTERDAM)
    assert named_period("last_year", new_year).end == datetime(2027, 1, 1, tzinfo=AMSTERDAM)
    yesterday = named_period("yesterday", datetime(2026, 10, 26, 8, tzinfo=AMSTERDAM))
    assert yesterday.end.astimezone(UTC) - yesterday.start.astimezone(UTC) == timedelta(hours=25)


def test_a_day_with_two_midnights_begins_at_the_first() -> None:
    """In Havana the clock goes back from one o'clock to midnight."""
    now = datetime(2026, 11, 1, 12, tzinfo=ZoneInfo("America/Havana"))
    assert named_period("today", now).start.isoformat() == "2026-11-01T00:00:00-04:00"


@given(st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)), st.integers(0, 1))  # noqa: DTZ001
def test_a_period_follows_the_one_before_without_a_gap(moment: datetime, fold: int) -> None:
    now = moment.replace(tzinfo=AMSTERDAM, fold=fold)
    for last, this in (
        ("yesterday", "today"),
        ("last_week", "this_week"),
        ("last_month", "this_month"),
        ("last_year", "this_year"),
    ):
        before, current = named_period(last, now), named_period(this, now)
        assert before.start < before.end == current.start <= current.end == now


def test_every_period_can_be_chosen_in_the_editor() -> None:
    described = load_yaml_dict(str(SERVICES))
    for action in ("get_sessions", "get_costs"):
        field = described[action]["fields"]["period"]
        assert field["selector"]["select"]["options"] == list(PERIODS)


# -- periods of prices -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("today", "2026-11-25T00:00:00+01:00", "2026-11-26T00:00:00+01:00"),
        ("tomorrow", "2026-11-26T00:00:00+01:00", "2026-11-27T00:00:00+01:00"),
        ("today_and_tomorrow", "2026-11-25T00:00:00+01:00", "2026-11-27T00:00:00+01:00"),
        ("next_24_hours", "2026-11-25T14:30:05+01:00", "2026-11-26T14:30:05+01:00"),
        ("next_48_hours", "2026-11-25T14:30:05+01:00", "2026-11-27T14:30:05+01:00"),
        ("next_7_days", "2026-11-25T14:30:05+01:00", "2026-12-02T14:30:05+01:00"),
        ("this_week", "2026-11-23T00:00:00+01:00", "2026-11-30T00:00:00+01:00"),
        ("this_month", "2026-11-01T00:00:00+01:00", "2026-12-01T00:00:00+01:00"),
        ("this_year", "2026-01-01T00:00:00+01:00", "2027-01-01T00:00:00+01:00"),
        ("yesterday", "2026-11-24T00:00:00+01:00", "2026-11-25T00:00:00+01:00"),
        ("last_week", "2026-11-16T00:00:00+01:00", "2026-11-23T00:00:00+01:00"),
        ("last_month", "2026-10-01T00:00:00+02:00", "2026-11-01T00:00:00+01:00"),
        ("last_year", "2025-01-01T00:00:00+01:00", "2026-01-01T00:00:00+01:00"),
    ],
)
def test_a_period_of_prices_is_whole_and_may_lie_ahead(name: str, start: str, end: str) -> None:
    period = price_period(NOW, name=name)
    assert period is not None
    assert (period.start.isoformat(), period.end.isoformat()) == (start, end)


@given(st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)), st.integers(0, 1))  # noqa: DTZ001
def test_whole_days_weeks_months_and_years_end_where_the_next_begin(
    moment: datetime, fold: int
) -> None:
    now = moment.replace(tzinfo=AMSTERDAM, fold=fold)
    for name in ("today", "this_week", "this_month", "this_year"):
        period = PRICE_PERIODS[name](now)
        assert period.start.replace(fold=0) <= now.replace(fold=0) < period.end
        assert PRICE_PERIODS[name](period.end).start == period.end
    assert PRICE_PERIODS["tomorrow"](now).start == PRICE_PERIODS["today"](now).end
    for name, hours in (("next_24_hours", 24), ("next_48_hours", 48), ("next_7_days", 168)):
        period = PRICE_PERIODS[name](now)
        length = period.end.astimezone(UTC) - period.start.astimezone(UTC)
        assert length == timedelta(hours=hours)
    from_now = price_period(now, duration=timedelta(hours=12))
    assert from_now is not None
    assert from_now.end.astimezone(UTC) - now.astimezone(UTC) == timedelta(hours=12)


def test_a_period_of_prices_has_at_most_two_bounds() -> None:
    later, day = NOW + timedelta(days=3), timedelta(days=1)
    for data, period in (
        ({}, (NOW, NOW + 2 * day)),
        ({"start": later}, (later, later + 2 * day)),
        ({"duration": day}, (NOW, NOW + day)),
        ({"end": later}, (NOW, later)),
        ({"start": NOW, "end": later}, (NOW, later)),
        ({"start": later, "duration": day}, (later, later + day)),
        ({"duration": day, "end": later}, (later - day, later)),
        ({"start": NOW, "duration": day, "end": later}, None),
        ({"name": "today", "start": NOW}, None),
    ):
        assert price_period(NOW, **data) == period


def test_the_editor_offers_all_periods_of_prices() -> None:
    selector = load_yaml_dict(str(SERVICES))["get_prices"]["fields"]["period"]["selector"]
    assert selector["select"]["options"] == list(PRICE_PERIODS)
