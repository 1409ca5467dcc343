"""Promised figures: what docs/reliability.md says in numbers is what the code does."""

from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from custom_components.jedlix.api.agreement import Agreement
from custom_components.jedlix.api.gate import MAX_CALLS, MAX_CALLS_PER_USER, MAX_PAUSE
from custom_components.jedlix.api.transport import PAGE_SIZE
from custom_components.jedlix.issues import UNREADABLE_AFTER
from custom_components.jedlix.push.history import HISTORY_KEPT
from custom_components.jedlix.push.inbox import MAX_DELIVERIES
from custom_components.jedlix.refresher import REFRESH_TIMEOUT
from custom_components.jedlix.state.credentials import REQUESTED_AFTER
from custom_components.jedlix.state.fetcher import LISTING_DELAY, MAX_PAGES
from custom_components.jedlix.state.gone import GONE_AFTER
from custom_components.jedlix.state.holds import HOLD_TIME
from custom_components.jedlix.state.knowledge import LATE_AFTER, POLLS_BEFORE_UNKNOWN
from custom_components.jedlix.state.ledger import SESSIONS_REMEMBERED
from custom_components.jedlix.state.review import REVIEW_INTERVAL, REVIEW_PAGES, REVIEWED
from custom_components.jedlix.state.schedule import USERS_PER_POLL
from custom_components.jedlix.state.vehicle_snapshot import CLOCK_TOLERANCE
from custom_components.jedlix.store import SAVE_DELAY

PAGE: Final = Path(__file__).parents[1] / "docs" / "reliability.md"
WORDS: Final = {1: "one", 2: "two", 3: "three", 5: "five"}


def minutes(time: timedelta) -> float:
    return time / timedelta(minutes=1)


def hours(time: timedelta) -> float:
    return time / timedelta(hours=1)


def agreement(needed: Agreement, what: str) -> str:
    return f"at least {WORDS[needed.answers]} {what} over at least {minutes(needed.time):g} minutes"


@pytest.mark.parametrize(
    "promise",
    [
        f"follows after {hours(UNREADABLE_AFTER):g} hours",
        f"{agreement(GONE_AFTER, 'answers')} agree",
        f"A user's own list is read over {SESSIONS_REMEMBERED.days} days",
        f"reaches {hours(LISTING_DELAY):g} hours beyond the last good read, at most {MAX_PAGES} pages",
        f"{agreement(REQUESTED_AFTER, 'polls')}, each refused",
        f"more than {minutes(CLOCK_TOLERANCE):g} minutes in the future is not believed",
        f"What you set holds for up to {WORDS[round(minutes(HOLD_TIME))]} minutes",
        f"It ends after {REFRESH_TIMEOUT:g} seconds",
        f"All calls wait, {WORDS[round(MAX_PAUSE / 3600)]} hour at most",
        f"At most {MAX_CALLS} calls are made at once, and {MAX_CALLS_PER_USER} for the same user",
        f"from up to {HISTORY_KEPT.days} days ago",
        f"reviewed every {hours(REVIEW_INTERVAL):g} hours: read over {REVIEWED.days} days",
        f"one page of up to {PAGE_SIZE} sessions at each poll, at most {REVIEW_PAGES} pages",
        f"happened more than {minutes(LATE_AFTER):g} minutes before it was published",
        f"only that user's cars become unavailable, after {WORDS[POLLS_BEFORE_UNKNOWN]} poll intervals",
        f"in rotation, {WORDS[USERS_PER_POLL]} cars at each poll",
        f"for eight real days, at most {MAX_DELIVERIES:,}",
        f"written to the disk some {WORDS[round(SAVE_DELAY)]} seconds after a change",
    ],
)
def test_what_the_page_promises_in_numbers_is_what_the_code_does(promise: str) -> None:
    page = " ".join(PAGE.read_text(encoding="utf-8").split())
    assert promise.lower() in page.lower()
