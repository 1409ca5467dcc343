"""A tenant with hardly any call: other spellings, v2 pages, event types that nobody knows.

Half of the API is not documented. So the integration must work with a Jedlix that fits the documentation and
agrees with the simulator in nothing else.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import ClientSession, web
from homeassistant.core import HomeAssistant
import pytest

from tests.dialogs import Dialog, wait_until_connected
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


@pytest.fixture
async def tenant(hass: HomeAssistant, callback_url: str) -> AsyncIterator[MinimalTenant]:
    """Return a tenant whose user is followed, with push, as the dialogs set it up."""
    tenant = MinimalTenant()
    app = web.Application()
    app.router.add_post("/login", tenant.token)
    app.router.add_get("/api/v1/users/{user}/vehicles", tenant.vehicles)
    app.router.add_get("/api/v2/sessions", tenant.sessions)
    app.router.add_post("/api/v1/webhooks/subscriptions", tenant.subscribe)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    dialog = await Dialog.set_up(hass)
    await dialog.submit(environment="custom", client_id="c", client_secret="s3cret")
    await dialog.submit(base_url=url, token_url=f"{url}/login")
    await dialog.submit(users=[USER])
    await dialog.submit(callback="custom", callback_url=callback_url)
    await wait_until_connected(hass, dialog.entry)
    yield tenant
    await runner.cleanup()


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
