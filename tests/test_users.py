"""Users of a tenant: how they are found, checked and labelled."""

import asyncio
from typing import cast

from aiohttp import web
from homeassistant.core import HomeAssistant
import pytest

from custom_components.jedlix.api import Forbidden, JedlixClient, NotFound, Vehicle
from custom_components.jedlix.data import make_client
from custom_components.jedlix.flows.schemas import user_schema
from custom_components.jedlix.users import TenantUser, cars_of_users, find_users, normalize_user_id
from simulator.app import Simulator
from tests.dialogs import label_of
from tests.servers import listening
from tests.simulators import StartSimulator
from tests.tools import make_entry

pytestmark = pytest.mark.usefixtures("no_second_try")


def client_of(hass: HomeAssistant, sim: Simulator) -> JedlixClient:
    return make_client(hass, make_entry(sim, None).data)


@pytest.mark.parametrize(
    ("user", "label"),
    [
        (TenantUser("12345678-9"), "12345678"),
        (TenantUser("12345678-9", "Kerkstraat 1, Gent"), "Kerkstraat 1, Gent · 12345678"),
        (TenantUser("12345678-9", None, ("Kia EV6", "Fiat 500e")), "Kia EV6, Fiat 500e · 12345678"),
        (TenantUser("u-1", "Lille", ("Fiat 500e",)), "Fiat 500e · Lille · u-1"),
    ],
)
def test_a_label_is_the_cars_the_address_and_the_beginning_of_the_id(
    user: TenantUser, label: str
) -> None:
    assert user.label == label


def test_users_whose_cars_are_known_come_first_in_the_list() -> None:
    users = (TenantUser("a", "Aa"), TenantUser("b", "Zele", ("Kia EV6",)), TenantUser("c"))
    schema = user_schema({user.user_id: user for user in users}).schema
    assert [option["value"] for option in schema["users"].config["options"]] == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("entered", "written"),
    [
        ("67f6ce94-096e-4ca0-9c16-e12805f22f0f", "67f6ce94-096e-4ca0-9c16-e12805f22f0f"),
        (" 67F6CE94-096E-4CA0-9C16-E12805F22F0F\n", "67f6ce94-096e-4ca0-9c16-e12805f22f0f"),
        ("Fleet-7", "Fleet-7"),
        ("67F6CE94096E4CA09C16E12805F22F0F", "67F6CE94096E4CA09C16E12805F22F0F"),
        ("  ", ""),
    ],
)
def test_an_id_in_capitals_is_written_as_jedlix_writes_it(entered: str, written: str) -> None:
    assert normalize_user_id(entered) == written


