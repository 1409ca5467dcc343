"""Ledger: each session counts once, in whatever order its figures come, are corrected or are deleted."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from hypothesis import given, strategies as st
import pytest

from custom_components.jedlix.api import Session
from custom_components.jedlix.state.figures import Figures, completed
from custom_components.jedlix.state.hours import Interval
from custom_components.jedlix.state.ledger import (
    CHARGING_REMEMBERED,
    MAX_UNSEEN,
    SESSIONS_REMEMBERED,
    Ledger,
)

NOON: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
AMSTERDAM: Final = ZoneInfo("Europe/Amsterdam")
HOUR: Final = timedelta(hours=1)


def at(hours: float) -> datetime:
    """Return a moment in hours after noon."""
    return NOON + timedelta(hours=hours)


def session(name: str, start: float | None = 0, end: float | None = None, **more: Any) -> Session:
    """Return a session of the car; times are hours after noon."""
    return Session(
        id=name,
        started_at=None if start is None else at(start),
        ended_at=None if end is None else at(end),
        **more,
    )


def figures(energy_kwh: float | None, cost: float | None, savings: float | None) -> Figures:
    """Return figures."""
    return Figures(energy_kwh=energy_kwh, cost=cost, savings=savings)


LAST: Final = session("last", 2000, 2001)


def seal(ledger: Ledger, now: datetime) -> Ledger:
    """Return a ledger with all but a last session sealed that are no longer remembered."""
    return ledger.advance([LAST]).seal(now, AMSTERDAM)


def approx(wanted: Figures) -> Any:
    """Return figures that compare with what rounding allows."""
    return tuple(
        None if it is None else pytest.approx(it, abs=1e-6)
        for it in (wanted.energy_kwh, wanted.cost, wanted.savings)
    )


def amounts(found: Figures) -> tuple[float | None, ...]:
    """Return the three amounts."""
    return (found.energy_kwh, found.cost, found.savings)


# -- each session once -------------------------------------------------------------------------------------


def test_a_session_that_is_listed_again_counts_once() -> None:
    whole = session("a", 0, 2, energy_kwh=10, cost=2, savings=1, currency="EUR")
    once = Ledger().advance([whole])
    assert once.advance([whole, whole]) is once
    assert once.figures(NOON) == figures(10, 2, 1)


@pytest.mark.parametrize("corrected", [12.5, 6.0, 0.0])
def test_a_correction_changes_the_totals_by_its_difference(corrected: float) -> None:
    ledger = Ledger().advance([session("a", energy_kwh=10), session("b", 3, 4, energy_kwh=5)])
    ledger = ledger.advance([session("a", energy_kwh=corrected)])
    assert ledger.figures(NOON).energy_kwh == corrected + 5


def test_what_an_answer_leaves_out_stays() -> None:
    ledger = Ledger().advance([session("a", 0, 2, energy_kwh=10, cost=2, is_managed=True)])
    # Jedlix has taken the end back, and lists no figures for the moment.
    ledger = ledger.advance([session("a", 0, None)])
    assert ledger.sessions["a"] == session("a", 0, 2, energy_kwh=10, cost=2, is_managed=True)
    ledger = ledger.advance([session("a", 0, 3, energy_kwh=11)])
    assert ledger.sessions["a"] == session("a", 0, 3, energy_kwh=11, cost=2, is_managed=True)


def test_an_answer_from_before_the_end_changes_no_figure_and_an_end_that_is_taken_back_does() -> (
    None
):
    ended = session("a", 0, 2, energy_kwh=10, cost=2)
    # Two answers of one refresh: the tenant's list was read before the end.
    ledger = Ledger().advance([ended, session("a", 0, None, energy_kwh=6, cost=1)])
    assert ledger.sessions["a"] == ended
    assert ledger.advance([session("a", 0, None, energy_kwh=10, cost=1.9)]) is ledger
    ledger = ledger.advance([session("a", 0, None, energy_kwh=11, cost=2.5)])
    assert ledger.sessions["a"] == session("a", 0, 2, energy_kwh=11, cost=2.5)


def test_a_figure_that_no_session_ever_had_is_none() -> None:
    ledger = Ledger().advance([session("a", energy_kwh=10), session("b")])
    assert ledger.figures(NOON) == figures(10, None, None)
    assert Ledger().figures(NOON) == Figures()


def test_figures_are_empty_without_any_and_contradict_where_both_have_one() -> None:
    known = figures(10, 2, 1)
    for name in ("energy_kwh", "cost", "savings"):
        same, other = Figures(**{name: getattr(known, name)}), Figures(**{name: 5.0})
        assert not same.is_empty
        assert known.contradicts(other)
        assert not known.contradicts(same)
        assert not same.contradicts(Figures())
    assert Figures().is_empty


def test_a_deleted_session_leaves_and_comes_back_when_it_is_listed_again() -> None:
    a, b = session("a", energy_kwh=10), session("b", energy_kwh=5)
    ledger = Ledger().advance([a, b]).with_financials([session("a", cost=3)], NOON)
    assert ledger.without({"c"}) is ledger
    ledger = ledger.without({"a"})
    assert ledger.figures(NOON) == figures(5, None, None)
    assert ledger.advance([a]).figures(NOON) == figures(15, None, None)


# -- the financials ----------------------------------------------------------------------------------------


def test_the_financials_give_what_the_list_leaves_out() -> None:
    ledger = Ledger().advance([session("a", 0, 2, energy_kwh=10)])
    line = session("a", energy_kwh=99, cost=2, savings=1, currency="EUR")
    ledger = ledger.with_financials([line, session("a"), session("of another car", cost=50)], NOON)
    assert ledger.sessions["a"] == completed(session("a", 0, 2, energy_kwh=10), line)
    assert ledger.session("a") == ledger.sessions["a"]
    assert ledger.session("b") is None
    assert ledger.figures(NOON) == figures(10, 2, 1)
    # The financials are corrected; then the list has a cost of its own, and it holds.
    corrected = ledger.with_financials([session("a", cost=3)], NOON)
    assert corrected.figures(NOON) == figures(10, 3, 1)
    assert corrected.advance([session("a", 0, 2, cost=4)]).figures(NOON) == figures(10, 4, 1)
    assert ledger.with_financials([line], NOON) == ledger


# -- currency ----------------------------------------------------------------------------------------------


def test_money_without_a_currency_counts_and_money_in_another_does_not() -> None:
    ledger = Ledger().advance(
        [
            session("a", 0, 1, energy_kwh=1, cost=1, currency="EUR"),
            session("b", 1, 2, energy_kwh=2, cost=2, currency="EUR"),
            session("c", 2, 3, energy_kwh=4, cost=4),
            session("d", 3, 4, energy_kwh=8, cost=8, currency="SEK"),
        ]
    )
    assert ledger.currency == "EUR"
    assert ledger.figures(NOON) == figures(15, 7, None)
    sealed = seal(ledger, at(24 * 30))
    assert (sealed.listed, sealed.currency) == ({"last": LAST}, "EUR")
    assert sealed.figures(NOON) == figures(15, 7, None)
    assert Ledger().currency is None


def test_one_session_abroad_changes_no_currency_however_old_it_is() -> None:
    ledger = Ledger().advance(
        [
            session("a", 0, 1, energy_kwh=1, cost=1, currency="EUR"),
            session("b", 2, 3, energy_kwh=1, cost=7, currency="DKK"),
        ]
    )
    assert ledger.currency == "EUR"  # the older one
    ledger = ledger.advance([session("c", 4, 5, energy_kwh=1, cost=2, currency="EUR")])
    sealed = seal(ledger, at(24 * 30))
    assert (sealed.currency, sealed.figures(NOON).cost) == ("EUR", 3)


# -- sealed sessions ---------------------------------------------------------------------------------------


def test_a_sealed_session_keeps_counting_and_never_counts_twice() -> None:
    a = session("a", 0, 2, energy_kwh=10, cost=2)
    ledger = seal(Ledger().advance([a]), at(2) + SESSIONS_REMEMBERED - HOUR)
    assert ledger.sessions.keys() == {"a", "last"}
    later = at(2) + SESSIONS_REMEMBERED
    ledger = ledger.seal(later, AMSTERDAM)
    assert ledger.sessions.keys() == {"last"}
    assert ledger.figures(later) == figures(10, 2, None)
    assert ledger.seal(later + HOUR, AMSTERDAM) is ledger
    for again in (
        a,
        session("a", 0, 3, energy_kwh=20),
        session("a", 0, 240, energy_kwh=20),  # with a much later end
        session("a", 0, None, energy_kwh=20),  # without an end
        session("unknown", -20, -10, energy_kwh=20),  # as old as what is sealed
    ):
        assert ledger.advance([again]) is ledger
    assert ledger.advance([session("new", 50, 60, energy_kwh=1)]).figures(later).energy_kwh == 11


def test_a_session_is_remembered_as_long_as_a_later_one_that_shares_an_hour_with_it() -> None:
    """The statistics of an hour are written as a whole: from both sessions, or from neither."""
    other, old = session("other", -2, 0.9), session("old", 1, 2.2, energy_kwh=3)
    long = session("long", 2.5, 24 * 9, energy_kwh=5)
    ledger = Ledger().advance([other, old, long, LAST])
    eight_days_later = at(2.2) + SESSIONS_REMEMBERED
    ledger = ledger.seal(eight_days_later, AMSTERDAM)
    assert ledger.sessions.keys() == {"old", "long", "last"}
    ledger = ledger.seal(at(24 * 9) + SESSIONS_REMEMBERED, AMSTERDAM)
    assert ledger.sessions.keys() == {"last"}
    assert ledger.figures(at(24 * 18)).energy_kwh == 8


def test_of_sessions_in_a_row_that_share_hours_none_goes_before_the_last() -> None:
    row = [
        session(name, start, start + 1, energy_kwh=1) for name, start in (("a", 0.2), ("b", 1.3))
    ]
    ledger = Ledger().advance([*row, session("c", 2.4, 24 * 9, energy_kwh=5), LAST])
    ledger = ledger.seal(at(2.3) + SESSIONS_REMEMBERED, AMSTERDAM)
    assert ledger.sessions.keys() == {"a", "b", "c", "last"}
    ledger = ledger.seal(at(24 * 9) + SESSIONS_REMEMBERED, AMSTERDAM)
    assert ledger.sessions.keys() == {"last"}


def test_a_session_that_never_ends_keeps_the_others_for_two_months() -> None:
    endless = [session("endless", 0), session("a", 1, 2, energy_kwh=3), LAST]
    ledger = Ledger().advance(endless).seal(at(0) + CHARGING_REMEMBERED, AMSTERDAM)
    assert ledger.sessions.keys() == {"endless", "a", "last"}
    ledger = ledger.seal(at(3) + CHARGING_REMEMBERED, AMSTERDAM)
    assert ledger.sessions.keys() == {"endless", "last"}


@pytest.mark.parametrize(
    ("days", "more", "read_days", "may_settle", "is_kept"),
    [
        (20, {}, None, True, True),
        (20, {}, None, False, False),  # nothing else has its figures
        (20, {"cost": 1, "savings": 1}, None, True, False),  # it has all of them
        (20, {}, 1, True, True),  # they may have come since
        (20, {}, 2, True, False),
        (61, {}, None, True, True),
        (63, {}, None, True, False),
    ],
)
def test_a_session_that_may_settle_keeps_the_others_for_two_months(
    days: float, more: dict[str, float], read_days: float | None, may_settle: bool, is_kept: bool
) -> None:
    old, later = session("old", -5, 0, energy_kwh=1, **more), session("later", 1, 2, energy_kwh=3)
    complete = replace(later, cost=0, savings=0)
    ledger = Ledger().advance([old, complete, LAST])
    if read_days is not None:
        ledger = ledger.with_financials([], at(24 * read_days))
    ledger = ledger.seal(at(24 * days), AMSTERDAM, may_settle=may_settle)
    assert ledger.sessions.keys() == ({"old", "later", "last"} if is_kept else {"last"})
    assert ledger.figures(at(24 * days)).energy_kwh == 4


def test_what_ended_before_a_session_that_may_settle_is_sealed() -> None:
    """A page of the tenant's list that reaches further back than the first answer brings nothing."""
    first, waiting = session("first", -50, -48, energy_kwh=1), session("waiting", 0, 1, cost=2)
    complete = replace(first, cost=1, savings=1)
    ledger = Ledger().advance([complete, waiting, LAST])
    ledger = ledger.seal(at(24 * 20), AMSTERDAM, may_settle=True)
    assert ledger.sessions.keys() == {"waiting", "last"}
    older = session("older", -100, -99, energy_kwh=7)
    assert ledger.advance([complete, older]) is ledger
    assert ledger.figures(at(24 * 20)) == figures(1, 3, 1)


