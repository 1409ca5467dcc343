"""Recording: what the recorder inside Home Assistant wrote, over all starts."""

from dataclasses import dataclass, field
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
    shown: dict[str, str] = field(default_factory=dict)
    """What the entities of the device showed at that moment, by platform and key."""
    context: str = ""
    """The id by which Home Assistant knows what comes of it."""

    @property
    def type(self) -> str:
        """The type of the change."""
        return str(self.data.get("type"))

    @property
    def user_id(self) -> str:
        """The user."""
        return str(self.data.get("user_id") or "")

    @property
    def vehicle_id(self) -> str:
        """The car; empty where the event only names a user."""
        return str(self.data.get("vehicle_id") or "")

    @property
    def session_id(self) -> str | None:
        """The session, where the event names one."""
        session_id = self.data.get("session_id")
        return None if session_id is None else str(session_id)

    @property
    def is_late(self) -> bool:
        """Whether the event says that it is late."""
        return self.data.get("late") is True


@dataclass(frozen=True, slots=True)
class Line:
    """Any other line: a `jedlix_webhook`, a run of an automation, what an event entity wrote."""

    at: float
    data: dict[str, Any]
    context: str = ""
    parent: str = ""
    """The context of what it comes of, where it has one of its own."""


@dataclass(frozen=True, slots=True)
class Recording:
    """All lines by their kind, in the order in which they were written."""

    changes: list[Published]
    webhooks: list[Line]
    runs: list[Line]
    event_entities: list[Line]
    pulses: list[Line]
    starts: list[Line]

    @classmethod
    def read(cls, folder: Path) -> Recording:
        """Read the recording in the folder of a Home Assistant."""
        found = lines(folder)

        def of(kind: str) -> list[Line]:
            return [
                Line(item["at"], item["data"], item.get("context", ""), item.get("parent") or "")
                for item in found
                if item["kind"] == kind
            ]

        return cls(
            changes=changes(folder),
            webhooks=of("jedlix_webhook"),
            runs=of("chaos_automation"),
            event_entities=of("event_entity"),
            pulses=of("pulse"),
            starts=of("start"),
        )

    @property
    def late_starts(self) -> int:
        """In how many starts the recorder came after the integration: they make the count worthless."""
        return sum("loaded" in start.data for start in self.starts)

    def longest_block(self, timeline: Timeline) -> float:
        """Return for how many milliseconds the event loop was blocked at most, starts left out."""
        return max(
            (
                pulse.data["blocked_ms"]
                for pulse in self.pulses
                if timeline.is_up(pulse.at - 2.0) and timeline.is_up(pulse.at)
            ),
            default=0.0,
        )


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
        Published(line["at"], line["data"], line.get("shown", {}), line.get("context", ""))
        for line in lines(folder)
        if line["kind"] == "jedlix_event"
    ]
