"""Fetcher: by which calls a user is read, and what is known about what an answer leaves out."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

import pytest

from custom_components.jedlix.api import (
    BadAnswer,
    ChargeState,
    ChargeStatus,
    ConnectionFailed,
    Forbidden,
    JedlixClient,
    JedlixError,
    NotFound,
    Rejected,
    Session,
    Vehicle,
)
from custom_components.jedlix.api.offered import Experience, OfferedCalls
from custom_components.jedlix.api.reading import Incomplete
from custom_components.jedlix.state.fetcher import LISTING_DELAY, MAX_PAGES, Fetcher
from custom_components.jedlix.state.ledger import SESSIONS_REMEMBERED

NOON: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
type Pages = Sequence[Sequence[Session]] | JedlixError


def session(name: str, hours: float, user_id: str | None = "user") -> Session:
    """Return a session that began so many hours before noon."""
    return Session(id=name, user_id=user_id, started_at=NOON - timedelta(hours=hours))


class Tenant:
    """A tenant with these lists; it notes what was asked for."""

    def __init__(self, *, user: Pages, tenant: Pages = (), by_end: Pages = ()) -> None:
        self.user, self.tenant, self.by_end = user, tenant, by_end
        self.asked: list[dict[str, Any]] = []
        self.pages_read = 0
        self.clock = self

    def now(self) -> datetime:
        return NOON

    async def vehicles(self, user_id: str) -> tuple[Vehicle, ...]:
        return (Vehicle(id="car", user_id=user_id),)

    async def charge_settings(self, *_: str) -> None:
        raise AssertionError("not offered")

    chargers = charge_settings

    def session_pages(self, **asked: Any) -> AsyncIterator[tuple[Session, ...]]:
        self.asked.append(asked)
        if "user_id" in asked:
            return self._pages(self.user)
        return self._pages(self.by_end if "ended_from" in asked else self.tenant)

    async def _pages(self, pages: Pages) -> AsyncIterator[tuple[Session, ...]]:
        if isinstance(pages, JedlixError):
            raise pages
        for page in pages:
            self.pages_read += 1
            yield page if isinstance(page, tuple) else tuple(page)


def fetcher_of(tenant: Tenant) -> tuple[Fetcher, OfferedCalls]:
    """Return a fetcher that reads this tenant, and the calls that it offers."""
    offered = OfferedCalls({}, lambda: NOON)
    return Fetcher(cast("JedlixClient", tenant), offered, dict), offered


# -- one user ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("oldest_start", "since"),
    [
        (None, NOON - SESSIONS_REMEMBERED),
        (NOON - timedelta(hours=1), NOON - SESSIONS_REMEMBERED),
        (NOON - timedelta(days=20), NOON - timedelta(days=20)),
    ],
)
async def test_a_users_own_list_is_read_over_all_remembered_days_whatever_is_known(
    oldest_start: datetime | None, since: datetime
) -> None:
    tenant = Tenant(user=[[session("a", 1), session("b", 2), session("c", 3, "stranger")]])
    answer = await fetcher_of(tenant)[0].user("user", oldest_start=oldest_start, known_until=NOON)
    assert [item.id for item in answer.sessions] == ["a", "b"]  # never another user's
    assert answer.complete_since == since
    assert tenant.asked == [{"user_id": "user", "started_from": since}]


@pytest.mark.parametrize("refusal", [NotFound("no path"), Forbidden("plan"), Rejected("no")])
async def test_where_a_users_list_is_refused_the_tenants_is_read_well_beyond_what_is_known(
    refusal: JedlixError,
) -> None:
    tenant = Tenant(user=refusal, tenant=[[session("a", 1), session("x", 2, "another")]])
    known = NOON - timedelta(hours=3)
    answer = await fetcher_of(tenant)[0].user("user", oldest_start=None, known_until=known)
    assert [item.id for item in answer.sessions] == ["a"]
    assert answer.complete_since == known - LISTING_DELAY
    assert tenant.asked[-1] == {"started_from": known - LISTING_DELAY}


async def test_the_first_read_goes_a_month_back_whatever_the_tenant_offers() -> None:
    """The totals begin with it, so the tenant's list is read as far back as a user's own."""
    tenant = Tenant(user=NotFound("no path"), tenant=[[session("a", 24 * 31)]])
    answer = await fetcher_of(tenant)[0].user("user", oldest_start=None, known_until=None)
    assert [item.id for item in answer.sessions] == ["a"]
    own, of_tenant = (asked["started_from"] for asked in tenant.asked)
    assert own == NOON - timedelta(days=32)
    assert of_tenant == own - LISTING_DELAY


async def test_without_any_list_nothing_is_said_about_sessions() -> None:
    tenant = Tenant(user=NotFound("no path"), tenant=Forbidden("plan"))
    answer = await fetcher_of(tenant)[0].user("user", oldest_start=None, known_until=None)
    assert (answer.sessions, answer.complete_since) == ((), None)


async def test_a_tenant_with_a_users_list_only_does_not_lose_it_by_one_slip() -> None:
    """No list would say that there are no sessions; the refresh fails and is made again."""
    tenant = Tenant(user=NotFound("a slip"), tenant=Forbidden("plan"))
    fetcher, offered = fetcher_of(tenant)
    offered.note_answer("user_sessions")
    with pytest.raises(NotFound, match="a slip"):
        await fetcher.user("user", oldest_start=None, known_until=None)


@pytest.mark.parametrize("which", ["user", "tenant"])
async def test_an_outage_of_a_list_fails_the_refresh(which: str) -> None:
    away = ConnectionFailed("away")
    tenant = Tenant(user=away if which == "user" else NotFound("no path"), tenant=away)
    with pytest.raises(ConnectionFailed):
        await fetcher_of(tenant)[0].user("user", oldest_start=None, known_until=None)


@pytest.mark.parametrize("which", ["user", "tenant"])
async def test_a_list_that_is_cut_says_nothing_about_what_is_not_in_it(which: str) -> None:
    endless = [[session(f"{number}", 0)] for number in range(MAX_PAGES + 5)]
    tenant = Tenant(user=endless if which == "user" else NotFound("no path"), tenant=endless)
    answer = await fetcher_of(tenant)[0].user("user", oldest_start=None, known_until=NOON)
    assert len(answer.sessions) == MAX_PAGES
    assert answer.complete_since is None


@pytest.mark.parametrize("which", ["user", "tenant"])
async def test_a_list_with_an_item_that_cannot_be_read_says_nothing_about_what_is_not_in_it(
    which: str,
) -> None:
    pages = [[session("a", 1)], Incomplete([session("b", 2)])]
    tenant = Tenant(user=pages if which == "user" else NotFound("no path"), tenant=pages)
    answer = await fetcher_of(tenant)[0].user("user", oldest_start=None, known_until=NOON)
    assert [item.id for item in answer.sessions] == ["a", "b"]
    assert answer.complete_since is None


@pytest.mark.parametrize(
    ("owners", "expected"),
    [
        ({}, ["car", "user"]),  # the first refresh: nobody's cars are known yet
        ({"car": "user"}, ["car", "user"]),
        ({"car": "another"}, ["user"]),
        ({"car": None}, ["user"]),  # several users have it
    ],
)
async def test_a_session_without_a_user_is_that_of_the_user_of_its_car(
    owners: dict[str, str | None], expected: list[str]
) -> None:
    """That the tenant's list names the user is inferred."""
    listed = [replace(session(name, 1, None), vehicle_id=name) for name in ("car", "stranger")]
    nobodys = session("nobody", 1, None)
    tenant = Tenant(user=NotFound("no path"), tenant=[[*listed, nobodys, session("user", 2)]])
    offered = OfferedCalls({}, lambda: NOON)
    fetcher = Fetcher(cast("JedlixClient", tenant), offered, lambda: owners)
    answer = await fetcher.user("user", oldest_start=None, known_until=NOON)
    assert [item.id for item in answer.sessions] == expected
    found = await fetcher.tenant_sessions(NOON, lambda _: True)
    assert found is not None
    assert [item.user_id for item in found] == [owners.get("car"), None, None, "user"]


