"""The chaos run's judgement of sources, of what is late, and of the order: each rule, from both sides.

Two lives of Home Assistant: until second 150, and from second 160 on, ready at 165.
"""

from dataclasses import replace
from typing import Any, Final

import pytest

from harness.chaos.comparison import Match
from harness.chaos.provenance import COMMANDED, EVIDENCE, OLD, Provenance, out_of_order
from harness.chaos.recording import Published
from harness.chaos.timeline import Command, Life, Timeline, Trouble
from harness.chaos.truth import EXACT, Call, Happened, Sent, Truth
from tests.chaos_world import EMPTY

USER, CAR = "u", "c"
VEHICLES: Final = f"/api/v1/users/{USER}/vehicles"


def truth(
    *,
    mode: str = "default",
    sent: tuple[float, ...] = (),
    calls: tuple[Call, ...] = (),
) -> Truth:
    """Return a world in which deliveries about the user were sent, and calls answered."""
    return replace(
        EMPTY,
        mode=mode,
        sent=tuple(Sent(at, 200, "d", "sessionStarted", USER, at) for at in sent),
        calls=calls,
    )


def lives() -> Timeline:
    return Timeline(lives=[Life(0, 5, 150), Life(160, 165)], followed=frozenset({USER}))


def moment(second: float) -> str:
    """Return the second of a minute as events write it."""
    return f"2026-01-01T00:00:{second:06.3f}Z"


def match(
    kind: str, at: float, *, n: int = 1, known_at: float = 100, car: str = CAR, **data: Any
) -> Match:
    """Return a change of a car, published at a second, that Jedlix could know at another."""
    line = Happened(n, kind, USER, car, None, known_at, known_at, {})
    return Match(Published(at, {"type": kind, "vehicle_id": car, **data}), line)


# -- source --------------------------------------------------------------------------------------------------


def source_is_wrong(
    source: str,
    *,
    world: Truth | None = None,
    at: float = 100.0,
    known_at: float = 100,
    **facts: Any,
) -> bool:
    timeline = replace(lives(), **facts)
    found = match("plugged_in", at, known_at=known_at, source=source)
    return bool(Provenance(world or truth(), timeline, {}).wrong_source(found))


def trouble(begin: float, end: float) -> dict[str, Any]:
    return {"troubles": [Trouble(begin, end)]}


@pytest.mark.parametrize(
    ("troubles", "is_wrong"),
    [
        ({}, True),
        (trouble(65, 90), False),
        # It was over, and what waited for it too, which takes as long again.
        (trouble(65, 65 + (100 - 65 - EVIDENCE) / 2), True),
        (trouble(65, 65 + (100 - 65 - EVIDENCE) / 2 + 0.1), False),
        (trouble(70, 90), True),  # the delivery came long before the trouble
        (trouble(100, 110), True),  # it began afterwards
        ({"troubles": [Trouble(65, 90), Trouble(99, 100)]}, False),
    ],
)
def test_trouble_may_lie_between_a_delivery_and_its_change(
    troubles: dict[str, Any], is_wrong: bool
) -> None:
    assert source_is_wrong("webhook", world=truth(sent=(60,)), **troubles) is is_wrong


@pytest.mark.parametrize(
    ("source", "path"), [("poll", "/api/v1/sessions"), ("history", "/api/v1/webhooks/events")]
)
def test_a_call_is_evidence_of_what_follows_from_it(source: str, path: str) -> None:
    def is_wrong(read_at: float, path: str = path) -> bool:
        return source_is_wrong(source, world=truth(calls=(Call(read_at, path, 200),)))

    assert not is_wrong(100 + EXACT / 2)
    assert not is_wrong(100 - EVIDENCE)
    assert is_wrong(100 - EVIDENCE - 0.1)
    assert is_wrong(100 + 2 * EXACT)
    assert is_wrong(100, VEHICLES)


@pytest.mark.parametrize(
    ("named", "facts", "is_wrong"),
    [
        ({}, {}, False),
        ({USER: [161]}, {}, True),
        ({"other": [161]}, {}, False),
        ({USER: [155, 171]}, {}, False),  # by the life before, or afterwards
        ({USER: [161]}, {"known_at": 160}, False),
        ({USER: [161]}, {"kind": "smart_charging_enabled"}, False),
        ({USER: [161]}, {"at": 165 + EVIDENCE}, False),
        ({USER: [161]}, {"source": "webhook"}, False),
        ({USER: [161]}, trouble(158, 162), True),
        ({USER: [161]}, trouble(161, 162), False),
    ],
)
def test_whom_the_history_names_at_a_start_is_read_because_of_it(
    named: dict[str, list[float]], facts: dict[str, Any], *, is_wrong: bool
) -> None:
    given = {"kind": "plugged_in", "at": 166.0, "known_at": 155, "source": "poll", **facts}
    timeline = replace(lives(), troubles=given.pop("troubles", []))
    kind, at = given.pop("kind"), given.pop("at")
    world = truth(sent=(at - 1,), calls=(Call(at - 1, "/api/v1/sessions", 200),))
    provenance = Provenance(world, timeline, {}, named)
    assert bool(provenance.wrong_source(match(kind, at, **given))) is is_wrong


