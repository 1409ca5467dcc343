"""Totals: energy, cost and savings of a car's session, of all its sessions, of this month and of this year.

Helpers and statistics count the differences between states. So no step is left out, however few refreshes
there were: a session's end is written before the next one begins, each begins at zero, and after a gap, a
restart or a kill the state goes on from the last one that Home Assistant has saved.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import dropwhile, takewhile
from typing import Any, Final, Self, override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import UnitOfEnergy
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.event import async_track_time_change
from homeassistant.helpers.restore_state import ExtraStoredData, RestoreEntity
from homeassistant.helpers.start import async_at_started
from homeassistant.util import dt as dt_util

from .api import Session
from .data import JedlixData
from .devices import DeviceKey
from .entity import FleetEntity, JedlixEntityDescription
from .fleet import FleetMember
from .state.figures import Figures
from .state.vehicle_snapshot import VehicleSnapshot

_FIRST: Final = dt_util.utc_from_timestamp(0)


@dataclass(frozen=True)
class Total(ExtraStoredData):
    """A state of a total. `span` names what it is the total of: a session by its id, or a month.

    `last_reset` is when that began, None for all time.
    """

    span: str
    value: float
    last_reset: datetime | None
    currency: str | None

    @override
    def as_dict(self) -> dict[str, Any]:
        """Return it for Home Assistant, which saves it together with its helpers."""
        return asdict(self) | {"last_reset": self.last_reset and self.last_reset.isoformat()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self | None:
        """Return what was saved, None where that is something else."""
        match data:
            case {"span": str(span), "value": int() | float() as value}:
                reset, currency = data.get("last_reset"), data.get("currency")
                return cls(span, value, dt_util.parse_datetime(reset) if reset else None, currency)
        return None


# Gives the totals of one of the figures to write for a car, oldest first, and the present one last: those
# since the total that was written last, None where none was.
type ReadTotals = Callable[[Total | None, VehicleSnapshot, str], list[Total]]


@dataclass(frozen=True, kw_only=True)
class TotalDescription(JedlixEntityDescription[VehicleSnapshot], SensorEntityDescription):
    """A total of a car; `figure` is the name of a field of Figures."""

    figure: str
    totals_fn: ReadTotals


def _session_totals(written: Total | None, car: VehicleSnapshot, figure: str) -> list[Total]:
    """Return the totals of the session that was written last, of those since, and of the latest."""
    if (latest := car.latest_session) is None:
        return []
    sessions = car.ledger.sessions
    sessions.setdefault(latest.id, latest)
    since: Iterable[Session] = ()
    if written is not None:
        began = written.last_reset or _FIRST
        # Those that began at one moment stay in the order in which they were found.
        ordered = sorted(sessions.values(), key=_start_of)
        since = dropwhile(
            lambda item: item.id != written.span and _start_of(item) <= began,
            takewhile(lambda item: item.id != latest.id, ordered),
        )
    return [
        Total(
            span=session.id,
            value=_value(Figures.of(session), figure),
            last_reset=session.started_at,
            currency=session.currency or car.ledger.currency,
        )
        for session in (*since, sessions[latest.id])
    ]


def _totals_since(begin: Callable[[], datetime | None]) -> ReadTotals:
    """Return a function that reads the total since a moment."""

    def read(_written: Total | None, car: VehicleSnapshot, figure: str) -> list[Total]:
        since = begin()
        figures = car.ledger.figures(dt_util.utcnow(), since)
        return [Total(str(since), _value(figures, figure), since, car.ledger.currency)]

    return read


def _value(figures: Figures, figure: str) -> float:
    """Return a figure; one that is not known yet is zero, since helpers cannot count from unknown."""
    return round(getattr(figures, figure) or 0.0, 4)


def _start_of(session: Session) -> datetime:
    return session.started_at or _FIRST


def _start_of_month() -> datetime:
    return dt_util.start_of_local_day().replace(day=1)


def _start_of_year() -> datetime:
    return dt_util.start_of_local_day().replace(month=1, day=1)


def _describe(key: str, figure: str, totals_fn: ReadTotals) -> TotalDescription:
    is_energy = figure == "energy_kwh"
    return TotalDescription(
        key=key,
        device_class=SensorDeviceClass.ENERGY if is_energy else SensorDeviceClass.MONETARY,
        state_class=SensorStateClass.TOTAL,
        native_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR if is_energy else None,
        suggested_display_precision=1 if is_energy else 2,
        entity_registry_enabled_default=totals_fn is not _THIS_YEAR,
        entity_registry_visible_default=totals_fn is _session_totals,
        exists_fn=lambda car: getattr(car.ledger.figures(dt_util.utcnow()), figure) is not None,
        figure=figure,
        totals_fn=totals_fn,
    )


_ALL_TIME: Final = _totals_since(lambda: None)
_THIS_MONTH: Final = _totals_since(_start_of_month)
_THIS_YEAR: Final = _totals_since(_start_of_year)

TOTALS: Final = tuple(
    _describe(key.format(name), figure, totals_fn)
    for key, totals_fn in (
        ("session_{}", _session_totals),
        ("{}_total", _ALL_TIME),
        ("{}_this_month", _THIS_MONTH),
        ("{}_this_year", _THIS_YEAR),
    )
    for name, figure in (("energy", "energy_kwh"), ("cost", "cost"), ("savings", "savings"))
)


class TotalSensor(FleetEntity[VehicleSnapshot], RestoreEntity, SensorEntity):
    """A total of a car."""

    entity_description: TotalDescription

    def __init__(
        self,
        data: JedlixData,
        key: DeviceKey,
        member: VehicleSnapshot,
        description: TotalDescription,
    ) -> None:
        """Begin with what is known, unless Home Assistant has saved what it showed."""
        super().__init__(data, key, member, description)
        self._shown = description.totals_fn(None, member, description.figure)[-1]
        self._is_started = False
        self._has_gap = True

    @property
    @override
    def native_value(self) -> float:
        """Return the total."""
        return self._shown.value

    @property
    @override
    def last_reset(self) -> datetime | None:
        """Return when the total began."""
        return self._shown.last_reset

    @property
    @override
    def native_unit_of_measurement(self) -> str | None:
        """Return the unit; money has the currency of the session, or that of the account."""
        return (
            super().native_unit_of_measurement
            or self._shown.currency
            or self.coordinator.fleet.currency
        )

    @property
    @override
    def extra_restore_state_data(self) -> Total:
        """Return what Home Assistant saves: the total that it shows."""
        return self._shown

    @override
    async def async_added_to_hass(self) -> None:
        """Go on from the total that Home Assistant saved, once helpers listen.

        A helper was saved at the same moment. After a kill both may be some minutes older than the store.
        """
        await super().async_added_to_hass()
        if (saved := await self.async_get_last_extra_data()) is not None:
            self._shown = Total.from_dict(saved.as_dict()) or self._shown
        self.async_on_remove(async_at_started(self.hass, self._started))
        if self.entity_description.totals_fn in (_THIS_MONTH, _THIS_YEAR):
            self.async_on_remove(
                async_track_time_change(self.hass, self._day_began, hour=0, minute=0, second=0)
            )

    @callback
    def _started(self, hass: HomeAssistant) -> None:
        """Go on after all who begin to listen when Home Assistant has started."""

        @callback
        def go_on() -> None:
            self._is_started = True
            self._write()

        handle = hass.loop.call_soon(go_on)
        self.async_on_remove(handle.cancel)

    @callback
    def _day_began(self, _now: datetime) -> None:
        self._write()

    @callback
    @override
    def _member_changed(self, member: FleetMember | None) -> None:
        self._is_gone = member is None
        if isinstance(member, VehicleSnapshot):
            self._member = member
        self._write()

    @callback
    def _write(self) -> None:
        """Write each total since the last one that was written."""
        if not self._is_started or not self.available:
            self._has_gap = True
            self.async_write_ha_state()
            return
        if self._has_gap:
            self._has_gap = False
            self.async_write_ha_state()
        description = self.entity_description
        for total in description.totals_fn(self._shown, self._member, description.figure):
            if total.span == self._shown.span:
                self._show(replace(total, last_reset=self._shown.last_reset))
            else:
                self._show(replace(total, value=0.0))
                self._show(total)

    @callback
    def _show(self, total: Total) -> None:
        self._shown = total
        self.async_write_ha_state()
