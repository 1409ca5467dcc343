"""A Jedlix that nobody has seen: other spellings, v2 pages, hardly any endpoint, events without a name.

Half of the API is not documented, so the integration must live with a cloud that fits its documentation and
agrees with the simulator in nothing else.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession, web
from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest

from custom_components.jedlix.const import DOMAIN
from tests.tools import record_events, state_of, until

USER = "u-1"


def page(*items: dict[str, Any]) -> web.Response:
    """Answer as v2 documents it."""
    return web.json_response(
        {
            "pageIndex": 1,
            "pageSize": 100,
            "totalPages": 1,
            "totalCount": len(items),
            "items": list(items),
        }
    )


@dataclass
class OtherCloud:
    """Token, vehicles, v2 sessions and the registration of webhooks; nothing else."""

    url: str = ""
    state: str = "Disconnected"
    session: dict[str, Any] | None = None
    hooks: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def token(self, request: web.Request) -> web.Response:
        form = await request.post()
        right = form["client_secret"] == "s3cret"
        return web.json_response(
            {"access_token": "t"} if right else {"error": "access_denied"},
            status=200 if right else 401,
        )

    async def vehicles(self, request: web.Request) -> web.Response:
        self.asked.append("vehicles")
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
        self.asked.append("sessions")
        return page(*([self.session] if self.session else []))

    async def subscribe(self, request: web.Request) -> web.Response:
        hook = await request.json()
        if await self.deliver(hook, {"isTest": True}) != 200:
            raise web.HTTPBadRequest
        self.hooks.append(hook)
        return web.Response(status=201)

    async def deliver(self, hook: dict[str, Any], more: dict[str, Any]) -> int:
        """Call an endpoint and return how it answered."""
        message = {"eventType": hook["eventType"], "id": "e-0", "tenant": "t", "userId": USER}
        async with (
            ClientSession() as http,
            http.post(
                hook["endpointUrl"],
                json=message | more,
                headers={"Authorization": f"Basic {hook['apiKey']}"},
            ) as answer,
        ):
            return answer.status


@pytest.fixture
async def cloud(socket_enabled: None) -> AsyncIterator[OtherCloud]:
    cloud = OtherCloud()
    app = web.Application()
    app.router.add_post("/login", cloud.token)
    app.router.add_get("/api/v1/users/{user}/vehicles", cloud.vehicles)
    app.router.add_get("/api/v2/sessions", cloud.sessions)
    app.router.add_post("/api/v1/webhooks/subscriptions", cloud.subscribe)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    cloud.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield cloud
    await runner.cleanup()


async def set_up_by_hand(hass: HomeAssistant, cloud: OtherCloud, callback_url: str) -> None:
    """Go through the flow as a person does."""
    flows = hass.config_entries.flow
    result = await flows.async_init(DOMAIN, context={"source": SOURCE_USER})
    answers_by_step: dict[str, dict[str, Any]] = {
        "user": {"environment": "custom", "client_id": "c", "client_secret": "s3cret"},
        "custom": {"base_url": cloud.url, "token_url": f"{cloud.url}/login"},
        "users": {"users": [USER]},
        "webhook": {"callback": "custom", "callback_url": callback_url},
    }
    for step, answers in answers_by_step.items():
        assert result["step_id"] == step, result
        result = await flows.async_configure(result["flow_id"], answers)
    while result["type"] is FlowResultType.SHOW_PROGRESS:
        await hass.async_block_till_done()
        result = await flows.async_configure(result["flow_id"])
    assert result["type"] is FlowResultType.CREATE_ENTRY, result
    await hass.async_block_till_done()


async def test_set_up_succeeds_and_the_car_is_there(
    hass: HomeAssistant, cloud: OtherCloud, callback_url: str
) -> None:
    await set_up_by_hand(hass, cloud, callback_url)
    await until(hass, lambda: state_of(hass, "_push_state") == "waiting")
    assert state_of(hass, "v-1_charge_state") == "disconnected"
    assert [hook["eventType"] for hook in cloud.hooks].count("userCreated") == 1


@pytest.mark.parametrize("named", [{"userId": USER}, {"userId": None, "vehicleId": "v-1"}, {}])
async def test_an_event_that_nobody_heard_of_is_passed_on_and_fetches_the_state(
    hass: HomeAssistant, cloud: OtherCloud, callback_url: str, named: dict[str, Any]
) -> None:
    await set_up_by_hand(hass, cloud, callback_url)
    recorded = record_events(hass)
    cloud.state = "Charging"
    cloud.session = {
        "SessionId": "s-1",
        "UserId": USER,
        "VehicleId": "v-1",
        "StartedAt": "2099-01-01T10:00:00.1234567",
        "IsManaged": True,
        "ChargingLocationId": None,
    }
    event = {"eventType": "carDreamtOfSheep", "id": "e-1", "userId": None, "sheep": 7} | named
    assert await cloud.deliver(cloud.hooks[0], event) == 200
    await until(hass, lambda: "session_started" in recorded.types)
    assert [(told["event_type"], told["payload"]["sheep"]) for told in recorded.webhooks] == [
        ("carDreamtOfSheep", 7)
    ]
    assert sorted(recorded.types) == ["charging_started", "plugged_in", "session_started"]
    assert {told["source"] for told in recorded.changes} == {"webhook"}
    assert state_of(hass, "v-1_session", "sensor") == "smart"


async def test_a_session_that_ends_is_told_without_an_endpoint_for_it(
    hass: HomeAssistant, cloud: OtherCloud, callback_url: str
) -> None:
    await test_an_event_that_nobody_heard_of_is_passed_on_and_fetches_the_state(
        hass, cloud, callback_url, {"userId": USER}
    )
    recorded = record_events(hass)
    assert cloud.session is not None
    cloud.session |= {"EndedAt": "2099-01-01T11:00:00Z"}
    cloud.state = "DISCONNECTED"
    assert await cloud.deliver(cloud.hooks[0], {"id": "e-2"}) == 200
    await until(hass, lambda: "unplugged" in recorded.types and "session_ended" in recorded.types)
    assert state_of(hass, "v-1_session", "sensor") == "none"
