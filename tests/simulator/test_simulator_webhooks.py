"""Subscriptions and deliveries over real sockets."""

import asyncio
from datetime import UTC, datetime, timedelta
import json
from uuid import UUID

import pytest

from simulator.app import Simulator
from simulator.event_types import (
    DOCUMENTED_EVENTS,
    NEVER_SENT,
    PARTIAL_LIMIT,
    REPORTED_EVENTS,
    pascal_case,
)
from tests.simulator.conftest import Start
from tests.simulator.test_simulator_api import items
from tests.simulator.tools import KEY, Api, Clock, Hook, until

SUBSCRIPTIONS = "/api/v1/webhooks/subscriptions"


async def test_registration_sends_the_documented_test_message(api: Api, hook: Hook) -> None:
    status, body = await api.subscribe("userCreated", hook.url)
    assert status == 201
    assert "apiKey" not in body
    (message,) = hook.received
    assert message.keys() == {"eventType", "id", "tenant", "timestamp", "userId", "isTest"}
    assert (message["eventType"], message["isTest"]) == ("userCreated", True)
    assert hook.authorizations == [f"Basic {KEY}"]
    UUID(message["id"])


@pytest.mark.parametrize("status", [302, 401, 404, 500])
async def test_registration_fails_unless_2xx(api: Api, hook: Hook, status: int) -> None:
    hook.status = status
    answer, body = await api.subscribe("userCreated", hook.url)
    assert answer == 400
    assert str(status) in body["detail"]
    assert await api.get(SUBSCRIPTIONS) == []


async def test_registration_fails_when_nobody_listens(api: Api, hook: Hook) -> None:
    await hook.stop()
    status, body = await api.subscribe("userCreated", hook.url)
    assert status == 400
    assert "could not be reached" in body["detail"]


async def test_registration_gives_up_on_a_silent_endpoint(start: Start, silent_url: str) -> None:
    api = await start(endpoint_timeout=0.2)
    status, body = await api.subscribe("userCreated", silent_url)
    assert (status, "no answer within 0.2 s" in body["detail"]) == (400, True)


async def test_registration_refuses_what_is_not_offered(api: Api, hook: Hook) -> None:
    status, body = await api.subscribe("chargeSessionStarted", hook.url)
    assert status == 400
    assert "sessionStarted" in body["detail"]
    assert (await api.subscribe("userCreated", "ftp://example.org/"))[0] == 400
    assert not hook.received


async def test_manage_subscriptions(api: Api, hook: Hook) -> None:
    _, made = await api.subscribe("userCreated", hook.url)
    path = f"{SUBSCRIPTIONS}/{made['id']}"
    assert await api.get(path) == made
    assert await api.get(SUBSCRIPTIONS) == [made]
    status, changed = await api.call("PUT", path, {"isActive": False, "apiKey": "new"})
    assert (status, changed["isActive"], hook.authorizations[-1]) == (200, False, "Basic new")
    api.sim.add_user()
    await api.sim.delivered()
    assert not hook.real()
    assert await api.call("DELETE", path, {}) == (204, None)
    assert (await api.call("DELETE", path, {}))[0] == 404


async def test_deliveries_come_in_order_with_the_raw_key(api: Api, hook: Hook) -> None:
    await api.subscribe("sessionUpdated", hook.url)
    sim, vehicle_id = api.sim, api.sim.vehicle_ids[0]
    sim.plug(vehicle_id)
    sim.advance(12)
    sim.unplug(vehicle_id)
    await sim.delivered()
    stamps = [message["timestamp"] for message in hook.real()]
    assert len(stamps) > 10
    assert stamps == sorted(stamps)
    assert len(set(stamps)) == len(stamps)
    assert {message["vehicleId"] for message in hook.real()} == {vehicle_id}
    assert set(hook.authorizations) == {f"Basic {KEY}"}
    assert datetime.fromisoformat(stamps[-1]) <= datetime.now(UTC)


