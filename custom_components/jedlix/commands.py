"""Commands: write what a person wants at Jedlix, then refresh, so that the states are right at the end.

Every path here is assumed (A3, A5, A6). Where the tenant does not offer one, the controls that need it become
unavailable, with one line in the log.
"""

import asyncio
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Coroutine,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, time, timedelta
import logging
from typing import Any, Concatenate, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.util import dt as dt_util

from .api import (
    ChargeSettings,
    Forbidden,
    JedlixClient,
    JedlixError,
    NotFound,
    Rejected,
    Session,
)
from .api.gate import nobody_waits, wanted_by_person
from .api.reading import Json
from .coordinator import JedlixCoordinator
from .devices import DeviceKey
from .errors import failure, failure_of, refuse
from .state.departure_times import READY_BY, Departure, Path, departure_times, with_times
from .state.flags import Flag, flag_key, with_flag
from .state.holds import Part
from .state.read_back import Surprise, surprise
from .state.vehicle_snapshot import VehicleSnapshot
from .weekdays import weekday_texts

_LOGGER = logging.getLogger(__name__)

# A car is asked at most once in 10 minutes, and a request is forgotten after 15 (documented).
_MIN_REFRESH_INTERVAL: Final = timedelta(minutes=10)
_REFRESH_REMEMBERED: Final = timedelta(minutes=15)
# How long to wait before the answer of the car is asked for again, in seconds.
MIN_STATUS_INTERVAL: Final = 5.0
MAX_STATUS_INTERVAL: Final = 60.0
# How long to wait before each reading of what was written, in seconds: ten in all.
READ_BACK_WAITS: Final = (0.0, 1.0, 3.0, 6.0)


type _Change = Callable[[ChargeSettings], dict[str, Json]]
type _Plan = tuple[_Change, Collection[Path]]


def _finished[**P](
    command: Callable[Concatenate[Commands, P], Awaitable[None]],
) -> Callable[Concatenate[Commands, P], Coroutine[Any, Any, None]]:
    """Carry a command out to its end, although its caller was cancelled, or Jedlix asked to wait."""

    async def finished(self: Commands, /, *args: P.args, **kwargs: P.kwargs) -> None:
        with wanted_by_person():
            await self._run_to_the_end(command(self, *args, **kwargs))

    return finished


