"""Series: sums that a repeated, late or corrected import never spoils."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from hypothesis import given, strategies as st
import pytest

from custom_components.jedlix.api import BadAnswer, Session
from custom_components.jedlix.state.hours import Flow, flow_of
from custom_components.jedlix.state.series import (
    ImportMark,
    Row,
    SeriesKey,
    changed_rows,
    fingerprint_of,
    series_of,
    unknown_hours,
)

HOUR: Final = timedelta(hours=1)
AT: Final = datetime(2026, 11, 1, 10, 0, tzinfo=UTC)
ENERGY: Final = SeriesKey("energy")

amounts = st.dictionaries(
    st.integers(0, 40).map(lambda hours: AT + hours * HOUR), st.floats(-50, 50)
)


def charged(start: float, end: float, **figures: float | str | None) -> tuple[Session, Flow]:
    session = Session(
        id=f"{start}",
        started_at=AT + start * HOUR,
        ended_at=AT + end * HOUR,
        **figures,  # type: ignore[arg-type]
    )
    return session, flow_of(AT + start * HOUR, AT + end * HOUR)


def rows_of(hours: Mapping[datetime, float], base: float = 0.0) -> list[Row]:
    """Return rows as a recorder has them."""
    rows = []
    for hour, amount in sorted(hours.items()):
        base += amount
        rows.append(Row(hour, amount, base))
    return rows


def keep_all(_row: Row) -> bool:
    return True


def keep_none(_row: Row) -> bool:
    return False


# -- series of sessions ------------------------------------------------------------------------------------


def test_each_figure_is_a_series_and_money_one_for_each_currency() -> None:
    sessions = [
        charged(0, 2, energy_kwh=4.0, cost=1.0, savings=-0.5, currency="EUR"),
        charged(1.5, 2, energy_kwh=1.0, cost=3.0, currency="SEK"),
        charged(5, 6, cost=9.0),  # no currency
    ]
    assert series_of(sessions) == {
        ENERGY: {AT: 2.0, AT + HOUR: 3.0},
        SeriesKey("cost", "EUR"): {AT: 0.5, AT + HOUR: 0.5},
        SeriesKey("savings", "EUR"): {AT: -0.25, AT + HOUR: -0.25},
        SeriesKey("cost", "SEK"): {AT + HOUR: 3.0},
    }


def test_the_hours_of_a_session_without_a_figure_are_unknown() -> None:
    sessions = [
        charged(0, 2, energy_kwh=4.0),
        charged(3, 4, cost=1.0, savings=0.0, currency="EUR"),
    ]
    assert unknown_hours(sessions) == {
        "energy": {AT + 3 * HOUR},
        "cost": {AT, AT + HOUR},
        "savings": {AT, AT + HOUR},
    }


# -- rows --------------------------------------------------------------------------------------------------


def test_only_rows_from_the_first_that_changes_are_written() -> None:
    rows = rows_of({AT: 1.0, AT + HOUR: 2.0, AT + 5 * HOUR: 3.0}, 10.0)
    hours = {row.start: row.amount for row in rows}
    assert changed_rows(rows, 10.0, hours, keep_none) == []
    assert changed_rows(rows, 10.0, hours | {AT + HOUR: 1.5}, keep_none) == [
        Row(AT + HOUR, 1.5, 12.5),
        Row(AT + 5 * HOUR, 3.0, 15.5),
    ]
    assert changed_rows(rows, 11.0, hours, keep_none)[0] == Row(AT, 1.0, 12.0)
    late = hours | {AT + 3 * HOUR: 0.5}
    assert changed_rows(rows, 10.0, late, keep_none) == [
        Row(AT + 3 * HOUR, 0.5, 13.5),
        Row(AT + 5 * HOUR, 3.0, 16.5),
    ]


def test_an_hour_without_an_amount_is_kept_or_becomes_nothing() -> None:
    rows = rows_of({AT: 1.0, AT + HOUR: 2.0})
    assert changed_rows(rows, 0.0, {AT: 1.0}, keep_all) == []
    assert changed_rows(rows, 0.0, {}, lambda row: row.start == AT) == [Row(AT + HOUR, 0.0, 1.0)]
    assert changed_rows([], 4.0, {}, keep_all) == []


@given(amounts, amounts, st.floats(-100, 1000), st.sampled_from([keep_all, keep_none]))
def test_after_any_import_the_sums_are_those_of_the_amounts_and_the_same_import_changes_nothing(
    before: dict[datetime, float],
    hours: dict[datetime, float],
    base: float,
    keeps: object,
) -> None:
    assert callable(keeps)
    rows = rows_of(before, base)
    written = {row.start: row for row in changed_rows(rows, base, hours, keeps)}
    after = [*({row.start: row for row in rows} | written).values()]
    after.sort()
    total = base
    for row in after:
        wanted = hours.get(row.start, before.get(row.start, 0.0) if keeps is keep_all else 0.0)
        total += wanted
        assert row.amount == pytest.approx(wanted, abs=1e-5)
        assert row.total == pytest.approx(total, abs=1e-4)
    assert {row.start for row in after} == before.keys() | hours.keys()
    assert changed_rows(after, base, hours, keeps) == []


# -- how far a car is imported -----------------------------------------------------------------------------


def test_a_mark_survives_the_store() -> None:
    mark = ImportMark(AT, 12345, frozenset({AT, AT + HOUR}))
    assert ImportMark.from_json(mark.as_json()) == mark
    for odd in (None, {}, {"until": "never", "fingerprint": 1}, {"until": AT.isoformat()}):
        with pytest.raises(BadAnswer):
            ImportMark.from_json(odd)


def test_a_fingerprint_differs_with_any_figure_and_not_with_the_order() -> None:
    one, _ = charged(0, 2, energy_kwh=4.0)
    two, _ = charged(3, 4)
    known = fingerprint_of({"1": one, "2": two})
    assert fingerprint_of({"2": two, "1": one}) == known
    assert fingerprint_of({"1": one}) != known
    assert fingerprint_of({"1": replace(one, cost=0.1), "2": two}) != known
    assert fingerprint_of({"1": one, "2": replace(two, ended_at=AT + 5 * HOUR)}) != known