async def test_each_kind_is_published(api: Api, hook: Hook) -> None:
    for name in api.sim.webhooks.event_types.values():
        assert (await api.subscribe(name, hook.url))[0] == 201
    sim, vehicle_id = api.sim, api.sim.vehicle_ids[0]
    sim.add_user()
    sim.ready(vehicle_id)
    sim.plug(vehicle_id)
    sim.change_settings(vehicle_id, desiredBatteryLevel=90)
    sim.impossible(vehicle_id)
    sim.unplug(vehicle_id)
    for reason in ("disconnected", "credentials"):
        sim.link(vehicle_id, connected=False, reason=reason)
        sim.link(vehicle_id, connected=True)
    sim.remove_user(sim.user_ids[1])
    await sim.delivered()
    sent = {name for kind, name in sim.webhooks.event_types.items() if kind not in NEVER_SENT}
    assert {message["eventType"] for message in hook.real()} == sent
    (ready,) = hook.real("vehicleConnectionReadyToContinue")
    assert ready["vehicleId"] == vehicle_id


async def test_event_types_can_be_called_differently(start: Start, hook: Hook) -> None:
    api = await start(event_types={"session_started": "chargingHasBegun"})
    assert (await api.subscribe("chargingHasBegun", hook.url))[0] == 201
    assert (await api.subscribe("sessionEnded", hook.url))[0] == 400
    api.sim.plug(api.sim.vehicle_ids[0])
    await api.sim.delivered()
    assert [message["eventType"] for message in hook.real()] == ["chargingHasBegun"]


async def test_a_failed_delivery_is_tried_again(start: Start, hook: Hook) -> None:
    api = await start(retries=(0.05, 0.05))
    await api.subscribe("userCreated", hook.url)
    hook.status = 503
    api.sim.add_user()
    await api.sim.delivered()
    hook.status = 200
    await until(lambda: len(hook.real()) == 2)
    delivery = api.sim.webhooks.deliveries[-1]
    await until(lambda: len(delivery.attempts) == 2)
    assert [attempt.status for attempt in delivery.attempts] == [503, 200]


async def test_it_gives_up_after_the_last_retry(start: Start, hook: Hook) -> None:
    api = await start(retries=(0.01, 0.01))
    await api.subscribe("userCreated", hook.url)
    hook.status = 500
    api.sim.add_user()
    await until(lambda: len(hook.real()) == 3)
    await asyncio.sleep(0.1)
    assert len(hook.real()) == 3


async def test_a_silent_endpoint_delays_no_other(start: Start, hook: Hook, silent_url: str) -> None:
    api = await start(endpoint_timeout=60)
    await api.subscribe("userCreated", hook.url)
    await api.subscribe("userCreated", hook.url)
    next(iter(api.sim.webhooks.subscriptions.values())).url = silent_url
    for _ in range(5):
        api.sim.add_user()
    await api.get(f"/api/v1/users/{api.sim.user_ids[0]}/vehicles")
    await until(lambda: len(hook.real()) == 5)


async def test_the_history_has_a_flat_record_for_each_attempt(start: Start, hook: Hook) -> None:
    api = await start(retries=(0.01,))
    api.sim.add_user()  # nobody is subscribed, so there is no delivery
    await api.subscribe("userCreated", hook.url)
    hook.status = 503
    api.sim.add_user()
    await until(lambda: len(hook.real()) == 2)
    await until(lambda: len(api.sim.webhooks.deliveries[-1].attempts) == 2)
    page = await api.get("/api/v1/webhooks/events")
    newest, oldest = page["items"]
    assert newest["id"] != oldest["id"]
    assert newest["sentAt"] > oldest["sentAt"]
    for record in page["items"]:
        assert json.loads(record["payload"]) == hook.real()[0]
        assert (record["responseStatus"], record["endpointUrl"]) == (503, hook.url)
        assert (record["eventType"], record["tenant"]) == ("userCreated", "simulator")
    later = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert items(await api.get(f"/api/v1/webhooks/events?sentAtFrom={later}")) == []


async def test_strict_has_the_documented_event_types_only(start: Start, hook: Hook) -> None:
    api = await start(mode="strict")
    assert api.sim.webhooks.offered == list(DOCUMENTED_EVENTS.values())
    assert (await api.subscribe("sessionStarted", hook.url))[0] == 400


