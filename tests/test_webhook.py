"""The life of push: it registers, tries again, follows the world, and says what is wrong."""

import asyncio
from collections.abc import Callable
import logging
from types import SimpleNamespace
from typing import Any, Final

from aiohttp.test_utils import TestClient
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.jedlix.api import ConnectionFailed, Rejected
from custom_components.jedlix.const import (
    CONF_BASE_URL,
    CONF_CALLBACK,
    CONF_CALLBACK_URL,
    CONF_EVENT_TYPES,
)
from custom_components.jedlix.push import registration
from custom_components.jedlix.push.callback_url import Callback
from custom_components.jedlix.push.health import PushState
from custom_components.jedlix.webhook import JedlixPush
from simulator.app import Simulator
from tests.tools import make_entry, set_up, state_of, until

PATH: Final = "/api/v1/webhooks/subscriptions"


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the seconds that the link wanted to wait; it waits none, but for the day after a success."""
    waits: list[float] = []

    def timeout(seconds: float) -> asyncio.Timeout:
        waits.append(seconds)
        return asyncio.timeout(None if seconds == 86_400 or len(waits) > 50 else 0.001)

    monkeypatch.setattr(
        registration,
        "asyncio",
        SimpleNamespace(Event=asyncio.Event, Lock=asyncio.Lock, timeout=timeout),
    )
    monkeypatch.setattr(registration, "random", SimpleNamespace(uniform=lambda _low, _high: 1.0))
    return waits


@pytest.fixture
def no_back_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the client try again at once."""
    never = SimpleNamespace(uniform=lambda _low, _high: 0.0)
    monkeypatch.setattr("custom_components.jedlix.api.client.random", never)


def push_of(entry: MockConfigEntry) -> JedlixPush:
    push: JedlixPush = entry.runtime_data.push
    return push


def calls(sim: Simulator) -> list[str]:
    """Return the calls about subscriptions so far."""
    return [
        f"{request.method} {request.status}"
        for request in sim.requests
        if request.path.startswith(PATH)
    ]


def held_at(sim: Simulator) -> dict[str, str]:
    """Return the URL of each type that is subscribed."""
    return {item.event_type: item.url for item in sim.webhooks.subscriptions.values()}


async def begin(
    hass: HomeAssistant, sim: Simulator, callback: str, url: str | None = None, **data: Any
) -> MockConfigEntry:
    """Set an entry up with this wish for a callback."""
    entry = make_entry(sim, url)
    entry.add_to_hass(hass)
    changed = {**entry.data, CONF_CALLBACK: callback, **data}
    hass.config_entries.async_update_entry(entry, data=changed)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


# -- the good days -----------------------------------------------------------------------------------------


async def test_a_start_registers_all_types_and_waits_a_day(
    hass: HomeAssistant, patience: list[float], entry: MockConfigEntry, sim: Simulator
) -> None:
    assert held_at(sim).keys() == set(entry.options[CONF_EVENT_TYPES])
    assert push_of(entry).state is PushState.WAITING
    assert push_of(entry).registration.problem is None
    assert push_of(entry).registration.callback is Callback.CUSTOM
    assert state_of(hass, "_push_state") == "waiting"
    assert state_of(hass, "_callback") == "custom"
    assert patience == [86_400]


