"""First look: which entities a person finds enabled and visible when the account was just added."""

from collections.abc import Collection, Iterator, Sequence

from ..entities import Entity

_AMOUNTS = ("energy", "cost", "savings")
_SPANS = ("total", "this_month", "this_year")
DISABLED = frozenset(
    {
        *("session_started", "telemetry_updated", "state_updated", "last_webhook"),
        *("delivery_delay", "webhook", "bidirectional_charging"),
        *(f"{name}_this_year" for name in _AMOUNTS),
    }
)
"""The keys of the entities that are disabled at first: they would write too much, or few need them."""
HIDDEN = frozenset(
    {
        *("sensor session", "sensor last_session", "binary_sensor plugged_in"),
        *("binary_sensor charging", "binary_sensor smart_session", "button refresh"),
        *("event charging", "event session"),
        *(f"sensor {name}_{span}" for name in _AMOUNTS for span in _SPANS),
    }
)
"""Those that are hidden at first, by platform and key."""
CATEGORIES = {
    **dict.fromkeys(
        (
            *(
                "binary_sensor at_known_location",
                "binary_sensor vehicle_link",
                "binary_sensor push",
            ),
            *("sensor smart_charging_resumes_at", "sensor telemetry_updated"),
            *(
                "sensor state_updated",
                "sensor push_state",
                "sensor callback",
                "sensor last_webhook",
            ),
            *("sensor webhooks_received", "sensor webhooks_rejected", "sensor delivery_delay"),
            *("sensor missed_by_push", "sensor not_offered", "event webhook", "button resubscribe"),
        ),
        "diagnostic",
    ),
    **dict.fromkeys(
        ("switch solar_charging", "switch bidirectional_charging", "time ready_by"), "config"
    ),
}
"""Those that the page of an area leaves out, by platform and key."""
ESSENTIAL = frozenset(
    {
        *("binary_sensor plugged_in", "binary_sensor charging", "binary_sensor smart_session"),
        *("event charging", "event session", "sensor charge_state", "sensor battery_level"),
        "switch smart_charging",
    }
)
"""Those that a car has enabled in a large fleet."""
LARGE_FLEET = 21
"""Users."""


def wrong_first_look(entities: Sequence[Entity], members: Collection[str] = ()) -> Iterator[str]:
    """Yield the entities that are disabled, hidden or in a category otherwise than they should be.

    `members` are the devices of a large fleet, without that of the account.
    """
    for entity in entities:
        name = f"{entity.domain} {entity.key}"
        is_left_out = entity.device_id in members and name not in ESSENTIAL
        for what, shown, expected in (
            ("disabled", not entity.enabled, entity.key in DISABLED or is_left_out),
            ("hidden", entity.hidden, name in HIDDEN),
        ):
            if shown is not expected:
                yield f"{entity.entity_id}: {what if shown else f'not {what}'}"
        if entity.category != (category := CATEGORIES.get(name)):
            yield f"{entity.entity_id}: {entity.category}, not {category}"
