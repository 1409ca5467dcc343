"""Bench probe: a component with plain webhooks to compare with, and with what only the process can measure.

The websocket command `bench` calls a method of the probe: `do` is its name, `args` are its arguments.
"""

from typing import Any

from aiohttp.web import Request, Response
from homeassistant.components import webhook
from homeassistant.components.websocket_api import (  # type: ignore[attr-defined]
    ActiveConnection,
    async_register_command,
    async_response,
    websocket_command,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.typing import ConfigType
import voluptuous as vol

from .probe import Probe

DOMAIN = "bench_probe"
BARE = "bare" * 16
EMPTY = "void" * 16
"""The webhook ids of the two handlers here, as long as one that Home Assistant makes."""


async def async_setup(hass: HomeAssistant, _config: ConfigType) -> bool:
    """Register the two webhooks and the command."""
    probe = Probe(hass)
    for webhook_id, handler in ((BARE, _bare), (EMPTY, _empty)):
        webhook.async_register(
            hass, DOMAIN, "Bench", webhook_id, handler, local_only=False, allowed_methods=("POST",)
        )

    @websocket_command(
        {vol.Required("type"): "bench", vol.Required("do"): str, vol.Optional("args"): dict}
    )
    @async_response
    async def answer(
        _hass: HomeAssistant,
        connection: ActiveConnection,
        message: dict[str, Any],
    ) -> None:
        method = getattr(probe, message["do"])
        connection.send_result(message["id"], await method(**message.get("args", {})))

    async_register_command(hass, answer)
    return True


async def _bare(hass: HomeAssistant, _webhook_id: str, request: Request) -> Response:
    """Do the least that a webhook can do: read the JSON and fire an event."""
    hass.bus.async_fire("bench_bare", await request.json())
    return Response()


async def _empty(_hass: HomeAssistant, _webhook_id: str, _request: Request) -> Response:
    """Do nothing: what is left is Home Assistant's web server."""
    return Response()
