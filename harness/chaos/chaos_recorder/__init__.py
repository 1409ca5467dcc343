"""Recorder: a component that writes down what is published, so that a kill -9 takes nothing away.

Each event is one line of JSON, written to the file at once. A pulse each second reports how long the event
loop was blocked since the last pulse, and which tasks there are.
"""

import asyncio
from io import FileIO
import json
from pathlib import Path
import time
from typing import Any

from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers.typing import ConfigType

FILE = "published.jsonl"
EVENTS = ("jedlix_event", "jedlix_webhook")
_BEAT = 0.02
"""Seconds."""
_BEATS_PER_PULSE = 50


async def async_setup(hass: HomeAssistant, _config: ConfigType) -> bool:
    """Record from now on; the states of the entries show whether that is before the integration."""
    path = Path(hass.config.path(FILE))
    file: FileIO = await hass.async_add_executor_job(FileIO, path, "ab")

    def write(kind: str, data: Any) -> None:
        line = {"kind": kind, "at": time.time(), "data": data}
        file.write(json.dumps(line, default=str).encode() + b"\n")

    @callback
    def record(event: Event) -> None:
        write(str(event.event_type), dict(event.data))

    entries = hass.config_entries.async_entries("jedlix")
    write("start", [entry.state.value for entry in entries])
    for event_type in EVENTS:
        hass.bus.async_listen(event_type, record)
    hass.async_create_background_task(_pulse(write), "chaos pulse")
    return True


async def _pulse(write: Any) -> None:
    """Write each second for how many milliseconds the event loop was blocked, and its tasks."""
    while True:
        blocked = 0.0
        for _ in range(_BEATS_PER_PULSE):
            due = time.monotonic() + _BEAT
            await asyncio.sleep(_BEAT)
            blocked = max(blocked, time.monotonic() - due)
        names = [task.get_name() for task in asyncio.all_tasks()]
        ours = [name for name in names if name.startswith("jedlix")]
        data = {"blocked_ms": round(blocked * 1000, 1), "tasks": len(names), "ours": sorted(ours)}
        write("pulse", data)
