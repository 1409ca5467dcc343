"""Changes: tables of what two snapshots of a user give, and properties over any history."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from hypothesis import given, strategies as st
import pytest

from custom_components.jedlix.api import (
    ChargeSettings,
    ChargeState,
    ChargeStatus,
    Session,
    Vehicle,
    WebhookMessage,
)
from custom_components.jedlix.state.changes import Change, ChangeType, change_of_delivery, compare
from custom_components.jedlix.state.ledger import Ledger
from custom_components.jedlix.state.link import Link
from custom_components.jedlix.state.user_snapshot import UserSnapshot
from custom_components.jedlix.state.vehicle_snapshot import VehicleSnapshot

NOON: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
UNKNOWN, AWAY, STOPPED, CHARGING, COMPLETE = ChargeStatus


def at(minutes: float) -> datetime:
    """Return a moment in minutes after noon."""
    return NOON + timedelta(minutes=minutes)


def car(status: ChargeStatus = AWAY, read_at: float | None = 0, **more: Any) -> Vehicle:
    """Return the car as Jedlix reports it, with a reading of that minute."""
    reading = ChargeState(
        status=status, battery_level=50, updated_at=None if read_at is None else at(read_at)
    )
    return Vehicle(id="car", user_id="user", **({"charge_state": reading} | more))


def session(
    name: str = "s", start: float | None = 1, end: float | None = None, **more: Any
) -> Session:
    """Return a smart session of the car at home."""
    usual: dict[str, Any] = {
        "vehicle_id": "car",
        "is_managed": True,
        "charging_location_id": "home",
    }
    return Session(
        id=name,
        user_id="user",
        started_at=None if start is None else at(start),
        ended_at=None if end is None else at(end),
        **(usual | more),
    )


@dataclass(frozen=True)
class Answer:
    """What Jedlix answers at a minute."""

    minute: float
    cars: Sequence[Vehicle]
    sessions: Sequence[Session] = ()
    complete_since: float | None = None


def changes_of_each(answers: Iterable[Answer], *, after_gap: bool = False) -> list[list[Change]]:
    """Return the changes that each answer gives; the first one is of the user's first refresh."""
    found: list[list[Change]] = []
    before: UserSnapshot | None = None
    for answer in answers:
        now = at(answer.minute)
        before = before or UserSnapshot.unknown("user", now)
        since = None if answer.complete_since is None else at(answer.complete_since)
        after = before.advance(answer.cars, answer.sessions, now, complete_since=since)
        after = replace(after, refreshed_at=now)
        found.append(compare(before, after, now, after_gap=after_gap))
        before = after
    return found


def changes_of_last(*answers: Answer, after_gap: bool = False) -> list[Change]:
    """Return the changes that the last of these answers gives."""
    return changes_of_each(answers, after_gap=after_gap)[-1]


def types(changes: Iterable[Change]) -> list[str]:
    """Return the types alone, in the order in which they are published."""
    return [change.type.value for change in changes]


# -- the charge state --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (AWAY, STOPPED, ["plugged_in"]),
        (AWAY, CHARGING, ["plugged_in", "charging_started"]),
        (AWAY, COMPLETE, ["plugged_in", "charging_completed"]),
        (STOPPED, CHARGING, ["charging_started"]),
        (COMPLETE, CHARGING, ["charging_started"]),
        (CHARGING, STOPPED, ["charging_paused"]),
        (COMPLETE, STOPPED, []),
        (CHARGING, COMPLETE, ["charging_completed"]),
        (STOPPED, COMPLETE, ["charging_completed"]),
        (STOPPED, AWAY, ["unplugged"]),
        (CHARGING, AWAY, ["unplugged"]),
        (COMPLETE, AWAY, ["unplugged"]),
        *((status, status, []) for status in ChargeStatus),
        *((UNKNOWN, status, []) for status in ChargeStatus),
        *((status, UNKNOWN, []) for status in ChargeStatus),
    ],
)
def test_a_new_charge_state_is_a_change_of_the_plug_or_of_charging(
    before: ChargeStatus, after: ChargeStatus, expected: list[str]
) -> None:
    changes = changes_of_last(Answer(0, [car(before)]), Answer(2, [car(after, 1)]))
    assert types(changes) == expected
    assert {change.occurred_at for change in changes} <= {at(1)}
    assert {change.details["battery_level"] for change in changes} <= {50}
    assert {(change.user_id, change.vehicle_id) for change in changes} <= {("user", "car")}


@pytest.mark.parametrize(("minute", "expected"), [(5, "s"), (6, None)])
def test_what_happened_after_the_end_of_a_session_is_not_of_that_session(
    minute: float, expected: str | None
) -> None:
    """The session that follows in the same plug-in is listed later than the reading that began it."""
    (change,) = (
        change
        for change in changes_of_last(
            Answer(2, [car(CHARGING, 1)], [session()]),
            Answer(7, [car(STOPPED, minute)], [session(end=5)]),
        )
        if change.type is ChangeType.CHARGING_PAUSED
    )
    assert change.session_id == expected


@pytest.mark.parametrize(("after", "expected"), [(CHARGING, []), (AWAY, ["unplugged"])])
def test_an_unknown_charge_state_between_two_known_ones_makes_no_difference(
    after: ChargeStatus, expected: list[str]
) -> None:
    answers = (Answer(0, [car(CHARGING)]), Answer(1, [car(UNKNOWN, 1)]), Answer(2, [car(after, 2)]))
    assert types(changes_of_last(*answers)) == expected


