"""An attempt to connect: a real registration and a real test message, or the reason why not."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from aiohttp.test_utils import TestClient
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.api import Conflict, Rejected, WebhookMessage
from custom_components.jedlix.data import make_client
from custom_components.jedlix.push import connection_test as module
from custom_components.jedlix.push.callback_url import Callback, ChosenUrl
from custom_components.jedlix.push.connection_test import HANDED_OVER, ConnectionTest
from custom_components.jedlix.push.registration import RegistrationEvidence
from simulator.app import Simulator
from tests.tools import WEBHOOK_ID, WEBHOOK_KEY, make_entry, set_up, until

PATH: Final = f"/api/webhook/{WEBHOOK_ID}"
TEST: Final = {"eventType": "userCreated", "id": "t-1", "isTest": True}
REAL: Final = {"eventType": "userCreated", "id": "e-1", "userId": "u-1"}


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait a moment for the test message, not seconds."""
    monkeypatch.setattr(module, "TEST_MESSAGE_TIMEOUT", 0.1)


type Begin = Callable[..., ConnectionTest]


@pytest.fixture
def begin(hass: HomeAssistant, sim: Simulator, callback_url: str) -> Begin:
    """Return how to begin an attempt, at our own door or at another URL."""

    def begin(url: str = callback_url + PATH) -> ConnectionTest:
        data = make_entry(sim, callback_url).data
        trial = ConnectionTest(hass, make_client(hass, data), data, ChosenUrl(Callback.CUSTOM, url))
        trial.start()
        return trial

    return begin


async def knock(
    home: TestClient[Any, Any], message: dict[str, Any], key: str = WEBHOOK_KEY
) -> tuple[int, str]:
    headers = {"Authorization": f"Basic {key}"}
    async with home.post(PATH, json=message, headers=headers) as answer:
        return answer.status, await answer.text()


NOBODY: Final = (200, "")
"""How Home Assistant answers where no door is."""


def held_at(sim: Simulator) -> list[str]:
    return [item.event_type for item in sim.webhooks.subscriptions.values()]


# -- it works ----------------------------------------------------------------------------------------------


async def test_a_success_is_handed_over_without_a_shut_door(
    hass: HomeAssistant, home: TestClient[Any, Any], sim: Simulator, callback_url: str, begin: Begin
) -> None:
    trial = begin()
    assert await trial.task is None
    assert held_at(sim) == ["userCreated"]
    made = set(sim.webhooks.subscriptions)
    trial.hand_over()
    trial.close()  # the dialog is closed now
    assert (await knock(home, REAL))[0] == 503  # so Jedlix sends it again, and nothing is swallowed
    entry = make_entry(sim, callback_url)
    await set_up(hass, entry)
    await until(hass, lambda: entry.runtime_data.push.state == "waiting")
    assert await knock(home, REAL) == (200, "{}")
    assert held_at(sim).count("userCreated") == 1
    assert made < set(sim.webhooks.subscriptions)
    assert entry.runtime_data.store.push.subscriptions["userCreated"].id in made
    assert hass.data[HANDED_OVER] == {}
    await hass.async_block_till_done()


async def test_what_is_handed_over_is_known_where_there_is_no_list(
    hass: HomeAssistant,
    start_simulator: Callable[..., Any],
    callback_url: str,
) -> None:
    sim = await start_simulator(mode="strict")
    entry = make_entry(sim, callback_url)
    trial = ConnectionTest(
        hass,
        make_client(hass, entry.data),
        entry.data,
        ChosenUrl(Callback.CUSTOM, callback_url + PATH),
    )
    trial.start()
    assert await trial.task is None
    trial.hand_over()
    await set_up(hass, entry)
    await until(hass, lambda: entry.runtime_data.push.state == "waiting")
    assert held_at(sim).count("userCreated") == 1


async def test_a_test_message_that_comes_after_the_yes_will_do(
    home: TestClient[Any, Any], sim: Simulator, callback_url: str, begin: Begin
) -> None:
    trial = begin(f"{callback_url}/api/webhook/elsewhere")
    await trial._registration
    assert held_at(sim) == ["userCreated"]
    assert not trial.task.done()
    assert await knock(home, TEST) == (200, "{}")
    assert await trial.task is None
    trial.close()


async def test_an_attempt_takes_as_long_as_the_frontend_needs(
    monkeypatch: pytest.MonkeyPatch, begin: Begin
) -> None:
    monkeypatch.setattr(module, "MIN_DURATION", 0.2)
    loop = asyncio.get_running_loop()
    began = loop.time()
    trial = begin()
    assert await trial.task is None
    assert loop.time() - began >= 0.2
    trial.close()


# -- it does not work --------------------------------------------------------------------------------------

REASONS: Final[dict[str, tuple[str | None, dict[str, Any]]]] = {
    "not_reachable": ("http://127.0.0.1:9" + PATH, {}),
    "wrong_key": (None, {"wrong_key": 1.0}),
    "rejected": (None, {"subscription_status": 422}),
    "slot_taken": (None, {"subscription_status": 409}),
    "cannot_register": (None, {"subscription_status": 503}),
}


@pytest.mark.parametrize("reason", REASONS)
async def test_a_failure_says_why_and_leaves_nothing(
    hass: HomeAssistant, home: TestClient[Any, Any], sim: Simulator, begin: Begin, reason: str
) -> None:
    url, faults = REASONS[reason]
    sim.strike(faults)
    trial = begin(url) if url else begin()
    assert await trial.task == reason
    calls = len(sim.requests)
    trial.close()
    await hass.async_block_till_done()
    assert await knock(home, TEST) == NOBODY
    assert held_at(sim) == []
    assert len(sim.requests) == calls


