"""Calls of the actions, with the data that each needs."""

from typing import Any, Final

from homeassistant.core import HomeAssistant, ServiceResponse

from custom_components.jedlix.const import DOMAIN

SOON: Final = "2126-01-01T00:00:00+00:00"
LONG_AGO: Final = "2020-01-01T00:00:00+00:00"

# The data of each action besides its target; the first eight are for cars, the next one for locations.
ACTIONS: Final[dict[str, dict[str, Any]]] = {
    "boost": {},
    "pause_smart_charging": {},
    "resume_smart_charging": {},
    "set_current_battery_level": {"level": 50},
    "set_ready_by": {"time": "06:00"},
    "get_sessions": {"period": "last_365_days"},
    "get_costs": {"period": "last_365_days"},
    "import_history": {"start": "2026-01-01"},
    "get_prices": {},
    "catch_up": {},
    "resubscribe": {},
    "get_api_report": {},
}
_TIMES: Final = {"period", "start", "duration", "end"}
CAR_ACTIONS: Final = list(ACTIONS)[:8]
ACCOUNT_ACTIONS: Final = list(ACTIONS)[9:]


async def call_action(hass: HomeAssistant, action: str, **data: Any) -> ServiceResponse:
    """Call an action; returns its answer where it has one. A period of the call takes the place of ours."""
    return await hass.services.async_call(
        DOMAIN,
        action,
        data if _TIMES & data.keys() else ACTIONS[action] | data,
        blocking=True,
        return_response=action.startswith("get_"),
    )