async def test_a_users_own_list_that_comes_oldest_first_is_read_to_its_end() -> None:
    """Nothing is documented about the order of this list, nor whether it can be filtered by time."""
    days = [[session("a", 24 * 30), session("b", 24 * 20)], [session("c", 24 * 9), session("d", 1)]]
    tenant = Tenant(user=days)
    answer = await fetcher_of(tenant)[0].user("user", oldest_start=None, known_until=NOON)
    assert [item.id for item in answer.sessions] == ["a", "b", "c", "d"]
    assert answer.complete_since == NOON - SESSIONS_REMEMBERED


async def test_a_call_that_is_not_offered_is_not_made() -> None:
    tenant = Tenant(
        user=[[session("a", 1)]], tenant=[[session("b", 1)]], by_end=[[session("c", 9)]]
    )
    long_ago = Experience(
        refusals=3, refused_since=NOON - timedelta(hours=2), refused_at=NOON - timedelta(hours=1)
    )
    names = ("user_sessions", "sessions by their end", "charge_settings", "chargers")
    offered = OfferedCalls(dict.fromkeys(names, long_ago), lambda: NOON)
    fetcher = Fetcher(cast("JedlixClient", tenant), offered, dict)
    answer = await fetcher.user("user", oldest_start=None, known_until=NOON)
    assert [item.id for item in answer.sessions] == ["b"]
    assert await fetcher.tenant_sessions(NOON, known()) == [session("b", 1)]
    assert await fetcher.settings("user", "car") is None
    assert await fetcher.chargers("user") is None
    assert [asked for asked in tenant.asked if asked.keys() & {"user_id", "ended_from"}] == []


