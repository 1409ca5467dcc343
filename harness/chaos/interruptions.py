"""Interruptions: kills, stops, restarts, reloads, and what a person changes meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
import contextlib
from random import Random
import time

from ..config_entries import entries, set_options, until_loaded
from ..entities import our_devices, our_entities
from ..home import Home
from ..process import ProcessFailed
from ..simulator import Simulator, SimulatorFailed
from .drivers import Drivers
from .faults import AFTER as AFTER_A_SLIP, AIMED, SLIP, ApiFaults
from .proxy import HangUp, Proxy
from .shown import not_there
from .timeline import Life, Timeline, Trouble

RETRIES = (0.7, 1.3, 2.0)
"""Seconds until each retry of the simulator; a clean stop lasts longer than all of them."""
STOPPED_FOR = sum(RETRIES) + 3.0
OLD_CHANGE = 50 * 60.0
RECENT_CHANGE = 10 * 60.0
"""Seconds before now at which something happens while Home Assistant is stopped: late, and not late."""
MISSED = 120
"""Deliveries in a stop: more than a page of the history has."""
HUNG_UP = 1.5
"""Seconds for which the proxy hangs up in each way."""
LIFE_ENDING = frozenset({"kill", "stop", "restart", "reload", "options", "early"})
"""After these, the entry is set up again."""
BEFORE = (1.0, 4.0)
"""Seconds, from and to, before the end of a life in which each car does one thing at most."""
AFTER = 8.0
"""The same after its beginning: nobody could see a second thing."""
ABSENT_FOR = (2.0, 3.0)
"""Seconds, from and to: then each delivery about the user has arrived, and none leads to a refresh."""
ADDED_LATELY = 60.0
"""Seconds."""
APPEARS_WITHIN = 8
"""Seconds until the car of a user who was added has to be there."""
_LOADED = 1.5
"""Seconds that automations need to listen after a start."""
_DELIVERED_EACH = 0.03
"""Seconds between two deliveries during a reload: the moment in which nobody might answer is short."""
_SUBENTRY_FLOW = "config/config_entries/subentries/flow"


class Interruptions:
    """Interrupts Home Assistant in each of its ways, and notes when in the timeline.

    `old_car` reports nothing before it is plugged in during the stop; `spare_car` is that of the user who is
    removed and added. Nobody drives them before.
    """

    def __init__(
        self,
        home: Home,
        simulator: Simulator,
        timeline: Timeline,
        *,
        proxy: Proxy,
        drivers: Drivers,
        faults: ApiFaults,
        seed: int,
        old_car: str,
        spare_car: str,
        commanded_car: str,
    ) -> None:
        """Take all that may be interrupted."""
        self._home = home
        self._simulator = simulator
        self._timeline = timeline
        self._proxy = proxy
        self._drivers = drivers
        self._faults = faults
        self._random = Random(f"{seed}/interruptions")
        self._old_car = old_car
        self._spare_car = spare_car
        self._commanded_car = commanded_car
        self._commanding: asyncio.Task[None] | None = None
        self._slipped_until = 0.0
        self._losing = ""
        """The car that loses its link in the next reload."""
        self.missed = 0
        """Deliveries that were made at once in stops, about nothing that happened."""
        self.missing: list[str] = []
        """What was not there after interruptions, each with the kind of interruption first."""
        self._saved = 0
        """How often options were saved."""

    async def make(self, kind: str) -> None:
        """Interrupt in one way, and return when all is set up again."""
        ways = {
            "kill": self._kill,
            "stop": self._stop,
            "restart": self._restart,
            "reload": self._reload,
            "options": self._save_options,
            "user": self._remove_and_add_user,
            "early": self._kill_before_the_first_round,
            "hang up": self._hang_up,
            "slip": self._slip,
            "commands": self._command,
        }
        if kind not in LIFE_ENDING:
            await ways[kind]()
            return
        await self.finish()
        if kind == "reload":
            # Not later: where each car does one thing at most, perhaps none may do another.
            self._losing = await self._drivers.pick()
        with self._drivers.once_each():
            await asyncio.sleep(self._random.uniform(*BEFORE))
            await ways[kind]()
            await asyncio.sleep(AFTER)
            self.missing += [f"{kind}: {name} is not there" for name in await self._not_there()]

    async def _not_there(self) -> list[str]:
        """Return the entities that a set-up did not bring back.

        What is known of a user who was just added may not be on the disk yet.
        """
        if any(item.end > time.time() - ADDED_LATELY for item in self._timeline.absences):
            return []
        async with await self._home.api.websocket() as socket:
            entities = await our_entities(socket)
        return not_there(entities, await self._home.api.states())

    async def finish(self) -> None:
        """Wait until what goes on beside the other interruptions is over, and a slip was made good."""
        await asyncio.sleep(max(0.0, self._slipped_until - time.monotonic()))
        if self._commanding is not None:
            await self._commanding
            self._commanding = None

    async def start(self) -> None:
        """Start Home Assistant; the life is ready once the caller says so."""
        self._timeline.lives.append(Life(time.time()))
        await self._home.start()

    async def _kill(self) -> None:
        self._end_life(was_killed=True)
        await self._home.kill()
        await asyncio.sleep(self._random.uniform(0.0, 2.0))
        await self._start_again()

    async def _restart(self) -> None:
        """Stop in mid-stream and start again at once."""
        self._end_life()
        await self._home.stop()
        await self._start_again()

    async def _stop(self) -> None:
        """Stop for a while, in which something happened long ago, and start while Jedlix is away.

        Automations run before the entry is set up, so that they can be seen to ignore what is late.
        """
        self._end_life()
        await self._home.stop()
        stopped = time.monotonic()
        async with self._jedlix_behind(OLD_CHANGE):
            await self._drivers.swap_plug(self._old_car)
            # Jedlix asks a car that is silent for long, and this one must not answer.
            await self._drivers.lose_link(self._old_car)
        user_id = self._drivers.owner(self._commanded_car)
        await self._simulator.deliver(user_id, "userUpdated", MISSED)
        self.missed += MISSED
        with contextlib.suppress(SimulatorFailed):  # not every car can be charged smart
            await self._simulator.impossible(self._old_car)
        if self._spare_car in self._drivers.resting:
            async with self._jedlix_behind(RECENT_CHANGE):
                await self._drivers.swap_plug(self._spare_car)
        await asyncio.sleep(max(0.0, STOPPED_FOR - (time.monotonic() - stopped)))
        began = time.time()
        await self._simulator.set_faults(outage_seconds=60.0, outage_how="503")
        try:
            await self.start()
            await asyncio.sleep(_LOADED)
        finally:
            await self._simulator.set_faults(outage_seconds=0.0)
            self._timeline.troubles.append(Trouble(began, time.time()))
        await self._until_ready()
        self._drivers.resting.discard(self._old_car)

    @contextlib.asynccontextmanager
    async def _jedlix_behind(self, seconds: float) -> AsyncIterator[None]:
        """Have Jedlix's clock behind, so that things happen in the past: to the caller's car alone."""
        began = time.time()
        self._drivers.is_still = True
        await self._simulator.set_faults(clock_skew_seconds=-seconds)
        try:
            yield
        finally:
            await self._simulator.set_faults(clock_skew_seconds=0.0)
            self._drivers.is_still = False
            self._timeline.skews.append((began, time.time(), seconds))

    async def _kill_before_the_first_round(self) -> None:
        """Kill, start, and kill again as soon as the first call has reached Jedlix."""
        self._end_life(was_killed=True)
        await self._home.kill()
        called = len(await self._simulator.requests())
        starting = asyncio.create_task(self.start())
        while not starting.done():
            calls = await self._simulator.requests()
            if any(item["path"].partition("?")[0].endswith("/vehicles") for item in calls[called:]):
                break
            await asyncio.sleep(0.02)
        self._end_life(was_killed=True)
        await self._home.kill()
        with contextlib.suppress(ProcessFailed, OSError):
            await starting
        await self._start_again()

    async def _start_again(self) -> None:
        await self.start()
        await self._until_ready()

    async def _reload(self) -> None:
        """Reload, while a car loses its link: of what has no time of its own, none is late."""
        (entry,) = await entries(self._home.api)
        path = f"config/config_entries/entry/{entry['entry_id']}/reload"
        await self._reloaded_by(self._home.api.rest("POST", path), self._losing)

    async def _save_options(self) -> None:
        """Save the same event types in another order than before: the entry reloads."""
        (entry,) = await entries(self._home.api)
        event_types = await self._simulator.event_types()
        self._saved += 1
        place = self._saved % len(event_types)
        event_types = event_types[place:] + event_types[:place]
        saving = set_options(self._home.api, entry["entry_id"], event_types=event_types)
        await self._reloaded_by(saving)
        await asyncio.sleep(0.5)
        await until_loaded(self._home.api)

    async def _reloaded_by(self, doing: Awaitable[object], losing: str | None = None) -> None:
        """Have deliveries arrive all the time while the entry is reloaded, and a car lose its link."""
        user_id = self._drivers.owner(self._commanded_car)
        self._end_life()
        self._timeline.lives.append(Life(time.time(), is_reload=True))
        reloading = asyncio.ensure_future(doing)
        await asyncio.sleep(_DELIVERED_EACH)
        if losing is not None:
            await self._drivers.lose_link(losing)
        while not reloading.done():
            await self._simulator.deliver(user_id, "userUpdated", 1)
            await asyncio.sleep(_DELIVERED_EACH)
        await reloading
        await asyncio.sleep(1.0)
        await self._until_ready()

    async def _remove_and_add_user(self) -> None:
        """Remove a user whose refresh is under way, and add them again."""
        api, user_id = self._home.api, self._drivers.owner(self._spare_car)
        (entry,) = await entries(api)
        async with await api.websocket() as socket:
            subentries = await socket.call(
                "config_entries/subentries/list", entry_id=entry["entry_id"]
            )
            (subentry,) = [item for item in subentries if item["unique_id"] == user_id]
            began = time.time()
            await self._drivers.swap_plug(self._spare_car)
            await socket.call(
                "config_entries/subentries/delete",
                entry_id=entry["entry_id"],
                subentry_id=subentry["subentry_id"],
            )
        await asyncio.sleep(self._random.uniform(*ABSENT_FOR))
        body = {"handler": [entry["entry_id"], "user"]}
        shown = await api.rest("POST", _SUBENTRY_FLOW, body)
        await api.rest("POST", f"{_SUBENTRY_FLOW}/{shown['flow_id']}", {"user_id": user_id})
        added, car = time.time(), f"{user_id}_{self._spare_car}"
        if not await self._appears(car) and self._timeline.was_calm(added, time.time(), user_id):
            self.missing.append(f"user: {car} did not appear")
        await asyncio.sleep(3.0)
        self._timeline.absences.append(Trouble(began, time.time(), user_id))
        self._drivers.resting.discard(self._spare_car)

    async def _appears(self, identifier: str) -> bool:
        """Return whether a device is there within some seconds: whoever adds a user waits for no poll."""
        for _ in range(APPEARS_WITHIN):
            async with await self._home.api.websocket() as socket:
                devices = await our_devices(socket)
            if any(identifier in device.identifiers for device in devices):
                return True
            await asyncio.sleep(1.0)
        return False

    async def _hang_up(self) -> None:
        """Let the proxy hang up in each way, with something to deliver."""
        for way in (HangUp.AT_ONCE, HangUp.BEFORE_THE_ANSWER):
            car = await self._drivers.pick()
            self._proxy.hang_up = way
            try:
                await self._drivers.swap_plug(car)
                await asyncio.sleep(HUNG_UP)
            finally:
                self._proxy.hang_up = HangUp.NEVER

    async def _command(self) -> None:
        """Let a person use Home Assistant for everything that can be done with a car, beside the rest."""
        using = self._drivers.use_home(self._commanded_car)
        self._commanding = asyncio.create_task(using)

    async def _slip(self) -> None:
        """Let one user be unreadable while that user's car is unplugged: nothing more is delivered of it."""
        car = await self._drivers.pick(is_plugged=True)
        owner = self._drivers.owner(car)
        slip = asyncio.create_task(self._faults.aim(owner, AIMED[0], SLIP))
        await asyncio.sleep(0.3)
        await self._drivers.swap_plug(car)
        await slip
        self._slipped_until = time.monotonic() + AFTER_A_SLIP

    def _end_life(self, *, was_killed: bool = False) -> None:
        life = self._timeline.lives[-1]
        life.ended, life.was_killed = time.time(), was_killed

    async def _until_ready(self) -> None:
        await until_loaded(self._home.api)
        self._timeline.lives[-1].ready = time.time()
