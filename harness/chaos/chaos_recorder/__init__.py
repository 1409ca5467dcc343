"""Runs inside Home Assistant and writes down what is announced; what it wrote survives a kill -9.

One line of JSON for each event, written to the file at once. A pulse each second tells how long the event
loop was blocked since the last one, and how many tasks there are, in all and of the integration.
"""

import asyncio
from io import FileIO
import json
from pathlib import Path
import time
from typing import Any

from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers.typing import ConfigType

FILE = "announced.jsonl"
EVENTS = ("jedlix_event", "jedlix_webhook")
_BEAT = 0.02
_BEATS = 50


async def async_setup(hass: HomeAssistant, _config: ConfigType) -> bool:
    """Listen from the first moment on; the states of the entries tell whether it was the first."""
    path = Path(hass.config.path(FILE))
    file: FileIO = await hass.async_add_executor_job(FileIO, path, "ab")

    def write(kind: str, data: Any) -> None:
        line = {"kind": kind, "at": time.time(), "data": data}
        file.write(json.dumps(line, default=str).encode() + b"\n")

    @callback
    def heard(event: Event) -> None:
        write(str(event.event_type), dict(event.data))

    entries = hass.config_entries.async_entries("jedlix")
    write("start", [entry.state.value for entry in entries])
    for event_type in EVENTS:
        hass.bus.async_listen(event_type, heard)
    hass.async_create_background_task(_beat(write), "chaos pulse")
    return True


async def _beat(write: Any) -> None:
    """Tell each second for how long the event loop had no time, in milliseconds, and its tasks."""
    while True:
        blocked = 0.0
        for _ in range(_BEATS):
            due = time.monotonic() + _BEAT
            await asyncio.sleep(_BEAT)
            blocked = max(blocked, time.monotonic() - due)
        names = [task.get_name() for task in asyncio.all_tasks()]
        ours = [name for name in names if name.startswith("jedlix")]
        data = {"blocked_ms": round(blocked * 1000, 1), "tasks": len(names), "ours": sorted(ours)}
        write("pulse", data)
