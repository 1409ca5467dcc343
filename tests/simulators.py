"""Fixtures: simulators of the Jedlix cloud. They need no Home Assistant, as the tests of the API."""

from collections.abc import AsyncIterator, Awaitable, Callable

from hypothesis import HealthCheck, settings
import pytest

from simulator.app import Simulator
from simulator.settings import Settings

# A busy machine is slow, and that says nothing about the code.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

type StartSimulator = Callable[..., Awaitable[Simulator]]


@pytest.fixture
async def start_simulator(
    socket_enabled: None,
) -> AsyncIterator[StartSimulator]:
    """Return a function that starts a simulator with the settings of a test."""
    running: list[Simulator] = []

    async def start(**settings: object) -> Simulator:
        sim = Simulator(Settings(**settings))  # type: ignore[arg-type]
        running.append(sim)
        await sim.start()
        return sim

    yield start
    for sim in running:
        await sim.stop()


@pytest.fixture
async def sim(start_simulator: StartSimulator) -> Simulator:
    """Return a simulator with one user, whose world moves only when the test says so."""
    return await start_simulator()
