"""Refresh queue: many requests to refresh a user, few refreshes.

The first request is served at once. More requests of the same user within a second become one refresh. No
request is lost. A refresh that failed is tried again after growing pauses; a request ends such a pause soon.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
import logging
import random
from typing import Any, Final

_LOGGER = logging.getLogger(__name__)

MIN_INTERVAL: Final = 1.0
MAX_RETRY_INTERVAL: Final = 60.0
# So long a request waits at most that comes before a refresh is tried again.
MAX_WAIT: Final = 4.0


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
                    await self._pause(user_id, retry_interval * random.uniform(0.5, 1.0))  # noqa: S311
        finally:
            del self._requested_again[user_id]

    async def _pause(self, user_id: str, seconds: float) -> None:
        """Wait so long, or until a request of the user comes: then Jedlix may answer again."""
        while seconds > 0 and not self._requested_again[user_id]:
            await self._sleep(min(seconds, MAX_WAIT))
            seconds -= MAX_WAIT

    async def _is_refreshed(self, user_id: str) -> bool:
        """Refresh a user; an unexpected failure is logged and tried again like any other."""
        try:
            return await self._refresh(user_id)
        except Exception:
            _LOGGER.exception("The refresh of a Jedlix user failed and is tried again")
            return False
