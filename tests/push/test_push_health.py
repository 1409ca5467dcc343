"""Push health: from what was delivered, refused and missed to the one state that a user sees."""

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
from custom_components.jedlix.state.changes import ChangeType

NOON: Final = datetime(2030, 1, 1, 12, tzinfo=UTC)
SECOND: Final = timedelta(seconds=1)

type Step = Callable[[PushHealth, datetime], object]


def registration(state: RegistrationState) -> Step:
    return lambda health, _now: setattr(health, "registration", state)


def only(*event_types: str) -> Step:
    return lambda health, _now: setattr(health, "event_types", event_types)


def delivery(user_id: str | None = "u-1") -> Step:
    return lambda health, now: health.note_delivery(user_id, now, now)


def change_found(user_id: str = "u-1") -> Step:
    return lambda health, now: health.note_change_found_by_poll(user_id, now)


def change_reported(health: PushHealth, _now: datetime) -> None:
    health.note_change_after_delivery()


def bad_body(health: PushHealth, _now: datetime) -> None:
    health.note_bad_body()


wrong_key: Final = PushHealth.note_wrong_key
renewal: Final = PushHealth.note_renewal
PENDING: Final = registration(RegistrationState.PENDING)
DONE: Final = registration(RegistrationState.DONE)
REFUSED: Final = registration(RegistrationState.REFUSED)

SESSIONS: Final = ("userCreated", "sessionStarted", "sessionEnded")

# Minutes past noon, what happened then, and the state at one o'clock.
EVIDENCE: Final[dict[str, tuple[list[tuple[float, Step]], PushState]]] = {
    "nothing at all": ([], PushState.OFF),
    "no push is wanted, wrong keys come": ([(59, wrong_key)] * 3, PushState.OFF),
    "registering": ([(0, PENDING)], PushState.CONNECTING),
    "registering again after good days": (
        [(0, DONE), (1, delivery()), (2, PENDING)],
        PushState.CONNECTING,
    ),
    "registered": ([(0, DONE)], PushState.WAITING),
    "registered without a type that reports charging": (
        [(0, DONE), (1, only("userCreated", "sessionEnded"))],
        PushState.LIMITED,
    ),
    "without such a type deliveries make it no healthier": (
        [(0, DONE), (1, only("userCreated")), (2, delivery())],
        PushState.LIMITED,
    ),
    "without such a type no silence is noticed": (
        [(0, DONE), (0, change_reported), (1, only("userCreated")), (10, change_found())],
        PushState.LIMITED,
    ),
    "limited and refused": ([(1, only("userCreated")), (2, REFUSED)], PushState.FAILING),
    "refused": ([(0, REFUSED)], PushState.FAILING),
    "refused, though deliveries still come": ([(0, REFUSED), (1, delivery())], PushState.FAILING),
    "refused, then registered": ([(0, REFUSED), (1, DONE)], PushState.WAITING),
    "a delivery": ([(0, DONE), (1, delivery())], PushState.HEALTHY),
    "a delivery without a user": ([(0, DONE), (1, delivery(None))], PushState.HEALTHY),
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
    "three wrong keys, the first of them long ago": (
        [(0, DONE), (44, wrong_key), (50, wrong_key), (59, wrong_key)],
        PushState.WAITING,
    ),
    "wrong keys, then a right one": (
        [(0, DONE), *[(58, wrong_key)] * 9, (59, delivery())],
        PushState.HEALTHY,
    ),
    "wrong keys, then renewed": (
        [(0, DONE), *[(58, wrong_key)] * 3, (59, renewal)],
        PushState.WAITING,
    ),
    "right key, unreadable": ([(0, DONE), *[(59, bad_body)] * 9], PushState.WAITING),
    "a change that the poll found": (
        [(0, DONE), (0, delivery()), (0, change_reported), (30, change_found())],
        PushState.SILENT,
    ),
    "a change that the poll found just now": (
        [(0, DONE), (0, delivery()), (0, change_reported), (45, change_found())],
        PushState.HEALTHY,
    ),
    "a change that a delivery reported before": (
        [(0, DONE), (0, change_reported), (20, delivery()), (35, change_found())],
        PushState.HEALTHY,
    ),
    "a change that no delivery reported in time": (
        [(0, DONE), (0, change_reported), (19.9, delivery()), (35, change_found())],
        PushState.SILENT,
    ),
    "a change that a delivery reported after": (
        [(0, DONE), (0, change_reported), (30, change_found()), (44, delivery())],
        PushState.HEALTHY,
    ),
    "a delivery for another user reports nothing": (
        [(0, DONE), (0, change_reported), (30, change_found()), (44, delivery("u-2"))],
        PushState.SILENT,
    ),
    "a delivery without a user reports nothing": (
        [(0, DONE), (0, change_reported), (30, change_found()), (44, delivery(None))],
        PushState.SILENT,
    ),
    "changes found where no delivery ever reported one": (
        [(0, DONE), (0, delivery()), (20, change_found()), (30, change_found())],
        PushState.HEALTHY,
    ),
    "silent, then a delivery": (
        [(0, DONE), (0, change_reported), (10, change_found()), (40, delivery())],
        PushState.HEALTHY,
    ),
    "silent, then renewed": (
        [(0, DONE), (0, change_reported), (10, change_found()), (40, renewal)],
        PushState.WAITING,
    ),
    "silent after a delivery, then renewed": (
        [(0, DONE), (0, delivery()), (0, change_reported), (20, change_found()), (40, renewal)],
        PushState.WAITING,
    ),
    "silent and refused": (
        [(0, DONE), (0, change_reported), (10, change_found()), (40, REFUSED)],
        PushState.FAILING,
    ),
}


