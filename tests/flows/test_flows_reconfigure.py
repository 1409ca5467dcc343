"""Reconfiguration: another callback for the same account, and nothing left at the old one."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.api.offered import Experience
from custom_components.jedlix.const import (
    CONF_EVENT_TYPES,
    DOCUMENTED_EVENT_TYPES,
    DOMAIN,
    USER_CREATED,
)
from custom_components.jedlix.flows.schemas import ENVIRONMENTS, account_title
from custom_components.jedlix.push.subscriptions import HeldSubscriptions
from simulator.app import Simulator
from tests.dialogs import (
    Dialog,
    call_of,
    change_secret,
    subscriptions,
    to_callback,
    to_webhook,
    wait_until_connected,
    webhook_ids,
)
from tests.servers import HomeAssistantCloud, closed_port, reverse_proxy
from tests.simulators import StartSimulator
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
        await until(hass, lambda: entry.runtime_data.push.health.received == 1)
        await hass.config_entries.async_unload(entry.entry_id)


async def to_credentials(hass: HomeAssistant, entry: MockConfigEntry) -> Dialog:
    """Open "Reconfigure" and go to the credentials."""
    dialog = await (await Dialog.reconfigure(hass, entry)).choose("credentials")
    assert dialog.shown == {"client_id": entry.data["client_id"], "remove_api_key": False}
    return dialog


@pytest.mark.parametrize(
    ("answers", "secret", "key"),
    [
        ({}, "secret", "key"),
        ({"client_secret": " new\n"}, "new", "key"),
        ({"api_key": "other"}, "secret", "other"),
        ({"client_secret": "new", "api_key": "other", "remove_api_key": True}, "new", "other"),
        ({"client_secret": "new", "remove_api_key": True}, "new", None),
    ],
)
async def test_what_is_left_empty_stays_and_push_is_not_touched(
    hass: HomeAssistant,
    sim: Simulator,
    entry: MockConfigEntry,
    answers: dict[str, Any],
    secret: str,
    key: str | None,
) -> None:
    before, at_jedlix = dict(entry.data), list(subscriptions(sim))
    sim.settings = replace(sim.settings, api_key=key or "")
    change_secret(sim, secret)
    dialog = await to_credentials(hass, entry)
    assert (await dialog.submit(**answers)).reason == "reconfigure_successful"
    assert dict(entry.data) == before | {"client_secret": secret, "api_key": key}
    await wait_until_connected(hass, entry)
    assert subscriptions(sim) == at_jedlix


async def test_a_wrong_secret_is_not_kept_for_the_next_try(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    dialog = await to_credentials(hass, entry)
    await dialog.submit(client_secret="wrong")
    assert (dialog.step, dialog.errors) == ("credentials", {"base": "invalid_auth"})
    assert (await dialog.submit()).reason == "reconfigure_successful"
    assert entry.data["client_secret"] == "secret"


async def test_other_credentials_that_see_the_followed_users_are_accepted(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    entry.runtime_data.store.learned_calls["sessions"] = Experience(refusals=3)
    dialog = await to_credentials(hass, entry)
    await dialog.submit(client_id="another client")
    assert dialog.step == "webhook"
    assert (await dialog.submit()).reason == "reconfigure_successful"
    assert entry.unique_id == f"{sim.url.removeprefix('http://')}/another client"
    assert entry.data["client_id"] == "another client"
    await wait_until_connected(hass, entry)
    assert {item.url for item in subscriptions(sim)} == {
        f"{entry.data['callback_url']}/api/webhook/{entry.data['webhook_id']}"
    }
    assert entry.runtime_data.store.learned_calls["sessions"].refusals == 0


async def test_another_host_that_sees_the_followed_users_is_accepted(
    hass: HomeAssistant,
    sim: Simulator,
    entry: MockConfigEntry,
    start_simulator: StartSimulator,
) -> None:
    moved = await start_simulator(client_secret="other")  # its users have the same ids
    hass.config_entries.async_update_entry(entry, title=account_title(entry.data))
    await hass.async_block_till_done()
    dialog = await (await Dialog.reconfigure(hass, entry)).choose("environment")
    assert dialog.shown == {"environment": "custom"}
    await dialog.submit()
    assert dialog.shown["base_url"] == sim.url
    await dialog.submit(base_url=moved.url, token_url=f"{moved.url}/oauth/token")
    assert (dialog.step, dialog.errors) == ("credentials", {"base": "invalid_auth"})
    assert dialog.placeholders["host"] == moved.url.removeprefix("http://")
    await dialog.submit(client_secret="other")
    assert (await dialog.submit()).reason == "reconfigure_successful"
    assert entry.title == account_title({"environment": "custom", "base_url": moved.url})
    await wait_until_connected(hass, entry)
    assert subscriptions(sim) == []
    assert {item.event_type for item in subscriptions(moved)} >= set(DOCUMENTED_EVENT_TYPES)
    (user_id,) = sim.user_ids
    assert entry.runtime_data.store.users[user_id].failing_since is None


async def test_an_account_that_does_not_see_a_followed_user_is_refused(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, start_simulator: StartSimulator
) -> None:
    before = dict(entry.data)
    stranger = await start_simulator(seed=2)
    dialog = await (await Dialog.reconfigure(hass, entry)).choose("environment")
    await dialog.submit()
    await dialog.submit(base_url=stranger.url, token_url=f"{stranger.url}/oauth/token")
    assert (dialog.step, dialog.errors) == ("credentials", {"base": "users_not_seen"})
    (subentry,) = entry.subentries.values()
    assert dialog.placeholders["user"] == subentry.title
    stranger.strike({"kind": "status", "status": 503, "endpoints": ["vehicles"]})
    await dialog.submit()
    assert dialog.errors == {"base": "cannot_connect"}
    await dialog.close()
    assert dict(entry.data) == before
    assert entry.state is ConfigEntryState.LOADED


async def test_an_account_of_another_entry_is_refused(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    MockConfigEntry(
        domain=DOMAIN, unique_id=f"{sim.url.removeprefix('http://')}/taken"
    ).add_to_hass(hass)
    dialog = await to_credentials(hass, entry)
    await dialog.submit(client_id="taken")
    assert (dialog.step, dialog.errors) == ("credentials", {"base": "account_taken"})


@pytest.mark.parametrize(
    ("environment", "is_known"), [("demo", True), ("demo", False), ("production", True)]
)
async def test_a_documented_environment_is_tried_with_the_known_credentials(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
    environment: str,
    is_known: bool,
) -> None:
    tried = []

    async def errors(_hass: HomeAssistant, data: Mapping[str, Any]) -> dict[str, str]:
        tried.append((data["base_url"], data["client_secret"]))
        return {} if is_known else {"base": "forbidden"}

    async def none_unseen(*_: object) -> tuple[dict[str, str], str]:
        return {}, ""

    monkeypatch.setattr("custom_components.jedlix.config_flow.credentials_errors", errors)
    monkeypatch.setattr("custom_components.jedlix.config_flow.other_account_errors", none_unseen)
    dialog = await (await Dialog.reconfigure(hass, entry)).choose("environment")
    await dialog.submit(environment=environment)
    assert tried == [(ENVIRONMENTS[environment], "secret")]
    assert dialog.step == ("webhook" if is_known else "credentials")


async def test_an_environment_that_cannot_be_reached_says_so(
    hass: HomeAssistant, entry: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def errors(*_: object) -> dict[str, str]:
        return {"base": "cannot_connect"}

    monkeypatch.setattr("custom_components.jedlix.config_flow.credentials_errors", errors)
    dialog = await (await Dialog.reconfigure(hass, entry)).choose("environment")
    await dialog.submit(environment="demo")
    assert (dialog.step, dialog.errors) == ("environment", {"base": "cannot_connect"})


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
    assert "The webhook subscriptions could not be deleted at Jedlix" in caplog.text
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
