"""Connect sessions: how a car is linked to a user at its maker (documented)."""

from dataclasses import replace
from datetime import datetime
from uuid import uuid4

from .model import ConnectSession, User, Vehicle
from .world import Refused, World

MAX_PAGES = 5


class Linking:
    """Connect sessions of the tenant. Do not confuse them with charge sessions.

    `pages` and `needs_app` say how the makers' log-in goes for those that begin from now on.
    """

    def __init__(self, world: World) -> None:
        """Begin with none, and with makers whose log-in is one page."""
        self.sessions: dict[str, ConnectSession] = {}
        self.pages = 1
        self.needs_app = False
        self._world = world

    def start(self, user: User, reconnects: Vehicle | None = None) -> ConnectSession:
        """Begin to link a car. Documented: one vehicle per user."""
        if user.vehicles and reconnects not in user.vehicles:
            raise Refused("This user already has a vehicle, and Jedlix allows one per user.")
        connect = ConnectSession(
            id=str(uuid4()),
            user_id=user.id,
            reconnects=reconnects.id if reconnects else None,
            pages=self.pages,
            needs_app=self.needs_app,
        )
        self.sessions[connect.id] = connect
        return connect

    def log_in(self, connect: ConnectSession, now: datetime) -> None:
        """Go on: the person has logged in on the page. After the last one the car is linked."""
        if connect.page < connect.pages:
            self.sessions[connect.id] = replace(connect, page=connect.page + 1)
            return
        vehicle = self._car_of(connect, now)
        self._world.set_link(vehicle, now, connected=True)
        self.sessions[connect.id] = replace(connect, vehicle_id=vehicle.id)

    def wait(self, connect: ConnectSession, now: datetime) -> None:
        """Let the maker take hours (documented for Renault). Assumed: the attempt stays unfinished."""
        self._world.wait_for_maker(self._car_of(connect, now), now)

    def forget(self, connect: ConnectSession) -> None:
        """Let Jedlix forget a connect session: 404 from now on."""
        del self.sessions[connect.id]

    def _car_of(self, connect: ConnectSession, now: datetime) -> Vehicle:
        user = self._world.users[connect.user_id]
        known = self._world.vehicles.get(connect.reconnects or "")
        return known or user.vehicle or self._world.give_car(user, now)
