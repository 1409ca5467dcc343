"""First look: which entities a person finds enabled and visible when the account was just added."""

from collections.abc import Iterator, Sequence

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


def wrong_first_look(entities: Sequence[Entity]) -> Iterator[str]:
    """Yield the entities that are disabled or hidden and should not be, or the other way round."""
    for entity in entities:
        name = f"{entity.domain} {entity.key}"
        for what, shown, expected in (
            ("disabled", not entity.enabled, entity.key in DISABLED),
            ("hidden", entity.hidden, name in HIDDEN),
        ):
            if shown is not expected:
                yield f"{entity.entity_id}: {what if shown else f'not {what}'}"
