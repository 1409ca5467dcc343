"""Repairs of push: shown once a problem has lasted, for as long as it lasts, with a dialog that ends it."""

from datetime import timedelta
import json
from pathlib import Path
import re
from typing import Any, Final

from aiohttp import web
from aiohttp.test_utils import TestClient
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import Event, HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.const import CONF_CALLBACK_URL, DOMAIN
from custom_components.jedlix.push import callback_url as callback_url_module
from custom_components.jedlix.push.health import PushState
from custom_components.jedlix.push.issues import REPAIRS
from custom_components.jedlix.state.link import LinkRepair
from simulator.app import Simulator
from tests.dialogs import TEXTS, Dialog
from tests.push.tools import (
    has_problem,
    poll_after,
    push_of,
    reaches,
    repairs_of,
    set_up_callback,
    toggle_plug,
)
from tests.tools import WEBHOOK_ID, WEBHOOK_KEY, Clock, state_of, until

ROOT: Final = Path(__file__).parents[1]
NOWHERE: Final = "http://127.0.0.1:9"
TOLERATED: Final = timedelta(minutes=5) - timedelta(seconds=1)
SECONDS: Final = timedelta(seconds=2)
POLL: Final = timedelta(minutes=5)
HOUR: Final = timedelta(hours=1)


@pytest.fixture(autouse=True)
async def repairs(hass: HomeAssistant, enable_custom_integrations: None) -> None:
    """Have the dialogs of repairs."""
    assert await async_setup_component(hass, "repairs", {})


async def submit(
    hass: HomeAssistant, entry: MockConfigEntry, repair: str, **answers: str
) -> Dialog:
    """Submit the dialog of a repair; an answer that changes the entry reloads it."""
    dialog = await Dialog.repair(hass, entry, repair)
    assert dialog.step == "callback"
    assert dialog.placeholders["account"] == entry.title
    await dialog.submit(**answers)
    await hass.async_block_till_done()
    return dialog


# Each repair: the callback, its URL, the simulator's faults, and the answer that ends it.
PROBLEMS: Final[dict[str, tuple[str, str | None, dict[str, Any], dict[str, str]]]] = {
    "no_public_url": ("external", None, {}, {"callback": "custom", "callback_url": "HOME"}),
    "endpoint_not_reachable": ("custom", NOWHERE, {}, {"callback_url": "HOME"}),
    "subscription_rejected": ("custom", "HOME", {"subscription_status": 422}, {}),
    "slot_taken": ("custom", "HOME", {"subscription_status": 409}, {}),
    "wrong_key": ("custom", "HOME", {"wrong_key": 1.0}, {}),
}


@pytest.mark.parametrize("repair", PROBLEMS)
async def test_a_problem_that_lasts_shows_a_repair_whose_dialog_ends_it(
    hass: HomeAssistant, sim: Simulator, callback_url: str, clock: Clock, repair: str
) -> None:
    callback, url, faults, right = PROBLEMS[repair]
    sim.strike(faults)
    url = callback_url if url == "HOME" else url
    entry = await set_up_callback(hass, sim, callback, url)
    await until(hass, lambda: push_of(entry).registration.problem is not None)
    assert state_of(hass, "_push_state") == "failing"
    await poll_after(hass, clock, entry, TOLERATED)
    assert repairs_of(hass) == []
    await poll_after(hass, clock, entry, SECONDS)
    assert repairs_of(hass) == [repair]
    assert entry.state is ConfigEntryState.LOADED
    issue = ir.async_get(hass).async_get_issue(DOMAIN, f"{repair}_{entry.entry_id}")
    assert issue is not None
    assert issue.is_fixable
    assert not issue.is_persistent
    assert issue.translation_placeholders is not None
    reason = issue.translation_placeholders["reason"]
    assert issue.translation_placeholders == {"account": "Jedlix", "reason": reason}
    if repair == "subscription_rejected":
        assert "(HTTP 422)" in reason
        dialog = await Dialog.repair(hass, entry, repair)
        assert dialog.placeholders["reason"] == reason
        await dialog.close()
    assert WEBHOOK_KEY not in repr(issue)
    assert WEBHOOK_ID not in repr(issue)
    manifest = json.loads((ROOT / "custom_components/jedlix/manifest.json").read_text())
    page = f"{manifest['documentation']}/blob/main/docs/push-and-repairs.md"
    assert issue.learn_more_url == f"{page}#{repair.replace('_', '-')}"
    sim.faults.clear()
    answers = {key: callback_url if value == "HOME" else value for key, value in right.items()}
    dialog = await submit(hass, entry, repair, **answers)
    assert dialog.type is FlowResultType.CREATE_ENTRY
    await reaches(hass, entry, PushState.WAITING)
    assert repairs_of(hass) == []
    assert entry.data[CONF_CALLBACK_URL] == callback_url
    toggle_plug(sim)
    await reaches(hass, entry, PushState.HEALTHY)
    await poll_after(hass, clock, entry, HOUR)
    assert repairs_of(hass) == []


