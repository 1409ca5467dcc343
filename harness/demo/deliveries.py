"""Deliveries: what the simulator sent, and when each one left."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from ..simulator import Simulator


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event as the simulator sent it. `attempts` are the times at which it left, in seconds.

    The same event can leave more than once: twice in noisy mode, again after a failure, and to each
    subscription that it concerns.
    """

    event_type: str
    attempts: tuple[float, ...]

    def left_at(self, before: float) -> float:
        """Return when the last attempt before `before` left."""
        return max((at for at in self.attempts if at <= before), default=min(self.attempts))


class Deliveries:
    """The deliveries since the demo began."""

    def __init__(self, simulator: Simulator) -> None:
        """Begin without any delivery."""
        self._simulator = simulator
        self._known: dict[str, Delivery] = {}
        self._after = 0

    async def skip_earlier(self) -> None:
        """Leave out what was sent until now."""
        numbers = [int(sent["n"]) for sent in await self._simulator.deliveries()]
        self._after = max(numbers, default=0)

    async def tested_types(self) -> set[str]:
        """Return the event types that were tested since the demo began, and so are subscribed."""
        return await self._simulator.tested_types(self._after)

    async def find(self, event_id: str) -> Delivery | None:
        """Return the delivery with this id; None if the simulator knows none."""
        if event_id not in self._known:
            await self.refresh()
        return self._known.get(event_id)

    async def refresh(self) -> None:
        """Read the log again, with the attempts made meanwhile."""
        sent_by_id: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for sent in await self._simulator.deliveries(self._after):
            sent_by_id[str(sent["id"])].append(sent)
        self._known = {event_id: _read(sent) for event_id, sent in sent_by_id.items()}


def _read(sent: list[dict[str, Any]]) -> Delivery:
    left = [float(attempt["at"]) for one in sent for attempt in one["attempts"]]
    return Delivery(
        event_type=str(sent[0]["event_type"]),
        # An attempt that is still under way is not in the log yet.
        attempts=tuple(left) or (float(sent[0]["created_at"]),),
    )
