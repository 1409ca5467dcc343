"""Client against the simulator: every method, in each of the simulator's modes."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from custom_components.jedlix.api import (
    ChargeStatus,
    Conflict,
    JedlixClient,
    NotFound,
    Rejected,
    Session,
    Vehicle,
)
from custom_components.jedlix.api.endpoints import ENDPOINTS, Evidence
from simulator.app import Simulator
from tests.api.stand_in import Cloud, make_client

type Start = Callable[..., Awaitable[Simulator]]

# The noisy simulator never gives the same answer twice, so a test reads it this often.
_NOISY_ROUNDS = 10


@pytest.fixture(params=["default", "noisy"])
async def sim(request: pytest.FixtureRequest, start_simulator: Start) -> Simulator:
    return await start_simulator(mode=request.param, event_types={"session_started": "sessionOn"})


@pytest.fixture
def client(http: aiohttp.ClientSession, sim: Simulator) -> JedlixClient:
    return make_client(http, sim.url)


@pytest.fixture
def rounds(sim: Simulator) -> range:
    return range(_NOISY_ROUNDS if sim.noise else 1)


async def joined[T](pages: AsyncIterator[tuple[T, ...]]) -> list[T]:
    return [item async for page in pages for item in page]


async def only_vehicle(client: JedlixClient, sim: Simulator) -> Vehicle:
    (vehicle,) = await client.vehicles(sim.user_ids[0])
    return vehicle


async def newest_session(client: JedlixClient, sim: Simulator) -> Session:
    return (await joined(client.session_pages(user_id=sim.user_ids[0])))[0]


async def test_a_car_is_read_as_it_is(client: JedlixClient, sim: Simulator, rounds: range) -> None:
    car = sim.vehicle(sim.vehicle_ids[0])
    for _ in rounds:
        seen = await only_vehicle(client, sim)
        assert (seen.id, seen.user_id) == (car.id, sim.user_ids[0])
        assert (seen.brand, seen.model) == (car.brand, car.model)
        assert seen.name == f"{car.brand} {car.model}"
        assert seen.version in {car.version, None}
        assert (seen.is_connected, seen.is_connectable) == (True, True)
        assert seen.capabilities - {"teleportation"} == set(car.capabilities)
        known = seen.charge_state.status is ChargeStatus.DISCONNECTED
        assert known or (sim.noise and seen.charge_state.status is ChargeStatus.UNKNOWN)
        assert seen.charge_state.battery_level == int(car.level)
        assert seen.charge_state.range_km in {car.report.range_km, None}
        assert seen.charge_state.updated_at is not None
        assert abs(seen.charge_state.updated_at - car.report.at) < timedelta(milliseconds=1)


async def test_a_car_whose_connection_is_not_complete(client: JedlixClient, sim: Simulator) -> None:
    assert (await only_vehicle(client, sim)).connection_status is None
    sim.ready(sim.vehicle_ids[0])
    assert (await only_vehicle(client, sim)).connection_status == "readyToContinue"


async def test_plug_charge_and_unplug(client: JedlixClient, sim: Simulator, rounds: range) -> None:
    (car_id,) = sim.vehicle_ids
    before = await newest_session(client, sim)
    sim.plug(car_id)
    started = sim.vehicle(car_id).session
    assert started is not None
    for _ in rounds:
        seen = await newest_session(client, sim)
        assert seen.id == started.id != before.id
        assert (seen.user_id, seen.vehicle_id) == (sim.user_ids[0], car_id)
        assert seen.charging_location_id == started.charging_location_id
        assert seen.is_managed is True
        assert seen.ended_at is None
        assert seen.started_at is not None
        assert abs(seen.started_at - started.start) < timedelta(milliseconds=1)
        status = (await only_vehicle(client, sim)).charge_state.status
        assert status is ChargeStatus(sim.vehicle(car_id).report.state.value)
    sim.advance(12)
    sim.unplug(car_id)
    for _ in rounds:
        seen = await client.session(sim.user_ids[0], started.id)
        assert seen.id == started.id
        assert seen.ended_at is not None
        assert seen.energy_kwh in {round(started.energy_kwh, 3), None}
        assert seen.cost in {round(started.cost, 2), None}
        assert seen.savings in {round(started.savings, 2), None}
        assert seen.currency == "EUR"


async def test_an_unknown_location_is_none(client: JedlixClient, sim: Simulator) -> None:
    sim.plug(sim.vehicle_ids[0], "unknown")
    seen = await newest_session(client, sim)
    assert (seen.is_managed, seen.charging_location_id) == (False, None)


async def test_sessions_of_a_user_and_of_all(
    client: JedlixClient, sim: Simulator, rounds: range
) -> None:
    other = sim.add_user()
    assert other.vehicle is not None
    sim.plug(other.vehicle.id)
    for _ in rounds:
        of_all = await joined(client.session_pages())
        of_one = await joined(client.session_pages(user_id=sim.user_ids[0]))
        of_other = await joined(client.session_pages(user_id=other.id))
        assert len(of_other) == 1
        assert {item.id for item in of_all} == {item.id for item in of_one + of_other}
        recent = datetime.now(UTC) - timedelta(days=10)
        since = await joined(client.session_pages(started_from=recent))
        assert 0 < len(since) < len(of_all)
        assert all(item.started_at and item.started_at >= recent for item in since)
        until = await joined(client.session_pages(started_to=recent))
        assert len(since) + len(until) == len(of_all)
        ended = await joined(client.session_pages(ended_from=recent))
        assert 0 < len(of_one) - len(ended) <= len(until)


async def test_costs_and_savings(client: JedlixClient, sim: Simulator, rounds: range) -> None:
    user_id, now = sim.user_ids[0], datetime.now(UTC)
    for _ in rounds:
        seen = await client.financials(
            user_id, started_from=now - timedelta(days=20), started_to=now
        )
        assert seen
        for item in seen:
            real = sim.world.sessions.by_id[item.id]
            assert item.cost in {round(real.cost, 2), None}
            assert item.user_id == user_id


async def test_locations_and_chargers(client: JedlixClient, sim: Simulator, rounds: range) -> None:
    (user_id,), (car_id,) = sim.user_ids, sim.vehicle_ids
    user = sim.world.users[user_id]
    sim.plug(car_id)
    for _ in rounds:
        (location,) = await client.user_locations(user_id)
        assert location.tariff_details is not None
        of_tenant = await joined(client.location_pages())  # without tariffs, as documented
        assert [replace(location, tariff_details=None)] == of_tenant
        (home,) = user.locations
        assert (location.id, location.user_id) == (home.id, user_id)
        assert location.label == f"{home.street} {home.house_number}, {home.city}"
        chargers = await client.chargers(user_id)
        assert [item.id for item in chargers] == [item.id for item in user.chargers]
        for item, real in zip(chargers, user.chargers, strict=True):
            assert item.user_id == user_id
            assert (item.brand, item.model) == (real.brand, real.model)
            assert item.charging_location_id == home.id
            assert item.status is ChargeStatus(sim.vehicle(car_id).report.state.value)
            assert item.power_kw in {0.0, real.power_kw, None}
            assert item.updated_at is not None


async def test_charge_settings_are_written_back_whole(
    client: JedlixClient, sim: Simulator, rounds: range
) -> None:
    (user_id,), (car_id,) = sim.user_ids, sim.vehicle_ids
    for _ in rounds:
        settings = await client.charge_settings(user_id, car_id)
        assert settings.is_smart_charging_enabled is True
        assert settings.enable_smart_charging_at is None
        assert settings.desired_battery_level == sim.vehicle(car_id).settings["desiredBatteryLevel"]
        assert settings.minimum_battery_level == sim.vehicle(car_id).settings["minimumBatteryLevel"]
        assert "departureTimes" in settings.raw
        later = "2099-01-01T06:00:00.000Z"
        await client.update_charge_settings(
            user_id,
            car_id,
            {**settings.raw, "isSmartChargingEnabled": False, "enableSmartChargingAt": later},
        )
        paused = await client.charge_settings(user_id, car_id)
        assert paused.is_smart_charging_enabled is False
        assert paused.enable_smart_charging_at == datetime(2099, 1, 1, 6, tzinfo=UTC)
        await client.update_charge_settings(
            user_id, car_id, {**paused.raw, "isSmartChargingEnabled": True}
        )
    with pytest.raises(Rejected, match="desiredBatteryLevel must be a whole number from 50"):
        await client.update_charge_settings(user_id, car_id, {"desiredBatteryLevel": 49})


async def test_boost_needs_a_smart_session(client: JedlixClient, sim: Simulator) -> None:
    (user_id,), (car_id,) = sim.user_ids, sim.vehicle_ids
    ended = await newest_session(client, sim)
    with pytest.raises(Conflict, match="Only an active smart session can be boosted"):
        await client.boost(user_id, ended.id, enabled=True)
    sim.plug(car_id)
    session = sim.vehicle(car_id).session
    assert session is not None
    await client.boost(user_id, session.id, enabled=True)
    assert session.boost is True
    await client.boost(user_id, session.id, enabled=False)
    assert session.boost is False


async def test_a_battery_level_that_a_person_enters(client: JedlixClient, sim: Simulator) -> None:
    (user_id,), (car_id,) = sim.user_ids, sim.vehicle_ids
    sim.plug(car_id)
    session = sim.vehicle(car_id).session
    assert session is not None
    await client.set_current_battery_level(user_id, session.id, 55)
    assert session.current_battery_level == 55
    with pytest.raises(Rejected, match="from 0 to 100"):
        await client.set_current_battery_level(user_id, session.id, 101)
    sim.unplug(car_id)
    with pytest.raises(Conflict, match="The session has ended"):
        await client.set_current_battery_level(user_id, session.id, 60)


async def test_a_refresh_brings_a_new_reading_of_the_car(
    client: JedlixClient, sim: Simulator
) -> None:
    (user_id,), (car_id,) = sim.user_ids, sim.vehicle_ids
    before = sim.vehicle(car_id).report.at
    await client.request_refresh(user_id, car_id)
    await client.request_refresh(user_id, car_id)
    assert (await client.refresh_status(user_id, car_id)).completed_at is None
    sim.advance(0.01)
    answered = sim.vehicle(car_id).report.at
    assert answered > before
    assert (await client.refresh_status(user_id, car_id)).completed_at == answered
    assert (await client.request_refresh(user_id, car_id)).completed_at == answered  # the same one


async def test_there_is_no_status_without_a_refresh(client: JedlixClient, sim: Simulator) -> None:
    with pytest.raises(NotFound, match="no current"):
        await client.refresh_status(sim.user_ids[0], sim.vehicle_ids[0])


async def test_a_subscription_from_its_registration_to_its_end(
    client: JedlixClient, sim: Simulator, cloud: Cloud
) -> None:
    began = datetime.now(UTC) - timedelta(seconds=1)
    created = await client.subscribe("sessionOn", f"{cloud.url}/hook", "secret")
    assert created.id
    (test,) = cloud.calls
    assert test.headers["Authorization"] == "Basic secret"
    assert test.json["isTest"] is True
    assert await client.subscriptions() == (created,)
    sim.plug(sim.vehicle_ids[0])
    await sim.delivered()
    session = sim.vehicle(sim.vehicle_ids[0]).session
    assert session is not None
    history = await joined(
        client.webhook_history_pages(began, datetime.now(UTC) + timedelta(minutes=1))
    )
    (message,) = [item for item in history if item.event_type == "sessionOn"]
    assert (message.user_id, message.vehicle_id) == (sim.user_ids[0], sim.vehicle_ids[0])
    assert message.session_id == session.id
    assert message.is_test is False
    assert message.occurred_at is not None
    assert abs(message.occurred_at - session.start) < timedelta(seconds=1)
    sim.strike({"subscriptions_inactive": True})
    assert [item.is_active for item in await client.subscriptions()] == [False]
    await client.unsubscribe(created.id)
    assert await client.subscriptions() == ()
    with pytest.raises(NotFound, match="There is no subscription"):
        await client.unsubscribe(created.id)


async def test_an_address_that_cannot_be_reached_is_not_registered(
    client: JedlixClient, cloud: Cloud
) -> None:
    await cloud.stop()
    with pytest.raises(Rejected):
        await client.subscribe("userCreated", f"{cloud.url}/hook", "secret")
    with pytest.raises(Rejected, match="There is no event type"):
        await client.subscribe("neverHeardOf", f"{cloud.url}/hook", "secret")
    assert await client.subscriptions() == ()


async def test_an_unknown_id_is_not_found(client: JedlixClient, sim: Simulator) -> None:
    user_id, nobody = sim.user_ids[0], "16a30724-3e51-42b1-9ac1-b7fec24d5750"
    calls: list[Awaitable[Any]] = [
        client.vehicles(nobody),
        client.chargers(nobody),
        client.user_locations(nobody),
        client.session(user_id, nobody),
        client.charge_settings(user_id, nobody),
        client.request_refresh(user_id, nobody),
    ]
    for call in calls:
        with pytest.raises(NotFound, match=r"no (user|session|vehicle)"):
            await call


async def test_a_strict_tenant_does_not_offer_the_assumed_calls(
    http: aiohttp.ClientSession, start_simulator: Start, cloud: Cloud
) -> None:
    sim = await start_simulator(mode="strict")
    client, now = make_client(http, sim.url), datetime.now(UTC)
    (user_id,), (car_id,) = sim.user_ids, sim.vehicle_ids
    sim.plug(car_id)
    session_id = next(iter(sim.world.sessions.by_id))
    missing: dict[str, Awaitable[Any]] = {
        "user_sessions": joined(client.session_pages(user_id=user_id)),
        "session": client.session(user_id, session_id),
        "session_settings": client.boost(user_id, session_id, enabled=True),
        "financials": client.financials(user_id, started_from=now, started_to=now),
        "charge_settings": client.charge_settings(user_id, car_id),
        "update_charge_settings": client.update_charge_settings(user_id, car_id, {}),
        "request_refresh": client.request_refresh(user_id, car_id),
        "refresh_status": client.refresh_status(user_id, car_id),
        "subscriptions": client.subscriptions(),
        "unsubscribe": client.unsubscribe("id"),
        "webhook_history": joined(client.webhook_history_pages(now, now)),
    }
    assumed = {name for name, row in ENDPOINTS.items() if row.evidence is Evidence.ASSUMED}
    assert missing.keys() == assumed
    for name, call in missing.items():
        with pytest.raises(NotFound, match="There is no such endpoint"):
            await call
        assert sim.requests[-1].status == 404, name


async def test_a_strict_tenant_offers_all_other_calls(
    http: aiohttp.ClientSession, start_simulator: Start, cloud: Cloud
) -> None:
    sim = await start_simulator(mode="strict")
    client = make_client(http, sim.url)
    await client.check_access()
    assert await client.vehicles(sim.user_ids[0])
    assert await client.user_locations(sim.user_ids[0])
    assert await joined(client.location_pages())
    assert isinstance(await client.chargers(sim.user_ids[0]), tuple)
    sessions = await joined(client.session_pages())
    assert sessions
    assert all(item.started_at and item.energy_kwh is None for item in sessions)
    assert await client.subscribe("userCreated", f"{cloud.url}/hook", "secret")


# -- linking a car -------------------------------------------------------------------------------------------


async def test_a_car_is_linked_again_page_by_page(client: JedlixClient, sim: Simulator) -> None:
    (user_id,), (car_id,) = sim.user_ids, sim.vehicle_ids
    with pytest.raises(Conflict, match="one per user"):
        await client.connect_vehicle(user_id)
    sim.linking.pages = 2
    begun = await client.connect_vehicle(user_id, car_id)
    assert begun.page is not None
    assert begun.page.startswith(f"{sim.url}/web/start?sessionId=")
    assert (begun.is_finished, begun.vehicle_id) == (False, None)
    assert await client.unfinished_connect_sessions(user_id) == (begun,)
    sim.log_in(begun.id)
    second = await client.connect_session(user_id, begun.id)
    assert second.page not in (begun.page, None)
    sim.log_in(begun.id)
    finished = await client.connect_session(user_id, begun.id)
    assert (finished.is_finished, finished.page) == (True, None)
    assert finished.vehicle_id == car_id
    assert await client.unfinished_connect_sessions(user_id) == ()


async def test_a_tenant_without_the_call_for_a_known_car_has_the_documented_one(
    client: JedlixClient, sim: Simulator
) -> None:
    sim.strike({"absent": ["reconnect_vehicle"]})
    (user_id,), (car_id,) = sim.user_ids, sim.vehicle_ids
    with pytest.raises(Conflict):
        await client.connect_vehicle(user_id, car_id)
    assert [call.path.rpartition("/users/")[2] for call in list(sim.requests)[-2:]] == [
        f"{user_id}/vehicles/{car_id}/connect-sessions",
        f"{user_id}/vehicles/connect-sessions",
    ]
