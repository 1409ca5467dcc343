"""Devices: their identifiers and names."""

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.device_registry import DeviceInfo

from .api import Charger, ChargingLocation
from .const import DOMAIN, MANUFACTURER
from .state.vehicle_snapshot import VehicleSnapshot

# A car, a charger or a charging location: the user's id and its own.
type DeviceKey = tuple[str, str]


def identifier_of(key: DeviceKey) -> str:
    """Return the identifier of a device, with the user in it: a car under two users is two devices."""
    user_id, own_id = key
    return f"{user_id}_{own_id}"


def device_info(key: DeviceKey, member: VehicleSnapshot | Charger | ChargingLocation) -> DeviceInfo:
    """Return the device of a car, charger or charging location; without a name it has a translated one.

    A location is named after its zone or its city: the recorder keeps the name of a device with each state,
    and must not keep an address.
    """
    info = DeviceInfo(identifiers={(DOMAIN, identifier_of(key))}, manufacturer=MANUFACTURER)
    if isinstance(member, ChargingLocation):
        word, name = "charging_location", None if member.name is None else f"Jedlix {member.name}"
    elif isinstance(member, Charger):
        word, name = "charger", member.name
        info["manufacturer"], info["model"] = member.brand or MANUFACTURER, member.model
    else:
        car = member.vehicle
        word, name = "vehicle", car.name
        info["manufacturer"], info["model"] = car.brand or MANUFACTURER, car.model
        info["hw_version"] = car.version
    if name is None:
        info["translation_key"] = word
    else:
        info["name"] = name
    return info


@callback
def create_account_device(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Create the device of the account, which is there before any change is published."""
    dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id,
        identifiers={(DOMAIN, entry.entry_id)},
        entry_type=dr.DeviceEntryType.SERVICE,
        manufacturer=MANUFACTURER,
        name=entry.title,
    )


@callback
def move_to_subentry(
    hass: HomeAssistant, entry_id: str, key: DeviceKey, subentry_id: str | None
) -> None:
    """Move a device, where there is one, to the subentry of its user.

    After a power failure Home Assistant may know a user who was added again, and the device as it was before.
    """
    registry = dr.async_get(hass)
    device = registry.async_get_device_by_identifier((DOMAIN, identifier_of(key)), entry_id)
    if device is not None and device.config_subentry_id != subentry_id:
        registry.async_update_device(device.id, new_config_subentry_id=subentry_id)
