"""Push during set-up: the callback URL, the connection test, and what a closed dialog leaves behind."""

import asyncio
from typing import Any, Final

from aiohttp import web
from aiohttp.test_utils import TestClient
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import Event, HomeAssistant
from homeassistant.data_entry_flow import EVENT_DATA_ENTRY_FLOW_PROGRESSED
import pytest

from custom_components.jedlix.const import DOMAIN, USER_CREATED
from custom_components.jedlix.flows import reminder
from custom_components.jedlix.push.connection_test import HANDED_OVER
from custom_components.jedlix.store import JedlixStore
from simulator.app import Simulator
from tests.dialogs import (
    Dialog,
    message,
    subscriptions,
    to_webhook,
    wait_until_connected,
    webhook_ids,
)
from tests.servers import HomeAssistantCloud, closed_port, listening, reverse_proxy
from tests.simulators import StartSimulator
from tests.tools import state_of, until

type Home = TestClient[web.Request, web.Application]

# -- the callback URL --------------------------------------------------------------------------------------


async def test_the_form_shows_the_address_that_automatic_takes_or_why_there_is_none(
    hass: HomeAssistant, sim: Simulator, callback_url: str
) -> None:
    dialog = await to_webhook(hass, sim)
    no_address = "Not possible: no address from the internet"
    assert dialog.placeholders == {"auto": no_address, "reason": "-"}
    assert dialog.errors == {}
    for callback, url, errors in (
        ("external", "", {"base": "no_url"}),
        ("cloud", "", {"base": "no_cloud"}),
        ("custom", "https://my.house.nl/?a=b", {"callback_url": "invalid_url"}),
    ):
        await dialog.submit(callback=callback, callback_url=url)
        assert (dialog.step, dialog.errors) == ("webhook", errors)
        assert dialog.shown["callback"] == callback
    assert not sim.webhooks.deliveries
    await hass.config.async_update(external_url=callback_url)
    await dialog.submit(callback="custom", callback_url="")
    assert dialog.errors == {"callback_url": "no_own_url"}
    external = f"The external address of Home Assistant: {callback_url}"
    assert dialog.placeholders == {"auto": external, "reason": "-"}
    await dialog.submit(callback="auto")
    await wait_until_connected(hass, dialog.entry)
    assert state_of(hass, "_callback") == "external"
    assert len(subscriptions(sim, USER_CREATED)) == 1


@pytest.mark.parametrize(("callback", "field"), [("custom", "callback_url"), ("external", "base")])
async def test_jedlix_itself_calls_https_only(
    hass: HomeAssistant,
    sim: Simulator,
    callback_url: str,
    monkeypatch: pytest.MonkeyPatch,
    callback: str,
    field: str,
) -> None:
    monkeypatch.setattr(
        "custom_components.jedlix.push.callback_url.allows_http", lambda _data: False
    )
    await hass.config.async_update(external_url=callback_url)
    dialog = await to_webhook(hass, sim)
    assert dialog.placeholders is not None
    assert "no https" in dialog.placeholders["auto"]
    assert dialog.errors == {}
    await dialog.submit(callback=callback, callback_url=callback_url)
    assert (dialog.step, dialog.errors) == ("webhook", {field: "not_https"})
    assert (await dialog.submit(callback="none")).entry.state is ConfigEntryState.LOADED


# -- the connection test -----------------------------------------------------------------------------------


FAULTS: Final[dict[str, dict[str, Any]]] = {
    "not_reachable": {},
    "no_test_message": {},
    "wrong_key": {"wrong_key": 1.0},
    "rejected": {"subscription_status": 400},
    "slot_taken": {"subscription_status": 409},
    "cannot_register": {"forbidden": ["subscribe"]},
}


@pytest.mark.parametrize("error", FAULTS)
async def test_a_failed_connection_says_why_leaves_nothing_and_can_be_tried_again(
    hass: HomeAssistant,
    sim: Simulator,
    callback_url: str,
    caplog: pytest.LogCaptureFixture,
    error: str,
) -> None:
    async def accept(_request: web.Request) -> web.Response:
        """Answer 200 to everything, as some proxies do."""
        return web.Response(text="<html>Welcome</html>")

    dialog = await to_webhook(hass, sim)
    async with listening(accept) as elsewhere:
        wrong = {"not_reachable": closed_port(), "no_test_message": elsewhere}
        sim.strike(FAULTS[error])
        await dialog.submit(callback="custom", callback_url=wrong.get(error, callback_url))
        assert (dialog.step, dialog.errors) == ("webhook", {"base": error})
        assert dialog.shown["callback"] == "custom"
        assert "HTTP 400" in dialog.placeholders["reason"] or error != "rejected"
        await hass.async_block_till_done()
        assert not webhook_ids(hass)
        assert not subscriptions(sim)
    is_refused = error != "no_test_message"
    assert ("Jedlix did not register the webhook: " in caplog.text) is is_refused
    sim.faults.clear()
    await dialog.submit(callback_url=callback_url)
    await wait_until_connected(hass, dialog.entry)
    assert len(subscriptions(sim, USER_CREATED)) == 1
    assert webhook_ids(hass) == {dialog.entry.data["webhook_id"]}


