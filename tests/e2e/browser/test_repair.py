"""What is wrong with push is told where Home Assistant tells such things, and is mended there."""

from collections.abc import AsyncIterator

from playwright.async_api import expect
import pytest
import pytest_asyncio

from harness.browser.frontend import Frontend
from harness.browser.repairs import RepairsPage
from harness.flows import add_jedlix
from harness.simulator import Simulator
from tests.e2e.browser.conftest import Stage

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.usefixtures("socket_enabled"),
]


@pytest_asyncio.fixture(loop_scope="session")
async def lost_address(stage: Stage, cloud: Simulator) -> AsyncIterator[None]:
    """Let an account be reached at the external address, and take that away."""
    async with await stage.home.api.websocket() as socket:
        await socket.call("config/core/update", external_url=stage.home.base_url)
        users = (await cloud.truth())["users"]
        info = await cloud.info()
        await add_jedlix(stage.home.api, info, [users[0]["id"]], callback="external")
        await socket.call("config/core/update", external_url=None)
    yield


async def test_a_lost_address_is_told_and_mended(
    stage: Stage, lost_address: None, tab: Frontend
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
    await flow.fill(callback_url=stage.home.base_url)
    await flow.submit()
    await expect(flow.end).to_be_visible()
    await flow.finish()
    await expect(repairs.repair(title)).to_be_hidden()
