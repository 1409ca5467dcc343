"""The page with the repairs."""

from playwright.async_api import Locator

from .dialogs import FlowDialog
from .frontend import Frontend


class RepairsPage:
    """What Home Assistant asks a person to repair."""

    def __init__(self, tab: Frontend) -> None:
        """Nothing is opened yet."""
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
