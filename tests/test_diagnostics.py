"""Diagnostics and system health: the state of an account, without secrets, persons and places."""

from collections.abc import Awaitable
from datetime import timedelta
import json
from typing import Any
from unittest.mock import ANY

from homeassistant.components.system_health import DOMAIN as SYSTEM_HEALTH
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    get_system_health_info,
)
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
    get_diagnostics_for_device,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.jedlix.const import DOMAIN
from simulator.app import Simulator
from simulator.tariffs import TARIFFS
from tests.deliveries import Home, deliver
from tests.tools import WEBHOOK_ID, WEBHOOK_KEY, until


async def test_diagnostics_have_the_state_and_no_secret_person_or_place(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    sim: Simulator,
    entry: MockConfigEntry,
) -> None:
    sim.plug(sim.vehicle_ids[0])
    await until(hass, lambda: entry.runtime_data.push.health.received)
    whole: Any = await get_diagnostics_for_config_entry(hass, hass_client, entry)
    assert whole["push"]["state"] == "healthy"
    assert whole["push"]["received"] >= 1
    assert [car["brand"] for car in whole["vehicles"]] == ["Tesla"]
    assert [charger["brand"] for charger in whole["chargers"]] == ["Easee"]
    (priced,) = whole["priced_locations"]
    assert (priced["tariff_types"], priced["intervals"]) == (["peak", "off_peak"], 3)
    written = json.dumps(whole)
    location = sim.world.users[sim.user_ids[0]].locations[0]
    for hidden in (
        WEBHOOK_ID,
        WEBHOOK_KEY,
        "secret",
        sim.url,
        sim.user_ids[0],
        sim.vehicle_ids[0],
        location.id,
        location.street,
        location.city,
        str(location.latitude),
    ):
        assert hidden not in written


async def test_each_device_has_diagnostics_of_its_own(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    sim: Simulator,
    entry: MockConfigEntry,
) -> None:
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    of: dict[str | None, Any] = {
        device.name: await get_diagnostics_for_device(hass, hass_client, entry, device)
        for device in devices
    }
    assert of["Tesla Model 3"]["charge_state"] == "disconnected"
    assert of["Tesla Model 3"]["is_connectable"] is True
    assert of["Tesla Model 3"]["link"]["is_connected"] is True
    assert of["Tesla Model 3"]["id"] == sim.vehicle_ids[0][:8]
    assert of["Easee Home"]["id"] == sim.world.users[sim.user_ids[0]].chargers[0].id[:8]
    assert of["Jedlix Rotterdam"]["id"] == sim.world.users[sim.user_ids[0]].locations[0].id[:8]
    assert of["Jedlix Rotterdam"]["unclear"] is None
    assert of["Jedlix"]["push"]["state"] == "waiting"
    (location,) = sim.world.users[sim.user_ids[0]].locations
    sim.set_tariff(location.id, TARIFFS["missing_day"])
    await entry.runtime_data.coordinator.refresh_locations(sim.user_ids[0])
    device = next(device for device in devices if device.name == "Jedlix Rotterdam")
    unclear: Any = await get_diagnostics_for_device(hass, hass_client, entry, device)
    assert unclear["unclear"] == "sunday is not whole"


async def test_diagnostics_have_the_last_fifty_deliveries_with_their_verdicts(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    home: Home,
    entry: MockConfigEntry,
) -> None:
    for number in range(60):
        await deliver(home, id=f"{number}")
    ten_seconds_old = (dt_util.utcnow() - timedelta(seconds=10)).isoformat()
    await deliver(home, eventType="old", id="60", timestamp=ten_seconds_old)
    await deliver(home, id="59")
    await deliver(home, id="61", isTest=True)
    await deliver(home, id="62", eventType=None)
    await deliver(home, key="another")
    whole: Any = await get_diagnostics_for_config_entry(hass, hass_client, entry)
    last = whole["push"]["last_deliveries"]
    assert len(last) == 50
    assert [(item["event_type"], item["verdict"]) for item in last[-6:]] == [
        ("any", "accepted"),
        ("old", "accepted"),
        ("any", "duplicate"),
        ("any", "test"),
        (None, "bad_body"),
        (None, "wrong_key"),
    ]
    assert 10 <= last[-5]["delay"] < 60
    assert "another" not in json.dumps(whole)


@pytest.mark.parametrize("is_up", [True, False])
async def test_system_health_shows_whether_jedlix_answers(
    hass: HomeAssistant,
    sim: Simulator,
    entry: MockConfigEntry,
    is_up: bool,
) -> None:
    assert await async_setup_component(hass, SYSTEM_HEALTH, {})
    await hass.async_block_till_done()
    if not is_up:
        sim.strike({"forbidden": ["sessions", "locations"]})
    info: dict[str, Any] = await get_system_health_info(hass, DOMAIN)
    reached = info["api_reachable"]
    if isinstance(reached, Awaitable):
        reached = await reached
    assert (reached == "ok") is is_up
    assert info["subscriptions_held"] == info["subscriptions_wanted"]
    assert info["subscriptions_held"] == len(sim.webhooks.subscriptions) > 0
    assert info["push_state"] == "waiting"
    assert info["last_delivery"] == "-"


@pytest.mark.usefixtures("no_second_try")
async def test_system_health_includes_an_account_that_could_not_be_loaded(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    assert await async_setup_component(hass, SYSTEM_HEALTH, {})
    sim.strike({"outage_seconds": 60.0})
    await hass.config_entries.async_reload(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    info: dict[str, Any] = await get_system_health_info(hass, DOMAIN)
    assert (await info["api_reachable"])["type"] == "failed"
    assert info["subscriptions_held"] == 0


async def test_diagnostics_have_the_api_report(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    sim: Simulator,
    entry: MockConfigEntry,
) -> None:
    def calls_to_chargers() -> int:
        report: Any = entry.runtime_data.api_report()
        count: int = report["calls"]["chargers"]["answers"]["200"]["count"]
        return count

    sim.plug(sim.vehicle_ids[0])
    # The refresh that the delivery asks for ends with the chargers.
    await until(hass, lambda: calls_to_chargers() == 2)
    await hass.async_block_till_done()
    whole: Any = await get_diagnostics_for_config_entry(hass, hass_client, entry)
    calls = whole["api"]["calls"]
    assert calls["vehicles"]["offered"] == "yes"
    assert calls["vehicles"]["answers"]["200"]["bodies"] == {"JSON": ANY}
    assert calls["vehicles"]["shape"]["[].chargeState.batteryLevel"].startswith("integer")
    for delivery in (deliveries := whole["api"]["deliveries"]).values():
        assert delivery["shape"]["userId"].startswith("uuid")
    assert deliveries
    answer = await hass.services.async_call(
        DOMAIN, "get_api_report", blocking=True, return_response=True
    )
    assert answer is not None
    assert answer[entry.entry_id] == whole["api"]
