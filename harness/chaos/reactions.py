"""Reactions to what was published: the entities' states, the event entities, the runs of automations.

What is found while Home Assistant starts is published once its automations run, so they react to all of it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
import json
from typing import Any

from . import automations
from .recording import Line, Published, Recording
from .timeline import Timeline
from .truth import moment

WITHIN = 4.0
"""Seconds within which an automation has run, on a busy machine."""
MOMENT = 1.0
"""Seconds between an event, and what an event entity writes of it."""
AT_A_KILL = 0.1
"""Seconds before a kill in which an event entity may write what does not reach the bus any more."""
SET_UP = 5.0
"""Seconds after the beginning, and before the end, of a life in which an entity may be unavailable."""
MOVING = 2.0
"""Seconds about a move within which nobody knows which car is in the area."""
ATTACHED = 1.0
"""Seconds after the first start, or before an end, in which automations may not listen."""

_CHARGING = ("plugged_in", "charging_started", "charging_paused", "charging_completed", "unplugged")
_SESSION = (
    *("session_started", "session_ended", "session_settled", "session_impossible"),
    *("session_became_smart", "session_became_unmanaged"),
    *("boost_started", "boost_ended", "smart_charging_enabled", "smart_charging_disabled"),
)
EVENT_ENTITIES = dict.fromkeys(_CHARGING, "charging") | dict.fromkeys(_SESSION, "session")
"""The event entity of a car that shows each type."""
_ENVELOPE = ("entry_id", "device_id", "type", "user_id", "vehicle_id", "source", "late")

_SHOWN: Mapping[str, Mapping[str, str]] = {
    "plugged_in": {"binary_sensor plugged_in": "on"},
    "unplugged": {"binary_sensor plugged_in": "off", "sensor charge_state": "disconnected"},
    "charging_started": {"sensor charge_state": "charging", "binary_sensor charging": "on"},
    "charging_paused": {"sensor charge_state": "stopped", "binary_sensor charging": "off"},
    "charging_completed": {"sensor charge_state": "complete"},
    "vehicle_link_lost": {"binary_sensor vehicle_link": "off"},
    "vehicle_link_restored": {"binary_sensor vehicle_link": "on"},
    "smart_charging_enabled": {"switch smart_charging": "on"},
    "smart_charging_disabled": {"switch smart_charging": "off"},
    "boost_started": {"switch boost": "on"},
}
"""What the entities show when a change is published: all states are written first."""


FIGURES = (
    *("triggers_missed", "triggers_wrong", "states_behind"),
    *("event_entities_missed", "event_entities_wrong"),
)

type Found = dict[str, list[str]]
"""What was missing and what was too much, in words, by figure."""


def check(
    recording: Recording, timeline: Timeline, cars: Mapping[str, str], first_car: str, one_type: str
) -> Found:
    """Check the reactions to all changes and deliveries.

    `cars` are the ids of the users by their cars, `first_car` that of the automations for one car at first,
    `one_type` the event type of the automation for one type.
    """
    found: Found = {name: [] for name in FIGURES}
    listening = _Listening(timeline)
    followed = [item for item in recording.changes if item.vehicle_id in cars]
    _check_runs(found, recording, listening, followed, _Area(first_car, timeline.moved_in))
    _check_webhook_runs(found, recording, listening, one_type)
    _check_event_entities(found, recording, timeline, followed)
    found["states_behind"] += [
        f"{item.type} of {item.vehicle_id}: {name} showed {item.shown[name]}, not {state}"
        for item in followed
        if timeline.is_up(item.at) and not _is_superseded(item, followed)
        for name, state in _SHOWN.get(item.type, {}).items()
        if name in item.shown and item.shown[name] != state
    ]
    return found


def _is_superseded(change: Published, changes: Sequence[Published]) -> bool:
    """Return whether the same refresh found a later change of the car: then the newest state is shown."""
    return any(
        other is not change
        and other.vehicle_id == change.vehicle_id
        and 0 <= other.at - change.at < 0.1
        and other.type in _SHOWN
        and _SHOWN[other.type].keys() & _SHOWN.get(change.type, {}).keys()
        for other in changes
    )


class _Listening:
    """When automations react: from a start until the end of that life, reloads included."""

    def __init__(self, timeline: Timeline) -> None:
        self._spans = []
        starts = [life for life in timeline.lives if not life.is_reload]
        for place, life in enumerate(starts):
            following = timeline.lives[timeline.lives.index(life) :]
            same = [life]
            for other in following[1:]:
                if not other.is_reload:
                    break
                same.append(other)
            end = same[-1].ended
            # The first start has no automations before they are written.
            first = life.began if place else life.ready + ATTACHED
            self._spans.append((first, end - ATTACHED))

    def at(self, at: float) -> bool:
        return any(begin <= at < end for begin, end in self._spans)


@dataclass(frozen=True, slots=True)
class _Area:
    """Which car is in the area of the automations for one car."""

    first_car: str
    moved_in: Sequence[tuple[float, str]]

    def has(self, change: Published) -> bool | None:
        """Return whether the car of a change was in it, None in the moment of a move."""
        car = self.first_car
        for at, following in self.moved_in:
            if abs(change.at - at) < MOVING and change.vehicle_id in {car, following}:
                return None
            car = following if change.at > at else car
        return change.vehicle_id == car


def _check_runs(
    found: Found,
    recording: Recording,
    listening: _Listening,
    changes: Sequence[Published],
    area: _Area,
) -> None:
    runs: defaultdict[tuple[str, ...], list[Line]] = defaultdict(list)
    for run in recording.runs:
        if not str(run.data.get("name")).startswith(automations.WEBHOOKS):
            runs[_run_key(str(run.data.get("name")), run.data)].append(run)
    for change in changes:
        for trigger, variant in automations.variants():
            if change.type != trigger:
                continue
            name = f"{trigger} {variant}"
            is_wanted = {
                automations.TIMELY: not change.is_late,
                automations.ALL: True,
                automations.ONE_CAR: area.has(change) and _is_met(change),
            }[variant]
            lines = runs[_run_key(name, change.data)]
            near = (line for line in lines if -0.1 <= line.at - change.at <= WITHIN)
            ran = min(near, key=lambda line: line.parent != change.context, default=None)
            if ran is not None:
                lines.remove(ran)
            what = f"{name}: {change.vehicle_id} {change.data.get('occurred_at')}"
            if is_wanted and ran is None and listening.at(change.at):
                found["triggers_missed"].append(what)
            elif is_wanted is False and ran is not None:
                found["triggers_wrong"].append(what)
            elif ran is not None and ran.parent != change.context:
                found["triggers_wrong"].append(f"{what}: it does not name its cause")
    left = [f"{key[0]}: {key[1:]}" for key, lines in runs.items() for _ in lines]
    found["triggers_wrong"] += left


def _check_webhook_runs(
    found: Found, recording: Recording, listening: _Listening, one_type: str
) -> None:
    runs: defaultdict[tuple[str, ...], int] = defaultdict(int)
    for run in recording.runs:
        if str(run.data.get("name")).startswith(automations.WEBHOOKS):
            runs[_webhook_key(str(run.data["name"]), run.data)] += 1
    for webhook in recording.webhooks:
        for variant in (automations.ALL, automations.ONE_TYPE):
            key = _webhook_key(f"{automations.WEBHOOKS} {variant}", webhook.data)
            is_one = webhook.data.get("event_type") == one_type and not webhook.data.get("late")
            is_wanted = variant == automations.ALL or is_one
            if is_wanted and runs[key] > 0:
                runs[key] -= 1
            elif is_wanted and listening.at(webhook.at):
                found["triggers_missed"].append(" ".join(key))
    found["triggers_wrong"] += [" ".join(key) for key, count in runs.items() for _ in range(count)]


def _webhook_key(name: str, data: Mapping[str, Any]) -> tuple[str, ...]:
    given = {"payload.id": (data.get("payload") or {}).get("id"), **data}
    return (name, *(str(given.get(field)) for field in automations.WEBHOOK_FIELDS))


def _is_met(change: Published) -> bool:
    """Return whether the condition of the automations for one car is met by what the entities showed."""
    if change.type not in automations.CONDITIONS:
        return True
    condition = automations.CONDITIONS[change.type]
    return (change.shown.get(condition.entity) == condition.state) is condition.is_met


def _run_key(name: str, data: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what makes a run one. A field without a value is given as None, not left out."""
    return (name, *(str(data.get(field, "")) for field in automations.FIELDS))


