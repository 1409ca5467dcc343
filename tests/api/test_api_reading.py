"""Readers and models: dates, numbers, ids, names and money, in every shape they may have."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from math import inf, nan
from typing import Final

import orjson
import pytest

from custom_components.jedlix.api import (
    BadAnswer,
    Charger,
    ChargeSettings,
    ChargeState,
    ChargeStatus,
    ChargingLocation,
    Refresh,
    Session,
    Subscription,
    Vehicle,
    WebhookMessage,
)
from custom_components.jedlix.api.models import DeliveryRecord, read_status
from custom_components.jedlix.api.reading import (
    Fields,
    Json,
    boolean,
    integer,
    moment,
    money,
    number,
    percent,
    text,
    wire_time,
)


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


# --- dates -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        # v1: no zone means UTC, and the fraction has any length.
        ("2024-01-31T11:43:02", at(2024, 1, 31, 11, 43, 2)),
        ("2024-01-31T11:43:02.1", at(2024, 1, 31, 11, 43, 2, 100000)),
        ("2024-01-31T11:43:02.16", at(2024, 1, 31, 11, 43, 2, 160000)),
        ("2024-01-31T11:43:02.164", at(2024, 1, 31, 11, 43, 2, 164000)),
        ("2024-01-31T11:43:02.1643", at(2024, 1, 31, 11, 43, 2, 164300)),
        ("2024-01-31T11:43:02.16431", at(2024, 1, 31, 11, 43, 2, 164310)),
        ("2024-01-31T11:43:02.164312", at(2024, 1, 31, 11, 43, 2, 164312)),
        ("2024-01-31T11:43:02.1643129", at(2024, 1, 31, 11, 43, 2, 164312)),
        # v2 and webhooks.
        ("2024-01-31T11:43:02.164Z", at(2024, 1, 31, 11, 43, 2, 164000)),
        ("2024-01-31T11:43:02Z", at(2024, 1, 31, 11, 43, 2)),
        ("2024-01-31T11:43:02.1643129Z", at(2024, 1, 31, 11, 43, 2, 164312)),
        # Offsets.
        ("2024-01-31T11:43:02+00:00", at(2024, 1, 31, 11, 43, 2)),
        ("2024-01-31T11:43:02+01:00", at(2024, 1, 31, 10, 43, 2)),
        ("2024-01-31T11:43:02-05:30", at(2024, 1, 31, 17, 13, 2)),
        ("2024-01-31T11:43:02.1643129+0100", at(2024, 1, 31, 10, 43, 2, 164312)),
        ("2024-01-01T00:30:00+01:00", at(2023, 12, 31, 23, 30)),
        # The end of a day, a leap day, dates without a time.
        ("2024-01-31T24:00", at(2024, 2, 1)),
        ("2024-01-31T24:00:00Z", at(2024, 2, 1)),
        ("2024-02-29T00:00:00Z", at(2024, 2, 29)),
        ("2024-01-31", at(2024, 1, 31)),
        ("2000-01-01T00:00:00Z", at(2000, 1, 1)),
        ("9998-12-31T23:59:59.9999999", at(9998, 12, 31, 23, 59, 59, 999999)),
        # Not a date: .NET's zero, a time of day, impossible ones.
        ("0001-01-01T00:00:00", None),
        ("0001-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+01:00", None),
        ("1970-01-01T00:00:00Z", None),
        ("1999-12-31T23:59:59Z", None),
        # No local time of it can be shown.
        ("9999-12-31T23:59:59.9999999", None),
        ("9999-12-31T23:59:59.9999999-01:00", None),
        ("9999-12-31T24:00:00", None),
        ("10000-01-01T00:00:00Z", None),
        ("24:00", None),
        ("07:00", None),
        ("2023-02-29T00:00:00Z", None),
        ("2024-01-31T24:01:00Z", None),
        ("2024-01-31T11:43:60Z", None),
        ("2023-10-01T00:00:000", None),
        ("2024-01-31T11:43:02+25:00", None),
        ("/Date(1706701382164)/", None),
        ("1706701382", None),
        ("now", None),
        ("", None),
        ("\x00", None),
        ("٢٠٢٤-01-31T11:43:02Z", None),
        (1706701382, None),
        (1706701382164.0, None),
        (True, None),
        (None, None),
        ([], None),
        ({}, None),
    ],
)
def test_a_date(written: object, meant: datetime | None) -> None:
    read = moment(written)
    assert read == meant
    assert read is None or read.tzinfo is UTC


@pytest.mark.parametrize(
    ("meant", "written"),
    [
        (at(2023, 10, 31, 9, 20, 46, 123000), "2023-10-31T09:20:46.123Z"),
        (at(2023, 10, 31, 9, 20, 46, 123999), "2023-10-31T09:20:46.123Z"),
        (at(2023, 10, 1), "2023-10-01T00:00:00.000Z"),
        (
            datetime(2023, 10, 1, 1, tzinfo=timezone(timedelta(hours=2))),
            "2023-09-30T23:00:00.000Z",
        ),
    ],
)
def test_a_date_is_written_as_documented(meant: datetime, written: str) -> None:
    assert wire_time(meant) == written


# --- numbers, words ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (7, 7.0),
        (-7.25, -7.25),
        (0, 0.0),
        ("7.25", 7.25),
        (" 7 ", 7.0),
        ("1e3", 1000.0),
        (999_999_999_999_999, 999_999_999_999_999.0),
        (10**15, None),
        (-(10**15), None),
        (10**400, None),
        (1e300, None),
        (nan, None),
        (inf, None),
        (-inf, None),
        ("NaN", None),
        ("Infinity", None),
        ("-inf", None),
        ("9" * 400, None),
        ("7,25", None),
        ("7 kWh", None),
        ("0x10", None),
        ("", None),
        (True, None),
        (False, None),
        (None, None),
        ([7], None),
        ({"value": 7}, None),
    ],
)
def test_a_number(written: object, meant: float | None) -> None:
    assert number(written) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [(7, 7), (7.4, 7), (7.6, 8), ("7.6", 8), (-0.2, 0), (nan, None), ("", None)],
)
def test_a_whole_number(written: object, meant: int | None) -> None:
    read = integer(written)
    assert read == meant
    assert read is None or type(read) is int


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (0, 0),
        (100, 100),
        (55.5, 56),
        ("55", 55),
        (-0.4, 0),
        (100.4, 100),
        (101, None),
        (-1, None),
        (255, None),
        (True, None),
        (None, None),
    ],
)
def test_a_percentage(written: object, meant: int | None) -> None:
    assert percent(written) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (True, True),
        (False, False),
        ("true", True),
        ("False", False),
        ("TRUE", True),
        ("yes", None),
        ("", None),
        (1, None),
        (0, None),
        (None, None),
        ([], None),
    ],
)
def test_true_or_false(written: object, meant: bool | None) -> None:
    assert boolean(written) is meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("16a30724-3e51-42b1-9ac1-b7fec24d5750", "16a30724-3e51-42b1-9ac1-b7fec24d5750"),
        ("2714bd6e70494 0c4", "2714bd6e70494 0c4"),
        (" a ", "a"),
        ("", None),
        (" \t", None),
        (42, "42"),
        (0, "0"),
        (-1, "-1"),
        (10**15, None),
        (10**4000, None),
        (4.2, None),
        (nan, None),
        (True, None),
        (None, None),
        (["a"], None),
        ({"id": "a"}, None),
    ],
)
def test_an_id(written: object, meant: str | None) -> None:
    assert text(written) == meant
    if meant is None:
        with pytest.raises(BadAnswer, match="no id in the object with the keys"):
            Fields({"id": written}).required_id("id")
    else:
        assert Fields({"id": written}).required_id("id") == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("charging", ChargeStatus.CHARGING),
        ("Charging", ChargeStatus.CHARGING),
        ("DISCONNECTED", ChargeStatus.DISCONNECTED),
        ("stopped", ChargeStatus.STOPPED),
        ("Complete", ChargeStatus.COMPLETE),
        ("unknown", ChargeStatus.UNKNOWN),
        ("hibernating", ChargeStatus.UNKNOWN),
        ("", ChargeStatus.UNKNOWN),
        (3, ChargeStatus.UNKNOWN),
        (None, ChargeStatus.UNKNOWN),
        (["charging"], ChargeStatus.UNKNOWN),
        ({}, ChargeStatus.UNKNOWN),
    ],
)
def test_a_charge_state(written: object, meant: ChargeStatus) -> None:
    assert read_status(written) is meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (1.25, (1.25, None)),
        ("1.25", (1.25, None)),
        ({"amount": 1.25, "currency": "EUR"}, (1.25, "EUR")),
        ({"Value": "1.25", "Currency": "EUR"}, (1.25, "EUR")),
        ({"price": 1.25}, (1.25, None)),
        ({"currency": "EUR"}, (None, "EUR")),
        ([{"amount": 1.25, "currency": "EUR"}, {"amount": 9}], (1.25, "EUR")),
        ([1.25], (1.25, None)),
        ([], (None, None)),
        ([[1.25]], (None, None)),
        ({}, (None, None)),
        ({"amount": {"value": 1}}, (None, None)),
        ("EUR 1.25", (None, None)),
        (nan, (None, None)),
        (True, (None, None)),
        (None, (None, None)),
    ],
)
def test_money(written: object, meant: tuple[float | None, str | None]) -> None:
    assert money(written) == meant


# --- fields ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    ["chargingLocationId", "ChargingLocationId", "charging_location_id", "CHARGING-LOCATION-ID"],
)
def test_a_field_has_one_name_in_many_spellings(key: str) -> None:
    assert Fields({"other": 1, key: "home"}).get("charginglocationid") == "home"


def test_of_two_spellings_the_first_counts() -> None:
    assert Fields({"vehicleId": 1, "vehicle_id": 2}).get("vehicleid") == 1
    assert Fields({"vehicle_id": 2, "vehicleId": 1}).get("vehicleid") == 2


def test_of_several_names_the_first_with_a_value_counts() -> None:
    fields = Fields({"startedAt": "later", "startTime": None, "start": False})
    assert fields.get("starttime", "startedat", "start") == "later"
    assert fields.get("starttime", "start", "startedat") is False
    assert fields.get("starttime") is None
    assert fields.get("endtime") is None


@pytest.mark.parametrize("data", [None, [], "x", 1, 1.5, True])
@pytest.mark.parametrize(
    "read",
    [
        lambda data: Vehicle.from_json(data, "anna"),
        lambda data: Charger.from_json(data, "anna"),
        Session.from_json,
        ChargeSettings.from_json,
        ChargingLocation.from_json,
        Subscription.from_json,
        WebhookMessage.from_json,
    ],
)
def test_a_model_is_read_from_an_object_only(
    data: object, read: Callable[[object], object]
) -> None:
    with pytest.raises(BadAnswer, match="expected an object, got "):
        read(data)


# --- models ----------------------------------------------------------------------------------------

_SEEN_AT = "2024-01-31T11:43:02.164312"


@pytest.mark.parametrize(
    "answer",
    [
        {
            "id": "v",
            "details": {"brand": "Tesla", "model": "3", "version": "LR"},
            "isConnected": True,
            "isConnectable": False,
            "capabilities": ["chargeState", "teleportation", 7, None],
            "connectionStatus": "waiting",
            "chargeState": {
                "batteryLevel": 55,
                "range": 200,
                "chargeState": "charging",
                "updatedAt": _SEEN_AT,
            },
        },
        {
            "VehicleId": "v",
            "VehicleDetails": {"Make": "Tesla", "Model": "3", "Version": "LR"},
            "IsConnected": "True",
            "IsConnectable": "False",
            "Capabilities": ["chargeState", "teleportation"],
            "ConnectionState": "waiting",
            "ChargeState": {
                "StateOfCharge": 55.2,
                "RangeKm": "200",
                "State": "Charging",
                "TimeStamp": f"{_SEEN_AT}Z",
            },
        },
        {
            "vehicle_id": "v",
            "detail": {"brand": "Tesla", "model": "3", "version": "LR"},
            "is_connected": True,
            "is_connectable": False,
            "capabilities": ["teleportation", "chargeState"],
            "connection_state": "waiting",
            "charge_state": {
                "battery_level": "55",
                "range_km": 199.7,
                "status": "CHARGING",
                "updated_at": f"{_SEEN_AT}+00:00",
            },
        },
    ],
)
def test_a_vehicle_in_all_styles(answer: dict[str, object]) -> None:
    assert Vehicle.from_json(answer, "anna") == Vehicle(
        id="v",
        user_id="anna",
        brand="Tesla",
        model="3",
        version="LR",
        is_connected=True,
        is_connectable=False,
        connection_status="waiting",
        capabilities=frozenset({"chargeState", "teleportation"}),
        charge_state=ChargeState(
            status=ChargeStatus.CHARGING,
            battery_level=55,
            range_km=200,
            updated_at=at(2024, 1, 31, 11, 43, 2, 164312),
        ),
    )


@pytest.mark.parametrize(
    "answer",
    [
        {"id": "v"},
        {"id": "v", "details": None, "chargeState": None, "capabilities": None},
        {"id": "v", "details": [], "capabilities": {"a": 1}, "isConnected": 1},
        {"id": "v", "chargeState": {}},
        {"id": "v", "chargeState": {"batteryLevel": None, "range": None, "updatedAt": None}},
        {"id": "v", "chargeState": {"batteryLevel": 255, "range": "far", "updatedAt": 0}},
        {"id": "v", "chargeState": 3},
        {"id": "v", "chargeState": ["charging"]},
    ],
)
def test_a_vehicle_with_little_data(answer: dict[str, object]) -> None:
    assert Vehicle.from_json(answer, "anna") == Vehicle(id="v", user_id="anna")


def test_a_vehicle_that_is_flat() -> None:
    car = Vehicle.from_json(
        {"id": "v", "brand": "Tesla", "model": "3", "chargeState": "Stopped"}, "anna"
    )
    assert car.charge_state == ChargeState(status=ChargeStatus.STOPPED)
    assert (car.brand, car.model) == ("Tesla", "3")


@pytest.mark.parametrize(
    ("details", "name"),
    [
        ({"brand": "Tesla", "model": "3"}, "Tesla 3"),
        ({"brand": "Tesla"}, "Tesla"),
        ({"model": "3"}, "3"),
        ({"brand": " ", "model": ""}, None),
        ({}, None),
    ],
)
def test_the_name_of_a_vehicle(details: dict[str, str], name: str | None) -> None:
    assert Vehicle.from_json({"id": "v", "details": details}, "anna").name == name


def test_missing_telemetry_is_unknown() -> None:
    assert ChargeState.from_json(None) == ChargeState()


_SESSION = Session(
    id="s",
    user_id="anna",
    vehicle_id="v",
    is_managed=True,
    charging_location_id="home",
    started_at=at(2024, 1, 31, 11, 43, 2, 164312),
    ended_at=at(2024, 1, 31, 12),
    energy_kwh=7.5,
    cost=1.25,
    savings=0.5,
    currency="EUR",
)


@pytest.mark.parametrize(
    "answer",
    [
        {
            "id": "s",
            "userId": "anna",
            "vehicleId": "v",
            "isManaged": True,
            "chargingLocationId": "home",
            "startTime": _SEEN_AT,
            "endTime": "2024-01-31T12:00:00Z",
            "energyKwh": 7.5,
            "cost": 1.25,
            "savings": 0.5,
            "currency": "EUR",
        },
        {
            "sessionId": "s",
            "vehicleId": "v",
            "isManaged": "true",
            "chargingLocationId": "home",
            "startedAt": _SEEN_AT,
            "endedAt": "2024-01-31T13:00:00+01:00",
            "energy": "7.5",
            "costs": {"amount": 1.25, "currency": "EUR"},
            "totalSavings": [{"value": 0.5}],
        },
        {
            "ChargeSessionId": "s",
            "UserId": "anna",
            "VehicleId": "v",
            "IsManaged": True,
            "ChargingLocationId": "home",
            "StartDateTime": _SEEN_AT,
            "EndDateTime": "2024-01-31T12:00:00",
            "EnergyDelivered": 7.5,
            "TotalCost": "1.25",
            "Saving": {"Amount": 0.5, "Currency": "EUR"},
        },
        {
            "charge_session_id": "s",
            "user_id": "anna",
            "vehicle_id": "v",
            "is_managed": True,
            "charging_location_id": "home",
            "start_date": _SEEN_AT,
            "end_date": "2024-01-31T12:00:00",
            "energy_added": 7.5,
            "charge_costs": 1.25,
            "total_savings": 0.5,
            "Currency": "EUR",
        },
        {
            "session-id": "s",
            "vehicle-id": "v",
            "is-managed": True,
            "charging-location-id": "home",
            "start": _SEEN_AT,
            "end": "2024-01-31T12",
            "energy-kwh": 7.5,
            "cost": 1.25,
            "savings": 0.5,
            "currency": "EUR",
        },
    ],
)
def test_a_session_in_all_styles(answer: dict[str, object]) -> None:
    assert Session.from_json(answer, "anna") == _SESSION


@pytest.mark.parametrize(
    "answer",
    [
        {"id": "s"},
        {"id": "s", "endTime": None, "chargingLocationId": None},
        {"id": "s", "endTime": "0001-01-01T00:00:00", "isManaged": "perhaps", "energyKwh": "NaN"},
        {"id": "s", "userId": "", "vehicleId": True, "cost": [], "savings": {}, "currency": 1.5},
    ],
)
def test_a_session_with_little_data(answer: dict[str, object]) -> None:
    assert Session.from_json(answer) == Session(id="s")
    assert Session.from_json(answer, "anna") == Session(id="s", user_id="anna")


def test_a_session_belongs_to_the_user_that_it_names() -> None:
    assert Session.from_json({"id": "s", "userId": "bert"}, "anna").user_id == "bert"


def test_charge_settings_keep_unknown_keys() -> None:
    answer: dict[str, Json] = {
        "isSmartChargingEnabled": False,
        "enableSmartChargingAt": "2023-10-01T00:00:00.000Z",
        "desiredBatteryLevel": 80,
        "MinimumBatteryLevel": "20",
        "departureTimes": {"monday": "07:00"},
        "tomorrow": [1, None],
    }
    settings = ChargeSettings.from_json(answer)
    assert settings == ChargeSettings(
        is_smart_charging_enabled=False,
        enable_smart_charging_at=at(2023, 10, 1),
        desired_battery_level=80,
        minimum_battery_level=20,
        raw=answer,
    )
    assert settings.raw == answer


@pytest.mark.parametrize("raw", [{"isSmartChargingEnabled": None}, {"DesiredBatteryLevel": None}])
def test_charge_settings_may_have_no_values(raw: dict[str, Json]) -> None:
    assert ChargeSettings.from_json(raw) == ChargeSettings(raw=raw)


@pytest.mark.parametrize("data", [{}, {"id": "a"}, {"timeZone": "Europe/Amsterdam"}, [], None])
def test_an_object_without_the_required_fields_is_no_charge_settings(data: object) -> None:
    with pytest.raises(BadAnswer):
        ChargeSettings.from_json(data)


@pytest.mark.parametrize(
    ("enabled", "resumes_at"), [(True, None), (False, at(2023, 10, 1)), (None, at(2023, 10, 1))]
)
def test_smart_charging_resumes_only_if_it_is_not_on(
    enabled: bool | None, resumes_at: datetime | None
) -> None:
    settings = ChargeSettings(
        is_smart_charging_enabled=enabled, enable_smart_charging_at=at(2023, 10, 1), raw={}
    )
    assert settings.resumes_at == resumes_at


def test_charge_settings_are_changed_in_their_own_spelling() -> None:
    answer: dict[str, Json] = {
        "IsSmartChargingEnabled": True,
        "desired_battery_level": 80,
        "minimumbatterylevel": 20,
        "departureTimes": {"monday": "07:00"},
    }
    settings = ChargeSettings.from_json(answer)
    changed = settings.changed(
        smart_charging=(False, at(2026, 11, 25, 6)),
        desired_battery_level=90,
        minimum_battery_level=0,
    )
    assert changed == {
        "IsSmartChargingEnabled": False,
        "enableSmartChargingAt": "2026-11-25T06:00:00.000Z",
        "desired_battery_level": 90,
        "minimumbatterylevel": 0,
        "departureTimes": {"monday": "07:00"},
    }
    assert settings.raw == answer
    assert settings.changed() == answer
    resumed = ChargeSettings.from_json(changed).changed(smart_charging=(True, None))
    assert resumed["IsSmartChargingEnabled"] is True
    assert resumed["enableSmartChargingAt"] is None


@pytest.mark.parametrize(
    ("answer", "completed_at"),
    [
        ({"correlationId": "c", "completedAt": "2026-11-24T12:00:00Z"}, at(2026, 11, 24, 12)),
        ({"CompletedAt": "2026-11-24T12:00:00.000Z"}, at(2026, 11, 24, 12)),
        ({"completedAt": None}, None),
        ({"completedAt": "0001-01-01T00:00:00"}, None),
        ({"correlationId": "c"}, None),
        (None, None),
    ],
)
def test_a_refresh_is_complete_when_it_has_a_time(
    answer: object, completed_at: datetime | None
) -> None:
    assert Refresh.from_json(answer) == Refresh(completed_at)


@pytest.mark.parametrize("answer", [{}, {"id": "a"}, [], "accepted"])
def test_another_answer_is_no_request_to_refresh(answer: object) -> None:
    with pytest.raises(BadAnswer):
        Refresh.from_json(answer)


@pytest.mark.parametrize(
    ("answer", "is_boosted"),
    [
        ({"id": "s", "isBoosted": True}, True),
        ({"id": "s", "isBoosting": "false"}, False),
        ({"id": "s", "boost": None}, None),
        ({"id": "s", "boostCharging": {"enabled": True}}, None),
        ({"id": "s"}, None),
    ],
)
def test_boost_is_read_under_likely_names(
    answer: dict[str, object], is_boosted: bool | None
) -> None:
    assert Session.from_json(answer).is_boosted is is_boosted


@pytest.mark.parametrize(
    ("address", "label"),
    [
        ({"street": "Main St", "houseNumber": "1A", "city": "Delft"}, "Main St 1A, Delft"),
        ({"Street": "Main St", "HouseNumber": 1, "City": "Delft"}, "Main St 1, Delft"),
        ({"street": "Main St", "house_number": None, "city": "Delft"}, "Main St, Delft"),
        ({"street": "Main St", "houseNumber": "1A"}, "Main St 1A"),
        ({"houseNumber": "1A", "city": "Delft"}, "1A, Delft"),
        ({"city": "Delft"}, "Delft"),
        ({}, None),
        (None, None),
        ("Main St 1A", None),
    ],
)
def test_the_label_of_a_location_is_its_address(address: object, label: str | None) -> None:
    location = ChargingLocation.from_json(
        {"ChargingLocationId": "home", "userId": "anna", "address": address}
    )
    assert (location.id, location.user_id, location.label) == ("home", "anna", label)


@pytest.mark.parametrize(
    ("coordinates", "position"),
    [
        ({"latitude": 52.09, "longitude": "5.12"}, (52.09, 5.12)),
        ({"Latitude": 0, "Longitude": None}, (0.0, None)),
        (None, (None, None)),
        ([52.09, 5.12], (None, None)),
    ],
)
def test_a_location_has_a_position_and_is_named_without_the_address(
    coordinates: object, position: tuple[float | None, float | None]
) -> None:
    address = {"street": "Kerkstraat", "houseNumber": "1A", "city": "Utrecht"}
    location = ChargingLocation.from_json(
        {"id": "home", "coordinates": coordinates, "address": address}
    )
    assert (location.latitude, location.longitude) == position
    assert location.name == "Utrecht"
    assert replace(location, zone="Work").name == "Work"
    assert ChargingLocation.from_json({"id": "home"}).name is None


@pytest.mark.parametrize(
    "answer",
    [
        {
            "id": "c",
            "chargingLocationId": "home",
            "detail": {"brand": "Alfen", "model": "Eve"},
            "chargerState": {
                "chargeState": "Charging",
                "chargePower": 11,
                "timeStamp": "2024-01-31T11:43:02",
            },
        },
        {
            "ChargerId": "c",
            "ChargingLocationId": "home",
            "HomeChargerDetail": {"Brand": "Alfen", "Model": "Eve"},
            "State": {
                "ChargeState": "charging",
                "ChargePower": "11.0",
                "Timestamp": "2024-01-31T11:43:02Z",
            },
        },
        {
            "charger_id": "c",
            "charging_location_id": "home",
            "details": {"brand": "Alfen", "model": "Eve"},
            "charger_state": {
                "charge_state": "CHARGING",
                "charge_power": 11.0,
                "time_stamp": "2024-01-31T12:43:02+01:00",
            },
        },
    ],
)
def test_a_charger_in_all_styles(answer: dict[str, object]) -> None:
    charger = Charger.from_json(answer, "anna")
    assert charger.name == "Alfen Eve"
    assert charger == Charger(
        id="c",
        user_id="anna",
        charging_location_id="home",
        brand="Alfen",
        model="Eve",
        status=ChargeStatus.CHARGING,
        power_kw=11.0,
        updated_at=at(2024, 1, 31, 11, 43, 2),
    )


@pytest.mark.parametrize(
    "more",
    [{}, {"detail": None, "chargerState": None}, {"detail": "x", "chargerState": "charging"}],
)
def test_a_charger_with_little_data(more: dict[str, object]) -> None:
    assert Charger.from_json({"id": "c", **more}, "anna") == Charger(id="c", user_id="anna")


@pytest.mark.parametrize(
    ("answer", "is_active"),
    [
        ({"isActive": True}, True),
        ({"isActive": False}, False),
        ({"IsActive": "false"}, False),
        ({"isActive": None}, True),
        ({}, True),
    ],
)
def test_a_subscription_is_active_unless_jedlix_says_otherwise(
    answer: dict[str, object],
    is_active: bool,
) -> None:
    subscription = Subscription.from_json(
        {"SubscriptionId": 7, "EventType": "userCreated", "url": "https://x.example"} | answer
    )
    assert subscription == Subscription(
        id="7", event_type="userCreated", endpoint_url="https://x.example", is_active=is_active
    )


@pytest.mark.parametrize("missing", ["eventType", "endpointUrl"])
def test_a_subscription_needs_an_event_type_and_an_address(missing: str) -> None:
    answer = {"id": "s", "eventType": "userCreated", "endpointUrl": "https://x.example"}
    del answer[missing]
    with pytest.raises(BadAnswer, match=f"no {missing.lower()}"):
        Subscription.from_json(answer)


def test_a_message_as_documented() -> None:
    message: dict[str, Json] = {
        "eventType": "userCreated",
        "id": "51640a48-7ec3-45ca-8594-b94f71ab4946",
        "timestamp": "2024-01-31T11:43:02.164Z",
        "isTest": True,
        "tenant": "t",
        "userId": "anna",
    }
    read = WebhookMessage.from_json(message)
    assert read == WebhookMessage(
        event_type="userCreated",
        id="51640a48-7ec3-45ca-8594-b94f71ab4946",
        user_id="anna",
        occurred_at=at(2024, 1, 31, 11, 43, 2, 164000),
        is_test=True,
        payload=message,
    )
    assert (read.vehicle_id, read.session_id) == (None, None)


SENT: Final = {"eventType": "userCreated", "id": "e-1", "userId": "anna"}
SENT_TEXT: Final = orjson.dumps(SENT).decode()
HAPPENED: Final = {"timestamp": "2024-01-31T11:43:02Z"}
RECORD: Final = {
    "id": "r-1",
    "tenant": "t",
    "eventType": "userCreated",
    "endpointUrl": "https://x.example",
    "responseStatus": 503,
    "response": "away",
    "sentAt": "2024-01-31T12:00:00Z",
}


@pytest.mark.parametrize(
    ("record", "record_id", "message_id", "occurred_at"),
    [
        (
            RECORD | {"payload": orjson.dumps(SENT | HAPPENED).decode()},
            *("r-1", "e-1", at(2024, 1, 31, 11, 43, 2)),
        ),
        (RECORD | {"payload": SENT_TEXT}, "r-1", "e-1", at(2024, 1, 31, 12)),
        ({"payload": SENT_TEXT}, "e-1", "e-1", None),
        (SENT | HAPPENED | {"deliveries": []}, "e-1", "e-1", at(2024, 1, 31, 11, 43, 2)),
    ],
    ids=["as reported", "without a time", "without an id", "as delivered"],
)
def test_a_record_of_the_history(
    record: dict[str, Json], record_id: str, message_id: str, occurred_at: datetime | None
) -> None:
    read = DeliveryRecord.from_json(record)
    assert (read.id, read.message.id) == (record_id, message_id)
    assert (read.message.user_id, read.message.occurred_at) == ("anna", occurred_at)


@pytest.mark.parametrize("payload", ["", "hello", "[]", "{}", '{"id": "e-1"}', "null"])
def test_a_record_without_a_message_is_not_read(payload: str) -> None:
    with pytest.raises(BadAnswer):
        DeliveryRecord.from_json(RECORD | {"payload": payload})


def test_a_message_in_another_style_with_more_names() -> None:
    read = WebhookMessage.from_json(
        {"EventType": "sessionOn", "EventId": 7, "vehicle_id": "v", "SessionId": "s"}
    )
    assert (read.event_type, read.id, read.user_id) == ("sessionOn", "7", None)
    assert (read.vehicle_id, read.session_id) == ("v", "s")
    assert (read.occurred_at, read.is_test) == (None, False)


@pytest.mark.parametrize("message", [{}, {"eventType": "x"}, {"id": "x"}, {"eventType": 1.5}])
def test_a_message_needs_an_event_type_and_an_id(message: dict[str, object]) -> None:
    with pytest.raises(BadAnswer):
        WebhookMessage.from_json(message)
