"""API report: what somebody with a real account can send, whatever the tenant's answers hold."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
import json
import re
from typing import Any, Final

import pytest

from custom_components.jedlix.api import JedlixClient, JedlixError, WebhookMessage, report
from custom_components.jedlix.api.endpoints import ENDPOINTS
from custom_components.jedlix.api.offered import OfferedCalls
from custom_components.jedlix.api.report import ApiReport
from tests.api.stand_in import Cloud, Reply

USER: Final = "67f6ce94-096e-4ca0-9c16-e12805f22f0f"
NOON: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)

type Call = Callable[[JedlixClient], Awaitable[object]]


def first_page(pages: Callable[[JedlixClient], Any]) -> Call:
    """Return the call for the first page."""
    return lambda client: anext(pages(client), None)


CALLS: Final[dict[str, Call]] = {
    "vehicles": lambda it: it.vehicles(USER),
    "chargers": lambda it: it.chargers(USER),
    "user_locations": lambda it: it.user_locations(USER),
    "locations": first_page(lambda it: it.location_pages()),
    "sessions": first_page(lambda it: it.session_pages()),
    "user_sessions": first_page(lambda it: it.session_pages(user_id=USER)),
    "session": lambda it: it.session(USER, "a-session"),
    "session_settings": lambda it: it.boost(USER, "a-session", enabled=True),
    "financials": lambda it: it.financials(USER, started_from=NOON, started_to=NOON),
    "charge_settings": lambda it: it.charge_settings(USER, "a-car"),
    "update_charge_settings": lambda it: it.update_charge_settings(USER, "a-car", {}),
    "request_refresh": lambda it: it.request_refresh(USER, "a-car"),
    "refresh_status": lambda it: it.refresh_status(USER, "a-car"),
    "connect_vehicle": lambda it: it.connect_vehicle(USER),
    "reconnect_vehicle": lambda it: it.connect_vehicle(USER, "a-car"),
    "connect_sessions": lambda it: it.unfinished_connect_sessions(USER),
    "connect_session": lambda it: it.connect_session(USER, "an-attempt"),
    "subscribe": lambda it: it.subscribe("any", "https://house.example", "key"),
    "subscriptions": lambda it: it.subscriptions(),
    "unsubscribe": lambda it: it.unsubscribe("a-sub"),
    "webhook_history": first_page(lambda it: it.webhook_history_pages(NOON, NOON)),
}


def test_every_call_of_the_table_is_tried_here() -> None:
    assert CALLS.keys() == ENDPOINTS.keys()


async def call_all(client: JedlixClient) -> None:
    """Make every call, whatever comes."""
    for call in CALLS.values():
        try:
            await call(client)
        except JedlixError:
            continue


def report_of(client: JedlixClient) -> Any:
    """Return the report of a client that learned nothing about what is offered."""
    return client.report.as_json(OfferedCalls({}, lambda: NOON))


async def test_the_report_has_every_call_with_its_answers_and_their_shape(
    cloud: Cloud, client: JedlixClient
) -> None:
    cloud.say(
        Reply(body=[{"id": USER, "details": {"brand": "Tesla"}}]),
        Reply(404, {"title": "Not found"}),
        Reply(404, b"<html>"),
        Reply(body=[]),
    )
    await client.vehicles(USER)
    for _ in range(2):
        with pytest.raises(JedlixError):
            await client.vehicles(USER)
    assert await client.chargers(USER) == ()
    calls = report_of(client)["calls"]
    assert calls.keys() == ENDPOINTS.keys()
    vehicles = calls["vehicles"]
    assert vehicles["method"] == "GET"
    assert vehicles["path"] == "/api/v1/users/{user_id}/vehicles"
    assert vehicles["evidence"] == "documented"
    assert vehicles["offered"] == "yes"
    assert vehicles["since"] == vehicles["answers"]["200"]["first"]
    assert calls["sessions"]["offered"] == "documented"
    assert calls["chargers"]["offered"] == "not known"
    counts = {status: answer["bodies"] for status, answer in vehicles["answers"].items()}
    assert counts == {"200": {"JSON": 1}, "404": {"problem JSON": 1, "HTML": 1}}
    assert vehicles["answers"]["404"]["count"] == 2
    assert vehicles["answers"]["404"]["first"] <= vehicles["answers"]["404"]["last"]
    assert vehicles["shape"] == {
        "": "list of 1 to 1 (1)",
        "[]": "object (1)",
        "[].details": "object (1)",
        "[].details.brand": "text (1)",
        "[].id": "uuid (1)",
    }
    assert calls["chargers"]["shape"] == {"": "list of 0 to 0 (1)"}
    assert calls["sessions"]["answers"] == {}
    assert "shape" not in calls["sessions"]


async def test_bodies_of_other_kinds_and_missing_answers_are_named(
    cloud: Cloud, client: JedlixClient
) -> None:
    cloud.say(Reply(body=b""), Reply(body=b"<html>"), Reply(body=b"hello"), Reply(500, b"{}"))
    cloud.say(Reply(500, b"{}"), Reply(500, b"{}"))
    for _ in range(4):
        with pytest.raises(JedlixError):
            await client.vehicles(USER)
    await cloud.stop()
    with pytest.raises(JedlixError):
        await client.vehicles(USER)
    answers = report_of(client)["calls"]["vehicles"]["answers"]
    assert {status: answer["bodies"] for status, answer in answers.items()} == {
        "200": {"empty": 1, "HTML": 1, "something else": 1},
        "500": {"JSON": 3},
        "no answer": {"no answer": 3},
    }


# -- poisoned answers --------------------------------------------------------------------------------------

# Nothing of this may leave the house. `{}` stands for the name of a field.
POISON: Final = (
    *("Jan Jansen", "jan.jansen@example.org", "Kerkstraat 12a", "3511 AB", "52.09083", "5.12222"),
    *("WVWZZZ1KZAW000001", "XJ-12-AB", "+31612345678", "NL91ABNA0417164300", "o'Neill"),
    *(USER, USER.replace("-", ""), "https://house.example/api/webhook/abc", "geheim wachtwoord"),
    *("{not json Jansen}", '{"Jan Jansen": "Kerkstraat"}', "2026-13-45T99:99:99Z", "Ünïcödé"),
)
ISO_TIME: Final = r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00"
FIELDS: Final = (
    *("id", "userId", "vehicleId", "chargeState", "capabilities", "connectionStatus", "tariffType"),
    *("eventType", "type", "title", "detail", "brand", "model", "startTime", "street", "payload"),
)


def poisoned(depth: int = 0) -> list[object]:
    """Return a list with every value under every field, and every value as a key."""
    deeper: list[object] = [] if depth else poisoned(depth + 1)
    return [
        *POISON,
        *(dict.fromkeys(FIELDS, value) for value in POISON),
        *({field: [value, {value: value}] for field in FIELDS} for value in POISON),
        dict.fromkeys(POISON, "Jan Jansen"),
        *({"id": "x", "userId": "x", "createdAt": "x", value: {value: value}} for value in POISON),
        {"items": deeper, "detail": deeper},
    ]


@pytest.mark.parametrize("status", [200, 400, 404, 409, 500])
@pytest.mark.parametrize("is_object", [False, True])
async def test_nothing_of_poisoned_answers_is_in_the_report(
    cloud: Cloud, client: JedlixClient, status: int, is_object: bool
) -> None:
    body: Any = poisoned()
    cloud.otherwise = Reply(status, {"items": body, "title": POISON[0]} if is_object else body)
    await call_all(client)
    for value in POISON:
        message = {"eventType": value, "id": value, "userId": value, value: value, "items": body}
        client.report.note_delivery(WebhookMessage.from_json(message))
    written = re.sub(ISO_TIME, "", json.dumps(report_of(client), ensure_ascii=False))
    assert written.count(f'"{status}"') == len(ENDPOINTS)
    for value in POISON:
        assert value not in written
    for part in ("Jansen", "Kerk", "12a", "house.example", "0612", "geheim", "a-session", "a-car"):
        assert part not in written


# -- bounds ------------------------------------------------------------------------------------------------


class Clock:
    """A clock that a test moves."""

    now = NOON

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now


def test_after_its_first_answers_a_call_is_looked_at_once_in_a_while() -> None:
    clock = Clock()
    seen = ApiReport(clock)
    for _ in range(20):
        seen.note_content("vehicles", [])
    calls = OfferedCalls({}, clock)
    described: Any = seen.as_json(calls)
    assert described["calls"]["vehicles"]["shape_of"] == report.FIRST_LOOKS
    clock.now += report.LOOK_INTERVAL - timedelta(seconds=1)
    seen.note_content("vehicles", [])
    clock.now += timedelta(seconds=1)
    seen.note_content("vehicles", {"items": []})
    seen.note_content("vehicles", {"data": []})
    described = seen.as_json(calls)
    assert described["calls"]["vehicles"]["shape_of"] == report.FIRST_LOOKS + 1
    assert described["calls"]["vehicles"]["shape"].keys() == {"", "items"}


def test_deliveries_are_listed_by_event_type_up_to_a_limit() -> None:
    seen = ApiReport(lambda: NOON)
    for number in range(100):
        name = "type" + "".join(chr(97 + int(digit)) for digit in str(number))
        for _ in range(2):
            message = {"eventType": name, "id": "1", "timestamp": "2026-11-24T12:00:00.000Z"}
            seen.note_delivery(WebhookMessage.from_json(message))
    described: Any = seen.as_json(OfferedCalls({}, lambda: NOON))
    deliveries = described["deliveries"]
    assert len(deliveries) == report.MAX_EVENT_TYPES + 1
    assert deliveries["typea"]["count"] == 2
    assert deliveries["typea"]["shape"]["timestamp"] == "date-time with Z, 3 decimals (2)"
    assert deliveries["*"]["count"] == 2 * (100 - report.MAX_EVENT_TYPES)