def test_a_strict_tenant_is_polled_without_its_list() -> None:
    assert source_is_wrong("poll")
    assert not source_is_wrong("poll", world=truth(mode="strict"))


def test_a_first_refresh_is_a_poll() -> None:
    assert not source_is_wrong("poll", at=165 + EVIDENCE - 0.1)
    assert source_is_wrong("poll", at=165 + EVIDENCE)
    assert source_is_wrong("poll", at=155)  # nothing runs


@pytest.mark.parametrize(
    ("command", "is_wrong"),
    [
        (Command(100, USER, ""), False),
        (Command(100 - EVIDENCE, USER, ""), False),
        (Command(100 - EVIDENCE - 0.1, USER, ""), True),
        (Command(100 + EVIDENCE, USER, "", has_failed=True), False),  # it waited for an answer
        (Command(100 + EVIDENCE + 0.1, USER, ""), True),
        (Command(100, "another", ""), True),
    ],
)
def test_a_command_is_near_and_of_the_same_user(command: Command, is_wrong: bool) -> None:
    assert source_is_wrong("command", commands=[command]) is is_wrong
    old = Command(0, USER, "")
    assert source_is_wrong("command", commands=[old, command]) is is_wrong


@pytest.mark.parametrize(
    ("command", "known_at", "is_wrong"),
    [
        (Command(99.5, USER, "plugged"), 99.5, True),
        (Command(100.5, USER, "plugged"), 99.5, True),
        (Command(99.5, USER, ""), 99.5, False),
        (Command(99.5, USER, "boost"), 99.5, False),
        (Command(99.5, "another", "plugged"), 99.5, False),
        (Command(100 - COMMANDED, USER, "plugged"), 99.5, False),  # long before the change
        (Command(99.5, USER, "plugged"), 100 - COMMANDED, False),  # what happened was there before
    ],
)
def test_what_a_command_did_is_not_published_as_a_delivery(
    command: Command, known_at: float, is_wrong: bool
) -> None:
    world = truth(sent=(99,))
    assert (
        source_is_wrong("webhook", world=world, known_at=known_at, commands=[command]) is is_wrong
    )
    if is_wrong:
        assert not source_is_wrong("command", known_at=known_at, commands=[command])


# -- late ----------------------------------------------------------------------------------------------------


def timeline_of(kind: str) -> Timeline:
    """Return lives of which the second is a start or a reload, or which have none at second 170."""
    timeline = lives()
    if kind == "nothing runs":
        del timeline.lives[1]
    else:
        timeline.lives[1].is_reload = kind == "reload"
    return timeline


@pytest.mark.parametrize(
    ("kind", "life", "known_at", "occurred", "expected"),
    [
        ("vehicle_link_lost", "start", 155, 159, True),  # it has no time of its own
        ("vehicle_link_lost", "reload", 155, 159, False),
        ("vehicle_link_lost", "nothing runs", 155, 159, False),
        ("vehicle_link_lost", "start", 160, 159, False),  # nothing was missed
        ("plugged_in", "start", 155, 170 - OLD, False),
        ("plugged_in", "start", 155, 169.9 - OLD, True),
        ("plugged_in", "start", 160, 169.9 - OLD, False),
        ("session_impossible", "start", 155, 169.9 - OLD, False),  # its delivery says it
        ("boost_ended", "start", 155, 159, True),
    ],
)
def test_what_was_missed_is_late_when_it_is_old_or_has_no_time(
    kind: str, life: str, known_at: float, occurred: float, expected: bool
) -> None:
    found = match(kind, 170, known_at=known_at)
    found = replace(found, line=replace(found.line, occurred_at=occurred))
    assert Provenance(truth(), timeline_of(life), {}).must_be_late(found) is expected


