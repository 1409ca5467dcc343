"""Review: what Jedlix corrected or deleted is found page by page, and no call is made in vain."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from custom_components.jedlix.api import (
    ConnectionFailed,
    JedlixError,
    Rejected,
    Session,
    Vehicle,
)
from custom_components.jedlix.api.offered import OfferedCalls
from custom_components.jedlix.api.reading import Incomplete
from custom_components.jedlix.state.review import (
    PAGES_OF_CAR,
    REVIEW_INTERVAL,
    REVIEW_PAGES,
    Findings,
    Review,
)
from custom_components.jedlix.state.user_snapshot import UserSnapshot

NOON: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)


def at(hours: float) -> datetime:
    """Return a moment in hours after noon."""
    return NOON + hours * HOUR


def session(name: str, start: float = -24, hours: float = 1) -> Session:
    """Return a session of the user's car, of an hour unless said otherwise."""
    return Session(
        id=name,
        user_id="user",
        vehicle_id="car",
        started_at=at(start),
        ended_at=at(start + hours),
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
        # What is listed of single cars, and which periods of them were asked for.
        self.of_car: Sequence[Sequence[Session] | Exception] = ()
        self.asked: list[tuple[str | None, datetime, datetime]] = []
        self.offered = OfferedCalls({}, lambda: NOON)

    async def pages(self) -> AsyncIterator[tuple[Session, ...]]:
        """Yield the pages after the newest one."""
        async for page in self._read(self._rest):
            yield page

    async def pages_of_car(
        self, vehicle_id: str | None, since: datetime, until: datetime
    ) -> AsyncIterator[tuple[Session, ...]]:
        """Yield the pages of a car."""
        self.asked.append((vehicle_id, since, until))
        async for page in self._read(self.of_car):
            yield page

    async def _read(
        self, pages: Sequence[Sequence[Session] | Exception]
    ) -> AsyncIterator[tuple[Session, ...]]:
        for page in pages:
            self.calls += 1
            if isinstance(page, Exception):
                raise page
            yield page if isinstance(page, tuple) else tuple(page)

    def review(self) -> Review:
        """Return the reviews of this list."""
        return Review(self.pages_of_car, self.offered)


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
            review.begin(tuple(newest), Jedlix(*more).pages(), now)
        found.append(await review.read_on(users, now))
        users |= found[-1].users
    return found


A: Final = session("a", -24)
B: Final = session("b", -48)
C: Final = session("c", -72)
BEYOND: Final = session("beyond", -24 * 10)


async def test_a_list_of_one_page_is_reviewed_without_a_call() -> None:
    jedlix = Jedlix()
    review = jedlix.review()
    corrected = replace(A, energy_kwh=6.0)
    review.begin((corrected, B), jedlix.pages(), NOON)
    found = await review.read_on(user_with(A, B), NOON)
    assert found == Findings(corrected={"user": [corrected]})
    assert jedlix.calls == 0
    assert await review.read_on({}, NOON) == Findings()


async def test_a_newest_page_that_reaches_far_enough_is_reviewed_without_a_call() -> None:
    jedlix = Jedlix([C])
    review = jedlix.review()
    review.begin((A, BEYOND), jedlix.pages(), NOON)
    found = await review.read_on(user_with(A, B), NOON)
    assert found.users["user"].absent_sessions == ["b"]
    assert jedlix.calls == 0


async def test_each_poll_reads_one_page_until_the_remembered_days_are_over() -> None:
    corrected = replace(C, cost=1.0)
    jedlix = Jedlix([B], [corrected, BEYOND], [session("never read", -24 * 11)])
    review = jedlix.review()
    users = user_with(A, B, C)
    review.begin((A,), jedlix.pages(), NOON)
    found = [await review.read_on(users, NOON) for _ in range(4)]
    assert [it.calls for it in found] == [1, 1, 0, 0]
    assert [it.corrected for it in found] == [{}, {"user": [corrected]}, {}, {}]
    assert jedlix.calls == 2


async def test_a_correction_is_of_one_of_several_cars() -> None:
    corrected, users = replace(A, energy_kwh=6.0), user_with(A)
    cars = [Vehicle(id=vehicle_id, user_id="user") for vehicle_id in ("car", "other")]
    users["user"] = users["user"].advance(cars, [], at(-1))
    (found, _) = await review_all(Jedlix().review(), users, [corrected])
    assert found.corrected == {"user": [corrected]}


@pytest.mark.parametrize(
    ("known", "listed"),
    [
        (A, A),
        (A, replace(A, energy_kwh=None)),  # what is left out is no news
        (A, replace(A, user_id="somebody else", energy_kwh=6.0)),
        (A, session("new", -24)),  # the poll finds it
        (replace(A, ended_at=None), replace(A, ended_at=None, energy_kwh=6.0)),
    ],
)
async def test_what_others_find_is_no_news(known: Session, listed: Session) -> None:
    (found, _) = await review_all(Jedlix().review(), user_with(known), [listed])
    assert found.corrected == {}


async def test_an_end_that_the_poll_has_not_found_is_news() -> None:
    """The tenant need not understand the filter by end, and the session may have begun pages ago."""
    users = user_with(replace(C, ended_at=None))
    found = await review_all(Jedlix().review(), users, [A], [C, BEYOND])
    assert found[0].corrected == {"user": [C]}


def test_a_correction_is_not_lost_where_the_user_has_a_new_session_as_well() -> None:
    found = Findings(corrected={"user": [A], "other": [B]})
    assert found.joined_with({"user": [C], "third": [C]}) == {
        "user": [A, C],
        "other": [B],
        "third": [C],
    }


@pytest.mark.parametrize(("is_listed", "is_news_again"), [(True, False), (False, True)])
async def test_the_same_contradiction_is_news_once_where_users_have_a_list_of_their_own(
    *, is_listed: bool, is_news_again: bool
) -> None:
    """Their own list may have another figure, and it counts. Else the refresh has failed."""
    jedlix, users, other = Jedlix(), user_with(A), replace(A, energy_kwh=5.1)
    if is_listed:
        jedlix.offered.note_answer("user_sessions")
    review = jedlix.review()
    found = [
        (await review_all(review, users, [listed], now=at(7 * number)))[0].corrected
        for number, listed in enumerate([other, other, replace(A, energy_kwh=6.0), other])
    ]
    assert [bool(it) for it in found] == [True, is_news_again, True, True]


async def test_a_session_that_three_reviews_lack_is_gone() -> None:
    review, users = Jedlix().review(), user_with(A, B)
    for number in range(3):
        assert set(users["user"].absent_sessions) == ({"b"} if number else set())
        await review_all(review, users, [A], now=at(7 * number))
    car = Vehicle(id="car", user_id="user")
    user = users["user"].advance([car], [], at(15))
    assert user.vehicles["car"].ledger.listed.keys() == {"a"}
    assert user.absent_sessions == []


async def test_a_page_of_which_a_session_cannot_be_read_lacks_none() -> None:
    review, users = Jedlix().review(), user_with(A, B)
    for newest, more in ((Incomplete([A]), ()), ((A,), Incomplete([BEYOND]))):
        await review_all(review, users, newest, more)
        review.begin(newest, Jedlix(more).pages(), at(7))
        assert (await review.read_on(users, NOON)).users == {}


async def test_a_session_that_is_listed_again_was_never_gone() -> None:
    review, users = Jedlix().review(), user_with(A, B)
    await review_all(review, users, [A])
    await review_all(review, users, [A, B], now=at(7))
    assert users["user"].absent_sessions == []


async def test_a_session_that_another_list_names_is_not_missing() -> None:
    """Once is enough: else each review would have the user's list read again."""
    review, users = Jedlix().review(), user_with(A, B)
    await review_all(review, users, [A])
    users["user"] = users["user"].advance(
        [Vehicle(id="car", user_id="user")], [A, B], at(1), complete_since=at(-190)
    )
    assert users["user"].absent_sessions == []
    await review_all(review, users, [A], now=at(7))
    assert users["user"].absent_sessions == []


@pytest.mark.parametrize("start", [-24 * 9 - 1, 0.5])
async def test_what_the_list_need_not_have_is_not_missing(start: float) -> None:
    users = user_with(A, session("out of reach", start))
    await review_all(Jedlix().review(), users, [A])
    assert users["user"].absent_sessions == []


async def test_a_list_that_is_too_long_is_left_and_nothing_is_missing_in_it() -> None:
    jedlix = Jedlix(*([A] for _ in range(REVIEW_PAGES + 5)))
    review = jedlix.review()
    users = user_with(A, B)
    review.begin((A,), jedlix.pages(), NOON)
    for _ in range(REVIEW_PAGES + 5):
        assert (await review.read_on(users, NOON)).users == {}
    assert jedlix.calls == REVIEW_PAGES


async def test_a_review_that_fails_begins_again_with_the_next_poll() -> None:
    review, users = Jedlix().review(), user_with(A, B)
    review.begin((A,), Jedlix(ConnectionFailed("away")).pages(), NOON)
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
    review, users = Jedlix().review(), user_with(A)
    await review_all(review, users, [A])
    (found, *_) = await review_all(review, users, [replace(A, cost=1.0)], now=at(hours))
    assert bool(found.corrected) is begins


async def test_a_review_under_way_goes_on() -> None:
    review, users = Jedlix().review(), user_with(A, B)
    review.begin((A,), Jedlix([replace(B, cost=1.0)]).pages(), NOON)
    review.begin((A,), Jedlix().pages(), NOON + DAY)
    assert (await review.read_on(users, NOON + DAY)).corrected


# -- sessions that began before the remembered days --------------------------------------------------------

LONG: Final = session("long", -24 * 20, hours=24 * 19)
OPEN: Final = replace(LONG, id="open", ended_at=None)
PERIOD: Final = (at(-24 * 20), at(-24 * 9))


async def poll(
    review: Review, jedlix: Jedlix, users: dict[str, UserSnapshot], now: datetime, polls: int = 2
) -> list[Findings]:
    """Poll with a tenant's list of one page, and keep what is found; returns what each poll found."""
    found: list[Findings] = []
    for _ in range(polls):
        review.begin((A,), jedlix.pages(), now)
        found.append(await review.read_on(users, now))
        users |= found[-1].users
    return found


@pytest.mark.parametrize("long", [LONG, OPEN])
async def test_a_long_session_is_gone_when_three_reviews_lack_it(long: Session) -> None:
    jedlix, users = Jedlix(), user_with(A, long)
    review = jedlix.review()
    for number in range(4):
        jedlix.of_car = [[] if number else [long]]
        assert users["user"].absent_sessions == ([long.id] if number > 1 else [])
        (newest, older) = await poll(review, jedlix, users, at(7 * number))
        assert (newest.calls, older.calls) == (0, 1)
    assert jedlix.asked == [("car", *PERIOD), *jedlix.asked[1:]]
    assert [until - PERIOD[1] for _, _, until in jedlix.asked] == [
        7 * number * HOUR for number in range(4)
    ]
    car = Vehicle(id="car", user_id="user")
    user = users["user"].advance([car], [], at(22))
    assert user.vehicles["car"].ledger.listed.keys() == {"a"}
    assert [it.ended_at for it in user.vehicles["car"].fetched] == (
        [at(-1)] if long is OPEN else []
    )


async def test_filters_that_have_never_named_a_session_say_nothing() -> None:
    jedlix, users = Jedlix(), user_with(A, LONG)
    review = jedlix.review()
    jedlix.of_car = [[]]
    for number in range(4):
        await poll(review, jedlix, users, at(7 * number))
    assert users["user"].absent_sessions == []
    assert len(jedlix.asked) == 4


async def test_a_long_session_that_was_corrected_or_has_ended_is_news() -> None:
    ended = replace(OPEN, ended_at=at(-2))
    corrected = replace(LONG, energy_kwh=7.0)
    jedlix = Jedlix()
    jedlix.of_car = [[ended, corrected]]
    (_, found) = await poll(jedlix.review(), jedlix, user_with(A, LONG, OPEN), NOON)
    assert found.corrected == {"user": [ended, corrected]}


async def test_a_session_that_names_no_car_is_asked_for_without_one() -> None:
    jedlix, users = Jedlix(), user_with(A, replace(LONG, vehicle_id=None))
    await poll(jedlix.review(), jedlix, users, NOON)
    assert jedlix.asked == [(None, *PERIOD)]


async def test_filters_that_are_ignored_cost_few_pages_and_those_that_are_refused_soon_no_call() -> (
    None
):
    jedlix, users = Jedlix(), user_with(A, LONG)
    review = jedlix.review()
    jedlix.of_car = [[A]] * (PAGES_OF_CAR + 5)
    found = await poll(review, jedlix, users, NOON, PAGES_OF_CAR + 5)
    assert sum(it.calls for it in found) == PAGES_OF_CAR
    assert users["user"].absent_sessions == []
    jedlix.of_car = [Rejected("no such filter")]
    for number in range(1, 6):
        await poll(review, jedlix, users, at(7 * number))
    assert len(jedlix.asked) == 4


@pytest.mark.parametrize("error", [ConnectionFailed("away"), Rejected("a slip")])
async def test_a_list_of_a_car_that_fails_is_read_with_the_next_review(error: JedlixError) -> None:
    jedlix, users = Jedlix(), user_with(A, LONG)
    review = jedlix.review()
    jedlix.of_car = [error]
    await poll(review, jedlix, users, NOON, 4)
    assert len(jedlix.asked) == 1
    corrected = replace(LONG, energy_kwh=7.0)
    jedlix.of_car = [[corrected]]
    (_, found) = await poll(review, jedlix, users, at(7))
    assert found.corrected == {"user": [corrected]}


async def test_the_cars_that_one_review_leaves_are_the_first_of_the_next() -> None:
    jedlix, users = Jedlix(), user_with(A)
    for number in range(3):
        user = UserSnapshot.unknown(f"u{number}", at(-300)).advance(
            [Vehicle(id=f"c{number}", user_id=f"u{number}")],
            [replace(LONG, id=f"s{number}", user_id=f"u{number}", vehicle_id=f"c{number}")],
            at(-1),
        )
        users[user.user_id] = user
    review = jedlix.review()
    await poll(review, jedlix, users, NOON, 3)
    del users["u1"]
    await poll(review, jedlix, users, at(7), 3)
    assert [vehicle_id for vehicle_id, *_ in jedlix.asked] == ["c0", "c1", "c2", "c0"]