def _check_event_entities(
    found: Found, recording: Recording, timeline: Timeline, changes: Sequence[Published]
) -> None:
    written: defaultdict[str, list[Line]] = defaultdict(list)
    for item in newly_written(recording):
        written[_written_key(item.data["unique_id"], item.data)].append(item)
    for change in changes:
        if (entity := EVENT_ENTITIES.get(change.type)) is None:
            continue
        added = {name: value for name, value in change.data.items() if name not in _ENVELOPE}
        unique_id = f"{change.user_id}_{change.vehicle_id}_{entity}"
        expected = {"event_type": change.type, **added}
        lines = written[_written_key(unique_id, expected)]
        line = next((line for line in lines if abs(line.at - change.at) < MOMENT), None)
        what = f"{change.type} of {change.vehicle_id} {change.data.get('occurred_at')}"
        if line is not None:
            lines.remove(line)
        if change.is_late and line is not None:
            found["event_entities_wrong"].append(f"{what}: late")
        elif line is not None and line.context != change.context:
            found["event_entities_wrong"].append(f"{what}: it does not name its cause")
        elif line is not None and line.at > change.at:
            found["states_behind"].append(f"{what}: its event entity was written afterwards")
        elif not change.is_late and line is None and timeline.is_up(change.at):
            found["event_entities_missed"].append(what)
    found["event_entities_wrong"] += [
        f"{line.data.get('unique_id')}: {line.data.get('event_type')}"
        for left in written.values()
        for line in left
        if not (str(line.data["unique_id"]).endswith("_webhook") or is_cut_off(line.at, timeline))
    ]
    found["event_entities_wrong"] += [
        f"{line.data['unique_id']} was unavailable"
        for line in recording.event_entities
        if line.data["state"] == "unavailable"
        and any(life.ready + SET_UP < line.at < life.ended - SET_UP for life in timeline.lives)
        and not timeline.was_absent(str(line.data["unique_id"]).partition("_")[0], line.at, line.at)
    ]
    _check_webhook_entity(found, recording, timeline)


