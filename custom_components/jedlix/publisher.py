"""Publisher: fires changes and deliveries, first for the event entities, then on the bus.

Triggers and people listen on the bus. All states are written before a change is published, so that a
condition in the same automation sees the new ones. The logbook has a line for each state that an event entity
writes, so a change that none of them writes gets an event of its own there.
"""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from functools import partial
from typing import Any, Final

from homeassistant.core import CALLBACK_TYPE, Context, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.util import dt as dt_util
import orjson

from .api import WebhookMessage
from .const import DOMAIN, EVENT_CHANGE, EVENT_LOGBOOK_LINE, EVENT_WEBHOOK
from .devices import DeviceKey, identifier_of
from .listeners import Listeners
from .slices import in_slices
from .state.changes import Change, change_of_delivery

# So much may wait for the end of Home Assistant's start before further deliveries are refused: the deliveries
# that come meanwhile, and a part of the webhook history.
MAX_WAITING: Final = 20_000
# The recorder keeps no event with more data, in bytes; the other fields need some.
MAX_PAYLOAD_BYTES: Final = 32_768 - 2_048


class Source(StrEnum):
    """How the news came."""

    WEBHOOK = "webhook"
    POLL = "poll"
    HISTORY = "history"
    COMMAND = "command"


class Publisher:
    """Publishes the changes and deliveries of one entry."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Start without a listener."""
        self._hass = hass
        self._entry_id = entry_id
        self._devices = dr.async_get(hass)
        self._change_listeners: defaultdict[DeviceKey, Listeners[Change, Context]] = defaultdict(
            Listeners
        )
        self._delivery_listeners: Listeners[Mapping[str, Any], Context] = Listeners()
        self.published: Counter[str] = Counter()  # how many `changes` and `deliveries` so far
        # set once entities and automations are there; until then what is published waits for them
        self.released = asyncio.Event()
        self._waiting: deque[Callable[[], None]] = deque()

    @property
    def is_full(self) -> bool:
        """Return whether so much waits for the end of the start that no delivery can be taken."""
        return len(self._waiting) >= MAX_WAITING

    @callback
    def listen_to_changes(
        self, key: DeviceKey, listener: Callable[[Change, Context], bool | None]
    ) -> CALLBACK_TYPE:
        """Call the listener with each change of a car that is not late; returns what ends it.

        The listener returns true where it wrote the change as its state.
        """
        return self._change_listeners[key].add(listener)

    @callback
    def listen_to_deliveries(
        self, listener: Callable[[Mapping[str, Any], Context], None]
    ) -> CALLBACK_TYPE:
        """Call the listener with the event of each new delivery that is not late; returns what ends it."""
        return self._delivery_listeners.add(listener)

    async def release(self) -> None:
        """Publish what was found until Home Assistant had started; what is found meanwhile comes after it."""
        async for publish in in_slices(self._take_waiting()):
            publish()
        self.released.set()

    @callback
    def publish(self, change: Change, source: Source, *, late: bool) -> None:
        """Publish a change as `jedlix_event`; before `release` it waits for entities and automations."""
        self._publish_or_wait(partial(self._publish, change, source, late=late))

    @callback
    def publish_delivery(
        self, message: WebhookMessage, source: Source, *, followed: bool, late: bool
    ) -> None:
        """Publish a delivery as it came, as `jedlix_webhook`, and the change that it reports by itself.

        Before `release` it waits for entities and automations.
        """
        self._publish_or_wait(
            partial(self._publish_delivery, message, source, followed=followed, late=late)
        )

    def _publish_or_wait(self, publish: Callable[[], None]) -> None:
        if self.released.is_set():
            publish()
        else:
            self._waiting.append(publish)

    def _take_waiting(self) -> Iterator[Callable[[], None]]:
        while self._waiting:
            yield self._waiting.popleft()

    def _publish(self, change: Change, source: Source, *, late: bool) -> None:
        self.published["changes"] += 1
        context, is_written = Context(), False
        if change.vehicle_id is not None and not late:
            key = (change.user_id, change.vehicle_id)
            is_written = self._change_listeners[key].call(change, context)
        data: dict[str, Any] = {
            "entry_id": self._entry_id,
            "device_id": self._device_id(change),
            "type": change.type.value,
            "user_id": change.user_id,
            "vehicle_id": change.vehicle_id,
            "session_id": change.session_id,
            "occurred_at": change.occurred_at.isoformat(),
            "source": source.value,
            "late": late,
            **change.details,
        }
        self._hass.bus.async_fire(EVENT_CHANGE, data, context=context)
        if not is_written:
            line = {name: data[name] for name in ("device_id", "type", "late")}
            self._hass.bus.async_fire(EVENT_LOGBOOK_LINE, line, context=context)

    def _publish_delivery(
        self, message: WebhookMessage, source: Source, *, followed: bool, late: bool
    ) -> None:
        self.published["deliveries"] += 1
        context = Context()
        data = {
            "entry_id": self._entry_id,
            "event_type": message.event_type,
            "event_id": message.id,
            "user_id": message.user_id,
            "followed": followed,
            "occurred_at": message.occurred_at and message.occurred_at.isoformat(),
            "source": source.value,
            "late": late,
            "payload": _recordable(message.payload),
        }
        if not late:
            self._delivery_listeners.call(data, context)
        self._hass.bus.async_fire(EVENT_WEBHOOK, data, context=context)
        if (change := change_of_delivery(message, dt_util.utcnow())) is not None:
            self._publish(change, source, late=late)

    def _device_id(self, change: Change) -> str | None:
        """Return the device of the car, or of the account where the change names no known car."""
        identifiers = [self._entry_id]
        if change.vehicle_id is not None:
            identifiers.insert(0, identifier_of((change.user_id, change.vehicle_id)))
        for identifier in identifiers:
            device = self._devices.async_get_device_by_identifier(
                (DOMAIN, identifier), self._entry_id
            )
            if device is not None:
                return device.id
        return None


def _recordable(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a payload; of one that the recorder would not keep, the short fields with a mark."""
    if len(orjson.dumps(payload)) <= MAX_PAYLOAD_BYTES:
        return payload
    short = {
        key: value
        for key, value in payload.items()
        if len(key) <= 64 and len(orjson.dumps(value)) <= 256  # noqa: PLR2004  an id, a time, a name
    }
    return dict(list(short.items())[:64]) | {"truncated": True}