def test_the_first_answer_counts_as_far_back_as_it_goes() -> None:
    old = session("a", -24 * 30, -24 * 29, energy_kwh=3)
    ledger = seal(Ledger().advance([old]), NOON)
    assert ledger.sessions.keys() == {"last"}
    assert ledger.figures(NOON).energy_kwh == 3


def test_what_ended_in_a_long_outage_counts() -> None:
    ledger = Ledger().seal(NOON, AMSTERDAM)
    ledger = seal(ledger.advance([session("a", 1, 2, energy_kwh=3)]), at(24 * 20))
    assert ledger.figures(at(24 * 20)).energy_kwh == 3


def test_the_ids_of_sealed_sessions_are_forgotten_in_the_end() -> None:
    ledger = seal(Ledger().advance([session("a", 0, 1, energy_kwh=3)]), at(24 * 20))
    assert ledger.sealed_sessions.keys() == {"a"}
    later = at(24 * 60)
    ledger = ledger.advance([session("b", 24 * 41, 24 * 41 + 1)]).seal(later, AMSTERDAM)
    assert ledger.sealed_sessions.keys() == {"b"}
    assert ledger.figures(later).energy_kwh == 3


# -- months ------------------------------------------------------------------------------------------------

# Midnight in Amsterdam is 23:00 UTC in winter.
DECEMBER: Final = datetime(2026, 12, 1, tzinfo=AMSTERDAM)
NIGHT: Final = Session(
    id="night",
    started_at=DECEMBER - 6 * HOUR,
    ended_at=DECEMBER + 2 * HOUR,
    energy_kwh=8,
    cost=4,
    savings=2,
)


