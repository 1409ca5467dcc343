"""What is read rarely: charge settings and chargers, and when it is their turn. Pure.

They are read at the first look after a start, when a delivery names settings, once a day, and more often
while a session is open. Chargers follow their car: they are read when it moves, and at each poll in a
session.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from .changes import Change, ChangeType
from .snapshot import UserSnapshot, VehicleSnapshot

_DAILY: Final = timedelta(days=1)
_IN_SESSION: Final = timedelta(minutes=30)

# What moves a charger, and what may well come from a change of the settings.
_MOVES: Final = frozenset(
    {
        ChangeType.PLUGGED_IN,
        ChangeType.UNPLUGGED,
        ChangeType.CHARGING_STARTED,
        ChangeType.CHARGING_PAUSED,
        ChangeType.CHARGING_COMPLETED,
    }
)
_TELLS_OF_SETTINGS: Final = frozenset(
    {
        ChangeType.SESSION_STARTED,
        ChangeType.SESSION_BECAME_SMART,
        ChangeType.SESSION_BECAME_UNMANAGED,
        ChangeType.VEHICLE_ADDED,
    }
)


class Details:
    """When the settings of a user's cars and the chargers were last read."""

    def __init__(self) -> None:
        """Begin with nothing read."""
        self._settings_at: dict[str, datetime] = {}
        self._chargers_at: dict[str, datetime] = {}

    def owe_settings(self, user_id: str) -> None:
        """Have the settings of a user's cars read at the next look."""
        self._settings_at.pop(user_id, None)

    def owe_chargers(self, user_id: str) -> None:
        """Have a user's chargers read at the next look."""
        self._chargers_at.pop(user_id, None)

    def settings_due(self, user: UserSnapshot, changes: Iterable[Change], now: datetime) -> bool:
        """Return whether to read the settings of a user's cars, and take it as done."""
        return self._is_due(
            self._settings_at,
            user,
            now,
            _IN_SESSION if user.has_open_session else _DAILY,
            anyway=any(change.type in _TELLS_OF_SETTINGS for change in changes)
            or any(_has_resumed(car, now) for car in user.vehicles.values()),
        )

    def chargers_due(
        self, user: UserSnapshot, changes: Iterable[Change], now: datetime, *, polled: bool
    ) -> bool:
        """Return whether to read a user's chargers, and take it as done."""
        return self._is_due(
            self._chargers_at,
            user,
            now,
            _DAILY,
            anyway=bool(user.chargers)
            and (
                (polled and user.has_open_session)
                or any(change.type in _MOVES for change in changes)
            ),
        )

    @staticmethod
    def _is_due(
        read_at: dict[str, datetime],
        user: UserSnapshot,
        now: datetime,
        often: timedelta,
        *,
        anyway: bool,
    ) -> bool:
        is_new = user.chargers is None  # also of who was let go and is followed again
        last = read_at.get(user.user_id)
        if last is not None and now - last < often and not anyway and not is_new:
            return False
        read_at[user.user_id] = now
        return True


def _has_resumed(car: VehicleSnapshot, now: datetime) -> bool:
    """Return whether the moment has come at which Jedlix is to take over again (documented)."""
    resumes_at = None if car.settings is None else car.settings.resumes_at
    return resumes_at is not None and resumes_at <= now
