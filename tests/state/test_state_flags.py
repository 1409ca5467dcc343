"""Flags: a switch is offered where exactly one boolean of the settings says so."""

from typing import Any

import pytest

from custom_components.jedlix.api import ChargeSettings
from custom_components.jedlix.state.flags import Flag, flag, flag_key, with_flag

SOLAR, BIDIRECTIONAL = Flag.SOLAR_CHARGING, Flag.BIDIRECTIONAL_CHARGING


def settings_of(values: dict[str, Any]) -> ChargeSettings:
    return ChargeSettings.from_json({"isSmartChargingEnabled": True, **values})


@pytest.mark.parametrize(
    ("values", "which", "key"),
    [
        ({"useSolarProduction": True}, SOLAR, "useSolarProduction"),
        ({"UseSolar": False, "useSun": True}, SOLAR, "UseSolar"),
        ({"photovoltaic_first": True}, SOLAR, "photovoltaic_first"),
        ({"isSolarChargingEnabled": True, "solarNote": "x"}, SOLAR, "isSolarChargingEnabled"),
        ({"isBidirectionalChargingEnabled": False}, BIDIRECTIONAL, "isBidirectionalChargingEnabled"),
        ({"bi-directional": False}, BIDIRECTIONAL, "bi-directional"),
        ({"enableV2G": True}, BIDIRECTIONAL, "enableV2G"),
        ({"v2hEnabled": True, "useSolar": True}, BIDIRECTIONAL, "v2hEnabled"),
        ({"allowDischarging": True}, BIDIRECTIONAL, "allowDischarging"),
        # none, two, no boolean, not at the top
        ({}, SOLAR, None),
        ({"useSolarProduction": None}, SOLAR, None),
        ({"useSolarProduction": "true"}, SOLAR, None),
        ({"useSolarProduction": 1}, SOLAR, None),
        ({"useSolar": True, "solarOnly": False}, SOLAR, None),
        ({"solar": {"enabled": True}}, SOLAR, None),
        ({"isSolarDischargeAllowed": True}, SOLAR, None),
        ({"isSolarDischargeAllowed": True}, BIDIRECTIONAL, None),
        # another meaning
        ({"disableSolar": True}, SOLAR, None),
        ({"hasSolarPanels": True}, SOLAR, None),
        ({"hasSolarPanels": True, "useSolar": True}, SOLAR, None),
        ({"canDischarge": True}, BIDIRECTIONAL, None),
        ({"v2gSupported": True}, BIDIRECTIONAL, None),
    ],
)  # fmt: skip
def test_a_flag_is_found_where_one_boolean_says_so(
    values: dict[str, Any], which: Flag, key: str | None
) -> None:
    settings = settings_of(values)
    assert flag_key(settings, which) == key
    assert flag(settings, which) is (None if key is None else values[key])
    for enabled in (True, False):
        written = with_flag(settings, which, enabled=enabled)
        assert written == dict(settings.raw) | ({} if key is None else {key: enabled})


def test_without_settings_there_is_none() -> None:
    assert flag(None, SOLAR) is None
