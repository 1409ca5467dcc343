"""World: cars that are plugged in, charge, report it, and the sessions that follow from that.

Pure: no HTTP and no clock of its own. The caller says what time it is (`now`, the real time that the API
reports) and how far the physics move (simulated seconds since the first midnight). A car is updated
only when something can change, so that a thousand idle cars cost nothing.
"""

from dataclasses import replace
from datetime import datetime, timedelta
import heapq
from random import Random

from . import dates, physics, prices, seeding
from .ledger import Ledger, newest
from .model import (
    ChargeState,
    JsonObject,
    Refresh,
    Report,
    Session,
    Signal,
    Telemetry,
    User,
    Vehicle,
)

REACTION = 5.0
"""Simulated seconds until a car follows a command and reports it."""
REFRESH_REUSED = timedelta(minutes=10)
REFRESH_VALID = timedelta(minutes=15)
PULL_EVERY = timedelta(minutes=5)
"""Documented: how often Jedlix asks a car by default while it tracks it."""
_MS = timedelta(milliseconds=1)


class Refused(Exception):
    """The world cannot do that now; the text says why."""


class World:
    """All users of one tenant. Times are UTC; levels are percent."""

    def __init__(
        self,
        now: datetime,
        *,
        seed: int = 1,
        users: int = 1,
        hour: float = 17.0,
        history_days: int = 30,
        tariff: str | None = None,
        departure_times: str = "one",
    ) -> None:
        """Make a world with users, cars and the sessions of the last days."""
        self.users: dict[str, User] = {}
        self.vehicles: dict[str, Vehicle] = {}
        self.ledger = Ledger(now, seed)
        self.sessions, self.changes = self.ledger.sessions, self.ledger.changes
        self.second = hour * prices.HOUR
        self._now = now
        self._seed, self._tariff, self._departure_times = seed, tariff, departure_times
        self._made = 0
        self._random = Random(f"{seed}")
        self._agenda: list[tuple[float, int, str]] = []
        self._resumes: dict[str, datetime] = {}
        for _ in range(users):
            user = self._new_user(now, None)
            random = Random(f"{seed}/history/{user.number}")
            self.give_car(user, now)
            assert user.vehicle is not None
            for session in seeding.past_sessions(user, user.vehicle, random, now, history_days):
                self.sessions.add(session)
        self.ledger.clear_changes()

    # --- time ---------------------------------------------------------------------------------------

    @property
    def hour(self) -> float:
        """Hour of the simulated price day, 0 to 24."""
        return self.second % prices.DAY / prices.HOUR

    def advance(self, now: datetime, seconds: float = 0.0) -> None:
        """Move physics by simulated seconds; what happens is reported at times up to `now`."""
        begin, end, since = self.second, self.second + seconds, min(self._now, now)
        while self._agenda and self._agenda[0][0] <= end:
            second, plan, vehicle_id = heapq.heappop(self._agenda)
            vehicle = self.vehicles.get(vehicle_id)
            if vehicle is None or vehicle.plan != plan:
                continue
            self.second = max(second, self.second)
            share = (self.second - begin) / seconds if seconds else 1.0
            self._update(vehicle, since + (now - since) * share)
        self.second, self._now = end, now
        for vehicle_id in [key for key, at in self._resumes.items() if at <= now]:
            del self._resumes[vehicle_id]
            vehicle = self.vehicles[vehicle_id]
            self.change_settings(vehicle, vehicle.settings | {"isSmartChargingEnabled": True}, now)

    def set_hour(self, hour: float, now: datetime) -> None:
        """Turn the clock of the price day forward to an hour, without any charging meanwhile."""
        skipped = (hour * prices.HOUR - self.second) % prices.DAY
        for vehicle in self.vehicles.values():
            physics.settle(vehicle, self.second)
            vehicle.level_at += skipped
        self._agenda.clear()
        self.second += skipped
        for vehicle in self.vehicles.values():
            if vehicle.plugged_in or vehicle.rate:
                self._update(vehicle, now)

    def pull(self, now: datetime) -> None:
        """Ask each plugged-in car that was silent for five minutes (documented: 4.8)."""
        for vehicle in self.vehicles.values():
            if vehicle.plugged_in and now - vehicle.report.at >= PULL_EVERY:
                self._update(vehicle, now, report=True)

    def _plan(self, vehicle: Vehicle, second: float | None) -> None:
        vehicle.plan += 1
        if second is not None:
            heapq.heappush(self._agenda, (second, vehicle.plan, vehicle.id))

    def _react(self, vehicle: Vehicle, *, report: bool = False) -> None:
        """Let the car follow a command a moment later."""
        vehicle.pull_due |= report
        self._plan(vehicle, self.second + REACTION)

    def _update(
        self, vehicle: Vehicle, at: datetime, *, report: bool = False, range_km: int | None = None
    ) -> None:
        """Work out what the car does now, and let it report a change."""
        physics.settle(vehicle, self.second)
        if vehicle.plugged_in:
            vehicle.state = physics.charge_state(vehicle, self.second)
            charging = vehicle.state is ChargeState.CHARGING
            vehicle.rate = physics.percent_per_hour(vehicle) if charging else 0.0
        self._plan(vehicle, physics.next_moment(vehicle, self.second))
        stepped = (
            vehicle.rate != 0 and vehicle.level % physics.LEVEL_STEP == 0 and self._moved(vehicle)
        )
        if report or vehicle.pull_due or vehicle.state is not vehicle.report.state or stepped:
            self._report(vehicle, at, range_km=range_km)

    def _moved(self, vehicle: Vehicle) -> bool:
        return not vehicle.reads_battery or vehicle.report.battery_level != int(vehicle.level)

    # --- people and cars ----------------------------------------------------------------------------

    def add_user(self, now: datetime, country: str | None = None, *, car: bool = True) -> User:
        """Create a user, with a car or without."""
        user = self._new_user(now, country)
        user.created_at = self.ledger.stamp(now)
        self.ledger.journal("user_created", user.id, None, user.created_at)
        self.ledger.signals.append(Signal("user_created", user.id, user.created_at))
        if car:
            self.give_car(user, now)
        return user

    def _new_user(self, now: datetime, country: str | None) -> User:
        self._made += 1
        random = Random(f"{self._seed}/user/{self._made}")
        user = seeding.make_user(self._made, random, now, country, tariff=self._tariff)
        self.users[user.id] = user
        return user

    def give_car(self, user: User, now: datetime, like: Vehicle | None = None) -> Vehicle:
        """Link a new car to a user; `like` is a car whose model it shares."""
        random = Random(f"{self._seed}/car/{user.number}/{user.cars}")
        user.cars += 1
        vehicle = seeding.make_vehicle(user, random, now, self.second, self._departure_times)
        if like is not None:
            vehicle.brand, vehicle.model, vehicle.version = like.brand, like.model, like.version
        self.vehicles[vehicle.id] = vehicle
        user.vehicles.append(vehicle)
        at = self.ledger.stamp(now)
        self.ledger.journal("vehicle_added", user.id, vehicle.id, at)
        self.ledger.signal("vehicle_selected", vehicle, at)
        return vehicle

    def remove_vehicle(self, vehicle: Vehicle, now: datetime) -> None:
        """Remove a car. Assumed: its session ends and stays in the list of sessions."""
        at = self.ledger.stamp(now)
        physics.settle(vehicle, self.second)
        self.ledger.end_session(vehicle, at)
        del self.vehicles[vehicle.id]
        self._resumes.pop(vehicle.id, None)
        self.users[vehicle.user_id].vehicles.remove(vehicle)
        self.ledger.journal("vehicle_removed", vehicle.user_id, vehicle.id, at)
        self.ledger.signal("vehicle_removed", vehicle, at)

    def move_vehicle(self, vehicle: Vehicle, owner: User, now: datetime) -> None:
        """Give a car to another user (a fault; unknown at Jedlix). Its session ends, its id stays."""
        at, former = self.ledger.stamp(now), self.users[vehicle.user_id]
        physics.settle(vehicle, self.second)
        self.ledger.end_session(vehicle, at)
        vehicle.previous_session = None
        self.ledger.journal("vehicle_removed", former.id, vehicle.id, at)
        self.ledger.signal("vehicle_removed", vehicle, at)
        former.vehicles.remove(vehicle)
        owner.vehicles.append(vehicle)
        vehicle.user_id = owner.id
        if vehicle.location_id is not None:
            vehicle.location_id = owner.locations[0].id if owner.locations else None
        self.ledger.journal("vehicle_added", owner.id, vehicle.id, at)
        self.ledger.signal("vehicle_selected", vehicle, at)
        if vehicle.plugged_in:
            self._react(vehicle, report=True)

    def set_link(
        self, vehicle: Vehicle, now: datetime, *, connected: bool, reason: str = "disconnected"
    ) -> None:
        """Lose or restore the link to the car's maker; without it there is no telemetry (4.9).

        The reason is `disconnected` or `credentials`; which of them Jedlix reports when is assumed. Assumed
        is also that a car that is connected waits for nothing.
        """
        if connected:
            vehicle.connection_status = None
        if vehicle.is_connected == connected:
            return
        vehicle.is_connected = connected
        at = self.ledger.stamp(now)
        if connected:
            self.ledger.journal("vehicle_link_restored", vehicle.user_id, vehicle.id, at)
            self.ledger.signal("vehicle_connected", vehicle, at)
        else:
            details = {"reason": reason}
            self.ledger.journal(
                "vehicle_link_lost", vehicle.user_id, vehicle.id, at, details=details
            )
            kind = "invalid_credentials" if reason == "credentials" else "disconnected"
            self.ledger.signal(f"vehicle_{kind}", vehicle, at)
        if connected:
            self._update(vehicle, now)

    def wait_for_maker(self, vehicle: Vehicle, now: datetime) -> None:
        """Let the maker take hours or days to activate a car (documented for Renault: `waiting`).

        Assumed: the car is listed meanwhile, and is not connected.
        """
        vehicle.connection_status = "waiting"
        self.set_link(vehicle, now, connected=False)

    def ready_to_continue(self, vehicle: Vehicle, now: datetime) -> None:
        """Let the maker have activated the car (documented for Renault)."""
        vehicle.connection_status = "readyToContinue"
        at = self.ledger.stamp(now)
        self.ledger.journal("vehicle_ready_to_continue", vehicle.user_id, vehicle.id, at)
        self.ledger.signal("ready_to_continue", vehicle, at)

    def remove_user(self, user: User, now: datetime) -> None:
        """Remove a user with all cars. Assumed: the sessions stay in the tenant's list."""
        for vehicle in list(user.vehicles):
            self.remove_vehicle(vehicle, now)
        del self.users[user.id]
        at = self.ledger.stamp(now)
        self.ledger.journal("user_removed", user.id, None, at)
        self.ledger.signals.append(Signal("user_removed", user.id, at))

    # --- plugs and telemetry ------------------------------------------------------------------------

    def plug(self, vehicle: Vehicle, now: datetime, *, at_home: bool = True) -> None:
        """Plug the car in, at its registered home or at a place that Jedlix does not know."""
        if vehicle.plugged_in:
            raise Refused("The car is already plugged in.")
        locations = self.users[vehicle.user_id].locations
        vehicle.location_id = locations[0].id if at_home and locations else None
        vehicle.state = ChargeState.STOPPED
        self._update(vehicle, now, report=True)

    def unplug(self, vehicle: Vehicle, now: datetime) -> None:
        """Unplug the car."""
        if not vehicle.plugged_in:
            raise Refused("The car is not plugged in.")
        physics.settle(vehicle, self.second)
        vehicle.state, vehicle.rate = ChargeState.DISCONNECTED, 0.0
        self._update(vehicle, now, report=True)
        vehicle.location_id = vehicle.previous_session = None

    def drive(self, vehicle: Vehicle, percent_per_hour: float) -> None:
        """Let an unplugged car empty its battery."""
        physics.settle(vehicle, self.second)
        vehicle.rate = -percent_per_hour
        self._plan(vehicle, physics.next_moment(vehicle, self.second))

    def telemetry(
        self,
        vehicle: Vehicle,
        now: datetime,
        *,
        battery_level: int | None = None,
        charge_state: ChargeState | None = None,
        range_km: int | None = None,
    ) -> None:
        """Let the car report something now. A made-up charge state holds until the next update."""
        physics.settle(vehicle, self.second)
        if battery_level is not None:
            vehicle.level = float(battery_level)
        if charge_state is None:
            self._update(vehicle, now, report=True, range_km=range_km)
            return
        if charge_state is not ChargeState.UNKNOWN:
            self._pretend(vehicle, charge_state)
        self._report(vehicle, now, charge_state, range_km)
        if not vehicle.plugged_in:
            vehicle.location_id = vehicle.previous_session = None

    def _pretend(self, vehicle: Vehicle, state: ChargeState) -> None:
        if state is not ChargeState.DISCONNECTED and not vehicle.plugged_in:
            locations = self.users[vehicle.user_id].locations
            vehicle.location_id = locations[0].id if locations else None
        vehicle.state = state
        charging = state is ChargeState.CHARGING
        vehicle.rate = physics.percent_per_hour(vehicle) if charging else 0.0
        self._plan(vehicle, physics.next_moment(vehicle, self.second))

    def _report(
        self,
        vehicle: Vehicle,
        at: datetime,
        state: ChargeState | None = None,
        range_km: int | None = None,
    ) -> None:
        """Send one telemetry to Jedlix, which draws its conclusions (4.1)."""
        if not vehicle.is_connected:
            return
        vehicle.pull_due = False
        reads, before = vehicle.reads_battery, vehicle.report
        by_level = int(vehicle.level / 100 * vehicle.full_range_km)
        report = Telemetry(
            at=self.ledger.stamp(newest(before.at + _MS, at)),
            state=state or vehicle.state,
            battery_level=int(vehicle.level) if reads else None,
            range_km=range_km if range_km is not None else by_level if reads else None,
        )
        vehicle.report = report
        self.ledger.reports.append(Report(vehicle.id, report))
        if vehicle.refresh and vehicle.refresh.completed_at is None:
            vehicle.refresh.completed_at = report.at
        if report.state is not ChargeState.UNKNOWN:
            self.ledger.conclude(vehicle, report)
        if replace(report, at=before.at) != before:
            self.ledger.signal_update(vehicle, report.at)

    # --- sessions -----------------------------------------------------------------------------------

    def set_boost(self, session: Session, now: datetime, *, enabled: bool) -> None:
        """Boost the active smart session or stop boosting (documented; stopping is inferred)."""
        if session.end is not None or not session.is_managed:
            raise Refused("Only an active smart session can be boosted.")
        if session.boost == enabled:
            return
        session.boost = enabled
        vehicle = self.vehicles[session.vehicle_id]
        self.ledger.note(
            "boost_started" if enabled else "boost_ended", vehicle, self.ledger.stamp(now)
        )
        self._react(vehicle)

    def report_impossible(self, vehicle: Vehicle, now: datetime) -> None:
        """Let Jedlix report that the session cannot reach the desired level (meaning: documented)."""
        if vehicle.session is None:
            raise Refused("There is no active session.")
        at = self.ledger.stamp(now)
        details = {
            "battery_level": vehicle.report.battery_level,
            "desired_battery_level": vehicle.settings["desiredBatteryLevel"],
        }
        self.ledger.note("session_impossible", vehicle, at, details=details)
        self.ledger.signal("session_impossible", vehicle, at)

    def boost_vehicle(self, vehicle: Vehicle, now: datetime, *, enabled: bool) -> None:
        """Boost the session that the car is in."""
        if vehicle.session is None:
            raise Refused("There is no active session.")
        self.set_boost(vehicle.session, now, enabled=enabled)

    def set_current_level(self, session: Session, level: int, now: datetime) -> None:
        """Take over the battery level that the user reads off the car (documented: 2.5)."""
        if session.end is not None:
            raise Refused("The session has ended.")
        session.current_battery_level = level
        vehicle = self.vehicles[session.vehicle_id]
        self.ledger.stamp(now)
        if not vehicle.reads_battery:
            physics.settle(vehicle, self.second)
            vehicle.level = float(level)
            self._react(vehicle)

    def change_settings(self, vehicle: Vehicle, settings: JsonObject, now: datetime) -> None:
        """Store new charge settings, whole. Values must have been checked.

        Documented: disabling smart charging force-ends a smart session, and the next telemetry opens an
        unmanaged one; `enableSmartChargingAt` enables it again. Ending an unmanaged session when smart
        charging is enabled mid-plug-in is assumed.
        """
        before = vehicle.smart_charging
        physics.settle(vehicle, self.second)
        vehicle.settings = settings
        enabled, session = vehicle.smart_charging, vehicle.session
        at = self.ledger.stamp(now)
        self._resumes.pop(vehicle.id, None)
        if enabled:
            vehicle.settings = settings | {"enableSmartChargingAt": None}
        elif moment := settings.get("enableSmartChargingAt"):
            self._resumes[vehicle.id] = dates.read(moment)
        if enabled != before:
            kind = "smart_charging_enabled" if enabled else "smart_charging_disabled"
            resumes_at = vehicle.settings.get("enableSmartChargingAt")
            self.ledger.note(kind, vehicle, at, details={"resumes_at": resumes_at})
            if session and session.is_managed != vehicle.manageable:
                self.ledger.end_session(vehicle, at)
        self.ledger.signal("vehicle_updated", vehicle, at)
        if vehicle.plugged_in:
            self._react(vehicle, report=vehicle.session is None)

    # --- refresh ------------------------------------------------------------------------------------

    def refresh(self, vehicle: Vehicle, now: datetime) -> Refresh:
        """Request a charge state refresh (documented rules: reuse to 10, extend to 15 minutes)."""
        current = self.refresh_status(vehicle, now)
        if current is not None and now - current.requested_at < REFRESH_REUSED:
            return current
        vehicle.refresh = Refresh(correlation_id=seeding.new_id(self._random), requested_at=now)
        self._react(vehicle, report=True)
        return vehicle.refresh

    @staticmethod
    def refresh_status(vehicle: Vehicle, now: datetime) -> Refresh | None:
        """Return the current refresh request; there is none 15 minutes after the last one."""
        if vehicle.refresh and now - vehicle.refresh.requested_at >= REFRESH_VALID:
            vehicle.refresh = None
        return vehicle.refresh
