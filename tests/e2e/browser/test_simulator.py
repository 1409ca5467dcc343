"""The simulator's own page, where a person plugs cars in and out."""

import asyncio
from collections.abc import AsyncIterator

from playwright.async_api import Page, expect
import pytest
import pytest_asyncio

from harness.browser.chromium import PATIENCE
from harness.browser.pages import SimulatorPage
from tests.e2e.browser.conftest import Installation

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.usefixtures("socket_enabled"),
]


@pytest_asyncio.fixture(loop_scope="session")
async def page(installation: Installation) -> AsyncIterator[Page]:
    """Return a page whose console must stay free of errors; a refusal (400) is none."""
    page = await installation.browser.new_page()
    complaints: list[str] = []
    page.on(
        "console",
        lambda message: complaints.append(message.text) if message.type == "error" else None,
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    await page.close()
    assert not [complaint for complaint in complaints if "status of 400" not in complaint]


async def test_a_click_plugs_the_car_in_and_home_assistant_publishes_it(
    installation: Installation, page: Page
) -> None:
    simulator = SimulatorPage(page, installation.simulator.url)
    await simulator.open()
    car = simulator.car(installation.car["id"])
    async with await installation.home.api.websocket() as socket:
        events = await socket.subscribe_events("jedlix_event")
        await car.get_by_role("button", name="Plug in", exact=True).click()
        try:
            await expect(car).to_contain_text("home")
            await expect(simulator.changes.first).to_contain_text(installation.car["model"])
            await expect(simulator.deliveries.first).to_contain_text("200 in")
            async with asyncio.timeout(PATIENCE):
                received = await anext(aiter(events))
        finally:
            await car.get_by_role("button", name="Unplug").click()
            await expect(car).to_contain_text("not plugged in")
    assert received.data["vehicle_id"] == installation.car["id"]


async def test_a_refusal_is_shown_on_the_page(installation: Installation, page: Page) -> None:
    simulator = SimulatorPage(page, installation.simulator.url)
    await simulator.open()
    await page.get_by_role("spinbutton", name="Hour").fill("99")
    await page.get_by_role("button", name="Set").click()
    await expect(page.get_by_role("alert")).to_contain_text("hour")
    await page.get_by_role("button", name="+1 hour").click()
    await expect(page.get_by_role("alert")).to_be_hidden()
