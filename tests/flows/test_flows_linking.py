"""Linking a car at its maker: from the gear of a user's row, and from the repairs."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, Self

from homeassistant.core import Event, HomeAssistant
from homeassistant.data_entry_flow import EVENT_DATA_ENTRY_FLOW_PROGRESSED, FlowResultType
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.jedlix.api import WebhookMessage
from custom_components.jedlix.flows import linking, reminder
from simulator.app import Simulator
from simulator.model import ConnectSession
from tests.commanding import car_state, mark
from tests.dialogs import TEXTS, Dialog
from tests.push.tools import repairs_of
from tests.simulators import StartSimulator
from tests.tools import make_entry, record_events, set_up, until

LINK: Final = "binary_sensor.vehicle_link"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often."""
    monkeypatch.setattr(linking, "LOOK_INTERVAL", 0.01)


@pytest.fixture
async def entry(hass: HomeAssistant, sim: Simulator) -> MockConfigEntry:
    """Return an entry without push: only polls and requested refreshes read the car."""
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    return entry


class Linking(Dialog):
    """A dialog that links a car."""

    @classmethod
    async def begin(cls, hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator) -> Self:
        """Press the gear of the first user, and agree."""
        dialog = await cls.link(hass, entry, sim.user_ids[0])
        assert (dialog.step, dialog.errors) == ("link", {})
        return await dialog.send()

    @property
    def page(self) -> str:
        """Return the page that the dialog asks a person to open."""
        assert self.type is FlowResultType.SHOW_PROGRESS, self.result
        return str(self.placeholders["url"])

    @property
    def words(self) -> str:
        """Return the key of the words beside the page."""
        return str(self.result["progress_action"])

    async def until(self, condition: Callable[[Self], bool]) -> Self:
        """Ask until the dialog shows something, as the browser does."""
        async with asyncio.timeout(10):
            while not condition(self):
                await asyncio.sleep(0.01)
                await self.ask()
        return self

    async def end(self) -> str:
        """Wait for the end; return its reason."""
        await self.until(lambda it: it.type is FlowResultType.ABORT)
        return self.reason


def attempt(sim: Simulator) -> ConnectSession:
    """Return the newest attempt at Jedlix."""
    return list(sim.linking.sessions.values())[-1]


def lose(sim: Simulator, **more: Any) -> None:
    """Have Jedlix lose the link of the first car."""
    sim.link(sim.vehicle_ids[0], connected=False, **more)


async def refresh(entry: MockConfigEntry, sim: Simulator) -> None:
    """Read the first user."""
    await entry.runtime_data.coordinator.refresh_after_command(sim.user_ids[0])


# -- the way -------------------------------------------------------------------------------------------------


