"""Probe: clocks, events, API calls, set-ups and blocked times, measured inside of the process."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
import gc
import json
from pathlib import Path
import time
from types import SimpleNamespace
from typing import Any, Self

from homeassistant.components.calendar.const import DATA_COMPONENT as CALENDARS
from homeassistant.components.recorder import get_instance  # type: ignore[attr-defined]
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_API_KEY, CONF_CLIENT_ID, CONF_CLIENT_SECRET, CONF_WEBHOOK_ID
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.util import dt as dt_util

from custom_components.jedlix import calendar as jedlix_calendar
from custom_components.jedlix.api import TokenSource
from custom_components.jedlix.api.endpoints import ENDPOINTS
from custom_components.jedlix.coordinator import JedlixCoordinator
from custom_components.jedlix.data import JedlixConfigEntry
from custom_components.jedlix.push.health import PushState

type Clocks = dict[str, float]

_REFRESHES = ("jedlix poll", "jedlix refresh")
"""The beginnings of the names of the tasks that refresh users."""
_PATIENCE = 10.0
_MINUTE = timedelta(minutes=1)
_BEAT = 0.001


class Probe:
    """The measurements. Times are in seconds; CPU times come from the operating system."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Listen to no event yet."""
        self._hass = hass
        self._times: list[float] = []
        self._first = asyncio.Event()
        self._stop_listening: Callable[[], None] = lambda: None
        self._tokens: dict[str, TokenSource] = {}
        self._passed = timedelta(0)

    async def clocks(self) -> Clocks:
        """Return the CPU time of the process and of its event loop's thread, once everything is done."""
        await self._until_refreshed()
        if "recorder" in self._hass.config.components:
            await get_instance(self._hass).async_block_till_done()
        return _clocks()

    async def memory(self) -> float:
        """Return the resident memory in KiB after a garbage collection."""
        gc.collect()
        status = await self._hass.async_add_executor_job(Path("/proc/self/status").read_text)
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return float(line.split()[1])

    async def entry(self, entry_id: str) -> dict[str, Any]:
        """Return an entry's webhook id and, where it has one, its webhook key."""
        data = self._entry(entry_id).data
        return {"webhook_id": data[CONF_WEBHOOK_ID], "key": data.get("webhook_key", "")}

    async def entities(self, entry_id: str) -> int:
        """Return how many entities of an entry have a state."""
        registry = er.async_get(self._hass)
        found = er.async_entries_for_config_entry(registry, entry_id)
        return sum(self._hass.states.get(item.entity_id) is not None for item in found)

    # -- events --------------------------------------------------------------------------------------------

    async def listen(self, event_type: str) -> None:
        """Begin to note the times of events of a type."""
        self._stop_listening()
        self._times.clear()

        @callback
        def note(_event: Event) -> None:
            self._times.append(time.monotonic())
            self._first.set()

        self._first.clear()
        self._stop_listening = self._hass.bus.async_listen(event_type, note)

    async def event_times(self) -> list[float]:
        """Return the noted times, and stop listening."""
        self._stop_listening()
        self._stop_listening = lambda: None
        return self._times

    async def first_event(self) -> float:
        """Wait for the first event and return its time, and stop listening."""
        async with asyncio.timeout(_PATIENCE):
            await self._first.wait()
        return (await self.event_times())[0]

    # -- the API -------------------------------------------------------------------------------------------

    async def poll(self, entry_id: str) -> None:
        """Have an entry poll now, and wait until it is done."""
        await self._coordinator(entry_id).async_refresh()
        await self._until_refreshed()

    async def hour_of_polls(self, entry_id: str) -> None:
        """Have an entry make the polls of an hour in which push does not report charging, one by one."""
        coordinator = self._coordinator(entry_id)
        details = coordinator._details.schedule  # noqa: SLF001
        minutes = round((coordinator.update_interval or _MINUTE) / _MINUTE)
        for minute in range(60):
            if minute % minutes == 0:
                await coordinator.async_refresh()
            else:
                await coordinator.quick_poll.poll()
            await self._until_refreshed()
            # No time passed, so whatever is read again after some time is made older.
            settings, chargers = details._settings_read_at, details._chargers_read_at  # noqa: SLF001
            for read_at in (settings, chargers):
                read_at |= {user_id: at - _MINUTE for user_id, at in read_at.items()}

    async def pass_minutes(self, entry_id: str, minutes: float) -> None:
        """Turn the clock of the calendars on, and write those whose event has ended, as happens by itself."""
        self._passed += timedelta(minutes=minutes)
        clock = SimpleNamespace(**vars(dt_util))
        clock.utcnow = lambda: dt_util.utcnow() + self._passed
        vars(jedlix_calendar)["dt_util"] = clock
        for item in er.async_entries_for_config_entry(er.async_get(self._hass), entry_id):
            entity = self._hass.data[CALENDARS].get_entity(item.entity_id)
            if entity is None or (state := self._hass.states.get(item.entity_id)) is None:
                continue
            if (end := state.attributes.get("end_time")) is None:
                continue
            if dt_util.as_local(datetime.fromisoformat(end)) <= clock.utcnow():
                entity.async_write_ha_state()

    async def round_trips(self, entry_id: str, user_id: str, count: int) -> list[float]:
        """Return how long the plain call of a user's cars takes, for each of `count` calls."""
        took = []
        for _ in range(count):
            began = time.monotonic()
            json.loads(await self._get(entry_id, "vehicles", {}, user_id=user_id))
            took.append(time.monotonic() - began)
        return took

    async def read_history(self, entry_id: str, since: str, until: str) -> Clocks:
        """Return what it costs to read the fetched pages of the history as plain JSON."""
        bodies = []
        pages = index = 1
        fetched = _clocks()
        while index <= pages:
            span = {"timestampFrom": since, "timestampTo": until}
            paging = {"pageSize": "100", "pageIndex": str(index)}
            bodies.append(await self._get(entry_id, "webhook_history", span | paging))
            pages = json.loads(bodies[-1])["totalPages"]
            index += 1
        fetched = _since(fetched)
        began = _clocks()
        for body in bodies:
            json.loads(body)
        return _since(began) | {"with_fetching": fetched["process"]}

    async def catch_up(self, entry_id: str, since: str, *, watched: bool) -> Clocks:
        """Catch up from a moment on; returns the cost.

        Where it is watched, `blocked` is the longest blocked time. Watching costs time of its own.
        """
        coordinator = self._coordinator(entry_id)
        moment = dt_util.parse_datetime(since, raise_on_error=True)

        async def work() -> None:
            await coordinator.poll.catch_up(moment)
            await self._until_refreshed()

        if watched:
            return await self._measured(work)
        began = _clocks()
        await work()
        return _since(began)

    async def _get(self, entry_id: str, name: str, query: dict[str, str], **ids: str) -> bytes:
        data = self._entry(entry_id).data
        if (token := self._tokens.get(entry_id)) is None:
            token = self._tokens[entry_id] = TokenSource(
                async_get_clientsession(self._hass),
                token_url=data["token_url"],
                client_id=data[CONF_CLIENT_ID],
                client_secret=data[CONF_CLIENT_SECRET],
                audience=data["audience"],
            )
        url = data["base_url"] + ENDPOINTS[name].path.format(**ids)
        headers = {"Authorization": f"Bearer {await token.token()}", "ApiKey": data[CONF_API_KEY]}
        session = async_get_clientsession(self._hass)
        async with session.get(url, params=query, headers=headers) as response:
            response.raise_for_status()
            return await response.read()

    # -- set-ups -------------------------------------------------------------------------------------------

    async def set_up_time(self, entry_id: str) -> float:
        """Load an entry again, and return how long it takes until its entities are there."""
        await self._unload(entry_id)
        return await self._load(entry_id)

    async def set_up(self, entry_id: str) -> Clocks:
        """Load an entry again, and refresh all who are due; `ready` is when its entities are there."""
        await self._unload(entry_id)
        ready = 0.0

        async def work() -> None:
            nonlocal ready
            ready = await self._load(entry_id)
            await self._until_refreshed()

        return await self._measured(work) | {"ready": ready}

    async def _unload(self, entry_id: str) -> None:
        await self._hass.config_entries.async_unload(entry_id)
        gc.collect()

    async def _load(self, entry_id: str) -> float:
        began = time.monotonic()
        await self._hass.config_entries.async_setup(entry_id)
        return time.monotonic() - began

    async def settle(self, entry_id: str) -> None:
        """Wait until an entry is loaded, all its users are refreshed, and it is registered at Jedlix."""
        entry = self._entry(entry_id)
        while (  # noqa: ASYNC110  there is no event for it
            entry.state is not ConfigEntryState.LOADED
            or entry.runtime_data.push is None  # an account has one
            or entry.runtime_data.push.state is PushState.CONNECTING
            or entry.runtime_data.coordinator.known.never_refreshed
        ):
            await asyncio.sleep(0.05)
        await self._until_refreshed()

    async def reload_templates(self) -> Clocks:
        """Set core's template entities up again from their file."""
        gc.collect()

        async def work() -> None:
            await self._hass.services.async_call("template", "reload", blocking=True)
            await self._hass.async_block_till_done()

        return await self._measured(work) | {"entities": self._templates()}

    def _templates(self) -> int:
        registry = er.async_get(self._hass)
        return sum(item.platform == "template" for item in registry.entities.values())

    # -- shared --------------------------------------------------------------------------------------------

    async def _measured(self, work: Callable[[], Awaitable[None]]) -> Clocks:
        began = _clocks()
        async with Pulse() as pulse:
            await work()
        return _since(began) | {"blocked": pulse.longest}

    async def _until_refreshed(self) -> None:
        while any(  # noqa: ASYNC110  there is no event for it
            task.get_name().startswith(_REFRESHES) for task in asyncio.all_tasks()
        ):
            await asyncio.sleep(0.05)

    def _entry(self, entry_id: str) -> JedlixConfigEntry:
        if (entry := self._hass.config_entries.async_get_entry(entry_id)) is None:
            raise KeyError(entry_id)
        return entry

    def _coordinator(self, entry_id: str) -> JedlixCoordinator:
        return self._entry(entry_id).runtime_data.coordinator


def _clocks() -> Clocks:
    return {"loop": time.thread_time(), "process": time.process_time(), "time": time.monotonic()}


def _since(began: Clocks) -> Clocks:
    return {name: now - began[name] for name, now in _clocks().items()}


class Pulse:
    """A beat each millisecond; `longest` is the longest time that a beat was late, in seconds."""

    def __init__(self) -> None:
        """Begin with `async with`."""
        self.longest = 0.0
        self._beating: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to beat."""
        self._beating = asyncio.create_task(self._beat())
        return self

    async def __aexit__(self, *error: object) -> None:
        """Beat no more."""
        if self._beating is not None:
            self._beating.cancel()
            with suppress(asyncio.CancelledError):
                await self._beating

    async def _beat(self) -> None:
        while True:
            due = time.monotonic() + _BEAT
            await asyncio.sleep(_BEAT)
            self.longest = max(self.longest, time.monotonic() - due)
