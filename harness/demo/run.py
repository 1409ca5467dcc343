"""The demo from start to end: processes, set-up, the day, and what stays open afterwards."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
import math
from pathlib import Path
import time
from typing import Any

import aiohttp

from .. import home_log
from ..entities import Entity, find, our_devices, our_entities
from ..flows import FlowFailed, add_jedlix, set_options
from ..home import Home
from ..home_api import PASSWORD, USERNAME, RestFailed
from ..paths import new_run_folder, remove_run_folder
from ..process import ProcessFailed
from ..simulator import Simulator, SimulatorFailed
from ..websocket import CommandFailed, Disconnected, WebSocket
from .dashboard import URL_PATH, make_dashboard
from .day import Day
from .deliveries import Deliveries
from .screen import Screen
from .story import Story
from .verdict import Outcome, percentile, what_is_wrong

FAILURES = (
    ProcessFailed,
    SimulatorFailed,
    FlowFailed,
    RestFailed,
    CommandFailed,
    Disconnected,
    aiohttp.ClientError,
    TimeoutError,
)
"""What can go wrong outside of us, each with a message for a person."""

SET_UP_PATIENCE = 30.0
HEALTHY_PATIENCE = 10.0
BACK_WITH = 35
"""Percent, for the user to play with after the day."""
MOST_USERS = 10
"""How many users of somebody else's simulator are followed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the command line asked for."""

    once: bool
    json: Path | None
    port: int
    minutes: float | None
    mode: str
    simulator: str | None


