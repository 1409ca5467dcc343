"""Dashboard: the module with our cards and our dashboard, served and loaded by every page of the frontend."""

from pathlib import Path
from typing import Final

from homeassistant.components import frontend
from homeassistant.components.http import (  # type: ignore[attr-defined] # not exported in so many words
    StaticPathConfig,
)
from homeassistant.core import HomeAssistant
from homeassistant.loader import async_get_integration

from .const import DOMAIN

_MODULE: Final = Path(__file__).parent / "frontend" / "jedlix.js"
_URL: Final = f"/{DOMAIN}_static/{_MODULE.name}"


async def register_module(hass: HomeAssistant) -> None:
    """Serve the module, and have pages load it where there is a frontend; once per start.

    Nobody has to log in to read it. The version is in its address, since browsers keep it for long.
    """
    await hass.http.async_register_static_paths([StaticPathConfig(_URL, str(_MODULE))])
    if frontend.DATA_EXTRA_MODULE_URL in hass.data:
        integration = await async_get_integration(hass, DOMAIN)
        frontend.add_extra_js_url(hass, f"{_URL}?v={integration.version}")
