"""Deliveries: what each costs, compared with the peers round by round."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from random import Random
from uuid import uuid4

import orjson

from .figures import Figures
from .testbed import BARE, EMPTY, Account, BenchFailed, Testbed, delivery

_ALARMS = (
    *("alarm_rescheduled", "alarm_skip_next", "alarm_snooze_canceled", "alarm_snooze_clicked"),
    "show_skip_next_alarm",
)
"""What Sleep as Android sends with the time and the label of an alarm."""
_NIGHT = (
    *("sleep_tracking_started", "sleep_tracking_paused", "sleep_tracking_resumed"),
    *("sleep_tracking_stopped", "alarm_alert_start", "alarm_alert_dismiss", "alarm_wake_up_check"),
    *("before_smart_period", "smart_period", "time_to_bed_alarm_alert"),
    *("awake", "deep_sleep", "light_sleep", "not_awake", "rem"),
    *("sound_event_baby", "sound_event_cough", "sound_event_laugh", "sound_event_snore"),
    *("sound_event_talk", "lullaby_start", "lullaby_stop", "lullaby_volume_down"),
    *("antisnoring", "apnea_alarm"),
)
"""What it sends with nothing else."""
_POSTS_AT_A_TIME = 2 * (len(_ALARMS) + len(_NIGHT))
"""The POSTs to each webhook at a time: two nights of Sleep as Android."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Webhook:
    """One kind of POST, and the status that it must be answered with."""

    webhook_id: str
    bodies: Iterator[bytes]
    status: int = 200
    key: str = ""


async def measure_deliveries(
    testbed: Testbed,
    figures: Figures,
    *,
    one: Account,
    fleet: Account,
    sleep_webhook_id: str,
    rounds: int,
    repeats: int,
    suffix: str = "",
) -> None:
    """Post to all webhooks one after the other, several times a round, each time in another order.

    Nobody follows the users of these deliveries. They are verified, remembered, and published on the bus
    and by the event entity, but nobody is refreshed, since the peers call no API either. In `refresh` each
    delivery names another user of the fleet, who is refreshed.
    """
    random = Random(1)
    not_followed = iter(lambda: delivery(str(uuid4())), None)
    followed = (delivery(user_id) for user_id in cycle(fleet.users))
    night = cycle(_night())
    webhooks = {
        "sleep": _Webhook(webhook_id=sleep_webhook_id, bodies=night, status=204),
        "empty": _Webhook(webhook_id=EMPTY, bodies=night),
        "bare": _Webhook(webhook_id=BARE, bodies=not_followed),
        "one": _Webhook(webhook_id=one.webhook_id, key=one.key, bodies=not_followed),
        "fleet": _Webhook(webhook_id=fleet.webhook_id, key=fleet.key, bodies=not_followed),
        "refused": _Webhook(
            webhook_id=one.webhook_id, key="wrong", bodies=not_followed, status=401
        ),
        "refresh": _Webhook(webhook_id=fleet.webhook_id, key=fleet.key, bodies=followed),
    }
    costs: defaultdict[str, list[float]] = defaultdict(list)
    for is_warm in (False, *(True,) * rounds):
        spent = dict.fromkeys(webhooks, 0.0)
        for _ in range(repeats):
            for name in random.sample(list(webhooks), k=len(webhooks)):
                spent[name] += await _cost(testbed, webhooks[name])
        if is_warm:
            for name, cost in spent.items():
                costs[name].append(cost / repeats)

    def ratio(name: str, what: str, to: str, floor: str | None = None) -> None:
        floors = [0.0] * rounds if floor is None else costs[floor]
        costs_and_floors = zip(costs[what], costs[to], floors, strict=True)
        figures.add(
            name + suffix,
            [(cost - least) / (peer - least) for cost, peer, least in costs_and_floors],
        )

    ratio("delivery_above_floor_vs_peer", "one", "sleep", "empty")
    ratio("refused_vs_empty", "refused", "empty")
    ratio("bare_above_floor_vs_peer", "bare", "sleep", "empty")
    ratio(f"delivery_{len(fleet.users)}_cars_vs_1", "fleet", "one")
    ratio("delivery_and_refresh_vs_delivery", "refresh", "fleet")
    for name in webhooks:
        figures.add(f"post_us_{name}{suffix}", [cost * 1e6 for cost in costs[name]])


def _night() -> Iterator[bytes]:
    """Yield each message of the app once, as the app sends it."""
    for event in _NIGHT:
        yield orjson.dumps({"event": event})
    for hour, event in enumerate(_ALARMS):
        at = str(1_795_500_000_000 + hour * 3_600_000)
        yield orjson.dumps({"event": event, "value1": at, "value2": "Work"})


async def _cost(testbed: Testbed, webhook: _Webhook) -> float:
    """Return the CPU seconds of the process for one POST and everything that follows from it."""
    bodies = [next(webhook.bodies) for _ in range(_POSTS_AT_A_TIME)]
    before = await testbed.ask("clocks")
    for body in bodies:
        if (status := await testbed.post(webhook.webhook_id, body, webhook.key)) != webhook.status:
            raise BenchFailed(f"a POST was answered {status}, not {webhook.status}")
    after = await testbed.ask("clocks")
    return float(after["process"] - before["process"]) / _POSTS_AT_A_TIME
