"""Known gaps: promises that the integration does not keep yet.

The default form of the run counts them and does not fail for them; the full form fails.
"""

from collections.abc import Mapping

from .verdict import KnownGap

SHUT = "shut_while_reloading"

_REASONS = {
    SHUT: "A delivery during a start is answered with 200 by Home Assistant, until the entry is loaded.",
}


def known_gaps(seen: Mapping[str, int]) -> dict[str, KnownGap]:
    """Return all gaps, with how often the run met each."""
    return {name: KnownGap(reason, seen.get(name, 0)) for name, reason in _REASONS.items()}
