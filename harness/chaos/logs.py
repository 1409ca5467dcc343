"""Logs of a run: nothing at warning or above that the run did not cause."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
import re

from ..paths import ROOT

_RECORD = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+(?:[+-]\d\d:\d\d)? ([A-Z]+) \(")
_LEVELS = frozenset({"WARNING", "ERROR", "CRITICAL", "FATAL"})

REFUSED = "A delivery to the Jedlix webhook was refused"
REFUSALS_PER_START = 3
"""Lines: the handler of the account and that of a reload have one each, and at first that of the dialog."""
REFUSALS_APART = 300.0
"""Seconds between two such lines."""
API_IS_AWAY = "Error fetching jedlix data"
_CAUSED = {
    "custom integrations": "which has not been tested by Home Assistant",
    "the interpreter": "zlib_ng and isal are not available",
    "a kill": "could not validate that the sqlite3 database",
    "a kill of the database": "Ended unfinished session",
    "API trouble at a start": "not ready yet",
    "API trouble in a poll": API_IS_AWAY,
    "API trouble of one user": "cannot be read at the moment",
    "wrong keys": "was refused (wrong_key)",
    "no keys": "was refused (no_key)",
    "broken bodies": "was refused (bad_body)",
    "bodies that are too large": "was refused (too_large)",
    "deliveries before the set-up succeeded": "was refused (not_ready)",
    "commands at bad moments": "Error handling message",
    "the same over REST": "Error during service call to",
    "a boost without a session": "The car has no smart session.",
}
"""What the run causes, and the text by which its lines are known."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record of the log, with its trace."""

    level: str
    text: str

    @property
    def is_error(self) -> bool:
        """Whether it is worse than a warning."""
        return self.level != "WARNING"

    @property
    def is_ours(self) -> bool:
        """Whether it names the integration; paths of this checkout do not count."""
        return "jedlix" in self.text.replace(str(ROOT), "").lower()


def records(folder: Path) -> Iterator[Record]:
    """Yield the records at warning and above of all starts."""
    logs = sorted(folder.glob("home-assistant.[0-9][0-9][0-9].log"))
    for log in [*logs, folder / "home-assistant.log"]:
        if not log.exists():
            continue
        level, found = "", list[str]()
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            if record := _RECORD.match(line):
                if level in _LEVELS:
                    yield Record(level, "\n".join(found))
                level, found = record[1], []
            found.append(line)
        if level in _LEVELS:
            yield Record(level, "\n".join(found))


def not_caused(folder: Path) -> list[Record]:
    """Return the records that nothing in the run explains."""
    return [
        record
        for record in records(folder)
        if not any(text in record.text for text in _CAUSED.values())
    ]


def too_many_refusals(folder: Path, starts: int, seconds: float) -> list[str]:
    """Return the lines about refused deliveries where they are more than starts and time explain."""
    lines = [record.text for record in records(folder) if REFUSED in record.text]
    allowed = REFUSALS_PER_START * starts + seconds / REFUSALS_APART
    return lines if len(lines) > allowed else []


def outages(folder: Path) -> int:
    """Return how often Home Assistant reported that the API is away."""
    return sum(API_IS_AWAY in record.text for record in records(folder))
