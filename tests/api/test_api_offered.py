"""Offered calls: one refusal decides nothing, several at different times do, and not for ever."""

from datetime import UTC, datetime, timedelta
import json
import logging
from typing import Final

from hypothesis import given, strategies as st
import pytest

from custom_components.jedlix.api import BadAnswer, NotFound
from custom_components.jedlix.api.endpoints import ENDPOINTS, Evidence
from custom_components.jedlix.api.offered import Experience, OfferedCalls

NOON: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DAY: Final = 24 * 60
NO_PATH: Final = NotFound("no such path")
DOCUMENTED: Final = sorted(
    name for name, item in ENDPOINTS.items() if item.evidence is Evidence.DOCUMENTED
)
OTHERS: Final = sorted(ENDPOINTS.keys() - DOCUMENTED - {"session_settings"})


def at(minutes: float) -> datetime:
    """Return a moment in minutes after noon."""
    return NOON + timedelta(minutes=minutes)


class Tenant:
    """A tenant that answers and refuses calls, and what is learned of it."""

    def __init__(self) -> None:
        """Start at noon, without experience."""
        self.minute = 0.0
        self.experiences: dict[str, Experience] = {}
        self.calls = OfferedCalls(self.experiences, lambda: at(self.minute))

    def is_offered(self, minute: float, name: str = "chargers") -> bool:
        """Return whether a call is made at a minute."""
        self.minute = minute
        return self.calls.is_offered(name)

    def refuse(self, *minutes: float, name: str = "chargers") -> None:
        """Refuse a call at these minutes."""
        for self.minute in minutes:
            self.calls.note_refusal(name, NO_PATH)

    def answer(self, minute: float, name: str = "chargers") -> None:
        """Answer a call."""
        self.minute = minute
        self.calls.note_answer(name)


@pytest.mark.parametrize("name", [*DOCUMENTED, *OTHERS])
def test_each_call_of_the_table_is_tried_at_first_and_after_a_refusal(name: str) -> None:
    tenant = Tenant()
    assert tenant.is_offered(0, name)
    tenant.refuse(0, name=name)
    assert tenant.is_offered(0, name)


@pytest.mark.parametrize(
    ("answered", "refused", "asked_at", "offered"),
    [
        (None, [0, 0], 0, True),  # two refusals, of a thousand users say
        (None, [0, 30], 30, True),
        # Three refusals: the call rests for ten minutes, then it is tried once more.
        (None, [0, 0, 0], 0, False),
        (None, [0, 0, 0], 9, False),
        (None, [0, 0, 0], 10, True),
        # Three over ten minutes: it is not offered, and tried daily.
        (None, [0, 0, 0, 10], 20, False),
        (None, [0, 5, 10], 20, False),
        (None, [0, 5, 10], 10 + DAY - 1, False),
        (None, [0, 5, 10], 10 + DAY, True),
        (None, [0, 5, 10, 10 + DAY], 10 + DAY + 1, False),
        # It was answered in the last 30 days.
        (0, [1, 5, 10, 15, DAY, 29 * DAY], 29 * DAY, True),
        (0, [1, 5, 30 * DAY], 30 * DAY, True),
        (0, [1, 5, 31 * DAY], 31 * DAY + 1, False),
    ],
)
def test_an_assumed_call_is_not_offered_after_several_refusals_over_some_time(
    answered: float | None, refused: list[float], asked_at: float, offered: bool
) -> None:
    tenant = Tenant()
    if answered is not None:
        tenant.answer(answered)
    tenant.refuse(*refused)
    assert tenant.is_offered(asked_at) is offered


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_documented_call_is_always_tried(name: str) -> None:
    tenant = Tenant()
    tenant.refuse(0, 5, 10, 15, 20, DAY, 40 * DAY, name=name)
    assert tenant.is_offered(40 * DAY, name)


def test_an_answer_makes_a_call_offered_again() -> None:
    tenant = Tenant()
    tenant.refuse(0, 5, 10)
    tenant.answer(10 + DAY)
    assert tenant.is_offered(11 + DAY)
    answered = Experience(answered_since=at(10 + DAY), answered_at=at(10 + DAY))
    assert tenant.experiences == {"chargers": answered}


def test_who_asks_hears_what_is_not_offered_and_what_is_again() -> None:
    heard: list[frozenset[str]] = []
    tenant = Tenant()
    tenant.calls = calls = OfferedCalls(
        tenant.experiences,
        lambda: at(tenant.minute),
        decided=lambda: heard.append(calls.not_offered),
    )
    for name in ("chargers", "sessions"):  # the second one is documented
        tenant.refuse(0, 5, 10, 15, name=name)
    tenant.answer(10 + DAY)
    tenant.answer(11 + DAY)
    assert heard == [frozenset({"chargers"}), frozenset()]


