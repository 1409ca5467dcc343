"""Model of the simulated world: users, cars, places, sessions. Data only."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

type JsonObject = dict[str, Any]


class ChargeState(StrEnum):
    """The SDK's charge states. `unknown` is no news about the plug."""

    UNKNOWN = "unknown"
    DISCONNECTED = "disconnected"
    STOPPED = "stopped"
    CHARGING = "charging"
    COMPLETE = "complete"


CAPABILITIES = (
    "chargeState",
    "stateOfCharge",
    "charge",
    "startStopCharging",
    "geoLocation",
    "desiredStateOfCharge",
    "departureTimes",
    "pullTelemetry",
)
"""Capabilities of an ordinary car (SDK names)."""

POSITION = frozenset({"geoLocation", "geoFencing"})
START_STOP = "startStopCharging"
BATTERY_READING = "stateOfCharge"


@dataclass(slots=True, frozen=True)
class Telemetry:
    """One message from a car: what Jedlix knows of it until the next one."""

    at: datetime
    state: ChargeState
    battery_level: int | None
    range_km: int | None


@dataclass(slots=True, eq=False)
class Session:
    """From plug-in to unplug, or to a change of who is in control. Documented in 4.1 and 4.3.

    `last_met` is the newest telemetry that still met the conditions: it becomes the end. `end_known` is
    when Jedlix learned of the end; None for sessions that had ended before the simulator started.
    Energy (kWh) and money are our own assumption (A12).
    """

    id: str
    user_id: str
    vehicle_id: str
    charging_location_id: str | None
    is_managed: bool
    start: datetime
    last_met: datetime
    end: datetime | None = None
    end_known: datetime | None = None
    energy_kwh: float = 0.0
    cost: float = 0.0
    savings: float = 0.0
    boost: bool = False
    current_battery_level: int | None = None


@dataclass(slots=True)
class Refresh:
    """A charge state refresh request (documented rules; assumed path, A6)."""

    correlation_id: str
    requested_at: datetime
    completed_at: datetime | None = None


@dataclass(slots=True, frozen=True)
class ConnectSession:
    """Linking a car at its maker (documented). `vehicle_id` is set once finished.

    The person opens `pages` pages in turn (SDK) and is on number `page`. `needs_app`: Jedlix wants what only
    the web view of an app can send (SDK: `redirectInfo`).
    """

    id: str
    user_id: str
    vehicle_id: str | None = None
    reconnects: str | None = None
    pages: int = 1
    page: int = 1
    needs_app: bool = False

    @property
    def is_finished(self) -> bool:
        """Whether the car is linked."""
        return self.vehicle_id is not None


@dataclass(slots=True, frozen=True, kw_only=True)
class ChargingLocation:
    """A registered place. Smart charging happens only here (documented).

    `tariff` has tariffs and intervals as the API writes them; None where there are none.
    """

    id: str
    user_id: str
    latitude: float
    longitude: float
    street: str
    house_number: str
    postal_code: str
    city: str
    country: str
    tariff: JsonObject | None
    created_at: datetime


@dataclass(slots=True, frozen=True, kw_only=True)
class Charger:
    """A charge point at a location (SDK)."""

    id: str
    charging_location_id: str
    brand: str
    model: str
    power_kw: float


@dataclass(slots=True, eq=False, kw_only=True)
class Vehicle:
    """A car: what it is, what it truly does, and what it last reported.

    `level` is the true battery level in percent at simulated second `level_at`; it moves by `rate`
    percent an hour until `physics.settle` is called again.
    """

    id: str
    user_id: str
    brand: str
    model: str
    version: str
    capabilities: tuple[str, ...]
    battery_kwh: float
    full_range_km: int
    charge_kw: float
    created_at: datetime
    settings: JsonObject
    report: Telemetry
    level: float
    level_at: float
    rate: float = 0.0
    state: ChargeState = ChargeState.DISCONNECTED
    known_state: ChargeState = ChargeState.DISCONNECTED
    location_id: str | None = None
    is_connected: bool = True
    is_connectable: bool = True
    connection_status: str | None = None
    session: Session | None = None
    previous_session: Session | None = None
    refresh: Refresh | None = None
    pull_due: bool = False
    plan: int = 0

    @property
    def plugged_in(self) -> bool:
        """Whether the cable is in, reported or not."""
        return self.state is not ChargeState.DISCONNECTED

    @property
    def reads_battery(self) -> bool:
        """Whether the car can report its level (documented: some cannot)."""
        return BATTERY_READING in self.capabilities

    @property
    def smart_charging(self) -> bool:
        """Whether the user wants smart charging (documented)."""
        return bool(self.settings["isSmartChargingEnabled"])

    @property
    def manageable(self) -> bool:
        """Documented: smart charging on, a known location, and position plus start/stop."""
        return (
            self.smart_charging
            and self.location_id is not None
            and START_STOP in self.capabilities
            and not POSITION.isdisjoint(self.capabilities)
        )


@dataclass(slots=True, eq=False, kw_only=True)
class User:
    """An end user of the tenant. Documented: at most one vehicle each; a fault may give more."""

    id: str
    number: int
    country: str
    locale: str
    created_at: datetime
    vehicles: list[Vehicle] = field(default_factory=list)
    cars: int = 0
    locations: list[ChargingLocation] = field(default_factory=list)
    chargers: list[Charger] = field(default_factory=list)

    @property
    def vehicle(self) -> Vehicle | None:
        """The car, where there is one; the first of several."""
        return self.vehicles[0] if self.vehicles else None


@dataclass(slots=True, frozen=True)
class Change:
    """A line of the journal of what truly happened, with the type names of the design's section 6.

    `occurred_at` is the time that the API reports; `known_at` is when Jedlix could first know it. `details`
    is what neither the sessions nor the reports of the car keep.
    """

    n: int
    type: str
    user_id: str
    vehicle_id: str | None
    session_id: str | None
    occurred_at: datetime
    known_at: datetime
    details: JsonObject = field(default_factory=dict)


@dataclass(slots=True, frozen=True)
class Report:
    """A telemetry that Jedlix got, with the car that sent it."""

    vehicle_id: str
    telemetry: Telemetry


@dataclass(slots=True, frozen=True)
class Signal:
    """Something that a webhook may report. `kind` is a key of the event types in `webhooks`."""

    kind: str
    user_id: str
    at: datetime
    vehicle_id: str | None = None
    session_id: str | None = None
