"""Set-up from the credentials to the entry. An error is corrected in the same dialog."""

from typing import Any

from aiohttp import web
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import EVENT_DATA_ENTRY_FLOW_PROGRESS_UPDATE, FlowResultType
import pytest
from pytest_homeassistant_custom_component.common import async_capture_events

from custom_components.jedlix.api import JedlixClient
from custom_components.jedlix.const import (
    DOMAIN,
    USER_CREATED,
    VEHICLE_READY,
)
from custom_components.jedlix.flows.choice import MAX_USERS_WITHOUT_PROGRESS
from custom_components.jedlix.flows.schemas import ENVIRONMENTS, TOKEN_URL
from simulator.app import Simulator
from tests.dialogs import (
    Dialog,
    addresses,
    credentials,
    label_of,
    subscriptions,
    to_account,
    to_custom,
    to_users,
    to_webhook,
    wait_until_connected,
)
from tests.servers import closed_port, listening
from tests.simulators import StartSimulator
from tests.tools import state_of, until


async def _page(_request: web.Request) -> web.Response:
    return web.Response(text="<html>It works!</html>")


async def finish(dialog: Dialog) -> None:
    """Go on with the only user, who is chosen already, to an entry without push."""
    assert dialog.step == "users", dialog.result
    await dialog.submit()
    await dialog.submit(callback="none")
    assert dialog.entry.state is ConfigEntryState.LOADED


async def test_from_credentials_to_a_car_with_push(
    hass: HomeAssistant, start_simulator: StartSimulator, callback_url: str
) -> None:
    sim = await start_simulator(users=2)
    dialog = await to_webhook(hass, sim)
    assert dialog.shown["callback"] == "auto"
    await dialog.submit(callback="custom", callback_url=callback_url + "/ ")
    entry = dialog.entry
    assert entry.title == f"Jedlix {sim.url.removeprefix('http://')}"
    assert entry.unique_id == f"{sim.url.removeprefix('http://')}/client"
    secrets = {key: entry.data[key] for key in ("webhook_id", "webhook_key")}
    assert all(len(secret) >= 43 for secret in secrets.values())
    assert dict(entry.data) == {
        "environment": "custom",
        "client_id": "client",
        "client_secret": "secret",
        "api_key": "key",
        "base_url": sim.url,
        "token_url": f"{sim.url}/oauth/token",
        "audience": sim.url,
        "callback": "custom",
        "callback_url": callback_url,
        **secrets,
    }
    assert dict(entry.options) == {"poll_minutes": 5}
    assert {
        (item.subentry_type, item.unique_id, item.data["user_id"], item.title)
        for item in entry.subentries.values()
    } == {("user", user_id, user_id, label_of(sim, user_id)) for user_id in sim.user_ids}
    await wait_until_connected(hass, entry)
    assert state_of(hass, "_push_state") == "waiting"
    assert len(subscriptions(sim, USER_CREATED)) == len(subscriptions(sim, VEHICLE_READY)) == 1
    assert len([item for item in sim.webhooks.deliveries if item.event_type == USER_CREATED]) == 1
    sim.add_user()
    await until(hass, lambda: state_of(hass, "_push_state") == "healthy")
    sim.plug(sim.vehicle_ids[0])
    await entry.runtime_data.coordinator.async_refresh()
    assert state_of(hass, f"{sim.vehicle_ids[0]}_plugged_in") == "on"


@pytest.mark.parametrize(
    ("environment", "title"), [("production", "Jedlix"), ("demo", "Jedlix demo")]
)
async def test_a_documented_environment_needs_no_addresses(
    hass: HomeAssistant,
    sim: Simulator,
    callback_url: str,
    monkeypatch: pytest.MonkeyPatch,
    environment: str,
    title: str,
) -> None:
    token_url = "custom_components.jedlix.flows.schemas.TOKEN_URL"
    monkeypatch.setitem(ENVIRONMENTS, environment, sim.url)
    monkeypatch.setattr(token_url, f"{sim.url}/oauth/token")
    dialog = await to_account(hass)
    assert dialog.shown == {"environment": "production"}
    right = {"environment": environment, "client_id": " client ", "client_secret": " secret\n"}
    await dialog.submit(**right | {"client_secret": "no"})
    assert (dialog.step, dialog.errors) == ("account", {"base": "invalid_auth"})
    kept = {"environment": environment, "client_id": "client", "remove_api_key": False}
    assert dialog.shown == kept
    monkeypatch.setattr(token_url, closed_port())
    await dialog.submit(**right)
    assert (dialog.step, dialog.errors) == ("account", {"base": "jedlix_unreachable"})
    assert dialog.shown == kept
    async with listening(_page) as elsewhere:
        monkeypatch.setattr(token_url, elsewhere)
        await dialog.submit()
        assert (dialog.step, dialog.errors) == ("account", {"base": "jedlix_unclear"})
    monkeypatch.setattr(token_url, f"{sim.url}/oauth/token")
    await dialog.submit()
    await dialog.submit()
    await dialog.submit(callback="custom", callback_url=callback_url)
    assert dialog.entry.title == title
    assert dialog.entry.data["environment"] == environment
    assert dialog.entry.data["api_key"] is None
    assert dialog.entry.data["client_secret"] == "secret"
    assert dialog.entry.data["audience"] == sim.url
    assert dialog.entry.unique_id == f"{sim.url.removeprefix('http://')}/client"


