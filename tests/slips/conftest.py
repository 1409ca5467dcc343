"""Fixtures of the stories: a house that begins a story, and a world in which nobody waits for real."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
import logging
from typing import Any, cast

from aiohttp import web
from homeassistant.core import HomeAssistant
import pytest

from custom_components.jedlix.api import JedlixClient
from custom_components.jedlix.state.refresh_queue import RefreshQueue
from simulator.api.gate import Gate
from tests.simulators import StartSimulator
from tests.slips.house import House
from tests.tools import Clock


@dataclass
class InFlight:
    """How many calls of the API were under way at once: at most so far, of all and of one user."""

    calls: Counter[str] = field(default_factory=Counter)
    most: int = 0
    most_of_one_user: int = 0

    def begins(self, user_id: str) -> None:
        """Count a call."""
        self.calls[user_id] += 1
        self.most = max(self.most, self.calls.total())
        users = [count for user, count in self.calls.items() if user]
        self.most_of_one_user = max([self.most_of_one_user, *users])


type Begin = Callable[..., Awaitable[House]]

# How much faster the pauses between two tries pass than in a real house.
_HASTE = 100


@pytest.fixture(autouse=True)
def enable_event_loop_debug() -> None:
    """Leave the debug mode of the event loop off: it takes half of the time, and there are many stories."""


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the pauses before another try pass quickly. How often something is tried stays as it is."""

    async def rest(seconds: float) -> None:
        await asyncio.sleep(seconds / _HASTE)

    for init in (JedlixClient.__init__, RefreshQueue.__init__):
        defaults = cast("dict[str, Any]", init.__kwdefaults__)
        monkeypatch.setitem(defaults, "sleep", rest)


@pytest.fixture
def in_flight(monkeypatch: pytest.MonkeyPatch) -> InFlight:
    """Return how many calls are under way at once; asked for before the story begins."""
    in_flight, answer = InFlight(), Gate._answer

    async def counted(gate: Gate, name: str, request: web.Request, perform: Any) -> Any:
        user_id = request.match_info.get("user", "")
        in_flight.begins(user_id)
        try:
            return await answer(gate, name, request, perform)
        finally:
            in_flight.calls[user_id] -= 1

    monkeypatch.setattr(Gate, "_answer", counted)
    return in_flight


@pytest.fixture
def begin(
    hass: HomeAssistant,
    callback_url: str,
    start_simulator: StartSimulator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    all_enabled: None,
) -> Begin:
    """Return a function that begins a story: a simulator, and an entry that follows its users."""

    async def begin(
        *,
        push: bool = False,
        follow: int | None = None,
        options: dict[str, Any] | None = None,
        absent: tuple[str, ...] = (),
        home_ahead: float = 0,
        **settings: object,
    ) -> House:
        caplog.set_level(logging.INFO)
        faults = {"absent": list(absent)}
        sim = await start_simulator(history_days=3, faults=faults, **settings)
        house = House(hass, sim, Clock(monkeypatch, sim), monkeypatch, caplog)
        house.set_home_clock(home_ahead)
        url = callback_url if push else None
        await house.set_up(url, sim.user_ids[:follow], options)
        return house

    return begin
