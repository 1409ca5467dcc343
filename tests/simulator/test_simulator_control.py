"""Control API, faults, the page and the command."""

import asyncio
from itertools import pairwise
import json
from pathlib import Path
import signal
import sys
from typing import Any

import pytest

from simulator.__main__ import main
from simulator.tariffs import TARIFFS
from tests.simulator.conftest import Start
from tests.simulator.tools import Api, Hook, until

ROOT = Path(__file__).resolve().parents[2]


async def test_truth(api: Api) -> None:
    _, made = await api.call("POST", "/control/users", {})
    assert made.keys() == {"user_id", "vehicle_id", "charging_location_id"}
    car = f"/control/vehicles/{made['vehicle_id']}"
    await api.call("POST", car + "/plug", {"location": "unknown"})
    await api.call("POST", car + "/telemetry", {"battery_level": 33, "range": 100})
    truth = await api.get("/control/truth")
    assert truth.keys() == {"now", "clock", "mode", "users", "user_count", "changes"}
    (shown,) = truth["users"][1]["vehicles"]
    assert (shown["charge_state"], shown["plugged_in"], shown["location"]) == (
        "charging",
        True,
        "unknown",
    )
    assert (shown["range"], shown["session"]["is_managed"], shown["boost"]) == (100, False, False)
    assert [change["type"] for change in truth["changes"]] == [
        "user_created",
        "vehicle_added",
        "plugged_in",
        "session_started",
        "charging_started",
    ]
    assert truth["changes"][3].keys() == {
        "n",
        "type",
        "user_id",
        "vehicle_id",
        "session_id",
        "occurred_at",
        "known_at",
        "details",
    }
    assert [change["n"] for change in truth["changes"]] == [1, 2, 3, 4, 5]
    newer = await api.get("/control/truth?after=3")
    assert [change["n"] for change in newer["changes"]] == [4, 5]


async def test_the_ledger_has_sessions_reports_and_tokens(api: Api) -> None:
    car = api.sim.vehicle_ids[0]
    path = f"/control/vehicles/{car}"
    await api.call("POST", path + "/plug", {})
    await api.call("POST", path + "/telemetry", {"battery_level": 33})
    await api.call("POST", path + "/settings", {"isSmartChargingEnabled": False})
    await api.call("POST", path + "/unplug", {})
    newest = await api.get("/control/ledger?limit=1")
    ledger = await api.get("/control/ledger")
    assert newest == {name: rows[-1:] for name, rows in ledger.items()}
    assert ledger["tokens"] == list(api.sim.tokens.given)
    reports = [item for item in ledger["reports"] if item["vehicle_id"] == car]
    assert reports[1]["battery_level"] == 33
    assert [item["charge_state"] for item in reports][-1] == "disconnected"
    session = ledger["sessions"][-1]
    assert (session["vehicle_id"], session["is_managed"]) == (car, True)
    assert session["ended_at"] == reports[1]["at"] < session["end_known_at"]
    switches = [
        change
        for change in (await api.get("/control/truth"))["changes"]
        if change["type"] == "smart_charging_disabled"
    ]
    assert [change["details"] for change in switches] == [{"resumes_at": None}]