async def test_partial_has_some_event_types_some_calls_and_a_limit(
    start: Start, hook: Hook
) -> None:
    api = await start(mode="partial")
    assert {*DOCUMENTED_EVENTS.values()} < {*api.sim.webhooks.offered}
    assert (await api.subscribe("sessionUpdated", hook.url))[0] == 400
    answers = [(await api.subscribe(name, hook.url))[0] for name in api.sim.webhooks.offered]
    assert answers == [201] * PARTIAL_LIMIT + [409] * (len(answers) - PARTIAL_LIMIT)
    assert 409 in answers
    user = f"/api/v1/users/{api.sim.user_ids[0]}"
    assert (await api.call("GET", f"{user}/sessions"))[0] == 200
    assert (await api.call("GET", f"{user}/financials"))[0] == 404


async def test_a_limit_and_the_spelling_of_event_types_are_faults(api: Api, hook: Hook) -> None:
    api.sim.strike({"subscription_limit": 2, "spelling": "PascalCase"})
    api.sim.strike({"refused_event_types": ["SessionEnded"]})
    assert (await api.subscribe("sessionStarted", hook.url))[0] == 400
    assert (await api.subscribe("SessionEnded", hook.url))[0] == 400
    assert (await api.subscribe("userCreated", hook.url))[0] == 201
    status, made = await api.subscribe("SessionStarted", hook.url)
    assert status == 201
    assert (await api.subscribe("SessionUpdated", hook.url))[0] == 409
    api.sim.plug(api.sim.vehicle_ids[0])
    await api.sim.delivered()
    assert [message["eventType"] for message in hook.real()] == ["SessionStarted"]
    assert (await api.call("DELETE", f"{SUBSCRIPTIONS}/{made['id']}", {}))[0] == 204
    assert (await api.subscribe("SessionUpdated", hook.url))[0] == 201
    with pytest.raises(ValueError, match="spelling"):
        api.sim.strike({"spelling": "snake_case"})
    with pytest.raises(ValueError, match="subscription_limit"):
        api.sim.strike({"subscription_limit": -1})


def test_all_kinds_that_are_sent_have_a_name() -> None:
    assert REPORTED_EVENTS.keys() > NEVER_SENT
    assert pascal_case("sessionStarted") == "SessionStarted"


async def test_a_removed_user_is_unknown(api: Api) -> None:
    sim: Simulator = api.sim
    user_id = sim.user_ids[0]
    sim.remove_user(user_id)
    assert (await api.call("GET", f"/api/v1/users/{user_id}/vehicles"))[0] == 404
    await api.get("/api/v2/sessions")
    assert [change.type for change in sim.world.changes][-2:] == ["vehicle_removed", "user_removed"]


async def test_history_of_events(start: Start, hook: Hook) -> None:
    clock = Clock()
    api = await start(clock, history_shape="events")
    api.sim.add_user()  # nobody is subscribed: kept all the same
    await api.subscribe("userCreated", hook.url)
    hook.status = 500
    api.sim.add_user()
    await api.sim.delivered()
    page = await api.get("/api/v1/webhooks/events")
    newest, *_, oldest = [item for item in page["items"] if item["eventType"] == "userCreated"]
    assert newest["timestamp"] > oldest["timestamp"]
    assert oldest["deliveries"] == []
    assert newest["deliveries"][0]["status"] == 500
    assert {key: newest[key] for key in newest.keys() - {"deliveries"}} == hook.real()[0]
    since = await api.get(f"/api/v1/webhooks/events?timestampFrom={newest['timestamp']}")
    assert newest in since["items"]
    assert oldest not in since["items"]
    clock.ahead = timedelta(days=7, minutes=1)
    await api.log_in()
    assert items(await api.get("/api/v1/webhooks/events")) == []


async def test_noisy_deliveries(start: Start, hook: Hook) -> None:
    api = await start(mode="noisy", seed=3)
    for name in api.sim.webhooks.event_types.values():
        await api.subscribe(name, hook.url)
    sim, vehicle_id = api.sim, api.sim.vehicle_ids[0]
    for _ in range(4):
        sim.plug(vehicle_id)
        sim.advance(14)
        sim.unplug(vehicle_id)
        sim.telemetry(vehicle_id, battery_level=10)
    await sim.delivered()
    ids = [message["id"] for message in hook.real()]
    assert len(set(ids)) < len(ids)
    names = {message["eventType"] for message in hook.real()}
    assert names - set(sim.webhooks.event_types.values())
