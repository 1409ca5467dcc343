"""Issues of users: a user who cannot be read for long, and an account with no user left, are shown."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
import re
from typing import Any, Final

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix import link_issues
from custom_components.jedlix.const import DOMAIN
from custom_components.jedlix.issues import (
    ISSUE_NO_USERS,
    ISSUE_USER_UNREADABLE,
    UserIssue,
    find_issues,
)
from simulator.app import Simulator
from tests.dialogs import TEXTS
from tests.push.tools import poll_after, repairs_of
from tests.simulators import StartSimulator
from tests.tools import Clock, make_entry, set_up

NOON: Final = datetime(2030, 1, 1, 12, tzinfo=UTC)
POLL: Final = timedelta(minutes=5)
QUARTER: Final = timedelta(minutes=15)
HOUR: Final = timedelta(hours=1)

pytestmark = pytest.mark.usefixtures("home", "no_second_try")


# -- the decision --------------------------------------------------------------------------------------------

UNREADABLE_A: Final = {UserIssue(ISSUE_USER_UNREADABLE, "a")}
NO_USERS: Final = {UserIssue(ISSUE_NO_USERS)}
SECOND: Final = timedelta(seconds=1)

# By name: what differs from two users of whom `a` has not been readable for six hours, and what is shown.
CASES: Final[dict[str, tuple[dict[str, Any], set[UserIssue]]]] = {
    "six hours": ({}, UNREADABLE_A),
    "not yet six hours": ({"failing_since": {"a": NOON - 6 * HOUR + SECOND}}, set()),
    "nobody fails": ({"failing_since": {}}, set()),
    "both fail": (
        {"failing_since": dict.fromkeys("ab", NOON - 9 * HOUR)},
        UNREADABLE_A | {UserIssue(ISSUE_USER_UNREADABLE, "b")},
    ),
    "closed for six hours": (
        {"failing_since": {"a": NOON - HOUR}, "closed_since": {"a": NOON - 6 * HOUR}},
        UNREADABLE_A,
    ),
    "not followed": ({"followed": "b"}, set()),
    "Jedlix was away until a moment ago": (
        {"answering_since": NOON - QUARTER + SECOND},
        set(),
    ),
    "one of two is closed": ({"closed_since": {"a": NOON - HOUR}}, UNREADABLE_A),
    "both are closed": ({"closed_since": dict.fromkeys("ab", NOON - HOUR)}, NO_USERS),
    "both are closed, also just after an outage": (
        {"closed_since": dict.fromkeys("ab", NOON - HOUR), "answering_since": NOON},
        NO_USERS,
    ),
    "the second has been closed for a quarter of an hour, and no longer": (
        {"closed_since": {"a": NOON - HOUR, "b": NOON - QUARTER}},
        UNREADABLE_A,
    ),
    "the second has been closed for longer": (
        {"closed_since": {"a": NOON - HOUR, "b": NOON - QUARTER - SECOND}},
        NO_USERS,
    ),
    "nobody is followed": ({"followed": ""}, NO_USERS),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_shown(case: str) -> None:
    differing, expected = CASES[case]
    usual: dict[str, Any] = {
        "followed": "ab",
        "failing_since": {"a": NOON - 6 * HOUR},
        "closed_since": {},
        "answering_since": NOON - 9 * HOUR,
        "now": NOON,
    }
    assert find_issues(**(usual | differing)) == expected


# -- one of two users ----------------------------------------------------------------------------------------


@pytest.fixture
async def sim(start_simulator: StartSimulator) -> Simulator:
    """Return a simulator with two users."""
    return await start_simulator(users=2)


@pytest.fixture
async def entry(hass: HomeAssistant, sim: Simulator) -> MockConfigEntry:
    """Return an entry that follows both, without push."""
    entry = make_entry(sim, None)
    await set_up(hass, entry)
    return entry


def refuse(sim: Simulator, *numbers: int, status: int = 403) -> dict[str, Any]:
    """Have Jedlix refuse the cars of these users, the first is 1; returns what ends it."""
    fault = {"kind": "status", "status": status, "endpoints": ["vehicles"], "users": list(numbers)}
    return {"remove": sim.strike(fault)}


async def pass_hours(hass: HomeAssistant, clock: Clock, entry: MockConfigEntry, hours: int) -> None:
    """Poll every half hour."""
    await poll_after(hass, clock, entry, *[HOUR / 2] * (2 * hours))


@pytest.mark.parametrize("status", [401, 403, 404, 500])
async def test_a_user_who_cannot_be_read_for_six_hours_is_shown_until_they_can(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, clock: Clock, status: int
) -> None:
    (subentry,) = (item for item in entry.subentries.values() if item.unique_id == sim.user_ids[0])
    hass.config_entries.async_update_subentry(entry, subentry, title="Anna")
    await hass.async_block_till_done()
    end = refuse(sim, 1, status=status)
    await poll_after(hass, clock, entry, POLL)
    await pass_hours(hass, clock, entry, 5)
    assert repairs_of(hass) == []
    await pass_hours(hass, clock, entry, 2)
    (issue,) = (it for it in ir.async_get(hass).issues.values() if it.domain == DOMAIN)
    assert issue.translation_key == "user_unreadable"
    assert issue.translation_placeholders == {"user": "Anna", "account": "Jedlix"}
    assert not issue.is_fixable
    sim.strike(end)
    await poll_after(hass, clock, entry, POLL)
    assert repairs_of(hass) == []


async def test_the_first_good_refresh_ends_it_whoever_asked(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, clock: Clock
) -> None:
    end = refuse(sim, 1)
    await pass_hours(hass, clock, entry, 7)
    assert repairs_of(hass) == ["user_unreadable"]
    sim.strike(end)
    await entry.runtime_data.coordinator.refresh_after_command(sim.user_ids[0])
    assert repairs_of(hass) == []


async def test_an_outage_of_jedlix_counts_for_no_user(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, clock: Clock
) -> None:
    """Somebody whose first refresh after it fails as well is given some time."""
    away = sim.strike({"kind": "status", "status": 503})
    await pass_hours(hass, clock, entry, 8)
    assert not entry.runtime_data.coordinator.last_update_success
    sim.strike({"remove": away})
    end = refuse(sim, 1, status=500)
    await poll_after(hass, clock, entry, POLL, POLL)
    assert entry.runtime_data.coordinator.last_update_success
    assert repairs_of(hass) == []
    sim.strike(end)
    await poll_after(hass, clock, entry, POLL, POLL, POLL)
    assert repairs_of(hass) == []


async def test_an_outage_hides_no_repair(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, clock: Clock
) -> None:
    refuse(sim, 1)
    await pass_hours(hass, clock, entry, 7)
    sim.strike({"outage_seconds": 600.0})
    await poll_after(hass, clock, entry, POLL)
    assert not entry.runtime_data.coordinator.last_update_success
    assert repairs_of(hass) == ["user_unreadable"]


@pytest.mark.parametrize("end", ["unfollow", "unload", "remove"])
async def test_it_goes_with_the_user_and_with_the_entry(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, clock: Clock, end: str
) -> None:
    refuse(sim, 1)
    await pass_hours(hass, clock, entry, 7)
    assert repairs_of(hass) == ["user_unreadable"]
    match end:
        case "unfollow":
            (subentry,) = (
                item for item in entry.subentries.values() if item.unique_id == sim.user_ids[0]
            )
            hass.config_entries.async_remove_subentry(entry, subentry.subentry_id)
        case "unload":
            await hass.config_entries.async_unload(entry.entry_id)
        case _:
            await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()
    assert repairs_of(hass) == []


async def test_it_is_shown_again_after_a_restart(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, clock: Clock
) -> None:
    """Since when a user cannot be read is stored."""
    refuse(sim, 1)
    await pass_hours(hass, clock, entry, 7)
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert repairs_of(hass) == []
    await poll_after(hass, clock, entry, QUARTER)
    assert repairs_of(hass) == ["user_unreadable"]


# -- nobody left ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("statuses", [(404, 404), (403, 403), (403, 404)])
async def test_an_account_whose_users_are_all_gone_or_closed_is_shown(
    hass: HomeAssistant,
    sim: Simulator,
    entry: MockConfigEntry,
    clock: Clock,
    statuses: tuple[int, int],
) -> None:
    ends = [refuse(sim, number, status=status) for number, status in enumerate(statuses, start=1)]
    await poll_after(hass, clock, entry, POLL, POLL, POLL, POLL - 2 * SECOND)
    assert repairs_of(hass) == []
    await poll_after(hass, clock, entry, 5 * SECOND)
    assert entry.state is ConfigEntryState.LOADED
    (issue,) = (it for it in ir.async_get(hass).issues.values() if it.domain == DOMAIN)
    assert issue.translation_key == "no_users"
    assert issue.translation_placeholders == {"account": "Jedlix"}
    # It says it all; no repair of each user joins it.
    await pass_hours(hass, clock, entry, 7)
    assert repairs_of(hass) == ["no_users"]
    sim.strike(ends[1])
    await entry.runtime_data.coordinator.refresh_after_command(sim.user_ids[1])
    assert repairs_of(hass) == []


async def test_a_page_that_is_no_answer_of_jedlix_closes_nobody(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, clock: Clock
) -> None:
    """Something in between answers 404 in its own words: that is an outage."""
    sim.strike({"kind": "html", "status": 404, "endpoints": ["vehicles"]})
    await poll_after(hass, clock, entry, *[POLL] * 6)
    assert repairs_of(hass) == []


async def test_an_entry_that_follows_nobody_is_shown_until_somebody_is_followed(
    hass: HomeAssistant, sim: Simulator, clock: Clock
) -> None:
    entry = make_entry(sim, None, users=[])
    await set_up(hass, entry)
    assert repairs_of(hass) == ["no_users"]
    entry.runtime_data.coordinator.follow(sim.user_ids[0])
    await entry.runtime_data.coordinator.refresh_after_command(sim.user_ids[0])
    assert repairs_of(hass) == []


async def test_unfollowing_the_last_user_shows_it_with_the_next_poll(
    hass: HomeAssistant, sim: Simulator, entry: MockConfigEntry, clock: Clock
) -> None:
    for subentry_id in list(entry.subentries):
        hass.config_entries.async_remove_subentry(entry, subentry_id)
    await hass.async_block_till_done()
    await poll_after(hass, clock, entry, POLL)
    assert repairs_of(hass) == ["no_users"]
    await hass.config_entries.async_unload(entry.entry_id)
    assert repairs_of(hass) == []


def test_each_repair_links_to_its_section_in_the_docs() -> None:
    page = (Path(__file__).parents[1] / "docs/troubleshooting.md").read_text()
    anchors = {
        heading.lower().replace(" ", "-")
        for heading in re.findall(r"^## (.+)$", page, re.MULTILINE)
    }
    for repair in (ISSUE_USER_UNREADABLE, ISSUE_NO_USERS):
        assert repair.replace("_", "-") in anchors
        assert "description" in TEXTS["issues"][repair]
    for link_repair, section in link_issues.SECTION_OF.items():
        assert section in anchors
        assert link_repair in TEXTS["issues"]
