"""Agreement: one answer decides nothing, several over some time do."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many answers have to say the same, and over what time, before it is believed."""

    answers: int
    time: timedelta

    def is_reached(self, answers: int, since: datetime | None, last: datetime | None) -> bool:
        """Return whether so many answers, of which these were the first and the last, are enough."""
        if since is None or last is None:
            return False
        return answers >= self.answers and last - since >= self.time
