"""A simulator over real sockets, a client of it, and an endpoint for its webhooks."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from simulator.app import Settings, Simulator
from tests.simulator.tools import Api, Hook

type Start = Callable[..., Awaitable[Api]]


@pytest.fixture
async def start(socket_enabled: None) -> AsyncIterator[Start]:
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
    """A client of a simulator with the defaults and no past."""
    return await start()


@pytest.fixture
async def hook(socket_enabled: None) -> AsyncIterator[Hook]:
    """An endpoint for webhooks."""
    hook = await Hook().start()
    yield hook
    await hook.stop()
