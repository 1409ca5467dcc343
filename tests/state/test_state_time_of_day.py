"""Time of day: what is one, and how another one is written in its style."""

from datetime import time
from typing import Any

import pytest

from custom_components.jedlix.state.time_of_day import in_style_of, read_time


@pytest.mark.parametrize(
    ("value", "read", "written"),
    [
        ("7:30", time(7, 30), "6:05"),
        ("07:30", time(7, 30), "06:05"),
        ("07:30:15", time(7, 30, 15), "06:05:00"),
        ("07:30:15.000", time(7, 30, 15), "06:05:00.000"),
        ({"Hours": 7, "Minutes": 30}, time(7, 30), {"Hours": 6, "Minutes": 5}),
        ({"hour": 7, "minute": 30, "second": 9}, time(7, 30, 9), {"hour": 6, "minute": 5, "second": 0}),
    ],
)  # fmt: skip
def test_a_time_keeps_its_style(value: Any, read: time, written: object) -> None:
    assert read_time(value) == read
    assert in_style_of(value, time(6, 5)) == written


@pytest.mark.parametrize("value", ["24:00", "07:30Z", "07:60", "", 450, None, {}, {"hour": 7}])
def test_what_is_no_time_of_day(value: object) -> None:
    assert read_time(value) is None
