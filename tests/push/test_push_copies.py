"""Copies: the subscriptions at an address where another Home Assistant answers are not ours to delete."""

from aiohttp import web
from homeassistant.core import HomeAssistant
import pytest

from custom_components.jedlix.const import CONF_CALLBACK
from custom_components.jedlix.data import make_client
from custom_components.jedlix.push.callback_url import Callback
from custom_components.jedlix.push.copies import forget_those_of_another, unsubscribe_own
from custom_components.jedlix.push.subscriptions import HeldSubscription
from simulator.app import Simulator
from tests.servers import closed_port, listening
from tests.tools import make_entry

pytestmark = pytest.mark.usefixtures("socket_enabled")

OWN = "https://new.example/api/webhook/ours"


def held(url: str) -> dict[str, HeldSubscription]:
    """Return a subscription at our own address, and one at another."""
    return {
        "userCreated": HeldSubscription(url=OWN, key_hash="hash"),
        "sessionStarted": HeldSubscription(url=url, key_hash="hash"),
    }


@pytest.mark.parametrize(
    ("status", "arrives_here", "is_kept"),
    [
        (
            401,
            False,
            False,
        ),  # a webhook of ours refuses a call without a key, and it is not this one
        (401, True, True),  # the earlier address still leads here
        (200, False, True),  # Home Assistant, without this webhook
        (404, False, True),
        (503, False, True),
    ],
)
async def test_what_answers_at_an_earlier_address_decides(
    hass: HomeAssistant, status: int, arrives_here: bool, is_kept: bool
) -> None:
    async def answer(request: web.Request) -> web.Response:
        assert "Authorization" not in request.headers
        return web.Response(status=status)

    async with listening(answer) as address:
        ours = held(f"{address}/api/webhook/ours")
        await forget_those_of_another(hass, ours, OWN, lambda: arrives_here)
    assert ("sessionStarted" in ours) is is_kept
    assert "userCreated" in ours


async def test_where_nobody_answers_the_home_has_moved(hass: HomeAssistant) -> None:
    ours = held(f"{closed_port()}/api/webhook/ours")
    await forget_those_of_another(hass, ours, OWN)
    assert list(ours) == ["userCreated", "sessionStarted"]


async def test_without_an_address_of_its_own_an_entry_deletes_what_it_holds(
    hass: HomeAssistant, sim: Simulator
) -> None:
    entry = make_entry(sim, OWN)
    hosted = sim.webhooks.create("userCreated", OWN, "key", is_active=True)
    ours = {"userCreated": HeldSubscription(url=OWN, key_hash="hash", id=hosted.id)}
    data = {**entry.data, CONF_CALLBACK: Callback.EXTERNAL}
    await unsubscribe_own(hass, make_client(hass, data), data, ours)
    assert not sim.webhooks.subscriptions