async def test_until_jedlix_has_answered_it_is_connecting(
    hass: HomeAssistant, sim: Simulator, callback_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    never = asyncio.Event()

    async def hangs(*_: object, **__: object) -> None:
        await never.wait()

    monkeypatch.setattr(registration, "reconcile", hangs)
    entry = make_entry(sim, callback_url)
    await set_up(hass, entry)
    assert push_of(entry).state is PushState.CONNECTING
    assert state_of(hass, "_push_state") == "connecting"


async def test_without_options_the_documented_types_are_registered(
    hass: HomeAssistant, sim: Simulator, callback_url: str
) -> None:
    entry = make_entry(sim, callback_url)
    entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(entry, options={})
    await hass.config_entries.async_setup(entry.entry_id)
    await until(hass, lambda: push_of(entry).state is PushState.WAITING)
    assert held_at(sim).keys() == {"userCreated", "vehicleConnectionReadyToContinue"}


async def test_a_reload_leaves_the_remote_alone(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator
) -> None:
    before, ids = len(calls(sim)), set(sim.webhooks.subscriptions)
    assert await hass.config_entries.async_unload(entry.entry_id)
    await hass.async_block_till_done()
    assert len(calls(sim)) == before
    await hass.config_entries.async_setup(entry.entry_id)
    await until(hass, lambda: push_of(entry).state is PushState.WAITING)
    assert calls(sim)[before:] == ["GET 200"]
    assert set(sim.webhooks.subscriptions) == ids


async def test_a_reload_at_a_tenant_without_a_list_does_not_register_twice(
    hass: HomeAssistant, start_simulator: Callable[..., Any], callback_url: str
) -> None:
    sim = await start_simulator(mode="strict")
    entry = make_entry(sim, callback_url)
    await set_up(hass, entry)
    await until(hass, lambda: push_of(entry).state is PushState.WAITING)
    before = len(calls(sim))
    await hass.config_entries.async_reload(entry.entry_id)
    await until(hass, lambda: push_of(entry).state is PushState.WAITING)
    assert calls(sim)[before:] == ["GET 404"]


async def test_the_daily_look_mends_what_got_lost(
    hass: HomeAssistant,
    sim: Simulator,
    callback_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registration, "_DAY", 0.05)
    entry = make_entry(sim, callback_url)
    await set_up(hass, entry)
    await until(hass, lambda: len(held_at(sim)) == len(entry.options[CONF_EVENT_TYPES]))
    sim.strike({"subscriptions_gone": True})
    await until(hass, lambda: len(held_at(sim)) == len(entry.options[CONF_EVENT_TYPES]))


async def test_each_removed_listener_hears_no_more(entry: MockConfigEntry) -> None:
    heard: list[str] = []
    push = push_of(entry)
    stop = push.listen(lambda: heard.append("first"))
    push.listen(lambda: heard.append("second"))
    push._review()
    stop()
    push._review()
    assert heard == ["first", "second", "second"]


# -- trying again ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 503])
async def test_what_may_pass_is_tried_again_with_growing_pauses(
    hass: HomeAssistant,
    patience: list[float],
    no_back_off: None,
    sim: Simulator,
    callback_url: str,
    status: int,
) -> None:
    sim.faults.subscription_status = status
    entry = make_entry(sim, callback_url)
    await set_up(hass, entry)
    await until(hass, lambda: len(patience) >= 8)
    assert push_of(entry).state is PushState.CONNECTING
    assert state_of(hass, "_push_state") == "connecting"
    assert push_of(entry).registration.problem is None
    sim.faults.subscription_status = 0
    await until(hass, lambda: push_of(entry).state is PushState.WAITING)
    assert state_of(hass, "_push_state") == "waiting"
    tries = patience.index(86_400)
    assert patience[:tries] == [30, 60, 120, 240, 480, 960, 1800, *[1800] * (tries - 7)]
    # and after a success the pauses begin anew
    del patience[:]
    sim.faults.subscription_status = status
    push_of(entry).resubscribe()
    await until(hass, lambda: len(patience) >= 2)
    assert patience[:2] == [30, 60]


async def test_pauses_differ_a_little_from_home_to_home(
    hass: HomeAssistant, sim: Simulator, callback_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    def timeout(seconds: float) -> asyncio.Timeout:
        waits.append(seconds)
        return asyncio.timeout(0 if len(waits) < 20 else None)

    monkeypatch.setattr(
        registration,
        "asyncio",
        SimpleNamespace(Event=asyncio.Event, Lock=asyncio.Lock, timeout=timeout),
    )
    monkeypatch.setattr(registration, "MAX_RETRY_INTERVAL", 30.0)
    sim.faults.subscription_status = 503
    await set_up(hass, make_entry(sim, callback_url))
    await until(hass, lambda: len(waits) == 20)
    assert all(24 <= wait <= 36 for wait in waits)
    assert len(set(waits)) > 10


# -- what is wrong -----------------------------------------------------------------------------------------

NOWHERE: Final = "http://127.0.0.1:9"
# the wish, the custom URL, the simulator's faults -> the problem
TROUBLES: Final[dict[str, tuple[str, str | None, dict[str, Any]]]] = {
    "no_url": ("external", None, {}),
    "no_cloud": ("cloud", None, {}),
    "invalid_url": ("custom", "ftp://ha.example", {}),
    "not_reachable": ("custom", NOWHERE, {}),
    "wrong_key": ("custom", "HOME", {"wrong_key": 1.0}),
    "rejected": ("custom", "HOME", {"subscription_status": 422}),
    "slot_taken": ("custom", "HOME", {"subscription_status": 409}),
}


@pytest.mark.parametrize("problem", TROUBLES)
async def test_a_registration_that_fails_says_why_and_polling_goes_on(
    hass: HomeAssistant, patience: list[float], sim: Simulator, callback_url: str, problem: str
) -> None:
    callback, url, faults = TROUBLES[problem]
    sim.strike(faults)
    entry = await begin(hass, sim, callback, callback_url if url == "HOME" else url)
    await until(hass, lambda: push_of(entry).registration.problem == problem)
    assert push_of(entry).state is PushState.FAILING
    assert state_of(hass, "_push_state") == "failing"
    assert state_of(hass, "_plugged_in") == "off"
    assert held_at(sim) == {}
    await until(hass, lambda: patience[:2] == [30, 60])


async def test_a_trouble_that_is_over_is_forgotten(
    hass: HomeAssistant, patience: list[float], sim: Simulator, callback_url: str
) -> None:
    sim.faults.subscription_status = 422
    entry = await begin(hass, sim, "custom", callback_url)
    await until(hass, lambda: push_of(entry).registration.problem == "rejected")
    sim.faults.subscription_status = 0
    await until(hass, lambda: push_of(entry).state is PushState.WAITING)
    assert push_of(entry).registration.problem is None


async def test_a_plan_without_webhooks_is_a_refusal(
    hass: HomeAssistant, patience: list[float], sim: Simulator, callback_url: str
) -> None:
    sim.faults.forbidden = ["subscribe"]
    entry = await begin(hass, sim, "custom", callback_url)
    await until(hass, lambda: push_of(entry).registration.problem == "rejected")
    assert push_of(entry).state is PushState.FAILING


async def test_a_type_that_is_not_offered_is_no_trouble(
    hass: HomeAssistant,
    sim: Simulator,
    callback_url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    entry = make_entry(sim, callback_url, options={CONF_EVENT_TYPES: ["userCreated", "noSuchType"]})
    await set_up(hass, entry)
    await until(hass, lambda: push_of(entry).state is PushState.WAITING)
    assert push_of(entry).registration.problem is None
    assert held_at(sim).keys() == {"userCreated"}
    assert "refuses the event type noSuchType" in caplog.text


async def test_a_renewal_that_is_refused_shows_and_is_tried_until_it_is_done(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator
) -> None:
    push, types = push_of(entry), entry.options[CONF_EVENT_TYPES]
    sim.faults.wrong_key = 1.0
    push.resubscribe()
    await until(hass, lambda: push.registration.problem == "wrong_key")
    assert push.state is PushState.FAILING
    assert held_at(sim).keys() == set(types)
    sim.faults.wrong_key = 0.0
    push.registration.check_now()  # half a minute later
    await until(hass, lambda: push.state is PushState.WAITING)
    assert calls(sim)[-len(types) :] == ["PUT 200"] * len(types)


async def test_push_that_is_not_wanted_costs_a_look(
    hass: HomeAssistant, home: TestClient[Any, Any], sim: Simulator
) -> None:
    entry = await begin(hass, sim, "none")
    assert push_of(entry).state is PushState.OFF
    assert push_of(entry).registration.callback is Callback.NONE
    assert state_of(hass, "_push_state") == "off"
    await until(hass, lambda: calls(sim) == ["GET 200"])


# -- the world changes -------------------------------------------------------------------------------------


async def test_a_changed_external_url_is_followed_and_nothing_else_is(
    hass: HomeAssistant,
    sim: Simulator,
    callback_url: str,
    hass_client_no_auth: ClientSessionGenerator,
) -> None:
    await hass.config.async_update(external_url=callback_url)
    entry = await begin(hass, sim, "external")
    await until(hass, lambda: push_of(entry).state is PushState.WAITING)
    assert push_of(entry).registration.callback is Callback.EXTERNAL
    assert all(url.startswith(callback_url) for url in held_at(sim).values())
    before = len(calls(sim))
    await hass.config.async_update(location_name="Another name")
    await asyncio.sleep(0.02)
    assert len(calls(sim)) == before
    moved: TestClient[Any, Any] = await hass_client_no_auth()  # the same home at another port
    url = str(moved.make_url("/")).rstrip("/")
    assert url != callback_url
    await hass.config.async_update(external_url=url)
    await until(hass, lambda: all(held.startswith(url) for held in held_at(sim).values()))
    assert len(held_at(sim)) == len(entry.options[CONF_EVENT_TYPES])
    await hass.config.async_update(external_url=None)
    await until(hass, lambda: push_of(entry).registration.problem == "no_url")
    assert state_of(hass, "_push_state") == "failing"


async def test_resubscribe_writes_all_anew(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator
) -> None:
    types, before = entry.options[CONF_EVENT_TYPES], len(calls(sim))
    push_of(entry).resubscribe()
    await until(hass, lambda: len(calls(sim)) == before + 1 + len(types))
    assert calls(sim)[before:] == ["GET 200", *["PUT 200"] * len(types)]
    assert held_at(sim).keys() == set(types)


@pytest.mark.parametrize("trouble", [ConnectionFailed("away"), Rejected("no")])
async def test_a_wish_to_resubscribe_during_a_pass_that_fails_is_not_lost(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
    trouble: Exception,
) -> None:
    push, renewals = push_of(entry), []

    async def passes(_client: object, _held: object, *, renew: bool, **_: object) -> dict[str, Any]:
        renewals.append(renew)
        if len(renewals) == 1:
            push.resubscribe()
            raise trouble
        return {}

    monkeypatch.setattr(registration, "reconcile", passes)
    push.registration.check_now()
    await until(hass, lambda: len(renewals) == 2)
    assert renewals == [False, True]


async def test_silence_is_over_once_all_was_written_anew(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    push = push_of(entry)
    push.health._is_silent = True
    assert push.state is PushState.SILENT
    push.resubscribe()
    await until(hass, lambda: push.state is PushState.WAITING)


async def test_who_wants_no_push_any_longer_is_unsubscribed(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator
) -> None:
    hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_CALLBACK: "none"})
    await until(hass, lambda: not held_at(sim))
    await until(hass, lambda: entry.runtime_data.store.push.subscriptions == {})
    assert state_of(hass, "_push_state") == "off"
    assert state_of(hass, "_callback") == "none"


async def test_to_unsubscribe_is_tried_again_too(
    hass: HomeAssistant, patience: list[float], entry: MockConfigEntry, sim: Simulator
) -> None:
    client, tries = entry.runtime_data.client, []

    async def away() -> Any:
        tries.append(1)
        if len(tries) < 4:
            raise ConnectionFailed("away")
        return await subscriptions()

    subscriptions, client.subscriptions = client.subscriptions, away
    hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_CALLBACK: "none"})
    entry.runtime_data.push.registration.check_now()
    await until(hass, lambda: not held_at(sim))


