"""Logbook: the text of each change, under the name of its car."""

from collections.abc import Callable
from typing import Any

from homeassistant.core import Event, HomeAssistant
from homeassistant.helpers import device_registry as dr
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix import logbook
from custom_components.jedlix.const import EVENT_CHANGE
from custom_components.jedlix.state.changes import ChangeType

type Describe = Callable[[Event[Any]], dict[str, str]]


def get_describe(hass: HomeAssistant) -> Describe:
    """Return what describes a change."""
    found: list[Describe] = []
    logbook.async_describe_events(hass, lambda _domain, _event, how: found.append(how))
    return found[0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"type": "plugged_in"}, "was plugged in"),
        ({"type": "session_ended", "late": True}, "ended a charging session (reported late)"),
        ({"type": "something else"}, "changed"),
        ({}, "changed"),
    ],
)
async def test_a_change_is_described_under_the_name_of_its_car(
    hass: HomeAssistant, entry: MockConfigEntry, data: dict[str, Any], message: str
) -> None:
    describe = get_describe(hass)
    (car,) = (
        device
        for device in dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
        if device.name == "Tesla Model 3"
    )
    of_car = describe(Event(EVENT_CHANGE, data | {"device_id": car.id}))
    assert of_car == {"name": "Tesla Model 3", "message": message}
    assert describe(Event(EVENT_CHANGE, data)) == {"name": "Jedlix", "message": message}


async def test_each_type_of_change_has_a_text_of_its_own(hass: HomeAssistant) -> None:
    describe = get_describe(hass)
    texts = {describe(Event(EVENT_CHANGE, {"type": kind.value}))["message"] for kind in ChangeType}
    assert len(texts - {"changed"}) == len(ChangeType)
