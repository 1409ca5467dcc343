"""Logbook: the text of each change, under the name of its car."""

from collections.abc import Callable
from typing import Any

from homeassistant.core import Event, HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.translation import async_load_integrations
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.jedlix import logbook
from custom_components.jedlix.const import DOMAIN, EVENT_LOGBOOK_LINE
from custom_components.jedlix.state.changes import ChangeType

type Describe = Callable[[Event[Any]], dict[str, str]]


def get_describe(hass: HomeAssistant) -> Describe:
    """Return what describes a change."""
    found: list[Describe] = []
    logbook.async_describe_events(hass, lambda _domain, _event, how: found.append(how))
    return found[0]


@pytest.mark.parametrize(
    ("language", "data", "message", "icon"),
    [
        ("en", {"type": "plugged_in"}, "was plugged in", "mdi:power-plug"),
        ("nl", {"type": "plugged_in"}, "is aangesloten", "mdi:power-plug"),
        ("sv", {"type": "plugged_in"}, "was plugged in", "mdi:power-plug"),
        (
            "de",
            {"type": "session_ended", "late": True},
            "beendete eine Ladesitzung (nachträglich gemeldet)",
            "mdi:calendar-end",
        ),
        ("fr", {"type": "something else"}, "a changé", "mdi:ev-station"),
        ("en", {"type": ["no name"]}, "changed", "mdi:ev-station"),
        ("en", {}, "changed", "mdi:ev-station"),
    ],
)
async def test_a_change_is_described_under_the_name_of_its_car_in_the_language_of_the_server(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    language: str,
    data: dict[str, Any],
    message: str,
    icon: str,
) -> None:
    hass.config.language = language
    await async_load_integrations(hass, {DOMAIN})
    describe = get_describe(hass)
    (car,) = (
        device
        for device in dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
        if device.name == "Tesla Model 3"
    )
    of_car = describe(Event(EVENT_LOGBOOK_LINE, data | {"device_id": car.id}))
    assert of_car == {"name": "Tesla Model 3", "message": message, "icon": icon}
    assert describe(Event(EVENT_LOGBOOK_LINE, data)) == of_car | {"name": "Jedlix"}


async def test_each_type_of_change_has_a_text_of_its_own_and_an_icon(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    described = [
        get_describe(hass)(Event(EVENT_LOGBOOK_LINE, {"type": kind.value})) for kind in ChangeType
    ]
    assert len({line["message"] for line in described} - {"changed"}) == len(ChangeType)
    assert "mdi:ev-station" not in {line["icon"] for line in described}


async def test_a_change_has_words_also_where_no_text_is_loaded(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logbook, "async_get_cached_translations", lambda *_: {})
    change = Event(EVENT_LOGBOOK_LINE, {"type": "plugged_in", "late": True})
    assert get_describe(hass)(change)["message"] == "plugged in"
