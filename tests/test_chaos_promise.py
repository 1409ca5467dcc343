"""The chaos run's promises: what certainly was seen, by when, and what may be read otherwise.

Home Assistant is up from second 5 on, unless a test says otherwise. Deliveries about the user are accepted
where a test names them.
"""

from dataclasses import replace
import math
from typing import Any, Final

import pytest

from harness.chaos.promise import (
    COMMAND,
    FIRST_REFRESH,
    HOUSEHOLD,
    POLL,
    REFRESH,
    Promises,
    Reading,
)
from harness.chaos.recording import Published
from harness.chaos.timeline import RECOVERY, Command, Life, Timeline, Trouble
from harness.chaos.truth import Happened, Sent
from tests.chaos_world import EMPTY

USER, CAR = "u", "c"
BEFORE: Final = {
    CAR: {
        "charge_state": "disconnected",
        "is_connected": True,
        "settings": {"isSmartChargingEnabled": True},
    }
}


def line(n: int, kind: str, known: float, session_id: str | None = None) -> Happened:
    vehicle_id = "" if kind == "user_created" else CAR
    return Happened(n, kind, USER, vehicle_id, session_id, known, known, {})


def sent(
    at: float, event_type: str = "vehicleUpdated", status: int | None = 200, name: str | None = None
) -> Sent:
    return Sent(at, status, name or f"at {at}", event_type, USER, at)


def published(
    kind: str, at: float, vehicle_id: str = CAR, session_id: str | None = None
) -> Published:
    return Published(at, {"type": kind, "vehicle_id": vehicle_id, "session_id": session_id})


def promises(
    *journal: Happened,
    deliveries: tuple[Sent, ...] = (),
    mode: str = "default",
    followed: int = 1,
    **timeline: Any,
) -> Promises:
    truth = replace(EMPTY, mode=mode, journal=journal, sent=deliveries)
    users = frozenset([USER, *(f"u{number}" for number in range(1, followed))])
    known = Timeline(**({"lives": [Life(0, 5)]} | timeline), followed=users)
    return Promises.of(truth, known, BEFORE)


RESTARTED: Final = [Life(0, 5, 120), Life(125, 130)]


