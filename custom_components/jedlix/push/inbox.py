"""Inbox: the ids of deliveries that were seen, for as long as Jedlix may send them again. Pure."""

from collections import deque
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

# Jedlix can replay a week of deliveries (documented). A day more allows for clocks that differ.
SECONDS_REMEMBERED: Final = 8 * 86_400.0
MAX_DELIVERIES: Final = 50_000
# A longer id is remembered by its hash, so that the file stays small.
MAX_ID_LENGTH: Final = 64


class Inbox:
    """The ids of deliveries, oldest first, with the time of arrival in seconds since the epoch."""

    def __init__(self, seen: Mapping[str, float] | None = None) -> None:
        """Start with what was remembered."""
        self._arrivals = {_short(key): arrived for key, arrived in (seen or {}).items()}
        # A dict that loses its first key again and again takes ever longer to find the next.
        self._in_order = deque(self._arrivals)

    def __len__(self) -> int:
        """Return how many deliveries are remembered."""
        return len(self._arrivals)

    def __contains__(self, delivery_id: str) -> bool:
        """Return whether a delivery is remembered."""
        return _short(delivery_id) in self._arrivals

    def add(self, delivery_id: str, now: float) -> bool:
        """Remember a delivery and return whether it is new."""
        delivery_id = _short(delivery_id)
        if delivery_id in self._arrivals:
            return False
        self._arrivals[delivery_id] = now
        self._in_order.append(delivery_id)
        self._forget_oldest(now)
        return True

    def as_json(self) -> dict[str, int]:
        """Return what is remembered over a restart; whole seconds are enough. Safe in any thread."""
        return {key: int(arrived) for key, arrived in self._arrivals.copy().items()}

    def _forget_oldest(self, now: float) -> None:
        """Forget deliveries that are too old, or too many."""
        while (
            self._arrivals[self._in_order[0]] <= now - SECONDS_REMEMBERED
            or len(self._arrivals) > MAX_DELIVERIES
        ):
            del self._arrivals[self._in_order.popleft()]


def _short(delivery_id: str) -> str:
    if len(delivery_id) <= MAX_ID_LENGTH:
        return delivery_id
    return sha256(delivery_id.encode("utf-8", "surrogatepass")).hexdigest()
