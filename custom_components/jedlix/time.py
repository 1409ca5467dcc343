"""Times of cars: until when a car has to be ready, on all days or on some."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import time
from functools import cache, partial
from typing import Final, override

from homeassistant.components.time import TimeEntity, TimeEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .data import JedlixConfigEntry, JedlixData
from .devices import DeviceKey
from .entity import FleetEntity, JedlixEntityDescription, add_entities
from .state.days import ALL_DAYS, in_words
from .state.departure_times import READY_BY, Departure, departure_times
from .state.vehicle_snapshot import VehicleSnapshot
from .weekdays import weekday_texts

PARALLEL_UPDATES = 1


def _departure(car: VehicleSnapshot, days: tuple[int, ...]) -> Departure | None:
    return departure_times(car.settings).of(days)


@dataclass(frozen=True, kw_only=True)
class ReadyByDescription(JedlixEntityDescription[VehicleSnapshot], TimeEntityDescription):
    """The time of these weekdays (Monday is 0), which stand in the settings as one."""

    days: tuple[int, ...] = ()


ON_ALL_DAYS: Final = ReadyByDescription(
    key=READY_BY,
    entity_category=EntityCategory.CONFIG,
    requires="update_charge_settings",
    available_fn=lambda car: READY_BY not in car.stopped_writes,
)
ON_DAYS: Final = replace(ON_ALL_DAYS, key="ready_by_days")


def _descriptions_of(car: VehicleSnapshot) -> Iterator[ReadyByDescription]:
    """Yield one description for each time that the car's settings hold."""
    for departure in departure_times(car.settings).departures:
        yield _description(departure.days)


@cache
def _description(days: tuple[int, ...]) -> ReadyByDescription:
    kind = ON_ALL_DAYS if days == ALL_DAYS else ON_DAYS
    return replace(
        kind,
        translation_key=kind.key,
        key=READY_BY if days == ALL_DAYS else f"{READY_BY}_{in_words(days)}",
        days=days,
        exists_fn=lambda car: _departure(car, days) is not None,
    )


async def async_setup_entry(
    hass: HomeAssistant,
    entry: JedlixConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the times."""
    texts = await weekday_texts(hass)
    await add_entities(
        entry,
        async_add_entities,
        VehicleSnapshot,
        (),
        partial(ReadyByTime, texts),
        descriptions_of=_descriptions_of,
    )


class ReadyByTime(FleetEntity[VehicleSnapshot], TimeEntity):
    """Until when a car has to be ready."""

    entity_description: ReadyByDescription

    def __init__(
        self,
        texts: Callable[[Sequence[int]], str],
        data: JedlixData,
        key: DeviceKey,
        member: VehicleSnapshot,
        description: ReadyByDescription,
    ) -> None:
        """Belong to this car; `texts` makes a text of weekdays."""
        super().__init__(data, key, member, description)
        self._attr_translation_placeholders = {"days": texts(description.days)}

    @property
    @override
    def native_value(self) -> time | None:
        """Return the time."""
        departure = _departure(self._member, self.entity_description.days)
        return None if departure is None else departure.at

    @override
    async def async_set_value(self, value: time) -> None:
        """Set it at Jedlix."""
        days = self.entity_description.days
        await self._data.commands.set_ready_by(self._key, value, days)
