"""World without HTTP: the documented rules of sessions, charging on the clock, properties."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given, settings, strategies as st
import pytest

from simulator.model import ChargeState, Session, Vehicle
from simulator.sessions import Filter
from simulator.world import Refused, World

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = 3600.0


class Story:
    """A world in which each step takes a minute."""

    def __init__(self, users: int = 1, **options: float) -> None:
        self.now = NOON
        self.world = World(self.now, users=users, history_days=0, **options)  # type: ignore[arg-type]
        self.car = self.cars[0]

    @property
    def cars(self) -> list[Vehicle]:
        return list(self.world.vehicles.values())

    @property
    def sessions(self) -> list[Session]:
        """Oldest first."""
        return self.world.sessions.find(Filter())[::-1]

    @property
    def changes(self) -> list[str]:
        return [change.type for change in self.world.changes]

    def later(self, hours: float = 0.0) -> datetime:
        self.now += timedelta(minutes=1)
        self.world.advance(self.now, hours * HOUR)
        return self.now

    def plug(self, *, at_home: bool = True) -> datetime:
        self.world.plug(self.car, self.later(), at_home=at_home)
        return self.car.report.at

    def unplug(self) -> datetime:
        self.world.unplug(self.car, self.later())
        return self.car.report.at

    def set(self, **changes: object) -> None:
        self.world.change_settings(self.car, self.car.settings | changes, self.later())


def test_a_night() -> None:
    story = Story()
    story.plug()
    for _ in range(14):
        story.later(1)
    story.unplug()
    assert story.changes == [
        "plugged_in",
        "session_started",
        "charging_started",
        "charging_paused",
        "charging_started",
        "charging_completed",
        "session_ended",
        "session_settled",
        "unplugged",
    ]


def test_start_is_the_first_telemetry_that_meets_the_conditions_end_the_last() -> None:
    story = Story()
    plugged = story.plug()
    story.world.telemetry(story.car, story.later())
    last = story.car.report.at
    unplugged = story.unplug()
    (session,) = story.sessions
    assert session.start == plugged
    assert session.end == last < unplugged
    ended = next(change for change in story.world.changes if change.type == "session_ended")
    assert (ended.occurred_at, ended.known_at) == (last, unplugged)


def test_minimum_at_once_then_only_cheap_hours_up_to_the_desired_level() -> None:
    story = Story(hour=17.0)
    story.plug()
    assert story.car.state is ChargeState.CHARGING  # 12 %, below the minimum of 20 %
    story.later(2)
    assert story.car.state is ChargeState.STOPPED
    assert story.car.level == pytest.approx(20)
    story.later(4.5)
    assert story.car.state is ChargeState.STOPPED  # 23:30
    story.later(1)
    assert story.car.state is ChargeState.CHARGING  # 0:30
    story.later(4)
    assert story.car.state is ChargeState.COMPLETE
    assert story.car.level == story.car.report.battery_level == 80


@pytest.mark.parametrize(
    ("lacking", "at_home", "smart"),
    [
        ((), True, True),
        ((), False, False),
        (("startStopCharging",), True, False),
        (("geoLocation",), True, False),
        (("stateOfCharge",), True, True),
    ],
)
def test_who_is_managed(lacking: tuple[str, ...], at_home: bool, smart: bool) -> None:
    story = Story()
    story.car.capabilities = tuple(name for name in story.car.capabilities if name not in lacking)
    story.plug(at_home=at_home)
    (session,) = story.sessions
    assert session.is_managed is smart
    assert (session.charging_location_id is not None) is at_home


def test_an_unmanaged_session_charges_at_any_price() -> None:
    story = Story(hour=17.0)
    story.plug(at_home=False)
    story.later(6)
    assert story.car.state is ChargeState.COMPLETE
    assert story.sessions[0].savings == 0


def test_disabling_ends_the_smart_session_and_the_next_telemetry_opens_an_unmanaged_one() -> None:
    story = Story()
    story.plug()
    story.world.telemetry(story.car, story.later())
    last = story.car.report.at
    story.set(isSmartChargingEnabled=False)
    (smart,) = story.sessions
    assert (smart.is_managed, smart.end, story.car.session) == (True, last, None)
    assert story.car.plugged_in
    story.world.telemetry(story.car, story.later())
    _, unmanaged = story.sessions
    assert (unmanaged.is_managed, unmanaged.start) == (False, story.car.report.at)
    assert story.changes[-5:] == [
        "smart_charging_disabled",
        "session_ended",
        "session_settled",
        "session_started",
        "session_became_unmanaged",
    ]
    assert unmanaged.charging_location_id == smart.charging_location_id


def test_disabling_leaves_an_unmanaged_session_alone() -> None:
    story = Story()
    story.plug(at_home=False)
    story.set(isSmartChargingEnabled=False)
    story.later(1)
    assert [session.end for session in story.sessions] == [None]


def test_the_car_reports_soon_after_smart_charging_was_disabled() -> None:
    story = Story()
    story.plug()
    story.later(2)
    assert story.car.state is ChargeState.STOPPED
    story.set(isSmartChargingEnabled=False)
    story.later(0.1)
    assert story.car.state is ChargeState.CHARGING
    assert [session.is_managed for session in story.sessions] == [True, False]


def test_smart_charging_resumes_at_the_time_that_was_set() -> None:
    story = Story()
    story.plug()
    story.set(isSmartChargingEnabled=False, enableSmartChargingAt="2026-11-24T12:10:00.000Z")
    story.later(1)
    assert not story.car.smart_charging
    story.now = NOON + timedelta(minutes=10)
    story.later(0.1)
    story.later(0.1)
    assert story.car.smart_charging
    assert story.car.settings["enableSmartChargingAt"] is None
    assert [session.is_managed for session in story.sessions] == [True, False, True]
    assert "session_became_smart" in story.changes


def test_boost_charges_in_an_expensive_hour_and_ends_with_the_session() -> None:
    story = Story()
    story.plug()
    story.later(2)
    (session,) = story.sessions
    story.world.set_boost(session, story.later(), enabled=True)
    story.later(0.1)
    assert story.car.state is ChargeState.CHARGING
    story.unplug()
    assert not session.boost
    assert story.changes[-4:] == ["boost_ended", "session_ended", "session_settled", "unplugged"]


def test_boost_only_in_an_active_smart_session() -> None:
    story = Story()
    story.plug(at_home=False)
    with pytest.raises(Refused):
        story.world.boost_vehicle(story.car, story.now, enabled=True)
    story.unplug()
    with pytest.raises(Refused):
        story.world.boost_vehicle(story.car, story.now, enabled=True)


def test_unknown_is_no_news_about_the_plug() -> None:
    story = Story()
    story.plug()
    before = list(story.changes)
    story.world.telemetry(story.car, story.later(), charge_state=ChargeState.UNKNOWN)
    assert story.car.report.state is ChargeState.UNKNOWN
    assert story.changes == before
    assert story.car.session is not None


def test_no_telemetry_without_a_link() -> None:
    story = Story()
    story.plug()
    story.world.set_link(story.car, story.later(), connected=False)
    reported_at = story.car.report.at
    story.unplug()
    assert story.car.report.at == reported_at
    assert story.car.session is not None
    story.world.set_link(story.car, story.later(), connected=True)
    assert story.car.session is None
    assert story.changes[-5:] == [
        "vehicle_link_lost",
        "vehicle_link_restored",
        "session_ended",
        "session_settled",
        "unplugged",
    ]


def test_a_removed_car_ends_its_session_and_keeps_its_history() -> None:
    story = Story()
    story.plug()
    story.world.remove_vehicle(story.car, story.later())
    assert not story.world.vehicles
    assert [session.end is None for session in story.sessions] == [False]
    story.later(24)


def test_refresh_is_reused_to_ten_minutes_extended_to_fifteen_gone_after() -> None:
    story = Story()
    first = story.world.refresh(story.car, story.later())
    asked = story.now
    story.later(0.1)
    assert first.completed_at == story.car.report.at
    again = story.world.refresh(story.car, asked + timedelta(minutes=9, seconds=59))
    assert again is first
    extended = story.world.refresh(story.car, asked + timedelta(minutes=10))
    assert extended.correlation_id != first.correlation_id
    assert story.world.refresh_status(story.car, asked + timedelta(minutes=24)) is extended
    assert story.world.refresh_status(story.car, asked + timedelta(minutes=25)) is None


def test_a_car_that_cannot_be_read_takes_the_level_that_is_entered() -> None:
    story = Story(users=2)
    story.car = story.cars[1]
    story.plug()
    assert story.car.report.battery_level is story.car.report.range_km is None
    assert story.car.session is not None
    story.world.set_current_level(story.car.session, 78, story.later())
    story.later(0.5)
    assert story.car.state is ChargeState.COMPLETE
    assert story.car.session.current_battery_level == 78


def test_the_same_seed_makes_the_same_world() -> None:
    first, second = (World(NOON, seed=7, users=30) for _ in range(2))
    assert list(first.users) == list(second.users)
    assert list(first.vehicles) == list(second.vehicles)
    assert list(first.sessions.by_id) == list(second.sessions.by_id)
    assert list(World(NOON, seed=8, users=30).users) != list(first.users)
    assert list(World(NOON, seed=7, users=3).users) == list(first.users)[:3]


def test_past_sessions_end_before_now() -> None:
    world = World(NOON, users=40, history_days=30)
    assert len(world.sessions.by_id) > 500
    assert not world.changes
    for session in world.sessions.by_id.values():
        assert session.end is not None
        assert session.start < session.end < NOON


def test_idle_cars_cost_nothing() -> None:
    world = World(NOON, users=200, history_days=0)
    world.advance(NOON, 24 * HOUR)
    assert not world._agenda
    for car in world.vehicles.values():
        world.plug(car, NOON)
    world.advance(NOON + timedelta(minutes=5), 24 * HOUR)
    assert len(world._agenda) <= 200


STEPS = st.one_of(
    st.tuples(st.just("plug"), st.booleans()),
    st.tuples(st.just("unplug"), st.none()),
    st.tuples(st.just("wait"), st.floats(0, 30)),
    st.tuples(st.just("report"), st.sampled_from([None, *ChargeState])),
    st.tuples(st.just("level"), st.integers(0, 100)),
    st.tuples(st.just("smart"), st.booleans()),
    st.tuples(st.just("desired"), st.integers(50, 100)),
    st.tuples(st.just("boost"), st.booleans()),
    st.tuples(st.just("link"), st.booleans()),
    st.tuples(st.just("hour"), st.floats(0, 23)),
)


def _do(story: Story, what: str, value: Any) -> None:
    world, car, now = story.world, story.car, story.now
    actions: dict[str, Callable[[], object]] = {
        "plug": lambda: world.plug(car, now, at_home=value),
        "unplug": lambda: world.unplug(car, now),
        "wait": lambda: story.later(value),
        "report": lambda: world.telemetry(car, now, charge_state=value),
        "level": lambda: world.telemetry(car, now, battery_level=value),
        "smart": lambda: story.set(isSmartChargingEnabled=value),
        "desired": lambda: story.set(desiredBatteryLevel=value),
        "boost": lambda: world.boost_vehicle(car, now, enabled=value),
        "link": lambda: world.set_link(car, now, connected=value),
        "hour": lambda: world.set_hour(value, now),
    }
    actions[what]()


@settings(deadline=None)
@given(st.lists(STEPS, max_size=40), st.booleans())
def test_sessions_and_changes_agree_whatever_happens(
    steps: list[tuple[str, object]],
    second_car: bool,
) -> None:
    story = Story(users=2)
    story.car = story.cars[second_car]
    reports = [story.car.report.at]
    for what, value in steps:
        try:
            _do(story, what, value)
        except Refused:
            continue
        if story.car.report.at != reports[-1]:
            reports.append(story.car.report.at)
    assert all(before < after for before, after in pairwise(reports))
    assert 0 <= story.car.level <= 100
    sessions = story.sessions
    for session in sessions:
        assert session.start <= session.last_met
        assert session.end in {None, session.last_met}
        assert session.energy_kwh >= 0
        assert not session.boost or (session.is_managed and session.end is None)
    for before, after in pairwise(sessions):
        assert before.end is not None
        assert before.end < after.start
    changes = story.changes
    for began, ended in (
        ("plugged_in", "unplugged"),
        ("session_started", "session_ended"),
        ("boost_started", "boost_ended"),
    ):
        assert 0 <= changes.count(began) - changes.count(ended) <= 1
    assert changes.count("session_started") == len(sessions)


MOMENTS = st.integers(0, 40).map(lambda day: NOON - timedelta(days=day, hours=day % 5))


@settings(deadline=None)
@given(st.data())
def test_filters_find_what_checking_each_session_finds(data: st.DataObject) -> None:
    world = World(NOON, users=4, history_days=30)
    story_car = next(iter(world.vehicles.values()))
    world.plug(story_car, NOON)
    maybe = st.one_of(st.none(), MOMENTS)
    wanted = Filter(
        user_id=data.draw(st.sampled_from([None, *world.users])),
        vehicle_id=data.draw(st.sampled_from([None, *world.vehicles])),
        start_from=data.draw(maybe),
        start_to=data.draw(maybe),
        end_from=data.draw(maybe),
        end_to=data.draw(maybe),
    )
    found = world.sessions.find(wanted)
    assert [item.start for item in found] == sorted((item.start for item in found), reverse=True)
    assert {item.id for item in found} == {
        item.id for item in world.sessions.by_id.values() if wanted.matches(item)
    }
