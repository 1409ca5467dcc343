"""The config flow's real test: our door is opened, Jedlix registers it, and its test message must arrive.

When all went well the door stays open until the new entry's own takes its place, and what was registered is
handed to the entry's memory, so that it is neither made twice nor forgotten.
"""

import asyncio
from collections.abc import Mapping
import logging
from typing import TYPE_CHECKING, Any, Final

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_WEBHOOK_ID
from homeassistant.core import HomeAssistant
from homeassistant.util.hass_dict import HassKey

from ..api import Conflict, JedlixClient, JedlixError, Rejected, Subscription
from ..const import CONF_WEBHOOK_KEY, DOMAIN, USER_CREATED
from .callback_url import ChosenUrl
from .receiver import Door, Refusal
from .registrar import Registrar
from .subscriptions import Held, HeldSubscriptions, key_print, unsubscribe_all
from .witness import Witness

if TYPE_CHECKING:
    from ..runtime import JedlixConfigEntry

_LOGGER = logging.getLogger(__name__)

# How long the test message may take after Jedlix said yes; documented is that it comes before.
_PATIENCE: Final = 5.0

# How long an attempt takes at least: the frontend misses the end of a progress that is over at once, and then
# shows it for ever.
SHORTEST: Final = 1.0

HANDED_OVER: HassKey[dict[str, HeldSubscriptions]] = HassKey(f"{DOMAIN}_handed_over")


class Trial:
    """One attempt to connect; its task ends with None, or with the key of the text that says why not."""

    task: asyncio.Task[str | None]
    _registration: asyncio.Task[str | None]

    def __init__(
        self,
        hass: HomeAssistant,
        client: JedlixClient,
        data: Mapping[str, Any],
        chosen: ChosenUrl,
        *,
        replaces: JedlixConfigEntry | None = None,
    ) -> None:
        """Prepare to register this URL; `replaces` is the entry that is being reconfigured."""
        self._old: Registrar | None = None
        if replaces is not None and replaces.state is ConfigEntryState.LOADED:
            self._old = replaces.runtime_data.push.registrar
        self._took_place = False
        self._hass = hass
        self._client = client
        self._webhook_id: str = data[CONF_WEBHOOK_ID]
        self._key: str = data[CONF_WEBHOOK_KEY]
        self._url = chosen.url
        self._held: HeldSubscriptions = {}
        self._witness = Witness()
        self._is_ours = True
        self._door = Door(
            hass, self._webhook_id, self._key, test=self._witness.saw_test, refused=self._refused
        )

    def start(self) -> None:
        """Open the door and begin."""
        self._door.open()
        self._registration = self._hass.async_create_task(self._register(), "jedlix register")
        self.task = self._hass.async_create_task(self._connect(), "jedlix connect")

    def hand_over(self) -> None:
        """Leave the door and the subscription to the entry that is about to be set up."""
        self._is_ours = False
        self._hass.data.setdefault(HANDED_OVER, {})[self._webhook_id] = self._held

    def close(self) -> None:
        """Shut the door and take back what was registered, unless both were handed over."""
        if not self._is_ours:
            return
        self._is_ours = False
        self.task.cancel()
        self._door.close()
        self._hass.async_create_task(self._take_back(), "jedlix take back")

    async def _take_back(self) -> None:
        """Undo the registration; one that is on its way cannot be called back, so it is waited for."""
        await self._registration
        try:
            if self._held:
                await unsubscribe_all(self._client, self._held, self._webhook_id)
        except JedlixError as err:
            _LOGGER.warning("The trial's subscription could not be deleted at Jedlix: %s", err)
        if self._took_place and self._old is not None:
            self._old.wake()

    def _refused(self, why: Refusal) -> None:
        if why is Refusal.WRONG_KEY:
            self._witness.saw_wrong_key()

    async def _register(self) -> str | None:
        try:
            made = await self._subscribe()
        except JedlixError as err:
            _LOGGER.warning("Jedlix did not register the webhook: %s", err)
            return self._witness.reason(err) if isinstance(err, Rejected) else "cannot_register"
        self._held[USER_CREATED] = Held(self._url, key_print(self._key), made.id)
        return None

    async def _subscribe(self) -> Subscription:
        try:
            return await self._client.subscribe(USER_CREATED, self._url, self._key)
        except Conflict:
            if self._old is None:
                raise
        # a tenant may have one slot for each type, and then the entry's own is what stands in the way
        self._took_place = True
        await self._old.give_up(USER_CREATED)
        return await self._client.subscribe(USER_CREATED, self._url, self._key)

    async def _connect(self) -> str | None:
        problem, _ = await asyncio.gather(
            asyncio.shield(self._registration), asyncio.sleep(SHORTEST)
        )
        if problem is not None:
            return problem
        for _ in range(50):
            if self._witness.tests:
                return None
            await asyncio.sleep(_PATIENCE / 50)
        return "wrong_key" if self._witness.wrong_keys else "no_test_message"
