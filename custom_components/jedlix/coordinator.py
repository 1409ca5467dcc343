"""Polls, answers rings, catches up, keeps the snapshots and announces changes.

The base class does what it does well: the schedule of the poll, the back-off, one log line when Jedlix goes
away and one when it is back. What it does not do is tell cars apart, so the entities of a car listen to that
car alone and an event never touches another.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Coroutine, Iterable, Mapping
from datetime import datetime, timedelta
import logging
from typing import TYPE_CHECKING, Any, Final, override

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryAuthFailed
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util import dt as dt_util

from .announcer import Announcer, Source
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
from .changes import compare
from .const import CONF_POLL_MINUTES, DEFAULT_POLL_MINUTES, DOMAIN
from .fetching import FIRST_LOOK, OVERLAP, Truth
from .memory import Memory
from .push.health import PushHealth
from .rings import Rings
from .snapshot import UserSnapshot, VehicleSnapshot

if TYPE_CHECKING:
    from .runtime import JedlixConfigEntry

_LOGGER = logging.getLogger(__name__)

# Cars without a session are looked at in turns, so that a poll costs the same for five and a thousand.
_ROTATION: Final = 5
# How long set-up waits for the first look at all users; the rest come while Home Assistant already runs.
_FIRST_LOOK_PATIENCE: Final = 10.0

type VehicleKey = tuple[str, str]


class JedlixCoordinator(DataUpdateCoordinator[None]):
    """The truth about the followed users of one entry."""

    config_entry: JedlixConfigEntry

    def __init__(
        self,
        hass: HomeAssistant,
        entry: JedlixConfigEntry,
        client: JedlixClient,
        *,
        memory: Memory,
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
        self._memory = memory
        self._health = health
        self._truth = Truth(client)
        self.announcer = Announcer(hass, entry.entry_id)
        self._rings = Rings(self._answer_ring, self._in_background)
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._listeners_of: defaultdict[VehicleKey, list[CALLBACK_TYPE]] = defaultdict(list)
        self._fleet_listeners: list[Callable[[VehicleKey], None]] = []
        self._turn = deque(followed)
        self.followed = frozenset(self._turn)
        # Until the first look at a user is done, what it finds may have happened while nobody was watching.
        self._unwatched = set(self.followed)
        self._watching_since = dt_util.utcnow()
        # Since when the users at whom a look failed are owed one.
        self._owed: dict[str, datetime] = {}
        for gone in memory.users.keys() - self.followed:
            del memory.users[gone]

    # -- what entities ask ---------------------------------------------------------------------------------

    def vehicle(self, key: VehicleKey) -> VehicleSnapshot | None:
        """Return a car by user and vehicle id, None once it is gone."""
        user_id, vehicle_id = key
        user = self._memory.users.get(user_id)
        return None if user is None else user.vehicles.get(vehicle_id)

    def car(self, key: VehicleKey) -> VehicleSnapshot:
        """Return a car that is known to be there; raises KeyError otherwise."""
        return self._memory.users[key[0]].vehicles[key[1]]

    @property
    def not_yet_seen(self) -> frozenset[str]:
        """Return the followed users about whom nothing is known yet."""
        return self.followed - self._memory.users.keys()

    @property
    def vehicles(self) -> list[VehicleKey]:
        """Return the keys of all known cars."""
        return [
            (user_id, vehicle_id)
            for user_id, user in self._memory.users.items()
            for vehicle_id in user.vehicles
        ]

    @callback
    def listen_to_vehicle(self, key: VehicleKey, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call the listener whenever this one car changed; returns what ends it."""
        self._listeners_of[key].append(listener)

        def stop() -> None:
            self._listeners_of[key].remove(listener)

        return stop

    @callback
    def listen_to_fleet(self, listener: Callable[[VehicleKey], None]) -> CALLBACK_TYPE:
        """Call the listener with each car that is new, changed or gone; returns what ends it."""
        self._fleet_listeners.append(listener)
        return lambda: self._fleet_listeners.remove(listener)

    # -- rings and polls -----------------------------------------------------------------------------------

    @callback
    def ring(self, message: WebhookMessage) -> None:
        """Fetch the truth about the user whom a delivery names.

        One that names nobody rings for all of a household; in a fleet it only brings the poll forward.
        """
        if (user_id := message.user_id or self._owner(message)) is not None:
            if user_id in self.followed:
                self._rings.ring(user_id)
        elif len(self.followed) <= _ROTATION:
            for followed in self.followed:
                self._rings.ring(followed)
        else:
            self.config_entry.async_create_task(self.hass, self.async_request_refresh())

    def _owner(self, message: WebhookMessage) -> str | None:
        """Return the user whose car or running session a delivery without a user names."""
        named_vehicle, named_session = message.vehicle_id, message.session_id
        if named_vehicle is None and named_session is None:
            return None
        for user_id, user in self._memory.users.items():
            for vehicle_id, car in user.vehicles.items():
                if named_vehicle == vehicle_id or named_session in car.open_sessions:
                    return user_id
        return None

    async def _answer_ring(self, user_id: str) -> bool:
        try:
            await self._look(user_id, Source.WEBHOOK)
        except JedlixError as err:
            _LOGGER.debug("A look at %s failed and will be tried again: %s", user_id, err)
            return False
        return True

    @override
    async def _async_update_data(self) -> None:
        """Poll: what began or ended in the tenant, then the users for whom that or the turn asks."""
        now = dt_util.utcnow()
        if self._was_away(now):
            self._unwatched = set(self.followed)
            self._watching_since = now
        try:
            changed = await self._sessions_since_checkpoint()
            await self._look_at_all(self._due(changed), changed)
        except AuthError as err:
            raise ConfigEntryAuthFailed(
                translation_domain=DOMAIN, translation_key="auth_failed"
            ) from err
        except JedlixError as err:
            raise UpdateFailed(
                translation_domain=DOMAIN,
                translation_key="update_failed",
                translation_placeholders={"error": str(err)},
                retry_after=err.retry_after if isinstance(err, RateLimited) else None,
            ) from err
        self._memory.checkpoint = now
        self._memory.changed()
        self._health.review(now)

    def _was_away(self, now: datetime) -> bool:
        """Return whether Jedlix or we were away since the last good poll."""
        checkpoint, interval = self._memory.checkpoint, self.update_interval
        return not self.last_update_success or (
            checkpoint is not None and interval is not None and now - checkpoint > 3 * interval
        )

    async def _sessions_since_checkpoint(self) -> dict[str, list[Session]]:
        """Return the sessions of followed users since the checkpoint; none before there is one."""
        found: dict[str, list[Session]] = {}
        if (checkpoint := self._memory.checkpoint) is not None:
            for session in await self._truth.tenant_sessions(checkpoint - OVERLAP):
                if session.user_id in self.followed:
                    found.setdefault(session.user_id, []).append(session)
        return found

    def _due(self, changed: dict[str, list[Session]]) -> dict[str, bool]:
        """Return whom to look at, and whether the sessions are to be asked for as well.

        The unwatched, those in a session and those with news are looked at thoroughly. For whoever is only
        next in turn the car will do, as long as the tenant's list tells what began and ended.
        """
        due = dict.fromkeys(self._unwatched | self._owed.keys(), True)
        for user_id, user in self._memory.users.items():
            if user.has_open_session or any(
                not _is_known(user, session) for session in changed.get(user_id, ())
            ):
                due[user_id] = True
        for _ in range(min(_ROTATION, len(self._turn))):
            due.setdefault(self._turn[0], not self._truth.lists_tenant)
            self._turn.rotate(-1)
        return due

    async def _look_at_all(
        self, due: Mapping[str, bool], changed: Mapping[str, list[Session]]
    ) -> None:
        """Look at users side by side; raises the failure when no look succeeded.

        The first round of a large fleet goes on in the background once set-up has waited long enough. Whoever
        could not be looked at is owed a look at the next poll.
        """
        looks = [
            self._in_background(
                self._try_to_look(user_id, changed.get(user_id, ()), thorough=thorough),
                f"jedlix poll of {user_id}",
            )
            for user_id, thorough in due.items()
        ]
        if not looks:
            return
        done, _ = await asyncio.wait(looks, timeout=_FIRST_LOOK_PATIENCE)
        failures = [look.result() for look in done]
        for failure in failures:
            if failure is not None and (isinstance(failure, AuthError) or None not in failures):
                raise failure

    async def _try_to_look(
        self, user_id: str, sessions: Iterable[Session], *, thorough: bool
    ) -> JedlixError | None:
        since = self._memory.checkpoint or dt_util.utcnow()
        try:
            await self._look(user_id, Source.POLL, sessions, thorough=thorough)
        except JedlixError as err:
            self._owed.setdefault(user_id, since)
            return err
        return None

    async def look_after_command(self, user_id: str) -> None:
        """Read the truth again after a write of ours; raises a JedlixError."""
        await self._look(user_id, Source.COMMAND)

    async def _look(
        self,
        user_id: str,
        source: Source,
        sessions: Iterable[Session] = (),
        *,
        thorough: bool = True,
    ) -> None:
        """Fetch what is true about a user and tell what changed; raises a JedlixError."""
        async with self._locks[user_id]:
            known = self._memory.users.get(user_id)
            now = dt_util.utcnow()
            before = known or UserSnapshot.unknown(user_id, now)
            try:
                vehicles: Iterable[Vehicle]
                fetched: Iterable[Session] = ()
                if not thorough:
                    vehicles = await self._truth.vehicles(user_id)
                    thorough = _has_moved(before, vehicles)
                if thorough:
                    vehicles, fetched = await self._truth.user(user_id, self._since(known, now))
            except NotFound:  # the user is gone at Jedlix, and the cars with it
                vehicles = ()
            late_before = self._watching_since if user_id in self._unwatched and known else None
            self._unwatched.discard(user_id)
            self._owed.pop(user_id, None)
            self._take(before, vehicles, [*sessions, *fetched], source, late_before)

    def _since(self, known: UserSnapshot | None, now: datetime) -> datetime:
        """Return from when on a user's sessions are needed: the oldest open one, or the last good poll."""
        if known is None:
            return now - FIRST_LOOK
        checkpoint = self._owed.get(known.user_id) or self._memory.checkpoint or now
        since = checkpoint - OVERLAP
        return min(known.oldest_open_start or since, since)

    @callback
    def _take(
        self,
        before: UserSnapshot,
        vehicles: Iterable[Vehicle],
        sessions: Iterable[Session],
        source: Source,
        late_before: datetime | None,
    ) -> None:
        """Put fetched truth in the place of the old: states are written, then changes told.

        What happened before `late_before` happened while nobody was watching, and so did what has no time.
        What could no longer be remembered is left to be told by the next life.
        """
        if self._memory.is_closed:
            return
        now = dt_util.utcnow()
        after = before.advance(vehicles, sessions, now)
        self._memory.users[after.user_id] = after
        self._memory.changed()
        for vehicle_id in before.vehicles.keys() | after.vehicles.keys():
            if before.vehicles.get(vehicle_id) != after.vehicles.get(vehicle_id):
                self._write_states((after.user_id, vehicle_id))
        untimed = now if late_before is None else late_before - timedelta(milliseconds=1)
        changes = compare(before, after, untimed, watched=late_before is None)
        for change in changes:
            late = late_before is not None and change.occurred_at < late_before
            self.announcer.tell(change, source, late=late)
        if changes and late_before is None:
            if source is Source.WEBHOOK:
                self._health.announced()
                self._memory.push_announces = True
            elif source is Source.POLL:
                self._health.found_by_poll(after.user_id, now)

    @callback
    def _write_states(self, key: VehicleKey) -> None:
        for listener in tuple(self._listeners_of.get(key, ())):
            listener()
        for fleet_listener in tuple(self._fleet_listeners):
            fleet_listener(key)

    def _in_background[T](self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        return self.config_entry.async_create_background_task(self.hass, work, name)


def _has_moved(user: UserSnapshot, vehicles: Iterable[Vehicle]) -> bool:
    """Return whether a car came, or was plugged in or out: then its sessions matter, too."""
    return any(
        (known := user.vehicles.get(vehicle.id)) is None
        or known.vehicle.charge_state.status is not vehicle.charge_state.status
        for vehicle in vehicles
    )


def _is_known(user: UserSnapshot, session: Session) -> bool:
    """Return whether a session brings no news."""
    for vehicle in user.vehicles.values():
        if session.ended_at is not None and session.id in vehicle.ended_sessions:
            return True
        if session.ended_at is None and session.id in vehicle.open_sessions:
            return True
    return False
