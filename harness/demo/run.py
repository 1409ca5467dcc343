"""Demo run: the processes, the set-up, the day, and what stays open afterwards."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
import math
from pathlib import Path
import time
from typing import Any

from ..command_line import FAILURES
from ..config_entries import add_jedlix, entries, remove_all, set_options
from ..entities import find, our_entities
from ..flows import FlowFailed
from ..home import Home, log_errors
from ..home_api import PASSWORD, USERNAME
from ..paths import run_folder
from ..process import ProcessFailed
from ..simulator import Simulator, SimulatorFailed
from ..websocket import WebSocket
from .dashboard import URL_PATH, make_dashboard
from .day import Day
from .deliveries import Deliveries
from .listener import Listener
from .screen import Screen
from .verdict import Verdict, percentile, problems

SET_UP_PATIENCE = 30.0
HEALTHY_PATIENCE = 10.0
LEVEL_AFTERWARDS = 35
"""Percent: the battery of the car after the day, for the user to play with."""
MAX_USERS = 10
"""How many users of somebody else's simulator are followed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of the command line."""

    once: bool
    json: Path | None
    port: int
    minutes: float | None
    mode: str
    simulator: str | None


class Demo:
    """One run."""

    def __init__(self, options: Options, screen: Screen) -> None:
        """Start nothing yet."""
        self._options = options
        self._screen = screen
        self._verdict = Verdict()

    async def run(self) -> bool:
        """Run it and return whether the day went right."""
        with run_folder("demo", self._screen.note) as folder:
            try:
                is_right = await self._run(folder.path)
                folder.keep = not is_right
            except FAILURES as failure:
                is_right = False
                self._explain(failure, folder.path)
            finally:
                if self._options.json is not None:
                    self._verdict.write(self._options.json)
                    self._screen.note(f"Written: {self._options.json}")
        return is_right

    def _explain(self, failure: BaseException, folder: Path) -> None:
        self._screen.bad("The demo could not go on:")
        self._screen.plain(str(failure) or type(failure).__name__)
        if logged := log_errors(folder, "jedlix"):
            self._screen.plain(f"\nHome Assistant logged:\n{logged[-1]}")

    async def _run(self, folder: Path) -> bool:
        async with AsyncExitStack() as stack:
            simulator = await stack.enter_async_context(self._simulator(folder))
            self._screen.heading("Starting Home Assistant")
            began = time.monotonic()
            home = await stack.enter_async_context(Home(folder, port=self._options.port))
            socket = await stack.enter_async_context(await home.api.websocket())
            self._verdict.home_assistant = (await socket.call("get_config"))["version"]
            self._screen.note(
                f"Home Assistant {self._verdict.home_assistant} runs at {home.base_url}"
                f" after {time.monotonic() - began:.1f} s"
            )
            deliveries = Deliveries(simulator)
            await deliveries.skip_earlier()
            listener = Listener(socket, deliveries, self._screen)
            await stack.enter_async_context(listener.listening())
            try:
                wrong = await self._set_up_and_drive(home, simulator, socket, listener)
                if not self._options.once:
                    await self._stay_open(home, simulator, socket)
            finally:
                if (
                    not simulator.is_ours and not home.exited()
                ):  # leave no subscription of ours in it
                    await remove_all(home.api)
        return not wrong

    def _simulator(self, folder: Path) -> Simulator:
        if self._options.simulator is not None:
            return Simulator.at(self._options.simulator)
        return Simulator.ours(folder, "--users", "2", "--mode", self._options.mode)

    async def _set_up_and_drive(
        self, home: Home, simulator: Simulator, socket: WebSocket, listener: Listener
    ) -> list[str]:
        info, truth = await simulator.info(), await simulator.truth()
        users, car, other = _choose(truth)
        for each in filter(None, (car, other)):
            if each["plugged_in"]:
                await simulator.unplug(each["id"])
        self._screen.heading("Adding the integration, as a person would")
        entry_id = await add_jedlix(home.api, info, users)
        event_types = await simulator.event_types()
        await set_options(home.api, entry_id, event_types=event_types)
        await self._until_connected(home, socket, listener, entry_id, event_types)
        self._screen.note(
            f"It follows {len(users)} user{'s'[: len(users) - 1]} of {simulator.url},"
            f" subscribed to {len(event_types)} event types"
        )

        self._screen.heading(f"A day of the {car['brand']} {car['model']}")
        self._screen.columns()
        day = Day(simulator, listener, self._screen, car, other)
        missed = await day.run()
        await self._collect(home, socket, listener)
        logged = home.log_errors("jedlix")
        wrong = [*missed, *problems(self._verdict, car["id"], logged)]
        self._sum_up(wrong)
        return wrong

    async def _until_connected(
        self,
        home: Home,
        socket: WebSocket,
        listener: Listener,
        entry_id: str,
        event_types: list[str],
    ) -> None:
        """Wait until the entry is loaded with the new options and all subscriptions are made."""
        deadline = time.monotonic() + SET_UP_PATIENCE
        while True:
            states = {entry["entry_id"]: entry["state"] for entry in await entries(home.api)}
            state = states.get(entry_id, "gone")
            push = await _push_state(home, socket)
            missing = set(event_types) - await listener.deliveries.tested_types()
            if state == "loaded" and push in {"waiting", "healthy"} and not missing:
                return
            if time.monotonic() > deadline:
                raise FlowFailed(
                    f"after {SET_UP_PATIENCE:.0f} s the entry is {state!r}, push is {push!r},"
                    f" not subscribed: {', '.join(sorted(missing)) or 'none'}"
                )
            await asyncio.sleep(0.1)

    async def _collect(self, home: Home, socket: WebSocket, listener: Listener) -> None:
        await listener.until_printed()
        deadline = time.monotonic() + HEALTHY_PATIENCE
        while (push := await _push_state(home, socket)) != "healthy":
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(0.2)
        self._verdict.push_state = push
        await self._verdict.take(listener)
        states = await home.api.states()
        self._verdict.entities = {
            entity.entity_id: states[entity.entity_id]["state"] if entity.enabled else "disabled"
            for entity in await our_entities(socket)
            if not entity.enabled or entity.entity_id in states
        }

    def _sum_up(self, wrong: list[str]) -> None:
        verdict = self._verdict
        if wrong:
            self._screen.bad("The day did not go right:")
            for sentence in wrong:
                self._screen.plain(f"  - {sentence}")
        else:
            self._screen.good("The day went right.")
        self._screen.plain(
            f"  {verdict.webhooks} webhooks, {len(verdict.events)} events,"
            f" {len(verdict.entities)} entities, push is {verdict.push_state}"
        )
        for name, delays in (
            ("webhook to bus", verdict.webhook_delays),
            ("webhook to event", verdict.event_delays),
        ):
            if delays:
                half, most = percentile(delays, 50), percentile(delays, 99)
                self._screen.plain(f"  {name:<17} median {half} ms, 99th percentile {most} ms")

    async def _stay_open(self, home: Home, simulator: Simulator, socket: WebSocket) -> None:
        _, car, _ = _choose(await simulator.truth())
        if simulator.is_ours:  # so that there is something to charge
            await simulator.telemetry(car["id"], battery_level=LEVEL_AFTERWARDS)
        await make_dashboard(socket)
        first_page = {"default_panel": URL_PATH}
        await socket.call("frontend/set_system_data", key="core", value=first_page)
        minutes = self._options.minutes
        until = "Ctrl-C stops everything." if minutes is None else f"Stops after {minutes:g} min."
        self._screen.heading("It stays open for you")
        self._screen.plain(f"  Home Assistant  {home.base_url}/{URL_PATH}")
        self._screen.plain(f"                  log in as {USERNAME}, password {PASSWORD}")
        self._screen.plain(f"  Simulator       {simulator.url}/")
        self._screen.plain(
            "                  plug cars in and out there; what follows is printed here"
        )
        self._screen.plain(f"  {until}")
        self._screen.columns()
        deadline = math.inf if minutes is None else time.monotonic() + minutes * 60
        try:
            while time.monotonic() < deadline:
                if end := home.exited() or simulator.exited():
                    raise ProcessFailed(end)
                await asyncio.sleep(0.5)
        except asyncio.CancelledError:  # Ctrl-C is how this ends well
            if (task := asyncio.current_task()) is not None:
                task.uncancel()


def _choose(truth: dict[str, Any]) -> tuple[list[str], dict[str, Any], dict[str, Any] | None]:
    """Return the users to follow, a car that reports its battery level, and one that does not."""
    users = truth["users"][:MAX_USERS]
    cars = [car for user in users for car in user["vehicles"] if car["is_connected"]]
    other = next((car for car in cars if not car["reads_battery"]), None)
    for car in cars:
        if car["reads_battery"]:
            return [user["id"] for user in users], car, other
    raise SimulatorFailed("the simulator has no linked car that reports its battery level")


async def _push_state(home: Home, socket: WebSocket) -> str:
    entity = find(await our_entities(socket), "sensor", "push_state")
    if entity is None:
        return "unknown"
    state = (await home.api.states()).get(entity.entity_id)
    return "unknown" if state is None else str(state["state"])
