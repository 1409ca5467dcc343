"""Targets: the cars, charging locations and accounts that a call means."""

from collections.abc import Mapping
from typing import Final

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import ATTR_DEVICE_ID, ENTITY_MATCH_NONE
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.helpers import config_validation as cv, device_registry as dr

from ..api import ChargingLocation
from ..const import DOMAIN
from ..data import JedlixConfigEntry
from ..devices import DeviceKey, identifier_of
from ..errors import refuse
from ..target import devices_of, excluded_devices_of

TARGET: Final = cv.TARGET_SERVICE_FIELDS
_TARGET_KEYS: Final = frozenset(str(key) for key in TARGET)


def cars_of(call: ServiceCall) -> Mapping[str, tuple[JedlixConfigEntry, DeviceKey]]:
    """Return the cars of the target by device id; without one it is an error."""
    cars: dict[str, tuple[JedlixConfigEntry, DeviceKey]] = {}
    targeted, named = _named(call), _named_ids(call)
    keys = {
        (entry.entry_id, identifier_of(key)): key
        for entry in {entry.entry_id: entry for entry, _ in targeted.values()}.values()
        for key in entry.runtime_data.coordinator.fleet.vehicles
    }
    for device_id, (entry, device) in targeted.items():
        for domain, identifier in device.identifiers:
            if domain == DOMAIN and (key := keys.get((entry.entry_id, identifier))) is not None:
                cars[device_id] = (entry, key)
        if device_id not in cars and device_id in named:
            refuse("not_a_vehicle", device=_name_of(device))
    if not cars:
        refuse("no_vehicle")
    return cars


def locations_of(call: ServiceCall) -> dict[str, tuple[JedlixConfigEntry, ChargingLocation]]:
    """Return the charging locations with tariffs of the target by device id; without one it is an error.

    A car or charger stands for all locations of its user.
    """
    registry, excluded = dr.async_get(call.hass), excluded_devices_of(call.hass, call.data)
    locations: dict[str, tuple[JedlixConfigEntry, ChargingLocation]] = {}
    targeted = _named(call)
    for entry in {entry.entry_id: entry for entry, _ in targeted.values()}.values():
        fleet = entry.runtime_data.coordinator.fleet
        keys = {(DOMAIN, identifier_of(key)): key for key in fleet.members}
        meant = {
            keys[identifier]
            for owner, device in targeted.values()
            if owner is entry
            for identifier in device.identifiers & keys.keys()
        }
        priced = fleet.priced_locations
        users = {user_id for user_id, _ in meant - priced.keys()}
        for key, location in priced.items():
            if key in meant or key[0] in users:
                device = registry.async_get_device_by_identifier(
                    (DOMAIN, identifier_of(key)), entry.entry_id
                )
                if device is not None and device.id not in excluded:
                    locations[device.id] = (entry, location)
    if not locations:
        refuse("no_location")
    return locations


def accounts_of(call: ServiceCall) -> list[JedlixConfigEntry]:
    """Return the accounts whose devices the target means, all loaded ones where there is no target."""
    if any(call.data.get(key) for key in _TARGET_KEYS):
        accounts = {entry.entry_id: entry for entry, _ in _named(call).values()}
    else:
        accounts = {
            entry.entry_id: entry for entry in call.hass.config_entries.async_loaded_entries(DOMAIN)
        }
    if not accounts:
        refuse("no_account")
    return list(accounts.values())


def _named(call: ServiceCall) -> dict[str, tuple[JedlixConfigEntry, dr.AnyDeviceEntry]]:
    """Return our devices that the target means.

    A device that is named must exist and be ours. An area or label may hold other devices.
    """
    devices = dr.async_get(call.hass)
    target = {key: value for key, value in call.data.items() if key in _TARGET_KEYS}
    named = _named_ids(call)
    found: dict[str, tuple[JedlixConfigEntry, dr.AnyDeviceEntry]] = {}
    for device_id in {**dict.fromkeys(named), **dict.fromkeys(devices_of(call.hass, target))}:
        device = devices.async_get(device_id)
        entry = None if device is None else _entry_of(call.hass, device)
        if device is not None and entry is not None:
            if entry.state is not ConfigEntryState.LOADED:
                refuse("not_loaded", account=entry.title)
            found[device_id] = (entry, device)
        elif device_id in named:
            if device is None:
                refuse("unknown_device", device=device_id)
            refuse("foreign_device", device=_name_of(device))
    return found


def _named_ids(call: ServiceCall) -> list[str]:
    """Return the ids of the devices that the target names and does not exclude. It may also say "none"."""
    named: list[str] | str = call.data.get(ATTR_DEVICE_ID, ENTITY_MATCH_NONE)
    excluded = excluded_devices_of(call.hass, call.data)
    return [it for it in named if it not in excluded] if isinstance(named, list) else []


def _name_of(device: dr.AnyDeviceEntry) -> str:
    return device.name_by_user or device.name or device.id


def _entry_of(hass: HomeAssistant, device: dr.AnyDeviceEntry) -> JedlixConfigEntry | None:
    entry = hass.config_entries.async_get_entry(device.config_entry_id)
    return entry if entry is not None and entry.domain == DOMAIN else None
