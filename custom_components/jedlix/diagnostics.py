"""Diagnostics: data that help to find a fault, without persons, places and secrets.

Everything here is chosen, not filtered: a field that is not named here is not in the file. Ids are shortened.
"""

from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.helpers.device_registry import DeviceEntry
from homeassistant.util import dt as dt_util

from .api import Charger, ChargingLocation, Session, TariffDetails
from .const import CONF_CALLBACK, CONF_ENVIRONMENT, DOMAIN
from .data import JedlixConfigEntry, is_driver
from .devices import identifier_of
from .push.handler import RecentDelivery
from .state.days import in_words
from .state.departure_times import departure_times
from .state.flags import Flag, flag
from .state.tariff import Tariff, UnclearTariff
from .state.vehicle_snapshot import VehicleSnapshot
from .webhook import JedlixPush

_ID_LENGTH: Final = 8


async def async_get_config_entry_diagnostics(
    _hass: HomeAssistant, entry: JedlixConfigEntry
) -> dict[str, Any]:
    """Return the state of push, of the poll and of all cars, and the API report."""
    data = entry.runtime_data
    coordinator = data.coordinator
    return {
        "environment": entry.data[CONF_ENVIRONMENT],
        "log_in": "driver" if is_driver(entry.data) else "account",
        "options": dict(entry.options),
        "push": None if data.push is None else _push(data.push, entry),
        "poll": {
            "last_one_succeeded": coordinator.last_update_success,
            "checkpoint": data.store.tenant_read_at,
            "users_followed": len(coordinator.followed),
            "users_not_yet_seen": len(coordinator.known.never_refreshed),
        },
        "api": data.api_report(),
        "history_import": {
            "wanted": data.statistics.is_wanted,
            "has_recorder": data.statistics.has_recorder,
            "vehicles_imported": len(data.store.imported),
            "last_import": max((mark.until for mark in data.store.imported.values()), default=None),
            "failing_since": data.statistics.failing_since,
            "failures": [
                {"vehicle": vehicle_id[:_ID_LENGTH], "error": error}
                for (_, vehicle_id), error in data.statistics.failures.items()
            ],
        },
        "vehicles": [_vehicle(car) for car in coordinator.fleet.vehicles.values()],
        "chargers": [_charger(charger) for charger in coordinator.fleet.chargers.values()],
        "priced_locations": [
            _location(location) for location in coordinator.fleet.priced_locations.values()
        ],
    }


async def async_get_device_diagnostics(
    hass: HomeAssistant, entry: JedlixConfigEntry, device: DeviceEntry
) -> dict[str, Any]:
    """Return the data of one car, charger or location, and all data for the account's device."""
    fleet = entry.runtime_data.coordinator.fleet
    for key, car in fleet.vehicles.items():
        if (DOMAIN, identifier_of(key)) in device.identifiers:
            return _vehicle(car)
    for key, charger in fleet.chargers.items():
        if (DOMAIN, identifier_of(key)) in device.identifiers:
            return _charger(charger)
    for key, location in fleet.priced_locations.items():
        if (DOMAIN, identifier_of(key)) in device.identifiers:
            return _location(location)
    return await async_get_config_entry_diagnostics(hass, entry)


def _push(push: JedlixPush, entry: JedlixConfigEntry) -> dict[str, Any]:
    health, record = push.health, entry.runtime_data.store.push
    return {
        "wanted": entry.data[CONF_CALLBACK],
        "callback": push.registration.callback.value,
        "state": push.state.value,
        "registration": health.registration.value,
        "problem": push.registration.problem,
        "received": health.received,
        "rejected": health.rejected,
        "missed_by_push": health.missed_by_push,
        "last_delivery": health.last_delivery,
        "last_delay": health.last_delay,
        "announces_changes": health.reports_changes,
        "subscriptions": {
            event_type: {"id_known": held.id is not None}
            for event_type, held in record.subscriptions.items()
        },
        "event_types_wanted": push.registration.event_types,
        "event_types_refused": {
            event_type: refusal.as_json() for event_type, refusal in record.refused_types.items()
        },
        "remembered_deliveries": len(record.inbox),
        "last_deliveries": [_arrival(arrival) for arrival in push.arrivals],
    }


