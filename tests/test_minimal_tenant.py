"""A tenant with hardly any call: other spellings, v2 pages, event types that nobody knows.

Half of the API is not documented. So the integration must work with a Jedlix that fits the documentation and
agrees with the simulator in nothing else.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import ClientSession, web
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
import pytest

from custom_components.jedlix.publisher import Source
from tests.dialogs import to_account, wait_until_connected
from tests.tools import record_events, state_of, until

USER = "u-1"


def page(*items: dict[str, Any]) -> web.Response:
    """Return a page as v2 documents it."""
    count = {"pageIndex": 1, "pageSize": 100, "totalPages": 1, "totalCount": len(items)}
    return web.json_response({**count, "items": list(items)})


@dataclass
class MinimalTenant:
    """A tenant that offers tokens, vehicles, v2 sessions and the registration of webhooks; nothing else."""

    state: str = "Disconnected"
    session: dict[str, Any] | None = None
    subscriptions: list[dict[str, Any]] = field(default_factory=list)

    async def token(self, _request: web.Request) -> web.Response:
        return web.json_response({"access_token": "t"})

    async def vehicles(self, request: web.Request) -> web.Response:
        if request.match_info["user"] != USER:
            raise web.HTTPNotFound
        return page(
            {
                "VehicleId": "v-1",
                "Details": {"Brand": "Fiat", "Model": "500e"},
                "ChargeState": {"ChargeState": self.state, "BatteryLevel": None},
                "somethingNew": {"deep": [1, 2, 3]},
            }
        )

    async def sessions(self, _request: web.Request) -> web.Response:
        return page(*([self.session] if self.session else []))

    async def subscribe(self, request: web.Request) -> web.Response:
        subscription = await request.json()
        if await self.deliver(subscription, {"isTest": True}) != 200:
            raise web.HTTPBadRequest
        self.subscriptions.append(subscription)
        return web.Response(status=201)

    async def deliver(self, subscription: dict[str, Any], more: dict[str, Any]) -> int:
        """Call an endpoint and return how it answered."""
        message = {"eventType": subscription["eventType"], "id": "e-0", "userId": USER}
        async with (
            ClientSession() as http,
            http.post(
                subscription["endpointUrl"],
                json=message | more,
                headers={"Authorization": f"Basic {subscription['apiKey']}"},
            ) as answer,
        ):
            return answer.status


@asynccontextmanager
async def followed(
    hass: HomeAssistant, callback_url: str, catch_all: bytes | None = None
) -> AsyncIterator[tuple[MinimalTenant, ConfigEntry]]:
    """Yield a tenant whose user is followed, with push, as the dialogs set it up.

    `catch_all` is what it answers to every call that it does not offer, with 200; without, with 404.
    """
    tenant = MinimalTenant()

    async def otherwise(_request: web.Request) -> web.Response:
        if catch_all is None:
            raise web.HTTPNotFound
        return web.Response(body=catch_all)

    app = web.Application()
    app.router.add_post("/login", tenant.token)
    app.router.add_get("/api/v1/users/{user}/vehicles", tenant.vehicles)
    app.router.add_get("/api/v2/sessions", tenant.sessions)
    app.router.add_post("/api/v1/webhooks/subscriptions", tenant.subscribe)
    app.router.add_route("*", "/{path:.*}", otherwise)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        dialog = await to_account(hass)
        await dialog.submit(environment="custom", client_id="c", client_secret="s3cret")
        await dialog.submit(base_url=url, token_url=f"{url}/login")
        await dialog.submit(users=[USER])
        await dialog.submit(callback="custom", callback_url=callback_url)
        await wait_until_connected(hass, dialog.entry)
        yield tenant, dialog.entry
    finally:
        await runner.cleanup()


@pytest.fixture
async def tenant(hass: HomeAssistant, callback_url: str) -> AsyncIterator[MinimalTenant]:
    """Return a tenant that offers hardly any call."""
    async with followed(hass, callback_url) as (tenant, _):
        yield tenant


async def test_set_up_succeeds_and_shows_the_car(
    hass: HomeAssistant, tenant: MinimalTenant
) -> None:
    assert state_of(hass, "_push_state") == "waiting"
    assert state_of(hass, "v-1_charge_state") == "disconnected"
    assert [item["eventType"] for item in tenant.subscriptions].count("userCreated") == 1


@pytest.mark.parametrize("named", [{"userId": USER}, {"userId": None, "vehicleId": "v-1"}, {}])
async def test_a_delivery_of_any_type_is_published_and_refreshes_the_user(
    hass: HomeAssistant, tenant: MinimalTenant, named: dict[str, Any]
) -> None:
    recorded = record_events(hass)
    tenant.state = "Charging"
    tenant.session = {
        "SessionId": "s-1",
        "UserId": USER,
        "VehicleId": "v-1",
        "StartedAt": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}.1234567",
        "IsManaged": True,
        "ChargingLocationId": None,
    }
    event = {"eventType": "carDreamtOfSheep", "id": "e-1", "userId": None, "sheep": 7} | named
    assert await tenant.deliver(tenant.subscriptions[0], event) == 200
    await until(hass, lambda: "session_started" in recorded.types)
    assert [(it["event_type"], it["payload"]["sheep"]) for it in recorded.webhooks] == [
        ("carDreamtOfSheep", 7)
    ]
    assert sorted(recorded.types) == ["charging_started", "plugged_in", "session_started"]
    assert {change["source"] for change in recorded.changes} == {"webhook"}
    assert state_of(hass, "v-1_session", "sensor") == "smart"
    # The end of the session is found without a call for one session.
    tenant.session |= {"EndedAt": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}Z"}
    tenant.state = "DISCONNECTED"
    assert await tenant.deliver(tenant.subscriptions[0], {"id": "e-2"}) == 200
    await until(hass, lambda: {"unplugged", "session_ended"} <= set(recorded.types))
    assert state_of(hass, "v-1_session", "sensor") == "none"


# -- a tenant that answers everything ------------------------------------------------------------------------


@pytest.mark.parametrize("catch_all", [b"{}", b"[]", b"<html><body>Welcome</body></html>"])
async def test_a_tenant_that_answers_everything_is_taken_for_no_more_than_it_offers(
    hass: HomeAssistant, callback_url: str, catch_all: bytes
) -> None:
    """Its sessions come from the documented list, and no control is added that would do nothing."""
    async with followed(hass, callback_url, catch_all) as (tenant, entry):
        recorded = record_events(hass)
        coordinator = entry.runtime_data.coordinator
        for number in range(1, 4):
            tenant.state = "Charging"
            started = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}Z"
            tenant.session = {"id": f"s-{number}", "userId": USER, "startTime": started}
            await coordinator.refresher.refresh(USER, Source.WEBHOOK)
            assert recorded.types.count("session_started") == number
            assert state_of(hass, "v-1_session", "sensor") != "none"
            tenant.session |= {"endTime": started}
            tenant.state = "Disconnected"
            await coordinator.async_refresh()
            assert recorded.types.count("session_ended") == number
        report: Any = entry.runtime_data.api_report()
        offered = {name: call["offered"] for name, call in report["calls"].items()}
        assumed = {
            name for name, call in report["calls"].items() if call["evidence"] != "documented"
        }
        assert {offered[name] for name in assumed} <= {"no", "not known"}
        assert offered["sessions"] == "yes"
        assert hass.states.async_all(("number", "switch")) == []
