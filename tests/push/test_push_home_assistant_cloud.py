"""Home Assistant Cloud as the callback: it connects late, disconnects, is signed out, loses its hooks."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

from homeassistant.core import HomeAssistant
import pytest

from custom_components.jedlix.const import CONF_EVENT_TYPES
from custom_components.jedlix.push import registration
from custom_components.jedlix.push.health import PushState
from simulator.app import Simulator
from tests.push.tools import (
    ends_healthy,
    has_problem,
    poll_after,
    reaches,
    registration_calls,
    repairs_of,
    set_up_callback,
    types_at,
    urls_at,
)
from tests.servers import HomeAssistantCloud, home_assistant_cloud
from tests.tools import WEBHOOK_ID, Clock, state_of, until

POLL: Final = timedelta(minutes=5)


@pytest.fixture
async def cloud(
    hass: HomeAssistant, callback_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[HomeAssistantCloud]:
    """Return a Home Assistant Cloud."""
    async with home_assistant_cloud(hass, monkeypatch, callback_url) as cloud:
        yield cloud


@pytest.mark.parametrize("callback", ["auto", "cloud"])
async def test_a_cloud_that_connects_late_is_waited_for_with_a_repair_after_an_hour(
    hass: HomeAssistant, sim: Simulator, cloud: HomeAssistantCloud, clock: Clock, callback: str
) -> None:
    cloud.is_connected = False
    entry = await set_up_callback(hass, sim, callback)
    await has_problem(hass, entry, "cloud_away")
    assert state_of(hass, "_push_state") == "connecting"
    await poll_after(hass, clock, entry, *[POLL] * 11)
    assert repairs_of(hass) == []  # a slow start of the cloud needs no repair
    await poll_after(hass, clock, entry, *[POLL] * 2)
    assert repairs_of(hass) == ["no_public_url"]
    assert urls_at(sim) == set()
    cloud.connect()
    await ends_healthy(hass, sim, entry)
    assert urls_at(sim) == {f"{cloud.url}/hook-1"}
    assert state_of(hass, "_callback") == "cloud"


async def test_a_cloud_that_connects_without_a_word_is_found_at_the_next_try(
    hass: HomeAssistant, sim: Simulator, cloud: HomeAssistantCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registration, "MIN_RETRY_INTERVAL", 0.05)
    cloud.is_connected = False
    entry = await set_up_callback(hass, sim, "cloud")
    await has_problem(hass, entry, "cloud_away")
    cloud.is_connected = True
    await ends_healthy(hass, sim, entry)


async def test_a_cloud_that_disconnects_for_a_moment_moves_nothing(
    hass: HomeAssistant, sim: Simulator, cloud: HomeAssistantCloud, callback_url: str
) -> None:
    await hass.config.async_update(external_url=callback_url)
    entry = await set_up_callback(hass, sim, "auto")
    await ends_healthy(hass, sim, entry)
    registered = urls_at(sim)
    assert registered == {f"{cloud.url}/hook-1"}
    before = len(registration_calls(sim))
    cloud.disconnect()
    await reaches(hass, entry, PushState.CONNECTING)
    assert state_of(hass, "_push", "binary_sensor") == "off"
    cloud.connect()
    await ends_healthy(hass, sim, entry)
    assert registration_calls(sim)[before:] == ["GET 200"]
    assert urls_at(sim) == registered
    # The same holds over a restart of Home Assistant, where the cloud connects last.
    cloud.disconnect()
    await hass.config_entries.async_reload(entry.entry_id)
    await has_problem(hass, entry, "cloud_away")
    assert urls_at(sim) == registered
    cloud.connect()
    await ends_healthy(hass, sim, entry)
    assert urls_at(sim) == registered


async def test_after_a_sign_out_jedlix_calls_the_external_address(
    hass: HomeAssistant, sim: Simulator, cloud: HomeAssistantCloud, callback_url: str
) -> None:
    await hass.config.async_update(external_url=callback_url)
    entry = await set_up_callback(hass, sim, "auto")
    await reaches(hass, entry, PushState.WAITING)
    assert urls_at(sim) == {f"{cloud.url}/hook-1"}
    cloud.sign_out()
    await until(hass, lambda: urls_at(sim) == {f"{callback_url}/api/webhook/{WEBHOOK_ID}"})
    await ends_healthy(hass, sim, entry)
    assert state_of(hass, "_callback") == "external"
    assert types_at(sim) == set(entry.options[CONF_EVENT_TYPES])


@pytest.mark.parametrize("callback", ["auto", "cloud"])
async def test_after_a_sign_out_without_another_address_a_repair_is_shown(
    hass: HomeAssistant, sim: Simulator, cloud: HomeAssistantCloud, clock: Clock, callback: str
) -> None:
    entry = await set_up_callback(hass, sim, callback)
    await reaches(hass, entry, PushState.WAITING)
    cloud.sign_out()
    await reaches(hass, entry, PushState.FAILING)
    await poll_after(hass, clock, entry, *[POLL] * 2)
    assert repairs_of(hass) == ["no_public_url"]
    cloud.is_subscribed = True
    cloud.connect()
    await ends_healthy(hass, sim, entry)


async def test_a_deleted_cloudhook_is_replaced(
    hass: HomeAssistant, sim: Simulator, cloud: HomeAssistantCloud
) -> None:
    entry = await set_up_callback(hass, sim, "auto")
    await reaches(hass, entry, PushState.WAITING)
    assert urls_at(sim) == {f"{cloud.url}/hook-1"}
    cloud.delete_hooks()
    await until(hass, lambda: urls_at(sim) == {f"{cloud.url}/hook-2"})
    await ends_healthy(hass, sim, entry)
    assert types_at(sim) == set(entry.options[CONF_EVENT_TYPES])


async def test_the_cloudhook_of_another_home_is_left_alone(
    hass: HomeAssistant, sim: Simulator, cloud: HomeAssistantCloud
) -> None:
    """All homes have their cloudhooks at one host, and the users of one tenant see each other's."""
    others = sim.webhooks.create("userCreated", f"{cloud.url}/hook-9", "key", is_active=True)
    entry = await set_up_callback(hass, sim, "auto")
    await ends_healthy(hass, sim, entry)
    assert urls_at(sim) == {f"{cloud.url}/hook-1", others.url}


async def test_an_unloaded_entry_ignores_the_cloud_and_the_external_address(
    hass: HomeAssistant, sim: Simulator, cloud: HomeAssistantCloud
) -> None:
    entry = await set_up_callback(hass, sim, "auto")
    await reaches(hass, entry, PushState.WAITING)
    await hass.config_entries.async_unload(entry.entry_id)
    before = len(registration_calls(sim))
    cloud.disconnect()
    cloud.connect()
    cloud.delete_hooks()
    await hass.config.async_update(external_url="https://ha.example")
    await hass.async_block_till_done()
    assert len(registration_calls(sim)) == before
