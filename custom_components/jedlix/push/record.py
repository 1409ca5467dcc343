"""Push record: what push remembers over a restart."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from .inbox import Inbox
from .refused_types import RefusedTypes
from .subscriptions import HeldSubscriptions


@dataclass(slots=True, kw_only=True)
class PushRecord:
    """The record of one entry. Whoever changes it calls `schedule_save`. Times are UTC."""

    schedule_save: Callable[[], None]
    inbox: Inbox = field(default_factory=Inbox)
    # since when deliveries may have been missed that the webhook history has, None when none are
    missed_since: datetime | None = None
    subscriptions: HeldSubscriptions = field(default_factory=dict)
    refused_types: RefusedTypes = field(default_factory=dict)
    # event types beyond the options that an earlier version had found; only read, for the migration
    found_before: tuple[str, ...] = ()
    # whether a delivery ever led to a change
    reports_changes: bool = False
    last_delivery: datetime | None = None
    # when test messages of Jedlix last arrived during a registration
    last_tests: datetime | None = None
