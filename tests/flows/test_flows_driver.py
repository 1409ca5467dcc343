"""A driver's log-in: set-up, reauthentication and reconfiguration against an identity provider."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
import time
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient
from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.core import Event, HomeAssistant
from homeassistant.data_entry_flow import EVENT_DATA_ENTRY_FLOW_PROGRESSED, FlowResultType
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.config_entry_oauth2_flow import MY_AUTH_CALLBACK_PATH
from homeassistant.helpers.network import NoURLAvailableError
import pytest
from yarl import URL

from custom_components.jedlix.const import DOMAIN
from custom_components.jedlix.diagnostics import async_get_config_entry_diagnostics
from custom_components.jedlix.flows import linking
from custom_components.jedlix.flows.schemas import DEFAULT_SCOPE
from simulator.app import Simulator
from tests.dialogs import Dialog, label_of, to_users
from tests.drivers import answers, choose
from tests.push.tools import poll_after
from tests.servers import closed_port
from tests.simulators import StartSimulator
from tests.tools import Clock, make_entry, set_up, state_of, until

type Home = TestClient[web.Request, web.Application]
type LogIn = Callable[..., Awaitable[Dialog]]

POLL = timedelta(minutes=5)


@pytest.fixture(autouse=True)
def my_home_assistant(hass: HomeAssistant) -> None:
    """Load the integration that gives every Home Assistant the same address to come back to."""
    hass.config.components.add("my")


@pytest.fixture
def log_in(home: Home, sim: Simulator) -> LogIn:
    """Return what does at the provider's page, and on the way back, what a browser does."""

    async def log_in(dialog: Dialog, user: int | None = 0, token: str = "jwt") -> Dialog:
        chosen = {"refuse": "true"} if user is None else {"user": sim.user_ids[user]}
        back = await choose(dialog.external_page, token=token, **chosen)
        assert str(back.with_query(None)) == MY_AUTH_CALLBACK_PATH
        answer = await home.get("/auth/external/callback", params=back.query)
        assert (answer.status, "window.close" in await answer.text()) == (200, True)
        return await dialog.come_back()

    return log_in


@pytest.fixture
async def sim(start_simulator: StartSimulator) -> Simulator:
    return await start_simulator(users=2)


async def to_driver(hass: HomeAssistant) -> Dialog:
    """Open the dialog and choose the log-in of a driver."""
    return await (await Dialog.set_up(hass)).choose("driver")


async def add_driver(hass: HomeAssistant, sim: Simulator, log_in: LogIn) -> ConfigEntry:
    """Add the log-in of the first driver."""
    return (await log_in(await (await to_driver(hass)).send(**answers(sim.url)))).entry


def calls(sim: Simulator) -> set[str]:
    """Return the paths that were called."""
    return {request.path.partition("?")[0] for request in sim.requests}


# -- set-up ------------------------------------------------------------------------------------------------


async def test_a_driver_logs_in_and_sees_the_car(
    hass: HomeAssistant, sim: Simulator, log_in: LogIn
) -> None:
    dialog = await to_driver(hass)
    assert dialog.placeholders["redirect"] == MY_AUTH_CALLBACK_PATH
    assert "offline_access read:vehicle" in dialog.shown["scope"]
    await dialog.send(
        **answers(sim.url, client_secret=" secret ") | {"scope": dialog.shown["scope"]}
    )
    asked = URL(dialog.external_page).query
    assert (asked["client_id"], asked["audience"], asked["scope"]) == (
        "app",
        sim.url,
        dialog_scope := "offline_access read:vehicle read:charginglocations read:charger "
        "create:connectsession read:connectsession",
    )
    assert (asked["code_challenge_method"], "prompt" in asked) == ("S256", False)
    await log_in(dialog)
    entry, user_id = dialog.entry, sim.user_ids[0]
    host = sim.url.removeprefix("http://")
    assert (entry.title, entry.unique_id) == (f"Jedlix {host}", f"{host}/user/{user_id}")
    token = entry.data["token"]
    assert token["expires_at"] == pytest.approx(time.time() + 86400, abs=60)
    assert dict(entry.data) == {
        "environment": "custom",
        "base_url": sim.url,
        "authorize_url": f"{sim.url}/provider/authorize",
        "token_url": f"{sim.url}/provider/token",
        "client_id": "app",
        "client_secret": "secret",
        "scope": dialog_scope,
        "audience": sim.url,
        "api_key": "key",
        "callback": "none",
        "user_id": user_id,
        "token": token,
    }
    (subentry,) = entry.subentries.values()
    car = sim.world.users[user_id].vehicle
    assert car is not None
    assert (subentry.unique_id, subentry.title) == (
        user_id,
        f"{car.brand} {car.model} · {user_id[:8]}",
    )
    assert label_of(sim, user_id).startswith(subentry.title.partition(" · ")[0])
    assert entry.state is ConfigEntryState.LOADED
    assert state_of(hass, f"{car.id}_charge_state") == "disconnected"
    sim.plug(car.id)
    await entry.runtime_data.coordinator.async_refresh()
    assert state_of(hass, f"{car.id}_plugged_in") == "on"
    # Nothing was asked of Jedlix that is not about this driver, and nothing was refused.
    asked_of_jedlix = {path for path in calls(sim) if path.startswith("/api/")}
    assert all(path.startswith(f"/api/v1/users/{user_id}/") for path in asked_of_jedlix)
    assert {request.status for request in sim.requests} == {200}


