"""Subentry flow: follow one more user of the account."""

from typing import Any

from homeassistant.config_entries import ConfigSubentryFlow, SubentryFlowResult

from ..api import JedlixError
from ..const import CONF_USER_ID
from ..data import make_client
from ..errors import user_form_error
from ..subentries import followed_users
from ..users import TenantUser, cars_of_users, normalize_user_id
from .schemas import user_schema


class UserSubentryFlow(ConfigSubentryFlow):
    """Add one user."""

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for the id and check it."""
        entry = self._get_entry()
        errors: dict[str, str] = {}
        if user_input is not None:
            user_id = normalize_user_id(user_input[CONF_USER_ID])
            if any(item.unique_id == user_id for item in entry.subentries.values()):
                return self.async_abort(reason="already_configured")
            cars = (await cars_of_users(make_client(self.hass, entry.data), [user_id]))[user_id]
            if isinstance(cars, JedlixError):
                errors[CONF_USER_ID] = user_form_error(cars)
            elif user_id in followed_users(self.hass):
                errors[CONF_USER_ID] = "followed_elsewhere"
            else:
                return self.async_create_entry(
                    title=TenantUser(user_id, None, cars).label,
                    data={CONF_USER_ID: user_id},
                    unique_id=user_id,
                )
        return self.async_show_form(
            step_id="user",
            data_schema=self.add_suggested_values_to_schema(user_schema(), user_input),
            errors=errors,
        )
