"""Refresh queue: many requests to refresh a user, few refreshes.

The first request is served at once. More requests of the same user within a second become one refresh. No
request is lost.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
import logging
import random
from typing import Any, Final

_LOGGER = logging.getLogger(__name__)

MIN_INTERVAL: Final = 1.0
MAX_RETRY_INTERVAL: Final = 60.0


class RefreshQueue:
    """Calls `refresh` for the users that were requested, and again while it returns false."""

    def __init__(
        self,
        refresh: Callable[[str], Awaitable[bool]],
        start_task: Callable[[Coroutine[Any, Any, None], str], object],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Take what refreshes a user, and what runs a task in the background under a name."""
        self._refresh = refresh
        self._start_task = start_task
        self._sleep = sleep
        # by user who is being refreshed or waits for the next interval: whether to refresh once more
        self._requested_again: dict[str, bool] = {}

    def request(self, user_id: str) -> None:
        """Have a user refreshed. A request during a refresh, or shortly after, leads to one more."""
        if user_id in self._requested_again:
            self._requested_again[user_id] = True
        else:
            self._requested_again[user_id] = False
            self._start_task(self._serve(user_id), f"jedlix refresh of {user_id}")

    async def _serve(self, user_id: str) -> None:
        retry_interval = MIN_INTERVAL
        try:
            while True:
                self._requested_again[user_id] = False
                if await self._is_refreshed(user_id):
                    retry_interval = MIN_INTERVAL
                    await self._sleep(MIN_INTERVAL)
                    if not self._requested_again[user_id]:
                        return
                else:
                    retry_interval = min(retry_interval * 2, MAX_RETRY_INTERVAL)
                    await self._sleep(retry_interval * random.uniform(0.5, 1.0))  # noqa: S311
        finally:
            del self._requested_again[user_id]

    async def _is_refreshed(self, user_id: str) -> bool:
        """Refresh a user; an unexpected failure is logged and tried again like any other."""
        try:
            return await self._refresh(user_id)
        except Exception:
            _LOGGER.exception("The refresh of a Jedlix user failed and is tried again")
            return False
