"""Setting up, as a person does it: each thing that can go wrong is told, and mended in the same dialog."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
import re
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.api import JedlixClient
from custom_components.jedlix.const import (
    CONF_EVENT_TYPES,
    DOCUMENTED_EVENT_TYPES,
    DOMAIN,
    USER_CREATED,
    VEHICLE_READY,
)
from custom_components.jedlix.flows.schemas import ENVIRONMENTS, TOKEN_URL
from custom_components.jedlix.push.subscriptions import HeldSubscriptions
from custom_components.jedlix.store import JedlixStore
from simulator.app import Simulator
from tests.flows import (
    Dialog,
    addresses,
    closed_port,
    credentials,
    door_of,
    doors,
    hurry,
    listening,
    message,
    reverse_proxy,
    subscriptions,
    to_custom,
    to_users,
    to_webhook,
)
from tests.tools import add_another_account, make_entry, set_up, state_of, until

type StartSimulator = Callable[..., Awaitable[Simulator]]


@pytest.fixture(autouse=True)
def no_waiting(home: TestClient[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


def is_settled(entry: Any) -> bool:
    """Return whether push of a loaded entry is registered."""
    return entry.state is ConfigEntryState.LOADED and entry.runtime_data.push.state in (
        "waiting",
        "healthy",
    )


def held_by(entry: Any) -> HeldSubscriptions:
    """Return what a loaded entry knows to have at Jedlix."""
    held: HeldSubscriptions = entry.runtime_data.store.push.subscriptions
    return held


def change_secret(sim: Simulator, secret: str) -> None:
    """Have Jedlix accept another secret from now on, and no token that was given before."""
    sim.settings = replace(sim.settings, client_secret=secret)
    sim.strike({"token_expiry": True})


# -- all goes well -----------------------------------------------------------------------------------------


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
    assert dict(entry.options) == {"event_types": list(DOCUMENTED_EVENT_TYPES), "poll_minutes": 5}
    assert {
        (item.subentry_type, item.unique_id, item.data["user_id"], item.title)
        for item in entry.subentries.values()
    } == {("user", user_id, user_id, _label(sim, user_id)) for user_id in sim.user_ids}
    await until(hass, lambda: is_settled(entry))
    assert state_of(hass, "_push_state") == "waiting"
    assert len(subscriptions(sim, USER_CREATED)) == len(subscriptions(sim, VEHICLE_READY)) == 1
    assert len([item for item in sim.webhooks.deliveries if item.event_type == USER_CREATED]) == 1
    sim.add_user()
    await until(hass, lambda: state_of(hass, "_push_state") == "healthy")
    sim.plug(sim.vehicle_ids[0])
    await entry.runtime_data.coordinator.async_refresh()
    assert state_of(hass, f"{sim.vehicle_ids[0]}_plugged_in") == "on"


def _label(sim: Simulator, user_id: str) -> str:
    user = sim.world.users[user_id]
    car, home = user.vehicle, user.locations[0]
    assert car is not None
    return (
        f"{car.brand} {car.model} · {home.street} {home.house_number}, {home.city} · {user_id[:8]}"
    )


async def test_the_list_of_users_names_car_and_place(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(users=3)
    dialog = await to_users(hass, sim)
    assert dialog.labels("users") == {user_id: _label(sim, user_id) for user_id in sim.user_ids}
    assert list(dialog.labels("users").values()) == sorted(dialog.labels("users").values())
    assert dialog.placeholders["found"] == "3"
    assert dialog.shown["users"] == []


async def test_the_only_user_is_chosen_already(hass: HomeAssistant, sim: Simulator) -> None:
    dialog = await to_users(hass, sim)
    assert dialog.shown["users"] == sim.user_ids
    assert (await dialog.submit()).step == "webhook"


@pytest.mark.parametrize(
    ("environment", "title"), [("production", "Jedlix"), ("demo", "Jedlix demo")]
)
async def test_environments_that_jedlix_documents_need_no_addresses(
    hass: HomeAssistant,
    sim: Simulator,
    callback_url: str,
    monkeypatch: pytest.MonkeyPatch,
    environment: str,
    title: str,
) -> None:
    monkeypatch.setitem(ENVIRONMENTS, environment, sim.url)
    monkeypatch.setattr("custom_components.jedlix.config_flow.TOKEN_URL", f"{sim.url}/oauth/token")
    dialog = await Dialog.set_up(hass)
    assert dialog.shown == {"environment": "production"}
    right = {"environment": environment, "client_id": " client ", "client_secret": " secret\n"}
    await dialog.submit(**right | {"client_secret": "no"})
    assert (dialog.step, dialog.errors) == ("user", {"base": "invalid_auth"})
    assert dialog.shown == {"environment": environment, "client_id": "client"}
    await dialog.submit(**right)
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


async def test_without_push_jedlix_is_asked_for_nothing(
    hass: HomeAssistant, sim: Simulator
) -> None:
    dialog = await (await to_webhook(hass, sim)).submit(callback="none")
    await until(hass, lambda: dialog.entry.state is ConfigEntryState.LOADED)
    assert state_of(hass, "_push_state") == "off"
    assert not sim.webhooks.deliveries
    assert state_of(hass, "_charge_state") == "disconnected"


async def test_each_set_up_has_a_key_of_its_own(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    secrets = set()
    for tenant in range(2):
        sim = await start_simulator(seed=tenant)
        dialog = await (await to_webhook(hass, sim)).submit(callback="none")
        secrets |= {dialog.entry.data["webhook_id"], dialog.entry.data["webhook_key"]}
    assert len(secrets) == 4


async def test_the_same_account_is_set_up_once(
    hass: HomeAssistant, sim: Simulator, callback_url: str
) -> None:
    dialog = await (await to_webhook(hass, sim)).submit(callback="none")
    again = await (await to_custom(hass)).submit(**addresses(sim))
    assert again.reason == "already_configured"
    other = await Dialog.set_up(hass)
    await other.submit(**credentials(client_id="another client"))
    assert (await other.submit(**addresses(sim))).step == "users"
    assert hass.config_entries.async_entries(DOMAIN) == [dialog.entry]


async def test_a_dialog_that_was_left_open_stands_in_nobodys_way(
    hass: HomeAssistant, sim: Simulator
) -> None:
    await to_webhook(
        hass, sim
    )  # then the page was loaded anew, and nothing shows that dialog any more
    dialog = await (await to_webhook(hass, sim)).submit(callback="none")
    await until(hass, lambda: dialog.entry.state is ConfigEntryState.LOADED)
    assert not hass.config_entries.flow.async_progress_by_handler(DOMAIN)


# -- credentials and addresses -----------------------------------------------------------------------------


async def finish(dialog: Dialog) -> None:
    """Go on from the choice of the only user to an entry without push."""
    assert dialog.step == "users", dialog.result
    await dialog.submit()
    await dialog.submit(callback="none")
    assert dialog.entry.state is ConfigEntryState.LOADED


async def test_a_wrong_secret_is_mended_where_it_was_entered(
    hass: HomeAssistant, sim: Simulator
) -> None:
    dialog = await Dialog.set_up(hass)
    await dialog.submit(**credentials(client_secret="wrong"))
    await dialog.submit(**addresses(sim))
    assert (dialog.step, dialog.errors) == ("user", {"base": "invalid_auth"})
    assert dialog.shown == {"environment": "custom", "client_id": "client"}
    await dialog.submit(client_secret="secret", api_key="key")
    assert (dialog.step, dialog.errors) == ("custom", {})
    assert dialog.shown == addresses(sim)
    await finish(await dialog.submit())


async def test_a_wrong_api_key_is_mended_where_it_was_entered(
    hass: HomeAssistant, sim: Simulator
) -> None:
    dialog = await Dialog.set_up(hass)
    await dialog.submit(**credentials(api_key="wrong"))
    await dialog.submit(**addresses(sim))
    assert (dialog.step, dialog.errors) == ("user", {"base": "forbidden"})
    await dialog.submit(client_secret="secret", api_key="key")
    await finish(await dialog.submit())


async def test_a_client_that_is_not_meant_for_the_audience_can_be_given_the_right_one(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(audience="https://audience/")
    dialog = await to_custom(hass)
    await dialog.submit(**addresses(sim), audience="https://elsewhere/")
    assert (dialog.step, dialog.errors) == ("user", {"base": "forbidden"})
    await dialog.submit(client_secret="secret", api_key="key")
    assert dialog.shown == {**addresses(sim), "audience": "https://elsewhere/"}
    await dialog.submit(audience=" https://audience/ ")
    await finish(dialog)
    assert dialog.entry.data["audience"] == "https://audience/"


async def test_a_forbidden_api_is_told(hass: HomeAssistant, sim: Simulator) -> None:
    sim.strike({"forbidden": ["sessions", "locations"]})
    dialog = await (await to_custom(hass)).submit(**addresses(sim))
    assert dialog.errors == {"base": "forbidden"}
    sim.faults.clear()
    await dialog.submit(client_secret="secret", api_key="key")
    await finish(await dialog.submit())


@pytest.mark.parametrize("field", ["base_url", "token_url"])
async def test_an_address_where_nobody_listens(
    hass: HomeAssistant, sim: Simulator, field: str
) -> None:
    nowhere = closed_port()
    dialog = await to_custom(hass)
    await dialog.submit(**addresses(sim) | {field: nowhere, "audience": sim.url})
    assert (dialog.step, dialog.errors) == ("custom", {"base": "cannot_connect"})
    assert dialog.shown[field] == nowhere
    await finish(await dialog.submit(**addresses(sim)))


async def test_no_network_and_the_whole_host_mistyped(hass: HomeAssistant, sim: Simulator) -> None:
    """The audience follows the API address; one from before the mending would be forbidden."""
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


async def test_an_outage_is_over_in_a_moment(hass: HomeAssistant, sim: Simulator) -> None:
    sim.strike({"outage_seconds": 3600.0})
    dialog = await (await to_custom(hass)).submit(**addresses(sim))
    assert (dialog.step, dialog.errors) == ("custom", {"base": "cannot_connect"})
    sim.outage_until = 0.0
    await finish(await dialog.submit())


async def test_what_nobody_thought_of_is_told_too(
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
        ("ftp://127.0.0.1", None, {"base_url": "invalid_url"}),
        ("http://[", None, {"base_url": "invalid_url"}),
        ("https:", "/oauth/token", {"base_url": "invalid_url", "token_url": "invalid_url"}),
        ("http://smartcharging.jedlix.com", None, {"base_url": "http_not_private"}),
        ("http://8.8.8.8", "http://jedlix.eu.auth0.com/oauth/token", None),
    ],
)
async def test_addresses_that_cannot_be_right(
    hass: HomeAssistant,
    sim: Simulator,
    base_url: str,
    token_url: str | None,
    errors: dict[str, str] | None,
) -> None:
    dialog = await to_custom(hass)
    token_url = token_url or f"{sim.url}/oauth/token"
    await dialog.submit(base_url=base_url, token_url=token_url)
    assert dialog.step == "custom"
    assert dialog.errors == errors or dict.fromkeys(("base_url", "token_url"), "http_not_private")
    assert dialog.shown == {"base_url": base_url, "token_url": token_url}
    assert not sim.requests
    await finish(await dialog.submit(base_url=f" {sim.url}/ ", token_url=f"{sim.url}/oauth/token "))
    assert dialog.entry.data["base_url"] == sim.url
    assert dialog.entry.data["audience"] == sim.url


# -- users -------------------------------------------------------------------------------------------------


async def test_an_id_that_does_not_exist_is_named(hass: HomeAssistant, sim: Simulator) -> None:
    dialog = await to_users(hass, sim)
    await dialog.submit(users=[*sim.user_ids, "nobody", "nobody either"])
    assert (dialog.step, dialog.errors) == ("users", {"users": "unknown_user"})
    assert dialog.placeholders["user"] == "nobody"
    assert dialog.shown["users"] == [*sim.user_ids, "nobody", "nobody either"]
    await dialog.submit(users=sim.user_ids)
    assert dialog.step == "webhook"
    assert (await dialog.submit(callback="none")).entry.state is ConfigEntryState.LOADED


async def test_nobody_is_followed_in_two_accounts(hass: HomeAssistant, sim: Simulator) -> None:
    add_another_account(hass, sim, sim.user_ids[0])
    user = sim.add_user()
    dialog = await to_users(hass, sim)
    await dialog.submit(users=sim.user_ids)
    assert (dialog.step, dialog.errors) == ("users", {"users": "followed_elsewhere"})
    assert dialog.placeholders["user"] == sim.user_ids[0]
    assert (await dialog.submit(users=[user.id])).step == "webhook"
    await dialog.close()


async def test_an_id_that_jedlix_refuses_unread_is_named_too(
    hass: HomeAssistant, sim: Simulator
) -> None:
    """Where ids must be UUIDs, another one may be answered with 400 before anybody looks for it."""

    def refuse(path: str) -> bool:
        return "/users/nobody/" in path

    async with reverse_proxy(sim.url, refuse) as address:
        dialog = await to_custom(hass)
        await dialog.submit(**addresses(sim) | {"base_url": address, "audience": sim.url})
        await dialog.submit(users=["nobody"])
        assert (dialog.step, dialog.errors) == ("users", {"users": "unknown_user"})
        assert dialog.placeholders["user"] == "nobody"
        assert (await dialog.submit(users=sim.user_ids)).step == "webhook"
        await dialog.close()


@pytest.mark.parametrize("nobody", [[], ["", "  "]])
async def test_somebody_must_be_chosen(
    hass: HomeAssistant, start_simulator: StartSimulator, nobody: list[str]
) -> None:
    sim = await start_simulator(users=2)
    dialog = await to_users(hass, sim)
    await dialog.submit(users=nobody)
    assert (dialog.step, dialog.errors) == ("users", {"users": "no_users"})
    assert (await dialog.submit(users=sim.user_ids[:1])).step == "webhook"


async def test_blanks_repetitions_and_capitals_in_the_ids(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(users=3)
    first, second, _ = sim.user_ids
    dialog = await to_users(hass, sim)
    await dialog.submit(users=[f" {first} ", second.upper(), "", first, second])
    entry = (await dialog.submit(callback="none")).entry
    assert [item.unique_id for item in entry.subentries.values()] == [first, second]
    assert [item.title for item in entry.subentries.values()] == [
        _label(sim, first),
        _label(sim, second),
    ]


async def test_users_that_may_not_be_seen(hass: HomeAssistant, sim: Simulator) -> None:
    sim.strike({"forbidden": ["vehicles"]})
    dialog = await (await to_users(hass, sim)).submit()
    assert (dialog.step, dialog.errors) == ("users", {"users": "forbidden"})
    sim.faults.clear()
    assert (await dialog.submit()).step == "webhook"


async def test_a_tenant_without_lists_takes_ids(hass: HomeAssistant, sim: Simulator) -> None:
    sim.strike({"absent": ["locations", "sessions"]})
    dialog = await to_users(hass, sim)
    assert dialog.labels("users") == {}
    assert dialog.placeholders["found"] == "0"
    await dialog.submit(users=sim.user_ids)
    sim.faults.clear()
    entry = (await dialog.submit(callback="none")).entry
    (subentry,) = entry.subentries.values()
    assert subentry.unique_id == sim.user_ids[0]
    assert re.fullmatch(r".+ · \w{8}", subentry.title)


# -- push --------------------------------------------------------------------------------------------------


async def test_what_automatic_would_use_is_shown_and_what_to_do_where_it_cannot(
    hass: HomeAssistant, sim: Simulator, callback_url: str
) -> None:
    dialog = await to_webhook(hass, sim)
    assert dialog.placeholders == {"auto": "-"}
    assert dialog.errors == {"base": "no_url"}
    await hass.config.async_update(external_url=callback_url)
    await dialog.submit(callback="custom", callback_url="")
    assert dialog.errors == {"callback_url": "no_url"}
    assert dialog.placeholders == {"auto": callback_url}
    await dialog.submit(callback="auto")
    await until(hass, lambda: is_settled(dialog.entry))
    assert state_of(hass, "_callback") == "external"
    assert len(subscriptions(sim, USER_CREATED)) == 1


@pytest.mark.parametrize(
    ("answers", "errors"),
    [
        ({"callback": "auto"}, {"base": "no_url"}),
        ({"callback": "external"}, {"base": "no_url"}),
        ({"callback": "cloud"}, {"base": "no_cloud"}),
        ({"callback": "custom"}, {"callback_url": "no_url"}),
        ({"callback": "custom", "callback_url": "  / "}, {"callback_url": "no_url"}),
        ({"callback": "custom", "callback_url": "my.house.nl"}, {"callback_url": "invalid_url"}),
        (
            {"callback": "custom", "callback_url": "https://my.house.nl/?a=b"},
            {"callback_url": "invalid_url"},
        ),
    ],
)
async def test_a_way_that_is_not_there(
    hass: HomeAssistant,
    sim: Simulator,
    callback_url: str,
    answers: dict[str, str],
    errors: dict[str, str],
) -> None:
    dialog = await to_webhook(hass, sim)
    await dialog.submit(**answers)
    assert (dialog.step, dialog.errors) == ("webhook", errors)
    assert dialog.shown["callback"] == answers["callback"]
    assert not sim.webhooks.deliveries
    await dialog.submit(callback="custom", callback_url=callback_url)
    await until(hass, lambda: is_settled(dialog.entry))


@pytest.mark.parametrize("way", ["custom", "external"])
async def test_jedlix_itself_calls_https_only(
    hass: HomeAssistant,
    sim: Simulator,
    callback_url: str,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
) -> None:
    monkeypatch.setattr(
        "custom_components.jedlix.push.callback_url.allows_http", lambda _data: False
    )
    await hass.config.async_update(external_url=callback_url)
    dialog = await to_webhook(hass, sim)
    assert dialog.placeholders == {"auto": "-"}
    await dialog.submit(callback=way, callback_url=callback_url)
    field = "callback_url" if way == "custom" else "base"
    assert (dialog.step, dialog.errors) == ("webhook", {field: "not_https"})
    assert (await dialog.submit(callback="none")).entry.state is ConfigEntryState.LOADED


async def answers_all(_request: web.Request) -> web.Response:
    """Be a page that says yes to everything, as some proxies do."""
    return web.Response(text="<html>Welcome</html>")


TROUBLES: dict[str, dict[str, Any]] = {
    "not_reachable": {},
    "no_test_message": {},
    "wrong_key": {"wrong_key": 1.0},
    "rejected": {"subscription_status": 400},
    "slot_taken": {"subscription_status": 409},
    "cannot_register": {"forbidden": ["subscribe"]},
}


@pytest.mark.parametrize("then", ["mended", "without push"])
@pytest.mark.parametrize("trouble", [*TROUBLES, "outage"])
async def test_each_failure_to_connect_has_its_words_and_a_way_on(
    hass: HomeAssistant, sim: Simulator, callback_url: str, trouble: str, then: str
) -> None:
    dialog = await to_webhook(hass, sim)
    async with listening(answers_all) as elsewhere:
        wrong = {"not_reachable": closed_port(), "no_test_message": elsewhere}
        sim.strike(TROUBLES.get(trouble, {"outage_seconds": 3600.0}))
        await dialog.submit(callback="custom", callback_url=wrong.get(trouble, callback_url))
        expected = "cannot_register" if trouble == "outage" else trouble
        assert (dialog.step, dialog.errors) == ("webhook", {"base": expected})
        assert dialog.shown["callback"] == "custom"
        await hass.async_block_till_done()
        assert not doors(hass)
        assert not subscriptions(sim)
    sim.faults.clear()
    sim.outage_until = 0.0
    if then == "without push":
        await dialog.submit(callback="none")
        assert state_of(hass, "_push_state") == "off"
        assert not subscriptions(sim)
        return
    await dialog.submit(callback_url=callback_url)
    await until(hass, lambda: is_settled(dialog.entry))
    assert len(subscriptions(sim, USER_CREATED)) == 1
    assert len(doors(hass)) == 1


async def test_wrong_keys_that_keep_coming_to_a_registered_address(
    hass: HomeAssistant, sim: Simulator, home: TestClient[Any, Any]
) -> None:
    """Somebody else's subscription may call the same address; then that is the reason."""

    async def bend(request: web.Request) -> web.Response:
        async with home.post(request.path, headers={"Authorization": "Basic other"}) as answer:
            assert answer.status == 401
        return web.Response()

    dialog = await to_webhook(hass, sim)
    async with listening(bend) as elsewhere:
        await dialog.submit(callback="custom", callback_url=elsewhere)
        assert dialog.errors == {"base": "wrong_key"}
        await hass.async_block_till_done()
    assert not subscriptions(sim)


