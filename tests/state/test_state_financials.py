"""Financials: asked for when a session has ended, and again until its figures are there, ever more rarely."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final, cast

import pytest

from custom_components.jedlix.api import (
    ConnectionFailed,
    JedlixClient,
    JedlixError,
    NotFound,
    Session,
    Vehicle,
)
from custom_components.jedlix.api.offered import Experience, OfferedCalls
from custom_components.jedlix.state.financials import Financials
from custom_components.jedlix.state.ledger import (
    SETTLES_WITHIN,
)
from custom_components.jedlix.state.user_snapshot import UserSnapshot

NOON: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
WHOLE: Final[dict[str, Any]] = {"energy_kwh": 5.0, "cost": 1.0, "savings": 0.5}


def at(minutes: float) -> datetime:
    """Return a moment in minutes after noon."""
    return NOON + timedelta(minutes=minutes)


class Client:
    """A client whose financials give an answer, or raise an error."""

    def __init__(self) -> None:
        """Begin with an empty answer."""
        self.answer: tuple[Session, ...] | JedlixError = ()
        self.asked: list[tuple[datetime, datetime]] = []

    async def financials(
        self, _user_id: str, *, started_from: datetime, started_to: datetime
    ) -> tuple[Session, ...]:
        """Return the answer."""
        self.asked.append((started_from, started_to))
        if isinstance(self.answer, JedlixError):
            raise self.answer
        return self.answer


def user_with(*sessions: Session) -> UserSnapshot:
    """Return a user whose car had these sessions."""
    car = Vehicle(id="car", user_id="user")
    return UserSnapshot.unknown("user", NOON).advance([car], sessions, at(60 * 24 * 5))


def session(end: float | None = 0, start: float | None = -60, **figures: Any) -> Session:
    """Return a session of the car; times in minutes after noon."""
    return Session(
        id="s",
        vehicle_id="car",
        started_at=None if start is None else at(start),
        ended_at=None if end is None else at(end),
        **figures,
    )


@pytest.fixture
def client() -> Client:
    """Return the client."""
    return Client()


def financials_of(client: Client, learned: dict[str, Experience] | None = None) -> Financials:
    """Return the financials of a tenant."""
    offered = OfferedCalls({} if learned is None else learned, lambda: NOON)
    return Financials(cast("JedlixClient", client), offered)


async def test_the_figures_of_an_ended_session_are_completed(client: Client) -> None:
    client.answer = (Session(id="s", **WHOLE), Session(id="of another car", **WHOLE))
    user = await financials_of(client).complete(user_with(session(energy_kwh=4.0)), at(1))
    (car,) = user.vehicles.values()
    assert car.ledger.sessions == {"s": session(energy_kwh=4.0, cost=1.0, savings=0.5)}
    assert client.asked == [(at(-60), at(1))]


async def test_they_are_asked_for_ever_more_rarely_for_two_days(client: Client) -> None:
    financials, user = financials_of(client), user_with(session(cost=1.0))
    asked = []
    for minute in range(60 * 24 * 3):
        if financials.is_due(user, at(minute)):
            await financials.complete(user, at(minute))
            asked.append(minute)
    assert asked[:6] == [0, 2, 4, 8, 16, 32]
    pauses = [later - earlier for earlier, later in pairwise(asked)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 6 * 60
    assert asked[-1] <= SETTLES_WITHIN / timedelta(minutes=1)
    assert len(asked) < 20


@pytest.mark.parametrize(
    "sessions",
    [
        [],
        [session(**WHOLE)],
        [session(end=None)],  # the tenant may have no financials
    ],
)
async def test_nobody_is_asked_without_need(client: Client, sessions: list[Session]) -> None:
    user = user_with(*sessions)
    assert await financials_of(client).complete(user, at(1)) is user
    assert client.asked == []


def days(count: float, **figures: Any) -> Session:
    """Return a session of an hour that ended so many days after noon."""
    return session(end=count * 24 * 60, start=count * 24 * 60 - 60, **figures)


async def test_a_session_from_before_the_set_up_is_asked_for_once_then_sealed(
    client: Client,
) -> None:
    """Its figures count, although it is no longer remembered; a failure decides nothing."""
    old, last = days(-20, energy_kwh=5.0), replace(days(-10, **WHOLE), id="last")
    financials, now = financials_of(client), at(0)
    user = user_with(old, last).seal(now, UTC, may_settle=financials.are_offered)
    assert not financials.is_due(user, now)  # no refresh of its own
    client.answer = ConnectionFailed("away")
    for hours in (0, 5, 7):
        now = at(60 * hours)
        user = await financials.complete(user.seal(now, UTC, may_settle=True), now)
    assert [end for _, end in client.asked] == [at(0), at(60 * 7)]
    assert set(user.vehicles["car"].ledger.listed) == {"s", "last"}
    client.answer = (Session(id="s", cost=1.0, savings=0.5),)
    for hours in (14, 21, 28):
        now = at(60 * hours)
        user = await financials.complete(user.seal(now, UTC, may_settle=True), now)
    assert [end for _, end in client.asked[2:]] == [at(60 * 14)]
    assert client.asked[2][0] == old.started_at
    assert set(user.vehicles["car"].ledger.listed) == {"last"}
    assert user.vehicles["car"].ledger.figures(now).cost == 2.0


@pytest.mark.parametrize(
    ("read", "is_asked"), [(None, True), (-3.1, True), (-2.9, False), (0, False), (1, True)]
)
async def test_an_older_session_is_asked_for_until_two_days_after_its_end_were_over(
    client: Client, read: float | None, is_asked: bool
) -> None:
    """So also what ended in a long outage. A read in the future is not believed."""
    user = user_with(days(-5, energy_kwh=5.0))
    if read is not None:
        ledger = user.vehicles["car"].ledger.with_financials([], at(read * 24 * 60))
        user = user.with_vehicle(replace(user.vehicles["car"], ledger=ledger))
    await financials_of(client).complete(user, at(1))
    assert (client.asked != []) is is_asked


async def test_a_running_session_is_asked_for_calmly_where_the_tenant_has_answered(
    client: Client,
) -> None:
    learned = {"financials": Experience(answered_at=NOON)}
    financials, user = financials_of(client, learned), user_with(session(end=None))
    for minute in range(60):
        await financials.complete(user, at(minute))
    assert [end for _, end in client.asked] == [at(0), at(15), at(30), at(45)]


async def test_a_session_without_a_start_is_asked_for_over_two_days(client: Client) -> None:
    await financials_of(client).complete(user_with(session(start=None)), at(1))
    assert client.asked == [(at(1) - SETTLES_WITHIN, at(1))]


def learned_from(client: Client, *answer: Session) -> Financials:
    """Return the financials of a tenant that gives this answer."""
    client.answer = answer
    return financials_of(client, {"financials": Experience(answered_at=NOON)})


async def test_what_they_corrected_is_seen_within_a_day(client: Client) -> None:
    listed = session(energy_kwh=5.0)
    financials = learned_from(client, Session(id="s", cost=1.0, savings=0.5))
    user = await financials.complete(user_with(listed), at(1))
    client.answer = (Session(id="s", cost=1.5),)
    for hours, is_due in ((19, False), (21, True), (22, False)):
        now = at(60 * hours)
        assert financials.take_review({"user": user, "other": user_with()}, now) == (
            {"user"} if is_due else set()
        )
        user = await financials.complete(user, now)
    (car,) = user.vehicles.values()
    assert car.ledger.sessions["s"] == replace(listed, cost=1.5, savings=0.5)
    assert client.asked == [(at(-60), at(1)), (at(-60), at(60 * 21))]


async def test_one_user_is_reviewed_at_each_poll_who_was_asked_longest_ago(client: Client) -> None:
    financials = learned_from(client, Session(id="s", cost=1.0, savings=0.5))
    users = {}
    for minute in range(3):
        user = replace(user_with(session(energy_kwh=5.0)), user_id=f"u{minute}")
        users[user.user_id] = await financials.complete(user, at(minute))
    reviewed = []
    for minute in range(4):
        due = financials.take_review(users, at(60 * 21 + minute))
        reviewed.append(due)
        for user in users.values():
            await financials.complete(user, at(60 * 21 + minute))
    assert reviewed == [{"u0"}, {"u1"}, {"u2"}, set()]


async def test_sessions_of_before_the_set_up_are_completed_by_a_review(client: Client) -> None:
    days = 60 * 24
    users = {"user": user_with(session(end=-4 * days, start=-5 * days, energy_kwh=5.0))}
    financials = learned_from(client, Session(id="s", cost=1.0, savings=0.5))
    assert not financials.is_due(users["user"], at(1))
    assert financials.take_review(users, at(1)) == {"user"}
    user = await financials.complete(users["user"], at(1))
    assert client.asked == [(at(-5 * days), at(1))]
    assert user.vehicles["car"].ledger.sessions["s"].cost == 1.0
    assert financials_of(client).take_review(users, at(1)) == set()  # it has never answered


@pytest.mark.parametrize(
    ("error", "refusals"), [(ConnectionFailed("away"), 0), (NotFound("no such call"), 1)]
)
async def test_a_failed_read_is_made_again_later(
    client: Client, error: JedlixError, refusals: int
) -> None:
    learned: dict[str, Experience] = {}
    financials, user = financials_of(client, learned), user_with(session())
    client.answer = error
    assert await financials.complete(user, at(1)) is user
    assert sum(item.refusals for item in learned.values()) == refusals
    client.answer = (Session(id="s", **WHOLE),)
    assert await financials.complete(user, at(2)) is user
    after = await financials.complete(user, at(3))
    assert after.vehicles["car"].ledger.sessions == {"s": session(**WHOLE)}


async def test_a_tenant_that_does_not_offer_them_is_not_asked(client: Client) -> None:
    for_good = Experience(
        refusals=3, refused_since=NOON - timedelta(hours=1), refused_at=NOON - timedelta(minutes=1)
    )
    financials = financials_of(client, {"financials": for_good})
    assert not financials.is_due(user_with(session()), at(1))
    assert financials.take_review({"user": user_with(session())}, at(1)) == set()
