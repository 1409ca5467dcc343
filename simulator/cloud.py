"""Cloud: one simulated tenant of Jedlix, without the HTTP server in front of it.

It holds what the API, the control API and the pages share (world, webhooks, tokens, faults, clock), and
what a person or a test may do. It imports nothing of `api`, `control`, `pages` and `app`.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
import time
from typing import Any

from .event_types import DOCUMENTED_EVENTS, PARTIAL_LIMIT
from .faults import aimed, events
from .faults.general import ACTIONS, Chance, Faults
from .faults.kinds import TOKEN_ADDRESSES
from .faults.parameters import Names
from .linking import Linking
from .messages import Request
from .model import ChargeState, JsonObject, User, Vehicle
from .noise import Noise
from .provider import Provider
from .routine import Routine
from .settings import Settings
from .tokens import Tokens
from .webhooks import Webhooks
from .world import World

MAX_KEPT_REQUESTS = 100_000
ABSENT_IN_PARTIAL = frozenset(
    {
        "financials",
        "request_refresh",
        "refresh_status",
        "session",
        "tariffs",
        "update_subscription",
        "webhook_history",
    }
)
"""Endpoints, all of them assumed, that a tenant of the partial mode does not have."""


class Cloud:
    """One tenant: its world, its webhooks, its tokens, its clock, its faults."""

    endpoint_names: frozenset[str] = frozenset()
    """Names of the API's endpoints, which faults may name; the server fills it."""
    endpoints_of_users: frozenset[str] = frozenset()
    """Those whose calls name a user; the server fills it, too."""

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Make the world. `clock` returns the real time; a test may set another one at any moment."""
        self.settings = settings = settings or Settings()
        self.clock = clock
        self.faults = Faults()
        self.aimed = aimed.AimedFaults()
        self.noise = Noise(settings.seed) if settings.mode == "noisy" else None
        self.world = World(
            self.now(),
            seed=settings.seed,
            users=settings.users,
            hour=settings.hour,
            history_days=settings.history_days,
            tariff=settings.tariff,
            departure_times=settings.departure_times,
        )
        self.linking = Linking(self.world)
        self.chance = Chance(settings.seed)
        self.webhooks = Webhooks(
            self.now,
            faults=self.faults,
            chance=self.chance,
            noise=self.noise,
            event_types=DOCUMENTED_EVENTS | dict(settings.reported_events),
            limit=PARTIAL_LIMIT if settings.mode == "partial" else None,
            retries=settings.retries,
            retention=timedelta(days=settings.retention_days),
            timeout=settings.endpoint_timeout,
        )
        self.tokens = Tokens()
        self.provider = Provider(
            self.tokens, client_secret=settings.client_secret, audiences=lambda: self.audiences
        )
        self.requests: deque[Request] = deque(maxlen=MAX_KEPT_REQUESTS)
        self.requests_answered = 0
        self.speed = settings.speed
        self.url = ""
        """Address of the server; empty until it listens."""
        self.outage_until = 0.0
        """Moment of `time.monotonic()` at which the outage ends."""
        self._routine = Routine(settings.seed) if settings.auto else None
        self._moved_at = time.monotonic()

    @property
    def is_strict(self) -> bool:
        """Whether assumed endpoints and fields are absent."""
        return self.settings.mode == "strict"

    def offers(self, name: str, *, is_assumed: bool) -> bool:
        """Return whether this tenant has an endpoint of the table."""
        if self.settings.mode == "partial":
            return name not in ABSENT_IN_PARTIAL
        return not (self.is_strict and is_assumed)

    @property
    def audiences(self) -> set[str]:
        """The audiences for which tokens are given: our own address, and the configured one."""
        return {item.rstrip("/") for item in (self.url, self.settings.audience) if item}

    @property
    def user_ids(self) -> list[str]:
        """All users, in the order of their creation."""
        return list(self.world.users)

    @property
    def vehicle_ids(self) -> list[str]:
        """All cars, in the order of their creation."""
        return list(self.world.vehicles)

    def vehicle(self, vehicle_id: str) -> Vehicle:
        """Return a car. Raises KeyError when there is none."""
        return self.world.vehicles[vehicle_id]

    # --- time ---------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """Return the time by Jedlix's clock: the real one, unless a fault has set it wrong."""
        return self.clock() + self.clock_ahead

    @property
    def clock_ahead(self) -> timedelta:
        """How far faults set Jedlix's clock ahead of the real one."""
        skew = timedelta(seconds=self.faults.clock_skew_seconds)
        return skew + self.aimed.clock_ahead(self.clock())

    def catch_up(self) -> datetime:
        """Bring the world to the present, end the faults whose time is over, and return the time."""
        for fault in self.aimed.take_ended(self.clock(), self.now()):
            self._undo(fault)
        now, moment = self.now(), time.monotonic()
        elapsed, self._moved_at = moment - self._moved_at, moment
        self._move(now, elapsed * self.speed if self.settings.ticking else 0.0)
        return now

    def start_time(self) -> None:
        """Let simulated time begin here: what passed before the server listened does not count."""
        self._moved_at = time.monotonic()

    def settle(self) -> None:
        """Publish what has happened. Each call ends with it, so that the next one sees the result.

        Reports of one moment have times a millisecond apart, so that the newest may be a little ahead of
        the clock. This waits until that time has come.
        """
        ahead = (self.world.ledger.latest - self.now()).total_seconds()
        if 0 < ahead < 1:
            time.sleep(ahead)
        for signal in self.world.ledger.drain():
            self.webhooks.publish_signal(signal)

    async def delivered(self) -> None:
        """Wait until each queued delivery has been tried once (retries are not waited for)."""
        await self.webhooks.delivered()

    def _move(self, now: datetime, seconds: float) -> None:
        world, end = self.world, self.world.second + seconds
        if self._routine is not None:
            for vehicle_id in world.vehicles:
                self._routine.add(vehicle_id, world.second)
            while (due := self._routine.next_at) is not None and due <= end:
                world.advance(now, max(0.0, due - world.second))
                self._follow_routine(self._routine, now)
        world.advance(now, max(0.0, end - world.second))

    def _follow_routine(self, routine: Routine, now: datetime) -> None:
        vehicle_id, arrives = routine.pop()
        vehicle = self.world.vehicles.get(vehicle_id)
        if vehicle is None or vehicle.plugged_in == arrives:
            return  # removed, or a person was faster
        if arrives:
            self.world.plug(vehicle, now, at_home=routine.at_home())
        else:
            self.world.unplug(vehicle, now)
            self.world.drive(vehicle, routine.consumption())

    # --- what a person or a test does -----------------------------------------------------------------

    def act[T](self, action: Callable[[datetime], T]) -> T:
        """Do something to the world at the present time, publish what follows, and return the result."""
        try:
            return action(self.catch_up())
        finally:
            self.settle()

    def add_user(self, country: str | None = None) -> User:
        """Create a user with a car and a home."""
        return self.act(lambda now: self.world.add_user(now, country))

    def plug(self, vehicle_id: str, location: str = "home") -> None:
        """Plug a car in at `home` or at an `unknown` location."""
        vehicle, at_home = self.vehicle(vehicle_id), location == "home"
        self.act(lambda now: self.world.plug(vehicle, now, at_home=at_home))

    def unplug(self, vehicle_id: str) -> None:
        """Unplug a car."""
        vehicle = self.vehicle(vehicle_id)
        self.act(lambda now: self.world.unplug(vehicle, now))

    def telemetry(
        self,
        vehicle_id: str,
        *,
        battery_level: int | None = None,
        charge_state: str | None = None,
        range: int | None = None,  # noqa: A002
    ) -> None:
        """Let a car report something now; what is not given stays as it truly is."""
        vehicle = self.vehicle(vehicle_id)
        state = None if charge_state is None else ChargeState(charge_state)
        self.act(
            lambda now: self.world.telemetry(
                vehicle, now, battery_level=battery_level, charge_state=state, range_km=range
            )
        )

    def advance(self, hours: float) -> None:
        """Let so many simulated hours of charging pass at once."""
        self.act(lambda now: self._move(now, hours * 3600))

    def set_hour(self, hour: float) -> None:
        """Turn the price day's clock forward to an hour, without any charging meanwhile."""
        self.act(lambda now: self.world.set_hour(hour, now))

    def boost(self, vehicle_id: str, *, enabled: bool = True) -> None:
        """Boost the car's session, as the user would in the app. Raises Refused without a smart one."""
        vehicle = self.vehicle(vehicle_id)
        self.act(lambda now: self.world.boost_vehicle(vehicle, now, enabled=enabled))

    def change_settings(self, vehicle_id: str, **changes: object) -> None:
        """Change charge settings by their wire names, as the user would in the app."""
        vehicle = self.vehicle(vehicle_id)
        settings = vehicle.settings | changes
        self.act(lambda now: self.world.change_settings(vehicle, settings, now))

    def link(
        self,
        vehicle_id: str,
        *,
        connected: bool,
        reason: str = "disconnected",
        connectable: bool = True,
    ) -> None:
        """Lose or restore the link to the car's maker; the reason is `disconnected` or `credentials`.

        `connectable` is whether a connect session can make it again (SDK: `isConnectable`).
        """
        vehicle = self.vehicle(vehicle_id)
        vehicle.is_connectable = connectable
        self.act(lambda now: self.world.set_link(vehicle, now, connected=connected, reason=reason))

    def impossible(self, vehicle_id: str) -> None:
        """Let Jedlix find that the car's session cannot reach the desired level."""
        vehicle = self.vehicle(vehicle_id)
        self.act(lambda now: self.world.report_impossible(vehicle, now))

    def set_tariff(self, location_id: str, tariff: JsonObject | None) -> None:
        """Give a charging location other tariffs, as a supplier would. Raises KeyError when there is none."""
        for user in self.world.users.values():
            for place, location in enumerate(user.locations):
                if location.id == location_id:
                    user.locations[place] = replace(location, tariff=tariff)
                    return
        raise KeyError(location_id)

    def remove_user(self, user_id: str) -> None:
        """Remove a user with all cars. Raises KeyError when there is none."""
        user = self.world.users[user_id]
        self.act(lambda now: self.world.remove_user(user, now))

    def wait_for_maker(self, vehicle_id: str) -> None:
        """Let the car's maker take hours to activate it (documented for Renault)."""
        vehicle = self.vehicle(vehicle_id)
        self.act(lambda now: self.world.wait_for_maker(vehicle, now))

    def log_in(self, connect_id: str) -> None:
        """Log in on the page of a connect session. Raises KeyError when there is none."""
        connect = self.linking.sessions[connect_id]
        self.act(lambda now: self.linking.log_in(connect, now))

    def log_in_and_wait(self, connect_id: str) -> None:
        """Log in at a maker that takes hours. Raises KeyError when there is no such connect session."""
        connect = self.linking.sessions[connect_id]
        self.act(lambda now: self.linking.wait(connect, now))

    def ready(self, vehicle_id: str) -> None:
        """Send the documented vehicleConnectionReadyToContinue."""
        vehicle = self.vehicle(vehicle_id)
        self.act(lambda now: self.world.ready_to_continue(vehicle, now))

    def remove(self, vehicle_id: str) -> None:
        """Remove a car from its user."""
        vehicle = self.vehicle(vehicle_id)
        self.act(lambda now: self.world.remove_vehicle(vehicle, now))

    # --- faults -------------------------------------------------------------------------------------

    def strike(self, changes: Mapping[str, Any]) -> list[int]:
        """Set faults, and do those that happen once. Raises ValueError in words, and then changes nothing.

        `changes` has general faults by name, aimed ones in a list under `faults`, and the numbers of those to
        end under `remove`; or it is one aimed fault, with its `kind`. Returns the numbers of the new ones.
        """
        if "kind" in changes:
            changes = {"faults": [changes]}
        changes = dict(changes)
        wishes = [
            aimed.read(item, self._names)
            for item in _list(changes.pop("faults", []), "faults", '[{"kind": "hang"}]')
        ]
        ended = [
            self.aimed.get(number) for number in _list(changes.pop("remove", []), "remove", "[1]")
        ]
        once = {name: changes.pop(name) for name in ACTIONS if name in changes}
        if any(not isinstance(value, bool) for value in once.values()):
            raise ValueError(f"{', '.join(once)}: must be true or false")
        self.faults.merge(changes, self._names)
        if "outage_seconds" in changes:
            self.outage_until = time.monotonic() + self.faults.outage_seconds
        if once.get("token_expiry"):
            self.tokens.expire()
        for subscription in list(self.webhooks.subscriptions.values()):
            if once.get("subscriptions_gone"):
                self.webhooks.delete(subscription)
            elif once.get("subscriptions_inactive"):
                subscription.is_active = False
        for fault in ended:
            self._end(fault)
        return [self._begin(wish) for wish in wishes]

    def clear_faults(self) -> None:
        """Switch all faults off. What an aimed one has done to the world is undone."""
        self.faults.clear()
        self.outage_until = 0.0
        for fault in list(self.aimed):
            self._end(fault)

    @property
    def _names(self) -> Names:
        users, vehicles, sessions = (
            self.world.users,
            self.world.vehicles,
            self.world.sessions.by_id,
        )
        return Names(
            endpoints=self.endpoint_names,
            of_users=self.endpoints_of_users,
            token_addresses=TOKEN_ADDRESSES,
            event_types=self.webhooks.spellings,
            user=lambda value: _find(users, value),
            vehicle=lambda value: _find(vehicles, value),
            session=lambda value: str(value).lower() if str(value).lower() in sessions else None,
        )

    def _begin(self, wish: aimed.Wish) -> int:
        def happen(now: datetime) -> int:
            fault = self.aimed.add(wish, self.clock(), now)
            if "session" in fault.values:
                ended = self.world.sessions.newest_ended(fault.users).values()
                fault.sessions = frozenset(session.id for session in ended)
            try:
                fault.undo = events.begin(fault, self.world, now)
            except ValueError:
                self.aimed.remove(fault)
                raise
            return fault.number

        return self.act(happen)

    def _end(self, fault: aimed.Fault) -> None:
        self.aimed.remove(fault)
        self._undo(fault)
        self.settle()

    def _undo(self, fault: aimed.Fault) -> None:
        if fault.undo is not None:
            fault.undo(self.now())


def _list(value: object, name: str, example: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{name}: must be a list, as in {example}, not {value!r}")  # noqa: TRY004
    return value


def _find(known: Mapping[str, object], value: object) -> str | None:
    """Return the id that `value` is, or that stands at this number; the first is 1."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if type(value) is int:
        return next(islice(known, value - 1, value), None) if 0 < value <= len(known) else None
    return value.lower() if isinstance(value, str) and value.lower() in known else None
