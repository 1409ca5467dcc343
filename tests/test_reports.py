"""What deliveries say beyond the wish for a refresh: impossible sessions, lost links, removed users."""

from datetime import UTC, datetime, timedelta
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.jedlix.const import DOMAIN
from simulator.app import Simulator
from tests.commanding import device_of
from tests.coordinator.tools import add_user_without_car, stop
from tests.push.tools import poll_after, push_of, repairs_of
from tests.simulators import StartSimulator
from tests.tools import (
    Clock,
    make_entry,
    record_events,
    set_up,
    set_up_with_push,
    state_of,
    until,
)


def link_issues(hass: HomeAssistant) -> list[ir.IssueEntry]:
    """Return the repairs for lost links."""
    issues = ir.async_get(hass).issues.values()
    return [item for item in issues if item.active and item.translation_key == "vehicle_link_lost"]


def only(changes: list[dict[str, Any]], change_type: str) -> dict[str, Any]:
    """Return the one change of a type."""
    (found,) = (change for change in changes if change["type"] == change_type)
    return found


async def test_an_impossible_session_is_an_event_of_its_car(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    car = sim.vehicle(sim.vehicle_ids[0])
    sim.plug(car.id)
    await until(hass, lambda: state_of(hass, "_smart_session") == "on")
    recorded = record_events(hass)
    sim.impossible(car.id)
    await until(hass, lambda: recorded.changes)
    change = only(recorded.changes, "session_impossible")
    assert car.session is not None
    assert (change["vehicle_id"], change["session_id"]) == (car.id, car.session.id)
    assert change["device_id"] == device_of(hass, entry, sim).id
    assert change["battery_level"] == car.report.battery_level
    assert change["desired_battery_level"] == car.settings["desiredBatteryLevel"]
    assert (change["source"], change["late"]) == ("webhook", False)
    (state,) = (
        it
        for it in hass.states.async_all("event")
        if it.attributes.get("event_type") == "session_impossible"
    )
    assert state.attributes["desired_battery_level"] == change["desired_battery_level"]
    assert repairs_of(hass) == []


@pytest.mark.parametrize("reason", ["credentials", "disconnected"])
async def test_a_lost_link_has_a_reason_and_a_repair_until_it_is_restored(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, reason: str
) -> None:
    car = sim.vehicle_ids[0]
    recorded = record_events(hass)
    sim.link(car, connected=False, reason=reason)
    await until(hass, lambda: recorded.changes)
    lost = only(recorded.changes, "vehicle_link_lost")
    assert (lost["vehicle_id"], lost["reason"], lost["source"]) == (car, reason, "webhook")
    assert state_of(hass, "_vehicle_link") == "off"
    (issue,) = link_issues(hass)
    assert issue.translation_placeholders is not None
    assert issue.translation_placeholders["account"] == entry.title
    # A reload shows it again, and publishes nothing again.
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert len(link_issues(hass)) == 1
    await until(hass, lambda: push_of(entry).state not in ("off", "connecting"))
    sim.link(car, connected=True)
    await until(hass, lambda: "vehicle_link_restored" in recorded.types)
    assert recorded.types == ["vehicle_link_lost", "vehicle_link_restored"]
    assert state_of(hass, "_vehicle_link") == "on"
    assert link_issues(hass) == []


async def test_a_loss_that_only_the_poll_found_is_shown_once_it_has_lasted(
    hass: HomeAssistant, sim: Simulator, callback_url: str, clock: Clock
) -> None:
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    sim.link(sim.vehicle_ids[0], connected=False, connectable=False)
    await poll_after(hass, clock, entry, timedelta(minutes=5))

    async def after(minutes: int) -> list[str]:
        clock.go_on(timedelta(minutes=minutes))
        async_fire_time_changed(hass, datetime.now(UTC) + timedelta(minutes=1, seconds=1))
        await hass.async_block_till_done()
        return repairs_of(hass)

    assert await after(29) == []
    assert await after(1) == ["vehicle_link_lost_in_app"]
    (issue,) = (it for it in ir.async_get(hass).issues.values() if it.domain == DOMAIN)
    assert not issue.is_fixable
    # Now it can be linked from here: the same repair, with a dialog.
    sim.link(sim.vehicle_ids[0], connected=False)
    await poll_after(hass, clock, entry, timedelta(minutes=5))
    (fixable,) = link_issues(hass)
    assert (fixable.issue_id, fixable.is_fixable) == (issue.issue_id, True)


async def test_a_fleet_has_no_repairs_of_links(
    hass: HomeAssistant, start_simulator: StartSimulator, callback_url: str
) -> None:
    sim = await start_simulator(users=6)
    entry = await set_up_with_push(hass, sim, callback_url)
    sim.link(sim.vehicle_ids[0], connected=False, reason="credentials")
    await until(hass, lambda: state_of(hass, f"{sim.vehicle_ids[0]}_vehicle_link") == "off")
    assert link_issues(hass) == []
    hass.config_entries.async_remove_subentry(entry, list(entry.subentries)[-1])
    async_fire_time_changed(hass, datetime.now(UTC) + timedelta(minutes=1, seconds=1))
    await hass.async_block_till_done()
    assert len(link_issues(hass)) == 1


async def test_the_repair_of_a_link_goes_with_its_user_and_with_the_entry(
    hass: HomeAssistant, start_simulator: StartSimulator, callback_url: str
) -> None:
    sim = await start_simulator(users=2)
    entry = await set_up_with_push(hass, sim, callback_url)
    for car in sim.vehicle_ids:
        sim.link(car, connected=False)
    await until(hass, lambda: len(link_issues(hass)) == 2)
    entry.runtime_data.coordinator.unfollow(sim.user_ids[0])
    assert len(link_issues(hass)) == 1
    await hass.config_entries.async_unload(entry.entry_id)
    assert link_issues(hass) == []


async def test_a_delivery_that_the_api_does_not_confirm_changes_nothing(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    recorded = record_events(hass)
    for event_type in ("vehicleInvalidCredentials", "userRemoved"):
        sim.webhooks.publish(event_type, sim.user_ids[0], sim.now())
    await until(hass, lambda: len(recorded.webhooks) == 2)
    await entry.runtime_data.coordinator.async_refresh()
    assert recorded.changes == []
    assert state_of(hass, "_vehicle_link") == "on"
    assert link_issues(hass) == []


async def test_a_removed_user_is_published_once_the_api_confirms_it(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, clock: Clock
) -> None:
    user_id = sim.user_ids[0]
    recorded = record_events(hass)
    sim.remove_user(user_id)
    await until(hass, lambda: "user_removed" in recorded.types)
    removed = only(recorded.changes, "user_removed")
    assert (removed["user_id"], removed["source"], removed["late"]) == (user_id, "webhook", False)
    # The car goes as always: only when several answers over some time agree.
    assert "vehicle_removed" not in recorded.types
    for _ in range(4):
        clock.go_on(timedelta(minutes=6))
        await entry.runtime_data.coordinator.async_refresh()
        await hass.async_block_till_done()
    assert recorded.types.count("vehicle_removed") == 1
    assert recorded.types.count("user_removed") == 1
    assert DOMAIN in {domain for domain, _ in ir.async_get(hass).issues}


async def test_the_removal_of_a_user_without_a_car_is_published_too(
    hass: HomeAssistant, sim: Simulator, callback_url: str
) -> None:
    user_id = add_user_without_car(sim)
    await set_up_with_push(hass, sim, callback_url, users=sim.user_ids)
    recorded = record_events(hass)
    sim.remove_user(user_id)
    await until(hass, lambda: "user_removed" in recorded.types)
    assert only(recorded.changes, "user_removed")["user_id"] == user_id


@pytest.mark.parametrize(("minutes", "late"), [(14, False), (16, True)])
async def test_a_user_removed_during_a_stop_is_late_after_a_quarter_of_an_hour(
    hass: HomeAssistant,
    sim: Simulator,
    entry: MockConfigEntry,
    clock: Clock,
    minutes: int,
    late: bool,
) -> None:
    recorded = record_events(hass)
    await stop(hass, entry)
    sim.strike({"drop": 1})
    sim.remove_user(sim.user_ids[0])
    clock.go_on(timedelta(minutes=minutes))
    assert await hass.config_entries.async_setup(entry.entry_id)
    await until(hass, lambda: "user_removed" in recorded.types)
    removed = only(recorded.changes, "user_removed")
    assert (removed["source"], removed["late"]) == ("history", late)
