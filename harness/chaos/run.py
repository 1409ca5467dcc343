"""Chaos run: the processes, the drivers, the faults, the interruptions; then calm, and the count."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
import json
from pathlib import Path
from random import Random
import re
import secrets
import time
from typing import Any

from ..config_entries import add_jedlix, set_options, until_subscribed
from ..config_folder import TIME_ZONE as AT_HOME, add_component
from ..flows import FlowFailed
from ..home import Home
from ..home_api import RestFailed
from ..paths import run_folder
from ..process import ProcessFailed
from ..simulator import Simulator
from ..websocket import CommandFailed
from .answers import wrong_answers, wrong_prices
from .conditions import wrong_conditions
from .diagnostics import wrong_device_diagnostics, wrong_diagnostics
from .evaluation import evaluate
from .faults import DELIVERIES
from .final_states import wrong_states
from .history import wrong_calendars, wrong_statistics
from .interruptions import LIFE_ENDING, RETRIES
from .leaks import Leaks
from .logs import not_caused, outages, too_many_refusals
from .options import Options
from .parts import Parts
from .person import Person
from .promise import Promises
from .proxy import Proxy
from .recording import RECORDER
from .shown import open_repairs, wrong_logbook
from .timeline import Timeline
from .truth import Truth
from .verdict import Verdict
from .wrong_clock import find_library
from .zone import LATITUDE, LONGITUDE, TIME_ZONE, place_in_zone, zone_about

SPEED = 120.0
"""Simulated seconds per second: a price hour takes half a minute."""
CHECK_PERIOD = 2.0
RECORDED = 6.0
"""Seconds until Home Assistant has written an event to its database, from which the logbook reads."""
DEAF_CARS = 2
"""Cars that do something at the end without any delivery about it: only a poll can find it."""
_MAY_COME_LATER = ("lost", "wrong_state", "statistics_wrong")
"""The figures for which the count waits: what is missing may still come."""
SHORT = ("kill", "stop", "reload", "user", "slip", "slip", "hang up", "commands")
LONG = (*SHORT, "restart", "options", "early", "slip")


class Chaos:
    """One run."""

    def __init__(self, options: Options, note: Callable[[str], None]) -> None:
        """Start nothing yet; `note` gets a line now and then."""
        self._options = options
        self._note = note
        self._random = Random(f"{options.seed}/kills")
        self._timeline = Timeline()
        self._began = time.monotonic()
        self._tasks: list[asyncio.Task[None]] = []
        self._failed: list[str] = []
        # Home Assistant's clock is wrong until the first interruption.
        self._wrong_clock = None if options.short else find_library()
        self.verdict = Verdict(
            seed=options.seed,
            cars=options.cars,
            is_full=options.full,
            is_short=options.short,
            is_strict=options.strict,
        )

    async def run(self) -> Verdict:
        """Run it and return the verdict."""
        if self._wrong_clock is None:
            reason = "no libfaketime here"
            if self._options.short:
                reason = "the short form has none"
            self.verdict.left_out.append(f"a wrong clock of Home Assistant: {reason}")
        with run_folder("chaos", self._note) as folder:
            try:
                await self._run(folder.path)
            finally:
                if self._options.json is not None:
                    self.verdict.write(self._options.json)
            folder.keep = self._options.keep or not self.verdict.is_good
        return self.verdict

    async def _run(self, folder: Path) -> None:
        options = self._options
        arguments = {
            "--users": options.cars,
            "--seed": options.seed,
            "--speed": 1,
            "--mode": "strict" if options.strict else "default",
            "--event-types": "none" if options.strict else "all",
            "--history-days": 2,
            "--retries": ",".join(f"{pause:g}" for pause in RETRIES),
            "--client-secret": secrets.token_hex(16),
            "--api-key": secrets.token_hex(16),
        }
        command = [str(part) for pair in arguments.items() for part in pair]
        async with AsyncExitStack() as stack:
            simulator = await stack.enter_async_context(Simulator.ours(folder, *command))
            home = Home(folder / "home", integration=_linked(folder, options.integration))
            add_component(home.folder, RECORDER)
            before = await simulator.truth()
            _configure(
                home.folder / "configuration.yaml", zone_about(place_in_zone(before["users"]))
            )
            port = int(home.base_url.rpartition(":")[2])
            proxy = await stack.enter_async_context(Proxy(port))
            stack.push_async_callback(home.close)
            stack.push_async_callback(self._end_tasks)
            parts = await self._begin(home, simulator, proxy, before)
            await self._disturb(parts)
            await self._count(parts)

    async def _begin(
        self, home: Home, simulator: Simulator, proxy: Proxy, before: dict[str, Any]
    ) -> Parts:
        """Start Home Assistant and add the integration as a person would, without any fault."""
        self._note("Starting Home Assistant and adding the integration")
        parts = Parts(
            home=home, simulator=simulator, proxy=proxy, before=before, timeline=self._timeline
        )
        if self._wrong_clock is not None:
            parts.set_clock_wrong(self._wrong_clock)
        await parts.start_home()
        self._timeline.followed = frozenset(user["id"] for user in before["users"])
        info = await simulator.info()
        users = sorted(self._timeline.followed)
        entry_id = await add_jedlix(home.api, info, users, callback_url=proxy.url)
        await parts.prepare_registries()
        self.verdict.note({"first_look_wrong": parts.first_look})
        event_types = await simulator.event_types()
        settings = {"poll_minutes": 1, "import_energy": True, "event_types": event_types}
        await set_options(home.api, entry_id, **settings)
        await until_subscribed(home.api, simulator, event_types)
        await parts.learn(entry_id, self._options)
        self._timeline.lives[-1].ready = time.time()
        return parts

    async def _disturb(self, parts: Parts) -> None:
        """Make faults until so many deliveries were made and all interruptions are done."""
        simulator, drivers = parts.simulator, parts.drivers
        await simulator.set_faults(**DELIVERIES)
        await simulator.clock(speed=SPEED)
        for work in (drivers.run(), parts.faults.run(), parts.strangers.run()):
            self._begin_task(work)
        outage = None if self._options.short else self._begin_task(parts.outage.run())
        for count, kind in self._interruptions():
            await self._until_delivered(parts, count)
            parts.set_clock_right()
            self._note(f"{self.verdict.deliveries} deliveries: {kind}")
            try:
                await parts.interruptions.make(kind)
            except (FlowFailed, RestFailed, CommandFailed, ValueError) as err:
                self._failed.append(f"{kind}: {err!r}")
            done = self.verdict.interruptions
            done[kind] = done.get(kind, 0) + 1
        await parts.interruptions.finish()
        await simulator.add_user()
        await self._until_delivered(parts, self._options.events)
        if outage is not None:
            await outage
            self.verdict.note({"available_wrong": parts.outage.wrong})
        await self._end_tasks()
        await simulator.clear_faults()
        person = Person(parts.home, simulator, self._timeline, drivers)
        await asyncio.gather(
            drivers.tour(parts.move_in), *([] if self._options.strict else [person.run()])
        )
        drivers.commands.failed += person.wrong
        await simulator.clock(speed=0)
        self.verdict.bursts = parts.faults.bursts
        failed = [*self._failed, *parts.interruptions.missing]
        self.verdict.note({"interruptions_failed": failed})
        self.verdict.commands = drivers.commands.count
        await drivers.settle()
        await asyncio.sleep(4.0)
        if self._options.no_poll:
            self.verdict.left_out.append("what only a poll can find")
            return
        self._note(f"{self.verdict.deliveries} deliveries: nothing is delivered any more")
        await simulator.set_faults(drop=1.0)
        for _ in range(DEAF_CARS):
            await drivers.swap_plug(await drivers.pick())
        await simulator.set_faults(drop=0.0)

    def _begin_task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.append(task)
        return task

    async def _end_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._tasks.clear()

    def _interruptions(self) -> list[tuple[int, str]]:
        """Return after how many deliveries each interruption is made, and of which kind it is."""
        kinds = list(SHORT if self._options.short else LONG)
        kinds.remove("kill")
        if self._options.strict:
            kinds.remove("commands")
        kinds += ["kill"] * self._options.kills
        self._random.shuffle(kinds)
        if self._options.short:  # the last life is long enough for a poll
            kinds.sort(
                key=lambda kind: (
                    kind not in LIFE_ENDING,
                    kind == "stop",  # what is late is in the logbook of the last life
                    kind != "commands",
                    kind != "slip",
                )
            )
        counts = sorted(self._options.events * self._random.uniform(0.08, 0.92) for _ in kinds)
        return [(int(count), kind) for count, kind in zip(counts, kinds, strict=True)]

    async def _until_delivered(self, parts: Parts, wanted: int) -> None:
        """Wait until so many deliveries were made in all; with documented calls only, so many changes.

        Hardly any of the documented event types is about what cars do.
        """
        while True:
            for task in self._tasks:
                if task.done():
                    task.result()
            if end := parts.home.exited() or parts.simulator.exited():
                raise ProcessFailed(end)
            made = [
                item
                for item in await parts.simulator.deliveries()
                if not item["is_test"] and not item["dropped"]
            ]
            self.verdict.deliveries = len(made)
            count = len(made) - parts.interruptions.missed
            if (await self._changes(parts) if self._options.strict else count) >= wanted:
                return
            await asyncio.sleep(self._random.uniform(0.3, 1.0))

    async def _changes(self, parts: Parts) -> int:
        """Return how much has happened since the beginning."""
        first, last = (
            world["changes"][-1]["n"] if world["changes"] else 0
            for world in (parts.before, await parts.simulator.truth())
        )
        return int(last - first)

    async def _count(self, parts: Parts) -> None:
        """Wait until everything was published that still can be, then count.

        Automations run some milliseconds after a change, so the count is made twice.
        """
        began, settled = time.monotonic(), 0
        while True:
            await asyncio.sleep(CHECK_PERIOD)
            waited = time.monotonic() - began
            if waited < self._options.calm:
                continue
            truth = await Truth.fetch(parts.simulator, parts.before, self._timeline)
            promises = evaluate(
                self.verdict, parts.home.folder, self._timeline, truth, parts.setting
            )
            await self._check_home(parts, truth, promises)
            settled = 0 if any(map(self.verdict.count, _MAY_COME_LATER)) else settled + 1
            if waited > self._options.patience or settled > 1:
                break
        await self._check_the_end(parts, truth)
        self.verdict.seconds = round(time.monotonic() - self._began)

    async def _check_home(self, parts: Parts, truth: Truth, promises: Promises) -> None:
        """Check what Home Assistant shows now."""
        followed = self._timeline.followed
        account = parts.account(truth)
        unsure = promises.unsure_settings if self._options.full else set[str]()
        self.verdict.note(
            {
                "wrong_state": await wrong_states(parts.home, truth, unsure, account, followed),
                "statistics_wrong": await wrong_statistics(
                    parts.home, truth, followed, self._timeline.lives[0].began
                ),
            }
        )

    async def _check_the_end(self, parts: Parts, truth: Truth) -> None:
        """Check what is looked at once: secrets, calendars, strangers, commands, the log."""
        home, strangers, began = parts.home, parts.strangers, time.monotonic()
        info = await parts.simulator.info()
        leaks = Leaks.of(home.folder, truth, info)
        followed, devices = self._timeline.followed, parts.setting.devices
        cars = {name: device for name, device in devices.items() if name != parts.setting.entry_id}
        changes = parts.recording.changes
        self.verdict.note(
            {
                "answers_wrong": [
                    *await wrong_answers(home, truth, devices, followed),
                    *await wrong_prices(home, truth, devices, followed),
                    *await wrong_conditions(home, truth, devices, followed),
                ],
                "repairs_left": await open_repairs(home),
            }
        )
        leaks.keep("states", await home.api.states())
        path = f"diagnostics/config_entry/{parts.setting.entry_id}"
        files = {"": path, **{name: f"{path}/device/{own}" for name, own in devices.items()}}
        for name, file in files.items():
            try:
                content = await home.api.rest("GET", file)
            except RestFailed as err:
                self.verdict.found["answers_wrong"].append(str(err))
                continue
            leaks.keep("diagnostics", content)
            self.verdict.found["answers_wrong"] += (
                wrong_device_diagnostics(content, name)
                if name
                else wrong_diagnostics(content, truth, followed, parts.account(truth))
            )
        self.verdict.note({"calendar_wrong": await wrong_calendars(home, truth, followed)})
        await asyncio.sleep(max(0.0, began + RECORDED - time.monotonic()))
        lines = await wrong_logbook(home, changes, self._timeline, cars)
        self.verdict.note({"logbook_wrong": lines})
        await home.stop()
        leaks.read_files(home.folder)
        passed_on = {str(line.data.get("event_id")) for line in parts.recording.webhooks}
        self.verdict.strangers = len(strangers.ids)
        logged = not_caused(home.folder)
        seconds = time.monotonic() - self._began
        refusals = too_many_refusals(home.folder, len(self._timeline.lives), seconds)
        self.verdict.note(
            {
                "secrets_found": list(leaks.found()),
                "strangers_accepted": [*strangers.wrong, *sorted(strangers.ids & passed_on)],
                "commands_failed": parts.drivers.commands.failed,
                "errors_logged": [item.text for item in logged if item.is_error],
                "warnings_logged": [
                    *(item.text for item in logged if not item.is_error),
                    *refusals,
                ],
            }
        )
        self.verdict.outages_logged = outages(home.folder)


def _configure(path: Path, zone: Mapping[str, Any]) -> None:
    """Offer diagnostics, and have Home Assistant at home where Jedlix's currency and zone are not in use.

    `zone` is another one than that at home.
    """
    text = path.read_text(encoding="utf-8").replace("currency: EUR", "currency: CHF")
    text = text.replace(f"time_zone: {AT_HOME}", f"time_zone: {TIME_ZONE}")
    for name, degrees in (("latitude", LATITUDE), ("longitude", LONGITUDE)):
        text = re.sub(rf"{name}: .+", f"{name}: {degrees}", text)
    path.write_text(f"{text}diagnostics:\nzone: {json.dumps([zone])}\n", encoding="utf-8")


def _linked(folder: Path, integration: Path) -> Path:
    """Return the integration under its own name, whatever its folder is called."""
    link = folder / "integration" / "jedlix"
    link.parent.mkdir()
    link.symlink_to(integration.resolve(), target_is_directory=True)
    return link
