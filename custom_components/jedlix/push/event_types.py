"""Event types: the table of the known ones, what each is about, and what a set of them amounts to. Pure.

Jedlix documents two. The others are reported: public code that copies Jedlix's webhook model has their names.
Whether a tenant accepts them, and that they are spelled like the documented ones, is not confirmed. Jedlix's
answer decides.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
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


def find(name: str) -> EventType | None:
    """Return the event type of a name in any case, None for one that is not in the table."""
    return _BY_NAME.get(name.casefold())


def reports_charging(accepted: Iterable[str]) -> bool:
    """Return whether one of these event types reports that a car was plugged in and charges.

    A name that a user added, and that is not in the table, counts where it speaks of sessions (a guess).
    """
    return any(map(_reports_charging, accepted))


@lru_cache  # it is asked at each delivery
def _reports_charging(name: str) -> bool:
    return item.reports_charging if (item := find(name)) else "session" in name.casefold()


def may_concern_settings(name: str) -> bool:
    """Return whether an event type may report that the charge settings of a car changed (a guess)."""
    return name.casefold() == "vehicleupdated" or "setting" in name.casefold()


def pascal_case(name: str) -> str:
    """Return a name in the other spelling: `SessionStarted`, as in the code in which it was seen."""
    return name[:1].upper() + name[1:]


def gives_way_to(name: str, held: Collection[str], *, keep_users: bool) -> str | None:
    """Return which subscription to give up for a type, where a tenant limits their number; None for none.

    The type about linking gives way to any about sessions. The one about new users, which shows that push
    works, gives way only to the type without which no charging is reported, unless new users are followed.
    """
    item = find(name)
    if item is None or item.subject is not Subject.SESSION:
        return None
    if VEHICLE_READY in held:
        return VEHICLE_READY
    if item.reports_charging and not keep_users and USER_CREATED in held:
        return USER_CREATED
    return None
