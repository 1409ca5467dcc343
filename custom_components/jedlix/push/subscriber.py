"""Subscriber: subscribes the wanted event types, first those that decide whether push works.

What Jedlix refuses is remembered with the reason, and tried again when it is due. At a tenant that limits the
number of subscriptions, the most useful ones are kept.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
import logging
from typing import Any, Final

from homeassistant.components import webhook
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_WEBHOOK_ID
from homeassistant.core import HomeAssistant
from homeassistant.loader import async_get_loaded_integration
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from ..api import AuthError, Conflict, ConnectionFailed, JedlixClient, JedlixError
from ..api.offered import OfferedCalls
from ..const import CONF_FOLLOW_NEW_USERS, CONF_WEBHOOK_KEY, DOMAIN
from .event_types import gives_way_to
from .evidence import RegistrationEvidence
from .record import PushRecord
from .refused_types import Trial, next_due, note_refused, plan, reason_of
from .subscriptions import reconcile, replace

_LOGGER = logging.getLogger(__name__)

LOST_URLS: HassKey[frozenset[str]] = HassKey(f"{DOMAIN}_lost_urls")
"""The URLs that entries had subscribed which were removed without their integration."""

# The reported event types are tried in the documented spelling, then in the one in which they were seen.
_SPELLINGS: Final = 2
# A message that arrived within this time shows that Jedlix can reach us.
_REACHED_FOR: Final = timedelta(days=1)


class Subscriber:
    """The subscriptions of one entry. `is_interrupted` says that Jedlix failed during the last pass."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry[Any],
        client: JedlixClient,
        *,
        offered: OfferedCalls,
        record: PushRecord,
        evidence: RegistrationEvidence,
    ) -> None:
        """Keep the record up to date; `evidence` is of the pass at hand."""
        self._hass = hass
        self._entry = entry
        self._client = client
        self._offered = offered
        self._record = record
        self._evidence = evidence
        self._version = str(async_get_loaded_integration(hass, DOMAIN).version)
        self.is_interrupted = False

    def next_due(self, wanted: Iterable[str]) -> datetime | None:
        """Return when the first refused event type is to be tried again, None where none was refused."""
        return next_due(wanted, self._record.refused_types, self._version)

    async def subscribe(
        self, wanted: list[str], url: str, *, renew: bool, retry: bool
    ) -> JedlixError | None:
        """Subscribe what is wanted; returns the refusal where no subscription could be made.

        `renew` writes all of them again, `retry` tries all that were refused. An event type that Jedlix
        refuses is remembered and costs one line at debug level. Raises what the API raises when it cannot be
        reached.
        """
        held = self._record.subscriptions
        self.is_interrupted = False
        trial = self._plan(wanted, retry=retry)
        refused = await self._subscribe(trial.core, url, renew=renew)
        refusal = None
        if refused and not held.keys() - refused.keys():
            refusal = next(iter(refused.values()))
            if not isinstance(refusal, Conflict):
                return refusal  # it is no matter of the event types
        self._note_answers(refused)
        try:
            refused |= await self._subscribe_others(url, trial.others, wanted)
            await self._make_room(url, refused)
        except (ConnectionFailed, AuthError) as err:
            _LOGGER.debug("The other event types of Jedlix are tried again soon: %s", err)
            self.is_interrupted = True
        if refusal is not None and not held.keys() - refused.keys():
            self._record.refused_types.clear()  # all are tried again
            return refusal
        return None

    async def _subscribe_others(
        self, url: str, others: Iterable[str], wanted: list[str]
    ) -> dict[str, JedlixError]:
        """Subscribe more event types, then in the other spelling where all are refused; returns those."""
        refusals: dict[str, JedlixError] = {}
        for _ in range(_SPELLINGS):
            others = [name for name in others if name not in refusals]
            if others:
                held = self._record.subscriptions
                refused = await self._subscribe([*held, *others], url, optional=others)
                self._note_answers(refused)
                refusals |= refused
            others = self._plan(wanted).others
        return refusals

    def _plan(self, wanted: list[str], *, retry: bool = False) -> Trial:
        record = self._record
        return plan(
            wanted,
            record.subscriptions,
            record.refused_types,
            dt_util.utcnow(),
            self._version,
            all_due=retry,
        )

    def _note_answers(self, refusals: Mapping[str, JedlixError]) -> None:
        """Remember the refusals of event types that Jedlix does not hold, and forget those of the others."""
        record, tested, now = self._record, self._evidence.tested_types, dt_util.utcnow()
        is_reached = self._is_reached(now)
        for event_type in record.subscriptions.keys() & record.refused_types.keys():
            del record.refused_types[event_type]
        for event_type in refusals.keys() - record.subscriptions.keys():
            err = refusals[event_type]
            reason = reason_of(err, is_reached=is_reached, is_tested=event_type in tested)
            _LOGGER.debug("Jedlix refuses the event type %s (%s): %s", event_type, reason, err)
            note_refused(record.refused_types, event_type, reason, now, self._version)
        record.schedule_save()

    def _is_reached(self, now: datetime) -> bool:
        """Return whether a message of Jedlix arrived in this pass or within the last day."""
        record = self._record
        if self._evidence.is_reached:
            record.last_tests = now
        arrivals = filter(None, (record.last_tests, record.last_delivery))
        return any(timedelta(0) <= now - at < _REACHED_FOR for at in arrivals)

    async def _make_room(self, url: str, refusals: Mapping[str, JedlixError]) -> None:
        """Give up a less useful subscription for a more useful one, at a tenant that limits their number."""
        held = self._record.subscriptions
        keep_users = self._entry.options.get(CONF_FOLLOW_NEW_USERS, False)
        for event_type, err in refusals.items():
            if not isinstance(err, Conflict) or event_type in held:
                continue
            gives_way = gives_way_to(event_type, held, keep_users=keep_users)
            if gives_way is None:
                continue
            is_replaced = await replace(
                self._client,
                held,
                gives_way=gives_way,
                event_type=event_type,
                url=url,
                key=self._entry.data[CONF_WEBHOOK_KEY],
            )
            self._record.schedule_save()
            if not is_replaced:
                return
            self._note_answers({gives_way: err})

    async def _subscribe(
        self,
        event_types: Iterable[str],
        url: str,
        *,
        renew: bool = False,
        optional: Collection[str] = (),
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
                optional=optional,
                is_lost=partial(self._is_lost, url),
            )
        finally:
            is_listed = any(item.is_listed for item in self._record.subscriptions.values())
            if is_listed and not self._offered.has_answered("subscriptions"):
                self._offered.note_answer("subscriptions")
            self._record.schedule_save()

    def _is_lost(self, own_url: str, url: str) -> bool:
        """Return whether a URL is of this Home Assistant and leads to none of its webhooks.

        A cloudhook does not show whose it is: only the file of the entry that had it does.
        """
        own_address, _, own_webhook_id = own_url.rpartition("/")
        address, _, webhook_id = url.rpartition("/")
        if address != own_address or own_webhook_id != self._entry.data[CONF_WEBHOOK_ID]:
            return url in self._hass.data.get(LOST_URLS, ())
        entries = self._hass.config_entries.async_entries(DOMAIN)
        return webhook_id not in {
            *self._hass.data.get(webhook.DOMAIN, ()),
            *(entry.data.get(CONF_WEBHOOK_ID) for entry in entries),
        }
