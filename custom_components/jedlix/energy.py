"""Past energy and cost for the Energy dashboard: ended sessions as hourly external statistics.

An import computes the last weeks anew from the sessions themselves, on top of the sum that stood before. So
it may be done again at any time, and a session that ends after a later one still lands in its own hours.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
import logging
from typing import Final

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

from .announcer import identifier_of
from .api import JedlixError, Session
from .const import CONF_IMPORT_ENERGY, DOMAIN
from .fleet import Key
from .past_sessions import TooManySessions
from .runtime import JedlixConfigEntry
from .snapshot import VehicleSnapshot

_LOGGER = logging.getLogger(__name__)

_FIRST_IMPORT: Final = timedelta(days=365)
# What ended in this time before an import is computed anew: an end, or its energy, may have come late.
_AGAIN: Final = timedelta(days=14)
# A longer session is left out, so that none is ever known to one import and too old for the next.
_LONGEST_SESSION: Final = timedelta(days=92)
_RETRY: Final = timedelta(hours=1)
_HOUR: Final = timedelta(hours=1)


@callback
def import_energy(hass: HomeAssistant, entry: JedlixConfigEntry) -> None:
    """Import the energy of past sessions, now and after each that ends, if that is wanted and kept."""
    if entry.options.get(CONF_IMPORT_ENERGY) and DATA_INSTANCE in hass.data:
        EnergyImport(hass, entry).start()


class EnergyImport:
    """Imports the cars that are due: new ones, those of which a session ended, those that failed before."""

    def __init__(self, hass: HomeAssistant, entry: JedlixConfigEntry) -> None:
        """Begin with nothing imported."""
        self._hass = hass
        self._entry = entry
        self._fleet = entry.runtime_data.coordinator.fleet
        self._truth = entry.runtime_data.coordinator.truth
        self._past = entry.runtime_data.past
        self._ended: dict[Key, set[str]] = {}
        self._due: set[Key] = set()
        self._importing = asyncio.Lock()
        self._gives_up = False

    @callback
    def start(self) -> None:
        """Import until the entry is unloaded."""
        self._entry.async_on_unload(self._fleet.listen(self._look))
        self._entry.async_on_unload(
            async_track_time_interval(
                self._hass, self._import_soon, _RETRY, cancel_on_shutdown=True
            )
        )
        for key in self._fleet.vehicles:
            self._look(key)

    @callback
    def _look(self, key: Key) -> None:
        """Take note of a car that is new, or of which a session ended."""
        if (car := self._fleet.vehicle(key)) is None:
            return
        known, self._ended[key] = self._ended.get(key), set(car.ended_sessions)
        if known is None or self._ended[key] - known:
            self._due.add(key)
            self._import_soon()

    @callback
    def _import_soon(self, _now: datetime | None = None) -> None:
        if self._due and not self._gives_up and not self._importing.locked():
            self._entry.async_create_background_task(
                self._hass, self._import_due(), "jedlix energy import"
            )

    async def _import_due(self) -> None:
        """Import one car after the other; what fails is tried again within the hour."""
        failed = set()
        async with self._importing:
            while self._due:
                key = self._due.pop()
                try:
                    await self._import(key)
                except TooManySessions as err:
                    _LOGGER.warning("The energy of past sessions is not imported: %s", err)
                    self._gives_up = True
                    return
                except JedlixError as err:
                    _LOGGER.debug("The sessions of %s could not be imported yet: %s", key, err)
                    failed.add(key)
                except Exception:
                    _LOGGER.exception("The sessions of %s could not be imported", key)
                    failed.add(key)
            self._due = failed

    async def _import(self, key: Key) -> None:
        """Import what a car's ended sessions tell; raises a JedlixError."""
        if (car := self._fleet.vehicle(key)) is None or not self._tells_energy(car):
            return
        now = dt_util.utcnow()
        last = await self._last_rows(_statistic_id(key, "session_energy"), 1)
        since = now - _FIRST_IMPORT
        if last:
            since = min(dt_util.utc_from_timestamp(last[0]["start"]), now - _AGAIN)
        sessions = [
            session
            for session in await self._past.began_since(key, since - _LONGEST_SESSION)
            if session.ended_at is not None and session.ended_at < now + _HOUR
        ]
        spans = [_span(session) for session in sessions]
        begin = _hour_of(min([since, *(start for start, end in spans if end > since)]))
        for series in _series_of(sessions):
            await self._write(key, series, begin, now)

    def _tells_energy(self, car: VehicleSnapshot) -> bool:
        """Return whether Jedlix has shown the energy of a session, or may do so in the financials (A7)."""
        latest = car.latest_session
        return (latest is not None and latest.energy_kwh is not None) or self._truth.serves(
            "financials"
        )

    async def _write(self, key: Key, series: _Series, begin: datetime, now: datetime) -> None:
        """Write the hours of a series from `begin` on, those included that have nothing any more."""
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

    def _metadata(self, key: Key, series: _Series, statistic_id: str) -> StatisticMetaData:
        """Describe a statistic; its name is the car's, and that of the sensor of the same thing."""
        entity = series.key.partition("_in_")[0]
        words = async_get_cached_translations(
            self._hass, self._hass.config.language, "entity", DOMAIN
        )
        device = dr.async_get(self._hass).async_get_device_by_identifier(
            (DOMAIN, identifier_of(*key)), self._entry.entry_id
        )
        name = (device and (device.name_by_user or device.name)) or ""
        return StatisticMetaData(
            mean_type=StatisticMeanType.NONE,
            has_sum=True,
            name=f"{name} {words[f'component.{DOMAIN}.entity.sensor.{entity}.name']}".strip(),
            source=DOMAIN,
            statistic_id=statistic_id,
            unit_class=series.unit_class,
            unit_of_measurement=series.unit,
        )


