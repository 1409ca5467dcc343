"""Falsifications: the table of ways in which the integration could be wrong. Each must turn the run red."""

from collections.abc import Sequence

from .falsified_answers import FALSIFIED_ANSWERS
from .falsified_calls import FALSIFIED_CALLS
from .falsified_events import FALSIFIED_EVENTS
from .falsified_signals import FALSIFIED_SIGNALS
from .falsified_views import FALSIFIED_VIEWS
from .falsify import Falsification

FALSIFICATIONS: Sequence[Falsification] = (
    *FALSIFIED_EVENTS,
    *FALSIFIED_VIEWS,
    *FALSIFIED_CALLS,
    *FALSIFIED_ANSWERS,
    *FALSIFIED_SIGNALS,
)

SHORT: Sequence[Sequence[str]] = (
    (
        "event entities lack the details",
        "triggers are silent",
        "the payload is empty",
        "the calendar is empty",
        "the diagnostics have the secrets",
        "the battery level is wrong",
        "the push state is stuck",
    ),
    (
        "any key is accepted",
        "the source is always poll",
        "the order is reversed",
        "refreshes are three seconds late",
        "the statistics count double",
        "late is inverted",
        "no delivery is remembered",
    ),
)
"""Groups that are planted together in one run: each shows in a figure of its own."""
