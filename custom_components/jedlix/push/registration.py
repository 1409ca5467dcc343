"""Registration: keeps Jedlix's subscriptions right, at the start, daily, after changes and after failures.

Whatever goes wrong ends in a registration that is pending, one that is refused with a reason, or a request
for new credentials. Nothing of it fails the entry.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext, suppress
import logging
import random
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_WEBHOOK_ID
from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util

from ..api import AuthError, ConnectionFailed, JedlixClient, JedlixError
from ..api.errors import TokenRefused
from ..api.gate import wanted_by_person
from ..api.offered import OfferedCalls
from ..const import CONF_CALLBACK, CONF_EVENT_TYPES, CONF_WEBHOOK_KEY
from .callback_url import Callback, ChosenUrl, NoCallback, choose_url
from .copies import forget_those_of_another
from .event_types import DEFAULT_EVENT_TYPES
from .evidence import RegistrationEvidence
from .health import PushHealth, RegistrationState
from .record import PushRecord
from .subscriber import Subscriber
from .subscriptions import give_up, register, unsubscribe_all

_LOGGER = logging.getLogger(__name__)

MIN_RETRY_INTERVAL: Final = 30.0
MAX_RETRY_INTERVAL: Final = 1800.0
_DAY: Final = 86_400.0


async def wait_for(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event, no longer than this; returns whether it came."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()  # it may have come at the last moment


class Registration:
    """The registration of one entry.

    `problem` is why it is refused, as a key of the translations. `refusal` is that in the words of Jedlix.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry[Any],
        client: JedlixClient,
        *,
        offered: OfferedCalls,
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
        self._subscriber = Subscriber(
            hass, entry, client, offered=offered, record=record, evidence=evidence
        )
        self._concluded = concluded
        self._one_at_a_time = asyncio.Lock()
        self._wake = asyncio.Event()
        self._renew = False
        self._retry = False
        self._is_wanted_by_person = False
        self._tried: list[str] | None = None
        self.callback = Callback.NONE
        self.problem: str | None = None
        self.refusal: str | None = None
        self._is_wanted = entry.data[CONF_CALLBACK] != Callback.NONE
        if self._is_wanted:
            health.registration = RegistrationState.PENDING

    @property
    def event_types(self) -> list[str]:
        """Return the event types to subscribe: those that are being tried, else those of the options."""
        if self._tried is not None:
            return self._tried
        return list(self._entry.options.get(CONF_EVENT_TYPES, DEFAULT_EVENT_TYPES))

    @property
    def accepted(self) -> list[str]:
        """Return the event types that Jedlix accepted, as it spells them."""
        return list(self._record.subscriptions)

    @property
    def refused(self) -> list[str]:
        """Return the event types that Jedlix refused."""
        return list(self._record.refused_types)

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
            if is_settled:
                retry_interval, wait = MIN_RETRY_INTERVAL, self._time_to_next_pass()
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
        """Write all subscriptions again, now.

        For a person also while Jedlix asks to wait, and with the event types that Jedlix has refused.
        """
        self._renew = True
        self._retry |= by_person
        self._is_wanted_by_person |= by_person
        self._wake.set()

    async def find_event_types(self, event_types: Iterable[str]) -> str | None:
        """Try to subscribe these event types, refused ones included; returns the problem that remains.

        What Jedlix accepted and refused then stands in the push record. The entry's options are not changed.
        """
        self._retry = True
        self._tried = list(event_types)
        try:
            return await self._register_for_person()
        finally:
            self._tried = None

    async def resubscribe_now(self) -> str | None:
        """Write all subscriptions again, refused event types included; returns the problem that remains.

        What failed is tried again in the background.
        """
        self._renew = self._retry = True
        problem = await self._register_for_person()
        if problem is not None:
            self._wake.set()
        return problem

    async def _register_for_person(self) -> str | None:
        with wanted_by_person():
            await self._register()
        if self.problem is None and self._health.registration is RegistrationState.PENDING:
            return "cannot_register"
        return self.problem

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
        except AuthError as err:
            if isinstance(err, TokenRefused) or not await self._has_access():
                # Whether new credentials are needed is a matter of the poll.
                self._conclude(RegistrationState.PENDING)
                return False
            self._log_refusal(err)
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
        return not self._subscriber.is_interrupted

    def _time_to_next_pass(self) -> float:
        """Return the seconds until a refused event type is to be tried again, a day at most."""
        if (due_at := self._subscriber.next_due(self.event_types)) is None:
            return _DAY
        pause = (due_at - dt_util.utcnow()).total_seconds()
        return min(_DAY, max(MIN_RETRY_INTERVAL, pause))

    @callback
    def _conclude(self, registration: RegistrationState, problem: str | None = None) -> None:
        if not self._is_wanted:  # then it only deletes what was left at Jedlix
            registration, problem = RegistrationState.OFF, None
        self._health.registration, self.problem = registration, problem
        if registration is RegistrationState.DONE:
            self.refusal = None
        self._concluded()

    def _log_refusal(self, err: JedlixError) -> None:
        """Keep the reason for the repairs, and log it once for as long as it stays the same."""
        if (words := str(err)) != self.refusal:
            self.refusal = words
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
        self._evidence.reset()
        await forget_those_of_another(
            self._hass,
            held,
            None if chosen is None else chosen.url,
            lambda: self._evidence.key_problem is not None,
        )
        if chosen is None:
            self.callback = Callback.NONE
            await unsubscribe_all(self._client, held, self._entry.data[CONF_WEBHOOK_ID])
            held.clear()
            self._record.schedule_save()
            return None
        self.callback = chosen.callback
        renew, self._renew = self._renew, False
        retry, self._retry = self._retry, False
        self._evidence.reset()
        try:
            refusal = await self._subscriber.subscribe(
                self.event_types, chosen.url, renew=renew, retry=retry
            )
        except Exception:
            self._renew |= renew
            self._retry |= retry
            raise
        if refusal is not None:
            self._renew |= renew
            self._log_refusal(refusal)
            return self._evidence.reason(refusal)
        if renew:
            self._health.note_renewal(dt_util.utcnow())
        return None
