"""The chaos run's judgement of the diagnostics: what is right, and each way of being wrong."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import pytest

from harness.chaos.diagnostics import wrong_device_diagnostics, wrong_diagnostics
from harness.chaos.final_states import Account
from harness.chaos.truth import Truth
from simulator.tariffs import TARIFFS
from tests.chaos_world import EMPTY

USER, CAR, CHARGER, PLACE = "user", "car-1", "charger-1", "place-1"
UPDATED: Final = "2026-07-01T12:00:00.000Z"
SETTINGS: Final = {
    "isSmartChargingEnabled": False,
    "enableSmartChargingAt": UPDATED,
    "desiredBatteryLevel": 80,
    "minimumBatteryLevel": 20,
    "useSolarProduction": True,
    "isBidirectionalChargingEnabled": False,
}
WORLD: Final = replace(
    EMPTY,
    users=[
        {
            "id": USER,
            "vehicles": [
                {
                    "id": CAR,
                    "brand": "Kia",
                    "model": "EV6",
                    "version": "RWD",
                    "is_connected": True,
                    "charge_state": "charging",
                    "updated_at": UPDATED,
                    "reads_battery": True,
                    "boost": False,
                    "settings": SETTINGS,
                }
            ],
            "chargers": [
                {
                    "id": CHARGER,
                    "brand": "Alfen",
                    "model": "Eve",
                    "charge_state": "charging",
                    "power_kw": 7.4,
                }
            ],
            "locations": [
                {"id": PLACE, "tariff_details": TARIFFS["high_low"]},
                {"id": "free", "tariff_details": None},
            ],
        }
    ],
    place_in_zone=PLACE,
)
ACCOUNT: Final = Account(received=(3, 5), rejected=(1, 1), last_sent=0.0, last_delays=())
RIGHT: Final[Mapping[str, Any]] = {
    "push": {"state": "healthy", "missed_by_push": 0, "received": 4, "rejected": 1},
    "poll": {"last_one_succeeded": True, "users_followed": 1, "users_not_yet_seen": 0},
    "vehicles": {
        "id": "car",
        "user_id": "us",
        "brand": "Kia",
        "model": "EV6",
        "version": "RWD",
        "is_connected": True,
        "charge_state": "charging",
        "last_known_status": "charging",
        "updated_at": "2026-07-01T12:00:00+00:00",
        "reports_battery": True,
        "is_boosted": False,
        "settings": {
            "is_smart_charging_enabled": False,
            "resumes_at": "2026-07-01T12:00:00+00:00",
            "desired_battery_level": 80,
            "minimum_battery_level": 20,
        },
        "flags": {"solar_charging": True, "bidirectional_charging": False},
        "departure_times": {"days": ["monday_to_sunday"], "active": [True]},
    },
    "chargers": {
        "id": "charger",
        "user_id": "us",
        "brand": "Alfen",
        "model": "Eve",
        "charge_state": "charging",
        "power_kw": 7.4,
    },
    "priced_locations": {
        "id": "place",
        "in_a_zone": True,
        "tariff_types": ["peak", "off_peak"],
        "has_currency": True,
        "unclear": None,
    },
}
"""The parts of the diagnostics; each list has one member."""
OTHERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "push": {"state": "done", "missed_by_push": 1, "received": 6, "rejected": 0},
    "poll": {"last_one_succeeded": False, "users_followed": 2, "users_not_yet_seen": 1},
    "vehicles": {
        "id": CAR,
        "user_id": USER,
        "brand": "Kia EV6",
        "model": None,
        "version": None,
        "is_connected": False,
        "charge_state": "stopped",
        "last_known_status": "stopped",
        "updated_at": "2026-07-01T13:00:00+00:00",
        "reports_battery": False,
        "is_boosted": True,
        "settings": None,
        "flags": {"solar_charging": True, "bidirectional_charging": True},
        "departure_times": {"times": ["07:30:00"]},
    },
    "chargers": {
        "id": "x",
        "user_id": USER,
        "brand": "Jedlix",
        "model": "Alfen Eve",
        "charge_state": "stopped",
        "power_kw": 7400,
    },
    "priced_locations": {
        "id": PLACE,
        "in_a_zone": False,
        "tariff_types": [],
        "has_currency": False,
        "unclear": "a type has no price",
    },
}
"""Another value of each."""


def found(parts: Mapping[str, Any], world: Truth = WORLD) -> list[str]:
    lists = ("vehicles", "chargers", "priced_locations")
    data = {name: [part] if name in lists else part for name, part in parts.items()}
    return list(wrong_diagnostics({"data": data}, world, frozenset({USER}), ACCOUNT))


@pytest.mark.parametrize(
    ("part", "name"), [(part, name) for part, values in OTHERS.items() for name in values]
)
def test_each_wrong_value_of_the_diagnostics_is_seen(part: str, name: str) -> None:
    assert not found(RIGHT)
    assert RIGHT[part].keys() - {"user_id"} == OTHERS[part].keys() - {"user_id"}
    assert found({**RIGHT, part: {**RIGHT[part], name: OTHERS[part][name]}})


def test_each_member_that_is_missing_is_seen() -> None:
    for kind in ("vehicles", "chargers", "priced_locations"):
        content = {"data": {**{name: [part] for name, part in RIGHT.items()}, kind: []}}
        content["data"] |= {name: RIGHT[name] for name in ("push", "poll")}
        assert list(wrong_diagnostics(content, WORLD, frozenset({USER}), ACCOUNT))


def test_of_an_account_with_documented_calls_only_no_settings_are_known() -> None:
    push, car = RIGHT["push"] | {"state": "limited"}, RIGHT["vehicles"] | {"settings": None}
    parts = {**RIGHT, "push": push, "vehicles": car}
    assert not found(parts, replace(WORLD, mode="strict"))


@pytest.mark.parametrize(
    ("identifier", "data", "is_right"),
    [
        ("user_car-1", {"id": "car"}, True),
        ("user_car-1", {"id": "cat"}, False),
        ("user_car-1", {"id": "user"}, False),
        ("user_car-1", {"vehicles": []}, False),
        ("entry", {"vehicles": []}, True),
        ("entry", {"id": "car"}, False),
    ],
)
def test_the_diagnostics_of_a_device_are_its_own(
    identifier: str, data: dict[str, Any], *, is_right: bool
) -> None:
    assert bool(list(wrong_device_diagnostics({"data": data}, identifier))) is not is_right
