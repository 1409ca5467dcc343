"""The calendar of a car: its sessions, in any period that one scrolls to."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, override

from homeassistant.components.calendar import (
    CalendarEntity,
    CalendarEntityDescription,
    CalendarEvent,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.translation import async_get_cached_translations
from homeassistant.util import dt as dt_util

from .api import JedlixError, Session
from .const import DOMAIN
from .coordinator import JedlixCoordinator
from .entity import VehicleDescription, VehicleEntity, add_for_vehicles
from .errors import failure
from .fleet import Key
from .past_sessions import TooManySessions

if TYPE_CHECKING:
    from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

    from .runtime import JedlixConfigEntry

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class VehicleCalendarDescription(VehicleDescription, CalendarEntityDescription):
    """A calendar of a car."""


SESSIONS = VehicleCalendarDescription(key="sessions")


async def async_setup_entry(
    _hass: HomeAssistant,
    entry: JedlixConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Make the calendars."""
    add_for_vehicles(entry, async_add_entities, (SESSIONS,), SessionsCalendar)


class SessionsCalendar(VehicleEntity, CalendarEntity):
    """The sessions of a car. It is on while one is running.

    An event of a calendar must end, and when a running session will is not known: it ends a poll from now. At
    that moment the calendar writes its state anew by itself, and the end is again a poll away.
    """

    entity_description: VehicleCalendarDescription

    def __init__(
        self, coordinator: JedlixCoordinator, key: Key, description: VehicleCalendarDescription
    ) -> None:
        """Ask for the past at the entry's past sessions."""
        super().__init__(coordinator, key, description)
        self._past = coordinator.config_entry.runtime_data.past

    @property
    @override
    def event(self) -> CalendarEvent | None:
        """Return the running session; those to come are not known."""
        session = self._car.session
        return None if session is None else self._as_event(session)

    @override
    async def async_get_events(
        self, hass: HomeAssistant, start_date: datetime, end_date: datetime
    ) -> list[CalendarEvent]:
        """Return the sessions that overlap a period."""
        try:
            sessions = await self._past.between(self._key, start_date, end_date)
            if any(session.charging_location_id for session in sessions):
                await self._past.learn_places(self._key[0])
        except TooManySessions as err:
            raise failure("too_many_sessions") from err
        except JedlixError as err:
            raise failure("sessions_failed", error=str(err)) from err
        return [event for event in map(self._as_event, sessions) if event is not None]

    def _as_event(self, session: Session) -> CalendarEvent | None:
        """Return a session as an event, in the language of the server; None where its start is not known."""
        if session.started_at is None:
            return None
        start = dt_util.as_local(session.started_at)
        end = session.ended_at or dt_util.utcnow() + (
            self.coordinator.update_interval or timedelta(0)
        )
        words = _Words(self.hass)
        return CalendarEvent(
            start=start,
            # by the clock on the wall, as the calendar compares: an hour that comes twice ends where it began
            end=max(start, dt_util.as_local(end)),
            summary=words.summary(session),
            description=words.description(session) or None,
            location=self._past.places.get(session.charging_location_id or ""),
            uid=session.id,
        )


class _Words:
    """What an event says. The frontend translates no event, so it is said in the language of the server."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Take the words that Home Assistant has loaded."""
        self._texts = async_get_cached_translations(hass, hass.config.language, "common", DOMAIN)

    def _say(self, key: str, **values: str) -> str:
        return self._texts[f"component.{DOMAIN}.common.{key}"].format(**values)

    def _number(self, value: float, digits: int) -> str:
        return f"{value:.{digits}f}".replace(".", self._say("decimal_mark"))

    def summary(self, session: Session) -> str:
        """Return whether Jedlix steered, as far as that is known, and how much an ended session charged."""
        kinds = {True: "smart_session", False: "unmanaged_session", None: "session"}
        summary = self._say(kinds[session.is_managed])
        if session.ended_at is None or session.energy_kwh is None:
            return summary
        return f"{summary}, {self._number(session.energy_kwh, 1)} kWh"

    def description(self, session: Session) -> str:
        """Return energy, cost and savings, a line each, as far as they are known."""
        lines = []
        if session.energy_kwh is not None:
            lines.append(self._say("energy", energy=self._number(session.energy_kwh, 1)))
        for key, amount in (("cost", session.cost), ("savings", session.savings)):
            if amount is not None:
                told = f"{self._number(amount, 2)} {session.currency or ''}".strip()
                lines.append(self._say(key, amount=told))
        return "\n".join(lines)
