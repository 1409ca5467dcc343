"""Tools of tests about cars: their entities, controls and sessions, and errors as a person reads them."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final

from homeassistant.core import HomeAssistant, State
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.translation import async_get_translations
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.const import CONF_POLL_MINUTES, DOMAIN
from simulator.app import Simulator
from simulator.model import Session
from tests.tools import make_entry, set_up, set_up_with_push, until

LANGUAGES: Final = ("en", "nl", "de", "fr")


def device_of(
    hass: HomeAssistant, entry: MockConfigEntry, sim: Simulator, number: int = 0
) -> dr.DeviceEntry:
    """Return the device of one of the simulator's cars."""
    identifier = f"{sim.vehicle(sim.vehicle_ids[number]).user_id}_{sim.vehicle_ids[number]}"
    device = dr.async_get(hass).async_get_device_by_identifier((DOMAIN, identifier), entry.entry_id)
    assert device is not None
    return device


def entity_of(hass: HomeAssistant, sim: Simulator, key: str, number: int = 0) -> str | None:
    """Return the id of a car's entity, None where there is none."""
    car = sim.vehicle(sim.vehicle_ids[number])
    platform, _, name = key.partition(".")
    return er.async_get(hass).async_get_entity_id(
        platform, DOMAIN, f"{car.user_id}_{car.id}_{name}"
    )


def car_state(hass: HomeAssistant, sim: Simulator, key: str, number: int = 0) -> State:
    """Return the state of a car's entity, such as `switch.boost`; it must be there."""
    entity_id = entity_of(hass, sim, key, number)
    assert entity_id is not None, f"no {key}"
    state = hass.states.get(entity_id)
    assert state is not None
    return state


async def command(
    hass: HomeAssistant, sim: Simulator, key: str, service: str, number: int = 0, **data: Any
) -> None:
    """Use a car's control, as a person would."""
    entity_id = entity_of(hass, sim, key, number)
    assert entity_id is not None, f"no {key}"
    platform = key.partition(".")[0]
    await hass.services.async_call(
        platform, service, {"entity_id": entity_id, **data}, blocking=True
    )


async def fails(
    hass: HomeAssistant,
    attempt: Awaitable[object],
    key: str,
    kind: type[HomeAssistantError] = HomeAssistantError,
) -> str:
    """Check that an attempt fails with a text in each language; returns the English one."""
    with pytest.raises(HomeAssistantError) as caught:
        await attempt
    error = caught.value
    assert (error.translation_domain, error.translation_key) == (DOMAIN, key), repr(error)
    assert type(error) is kind
    read = []
    for language in LANGUAGES:
        texts = await async_get_translations(hass, language, "exceptions", [DOMAIN])
        text = texts[f"component.{DOMAIN}.exceptions.{key}.message"]
        read.append(text.format(**(error.translation_placeholders or {})))
    assert len(set(read)) == len(LANGUAGES)
    assert str(error) == read[0].rstrip(".")
    return read[0]


async def set_up_with_rare_polls(
    hass: HomeAssistant, sim: Simulator, callback_url: str | None = None
) -> MockConfigEntry:
    """Set an entry up, with push where there is a URL; a day without a poll is no gap for it."""
    options = {CONF_POLL_MINUTES: 600}
    if callback_url is not None:
        return await set_up_with_push(hass, sim, callback_url, options=options)
    entry = make_entry(sim, None, options=options)
    await set_up(hass, entry)
    return entry


async def poll(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Poll now, as the schedule would."""
    await entry.runtime_data.coordinator.async_refresh()
    await hass.async_block_till_done()


def source_of(entry: MockConfigEntry) -> str:
    """Return the source of the changes that Jedlix reports to this entry."""
    return "poll" if entry.runtime_data.push.state == "off" else "webhook"


async def refreshed(
    hass: HomeAssistant, entry: MockConfigEntry, condition: Callable[[], object]
) -> None:
    """Wait for a refresh: it comes by itself where there is push, with a poll where there is none."""
    if source_of(entry) == "poll":
        await poll(hass, entry)
        assert condition()
    else:
        await until(hass, condition)


def add_session(sim: Simulator, start: datetime, end: datetime | None, **values: Any) -> Session:
    """Add a session of the simulator's first car, unmanaged and without figures unless given."""
    session = Session(
        **{
            "id": f"session of {start}",
            "user_id": sim.user_ids[0],
            "vehicle_id": sim.vehicle_ids[0],
            "charging_location_id": None,
            "is_managed": False,
            "start": start,
            "last_met": end or start,
            "end": end,
        }
        | values
    )
    sim.world.sessions.add(session)
    return session


def delete_session(sim: Simulator, session: Session) -> None:
    """Delete a session at Jedlix."""
    log = sim.world.sessions
    del log.by_id[session.id]
    for listed in (log._by_start, log._by_end, log._by_user[session.user_id]):
        if session in listed:
            listed.remove(session)


def sessions_between(sim: Simulator, start: datetime, end: datetime) -> list[Session]:
    """Return the sessions of the first car that were running in a period, oldest first."""
    return sorted(
        (
            session
            for session in sim.world.sessions.by_id.values()
            if session.vehicle_id == sim.vehicle_ids[0]
            and session.start < end
            and (session.end is None or session.end > start)
        ),
        key=lambda session: session.start,
    )


def mark(sim: Simulator) -> Callable[[], list[str]]:
    """Return a function that lists the API calls from now on, but for tokens and subscriptions."""
    begin = sim.requests_answered

    def calls() -> list[str]:
        kept = list(sim.requests)[begin - sim.requests_answered or len(sim.requests) :]
        return [
            f"{call.method} {call.path}"
            for call in kept
            if not call.path.startswith(("/oauth", "/api/v1/webhooks"))
        ]

    return calls


def troubles(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings and errors that were logged."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelname in {"WARNING", "ERROR", "CRITICAL"}
        and record.name != "asyncio"  # it logs that the machine is busy
        and "has not been tested by Home Assistant" not in record.getMessage()
    ]
