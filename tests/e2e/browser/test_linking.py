"""Linking a car, as a person does it: from the repair of a lost link, and with the gear of a user's row."""

import asyncio

from playwright.async_api import Page, expect
import pytest

from harness.browser.chromium import PATIENCE
from harness.browser.frontend import Frontend
from harness.browser.pages import IntegrationPage, RepairsPage
from tests.e2e.browser.conftest import Installation

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.usefixtures("socket_enabled"),
]


async def choose(page: Page, button: str) -> None:
    """Press a button on the maker's page, and close its tab."""
    await page.get_by_role("button", name=button, exact=True).click()
    await page.wait_for_url("**/web/end")
    await page.close()


@pytest.mark.parametrize("language", ["de"])
async def test_a_lost_link_is_repaired_over_two_pages_while_the_dialog_sleeps(
    installation: Installation, tab: Frontend
) -> None:
    car, issue = installation.car, "issues.vehicle_link_lost"
    name = f"{car['brand']} {car['model']}"
    title = tab.text(f"{issue}.title", car=name)
    await installation.simulator.log_in_pages(2)
    await installation.simulator.link(car["id"], connected=False, reason="credentials")
    repairs = RepairsPage(tab)
    await repairs.open()
    await expect(repairs.repair(title)).to_be_visible()

    flow = await repairs.begin(title)
    step = f"{issue}.fix_flow.step.link"
    await flow.shows(tab.text(f"{step}.title", car=name))
    description = tab.text(f"{step}.description", car=name, account="").partition("\n\n")[2]
    await expect(flow.form).to_contain_text(description)
    assert not await tab.raw_texts()
    await flow.submit()
    progress = f"{issue}.fix_flow.progress"
    await expect(flow.progress).to_contain_text(words(tab, f"{progress}.log_in", page="1"))
    assert not await tab.raw_texts()
    await choose(await flow.open_page(), "Log in")
    await expect(flow.progress).to_contain_text(words(tab, f"{progress}.next_page", page="2"))
    async with await installation.home.api.websocket() as socket:
        events = await socket.subscribe_events("data_entry_flow_progressed")
        await tab.suspend()
        await choose(await flow.open_page(), "Log in")
        async with asyncio.timeout(PATIENCE):
            await anext(aiter(events))  # the tab does not hear of it
    await expect(flow.progress).to_be_visible()
    await tab.wake_up()
    repaired = await tab.core_text("dialogs.repair_flow.success.description")
    await expect(flow.end.or_(flow.abort)).to_contain_text(repaired)
    assert not await tab.raw_texts()
    await flow.finish()
    await expect(repairs.repair(title)).to_be_hidden()


@pytest.mark.parametrize("language", ["en"])
async def test_the_gear_links_a_car_after_a_refusal(
    installation: Installation, tab: Frontend
) -> None:
    await installation.simulator.log_in_pages(1)
    page, user = IntegrationPage(tab), installation.users[0]["id"][:8]
    await page.open()
    flow = await page.link_car(user)
    await flow.shows(tab.text("config_subentries.user.step.link.title"))
    assert not await tab.raw_texts()
    await flow.submit()
    await choose(await flow.open_page(), "Refuse: nothing is linked")
    (*_, attempt) = await installation.simulator.connect_sessions()
    assert not attempt["is_finished"]
    await choose(await flow.open_page(), "Log in")
    await expect(flow.abort).to_contain_text(tab.text("config_subentries.user.abort.linked"))
    assert not await tab.raw_texts()
    await flow.close()


def words(tab: Frontend, key: str, page: str) -> str:
    """Return the first words of a text, up to the link in it."""
    return tab.text(key, url="", page=page).partition("[")[0].strip("* ")