@pytest.mark.parametrize("evidence", EVIDENCE)
def test_the_state_follows_from_the_evidence(evidence: str) -> None:
    steps, state = EVIDENCE[evidence]
    health = PushHealth(event_types=SESSIONS)
    for minute, step in steps:
        now = NOON + timedelta(minutes=minute)
        health.review(now)
        step(health, now)
    one_o_clock = NOON + timedelta(hours=1)
    health.review(one_o_clock)
    assert health.state(one_o_clock) is state


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        (SESSIONS, {ChangeType.SESSION_STARTED, ChangeType.SESSION_ENDED}),
        (("SessionEnded",), {ChangeType.SESSION_ENDED}),
        (("userCreated", "vehicleUpdated"), set()),
        (("userCreated", "aNameOfTheUser"), set(ChangeType)),
    ],
)
def test_which_changes_a_delivery_should_announce(
    accepted: tuple[str, ...], expected: set[ChangeType]
) -> None:
    health = PushHealth(event_types=accepted)
    assert {item for item in ChangeType if health.expects(item)} == expected


def test_a_delivery_may_come_fifteen_minutes_after_the_poll() -> None:
    assert timedelta(minutes=15) == DELIVERY_TOLERANCE
    health = PushHealth(
        event_types=SESSIONS, registration=RegistrationState.DONE, reports_changes=True
    )
    health.note_change_found_by_poll("u-1", NOON)
    health.review(NOON + DELIVERY_TOLERANCE)
    assert (health.missed_by_push, health.state(NOON)) == (0, PushState.WAITING)
    health.review(NOON + DELIVERY_TOLERANCE + SECOND)
    assert (health.missed_by_push, health.state(NOON)) == (1, PushState.SILENT)
    health.review(NOON + DELIVERY_TOLERANCE + 2 * SECOND)
    assert health.missed_by_push == 1


def test_a_delivery_before_the_last_fifteen_minutes_reports_no_change() -> None:
    """Also where nothing was reviewed since it came."""
    health = PushHealth(event_types=SESSIONS, registration=RegistrationState.DONE)
    health.note_delivery("u-1", NOON, NOON)
    for after in (DELIVERY_TOLERANCE, DELIVERY_TOLERANCE + SECOND):
        health.note_change_found_by_poll("u-1", NOON + after)
    health.review(NOON + timedelta(hours=1))
    assert health.missed_by_push == 1


def test_a_missed_change_counts_also_where_deliveries_report_no_changes() -> None:
    health = PushHealth(event_types=SESSIONS, registration=RegistrationState.DONE)
    for minute in range(3):
        health.note_change_found_by_poll("u-1", NOON + timedelta(minutes=minute))
    health.review(NOON + DELIVERY_TOLERANCE + timedelta(minutes=1, seconds=1))
    assert health.missed_by_push == 2
    assert health.state(NOON) is PushState.WAITING


