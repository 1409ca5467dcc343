"""When settings and chargers are read: rarely, and whenever something says that they may have changed."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from hypothesis import given, strategies as st
import pytest

from custom_components.jedlix.api import Charger, ChargeSettings, ChargeStatus, Session, Vehicle
from custom_components.jedlix.state.changes import Change, ChangeType
from custom_components.jedlix.state.schedule import DetailSchedule
from custom_components.jedlix.state.snapshot import UserSnapshot, VehicleSnapshot

NOON: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DAY: Final = 24 * 60


def at(minutes: float) -> datetime:
    """Return a moment of the story, in minutes after noon."""
    return NOON + timedelta(minutes=minutes)


def user(
    *, in_session: bool = False, chargers: int | None = 1, settings: dict[str, Any] | None = None
) -> UserSnapshot:
    """Return a user with one car."""
    vehicle = Vehicle(id="car", user_id="user")
    running = {"s": Session(id="s", started_at=at(0))} if in_session else {}
    return UserSnapshot(
        user_id="user",
        vehicles={
            "car": VehicleSnapshot(
                vehicle=vehicle,
                known_since=at(0),
                status=ChargeStatus.CHARGING,
                open_sessions=running,
                settings=None if settings is None else ChargeSettings.from_json(settings),
            )
        },
        chargers=None
        if chargers is None
        else {f"{number}": Charger(id=f"{number}", user_id="user") for number in range(chargers)},
    )


def change(kind: ChangeType) -> Change:
    """Return something that happened."""
    return Change(type=kind, user_id="user", occurred_at=at(0))


def read(known: UserSnapshot) -> DetailSchedule:
    """Return details of which all was read at noon."""
    details = DetailSchedule()
    assert details.take_settings_due(known, [], at(0))
    assert details.take_chargers_due(known, [], at(0), polled=True)
    return details


# -- settings ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("in_session", "minutes", "due"),
    [
        (False, DAY - 1, False),
        (False, DAY, True),
        (True, 29, False),
        (True, 30, True),
    ],
)
def test_settings_are_read_daily_and_each_half_hour_in_a_session(
    in_session: bool, minutes: float, due: bool
) -> None:
    known = user(in_session=in_session)
    details = read(known)
    assert details.take_settings_due(known, [], at(minutes)) is due
    if due:
        assert not details.take_settings_due(known, [], at(minutes + 1))


@pytest.mark.parametrize("kind", ChangeType)
def test_settings_are_read_when_something_happened_that_may_come_from_them(
    kind: ChangeType,
) -> None:
    known = user()
    assert read(known).take_settings_due(known, [change(kind)], at(1)) is (
        kind
        in {
            ChangeType.SESSION_STARTED,
            ChangeType.SESSION_BECAME_SMART,
            ChangeType.SESSION_BECAME_UNMANAGED,
            ChangeType.VEHICLE_ADDED,
        }
    )


def test_settings_are_read_when_a_delivery_names_them() -> None:
    known = user()
    details = read(known)
    details.request_settings("somebody else")
    assert not details.take_settings_due(known, [], at(1))
    details.request_settings("user")
    assert details.take_settings_due(known, [], at(1))
    assert not details.take_settings_due(known, [], at(2))
    assert not details.take_chargers_due(known, [], at(2), polled=False)


@pytest.mark.parametrize(
    ("enabled", "minutes", "due"),
    [(False, 9, False), (False, 10, True), (False, 11, True), (True, 11, False)],
)
def test_settings_are_read_when_smart_charging_is_to_be_back(
    enabled: bool, minutes: float, due: bool
) -> None:
    known = user(
        settings={
            "isSmartChargingEnabled": enabled,
            "enableSmartChargingAt": at(10).isoformat(),
        }
    )
    assert read(known).take_settings_due(known, [], at(minutes)) is due


# -- chargers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("in_session", "polled", "due"),
    [(True, True, True), (True, False, False), (False, True, False), (False, False, False)],
)
def test_in_a_session_chargers_are_read_at_each_poll_and_not_at_each_ring(
    in_session: bool, polled: bool, due: bool
) -> None:
    known = user(in_session=in_session)
    assert read(known).take_chargers_due(known, [], at(1), polled=polled) is due


@pytest.mark.parametrize("kind", ChangeType)
def test_chargers_are_read_when_their_car_moves(kind: ChangeType) -> None:
    known = user()
    moved = read(known).take_chargers_due(known, [change(kind)], at(1), polled=False)
    assert moved is (kind.value.startswith("charging_") or "plugged" in kind.value)


def test_who_has_no_charger_is_asked_daily_for_a_new_one() -> None:
    known = user(in_session=True, chargers=0)
    details = read(known)
    moved = [change(ChangeType.CHARGING_STARTED)]
    assert not details.take_chargers_due(known, moved, at(DAY - 1), polled=True)
    assert details.take_chargers_due(known, [], at(DAY), polled=False)


# -- both --------------------------------------------------------------------------------------------------


def test_what_could_not_be_read_is_due_at_the_next_look() -> None:
    known = user()
    details = read(known)
    details.request_settings("user")
    details.request_chargers("user")
    assert details.take_settings_due(known, [], at(1))
    assert details.take_chargers_due(known, [], at(1), polled=False)
    assert not details.take_settings_due(known, [], at(2))


def test_of_a_user_who_is_followed_again_everything_is_due() -> None:
    details = read(user())
    assert details.take_settings_due(user(chargers=None), [], at(1))
    assert details.take_chargers_due(user(chargers=None), [], at(1), polled=False)


@given(
    st.lists(
        st.tuples(
            st.floats(0.1, 5 * DAY),
            st.booleans(),
            st.lists(st.sampled_from(ChangeType), max_size=2),
        ),
        max_size=30,
    )
)
def test_nothing_is_older_than_a_day_and_nothing_is_read_twice_at_once(
    looks: list[tuple[float, bool, list[ChangeType]]],
) -> None:
    details, now = DetailSchedule(), 0.0
    settings_at = chargers_at = -float(2 * DAY)
    for pause, in_session, kinds in looks:
        now += pause
        known, changes = user(in_session=in_session), [change(kind) for kind in kinds]
        if details.take_settings_due(known, changes, at(now)):
            settings_at = now
        if details.take_chargers_due(known, changes, at(now), polled=False):
            chargers_at = now
        assert now - settings_at < (30 if in_session else DAY)
        assert now - chargers_at < DAY
        assert not details.take_settings_due(known, [], at(now))
        assert not details.take_chargers_due(known, [], at(now), polled=False)