@pytest.mark.parametrize("is_sealed", [False, True])
@pytest.mark.parametrize(
    ("charging", "energy_in_december"),
    [
        ([], 2),  # evenly
        ([(-6, -4)], 0),
        ([(0, 2)], 8),
        ([(-3, 1)], 2),
        ([(-6, -5), (1, 2)], 4),
    ],
)
def test_a_session_over_the_end_of_a_month_counts_when_the_car_charged(
    charging: list[tuple[float, float]], energy_in_december: float, *, is_sealed: bool
) -> None:
    ledger = Ledger().advance([NIGHT])
    for start, end in charging:
        ledger = ledger.with_charging(DECEMBER + start * HOUR, DECEMBER + end * HOUR)
    now = DECEMBER + timedelta(days=9)
    if is_sealed:
        now += timedelta(days=5)
        ledger = seal(ledger, now)
        assert ledger.sessions.keys() == {"last"}
    found = ledger.figures(now, DECEMBER)
    assert amounts(found) == approx(
        figures(energy_in_december, energy_in_december / 2, energy_in_december / 4)
    )
    assert amounts(ledger.figures(now)) == approx(figures(8, 4, 2))
    november = DECEMBER.replace(month=11)
    assert amounts(ledger.figures(now, november)) == approx(figures(8, 4, 2))


