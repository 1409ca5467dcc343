"""Actions: their fields, the error for bad input and for each failure, and how they are described."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, cast

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.util import dt as dt_util
from homeassistant.util.yaml import load_yaml_dict
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import voluptuous as vol

from custom_components.jedlix.const import DOMAIN
from simulator.app import Simulator
from tests.actions.calls import ACTIONS, CAR_ACTIONS, LONG_AGO, SOON, call_action
from tests.commanding import device_of, fails

pytestmark = pytest.mark.usefixtures("home", "no_second_try")

_YESTERDAY: Final = timedelta(days=-1)
SERVICES: Final = Path(__file__).parents[2] / "custom_components/jedlix/services.yaml"


@pytest.mark.parametrize(
    ("action", "data", "key"),
    [
        ("pause_smart_charging", {"until": LONG_AGO}, "time_in_the_past"),
        ("pause_smart_charging", {"until": timedelta(seconds=-1)}, "time_in_the_past"),
        ("set_current_battery_level", {"level": 101}, "level_out_of_range"),
        ("set_current_battery_level", {"level": -1}, "level_out_of_range"),
        ("get_sessions", {"start": _YESTERDAY, "end": timedelta(days=-2)}, "end_before_start"),
        ("get_sessions", {"start": timedelta(minutes=1)}, "end_before_start"),
        ("get_costs", {"start": LONG_AGO, "end": LONG_AGO}, "end_before_start"),
        ("get_costs", {"start": SOON}, "end_before_start"),
        ("get_costs", {"duration": 0}, "end_before_start"),
        ("get_costs", {"duration": -60}, "end_before_start"),
        ("get_costs", {"end": LONG_AGO}, "one_period"),
        ("get_costs", {"period": "today", "start": LONG_AGO}, "one_period"),
        ("get_sessions", {"period": "today", "duration": 60}, "one_period"),
        ("get_sessions", {"start": LONG_AGO, "duration": 60}, "one_period"),
        ("get_sessions", {"period": "today", "end": SOON}, "one_period"),
        ("get_prices", {"start": SOON, "end": LONG_AGO}, "end_before_start"),
        ("get_prices", {"duration": 0}, "end_before_start"),
        ("get_prices", {"period": "today", "end": SOON}, "one_price_period"),
        ("get_prices", {"start": LONG_AGO, "duration": 60, "end": SOON}, "one_price_period"),
        ("get_prices", {"start": LONG_AGO, "end": SOON}, "period_too_long"),
        ("get_prices", {"start": timedelta(0), "duration": 367 * 86400}, "period_too_long"),
        ("catch_up", {"since": timedelta(minutes=1)}, "time_in_the_future"),
        ("catch_up", {"since": timedelta(days=-7, minutes=-1)}, "too_long_ago"),
    ],
)
async def test_bad_input_is_an_error_and_nothing_is_written(
    hass: HomeAssistant,
    fleet: Simulator,
    loaded: MockConfigEntry,
    nothing_written: Callable[[], bool],
    action: str,
    data: dict[str, Any],
    key: str,
) -> None:
    now = dt_util.utcnow()
    data = {
        name: (now + value).isoformat() if isinstance(value, timedelta) else value
        for name, value in data.items()
    }
    devices = [device_of(hass, loaded, fleet, number).id for number in (0, 1)]
    text = await fails(
        hass, call_action(hass, action, device_id=devices, **data), key, ServiceValidationError
    )
    if key == "level_out_of_range":
        assert str(data["level"]) in text
    assert nothing_written()


@pytest.mark.parametrize(
    ("action", "data"),
    [
        ("boost", {"enabled": "perhaps"}),
        ("pause_smart_charging", {"until": "tomorrow"}),
        ("set_current_battery_level", {"level": "half"}),
        ("set_current_battery_level", {"level": None}),
        ("get_sessions", {"start": None}),
        ("get_costs", {"start": "2020-01-01", "end": "never"}),
        ("get_costs", {"period": "next_month"}),
        ("get_costs", {"duration": "a week"}),
        ("catch_up", {"since": "yesterday"}),
        ("resubscribe", {"since": SOON}),
    ],
)
async def test_input_of_the_wrong_type_is_refused_by_home_assistant(
    hass: HomeAssistant,
    fleet: Simulator,
    loaded: MockConfigEntry,
    action: str,
    data: dict[str, Any],
) -> None:
    with pytest.raises(vol.Invalid):
        await call_action(hass, action, device_id=device_of(hass, loaded, fleet).id, **data)


# Without a recorder there is nothing to import into.
@pytest.mark.parametrize("action", [*CAR_ACTIONS[:7], "catch_up"])
@pytest.mark.parametrize(("fault", "key"), [("api_500", "command_failed"), ("401", "auth_failed")])
async def test_a_failure_of_an_action_is_shown(
    hass: HomeAssistant,
    fleet: Simulator,
    loaded: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
    action: str,
    fault: str,
    key: str,
) -> None:
    number = 1 if action == "set_current_battery_level" else 0
    device_id = device_of(hass, loaded, fleet, number).id
    if fault == "401":
        monkeypatch.setattr(type(fleet.tokens), "is_valid", lambda *_: False)
    else:
        fleet.strike({fault: 1.0})
    await fails(hass, call_action(hass, action, device_id=device_id), key)
    # Whether the credentials are still good is a matter of the poll.
    assert not hass.config_entries.flow.async_progress_by_handler(DOMAIN)


async def test_services_yaml_describes_the_registered_actions_and_fields(
    hass: HomeAssistant, sim: Simulator, loaded: MockConfigEntry
) -> None:
    """Home Assistant shows what services.yaml describes."""
    described = load_yaml_dict(str(SERVICES))
    registered = hass.services.async_services_for_domain(DOMAIN)
    assert set(described) == set(registered) == set(ACTIONS)
    target = {"entity_id", "device_id", "area_id", "floor_id", "label_id", "exclude"}
    for name, service in registered.items():
        schema = cast("dict[Any, Any]", cast("Any", service.schema).schema)
        fields = {str(key): key for key in schema if str(key) not in target}
        assert fields.keys() == (described[name].get("fields") or {}).keys()
        for field, key in fields.items():
            required = described[name]["fields"][field].get("required", False)
            assert required is isinstance(key, vol.Required)
