"""Noise of the noisy mode: everything that a tolerant client must survive, and nothing else.

Ids and meaning stay right. What the documentation leaves open varies within one run: unknown keys, enum
values and event types, nulls, both styles of dates and of lists.
"""

from datetime import datetime
from random import Random
from typing import Any

from . import dates
from .model import JsonObject

_EVENT_TYPES = ("tariffsPublished", "fleetMoonPhaseChanged", "chargerDreamt")
_NULLABLE = ("version", "region", "area", "range", "cost", "savings", "energyKwh", "chargePower")


def _seven_digits(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06}0Z"


class Noise:
    """Random variation that repeats with the seed."""

    duplicate = 0.1
    delay = 0.02
    reorder = 0.1

    def __init__(self, seed: int) -> None:
        """Begin the series of this seed."""
        self._random = Random(f"{seed}/noise")

    def _happens(self, chance: float) -> bool:
        return self._random.random() < chance

    def style(self) -> dates.Style:
        """Return a style of dates for one answer. Seven digits, as .NET writes them, included."""
        return self._random.choice((dates.v1, dates.v2, _seven_digits))

    def as_page(self, *, is_page: bool, fits: bool) -> bool:
        """Return whether a list is answered as a page; a list that does not fit on one stays one."""
        return is_page if not fits else self._happens(0.5)

    def charge_state(self, state: str) -> str:
        """Return the state or, now and then, one that no client knows."""
        return "hibernating" if self._happens(0.05) else state

    def id_name(self, name: str) -> str:
        """Return the key under which an object carries its own id."""
        return name if self._happens(0.2) else "id"

    def event_type(self) -> str | None:
        """Return the name of an event that nobody knows, now and then."""
        return self._random.choice(_EVENT_TYPES) if self._happens(0.05) else None

    def message(self, message: JsonObject) -> JsonObject:
        """Vary a webhook message; the envelope keeps its meaning."""
        message = self._grown(message)
        if self._happens(0.3):
            message = {key: value for key, value in message.items() if key != "isTest"}
        return message

    def answer(self, value: Any) -> Any:
        """Vary a JSON answer in depth."""
        if isinstance(value, list):
            return [self.answer(item) for item in value]
        if not isinstance(value, dict):
            return value
        return self._grown({key: self._field(key, item) for key, item in value.items()})

    def _field(self, key: str, value: Any) -> Any:
        if key in _NULLABLE and self._happens(0.1):
            return None
        if key == "capabilities" and self._happens(0.3):
            return [*value, "teleportation"]
        if key == "chargeState" and isinstance(value, str) and self._happens(0.2):
            return value.capitalize()
        return self.answer(value)

    def _grown(self, value: JsonObject) -> JsonObject:
        if self._happens(0.3):
            value = {"xNoise": {"list": [1, None, "two"], "flag": True}, **value}
        if self._happens(0.1):
            value = {**value, "x-noise-date": "0001-01-01T00:00:00"}
        return value
