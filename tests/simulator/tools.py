"""Tools of these tests: a client of the simulator's API and an endpoint for its webhooks."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import aiohttp
from aiohttp import web

from simulator.app import Simulator

KEY = "the-webhook-key"


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait for something that the simulator does by itself."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  what is waited for knows of no event
            await asyncio.sleep(0.01)


class Clock:
    """A clock that a test turns forward."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def turn(self, **step: float) -> None:
        """Turn it forward, for example by `hours=1`."""
        self.ahead += timedelta(**step)


@dataclass
class Api:
    """A client with a token, for one simulator."""

    sim: Simulator
    http: aiohttp.ClientSession
    headers: dict[str, str] = field(default_factory=dict)

    async def log_in(self, **form: str) -> tuple[int, Any]:
        """Fetch a token and use it from now on."""
        right = {
            "grant_type": "client_credentials",
            "client_id": "anybody",
            "client_secret": "secret",
            "audience": self.sim.url,
        }
        async with self.http.post(f"{self.sim.url}/oauth/token", data=right | form) as answer:
            body = await answer.json()
            self.headers = {"Authorization": f"Bearer {body.get('access_token')}", "ApiKey": "key"}
            return answer.status, body

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Return status and JSON (None for an empty answer)."""
        async with self.http.request(
            method, self.sim.url + path, json=body, headers=self.headers
        ) as answer:
            return answer.status, await answer.json(
                content_type=None
            ) if answer.status != 204 else None

    async def get(self, path: str) -> Any:
        """GET what must be there."""
        status, body = await self.call("GET", path)
        assert status == 200, body
        return body

    async def subscribe(self, event_type: str, url: str, key: str = KEY) -> tuple[int, Any]:
        """Register a webhook."""
        return await self.call(
            "POST",
            "/api/v1/webhooks/subscriptions",
            {"eventType": event_type, "endpointUrl": url, "apiKey": key, "isActive": True},
        )


@dataclass
class Hook:
    """An endpoint that keeps what it was sent and answers with `status`."""

    status: int = 200
    received: list[dict[str, Any]] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)
    url: str = ""
    _runner: web.AppRunner | None = None

    async def start(self) -> Self:
        """Listen on a free port."""
        app = web.Application()
        app.router.add_post("/hook", self._answer)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/hook"
        return self

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner:
            await self._runner.cleanup()

    def real(self, event_type: str | None = None) -> list[dict[str, Any]]:
        """Return what came that was no test message."""
        return [
            message
            for message in self.received
            if message.get("isTest") is not True and event_type in {None, message["eventType"]}
        ]

    async def _answer(self, request: web.Request) -> web.Response:
        self.authorizations.append(request.headers.get("Authorization"))
        self.received.append(await request.json())
        return web.json_response({}, status=self.status)
