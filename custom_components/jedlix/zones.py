"""Zones: the name that Home Assistant has for a place."""

from homeassistant.components.zone import async_active_zone
from homeassistant.core import HomeAssistant, callback

from .api import ChargingLocation


@callback
def zone_of(hass: HomeAssistant, location: ChargingLocation) -> str | None:
    """Return the name of the zone in which a charging location lies, None where it lies in none."""
    if location.latitude is None or location.longitude is None:
        return None
    zone = async_active_zone(hass, location.latitude, location.longitude)
    return None if zone is None else zone.name
