"""Listener: collects what Home Assistant publishes, and prints which delivery led to which event."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
import time
from typing import Any

from ..entities import Entity, our_entities, shown_state
from ..websocket import Received, Subscription, WebSocket
from .deliveries import Deliveries, Delivery
from .screen import Screen

WEBHOOK = "jedlix_webhook"
EVENT = "jedlix_event"
STATE = "state_changed"

PRINT_DELAY = 0.25
"""Seconds without an event after which those before are printed together."""

_STATES_OF_EVENTS = {
    "plugged_in": ("plugged_in", "at_known_location"),
    "unplugged": ("plugged_in", "at_known_location", "charge_state"),
    "charging": ("charge_state", "battery_level", "session_energy", "charging"),
    "session": ("session", "session_cost", "session_savings", "smart_session", "session_started"),
}
"""The states that are printed beside an event, by the beginning of its type, the most important ones first.
All of them are written before the first event of the same refresh is published."""

MAX_STATES = 3
"""The states on one line; of the others only the number is printed."""

_IGNORED = {"telemetry_updated", "last_webhook", "webhooks_received", "delivery_delay", "range"}
"""The keys of states that are not printed."""


@dataclass(slots=True, kw_only=True)
class PublishedEvent:
    """One `jedlix_event`, with the delivery that led to it (None: no delivery did)."""

    at: float
    data: dict[str, Any]
    webhook_id: str | None
    delivery: Delivery | None = None

    @property
    def type(self) -> str:
        """The type of the change."""
        return str(self.data["type"])

    @property
    def delay_ms(self) -> float | None:
        """Milliseconds from when the delivery left until the event arrived here."""
        return None if self.delivery is None else delay_ms(self.delivery, self.at)


@dataclass(slots=True)
class Listener:
    """Everything that Home Assistant published, in order, printed as it comes."""

    socket: WebSocket
    deliveries: Deliveries
    screen: Screen
    webhooks: list[Received] = field(default_factory=list)
    events: list[PublishedEvent] = field(default_factory=list)
    _entities: dict[str, Entity] = field(default_factory=dict)
    _states: dict[str, tuple[str, str]] = field(default_factory=dict)
    _unprinted: list[PublishedEvent] = field(default_factory=list)
    _last_webhook: dict[str | None, Received] = field(default_factory=dict)
    _last_event_at: float = 0.0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Collect and print while the block runs; an error of that is raised at its end."""
        stream = await self.socket.subscribe_events(STATE, WEBHOOK, EVENT)
        tasks = [asyncio.create_task(self._listen(stream)), asyncio.create_task(self._print())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled():
                task.result()

    async def _listen(self, stream: Subscription) -> None:
        async for received in stream:
            if received.event_type == STATE:
                self._take_state(received.data)
            elif received.event_type == WEBHOOK:
                self.webhooks.append(received)
                self._last_webhook[received.data.get("user_id")] = received
            elif received.event_type == EVENT:
                self._take_event(received)

    async def _print(self) -> None:
        """Print what came, a moment after it came."""
        while True:
            await asyncio.sleep(0.05)
            if self._unprinted and time.time() - self._last_event_at >= PRINT_DELAY:
                await self._print_events()

    async def learn_entities(self) -> None:
        """Read the registry, so that states can be printed by their keys."""
        self._entities = {entity.entity_id: entity for entity in await our_entities(self.socket)}

    def forget_states(self) -> None:
        """Forget the states that changed until now."""
        self._states.clear()

    def types(self, vehicle_id: str) -> list[str]:
        """Return the types of all events of one car, in order."""
        return [event.type for event in self.events if event.data.get("vehicle_id") == vehicle_id]

    async def until(self, condition: Callable[[], bool], patience: float) -> bool:
        """Wait until the condition is true; returns False when it is not within `patience` seconds."""
        deadline = time.monotonic() + patience
        while not condition():
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.02)
        return True

    async def until_printed(self) -> None:
        """Wait until everything that came is printed."""
        await self.until(lambda: not self._unprinted, 5.0)

    async def webhook_delays(self) -> list[float]:
        """Return, for each `jedlix_webhook`, the milliseconds since its delivery left."""
        await self.deliveries.refresh()
        found = [
            (await self.deliveries.find(received.data["event_id"]), received.at)
            for received in self.webhooks
        ]
        return [delay_ms(delivery, at) for delivery, at in found if delivery is not None]

    def event_delays(self) -> list[float]:
        """Return, for each `jedlix_event` that a delivery led to, the milliseconds since that left."""
        return [event.delay_ms for event in self.events if event.delay_ms is not None]

    def _take_state(self, data: dict[str, Any]) -> None:
        old, new = (shown_state(data.get(which)) for which in ("old_state", "new_state"))
        if old != new:
            first, _ = self._states.get(data["entity_id"], (old, ""))
            self._states[data["entity_id"]] = (first, new)

    def _take_event(self, received: Received) -> None:
        data = received.data
        webhook = self._last_webhook.get(data.get("user_id"))
        webhook_id = None
        if data.get("source") == "webhook" and webhook is not None:
            webhook_id = webhook.data["event_id"]
        event = PublishedEvent(at=received.at, data=data, webhook_id=webhook_id)
        self.events.append(event)
        self._unprinted.append(event)
        self._last_event_at = received.at

    async def _print_events(self) -> None:
        events, self._unprinted = self._unprinted, []
        for event in events:
            if event.webhook_id is not None:
                event.delivery = await self.deliveries.find(event.webhook_id)
        if any(entity_id not in self._entities for entity_id in self._states):
            await self.learn_entities()
        shown = self._assign_states(events)
        for event, changes in zip(events, shown, strict=True):
            source = f"(found by {event.data.get('source')})"
            sent = source if event.delivery is None else event.delivery.event_type
            made = event.type + (" (late)" if event.data.get("late") else "")
            self.screen.line(event.at, sent, made, event.delay_ms, _shortened(event.type, changes))

    def _assign_states(self, events: list[PublishedEvent]) -> list[dict[str, str]]:
        """Return the changed states of each event, and forget them."""
        states: list[dict[str, str]] = [{} for _ in events]
        for entity_id, (old, new) in list(self._states.items()):
            entity = self._entities.get(entity_id)
            if entity is None or entity.domain == "event" or entity.key in _IGNORED or old == new:
                del self._states[entity_id]
                continue
            candidates = [
                number
                for number, event in enumerate(events)
                if event.data.get("device_id") == entity.device_id
            ]
            if candidates:
                matching = [n for n in candidates if entity.key in _states_of(events[n].type)]
                states[(matching or candidates)[0]][entity.key] = new
                del self._states[entity_id]
        return states


def delay_ms(delivery: Delivery, at: float) -> float:
    """Return the milliseconds from when the delivery left until `at`."""
    return (at - delivery.left_at(at)) * 1000


def _states_of(event_type: str) -> tuple[str, ...]:
    for beginning, keys in _STATES_OF_EVENTS.items():
        if event_type.startswith(beginning):
            return keys
    return ()


def _shortened(event_type: str, states: Mapping[str, str]) -> list[str]:
    """Return the states to print beside an event: the most important ones, and how many more."""
    first = [key for key in _states_of(event_type) if key in states]
    keys = [*first, *(key for key in states if key not in first)]
    shown = [f"{key.replace('_', ' ')} {states[key]}" for key in keys[:MAX_STATES]]
    more = len(keys) - MAX_STATES
    return [*shown, f"{more} more"] if more > 0 else shown