def test_a_change_in_a_reading_without_a_time_happened_now() -> None:
    (plugged_in,) = changes_of_last(Answer(0, [car()]), Answer(7, [car(STOPPED, None)]))
    assert plugged_in.occurred_at == at(7)


@pytest.mark.parametrize(("read_at", "occurred_at"), [(7.01, 7.01), (12, 12), (12.1, 7)])
def test_the_time_of_a_reading_counts_although_the_clock_is_a_little_behind(
    read_at: float, occurred_at: float
) -> None:
    """Jedlix's clock is known to the second. A reading that lies further in the future was read now."""
    (plugged_in,) = changes_of_last(Answer(0, [car()]), Answer(7, [car(STOPPED, read_at)]))
    assert plugged_in.occurred_at == at(occurred_at)


def test_plugging_in_and_out_have_the_place_and_the_session() -> None:
    answers = (
        Answer(0, [car()]),
        Answer(1, [car(STOPPED, 1)], [session(charging_location_id="garage")]),
        Answer(2, [car(AWAY, 2)]),
    )
    plugged_in, unplugged = changes_of_each(answers)[1][0], changes_of_each(answers)[2][0]
    for change in (plugged_in, unplugged):
        assert change.details == {"battery_level": 50, "charging_location_id": "garage"}
    assert plugged_in.session_id == "s"


@pytest.mark.parametrize(
    ("before", "ended", "place"),
    [
        (session(), [session(end=2)], "home"),
        # It drove to work, and charged there, between two refreshes.
        (session(), [session(end=2), session("t", 3, 4, charging_location_id="work")], "work"),
        (session(), [session("t", 0, 0.5, charging_location_id="work"), session(end=2)], "home"),
        (None, [session("t", 3, 4, charging_location_id="work")], "work"),
        (None, [], None),
    ],
)
def test_an_unplug_has_the_place_of_the_session_that_ended_with_it(
    before: Session | None, ended: list[Session], place: str | None
) -> None:
    listed = [session("yesterday", -1000, -900, charging_location_id="garage")]
    *_, unplugged = changes_of_last(
        Answer(0, [car()], listed),
        Answer(1, [car(STOPPED, 1)], [*listed, *filter(None, [before])]),
        Answer(5, [car(AWAY, 5)], [*listed, *ended]),
    )
    assert unplugged.type == "unplugged"
    assert unplugged.details["charging_location_id"] == place


def test_a_plug_in_without_a_known_session_has_no_place() -> None:
    (plugged_in,) = changes_of_last(Answer(0, [car()]), Answer(1, [car(STOPPED, 1)]))
    assert plugged_in.details["charging_location_id"] is None
    assert plugged_in.session_id is None


# -- the first refresh -------------------------------------------------------------------------------------


def test_a_session_that_ended_before_the_first_refresh_is_not_published_when_it_is_listed_later() -> (
    None
):
    listed_late = [session("s", -9, -5)]
    assert (
        changes_of_last(Answer(0, [car(CHARGING)]), Answer(1, [car(CHARGING)], listed_late)) == []
    )


def test_an_open_session_is_new_when_its_id_is_however_long_ago_it_began() -> None:
    listed_late = [session("s", -5)]
    (started,) = changes_of_last(
        Answer(0, [car(CHARGING)]), Answer(1, [car(CHARGING)], listed_late)
    )
    assert (started.type, started.session_id) == (ChangeType.SESSION_STARTED, "s")
    assert started.occurred_at == listed_late[0].started_at


def test_a_known_session_may_end_before_the_first_refresh() -> None:
    """It ends at the last reading of the plug-in (documented), which of a sleeping car may be old."""
    seen = UserSnapshot.unknown("user", at(30)).advance([car(CHARGING)], [session()], at(30))
    ended = seen.advance([car(AWAY, 40)], [session(end=5)], at(40))
    changes = compare(seen, ended, at(40))
    assert [(change.type, change.occurred_at) for change in changes] == [
        ("session_ended", at(5)),
        ("unplugged", at(40)),
    ]


def test_a_session_across_the_first_refresh_that_is_listed_late_starts_with_it() -> None:
    started, ended = changes_of_last(Answer(0, [car()]), Answer(9, [car()], [session("s", -5, 5)]))
    assert (started.type, started.occurred_at) == (ChangeType.SESSION_STARTED, at(0))
    assert started.details["started_at"] == at(-5).isoformat()
    assert (ended.type, ended.occurred_at) == (ChangeType.SESSION_ENDED, at(5))


# -- sessions ----------------------------------------------------------------------------------------------


def test_a_session_starts_and_then_ends_with_its_figures() -> None:
    done = session(end=40, energy_kwh=7.5, cost=1.2, savings=0.3, currency="EUR")
    changes = changes_of_each(
        [
            Answer(0, [car()]),
            Answer(2, [car(CHARGING, 1)], [session()]),
            Answer(45, [car(AWAY, 42)], [done]),
            Answer(50, [car(AWAY, 42)], [done]),
        ]
    )
    assert [types(each) for each in changes] == [
        [],
        ["plugged_in", "session_started", "charging_started"],
        ["session_ended", "session_settled", "unplugged"],
        [],
    ]
    started, ended, settled = changes[1][1], *changes[2][:2]
    assert (started.session_id, started.occurred_at) == ("s", at(1))
    known = {
        "is_managed": True,
        "charging_location_id": "home",
        "started_at": at(1).isoformat(),
    }
    assert started.details == known
    assert (ended.session_id, ended.occurred_at) == ("s", at(40))
    assert ended.details == known | {
        "ended_at": at(40).isoformat(),
        "energy_kwh": 7.5,
        "cost": 1.2,
        "savings": 0.3,
        "currency": "EUR",
    }
    assert (settled.session_id, settled.occurred_at, settled.is_timed) == ("s", at(40), True)
    assert settled.details == {**ended.details, "corrected": False}


