"""Servers of the tests: a closed port, any handler, a reverse proxy and Home Assistant Cloud."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
import socket
from typing import Final

from aiohttp import ClientSession, web
from homeassistant.components import cloud as real_cloud
from homeassistant.components.cloud import CloudConnectionState, CloudNotConnected
from homeassistant.core import HomeAssistant
from homeassistant.helpers.dispatcher import async_dispatcher_send
import pytest

# What the cloud sends when it connects or disconnects, and when a cloudhook was created or deleted.
_CONNECTION: Final = real_cloud.SIGNAL_CLOUD_CONNECTION_STATE
_CLOUDHOOKS: Final = real_cloud._SIGNAL_CLOUDHOOKS_UPDATED


def closed_port() -> str:
    """Return an address where no server listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@asynccontextmanager
async def listening(
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> AsyncIterator[str]:
    """Answer every request with this handler; yields the address."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def passed_on(
    request: web.Request, url: str, authorization: str | None = None
) -> web.Response:
    """Pass a request on to another address, perhaps with another authorization; return its answer."""
    kept = ("Authorization", "Content-Type")
    headers = {name: request.headers[name] for name in kept if name in request.headers}
    if authorization is not None:
        headers["Authorization"] = authorization
    async with (
        ClientSession() as http,
        http.request(request.method, url, data=await request.read(), headers=headers) as answer,
    ):
        return web.Response(status=answer.status, body=await answer.read())


@asynccontextmanager
async def reverse_proxy(
    target: str,
    refuses: Callable[[str], bool] = lambda _path: False,
    authorization: str | None = None,
) -> AsyncIterator[str]:
    """Pass everything on to a target, and refuse some paths with 400; yields the address.

    `authorization` takes the place of that header.
    """

    async def forward(request: web.Request) -> web.Response:
        if refuses(request.path):
            return web.Response(status=400)
        return await passed_on(request, target + request.path_qs, authorization)

    async with listening(forward) as address:
        yield address


class HomeAssistantCloud:
    """Home Assistant Cloud, which no test can have for real. It starts subscribed and connected."""

    def __init__(self, hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
        """Take the place of the real cloud; the cloudhooks begin with this URL."""
        self._hass = hass
        self.url = url
        self.is_subscribed = self.is_connected = True
        self.error: Exception | None = None
        self.hooks: dict[str, str] = {}
        self._created = 0
        hass.config.components.add("cloud")
        monkeypatch.setattr(real_cloud, "async_active_subscription", lambda _: self.is_subscribed)
        monkeypatch.setattr(real_cloud, "async_get_or_create_cloudhook", self._get_or_create)
        monkeypatch.setattr(real_cloud, "async_delete_cloudhook", self._delete)

    async def _get_or_create(self, _hass: HomeAssistant, webhook_id: str) -> str:
        if not self.is_connected:
            raise CloudNotConnected
        if self.error is not None:
            raise self.error
        if webhook_id not in self.hooks:
            self._created += 1
            self.hooks[webhook_id] = f"{self.url}/hook-{self._created}"
        return self.hooks[webhook_id]

    async def _delete(self, _hass: HomeAssistant, webhook_id: str) -> None:
        if self.error is not None:
            raise self.error
        if webhook_id not in self.hooks:
            raise ValueError("Hook is not enabled for the cloud.")
        del self.hooks[webhook_id]

    def connect(self) -> None:
        """Connect Home Assistant to the cloud."""
        self.is_connected = True
        async_dispatcher_send(self._hass, _CONNECTION, CloudConnectionState.CLOUD_CONNECTED)

    def disconnect(self) -> None:
        """Disconnect Home Assistant from the cloud."""
        self.is_connected = False
        async_dispatcher_send(self._hass, _CONNECTION, CloudConnectionState.CLOUD_DISCONNECTED)

    def sign_out(self) -> None:
        """Sign out, which also disconnects."""
        self.is_subscribed = False
        self.disconnect()

    def delete_hooks(self) -> None:
        """Delete the hooks, as a user can on the page of the cloud."""
        self.hooks.clear()
        async_dispatcher_send(self._hass, _CLOUDHOOKS, {})


@asynccontextmanager
async def home_assistant_cloud(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch, home_url: str
) -> AsyncIterator[HomeAssistantCloud]:
    """Run a cloud that passes on what is posted to a cloudhook, while Home Assistant is connected."""

    async def relay(request: web.Request) -> web.Response:
        ids = [key for key, url in cloud.hooks.items() if url.endswith(request.path)]
        if not cloud.is_connected or not ids:
            return web.Response(status=503)
        return await passed_on(request, f"{home_url}/api/webhook/{ids[0]}")

    async with listening(relay) as address:
        cloud = HomeAssistantCloud(hass, monkeypatch, address)
        yield cloud