@pytest.mark.parametrize("name", ["charge_settings", "chargers"])
async def test_details_that_are_refused_are_none_and_those_that_are_answered_come_whole(
    name: str,
) -> None:
    answers = iter([NotFound("none"), Forbidden("plan"), "the answer", ConnectionFailed("away")])

    async def answer(*_: str) -> object:
        if isinstance(reply := next(answers), JedlixError):
            raise reply
        return reply

    tenant = Tenant(user=[])
    setattr(tenant, name, answer)
    fetcher, offered = fetcher_of(tenant)

    async def read() -> object:
        if name == "chargers":
            return await fetcher.chargers("user")
        return await fetcher.settings("user", "car")

    assert [await read(), await read(), await read()] == [None, None, "the answer"]
    assert offered.has_answered(name)
    with pytest.raises(ConnectionFailed):
        await read()


async def test_cars_that_cannot_be_read_fail_the_refresh_whatever_the_list_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def away(_: str) -> tuple[Vehicle, ...]:
        raise ConnectionFailed("away")

    tenant = Tenant(user=[[session("a", 1)]])
    monkeypatch.setattr(tenant, "vehicles", away)
    with pytest.raises(ConnectionFailed):
        await fetcher_of(tenant)[0].user("user", oldest_start=None, known_until=NOON)


@pytest.mark.parametrize(
    ("status", "read_at", "vehicle_id", "calls"),
    [
        (ChargeStatus.DISCONNECTED, NOON - timedelta(hours=2), None, 2),
        (ChargeStatus.DISCONNECTED, NOON - timedelta(hours=2), "car", 2),
        (ChargeStatus.DISCONNECTED, NOON - timedelta(hours=2), "another car", 1),
        (ChargeStatus.CHARGING, NOON - timedelta(hours=2), "car", 1),
        (ChargeStatus.DISCONNECTED, NOON - timedelta(hours=1), "car", 1),
        (ChargeStatus.DISCONNECTED, NOON - timedelta(minutes=30), "car", 1),
        (ChargeStatus.DISCONNECTED, None, "car", 1),
    ],
)
async def test_a_car_that_was_plugged_in_between_the_two_answers_is_read_once_more(
    monkeypatch: pytest.MonkeyPatch,
    status: ChargeStatus,
    read_at: datetime | None,
    vehicle_id: str | None,
    calls: int,
) -> None:
    reading = ChargeState(status=status, updated_at=read_at)
    asked: list[str] = []

    async def answer(user_id: str) -> tuple[Vehicle, ...]:
        asked.append(user_id)
        return (Vehicle(id="car", user_id=user_id, charge_state=reading),)

    tenant = Tenant(user=[[replace(session("a", 1), vehicle_id=vehicle_id)]])
    monkeypatch.setattr(tenant, "vehicles", answer)
    await fetcher_of(tenant)[0].user("user", oldest_start=None, known_until=NOON)
    assert len(asked) == calls


