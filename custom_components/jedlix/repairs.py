"""Repairs: the fix flows. That of push asks for a callback and tries it; that of a car links it."""

from typing import Any, override

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant

from .data import JedlixConfigEntry
from .flows.linking import LinkingSteps
from .flows.schemas import callback_data, webhook_schema
from .link_issues import ISSUE_CAR, ISSUE_USER, ISSUE_VEHICLE


class PushRepairFlow(RepairsFlow):
    """Asks for the callback until one works, or push is switched off."""

    def __init__(self, entry: JedlixConfigEntry) -> None:
        """Repair the push of this entry."""
        self._entry = entry

    async def async_step_init(self, _user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Start with the callback."""
        return await self.async_step_callback()

    async def async_step_callback(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Ask how Jedlix is to reach this Home Assistant, and try it."""
        entry, errors = self._entry, {}
        push = entry.runtime_data.push if entry.state is ConfigEntryState.LOADED else None
        data = dict(entry.data)
        if user_input is not None:
            data |= callback_data(user_input)
            problem = None if push is None else await push.try_callback(data)
            if problem is None:
                # A change reloads the entry, which registers the other event types.
                if not self.hass.config_entries.async_update_entry(entry, data=data) and push:
                    push.resubscribe()
                return self.async_create_entry(data={})
            errors["base"] = problem
        return self.async_show_form(
            step_id="callback",
            data_schema=self.add_suggested_values_to_schema(webhook_schema(), data),
            errors=errors,
            description_placeholders={
                "account": entry.title,
                "reason": (push and push.registration.refusal) or "-",
            },
        )


# The type of the context has no name in older Home Assistants.
class LinkRepairFlow(LinkingSteps[Any, RepairsFlowResult, str], RepairsFlow):
    """Links a car whose link was lost, or can be made now."""

    def __init__(self, entry: JedlixConfigEntry, user_id: str, vehicle_id: str, car: str) -> None:
        """Link this car; `car` is its name."""
        super().__init__()
        self._choose(entry, user_id, vehicle_id, {"account": entry.title, "car": car})

    async def async_step_init(self, _user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Start with what comes."""
        return await self.async_step_link()

    @override
    def _end_linked(self) -> RepairsFlowResult:
        """End: the repair is done."""
        return self.async_create_entry(data={})


async def async_create_fix_flow(
    hass: HomeAssistant, _issue_id: str, data: dict[str, str | int | float | None] | None
) -> RepairsFlow:
    """Return the flow for an entry's repair; it carries the entry's id, and the car where it is about one."""
    texts = {key: str(value) for key, value in (data or {}).items()}
    entry = hass.config_entries.async_get_known_entry(texts["entry_id"])
    if ISSUE_VEHICLE in texts:
        return LinkRepairFlow(entry, texts[ISSUE_USER], texts[ISSUE_VEHICLE], texts[ISSUE_CAR])
    return PushRepairFlow(entry)
