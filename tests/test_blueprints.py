"""Blueprints: each is imported by Home Assistant's own importer, and run against the simulator."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
import json
from pathlib import Path
import re
import shutil
from typing import Any, Final, override

from homeassistant.components.blueprint.importer import fetch_blueprint_from_url
from homeassistant.components.calendar import CalendarEntity, CalendarEvent
from homeassistant.components.calendar.const import DATA_COMPONENT as CALENDARS
from homeassistant.const import ENTITY_MATCH_ALL, STATE_ON, STATE_UNKNOWN
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from homeassistant.util.yaml import parse_yaml
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
    async_mock_service,
)
from pytest_homeassistant_custom_component.test_util.aiohttp import AiohttpClientMocker

from custom_components.jedlix.const import DOMAIN
from custom_components.jedlix.publisher import Source
from custom_components.jedlix.push.health import PushState
from simulator.app import Simulator
from tests.commanding import device_of as car_device
from tests.simulators import StartSimulator
from tests.test_texts import LANGUAGES
from tests.tools import Clock, make_entry, set_up, state_of, until

ROOT: Final = Path(__file__).parents[1]
BLUEPRINTS: Final = ROOT / "blueprints/automation"
type Use = Callable[..., Awaitable[None]]

FILES: Final = sorted((BLUEPRINTS / DOMAIN).glob("*.yaml"))
TEXTS: Final = {path.stem: path.read_text() for path in FILES}
MINIMUM: Final = json.loads((ROOT / "hacs.json").read_text())["homeassistant"]
REPOSITORY: Final = json.loads((ROOT / "custom_components/jedlix/manifest.json").read_text())[
    "documentation"
]


@pytest.fixture
def hass_config_dir(hass_tmp_config_dir: str) -> str:
    """Give Home Assistant a configuration folder of its own, with our blueprints in it."""
    shutil.copytree(
        BLUEPRINTS, Path(hass_tmp_config_dir) / "blueprints/automation", dirs_exist_ok=True
    )
    return hass_tmp_config_dir


@pytest.fixture
def sent(hass: HomeAssistant) -> list[ServiceCall]:
    """Return the notifications that a blueprint makes by default."""
    return async_mock_service(hass, "persistent_notification", "create")


@pytest.fixture
async def use(hass: HomeAssistant) -> AsyncIterator[Use]:
    """Return how to make an automation of a blueprint; it is switched off in the end."""
    yield partial(_use, hass)
    await hass.services.async_call(
        "automation", "turn_off", {"entity_id": ENTITY_MATCH_ALL}, blocking=True
    )


async def _use(hass: HomeAssistant, blueprint: str, **inputs: Any) -> None:
    assert await async_setup_component(
        hass,
        "automation",
        {
            "automation": {
                "id": blueprint,
                "alias": blueprint,
                "use_blueprint": {"path": f"{DOMAIN}/{blueprint}.yaml", "input": inputs},
            }
        },
    )
    await hass.async_block_till_done()
    state = hass.states.get(f"automation.{blueprint}")
    assert state is not None
    assert state.state == STATE_ON, "Home Assistant refuses the automation"


def entity_of(hass: HomeAssistant, key: str, domain: str) -> str:
    """Return the id of the one entity of ours with this key."""
    (found,) = [
        entity.entity_id
        for entity in er.async_get(hass).entities.values()
        if (entity.platform, entity.translation_key, entity.domain) == (DOMAIN, key, domain)
    ]
    return found


async def wait_for_time(hass: HomeAssistant, hour: int) -> None:
    """Let it become this full hour, local time."""
    now = dt_util.now()
    moment = now.replace(hour=hour, minute=0, second=0, microsecond=0)
    async_fire_time_changed(hass, moment + timedelta(days=moment <= now))
    await hass.async_block_till_done()


# -- as files ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_home_assistant_imports_it_from_where_it_says_it_is(
    hass: HomeAssistant, aioclient_mock: AiohttpClientMocker, path: Path
) -> None:
    place = f"main/{path.relative_to(ROOT).as_posix()}"
    url = f"{REPOSITORY}/blob/{place}"
    raw = REPOSITORY.replace("https://github.com", "https://raw.githubusercontent.com")
    aioclient_mock.get(f"{raw}/{place}", text=TEXTS[path.stem])  # type: ignore[no-untyped-call]
    imported = await fetch_blueprint_from_url(hass, url)
    assert imported.blueprint.domain == "automation"
    assert imported.blueprint.metadata["source_url"] == url
    assert imported.blueprint.metadata["homeassistant"]["min_version"] == MINIMUM
    assert imported.blueprint.validate() is None
    for name, field in imported.blueprint.inputs.items():
        assert field["name"], name
        assert field["selector"], name


# -- session_notification ----------------------------------------------------------------------------------


async def test_a_session_notifies_at_its_start_and_with_its_figures_at_its_end(
    hass: HomeAssistant, use: Use, sim: Simulator, entry: MockConfigEntry, sent: list[ServiceCall]
) -> None:
    car = sim.vehicle_ids[0]
    await use("session_notification", cars={"device_id": [car_device(hass, entry, sim).id]})
    sim.plug(car)
    await until(hass, lambda: sent)
    assert sent[0].data == {"title": "Tesla Model 3", "message": "Smart session started."}
    sim.advance(8)
    sim.unplug(car)
    await until(hass, lambda: len(sent) == 2)
    energy, cost, savings = (
        float(state_of(hass, f"_session_{what}", "sensor"))
        for what in ("energy", "cost", "savings")
    )
    assert energy > 1
    assert sent[1].data["message"] == (
        f"Session ended: {energy:.1f} kWh, cost {cost:.2f} EUR, saved {savings:.2f} EUR"
    )


@pytest.mark.parametrize(
    ("settled", "expected"),
    [(True, "Session ended: 3.0 kWh, cost 1.50 EUR"), (False, "Session ended: 3.0 kWh")],
)
async def test_the_notification_of_an_end_waits_for_the_cost_but_not_for_long(
    hass: HomeAssistant,
    use: Use,
    sim: Simulator,
    entry: MockConfigEntry,
    sent: list[ServiceCall],
    *,
    settled: bool,
    expected: str,
) -> None:
    device = car_device(hass, entry, sim)
    await use("session_notification", cars={"device_id": device.id})
    event = {"device_id": device.id, "late": False, "session_id": "s", "energy_kwh": 3.0}
    hass.bus.async_fire("jedlix_event", event | {"type": "session_ended"})
    await asyncio.sleep(0.1)  # nothing is done until the figures come
    figures = {"type": "session_settled", "cost": 1.5, "currency": "EUR"}
    hass.bus.async_fire("jedlix_event", event | figures | {"session_id": "of another car"})
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=14))
    await asyncio.sleep(0.05)
    assert not sent
    if settled:
        hass.bus.async_fire("jedlix_event", event | figures)
    else:
        async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=16))
    await until(hass, lambda: sent)
    assert [call.data["message"] for call in sent] == [expected]


async def test_only_the_chosen_notifications_come_and_by_the_chosen_action(
    hass: HomeAssistant, use: Use, sim: Simulator, entry: MockConfigEntry, sent: list[ServiceCall]
) -> None:
    calls = async_mock_service(hass, "notify", "phone")
    to_phones: list[ServiceCall] = []

    async def send(call: ServiceCall) -> None:
        if call.data["entity_id"] == ["notify.gone"]:
            raise HomeAssistantError("no such phone")
        to_phones.append(call)

    hass.services.async_register("notify", "send_message", send)
    await use(
        "session_notification",
        cars={"device_id": [car_device(hass, entry, sim).id]},
        on_start=False,
        language="de",
        phones=["notify.gone", "notify.mine"],
        notify=[{"action": "notify.phone", "data": {"message": "{{ title }}: {{ trigger.type }}"}}],
    )
    sim.plug(sim.vehicle_ids[0], "unknown")
    sim.unplug(sim.vehicle_ids[0])
    await until(hass, lambda: calls)
    assert [call.data["message"] for call in calls] == ["Tesla Model 3: session_ended"]
    assert [call.data["entity_id"] for call in to_phones] == [["notify.mine"]]
    assert to_phones[0].data["title"] == "Tesla Model 3"
    assert to_phones[0].data["message"].startswith("Ladesitzung beendet")
    assert not sent


def test_each_blueprint_that_notifies_asks_for_the_phones_and_sends_to_them() -> None:
    for name, text in TEXTS.items():
        assert text.count("!input notify") == text.count("for_each: !input phones"), name


NOTIFYING: Final = [name for name, text in TEXTS.items() if "!input notify" in text]


@pytest.mark.parametrize("name", NOTIFYING)
def test_each_blueprint_that_notifies_does_so_in_the_languages_of_the_integration(
    name: str,
) -> None:
    parsed = parse_yaml(TEXTS[name])
    assert isinstance(parsed, dict)
    choice = parsed["blueprint"]["input"]["language"]["selector"]["select"]["options"]
    assert sorted(option["value"] for option in choice) == LANGUAGES
    (texts,) = (
        action["variables"]["texts"]
        for action in parsed["actions"]
        if "texts" in action.get("variables", ())
    )
    assert sorted(texts) == LANGUAGES
    for language, words in texts.items():
        assert words.keys() == texts["en"].keys(), language
    said = [word for words in texts.values() for word in words.values() if isinstance(word, str)]
    assert len({*said} - {".", ","}) > 2 * len(texts["en"]), "they are translated"


@pytest.mark.parametrize(("include_late", "expected"), [(False, 0), (True, 1)])
async def test_a_late_change_notifies_only_where_it_is_wanted(
    hass: HomeAssistant,
    use: Use,
    sim: Simulator,
    entry: MockConfigEntry,
    sent: list[ServiceCall],
    include_late: bool,
    expected: int,
) -> None:
    device = car_device(hass, entry, sim)
    await use("session_notification", cars={"device_id": device.id}, include_late=include_late)
    hass.bus.async_fire(
        "jedlix_event", {"device_id": device.id, "type": "session_ended", "late": True}
    )
    await hass.async_block_till_done()
    assert [call.data["message"] for call in sent] == ["Session ended"] * expected


# -- not_charging ------------------------------------------------------------------------------------------


async def test_a_car_that_waits_for_better_hours_notifies_only_on_demand(
    hass: HomeAssistant, use: Use, sim: Simulator, entry: MockConfigEntry, sent: list[ServiceCall]
) -> None:
    device, car = car_device(hass, entry, sim), sim.vehicle_ids[0]
    sim.telemetry(car, battery_level=40)
    sim.plug(car)
    await until(hass, lambda: state_of(hass, "_session", "sensor") == "smart")
    assert state_of(hass, "_charge_state", "sensor") == "stopped"
    await use("not_charging", car=device.id)
    await wait_for_time(hass, 23)
    assert not sent


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("waiting", "Jedlix waits for a better moment."),
        ("link", "Jedlix has lost the link to the car. Link it again."),
        ("location", "Jedlix does not know this location, so it is up to the car and the charger."),
        ("off", "Smart charging is switched off, so it is up to the car and the charger."),
    ],
)
async def test_the_reason_why_a_car_does_not_charge(
    hass: HomeAssistant,
    use: Use,
    sim: Simulator,
    entry: MockConfigEntry,
    sent: list[ServiceCall],
    reason: str,
    message: str,
) -> None:
    """It is found also where a person renamed entities, and a helper of the car says that it charges."""
    device, car = car_device(hass, entry, sim), sim.vehicle_ids[0]
    registry = er.async_get(hass)
    for number, entity in enumerate(er.async_entries_for_device(registry, device.id)):
        registry.async_update_entity(
            entity.entity_id, new_entity_id=f"{entity.domain}.renamed_{number}"
        )
    helper = registry.async_get_or_create("sensor", "template", "helper", device_id=device.id)
    hass.states.async_set(helper.entity_id, "charging")
    if reason == "off":
        sim.change_settings(car, isSmartChargingEnabled=False)
    sim.plug(car, "unknown" if reason == "location" else "home")
    sim.telemetry(car, battery_level=40, charge_state="stopped")
    if reason == "link":
        sim.link(car, connected=False)
    await entry.runtime_data.coordinator.async_refresh()
    await hass.async_block_till_done()
    await use("not_charging", car=device.id, time="22:00:00", waiting_is_fine=reason != "waiting")
    await wait_for_time(hass, 22)
    assert [(call.data["title"], call.data["message"]) for call in sent] == [
        ("Tesla Model 3 is plugged in but not charging", message)
    ]


@pytest.mark.parametrize("state", ["charging", "complete", "disconnected", "unavailable"])
async def test_a_car_that_charges_is_done_or_away_does_not_notify(
    hass: HomeAssistant,
    use: Use,
    sim: Simulator,
    entry: MockConfigEntry,
    sent: list[ServiceCall],
    state: str,
) -> None:
    device, car = car_device(hass, entry, sim), sim.vehicle_ids[0]
    if state != "disconnected":
        sim.plug(car)
        sim.telemetry(car, charge_state="stopped" if state == "unavailable" else state)
    await entry.runtime_data.coordinator.async_refresh()
    await use("not_charging", car=device.id, waiting_is_fine=False)
    if state == "unavailable":
        await hass.config_entries.async_unload(entry.entry_id)
    assert state_of(hass, "_charge_state", "sensor") == state
    await wait_for_time(hass, 23)
    assert not sent


# -- plug_in_reminder --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "state", "expected"),
    [
        (49, "disconnected", 1),
        (51, "disconnected", 0),
        (49, "stopped", 0),
        (49, "unknown", 0),
        (49, "unavailable", 0),
    ],
)
async def test_the_reminder_comes_for_a_low_car_that_is_surely_not_plugged_in(
    hass: HomeAssistant,
    use: Use,
    sim: Simulator,
    entry: MockConfigEntry,
    sent: list[ServiceCall],
    level: int,
    state: str,
    expected: int,
) -> None:
    car = sim.vehicle_ids[0]
    if state == "stopped":
        sim.plug(car)
    sim.telemetry(car, battery_level=level, charge_state=None if state == "unavailable" else state)
    await entry.runtime_data.coordinator.async_refresh()
    await use("plug_in_reminder", car=car_device(hass, entry, sim).id)
    if state == "unavailable":
        await hass.config_entries.async_unload(entry.entry_id)
    assert state_of(hass, "_charge_state", "sensor") == state
    await wait_for_time(hass, 21)
    assert [call.data for call in sent] == [
        {"title": "Plug in Tesla Model 3", "message": "The battery is at 49 %."}
    ] * expected


async def test_a_condition_of_the_user_s_own_holds_the_reminder_back(
    hass: HomeAssistant, use: Use, sim: Simulator, entry: MockConfigEntry, sent: list[ServiceCall]
) -> None:
    hass.states.async_set("person.anna", "not_home")
    only_if = [{"condition": "state", "entity_id": "person.anna", "state": "home"}]
    device = car_device(hass, entry, sim)
    await use("plug_in_reminder", car=device.id, only_if=only_if, language="nl")
    await wait_for_time(hass, 21)
    assert not sent
    hass.states.async_set("person.anna", "home")
    async_fire_time_changed(hass, dt_util.now() + timedelta(days=2))
    await hass.async_block_till_done()
    assert [call.data["title"] for call in sent] == ["Sluit Tesla Model 3 aan"]


# -- boost_when_low ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "location", "boosted"),
    [(29, "home", True), (31, "home", False), (29, "unknown", False)],
)
async def test_a_car_that_arrives_low_charges_at_once(
    hass: HomeAssistant,
    use: Use,
    sim: Simulator,
    entry: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
    level: int,
    location: str,
    boosted: bool,
) -> None:
    car = sim.vehicle_ids[0]
    sim.telemetry(car, battery_level=level)
    await use("boost_when_low", car=car_device(hass, entry, sim).id)
    sim.plug(car, location)
    await until(hass, lambda: state_of(hass, "_session", "sensor") != "none")
    session = sim.vehicle(car).session
    assert session is not None
    assert session.boost is boosted
    assert "Error" not in caplog.text


# -- hold_home_battery -------------------------------------------------------------------------------------


async def test_the_home_battery_is_held_just_while_the_car_draws_power(
    hass: HomeAssistant, use: Use, sim: Simulator, entry: MockConfigEntry
) -> None:
    car = sim.vehicle_ids[0]
    held, released = (async_mock_service(hass, "battery", what) for what in ("hold", "release"))
    await use(
        "hold_home_battery",
        charging=[entity_of(hass, "charging", "binary_sensor")],
        hold=[{"action": "battery.hold"}],
        release=[{"action": "battery.release"}],
    )
    sim.plug(car)
    sim.telemetry(car, charge_state="charging")
    await until(hass, lambda: held)
    assert not released
    sim.telemetry(car, charge_state="stopped")
    await until(hass, lambda: released)
    sim.telemetry(car, charge_state="charging")
    await until(hass, lambda: len(held) == 2)
    await hass.config_entries.async_unload(entry.entry_id)
    await hass.async_block_till_done()
    assert len(released) == 1, "a short outage is no reason to release the battery"
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=31))
    await hass.async_block_till_done()
    assert (len(held), len(released)) == (2, 2)


async def test_the_home_battery_is_let_go_when_nobody_knows_whether_the_car_charges(
    hass: HomeAssistant,
    use: Use,
    sim: Simulator,
    entry: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The link to the car has been lost for an hour."""
    clock, car = Clock(monkeypatch, sim), sim.vehicle_ids[0]
    held, released = (async_mock_service(hass, "battery", what) for what in ("hold", "release"))
    charging = entity_of(hass, "charging", "binary_sensor")
    await use(
        "hold_home_battery",
        charging=[charging],
        hold=[{"action": "battery.hold"}],
        release=[{"action": "battery.release"}],
    )
    sim.plug(car)
    sim.telemetry(car, charge_state="charging")
    await until(hass, lambda: held)
    refresh = entry.runtime_data.coordinator.refresher.refresh
    sim.link(car, connected=False)
    for minutes, state in ((0, STATE_ON), (59, STATE_ON), (2, STATE_UNKNOWN)):
        clock.go_on(timedelta(minutes=minutes))
        await refresh(sim.user_ids[0], Source.POLL)
        await hass.async_block_till_done()
        found = hass.states.get(charging)
        assert found is not None
        assert found.state == state
    async_fire_time_changed(hass, datetime.now(UTC) + timedelta(minutes=29))
    await hass.async_block_till_done()
    assert not released, "it may be known again at once"
    async_fire_time_changed(hass, datetime.now(UTC) + timedelta(minutes=31))
    await hass.async_block_till_done()
    assert (len(held), len(released)) == (1, 1)


