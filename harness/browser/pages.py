"""Pages that a person uses: integrations, devices, repairs, automations, and the simulator's."""

import json
import re
from typing import Any

from playwright.async_api import Locator, Page, expect

from ..flows import DOMAIN
from .dialogs import FlowDialog
from .frontend import Frontend

_SUMS_OF_BARS = """chart => Object.fromEntries(
  chart.data.filter(series => series.name).map(series => [
    series.name, series.data.reduce((sum, bar) => sum + (bar.value ?? bar)[1], 0),
  ])
)"""
_SAVED = re.compile(r"/config/automation/edit/\d+")
_AUTOMATION_TEXTS = "panel.config.automation.editor"
_INTEGRATION_TEXTS = "panel.config.integrations"


async def add_integration(tab: Frontend, name: str) -> FlowDialog:
    """Press "Add integration", search for `name`, and return the dialog of its set-up."""
    await tab.navigate("/config/integrations/dashboard")
    await tab.button(await tab.core_text(f"{_INTEGRATION_TEXTS}.add_integration")).click()
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
        name = await self._tab.core_text(f"{_INTEGRATION_TEXTS}.config_entry.configure")
        await self._tab.button(name, self.account).click()
        return FlowDialog(self._tab)

    async def add_user(self) -> FlowDialog:
        """Begin to follow one more user."""
        name = self._tab.text("config_subentries.user.initiate_flow.user")
        await self._tab.button(name).first.click()
        return FlowDialog(self._tab)

    async def link_car(self, user: str) -> FlowDialog:
        """Press the gear of the user whose row contains this text."""
        name = self._tab.text("config_subentries.user.initiate_flow.reconfigure")
        await self._tab.button(name, self.users.filter(has_text=user)).click()
        return FlowDialog(self._tab)

    async def reconfigure(self) -> FlowDialog:
        """Open "Reconfigure" of the account."""
        menu = await self._tab.core_text("common.menu")
        await self._tab.button(menu, self.account).first.click()
        name = await self._tab.core_text(f"{_INTEGRATION_TEXTS}.config_entry.reconfigure")
        await self.account.get_by_role("menuitem", name=name).click()
        return FlowDialog(self._tab)

    async def download_diagnostics(self) -> dict[str, Any]:
        """Download the diagnostics of the account, and read them."""
        menu = await self._tab.core_text("common.menu")
        await self._tab.button(menu, self.account).first.click()
        item = await self._tab.core_text(f"{_INTEGRATION_TEXTS}.config_entry.download_diagnostics")
        async with self._tab.page.expect_download() as download:
            await self.account.get_by_role("menuitem", name=item).click()
        path = await (await download.value).path()
        diagnostics: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return diagnostics


async def open_device(tab: Frontend, device_id: str) -> Locator:
    """Load the page of a device; returns its content."""
    await tab.go(f"/config/devices/device/{device_id}")
    page = tab.page.locator("ha-config-device-page")
    await page.locator("ha-device-entities-card").first.wait_for()
    return page


class RepairsPage:
    """The page of the repairs."""

    def __init__(self, tab: Frontend) -> None:
        """Open nothing yet."""
        self._tab = tab
        self._list = tab.page.locator("ha-config-repairs")

    async def open(self) -> None:
        """Load the page."""
        await self._tab.go("/config/repairs")

    def repair(self, title: str) -> Locator:
        """Return the repair called `title`."""
        return self._list.get_by_text(title, exact=True)

    async def begin(self, title: str) -> FlowDialog:
        """Open the repair called `title`."""
        await self.repair(title).click()
        return FlowDialog(self._tab)


