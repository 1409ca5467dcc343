"""Options flow: poll interval, new users, import of energy, and what Jedlix is asked to report."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from homeassistant.config_entries import ConfigEntryState, ConfigFlowResult, OptionsFlow

from ..const import CONF_EVENT_TYPES, CONF_FIND_EVENT_TYPES, CONF_POLL_MINUTES
from ..data import JedlixConfigEntry, is_driver
from ..push.event_types import DEFAULT_EVENT_TYPES
from ..push.health import PushState
from ..push.registration import Registration
from .event_types import by_name, group_states, reasons_in_words
from .schemas import ADVANCED, GROUPS, driver_options_schema, found_schema, options_schema

# How long the search takes at least, in seconds: the frontend misses the end of a progress that ends at once.
MIN_DURATION: Final = 1.0


class JedlixOptionsFlow(OptionsFlow):
    """The options of one entry."""

    _options: dict[str, Any]
    _registration: Registration
    _search: asyncio.Task[None] | None = None
    _problem: str | None = None

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the options; the entry's update listener reloads."""
        if is_driver(self.config_entry.data):
            return await self.async_step_driver()
        options, errors = dict(self.config_entry.options), {}
        chosen = list(options.get(CONF_EVENT_TYPES, DEFAULT_EVENT_TYPES))
        if user_input is not None:
            entered = dict(user_input)
            entered.pop(GROUPS, None)
            names = entered.pop(ADVANCED, {}).get(CONF_EVENT_TYPES, chosen)
            chosen = list(dict.fromkeys(filter(None, map(str.strip, names))))
            is_wanted = entered.pop(CONF_FIND_EVENT_TYPES)
            self._options = {
                **{key: value for key, value in options.items() if key != CONF_EVENT_TYPES},
                **entered,
                CONF_POLL_MINUTES: int(entered[CONF_POLL_MINUTES]),
            }
            if set(chosen) != set(DEFAULT_EVENT_TYPES):
                self._options[CONF_EVENT_TYPES] = chosen
            if not is_wanted:
                return self.async_create_entry(data=self._options)
            if chosen and (registration := self._find_registration()) is not None:
                self._registration = registration
                return await self.async_step_find()
            errors[CONF_FIND_EVENT_TYPES] = "push_off"
            options = self._options
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(
                options_schema(chosen, self._group_states(chosen)), options
            ),
            errors=errors,
            description_placeholders=await self._names(chosen),
        )

    async def async_step_driver(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the options of a driver's log-in, which has no push."""
        if user_input is not None:
            minutes = int(user_input[CONF_POLL_MINUTES])
            return self.async_create_entry(data=user_input | {CONF_POLL_MINUTES: minutes})
        return self.async_show_form(
            step_id="driver",
            data_schema=self.add_suggested_values_to_schema(
                driver_options_schema(), self.config_entry.options
            ),
        )

    async def async_step_find(self, _user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Try the event types, also those that Jedlix has refused."""
        if self._search is None:
            self._search = self.hass.async_create_task(self._find(), "jedlix find event types")
        if not self._search.done():
            return self.async_show_progress(
                step_id="find", progress_action="find", progress_task=self._search
            )
        return self.async_show_progress_done(next_step_id="found")

    async def async_step_found(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show what Jedlix accepted and refused, then save the options."""
        if user_input is not None:
            return self.async_create_entry(data=self._options)
        return self.async_show_form(
            step_id="found",
            data_schema=found_schema(self._group_states(self._chosen)),
            errors={} if self._problem is None else {"base": "not_registered"},
            description_placeholders=await self._names(self._chosen),
        )

    @property
    def _chosen(self) -> list[str]:
        return list(self._options.get(CONF_EVENT_TYPES, DEFAULT_EVENT_TYPES))

    async def _find(self) -> None:
        self._problem, _ = await asyncio.gather(
            self._registration.find_event_types(self._chosen),
            asyncio.sleep(MIN_DURATION),
        )

    def _find_registration(self) -> Registration | None:
        """Return what can try event types, None while there is no push."""
        entry: JedlixConfigEntry = self.config_entry
        push = entry.runtime_data.push if entry.state is ConfigEntryState.LOADED else None
        return None if push is None or push.state is PushState.OFF else push.registration

    def _group_states(self, chosen: list[str]) -> Mapping[str, str]:
        if self.config_entry.state is not ConfigEntryState.LOADED:
            return group_states(chosen, (), {})
        record = self.config_entry.runtime_data.store.push
        return group_states(chosen, record.subscriptions, record.refused_types)

    async def _names(self, chosen: list[str]) -> Mapping[str, str]:
        if self.config_entry.state is not ConfigEntryState.LOADED:
            return by_name(chosen, (), {}, {})
        record = self.config_entry.runtime_data.store.push
        words = await reasons_in_words(self.hass)
        return by_name(chosen, record.subscriptions, record.refused_types, words)
