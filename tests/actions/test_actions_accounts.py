"""Accounts: the actions that concern a whole account, and what they answer."""

from datetime import timedelta
from typing import Any

from homeassistant.components import persistent_notification
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.const import DOMAIN
from simulator.app import Simulator
from tests.actions.calls import call_action
from tests.commanding import device_of, fails, mark
from tests.coordinator.tools import fail_for
from tests.simulators import StartSimulator
from tests.tools import Clock, make_entry, record_events, set_up, until

pytestmark = pytest.mark.usefixtures("home", "no_second_try")


@pytest.mark.usefixtures("no_second_try")
async def test_resubscribe_registers_again_and_says_what_came_of_it(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    """For the account of the target, or for all; the button says it as a notification."""
    car, wanted = device_of(hass, entry, sim).id, sorted(entry.options["event_types"])
    for target in ({}, {"entity_id": "sensor.jedlix_push_state"}, {"device_id": car}):
        sim.strike({"subscriptions_gone": True})
        assert not sim.webhooks.subscriptions
        answer = await hass.services.async_call(
            DOMAIN, "resubscribe", target, blocking=True, return_response=True
        )
        assert answer is not None
        found: Any = answer[entry.entry_id]
        assert sorted(found.pop("accepted")) == wanted
        assert found == {"account": "Jedlix", "push_state": "waiting", "refused": []}
        assert len(sim.webhooks.subscriptions) == len(wanted)
    press = {"entity_id": "button.jedlix_resubscribe"}
    await hass.services.async_call("button", "press", press, blocking=True)
    (notification,) = persistent_notification._async_get_or_create_notifications(hass).values()
    assert notification["title"] == "Jedlix: webhooks registered again"
    assert all(name in notification["message"] for name in wanted)
    sim.strike({"outage_seconds": 60})
    for attempt in (
        hass.services.async_call("button", "press", press, blocking=True),
        call_action(hass, "resubscribe"),
    ):
        await fails(hass, attempt, "not_registered")


@pytest.mark.parametrize("hours", [0, 2])
async def test_catch_up_publishes_missed_changes_once_and_late_after_an_outage(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, clock: Clock, hours: int
) -> None:
    sim.strike({"drop": 1.0})
    sim.plug(sim.vehicle_ids[0])
    clock.go_on(timedelta(hours=hours))
    recorded = record_events(hass)
    since = (dt_util.utcnow() - timedelta(hours=3)).isoformat()
    answer = await hass.services.async_call(
        DOMAIN, "catch_up", {"since": since}, blocking=True, return_response=True
    )
    await hass.async_block_till_done()
    published = len(recorded.changes) + len(recorded.settled)
    assert answer == {
        entry.entry_id: {
            "account": "Jedlix",
            "changes": published,
            "deliveries": len(recorded.webhooks),
        }
    }
    assert {item["source"] for item in recorded.webhooks} == {"history"}
    assert {"plugged_in", "session_started"} <= set(recorded.types)
    assert {change["late"] for change in recorded.changes} == {hours > 0}
    assert len(recorded.types) == len(set(recorded.types))
    await call_action(hass, "catch_up")
    await hass.async_block_till_done()
    assert len(recorded.types) == len(set(recorded.types))


async def test_catch_up_reads_all_of_a_fleet_where_no_list_names_what_happened(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(users=8, faults={"absent": ["sessions", "webhook_history"]})
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    recorded = record_events(hass)
    sim.plug(sim.vehicle_ids[7])
    await call_action(hass, "catch_up")
    await until(hass, lambda: "plugged_in" in recorded.types)


async def test_catch_up_fails_only_where_nobody_can_be_read(
    hass: HomeAssistant, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sim = await start_simulator(users=2)
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    (first, second), recorded = sim.user_ids, record_events(hass)
    fail_for(monkeypatch, entry, first)
    sim.plug(sim.vehicle_ids[1])
    await call_action(hass, "catch_up")
    assert {change["user_id"] for change in recorded.changes} == {second}
    fail_for(monkeypatch, entry, second)
    await fails(hass, call_action(hass, "catch_up"), "command_failed")


async def test_catch_up_without_a_target_tries_all_accounts(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    """One account that cannot be reached keeps no other from catching up."""
    sims = [await start_simulator(seed=seed) for seed in (1, 2, 3)]
    for number, sim in enumerate(sims):
        entry = make_entry(sim, None)
        entry.add_to_hass(hass)
        hass.config_entries.async_update_entry(entry, unique_id=f"account {number}")
        await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done()
    calls = [mark(sim) for sim in sims]
    sims[1].strike({"outage_seconds": 60.0})
    await fails(hass, call_action(hass, "catch_up"), "command_failed")
    assert all(any("/vehicles" in call for call in calls[number]()) for number in (0, 2))
