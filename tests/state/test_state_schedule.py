"""Poll schedule and detail schedule: no user is forgotten, and what seldom changes is seldom read."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from hypothesis import given, strategies as st
import pytest

from custom_components.jedlix.api import (
    Charger,
    ChargeSettings,
    ChargeState,
    ChargeStatus,
    Session,
    Vehicle,
)
from custom_components.jedlix.state.changes import Change, ChangeType
from custom_components.jedlix.state.details import DetailSchedule
from custom_components.jedlix.state.gone import Absence
from custom_components.jedlix.state.schedule import (
    IN_SESSION_PER_MINUTE,
    PLUGGED_IN_PER_MINUTE,
    USERS_PER_POLL,
    PollSchedule,
    is_known,
    users_with_new_sessions,
)
from custom_components.jedlix.state.user_snapshot import UserSnapshot
from custom_components.jedlix.state.vehicle_snapshot import VehicleSnapshot

NOON: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DAY: Final = 24 * 60


def at(minutes: float) -> datetime:
    """Return a moment in minutes after noon."""
    return NOON + timedelta(minutes=minutes)


def make_user(
    user_id: str = "user",
    *,
    status: ChargeStatus = ChargeStatus.DISCONNECTED,
    running: str | None = None,
    ended: str | None = None,
    chargers: int | None = 1,
    settings: dict[str, Any] | None = None,
) -> UserSnapshot:
    """Return a user with one car, whose sessions have these ids."""
    car = VehicleSnapshot(
        vehicle=Vehicle(
            id="car", user_id=user_id, charge_state=ChargeState(status=status, updated_at=NOON)
        ),
        known_since=NOON,
        open_sessions={} if running is None else {running: Session(id=running, started_at=NOON)},
        ended_sessions={} if ended is None else {ended: NOON},
        settings=None if settings is None else ChargeSettings.from_json(settings),
    )
    return UserSnapshot(
        user_id=user_id,
        vehicles={"car": car},
        chargers=None
        if chargers is None
        else {f"{number}": Charger(id=f"{number}", user_id=user_id) for number in range(chargers)},
    )


# -- poll schedule: which users are due ----------------------------------------------------------------------


def make_schedule(count: int, **more: UserSnapshot) -> tuple[PollSchedule, dict[str, UserSnapshot]]:
    """Return a schedule whose users have all been refreshed, and the users."""
    users = {f"u{number}": make_user(f"u{number}") for number in range(count)} | more
    schedule = PollSchedule(users)
    for user_id in users:
        schedule.note_refreshed(user_id)
    return schedule, users


def take_due(
    schedule: PollSchedule,
    users: Mapping[str, UserSnapshot],
    *,
    with_news: Collection[str] = (),
    lists_tenant: bool = True,
    minutes: float = 5,
    is_quick: bool = False,
    other_calls: int = 0,
) -> dict[str, bool]:
    """Return the users who are due, and whether their sessions are read too."""
    return schedule.take_due(
        users,
        with_news=with_news,
        lists_tenant=lists_tenant,
        minutes=minutes,
        quick_minutes=1 if is_quick else minutes,
        other_calls=other_calls,
    )


def take_quick_due(
    schedule: PollSchedule,
    users: Mapping[str, UserSnapshot],
    *,
    with_news: Collection[str] = (),
    lists_tenant: bool = True,
) -> dict[str, bool]:
    """Return the users who are due between two polls, and whether their sessions are read too."""
    return schedule.take_quick_due(users, with_news=with_news, lists_tenant=lists_tenant)


def test_the_first_poll_refreshes_all_users_thoroughly() -> None:
    schedule = PollSchedule([f"u{number}" for number in range(12)])
    assert take_due(schedule, {}) == dict.fromkeys(schedule.followed, True)


@pytest.mark.parametrize("lists_tenant", [True, False])
def test_five_idle_users_are_due_in_turn_and_only_their_cars_where_the_tenant_lists_sessions(
    lists_tenant: bool,
) -> None:
    schedule, users = make_schedule(12)
    polled: list[str] = []
    for _ in range(12):
        due = take_due(schedule, users, lists_tenant=lists_tenant)
        assert len(due) == USERS_PER_POLL
        assert set(due.values()) == {not lists_tenant}
        polled += due
    assert {user_id: polled.count(user_id) for user_id in users} == dict.fromkeys(
        users, USERS_PER_POLL
    )


@pytest.mark.parametrize(("count", "due"), [(12, USERS_PER_POLL - 1), (3, 3)])
def test_other_calls_of_a_poll_take_the_place_of_turns_in_a_fleet(count: int, due: int) -> None:
    schedule, users = make_schedule(count)
    assert len(take_due(schedule, users, other_calls=1)) == due


@pytest.mark.parametrize(
    ("count", "with_list", "without_list"), [(0, 1, 1), (1, 1, 1), (5, 1, 1), (6, 1, 2), (12, 1, 3)]
)
def test_every_user_was_read_after_some_polls_by_their_own_list_or_the_tenants(
    count: int, with_list: int, without_list: int
) -> None:
    schedule, _ = make_schedule(count)
    assert schedule.polls_per_turn(lists_tenant=True) == with_list
    assert schedule.polls_per_turn(lists_tenant=False) == without_list


def test_each_poll_refreshes_all_users_of_a_household() -> None:
    schedule, users = make_schedule(3)
    for _ in range(2):
        assert take_due(schedule, users) == dict.fromkeys(users, False)


@pytest.mark.parametrize(
    "condition",
    [
        make_user("busy", running="s"),
        replace(make_user("busy"), failing_since=NOON),
        replace(make_user("busy"), absences={"vehicle car": Absence(since=NOON, last_seen=NOON)}),
    ],
    ids=["in a session", "cannot be read", "misses something"],
)
def test_a_user_who_needs_it_is_due_at_each_poll_and_read_thoroughly(
    condition: UserSnapshot,
) -> None:
    schedule, users = make_schedule(20, busy=condition)
    for _ in range(5):
        assert take_due(schedule, users)["busy"] is True
    users["busy"] = make_user("busy")
    thorough = [take_due(schedule, users).get("busy") for _ in range(5)]
    assert True not in thorough


@pytest.mark.parametrize(
    ("session", "is_new"),
    [
        (Session(id="new"), True),
        (Session(id="running"), False),
        (Session(id="running", ended_at=NOON), True),
        (Session(id="ended", ended_at=NOON), False),
        (Session(id="new", ended_at=at(1)), True),
        (Session(id="new", ended_at=NOON), False),  # it ended before the car was known
        (Session(id="new", ended_at=at(-1)), False),
    ],
)
def test_a_session_is_new_when_its_start_or_end_is_not_known(
    session: Session, is_new: bool
) -> None:
    users = {"u": make_user("u", running="running", ended="ended")}
    assert users_with_new_sessions(users, {"u": [session]}) == ({"u"} if is_new else set())


def test_a_session_of_a_user_without_a_car_or_of_a_stranger_is_no_news() -> None:
    users = {"u": replace(make_user("u"), vehicles={})}
    assert users_with_new_sessions(users, {"u": [Session(id="a")], "x": [Session(id="b")]}) == set()
    assert is_known(None, Session(id="b"))


def test_a_user_with_news_is_refreshed_thoroughly_and_a_stranger_is_not() -> None:
    schedule, users = make_schedule(20)
    due = take_due(schedule, users, with_news={"u19", "stranger"})
    assert due["u19"] is True
    assert sum(due.values()) == 1
    assert "stranger" not in due


def test_after_a_gap_a_user_waits_until_a_refresh_succeeds() -> None:
    schedule, users = make_schedule(20)
    assert not schedule.is_waiting("u19")
    schedule.wait("u19")
    for _ in range(3):
        assert schedule.is_waiting("u19")
        assert take_due(schedule, users)["u19"] is True
    schedule.note_refreshed("u19")
    assert not schedule.is_waiting("u19")


def test_a_user_followed_from_now_on_is_refreshed_thoroughly_first() -> None:
    schedule, users = make_schedule(20)
    schedule.follow("new")
    assert "new" in schedule.followed
    assert schedule.is_waiting("new")
    assert take_due(schedule, users)["new"] is True


def test_a_trusted_user_is_unread_until_a_refresh() -> None:
    schedule, _ = make_schedule(8)
    schedule.wait("u3")
    schedule.trust("u3")
    assert not schedule.is_waiting("u3")
    assert schedule.is_unread("u3")
    schedule.note_refreshed("u3")
    assert not schedule.is_unread("u3")


def test_a_user_who_is_no_longer_followed_is_never_due() -> None:
    schedule, users = make_schedule(8)
    schedule.wait("u3")
    schedule.unfollow("u3")
    assert not schedule.is_waiting("u3")
    schedule.wait("u3")  # a refresh that was under way may still fail
    assert schedule.followed == users.keys() - {"u3"}
    for _ in range(3):
        assert "u3" not in take_due(schedule, users, with_news={"u3"})


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["follow", "unfollow", "wait", "refresh", "poll"]), st.integers(0, 14)
        ),
        max_size=60,
    )
)
def test_each_followed_user_is_refreshed_soon_whatever_happens(
    steps: list[tuple[str, int]],
) -> None:
    """It takes as many polls as there are groups of five, and no other user is refreshed."""
    schedule = PollSchedule([])
    for step, number in steps:
        user_id = f"u{number}"
        is_followed = user_id in schedule.followed
        match step:
            case "follow" if not is_followed:
                schedule.follow(user_id)
            case "unfollow" if is_followed:
                schedule.unfollow(user_id)
            case "wait" if is_followed:
                schedule.wait(user_id)
            case "refresh" if is_followed:
                schedule.note_refreshed(user_id)
            case "poll":
                poll(schedule)
    refreshed: set[str] = set()
    for _ in range(schedule.polls_per_turn(lists_tenant=False)):
        refreshed |= poll(schedule).keys()
    assert refreshed == schedule.followed
    idle = poll(schedule)
    assert len(idle) == min(USERS_PER_POLL, len(schedule.followed))
    assert not any(idle.values()) or len(schedule.followed) <= USERS_PER_POLL


@pytest.mark.parametrize(("users", "thorough"), [(1, 2), (USERS_PER_POLL, 2), (6, 0), (1000, 0)])
def test_a_household_is_read_thoroughly_now_and_then(users: int, thorough: int) -> None:
    """So what Jedlix corrected or deleted is found although nothing else happens."""
    schedule, _ = make_schedule(users)
    poll(schedule)
    assert sum(any(poll(schedule).values()) for _ in range(12)) == thorough


def poll(schedule: PollSchedule) -> Mapping[str, bool]:
    """Refresh all users who are due, each with success."""
    users = {user_id: make_user(user_id) for user_id in schedule.followed}
    due = take_due(schedule, users)
    for user_id in due:
        schedule.note_refreshed(user_id)
    return due


# -- plugged-in cars ---------------------------------------------------------------------------------------

STOPPED: Final = ChargeStatus.STOPPED


def make_fleet(idle: int, plugged_in: int) -> tuple[PollSchedule, dict[str, UserSnapshot]]:
    """Return a schedule of users who are idle, and of others who are in a session."""
    names = [f"p{number}" for number in range(plugged_in)]
    return make_schedule(
        idle, **{name: make_user(name, running="s", status=STOPPED) for name in names}
    )


@pytest.mark.parametrize("lists_tenant", [True, False])
@pytest.mark.parametrize("count", [1, 5])
def test_between_polls_the_cars_of_a_household_are_all_read(count: int, lists_tenant: bool) -> None:
    schedule, users = make_schedule(count - 1, p=make_user("p", running="s"))
    for _ in range(3):
        due = take_quick_due(schedule, users, lists_tenant=lists_tenant)
        assert due == dict.fromkeys(users, False)


@pytest.mark.parametrize(
    ("user", "is_due"),
    [
        (make_user("it"), False),
        (make_user("it", status=ChargeStatus.UNKNOWN), False),
        (make_user("it", status=STOPPED), True),
        (make_user("it", running="s"), True),
        (replace(make_user("it", running="s"), failing_since=NOON), False),
    ],
)
def test_between_polls_a_fleet_reads_the_cars_that_are_plugged_in(
    user: UserSnapshot, is_due: bool
) -> None:
    schedule, users = make_schedule(20, it=user)
    for _ in range(5):
        assert take_quick_due(schedule, users) == ({"it": False} if is_due else {})


def test_between_polls_a_fleet_without_the_tenants_list_reads_idle_users_in_turn() -> None:
    schedule, users = make_fleet(20, 2)
    read: list[str] = []
    for _ in range(4):
        due = take_quick_due(schedule, users, lists_tenant=False)
        assert due.keys() >= {"p0", "p1"}
        read += due.keys() - {"p0", "p1"}
    assert sorted(read) == sorted(users.keys() - {"p0", "p1"})


def test_between_polls_a_user_with_news_is_refreshed_thoroughly_unless_a_poll_has_to() -> None:
    schedule, users = make_schedule(20)
    assert take_quick_due(schedule, users, with_news={"u3"}) == {"u3": True}
    schedule.wait("u3")
    assert take_quick_due(schedule, users, with_news={"u3"}) == {}
    schedule.unfollow("u4")
    assert take_quick_due(schedule, users, with_news={"u4"}) == {}


@pytest.mark.parametrize("minutes", [1, 5, 60])
@pytest.mark.parametrize("plugged_in", [1, 5])
def test_few_users_in_a_session_are_refreshed_thoroughly_at_each_poll(
    plugged_in: int, minutes: int
) -> None:
    schedule, users = make_fleet(20, plugged_in)
    for _ in range(3):
        due = take_due(schedule, users, minutes=minutes)
        assert {user_id for user_id, thorough in due.items() if thorough} == {
            f"p{number}" for number in range(plugged_in)
        }


def test_a_plugged_in_car_without_a_session_is_read_at_each_poll() -> None:
    schedule, users = make_schedule(20, it=make_user("it", status=STOPPED))
    for _ in range(6):
        assert take_due(schedule, users)["it"] is False


def calls_of_an_hour(
    schedule: PollSchedule,
    users: Mapping[str, UserSnapshot],
    *,
    is_quick: bool,
    lists_tenant: bool,
    minutes: int,
) -> tuple[int, dict[str, int]]:
    """Return how many calls an hour costs at most, and how often each user is refreshed in it."""
    calls, refreshes = 0, dict.fromkeys(users, 0)
    for minute in range(60):
        if minute % minutes == 0:
            due = take_due(
                schedule, users, lists_tenant=lists_tenant, minutes=minutes, is_quick=is_quick
            )
            calls += 4  # two lists of the tenant, of two pages each
        elif is_quick:
            due = take_quick_due(schedule, users, lists_tenant=lists_tenant)
            calls += lists_tenant and not schedule.is_household
        else:
            continue
        # the cars; with the sessions come the settings and the chargers
        calls += sum(4 if thorough else 1 for thorough in due.values())
        for user_id in due:
            refreshes[user_id] += 1
    return calls, refreshes


@given(
    st.integers(0, 400),
    st.integers(0, 400),
    st.booleans(),
    st.booleans(),
    st.sampled_from([1, 2, 5, 15, 60]),
)
def test_an_hour_has_a_ceiling_of_calls_and_no_plugged_in_car_is_forgotten(
    idle: int, plugged_in: int, is_quick: bool, lists_tenant: bool, minutes: int
) -> None:
    """Whatever the size of the fleet; half of the users in a session, of the plugged-in ones."""
    schedule, users = make_fleet(idle, plugged_in)
    for number in range(0, plugged_in, 2):
        users[f"p{number}"] = make_user(f"p{number}", status=STOPPED)
    calls, refreshes = calls_of_an_hour(
        schedule, users, is_quick=is_quick, lists_tenant=lists_tenant, minutes=minutes
    )
    # Who chose a poll each minute chose its cost as well; without the tenant's list each turn costs more.
    usual = 2000 if lists_tenant else 3000
    assert calls <= (usual if minutes > 2 else 3500)
    least = 60 * PLUGGED_IN_PER_MINUTE // max(1, plugged_in) - 60 // minutes
    of_plugged = [count for name, count in refreshes.items() if name.startswith("p")]
    assert min(of_plugged, default=least) >= min(least, 59 if is_quick else 60 // minutes)


def test_one_plugged_in_car_costs_a_hundred_and_thirty_calls_an_hour() -> None:
    """With the chargers and settings, which a refresh of a household reads as well."""
    schedule, users = make_fleet(0, 1)
    calls, refreshes = calls_of_an_hour(
        schedule, users, is_quick=True, lists_tenant=True, minutes=5
    )
    assert calls - 2 * 12 <= 130
    assert refreshes == {"p0": 60}


def test_the_turns_of_a_fleet_go_round() -> None:
    schedule, users = make_fleet(1000, 200)
    counts = dict.fromkeys(users, 0)
    for _ in range(200):
        for user_id in take_quick_due(schedule, users):
            counts[user_id] += 1
    of_plugged = {count for name, count in counts.items() if name.startswith("p")}
    assert of_plugged == {PLUGGED_IN_PER_MINUTE}
    thorough = dict.fromkeys(users, 0)
    polls = 200 // IN_SESSION_PER_MINUTE // 5
    for _ in range(polls):
        for user_id, is_thorough in take_due(schedule, users).items():
            thorough[user_id] += is_thorough
    assert max(thorough.values()) == 1
    assert sum(thorough.values()) == polls * 5 * IN_SESSION_PER_MINUTE


# -- detail schedule: when settings and chargers are read ----------------------------------------------------


def make_change(change_type: ChangeType) -> Change:
    """Return a change of the user's car."""
    return Change(type=change_type, user_id="user", occurred_at=NOON)


