"""Fixtures: a Home Assistant that a simulator of the Jedlix cloud can call."""

import asyncio
from typing import Any, cast

from aiohttp import web
from aiohttp.test_utils import TestClient
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity import Entity
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.jedlix.api import JedlixClient, Vehicle
from custom_components.jedlix.const import DOMAIN
from simulator.app import Simulator
from tests.commanding import set_up_with_rare_polls
from tests.tools import Clock, make_entry, set_up, until

pytest_plugins = ["tests.simulators"]


@pytest.fixture
async def home(
    hass: HomeAssistant,
    enable_custom_integrations: None,
    socket_enabled: None,
    hass_client_no_auth: ClientSessionGenerator,
) -> TestClient[web.Request, web.Application]:
    """Return a client of a Home Assistant whose webhooks can be called over a real socket."""
    components = ("http", "webhook", "websocket_api", "calendar", "diagnostics", "repairs", DOMAIN)
    for component in components:
        assert await async_setup_component(hass, component, {})
    return await hass_client_no_auth()


@pytest.fixture(autouse=True)
def no_waiting_for_the_frontend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a connection test end as soon as it is over: there is no frontend."""
    monkeypatch.setattr("custom_components.jedlix.push.connection_test.MIN_DURATION", 0.0)


@pytest.fixture(autouse=True)
def no_hurry_at_a_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let set-up wait for the first poll, however busy this machine is."""
    monkeypatch.setattr("custom_components.jedlix.coordinator.STORED_USERS_TIMEOUT", 10.0)


@pytest.fixture
def all_enabled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enable the entities that are not enabled by default."""
    monkeypatch.setattr(Entity, "entity_registry_enabled_default", True)


@pytest.fixture
def no_second_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a call fail at once, without another try."""
    defaults = cast("dict[str, Any]", JedlixClient.__init__.__kwdefaults__)
    monkeypatch.setitem(defaults, "back_off", ())


@pytest.fixture
def vehicles_may_answer(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Return what lets Jedlix answer about cars; while it is clear, the answer is waited for."""
    may_answer, vehicles = asyncio.Event(), JedlixClient.vehicles

    async def answer(client: JedlixClient, user_id: str) -> tuple[Vehicle, ...]:
        await may_answer.wait()
        return await vehicles(client, user_id)

    monkeypatch.setattr(JedlixClient, "vehicles", answer)
    may_answer.set()
    return may_answer


@pytest.fixture
def callback_url(home: TestClient[web.Request, web.Application]) -> str:
    """Return the address at which the simulator can call Home Assistant."""
    return str(home.make_url("/")).rstrip("/")


@pytest.fixture
async def entry(hass: HomeAssistant, sim: Simulator, callback_url: str) -> MockConfigEntry:
    """Return an entry that is set up against the simulator, with push."""
    entry = make_entry(sim, callback_url)
    await set_up(hass, entry)
    await until(hass, lambda: entry.runtime_data.push.state not in ("off", "connecting"))
    return entry


@pytest.fixture
def clock(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return the clock of Home Assistant and the simulator, which a test can move forward."""
    return Clock(monkeypatch, sim)


@pytest.fixture(params=["webhook", "poll"])
async def entry_either_way(
    request: pytest.FixtureRequest, hass: HomeAssistant, sim: Simulator, callback_url: str
) -> MockConfigEntry:
    """Return an entry that gets deliveries, and one that has to poll."""
    return await set_up_with_rare_polls(
        hass, sim, callback_url if request.param == "webhook" else None
    )
