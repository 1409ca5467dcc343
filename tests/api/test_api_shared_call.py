"""Shared call: one call for all who want it at the same time, even when some of them leave."""

import asyncio
import gc

import pytest

from custom_components.jedlix.api.shared_call import SharedCall


class Call:
    """A call that ends when the test says so."""

    def __init__(self) -> None:
        """Count how often it was made."""
        self.made = 0
        self._end: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def __call__(self) -> str:
        """Return or raise what the test decides on."""
        self.made += 1
        return await asyncio.shield(self._end)

    def answer(self, text: str) -> None:
        """Let it return something."""
        self._end.set_result(text)

    def fail(self) -> None:
        """Let it fail."""
        self._end.set_exception(OSError("no answer"))


@pytest.fixture
async def call() -> Call:
    return Call()


@pytest.fixture
def shared() -> SharedCall[str]:
    return SharedCall[str]()


@pytest.fixture
async def reports() -> list[dict[str, object]]:
    """Return what asyncio reports about tasks that nobody watches."""
    found: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, report: found.append(report))
    return found


async def settle() -> None:
    """Let all tasks run until they wait."""
    for _ in range(5):
        await asyncio.sleep(0)


async def waiting(shared: SharedCall[str], call: Call, count: int = 3) -> list[asyncio.Task[str]]:
    """Return callers who wait for the call."""
    callers = [asyncio.create_task(shared.join(call)) for _ in range(count)]
    await settle()
    assert call.made == 1
    return callers


async def leave(*callers: asyncio.Task[str]) -> None:
    """Cancel callers."""
    for caller in callers:
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller


async def test_all_callers_get_the_result_of_one_call(shared: SharedCall[str], call: Call) -> None:
    callers = await waiting(shared, call)
    call.answer("token")
    assert await asyncio.gather(*callers) == ["token"] * 3
    assert call.made == 1


async def test_the_next_caller_starts_a_new_call(shared: SharedCall[str], call: Call) -> None:
    (caller,) = await waiting(shared, call, 1)
    call.answer("first")
    assert await caller == "first"
    second = Call()
    second.answer("second")
    assert await shared.join(second) == "second"


async def test_calls_with_different_keys_run_side_by_side(shared: SharedCall[str]) -> None:
    calls = {key: Call() for key in ("anna", "bert")}
    callers = [
        asyncio.create_task(shared.join(call, key)) for key, call in calls.items() for _ in range(2)
    ]
    await settle()
    assert [call.made for call in calls.values()] == [1, 1]
    calls["bert"].answer("of bert")
    await settle()
    assert [caller.done() for caller in callers] == [False, False, True, True]
    calls["anna"].answer("of anna")
    assert await asyncio.gather(*callers) == ["of anna"] * 2 + ["of bert"] * 2


async def test_an_error_reaches_every_caller_and_the_next_one_tries_again(
    shared: SharedCall[str], call: Call
) -> None:
    callers = await waiting(shared, call)
    call.fail()
    errors = await asyncio.gather(*callers, return_exceptions=True)
    assert [str(error) for error in errors] == ["no answer"] * 3
    second = Call()
    second.answer("token")
    assert await shared.join(second) == "token"


async def test_a_caller_who_leaves_does_not_cancel_the_call(
    shared: SharedCall[str], call: Call
) -> None:
    first, second, third = await waiting(shared, call)
    await leave(first, second)
    call.answer("token")
    assert await third == "token"


async def test_a_call_goes_on_when_all_callers_have_left(
    shared: SharedCall[str], call: Call
) -> None:
    await leave(*await waiting(shared, call))
    late = asyncio.create_task(shared.join(call))
    await settle()
    call.answer("token")
    assert await late == "token"
    assert call.made == 1


@pytest.mark.parametrize("count", [1, 3])
async def test_an_error_that_nobody_waits_for_is_silent(
    shared: SharedCall[str], call: Call, reports: list[dict[str, object]], count: int
) -> None:
    await leave(*await waiting(shared, call, count))
    call.fail()
    await settle()
    gc.collect()  # asyncio reports an error that nobody has retrieved when its task is collected.
    assert reports == []


async def test_a_call_that_is_cancelled_itself_ends_the_wait_of_all(
    shared: SharedCall[str], reports: list[dict[str, object]]
) -> None:
    async def call() -> str:
        await asyncio.sleep(0)
        raise asyncio.CancelledError

    callers = [asyncio.create_task(shared.join(call)) for _ in range(2)]
    for caller in callers:
        with pytest.raises(asyncio.CancelledError):
            await caller
    second = Call()
    second.answer("token")
    assert await shared.join(second) == "token"
    assert reports == []