async def test_the_failure_of_the_cars_is_raised_also_where_the_list_failed_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(user_id: str) -> tuple[Vehicle, ...]:
        await asyncio.sleep(0)
        raise Forbidden(user_id)

    tenant = Tenant(user=ConnectionFailed("away"), tenant=ConnectionFailed("away"))
    monkeypatch.setattr(tenant, "vehicles", fail)
    with pytest.raises(Forbidden):
        await fetcher_of(tenant)[0].user("user", oldest_start=None, known_until=NOON)


async def test_all_who_want_the_tenants_list_at_the_same_time_share_one_read() -> None:
    tenant = Tenant(user=NotFound("no path"), tenant=[[session("a", 1), session("b", 2, "other")]])
    fetcher, _ = fetcher_of(tenant)
    answers = await asyncio.gather(
        *(
            fetcher.user(user_id, oldest_start=None, known_until=NOON)
            for user_id in ("user", "other", "third")
        )
    )
    assert [[item.id for item in answer.sessions] for answer in answers] == [["a"], ["b"], []]
    assert sum("user_id" not in asked for asked in tenant.asked) == 1


# -- the tenant --------------------------------------------------------------------------------------------


def known(*names: str) -> Callable[[Session], bool]:
    """Return what says that these sessions are known."""
    return lambda item: item.id in names


@pytest.mark.parametrize(
    ("pages", "known_hours", "read"),
    [
        # Far enough back, and nothing unknown: the first page is enough.
        ([[7, 8], [9, 10]], {7, 8}, 1),
        # Not yet six hours before the last good read.
        ([[1, 2], [5, 7], [8, 9]], {1, 2, 5, 7, 8, 9}, 2),
        # Listed late: a page with something unknown leads to the next one.
        ([[7, 8], [9, 10], [11, 12]], {8, 9, 10}, 2),
        ([[7, 8], [9, 10], [11, 12]], set(), 3),
    ],
)
async def test_the_tenants_list_is_read_until_nothing_is_unknown_well_before_the_last_read(
    pages: list[list[int]], known_hours: set[int], read: int
) -> None:
    tenant = Tenant(user=[], tenant=[[session(f"{hour}", hour) for hour in page] for page in pages])
    is_known = known(*map(str, known_hours))
    found = await fetcher_of(tenant)[0].tenant_sessions(NOON, is_known)
    assert found is not None
    assert tenant.pages_read == read
    assert len(found) == sum(map(len, pages[:read]))


async def test_a_page_of_sessions_without_a_start_is_not_the_last() -> None:
    pages = [[replace(session("a", 1), started_at=None)], [session("b", 9)]]
    tenant = Tenant(user=[], tenant=pages)
    found = await fetcher_of(tenant)[0].tenant_sessions(NOON, known("a", "b"))
    assert found == [session for page in pages for session in page]


async def test_ends_are_read_as_well_and_each_session_is_named_once() -> None:
    running, ended = session("a", 1), session("old", 40)
    tenant = Tenant(user=[], tenant=[[running]], by_end=[[running, ended]])
    found = await fetcher_of(tenant)[0].tenant_sessions(NOON, known())
    assert found == [running, ended]
    assert tenant.asked == [{}, {"ended_from": NOON - LISTING_DELAY}]


async def test_a_filter_that_is_refused_costs_nothing_but_the_ends_and_soon_no_call() -> None:
    tenant = Tenant(user=[], tenant=[[session("a", 1)]], by_end=Rejected("no such filter"))
    now = NOON
    offered = OfferedCalls({}, lambda: now)
    fetcher = Fetcher(cast("JedlixClient", tenant), offered, dict)
    for _ in range(5):
        assert await fetcher.tenant_sessions(NOON, known()) == [session("a", 1)]
        now += timedelta(minutes=6)
    assert sum("ended_from" in asked for asked in tenant.asked) == 3


async def test_a_filter_that_was_understood_once_stays_whatever_is_refused_later() -> None:
    tenant = Tenant(user=[], tenant=[[session("a", 1)]], by_end=[])
    now = NOON
    offered = OfferedCalls({}, lambda: now)
    fetcher = Fetcher(cast("JedlixClient", tenant), offered, dict)
    await fetcher.tenant_sessions(NOON, known())
    tenant.by_end = Rejected("no such filter")
    for _ in range(5):
        now += timedelta(minutes=6)
        await fetcher.tenant_sessions(NOON, known())
    assert sum("ended_from" in asked for asked in tenant.asked) == 6


