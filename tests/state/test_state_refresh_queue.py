"""Rings: the first is answered at once, the others together, and none is lost, whatever Jedlix does."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final

import pytest

from custom_components.jedlix.state.refresh_queue import RefreshQueue

USER: Final = "user"


class Bell:
    """Rings with a person at the door who notes when they looked, and a clock that only they move."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answers: Iterable[bool] = ()) -> None:
        """Answer well, or as told for the first looks."""
        self.looks: list[str] = []
        self.pauses: list[float] = []
        self._answers = iter(answers)
        self._tasks: list[asyncio.Task[None]] = []
        self._waiting: asyncio.Queue[asyncio.Event] = asyncio.Queue()
        self.looked = asyncio.Event()
        self.during: Callable[[], None] | None = None
        self.rings = RefreshQueue(self._look, self._start, sleep=self._sleep)
        monkeypatch.setattr(
            "custom_components.jedlix.state.refresh_queue.random.uniform", lambda _low, high: high
        )

    def ring(self, times: int = 1, user_id: str = USER) -> None:
        """Ring so many times."""
        for _ in range(times):
            self.rings.request(user_id)

    async def pause_over(self) -> None:
        """Let the oldest pause be over, and what follows happen."""
        (await self._waiting.get()).set()
        await self.settle()

    async def settle(self) -> None:
        """Let happen what can happen without time going by."""
        for _ in range(5):
            await asyncio.sleep(0)

    @property
    def is_attended(self) -> bool:
        """Return whether somebody still stands at the door."""
        return any(not task.done() for task in self._tasks)

    async def _look(self, user_id: str) -> bool:
        self.looks.append(user_id)
        if self.during is not None:
            self.during()
        return next(self._answers, True)

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> object:
        assert USER in name
        self._tasks.append(asyncio.create_task(work))
        return self._tasks[-1]

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        over = asyncio.Event()
        self._waiting.put_nowait(over)
        await over.wait()


async def test_a_ring_is_answered_at_once_and_then_nobody_waits_any_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bell = Bell(monkeypatch)
    bell.ring()
    await bell.settle()
    assert bell.looks == [USER]
    await bell.pause_over()
    assert not bell.is_attended
    bell.ring()
    await bell.settle()
    assert bell.looks == [USER, USER]
    await bell.pause_over()


async def test_many_rings_during_the_pause_are_answered_by_one_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bell = Bell(monkeypatch)
    bell.ring(50)
    await bell.settle()
    bell.ring(50)
    assert len(bell.looks) == 1
    await bell.pause_over()
    assert len(bell.looks) == 2
    await bell.pause_over()
    assert len(bell.looks) == 2
    assert not bell.is_attended


async def test_a_ring_during_a_look_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    bell = Bell(monkeypatch)
    bell.during = bell.ring
    bell.ring()
    await bell.settle()
    bell.during = None
    await bell.pause_over()
    assert len(bell.looks) == 2
    await bell.pause_over()
    assert not bell.is_attended


async def test_each_user_has_a_bell_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    bell = Bell(monkeypatch)
    bell.ring(3, "user one")
    bell.ring(3, "user two")
    await bell.settle()
    assert bell.looks == ["user one", "user two"]
    bell.ring(1, "user two")
    for _ in range(3):
        await bell.pause_over()
    assert bell.looks == ["user one", "user two", "user two"]
    assert not bell.is_attended


async def test_a_look_that_failed_is_tried_again_with_growing_pauses_until_it_succeeds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bell = Bell(monkeypatch, [False] * 10)
    bell.ring()
    await bell.settle()
    for _ in range(11):
        await bell.pause_over()
    assert len(bell.looks) == 11
    assert bell.pauses == [2, 4, 8, 16, 32, 60, 60, 60, 60, 60, 1]
    assert not bell.is_attended


async def test_after_a_success_the_pauses_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    bell = Bell(monkeypatch, [False, False, True, False])
    bell.ring()
    await bell.settle()
    await bell.pause_over()
    await bell.pause_over()
    bell.ring()
    await bell.pause_over()
    await bell.pause_over()
    await bell.pause_over()
    assert bell.pauses == [2, 4, 1, 2, 1]


async def test_after_a_look_that_broke_the_bell_still_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bell = Bell(monkeypatch)

    def break_it() -> None:
        raise RuntimeError("a bug")

    bell.during = break_it
    bell.ring()
    with pytest.raises(RuntimeError):
        await bell._tasks[0]
    bell.during = None
    bell.ring()
    await bell.settle()
    assert len(bell.looks) == 2
    await bell.pause_over()
