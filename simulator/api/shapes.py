"""Shapes of the answers: how the API writes users, cars, sessions and the rest."""

from datetime import datetime

import orjson

from simulator import dates, prices
from simulator.messages import TENANT, Event, Subscription
from simulator.model import (
    Charger,
    ChargeState,
    ChargingLocation,
    ConnectSession,
    JsonObject,
    Session,
    User,
    Vehicle,
)
from simulator.noise import Noise

_UNKNOWN_STATE_AFTER = (
    30.0  # seconds, in noisy mode: every client has had the time to see the true one
)


def user(item: User) -> JsonObject:
    """Return a user (A1: nothing but the request of the creation is documented)."""
    return {"id": item.id, "defaultCountry": item.country, "locale": item.locale}


def vehicle(
    item: Vehicle,
    style: dates.Style,
    now: datetime,
    noise: Noise | None,
    *,
    reading_style: dates.Style | None = None,
) -> JsonObject:
    """Return a vehicle (SDK; null for what the car cannot report). Readings may have a style of their own."""
    report = item.report
    state = report.state.value
    if noise and (now - report.at).total_seconds() > _UNKNOWN_STATE_AFTER:
        state = noise.charge_state(state)
    shape: JsonObject = {
        "id": item.id,
        "createdAt": style(item.created_at),
        "details": {"brand": item.brand, "model": item.model, "version": item.version},
        "isConnected": item.is_connected,
        "isConnectable": item.is_connectable,
        "capabilities": list(item.capabilities),
        "chargeState": {
            "batteryLevel": report.battery_level,
            "range": report.range_km,
            "chargeState": state,
            "updatedAt": (reading_style or style)(report.at),
        },
    }
    if item.connection_status:  # documented for Renault; that it stands here is assumed
        shape["connectionStatus"] = item.connection_status
    return shape


def session(
    item: Session, style: dates.Style, *, documented_only: bool, noise: Noise | None = None
) -> JsonObject:
    """Return a session. Documented: chargingLocationId, isManaged; A4: the other names.

    energyKwh, cost, savings, currency and isBoosted are ours (A12) and not there in strict mode.
    """
    shape: JsonObject = {
        noise.id_name("sessionId") if noise else "id": item.id,
        "userId": item.user_id,
        "vehicleId": item.vehicle_id,
        "chargingLocationId": item.charging_location_id,
        "isManaged": item.is_managed,
        "startTime": style(item.start),
        "endTime": style(item.end) if item.end else None,
    }
    if documented_only:
        return shape
    return shape | {
        "energyKwh": round(item.energy_kwh, 3),
        "cost": round(item.cost, 2),
        "savings": round(item.savings, 2),
        "currency": prices.CURRENCY,
        "isBoosted": item.boost,
    }


def location(item: ChargingLocation, style: dates.Style) -> JsonObject:
    """Return a charging location as the v2 sample shows it (documented)."""
    return {
        "id": item.id,
        "userId": item.user_id,
        "coordinates": {"latitude": item.latitude, "longitude": item.longitude},
        "address": {
            "street": item.street,
            "postalCode": item.postal_code,
            "houseNumber": item.house_number,
            "city": item.city,
            "region": None,
            "country": item.country,
            "area": None,
        },
        "createdAt": style(item.created_at),
        "updatedAt": style(item.created_at),
    }


def location_with_details(
    item: ChargingLocation, owner: User, style: dates.Style, seconds: dates.Style
) -> JsonObject:
    """Return a charging location with what v1 adds: tariffs and chargers (SDK)."""
    return location(item, style) | {
        "energySupplierDetails": None,
        "tariffDetails": tariff_details(item),
        "chargers": [
            charger(each, owner, seconds)
            for each in owner.chargers
            if each.charging_location_id == item.id
        ],
    }


def tariff_details(item: ChargingLocation) -> JsonObject | None:
    """Return the tariffs of a location (documented and SDK), null where there are none."""
    return None if item.tariff is None else {"chargingLocationId": item.id, **item.tariff}


def charger_state(item: Charger, owner: User, seconds: dates.Style) -> JsonObject:
    """Return a charger's state (SDK): that of the car at its location, power in kW."""
    here = item.charging_location_id
    car = next((car for car in owner.vehicles if car.location_id == here), None)
    if car is None:
        return {"chargeState": "disconnected", "chargePower": 0.0, "timeStamp": None}
    charging = car.report.state is ChargeState.CHARGING
    return {
        "chargeState": car.report.state.value,
        "chargePower": min(item.power_kw, car.charge_kw) if charging else 0.0,
        "timeStamp": seconds(car.report.at),
    }


def charger(item: Charger, owner: User, seconds: dates.Style) -> JsonObject:
    """Return a charger (SDK)."""
    return {
        "id": item.id,
        "chargingLocationId": item.charging_location_id,
        "detail": {"brand": item.brand, "model": item.model},
        "chargerState": charger_state(item, owner, seconds),
    }


def connect_session(item: ConnectSession, base_url: str) -> JsonObject:
    """Return a connect session for a vehicle (documented; `redirectInfo`, and pages in turn: SDK).

    How the addresses of two pages differ is ours.
    """
    start = f"{base_url}/web/start?sessionId={item.id.replace('-', '')}"
    if item.page > 1:
        start += f"&page={item.page}"
    info = {"includeBody": True, "includeCookies": ["session"], "includeRedirectUrl": False}
    return {
        "vehicleId": item.vehicle_id,
        "isFinished": item.is_finished,
        "startUrl": None if item.is_finished else start,
        "redirectUrl": None if item.is_finished else f"{base_url}/web/end",
        "id": item.id,
        "redirectInfo": info if item.needs_app and not item.is_finished else None,
    }


def subscription(item: Subscription, style: dates.Style) -> JsonObject:
    """Return a subscription: the fields are reported, that the key is left out is assumed (A10)."""
    return {
        "id": item.id,
        "eventType": item.event_type,
        "tenant": TENANT,
        "endpointUrl": item.url,
        "isActive": item.is_active,
        "createdAt": style(item.created_at),
        "updatedAt": style(item.updated_at),
    }


def records(item: Event) -> list[JsonObject]:
    """Return the history's records of an event, newest first: one per attempt of a delivery.

    Their fields are reported; one record per attempt, and one for a delivery that was never sent, is
    assumed. An event that nobody has subscribed has none.
    """
    return [
        {
            "id": f"{delivery.n}-{place}",
            "tenant": item.message["tenant"],
            "eventType": item.message["eventType"],
            "endpointUrl": delivery.url,
            "payload": orjson.dumps(item.message).decode(),
            "responseStatus": None if attempt is None else attempt.status,
            "response": None if attempt is None else attempt.response or attempt.error,
            "sentAt": dates.v2(delivery.created_at if attempt is None else attempt.at),
        }
        for delivery in reversed(item.deliveries)
        for place, attempt in reversed([*enumerate(delivery.attempts or (None,))])
    ]


def event(item: Event) -> JsonObject:
    """Return an event with its message as delivered, and its deliveries: the other shape of A11."""
    deliveries = []
    for delivery in item.deliveries:
        last = delivery.attempts[-1] if delivery.attempts else None
        deliveries.append(
            {
                "time": dates.v2(last.at if last else delivery.created_at),
                "status": last and last.status,
                "error": last and last.error,
            }
        )
    return item.message | {"deliveries": deliveries}
