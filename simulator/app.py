"""Simulator: a simulated cloud behind a real HTTP server, and the address that tests and demo use."""

import asyncio
from contextlib import suppress
import time

from aiohttp import web

from . import control, pages
from .api import user_token
from .api.gate import Gate
from .api.table import TABLE
from .cloud import Cloud
from .settings import Settings

__all__ = ["Settings", "Simulator"]

TICK_SECONDS = 0.05
PULL_EVERY_SECONDS = 10.0
API_VERSIONS = ("v1", "v2")


class Simulator(Cloud):
    """A Jedlix cloud of one tenant. In tests: `await start()`, then its methods, then `await stop()`."""

    endpoint_names = frozenset(row.name for row in TABLE)
    endpoints_of_users = frozenset(row.name for row in TABLE if "{user}" in row.path)
    _runner: web.AppRunner | None = None
    _ticker: asyncio.Task[None] | None = None

    async def start(self, port: int = 0) -> None:
        """Listen; port 0 takes any free one. Raises OSError when the port is taken."""
        self.strike(self.settings.faults)
        gate = Gate(self)
        app = web.Application(middlewares=[gate.guard], client_max_size=2**20)
        for version in API_VERSIONS:
            for row in TABLE:
                path = f"/api/{version}{row.path}"
                app.router.add_route(row.method, path, gate.handler(row, version))
        app.router.add_post("/oauth/token", gate.token)
        app.router.add_post(user_token.TOKEN_PATH, gate.user_token)
        user_token.add_pages(app.router, self)
        app.on_response_prepare.append(gate.date)
        control.add_routes(app.router, self)
        pages.add_routes(app.router, self)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self.settings.host, port).start()
        except OSError:
            await self._runner.cleanup()
            raise
        await self.webhooks.start()
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.settings.host, self.settings.host)
        self.url = f"http://{host}:{self._runner.addresses[0][1]}"
        self.start_time()
        if self.settings.ticking:
            self._ticker = asyncio.create_task(self._tick())

    async def stop(self) -> None:
        """Stop listening and sending."""
        if self._ticker is not None:
            self._ticker.cancel()
            with suppress(asyncio.CancelledError):
                await self._ticker
        if self._runner is not None:
            await self._runner.cleanup()
        await self.webhooks.stop()

    async def _tick(self) -> None:
        next_pull = time.monotonic() + PULL_EVERY_SECONDS
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = self.catch_up()
            if time.monotonic() >= next_pull:
                next_pull += PULL_EVERY_SECONDS
                self.world.pull(now)
            self.settle()
