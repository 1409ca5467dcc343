"""A component for one Home Assistant of the harness: there, a repair shows as soon as it is due.

In a real house trouble must last for minutes first; no test has those.
"""

from datetime import timedelta
from typing import TYPE_CHECKING

from custom_components.jedlix.push import issues

if TYPE_CHECKING:
    from homeassistant.core import HomeAssistant
    from homeassistant.helpers.typing import ConfigType


async def async_setup(_hass: HomeAssistant, _config: ConfigType) -> bool:
    """Take the patience away."""
    vars(issues)["_LASTING"] = timedelta(0)
    return True
