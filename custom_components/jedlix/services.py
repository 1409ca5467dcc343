"""Actions: their names, fields and targets, as services.yaml describes them."""

from typing import Final

from homeassistant.core import HomeAssistant, SupportsResponse, callback
from homeassistant.helpers import config_validation as cv
import voluptuous as vol

from .actions import accounts, cars, figures
from .actions.fields import (
    DAYS,
    DURATION,
    ENABLED,
    END,
    LEVEL,
    PERIOD,
    SINCE,
    START,
    TIME,
    UNTIL,
)
from .actions.targets import TARGET
from .const import DOMAIN
from .periods import PERIODS, PRICE_PERIODS
from .state.days import WEEKDAYS

_PERIOD_FIELDS: Final = {
    vol.Optional(PERIOD): vol.In(PERIODS),
    vol.Optional(START): cv.datetime,
    vol.Optional(DURATION): cv.time_period,
    vol.Optional(END): cv.datetime,
}


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register all actions; they are there whether or not an account is loaded."""
    answers = SupportsResponse.ONLY
    for name, handler, fields, response in (
        ("boost", cars.boost, {vol.Optional(ENABLED, default=True): cv.boolean}, None),
        (
            "pause_smart_charging",
            cars.pause_smart_charging,
            {vol.Optional(UNTIL): cv.datetime, vol.Optional(DURATION): cv.time_period},
            None,
        ),
        ("resume_smart_charging", cars.resume_smart_charging, {}, None),
        (
            "set_current_battery_level",
            cars.set_current_battery_level,
            {vol.Required(LEVEL): vol.Coerce(int)},
            None,
        ),
        (
            "set_ready_by",
            cars.set_ready_by,
            {
                vol.Required(TIME): cv.time,
                vol.Optional(DAYS): vol.All(cv.ensure_list, [vol.In(WEEKDAYS)]),
            },
            None,
        ),
        ("get_sessions", figures.get_sessions, _PERIOD_FIELDS, answers),
        ("get_costs", figures.get_costs, _PERIOD_FIELDS, answers),
        (
            "get_prices",
            figures.get_prices,
            {**_PERIOD_FIELDS, vol.Optional(PERIOD): vol.In(PRICE_PERIODS)},
            answers,
        ),
        (
            "import_history",
            figures.import_history,
            {vol.Required(START): cv.datetime},
            SupportsResponse.OPTIONAL,
        ),
        (
            "catch_up",
            accounts.catch_up,
            {vol.Optional(SINCE): cv.datetime},
            SupportsResponse.OPTIONAL,
        ),
        ("resubscribe", accounts.resubscribe, {}, SupportsResponse.OPTIONAL),
        ("get_api_report", accounts.get_api_report, {}, answers),
    ):
        hass.services.async_register(
            DOMAIN,
            name,
            handler,
            schema=vol.Schema({**TARGET, **fields}),
            supports_response=response or SupportsResponse.NONE,
        )
