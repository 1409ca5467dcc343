"""Aimed faults over real HTTP: what a client sees of each kind, and that it ends when it should."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
import json
import math
from pathlib import Path
import time
from typing import Any

import aiohttp
import pytest

from simulator.__main__ import main
from simulator.api.answers import ANSWERS
from simulator.api.table import TABLE
from simulator.faults import general
from simulator.faults.kinds import KINDS, TOKEN_ADDRESSES, Effect
from simulator.model import Vehicle
from tests.simulator.conftest import Start
from tests.simulator.tools import Api, Clock

type Begin = Callable[..., Awaitable[Api]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def api(start: Start, clock: Clock) -> Api:
    """Return a client of two users with a car each, whose clock the test turns."""
    return await start(clock=clock, users=2)


async def aim(api: Api, kind: str, **fault: Any) -> int:
    """Set a fault, as with curl, and return its number."""
    status, answer = await api.call("POST", "/control/faults", {"kind": kind, **fault})
    assert status == 200, answer
    (number,) = answer["added"]
    return int(number)


async def remove(api: Api, number: int) -> None:
    """End a fault."""
    status, answer = await api.call("POST", "/control/faults", {"remove": [number]})
    assert status == 200, answer


async def in_force(api: Api) -> list[str]:
    """Return the kinds of the faults in force."""
    return [fault["kind"] for fault in (await api.get("/control/faults"))["faults"]]


def user_path(api: Api, number: int = 0, version: str = "v1") -> str:
    return f"/api/{version}/users/{api.sim.user_ids[number]}"


def vehicles_path(api: Api, number: int = 0, version: str = "v1") -> str:
    return f"{user_path(api, number, version)}/vehicles"


def car_path(api: Api, number: int = 0) -> str:
    return f"{vehicles_path(api, number)}/{api.sim.vehicle_ids[number]}"


def car_of(api: Api, number: int = 0) -> Vehicle:
    return api.sim.vehicle(api.sim.vehicle_ids[number])


async def raw(api: Api, path: str, method: str = "GET") -> tuple[int, dict[str, str], str]:
    """Return status, headers and text of an answer, whatever it is; redirects are not followed."""
    async with api.http.request(
        method, api.sim.url + path, headers=api.headers, allow_redirects=False
    ) as answer:
        return answer.status, dict(answer.headers), await answer.text()


def a_session(api: Api, number: int = 0) -> str:
    """Let a car be plugged in and out, and return the id of its session, which has ended."""
    api.sim.plug(api.sim.vehicle_ids[number])
    session = car_of(api, number).session
    assert session is not None
    api.sim.advance(1)
    api.sim.unplug(api.sim.vehicle_ids[number])
    return session.id


async def sessions(api: Api, number: int = 0, query: str = "") -> list[Any]:
    """Return what the list of the user's sessions shows."""
    shown: list[Any] = await api.get(f"{user_path(api, number)}/sessions{query}")
    return shown


async def session(api: Api, number: int = 0) -> dict[str, Any]:
    """Return the only session of the user as listed."""
    (shown,) = await sessions(api, number)
    return dict(shown)


# --- the table --------------------------------------------------------------------------------------------


def test_each_kind_has_a_test_here() -> None:
    assert [kind for kind in KINDS if f"test_{kind}" not in globals()] == []


def test_the_table_names_what_is_there() -> None:
    assert ANSWERS.keys() == {kind.name for kind in KINDS.values() if kind.effect is Effect.ANSWER}
    endpoints = {row.name for row in TABLE} | TOKEN_ADDRESSES
    for kind in KINDS.values():
        assert set(kind.endpoints) <= endpoints, kind.name
        names = [item.name for item in kind.fields]
        assert len(set(names)) == len(names), kind.name
        for item in kind.fields:
            assert item.sentence.endswith("."), (kind.name, item.name)