@pytest.mark.parametrize("refusal", [NotFound("none"), Forbidden("plan")])
async def test_a_tenant_that_refuses_its_list_is_no_failure(refusal: JedlixError) -> None:
    fetcher, offered = fetcher_of(Tenant(user=[], tenant=refusal))
    assert await fetcher.tenant_sessions(NOON, known()) is None
    assert offered.is_offered("sessions")  # it is documented: it is tried again


async def test_a_list_longer_than_is_read_at_once_is_in_the_log_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    endless = [[session(f"{number}", 0)] for number in range(MAX_PAGES + 5)]
    fetcher, _ = fetcher_of(Tenant(user=[], tenant=endless, by_end=endless))
    for _ in range(2):
        found = await fetcher.tenant_sessions(NOON, known())
        assert found is not None
        assert len(found) == MAX_PAGES
    (line,) = caplog.messages
    assert f"more sessions than the {MAX_PAGES} pages" in line


# -- answers that prove nothing ------------------------------------------------------------------------------


async def read_user(fetcher: Fetcher) -> list[str]:
    """Return the ids of a user's sessions, as they are read."""
    answer = await fetcher.user("user", oldest_start=None, known_until=NOON)
    return [item.id for item in answer.sessions]


async def test_an_empty_list_of_a_user_takes_the_tenants_list_away_from_nobody() -> None:
    """A wrong address may answer with an empty list."""
    tenant = Tenant(user=[[]], tenant=[[session("a", 1)]])
    fetcher, offered = fetcher_of(tenant)
    for refusals in (1, 2, 3):
        assert await read_user(fetcher) == ["a"]
        assert not offered.has_answered("user_sessions")
        assert offered.describe("user_sessions")["refusals_since"] == refusals
    assert not offered.is_offered("user_sessions")
    assert not offered.is_offered("session_settings")
    assert await read_user(fetcher) == ["a"]
    assert "user_id" not in tenant.asked[-1]


async def test_a_list_of_other_things_proves_no_more() -> None:
    tenant = Tenant(user=[[Session(id="car", user_id="user")]], tenant=[[session("a", 1)]])
    fetcher, offered = fetcher_of(tenant)
    assert await read_user(fetcher) == ["a"]
    assert not offered.has_answered("user_sessions")


async def test_a_users_list_that_once_named_a_session_is_believed_when_it_is_empty() -> None:
    tenant = Tenant(user=[[session("a", 1)]], tenant=[[session("b", 1)]])
    fetcher, offered = fetcher_of(tenant)
    assert await read_user(fetcher) == ["a"]
    assert offered.has_answered("user_sessions")
    tenant.user = [[]]
    assert await read_user(fetcher) == []
    assert all("user_id" in asked for asked in tenant.asked)


async def test_where_no_list_names_a_session_nothing_is_concluded() -> None:
    tenants_lists: tuple[Pages, ...] = ([[]], Forbidden("plan"))
    for tenants_list in tenants_lists:
        tenant = Tenant(user=[[]], tenant=tenants_list)
        fetcher, offered = fetcher_of(tenant)
        answer = await fetcher.user("user", oldest_start=None, known_until=NOON)
        assert answer.sessions == ()
        assert offered.describe("user_sessions")["offered"] == "not known"
        assert offered.describe("user_sessions")["refusals_since"] == 0


async def test_an_empty_list_of_chargers_proves_nothing_and_refuses_nothing() -> None:
    answers = iter([NotFound("none"), BadAnswer("no list"), (), ("a charger",), ()])

    async def answer(*_: str) -> object:
        if isinstance(reply := next(answers), JedlixError):
            raise reply
        return reply

    tenant = Tenant(user=[])
    tenant.chargers = answer  # type: ignore[assignment]
    fetcher, offered = fetcher_of(tenant)
    for refusals in (1, 2):
        assert await fetcher.chargers("user") is None
        assert offered.describe("chargers")["refusals_since"] == refusals
    assert await fetcher.chargers("user") == ()
    assert offered.describe("chargers")["refusals_since"] == 0
    assert not offered.has_answered("chargers")
    assert await fetcher.chargers("user") == ("a charger",)
    assert await fetcher.chargers("user") == ()
    assert offered.has_answered("chargers")