def test_each_call_has_its_own_experience() -> None:
    tenant = Tenant()
    tenant.refuse(0, 5, 10)
    assert tenant.is_offered(10, "charge_settings")


def test_a_refusal_that_lies_in_the_future_is_not_believed() -> None:
    """It was noted while a clock was wrong; the call is tried again."""
    tenant = Tenant()
    tenant.refuse(600, 605, 610)
    assert tenant.is_offered(0)


def test_boost_is_offered_once_the_assumed_list_of_sessions_has_answered() -> None:
    """Its path lies under that of the list: where that is wrong, it is wrong as well."""
    tenant = Tenant()
    assert not tenant.is_offered(0, "session_settings")
    tenant.refuse(0, name="user_sessions")
    assert not tenant.is_offered(0, "session_settings")
    tenant.answer(1, "user_sessions")
    assert tenant.is_offered(1, "session_settings")
    assert tenant.calls.has_answered("user_sessions")


def test_one_refusal_of_the_list_or_of_boost_itself_takes_no_control_away() -> None:
    tenant = Tenant()
    tenant.answer(0, "user_sessions")
    tenant.refuse(1, name="user_sessions")
    tenant.refuse(1, name="session_settings")
    assert tenant.is_offered(1, "session_settings")


def test_one_line_in_the_log_says_that_a_call_is_not_offered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    tenant = Tenant()
    tenant.refuse(0, 5)
    assert caplog.messages == []
    tenant.refuse(10, 15, 10 + DAY)
    assert caplog.messages == ["This Jedlix tenant does not offer chargers: no such path"]


def described(tenant: Tenant, name: str = "chargers") -> dict[str, object]:
    """Return what is said of a call, without what is not known."""
    return {key: value for key, value in tenant.calls.describe(name).items() if value}


def test_it_is_said_whether_a_call_is_offered_since_when_and_how_sure_that_is() -> None:
    tenant = Tenant()
    assert described(tenant) == {"offered": "not known"}
    assert described(tenant, "vehicles") == {"offered": "documented"}
    tenant.refuse(0, 5)
    last = {"refusals_since": 2, "last_refusal": at(5).isoformat()}
    assert described(tenant) == {"offered": "not known", **last}
    tenant.refuse(10)
    last = {"refusals_since": 3, "last_refusal": at(10).isoformat()}
    assert described(tenant) == {"offered": "no", "since": at(0).isoformat(), **last}
    tenant.answer(DAY)
    tenant.answer(DAY + 5)
    since = {"since": at(DAY).isoformat(), "last_answer": at(DAY + 5).isoformat()}
    assert described(tenant) == {"offered": "yes", **since}
    tenant.refuse(DAY + 6)
    assert described(tenant)["refusals_since"] == 1
    assert described(tenant)["offered"] == "yes"


def test_an_empty_list_forgets_refusals_but_does_not_take_back_what_they_decided() -> None:
    """A wrong address may answer with it; a list with something in it is an answer."""
    tenant = Tenant()
    tenant.refuse(0, 5)
    tenant.calls.note_list("chargers", [])
    assert described(tenant) == {"offered": "not known"}
    tenant.refuse(0, 5, 10)
    tenant.calls.note_list("chargers", [])
    assert described(tenant)["offered"] == "no"
    tenant.calls.note_list("chargers", ["a charger"])
    assert described(tenant)["offered"] == "yes"
    tenant.calls.note_list("sessions", [])
    assert described(tenant, "sessions")["offered"] == "yes"  # it is documented


# -- in the store ------------------------------------------------------------------------------------------

NOWS: Final = st.datetimes(
    datetime(2000, 1, 1),  # noqa: DTZ001
    datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
TIMES: Final = st.none() | NOWS
EXPERIENCES: Final = st.builds(
    Experience,
    answered_since=TIMES,
    answered_at=TIMES,
    refusals=st.integers(0, 1000),
    refused_since=TIMES,
    refused_at=TIMES,
)


@given(EXPERIENCES)
def test_an_experience_comes_out_of_the_store_as_stored(experience: Experience) -> None:
    assert Experience.from_json(json.loads(json.dumps(experience.as_json()))) == experience


@pytest.mark.parametrize("damaged", [None, [], "text", 5])
def test_what_is_no_experience_is_refused(damaged: object) -> None:
    with pytest.raises(BadAnswer):
        Experience.from_json(damaged)


def test_what_cannot_be_read_of_an_experience_is_left_out() -> None:
    assert Experience.from_json({"answered_at": "soon", "refusals": "many"}) == Experience()


@given(EXPERIENCES, NOWS)
def test_whatever_is_stored_a_call_is_tried_again_within_a_day(
    experience: Experience, now: datetime
) -> None:
    calls = OfferedCalls({"chargers": experience}, lambda: now)
    is_offered_at_first = calls.is_offered("chargers")
    now += timedelta(days=1)
    assert is_offered_at_first or calls.is_offered("chargers")
