"""Calendar of a car: its sessions, in any period."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, override

from homeassistant.components.calendar import (
    CalendarEntity,
    CalendarEntityDescription,
    CalendarEvent,
)
from homeassistant.const import MATCH_ALL
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.translation import async_get_cached_translations
from homeassistant.util import dt as dt_util

from .api import ChargingLocation, JedlixError, Session
from .const import DOMAIN
from .data import JedlixConfigEntry
from .entity import FleetEntity, JedlixEntityDescription, add_entities
from .errors import failure
from .session_history import TooManySessions
from .state.vehicle_snapshot import VehicleSnapshot

PARALLEL_UPDATES = 0

_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class VehicleCalendarDescription(
    JedlixEntityDescription[VehicleSnapshot], CalendarEntityDescription
):
    """A calendar of a car."""


SESSIONS = VehicleCalendarDescription(key="sessions")


async def async_setup_entry(
    _hass: HomeAssistant,
    entry: JedlixConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the calendars."""
    await add_entities(entry, async_add_entities, VehicleSnapshot, [SESSIONS], SessionsCalendar)


class SessionsCalendar(FleetEntity[VehicleSnapshot], CalendarEntity):
    """The sessions of a car. It is on while a session is running.

    An event of a calendar must end, and the end of a running session is not known. So it ends one poll from
    now. The state shows the full hour after that: when it comes, Home Assistant writes the state again, and
    the end moves on. The recorder keeps each state, so it has an hour's instead of one for each poll.
    """

    # They repeat what is recorded of the session.
    _unrecorded_attributes = frozenset({MATCH_ALL})

    entity_description: VehicleCalendarDescription

    @property
    @override
    def event(self) -> CalendarEvent | None:
        """Return the running session, with the name of the location, not the address."""
        if (session := self._member.session) is None:
            return None
        location = self._location_of(session)
        full_hour = self._end_of_running.replace(minute=0, second=0, microsecond=0) + _HOUR
        return self._as_event(session, None if location is None else location.name, full_hour)

    @override
    async def async_get_events(
        self, hass: HomeAssistant, start_date: datetime, end_date: datetime
    ) -> list[CalendarEvent]:
        """Return the sessions that overlap a period."""
        try:
            sessions = await self._data.session_history.between(self._key, start_date, end_date)
        except TooManySessions as err:
            raise failure("too_many_sessions") from err
        except JedlixError as err:
            raise failure("sessions_failed", error=str(err)) from err
        await self.coordinator.read_addresses(self._key[0])
        locations = [self._location_of(session) for session in sessions]
        events = [
            self._as_event(
                session,
                None if location is None else location.label or location.name,
                self._end_of_running,
            )
            for session, location in zip(sessions, locations, strict=True)
        ]
        return [event for event in events if event is not None]

    def _location_of(self, session: Session) -> ChargingLocation | None:
        return self.coordinator.fleet.location(self._key[0], session.charging_location_id)

    @property
    def _end_of_running(self) -> datetime:
        return dt_util.utcnow() + (self.coordinator.update_interval or timedelta(0))

    def _as_event(
        self, session: Session, place: str | None, end_of_running: datetime
    ) -> CalendarEvent | None:
        """Return a session as an event, in the language of the server; None where its start is not known.

        One that is running ends at `end_of_running`.
        """
        if session.started_at is None:
            return None
        start, end = session.started_at, session.ended_at
        if end is None:
            # Home Assistant compares with its own clock, by which a session may begin later.
            start, end = min(start, dt_util.utcnow()), end_of_running
        start = dt_util.as_local(start)
        texts = _EventTexts(self.hass)
        return CalendarEvent(
            start=start,
            # By local time, as the calendar compares: an hour that comes twice ends where it began.
            end=max(start, dt_util.as_local(end)),
            summary=texts.summary(session),
            description=texts.description(session) or None,
            location=place,
            uid=session.id,
        )


class _EventTexts:
    """The texts of an event. The frontend translates no event, so they are in the language of the server."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Use the translations that Home Assistant has loaded."""
        self._texts = async_get_cached_translations(hass, hass.config.language, "common", DOMAIN)

    def _text(self, key: str, **values: str) -> str:
        return self._texts[f"component.{DOMAIN}.common.{key}"].format(**values)

    def _number(self, value: float, digits: int) -> str:
        return f"{value:.{digits}f}".replace(".", self._text("decimal_mark"))

    def summary(self, session: Session) -> str:
        """Return the energy of an ended session, first since a month's view cuts the text, and its kind."""
        kinds = {True: "smart_session", False: "unmanaged_session", None: "session"}
        summary = self._text(kinds[session.is_managed])
        if session.ended_at is None or session.energy_kwh is None:
            return summary
        return f"{self._number(session.energy_kwh, 1)} kWh, {summary}"

    def description(self, session: Session) -> str:
        """Return energy, cost and savings, a line each, as far as they are known."""
        lines = []
        if session.energy_kwh is not None:
            lines.append(self._text("energy", energy=self._number(session.energy_kwh, 1)))
        for key, amount in (("cost", session.cost), ("savings", session.savings)):
            if amount is not None:
                text = f"{self._number(amount, 2)} {session.currency or ''}".strip()
                lines.append(self._text(key, amount=text))
        return "\n".join(lines)
