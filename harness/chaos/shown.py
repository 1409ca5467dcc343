"""What a person sees: the logbook and the repairs at the end, and the entities after each set-up."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ..entities import Entity, our_devices, our_entities
from ..flows import DOMAIN
from ..home import Home
from ..translations import translations
from .names import Names
from .reactions import EVENT_ENTITIES
from .recording import Published
from .timeline import Timeline
from .truth import moment

SAME_MOMENT = 1.0
"""Seconds between an event and its line in the logbook."""


def texts_of_this_checkout() -> dict[str, str]:
    """Return the texts that a person must read, whichever copy of the integration runs."""
    texts: dict[str, str] = translations()["common"]
    return texts


def names_of_this_checkout() -> Names:
    """Return what entities are called, likewise."""
    names: Names = translations()["entity"]
    return names


async def wrong_logbook(
    home: Home, changes: Sequence[Published], timeline: Timeline, devices: Mapping[str, str]
) -> list[str]:
    """Return what is wrong in the logbook of the last life: each change has one line at its device.

    It is that of an event entity, or one of its own where none writes it. What was published before a
    kill may not have reached the recorder.
    """
    began = next(life.began for life in reversed(timeline.lives) if not life.is_reload)
    texts = texts_of_this_checkout()
    wrong: list[str] = []
    async with await home.api.websocket() as socket:
        names = {device.device_id: device.name for device in await our_devices(socket)}
        events = [item for item in await our_entities(socket) if item.domain == "event"]
        for device_id in devices.values():
            answer = await socket.call(
                "logbook/get_events",
                start_time=datetime.fromtimestamp(began, UTC).isoformat(),
                device_ids=[device_id],
                entity_ids=[item.entity_id for item in events if item.device_id == device_id],
            )
            by_entity, by_us = of_event_entities(
                [
                    change
                    for change in changes
                    if change.at > began and change.data.get("device_id") == device_id
                ]
            )
            lines = [line for line in answer if line.get("domain") == DOMAIN]
            wrong += wrong_lines(lines, by_us, names.get(device_id), texts)
            wrong += wrong_event_rows([line for line in answer if "state" in line], by_entity)
    return wrong


def of_event_entities(
    changes: Sequence[Published],
) -> tuple[list[Published], list[Published]]:
    """Divide changes into those that an event entity writes, and the others."""
    written = [item for item in changes if not item.is_late and item.type in EVENT_ENTITIES]
    return written, [item for item in changes if item.is_late or item.type not in EVENT_ENTITIES]


def wrong_event_rows(
    rows: Sequence[Mapping[str, Any]], changes: Sequence[Published]
) -> Iterator[str]:
    """Yield what is wrong in the lines of event entities; a restored state is no change.

    Its time is that of the change. After a clock that was ahead, Home Assistant has all later times ahead as
    well: there the first line of an entity may be what the start has restored.
    """
    written: dict[tuple[str, str], str | None] = {}
    is_ahead: set[str] = set()
    for row in rows:
        kind = row.get("attributes", {}).get("event_type")
        ahead = moment(row.get("state")) - row["when"]
        # A state that a reload restores within this time has the moment of a line that is there already.
        if ahead > -SAME_MOMENT:
            written[row["entity_id"], row["state"]] = kind
        if ahead > SAME_MOMENT:
            is_ahead.add(EVENT_ENTITIES.get(str(kind), ""))
    # Two entities may write in the same millisecond.
    for key in ("charging", "session"):
        types = [item for item in written.values() if EVENT_ENTITIES.get(str(item), key) == key]
        expected = [item.type for item in changes if EVENT_ENTITIES[item.type] == key]
        if types != expected and not (key in is_ahead and types[1:] == expected):
            yield f"{types} for {expected}"


def wrong_lines(
    lines: Sequence[Mapping[str, Any]],
    changes: Sequence[Published],
    name: str | None,
    texts: Mapping[str, str],
) -> Iterator[str]:
    """Yield what is wrong at the device of this name."""
    if len(lines) != len(changes):
        messages = [line.get("message") for line in lines]
        yield f"{messages} for {[change.type for change in changes]}"
        return
    for line, change in zip(lines, changes, strict=True):
        message = texts[f"change_{change.type}"]
        if change.is_late:
            message = texts["change_late"].format(message=message)
        shown = (line.get("name"), line.get("message"))
        is_at_its_time = abs(line["when"] - change.at) < SAME_MOMENT
        if shown != (name, message) or not is_at_its_time:
            yield f"{shown} at {line['when']}: {change.type} of {name} at {change.at}"


def not_there(entities: Iterable[Entity], states: Mapping[str, Any]) -> list[str]:
    """Return the entities that Home Assistant remembers, and that the integration has not added again."""
    return [
        entity.entity_id
        for entity in entities
        if states.get(entity.entity_id, {}).get("attributes", {}).get("restored")
    ]


async def open_repairs(home: Home) -> list[str]:
    """Return the repairs that are shown although all is well."""
    async with await home.api.websocket() as socket:
        answer = await socket.call("repairs/list_issues")
    return [
        f"repair {issue['issue_id']}" for issue in answer["issues"] if issue["domain"] == DOMAIN
    ]
