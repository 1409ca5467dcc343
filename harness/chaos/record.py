"""Reads what the recorder inside Home Assistant wrote, over all its lives."""

from dataclasses import dataclass
from datetime import datetime
import json
from pathlib import Path
from typing import Any

from .timeline import Timeline

RECORDER = Path(__file__).parent / "chaos_recorder"
_FILE = "announced.jsonl"


@dataclass(frozen=True, slots=True)
class Announced:
    """One `jedlix_event`, with the moment of its telling in Unix seconds."""

    told_at: float
    data: dict[str, Any]

    @property
    def type(self) -> str:
        """The kind of change."""
        return str(self.data["type"])

    @property
    def vehicle_id(self) -> str:
        """The car, or nothing for what only names a user."""
        return str(self.data.get("vehicle_id") or "")


def install(folder: Path) -> None:
    """Put the recorder into a configuration folder that was prepared but never started."""
    target = folder / "custom_components" / RECORDER.name
    target.symlink_to(RECORDER, target_is_directory=True)
    with (folder / "configuration.yaml").open("a", encoding="utf-8") as configuration:
        configuration.write(f"\n{RECORDER.name}:\n")


def lines(folder: Path) -> list[dict[str, Any]]:
    """Return all lines; the last one of a life that was killed may be cut short."""
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


def changes(folder: Path) -> list[Announced]:
    """Return what was announced, in the order of telling."""
    return [
        Announced(line["at"], line["data"])
        for line in lines(folder)
        if line["kind"] == "jedlix_event"
    ]


def webhooks(folder: Path) -> list[tuple[float, str]]:
    """Return when each `jedlix_webhook` was told, and the id of its delivery."""
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
    """Return in how many lives the recorder came after the integration: then the count is worthless."""
    starts = [line["data"] for line in lines(folder) if line["kind"] == "start"]
    return sum("loaded" in states for states in starts)


def seconds(text: str) -> float:
    """Return a time of the simulator or of an event as Unix seconds."""
    return datetime.fromisoformat(text).timestamp()
