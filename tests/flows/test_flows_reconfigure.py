"""Reconfiguration: another callback for the same account, and nothing left at the old one."""

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.const import CONF_EVENT_TYPES, DOCUMENTED_EVENT_TYPES, USER_CREATED
from custom_components.jedlix.push.subscriptions import HeldSubscriptions
from simulator.app import Simulator
from tests.dialogs import (
    Dialog,
    call_of,
    subscriptions,
    to_callback,
    to_webhook,
    wait_until_connected,
    webhook_ids,
)
from tests.servers import HomeAssistantCloud, closed_port, reverse_proxy
from tests.tools import make_entry, set_up, state_of, until


@pytest.mark.parametrize(
    "event_types", [[USER_CREATED], list(DOCUMENTED_EVENT_TYPES)], ids=["one type", "two types"]
)
@pytest.mark.parametrize(
    "absent", [[], ["subscriptions"]], ids=["with a list", "without a list of subscriptions"]
)
@pytest.mark.parametrize("is_loaded", [True, False], ids=["loaded", "not loaded"])
async def test_a_moved_callback_leaves_nothing_at_the_old_address(
    hass: HomeAssistant,
    sim: Simulator,
    callback_url: str,
    event_types: list[str],
    absent: list[str],
    is_loaded: bool,
) -> None:
    entry = make_entry(sim, callback_url, options={CONF_EVENT_TYPES: event_types})
    await set_up(hass, entry)
    await wait_until_connected(hass, entry)
    before = dict(entry.data)
    old = {item.url for item in subscriptions(sim)}
    if not is_loaded:
        await hass.config_entries.async_unload(entry.entry_id)
    sim.strike({"absent": absent})
    async with reverse_proxy(callback_url) as moved:
        dialog = await to_callback(hass, entry)
        assert dialog.shown == {"callback": "custom", "callback_url": callback_url}
        await dialog.submit(callback_url=moved)
        assert dialog.reason == "reconfigure_successful"
        await wait_until_connected(hass, entry)
        await until(hass, lambda: not old & {item.url for item in subscriptions(sim)})
        assert entry.data["callback_url"] == moved
        for rotated in ("webhook_id", "webhook_key"):
            assert entry.data[rotated] != before[rotated]
        path, headers = call_of(entry)
        assert sorted(item.event_type for item in subscriptions(sim)) == sorted(event_types)
        assert {item.url for item in subscriptions(sim)} == {moved + path}
        assert {f"Basic {item.api_key}" for item in subscriptions(sim)} == set(headers.values())
        held: HeldSubscriptions = entry.runtime_data.store.push.subscriptions
        assert sorted(held) == sorted(event_types)
        assert {item.url for item in held.values()} == {moved + path}
        assert webhook_ids(hass) == {entry.data["webhook_id"]}
        sim.add_user()
        await until(hass, lambda: state_of(hass, "_push_state") == "healthy")
        await hass.config_entries.async_unload(entry.entry_id)


async def test_another_tenant_is_refused(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    before = dict(entry.data)
    dialog = await Dialog.reconfigure(hass, entry)
    await dialog.submit(client_id="another client", client_secret="secret", api_key="key")
    assert (await dialog.submit()).reason == "wrong_account"
    assert dict(entry.data) == before
    assert entry.state is ConfigEntryState.LOADED


async def test_a_reconfiguration_that_is_closed_changes_nothing(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    before, at_jedlix = dict(entry.data), {item.id for item in subscriptions(sim)}
    dialog = await to_callback(hass, entry)
    await dialog.submit(callback_url=closed_port())
    assert dialog.errors == {"base": "not_reachable"}
    await dialog.close()
    assert dict(entry.data) == before
    assert {item.id for item in subscriptions(sim)} == at_jedlix
    assert webhook_ids(hass) == {entry.data["webhook_id"]}
    sim.add_user()
    await until(hass, lambda: state_of(hass, "_push_state") == "healthy")


async def test_an_old_subscription_that_cannot_be_deleted_is_logged_and_goes_later(
    hass: HomeAssistant,
    sim: Simulator,
    entry: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    dialog = await to_callback(hass, entry)
    await dialog.send()
    await hass.async_block_till_done()
    sim.strike({"outage_seconds": 3600.0})
    assert (await dialog.after_progress()).reason == "reconfigure_successful"
    assert "The old webhook subscriptions could not be deleted at Jedlix" in caplog.text
    sim.outage_until = 0.0
    await hass.config_entries.async_reload(entry.entry_id)
    await wait_until_connected(hass, entry)
    assert len(subscriptions(sim, USER_CREATED)) == 1


async def test_push_can_be_switched_off(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    dialog = await to_callback(hass, entry)
    assert (await dialog.submit(callback="none")).reason == "reconfigure_successful"
    await until(hass, lambda: state_of(hass, "_push_state") == "off")
    await until(hass, lambda: not subscriptions(sim))


async def test_an_entry_that_waits_for_its_next_start_starts_at_once(
    hass: HomeAssistant, sim: Simulator, callback_url: str
) -> None:
    entry = make_entry(sim, callback_url)
    sim.strike({"outage_seconds": 3600.0})
    await set_up(hass, entry)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    sim.outage_until = 0.0
    dialog = await to_callback(hass, entry)
    assert (await dialog.submit()).reason == "reconfigure_successful"
    await wait_until_connected(hass, entry)
    assert len(subscriptions(sim, USER_CREATED)) == 1


async def test_cloudhooks_change_only_when_the_reconfiguration_is_done(
    hass: HomeAssistant, sim: Simulator, cloud: HomeAssistantCloud
) -> None:
    entry = (await (await to_webhook(hass, sim)).submit(callback="auto")).entry
    await wait_until_connected(hass, entry)
    old = entry.data["webhook_id"]
    await (await Dialog.reconfigure(hass, entry)).close()
    assert list(cloud.hooks) == [old]
    dialog = await to_callback(hass, entry)
    assert len(cloud.hooks) == 2
    await dialog.close()
    assert list(cloud.hooks) == [old]
    dialog = await to_callback(hass, entry)
    assert (await dialog.submit()).reason == "reconfigure_successful"
    await wait_until_connected(hass, entry)
    assert list(cloud.hooks) == [entry.data["webhook_id"]] != [old]
