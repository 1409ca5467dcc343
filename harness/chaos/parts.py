"""Parts of a run that is going on: the processes, and who disturbs them."""

from collections.abc import Iterable
import json
from pathlib import Path
import time
from typing import Any

from ..entities import our_devices, our_entities
from ..home import Home
from ..simulator import Simulator
from . import automations, wrong_clock
from .car import Car
from .drivers import Drivers
from .evaluation import Setting
from .faults import ApiFaults
from .final_states import Account
from .first_look import LARGE_FLEET, wrong_first_look
from .interruptions import Interruptions
from .leaks import stored_entry
from .options import Options
from .outage import Outage
from .proxy import Proxy
from .recording import Recording
from .strangers import Strangers
from .timeline import Life, Timeline
from .truth import Truth

AT_ONCE = 2.0
"""Seconds between two deliveries that may arrive in another order."""
ONE_TYPE = "sessionStarted"
"""The event type of the automation for one type."""


class Parts:
    """The parts of a run that is going on."""

    drivers: Drivers
    faults: ApiFaults
    strangers: Strangers
    interruptions: Interruptions
    outage: Outage
    setting: Setting
    first_look: list[str]
    """What was wrong with the entities right after the account was added."""
    _area: str

    def __init__(
        self,
        *,
        home: Home,
        simulator: Simulator,
        proxy: Proxy,
        before: dict[str, Any],
        timeline: Timeline,
    ) -> None:
        """Take the processes; the rest comes with `learn`."""
        self.home = home
        self.simulator = simulator
        self.proxy = proxy
        self.before = before
        self.timeline = timeline

    @property
    def recording(self) -> Recording:
        """What was recorded so far."""
        return Recording.read(self.home.folder)

    def set_clock_wrong(self, library: Path) -> None:
        """Have the clock of Home Assistant hours ahead, from the next start on."""
        self.home.started_by = wrong_clock.command(library)
        (self.home.folder / "clock_ahead").write_text(str(wrong_clock.AHEAD), encoding="ascii")

    def set_clock_right(self) -> None:
        """Have the clock of Home Assistant right again, from the next start on."""
        self.home.started_by = ()
        (self.home.folder / "clock_ahead").unlink(missing_ok=True)

    async def start_home(self) -> None:
        """Start Home Assistant for the first time."""
        self.timeline.lives.append(Life(time.time()))
        await self.home.start()

    async def prepare_registries(self) -> None:
        """Enable the entities that are disabled by default, and put the first car into an area.

        Home Assistant would reload the entry half a minute after it is asked to enable them, so its file is
        changed.
        """
        first = next(car for user in self.before["users"] for car in user["vehicles"])
        async with await self.home.api.websocket() as socket:
            devices = await our_devices(socket)
            is_large = len(self.before["users"]) >= LARGE_FLEET
            members = {it.device_id for it in devices if it.subentry_id is not None and is_large}
            self.first_look = list(wrong_first_look(await our_entities(socket), members))
            area = await socket.call("config/area_registry/create", name="Garage")
            for device in devices:
                if f"{first['user_id']}_{first['id']}" in device.identifiers:
                    await socket.call(
                        "config/device_registry/update",
                        device_id=device.device_id,
                        area_id=area["area_id"],
                    )
        self._area = str(area["area_id"])
        await self.home.stop()
        path = self.home.folder / ".storage" / "core.entity_registry"
        registry = json.loads(path.read_text(encoding="utf-8"))
        for entity in registry["data"]["entities"]:
            if entity["platform"] == "jedlix":
                entity["disabled_by"] = None
        path.write_text(json.dumps(registry), encoding="utf-8")
        await self.home.start()

    async def learn(self, entry_id: str, options: Options) -> None:
        """Learn devices and entities, write the automations, and prepare who disturbs."""
        async with await self.home.api.websocket() as socket:
            devices, entities = await our_devices(socket), await our_entities(socket)
        ids = {name: device.device_id for device in devices for name in device.identifiers}
        shown = [car for user in self.before["users"] for car in user["vehicles"]]
        cars = {
            car["id"]: Car(
                user_id=car["user_id"],
                device_id=ids[f"{car['user_id']}_{car['id']}"],
                entities={
                    f"{entity.domain} {entity.key}": entity.entity_id
                    for entity in entities
                    if entity.device_id == ids[f"{car['user_id']}_{car['id']}"]
                },
                is_plugged=car["plugged_in"],
                is_smart=car["settings"]["isSmartChargingEnabled"],
                is_linked=car["is_connected"],
            )
            for car in shown
        }
        *driven, spare, old = cars
        first = driven[0]
        automations.write(
            self.home.folder,
            devices=[car.device_id for car in cars.values()],
            entities=[car.entities["event session"] for car in cars.values()],
            area=self._area,
            event_type=ONE_TYPE,
        )
        await self.home.api.call_action("automation", "reload")
        self.setting = Setting(
            entry_id=entry_id,
            devices=ids,
            before={car["id"]: car for car in shown},
            first_car=first,
            one_type=ONE_TYPE,
            is_full=options.full,
        )
        self.drivers = Drivers(
            self.simulator,
            self.home,
            self.timeline,
            cars,
            seed=options.seed,
            is_strict=options.strict,
        )
        self.drivers.resting |= {spare, old}
        users = [cars[car].user_id for car in driven]
        self.faults = ApiFaults(
            self.simulator,
            self.timeline,
            users,
            seed=options.seed,
            drivers=self.drivers,
            is_full=options.full,
        )
        self.interruptions = Interruptions(
            self.home,
            self.simulator,
            self.timeline,
            proxy=self.proxy,
            drivers=self.drivers,
            faults=self.faults,
            seed=options.seed,
            old_car=old,
            spare_car=spare,
            commanded_car=first,
        )
        others = {car: cars[car].device_id for car in driven if car != first}
        self.outage = Outage(self.home, self.drivers, self.faults, others)
        test = next(item for item in await self.simulator.deliveries() if item["is_test"])
        url = test["url"].replace(self.proxy.url, self.home.base_url)
        message = test["message"] | {"isTest": False, "userId": users[0]}
        key = stored_entry(self.home.folder)["webhook_key"]
        self.strangers = Strangers(url, key, message, self.timeline, seed=options.seed)

    async def move_in(self, *cars: str) -> None:
        """Have one of these cars take the place of the first one in the area."""
        car = next(car for car in cars if car != self.setting.first_car)
        ids = [self.drivers.car(it).device_id for it in (self.setting.first_car, car)]
        async with await self.home.api.websocket() as socket:
            for device_id, area in zip(ids, (None, self._area), strict=True):
                await socket.call(
                    "config/device_registry/update", device_id=device_id, area_id=area
                )
        self.timeline.moved_in.append((time.time(), car))

    def account(self, truth: Truth) -> Account:
        """Return what the account's sensors must show."""
        life = self.timeline.lives[-1]
        began = life.began
        received: dict[str, float] = {}
        for line in self.recording.webhooks:
            if line.at > began and line.data.get("source") == "webhook":
                received.setdefault(str(line.data.get("event_id")), line.at)
        refused = [at for at in self.strangers.refused if at > began]

        def counts(times: Iterable[float]) -> tuple[int, int]:
            moments = list(times)
            return sum(at > life.ready for at in moments), len(moments)

        created = {item["id"]: item["created_at"] for item in truth.deliveries}
        first: dict[str, float] = {}
        for item in truth.sent:
            if item.status == 200 and item.at > began:
                first.setdefault(item.delivery_id, item.at)
        last_sent = max(first.values(), default=0.0)
        return Account(
            received=counts(received.values()),
            rejected=counts(refused),
            last_sent=last_sent,
            last_delays=[
                at - created[delivery_id]
                for delivery_id, at in first.items()
                if last_sent - at < AT_ONCE
            ],
        )
