"""Rings are coalesced: the first is answered at once, then one a second per user, and none is lost."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
import random
from typing import Any, Final

_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0


class Rings:
    """Calls `answer` for the users that were rung for; where it returns false it is called again."""

    def __init__(
        self,
        answer: Callable[[str], Awaitable[bool]],
        start: Callable[[Coroutine[Any, Any, None], str], object],
    ) -> None:
        """Take what answers a ring, and what runs a task in the background under a name."""
        self._answer = answer
        self._start = start
        self._again: dict[str, bool] = {}

    def ring(self, user_id: str) -> None:
        """Have the user looked at; a ring during a look, or shortly after one, is answered by the next."""
        if user_id in self._again:
            self._again[user_id] = True
        else:
            self._again[user_id] = False
            self._start(self._attend(user_id), f"jedlix look at {user_id}")

    async def _attend(self, user_id: str) -> None:
        pause = _PAUSE
        try:
            while True:
                self._again[user_id] = False
                if await self._answer(user_id):
                    pause = _PAUSE
                    await asyncio.sleep(_PAUSE)
                    if not self._again[user_id]:
                        return
                else:
                    pause = min(pause * 2, _LONGEST_PAUSE)
                    await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
        finally:
            del self._again[user_id]
