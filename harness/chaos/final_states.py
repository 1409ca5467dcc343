"""Final states: every entity of every platform against the truth, once nothing changes any more.

An entity whose key is not named here is reported: nobody could say whether it is right.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
import math
import re
from typing import Any
from zoneinfo import ZoneInfo

from ..config_folder import TIME_ZONE
from ..entities import Entity, our_devices, our_entities
from ..home import Home
from .truth import Session, Truth, moment

FIGURE_KEYS = {
    "session_energy": ("energy_kwh", "kWh"),
    "session_cost": ("cost", "EUR"),
    "session_savings": ("savings", "EUR"),
}
TOTAL_KEYS = {
    "energy": ("energy_kwh", "kWh"),
    "cost": ("cost", "EUR"),
    "savings": ("savings", "EUR"),
}
_ACCOUNT = frozenset(
    {
        *("push", "push_state", "callback", "last_webhook", "webhooks_received"),
        *("webhooks_rejected", "delivery_delay", "missed_by_push", "not_offered", "resubscribe"),
        "webhook",
    }
)


@dataclass(frozen=True, slots=True)
class Shown:
    """What an entity must show: its state, and attributes."""

    state: Any
    attributes: Mapping[str, Any] = field(default_factory=dict)


type Key = tuple[str, str]
"""The platform and the key of an entity."""


@dataclass(frozen=True, slots=True)
class Account:
    """What the account's sensors must show.

    The counts are those since the last set-up: between the two of since it was done, and since its start.
    `last_delays` are those of the deliveries that were sent last: which of them arrives last, nobody knows.
    """

    received: tuple[int, int]
    rejected: tuple[int, int]
    last_sent: float
    last_delays: Sequence[float]


async def wrong_states(
    home: Home, truth: Truth, unsure_settings: set[str], account: Account, followed: frozenset[str]
) -> list[str]:
    """Return a line for each entity that does not show the truth.

    Settings are left out for cars in `unsure_settings`: they are read rarely.
    """
    async with await home.api.websocket() as socket:
        devices, entities = await our_devices(socket), await our_entities(socket)
    states = await home.api.states()
    device_of = {name: device.device_id for device in devices for name in device.identifiers}
    wrong: list[str] = []
    known: set[str] = set()
    for user in truth.users:
        if user["id"] not in followed:
            continue
        for car in user["vehicles"]:
            device_id = device_of.get(f"{user['id']}_{car['id']}")
            of_car = [entity for entity in entities if device_id == entity.device_id]
            known |= {entity.entity_id for entity in of_car}
            cities = {place["id"]: place["city"] for place in user["locations"]}
            expected = expected_of_car(car, truth, cities)
            if truth.is_strict or car["id"] in unsure_settings:
                expected = {key: want for key, want in expected.items() if not _is_setting(key)}
            wrong += [f"{car['id']} {line}" for line in _differing(of_car, expected, states, truth)]
        for charger in user["chargers"]:
            device_id = device_of.get(f"{user['id']}_{charger['id']}")
            of_charger = [entity for entity in entities if device_id == entity.device_id]
            known |= {entity.entity_id for entity in of_charger}
            expected = {
                ("sensor", "charge_state"): Shown(charger["charge_state"]),
                ("sensor", "power"): Shown(charger["power_kw"], {"unit_of_measurement": "kW"}),
            }
            wrong += [
                f"{charger['id']} {line}"
                for line in _differing(of_charger, expected, states, truth)
                if "state_updated" not in line
            ]
        for place in user["locations"]:
            device_id = device_of.get(f"{user['id']}_{place['id']}")
            of_location = [entity for entity in entities if device_id == entity.device_id]
            known |= {entity.entity_id for entity in of_location}
            if (tariff := place["tariff_details"]) is None:
                wrong += [
                    f"{place['id']} has no tariffs, but {entity.key}" for entity in of_location
                ]
                continue
            expected = expected_of_location(tariff, datetime.now(TIME_ZONE))
            wrong += [
                f"{place['id']} {line}" for line in _differing(of_location, expected, states, truth)
            ]
    others = [entity for entity in entities if entity.entity_id not in known]
    wrong += _wrong_of_account(others, states, account, is_strict=truth.is_strict)
    return wrong


def expected_of_car(
    car: Mapping[str, Any], truth: Truth, cities: Mapping[str, str]
) -> dict[Key, Shown]:
    """Return what the entities of a car must show; `cities` are those of the locations, by their id."""
    session, settings = car["session"], car["settings"]
    is_smart = session is not None and session["is_managed"]
    kind = "none" if session is None else "smart" if is_smart else "unmanaged"
    is_running = session is not None
    at_known = is_running and session["charging_location_id"] is not None
    resumes_at = settings.get("enableSmartChargingAt")
    ready_by = time.fromisoformat(settings["departureTimes"]["assumedByTheSimulator"]["time"])
    expected = {
        ("sensor", "charge_state"): Shown(car["charge_state"]),
        ("sensor", "session"): Shown(kind, _place(session, truth, cities)),
        ("sensor", "session_started"): Shown(session["started_at"] if is_running else "unknown"),
        ("sensor", "smart_charging_resumes_at"): Shown(resumes_at or "unknown"),
        ("sensor", "telemetry_updated"): Shown(car["updated_at"]),
        ("binary_sensor", "plugged_in"): Shown(_on(car["plugged_in"])),
        ("binary_sensor", "charging"): Shown(_on(car["charge_state"] == "charging")),
        ("binary_sensor", "smart_session"): Shown(_on(is_smart)),
        ("binary_sensor", "at_known_location"): Shown(_on(at_known) if is_running else "unknown"),
        ("binary_sensor", "vehicle_link"): Shown(_on(car["is_connected"])),
        ("switch", "smart_charging"): Shown(_on(settings["isSmartChargingEnabled"])),
        ("switch", "boost"): Shown(_on(car["boost"]) if is_smart else "unavailable"),
        ("number", "desired_battery_level"): Shown(settings["desiredBatteryLevel"]),
        ("number", "minimum_battery_level"): Shown(
            settings["minimumBatteryLevel"], {"max": settings["desiredBatteryLevel"]}
        ),
        ("switch", "solar_charging"): Shown(_on(settings["useSolarProduction"])),
        ("switch", "bidirectional_charging"): Shown(
            _on(settings["isBidirectionalChargingEnabled"])
        ),
        ("time", "ready_by"): Shown(ready_by.isoformat()),
        ("sensor", "ready_by"): Shown(_next(ready_by, ZoneInfo(settings["timeZone"])).isoformat()),
        ("calendar", "sessions"): Shown(_on(is_running)),
    }
    if car["reads_battery"]:
        expected["sensor", "battery_level"] = Shown(
            car["battery_level"], {"unit_of_measurement": "%"}
        )
        expected["sensor", "range"] = Shown(car["range"], {"unit_of_measurement": "km"})
    sessions = truth.sessions_of.get(car["id"], ())
    if ended := [session for session in sessions if session.end < math.inf]:
        last = max(ended, key=lambda item: item.end)
        expected["sensor", "last_session"] = Shown(
            last.facts["ended_at"], _facts(last, truth) | _place(last.facts, truth, cities)
        )
    if sessions and not truth.is_strict:
        expected |= dict(_figures(max(sessions, key=lambda item: item.start)))
        expected |= dict(_totals(sessions))
    return expected


def _place(
    session: Mapping[str, Any] | None, truth: Truth, cities: Mapping[str, str]
) -> dict[str, Any]:
    """Return how the place of a session is named, where Jedlix offers the charging locations."""
    if truth.is_strict:
        return {}
    place = None if session is None else session["charging_location_id"]
    return {"location_name": None if place is None else cities[place]}


def _facts(session: Session, truth: Truth) -> dict[str, Any]:
    """Return what is known of a session that has ended; its duration in minutes."""
    facts = session.facts
    known = {
        "start": facts["started_at"],
        "duration": round((session.end - session.start) / 60),
        "kind": "smart" if facts["is_managed"] else "unmanaged",
        "location": facts["charging_location_id"],
    }
    if not truth.is_strict:
        known |= {name: facts[name] for name in ("cost", "savings", "currency")}
        known["energy"] = facts["energy_kwh"]
    return known


def _next(at: time, zone: ZoneInfo) -> datetime:
    """Return when a clock of this zone shows the time next."""
    now = datetime.now(zone)
    today = datetime.combine(now, at, zone)
    return today if today > now else datetime.combine(now + timedelta(days=1), at, zone)


def expected_of_location(tariff: Mapping[str, Any], now: datetime) -> dict[Key, Shown]:
    """Return what the entities of a charging location must show at a local time: minute by minute."""
    prices = {item["type"]: item["price"] for item in tariff["tariffs"]}
    alone = next((kind for kind in ("standard", "dynamic") if kind in prices), None)

    def kind_at(moment: datetime) -> str:
        day, clock = f"{moment:%A}".lower(), f"{moment:%H:%M}"
        return alone or next(
            item["tariffType"]
            for item in tariff["tariffIntervals"]
            if day in item["daysOfWeek"] and item["startTime"] <= clock < item["endTime"]
        )

    kind = kind_at(now)
    minutes = (
        now.replace(second=0, microsecond=0).astimezone(UTC) + timedelta(minutes=number)
        for number in range(1, 0 if alone else 8 * 24 * 60)
    )
    change = next(
        (
            minute
            for minute in minutes
            if prices[kind_at(minute.astimezone(now.tzinfo))] != prices[kind]
        ),
        None,
    )
    price = (
        Shown(None)
        if alone == "dynamic"
        else Shown(prices[kind], {"unit_of_measurement": "EUR/kWh"})
    )
    return {
        ("sensor", "price"): price,
        ("sensor", "tariff_type"): Shown(re.sub("([A-Z])", r"_\1", kind).lower()),
        ("sensor", "next_price_change"): Shown(None if change is None else change.isoformat()),
    }


def _totals(sessions: Sequence[Session]) -> Iterator[tuple[Key, Shown]]:
    """Yield the totals. The simulator has no session that Jedlix no longer lists.

    Of a session over the end of a month it is not known here how much belongs to which month.
    """
    begin = datetime.now(TIME_ZONE).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    crosses = any(session.start < begin.timestamp() < session.end for session in sessions)
    for name, (figure, unit) in TOTAL_KEYS.items():
        attributes = {"unit_of_measurement": unit}
        total = sum(session.facts[figure] for session in sessions)
        yield ("sensor", f"{name}_total"), Shown(total, attributes)
        recent = sum(item.facts[figure] for item in sessions if item.start >= begin.timestamp())
        if not crosses:
            since = {"last_reset": begin.isoformat()}
            yield ("sensor", f"{name}_this_month"), Shown(recent, attributes | since)


def _figures(session: Session) -> Iterator[tuple[Key, Shown]]:
    for key, (name, unit) in FIGURE_KEYS.items():
        attributes = {"unit_of_measurement": unit, "last_reset": session.facts["started_at"]}
        yield ("sensor", key), Shown(session.facts[name], attributes)


def _is_setting(key: Key) -> bool:
    return key in {
        ("sensor", "smart_charging_resumes_at"),
        ("switch", "smart_charging"),
        ("number", "desired_battery_level"),
        ("number", "minimum_battery_level"),
        ("switch", "solar_charging"),
        ("switch", "bidirectional_charging"),
        ("time", "ready_by"),
        ("sensor", "ready_by"),
    }


_UNKNOWN_TO_US = {
    *(("sensor", f"{name}_{span}") for name in TOTAL_KEYS for span in ("this_month", "this_year")),
    ("button", "refresh"),
    ("event", "charging"),
    ("event", "session"),
    ("number", "current_battery_level"),
}
"""Entities that show what a person did, or events, which are checked one by one."""


def _differing(
    entities: Sequence[Entity],
    expected: Mapping[Key, Shown],
    states: Mapping[str, Any],
    truth: Truth,
) -> Iterator[str]:
    by_key = {(entity.domain, entity.key): entity for entity in entities}
    for key, want in expected.items():
        entity = by_key.get(key)
        if entity is not None and not entity.enabled:
            continue
        state = {} if entity is None else states.get(entity.entity_id, {})
        name = " ".join(key)
        if entity is None and key == ("switch", "boost"):
            continue  # a car that cannot be smart
        if not _is_shown(state.get("state"), want.state):
            yield f"{name}: {state.get('state')}, not {want.state}"
        for attribute, value in want.attributes.items():
            given = state.get("attributes", {}).get(attribute)
            if not _is_shown(given, value):
                yield f"{name} {attribute}: {given}, not {value}"
    yield from _unexpected(by_key, expected, states, truth)


def _unexpected(
    by_key: Mapping[Key, Entity],
    expected: Mapping[Key, Shown],
    states: Mapping[str, Any],
    truth: Truth,
) -> Iterator[str]:
    """Yield the entities of which nobody knows what they should show, and event entities that are gone."""
    for key in by_key.keys() - expected.keys() - _UNKNOWN_TO_US:
        if not (truth.is_strict or _is_setting(key) or key == ("sensor", "state_updated")):
            yield f"{' '.join(key)}: nobody knows what it should show (harness/chaos/final_states.py)"
    for key in (("event", "charging"), ("event", "session")):
        if ("sensor", "session") in by_key and states_of(by_key, states, key) in {
            None,
            "unavailable",
        }:
            yield f"{' '.join(key)}: {states_of(by_key, states, key)}"


def states_of(by_key: Mapping[Key, Entity], states: Mapping[str, Any], key: Key) -> str | None:
    """Return the state of an entity by its key, None where there is none."""
    entity = by_key.get(key)
    return None if entity is None else states.get(entity.entity_id, {}).get("state")


def _wrong_of_account(
    entities: Sequence[Entity], states: Mapping[str, Any], account: Account, *, is_strict: bool
) -> Iterator[str]:
    expected: dict[str, Any] = {"push": "on", "callback": "custom", "missed_by_push": 0}
    if is_strict:
        expected["push_state"] = "limited"
    else:
        expected |= {"push_state": "healthy", "not_offered": 0}
    shown = {entity.key: states.get(entity.entity_id, {}).get("state") for entity in entities}
    for key, value in expected.items():
        if not _is_shown(shown.get(key), value):
            yield f"account {key}: {shown.get(key)}, not {value}"
    for key, (least, most) in (
        ("webhooks_received", account.received),
        ("webhooks_rejected", account.rejected),
    ):
        if not least <= _number(shown.get(key)) <= most:
            yield f"account {key}: {shown.get(key)}, not {least} to {most}"
    if not abs(moment(shown.get("last_webhook")) - account.last_sent) < 2.0:
        yield f"account last_webhook: {shown.get('last_webhook')}"
    delay = _number(shown.get("delivery_delay"))
    if not any(abs(delay - last) < 1.0 for last in account.last_delays):
        yield f"account delivery_delay: {shown.get('delivery_delay')}"
    for key in shown.keys() - _ACCOUNT:
        yield f"account {key}: nobody knows what it should show (harness/chaos/final_states.py)"


def _is_shown(given: Any, value: Any) -> bool:
    if value is None or given is None:
        return given is value or (value is None and given in {"unknown", "unavailable"})
    if isinstance(value, int | float):
        return abs(_number(given) - value) < 0.006
    return bool(given == value) or abs(moment(given) - moment(value)) < 1.0


def _number(text: Any) -> float:
    try:
        return float(text)
    except TypeError, ValueError:
        return math.nan


def _on(value: object) -> str:
    return "on" if value else "off"
