"""Refreshes: API calls of an idle poll and of many deliveries, time to an event, cost of catching up."""

import asyncio
from itertools import cycle
from statistics import median
import time

from .figures import Figures
from .testbed import SESSION_STARTED, Account, Testbed, delivery, now

_DELIVERIES = 100
_REFRESH_TIME = 3.0
"""Seconds after which nothing more follows from deliveries that came within one."""
_ROUND_TRIPS = 3


async def measure_idle_polls(
    testbed: Testbed, figures: Figures, accounts: dict[str, Account], *, rounds: int
) -> None:
    """Poll while no car is plugged in: the calls that the simulator answered, the states written."""
    for name, account in accounts.items():
        await testbed.ask("poll", entry_id=account.entry_id)
        calls, written = [], []
        for _ in range(rounds):
            last = await testbed.last_request()
            await testbed.ask("listen", event_type="state_changed")
            await testbed.ask("poll", entry_id=account.entry_id)
            written.append(len(await testbed.ask("event_times")))
            calls.append(len(await testbed.simulator.requests(last)))
        figures.add(f"idle_poll_calls_{name}", calls)
        figures.add(f"states_written_per_idle_poll_{name}", written)


async def measure_hours(
    testbed: Testbed, figures: Figures, account: Account, *, plugged_in: int, name: str
) -> None:
    """Poll for an hour while cars are plugged in and push does not report it; count the calls."""
    chosen = set(account.users[:plugged_in])
    cars = [
        car["id"]
        for user in await testbed.simulator.users()
        if user["id"] in chosen
        for car in user["vehicles"]
    ]
    for car in cars:
        await testbed.simulator.plug(car)
    await testbed.ask("poll", entry_id=account.entry_id)
    last = await testbed.last_request()
    await testbed.ask("hour_of_polls", entry_id=account.entry_id)
    figures.add(f"calls_per_hour_plugged_in_{name}", [len(await testbed.simulator.requests(last))])
    for car in cars:
        await testbed.simulator.unplug(car)
    await testbed.ask("poll", entry_id=account.entry_id)


async def measure_requests(
    testbed: Testbed, figures: Figures, account: Account, *, rounds: int
) -> None:
    """Deliver a hundred times about one user within a second, and count the calls that follow."""
    users, calls = cycle(account.users), []
    for _ in range(rounds):
        last, user_id = await testbed.last_request(), next(users)
        began = time.monotonic()
        for _ in range(_DELIVERIES):
            await testbed.post(account.webhook_id, delivery(user_id), account.key)
        if time.monotonic() - began > 1:
            continue  # the machine is too slow to measure this
        await asyncio.sleep(_REFRESH_TIME)
        calls.append(len(await testbed.simulator.requests(last)))
    if calls:
        figures.add(f"calls_per_{_DELIVERIES}_requests", calls)


async def measure_events(
    testbed: Testbed, figures: Figures, account: Account, *, rounds: int, suffix: str = ""
) -> None:
    """Plug cars in and out, post a delivery for each, and wait for the event.

    It is compared with the plain call of the user's cars, in the same session of the same process.
    """
    cars = {
        user["id"]: user["vehicles"][0]["id"]
        for user in await testbed.simulator.users()
        if user["vehicles"] and user["vehicles"][0]["is_connected"]
    }
    users = [user_id for user_id in account.users if user_id in cars][: -(-rounds // 2)]
    took: list[float] = []
    trips: list[float] = []
    for act in (testbed.simulator.plug, testbed.simulator.unplug):
        for user_id in users:
            trips += await testbed.ask(
                "round_trips", entry_id=account.entry_id, user_id=user_id, count=_ROUND_TRIPS
            )
            await act(cars[user_id])
            await testbed.ask("listen", event_type="jedlix_event")
            began = time.monotonic()
            await testbed.post(account.webhook_id, delivery(user_id), account.key)
            took.append(await testbed.ask("first_event") - began)
    trip = median(trips)
    figures.add(f"event_vs_api_round_trip{suffix}", [seconds / trip for seconds in took])
    figures.add(f"event_ms{suffix}", [seconds * 1000 for seconds in took])
    figures.add(f"api_round_trip_ms{suffix}", [seconds * 1000 for seconds in trips])


async def measure_catch_up(
    testbed: Testbed, figures: Figures, account: Account, *, missed: int, rounds: int
) -> None:
    """Drop deliveries, then catch up; this is compared with reading the same pages as plain JSON.

    Every other time it is watched for how long the event loop is blocked.
    """
    costs, plain, blocked = [], [], []
    for number in range(rounds):
        since = now()
        await asyncio.sleep(0.01)
        await testbed.simulator.deliver(account.users[0], SESSION_STARTED, missed)
        span = {"entry_id": account.entry_id, "since": since}
        read = await testbed.ask("read_history", **span, until=now())
        is_watched = number % 2 == 1
        cost = await testbed.ask("catch_up", **span, watched=is_watched)
        if is_watched:
            blocked.append(cost["blocked"] * 1000)
        else:
            plain.append(read)
            costs.append(cost)
    pairs = list(zip(costs, plain, strict=True))
    figures.add("catch_up_per_s", [missed / cost["time"] for cost in costs])
    figures.add("catch_up_vs_json", [a["process"] / b["with_fetching"] for a, b in pairs])
    figures.add("catch_up_vs_json_in_memory", [a["process"] / b["process"] for a, b in pairs])
    figures.add("catch_up_us_per_delivery", [cost["process"] / missed * 1e6 for cost in costs])
    figures.add("loop_blocked_ms_catch_up", blocked)