async def test_page_and_help_are_made_of_the_table(
    api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    table = await api.get("/control/faults/kinds")
    assert [kind["name"] for kind in table["kinds"]] == list(KINDS)
    assert [row["name"] for row in table["general"]] == list(general.Faults().as_json())
    assert table["actions"] == general.ACTIONS
    async with api.http.get(api.sim.url + "/") as answer:
        page = await answer.text()
    with pytest.raises(SystemExit):
        main(["--help"])
    printed = " ".join(capsys.readouterr().out.split())
    types = set()
    for kind in KINDS.values():
        assert f"{kind.name}: {kind.sentence}" in printed
        for item in kind.fields:
            assert item.sentence in printed
            types.add(item.describe()["type"])
    for row in table["general"]:
        assert row["sentence"] in printed
        types.add(row["type"])
    for name in types:
        assert f"  {name}: [" in page, f"the page cannot show a field of the type {name}"


# --- how a fault is set, and how it ends ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"kind": "no_such_kind"}, "kind: must be one of status, html"),
        ({"kind": None}, "kind: must be one of"),
        ({"kind": "status"}, "status: is missing. It must be a whole number from 200 to 599"),
        (
            {"kind": "status", "status": 99},
            "status: must be a whole number from 200 to 599, not 99",
        ),
        ({"kind": "status", "status": "503"}, "status: must be a whole number"),
        ({"kind": "status", "status": 503.5}, "status: must be a whole number"),
        ({"kind": "status", "status": True}, "status: must be a whole number"),
        ({"kind": "status", "status": 503, "problem": 1}, "problem: must be true or false"),
        ({"kind": "status", "status": 503, "text": "two\nlines"}, "text: must be a text in one"),
        (
            {"kind": "hang", "drop": 0.5},
            "drop: hang has no such field. It has performed, endpoints",
        ),
        ({"kind": "hang", "endpoints": "vehicles"}, "endpoints: must be 'all' or a list"),
        ({"kind": "hang", "endpoints": []}, "endpoints: must be 'all' or a list"),
        ({"kind": "hang", "endpoints": ["cars"]}, "endpoints: there is no endpoint 'cars' here"),
        ({"kind": "late_end", "endpoints": ["vehicles"]}, "endpoints: late_end does not concern"),
        ({"kind": "hang", "users": ["nobody"]}, "users: there is no user 'nobody'"),
        (
            {"kind": "hang", "users": [3]},
            "users: there is no user 3. It must be 'all' or a list of user ids or numbers, as in [1]",
        ),
        (
            {"kind": "unauthorized", "endpoints": ["token"], "users": [1]},
            "users: no call of token names a user. Leave users out, or name other endpoints",
        ),
        (
            {"kind": "token_refused", "users": [1]},
            "users: no call of token, user_token names a user",
        ),
        ({"kind": "hang", "users": [[]]}, "users: there is no user []"),
        ({"kind": "hang", "users": 1}, "users: must be 'all' or a list"),
        ({"kind": "hang", "times": 0}, "times: must be a whole number from 1 to 1000000, not 0"),
        ({"kind": "hang", "for_seconds": -1}, "for_seconds: must be a number from 0.01"),
        ({"kind": "redirect", "status": 200}, "status: must be one of 302, 301"),
        ({"kind": "retry_after", "form": "weeks"}, "form: must be one of seconds, date"),
        ({"kind": "end_taken_back", "session": "x"}, "session: there is no session 'x'"),
        ({"kind": "vehicle_moves", "vehicle": 9, "to_user": 1}, "vehicle: there is no vehicle 9"),
        ({"kind": "vehicle_moves", "vehicle": 1}, "to_user: is missing. It must be a user's id"),
        ({"kind": "vehicle_moves", "vehicle": 1, "to_user": 1}, "to_user: the car is this user's"),
        ({"kind": "user_moves", "user": 1, "to_user": 1}, "to_user: must be another user"),
        ({"kind": "clock", "ahead_seconds": 5, "times": 1}, "times: clock has no such field"),
        ({"kind": "vehicle_replaced", "vehicle": 1, "for_seconds": 1}, "for_seconds: vehicle_rep"),
        ({"faults": {"kind": "hang"}}, "faults: must be a list"),
        ({"status": 503}, "status: there is no such general fault. Known: absent, api_429"),
        (
            {"hang": True},
            "An aimed fault begins with its kind: GET /control/faults/kinds lists them",
        ),
        ({"drop": "a lot"}, "drop: must be a number from 0 to 1, not 'a lot'"),
        ({"retry_after": 1.5}, "retry_after: must be a whole number from 0 to"),
        ({"outage_how": "drop"}, "outage_how: must be one of 503, refuse, not 'drop'"),
        ({"absent": "vehicles"}, "absent: must be a list of names of endpoints, [] for none"),
        ({"absent": ["cars"]}, "absent: there is no endpoint 'cars' here. Known: charge_settings"),
        ({"forbidden": ["token"]}, "forbidden: there is no endpoint 'token' here"),
        ({"refused_event_types": [3]}, "refused_event_types: there is no event type 3 here"),
        ({"faults": ["hang"]}, "faults: each must be a JSON object"),
        (
            {"remove": [7]},
            "remove: there is no fault in force with the number 7. In force: none",
        ),
        ({"remove": 7}, "remove: must be a list, as in [1], not 7"),
    ],
)
async def test_bad_input_names_the_field(api: Api, fault: dict[str, Any], words: str) -> None:
    status, answer = await api.call("POST", "/control/faults", fault)
    assert status == 400
    assert words in answer["error"]
    assert await in_force(api) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"kind": "hang"', "the body is not JSON: "),
        ("kind=hang", "the body is not JSON: "),
        ('[{"kind": "hang"}]', "the body must be a JSON object"),
    ],
)
async def test_a_body_that_is_no_json_object_is_refused(api: Api, text: str, words: str) -> None:
    async with api.http.post(api.sim.url + "/control/faults", data=text) as answer:
        assert answer.status == 400
        assert words in (await answer.json())["error"]


@pytest.mark.parametrize("value", [math.nan, math.inf])
async def test_a_number_is_finite(api: Api, value: float) -> None:
    """The command line reads such numbers, as JSON in Python does."""
    with pytest.raises(ValueError, match="outage_seconds: must be a number from 0"):
        api.sim.strike({"outage_seconds": value})


async def test_nothing_is_set_where_a_part_is_wrong(api: Api) -> None:
    body = {"drop": 0.5, "faults": [{"kind": "hang"}, {"kind": "hung"}]}
    assert (await api.call("POST", "/control/faults", body))[0] == 400
    body = {"drop": 2, "faults": [{"kind": "hang"}]}
    assert (await api.call("POST", "/control/faults", body))[0] == 400
    faults = await api.get("/control/faults")
    assert (faults["drop"], faults["faults"]) == (0, [])


async def test_a_fault_in_force_is_shown_with_its_use(api: Api) -> None:
    number = await aim(api, "status", status=503, users=[1, 2], times=2, for_seconds=60)
    await raw(api, vehicles_path(api))
    (shown,) = (await api.get("/control/faults"))["faults"]
    assert 0 < shown.pop("seconds_left") <= 60
    assert shown == {
        "number": number,
        "kind": "status",
        "endpoints": "all",
        "users": sorted(api.sim.user_ids),
        "times": 2,
        "used": 1,
        "values": {"status": 503, "problem": True, "text": "", "performed": False},
    }