# -- not_in_time -------------------------------------------------------------------------------------------


async def test_a_car_that_is_not_charged_in_time_or_is_out_of_reach_notifies(
    hass: HomeAssistant, use: Use, sim: Simulator, entry: MockConfigEntry, sent: list[ServiceCall]
) -> None:
    car = sim.vehicle_ids[0]
    sim.plug(car)
    await until(hass, lambda: state_of(hass, "_smart_session") == "on")
    await use("not_in_time", cars={"device_id": car_device(hass, entry, sim).id})
    sim.impossible(car)
    await until(hass, lambda: len(sent) == 1)
    desired = sim.vehicle(car).settings["desiredBatteryLevel"]
    assert (
        sent[0].data["message"].startswith(f"Will not be charged in time. {desired} % is wanted. ")
    )
    sim.link(car, connected=False, reason="credentials")
    await until(hass, lambda: len(sent) == 2)
    assert "its maker refuses the credentials" in sent[1].data["message"]
    assert {call.data["title"] for call in sent} == {car_device(hass, entry, sim).name}


# -- not_ready_by ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("is_plugged_in", "level", "inputs", "message"),
    [
        (True, 40, {"enough": 90}, "It gets to about 70 % by {time}. 80 % are needed."),
        (True, 40, {"enough": 69}, None),
        (True, 40, {"enough": 90, "speed": 20}, None),
        (
            False,
            40,
            {},
            "It is not plugged in and has 40 %. 60 % are needed by {time}.",
        ),
        (
            False,
            20,
            {},
            "It is not plugged in and has 20 %. 60 % are needed by {time}. {then}",
        ),
        (False, 60, {}, None),
        (
            False,
            20,
            {"only_if": [{"condition": "template", "value_template": "{{ false }}"}]},
            None,
        ),
    ],
)
@pytest.mark.usefixtures("home")
async def test_the_evening_warns_of_a_level_that_is_out_of_reach(
    hass: HomeAssistant,
    use: Use,
    sim: Simulator,
    sent: list[ServiceCall],
    *,
    is_plugged_in: bool,
    level: int,
    inputs: dict[str, Any],
    message: str | None,
) -> None:
    """The departure is three hours ahead, whatever the time is now."""
    await hass.config.async_set_time_zone("UTC")  # where no clock is changed
    departure = dt_util.now() + timedelta(hours=3, seconds=30)
    departs = {"assumedByTheSimulator": {"time": f"{departure:%H:%M}"}}
    car = sim.vehicle_ids[0]
    sim.change_settings(car, departureTimes=departs, timeZone="UTC")
    sim.telemetry(car, battery_level=level)
    if is_plugged_in:
        sim.plug(car)
        sim.telemetry(car, battery_level=level, charge_state="stopped")
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    er.async_get(hass).async_update_entity(
        "number.tesla_model_3_desired_battery_level", new_entity_id="number.as_the_owner_calls_it"
    )
    await hass.async_block_till_done()
    await use("not_ready_by", car=car_device(hass, entry, sim).id, **inputs)
    await wait_for_time(hass, 21)
    assert [call.data for call in sent] == [
        {
            "title": "Tesla Model 3 will not be ready",
            "message": text.format(
                time=f"{departure:%H:%M}", then="Plugged in now, it gets to about 50 %."
            ),
        }
        for text in filter(None, [message])
    ]


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("hours", [3, -1])
async def test_without_a_ready_by_the_usual_departure_counts(
    hass: HomeAssistant,
    use: Use,
    start_simulator: StartSimulator,
    sent: list[ServiceCall],
    hours: int,
) -> None:
    await hass.config.async_set_time_zone("UTC")
    sim = await start_simulator(departure_times="none")
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    usual = f"{dt_util.now() + timedelta(hours=hours):%H:%M}"
    await use("not_ready_by", car=car_device(hass, entry, sim).id, speed=2, ready_by=f"{usual}:00")
    await wait_for_time(hass, 21)
    [call] = sent
    reachable = {3: 18, -1: 58}[hours]
    assert call.data["message"].endswith(
        f"60 % are needed by {usual}. Plugged in now, it gets to about {reachable} %."
    )


