"""Webhooks: the synchronous test, the queue of each subscription, retries, history."""

import asyncio
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
import heapq
import time
from uuid import uuid4

import aiohttp
import orjson

from . import dates
from .event_types import DOCUMENTED_EVENTS, pascal_case
from .faults.general import Chance, Faults
from .messages import TENANT, Attempt, Delivery, Event, Subscription
from .model import JsonObject, Signal
from .noise import Noise

RETRIES = (5.0, 30.0, 120.0, 600.0)
"""Seconds after a failed delivery until the next try; whether Jedlix retries at all is unknown."""
KEPT_OF_ANSWER = 1000
"""How many bytes of an answer the history keeps (reported: 1,000 characters)."""


class Webhooks:
    """All subscriptions of the tenant, and the log of the last days.

    Each subscription has a worker of its own, so that a slow endpoint delays nobody else. In order by
    default; a delivery that failed is tried again later and lets the next ones pass.
    """

    def __init__(
        self,
        now: Callable[[], datetime],
        *,
        faults: Faults,
        chance: Chance,
        noise: Noise | None,
        event_types: Mapping[str, str],
        limit: int | None = None,
        retries: Sequence[float] = RETRIES,
        retention: timedelta = timedelta(days=7),
        timeout: float = 10.0,
    ) -> None:
        """Make an empty set.

        `event_types` says how each kind of signal is called, `limit` how many subscriptions there may be.
        """
        self.event_types = dict(event_types)
        self._limit = limit
        self.subscriptions: dict[str, Subscription] = {}
        self.deliveries: deque[Delivery] = deque()
        self._events: list[Event] = []
        self._now = now
        self._faults, self._chance, self._noise = faults, chance, noise
        self._retries, self._retention = tuple(retries), retention
        self._timeout = timeout
        self._http: aiohttp.ClientSession | None = None
        self._count = 0
        self._untried: set[Delivery] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    async def start(self) -> None:
        """Open the one session through which all messages go."""
        self._http = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=self._timeout),
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def stop(self) -> None:
        """Stop all workers and close the session."""
        workers = [item.worker for item in self.subscriptions.values() if item.worker]
        for subscription in list(self.subscriptions.values()):
            self.delete(subscription)
        await asyncio.gather(*workers, return_exceptions=True)
        if self._http is not None:
            await self._http.close()

    async def delivered(self) -> None:
        """Wait until each queued delivery has been tried once (retries are not waited for)."""
        await self._idle.wait()

    # --- subscriptions ------------------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """Whether no more subscriptions may be made."""
        limit = self._faults.subscription_limit or self._limit
        return limit is not None and len(self.subscriptions) >= limit

    def name_of(self, kind: str) -> str | None:
        """Return the event type of a kind of signal, None where the tenant has none."""
        name = self.event_types.get(kind)
        if name is None or kind in DOCUMENTED_EVENTS:
            return name
        return pascal_case(name) if self._faults.spelling == "PascalCase" else name

    @property
    def spellings(self) -> frozenset[str]:
        """The tenant's event types in both spellings."""
        names = self.event_types.values()
        return frozenset(names) | {pascal_case(name) for name in names}

    @property
    def offered(self) -> list[str]:
        """The event types that can be subscribed."""
        names = (self.name_of(kind) for kind in self.event_types)
        refused = self._faults.refused_event_types
        return [name for name in names if name is not None and name not in refused]

    async def test(self, event_type: str, url: str, api_key: str) -> str | None:
        """Send the documented test message. Return what went wrong, in words, or None."""
        now = self._now()
        message = {
            "eventType": event_type,
            "id": str(uuid4()),
            "tenant": "test",
            "timestamp": dates.v2(now),
            "userId": str(uuid4()),
            "isTest": True,
        }
        delivery = self._log(message, url, is_test=True)
        attempt = await self._post(delivery, orjson.dumps(message), api_key)
        if attempt.ok:
            return None
        if attempt.status is not None:
            return f"The endpoint answered the test message with status {attempt.status}."
        return f"The endpoint could not be reached: {attempt.error}."

    def create(self, event_type: str, url: str, api_key: str, *, is_active: bool) -> Subscription:
        """Keep a subscription that has passed its test, and begin to serve it."""
        now = self._now()
        subscription = Subscription(
            id=str(uuid4()),
            event_type=event_type,
            url=url,
            api_key=api_key,
            is_active=is_active,
            created_at=now,
            updated_at=now,
        )
        self.subscriptions[subscription.id] = subscription
        subscription.worker = asyncio.create_task(self._serve(subscription))
        return subscription

    def delete(self, subscription: Subscription) -> None:
        """Drop a subscription; what is still queued for it is not sent."""
        del self.subscriptions[subscription.id]
        if subscription.worker:
            subscription.worker.cancel()
        for *_, delivery, _body in subscription.queue:
            self._tried(delivery)
        subscription.queue.clear()

    # --- events -------------------------------------------------------------------------------------

    def publish_signal(self, signal: Signal) -> None:
        """Publish a signal of the world to those who subscribed to its type, if it has a name."""
        if (event_type := self.name_of(signal.kind)) is None:
            return
        ids = {"vehicleId": signal.vehicle_id, "sessionId": signal.session_id}
        extra = {key: value for key, value in ids.items() if value is not None}
        if signal.kind == "user_created":
            extra = {}  # the documented sample has the envelope only
        self.publish(event_type, signal.user_id, signal.at, extra)
        if self._noise and (unknown_type := self._noise.event_type()):
            self.publish(unknown_type, signal.user_id, signal.at, extra, to_all=True)

    def publish(
        self,
        event_type: str,
        user_id: str | None,
        at: datetime,
        payload: JsonObject | None = None,
        *,
        to_all: bool = False,
    ) -> Event:
        """Log an event and queue it. The envelope is documented for `userCreated`, else assumed."""
        message: JsonObject = {
            "eventType": event_type,
            "id": str(uuid4()),
            "tenant": TENANT,
            "timestamp": dates.v2(at),
            "userId": user_id,
            "isTest": False,
            **(payload or {}),
        }
        if self._noise:
            message = self._noise.message(message)
        event = Event(at, message)
        insort(self._events, event, key=_at)
        body = orjson.dumps(message)
        for subscription in self.subscriptions.values():
            if subscription.is_active and (to_all or subscription.event_type == event_type):
                self._queue(subscription, event, body)
        self._drop_old()
        return event

    def history(self, since: datetime | None, until: datetime | None) -> list[Event]:
        """Return the kept events, newest first (that they are kept is documented)."""
        self._drop_old()
        low = 0 if since is None else bisect_left(self._events, since, key=_at)
        high = len(self._events) if until is None else bisect_right(self._events, until, key=_at)
        return self._events[low:high][::-1]

    def _queue(self, subscription: Subscription, event: Event, body: bytes) -> None:
        faults = self._faults
        copies = 2 if self._happens("duplicate") else 1
        for _ in range(copies):
            delivery = self._log(event.message, subscription.url)
            event.deliveries.append(delivery)
            if self._chance.happens(faults.drop):
                delivery.dropped = True
                continue
            due = time.monotonic()
            if self._happens("delay"):
                due += self._chance.between(0.5, 1.0) * faults.delay_seconds
            elif self._happens("reorder"):
                due += self._chance.between(0.2, 1.5)
            self._untried.add(delivery)
            self._idle.clear()
            heapq.heappush(subscription.queue, (due, delivery.n, delivery, body))
        subscription.wake.set()

    def _happens(self, fault: str) -> bool:
        """Decide by chance about a fault that the noisy mode brings too."""
        probability: float = max(getattr(self._faults, fault), getattr(self._noise, fault, 0.0))
        return self._chance.happens(probability)

    def _log(self, message: JsonObject, url: str, *, is_test: bool = False) -> Delivery:
        self._count += 1
        delivery = Delivery(
            n=self._count,
            id=message["id"],
            event_type=message["eventType"],
            user_id=message["userId"],
            url=url,
            is_test=is_test,
            created_at=self._now(),
            message=message,
        )
        self.deliveries.append(delivery)
        return delivery

    def _drop_old(self) -> None:
        """Drop what is older than the retention (documented: 7 days)."""
        oldest = self._now() - self._retention
        while self.deliveries and self.deliveries[0].created_at < oldest:
            self.deliveries.popleft()
        stale = next((n for n, event in enumerate(self._events) if event.at >= oldest), None)
        del self._events[: len(self._events) if stale is None else stale]

    # --- sending ------------------------------------------------------------------------------------

    async def _serve(self, subscription: Subscription) -> None:
        """Send what is due, one after the other, until the task is cancelled."""
        queue = subscription.queue
        while True:
            subscription.wake.clear()
            pause = queue[0][0] - time.monotonic() if queue else None
            if pause is None or pause > 0:
                with suppress(TimeoutError):
                    await asyncio.wait_for(subscription.wake.wait(), pause)
                continue
            _, n, delivery, body = heapq.heappop(queue)
            try:
                if not subscription.is_active:
                    continue
                attempt = await self._post(delivery, body, subscription.api_key)
            finally:
                self._tried(delivery)
            tries = len(delivery.attempts)
            if not attempt.ok and tries <= len(self._retries):
                due = time.monotonic() + self._retries[tries - 1]
                heapq.heappush(queue, (due, n, delivery, body))

    def _tried(self, delivery: Delivery) -> None:
        self._untried.discard(delivery)
        if not self._untried:
            self._idle.set()

    async def _post(self, delivery: Delivery, body: bytes, api_key: str) -> Attempt:
        """POST as documented: `Authorization: Basic` and the raw key."""
        assert self._http is not None
        key = "wrong" if self._chance.happens(self._faults.wrong_key) else api_key
        headers = {
            "Accept": "application/json",
            "Authorization": f"Basic {key}",
            "Content-Type": "application/json",
        }
        at, begun = self._now(), time.perf_counter()
        status = error = None
        response = ""
        try:
            async with self._http.post(
                delivery.url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                response = (await answer.read())[:KEPT_OF_ANSWER].decode(errors="replace")
                status = answer.status
        except TimeoutError:
            error = f"no answer within {self._timeout:g} s"
        except (aiohttp.ClientError, OSError, ValueError) as err:
            error = f"{type(err).__name__}: {err}"
        ms = round((time.perf_counter() - begun) * 1000, 2)
        attempt = Attempt(at, status, error, ms, response)
        delivery.attempts.append(attempt)
        return attempt


def _at(event: Event) -> datetime:
    return event.at
