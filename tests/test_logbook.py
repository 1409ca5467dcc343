"""What the logbook says."""

from collections.abc import Callable
from typing import Any

from homeassistant.core import Event, HomeAssistant
from homeassistant.helpers import device_registry as dr
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix import logbook
from custom_components.jedlix.const import EVENT_CHANGE
from custom_components.jedlix.state.changes import ChangeType


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"type": "plugged_in"}, "was plugged in"),
        ({"type": "session_ended", "late": True}, "ended a charging session (reported late)"),
        ({"type": "something else"}, "changed"),
        ({}, "changed"),
    ],
)
async def test_a_change_is_told_of_its_car(
    hass: HomeAssistant, entry: MockConfigEntry, data: dict[str, Any], message: str
) -> None:
    car = next(
        device
        for device in dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
        if device.name == "Tesla Model 3"
    )
    described: list[Callable[[Event[Any]], dict[str, str]]] = []
    logbook.async_describe_events(hass, lambda _domain, _event, how: described.append(how))
    told = [
        described[0](Event(EVENT_CHANGE, told_of))
        for told_of in (data | {"device_id": car.id}, data)
    ]
    assert [(line["name"], line["message"]) for line in told] == [
        ("Tesla Model 3", message),
        ("Jedlix", message),
    ]


def test_every_change_has_words() -> None:
    assert set(logbook._MESSAGES) == {kind.value for kind in ChangeType}
