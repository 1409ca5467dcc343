"""What goes wrong on purpose: lost and twisted deliveries, errors of the API, outages."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from random import Random
from typing import Any

CHANCES = ("drop", "duplicate", "delay", "reorder", "wrong_key", "api_500", "api_429")
"""Faults that are a probability from 0 to 1."""
ACTIONS = ("token_expiry", "subscriptions_gone", "subscriptions_inactive")
"""Faults that happen once, when they are set to true."""


@dataclass(slots=True, kw_only=True)
class Faults:
    """The faults in force. Everything off is the default.

    drop, duplicate, delay, reorder and wrong_key strike deliveries (wrong_key also the test message);
    api_500 and api_429 strike API calls, the token endpoint included.
    """

    drop: float = 0.0
    duplicate: float = 0.0
    delay: float = 0.0
    delay_seconds: float = 5.0
    reorder: float = 0.0
    wrong_key: float = 0.0
    api_500: float = 0.0
    api_429: float = 0.0
    retry_after: int = 5
    api_slow_seconds: float = 0.0
    """Seconds that each API call takes longer."""
    outage_seconds: float = 0.0
    """When set, the API is away from now on for so many seconds."""
    outage_how: str = "503"
    """`503`, or `refuse`: the connection is cut without an answer."""
    clock_skew_seconds: float = 0.0
    """How far Jedlix's clock is ahead."""
    subscription_status: int = 0
    """Status with which registrations are answered after a test message that went well; 0: normal."""
    absent: list[str] = field(default_factory=list)
    """Names of endpoints (see GET /control/endpoints) that are answered with 404."""
    forbidden: list[str] = field(default_factory=list)
    """Names of endpoints that are answered with 403."""

    def merge(self, changes: Mapping[str, Any]) -> None:
        """Take over some faults. Raises ValueError in words, and then changes nothing."""
        known = {item.name: type(getattr(Faults(), item.name)) for item in fields(self)}
        checked: dict[str, Any] = {}
        for name, value in changes.items():
            if name not in known:
                raise ValueError(f"There is no fault {name!r}. Known: {', '.join(sorted(known))}")
            if known[name] is float and type(value) in {int, float}:
                value = float(value)  # noqa: PLW2901
            if type(value) is not known[name]:
                raise ValueError(f"{name} must be a {known[name].__name__}, not {value!r}")
            if name in CHANCES and not 0 <= value <= 1:
                raise ValueError(f"{name} is a probability from 0 to 1, not {value}")
            if name.endswith(("_seconds", "_after")) and name != "clock_skew_seconds" and value < 0:
                raise ValueError(f"{name} cannot be negative")
            checked[name] = value
        if checked.get("outage_how", "503") not in {"503", "refuse"}:
            raise ValueError("outage_how is '503' or 'refuse'")
        for name, value in checked.items():
            setattr(self, name, value)

    def clear(self) -> None:
        """Switch everything off."""
        self.merge(asdict(Faults()))

    def as_json(self) -> dict[str, Any]:
        """Return all faults by name."""
        return asdict(self)


class Dice:
    """Random events that repeat with the seed."""

    def __init__(self, seed: int) -> None:
        """Begin the series of this seed."""
        self._random = Random(f"{seed}/faults")

    def happens(self, chance: float) -> bool:
        """Return true with this probability; a chance of 0 does not disturb the series."""
        return chance > 0 and self._random.random() < chance

    def between(self, low: float, high: float) -> float:
        """Return a number in the range."""
        return self._random.uniform(low, high)
