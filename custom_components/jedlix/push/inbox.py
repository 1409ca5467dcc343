"""Each delivery once: the ids that were seen, for as long as Jedlix may send them again. Pure."""

from collections import deque
from collections.abc import Mapping
from typing import Final

# Jedlix can replay a week of deliveries (documented); a day more allows for clocks that differ.
_MEMORY: Final = 8 * 86_400.0
_MOST: Final = 50_000


class Inbox:
    """The ids of deliveries, oldest first, with the time of arrival in seconds since the epoch."""

    def __init__(self, seen: Mapping[str, float] | None = None) -> None:
        """Begin with what was remembered."""
        self._seen = dict(seen or {})
        # a dict that loses its first key again and again takes ever longer to find the next
        self._in_order = deque(self._seen)

    def __len__(self) -> int:
        """Return how many deliveries are remembered."""
        return len(self._seen)

    def __contains__(self, delivery_id: str) -> bool:
        """Return whether a delivery is remembered."""
        return delivery_id in self._seen

    def add(self, delivery_id: str, now: float) -> bool:
        """Remember a delivery and return whether it is new."""
        if delivery_id in self._seen:
            return False
        self._seen[delivery_id] = now
        self._in_order.append(delivery_id)
        self._forget(now)
        return True

    def as_json(self) -> dict[str, int]:
        """Return what is to be remembered over a restart; whole seconds are enough. Safe in any thread."""
        return {key: int(arrived) for key, arrived in self._seen.copy().items()}

    def _forget(self, now: float) -> None:
        """Drop what is too old or too much."""
        while self._seen[self._in_order[0]] <= now - _MEMORY or len(self._seen) > _MOST:
            del self._seen[self._in_order.popleft()]
