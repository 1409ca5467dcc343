"""Known users: until when each followed user is known, and who cannot be read.

What is known of a user stands in the user's own snapshot, in the store.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
import logging
from typing import Final

from .devices import DeviceKey
from .state.knowledge import Gap, known_until, max_age
from .state.schedule import PollSchedule
from .state.user_snapshot import UserSnapshot
from .store import JedlixStore

_LOGGER = logging.getLogger(__name__)

# How long the tariffs of a location count after they were read: they are read daily.
TARIFFS_COUNT_FOR: Final = timedelta(days=3)


class KnownUsers:
    """What is known of the followed users of one entry, by Jedlix's clock.

    `lists_tenant` says whether the last poll read the tenant's list. `is_start` is true until the entry is
    reloaded: who was not refreshed since may have missed something, however short the stop was.
    """

    def __init__(
        self,
        store: JedlixStore,
        schedule: PollSchedule,
        *,
        poll_interval: timedelta,
        now: Callable[[], datetime],
        is_start: bool,
    ) -> None:
        """Start with what is stored; the users who are no longer followed are forgotten."""
        self._store = store
        self._schedule = schedule
        self._poll_interval = poll_interval
        self._now = now
        self._is_start = is_start
        self._logged: set[str] = set()
        self.lists_tenant = True
        for of_users in (store.users, store.refresh_requests):
            for unfollowed in of_users.keys() - schedule.followed:
                del of_users[unfollowed]
        for user_id in store.users:
            self._wait_for_refresh(user_id, None)

    @property
    def never_refreshed(self) -> frozenset[str]:
        """Return the followed users whose cars or chargers are not known yet."""
        return frozenset(
            user_id
            for user_id in self._schedule.followed
            if (user := self._store.users.get(user_id)) is None or user.chargers is None
        )

    @property
    def failing(self) -> dict[str, datetime]:
        """Return since when users cannot be read."""
        return {
            user_id: user.failing_since
            for user_id, user in self._store.users.items()
            if user.failing_since is not None
        }

    def known_until(self, user_id: str) -> datetime | None:
        """Return until when a user is known; for one who waits, the tenant's list is no news."""
        tenant_read_at = None if self._schedule.is_waiting(user_id) else self._store.tenant_read_at
        return known_until(self._store.users.get(user_id), tenant_read_at, self._now())

    def gap(self, user_id: str) -> Gap | None:
        """Return the time in which nobody read a user, None where it is too short to miss anything."""
        if (begin := self.known_until(user_id)) is None:
            return None
        is_after_stop = self._is_start and self._schedule.is_unread(user_id)
        if not is_after_stop and not self._is_behind(user_id):
            return None
        return Gap(begin=begin, end=self._now())

    def is_available(self, key: DeviceKey) -> bool:
        """Return whether a car or charger was read lately, or the tariffs of a location.

        Tariffs hold for months and are read daily: they count while Jedlix is away.
        """
        user, until, now = self._store.users.get(key[0]), self.known_until(key[0]), self._now()
        if user is None:
            return False
        limit = self._max_age
        absent_since = user.absent_since(key[1])
        if absent_since is None and key[1] in user.priced_locations:
            until, limit = user.locations_read_at, TARIFFS_COUNT_FOR
        if until is None:
            return False
        return now - min(until, absent_since or until) <= limit

    def wait_after_gaps(self) -> None:
        """Have the users wait for a thorough refresh whom nobody read for too long."""
        for user_id in self._schedule.followed:
            if self._is_behind(user_id) and not self._schedule.is_waiting(user_id):
                self._wait_for_refresh(user_id, self._now())

    def trust_store(self, named: Collection[str]) -> list[str]:
        """Let nobody wait who was known until a poll interval ago, after set-up; returns who waits no more.

        The tenant's list has named what began or ended meanwhile. Who is not known completely, or could not
        be read, is refreshed all the same, and so is whom a delivery is about: `named` by the history, or not
        refreshed since.
        """
        now = self._now()
        trusted = [
            user_id
            for user_id, user in self._store.users.items()
            if self._schedule.is_waiting(user_id)
            and user.is_complete
            and user_id not in self._store.refresh_requests
            and user_id not in named
            and (until := self.known_until(user_id)) is not None
            and now - until <= self._poll_interval
        ]
        for user_id in trusted:
            self._schedule.trust(user_id)
        return trusted

    def note_failed(self, user_id: str) -> None:
        """Note since when a user cannot be read, and until when they are known."""
        if user_id not in self._schedule.followed or self._store.is_closed:
            return
        now = self._now()
        user = self._store.users.get(user_id) or UserSnapshot.unknown(user_id, now)
        if user.failing_since is None:
            until = self.known_until(user_id)
            self._store.users[user_id] = replace(user, failing_since=now, refreshed_at=until)
            self._store.schedule_save()

    def log_failing(self, reasons: Mapping[str, str]) -> None:
        """Log once that a user cannot be read, while Jedlix answers others, and once that they can again.

        `reasons` says why, by user.
        """
        failing = self.failing.keys()
        for user_id in failing - self._logged:
            reason = reasons.get(user_id, "since before the start")
            _LOGGER.warning("The Jedlix user %s cannot be read at the moment: %s", user_id, reason)
        for user_id in self._logged - failing:
            _LOGGER.info("The Jedlix user %s can be read again", user_id)
        self._logged = set(failing)

    def _is_behind(self, user_id: str) -> bool:
        """Return whether nobody read a user for too long."""
        until = self.known_until(user_id)
        return until is not None and self._now() - until > self._max_age

    @property
    def _max_age(self) -> timedelta:
        turns = self._schedule.polls_per_turn(lists_tenant=self.lists_tenant)
        return max_age(self._poll_interval, turns)

    def _wait_for_refresh(self, user_id: str, now: datetime | None) -> None:
        """Have a user wait for a thorough refresh, and keep until when they are known.

        `now` is None before Jedlix has answered.
        """
        if (user := self._store.users.get(user_id)) is not None:
            until = known_until(user, self._store.tenant_read_at, now)
            self._store.users[user_id] = replace(user, refreshed_at=until)
        self._schedule.wait(user_id)
