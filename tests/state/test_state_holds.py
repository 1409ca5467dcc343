"""Holds: what a command wrote stays until Jedlix confirms it, denies it twice, or two minutes have passed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from hypothesis import given, strategies as st
import pytest

from custom_components.jedlix.api import ChargeSettings, Session, Vehicle
from custom_components.jedlix.state.holds import Edit, Holds, Part
from custom_components.jedlix.state.vehicle_snapshot import VehicleSnapshot

NOON: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
KEY: Final = ("user", "car")
ON, OFF = True, False


def at(seconds: float) -> datetime:
    """Return a moment in seconds after noon, when the command wrote."""
    return NOON + timedelta(seconds=seconds)


def make_car(*, boosted: bool = False, **settings: Any) -> VehicleSnapshot:
    """Return a car in a session as an answer shows it."""
    return VehicleSnapshot(
        vehicle=Vehicle(id="car", user_id="user"),
        known_since=NOON,
        open_sessions={"s": Session(id="s", started_at=NOON)},
        boost_session_id="s" if boosted else None,
        settings=ChargeSettings.from_json({"isSmartChargingEnabled": True, **settings}),
    )


def boost(car: VehicleSnapshot) -> VehicleSnapshot:
    """Edit a car as the command to boost does."""
    return replace(car, boost_session_id="s")


def setting(**changed: Any) -> Edit:
    """Return the edit of a command that writes settings."""

    def edit(car: VehicleSnapshot) -> VehicleSnapshot:
        known = {} if car.settings is None else car.settings.raw
        return replace(car, settings=ChargeSettings.from_json({**known, **changed}))

    return edit


class Car:
    """A car that was boosted at noon."""

    def __init__(self) -> None:
        self.holds = Holds()
        self.holds.add(KEY, Part.BOOST, boost, NOON)

    def is_boosted_after(self, reported: bool, asked_at: float, read_at: float, part: Part) -> bool:
        """Return whether the car is shown as boosted after an answer."""
        return self.holds.apply(
            KEY, make_car(boosted=reported), read={part}, asked_at=at(asked_at), now=at(read_at)
        ).is_boosted


@pytest.mark.parametrize(
    "answers",
    [
        # Each answer: when its request began, what it reports, and what is shown.
        # Requests from before the write say nothing about it.
        [(-1, OFF, ON), (-1, OFF, ON), (-1, OFF, ON)],
        [(-1, ON, ON), (1, OFF, ON)],
        # An answer that agrees ends the hold: what comes later is true.
        [(1, ON, ON), (2, OFF, OFF)],
        # Within ten seconds an answer may come from before the write, although it was asked for later.
        [(1, OFF, ON), (5, OFF, ON), (9, OFF, ON), (10, OFF, ON), (11, OFF, OFF)],
        # One contradiction decides nothing, two do.
        [(30, OFF, ON), (60, OFF, OFF)],
        [(30, OFF, ON), (60, ON, ON), (90, OFF, OFF)],
        [(-1, OFF, ON), (30, OFF, ON), (-1, OFF, ON), (60, OFF, OFF)],
        # After two minutes nothing is held.
        [(119, OFF, ON)],
        [(120, OFF, OFF)],
        [(-1, OFF, ON), (121, OFF, OFF)],
        # What the user does in Jedlix's app afterwards is shown.
        [(12, ON, ON), (20, OFF, OFF), (30, ON, ON)],
    ],
)
def test_a_write_holds_until_it_is_confirmed_or_denied_twice_or_two_minutes_have_passed(
    answers: list[tuple[float, bool, bool]],
) -> None:
    car = Car()
    shown = [
        car.is_boosted_after(reported, asked_at, max(asked_at, 1), Part.BOOST)
        for asked_at, reported, _ in answers
    ]
    assert shown == [expected for _, _, expected in answers]


def test_an_answer_about_something_else_neither_confirms_nor_denies() -> None:
    car = Car()
    for second in (10, 20, 30, 40, 119):
        assert car.is_boosted_after(OFF, second, second, Part.SETTINGS) is ON
    assert car.is_boosted_after(OFF, 120, 120, Part.SETTINGS) is OFF


def test_a_clock_that_is_put_back_ends_a_hold() -> None:
    car = Car()
    assert car.is_boosted_after(OFF, -3600, -3600, Part.BOOST) is OFF
    assert car.is_boosted_after(OFF, -1, 1, Part.BOOST) is OFF


def test_another_car_is_shown_as_it_is_reported() -> None:
    holds = Holds()
    holds.add(("user", "another"), Part.BOOST, boost, NOON)
    assert not holds.apply(KEY, make_car(), asked_at=at(1), now=at(1)).is_boosted
    assert holds.apply(("user", "another"), make_car(), asked_at=at(1), now=at(1)).is_boosted


# -- two commands within seconds, on a cloud whose answers lag -----------------------------------------------


def two_writes() -> Holds:
    """Return the holds after a level was set and, three seconds later, smart charging switched off."""
    holds = Holds()
    holds.add(KEY, Part.SETTINGS, setting(desiredBatteryLevel=90), at(0))
    holds.add(KEY, Part.SETTINGS, setting(isSmartChargingEnabled=False), at(3))
    return holds


def read(holds: Holds, second: float, level: int, *, smart: bool) -> tuple[int | None, bool | None]:
    """Return what is shown after an answer with these settings."""
    settings = holds.apply(
        KEY,
        make_car(desiredBatteryLevel=level, isSmartChargingEnabled=smart),
        read={Part.SETTINGS},
        asked_at=at(second),
        now=at(second),
    ).settings
    assert settings is not None
    return settings.desired_battery_level, settings.is_smart_charging_enabled


def test_the_second_command_starts_from_what_the_first_wrote() -> None:
    holds = Holds()
    holds.add(KEY, Part.SETTINGS, setting(desiredBatteryLevel=90), at(0))
    lagging = make_car(desiredBatteryLevel=70, isSmartChargingEnabled=True)
    base = holds.apply(KEY, lagging, asked_at=at(2), now=at(2)).settings
    assert base is not None
    assert base.desired_battery_level == 90
    assert base.is_smart_charging_enabled is True


def test_both_writes_hold_against_answers_that_know_none_or_only_the_first() -> None:
    holds = two_writes()
    assert read(holds, 4, 70, smart=True) == (90, False)
    assert read(holds, 5, 90, smart=True) == (90, False)
    assert read(holds, 6, 90, smart=False) == (90, False)
    # Both are confirmed: a later change in the app is shown at once.
    assert read(holds, 7, 80, smart=True) == (80, True)


@pytest.mark.parametrize(
    "answers",
    [
        [(3, ON), (5, ON), (13, ON)],
        [(3, OFF), (5, OFF), (14, OFF)],
        [(-1, OFF), (1, OFF), (3, ON), (5, OFF)],
    ],
)
def test_a_command_that_takes_back_another_is_what_holds(answers: list[tuple[float, bool]]) -> None:
    holds = Holds()
    holds.add(KEY, Part.BOOST, boost, at(0))
    holds.add(KEY, Part.BOOST, lambda car: replace(car, boost_session_id=None), at(2))
    for second, reported in answers:
        car = holds.apply(
            KEY,
            make_car(boosted=reported),
            read={Part.BOOST},
            asked_at=at(second),
            now=at(max(second, 3)),
        )
        assert not car.is_boosted


@given(
    st.lists(
        st.tuples(
            st.floats(0, 40), st.floats(0, 30), st.booleans(), st.sampled_from([*Part, None])
        ),
        max_size=12,
    )
)
def test_whatever_comes_an_answer_is_believed_after_two_minutes(
    answers: list[tuple[float, float, bool, Part | None]],
) -> None:
    """Before that, what is shown is what was written or what Jedlix reports."""
    holds, now = Holds(), 0.0
    holds.add(KEY, Part.BOOST, boost, NOON)
    for pause, took, reported, part in answers:
        now += pause
        shown = holds.apply(
            KEY,
            make_car(boosted=reported),
            read=() if part is None else {part},
            asked_at=at(now - took),
            now=at(now),
        ).is_boosted
        assert shown in {ON, reported}
        if now >= 120:
            assert shown is reported
