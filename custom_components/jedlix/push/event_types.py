"""Event types: the table of the known ones, what each is about, and what a set of them amounts to. Pure.

Jedlix documents two. The others are reported: public code that copies Jedlix's webhook model has their names.
Whether a tenant accepts them, and that they are spelled like the documented ones, is not confirmed. Jedlix's
answer decides.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ..api.endpoints import Evidence
from ..const import USER_CREATED, VEHICLE_READY


class Subject(StrEnum):
    """What an event type is about, the most useful first."""

    SESSION = "session"
    VEHICLE = "vehicle"
    LINK = "link"
    CHARGER = "charger"
    USER = "user"
    SUPPLIER = "supplier"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventType:
    """One event type. `reports_charging` says whether it reports that a car was plugged in and charges."""

    name: str
    subject: Subject
    evidence: Evidence = Evidence.REPORTED
    reports_charging: bool = False


EVENT_TYPES: Final = (
    # Documented. They come first: whether they are accepted shows whether push works.
    EventType(name=USER_CREATED, subject=Subject.USER, evidence=Evidence.DOCUMENTED),
    EventType(name=VEHICLE_READY, subject=Subject.LINK, evidence=Evidence.DOCUMENTED),
    # Reported, the most useful first: a tenant may limit the number of subscriptions.
    EventType(name="sessionStarted", subject=Subject.SESSION, reports_charging=True),
    EventType(name="sessionEnded", subject=Subject.SESSION),
    EventType(name="sessionUpdated", subject=Subject.SESSION),
    EventType(name="sessionImpossible", subject=Subject.SESSION),
    EventType(name="vehicleUpdated", subject=Subject.VEHICLE),
    EventType(name="vehicleInvalidCredentials", subject=Subject.LINK),
    EventType(name="vehicleConnected", subject=Subject.LINK),
    EventType(name="vehicleDisconnected", subject=Subject.LINK),
    EventType(name="vehicleRemoved", subject=Subject.VEHICLE),
    EventType(name="vehicleSelected", subject=Subject.VEHICLE),
    EventType(name="chargerConnected", subject=Subject.CHARGER),
    EventType(name="chargerDisconnected", subject=Subject.CHARGER),
    EventType(name="chargerInvalidCredentials", subject=Subject.CHARGER),
    EventType(name="userUpdated", subject=Subject.USER),
    EventType(name="userRemoved", subject=Subject.USER),
    EventType(name="utilityContractCreated", subject=Subject.SUPPLIER),
    EventType(name="utilityContractUpdated", subject=Subject.SUPPLIER),
    EventType(name="utilityContractRemoved", subject=Subject.SUPPLIER),
    EventType(name="utilityContractInvalidated", subject=Subject.SUPPLIER),
)

_BY_NAME: Final = {item.name.casefold(): item for item in EVENT_TYPES}

# What is subscribed unless the user chooses otherwise, in this order.
DEFAULT_EVENT_TYPES: Final = tuple(
    item.name for item in EVENT_TYPES if item.subject is not Subject.SUPPLIER
)
CANDIDATES: Final = DEFAULT_EVENT_TYPES[2:]

# For each name that was tried: whether the tenant accepted it. As the store keeps it.
type TriedEventTypes = dict[str, bool]


def find(name: str) -> EventType | None:
    """Return the event type of a name in any case, None for one that is not in the table."""
    return _BY_NAME.get(name.casefold())


def reports_charging(accepted: Iterable[str]) -> bool:
    """Return whether one of these event types reports that a car was plugged in and charges.

    A name that a user added, and that is not in the table, counts where it speaks of sessions (a guess).
    """
    return any(
        item.reports_charging if (item := find(name)) else "session" in name.casefold()
        for name in accepted
    )


def accepted(tried: TriedEventTypes) -> list[str]:
    """Return the event types that the tenant accepted."""
    return [name for name, is_accepted in tried.items() if is_accepted]


def untried(tried: TriedEventTypes) -> list[str]:
    """Return the candidates that were not tried yet."""
    return [name for name in CANDIDATES if name not in tried]


def forget_accepted(tried: TriedEventTypes) -> None:
    """Forget the accepted event types, so that they are no longer subscribed; refusals are remembered."""
    for name in accepted(tried):
        del tried[name]