def test_the_end_of_a_session_comes_before_the_start_of_the_next_at_the_same_moment() -> None:
    answers = (
        Answer(0, [car(CHARGING)], [session("old", -5, is_managed=True)]),
        Answer(
            9,
            [car(CHARGING)],
            [session("new", 8, is_managed=False), session("old", -5, 8, energy_kwh=3)],
        ),
    )
    changes = changes_of_last(*answers)
    assert [(change.type.value, change.session_id) for change in changes] == [
        ("session_ended", "old"),
        ("session_settled", "old"),
        ("session_started", "new"),
        ("session_became_unmanaged", "new"),
    ]


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ([{}, {}], []),
        ([{"energy_kwh": 3.0}, {"energy_kwh": 3.0}], [(5, 3.0, None, False)]),
        ([{"energy_kwh": 3.0}, {}], [(5, 3.0, None, False)]),
        ([{}, {"energy_kwh": 3.0}], [(8, 3.0, None, False)]),
        (
            [{"energy_kwh": 3.0}, {"energy_kwh": 3.0, "cost": 1.0}],
            [(5, 3.0, None, False), (8, 3.0, 1.0, False)],
        ),
        (
            [{"energy_kwh": 3.0}, {"energy_kwh": 2.5}, {"energy_kwh": 2.5}],
            [(5, 3.0, None, False), (8, 2.5, None, True)],
        ),
        (
            [{"energy_kwh": 3.0}, {"energy_kwh": 2.5, "cost": 1.0}],
            [(5, 3.0, None, False), (8, 2.5, 1.0, True)],
        ),
    ],
)
def test_a_session_is_settled_when_its_figures_become_known_or_are_corrected(
    figures: list[dict[str, Any]], expected: list[tuple[float, float, float | None, bool]]
) -> None:
    """The session ended at minute 5; `figures` is what Jedlix reports at minutes 7, 8 and 9."""
    answers = [Answer(0, [car()]), Answer(2, [car(CHARGING, 1)], [session()])]
    answers += [
        Answer(minute, [car(AWAY, 5)], [session(end=5, **reported)])
        for minute, reported in zip((7, 8, 9), figures, strict=False)
    ]
    found = [
        (
            change.occurred_at,
            *(change.details.get(name) for name in ("energy_kwh", "cost", "corrected")),
        )
        for each in changes_of_each(answers)
        for change in each
        if change.type is ChangeType.SESSION_SETTLED
    ]
    assert found == [(at(minute), *values) for minute, *values in expected]


def test_the_financials_settle_a_session() -> None:
    user = with_car().advance([car()], [session(end=2)], at(3))
    known = user.vehicles["car"]
    ledger = known.ledger.with_financials([Session(id="s", cost=2.0, currency="EUR")], at(4))
    (settled,) = compare(user, user.with_vehicle(replace(known, ledger=ledger)), at(4))
    assert (settled.type.value, settled.occurred_at) == ("session_settled", at(4))
    assert (settled.details["cost"], settled.details["currency"]) == (2.0, "EUR")


def test_sessions_from_before_anything_was_known_settle_in_silence() -> None:
    old = session("old", -50, -40, energy_kwh=1.0)
    assert changes_of_last(Answer(0, [car()]), Answer(2, [car()], [old])) == []
    corrected = replace(old, energy_kwh=2.0)
    answers = (Answer(0, [car()], [old]), Answer(2, [car()], [corrected]))
    (settled,) = changes_of_last(*answers)
    assert (settled.type.value, settled.details["corrected"]) == ("session_settled", True)
    for less in (replace(old, energy_kwh=None), old):
        answers = (Answer(0, [car()], [less]), Answer(2, [car()], [replace(old, cost=1.0)]))
        assert changes_of_last(*answers) == []


@pytest.mark.parametrize(
    "answers", [[{"energy_kwh": 3.0}], [{}, {"energy_kwh": 3.0}], [{}, {}, {"energy_kwh": 3.0}]]
)
def test_a_known_session_that_ended_before_the_first_refresh_settles(
    answers: list[dict[str, Any]],
) -> None:
    """It was open in the first answer: the car had not reported the unplug yet."""
    found = changes_of_each(
        [
            Answer(30, [car(CHARGING)], [session(), session("old", -50, -40)]),
            *(
                Answer(40 + number, [car(AWAY, 40)], [session(end=5, **figures)])
                for number, figures in enumerate(answers)
            ),
            Answer(50, [car(AWAY, 40)], [session("old", -50, -40, energy_kwh=9.0)]),
        ]
    )
    settled = [change for each in found for change in each if change.type == "session_settled"]
    assert [(change.session_id, change.details["energy_kwh"]) for change in settled] == [("s", 3.0)]


def test_a_deleted_session_settles_at_zero_and_again_when_it_comes_back() -> None:
    done, other = session(end=2, energy_kwh=1.0), session("without figures", 1, 2)
    answers = [Answer(0, [car()]), Answer(3, [car()], [done, other])]
    answers += [Answer(minute, [car()], [], complete_since=0) for minute in (5, 15, 25)]
    changes = changes_of_each([*answers, Answer(30, [car()], [done]), Answer(31, [car()], [done])])
    assert [types(each) for each in changes[2:4]] == [[], []]
    (deleted,), (back,), none = changes[4:]
    assert types([deleted, back, *none]) == ["session_settled"] * 2
    assert (deleted.session_id, deleted.occurred_at) == ("s", at(25))
    assert deleted.details["energy_kwh"] == 0.0
    assert deleted.details["corrected"] is deleted.details["deleted"] is True
    assert "cost" not in deleted.details
    assert (back.details["energy_kwh"], back.details["corrected"]) == (1.0, False)
    assert "deleted" not in back.details


