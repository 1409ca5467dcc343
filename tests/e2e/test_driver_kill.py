"""A driver in a real Home Assistant: a kill right after the tokens were renewed, and no secret in the log."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from harness.config_entries import until_loaded
from harness.flows import CONFIG, DOMAIN, Flow
from harness.home import Home
from simulator.app import Simulator
from simulator.settings import Settings
from tests.drivers import answers, choose

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300), pytest.mark.usefixtures("socket_enabled")]


async def log_in(home: Home, sim: Simulator) -> None:
    """Add the log-in of the simulator's driver, as a browser would."""
    flow = await Flow.begin(home.api, CONFIG, DOMAIN)
    await flow.choose("user", "driver")
    await flow.submit("driver", answers(sim.url))
    back = await choose(flow.answer["url"], user=sim.user_ids[0])
    callback = f"{home.base_url}/auth/external/callback"
    async with aiohttp.ClientSession() as browser, browser.get(callback, params=back.query) as page:
        page.raise_for_status()
    flow = await Flow.resume(home.api, CONFIG, flow.answer["flow_id"])
    flow.result()
    entries = home.folder / ".storage/core.config_entries"
    while not entries.exists() or DOMAIN not in entries.read_text():  # noqa: ASYNC110  Home Assistant writes it a second later
        await asyncio.sleep(0.1)


def renewals(sim: Simulator) -> int:
    """Return how often tokens were asked for."""
    return sum(request.path == "/provider/token" for request in sim.requests)


async def until_renewed(home: Home, sim: Simulator) -> None:
    """End the access token, ask for news, and return as soon as Jedlix is called with the next one."""
    await until_loaded(home.api)
    count, known = renewals(sim), len(sim.requests)
    sim.strike({"token_expiry": True})
    asking = asyncio.create_task(home.api.call_action(DOMAIN, "catch_up"))

    def is_called() -> bool:
        new = list(sim.requests)[known:]
        return any(it.status == 200 and it.path.endswith("/vehicles") for it in new)

    async with asyncio.timeout(30):
        while not is_called():  # noqa: ASYNC110  the other process has no event
            await asyncio.sleep(0)
    asking.cancel()
    assert renewals(sim) == count + 1


async def test_a_kill_right_after_a_renewal_costs_no_log_in(tmp_path: Path) -> None:
    sim = Simulator(Settings(history_days=0))
    await sim.start()
    levels = dict.fromkeys(("custom_components.jedlix", "homeassistant.config_entries"), "debug")
    try:
        async with Home(tmp_path / "config", log_levels=levels) as home:
            await log_in(home, sim)
            await until_renewed(home, sim)
            await home.kill()
            await home.start()
            await until_renewed(home, sim)
            assert not home.log_errors("jedlix")
            log = (home.folder / "home-assistant.log").read_text()
            assert "DEBUG" in log
            assert not [token for token in sim.tokens.given if token in log]
    finally:
        await sim.stop()