async def test_users_are_found_by_their_locations_and_sessions(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(users=3)
    found = await find_users(client_of(hass, sim))
    assert sorted(found) == sorted(sim.user_ids)
    for user_id, user in found.items():
        assert user.label == label_of(sim, user_id)


@pytest.mark.parametrize(
    ("absent", "places", "found_anyway"),
    [
        (["locations"], False, True),
        (["sessions"], True, True),
        (["locations", "sessions"], False, False),
    ],
)
async def test_users_are_found_in_the_list_that_the_tenant_offers(
    hass: HomeAssistant,
    start_simulator: StartSimulator,
    absent: list[str],
    places: bool,
    found_anyway: bool,
) -> None:
    sim = await start_simulator(users=2)
    for vehicle_id in sim.vehicle_ids:
        sim.plug(vehicle_id)
    sim.strike({"absent": absent})
    found = await find_users(client_of(hass, sim))
    assert sorted(found) == (sorted(sim.user_ids) if found_anyway else [])
    assert all((user.place is not None) is places for user in found.values())
    assert all(user.cars for user in found.values())


async def test_locations_and_sessions_without_a_user_are_left_out(
    hass: HomeAssistant, sim: Simulator
) -> None:
    async def lists(_request: web.Request) -> web.Response:
        return web.json_response([{"id": "1", "vehicleId": "v-1"}, {"id": "2", "userId": None}])

    async with listening(lists) as address:
        data = {**make_entry(sim, None).data, "base_url": address}
        assert await find_users(make_client(hass, data)) == {}


async def test_a_car_that_the_credentials_may_not_see_is_left_out_of_the_label(
    hass: HomeAssistant, sim: Simulator
) -> None:
    sim.strike({"forbidden": ["vehicles"]})
    found = await find_users(client_of(hass, sim))
    assert [user.cars for user in found.values()] == [()]
    assert all(user.place for user in found.values())


async def test_a_list_does_not_wait_long_for_cars_and_has_them_the_next_time(
    hass: HomeAssistant, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sim = await start_simulator(users=3, history_days=0)
    client, known = client_of(hass, sim), dict[str, tuple[str, ...]]()
    slow, *others = sim.user_ids
    read, asked = JedlixClient.vehicles, list[str]()
    monkeypatch.setattr("custom_components.jedlix.users.SECONDS_FOR_CARS", 0.5)

    async def hang_once(self: JedlixClient, user_id: str) -> tuple[Vehicle, ...]:
        asked.append(user_id)
        if asked.count(slow) == 1:
            await asyncio.sleep(60)
        return await read(self, user_id)

    monkeypatch.setattr("custom_components.jedlix.users.MAX_CONCURRENT_CALLS", 1)
    monkeypatch.setattr(JedlixClient, "vehicles", hang_once)
    known |= dict.fromkeys(others, ("a car",))
    found = await find_users(client, known)
    assert [found[user_id].cars for user_id in sim.user_ids] == [(), ("a car",), ("a car",)]
    assert asked == [slow], "first those that are not known"
    monkeypatch.setattr("custom_components.jedlix.users.SECONDS_FOR_CARS", 60)
    found = await find_users(client, known)
    assert all(user.cars not in ((), ("a car",)) for user in found.values())


async def test_for_one_list_the_cars_of_few_users_are_read_and_of_no_followed_one(
    hass: HomeAssistant, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each list of a large tenant costs a few calls, however many users it has and follows."""
    monkeypatch.setattr("custom_components.jedlix.users.MAX_USERS_WITH_CARS", 10)
    sim = await start_simulator(users=40, history_days=0)
    client, known = client_of(hass, sim), dict[str, tuple[str, ...]]()
    followed = set(sim.user_ids[:12])
    for number_known in (10, 20, 28, 28):
        sim.requests.clear()
        found = await find_users(client, known, without=followed)
        assert found.keys() == set(sim.user_ids) - followed
        assert sum(bool(user.cars) for user in found.values()) == number_known == len(known)
        asked = [request.path for request in sim.requests if request.path.endswith("/vehicles")]
        assert len(asked) <= 10
        assert not any(user_id in path for user_id in followed for path in asked)


async def test_only_the_newest_pages_are_read(
    hass: HomeAssistant, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.jedlix.api.transport.PAGE_SIZE", 5)
    monkeypatch.setattr("custom_components.jedlix.users.MAX_PAGES", 2)
    sim = await start_simulator(users=12, history_days=0)
    assert len(await find_users(client_of(hass, sim))) == 10
    assert len([request for request in sim.requests if "locations" in request.path]) == 2


async def test_each_user_is_checked_by_itself(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(users=2)
    with_car, without = sim.user_ids
    sim.remove(sim.vehicle_ids[1])
    checked = await cars_of_users(client_of(hass, sim), [without, "nobody", with_car])
    assert list(checked) == [without, "nobody", with_car]
    cars = checked[with_car]
    assert checked[without] == ()
    assert isinstance(checked["nobody"], NotFound)
    assert isinstance(cars, tuple)
    assert len(cars) == 1
    sim.strike({"forbidden": ["vehicles"]})
    assert isinstance((await cars_of_users(client_of(hass, sim), [with_car]))[with_car], Forbidden)


@pytest.mark.parametrize("user_id", ["", ".", ".."])
async def test_an_id_that_would_change_the_path_is_unknown_without_a_call(
    hass: HomeAssistant, sim: Simulator, user_id: str
) -> None:
    """`/users/../vehicles` is another call, and its answer says nothing about a user."""
    assert isinstance((await cars_of_users(client_of(hass, sim), [user_id]))[user_id], NotFound)
    assert not sim.requests


async def test_a_thousand_users_are_checked_eight_at_a_time_and_say_how_far_it_is() -> None:
    users, parts = [f"u-{number}" for number in range(1000)], list[float]()
    under_way = most = 0

    class Client:
        async def vehicles(self, user_id: str) -> tuple[Vehicle, ...]:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0)
            under_way -= 1
            if user_id == "u-999":
                raise NotFound("no such user")
            return ()

    answers = await cars_of_users(cast("JedlixClient", Client()), users, parts.append)
    assert [key for key, answer in answers.items() if isinstance(answer, NotFound)] == ["u-999"]
    assert most == 8
    assert parts == [number / 1000 for number in range(1, 1001)]
