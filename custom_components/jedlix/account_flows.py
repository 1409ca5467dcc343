"""What people meet once an account is set up: add one more user, change the options."""

from typing import Any

from homeassistant.config_entries import (
    ConfigFlowResult,
    ConfigSubentryFlow,
    OptionsFlow,
    SubentryFlowResult,
)

from .api import JedlixError
from .const import CONF_EVENT_TYPES, CONF_POLL_MINUTES, CONF_USER_ID, DOCUMENTED_EVENT_TYPES
from .flow_errors import user_error
from .flow_forms import options_form, user_form
from .following import all_followed
from .runtime import make_client
from .tenant import TenantUser, check_users, own_spelling


class UserSubentryFlow(ConfigSubentryFlow):
    """Add user: one more user of the same tenant to follow."""

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for the id and check it."""
        entry = self._get_entry()
        errors: dict[str, str] = {}
        if user_input is not None:
            user_id = own_spelling(user_input[CONF_USER_ID])
            if any(item.unique_id == user_id for item in entry.subentries.values()):
                return self.async_abort(reason="already_configured")
            cars = (await check_users(make_client(self.hass, entry.data), [user_id]))[user_id]
            if isinstance(cars, JedlixError):
                errors[CONF_USER_ID] = user_error(cars)
            elif user_id in all_followed(self.hass):
                errors[CONF_USER_ID] = "followed_elsewhere"
            else:
                return self.async_create_entry(
                    title=TenantUser(user_id, None, cars).label,
                    data={CONF_USER_ID: user_id},
                    unique_id=user_id,
                )
        return self.async_show_form(
            step_id="user",
            data_schema=self.add_suggested_values_to_schema(user_form(), user_input),
            errors=errors,
        )


class JedlixOptionsFlow(OptionsFlow):
    """Which event types to subscribe, and how often to poll."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the options; the entry's update listener reloads."""
        options = self.config_entry.options
        if user_input is not None:
            names = dict.fromkeys(filter(None, map(str.strip, user_input[CONF_EVENT_TYPES])))
            return self.async_create_entry(
                data={
                    **options,
                    **user_input,
                    CONF_EVENT_TYPES: list(names),
                    CONF_POLL_MINUTES: int(user_input[CONF_POLL_MINUTES]),
                }
            )
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(
                options_form(options.get(CONF_EVENT_TYPES, DOCUMENTED_EVENT_TYPES)), options
            ),
        )
