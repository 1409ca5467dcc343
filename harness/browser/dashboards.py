"""Dashboards: adding ours as a person does, and the picker and the form of its cards."""

from collections.abc import Awaitable, Callable

from playwright.async_api import Locator, expect

from .frontend import Frontend

NAME = "Jedlix Smart Charging"
CAR_CARD = "jedlix-car-card"
_TEXTS = "panel.config.lovelace.dashboards"


async def add_dashboard(tab: Frontend, before_choice: Callable[[], Awaitable[None]]) -> None:
    """Add our dashboard in three clicks and open it; `before_choice` runs while it is offered."""
    await tab.go("/config/lovelace/dashboards")
    name = await tab.core_text(f"{_TEXTS}.picker.add_dashboard")
    await tab.button(name).click()
    offered = tab.page.locator("ha-dialog-new-dashboard dashboard-card", has_text=NAME)
    await offered.wait_for()
    await before_choice()
    await offered.click()
    dialog = tab.page.locator("dialog-lovelace-dashboard-detail")
    await tab.button(await tab.core_text(f"{_TEXTS}.detail.create"), dialog).click()
    await tab.dialog_is_gone("dialog-lovelace-dashboard-detail")
    link = tab.page.locator("ha-list-item-button[id^=sidebar-panel-dashboard-jedlix]").last
    place = await link.get_attribute("id") or ""  # an earlier dashboard may be there
    await tab.navigate(f"/{place.removeprefix('sidebar-panel-')}")
    await car_card(tab).wait_for()


def car_card(tab: Frontend, name: str = "") -> Locator:
    """Return the first card of a car, or the one of the car with this name, once it shows one."""
    cards = tab.page.locator(f"{CAR_CARD} ha-card.car")
    return cards.filter(has=tab.page.locator("h2", has_text=name)).first


async def open_picker(tab: Frontend) -> Locator:
    """Edit the dashboard that is open, and return the dialog in which a card is chosen."""
    edit = await tab.core_text("panel.lovelace.menu.configure_ui")
    await tab.button(edit, tab.page.locator("hui-root")).click()
    await tab.page.locator("hui-grid-section .add").last.click()
    return tab.page.locator("hui-dialog-create-card")


async def choose_entity(dialog: Locator, name: str, device: str) -> Locator:
    """Choose an entity of a device in the picker, and return the cards that are suggested for it."""
    await dialog.locator("ha-input-search input").first.fill(name)
    await dialog.locator("ha-combo-box-item", has_text=device).filter(has_text=name).first.click()
    return dialog.locator("hui-suggestion-card")


async def choose_card(tab: Frontend, dialog: Locator, name: str) -> Locator:
    """Choose the card called `name` in the picker, which shows it, and return its form."""
    await dialog.locator("ha-tab-group-tab").last.click()  # by card, not by entity
    picker = dialog.locator("hui-card-picker")
    await picker.locator("ha-input-search input").fill(name)
    preview = picker.locator(".card", has_text=name).first
    await expect(preview.locator(f"{CAR_CARD} h2")).not_to_be_empty()
    await preview.locator(".overlay").click()
    form = tab.page.locator("hui-dialog-edit-card hui-form-editor")
    await form.wait_for()
    return form