class Commands:
    """The commands to the cars of one entry.

    All raise ServiceValidationError where the car or the input does not allow the command, and
    HomeAssistantError where Jedlix refuses it or cannot be reached. Both are in the user's language.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry[Any],
        client: JedlixClient,
        coordinator: JedlixCoordinator,
    ) -> None:
        """Command the cars that this coordinator knows."""
        self._hass = hass
        self._entry = entry
        self._client = client
        self._coordinator = coordinator
        self._refreshed_at: dict[DeviceKey, datetime] = {}

    async def _run_to_the_end(self, command: Awaitable[None]) -> None:
        """Run a command in a task of its own, which a cancelled caller does not end."""

        async def run() -> None:
            await command

        task = self._hass.async_create_task(run(), "jedlix command")
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            task.add_done_callback(_log_failure)
            raise
        task.result()

    @_finished
    async def set_smart_charging(
        self, key: DeviceKey, *, enabled: bool, until: datetime | None = None
    ) -> None:
        """Switch smart charging on or off; `until` is when it takes over again by itself (documented)."""
        if until is not None and until <= self._coordinator.now():
            refuse("time_in_the_past")
        async with self._settings(key) as settings:
            await self._write(
                key, settings, lambda known: known.changed(smart_charging=(enabled, until))
            )

    @_finished
    async def set_levels(
        self, key: DeviceKey, *, desired: int | None = None, minimum: int | None = None
    ) -> None:
        """Set the level in % to charge to (50 to 100), or the level up to which to charge at once (0 to 100).

        The minimum never stays above the desired level. It is lowered with it.
        """
        async with self._settings(key) as settings:
            target = desired if desired is not None else settings.desired_battery_level
            if minimum is not None and target is not None and minimum > target:
                refuse("minimum_above_desired", desired=str(target))
            known = settings.minimum_battery_level
            if minimum is None and desired is not None and known is not None and known > desired:
                minimum = desired
            await self._write(
                key,
                settings,
                lambda known: known.changed(
                    desired_battery_level=desired, minimum_battery_level=minimum
                ),
            )

    @_finished
    async def set_ready_by(
        self, key: DeviceKey, at: time, days: Collection[int] | None = None
    ) -> None:
        """Set until when a car has to be ready, to the minute, by the clock of its settings.

        `days` are weekdays, Monday is 0; None means all that have a time. A time of several days is changed
        for all of them or not at all.
        """
        at = at.replace(second=0, microsecond=0)
        texts = await weekday_texts(self._hass)

        def plan(settings: ChargeSettings) -> _Plan:
            chosen = _chosen(departure_times(settings).departures, days, texts)
            groups = [departure.days for departure in chosen]

            def change(known: ChargeSettings) -> dict[str, Json]:
                found = departure_times(known).departures
                return with_times(known, {item.path: at for item in found if item.days in groups})

            return change, [departure.path for departure in chosen]

        await self._write_and_read_back(key, READY_BY, plan)

    @_finished
    async def set_flag(self, key: DeviceKey, which: Flag, *, enabled: bool) -> None:
        """Switch a flag of the charge settings on or off."""

        def plan(settings: ChargeSettings) -> _Plan:
            if (name := flag_key(settings, which)) is None:
                refuse("not_offered")
            return lambda known: with_flag(known, which, enabled=enabled), [(name,)]

        await self._write_and_read_back(key, which, plan)

    @_finished
    async def boost(self, key: DeviceKey, *, enabled: bool) -> None:
        """Charge at once up to the desired level, or go back to smart charging; in a smart session only."""
        session = self._session(key)
        if session is None or session.is_managed is not True:
            refuse("no_smart_session")
        async with self._attempt(key, "session_settings", session):
            await self._client.boost(key[0], session.id, enabled=enabled)
            boosted = session.id if enabled else None
            self._coordinator.refresher.apply_command(
                key, Part.BOOST, lambda car: _with_boost(car, session.id, boosted)
            )

    @_finished
    async def set_current_battery_level(self, key: DeviceKey, level: int) -> None:
        """Report the battery level in % of a car that cannot report it; in a session only."""
        if (session := self._session(key)) is None:
            refuse("no_session")
        async with self._attempt(key, "session_settings", session):
            await self._client.set_current_battery_level(key[0], session.id, level)
            self._coordinator.refresher.apply_command(
                key,
                Part.LEVEL,
                lambda car: replace(car, entered_levels={**car.entered_levels, session.id: level}),
            )

    @_finished
    async def ask_car(self, key: DeviceKey) -> None:
        """Have Jedlix ask the car; its answer is read as soon as Jedlix has it."""
        now = dt_util.utcnow()
        last = self._refreshed_at.get(key)
        if last is not None and now - last < _MIN_REFRESH_INTERVAL:
            again = dt_util.as_local(last + _MIN_REFRESH_INTERVAL)
            refuse("refresh_too_soon", time=again.strftime("%H:%M"))
        async with self._attempt(key, "request_refresh"):
            request = await self._client.request_refresh(*key)
        self._refreshed_at[key] = now
        if request.completed_at is None:
            self._entry.async_create_background_task(
                self._hass, self._await_refresh(key, now), f"jedlix refresh of {key[1]}"
            )

    async def _await_refresh(self, key: DeviceKey, since: datetime) -> None:
        """Refresh once the car has answered, or Jedlix has forgotten the request."""
        interval = MIN_STATUS_INTERVAL
        with nobody_waits():
            while dt_util.utcnow() - since < _REFRESH_REMEMBERED:
                await asyncio.sleep(interval)
                interval = min(interval * 2, MAX_STATUS_INTERVAL)
                try:
                    if (await self._client.refresh_status(*key)).completed_at is not None:
                        break
                except NotFound, Forbidden:
                    break
                except JedlixError:
                    continue
            await self._coordinator.refresh_after_command(key[0])

    # -- how a command is carried out ----------------------------------------------------------------------

    @property
    def _newest_coordinator(self) -> JedlixCoordinator | None:
        """Return the coordinator that refreshes after a command: another one after a reload meanwhile.

        None while the entry is not loaded. Its next set-up refreshes everybody.
        """
        data = getattr(self._entry, "runtime_data", None)
        return None if data is None else data.coordinator

    def _car(self, key: DeviceKey) -> VehicleSnapshot:
        if (car := self._coordinator.fleet.vehicle(key)) is None:
            refuse("unknown_vehicle")
        return car

    def _check(self, key: DeviceKey, call: str) -> None:
        """Refuse what cannot work, in words."""
        self._car(key)
        if self._coordinator.is_closed:
            refuse("not_loaded", account=self._entry.title)
        if not self._coordinator.offered.is_offered(call):
            refuse("not_offered")

    def _check_writes(self, key: DeviceKey, name: str) -> None:
        """Refuse what is not written any more until the next set-up."""
        if name in self._car(key).stopped_writes:
            refuse("write_stopped", account=self._entry.title)

    def _session(self, key: DeviceKey) -> Session | None:
        return self._car(key).session

    @asynccontextmanager
    async def _settings(self, key: DeviceKey) -> AsyncIterator[ChargeSettings]:
        """Yield the newest settings of a car, to be changed and written back whole.

        Jedlix may answer from before the last write. So what that wrote is on top.
        """
        if (car := self._car(key)).settings is None:
            refuse("not_offered")
        async with self._attempt(key, "update_charge_settings"):
            newest = replace(car, settings=await self._client.charge_settings(*key))
            settings = self._coordinator.refresher.with_holds(key, newest).settings
            yield settings or newest.settings or car.settings

    async def _write(
        self,
        key: DeviceKey,
        settings: ChargeSettings,
        change: _Change,
    ) -> None:
        await self._client.update_charge_settings(*key, change(settings))
        self._hold(key, settings, change)

    def _hold(
        self,
        key: DeviceKey,
        settings: ChargeSettings,
        change: _Change,
    ) -> None:
        self._coordinator.refresher.apply_command(
            key, Part.SETTINGS, lambda car: _with_settings(car, settings, change)
        )

    async def _write_and_read_back(
        self, key: DeviceKey, name: str, plan: Callable[[ChargeSettings], _Plan]
    ) -> None:
        """Write to places of the settings that no source describes, and read them again.

        Where Jedlix did not take it over, or changed something else, `name` is not written any more until the
        next set-up.
        """
        self._check_writes(key, name)
        async with self._settings(key) as settings:
            self._check_writes(key, name)  # a command before this one may have stopped them
            try:
                change, paths = plan(settings)
            except ServiceValidationError:
                # The settings may be other than those that are shown.
                self._coordinator.request_after_failed_command(key[0])
                raise
            written = change(settings)
            await self._client.update_charge_settings(*key, written)
            if (wrong := await self._read_back(key, written, paths)) is None:
                self._hold(key, settings, change)
            else:
                self._coordinator.refresher.stop_writes(key, name, wrong)
        match wrong:
            case Surprise.NOT_TAKEN_OVER:
                raise failure("not_taken_over", account=self._entry.title)
            case Surprise.CHANGED_ELSEWHERE:
                raise failure("changed_elsewhere", account=self._entry.title)

    async def _read_back(
        self, key: DeviceKey, written: Mapping[str, Json], paths: Collection[Path]
    ) -> Surprise | None:
        """Return what the settings say other than what was written, None where nothing or nobody knows.

        Jedlix may answer from before the write for a while, so only its last answer counts.
        """
        wrong: Surprise | None = None
        try:
            for wait in READ_BACK_WAITS:
                await asyncio.sleep(wait)
                settings = await self._client.charge_settings(*key)
                if (wrong := surprise(written, settings.raw, paths)) is None:
                    break
        except JedlixError as err:
            _LOGGER.debug("What was written at Jedlix could not be read again: %s", err)
            return None
        return wrong

    @asynccontextmanager
    async def _attempt(
        self, key: DeviceKey, call: str, session: Session | None = None
    ) -> AsyncIterator[None]:
        """Hold back refreshes during a command, then refresh; a failure becomes a translated error."""
        offered = self._coordinator.offered
        refusal: JedlixError | None = None
        try:
            async with self._coordinator.refresher.user_locks[key[0]]:
                self._check(key, call)
                yield
            offered.note_answer(call)
        except (NotFound, Forbidden, Rejected) as err:
            refusal = err
        except JedlixError as err:
            if (coordinator := self._newest_coordinator) is not None:
                coordinator.request_after_failed_command(key[0])
            raise failure_of(err) from err
        if (coordinator := self._newest_coordinator) is not None:
            await coordinator.refresh_after_command(key[0])
        if refusal is None:
            return
        car = self._car(key)
        if session is not None and session.id not in car.open_sessions:
            refuse("no_session")
        if not isinstance(refusal, Rejected):
            offered.note_refusal(call, refusal)
            if not offered.is_offered(call):
                raise failure("not_offered") from refusal
        raise failure("command_refused", error=str(refusal)) from refusal


def _chosen(
    departures: Sequence[Departure],
    days: Collection[int] | None,
    texts: Callable[[Sequence[int]], str],
) -> Sequence[Departure]:
    """Return the departures of these weekdays; without days, all."""
    if not departures:
        refuse("no_departure_times")
    wanted = {day for item in departures for day in item.days} if days is None else {*days}
    chosen = [item for item in departures if not wanted.isdisjoint(item.days)]
    for item in chosen:
        if not wanted.issuperset(item.days):
            refuse("days_share_a_time", days=texts(item.days))
    if without := wanted.difference(*(item.days for item in chosen)):
        refuse("no_time_on_days", days=texts(sorted(without)))
    return chosen


def _log_failure(command: asyncio.Task[None]) -> None:
    """Log that a command failed whose caller no longer waits for it."""
    if not command.cancelled() and (err := command.exception()) is not None:
        _LOGGER.warning("A Jedlix command failed after its caller was cancelled: %s", err)


def _with_boost(car: VehicleSnapshot, session_id: str, boosted: str | None) -> VehicleSnapshot:
    """Return a car with a session boosted, or not; one that has ended stays as it is."""
    return replace(car, boost_session_id=boosted) if session_id in car.open_sessions else car


def _with_settings(
    car: VehicleSnapshot,
    written: ChargeSettings,
    change: _Change,
) -> VehicleSnapshot:
    """Return a car with its settings changed."""
    return replace(car, settings=ChargeSettings.from_json(change(car.settings or written)))
