"""Messages: records of subscriptions, events, deliveries, attempts and answered API calls."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from .model import JsonObject

TENANT: Final = "simulator"
"""The name of the one tenant."""


class Request(NamedTuple):
    """An API call that was answered, in real time; `path` has the query with it."""

    time: datetime
    method: str
    path: str
    status: int


@dataclass(slots=True, frozen=True)
class Attempt:
    """One POST to the endpoint: its status and body, or the error in words, and how long it took."""

    at: datetime
    status: int | None
    error: str | None
    ms: float
    response: str = ""

    @property
    def ok(self) -> bool:
        """Whether it was a success (assumed: any 2xx)."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(slots=True, eq=False, kw_only=True)
class Delivery:
    """One event on its way to one subscription (or a test message, to an address)."""

    n: int
    id: str
    event_type: str
    user_id: str | None
    url: str
    is_test: bool
    created_at: datetime
    message: JsonObject
    dropped: bool = False
    attempts: list[Attempt] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Event:
    """One message, the same for all who get it, and its deliveries."""

    at: datetime
    message: JsonObject
    deliveries: list[Delivery] = field(default_factory=list)


@dataclass(slots=True, eq=False, kw_only=True)
class Subscription:
    """A registration: one event type, one address, one key (documented)."""

    id: str
    event_type: str
    url: str
    api_key: str
    is_active: bool
    created_at: datetime
    updated_at: datetime
    queue: list[tuple[float, int, Delivery, bytes]] = field(default_factory=list)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    worker: asyncio.Task[None] | None = None
