"""Expected states: what the entities of a car and of a charging location must show, by the truth."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
import math
from typing import Any
from zoneinfo import ZoneInfo

from .tariffs import minutes_after, only_type, prices_of, shown_type, type_at
from .truth import Session, Truth, moment, ready_by_of
from .zone import TIME_ZONE

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
_MEASURED = {"state_class": "measurement"}
ANY_TIME = "anything but unavailable"
"""The state of an entity that has to be there, and shows when somebody used it."""


@dataclass(frozen=True, slots=True)
class Until:
    """The state of an entity that shows a time, this one or an earlier one."""

    at: str


@dataclass(frozen=True, slots=True)
class Shown:
    """What an entity must show: its state, and attributes."""

    state: Any
    attributes: Mapping[str, Any] = field(default_factory=dict)


type Key = tuple[str, str]
"""The platform and the key of an entity."""


def expected_of_car(car: Mapping[str, Any], truth: Truth, now: datetime) -> dict[Key, Shown]:
    """Return what the entities of a car must show at a moment."""
    session, settings = car["session"], car["settings"]
    is_smart = session is not None and session["is_managed"]
    kind = "none" if session is None else "smart" if is_smart else "unmanaged"
    is_running = session is not None
    at_known = is_running and session["charging_location_id"] is not None
    resumes_at = settings.get("enableSmartChargingAt")
    ready_by = ready_by_of(settings)
    ready_at = _next(ready_by, now.astimezone(ZoneInfo(settings["timeZone"])))
    expected = {
        ("sensor", "charge_state"): Shown(car["charge_state"], {"device_class": "enum"}),
        ("sensor", "session"): Shown(kind, _place(session, truth)),
        ("sensor", "session_started"): Shown(session["started_at"] if is_running else "unknown"),
        ("sensor", "smart_charging_resumes_at"): Shown(resumes_at or "unknown"),
        ("sensor", "telemetry_updated"): Shown(car["updated_at"], {"device_class": "timestamp"}),
        ("binary_sensor", "plugged_in"): Shown(_on(car["plugged_in"]), {"device_class": "plug"}),
        ("binary_sensor", "charging"): Shown(
            _on(car["charge_state"] == "charging"), {"device_class": "battery_charging"}
        ),
        ("binary_sensor", "smart_session"): Shown(_on(is_smart), {"device_class": "running"}),
        ("binary_sensor", "at_known_location"): Shown(_on(at_known) if is_running else "unknown"),
        ("binary_sensor", "vehicle_link"): Shown(
            _on(car["is_connected"]), {"device_class": "connectivity"}
        ),
        ("switch", "smart_charging"): Shown(_on(settings["isSmartChargingEnabled"])),
        ("switch", "boost"): Shown(_on(car["boost"]) if is_smart else "unavailable"),
        ("number", "desired_battery_level"): Shown(
            settings["desiredBatteryLevel"], {"min": 50, "max": 100, "step": 1}
        ),
        ("number", "minimum_battery_level"): Shown(
            settings["minimumBatteryLevel"],
            {"min": 0, "max": settings["desiredBatteryLevel"], "step": 1},
        ),
        ("switch", "solar_charging"): Shown(_on(settings["useSolarProduction"])),
        ("switch", "bidirectional_charging"): Shown(
            _on(settings["isBidirectionalChargingEnabled"])
        ),
        ("time", "ready_by"): Shown(ready_by.isoformat()),
        ("sensor", "ready_by"): Shown(ready_at.isoformat()),
        ("calendar", "sessions"): Shown(_on(is_running), _calendar(session, truth)),
    }
    if not truth.is_strict:
        expected["button", "refresh"] = Shown(ANY_TIME)
    if car["reads_battery"]:
        expected["sensor", "battery_level"] = Shown(
            car["battery_level"],
            {"unit_of_measurement": "%", "device_class": "battery"} | _MEASURED,
        )
        expected["sensor", "range"] = Shown(
            car["range"], {"unit_of_measurement": "km", "device_class": "distance"} | _MEASURED
        )
    elif not truth.is_strict:
        expected["number", "current_battery_level"] = Shown(
            "unknown" if is_running else "unavailable"
        )
    sessions = truth.sessions_of.get(car["id"], ())
    if ended := [session for session in sessions if session.end < math.inf]:
        last = max(ended, key=lambda item: item.end)
        expected["sensor", "last_session"] = Shown(
            last.facts["ended_at"], _facts(last, truth) | _place(last.facts, truth)
        )
    if sessions and not truth.is_strict:
        expected |= dict(_figures(max(sessions, key=lambda item: item.start)))
        expected |= dict(_totals(sessions, now))
    return expected


def _calendar(session: Mapping[str, Any] | None, truth: Truth) -> dict[str, Any]:
    """Return how the calendar names the session that is running: without the address."""
    if session is None:
        return {}
    start = datetime.fromtimestamp(moment(session["started_at"]), TIME_ZONE)
    shown = {
        "message": f"{'Smart' if session['is_managed'] else 'Unmanaged'} charging",
        "start_time": f"{start:%Y-%m-%d %H:%M:%S}",
    }
    if not truth.is_strict:
        shown["location"] = truth.place_names.get(session["charging_location_id"], "")
    return shown


def _place(session: Mapping[str, Any] | None, truth: Truth) -> dict[str, Any]:
    """Return how the place of a session is named, where Jedlix offers the charging locations."""
    if truth.is_strict:
        return {}
    place = None if session is None else session["charging_location_id"]
    return {"location_name": None if place is None else truth.place_names[place]}


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


def _next(at: time, now: datetime) -> datetime:
    """Return when a clock of the zone of `now` shows the time next."""
    today = datetime.combine(now, at, now.tzinfo)
    return today if today > now else datetime.combine(now + timedelta(days=1), at, now.tzinfo)


def expected_of_location(tariff: Mapping[str, Any], now: datetime) -> dict[Key, Shown]:
    """Return what the entities of a charging location must show at a moment."""
    prices, kind = prices_of(tariff), type_at(tariff, now)
    minutes = minutes_after(now, 0 if only_type(tariff) else 8 * 24 * 60)
    change = next((item for item in minutes if prices[type_at(tariff, item)] != prices[kind]), None)
    price = (
        Shown(None)
        if kind == "dynamic"
        else Shown(prices[kind], {"unit_of_measurement": "EUR/kWh"} | _MEASURED)
    )
    return {
        ("sensor", "price"): price,
        ("sensor", "tariff_type"): Shown(shown_type(kind)),
        ("sensor", "next_price_change"): Shown(None if change is None else change.isoformat()),
    }


def _totals(sessions: Sequence[Session], now: datetime) -> Iterator[tuple[Key, Shown]]:
    """Yield the totals. The simulator has no session that Jedlix no longer lists.

    Of a session over the end of a month it is not known here how much belongs to which month.
    """
    month = now.astimezone(TIME_ZONE).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    since = {"total": None, "this_month": month, "this_year": month.replace(month=1)}
    for name, (figure, unit) in TOTAL_KEYS.items():
        for span, begin in since.items():
            start = -math.inf if begin is None else begin.timestamp()
            if any(session.start < start < session.end for session in sessions):
                continue
            total = sum(item.facts[figure] for item in sessions if item.start >= start)
            reset = {"last_reset": None if begin is None else begin.isoformat()}
            yield ("sensor", f"{name}_{span}"), Shown(total, _attributes_of(unit) | reset)


def _figures(session: Session) -> Iterator[tuple[Key, Shown]]:
    for key, (name, unit) in FIGURE_KEYS.items():
        reset = {"last_reset": session.facts["started_at"]}
        yield ("sensor", key), Shown(session.facts[name], _attributes_of(unit) | reset)


def _attributes_of(unit: str) -> dict[str, str]:
    """Return what Home Assistant's statistics and dashboards need to know of an amount."""
    device_class = "energy" if unit == "kWh" else "monetary"
    return {
        "unit_of_measurement": unit,
        "device_class": device_class,
        "state_class": "total",
    }


def _on(value: object) -> str:
    return "on" if value else "off"
