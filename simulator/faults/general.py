"""General faults: deliveries that are lost or altered, errors of the API, outages, by chance or always."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from random import Random
from typing import Any

ACTIONS = {
    "token_expiry": "All access tokens end now.",
    "subscriptions_gone": "All webhook subscriptions are deleted now.",
    "subscriptions_inactive": "All webhook subscriptions are switched off now.",
}
"""Faults that happen once, when they are set to true."""

_CHANCE = "probability, 0 to 1"


def _described(unit: str, sentence: str) -> dict[str, str]:
    return {"unit": unit, "sentence": sentence}


def _fault(default: Any, unit: str, sentence: str) -> Any:
    return field(default=default, metadata=_described(unit, sentence))


@dataclass(slots=True, kw_only=True)
class Faults:
    """The general faults in force. Everything off is the default."""

    drop: float = _fault(0.0, _CHANCE, "A delivery is never sent.")
    duplicate: float = _fault(0.0, _CHANCE, "A delivery is sent twice.")
    delay: float = _fault(0.0, _CHANCE, "A delivery is sent later, by up to delay_seconds.")
    delay_seconds: float = _fault(5.0, "s", "The longest delay of a delivery.")
    reorder: float = _fault(0.0, _CHANCE, "A delivery comes after later ones.")
    wrong_key: float = _fault(
        0.0, _CHANCE, "A delivery or a test message carries a wrong webhook key."
    )
    api_500: float = _fault(
        0.0, _CHANCE, "A call is answered with 500, the token address included."
    )
    api_429: float = _fault(
        0.0, _CHANCE, "A call is answered with 429, the token address included."
    )
    retry_after: int = _fault(5, "s", "The Retry-After header of those 429.")
    api_slow_seconds: float = _fault(0.0, "s", "Each call takes so much longer.")
    outage_seconds: float = _fault(0.0, "s", "The API is away from now on for so long.")
    outage_how: str = _fault(
        "503", "", "How it is away: `503`, or `refuse` to cut the connection without an answer."
    )
    clock_skew_seconds: float = _fault(
        0.0, "s", "Jedlix's clock is ahead by so much, or behind where negative."
    )
    subscription_status: int = _fault(
        0, "status", "Registrations get this status after a good test message; 0: normal."
    )
    subscription_limit: int = _fault(
        0,
        "",
        "So many subscriptions are allowed, one more is answered with 409; 0: the mode's limit.",
    )
    spelling: str = _fault(
        "camelCase", "", "How reported event types are spelled: `camelCase` or `PascalCase`."
    )
    refused_event_types: list[str] = field(
        default_factory=list,
        metadata=_described("names", "These event types are refused with 400."),
    )
    absent: list[str] = field(
        default_factory=list, metadata=_described("names", "These endpoints are answered with 404.")
    )
    forbidden: list[str] = field(
        default_factory=list, metadata=_described("names", "These endpoints are answered with 403.")
    )

    def merge(self, changes: Mapping[str, Any]) -> None:
        """Take over some faults. Raises ValueError in words, and then changes nothing."""
        for name, value in self.checked(changes).items():
            setattr(self, name, value)

    def checked(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Return the changes as they would be taken over. Raises ValueError in words."""
        known = {item.name: item for item in fields(self)}
        defaults = Faults()
        checked: dict[str, Any] = {}
        for name, value in changes.items():
            if name not in known:
                raise ValueError(f"There is no fault {name!r}. Known: {', '.join(sorted(known))}")
            wanted = type(getattr(defaults, name))
            if wanted is float and type(value) in {int, float}:
                value = float(value)  # noqa: PLW2901
            if type(value) is not wanted:
                raise ValueError(f"{name} must be a {wanted.__name__}, not {value!r}")
            if known[name].metadata["unit"] == _CHANCE and not 0 <= value <= 1:
                raise ValueError(f"{name} is a probability from 0 to 1, not {value}")
            if name.endswith(("_seconds", "_after")) and name != "clock_skew_seconds" and value < 0:
                raise ValueError(f"{name} cannot be negative")
            checked[name] = value
        if checked.get("outage_how", "503") not in {"503", "refuse"}:
            raise ValueError("outage_how is '503' or 'refuse'")
        if checked.get("spelling", "camelCase") not in {"camelCase", "PascalCase"}:
            raise ValueError("spelling is 'camelCase' or 'PascalCase'")
        if checked.get("subscription_limit", 0) < 0:
            raise ValueError("subscription_limit cannot be negative")
        return checked

    def clear(self) -> None:
        """Switch everything off."""
        self.merge(asdict(Faults()))

    def as_json(self) -> dict[str, Any]:
        """Return all faults by name."""
        return asdict(self)


def describe() -> list[dict[str, Any]]:
    """Return name, unit, sentence and default of each general fault, for the page and the help."""
    defaults = Faults().as_json()
    return [
        {"name": item.name, **item.metadata, "default": defaults[item.name]}
        for item in fields(Faults)
    ]


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
