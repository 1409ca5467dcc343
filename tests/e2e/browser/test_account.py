"""The page of the integration: options, one more user, diagnostics."""

import json

from playwright.async_api import expect
import pytest

from custom_components.jedlix.push.refused_types import Reason
from harness.browser.dialogs import FlowDialog
from harness.browser.frontend import Frontend
from harness.browser.pages import IntegrationPage
from tests.e2e.browser.conftest import Installation

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.usefixtures("socket_enabled"),
]


async def test_options_are_kept(installation: Installation, tab: Frontend) -> None:
    text, page = tab.text, IntegrationPage(tab)
    advanced = "options.step.init.sections.advanced"
    own_type = f"likely-{tab.language}"
    await page.open()
    flow = await page.configure()
    await flow.shows(text("options.step.init.title"))
    groups = "options.step.init.sections.groups"
    for field in ("session", "link", "user"):
        shown = flow.form.locator("ha-selector-select", has_text=text(f"{groups}.data.{field}"))
        await expect(shown).to_contain_text(text("selector.event_type_state.options.accepted"))
    await flow.expand(text(f"{advanced}.name"))
    await expect(flow.form).to_contain_text(text(f"{advanced}.data_description.event_types"))
    await expect(flow.form).to_contain_text("userCreated, ")  # the accepted ones by name
    # A select keeps its value beside the text that it shows.
    assert not set(await tab.raw_texts()) - set(Reason)
    await flow.pick(text(f"{advanced}.data.event_types"), own_type)
    await flow.switch(text("options.step.init.data.follow_new_users")).click()
    await flow.submit()
    await expect(flow.end).to_be_visible()
    assert not await tab.raw_texts()
    await flow.finish()

    flow = await page.configure()
    await flow.shows(text("options.step.init.title"))
    await flow.expand(text(f"{advanced}.name"))
    await expect(flow.form.locator("ha-input-chip", has_text=own_type)).to_be_visible()
    follows = flow.form.get_by_role("switch").nth(1)
    await expect(follows).to_be_checked(
        checked=tab.language == "en"
    )  # the next run turns it off again


async def test_one_more_user_is_followed(installation: Installation, tab: Frontend) -> None:
    user = installation.users[1 if tab.language == "en" else 2]
    car, text, page = user["vehicles"][0], tab.text, IntegrationPage(tab)
    await page.open()
    flow = await page.add_user()
    await flow.shows(text("config_subentries.user.step.user.title"))
    assert not await tab.raw_texts()
    await flow.fill(user_id="nobody")
    await flow.submit()
    await expect(flow.error).to_contain_text(text("config_subentries.user.error.unknown_user"))
    await flow.fill(user_id=user["id"])
    await flow.submit()
    await expect(flow.end).to_be_visible()
    assert not await tab.raw_texts()
    await flow.finish()

    followed = page.users.filter(has_text=user["id"][:8])
    await expect(followed).to_contain_text(text("config_subentries.user.entry_type"))
    await expect(page.devices.filter(has_text=car["model"]).first).to_be_visible()
    assert not await tab.raw_texts()


async def test_diagnostics_hold_no_secret(installation: Installation, tab: Frontend) -> None:
    page = IntegrationPage(tab)
    await page.open()
    written = json.dumps(await page.download_diagnostics())
    assert '"charge_state"' in written
    info = await installation.simulator.info()
    secrets = (
        f'"{info["client_secret"]}"',
        installation.users[0]["id"],
        installation.car["id"],
        info["base_url"],
    )
    assert [secret for secret in secrets if secret in written] == []


@pytest.mark.parametrize("language", ["en"])
async def test_the_menu_of_reconfigure_keeps_what_is_left_empty(
    installation: Installation, tab: Frontend
) -> None:
    page, text, step = IntegrationPage(tab), tab.text, "config.step"
    options = f"{step}.reconfigure.menu_options"
    done = text("config.abort.reconfigure_successful")

    async def open_and_take(option: str, title: str) -> FlowDialog:
        await page.open()
        flow = await page.reconfigure()
        await flow.take(text(f"{options}.{option}"))
        await flow.shows(text(f"{step}.{title}.title"))
        assert not await tab.raw_texts()
        return flow

    flow = await open_and_take("credentials", "credentials")
    await flow.fill(client_secret="a guess")
    await flow.submit()
    await expect(flow.error).to_contain_text(text("config.error.invalid_auth"))
    await flow.fill(client_secret="")
    await flow.submit()
    await expect(flow.abort).to_contain_text(done)
    await flow.close()

    flow = await open_and_take("push", "webhook")
    await flow.submit()
    await expect(flow.progress).to_contain_text(text("config.progress.connect"))
    await expect(flow.abort).to_contain_text(done)
    await flow.close()

    flow = await open_and_take("environment", "environment")
    await flow.submit()
    await flow.shows(text(f"{step}.custom.title"))
    assert not await tab.raw_texts()
    await flow.submit()
    await expect(flow.abort).to_contain_text(done)
    assert not await tab.raw_texts()
    await flow.close()
