"""Quick poll: every minute between two polls, while push does not report that a car charges.

A household's cars are all read. In a fleet the tenant's list names the sessions that began, and the cars that
are plugged in are read, in turn where they are many.
"""

from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from datetime import datetime, timedelta
import logging
from typing import Any, Final

from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later

from .api import JedlixError
from .state.schedule import PollSchedule, users_with_new_sessions
from .store import JedlixStore
from .tenant_sessions import SessionsByUser, TenantSessions

_LOGGER = logging.getLogger(__name__)

INTERVAL: Final = timedelta(minutes=1)


class QuickPoll:
    """The quick poll of one entry.

    `refresh_users` refreshes users, thoroughly or only their cars. `is_push_reporting` returns whether
    deliveries report what cars do.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        *,
        store: JedlixStore,
        schedule: PollSchedule,
        is_push_reporting: Callable[[], bool],
        poll_interval: timedelta,
        tenant_sessions: TenantSessions,
        refresh_users: Callable[
            [Mapping[str, bool], SessionsByUser, Collection[str]], Awaitable[object]
        ],
        in_background: Callable[[Coroutine[Any, Any, None], str], object],
    ) -> None:
        """Take what it reads with, and the interval of the poll."""
        self._hass = hass
        self._store = store
        self._schedule = schedule
        self._is_push_reporting = is_push_reporting
        self._poll_interval = poll_interval
        self._tenant_sessions = tenant_sessions
        self._refresh_users = refresh_users
        self._in_background = in_background
        self._left = 0
        self._cancel: CALLBACK_TYPE | None = None

    @property
    def is_wanted(self) -> bool:
        """Return whether nothing but polls reports what a car does."""
        return not self._is_push_reporting()

    @callback
    def note_poll(self, *, succeeded: bool) -> None:
        """Count the minutes from a poll that ended. After one that failed, the next poll comes first."""
        self.stop()
        if succeeded and not self._store.is_closed:
            self._left = round(self._poll_interval / INTERVAL) - 1
            self._schedule_next()

    @callback
    def stop(self) -> None:
        """Have no further quick poll until the next poll."""
        if self._cancel is not None:
            self._cancel()
            self._cancel = None

    @callback
    def _schedule_next(self) -> None:
        if self._left:
            self._left -= 1
            job = HassJob(self._tick, "jedlix quick poll", cancel_on_shutdown=True)
            self._cancel = async_call_later(self._hass, INTERVAL, job)

    @callback
    def _tick(self, _now: datetime) -> None:
        self._cancel = None
        self._schedule_next()
        if self.is_wanted:
            self._in_background(self.poll(), "jedlix quick poll")

    async def poll(self) -> None:
        """Read who may have been plugged in. What cannot be read is left to the next poll."""
        try:
            sessions: SessionsByUser = {}
            names_all = self._tenant_sessions.names_all
            if names_all and not self._schedule.is_household:
                sessions = await self._tenant_sessions.newest()
            users = self._store.users
            due = self._schedule.take_quick_due(
                users,
                with_news=users_with_new_sessions(users, sessions),
                lists_tenant=names_all,
            )
            await self._refresh_users(due, sessions, ())
        except JedlixError as err:
            _LOGGER.debug("The new sessions of Jedlix are read at the next poll: %s", err)
        except Exception:
            _LOGGER.exception("The quick poll of Jedlix failed and is tried again in a minute")
