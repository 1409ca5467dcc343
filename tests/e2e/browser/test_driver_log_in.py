"""A driver's log-in: refused, with a token that names nobody, and right, at the provider's own page."""

from playwright.async_api import Page, expect
import pytest

from harness.browser.dialogs import FlowDialog
from harness.browser.frontend import Frontend, text as text_in
from harness.browser.pages import add_integration, open_device
from harness.config_entries import entries
from harness.flows import DOMAIN
from harness.simulator import Simulator
from tests.e2e.browser.conftest import Installation

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.usefixtures("socket_enabled"),
]


async def open_provider(tab: Frontend, flow: FlowDialog) -> Page:
    """Submit the form, and return the provider's page that opens by itself."""
    async with tab.page.expect_popup() as opened:
        await flow.submit()
    page = await opened.value
    await page.get_by_role("heading").wait_for()
    return page


@pytest.mark.parametrize("language", ["nl"])
async def test_a_driver_logs_in_at_the_page_of_the_provider(
    installation: Installation, cloud: Simulator, tab: Frontend
) -> None:
    text, info = tab.text, await cloud.info()
    car = (await cloud.users())[1]["vehicles"][0]
    me = f"{car['brand']} {car['model']}"
    await tab.go("/config/integrations/dashboard")
    flow = await add_integration(tab, "Jedlix")
    await flow.take(text("config.step.user.menu_options.driver"))
    await flow.shows(text("config.step.driver.title"))
    assert not await tab.raw_texts()
    await expect(flow.form).to_contain_text("/auth/external/callback")
    await flow.choose(text("selector.environment.options.custom"))
    await flow.fill(
        base_url=info["base_url"],
        authorize_url=info["user_authorize_url"],
        token_url=info["user_token_url"],
        client_id="me",
        audience=info["audience"],
        api_key=info["api_key"],
    )

    page = await open_provider(tab, flow)
    async with page.expect_event("close"):
        await page.get_by_role("button", name="Refuse").click()
    await expect(flow.error).to_contain_text(text("config.error.log_in_refused"))
    assert not await tab.raw_texts()

    page = await open_provider(tab, flow)
    await page.get_by_role("combobox").select_option("no_claim")
    async with page.expect_event("close"):
        await page.get_by_role("button", name=me).click()
    await expect(flow.error).to_contain_text(text("config.error.no_user_claim"))

    page = await open_provider(tab, flow)
    async with page.expect_event("close"):
        await page.get_by_role("button", name=me).click()
    await expect(flow.end).to_be_visible()
    assert not await tab.raw_texts()
    await flow.finish()

    (entry,) = [
        it for it in await entries(installation.home.api) if it["entry_id"] != installation.entry_id
    ]
    devices = await tab.ask("config/device_registry/list")
    ids = {
        identifier: device["id"]
        for device in devices
        for domain, identifier in device["identifiers"]
        if domain == DOMAIN
    }
    page_of_car = await open_device(tab, next(ids[it] for it in ids if car["id"] in it))
    await expect(page_of_car).to_contain_text(me)
    # Names of entities follow the language of the server.
    page_of_account = await open_device(tab, ids[entry["entry_id"]])
    names = {
        key: text_in("en", f"entity.sensor.{key}.name") for key in ("not_offered", "push_state")
    }
    await expect(page_of_account).to_contain_text(names["not_offered"])
    await expect(page_of_account).not_to_contain_text(names["push_state"])
    assert not await tab.raw_texts()
