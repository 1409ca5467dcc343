"""The config flow over REST, in a real Home Assistant against the simulator as a process."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from harness.config_entries import add_jedlix, entries
from harness.flows import CONFIG, DOMAIN, Flow, FlowFailed
from harness.home import Home
from harness.simulator import Simulator

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300), pytest.mark.usefixtures("socket_enabled")]


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    async with Home(tmp_path / "config") as home:
        yield home


@pytest.fixture
async def simulator(tmp_path: Path) -> AsyncIterator[Simulator]:
    async with Simulator.ours(tmp_path, "--users", "1") as simulator:
        yield simulator


async def test_a_wrong_secret_is_explained_and_corrected_in_the_same_form(
    home: Home, simulator: Simulator
) -> None:
    info = await simulator.info()
    user = {"environment": "custom", "client_id": "me", "api_key": info["api_key"]}
    addresses = {name: info[name] for name in ("base_url", "token_url")}
    flow = await Flow.begin(home.api, CONFIG, DOMAIN)
    await flow.choose("user", "account")
    await flow.submit("account", {**user, "client_secret": "a guess"})
    with pytest.raises(FlowFailed) as refused:
        await flow.submit("custom", addresses)
    assert refused.value.errors == {"base": "invalid_auth"}
    assert " " in str(refused.value).partition("came back: ")[2], "a sentence, not a key"

    assert flow.step == "account"
    await flow.submit("account", {**user, "client_secret": info["client_secret"]})
    assert await flow.submit("custom", addresses) == "users"


async def test_a_callback_that_cannot_be_reached_is_explained(
    home: Home, simulator: Simulator
) -> None:
    with pytest.raises(FlowFailed) as refused:
        await add_jedlix(
            home.api,
            await simulator.info(),
            [user["id"] for user in await simulator.users()],
            callback_url="http://127.0.0.1:9",
        )
    assert refused.value.step == "webhook"
    assert refused.value.errors == {"base": "not_reachable"}
    assert not await entries(home.api)
