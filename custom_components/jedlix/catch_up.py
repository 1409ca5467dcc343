"""The deliveries that never came: read from the webhook history, each once, in the order of their time.

Jedlix keeps what it delivered for seven days (documented); that it can be asked for is assumed (A11), and
where it cannot, the sessions since the checkpoint tell what happened.
"""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
import logging
import time
from typing import Final

from .api import REFUSALS, JedlixClient, JedlixError, WebhookMessage
from .fetching import OVERLAP, Truth
from .memory import Memory

_LOGGER = logging.getLogger(__name__)

_KEPT: Final = timedelta(days=7)
_CALL: Final = "webhook_history"
# How long the event loop may be kept from other work at a stretch, in seconds.
_SLICE: Final = 0.005


class CatchUp:
    """Reads the history from the moment since which it is owed; what is owed survives a restart.

    `tell` gets each delivery that never came, and returns the followed users whom it is about.
    """

    def __init__(
        self,
        client: JedlixClient,
        truth: Truth,
        memory: Memory,
        tell: Callable[[WebhookMessage], Iterable[str]],
    ) -> None:
        """Owe everything since the checkpoint of the last life, or what that life had not read yet."""
        self._client = client
        self._truth = truth
        self._memory = memory
        self._tell = tell
        self._one_at_a_time = asyncio.Lock()
        memory.missed_since = memory.missed_since or memory.checkpoint

    def owe(self, since: datetime | None) -> None:
        """Take note that deliveries may have been missed since a moment."""
        known = self._memory.missed_since
        self._memory.missed_since = min(filter(None, (since, known)), default=None)

    async def tell_owed(self, now: datetime) -> set[str]:
        """Tell what is owed and return the users it is about; what cannot be had yet is still owed."""
        async with self._one_at_a_time:
            if (since := self._memory.missed_since) is None:
                return set()
            try:
                named = await self._tell_since(since - OVERLAP, now)
            except JedlixError as err:
                _LOGGER.debug("The webhook history is read at the next poll: %s", err)
                return set()
            self._memory.missed_since = None
            self._memory.changed()
            return named

    async def tell_since(self, since: datetime, now: datetime) -> set[str]:
        """Tell what was missed since a moment and return the users it is about; raises a JedlixError."""
        async with self._one_at_a_time:
            return await self._tell_since(since, now)

    async def _tell_since(self, since: datetime, until: datetime) -> set[str]:
        """Tell each delivery once, the oldest first."""
        named: set[str] = set()
        inbox = self._memory.inbox

        def tell_once(message: WebhookMessage) -> None:
            if inbox.add(message.id, time.time()):  # it may have come to the door meanwhile
                self._memory.changed()
                named.update(self._tell(message))

        # Jedlix's clock may be ahead of ours.
        missed = await self._missed(max(since, until - _KEPT), until + OVERLAP)
        missed.sort(key=lambda message: message.occurred_at or since)
        await _in_slices(missed, tell_once)
        return named

    async def _missed(self, since: datetime, until: datetime) -> list[WebhookMessage]:
        """Return the deliveries of a time that are not remembered; none where Jedlix cannot be asked."""
        missed: list[WebhookMessage] = []
        if not self._truth.serves(_CALL):
            return missed
        try:
            async for page in self._client.webhook_history_pages(since, until):
                missed += [
                    item for item in page if not item.is_test and item.id not in self._memory.inbox
                ]
        except REFUSALS as err:
            self._truth.refused(_CALL, err)
        else:
            self._truth.answered(_CALL)
        return missed


async def _in_slices[T](items: Iterable[T], do: Callable[[T], None]) -> None:
    """Do something with each, and let everybody else have their turn every few milliseconds."""
    pause_at = time.monotonic() + _SLICE
    for item in items:
        do(item)
        if time.monotonic() >= pause_at:
            await asyncio.sleep(0)
            pause_at = time.monotonic() + _SLICE
