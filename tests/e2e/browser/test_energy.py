"""The Energy dashboard, set up as docs/energy.md says, with the history and with the sensor.

The bars of a day are what the simulator charged, once. Those of the sensor come as the hours pass. That its
statistics count each kWh once is tried in tests/test_histories.py.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
import time
from typing import Any, Final
from zoneinfo import ZoneInfo

from playwright.async_api import expect
import pytest
import pytest_asyncio

from harness.browser.frontend import Frontend
from harness.browser.pages import EnergyPages
from tests.e2e.browser.conftest import Installation

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.usefixtures("socket_enabled"),
]

ZONE: Final = ZoneInfo("Europe/Amsterdam")
PATIENCE: Final = 30.0


@pytest_asyncio.fixture(loop_scope="session")
async def energy(installation: Installation, tab: Frontend) -> AsyncIterator[EnergyPages]:
    """Return the pages; the dashboard has no device before and after."""
    yield EnergyPages(tab)
    async with await installation.home.api.websocket() as socket:
        await socket.call("energy/save_prefs", device_consumption=[])


async def test_the_bars_of_a_day_are_what_the_car_charged(
    installation: Installation, energy: EnergyPages
) -> None:
    name = f"{installation.car['brand']} {installation.car['model']} charging history energy"
    await until_imported(installation, name)
    await energy.add_device("Jedlix")
    await expect(energy.found.filter(has_text=name)).to_have_count(1)
    await energy.choose(name)
    card = await energy.show_yesterday()
    wanted = await charged_yesterday(installation)
    assert wanted > 1
    bars: dict[str, float] = {}
    deadline = time.monotonic() + PATIENCE
    while bars != {name: pytest.approx(wanted, abs=0.01)} and time.monotonic() < deadline:
        await asyncio.sleep(0.5)
        bars = await energy.bars(card)
    assert bars == {name: pytest.approx(wanted, abs=0.01)}


@pytest.mark.parametrize("language", ["en"], indirect=True)
async def test_the_sensor_is_found_by_the_car_and_suits_the_dashboard(
    installation: Installation, energy: EnergyPages, tab: Frontend
) -> None:
    """Until five minutes of statistics are over, the settings say that there are none yet."""
    await energy.add_device(f"{installation.car['brand']} {installation.car['model']}")
    await energy.choose(tab.text("entity.sensor.energy_total.name"))
    async with await installation.home.api.websocket() as socket:
        (device,) = (await socket.call("energy/get_prefs"))["device_consumption"]
        (problems,) = (await socket.call("energy/validate"))["device_consumption"]
    assert device["stat_consumption"].startswith("sensor.")
    assert device["stat_consumption"].endswith("_energy_total")
    assert {problem["type"] for problem in problems} <= {"statistics_not_defined"}


async def until_imported(installation: Installation, name: str) -> None:
    """Wait until there is a statistic called `name`."""
    async with await installation.home.api.websocket() as socket, asyncio.timeout(PATIENCE):
        while name not in [  # noqa: ASYNC110  the recorder has no event
            item["name"] for item in await socket.call("recorder/list_statistic_ids")
        ]:
            await asyncio.sleep(0.5)


async def charged_yesterday(installation: Installation) -> float:
    """Return the kWh of yesterday. Nobody saw when the car charged: a session counts evenly."""
    midnight = datetime.now(ZONE).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    begin, end = (midnight - timedelta(days=1)).astimezone(UTC), midnight.astimezone(UTC)
    sessions: list[Any] = (await installation.simulator.ledger())["sessions"]
    charged: float = sum(
        item["energy_kwh"] * max(timedelta(0), min(end, ended) - max(begin, started)) / length
        for item in sessions
        if item["vehicle_id"] == installation.car["id"] and item["ended_at"] is not None
        for started, ended in [
            (datetime.fromisoformat(item["started_at"]), datetime.fromisoformat(item["ended_at"]))
        ]
        if (length := ended - started)
    )
    return charged
