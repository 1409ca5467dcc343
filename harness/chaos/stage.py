"""Sets the stage: the integration added as a person would, all event types subscribed, polls each minute."""

import asyncio
import time

from ..flows import FlowFailed, add_jedlix, set_options
from ..home import Home
from ..process import ProcessFailed
from ..simulator import Simulator

PATIENCE = 120.0


async def set_up(home: Home, simulator: Simulator) -> None:
    """Follow all users of the simulator; raises `FlowFailed` when it does not come up."""
    info, truth = await simulator.info(), await simulator.truth()
    event_types = [*info["documented_event_types"], *info["own_event_types"]]
    entry_id = await add_jedlix(home.api, info, [user["id"] for user in truth["users"]])
    await set_options(home.api, entry_id, event_types=event_types, poll_minutes=1)
    deadline = time.monotonic() + PATIENCE
    while True:
        deliveries = await simulator.deliveries()
        tested = {item["event_type"] for item in deliveries if item["is_test"]}
        if tested >= set(event_types) and await is_loaded(home):
            return
        if time.monotonic() > deadline:
            missing = ", ".join(sorted(set(event_types) - tested)) or "none"
            raise FlowFailed(f"the integration did not come up; not subscribed: {missing}")
        await asyncio.sleep(0.2)


async def until_loaded(home: Home) -> None:
    """Wait until the entry is set up; raises `ProcessFailed` when it is not in time."""
    deadline = time.monotonic() + PATIENCE
    while not await is_loaded(home):
        if time.monotonic() > deadline:
            raise ProcessFailed(f"the entry was not loaded {PATIENCE:.0f} s after a start")
        await asyncio.sleep(0.2)


async def is_loaded(home: Home) -> bool:
    """Return whether our entry is set up."""
    entries = await home.api.rest("GET", "config/config_entries/entry?domain=jedlix")
    return bool(entries) and all(entry["state"] == "loaded" for entry in entries)
