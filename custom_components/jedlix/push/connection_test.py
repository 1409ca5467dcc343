"""Connection test of the config flow: Jedlix really registers our webhook, and its test message must arrive.

After a success the handler stays registered until that of the new entry takes its place, and the
subscription is handed over to the entry. So it is neither made twice nor forgotten.
"""

import asyncio
from collections.abc import Mapping
import logging
from typing import Any, Final

from homeassistant.const import CONF_WEBHOOK_ID
from homeassistant.core import HomeAssistant
from homeassistant.util.hass_dict import HassKey

from ..api import Conflict, JedlixClient, JedlixError, Rejected, Subscription
from ..const import CONF_WEBHOOK_KEY, DOMAIN, USER_CREATED
from .callback_url import ChosenUrl
from .evidence import RegistrationEvidence
from .handler import WebhookHandler
from .registration import Registration
from .subscriptions import HeldSubscription, HeldSubscriptions, hash_of_key, unsubscribe_all

_LOGGER = logging.getLogger(__name__)

# How long the test message may take after Jedlix said yes, in seconds. Documented is that it comes before.
TEST_MESSAGE_TIMEOUT: Final = 5.0
_CHECKS: Final = 50

# How long a test takes at least, in seconds. The frontend misses the end of a progress that ends at once,
# and then shows it for ever.
MIN_DURATION: Final = 1.0

HANDED_OVER: HassKey[dict[str, HeldSubscriptions]] = HassKey(f"{DOMAIN}_handed_over")


class ConnectionTest:
    """One attempt to connect. Its task ends with None, or with the key of the text that says why not.

    `refusal` is why Jedlix refused, in its words.
    """

    task: asyncio.Task[str | None]
    _registration: asyncio.Task[str | None]

    def __init__(
        self,
        hass: HomeAssistant,
        client: JedlixClient,
        data: Mapping[str, Any],
        chosen: ChosenUrl,
        *,
        replaces: Registration | None = None,
    ) -> None:
        """Prepare to register this URL; `replaces` is the registration of an entry that is reconfigured."""
        self._hass = hass
        self._client = client
        self._webhook_id: str = data[CONF_WEBHOOK_ID]
        self._key: str = data[CONF_WEBHOOK_KEY]
        self._url = chosen.url
        self.refusal: str | None = None
        self._replaces = replaces
        self._has_replaced = False
        self._is_over = False
        self._held: HeldSubscriptions = {}
        self._evidence = RegistrationEvidence()
        self._handler = WebhookHandler(
            hass,
            self._webhook_id,
            self._key,
            on_test=self._evidence.note_test,
            on_refusal=self._evidence.note_refusal,
        )

    def start(self) -> None:
        """Register the handler and begin."""
        self._handler.register()
        self._registration = self._hass.async_create_task(self._register(), "jedlix register")
        self.task = self._hass.async_create_task(self._run(), "jedlix connection test")

    def hand_over(self) -> None:
        """Leave the handler and the subscription to the entry that is about to be set up."""
        self._is_over = True
        self._hass.data.setdefault(HANDED_OVER, {})[self._webhook_id] = self._held

    def close(self) -> None:
        """End the test and undo what it did, unless that was handed over."""
        if self._is_over:
            return
        self._is_over = True
        if not self.task.done():
            self.task.cancel()
        elif self.task.result() is None:
            self._undo_soon()

    async def _run(self) -> str | None:
        """Test, for a second at least. A test that fails or is cancelled is undone."""
        is_connected = False
        try:
            problem, _ = await asyncio.gather(
                asyncio.shield(self._registration), asyncio.sleep(MIN_DURATION)
            )
            problem = problem or await self._await_test_message()
            is_connected = problem is None
        finally:
            if not is_connected:
                self._undo_soon()
        return problem

    def _undo_soon(self) -> None:
        self._handler.unregister()
        self._hass.async_create_task(self._undo(), "jedlix undo connection test")

    async def _undo(self) -> None:
        """Delete the subscription, and have the replaced registration restore its own.

        A registration that is on its way cannot be called back, so it is waited for.
        """
        await self._registration
        try:
            if self._held:
                await unsubscribe_all(self._client, self._held, self._webhook_id)
        except JedlixError as err:
            _LOGGER.warning(
                "The subscription of the connection test could not be deleted at Jedlix: %s", err
            )
        if self._has_replaced and self._replaces is not None:
            self._replaces.check_now()

    async def _register(self) -> str | None:
        try:
            made = await self._subscribe()
        except JedlixError as err:
            self.refusal = str(err)
            _LOGGER.warning("Jedlix did not register the webhook: %s", self.refusal)
            return self._evidence.reason(err) if isinstance(err, Rejected) else "cannot_register"
        self._held[USER_CREATED] = HeldSubscription(self._url, hash_of_key(self._key), made.id)
        return None

    async def _subscribe(self) -> Subscription:
        try:
            return await self._client.subscribe(USER_CREATED, self._url, self._key)
        except Conflict:
            if self._replaces is None:
                raise
        # A tenant may allow one subscription per type, and then the entry's own is in the way.
        self._has_replaced = True
        await self._replaces.give_up(USER_CREATED)
        return await self._client.subscribe(USER_CREATED, self._url, self._key)

    async def _await_test_message(self) -> str | None:
        for _ in range(_CHECKS):
            if self._evidence.is_reached:
                return None
            await asyncio.sleep(TEST_MESSAGE_TIMEOUT / _CHECKS)
        return self._evidence.key_problem or "no_test_message"
