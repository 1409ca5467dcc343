"""Zone of the Home Assistant of a run: neither that of the cars' settings nor UTC, so that one shows."""

from datetime import datetime
from zoneinfo import ZoneInfo

TIME_ZONE = ZoneInfo("Europe/Helsinki")
LATITUDE, LONGITUDE = 60.1699, 24.9384


def is_local(text: str | None) -> bool:
    """Return whether a time is written as the clock of Home Assistant shows it; None is no time."""
    at = None if text is None else datetime.fromisoformat(text)
    return at is None or at.utcoffset() == at.astimezone(TIME_ZONE).utcoffset()
