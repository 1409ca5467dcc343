"""Simulator over real sockets, a client of it, and an endpoint for its webhooks."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from simulator.app import Settings, Simulator
from tests.simulator.tools import Api, Hook

type Start = Callable[..., Awaitable[Api]]


@pytest.fixture(autouse=True)
def sockets(request: pytest.FixtureRequest) -> None:
    """Let all tests here use sockets, which the Home Assistant plugin forbids."""
    request.getfixturevalue("socket_enabled")


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start a simulator with the given settings and return a client that is logged in."""
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())

        async def begin(clock: Callable[[], Any] | None = None, **options: Any) -> Api:
            options = {"history_days": 0} | options
            sim = Simulator(Settings(**options), **({"clock": clock} if clock else {}))
            await sim.start()
            stack.push_async_callback(sim.stop)
            api = Api(sim, http)
            await api.log_in()
            return api

        yield begin


@pytest.fixture
async def api(start: Start) -> Api:
    """Return a client of a simulator with the defaults and no past."""
    return await start()


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    """Listen for webhooks."""
    hook = await Hook().start()
    yield hook
    await hook.stop()


@pytest.fixture
async def silent_url() -> AsyncIterator[str]:
    """Return the address of an endpoint that takes every message and never answers."""

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    server.close()
    server.close_clients()
