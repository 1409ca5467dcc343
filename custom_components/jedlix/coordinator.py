"""Coordinator: polls, serves refresh requests, keeps the snapshots and has the changes published.

The base class has the schedule of the poll, the retry, one log line when Jedlix is away and one when it is
back. It does not distinguish cars; the fleet does.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
import logging
from typing import Any, Final, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryAuthFailed
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util import dt as dt_util

from .api import (
    AuthError,
    JedlixClient,
    JedlixError,
    NotFound,
    RateLimited,
    Session,
    Vehicle,
    WebhookMessage,
)
from .api.offered import OfferedCalls
from .const import CONF_POLL_MINUTES, DEFAULT_POLL_MINUTES, DOMAIN
from .devices import DeviceKey
from .fleet import Fleet
from .publisher import Publisher, Source
from .push.health import PushHealth
from .push.history import WebhookHistory
from .state.changes import Change, compare
from .state.fetcher import FIRST_REFRESH_PERIOD, LISTING_DELAY, Fetcher
from .state.refresh_queue import RefreshQueue
from .state.schedule import USERS_PER_POLL, DetailSchedule, PollSchedule, users_with_new_sessions
from .state.snapshot import UserSnapshot, VehicleSnapshot
from .store import JedlixStore

_LOGGER = logging.getLogger(__name__)

# How long set-up waits for the first refresh of all users, in seconds. The rest goes on in the background.
FIRST_REFRESH_TIMEOUT: Final = 10.0
# When a poll that failed is tried again, in seconds. The cars are unavailable until then.
_RETRY_INTERVAL: Final = 60.0


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
        super().__init__(
            hass,
            _LOGGER,
            config_entry=entry,
            name=DOMAIN,
            update_interval=timedelta(minutes=minutes),
            always_update=False,
        )
        self._store = store
        self._health = health
        self.offered = OfferedCalls()
        self.fleet = Fleet(store)
        self.publisher = Publisher(hass, entry.entry_id)
        self.user_locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._fetcher = Fetcher(client, self.offered)
        self._history = WebhookHistory(
            client, self.offered, store.push, self._publish_missed_delivery
        )
        self._history.note_missed(store.last_poll)
        self._queue = RefreshQueue(self._serve_request, self._in_background)
        self._schedule = PollSchedule(followed, dt_util.utcnow())
        self._details = DetailSchedule()
        # users whose next requested refresh follows a command of ours, and those that Jedlix just did not
        # know
        self._commanded: set[str] = set()
        self._not_found: set[str] = set()
        for unfollowed in store.users.keys() - self.followed:
            del store.users[unfollowed]

    # -- who is followed -----------------------------------------------------------------------------------

    @property
    def followed(self) -> frozenset[str]:
        """Return the ids of the followed users."""
        return self._schedule.followed

    @property
    def never_refreshed(self) -> frozenset[str]:
        """Return the followed users whose cars or chargers are not known yet."""
        return frozenset(
            user_id
            for user_id in self.followed
            if (user := self._store.users.get(user_id)) is None or user.chargers is None
        )

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

    # -- refresh requests ----------------------------------------------------------------------------------

    @callback
    def handle_delivery(self, message: WebhookMessage) -> None:
        """Request a refresh of the user that a delivery names.

        A delivery that names nobody refreshes all users of a household. In a fleet it brings the poll
        forward.
        """
        if (users := self._users_of_delivery(message)) is None:
            self.config_entry.async_create_task(self.hass, self.async_request_refresh())
            return
        for user_id in users:
            self._queue.request(user_id)

    def _users_of_delivery(self, message: WebhookMessage) -> Collection[str] | None:
        """Return the followed users whom a delivery is about, None where it may be anybody of a fleet.

        The name of an event type hints at settings (a guess); this only decides what is read.
        """
        if (user_id := message.user_id or self.fleet.owner(message)) is not None:
            users = self.followed & {user_id}
        elif len(self.followed) <= USERS_PER_POLL:
            users = self.followed
        else:
            return None
        if "setting" in message.event_type.lower():
            for followed in users:
                self._details.request_settings(followed)
        return users

    async def _serve_request(self, user_id: str) -> bool:
        """Refresh a user on request; returns false when it failed and is to be tried again."""
        source = Source.COMMAND if user_id in self._commanded else Source.WEBHOOK
        error = await self._try_refresh(user_id, source)
        if isinstance(error, AuthError):
            # The next try would be refused as well, and new credentials reload the entry.
            self.config_entry.async_start_reauth(self.hass)
        elif error is not None:
            _LOGGER.debug("The refresh of Jedlix user %s is tried again: %s", user_id, error)
            return False
        self._commanded.discard(user_id)
        return True

    # -- the poll ------------------------------------------------------------------------------------------

    @override
    async def _async_update_data(self) -> None:
        """Poll: read what began or ended in the tenant, then refresh the users who are due."""
        now = dt_util.utcnow()
        if self._is_after_gap(now):
            self._schedule.note_gap(now)
            self._history.note_missed(self._store.last_poll)
        named = await self._publish_missed_deliveries(now)
        try:
            sessions = await self._tenant_sessions(self._store.last_poll)
            due = self._schedule.take_due(
                self._store.users, sessions, lists_tenant=self.offered.is_offered("sessions")
            )
            await self._refresh_users(due, sessions, named)
        except AuthError as err:
            raise ConfigEntryAuthFailed(
                translation_domain=DOMAIN, translation_key="auth_failed"
            ) from err
        except JedlixError as err:
            raise UpdateFailed(
                translation_domain=DOMAIN,
                translation_key="update_failed",
                translation_placeholders={"error": str(err)},
                retry_after=(isinstance(err, RateLimited) and err.retry_after) or _RETRY_INTERVAL,
            ) from err
        self._store.last_poll = now
        self._store.schedule_save()
        self._health.review(now)

    def _is_after_gap(self, now: datetime) -> bool:
        """Return whether Jedlix, or Home Assistant, was away since the last good poll."""
        last_poll, interval = self._store.last_poll, self.update_interval
        return not self.last_update_success or (
            last_poll is not None and interval is not None and now - last_poll > 3 * interval
        )

    async def catch_up(self, since: datetime) -> None:
        """Publish as late what was missed since a moment, at most 7 days ago; raises a JedlixError."""
        now = dt_util.utcnow()
        named = await self._history.publish_since(since, now)
        sessions = await self._tenant_sessions(since)
        missed = named | users_with_new_sessions(self._store.users, sessions)
        if not self.offered.is_offered("sessions"):
            missed |= self.followed
        self._schedule.note_missed(missed, since, now)
        await self._refresh_users(dict.fromkeys(missed, True), sessions, missed)

    async def _publish_missed_deliveries(self, now: datetime) -> Collection[str]:
        """Publish the missed deliveries of the history; returns the users they are about.

        What takes longer than set-up can wait goes on in the background: everybody is refreshed anyway.
        """
        publishing = self._in_background(
            self._history.publish_missed(now), "jedlix webhook history"
        )
        done, _ = await asyncio.wait([publishing], timeout=FIRST_REFRESH_TIMEOUT)
        return publishing.result() if done else ()

    @callback
    def _publish_missed_delivery(self, message: WebhookMessage) -> Collection[str]:
        followed = message.user_id in self.followed
        self.publisher.publish_delivery(message, Source.HISTORY, followed=followed, late=True)
        return self._users_of_delivery(message) or ()

    async def _tenant_sessions(self, since: datetime | None) -> dict[str, list[Session]]:
        """Return the sessions of the followed users since a moment, by user; none before the first poll."""
        found: dict[str, list[Session]] = {}
        if since is not None:
            for session in await self._fetcher.tenant_sessions(since - LISTING_DELAY):
                if session.user_id in self.followed:
                    found.setdefault(session.user_id, []).append(session)
        return found

    async def _refresh_users(
        self,
        due: Mapping[str, bool],
        sessions: Mapping[str, list[Session]],
        named: Collection[str],
    ) -> None:
        """Refresh users side by side; raises the failure when every refresh failed.

        `named` are the users whom the history named. The first refresh of a large fleet goes on in the
        background once set-up has waited long enough.
        """
        refreshes = [
            self._in_background(
                self._try_refresh(
                    user_id,
                    Source.HISTORY if user_id in named else Source.POLL,
                    sessions.get(user_id, ()),
                    thorough=thorough,
                ),
                f"jedlix poll of {user_id}",
            )
            for user_id, thorough in due.items()
        ]
        if not refreshes:
            return
        done, _ = await asyncio.wait(refreshes, timeout=FIRST_REFRESH_TIMEOUT)
        failures = [refresh.result() for refresh in done]
        for failure in failures:
            if failure is not None and (isinstance(failure, AuthError) or None not in failures):
                raise failure

    # -- commands ------------------------------------------------------------------------------------------

    @callback
    def apply_command(
        self, key: DeviceKey, edit: Callable[[VehicleSnapshot], VehicleSnapshot]
    ) -> None:
        """Apply what a command of ours changed at a car, and publish it."""
        user_id, vehicle_id = key
        if (user := self._store.users.get(user_id)) is None or vehicle_id not in user.vehicles:
            return
        after = user.with_vehicle(edit(user.vehicles[vehicle_id]))
        self._put_and_publish(user, after, Source.COMMAND)

    async def refresh_after_command(self, user_id: str) -> None:
        """Refresh a user after a write of ours. A refresh that fails is requested again."""
        if await self._try_refresh(user_id, Source.COMMAND) is not None:
            self.request_after_failed_command(user_id)

    @callback
    def request_after_failed_command(self, user_id: str) -> None:
        """Request a refresh after a write without an answer: Jedlix may have carried it out."""
        self._details.request_settings(user_id)
        self._commanded.add(user_id)
        self._queue.request(user_id)

    # -- the refresh of one user ---------------------------------------------------------------------------

    async def _try_refresh(
        self,
        user_id: str,
        source: Source,
        sessions: Iterable[Session] = (),
        *,
        thorough: bool = True,
    ) -> JedlixError | None:
        """Refresh a user; returns the failure, after which everything since the last good poll is missed."""
        since = self._store.last_poll or dt_util.utcnow()
        try:
            await self._refresh(user_id, source, sessions, thorough=thorough)
        except JedlixError as err:
            self._schedule.note_failed(user_id, since)
            return err
        return None

    async def _refresh(
        self, user_id: str, source: Source, sessions: Iterable[Session], *, thorough: bool
    ) -> None:
        """Fetch a user's state and publish what changed; raises a JedlixError."""
        async with self.user_locks[user_id]:
            if user_id not in self.followed:
                return
            known = self._store.users.get(user_id)
            now = dt_util.utcnow()
            before = known or UserSnapshot.unknown(user_id, now)
            try:
                vehicles: Iterable[Vehicle]
                fetched: Iterable[Session] = ()
                if not thorough:
                    vehicles = await self._fetcher.vehicles(user_id)
                    thorough = before.needs_sessions(vehicles)
                if thorough:
                    vehicles, fetched = await self._fetcher.user(
                        user_id, self._sessions_since(known, now)
                    )
            except NotFound:
                if before.vehicles and not self._note_not_found(user_id, source):
                    raise
                vehicles = ()
            self._not_found.discard(user_id)
            if user_id not in self.followed:  # unfollowed meanwhile
                return
            gap_ended_at = (
                self._schedule.gap_ended_at
                if self._schedule.is_after_gap(user_id) and known
                else None
            )
            self._schedule.note_refreshed(user_id)
            after = before.advance(vehicles, [*sessions, *fetched], dt_util.utcnow())
            changes = self._put_and_publish(before, after, source, gap_ended_at)
            if gap_ended_at is None:
                self._note_push_evidence(user_id, changes, source)
            if not self._store.is_closed:
                await self._refresh_details(after, changes, source, gap_ended_at)

    def _note_not_found(self, user_id: str, source: Source) -> bool:
        """Note that Jedlix does not know a user; returns whether two polls in a row say so."""
        if source is not Source.POLL:
            return False
        is_second = user_id in self._not_found
        self._not_found.add(user_id)
        return is_second

    def _sessions_since(self, known: UserSnapshot | None, now: datetime) -> datetime:
        """Return since when a user's sessions are read: the last good poll, or the oldest open session."""
        if known is None:
            return now - FIRST_REFRESH_PERIOD
        missed_since = self._schedule.missed_since(known.user_id)
        since = (missed_since or self._store.last_poll or now) - LISTING_DELAY
        return min(known.oldest_open_start or since, since)

    async def _refresh_details(
        self,
        user: UserSnapshot,
        changes: Iterable[Change],
        source: Source,
        gap_ended_at: datetime | None,
    ) -> None:
        """Read settings and chargers where they are due. A read that fails is made at the next refresh."""
        now, user_id = dt_util.utcnow(), user.user_id
        after = user
        if self._details.take_settings_due(user, changes, now):
            try:
                for vehicle_id, car in user.vehicles.items():
                    settings = await self._fetcher.settings(user_id, vehicle_id)
                    after = after.with_vehicle(replace(car, settings=settings))
                    if settings is None and car.settings is not None:
                        self._details.request_settings(user_id)  # it may have been a slip of Jedlix
            except JedlixError as err:
                _LOGGER.debug("The settings of Jedlix user %s are read later: %s", user_id, err)
                self._details.request_settings(user_id)
        if self._details.take_chargers_due(user, changes, now, polled=source is Source.POLL):
            try:
                if (chargers := await self._fetcher.chargers(user_id)) is None:
                    after = replace(after, chargers=after.chargers or {})
                else:
                    after = replace(after, chargers={item.id: item for item in chargers})
            except JedlixError as err:
                _LOGGER.debug("The chargers of Jedlix user %s are read later: %s", user_id, err)
                self._details.request_chargers(user_id)
        if after is not user and user_id in self.followed:
            self._put_and_publish(user, after, source, gap_ended_at)

    @callback
    def _put_and_publish(
        self,
        before: UserSnapshot,
        after: UserSnapshot,
        source: Source,
        gap_ended_at: datetime | None = None,
    ) -> list[Change]:
        """Replace a user's snapshot, write the states, then publish the changes and return them.

        After a gap, a change is late when it happened before the gap ended, or has no time of its own. Once
        the store is closed nothing is published: the next set-up finds the change again.
        """
        if self._store.is_closed:
            return []
        self.fleet.put(before, after)
        is_after_gap = gap_ended_at is not None
        now = dt_util.utcnow() if gap_ended_at is None else _just_before(gap_ended_at)
        changes = compare(before, after, now, after_gap=is_after_gap)
        for change in changes:
            late = gap_ended_at is not None and change.occurred_at < gap_ended_at
            self.publisher.publish(change, source, late=late)
        return changes

    @callback
    def _note_push_evidence(self, user_id: str, changes: Iterable[Change], source: Source) -> None:
        """Note changes as evidence for or against push. Settings are none: a tenant need not report them."""
        if not changes:
            return
        if source is Source.WEBHOOK:
            self._health.note_change_after_delivery()
            self._store.push.reports_changes = True
        elif source is Source.POLL:
            self._health.note_change_found_by_poll(user_id, dt_util.utcnow())

    def _in_background[T](self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        return self.config_entry.async_create_background_task(self.hass, work, name)


def _just_before(moment: datetime) -> datetime:
    """Return the time of a change that has none and happened in a gap: the last millisecond of the gap."""
    return moment - timedelta(milliseconds=1)