# -- the door between dialog and entry ---------------------------------------------------------------------


async def test_until_the_entry_is_there_the_door_takes_the_test_only(
    hass: HomeAssistant, sim: Simulator, home: TestClient[Any, Any], callback_url: str
) -> None:
    sim.strike({"api_slow_seconds": 0.3})
    dialog = await to_webhook(hass, sim)
    await dialog.send(callback="custom", callback_url=callback_url)
    assert dialog.type is FlowResultType.SHOW_PROGRESS
    (webhook_id,) = doors(hass)
    path = f"/api/webhook/{webhook_id}"
    assert (await home.post(path, json=message("e-1"))).status == 401
    await hass.async_block_till_done()
    (subscription,) = subscriptions(sim)
    assert subscription.url == callback_url + path
    right = {"Authorization": f"Basic {subscription.api_key}"}
    assert (await home.post(path, json=message("e-1"), headers=right)).status == 503
    assert (await home.post(path, json=message("e", isTest=True), headers=right)).status == 200
    assert (await home.post(path, data=b"?", headers=right)).status == 400
    assert (await home.get(path, headers=right)).status == 405
    sim.faults.clear()
    entry = (await dialog.look_again()).entry
    assert door_of(entry) == (path, right)
    assert (await home.post(path, json=message("e-1"), headers=right)).status == 200


