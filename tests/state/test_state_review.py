"""Review: what Jedlix corrected or deleted is found page by page, and no call is made in vain."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from custom_components.jedlix.api import ConnectionFailed, Session, Vehicle
from custom_components.jedlix.state.review import REVIEW_INTERVAL, REVIEW_PAGES, Findings, Review
from custom_components.jedlix.state.user_snapshot import UserSnapshot

NOON: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)


def at(hours: float) -> datetime:
    """Return a moment in hours after noon."""
    return NOON + hours * HOUR


def session(name: str, start: float = -24) -> Session:
    """Return a session of an hour of the user's car."""
    return Session(
        id=name,
        user_id="user",
        vehicle_id="car",
        started_at=at(start),
        ended_at=at(start + 1),
        energy_kwh=5.0,
    )


def user_with(*sessions: Session) -> dict[str, UserSnapshot]:
    """Return a user with one car that has had these sessions, by id."""
    user = UserSnapshot.unknown("user", at(-300)).advance(
        [Vehicle(id="car", user_id="user")], sessions, at(-1)
    )
    return {"user": replace(user, refreshed_at=at(-1))}


class Jedlix:
    """A list of sessions in pages; counts the calls."""

    def __init__(self, *pages: Sequence[Session] | Exception) -> None:
        """Have these pages after the newest one."""
        self._rest = pages
        self.calls = 0

    async def pages(self) -> AsyncIterator[tuple[Session, ...]]:
        """Yield the pages after the newest one."""
        for page in self._rest:
            self.calls += 1
            if isinstance(page, Exception):
                raise page
            yield tuple(page)


async def review_all(
    review: Review,
    users: dict[str, UserSnapshot],
    newest: Sequence[Session],
    *more: Sequence[Session],
    now: datetime = NOON,
) -> list[Findings]:
    """Review a list, one page a poll, and keep what is found; returns what each poll found."""
    found: list[Findings] = []
    for _ in range(len(more) + 2):
        if not found:
            review.begin(newest, Jedlix(*more).pages(), now)
        found.append(await review.read_on(users, now))
        users |= found[-1].users
    return found


A: Final = session("a", -24)
B: Final = session("b", -48)
C: Final = session("c", -72)
BEYOND: Final = session("beyond", -24 * 9)


async def test_a_list_of_one_page_is_reviewed_without_a_call() -> None:
    jedlix, review = Jedlix(), Review()
    corrected = replace(A, energy_kwh=6.0)
    review.begin([corrected, B], jedlix.pages(), NOON)
    found = await review.read_on(user_with(A, B), NOON)
    assert found == Findings(corrected={"user": [corrected]})
    assert jedlix.calls == 0
    assert await review.read_on({}, NOON) == Findings()


async def test_a_newest_page_that_reaches_far_enough_is_reviewed_without_a_call() -> None:
    jedlix, review = Jedlix([C]), Review()
    review.begin([A, BEYOND], jedlix.pages(), NOON)
    found = await review.read_on(user_with(A, B), NOON)
    assert found.users["user"].absent_sessions == ["b"]
    assert jedlix.calls == 0


async def test_each_poll_reads_one_page_until_the_remembered_days_are_over() -> None:
    corrected = replace(C, cost=1.0)
    jedlix, review = Jedlix([B], [corrected, BEYOND], [session("never read", -24 * 10)]), Review()
    users = user_with(A, B, C)
    review.begin([A], jedlix.pages(), NOON)
    found = [await review.read_on(users, NOON) for _ in range(4)]
    assert [it.calls for it in found] == [1, 1, 0, 0]
    assert [it.corrected for it in found] == [{}, {"user": [corrected]}, {}, {}]
    assert jedlix.calls == 2


async def test_a_correction_is_of_one_of_several_cars() -> None:
    corrected, users = replace(A, energy_kwh=6.0), user_with(A)
    cars = [Vehicle(id=vehicle_id, user_id="user") for vehicle_id in ("car", "other")]
    users["user"] = users["user"].advance(cars, [], at(-1))
    (found, _) = await review_all(Review(), users, [corrected])
    assert found.corrected == {"user": [corrected]}


