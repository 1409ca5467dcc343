"""The automation editor."""

import re

from playwright.async_api import Locator, expect

from .frontend import Frontend

_SAVED = re.compile(r"/config/automation/edit/\d+")
_WORDS = "panel.config.automation.editor"


class AutomationEditor:
    """The editor with a new automation in it."""

    def __init__(self, tab: Frontend) -> None:
        """Nothing is opened yet."""
        self._tab = tab
        self._editor = tab.page.locator("ha-automation-editor")
        self._picker = tab.page.locator("ha-picker-combo-box")
        self.choice = tab.page.locator("add-automation-element-dialog")
        """The dialog in which triggers, conditions and actions are found."""
        self.details = tab.page.locator("ha-automation-sidebar")
        """The panel with what was chosen last."""

    async def open(self) -> None:
        """Begin a new automation."""
        await self._tab.go("/config/automation/edit/new")

    async def search_triggers(self, words: str) -> Locator:
        """Look for triggers as a person does; returns what is found."""
        return await self._search("triggers", words)

    async def add_trigger(self, name: str, *, target: str, beside: str = "Jedlix") -> None:
        """Choose the trigger called `name`, and aim it at `target`.

        Beside a device's name stands its integration's, beside an entity's its device's.
        """
        await (await self.search_triggers(name)).filter(has_text=name).first.click()
        add_target = await self._tab.word("components.target-picker.add_target")
        await self._tab.button(add_target, self.details).click()
        await self._picker.locator("input").fill(target)
        found = self._picker.locator("ha-combo-box-item", has_text=beside)
        await found.filter(has_text=target).first.click()
        await expect(self.details.locator("ha-target-picker-item-row")).to_contain_text(target)

    async def add_event(self, event_type: str) -> None:
        """Add an action that fires an event."""
        name = await self._tab.word(f"{_WORDS}.actions.type.event.label")
        await (await self._search("actions", name)).filter(has_text=name).first.click()
        await self.details.get_by_role("textbox").first.fill(event_type)

    async def save(self, name: str) -> None:
        """Save the automation as `name`; it is in force then."""
        await self._tab.button(await self._tab.word("common.save"), self._editor).click()
        dialog = self._tab.page.locator("ha-dialog-automation-save")
        await dialog.get_by_role("textbox").first.fill(name)
        await dialog.locator("ha-dialog-footer ha-button[slot=primaryAction]").click()
        await self._tab.page.wait_for_url(_SAVED)
        await self._tab.knows_state_of(name)

    async def _search(self, what: str, words: str) -> Locator:
        await self._tab.button(await self._tab.word(f"{_WORDS}.{what}.add"), self._editor).click()
        await self.choice.locator("ha-input-search input").fill(words)
        found = self.choice.locator("ha-automation-add-search ha-combo-box-item")
        await found.first.wait_for()
        return found
