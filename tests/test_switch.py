"""Switches: what they change at Jedlix, and how a change at Jedlix changes them."""

from datetime import timedelta
from functools import partial
from typing import Any, Final

from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.const import DOMAIN
from simulator.api import shapes
from simulator.app import Simulator
from simulator.model import JsonObject
from tests.commanding import (
    car_state,
    command,
    device_of,
    poll,
    refreshed,
    set_up_with_rare_polls,
    source_of,
)
from tests.tools import Clock, RecordedEvents, record_events, until

pytestmark = pytest.mark.usefixtures("home", "no_second_try")

SMART: Final = "switch.smart_charging"
BOOST: Final = "switch.boost"
RESUMES_AT: Final = "sensor.smart_charging_resumes_at"
SESSION: Final = "sensor.session"
A_MOMENT: Final = 0.01  # simulated hours in which a car follows a command


def shows(hass: HomeAssistant, sim: Simulator, key: str, state: str) -> bool:
    return car_state(hass, sim, key).state == state


def published(recorded: RecordedEvents, word: str) -> list[tuple[str, str]]:
    """Return type and source of the published changes whose type has this word in it."""
    return [(it["type"], it["source"]) for it in recorded.changes if word in it["type"]]


# -- smart charging ----------------------------------------------------------------------------------------


async def test_switching_smart_charging_off_ends_the_smart_session_and_an_unmanaged_one_follows(
    hass: HomeAssistant, sim: Simulator, entry_either_way: MockConfigEntry
) -> None:
    entry, car = entry_either_way, sim.vehicle(sim.vehicle_ids[0])
    sim.plug(car.id)
    await refreshed(hass, entry, lambda: shows(hass, sim, SESSION, "smart"))
    smart = car.session
    assert smart is not None
    before, recorded = dict(car.settings), record_events(hass)
    assert shows(hass, sim, SMART, STATE_ON)

    await command(hass, sim, SMART, "turn_off")
    assert car.settings == before | {"isSmartChargingEnabled": False}
    assert shows(hass, sim, SMART, STATE_OFF)
    assert smart.end is not None
    await until(hass, lambda: not shows(hass, sim, SESSION, "smart"))
    assert shows(hass, sim, BOOST, STATE_UNAVAILABLE)
    sim.advance(A_MOMENT)
    await refreshed(hass, entry, lambda: shows(hass, sim, SESSION, "unmanaged"))
    assert shows(hass, sim, BOOST, STATE_UNAVAILABLE)
    assert recorded.types == [
        "smart_charging_disabled",
        "session_ended",
        "session_started",
        "session_became_unmanaged",
    ]
    disabled, ended, started, became = recorded.changes
    assert disabled["source"] == "command"
    assert disabled["resumes_at"] is None
    assert disabled["device_id"] == device_of(hass, entry, sim).id
    assert ended["session_id"] == smart.id == became["previous_session_id"]
    assert car.session is not None
    assert started["session_id"] == car.session.id

    await command(hass, sim, SMART, "turn_on")
    assert car.settings == before
    assert shows(hass, sim, SMART, STATE_ON)
    sim.advance(A_MOMENT)
    await refreshed(hass, entry, lambda: shows(hass, sim, SESSION, "smart"))
    assert published(recorded, "enabled") == [("smart_charging_enabled", "command")]
    assert published(recorded, "became_smart") == [("session_became_smart", source_of(entry))]
    assert shows(hass, sim, BOOST, STATE_OFF)


