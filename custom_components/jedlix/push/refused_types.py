"""Refused event types: which ones a tenant refused, when and why, and which are to be tried now. Pure.

A refusal is normal and nothing that a user has to act on. None is for good: a type is tried again ten minutes
and an hour after its first refusals, then weekly, after an update of the integration, and on wish.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Self

from ..api import Conflict, ConnectionFailed, Forbidden, JedlixError, NotFound, Rejected
from ..api.endpoints import Evidence
from ..api.reading import Fields, Json, integer, moment, text
from .event_types import find, pascal_case

_FIRST_PAUSES: Final = (timedelta(minutes=10), timedelta(hours=1))
_DAY: Final = timedelta(days=1)
_WEEK: Final = timedelta(weeks=1)


class Reason(StrEnum):
    """Why an event type was refused."""

    # Jedlix refuses it although its test message reached us.
    REFUSED = "refused"
    # 400 without its test message, while other messages of Jedlix reach us (inferred).
    UNKNOWN_NAME = "unknown_name"
    # 400, and no message has arrived for a day: the address may be the cause (documented).
    NOT_REACHED = "not_reached"
    # 409: as many subscriptions as the tenant may have, or one of somebody else (assumed).
    NO_ROOM = "no_room"
    # The plan or the scope does not allow it.
    NOT_ALLOWED = "not_allowed"
    # Jedlix failed.
    FAILED = "failed"


# What says nothing about the name is tried again sooner.
_DAILY: Final = frozenset({Reason.NOT_REACHED, Reason.FAILED})
_BY_NAME: Final = frozenset({Reason.REFUSED, Reason.UNKNOWN_NAME})


def reason_of(err: JedlixError, *, is_reached: bool, is_tested: bool) -> Reason:
    """Return why an event type was refused.

    `is_reached` says whether messages of Jedlix reach us, `is_tested` whether the test of this type did.
    """
    match err:
        case Conflict():
            return Reason.NO_ROOM
        case ConnectionFailed():
            return Reason.FAILED
        case Forbidden() | NotFound():
            return Reason.NOT_ALLOWED
        case Rejected() if not is_reached:
            return Reason.NOT_REACHED
        case Rejected() if not is_tested:
            return Reason.UNKNOWN_NAME
        case _:
            return Reason.REFUSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The last refusal of an event type: its time, how many there were in a row, and the version then."""

    reason: Reason
    at: datetime | None = None
    count: int = 1
    version: str | None = None

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Read one from the store; raises BadAnswer when it is not one."""
        fields = Fields(data)
        reason = text(fields.get("reason"))
        return cls(
            reason=Reason(reason) if reason in set(Reason) else Reason.REFUSED,
            at=moment(fields.get("at")),
            count=integer(fields.get("count")) or 1,
            version=text(fields.get("version")),
        )

    def as_json(self) -> dict[str, Json]:
        """Return one for the store."""
        return {
            "reason": self.reason.value,
            "at": None if self.at is None else self.at.isoformat(),
            "count": self.count,
            "version": self.version,
        }

    def due_at(self, version: str) -> datetime | None:
        """Return when to try again; None for at once."""
        if self.at is None or self.version != version:
            return None
        if self.count <= len(_FIRST_PAUSES):
            return self.at + _FIRST_PAUSES[self.count - 1]
        return self.at + (_DAY if self.reason in _DAILY else _WEEK)


# by event type, as it was sent
type RefusedTypes = dict[str, Refusal]


def note_refused(
    refused_types: RefusedTypes, event_type: str, reason: Reason, now: datetime, version: str
) -> None:
    """Note a refusal. The count begins again with each version.

    That nothing reached us says no more than what was known before.
    """
    before = refused_types.get(event_type)
    count = 1 if before is None or before.version != version else before.count + 1
    if before is not None and before.reason in _BY_NAME and reason is Reason.NOT_REACHED:
        reason = before.reason
    refused_types[event_type] = Refusal(reason=reason, at=now, count=count, version=version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Which event types to subscribe in one pass: `core` decides whether push works, then `others`."""

    core: tuple[str, ...]
    others: tuple[str, ...]


def plan(
    wanted: Iterable[str],
    held: Collection[str],
    refused_types: Mapping[str, Refusal],
    now: datetime,
    version: str,
    *,
    all_due: bool = False,
) -> Trial:
    """Return what to subscribe now: what is held, what was never refused, and what is due again.

    The core is what is held, and what is documented; without either, the first type that is wanted.
    `all_due` tries everything again.
    """
    names = list(dict.fromkeys(wanted))
    spelled = [*names, *_in_pascal_case(names, refused_types)]
    due = [
        name
        for name in spelled
        if name in held or all_due or _is_due(refused_types.get(name), now, version)
    ]
    core = [name for name in due if name in held or _is_documented(name)] or due[:1] or names[:1]
    return Trial(core=tuple(core), others=tuple(name for name in due if name not in core))


def next_due(
    wanted: Iterable[str], refused_types: Mapping[str, Refusal], version: str
) -> datetime | None:
    """Return when the first refused type is to be tried again, None where none was refused."""
    names = list(dict.fromkeys(wanted))
    refusals = [
        refused_types[name] for name in (*names, *map(pascal_case, names)) if name in refused_types
    ]
    return min(filter(None, (item.due_at(version) for item in refusals)), default=None)


def _is_due(refusal: Refusal | None, now: datetime, version: str) -> bool:
    """Return whether to try a type; a refusal that lies in the future is not believed."""
    if refusal is None or refusal.at is None or refusal.at > now:
        return True
    due_at = refusal.due_at(version)
    return due_at is None or due_at <= now


def _in_pascal_case(wanted: Iterable[str], refused_types: Mapping[str, Refusal]) -> list[str]:
    """Return the reported types in the other spelling, where all of them were refused by their name."""
    reported = [
        name for name in wanted if (item := find(name)) and item.evidence is Evidence.REPORTED
    ]
    refusals = [refused_types.get(name) for name in reported]
    if all(item is not None and item.reason in _BY_NAME for item in refusals):
        return [other for name in reported if (other := pascal_case(name)) not in reported]
    return []


def _is_documented(name: str) -> bool:
    item = find(name)
    return item is not None and item.evidence is Evidence.DOCUMENTED
