"""Tools of the tests: an entry for a simulator, recorded events of the bus, a clock, states."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

from homeassistant.config_entries import ConfigSubentryData
from homeassistant.const import CONF_API_KEY, CONF_CLIENT_ID, CONF_CLIENT_SECRET, CONF_WEBHOOK_ID
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.const import (
    CONF_AUDIENCE,
    CONF_BASE_URL,
    CONF_CALLBACK,
    CONF_CALLBACK_URL,
    CONF_ENVIRONMENT,
    CONF_EVENT_TYPES,
    CONF_FOLLOW_NEW_USERS,
    CONF_IMPORT_ENERGY,
    CONF_POLL_MINUTES,
    CONF_TOKEN_URL,
    CONF_USER_ID,
    CONF_WEBHOOK_KEY,
    DOCUMENTED_EVENT_TYPES,
    DOMAIN,
    EVENT_CHANGE,
    EVENT_WEBHOOK,
    SUBENTRY_USER,
)
from simulator.app import Simulator
from simulator.event_types import NEVER_SENT

WEBHOOK_ID: Final = "a-webhook-id"
WEBHOOK_KEY: Final = "a-webhook-key-of-enough-length"


def add_another_account(hass: HomeAssistant, sim: Simulator, user_id: str) -> None:
    """Add another party's account that follows a user; it is not set up."""
    another = make_entry(sim, None, users=[user_id])
    another.add_to_hass(hass)
    hass.config_entries.async_update_entry(another, unique_id="another party")


def event_types_that_happen(sim: Simulator) -> list[str]:
    """Return the event types of the simulator that something in its world causes."""
    reported = sim.settings.reported_events.items()
    return [*DOCUMENTED_EVENT_TYPES, *(name for kind, name in reported if kind not in NEVER_SENT)]


def make_entry(
    sim: Simulator,
    callback_url: str | None,
    *,
    users: Iterable[str] | None = None,
    options: Mapping[str, Any] | None = None,
) -> MockConfigEntry:
    """Return an entry that follows the simulator's users, with push where a callback URL is given."""
    return MockConfigEntry(
        domain=DOMAIN,
        minor_version=2,
        title="Jedlix",
        unique_id=f"{sim.url.removeprefix('http://')}/client",
        data={
            CONF_ENVIRONMENT: "custom",
            CONF_CLIENT_ID: "client",
            CONF_CLIENT_SECRET: "secret",
            CONF_API_KEY: "key",
            CONF_BASE_URL: sim.url,
            CONF_TOKEN_URL: f"{sim.url}/oauth/token",
            CONF_AUDIENCE: sim.url,
            CONF_WEBHOOK_ID: WEBHOOK_ID,
            CONF_WEBHOOK_KEY: WEBHOOK_KEY,
            CONF_CALLBACK: "none" if callback_url is None else "custom",
            CONF_CALLBACK_URL: callback_url,
        },
        options={
            CONF_EVENT_TYPES: event_types_that_happen(sim),
            CONF_POLL_MINUTES: 5,
            CONF_FOLLOW_NEW_USERS: False,
            CONF_IMPORT_ENERGY: False,
        }
        | dict(options or {}),
        subentries_data=[
            ConfigSubentryData(
                subentry_type=SUBENTRY_USER,
                data={CONF_USER_ID: user_id},
                title=user_id,
                unique_id=user_id,
            )
            for user_id in (sim.user_ids if users is None else users)
        ],
    )


async def set_up(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Set an entry up and wait until all that follows from it is done."""
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()


async def until(
    hass: HomeAssistant, condition: Callable[[], object], seconds: float = 10.0
) -> None:
    """Wait for something that comes over a socket, then until all that follows from it is done."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  there is no event to wait for
            await asyncio.sleep(0.005)
    await hass.async_block_till_done()


async def set_up_with_push(
    hass: HomeAssistant, sim: Simulator, callback_url: str, state: str = "waiting", **more: Any
) -> MockConfigEntry:
    """Return an entry that Jedlix's deliveries reach, once push has a state."""
    entry = make_entry(sim, callback_url, **more)
    await set_up(hass, entry)
    await until(hass, lambda: entry.runtime_data.push.state == state)
    return entry


@dataclass
class RecordedEvents:
    """The events that were fired on the bus.

    `session_settled` follows each end of a session that has figures; it is kept apart, in `settled`.
    """

    changes: list[dict[str, Any]] = field(default_factory=list)
    settled: list[dict[str, Any]] = field(default_factory=list)
    webhooks: list[dict[str, Any]] = field(default_factory=list)

    @property
    def types(self) -> list[str]:
        """Return the types of the changes, in the order in which they were published."""
        return [change["type"] for change in self.changes]


def set_time(monkeypatch: pytest.MonkeyPatch, now: Callable[[], datetime]) -> None:
    """Let Home Assistant's clocks, that of UTC and the local one, show what `now` returns."""

    def local(zone: tzinfo | None = None) -> datetime:
        return now().astimezone(zone or dt_util.get_default_time_zone())

    monkeypatch.setattr(dt_util, "utcnow", now)
    monkeypatch.setattr(dt_util, "now", local)


class Clock:
    """The time in Home Assistant and at Jedlix: that of this machine, moved forward by the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, sim: Simulator) -> None:
        """Take over both clocks."""
        self._ahead = timedelta(0)
        set_time(monkeypatch, self.now)
        sim.clock = self.now

    def now(self) -> datetime:
        """Return the time."""
        return datetime.now(UTC) + self._ahead

    def go_on(self, pause: timedelta) -> None:
        """Move forward. Timers do not fire."""
        self._ahead += pause


def record_events(hass: HomeAssistant) -> RecordedEvents:
    """Record all events of the integration from now on."""
    recorded = RecordedEvents()

    @callback
    def keep_change(event: Event) -> None:
        is_settled = event.data.get("type") == "session_settled"
        (recorded.settled if is_settled else recorded.changes).append(dict(event.data))

    @callback
    def keep_webhook(event: Event) -> None:
        recorded.webhooks.append(dict(event.data))

    hass.bus.async_listen(EVENT_CHANGE, keep_change)
    hass.bus.async_listen(EVENT_WEBHOOK, keep_webhook)
    return recorded


def state_of(hass: HomeAssistant, unique_id_end: str, domain: str | None = None) -> str:
    """Return the state of the one entity of ours (of this domain) whose unique id ends so.

    Where a car and a charger both have one, it is the car's.
    """
    ours = [item for item in er.async_get(hass).entities.values() if item.platform == DOMAIN]
    chargers = {item.device_id for item in ours if item.translation_key == "state_updated"}
    found = [
        item.entity_id
        for item in ours
        if item.unique_id.endswith(unique_id_end)
        and unique_id_end.endswith(f"_{item.translation_key}")
        and domain in (None, item.domain)
    ]
    if len(found) > 1:
        found = [
            item.entity_id
            for item in ours
            if item.entity_id in found and item.device_id not in chargers
        ]
    assert len(found) == 1, found
    state = hass.states.get(found[0])
    assert state is not None, found
    return state.state
