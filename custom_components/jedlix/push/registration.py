"""Registration: keeps Jedlix's subscriptions right, at the start, daily, after changes and after failures.

Whatever goes wrong ends in a registration that is pending, one that is refused with a reason, or a request
for new credentials. Nothing of it fails the entry.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from functools import partial
import logging
import random
from typing import Any, Final

from homeassistant.components import webhook
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_WEBHOOK_ID
from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util

from ..api import (
    AuthError,
    Conflict,
    ConnectionFailed,
    JedlixClient,
    JedlixError,
    Rejected,
    WebhookMessage,
)
from ..api.gate import wanted_by_person
from ..const import (
    CONF_CALLBACK,
    CONF_EVENT_TYPES,
    CONF_FIND_EVENT_TYPES,
    CONF_WEBHOOK_KEY,
    DOCUMENTED_EVENT_TYPES,
)
from .callback_url import Callback, ChosenUrl, NoCallback, choose_url
from .event_types import accepted, forget_accepted, untried
from .handler import KEY_REFUSALS, Refusal
from .health import PushHealth, RegistrationState
from .record import PushRecord
from .subscriptions import give_up, reconcile, register, unsubscribe_all

_LOGGER = logging.getLogger(__name__)

MIN_RETRY_INTERVAL: Final = 30.0
MAX_RETRY_INTERVAL: Final = 1800.0
_DAY: Final = 86_400.0


async def wait_for(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event, no longer than this; returns whether it came."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            return await event.wait()
    return False


class RegistrationEvidence:
    """What arrived at the webhook while Jedlix was asked to register it, and what a refusal then means.

    `key_problem` is what was wrong with the key of a call, as a key of the translations.
    """

    def __init__(self) -> None:
        """Start with nothing."""
        self.tests = 0
        self.key_problem: str | None = None

    def reset(self) -> None:
        """Start again, for another attempt."""
        self.tests = 0
        self.key_problem = None

    def note_test(self, _message: WebhookMessage) -> None:
        """Note that Jedlix's test message arrived with our key."""
        self.tests += 1

    def note_refusal(self, why: Refusal) -> None:
        """Note that something arrived and was refused: with another key, say, or without one."""
        if why in KEY_REFUSALS:
            self.key_problem = why.value

    def reason(self, err: JedlixError) -> str:
        """Return why Jedlix refused, as a key of the translations.

        Documented is only that a 400 means that the endpoint could not be reached. The rest follows from what
        arrived meanwhile.
        """
        if isinstance(err, Conflict):
            return "slot_taken"
        if self.tests or not isinstance(err, Rejected):
            return "rejected"
        return self.key_problem or "not_reachable"


