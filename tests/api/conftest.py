"""Fixtures: a client of the API, and the stand-in for Jedlix that it calls."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from custom_components.jedlix.api import JedlixClient, TokenSource
from tests.api.stand_in import Cloud, make_auth, make_client


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """Return an HTTP session."""
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def cloud(socket_enabled: None) -> AsyncIterator[Cloud]:
    """Return a stand-in for Jedlix."""
    cloud = await Cloud().start()
    yield cloud
    await cloud.stop()


@pytest.fixture
def auth(http: aiohttp.ClientSession, cloud: Cloud) -> TokenSource:
    """Return the source of the stand-in's tokens."""
    return make_auth(http, cloud.url)


@pytest.fixture
def client(http: aiohttp.ClientSession, cloud: Cloud, auth: TokenSource) -> JedlixClient:
    """Return a client of the stand-in."""
    return make_client(http, cloud.url, auth=auth)
