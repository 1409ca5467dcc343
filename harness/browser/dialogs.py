"""Dialog of a flow: set-up, options, a subentry, a repair."""

from playwright.async_api import Locator, Page, TimeoutError as PlaywrightTimeout, expect

from .frontend import Frontend

_DIALOG = "dialog-data-entry-flow"


class FlowDialog:
    """A flow as a person sees it, from its first form to its end."""

    def __init__(self, tab: Frontend) -> None:
        """Use the dialog that is open in this tab, or opens soon."""
        self._tab = tab
        self._dialog = tab.page.locator(_DIALOG)
        self.form = self._dialog.locator("step-flow-form")
        self.error = self.form.locator("ha-alert")
        """An error, above the form or above a field."""
        self.progress = self._dialog.locator("step-flow-progress")
        self.end = self._dialog.locator("step-flow-create-entry")
        """The last page, which reports success."""
        self.abort = self._dialog.locator("step-flow-abort")
        """The last page of a dialog that made nothing new, with its reason."""

    async def shows(self, title: str) -> None:
        """Wait until the step called `title` is shown."""
        await expect(self._dialog.get_by_text(title, exact=True).first).to_be_visible()
        await self.form.wait_for()

    async def fill(self, **fields: str) -> None:
        """Type into text fields, by their keys."""
        for name, value in fields.items():
            await self.form.locator(f"input[name={name}]").fill(value)

    async def choose(self, option: str) -> None:
        """Choose one of several visible options."""
        await self.form.get_by_role("radio", name=option, exact=True).click()

    async def take(self, option: str) -> None:
        """Take an option of the menu that is shown."""
        await self._dialog.locator("step-flow-menu").get_by_text(option, exact=True).click()

    async def pick(self, label: str, value: str) -> None:
        """Add `value` to the field `label`, in which several can be chosen."""
        field = self.form.locator("ha-selector-select", has_text=label)
        opener = field.locator("ha-button[appearance=filled]").first
        chip = field.locator("ha-input-chip", has_text=value)
        for _ in range(4):  # sometimes the form takes the focus back, and the choice is lost
            try:
                found = await self._tab.search_picker(opener, value)
                await found.filter(has_text=value).first.click(timeout=5000)
                await chip.wait_for(timeout=2000)
            except PlaywrightTimeout:
                continue
            return
        raise AssertionError(f"{value} cannot be picked in {label}")

    async def expand(self, section: str) -> None:
        """Open a section of the form that is collapsed."""
        await self.form.locator("ha-expansion-panel").get_by_text(section, exact=True).click()

    def switch(self, label: str) -> Locator:
        """Return the switch called `label`."""
        return self.form.locator("ha-selector-boolean", has_text=label).locator("ha-switch")

    async def open_page(self) -> Page:
        """Open the page to which the progress links; returns its tab."""
        async with self._tab.page.context.expect_page() as opened:
            await self.progress.get_by_role("link").click()
        page = await opened.value
        await page.wait_for_load_state()
        return page

    async def close(self) -> None:
        """Close the dialog with its cross, and wait until other pages can be opened again."""
        name = await self._tab.core_text("common.close")
        await self._tab.button(name, self._dialog).first.click()
        await self._tab.dialog_is_gone(_DIALOG)

    async def submit(self) -> None:
        """Press the main button, whatever its name is on this page."""
        await self._dialog.locator("ha-dialog-footer ha-button[slot=primaryAction]").click()

    async def finish(self) -> None:
        """Leave the last page, and wait until other pages can be opened again."""
        await self.submit()
        await self.end.wait_for(state="detached")
        await self._tab.dialog_is_gone(_DIALOG)
