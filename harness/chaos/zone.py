"""Zone of the Home Assistant of a run: neither that of the cars' settings nor UTC, so that one shows.

No charging location lies in its home zone, and one lies in another zone.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

TIME_ZONE = ZoneInfo("Europe/Helsinki")
LATITUDE, LONGITUDE = 60.1699, 24.9384
ZONE = "Depot"
_RADIUS = 150.0
"""Meters. The middle of the zone is not the place itself, which is nobody's business."""


def place_in_zone(users: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the charging location that lies in a zone: that of the first user."""
    place: Mapping[str, Any] = users[0]["locations"][0]
    return place


def zone_about(place: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration of the zone in which a charging location lies."""
    middle = {name: round(place[name] + 0.0005, 3) for name in ("latitude", "longitude")}
    return {"name": ZONE, "radius": _RADIUS, **middle}


def is_local(text: str | None) -> bool:
    """Return whether a time is written as the clock of Home Assistant shows it; None is no time."""
    at = None if text is None else datetime.fromisoformat(text)
    return at is None or at.utcoffset() == at.astimezone(TIME_ZONE).utcoffset()
