"""A Home Assistant of the harness: it survives kills, delivers events, and explains a failed start."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from harness.home import Home
from harness.process import ProcessFailed

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300), pytest.mark.usefixtures("socket_enabled")]


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    async with Home(tmp_path / "config", log_levels={"a.logger": "error"}) as home:
        yield home


async def test_it_comes_back_after_a_kill_with_its_user_its_log_and_its_port(home: Home) -> None:
    address = home.base_url
    message = {"message": "before the kill", "level": "error", "logger": "a.logger"}
    await home.api.call_action("system_log", "write", **message)
    while not home.log_errors():  # noqa: ASYNC110 - a thread writes it
        await asyncio.sleep(0.05)
    await home.kill()
    await home.start()
    assert home.base_url == address
    assert not home.exited()
    assert (await home.api.rest("GET", "config"))["location_name"] == "Home"
    assert ["before the kill" in error for error in home.log_errors("a.logger")] == [True]
    assert not home.log_errors("something else")


async def test_events_come_in_order_with_the_time_at_which_they_came(home: Home) -> None:
    async with await home.api.websocket() as socket:
        stream = await socket.subscribe_events("one", "two")
        for event_type in ("one", "two", "one"):
            await home.api.rest("POST", f"events/{event_type}", {"number": event_type})
        received = [await anext(aiter(stream)) for _ in range(3)]
    assert [event.event_type for event in received] == ["one", "two", "one"]
    assert [event.data["number"] for event in received] == ["one", "two", "one"]
    assert received[0].at <= received[1].at <= received[2].at


async def test_a_failed_start_is_explained(tmp_path: Path) -> None:
    folder = tmp_path / "config"
    home = Home(folder)
    (folder / "configuration.yaml").unlink()
    (folder / "configuration.yaml").mkdir()
    with pytest.raises(ProcessFailed, match=r"Home Assistant ended while it was starting"):
        await home.start()
    await home.close()
