"""Events: faults that happen to the world, and what undoes them when they end."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from simulator.model import Charger, ChargingLocation, User, Vehicle
from simulator.world import World

from .aimed import Fault, Undo


def begin(fault: Fault, world: World, now: datetime) -> Undo | None:
    """Let the event of a fault happen. Return what undoes it, or None where nothing is to be undone."""
    event = _EVENTS.get(fault.kind.name)
    return event(fault, world, now) if event else None


def _vehicle(fault: Fault, world: World) -> Vehicle:
    vehicle = world.vehicles.get(fault["vehicle"])
    if vehicle is None:
        raise ValueError("vehicle: the car is gone meanwhile")
    return vehicle


def _second_vehicle(fault: Fault, world: World, now: datetime) -> Undo:
    vehicle = world.give_car(world.users[fault["user"]], now)

    def undo(later: datetime) -> None:
        if vehicle.id in world.vehicles:
            world.remove_vehicle(vehicle, later)

    return undo


def _vehicle_moves(fault: Fault, world: World, now: datetime) -> Undo:
    vehicle = _vehicle(fault, world)
    former = world.users[vehicle.user_id]
    if fault["to_user"] == former.id:
        raise ValueError("to_user: the car is this user's already")
    world.move_vehicle(vehicle, world.users[fault["to_user"]], now)
    return lambda later: _move_back(world, [vehicle], former, later)


def _vehicle_replaced(fault: Fault, world: World, now: datetime) -> None:
    vehicle = _vehicle(fault, world)
    world.remove_vehicle(vehicle, now)
    world.give_car(world.users[vehicle.user_id], now, like=vehicle)


def _user_moves(fault: Fault, world: World, now: datetime) -> Undo:
    former = world.users[fault["user"]]
    other = world.users[fault["to_user"]] if fault["to_user"] else world.add_user(now, car=False)
    vehicles = list(former.vehicles)
    places = _Places(former.locations, former.chargers)
    places.move(former, other)
    for vehicle in vehicles:
        world.move_vehicle(vehicle, other, now)

    def undo(later: datetime) -> None:
        places.move(other, former)
        _move_back(world, vehicles, former, later)

    return undo


def _move_back(world: World, vehicles: list[Vehicle], owner: User, now: datetime) -> None:
    for vehicle in vehicles:
        if vehicle.id in world.vehicles and vehicle.user_id != owner.id:
            world.move_vehicle(vehicle, owner, now)


class _Places:
    """Charging locations and chargers that go from one user to another."""

    def __init__(self, locations: list[ChargingLocation], chargers: list[Charger]) -> None:
        self._locations = [item.id for item in locations]
        self._chargers = [item.id for item in chargers]

    def move(self, giver: User, taker: User) -> None:
        moving = [item for item in giver.locations if item.id in self._locations]
        giver.locations = [item for item in giver.locations if item not in moving]
        taker.locations = [*taker.locations, *(_owned(item, taker) for item in moving)]
        chargers = [item for item in giver.chargers if item.id in self._chargers]
        giver.chargers = [item for item in giver.chargers if item not in chargers]
        taker.chargers = [*taker.chargers, *chargers]


def _owned(location: ChargingLocation, owner: User) -> ChargingLocation:
    return replace(location, user_id=owner.id)


_EVENTS: dict[str, Callable[[Fault, World, datetime], Undo | None]] = {
    "second_vehicle": _second_vehicle,
    "vehicle_moves": _vehicle_moves,
    "vehicle_replaced": _vehicle_replaced,
    "user_moves": _user_moves,
}