def test_a_sealed_session_is_not_deleted() -> None:
    user = with_car().advance([car()], [session(end=2, energy_kwh=1.0)], at(3))
    later = at(60 * 24 * 60)
    ended = session("later", 60 * 24 * 60 - 9, 60 * 24 * 60 - 5)
    sealed = user.advance([car()], [ended], later).seal(later, UTC)
    assert sealed.vehicles["car"].ledger.sessions.keys() == {"later"}
    assert types(compare(user, sealed, later)) == ["session_started", "session_ended"]


def test_the_first_figures_of_a_car_without_a_ledger_settle_nothing() -> None:
    user = with_car().advance([car()], [session(end=2, energy_kwh=1.0)], at(3))
    stored = replace(user.vehicles["car"], ledger=Ledger())
    before = user.with_vehicle(stored)
    after = before.advance([car()], [session(end=2, energy_kwh=1.0)], at(4))
    assert compare(before, after, at(4)) == []


def test_a_session_without_a_start_began_when_it_was_found() -> None:
    (started,) = changes_of_last(Answer(0, [car()]), Answer(3, [car()], [session(start=None)]))
    assert started.occurred_at == at(3)
    assert started.details["started_at"] is None


@pytest.mark.parametrize(("start", "end"), [(1, 2), (2, 2), (None, 2)])
def test_a_session_between_two_refreshes_starts_and_ends_in_order(
    start: float | None, end: float
) -> None:
    changes = changes_of_last(
        Answer(0, [car()]), Answer(3, [car()], [session(start=start, end=end)])
    )
    assert types(changes) == ["session_started", "session_ended"]
    assert [change.session_id for change in changes] == ["s", "s"]


@pytest.mark.parametrize("copies", [["ended", "ended"], ["ended", "stale"], ["stale", "ended"]])
def test_a_session_in_two_lists_is_published_once(copies: list[str]) -> None:
    of = {"ended": session(end=2), "stale": session()}
    changes = changes_of_last(Answer(0, [car()]), Answer(3, [car()], [of[copy] for copy in copies]))
    assert types(changes) == ["session_started", "session_ended"]


def test_switching_smart_charging_off_in_a_plug_in_is_never_an_unplug() -> None:
    """Documented: the smart session is force-ended, the next telemetry opens an unmanaged one."""
    changes = changes_of_each(
        [
            Answer(0, [car()]),
            Answer(1, [car(CHARGING, 1)], [session("smart")]),
            Answer(6, [car(CHARGING, 1)], [session("smart", 1, 5)]),
            Answer(7, [car(CHARGING, 7)], [session("plain", 7, is_managed=False)]),
            Answer(9, [car(CHARGING, 7)], [session("plain", 7, is_managed=False)]),
        ]
    )
    assert [types(each) for each in changes[2:]] == [
        ["session_ended"],
        ["session_started", "session_became_unmanaged"],
        [],
    ]
    assert changes[3][1].session_id == "plain"
    assert changes[3][1].details == {"previous_session_id": "smart"}
    assert changes[3][1].occurred_at == at(7)


def test_one_refresh_may_find_both_the_replaced_and_the_new_session() -> None:
    changes = changes_of_last(
        Answer(0, [car(CHARGING)], [session("plain", -9, is_managed=False)]),
        Answer(
            5, [car(CHARGING)], [session("plain", -9, 2, is_managed=False), session("smart", 3)]
        ),
    )
    assert types(changes) == ["session_ended", "session_started", "session_became_smart"]
    assert changes[-1].details == {"previous_session_id": "plain"}


@pytest.mark.parametrize(
    ("between", "expected"),
    [
        (False, [("new", "between")]),
        (True, [("between", "first")]),
        (None, []),
    ],
)
def test_a_session_between_two_refreshes_is_the_one_that_is_replaced(
    between: bool | None, expected: list[tuple[str, str]]
) -> None:
    changes = changes_of_last(
        Answer(0, [car(CHARGING)], [session("first", -9, is_managed=False)]),
        Answer(
            5,
            [car(CHARGING)],
            [
                session("old", -99, -90, is_managed=False),
                session("first", -9, 1, is_managed=False),
                session("between", 2, 3, is_managed=between),
                session("new", 4),
            ],
        ),
    )
    became = [
        (change.session_id, change.details["previous_session_id"])
        for change in changes
        if change.type is ChangeType.SESSION_BECAME_SMART
    ]
    assert became == expected
    assert "session_became_unmanaged" not in types(changes)


def test_a_session_that_is_listed_late_does_not_replace_a_later_one() -> None:
    later = session("later", 3)
    early = session("early", 1, 2, is_managed=False)
    changes = changes_of_last(
        Answer(0, [car(CHARGING)]),
        Answer(4, [car(CHARGING)], [later]),
        Answer(9, [car(CHARGING)], [later, early]),
    )
    assert types(changes) == ["session_started", "session_ended"]
    assert {change.session_id for change in changes} == {"early"}


def test_after_an_unplug_the_next_session_replaces_nothing() -> None:
    changes = changes_of_last(
        Answer(0, [car(CHARGING)], [session("a", -9)]),
        Answer(1, [car(AWAY, 1)], [session("a", -9, 1)]),
        Answer(2, [car(CHARGING, 2)], [session("b", 2, is_managed=False)]),
    )
    assert "session_became_unmanaged" not in types(changes)