async def test_it_concerns_the_named_calls_and_users_only(api: Api) -> None:
    await aim(api, "status", status=503, endpoints=["vehicles"], users=[2])
    assert (await raw(api, vehicles_path(api, 1)))[0] == 503
    assert (await raw(api, vehicles_path(api, 0)))[0] == 200
    assert (await raw(api, car_path(api, 1)))[0] == 200
    await aim(api, "status", status=500, users=[api.sim.user_ids[0].upper()])
    assert (await raw(api, car_path(api, 0)))[0] == 500
    assert (await raw(api, "/api/v2/sessions"))[0] == 200, "it names no user"
    assert (await api.log_in())[0] == 200


async def test_all_calls_are_those_of_the_table_and_the_token_address_is_named(api: Api) -> None:
    await aim(api, "status", status=500)
    assert (await raw(api, "/api/v2/sessions"))[0] == 500
    assert (await api.log_in())[0] == 200
    await aim(api, "status", status=502, problem=False, endpoints=["token"])
    async with api.http.post(api.sim.url + "/oauth/token", data={}) as answer:
        assert answer.status == 502
    assert (await raw(api, "/"))[0] == 200
    assert (await raw(api, "/control/truth"))[0] == 200


async def test_it_ends_after_so_many_answers(api: Api) -> None:
    await aim(api, "status", status=503, endpoints=["vehicles"], times=2)
    answers = [(await raw(api, vehicles_path(api)))[0] for _ in range(3)]
    assert answers == [503, 503, 200]
    assert await in_force(api) == []


async def test_it_ends_after_so_long(api: Api, clock: Clock) -> None:
    await aim(api, "status", status=503, for_seconds=60)
    clock.turn(seconds=59)
    assert (await raw(api, vehicles_path(api)))[0] == 503
    clock.turn(seconds=2)
    assert (await raw(api, vehicles_path(api)))[0] == 200
    assert await in_force(api) == []


async def test_it_ends_when_it_is_removed_or_all_are(api: Api) -> None:
    number = await aim(api, "status", status=503)
    await aim(api, "html")
    await remove(api, number)
    assert (await raw(api, vehicles_path(api)))[2].startswith("<!doctype html>")
    assert await in_force(api) == ["html"]
    await api.call("DELETE", "/control/faults")
    assert (await raw(api, vehicles_path(api)))[0] == 200


async def test_the_first_fault_answers_first(api: Api) -> None:
    body = {
        "faults": [
            {"kind": "status", "status": 500, "times": 1},
            {"kind": "status", "status": 502, "times": 1},
        ]
    }
    await api.call("POST", "/control/faults", body)
    assert [(await raw(api, vehicles_path(api)))[0] for _ in range(3)] == [500, 502, 200]


async def test_faults_from_the_start(start: Start) -> None:
    api = await start(faults={"faults": [{"kind": "hang", "users": [1]}], "drop": 0.5})
    assert await in_force(api) == ["hang"]
    assert api.sim.faults.drop == 0.5


async def test_faults_out_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "faults.json"
    file.write_text(json.dumps({"kind": "hung"}), encoding="utf-8")
    options = ["--port", "0", "--history-days", "0", "--faults"]
    assert await asyncio.to_thread(main, [*options, str(file)]) == 2
    assert "--faults: kind: must be one of" in capsys.readouterr().err
    for wrong in (str(tmp_path / "none.json"), "[]", "{"):
        with pytest.raises(SystemExit):
            main([*options, wrong])
        assert "argument --faults: " in capsys.readouterr().err


# --- wrong answers ----------------------------------------------------------------------------------------


async def test_status(api: Api) -> None:
    await aim(api, "status", status=409, text="No.", times=1)
    status, headers, text = await raw(api, vehicles_path(api))
    assert (status, headers["Content-Type"]) == (409, "application/problem+json")
    assert json.loads(text) == {
        "type": "https://httpstatuses.io/409",
        "title": "Conflict",
        "status": 409,
        "detail": "No.",
        "instance": vehicles_path(api),
    }
    await aim(api, "status", status=404, problem=False, text="Not here", times=1)
    status, headers, text = await raw(api, vehicles_path(api))
    assert (status, text) == (404, "Not here")
    assert headers["Content-Type"].startswith("text/plain")
    for odd in (204, 299, 599):
        await aim(api, "status", status=odd, times=1)
        assert (await raw(api, vehicles_path(api)))[0] == odd
    assert (await raw(api, vehicles_path(api)))[0] == 200


async def test_a_lost_answer_to_a_call_that_took_effect(api: Api) -> None:
    path = car_path(api) + "/charge-settings"
    for performed, level in ((False, 80), (True, 90)):
        await aim(api, "status", status=504, performed=performed, times=1)
        assert (await api.call("PATCH", path, {"desiredBatteryLevel": 90}))[0] == 504
        assert (await api.get(path))["desiredBatteryLevel"] == level
    await aim(api, "status", status=504, performed=True, times=1)
    assert (await api.call("PATCH", path, {"desiredBatteryLevel": 20}))[0] == 504, "a refusal, too"


async def test_html(api: Api) -> None:
    await aim(api, "html", status=403, times=1)
    status, headers, text = await raw(api, vehicles_path(api))
    assert (status, headers["Content-Type"]) == (403, "text/html; charset=utf-8")
    assert "Please log in" in text
    assert (await raw(api, vehicles_path(api)))[0] == 200


async def test_empty_list(api: Api) -> None:
    await aim(api, "empty_list", endpoints=["vehicles"], times=2)
    assert await api.get(vehicles_path(api)) == []
    page = await api.get(vehicles_path(api, version="v2"))
    assert (page["items"], page["totalCount"], page["pageIndex"]) == ([], 0, 1)
    assert len(await api.get(vehicles_path(api))) == 1


