"""Reminder: has a dialog ask for its next step when the event that says so was lost.

A dialog that shows progress never asks by itself. It hears of the next step over the websocket, which the
frontend closes while its page is hidden.
"""

import asyncio
from typing import Any, Final

from homeassistant.core import callback
from homeassistant.data_entry_flow import FlowHandler

# In seconds. The pauses grow with the time that has passed: a page may sleep for hours, or for good.
SHORTEST_PAUSE: Final = 5.0
_PAUSE_PER_SECOND: Final = 0.02


class Reminder:
    """The reminder of one flow. It goes on until it is stopped: when a client has asked, or the flow ends."""

    def __init__(self) -> None:
        """Remind nobody yet."""
        self._task: asyncio.Task[None] | None = None

    @callback
    def start(self, flow: FlowHandler[Any, Any, Any]) -> None:
        """Notify the clients again and again that the flow has changed."""

        async def remind() -> None:
            loop = asyncio.get_running_loop()
            begin = loop.time()
            while True:
                elapsed = loop.time() - begin
                await asyncio.sleep(max(SHORTEST_PAUSE, elapsed * _PAUSE_PER_SECOND))
                flow.async_notify_flow_changed()

        self.stop()
        self._task = flow.hass.async_create_background_task(remind(), "jedlix dialog reminder")

    @callback
    def stop(self) -> None:
        """Remind nobody any more."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
