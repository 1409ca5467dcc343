"""Settings of a run of the simulator."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from .event_types import reported_events_of
from .webhooks import RETRIES

type Mode = Literal["default", "strict", "partial", "noisy"]
type HistoryShape = Literal["records", "events"]
type ApiKeyCheck = Literal["sent", "required", "off"]


@dataclass(slots=True, frozen=True, kw_only=True)
class Settings:
    """All options, with the defaults that suit a test.

    `speed` is in simulated seconds per real second and moves physics only. With `ticking` off, the world
    moves when a method of the simulator is called and at no other time.
    """

    host: str = "127.0.0.1"
    mode: Mode = "default"
    users: int = 1
    seed: int = 1
    speed: float = 1.0
    hour: float = 17.0
    ticking: bool = False
    auto: bool = False
    history_days: int = 30
    departure_times: str = "one"
    """The departure times of all cars, by the name of their shape in `departures`."""
    tariff: str | None = None
    """The tariffs of all homes, by their name in `tariffs`; None for some of each kind."""
    client_secret: str = "secret"
    api_key: str = "key"
    api_key_check: ApiKeyCheck = "sent"
    audience: str | None = None
    expires_in: int = 86400
    event_types: Mapping[str, str] | None = None
    """Names of the reported event types by kind of signal; None for those of the mode."""
    history_shape: HistoryShape = "records"
    retries: Sequence[float] = RETRIES
    retention_days: float = 7.0
    endpoint_timeout: float = 10.0
    faults: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reported_events(self) -> Mapping[str, str]:
        """The reported event types of this tenant, by kind of signal."""
        return reported_events_of(self.mode) if self.event_types is None else self.event_types
