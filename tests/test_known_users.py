"""Known users: until when each is known, who may have missed something, and who waits for a refresh.

One poll is a minute here, so that a user of a household counts as known for three.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
import logging
from typing import Any, Final, cast

import pytest

from custom_components.jedlix.api import ChargingLocation, TariffDetails
from custom_components.jedlix.known_users import TARIFFS_COUNT_FOR, KnownUsers
from custom_components.jedlix.state.gone import LOCATION, Absence
from custom_components.jedlix.state.knowledge import Gap
from custom_components.jedlix.state.schedule import USERS_PER_POLL, PollSchedule
from custom_components.jedlix.state.user_snapshot import UserSnapshot
from custom_components.jedlix.store import JedlixStore

NOON: Final = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    """Return a moment in minutes after noon."""
    return NOON + timedelta(minutes=minutes)


@dataclass
class Stored:
    """What the store has of the users; it counts how often it is to be saved."""

    users: dict[str, UserSnapshot] = field(default_factory=dict)
    refresh_requests: dict[str, datetime] = field(default_factory=dict)
    tenant_read_at: datetime | None = None
    is_closed: bool = False
    saves: int = 0

    def schedule_save(self) -> None:
        self.saves += 1


class House:
    """Followed users, what is known of them, and a clock that stands at noon."""

    def __init__(
        self,
        *users: UserSnapshot,
        followed: Iterable[str] | None = None,
        is_start: bool = True,
        **stored: Any,
    ) -> None:
        self.now = NOON
        self.stored = Stored(users={user.user_id: user for user in users}, **stored)
        self.schedule = PollSchedule(self.stored.users if followed is None else followed)
        self.known = KnownUsers(
            cast("JedlixStore", self.stored),
            self.schedule,
            poll_interval=timedelta(minutes=1),
            now=lambda: self.now,
            is_start=is_start,
        )

    def refreshed(self, user_id: str = "u") -> House:
        """Return the house after a good refresh of a user."""
        self.schedule.note_refreshed(user_id)
        return self


def user(user_id: str = "u", **more: Any) -> UserSnapshot:
    """Return a user without a car who is known until noon."""
    return UserSnapshot(
        **{"user_id": user_id, "vehicles": {}, "chargers": {}, "refreshed_at": NOON, **more}
    )


def test_who_is_no_longer_followed_is_forgotten_and_the_others_wait() -> None:
    house = House(
        user("a"), user("b"), followed=["a", "new"], refresh_requests={"a": NOON, "b": NOON}
    )
    assert house.stored.users.keys() == house.stored.refresh_requests.keys() == {"a"}
    assert house.schedule.is_waiting("a")
    assert not house.stored.saves
    assert house.known.lists_tenant


def test_who_was_never_refreshed_lacks_cars_or_chargers() -> None:
    house = House(user("a"), user("b", chargers=None), followed=["a", "b", "c"])
    assert house.known.never_refreshed == {"b", "c"}
    assert House(user("a")).known.never_refreshed == frozenset()


def test_the_list_of_the_tenant_is_news_of_who_does_not_wait() -> None:
    """At the start it counts: who waits was known until then, by the user's own list or the tenant's."""
    house = House(user(), tenant_read_at=at(-1))
    assert house.known.known_until("u") == NOON
    house = House(user(refreshed_at=at(-9)), tenant_read_at=at(-1))
    house.stored.tenant_read_at = NOON
    assert house.known.known_until("u") == at(-1)
    assert house.refreshed().known.known_until("u") == NOON
    assert house.known.known_until("nobody") is None


@pytest.mark.parametrize(
    ("is_start", "is_refreshed", "minutes", "has_gap"),
    [
        (True, False, 0.0, True),
        (True, True, 0.0, False),
        (False, False, 3.0, False),
        (False, False, 3.1, True),
        (True, True, 3.0, False),
        (True, True, 3.1, True),
    ],
)
def test_a_gap_is_a_stop_or_a_time_that_is_too_long(
    is_start: bool, is_refreshed: bool, minutes: float, has_gap: bool
) -> None:
    house = House(user(), is_start=is_start)
    if is_refreshed:
        house.refreshed()
    house.now = at(minutes)
    expected = Gap(begin=NOON, end=at(minutes)) if has_gap else None
    assert house.known.gap("u") == expected
    assert house.known.gap("nobody") is None


def test_in_a_fleet_without_a_list_of_the_tenant_each_user_is_known_for_as_many_polls_as_a_turn_takes() -> (
    None
):
    house = House(*(user(f"u{number}") for number in range(USERS_PER_POLL + 1)), is_start=False)
    house.now = at(6)
    assert house.known.gap("u0")
    house.known.lists_tenant = False
    assert not house.known.gap("u0")
    house.now = at(6.1)
    assert house.known.gap("u0")


PRICED: Final = ChargingLocation(id="priced", user_id="u", tariff_details=TariffDetails(tariffs=()))
LOCATED: Final = user(
    locations={"priced": PRICED, "free": ChargingLocation(id="free", user_id="u")},
    locations_read_at=at(-30),
)
TARIFFS_END: Final = at(-30) + TARIFFS_COUNT_FOR


@pytest.mark.parametrize(
    ("of", "own_id", "now", "expected"),
    [
        (user(), "car", at(3), True),
        (user(), "car", at(3.1), False),
        (user(refreshed_at=None), "car", NOON, False),
        (
            user(absences={"vehicle car": Absence(since=at(-2), last_seen=at(-2))}),
            "car",
            at(1),
            True,
        ),
        (
            user(absences={"vehicle car": Absence(since=at(-2), last_seen=at(-2))}),
            "car",
            at(1.1),
            False,
        ),
        (
            user(absences={"vehicle other": Absence(since=at(-2), last_seen=at(-2))}),
            "car",
            at(1.1),
            True,
        ),
        (
            user(absences={"vehicle car": Absence(since=at(2), last_seen=at(2))}),
            "car",
            at(3.1),
            False,
        ),
        (LOCATED, "free", at(3.1), False),
        (LOCATED, "priced", TARIFFS_END, True),
        (LOCATED, "priced", TARIFFS_END + timedelta(seconds=1), False),
        (replace(LOCATED, locations_read_at=None), "priced", NOON, False),
        (
            replace(LOCATED, absences={LOCATION + "priced": Absence(since=NOON, last_seen=NOON)}),
            "priced",
            at(3.1),
            False,
        ),
    ],
)
def test_a_car_or_a_tariff_is_available_as_long_as_it_is_known(
    of: UserSnapshot, own_id: str, now: datetime, expected: bool
) -> None:
    house = House(of).refreshed()
    house.now = now
    assert house.known.is_available(("u", own_id)) is expected
    assert not house.known.is_available(("nobody", own_id))


def test_after_a_gap_a_user_waits_and_is_known_until_the_gap_began() -> None:
    house = House(user("a"), user("b", refreshed_at=at(2)), followed=["a", "b", "c"])
    for user_id in "abc":
        house.refreshed(user_id)
    house.stored.tenant_read_at = at(0.5)
    house.now = at(3.6)
    house.known.wait_after_gaps()
    assert [house.schedule.is_waiting(user_id) for user_id in "abc"] == [True, False, False]
    assert house.stored.users["a"].refreshed_at == at(0.5)
    # The tenant's list goes on being read; what a user who waits has missed does not change by that.
    house.stored.tenant_read_at, house.now = at(9), at(13)
    house.known.wait_after_gaps()
    assert house.known.known_until("a") == at(0.5)


ABSENT: Final = {"vehicle car": Absence(since=at(-2), last_seen=at(-2))}


@pytest.mark.parametrize(
    ("of", "minutes", "named", "requests", "is_trusted"),
    [
        (user(), 1.0, (), {}, True),
        (user(), 1.1, (), {}, False),
        (user(absences=ABSENT), 1.0, (), {}, False),
        (user(refreshed_at=None), 1.0, (), {}, False),
        (user(), 1.0, ("u",), {}, False),
        (user(), 1.0, ("other",), {"other": NOON}, True),
        (user(), 1.0, (), {"u": NOON}, False),
    ],
)
def test_after_a_short_stop_nobody_waits_of_whom_all_is_known(
    of: UserSnapshot,
    minutes: float,
    named: tuple[str, ...],
    requests: dict[str, datetime],
    is_trusted: bool,
) -> None:
    house = House(of, refresh_requests=requests, followed=["u", "other"])
    house.now = at(minutes)
    assert house.known.trust_store(named) == ["u"] * is_trusted
    assert house.schedule.is_waiting("u") is not is_trusted
    assert house.schedule.is_unread("u")
    assert house.known.trust_store(named) == []


def test_the_first_failure_notes_since_when_and_until_when_a_user_was_known() -> None:
    house = House(user(refreshed_at=at(-2)), followed=["u", "new"]).refreshed()
    house.stored.tenant_read_at, house.now = at(-1), NOON
    house.known.note_failed("u")
    assert house.known.failing == {"u": NOON}
    assert house.stored.users["u"].refreshed_at == at(-1)
    house.now = at(5)
    house.stored.tenant_read_at = at(5)
    house.known.note_failed("u")
    house.known.note_failed("new")
    assert house.known.failing == {"u": NOON, "new": at(5)}
    assert house.known.known_until("u") == at(-1)
    assert house.stored.saves == 2
    assert house.stored.users["new"].first_refresh == at(5)


@pytest.mark.parametrize("closed", [True, False])
def test_a_failure_that_concerns_nobody_any_more_is_not_stored(closed: bool) -> None:
    house = House(user(), is_closed=closed)
    house.known.note_failed("u" if closed else "unfollowed")
    assert not house.known.failing
    assert not house.stored.saves


def test_the_log_says_once_that_a_user_cannot_be_read_and_once_that_they_can(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    house = House(user("a", failing_since=NOON), user("b"), user("c", failing_since=NOON))
    for _ in range(2):
        house.known.log_failing({"a": "no access"})
    words = "The Jedlix user %s cannot be read at the moment: %s"
    assert sorted(caplog.messages) == [
        words % ("a", "no access"),
        words % ("c", "since before the start"),
    ]
    caplog.clear()
    house.stored.users["a"] = user("a")
    for _ in range(2):
        house.known.log_failing({})
    assert caplog.messages == ["The Jedlix user a can be read again"]
