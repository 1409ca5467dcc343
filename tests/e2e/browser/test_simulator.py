"""The simulator's own page, on which a person plays with cars."""

import asyncio
from collections.abc import AsyncIterator

from playwright.async_api import Page, expect
import pytest
import pytest_asyncio

from harness.browser.chromium import PATIENCE
from harness.browser.simulator import SimulatorPage
from tests.e2e.browser.conftest import Stage

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.usefixtures("socket_enabled"),
]


@pytest_asyncio.fixture(loop_scope="session")
async def page(stage: Stage) -> AsyncIterator[Page]:
    """Return a page that must not fail; a refusal (400) is none of its own."""
    page = await stage.browser.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    await page.close()
    assert not [complaint for complaint in complaints if "status of 400" not in complaint]


async def test_a_click_plugs_the_car_in_and_home_assistant_hears_of_it(
    stage: Stage, page: Page
) -> None:
    simulator = SimulatorPage(page, stage.simulator.url)
    await simulator.open()
    car = simulator.car(stage.car["id"])
    async with await stage.home.api.websocket() as socket:
        told = await socket.subscribe_events("jedlix_event")
        await car.get_by_role("button", name="Plug in", exact=True).click()
        try:
            await expect(car).to_contain_text("home")
            await expect(simulator.happened.first).to_contain_text(stage.car["model"])
            await expect(simulator.deliveries.first).to_contain_text("200 in")
            async with asyncio.timeout(PATIENCE):
                received = await anext(aiter(told))
        finally:
            await car.get_by_role("button", name="Unplug").click()
            await expect(car).to_contain_text("not plugged in")
    assert received.data["vehicle_id"] == stage.car["id"]


async def test_a_refusal_is_told_on_the_page(stage: Stage, page: Page) -> None:
    simulator = SimulatorPage(page, stage.simulator.url)
    await simulator.open()
    await page.get_by_label("Hour").fill("99")
    await page.get_by_role("button", name="Set").click()
    await expect(page.get_by_role("alert")).to_contain_text("hour")
    await page.get_by_role("button", name="+1 hour").click()
    await expect(page.get_by_role("alert")).to_be_hidden()