# -- pure: which amount belongs to which hour --------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Series:
    """What one statistic is made of: ended sessions, each with its amount."""

    key: str
    unit: str
    unit_class: str | None
    amounts: list[tuple[Session, float]]


def _series_of(sessions: Iterable[Session]) -> list[_Series]:
    """Return the energy in kWh, and the cost in each currency, as far as ended sessions tell them."""
    energy = _Series(
        key="session_energy",
        unit=UnitOfEnergy.KILO_WATT_HOUR,
        unit_class=EnergyConverter.UNIT_CLASS,
        amounts=[
            (session, session.energy_kwh) for session in sessions if session.energy_kwh is not None
        ],
    )
    costs: defaultdict[str, list[tuple[Session, float]]] = defaultdict(list)
    for session in sessions:
        if session.cost is not None and session.currency is not None:
            costs[session.currency].append((session, session.cost))
    return [
        energy,
        *(
            _Series(
                key=f"session_cost_in_{currency}", unit=currency, unit_class=None, amounts=amounts
            )
            for currency, amounts in costs.items()
        ),
    ]


def by_hour(amounts: Iterable[tuple[Session, float]]) -> dict[datetime, float]:
    """Return how much falls into each hour (its start, UTC): an amount is spread evenly over its session."""
    hours: defaultdict[datetime, float] = defaultdict(float)
    for session, amount in amounts:
        start, end = _span(session)
        hour = _hour_of(start)
        if start == end:
            hours[hour] += amount
            continue
        while hour < end:
            within = min(end, hour + _HOUR) - max(start, hour)
            hours[hour] += amount * (within / (end - start))
            hour += _HOUR
    return dict(hours)


def _span(session: Session) -> tuple[datetime, datetime]:
    """Return start and end of an ended session in UTC."""
    assert session.started_at is not None  # noqa: S101  past sessions have one
    assert session.ended_at is not None  # noqa: S101  and these have ended
    start = session.started_at.astimezone(UTC)
    return start, max(start, session.ended_at.astimezone(UTC))


def _hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _start_of(row: StatisticsRow) -> datetime:
    return dt_util.utc_from_timestamp(row["start"])


def _statistic_id(key: Key, what: str) -> str:
    return f"{DOMAIN}:{slugify(f'{identifier_of(*key)}_{what}')}"