def test_a_running_session_counts_in_the_new_month_as_it_goes_on() -> None:
    running = Session(id="s", started_at=DECEMBER - 6 * HOUR, energy_kwh=8)
    ledger = Ledger().advance([running])
    assert ledger.figures(DECEMBER, DECEMBER).energy_kwh == 0
    assert ledger.figures(DECEMBER + 2 * HOUR, DECEMBER).energy_kwh == pytest.approx(2)


def test_where_nobody_read_the_car_for_long_the_energy_is_spread_evenly() -> None:
    ledger = Ledger().advance([NIGHT]).with_charging(DECEMBER, DECEMBER + HOUR)
    now = DECEMBER + timedelta(days=1)
    short = ledger.with_unseen(DECEMBER - 3 * HOUR, DECEMBER - 3 * HOUR + MAX_UNSEEN)
    assert short.figures(now, DECEMBER).energy_kwh == pytest.approx(8)
    long = ledger.with_unseen(DECEMBER - 4 * HOUR, DECEMBER - HOUR)
    assert long.figures(now, DECEMBER).energy_kwh == pytest.approx(2)


def test_intervals_that_touch_are_one() -> None:
    ledger = Ledger().watch(at(0))
    for start, end in ((1, 2), (2, 3), (5, 6), (5.5, 7), (300, 301)):
        ledger = ledger.with_charging(at(start), at(end))
    assert ledger.charging == tuple(
        Interval(at(start), at(end)) for start, end in ((1, 3), (5, 7), (300, 301))
    )


