"""Listens to Home Assistant and works out which delivery led to which event and which states."""

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

SETTLE = 0.25
"""Seconds without an event after which those before are told together."""

_CLAIMS = {
    "plugged_in": ("plugged_in", "at_known_location"),
    "unplugged": ("plugged_in", "at_known_location", "charge_state"),
    "charging": ("charge_state", "battery_level", "session_energy", "charging"),
    "session": ("session", "session_cost", "session_savings", "smart_session", "session_started"),
}
"""Which states belong to which event, by the beginning of its type, the telling ones first. For
the eye only: all of them are written before the first event of the same look at Jedlix is told."""

MOST_STATES = 3
"""On one line; of the others only the number is told."""

_NOISE = {"telemetry_updated", "last_webhook", "webhooks_received", "delivery_delay", "range"}


@dataclass(slots=True, kw_only=True)
class Told:
    """One `jedlix_event`, with the delivery that led to it (None: no delivery did)."""

    at: float
    data: dict[str, Any]
    webhook_id: str | None
    delivery: Delivery | None = None

    @property
    def type(self) -> str:
        """The kind of change."""
        return str(self.data["type"])

    @property
    def delay_ms(self) -> float | None:
        """Milliseconds from the delivery's leaving to the event's arrival here."""
        return None if self.delivery is None else delay_ms(self.delivery, self.at)


@dataclass(slots=True)
class Story:
    """Everything that Home Assistant told, in order, printed as it comes."""

    socket: WebSocket
    deliveries: Deliveries
    screen: Screen
    webhooks: list[Received] = field(default_factory=list)
    events: list[Told] = field(default_factory=list)
    _entities: dict[str, Entity] = field(default_factory=dict)
    _states: dict[str, tuple[str, str]] = field(default_factory=dict)
    _untold: list[Told] = field(default_factory=list)
    _last_webhook: dict[str | None, Received] = field(default_factory=dict)
    _last_event_at: float = 0.0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Collect and print while the block runs; what fails in here is raised at its end."""
        stream = await self.socket.subscribe_events(STATE, WEBHOOK, EVENT)
        tasks = [asyncio.create_task(self._listen(stream)), asyncio.create_task(self._tell())]
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

    async def _tell(self) -> None:
        """Print what came, a moment after it came."""
        while True:
            await asyncio.sleep(0.05)
            if self._untold and time.time() - self._last_event_at >= SETTLE:
                await self._tell_untold()

    async def learn_entities(self) -> None:
        """Read the registry, so that states can be told by what they mean."""
        self._entities = {entity.entity_id: entity for entity in await our_entities(self.socket)}

    def turn_page(self) -> None:
        """Forget the states that changed up to now: what follows is told from here on."""
        self._states.clear()

    def types(self, vehicle_id: str) -> list[str]:
        """Return the types of all events of one car, in order."""
        return [told.type for told in self.events if told.data.get("vehicle_id") == vehicle_id]

    async def until(self, true: Callable[[], bool], patience: float) -> bool:
        """Wait until `true()`; False when it was not so within `patience` seconds."""
        deadline = time.monotonic() + patience
        while not true():
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.02)
        return True

    async def silence(self) -> None:
        """Wait until everything that came has been told."""
        await self.until(lambda: not self._untold, 5.0)

    async def webhook_delays(self) -> list[float]:
        """Return, for each `jedlix_webhook`, the milliseconds since its delivery left."""
        await self.deliveries.refresh()
        found = [
            (await self.deliveries.find(received.data["event_id"]), received.at)
            for received in self.webhooks
        ]
        return [delay_ms(delivery, at) for delivery, at in found if delivery is not None]

    def event_delays(self) -> list[float]:
        """Return, for each `jedlix_event` that a delivery led to, the same."""
        return [told.delay_ms for told in self.events if told.delay_ms is not None]

    def _take_state(self, data: dict[str, Any]) -> None:
        old, new = (shown_state(data.get(which)) for which in ("old_state", "new_state"))
        if old != new:
            first, _ = self._states.get(data["entity_id"], (old, ""))
            self._states[data["entity_id"]] = (first, new)

    def _take_event(self, received: Received) -> None:
        data = received.data
        webhook = self._last_webhook.get(data.get("user_id"))
        by_webhook = data.get("source") == "webhook" and webhook is not None
        told = Told(
            at=received.at,
            data=data,
            webhook_id=webhook.data["event_id"] if by_webhook and webhook else None,
        )
        self.events.append(told)
        self._untold.append(told)
        self._last_event_at = received.at

    async def _tell_untold(self) -> None:
        untold, self._untold = self._untold, []
        for told in untold:
            if told.webhook_id is not None:
                told.delivery = await self.deliveries.find(told.webhook_id)
        if any(entity_id not in self._entities for entity_id in self._states):
            await self.learn_entities()
        shown = self._share_out(untold)
        for told, changes in zip(untold, shown, strict=True):
            source = f"(found by {told.data.get('source')})"
            sent = source if told.delivery is None else told.delivery.event_type
            made = told.type + (" (late)" if told.data.get("late") else "")
            self.screen.line(told.at, sent, made, told.delay_ms, _shortened(told.type, changes))

    def _share_out(self, untold: list[Told]) -> list[dict[str, str]]:
        """Give each changed state to the event that it belongs to, and forget it."""
        shares: list[dict[str, str]] = [{} for _ in untold]
        for entity_id, (old, new) in list(self._states.items()):
            entity = self._entities.get(entity_id)
            if entity is None or entity.domain == "event" or entity.key in _NOISE or old == new:
                del self._states[entity_id]
                continue
            takers = [
                number
                for number, told in enumerate(untold)
                if told.data.get("device_id") == entity.device_id
            ]
            if takers:
                claimed = [n for n in takers if entity.key in _claimed_by(untold[n].type)]
                shares[(claimed or takers)[0]][entity.key] = new
                del self._states[entity_id]
        return shares


def delay_ms(delivery: Delivery, at: float) -> float:
    """Return the milliseconds from the delivery's leaving to `at`."""
    return (at - delivery.left_at(at)) * 1000


def _claimed_by(event_type: str) -> tuple[str, ...]:
    for beginning, keys in _CLAIMS.items():
        if event_type.startswith(beginning):
            return keys
    return ()


def _shortened(event_type: str, states: Mapping[str, str]) -> list[str]:
    """Return the states to show beside an event: the telling ones, and how many more."""
    telling = [key for key in _claimed_by(event_type) if key in states]
    keys = [*telling, *(key for key in states if key not in telling)]
    shown = [f"{key.replace('_', ' ')} {states[key]}" for key in keys[:MOST_STATES]]
    more = len(keys) - MOST_STATES
    return [*shown, f"{more} more"] if more > 0 else shown
