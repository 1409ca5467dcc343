"""Health: from the evidence to the one state that a user sees."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from custom_components.jedlix.push.health import (
    DELIVERY_TOLERANCE,
    PushHealth,
    PushState,
    RegistrationState,
)

NOON: Final = datetime(2030, 1, 1, 12, tzinfo=UTC)
SECOND: Final = timedelta(seconds=1)

type Step = Callable[[PushHealth, datetime], None]


def registered(registration: RegistrationState) -> Step:
    def step(health: PushHealth, _now: datetime) -> None:
        health.registration = registration

    return step


def delivered(user_id: str | None = "u-1") -> Step:
    return lambda health, now: health.note_delivery(user_id, now, now)


def missed(user_id: str = "u-1") -> Step:
    return lambda health, now: health.note_change_found_by_poll(user_id, now)


def announced(health: PushHealth, _now: datetime) -> None:
    health.note_change_after_delivery()


def renewed(health: PushHealth, now: datetime) -> None:
    health.note_renewal(now)


def wrong_key(health: PushHealth, now: datetime) -> None:
    health.note_wrong_key(now)


def bad_body(health: PushHealth, _now: datetime) -> None:
    health.note_bad_body()


OFF = registered(RegistrationState.OFF)
PENDING = registered(RegistrationState.PENDING)
DONE = registered(RegistrationState.DONE)
REFUSED = registered(RegistrationState.REFUSED)

# Minutes past noon and what happened then; the question is asked at one o'clock.
EVIDENCE: Final[dict[str, tuple[list[tuple[float, Step]], PushState]]] = {
    "nothing at all": ([], PushState.OFF),
    "no push is wanted, wrong keys come": ([(59, wrong_key)] * 3, PushState.OFF),
    "registering": ([(0, PENDING)], PushState.CONNECTING),
    "registering again after good days": (
        [(0, DONE), (1, delivered()), (2, PENDING)],
        PushState.CONNECTING,
    ),
    "registered": ([(0, DONE)], PushState.WAITING),
    "refused": ([(0, REFUSED)], PushState.FAILING),
    "refused, though something still comes": ([(0, REFUSED), (1, delivered())], PushState.FAILING),
    "refused, then registered": ([(0, REFUSED), (1, DONE)], PushState.WAITING),
    "a delivery": ([(0, DONE), (1, delivered())], PushState.HEALTHY),
    "a delivery that names nobody": ([(0, DONE), (1, delivered(None))], PushState.HEALTHY),
    "two wrong keys": ([(0, DONE), *[(59, wrong_key)] * 2], PushState.WAITING),
    "three wrong keys": ([(0, DONE), *[(59, wrong_key)] * 3], PushState.FAILING),
    "three wrong keys while registering": (
        [(0, PENDING), *[(59, wrong_key)] * 3],
        PushState.FAILING,
    ),
    "three wrong keys long ago": ([(0, DONE), *[(45, wrong_key)] * 3], PushState.WAITING),
    "three wrong keys not so long ago": ([(0, DONE), *[(45.1, wrong_key)] * 3], PushState.FAILING),
    "three wrong keys over a long time": (
        [(0, DONE), (10, wrong_key), (30, wrong_key), (59, wrong_key)],
        PushState.WAITING,
    ),
    "wrong keys, then a right one": (
        [(0, DONE), *[(58, wrong_key)] * 9, (59, delivered())],
        PushState.HEALTHY,
    ),
    "wrong keys, then renewed": (
        [(0, DONE), *[(58, wrong_key)] * 3, (59, renewed)],
        PushState.WAITING,
    ),
    "right key, unreadable": ([(0, DONE), *[(59, bad_body)] * 9], PushState.WAITING),
    "a change that the poll found": (
        [(0, DONE), (0, delivered()), (0, announced), (30, missed())],
        PushState.SILENT,
    ),
    "a change that the poll found just now": (
        [(0, DONE), (0, delivered()), (0, announced), (45, missed())],
        PushState.HEALTHY,
    ),
    "a change that a delivery announced before": (
        [(0, DONE), (0, announced), (20, delivered()), (35, missed())],
        PushState.HEALTHY,
    ),
    "a change that no delivery announced in time": (
        [(0, DONE), (0, announced), (19.9, delivered()), (35, missed())],
        PushState.SILENT,
    ),
    "a change that a delivery announced after": (
        [(0, DONE), (0, announced), (30, missed()), (44, delivered())],
        PushState.HEALTHY,
    ),
    "a delivery for somebody else clears nobody": (
        [(0, DONE), (0, announced), (30, missed()), (44, delivered("u-2"))],
        PushState.SILENT,
    ),
    "a delivery that names nobody clears nobody": (
        [(0, DONE), (0, announced), (30, missed()), (44, delivered(None))],
        PushState.SILENT,
    ),
    "changes found where push never announced any": (
        [(0, DONE), (0, delivered()), (20, missed()), (30, missed())],
        PushState.HEALTHY,
    ),
    "silent, then heard again": (
        [(0, DONE), (0, announced), (10, missed()), (40, delivered())],
        PushState.HEALTHY,
    ),
    "silent, then renewed": (
        [(0, DONE), (0, announced), (10, missed()), (40, renewed)],
        PushState.WAITING,
    ),
    "silent and refused": (
        [(0, DONE), (0, announced), (10, missed()), (40, REFUSED)],
        PushState.FAILING,
    ),
}


@pytest.mark.parametrize("evidence", EVIDENCE)
def test_the_state_follows_from_the_evidence(evidence: str) -> None:
    steps, state = EVIDENCE[evidence]
    health = PushHealth()
    for minute, step in steps:
        now = NOON + timedelta(minutes=minute)
        health.review(now)
        step(health, now)
    one_o_clock = NOON + timedelta(hours=1)
    health.review(one_o_clock)
    assert health.state(one_o_clock) is state


def test_the_grace_is_fifteen_minutes_to_the_second() -> None:
    assert timedelta(minutes=15) == DELIVERY_TOLERANCE
    health = PushHealth(registration=RegistrationState.DONE, reports_changes=True)
    health.note_change_found_by_poll("u-1", NOON)
    health.review(NOON + DELIVERY_TOLERANCE)
    assert (health.missed_by_push, health.state(NOON)) == (0, PushState.WAITING)
    health.review(NOON + DELIVERY_TOLERANCE + SECOND)
    assert (health.missed_by_push, health.state(NOON)) == (1, PushState.SILENT)
    health.review(NOON + DELIVERY_TOLERANCE + 2 * SECOND)
    assert health.missed_by_push == 1


def test_each_missed_change_counts_also_where_it_is_no_trouble() -> None:
    health = PushHealth(registration=RegistrationState.DONE)
    for minute in range(3):
        health.note_change_found_by_poll("u-1", NOON + timedelta(minutes=minute))
    health.review(NOON + DELIVERY_TOLERANCE + timedelta(minutes=1, seconds=1))
    assert health.missed_by_push == 2
    assert health.state(NOON) is PushState.WAITING


def test_who_wants_no_push_misses_nothing_by_it() -> None:
    health = PushHealth(registration=RegistrationState.OFF)
    health.note_change_found_by_poll("u-1", NOON)
    health.review(NOON + DELIVERY_TOLERANCE + SECOND)
    assert health.missed_by_push == 0


def test_deliveries_and_refusals_are_counted() -> None:
    health = PushHealth()
    health.note_delivery("u-1", NOON - 3 * SECOND, NOON)
    assert (health.received, health.last_delivery, health.last_delay) == (1, NOON, 3.0)
    health.note_delivery("u-1", None, NOON + SECOND)  # without a time nothing is known of the delay
    assert (health.received, health.last_delay) == (2, 3.0)
    health.note_delivery("u-1", NOON + timedelta(hours=1), NOON)  # their clock is ahead
    assert (health.received, health.last_delay) == (3, 0.0)
    health.note_wrong_key(NOON)
    health.note_bad_body()
    assert (health.received, health.rejected) == (3, 2)


def test_only_those_who_were_named_lately_are_kept_in_mind() -> None:
    health = PushHealth(registration=RegistrationState.DONE)
    for number in range(1000):
        health.note_delivery(f"u-{number}", NOON, NOON + number * SECOND)
    health.note_delivery("u-0", NOON, NOON + 1000 * SECOND)
    health.review(NOON + 1000 * SECOND + DELIVERY_TOLERANCE - 10 * SECOND)
    assert list(health._last_by_user) == [*(f"u-{number}" for number in range(990, 1000)), "u-0"]


def test_each_silence_since_the_last_delivery_counts_once() -> None:
    health = PushHealth(registration=RegistrationState.DONE, reports_changes=True)
    silent_at = NOON + DELIVERY_TOLERANCE + SECOND

    def miss(after: timedelta) -> datetime:
        health.note_change_found_by_poll("u-1", NOON + after)
        health.note_change_found_by_poll("u-2", NOON + after)
        health.review(silent_at + after)
        return silent_at + after

    now = miss(timedelta(0))
    assert (health.silences, health.missed_by_push, health.state(now)) == (1, 2, PushState.SILENT)
    miss(timedelta(hours=1))
    assert (health.silences, health.missed_by_push) == (1, 4)
    # written anew: what was found before that says nothing about what is now
    health.note_change_found_by_poll("u-1", NOON + timedelta(hours=2))
    health.note_renewal(NOON + timedelta(hours=2, minutes=1))
    health.review(NOON + timedelta(hours=3))
    assert (health.silences, health.missed_by_push) == (1, 5)
    assert health.state(NOON + timedelta(hours=3)) is PushState.WAITING
    now = miss(timedelta(hours=4))
    assert (health.silences, health.state(now)) == (2, PushState.SILENT)
    health.note_delivery("u-3", now, now)
    assert (health.silences, health.state(now)) == (0, PushState.HEALTHY)


def test_what_was_heard_stays_heard_when_all_is_written_anew_without_need() -> None:
    health = PushHealth(registration=RegistrationState.DONE)
    health.note_delivery("u-1", NOON, NOON)
    health.note_renewal(NOON)
    assert health.state(NOON) is PushState.HEALTHY


def test_whoever_wants_to_know_is_told_of_each_review() -> None:
    health, told = PushHealth(registration=RegistrationState.DONE), []
    health.review(NOON)
    health.reviewed = lambda: told.append(health.missed_by_push)
    health.note_change_found_by_poll("u-1", NOON)
    health.review(NOON + DELIVERY_TOLERANCE + SECOND)
    assert told == [1]