async def test_a_lost_car_is_linked_again_over_two_pages(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    lose(sim)
    await refresh(entry, sim)
    assert car_state(hass, sim, LINK).state == "off"
    recorded, sim.linking.pages = record_events(hass), 2
    dialog = await Linking.link(hass, entry, sim.user_ids[0])
    assert dialog.placeholders == {"user": sim.user_ids[0]}
    assert sim.linking.sessions == {}  # nothing was begun yet
    await dialog.send()
    assert attempt(sim).reconnects == sim.vehicle_ids[0]
    assert (dialog.words, dialog.placeholders["page"]) == ("log_in", "1")
    first = dialog.page
    sim.log_in(attempt(sim).id)
    await dialog.until(lambda it: it.words == "next_page")
    assert dialog.page not in (first, "")
    assert dialog.placeholders["page"] == "2"
    sim.log_in(attempt(sim).id)
    assert await dialog.end() == "linked"
    assert car_state(hass, sim, LINK).state == "on"
    assert recorded.types == ["vehicle_link_restored"]
    assert len(entry.subentries) == 1


async def test_a_user_without_a_car_gets_one(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    sim.remove(sim.vehicle_ids[0])
    entry.runtime_data.coordinator.unfollow(sim.user_ids[0])
    entry.runtime_data.coordinator.follow(sim.user_ids[0])
    await hass.async_block_till_done()
    dialog = await Linking.begin(hass, entry, sim)
    assert attempt(sim).reconnects is None
    sim.log_in(attempt(sim).id)
    assert await dialog.end() == "linked"
    assert car_state(hass, sim, "sensor.charge_state").state == "disconnected"


async def test_of_several_cars_one_is_chosen(
    hass: HomeAssistant, start_simulator: StartSimulator
) -> None:
    sim = await start_simulator(users=2)
    sim.strike({"kind": "vehicle_moves", "vehicle": sim.vehicle_ids[1], "to_user": 1})
    entry = make_entry(sim, None, users=[sim.user_ids[0]])
    await set_up(hass, entry)
    dialog = await Linking.link(hass, entry, sim.user_ids[0])
    assert dialog.step == "reconfigure"
    assert list(dialog.labels("vehicle")) == sim.vehicle_ids
    left_open = await Linking.link(hass, entry, sim.user_ids[0])
    await dialog.send(vehicle=sim.vehicle_ids[1])
    await dialog.send()
    assert attempt(sim).reconnects == sim.vehicle_ids[1]
    await dialog.close()
    await hass.config_entries.async_remove(entry.entry_id)
    await left_open.send(vehicle=sim.vehicle_ids[1])
    assert left_open.reason == "user_removed"


@pytest.mark.parametrize("repair", ["vehicle_link_lost", "link_ready_to_continue"])
async def test_a_repair_links_the_car_and_is_gone(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, repair: str
) -> None:
    car = sim.vehicle(sim.vehicle_ids[0])
    if repair == "vehicle_link_lost":
        lose(sim)
        published = sim.webhooks.publish("vehicleDisconnected", car.user_id, sim.now())
        message = WebhookMessage.from_json(published.message)
        entry.runtime_data.coordinator.deliveries.handle(message)
    else:
        sim.wait_for_maker(car.id)
        await refresh(entry, sim)
        assert repairs_of(hass) == []
        sim.ready(car.id)
    await refresh(entry, sim)
    assert repairs_of(hass) == [repair]
    dialog = await Linking.repair(hass, entry, repair, of=f"{car.user_id}_{car.id}")
    assert dialog.placeholders == {"account": "Jedlix", "car": f"{car.brand} {car.model}"}
    await dialog.send()
    sim.log_in(attempt(sim).id)
    await dialog.until(lambda it: it.type is FlowResultType.CREATE_ENTRY)
    assert repairs_of(hass) == []


async def test_a_repair_stays_while_jedlix_does_not_report_the_car_as_linked(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    car = sim.vehicle(sim.vehicle_ids[0])
    sim.ready(car.id)
    lose(sim)
    await refresh(entry, sim)
    dialog = await Linking.repair(
        hass, entry, "link_ready_to_continue", of=f"{car.user_id}_{car.id}"
    )
    await dialog.send()
    finished = replace(attempt(sim), vehicle_id=car.id)
    sim.linking.sessions[finished.id] = finished  # and the car is as it was
    assert await dialog.end() == "linked_unseen"
    assert repairs_of(hass) == ["link_ready_to_continue"]
    sim.link(car.id, connected=True)
    await refresh(entry, sim)
    assert repairs_of(hass) == []


# -- what keeps it from beginning ----------------------------------------------------------------------------

CALL: Final = "reconnect_vehicle"


# What Jedlix answers, and the reason that is shown. In a form it can be tried again.
REFUSALS: Final[dict[str, dict[str, Any]]] = {
    "link_conflict": {"kind": "status", "status": 409},
    "link_not_offered": {"kind": "status", "status": 403},
    "link_refused": {"kind": "status", "status": 400},
    "cannot_connect": {"kind": "status", "status": 503},
    "invalid_auth": {"kind": "status", "status": 401},
    "not_jedlix": {"kind": "html", "status": 200},
}


async def test_jedlix_does_not_begin(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    tried_again = []
    for shown, fault in REFUSALS.items():
        numbers = sim.strike({"endpoints": [CALL], **fault})
        dialog = await Linking.begin(hass, entry, sim)
        sim.strike({"remove": numbers})
        assert sim.linking.sessions == {}
        if dialog.type is FlowResultType.ABORT:
            assert dialog.reason == shown
            continue
        assert dialog.errors == {"base": shown}
        await dialog.send()
        assert dialog.page
        await dialog.close()
        sim.linking.sessions.clear()
        tried_again.append(shown)
    assert tried_again == ["link_refused", "cannot_connect", "invalid_auth", "not_jedlix"]


async def test_a_tenant_that_links_no_cars(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    sim.strike({"absent": ["connect_vehicle", "reconnect_vehicle"]})
    dialog = await Linking.begin(hass, entry, sim)
    assert dialog.reason == "link_not_offered"


async def test_an_attempt_that_is_open_is_continued(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    await (await Linking.begin(hass, entry, sim)).close()
    sim.strike({"kind": "status", "status": 409, "endpoints": [CALL]})
    dialog = await Linking.begin(hass, entry, sim)
    (known,) = sim.linking.sessions.values()
    assert known.id.replace("-", "") in dialog.page
    sim.log_in(known.id)
    assert await dialog.end() == "linked"


async def test_a_car_that_is_linked_at_once(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = sim.linking.start

    def finished(*args: Any) -> ConnectSession:
        sim.linking.log_in(start(*args), sim.now())
        return attempt(sim)

    monkeypatch.setattr(sim.linking, "start", finished)
    assert (await Linking.begin(hass, entry, sim)).reason == "linked"


async def test_a_log_in_that_only_an_app_can_do(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    """The second page may be the first that needs it."""
    sim.linking.pages = 2
    dialog = await Linking.begin(hass, entry, sim)
    sim.linking.sessions[attempt(sim).id] = replace(attempt(sim), needs_app=True)
    assert await dialog.end() == "needs_app"
    sim.linking.needs_app = True
    assert (await Linking.begin(hass, entry, sim)).reason == "needs_app"


async def test_a_car_that_cannot_be_linked_from_here(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    lose(sim, connectable=False)
    await refresh(entry, sim)
    dialog = await Linking.link(hass, entry, sim.user_ids[0])
    assert dialog.reason == "not_connectable"
    assert sim.linking.sessions == {}


# -- while it waits ------------------------------------------------------------------------------------------


async def test_an_outage_is_said_and_the_dialog_goes_on(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    dialog = await Linking.begin(hass, entry, sim)
    page = dialog.page
    numbers = sim.strike({"kind": "status", "status": 503, "endpoints": ["connect_session"]})
    await dialog.until(lambda it: it.words == "away")
    assert dialog.page == page
    sim.strike({"remove": numbers})
    await dialog.until(lambda it: it.words == "log_in")
    sim.log_in(attempt(sim).id)
    assert await dialog.end() == "linked"


async def test_an_attempt_is_forgotten_only_if_jedlix_says_so_three_times(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    for status in (403, 404):
        dialog = await Linking.begin(hass, entry, sim)
        fault = {"kind": "status", "status": status, "endpoints": ["connect_session"]}
        sim.strike(fault | {"times": 2})
        await until(hass, lambda: not list(sim.aimed))
        await asyncio.sleep(0.1)
        await dialog.ask()
        assert dialog.words == "log_in"
        numbers = sim.strike(fault)
        assert await dialog.end() == "link_lost"
        sim.strike({"remove": numbers})


async def test_a_404_of_something_in_between_is_an_outage(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    dialog = await Linking.begin(hass, entry, sim)
    sim.strike({"kind": "html", "status": 404, "endpoints": ["connect_session"]})
    await dialog.until(lambda it: it.words == "away")
    await dialog.close()


async def test_after_a_while_the_dialog_asks_whether_to_go_on(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linking, "PATIENCE", 0.1)
    dialog = await Linking.begin(hass, entry, sim)
    page = dialog.page
    await dialog.until(lambda it: it.type is FlowResultType.FORM)
    assert dialog.step == "link_unfinished"
    calls = mark(sim)
    await asyncio.sleep(0.1)
    assert calls() == []
    monkeypatch.setattr(linking, "PATIENCE", 900.0)
    await dialog.send()
    assert dialog.page == page
    sim.log_in(attempt(sim).id)
    assert await dialog.end() == "linked"


async def test_a_dialog_that_is_closed_asks_no_more_and_the_car_is_linked_nevertheless(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    lose(sim)
    await refresh(entry, sim)
    await (await Linking.begin(hass, entry, sim)).close()
    calls = mark(sim)
    await asyncio.sleep(0.1)
    assert calls() == []
    sim.log_in(attempt(sim).id)
    await entry.runtime_data.coordinator.async_refresh()
    await hass.async_block_till_done()
    assert car_state(hass, sim, LINK).state == "on"


async def test_a_reload_meanwhile_does_no_harm(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    dialog = await Linking.begin(hass, entry, sim)
    await hass.config_entries.async_unload(entry.entry_id)
    await dialog.until(lambda it: it.words == "away")
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    sim.log_in(attempt(sim).id)
    assert await dialog.end() == "linked"


@pytest.mark.parametrize("what", ["user", "entry"])
async def test_a_user_who_is_removed_meanwhile(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, what: str
) -> None:
    dialog = await Linking.begin(hass, entry, sim)
    agreed = await Linking.link(hass, entry, sim.user_ids[0])
    if what == "user":
        hass.config_entries.async_remove_subentry(entry, next(iter(entry.subentries)))
    else:
        await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()
    assert await dialog.end() == "user_removed"
    await agreed.send()
    assert agreed.reason == "user_removed"
    assert len(sim.linking.sessions) == 1


async def test_an_account_that_is_not_loaded(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry
) -> None:
    dialog = await Linking.link(hass, entry, sim.user_ids[0])
    await hass.config_entries.async_unload(entry.entry_id)
    assert (await Linking.link(hass, entry, sim.user_ids[0])).reason == "not_loaded"
    await dialog.send()
    assert dialog.errors == {"base": "not_loaded"}
    await dialog.close()


async def test_an_entry_that_is_unloaded_when_the_car_is_linked(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialog = await Linking.begin(hass, entry, sim)
    client, read = entry.runtime_data.client, entry.runtime_data.client.connect_session

    async def read_and_unload(*args: str) -> Any:
        session = await read(*args)
        if session.is_finished:
            await hass.config_entries.async_unload(entry.entry_id)
        return session

    monkeypatch.setattr(client, "connect_session", read_and_unload)
    sim.log_in(attempt(sim).id)
    assert await dialog.end() == "linked_unseen"


async def test_an_unexpected_error_ends_the_dialog_in_words(
    hass: HomeAssistant,
    sim: Simulator,
    entry: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    dialog = await Linking.begin(hass, entry, sim)

    async def fail(*_args: str) -> None:
        raise RuntimeError("the moon")

    monkeypatch.setattr(entry.runtime_data.client, "connect_session", fail)
    assert await dialog.end() == "unknown"
    assert "the moon" in caplog.text


# -- a page that slept ---------------------------------------------------------------------------------------


async def test_a_dialog_whose_event_was_lost_is_reminded_until_it_asks(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reminder, "SHORTEST_PAUSE", 0.02)
    events: list[Event[Any]] = []
    hass.bus.async_listen(EVENT_DATA_ENTRY_FLOW_PROGRESSED, events.append)

    async def is_reminded(count: int) -> None:
        events.clear()
        await until(hass, lambda: len(events) > count)

    async def is_not_reminded() -> None:
        events.clear()
        await asyncio.sleep(0.1)
        assert events == []

    sim.linking.pages = 2
    dialog = await Linking.begin(hass, entry, sim)
    await is_not_reminded()
    sim.log_in(attempt(sim).id)
    await is_reminded(5)  # Home Assistant itself says it once
    await dialog.ask()
    assert dialog.words == "next_page"
    await is_not_reminded()
    sim.log_in(attempt(sim).id)
    await is_reminded(5)
    assert {event.data["flow_id"] for event in events} == {dialog.result["flow_id"]}
    await dialog.ask()
    assert dialog.reason == "linked"
    await is_not_reminded()


async def test_a_dialog_that_was_left_behind_is_reminded_ever_more_rarely(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    clock, notified = [0.0], []
    loop = asyncio.get_running_loop()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        clock[0] += seconds
        if clock[0] > 86_400:
            raise asyncio.CancelledError

    class Flow:
        """A flow that nobody looks at any more."""

        async_notify_flow_changed = staticmethod(lambda: notified.append(clock[0]))

    flow = Flow()
    flow.hass = hass  # type: ignore[attr-defined]
    with monkeypatch.context() as patched:
        patched.setattr(loop, "time", lambda: clock[0])
        patched.setattr(asyncio, "sleep", sleep)
        reminding = reminder.Reminder()
        reminding.start(flow)  # type: ignore[arg-type]
    assert pauses[0] == 5.0
    assert pauses == sorted(pauses)
    assert 200 < len(notified) < 500
    reminding.stop()


# -- what nobody else may see --------------------------------------------------------------------------------


async def test_the_address_of_the_page_is_in_the_dialog_only(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    sim: Simulator,
    entry: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG", "custom_components")
    lose(sim, reason="credentials")
    await refresh(entry, sim)
    dialog = await Linking.begin(hass, entry, sim)
    secret = attempt(sim).id
    assert secret.replace("-", "") in dialog.page
    sim.strike(
        {"kind": "status", "status": 404, "endpoints": ["connect_session"], "text": dialog.page}
    )
    assert await dialog.end() == "link_lost"
    seen = [
        caplog.text,
        str(await get_diagnostics_for_config_entry(hass, hass_client, entry)),
        str(entry.runtime_data.api_report()),
        str(ir.async_get(hass).issues),
    ]
    for text in seen:
        assert secret not in text
        assert secret.replace("-", "") not in text
    assert "connect_session" in seen[2]


def test_every_reason_has_words() -> None:
    texts = TEXTS["config_subentries"]["user"]
    assert texts["error"].keys() >= linking._TRY_AGAIN
    for repair in ("vehicle_link_lost", "link_ready_to_continue"):
        flow = TEXTS["issues"][repair]["fix_flow"]
        assert flow["error"].keys() == linking._TRY_AGAIN
        assert flow["progress"] == texts["progress"]
        assert flow["abort"].keys() < texts["abort"].keys()