def read_at_noon(user: UserSnapshot) -> DetailSchedule:
    """Return a schedule by which everything was read at noon."""
    details = DetailSchedule()
    assert details.take_settings_due(user, [], NOON)
    assert details.take_chargers_due(user, NOON, polled=True)
    return details


@pytest.mark.parametrize(
    ("running", "minutes", "due"),
    [(None, 14, False), (None, 15, True), ("s", 0.9, False), ("s", 1, True)],
)
def test_at_home_settings_are_read_every_quarter_of_an_hour_and_in_a_session_at_each_poll(
    running: str | None, minutes: float, due: bool
) -> None:
    user = make_user(running=running)
    details = read_at_noon(user)
    assert details.take_settings_due(user, [], at(minutes)) is due
    if due:
        assert not details.take_settings_due(user, [], at(minutes + 0.5))


@pytest.mark.parametrize(
    ("running", "minutes", "due"), [(None, DAY - 1, False), (None, DAY, True), ("s", 1, True)]
)
def test_in_a_fleet_settings_are_read_daily_and_in_a_session_at_each_poll(
    running: str | None, minutes: float, due: bool
) -> None:
    user = make_user(running=running)
    details = read_at_noon(user)
    assert details.take_settings_due(user, [], at(minutes), is_household=False) is due