def _arrival(arrival: RecentDelivery) -> dict[str, Any]:
    return arrival._asdict() | {"at": dt_util.utc_from_timestamp(arrival.at)}


def _vehicle(car: VehicleSnapshot) -> dict[str, Any]:
    vehicle = car.vehicle
    return {
        "id": vehicle.id[:_ID_LENGTH],
        "user_id": vehicle.user_id[:_ID_LENGTH],
        "brand": vehicle.brand,
        "model": vehicle.model,
        "version": vehicle.version,
        "is_connected": vehicle.is_connected,
        "is_connectable": vehicle.is_connectable,
        "connection_status": vehicle.connection_status,
        "link": {
            "is_connected": car.link.is_connected,
            "reason": car.link.reason,
            "lost_at": car.link.lost_at,
            "is_ready": car.link.is_ready,
        },
        "capabilities": sorted(vehicle.capabilities),
        "charge_state": vehicle.charge_state.status.value,
        "last_known_status": car.status.value,
        "reports_battery": vehicle.charge_state.battery_level is not None,
        "updated_at": vehicle.charge_state.updated_at,
        "open_sessions": [_session(session) for session in car.open_sessions.values()],
        "latest_session": None if car.latest_session is None else _session(car.latest_session),
        "remembered_sessions": len(car.ended_sessions),
        "settings": None
        if car.settings is None
        else {
            "is_smart_charging_enabled": car.settings.is_smart_charging_enabled,
            "resumes_at": car.settings.resumes_at,
            "desired_battery_level": car.settings.desired_battery_level,
            "minimum_battery_level": car.settings.minimum_battery_level,
        },
        "departure_times": _departure_times(car),
        "flags": {which.value: flag(car.settings, which) for which in Flag},
        "stopped_writes": dict(car.stopped_writes),
        "is_boosted": car.is_boosted,
    }


def _departure_times(car: VehicleSnapshot) -> dict[str, Any]:
    """Return what is known of the departure times, without the times: they say when somebody leaves."""
    found = departure_times(car.settings)
    return {
        "refusal": found.refusal,
        "days": [in_words(departure.days) for departure in found.departures],
        "active": [departure.is_active for departure in found.departures],
        "names_a_zone": bool(found.zones),
    }


def _charger(charger: Charger) -> dict[str, Any]:
    return {
        "id": charger.id[:_ID_LENGTH],
        "user_id": charger.user_id[:_ID_LENGTH],
        "brand": charger.brand,
        "model": charger.model,
        "charge_state": charger.status.value,
        "power_kw": charger.power_kw,
        "updated_at": charger.updated_at,
    }


def _location(location: ChargingLocation) -> dict[str, Any]:
    """Return the kind of the tariffs of a location, and why they are not shown; neither place nor prices."""
    details, unclear = location.tariff_details or TariffDetails(tariffs=()), None
    try:
        Tariff.recognize(details)
    except UnclearTariff as err:
        unclear = str(err)
    return {
        "id": location.id[:_ID_LENGTH],
        "in_a_zone": location.zone is not None,
        "tariff_types": [tariff.type for tariff in details.tariffs],
        "intervals": len(details.tariff_intervals),
        "has_currency": any(tariff.currency for tariff in details.tariffs),
        "unclear": unclear,
    }


def _session(session: Session) -> dict[str, Any]:
    return {
        "id": session.id[:_ID_LENGTH],
        "is_managed": session.is_managed,
        "at_known_location": session.charging_location_id is not None,
        "started_at": session.started_at,
        "ended_at": session.ended_at,
        "has_energy": session.energy_kwh is not None,
        "has_cost": session.cost is not None,
    }
