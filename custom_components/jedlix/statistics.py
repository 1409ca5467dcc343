"""Statistics: past energy and cost for the Energy dashboard, as hourly external statistics of ended sessions.

An import computes the last weeks again from the sessions, on top of the sum before them. So it can be
repeated at any time, and a session whose end is listed late still counts in its own hours.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
import logging
from typing import Final, NamedTuple

from homeassistant.components.recorder.models import (
    StatisticData,
    StatisticMeanType,
    StatisticMetaData,
)
from homeassistant.components.recorder.statistics import (
    StatisticsRow,
    async_add_external_statistics,
    get_last_statistics,
)
from homeassistant.const import UnitOfEnergy
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.helpers.recorder import DATA_INSTANCE, get_instance
from homeassistant.helpers.translation import async_get_cached_translations
from homeassistant.util import dt as dt_util, slugify
from homeassistant.util.unit_conversion import EnergyConverter

from .api import JedlixError, Session
from .const import CONF_IMPORT_ENERGY, DOMAIN
from .data import JedlixConfigEntry
from .devices import DeviceKey, identifier_of
from .fleet import FleetMember
from .session_history import TooManySessions
from .state.snapshot import VehicleSnapshot

_LOGGER = logging.getLogger(__name__)

_FIRST_IMPORT_PERIOD: Final = timedelta(days=365)
# Sessions that ended in this time before an import are computed again: an end, or its energy, may come late.
_RECOMPUTED_PERIOD: Final = timedelta(days=14)
# A longer session is left out, so that no session is read by one import and too old for the next.
_MAX_SESSION_LENGTH: Final = timedelta(days=92)
_RETRY_INTERVAL: Final = timedelta(hours=1)
_HOUR: Final = timedelta(hours=1)


@callback
def import_energy(hass: HomeAssistant, entry: JedlixConfigEntry) -> None:
    """Import the energy of past sessions, now and after each end, where that is wanted and recorded."""
    if entry.options.get(CONF_IMPORT_ENERGY) and DATA_INSTANCE in hass.data:
        StatisticsImport(hass, entry).start()


class StatisticsImport:
    """Imports the cars that are due: new cars, cars whose session ended, and cars whose import failed."""

    def __init__(self, hass: HomeAssistant, entry: JedlixConfigEntry) -> None:
        """Start with nothing imported."""
        self._hass = hass
        self._entry = entry
        self._fleet = entry.runtime_data.coordinator.fleet
        self._offered = entry.runtime_data.coordinator.offered
        self._history = entry.runtime_data.session_history
        self._ended: dict[DeviceKey, set[str]] = {}
        self._due: set[DeviceKey] = set()
        self._importing = asyncio.Lock()
        self._is_impossible = False

    @callback
    def start(self) -> None:
        """Import until the entry is unloaded."""
        self._entry.async_on_unload(self._fleet.listen(self._member_changed))
        self._entry.async_on_unload(
            async_track_time_interval(
                self._hass, self._import_soon, _RETRY_INTERVAL, cancel_on_shutdown=True
            )
        )
        for key, car in self._fleet.vehicles.items():
            self._member_changed(key, car)

    @callback
    def _member_changed(self, key: DeviceKey, car: FleetMember | None) -> None:
        """Import a car that is new, or of which a session ended."""
        if not isinstance(car, VehicleSnapshot):
            return
        known, self._ended[key] = self._ended.get(key), set(car.ended_sessions)
        if known is None or self._ended[key] - known:
            self._due.add(key)
            self._import_soon()

    @callback
    def _import_soon(self, _now: datetime | None = None) -> None:
        if self._due and not self._is_impossible and not self._importing.locked():
            self._entry.async_create_background_task(
                self._hass, self._import_due(), "jedlix energy import"
            )

    async def _import_due(self) -> None:
        """Import one car after the other. An import that fails is tried again within the hour."""
        failed = set()
        async with self._importing:
            while self._due:
                key = self._due.pop()
                try:
                    await self._import(key)
                except TooManySessions as err:
                    _LOGGER.warning("The energy of past Jedlix sessions is not imported: %s", err)
                    self._is_impossible = True
                    return
                except JedlixError as err:
                    _LOGGER.debug(
                        "The Jedlix sessions of %s could not be imported yet: %s", key, err
                    )
                    failed.add(key)
                except Exception:
                    _LOGGER.exception("The Jedlix sessions of %s could not be imported", key)
                    failed.add(key)
            self._due = failed

    async def _import(self, key: DeviceKey) -> None:
        """Import the figures of a car's ended sessions; raises a JedlixError."""
        if (car := self._fleet.vehicle(key)) is None or not self._may_have_energy(car):
            return
        now = dt_util.utcnow()
        last = await self._last_rows(_statistic_id(key, "session_energy"), 1)
        since = now - _FIRST_IMPORT_PERIOD
        if last:
            since = min(dt_util.utc_from_timestamp(last[0]["start"]), now - _RECOMPUTED_PERIOD)
        sessions = [
            EndedSession(session, start, end)
            for session in await self._history.began_since(key, since - _MAX_SESSION_LENGTH)
            if (start := session.started_at) and (end := session.ended_at) and end < now + _HOUR
        ]
        begin = _hour_of(min([since, *(item.start for item in sessions if item.end > since)]))
        for series in _series_of(sessions):
            await self._write(key, series, begin, now)

    def _may_have_energy(self, car: VehicleSnapshot) -> bool:
        """Return whether Jedlix has reported the energy of a session, or may do so in the financials (A7)."""
        latest = car.latest_session
        has_energy = latest is not None and latest.energy_kwh is not None
        return has_energy or self._offered.is_offered("financials")

    async def _write(self, key: DeviceKey, series: _Series, begin: datetime, now: datetime) -> None:
        """Write the hours of a series from `begin` on, also those that no longer have an amount."""
        statistic_id = _statistic_id(key, series.key)
        hours = (now - begin) // _HOUR + 1
        rows = await self._last_rows(statistic_id, hours + 1)  # newest first
        amounts = {hour: 0.0 for row in rows if (hour := _start_of(row)) >= begin}
        total = next((row["sum"] or 0.0 for row in rows if _start_of(row) < begin), 0.0)
        amounts |= {
            hour: amount for hour, amount in by_hour(series.amounts).items() if hour >= begin
        }
        statistics = []
        for hour, amount in sorted(amounts.items()):
            total += amount
            statistics.append(StatisticData(start=hour, state=amount, sum=total))
        if statistics:
            async_add_external_statistics(
                self._hass, self._metadata(key, series, statistic_id), statistics
            )
            await get_instance(self._hass).async_block_till_done()  # the next import builds on it

    async def _last_rows(self, statistic_id: str, count: int) -> list[StatisticsRow]:
        found = await get_instance(self._hass).async_add_executor_job(
            lambda: get_last_statistics(
                self._hass, count, statistic_id, convert_units=False, types={"sum"}
            )
        )
        return found.get(statistic_id, [])

    def _metadata(self, key: DeviceKey, series: _Series, statistic_id: str) -> StatisticMetaData:
        """Return the metadata of a statistic; it is named after the car and the sensor of the same kind."""
        entity = series.key.partition("_in_")[0]
        texts = async_get_cached_translations(
            self._hass, self._hass.config.language, "entity", DOMAIN
        )
        device = dr.async_get(self._hass).async_get_device_by_identifier(
            (DOMAIN, identifier_of(key)), self._entry.entry_id
        )
        name = (device and (device.name_by_user or device.name)) or ""
        return StatisticMetaData(
            mean_type=StatisticMeanType.NONE,
            has_sum=True,
            name=f"{name} {texts[f'component.{DOMAIN}.entity.sensor.{entity}.name']}".strip(),
            source=DOMAIN,
            statistic_id=statistic_id,
            unit_class=series.unit_class,
            unit_of_measurement=series.unit,
        )


