"""Details: when settings of a user's cars, chargers and charging locations are read again, and how."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
import logging
import random
from typing import Final

from ..api import ChargingLocation, JedlixError
from ..api.offered import OfferedCalls
from .changes import Change, ChangeType
from .fetcher import Fetcher
from .locations import has_other_tariffs, with_locations
from .user_snapshot import UserSnapshot
from .vehicle_snapshot import VehicleSnapshot

_LOGGER = logging.getLogger(__name__)

# A detail that takes longer is read at the next refresh, in seconds.
DETAIL_TIMEOUT: Final = 30.0

_READ_DAILY: Final = timedelta(days=1)
# In a household settings that were changed in Jedlix's app show this soon; in a session at each poll.
_READ_AT_HOME: Final = timedelta(minutes=15)
_READ_IN_SESSION: Final = timedelta(minutes=1)

# Changes that may come from other settings.
_HINTS_AT_SETTINGS: Final = frozenset(
    {
        ChangeType.SESSION_STARTED,
        ChangeType.SESSION_BECAME_SMART,
        ChangeType.SESSION_BECAME_UNMANAGED,
        ChangeType.VEHICLE_ADDED,
    }
)


class DetailSchedule:
    """When the charge settings of a user's cars, the chargers and the charging locations are read again.

    All are read at the first refresh and then daily; settings more often in a session, and
    when a delivery names them; chargers when a car is in another charge state, and at each poll in a
    session. Locations are read at the next poll as well after one went or its tariffs changed. A refresh that
    only reads the cars counts for none.
    """

    def __init__(self) -> None:
        """Start with nothing read."""
        self._settings_read_at: dict[str, datetime] = {}
        self._chargers_read_at: dict[str, datetime] = {}
        self._locations_read_at: dict[str, datetime] = {}
        # users whose details were read before the start, and not since; no address is stored
        self._stored: set[str] = set()
        self._without_addresses: set[str] = set()

    def spread(self, user_ids: Iterable[str], now: datetime) -> None:
        """Have users whose details are stored read at any time of a day, not all at the start."""
        for user_id in user_ids:
            read_at = now - random.random() * _READ_DAILY  # noqa: S311
            self._settings_read_at[user_id] = read_at
            self._chargers_read_at[user_id] = self._locations_read_at[user_id] = read_at
            self._stored.add(user_id)
            self._without_addresses.add(user_id)

    def request_settings(self, user_id: str) -> None:
        """Have the settings of a user's cars read at the next refresh."""
        self._settings_read_at.pop(user_id, None)

    def note_states(self, before: UserSnapshot, after: UserSnapshot) -> None:
        """Have a user's chargers read at this refresh where a car is in another charge state than before."""
        known = before.vehicles
        is_moved = any(
            name not in known or known[name].status is not car.status
            for name, car in after.vehicles.items()
        )
        if after.chargers and is_moved:
            self.request_chargers(after.user_id)

    def request_chargers(self, user_id: str) -> None:
        """Have a user's chargers read at the next refresh."""
        self._chargers_read_at.pop(user_id, None)

    def request_locations(self, user_id: str) -> None:
        """Have a user's charging locations read at the next refresh."""
        self._locations_read_at.pop(user_id, None)

    def lacks_addresses(self, user_id: str) -> bool:
        """Return whether the locations of a user come from the store, which has no addresses."""
        return user_id in self._without_addresses

    def is_unread(self, user_id: str) -> bool:
        """Return whether settings or chargers of a user wait to be read, after a request or the start."""
        return user_id in self._stored or self.is_requested(user_id)

    def is_requested(self, user_id: str) -> bool:
        """Return whether settings or chargers of a user wait to be read, after a request or a failed read."""
        return not (user_id in self._settings_read_at and user_id in self._chargers_read_at)

    def take_settings_due(
        self,
        user: UserSnapshot,
        changes: Iterable[Change],
        now: datetime,
        *,
        is_household: bool = True,
        thorough: bool = True,
    ) -> bool:
        """Return whether to read the settings of a user's cars now; counts them as read if so."""
        interval = _READ_AT_HOME if is_household else _READ_DAILY
        if user.has_open_session and thorough:
            interval = _READ_IN_SESSION
        is_due = _take_due(
            self._settings_read_at,
            user,
            now,
            interval,
            now_anyway=any(change.type in _HINTS_AT_SETTINGS for change in changes)
            or any(_has_resumed(car, now) for car in user.vehicles.values()),
        )
        if is_due:
            self._stored.discard(user.user_id)
        return is_due

    def take_chargers_due(self, user: UserSnapshot, now: datetime, *, polled: bool) -> bool:
        """Return whether to read a user's chargers now; counts them as read if so."""
        return _take_due(
            self._chargers_read_at,
            user,
            now,
            _READ_DAILY,
            now_anyway=bool(user.chargers)
            and polled
            and (user.has_open_session or user.has_absent_charger),
        )

    def take_locations_due(self, user: UserSnapshot, now: datetime, *, polled: bool) -> bool:
        """Return whether to read a user's charging locations now; counts them as read if so."""
        is_due = _take_due(
            self._locations_read_at,
            user,
            now,
            _READ_DAILY,
            now_anyway=user.locations is None or (polled and user.has_absent_location),
        )
        if is_due:
            self._without_addresses.discard(user.user_id)
        return is_due


