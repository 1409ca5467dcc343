"""What a person sees at the end: the logbook, the repairs, and what the actions answer."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ..flows import DOMAIN
from ..home import Home
from ..home_api import RestFailed
from .recording import Published
from .timeline import Timeline
from .truth import EXACT, Session, Truth, moment

PERIOD = timedelta(days=10)
SAME_MOMENT = 1.0
"""Seconds between an event and its line in the logbook."""
_LATE = "(reported late)"
_SESSION = ("is_managed", "charging_location_id", "vehicle_id")
_FIGURES = ("energy_kwh", "cost", "savings", "currency")


async def wrong_logbook(
    home: Home, changes: Sequence[Published], timeline: Timeline, devices: Mapping[str, str]
) -> list[str]:
    """Return what is wrong in the logbook of the last life: each change has one line at its device.

    What was published before a kill may not have reached the recorder.
    """
    began = next(life.began for life in reversed(timeline.lives) if not life.is_reload)
    wrong: list[str] = []
    texts: defaultdict[str, set[str]] = defaultdict(set)
    async with await home.api.websocket() as socket:
        for device_id in devices.values():
            answer = await socket.call(
                "logbook/get_events",
                start_time=datetime.fromtimestamp(began, UTC).isoformat(),
                device_ids=[device_id],
            )
            lines = [line for line in answer if line.get("domain") == DOMAIN]
            published = [
                change
                for change in changes
                if change.at > began and change.data.get("device_id") == device_id
            ]
            wrong += _wrong_lines(lines, published, texts)
    if len({text for found in texts.values() for text in found}) != len(texts):
        wrong.append(f"each type has one text of its own: {dict(texts)}")
    return wrong


def _wrong_lines(
    lines: Sequence[Mapping[str, Any]],
    changes: Sequence[Published],
    texts: defaultdict[str, set[str]],
) -> Iterator[str]:
    """Yield what is wrong at one device, and note the text of each type."""
    if len(lines) != len(changes):
        messages = [line.get("message") for line in lines]
        yield f"{messages} for {[change.type for change in changes]}"
        return
    for line, change in zip(lines, changes, strict=True):
        text = str(line.get("message"))
        texts[change.type].add(text.replace(_LATE, "").strip())
        is_right = abs(line["when"] - change.at) < SAME_MOMENT
        if not is_right or (_LATE in text) is not change.is_late:
            yield f"{text} at {line['when']}: {change.type} at {change.at}"


async def open_repairs(home: Home) -> list[str]:
    """Return the repairs that are shown although all is well."""
    async with await home.api.websocket() as socket:
        answer = await socket.call("repairs/list_issues")
    return [
        f"repair {issue['issue_id']}" for issue in answer["issues"] if issue["domain"] == DOMAIN
    ]


async def wrong_answers(
    home: Home, truth: Truth, devices: Mapping[str, str], followed: frozenset[str]
) -> list[str]:
    """Return what is wrong in the answers of `get_sessions` and `get_costs`."""
    wrong = []
    begin = datetime.now(UTC) - PERIOD
    period = {"start": begin.isoformat(), "end": datetime.now(UTC).isoformat()}
    for car_id, car in truth.cars.items():
        if car["user_id"] not in followed:
            continue
        device_id = devices[f"{car['user_id']}_{car_id}"]
        sessions = truth.sessions_of.get(car_id, ())
        for action, check in (("get_sessions", _wrong_sessions), ("get_costs", _wrong_costs)):
            path = f"services/{DOMAIN}/{action}?return_response"
            try:
                answer = await home.api.rest("POST", path, period | {"device_id": device_id})
            except RestFailed as err:
                wrong.append(f"{action} of {car_id}: {err}")
                continue
            content = answer["service_response"][device_id]
            wrong += [f"{action} of {car_id}: {line}" for line in check(content, sessions, truth)]
    return wrong


def _wrong_sessions(
    answer: Mapping[str, Any], sessions: Sequence[Session], truth: Truth
) -> Iterator[str]:
    given = {item["session_id"]: item for item in answer["sessions"]}
    if given.keys() != {session.id for session in sessions}:
        yield f"{sorted(given)}, not {sorted(session.id for session in sessions)}"
        return
    for session in sessions:
        item, facts = given[session.id], session.facts
        names = _SESSION if truth.is_strict or not facts["ended_at"] else (*_SESSION, *_FIGURES)
        for name in names:
            if item.get(name) != facts[name]:
                yield f"{name} of {session.id}: {item.get(name)!r}, not {facts[name]!r}"
        for name in ("started_at", "ended_at"):
            is_same = item.get(name) is None if facts[name] is None else True
            if facts[name] is not None:
                is_same = abs(moment(item.get(name)) - moment(facts[name])) < EXACT
            if not is_same:
                yield f"{name} of {session.id}: {item.get(name)}, not {facts[name]}"


def _wrong_costs(
    answer: Mapping[str, Any], sessions: Sequence[Session], truth: Truth
) -> Iterator[str]:
    """Yield what is wrong where all sessions have ended: a running one has figures that grow."""
    if truth.is_strict or any(session.facts["ended_at"] is None for session in sessions):
        return
    count = sum(item["sessions"] for item in answer["costs"])
    if count != len(sessions):
        yield f"{count} sessions, not {len(sessions)}"
    for name, digits in (("energy_kwh", 0.001), ("cost", 0.01), ("savings", 0.01)):
        given = sum(item[name] or 0.0 for item in answer["costs"])
        total = sum(session.facts[name] for session in sessions)
        if abs(given - total) > digits:
            yield f"{name}: {given}, not {total:.3f}"