async def test_a_driver_links_the_car_again_with_the_gear(
    hass: HomeAssistant, sim: Simulator, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linking, "LOOK_INTERVAL", 0.01)
    dialog = await (await to_driver(hass)).send(**answers(sim.url, scope=DEFAULT_SCOPE))
    entry = (await log_in(dialog)).entry
    user = sim.world.users[sim.user_ids[0]]
    assert user.vehicle is not None
    sim.link(user.vehicle.id, connected=False)
    await entry.runtime_data.coordinator.async_refresh()
    assert state_of(hass, f"{user.vehicle.id}_vehicle_link") == "off"
    dialog = await (await Dialog.link(hass, entry, user.id)).send()
    (attempt,) = sim.linking.sessions
    sim.log_in(attempt)
    async with asyncio.timeout(10):
        while dialog.type is FlowResultType.SHOW_PROGRESS:
            await asyncio.sleep(0.01)
            await dialog.ask()
    assert dialog.reason == "linked"
    assert state_of(hass, f"{user.vehicle.id}_vehicle_link") == "on"


async def test_an_entry_of_a_driver_has_no_push_and_shows_none(
    hass: HomeAssistant, sim: Simulator, log_in: LogIn
) -> None:
    entry = await add_driver(hass, sim, log_in)
    registry = er.async_get(hass)
    of_account = {
        item.translation_key
        for item in er.async_entries_for_config_entry(registry, entry.entry_id)
        if item.config_subentry_id is None
    }
    assert of_account == {"not_offered"}
    assert not hass.data.get("webhook")
    options = await Dialog.options(hass, entry)
    assert (options.step, options.shown) == ("driver", {"poll_minutes": 5, "import_energy": True})
    await options.submit(poll_minutes=7, import_energy=False)
    assert dict(entry.options) == {"poll_minutes": 7, "import_energy": False}
    with pytest.raises(ServiceValidationError, match="no webhooks"):
        await hass.services.async_call(DOMAIN, "resubscribe", {}, blocking=True)
    await hass.services.async_call(DOMAIN, "catch_up", {}, blocking=True)
    # The account of a tenant beside it is tried.
    await set_up(hass, make_entry(sim, None, users=[]))
    with pytest.raises(ServiceValidationError, match="Push is off"):
        await hass.services.async_call(DOMAIN, "resubscribe", {}, blocking=True)
    diagnostics = await async_get_config_entry_diagnostics(hass, entry)
    assert (diagnostics["log_in"], diagnostics["push"]) == ("driver", None)
    assert diagnostics["api"]["calls"]["sessions"]["offered"] == "no"
    assert diagnostics["api"]["push_state"] == "off"
    assert "/webhooks/" not in " ".join(calls(sim))
    assert "Driver" not in str(diagnostics)
    secrets = [value for value in sim.tokens.given if value in str(diagnostics)]
    assert secrets == []


