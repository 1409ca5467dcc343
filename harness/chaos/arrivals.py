"""Arrivals: from when on a delivery about a user was certainly there."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
import math
from operator import attrgetter

from .timeline import Timeline
from .truth import Sent


@dataclass(frozen=True, slots=True)
class Deliveries:
    """When each delivery may have arrived first, and when it was sent or accepted; by user, in order."""

    by_user: Mapping[str, Sequence[tuple[float, float]]]

    @classmethod
    def of(cls, sent: Iterable[Sent], arrived: Mapping[str, float] | None = None) -> Deliveries:
        """Read these; `arrived` is when each may have arrived first, by its id."""
        found: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
        for item in sent:
            first = (arrived or {}).get(item.delivery_id, item.at)
            found[item.user_id].append((first, item.at))
        return cls({user: sorted(times) for user, times in found.items()})

    @classmethod
    def accepted(cls, sent: Iterable[Sent], timeline: Timeline, *, naming: str = "") -> Deliveries:
        """Read those that were answered 200 while our entry was set up, and whose type contains `naming`.

        One that arrives again says nothing new. Without an answer, nobody knows whether it had arrived.
        """
        arrived: dict[str, float] = {}
        accepted: dict[str, Sent] = {}
        for item in sorted(sent, key=attrgetter("at")):
            if naming in item.event_type and item.status in {200, None} and timeline.is_up(item.at):
                arrived.setdefault(item.delivery_id, item.at)
                if item.status == 200:
                    accepted.setdefault(item.delivery_id, item)
        return cls.of(accepted.values(), arrived)

    def first(self, user_id: str, since: float) -> float:
        """Return when the first one about a user was sent from a moment on; inf if none was."""
        times = self.by_user.get(user_id, ())
        place = bisect_left(times, (since, -math.inf))
        return min((at for _, at in times[place:]), default=math.inf)
