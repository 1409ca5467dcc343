"""Token file: the tokens of a driver's log-in that were renewed last, written before they are used.

A provider may accept each refresh token once. So the last one must survive a kill, and writing it must not
reload the entry, as a change of the entry's data would.
"""

from collections.abc import Mapping
import logging
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.storage import Store

from .api import BadAnswer
from .api.reading import Fields
from .api.user_token import UserToken
from .const import CONF_LOG_IN, DOMAIN

_LOGGER = logging.getLogger(__name__)

_VERSION: Final = 1


class TokenFile:
    """The token file of one entry. Each log-in has an id, so that an older one's tokens are not taken."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Read and write nothing yet."""
        self._log_in: str | None = None
        self._file = Store[dict[str, Any]](
            hass, _VERSION, f"{DOMAIN}.{entry_id}.token", private=True, atomic_writes=True
        )

    async def latest(self, given: Mapping[str, Any]) -> UserToken:
        """Return the tokens that a log-in gave, or those that were renewed since."""
        self._log_in = given[CONF_LOG_IN]
        try:
            kept = Fields(await self._file.async_load() or {})
            if kept.raw.get(CONF_LOG_IN) == self._log_in:
                return UserToken.from_json(kept.raw)
        except (BadAnswer, HomeAssistantError, KeyError, NotImplementedError, TypeError) as err:
            # Home Assistant expects a file of its own shape and version, and raises these for another.
            _LOGGER.warning("The file %s cannot be read: %r", self._file.path, err)
        return UserToken.from_json(given)

    async def keep(self, token: UserToken) -> None:
        """Write renewed tokens; they are on disk when this returns."""
        await self._file.async_save({CONF_LOG_IN: self._log_in, **token.as_json()})

    async def remove(self) -> None:
        """Delete the file."""
        await self._file.async_remove()
