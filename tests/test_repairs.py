"""What a user is told when push does not work: once it has lasted, what to do, and while it is true."""

from datetime import timedelta
import json
from pathlib import Path
import re
from typing import Any, Final

from homeassistant.components.repairs import repairs_flow_manager
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import Event, HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.const import CONF_CALLBACK, CONF_CALLBACK_URL, DOMAIN
from custom_components.jedlix.push import callback_url as callback_url_module
from custom_components.jedlix.push.health import PushState
from custom_components.jedlix.push.issues import REPAIRS
from custom_components.jedlix.webhook import JedlixPush
from simulator.app import Simulator
from tests.tools import WEBHOOK_ID, WEBHOOK_KEY, Clock, make_entry, state_of, until

ROOT: Final = Path(__file__).parents[1]
NOWHERE: Final = "http://127.0.0.1:9"
PASSING: Final = timedelta(minutes=5) - timedelta(seconds=1)
SECONDS: Final = timedelta(seconds=2)


@pytest.fixture(autouse=True)
async def repairs(hass: HomeAssistant, enable_custom_integrations: None) -> None:
    """Have the dialogs of repairs."""
    assert await async_setup_component(hass, "repairs", {})


def push_of(entry: MockConfigEntry) -> JedlixPush:
    push: JedlixPush = entry.runtime_data.push
    return push


def shown(hass: HomeAssistant) -> list[str]:
    """Return the repairs that a user sees."""
    issues = ir.async_get(hass).issues.values()
    return [str(issue.translation_key) for issue in issues if issue.domain == DOMAIN]


async def begin(
    hass: HomeAssistant, sim: Simulator, callback: str, url: str | None
) -> MockConfigEntry:
    """Set an entry up with this wish for a callback."""
    entry = make_entry(sim, url)
    entry.add_to_hass(hass)
    wish = {CONF_CALLBACK: callback, CONF_CALLBACK_URL: url}
    hass.config_entries.async_update_entry(entry, data={**entry.data, **wish})
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


async def poll_after(
    hass: HomeAssistant,
    clock: Clock,
    entry: MockConfigEntry,
    pause: timedelta,
) -> None:
    """Let time pass, and the poll come round."""
    clock.go_on(pause)
    await entry.runtime_data.coordinator.async_refresh()
    await hass.async_block_till_done()


async def answer(
    hass: HomeAssistant, repair: str, entry: MockConfigEntry, **answers: str
) -> dict[str, Any]:
    """Open a repair's dialog and submit it; returns what it then shows."""
    flows = repairs_flow_manager(hass)
    assert flows is not None
    issue_id = f"{repair}_{entry.entry_id}"
    form = await flows.async_init(
        DOMAIN,
        context={"issue_id": issue_id},
        data={"issue_id": issue_id},  # where 2026.9 looks for it
    )
    assert (form["type"], form["step_id"]) == (FlowResultType.FORM, "callback")
    assert form["description_placeholders"] == {"account": entry.title}
    assert form["data_schema"] is not None
    suggested = {
        str(key): key.description["suggested_value"]
        for key in form["data_schema"].schema
        if key.description
    }
    given = {key: value for key, value in (suggested | answers).items() if value is not None}
    result = dict(await flows.async_configure(form["flow_id"], given))
    await hass.async_block_till_done()  # a new answer reloads the entry
    return result


# the wish, the custom URL, the simulator's faults, how the user mends it
TROUBLES: Final[dict[str, tuple[str, str | None, dict[str, Any], dict[str, str]]]] = {
    "no_public_url": ("external", None, {}, {CONF_CALLBACK: "custom", CONF_CALLBACK_URL: "HOME"}),
    "endpoint_not_reachable": ("custom", NOWHERE, {}, {CONF_CALLBACK_URL: "HOME"}),
    "subscription_rejected": ("custom", "HOME", {"subscription_status": 422}, {}),
    "slot_taken": ("custom", "HOME", {"subscription_status": 409}, {}),
    "wrong_key": ("custom", "HOME", {"wrong_key": 1.0}, {}),
}