def test_after_a_gap_two_sessions_are_two_plug_ins() -> None:
    answers = (
        Answer(0, [car(CHARGING)], [session("a", -9)]),
        Answer(
            600, [car(CHARGING, 550)], [session("a", -9, 100), session("b", 550, is_managed=False)]
        ),
    )
    assert types(changes_of_last(*answers)) == [
        "session_ended",
        "session_started",
        "session_became_unmanaged",
    ]
    assert types(changes_of_last(*answers, after_gap=True)) == ["session_ended", "session_started"]
    over = session("b", 550, 590, is_managed=False)
    ended = (answers[0], Answer(600, [car(CHARGING, 550)], [session("a", -9, 100), over]))
    assert "session_became_unmanaged" in types(changes_of_last(*ended))
    assert "session_became_unmanaged" not in types(changes_of_last(*ended, after_gap=True))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (True, False, ["session_became_unmanaged"]),
        (False, True, ["session_became_smart"]),
        (True, True, []),
        (None, True, []),
        (False, None, []),
    ],
)
def test_a_running_session_becomes_smart_or_unmanaged(
    before: bool | None, after: bool | None, expected: list[str]
) -> None:
    changes = changes_of_last(
        Answer(0, [car(CHARGING)], [session(start=-9, is_managed=before)]),
        Answer(3, [car(CHARGING)], [session(start=-9, is_managed=after)]),
    )
    assert types(changes) == expected
    assert [change.details for change in changes] == [{"previous_session_id": "s"}] * len(expected)
    assert {change.occurred_at for change in changes} <= {at(3)}


# -- boost, settings, links, cars --------------------------------------------------------------------------


def with_car(**changed: Any) -> UserSnapshot:
    """Return a user whose car is in a session, with these fields of the car's snapshot changed."""
    user = UserSnapshot.unknown("user", at(0)).advance([car(CHARGING)], [session()], at(1))
    return user.with_vehicle(replace(user.vehicles["car"], **changed))


def test_a_boost_starts_and_ends_with_commands() -> None:
    plain, boosted = with_car(), with_car(boost_session_id="s")
    (started,) = compare(plain, boosted, at(2))
    (ended,) = compare(boosted, plain, at(3))
    assert (started.type, started.session_id) == (ChangeType.BOOST_STARTED, "s")
    assert (ended.type, ended.session_id) == (ChangeType.BOOST_ENDED, "s")
    assert (started.occurred_at, ended.occurred_at) == (at(2), at(3))


def test_a_boost_ends_with_its_session_and_before_it() -> None:
    boosted = with_car(boost_session_id="s")
    ended = boosted.advance([car(AWAY, 4)], [session(end=4)], at(4))
    assert types(compare(boosted, ended, at(4))) == ["boost_ended", "session_ended", "unplugged"]


def test_a_boost_ends_when_its_session_did_and_before_the_next_starts() -> None:
    boosted = with_car(boost_session_id="s")
    sessions = [session(end=4), session("next", start=5, is_boosted=True)]
    both = boosted.advance([car(CHARGING, 9)], sessions, at(9))
    changes = compare(boosted, both, at(9))
    assert [(change.type, change.session_id, change.occurred_at) for change in changes] == [
        ("boost_ended", "s", at(4)),
        ("session_ended", "s", at(4)),
        ("session_started", "next", at(5)),
        ("boost_started", "next", at(9)),
    ]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (True, False, ["smart_charging_disabled"]),
        (False, True, ["smart_charging_enabled"]),
        (False, False, []),
        (None, True, []),
        (True, None, []),
    ],
)
def test_smart_charging_is_switched_on_or_off(
    before: bool | None, after: bool | None, expected: list[str]
) -> None:
    old, new = (
        with_car(
            settings=ChargeSettings(
                is_smart_charging_enabled=on, enable_smart_charging_at=at(60), raw={}
            )
        )
        for on in (before, after)
    )
    changes = compare(old, new, at(2))
    assert types(changes) == expected
    resumes_at = None if after else at(60).isoformat()
    assert [change.details for change in changes] == [{"resumes_at": resumes_at}] * len(expected)


@pytest.mark.parametrize("known_first", [True, False])
def test_settings_that_were_not_known_before_or_are_not_now_give_no_change(
    known_first: bool,
) -> None:
    known = with_car(settings=ChargeSettings(is_smart_charging_enabled=False, raw={}))
    old, new = (known, with_car()) if known_first else (with_car(), known)
    assert compare(old, new, at(2)) == []


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (True, False, ["vehicle_link_lost"]),
        (False, True, ["vehicle_link_restored"]),
        (True, None, []),
        (None, False, []),
        (True, True, []),
    ],
)
def test_the_link_to_the_car_is_lost_or_restored(
    before: bool | None, after: bool | None, expected: list[str]
) -> None:
    answers = [Answer(i, [car(is_connected=linked)]) for i, linked in enumerate((before, after))]
    assert types(changes_of_last(*answers)) == expected


def test_cars_are_added_at_once_and_removed_when_three_answers_over_a_quarter_of_an_hour_agree() -> (
    None
):
    other = replace(car(), id="other")
    changes = changes_of_each(
        [
            Answer(0, [car()]),
            Answer(1, [car(), other]),
            Answer(5, [other]),
            Answer(10, [other]),
            Answer(20, [other]),
            Answer(21, []),
            Answer(22, [other]),  # it was a slip
            Answer(30, []),
            Answer(40, []),
            Answer(45, []),
            Answer(50, [car()]),
        ]
    )
    assert [
        (change.type.value, change.vehicle_id, change.occurred_at)
        for each in changes
        for change in each
    ] == [
        ("vehicle_added", "other", at(1)),
        ("vehicle_removed", "car", at(20)),
        ("vehicle_removed", "other", at(45)),
        ("vehicle_added", "car", at(50)),
    ]


