"""Issues of push: when the repair is shown, and when it disappears."""

from datetime import UTC, datetime, timedelta

from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest

from custom_components.jedlix.const import DOMAIN
from custom_components.jedlix.push.issues import SHOWN_AFTER, PushIssues
from tests.push.tools import repairs_of

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MOMENT = timedelta(seconds=1)


@pytest.fixture
async def issues(hass: HomeAssistant, enable_custom_integrations: None) -> PushIssues:
    """Return the repairs of an account."""
    assert await async_setup_component(hass, DOMAIN, {})
    return PushIssues(hass, "entry", "Jedlix")


@pytest.mark.parametrize(
    ("problem", "repair", "shown_after"),
    [
        ("not_reachable", "endpoint_not_reachable", SHOWN_AFTER),
        ("cloud_away", "no_public_url", timedelta(hours=1)),
    ],
)
def test_a_problem_is_shown_once_it_has_lasted(
    hass: HomeAssistant, issues: PushIssues, problem: str, repair: str, shown_after: timedelta
) -> None:
    for begin in (NOON, NOON + timedelta(days=1)):  # it comes again, after a day without
        issues.note(problem, begin)
        issues.note(problem, begin + shown_after - MOMENT)
        assert repairs_of(hass) == []
        issues.note(problem, begin + shown_after)
        assert repairs_of(hass) == [repair]
        issues.note(None, begin + shown_after)
        assert repairs_of(hass) == []


def test_a_problem_that_ended_before_it_was_shown_begins_anew(
    hass: HomeAssistant, issues: PushIssues
) -> None:
    issues.note("not_reachable", NOON)
    issues.note(None, NOON + MOMENT)
    issues.note("not_reachable", NOON + SHOWN_AFTER)
    assert repairs_of(hass) == []


def test_another_problem_begins_anew_and_takes_the_place_of_the_repair(
    hass: HomeAssistant, issues: PushIssues
) -> None:
    issues.note("not_reachable", NOON)
    issues.note("not_reachable", NOON + SHOWN_AFTER)
    issues.note("not_https", NOON + SHOWN_AFTER)
    assert repairs_of(hass) == ["endpoint_not_reachable"]
    issues.note("not_https", NOON + 2 * SHOWN_AFTER)
    assert repairs_of(hass) == ["url_not_https"]


def test_a_silence_has_lasted_before_it_is_noticed(hass: HomeAssistant, issues: PushIssues) -> None:
    issues.note("silent", NOON)
    assert repairs_of(hass) == ["push_silent"]
