"""Read-back: what Jedlix answers after a write is as it was written, or a surprise."""

from typing import Any, Final

import pytest

from custom_components.jedlix.state.read_back import Surprise, surprise

WRITTEN: Final[dict[str, Any]] = {
    "departureTimes": {"monday": "07:30", "tuesday": {"hour": 8, "minute": 0}},
    "inside": {"last_modified": "2026-01-01T00:00:00"},
    "desiredBatteryLevel": 80,
    "useSolarProduction": True,
    "enableSmartChargingAt": "2026-01-01T00:00:00Z",
    "modifiedAt": "soon",
    "list": [1, {"a": None}],
    "text": "ab",
    "updatedAt": "2026-01-01T00:00:00Z",
}
PATHS: Final = (("departureTimes", "monday"), ("departureTimes", "tuesday"))
FLAG: Final = (("useSolarProduction",),)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"departureTimes": {"monday": "7:30:00", "tuesday": {"hour": 8, "minute": 0}}},
        {"departureTimes": {"monday": "07:30", "tuesday": "08:00:00"}},
        {"departureTimes": {"tuesday": {"minute": 0, "hour": 8}, "monday": "07:30"}},
        {"updatedAt": "2026-01-02T00:00:00Z"},
        {"inside": {"last_modified": "2026-01-02T00:00:00"}},
        {"desiredBatteryLevel": 80.0},
        {"list": [1, {}]},
        {"nothing": None},
        {"unknown": {"at": 0}},
        {"departureTimes": WRITTEN["departureTimes"] | {"note": "x", "friday": None}},
    ],
)
def test_the_same_said_in_another_way_is_right(change: dict[str, Any]) -> None:
    assert surprise(WRITTEN, WRITTEN | change, PATHS) is None


@pytest.mark.parametrize(
    "departures",
    [
        {"monday": "07:31", "tuesday": {"hour": 8, "minute": 0}},
        {"monday": "07:30", "tuesday": {"hour": 8, "minute": 1}},
        {"monday": None, "tuesday": {"hour": 8, "minute": 0}},
        {"tuesday": {"hour": 8, "minute": 0}},
        {"monday": "07:30Z", "tuesday": {"hour": 8, "minute": 0}},
        {},
        None,
        [],
    ],
)
def test_a_value_that_was_not_taken_over(departures: object) -> None:
    read = WRITTEN | {"departureTimes": departures}
    assert surprise(WRITTEN, read, PATHS) is Surprise.NOT_TAKEN_OVER
    assert surprise(WRITTEN, read | {"desiredBatteryLevel": 70}, PATHS) is Surprise.NOT_TAKEN_OVER
    assert surprise(WRITTEN, read, FLAG) is Surprise.CHANGED_ELSEWHERE


@pytest.mark.parametrize(
    "change",
    [
        {"desiredBatteryLevel": 70},
        {"useSolarProduction": 1},
        {"useSolarProduction": None},
        {"list": [1]},
        {"list": [2, {}]},
        {"updatedAt": "soon"},
        {"enableSmartChargingAt": "2026-01-02T00:00:00Z"},
        {"modifiedAt": "2026-01-02T00:00:00Z"},
        {"list": {"0": 1}},
        {"list": "ab"},
        {"text": [1, {}]},
        {"text": {}},
        {"departureTimes": WRITTEN["departureTimes"] | {"friday": "07:30"}},
    ],
)
def test_something_else_changed(change: dict[str, Any]) -> None:
    assert surprise(WRITTEN, WRITTEN | change, PATHS) is Surprise.CHANGED_ELSEWHERE


def test_a_flag_that_was_not_taken_over() -> None:
    read = WRITTEN | {"useSolarProduction": False}
    assert surprise(WRITTEN, read, FLAG) is Surprise.NOT_TAKEN_OVER
