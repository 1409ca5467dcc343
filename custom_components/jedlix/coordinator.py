"""Coordinator: polls, serves refresh requests, keeps the snapshots and has the changes published.

The base class has the schedule of the poll, the retry, one log line when Jedlix is away and one when it is
back. It does not distinguish users. What is known of each, and until when, stands in the user's own
snapshot.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
import logging
from typing import Any, Final, override

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util.hass_dict import HassKey

from .api import (
    AuthError,
    BadAnswer,
    ConnectionFailed,
    Forbidden,
    JedlixClient,
    JedlixError,
    NotFound,
    RateLimited,
    Session,
    WebhookMessage,
)
from .api.errors import TokenRefused
from .api.gate import MAX_PAUSE, nobody_waits
from .api.offered import OfferedCalls
from .const import CONF_POLL_MINUTES, DEFAULT_POLL_MINUTES, DOMAIN
from .devices import DeviceKey
from .fleet import Fleet
from .issues import UserIssues
from .publisher import Publisher, Source
from .push.health import PushHealth
from .push.history import WebhookHistory
from .state.changes import Change, ChangeType, compare
from .state.fetcher import Fetcher, UserAnswer
from .state.holds import Edit, Holds, Part
from .state.knowledge import Gap, known_until, max_age
from .state.refresh_queue import RefreshQueue
from .state.schedule import (
    USERS_PER_POLL,
    DetailSchedule,
    PollSchedule,
    is_known,
    users_with_new_sessions,
)
from .state.snapshot import UserSnapshot, VehicleSnapshot
from .store import JedlixStore

_LOGGER = logging.getLogger(__name__)

# How long set-up waits for the first refresh of all users, in seconds. The rest goes on in the background.
FIRST_REFRESH_TIMEOUT: Final = 10.0
# A refresh that takes longer has failed, in seconds.
REFRESH_TIMEOUT: Final = 60.0
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
        self.offered = OfferedCalls(store.learned_calls, self.now)
        self.fleet = Fleet(store)
        self.publisher = Publisher(hass, entry.entry_id)
        self.user_issues = UserIssues(hass, entry)
        self.user_locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._fetcher = Fetcher(client, self.offered)
        self._history = WebhookHistory(
            client, self.offered, store.push, self._publish_missed_delivery
        )
        self._history.note_missed(store.tenant_read_at)
        self._last_good_poll = store.tenant_read_at
        self._queue = RefreshQueue(self._serve_request, self._in_background)
        self._schedule = PollSchedule(followed)
        self._details = DetailSchedule()
        self._holds = Holds()
        self._lists_tenant = True
        self._is_start = entry.entry_id not in hass.data.get(READ_SINCE_START, ())
        # users with a detail that could not be read since the gap before it
        self._gaps_of_details: dict[str, Gap] = {}
        # users whose next requested refresh follows a command of ours, and who were logged as unreadable
        self._commanded: set[str] = set()
        self._wanted: dict[str, _Wanted] = {}
        self._reasons: dict[str, str] = {}
        self._reported: set[str] = set()
        for unfollowed in store.users.keys() - self.followed:
            del store.users[unfollowed]
        for user_id in store.users:
            self._wait_for_refresh(user_id, None)

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
        self.user_issues.forget(user_id)

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
        with nobody_waits():
            error = await self._try_refresh(user_id, source)
        if error is not None and not isinstance(error, AuthError):
            _LOGGER.debug("The refresh of Jedlix user %s is tried again: %s", user_id, error)
            return False
        # Credentials that are refused are a matter of the poll.
        self._commanded.discard(user_id)
        return True

    # -- the poll ------------------------------------------------------------------------------------------

    @override
    async def _async_update_data(self) -> None:
        """Poll, and note whether the credentials were accepted."""
        try:
            failure = await self._poll()
        except JedlixError as err:
            failure = err
        if isinstance(failure, AuthError) and not await self._is_account_refused(failure):
            failure = None  # it is a matter of the users whose calls were refused
        if failure is None:
            self._note_good_poll()
            return
        self._update_availability()
        self.user_issues.note_failed_poll()
        interval = _RETRY_INTERVAL
        if isinstance(failure, AuthError):
            interval = min(self._interval.total_seconds(), _REFUSED_RETRY_INTERVAL)
            if self._store.credentials.note_refusal(self.now()):
                self.config_entry.async_start_reauth(self.hass)
            self._store.schedule_save()
        elif isinstance(failure, RateLimited) and failure.retry_after is not None:
            interval = min(failure.retry_after, MAX_PAUSE)
        raise UpdateFailed(
            translation_domain=DOMAIN,
            translation_key="update_failed",
            translation_placeholders={"error": str(failure)},
            retry_after=interval,
        ) from failure

    async def _poll(self) -> JedlixError | None:
        """Read what began or ended in the tenant, then refresh the users who are due.

        Returns the failure when nothing could be read. A user who cannot be read, while the tenant can, is
        a matter of that user; so is the tenant's list, while users can be read.
        """
        self._note_missed_deliveries()
        named = await self._publish_missed_deliveries()
        users = self._store.users
        list_failure: JedlixError | None = None
        try:
            sessions = await self._tenant_sessions(self._store.tenant_read_at)
        except JedlixError as err:
            sessions, list_failure = None, err
        self._lists_tenant = sessions is not None
        for user_id in self.followed:
            if self._gap(user_id) is not None and not self._schedule.is_waiting(user_id):
                self._wait_for_refresh(user_id, self.now())
        due = self._schedule.take_due(
            users,
            with_news=users_with_new_sessions(users, sessions or {}),
            lists_tenant=self._lists_tenant and not self._fetcher.is_tenant_list_cut,
        )
        failures = await self._refresh_users(due, sessions or {}, named)
        if sessions is not None and self._store.tenant_read_at is not None:
            self._store.tenant_read_at = self.now()
            return None
        if None in failures or (not failures and list_failure is None):
            self._store.tenant_read_at = self._store.tenant_read_at or self.now()
            return None
        of_account = [err for err in failures if err is not None and not _is_of_one_user(err)]
        return next(iter(of_account), list_failure)

    @callback
    def _note_missed_deliveries(self) -> None:
        """Have the history read where Jedlix, or this machine, was away since the last good poll."""
        last, now = self._last_good_poll, self.now()
        is_away = not self.last_update_success
        if last is not None and (is_away or now - last > max_age(self._interval, 1)):
            self._history.note_missed(last)

    @callback
    def _note_good_poll(self) -> None:
        """Note that Jedlix answers: a request for new credentials is withdrawn."""
        self._last_good_poll = self.now()
        self.hass.data.setdefault(READ_SINCE_START, set()).add(self.config_entry.entry_id)
        self._store.credentials.note_answer()
        for flow in self.config_entry.async_get_active_flows(self.hass, {SOURCE_REAUTH}):
            self.hass.config_entries.flow.async_abort(flow["flow_id"])
        self._report_unreadable_users()
        self._update_availability()
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

    @callback
    def _report_unreadable_users(self) -> None:
        """Log once that a user cannot be read, while Jedlix answers others, and once that they can again.

        A repair follows when that lasts.
        """
        failing = {
            user_id: user.failing_since
            for user_id, user in self._store.users.items()
            if user.failing_since is not None
        }
        for user_id in failing.keys() - self._reported:
            reason = self._reasons.get(user_id, "since before the start")
            _LOGGER.warning("The Jedlix user %s cannot be read at the moment: %s", user_id, reason)
        for user_id in self._reported - failing.keys():
            _LOGGER.info("The Jedlix user %s can be read again", user_id)
        self._reported = set(failing)
        if not self._store.is_closed:
            self.user_issues.review(self.followed, failing, self.now())

    async def catch_up(self, since: datetime) -> None:
        """Publish what was missed since a moment, at most 7 days ago; raises a JedlixError."""
        named = await self._history.publish_since(since, self.now())
        sessions = await self._tenant_sessions(since) or {}
        wanted = named | users_with_new_sessions(self._store.users, sessions)
        if not self._lists_tenant or len(self.followed) <= USERS_PER_POLL:
            wanted |= self.followed
        failures = await self._refresh_users(dict.fromkeys(wanted, True), sessions, wanted)
        if failures and None not in failures and (failure := failures[0]) is not None:
            raise failure

    async def _publish_missed_deliveries(self) -> Collection[str]:
        """Publish the missed deliveries of the history; returns the users they are about.

        What takes longer than set-up can wait goes on in the background: everybody is refreshed anyway.
        """
        publishing = self._in_background(
            self._history.publish_missed(self.now()), "jedlix webhook history"
        )
        done, _ = await asyncio.wait([publishing], timeout=FIRST_REFRESH_TIMEOUT)
        return publishing.result() if done else ()

    @callback
    def _publish_missed_delivery(self, message: WebhookMessage) -> Collection[str]:
        followed = message.user_id in self.followed
        self.publisher.publish_delivery(message, Source.HISTORY, followed=followed, late=True)
        return self._users_of_delivery(message) or ()

    async def _tenant_sessions(self, since: datetime | None) -> dict[str, list[Session]] | None:
        """Return the new sessions of the followed users, by user; None where the tenant refuses its list."""
        if since is None:
            return {}
        users, followed = self._store.users, self.followed
        sessions = await self._fetcher.tenant_sessions(
            min(since, self.now()),
            lambda item: item.user_id not in followed or is_known(users.get(item.user_id), item),
        )
        if sessions is None:
            return None
        found: dict[str, list[Session]] = {}
        for session in sessions:
            if session.user_id in followed:
                found.setdefault(session.user_id, []).append(session)
        return found

    async def _refresh_users(
        self,
        due: Mapping[str, bool],
        sessions: Mapping[str, list[Session]],
        named: Collection[str],
    ) -> list[JedlixError | None]:
        """Refresh users side by side; returns the failure of each, None for a good refresh.

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
            return []
        done, _ = await asyncio.wait(refreshes, timeout=FIRST_REFRESH_TIMEOUT)
        return [refresh.result() for refresh in done]

    # -- what is known, and since when ---------------------------------------------------------------------

    def _known_until(self, user_id: str) -> datetime | None:
        """Return until when a user is known; for one who waits, the tenant's list is no news."""
        tenant_read_at = None if self._schedule.is_waiting(user_id) else self._store.tenant_read_at
        return known_until(self._store.users.get(user_id), tenant_read_at, self.now())

    @callback
    def _wait_for_refresh(self, user_id: str, now: datetime | None) -> None:
        """Have a user wait for a thorough refresh, and keep until when they are known.

        `now` is None before Jedlix has answered.
        """
        if (user := self._store.users.get(user_id)) is not None:
            until = known_until(user, self._store.tenant_read_at, now)
            self._store.users[user_id] = replace(user, refreshed_at=until)
        self._schedule.wait(user_id)

    def _gap(self, user_id: str) -> Gap | None:
        """Return the time in which nobody read a user, None where it is too short to miss anything."""
        now = self.now()
        if (begin := self._known_until(user_id)) is None:
            return None
        is_after_stop = self._is_start and self._schedule.is_waiting(user_id)
        return Gap(begin=begin, end=now) if is_after_stop or now - begin > self._max_age else None

    @property
    def _max_age(self) -> timedelta:
        turns = self._schedule.polls_per_turn(lists_tenant=self._lists_tenant)
        return max_age(self._interval, turns)

    def _is_available(self, key: DeviceKey) -> bool:
        """Return whether a car or charger was read lately."""
        user, until, now = self._store.users.get(key[0]), self._known_until(key[0]), self.now()
        if user is None or until is None:
            return False
        if (absent_since := user.absent_since(key[1])) is not None:
            until = min(until, absent_since)
        return now - until <= self._max_age

    @callback
    def _update_availability(self, user_id: str | None = None) -> None:
        """Write the entities that become available or unavailable, of one user or of all."""
        self.fleet.update_availability(self._is_available, user_id)

    # -- commands ------------------------------------------------------------------------------------------

    @property
    def is_closed(self) -> bool:
        """Return whether the entry is unloaded: nothing more is written or published."""
        return self._store.is_closed

    @callback
    def apply_command(self, key: DeviceKey, part: Part, edit: Edit) -> None:
        """Hold what a command of ours wrote at a car, and publish what it changed."""
        user_id, vehicle_id = key
        if (user := self._store.users.get(user_id)) is None or vehicle_id not in user.vehicles:
            return
        self._holds.add(key, part, edit, self.now())
        after = user.with_vehicle(edit(user.vehicles[vehicle_id]))
        self._put_and_publish(user, after, Source.COMMAND)

    def with_holds(self, key: DeviceKey, car: VehicleSnapshot) -> VehicleSnapshot:
        """Return a car with what earlier commands wrote on top, for the next command to start from."""
        now = self.now()
        return self._holds.apply(key, car, asked_at=now, now=now)

    async def refresh_after_command(self, user_id: str) -> None:
        """Refresh a user after a write of ours. A refresh that fails is requested again."""
        self._details.request_settings(user_id)
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
        """Refresh a user; returns the failure.

        While one refresh of a user is under way, all who want another share the next one.
        """
        wanted = self._wanted.setdefault(user_id, _Wanted(source))
        wanted.sessions += sessions
        wanted.is_thorough |= thorough
        if wanted.task is None:
            work = self._refresh_in_turn(user_id, wanted)
            wanted.task = self._in_background(work, f"jedlix refresh of {user_id}")
        await asyncio.wait([wanted.task])
        return wanted.task.result()

    async def _refresh_in_turn(self, user_id: str, wanted: _Wanted) -> JedlixError | None:
        """Refresh a user after the refresh or command under way. One that takes a minute has failed."""
        try:
            async with self.user_locks[user_id]:
                del self._wanted[user_id]
                async with asyncio.timeout(REFRESH_TIMEOUT):
                    await self._refresh(user_id, wanted)
        except TimeoutError:
            failure: JedlixError = ConnectionFailed("the refresh took longer than a minute")
        except JedlixError as err:
            failure = err
        except Exception:
            _LOGGER.exception("The refresh of the Jedlix user %s failed", user_id)
            failure = BadAnswer("an unexpected failure, see the log")
        else:
            return None
        self._note_failed(user_id)
        self._reasons[user_id] = str(failure)
        if _is_of_one_user(failure) and user_id in self.followed:
            user = self._store.users.get(user_id)
            failing_since = None if user is None else user.failing_since
            self.user_issues.note_closed(user_id, failing_since or self.now())
        return failure

    @callback
    def _note_failed(self, user_id: str) -> None:
        """Note since when a user cannot be read, and until when they are known."""
        if user_id not in self.followed or self._store.is_closed:
            return
        now = self.now()
        user = self._store.users.get(user_id) or UserSnapshot.unknown(user_id, now)
        if user.failing_since is None:
            until = self._known_until(user_id)
            self._store.users[user_id] = replace(user, failing_since=now, refreshed_at=until)
            self._store.schedule_save()

    async def _refresh(self, user_id: str, wanted: _Wanted) -> None:
        """Fetch a user's state and publish what changed; raises a JedlixError."""
        if user_id not in self.followed:
            return
        begin = self.hass.loop.time()
        known, thorough = self._store.users.get(user_id), wanted.is_thorough
        answer = await self._fetch(
            known or UserSnapshot.unknown(user_id, self.now()), thorough=thorough
        )
        if user_id not in self.followed:  # unfollowed meanwhile
            return
        # Only the answer says what time it is at Jedlix.
        now = self.now()
        asked_at = now - timedelta(seconds=self.hass.loop.time() - begin)
        before = known or UserSnapshot.unknown(user_id, asked_at)
        if before.first_refresh is not None:
            before = replace(before, first_refresh=min(before.first_refresh, asked_at))
        gap = self._gap(user_id)
        after = before.advance(
            answer.vehicles,
            [*wanted.sessions, *answer.sessions],
            now,
            complete_since=answer.complete_since,
        )
        if thorough or answer.complete_since is not None or before.first_refresh is not None:
            after = replace(after, refreshed_at=now, failing_since=None)
        else:
            after = replace(after, failing_since=None)
        after = self._with_holds(after, asked_at, {Part.BOOST})
        self._schedule.note_refreshed(user_id)
        if answer.is_user_known:
            self.user_issues.note_readable(user_id)
        else:
            self.user_issues.note_closed(user_id, now)
        changes = self._put_and_publish(before, after, wanted.source, gap)
        if gap is None:
            self._note_push_evidence(user_id, changes, wanted.source)
        if not self._store.is_closed:
            await self._refresh_details(after, changes, wanted.source, gap)

    async def _fetch(self, before: UserSnapshot, *, thorough: bool) -> UserAnswer:
        """Read a user's cars, and the sessions where they are wanted; raises a JedlixError.

        A user whom Jedlix itself does not know has no cars.
        """
        user_id = before.user_id
        try:
            if not thorough:
                vehicles = await self._fetcher.vehicles(user_id)
                if not before.needs_sessions(vehicles):
                    return UserAnswer(vehicles=vehicles)
            return await self._fetcher.user(
                user_id,
                oldest_open=before.oldest_open_start,
                known_until=self._known_until(user_id),
            )
        except NotFound as err:
            if not err.is_answer or not before.vehicles:
                raise
            return UserAnswer(vehicles=(), is_user_known=False)

    def _with_holds(
        self, user: UserSnapshot, asked_at: datetime, read: Collection[Part]
    ) -> UserSnapshot:
        """Return a user with what our commands wrote on top, where an answer does not know it yet."""
        now = self.now()
        for vehicle_id, car in user.vehicles.items():
            key = (user.user_id, vehicle_id)
            held = self._holds.apply(key, car, read=read, asked_at=asked_at, now=now)
            if held is not car:
                user = user.with_vehicle(held)
        return user

    async def _refresh_details(
        self, user: UserSnapshot, changes: Iterable[Change], source: Source, gap: Gap | None
    ) -> None:
        """Read settings and chargers where they are due. A read that fails is made at the next refresh."""
        now, user_id = self.now(), user.user_id
        gap = gap or self._gaps_of_details.pop(user_id, None)
        after = user
        if self._details.take_settings_due(
            user, changes, now, is_household=len(self.followed) <= USERS_PER_POLL
        ):
            after = self._with_holds(await self._with_settings(user), now, {Part.SETTINGS})
        if self._details.take_chargers_due(user, changes, now, polled=source is Source.POLL):
            after = await self._with_chargers(after)
        if gap is not None and self._details.is_requested(user_id):
            self._gaps_of_details[user_id] = gap
        if after is not user and user_id in self.followed:
            self._put_and_publish(user, after, source, gap)

    async def _with_settings(self, user: UserSnapshot) -> UserSnapshot:
        after = user
        try:
            for vehicle_id, car in user.vehicles.items():
                settings = await self._fetcher.settings(user.user_id, vehicle_id)
                if settings is not None or not self.offered.is_offered("charge_settings"):
                    after = after.with_vehicle(replace(car, settings=settings))
                elif car.settings is not None:
                    self._details.request_settings(
                        user.user_id
                    )  # it may have been a slip of Jedlix
        except JedlixError as err:
            _LOGGER.debug("The settings of Jedlix user %s are read later: %s", user.user_id, err)
            self._details.request_settings(user.user_id)
        return after

    async def _with_chargers(self, user: UserSnapshot) -> UserSnapshot:
        try:
            chargers = await self._fetcher.chargers(user.user_id)
        except JedlixError as err:
            _LOGGER.debug("The chargers of Jedlix user %s are read later: %s", user.user_id, err)
            self._details.request_chargers(user.user_id)
            return user
        if chargers is None:
            return replace(user, chargers=user.chargers or {})
        return user.with_chargers(chargers, self.now())

    @callback
    def _put_and_publish(
        self, before: UserSnapshot, after: UserSnapshot, source: Source, gap: Gap | None = None
    ) -> list[Change]:
        """Replace a user's snapshot, write the states, then publish the changes and return them.

        Once the store is closed nothing is published: the next set-up finds the change again.
        """
        if self._store.is_closed:
            return []
        self.fleet.put(before, after)
        self._update_availability(after.user_id)
        changes = compare(before, after, self.now(), after_gap=gap is not None)
        for change in changes:
            self.publisher.publish(change, source, late=gap is not None and gap.is_late(change))
        return changes

    @callback
    def _note_push_evidence(self, user_id: str, changes: Iterable[Change], source: Source) -> None:
        """Note changes as evidence for or against push.

        Settings are none: a tenant need not report them. Nor is what we concluded from an absence.
        """
        if all(
            change.type is ChangeType.VEHICLE_REMOVED or change.details.get("estimated")
            for change in changes
        ):
            return
        if source is Source.WEBHOOK:
            self._health.note_change_after_delivery()
            self._store.push.reports_changes = True
        elif source is Source.POLL:
            self._health.note_change_found_by_poll(user_id, self.now())

    def _in_background[T](self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        return self.config_entry.async_create_background_task(self.hass, work, name)


@dataclass(slots=True)
class _Wanted:
    """The next refresh of a user, which all share who want one."""

    source: Source
    sessions: list[Session] = field(default_factory=list)
    is_thorough: bool = False
    task: asyncio.Task[JedlixError | None] | None = None


def _is_of_one_user(err: JedlixError) -> bool:
    """Return whether a failure concerns one user only: Jedlix does not know them, or does not allow us."""
    return isinstance(err, Forbidden) or (isinstance(err, NotFound) and err.is_answer)
