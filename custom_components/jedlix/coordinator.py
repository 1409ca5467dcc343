"""Coordinator: polls, serves refresh requests, and says when Jedlix cannot be read.

The base class has the schedule of the poll, the retry, one log line when Jedlix is away and one when it is
back. It does not distinguish users. What is known of each, and until when, stands in the user's own
snapshot.
"""

import asyncio
from collections.abc import Coroutine, Iterable
from datetime import timedelta
from functools import partial
import logging
from typing import Any, Final, override

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from .api import (
    AuthError,
    JedlixClient,
    JedlixError,
    RateLimited,
)
from .api.errors import TokenRefused
from .api.gate import MAX_PAUSE, nobody_waits
from .api.offered import OfferedCalls
from .const import CONF_POLL_MINUTES, DEFAULT_POLL_MINUTES, DOMAIN
from .deliveries import Deliveries
from .fleet import Fleet
from .issues import UserIssues
from .known_users import KnownUsers
from .listeners import Listeners
from .poll import Poll
from .publisher import Publisher, Source
from .push.health import PushHealth
from .push.history import WebhookHistory
from .quick_poll import QuickPoll
from .refresher import Refresher
from .state.details import DetailReader
from .state.fetcher import Fetcher
from .state.financials import Financials
from .state.knowledge import max_age
from .state.refresh_queue import RefreshQueue
from .state.schedule import PollSchedule
from .store import JedlixStore
from .tenant_sessions import TenantSessions
from .zones import zone_of

_LOGGER = logging.getLogger(__name__)

# How long set-up waits for the first poll where the store has every user, in seconds.
STORED_USERS_TIMEOUT: Final = 0.5
# When a poll that failed is tried again, in seconds.
_RETRY_INTERVAL: Final = 60.0
# How often is polled while the credentials are refused, in seconds.
_REFUSED_RETRY_INTERVAL: Final = 300.0
# The entries that were read since Home Assistant started: when one is set up again, that is a reload.
READ_SINCE_START: HassKey[set[str]] = HassKey(f"{DOMAIN}_read_since_start")


