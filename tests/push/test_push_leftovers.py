"""Leftovers: what an entry left at Jedlix that was removed while the integration was not there."""

from pathlib import Path

from aiohttp.web import Request, Response
from homeassistant.components import webhook
from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.const import CONF_WEBHOOK_ID
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.const import DOMAIN, USER_CREATED
from custom_components.jedlix.push.subscriptions import HeldSubscription
from custom_components.jedlix.store import JedlixStore
from simulator.app import Simulator
from tests.disk import hass_config_dir, hass_storage
from tests.push.tools import urls_at
from tests.tools import WEBHOOK_ID, set_up_with_push

__all__ = ["hass_config_dir", "hass_storage"]

CLOUDHOOK = "https://cloudhook.example/removed"
ELSEWHERE = "https://elsewhere.example/api/webhook/removed"


@pytest.fixture
async def file_of_a_removed_entry(hass: HomeAssistant) -> Path:
    """Return the file that an entry left behind. Home Assistant starts after this."""
    removed = JedlixStore(hass, "removed")
    removed.push.subscriptions[USER_CREATED] = HeldSubscription(CLOUDHOOK, "print")
    await removed.save()
    return Path(hass.config.path(".storage"), f"{DOMAIN}.removed")


async def test_a_new_entry_deletes_what_a_removed_one_left_and_nothing_else(
    hass: HomeAssistant, file_of_a_removed_entry: Path, sim: Simulator, callback_url: str
) -> None:
    at_home = f"{callback_url}/api/webhook/"
    kept = {ELSEWHERE, f"{at_home}of_another_integration", f"{at_home}of_a_disabled_entry"}
    for url in (CLOUDHOOK, f"{at_home}removed", *kept):
        sim.webhooks.create(USER_CREATED, url, "key", is_active=True)

    async def answer(_hass: HomeAssistant, _id: str, _request: Request) -> Response:
        return Response()

    webhook.async_register(hass, "other", "Another", "of_another_integration", answer)
    MockConfigEntry(
        domain=DOMAIN,
        data={CONF_WEBHOOK_ID: "of_a_disabled_entry"},
        disabled_by=ConfigEntryDisabler.USER,
    ).add_to_hass(hass)
    await set_up_with_push(hass, sim, callback_url)
    assert urls_at(sim) == {*kept, f"{at_home}{WEBHOOK_ID}"}
    assert not await hass.async_add_executor_job(file_of_a_removed_entry.exists)
