"""Ledger: the sessions, changes and signals that Jedlix derives from the reports of cars."""

from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from . import seeding
from .model import Change, ChargeState, JsonObject, Report, Session, Signal, Telemetry, Vehicle
from .sessions import SessionLog

KEPT_CHANGES = 100_000
_SET_BACK = timedelta(minutes=1)
"""Reports of one moment are a millisecond apart, and so ahead of the clock; thousands of them by seconds."""


def newest(before: datetime, now: datetime) -> datetime:
    """Return the later one, but `now` where Jedlix's clock was set back by more than reports can be ahead."""
    return now if now < before - _SET_BACK else max(before, now)


class Ledger:
    """Sessions, journal and signals. `latest` is the newest time in them."""

    def __init__(self, now: datetime, seed: int) -> None:
        """Begin empty."""
        self.sessions = SessionLog()
        self.changes: deque[Change] = deque(maxlen=KEPT_CHANGES)
        self.reports: deque[Report] = deque(maxlen=KEPT_CHANGES)
        self.signals: list[Signal] = []
        self.latest = now
        self._last_number = 0
        self._random = Random(f"{seed}/sessions")

    # --- sessions -----------------------------------------------------------------------------------

    def conclude(self, vehicle: Vehicle, report: Telemetry) -> None:
        """Apply the documented session rules to a telemetry that says whether the car is plugged in."""
        before, vehicle.known_state = vehicle.known_state, report.state
        if report.state is ChargeState.DISCONNECTED:
            self.end_session(vehicle, report.at)
        if report.state is before:
            changed = None
        elif report.state is ChargeState.DISCONNECTED:
            changed = "unplugged"
        elif report.state is ChargeState.STOPPED:
            changed = "charging_paused" if before is ChargeState.CHARGING else None
        else:
            changed = (
                f"charging_{'started' if report.state is ChargeState.CHARGING else 'completed'}"
            )
        if before is ChargeState.DISCONNECTED is not report.state:
            self.note("plugged_in", vehicle, report.at)
        if report.state is not ChargeState.DISCONNECTED:
            if vehicle.session is None:
                self._begin_session(vehicle, report.at)
            else:
                vehicle.session.last_met = report.at
        if changed:
            self.note(changed, vehicle, report.at)

    def _begin_session(self, vehicle: Vehicle, at: datetime) -> None:
        session = Session(
            id=seeding.new_id(self._random),
            user_id=vehicle.user_id,
            vehicle_id=vehicle.id,
            charging_location_id=vehicle.location_id,
            is_managed=vehicle.manageable,
            start=at,
            last_met=at,
        )
        vehicle.session = session
        self.sessions.add(session)
        self.note("session_started", vehicle, at)
        previous = vehicle.previous_session
        if previous is not None and previous.is_managed != session.is_managed:
            kind = "session_became_smart" if session.is_managed else "session_became_unmanaged"
            self.note(kind, vehicle, at, details={"previous_session_id": previous.id})
        self.signal("session_started", vehicle, at)

    def end_session(self, vehicle: Vehicle, known_at: datetime) -> None:
        """End the session at the newest telemetry that still met the conditions (documented)."""
        if (session := vehicle.session) is None:
            return
        if session.boost:
            self.note("boost_ended", vehicle, known_at)
        session.end_known = known_at
        end = self.sessions.end(session)
        self.note("session_ended", vehicle, end, known_at)
        self.note("session_settled", vehicle, end, known_at)
        self.signal("session_ended", vehicle, known_at)
        vehicle.previous_session, vehicle.session = session, None

    # --- journal and signals ------------------------------------------------------------------------

    def clear_changes(self) -> None:
        """Empty the journal: what was written so far is how the world began."""
        self.changes.clear()
        self.signals.clear()
        self._last_number = 0

    def drain(self) -> Iterator[Signal]:
        """Hand over the signals for webhooks, each once."""
        signals, self.signals = self.signals, []
        yield from signals

    def stamp(self, at: datetime) -> datetime:
        """Return the time as the API can report it, and keep the newest since the clock was set back."""
        at = seeding.whole_ms(at)
        self.latest = newest(self.latest, at)
        return at

    def signal_update(self, vehicle: Vehicle, at: datetime) -> None:
        """Add the signal that something about a car changed, or about the session that it is in."""
        self.signal("session_updated" if vehicle.session else "vehicle_updated", vehicle, at)

    def signal(self, kind: str, vehicle: Vehicle, at: datetime) -> None:
        """Add a signal of this car for webhooks."""
        session = vehicle.session.id if vehicle.session else None
        self.signals.append(Signal(kind, vehicle.user_id, at, vehicle.id, session))

    def note(
        self,
        kind: str,
        vehicle: Vehicle,
        occurred: datetime,
        known: datetime | None = None,
        *,
        details: JsonObject | None = None,
    ) -> None:
        """Write a line about a car (and the session that it is in) into the journal."""
        session = vehicle.session.id if vehicle.session else None
        self.journal(
            kind,
            vehicle.user_id,
            vehicle.id,
            occurred,
            session=session,
            known=known,
            details=details,
        )

    def journal(
        self,
        kind: str,
        user_id: str,
        vehicle_id: str | None,
        occurred: datetime,
        *,
        session: str | None = None,
        known: datetime | None = None,
        details: JsonObject | None = None,
    ) -> None:
        """Write a line into the journal."""
        self._last_number += 1
        self.changes.append(
            Change(
                self._last_number,
                kind,
                user_id,
                vehicle_id,
                session,
                occurred,
                known or occurred,
                details or {},
            )
        )
