"""Automations: real ones with each of our triggers; each run fires an event with what the trigger gave it."""

from collections.abc import Iterator, Sequence
import json
from pathlib import Path
from typing import Any

EVENT_RUN = "chaos_automation"
CHANGE_TRIGGERS = (
    *("session_started", "session_ended", "session_settled", "plugged_in", "unplugged"),
    *("charging_started", "charging_paused", "charging_completed"),
    *("session_impossible", "vehicle_link_lost", "vehicle_link_restored"),
)
TIMELY, ALL, ONE_CAR = "timely", "all", "one car"
"""Without late changes, with them, and with them of one car only."""
WEBHOOKS = "webhook_received"
ONE_TYPE = "one event type"
FIELDS = (
    *("type", "device_id", "user_id", "vehicle_id", "session_id"),
    *("occurred_at", "source", "late"),
)
"""What a trigger gives to its automation, of a change."""
WEBHOOK_FIELDS = ("event_id", "event_type", "user_id", "occurred_at", "source", "late")
"""The same of a delivery."""
CONDITIONS = {
    "plugged_in": ("is_plugged_in", True),
    "unplugged": ("is_plugged_in", False),
    "charging_started": ("is_charging", True),
}
"""The condition of the automations for one car, by their trigger, and whether it must be met."""


def write(folder: Path, devices: Sequence[str], event_type: str) -> None:
    """Write the automations for these cars into a Home Assistant's folder; it has to reload them.

    The automations for one car take the first one. `event_type` is for the trigger that is limited to one.
    """
    automations = [
        *(
            _automation(f"{trigger} {variant}", trigger, target=target, include_late=late)
            for trigger in CHANGE_TRIGGERS
            for variant, target, late in (
                (TIMELY, devices, False),
                (ALL, devices, True),
                (ONE_CAR, devices[:1], True),
            )
        ),
        _automation(f"{WEBHOOKS} {ALL}", WEBHOOKS),
        _automation(f"{WEBHOOKS} {ONE_TYPE}", WEBHOOKS, event_types=[event_type]),
    ]
    (folder / "automations.yaml").write_text(json.dumps(automations, indent=1), encoding="utf-8")


def variants() -> Iterator[tuple[str, str]]:
    """Yield each trigger of changes with each variant of its automation."""
    for trigger in CHANGE_TRIGGERS:
        for variant in (TIMELY, ALL, ONE_CAR):
            yield trigger, variant


def _automation(
    name: str, trigger: str, *, target: Sequence[str] = (), **options: Any
) -> dict[str, Any]:
    what: dict[str, Any] = {"trigger": f"jedlix.{trigger}", "options": options}
    if target:
        what["target"] = {"device_id": list(target)}
    fields = WEBHOOK_FIELDS if trigger == WEBHOOKS else FIELDS
    data = {field: f"{{{{ trigger.{field} | default('') }}}}" for field in fields}
    return {
        "id": name.replace(" ", "_"),
        "alias": name,
        "mode": "parallel",
        "max": 1000,
        "triggers": [what],
        "conditions": list(_conditions(trigger, target)) if name.endswith(ONE_CAR) else [],
        "actions": [{"event": EVENT_RUN, "event_data": {"name": name, **data}}],
    }


def _conditions(trigger: str, target: Sequence[str]) -> Iterator[dict[str, Any]]:
    if trigger in CONDITIONS:
        name, is_met = CONDITIONS[trigger]
        condition = {
            "condition": f"jedlix.{name}",
            "target": {"device_id": list(target)},
            "options": {"behavior": "any"},
        }
        yield condition if is_met else {"condition": "not", "conditions": [condition]}