async def test_a_dialog_whose_page_slept_during_the_connection_is_reminded_until_it_asks(
    hass: HomeAssistant,
    sim: Simulator,
    callback_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No form is taken away under a person's hands, and no entry is made twice."""
    monkeypatch.setattr(reminder, "SHORTEST_PAUSE", 0.02)
    events: list[Event[Any]] = []
    hass.bus.async_listen(EVENT_DATA_ENTRY_FLOW_PROGRESSED, events.append)

    async def is_reminded() -> None:
        events.clear()
        await until(hass, lambda: len(events) > 5)  # Home Assistant itself says it once

    async def is_not_reminded() -> None:
        events.clear()
        await asyncio.sleep(0.1)
        assert events == []

    dialog = await to_webhook(hass, sim)
    await dialog.send(callback="custom", callback_url=closed_port())
    await is_reminded()
    assert (await dialog.ask()).errors == {"base": "not_reachable"}
    await is_not_reminded()
    await dialog.send(callback_url=callback_url)
    await is_reminded()
    await dialog.ask()
    await wait_until_connected(hass, dialog.entry)
    await is_not_reminded()
    assert len(hass.config_entries.async_entries(DOMAIN)) == 1


async def test_after_a_failed_connection_the_entry_can_do_without_push(
    hass: HomeAssistant, sim: Simulator, callback_url: str
) -> None:
    dialog = await to_webhook(hass, sim)
    sim.strike({"outage_seconds": 3600.0})
    await dialog.submit(callback="custom", callback_url=callback_url)
    assert (dialog.step, dialog.errors) == ("webhook", {"base": "cannot_register"})
    sim.outage_until = 0.0
    await dialog.submit(callback="none")
    assert dialog.result["description"] == "without_push"
    assert state_of(hass, "_push_state") == "off"
    assert state_of(hass, "_charge_state") == "disconnected"
    assert not sim.webhooks.deliveries


async def test_a_call_with_another_key_is_the_reason_why_no_test_message_arrives(
    hass: HomeAssistant, sim: Simulator, home: Home
) -> None:
    """The subscription of somebody else may call the same address."""

    async def call_with_another_key(request: web.Request) -> web.Response:
        async with home.post(request.path, headers={"Authorization": "Basic other"}) as answer:
            assert answer.status == 401
        return web.Response()

    dialog = await to_webhook(hass, sim)
    async with listening(call_with_another_key) as elsewhere:
        await dialog.submit(callback="custom", callback_url=elsewhere)
        assert dialog.errors == {"base": "wrong_key"}
        await hass.async_block_till_done()
    assert not subscriptions(sim)


@pytest.mark.parametrize("authorization", ["", "Bearer token-of-the-proxy"])
async def test_a_proxy_that_takes_the_key_away_is_named(
    hass: HomeAssistant, sim: Simulator, callback_url: str, authorization: str
) -> None:
    dialog = await to_webhook(hass, sim)
    async with reverse_proxy(callback_url, authorization=authorization) as proxy:
        await dialog.submit(callback="custom", callback_url=proxy)
        assert (dialog.step, dialog.errors) == ("webhook", {"base": "no_key"})
        await hass.async_block_till_done()


# -- from the dialog to the entry --------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["rich", "strict"])
async def test_no_delivery_is_lost_between_the_dialog_and_the_entry(
    hass: HomeAssistant,
    start_simulator: StartSimulator,
    home: Home,
    callback_url: str,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
) -> None:
    """Without a handler Home Assistant answers with an empty 200, and Jedlix would not try again."""
    load = JedlixStore.load

    async def load_from_a_slow_disk(store: JedlixStore) -> None:
        await asyncio.sleep(0.1)
        await load(store)

    monkeypatch.setattr(JedlixStore, "load", load_from_a_slow_disk)
    sim = await start_simulator(mode=mode)
    dialog = await to_webhook(hass, sim)
    await dialog.send(callback="custom", callback_url=callback_url)
    await hass.async_block_till_done()
    (webhook_id,) = webhook_ids(hass)
    (tested,) = subscriptions(sim)
    headers = {"Authorization": f"Basic {tested.api_key}"}
    answers: list[tuple[int, str]] = []

    async def post_steadily() -> None:
        while True:
            async with home.post(
                f"/api/webhook/{webhook_id}", json=message(f"e-{len(answers)}"), headers=headers
            ) as answer:
                answers.append((answer.status, await answer.text()))

    posts = asyncio.create_task(post_steadily())
    await until(hass, lambda: len(answers) > 10)
    entry = (await dialog.after_progress()).entry
    await wait_until_connected(hass, entry)
    enough = len(answers) + 10
    await until(hass, lambda: len(answers) > enough)
    posts.cancel()
    await asyncio.wait([posts])
    assert set(answers) == {(503, ""), (200, "{}")}
    assert answers == sorted(answers, reverse=True)
    # The entry keeps the subscription of the connection test, also where Jedlix has no list of them.
    assert subscriptions(sim, USER_CREATED) == [tested]
    assert entry.runtime_data.store.push.subscriptions[USER_CREATED].url == tested.url
    assert hass.data[HANDED_OVER] == {}


# -- a dialog that is closed -------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["while connecting", "connected"])
async def test_closing_the_dialog_undoes_the_connection_test(
    hass: HomeAssistant, sim: Simulator, home: Home, callback_url: str, when: str
) -> None:
    sim.strike({"api_slow_seconds": 0.1})
    dialog = await to_webhook(hass, sim)
    await dialog.send(callback="custom", callback_url=callback_url)
    if when == "connected":
        await hass.async_block_till_done()
        assert len(subscriptions(sim)) == 1
    (webhook_id,) = webhook_ids(hass)
    await dialog.close()
    assert not webhook_ids(hass)
    assert not subscriptions(sim)
    async with home.post(f"/api/webhook/{webhook_id}", json=message("e-1")) as answer:
        assert (answer.status, await answer.text()) == (200, "")  # Home Assistant's own answer
    assert not hass.config_entries.async_entries(DOMAIN)


async def test_closing_the_dialog_before_the_connection_test_leaves_nothing(
    hass: HomeAssistant, sim: Simulator
) -> None:
    await (await Dialog.set_up(hass)).close()
    await (await to_webhook(hass, sim)).close()
    assert not webhook_ids(hass)
    assert not sim.webhooks.deliveries


async def test_a_subscription_that_cannot_be_deleted_is_logged(
    hass: HomeAssistant, sim: Simulator, callback_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    dialog = await to_webhook(hass, sim)
    await dialog.send(callback="custom", callback_url=callback_url)
    await hass.async_block_till_done()
    sim.strike({"outage_seconds": 3600.0})
    await dialog.close()
    assert not webhook_ids(hass)
    assert "connection test could not be deleted at Jedlix" in caplog.text


async def test_closing_the_dialog_deletes_the_cloudhook(
    hass: HomeAssistant, sim: Simulator, cloud: HomeAssistantCloud
) -> None:
    dialog = await to_webhook(hass, sim)
    assert dialog.placeholders == {"auto": f"Home Assistant Cloud: {cloud.url}", "reason": "-"}
    await dialog.close()
    assert not cloud.hooks
    entry = (await (await to_webhook(hass, sim)).submit(callback="cloud")).entry
    await wait_until_connected(hass, entry)
    assert list(cloud.hooks) == [entry.data["webhook_id"]]
    await hass.config_entries.async_remove(entry.entry_id)
    assert not cloud.hooks


async def test_the_last_step_says_how_soon_a_change_shows(
    hass: HomeAssistant, sim: Simulator, callback_url: str
) -> None:
    dialog = await to_webhook(hass, sim)
    await dialog.submit(callback="custom", callback_url=callback_url)
    assert dialog.result["description"] == "with_push"


@pytest.mark.parametrize("callback", ["custom", "none"])
async def test_a_cloudhook_that_only_the_form_needed_is_deleted(
    hass: HomeAssistant,
    sim: Simulator,
    callback_url: str,
    cloud: HomeAssistantCloud,
    callback: str,
) -> None:
    dialog = await to_webhook(hass, sim)
    assert len(cloud.hooks) == 1
    await dialog.submit(callback=callback, callback_url=callback_url)
    assert dialog.entry.state is ConfigEntryState.LOADED
    assert not cloud.hooks
