"""How to learn the truth with few calls, whatever the tenant offers.

No documented call lists the sessions of one user. Where the tenant has the assumed one (A4) it is used; where
not, the tenant-wide list (documented) is read from the needed moment on, once for all who ask at that time.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import datetime, timedelta
import logging
from typing import Final

from .api import (
    REFUSALS,
    BadAnswer,
    Charger,
    ChargeSettings,
    ChargeStatus,
    Forbidden,
    JedlixClient,
    JedlixError,
    NotFound,
    Rejected,
    Session,
    Vehicle,
)

_LOGGER = logging.getLogger(__name__)

# A session shows up a little after its start, and its end later than its own time (documented).
OVERLAP: Final = timedelta(hours=1)
# How far back the first look at a user goes, to find the session that is running.
FIRST_LOOK: Final = timedelta(days=7)
_MOST_PAGES: Final = 30
_AT_ONCE: Final = 8
# One car may lack what others have; after so many without an answer it is the tenant that lacks the call.
_ENOUGH_MISSES: Final = 5
# This filter is inferred: where it is not understood the answer is only longer than needed, and where it is
# refused the open sessions tell of their end.
_BY_END: Final = "sessions by their end"
# A guessed path that lies under another guessed one cannot be right where that one is wrong.
_LIES_UNDER: Final = {"session_settings": "user_sessions"}


class Truth:
    """Asks Jedlix for what the coordinator needs, at most eight calls at a time."""

    def __init__(self, client: JedlixClient) -> None:
        """Begin by believing that the tenant has every call."""
        self._client = client
        self._lacking: set[str] = set()
        self._answered: set[str] = set()
        self._has_listed = False  # whether one user's list of sessions ever was one
        self._misses: Counter[str] = Counter()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._sweeps: dict[datetime, asyncio.Task[list[Session]]] = {}

    async def user(
        self, user_id: str, since: datetime
    ) -> tuple[tuple[Vehicle, ...], list[Session]]:
        """Return the cars of a user and the sessions since a moment, asked for side by side.

        Raises a JedlixError when the cars, or the sessions that the tenant does offer, cannot be had.
        """
        vehicles, sessions = await asyncio.gather(
            self.vehicles(user_id), self._sessions_of(user_id, since), return_exceptions=True
        )
        if isinstance(vehicles, BaseException):
            raise vehicles
        if isinstance(sessions, NotFound | Forbidden):
            # the user is there, so it is the call that is not
            self._lacks("user_sessions", sessions)
        elif isinstance(sessions, Rejected | BadAnswer) and not self._has_listed:
            # something else stands where we guess it
            self._lacks("user_sessions", sessions)
        if isinstance(sessions, REFUSALS) and "user_sessions" in self._lacking:
            sessions = await self._sessions_of(user_id, since)
        if isinstance(sessions, BaseException):
            raise sessions
        if _is_torn(vehicles, sessions):
            vehicles = await self.vehicles(user_id)
        return vehicles, sessions

    async def vehicles(self, user_id: str) -> tuple[Vehicle, ...]:
        """Return the cars of a user; raises a JedlixError."""
        async with self._slots:
            return await self._client.vehicles(user_id)

    async def tenant_sessions(self, since: datetime) -> list[Session]:
        """Return the tenant's sessions that began or ended since a moment; raises a JedlixError."""
        if "sessions" in self._lacking:
            return []
        try:
            started = await _collect(self._client.session_pages(started_from=since), since)
        except (NotFound, Forbidden) as err:
            self._lacks("sessions", err)
            return []
        ended: list[Session] = []
        if _BY_END not in self._lacking:
            try:
                ended = await _collect(self._client.session_pages(ended_from=since), since)
            except (NotFound, Forbidden, Rejected) as err:
                self._lacks(_BY_END, err)
        return list({session.id: session for session in started + ended}.values())

    def serves(self, name: str) -> bool:
        """Return whether the tenant has a call, as far as is known."""
        return name not in self._lacking and _LIES_UNDER.get(name) not in self._lacking

    async def settings(self, user_id: str, vehicle_id: str) -> ChargeSettings | None:
        """Return a car's charge settings, None where there are none; raises a JedlixError."""
        return await self._where_offered(
            "charge_settings", self._client.charge_settings, user_id, vehicle_id
        )

    async def chargers(self, user_id: str) -> tuple[Charger, ...] | None:
        """Return a user's chargers, None where the tenant does not tell them; raises a JedlixError."""
        return await self._where_offered("chargers", self._client.chargers, user_id)

    async def _where_offered[*Args, T](
        self, name: str, call: Callable[[*Args], Awaitable[T]], *args: *Args
    ) -> T | None:
        if name in self._lacking:
            return None
        try:
            async with self._slots:
                answer = await call(*args)
        except (NotFound, Forbidden) as err:
            self._misses[name] += 1
            if name not in self._answered and self._misses[name] >= _ENOUGH_MISSES:
                self.refused(name, err)
            return None
        self._answered.add(name)
        return answer

    def refused(self, name: str, err: JedlixError) -> None:
        """Take note that the tenant does not have a call, once it has not answered it before."""
        if name not in self._answered:
            self._lacks(name, err)

    def answered(self, name: str) -> None:
        """Take note that the tenant has a call."""
        self._answered.add(name)

    async def _sessions_of(self, user_id: str, since: datetime) -> list[Session]:
        if "user_sessions" in self._lacking:
            return [session for session in await self._sweep(since) if session.user_id == user_id]
        async with self._slots:
            found = await _collect(
                self._client.session_pages(user_id=user_id, started_from=since), since
            )
        self._has_listed = True
        return found

    async def _sweep(self, since: datetime) -> list[Session]:
        """Read the tenant-wide list once for all who need it from about the same moment on."""
        if "sessions" in self._lacking:
            return []
        start = since.replace(minute=0, second=0, microsecond=0)
        if (running := self._sweeps.get(start)) is None:
            pages = self._client.session_pages(started_from=start)
            running = asyncio.create_task(_collect(pages, start))
            self._sweeps[start] = running

            def swept(task: asyncio.Task[list[Session]]) -> None:
                del self._sweeps[start]
                if not task.cancelled():
                    task.exception()  # asked for here as well, as nobody may be left to hear of it

            running.add_done_callback(swept)
        # Unlike a shield, this is silent when the sweep fails after its caller was cancelled.
        await asyncio.wait([running])
        try:
            return running.result()
        except (NotFound, Forbidden) as err:
            self._lacks("sessions", err)
            return []

    def _lacks(self, name: str, err: JedlixError) -> None:
        """Remember, with one line in the log, that the tenant does not offer a call."""
        if name not in self._lacking:
            self._lacking.add(name)
            _LOGGER.info("This tenant does not offer %s: %s", name, err)


def _is_torn(vehicles: Iterable[Vehicle], sessions: Iterable[Session]) -> bool:
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


async def _collect(pages: AsyncIterator[tuple[Session, ...]], since: datetime) -> list[Session]:
    """Read pages, newest first, until one is older than what was asked for."""
    found: list[Session] = []
    count = 0
    async for page in pages:
        found += page
        count += 1
        starts = [item.started_at for item in page if item.started_at is not None]
        if count >= _MOST_PAGES or (starts and max(starts) < since):
            break
    return found