@pytest.mark.parametrize(("minutes", "due"), [(14, False), (15, True)])
def test_a_refresh_that_only_reads_the_cars_reads_no_settings_for_the_session_alone(
    minutes: float, due: bool
) -> None:
    user = make_user(running="s")
    assert read_at_noon(user).take_settings_due(user, [], at(minutes), thorough=False) is due


@pytest.mark.parametrize("change_type", ChangeType)
def test_a_change_that_may_come_from_settings_has_them_read(change_type: ChangeType) -> None:
    user = make_user()
    assert read_at_noon(user).take_settings_due(user, [make_change(change_type)], at(1)) is (
        change_type
        in {
            ChangeType.SESSION_STARTED,
            ChangeType.SESSION_BECAME_SMART,
            ChangeType.SESSION_BECAME_UNMANAGED,
            ChangeType.VEHICLE_ADDED,
        }
    )


@pytest.mark.parametrize("before", ChargeStatus)
@pytest.mark.parametrize("after", ChargeStatus)
def test_another_charge_state_has_the_chargers_read(
    before: ChargeStatus, after: ChargeStatus
) -> None:
    """Some are no change that is published: one that was complete waits again for a higher level."""
    old, new = (
        replace(user, vehicles={"car": replace(user.vehicles["car"], status=status)})
        for user, status in ((make_user(), before), (make_user(), after))
    )
    details = read_at_noon(new)
    details.note_states(old, new)
    assert details.take_chargers_due(new, at(1), polled=False) is (before is not after)


