"""Webhook history: the deliveries that were missed, each once, in the order of their time.

Jedlix keeps its deliveries for seven days (documented). That the history can be read is assumed (A11).
Where it cannot, the sessions say what happened.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
import logging
import time
from typing import Final

from ..api import REFUSALS, JedlixClient, JedlixError, WebhookMessage
from ..api.offered import OfferedCalls
from ..slices import in_slices
from .backlog import Backlog
from .record import PushRecord

_LOGGER = logging.getLogger(__name__)

HISTORY_KEPT: Final = timedelta(days=7)
# How far Jedlix's clock may differ from ours.
_CLOCK_TOLERANCE: Final = timedelta(hours=1)
_CALL: Final = "webhook_history"
# How much later than what it reports a delivery may have come.
MAX_DELIVERY_DELAY: Final = timedelta(days=1)


class WebhookHistory:
    """Reads the history since the moment from which deliveries may be missing; a restart does not forget it.

    `publish` gets each delivery that was missed, and returns the followed users whom it is about. Where it
    keeps them for a while, `published` ends when it has let them go.
    """

    def __init__(
        self,
        client: JedlixClient,
        offered: OfferedCalls,
        record: PushRecord,
        publish: Callable[[WebhookMessage], Iterable[str]],
        published: Callable[[], Awaitable[object]],
    ) -> None:
        """Read what the record has not seen."""
        self._client = client
        self._offered = offered
        self._record = record
        self._publish = publish
        self._published = published
        self._one_at_a_time = asyncio.Lock()
        self._users: set[str] = set()
        # since when deliveries were missed while the history was read
        self._missed_meanwhile: datetime | None = None
        self._is_answered = False

    @property
    def is_read(self) -> bool:
        """Return whether the history was read to its end; only of one that has named a delivery before."""
        return self._is_answered and not self._one_at_a_time.locked()

    def note_missed(self, since: datetime | None) -> None:
        """Note that deliveries may have been missed since a moment."""
        for_now, for_later = self._record.missed_since, self._missed_meanwhile
        self._record.missed_since = min(filter(None, (since, for_now)), default=None)
        self._missed_meanwhile = min(filter(None, (since, for_later)), default=None)

    def take_users(self) -> set[str]:
        """Return the users whom the messages are about that were published since the last time."""
        users, self._users = self._users, set()
        return users

    async def publish_missed(self, now: datetime) -> None:
        """Publish what was missed. While Jedlix cannot be asked, it stays missed."""
        async with self._one_at_a_time:
            if (since := self._record.missed_since) is None:
                return
            self._missed_meanwhile = None
            try:
                await self._publish_since(since - _CLOCK_TOLERANCE, now)
            except JedlixError as err:
                _LOGGER.debug("The webhook history of Jedlix is read at the next poll: %s", err)
                return
            self._record.missed_since = self._missed_meanwhile
            self._record.schedule_save()

    async def publish_since(self, since: datetime, now: datetime) -> None:
        """Publish what was missed since a moment; raises a JedlixError."""
        async with self._one_at_a_time:
            await self._publish_since(since, now)

    async def _publish_since(self, since: datetime, now: datetime) -> None:
        """Publish each missed delivery once, the oldest first, a part of them at a time."""
        backlog = await self._read(max(since, now - HISTORY_KEPT), now + _CLOCK_TOLERANCE)
        while backlog:
            missed = await backlog.take_oldest()
            missed.sort(key=lambda message: message.occurred_at or since)
            async for message in in_slices(missed):
                # It may have been delivered meanwhile.
                if self._record.inbox.add(message.id, time.time()):
                    self._record.schedule_save()
                    self._users.update(self._publish(message))
            missed.clear()  # they are not held while the next ones are taken
            if backlog:
                await self._published()

    async def _read(self, since: datetime, until: datetime) -> Backlog:
        """Return the deliveries of a period that were not seen; none where the call is not offered."""
        backlog, listed = Backlog(), tuple[WebhookMessage, ...]()
        self._is_answered = False
        if not self._offered.is_offered(_CALL):
            return backlog
        try:
            async for page in self._client.webhook_history_pages(since, until):
                listed = listed or page
                backlog.add([item for item in page if self._is_missed(item, since)])
        except REFUSALS as err:
            self._offered.note_refusal(_CALL, err)
        else:
            self._offered.note_list(_CALL, listed)
            self._is_answered = self._offered.has_answered(_CALL)
        return backlog

    def _is_missed(self, message: WebhookMessage, since: datetime) -> bool:
        """Return whether a delivery was missed since a moment.

        A tenant that does not filter by time lists older ones too, which the inbox may have forgotten.
        """
        at = message.occurred_at
        is_older = at is not None and at < since - MAX_DELIVERY_DELAY
        return not message.is_test and not is_older and message.id not in self._record.inbox