# -- pure: which amount belongs to which hour --------------------------------------------------------------


class EndedSession(NamedTuple):
    """A session that has ended, with its start and end."""

    session: Session
    start: datetime
    end: datetime


type Amount = tuple[EndedSession, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Series:
    """The sessions of one statistic, each with its amount."""

    key: str
    unit: str
    unit_class: str | None
    amounts: list[Amount]


def _series_of(sessions: Iterable[EndedSession]) -> list[_Series]:
    """Return the energy in kWh, and the cost in each currency, as far as the sessions have them."""
    energy = _Series(
        key="session_energy",
        unit=UnitOfEnergy.KILO_WATT_HOUR,
        unit_class=EnergyConverter.UNIT_CLASS,
        amounts=[
            (item, energy) for item in sessions if (energy := item.session.energy_kwh) is not None
        ],
    )
    costs: defaultdict[str, list[Amount]] = defaultdict(list)
    for item in sessions:
        if item.session.cost is not None and item.session.currency is not None:
            costs[item.session.currency].append((item, item.session.cost))
    return [
        energy,
        *(
            _Series(
                key=f"session_cost_in_{currency}", unit=currency, unit_class=None, amounts=amounts
            )
            for currency, amounts in costs.items()
        ),
    ]


def by_hour(amounts: Iterable[Amount]) -> dict[datetime, float]:
    """Return the amount of each hour (its start, UTC). An amount is spread evenly over its session."""
    hours: defaultdict[datetime, float] = defaultdict(float)
    for item, amount in amounts:
        start = item.start.astimezone(UTC)
        end = max(start, item.end.astimezone(UTC))
        hour = _hour_of(start)
        if start == end:
            hours[hour] += amount
            continue
        while hour < end:
            within = min(end, hour + _HOUR) - max(start, hour)
            hours[hour] += amount * (within / (end - start))
            hour += _HOUR
    return dict(hours)


def _hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _start_of(row: StatisticsRow) -> datetime:
    return dt_util.utc_from_timestamp(row["start"])


def _statistic_id(key: DeviceKey, what: str) -> str:
    return f"{DOMAIN}:{slugify(f'{identifier_of(key)}_{what}')}"