def test_the_charger_of_a_new_car_is_read_and_none_where_there_is_no_charger() -> None:
    user, nobody = make_user(), make_user(chargers=0)
    details = read_at_noon(user)
    details.note_states(replace(user, vehicles={}), user)
    assert details.take_chargers_due(user, at(1), polled=False)
    details = read_at_noon(nobody)
    details.note_states(replace(nobody, vehicles={}), nobody)
    assert not details.take_chargers_due(nobody, at(1), polled=False)


@pytest.mark.parametrize(
    ("enabled", "minutes", "due"),
    [(False, 9, False), (False, 10, True), (False, 11, True), (True, 11, False)],
)
def test_settings_are_read_once_smart_charging_should_have_resumed(
    enabled: bool, minutes: float, due: bool
) -> None:
    user = make_user(
        settings={"isSmartChargingEnabled": enabled, "enableSmartChargingAt": at(10).isoformat()}
    )
    assert read_at_noon(user).take_settings_due(user, [], at(minutes)) is due


@pytest.mark.parametrize(
    ("running", "polled", "due"),
    [("s", True, True), ("s", False, False), (None, True, False), (None, False, False)],
)
def test_in_a_session_each_poll_reads_the_chargers_and_a_delivery_does_not(
    running: str | None, polled: bool, due: bool
) -> None:
    user = make_user(running=running)
    assert read_at_noon(user).take_chargers_due(user, at(1), polled=polled) is due