@pytest.mark.parametrize("fault", [{"forbidden": ["subscribe"]}, {"absent": ["subscribe"]}])
async def test_a_tenant_without_webhooks_cannot_register_and_the_log_says_why(
    sim: Simulator, begin: Begin, fault: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    sim.strike(fault)
    trial = begin()
    assert await trial.task == "cannot_register"
    assert [record.levelname for record in caplog.records if "(HTTP 40" in record.getMessage()] == [
        "WARNING"
    ]
    trial.close()


async def test_a_yes_without_a_test_message_is_not_enough(
    hass: HomeAssistant,
    home: TestClient[Any, Any],
    sim: Simulator,
    callback_url: str,
    begin: Begin,
) -> None:
    """Jedlix reaches somebody who says yes to everything, and it is not us."""
    trial = begin(f"{callback_url}/api/webhook/elsewhere")
    assert (await knock(home, {}))[0] == 400  # what cannot be read says nothing about the key
    assert await trial.task == "no_test_message"
    assert held_at(sim) == ["userCreated"]
    trial.close()
    await hass.async_block_till_done()
    assert held_at(sim) == []


async def test_a_yes_and_a_message_with_another_key_is_a_wrong_key(
    hass: HomeAssistant,
    home: TestClient[Any, Any],
    sim: Simulator,
    callback_url: str,
    begin: Begin,
) -> None:
    trial = begin(f"{callback_url}/api/webhook/elsewhere")
    assert await knock(home, TEST, key="wrong") == (401, "")
    assert await trial.task == "wrong_key"
    trial.close()
    await hass.async_block_till_done()
    assert held_at(sim) == []


# -- it is given up ----------------------------------------------------------------------------------------


async def test_closing_takes_the_subscription_back_and_shuts_the_door(
    hass: HomeAssistant, home: TestClient[Any, Any], sim: Simulator, begin: Begin
) -> None:
    trial = begin()
    assert await trial.task is None
    trial.close()
    assert await knock(home, TEST) == NOBODY
    trial.close()
    await hass.async_block_till_done()
    assert held_at(sim) == []
    assert HANDED_OVER not in hass.data


@pytest.mark.parametrize("home_assistant_cancels", [True, False])
async def test_closing_while_jedlix_is_still_registering_leaves_nothing_there(
    hass: HomeAssistant,
    home: TestClient[Any, Any],
    sim: Simulator,
    begin: Begin,
    monkeypatch: pytest.MonkeyPatch,
    home_assistant_cancels: bool,
) -> None:
    is_asked, may_answer = asyncio.Event(), asyncio.Event()
    test = sim.webhooks.test

    async def slow(*args: str) -> str | None:
        is_asked.set()
        await may_answer.wait()
        return await test(*args)

    monkeypatch.setattr(sim.webhooks, "test", slow)
    trial = begin()
    await is_asked.wait()
    if home_assistant_cancels:
        trial.task.cancel()
    trial.close()
    may_answer.set()
    await hass.async_block_till_done()
    assert trial.task.cancelled()
    assert [request.status for request in sim.requests if request.method == "POST"][-1] == 201
    assert held_at(sim) == []
    assert await knock(home, TEST) == NOBODY


async def test_a_tenant_that_cannot_delete_is_no_trouble(
    hass: HomeAssistant, sim: Simulator, begin: Begin, caplog: pytest.LogCaptureFixture
) -> None:
    trial = begin()
    assert await trial.task is None
    sim.faults.absent = ["subscriptions", "unsubscribe"]
    trial.close()
    await hass.async_block_till_done()
    assert held_at(sim) == ["userCreated"]
    assert "could not be deleted" not in caplog.text


async def test_what_cannot_be_taken_back_is_told(
    hass: HomeAssistant, sim: Simulator, begin: Begin, caplog: pytest.LogCaptureFixture
) -> None:
    trial = begin()
    assert await trial.task is None
    trial._client._back_off = ()
    sim.faults.api_500 = 1.0
    trial.close()
    await hass.async_block_till_done()
    assert "The subscription of the connection test could not be deleted at Jedlix" in caplog.text


async def test_a_trial_takes_the_place_of_a_door_with_the_same_id(
    hass: HomeAssistant, entry: MockConfigEntry, home: TestClient[Any, Any], begin: Begin
) -> None:
    trial = begin()
    assert await trial.task is None
    assert (await knock(home, REAL))[0] == 503
    trial.close()


# -- the witness -------------------------------------------------------------------------------------------

MESSAGE: Final = WebhookMessage.from_json(TEST)


@pytest.mark.parametrize(
    ("tests", "wrong_keys", "err", "reason"),
    [
        (0, 0, Rejected("no"), "not_reachable"),
        (0, 1, Rejected("no"), "wrong_key"),
        (1, 0, Rejected("no"), "rejected"),
        (1, 1, Rejected("no"), "rejected"),
        (0, 0, Conflict("no"), "slot_taken"),
        (1, 0, Conflict("no"), "slot_taken"),
        (0, 1, Conflict("no"), "slot_taken"),
    ],
)
def test_the_witness_tells_why(tests: int, wrong_keys: int, err: Rejected, reason: str) -> None:
    witness = RegistrationEvidence()
    for _ in range(tests):
        witness.note_test(MESSAGE)
    for _ in range(wrong_keys):
        witness.note_wrong_key()
    assert witness.reason(err) == reason
    witness.reset()
    assert witness.reason(Rejected("no")) == "not_reachable"
