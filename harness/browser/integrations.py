"""The settings pages about integrations: adding ours, its own page, the page of a device."""

import json
from typing import Any

from playwright.async_api import Locator

from ..flows import DOMAIN
from .dialogs import FlowDialog
from .frontend import Frontend

_WORDS = "panel.config.integrations"


async def add_integration(tab: Frontend, name: str) -> FlowDialog:
    """Press "Add integration", search for `name`, and return the dialog of its set-up."""
    await tab.walk("/config/integrations/dashboard")
    await tab.button(await tab.word(f"{_WORDS}.add_integration")).click()
    dialog = tab.page.locator("dialog-add-integration")
    brands = dialog.locator("ha-integration-list-item")
    await brands.first.wait_for()
    await dialog.locator("ha-input-search input").fill(name)
    await brands.filter(has_text=name).first.click()
    return FlowDialog(tab)


class IntegrationPage:
    """The page of our integration, with one account in it."""

    def __init__(self, tab: Frontend) -> None:
        """Use `IntegrationPage.open`."""
        self._tab = tab
        self.account = tab.page.locator("ha-config-entry-row").first
        self.users = tab.page.locator("ha-config-sub-entry-row")
        self.devices = tab.page.locator("ha-config-entry-device-row")

    async def open(self) -> None:
        """Load the page."""
        await self._tab.go(f"/config/integrations/integration/{DOMAIN}")
        await self.account.wait_for()

    async def configure(self) -> FlowDialog:
        """Open the options."""
        name = await self._tab.word(f"{_WORDS}.config_entry.configure")
        await self._tab.button(name, self.account).click()
        return FlowDialog(self._tab)

    async def add_user(self) -> FlowDialog:
        """Begin to follow one more user."""
        name = self._tab.text("config_subentries.user.initiate_flow.user")
        await self._tab.button(name).first.click()
        return FlowDialog(self._tab)

    async def download_diagnostics(self) -> dict[str, Any]:
        """Download the diagnostics of the account, and read them."""
        menu = await self._tab.word("common.menu")
        await self._tab.button(menu, self.account).first.click()
        item = await self._tab.word(f"{_WORDS}.config_entry.download_diagnostics")
        async with self._tab.page.expect_download() as download:
            await self.account.get_by_role("menuitem", name=item).click()
        path = await (await download.value).path()
        diagnostics: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return diagnostics


async def open_device(tab: Frontend, device_id: str) -> Locator:
    """Load the page of a device; returns what is in it."""
    await tab.go(f"/config/devices/device/{device_id}")
    page = tab.page.locator("ha-config-device-page")
    await page.locator("ha-device-entities-card").first.wait_for()
    return page