def newly_written(recording: Recording) -> Iterator[Line]:
    """Yield what event entities wrote, without the old events that they show again after a start or reload.

    Each event has another time than the one before, which is not always that of the clock: Home Assistant
    has them increase, also where the clock was put back.
    """
    shown: dict[str, str] = {}
    present: set[str] = set()
    starts = [start.at for start in recording.starts]
    for line in recording.event_entities:
        if starts and line.at >= starts[0]:
            starts = [at for at in starts if at > line.at]
            present.clear()
        unique_id, state = str(line.data["unique_id"]), str(line.data["state"])
        if state == "unavailable":
            present.discard(unique_id)
            continue
        if state not in {"unknown", shown.get(unique_id)}:
            shown[unique_id] = state
            if unique_id in present or abs(moment(state) - line.at) < MOMENT:
                yield line
        present.add(unique_id)


def is_cut_off(at: float, timeline: Timeline) -> bool:
    """Return whether a kill came between what an event entity wrote at a moment and its event on the bus."""
    return any(kill - AT_A_KILL < at <= kill for kill in timeline.kills)


def _check_webhook_entity(found: Found, recording: Recording, timeline: Timeline) -> None:
    """Check what the event entity of the account wrote: each delivery that is not late, once."""
    lines = [
        (
            _webhook_shown(line.data.get("event_type"), line.data, line.data.get("webhook_type")),
            line.at,
        )
        for line in newly_written(recording)
        if str(line.data["unique_id"]).endswith("_webhook")
    ]
    written = Counter(shown for shown, _ in lines)
    cut_off = {shown for shown, at in lines if is_cut_off(at, timeline)}
    for webhook in recording.webhooks:
        event_type = webhook.data.get("event_type")
        shown = _webhook_shown(event_type, webhook.data, event_type)
        if not webhook.data.get("late") and written[shown]:
            written[shown] -= 1
        elif not webhook.data.get("late") and timeline.is_up(webhook.at):
            found["event_entities_missed"].append(f"webhook {' '.join(shown)}")
    found["event_entities_wrong"] += [
        f"webhook {' '.join(shown)}" for shown in written.elements() if shown not in cut_off
    ]


def _webhook_shown(shown_type: Any, data: Mapping[str, Any], event_type: Any) -> tuple[str, ...]:
    return (str(shown_type), str(event_type), *(str(data.get(name)) for name in _WEBHOOK))


_WEBHOOK = ("event_id", "user_id", "occurred_at")
"""What the event entity of the account shows of a delivery, beside its type: all of them are subscribed."""


def _written_key(unique_id: str, data: Mapping[str, Any]) -> str:
    """Return what makes a written event one: the entity and all that it says."""
    facts = {
        name: value
        for name, value in data.items()
        if name not in {"unique_id", "state", "event_types", *_SHOWN_BY_ALL}
    }
    return f"{unique_id} {json.dumps(facts, sort_keys=True, default=str)}"


_SHOWN_BY_ALL = ("friendly_name", "icon", "device_class", "attribution", "restored")
