"""The cars and chargers that are known, and who is to hear when one of them changes.

Entities of a car listen to that car alone, so an event never touches another.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping

from homeassistant.core import CALLBACK_TYPE, callback

from .announcer import tell_each
from .api import Charger, WebhookMessage
from .memory import Memory
from .snapshot import UserSnapshot, VehicleSnapshot

# A car or a charger: the user's id and its own.
type Key = tuple[str, str]


class Fleet:
    """All cars and chargers of the followed users of one entry."""

    def __init__(self, memory: Memory) -> None:
        """Begin with what is remembered and nobody listening."""
        self._memory = memory
        self._listeners_of: defaultdict[Key, list[CALLBACK_TYPE]] = defaultdict(list)
        self._listeners: list[Callable[[Key], None]] = []

    def vehicle(self, key: Key) -> VehicleSnapshot | None:
        """Return a car by user and vehicle id, None once it is gone."""
        user_id, vehicle_id = key
        user = self._memory.users.get(user_id)
        return None if user is None else user.vehicles.get(vehicle_id)

    def charger(self, key: Key) -> Charger | None:
        """Return a charger by user and charger id, None once it is gone or where none was read."""
        user_id, charger_id = key
        user = self._memory.users.get(user_id)
        return None if user is None or user.chargers is None else user.chargers.get(charger_id)

    @property
    def vehicles(self) -> dict[Key, VehicleSnapshot]:
        """Return all known cars."""
        return {
            (user_id, vehicle_id): vehicle
            for user_id, user in self._memory.users.items()
            for vehicle_id, vehicle in user.vehicles.items()
        }

    @property
    def chargers(self) -> dict[Key, Charger]:
        """Return all known chargers."""
        return {
            (user_id, charger_id): charger
            for user_id, user in self._memory.users.items()
            for charger_id, charger in (user.chargers or {}).items()
        }

    def owner(self, message: WebhookMessage) -> str | None:
        """Return the user whose car or running session a delivery without a user names."""
        named_vehicle, named_session = message.vehicle_id, message.session_id
        if named_vehicle is None and named_session is None:
            return None
        for (user_id, vehicle_id), car in self.vehicles.items():
            if named_vehicle == vehicle_id or named_session in car.open_sessions:
                return user_id
        return None

    @callback
    def listen_to(self, key: Key, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call the listener whenever this one car or charger changed; returns what ends it."""
        self._listeners_of[key].append(listener)

        def stop() -> None:
            self._listeners_of[key].remove(listener)

        return stop

    @callback
    def listen(self, listener: Callable[[Key], None]) -> CALLBACK_TYPE:
        """Call the listener with each car or charger that is new, changed or gone; returns what ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    @callback
    def put(self, before: UserSnapshot, after: UserSnapshot) -> None:
        """Put the new in the place of the old, and have the states of what differs written."""
        self._memory.users[after.user_id] = after
        self._memory.changed()
        self._tell(after.user_id, before.vehicles, after.vehicles)
        self._tell(after.user_id, before.chargers or {}, after.chargers or {})

    @callback
    def drop(self, user_id: str) -> None:
        """Forget a user and all that is theirs."""
        if (user := self._memory.users.pop(user_id, None)) is not None:
            self._memory.changed()
            self._tell(user_id, user.vehicles, {})
            self._tell(user_id, user.chargers or {}, {})

    def _tell[T](self, user_id: str, before: Mapping[str, T], after: Mapping[str, T]) -> None:
        for thing_id in before.keys() | after.keys():
            if before.get(thing_id) == after.get(thing_id):
                continue
            key = (user_id, thing_id)
            tell_each(self._listeners_of.get(key, ()))
            tell_each(self._listeners, key)