def test_without_push_no_change_is_missed() -> None:
    health = PushHealth(event_types=SESSIONS, registration=RegistrationState.OFF)
    health.note_change_found_by_poll("u-1", NOON)
    health.review(NOON + DELIVERY_TOLERANCE + SECOND)
    assert health.missed_by_push == 0


def test_deliveries_and_refusals_are_counted() -> None:
    health = PushHealth(event_types=SESSIONS)
    health.note_delivery("u-1", NOON - 3 * SECOND, NOON)
    assert (health.received, health.last_delivery, health.last_delay) == (1, NOON, 3.0)
    health.note_delivery("u-1", None, NOON + SECOND)  # without a time the delay is not known
    assert (health.received, health.last_delay) == (2, 3.0)
    health.note_delivery("u-1", NOON + timedelta(hours=1), NOON)  # their clock is ahead
    assert (health.received, health.last_delay) == (3, 0.0)
    health.note_wrong_key(NOON, "no_key")
    health.note_bad_body()
    assert (health.received, health.rejected, health.key_problem) == (3, 2, "no_key")


def test_only_users_with_a_recent_delivery_are_remembered() -> None:
    health = PushHealth(event_types=SESSIONS, registration=RegistrationState.DONE)
    for number in range(1000):
        health.note_delivery(f"u-{number}", NOON, NOON + number * SECOND)
    health.note_delivery("u-0", NOON, NOON + 1000 * SECOND)
    health.review(NOON + 1000 * SECOND + DELIVERY_TOLERANCE - 10 * SECOND)
    assert list(health._last_by_user) == [*(f"u-{number}" for number in range(990, 1000)), "u-0"]


def test_each_silence_since_the_last_delivery_counts_once() -> None:
    health = PushHealth(
        event_types=SESSIONS, registration=RegistrationState.DONE, reports_changes=True
    )
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
    # A change that was found before a renewal says nothing about the time after it.
    health.note_change_found_by_poll("u-1", NOON + timedelta(hours=2))
    health.note_renewal(NOON + timedelta(hours=2, minutes=1))
    health.review(NOON + timedelta(hours=3))
    assert (health.silences, health.missed_by_push) == (1, 5)
    assert health.state(NOON + timedelta(hours=3)) is PushState.WAITING
    now = miss(timedelta(hours=4))
    assert (health.silences, health.state(now)) == (2, PushState.SILENT)
    health.note_delivery("u-3", now, now)
    assert (health.silences, health.state(now)) == (0, PushState.HEALTHY)


def test_a_renewal_without_a_silence_leaves_push_healthy() -> None:
    health = PushHealth(event_types=SESSIONS, registration=RegistrationState.DONE)
    health.note_delivery("u-1", NOON, NOON)
    health.note_renewal(NOON)
    assert health.state(NOON) is PushState.HEALTHY


def test_each_review_is_followed_by_a_call() -> None:
    health, counts = PushHealth(event_types=SESSIONS, registration=RegistrationState.DONE), []
    health.review(NOON)
    health.reviewed = lambda: counts.append(health.missed_by_push)
    health.note_change_found_by_poll("u-1", NOON)
    health.review(NOON + DELIVERY_TOLERANCE + SECOND)
    assert counts == [1]


@pytest.mark.parametrize(
    ("event_types", "steps", "is_reporting"),
    [
        (SESSIONS, [DONE], False),  # nothing was delivered yet
        (SESSIONS, [DONE, delivery()], False),  # nothing came of it yet
        (SESSIONS, [DONE, delivery(), change_reported], True),
        (SESSIONS, [DONE, change_reported], True),  # before a restart
        (("userCreated",), [DONE, delivery(), change_reported], False),
        (SESSIONS, [PENDING, delivery(), change_reported], False),
        (SESSIONS, [REFUSED, delivery(), change_reported], False),
        (SESSIONS, [delivery(), change_reported], False),
        (SESSIONS, [DONE, change_reported, wrong_key, wrong_key, wrong_key], False),
    ],
)
def test_deliveries_report_what_cars_do_once_one_led_to_a_change(
    event_types: tuple[str, ...], steps: list[Step], is_reporting: bool
) -> None:
    health = PushHealth(event_types=event_types)
    for step in steps:
        step(health, NOON)
    assert health.is_reporting(NOON) is is_reporting
