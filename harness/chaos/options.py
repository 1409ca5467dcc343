"""Options of a chaos run."""

from dataclasses import dataclass
from pathlib import Path

from ..paths import INTEGRATION


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of the command line."""

    events: int
    seed: int
    kills: int
    cars: int
    calm: float
    patience: float
    json: Path | None = None
    keep: bool = False
    strict: bool = False
    short: bool = False
    no_poll: bool = False
    full: bool = False
    integration: Path = INTEGRATION
