"""Connection test: what counts as connected, what a refusal means, and a test that is closed.

The dialogs show the rest of it, see tests/flows/test_flows_push.py.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from aiohttp import web
from aiohttp.test_utils import TestClient
from homeassistant.core import HomeAssistant
import pytest

from custom_components.jedlix.api import Conflict, Forbidden, JedlixError, Rejected, WebhookMessage
from custom_components.jedlix.data import make_client
from custom_components.jedlix.push import connection_test
from custom_components.jedlix.push.callback_url import Callback, ChosenUrl
from custom_components.jedlix.push.connection_test import ConnectionTest
from custom_components.jedlix.push.evidence import RegistrationEvidence
from custom_components.jedlix.push.handler import Refusal
from simulator.app import Simulator
from tests.dialogs import webhook_ids
from tests.push.tools import registration_calls, types_at
from tests.tools import WEBHOOK_ID, WEBHOOK_KEY, make_entry

PATH: Final = f"/api/webhook/{WEBHOOK_ID}"
TEST_MESSAGE: Final = {"eventType": "userCreated", "id": "t-1", "isTest": True}

type Home = TestClient[web.Request, web.Application]
type Start = Callable[..., ConnectionTest]


@pytest.fixture
def start(
    hass: HomeAssistant, sim: Simulator, callback_url: str, monkeypatch: pytest.MonkeyPatch
) -> Start:
    """Return what starts a connection test of our own webhook or another one."""
    monkeypatch.setattr(connection_test, "TEST_MESSAGE_TIMEOUT", 0.1)

    def start(path: str = PATH) -> ConnectionTest:
        data = make_entry(sim, callback_url).data
        chosen = ChosenUrl(Callback.CUSTOM, callback_url + path)
        test = ConnectionTest(hass, make_client(hass, data), data, chosen)
        test.start()
        return test

    return start


async def post(home: Home, message: dict[str, Any]) -> int:
    """Send a message with the right key and return the status of the answer."""
    headers = {"Authorization": f"Basic {WEBHOOK_KEY}"}
    async with home.post(PATH, json=message, headers=headers) as answer:
        return answer.status


async def test_a_test_message_may_arrive_after_jedlix_confirmed_the_subscription(
    home: Home, sim: Simulator, start: Start
) -> None:
    test = start("/api/webhook/elsewhere")
    while "POST 201" not in registration_calls(sim):  # noqa: ASYNC110  there is no event to wait for
        await asyncio.sleep(0)
    assert not test.task.done()
    assert await post(home, TEST_MESSAGE) == 200
    assert await test.task is None
    test.close()


async def test_a_message_that_cannot_be_read_says_nothing_about_the_key(
    hass: HomeAssistant, home: Home, sim: Simulator, start: Start
) -> None:
    test = start("/api/webhook/elsewhere")
    assert await post(home, {}) == 400
    assert await test.task == "no_test_message"
    await hass.async_block_till_done()
    assert types_at(sim) == set()


async def test_a_test_takes_as_long_as_the_frontend_needs(
    monkeypatch: pytest.MonkeyPatch, start: Start
) -> None:
    monkeypatch.setattr(connection_test, "MIN_DURATION", 0.2)
    loop = asyncio.get_running_loop()
    began = loop.time()
    test = start()
    assert await test.task is None
    assert loop.time() - began >= 0.2
    test.close()


@pytest.mark.parametrize("home_assistant_cancels", [True, False])
async def test_closing_while_jedlix_is_still_registering_leaves_nothing_there(
    hass: HomeAssistant,
    sim: Simulator,
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
    home_assistant_cancels: bool,
) -> None:
    is_called, may_answer = asyncio.Event(), asyncio.Event()
    send_test_message = sim.webhooks.test

    async def slow(*args: str) -> str | None:
        is_called.set()
        await may_answer.wait()
        return await send_test_message(*args)

    monkeypatch.setattr(sim.webhooks, "test", slow)
    test = start()
    await is_called.wait()
    if home_assistant_cancels:
        test.task.cancel()
    test.close()
    may_answer.set()
    await hass.async_block_till_done()
    assert test.task.cancelled()
    assert [request.status for request in sim.requests if request.method == "POST"][-1] == 201
    assert types_at(sim) == set()
    assert webhook_ids(hass) == set()


@pytest.mark.parametrize(
    ("tests", "refusals", "err", "reason"),
    [
        (0, [], Rejected("no"), "not_reachable"),
        (0, [Refusal.TOO_LARGE], Rejected("no"), "not_reachable"),
        (0, [Refusal.WRONG_KEY], Rejected("no"), "wrong_key"),
        (0, [Refusal.NO_KEY], Rejected("no"), "no_key"),
        (1, [], Rejected("no"), "rejected"),
        (1, [Refusal.WRONG_KEY], Rejected("no"), "rejected"),
        (0, [], Conflict("no"), "slot_taken"),
        (1, [], Conflict("no"), "slot_taken"),
        (0, [Refusal.WRONG_KEY], Conflict("no"), "slot_taken"),
        (0, [Refusal.WRONG_KEY], Forbidden("no"), "rejected"),
    ],
)
def test_what_arrived_meanwhile_explains_a_refusal(
    tests: int, refusals: list[Refusal], err: JedlixError, reason: str
) -> None:
    evidence = RegistrationEvidence()
    for _ in range(tests):
        evidence.note_test(WebhookMessage.from_json(TEST_MESSAGE))
    for refusal in refusals:
        evidence.note_refusal(refusal)
    assert evidence.reason(err) == reason
    evidence.reset()
    assert evidence.reason(Rejected("no")) == "not_reachable"
