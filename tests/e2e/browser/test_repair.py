"""The repairs page: it shows what is wrong with push, and a person repairs it there."""

from collections.abc import AsyncIterator

from playwright.async_api import expect
import pytest
import pytest_asyncio

from harness.browser.frontend import Frontend
from harness.browser.pages import RepairsPage
from harness.config_entries import add_jedlix
from harness.simulator import Simulator
from tests.e2e.browser.conftest import Installation

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.usefixtures("socket_enabled"),
]


@pytest_asyncio.fixture(loop_scope="session")
async def lost_address(installation: Installation, cloud: Simulator) -> AsyncIterator[None]:
    """Add an account that is reached at the external address, and remove that address."""
    async with await installation.home.api.websocket() as socket:
        await socket.call("config/core/update", external_url=installation.home.base_url)
        users, info = await cloud.users(), await cloud.info()
        await add_jedlix(installation.home.api, info, [users[0]["id"]], callback="external")
        await socket.call("config/core/update", external_url=None)
    yield


async def test_a_lost_address_is_shown_and_repaired(
    installation: Installation, lost_address: None, tab: Frontend
) -> None:
    issue = "issues.no_public_url"
    title = tab.text(f"{issue}.title")
    repairs = RepairsPage(tab)
    await repairs.open()
    await expect(repairs.repair(title)).to_be_visible()
    assert not await tab.raw_texts()

    flow = await repairs.begin(title)
    await flow.shows(tab.text(f"{issue}.fix_flow.step.callback.title"))
    assert not await tab.raw_texts()
    await flow.submit()
    await expect(flow.error).to_contain_text(tab.text(f"{issue}.fix_flow.error.no_url"))
    await flow.choose(tab.text("selector.callback.options.custom"))
    await flow.fill(callback_url=installation.home.base_url)
    await flow.submit()
    await expect(flow.end).to_be_visible()
    await flow.finish()
    await expect(repairs.repair(title)).to_be_hidden()
