"""Dialogs of a Home Assistant that the simulator can call, without pauses."""

from collections.abc import AsyncIterator

from aiohttp import web
from aiohttp.test_utils import TestClient
from homeassistant.core import HomeAssistant
import pytest

from tests.servers import HomeAssistantCloud, home_assistant_cloud


@pytest.fixture(autouse=True)
def no_pauses(
    home: TestClient[web.Request, web.Application],
    no_second_try: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Let a failed call and a missing test message show at once."""
    monkeypatch.setattr("custom_components.jedlix.push.connection_test.TEST_MESSAGE_TIMEOUT", 0.1)


@pytest.fixture
async def cloud(
    hass: HomeAssistant, callback_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[HomeAssistantCloud]:
    """Return a Home Assistant Cloud."""
    async with home_assistant_cloud(hass, monkeypatch, callback_url) as cloud:
        yield cloud