class AutomationEditor:
    """The editor with a new automation in it."""

    def __init__(self, tab: Frontend) -> None:
        """Open nothing yet."""
        self._tab = tab
        self._editor = tab.page.locator("ha-automation-editor")
        self.choice = tab.page.locator("add-automation-element-dialog")
        """The dialog in which triggers, conditions and actions are found."""
        self.details = tab.page.locator("ha-automation-sidebar")
        """The panel with what was chosen last."""

    async def open(self) -> None:
        """Begin a new automation."""
        await self._tab.go("/config/automation/edit/new")

    async def search_triggers(self, text: str) -> Locator:
        """Search for triggers as a person does; returns the list of what is found."""
        return await self._search("triggers", text)

    async def add_trigger(self, name: str, *, target: str, beside: str = "Jedlix") -> None:
        """Choose the trigger called `name`, and `target` as its target.

        `beside` is the name that the list shows beside the target: a device's integration, an entity's
        device.
        """
        await (await self.search_triggers(name)).filter(has_text=name).first.click()
        add_target = await self._tab.core_text("components.target-picker.add_target")
        found = await self._tab.search_picker(self._tab.button(add_target, self.details), target)
        await found.filter(has_text=beside).filter(has_text=target).first.click()
        await expect(self.details.locator("ha-target-picker-item-row")).to_contain_text(target)

    async def add_event(self, event_type: str) -> None:
        """Add an action that fires an event."""
        name = await self._tab.core_text(f"{_AUTOMATION_TEXTS}.actions.type.event.label")
        await (await self._search("actions", name)).filter(has_text=name).first.click()
        await self.details.get_by_role("textbox").first.fill(event_type)

    async def save(self, name: str) -> None:
        """Save the automation as `name` and wait until it is active."""
        await self._tab.button(await self._tab.core_text("common.save"), self._editor).click()
        dialog = self._tab.page.locator("ha-dialog-automation-save")
        await dialog.get_by_role("textbox").first.fill(name)
        await dialog.locator("ha-dialog-footer ha-button[slot=primaryAction]").click()
        await self._tab.page.wait_for_url(_SAVED)
        await self._tab.until_entity(name)

    async def _search(self, kind: str, text: str) -> Locator:
        await self._tab.button(
            await self._tab.core_text(f"{_AUTOMATION_TEXTS}.{kind}.add"), self._editor
        ).click()
        await self.choice.locator("ha-input-search input").fill(text)
        found = self.choice.locator("ha-automation-add-search ha-combo-box-item")
        await found.first.wait_for()
        return found


class EnergyPages:
    """The settings of the Energy dashboard, and its page on electricity."""

    def __init__(self, tab: Frontend) -> None:
        """Open nothing yet."""
        self._tab = tab
        self.dialog = tab.page.locator("dialog-energy-device-settings")
        """The dialog in which an individual device is added."""
        self.found: Locator
        """The statistics that the dialog's search finds."""

    async def add_device(self, search: str) -> None:
        """Begin to add an individual device: open the list of statistics and search in it."""
        await self._tab.go("/config/energy")
        await self._tab.page.locator("ha-energy-device-settings ha-button").last.click()
        opener = self.dialog.locator("ha-statistic-picker ha-picker-field").first
        self.found = await self._tab.search_picker(opener, search)
        await self.found.first.wait_for()

    async def choose(self, name: str) -> None:
        """Choose the statistic called `name`, and save the device."""
        await self.found.filter(has_text=name).first.click()
        await self.dialog.locator("ha-dialog-footer ha-button[slot=primaryAction]").click()
        await expect(self.dialog.locator("ha-statistic-picker")).to_have_count(0)

    async def show_yesterday(self) -> Locator:
        """Load the dashboard and go one day back; returns the card with the bars of the devices."""
        await self._tab.go("/energy/electricity")
        card = self._tab.page.locator("hui-energy-devices-detail-graph-card")
        await card.locator("canvas").wait_for()
        back = await self._tab.core_text(
            "panel.lovelace.components.energy_period_selector.previous"
        )
        await self._tab.button(back).first.click()
        return card

    async def bars(self, card: Locator) -> dict[str, float]:
        """Return the sum of the bars in kWh, by the name of the device."""
        sums: dict[str, float] = await card.locator("ha-chart-base").evaluate(_SUMS_OF_BARS)
        return sums


class SimulatorPage:
    """Cars to plug in and out, what happened to them, and what was delivered."""

    def __init__(self, page: Page, url: str) -> None:
        """Open nothing yet."""
        self._page = page
        self._url = url
        self.deliveries = page.locator("#deliveries tr")
        """The newest comes first."""
        self.changes = page.locator("#changes tr")
        """The newest comes first."""

    async def open(self) -> None:
        """Load the page."""
        await self._page.goto(self._url)
        await expect(self._page.get_by_role("article").first).to_be_visible()

    def car(self, vehicle_id: str) -> Locator:
        """Return the card of a car."""
        return self._page.locator(f"article[data-vehicle='{vehicle_id}']")