async def test_empty_object(api: Api) -> None:
    await aim(api, "empty_object", times=1)
    assert await api.get(vehicles_path(api)) == {}
    assert len(await api.get(vehicles_path(api))) == 1


async def test_hang(api: Api) -> None:
    await aim(api, "hang", endpoints=["vehicles"], times=1)
    before = time.monotonic()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(raw(api, vehicles_path(api)), 0.5)
    assert time.monotonic() - before >= 0.5
    assert (await raw(api, vehicles_path(api)))[0] == 200
    async with asyncio.timeout(5):
        while 499 not in {request.status for request in api.sim.requests}:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_call_that_hangs_does_not_keep_the_simulator_from_stopping(api: Api) -> None:
    await aim(api, "hang")
    hanging = asyncio.create_task(raw(api, vehicles_path(api)))
    await asyncio.sleep(0.1)
    async with asyncio.timeout(5):
        await api.sim.stop()
        with pytest.raises(aiohttp.ClientError):
            await hanging


async def test_slow(api: Api) -> None:
    await aim(api, "slow", delay_seconds=0.4, times=1)
    before = time.monotonic()
    assert len(await api.get(vehicles_path(api))) == 1
    assert time.monotonic() - before >= 0.4
    before = time.monotonic()
    assert len(await api.get(vehicles_path(api))) == 1
    assert time.monotonic() - before < 0.4


