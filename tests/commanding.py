"""What tests of controls and actions share: a car's entities, its controls, errors as one reads them."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from homeassistant.core import HomeAssistant, State
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.translation import async_get_translations
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix.const import DOMAIN
from simulator.app import Simulator

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
    """See an attempt fail with a text that can be read in each language; returns the English one."""
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


async def poll(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Poll now, as the schedule would."""
    await entry.runtime_data.coordinator.async_refresh()
    await hass.async_block_till_done()


def mark(sim: Simulator) -> Callable[[], list[str]]:
    """Return what tells the API calls from now on, tokens and registrations left aside."""
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
    """Return the warnings and errors that were logged, and what an integration must not do."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelname in {"WARNING", "ERROR", "CRITICAL"}
        and record.name != "asyncio"  # says that the machine is busy
        and "has not been tested by Home Assistant" not in record.getMessage()
    ]
