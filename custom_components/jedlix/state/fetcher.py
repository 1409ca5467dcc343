"""Fetcher: by which calls a user is read, with few calls whatever the tenant offers.

No documented call lists the sessions of one user. Where the tenant offers the assumed one (A4), it is used.
Otherwise the tenant-wide list (documented) is read, once for all who ask at that time.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
import logging
from typing import Final

from ..api import (
    REFUSALS,
    BadAnswer,
    Charger,
    ChargeSettings,
    ChargeStatus,
    ChargingLocation,
    Forbidden,
    JedlixClient,
    JedlixError,
    NotFound,
    Session,
    Vehicle,
)
from ..api.offered import OfferedCalls
from ..api.reading import Incomplete, join_pages
from ..api.shared_call import SharedCall
from .ledger import SESSIONS_REMEMBERED
from .review import Review

_LOGGER = logging.getLogger(__name__)

# The tenant's lists are read at least so far beyond what is known: a session, and its end, are listed late.
LISTING_DELAY: Final = timedelta(hours=6)
MAX_PAGES: Final = 30
# The filter by end is inferred. Where it is ignored, the answer is longer than needed. Where it is refused,
# the open sessions report their end.
_SESSIONS_BY_END: Final = "sessions by their end"
# The totals of a car begin with these, so that those of its first month are complete.
_FIRST_READ: Final = timedelta(days=32)


# The followed user of each known car by vehicle id, None where several have it.
type Owners = Mapping[str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class UserAnswer:
    """What was read of one user.

    `sessions` is complete from `complete_since` on: an open session that began later and is not in it is
    absent. None means that nothing is known about what is not in it. `is_user_known` is false where Jedlix
    itself does not know the user.
    """

    vehicles: tuple[Vehicle, ...]
    sessions: tuple[Session, ...] = ()
    complete_since: datetime | None = None
    is_user_known: bool = True


class Fetcher:
    """Reads what the coordinator needs."""

    def __init__(
        self, client: JedlixClient, offered: OfferedCalls, owners: Callable[[], Owners]
    ) -> None:
        """Read by the calls that the tenant offers; `owners` returns whose the known cars are."""
        self._client = client
        self._offered = offered
        self._owners = owners
        self._tenant_reads: SharedCall[tuple[tuple[Session, ...], bool]] = SharedCall()
        self.is_tenant_list_cut = False
        self.review = Review(self._pages_of_car, offered)

    async def user(
        self, user_id: str, *, oldest_start: datetime | None, known_until: datetime | None
    ) -> UserAnswer:
        """Return the cars and sessions of a user, read side by side.

        A user's own list is read over all remembered days, and from `known_until` and `oldest_start` on, the
        start of the oldest session that may still change. The tenant's list is read from well before
        `known_until` on. At first, both are read over the days of a month. Raises a JedlixError when the cars
        cannot be read, or no list of sessions can.
        """
        now = self._client.clock.now()
        known_until = known_until or now - _FIRST_READ
        since = min(filter(None, (known_until, now - SESSIONS_REMEMBERED, oldest_start)))
        vehicles, answer = await asyncio.gather(
            self.vehicles(user_id),
            self._sessions(user_id, since, known_until),
            return_exceptions=True,
        )
        if isinstance(vehicles, BaseException):
            raise vehicles
        if isinstance(answer, BaseException):
            raise answer
        sessions, complete_since = answer
        if any(item.user_id is None for item in sessions):
            # Before a user's first refresh nobody knows whose the cars are.
            new_cars = {vehicle.id for vehicle in vehicles} - self._owners().keys()
            sessions = [
                item for item in sessions if item.user_id is not None or item.vehicle_id in new_cars
            ]
        if _was_plugged_in_between(vehicles, sessions):
            vehicles = await self.vehicles(user_id)
        return UserAnswer(
            vehicles=vehicles, sessions=tuple(sessions), complete_since=complete_since
        )

    async def vehicles(self, user_id: str) -> tuple[Vehicle, ...]:
        """Return the cars of a user; raises a JedlixError."""
        return await self._client.vehicles(user_id)

    async def tenant_sessions(
        self, since: datetime, is_known: Callable[[Session], bool], *, is_household: bool = False
    ) -> list[Session] | None:
        """Return the tenant's sessions, newest first, until nothing is unknown well before a moment.

        In a household, the own list of each user is read often enough to find what was corrected or deleted,
        so where it is offered the tenant's is not reviewed. Returns None where the tenant refuses the list,
        or may not be asked; raises a JedlixError.
        """
        if not self._offered.is_offered("sessions"):
            return None
        newest_first = self._with_users(self._client.session_pages())
        try:
            started, _ = await self._read_tenant(newest_first, since, is_known)
        except (NotFound, Forbidden) as err:
            self._offered.note_refusal("sessions", err)
            return None
        self._offered.note_answer("sessions")
        if not is_household or not self._offered.has_answered("user_sessions"):
            self.review.begin(started, newest_first, self._client.clock.now())
        ended: tuple[Session, ...] = ()
        if self._offered.is_offered(_SESSIONS_BY_END):
            pages = self._with_users(self._client.session_pages(ended_from=since - LISTING_DELAY))
            try:
                ended, _ = await self._read_tenant(pages, since, is_known)
            except REFUSALS as err:
                self._offered.note_refusal(_SESSIONS_BY_END, err)
            else:
                self._offered.note_answer(_SESSIONS_BY_END)
        return list({session.id: session for session in started + ended}.values())

    async def new_sessions(self, is_known: Callable[[Session], bool]) -> tuple[Session, ...]:
        """Return the tenant's newest sessions, until a page has nothing unknown; raises a JedlixError."""
        now = self._client.clock.now()
        found, _ = await _read_pages(self._with_users(self._client.session_pages()), now, is_known)
        return found

    async def settings(self, user_id: str, vehicle_id: str) -> ChargeSettings | None:
        """Return a car's charge settings, None where there are none; raises a JedlixError."""
        return await self._where_offered(
            "charge_settings", self._client.charge_settings, user_id, vehicle_id
        )

    async def chargers(self, user_id: str) -> tuple[Charger, ...] | None:
        """Return a user's chargers, None where the tenant does not list them; raises a JedlixError."""
        return await self._where_offered("chargers", self._client.chargers, user_id)

    async def locations(self, user_id: str) -> tuple[ChargingLocation, ...] | None:
        """Return a user's charging locations, None where they are not offered; raises a JedlixError."""
        return await self._where_offered("user_locations", self._client.user_locations, user_id)

    async def _where_offered[*Args, T](
        self, name: str, call: Callable[[*Args], Awaitable[T]], *args: *Args
    ) -> T | None:
        if not self._offered.is_offered(name):
            return None
        try:
            answer = await call(*args)
        except (NotFound, Forbidden, BadAnswer) as err:
            self._offered.note_refusal(name, err)
            return None
        if isinstance(answer, tuple):
            self._offered.note_list(name, answer)
        else:
            self._offered.note_answer(name)
        return answer

    async def _sessions(
        self, user_id: str, since: datetime, known_until: datetime
    ) -> tuple[list[Session], datetime | None]:
        """Return a user's sessions and since when they are complete, by the calls that the tenant offers.

        As long as the user's own list has never named a session, the tenant's list is read as well.
        """
        refusal: JedlixError | None = None
        own: list[Session] | None = None
        if self._offered.is_offered("user_sessions"):
            try:
                pages = self._client.session_pages(user_id=user_id, started_from=since)
                found, is_whole = await _read_pages(pages, since)
            except REFUSALS as err:
                self._offered.note_refusal("user_sessions", err)
                refusal = err
            else:
                own = [item for item in found if item.user_id == user_id]
                if any(item.is_plausible for item in own):
                    self._offered.note_answer("user_sessions")
                if self._offered.has_answered("user_sessions"):
                    return own, since if is_whole and _names_all(found) else None
        if not self._offered.is_offered("sessions"):
            return self._no_list(refusal)
        start = (known_until - LISTING_DELAY).replace(minute=0, second=0, microsecond=0)
        try:
            found, is_whole = await self._tenant_reads.join(
                lambda: _read_pages(
                    self._with_users(self._client.session_pages(started_from=start)), start
                ),
                key=start,
            )
        except (NotFound, Forbidden) as err:
            self._offered.note_refusal("sessions", err)
            return self._no_list(refusal)
        self._offered.note_answer("sessions")
        of_user = [item for item in found if item.user_id in (None, user_id)]
        if own is not None and any(item.user_id == user_id for item in of_user):
            # A list without any session of a user who has one is something else.
            self._offered.note_refusal("user_sessions", BadAnswer("it lacks the user's sessions"))
        return of_user, start if is_whole and _names_all(found) else None

    def _no_list(self, refusal: JedlixError | None) -> tuple[list[Session], None]:
        """Return no sessions, as nothing lists them; raises the refusal of a list that answered before."""
        if refusal is not None and self._offered.has_answered("user_sessions"):
            raise refusal
        return [], None

    def _pages_of_car(
        self, vehicle_id: str | None, since: datetime, until: datetime
    ) -> AsyncIterator[tuple[Session, ...]]:
        """Return pages of the tenant's list with what a car, or any, began between two moments."""
        return self._with_users(
            self._client.session_pages(vehicle_id=vehicle_id, started_from=since, started_to=until)
        )

    async def _with_users(
        self, pages: AsyncIterator[tuple[Session, ...]]
    ) -> AsyncIterator[tuple[Session, ...]]:
        """Yield pages of the tenant's list; a session that names no user is that of its car's (inferred)."""
        async for page in pages:
            owners = {} if all(item.user_id for item in page) else self._owners()
            yield type(page)(
                item
                if item.user_id is not None
                else replace(item, user_id=owners.get(item.vehicle_id or ""))
                for item in page
            )

    async def _read_tenant(
        self,
        pages: AsyncIterator[tuple[Session, ...]],
        since: datetime,
        is_known: Callable[[Session], bool],
    ) -> tuple[tuple[Session, ...], bool]:
        found, is_whole = await _read_pages(pages, since - LISTING_DELAY, is_known)
        if not is_whole and not self.is_tenant_list_cut:
            _LOGGER.warning(
                "Jedlix lists more sessions than the %s pages that are read at once. "
                "Those beyond are found when it is their user's turn",
                MAX_PAGES,
            )
        self.is_tenant_list_cut = not is_whole
        return found, is_whole


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


def _names_all(sessions: Collection[Session]) -> bool:
    """Return whether pages were in order, named each session once, and could be read: else some may lack."""
    if isinstance(sessions, Incomplete):
        return False
    starts = [session.started_at for session in sessions if session.started_at is not None]
    return len({session.id for session in sessions}) == len(sessions) and (
        starts in (sorted(starts), sorted(starts, reverse=True))
    )


async def _read_pages(
    pages: AsyncIterator[tuple[Session, ...]],
    since: datetime,
    is_known: Callable[[Session], bool] = lambda _: True,
) -> tuple[tuple[Session, ...], bool]:
    """Read pages, newest first, until one reaches beyond a moment and has only known sessions.

    Returns the sessions, and false when there were too many pages. Only the tenant's list is documented to
    come newest first: where a page comes oldest first, the newest sessions are yet to come.
    """
    found: list[tuple[Session, ...]] = []
    async for page in pages:
        found.append(page)
        starts = [item.started_at for item in page if item.started_at is not None]
        is_beyond = starts != [] and min(starts) < since and starts[0] >= starts[-1]
        if is_beyond and all(map(is_known, page)):
            break
        if len(found) >= MAX_PAGES:
            return join_pages(found), False
    return join_pages(found), True
