"""The life of push: the door, the registration at Jedlix with its retries, the world that changes.

The remote subscriptions stay through restarts and reloads, so nothing is lost to them; only removing the
entry deletes them. Nothing that goes wrong here fails the entry: polling goes on.
"""

import asyncio
from collections.abc import Callable
import logging
import random
from typing import TYPE_CHECKING, Final

from homeassistant.const import CONF_WEBHOOK_ID, EVENT_CORE_CONFIG_UPDATE
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.util import dt as dt_util

from ..announcer import Source
from ..api import AuthError, ConnectionFailed, JedlixClient, JedlixError, WebhookMessage
from ..const import CONF_CALLBACK, CONF_EVENT_TYPES, CONF_WEBHOOK_KEY, DOCUMENTED_EVENT_TYPES
from ..coordinator import JedlixCoordinator
from ..memory import Memory
from .callback_url import Callback, NoCallback, choose_url
from .health import PushHealth, PushState, Registration
from .receiver import Door, Refusal
from .subscriptions import reconcile, unsubscribe_all
from .witness import Witness

if TYPE_CHECKING:
    from ..runtime import JedlixConfigEntry

_LOGGER = logging.getLogger(__name__)

_FIRST_RETRY: Final = 30.0
_LAST_RETRY: Final = 1800.0
_DAILY: Final = 86_400.0


class PushLink:
    """Push of one entry, from Jedlix's POST to the ring."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: JedlixConfigEntry,
        client: JedlixClient,
        *,
        memory: Memory,
        health: PushHealth,
        coordinator: JedlixCoordinator,
    ) -> None:
        """Prepare; the door is shut until `open`."""
        self._hass = hass
        self._entry = entry
        self._client = client
        self._memory = memory
        self._coordinator = coordinator
        self._witness = Witness()
        self._wake = asyncio.Event()
        self._renew = False
        self._listeners: list[CALLBACK_TYPE] = []
        self.health = health
        self.callback = Callback.NONE
        self.problem: str | None = None
        if entry.data[CONF_CALLBACK] != Callback.NONE:
            health.registration = Registration.PENDING
        self._door = Door(
            hass,
            entry.data[CONF_WEBHOOK_ID],
            entry.data[CONF_WEBHOOK_KEY],
            inbox=memory.inbox,
            deliver=self._deliver,
            test=self._witness.saw_test,
            refused=self._refused,
        )

    @property
    def state(self) -> PushState:
        """Return what a user sees of push."""
        return self.health.state(dt_util.utcnow())

    @callback
    def listen(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call the listener whenever something about push changed; returns what ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    @callback
    def open(self) -> Callable[[], None]:
        """Open the door, in the place of the config flow's; returns what shuts it."""
        self._door.open()
        return self._door.close

    @callback
    def start(self) -> None:
        """Register at Jedlix in the background and keep it so until the entry is unloaded."""
        self._entry.async_create_background_task(self._hass, self._keep(), "jedlix push")
        self._entry.async_on_unload(
            self._hass.bus.async_listen(EVENT_CORE_CONFIG_UPDATE, self._core_config_updated)
        )

    @callback
    def resubscribe(self) -> None:
        """Have all subscriptions written anew, now."""
        self._renew = True
        self._wake.set()

    # -- deliveries ----------------------------------------------------------------------------------------

    @callback
    def _deliver(self, message: WebhookMessage) -> None:
        """Handle a new delivery, after it was answered: pass it on raw, and ring."""
        self._memory.changed()
        self.health.delivered(message.user_id, message.occurred_at, dt_util.utcnow())
        self._notify()
        self._coordinator.announcer.tell_webhook(
            message,
            Source.WEBHOOK,
            followed=message.user_id in self._coordinator.followed,
            late=False,
        )
        self._coordinator.ring(message)

    @callback
    def _refused(self, why: Refusal) -> None:
        before = self.state
        if why is Refusal.WRONG_KEY:
            self._witness.saw_wrong_key()
            self.health.refused_key(dt_util.utcnow())
        else:
            self.health.refused_body()
        if self.state is not before:
            self._notify()

    @callback
    def _notify(self) -> None:
        for listener in self._listeners:
            listener()

    # -- registration --------------------------------------------------------------------------------------

    @callback
    def _core_config_updated(self, event: Event) -> None:
        if "external_url" in event.data:
            self._wake.set()

    async def _keep(self) -> None:
        """Reconcile now, daily, when woken, and after a failure with a growing pause."""
        pause = _FIRST_RETRY
        while True:
            self._wake.clear()
            if await self._register():
                pause, wait = _FIRST_RETRY, _DAILY
            else:
                wait, pause = pause, min(pause * 2, _LAST_RETRY)
            try:
                async with asyncio.timeout(wait * random.uniform(0.8, 1.2)):  # noqa: S311
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _register(self) -> bool:
        """Make one pass and keep what came of it; returns whether the next may wait a day."""
        try:
            self.problem = await self._reconcile()
            registration = (
                Registration.REFUSED
                if self.problem is not None
                else Registration.OFF
                if self.callback is Callback.NONE
                else Registration.DONE
            )
        except (ConnectionFailed, AuthError) as err:
            _LOGGER.debug("Registering will be tried again: %s", err)
            registration = Registration.PENDING
        except JedlixError as err:
            self.problem = "rejected"
            _LOGGER.info("Jedlix refuses to register the webhook: %s", err)
            registration = Registration.REFUSED
        self.health.registration = registration
        self._notify()
        return registration in (Registration.OFF, Registration.DONE)

    async def _reconcile(self) -> str | None:
        """Bring Jedlix's subscriptions in line; returns the reason when none could be made."""
        try:
            chosen = await choose_url(self._hass, self._entry.data)
        except NoCallback as err:
            return err.reason
        webhook_id = self._entry.data[CONF_WEBHOOK_ID]
        held = self._memory.subscriptions
        if chosen is None:
            self.callback = Callback.NONE
            await unsubscribe_all(self._client, held, webhook_id)
            held.clear()
            self._memory.changed()
            return None
        self.callback = chosen.callback
        renew, self._renew = self._renew, False
        self._witness.reset()
        try:
            refused = await reconcile(
                self._client,
                held,
                event_types=self._entry.options.get(CONF_EVENT_TYPES, DOCUMENTED_EVENT_TYPES),
                url=chosen.url,
                key=self._entry.data[CONF_WEBHOOK_KEY],
                webhook_id=webhook_id,
                renew=renew,
            )
        except JedlixError:
            self._renew |= renew
            raise
        finally:
            self._memory.changed()
        for event_type, refusal in refused.items():
            _LOGGER.info("Jedlix does not offer the event type %s here: %s", event_type, refusal)
        if held.keys() - refused.keys() or not refused:
            self.health.renewed()
            return None
        self._renew |= renew
        return self._witness.reason(next(iter(refused.values())))
