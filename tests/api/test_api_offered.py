"""Offered calls: what the answers of a tenant say about the calls that it has."""

import logging

import pytest

from custom_components.jedlix.api import Forbidden, NotFound
from custom_components.jedlix.api.offered import REFUSALS_BEFORE_NOT_OFFERED, OfferedCalls


@pytest.fixture
def offered() -> OfferedCalls:
    """Return the calls of a tenant that was not asked yet."""
    return OfferedCalls()


def test_each_call_is_offered_until_a_tenant_refuses_it(offered: OfferedCalls) -> None:
    assert offered.is_offered("chargers")
    offered.note_refusal("chargers", NotFound("no such path"))
    assert not offered.is_offered("chargers")
    assert offered.is_offered("sessions")


def test_a_call_that_was_answered_stays_offered(offered: OfferedCalls) -> None:
    offered.note_answer("chargers")
    for _ in range(2 * REFUSALS_BEFORE_NOT_OFFERED):
        offered.note_refusal_of_one("chargers", NotFound("no such car"))
    assert offered.is_offered("chargers")


def test_one_car_may_lack_what_others_have_but_not_five_in_a_row(offered: OfferedCalls) -> None:
    for _ in range(REFUSALS_BEFORE_NOT_OFFERED):
        assert offered.is_offered("charge_settings")
        offered.note_refusal_of_one("charge_settings", NotFound("no such car"))
    assert not offered.is_offered("charge_settings")


def test_a_call_that_is_certainly_not_there_is_not_offered_although_it_was_answered(
    offered: OfferedCalls,
) -> None:
    offered.note_answer("sessions")
    offered.note_not_offered("sessions", Forbidden("not in your plan"))
    assert not offered.is_offered("sessions")


def test_a_call_under_a_path_that_is_not_offered_is_not_offered(offered: OfferedCalls) -> None:
    assert offered.is_offered("session_settings")
    offered.note_not_offered("user_sessions", NotFound("no such path"))
    assert not offered.is_offered("session_settings")


def test_one_line_in_the_log_says_that_a_call_is_not_offered(
    offered: OfferedCalls, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(2):
        offered.note_not_offered("chargers", NotFound("no such path"))
    (line,) = (record.getMessage() for record in caplog.records)
    assert line == "This Jedlix tenant does not offer chargers: no such path"
