"""Known gaps: promises that the integration does not keep yet.

The default form of the run counts them and does not fail for them; the full form fails, and has faults that
meet more of them.
"""

from collections.abc import Mapping

from .faults import GAPS
from .verdict import KnownGap

LATE = "late_after_a_short_gap"
OLD_SESSION = "session_from_before"
BEFORE_AUTOMATIONS = "before_automations_run"
SHUT = "shut_while_reloading"
ADDRESS = "address_in_the_calendar"
WRONG_CLOCK = "wrong_clock_of_home_assistant"

_REASONS = {
    LATE: "What happened in a gap of seconds is called late; only what is 15 minutes old should be.",
    OLD_SESSION: "A session that began before its car was first read is not published when it is listed.",
    BEFORE_AUTOMATIONS: "Changes that the first refresh finds are published before automations listen.",
    WRONG_CLOCK: "While Home Assistant's clock is ahead, no session is found, and states are not read.",
    ADDRESS: "Once a calendar was looked at, its state has the address of the running session.",
    SHUT: "A delivery during a reload or a start is answered with 200 by Home Assistant itself.",
}


def known_gaps(seen: Mapping[str, int]) -> dict[str, KnownGap]:
    """Return all gaps, with how often the run met each."""
    reasons = {**_REASONS, **{name: reason for name, (_, reason) in GAPS.items()}}
    return {name: KnownGap(reason, seen.get(name, 0)) for name, reason in reasons.items()}
