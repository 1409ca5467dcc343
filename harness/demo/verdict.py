"""Verdict: what a demo has shown, as JSON for programs; and what went wrong, as sentences for a person."""

from collections.abc import Sequence
from dataclasses import dataclass, field
import json
import math
from pathlib import Path
from typing import Any

from .listener import Listener

EXPECTED = (
    "plugged_in",
    "session_started",
    "charging_started",
    "charging_paused",
    "charging_completed",
    "session_ended",
    "session_settled",
    "unplugged",
)
EXPECTED_ONCE = ("plugged_in", "unplugged")


@dataclass(slots=True)
class Verdict:
    """What a run has shown; written as JSON whether it went right or wrong."""

    home_assistant: str = ""
    webhooks: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)
    entities: dict[str, str] = field(default_factory=dict)
    push_state: str = "unknown"
    webhook_delays: list[float] = field(default_factory=list)
    event_delays: list[float] = field(default_factory=list)

    async def take(self, listener: Listener) -> None:
        """Copy what the listener has by now."""
        await listener.until_printed()
        self.webhooks = len(listener.webhooks)
        self.events = [event.data for event in listener.events]
        self.webhook_delays = await listener.webhook_delays()
        self.event_delays = listener.event_delays()

    def latency(self) -> dict[str, dict[str, float | None]]:
        """Return the percentiles in milliseconds; None where nothing was measured."""
        return {
            name: {"p50": percentile(delays, 50), "p99": percentile(delays, 99)}
            for name, delays in (("webhook", self.webhook_delays), ("event", self.event_delays))
        }

    def write(self, path: Path) -> None:
        """Write the JSON; others rely on its keys."""
        content = {
            "home_assistant": self.home_assistant,
            "webhooks": self.webhooks,
            "events": self.events,
            "entities": self.entities,
            "push_state": self.push_state,
            "latency_ms": self.latency(),
        }
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def problems(verdict: Verdict, vehicle_id: str, logged: Sequence[str]) -> list[str]:
    """Return a sentence for each problem of the day of this car."""
    own = [event for event in verdict.events if event.get("vehicle_id") == vehicle_id]
    types = [event["type"] for event in own]
    found = [f"{name} was never published" for name in EXPECTED if name not in types]
    found += [
        f"{name} was published {types.count(name)} times, not once"
        for name in EXPECTED_ONCE
        if types.count(name) > 1
    ]
    found += [f"{event['type']} was published as late" for event in own if event.get("late")]
    if verdict.push_state != "healthy":
        found.append(f"push_state is {verdict.push_state}, not healthy")
    if logged:
        records = "\n".join(f"    {line}" for line in "\n".join(logged[:3]).splitlines())
        found.append(f"Home Assistant logged {len(logged)} errors that name jedlix:\n{records}")
    return found


def percentile(values: Sequence[float], percent: float) -> float | None:
    """Return the nearest-rank percentile, rounded to a tenth; None of nothing."""
    if not values:
        return None
    rank = max(1, math.ceil(percent / 100 * len(values)))
    return round(sorted(values)[rank - 1], 1)
