"""Set-up, from the log-in to the page of the first car."""

from collections.abc import AsyncIterator

from playwright.async_api import expect
import pytest
import pytest_asyncio

from harness.browser.frontend import Frontend
from harness.browser.pages import add_integration, open_device
from harness.flows import DOMAIN
from harness.home_api import PASSWORD, USERNAME
from harness.simulator import Simulator
from tests.e2e.browser.conftest import Installation

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.usefixtures("socket_enabled"),
]


@pytest_asyncio.fixture(loop_scope="session")
async def logged_out(installation: Installation, language: str) -> AsyncIterator[Frontend]:
    """Return a tab that is not logged in."""
    tab = await Frontend.open(installation.browser, installation.home.api, language=language)
    yield tab
    await tab.close()
    assert not tab.complaints


async def test_a_new_person_logs_in_adds_an_account_and_finds_the_car(
    installation: Installation, cloud: Simulator, logged_out: Frontend
) -> None:
    tab, text = logged_out, logged_out.text
    info, user = await cloud.info(), (await cloud.users())[0]
    car = user["vehicles"][0]

    await tab.log_in(USERNAME, PASSWORD)
    flow = await add_integration(tab, "Jedlix")

    await flow.take(text("config.step.user.menu_options.account"))
    await flow.shows(text("config.step.account.title"))
    assert not await tab.raw_texts()
    await flow.choose(text("selector.environment.options.custom"))
    await flow.fill(client_id="me", client_secret="a guess", api_key=info["api_key"])
    await flow.submit()
    await flow.shows(text("config.step.custom.title"))
    assert not await tab.raw_texts()
    await flow.fill(base_url=info["base_url"], token_url=info["token_url"])
    await flow.submit()
    await expect(flow.error).to_contain_text(text("config.error.invalid_auth"))

    await flow.fill(client_secret=info["client_secret"], api_key=info["api_key"])
    await flow.submit()
    await flow.shows(text("config.step.custom.title"))
    await flow.submit()

    await flow.shows(text("config.step.users.title"))
    assert not await tab.raw_texts()
    await flow.submit()
    await expect(flow.error).to_contain_text(text("config.error.no_users"))
    await flow.pick(text("config.step.users.data.users"), user["id"][:8])
    await expect(flow.form).to_contain_text(car["model"])
    await flow.submit()

    await flow.shows(text("config.step.webhook.title"))
    assert not await tab.raw_texts()
    await flow.choose(text("selector.callback.options.custom"))
    await flow.fill(callback_url="http://127.0.0.1:9")
    await flow.submit()
    await expect(flow.progress).to_contain_text(text("config.progress.connect"))
    await expect(flow.error).to_contain_text(text("config.error.not_reachable"))
    await flow.fill(callback_url=installation.home.base_url)
    await flow.submit()
    await expect(flow.progress).to_contain_text(text("config.progress.connect"))
    await expect(flow.end).to_be_visible()
    assert not await tab.raw_texts()
    await flow.finish()

    devices = await tab.ask("config/device_registry/list")
    (device,) = [
        device
        for device in devices
        if any(
            domain == DOMAIN and car["id"] in identifier
            for domain, identifier in device["identifiers"]
        )
    ]
    page = await open_device(tab, device["id"])
    await expect(page).to_contain_text(f"{car['brand']} {car['model']}")
    await expect(page).to_contain_text(text("entity.sensor.charge_state.state.disconnected"))
    await expect(page).to_contain_text(text("entity.sensor.session.state.none"))
    assert not await tab.raw_texts()
