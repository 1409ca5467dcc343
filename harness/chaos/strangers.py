"""Strangers: deliveries with wrong keys, which are refused and leave no trace."""

import asyncio
from collections.abc import Mapping
from random import Random
import time
from typing import Any
from uuid import uuid4

import aiohttp

from .timeline import Timeline

_PAUSE = (3.0, 8.0)
"""Seconds, from and to."""


class Strangers:
    """Post to the webhook without its key."""

    def __init__(
        self, url: str, example: Mapping[str, Any], timeline: Timeline, *, seed: int
    ) -> None:
        """Take the webhook's address and a message to imitate."""
        self._url = url
        self._example = example
        self._timeline = timeline
        self._random = Random(f"{seed}/strangers")
        self.ids: set[str] = set()
        self.refused: list[float] = []
        """When each was refused while all was well."""
        self.wrong: list[str] = []
        """The answers other than 401."""

    async def run(self) -> None:
        """Post one after the other, until cancelled."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
            while True:
                await asyncio.sleep(self._random.uniform(*_PAUSE))
                await self._post(session)

    async def _post(self, session: aiohttp.ClientSession) -> None:
        event_id = str(uuid4())
        self.ids.add(event_id)
        key = uuid4().hex
        headers = self._random.choice(
            (
                {"Authorization": f"Basic {key}"},
                {"Authorization": f"Bearer {key}"},
                {"Authorization": "Basic "},
                {"Authorization": key},
                {},
            )
        )
        body = {**self._example, "id": event_id}
        began = time.time()
        try:
            async with session.post(self._url, json=body, headers=headers) as answer:
                status = answer.status
        except aiohttp.ClientError, TimeoutError:
            return
        if self._timeline.was_calm(began - 1.0, time.time()) or status == 401:
            if status == 401:
                self.refused.append(began)
            else:
                await asyncio.sleep(1.0)  # whoever stops Home Assistant notes it first
                if self._timeline.is_up(began) and self._timeline.is_up(time.time() - 0.5):
                    self.wrong.append(f"{status} for {sorted(headers)}")