class Registration:
    """The registration of one entry. `problem` is why it is refused, as a key of the translations."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry[Any],
        client: JedlixClient,
        *,
        record: PushRecord,
        health: PushHealth,
        evidence: RegistrationEvidence,
        concluded: Callable[[], None],
    ) -> None:
        """Prepare; `concluded` is called after each pass, when `health` and `problem` show its outcome."""
        self._hass = hass
        self._entry = entry
        self._client = client
        self._record = record
        self._health = health
        self._evidence = evidence
        self._concluded = concluded
        self._one_at_a_time = asyncio.Lock()
        self._wake = asyncio.Event()
        self._renew = False
        self._is_wanted_by_person = False
        self._refused_types: frozenset[str] = frozenset()
        self._logged_refusal: str | None = None
        self.callback = Callback.NONE
        self.problem: str | None = None
        if entry.data[CONF_CALLBACK] != Callback.NONE:
            health.registration = RegistrationState.PENDING

    @property
    def event_types(self) -> list[str]:
        """Return the event types to subscribe: those of the options and those that were found."""
        wanted = self._entry.options.get(CONF_EVENT_TYPES, DOCUMENTED_EVENT_TYPES)
        return list(dict.fromkeys([*wanted, *accepted(self._record.tried_event_types)]))

    async def keep(self) -> None:
        """Reconcile now, daily, on request, and after a failure with a growing interval; never returns."""
        retry_interval = MIN_RETRY_INTERVAL
        while True:
            self._wake.clear()
            is_wanted, self._is_wanted_by_person = self._is_wanted_by_person, False
            try:
                with wanted_by_person() if is_wanted else nullcontext():
                    is_settled = await self._register()
            except Exception:
                _LOGGER.exception("Registering the webhook at Jedlix failed and is tried again")
                self._conclude(RegistrationState.PENDING, self.problem)
                is_settled = False
            # A type that is still refused after many tries is not offered here.
            is_usable = self._health.registration is RegistrationState.DONE
            if is_settled or (is_usable and retry_interval >= MAX_RETRY_INTERVAL):
                retry_interval, wait = MIN_RETRY_INTERVAL, _DAY
            else:
                wait, retry_interval = retry_interval, min(retry_interval * 2, MAX_RETRY_INTERVAL)
            # Homes differ a little, so that they do not all come back at the same moment.
            if await wait_for(self._wake, wait * random.uniform(0.8, 1.2)):  # noqa: S311
                retry_interval = MIN_RETRY_INTERVAL

    @callback
    def check_now(self) -> None:
        """Reconcile now: the callback URL may have changed."""
        self._wake.set()

    @callback
    def resubscribe(self, *, by_person: bool = False) -> None:
        """Write all subscriptions again, now; for a person also while Jedlix asks to wait."""
        self._renew = True
        self._is_wanted_by_person |= by_person
        self._wake.set()

    async def try_callback(self, data: Mapping[str, Any]) -> str | None:
        """Try the callback of an entry's data with a real subscription of one event type.

        Returns None when it works, or when no push is wanted; else why not, as a key of the translations.
        Where Jedlix refuses, the earlier subscription stays.
        """
        async with self._one_at_a_time:
            try:
                chosen = await self._choose_url(data)
                held = self._record.subscriptions
                if chosen is not None and (event_types := self.event_types):
                    self._evidence.reset()
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
                return self._evidence.reason(err)
            finally:
                self._record.schedule_save()
        return None

    async def give_up(self, event_type: str) -> None:
        """Make room for a successor at a tenant that allows one subscription per type.

        `resubscribe` creates it again.
        """
        async with self._one_at_a_time:
            await give_up(
                self._client,
                self._record.subscriptions,
                self._entry.data[CONF_WEBHOOK_ID],
                event_type,
            )
            self._record.schedule_save()

    async def _register(self) -> bool:
        """Make one pass and note its outcome; returns whether the next may wait a day."""
        try:
            async with self._one_at_a_time:
                problem = await self._reconcile()
        except NoCallback as err:
            problem = err.reason
        except ConnectionFailed as err:
            _LOGGER.debug("Registering the webhook at Jedlix is tried again: %s", err)
            self._conclude(RegistrationState.PENDING)
            return False
        except AuthError:
            if not await self._has_access():
                # Whether new credentials are needed is a matter of the poll.
                self._conclude(RegistrationState.PENDING)
                return False
            problem = "rejected"
        except JedlixError as err:
            self._log_refusal(err)
            problem = "rejected"
        if problem == "cloud_away":
            self._conclude(RegistrationState.PENDING, problem)
            return False
        if problem is not None:
            self._conclude(RegistrationState.REFUSED, problem)
            return False
        is_off = self.callback is Callback.NONE or not self.event_types
        self._conclude(RegistrationState.OFF if is_off else RegistrationState.DONE)
        return not self._refused_types

    @callback
    def _conclude(self, registration: RegistrationState, problem: str | None = None) -> None:
        self._health.registration, self.problem = registration, problem
        if registration is RegistrationState.DONE:
            self._logged_refusal = None
        self._concluded()

    def _log_refusal(self, err: JedlixError) -> None:
        """Log the reason to which the repairs refer, once for as long as it stays the same."""
        if (words := str(err)) != self._logged_refusal:
            self._logged_refusal = words
            _LOGGER.warning("Jedlix refuses to register the webhook: %s", words)

    async def _has_access(self) -> bool:
        """Return whether the credentials are good: then Jedlix refuses this one call only."""
        try:
            await self._client.check_access()
        except JedlixError as err:
            return not isinstance(err, AuthError)
        return True

    async def _choose_url(self, data: Mapping[str, Any]) -> ChosenUrl | None:
        """Choose the URL. A registered URL of ours without the webhook id in it is a cloudhook."""
        webhook_id = self._entry.data[CONF_WEBHOOK_ID]
        held = self._record.subscriptions.values()
        return await choose_url(
            self._hass, data, has_cloudhook=any(webhook_id not in item.url for item in held)
        )

    async def _reconcile(self) -> str | None:
        """Reconcile Jedlix's subscriptions; returns the reason when none could be made."""
        chosen = await self._choose_url(self._entry.data)
        held = self._record.subscriptions
        if chosen is None:
            self.callback = Callback.NONE
            await unsubscribe_all(self._client, held, self._entry.data[CONF_WEBHOOK_ID])
            held.clear()
            self._record.schedule_save()
            return None
        self.callback = chosen.callback
        is_finding = self._entry.options.get(CONF_FIND_EVENT_TYPES, False)
        if not is_finding:
            forget_accepted(self._record.tried_event_types)
        renew, self._renew = self._renew, False
        self._evidence.reset()
        try:
            refused = await self._subscribe(self.event_types, chosen.url, renew=renew)
        except Exception:
            self._renew |= renew
            raise
        for event_type in refused.keys() - self._refused_types:
            _LOGGER.info("Jedlix refuses the event type %s: %s", event_type, refused[event_type])
        self._refused_types = frozenset(refused)
        if refused and not held.keys() - refused.keys():
            self._renew |= renew
            err = next(iter(refused.values()))
            self._log_refusal(err)
            return self._evidence.reason(err)
        if renew:
            self._health.note_renewal(dt_util.utcnow())
        if is_finding and (names := untried(self._record.tried_event_types)):
            await self._try_event_types(names, chosen.url)
        return None

    async def _try_event_types(self, names: list[str], url: str) -> None:
        """Try to subscribe the candidates, once, and remember Jedlix's answers."""
        refused = await self._subscribe([*self.event_types, *names], url)
        self._record.tried_event_types |= {
            name: name not in refused
            for name in names
            if not isinstance(refused.get(name), Conflict)  # a type that is taken exists
        }
        self._record.schedule_save()
        _LOGGER.info("Event types that Jedlix offers here: %s", ", ".join(self.event_types))

    async def _subscribe(
        self, event_types: list[str], url: str, *, renew: bool = False
    ) -> dict[str, JedlixError]:
        """Subscribe exactly these types at this URL; returns those that were refused."""
        try:
            return await reconcile(
                self._client,
                self._record.subscriptions,
                event_types=event_types,
                url=url,
                key=self._entry.data[CONF_WEBHOOK_KEY],
                webhook_id=self._entry.data[CONF_WEBHOOK_ID],
                renew=renew,
                is_lost=partial(self._is_lost, url.rpartition("/")[0]),
            )
        finally:
            self._record.schedule_save()

    def _is_lost(self, base: str, url: str) -> bool:
        """Return whether a URL is at our base, and no webhook here has its id."""
        address, _, webhook_id = url.rpartition("/")
        return (
            address == base
            and self._entry.data[CONF_WEBHOOK_ID] != webhook_id
            and webhook_id not in self._hass.data.get(webhook.DOMAIN, {})
        )
