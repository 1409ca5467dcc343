"""Options flow: event types, poll interval, new users, import of energy."""

from typing import Any

from homeassistant.config_entries import ConfigFlowResult, OptionsFlow

from ..const import CONF_EVENT_TYPES, CONF_POLL_MINUTES, DOCUMENTED_EVENT_TYPES
from .schemas import options_schema


class JedlixOptionsFlow(OptionsFlow):
    """The options of one entry."""

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
                options_schema(options.get(CONF_EVENT_TYPES, DOCUMENTED_EVENT_TYPES)), options
            ),
        )
