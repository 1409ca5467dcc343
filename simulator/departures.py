"""Departure times: shapes that a car's charge settings may have. All of them are guesses of ours.

Documented is the name `departureTimes`, and that it is an object. What is in it is not known. So each shape
lies below a key that says so. Some are as simple as can be, the others are what a client must not touch.
"""

from .model import JsonObject

_WORKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")
_WEEKEND = ("saturday", "sunday")

_SHAPES: dict[str, object] = {
    "one": {"time": "07:30"},
    "hour_and_minute": {"time": {"hour": 7, "minute": 30}},
    "days": dict.fromkeys(_WORKDAYS, "07:30") | dict.fromkeys(_WEEKEND, "09:00"),
    "flags": {
        day: {"enabled": day != "sunday", "time": "07:30:00"} for day in (*_WORKDAYS, *_WEEKEND)
    },
    "groups": [
        {"daysOfWeek": [*_WORKDAYS], "departureTime": "7:30"},
        {"daysOfWeek": [*_WEEKEND], "departureTime": "9:00"},
    ],
    "numbers": {str(day): "07:30" for day in range(7)},
    "zoned": {"time": "07:30+01:00"},
    "two_times": {"monday": {"start": "22:00", "end": "07:30"}},
}
DEPARTURES: dict[str, JsonObject] = {
    "none": {},
    **{name: {"assumedByTheSimulator": shape} for name, shape in _SHAPES.items()},
}
"""Departure times by the name of their shape."""
