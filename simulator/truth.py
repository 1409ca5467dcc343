"""True state as JSON for /control/: how the world is, not how the API reports it."""

from dataclasses import asdict

from . import dates, prices
from .messages import Delivery
from .model import (
    Change,
    Charger,
    ChargeState,
    ChargingLocation,
    ConnectSession,
    JsonObject,
    Report,
    Session,
    User,
    Vehicle,
)
from .tariffs import TARIFFS


def user(item: User) -> JsonObject:
    """Return a user and the cars."""
    return {
        "id": item.id,
        "charging_location_id": item.locations[0].id if item.locations else None,
        "locations": [location(place) for place in item.locations],
        "chargers": [charger(each, item) for each in item.chargers],
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
        "version": car.version,
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
        "is_connectable": car.is_connectable,
        "connection_status": car.connection_status,
        "updated_at": dates.v2(car.report.at),
        "settings": car.settings,
    }


def connect_session(item: ConnectSession) -> JsonObject:
    """Return an attempt to link a car; its address is in the API's answer."""
    return {
        "id": item.id,
        "user_id": item.user_id,
        "vehicle_id": item.vehicle_id,
        "page": item.page,
        "pages": item.pages,
        "is_finished": item.is_finished,
        "needs_app": item.needs_app,
    }


def location(item: ChargingLocation) -> JsonObject:
    """Return a charging location: where somebody lives, and the tariffs there with their name, if any."""
    return {
        "id": item.id,
        "street": item.street,
        "house_number": item.house_number,
        "postal_code": item.postal_code,
        "city": item.city,
        "latitude": item.latitude,
        "longitude": item.longitude,
        "tariff": next((name for name, known in TARIFFS.items() if known == item.tariff), None),
        "tariff_details": item.tariff,
    }


def charger(item: Charger, owner: User) -> JsonObject:
    """Return a charger, which reports what the car at its location does."""
    here = item.charging_location_id
    car = next((car for car in owner.vehicles if car.location_id == here), None)
    charging = car is not None and car.report.state is ChargeState.CHARGING
    return {
        "id": item.id,
        "brand": item.brand,
        "model": item.model,
        "charge_state": "disconnected" if car is None else car.report.state.value,
        "power_kw": min(item.power_kw, car.charge_kw) if car is not None and charging else 0.0,
        "updated_at": None if car is None else dates.v2(car.report.at),
    }


def session(item: Session) -> JsonObject:
    """Return a session with its figures as the API rounds them; and when its end was known."""
    return {
        "id": item.id,
        "user_id": item.user_id,
        "vehicle_id": item.vehicle_id,
        "charging_location_id": item.charging_location_id,
        "is_managed": item.is_managed,
        "started_at": dates.v2(item.start),
        "ended_at": None if item.end is None else dates.v2(item.end),
        "end_known_at": None if item.end_known is None else dates.v2(item.end_known),
        "energy_kwh": round(item.energy_kwh, 3),
        "cost": round(item.cost, 2),
        "savings": round(item.savings, 2),
        "currency": prices.CURRENCY,
    }


def report(item: Report) -> JsonObject:
    """Return a telemetry that Jedlix got."""
    return {
        "vehicle_id": item.vehicle_id,
        "at": dates.v2(item.telemetry.at),
        "charge_state": item.telemetry.state.value,
        "battery_level": item.telemetry.battery_level,
        "range": item.telemetry.range_km,
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
        "message": item.message,
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
