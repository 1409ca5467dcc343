"""Push record: what push remembers over a restart."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from .event_types import TriedEventTypes
from .inbox import Inbox
from .subscriptions import HeldSubscriptions


@dataclass(slots=True, kw_only=True)
class PushRecord:
    """The record of one entry. Whoever changes it calls `schedule_save`. Times are UTC."""

    schedule_save: Callable[[], None]
    inbox: Inbox = field(default_factory=Inbox)
    # since when deliveries may have been missed that the webhook history has, None when none are
    missed_since: datetime | None = None
    subscriptions: HeldSubscriptions = field(default_factory=dict)
    tried_event_types: TriedEventTypes = field(default_factory=dict)
    # whether a delivery ever led to a change
    reports_changes: bool = False
    last_delivery: datetime | None = None
