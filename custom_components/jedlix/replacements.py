"""Replacements: a user's new car waits until the old one of the same name is gone, to take over its ids.

It waits for a day at most: the old one stays as long as Jedlix lists an open session of it.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.event import async_call_later

from .const import DOMAIN
from .devices import DeviceKey, identifier_of
from .fleet import Fleet, FleetMember

# How long after Jedlix named the old one last the new one is added with ids of its own.
LONGEST_WAIT: Final = timedelta(days=1)

type AddMember = Callable[[DeviceKey, FleetMember | None], None]


class Replacements:
    """What waits, for one platform of an entry."""

    def __init__(
        self, hass: HomeAssistant, entry_id: str, fleet: Fleet, now: Callable[[], datetime]
    ) -> None:
        """Start without one that waits; `now` is Jedlix's time."""
        self._hass = hass
        self._entry_id = entry_id
        self._fleet = fleet
        self._now = now
        self._waiting: dict[DeviceKey, tuple[AddMember, tuple[CALLBACK_TYPE, CALLBACK_TYPE]]] = {}

    @callback
    def waits(self, key: DeviceKey, add: AddMember) -> bool:
        """Return whether a car or charger is to be added later; `add` is called to look again."""
        found = self._fleet.namesake_that_leaves(key)
        if found is None or self._is_registered(key):
            return False
        namesake, absent_since = found
        time_left = LONGEST_WAIT - (self._now() - absent_since)
        if time_left <= timedelta(0):
            return False
        if key not in self._waiting:
            self._waiting[key] = (
                add,
                (
                    self._fleet.listen_to(namesake, self._namesake_changed),
                    async_call_later(self._hass, time_left, self._time_is_over),
                ),
            )
        return True

    @callback
    def look_again(self) -> None:
        """Look again after the device of one that is gone was removed."""
        if self._waiting:
            self._hass.loop.call_soon(self._look)

    @callback
    def stop(self) -> None:
        """Add nothing more."""
        while self._waiting:
            _, (_, stops) = self._waiting.popitem()
            for stop in stops:
                stop()

    @callback
    def _namesake_changed(self, namesake: FleetMember | None) -> None:
        """Look again: it may be back. One that is gone still has its device."""
        if namesake is not None:
            self.look_again()

    @callback
    def _time_is_over(self, _now: datetime) -> None:
        self.look_again()

    @callback
    def _look(self) -> None:
        waiting = dict(self._waiting)
        self.stop()
        for key, (add, _) in waiting.items():
            add(key, self._fleet.member(key))

    def _is_registered(self, key: DeviceKey) -> bool:
        identifier = DOMAIN, identifier_of(key)
        device = dr.async_get(self._hass).async_get_device_by_identifier(identifier, self._entry_id)
        return device is not None