@pytest.mark.parametrize("repair", TROUBLES)
async def test_a_trouble_that_lasts_shows_its_repair_and_mending_it_ends_it(
    hass: HomeAssistant,
    sim: Simulator,
    callback_url: str,
    clock: Clock,
    repair: str,
) -> None:
    callback, url, faults, mended = TROUBLES[repair]
    sim.strike(faults)
    entry = await begin(hass, sim, callback, callback_url if url == "HOME" else url)
    await until(hass, lambda: push_of(entry).registration.problem is not None)
    assert state_of(hass, "_push_state") == "failing"
    await poll_after(hass, clock, entry, PASSING)
    assert shown(hass) == []
    await poll_after(hass, clock, entry, SECONDS)
    assert shown(hass) == [repair]
    assert entry.state is ConfigEntryState.LOADED
    issue = ir.async_get(hass).async_get_issue(DOMAIN, f"{repair}_{entry.entry_id}")
    assert issue is not None
    assert issue.is_fixable
    assert not issue.is_persistent
    assert issue.translation_placeholders == {"account": "Jedlix"}
    assert WEBHOOK_KEY not in repr(issue)
    assert WEBHOOK_ID not in repr(issue)
    sim.faults.clear()
    answers = {key: callback_url if value == "HOME" else value for key, value in mended.items()}
    result = await answer(hass, repair, entry, **answers)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await until(hass, lambda: push_of(entry).state is PushState.WAITING)
    assert shown(hass) == []
    assert entry.data[CONF_CALLBACK_URL] == callback_url
    vehicle = sim.vehicle_ids[0]
    sim.plug(vehicle)
    await until(hass, lambda: push_of(entry).state is PushState.HEALTHY)
    await poll_after(hass, clock, entry, timedelta(hours=1))
    assert shown(hass) == []