@pytest.mark.parametrize(
    ("kind", "life", "source", "read_at", "expected"),
    [
        ("vehicle_link_lost", "start", "poll", None, True),
        ("vehicle_link_lost", "start", "poll", 162 - EVIDENCE, True),  # before the start
        ("vehicle_link_lost", "start", "poll", 161, False),
        ("vehicle_link_lost", "start", "poll", 170 - EVIDENCE + 0.1, True),  # this was the refresh
        ("vehicle_link_lost", "reload", "poll", None, False),
        ("vehicle_link_lost", "nothing runs", "poll", None, False),
        ("plugged_in", "start", "poll", None, False),  # it has a time
        ("smart_charging_enabled", "start", "webhook", 161, True),
        ("smart_charging_enabled", "start", "command", None, False),
        ("smart_charging_enabled", "reload", "webhook", None, False),
    ],
)
def test_what_a_fleet_has_not_read_since_a_start_may_be_late(
    kind: str, life: str, source: str, read_at: float | None, expected: bool
) -> None:
    calls = () if read_at is None else (Call(read_at, VEHICLES, 200),)
    provenance = Provenance(truth(calls=calls), timeline_of(life), {})
    assert provenance.may_be_late(match(kind, 170, source=source)) is expected


@pytest.mark.parametrize(
    ("kind", "source", "expected"),
    [
        ("session_impossible", "history", True),
        ("session_impossible", "webhook", False),
        ("user_created", "history", True),
        (
            "plugged_in",
            "history",
            False,
        ),  # nothing was missed: it happened while Home Assistant ran
    ],
)
def test_what_a_delivery_of_the_history_says_by_itself_is_late(
    kind: str, source: str, *, expected: bool
) -> None:
    assert (
        Provenance(truth(), lives(), {}).must_be_late(match(kind, 100, source=source)) is expected
    )


def test_what_is_due_may_be_published_at_the_last_moment() -> None:
    provenance = Provenance(truth(), lives(), {1: 106.0})
    found = [provenance.is_too_slow(match("plugged_in", at)) for at in (106.0, 106.1)]
    assert found == [False, True]
    assert not provenance.is_too_slow(match("plugged_in", 200, n=2))


# -- order ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "wrong"),
    [
        # one kind comes in the order of the journal, however much later
        (match("plugged_in", 1, n=1), match("unplugged", 9, n=2), 0),
        (match("plugged_in", 1, n=2), match("unplugged", 9, n=1), 1),
        (match("plugged_in", 1, n=2), match("session_ended", 9, n=1), 0),
        (match("plugged_in", 1, n=2), match("unplugged", 9, n=1, car="other"), 0),
        (match("user_created", 1, n=2), match("user_created", 9, n=1), 0),
        (match("vehicle_link_lost", 1, n=2, car=""), match("vehicle_link_lost", 9, n=1, car=""), 0),
        # one refresh comes in the order of time
        (
            match("plugged_in", 1, occurred_at=moment(2)),
            match("session_started", 1.1, occurred_at=moment(1)),
            1,
        ),
        (
            match("plugged_in", 1, occurred_at=moment(1)),
            match("session_started", 1.1, occurred_at=moment(2)),
            0,
        ),
        (
            match("plugged_in", 1, occurred_at=moment(2)),
            match("session_started", 2, occurred_at=moment(1)),
            0,
        ),
        (
            match("plugged_in", 1, occurred_at=moment(2)),
            match("session_started", 1.1, car="other", occurred_at=moment(1)),
            0,
        ),
        # at one moment, in that of the journal
        (
            match("plugged_in", 1, n=2, occurred_at=moment(1)),
            match("session_started", 1.1, n=1, occurred_at=moment(1)),
            1,
        ),
        (
            match("plugged_in", 1, n=1, occurred_at=moment(1)),
            match("session_started", 1.1, n=2, occurred_at=moment(1)),
            0,
        ),
        (
            match("plugged_in", 1, n=2, occurred_at=moment(1)),
            match("session_started", 1.1, n=1, known_at=99, occurred_at=moment(1)),
            0,
        ),
        (
            match("plugged_in", 1, n=2, occurred_at=moment(1)),
            match("session_started", 1.1, n=1, occurred_at=moment(2)),
            0,
        ),
        # what was found before its session was listed is of another refresh
        (
            match("charging_paused", 1, n=2, occurred_at=moment(1)),
            match("session_started", 1.1, n=1, occurred_at=moment(1)),
            0,
        ),
        (
            match("charging_paused", 1, n=2, occurred_at=moment(1), session_id="s"),
            match("session_started", 1.1, n=1, occurred_at=moment(1)),
            1,
        ),
        # what has no time of its own, and what a delivery reports by itself, has no place in it
        (
            match("plugged_in", 1, occurred_at=moment(2)),
            match("boost_ended", 1.1, occurred_at=moment(1)),
            0,
        ),
        (
            match("session_impossible", 1, occurred_at=moment(2)),
            match("plugged_in", 1.1, occurred_at=moment(1)),
            0,
        ),
    ],
)
def test_the_order_of_two_changes(first: Match, second: Match, wrong: int) -> None:
    assert len(list(out_of_order([first, second]))) == wrong
