"""A tenant that allows one subscription per event type, which the entry's own one may have taken."""

from datetime import timedelta
from typing import Any

from homeassistant.const import CONF_WEBHOOK_ID
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.const import CONF_CALLBACK_URL, CONF_EVENT_TYPES
from custom_components.jedlix.push.health import PushState
from simulator.api.http import Problem
from simulator.app import Simulator
from simulator.messages import Subscription
from tests.dialogs import to_callback
from tests.push.tools import (
    ends_healthy,
    has_problem,
    poll_after,
    push_of,
    reaches,
    repairs_of,
    types_at,
    urls_at,
)
from tests.servers import closed_port
from tests.tools import WEBHOOK_ID, Clock, make_entry, set_up, until


@pytest.fixture(autouse=True)
def one_per_type(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the simulator refuse a second subscription of a type with 409 (assumed)."""
    create = sim.webhooks.create

    def create_unless_taken(event_type: str, *args: Any, **more: Any) -> Subscription:
        if event_type in types_at(sim):
            raise Problem(409, "There is a subscription for this event type.")
        return create(event_type, *args, **more)

    monkeypatch.setattr(sim.webhooks, "create", create_unless_taken)


async def test_the_entrys_own_subscription_is_replaced(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    first = set(sim.webhooks.subscriptions)
    push_of(entry).resubscribe()
    await until(hass, lambda: not set(sim.webhooks.subscriptions) & first)
    await until(hass, lambda: types_at(sim) == set(entry.options[CONF_EVENT_TYPES]))
    await ends_healthy(hass, sim, entry)


@pytest.mark.parametrize("absent", [[], ["subscriptions"]], ids=["with a list", "without"])
async def test_reconfiguring_replaces_the_entrys_own_subscription(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, absent: list[str]
) -> None:
    sim.strike({"absent": absent})
    dialog = await to_callback(hass, entry)
    await dialog.submit()
    assert dialog.reason == "reconfigure_successful"
    await ends_healthy(hass, sim, entry)
    webhook_id = entry.data[CONF_WEBHOOK_ID]
    assert urls_at(sim) == {f"{entry.data[CONF_CALLBACK_URL]}/api/webhook/{webhook_id}"}
    assert webhook_id != WEBHOOK_ID
    assert types_at(sim) == set(entry.options[CONF_EVENT_TYPES])


async def test_a_reconfiguration_that_fails_or_is_closed_restores_the_subscription(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    before = urls_at(sim)
    dialog = await to_callback(hass, entry)
    await dialog.submit(callback_url=closed_port())
    assert dialog.errors == {"base": "not_reachable"}
    assert urls_at(sim) == before
    # The second attempt has a good address, and is closed when the old subscription has been replaced.
    await dialog.send(callback_url=entry.data[CONF_CALLBACK_URL])
    await until(hass, lambda: bool(urls_at(sim) - before))
    await dialog.close()
    await until(hass, lambda: types_at(sim) == set(entry.options[CONF_EVENT_TYPES]))
    await ends_healthy(hass, sim, entry)
    assert urls_at(sim) == before


async def test_the_subscription_of_somebody_else_shows_a_repair_and_is_left_alone(
    hass: HomeAssistant, sim: Simulator, callback_url: str, clock: Clock
) -> None:
    theirs = sim.webhooks.create("userCreated", sim.url, "their-key", is_active=True)
    entry = make_entry(sim, callback_url, options={CONF_EVENT_TYPES: ["userCreated"]})
    await set_up(hass, entry)
    await has_problem(hass, entry, "slot_taken")
    await poll_after(hass, clock, entry, *[timedelta(minutes=5)] * 2)
    assert repairs_of(hass) == ["slot_taken"]
    assert list(sim.webhooks.subscriptions.values()) == [theirs]
    sim.webhooks.delete(theirs)
    push_of(entry).registration.check_now()
    await reaches(hass, entry, PushState.LIMITED)
    assert repairs_of(hass) == []
