"""Diagnostics: whether the downloads have the account, each car, charger and location as they are."""

from collections.abc import Iterator, Mapping
import json
import re
from typing import Any

from .final_states import Account
from .tariffs import prices_of, shown_type
from .truth import Truth, moment

_MEMBERS = ("vehicles", "chargers", "priced_locations")


def wrong_diagnostics(
    content: Mapping[str, Any], truth: Truth, followed: frozenset[str], account: Account
) -> Iterator[str]:
    """Yield what is wrong in the diagnostics of the account: all that is followed is there as it is."""
    data = content["data"]
    for kind in _MEMBERS:
        expected = dict(_expected(kind, truth, followed))
        if len(shown := data[kind]) != len(expected):
            yield f"the diagnostics have {len(shown)} {kind}, not {len(expected)}"
        for item in shown:
            known = [own_id for own_id in expected if own_id.startswith(item["id"])]
            wrong = [*_different(item, expected[known[0]])] if known else ["there is no such one"]
            yield from (f"the diagnostics of {item['id']}: {line}" for line in wrong)
            if item["id"] in expected or item.get("user_id") in followed:
                yield f"the diagnostics of {item['id']} have a whole id"
    for item in data["vehicles"]:
        if re.search(r"\d", json.dumps(item["departure_times"])):
            yield f"the diagnostics of {item['id']} say when somebody leaves"
    poll = {
        "last_one_succeeded": True,
        "users_followed": len(followed),
        "users_not_yet_seen": 0,
    }
    push = {"state": "limited" if truth.is_strict else "healthy", "missed_by_push": 0}
    for part, values in (("poll", poll), ("push", push)):
        yield from (f"the diagnostics of {part}: {line}" for line in _different(data[part], values))
    for name, (least, most) in (("received", account.received), ("rejected", account.rejected)):
        if not least <= (given := data["push"][name]) <= most:
            yield f"the diagnostics say that {given} are {name}, not {least} to {most}"


def _expected(
    kind: str, truth: Truth, followed: frozenset[str]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield what the diagnostics say of each member of a kind, by its id."""
    for user in truth.users:
        if user["id"] not in followed:
            continue
        match kind:
            case "vehicles":
                yield from ((car["id"], _of_car(car, truth)) for car in user[kind])
            case "chargers":
                names = ("brand", "model", "charge_state", "power_kw")
                yield from ((it["id"], {name: it[name] for name in names}) for it in user[kind])
            case _:
                yield from (
                    (place["id"], _of_location(place, truth))
                    for place in user["locations"]
                    if place["tariff_details"] is not None
                )


def _of_car(car: Mapping[str, Any], truth: Truth) -> Mapping[str, Any]:
    names = ("brand", "model", "version", "is_connected", "charge_state", "updated_at")
    expected = {name: car[name] for name in names}
    expected |= {"last_known_status": car["charge_state"], "reports_battery": car["reads_battery"]}
    if truth.is_strict:
        return expected
    settings = car["settings"]
    return expected | {
        "is_boosted": car["boost"],
        "settings": {
            "is_smart_charging_enabled": settings["isSmartChargingEnabled"],
            "resumes_at": settings.get("enableSmartChargingAt"),
            "desired_battery_level": settings["desiredBatteryLevel"],
            "minimum_battery_level": settings["minimumBatteryLevel"],
        },
        "flags": {
            "solar_charging": settings["useSolarProduction"],
            "bidirectional_charging": settings["isBidirectionalChargingEnabled"],
        },
    }


def _of_location(place: Mapping[str, Any], truth: Truth) -> Mapping[str, Any]:
    kinds = [shown_type(kind) for kind in prices_of(place["tariff_details"])]
    is_in_zone = place["id"] == truth.place_in_zone
    return {"in_a_zone": is_in_zone, "has_currency": True, "unclear": None, "tariff_types": kinds}


def _different(given: Mapping[str, Any], expected: Mapping[str, Any]) -> Iterator[str]:
    """Yield the values of the diagnostics that are other than expected."""
    for name, value in expected.items():
        shown = given.get(name)
        if isinstance(value, dict) and isinstance(shown, dict):
            yield from _different(shown, value)
        elif shown != value and not abs(moment(shown) - moment(value)) < 1.0:
            yield f"{name} is {shown!r}, not {value!r}"


def wrong_device_diagnostics(content: Mapping[str, Any], identifier: str) -> Iterator[str]:
    """Yield what is wrong in the diagnostics of a device: they are its own. The account has no id."""
    user_id, _, own_id = identifier.rpartition("_")
    given = content["data"].get("id")
    if own_id.startswith(given or " ") if user_id else given is None:
        return
    yield f"the diagnostics of {identifier} are those of {given}"
