"""Pages: lists are read to their end, each item once, and never endlessly."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import aiohttp
import pytest

from custom_components.jedlix.api import (
    BadAnswer,
    ConnectionFailed,
    JedlixClient,
    transport,
)
from custom_components.jedlix.api.reading import Incomplete
from simulator.app import Simulator
from tests.api.stand_in import TOKEN_PATH, Cloud, Reply, make_client


async def all_pages[T](pages: AsyncIterator[tuple[T, ...]]) -> list[tuple[T, ...]]:
    return [page async for page in pages]


def page(ids: Iterable[str], index: int, of: int, **more: Any) -> Reply:
    items = [{"id": item} for item in ids]
    return Reply(body={"pageIndex": index, "pageSize": 2, "totalPages": of, "items": items} | more)


async def ids_of(client: JedlixClient) -> list[list[str]]:
    pages = await all_pages(client.session_pages())
    return [[session.id for session in page] for page in pages]


async def test_a_long_history_takes_several_pages(
    http: aiohttp.ClientSession, start_simulator: Callable[..., Awaitable[Simulator]]
) -> None:
    sim = await start_simulator(users=10)
    everything = {session.id for session in sim.world.sessions.by_id.values()}
    assert len(everything) > 200
    pages = await all_pages(make_client(http, sim.url).session_pages())
    assert [len(page) for page in pages[:-1]] == [100] * (len(everything) // 100)
    sessions = [session for page in pages for session in page]
    assert len(sessions) == len(everything)
    assert {session.id for session in sessions} == everything
    starts = [session.started_at for session in sessions if session.started_at]
    assert starts == sorted(starts, reverse=True)
    assert {session.user_id for session in sessions} == set(sim.user_ids)


async def test_no_page_is_read_that_the_caller_does_not_want(
    http: aiohttp.ClientSession, start_simulator: Callable[..., Awaitable[Simulator]]
) -> None:
    sim = await start_simulator(users=10)
    async for page_ in make_client(http, sim.url).session_pages():
        assert len(page_) == 100
        break
    assert [item.path.split("?")[0] for item in sim.requests] == [TOKEN_PATH, "/api/v2/sessions"]


async def test_a_bare_array_is_the_whole_list(client: JedlixClient, cloud: Cloud) -> None:
    cloud.otherwise = Reply(body=[{"id": "b"}, {"id": "a"}])
    assert await ids_of(client) == [["b", "a"]]
    assert len(cloud.calls) == 1


async def test_all_pages_are_read(client: JedlixClient, cloud: Cloud) -> None:
    cloud.say(page("ed", 1, 3), page("cb", 2, 3), page("a", 3, 3))
    assert await ids_of(client) == [["e", "d"], ["c", "b"], ["a"]]
    assert [call.query for call in cloud.calls] == [
        {"pageSize": "100", "pageIndex": index} for index in "123"
    ]


NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
WHOLE_LISTS: dict[str, Callable[[JedlixClient], Awaitable[tuple[Any, ...]]]] = {
    "vehicles": lambda it: it.vehicles("anna"),
    "chargers": lambda it: it.chargers("anna"),
    "charging-locations": lambda it: it.user_locations("anna"),
    "financials": lambda it: it.financials("anna", started_from=NOON, started_to=NOON),
    "subscriptions": lambda it: it.subscriptions(),
}


@pytest.mark.parametrize(
    ("name", "with_ids"), [*((name, True) for name in WHOLE_LISTS), ("subscriptions", False)]
)
async def test_a_list_that_comes_in_pages_is_whole(
    client: JedlixClient, cloud: Cloud, name: str, with_ids: bool
) -> None:
    """The first page may be smaller than those that are asked for."""

    def items(ids: str) -> list[dict[str, str]]:
        return [
            {"eventType": item, "endpointUrl": "https://home.example"}
            | ({"id": item} if with_ids else {})
            for item in ids
        ]

    cloud.say(
        page("", 1, 3, items=items("a")),
        page("", 1, 2, items=items("ab")),
        page("", 2, 2, items=items("bc")),
    )
    found = await WHOLE_LISTS[name](client)
    assert [getattr(item, "event_type", item.id) for item in found] == ["a", "b", "c"]
    assert [call.query.get("pageIndex") for call in cloud.calls] == [None, "1", "2"]
    assert {call.query.get("startTimeFrom") for call in cloud.calls} == (
        {"2026-01-31T12:00:00.000Z"} if name == "financials" else {None}
    )


@pytest.mark.parametrize("name", WHOLE_LISTS)
async def test_a_list_without_pages_takes_one_call(
    client: JedlixClient, cloud: Cloud, name: str
) -> None:
    cloud.otherwise = Reply(body=[])
    assert await WHOLE_LISTS[name](client) == ()
    (call,) = cloud.calls
    assert not any(parameter.startswith("page") for parameter in call.query)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=[]),
        page("", 1, 0),
        page("", 1, 1),
        page("", 1, 9),
        Reply(body={"items": []}),
    ],
)
async def test_an_empty_list_has_no_page(client: JedlixClient, cloud: Cloud, reply: Reply) -> None:
    cloud.otherwise = reply
    assert await ids_of(client) == []
    assert len(cloud.calls) == 1


@pytest.mark.parametrize(
    "more",
    [
        {"totalPages": None},
        {"totalPages": "many"},
        {"totalPages": 0},
        {"totalPages": -1},
        {"pageIndex": None, "totalPages": 1},
        {"pageIndex": 5, "totalPages": 3},
    ],
)
async def test_a_page_that_names_no_other_page_is_the_last(
    client: JedlixClient, cloud: Cloud, more: dict[str, Any]
) -> None:
    cloud.otherwise = page("ba", 1, 1, **more)
    assert await ids_of(client) == [["b", "a"]]
    assert len(cloud.calls) == 1


async def test_a_server_that_always_returns_the_first_page(
    client: JedlixClient, cloud: Cloud
) -> None:
    cloud.otherwise = page("ba", 1, 1_000_000)
    assert await ids_of(client) == [["b", "a"]]
    assert len(cloud.calls) == 2


async def test_a_server_whose_pages_never_end(
    client: JedlixClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = 0

    async def answer(*_: object, **__: object) -> object:
        nonlocal read
        read += 1
        return page([f"{read}"], read, 1_000_000).body

    monkeypatch.setattr(client, "_call", answer)
    assert len(await ids_of(client)) == read == transport.MAX_PAGES


async def test_a_session_that_starts_meanwhile_does_not_repeat_another(
    client: JedlixClient, cloud: Cloud
) -> None:
    # "d" was the last of the first page; a new session moved it to the second.
    cloud.say(page("ed", 1, 2), page("dc", 2, 2))
    assert await ids_of(client) == [["e", "d"], ["c"]]


async def test_an_odd_item_does_not_hide_the_others(client: JedlixClient, cloud: Cloud) -> None:
    cloud.say(Reply(body=[None, {"id": "a"}, {}, 7, {"id": None}, {"id": ""}, [], {"id": "b"}]))
    assert await ids_of(client) == [["a", "b"]]


async def test_a_list_with_an_odd_item_is_incomplete(client: JedlixClient, cloud: Cloud) -> None:
    cloud.say(Reply(body=[{"id": "a"}]), Reply(body=[{"id": "a"}, {}]))
    assert not isinstance(await client.vehicles("user"), Incomplete)
    assert isinstance(await client.vehicles("user"), Incomplete)
    odd = page("ba", 2, 2)
    odd.body["items"].append(None)
    # the first page is read once more, as the others are
    cloud.say(page("dc", 1, 2), page("dc", 1, 2), odd)
    found = await client.vehicles("user")
    assert isinstance(found, Incomplete)
    assert [item.id for item in found] == ["d", "c", "b", "a"]


@pytest.mark.parametrize("items", [{}, {"items": None}, {"items": []}])
async def test_a_page_that_counts_no_items_is_empty(
    client: JedlixClient, cloud: Cloud, items: dict[str, Any]
) -> None:
    cloud.say(Reply(body={"pageIndex": 1, "totalPages": 0, "totalCount": 0, **items}))
    assert await client.vehicles("user") == ()


async def test_an_answer_without_content_is_an_empty_list_and_an_empty_body_is_none(
    client: JedlixClient, cloud: Cloud
) -> None:
    cloud.say(Reply(204), Reply(204), Reply(200, body=b""))
    assert await client.vehicles("user") == ()
    with pytest.raises(BadAnswer):
        await client.charge_settings("user", "car")
    with pytest.raises(BadAnswer):
        await client.vehicles("user")


@pytest.mark.parametrize("body", [[{}], [1, 2], {"items": [None]}, [{"id": {}}]])
async def test_a_list_of_something_else(client: JedlixClient, cloud: Cloud, body: object) -> None:
    cloud.say(Reply(body=body))
    with pytest.raises(BadAnswer, match="no item of the list has an id"):
        await ids_of(client)


@pytest.mark.parametrize("body", [{}, {"items": {}}, {"id": "a"}, "ok", 7, True, None, b""])
async def test_an_answer_that_is_not_a_list(
    client: JedlixClient, cloud: Cloud, body: object
) -> None:
    cloud.say(Reply(body=body))
    with pytest.raises(BadAnswer, match="expected a list"):
        await ids_of(client)


@pytest.mark.parametrize("key", ["items", "Items", "data", "results", "value", "VALUES"])
async def test_the_list_may_have_another_name(client: JedlixClient, cloud: Cloud, key: str) -> None:
    cloud.say(Reply(body={"count": 1, key: [{"id": "a"}], "PageIndex": 1}))
    assert await ids_of(client) == [["a"]]


async def test_a_list_that_is_null_is_passed_over(client: JedlixClient, cloud: Cloud) -> None:
    cloud.say(Reply(body={"items": None, "data": [{"id": "a"}]}))
    assert await ids_of(client) == [["a"]]


async def test_the_second_page_fails(client: JedlixClient, cloud: Cloud) -> None:
    cloud.say(page("ba", 1, 2), *[Reply(503)] * 3)
    pages = client.session_pages()
    assert [session.id for session in await anext(pages)] == ["b", "a"]
    with pytest.raises(ConnectionFailed):
        await anext(pages)


async def test_filters_are_written_as_documented(client: JedlixClient, cloud: Cloud) -> None:
    noon = datetime(2026, 1, 31, 12, 0, 0, 123999, tzinfo=timezone(timedelta(hours=1)))
    await all_pages(
        client.session_pages(
            started_from=noon,
            started_to=noon + timedelta(days=1),
            ended_from=noon.astimezone(UTC) + timedelta(days=2),
        )
    )
    assert cloud.calls[0].query == {
        "startTimeFrom": "2026-01-31T11:00:00.123Z",
        "startTimeTo": "2026-02-01T11:00:00.123Z",
        "endTimeFrom": "2026-02-02T11:00:00.123Z",
        "pageSize": "100",
        "pageIndex": "1",
    }


async def test_a_filter_is_repeated_on_every_page(client: JedlixClient, cloud: Cloud) -> None:
    cloud.say(page("b", 1, 2), page("a", 2, 2))
    await all_pages(client.session_pages(started_from=datetime(2026, 1, 31, tzinfo=UTC)))
    assert {call.query["startTimeFrom"] for call in cloud.calls} == {"2026-01-31T00:00:00.000Z"}