# -- pause_for_calendar ------------------------------------------------------------------------------------


class Diary(CalendarEntity):
    """A calendar with one event."""

    entity_id = "calendar.diary"

    def __init__(self, event: CalendarEvent) -> None:
        """Hold the event."""
        self._event = event

    @property
    @override
    def event(self) -> CalendarEvent:
        """Return the event."""
        return self._event

    @override
    async def async_get_events(self, *_: Any) -> list[CalendarEvent]:
        """Return the event, whatever is asked."""
        return [self._event]


@pytest.mark.parametrize(
    ("all_day", "title", "paused"),
    [(False, "A long DRIVE home", True), (True, "Drive", True), (False, "Dentist", False)],
)
async def test_smart_charging_pauses_from_before_the_event_until_its_end(
    hass: HomeAssistant,
    use: Use,
    sim: Simulator,
    entry: MockConfigEntry,
    all_day: bool,
    title: str,
    paused: bool,
) -> None:
    begins = dt_util.now().replace(microsecond=0) + timedelta(minutes=5)
    start = dt_util.start_of_local_day(begins + timedelta(days=2))
    end = start + timedelta(days=1)
    times = (start.date(), end.date()) if all_day else (start, end)
    calendars = hass.data[CALENDARS]
    await calendars.async_add_entities([Diary(CalendarEvent(*times, title))])
    car = sim.vehicle_ids[0]
    await use(
        "pause_for_calendar",
        car=car_device(hass, entry, sim).id,
        calendar=Diary.entity_id,
        words="Drive",
        before={"seconds": int((start - begins).total_seconds())},
    )
    async_fire_time_changed(hass, begins - timedelta(seconds=1))
    await hass.async_block_till_done()
    assert sim.vehicle(car).settings["isSmartChargingEnabled"] is True
    async_fire_time_changed(hass, begins)
    await hass.async_block_till_done()
    settings = sim.vehicle(car).settings
    assert settings["isSmartChargingEnabled"] is not paused
    resumes = settings["enableSmartChargingAt"]
    assert (resumes and dt_util.parse_datetime(resumes)) == (end if paused else None)
    await calendars.async_remove_entity(Diary.entity_id)


