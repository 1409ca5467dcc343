"""House: what a story works with, and the end that all stories share.

A story sets up, lets something slip, says what must hold meanwhile, and ends with `House.ends_well`: health
returns, and nothing is lost, invented, repeated or stuck.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
import logging
from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import (
    device_registry as dr,
    entity_registry as er,
    issue_registry as ir,
)
import pytest

from custom_components.jedlix.const import CONF_POLL_MINUTES, DOMAIN
from simulator.app import Simulator
from simulator.model import Change, Vehicle
from tests.tools import Clock, make_entry, record_events, set_time, until

SESSIONS = ("session_started", "session_ended")

_POLLS_UNTIL_HEALTH = 6
# A car that charges reports. What it reported longer ago says nothing of now.
_CHARGING_COUNTS_FOR = timedelta(hours=6)
_FAILED_POLL = "Error fetching jedlix data"


class House:
    """A Home Assistant with one entry, the Jedlix that it follows, and what was published since."""

    def __init__(
        self,
        hass: HomeAssistant,
        sim: Simulator,
        clock: Clock,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """Begin a story. What happens from now on is recorded."""
        self._monkeypatch = monkeypatch
        self.hass, self.sim, self.clock = hass, sim, clock
        self._caplog = caplog
        self.recorded = record_events(hass)
        self._removed_devices: list[str] = []
        self._timer: asyncio.TimerHandle | None = None
        self._waited = 0.0
        self._reported: Collection[str] = ()
        hass.bus.async_listen(dr.EVENT_DEVICE_REGISTRY_UPDATED, self._note_device)

    @callback
    def _note_device(self, event: Event[Any]) -> None:
        if event.data["action"] == "remove":
            self._removed_devices += [
                name for domain, name in event.data["device"]["identifiers"] if domain == DOMAIN
            ]

    async def set_up(
        self,
        callback_url: str | None,
        users: Iterable[str],
        options: Mapping[str, Any] | None = None,
    ) -> None:
        """Follow these users, and begin when all is quiet."""
        self.entry = make_entry(self.sim, callback_url, users=users, options=options)
        self.entry.add_to_hass(self.hass)
        await self.hass.config_entries.async_setup(self.entry.entry_id)
        await self.hass.async_block_till_done()
        self.followed = set(users)
        push = self.entry.runtime_data.push
        state = "off" if callback_url is None else "waiting"
        await until(self.hass, lambda: push.state == state)
        self._from_here()

    def _from_here(self) -> None:
        """Begin the story here."""
        changes = self.sim.world.changes
        self._after = changes[-1].n if changes else 0
        self.recorded.changes.clear()

    # -- people and cars -----------------------------------------------------------------------------------

    @property
    def car(self) -> Vehicle:
        """Return the first car."""
        return self.cars[0]

    @property
    def cars(self) -> list[Vehicle]:
        """Return the cars of the followed users."""
        return [car for car in self.sim.world.vehicles.values() if car.user_id in self.followed]

    def plug(self, car: Vehicle | None = None) -> str:
        """Plug a car in, and return the id of its session."""
        car = car or self.car
        self.sim.plug(car.id)
        assert car.session is not None
        return car.session.id

    def unplug(self, car: Vehicle | None = None) -> None:
        """Unplug a car, which reports once more before."""
        car = car or self.car
        self.sim.telemetry(car.id)
        self.sim.unplug(car.id)

    async def in_session(self, car: Vehicle | None = None) -> str:
        """Plug a car in and let a poll see it; returns the id of its session."""
        session_id = self.plug(car)
        await self.poll()
        return session_id

    def give_second_car(self) -> Vehicle:
        """Give the first user another car, which stays, and return it."""
        sim, user = self.sim, self.sim.world.users[self.sim.user_ids[0]]
        return sim.act(lambda now: sim.world.give_car(user, now))

    def fault(self, kind: str, **values: object) -> int:
        """Set an aimed fault, as POST /control/faults does; returns its number."""
        (number,) = self.sim.strike({"kind": kind, **values})
        self.clock.go_on(
            timedelta(seconds=1)
        )  # what follows happens later, in whole milliseconds too
        return number

    def end_fault(self, number: int) -> None:
        """End a fault."""
        self.sim.strike({"remove": [number]})

    def calm(self) -> None:
        """End all faults but those of the tenant itself."""
        self.sim.clear_faults()
        self.sim.strike(self.sim.settings.faults)

    def set_home_clock(self, minutes_ahead: float) -> None:
        """Set Home Assistant's clock ahead of the true time, or behind it."""
        ahead = timedelta(minutes=minutes_ahead)
        set_time(self._monkeypatch, lambda: self.clock.now() + ahead)

    # -- time ----------------------------------------------------------------------------------------------

    async def poll(self, times: int = 1, minutes: float | None = None) -> None:
        """Let time pass, and the poll come round where one is due, as the schedule has it."""
        minutes = minutes or self.entry.options[CONF_POLL_MINUTES]
        for _ in range(times):
            self.clock.go_on(timedelta(minutes=minutes))
            await self._poll_if_due(minutes)

    async def _poll_if_due(self, minutes: float) -> None:
        if self.entry.state is ConfigEntryState.SETUP_RETRY:
            await self.hass.config_entries.async_reload(self.entry.entry_id)
        elif self.entry.state is ConfigEntryState.LOADED:
            coordinator = self.entry.runtime_data.coordinator
            cancel = coordinator._unsub_refresh
            if cancel is not None and self._is_due(cancel.__self__, minutes):
                await coordinator.async_refresh()
        await self.hass.async_block_till_done()

    def _is_due(self, timer: asyncio.TimerHandle, minutes: float) -> bool:
        """Return whether a timer of the event loop, whose time does not move, fires by the story's time."""
        if timer is not self._timer:
            self._timer, self._waited = timer, 0.0
        self._waited += minutes * 60
        return timer.when() - self.hass.loop.time() < self._waited + 1

    async def quiet(self) -> None:
        """Wait until Jedlix has not been called for a moment."""
        answered = -1
        while answered != self.sim.requests_answered:
            answered = self.sim.requests_answered
            await asyncio.sleep(0.1)
        await self.hass.async_block_till_done()

    async def reload(self) -> None:
        """Reload the entry, as a restart of Home Assistant would load it again."""
        await self.hass.config_entries.async_reload(self.entry.entry_id)
        await self.hass.async_block_till_done()

    # -- what is shown -------------------------------------------------------------------------------------

    def state(self, key: str, car: Vehicle | None = None) -> str | None:
        """Return the state of a car's entity, such as `switch.boost`, None where there is none."""
        car = car or self.car
        domain, _, name = key.partition(".")
        unique_id = f"{car.user_id}_{car.id}_{name}"
        entity_id = er.async_get(self.hass).async_get_entity_id(domain, DOMAIN, unique_id)
        state = None if entity_id is None else self.hass.states.get(entity_id)
        return None if state is None else state.state

    def is_available(self, car: Vehicle | None = None) -> bool:
        """Return whether a car's entities are available."""
        return self.state("sensor.charge_state", car) not in {None, STATE_UNAVAILABLE}

    async def use(self, key: str, service: str, car: Vehicle | None = None, **data: object) -> None:
        """Use a car's control, as a person would."""
        car = car or self.car
        domain, _, name = key.partition(".")
        entity_id = er.async_get(self.hass).async_get_entity_id(
            domain, DOMAIN, f"{car.user_id}_{car.id}_{name}"
        )
        assert entity_id is not None
        await self.hass.services.async_call(
            domain, service, {"entity_id": entity_id, **data}, blocking=True
        )

    @property
    def reauths(self) -> int:
        """Return how many dialogs ask for new credentials."""
        return len(self.hass.config_entries.flow.async_progress_by_handler(DOMAIN))

    @property
    def repairs(self) -> list[str]:
        """Return the repairs that a person sees."""
        return [
            str(issue.translation_key)
            for issue in ir.async_get(self.hass).issues.values()
            if issue.domain == DOMAIN and issue.active
        ]

    @property
    def devices(self) -> set[str]:
        """Return the identifiers of the entry's devices."""
        found = dr.async_entries_for_config_entry(dr.async_get(self.hass), self.entry.entry_id)
        return {name for device in found for _, name in device.identifiers}

    def device_id(self, car: Vehicle) -> str:
        """Return the id of a car's device."""
        identifier = (DOMAIN, f"{car.user_id}_{car.id}")
        registry = dr.async_get(self.hass)
        device = registry.async_get_device_by_identifier(identifier, self.entry.entry_id)
        assert device is not None
        return device.id

    def published(self, *types: str) -> list[tuple[str, str]]:
        """Return the changes of these types as their type and session, in order."""
        return [
            (change["type"], change["session_id"])
            for change in self.recorded.changes
            if change["type"] in types
        ]

    def logged(self, words: str) -> int:
        """Return how many lines of the log have these words."""
        return sum(words in record.getMessage() for record in self._caplog.records)

    def calls(self, path: str) -> int:
        """Return how many calls Jedlix has answered whose path has this in it."""
        return sum(path in request.path for request in self.sim.requests)

    # -- meanwhile -----------------------------------------------------------------------------------------

    def missing_features(self) -> list[str]:
        """Return what the account's page says that Jedlix does not offer."""
        state = self.hass.states.get("sensor.jedlix_not_offered")
        assert state is not None
        features: list[str] = state.attributes["features"]
        assert state.state == str(len(features))
        return features

    def nothing_is_gone(self) -> None:
        """See that no device was removed, and that nothing was published as removed or ended."""
        assert not self._removed_devices, f"removed: {self._removed_devices}"
        invented = self._invented(("vehicle_removed", "session_ended", "unplugged"))
        assert not invented, invented

    # -- the end that all stories share --------------------------------------------------------------------

    async def ends_well(
        self,
        *,
        polls: int = _POLLS_UNTIL_HEALTH,
        errors: Collection[str] = (),
        other_ends: bool = False,
        changes: Collection[str] = (),
    ) -> None:
        """Let health return, go on for a while and compare with the truth, also after a restart.

        `polls`: within so many, all is available and right again. `errors`: words of expected lines in the
        log. `other_ends`: Jedlix reported other ends than the true ones, so only their number is compared.
        `changes`: types of changes that Jedlix reported although they did not happen.
        """
        self._reported = changes
        self.calm()
        await self.sim.delivered()
        for _ in range(polls):
            await self.poll()
            if not (wrong := self._wrong_now()):
                break
        assert not wrong, f"health does not return: {wrong}"
        await self._go_on()
        wrong = self._wrong(errors, other_ends=other_ends)
        assert not wrong, "\n".join(wrong)
        await self.reload()
        await self.poll()
        wrong = self._wrong(errors, other_ends=other_ends)
        assert not wrong, "\n".join(["after a restart:", *wrong])

    async def _go_on(self) -> None:
        """Let each car have a session from its start to its end: nothing may be stuck."""
        for car in self.cars:
            if car.plugged_in:
                self.unplug(car)
        await self._poll_and_compare()
        for car in self.cars:
            self.plug(car)
        await self._poll_and_compare()
        self.sim.advance(hours=0.5)
        for car in self.cars:
            self.unplug(car)
        await self._poll_and_compare()

    async def _poll_and_compare(self) -> None:
        await self.poll()
        wrong = self._wrong_now()
        assert not wrong, f"stuck: {wrong}"

    def _wrong(self, errors: Collection[str], *, other_ends: bool) -> list[str]:
        return [
            *self._wrong_sessions(other_ends=other_ends),
            *self._wrong_now(),
            *self._wrong_lines(errors),
            *self._wrong_devices(),
            *self._invented(),
        ]

    @property
    def _happened(self) -> list[Change]:
        return [
            change
            for change in self.sim.world.changes
            if change.n > self._after and change.user_id in self.followed
        ]

    def _wrong_sessions(self, *, other_ends: bool) -> list[str]:
        """Return what differs in the sessions that were published: their number, order, ids and times."""
        truth: defaultdict[str | None, list[tuple[str, ...]]] = defaultdict(list)
        shown: defaultdict[str | None, list[tuple[str, ...]]] = defaultdict(list)
        sessions = self.sim.world.sessions.by_id
        for change in self._happened:
            if change.type in SESSIONS:
                session = sessions[change.session_id or ""]
                is_end = change.type == "session_ended"
                at = session.end if is_end else session.start
                time = "" if at is None or (is_end and other_ends) else at.isoformat()
                line = (change.type, session.id, change.user_id, session.start.isoformat(), time)
                truth[change.vehicle_id].append(line)
        for event in self.recorded.changes:
            if (kind := event["type"]) in SESSIONS:
                is_end = kind == "session_ended"
                time = "" if is_end and other_ends else event["occurred_at"]
                line = (kind, event["session_id"], event["user_id"], event["started_at"], time)
                shown[event["vehicle_id"]].append(line)
        return [
            f"sessions of {vehicle_id}:\n  published {shown[vehicle_id]}\n  happened {truth[vehicle_id]}"
            for vehicle_id in truth.keys() | shown.keys()
            if shown[vehicle_id] != truth[vehicle_id]
        ]

    def _invented(self, types: Collection[str] = ()) -> list[str]:
        """Return the changes that were published more often than they happened."""
        happened = Counter((change.type, change.vehicle_id) for change in self._happened)
        published = Counter(
            (change["type"], change["vehicle_id"])
            for change in self.recorded.changes
            if not types or change["type"] in types
        )
        return [
            f"published {count} times, happened {happened[key]} times: {key[0]} of {key[1]}"
            for key, count in published.items()
            if count > happened[key] and key[0] not in self._reported
        ]

    @property
    def _true_devices(self) -> set[str]:
        users = [self.sim.world.users[user_id] for user_id in self.followed]
        cars = {f"{car.user_id}_{car.id}" for car in self.cars}
        chargers = {f"{user.id}_{charger.id}" for user in users for charger in user.chargers}
        locations = {
            f"{user.id}_{place.id}"
            for user in users
            for place in user.locations
            if place.tariff is not None
        }
        return {self.entry.entry_id} | cars | chargers | locations

    def _wrong_devices(self) -> list[str]:
        """Return the devices that were removed although their cars and chargers are there."""
        if "vehicle_removed" in self._reported:
            return []
        return [
            f"device removed: {name}"
            for name in self._removed_devices
            if name in self._true_devices
        ]

    def _wrong_now(self) -> list[str]:
        """Return what is not as it should be at this moment."""
        wrong = []
        if self.entry.state is not ConfigEntryState.LOADED:
            return [f"the entry is {self.entry.state}"]
        if self.devices != self._true_devices:
            wrong.append(f"devices: {self.devices ^ self._true_devices}")
        for car in self.cars:
            for key, expected in self._expected_states(car).items():
                if (shown := self.state(key, car)) != expected:
                    wrong.append(f"{key} of {car.id}: {shown}, not {expected}")
        if self.reauths:
            wrong.append("new credentials are asked for")
        if self.repairs:
            wrong.append(f"repairs: {self.repairs}")
        push = self.entry.runtime_data.push.state
        if push not in {"off", "waiting", "healthy", "limited"}:
            wrong.append(f"push is {push}")
        return wrong

    def _wrong_lines(self, errors: Collection[str]) -> list[str]:
        """Return the unexpected errors of the log. A failed poll may say so in one line."""
        return [
            f"logged: {record.name}: {record.getMessage()}"
            for record in self._caplog.records
            if (record.levelno >= logging.ERROR or record.exc_info)
            and record.levelno >= logging.WARNING
            and not any(words in record.getMessage() for words in (_FAILED_POLL, *errors))
        ]

    def _expected_states(self, car: Vehicle) -> dict[str, str]:
        """Return what a car's entities must show."""
        session, state = car.session, car.report.state.value
        kind = "none" if session is None else "smart" if session.is_managed else "unmanaged"
        is_on = {False: "off", True: "on"}
        is_old = self.clock.now() - car.report.at > _CHARGING_COUNTS_FOR
        started = STATE_UNKNOWN if session is None else session.start.isoformat(timespec="seconds")
        states = {
            "sensor.charge_state": state,
            "sensor.session": kind,
            "sensor.session_started": started,
            "binary_sensor.plugged_in": is_on[state != "disconnected"],
            "binary_sensor.charging": STATE_UNKNOWN
            if state == "charging" and is_old
            else is_on[state == "charging"],
            "binary_sensor.smart_session": is_on[kind == "smart"],
            "binary_sensor.vehicle_link": is_on[car.is_connected],
            "switch.smart_charging": is_on[car.smart_charging],
            "number.desired_battery_level": str(car.settings["desiredBatteryLevel"]),
            "number.minimum_battery_level": str(car.settings["minimumBatteryLevel"]),
        }
        if kind == "smart" and "session_settings" not in self.sim.faults.absent:
            assert session is not None
            states["switch.boost"] = is_on[session.boost]
        if car.reads_battery:
            states["sensor.battery_level"] = str(car.report.battery_level)
            states["sensor.range"] = str(car.report.range_km)
        return states
