"""The chaos run's judgement of the calls that Jedlix got: each rule, from both sides."""

from dataclasses import replace
from typing import Any, Final

import pytest

from harness.chaos.calls import (
    COMMANDED,
    IN_PAUSE,
    LOCATIONS_PER_LIFE,
    NEXT_POLL,
    ONE_POLL,
    TOKENS_PER_LIFE,
    TOKENS_PER_TROUBLE,
    TOO_MANY,
    check,
)
from harness.chaos.comparison import BEFORE_A_KILL
from harness.chaos.faults import PAUSE
from harness.chaos.timeline import Command, Life, Timeline, Trouble
from harness.chaos.truth import Call, Truth
from tests.chaos_world import EMPTY

USER: Final = "u"
CARS: Final = f"/api/v1/users/{USER}/vehicles"
LOCATIONS: Final = f"/api/v1/users/{USER}/charging-locations"


def truth(*calls: Call, deliveries: tuple[dict[str, Any], ...] = ()) -> Truth:
    return replace(EMPTY, deliveries=deliveries, calls=calls)


def timeline() -> Timeline:
    return Timeline(lives=[Life(0, 5)], followed=frozenset({USER}))


def test_tokens_are_those_of_starts_and_troubles() -> None:
    asked = [Call(6.0, "/oauth/token", 200)] * TOKENS_PER_LIFE
    assert not check(truth(*asked), timeline())[TOO_MANY]
    asked += [Call(1.0, "/oauth/token", 200)] * 9  # before the set-up was over
    assert not check(truth(*asked), timeline())[TOO_MANY]
    asked += [Call(7.0, "/oauth/token", 200)]
    assert check(truth(*asked), timeline())[TOO_MANY]
    troubled = replace(timeline(), troubles=[Trouble(6, 7)])
    assert not check(truth(*asked), troubled)[TOO_MANY]
    asked += [Call(8.0, "/oauth/token", 401)] * TOKENS_PER_TROUBLE
    assert check(truth(*asked), troubled)[TOO_MANY]


def test_a_command_is_one_write() -> None:
    settings = f"{CARS}/c/charge-settings"
    written = Call(20.0, settings, 200, "PUT")
    given = replace(timeline(), commands=[Command(20.5, USER, "")])
    assert not check(truth(Call(19.0, settings, 200), written), given)[TOO_MANY]
    assert not check(truth(Call(19.0, settings, 503, "PUT"), written), given)[TOO_MANY]
    assert check(truth(written, written), given)[TOO_MANY]
    assert check(truth(written), timeline())[TOO_MANY]
    token = Call(20.0, "/oauth/token", 200, "POST")
    assert not check(truth(token), given)[TOO_MANY]
    troubled = replace(given, troubles=[Trouble(15, 16, USER)])
    assert not check(truth(written, written), troubled)[TOO_MANY]


def test_charging_locations_are_read_rarely() -> None:
    read = [Call(6.0, LOCATIONS, 200)] * LOCATIONS_PER_LIFE
    read += [Call(6.0, LOCATIONS, 503), Call(1.0, LOCATIONS, 200)]
    assert not check(truth(*read), timeline())[TOO_MANY]
    assert check(truth(*read, Call(7.0, LOCATIONS, 200)), timeline())[TOO_MANY]


