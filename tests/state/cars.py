"""A car and its sessions, as Jedlix reports them."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from custom_components.jedlix.api import ChargeState, ChargeStatus, Session, Vehicle

NOON: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
UNKNOWN, AWAY, STOPPED, CHARGING, COMPLETE = ChargeStatus


def at(minutes: float) -> datetime:
    """Return a moment in minutes after noon."""
    return NOON + timedelta(minutes=minutes)


def car(status: ChargeStatus = CHARGING, read_at: float | None = 0, **more: Any) -> Vehicle:
    """Return the car as Jedlix reports it, with a reading of that minute."""
    reading = ChargeState(
        status=status, battery_level=50, updated_at=None if read_at is None else at(read_at)
    )
    return Vehicle(id="car", user_id="user", charge_state=reading, **more)


def session(name: str, start: float | None, end: float | None = None, **more: Any) -> Session:
    """Return a session of the car."""
    return Session(
        id=name,
        vehicle_id="car",
        started_at=None if start is None else at(start),
        ended_at=None if end is None else at(end),
        **more,
    )
