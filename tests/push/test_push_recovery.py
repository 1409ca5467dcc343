"""Recovery of push: each problem at Jedlix ends with a healthy push, or with what a user can do."""

from datetime import timedelta
from typing import Final

from homeassistant.config_entries import SOURCE_REAUTH
from homeassistant.const import CONF_CLIENT_SECRET
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.const import CONF_EVENT_TYPES, DOMAIN
from custom_components.jedlix.push import registration
from custom_components.jedlix.push.health import PushState
from simulator.app import Simulator
from tests.dialogs import Dialog, change_secret
from tests.push.tools import (
    ends_healthy,
    has_problem,
    poll_after,
    push_of,
    reaches,
    repairs_of,
    set_up_callback,
    toggle_plug,
    types_at,
    urls_at,
)
from tests.tools import Clock, state_of, until

POLL: Final = timedelta(minutes=5)


def reauth_requests(hass: HomeAssistant) -> int:
    """Return how many dialogs ask for new credentials."""
    flows = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    return sum(flow["context"]["source"] == SOURCE_REAUTH for flow in flows)


async def test_revoked_credentials_are_asked_for_by_the_poll_and_push_comes_back_with_new_ones(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator, clock: Clock
) -> None:
    change_secret(sim, "new")
    push_of(entry).resubscribe()
    await reaches(hass, entry, PushState.CONNECTING)
    assert state_of(hass, "_push_state") == "connecting"
    await poll_after(hass, clock, entry, timedelta(0), POLL)
    assert reauth_requests(hass) == 0  # it may still pass
    await poll_after(hass, clock, entry, POLL)
    assert reauth_requests(hass) == 1
    assert repairs_of(hass) == []
    dialog = await Dialog.reauth(hass, entry)
    await dialog.submit(**{CONF_CLIENT_SECRET: "new", "api_key": "key"})
    await ends_healthy(hass, sim, entry)
    assert reauth_requests(hass) == 0


async def test_a_registration_that_meets_a_passing_401_is_tried_again_soon_and_asks_for_nothing(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registration, "MIN_RETRY_INTERVAL", 0.001)
    change_secret(sim, "new")
    push_of(entry).resubscribe()
    await reaches(hass, entry, PushState.CONNECTING)
    change_secret(sim, "secret")
    await ends_healthy(hass, sim, entry)
    assert reauth_requests(hass) == 0


async def test_a_401_for_webhooks_alone_is_a_refusal_and_asks_for_no_credentials(
    hass: HomeAssistant, sim: Simulator, callback_url: str, clock: Clock
) -> None:
    sim.strike({"subscription_status": 401})
    entry = await set_up_callback(hass, sim, "custom", callback_url)
    await has_problem(hass, entry, "rejected")
    await poll_after(hass, clock, entry, POLL, POLL)
    assert repairs_of(hass) == ["subscription_rejected"]
    assert reauth_requests(hass) == 0
    sim.faults.clear()
    push_of(entry).registration.check_now()
    await ends_healthy(hass, sim, entry)


@pytest.mark.parametrize("fault", ["subscriptions_gone", "subscriptions_inactive"])
async def test_subscriptions_that_jedlix_lost_are_renewed_after_a_change_that_no_delivery_reported(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator, clock: Clock, fault: str
) -> None:
    toggle_plug(sim)
    await until(hass, lambda: push_of(entry).health.reports_changes)
    sim.strike({fault: True})
    assert urls_at(sim) == set()
    await poll_after(hass, clock, entry, *[POLL] * 4)
    toggle_plug(sim)
    await poll_after(hass, clock, entry, *[POLL] * 5)
    await until(hass, lambda: len(urls_at(sim)) == 1)
    assert push_of(entry).health.missed_by_push == 1
    assert state_of(hass, "_missed_by_push") == "1"
    await ends_healthy(hass, sim, entry)
    assert types_at(sim) == set(entry.options[CONF_EVENT_TYPES])
    assert len(sim.webhooks.subscriptions) == len(entry.options[CONF_EVENT_TYPES])


@pytest.mark.parametrize("minutes", [-20, 20])
async def test_a_clock_of_jedlix_that_is_wrong_by_minutes_does_no_harm(
    hass: HomeAssistant, sim: Simulator, callback_url: str, minutes: int
) -> None:
    sim.strike({"clock_skew_seconds": 60.0 * minutes})
    entry = await set_up_callback(hass, sim, "custom", callback_url)
    await ends_healthy(hass, sim, entry)
    assert (push_of(entry).health.last_delay or 0) >= 0
