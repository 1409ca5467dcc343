"""Sessions of the tenant: those that the tenant's list names of the followed users."""

from collections.abc import Callable, Iterable
from datetime import datetime

from .api import Session
from .known_users import KnownUsers
from .state.fetcher import Fetcher
from .state.schedule import PollSchedule, is_known
from .store import JedlixStore

type SessionsByUser = dict[str, list[Session]]


class TenantSessions:
    """The tenant's list of sessions, read for the followed users; `now` is Jedlix's time."""

    def __init__(
        self,
        *,
        store: JedlixStore,
        schedule: PollSchedule,
        known: KnownUsers,
        fetcher: Fetcher,
        now: Callable[[], datetime],
    ) -> None:
        """Take what is known of the users, and what reads the list."""
        self._store = store
        self._schedule = schedule
        self._known = known
        self._fetcher = fetcher
        self._now = now

    @property
    def names_all(self) -> bool:
        """Return whether the list names the sessions of all users."""
        return self._known.lists_tenant and not self._fetcher.is_tenant_list_cut

    async def since(self, since: datetime | None) -> SessionsByUser | None:
        """Return the new sessions since a moment; None where the tenant refuses its list.

        Raises a JedlixError.
        """
        if since is None:
            return {}
        sessions = await self._fetcher.tenant_sessions(
            min(since, self._now()), self._is_known, is_household=self._schedule.is_household
        )
        return None if sessions is None else self._by_user(sessions)

    async def newest(self) -> SessionsByUser:
        """Return the newest sessions; raises a JedlixError."""
        return self._by_user(await self._fetcher.new_sessions(self._is_known))

    def _is_known(self, session: Session) -> bool:
        user_id = session.user_id
        return user_id not in self._schedule.followed or is_known(
            self._store.users.get(user_id), session
        )

    def _by_user(self, sessions: Iterable[Session]) -> SessionsByUser:
        found: SessionsByUser = {}
        for session in sessions:
            if session.user_id in self._schedule.followed:
                found.setdefault(session.user_id, []).append(session)
        return found