def test_the_session_of_a_car_that_is_gone_ends_before_the_car_is_removed() -> None:
    changes = changes_of_each(
        [
            Answer(0, [car()]),
            Answer(2, [car(CHARGING, 1)], [session()]),
            *(Answer(minute, [], [session()]) for minute in (5, 15, 25, 35)),
            Answer(45, [], [session(end=40)]),
            Answer(46, []),
        ]
    )
    assert [types(each) for each in changes[1:]] == [
        ["plugged_in", "session_started", "charging_started"],
        *[[]] * 4,
        ["session_ended"],
        ["vehicle_removed"],
    ]


# -- sessions that are no longer listed --------------------------------------------------------------------


def listed(minute: float, *sessions: Session, since: float | None = -60) -> Answer:
    """Return an answer whose list of sessions is complete since a minute."""
    return Answer(minute, [car(CHARGING)], sessions, since)


def test_a_session_that_is_gone_has_ended_when_it_was_last_seen() -> None:
    changes = changes_of_each([listed(0), listed(4, session()), listed(9), listed(14), listed(24)])
    assert [types(each) for each in changes] == [[], ["session_started"], [], [], ["session_ended"]]
    (ended,) = changes[-1]
    assert ended.occurred_at == at(4)
    assert ended.is_timed
    assert ended.details["estimated"] is True
    assert ended.details["ended_at"] == at(4).isoformat()
    assert ended.session_id == "s"


def test_an_end_that_jedlix_reports_is_not_estimated() -> None:
    (ended,) = changes_of_last(listed(0), listed(4, session()), listed(9, session(end=8)))
    assert "estimated" not in ended.details


@pytest.mark.parametrize(
    "later",
    [
        [listed(30, session()), listed(35, session(end=33)), listed(40, session(end=33))],
        [listed(30, session(end=33))],
        [listed(30, session(end=4))],
        [listed(30), listed(40)],
    ],
)
def test_a_session_that_is_listed_again_after_it_was_closed_is_not_published_again(
    later: list[Answer],
) -> None:
    closed = [listed(0), listed(4, session()), listed(9), listed(14), listed(24)]
    changes = changes_of_each([*closed, *later])[len(closed) :]
    assert [types(each) for each in changes] == [[]] * len(later)


def test_a_session_after_one_that_was_closed_is_published_in_the_same_refresh() -> None:
    closed = [listed(0), listed(4, session()), listed(9), listed(14), listed(24)]
    again = listed(30, session(), session("new", 29))
    assert types(changes_of_last(*closed, again)) == ["session_started"]


def test_a_user_without_a_car_at_the_first_refresh_gets_one() -> None:
    assert types(
        changes_of_last(Answer(0, []), Answer(1, [car(CHARGING)], [session(start=-5)]))
    ) == ["vehicle_added"]


def test_a_car_that_was_gone_for_a_moment_does_not_publish_old_sessions_again() -> None:
    ended = session(end=2)
    answers = (
        Answer(0, [car()]),
        Answer(3, [car()], [ended]),
        Answer(4, []),
        Answer(5, [car()]),
        Answer(6, [car()], [ended]),
    )
    assert types(changes_of_last(*answers)) == []


@pytest.mark.parametrize("days", [7, 9, 30])
def test_a_session_that_is_listed_again_after_days_is_not_published_again(days: int) -> None:
    """A tenant that ignores a filter lists all of a month; not every refresh reads that list."""
    ended, later = session(end=2), days * 24 * 60
    answers = (
        Answer(0, [car()]),
        Answer(3, [car()], [ended]),
        Answer(later, [car()]),
        Answer(later + 1, [car()], [ended]),
        Answer(later + 2, [car()]),
        Answer(later + 3, [car()], [ended]),
    )
    assert [types(each) for each in changes_of_each(answers)[1:]] == [
        ["session_started", "session_ended"],
        *[[]] * 4,
    ]


def test_a_session_of_weeks_ago_is_published_when_nothing_was_refreshed_meanwhile() -> None:
    weeks = 21 * 24 * 60
    missed = session("missed", 60, 120)
    answers = (
        Answer(0, [car()]),
        Answer(3, [car()], [session(end=2)]),
        Answer(weeks, [car()], [missed]),
    )
    assert types(changes_of_last(*answers)) == ["session_started", "session_ended"]


def test_of_a_new_car_only_its_addition_is_published() -> None:
    other = replace(car(CHARGING), id="other")
    running = replace(session(start=-3), vehicle_id="other")
    assert types(changes_of_last(Answer(0, [car()]), Answer(1, [car(), other], [running]))) == [
        "vehicle_added"
    ]


OTHER: Final = replace(car(CHARGING), id="other")
AWAY_STATE: Final = car().charge_state


