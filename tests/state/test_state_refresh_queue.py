"""Refresh queue: the first request is served at once, more of them become one, and none is lost."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final

import pytest

from custom_components.jedlix.state.refresh_queue import MAX_WAIT, RefreshQueue

USER: Final = "user"


class Refreshes:
    """A refresh queue, what it refreshes, and a clock that the test moves."""

    def __init__(self, results: Iterable[bool] = ()) -> None:
        """Let the first refreshes end with these results, and all others succeed."""
        self.refreshed: list[str] = []
        self.pauses: defaultdict[int, float] = defaultdict(float)
        """Seconds, by the number of refreshes before."""
        self.tasks: list[asyncio.Task[None]] = []
        self.during_refresh: Callable[[], object] = lambda: None
        self._results = iter(results)
        self._pauses_under_way: asyncio.Queue[asyncio.Event] = asyncio.Queue()
        self.queue = RefreshQueue(self._refresh, self._start_task, sleep=self._sleep)

    async def request(self, user_id: str = USER, times: int = 1) -> None:
        """Request a refresh so many times, and let happen what follows at once."""
        for _ in range(times):
            self.queue.request(user_id)
        await self._settle()

    async def end_pause(self) -> None:
        """End the pause that began first, and let happen what follows at once."""
        self._pauses_under_way.get_nowait().set()
        await self._settle()

    async def end_pauses(self) -> None:
        """End pauses until there is another refresh."""
        count = len(self.refreshed)
        while len(self.refreshed) == count:
            await self.end_pause()

    @property
    def is_idle(self) -> bool:
        """Return whether no user is refreshed, nor waits for it."""
        return all(task.done() for task in self.tasks)

    async def _settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    async def _refresh(self, user_id: str) -> bool:
        self.refreshed.append(user_id)
        self.during_refresh()
        return next(self._results, True)

    def _start_task(self, work: Coroutine[Any, Any, None], name: str) -> None:
        assert USER in name
        self.tasks.append(asyncio.create_task(work))

    async def _sleep(self, seconds: float) -> None:
        self.pauses[len(self.refreshed)] += seconds
        is_over = asyncio.Event()
        self._pauses_under_way.put_nowait(is_over)
        await is_over.wait()


async def test_a_request_is_served_at_once_and_nothing_waits_longer_than_the_interval() -> None:
    refreshes = Refreshes()
    for count in (1, 2):
        await refreshes.request()
        assert refreshes.refreshed == [USER] * count
        await refreshes.end_pause()
        assert refreshes.is_idle


async def test_many_requests_within_a_second_become_one_refresh() -> None:
    refreshes = Refreshes()
    await refreshes.request(times=50)
    await refreshes.request(times=50)
    assert len(refreshes.refreshed) == 1
    await refreshes.end_pause()
    assert len(refreshes.refreshed) == 2
    await refreshes.end_pause()
    assert len(refreshes.refreshed) == 2
    assert refreshes.is_idle


async def test_a_request_during_a_refresh_leads_to_one_more() -> None:
    refreshes = Refreshes()
    refreshes.during_refresh = lambda: refreshes.queue.request(USER)
    await refreshes.request()
    refreshes.during_refresh = lambda: None
    await refreshes.end_pause()
    assert len(refreshes.refreshed) == 2
    await refreshes.end_pause()
    assert refreshes.is_idle


async def test_one_user_does_not_wait_for_another() -> None:
    refreshes = Refreshes()
    await refreshes.request("user one")
    await refreshes.request("user two")
    assert refreshes.refreshed == ["user one", "user two"]
    await refreshes.request("user two")
    for _ in range(3):
        await refreshes.end_pause()
    assert refreshes.refreshed == ["user one", "user two", "user two"]
    assert refreshes.is_idle


async def test_a_failed_refresh_is_tried_again_after_growing_pauses_until_it_succeeds() -> None:
    refreshes = Refreshes([False] * 10)
    await refreshes.request()
    for _ in range(10):
        await refreshes.end_pauses()
    await refreshes.end_pause()
    assert len(refreshes.refreshed) == 11
    assert refreshes.is_idle
    longest = [2, 4, 8, 16, 32, 60, 60, 60, 60, 60]
    shares = [refreshes.pauses[count] / most for count, most in enumerate(longest, 1)]
    assert 0.5 <= min(shares) < max(shares) <= 1  # many users do not come back at one moment
    assert refreshes.pauses[11] == 1


async def test_a_request_ends_the_pause_before_another_try_soon() -> None:
    """Jedlix reports something, so it may answer again."""
    refreshes = Refreshes([False] * 8)
    await refreshes.request()
    for _ in range(6):
        await refreshes.end_pauses()
    await refreshes.end_pause()
    await refreshes.request(times=3)
    assert len(refreshes.refreshed) == 7  # many requests do not become many tries
    await refreshes.end_pause()
    assert len(refreshes.refreshed) == 8
    assert refreshes.pauses[7] == 2 * MAX_WAIT
    await refreshes.end_pauses()
    assert refreshes.pauses[8] > 2 * MAX_WAIT  # without a request it is as long as before
    await refreshes.end_pause()
    assert refreshes.is_idle


async def test_after_a_success_the_pauses_are_short_again() -> None:
    refreshes = Refreshes([False, False, True, False])
    await refreshes.request()
    await refreshes.end_pauses()
    await refreshes.end_pauses()
    await refreshes.request()
    await refreshes.end_pause()
    await refreshes.end_pauses()
    await refreshes.end_pause()
    assert refreshes.pauses[3] == refreshes.pauses[5] == 1
    assert 1 <= refreshes.pauses[4] <= 2


async def test_a_refresh_with_an_unexpected_error_is_in_the_log_and_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    refreshes = Refreshes()
    refreshes.during_refresh = {}.popitem  # a bug of ours
    await refreshes.request()
    # asyncio also warns, on a slow machine
    (record,) = (item for item in caplog.records if item.name.startswith("custom_components"))
    assert record.getMessage() == "The refresh of a Jedlix user failed and is tried again"
    assert record.exc_info is not None
    assert record.exc_info[0] is KeyError
    refreshes.during_refresh = lambda: None
    await refreshes.end_pause()
    assert len(refreshes.refreshed) == 2
    await refreshes.end_pause()
    assert refreshes.is_idle
