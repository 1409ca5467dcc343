"""Keeps Jedlix's subscriptions right: at the start, daily, when the world changes, and after failures.

Whatever goes wrong ends in a registration that is pending, refused with a reason, or a request for new
credentials; nothing of it fails the entry.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
import logging
import random
from typing import TYPE_CHECKING, Any, Final

from homeassistant.const import CONF_WEBHOOK_ID
from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util

from ..api import AuthError, Conflict, ConnectionFailed, JedlixClient, JedlixError
from ..const import (
    CONF_CALLBACK,
    CONF_EVENT_TYPES,
    CONF_FIND_EVENT_TYPES,
    CONF_WEBHOOK_KEY,
    DOCUMENTED_EVENT_TYPES,
)
from ..memory import Memory
from .callback_url import Callback, ChosenUrl, NoCallback, choose_url
from .guesses import forget_found, found, untried
from .health import PushHealth, Registration
from .subscriptions import give_up, reconcile, register, unsubscribe_all
from .witness import Witness

if TYPE_CHECKING:
    from ..runtime import JedlixConfigEntry

_LOGGER = logging.getLogger(__name__)

_FIRST_RETRY: Final = 30.0
_LAST_RETRY: Final = 1800.0
_DAILY: Final = 86_400.0


class Registrar:
    """The registration of one entry. `problem` says why it is refused, as a key of the translations."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: JedlixConfigEntry,
        client: JedlixClient,
        *,
        memory: Memory,
        health: PushHealth,
        witness: Witness,
        concluded: Callable[[], None],
    ) -> None:
        """Prepare; `concluded` is called after each pass, once `health` and `problem` tell its outcome."""
        self._hass = hass
        self._entry = entry
        self._client = client
        self._memory = memory
        self._health = health
        self._witness = witness
        self._concluded = concluded
        self._one_at_a_time = asyncio.Lock()
        self._wake = asyncio.Event()
        self._renew = False
        self._refused_types: frozenset[str] = frozenset()
        self._refusal: str | None = None
        self.callback = Callback.NONE
        self.problem: str | None = None
        if entry.data[CONF_CALLBACK] != Callback.NONE:
            health.registration = Registration.PENDING

    @property
    def event_types(self) -> list[str]:
        """Return the event types that are asked for: the entry's and those that were found."""
        wanted = self._entry.options.get(CONF_EVENT_TYPES, DOCUMENTED_EVENT_TYPES)
        return list(dict.fromkeys([*wanted, *found(self._memory.guesses)]))

    async def keep(self) -> None:
        """Reconcile now, daily, when woken, and after a failure with a growing pause."""
        pause = _FIRST_RETRY
        while True:
            self._wake.clear()
            is_settled = await self._register()
            # a type that is still refused after many tries is not offered here
            is_usable = self._health.registration is Registration.DONE
            if is_settled or (is_usable and pause >= _LAST_RETRY):
                pause, wait = _FIRST_RETRY, _DAILY
            else:
                wait, pause = pause, min(pause * 2, _LAST_RETRY)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait * random.uniform(0.8, 1.2)):  # noqa: S311
                    await self._wake.wait()
                pause = _FIRST_RETRY

    @callback
    def wake(self) -> None:
        """Look again now: the callback URL may have to be another."""
        self._wake.set()

    @callback
    def resubscribe(self) -> None:
        """Have all subscriptions written anew, now."""
        self._renew = True
        self._wake.set()

    async def attempt(self, data: Mapping[str, Any]) -> str | None:
        """Try the callback of an entry's data with one event type, for real.

        Returns None when it works, or when no push is wanted; else why not, as a key of the translations.
        What was registered before stays where Jedlix refuses.
        """
        async with self._one_at_a_time:
            try:
                chosen = await self._choose(data)
                held = self._memory.subscriptions
                if chosen is not None and (event_types := self.event_types):
                    self._witness.reset()
                    await register(
                        self._client,
                        held,
                        event_type=next((it for it in event_types if it in held), event_types[0]),
                        url=chosen.url,
                        key=self._entry.data[CONF_WEBHOOK_KEY],
                        webhook_id=self._entry.data[CONF_WEBHOOK_ID],
                    )
            except NoCallback as err:
                return err.reason
            except ConnectionFailed, AuthError:
                return "cannot_register"
            except JedlixError as err:
                self._log_refusal(err)
                return self._witness.reason(err)
            finally:
                self._memory.changed()
        return None

    async def give_up(self, event_type: str) -> None:
        """Make room for a successor at a tenant with one slot for each type; `resubscribe` takes it back."""
        async with self._one_at_a_time:
            await give_up(
                self._client,
                self._memory.subscriptions,
                self._entry.data[CONF_WEBHOOK_ID],
                event_type,
            )
            self._memory.changed()

    async def _register(self) -> bool:
        """Make one pass and keep what came of it; returns whether the next may wait a day."""
        try:
            async with self._one_at_a_time:
                problem = await self._reconcile()
        except NoCallback as err:
            problem = err.reason
        except ConnectionFailed as err:
            _LOGGER.debug("Registering will be tried again: %s", err)
            self._conclude(Registration.PENDING)
            return False
        except AuthError:
            if not await self._has_access():
                self._conclude(Registration.PENDING)
                self._entry.async_start_reauth(self._hass)
                return True  # the new credentials bring a reload
            problem = "rejected"
        except JedlixError as err:
            self._log_refusal(err)
            problem = "rejected"
        if problem == "cloud_away":
            self._conclude(Registration.PENDING, problem)
            return False
        if problem is not None:
            self._conclude(Registration.REFUSED, problem)
            return False
        is_off = self.callback is Callback.NONE or not self.event_types
        self._conclude(Registration.OFF if is_off else Registration.DONE)
        return not self._refused_types

    @callback
    def _conclude(self, registration: Registration, problem: str | None = None) -> None:
        self._health.registration, self.problem = registration, problem
        if registration is Registration.DONE:
            self._refusal = None
        self._concluded()

    def _log_refusal(self, err: JedlixError) -> None:
        """Log the reason to which the repairs refer, once for as long as it stays the same."""
        if (words := str(err)) != self._refusal:
            self._refusal = words
            _LOGGER.warning("Jedlix refuses to register the webhook: %s", words)

    async def _has_access(self) -> bool:
        """Return whether the credentials are good for anything: then it is the one call that is refused."""
        try:
            await self._client.check_access()
        except JedlixError as err:
            return not isinstance(err, AuthError)
        return True

    async def _choose(self, data: Mapping[str, Any]) -> ChosenUrl | None:
        """Choose the URL. One of ours without the webhook id in it is a cloudhook."""
        webhook_id = self._entry.data[CONF_WEBHOOK_ID]
        held = self._memory.subscriptions.values()
        return await choose_url(
            self._hass, data, has_cloudhook=any(webhook_id not in item.url for item in held)
        )

    async def _reconcile(self) -> str | None:
        """Bring Jedlix's subscriptions in line; returns the reason when none could be made."""
        chosen = await self._choose(self._entry.data)
        held = self._memory.subscriptions
        if chosen is None:
            self.callback = Callback.NONE
            await unsubscribe_all(self._client, held, self._entry.data[CONF_WEBHOOK_ID])
            held.clear()
            self._memory.changed()
            return None
        self.callback = chosen.callback
        is_finding = self._entry.options.get(CONF_FIND_EVENT_TYPES, False)
        if not is_finding:
            forget_found(self._memory.guesses)
        renew, self._renew = self._renew, False
        self._witness.reset()
        try:
            refused = await self._subscribe(self.event_types, chosen.url, renew=renew)
        except JedlixError:
            self._renew |= renew
            raise
        for event_type in refused.keys() - self._refused_types:
            _LOGGER.info("Jedlix refuses the event type %s: %s", event_type, refused[event_type])
        self._refused_types = frozenset(refused)
        if refused and not held.keys() - refused.keys():
            self._renew |= renew
            err = next(iter(refused.values()))
            self._log_refusal(err)
            return self._witness.reason(err)
        if renew:
            self._health.renewed(dt_util.utcnow())
        if is_finding and (names := untried(self._memory.guesses)):
            await self._find(names, chosen.url)
        return None

    async def _find(self, names: list[str], url: str) -> None:
        """Ask for event types by names that are guesses of ours, once, and remember the answers."""
        refused = await self._subscribe([*self.event_types, *names], url)
        self._memory.guesses |= {
            name: name not in refused
            for name in names
            if not isinstance(refused.get(name), Conflict)  # one that is taken exists
        }
        self._memory.changed()
        _LOGGER.info("Event types that Jedlix offers here: %s", ", ".join(self.event_types))

    async def _subscribe(
        self, event_types: list[str], url: str, *, renew: bool = False
    ) -> dict[str, JedlixError]:
        """Have exactly these types subscribed at this URL; returns those that were refused."""
        try:
            return await reconcile(
                self._client,
                self._memory.subscriptions,
                event_types=event_types,
                url=url,
                key=self._entry.data[CONF_WEBHOOK_KEY],
                webhook_id=self._entry.data[CONF_WEBHOOK_ID],
                renew=renew,
            )
        finally:
            self._memory.changed()