async def test_truncated(api: Api) -> None:
    _, _, whole = await raw(api, vehicles_path(api))
    await aim(api, "truncated", times=1)
    with pytest.raises(aiohttp.ClientPayloadError):
        await raw(api, vehicles_path(api))
    await aim(api, "truncated", closes_connection=False, percent=25, times=1)
    status, _, text = await raw(api, vehicles_path(api))
    assert (status, text) == (200, whole[: len(whole) // 4])
    assert (await raw(api, vehicles_path(api)))[2] == whole
    await aim(api, "truncated", times=1)
    with pytest.raises(aiohttp.ClientPayloadError):
        await raw(api, user_path(api) + "/sessions/none")


async def test_redirect(api: Api) -> None:
    await aim(api, "redirect", status=307, location="/elsewhere", times=1)
    status, headers, _ = await raw(api, vehicles_path(api))
    assert (status, headers["Location"]) == (307, "/elsewhere")
    await aim(api, "redirect", times=1)
    assert (await raw(api, vehicles_path(api)))[:1] == (302,)
    assert (await raw(api, vehicles_path(api)))[0] == 200


async def test_retry_after(api: Api) -> None:
    async def header(**fault: Any) -> str:
        await aim(api, "retry_after", times=1, **fault)
        status, headers, _ = await raw(api, vehicles_path(api))
        assert status == fault.get("status", 429)
        return headers["Retry-After"]

    assert await header(wait_seconds=30) == "30"
    assert await header(wait_seconds=10_000_000) == "10000000"
    assert await header(wait_seconds=-1, status=503) == "-1"
    date = parsedate_to_datetime(await header(form="date", wait_seconds=600))
    assert 595 <= (date - datetime.now(UTC)).total_seconds() <= 600
    assert 595 <= int(await header(form="epoch", wait_seconds=600)) - time.time() <= 600
    assert await header(form="absurd") == "99999999999999"
    assert await header(form="absurd", text="soon") == "soon"
    assert (await raw(api, vehicles_path(api)))[0] == 200


async def test_unauthorized(api: Api) -> None:
    number = await aim(api, "unauthorized", users=[1])
    for _ in range(2):
        status, headers, _ = await raw(api, vehicles_path(api))
        assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
        assert (await api.log_in())[0] == 200
    assert (await raw(api, vehicles_path(api, 1)))[0] == 200
    await remove(api, number)
    assert (await raw(api, vehicles_path(api)))[0] == 200


async def test_token_refused(api: Api) -> None:
    for status, error in ((400, "unauthorized_client"), (401, "invalid_client"), (403, "access_")):
        await aim(api, "token_refused", status=status, times=1)
        answer, body = await api.log_in()
        assert (answer, body["error"].startswith(error)) == (status, True)
    await aim(api, "token_refused", names_client=False, times=1)
    assert await api.log_in() == (401, {})
    assert (await api.log_in())[0] == 200


# --- lies about cars --------------------------------------------------------------------------------------


async def test_list_without_vehicle(api: Api) -> None:
    await aim(api, "list_without_vehicle", users=[1], times=1)
    await aim(api, "second_vehicle", user=2)
    first, second = (car.id for car in api.sim.world.users[api.sim.user_ids[1]].vehicles)
    await aim(api, "list_without_vehicle", vehicle=second, times=1)
    assert (await raw(api, car_path(api)))[0] == 200
    assert await api.get(vehicles_path(api)) == []
    assert [car["id"] for car in await api.get(vehicles_path(api, 1))] == [first]
    assert len(await api.get(vehicles_path(api))) == 1
    assert len(await api.get(vehicles_path(api, 1))) == 2


async def readings(api: Api) -> set[str]:
    """Return the times of the reading of the first car and of its charger, in all their places."""
    (listed,), one = await api.get(vehicles_path(api)), await api.get(car_path(api))
    (charger,) = await api.get(user_path(api) + "/chargers")
    (location,) = await api.get(user_path(api) + "/charging-locations")
    times = {listed["chargeState"]["updatedAt"], one["chargeState"]["updatedAt"]}
    assert len(times) == 1
    charger_times = {
        charger["chargerState"]["timeStamp"],
        location["chargers"][0]["chargerState"]["timeStamp"],
    }
    assert len(charger_times) == 1
    return times | {time[:19] for time in times} & charger_times


async def test_future_readings(api: Api) -> None:
    api.sim.plug(api.sim.vehicle_ids[0])
    at = car_of(api).report.at
    await aim(api, "future_readings", ahead_seconds=7200, users=[1], times=4)
    shown = await readings(api)
    ahead = at + timedelta(hours=2)
    assert shown >= {f"{ahead:%Y-%m-%dT%H:%M:%S.%f}"}
    (other,) = await api.get(vehicles_path(api, 1))
    assert other["chargeState"]["updatedAt"] == f"{car_of(api, 1).report.at:%Y-%m-%dT%H:%M:%S.%f}"
    assert await readings(api) >= {f"{at:%Y-%m-%dT%H:%M:%S.%f}"}


async def test_local_times(api: Api) -> None:
    api.sim.plug(api.sim.vehicle_ids[0])
    local = car_of(api).report.at + timedelta(hours=2)
    number = await aim(api, "local_times", utc_offset_hours=2)
    for version in ("v1", "v2"):
        answer = await api.get(vehicles_path(api, version=version))
        (listed,) = answer if version == "v1" else answer["items"]
        assert listed["chargeState"]["updatedAt"] == f"{local:%Y-%m-%dT%H:%M:%S.%f}"
    (charger,) = await api.get(user_path(api) + "/chargers")
    assert charger["chargerState"]["timeStamp"].startswith(f"{local:%Y-%m-%dT%H:%M:%S}")
    await remove(api, number)
    (listed,) = (await api.get(vehicles_path(api, version="v2")))["items"]
    assert listed["chargeState"]["updatedAt"].endswith("Z")


async def test_vehicle_vanishes(api: Api, clock: Clock) -> None:
    ended = a_session(api)
    await aim(api, "vehicle_vanishes", vehicle=1, for_seconds=3600)
    assert await api.get(vehicles_path(api)) == []
    for path in ("", "/charge-settings"):
        assert (await raw(api, car_path(api) + path))[0] == 404
    assert (await api.call("PATCH", car_path(api) + "/charge-settings", {}))[0] == 404
    assert (await session(api))["id"] == ended
    assert len(await api.get(vehicles_path(api, 1))) == 1
    truth = (await api.get("/control/truth"))["users"][0]
    assert len(truth["vehicles"]) == 1, "in truth it is still there"
    clock.turn(hours=1)
    assert len(await api.get(vehicles_path(api))) == 1
    assert (await raw(api, car_path(api)))[0] == 200
    await aim(api, "vehicle_vanishes", users=[1], times=1)
    assert [len(await api.get(vehicles_path(api))) for _ in range(2)] == [0, 1]


async def test_user_vanishes(api: Api, clock: Clock) -> None:
    a_session(api)
    others = a_session(api, 1)
    await aim(api, "user_vanishes", users=[1], for_seconds=3600)
    for path in ("", "/vehicles", "/sessions", "/charging-locations"):
        status, headers, _ = await raw(api, user_path(api) + path)
        assert (status, headers["Content-Type"]) == (404, "application/problem+json"), path
    listed = (await api.get("/api/v2/sessions"))["items"]
    assert [item["id"] for item in listed] == [others]
    locations = await api.get("/api/v1/charging-locations")
    assert [item["userId"] for item in locations] == [api.sim.user_ids[1]]
    clock.turn(hours=1)
    assert (await raw(api, user_path(api)))[0] == 200
    assert (await api.get("/api/v2/sessions"))["totalCount"] == 2
    await aim(api, "user_vanishes", users=[1], times=1)
    assert [(await raw(api, user_path(api)))[0] for _ in range(2)] == [404, 200]


# --- lies about sessions ----------------------------------------------------------------------------------


async def test_late_start(api: Api, clock: Clock) -> None:
    a_session(api)
    clock.turn(minutes=1)
    await aim(api, "late_start", delay_seconds=3600, users=[1])
    clock.turn(minutes=1)
    api.sim.plug(api.sim.vehicle_ids[0])
    api.sim.plug(api.sim.vehicle_ids[1])
    new = car_of(api).session
    assert new is not None
    path = f"{user_path(api)}/sessions/{new.id}"
    assert new.id not in {item["id"] for item in await sessions(api)}
    assert (await raw(api, path))[0] == 404
    listed = (await api.get("/api/v2/sessions"))["items"]
    assert len(listed) == 2, "the earlier one, and the other user's"
    clock.turn(hours=1)
    shown = (await sessions(api))[0]
    assert (shown["id"], shown["endTime"]) == (new.id, None)
    assert shown["startTime"] == f"{new.start:%Y-%m-%dT%H:%M:%S.%f}"
    assert (await raw(api, path))[0] == 200
    api.sim.unplug(api.sim.vehicle_ids[0])
    api.sim.plug(api.sim.vehicle_ids[0])
    assert len(await sessions(api)) == 2
    await api.call("DELETE", "/control/faults")
    assert len(await sessions(api)) == 3


async def test_late_end(api: Api, clock: Clock) -> None:
    earlier = a_session(api)
    clock.turn(minutes=1)
    await aim(api, "late_end", delay_seconds=7200)
    since = f"?endTimeFrom={clock() - timedelta(minutes=30):%Y-%m-%dT%H:%M:%SZ}"
    ended = a_session(api)
    true = api.sim.world.sessions.by_id[ended]
    newest, oldest = await sessions(api)
    assert (newest["id"], newest["endTime"], oldest["id"]) == (ended, None, earlier)
    assert oldest["endTime"] is not None
    assert [item["id"] for item in await sessions(api, query=since)] == [earlier]
    clock.turn(hours=2)
    assert (await sessions(api))[0]["endTime"] == f"{true.end:%Y-%m-%dT%H:%M:%S.%f}"
    assert [item["id"] for item in await sessions(api, query=since)] == [ended, earlier]
    last = a_session(api)
    assert (await sessions(api))[0]["endTime"] is None
    await api.call("DELETE", "/control/faults")
    assert (await sessions(api, query=since))[0]["id"] == last


async def test_session_gone(api: Api) -> None:
    earlier = a_session(api)
    api.sim.plug(api.sim.vehicle_ids[0])
    number = await aim(api, "session_gone")
    open_session = car_of(api).session
    assert open_session is not None
    assert [item["id"] for item in await sessions(api)] == [earlier]
    assert (await raw(api, f"{user_path(api)}/sessions/{open_session.id}"))[0] == 404
    api.sim.unplug(api.sim.vehicle_ids[0])
    assert [item["id"] for item in await sessions(api)] == [earlier], "not after its end either"
    await remove(api, number)
    assert len(await sessions(api)) == 2
    await aim(api, "session_gone", session=earlier)
    assert [item["id"] for item in await sessions(api)] == [open_session.id]


async def test_end_taken_back(api: Api, clock: Clock) -> None:
    a_session(api)
    clock.turn(minutes=1)
    newest = a_session(api)
    number = await aim(api, "end_taken_back", delay_seconds=60)
    assert all(item["endTime"] for item in await sessions(api))
    clock.turn(minutes=2)
    ends = {item["id"]: item["endTime"] for item in await sessions(api)}
    assert ends.pop(newest) is None
    (other,) = ends.values()
    assert other is not None
    assert (await api.get(f"{user_path(api)}/sessions/{newest}"))["endTime"] is None
    await remove(api, number)
    assert all(item["endTime"] for item in await sessions(api))
    api.sim.plug(api.sim.vehicle_ids[0])
    new = (await sessions(api))[0]
    await aim(api, "end_taken_back", session=new["id"])
    assert await sessions(api, query="?startTimeFrom=" + new["startTime"]) == [new], "not ended yet"


async def test_end_corrected(api: Api, clock: Clock) -> None:
    older = a_session(api)
    clock.turn(minutes=1)
    a_session(api)
    end = api.sim.world.sessions.by_id[older].end
    assert end is not None
    newest, true = await sessions(api)
    await aim(api, "end_corrected", session=older, shift_seconds=120, for_seconds=600)
    later = end + timedelta(minutes=2)
    corrected = true | {"endTime": f"{later:%Y-%m-%dT%H:%M:%S.%f}"}
    assert await sessions(api) == [newest, corrected]
    clock.turn(minutes=10)
    assert await sessions(api) == [newest, true]
    await aim(api, "end_corrected", shift_seconds=-86400)
    newest = (await sessions(api))[0]
    assert newest["endTime"] == newest["startTime"], "no end before the start"
    assert (await sessions(api))[1] == true, "only the newest"


async def test_late_figures(api: Api, clock: Clock) -> None:
    await aim(api, "late_figures", delay_seconds=600, users=[1])
    api.sim.plug(api.sim.vehicle_ids[0])
    api.sim.advance(1)
    figures = {"energyKwh", "cost", "savings", "currency"}
    assert {(await session(api))[name] for name in figures} == {None}
    api.sim.unplug(api.sim.vehicle_ids[0])
    a_session(api, 1)
    (financials,) = await api.get(user_path(api) + "/financials")
    for shown in (await session(api), financials):
        assert {shown[name] for name in figures} == {None}
        assert shown["endTime"]
    assert (await session(api, 1))["currency"] == "EUR"
    clock.turn(minutes=10)
    assert (await session(api))["energyKwh"] > 0
    await api.call("DELETE", "/control/faults")
    await aim(api, "late_figures", until_then="missing")
    a_session(api)
    assert not figures & (await sessions(api))[0].keys()
    await api.call("DELETE", "/control/faults")
    assert figures <= (await sessions(api))[0].keys()


async def test_figures_only_in_financials(api: Api) -> None:
    ended = a_session(api)
    number = await aim(api, "figures_only_in_financials")
    for shown in (
        await session(api),
        await api.get(f"{user_path(api)}/sessions/{ended}"),
        (await api.get("/api/v2/sessions"))["items"][0],
    ):
        assert not {"energyKwh", "cost", "savings", "currency"} & shown.keys()
    (financials,) = await api.get(user_path(api) + "/financials")
    assert financials["energyKwh"] > 0
    await remove(api, number)
    assert (await session(api))["energyKwh"] > 0


async def test_corrected_figures(api: Api, clock: Clock) -> None:
    a_session(api)
    before = await session(api)
    await aim(api, "corrected_figures", factor=0.5, delay_seconds=60, for_seconds=600)
    assert await session(api) == before
    clock.turn(minutes=2)
    after = await session(api)
    for name in ("energyKwh", "cost", "savings"):
        assert after[name] == pytest.approx(before[name] / 2, abs=0.001)
    assert after["currency"] == "EUR"
    clock.turn(minutes=10)
    assert await session(api) == before


async def test_no_vehicle_id(api: Api) -> None:
    a_session(api)
    a_session(api, 1)
    await aim(api, "no_vehicle_id", users=[1], times=2)
    assert (await session(api))["vehicleId"] is None
    mine = [item["vehicleId"] for item in (await api.get("/api/v2/sessions"))["items"]]
    assert sorted(mine, key=str) == sorted([None, api.sim.vehicle_ids[1]], key=str)
    assert (await session(api))["vehicleId"] == api.sim.vehicle_ids[0]
    await aim(api, "no_vehicle_id", how="missing", times=1)
    assert "vehicleId" not in await session(api)
    assert "vehicleId" in await session(api)


async def test_stale_reads(api: Api, clock: Clock) -> None:
    await aim(api, "stale_reads", stale_seconds=5, times=1)
    path = car_path(api) + "/charge-settings"
    assert (await api.call("PATCH", path, {"desiredBatteryLevel": 20}))[0] == 400
    assert (await api.call("PATCH", path, {"desiredBatteryLevel": 95}))[0] == 200
    assert (await api.get(path))["desiredBatteryLevel"] == 80
    assert (await api.get("/control/truth"))["users"][0]["vehicles"][0]["settings"][
        "desiredBatteryLevel"
    ] == 95
    clock.turn(seconds=6)
    assert (await api.get(path))["desiredBatteryLevel"] == 95
    assert await in_force(api) == []
    await api.call("PATCH", path, {"desiredBatteryLevel": 70})
    assert (await api.get(path))["desiredBatteryLevel"] == 70


async def test_stale_reads_of_a_boosted_session(api: Api, clock: Clock) -> None:
    api.sim.plug(api.sim.vehicle_ids[0])
    await aim(api, "stale_reads", stale_seconds=5, endpoints=["user_sessions"])
    open_session = await session(api)
    path = f"{user_path(api)}/sessions/{open_session['id']}"
    await api.call("PATCH", path + "/settings", {"type": "boostCharging", "enabled": True})
    assert not (await session(api))["isBoosted"]
    assert (await api.get(path))["isBoosted"], "only the list is stale"
    clock.turn(seconds=6)
    assert (await session(api))["isBoosted"]


@pytest.mark.parametrize(
    ("how", "time", "level"),
    [("ignored", "07:30", 80), ("times_moved", "07:00", 80), ("something_else", "06:00", 100)],
)
async def test_settings_not_as_written(api: Api, how: str, time: str, level: int) -> None:
    path = car_path(api) + "/charge-settings"
    written = {"departureTimes": {"assumedByTheSimulator": {"time": "06:00"}}}
    await aim(api, "settings_not_as_written", how=how, times=1)
    status, answer = await api.call("PATCH", path, written)
    settings = await api.get(path)
    assert (status, answer) == (200, settings)
    assert settings["departureTimes"] == {"assumedByTheSimulator": {"time": time}}
    assert settings["desiredBatteryLevel"] == level
    assert await in_force(api) == []
    await api.call("POST", path, settings | written)
    assert await api.get(path) == settings | written


async def test_settings_not_as_written_whatever_the_shape(start: Start) -> None:
    api = await start(departure_times="hour_and_minute")
    path = car_path(api) + "/charge-settings"
    await aim(api, "settings_not_as_written", how="times_moved")
    moved = {"list": [{"hour": 23, "minute": 30}, "7:30:00", "24:00 or so", None]}
    await api.call("PATCH", path, {"departureTimes": moved, "desiredBatteryLevel": 100})
    expected = {"list": [{"hour": 0, "minute": 30}, "08:30:00", "24:00 or so", None]}
    assert (await api.get(path))["departureTimes"] == expected
    await aim(api, "settings_not_as_written", how="something_else")
    await api.call("PATCH", path, {"isSmartChargingEnabled": False})
    assert (await api.get(path))["desiredBatteryLevel"] == 50


async def test_unstable_pages(start: Start) -> None:
    api = await start(history_days=30)
    true = [item["id"] for item in await api.get(user_path(api) + "/sessions")]
    assert len(true) > 10
    number = await aim(api, "unstable_pages", page_size=5)
    path = "/api/v2/sessions?pageSize=100&pageIndex="
    pages = [await api.get(path + str(index)) for index in (1, 2)]
    assert [len(page["items"]) for page in pages] == [5, 5]
    assert pages[0]["totalCount"] == len(true)
    assert pages[0]["totalPages"] == -(-len(true) // 5)
    again = await api.get(path + "1")
    assert again["items"] != pages[0]["items"]
    plain = [item["id"] for item in await api.get(user_path(api) + "/sessions")]
    assert plain != true
    assert sorted(plain) == sorted(true)
    await remove(api, number)
    assert [item["id"] for item in (await api.get(path + "1"))["items"]] == true


async def test_end_filter(api: Api) -> None:
    a_session(api)
    future = f"?endTimeFrom={datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
    assert await sessions(api, query=future) == []
    await aim(api, "end_filter", times=2)
    assert len(await sessions(api)) == 1, "a call without the filter does not count"
    assert len(await sessions(api, query=future)) == 1
    assert (await api.get("/api/v2/sessions" + future))["totalCount"] == 1
    assert await sessions(api, query=future) == []
    await aim(api, "end_filter", how="refused", times=1)
    status, answer = await api.call("GET", user_path(api) + "/sessions" + future)
    assert (status, answer["status"]) == (400, 400)
    assert await sessions(api, query=future) == []


# --- events -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [1, -2])
async def test_clock(api: Api, clock: Clock, hours: int) -> None:
    def ahead(moment: datetime) -> float:
        return (moment - clock()).total_seconds() / 3600

    await aim(api, "clock", ahead_seconds=hours * 3600, for_seconds=60)
    _, headers, _ = await raw(api, vehicles_path(api))
    assert ahead(parsedate_to_datetime(headers["Date"])) == pytest.approx(hours, abs=0.01)
    api.sim.plug(api.sim.vehicle_ids[0])
    shown = await session(api)
    begun = datetime.fromisoformat(shown["startTime"]).replace(tzinfo=UTC)
    assert ahead(begun) == pytest.approx(hours, abs=0.01)
    async with api.http.post(api.sim.url + "/oauth/token", data={}) as answer:
        assert ahead(parsedate_to_datetime(answer.headers["Date"])) == pytest.approx(
            hours, abs=0.01
        )
    clock.turn(seconds=61)
    api.sim.telemetry(api.sim.vehicle_ids[0], battery_level=50)
    assert ahead(car_of(api).report.at) == pytest.approx(0, abs=0.01)
    api.sim.unplug(api.sim.vehicle_ids[0])
    shown = await session(api)
    assert shown["startTime"] <= shown["endTime"]
    real = (await raw(api, vehicles_path(api)))[1]["Date"]
    assert (
        parsedate_to_datetime(real)
        <= api.sim.clock()
        < parsedate_to_datetime(real) + timedelta(seconds=5)
    )
    assert format_datetime(datetime.now(UTC), usegmt=True)[-3:] == real[-3:]


async def test_second_vehicle(api: Api, clock: Clock) -> None:
    await aim(api, "second_vehicle", user=1, for_seconds=3600)
    first, second = await api.get(vehicles_path(api))
    assert first["id"] == api.sim.vehicle_ids[0]
    assert (await raw(api, f"{vehicles_path(api)}/{second['id']}"))[0] == 200
    api.sim.plug(first["id"])
    api.sim.plug(second["id"])
    assert {item["vehicleId"] for item in await sessions(api)} == {first["id"], second["id"]}
    truth = (await api.get("/control/truth"))["users"][0]
    assert len(truth["vehicles"]) == 2
    clock.turn(hours=1)
    assert [car["id"] for car in await api.get(vehicles_path(api))] == [first["id"]]


async def test_vehicle_moves(api: Api, clock: Clock) -> None:
    api.sim.plug(api.sim.vehicle_ids[0])
    await aim(api, "vehicle_moves", vehicle=1, to_user=2, for_seconds=3600)
    assert await api.get(vehicles_path(api)) == []
    ids = [car["id"] for car in await api.get(vehicles_path(api, 1))]
    assert ids == [api.sim.vehicle_ids[1], api.sim.vehicle_ids[0]]
    assert (await session(api))["endTime"] is not None
    api.sim.advance(1)
    (opened,) = await sessions(api, 1)
    assert (opened["vehicleId"], opened["endTime"]) == (api.sim.vehicle_ids[0], None)
    assert [change.type for change in api.sim.world.changes][3:8] == [
        "session_ended",
        "session_settled",
        "vehicle_removed",
        "vehicle_added",
        "session_started",
    ]
    clock.turn(hours=1)
    assert [car["id"] for car in await api.get(vehicles_path(api))] == [api.sim.vehicle_ids[0]]
    assert len(await api.get(vehicles_path(api, 1))) == 1


async def test_an_event_ends_when_its_car_is_gone_meanwhile(api: Api) -> None:
    moved = await aim(api, "vehicle_moves", vehicle=1, to_user=2)
    added = await aim(api, "second_vehicle", user=1)
    _, first = await api.get(vehicles_path(api, 1))
    (second,) = await api.get(vehicles_path(api))
    for car in (first, second):
        await api.call("DELETE", f"/control/vehicles/{car['id']}")
    await remove(api, moved)
    await remove(api, added)
    assert await api.get(vehicles_path(api)) == []
    assert len(await api.get(vehicles_path(api, 1))) == 1


async def test_a_car_that_is_back_already_does_not_move_again(api: Api) -> None:
    moved = await aim(api, "vehicle_moves", vehicle=1, to_user=2)
    await aim(api, "vehicle_moves", vehicle=1, to_user=1)
    changes = len(api.sim.world.changes)
    await remove(api, moved)
    assert len(api.sim.world.changes) == changes
    assert len(await api.get(vehicles_path(api))) == 1


async def test_vehicle_replaced(api: Api) -> None:
    (old,) = await api.get(vehicles_path(api))
    await aim(api, "vehicle_replaced", vehicle=old["id"])
    (new,) = await api.get(vehicles_path(api))
    assert (new["details"], new["id"] == old["id"]) == (old["details"], False)
    assert (await raw(api, f"{vehicles_path(api)}/{old['id']}"))[0] == 404
    assert await in_force(api) == [], "it has happened"
    body = {"faults": [{"kind": "vehicle_replaced", "vehicle": new["id"]}] * 2}
    status, answer = await api.call("POST", "/control/faults", body)
    assert (status, answer["error"]) == (400, "vehicle: the car is gone meanwhile")


@pytest.mark.parametrize("to_user", [None, 2])
async def test_user_moves(api: Api, clock: Clock, to_user: int | None) -> None:
    ended = a_session(api)
    (location,) = await api.get(user_path(api) + "/charging-locations")
    await aim(api, "user_moves", user=1, to_user=to_user, for_seconds=3600)
    other = 1 if to_user else 2
    assert (await raw(api, user_path(api)))[0] == 404
    ids = {car["id"] for car in await api.get(vehicles_path(api, other))}
    assert api.sim.vehicle_ids[0] in ids
    places = await api.get(user_path(api, other) + "/charging-locations")
    assert (location["id"], api.sim.user_ids[other]) in {
        (item["id"], item["userId"]) for item in places
    }
    assert len(await api.get(user_path(api, other) + "/chargers")) == 1
    assert ended not in {item["id"] for item in (await api.get("/api/v2/sessions"))["items"]}
    clock.turn(hours=1)
    assert [car["id"] for car in await api.get(vehicles_path(api))] == [api.sim.vehicle_ids[0]]
    assert await api.get(user_path(api) + "/charging-locations") == [location]
    assert (await session(api))["id"] == ended
    assert api.sim.vehicle_ids[0] not in {
        car["id"] for car in await api.get(vehicles_path(api, other))
    }