@pytest.mark.parametrize(
    ("polled", "read", "world", "is_right"),
    [
        (30, 90, {}, False),
        (30, 90, {"path": "/api/v1/webhooks/events?pageIndex=2"}, True),
        (30, 90, {"status": 503}, True),
        (5 + ONE_POLL, 90, {}, True),  # the first poll may have left something
        (30, 30 + NEXT_POLL, {}, True),
        (30, 90, {"troubles": [Trouble(49, 55)]}, True),
        (30, 90, {"troubles": [Trouble(49, 55, USER)]}, False),
        (30, 90, {"troubles": [Trouble(50, 55)]}, False),  # the poll was over
        (30, 90, {"absences": [Trouble(29, 31, "other")]}, True),  # a person looked for a user
        (30, 90, {"lives": [Life(0, 5, 80), Life(82, 86)]}, True),
        (30, 90, {"lives": [Life(0, 5, 80), Life(82, 92)]}, True),
    ],
)
def test_the_history_is_read_where_something_may_be_missed(
    polled: float, read: float, world: dict[str, Any], *, is_right: bool
) -> None:
    facts = {"path": "/api/v1/webhooks/events?pageIndex=1", "status": 200, **world}
    calls = (
        Call(polled, "/api/v2/sessions?pageIndex=1", 200),
        Call(read, facts.pop("path"), facts.pop("status")),
        Call(read + 0.1, "/api/v2/sessions?pageIndex=1", 200),
    )
    assert bool(check(truth(*calls), replace(timeline(), **facts))[TOO_MANY]) is not is_right


def test_each_event_type_is_subscribed_once() -> None:
    def found(*tests: tuple[str, bool]) -> list[str]:
        made = tuple({"event_type": name, "is_test": is_test} for name, is_test in tests)
        return check(truth(deliveries=made), timeline())[TOO_MANY]

    assert not found(("a", True), ("b", True), ("a", False), ("a", False))
    assert found(("a", True), ("b", True), ("a", True))


@pytest.mark.parametrize(("ended", "is_right"), [(5 + BEFORE_A_KILL, True), (12.0, False)])
def test_an_early_kill_has_event_types_subscribed_again(ended: float, *, is_right: bool) -> None:
    killed = replace(timeline(), lives=[Life(0, 5, ended, was_killed=True), Life(13, 18)])
    again = truth(deliveries=({"event_type": "a", "is_test": True},) * 2)
    assert bool(check(again, killed)[TOO_MANY]) is not is_right
    thrice = truth(deliveries=({"event_type": "a", "is_test": True},) * 3)
    assert check(thrice, killed)[TOO_MANY]


@pytest.mark.parametrize(
    ("call", "is_right"),
    [
        (Call(10.2, CARS, 200), True),  # it was under way
        (Call(11.0, CARS, 200), False),
        (Call(11.0, "/api/v2/sessions?pageIndex=1", 200), False),
        (Call(10.0 + PAUSE, CARS, 200), True),
    ],
)
def test_no_call_is_made_in_a_pause(call: Call, *, is_right: bool) -> None:
    limited = Call(10.0, CARS, 429)
    assert bool(check(truth(limited, call), timeline())[IN_PAUSE]) is not is_right
    assert not check(truth(replace_status(limited), call), timeline())[IN_PAUSE]


def replace_status(call: Call) -> Call:
    return call._replace(status=503)


def test_what_a_person_waits_for_and_a_new_start_are_no_calls_in_a_pause() -> None:
    world = truth(Call(10.0, CARS, 429), Call(11.0, CARS, 200))
    for end, is_right in ((9.0, False), (11.0, True), (11.0 + COMMANDED + 1, False)):
        commanded = replace(timeline(), commands=[Command(end, USER, "")])
        assert bool(check(world, commanded)[IN_PAUSE]) is not is_right
    other = replace(timeline(), commands=[Command(11.0, "other", "")])
    assert check(world, other)[IN_PAUSE]
    for lives, is_right in (
        ([Life(0, 5, 10.1), Life(10.3, 10.6)], True),
        ([Life(0, 5, 9.0), Life(9.2, 10.4)], True),
        ([Life(0, 5, 7.0), Life(8.0, 9.0)], False),
        ([Life(0, 5, 11.5), Life(11.6)], False),
    ):
        assert bool(check(world, replace(timeline(), lives=lives))[IN_PAUSE]) is not is_right
    added = replace(timeline(), absences=[Trouble(10.5, 12.0, "other")])
    assert not check(world, added)[IN_PAUSE]
