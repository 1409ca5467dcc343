"""Gate: how many calls are made at once, and when none is made because Jedlix asked to wait."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
import time
from typing import Final

from .errors import RateLimited

MAX_CALLS: Final = 8
MAX_CALLS_PER_USER: Final = 2
# The longest pause that a Retry-After header brings, in seconds, however much it asks for.
MAX_PAUSE: Final = 3600.0

_is_wanted_by_person: ContextVar[bool] = ContextVar("jedlix_wanted_by_person", default=False)


@contextmanager
def wanted_by_person() -> Iterator[None]:
    """Make the calls inside although Jedlix asked to wait: a person waits for them."""
    with _wanted(by_person=True):
        yield


@contextmanager
def nobody_waits() -> Iterator[None]:
    """Make the calls inside only when Jedlix allows it, although a person's command led to them."""
    with _wanted(by_person=False):
        yield


@contextmanager
def _wanted(*, by_person: bool) -> Iterator[None]:
    token = _is_wanted_by_person.set(by_person)
    try:
        yield
    finally:
        _is_wanted_by_person.reset(token)


class CallGate:
    """The gate of one tenant: every call passes it, whoever makes it."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Start open."""
        self._clock = clock
        self._calls = asyncio.Semaphore(MAX_CALLS)
        # by user with a call: their slots, and how many calls have or want one
        self._slots_of_user: dict[str, tuple[asyncio.Semaphore, int]] = {}
        self._opens_at = 0.0

    def pause(self, seconds: float) -> None:
        """Make no calls for some seconds, an hour at most, except those that a person waits for."""
        self._opens_at = max(self._opens_at, self._clock() + min(seconds, MAX_PAUSE))

    @asynccontextmanager
    async def slot(self, user_id: str | None) -> AsyncIterator[None]:
        """Wait until one more call may be made, for this user where it concerns one.

        Raises RateLimited while Jedlix asked to wait, also when it did so during the wait for the slot.
        """
        async with self._slot_of(user_id), self._calls:
            self._check()
            yield

    def _check(self) -> None:
        wait = self._opens_at - self._clock()
        if wait > 0 and not _is_wanted_by_person.get():
            raise RateLimited("Jedlix asked to wait", wait)

    @asynccontextmanager
    async def _slot_of(self, user_id: str | None) -> AsyncIterator[None]:
        if user_id is None:
            yield
            return
        slots, calls = self._slots_of_user.get(user_id) or (
            asyncio.Semaphore(MAX_CALLS_PER_USER),
            0,
        )
        self._slots_of_user[user_id] = (slots, calls + 1)
        try:
            async with slots:
                yield
        finally:
            slots, calls = self._slots_of_user[user_id]
            if calls == 1:
                del self._slots_of_user[user_id]
            else:
                self._slots_of_user[user_id] = (slots, calls - 1)
