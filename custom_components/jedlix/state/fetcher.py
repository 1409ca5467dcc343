"""Fetcher: by which calls a user is read, with few calls whatever the tenant offers.

No documented call lists the sessions of one user. Where the tenant has the assumed one (A4), it is used.
Where it has not, the tenant-wide list (documented) is read from the needed moment on, once for all who ask
at that time.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from typing import Final

from ..api import (
    REFUSALS,
    BadAnswer,
    Charger,
    ChargeSettings,
    ChargeStatus,
    Forbidden,
    JedlixClient,
    NotFound,
    Rejected,
    Session,
    Vehicle,
)
from ..api.offered import OfferedCalls
from ..api.shared_call import SharedCall

# A session is listed a little after its start, and its end later than its own time (documented).
LISTING_DELAY: Final = timedelta(hours=1)
# How far back the first refresh of a user reads, to find the session that is running.
FIRST_REFRESH_PERIOD: Final = timedelta(days=7)
MAX_PAGES: Final = 30
MAX_CONCURRENT_CALLS: Final = 8
# The filter by end is inferred. Where it is ignored, the answer is longer than needed. Where it is refused,
# the open sessions report their end.
_SESSIONS_BY_END: Final = "sessions by their end"


class Fetcher:
    """Reads what the coordinator needs, at most eight calls at a time."""

    def __init__(self, client: JedlixClient, offered: OfferedCalls) -> None:
        """Read by the calls that the tenant offers."""
        self._client = client
        self._offered = offered
        self._slots = asyncio.Semaphore(MAX_CONCURRENT_CALLS)
        self._tenant_reads: SharedCall[list[Session]] = SharedCall()

    async def user(
        self, user_id: str, since: datetime
    ) -> tuple[tuple[Vehicle, ...], list[Session]]:
        """Return the cars of a user and the sessions since a moment, read side by side.

        Raises a JedlixError when the cars cannot be read, or the sessions that the tenant does offer.
        """
        vehicles, sessions = await asyncio.gather(
            self.vehicles(user_id), self._user_sessions(user_id, since), return_exceptions=True
        )
        if isinstance(vehicles, BaseException):
            raise vehicles
        if isinstance(sessions, NotFound | Forbidden):
            # Jedlix knows the user, so it is the call that is not offered.
            self._offered.note_not_offered("user_sessions", sessions)
        elif isinstance(sessions, Rejected | BadAnswer):
            # Something else may stand at the assumed path.
            self._offered.note_refusal("user_sessions", sessions)
        if isinstance(sessions, REFUSALS) and not self._offered.is_offered("user_sessions"):
            sessions = await self._user_sessions(user_id, since)
        if isinstance(sessions, BaseException):
            raise sessions
        if _was_plugged_in_between(vehicles, sessions):
            vehicles = await self.vehicles(user_id)
        return vehicles, sessions

    async def vehicles(self, user_id: str) -> tuple[Vehicle, ...]:
        """Return the cars of a user; raises a JedlixError."""
        async with self._slots:
            return await self._client.vehicles(user_id)

    async def tenant_sessions(self, since: datetime) -> list[Session]:
        """Return the tenant's sessions that began or ended since a moment; raises a JedlixError."""
        if not self._offered.is_offered("sessions"):
            return []
        try:
            started = await _read_pages(self._client.session_pages(started_from=since), since)
        except (NotFound, Forbidden) as err:
            self._offered.note_not_offered("sessions", err)
            return []
        ended: list[Session] = []
        if self._offered.is_offered(_SESSIONS_BY_END):
            try:
                ended = await _read_pages(self._client.session_pages(ended_from=since), since)
            except (NotFound, Forbidden, Rejected) as err:
                self._offered.note_not_offered(_SESSIONS_BY_END, err)
        return list({session.id: session for session in started + ended}.values())

    async def settings(self, user_id: str, vehicle_id: str) -> ChargeSettings | None:
        """Return a car's charge settings, None where there are none; raises a JedlixError."""
        return await self._where_offered(
            "charge_settings", self._client.charge_settings, user_id, vehicle_id
        )

    async def chargers(self, user_id: str) -> tuple[Charger, ...] | None:
        """Return a user's chargers, None where the tenant does not list them; raises a JedlixError."""
        return await self._where_offered("chargers", self._client.chargers, user_id)

    async def _where_offered[*Args, T](
        self, name: str, call: Callable[[*Args], Awaitable[T]], *args: *Args
    ) -> T | None:
        if not self._offered.is_offered(name):
            return None
        try:
            async with self._slots:
                answer = await call(*args)
        except (NotFound, Forbidden) as err:
            self._offered.note_refusal_of_one(name, err)
            return None
        self._offered.note_answer(name)
        return answer

    async def _user_sessions(self, user_id: str, since: datetime) -> list[Session]:
        if not self._offered.is_offered("user_sessions"):
            sessions = await self._tenant_sessions_shared(since)
            return [session for session in sessions if session.user_id == user_id]
        async with self._slots:
            pages = self._client.session_pages(user_id=user_id, started_from=since)
            sessions = await _read_pages(pages, since)
        self._offered.note_answer("user_sessions")
        return sessions

    async def _tenant_sessions_shared(self, since: datetime) -> list[Session]:
        """Read the tenant-wide list once for all who need it from about the same moment on."""
        if not self._offered.is_offered("sessions"):
            return []
        start = since.replace(minute=0, second=0, microsecond=0)
        pages = self._client.session_pages
        try:
            return await self._tenant_reads.join(
                lambda: _read_pages(pages(started_from=start), start), key=start
            )
        except (NotFound, Forbidden) as err:
            self._offered.note_not_offered("sessions", err)
            return []


def _was_plugged_in_between(vehicles: Iterable[Vehicle], sessions: Iterable[Session]) -> bool:
    """Return whether a car was plugged in between the two answers: its session began after its reading."""
    running = [session for session in sessions if session.ended_at is None]
    return any(
        vehicle.charge_state.status is ChargeStatus.DISCONNECTED
        and session.vehicle_id in (None, vehicle.id)
        and session.started_at is not None
        and vehicle.charge_state.updated_at is not None
        and vehicle.charge_state.updated_at < session.started_at
        for vehicle in vehicles
        for session in running
    )


async def _read_pages(pages: AsyncIterator[tuple[Session, ...]], since: datetime) -> list[Session]:
    """Read pages, newest first, until one is older than what was asked for."""
    found: list[Session] = []
    count = 0
    async for page in pages:
        found += page
        count += 1
        starts = [item.started_at for item in page if item.started_at is not None]
        if count >= MAX_PAGES or (starts and max(starts) < since):
            break
    return found