def test_the_documented_addresses() -> None:
    assert ENVIRONMENTS == {
        "production": "https://smartcharging.jedlix.com",
        "demo": "https://demo-smartcharging.jedlix.com",
    }
    assert TOKEN_URL == "https://jedlix-b2e.eu.auth0.com/oauth/token"


async def test_each_account_has_its_own_webhook_and_key(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    secrets = set()
    for tenant in range(2):
        sim = await start_simulator(seed=tenant)
        dialog = await (await to_webhook(hass, sim)).submit(callback="none")
        secrets |= {dialog.entry.data["webhook_id"], dialog.entry.data["webhook_key"]}
    assert len(secrets) == 4


async def test_an_account_is_set_up_only_once(hass: HomeAssistant, sim: Simulator) -> None:
    dialog = await (await to_webhook(hass, sim)).submit(callback="none")
    second = await (await to_custom(hass)).submit(**addresses(sim))
    assert second.reason == "already_configured"
    other = await to_account(hass)
    await other.submit(**credentials(client_id="another client"))
    assert (await other.submit(**addresses(sim))).step == "users"
    assert hass.config_entries.async_entries(DOMAIN) == [dialog.entry]


async def test_a_dialog_that_a_reload_of_the_page_left_open_does_not_block_the_next(
    hass: HomeAssistant, sim: Simulator
) -> None:
    await to_webhook(hass, sim)
    dialog = await (await to_webhook(hass, sim)).submit(callback="none")
    await until(hass, lambda: dialog.entry.state is ConfigEntryState.LOADED)
    assert not hass.config_entries.flow.async_progress_by_handler(DOMAIN)


# -- credentials and addresses -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entered", "faults", "error"),
    [
        ({"client_secret": "wrong"}, {}, "invalid_auth"),
        ({"api_key": "wrong"}, {}, "forbidden"),
        ({}, {"forbidden": ["sessions", "locations"]}, "forbidden"),
    ],
)
async def test_refused_credentials_are_corrected_in_the_form_where_they_were_entered(
    hass: HomeAssistant,
    sim: Simulator,
    entered: dict[str, str],
    faults: dict[str, Any],
    error: str,
) -> None:
    sim.strike(faults)
    right = credentials()
    dialog = await to_account(hass)
    await dialog.submit(**credentials(**entered))
    await dialog.submit(**addresses(sim))
    assert (dialog.step, dialog.errors) == ("account", {"base": error})
    kept = {"environment": "custom", "client_id": "client", "remove_api_key": False}
    assert dialog.shown == kept
    sim.faults.clear()
    await dialog.submit(**{key: right[key] for key in entered})  # only what was wrong
    assert (dialog.step, dialog.errors) == ("custom", {})
    assert dialog.shown == addresses(sim)
    await finish(await dialog.submit())


