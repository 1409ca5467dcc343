"""One Home Assistant, one simulator and one Chromium for all that is tried in a browser."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
import os
from pathlib import Path
from typing import Any

from playwright.async_api import Browser
import pytest
import pytest_asyncio
import pytest_socket

from harness.browser.chromium import chromium, find_chromium
from harness.browser.frontend import Frontend, tokens
from harness.config_folder import add_component
from harness.flows import DOMAIN, add_jedlix, set_options
from harness.home import Home
from harness.paths import IMPATIENT
from harness.simulator import Simulator

USERS = 3
"""One who is followed, and one for each language to add."""

_ENTRIES = "config/config_entries/entry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What runs. Home Assistant follows the first user of the simulator; the others are free."""

    home: Home
    simulator: Simulator
    browser: Browser
    entry_id: str
    users: list[dict[str, Any]]

    @property
    def car(self) -> dict[str, Any]:
        """The followed user's car, as it was in the beginning."""
        car: dict[str, Any] = self.users[0]["vehicles"][0]
        return car


@pytest.fixture(scope="package")
def chromium_path() -> str:
    path = find_chromium()
    if path is None:
        reason = "there is no Chromium; on Debian: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def stage(
    chromium_path: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stage]:
    pytest_socket.enable_socket()  # the plugin shuts them for each test, and this begins before
    folder = tmp_path_factory.mktemp("browser")
    home = Home(folder / "config")
    add_component(home.folder, IMPATIENT)
    async with (
        home,
        Simulator.ours(folder, "--users", str(USERS)) as simulator,
        chromium(chromium_path) as browser,
    ):
        info, users = await simulator.info(), (await simulator.truth())["users"]
        entry_id = await add_jedlix(home.api, info, [users[0]["id"]])
        event_types = [*info["documented_event_types"], *info["own_event_types"]]
        await set_options(home.api, entry_id, event_types=event_types)
        yield Stage(home=home, simulator=simulator, browser=browser, entry_id=entry_id, users=users)


@pytest.fixture(params=["en", "de"])
def language(request: pytest.FixtureRequest) -> str:
    language: str = request.param
    return language


@pytest_asyncio.fixture(loop_scope="session")
async def tab(stage: Stage, language: str) -> AsyncIterator[Frontend]:
    """Return a tab of somebody who is logged in; its console must stay free of errors."""
    storage = await tokens(stage.home.api)
    tab = await Frontend.open(stage.browser, stage.home.api, language=language, storage=storage)
    yield tab
    await tab.close()
    assert not tab.complaints


@pytest_asyncio.fixture(loop_scope="session")
async def cloud(stage: Stage, tmp_path: Path) -> AsyncIterator[Simulator]:
    """Return a simulator that Home Assistant does not know yet, and forgets again."""
    async with Simulator.ours(tmp_path, "--users", "2", "--seed", "2") as simulator:
        yield simulator
        for entry in await stage.home.api.rest("GET", f"{_ENTRIES}?domain={DOMAIN}"):
            if entry["entry_id"] != stage.entry_id:
                await stage.home.api.rest("DELETE", f"{_ENTRIES}/{entry['entry_id']}")