async def test_tariffs_of_all_kinds_and_any_other_can_be_set(start: Start) -> None:
    api = await start(tariff="weekend")
    place = api.sim.world.users[api.sim.user_ids[0]].locations[0].id
    path, user = f"/control/locations/{place}/tariffs", f"/api/v1/users/{api.sim.user_ids[0]}"

    async def shown() -> tuple[str | None, Any]:
        (location,) = (await api.get("/control/truth"))["users"][0]["locations"]
        (answer,) = await api.get(f"{user}/charging-locations")
        details = answer["tariffDetails"]
        without_id = details and {
            key: details[key] for key in details if key != "chargingLocationId"
        }
        assert without_id == location["tariff_details"]
        return location["tariff"], location["tariff_details"]

    assert await shown() == ("weekend", TARIFFS["weekend"])
    assert (await api.get("/control/info"))["tariffs"] == list(TARIFFS)
    for name, details in TARIFFS.items():
        assert (await api.call("POST", path, {"tariff": name}))[0] == 200
        assert await shown() == (name, details)
    own = {"tariffs": [{"type": "standard", "price": 0.5, "currency": "CHF"}]}
    await api.call("POST", path, {"details": own})
    assert await shown() == (None, own)
    wrongs: list[Any] = [
        {},
        {"tariff": "cheap"},
        {"details": []},
        {"tariff": "none", "details": None},
    ]
    for wrong in wrongs:
        assert (await api.call("POST", path, wrong))[0] == 400
    assert (await api.call("POST", "/control/locations/x/tariffs", {"tariff": "none"}))[0] == 404


async def test_every_action_on_a_car(api: Api) -> None:
    car = f"/control/vehicles/{api.sim.vehicle_ids[0]}"
    for path, body in (
        ("/plug", {}),
        ("/boost", {"enabled": True}),
        ("/settings", {"isSmartChargingEnabled": False}),
        ("/ready", {}),
        ("/waiting", {}),
        ("/link", {"connected": False, "connectable": False}),
        ("/link", {"connected": True}),
        ("/unplug", {}),
    ):
        status, answer = await api.call("POST", car + path, body)
        assert status == 200, answer
    assert (await api.call("DELETE", car))[0] == 200
    assert [change.type for change in api.sim.world.changes] == [
        "plugged_in",
        "session_started",
        "charging_started",
        "boost_started",
        "smart_charging_disabled",
        "boost_ended",
        "session_ended",
        "session_settled",
        "vehicle_ready_to_continue",
        "vehicle_link_lost",
        "vehicle_link_restored",
        "session_started",
        "session_became_unmanaged",
        "session_ended",
        "session_settled",
        "unplugged",
        "vehicle_removed",
    ]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("POST", "/plug", {"location": "moon"}, 400, "home or unknown"),
        ("POST", "/unplug", {}, 409, "not plugged in"),
        ("POST", "/boost", {"enabled": True}, 409, "no active session"),
        ("POST", "/link", {}, 400, "connected"),
        ("POST", "/link", {"connected": False, "connectable": 1}, 400, "true or false"),
        ("POST", "/telemetry", {"battery_level": 101}, 400, "from 0 to 100"),
        ("POST", "/telemetry", {"charge_state": "dancing"}, 400, "disconnected"),
        ("POST", "/telemetry", {"batery_level": 1}, 400, "unknown: batery_level"),
        ("POST", "/settings", {"desiredBatteryLevel": 20}, 400, "from 50 to 100"),
    ],
)
async def test_errors_in_words(
    api: Api, method: str, path: str, body: Any, status: int, words: str
) -> None:
    answer, refusal = await api.call(
        method, f"/control/vehicles/{api.sim.vehicle_ids[0]}{path}", body
    )
    assert (answer, words in refusal["error"]) == (status, True), refusal
    assert (await api.call(method, f"/control/vehicles/nobody{path}", body))[0] in {400, 404}


async def test_clock(api: Api) -> None:
    _, clock = await api.call("POST", "/control/clock", {"hour": 23.5, "speed": 100})
    assert clock == {"hour": 23.5, "speed": 100}
    _, clock = await api.call("POST", "/control/clock", {"advance_hours": 1})
    assert clock["hour"] == pytest.approx(0.5)
    assert (await api.call("POST", "/control/clock", {"speed": -1}))[0] == 400


async def test_the_clock_ticks(start: Start) -> None:
    api = await start(ticking=True, speed=36000)
    api.sim.plug(api.sim.vehicle_ids[0])
    car = api.sim.vehicle(api.sim.vehicle_ids[0])
    await until(lambda: car.state == "complete")
    assert car.session
    assert car.session.start < car.report.at <= api.sim.now()


