"""Reauthentication: new credentials after Jedlix refused the old ones."""

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.const import DOMAIN
from simulator.app import Simulator
from tests.dialogs import Dialog, change_secret, wait_until_connected
from tests.tools import make_entry, set_up, state_of


async def test_an_entry_that_could_not_start_starts_with_the_right_secret(
    hass: HomeAssistant, sim: Simulator, callback_url: str
) -> None:
    entry = make_entry(sim, callback_url)
    change_secret(sim, "new")
    await set_up(hass, entry)
    assert entry.state is ConfigEntryState.SETUP_ERROR
    dialog = await Dialog.reauth(hass, entry)
    assert dialog.placeholders["client_id"] == "client"
    await dialog.submit(client_secret="wrong", api_key="key")
    assert (dialog.step, dialog.errors) == ("reauth_confirm", {"base": "invalid_auth"})
    await dialog.submit(client_secret=" new\n", api_key=" key ")
    assert dialog.reason == "reauth_successful"
    await wait_until_connected(hass, entry)
    assert (entry.data["client_secret"], entry.data["api_key"]) == ("new", "key")
    assert not hass.config_entries.flow.async_progress()


@pytest.mark.parametrize("secret", ["new", "secret"])
async def test_a_loaded_entry_polls_again_after_new_credentials(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, secret: str
) -> None:
    """Also with the same secret: Jedlix may have refused it for a while, and polling had stopped."""
    change_secret(sim, "new")
    before = entry.runtime_data
    await before.coordinator.async_refresh()
    dialog = await Dialog.reauth(hass, entry)
    await dialog.submit(client_secret="secret", api_key="key")
    assert dialog.errors == {"base": "invalid_auth"}
    change_secret(sim, secret)
    await dialog.submit(client_secret=secret, api_key="key")
    assert dialog.reason == "reauth_successful"
    await wait_until_connected(hass, entry)
    assert entry.runtime_data is not before
    assert entry.runtime_data.coordinator.last_update_success
    assert state_of(hass, "_charge_state") == "disconnected"
    assert len(hass.config_entries.async_entries(DOMAIN)) == 1


async def test_an_api_key_that_is_left_empty_is_forgotten(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    change_secret(sim, "new")
    await entry.runtime_data.coordinator.async_refresh()
    await (await Dialog.reauth(hass, entry)).submit(client_secret="new")
    assert entry.data["api_key"] is None
    assert entry.state is ConfigEntryState.LOADED
