"""Deliveries: each one that was accepted, or missed and in the history, is passed on once and as it came."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from .comparison import Repeats
from .contents import UTC
from .provenance import HISTORY_CALL
from .recording import Line
from .timeline import Timeline
from .truth import EXACT, Truth, moment, seconds

FIGURES = (
    *("webhooks_lost", "webhooks_repeated", "webhooks_told_twice", "webhooks_invented"),
    *("webhooks_wrong", "webhooks_refused", "too_slow"),
)
AT_A_KILL = 0.1
"""Seconds between an answer and what follows from it, on a busy machine."""
PASSED_ON = 2.0
"""Seconds between an answer and the event on the bus."""
ARRIVED = 8.0
"""Seconds between the sending of a delivery, or the reading of the history, and the event on the bus."""
ONE_READING = 1.0
"""Seconds between two deliveries that one reading of the history has brought."""
HISTORY_MARGIN = 1.0
"""Seconds before a start from which on it is unsure whether the history was read before or after."""


def compare_deliveries(
    truth: Truth, passed_on: Sequence[Line], timeline: Timeline, *, entry_id: str
) -> dict[str, list[str]]:
    """Compare the simulator's log with the `jedlix_webhook` events; returns what was found by figure.

    One that was answered in the moment of a kill is passed on only where the tenant offers the history.
    """
    found: dict[str, list[str]] = {name: [] for name in FIGURES}
    messages = {item["id"]: item["message"] for item in truth.deliveries if not item["is_test"]}
    repeats: defaultdict[str, Repeats] = defaultdict(lambda: Repeats(timeline))
    first: dict[str, float] = {}
    for line in passed_on:
        event_id = str(line.data.get("event_id"))
        if (message := messages.get(event_id)) is None:
            found["webhooks_invented"].append(event_id)
            continue
        if event_id in first:
            is_repeated = repeats[event_id].take(line.at)
            found["webhooks_repeated" if is_repeated else "webhooks_told_twice"].append(event_id)
        first.setdefault(event_id, line.at)
        repeats[event_id].note(line.at)
        wrong = [*_wrong(line, message, timeline, entry_id), *_wrong_source(line, truth, timeline)]
        if wrong:
            found["webhooks_wrong"].append(f"{event_id}: {'; '.join(wrong)}")
    found["webhooks_wrong"] += _out_of_order(passed_on)
    accepted = _accepted(truth, timeline)
    missed = set() if truth.is_strict else set(_missed(truth, timeline))
    by_push = {str(line.data.get("event_id")) for line in passed_on if _is_from_push(line)}
    found["webhooks_lost"] = [
        *sorted((accepted.keys() | missed) - first.keys()),
        *sorted(_accepted_in_reloads(truth, timeline) - by_push),
    ]
    found["too_slow"] = [
        event_id
        for event_id, at in accepted.items()
        if event_id in first and first[event_id] > at + PASSED_ON
    ]
    found["webhooks_refused"] = [
        f"{item.delivery_id}: {item.status}"
        for item in truth.sent
        if item.status not in {200, None}
        and any(life.ready <= item.at - 1 and item.at + 1 < life.ended for life in timeline.lives)
    ]
    return found


def accepted_while_shut(truth: Truth, timeline: Timeline) -> int:
    """Return how many deliveries were accepted while our entry was not set up: nothing of ours saw them."""
    return sum(item.status == 200 and not timeline.is_up(item.at) for item in truth.sent)


def _out_of_order(passed_on: Sequence[Line]) -> Iterator[str]:
    """Yield what was passed on from the history after a newer one: a reading begins with the oldest."""
    missed = [line for line in passed_on if line.data.get("source") == "history"]
    for before, line in pairwise(missed):
        times = [moment(item.data.get("occurred_at")) for item in (before, line)]
        if line.at - before.at < ONE_READING and times[1] < times[0]:
            yield f"{line.data.get('event_id')}: after a newer one"


def _accepted(truth: Truth, timeline: Timeline) -> dict[str, float]:
    """Return when each delivery was first accepted while our entry was set up."""
    moment = AT_A_KILL if truth.is_strict else 0.0
    found: dict[str, float] = {}
    for item in truth.sent:
        is_up = timeline.is_up(item.at) and timeline.is_up(item.at + moment)
        if item.status == 200 and is_up:
            found.setdefault(item.delivery_id, item.at)
    return found


def _is_from_push(line: Line) -> bool:
    return line.data.get("source") == "webhook"


def _accepted_in_reloads(truth: Truth, timeline: Timeline) -> set[str]:
    """Return what was accepted during reloads: it is passed on, or refused so that Jedlix comes again.

    What the history had named before is accepted as known.
    """
    return {
        item.delivery_id
        for before, life in pairwise(timeline.lives)
        if life.is_reload
        for item in truth.sent
        if item.status == 200
        and before.ended <= item.at < life.ready
        and not truth.was_called(HISTORY_CALL, before.ended, item.at + item.ms / 1000)
    }


def _missed(truth: Truth, timeline: Timeline) -> Iterator[str]:
    """Yield the deliveries that were due before the last start: the history has all of them."""
    lives = [life for life in timeline.lives if life.ready != float("inf")]
    if len(lives) < 2:
        return
    for delivery in truth.deliveries:
        is_before = lives[0].ready < delivery["created_at"] < lives[-1].began - HISTORY_MARGIN
        if is_before and not delivery["is_test"]:
            yield delivery["id"]


def _wrong(
    line: Line, message: Mapping[str, Any], timeline: Timeline, entry_id: str
) -> Iterator[str]:
    data, user_id = line.data, message["userId"]
    expected = {
        "entry_id": entry_id,
        "event_type": message["eventType"],
        "user_id": user_id,
        "payload": message,
    }
    if not timeline.was_absent(user_id, line.at - 1, line.at + 1):
        expected["followed"] = user_id in timeline.followed
    given = {**data, "payload": _as_sent(data)}
    for name, value in expected.items():
        if given.get(name) != value:
            yield f"{name}: {given.get(name)!r}"
    if not abs(moment(data.get("occurred_at")) - seconds(message["timestamp"])) < EXACT:
        yield f"occurred_at: {data.get('occurred_at')!r}"
    if not str(data.get("occurred_at")).endswith(UTC):
        yield f"occurred_at is not in UTC: {data.get('occurred_at')!r}"
    if data.get("late") is not (data.get("source") == "history"):
        yield f"late: {data.get('late')!r}"
    if data.keys() - {*expected, "event_id", "followed", "occurred_at", "source", "late"}:
        yield f"unknown fields: {sorted(data)}"


def _wrong_source(line: Line, truth: Truth, timeline: Timeline) -> Iterator[str]:
    """Yield the source where it cannot be right: nothing was sent, or no history was read, shortly before.

    What arrives during the set-up waits for its end.
    """
    source, event_id, begin = line.data.get("source"), line.data.get("event_id"), line.at - ARRIVED
    if (life := timeline.life_at(line.at)) is not None and begin < life.ready:
        begin = min(begin, life.began)
    match source:
        case "webhook":
            is_possible = any(
                item.delivery_id == event_id and begin <= item.at < line.at + ARRIVED
                for item in truth.sent
            )
        case "history":
            is_possible = truth.was_called(HISTORY_CALL, begin, line.at + EXACT)
        case _:
            is_possible = False
    if not is_possible:
        yield f"source: {source!r}"


def _as_sent(data: Mapping[str, Any]) -> Any:
    """Return the payload without what only the history says: how each message was delivered."""
    payload = data.get("payload")
    if data.get("source") != "history" or not isinstance(payload, dict):
        return payload
    return {name: value for name, value in payload.items() if name != "deliveries"}