def _take_due(
    read_at: dict[str, datetime],
    user: UserSnapshot,
    now: datetime,
    interval: timedelta,
    *,
    now_anyway: bool,
) -> bool:
    is_new = user.chargers is None  # also a user who was removed and is followed again
    last = read_at.get(user.user_id)
    if last is not None and now - last < interval and not now_anyway and not is_new:
        return False
    read_at[user.user_id] = now
    return True


def _has_resumed(car: VehicleSnapshot, now: datetime) -> bool:
    """Return whether the time has come at which smart charging takes over again (documented)."""
    resumes_at = None if car.settings is None else car.settings.resumes_at
    return resumes_at is not None and resumes_at <= now


class DetailReader:
    """Reads the settings, chargers and locations of a user. What cannot be read is requested again."""

    def __init__(
        self,
        fetcher: Fetcher,
        offered: OfferedCalls,
        *,
        zone_of: Callable[[ChargingLocation], str | None],
    ) -> None:
        """Start with nothing read; `zone_of` returns the name that Home Assistant has for a location."""
        self._zone_of = zone_of
        self._fetcher = fetcher
        self._offered = offered
        self.schedule = DetailSchedule()

    async def with_settings(self, user: UserSnapshot, vehicle_id: str) -> UserSnapshot:
        """Return a user with the settings of one car, where they can be read."""
        car = user.vehicles[vehicle_id]
        try:
            async with asyncio.timeout(DETAIL_TIMEOUT):
                settings = await self._fetcher.settings(user.user_id, vehicle_id)
        except (JedlixError, TimeoutError) as err:
            _LOGGER.debug("The settings of Jedlix user %s are read later: %r", user.user_id, err)
            self.schedule.request_settings(user.user_id)
            return user
        if settings is not None or not self._offered.is_offered("charge_settings"):
            return user.with_vehicle(replace(car, settings=settings))
        if car.settings is not None:
            # It may have been a slip of Jedlix.
            self.schedule.request_settings(user.user_id)
        return user

    async def with_chargers(self, user: UserSnapshot, now: Callable[[], datetime]) -> UserSnapshot:
        """Return a user with the chargers, where they can be read; `now` is Jedlix's time."""
        try:
            async with asyncio.timeout(DETAIL_TIMEOUT):
                chargers = await self._fetcher.chargers(user.user_id)
        except (JedlixError, TimeoutError) as err:
            _LOGGER.debug("The chargers of Jedlix user %s are read later: %r", user.user_id, err)
            self.schedule.request_chargers(user.user_id)
            return user
        if chargers is None:
            return replace(user, chargers=user.chargers or {})
        return user.with_chargers(chargers, now())

    async def with_locations(self, user: UserSnapshot, now: Callable[[], datetime]) -> UserSnapshot:
        """Return a user with the charging locations, where they can be read; `now` is Jedlix's time."""
        try:
            async with asyncio.timeout(DETAIL_TIMEOUT):
                locations = await self._fetcher.locations(user.user_id)
        except (JedlixError, TimeoutError) as err:
            _LOGGER.debug("The locations of Jedlix user %s are read later: %r", user.user_id, err)
            self.schedule.request_locations(user.user_id)
            return user
        if locations is None:
            if self._offered.is_offered("user_locations"):
                self.schedule.request_locations(user.user_id)  # it may have been a slip of Jedlix
            return replace(user, locations=user.locations or {})
        zoned = type(locations)(replace(item, zone=self._zone_of(item)) for item in locations)
        after = with_locations(user, zoned, now())
        if has_other_tariffs(user, after):
            self.schedule.request_locations(user.user_id)
        return after
