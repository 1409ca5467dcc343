"""What is said to the API: at an idle poll, for a hundred rings, and between a POST and its event."""

import asyncio
from itertools import cycle
from statistics import median
import time

from .figures import Figures
from .stage import Account, Stage, delivery

_RINGS = 100
_RINGS_OVER = 3.0
"""Seconds after which nothing more follows from rings that came within one."""
_TRIPS = 3


async def measure_idle_polls(
    stage: Stage, figures: Figures, accounts: dict[str, Account], *, rounds: int
) -> None:
    """Poll while no car is plugged in: the calls that the simulator answered, the states written."""
    for name, account in accounts.items():
        await stage.ask("poll", entry_id=account.entry_id)
        calls, written = [], []
        for _ in range(rounds):
            last = await stage.last_request()
            await stage.ask("listen", event_type="state_changed")
            await stage.ask("poll", entry_id=account.entry_id)
            written.append(len(await stage.ask("heard")))
            calls.append(len(await stage.requests(last)))
        figures.add(f"idle_poll_calls_{name}", calls)
        figures.add(f"states_written_per_idle_poll_{name}", written)


async def measure_rings(stage: Stage, figures: Figures, account: Account, *, rounds: int) -> None:
    """Ring a hundred times for one user within a second, and count the calls that the simulator answered."""
    users, calls = cycle(account.users), []
    for _ in range(rounds):
        last, user_id = await stage.last_request(), next(users)
        began = time.monotonic()
        for _ in range(_RINGS):
            await stage.post(account.webhook_id, delivery(user_id), account.key)
        if time.monotonic() - began > 1:
            continue  # the machine was too slow for what is to be measured
        await asyncio.sleep(_RINGS_OVER)
        calls.append(len(await stage.requests(last)))
    if calls:
        figures.add(f"calls_per_{_RINGS}_rings", calls)


async def measure_events(
    stage: Stage, figures: Figures, account: Account, *, rounds: int, suffix: str = ""
) -> None:
    """Plug cars in and out, post a delivery for each, and wait for what is told of it.

    Beside it, the call of the user's cars with nothing around it, in the same session of the same process.
    """
    cars = {
        user["id"]: user["vehicles"][0]["id"]
        for user in (await stage.simulator.truth())["users"]
        if user["vehicles"] and user["vehicles"][0]["is_connected"]
    }
    users = [user_id for user_id in account.users if user_id in cars][: -(-rounds // 2)]
    took: list[float] = []
    trips: list[float] = []
    for act in (stage.simulator.plug, stage.simulator.unplug):
        for user_id in users:
            trips += await stage.ask(
                "round_trips", entry_id=account.entry_id, user_id=user_id, count=_TRIPS
            )
            await act(cars[user_id])
            await stage.ask("listen", event_type="jedlix_event")
            began = time.monotonic()
            await stage.post(account.webhook_id, delivery(user_id), account.key)
            took.append(await stage.ask("first_heard") - began)
    trip = median(trips)
    figures.add(f"event_vs_api_round_trip{suffix}", [seconds / trip for seconds in took])
    figures.add(f"event_ms{suffix}", [seconds * 1000 for seconds in took])
    figures.add(f"api_round_trip_ms{suffix}", [seconds * 1000 for seconds in trips])