@pytest.mark.parametrize("other_is_new", [True, False])
@pytest.mark.parametrize("minutes", [(2, 3), (3,)], ids=["still running", "over meanwhile"])
def test_a_session_that_is_listed_under_another_car_is_published_once(
    minutes: Sequence[int], *, other_is_new: bool
) -> None:
    """A new link to a car gives it another id, and the session goes on under that."""
    before = (
        [car(CHARGING)]
        if other_is_new
        else [car(CHARGING), replace(OTHER, charge_state=AWAY_STATE)]
    )
    relinked = [
        Answer(
            minute,
            [OTHER],
            [session(end=3 if minute == 3 else None, vehicle_id="other", cost=2.0)],
        )
        for minute in minutes
    ]
    found = changes_of_each(
        [Answer(0, before), Answer(1, before, [session(cost=1.5)]), *relinked, *relinked[-1:] * 2]
    )
    published = [
        (change.type, change.vehicle_id, change.session_id) for each in found for change in each
    ]
    assert [item for item in published if "session" in item[0]] == [
        (ChangeType.SESSION_STARTED, "car", "s"),
        (ChangeType.SESSION_ENDED, "other", "s"),
        (ChangeType.SESSION_SETTLED, "other", "s"),
    ]


def test_a_car_whose_session_goes_on_under_another_one_is_gone_without_it() -> None:
    gone = [Answer(minute, [OTHER], [session(vehicle_id="other")]) for minute in range(2, 60, 8)]
    found = changes_of_each(
        [Answer(0, [car(CHARGING)]), Answer(1, [car(CHARGING)], [session()]), *gone]
    )
    assert [change.type for each in found[2:] for change in each] == [
        ChangeType.VEHICLE_ADDED,
        ChangeType.VEHICLE_REMOVED,
    ]


def test_a_session_of_a_car_that_is_gone_is_not_published_again_when_another_car_has_it() -> None:
    over = session(end=4)
    answers = [
        Answer(0, [car(CHARGING)]),
        Answer(1, [car(CHARGING)], [session()]),
        *(Answer(minute, [OTHER], [over]) for minute in (2, 10, 18, 26)),
        *(Answer(minute, [OTHER], [replace(over, vehicle_id="other")]) for minute in (34, 42)),
    ]
    found = changes_of_each(answers)
    assert [types(each) for each in found[2:]] == [
        ["vehicle_added", "session_ended"],
        [],
        ["vehicle_removed"],
        [],
        [],
        [],
    ]


def test_a_session_that_was_stored_with_two_cars_is_kept_with_its_own() -> None:
    running = VehicleSnapshot(vehicle=car(), known_since=at(0), open_sessions={"s": session()})
    ended = VehicleSnapshot(vehicle=OTHER, known_since=at(0), ended_sessions={"s": at(2)})
    before = UserSnapshot(user_id="user", vehicles={"car": running, "other": ended})
    after = before.advance([car(), OTHER], [session(end=2, vehicle_id="other")], at(3))
    assert {key: each.session_ids for key, each in after.vehicles.items()} == {
        "car": set(),
        "other": {"s"},
    }
    assert compare(before, after, at(3)) == []


@pytest.mark.parametrize("ended", [None, 2])
def test_one_answer_that_lists_a_session_under_the_wrong_car_changes_nothing(
    ended: float | None,
) -> None:
    """Nor does the guess of a car, which an answer with the vehicle id corrects."""
    cars = [car(CHARGING), OTHER]
    right = session(end=ended, energy_kwh=5.0, is_boosted=ended is None)
    answers = [
        right,
        replace(right, vehicle_id="other"),
        right,
        replace(right, vehicle_id=None),
        replace(right, vehicle_id="other"),
    ]
    found = changes_of_each(
        [Answer(0, cars), *(Answer(3 + n, cars, [item]) for n, item in enumerate(answers))]
    )
    assert [change.type for each in found[1:2] for change in each]
    assert found[2:] == [[]] * 4


def test_changes_of_one_moment_have_a_fixed_order() -> None:
    before = with_car(boost_session_id="s")
    vehicle = car(AWAY, 5, is_connected=False)
    before = before.with_vehicle(
        replace(
            before.vehicles["car"],
            vehicle=car(CHARGING, is_connected=True),
            link=Link(is_connected=True),
        )
    )
    after = before.advance([vehicle], [session(end=5), session("t", 5, 5)], at(5))
    assert types(compare(before, after, at(5))) == [
        "boost_ended",
        "session_ended",
        "session_started",
        "session_ended",
        "unplugged",
        "vehicle_link_lost",
    ]


@pytest.mark.parametrize(
    ("event_type", "user_id", "expected"),
    [
        ("userCreated", "user", "user_created"),
        ("vehicleConnectionReadyToContinue", "user", "vehicle_ready_to_continue"),
        ("userCreated", None, None),
        ("chargingSessionStarted", "user", None),
    ],
)
@pytest.mark.parametrize("minute", [None, 3])
def test_only_a_delivery_of_a_documented_type_reports_a_change_by_itself(
    event_type: str, user_id: str | None, expected: str | None, minute: float | None
) -> None:
    message = WebhookMessage.from_json(
        {
            "id": "1",
            "eventType": event_type,
            "userId": user_id,
            "vehicleId": "car",
            "timestamp": None if minute is None else at(minute).isoformat(),
        }
    )
    change = change_of_delivery(message, at(5))
    assert (None if change is None else change.type.value) == expected
    if change is not None:
        assert (change.user_id, change.vehicle_id) == ("user", "car")
        assert change.occurred_at == at(5 if minute is None else minute)


