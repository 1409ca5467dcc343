"""Locations: what is known of a user's charging locations after one more answer.

A location that is no longer listed, or whose tariffs are no longer there, keeps what is known until it counts
as gone.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from ..api import ChargingLocation
from ..api.reading import Incomplete
from .gone import LOCATION, after_answer, gone
from .user_snapshot import UserSnapshot


def with_locations(
    user: UserSnapshot, listed: Collection[ChargingLocation], now: datetime
) -> UserSnapshot:
    """Return a user with newly fetched charging locations; `now` is Jedlix's time.

    An answer with an item that could not be read says nothing about a location that it does not name.
    """
    known, named = user.locations or {}, {item.id: item for item in listed}
    unnamed = known.keys() - named.keys()
    kept = unnamed | {
        key
        for key, item in known.items()
        if key in named and item.tariff_details and named[key].tariff_details is None
    }
    absent = kept - unnamed if isinstance(listed, Incomplete) else kept
    absences = after_answer(
        user.absences,
        named={LOCATION + key for key in named.keys() - absent},
        absent={LOCATION + key for key in absent},
        last_seen=user.locations_read_at or now,
        now=now,
    )
    lost = {key for key in absent if LOCATION + key in gone(absences, now)}
    return replace(
        user,
        locations={**named, **{key: known[key] for key in kept - lost}},
        locations_read_at=now,
        absences={
            key: absence
            for key, absence in absences.items()
            if key.removeprefix(LOCATION) not in lost
        },
    )


def has_other_tariffs(before: UserSnapshot, after: UserSnapshot) -> bool:
    """Return whether a location that had tariffs now has others: one answer may be a slip."""
    known, read = before.locations or {}, after.locations or {}
    return any(
        item.tariff_details is not None
        and key in read
        and read[key].tariff_details != item.tariff_details
        for key, item in known.items()
    )
