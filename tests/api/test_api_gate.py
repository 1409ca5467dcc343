"""Gate: how many calls run at once, and what a Retry-After stops."""

import asyncio
from collections import Counter

import aiohttp
from hypothesis import given, strategies as st
import pytest

from custom_components.jedlix.api import JedlixClient, RateLimited
from custom_components.jedlix.api.gate import (
    MAX_CALLS,
    MAX_CALLS_PER_USER,
    MAX_PAUSE,
    CallGate,
    wanted_by_person,
)
from tests.api.stand_in import Cloud, Reply, make_client, until


class Clock:
    """A clock that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Calls:
    """Calls that pass a gate and run until the test ends them."""

    def __init__(self, gate: CallGate) -> None:
        self._gate = gate
        self._may_end = asyncio.Event()
        self.running: Counter[str | None] = Counter()
        self.most: Counter[str | None] = Counter()
        self.most_at_once = 0

    async def make(self, user_id: str | None) -> None:
        async with self._gate.slot(user_id):
            self.running[user_id] += 1
            self.most |= self.running
            self.most_at_once = max(self.most_at_once, self.running.total())
            await self._may_end.wait()
            await asyncio.sleep(0)
            self.running[user_id] -= 1

    def end(self) -> None:
        self._may_end.set()


async def settle() -> None:
    """Let the tasks run as far as they can."""
    for _ in range(20):
        await asyncio.sleep(0)


# -- how many ----------------------------------------------------------------------------------------------


async def test_eight_calls_run_at_a_time_and_two_of_a_user() -> None:
    calls = Calls(CallGate())
    users = ["busy"] * 10 + [f"u{number}" for number in range(20)] + [None] * 3
    tasks = [asyncio.create_task(calls.make(user_id)) for user_id in users]
    await settle()
    assert calls.running.total() == MAX_CALLS == 8
    assert calls.running["busy"] == MAX_CALLS_PER_USER == 2
    calls.end()
    await asyncio.gather(*tasks)
    assert calls.most_at_once == MAX_CALLS
    assert calls.most["busy"] == MAX_CALLS_PER_USER


async def test_a_user_with_many_calls_leaves_the_other_slots_to_the_others() -> None:
    calls = Calls(CallGate())
    tasks = [asyncio.create_task(calls.make("busy")) for _ in range(50)]
    tasks += [asyncio.create_task(calls.make(user_id)) for user_id in ("anna", None)]
    await settle()
    assert dict(calls.running) == {"busy": 2, "anna": 1, None: 1}
    calls.end()
    await asyncio.gather(*tasks)


@given(st.lists(st.sampled_from(["a", "b", "c", None]), max_size=40))
def test_every_call_gets_its_turn_and_the_bounds_hold(users: list[str | None]) -> None:
    async def run() -> Calls:
        calls = Calls(CallGate())
        calls.end()
        await asyncio.gather(*map(calls.make, users))
        return calls

    calls = asyncio.run(run())
    assert calls.running.total() == 0
    assert calls.most_at_once <= MAX_CALLS
    assert all(
        most <= MAX_CALLS_PER_USER for user_id, most in calls.most.items() if user_id is not None
    )


@pytest.mark.parametrize("user_id", ["anna", None])
async def test_a_call_that_fails_or_is_cancelled_leaves_its_slot(user_id: str | None) -> None:
    gate = CallGate()
    for _ in range(2 * MAX_CALLS):
        with pytest.raises(ZeroDivisionError):
            async with gate.slot(user_id):
                raise ZeroDivisionError
    calls = Calls(gate)
    tasks = [asyncio.create_task(calls.make(user_id)) for _ in range(2 * MAX_CALLS)]
    await settle()
    for task in tasks:  # those that run and those that wait
        task.cancel()
    await asyncio.wait(tasks)
    async with asyncio.timeout(1), gate.slot(user_id), gate.slot(user_id):
        pass


# -- when none is made ---------------------------------------------------------------------------------------


async def passes(gate: CallGate, user_id: str | None = "anna") -> bool:
    """Return whether the gate lets a call pass."""
    try:
        async with gate.slot(user_id):
            return True
    except RateLimited:
        return False


@pytest.mark.parametrize(
    ("pauses", "after", "is_open"),
    [
        ([], 0, True),
        ([60], 59, False),
        ([60], 60, True),
        ([0], 0, True),
        ([60, 10], 59, False),  # a shorter pause does not end a longer one
        ([10, 60], 59, False),
        ([24 * 3600], MAX_PAUSE - 1, False),
        ([24 * 3600], MAX_PAUSE, True),  # an hour at most
    ],
)
@pytest.mark.parametrize("user_id", ["anna", None])
async def test_a_pause_stops_all_calls_for_its_time(
    pauses: list[float], after: float, is_open: bool, user_id: str | None
) -> None:
    clock = Clock()
    gate = CallGate(clock=clock)
    for seconds in pauses:
        gate.pause(seconds)
    clock.now += after
    assert await passes(gate, user_id) is is_open


async def test_who_is_stopped_learns_how_long_to_wait() -> None:
    clock = Clock()
    gate = CallGate(clock=clock)
    gate.pause(60)
    clock.now += 15
    with pytest.raises(RateLimited) as raised:
        async with gate.slot("anna"):
            pytest.fail("no call is made")
    assert raised.value.retry_after == 45


async def test_what_a_person_waits_for_passes_during_a_pause_and_nothing_after_it() -> None:
    gate = CallGate(clock=Clock())
    gate.pause(60)
    with wanted_by_person():
        assert await passes(gate)
        background = asyncio.create_task(passes(gate))
    assert not await passes(gate)
    assert await background  # a task belongs to who started it


async def test_calls_that_wait_for_their_slot_are_stopped_as_well() -> None:
    """Of a thousand users who wait, none is asked for after Jedlix asked to wait."""
    gate = CallGate(clock=Clock())
    calls = Calls(gate)
    running = [asyncio.create_task(calls.make(f"u{number}")) for number in range(MAX_CALLS)]
    await settle()
    waiting = [asyncio.create_task(passes(gate, f"w{number}")) for number in range(100)]
    await settle()
    gate.pause(60)
    calls.end()
    await asyncio.gather(*running)
    assert await asyncio.gather(*waiting) == [False] * 100


# -- in the client -------------------------------------------------------------------------------------------


@pytest.fixture
def clock() -> Clock:
    """Return the clock of the gate."""
    return Clock()


@pytest.fixture
def gated(http: aiohttp.ClientSession, cloud: Cloud, clock: Clock) -> JedlixClient:
    """Return a client with this clock that makes each call once."""
    return make_client(http, cloud.url, back_off=(), gate=CallGate(clock=clock))


async def test_after_a_retry_after_no_call_of_any_user_reaches_jedlix(
    gated: JedlixClient, cloud: Cloud, clock: Clock
) -> None:
    cloud.say(Reply(429, headers={"Retry-After": "60"}))
    with pytest.raises(RateLimited):
        await gated.vehicles("anna")
    for user_id in ("anna", "ben"):
        with pytest.raises(RateLimited, match="Jedlix asked to wait"):
            await gated.vehicles(user_id)
    assert len(cloud.calls) == 1
    with wanted_by_person():
        await gated.vehicles("anna")
    assert len(cloud.calls) == 2
    clock.now += 60
    await gated.vehicles("ben")
    assert len(cloud.calls) == 3


async def test_a_429_of_the_token_address_stops_the_calls_as_well(
    gated: JedlixClient, cloud: Cloud
) -> None:
    cloud.say_at_login(Reply(429, headers={"Retry-After": "60"}))
    for _ in range(2):
        with pytest.raises(RateLimited):
            await gated.vehicles("anna")
    assert (len(cloud.logins), len(cloud.calls)) == (1, 0)


async def test_a_429_without_a_time_stops_no_other_call(gated: JedlixClient, cloud: Cloud) -> None:
    cloud.say(Reply(429))
    with pytest.raises(RateLimited):
        await gated.vehicles("anna")
    await gated.vehicles("ben")
    assert len(cloud.calls) == 2


async def test_a_client_makes_eight_calls_at_a_time(client: JedlixClient, cloud: Cloud) -> None:
    await client.vehicles("anna")  # the token
    cloud.forget()
    with cloud.silence():
        answers = asyncio.gather(*(client.vehicles(f"u{number}") for number in range(30)))
        await until(lambda: len(cloud.calls) >= MAX_CALLS)
        await asyncio.sleep(0.05)
        assert len(cloud.calls) == MAX_CALLS
    await answers
    assert len(cloud.calls) == 30
