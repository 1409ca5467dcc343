"""System health: whether Jedlix answers, the credentials are good, and push works."""

from typing import Any

from homeassistant.components.system_health import SystemHealthRegistration
from homeassistant.core import HomeAssistant, callback

from .api import JedlixError
from .const import DOMAIN
from .runtime import JedlixConfigEntry


@callback
def async_register(_hass: HomeAssistant, register: SystemHealthRegistration) -> None:
    """Tell how to ask for our health."""
    register.async_register_info(system_health_info)


async def system_health_info(hass: HomeAssistant) -> dict[str, Any]:
    """Return the health of all accounts; that of the API is asked for while the page shows the rest."""
    entries: list[JedlixConfigEntry] = hass.config_entries.async_loaded_entries(DOMAIN)
    pushes = [entry.runtime_data.push for entry in entries]
    deliveries = [at for push in pushes if (at := push.health.last_delivery) is not None]
    return {
        "api_reachable": _reach(entries),
        "push_state": ", ".join(push.state.value for push in pushes),
        "subscriptions_wanted": sum(len(push.registrar.event_types) for push in pushes),
        "subscriptions_held": sum(
            len(entry.runtime_data.memory.subscriptions) for entry in entries
        ),
        "last_delivery": max(deliveries).isoformat() if deliveries else "-",
    }


async def _reach(entries: list[JedlixConfigEntry]) -> str | dict[str, str]:
    """Try the credentials of every account; the first failure is what counts."""
    for entry in entries:
        try:
            await entry.runtime_data.client.check_access()
        except JedlixError as err:
            return {"type": "failed", "error": str(err)}
    return "ok"
