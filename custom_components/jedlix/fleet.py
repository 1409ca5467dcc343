"""Fleet: the known cars, chargers and priced locations, and who listens when one of them changes.

The entities of a car listen to that car alone, so one change never touches another car.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime

from homeassistant.core import CALLBACK_TYPE, callback

from .api import Charger, ChargingLocation, WebhookMessage
from .devices import DeviceKey
from .listeners import Listeners
from .state.user_snapshot import UserSnapshot
from .state.vehicle_snapshot import VehicleSnapshot
from .store import JedlixStore

type FleetMember = VehicleSnapshot | Charger | ChargingLocation


class Fleet:
    """All cars, chargers, and charging locations with tariffs, of the followed users of one entry."""

    def __init__(self, store: JedlixStore) -> None:
        """Start with what is stored, and without a listener."""
        self._store = store
        self._listeners_of: defaultdict[DeviceKey, Listeners[FleetMember | None]] = defaultdict(
            Listeners
        )
        self._listeners: Listeners[DeviceKey, FleetMember | None] = Listeners()
        self._available: set[DeviceKey] = set()

    def vehicle(self, key: DeviceKey) -> VehicleSnapshot | None:
        """Return a car by user and vehicle id, None when it is gone."""
        user_id, vehicle_id = key
        user = self._store.users.get(user_id)
        return None if user is None else user.vehicles.get(vehicle_id)

    def member(self, key: DeviceKey) -> FleetMember | None:
        """Return a car, charger or priced location by user and own id, None when it is gone."""
        user_id, own_id = key
        user = self._store.users.get(user_id)
        return None if user is None else _members(user).get(own_id)

    def namesake_that_leaves(self, key: DeviceKey) -> tuple[DeviceKey, datetime] | None:
        """Return a like one of the same user and name that Jedlix no longer names, while it is not gone.

        Since when is returned too, by Jedlix's time. A user's new car of the same model takes over from it.
        Of several it is the one that Jedlix named last.
        """
        user_id, own_id = key
        user = self._store.users[user_id]
        members = _members(user)
        own = members[own_id]
        leaving = [
            (since, other_id)
            for other_id, other in (members.items() if user.absences else ())
            if other_id != own_id
            and (since := user.absent_since(other_id)) is not None
            and type(other) is type(own)
            and _name_of(other) == _name_of(own)
        ]
        if not leaving or user.absent_since(own_id) is not None:
            return None
        since, other_id = max(leaving)
        return (user_id, other_id), since

    def _members_of(self, user: UserSnapshot) -> dict[DeviceKey, FleetMember]:
        return {(user.user_id, own_id): member for own_id, member in _members(user).items()}

    @property
    def vehicles(self) -> dict[DeviceKey, VehicleSnapshot]:
        """Return all known cars."""
        return {
            (user_id, vehicle_id): vehicle
            for user_id, user in self._store.users.items()
            for vehicle_id, vehicle in user.vehicles.items()
        }

    @property
    def owners(self) -> dict[str, str | None]:
        """Return the user of each known car by vehicle id, None where several users have it."""
        owners: dict[str, str | None] = {}
        for user_id, vehicle_id in self.vehicles:
            owners[vehicle_id] = None if vehicle_id in owners else user_id
        return owners

    @property
    def currency(self) -> str | None:
        """Return the currency of the account: that of any car, None where Jedlix names none."""
        currencies = (car.ledger.currency for car in self.vehicles.values())
        return next((currency for currency in currencies if currency is not None), None)

    @property
    def chargers(self) -> dict[DeviceKey, Charger]:
        """Return all known chargers."""
        return {
            (user_id, charger_id): charger
            for user_id, user in self._store.users.items()
            for charger_id, charger in (user.chargers or {}).items()
        }

    @property
    def priced_locations(self) -> dict[DeviceKey, ChargingLocation]:
        """Return all known charging locations that have tariffs."""
        return {
            (user_id, location_id): location
            for user_id, user in self._store.users.items()
            for location_id, location in user.priced_locations.items()
        }

    def location(self, user_id: str, location_id: str | None) -> ChargingLocation | None:
        """Return a charging location of a user, with tariffs or without; None where it is not known."""
        user = self._store.users.get(user_id)
        return None if user is None else (user.locations or {}).get(location_id or "")

    @property
    def members(self) -> dict[DeviceKey, FleetMember]:
        """Return all known cars, chargers and priced locations."""
        return {**self.vehicles, **self.chargers, **self.priced_locations}

    def owner(self, message: WebhookMessage) -> str | None:
        """Return the user whose car or session a delivery without a user names."""
        if message.vehicle_id is None and message.session_id is None:
            return None
        for (user_id, vehicle_id), car in self.vehicles.items():
            sessions = (*car.open_sessions, *car.ended_sessions)
            if message.vehicle_id == vehicle_id or message.session_id in sessions:
                return user_id
        return None

    def is_available(self, key: DeviceKey) -> bool:
        """Return whether a car, charger or location was read lately."""
        return key in self._available

    @callback
    def update_availability(
        self, is_available: Callable[[DeviceKey], bool], user_id: str | None = None
    ) -> None:
        """Call the listeners of what becomes available or unavailable, of one user or of all."""
        users = self._store.users
        for user in list(users.values()) if user_id is None else [users[user_id]]:
            for key, member in self._members_of(user).items():
                if is_available(key) != (key in self._available):
                    self._available ^= {key}
                    self._listeners_of[key].call(member)

    @callback
    def listen_to(
        self, key: DeviceKey, listener: Callable[[FleetMember | None], None]
    ) -> CALLBACK_TYPE:
        """Call the listener with this car, charger or location when it changed, with None when it is gone.

        Returns what ends it.
        """
        return self._listeners_of[key].add(listener)

    @callback
    def listen(self, listener: Callable[[DeviceKey, FleetMember | None], None]) -> CALLBACK_TYPE:
        """Call the listener with each member that is new or changed, with None for one that is gone.

        Returns what ends it.
        """
        return self._listeners.add(listener)

    @callback
    def put(self, before: UserSnapshot, after: UserSnapshot) -> None:
        """Replace a user's snapshot, and call the listeners of what differs."""
        self._store.users[after.user_id] = after
        self._store.schedule_save()
        self._call_listeners(after.user_id, _members(before), _members(after))
        for own_id, member in _members(after).items() if before.absences else ():
            if before.absent_since(own_id) is not None and after.absent_since(own_id) is None:
                self._listeners_of[after.user_id, own_id].call(member)  # it is back
        if before.locations != after.locations:  # cars name the location of their session
            for vehicle_id, car in after.vehicles.items():
                self._listeners_of[after.user_id, vehicle_id].call(car)

    @callback
    def drop(self, user_id: str) -> None:
        """Forget a user with all cars and chargers."""
        if (user := self._store.users.pop(user_id, None)) is not None:
            self._store.schedule_save()
            self._call_listeners(user_id, _members(user), {})

    def _call_listeners(
        self,
        user_id: str,
        before: Mapping[str, FleetMember],
        after: Mapping[str, FleetMember],
    ) -> None:
        # In their order: then devices come in the same one each time.
        for own_id in {**before, **after}:
            member = after.get(own_id)
            if member is None:
                self._available.discard((user_id, own_id))
            if before.get(own_id) != member:
                self._listeners_of[user_id, own_id].call(member)
                self._listeners.call((user_id, own_id), member)


def _members(user: UserSnapshot) -> dict[str, FleetMember]:
    """Return the cars, chargers and priced locations of a user by their own ids."""
    return {**user.vehicles, **(user.chargers or {}), **user.priced_locations}


def _name_of(member: FleetMember) -> str | None:
    return member.vehicle.name if isinstance(member, VehicleSnapshot) else member.name