# -- cost_report -------------------------------------------------------------------------------------------


async def test_the_report_on_the_month_before_comes_on_the_first_of_the_month(
    hass: HomeAssistant,
    use: Use,
    start_simulator: StartSimulator,
    callback_url: str,
    sent: list[ServiceCall],
) -> None:
    async def run(*, skip_condition: bool) -> None:
        await hass.services.async_call(
            "automation",
            "trigger",
            {"entity_id": "automation.cost_report", "skip_condition": skip_condition},
            blocking=True,
        )

    sim = await start_simulator(history_days=62)
    entry = make_entry(sim, callback_url)
    await set_up(hass, entry)
    await use("cost_report", car=car_device(hass, entry, sim).id)
    await run(skip_condition=False)
    assert len(sent) == (dt_util.now().day == 1)
    sent.clear()
    await run(skip_condition=True)
    end = dt_util.start_of_local_day().replace(day=1)
    start = (end - timedelta(days=1)).replace(day=1)
    sessions = [item for item in sim.world.sessions.by_id.values() if start <= item.start < end]
    assert len(sessions) > 5
    energy, cost, savings = (
        sum(round(getattr(item, name), 2) for item in sessions)
        for name in ("energy_kwh", "cost", "savings")
    )
    (report,) = sent
    assert report.data["title"] == f"Tesla Model 3: charging in {start:%B %Y}"
    count, kwh, paid, saved = re.findall(r"-?\d+\.?\d*", report.data["message"])
    assert int(count) == len(sessions)
    assert [float(kwh), float(paid), float(saved)] == pytest.approx(
        [energy, cost, savings], abs=0.1
    )


