"""Whether the day went right, in words; and the JSON that other programs read."""

from collections.abc import Sequence
from dataclasses import dataclass, field
import json
import math
from pathlib import Path
from typing import Any

from .story import Story

WANTED = (
    "plugged_in",
    "session_started",
    "charging_started",
    "charging_paused",
    "charging_completed",
    "session_ended",
    "unplugged",
)
ONCE = ("plugged_in", "unplugged")


@dataclass(slots=True)
class Outcome:
    """What a run has shown, good or bad; written as JSON in every case."""

    home_assistant: str = ""
    webhooks: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)
    entities: dict[str, str] = field(default_factory=dict)
    push_state: str = "unknown"
    webhook_delays: list[float] = field(default_factory=list)
    event_delays: list[float] = field(default_factory=list)

    async def take(self, story: Story) -> None:
        """Copy what the story has by now."""
        await story.silence()
        self.webhooks = len(story.webhooks)
        self.events = [told.data for told in story.events]
        self.webhook_delays = await story.webhook_delays()
        self.event_delays = story.event_delays()

    def latency(self) -> dict[str, dict[str, float | None]]:
        """Return the percentiles in milliseconds; None where nothing was measured."""
        return {
            name: {"p50": percentile(delays, 50), "p99": percentile(delays, 99)}
            for name, delays in (("webhook", self.webhook_delays), ("event", self.event_delays))
        }

    def write(self, path: Path) -> None:
        """Write the JSON of the contract (design, section 10)."""
        content = {
            "home_assistant": self.home_assistant,
            "webhooks": self.webhooks,
            "events": self.events,
            "entities": self.entities,
            "push_state": self.push_state,
            "latency_ms": self.latency(),
        }
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def what_is_wrong(outcome: Outcome, vehicle_id: str, logged: Sequence[str]) -> list[str]:
    """Return what kept the day of this car from going right, a sentence each; empty if nothing."""
    own = [event for event in outcome.events if event.get("vehicle_id") == vehicle_id]
    types = [event["type"] for event in own]
    wrong = [f"{wanted} was never told" for wanted in WANTED if wanted not in types]
    wrong += [
        f"{once} was told {types.count(once)} times, not once"
        for once in ONCE
        if types.count(once) > 1
    ]
    wrong += [f"{event['type']} was told as late" for event in own if event.get("late")]
    if outcome.push_state != "healthy":
        wrong.append(f"push_state is {outcome.push_state}, not healthy")
    if logged:
        records = "\n".join(f"    {line}" for line in "\n".join(logged[:3]).splitlines())
        wrong.append(f"Home Assistant logged {len(logged)} errors that name jedlix:\n{records}")
    return wrong


def percentile(values: Sequence[float], percent: float) -> float | None:
    """Return the nearest-rank percentile, rounded to a tenth; None of nothing."""
    if not values:
        return None
    rank = max(1, math.ceil(percent / 100 * len(values)))
    return round(sorted(values)[rank - 1], 1)