@pytest.mark.parametrize(
    ("kind", "facts", "due"),
    [
        ("plugged_in", {}, 100 + POLL),
        ("plugged_in", {"deliveries": (sent(101),)}, 101 + REFRESH),
        ("plugged_in", {"deliveries": (sent(101, status=503),)}, 100 + POLL),
        ("plugged_in", {"deliveries": (sent(99),)}, 100 + POLL),  # it says nothing of this
        # One that arrives again says nothing of this either, but one that arrives at last does.
        ("plugged_in", {"deliveries": (sent(99, name="d"), sent(101, name="d"))}, 100 + POLL),
        (
            "plugged_in",
            {"deliveries": (sent(99, status=503, name="d"), sent(101, name="d"))},
            101 + REFRESH,
        ),
        # Without an answer, nobody knows whether it had arrived.
        (
            "plugged_in",
            {"deliveries": (sent(99, status=None, name="d"), sent(101, name="d"))},
            100 + POLL,
        ),
        (
            "plugged_in",
            {"deliveries": (sent(100.5, status=None, name="d"), sent(101, name="d"))},
            101 + REFRESH,
        ),
        ("plugged_in", {"lives": RESTARTED}, 130 + FIRST_REFRESH),
        (
            "plugged_in",
            {"deliveries": (sent(101),), "troubles": [Trouble(100, 104, USER)]},
            104 + RECOVERY + REFRESH,
        ),
        ("vehicle_link_lost", {}, None),  # no poll is sure to read a car without a session
        ("vehicle_link_lost", {"deliveries": (sent(101),)}, 101 + REFRESH),
        ("vehicle_link_lost", {"lives": RESTARTED}, 130 + FIRST_REFRESH),
        # A fleet with a history is not read as a whole.
        ("vehicle_link_lost", {"lives": RESTARTED, "followed": HOUSEHOLD + 1}, None),
        (
            "vehicle_link_lost",
            {
                "lives": RESTARTED,
                "followed": HOUSEHOLD + 1,
                "deliveries": (sent(121, status=503),),
            },
            130 + FIRST_REFRESH,
        ),
        (
            "vehicle_link_lost",
            {"lives": RESTARTED, "followed": HOUSEHOLD + 1, "mode": "strict"},
            130 + FIRST_REFRESH,
        ),
        ("smart_charging_disabled", {}, None),
        ("smart_charging_disabled", {"deliveries": (sent(101),)}, 101 + REFRESH),
        ("smart_charging_disabled", {"deliveries": (sent(101, "sessionUpdated"),)}, None),
        (
            "smart_charging_disabled",
            {"deliveries": (sent(101),), "troubles": [Trouble(102, 103, USER)]},
            103 + RECOVERY + POLL,
        ),
        ("smart_charging_disabled", {"mode": "strict", "deliveries": (sent(101),)}, None),
        ("smart_charging_disabled", {"commands": [Command(100.5, USER, "")]}, 100.5 + COMMAND),
        ("smart_charging_disabled", {"commands": [Command(100.5, "another", "")]}, None),
        ("smart_charging_disabled", {"commands": [Command(99, USER, "")]}, None),
        (
            "smart_charging_disabled",
            {"commands": [Command(100.5, USER, "", has_failed=True)]},
            None,
        ),
        ("boost_started", {}, 100 + POLL),
        ("boost_started", {"commands": [Command(100.5, USER, "boost")]}, 100.5 + COMMAND),
        ("boost_started", {"mode": "strict"}, None),
        ("session_started", {}, 100 + POLL),
        ("session_started", {"lives": RESTARTED, "followed": 99}, 130 + FIRST_REFRESH),
        ("session_started", {"lives": [Life(0, 5, 110)]}, math.inf),  # promised, nobody knows when
        ("session_settled", {"mode": "strict"}, None),
        ("session_impossible", {}, None),
        ("session_impossible", {"deliveries": (sent(101),)}, None),  # another type
        (
            "session_impossible",
            {"deliveries": (sent(101, "sessionImpossible"),)},
            101 + REFRESH,
        ),
        ("session_impossible", {"lives": RESTARTED}, 130 + FIRST_REFRESH),
        ("session_impossible", {"lives": RESTARTED, "mode": "strict"}, None),
        ("user_created", {"deliveries": (sent(101, "userCreated"),)}, 101 + REFRESH),
        ("user_created", {"deliveries": (sent(150, "userCreated"),)}, None),  # it is about another
    ],
)
def test_a_change_is_due_when_it_was_certainly_seen(
    kind: str, facts: dict[str, Any], due: float | None
) -> None:
    assert promises(line(1, kind, 100), **facts).due.get(1) == due


@pytest.mark.parametrize(
    ("lives", "troubles", "due"),
    [
        ([RESTARTED[0], Life(125, 130, 133), Life(134, 140)], [], 140 + FIRST_REFRESH),
        (RESTARTED, [Trouble(131, 132, USER)], 132 + RECOVERY + POLL),
        # Jedlix is away while the entry is set up: what happens meanwhile is read, too.
        ([Life(0, 5, 90), Life(95, 112)], [Trouble(94, 110)], 112 + FIRST_REFRESH),
        ([Life(0, 5, 90), Life(95, 99)], [Trouble(94, 97)], 97 + RECOVERY + POLL),
    ],
)
def test_the_first_refresh_of_a_life_may_be_put_off(
    lives: list[Life], troubles: list[Trouble], due: float
) -> None:
    found = promises(line(1, "session_started", 100), lives=lives, troubles=troubles)
    assert found.due[1] == due


def test_a_state_that_nobody_could_see_is_not_promised_and_may_be_read_otherwise() -> None:
    """A car charges; within one outage it is unplugged, plugged in again and waits."""
    journal = (
        line(1, "plugged_in", 100),
        line(2, "charging_started", 100),
        line(3, "unplugged", 200),
        line(4, "plugged_in", 201),
    )
    found = promises(*journal, deliveries=(sent(101), sent(201.5)))
    assert found.lines == {1, 2}
    assert found.readings == [
        Reading(CAR, frozenset({"charging_paused"}), 201, math.inf),
    ]
    assert found.may_be_read(published("charging_paused", 202))
    assert not found.may_be_read(published("charging_paused", 200))
    assert not found.may_be_read(published("charging_paused", 202, "another"))
    assert not found.may_be_read(published("charging_completed", 202))
    seen = promises(*journal, deliveries=(sent(101), sent(200.1)), lives=[Life(0, 5)])
    assert 3 not in seen.lines  # a second is no time for a refresh


