"""Recorded session: what one charging session of one car adds to the database of a house."""

import asyncio
from pathlib import Path
import sqlite3

from ..simulator import Simulator
from .figures import Figures
from .testbed import Account, Testbed, start_testbed

POLL_MINUTES = 5
PLUGGED_IN_HOURS = 13
"""From the evening to the morning."""
_EVENING = 18
_ARRIVAL_LEVEL = 30
_COUNTERS_TIME = 1.2
"""Seconds after which the states that follow from a delivery are written."""


async def measure_recorded_session(folder: Path, figures: Figures, *, rounds: int) -> None:
    """Let a car charge for some nights, and measure by how much the database grows each time.

    A Home Assistant of its own follows one car, with all settings as they are by default. The simulator lets
    five minutes pass between two polls; meanwhile its car charges, and its deliveries arrive.
    """
    arguments = ("--users", "1", "--speed", "1", "--history-days", "8")
    async with start_testbed(folder, *arguments, with_recorder=True) as testbed:
        (user,) = await testbed.simulator.users()
        (car,) = user["vehicles"]
        car_id = car["id"]
        if car["plugged_in"]:
            await testbed.simulator.unplug(car_id)
        account = await testbed.add_account("house", [user["id"]])
        await testbed.subscribe_to_everything(account)
        await _charge(testbed, account, car_id)  # what is written once is no part of a session
        nights, calls = [], []
        for _ in range(rounds):
            before, last = await _sizes(testbed), await testbed.last_request()
            await _charge(testbed, account, car_id)
            after = await _sizes(testbed)
            nights.append({table: size - before[table] for table, size in after.items()})
            calls.append(len(await testbed.simulator.requests(last)))
    figures.add("recorder_kib_per_session", [sum(night.values()) for night in nights])
    for table in nights[0]:
        figures.add(f"recorder_kib_per_session_{table}", [night[table] for night in nights])
    figures.add("calls_per_session", calls)


async def _charge(testbed: Testbed, account: Account, car_id: str) -> None:
    """Plug a car in in the evening, let it charge when Jedlix wants, and unplug it in the morning."""
    simulator = testbed.simulator
    await simulator.telemetry(car_id, battery_level=_ARRIVAL_LEVEL)
    await simulator.clock(hour=_EVENING)
    delivered = await _wait_for_deliveries(simulator, 0)
    await simulator.plug(car_id)
    for _ in range(PLUGGED_IN_HOURS * 60 // POLL_MINUTES):
        await simulator.clock(advance_hours=POLL_MINUTES / 60)
        delivered = await _wait_for_deliveries(simulator, delivered)
        await testbed.ask("poll", entry_id=account.entry_id)
        await testbed.ask("pass_minutes", entry_id=account.entry_id, minutes=POLL_MINUTES)
    await simulator.unplug(car_id)
    await _wait_for_deliveries(simulator, delivered)
    await testbed.ask("poll", entry_id=account.entry_id)


async def _wait_for_deliveries(simulator: Simulator, last: int) -> int:
    """Wait until everything that follows from the deliveries since the last one is written, if there are any.

    In a house they are minutes apart, so each has its own states. Returns the number of the last.
    """
    deliveries = await simulator.deliveries(last)
    if deliveries:
        await asyncio.sleep(_COUNTERS_TIME)
    return max((int(item["n"]) for item in deliveries), default=last)


async def _sizes(testbed: Testbed) -> dict[str, float]:
    """Return how many KiB each table of events and states takes, with its indexes.

    Statistics are kept by the hour, not by the session, so they are no part of it.
    """
    await testbed.ask("clocks")  # waits until everything is written
    database = testbed.home.folder / "home-assistant_v2.db"
    with sqlite3.connect(database) as connection:
        rows = connection.execute(
            "SELECT tbl_name, SUM(pgsize - unused) FROM dbstat JOIN sqlite_schema USING (name)"
            " WHERE tbl_name IN ('events', 'event_data', 'states', 'state_attributes')"
            " GROUP BY tbl_name"
        ).fetchall()
    return {table: size / 1024 for table, size in rows}