async def test_smart_charging_switched_at_jedlix_changes_the_switch(
    hass: HomeAssistant,
    sim: Simulator,
    entry_either_way: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a webhook settings are read every 15 minutes, and at each poll in a session."""
    entry, clock, recorded = entry_either_way, Clock(monkeypatch, sim), record_events(hass)
    for enabled, state, kind in (
        (False, STATE_OFF, "smart_charging_disabled"),
        (True, STATE_ON, "smart_charging_enabled"),
    ):
        sim.change_settings(sim.vehicle_ids[0], isSmartChargingEnabled=enabled)
        if source_of(entry) == "poll":
            await poll(hass, entry)
            assert kind not in recorded.types
            clock.go_on(timedelta(days=1))
        await refreshed(hass, entry, partial(shows, hass, sim, SMART, state))
        assert recorded.types[-1] == kind
    assert recorded.types == ["smart_charging_disabled", "smart_charging_enabled"]
    assert {change["source"] for change in recorded.changes} == {source_of(entry)}


async def test_a_pause_that_jedlix_ends_switches_smart_charging_on(
    hass: HomeAssistant,
    sim: Simulator,
    entry_either_way: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry, clock, recorded = entry_either_way, Clock(monkeypatch, sim), record_events(hass)
    assert shows(hass, sim, RESUMES_AT, STATE_UNKNOWN)
    until_then = clock.now().replace(microsecond=0) + timedelta(hours=3)
    await hass.services.async_call(
        DOMAIN,
        "pause_smart_charging",
        {"device_id": device_of(hass, entry, sim).id, "until": until_then.isoformat()},
        blocking=True,
    )
    assert shows(hass, sim, SMART, STATE_OFF)
    assert dt_util.parse_datetime(car_state(hass, sim, RESUMES_AT).state) == until_then
    (paused,) = recorded.changes
    assert (paused["type"], paused["source"]) == ("smart_charging_disabled", "command")
    assert dt_util.parse_datetime(paused["resumes_at"]) == until_then

    clock.go_on(timedelta(hours=2, minutes=59))
    await poll(hass, entry)
    assert shows(hass, sim, SMART, STATE_OFF)
    clock.go_on(timedelta(minutes=2))
    sim.advance(0)  # Jedlix's own clock
    await refreshed(hass, entry, lambda: shows(hass, sim, SMART, STATE_ON))
    assert shows(hass, sim, RESUMES_AT, STATE_UNKNOWN)
    assert recorded.types == ["smart_charging_disabled", "smart_charging_enabled"]
    assert recorded.changes[1]["source"] == source_of(entry)


async def test_a_pause_that_jedlix_ends_late_is_shown_until_then(
    hass: HomeAssistant, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The announced end makes us read the settings; what Jedlix answers counts."""
    entry, clock = await set_up_with_rare_polls(hass, sim), Clock(monkeypatch, sim)
    sim.change_settings(sim.vehicle_ids[0], isSmartChargingEnabled=False)
    await command(hass, sim, SMART, "turn_off")
    settings = sim.vehicle(sim.vehicle_ids[0]).settings
    settings["enableSmartChargingAt"] = (clock.now() + timedelta(hours=1)).isoformat()
    clock.go_on(timedelta(days=1))
    await poll(hass, entry)
    assert shows(hass, sim, SMART, STATE_OFF)
    settings["isSmartChargingEnabled"] = True
    await poll(hass, entry)
    assert shows(hass, sim, SMART, STATE_ON)


# -- boost -------------------------------------------------------------------------------------------------


async def test_boost_is_available_in_a_smart_session_and_ends_with_it(
    hass: HomeAssistant, sim: Simulator, entry_either_way: MockConfigEntry
) -> None:
    entry, car, recorded = entry_either_way, sim.vehicle(sim.vehicle_ids[0]), record_events(hass)
    assert shows(hass, sim, BOOST, STATE_UNAVAILABLE)
    sim.plug(car.id)
    await refreshed(hass, entry, lambda: shows(hass, sim, BOOST, STATE_OFF))
    session = car.session
    assert session is not None

    for service, state, kind in (
        ("turn_on", STATE_ON, "boost_started"),
        ("turn_off", STATE_OFF, "boost_ended"),
    ):
        await command(hass, sim, BOOST, service)
        assert session.boost is (state == STATE_ON)
        assert shows(hass, sim, BOOST, state)
        assert car_state(hass, sim, "event.session").attributes["event_type"] == kind
    await command(hass, sim, BOOST, "turn_on")
    sim.unplug(car.id)
    await refreshed(hass, entry, lambda: "unplugged" in recorded.types)
    assert shows(hass, sim, BOOST, STATE_UNAVAILABLE)
    boosts = [change for change in recorded.changes if "boost" in change["type"]]
    assert [(change["type"], change["session_id"]) for change in boosts] == [
        ("boost_started", session.id),
        ("boost_ended", session.id),
    ] * 2
    assert [change["source"] for change in boosts] == ["command"] * 3 + [source_of(entry)]
    assert recorded.types[-3:] == ["boost_ended", "session_ended", "unplugged"]

    sim.plug(car.id)
    await refreshed(hass, entry, lambda: shows(hass, sim, SESSION, "smart"))
    assert shows(hass, sim, BOOST, STATE_OFF)


async def test_boost_switched_at_jedlix_changes_the_switch(
    hass: HomeAssistant, sim: Simulator, entry_either_way: MockConfigEntry
) -> None:
    """The simulator reports isBoosted, a name of its own (A12); no name is documented."""
    entry, car, recorded = entry_either_way, sim.vehicle(sim.vehicle_ids[0]), record_events(hass)
    sim.telemetry(car.id, battery_level=50)  # above the minimum: it waits for a cheap hour
    sim.plug(car.id)
    await refreshed(hass, entry, lambda: shows(hass, sim, SESSION, "smart"))
    for enabled, state in ((True, STATE_ON), (False, STATE_OFF)):
        sim.boost(car.id, enabled=enabled)
        sim.advance(A_MOMENT)
        await refreshed(hass, entry, partial(shows, hass, sim, BOOST, state))
    assert published(recorded, "boost") == [
        ("boost_started", source_of(entry)),
        ("boost_ended", source_of(entry)),
    ]
    assert {change["source"] for change in recorded.changes} == {source_of(entry)}


async def test_a_boost_that_jedlix_does_not_report_is_remembered_until_its_session_ends(
    hass: HomeAssistant,
    sim: Simulator,
    entry_either_way: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
    hass_storage: dict[str, Any],
) -> None:
    whole = shapes.session

    def without_boost(*args: Any, **options: Any) -> JsonObject:
        shape = whole(*args, **options)
        shape.pop("isBoosted", None)
        return shape

    monkeypatch.setattr(shapes, "session", without_boost)
    entry, recorded = entry_either_way, record_events(hass)
    sim.plug(sim.vehicle_ids[0])
    await refreshed(hass, entry, lambda: shows(hass, sim, SESSION, "smart"))
    for service, state in (("turn_on", STATE_ON), ("turn_off", STATE_OFF), ("turn_on", STATE_ON)):
        await command(hass, sim, BOOST, service)
        for _ in range(2):
            await poll(hass, entry)
            assert shows(hass, sim, BOOST, state)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert shows(hass, sim, BOOST, STATE_ON)
    sim.unplug(sim.vehicle_ids[0])
    await poll(hass, entry)
    sim.plug(sim.vehicle_ids[0])
    await poll(hass, entry)
    assert shows(hass, sim, BOOST, STATE_OFF)
    assert [kind for kind, _ in published(recorded, "boost")] == [
        "boost_started",
        "boost_ended",
    ] * 2
