"""Registration: made at the start, checked daily, tried again after failures, moved with the URL, deleted."""

import asyncio
from collections.abc import Awaitable, Callable
import logging
from typing import Any, Final

from aiohttp.test_utils import TestClient
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.jedlix.api import ConnectionFailed, JedlixClient, Rejected, Subscription
from custom_components.jedlix.const import (
    CONF_CALLBACK,
    CONF_CALLBACK_URL,
    CONF_EVENT_TYPES,
)
from custom_components.jedlix.push import registration, subscriber
from custom_components.jedlix.push.callback_url import Callback
from custom_components.jedlix.push.event_types import DEFAULT_EVENT_TYPES
from custom_components.jedlix.push.health import PushState
from simulator.app import Simulator
from simulator.event_types import REPORTED_EVENTS
from tests.push.tools import push_of, set_up_callback
from tests.simulators import StartSimulator
from tests.tools import make_entry, set_up, set_up_with_push, state_of, until

PATH: Final = "/api/v1/webhooks/subscriptions"
DAY: Final = 86_400.0


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Record the seconds that the registration waits; all waits but the daily one are over at once."""
    waits: list[float] = []
    wait_for = registration.wait_for

    async def record(event: asyncio.Event, seconds: float) -> bool:
        waits.append(seconds)
        return await wait_for(event, seconds if seconds == DAY or len(waits) > 50 else 0.001)

    monkeypatch.setattr(registration, "wait_for", record)
    monkeypatch.setattr("random.uniform", lambda low, high: (low + high) / 2)
    return waits


def registration_calls(sim: Simulator) -> list[str]:
    """Return the calls about subscriptions so far."""
    return [
        f"{request.method} {request.status}"
        for request in sim.requests
        if request.path.startswith(PATH)
    ]


def urls_at(sim: Simulator) -> dict[str, str]:
    """Return the URL of each event type that is subscribed."""
    return {item.event_type: item.url for item in sim.webhooks.subscriptions.values()}


async def open_another_port(hass_client_no_auth: ClientSessionGenerator) -> str:
    """Return another URL at which the same Home Assistant answers."""
    client: TestClient[Any, Any] = await hass_client_no_auth()
    return str(client.make_url("/")).rstrip("/")


# -- it registers ------------------------------------------------------------------------------------------


async def test_a_start_registers_all_types_and_waits_a_day(
    hass: HomeAssistant, waits: list[float], entry: MockConfigEntry, sim: Simulator
) -> None:
    assert urls_at(sim).keys() == set(entry.options[CONF_EVENT_TYPES])
    assert push_of(entry).state is PushState.WAITING
    assert push_of(entry).registration.problem is None
    assert push_of(entry).registration.callback is Callback.CUSTOM
    assert state_of(hass, "_push_state") == "waiting"
    assert state_of(hass, "_callback") == "custom"
    assert waits == [DAY]


async def test_push_is_connecting_until_jedlix_has_answered(
    hass: HomeAssistant, sim: Simulator, callback_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(subscriber, "reconcile", hang)
    entry = make_entry(sim, callback_url)
    await set_up(hass, entry)
    assert push_of(entry).state is PushState.CONNECTING
    assert state_of(hass, "_push_state") == "connecting"


async def test_without_options_the_known_types_are_registered(
    hass: HomeAssistant, sim: Simulator, callback_url: str
) -> None:
    entry = make_entry(sim, callback_url)
    entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(entry, options={})
    await set_up(hass, entry)
    await until(hass, lambda: push_of(entry).state is PushState.WAITING)
    assert urls_at(sim).keys() == set(DEFAULT_EVENT_TYPES)


@pytest.mark.parametrize(("mode", "status"), [("default", 200), ("strict", 404)])
async def test_a_reload_registers_nothing_again(
    hass: HomeAssistant, start_simulator: StartSimulator, callback_url: str, mode: str, status: int
) -> None:
    """A strict tenant has no list of subscriptions."""
    sim = await start_simulator(mode=mode, event_types=REPORTED_EVENTS)
    entry = await set_up_with_push(hass, sim, callback_url)
    before, ids = len(registration_calls(sim)), set(sim.webhooks.subscriptions)
    assert await hass.config_entries.async_unload(entry.entry_id)
    await hass.async_block_till_done()
    assert len(registration_calls(sim)) == before
    await hass.config_entries.async_setup(entry.entry_id)
    await until(hass, lambda: push_of(entry).state is PushState.WAITING)
    assert registration_calls(sim)[before:] == [f"GET {status}"]
    assert set(sim.webhooks.subscriptions) == ids


async def test_subscriptions_that_got_lost_are_made_again_the_next_day(
    hass: HomeAssistant, sim: Simulator, callback_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registration, "_DAY", 0.05)
    entry = make_entry(sim, callback_url)
    await set_up(hass, entry)
    await until(hass, lambda: len(urls_at(sim)) == len(entry.options[CONF_EVENT_TYPES]))
    sim.strike({"subscriptions_gone": True})
    await until(hass, lambda: len(urls_at(sim)) == len(entry.options[CONF_EVENT_TYPES]))


# -- it tries again ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 503])
async def test_a_failure_that_may_pass_is_tried_again_with_growing_pauses(
    hass: HomeAssistant,
    waits: list[float],
    no_second_try: None,
    sim: Simulator,
    callback_url: str,
    status: int,
) -> None:
    sim.faults.subscription_status = status
    entry = make_entry(sim, callback_url)
    await set_up(hass, entry)
    await until(hass, lambda: len(waits) >= 8)
    assert push_of(entry).state is PushState.CONNECTING
    assert state_of(hass, "_push_state") == "connecting"
    assert push_of(entry).registration.problem is None
    assert waits[:8] == [30, 60, 120, 240, 480, 960, 1800, 1800]
    # A request makes the pauses short again, and so does a success.
    push_of(entry).registration.check_now()
    await until(hass, lambda: 30 in waits[8:])
    sim.faults.subscription_status = 0
    await until(hass, lambda: push_of(entry).state is PushState.WAITING)
    assert state_of(hass, "_push_state") == "waiting"
    waits.clear()
    sim.faults.subscription_status = status
    push_of(entry).resubscribe()
    await until(hass, lambda: len(waits) >= 2)
    assert waits[:2] == [30, 60]


async def test_pauses_differ_a_little_from_home_to_home(
    hass: HomeAssistant, sim: Simulator, callback_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    async def record(event: asyncio.Event, seconds: float) -> bool:
        waits.append(seconds)
        return len(waits) >= 20 and await event.wait()

    monkeypatch.setattr(registration, "wait_for", record)
    monkeypatch.setattr(registration, "MAX_RETRY_INTERVAL", 30.0)
    sim.faults.subscription_status = 503
    await set_up(hass, make_entry(sim, callback_url))
    await until(hass, lambda: len(waits) == 20)
    assert all(24 <= wait <= 36 for wait in waits)
    assert len(set(waits)) > 10


@pytest.mark.parametrize("kind", ["empty_list", "empty_object", "html"])
async def test_a_list_that_never_named_ours_has_nothing_made_again(
    hass: HomeAssistant, sim: Simulator, callback_url: str, waits: list[float], kind: str
) -> None:
    """A wrong address may answer with an empty list; each pass would then make everything once more."""
    sim.strike({"kind": kind, "endpoints": ["subscriptions"]})
    entry = await set_up_with_push(hass, sim, callback_url)
    made = urls_at(sim)
    assert len(sim.webhooks.subscriptions) == len(made)
    before = len(registration_calls(sim))
    for _ in range(2):
        await push_of(entry).registration._register()
    assert registration_calls(sim)[before:] == ["GET 200"] * 2
    assert len(sim.webhooks.subscriptions) == len(made)
    # All the same, a person can have them made again, and the entry deletes what it made.
    push_of(entry).resubscribe()
    await until(hass, lambda: len(registration_calls(sim)) == before + 3 + 2 * len(made))
    held = entry.runtime_data.store.push.subscriptions
    await until(hass, lambda: {item.id for item in held.values()} == {*sim.webhooks.subscriptions})
    assert len(sim.webhooks.subscriptions) == len(made)
    assert urls_at(sim) == made
    await hass.config_entries.async_remove(entry.entry_id)
    assert urls_at(sim) == {}


# -- it fails ----------------------------------------------------------------------------------------------

# The callback, its URL, the faults of the simulator, and the problem that is shown.
PROBLEMS: Final[list[tuple[str, str | None, dict[str, Any], str]]] = [
    ("external", None, {}, "no_url"),
    ("cloud", None, {}, "no_cloud"),
    ("custom", "ftp://ha.example", {}, "invalid_url"),
    ("custom", "http://127.0.0.1:9", {}, "not_reachable"),
    ("custom", "HOME", {"wrong_key": 1.0}, "wrong_key"),
    ("custom", "HOME", {"subscription_status": 422}, "rejected"),
    ("custom", "HOME", {"subscription_status": 409}, "slot_taken"),
    ("custom", "HOME", {"forbidden": ["subscribe"]}, "rejected"),
]


@pytest.mark.parametrize(("callback", "url", "faults", "problem"), PROBLEMS)
async def test_a_registration_that_fails_shows_why_until_it_works_and_polling_goes_on(
    hass: HomeAssistant,
    waits: list[float],
    sim: Simulator,
    callback_url: str,
    callback: str,
    url: str | None,
    faults: dict[str, Any],
    problem: str,
) -> None:
    sim.strike(faults)
    url = callback_url if url == "HOME" else url
    entry = await set_up_callback(hass, sim, callback, url)
    await until(hass, lambda: push_of(entry).registration.problem == problem)
    assert push_of(entry).state is PushState.FAILING
    assert state_of(hass, "_push_state") == "failing"
    assert state_of(hass, "_plugged_in") == "off"
    assert urls_at(sim) == {}
    await until(hass, lambda: waits[:2] == [30, 60])
    if faults:
        async with push_of(entry).registration._one_at_a_time:  # not in the middle of a pass
            sim.faults.clear()
        types = set(entry.options[CONF_EVENT_TYPES])
        await until(hass, lambda: push_of(entry).registration.problem is None)
        # A pass that was under way may still have met a refusal of one type: that is tried in ten minutes.
        push_of(entry).registration.resubscribe(by_person=True)
        await until(hass, lambda: urls_at(sim).keys() == types)


async def test_an_event_type_that_is_not_offered_is_no_problem(
    hass: HomeAssistant, sim: Simulator, callback_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "custom_components.jedlix")
    entry = await set_up_with_push(
        hass,
        sim,
        callback_url,
        "limited",
        options={CONF_EVENT_TYPES: ["userCreated", "noSuchType"]},
    )
    assert push_of(entry).registration.problem is None
    assert urls_at(sim).keys() == {"userCreated"}
    lines = [line for line in caplog.records if "noSuchType" in line.getMessage()]
    assert {line.levelname for line in lines} == {"DEBUG"}


async def test_a_renewal_that_is_refused_is_shown_and_tried_until_it_works(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator
) -> None:
    push, types = push_of(entry), entry.options[CONF_EVENT_TYPES]
    sim.faults.wrong_key = 1.0
    push.resubscribe()
    await until(hass, lambda: push.registration.problem == "wrong_key")
    assert push.state is PushState.FAILING
    assert urls_at(sim).keys() == set(types)
    sim.faults.wrong_key = 0.0
    push.registration.check_now()  # instead of half a minute later
    await until(hass, lambda: push.state is PushState.WAITING)
    assert registration_calls(sim)[-2 * len(types) :] == ["POST 201", "DELETE 204"] * len(types)


# -- it follows changes ------------------------------------------------------------------------------------


async def test_a_changed_external_url_is_followed_and_another_change_is_not(
    hass: HomeAssistant,
    sim: Simulator,
    callback_url: str,
    hass_client_no_auth: ClientSessionGenerator,
) -> None:
    await hass.config.async_update(external_url=callback_url)
    entry = await set_up_callback(hass, sim, "external")
    await until(hass, lambda: push_of(entry).state is PushState.WAITING)
    assert push_of(entry).registration.callback is Callback.EXTERNAL
    assert all(url.startswith(callback_url) for url in urls_at(sim).values())
    before = len(registration_calls(sim))
    await hass.config.async_update(location_name="Another name")
    await asyncio.sleep(0.02)
    assert len(registration_calls(sim)) == before
    moved = await open_another_port(hass_client_no_auth)
    assert moved != callback_url
    await hass.config.async_update(external_url=moved)
    await until(hass, lambda: all(url.startswith(moved) for url in urls_at(sim).values()))
    assert len(urls_at(sim)) == len(entry.options[CONF_EVENT_TYPES])
    await hass.config.async_update(external_url=None)
    await until(hass, lambda: push_of(entry).registration.problem == "no_url")
    assert state_of(hass, "_push_state") == "failing"


async def test_a_changed_custom_url_is_followed(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    sim: Simulator,
    hass_client_no_auth: ClientSessionGenerator,
) -> None:
    moved = await open_another_port(hass_client_no_auth)
    hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_CALLBACK_URL: moved})
    await until(hass, lambda: all(url.startswith(moved) for url in urls_at(sim).values()))
    assert len(urls_at(sim)) == len(entry.options[CONF_EVENT_TYPES])


async def test_resubscribe_writes_all_subscriptions_again(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator
) -> None:
    types, before = entry.options[CONF_EVENT_TYPES], len(registration_calls(sim))
    push_of(entry).resubscribe()
    await until(hass, lambda: len(registration_calls(sim)) == before + 1 + 2 * len(types))
    assert registration_calls(sim)[before:] == ["GET 200", *["POST 201", "DELETE 204"] * len(types)]
    assert urls_at(sim).keys() == set(types)


@pytest.mark.parametrize("error", [ConnectionFailed("away"), Rejected("no")])
async def test_resubscribe_during_a_pass_that_fails_is_not_lost(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    push, renewals = push_of(entry), []

    async def fail_once(*_: object, renew: bool, **__: object) -> dict[str, Any]:
        renewals.append(renew)
        if len(renewals) == 1:
            push.resubscribe()
            raise error
        return {}

    monkeypatch.setattr(subscriber, "reconcile", fail_once)
    push.registration.check_now()
    await until(hass, lambda: len(renewals) == 2)
    assert renewals == [False, True]


async def test_an_unexpected_failure_is_logged_and_tried_again(
    hass: HomeAssistant,
    waits: list[float],
    entry: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A cloud whose connection closes raises more than it documents. What was asked for is still done."""
    push, passes = push_of(entry), []

    async def fail_twice(*_: object, renew: bool, **__: object) -> dict[str, Any]:
        passes.append((renew, push.state))
        if len(passes) < 3:
            raise RuntimeError("a closing websocket")
        return {}

    waits.clear()
    monkeypatch.setattr(subscriber, "reconcile", fail_twice)
    push.resubscribe()
    await until(hass, lambda: len(passes) == 3)
    states = (PushState.WAITING, PushState.CONNECTING, PushState.CONNECTING)
    assert passes == [(True, state) for state in states]
    await until(hass, lambda: waits[:3] == [30, 60, DAY])
    assert push.state is PushState.WAITING
    assert caplog.text.count("RuntimeError: a closing websocket") == 2
    assert "Registering the webhook at Jedlix failed and is tried again" in caplog.text


