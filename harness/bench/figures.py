"""Figures of a run: medians over rounds with their spread and their limits, as JSON and as a table."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
import json
from pathlib import Path
from statistics import median, quantiles
from typing import Any


@dataclass(frozen=True, slots=True)
class Limit:
    """The most that a figure must be, and the most that it should be."""

    must: float
    aim: float


LIMITS = {
    "delivery_above_floor_vs_peer": Limit(1.4, 1.0),
    "refused_vs_empty": Limit(1.25, 1.1),
    "delivery_1000_cars_vs_1": Limit(1.2, 1.0),
    "event_vs_api_round_trip": Limit(1.3, 1.1),
    "idle_poll_calls_1_car": Limit(3, 2),
    "idle_poll_calls_1000_cars": Limit(7, 7),
    "calls_per_100_requests": Limit(4, 4),
    "calls_per_hour_plugged_in_1_car": Limit(200, 130),
    "calls_per_hour_plugged_in_200_of_1000": Limit(2000, 1500),
    "restart_1000_cars_calls": Limit(1100, 50),
    "setup_waits_ms": Limit(1000, 0),
    "catch_up_vs_json": Limit(6, 5),
    "loop_blocked_ms_catch_up": Limit(40, 20),
    "setup_1000_cars_vs_1000_template_devices": Limit(1.0, 0.7),
    "kib_per_car": Limit(140, 100),
}
"""Figures with a limit; every other figure is only reported."""


@dataclass(frozen=True, slots=True)
class Figure:
    """The median of several rounds, and the bounds of the middle half of them."""

    value: float
    low: float
    high: float
    rounds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Figure:
        """Make a figure of the values of the rounds."""
        low, _, high = quantiles(values, n=4) if len(values) > 1 else [values[0]] * 3
        return cls(median(values), low, high, len(values))


@dataclass(slots=True)
class Figures:
    """All figures by name, in the order in which they were measured."""

    about: dict[str, Any] = field(default_factory=dict)
    found: dict[str, Figure] = field(default_factory=dict)

    def add(self, name: str, values: Iterable[float]) -> None:
        """Add a figure of the values of the rounds."""
        self.found[name] = Figure.of(list(values))

    def over(self) -> list[str]:
        """Return the names of the figures that are over their limit."""
        return [
            name
            for name, limit in LIMITS.items()
            if name in self.found and self.found[name].value > limit.must
        ]

    def write(self, path: Path) -> None:
        """Write the JSON: each figure by its name, then the middle half of its rounds."""
        content = {name: round(figure.value, 4) for name, figure in self.found.items()} | {
            "spread": {
                name: [round(figure.low, 4), round(figure.high, 4)]
                for name, figure in self.found.items()
            },
            "rounds": {name: figure.rounds for name, figure in self.found.items()},
            "about": self.about,
        }
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")

    def lines(self) -> Iterable[str]:
        """Yield the table, the figures with a limit first."""
        width = max(map(len, self.found), default=0)
        titles = f"{'median':>10} {'middle half':>19} {'rounds':>6} {'must':>6} {'aim':>6}"
        yield f"{'':<{width}} {titles}"
        ranked = [name for name in LIMITS if name in self.found]
        for name in [*ranked, *(name for name in self.found if name not in LIMITS)]:
            figure, limit = self.found[name], LIMITS.get(name)
            spread = f"{_short(figure.low)} to {_short(figure.high)}"
            line = f"{name:<{width}} {_short(figure.value):>10} {spread:>19} {figure.rounds:>6}"
            if limit is not None:
                verdict = "" if figure.value <= limit.must else "  over"
                line += f" {limit.must:>6g} {limit.aim:>6g}{verdict}"
            yield line


def _short(value: float) -> str:
    if value == int(value):
        return str(int(value))
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
