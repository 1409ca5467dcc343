"""Deliveries: what each costs, side by side with the peers, round by round."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from random import Random
from uuid import uuid4

from .figures import Figures
from .stage import BARE, Account, Stage, delivery

_SLEEP = (b'{"event": "sleep_tracking_started"}', b'{"event": "sleep_tracking_stopped"}')


@dataclass(frozen=True, slots=True, kw_only=True)
class _Door:
    """One kind of POST and the status that it must be answered with."""

    webhook_id: str
    body: Callable[[], bytes]
    status: int
    key: str = ""


async def measure_deliveries(
    stage: Stage,
    figures: Figures,
    *,
    one: Account,
    fleet: Account,
    sleep_webhook_id: str,
    rounds: int,
    posts: int,
) -> None:
    """Post to all doors in turn, in another order each round.

    Nobody follows the users of these deliveries: they are verified, remembered, told on the bus and by the
    event entity, and ring for nobody, since the peers ask no API either. What a ring adds is `ring`, where
    each delivery names another user of the fleet.
    """
    random = Random(1)
    sleep, followed = cycle(_SLEEP), cycle(fleet.users)

    def of_stranger() -> bytes:
        return delivery(str(uuid4()))

    def of_followed() -> bytes:
        return delivery(next(followed))

    doors = {
        "sleep": _Door(webhook_id=sleep_webhook_id, body=lambda: next(sleep), status=204),
        "bare": _Door(webhook_id=BARE, body=of_stranger, status=200),
        "one": _Door(webhook_id=one.webhook_id, key=one.key, body=of_stranger, status=200),
        "fleet": _Door(webhook_id=fleet.webhook_id, key=fleet.key, body=of_stranger, status=200),
        "refused": _Door(webhook_id=one.webhook_id, key="wrong", body=of_stranger, status=401),
        "ring": _Door(webhook_id=fleet.webhook_id, key=fleet.key, body=of_followed, status=200),
    }
    loop: defaultdict[str, list[float]] = defaultdict(list)
    process: defaultdict[str, list[float]] = defaultdict(list)
    for warm in (True, *(False,) * rounds):
        names = random.sample(list(doors), k=len(doors))
        for name in names:
            cost = await _cost(stage, doors[name], posts, rings=name == "ring")
            if not warm:
                loop[name].append(cost["loop"])
                process[name].append(cost["process"])

    def ratio(name: str, what: str, to: str) -> None:
        for suffix, times in (("", loop), ("_whole_process", process)):
            pairs = zip(times[what], times[to], strict=True)
            figures.add(name + suffix, [cost / peer for cost, peer in pairs])

    ratio("delivery_vs_sleep_as_android", "one", "sleep")
    ratio("delivery_vs_bare", "one", "bare")
    ratio("refused_vs_delivery", "refused", "one")
    ratio("delivery_1000_cars_vs_1", "fleet", "one")
    ratio("delivery_with_its_ring_vs_delivery", "ring", "fleet")
    for name, costs in loop.items():
        figures.add(f"post_us_{name}", [cost * 1e6 for cost in costs])


async def _cost(stage: Stage, door: _Door, posts: int, *, rings: bool) -> dict[str, float]:
    """Return the CPU seconds of one POST, of the event loop's thread and of the process."""
    bodies = [door.body() for _ in range(posts)]
    before = await stage.ask("clocks")
    for body in bodies:
        if (status := await stage.post(door.webhook_id, body, door.key)) != door.status:
            raise RuntimeError(f"a POST was answered {status}, not {door.status}")
    after = await stage.ask("looked" if rings else "clocks")
    return {name: (after[name] - before[name]) / posts for name in ("loop", "process")}

