"""Recording: what the recorder inside Home Assistant wrote, over all starts."""

from dataclasses import dataclass
from datetime import datetime
import json
from pathlib import Path
from typing import Any

from .timeline import Timeline

RECORDER = Path(__file__).parent / "chaos_recorder"
_FILE = "published.jsonl"


@dataclass(frozen=True, slots=True)
class Published:
    """One `jedlix_event`, with the moment at which it was published, in Unix seconds."""

    at: float
    data: dict[str, Any]

    @property
    def type(self) -> str:
        """The type of the change."""
        return str(self.data["type"])

    @property
    def vehicle_id(self) -> str:
        """The car; empty where the event only names a user."""
        return str(self.data.get("vehicle_id") or "")


def lines(folder: Path) -> list[dict[str, Any]]:
    """Return all lines. The last one before a kill may be incomplete and is left out."""
    path = folder / _FILE
    if not path.exists():
        return []
    found = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return found


def changes(folder: Path) -> list[Published]:
    """Return the changes in the order in which they were published."""
    return [
        Published(line["at"], line["data"])
        for line in lines(folder)
        if line["kind"] == "jedlix_event"
    ]


def webhooks(folder: Path) -> list[tuple[float, str]]:
    """Return when each `jedlix_webhook` was published, and the id of its delivery."""
    return [
        (line["at"], str(line["data"]["event_id"]))
        for line in lines(folder)
        if line["kind"] == "jedlix_webhook"
    ]


def longest_block(folder: Path, timeline: Timeline) -> float:
    """Return for how many milliseconds the event loop was blocked at most, starts left out."""
    return max(
        (
            line["data"]["blocked_ms"]
            for line in lines(folder)
            if line["kind"] == "pulse" and timeline.is_up(line["at"] - 2.0)
        ),
        default=0.0,
    )


def late_starts(folder: Path) -> int:
    """Return in how many starts the recorder came after the integration: they make the count worthless."""
    starts = [line["data"] for line in lines(folder) if line["kind"] == "start"]
    return sum("loaded" in states for states in starts)


def seconds(text: str) -> float:
    """Return a time of the simulator or of an event as Unix seconds."""
    return datetime.fromisoformat(text).timestamp()
