"""Verdict: the figures of a run, as JSON for programs and as lines for a person."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
import json
from pathlib import Path
from typing import Any


@dataclass(slots=True, kw_only=True)
class Verdict:
    """The figures of a run. Their names are the keys of the JSON, which others rely on.

    `truth` counts the changes that are promised (`promise` says which), `announced` those of them that
    were published. `unpromised` were published without being promised, `unseeable` were neither;
    `read_otherwise` follow from states of which one could not be seen. `webhooks` are the deliveries that
    were passed on. `outages_logged` are the lines with which Home Assistant's own coordinator says that
    the API is away: these are no errors of the integration.
    """

    truth: int = 0
    announced: int = 0
    lost: int = 0
    repeated: int = 0
    wrong_state: int = 0
    kills: int = 0
    errors_logged: int = 0
    invented: int = 0
    read_otherwise: int = 0
    unpromised: int = 0
    unseeable: dict[str, int] = field(default_factory=dict)
    webhooks: int = 0
    webhooks_lost: int = 0
    webhooks_repeated: int = 0
    webhooks_told_twice: int = 0
    outages_logged: int = 0
    deliveries: int = 0
    bursts: int = 0
    cars: int = 0
    seed: int = 0
    seconds: int = 0
    blocked_ms: float = 0.0
    by_source: dict[str, int] = field(default_factory=dict)
    details: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def is_good(self) -> bool:
        """Return whether nothing was lost, invented or wrong."""
        return not (
            self.lost
            or self.wrong_state
            or self.errors_logged
            or self.invented
            or self.webhooks_lost
            or self.webhooks_told_twice
        )

    def write(self, path: Path) -> None:
        """Write the JSON."""
        content = json.dumps(asdict(self), indent=2, ensure_ascii=False)
        path.write_text(content + "\n", encoding="utf-8")

    def lines(self) -> Sequence[str]:
        """Return the figures as lines for a person."""
        unseeable = sum(self.unseeable.values())
        made = f"{self.deliveries} deliveries about {self.cars} cars in {self.seconds} s"
        suffered = f"{self.bursts} bursts of API trouble, {self.kills} kills, seed {self.seed}"
        changes = f"{self.truth} promised changes, {self.announced} published, {self.lost} lost"
        wrong = f"{self.repeated} repeated after a kill, {self.invented} invented"
        passed_on = f"{self.webhooks} deliveries passed on, {self.webhooks_lost} lost"
        twice = f"{self.webhooks_told_twice} passed on twice"
        return (
            f"{made}, {suffered}",
            f"{changes}, {wrong}",
            f"{self.unpromised} more published, {unseeable} that nobody could see",
            f"{passed_on}, {self.webhooks_repeated} repeated after a kill, {twice}",
            f"{self.wrong_state} wrong states, {self.errors_logged} errors logged",
        )