async def test_an_address_without_https_is_told(
    hass: HomeAssistant,
    sim: Simulator,
    callback_url: str,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # as it is where the API is not next door
    monkeypatch.setattr(callback_url_module, "allows_http", lambda _data: False)
    entry = await begin(hass, sim, "custom", callback_url)
    await until(hass, lambda: push_of(entry).registration.problem == "not_https")
    await poll_after(hass, clock, entry, timedelta(minutes=6))
    assert shown(hass) == ["url_not_https"]
    assert (await answer(hass, "url_not_https", entry))["errors"] == {"base": "not_https"}
    assert shown(hass) == ["url_not_https"]


async def test_a_trouble_that_passes_shows_nothing(
    hass: HomeAssistant, sim: Simulator, callback_url: str, clock: Clock
) -> None:
    told: list[Event[Any]] = []
    hass.bus.async_listen(ir.EVENT_REPAIRS_ISSUE_REGISTRY_UPDATED, told.append)
    entry = await begin(hass, sim, "custom", NOWHERE)
    push = push_of(entry)
    await until(hass, lambda: push.state is PushState.FAILING)
    for _ in range(3):
        await poll_after(hass, clock, entry, timedelta(minutes=1))
    hass.config_entries.async_update_entry(
        entry, data={**entry.data, CONF_CALLBACK_URL: callback_url}
    )
    await hass.async_block_till_done()
    await until(hass, lambda: push_of(entry).state is PushState.WAITING)
    await poll_after(hass, clock, entry, timedelta(minutes=10))
    assert told == []


async def test_the_time_counts_for_each_trouble_anew(
    hass: HomeAssistant, sim: Simulator, callback_url: str, clock: Clock
) -> None:
    sim.strike({"subscription_status": 409})
    entry = await begin(hass, sim, "custom", callback_url)
    await until(hass, lambda: push_of(entry).registration.problem == "slot_taken")
    await poll_after(hass, clock, entry, PASSING)
    sim.strike({"subscription_status": 422})
    push_of(entry).registration.check_now()
    await until(hass, lambda: push_of(entry).registration.problem == "rejected")
    await poll_after(hass, clock, entry, PASSING)
    assert shown(hass) == []
    await poll_after(hass, clock, entry, SECONDS)
    assert shown(hass) == ["subscription_rejected"]


async def failing(
    hass: HomeAssistant, sim: Simulator, callback_url: str, clock: Clock
) -> MockConfigEntry:
    """Return an entry whose registration is refused, and has been for long enough."""
    sim.strike({"subscription_status": 422})
    entry = await begin(hass, sim, "custom", callback_url)
    await until(hass, lambda: push_of(entry).state is PushState.FAILING)
    await poll_after(hass, clock, entry, timedelta(minutes=6))
    assert shown(hass) == ["subscription_rejected"]
    return entry


async def test_the_reason_to_which_the_repair_refers_is_in_the_log_once(
    hass: HomeAssistant,
    sim: Simulator,
    callback_url: str,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    entry = await failing(hass, sim, callback_url, clock)
    a_pass = sum(request.status == 422 for request in sim.requests)
    push_of(entry).registration.check_now()
    await until(hass, lambda: sum(it.status == 422 for it in sim.requests) == 2 * a_pass)
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [words for words in warned if "refuses to register the webhook" in words] == [
        "Jedlix refuses to register the webhook: The registration was refused (a fault). (HTTP 422)"
    ]


async def test_a_repair_stays_while_jedlix_is_away_and_goes_by_itself_on_recovery(
    hass: HomeAssistant,
    sim: Simulator,
    callback_url: str,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = await failing(hass, sim, callback_url, clock)
    sim.strike({"subscription_status": 503})
    push_of(entry).registration.check_now()
    await until(hass, lambda: push_of(entry).state is PushState.CONNECTING)
    assert push_of(entry).registration.problem is None
    assert shown(hass) == ["subscription_rejected"]
    sim.faults.clear()
    push_of(entry).registration.check_now()
    await until(hass, lambda: push_of(entry).state is PushState.WAITING)
    assert shown(hass) == []


async def test_another_trouble_takes_the_place_of_the_first(
    hass: HomeAssistant, sim: Simulator, callback_url: str, clock: Clock
) -> None:
    entry = await failing(hass, sim, callback_url, clock)
    sim.strike({"subscription_status": 409})
    push_of(entry).registration.check_now()
    await until(hass, lambda: push_of(entry).registration.problem == "slot_taken")
    await poll_after(hass, clock, entry, timedelta(minutes=6))
    assert shown(hass) == ["slot_taken"]


@pytest.mark.parametrize("end", ["unload", "remove", "disable"])
async def test_nothing_is_shown_for_an_entry_that_is_not_there(
    hass: HomeAssistant,
    sim: Simulator,
    callback_url: str,
    clock: Clock,
    end: str,
) -> None:
    entry = await failing(hass, sim, callback_url, clock)
    match end:
        case "unload":
            await hass.config_entries.async_unload(entry.entry_id)
        case "remove":
            await hass.config_entries.async_remove(entry.entry_id)
        case _:
            await hass.config_entries.async_set_disabled_by(entry.entry_id, None)
            await hass.config_entries.async_unload(entry.entry_id)
    await hass.async_block_till_done()
    assert shown(hass) == []


async def test_an_answer_that_does_not_work_says_why_and_changes_nothing(
    hass: HomeAssistant, sim: Simulator, callback_url: str, clock: Clock
) -> None:
    entry = await failing(hass, sim, callback_url, clock)
    data = dict(entry.data)
    repair = "subscription_rejected"
    sim.faults.clear()
    wrong = {
        "not_reachable": {CONF_CALLBACK_URL: NOWHERE},
        "invalid_url": {CONF_CALLBACK_URL: "home.example"},
        "no_url": {CONF_CALLBACK: "external"},
        "no_cloud": {CONF_CALLBACK: "cloud"},
    }
    for error, answers in wrong.items():
        result = await answer(hass, repair, entry, **answers)
        assert (result["type"], result["errors"]) == (FlowResultType.FORM, {"base": error})
    sim.strike({"subscription_status": 503})
    result = await answer(hass, repair, entry)
    assert result["errors"] == {"base": "cannot_register"}
    assert shown(hass) == [repair]
    assert dict(entry.data) == data
    assert sim.webhooks.subscriptions == {}


async def test_an_answer_after_the_entry_was_disabled_is_taken_all_the_same(
    hass: HomeAssistant, sim: Simulator, callback_url: str, clock: Clock
) -> None:
    entry = await failing(hass, sim, callback_url, clock)
    flows = repairs_flow_manager(hass)
    assert flows is not None
    issue_id = f"subscription_rejected_{entry.entry_id}"
    form = await flows.async_init(
        DOMAIN, context={"issue_id": issue_id}, data={"issue_id": issue_id}
    )
    await hass.config_entries.async_unload(entry.entry_id)
    answers = {key: entry.data[key] for key in (CONF_CALLBACK, CONF_CALLBACK_URL)}
    result = await flows.async_configure(form["flow_id"], answers)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_who_wants_no_push_any_longer_is_left_in_peace(
    hass: HomeAssistant, sim: Simulator, callback_url: str, clock: Clock
) -> None:
    entry = await failing(hass, sim, callback_url, clock)
    result = await answer(hass, "subscription_rejected", entry, **{CONF_CALLBACK: "none"})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await until(hass, lambda: push_of(entry).state is PushState.OFF)
    await poll_after(hass, clock, entry, timedelta(hours=1))
    assert shown(hass) == []


# -- what is seen at the door, and what is not -------------------------------------------------------------


async def test_wrong_keys_that_keep_coming_are_told_and_age_out_by_themselves(
    hass: HomeAssistant,
    home: Any,
    entry: MockConfigEntry,
    clock: Clock,
) -> None:
    async def knock() -> None:
        for _ in range(3):
            url, headers = f"/api/webhook/{WEBHOOK_ID}", {"Authorization": "Basic wrong"}
            async with home.post(url, headers=headers, json={}) as response:
                assert response.status == 401

    await knock()
    assert state_of(hass, "_push_state") == "failing"
    assert state_of(hass, "_push", "binary_sensor") == "off"
    assert shown(hass) == []
    clock.go_on(timedelta(minutes=6))
    await knock()
    await until(hass, lambda: shown(hass) == ["wrong_key"])  # the poll may be an hour away
    await poll_after(hass, clock, entry, timedelta(minutes=20))
    assert state_of(hass, "_push_state") == "waiting"
    assert state_of(hass, "_push", "binary_sensor") == "on"
    assert shown(hass) == []


async def test_silence_is_answered_by_registering_anew_and_told_when_that_does_not_help(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator, clock: Clock
) -> None:
    vehicle, push = sim.vehicle_ids[0], push_of(entry)
    sim.plug(vehicle)
    await until(hass, lambda: push.health.reports_changes)
    assert state_of(hass, "_push_state") == "healthy"

    async def change_unheard() -> None:
        """Let something happen that no delivery tells, and the time for one pass.

        The poll comes round every five minutes; a longer gap would be an outage.
        """
        for _ in range(4):
            await poll_after(hass, clock, entry, timedelta(minutes=5))
        (sim.unplug if sim.vehicle(vehicle).plugged_in else sim.plug)(vehicle)
        await sim.delivered()
        for _ in range(5):
            await poll_after(hass, clock, entry, timedelta(minutes=5))

    told: list[Event[Any]] = []
    hass.bus.async_listen(ir.EVENT_REPAIRS_ISSUE_REGISTRY_UPDATED, told.append)
    sim.strike({"drop": 1.0})
    written = len(sim.requests)
    await change_unheard()
    # the first time is answered by writing all anew; whether that helped has to show
    await until(hass, lambda: state_of(hass, "_push_state") == "waiting")
    puts = [request for request in list(sim.requests)[written:] if request.method == "PUT"]
    assert len(puts) == len(sim.webhooks.subscriptions)
    assert told == []
    await change_unheard()
    # the second time only a look is taken, which mends nothing either
    looked = len(sim.requests)
    push.registration.check_now()
    await until(hass, lambda: len(sim.requests) > looked)
    with pytest.raises(TimeoutError):
        await until(hass, lambda: push.state is not PushState.SILENT, seconds=0.1)
    assert state_of(hass, "_push_state") == "silent"
    assert state_of(hass, "_push", "binary_sensor") == "off"
    assert shown(hass) == ["push_silent"]
    # registering anew by hand gives it one more chance
    result = await answer(hass, "push_silent", entry)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await until(hass, lambda: push.state is PushState.WAITING)
    assert shown(hass) == []
    await change_unheard()
    assert shown(hass) == ["push_silent"]
    # and the first delivery ends it
    sim.faults.clear()
    (sim.unplug if sim.vehicle(vehicle).plugged_in else sim.plug)(vehicle)
    await until(hass, lambda: push.state is PushState.HEALTHY)
    assert state_of(hass, "_push_state") == "healthy"
    assert shown(hass) == []


# -- the texts ---------------------------------------------------------------------------------------------


def test_every_repair_has_its_words_and_its_page() -> None:
    texts = json.loads((ROOT / "custom_components/jedlix/translations/en.json").read_text())
    assert {key for key, words in texts["issues"].items() if "fix_flow" in words} == set(REPAIRS)
    page = (ROOT / "docs/push-and-repairs.md").read_text()
    headings = re.findall(r"^## (.+)$", page, re.MULTILINE)
    anchors = {heading.lower().replace(" ", "-") for heading in headings}
    assert {repair.replace("_", "-") for repair in REPAIRS} <= anchors


async def test_a_repair_links_to_its_page_at_the_address_of_the_manifest(
    hass: HomeAssistant, sim: Simulator, callback_url: str, clock: Clock
) -> None:
    await failing(hass, sim, callback_url, clock)
    manifest = json.loads((ROOT / "custom_components/jedlix/manifest.json").read_text())
    (issue,) = (it for it in ir.async_get(hass).issues.values() if it.domain == DOMAIN)
    assert issue.learn_more_url == (
        f"{manifest['documentation']}/blob/main/docs/push-and-repairs.md#subscription-rejected"
    )