@pytest.mark.parametrize(
    ("known", "listed"),
    [
        (A, A),
        (A, replace(A, energy_kwh=None)),  # what is left out is no news
        (A, replace(A, user_id="somebody else", energy_kwh=6.0)),
        (A, session("new", -24)),  # the poll finds it
        (replace(A, ended_at=None), replace(A, ended_at=None, energy_kwh=6.0)),
        (replace(A, ended_at=None), A),  # the poll finds the end
    ],
)
async def test_what_others_find_is_no_news(known: Session, listed: Session) -> None:
    (found, _) = await review_all(Review(), user_with(known), [listed, *({A, known} - {listed})])
    assert found.corrected == {}


async def test_the_same_contradiction_is_news_once() -> None:
    """A user's own list may have another figure than the tenant's, and it is the one that counts."""
    review, users, other = Review(), user_with(A), replace(A, energy_kwh=5.1)
    found = [
        (await review_all(review, users, [listed], now=at(7 * number)))[0].corrected
        for number, listed in enumerate([other, other, replace(A, energy_kwh=6.0), other])
    ]
    assert [bool(it) for it in found] == [True, False, True, True]


async def test_a_session_that_three_reviews_lack_is_gone() -> None:
    review, users = Review(), user_with(A, B)
    for number in range(3):
        assert set(users["user"].absent_sessions) == ({"b"} if number else set())
        await review_all(review, users, [A], now=at(7 * number))
    car = Vehicle(id="car", user_id="user")
    user = users["user"].advance([car], [], at(15))
    assert user.vehicles["car"].ledger.listed.keys() == {"a"}
    assert user.absent_sessions == []


async def test_a_session_that_is_listed_again_was_never_gone() -> None:
    review, users = Review(), user_with(A, B)
    await review_all(review, users, [A])
    await review_all(review, users, [A, B], now=at(7))
    assert users["user"].absent_sessions == []


async def test_a_session_that_another_list_names_is_not_missing() -> None:
    """Once is enough: else each review would have the user's list read again."""
    review, users = Review(), user_with(A, B)
    await review_all(review, users, [A])
    users["user"] = users["user"].advance(
        [Vehicle(id="car", user_id="user")], [A, B], at(1), complete_since=at(-190)
    )
    assert users["user"].absent_sessions == []
    await review_all(review, users, [A], now=at(7))
    assert users["user"].absent_sessions == []


@pytest.mark.parametrize("start", [-24 * 8 - 1, 0.5])
async def test_what_the_list_need_not_have_is_not_missing(start: float) -> None:
    users = user_with(A, session("out of reach", start))
    await review_all(Review(), users, [A])
    assert users["user"].absent_sessions == []


async def test_a_list_that_is_too_long_is_left_and_nothing_is_missing_in_it() -> None:
    jedlix, review = Jedlix(*([A] for _ in range(REVIEW_PAGES + 5))), Review()
    users = user_with(A, B)
    review.begin([A], jedlix.pages(), NOON)
    for _ in range(REVIEW_PAGES + 5):
        assert (await review.read_on(users, NOON)).users == {}
    assert jedlix.calls == REVIEW_PAGES


async def test_a_review_that_fails_begins_again_with_the_next_poll() -> None:
    review, users = Review(), user_with(A, B)
    review.begin([A], Jedlix(ConnectionFailed("away")).pages(), NOON)
    assert await review.read_on(users, NOON) == Findings()
    corrected = replace(B, energy_kwh=6.0)
    (found, *_) = await review_all(review, users, [A, corrected])
    assert found.corrected == {"user": [corrected]}


@pytest.mark.parametrize(
    ("hours", "begins"),
    [(REVIEW_INTERVAL / HOUR - 0.1, False), (REVIEW_INTERVAL / HOUR, True), (-1, True)],
)
async def test_the_next_review_begins_some_hours_later_or_when_the_clock_was_wrong(
    hours: float, begins: bool
) -> None:
    review, users = Review(), user_with(A)
    await review_all(review, users, [A])
    (found, *_) = await review_all(review, users, [replace(A, cost=1.0)], now=at(hours))
    assert bool(found.corrected) is begins


async def test_a_review_under_way_goes_on() -> None:
    review, users = Review(), user_with(A, B)
    review.begin([A], Jedlix([replace(B, cost=1.0)]).pages(), NOON)
    review.begin([A], Jedlix().pages(), NOON + DAY)
    assert (await review.read_on(users, NOON + DAY)).corrected
