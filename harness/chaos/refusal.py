"""Refusal: a command that Jedlix cannot carry out; whoever gave it has to see that."""

import asyncio
from datetime import UTC, datetime, timedelta
import time

import aiohttp

from ..home import Home
from ..home_api import RestFailed
from ..simulator import Simulator
from .timeline import Command, Timeline, Trouble
from .truth import moment

SECONDS = 6.0
"""For so long Jedlix writes no settings of the user: longer than all tries of the client."""
_FAULT = {"kind": "status", "status": 503, "endpoints": ["update_charge_settings"]}


async def refuse_once(simulator: Simulator, user_id: str) -> None:
    """Let one write of a user's settings fail: it is tried again, so nobody notices."""
    await simulator.set_faults(**_FAULT, users=[user_id], times=1)


async def unseen_failures(
    home: Home, simulator: Simulator, timeline: Timeline, user_id: str, device_id: str
) -> list[str]:
    """Pause smart charging while no settings can be written; return the failure that nobody could see."""
    began, until, wrong = time.time(), datetime.now(UTC) + timedelta(days=2), list[str]()
    await simulator.set_faults(**_FAULT, users=[user_id], for_seconds=SECONDS)
    try:
        data = {"device_id": device_id, "until": until.isoformat()}
        await home.api.call_action("jedlix", "pause_smart_charging", **data)
    except RestFailed, aiohttp.ClientError, TimeoutError:
        pass
    else:
        users = await simulator.users()
        cars = next(user["vehicles"] for user in users if user["id"] == user_id)
        ends = [moment(car["settings"].get("enableSmartChargingAt")) for car in cars]
        if not any(abs(end - until.timestamp()) < 1.0 for end in ends):
            wrong.append(f"nothing said that {user_id} has no pause until {until}")
    timeline.commands.append(Command(time.time(), user_id, "", has_failed=True))
    await asyncio.sleep(max(0.0, began + SECONDS - time.time()))
    timeline.troubles.append(Trouble(began, time.time(), user_id))
    return wrong
