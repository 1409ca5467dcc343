"""Slices: long work on the event loop that lets other work run in between."""

import asyncio
from collections.abc import AsyncIterator, Iterable
import time
from typing import Final

# How long the event loop may be kept from other work, in seconds.
MAX_BLOCKING: Final = 0.005


async def in_slices[T](items: Iterable[T], *, are_many: bool = True) -> AsyncIterator[T]:
    """Yield the items, and let other work run every few milliseconds where they are many."""
    pause_at = time.monotonic() + MAX_BLOCKING
    for item in items:
        yield item
        if are_many and time.monotonic() >= pause_at:
            await asyncio.sleep(0)
            pause_at = time.monotonic() + MAX_BLOCKING