class JedlixCoordinator(DataUpdateCoordinator[None]):
    """The coordinator of one entry."""

    config_entry: ConfigEntry[Any]

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry[Any],
        client: JedlixClient,
        *,
        store: JedlixStore,
        health: PushHealth,
        followed: Iterable[str],
    ) -> None:
        """Follow these users."""
        minutes = entry.options.get(CONF_POLL_MINUTES, DEFAULT_POLL_MINUTES)
        self._interval = timedelta(minutes=minutes)
        super().__init__(
            hass,
            _LOGGER,
            config_entry=entry,
            name=DOMAIN,
            update_interval=self._interval,
            always_update=False,
        )
        self._client = client
        self._store = store
        self._health = health
        self.now = client.clock.now
        self.offered_listeners = Listeners[()]()
        self.offered = OfferedCalls(
            store.learned_calls,
            self.now,
            decided=self.offered_listeners.call,
            of_one_user=client.user_id is not None,
        )
        self.fleet = Fleet(store)
        self.publisher = Publisher(hass, entry.entry_id)
        self.user_issues = UserIssues(hass, entry)
        fetcher = Fetcher(client, self.offered, lambda: self.fleet.owners)
        self._last_good_poll = store.tenant_read_at
        self._queue = RefreshQueue(self._serve_request, self._in_background)
        self._schedule = PollSchedule(followed)
        self.known = KnownUsers(
            store,
            self._schedule,
            poll_interval=self._interval,
            now=self.now,
            is_start=entry.entry_id not in hass.data.get(READ_SINCE_START, ()),
        )
        tenant_sessions = TenantSessions(
            store=store,
            schedule=self._schedule,
            known=self.known,
            fetcher=fetcher,
            now=self.now,
        )
        self._details = DetailReader(fetcher, self.offered, zone_of=partial(zone_of, hass))
        self.deliveries = Deliveries(
            store=store,
            schedule=self._schedule,
            details=self._details.schedule,
            fleet=self.fleet,
            publisher=self.publisher,
            now=self.now,
            request_refresh=self._queue.request,
            request_poll=self._request_poll,
        )
        self._history = WebhookHistory(
            client,
            self.offered,
            store.push,
            self.deliveries.publish_missed,
            self.publisher.released.wait,
        )
        self._history.note_missed(store.tenant_read_at)
        financials = Financials(client, self.offered)
        self.refresher = Refresher(
            store=store,
            schedule=self._schedule,
            known=self.known,
            fetcher=fetcher,
            details=self._details,
            financials=financials,
            fleet=self.fleet,
            publisher=self.publisher,
            user_issues=self.user_issues,
            health=health,
            now=self.now,
            in_background=self._in_background,
        )
        self.poll = Poll(
            store=store,
            schedule=self._schedule,
            known=self.known,
            tenant_sessions=tenant_sessions,
            review=fetcher.review,
            history=self._history,
            details=self._details.schedule,
            financials=financials,
            refresher=self.refresher,
            is_push_reporting=self._is_push_reporting,
            interval=self._interval,
            now=self.now,
            in_background=self._in_background,
        )
        self.quick_poll = QuickPoll(
            hass,
            store=store,
            schedule=self._schedule,
            is_push_reporting=self._is_push_reporting,
            poll_interval=self._interval,
            tenant_sessions=tenant_sessions,
            refresh_users=self.poll.refresh_users,
            in_background=self._in_background,
        )
        # users whose next requested refresh follows a command of ours
        self._commanded: set[str] = set()

    def _is_push_reporting(self) -> bool:
        return self._health.is_reporting(dt_util.utcnow())

    # -- who is followed -----------------------------------------------------------------------------------

    @property
    def followed(self) -> frozenset[str]:
        """Return the ids of the followed users."""
        return self._schedule.followed

    @property
    def is_household(self) -> bool:
        """Return whether few users are followed, not a fleet."""
        return self._schedule.is_household

    @callback
    def follow(self, user_id: str) -> None:
        """Follow one more user, and refresh them."""
        self._schedule.follow(user_id)
        self._queue.request(user_id)

    @callback
    def unfollow(self, user_id: str) -> None:
        """Forget a user with all cars and chargers. Nothing is published: nothing happened to them."""
        self._schedule.unfollow(user_id)
        self.fleet.drop(user_id)
        self.user_issues.forget(user_id)
        self._store.reports.forget(user_id)
        self.refresher.forget(user_id)

    # -- refresh requests ----------------------------------------------------------------------------------

    @callback
    def _request_poll(self) -> None:
        self.config_entry.async_create_task(self.hass, self.async_request_refresh())

    async def _serve_request(self, user_id: str) -> bool:
        """Refresh a user on request; returns false when it failed and is to be tried again."""
        source = Source.COMMAND if user_id in self._commanded else Source.WEBHOOK
        with nobody_waits():
            error = await self.refresher.refresh(user_id, source)
        if error is not None and not isinstance(error, AuthError):
            _LOGGER.debug("The refresh of Jedlix user %s is tried again: %s", user_id, error)
            return False
        # Credentials that are refused are a matter of the poll.
        self._commanded.discard(user_id)
        return True

    async def read_addresses(self, user_id: str) -> None:
        """Read the charging locations of a user, where they come from the store, which has no addresses."""
        if self._details.schedule.lacks_addresses(user_id):
            await self.refresh_locations(user_id)

    # -- the poll ------------------------------------------------------------------------------------------

    async def first_poll(self) -> None:
        """Poll for the first time; raises ConfigEntryNotReady.

        Where the store has every user, set-up waits for a moment only: the entities can show what is stored.
        """
        if not self.followed or self.known.never_refreshed:
            await self.async_config_entry_first_refresh()
            return
        poll = self._in_background(self.async_config_entry_first_refresh(), "jedlix first poll")
        done, _ = await asyncio.wait([poll], timeout=STORED_USERS_TIMEOUT)
        if done:
            poll.result()
            return
        poll.add_done_callback(_log_failure)
        self.fleet.update_availability(self.known.is_available)

    @override
    async def _async_update_data(self) -> None:
        """Poll, and note whether the credentials were accepted."""
        self._note_missed_deliveries()
        try:
            failure = await self.poll.run()
        except JedlixError as err:
            failure = err
        if isinstance(failure, AuthError) and not await self._is_account_refused(failure):
            failure = None  # it is a matter of the users whose calls were refused
        self.quick_poll.note_poll(succeeded=failure is None)
        if failure is None:
            self._note_good_poll()
            return
        self.fleet.update_availability(self.known.is_available)
        self.user_issues.note_failed_poll()
        if isinstance(failure, AuthError):
            self._note_refused_credentials()
        raise UpdateFailed(
            translation_domain=DOMAIN,
            translation_key="update_failed",
            translation_placeholders={"error": str(failure)},
            retry_after=self._retry_interval(failure),
        ) from failure

    @callback
    def _note_refused_credentials(self) -> None:
        """Request new credentials once enough polls were refused."""
        if self._store.credentials.note_refusal(self.now()):
            self.config_entry.async_start_reauth(self.hass)
        self._store.schedule_save()

    def _retry_interval(self, failure: JedlixError) -> float:
        """Return when a poll that failed is tried again, in seconds."""
        if isinstance(failure, AuthError):
            return min(self._interval.total_seconds(), _REFUSED_RETRY_INTERVAL)
        if isinstance(failure, RateLimited) and failure.retry_after is not None:
            return min(failure.retry_after, MAX_PAUSE)
        return _RETRY_INTERVAL

    @callback
    def _note_missed_deliveries(self) -> None:
        """Have the history read where Jedlix, or this machine, was away since the last good poll."""
        last, now = self._last_good_poll, self.now()
        is_away = not self.last_update_success
        if last is not None and (is_away or now - last > max_age(self._interval, 1)):
            self._history.note_missed(last)

    @callback
    def note_missed_delivery(self) -> None:
        """Have the history read: a delivery came that could not be taken."""
        self._history.note_missed(self.now())

    @callback
    def _note_good_poll(self) -> None:
        """Note that Jedlix answers: a request for new credentials is withdrawn."""
        self._last_good_poll = self.now()
        self.hass.data.setdefault(READ_SINCE_START, set()).add(self.config_entry.entry_id)
        self._store.credentials.note_answer()
        for flow in self.config_entry.async_get_active_flows(self.hass, {SOURCE_REAUTH}):
            self.hass.config_entries.flow.async_abort(flow["flow_id"])
        self.known.log_failing(self.refresher.reasons)
        if not self._store.is_closed:
            self.user_issues.review(self.followed, self.known.failing, self.now())
        self.fleet.update_availability(self.known.is_available)
        self._store.schedule_save()
        self._health.review(self.now())

    async def _is_account_refused(self, err: AuthError) -> bool:
        """Return whether a second call agrees that the credentials are refused."""
        if isinstance(err, TokenRefused):
            return True
        try:
            await self._client.check_access()
        except JedlixError as second:
            return isinstance(second, AuthError)
        return False

    async def refresh_locations(self, user_id: str) -> None:
        """Read the charging locations of a user now; what cannot be read is read later."""
        self._details.schedule.request_locations(user_id)
        await self.refresher.refresh(user_id, Source.POLL, thorough=False)

    # -- commands ------------------------------------------------------------------------------------------

    @property
    def is_closed(self) -> bool:
        """Return whether the entry is unloaded: nothing more is written or published."""
        return self._store.is_closed

    async def refresh_after_command(self, user_id: str) -> None:
        """Refresh a user after a write of ours. A refresh that fails is requested again."""
        self._details.schedule.request_settings(user_id)
        if await self.refresher.refresh(user_id, Source.COMMAND) is not None:
            self.request_after_failed_command(user_id)

    @callback
    def request_after_failed_command(self, user_id: str) -> None:
        """Request a refresh after a write without an answer: Jedlix may have carried it out."""
        self._details.schedule.request_settings(user_id)
        self._commanded.add(user_id)
        self._queue.request(user_id)

    def _in_background[T](self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        return self.config_entry.async_create_background_task(self.hass, work, name)


def _log_failure(poll: asyncio.Task[None]) -> None:
    """Log why the first poll failed that set-up did not wait for."""
    if not poll.cancelled() and (err := poll.exception()) is not None:
        _LOGGER.warning("Jedlix cannot be read since the start: %s", err.__cause__ or err)