def test_states_that_lasted_are_all_promised() -> None:
    journal = [
        line(number, kind, 100 * number)
        for number, kind in enumerate(
            (
                *("plugged_in", "charging_started", "charging_paused"),
                *("charging_started", "charging_completed", "unplugged"),
            ),
            1,
        )
    ]
    found = promises(*journal)
    assert found.due == {number: 100 * number + POLL for number in range(1, 7)}
    assert not found.readings


def test_a_switch_back_that_was_not_seen_leaves_the_settings_unsure() -> None:
    switched = line(1, "smart_charging_disabled", 100)
    assert promises(switched).unsure_settings == {CAR}
    assert promises(switched, deliveries=(sent(101),)).unsure_settings == set()
    assert promises(switched, deliveries=(sent(101),), mode="strict").unsure_settings == {CAR}
    back = line(2, "smart_charging_enabled", 101.5)
    found = promises(switched, back, deliveries=(sent(101), sent(102)))
    assert found.lines == set()  # either both were seen, or none
    assert found.unsure_settings == set()


CHANGED: Final = (
    line(1, "plugged_in", 100),
    line(2, "session_started", 100, "s1"),
    line(3, "session_ended", 300, "s1"),
    line(4, "session_started", 300, "s2"),
    line(5, "session_became_smart", 300, "s2"),
)


@pytest.mark.parametrize(
    ("facts", "is_promised"),
    [
        ({}, True),
        ({"lives": [Life(0, 5, 250), Life(255, 260)]}, True),  # seen again in this life
        ({"lives": [Life(0, 5, 290), Life(291, 295)]}, False),
        ({"lives": [Life(0, 5, 310), Life(315, 320)]}, False),  # a stop between the two
        ({"troubles": [Trouble(250, 260, USER)]}, False),
        ({"troubles": [Trouble(250, 260, "another")]}, True),
        ({"mode": "strict"}, True),
    ],
)
def test_a_session_became_smart_where_both_were_seen_one_after_the_other(
    facts: dict[str, Any], *, is_promised: bool
) -> None:
    found = promises(*CHANGED, **facts)
    assert (5 in found.lines) is is_promised
    assert {2, 3, 4} <= found.lines


def test_two_sessions_may_look_like_one_where_the_unplug_was_missed() -> None:
    unplugged = line(5, "unplugged", 300)
    again = line(6, "plugged_in", 301), replace(CHANGED[3], n=7, known_at=301)
    next_one = replace(CHANGED[3], n=8, known_at=310, session_id="next")
    found = promises(*CHANGED[:3], unplugged, *again, next_one)
    kind = "session_became_unmanaged"
    assert found.may_be_read(published(kind, 305, session_id="s2"))
    # A poll sees it after the next one has begun.
    assert found.may_be_read(published(kind, 301 + POLL, session_id="s2"))
    assert not found.may_be_read(published(kind, 299, session_id="s2"))
    assert not found.may_be_read(published(kind, 305, session_id="s1"))
    long_after = [replace(item, known_at=500) for item in again]
    seen = promises(*CHANGED[:3], unplugged, *long_after, deliveries=(sent(300.1),))
    assert not seen.may_be_read(published(kind, 505, session_id="s2"))


@pytest.mark.parametrize(
    ("begin", "end", "is_promised"),
    [(110, 120, True), (100, 101, False), (80, 100 - REFRESH, False), (80, 93.9, True)],
)
def test_nothing_is_promised_of_a_user_who_is_not_followed(
    begin: float, end: float, *, is_promised: bool
) -> None:
    absences = [Trouble(begin, end, USER)]
    found = promises(line(1, "plugged_in", 100), absences=absences)
    assert (1 in found.lines) is is_promised
    absences = [Trouble(begin, end, "another")]
    assert 1 in promises(line(1, "plugged_in", 100), absences=absences).lines