async def test_a_moved_custom_url_is_followed_by_the_reload(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    sim: Simulator,
    hass_client_no_auth: ClientSessionGenerator,
) -> None:
    moved: TestClient[Any, Any] = await hass_client_no_auth()
    url = str(moved.make_url("/")).rstrip("/")
    hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_CALLBACK_URL: url})
    await until(hass, lambda: all(held.startswith(url) for held in held_at(sim).values()))
    assert len(held_at(sim)) == len(entry.options[CONF_EVENT_TYPES])


# -- the end -----------------------------------------------------------------------------------------------


async def test_removing_the_entry_leaves_nothing_at_jedlix_nor_in_the_store(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator, hass_storage: dict[str, Any]
) -> None:
    theirs = str(sim.url)  # somebody else's, at an address that answers
    others = sim.webhooks.create("userCreated", theirs, "their-key", is_active=True)
    assert len(held_at(sim)) > 1
    await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()
    assert list(sim.webhooks.subscriptions.values()) == [others]
    assert [key for key in hass_storage if key.startswith("jedlix")] == []


async def test_removing_works_while_jedlix_is_away(
    hass: HomeAssistant,
    no_back_off: None,
    entry: MockConfigEntry,
    sim: Simulator,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # nobody listens there
    hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_BASE_URL: NOWHERE})
    await hass.async_block_till_done()
    await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()
    assert "could not be deleted at Jedlix" in caplog.text
    assert hass.config_entries.async_entries("jedlix") == []
