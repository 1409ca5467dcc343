"""Gone: when a car, a charger or an open session that good answers no longer name counts as gone.

One answer decides nothing. A car, a charger, a user or an open session is gone when several good answers
over some time agree. Whatever an answer names again was never gone.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from ..api.agreement import Agreement

GONE_AFTER: Final = Agreement(3, timedelta(minutes=15))

# The kinds of things that may be absent, each as it stands before the id.
VEHICLE: Final = "vehicle "
CHARGER: Final = "charger "
LOCATION: Final = "location "
SESSION: Final = "session "


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """One absent thing: since when it is absent, when it was last seen, and how many answers agree."""

    since: datetime
    last_seen: datetime
    answers: int = 1

    def is_gone(self, now: datetime) -> bool:
        """Return whether enough answers over enough time agree."""
        return GONE_AFTER.is_reached(self.answers, self.since, now)


# By what is absent: its kind and id.
type Absences = Mapping[str, Absence]


def after_answer(
    absences: Absences,
    *,
    named: Collection[str],
    absent: Collection[str],
    last_seen: datetime,
    now: datetime,
) -> dict[str, Absence]:
    """Return the absences after one more good answer, which names some things and leaves out others.

    `last_seen` is when the things that are newly absent were last seen. What the answer is not about stays.
    """
    after = {key: absence for key, absence in absences.items() if key not in named}
    for key in absent:
        if (known := after.get(key)) is None:
            after[key] = Absence(since=now, last_seen=last_seen)
        else:
            after[key] = replace(known, answers=known.answers + 1)
    return after


def gone(absences: Absences, now: datetime) -> set[str]:
    """Return what is gone."""
    return {key for key, absence in absences.items() if absence.is_gone(now)}
