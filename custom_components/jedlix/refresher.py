"""Refresher: fetches the state of one user, writes the states, and has the changes published.

Commands of ours write states the same way.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Coroutine, Iterable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
import logging
from typing import Any, Final

from homeassistant.core import callback
from homeassistant.util import dt as dt_util

from .api import BadAnswer, ConnectionFailed, Forbidden, JedlixError, NotFound, Session
from .api.gate import MAX_CALLS
from .devices import DeviceKey
from .fleet import Fleet
from .issues import UserIssues
from .known_users import KnownUsers
from .publisher import Publisher, Source
from .push.health import PushHealth
from .state.changes import Change, ChangeType, compare
from .state.details import DetailReader
from .state.fetcher import Fetcher, UserAnswer
from .state.financials import Financials
from .state.holds import Edit, Holds, Part
from .state.knowledge import Gap
from .state.read_back import Surprise
from .state.schedule import PollSchedule
from .state.user_snapshot import UserSnapshot
from .state.vehicle_snapshot import VehicleSnapshot
from .store import JedlixStore

_LOGGER = logging.getLogger(__name__)

type _Task = asyncio.Task[JedlixError | None]

_NO_EVIDENCE: Final = (ChangeType.VEHICLE_REMOVED, ChangeType.SESSION_SETTLED)
# A refresh that takes longer has failed, in seconds. The wait for its turn does not count.
REFRESH_TIMEOUT: Final = 60.0
# More refreshes at once would only wait for each other's calls. Those after a command are not held back.
MAX_REFRESHES: Final = MAX_CALLS


class Refresher:
    """Refreshes the users of one entry, each by itself.

    `user_locks` hold back the refreshes of a user while a command is under way.
    `reasons` says why the last refresh of a user failed.
    """

    def __init__(
        self,
        *,
        store: JedlixStore,
        schedule: PollSchedule,
        known: KnownUsers,
        fetcher: Fetcher,
        details: DetailReader,
        financials: Financials,
        fleet: Fleet,
        publisher: Publisher,
        user_issues: UserIssues,
        health: PushHealth,
        now: Callable[[], datetime],
        in_background: Callable[[Coroutine[Any, Any, JedlixError | None], str], _Task],
    ) -> None:
        """Take what a refresh reads and writes; `now` is Jedlix's time."""
        self._store = store
        self._schedule = schedule
        self._known = known
        self._fetcher = fetcher
        self._fleet = fleet
        self._publisher = publisher
        self._user_issues = user_issues
        self._health = health
        self._now = now
        self._in_background = in_background
        self._details = details
        self._financials = financials
        self._holds = Holds()
        # by user and whether it follows a command
        self._wanted: dict[tuple[str, bool], _Wanted] = {}
        self._turns = asyncio.Semaphore(MAX_REFRESHES)
        # users with a detail that could not be read since the gap before it
        self._gaps_of_details: dict[str, Gap] = {}
        self.user_locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.reasons: dict[str, str] = {}

    @callback
    def forget(self, user_id: str) -> None:
        """Forget what is remembered of a user who is no longer followed."""
        self._gaps_of_details.pop(user_id, None)
        self.reasons.pop(user_id, None)
        self._store.refresh_requests.pop(user_id, None)

    async def refresh(
        self,
        user_id: str,
        source: Source,
        sessions: Iterable[Session] = (),
        *,
        thorough: bool = True,
    ) -> JedlixError | None:
        """Refresh a user; returns the failure.

        While one refresh of a user is under way, all who want another share the next one. One after a command
        of ours is not shared with those that wait for their turn. `thorough` reads the sessions too;
        `sessions` were already read.
        """
        key = (user_id, source is Source.COMMAND)
        wanted = self._wanted.setdefault(key, _Wanted(source))
        wanted.sessions += sessions
        wanted.is_thorough |= thorough
        if wanted.task is None:
            work = self._refresh_in_turn(key, wanted)
            wanted.task = self._in_background(work, f"jedlix refresh of {user_id}")
        await asyncio.wait([wanted.task])
        return wanted.task.result()

    async def _refresh_in_turn(self, key: tuple[str, bool], wanted: _Wanted) -> JedlixError | None:
        """Refresh a user after the refresh or command under way. One that takes a minute has failed."""
        user_id, is_commanded = key
        try:
            async with nullcontext() if is_commanded else self._turns, self.user_locks[user_id]:
                del self._wanted[key]
                requested_at = self._store.refresh_requests.get(user_id)
                async with asyncio.timeout(REFRESH_TIMEOUT):
                    changes, gap = await self._refresh(user_id, wanted)
                await self._refresh_details(user_id, changes, wanted, gap)
                if wanted.is_thorough:
                    self._note_served(user_id, requested_at)
        except TimeoutError:
            failure: JedlixError = ConnectionFailed("the refresh took longer than a minute")
        except JedlixError as err:
            failure = err
        except Exception:
            _LOGGER.exception("The refresh of the Jedlix user %s failed", user_id)
            failure = BadAnswer("an unexpected failure, see the log")
        else:
            return None
        self._known.note_failed(user_id)
        self.reasons[user_id] = str(failure)
        if is_of_one_user(failure) and user_id in self._schedule.followed:
            user = self._store.users.get(user_id)
            failing_since = None if user is None else user.failing_since
            self._user_issues.note_closed(user_id, failing_since or self._now())
        if isinstance(failure, NotFound) and failure.is_answer:
            self._review_removal(user_id, wanted.source, self._known.gap(user_id), is_known=False)
        return failure

    @callback
    def _note_served(self, user_id: str, requested_at: datetime | None) -> None:
        """Note that all is read that a delivery may be about, unless another came meanwhile."""
        requests, details = self._store.refresh_requests, self._details.schedule
        if requests.get(user_id) == requested_at and not details.is_requested(user_id):
            requests.pop(user_id, None)

    @callback
    def _review_removal(
        self, user_id: str, source: Source, gap: Gap | None, *, is_known: bool
    ) -> None:
        """Publish that a user was removed, once Jedlix confirms what a delivery said.

        `gap` is what the answer ended.
        """
        if self._store.is_closed or user_id not in self._schedule.followed:
            return
        removed = self._store.reports.take_removed(user_id, self._now(), is_known=is_known)
        if removed is not None:
            self._publisher.publish(removed, source, late=gap is not None and gap.is_late(removed))

    async def _refresh(
        self, user_id: str, wanted: _Wanted
    ) -> tuple[Collection[Change], Gap | None]:
        """Fetch a user's state and publish what changed; raises a JedlixError.

        Returns the changes, and the gap after which they were found.
        """
        if user_id not in self._schedule.followed:
            return (), None
        begin = asyncio.get_running_loop().time()
        known, thorough = self._store.users.get(user_id), wanted.is_thorough
        answer = await self._fetch(
            known or UserSnapshot.unknown(user_id, self._now()), thorough=thorough
        )
        if user_id not in self._schedule.followed:  # unfollowed meanwhile
            return (), None
        # Only the answer says what time it is at Jedlix.
        now = self._now()
        asked_at = now - timedelta(seconds=asyncio.get_running_loop().time() - begin)
        before = known or UserSnapshot.unknown(user_id, asked_at)
        if before.first_refresh is not None:
            before = replace(before, first_refresh=min(before.first_refresh, asked_at))
        gap = self._known.gap(user_id)
        after = before.advance(
            answer.vehicles,
            [*wanted.sessions, *answer.sessions],
            now,
            complete_since=answer.complete_since,
        ).seal(now, dt_util.get_default_time_zone(), may_settle=self._financials.are_offered)
        if thorough or answer.complete_since is not None or before.first_refresh is not None:
            after = replace(after, refreshed_at=now, failing_since=None)
        else:
            after = replace(after, failing_since=None)
        after = self._store.reports.apply(after, now)
        for vehicle_id in after.vehicles:
            after = self._with_holds(after, vehicle_id, asked_at, Part.BOOST)
        self._schedule.note_refreshed(user_id)
        if answer.is_user_known:
            self._user_issues.note_readable(user_id)
        else:
            self._user_issues.note_closed(user_id, now)
        changes = self._put_and_publish(before, after, wanted.source, gap)
        if gap is None:
            self._note_push_evidence(user_id, changes, wanted.source)
        self._review_removal(user_id, wanted.source, gap, is_known=answer.is_user_known)
        self._details.schedule.note_states(before, after)
        return changes, gap

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
                oldest_start=before.oldest_start(self._now()),
                known_until=None if before.lacks_ledger else self._known.known_until(user_id),
            )
        except NotFound as err:
            if not err.is_answer or not before.vehicles:
                raise
            return UserAnswer(vehicles=(), is_user_known=False)

    def _with_holds(
        self, user: UserSnapshot, vehicle_id: str, asked_at: datetime, read: Part
    ) -> UserSnapshot:
        """Return a user with what our commands wrote on a car, where an answer does not know it yet."""
        car = user.vehicles[vehicle_id]
        held = self._holds.apply(
            (user.user_id, vehicle_id), car, read={read}, asked_at=asked_at, now=self._now()
        )
        return user if held is car else user.with_vehicle(held)

    async def _refresh_details(
        self, user_id: str, changes: Collection[Change], wanted: _Wanted, gap: Gap | None
    ) -> None:
        """Read the details that are due, and the financials. A read that fails is made later."""
        if user_id not in self._schedule.followed or self._store.is_closed:
            return
        details, user, now = self._details, self._store.users[user_id], self._now()
        gap = gap or self._gaps_of_details.pop(user_id, None)
        source, thorough = wanted.source, wanted.is_thorough
        is_household = self._schedule.is_household
        if details.schedule.take_settings_due(
            user, changes, now, is_household=is_household, thorough=thorough
        ):
            for vehicle_id in user.vehicles:
                asked_at = self._now()
                read = await details.with_settings(user, vehicle_id)
                read = self._with_holds(read, vehicle_id, asked_at, Part.SETTINGS)
                user = self._put_detail(user, read, source, gap)
        polled = source is Source.POLL and thorough
        if details.schedule.take_chargers_due(user, now, polled=polled):
            read = await details.with_chargers(user, self._now)
            user = self._put_detail(user, read, source, gap)
        if details.schedule.take_locations_due(user, now, polled=polled):
            read = await details.with_locations(user, self._now)
            user = self._put_detail(user, read, source, gap)
        completed = await self._financials.complete(user, self._now())
        self._put_detail(user, completed, source, gap)
        if gap is not None and details.schedule.is_unread(user_id):
            self._gaps_of_details[user_id] = gap

    @callback
    def _put_detail(
        self, before: UserSnapshot, after: UserSnapshot, source: Source, gap: Gap | None
    ) -> UserSnapshot:
        """Put a user after one detail was read, unless they were unfollowed meanwhile; returns the user."""
        if after is not before and after.user_id in self._schedule.followed:
            self._put_and_publish(before, after, source, gap)
        return after

    @callback
    def _put_and_publish(
        self, before: UserSnapshot, after: UserSnapshot, source: Source, gap: Gap | None = None
    ) -> list[Change]:
        """Replace a user's snapshot, write the states, then publish the changes and return them.

        Once the store is closed nothing is published: the next set-up finds the change again.
        """
        if self._store.is_closed:
            return []
        self._fleet.put(before, after)
        self._fleet.update_availability(self._known.is_available, after.user_id)
        changes = compare(before, after, self._now(), after_gap=gap is not None)
        for change in changes:
            self._publisher.publish(change, source, late=gap is not None and gap.is_late(change))
        return changes

    @callback
    def _note_push_evidence(self, user_id: str, changes: Iterable[Change], source: Source) -> None:
        """Note changes as evidence for or against push.

        Settings are none: a tenant need not report them. Nor are figures, nor what we concluded from an
        absence.
        """
        evident = [
            change
            for change in changes
            if change.type not in _NO_EVIDENCE and not change.details.get("estimated")
        ]
        if source is Source.WEBHOOK and evident:
            self._health.note_change_after_delivery()
            self._store.push.reports_changes = True
        elif source is Source.POLL and any(self._health.expects(item.type) for item in evident):
            self._health.note_change_found_by_poll(user_id, self._now())

    # -- commands ------------------------------------------------------------------------------------------

    @callback
    def apply_command(self, key: DeviceKey, part: Part, edit: Edit) -> None:
        """Hold what a command of ours wrote at a car, and publish what it changed."""
        user_id, vehicle_id = key
        if (user := self._store.users.get(user_id)) is None or vehicle_id not in user.vehicles:
            return
        self._holds.add(key, part, edit, self._now())
        after = user.with_vehicle(edit(user.vehicles[vehicle_id]))
        self._put_and_publish(user, after, Source.COMMAND)

    @callback
    def stop_writes(self, key: DeviceKey, name: str, reason: Surprise) -> None:
        """Stop writing one thing of a car until the next set-up, and show it as unavailable."""
        user_id, vehicle_id = key
        if (user := self._store.users.get(user_id)) is None or vehicle_id not in user.vehicles:
            return
        car = user.vehicles[vehicle_id]
        stopped = replace(car, stopped_writes={**car.stopped_writes, name: reason})
        self._put_and_publish(user, user.with_vehicle(stopped), Source.COMMAND)

    def with_holds(self, key: DeviceKey, car: VehicleSnapshot) -> VehicleSnapshot:
        """Return a car with what earlier commands wrote on top, for the next command to start from."""
        now = self._now()
        return self._holds.apply(key, car, asked_at=now, now=now)


@dataclass(slots=True)
class _Wanted:
    """The next refresh of a user, which all share who want one."""

    source: Source
    sessions: list[Session] = field(default_factory=list)
    is_thorough: bool = False
    task: _Task | None = None


def is_of_one_user(err: JedlixError) -> bool:
    """Return whether a failure concerns one user only: Jedlix does not know them, or does not allow us."""
    return isinstance(err, Forbidden) or (isinstance(err, NotFound) and err.is_answer)
