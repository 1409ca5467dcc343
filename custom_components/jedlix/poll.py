"""Poll: reads what began or ended in the tenant, and refreshes the users who are due."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from homeassistant.core import callback

from .api import JedlixError, Session
from .known_users import KnownUsers
from .publisher import Source
from .push.history import WebhookHistory
from .refresher import Refresher, is_of_one_user
from .state.details import DetailSchedule
from .state.financials import Financials
from .state.review import Findings, Review
from .state.schedule import PollSchedule, users_with_new_sessions
from .store import JedlixStore
from .tenant_sessions import SessionsByUser, TenantSessions

# How long set-up waits for the first refresh of all users, in seconds. The rest goes on in the background.
FIRST_REFRESH_TIMEOUT: Final = 10.0
# The financials of a user are read after the cars and the sessions.
_CALLS_PER_FINANCIALS: Final = 3


class _InBackground(Protocol):
    """Starts background work of the entry."""

    def __call__[T](self, work: Coroutine[Any, Any, T], name: str, /) -> asyncio.Task[T]: ...


class Poll:
    """The poll of one entry. `now` is Jedlix's time, `interval` that from one poll to the next.

    `is_push_reporting` returns whether deliveries report what cars do.
    """

    def __init__(
        self,
        *,
        store: JedlixStore,
        schedule: PollSchedule,
        known: KnownUsers,
        tenant_sessions: TenantSessions,
        review: Review,
        history: WebhookHistory,
        details: DetailSchedule,
        financials: Financials,
        refresher: Refresher,
        is_push_reporting: Callable[[], bool],
        interval: timedelta,
        now: Callable[[], datetime],
        in_background: _InBackground,
    ) -> None:
        """Take what it reads with, and what knows who is due."""
        self._store = store
        self._schedule = schedule
        self._known = known
        self._tenant_sessions = tenant_sessions
        self._review = review
        self._history = history
        self._details = details
        self._financials = financials
        self._refresher = refresher
        self._is_push_reporting = is_push_reporting
        self._interval = interval
        self._now = now
        self._in_background = in_background

    async def run(self) -> JedlixError | None:
        """Read what began or ended in the tenant, then refresh the users who are due.

        Returns the failure when nothing could be read. A user who cannot be read, while the tenant can, is
        a matter of that user; so is the tenant's list, while users can be read.
        """
        named = await self._publish_missed_deliveries()
        sessions, list_failure = await self._read_tenant_list()
        review = await self._review.read_on(self._store.users, self._now())
        self._store.users |= review.users
        trusted = self._trust_store(named)
        self._known.wait_after_gaps()
        due = self._take_due(named, sessions or {}, review)
        if not self._history.is_read:  # then it has not named whose car did something else
            due = dict.fromkeys(trusted, False) | due
        failures = await self.refresh_users(due, review.joined_with(sessions or {}), named)
        if sessions is not None and self._store.tenant_read_at is not None:
            self._store.tenant_read_at = self._now()
            return None
        if None in failures or (not failures and list_failure is None):
            self._store.tenant_read_at = self._store.tenant_read_at or self._now()
            return None
        of_account = [err for err in failures if err is not None and not is_of_one_user(err)]
        return next(iter(of_account), list_failure)

    async def catch_up(self, since: datetime) -> None:
        """Publish what was missed since a moment, at most 7 days ago; raises a JedlixError."""
        await self._history.publish_since(since, self._now())
        named = self._history.take_users()
        listed = await self._tenant_sessions.since(since)
        sessions = listed or {}
        wanted = named | users_with_new_sessions(self._store.users, sessions)
        is_named = listed is not None and self._tenant_sessions.names_all
        if not is_named or self._schedule.is_household:
            wanted |= self._schedule.followed
        failures = await self.refresh_users(dict.fromkeys(wanted, True), sessions, wanted)
        if failures and None not in failures and (failure := failures[0]) is not None:
            raise failure

    async def refresh_users(
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
                self._refresher.refresh(
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

    async def _publish_missed_deliveries(self) -> Collection[str]:
        """Publish the missed deliveries of the history; returns the users they are about.

        What takes longer than set-up can wait goes on in the background. The users are returned by the first
        poll that finds nothing missed.
        """
        publishing = self._in_background(
            self._history.publish_missed(self._now()), "jedlix webhook history"
        )
        done, _ = await asyncio.wait([publishing], timeout=FIRST_REFRESH_TIMEOUT)
        for task in done:
            task.result()
        return () if self._store.push.missed_since is not None else self._history.take_users()

    async def _read_tenant_list(self) -> tuple[SessionsByUser | None, JedlixError | None]:
        """Return the new sessions of the tenant's list, None where there is no list, and why it failed."""
        sessions, failure = None, None
        try:
            sessions = await self._tenant_sessions.since(self._store.tenant_read_at)
        except JedlixError as err:
            failure = err
        self._known.lists_tenant = sessions is not None
        return sessions, failure

    @callback
    def _trust_store(self, named: Collection[str]) -> Collection[str]:
        """Return the users of a fleet who need no refresh after set-up; the history has named others."""
        if self._schedule.is_household or not self._tenant_sessions.names_all:
            return ()
        trusted = self._known.trust_store(named)
        self._details.spread(trusted, self._now())
        return trusted

    @callback
    def _take_due(
        self, named: Collection[str], sessions: SessionsByUser, review: Findings
    ) -> dict[str, bool]:
        """Return the users whom this poll refreshes, with whether to read their sessions too."""
        users, now = self._store.users, self._now()
        reviewed = self._financials.take_review(users, now)
        minutes = self._interval / timedelta(minutes=1)
        return self._schedule.take_due(
            users,
            with_news=users_with_new_sessions(users, sessions)
            | review.corrected.keys()
            | reviewed
            | set(named)
            | {user_id for user_id in users if self._financials.is_due(users[user_id], now)},
            lists_tenant=self._tenant_sessions.names_all,
            minutes=minutes,
            quick_minutes=minutes if self._is_push_reporting() else 1,
            other_calls=review.calls + _CALLS_PER_FINANCIALS * len(reviewed),
        )