async def test_a_log_in_that_comes_to_nothing_is_explained_in_the_form(
    hass: HomeAssistant, sim: Simulator, log_in: LogIn
) -> None:
    """One dialog, all that can go wrong at the provider, and at last the entry."""
    dialog = await to_driver(hass)
    for sent, done, error in (
        ({}, {"user": None}, "log_in_refused"),
        ({}, {"token": "opaque"}, "no_jwt"),
        ({"audience": ""}, {}, "no_jwt"),
        ({}, {"token": "no_claim"}, "no_user_claim"),
        ({"scope": "read:vehicle"}, {}, "no_refresh_token"),
        ({"scope": "offline_access"}, {}, "scope_missing"),
        ({"audience": "https://elsewhere"}, {}, "token_not_accepted"),
        ({"client_secret": "wrong"}, {}, "provider_refused"),
        ({"token_url": closed_port()}, {}, "provider_away"),
        ({"token_url": f"{sim.url}/web/end"}, {}, "no_token_address"),
        ({"base_url": closed_port()}, {}, "cannot_connect"),
    ):
        await dialog.send(**answers(sim.url) | sent)
        await log_in(dialog, **done)
        assert (dialog.step, dialog.errors) == ("driver", {"base": error})
        assert "client_secret" not in dialog.shown
    sim.strike({"kind": "status", "endpoints": ["vehicles"], "status": 404, "times": 1})
    await dialog.send(**answers(sim.url))
    await log_in(dialog)
    assert dialog.errors == {"base": "unknown_user"}
    assert dialog.placeholders["user"] == sim.user_ids[0]
    await dialog.send()
    assert (await log_in(dialog)).entry.state is ConfigEntryState.LOADED


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        ({"base_url": ""}, {"base_url": "invalid_url"}),
        ({"authorize_url": "login"}, {"authorize_url": "invalid_url"}),
        ({"token_url": "http://8.8.8.8/t"}, {"token_url": "http_not_private"}),
    ],
)
async def test_addresses_are_checked_before_a_page_is_opened(
    hass: HomeAssistant, sim: Simulator, changes: dict[str, str], errors: dict[str, str]
) -> None:
    dialog = await to_driver(hass)
    await dialog.submit(**answers(sim.url) | changes)
    assert (dialog.step, dialog.errors) == ("driver", errors)
    await dialog.send(**answers(sim.url))
    assert dialog.external_page