# -- properties --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class History:
    """What happened to a car, and which answers came in which order."""

    sessions: Sequence[tuple[int, int]]
    minutes: Sequence[int]
    """Of which minutes the answers are: some come twice, some were overtaken by a newer one."""

    def __iter__(self) -> Iterator[Answer]:
        """Yield the answers; a poll reads the tenant's list and the user's, and the first may be older."""
        for before, minute in zip((0, *self.minutes), self.minutes, strict=False):
            answer = self.answer(minute)
            yield replace(answer, sessions=[*self.answer(before).sessions, *answer.sessions])

    def answer(self, minute: int) -> Answer:
        """Return what Jedlix says at a minute."""
        seen = [(start, end) for start, end in self.sessions if start <= minute]
        plugged_in = bool(seen) and minute < seen[-1][1]
        moved = [moment for each in seen for moment in each if moment <= minute]
        return Answer(
            minute,
            [car(CHARGING if plugged_in else AWAY, max(moved, default=-1000))],
            [
                session(f"from {start}", start, end if end <= minute else None)
                for start, end in seen
            ],
        )


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Make any sessions with any answers about them; the newest answer comes last."""
    moments = sorted(draw(st.sets(st.integers(-20, 100), max_size=12)))
    sessions = list(zip(moments[::2], moments[1::2], strict=False))
    times = sorted(draw(st.sets(st.integers(1, 120), max_size=8)) | {0, 130})
    arrivals = [0]
    for number in range(1, len(times)):
        arrivals.append(times[number])
        arrivals += [times[i] for i in draw(st.lists(st.integers(0, number), max_size=2))]
    return History(sessions, [*arrivals, 130])


@given(histories())
def test_each_session_is_published_exactly_once_in_whatever_order_the_answers_come(
    history: History,
) -> None:
    changes = [change for each in changes_of_each(history) for change in each]
    sessions = [
        (change.type.value, change.session_id, change.occurred_at)
        for change in changes
        if change.type in (ChangeType.SESSION_STARTED, ChangeType.SESSION_ENDED)
    ]
    expected = [
        (kind, f"from {start}", at(moment))
        for start, end in history.sessions
        for kind, moment in (("session_started", start), ("session_ended", end))
        if moment > 0
    ]
    assert sorted(sessions) == sorted(expected)
    for start, end in history.sessions:
        if start > 0:
            name = f"from {start}"
            assert sessions.index(("session_started", name, at(start))) < sessions.index(
                ("session_ended", name, at(end))
            )


@given(histories())
def test_plugged_in_and_unplugged_alternate(history: History) -> None:
    changes = changes_of_each(history)
    plugs = [
        change.type
        for each in changes
        for change in each
        if change.type in (ChangeType.PLUGGED_IN, ChangeType.UNPLUGGED)
    ]
    assert all(first is not second for first, second in pairwise(plugs))
    began_plugged_in = history.answer(0).cars[0].charge_state.status is CHARGING
    assert (len(plugs) % 2 == 1) == began_plugged_in


@given(histories())
def test_each_refresh_publishes_in_the_order_of_time(history: History) -> None:
    for each in changes_of_each(history):
        moments = [change.occurred_at for change in each]
        assert moments == sorted(moments)


BOOLEANS: Final = st.none() | st.booleans()
TIMES: Final = st.none() | st.integers(-60, 60).map(at)
SESSIONS: Final[st.SearchStrategy[Session]] = st.builds(
    Session,
    id=st.sampled_from("abcd"),
    user_id=st.just("user"),
    vehicle_id=st.sampled_from(["car", "other", "stranger", None]),
    is_managed=BOOLEANS,
    started_at=TIMES,
    ended_at=TIMES,
)


def cars_named(name: str) -> st.SearchStrategy[Vehicle]:
    """Make the car in any condition."""
    return st.builds(
        Vehicle,
        id=st.just(name),
        user_id=st.just("user"),
        is_connected=BOOLEANS,
        charge_state=st.builds(
            ChargeState,
            status=st.sampled_from(ChargeStatus),
            battery_level=st.none() | st.integers(0, 100),
            updated_at=TIMES,
        ),
    )


CARS: Final = st.fixed_dictionaries(
    {}, optional={"car": cars_named("car"), "other": cars_named("other")}
)


def with_settings_and_boost(user: UserSnapshot, switched: tuple[bool | None, bool]) -> UserSnapshot:
    """Return the user with settings and boost of any kind."""
    enabled, boosted = switched

    def changed(vehicle: VehicleSnapshot) -> VehicleSnapshot:
        return replace(
            vehicle,
            settings=ChargeSettings(is_smart_charging_enabled=enabled, raw={}),
            boost_session_id=next(iter(vehicle.open_sessions), None) if boosted else None,
        )

    return replace(user, vehicles={key: changed(value) for key, value in user.vehicles.items()})


@given(
    st.lists(
        st.tuples(
            CARS,
            st.lists(SESSIONS, max_size=4),
            st.tuples(BOOLEANS, st.booleans()),
            st.none() | st.just(at(-60)),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_whatever_jedlix_answers_nothing_fails_and_nothing_is_published_twice(
    answers: list[
        tuple[Mapping[str, Vehicle], list[Session], tuple[bool | None, bool], datetime | None]
    ],
) -> None:
    user = UserSnapshot.unknown("user", at(0))
    changes: list[Change] = []
    for number, (cars, sessions, switched, since) in enumerate(answers):
        now = at(6 * number)
        after = user.advance(cars.values(), sessions, now, complete_since=since)
        after = replace(with_settings_and_boost(after, switched), refreshed_at=now)
        changes += compare(user, after, now)
        assert compare(after, after, now) == []
        again = after.advance(cars.values(), sessions, now)
        if not again.absences:  # one answer more may be the one by which something is gone
            assert types(compare(again, again.advance(cars.values(), sessions, now), now)) == []
        user = after
    if ChangeType.VEHICLE_REMOVED in (change.type for change in changes):
        return  # what was known of a car is dropped with it
    for kind in (ChangeType.SESSION_STARTED, ChangeType.SESSION_ENDED):
        of_kind = [change.session_id for change in changes if change.type is kind]
        assert len(of_kind) == len(set(of_kind))
