"""Deliveries: what each costs, side by side with the peers, round by round."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from random import Random
from uuid import uuid4

import orjson

from .figures import Figures
from .stage import BARE, EMPTY, Account, BenchFailed, Stage, delivery

_ALARMS = (
    *("alarm_rescheduled", "alarm_skip_next", "alarm_snooze_canceled", "alarm_snooze_clicked"),
    "show_skip_next_alarm",
)
"""What Sleep as Android says of an alarm with its time and label."""
_NIGHT = (
    *("sleep_tracking_started", "sleep_tracking_paused", "sleep_tracking_resumed"),
    *("sleep_tracking_stopped", "alarm_alert_start", "alarm_alert_dismiss", "alarm_wake_up_check"),
    *("before_smart_period", "smart_period", "time_to_bed_alarm_alert"),
    *("awake", "deep_sleep", "light_sleep", "not_awake", "rem"),
    *("sound_event_baby", "sound_event_cough", "sound_event_laugh", "sound_event_snore"),
    *("sound_event_talk", "lullaby_start", "lullaby_stop", "lullaby_volume_down"),
    *("antisnoring", "apnea_alarm"),
)
"""What it says of everything else."""
_POSTS = 2 * (len(_ALARMS) + len(_NIGHT))
"""Two nights of Sleep as Android: so many POSTs to each door at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Door:
    """One kind of POST and the status that it must be answered with."""

    webhook_id: str
    bodies: Iterator[bytes]
    status: int = 200
    key: str = ""


async def measure_deliveries(
    stage: Stage,
    figures: Figures,
    *,
    one: Account,
    fleet: Account,
    sleep_webhook_id: str,
    rounds: int,
    turns: int,
    suffix: str = "",
) -> None:
    """Post to all doors in turn, some turns a round, each in another order.

    Nobody follows the users of these deliveries: they are verified, remembered, told on the bus and by the
    event entity, and ring for nobody, since the peers ask no API either. What a ring adds is `ring`, where
    each delivery names another user of the fleet.
    """
    random = Random(1)
    strangers = iter(lambda: delivery(str(uuid4())), None)
    followed = (delivery(user_id) for user_id in cycle(fleet.users))
    night = cycle(_night())
    doors = {
        "sleep": _Door(webhook_id=sleep_webhook_id, bodies=night, status=204),
        "empty": _Door(webhook_id=EMPTY, bodies=night),
        "bare": _Door(webhook_id=BARE, bodies=strangers),
        "one": _Door(webhook_id=one.webhook_id, key=one.key, bodies=strangers),
        "fleet": _Door(webhook_id=fleet.webhook_id, key=fleet.key, bodies=strangers),
        "refused": _Door(webhook_id=one.webhook_id, key="wrong", bodies=strangers, status=401),
        "ring": _Door(webhook_id=fleet.webhook_id, key=fleet.key, bodies=followed),
    }
    costs: defaultdict[str, list[float]] = defaultdict(list)
    for is_warm in (False, *(True,) * rounds):
        spent = dict.fromkeys(doors, 0.0)
        for _ in range(turns):
            for name in random.sample(list(doors), k=len(doors)):
                spent[name] += await _cost(stage, doors[name])
        if is_warm:
            for name, cost in spent.items():
                costs[name].append(cost / turns)

    def ratio(name: str, what: str, to: str) -> None:
        pairs = zip(costs[what], costs[to], strict=True)
        figures.add(name + suffix, [cost / peer for cost, peer in pairs])

    ratio("delivery_vs_sleep_as_android", "one", "sleep")
    ratio("empty_vs_sleep_as_android", "empty", "sleep")
    ratio("delivery_vs_bare", "one", "bare")
    ratio("refused_vs_delivery", "refused", "one")
    ratio(f"delivery_{len(fleet.users)}_cars_vs_1", "fleet", "one")
    ratio("delivery_with_its_ring_vs_delivery", "ring", "fleet")
    for name in doors:
        figures.add(f"post_us_{name}{suffix}", [cost * 1e6 for cost in costs[name]])


def _night() -> Iterator[bytes]:
    """Yield each message of the app once, as the app writes it."""
    for event in _NIGHT:
        yield orjson.dumps({"event": event})
    for hour, event in enumerate(_ALARMS):
        at = str(1_795_500_000_000 + hour * 3_600_000)
        yield orjson.dumps({"event": event, "value1": at, "value2": "Work"})


async def _cost(stage: Stage, door: _Door) -> float:
    """Return the CPU seconds of the process for one POST and all that follows from it."""
    bodies = [next(door.bodies) for _ in range(_POSTS)]
    before = await stage.ask("clocks")
    for body in bodies:
        if (status := await stage.post(door.webhook_id, body, door.key)) != door.status:
            raise BenchFailed(f"a POST was answered {status}, not {door.status}")
    after = await stage.ask("clocks")
    return float(after["process"] - before["process"]) / _POSTS
