"""True state as JSON for /control/: how the world is, not how the API reports it."""

from dataclasses import asdict

from . import dates
from .messages import Delivery
from .model import Change, JsonObject, User, Vehicle


def user(item: User) -> JsonObject:
    """Return a user and the cars."""
    return {
        "id": item.id,
        "charging_location_id": item.locations[0].id if item.locations else None,
        "vehicles": [vehicle(car) for car in item.vehicles],
    }


def vehicle(car: Vehicle) -> JsonObject:
    """Return a car as last reported; where it cannot report, as it truly is."""
    session = car.session
    at_home = "home" if car.location_id else "unknown"
    return {
        "id": car.id,
        "user_id": car.user_id,
        "brand": car.brand,
        "model": car.model,
        "charge_state": car.state.value,
        "battery_level": int(car.level)
        if car.report.battery_level is None
        else car.report.battery_level,
        "range": car.report.range_km,
        "plugged_in": car.plugged_in,
        "location": at_home if car.plugged_in else None,
        "session": session
        and {
            "id": session.id,
            "is_managed": session.is_managed,
            "charging_location_id": session.charging_location_id,
            "started_at": dates.v2(session.start),
            "energy_kwh": round(session.energy_kwh, 3),
            "current_battery_level": session.current_battery_level,
        },
        "boost": session is not None and session.boost,
        "reads_battery": car.reads_battery,
        "manageable": car.manageable,
        "is_connected": car.is_connected,
        "updated_at": dates.v2(car.report.at),
        "settings": car.settings,
    }


def delivery(item: Delivery) -> JsonObject:
    """Return a delivery with its attempts; times are Unix seconds."""
    return {
        "n": item.n,
        "id": item.id,
        "event_type": item.event_type,
        "user_id": item.user_id,
        "url": item.url,
        "is_test": item.is_test,
        "created_at": item.created_at.timestamp(),
        "dropped": item.dropped,
        "attempts": [
            {"at": each.at.timestamp(), "status": each.status, "error": each.error, "ms": each.ms}
            for each in item.attempts
        ],
    }


def change(item: Change) -> JsonObject:
    """Return a line of the journal."""
    return asdict(item) | {
        "occurred_at": dates.v2(item.occurred_at),
        "known_at": dates.v2(item.known_at),
    }
