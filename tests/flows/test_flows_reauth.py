"""Reauthentication: new credentials after Jedlix refused the old ones."""

from datetime import timedelta
from typing import Final

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.const import DOMAIN
from simulator.app import Simulator
from tests.dialogs import Dialog, change_secret, wait_until_connected
from tests.push.tools import poll_after
from tests.tools import Clock, make_entry, set_up, state_of

POLL: Final = timedelta(minutes=5)


async def refuse_credentials(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, clock: Clock
) -> None:
    """Have Jedlix refuse the credentials until new ones are asked for."""
    change_secret(sim, "new")
    for pause in (timedelta(0), POLL, POLL):
        assert requests(hass) == []
        await poll_after(hass, clock, entry, pause)
    assert requests(hass) == [SOURCE_REAUTH]


def requests(hass: HomeAssistant) -> list[str]:
    """Return the requests for new credentials that are open."""
    return [
        flow["context"]["source"]
        for flow in hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    ]


async def test_an_entry_that_could_not_start_starts_with_the_right_secret(
    hass: HomeAssistant, sim: Simulator, callback_url: str, clock: Clock
) -> None:
    entry = make_entry(sim, callback_url)
    change_secret(sim, "new")
    await set_up(hass, entry)
    for _ in range(2):
        assert entry.state is ConfigEntryState.SETUP_RETRY
        clock.go_on(timedelta(minutes=5))
        await hass.config_entries.async_reload(entry.entry_id)
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
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, clock: Clock, secret: str
) -> None:
    """Also with the same secret: Jedlix may have refused it for a while."""
    before = entry.runtime_data
    await refuse_credentials(hass, sim, entry, clock)
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


@pytest.mark.parametrize("answers", [{}, {"remove_api_key": True}], ids=["kept", "removed"])
async def test_what_is_left_empty_stays_and_the_api_key_can_be_removed(
    hass: HomeAssistant,
    sim: Simulator,
    entry: MockConfigEntry,
    clock: Clock,
    answers: dict[str, bool],
) -> None:
    await refuse_credentials(hass, sim, entry, clock)
    dialog = await Dialog.reauth(hass, entry)
    await dialog.submit(client_secret="wrong", api_key="wrong")
    assert dialog.errors == {"base": "invalid_auth"}
    change_secret(sim, "secret")
    await dialog.submit(**answers)
    assert dialog.reason == "reauth_successful"
    assert entry.data["client_secret"] == "secret"
    assert entry.data["api_key"] == (None if answers else "key")
    assert entry.state is ConfigEntryState.LOADED


async def test_a_good_answer_withdraws_the_request_and_nobody_has_to_act(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, clock: Clock
) -> None:
    await refuse_credentials(hass, sim, entry, clock)
    change_secret(sim, "secret")
    await poll_after(hass, clock, entry, POLL)
    assert requests(hass) == []
    assert entry.runtime_data.coordinator.last_update_success
    assert state_of(hass, "_charge_state") == "disconnected"


@pytest.mark.parametrize(
    "pauses", [[0, 1, 1, 1, 1, 1, 1], [0, 60]], ids=["many within minutes", "two within an hour"]
)
async def test_refusals_count_only_when_they_are_several_over_some_minutes(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, clock: Clock, pauses: list[int]
) -> None:
    change_secret(sim, "new")
    await poll_after(hass, clock, entry, *[timedelta(minutes=pause) for pause in pauses])
    assert not entry.runtime_data.coordinator.last_update_success
    assert requests(hass) == []


async def test_one_refusal_that_passes_is_no_reason_to_ask(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, clock: Clock
) -> None:
    """Not even when it comes back again and again: only polls in a row count."""
    for _ in range(4):
        change_secret(sim, "new")
        await poll_after(hass, clock, entry, POLL, POLL)
        change_secret(sim, "secret")
        await poll_after(hass, clock, entry, POLL)
    assert requests(hass) == []