async def test_a_wrong_audience_is_forbidden_until_it_is_corrected(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(audience="https://audience/")
    dialog = await to_custom(hass)
    await dialog.submit(**addresses(sim), audience="https://elsewhere/")
    assert (dialog.step, dialog.errors) == ("account", {"base": "forbidden"})
    await dialog.submit(remove_api_key=True)
    assert dialog.shown == {**addresses(sim), "audience": "https://elsewhere/"}
    await dialog.submit(audience=" https://audience/ ")
    await finish(dialog)
    assert dialog.entry.data["audience"] == "https://audience/"
    assert dialog.entry.data["api_key"] is None


async def test_an_audience_that_was_not_entered_follows_the_corrected_address(
    hass: HomeAssistant, sim: Simulator
) -> None:
    nowhere = closed_port()
    dialog = await to_custom(hass)
    await dialog.submit(base_url=nowhere, token_url=f"{nowhere}/oauth/token")
    assert (dialog.step, dialog.errors) == ("custom", {"base": "cannot_connect"})
    assert dialog.shown == {"base_url": nowhere, "token_url": f"{nowhere}/oauth/token"}
    await finish(await dialog.submit(**addresses(sim)))
    assert dialog.entry.data["audience"] == sim.url


@pytest.mark.parametrize("status", [200, 302, 418])
async def test_a_host_that_is_not_jedlix(hass: HomeAssistant, sim: Simulator, status: int) -> None:
    async def page(_request: web.Request) -> web.Response:
        return web.Response(status=status, text="<html>It works!</html>")

    async with listening(page) as elsewhere:
        dialog = await to_custom(hass)
        await dialog.submit(**addresses(sim) | {"base_url": elsewhere, "audience": sim.url})
        assert (dialog.step, dialog.errors) == ("custom", {"base": "not_jedlix"})
        await dialog.submit(base_url=sim.url, token_url=elsewhere)
        assert (dialog.step, dialog.errors) == ("custom", {"base": "not_jedlix"})
    await finish(await dialog.submit(**addresses(sim)))


async def test_an_unexpected_error_is_shown_and_logged(
    hass: HomeAssistant,
    sim: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail(_client: JedlixClient) -> None:
        raise RuntimeError("the moon")

    dialog = await to_custom(hass)
    with monkeypatch.context() as patched:
        patched.setattr(JedlixClient, "check_access", fail)
        await dialog.submit(**addresses(sim))
    assert (dialog.step, dialog.errors) == ("custom", {"base": "unknown"})
    assert "the moon" in caplog.text
    await finish(await dialog.submit())


@pytest.mark.parametrize(
    ("base_url", "token_url", "errors"),
    [
        ("smartcharging.jedlix.com", None, {"base_url": "invalid_url"}),
        ("https:", "/oauth/token", {"base_url": "invalid_url", "token_url": "invalid_url"}),
        ("http://smartcharging.jedlix.com", None, {"base_url": "http_not_private"}),
        (
            "http://8.8.8.8",
            "http://jedlix.eu.auth0.com/oauth/token",
            {"base_url": "http_not_private", "token_url": "http_not_private"},
        ),
    ],
)
async def test_an_address_that_cannot_be_right_is_not_called(
    hass: HomeAssistant,
    sim: Simulator,
    base_url: str,
    token_url: str | None,
    errors: dict[str, str],
) -> None:
    dialog = await to_custom(hass)
    token_url = token_url or f"{sim.url}/oauth/token"
    await dialog.submit(base_url=base_url, token_url=token_url)
    assert (dialog.step, dialog.errors) == ("custom", errors)
    assert dialog.shown == {"base_url": base_url, "token_url": token_url}
    assert not sim.requests
    await finish(await dialog.submit(base_url=f" {sim.url}/ ", token_url=f"{sim.url}/oauth/token "))
    assert dialog.entry.data["base_url"] == sim.url
    assert dialog.entry.data["audience"] == sim.url


async def test_many_users_are_checked_while_the_dialog_shows_how_far_that_is(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(users=MAX_USERS_WITHOUT_PROGRESS + 1)
    shown = async_capture_events(hass, EVENT_DATA_ENTRY_FLOW_PROGRESS_UPDATE)
    dialog = await to_users(hass, sim)
    for chosen, step in (([*sim.user_ids[1:], "nobody"], "users"), (sim.user_ids, "webhook")):
        await dialog.send(users=chosen)
        assert dialog.type is FlowResultType.SHOW_PROGRESS
        assert dialog.placeholders == {"count": str(len(chosen))}
        await dialog.ask()  # a browser that asks too early
        while dialog.type is FlowResultType.SHOW_PROGRESS:
            await dialog.after_progress()
        assert dialog.step == step
        assert [event.data["progress"] for event in shown][-1] == 1.0
        assert len(shown) == len(chosen)
        shown.clear()
        if step == "users":
            assert dialog.errors == {"users": "unknown_user"}
            assert dialog.placeholders["user"] == "nobody"
            assert dialog.shown["users"] == chosen
