"""Immediate repairs: a component for the harness, with which a repair shows as soon as it is due.

In a real house a problem must last for minutes first, which no test has. The same holds for the request for
new credentials.
"""

from datetime import timedelta

from homeassistant.core import HomeAssistant
from homeassistant.helpers.typing import ConfigType

from custom_components.jedlix.api.agreement import Agreement
from custom_components.jedlix.push import issues
from custom_components.jedlix.state import credentials, link


async def async_setup(_hass: HomeAssistant, _config: ConfigType) -> bool:
    """Take the waiting time away."""
    # constants everywhere else
    issues.SHOWN_AFTER = timedelta(0)  # type: ignore[misc]
    link.LOSS_SHOWN_AFTER = timedelta(0)  # type: ignore[misc]
    known = credentials.REQUESTED_AFTER
    credentials.REQUESTED_AFTER = Agreement(known.answers, timedelta(0))  # type: ignore[misc]
    return True