def test_the_list_of_a_user_without_a_charger_is_read_daily() -> None:
    user = make_user(running="s", chargers=0)
    details = read_at_noon(user)
    assert not details.take_chargers_due(user, at(DAY - 1), polled=True)
    assert details.take_chargers_due(user, at(DAY), polled=False)


def test_requested_details_are_due_once_and_those_of_other_users_are_not() -> None:
    user = make_user()
    details = read_at_noon(user)
    details.request_settings("another")
    details.request_chargers("another")
    assert not details.take_settings_due(user, [], at(1))
    assert not details.take_chargers_due(user, at(1), polled=False)
    details.request_settings("user")
    assert not details.take_chargers_due(user, at(2), polled=False)
    assert details.take_settings_due(user, [], at(2))
    details.request_chargers("user")
    assert not details.take_settings_due(user, [], at(3))
    assert details.take_chargers_due(user, at(3), polled=False)


def test_everything_is_due_for_a_user_who_is_followed_again() -> None:
    details, user = read_at_noon(make_user()), make_user(chargers=None)
    assert details.take_settings_due(user, [], at(1))
    assert details.take_chargers_due(user, at(1), polled=False)


@given(
    st.lists(
        st.tuples(
            st.floats(0.1, 5 * DAY),
            st.sampled_from([None, "s"]),
            st.lists(st.sampled_from(ChangeType), max_size=2),
        ),
        max_size=30,
    )
)
def test_no_detail_is_older_than_a_day_and_none_is_read_twice_at_one_moment(
    refreshes: list[tuple[float, str | None, list[ChangeType]]],
) -> None:
    details, now = DetailSchedule(), 0.0
    settings_read_at = chargers_read_at = -float(2 * DAY)
    for pause, running, change_types in refreshes:
        now += pause
        user, changes = make_user(running=running), [make_change(each) for each in change_types]
        if details.take_settings_due(user, changes, at(now)):
            settings_read_at = now
        if details.take_chargers_due(user, at(now), polled=False):
            chargers_read_at = now
        assert now - settings_read_at < (DAY if running is None else 30)
        assert now - chargers_read_at < DAY
        assert not details.take_settings_due(user, [], at(now))
        assert not details.take_chargers_due(user, at(now), polled=False)
