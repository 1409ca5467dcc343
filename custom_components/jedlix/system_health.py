"""System health: whether Jedlix answers, the credentials are valid, and push works."""

from collections.abc import Iterable
from typing import Any

from homeassistant.components.system_health import SystemHealthRegistration
from homeassistant.core import HomeAssistant, callback

from .api import JedlixClient, JedlixError
from .const import DOMAIN
from .data import JedlixConfigEntry, client_of


@callback
def async_register(_hass: HomeAssistant, register: SystemHealthRegistration) -> None:
    """Register the information page."""
    register.async_register_info(system_health_info)


async def system_health_info(hass: HomeAssistant) -> dict[str, Any]:
    """Return the health of all accounts; the page shows the rest while the API is still asked.

    The API is asked for an account that is not loaded, too. It has no push to show.
    """
    clients = [
        client_of(hass, entry)
        for entry in hass.config_entries.async_entries(DOMAIN, include_disabled=False)
    ]
    entries: list[JedlixConfigEntry] = hass.config_entries.async_loaded_entries(DOMAIN)
    pushes = [push for entry in entries if (push := entry.runtime_data.push) is not None]
    deliveries = [at for push in pushes if (at := push.health.last_delivery) is not None]
    return {
        "api_reachable": _reach(clients),
        "push_state": ", ".join(push.state.value for push in pushes),
        "subscriptions_wanted": sum(len(push.registration.event_types) for push in pushes),
        "subscriptions_held": sum(
            len(entry.runtime_data.store.push.subscriptions) for entry in entries
        ),
        "last_delivery": max(deliveries).isoformat() if deliveries else "-",
    }


async def _reach(clients: Iterable[JedlixClient]) -> str | dict[str, str]:
    """Try the credentials of every account; return the first failure."""
    for client in clients:
        try:
            await client.check_access()
        except JedlixError as err:
            return {"type": "failed", "error": str(err)}
    return "ok"