async def test_cars_drive_by_themselves(start: Start) -> None:
    api = await start(users=10, auto=True)
    api.sim.advance(24 * 10)
    sessions = [item for item in api.sim.world.sessions.by_id.values() if item.end]
    assert len(sessions) > 70
    assert {item.is_managed for item in sessions} == {True, False}
    assert all(0 <= car.level <= 100 for car in api.sim.world.vehicles.values())


async def test_deliver_by_hand_and_read_the_records(api: Api, hook: Hook) -> None:
    await api.subscribe("userCreated", hook.url)
    body: dict[str, Any] = {"event_type": "userCreated", "user_id": "u", "payload": {"extra": 1}}
    _, sent = await api.call("POST", "/control/deliver", body)
    await api.call("POST", "/control/deliver", {"event_type": "newThing", "force": True})
    await api.call("POST", "/control/deliver", {"event_type": "newThing"})
    await api.sim.delivered()
    first, second = hook.real()
    assert (first["id"], first["extra"], second["eventType"]) == (sent["id"], 1, "newThing")
    deliveries = (await api.get("/control/deliveries?after=1"))["deliveries"]
    assert [item["n"] for item in deliveries] == [2, 3]
    assert deliveries[0].keys() >= {
        "n",
        "id",
        "event_type",
        "user_id",
        "url",
        "is_test",
        "created_at",
        "attempts",
    }
    assert deliveries[0]["attempts"][0].keys() == {"at", "status", "error", "ms"}
    assert (await api.call("POST", "/control/deliver", {}))[0] == 400
    requests = (await api.get("/control/requests?after=1"))["requests"]
    assert [(item["n"], item["path"]) for item in requests] == [
        (2, "/api/v1/webhooks/subscriptions")
    ]


async def test_a_burst(api: Api, hook: Hook) -> None:
    await api.subscribe("userCreated", hook.url)
    _, sent = await api.call(
        "POST", "/control/deliver", {"event_type": "userCreated", "count": 200}
    )
    await api.sim.delivered()
    assert [message["id"] for message in hook.real()] == sent["ids"]


# --- faults -------------------------------------------------------------------------------------------


async def test_faults_are_merged_and_cleared(api: Api) -> None:
    _, faults = await api.call("POST", "/control/faults", {"drop": 0.5})
    _, faults = await api.call("POST", "/control/faults", {"delay": 1, "absent": ["session"]})
    assert (faults["drop"], faults["delay"], faults["absent"]) == (0.5, 1.0, ["session"])
    for wrong in ({"drop": 2}, {"drip": 1}, {"absent": "session"}, {"outage_how": "no"}):
        status, refusal = await api.call("POST", "/control/faults", {"api_500": 1, **wrong})
        assert (status, bool(refusal["error"])) == (400, True)
    _, faults = await api.call("DELETE", "/control/faults")
    assert (faults["drop"], faults["api_500"], faults["absent"]) == (0, 0, [])


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ({"api_500": 1.0}, 500),
        ({"api_429": 1.0, "retry_after": 7}, 429),
        ({"outage_seconds": 60}, 503),
        ({"absent": ["vehicles"]}, 404),
        ({"forbidden": ["vehicles"]}, 403),
        ({"token_expiry": True}, 401),
    ],
)
async def test_faults_of_the_api(api: Api, fault: dict[str, Any], status: int) -> None:
    api.sim.strike(fault)
    url = f"{api.sim.url}/api/v1/users/{api.sim.user_ids[0]}/vehicles"
    async with api.http.get(url, headers=api.headers) as answer:
        assert answer.status == status
        assert (answer.headers.get("Retry-After") == "7") == (status == 429)


