"""Album: the pictures of adding an account, of an evening of its car, and of a repair."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, ViewportSize, expect

from ..browser.dashboards import add_dashboard, car_card
from ..browser.frontend import VIEWPORT, Frontend, tokens
from ..browser.pages import (
    AutomationEditor,
    EnergyPages,
    RepairsPage,
    SimulatorPage,
    add_integration,
    open_device,
)
from ..browser.picture import picture
from ..config_entries import add_jedlix, set_options, until_subscribed
from ..demo.dashboard import URL_PATH, make_dashboard
from ..entities import find, our_devices, our_entities
from ..home import Home
from ..simulator import Simulator
from ..websocket import WebSocket

SHOWN_ADDRESS = "https://home.example.org"
"""The external address in the pictures of the set-up."""
ARRIVES_AT, ARRIVES_WITH = 18, 12
"""O'clock and percent: expensive hours, and a battery below its minimum level."""
CHARGES_FIRST_AT, CHARGED_FIRST_TO = 13, 18
"""O'clock and percent of an earlier session: cheap hours, and where the car drives off again."""
CHARGED_TO = 50
"""Percent, in the cheap hours: the car still charges."""
EVENING = 600
"""Simulated seconds per second."""
GRAPH_HOURS = 0.03
PATIENCE = 120.0
REFRESH_TIME = 2.0
"""Seconds in which Home Assistant refreshes the car."""
WIDE: ViewportSize = {"width": 1500, "height": 980}
PHONE: ViewportSize = {"width": 390, "height": 844}


