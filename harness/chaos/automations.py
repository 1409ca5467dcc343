"""Automations: real ones with each of our triggers; each run fires an event with what the trigger gave it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any

from .contents import ADDED, ENVELOPE

EVENT_RUN = "chaos_automation"
CHANGE_TRIGGERS = (
    *("session_started", "session_ended", "session_settled", "plugged_in", "unplugged"),
    *("charging_started", "charging_paused", "charging_completed"),
    *("session_impossible", "vehicle_link_lost", "vehicle_link_restored"),
)
TIMELY, ALL, ONE_CAR = "timely", "all", "one car"
"""Without late changes, with them, and with them of one car only, whose area is the target: at the end of a
run another car takes its place there."""
WEBHOOKS = "webhook_received"
ONE_TYPE = "one event type"
FIELDS = (*sorted(ENVELOPE), *sorted(frozenset().union(*ADDED.values())))
"""What a trigger gives to its automation, of a change."""
_MESSAGE_ID = "payload.id"
WEBHOOK_FIELDS = (
    *("entry_id", "event_id", "event_type", "user_id", "followed"),
    *("occurred_at", "source", "late", _MESSAGE_ID),
)
"""The same of a delivery."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of ours, the entity that it asks by platform and key, and the state that it wants."""

    name: str
    entity: str
    state: str
    is_met: bool = True
    """Whether the automation wants it to be met."""


CONDITIONS = {
    "plugged_in": Condition("is_plugged_in", "binary_sensor plugged_in", "on"),
    "unplugged": Condition("is_unplugged", "binary_sensor plugged_in", "off"),
    "charging_started": Condition("is_charging", "binary_sensor charging", "on"),
    "charging_paused": Condition("is_charging", "binary_sensor charging", "on", is_met=False),
    "charging_completed": Condition("is_charged", "sensor charge_state", "complete"),
    "session_started": Condition("is_smart_session", "binary_sensor smart_session", "on"),
    "session_settled": Condition("is_smart_charging_off", "switch smart_charging", "off"),
    "session_impossible": Condition(
        "is_at_unknown_location", "binary_sensor at_known_location", "off"
    ),
    "vehicle_link_lost": Condition("is_link_lost", "binary_sensor vehicle_link", "off"),
}
"""The condition of the automations for one car, by their trigger."""


def write(
    folder: Path,
    *,
    devices: Sequence[str],
    entities: Sequence[str],
    area: str,
    event_type: str,
) -> None:
    """Write the automations for these cars into a Home Assistant's folder; it has to reload them.

    `entities` are one of each car. The automations for one car take the `area` of the first one. `event_type`
    is for the trigger that is limited to one.
    """
    automations = [
        *(
            _automation(f"{trigger} {variant}", trigger, target=target, include_late=late)
            for trigger in CHANGE_TRIGGERS
            for variant, target, late in (
                (TIMELY, {"device_id": list(devices)}, False),
                (ALL, {"entity_id": list(entities)}, True),
                (ONE_CAR, {"area_id": [area]}, True),
            )
        ),
        _automation(f"{WEBHOOKS} {ALL}", WEBHOOKS, include_late=True),
        _automation(f"{WEBHOOKS} {ONE_TYPE}", WEBHOOKS, event_types=[event_type]),
    ]
    (folder / "automations.yaml").write_text(json.dumps(automations, indent=1), encoding="utf-8")


def variants() -> Iterator[tuple[str, str]]:
    """Yield each trigger of changes with each variant of its automation."""
    for trigger in CHANGE_TRIGGERS:
        for variant in (TIMELY, ALL, ONE_CAR):
            yield trigger, variant


def _automation(
    name: str, trigger: str, *, target: Mapping[str, Any] | None = None, **options: Any
) -> dict[str, Any]:
    what: dict[str, Any] = {"trigger": f"jedlix.{trigger}", "options": options}
    if target is not None:
        what["target"] = target
    fields = WEBHOOK_FIELDS if trigger == WEBHOOKS else FIELDS
    data = {field: f"{{{{ trigger.{field} | default('') }}}}" for field in fields}
    if trigger == WEBHOOKS:
        data[_MESSAGE_ID] = "{{ (trigger.payload | default({})).id | default('') }}"
    return {
        "id": name.replace(" ", "_"),
        "alias": name,
        "mode": "parallel",
        "max": 1000,
        "triggers": [what],
        "conditions": list(_conditions(trigger, target)) if name.endswith(ONE_CAR) else [],
        "actions": [{"event": EVENT_RUN, "event_data": {"name": name, **data}}],
    }


def _conditions(trigger: str, target: Mapping[str, Any] | None) -> Iterator[dict[str, Any]]:
    if (wanted := CONDITIONS.get(trigger)) is not None:
        condition = {
            "condition": f"jedlix.{wanted.name}",
            "target": target,
            "options": {"behavior": "any"},
        }
        yield condition if wanted.is_met else {"condition": "not", "conditions": [condition]}
