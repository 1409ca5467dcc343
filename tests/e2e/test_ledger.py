"""Energy across a real stop, a start and a kill: utility meters count what was charged meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from harness.config_entries import add_jedlix
from harness.flows import CONFIG, Flow
from harness.home import Home
from tests.histories import HOUR, Cloud, History, a, s

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300), pytest.mark.usefixtures("socket_enabled")]

SENSORS: Final = ("session_energy", "energy_total")
FIRST: Final = s("a", 0.5, 1.0, 5.0)
SECOND: Final = s("b", 1.0, 1.5, 4.0)
HISTORY: Final = History(
    name="hand-overs while Home Assistant is down",
    answers=[
        a(s("a", 0.5, None, 3.0)),
        a(FIRST, s("b", 1.0, None, 1.0)),  # while it is stopped
        a(FIRST, s("b", 1.0, None, 2.0)),
        a(FIRST, SECOND, s("c", 1.5, None, 0.5)),  # while it is killed
    ],
    truth=(9.5, None, None),
    ends=2,
)


@pytest.fixture
async def cloud() -> AsyncIterator[Cloud]:
    cloud = Cloud(
        began=datetime.now(UTC) - 3 * HOUR, now=lambda: datetime.now(UTC), histories=[HISTORY]
    )
    await cloud.start()
    yield cloud
    await cloud.runner.cleanup()


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    async with Home(tmp_path / "config") as home:
        yield home


async def add_meter(home: Home, sensor: str) -> None:
    """Add a utility meter with the default settings."""
    flow = await Flow.begin(home.api, CONFIG, "utility_meter")
    await flow.submit(
        "user",
        {
            "name": f"meter {sensor}",
            "source": f"sensor.vehicle_{sensor}",
            "cycle": "none",
            "offset": 0,
            "tariffs": [],
            "net_consumption": False,
            "delta_values": False,
            "periodically_resetting": True,
            "always_available": False,
        },
    )
    flow.result()


async def until_shown(home: Home, **expected: float) -> None:
    """Wait until sensors of the vehicle have these states; shows the last ones if they never do."""
    found: dict[str, str | None] = {}
    try:
        async with asyncio.timeout(60):
            while any(found.get(name) != f"{value:.1f}" for name, value in expected.items()):
                await asyncio.sleep(0.2)
                states = await home.api.states()
                found = {
                    name: states.get(f"sensor.vehicle_{name}", {}).get("state") for name in expected
                }
    except TimeoutError:
        raise AssertionError(f"{found}, not {expected}") from None


async def test_meters_count_across_a_stop_and_a_kill(home: Home, cloud: Cloud) -> None:
    """What came between the last save of a meter and a kill is played back."""
    jedlix = {
        "client_id": "client",
        "client_secret": "secret",
        "api_key": "key",
        "base_url": cloud.url,
        "token_url": f"{cloud.url}/token",
    }
    await add_jedlix(home.api, jedlix, list(cloud.users), callback="none")
    await until_shown(home, session_energy=3.0, energy_total=3.0)
    for sensor in SENSORS:
        await add_meter(home, sensor)
    await home.stop()
    cloud.turn = 1
    await home.start()
    await until_shown(
        home,
        session_energy=1.0,
        energy_total=6.0,
        meter_session_energy=3.0,
        meter_energy_total=3.0,
    )
    cloud.turn = 2
    await home.api.call_action(
        "homeassistant", "reload_config_entry", entity_id="sensor.vehicle_energy_total"
    )
    await until_shown(home, energy_total=7.0, meter_energy_total=4.0)
    await home.kill()
    cloud.turn = 3
    await home.start()
    await until_shown(
        home,
        session_energy=0.5,
        energy_total=9.5,
        meter_session_energy=6.5,
        meter_energy_total=6.5,
    )