async def test_deliveries_never_meet_a_closed_door(
    hass: HomeAssistant,
    sim: Simulator,
    home: TestClient[Any, Any],
    callback_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Home Assistant answers for a shut door with an empty 200, which would be a lost delivery."""
    load = JedlixStore.load

    async def load_from_a_slow_disk(store: JedlixStore) -> None:
        await asyncio.sleep(0.1)
        await load(store)

    monkeypatch.setattr(JedlixStore, "load", load_from_a_slow_disk)
    dialog = await to_webhook(hass, sim)
    await dialog.send(callback="custom", callback_url=callback_url)
    await hass.async_block_till_done()
    (webhook_id,) = doors(hass)
    headers = {"Authorization": f"Basic {subscriptions(sim)[0].api_key}"}
    answers: list[tuple[int, str]] = []

    async def post_steadily() -> None:
        while True:
            async with home.post(
                f"/api/webhook/{webhook_id}", json=message(f"e-{len(answers)}"), headers=headers
            ) as answer:
                answers.append((answer.status, await answer.text()))

    posts = asyncio.create_task(post_steadily())
    await until(hass, lambda: len(answers) > 10)
    entry = (await dialog.look_again()).entry
    await until(hass, lambda: is_settled(entry))
    enough = len(answers) + 10
    await until(hass, lambda: len(answers) > enough)
    posts.cancel()
    await asyncio.wait([posts])
    assert set(answers) == {(503, ""), (200, "{}")}
    assert answers == sorted(answers, reverse=True)
    assert len(subscriptions(sim, USER_CREATED)) == 1


@pytest.mark.parametrize("when", ["while connecting", "connected"])
async def test_closing_the_dialog_takes_everything_back(
    hass: HomeAssistant, sim: Simulator, home: TestClient[Any, Any], callback_url: str, when: str
) -> None:
    sim.strike({"api_slow_seconds": 0.1})
    dialog = await to_webhook(hass, sim)
    await dialog.send(callback="custom", callback_url=callback_url)
    if when == "connected":
        await hass.async_block_till_done()
        assert len(subscriptions(sim)) == 1
    (webhook_id,) = doors(hass)
    await dialog.close()
    assert not doors(hass)
    assert not subscriptions(sim)
    async with home.post(f"/api/webhook/{webhook_id}", json=message("e-1")) as answer:
        assert (answer.status, await answer.text()) == (200, "")  # Home Assistant, not we
    assert not hass.config_entries.async_entries(DOMAIN)


async def test_closing_the_dialog_early_leaves_nothing(hass: HomeAssistant, sim: Simulator) -> None:
    await (await Dialog.set_up(hass)).close()
    await (await to_webhook(hass, sim)).close()
    assert not doors(hass)
    assert not sim.webhooks.deliveries


async def test_what_cannot_be_taken_back_is_logged(
    hass: HomeAssistant, sim: Simulator, callback_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    dialog = await to_webhook(hass, sim)
    await dialog.send(callback="custom", callback_url=callback_url)
    await hass.async_block_till_done()
    sim.strike({"outage_seconds": 3600.0})
    await dialog.close()
    assert not doors(hass)
    assert "could not be deleted at Jedlix" in caplog.text


class Cloud:
    """Home Assistant Cloud with an active subscription: its hooks lead to our own address."""

    def __init__(self, hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch, home_url: str) -> None:
        from homeassistant.components import cloud

        self.hooks: dict[str, str] = {}
        self._home_url = home_url
        hass.config.components.add("cloud")
        monkeypatch.setattr(cloud, "async_active_subscription", lambda _hass: True)
        monkeypatch.setattr(cloud, "async_get_or_create_cloudhook", self._create)
        monkeypatch.setattr(cloud, "async_delete_cloudhook", self._delete)

    async def _create(self, _hass: HomeAssistant, webhook_id: str) -> str:
        url = f"{self._home_url}/api/webhook/{webhook_id}"
        return self.hooks.setdefault(webhook_id, url)

    async def _delete(self, _hass: HomeAssistant, webhook_id: str) -> None:
        self.hooks.pop(webhook_id, None)


async def test_with_the_cloud_nothing_is_left_of_a_dialog_that_was_closed(
    hass: HomeAssistant, sim: Simulator, callback_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = Cloud(hass, monkeypatch, callback_url)
    dialog = await to_webhook(hass, sim)
    assert dialog.placeholders == {"auto": callback_url}
    await dialog.close()
    assert not cloud.hooks
    entry = (await (await to_webhook(hass, sim)).submit(callback="cloud")).entry
    await until(hass, lambda: is_settled(entry))
    assert list(cloud.hooks) == [entry.data["webhook_id"]]
    await hass.config_entries.async_remove(entry.entry_id)
    assert not cloud.hooks


@pytest.mark.parametrize("way", ["custom", "none"])
async def test_a_hook_that_only_the_form_needed_is_given_back(
    hass: HomeAssistant,
    sim: Simulator,
    callback_url: str,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
) -> None:
    cloud = Cloud(hass, monkeypatch, callback_url)
    dialog = await to_webhook(hass, sim)
    assert len(cloud.hooks) == 1
    await dialog.submit(callback=way, callback_url=callback_url)
    assert dialog.entry.state is ConfigEntryState.LOADED
    assert not cloud.hooks


async def test_reconfiguring_with_the_cloud_changes_hooks_only_when_it_is_done(
    hass: HomeAssistant, sim: Simulator, callback_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = Cloud(hass, monkeypatch, callback_url)
    entry = (await (await to_webhook(hass, sim)).submit(callback="auto")).entry
    await until(hass, lambda: is_settled(entry))
    old = entry.data["webhook_id"]
    await (await Dialog.reconfigure(hass, entry)).close()
    assert list(cloud.hooks) == [old]
    dialog = await to_moved_callback(hass, entry)
    assert len(cloud.hooks) == 2
    await dialog.close()
    assert list(cloud.hooks) == [old]
    dialog = await to_moved_callback(hass, entry)
    assert (await dialog.submit()).reason == "reconfigure_successful"
    await until(hass, lambda: is_settled(entry))
    assert list(cloud.hooks) == [entry.data["webhook_id"]] != [old]


# -- logging in again --------------------------------------------------------------------------------------


async def test_an_entry_that_failed_recovers_when_the_secret_is_mended(
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
    await until(hass, lambda: is_settled(entry))
    assert (entry.data["client_secret"], entry.data["api_key"]) == ("new", "key")
    assert not hass.config_entries.flow.async_progress()


@pytest.mark.parametrize("secret", ["new", "secret"])
async def test_a_running_entry_goes_on_after_a_new_log_in(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, secret: str
) -> None:
    """Also with the same secret: Jedlix may have refused it only for a while, and polling had stopped."""
    change_secret(sim, "new")
    before = entry.runtime_data
    await before.coordinator.async_refresh()
    dialog = await Dialog.reauth(hass, entry)
    await dialog.submit(client_secret="secret", api_key="key")
    assert dialog.errors == {"base": "invalid_auth"}
    change_secret(sim, secret)
    await dialog.submit(client_secret=secret, api_key="key")
    assert dialog.reason == "reauth_successful"
    await until(hass, lambda: is_settled(entry))
    assert entry.runtime_data is not before
    assert entry.runtime_data.coordinator.last_update_success
    assert state_of(hass, "_charge_state") == "disconnected"
    assert len(hass.config_entries.async_entries(DOMAIN)) == 1


async def test_an_api_key_that_is_no_longer_needed_is_forgotten(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    change_secret(sim, "new")
    await entry.runtime_data.coordinator.async_refresh()
    await (await Dialog.reauth(hass, entry)).submit(client_secret="new")
    assert entry.data["api_key"] is None
    assert entry.state is ConfigEntryState.LOADED


# -- reconfiguring -----------------------------------------------------------------------------------------


async def to_moved_callback(hass: HomeAssistant, entry: Any) -> Dialog:
    """Open "Reconfigure" and go to push, with everything before as it is."""
    dialog = await Dialog.reconfigure(hass, entry)
    assert dialog.shown == {"environment": "custom", "client_id": "client"}
    await dialog.submit(client_secret="secret", api_key="key")
    assert dialog.shown["base_url"] == entry.data["base_url"]
    await dialog.submit()
    # that Automatic would find nothing does not matter to who chose otherwise
    assert (dialog.step, dialog.errors) == ("webhook", {})
    return dialog


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
    await until(hass, lambda: is_settled(entry))
    before = dict(entry.data)
    old = {item.url for item in subscriptions(sim)}
    if not is_loaded:
        await hass.config_entries.async_unload(entry.entry_id)
    sim.strike({"absent": absent})
    async with reverse_proxy(callback_url) as moved:
        dialog = await to_moved_callback(hass, entry)
        assert dialog.shown == {"callback": "custom", "callback_url": callback_url}
        await dialog.submit(callback_url=moved)
        assert dialog.reason == "reconfigure_successful"
        await until(hass, lambda: is_settled(entry))
        await until(hass, lambda: not old & {item.url for item in subscriptions(sim)})
        assert entry.data["callback_url"] == moved
        for rotated in ("webhook_id", "webhook_key"):
            assert entry.data[rotated] != before[rotated]
        path, headers = door_of(entry)
        assert sorted(item.event_type for item in subscriptions(sim)) == sorted(event_types)
        assert {item.url for item in subscriptions(sim)} == {moved + path}
        assert {f"Basic {item.api_key}" for item in subscriptions(sim)} == set(headers.values())
        assert sorted(held_by(entry)) == sorted(event_types)
        assert {item.url for item in held_by(entry).values()} == {moved + path}
        assert doors(hass) == {entry.data["webhook_id"]}
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


async def test_a_reconfiguration_that_was_given_up_changes_nothing(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    before, at_jedlix = dict(entry.data), {item.id for item in subscriptions(sim)}
    dialog = await to_moved_callback(hass, entry)
    await dialog.submit(callback_url=closed_port())
    assert dialog.errors == {"base": "not_reachable"}
    await dialog.close()
    assert dict(entry.data) == before
    assert {item.id for item in subscriptions(sim)} == at_jedlix
    assert doors(hass) == {entry.data["webhook_id"]}
    sim.add_user()
    await until(hass, lambda: state_of(hass, "_push_state") == "healthy")


async def test_an_old_address_that_cannot_be_left_is_logged(
    hass: HomeAssistant,
    sim: Simulator,
    entry: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    dialog = await to_moved_callback(hass, entry)
    await dialog.send()
    await hass.async_block_till_done()
    sim.strike({"outage_seconds": 3600.0})
    assert (await dialog.look_again()).reason == "reconfigure_successful"
    assert "The old webhook subscriptions could not be deleted at Jedlix" in caplog.text
    sim.outage_until = 0.0
    await hass.config_entries.async_reload(entry.entry_id)
    await until(hass, lambda: is_settled(entry))
    assert len(subscriptions(sim, USER_CREATED)) == 1


async def test_push_can_be_given_up_by_reconfiguring(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    dialog = await to_moved_callback(hass, entry)
    assert (await dialog.submit(callback="none")).reason == "reconfigure_successful"
    await until(hass, lambda: state_of(hass, "_push_state") == "off")
    await until(hass, lambda: not subscriptions(sim))


async def test_an_entry_that_could_not_start_is_mended_by_reconfiguring(
    hass: HomeAssistant, sim: Simulator, callback_url: str
) -> None:
    entry = make_entry(sim, callback_url)
    sim.strike({"outage_seconds": 3600.0})
    await set_up(hass, entry)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    sim.outage_until = 0.0
    dialog = await to_moved_callback(hass, entry)
    assert (await dialog.submit()).reason == "reconfigure_successful"
    await until(hass, lambda: is_settled(entry))
    assert len(subscriptions(sim, USER_CREATED)) == 1
