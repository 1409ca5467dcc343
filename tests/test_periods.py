"""Periods: what this month, last week and the like mean, in local time."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from homeassistant.util.yaml import load_yaml_dict
from hypothesis import given, strategies as st
import pytest

from custom_components.jedlix.periods import PERIODS, named_period

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
