"""Users that are followed: the choice during set-up, and "Add user" afterwards."""

from collections.abc import Callable
import re
from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.const import CONF_USER_ID
from custom_components.jedlix.subentries import followed_users
from simulator.app import Simulator
from tests.dialogs import Dialog, addresses, label_of, to_custom, to_users
from tests.servers import closed_port, reverse_proxy
from tests.simulators import StartSimulator
from tests.tools import add_another_account, make_entry, state_of, until

# -- during set-up -----------------------------------------------------------------------------------------


async def test_the_list_of_users_shows_cars_and_addresses(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(users=3)
    dialog = await to_users(hass, sim)
    assert dialog.labels("users") == {user_id: label_of(sim, user_id) for user_id in sim.user_ids}
    assert list(dialog.labels("users").values()) == sorted(dialog.labels("users").values())
    assert dialog.placeholders["found"] == "3"
    assert dialog.shown["users"] == []


async def test_the_error_names_the_id_that_does_not_exist(
    hass: HomeAssistant, sim: Simulator
) -> None:
    dialog = await to_users(hass, sim)
    await dialog.submit(users=[*sim.user_ids, "nobody", "nobody either"])
    assert (dialog.step, dialog.errors) == ("users", {"users": "unknown_user"})
    assert dialog.placeholders["user"] == "nobody"
    assert dialog.shown["users"] == [*sim.user_ids, "nobody", "nobody either"]
    await dialog.submit(users=sim.user_ids)
    assert dialog.step == "webhook"
    assert (await dialog.submit(callback="none")).entry.state is ConfigEntryState.LOADED


async def test_an_id_that_jedlix_refuses_with_400_does_not_exist(
    hass: HomeAssistant, sim: Simulator
) -> None:
    """Jedlix may refuse an id that is no UUID before it looks for the user (inferred)."""
    async with reverse_proxy(sim.url, refuses=lambda path: "/users/nobody/" in path) as address:
        dialog = await to_custom(hass)
        await dialog.submit(**addresses(sim) | {"base_url": address, "audience": sim.url})
        await dialog.submit(users=["nobody"])
        assert (dialog.step, dialog.errors) == ("users", {"users": "unknown_user"})
        assert dialog.placeholders["user"] == "nobody"
        assert (await dialog.submit(users=sim.user_ids)).step == "webhook"
        await dialog.close()


async def test_a_user_of_another_account_is_refused_at_set_up(
    hass: HomeAssistant, sim: Simulator
) -> None:
    add_another_account(hass, sim, sim.user_ids[0])
    user = sim.add_user()
    dialog = await to_users(hass, sim)
    await dialog.submit(users=sim.user_ids)
    assert (dialog.step, dialog.errors) == ("users", {"users": "followed_elsewhere"})
    assert dialog.placeholders["user"] == sim.user_ids[0]
    assert (await dialog.submit(users=[user.id])).step == "webhook"
    await dialog.close()


@pytest.mark.parametrize("nobody", [[], ["", "  "]])
async def test_at_least_one_user_must_be_chosen(
    hass: HomeAssistant, start_simulator: StartSimulator, nobody: list[str]
) -> None:
    sim = await start_simulator(users=2)
    dialog = await to_users(hass, sim)
    await dialog.submit(users=nobody)
    assert (dialog.step, dialog.errors) == ("users", {"users": "no_users"})
    assert (await dialog.submit(users=sim.user_ids[:1])).step == "webhook"


async def test_blanks_repetitions_and_capitals_in_ids_are_corrected(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(users=3)
    first, second, _ = sim.user_ids
    dialog = await to_users(hass, sim)
    await dialog.submit(users=[f" {first} ", second.upper(), "", first, second])
    entry = (await dialog.submit(callback="none")).entry
    assert [(item.unique_id, item.title) for item in entry.subentries.values()] == [
        (first, label_of(sim, first)),
        (second, label_of(sim, second)),
    ]


async def test_all_users_are_followed_and_those_who_come_later(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(users=3)
    elsewhere, *others = sim.user_ids
    add_another_account(hass, sim, elsewhere)
    dialog = await to_users(hass, sim)
    await dialog.submit(all_users=True, users=[elsewhere])
    assert (dialog.step, dialog.errors) == ("users", {"users": "followed_elsewhere"})
    await dialog.submit(users=[])
    entry = (await dialog.submit(callback="none")).entry
    assert {item.unique_id: item.title for item in entry.subentries.values()} == {
        user_id: label_of(sim, user_id) for user_id in others
    }
    assert entry.options["follow_new_users"] is True


async def test_a_user_whom_the_credentials_may_not_see(hass: HomeAssistant, sim: Simulator) -> None:
    sim.strike({"forbidden": ["vehicles"]})
    dialog = await (await to_users(hass, sim)).submit()
    assert (dialog.step, dialog.errors) == ("users", {"users": "forbidden"})
    sim.faults.clear()
    assert (await dialog.submit()).step == "webhook"


async def test_a_tenant_that_offers_no_list_takes_ids(hass: HomeAssistant, sim: Simulator) -> None:
    sim.strike({"absent": ["locations", "sessions"]})
    dialog = await to_users(hass, sim)
    assert dialog.labels("users") == {}
    assert dialog.placeholders["found"] == "0"
    await dialog.submit(users=sim.user_ids)
    sim.faults.clear()
    entry = (await dialog.submit(callback="none")).entry
    (subentry,) = entry.subentries.values()
    assert subentry.unique_id == sim.user_ids[0]
    assert re.fullmatch(r".+ · \w{8}", subentry.title)


# -- "Add user" --------------------------------------------------------------------------------------------


async def test_a_user_is_added_and_the_car_appears(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    user = sim.add_user()
    assert user.vehicle is not None
    dialog = await Dialog.add_user(hass, entry)
    assert dialog.shown == {"users": []}
    await dialog.submit(user_id=f" {user.id.upper()} ")
    (added,) = [item for item in entry.subentries.values() if item.unique_id == user.id]
    assert added.data == {CONF_USER_ID: user.id}
    assert added.title == label_of(sim, user.id)
    assert entry.state is ConfigEntryState.LOADED
    car = (user.id, user.vehicle.id)
    await until(hass, lambda: entry.runtime_data.coordinator.fleet.vehicle(car))
    assert state_of(hass, f"{user.vehicle.id}_charge_state") == "disconnected"
    assert entry.runtime_data.subentry_of[user.id] == added.subentry_id


@pytest.mark.parametrize("spelling", [str, str.upper, " {} ".format])
async def test_a_followed_user_is_not_added_again(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, spelling: Callable[[str], str]
) -> None:
    dialog = await Dialog.add_user(hass, entry)
    await dialog.submit(user_id=spelling(sim.user_ids[0]))
    assert dialog.reason == "already_configured"
    assert len(entry.subentries) == 1


async def test_a_user_of_another_account_is_not_added(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    user = sim.add_user()
    add_another_account(hass, sim, user.id)
    dialog = await Dialog.add_user(hass, entry)
    await dialog.submit(user_id=user.id)
    assert (dialog.step, dialog.errors) == ("user", {"user_id": "followed_elsewhere"})
    assert len(entry.subentries) == 1
    await dialog.close()


async def test_add_user_lists_who_is_not_followed_and_takes_all_of_them(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(users=5)
    followed, elsewhere, *others = sim.user_ids
    entry = make_entry(sim, None, users=[followed])
    entry.add_to_hass(hass)
    add_another_account(hass, sim, elsewhere)
    labels = {user_id: label_of(sim, user_id) for user_id in others}
    sim.requests.clear()
    dialog = await Dialog.add_user(hass, entry)
    assert dialog.labels("users") == labels
    assert dialog.shown == {"users": [], "all_users": False}
    asked = [request.path for request in sim.requests if request.path.endswith("/vehicles")]
    assert len(asked) == len(others), "the cars of followed users are in no label"
    await dialog.submit()
    assert (dialog.step, dialog.errors) == ("user", {"user_id": "no_users"})
    await dialog.submit(users=others[:1], user_id="nobody")
    assert dialog.errors == {"user_id": "unknown_user"}
    sim.strike({"forbidden": ["vehicles"]})
    await dialog.submit(user_id="")
    assert dialog.errors == {"users": "forbidden"}
    sim.faults.clear()
    await dialog.submit(users=others[:2])
    assert set(followed_users(hass)) == {followed, elsewhere, *others[:2]}
    dialog = await Dialog.add_user(hass, entry)
    assert dialog.shown == {"users": []}  # one is left: "all" says no more
    await dialog.close()
    sim.add_user()
    dialog = await Dialog.add_user(hass, entry)
    await dialog.submit(all_users=True)
    titles = {item.unique_id: item.title for item in entry.subentries.values()}
    assert titles.keys() == set(sim.user_ids) - {elsewhere}
    assert titles.items() >= labels.items()


@pytest.mark.parametrize("nobody", ["nobody", "../vehicles", "."])
async def test_a_user_who_does_not_exist_is_not_added(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, nobody: str
) -> None:
    user = sim.add_user()
    dialog = await Dialog.add_user(hass, entry)
    await dialog.submit(user_id=nobody)
    assert (dialog.step, dialog.errors) == ("user", {"user_id": "unknown_user"})
    assert dialog.shown == {"users": [], "user_id": nobody}
    await dialog.submit(user_id=user.id)
    assert len(entry.subentries) == 2


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"client_secret": "old"}, "invalid_auth"),
        ({"token_url": closed_port()}, "cannot_connect"),
    ],
)
async def test_an_account_that_has_no_access_adds_nobody_until_it_has(
    hass: HomeAssistant, sim: Simulator, wrong: dict[str, Any], error: str
) -> None:
    entry = make_entry(sim, None)
    entry.add_to_hass(hass)
    right, user = dict(entry.data), sim.add_user()
    hass.config_entries.async_update_entry(entry, data=right | wrong)
    dialog = await (await Dialog.add_user(hass, entry)).submit(user_id=user.id)
    assert dialog.errors == {"user_id": error}
    hass.config_entries.async_update_entry(entry, data=right)
    await dialog.submit(user_id=user.id)
    assert len(entry.subentries) == 2
