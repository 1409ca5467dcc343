"""Fuzz tests: whatever Jedlix answers, the client returns something readable or raises a JedlixError."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
import json
from math import isfinite
from typing import Any

from hypothesis import HealthCheck, example, given, settings, strategies as st
import pytest

from custom_components.jedlix.api import (
    BadAnswer,
    Charger,
    ChargeSettings,
    ChargeState,
    ChargingLocation,
    JedlixClient,
    JedlixError,
    Session,
    Subscription,
    Vehicle,
    WebhookMessage,
)
from custom_components.jedlix.api.http import Answer, parse_retry_after
from custom_components.jedlix.api.reading import Page, moment, read_page, wire_time
from tests.api.stand_in import Cloud, Reply, make_client

# --- answers -----------------------------------------------------------------------------------------

_NAMES = (
    *("id", "vehicleId", "SessionId", "user_id", "eventType", "endpointUrl", "isActive", "isTest"),
    *("items", "data", "value", "pageIndex", "totalPages", "details", "brand", "model", "address"),
    *("capabilities", "chargeState", "chargerState", "detail", "batteryLevel", "range", "cost"),
    *("savings", "currency", "amount", "startTime", "endTime", "timestamp", "updatedAt", "street"),
    *("chargePower", "isSmartChargingEnabled", "desiredBatteryLevel", "enableSmartChargingAt"),
    *("desired_battery_level", "Minimum-Battery-Level", "issmartchargingenabled"),
    *("access_token", "expires_in", "error", "title"),
)
_WORDS = st.sampled_from(
    (
        *(
            "charging",
            "Disconnected",
            "true",
            "NaN",
            "-Infinity",
            "1e999",
            "55",
            "9" * 400,
            "",
            " ",
        ),
        *("2024-01-31T24:00:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "24:00"),
        *("2024-01-31T11:43:02.1643129Z", "2024-W05", "\x00", "\ud800", "💡"),
    )
)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | _WORDS
    # A year in seconds, and numbers that no float can hold.
    | st.sampled_from([31_536_000, 10**30, 10**400, -1, 0, 255])
)
JSON: st.SearchStrategy[Any] = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(_NAMES) | st.text(max_size=8), inner, max_size=8)
    ),
    max_leaves=20,
)
# An object where one is expected, with some of the right names: the errors are in its fields.
_OBJECTS = st.dictionaries(st.sampled_from(_NAMES), JSON, max_size=12)
_ANSWERS = JSON | _OBJECTS | st.lists(_OBJECTS, max_size=3)

_READERS: dict[str, Callable[[object], Any]] = {
    "vehicle": lambda data: Vehicle.from_json(data, "anna"),
    "charge state": ChargeState.from_json,
    "charger": lambda data: Charger.from_json(data, "anna"),
    "session": Session.from_json,
    "session of a user": lambda data: Session.from_json(data, "anna"),
    "charge settings": ChargeSettings.from_json,
    "location": ChargingLocation.from_json,
    "subscription": Subscription.from_json,
    "message": WebhookMessage.from_json,
}

# To the millisecond, as in the API.
_MOMENTS = st.integers(1_500_000_000_000, 4_000_000_000_000).map(
    lambda ms: datetime.fromtimestamp(ms / 1000, UTC).replace(microsecond=ms % 1000 * 1000)
)


def check(value: object) -> None:
    """Check that each field of a model can be used without further checks."""
    if is_dataclass(value):
        for field in fields(value):
            if field.name not in ("raw", "payload"):
                check(getattr(value, field.name))
        for name in ("name", "label", "vehicle_id", "session_id"):
            check(getattr(value, name, None))
    elif isinstance(value, tuple | frozenset):
        for item in value:
            check(item)
    elif isinstance(value, datetime):
        assert value.tzinfo is UTC
        assert value.year >= 2000
        wire_time(value)
    elif isinstance(value, float):
        assert isfinite(value)
        assert abs(value) < 1e15
    else:
        assert value is None or isinstance(value, str | int)


# --- the readers -------------------------------------------------------------------------------------


@given(
    raw=_OBJECTS,
    smart=st.none() | st.tuples(st.booleans(), st.none() | _MOMENTS),
    desired=st.none() | st.integers(50, 100),
    minimum=st.none() | st.integers(0, 100),
)
def test_changed_settings_have_the_new_values_and_keep_everything_else(
    raw: dict[str, Any],
    smart: tuple[bool, datetime | None] | None,
    desired: int | None,
    minimum: int | None,
) -> None:
    raw = {"desiredBatteryLevel": 80, **raw}
    before = ChargeSettings.from_json(raw)
    changed = before.changed(
        smart_charging=smart, desired_battery_level=desired, minimum_battery_level=minimum
    )
    after = ChargeSettings.from_json(changed)
    enabled, resumes_at = smart or (
        before.is_smart_charging_enabled,
        before.enable_smart_charging_at,
    )
    assert after.is_smart_charging_enabled is enabled
    assert after.enable_smart_charging_at == resumes_at
    assert after.desired_battery_level == (
        before.desired_battery_level if desired is None else desired
    )
    assert after.minimum_battery_level == (
        before.minimum_battery_level if minimum is None else minimum
    )
    assert changed.keys() >= raw.keys()
    touched = {key for key in changed if key not in raw or changed[key] is not raw[key]}
    assert len(touched) <= 2 * (smart is not None) + (desired is not None) + (minimum is not None)


@pytest.mark.parametrize("read", _READERS.values(), ids=_READERS)
@settings(deadline=None)
@given(data=_ANSWERS)
def test_a_reader_returns_a_model_or_raises_bad_answer(
    read: Callable[[object], Any], data: object
) -> None:
    try:
        check(read(data))
    except BadAnswer as err:
        assert str(err)  # noqa: PT017


@pytest.mark.parametrize("read", _READERS.values(), ids=_READERS)
@settings(deadline=None)
@given(data=_ANSWERS)
def test_a_page_is_read_or_raises_bad_answer(read: Callable[[object], Any], data: object) -> None:
    try:
        page: Page[Any] = read_page(data, read)
    except BadAnswer as err:
        assert str(err)  # noqa: PT017
    else:
        check(page.items)
        assert isinstance(page.has_more, bool)


@given(st.text())
@example("2024-01-31T24:00:00")
@example("9999-12-31T23:59:59-14:00")
def test_any_text_is_a_date_or_none(written: str) -> None:
    check(moment(written))


@given(
    st.datetimes(
        min_value=datetime(2000, 1, 2),  # noqa: DTZ001
        max_value=datetime(9998, 12, 30),  # noqa: DTZ001
        timezones=st.timezones() | st.just(UTC),
    )
)
def test_a_date_comes_back_as_it_was_sent(sent: datetime) -> None:
    back = moment(wire_time(sent))
    assert back is not None
    utc = sent.astimezone(UTC)
    assert back == utc.replace(microsecond=utc.microsecond // 1000 * 1000)
    assert timedelta(0) <= utc - back < timedelta(milliseconds=1)


@given(st.text() | st.floats().map(str) | st.datetimes().map(lambda date: f"{date:%c} GMT"))
@example("Wed, 21 Oct 2015 07:28:00 +99999999999999999999")
@example("inf")
def test_any_retry_after_is_a_number_of_seconds_or_none(header: str) -> None:
    seconds = parse_retry_after(header)
    assert seconds is None or 0 <= seconds < 1e15


PROBLEMS = st.dictionaries(
    st.sampled_from(["detail", "title", "message", "error", "type"]), JSON, min_size=1
)


@given(
    st.binary() | (JSON | PROBLEMS).map(lambda data: json.dumps(data).encode()),
    st.lists(st.text(max_size=5), max_size=3),
)
def test_any_problem_is_one_short_line_or_none(body: bytes, secrets: list[str]) -> None:
    answer = Answer(400, body, None)
    problem = answer.problem(secrets)
    assert problem is None or (0 < len(problem) <= 300 and problem.isprintable())
    assert answer.is_problem in (True, False)
    assert answer.oauth_error is None or answer.oauth_error.isprintable()


# --- a live client -----------------------------------------------------------------------------------

_NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


async def _joined(pages: AsyncIterator[tuple[Any, ...]]) -> tuple[Any, ...]:
    return tuple([item async for page in pages for item in page])


_CALLS: dict[str, Callable[[JedlixClient], Awaitable[Any]]] = {
    "check_access": lambda client: client.check_access(),
    "vehicles": lambda client: client.vehicles("anna"),
    "chargers": lambda client: client.chargers("anna"),
    "user_locations": lambda client: client.user_locations("anna"),
    "location_pages": lambda client: _joined(client.location_pages()),
    "session_pages": lambda client: _joined(client.session_pages(started_from=_NOON)),
    "user_session_pages": lambda client: _joined(client.session_pages(user_id="anna")),
    "session": lambda client: client.session("anna", "session"),
    "financials": lambda client: client.financials("anna", started_from=_NOON, started_to=_NOON),
    "boost": lambda client: client.boost("anna", "session", enabled=True),
    "set_current_battery_level": lambda client: client.set_current_battery_level(
        "anna", "session", 55
    ),
    "charge_settings": lambda client: client.charge_settings("anna", "car"),
    "update_charge_settings": lambda client: client.update_charge_settings("anna", "car", {}),
    "request_refresh": lambda client: client.request_refresh("anna", "car"),
    "refresh_status": lambda client: client.refresh_status("anna", "car"),
    "connect_vehicle": lambda client: client.connect_vehicle("anna", "car"),
    "connect_session": lambda client: client.connect_session("anna", "attempt"),
    "unfinished_connect_sessions": lambda client: client.unfinished_connect_sessions("anna"),
    "subscribe": lambda client: client.subscribe("userCreated", "https://x.example", "secret"),
    "subscriptions": lambda client: client.subscriptions(),
    "unsubscribe": lambda client: client.unsubscribe("id"),
    "webhook_history_pages": lambda client: _joined(client.webhook_history_pages(_NOON, _NOON)),
}

_BODIES = st.binary(max_size=50) | _ANSWERS.map(lambda data: json.dumps(data).encode())
_HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "Retry-After": st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40),
        "Content-Type": st.sampled_from(["text/html", "application/json", "nonsense"]),
        "Location": st.sampled_from(["/", "https://elsewhere.example", "::"]),
        "Set-Cookie": st.sampled_from(["a=b", "=", ";;"]),
    },
)
_REPLIES = st.builds(
    Reply,
    status=st.sampled_from([200] * 8 + [201, 204, 299, 300, 302, 304, 400, 401, 403, 404])
    | st.integers(200, 599),
    body=_BODIES,
    headers=_HEADERS,
)


def test_every_method_of_the_client_is_called_here() -> None:
    public = {name for name in vars(JedlixClient) if not name.startswith("_")}
    assert public == _CALLS.keys() - {"user_session_pages"}


@pytest.mark.parametrize("call", _CALLS.values(), ids=_CALLS)
@settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(replies=st.lists(_REPLIES, min_size=1, max_size=3))
async def test_any_call_with_any_answers(
    client: JedlixClient,
    cloud: Cloud,
    replies: list[Reply],
    call: Callable[[JedlixClient], Awaitable[Any]],
) -> None:
    cloud.forget()
    cloud.say(*replies)
    try:
        check(await call(client))
    except JedlixError as err:
        assert str(err)  # noqa: PT017


@settings(
    deadline=None,
    max_examples=200,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(reply=_REPLIES)
async def test_a_token_request_with_any_answer(cloud: Cloud, http: Any, reply: Reply) -> None:
    cloud.forget()
    cloud.say_at_login(reply, reply)
    try:
        await make_client(http, cloud.url, back_off=()).vehicles("anna")
    except JedlixError as err:
        assert str(err)  # noqa: PT017