async def test_a_month_without_sessions_says_so(
    hass: HomeAssistant,
    use: Use,
    start_simulator: StartSimulator,
    callback_url: str,
    sent: list[ServiceCall],
) -> None:
    sim = await start_simulator(history_days=0)
    entry = make_entry(sim, callback_url)
    await set_up(hass, entry)
    await use("cost_report", car=car_device(hass, entry, sim).id)
    await hass.services.async_call(
        "automation", "trigger", {"entity_id": "automation.cost_report"}, blocking=True
    )
    assert [call.data["message"] for call in sent] == ["No sessions."]


# -- push_trouble ------------------------------------------------------------------------------------------


async def test_trouble_with_push_notifies_when_it_lasts(
    hass: HomeAssistant,
    use: Use,
    sim: Simulator,
    entry: MockConfigEntry,
    sent: list[ServiceCall],
) -> None:
    async def deliver(*, with_key: bool) -> None:
        sim.strike({"wrong_key": 0.0 if with_key else 1.0})
        for _ in range(3):
            sim.add_user()
        state = PushState.HEALTHY if with_key else PushState.FAILING
        await until(hass, lambda: state_of(hass, "_push_state") == state)

    await use("push_trouble", push_state=entity_of(hass, "push_state", "sensor"))
    await deliver(with_key=False)
    await deliver(with_key=True)
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(hours=2))
    await hass.async_block_till_done()
    assert not sent, "it was over within the hour"
    await deliver(with_key=False)
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(hours=2))
    await until(hass, lambda: sent)
    assert [call.data["message"] for call in sent] == [
        "Push is failing. Until this is fixed, changes arrive with the poll."
    ]
