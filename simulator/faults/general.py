"""General faults: deliveries that are lost or altered, errors of the API, outages, by chance or always."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import partial
from random import Random
from typing import Any

from .parameters import DAY, YEAR, Choice, NameList, Names, Number, Parameter

ACTIONS = {
    "token_expiry": "All access tokens end now.",
    "subscriptions_gone": "All webhook subscriptions are deleted now.",
    "subscriptions_inactive": "All webhook subscriptions are switched off now.",
}
"""Faults that happen once, when they are set to true."""


def _fault(make: Callable[..., Parameter], **options: Any) -> Any:
    """Return the field of a fault, with its parameter, which gets its name below."""
    parameter = make(name="", **options)
    return field(default_factory=lambda: parameter.default, metadata={"parameter": parameter})


_chance = partial(_fault, Number, unit="probability, 0 to 1", low=0, high=1, value=0.0)
_seconds = partial(_fault, Number, unit="s", low=0, high=YEAR)
_names = partial(_fault, NameList, unit="names")


@dataclass(slots=True, kw_only=True)
class Faults:
    """The general faults in force. Everything off is the default."""

    drop: float = _chance(sentence="A delivery is never sent.")
    duplicate: float = _chance(sentence="A delivery is sent twice.")
    delay: float = _chance(sentence="A delivery is sent later, by up to delay_seconds.")
    delay_seconds: float = _seconds(sentence="The longest delay of a delivery.", value=5.0)
    reorder: float = _chance(sentence="A delivery comes after later ones.")
    wrong_key: float = _chance(sentence="A delivery or a test message carries a wrong webhook key.")
    api_500: float = _chance(sentence="A call is answered with 500, the token address included.")
    api_429: float = _chance(sentence="A call is answered with 429, the token address included.")
    retry_after: int = _seconds(
        sentence="The Retry-After header of those 429.", value=5, whole=True
    )
    api_slow_seconds: float = _seconds(
        sentence="Each call takes so much longer.", value=0.0, high=DAY
    )
    outage_seconds: float = _seconds(sentence="The API is away from now on for so long.", value=0.0)
    outage_how: str = _fault(
        Choice,
        sentence="How it is away: `503`, or `refuse` to cut the connection without an answer.",
        options=("503", "refuse"),
    )
    clock_skew_seconds: float = _seconds(
        sentence="Jedlix's clock is ahead by so much, or behind where negative.",
        value=0.0,
        low=-YEAR,
    )
    subscription_status: int = _fault(
        Number,
        unit="HTTP status",
        sentence="Registrations get this status after a good test message; 0: normal.",
        low=0,
        high=599,
        value=0,
        whole=True,
    )
    subscription_limit: int = _fault(
        Number,
        unit="subscriptions",
        sentence="So many are allowed, one more is answered with 409; 0: the mode's limit.",
        low=0,
        high=1_000_000,
        value=0,
        whole=True,
    )
    spelling: str = _fault(
        Choice,
        sentence="How reported event types are spelled.",
        options=("camelCase", "PascalCase"),
    )
    refused_event_types: list[str] = _names(  # noqa: RUF009  it is a field
        sentence="These event types are refused with 400.", kind="event type"
    )
    absent: list[str] = _names(  # noqa: RUF009  it is a field
        sentence="These endpoints are answered with 404.", kind="endpoint"
    )
    forbidden: list[str] = _names(  # noqa: RUF009  it is a field
        sentence="These endpoints are answered with 403.", kind="endpoint"
    )

    def merge(self, changes: Mapping[str, object], names: Names) -> None:
        """Take over some faults. Raises ValueError in words, and then changes nothing."""
        for name in changes:
            if name not in PARAMETERS:
                raise ValueError(
                    f"{name}: there is no such general fault. Known: {', '.join(sorted(PARAMETERS))}. "
                    "An aimed fault begins with its kind: GET /control/faults/kinds lists them"
                )
        values = {name: PARAMETERS[name].read(value, names) for name, value in changes.items()}
        for name, value in values.items():
            setattr(self, name, value)

    def clear(self) -> None:
        """Switch everything off."""
        for name, value in asdict(Faults()).items():
            setattr(self, name, value)

    def as_json(self) -> dict[str, Any]:
        """Return all faults by name."""
        return asdict(self)


PARAMETERS: dict[str, Parameter] = {
    item.name: replace(item.metadata["parameter"], name=item.name) for item in fields(Faults)
}
"""The general faults by name, with units, sentences, limits and defaults."""


class Chance:
    """Random events that repeat with the seed."""

    def __init__(self, seed: int) -> None:
        """Begin the series of this seed."""
        self._random = Random(f"{seed}/faults")

    def happens(self, probability: float) -> bool:
        """Return true with this probability; one of 0 does not disturb the series."""
        return probability > 0 and self._random.random() < probability

    def between(self, low: float, high: float) -> float:
        """Return a number in the range."""
        return self._random.uniform(low, high)
