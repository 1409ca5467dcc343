"""The automation editor: it offers our triggers by name, and a new automation runs."""

import asyncio
import re

from playwright.async_api import expect
import pytest

from harness.browser.chromium import PATIENCE
from harness.browser.frontend import Frontend
from harness.browser.pages import AutomationEditor
from tests.e2e.browser.conftest import Installation

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.usefixtures("socket_enabled"),
]


async def test_a_trigger_chosen_by_its_name_fires_when_the_car_is_plugged_in(
    installation: Installation, tab: Frontend
) -> None:
    car, event_type = installation.car, f"Fired in {tab.language}"
    editor = AutomationEditor(tab)
    await editor.open()
    await editor.add_trigger(
        tab.text("triggers.session_started.name"), target=f"{car['brand']} {car['model']}"
    )
    await expect(editor.details).to_contain_text(tab.text("triggers.session_started.description"))
    late = tab.text("triggers.session_started.fields.include_late.name")
    await expect(editor.details).to_contain_text(late)
    assert not await tab.raw_texts()
    await editor.add_event(event_type)
    await editor.save(event_type)

    async with await installation.home.api.websocket() as socket:
        events = await socket.subscribe_events(event_type)
        await installation.simulator.plug(car["id"])
        try:
            async with asyncio.timeout(PATIENCE):
                received = await anext(aiter(events))
        finally:
            await installation.simulator.unplug(car["id"])
    assert received.event_type == event_type


async def test_the_brand_finds_our_triggers(installation: Installation, tab: Frontend) -> None:
    editor = AutomationEditor(tab)
    await editor.open()
    found = await editor.search_triggers("Jedlix")
    await expect(found.filter(has_text=tab.text("triggers.webhook_received.name"))).to_be_visible()
    await editor.choice.get_by_text(re.compile(r"^\d+ ")).first.click()  # "3 more triggers"
    for trigger in ("plugged_in", "charging_started", "session_started", "session_ended"):
        await expect(
            found.filter(has_text=tab.text(f"triggers.{trigger}.description"))
        ).to_be_visible()
    assert not await tab.raw_texts()
