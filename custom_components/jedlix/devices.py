"""Devices: their identifiers and names, and which of them are removed."""

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.device_registry import DeviceInfo

from .api import Charger
from .const import DOMAIN, MANUFACTURER
from .state.snapshot import VehicleSnapshot

# A car or a charger: the user's id and its own.
type DeviceKey = tuple[str, str]


def identifier_of(key: DeviceKey) -> str:
    """Return the identifier of a car or charger, with the user in it: under two users it is two devices."""
    user_id, own_id = key
    return f"{user_id}_{own_id}"


def device_info(key: DeviceKey, member: VehicleSnapshot | Charger) -> DeviceInfo:
    """Return the device of a car or charger; without a name it is called *Car* or *Charger*, translated."""
    thing = member.vehicle if isinstance(member, VehicleSnapshot) else member
    word = "vehicle" if isinstance(member, VehicleSnapshot) else "charger"
    info = DeviceInfo(
        identifiers={(DOMAIN, identifier_of(key))},
        manufacturer=thing.brand or MANUFACTURER,
        model=thing.model,
    )
    if isinstance(member, VehicleSnapshot):
        info["hw_version"] = member.vehicle.version
    if thing.name is None:
        info["translation_key"] = word
    else:
        info["name"] = thing.name
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
