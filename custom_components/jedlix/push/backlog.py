"""Backlog: missed deliveries, read newest first and taken oldest first. Of many, most are compressed."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final
import zlib

import orjson

from ..api import WebhookMessage
from ..slices import in_slices

# How many messages are held as they are, and how many are taken at once.
MAX_HELD: Final = 10_000

type _Page = Sequence[WebhookMessage] | bytes


class Backlog:
    """The missed deliveries of a history, whose pages come newest first.

    The newest messages are held as they are. A message beyond these takes some 150 bytes, a
    fifth of it.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._pages: list[_Page] = []
        self._held = 0

    def __bool__(self) -> bool:
        """Return whether anything is left to take."""
        return bool(self._pages)

    def add(self, page: Sequence[WebhookMessage]) -> None:
        """Add a page, which is older than those before."""
        if not page:
            return
        self._held += len(page)
        self._pages.append(page if self._held <= MAX_HELD else _compressed(page))

    async def take_oldest(self) -> list[WebhookMessage]:
        """Remove the oldest pages and return their messages, the oldest page first, in slices."""
        messages: list[WebhookMessage] = []
        async for page in in_slices(self._take_pages()):
            messages += page
        return messages

    def _take_pages(self) -> Iterator[Iterable[WebhookMessage]]:
        taken = 0
        while self._pages and taken < MAX_HELD:
            page = self._pages.pop()
            messages = _decompressed(page) if isinstance(page, bytes) else page
            taken += len(messages)
            yield messages


def _compressed(page: Iterable[WebhookMessage]) -> bytes:
    rows = [
        (item.event_type, item.id, item.user_id, item.occurred_at, item.payload) for item in page
    ]
    return zlib.compress(orjson.dumps(rows), level=1)


def _decompressed(page: bytes) -> list[WebhookMessage]:
    """Return the messages of a page; none is a test."""
    return [
        WebhookMessage(
            event_type=event_type,
            id=message_id,
            user_id=user_id,
            occurred_at=None if occurred_at is None else datetime.fromisoformat(occurred_at),
            is_test=False,
            payload=payload,
        )
        for event_type, message_id, user_id, occurred_at, payload in orjson.loads(
            zlib.decompress(page)
        )
    ]