class Album:
    """All pictures of one run."""

    def __init__(self, home: Home, simulator: Simulator, browser: Browser, folder: Path) -> None:
        """Take no picture yet."""
        self._home = home
        self._simulator = simulator
        self._browser = browser
        self._folder = folder

    async def fill(self) -> None:
        """Take one picture after the other."""
        storage = await tokens(self._home.api) | {"dockedSidebar": '"always_hidden"'}
        async with await self._home.api.websocket() as socket:
            tab = await Frontend.open(self._browser, self._home.api, storage=storage, sharp=True)
            await self._set_up(tab, socket)
            car = await self._evening(socket)
            await self._automation(tab, car)
            await self._calendar(tab)
            await self._energy(tab, car)
            await self._car(tab, socket, car)
            await self._repair(tab, socket)
            await tab.close()
        await self._simulators_page(car)

    def _path(self, name: str, *, dark: bool = False) -> Path:
        return self._folder / f"{name}{'-dark' if dark else ''}.png"

    # The evening

    async def _evening(self, socket: WebSocket) -> dict[str, Any]:
        """Add the account, and let its car charge until the cheap hours; returns the car.

        The car arrives twice, so that the logbook has entries before the arrival in the pictures.
        """
        await socket.call("config/core/update", external_url=self._home.base_url)
        info, users = await self._simulator.info(), await self._simulator.users()
        entry_id = await add_jedlix(
            self._home.api, info, [user["id"] for user in users], callback="external"
        )
        event_types = await self._simulator.event_types()
        await socket.call("config_entries/update", entry_id=entry_id, title="Jedlix")
        await set_options(self._home.api, entry_id, event_types=event_types)
        await until_subscribed(self._home.api, self._simulator, event_types)
        await self._until(lambda: self._push_is("waiting", socket))
        car: dict[str, Any] = users[0]["vehicles"][0]
        await self._simulator.telemetry(car["id"], battery_level=ARRIVES_WITH)
        await self._simulator.clock(hour=CHARGES_FIRST_AT, speed=1)
        await self._simulator.plug(car["id"])
        await self._simulator.clock(speed=EVENING)
        await self._until(lambda: self._has_reached(CHARGED_FIRST_TO))
        await self._simulator.clock(hour=ARRIVES_AT, speed=1)
        await self._simulator.unplug(car["id"])
        await asyncio.sleep(REFRESH_TIME)
        await self._simulator.telemetry(car["id"], battery_level=ARRIVES_WITH)
        await self._simulator.plug(car["id"])
        await asyncio.sleep(REFRESH_TIME)
        await self._simulator.clock(speed=EVENING)
        await self._until(lambda: self._has_reached(CHARGED_TO))
        await self._simulator.clock(speed=1)
        return car

    async def _push_is(self, wanted: str, socket: WebSocket) -> bool:
        sensor = find(await our_entities(socket), "sensor", "push_state")
        states = await self._home.api.states()
        return sensor is not None and states[sensor.entity_id]["state"] == wanted

    async def _has_reached(self, level: int) -> bool:
        users = await self._simulator.users()
        return bool(users[0]["vehicles"][0]["battery_level"] >= level)

    async def _until(self, reached: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not await reached():  # noqa: ASYNC110  other processes have no event
                await asyncio.sleep(0.5)

    # The pictures

    async def _set_up(self, tab: Frontend, socket: WebSocket) -> None:
        await socket.call("config/core/update", external_url=SHOWN_ADDRESS)
        info, users = await self._simulator.info(), await self._simulator.users()
        text = tab.text
        dialog = tab.page.get_by_role("dialog")
        await tab.go("/config/integrations/dashboard")
        flow = await add_integration(tab, "Jedlix")
        await flow.take(text("config.step.user.menu_options.account"))
        await flow.shows(text("config.step.account.title"))
        await flow.fill(client_id="my-client")
        await picture(tab.page, self._path("set-up-account"), dialog)
        await flow.choose(text("selector.environment.options.custom"))
        await flow.fill(client_secret=info["client_secret"], api_key=info["api_key"])
        await flow.submit()
        await flow.shows(text("config.step.custom.title"))
        await flow.fill(base_url=info["base_url"], token_url=info["token_url"])
        await flow.submit()
        await flow.shows(text("config.step.users.title"))
        for user in users:
            await flow.pick(text("config.step.users.data.users"), user["id"][:8])
        await picture(tab.page, self._path("set-up-users"), dialog)
        await flow.submit()
        await flow.shows(text("config.step.webhook.title"))
        await picture(tab.page, self._path("set-up-push"), dialog)

    async def _automation(self, tab: Frontend, car: dict[str, Any]) -> None:
        editor = AutomationEditor(tab)
        await editor.open()
        await editor.add_trigger(
            tab.text("triggers.session_started.name"),
            target=tab.text("entity.event.session.name"),
            beside=f"{car['brand']} {car['model']}",
        )
        await picture(tab.page, self._path("automation"))

    async def _calendar(self, tab: Frontend) -> None:
        await tab.go("/calendar")
        await expect(tab.page.locator("ha-full-calendar")).to_contain_text("kWh")
        await picture(tab.page, self._path("calendar"))

    async def _energy(self, tab: Frontend, car: dict[str, Any]) -> None:
        """Show how a statistic is chosen for the Energy dashboard, and the bars of a day."""
        pages = EnergyPages(tab)
        await pages.add_device("Jedlix")
        await picture(tab.page, self._path("energy-device"), tab.page.get_by_role("dialog").first)
        await pages.choose(f"{car['brand']} {car['model']} charging history energy")
        await picture(tab.page, self._path("energy"), await pages.show_yesterday())

    async def _car(self, tab: Frontend, socket: WebSocket, car: dict[str, Any]) -> None:
        """Show the page of the car, and the three clicks to the dashboard with what they make."""
        device = next(it for it in await our_devices(socket) if it.is_for(car["id"]))

        async def offered() -> None:
            await picture(tab.page, self._path("dashboard-add"))

        await add_dashboard(tab, offered)
        # The evening took a minute only.
        await make_dashboard(socket, hours=GRAPH_HOURS)
        for dark in (False, True):
            await tab.page.emulate_media(color_scheme="dark" if dark else "light")
            page = await open_device(tab, device.device_id)
            await expect(page).to_contain_text(tab.text("entity.sensor.session.state.smart"))
            await picture(tab.page, self._path("device", dark=dark))
            for name, viewport in (("dashboard", WIDE), ("dashboard-phone", PHONE)):
                await tab.page.set_viewport_size(viewport)
                await tab.go(f"/{URL_PATH}")
                await car_card(tab).wait_for()
                await tab.page.locator("jedlix-sessions-card li").first.wait_for()
                await picture(tab.page, self._path(name, dark=dark))
            await tab.page.set_viewport_size(VIEWPORT)
        await tab.page.emulate_media(color_scheme="light")

    async def _repair(self, tab: Frontend, socket: WebSocket) -> None:
        await socket.call("config/core/update", external_url=None)
        issue = "issues.no_public_url"
        repairs = RepairsPage(tab)
        await repairs.open()
        flow = await repairs.begin(tab.text(f"{issue}.title"))
        await flow.shows(tab.text(f"{issue}.fix_flow.step.callback.title"))
        await picture(tab.page, self._path("repair"))

    async def _simulators_page(self, car: dict[str, Any]) -> None:
        for dark in (False, True):
            page = await self._browser.new_page(
                viewport=VIEWPORT,
                color_scheme="dark" if dark else "light",
                locale="en-GB",
                timezone_id="Europe/Amsterdam",
                device_scale_factor=2,
            )
            simulator = SimulatorPage(page, self._simulator.url)
            await simulator.open()
            await expect(simulator.car(car["id"])).to_contain_text("smart")
            await picture(page, self._path("simulator", dark=dark))
            await page.close()
