"""Who hears of which car or charger, and what is kept of them."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, cast

import pytest

from custom_components.jedlix.api import Charger, Vehicle
from custom_components.jedlix.devices import DeviceKey as Key
from custom_components.jedlix.fleet import Fleet
from custom_components.jedlix.state.snapshot import UserSnapshot, VehicleSnapshot

NOON: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
CAR: Final[Key] = ("user", "car")
BOX: Final[Key] = ("user", "box")


class Remembering:
    """A store of which nothing is written."""

    def __init__(self) -> None:
        """Begin empty."""
        self.users: dict[str, UserSnapshot] = {}
        self.times_changed = 0

    def schedule_save(self) -> None:
        """Count."""
        self.times_changed += 1


@pytest.fixture
def store() -> Remembering:
    """Return the store under the fleet."""
    return Remembering()


@pytest.fixture
def fleet(store: Remembering) -> Fleet:
    """Return a fleet that knows nobody."""
    return Fleet(cast("JedlixStore", store))


def user(user_id: str = "user", **chargers: Charger) -> UserSnapshot:
    """Return a user with one car and these chargers; without any they were never read."""
    car = VehicleSnapshot(vehicle=Vehicle(id="car", user_id=user_id), known_since=NOON)
    return UserSnapshot(user_id=user_id, vehicles={"car": car}, chargers=chargers or None)


def box(power_kw: float = 0) -> Charger:
    """Return a charger."""
    return Charger(id="box", user_id="user", power_kw=power_kw)


NOBODY: Final = UserSnapshot.unknown("user", NOON)


def test_cars_and_chargers_are_found_by_user_and_id(fleet: Fleet, store: Remembering) -> None:
    assert fleet.vehicle(CAR) is None
    assert fleet.chargers.get(BOX) is None
    fleet.put(NOBODY, user())
    assert fleet.chargers.get(BOX) is None
    fleet.put(user(), user(box=box()))
    assert fleet.vehicle(CAR) == user().vehicles["car"]
    assert fleet.chargers.get(BOX) == box()
    assert fleet.vehicles.keys() == {CAR}
    assert fleet.chargers.keys() == {BOX}
    assert fleet.vehicle(("another", "car")) is None
    assert store.times_changed == 2


def test_only_who_listens_to_what_changed_hears_it(fleet: Fleet) -> None:
    heard: list[object] = []
    fleet.listen_to(CAR, lambda _: heard.append("car"))
    fleet.listen_to(BOX, lambda _: heard.append("box"))
    fleet.listen_to(("another", "car"), lambda _: heard.append("another's"))
    fleet.listen(lambda key, _: heard.append(key))
    before = user(box=box())
    fleet.put(NOBODY, before)
    assert sorted(map(str, heard)) == sorted(map(str, [CAR, BOX, "car", "box"]))
    heard.clear()
    fleet.put(before, before)
    assert heard == []
    after = user(box=box(power_kw=11))
    fleet.put(before, after)
    assert heard == ["box", BOX]
    heard.clear()
    moved = after.with_vehicle(replace(after.vehicles["car"], boost_session_id="s"))
    fleet.put(after, moved)
    assert heard == ["car", CAR]


def test_what_is_new_is_in_place_before_anybody_hears_of_it(fleet: Fleet) -> None:
    seen: list[float | None] = []

    def look(_: object) -> None:
        charger = fleet.chargers.get(BOX)
        seen.append(None if charger is None else charger.power_kw)

    fleet.listen_to(BOX, look)
    fleet.put(NOBODY, user(box=box(7)))
    fleet.put(user(box=box(7)), user(box=box(11)))
    fleet.drop("user")
    assert seen == [7, 11, None]


def test_a_dropped_user_takes_everything_along(fleet: Fleet, store: Remembering) -> None:
    heard: list[Key] = []
    fleet.put(NOBODY, user(box=box()))
    fleet.put(UserSnapshot.unknown("another", NOON), user("another"))
    fleet.listen(lambda key, _: heard.append(key))
    fleet.drop("user")
    assert sorted(heard) == [BOX, CAR]
    assert store.users.keys() == {"another"}
    assert fleet.vehicles.keys() == {("another", "car")}
    heard.clear()
    fleet.drop("user")
    fleet.drop("stranger")
    assert heard == []


def test_who_stops_listening_hears_no_more_even_while_being_told(fleet: Fleet) -> None:
    """An entity that is removed because of a change stops listening while the change is being told."""
    heard: list[str] = []

    def hear_once(_: object) -> None:
        heard.append("once")
        stop()

    stop = fleet.listen_to(CAR, hear_once)
    fleet.listen_to(CAR, lambda _: heard.append("always"))
    stop_all = fleet.listen(lambda *_: heard.append("all"))
    fleet.put(NOBODY, user())
    assert heard == ["once", "always", "all"]
    stop_all()
    fleet.drop("user")
    assert heard == ["once", "always", "all", "always"]


def test_who_fails_keeps_nobody_else_from_hearing(
    fleet: Fleet, caplog: pytest.LogCaptureFixture
) -> None:
    """A state that cannot be written must not take the change along."""
    heard: list[object] = []

    def fail(*_: object) -> None:
        raise KeyError("a word that is not loaded yet")

    fleet.listen_to(CAR, fail)
    fleet.listen_to(CAR, lambda _: heard.append("car"))
    fleet.listen(fail)
    fleet.listen(lambda key, _: heard.append(key))
    fleet.put(NOBODY, user())
    assert heard == ["car", CAR]
    assert caplog.text.count("A listener to Jedlix failed") == 2
