"""Recorder: a component that writes down what is published, so that a kill -9 takes nothing away.

Each event is one line of JSON, written to the file at once: what the integration publishes, with what its
entities show at that moment, what its event entities write, and each run of an automation. A pulse each
second reports for how long the event loop was blocked since the last pulse, the tasks, and the memory.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
import gc
from io import FileIO
import json
from pathlib import Path
import time
from typing import Any

from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.typing import ConfigType
from homeassistant.util import dt as dt_util

FILE = "published.jsonl"
CLOCK_AHEAD = "clock_ahead"
"""A file with the seconds by which the clock of this process is ahead; there is none where it is right."""
EVENT_RUN = "chaos_automation"
EVENTS = ("jedlix_webhook", EVENT_RUN)
_BEAT = 0.02
"""Seconds."""
_BEATS_PER_PULSE = 50
_PAGE_MB = 4096 / 1024**2


async def async_setup(hass: HomeAssistant, _config: ConfigType) -> bool:
    """Record from now on; the states of the entries show whether that is before the integration."""
    path = Path(hass.config.path(FILE))
    ahead = await hass.async_add_executor_job(_clock_ahead, Path(hass.config.path(CLOCK_AHEAD)))
    file: FileIO = await hass.async_add_executor_job(FileIO, path, "ab")
    registry = er.async_get(hass)

    written = 0.0
    """Seconds that all writing took."""

    def write(kind: str, data: Any, **more: Any) -> None:
        nonlocal written
        began = time.monotonic()
        line = {"kind": kind, "at": time.time() - ahead, "data": data, **more}
        file.write(json.dumps(line, default=str).encode() + b"\n")
        written += time.monotonic() - began

    @callback
    def record(event: Event) -> None:
        write(str(event.event_type), dict(event.data), **cause(event))

    @callback
    def record_change(event: Event) -> None:
        shown_by_device = shown(event.data.get("device_id"))
        write("jedlix_event", dict(event.data), shown=shown_by_device, **cause(event))

    def cause(event: Event[Any]) -> dict[str, str | None]:
        return {"context": event.context.id, "parent": event.context.parent_id}

    def shown(device_id: Any) -> dict[str, str]:
        """Return what the entities of a device show, by platform and key."""
        entities = er.async_entries_for_device(registry, device_id) if device_id else []
        return {
            f"{entity.domain} {entity.translation_key}": state.state
            for entity in entities
            if entity.platform == "jedlix" and (state := hass.states.get(entity.entity_id))
        }

    @callback
    def record_event_entity(event: Event[EventStateChangedData]) -> None:
        entity, state = registry.async_get(event.data["entity_id"]), event.data["new_state"]
        if entity is not None and entity.platform == "jedlix" and state is not None:
            data = {"unique_id": entity.unique_id, **state.attributes}
            write("event_entity", data | {"state": _true_time(state.state, ahead)}, **cause(event))

    @callback
    def is_event_entity(data: Any) -> bool:
        return str(data["entity_id"]).startswith("event.")

    entries = hass.config_entries.async_entries("jedlix")
    write("start", [entry.state.value for entry in entries])
    for event_type in EVENTS:
        hass.bus.async_listen(event_type, record)
    hass.bus.async_listen("jedlix_event", record_change)
    hass.bus.async_listen(EVENT_STATE_CHANGED, record_event_entity, event_filter=is_event_entity)
    hass.async_create_background_task(_pulse(write, lambda: written), "chaos pulse")
    return True


async def _pulse(write: Callable[..., None], written: Callable[[], float]) -> None:
    """Write each second for how many milliseconds the event loop was blocked, tasks and memory.

    What this recorder writes itself does not count: a busy disk makes it wait. Neither does a garbage
    collection of the whole process, in whichever thread it begins: no code of an integration ends it.
    """
    collected = _collected()
    while True:
        blocked = 0.0
        for _ in range(_BEATS_PER_PULSE):
            waited, written_before, due = _waited(), written(), time.monotonic() + _BEAT
            collected_before = collected()
            await asyncio.sleep(_BEAT)
            late = time.monotonic() - due
            late -= written() - written_before + collected() - collected_before
            # The machine has other work: a thread that only waits for a processor blocks nothing itself.
            blocked = max(blocked, late if late < _BEAT else late - (_waited() - waited))
        names = [task.get_name() for task in asyncio.all_tasks()]
        ours = [name for name in names if name.startswith("jedlix")]
        data = {
            "blocked_ms": round(blocked * 1000, 1),
            "tasks": len(names),
            "ours": sorted(ours),
            "memory_mb": round(_resident_pages() * _PAGE_MB, 1),
        }
        write("pulse", data)


def _collected() -> Callable[[], float]:
    """Return a function that says for how many seconds garbage was collected since now, by all threads.

    A collection in another thread goes on until its end was noted: the thread may have to wait for that.
    """
    began: float | None = None
    collected = 0.0

    def note(phase: str, _info: dict[str, int]) -> None:
        nonlocal began, collected
        if phase == "start":
            began = time.monotonic()
        elif began is not None:
            collected += time.monotonic() - began
            began = None

    def total() -> float:
        return collected + (0.0 if (since := began) is None else time.monotonic() - since)

    gc.callbacks.append(note)
    return total


def _true_time(state: str, ahead: float) -> str:
    """Return the state of an event entity, which is a time by this clock, as the time that it was."""
    at = dt_util.parse_datetime(state)
    return state if at is None else (at - timedelta(seconds=ahead)).isoformat()


def _clock_ahead(path: Path) -> float:
    return float(path.read_text(encoding="ascii")) if path.exists() else 0.0


def _waited() -> float:
    """Return for how many seconds this thread has waited for a processor, 0 where nobody counts it."""
    try:
        text = Path("/proc/thread-self/schedstat").read_text(encoding="ascii")
        return int(text.split()[1]) / 1e9
    except OSError, ValueError, IndexError:
        return 0.0


def _resident_pages() -> int:
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError, ValueError, IndexError:
        return 0
