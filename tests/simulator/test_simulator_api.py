"""API over real sockets: shapes, rules and errors, documented ones by one, in all modes."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
import re
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from simulator.api.table import TABLE
from simulator.app import Simulator
from simulator.departures import DEPARTURES
from tests.simulator.conftest import Start
from tests.simulator.tools import Api, Clock, Hook

V1 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}")
V2 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
MODES = ("default", "strict", "noisy")


def user_path(api: Api, version: str = "v1", number: int = 0) -> str:
    return f"/api/{version}/users/{api.sim.user_ids[number]}"


def car_path(api: Api, version: str = "v1") -> str:
    return f"{user_path(api, version)}/vehicles/{api.sim.vehicle_ids[0]}"


# --- token and keys ---------------------------------------------------------------------------------


async def test_token(api: Api) -> None:
    status, body = await api.log_in()
    assert status == 200
    assert body.keys() == {"access_token", "token_type", "expires_in"}
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 86400)


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "access_denied"),
        ({"client_id": ""}, 401, "access_denied"),
        ({"audience": "https://smartcharging.jedlix.com"}, 403, "access_denied"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
async def test_token_refused(api: Api, form: dict[str, str], status: int, error: str) -> None:
    assert (await api.log_in(**form))[0] == status
    assert (await api.log_in(**form))[1]["error"] == error
    assert (await api.call("GET", user_path(api) + "/vehicles"))[0] == 401


async def test_configured_audience(start: Start) -> None:
    api = await start(audience="https://qa.example")
    assert (await api.log_in(audience="https://qa.example/"))[0] == 200


async def test_token_expires(start: Start) -> None:
    clock = Clock()
    api = await start(clock, expires_in=60)
    await api.get(user_path(api) + "/vehicles")
    clock.ahead = timedelta(seconds=61)
    assert (await api.call("GET", user_path(api) + "/vehicles"))[0] == 401
    await api.log_in()
    await api.get(user_path(api) + "/vehicles")


@pytest.mark.parametrize(
    ("check", "key", "status"),
    [
        ("sent", None, 200),
        ("sent", "key", 200),
        ("sent", "wrong", 403),
        ("required", None, 403),
        ("required", "key", 200),
        ("off", "wrong", 200),
    ],
)
async def test_api_key(start: Start, check: str, key: str | None, status: int) -> None:
    api = await start(api_key_check=check)
    del api.headers["ApiKey"]
    if key:
        api.headers["ApiKey"] = key
    assert (await api.call("GET", user_path(api) + "/vehicles"))[0] == status


async def test_errors_are_problem_details(api: Api) -> None:
    url = f"{api.sim.url}/api/v1/users/{uuid4()}/vehicles"
    async with api.http.get(url, headers=api.headers) as answer:
        assert answer.status == 404
        assert answer.content_type == "application/problem+json"
        body = await answer.json(content_type=None)
    assert body.keys() == {"type", "title", "status", "detail", "instance"}
    assert "There is no user" in body["detail"]
    assert (await api.call("GET", "/api/v1/nonsense"))[0] == 404
    assert (await api.call("PUT", user_path(api) + "/vehicles"))[0] == 405


async def test_body_must_be_an_object(api: Api) -> None:
    status, body = await api.call("POST", "/api/v1/users", ["NL"])
    assert (status, body["detail"]) == (400, "The body must be a JSON object.")
    async with api.http.post(
        f"{api.sim.url}/api/v1/users", data=b"{", headers=api.headers
    ) as answer:
        assert answer.status == 400


# --- vehicles, locations, chargers ------------------------------------------------------------------


async def test_vehicle_as_the_sdk_knows_it(api: Api) -> None:
    (car,) = await api.get(user_path(api) + "/vehicles")
    assert car == await api.get(car_path(api))
    assert car.keys() == {
        "id",
        "createdAt",
        "details",
        "isConnected",
        "isConnectable",
        "capabilities",
        "chargeState",
    }
    assert car["details"] == {"brand": "Tesla", "model": "Model 3", "version": "Long Range"}
    state = car["chargeState"]
    assert state.keys() == {"batteryLevel", "range", "chargeState", "updatedAt"}
    assert (state["chargeState"], state["batteryLevel"]) == ("disconnected", 12)
    assert V1.fullmatch(state["updatedAt"])
    assert V1.fullmatch(car["createdAt"])


async def test_v2_is_paged_and_zoned(api: Api) -> None:
    page = await api.get(user_path(api, "v2") + "/vehicles")
    assert page | {"items": None} == {
        "pageIndex": 1,
        "pageSize": 100,
        "totalPages": 1,
        "totalCount": 1,
        "items": None,
    }
    assert V2.fullmatch(page["items"][0]["chargeState"]["updatedAt"])


async def test_one_vehicle_per_user(api: Api) -> None:
    status, body = await api.call("POST", user_path(api) + "/vehicles/connect-sessions", {})
    assert status == 409
    assert "one per user" in body["detail"]


async def open_and_choose(api: Api, connect: dict[str, Any], choice: str) -> None:
    """Open the page of a connect session and press a button on it."""
    async with api.http.get(connect["startUrl"]) as page:
        assert f'value="{choice}"' in await page.text()
    async with api.http.post(connect["startUrl"], data={"choice": choice}) as page:
        assert str(page.url) == connect["redirectUrl"]


async def test_a_link_is_made_again_over_two_pages_after_a_refusal(api: Api) -> None:
    path, car = user_path(api), f"/vehicles/{api.sim.vehicle_ids[0]}"
    api.sim.link(api.sim.vehicle_ids[0], connected=False)
    assert (await api.call("POST", "/control/linking", {"pages": 2}))[1]["pages"] == 2
    _, connect = await api.call("POST", f"{path}{car}/connect-sessions", {})
    url = f"{path}/connect-sessions/{connect['id']}"
    await open_and_choose(api, connect, "refuse")
    assert await api.get(url) == connect
    await open_and_choose(api, connect, "log_in")
    second = await api.get(url)
    assert second["startUrl"] not in (connect["startUrl"], None)
    await open_and_choose(api, connect, "log_in")  # a tab that was left behind
    assert await api.get(url) == second
    assert not (await api.get(path + car))["isConnected"]
    await open_and_choose(api, second, "log_in")
    assert (await api.get(url))["isFinished"]
    assert (await api.get(path + car))["isConnected"]
    assert await api.get(path + "/connect-sessions") == []


async def test_a_maker_that_takes_hours_and_one_that_needs_the_app(api: Api) -> None:
    path, car = user_path(api), f"/vehicles/{api.sim.vehicle_ids[0]}"
    again = f"{path}{car}/connect-sessions"
    _, connect = await api.call("POST", again, {})
    await open_and_choose(api, connect, "wait")
    seen = await api.get(path + car)
    assert (seen["isConnected"], seen["connectionStatus"]) == (False, "waiting")
    await api.call("POST", f"/control{car}/ready", {})
    assert (await api.get(path + car))["connectionStatus"] == "readyToContinue"
    await api.call("POST", "/control/linking", {"needs_app": True})
    _, needing = await api.call("POST", again, {})
    assert needing["redirectInfo"]["includeBody"] is True
    removed = await api.call("DELETE", f"/control/linking/{connect['id']}")
    assert removed == (200, {"removed": connect["id"]})
    assert (await api.call("DELETE", f"/control/linking/{connect['id']}"))[0] == 404
    assert (await api.call("GET", f"{path}/connect-sessions/{connect['id']}"))[0] == 404
    await open_and_choose(api, needing, "log_in")
    seen = await api.get(path + car)
    assert seen["isConnected"]
    assert "connectionStatus" not in seen


async def test_create_a_user_and_link_a_car(api: Api, hook: Hook) -> None:
    await api.subscribe("userCreated", hook.url)
    status, user = await api.call("POST", "/api/v1/users", {"defaultCountry": "NL"})
    assert status == 201
    path = f"/api/v1/users/{user['id']}"
    assert await api.get(path + "/vehicles") == []
    await api.sim.delivered()
    (message,) = hook.real()
    assert message.keys() == {"eventType", "id", "tenant", "timestamp", "userId", "isTest"}
    assert (message["eventType"], message["userId"], message["isTest"]) == (
        "userCreated",
        user["id"],
        False,
    )
    _, connect = await api.call("POST", path + "/vehicles/connect-sessions", {})
    assert connect.keys() == {
        "vehicleId",
        "isFinished",
        "startUrl",
        "redirectUrl",
        "id",
        "redirectInfo",
    }
    assert not connect["isFinished"]
    assert [item["id"] for item in await api.get(path + "/connect-sessions?type=vehicle")] == [
        connect["id"]
    ]
    await open_and_choose(api, connect, "log_in")
    finished = await api.get(f"{path}/connect-sessions/{connect['id']}")
    assert (finished["isFinished"], finished["startUrl"]) == (True, None)
    (car,) = await api.get(path + "/vehicles")
    assert car["id"] == finished["vehicleId"]


async def test_create_user_needs_a_country(api: Api) -> None:
    assert (await api.call("POST", "/api/v1/users", {}))[0] == 400


async def test_delete_vehicle(api: Api) -> None:
    assert await api.call("DELETE", car_path(api), {}) == (204, None)
    assert await api.get(user_path(api) + "/vehicles") == []
    assert (await api.call("DELETE", user_path(api) + f"/vehicles/{uuid4()}", {}))[0] == 404


async def test_locations(start: Start) -> None:
    api = await start(users=3)
    page = await api.get("/api/v2/charging-locations?pageSize=2&pageIndex=1")
    assert (page["totalCount"], page["totalPages"], len(page["items"])) == (3, 2, 2)
    assert page["items"][0].keys() == {
        "id",
        "userId",
        "coordinates",
        "address",
        "createdAt",
        "updatedAt",
    }
    (home,) = await api.get(user_path(api) + "/charging-locations")
    assert home.keys() > {"tariffDetails", "chargers"}
    assert home["chargers"][0]["chargingLocationId"] == home["id"]
    assert home["tariffDetails"]["chargingLocationId"] == home["id"]
    tariffs = home["tariffDetails"]["tariffs"]
    assert [item["type"] for item in tariffs] == ["peak", "offPeak"]
    (other,) = await api.get(user_path(api, number=1) + "/charging-locations")
    tariffs = other["tariffDetails"]["tariffs"]
    assert tariffs == [{"currency": "EUR", "price": 0, "type": "dynamic"}]
    assert home == await api.get(user_path(api) + f"/charging-locations/{home['id']}")


async def test_charger_follows_the_car(api: Api) -> None:
    (charger,) = await api.get(user_path(api) + "/chargers")
    assert charger.keys() == {"id", "chargingLocationId", "detail", "chargerState"}
    assert charger["chargerState"]["chargeState"] == "disconnected"
    api.sim.plug(api.sim.vehicle_ids[0])
    at = user_path(api) + f"/charging-locations/{charger['chargingLocationId']}/chargers"
    state = await api.get(f"{at}/{charger['id']}/state")
    assert state.keys() == {"chargeState", "chargePower", "timeStamp"}
    assert (state["chargeState"], state["chargePower"] > 0) == ("charging", True)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", state["timeStamp"])
    assert await api.call("DELETE", f"{at}/{charger['id']}", {}) == (204, None)
    assert await api.get(at) == []


# --- sessions ---------------------------------------------------------------------------------------


async def test_session_from_plug_to_unplug(api: Api) -> None:
    sim, vehicle_id = api.sim, api.sim.vehicle_ids[0]
    sim.plug(vehicle_id)
    (running,) = await api.get(user_path(api) + "/sessions")
    assert (running["isManaged"], running["endTime"]) == (True, None)
    assert running["chargingLocationId"]
    sim.advance(3)
    sim.unplug(vehicle_id)
    page = await api.get("/api/v2/sessions")
    (ended,) = page["items"]
    assert ended["id"] == running["id"]
    assert ended["energyKwh"] == pytest.approx(6.0, abs=0.1)  # 12 to 20 % of 75 kWh
    assert ended["currency"] == "EUR"
    assert V2.fullmatch(ended["endTime"])
    one = await api.get(user_path(api) + f"/sessions/{ended['id']}")
    assert V1.fullmatch(one["endTime"])
    assert (await api.call("GET", user_path(api) + f"/sessions/{uuid4()}"))[0] == 404


async def test_unknown_location(api: Api) -> None:
    api.sim.plug(api.sim.vehicle_ids[0], "unknown")
    (session,) = (await api.get("/api/v2/sessions"))["items"]
    assert (session["isManaged"], session["chargingLocationId"]) == (False, None)


async def test_pages_are_newest_first_and_at_most_100(start: Start) -> None:
    api = await start(users=10, history_days=30)
    starts: list[str] = []
    index = 1
    while True:
        page = await api.get(f"/api/v2/sessions?pageSize=100&pageIndex={index}")
        starts += [item["startTime"] for item in page["items"]]
        if index >= page["totalPages"]:
            break
        index += 1
    assert len(starts) == page["totalCount"] > 150
    assert starts == sorted(starts, reverse=True)
    assert (await api.get(f"/api/v2/sessions?pageIndex={index + 1}"))["items"] == []
    assert (await api.call("GET", "/api/v2/sessions?pageSize=101"))[0] == 400
    assert (await api.call("GET", "/api/v2/sessions?pageIndex=0"))[0] == 400


async def test_filters(start: Start) -> None:
    api = await start(users=3, history_days=30)
    api.sim.plug(api.sim.vehicle_ids[0])
    everything = await api.get("/api/v1/sessions")
    middle = everything[len(everything) // 2]
    cases: tuple[tuple[str, Callable[[Any], bool]], ...] = (
        ("startTimeFrom", lambda item: item["startTime"] >= middle["startTime"]),
        ("startTimeTo", lambda item: item["startTime"] <= middle["startTime"]),
        ("endTimeFrom", lambda item: (item["endTime"] or "") >= middle["startTime"]),
        ("endTimeTo", lambda item: (item["endTime"] or "9") <= middle["startTime"]),
    )
    for query, wanted in cases:
        found = await api.get(f"/api/v1/sessions?{query}={middle['startTime']}Z")
        assert found == [item for item in everything if wanted(item)], query
    own = await api.get(f"/api/v1/sessions?vehicleId={middle['vehicleId']}")
    assert own == [item for item in everything if item["vehicleId"] == middle["vehicleId"]]
    assert (await api.call("GET", "/api/v2/sessions?startTimeFrom=yesterday"))[0] == 400


@pytest.mark.parametrize("method", ["PATCH", "POST", "PUT"])
async def test_boost(api: Api, method: str) -> None:
    sim, vehicle_id = api.sim, api.sim.vehicle_ids[0]
    sim.plug(vehicle_id)
    sim.advance(2)
    (session,) = await api.get(user_path(api) + "/sessions")
    path = user_path(api) + f"/sessions/{session['id']}/settings"
    body: dict[str, Any] = {"type": "boostCharging", "enabled": True}
    assert (await api.call(method, path, body))[0] == 200
    sim.advance(0.1)
    assert sim.vehicle(vehicle_id).state == "charging"
    assert (await api.call(method, path, {"type": "boostCharging", "enabled": "yes"}))[0] == 400
    assert (await api.call(method, path, {"type": "boosterCharging"}))[0] == 400
    sim.unplug(vehicle_id)
    assert (await api.call(method, path, body))[0] == 409


@pytest.mark.parametrize("spelling", ["currentSateOfCharge", "currentStateOfCharge"])
async def test_current_battery_level(api: Api, spelling: str) -> None:
    sim, vehicle_id = api.sim, api.sim.vehicle_ids[0]
    sim.plug(vehicle_id)
    (session,) = await api.get(user_path(api) + "/sessions")
    path = user_path(api) + f"/sessions/{session['id']}/settings"
    body: dict[str, Any] = {"type": "currentBatteryLevel", spelling: 55}
    assert (await api.call("PATCH", path, body))[0] == 200
    assert (await api.call("PATCH", path, body | {spelling: 101}))[0] == 400
    assert (await api.call("PATCH", path, {"type": "currentBatteryLevel"}))[0] == 400


async def test_financials(start: Start) -> None:
    api = await start(history_days=30)
    sessions = await api.get(user_path(api) + "/financials?startTimeFrom=2020-01-01T00:00:00Z")
    assert sessions
    assert all(item["cost"] > 0 for item in sessions)


# --- charge settings, refresh, tariffs ----------------------------------------------------------------


async def test_partial_update_keeps_the_rest(api: Api) -> None:
    path = car_path(api) + "/charge-settings"
    before = await api.get(path)
    documented = {
        "isSmartChargingEnabled": False,
        "enableSmartChargingAt": "2126-10-01T00:00:00.000Z",
    }
    assert (await api.call("PATCH", path, documented))[0] == 200
    assert await api.get(path) == before | documented


async def test_whole_write_drops_what_is_not_sent(api: Api) -> None:
    path = car_path(api) + "/charge-settings"
    before = await api.get(path)
    assert (await api.call("POST", path, before | {"desiredBatteryLevel": 90}))[0] == 200
    assert await api.get(path) == before | {"desiredBatteryLevel": 90}
    del before["unknownKeyOfTheSimulator"]
    await api.call("POST", path, before)
    assert await api.get(path) == before
    assert (await api.call("POST", path, {"desiredBatteryLevel": 90}))[0] == 400


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"desiredBatteryLevel": 50}, 200),
        ({"desiredBatteryLevel": 49}, 400),
        ({"desiredBatteryLevel": 101}, 400),
        ({"desiredBatteryLevel": 80.5}, 400),
        ({"minimumBatteryLevel": 0}, 200),
        ({"minimumBatteryLevel": 100}, 200),
        ({"minimumBatteryLevel": -1}, 400),
        ({"defaultStartBatteryLevel": None}, 200),
        ({"defaultStartBatteryLevel": 101}, 400),
        ({"isSmartChargingEnabled": "no"}, 400),
        ({"enableSmartChargingAt": "2023-10-01T00:00:000"}, 400),
        ({"departureTimes": []}, 400),
        ({"timeZone": 1}, 400),
        ({"useSolarProduction": None}, 400),
        ({"isBidirectionalChargingEnabled": None}, 200),
        ({"isBidirectionalChargingEnabled": 1}, 400),
    ],
)
async def test_ranges(api: Api, changes: dict[str, Any], status: int) -> None:
    path = car_path(api) + "/charge-settings"
    before = await api.get(path)
    assert (await api.call("PATCH", path, changes))[0] == status
    assert (await api.get(path) == before) == (status == 400 or before == before | changes)


@pytest.mark.parametrize("shape", DEPARTURES)
async def test_a_guess_at_departure_times_says_that_it_is_one(start: Start, shape: str) -> None:
    api = await start(departure_times=shape)
    settings = await api.get(car_path(api) + "/charge-settings")
    labels = set() if shape == "none" else {"assumedByTheSimulator"}
    assert settings["departureTimes"].keys() == labels
    assert (await api.get("/control/info"))["departure_times"][shape] == settings["departureTimes"]


@pytest.mark.parametrize("value", [[{"day": "monday", "time": "07:30"}], None, "07:30"])
async def test_a_person_gives_a_car_departure_times_of_any_kind_and_they_keep_it(
    api: Api, value: Any
) -> None:
    path = car_path(api) + "/charge-settings"
    control = f"/control/vehicles/{api.sim.vehicle_ids[0]}/settings"
    assert (await api.call("POST", control, {"departureTimes": value}))[0] == 200
    assert (await api.call("PATCH", path, await api.get(path)))[0] == 200
    assert (await api.get(path))["departureTimes"] == value
    assert (await api.call("PATCH", path, {"departureTimes": 730}))[0] == 400
    assert (await api.get(path))["departureTimes"] == value


async def test_disable_during_a_smart_session(api: Api) -> None:
    sim, vehicle_id = api.sim, api.sim.vehicle_ids[0]
    sim.plug(vehicle_id)
    await api.call("PATCH", car_path(api) + "/charge-settings", {"isSmartChargingEnabled": False})
    (smart,) = await api.get(user_path(api) + "/sessions")
    assert smart["endTime"] is not None
    (car,) = await api.get(user_path(api) + "/vehicles")
    assert car["chargeState"]["chargeState"] == "charging"
    sim.telemetry(vehicle_id)
    unmanaged, _ = await api.get(user_path(api) + "/sessions")
    assert (unmanaged["isManaged"], unmanaged["endTime"]) == (False, None)


async def test_refresh(start: Start) -> None:
    clock = Clock()
    api = await start(clock)
    path = car_path(api) + "/charge-state/refresh"
    assert (await api.call("GET", path))[0] == 404
    _, asked = await api.call("POST", path, {})
    assert asked.keys() == {"correlationId", "completedAt"}
    assert asked["completedAt"] is None
    api.sim.advance(0.1)
    assert (await api.get(path))["completedAt"]
    clock.ahead = timedelta(minutes=11)
    _, extended = await api.call("POST", path, {})
    assert extended["correlationId"] != asked["correlationId"]
    clock.ahead = timedelta(minutes=26, seconds=5)
    assert (await api.call("GET", path))[0] == 404


async def test_tariffs(start: Start) -> None:
    api = await start(users=2)
    now = datetime.now(UTC).replace(microsecond=0)

    async def ask(number: int, days: float) -> tuple[int, Any]:
        path = user_path(api, number=number)
        (home,) = await api.get(path + "/charging-locations")
        end = (now + timedelta(days=days)).isoformat().replace("+00:00", "Z")
        begin = now.isoformat().replace("+00:00", "Z")
        return await api.call(
            "GET", f"{path}/charging-locations/{home['id']}/tariffs?startTime={begin}&endTime={end}"
        )

    status, hours = await ask(1, 1)
    assert (status, len(hours)) == (200, 25 if now.minute or now.second else 24)
    assert hours[0].keys() == {"startTime", "endTime", "price", "currency"}
    assert len((await ask(1, 14))[1]) <= 7 * 24 + 1
    assert (await ask(1, 15))[0] == 400
    assert (await ask(0, 1))[0] == 400  # high and low are the same every day


# --- modes --------------------------------------------------------------------------------------------


async def test_strict_has_nothing_assumed(start: Start) -> None:
    api = await start(mode="strict")
    api.sim.plug(api.sim.vehicle_ids[0])
    for row in TABLE:
        path = row.path.format(
            user=api.sim.user_ids[0],
            vehicle=api.sim.vehicle_ids[0],
            session=next(iter(api.sim.world.sessions.by_id)),
            location=api.sim.world.users[api.sim.user_ids[0]].locations[0].id,
            charger=api.sim.world.users[api.sim.user_ids[0]].chargers[0].id,
            connect=uuid4(),
            subscription=uuid4(),
        )
        if row.is_assumed:
            assert (await api.call(row.method, f"/api/v1{path}", {}))[0] == 404, row
        elif row.method == "GET" and row.name != "connect_session":
            await api.get(f"/api/v1{path}")
    (session,) = (await api.get("/api/v2/sessions"))["items"]
    assert session.keys().isdisjoint({"energyKwh", "cost", "savings", "currency"})


def items(body: Any) -> list[Any]:
    found = body["items"] if isinstance(body, dict) else body
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize("mode", MODES)
async def test_a_tolerant_client_reads_the_true_state(start: Start, mode: str) -> None:
    api = await start(mode=mode, users=2, history_days=10)
    sim, car = api.sim, api.sim.vehicle(api.sim.vehicle_ids[0])
    sim.plug(car.id)
    for _ in range(12):
        sim.advance(1)
        (shape,) = items(await api.get(user_path(api) + "/vehicles"))
        assert shape["id"] == car.id
        assert shape["chargeState"]["chargeState"].lower() == car.state
        newest = items(await api.get("/api/v2/sessions"))[0]
        assert car.session
        assert newest.get("id", newest.get("sessionId")) == car.session.id
        assert (newest["endTime"], newest["isManaged"]) == (None, True)


async def test_noise_varies(start: Start) -> None:
    api = await start(mode="noisy", users=5, history_days=30)
    lists = [await api.get(user_path(api) + "/sessions") for _ in range(40)]
    assert {type(body) for body in lists} == {list, dict}
    cars = [items(await api.get(user_path(api, number=2) + "/vehicles"))[0] for _ in range(60)]
    assert any("teleportation" in car["capabilities"] for car in cars)
    assert any("xNoise" in car for car in cars)
    assert any(car["chargeState"]["chargeState"] == "hibernating" for car in cars)
    dates = {car["createdAt"] for car in cars}
    assert any(date.endswith("Z") for date in dates)
    assert any(not date.endswith("Z") for date in dates)


# --- the log ------------------------------------------------------------------------------------------


async def test_each_call_is_logged(api: Api) -> None:
    await api.get(user_path(api) + "/vehicles?x=1")
    await api.call("GET", "/api/v1/nonsense")
    token, vehicles, nonsense = api.sim.requests
    assert (token.method, token.path, token.status) == ("POST", "/oauth/token", 200)
    assert (vehicles.path, vehicles.status) == (user_path(api) + "/vehicles?x=1", 200)
    assert nonsense.status == 404


async def test_a_taken_port(api: Api) -> None:
    port = int(api.sim.url.rpartition(":")[2])
    with pytest.raises(OSError, match="address already in use"):
        await Simulator().start(port)


async def test_outage_can_be_refused_connections(api: Api) -> None:
    api.sim.strike({"outage_seconds": 60, "outage_how": "refuse"})
    with pytest.raises(aiohttp.ClientError):
        await api.get(user_path(api) + "/vehicles")