# -- push is not wanted ------------------------------------------------------------------------------------


async def test_push_that_is_not_wanted_costs_one_call(
    hass: HomeAssistant, home: TestClient[Any, Any], sim: Simulator
) -> None:
    entry = await set_up_callback(hass, sim, "none")
    assert push_of(entry).state is PushState.OFF
    assert push_of(entry).registration.callback is Callback.NONE
    assert state_of(hass, "_push_state") == "off"
    await until(hass, lambda: registration_calls(sim) == ["GET 200"])


async def test_push_that_is_no_longer_wanted_is_unsubscribed_as_soon_as_jedlix_answers(
    hass: HomeAssistant,
    waits: list[float],
    entry: MockConfigEntry,
    sim: Simulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries: list[int] = []
    subscriptions: Callable[[JedlixClient], Awaitable[tuple[Subscription, ...]]]
    subscriptions = JedlixClient.subscriptions

    async def fail_at_first(client: JedlixClient) -> tuple[Subscription, ...]:
        tries.append(1)
        if len(tries) < 4:
            raise ConnectionFailed("away")
        return await subscriptions(client)

    monkeypatch.setattr(JedlixClient, "subscriptions", fail_at_first)
    hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_CALLBACK: "none"})
    await until(hass, lambda: not urls_at(sim))
    await until(hass, lambda: entry.runtime_data.store.push.subscriptions == {})
    assert len(tries) == 4
    assert state_of(hass, "_push_state") == "off"
    assert state_of(hass, "_callback") == "none"


async def test_credentials_that_are_refused_are_a_matter_of_the_poll(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator
) -> None:
    """Not one of the subscriptions: another call agrees."""
    sim.strike({"kind": "status", "status": 401})
    push = push_of(entry)
    await push.registration._register()
    assert push.state is PushState.CONNECTING
    assert push.registration.problem is None


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "token_refused", "status": 403},
        {"kind": "status", "status": 401, "endpoints": ["subscriptions"]},
        {"kind": "status", "status": 503},
    ],
    ids=["token", "401", "503"],
)
@pytest.mark.usefixtures("waits", "home")
async def test_an_entry_without_push_has_no_problem_with_it(
    hass: HomeAssistant, sim: Simulator, fault: dict[str, object]
) -> None:
    """A pass only deletes what an earlier one left at Jedlix."""
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    push = push_of(entry)
    sim.strike({"token_expiry": True})
    sim.strike(fault)
    await push.registration._register()
    assert push.state is PushState.OFF
    assert push.registration.problem is None
    with pytest.raises(ServiceValidationError, match="Push is off"):
        await push.resubscribe_now()
