"""A world of the chaos run in which nothing has happened; a test replaces what it is about."""

from typing import Final

from harness.chaos.truth import Truth

EMPTY: Final = Truth(
    mode="default",
    users=[],
    cars={},
    journal=[],
    sessions={},
    sessions_of={},
    reports_of={},
    deliveries=[],
    sent=(),
    calls=(),
    tokens=(),
)
