"""Fleet: which cars and chargers there are, and which listeners are called when one changes."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.jedlix.api import (
    Charger,
    ChargingLocation,
    Session,
    Vehicle,
    WebhookMessage,
)
from custom_components.jedlix.devices import DeviceKey
from custom_components.jedlix.fleet import Fleet, FleetMember
from custom_components.jedlix.state.gone import CHARGER, VEHICLE, Absence
from custom_components.jedlix.state.ledger import Ledger
from custom_components.jedlix.state.user_snapshot import UserSnapshot
from custom_components.jedlix.state.vehicle_snapshot import VehicleSnapshot
from custom_components.jedlix.store import JedlixStore

NOON: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
CAR: Final[DeviceKey] = ("user", "car")
BOX: Final[DeviceKey] = ("user", "box")
UNKNOWN: Final = UserSnapshot.unknown("user", NOON)


@pytest.fixture
async def store(hass: HomeAssistant, hass_storage: dict[str, Any]) -> AsyncIterator[JedlixStore]:
    """Return an empty store."""
    store = JedlixStore(hass, "e-1")
    yield store
    await store.close()


@pytest.fixture
def fleet(store: JedlixStore) -> Fleet:
    """Return a fleet without a user."""
    return Fleet(store)


def make_user(user_id: str = "user", **chargers: Charger) -> UserSnapshot:
    """Return a user with one car and these chargers; without any they were never read."""
    car = VehicleSnapshot(vehicle=Vehicle(id="car", user_id=user_id), known_since=NOON)
    return UserSnapshot(user_id=user_id, vehicles={"car": car}, chargers=chargers or None)


def make_box(power_kw: float = 0) -> Charger:
    """Return a charger."""
    return Charger(id="box", user_id="user", power_kw=power_kw)


def test_cars_and_chargers_are_found_by_user_and_id(fleet: Fleet) -> None:
    assert fleet.vehicle(CAR) is None
    user = make_user()
    fleet.put(UNKNOWN, user)
    assert fleet.members.keys() == {CAR}
    with_box = make_user(box=make_box())
    fleet.put(user, with_box)
    assert fleet.vehicle(CAR) == with_box.vehicles["car"]
    assert fleet.vehicle(("another", "car")) is None
    assert fleet.vehicles == {CAR: with_box.vehicles["car"]}
    assert fleet.chargers == {BOX: make_box()}
    assert fleet.members == fleet.vehicles | fleet.chargers


def test_a_car_of_several_users_has_no_owner(fleet: Fleet) -> None:
    fleet.put(UNKNOWN, make_user())
    assert fleet.owners == {"car": "user"}
    fleet.put(UserSnapshot.unknown("another", NOON), make_user("another"))
    assert fleet.owners == {"car": None}


def test_only_listeners_to_what_changed_are_called_with_its_new_state(fleet: Fleet) -> None:
    calls: list[tuple[object, FleetMember | None]] = []
    fleet.listen_to(CAR, lambda member: calls.append(("car", member)))
    fleet.listen_to(BOX, lambda member: calls.append(("box", member)))
    fleet.listen_to(("another", "car"), lambda member: calls.append(("another's", member)))
    fleet.listen(lambda key, member: calls.append((key, member)))

    before = make_user(box=make_box())
    car, box = before.vehicles["car"], make_box()
    fleet.put(UNKNOWN, before)
    assert calls == [("car", car), (CAR, car), ("box", box), (BOX, box)]

    calls.clear()
    fleet.put(before, before)
    assert calls == []

    stronger = make_box(power_kw=11)
    after = make_user(box=stronger)
    fleet.put(before, after)
    assert calls == [("box", stronger), (BOX, stronger)]

    calls.clear()
    boosted = replace(car, boost_session_id="s")
    fleet.put(after, after.with_vehicle(boosted))
    assert calls == [("car", boosted), (CAR, boosted)]


def test_the_fleet_is_up_to_date_when_a_listener_is_called(fleet: Fleet) -> None:
    found: list[Charger | None] = []
    fleet.listen_to(BOX, lambda _: found.append(fleet.chargers.get(BOX)))
    fleet.put(UNKNOWN, make_user(box=make_box(7)))
    fleet.put(make_user(box=make_box(7)), make_user(box=make_box(11)))
    fleet.drop("user")
    assert found == [make_box(7), make_box(11), None]


def test_a_dropped_user_is_dropped_with_all_cars_and_chargers(
    fleet: Fleet, store: JedlixStore
) -> None:
    calls: list[tuple[DeviceKey, FleetMember | None]] = []
    fleet.put(UNKNOWN, make_user(box=make_box()))
    fleet.put(UserSnapshot.unknown("another", NOON), make_user("another"))
    fleet.listen(lambda key, member: calls.append((key, member)))
    fleet.drop("user")
    assert calls == [(CAR, None), (BOX, None)]
    assert store.users.keys() == {"another"}
    assert fleet.members.keys() == {("another", "car")}
    calls.clear()
    fleet.drop("user")
    fleet.drop("stranger")
    assert calls == []


def test_listeners_are_called_when_something_becomes_available_or_unavailable(
    fleet: Fleet,
) -> None:
    calls: list[DeviceKey] = []
    fleet.put(UNKNOWN, make_user(box=make_box()))
    fleet.put(UserSnapshot.unknown("another", NOON), make_user("another"))
    for key in fleet.members:
        fleet.listen_to(key, lambda _, key=key: calls.append(key))  # type: ignore[misc]
    assert not fleet.is_available(CAR)
    fleet.update_availability(lambda _: True, "user")
    assert calls == [CAR, BOX]
    assert fleet.is_available(CAR)
    assert not fleet.is_available(("another", "car"))
    calls.clear()
    fleet.update_availability(lambda key: key != BOX)
    assert calls == [BOX, ("another", "car")]
    calls.clear()
    fleet.update_availability(lambda key: key != BOX)
    assert calls == []


def test_what_is_gone_is_not_available_when_it_comes_back(fleet: Fleet) -> None:
    with_box = make_user(box=make_box())
    fleet.put(UNKNOWN, with_box)
    fleet.update_availability(lambda _: True)
    fleet.put(with_box, replace(with_box, chargers={}))
    fleet.put(replace(with_box, chargers={}), with_box)
    assert fleet.is_available(CAR)
    assert not fleet.is_available(BOX)
    fleet.drop("user")
    fleet.put(UNKNOWN, with_box)
    assert not fleet.is_available(CAR)


async def test_each_change_of_the_fleet_is_saved(
    hass: HomeAssistant, hass_storage: dict[str, Any], fleet: Fleet
) -> None:
    async def saved_users(seconds: int) -> int:
        async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=seconds))
        await hass.async_block_till_done()
        return len(hass_storage["jedlix.e-1"]["data"]["users"])

    fleet.put(UNKNOWN, make_user())
    assert await saved_users(6) == 1
    fleet.drop("user")
    assert await saved_users(12) == 0


def test_a_listener_that_was_removed_is_not_called(fleet: Fleet) -> None:
    calls: list[str] = []
    fleet.listen_to(CAR, lambda _: calls.append("removed"))()
    fleet.listen(lambda *_: calls.append("removed"))()
    fleet.put(UNKNOWN, make_user())
    assert calls == []


# -- what several cars are about ------------------------------------------------------------------------


def absent(*ids: str, since: datetime = NOON) -> dict[str, Absence]:
    """Return that these cars are absent since a moment, the later ones a minute longer each."""
    return {
        f"{VEHICLE}{own_id}": Absence(since=since - timedelta(minutes=place), last_seen=since)
        for place, own_id in enumerate(ids)
    }


def make_fleet_user(*, absences: dict[str, Absence], **models: str) -> UserSnapshot:
    """Return a user with a car of each model, by id."""
    cars = {
        own_id: VehicleSnapshot(
            vehicle=Vehicle(id=own_id, user_id="user", brand="Kia", model=model), known_since=NOON
        )
        for own_id, model in models.items()
    }
    charger = Charger(id="box", user_id="user", brand="Kia", model="EV6")
    return UserSnapshot(user_id="user", vehicles=cars, chargers={"box": charger}, absences=absences)


@pytest.mark.parametrize(
    ("absences", "found"),
    [
        ({}, None),
        (absent("old"), (("user", "old"), NOON)),
        (absent("another"), None),  # another model
        (absent("old", "older"), (("user", "old"), NOON)),  # the one that was named last
        (absent("older", "old"), (("user", "older"), NOON)),
        (absent("old", "new"), None),  # it is absent itself
        (absent("new"), None),
        ({f"{CHARGER}box": Absence(since=NOON, last_seen=NOON)}, None),  # no car
    ],
)
def test_a_new_car_takes_over_from_one_of_the_same_name_that_is_no_longer_named(
    fleet: Fleet, absences: dict[str, Absence], found: tuple[DeviceKey, datetime] | None
) -> None:
    user = make_fleet_user(absences=absences, old="EV6", older="EV6", another="Niro", new="EV6")
    fleet.put(UNKNOWN, user)
    assert fleet.namesake_that_leaves(("user", "new")) == found


def test_what_is_named_again_calls_its_listeners_although_it_is_the_same(fleet: Fleet) -> None:
    calls: list[str] = []
    away = make_fleet_user(absences=absent("old"), old="EV6", new="EV6")
    for own_id in away.vehicles:
        fleet.listen_to(("user", own_id), lambda _, own_id=own_id: calls.append(own_id))  # type: ignore[misc]
    fleet.put(UNKNOWN, away)
    calls.clear()
    fleet.put(away, away)
    assert calls == []
    fleet.put(away, replace(away, absences={}))
    assert calls == ["old"]
    calls.clear()
    fleet.put(replace(away, absences={}), away)
    assert calls == []


def test_the_listeners_of_cars_are_called_when_locations_change(fleet: Fleet) -> None:
    calls: list[FleetMember | None] = []
    user = make_user()
    fleet.put(UNKNOWN, user)
    fleet.listen_to(CAR, calls.append)
    home = ChargingLocation(id="home", user_id="user")
    with_home = replace(user, locations={"home": home})
    fleet.put(user, with_home)
    assert calls == [user.vehicles["car"]]
    fleet.put(with_home, with_home)
    assert len(calls) == 1
    assert fleet.location("user", "home") == home
    assert fleet.location("user", "work") is None
    assert fleet.location("user", None) is None
    assert fleet.location("another", "home") is None
    fleet.put(with_home, user)  # they were never read
    assert fleet.location("user", "home") is None


def test_the_currency_is_that_of_any_car(fleet: Fleet) -> None:
    fleet.put(UNKNOWN, make_user())
    assert fleet.currency is None
    session = Session(id="s", user_id="another", cost=1.0, currency="SEK")
    car = replace(make_user("another").vehicles["car"], ledger=Ledger(listed={"s": session}))
    fleet.put(UserSnapshot.unknown("another", NOON), make_user("another").with_vehicle(car))
    assert fleet.currency == "SEK"


@pytest.mark.parametrize(
    ("payload", "owner"),
    [
        ({}, None),
        ({"vehicleId": "car"}, "user"),
        ({"vehicleId": "stranger"}, None),
        ({"sessionId": "open"}, "user"),
        ({"sessionId": "ended"}, "user"),
        ({"sessionId": "stranger"}, None),
        ({"vehicleId": "stranger", "sessionId": "ended"}, "user"),
    ],
)
def test_a_delivery_without_a_user_belongs_to_whom_its_car_or_session_belongs(
    fleet: Fleet, payload: dict[str, Any], owner: str | None
) -> None:
    fleet.put(UserSnapshot.unknown("another", NOON), replace(make_user("another"), vehicles={}))
    car = replace(
        make_user().vehicles["car"],
        open_sessions={"open": Session(id="open", user_id="user")},
        ended_sessions={"ended": NOON},
    )
    fleet.put(UNKNOWN, make_user().with_vehicle(car))
    data = {"eventType": "sessionUpdated", "id": "d", **payload}
    assert fleet.owner(WebhookMessage.from_json(data)) == owner
