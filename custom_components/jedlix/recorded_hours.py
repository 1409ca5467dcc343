"""Recorded hours: the external statistics of one car in the recorder, read and written."""

import asyncio
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Final

from homeassistant.components.recorder.models import (
    StatisticData,
    StatisticMeanType,
    StatisticMetaData,
)
from homeassistant.components.recorder.statistics import (
    async_add_external_statistics,
    get_last_statistics,
    get_metadata,
    statistics_during_period,
)
from homeassistant.components.recorder.tasks import SynchronizeTask
from homeassistant.const import UnitOfEnergy
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.recorder import get_instance
from homeassistant.helpers.translation import async_get_cached_translations
from homeassistant.util import dt as dt_util, slugify
from homeassistant.util.unit_conversion import EnergyConverter

from .api import Session
from .const import DOMAIN
from .devices import DeviceKey, identifier_of
from .state.hours import Flow, hour_of
from .state.series import ENERGY, Row, SeriesKey, changed_rows, series_of, unknown_hours

_IN: Final = "_in_"


class RecordedHours:
    """The statistics of one car: its energy, and cost and savings in each currency."""

    def __init__(self, hass: HomeAssistant, entry_id: str, key: DeviceKey) -> None:
        """Belong to this car."""
        self._hass = hass
        self._entry_id = entry_id
        self._key = key
        self._prefix = f"{DOMAIN}:{slugify(identifier_of(key))}_session_"

    async def write(
        self,
        sessions: list[tuple[Session, Flow]],
        since: datetime,
        *,
        complete_since: datetime | None = None,
        stale: Collection[datetime] = (),
    ) -> None:
        """Write the hours of the sessions that ended after `since`; they come with when their energy flowed.

        An hour that no session has keeps what it has, unless it is `stale` or after `complete_since`, from
        when on there is no other session. Nothing is written where nothing changed.
        """
        starts = [flow[0].start for _, flow in sessions if flow[-1].end > since]
        begin = hour_of(min([complete_since or since, *starts, *stale]))
        unknown = unknown_hours(sessions)
        wanted = {
            self._id(key): (key.currency, hours) for key, hours in series_of(sessions).items()
        }
        await self._until_imported()  # by an import that a reload has ended, too
        written = await self._run(self._written)
        for statistic_id in wanted.keys() | written.keys():
            kind, metadata = self._kind(statistic_id), written.get(statistic_id)
            unit, hours = wanted.get(statistic_id, (None, {}))
            unit = unit or (None if metadata is None else metadata["unit_of_measurement"])
            kept_hours = unknown.get(kind, set())

            def keeps(row: Row, kept_hours: Collection[datetime] = kept_hours) -> bool:
                is_removed = row.start in stale or (
                    complete_since is not None and row.start >= complete_since
                )
                return row.start in kept_hours or not is_removed

            rows, base = await self._run(self._read, statistic_id, begin)
            amounts = {hour: amount for hour, amount in hours.items() if hour >= begin}
            changed = changed_rows(rows, base, amounts, keeps)
            name = self._name(kind)
            if changed or (metadata is not None and metadata["name"] != name):
                async_add_external_statistics(
                    self._hass,
                    self._metadata(statistic_id, name, unit),
                    list(map(_as_data, changed)),
                )
        await self._until_imported()  # only then may the import be marked as done

    async def _until_imported(self) -> None:
        """Wait until the recorder has done all that was asked of it before, also what it does just now."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        get_instance(self._hass).queue_task(SynchronizeTask(done))
        await done

    async def _run[*Args, T](self, read: Callable[[*Args], T], *args: *Args) -> T:
        return await get_instance(self._hass).async_add_executor_job(read, *args)

    def _written(self) -> dict[str, StatisticMetaData]:
        """Return the metadata of the car's statistics. Blocks."""
        found = get_metadata(self._hass, statistic_source=DOMAIN)
        return {
            name: metadata for name, (_, metadata) in found.items() if name.startswith(self._prefix)
        }

    def _read(self, statistic_id: str, begin: datetime) -> tuple[list[Row], float]:
        """Return the rows from an hour on, and the sum before them. Blocks."""
        found = statistics_during_period(
            self._hass, begin, None, {statistic_id}, "hour", None, {"state", "sum"}
        )
        rows = [
            Row(
                dt_util.utc_from_timestamp(row["start"]),
                row.get("state") or 0.0,
                row.get("sum") or 0.0,
            )
            for row in found.get(statistic_id, [])
        ]
        if rows:
            return rows, rows[0].total - rows[0].amount
        last = get_last_statistics(self._hass, 1, statistic_id, False, {"sum"})  # noqa: FBT003
        return [], next((row.get("sum") or 0.0 for row in last.get(statistic_id, [])), 0.0)

    def _id(self, key: SeriesKey) -> str:
        suffix = "" if key.currency is None else f"{_IN}{slugify(key.currency)}"
        return f"{self._prefix}{key.kind}{suffix}"

    def _kind(self, statistic_id: str) -> str:
        return statistic_id.removeprefix(self._prefix).partition(_IN)[0]

    def _name(self, kind: str) -> str:
        """Return the name in the server's language. No sensor of the car has it."""
        texts = async_get_cached_translations(
            self._hass, self._hass.config.language, "common", DOMAIN
        )
        device = dr.async_get(self._hass).async_get_device_by_identifier(
            (DOMAIN, identifier_of(self._key)), self._entry_id
        )
        car = (device and (device.name_by_user or device.name)) or ""
        return texts[f"component.{DOMAIN}.common.history_{kind}"].format(car=car).strip()

    def _metadata(self, statistic_id: str, name: str, unit: str | None) -> StatisticMetaData:
        is_energy = self._kind(statistic_id) == ENERGY
        return StatisticMetaData(
            mean_type=StatisticMeanType.NONE,
            has_sum=True,
            name=name,
            source=DOMAIN,
            statistic_id=statistic_id,
            unit_class=EnergyConverter.UNIT_CLASS if is_energy else None,
            unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR if is_energy else unit,
        )


def _as_data(row: Row) -> StatisticData:
    return StatisticData(start=row.start, state=row.amount, sum=row.total)