def test_when_the_car_charged_is_forgotten_after_two_months_before_all_remembered_sessions() -> (
    None
):
    now = 24 * CHARGING_REMEMBERED.days
    ledger = Ledger().watch(at(0)).with_charging(at(1), at(2)).with_unseen(at(3), at(9))
    ledger = ledger.with_charging(at(90), at(91))
    assert len(ledger.with_charging(at(now), at(now + 0.5)).charging) == 3
    long = ledger.advance([session("long", 1, None)]).with_charging(at(now + 48), at(now + 50))
    assert len(long.charging) == 3
    later = ledger.with_charging(at(now + 48), at(now + 50))
    assert later.charging == (Interval(at(90), at(91)), Interval(at(now + 48), at(now + 50)))
    assert later.unseen == ()
    half_known = session("s", 49, 95, energy_kwh=46)
    assert later.flow(half_known, at(now)) == (Interval(at(49), at(95)),)
    known = session("s", 51, 95, energy_kwh=46)
    assert later.flow(known, at(now)) == (Interval(at(90), at(91)),)


def test_of_a_session_that_began_before_the_first_reading_it_is_not_known_when_it_charged() -> None:
    ledger = Ledger().watch(at(2)).watch(at(5)).with_charging(at(3), at(4))
    assert ledger.flow(session("s", 1, 9), at(9)) == (Interval(at(1), at(9)),)
    assert ledger.flow(session("s", 2, 9), at(9)) == (Interval(at(3), at(4)),)


@pytest.mark.parametrize(
    ("start", "end", "part"), [(None, 1, 1.0), (None, None, 1.0), (0, 0, 1.0), (None, -999, 0.0)]
)
def test_a_session_without_a_start_belongs_to_its_end(
    start: float | None, end: float | None, part: float
) -> None:
    ledger = Ledger().advance([session("s", start, end, energy_kwh=4)])
    since = NOON.astimezone(AMSTERDAM).replace(day=1, hour=0)
    assert ledger.figures(at(2), since).energy_kwh == 4 * part