async def test_faults_of_deliveries(api: Api, hook: Hook) -> None:
    await api.subscribe("userCreated", hook.url)

    created: list[str] = []

    async def outcome(**faults: float) -> int:
        hook.received.clear()
        api.sim.faults.clear()
        api.sim.strike(faults)
        created[:] = [api.sim.add_user().id for _ in range(10)]
        await api.sim.delivered()
        return len(hook.real())

    assert await outcome(drop=1) == 0
    assert await outcome(duplicate=1) == 20
    assert await outcome(delay=1, delay_seconds=0.1) == 10
    assert await outcome(reorder=1) == 10
    received = [message["userId"] for message in hook.real()]
    assert sorted(received) == sorted(created)
    assert received != created
    assert await outcome(wrong_key=1) == 10
    assert hook.authorizations[-1] == "Basic wrong"


async def test_faults_of_subscriptions(api: Api, hook: Hook) -> None:
    await api.subscribe("userCreated", hook.url)
    api.sim.strike({"subscriptions_inactive": True})
    (kept,) = await api.get("/api/v1/webhooks/subscriptions")
    assert not kept["isActive"]
    api.sim.strike({"subscriptions_gone": True})
    assert await api.get("/api/v1/webhooks/subscriptions") == []
    hook.received.clear()
    api.sim.strike({"subscription_status": 409})
    assert (await api.subscribe("userCreated", hook.url))[0] == 409
    assert len(hook.received) == 1


async def test_clock_skew(api: Api) -> None:
    api.sim.strike({"clock_skew_seconds": 600.0})
    api.sim.plug(api.sim.vehicle_ids[0])
    car = api.sim.vehicle(api.sim.vehicle_ids[0])
    ahead = car.report.at - api.sim.clock()
    assert 590 < ahead.total_seconds() < 610
    api.sim.faults.clear()
    api.sim.unplug(car.id)
    assert abs((car.report.at - api.sim.clock()).total_seconds()) < 10


# --- page and command ---------------------------------------------------------------------------------


async def test_page(api: Api) -> None:
    async with api.http.get(api.sim.url + "/") as answer:
        page = await answer.text()
    assert "This is not Jedlix" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    rows = (await api.get("/control/endpoints"))["endpoints"]
    assert {row["evidence"] for row in rows} == {"documented", "sdk", "assumed"}


@pytest.mark.parametrize(
    "option", [["--port", "65536"], ["--speed", "0"], ["--mode", "loud"], ["--faults", "["]]
)
def test_wrong_options(option: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(option)
    assert stopped.value.code == 2
    assert option[0] in capsys.readouterr().err


def test_help_separates_what_is_documented_from_what_is_ours(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    printed = capsys.readouterr().out
    assert "Reported event types" in printed
    assert "assumed" in printed


async def test_command() -> None:
    async def run(*options: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "simulator",
            *options,
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    first = await run("--port", "0")
    assert first.stdout
    lines = [(await first.stdout.readline()).decode() for _ in range(9)]
    url = next(line.split()[-1] for line in lines if "base URL" in line)
    second = await run("--port", url.rpartition(":")[2])
    _, printed = await second.communicate()
    assert second.returncode == 1
    assert "the port is taken" in printed.decode()
    assert "Traceback" not in printed.decode()
    first.send_signal(signal.SIGINT)
    out, printed = await first.communicate()
    assert (first.returncode, out.decode().strip().endswith("Stopped."), printed) == (0, True, b"")


async def test_a_thousand_users(start: Start) -> None:
    api = await start(users=1000, history_days=30)
    sim = api.sim
    for vehicle_id in sim.vehicle_ids:
        sim.world.plug(sim.vehicle(vehicle_id), sim.now())
    sim.settle()
    sim.advance(24)
    page = await api.get("/api/v2/sessions?pageSize=100")
    assert page["totalCount"] > 15000
    assert all(
        before["startTime"] >= after["startTime"] for before, after in pairwise(page["items"])
    )
    assert len(json.dumps(await api.get("/control/truth"))) > 1000