class Demo:
    """One run."""

    def __init__(self, wish: Wish, screen: Screen) -> None:
        """Start nothing yet."""
        self._wish = wish
        self._screen = screen
        self._outcome = Outcome()
        self._folder = new_run_folder("demo")

    async def run(self) -> bool:
        """Run it; tells whether the day went right.

        The folder with the logs stays only where somebody may want to read them.
        """
        keep = True
        try:
            right = await self._run()
            keep = not right
        except FAILURES as failure:
            self._explain(failure)
            return False
        except asyncio.CancelledError:
            keep = False
            raise
        else:
            return right
        finally:
            if self._wish.json is not None:
                self._outcome.write(self._wish.json)
                self._screen.note(f"Written: {self._wish.json}")
            if keep and any(self._folder.iterdir()):
                self._screen.note(f"Logs: {self._folder}")
            else:
                remove_run_folder(self._folder)

    def _explain(self, failure: BaseException) -> None:
        self._screen.bad("The demo could not go on:")
        self._screen.plain(str(failure) or type(failure).__name__)
        if logged := home_log.errors(self._folder, "jedlix"):
            self._screen.plain(f"\nHome Assistant logged:\n{logged[-1]}")

    async def _run(self) -> bool:
        async with AsyncExitStack() as stack:
            simulator = await stack.enter_async_context(self._simulator())
            self._screen.heading("Starting Home Assistant")
            began = time.monotonic()
            home = await stack.enter_async_context(Home(self._folder, port=self._wish.port))
            socket = await stack.enter_async_context(await home.api.websocket())
            self._outcome.home_assistant = (await socket.call("get_config"))["version"]
            self._screen.note(
                f"Home Assistant {self._outcome.home_assistant} runs at {home.base_url}"
                f" after {time.monotonic() - began:.1f} s"
            )
            deliveries = Deliveries(simulator)
            await deliveries.begin()
            story = Story(socket, deliveries, self._screen)
            await stack.enter_async_context(story.listening())
            try:
                wrong = await self._set_up_and_drive(home, simulator, socket, story)
                if not self._wish.once:
                    await self._stay_open(home, simulator, socket)
            finally:
                if not simulator.is_ours:  # leave no subscription of ours in it
                    await _remove_entries(home)
        return not wrong

    def _simulator(self) -> Simulator:
        if self._wish.simulator is not None:
            return Simulator.at(self._wish.simulator)
        return Simulator.ours(self._folder, "--users", "2", "--mode", self._wish.mode)

    async def _set_up_and_drive(
        self, home: Home, simulator: Simulator, socket: WebSocket, story: Story
    ) -> list[str]:
        info, truth = await simulator.info(), await simulator.truth()
        users, car, other = _choose(truth)
        for each in filter(None, (car, other)):
            if each["plugged_in"]:
                await simulator.unplug(each["id"])
        self._screen.heading("Adding the integration, as a person would")
        entry_id = await add_jedlix(home.api, info, users)
        event_types = [*info["documented_event_types"], *info["own_event_types"]]
        await set_options(home.api, entry_id, event_types=event_types)
        await self._until_connected(home, socket, story, entry_id, event_types)
        self._screen.note(
            f"It follows {len(users)} user{'s'[: len(users) - 1]} of {simulator.url},"
            f" subscribed to {len(event_types)} event types"
        )

        self._screen.heading(f"A day of the {car['brand']} {car['model']}")
        self._screen.columns()
        day = Day(simulator, story, self._screen, car, other)
        missed = await day.run()
        await self._collect(home, socket, story)
        logged = home.log_errors("jedlix")
        wrong = [*missed, *what_is_wrong(self._outcome, car["id"], logged)]
        self._sum_up(wrong)
        return wrong

    async def _until_connected(
        self, home: Home, socket: WebSocket, story: Story, entry_id: str, event_types: list[str]
    ) -> None:
        """Wait until the options are in force and all subscriptions made."""
        deadline = time.monotonic() + SET_UP_PATIENCE
        while True:
            entries = await home.api.rest("GET", "config/config_entries/entry?domain=jedlix")
            state = next((e["state"] for e in entries if e["entry_id"] == entry_id), "gone")
            push = await _push_state(home, socket)
            missing = set(event_types) - await story.deliveries.tested()
            if state == "loaded" and push in {"waiting", "healthy"} and not missing:
                return
            if time.monotonic() > deadline:
                raise FlowFailed(
                    f"after {SET_UP_PATIENCE:.0f} s the entry is {state!r}, push is {push!r},"
                    f" not subscribed: {', '.join(sorted(missing)) or 'none'}"
                )
            await asyncio.sleep(0.1)

    async def _collect(self, home: Home, socket: WebSocket, story: Story) -> None:
        await story.silence()
        deadline = time.monotonic() + HEALTHY_PATIENCE
        while (push := await _push_state(home, socket)) != "healthy":
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(0.2)
        self._outcome.push_state = push
        await self._outcome.take(story)
        states = await home.api.states()
        self._outcome.entities = {
            entity.entity_id: states[entity.entity_id]["state"] if entity.enabled else "disabled"
            for entity in await our_entities(socket)
            if not entity.enabled or entity.entity_id in states
        }

    def _sum_up(self, wrong: list[str]) -> None:
        outcome = self._outcome
        if wrong:
            self._screen.bad("The day did not go right:")
            for sentence in wrong:
                self._screen.plain(f"  - {sentence}")
        else:
            self._screen.good("The day went right.")
        self._screen.plain(
            f"  {outcome.webhooks} webhooks, {len(outcome.events)} events,"
            f" {len(outcome.entities)} entities, push is {outcome.push_state}"
        )
        for name, delays in (
            ("webhook to bus", outcome.webhook_delays),
            ("webhook to event", outcome.event_delays),
        ):
            if delays:
                half, most = percentile(delays, 50), percentile(delays, 99)
                self._screen.plain(f"  {name:<17} median {half} ms, 99th percentile {most} ms")

    async def _stay_open(self, home: Home, simulator: Simulator, socket: WebSocket) -> None:
        _, car, _ = _choose(await simulator.truth())
        if simulator.is_ours:  # back from the road, so that plugging in has something to do
            await simulator.telemetry(car["id"], battery_level=BACK_WITH)
        devices, entities = await our_devices(socket), await our_entities(socket)
        await make_dashboard(socket, devices, entities, first=car["id"], simulator=simulator.url)
        minutes = self._wish.minutes
        until = "Ctrl-C stops everything." if minutes is None else f"Stops after {minutes:g} min."
        self._screen.heading("It stays open for you")
        self._screen.plain(f"  Home Assistant  {home.base_url}/{URL_PATH}")
        self._screen.plain(f"                  log in as {USERNAME}, password {PASSWORD}")
        self._screen.plain(f"  Simulator       {simulator.url}/")
        self._screen.plain(
            "                  plug cars in and out there; what comes of it stands here"
        )
        self._screen.plain(f"  {until}")
        self._screen.columns()
        end = math.inf if minutes is None else time.monotonic() + minutes * 60
        try:
            while time.monotonic() < end:
                if words := home.exited() or simulator.exited():
                    raise ProcessFailed(words)
                await asyncio.sleep(0.5)
        except asyncio.CancelledError:  # Ctrl-C is how this ends well
            if (task := asyncio.current_task()) is not None:
                task.uncancel()


def _choose(truth: dict[str, Any]) -> tuple[list[str], dict[str, Any], dict[str, Any] | None]:
    """Return the users to follow, the car to drive (it tells its battery level), and one that does not."""
    users = truth["users"][:MOST_USERS]
    cars = [car for user in users for car in user["vehicles"] if car["is_connected"]]
    mute = next((car for car in cars if not car["reads_battery"]), None)
    for car in cars:
        if car["reads_battery"]:
            return [user["id"] for user in users], car, mute
    raise SimulatorFailed("the simulator has no linked car that tells its battery level")


async def _push_state(home: Home, socket: WebSocket) -> str:
    entity: Entity | None = find(await our_entities(socket), "sensor", "push_state")
    if entity is None:
        return "unknown"
    state = (await home.api.states()).get(entity.entity_id)
    return "unknown" if state is None else str(state["state"])


async def _remove_entries(home: Home) -> None:
    if home.exited():
        return
    for entry in await home.api.rest("GET", "config/config_entries/entry?domain=jedlix"):
        await home.api.rest("DELETE", f"config/config_entries/entry/{entry['entry_id']}")