def test_the_last_session_is_remembered_until_another_ends() -> None:
    a, b = session("a", 0, 1, energy_kwh=3), session("b", 400, 401, energy_kwh=1)
    ledger = Ledger().advance([a]).seal(at(400), AMSTERDAM)
    assert (ledger.last_session, ledger.sealed_months) == (a, ())
    ledger = ledger.advance([b]).seal(at(402), AMSTERDAM)
    assert (ledger.last_session, len(ledger.sealed_months)) == (b, 1)
    assert ledger.figures(at(402)).energy_kwh == 4


def test_the_last_session_is_the_one_that_ended_last() -> None:
    a, b = session("a", 0, 5), session("b", 2, 4)
    ledger = Ledger().advance([b, a, session("running", 6)])
    assert ledger.last_session == a
    assert Ledger().last_session is None


# -- any order ---------------------------------------------------------------------------------------------

AMOUNT: Final = st.none() | st.integers(0, 400).map(lambda quarters: quarters / 4)
ANSWERS: Final = st.lists(
    st.builds(
        Session,
        id=st.sampled_from("abc"),
        started_at=st.none() | st.just(at(-200)),
        ended_at=st.none() | st.integers(-180, 0).map(at),
        energy_kwh=AMOUNT,
        cost=AMOUNT,
        savings=AMOUNT,
        currency=st.none() | st.just("EUR"),
    ),
    max_size=12,
)


FIGURES: Final = ("energy_kwh", "cost", "savings", "currency")
FIELDS: Final = ("started_at", "ended_at", *FIGURES)


def last_reported(
    answers: list[Session], name: str, fields: tuple[str, ...] = FIELDS
) -> dict[str, Any]:
    """Return the last value of each field that the answers about a session reported.

    Once it has ended, an answer without an end counts where there is more energy.
    """
    found: dict[str, Any] = {}
    for answer in answers:
        energy = answer.energy_kwh or 0
        was_before = "ended_at" in found and answer.ended_at is None
        if answer.id == name and not (was_before and energy <= found.get("energy_kwh", 0)):
            values = {field: getattr(answer, field) for field in fields}
            found |= {field: value for field, value in values.items() if value is not None}
    return found


@given(ANSWERS, ANSWERS, st.randoms(use_true_random=False), st.data())
def test_any_order_of_partial_repeated_and_corrected_answers_leaves_the_same_ledger(
    listed: list[Session], financials: list[Session], random: Any, data: st.DataObject
) -> None:
    """One source's answers about one session keep their order; all else may be mixed."""
    calls: list[tuple[str, Session]] = []
    queues = [
        [
            (source, answer)
            for answer in answers
            if answer.id == name
            for _ in range(data.draw(st.integers(1, 2)))
        ]
        for source, answers in (("list", listed), ("financials", financials))
        for name in "abc"
    ]
    while queues := [queue for queue in queues if queue]:
        calls.append(random.choice(queues).pop(0))
    # The financials complete only a session that is listed: all are asked once more at the end.
    ledger = Ledger()
    for source, answer in [*calls, *(("financials", answer) for answer in financials)]:
        is_listed = source == "list"
        ledger = ledger.advance([answer]) if is_listed else ledger.with_financials([answer], NOON)
    with_amounts = [item for item in financials if not Figures.of(item).is_empty]
    expected = {
        name: last_reported(with_amounts, name, FIGURES) | last_reported(listed, name)
        for name in {answer.id for answer in listed}
    }
    for name in ("energy_kwh", "cost", "savings"):
        known = [values[name] for values in expected.values() if name in values]
        assert getattr(ledger.figures(NOON), name) == (sum(known) if known else None)
    assert {name: last_reported([item], name) for name, item in ledger.sessions.items()} == expected
    sealed = seal(ledger, at(SESSIONS_REMEMBERED / HOUR))
    assert amounts(sealed.figures(NOON)) == approx(ledger.figures(NOON))
    for answer in listed:  # what is sealed is listed once more
        if answer.id not in sealed.listed:
            assert sealed.advance([answer]) is sealed
