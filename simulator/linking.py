"""Connect sessions: how a car is linked to a user at its maker (documented)."""

from dataclasses import replace
from datetime import datetime
from uuid import uuid4

from .model import ConnectSession, User, Vehicle
from .world import Refused, World


class Linking:
    """Connect sessions of the tenant. Do not confuse them with charge sessions."""

    def __init__(self, world: World) -> None:
        """Begin with none."""
        self.sessions: dict[str, ConnectSession] = {}
        self._world = world

    def start(self, user: User, reconnects: Vehicle | None = None) -> ConnectSession:
        """Begin to link a car. Documented: one vehicle per user."""
        if user.vehicles and reconnects not in user.vehicles:
            raise Refused("This user already has a vehicle, and Jedlix allows one per user.")
        connect = ConnectSession(
            id=str(uuid4()),
            user_id=user.id,
            reconnects=reconnects.id if reconnects else None,
        )
        self.sessions[connect.id] = connect
        return connect

    def finish(self, connect: ConnectSession, now: datetime) -> ConnectSession:
        """Link the car: the person has logged in at its maker."""
        user = self._world.users[connect.user_id]
        vehicle = user.vehicle or self._world.give_car(user, now)
        self._world.set_link(vehicle, now, connected=True)
        connect = replace(connect, vehicle_id=vehicle.id)
        self.sessions[connect.id] = connect
        return connect
