"""Deliveries by hand: a POST to the webhook, as Jedlix makes it."""

from typing import Any, Final

from aiohttp import web
from aiohttp.test_utils import TestClient

from tests.tools import WEBHOOK_ID, WEBHOOK_KEY

type Home = TestClient[web.Request, web.Application]

# What the webhook handler answers when it accepts a delivery. Home Assistant's own answer has no body.
ACCEPTED: Final = (200, "{}")


async def deliver(home: Home, *, key: str = WEBHOOK_KEY, **message: Any) -> tuple[int, str]:
    """Deliver a message; returns the status and the body of the answer."""
    async with home.post(
        f"/api/webhook/{WEBHOOK_ID}",
        json={"eventType": "any", "id": "1"} | message,
        headers={"Authorization": f"Basic {key}"},
    ) as answer:
        return answer.status, await answer.text()