async def test_a_documented_environment_needs_no_address_of_the_api(
    hass: HomeAssistant, sim: Simulator, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    environments = "custom_components.jedlix.flows.schemas.ENVIRONMENTS"
    monkeypatch.setattr(environments, {"demo": sim.url, "production": "https://jedlix.invalid"})
    dialog = await to_driver(hass)
    await dialog.send(**answers(sim.url, environment="demo", base_url=""))
    entry = (await log_in(dialog)).entry
    assert (entry.title, entry.data["base_url"]) == ("Jedlix demo", sim.url)


def no_url(_hass: HomeAssistant, **_more: bool) -> str:
    """Fail as where Home Assistant knows no address of its own."""
    raise NoURLAvailableError


async def test_the_address_to_come_back_to(
    hass: HomeAssistant, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is My Home Assistant's, else the frontend's, else that of the settings."""
    hass.config.components.remove("my")
    with monkeypatch.context() as patched:
        patched.setattr("custom_components.jedlix.flows.driver.get_url", no_url)
        dialog = await to_driver(hass)
        assert dialog.errors == {"base": "no_redirect"}
        await dialog.submit(**answers(sim.url))
        assert dialog.errors == {"base": "no_redirect"}
    await hass.config.async_update(external_url="https://home.example")
    await dialog.send(**answers(sim.url))
    assert (
        URL(dialog.external_page).query["redirect_uri"]
        == "https://home.example/auth/external/callback"
    )
    sim.provider.redirects = frozenset({MY_AUTH_CALLBACK_PATH})
    with pytest.raises(Exception, match="400"):
        await choose(dialog.external_page, user=sim.user_ids[0])
    await dialog.close()


async def test_nobody_is_followed_twice(hass: HomeAssistant, sim: Simulator, log_in: LogIn) -> None:
    first = await add_driver(hass, sim, log_in)
    again = await log_in(await (await to_driver(hass)).send(**answers(sim.url)))
    assert again.reason == "already_configured"
    account = await (await to_users(hass, sim)).submit(users=sim.user_ids[1:])
    await account.submit(callback="none")
    other = await (await to_driver(hass)).send(**answers(sim.url))
    await log_in(other, user=1)
    assert other.errors == {"base": "followed_elsewhere"}
    assert other.placeholders["user"] == sim.user_ids[1]
    assert hass.config_entries.async_entries(DOMAIN) == [first, account.entry]


async def test_a_removed_driver_is_followed_again_without_a_question(
    hass: HomeAssistant, sim: Simulator, log_in: LogIn
) -> None:
    entry = await add_driver(hass, sim, log_in)
    assert (await Dialog.add_user(hass, entry)).reason == "already_configured"
    (subentry_id,) = entry.subentries
    hass.config_entries.async_remove_subentry(entry, subentry_id)
    await hass.async_block_till_done()
    dialog = await Dialog.add_user(hass, entry)
    assert dialog.type is FlowResultType.CREATE_ENTRY
    assert {item.unique_id for item in entry.subentries.values()} == {sim.user_ids[0]}


async def test_a_dialog_whose_tab_slept_goes_on(
    hass: HomeAssistant,
    sim: Simulator,
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A tab that missed the event is asked again, until it goes on."""
    monkeypatch.setattr("custom_components.jedlix.flows.reminder.SHORTEST_PAUSE", 0.01)
    reminders: list[Event[Any]] = []
    dialog = await (await to_driver(hass)).send(**answers(sim.url))
    back = await choose(dialog.external_page, user=sim.user_ids[0])
    await home.get("/auth/external/callback", params=back.query)
    hass.bus.async_listen(EVENT_DATA_ENTRY_FLOW_PROGRESSED, reminders.append)
    await until(hass, lambda: len(reminders) > 2)
    assert (await dialog.come_back()).entry
    await asyncio.sleep(0.05)
    count = len(reminders)
    await asyncio.sleep(0.05)
    assert len(reminders) == count


# -- the log-in afterwards ---------------------------------------------------------------------------------


async def until_asked(
    hass: HomeAssistant, sim: Simulator, entry: ConfigEntry, clock: Clock
) -> None:
    """End the log-in at the provider and at Jedlix, and let polls pass until a new one is asked for."""
    sim.provider.end_log_ins()
    sim.strike({"token_expiry": True})
    for pause in (timedelta(0), POLL, POLL):
        assert not hass.config_entries.flow.async_progress()
        await poll_after(hass, clock, entry, pause)  # type: ignore[arg-type]


async def test_a_log_in_that_has_ended_is_asked_for_again_from_the_same_driver(
    hass: HomeAssistant, sim: Simulator, log_in: LogIn, clock: Clock
) -> None:
    entry = await add_driver(hass, sim, log_in)
    before = entry.data["token"]["log_in"]
    await until_asked(hass, sim, entry, clock)
    dialog = await Dialog.reauth(hass, entry)
    assert (dialog.step, dialog.placeholders["redirect"]) == (
        "driver_reauth",
        MY_AUTH_CALLBACK_PATH,
    )
    await dialog.send()
    await log_in(dialog, user=1)
    assert (dialog.step, dialog.errors) == ("driver_reauth", {"base": "wrong_driver"})
    assert dialog.placeholders["reason"] == sim.user_ids[1]
    await dialog.send()
    assert URL(dialog.external_page).query["prompt"] == "login"
    await log_in(dialog, user=None)
    assert dialog.errors == {"base": "log_in_refused"}
    await log_in(await dialog.send())
    assert dialog.reason == "reauth_successful"
    await until(hass, lambda: entry.state is ConfigEntryState.LOADED)
    assert entry.data["token"]["log_in"] != before
    assert entry.runtime_data.coordinator.last_update_success
    assert not hass.config_entries.flow.async_progress()


async def test_one_refusal_of_the_provider_is_no_reason_to_ask(
    hass: HomeAssistant, sim: Simulator, log_in: LogIn, clock: Clock
) -> None:
    entry = await add_driver(hass, sim, log_in)
    sim.strike({"token_expiry": True})
    refused = {"kind": "token_refused", "endpoints": ["user_token"], "status": 400, "times": 2}
    sim.strike(refused)
    await poll_after(hass, clock, entry, timedelta(0), POLL, POLL)  # type: ignore[arg-type]
    assert not hass.config_entries.flow.async_progress()
    assert entry.runtime_data.coordinator.last_update_success


async def test_a_renewal_reloads_nothing_and_survives_a_restart(
    hass: HomeAssistant, sim: Simulator, log_in: LogIn, hass_storage: dict[str, Any]
) -> None:
    entry = await add_driver(hass, sim, log_in)
    loaded, given = entry.runtime_data, dict(entry.data["token"])
    sim.strike({"token_expiry": True})
    await entry.runtime_data.coordinator.async_refresh()
    await hass.async_block_till_done()
    assert entry.runtime_data is loaded
    assert dict(entry.data["token"]) == given
    kept = hass_storage[f"{DOMAIN}.{entry.entry_id}.token"]["data"]
    assert kept["log_in"] == given["log_in"]
    assert kept["refresh_token"] != given["refresh_token"]
    # A restart begins with the renewed tokens: the first ones are no longer good.
    assert await hass.config_entries.async_reload(entry.entry_id)
    sim.strike({"token_expiry": True})
    await entry.runtime_data.coordinator.async_refresh()
    assert entry.runtime_data.coordinator.last_update_success
    await hass.config_entries.async_remove(entry.entry_id)
    assert f"{DOMAIN}.{entry.entry_id}.token" not in hass_storage


@pytest.mark.parametrize("content", [None, {"log_in": "another"}, {"log_in": None}, []])
async def test_a_file_that_says_nothing_leaves_the_tokens_of_the_log_in(
    hass: HomeAssistant,
    sim: Simulator,
    log_in: LogIn,
    hass_storage: dict[str, Any],
    content: object,
) -> None:
    entry = await add_driver(hass, sim, log_in)
    name = f"{DOMAIN}.{entry.entry_id}.token"
    if content == {"log_in": None}:
        content = {"log_in": entry.data["token"]["log_in"]}
    await hass.config_entries.async_unload(entry.entry_id)
    if content is not None:
        hass_storage[name] = {"version": 1, "minor_version": 1, "key": name, "data": content}
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert entry.runtime_data.coordinator.last_update_success


async def test_all_of_a_log_in_can_be_changed_but_the_driver(
    hass: HomeAssistant, sim: Simulator, log_in: LogIn
) -> None:
    dialog = await (await to_driver(hass)).send(**answers(sim.url, client_secret="secret"))
    entry = (await log_in(dialog)).entry
    dialog = await Dialog.reconfigure(hass, entry)
    assert dialog.step == "driver"
    assert dialog.shown["authorize_url"] == f"{sim.url}/provider/authorize"
    sim.settings = replace(sim.settings, client_secret="new")
    sim.provider._client_secret = "new"
    await dialog.send(scope="offline_access read:vehicle")
    await log_in(dialog)
    assert dialog.errors == {"base": "provider_refused"}
    await dialog.send(client_secret="new")
    await log_in(dialog, user=1)
    assert dialog.errors == {"base": "wrong_driver"}
    await log_in(await dialog.send(client_secret="new"))
    assert dialog.reason == "reconfigure_successful"
    await until(hass, lambda: entry.state is ConfigEntryState.LOADED)
    assert (entry.data["scope"], entry.data["client_secret"], entry.data["api_key"]) == (
        *("offline_access read:vehicle", "new", "key"),
    )
    assert entry.unique_id == f"{sim.url.removeprefix('http://')}/user/{sim.user_ids[0]}"


async def test_a_log_in_that_is_moved_may_not_become_that_of_another_entry(
    hass: HomeAssistant, sim: Simulator, log_in: LogIn, start_simulator: StartSimulator
) -> None:
    entry = await add_driver(hass, sim, log_in)
    (subentry_id,) = entry.subentries
    hass.config_entries.async_remove_subentry(entry, subentry_id)
    elsewhere = await start_simulator(users=2)
    assert elsewhere.user_ids == sim.user_ids
    moved = await add_driver(hass, elsewhere, log_in)
    dialog = await (await Dialog.reconfigure(hass, moved)).send(**answers(sim.url))
    await log_in(dialog)
    assert dialog.errors == {"base": "account_taken"}
