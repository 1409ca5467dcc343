"""The simulator's page."""

from playwright.async_api import Locator, Page, expect


class SimulatorPage:
    """Cars to plug in and out, what happened to them, and what was delivered."""

    def __init__(self, page: Page, url: str) -> None:
        """Nothing is opened yet."""
        self._page = page
        self._url = url
        self.deliveries = page.locator("#deliveries tr")
        """The newest comes first."""
        self.happened = page.locator("#changes tr")
        """The newest comes first."""

    async def open(self) -> None:
        """Load the page."""
        await self._page.goto(self._url)
        await expect(self._page.get_by_role("article").first).to_be_visible()

    def car(self, vehicle_id: str) -> Locator:
        """Return the card of a car."""
        return self._page.locator(f"article[data-vehicle='{vehicle_id}']")
