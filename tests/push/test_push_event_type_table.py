"""Event types: the table, and what a tenant's set of them amounts to."""

import pytest

from custom_components.jedlix.api.endpoints import Evidence
from custom_components.jedlix.const import DOCUMENTED_EVENT_TYPES
from custom_components.jedlix.push.event_types import (
    DEFAULT_EVENT_TYPES,
    EVENT_TYPES,
    Subject,
    find,
    reports_charging,
)


def test_names_differ_in_any_case() -> None:
    names = [item.name.casefold() for item in EVENT_TYPES]
    assert len(set(names)) == len(names)
    assert all(find(item.name.upper()) is item for item in EVENT_TYPES)


def test_the_documented_event_types_come_first_and_the_others_are_reported() -> None:
    documented = [item.name for item in EVENT_TYPES if item.evidence is Evidence.DOCUMENTED]
    assert documented == list(DOCUMENTED_EVENT_TYPES)
    assert DEFAULT_EVENT_TYPES[: len(documented)] == DOCUMENTED_EVENT_TYPES
    others = EVENT_TYPES[len(documented) :]
    assert {item.evidence for item in others} == {Evidence.REPORTED}


def test_by_default_all_are_subscribed_but_those_of_energy_suppliers() -> None:
    left_out = [item for item in EVENT_TYPES if item.name not in DEFAULT_EVENT_TYPES]
    assert {item.subject for item in left_out} == {Subject.SUPPLIER}
    assert all(item.name.startswith("utilityContract") for item in left_out)


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ([], False),
        (DOCUMENTED_EVENT_TYPES, False),
        (DEFAULT_EVENT_TYPES, True),
        (["userCreated", "sessionStarted"], True),
        (["SessionStarted"], True),
        (["sessionEnded", "sessionImpossible", "vehicleUpdated"], False),
        (["vehicleConnected", "vehicleDisconnected"], False),
        (["chargeSessionBegun"], True),
        (["tariffsPublished"], False),
    ],
)
def test_whether_charging_is_reported(accepted: list[str], expected: bool) -> None:
    assert reports_charging(accepted) is expected
