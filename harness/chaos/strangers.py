"""Strangers: deliveries with wrong keys, and broken ones, which are refused and leave no trace."""

import asyncio
from collections.abc import Mapping
from itertools import cycle
import json
from random import Random
import time
from typing import Any
from uuid import uuid4

import aiohttp

from .timeline import Timeline

_PAUSE = (3.0, 8.0)
"""Seconds, from and to."""
_BROKEN = (
    (b'{"id": "1", "eventType": ', 400),
    (b'[{"id": "1", "eventType": "userUpdated"}]', 400),
    (b'{"id": "1"}', 400),
    (b'{"id": "1", "eventType": "' + b"a" * 64 * 1024 + b'"}', 413),
)
"""Bodies that cannot be read, or are too large, and how they are answered with the right key."""
_BROKEN_EACH = 4
"""Every so many deliveries one is broken."""


class Strangers:
    """Post to the webhook without its key, and with it what cannot be read."""

    def __init__(
        self, url: str, key: str, example: Mapping[str, Any], timeline: Timeline, *, seed: int
    ) -> None:
        """Take the webhook's address and key, and a message to imitate."""
        self._url = url
        self._key = key
        self._broken = cycle(_BROKEN)
        self._example = example
        self._timeline = timeline
        self._random = Random(f"{seed}/strangers")
        self.ids: set[str] = set()
        self.refused: list[float] = []
        """When each was refused while all was well."""
        self.wrong: list[str] = []
        """The answers other than the right ones."""

    async def run(self) -> None:
        """Post one after the other, until cancelled."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
            while True:
                await asyncio.sleep(self._random.uniform(*_PAUSE))
                await self._post(session)

    async def _post(self, session: aiohttp.ClientSession) -> None:
        event_id = str(uuid4())
        self.ids.add(event_id)
        if len(self.ids) % _BROKEN_EACH:
            body, expected = json.dumps({**self._example, "id": event_id}).encode(), 401
            headers = self._random.choice(_wrong_keys(uuid4().hex))
        else:
            body, expected = next(self._broken)
            headers = {"Authorization": f"Basic {self._key}"}
        began = time.time()
        try:
            async with session.post(self._url, data=body, headers=headers) as answer:
                status = answer.status
        except aiohttp.ClientError, TimeoutError:
            return
        if status == expected:
            self.refused.append(began)
        elif self._timeline.was_calm(began - 1.0, time.time()):
            await asyncio.sleep(1.0)  # whoever stops Home Assistant notes it first
            if self._timeline.is_up(began) and self._timeline.is_up(time.time() - 0.5):
                self.wrong.append(f"{status}, not {expected}, for {sorted(headers)} {body[:30]!r}")


def _wrong_keys(key: str) -> tuple[dict[str, str], ...]:
    """Return headers with another key, or without one."""
    return (
        {"Authorization": f"Basic {key}"},
        {"Authorization": f"Bearer {key}"},
        {"Authorization": "Basic "},
        {"Authorization": key},
        {},
    )
