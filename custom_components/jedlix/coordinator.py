"""Polls, answers rings, catches up, keeps the snapshots and announces changes.

The base class does what it does well: the schedule of the poll, the back-off, one log line when Jedlix goes
away and one when it is back. What it does not do is tell cars apart; that is what the fleet is for.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
import logging
from typing import TYPE_CHECKING, Any, Final, override

from homeassistant.core import HomeAssistant, callback
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
from .catch_up import CatchUp
from .changes import Change, compare
from .const import CONF_POLL_MINUTES, DEFAULT_POLL_MINUTES, DOMAIN
from .details import Details
from .fetching import FIRST_LOOK, OVERLAP, Truth
from .fleet import Fleet, Key
from .memory import Memory
from .push.health import PushHealth
from .rings import Rings
from .rota import A_TURN, Rota, with_news
from .snapshot import UserSnapshot, VehicleSnapshot

if TYPE_CHECKING:
    from .runtime import JedlixConfigEntry

_LOGGER = logging.getLogger(__name__)

# How long set-up waits for the first look at all users; the rest come while Home Assistant already runs.
_FIRST_LOOK_PATIENCE: Final = 10.0
# When a poll that failed is tried again, in seconds: until then the cars are unavailable.
_RETRY_AFTER: Final = 60.0


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
        self.truth = Truth(client)
        self.fleet = Fleet(memory)
        self._details = Details()
        self._catch_up = CatchUp(client, self.truth, memory, self._tell_missed)
        self.announcer = Announcer(hass, entry.entry_id)
        self._rings = Rings(self._answer_ring, self._in_background)
        self.locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._rota = Rota(followed, dt_util.utcnow())
        # whom a command is to blame for a ring of ours, and whom Jedlix did not know at the last look
        self._commanded: set[str] = set()
        self._missing: set[str] = set()
        for gone in memory.users.keys() - self.followed:
            del memory.users[gone]

    # -- who is followed -----------------------------------------------------------------------------------

    @property
    def followed(self) -> frozenset[str]:
        """Return the ids of the followed users."""
        return self._rota.followed

    @property
    def not_yet_seen(self) -> frozenset[str]:
        """Return the followed users whose cars or chargers are not known yet."""
        return frozenset(
            user_id
            for user_id in self.followed
            if (user := self._memory.users.get(user_id)) is None or user.chargers is None
        )

    @callback
    def follow(self, user_id: str) -> None:
        """Follow one more user, from a first look on."""
        self._rota.follow(user_id)
        self._rings.ring(user_id)

    @callback
    def unfollow(self, user_id: str) -> None:
        """Forget a user and all that is theirs, without a word: nothing happened to the cars."""
        self._rota.unfollow(user_id)
        self.fleet.drop(user_id)

    # -- rings and polls -----------------------------------------------------------------------------------

    @callback
    def ring(self, message: WebhookMessage) -> None:
        """Fetch the truth about the user whom a delivery names.

        One that names nobody rings for all of a household; in a fleet it only brings the poll forward. That
        the name of a type tells whether it is about settings is a guess, and only decides what is read.
        """
        if (rung_for := self._rung_for(message)) is None:
            self.config_entry.async_create_task(self.hass, self.async_request_refresh())
            return
        for user_id in rung_for:
            self._rings.ring(user_id)

    def _rung_for(self, message: WebhookMessage) -> Collection[str] | None:
        """Return the followed users whom a delivery is about, None where it may be anybody of a fleet."""
        if (user_id := message.user_id or self.fleet.owner(message)) is not None:
            rung_for = self.followed & {user_id}
        elif len(self.followed) <= A_TURN:
            rung_for = self.followed
        else:
            return None
        if "setting" in message.event_type.lower():
            for followed in rung_for:
                self._details.owe_settings(followed)
        return rung_for

    async def _answer_ring(self, user_id: str) -> bool:
        source = Source.COMMAND if user_id in self._commanded else Source.WEBHOOK
        error = await self._try_to_look(user_id, source)
        if isinstance(error, AuthError):
            # the next try would be refused as well, and new credentials bring a reload
            self.config_entry.async_start_reauth(self.hass)
        elif error is not None:
            _LOGGER.debug("A look at %s failed and will be tried again: %s", user_id, error)
            return False
        self._commanded.discard(user_id)
        return True

    @override
    async def _async_update_data(self) -> None:
        """Poll: what began or ended in the tenant, then the users for whom that or the turn asks."""
        now = dt_util.utcnow()
        if self._was_away(now):
            self._rota.was_away(now)
            self._catch_up.owe(self._memory.checkpoint)
        named = await self._named_by_history(now)
        try:
            changed = await self._sessions_since(self._memory.checkpoint)
            due = self._rota.due(
                self._memory.users, changed, lists_tenant=self.truth.serves("sessions")
            )
            await self._look_at_all(due, changed, named)
        except AuthError as err:
            raise ConfigEntryAuthFailed(
                translation_domain=DOMAIN, translation_key="auth_failed"
            ) from err
        except JedlixError as err:
            raise UpdateFailed(
                translation_domain=DOMAIN,
                translation_key="update_failed",
                translation_placeholders={"error": str(err)},
                retry_after=(isinstance(err, RateLimited) and err.retry_after) or _RETRY_AFTER,
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

    async def catch_up(self, since: datetime) -> None:
        """Tell as late what was missed since a moment, at most 7 days ago; raises a JedlixError."""
        now = dt_util.utcnow()
        named = await self._catch_up.tell_since(since, now)
        changed = await self._sessions_since(since)
        missed = named | with_news(self._memory.users, changed)
        if not self.truth.serves("sessions"):
            missed |= self.followed
        self._rota.missed(missed, since, now)
        await self._look_at_all(dict.fromkeys(missed, True), changed, missed)

    async def _named_by_history(self, now: datetime) -> Collection[str]:
        """Tell the deliveries that are owed; returns the users they are about.

        What takes longer than set-up can wait for goes on in the background: everybody is looked at anyway.
        """
        telling = self._in_background(self._catch_up.tell_owed(now), "jedlix webhook history")
        done, _ = await asyncio.wait([telling], timeout=_FIRST_LOOK_PATIENCE)
        return telling.result() if done else ()

    @callback
    def _tell_missed(self, message: WebhookMessage) -> Collection[str]:
        followed = message.user_id in self.followed
        self.announcer.tell_webhook(message, Source.HISTORY, followed=followed, late=True)
        return self._rung_for(message) or ()

    async def _sessions_since(self, moment: datetime | None) -> dict[str, list[Session]]:
        """Return the sessions of followed users since a moment; none where there is no moment yet."""
        found: dict[str, list[Session]] = {}
        if moment is not None:
            for session in await self.truth.tenant_sessions(moment - OVERLAP):
                if session.user_id in self.followed:
                    found.setdefault(session.user_id, []).append(session)
        return found

    async def _look_at_all(
        self,
        due: Mapping[str, bool],
        changed: Mapping[str, list[Session]],
        named: Collection[str],
    ) -> None:
        """Look at users side by side; raises the failure when no look succeeded.

        Those whom the history named are looked at because of it. The first round of a large fleet goes on in
        the background once set-up has waited long enough.
        """
        looks = [
            self._in_background(
                self._try_to_look(
                    user_id,
                    Source.HISTORY if user_id in named else Source.POLL,
                    changed.get(user_id, ()),
                    thorough=thorough,
                ),
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
        self,
        user_id: str,
        source: Source,
        sessions: Iterable[Session] = (),
        *,
        thorough: bool = True,
    ) -> JedlixError | None:
        """Look, and owe a look that fails: everything since the last good poll; returns the failure."""
        since = self._memory.checkpoint or dt_util.utcnow()
        try:
            await self._look(user_id, source, sessions, thorough=thorough)
        except JedlixError as err:
            self._rota.owe(user_id, since)
            return err
        return None

    @callback
    def commanded(self, key: Key, edit: Callable[[VehicleSnapshot], VehicleSnapshot]) -> None:
        """Take what a command of ours made true of a car, and tell it."""
        user_id, vehicle_id = key
        if (user := self._memory.users.get(user_id)) is None or vehicle_id not in user.vehicles:
            return
        after = user.with_vehicle(edit(user.vehicles[vehicle_id]))
        self._settle(user, after, Source.COMMAND)

    async def look_after_command(self, user_id: str) -> None:
        """Read the truth again after a write of ours; where that fails it is tried again, as for a ring."""
        if await self._try_to_look(user_id, Source.COMMAND) is not None:
            self.look_after_failure(user_id)

    @callback
    def look_after_failure(self, user_id: str) -> None:
        """Read the truth once Jedlix answers again: a write whose answer was lost may have been done."""
        self._details.owe_settings(user_id)
        self._commanded.add(user_id)
        self._rings.ring(user_id)

    async def _look(
        self, user_id: str, source: Source, sessions: Iterable[Session], *, thorough: bool
    ) -> None:
        """Fetch what is true about a user and tell what changed; raises a JedlixError."""
        async with self.locks[user_id]:
            if user_id not in self.followed:
                return
            known = self._memory.users.get(user_id)
            now = dt_util.utcnow()
            before = known or UserSnapshot.unknown(user_id, now)
            try:
                vehicles: Iterable[Vehicle]
                fetched: Iterable[Session] = ()
                if not thorough:
                    vehicles = await self.truth.vehicles(user_id)
                    thorough = before.has_moved(vehicles)
                if thorough:
                    vehicles, fetched = await self.truth.user(user_id, self._since(known, now))
            except NotFound:
                # the user is gone at Jedlix, and the cars with it, if two polls say so
                is_sure = source is Source.POLL and user_id in self._missing
                if before.vehicles and not is_sure:
                    if source is Source.POLL:
                        self._missing.add(user_id)
                    raise
                vehicles = ()
            self._missing.discard(user_id)
            if user_id not in self.followed:  # let go meanwhile
                return
            late_before = (
                self._rota.watching_since if self._rota.is_unwatched(user_id) and known else None
            )
            self._rota.looked_at(user_id)
            after = before.advance(vehicles, [*sessions, *fetched], dt_util.utcnow())
            changes = self._settle(before, after, source, late_before)
            if late_before is None:
                self._weigh(user_id, changes, source)
            if not self._memory.is_closed:
                await self._look_closer(after, changes, source, late_before)

    async def _look_closer(
        self,
        user: UserSnapshot,
        changes: Iterable[Change],
        source: Source,
        late_before: datetime | None,
    ) -> None:
        """Read what is read rarely, where it is its turn; what fails is read at the next look."""
        now, user_id = dt_util.utcnow(), user.user_id
        after = user
        if self._details.settings_due(user, changes, now):
            try:
                for vehicle_id, car in user.vehicles.items():
                    settings = await self.truth.settings(user_id, vehicle_id)
                    after = after.with_vehicle(replace(car, settings=settings))
                    if settings is None and car.settings is not None:
                        self._details.owe_settings(user_id)  # it may have been a slip of Jedlix's
            except JedlixError as err:
                _LOGGER.debug("The settings of %s are read later: %s", user_id, err)
                self._details.owe_settings(user_id)
        if self._details.chargers_due(user, changes, now, polled=source is Source.POLL):
            try:
                if (chargers := await self.truth.chargers(user_id)) is None:
                    after = replace(after, chargers=after.chargers or {})
                else:
                    after = replace(after, chargers={item.id: item for item in chargers})
            except JedlixError as err:
                _LOGGER.debug("The chargers of %s are read later: %s", user_id, err)
                self._details.owe_chargers(user_id)
        if after is not user and user_id in self.followed:
            self._settle(user, after, source, late_before)

    def _since(self, known: UserSnapshot | None, now: datetime) -> datetime:
        """Return from when on a user's sessions are needed: the oldest open one, or the last good poll."""
        if known is None:
            return now - FIRST_LOOK
        owed_since = self._rota.owed_since(known.user_id)
        since = (owed_since or self._memory.checkpoint or now) - OVERLAP
        return min(known.oldest_open_start or since, since)

    @callback
    def _settle(
        self,
        before: UserSnapshot,
        after: UserSnapshot,
        source: Source,
        late_before: datetime | None = None,
    ) -> list[Change]:
        """Put the new in the place of the old: states are written, then changes told and returned.

        What happened before `late_before` happened while nobody was watching, and so did what has no time.
        What could no longer be remembered is left to be told by the next life.
        """
        if self._memory.is_closed:
            return []
        self.fleet.put(before, after)
        now = dt_util.utcnow()
        untimed = now if late_before is None else late_before - timedelta(milliseconds=1)
        changes = compare(before, after, untimed, watched=late_before is None)
        for change in changes:
            late = late_before is not None and change.occurred_at < late_before
            self.announcer.tell(change, source, late=late)
        return changes

    @callback
    def _weigh(self, user_id: str, changes: Iterable[Change], source: Source) -> None:
        """Take changes as evidence for or against push; settings are none, a tenant need not tell of them."""
        if not changes:
            return
        if source is Source.WEBHOOK:
            self._health.announced()
            self._memory.push_announces = True
        elif source is Source.POLL:
            self._health.found_by_poll(user_id, dt_util.utcnow())

    def _in_background[T](self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        return self.config_entry.async_create_background_task(self.hass, work, name)
