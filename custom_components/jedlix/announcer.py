"""Tells what happened: to the event entities, then on the bus, where triggers, logbook and people listen.

Whoever announces has written all states before, so that a condition in the same automation sees the new ones.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
import logging
from typing import Any

from homeassistant.core import CALLBACK_TYPE, Context, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.util import dt as dt_util

from .api import WebhookMessage
from .changes import Change, told_by
from .const import DOMAIN, EVENT_CHANGE, EVENT_WEBHOOK

_LOGGER = logging.getLogger(__name__)


class Source(StrEnum):
    """How the news came."""

    WEBHOOK = "webhook"
    POLL = "poll"
    HISTORY = "history"
    COMMAND = "command"


class Announcer:
    """Tells the changes and deliveries of one entry."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Begin with nobody listening."""
        self._hass = hass
        self._entry_id = entry_id
        self._devices = dr.async_get(hass)
        self._of_vehicle: defaultdict[tuple[str, str], list[Callable[[Change, Context], None]]] = (
            defaultdict(list)
        )
        self._of_webhook: list[Callable[[Mapping[str, Any], Context], None]] = []

    @callback
    def listen_to_changes(
        self, key: tuple[str, str], listener: Callable[[Change, Context], None]
    ) -> CALLBACK_TYPE:
        """Call the listener with each change of a car that is not late; returns what ends it."""
        self._of_vehicle[key].append(listener)
        return lambda: self._of_vehicle[key].remove(listener)

    @callback
    def listen_to_webhooks(
        self, listener: Callable[[Mapping[str, Any], Context], None]
    ) -> CALLBACK_TYPE:
        """Call the listener with the event of each new delivery that is not late; returns what ends it."""
        self._of_webhook.append(listener)
        return lambda: self._of_webhook.remove(listener)

    @callback
    def tell(self, change: Change, source: Source, *, late: bool) -> None:
        """Announce a change (design: `jedlix_event`)."""
        context = Context()
        if change.vehicle_id is not None and not late:
            tell_each(
                self._of_vehicle.get((change.user_id, change.vehicle_id), ()), change, context
            )
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

    @callback
    def tell_webhook(
        self, message: WebhookMessage, source: Source, *, followed: bool, late: bool
    ) -> None:
        """Announce a delivery as it came (design: `jedlix_webhook`)."""
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
            "payload": message.payload,
        }
        if not late:
            tell_each(self._of_webhook, data, context)
        self._hass.bus.async_fire(EVENT_WEBHOOK, data, context=context)
        if (change := told_by(message, dt_util.utcnow())) is not None:
            self.tell(change, source, late=late)

    def _device_id(self, change: Change) -> str | None:
        """Return the device of the car, or of the account where the change names none that is known."""
        names = [self._entry_id]
        if change.vehicle_id is not None:
            names.insert(0, identifier_of(change.user_id, change.vehicle_id))
        for name in names:
            device = self._devices.async_get_device_by_identifier((DOMAIN, name), self._entry_id)
            if device is not None:
                return device.id
        return None


@callback
def tell_each[*Args](listeners: Iterable[Callable[[*Args], None]], *args: *Args) -> None:
    """Call each listener; one that fails keeps nobody else from hearing, nor a change from being told."""
    for listener in tuple(listeners):
        try:
            listener(*args)
        except Exception:
            _LOGGER.exception("What happened could not be passed on")


def identifier_of(user_id: str, thing_id: str) -> str:
    """Return the identifier of a car or charger: with its user, so that a car under two is two devices."""
    return f"{user_id}_{thing_id}"
