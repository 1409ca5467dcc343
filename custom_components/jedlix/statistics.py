"""Statistics: the energy, cost and savings of ended sessions, by hour, for the Energy dashboard.

They are external statistics: they reach back to before the installation, and an hour can be corrected. What
the ledger remembers is imported at each change of it, without a call to Jedlix. What was before, or was
missed, is read once from the session history.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
import logging
from typing import Any, Final, NamedTuple

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.helpers.recorder import DATA_INSTANCE
from homeassistant.util import dt as dt_util

from .api import JedlixError, Session
from .const import CONF_IMPORT_ENERGY
from .coordinator import JedlixCoordinator
from .devices import DeviceKey, identifier_of
from .fleet import FleetMember
from .issues import delete_import_issue, show_import_issue
from .recorded_hours import RecordedHours
from .session_history import MAX_SESSION_LENGTH, SessionHistory, TooManySessions
from .state.figures import Figures
from .state.hours import Flow, by_hour, flow_of
from .state.ledger import SESSIONS_REMEMBERED
from .state.series import ImportMark, fingerprint_of
from .state.vehicle_snapshot import CLOCK_TOLERANCE, VehicleSnapshot
from .store import JedlixStore

_LOGGER = logging.getLogger(__name__)

_FIRST_IMPORT_PERIOD: Final = timedelta(days=365)
_RETRY_INTERVAL: Final = timedelta(hours=1)
_FAILING_BEFORE_ISSUE: Final = timedelta(days=1)


class Imported(NamedTuple):
    """What an import of a car found: its sessions, and their energy in kWh, None where none is known."""

    sessions: int
    energy_kwh: float | None


class Ended(NamedTuple):
    """A session that has ended, and whether the car was read since: only then it is known when it charged."""

    session: Session
    is_flow_known: bool


class StatisticsImport:
    """Imports the cars that are due: those whose ended sessions changed, and those whose import failed."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry[Any],
        coordinator: JedlixCoordinator,
        history: SessionHistory,
        store: JedlixStore,
    ) -> None:
        """Start with what is stored, before the first refresh corrects it."""
        self._hass = hass
        self._entry = entry
        self._coordinator = coordinator
        self._history = history
        self._store = store
        self._ended = {key: _ended_sessions(car) for key, car in coordinator.fleet.vehicles.items()}
        self._due: set[DeviceKey] = set()
        # what is corrected while a car is imported for the first time
        self._stale_at_first: dict[str, frozenset[datetime]] = {}
        self._importing = asyncio.Lock()
        self._is_past_too_long = False
        self.failures: dict[DeviceKey, str] = {}
        self.failing_since: datetime | None = None

    @property
    def is_wanted(self) -> bool:
        """Return whether the options want the import."""
        return self._entry.options.get(CONF_IMPORT_ENERGY, True) is True

    @property
    def has_recorder(self) -> bool:
        """Return whether Home Assistant records statistics."""
        return DATA_INSTANCE in self._hass.data

    @callback
    def start(self) -> None:
        """Import until the entry is unloaded, where that is wanted and can be recorded."""
        if not self.is_wanted or not self.has_recorder:
            return
        fleet = self._coordinator.fleet
        self._entry.async_on_unload(fleet.listen(self._member_changed))
        self._entry.async_on_unload(
            async_track_time_interval(
                self._hass, self._import_soon, _RETRY_INTERVAL, cancel_on_shutdown=True
            )
        )
        self._entry.async_on_unload(lambda: delete_import_issue(self._hass, self._entry))
        for key, car in fleet.vehicles.items():
            self._note_changes(key, car)
            mark = self._store.imported.get(identifier_of(key))
            if mark is None or mark.fingerprint != fingerprint_of(self._ended[key]):
                self._due.add(key)
        self._import_soon()

    @callback
    def _member_changed(self, key: DeviceKey, car: FleetMember | None) -> None:
        """Import a car that is new, or whose ended sessions changed."""
        if isinstance(car, VehicleSnapshot) and self._note_changes(key, car):
            self._due.add(key)
            self._import_soon()

    def _note_changes(self, key: DeviceKey, car: VehicleSnapshot) -> bool:
        """Return whether ended sessions changed; note the hours of those that were corrected or deleted.

        These are all hours of the session: when the car charged may have been known otherwise.
        """
        ended = _ended_sessions(car)
        before = self._ended.get(key)
        self._ended[key] = ended
        sealed_until = car.ledger.sealed_until
        known = {
            session_id: item
            for session_id, item in (before or {}).items()
            if session_id in ended
            or sealed_until is None
            or item.session.ended_at is None
            or item.session.ended_at > sealed_until
        }
        outdated = [
            item.session for session_id, item in known.items() if ended.get(session_id) != item
        ]
        hours = {
            hour
            for session, flow in self._flows(key, outdated)
            for hour in by_hour(0.0, flow_of(session.started_at or flow[0].start, flow[-1].end))
        }
        if hours:
            self._note_stale(identifier_of(key), hours)
        return before is None or known != ended

    @callback
    def _import_soon(self, _now: datetime | None = None) -> None:
        if self._due and not self._importing.locked():
            self._entry.async_create_background_task(
                self._hass, self._import_due(), "jedlix energy import"
            )

    async def _import_due(self) -> None:
        """Import one car after the other. An import that fails is tried again within the hour."""
        async with self._importing:
            failures: dict[DeviceKey, str] = {}
            while self._due:
                key = self._due.pop()
                try:
                    await self._import_news(key)
                except JedlixError as err:
                    failures[key] = str(err)
                except Exception as err:
                    _LOGGER.exception("The Jedlix sessions of %s could not be imported", key)
                    failures[key] = repr(err)
            self._due |= failures.keys()
            self._note(failures)

    @callback
    def _note(self, failures: dict[DeviceKey, str]) -> None:
        """Note which imports failed; a repair says so after a day."""
        now = dt_util.utcnow()
        self.failures = failures
        if not failures:
            self.failing_since = None
            delete_import_issue(self._hass, self._entry)
            return
        self.failing_since = self.failing_since or now
        if now - self.failing_since >= _FAILING_BEFORE_ISSUE:
            show_import_issue(self._hass, self._entry, next(iter(failures.values())))

    async def _import_news(self, key: DeviceKey) -> None:
        """Import what is new of a car; raises a JedlixError."""
        if (car := self._coordinator.fleet.vehicle(key)) is None:
            return
        now, name = self._coordinator.now(), identifier_of(key)
        remembered = now - SESSIONS_REMEMBERED
        mark = self._store.imported.get(name)
        if mark is None and not self._may_have_figures(car):
            self._stale_at_first.pop(name, None)
            return
        is_behind = mark is None or not remembered < mark.until <= now
        if is_behind and not self._is_past_too_long:
            # The ledger does not know all that ended since.
            since = now - _FIRST_IMPORT_PERIOD if mark is None else mark.until - SESSIONS_REMEMBERED
            try:
                sessions = await self._read(key, since)
            except TooManySessions:
                _LOGGER.debug("Jedlix lists too many sessions to import those of the past")
                self._is_past_too_long = True  # the tenant's list is as long for every other car
            else:
                await self._recorded(key).write(self._flows(key, sessions), since)
        stale = self._stale(name)
        fingerprint = fingerprint_of(self._ended[key])
        past, removed = None, stale
        if stale and min(stale) < remembered:
            # The ledger may have sealed another session of these hours.
            try:
                past = await self._read(key, min(stale))
            except TooManySessions:
                removed = frozenset(hour for hour in stale if hour >= remembered)
        # It may have sealed one while Jedlix was asked.
        remembered = self._coordinator.now() - SESSIONS_REMEMBERED
        await self._recorded(key).write(
            self._flows(key, self._history.remembered(key) if past is None else past),
            remembered,
            complete_since=max(remembered, car.ledger.watched_since or now),
            stale=removed,
        )
        self._store.imported[name] = ImportMark(now, fingerprint, self._stale(name) - stale)
        self._stale_at_first.pop(name, None)
        self._store.schedule_save()

    def _stale(self, name: str) -> frozenset[datetime]:
        mark = self._store.imported.get(name)
        return self._stale_at_first.get(name, frozenset()) if mark is None else mark.stale

    def _note_stale(self, name: str, hours: set[datetime]) -> None:
        stale = self._stale(name) | hours
        if (mark := self._store.imported.get(name)) is None:
            self._stale_at_first[name] = stale
        else:
            self._store.imported[name] = replace(mark, stale=stale)

    def _may_have_figures(self, car: VehicleSnapshot) -> bool:
        """Return whether Jedlix has reported a figure of a session, or may do so in the financials (A7)."""
        return self._history.is_listed and (
            self._coordinator.offered.is_offered("financials")
            or any(not Figures.of(session).is_empty for session in car.ledger.sessions.values())
        )

    async def import_since(self, key: DeviceKey, since: datetime) -> Imported:
        """Import a car's sessions again from a moment on, as Jedlix lists them now; raises a JedlixError.

        What Jedlix no longer lists since then goes. An empty list changes nothing.
        """
        async with self._importing:
            flows = self._flows(key, await self._read(key, since))
            new = [session for session, flow in flows if flow[-1].end > since]
            if new:
                await self._recorded(key).write(flows, since, complete_since=since)
        self._import_soon()  # what became due meanwhile
        energies = [item.energy_kwh for item in new if item.energy_kwh is not None]
        return Imported(len(new), round(sum(energies), 3) if energies else None)

    async def _read(self, key: DeviceKey, since: datetime) -> list[Session]:
        return await self._history.began_since(key, since - MAX_SESSION_LENGTH)

    def _recorded(self, key: DeviceKey) -> RecordedHours:
        return RecordedHours(self._hass, self._entry.entry_id, key)

    def _flows(self, key: DeviceKey, sessions: Iterable[Session]) -> list[tuple[Session, Flow]]:
        """Return the ended sessions, each with a currency and with when its energy flowed.

        Where Jedlix names no currency at all, it is that of Home Assistant.
        """
        latest = self._coordinator.now() + CLOCK_TOLERANCE
        currency = self._hass.config.currency
        return [
            (replace(item, currency=item.currency or currency), self._history.flow(key, item))
            for item in sessions
            if item.ended_at is not None
            and item.ended_at <= latest
            # A longer one is an error of Jedlix, and would fill the database with hours.
            and item.ended_at - (item.started_at or item.ended_at) <= MAX_SESSION_LENGTH
        ]


def _ended_sessions(car: VehicleSnapshot) -> dict[str, Ended]:
    """Return the remembered sessions of a car that have ended, by id."""
    read_at = car.vehicle.charge_state.updated_at
    return {
        name: Ended(session, read_at is not None and read_at >= session.ended_at)
        for name, session in car.ledger.sessions.items()
        if session.ended_at is not None
    }
