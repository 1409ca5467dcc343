"""Puts the simulator together: the world, its API, its webhooks, its clock, and handles for tests."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
import time

from aiohttp import web

from . import control, pages
from .api import token
from .api.gate import Gate, Request
from .api.table import TABLE
from .faults import Dice, Faults
from .linking import Linking
from .model import ChargeState, User, Vehicle
from .noise import Noise
from .routine import Routine
from .settings import Settings
from .webhooks import DOCUMENTED_EVENTS, Webhooks
from .world import World

__all__ = ["Request", "Settings", "Simulator"]

_KEPT_REQUESTS = 100_000
_TICK = 0.05
_PULL = 10.0
_VERSIONS = ("v1", "v2")


class Simulator:
    """A Jedlix cloud of one tenant. In tests: `await start()`, then the methods below, `await stop()`."""

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Make the world. `clock` says what time it is; tests may turn it forward."""
        self.settings = settings = settings or Settings()
        self._clock = clock
        self.faults = Faults()
        self.noise = Noise(settings.seed) if settings.mode == "noisy" else None
        self.world = World(
            self.now(),
            seed=settings.seed,
            users=settings.users,
            hour=settings.hour,
            history_days=settings.history_days,
        )
        self.linking = Linking(self.world)
        self.dice = Dice(settings.seed)
        self.webhooks = Webhooks(
            self.now,
            faults=self.faults,
            dice=self.dice,
            noise=self.noise,
            event_types=DOCUMENTED_EVENTS | dict(settings.session_events),
            retries=settings.retries,
            retention=timedelta(days=settings.retention_days),
            timeout=settings.endpoint_timeout,
        )
        self.tokens = token.Tokens()
        self.requests: deque[Request] = deque(maxlen=_KEPT_REQUESTS)
        self.requests_answered = 0
        self.speed = settings.speed
        self.url = ""
        self.outage_until = 0.0
        self._routine = Routine(settings.seed) if settings.auto else None
        self._moved_at = time.monotonic()
        self._runner: web.AppRunner | None = None
        self._ticker: asyncio.Task[None] | None = None

    @property
    def is_strict(self) -> bool:
        """Whether assumed endpoints and fields are absent."""
        return self.settings.mode == "strict"

    @property
    def audiences(self) -> set[str]:
        """The audiences for which tokens are given: our own address, and the configured one."""
        return {item.rstrip("/") for item in (self.url, self.settings.audience) if item}

    # --- life ---------------------------------------------------------------------------------------

    async def start(self, port: int = 0) -> None:
        """Listen; port 0 takes any free one. Raises OSError when the port is taken."""
        self.strike(self.settings.faults)
        gate = Gate(self)
        app = web.Application(middlewares=[gate.guard], client_max_size=2**20)
        for version in _VERSIONS:
            for row in TABLE:
                path = f"/api/{version}{row.path}"
                app.router.add_route(row.method, path, gate.entrance(row, version))
        app.router.add_post("/oauth/token", gate.token)
        control.add_routes(app.router, self)
        pages.add_routes(app.router, self)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self.settings.host, port).start()
        except OSError:
            await self._runner.cleanup()
            raise
        await self.webhooks.start()
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.settings.host, self.settings.host)
        self.url = f"http://{host}:{self._runner.addresses[0][1]}"
        self._moved_at = time.monotonic()
        if self.settings.ticking:
            self._ticker = asyncio.create_task(self._tick())

    async def stop(self) -> None:
        """Stop listening and sending."""
        if self._ticker is not None:
            self._ticker.cancel()
            with suppress(asyncio.CancelledError):
                await self._ticker
        if self._runner is not None:
            await self._runner.cleanup()
        await self.webhooks.stop()

    async def delivered(self) -> None:
        """Wait until each queued delivery has been tried once (retries are not waited for)."""
        await self.webhooks.delivered()

    # --- time ---------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """Return the time by Jedlix's clock: the real one, unless a fault has set it wrong."""
        return self._clock() + timedelta(seconds=self.faults.clock_skew_seconds)

    def catch_up(self) -> datetime:
        """Bring the world to the present and return the time."""
        now, moment = self.now(), time.monotonic()
        elapsed, self._moved_at = moment - self._moved_at, moment
        self._move(now, elapsed * self.speed if self.settings.ticking else 0.0)
        return now

    def settle(self) -> None:
        """Announce what has happened. A call must end with it before anybody else can look.

        Cars that told several things at one moment have times a millisecond apart, so that the newest may
        be a little ahead of the clock; nobody sees it before its time has come.
        """
        ahead = (self.world.ledger.latest - self.now()).total_seconds()
        if 0 < ahead < 1:
            time.sleep(ahead)
        for signal in self.world.ledger.drain():
            self.webhooks.announce(
                signal.kind,
                signal.user_id,
                signal.at,
                vehicleId=signal.vehicle_id,
                sessionId=signal.session_id,
            )

    def _move(self, now: datetime, seconds: float) -> None:
        world, end = self.world, self.world.second + seconds
        if self._routine is not None:
            for vehicle_id in world.vehicles:
                self._routine.add(vehicle_id, world.second)
            while (due := self._routine.next_at) is not None and due <= end:
                world.advance(now, max(0.0, due - world.second))
                self._go(*self._routine.pop(), now)
        world.advance(now, max(0.0, end - world.second))

    def _go(self, vehicle_id: str, arrives: bool, now: datetime) -> None:  # noqa: FBT001
        assert self._routine is not None
        vehicle = self.world.vehicles.get(vehicle_id)
        if vehicle is None or vehicle.plugged_in == arrives:
            return  # removed, or a person was faster
        if arrives:
            self.world.plug(vehicle, now, at_home=self._routine.at_home())
        else:
            self.world.unplug(vehicle, now)
            self.world.drive(vehicle, self._routine.consumption())

    async def _tick(self) -> None:
        next_pull = time.monotonic() + _PULL
        while True:
            await asyncio.sleep(_TICK)
            now = self.catch_up()
            if time.monotonic() >= next_pull:
                next_pull += _PULL
                self.world.pull(now)
            self.settle()

    # --- what a person or a test does -----------------------------------------------------------------

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

    def _do[T](self, deed: Callable[[datetime], T]) -> T:
        try:
            return deed(self.catch_up())
        finally:
            self.settle()

    def add_user(self, country: str | None = None) -> User:
        """Create a user with a car and a home."""
        return self._do(lambda now: self.world.add_user(now, country))

    def plug(self, vehicle_id: str, location: str = "home") -> None:
        """Plug a car in at `home` or at an `unknown` location."""
        vehicle, at_home = self.vehicle(vehicle_id), location == "home"
        self._do(lambda now: self.world.plug(vehicle, now, at_home=at_home))

    def unplug(self, vehicle_id: str) -> None:
        """Unplug a car."""
        vehicle = self.vehicle(vehicle_id)
        self._do(lambda now: self.world.unplug(vehicle, now))

    def telemetry(
        self,
        vehicle_id: str,
        *,
        battery_level: int | None = None,
        charge_state: str | None = None,
        range: int | None = None,  # noqa: A002
    ) -> None:
        """Let a car tell something now; what is not given stays as it truly is."""
        vehicle = self.vehicle(vehicle_id)
        state = None if charge_state is None else ChargeState(charge_state)
        self._do(
            lambda now: self.world.telemetry(
                vehicle, now, battery_level=battery_level, charge_state=state, range_km=range
            )
        )

    def advance(self, hours: float) -> None:
        """Let so many simulated hours of charging go by at once."""
        self._do(lambda now: self._move(now, hours * 3600))

    def set_hour(self, hour: float) -> None:
        """Turn the price day's clock forward to an hour, without any charging meanwhile."""
        self._do(lambda now: self.world.set_hour(hour, now))

    def boost(self, vehicle_id: str, *, enabled: bool = True) -> None:
        """Boost the car's session, as the user would in the app. Raises Refused without a smart one."""
        vehicle = self.vehicle(vehicle_id)
        self._do(lambda now: self.world.boost_vehicle(vehicle, now, enabled=enabled))

    def change_settings(self, vehicle_id: str, **changes: object) -> None:
        """Change charge settings by their wire names, as the user would in the app."""
        vehicle = self.vehicle(vehicle_id)
        settings = vehicle.settings | changes
        self._do(lambda now: self.world.change_settings(vehicle, settings, now))

    def link(self, vehicle_id: str, *, connected: bool) -> None:
        """Lose or restore the link to the car's maker."""
        vehicle = self.vehicle(vehicle_id)
        self._do(lambda now: self.world.set_link(vehicle, now, connected=connected))

    def ready(self, vehicle_id: str) -> None:
        """Send the documented vehicleConnectionReadyToContinue."""
        vehicle = self.vehicle(vehicle_id)
        self._do(lambda now: self.world.ready_to_continue(vehicle, now))

    def remove(self, vehicle_id: str) -> None:
        """Remove a car from its user."""
        vehicle = self.vehicle(vehicle_id)
        self._do(lambda now: self.world.remove_vehicle(vehicle, now))

    def strike(self, faults: control.Changes) -> None:
        """Set faults and do the ones that happen once. Raises ValueError in words."""
        control.strike(self, faults)
