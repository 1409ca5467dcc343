"""One Home Assistant, one simulator and one Chromium for all browser tests."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
import os
from pathlib import Path
from typing import Any

from playwright.async_api import Browser
import pytest
import pytest_asyncio
import pytest_socket

from harness.browser.chromium import NO_CHROMIUM, chromium, find_chromium
from harness.browser.frontend import Frontend, tokens
from harness.config_entries import add_jedlix, entries, remove, set_options
from harness.config_folder import add_component, set_up
from harness.home import Home
from harness.paths import IMMEDIATE_REPAIRS
from harness.simulator import Simulator

USERS = 3
"""One who is followed, and one for each language to add."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What is running. Home Assistant follows the first user of the simulator, but not the others."""

    home: Home
    simulator: Simulator
    browser: Browser
    entry_id: str
    users: list[dict[str, Any]]

    @property
    def car(self) -> dict[str, Any]:
        """The followed user's car, as it was at the beginning."""
        car: dict[str, Any] = self.users[0]["vehicles"][0]
        return car


@pytest.fixture(scope="package")
def chromium_path() -> str:
    path = find_chromium()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail(NO_CHROMIUM)
        pytest.skip(NO_CHROMIUM)
    return path


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def installation(
    chromium_path: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    pytest_socket.enable_socket()  # the plugin disables them for each test, and this begins before
    folder = tmp_path_factory.mktemp("browser")
    home = Home(folder / "config")
    add_component(home.folder, IMMEDIATE_REPAIRS)
    set_up(home.folder, "energy")
    async with (
        home,
        Simulator.ours(folder, "--users", str(USERS)) as simulator,
        chromium(chromium_path) as browser,
    ):
        users = await simulator.users()
        entry_id = await add_jedlix(home.api, await simulator.info(), [users[0]["id"]])
        await set_options(home.api, entry_id, event_types=await simulator.event_types())
        yield Installation(
            home=home, simulator=simulator, browser=browser, entry_id=entry_id, users=users
        )


@pytest.fixture(params=["en", "de"])
def language(request: pytest.FixtureRequest) -> str:
    language: str = request.param
    return language


@pytest_asyncio.fixture(loop_scope="session")
async def tab(installation: Installation, language: str) -> AsyncIterator[Frontend]:
    """Return a tab that is logged in; its console must stay free of errors."""
    storage = await tokens(installation.home.api)
    tab = await Frontend.open(
        installation.browser, installation.home.api, language=language, storage=storage
    )
    yield tab
    await tab.close()
    assert not tab.complaints


@pytest_asyncio.fixture(loop_scope="session")
async def cloud(installation: Installation, tmp_path: Path) -> AsyncIterator[Simulator]:
    """Return a simulator without an entry in Home Assistant; its entry is removed afterwards."""
    async with Simulator.ours(tmp_path, "--users", "2", "--seed", "2") as simulator:
        yield simulator
        for entry in await entries(installation.home.api):
            if entry["entry_id"] != installation.entry_id:
                await remove(installation.home.api, entry["entry_id"])
