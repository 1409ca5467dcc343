"""Deliveries while the entry is not there, the registration's task, and subscriptions that are not ours."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Final

from aiohttp import web
from aiohttp.test_utils import TestClient
from homeassistant.components import cloud as real_cloud
from homeassistant.const import CONF_WEBHOOK_ID
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.setup import async_setup_component
import orjson
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.const import CONF_CALLBACK, DOMAIN
from custom_components.jedlix.push import registration
from simulator.messages import Delivery
from tests.dialogs import Dialog
from tests.servers import listening, passed_on
from tests.slips.conftest import Begin
from tests.slips.house import House
from tests.slips.stories import tries
from tests.tools import WEBHOOK_ID, WEBHOOK_KEY, make_entry, until

type Home = TestClient[web.Request, web.Application]

PATH: Final = f"/api/webhook/{WEBHOOK_ID}"
HEADERS: Final = {"Authorization": f"Basic {WEBHOOK_KEY}"}
# Jedlix tries again soon, and often.
RETRIES: Final = (0.05,) * 40


def last_delivery(house: House) -> Delivery:
    """Return the newest delivery that was sent."""
    return next(item for item in reversed(house.sim.webhooks.deliveries) if item.attempts)


def arrived(house: House, delivery: Delivery) -> bool:
    """Return whether a delivery was published, as it came."""
    return any(event["event_id"] == delivery.id for event in house.recorded.webhooks)


@tries(11)
async def test_a_delivery_during_a_reload_is_delivered_again(begin: Begin) -> None:
    house = await begin(push=True, retries=RETRIES, absent=("webhook_history",))
    await house.hass.config_entries.async_unload(house.entry.entry_id)
    house.plug()
    await house.sim.delivered()
    delivery = last_delivery(house)
    assert delivery.attempts[0].status == 503
    await house.hass.config_entries.async_setup(house.entry.entry_id)
    await until(house.hass, lambda: arrived(house, delivery))
    await house.ends_well()


@tries(11, kinds=("status",))
@pytest.mark.parametrize("status", [503, 401], ids=["Jedlix is away", "credentials are refused"])
async def test_a_delivery_while_set_up_fails_is_delivered_again(begin: Begin, status: int) -> None:
    house = await begin(push=True, retries=RETRIES, absent=("webhook_history",))
    slip = house.fault("status", status=status)
    await house.reload()
    house.plug()
    await house.sim.delivered()
    delivery = last_delivery(house)
    assert delivery.attempts[0].status == 503
    house.end_fault(slip)
    await house.reload()  # as a person would, or Home Assistant after a while
    await until(house.hass, lambda: arrived(house, delivery))
    for flow in house.hass.config_entries.flow.async_progress_by_handler("jedlix"):
        house.hass.config_entries.flow.async_abort(flow["flow_id"])
    await house.ends_well(errors=["Error setting up", "failed to set up", "Could not authenticate"])


@tries(11)
@pytest.mark.parametrize("way", ["reload", "remove"])
async def test_a_body_that_arrives_slowly_across_a_reload(
    begin: Begin, home: Home, way: str
) -> None:
    house = await begin(push=True, retries=RETRIES)
    body = orjson.dumps({"eventType": "any", "id": "slow", "userId": house.car.user_id})
    half_sent, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield body[:10]
        half_sent.set()
        await go_on.wait()
        yield body[10:]

    post = asyncio.create_task(home.post(PATH, data=slowly(), headers=HEADERS))
    await half_sent.wait()
    await asyncio.sleep(0.05)
    if way == "reload":
        await house.reload()
    else:
        await house.hass.config_entries.async_remove(house.entry.entry_id)
    go_on.set()
    answer = await post
    assert answer.status == 503
    assert not any(event["event_id"] == "slow" for event in house.recorded.webhooks)
    if way == "reload":
        await house.ends_well()


@tries(12)
async def test_the_registration_survives_any_exception(
    begin: Begin, callback_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = f"{callback_url}{PATH}"
    answers: list[Any] = [ConnectionResetError("Cannot write to closing transport")]

    async def get_or_create(_hass: HomeAssistant, _webhook_id: str) -> str:
        if answers:
            raise answers.pop()
        return hook

    async def delete(_hass: HomeAssistant, _webhook_id: str) -> None:
        return None

    house = await begin()
    house.hass.loop.set_exception_handler(lambda *_: None)  # of a task that has died
    house.hass.config.components.add("cloud")
    monkeypatch.setattr(real_cloud, "async_active_subscription", lambda _: True)
    monkeypatch.setattr(real_cloud, "async_get_or_create_cloudhook", get_or_create)
    monkeypatch.setattr(real_cloud, "async_delete_cloudhook", delete)
    monkeypatch.setattr(registration, "MIN_RETRY_INTERVAL", 0.02)
    house.hass.config_entries.async_update_entry(
        house.entry, data={**house.entry.data, CONF_CALLBACK: "cloud"}
    )
    await house.hass.async_block_till_done()
    for _ in range(50):
        if house.sim.webhooks.subscriptions:
            break
        await asyncio.sleep(0.02)
    assert {item.url for item in house.sim.webhooks.subscriptions.values()} == {hook}
    await house.ends_well(errors=["Cannot write to closing transport", "Jedlix"])


@tries(14)
async def test_a_lost_subscription_of_ours_is_removed(begin: Begin, callback_url: str) -> None:
    house = await begin(push=True)
    lost = house.sim.webhooks.create(
        "userCreated", f"{callback_url}/api/webhook/gone", "key", is_active=True
    )
    house.entry.runtime_data.push.resubscribe()
    await house.poll()
    await house.quiet()
    assert lost.id not in house.sim.webhooks.subscriptions
    await house.ends_well()


@tries(14)
async def test_the_subscription_of_an_entry_that_is_not_loaded_yet_is_left_alone(
    begin: Begin, callback_url: str
) -> None:
    house = await begin(push=True)
    other = make_entry(house.sim, None)
    data = {**other.data, CONF_WEBHOOK_ID: "of-another-entry"}
    MockConfigEntry(domain=DOMAIN, data=data).add_to_hass(house.hass)
    others = house.sim.webhooks.create(
        "userCreated", f"{callback_url}/api/webhook/of-another-entry", "key", is_active=True
    )
    house.entry.runtime_data.push.resubscribe()
    await house.poll()
    await house.quiet()
    assert others.id in house.sim.webhooks.subscriptions
    await house.ends_well()


@tries(14)
@pytest.mark.parametrize("way", ["registers", "is removed"])
async def test_a_restored_copy_leaves_the_originals_subscriptions_alone(
    begin: Begin, way: str
) -> None:
    house = await begin(push=True)
    url = f"https://original.example{PATH}"
    original = house.sim.webhooks.create("userCreated", url, "key", is_active=False)
    if way == "registers":
        house.entry.runtime_data.push.resubscribe()
        await house.poll()
        await house.quiet()
    else:
        await house.hass.config_entries.async_remove(house.entry.entry_id)
    assert house.sim.webhooks.subscriptions.get(original.id) is original
    assert original.url == url
    if way == "registers":
        await house.ends_well()


@tries(14)
@pytest.mark.parametrize("is_alive", [True, False], ids=["a copy", "a home that moved"])
@pytest.mark.parametrize("way", ["registers", "is switched off", "is reconfigured", "is removed"])
async def test_a_restored_store_takes_over_only_what_nobody_answers_for(
    begin: Begin, callback_url: str, is_alive: bool, way: str
) -> None:
    """A copy of the store has the original's subscriptions, at the original's address."""
    house = await begin(push=True)
    entries, at_jedlix = house.hass.config_entries, house.sim.webhooks.subscriptions
    is_restored = False

    async def original(request: web.Request) -> web.Response:
        if not is_restored:
            return await passed_on(request, callback_url + request.path_qs)
        return web.Response(status=401 if is_alive else 404)

    async with listening(original) as address:
        data = dict(house.entry.data)
        entries.async_update_entry(house.entry, data=data | {"callback_url": address})
        await until(house.hass, lambda: {it.url for it in at_jedlix.values()} == {address + PATH})
        of_original = dict(at_jedlix)
        await entries.async_unload(house.entry.entry_id)
        is_restored = True
        data |= {"callback": "none"} if way == "is switched off" else {}
        entries.async_update_entry(house.entry, data=data)
        if way == "is removed":
            await entries.async_remove(house.entry.entry_id)
        elif way == "is reconfigured":
            dialog = await (await Dialog.reconfigure(house.hass, house.entry)).choose("push")
            assert (await dialog.submit(callback="none")).reason == "reconfigure_successful"
        else:
            await entries.async_setup(house.entry.entry_id)
        await house.quiet()
        left = {number: it for number, it in at_jedlix.items() if it.url == address + PATH}
        assert left == (of_original if is_alive else {})
        if way == "registers":
            assert {it.url for it in at_jedlix.values()} - {address + PATH} == {callback_url + PATH}
            await house.ends_well()


@tries(15)
async def test_a_large_body_is_published_with_its_payload_cut(begin: Begin, home: Home) -> None:
    house = await begin(push=True)
    message = {"eventType": "any", "id": "large", "userId": house.car.user_id, "more": "x" * 40_000}
    answer = await home.post(PATH, json=message, headers=HEADERS)
    assert answer.status == 200
    await house.hass.async_block_till_done()
    (event,) = house.recorded.webhooks
    assert len(orjson.dumps(event)) < 32_768
    await house.ends_well()


@tries(9, kinds=("status",))
async def test_the_refresh_after_a_delivery_fails_and_is_made_again(begin: Begin) -> None:
    house = await begin(push=True)
    house.fault("status", status=503, endpoints=["vehicles", "user_sessions"])
    house.plug()
    await house.sim.delivered()
    await house.quiet()
    assert house.published("session_started") == []
    house.calm()
    await until(house.hass, lambda: house.published("session_started"))
    await house.ends_well()


@tries(2, kinds=("empty_list",))
async def test_the_refresh_after_a_delivery_finds_no_session_yet(begin: Begin) -> None:
    house = await begin(push=True)
    house.fault("empty_list", endpoints=["user_sessions"])
    house.plug()
    await house.sim.delivered()
    await house.quiet()
    house.calm()
    await house.poll()
    assert len(house.published("session_started")) == 1
    await house.ends_well()


@tries(15)
@pytest.mark.parametrize("names", ["vehicleId", "sessionId"])
async def test_a_delivery_that_names_only_a_car_or_a_session_announces_its_change(
    begin: Begin, home: Home, names: str
) -> None:
    house = await begin(push=True)
    session = house.plug()
    await house.sim.delivered()
    await until(house.hass, lambda: house.published("session_started"))
    await house.poll(times=6)
    house.sim.webhooks.event_types.clear()
    house.unplug()
    await house.poll()  # finds the change before the delivery comes
    ids = {"vehicleId": house.car.id, "sessionId": session}
    message = {"eventType": "any", "id": "1", names: ids[names]}
    assert (await home.post(PATH, json=message, headers=HEADERS)).status == 200
    await house.poll(times=5)
    assert house.entry.runtime_data.push.health.missed_by_push == 0
    assert house.entry.runtime_data.push.state == "healthy"


@tries(15)
async def test_a_delivery_with_a_byte_order_mark(begin: Begin, home: Home) -> None:
    house = await begin(push=True)
    body = b"\xef\xbb\xbf" + orjson.dumps(
        {"eventType": "any", "id": "bom", "userId": house.car.user_id}
    )
    answer = await home.post(PATH, data=body, headers=HEADERS)
    assert answer.status == 200
    await house.hass.async_block_till_done()
    assert [event["event_id"] for event in house.recorded.webhooks] == ["bom"]
    await house.ends_well()


@tries(15)
async def test_a_trigger_that_wants_late_deliveries_too(begin: Begin) -> None:
    house = await begin(push=True)
    runs: list[Event[Any]] = []

    @callback
    def ran(event: Event[Any]) -> None:
        runs.append(event)

    house.hass.bus.async_listen("an_automation_ran", ran)
    trigger = {"trigger": "jedlix.webhook_received", "options": {"include_late": True}}
    automation = {"triggers": [trigger], "actions": [{"event": "an_automation_ran"}]}
    await async_setup_component(house.hass, "automation", {"automation": automation})
    await house.hass.config_entries.async_unload(house.entry.entry_id)
    house.plug()
    await house.sim.delivered()
    house.clock.go_on(timedelta(hours=2))
    await house.hass.config_entries.async_setup(house.entry.entry_id)
    await house.poll()
    assert len(runs) == len(house.recorded.webhooks) > 0
    await house.ends_well(errors=["automation"])