async def test_an_address_without_https_shows_a_repair(
    hass: HomeAssistant,
    sim: Simulator,
    callback_url: str,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(callback_url_module, "allows_http", lambda _data: False)
    entry = await set_up_callback(hass, sim, "custom", callback_url)
    await has_problem(hass, entry, "not_https")
    await poll_after(hass, clock, entry, POLL + SECONDS)
    assert repairs_of(hass) == ["url_not_https"]
    assert (await submit(hass, entry, "url_not_https")).errors == {"base": "not_https"}
    assert repairs_of(hass) == ["url_not_https"]


async def test_a_problem_that_passes_shows_nothing(
    hass: HomeAssistant, sim: Simulator, callback_url: str, clock: Clock
) -> None:
    updates: list[Event[Any]] = []
    hass.bus.async_listen(ir.EVENT_REPAIRS_ISSUE_REGISTRY_UPDATED, updates.append)
    entry = await set_up_callback(hass, sim, "custom", NOWHERE)
    await reaches(hass, entry, PushState.FAILING)
    await poll_after(hass, clock, entry, *[timedelta(minutes=1)] * 3)
    hass.config_entries.async_update_entry(
        entry, data={**entry.data, CONF_CALLBACK_URL: callback_url}
    )
    await hass.async_block_till_done()
    await reaches(hass, entry, PushState.WAITING)
    await poll_after(hass, clock, entry, timedelta(minutes=10))
    assert updates == []


async def test_another_problem_must_last_too_before_its_repair_is_shown(
    hass: HomeAssistant, sim: Simulator, callback_url: str, clock: Clock
) -> None:
    sim.strike({"subscription_status": 409})
    entry = await set_up_callback(hass, sim, "custom", callback_url)
    await has_problem(hass, entry, "slot_taken")
    await poll_after(hass, clock, entry, TOLERATED)
    sim.strike({"subscription_status": 422})
    push_of(entry).registration.check_now()
    await has_problem(hass, entry, "rejected")
    await poll_after(hass, clock, entry, TOLERATED)
    assert repairs_of(hass) == []
    await poll_after(hass, clock, entry, SECONDS)
    assert repairs_of(hass) == ["subscription_rejected"]


# -- a registration that Jedlix rejects --------------------------------------------------------------------


@pytest.fixture
async def rejected(
    hass: HomeAssistant, sim: Simulator, callback_url: str, clock: Clock
) -> MockConfigEntry:
    """Return an entry whose registration has been rejected for so long that a repair is shown."""
    sim.strike({"subscription_status": 422})
    entry = await set_up_callback(hass, sim, "custom", callback_url)
    await reaches(hass, entry, PushState.FAILING)
    await poll_after(hass, clock, entry, POLL + SECONDS)
    assert repairs_of(hass) == ["subscription_rejected"]
    return entry


async def test_the_reason_that_the_repair_mentions_is_logged_once(
    hass: HomeAssistant,
    sim: Simulator,
    rejected: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refusals() -> int:
        return sum(request.status == 422 for request in sim.requests)

    in_one_pass = refusals()
    push_of(rejected).registration.check_now()
    await until(hass, lambda: refusals() == 2 * in_one_pass)
    records = [*caplog.get_records("setup"), *caplog.records]
    warned = [record.getMessage() for record in records if record.levelname == "WARNING"]
    assert [words for words in warned if "refuses to register the webhook" in words] == [
        "Jedlix refuses to register the webhook: The registration was refused (a fault). (HTTP 422)"
    ]


async def test_a_repair_stays_in_an_outage_and_ends_by_itself_on_recovery(
    hass: HomeAssistant, sim: Simulator, rejected: MockConfigEntry
) -> None:
    sim.strike({"subscription_status": 503})
    push_of(rejected).registration.check_now()
    await reaches(hass, rejected, PushState.CONNECTING)
    assert push_of(rejected).registration.problem is None
    assert repairs_of(hass) == ["subscription_rejected"]
    sim.faults.clear()
    push_of(rejected).registration.check_now()
    await reaches(hass, rejected, PushState.WAITING)
    assert repairs_of(hass) == []


async def test_the_repair_of_another_problem_replaces_the_first(
    hass: HomeAssistant, sim: Simulator, rejected: MockConfigEntry, clock: Clock
) -> None:
    sim.strike({"subscription_status": 409})
    push_of(rejected).registration.check_now()
    await has_problem(hass, rejected, "slot_taken")
    await poll_after(hass, clock, rejected, POLL + SECONDS)
    assert repairs_of(hass) == ["slot_taken"]


@pytest.mark.parametrize("end", ["unload", "remove"])
async def test_an_entry_that_is_unloaded_or_removed_shows_no_repair(
    hass: HomeAssistant, rejected: MockConfigEntry, end: str
) -> None:
    if end == "unload":
        await hass.config_entries.async_unload(rejected.entry_id)
    else:
        await hass.config_entries.async_remove(rejected.entry_id)
    await hass.async_block_till_done()
    assert repairs_of(hass) == []


async def test_an_answer_that_does_not_work_says_why_and_changes_nothing(
    hass: HomeAssistant, sim: Simulator, rejected: MockConfigEntry
) -> None:
    data = dict(rejected.data)
    sim.faults.clear()
    dialog = await Dialog.repair(hass, rejected, "subscription_rejected")
    wrong = {
        "not_reachable": {"callback_url": NOWHERE},
        "invalid_url": {"callback_url": "home.example"},
        "no_url": {"callback": "external"},
        "no_cloud": {"callback": "cloud"},
    }
    for error, answers in wrong.items():
        assert (await dialog.submit(**answers)).errors == {"base": error}
    sim.strike({"subscription_status": 503})
    assert (await submit(hass, rejected, "subscription_rejected")).errors == {
        "base": "cannot_register"
    }
    assert repairs_of(hass) == ["subscription_rejected"]
    assert dict(rejected.data) == data
    assert sim.webhooks.subscriptions == {}


async def test_an_answer_after_the_entry_was_unloaded_is_kept(
    hass: HomeAssistant, rejected: MockConfigEntry
) -> None:
    dialog = await Dialog.repair(hass, rejected, "subscription_rejected")
    await hass.config_entries.async_unload(rejected.entry_id)
    await dialog.submit(callback_url="https://my.house.nl")
    assert dialog.type is FlowResultType.CREATE_ENTRY
    assert rejected.data[CONF_CALLBACK_URL] == "https://my.house.nl"


async def test_who_wants_no_push_any_longer_sees_no_repair(
    hass: HomeAssistant, rejected: MockConfigEntry, clock: Clock
) -> None:
    dialog = await submit(hass, rejected, "subscription_rejected", callback="none")
    assert dialog.type is FlowResultType.CREATE_ENTRY
    await reaches(hass, rejected, PushState.OFF)
    await poll_after(hass, clock, rejected, HOUR)
    assert repairs_of(hass) == []


# -- wrong keys and silence --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("authorization", "repair"),
    [("Basic wrong", "wrong_key"), ("Bearer wrong", "no_key"), ("", "no_key")],
)
async def test_wrong_keys_show_a_repair_while_they_keep_coming(
    hass: HomeAssistant,
    home: TestClient[web.Request, web.Application],
    entry: MockConfigEntry,
    clock: Clock,
    authorization: str,
    repair: str,
) -> None:
    """A wrong key points to another registration, no key to something on the way that took it away."""

    async def post_with_wrong_keys() -> None:
        for _ in range(3):
            url, headers = f"/api/webhook/{WEBHOOK_ID}", {"Authorization": authorization}
            async with home.post(url, headers=headers, json={}) as response:
                assert response.status == 401

    await post_with_wrong_keys()
    assert state_of(hass, "_push_state") == "failing"
    assert state_of(hass, "_push", "binary_sensor") == "off"
    assert repairs_of(hass) == []
    clock.go_on(timedelta(minutes=6))
    await post_with_wrong_keys()
    await until(hass, lambda: repairs_of(hass) == [repair])  # without waiting for a poll
    await poll_after(hass, clock, entry, timedelta(minutes=20))
    assert state_of(hass, "_push_state") == "waiting"
    assert state_of(hass, "_push", "binary_sensor") == "on"
    assert repairs_of(hass) == []


async def test_a_first_silence_renews_the_subscriptions_and_a_second_shows_a_repair(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator, clock: Clock
) -> None:
    push = push_of(entry)
    toggle_plug(sim)
    await until(hass, lambda: push.health.reports_changes)
    assert state_of(hass, "_push_state") == "healthy"

    async def change_without_delivery() -> None:
        """Let a change happen that no delivery reports, and poll until it counts as missed."""
        await poll_after(hass, clock, entry, *[POLL] * 4)
        toggle_plug(sim)
        await sim.delivered()
        await poll_after(hass, clock, entry, *[POLL] * 5)

    updates: list[Event[Any]] = []
    hass.bus.async_listen(ir.EVENT_REPAIRS_ISSUE_REGISTRY_UPDATED, updates.append)
    sim.strike({"drop": 1.0})
    await change_without_delivery()
    await until(hass, lambda: state_of(hass, "_push_state") == "waiting")
    assert updates == []
    await change_without_delivery()
    renewed = [
        request for request in sim.requests if request.method == "DELETE" and "/sub" in request.path
    ]
    assert len(renewed) == len(sim.webhooks.subscriptions)
    await reaches(hass, entry, PushState.SILENT)
    # A pass that only checks the subscriptions does not end the second silence.
    before = len(sim.requests)
    push.registration.check_now()
    await until(hass, lambda: len(sim.requests) > before)
    with pytest.raises(TimeoutError):
        await until(hass, lambda: push.state is not PushState.SILENT, seconds=0.1)
    assert state_of(hass, "_push_state") == "silent"
    assert state_of(hass, "_push", "binary_sensor") == "off"
    assert repairs_of(hass) == ["push_silent"]
    # The dialog renews the subscriptions, and push gets one more chance.
    dialog = await submit(hass, entry, "push_silent")
    assert dialog.type is FlowResultType.CREATE_ENTRY
    await reaches(hass, entry, PushState.WAITING)
    assert repairs_of(hass) == []
    await change_without_delivery()
    assert repairs_of(hass) == ["push_silent"]
    # The first delivery ends the silence.
    sim.faults.clear()
    toggle_plug(sim)
    await reaches(hass, entry, PushState.HEALTHY)
    assert state_of(hass, "_push_state") == "healthy"
    assert repairs_of(hass) == []


def test_every_repair_has_a_dialog_and_a_section_in_the_docs() -> None:
    with_dialog = {key for key, texts in TEXTS["issues"].items() if "fix_flow" in texts}
    assert with_dialog == {*REPAIRS, LinkRepair.LOST, LinkRepair.READY}
    page = (ROOT / "docs/push-and-repairs.md").read_text()
    headings = re.findall(r"^## (.+)$", page, re.MULTILINE)
    anchors = {heading.lower().replace(" ", "-") for heading in headings}
    assert {repair.replace("_", "-") for repair in REPAIRS} <= anchors
