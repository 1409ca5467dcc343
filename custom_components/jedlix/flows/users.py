"""Subentry flow: follow more users of the account, and link the car of a followed one."""

from collections.abc import Mapping
from typing import Any, override

from homeassistant.config_entries import (
    ConfigEntryState,
    ConfigSubentryFlow,
    SubentryFlowContext,
    SubentryFlowResult,
)

from ..const import CONF_USER_ID, CONF_USERS
from ..data import JedlixConfigEntry, client_of, is_driver
from ..subentries import follow_user, followed_users
from ..users import TenantUser, find_users, normalize_user_id
from .checks import users_errors
from .linking import LinkingSteps
from .schemas import CONF_ALL_USERS, CONF_VEHICLE, user_schema, vehicle_schema


class UserSubentryFlow(
    LinkingSteps[SubentryFlowContext, SubentryFlowResult, tuple[str, str]], ConfigSubentryFlow
):
    """Add users, or link a user's car."""

    _found: Mapping[str, TenantUser] | None = None

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask which users to add, and check them.

        A driver's log-in sees its own user alone, so nothing is asked.
        """
        entry = self._get_entry()
        user_input = user_input or _own_user(entry)
        client = client_of(self.hass, entry)
        if self._found is None:
            self._found = (
                {}
                if is_driver(entry.data)
                else await find_users(client, _known_cars(entry), without=followed_users(self.hass))
            )
        errors: dict[str, str] = {}
        if user_input is not None:
            user_id = normalize_user_id(user_input.get(CONF_USER_ID, ""))
            if user_id and any(item.unique_id == user_id for item in entry.subentries.values()):
                return self.async_abort(reason="already_configured")
            titles, failed, about = await users_errors(
                self.hass,
                client,
                filter(None, dict.fromkeys([*user_input.get(CONF_USERS, ()), user_id])),
                self._found,
                are_all_wanted=user_input.get(CONF_ALL_USERS, False),
            )
            if not failed:
                return self._add(entry, titles)
            of_list = CONF_USERS if self._found and about != user_id else CONF_USER_ID
            errors[of_list] = failed[CONF_USERS]
        return self.async_show_form(
            step_id="user",
            data_schema=self.add_suggested_values_to_schema(user_schema(self._found), user_input),
            errors=errors,
        )

    def _add(self, entry: JedlixConfigEntry, titles: dict[str, str]) -> SubentryFlowResult:
        """Follow these users: the last is the one that the dialog adds."""
        user_id, title = titles.popitem()
        for other_id, other_title in titles.items():
            follow_user(self.hass, entry, other_id, other_title)
        return self.async_create_entry(title=title, data={CONF_USER_ID: user_id}, unique_id=user_id)

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Link the user's car; where there are several, ask which."""
        entry = self.hass.config_entries.async_get_entry(self._entry_id)
        subentry = None if entry is None else entry.subentries.get(self._reconfigure_subentry_id)
        if entry is None or subentry is None:  # removed while the choice of a car was shown
            return self.async_abort(reason="user_removed")
        user_id = subentry.data[CONF_USER_ID]
        if entry.state is not ConfigEntryState.LOADED:
            return self.async_abort(reason="not_loaded")
        cars = {
            vehicle_id: car.vehicle
            for (owner, vehicle_id), car in entry.runtime_data.coordinator.fleet.vehicles.items()
            if owner == user_id
        }
        chosen = (user_input or {}).get(CONF_VEHICLE)
        if chosen is None and len(cars) > 1:
            return self.async_show_form(
                step_id="reconfigure",
                data_schema=vehicle_schema(cars),
                description_placeholders={"user": subentry.title},
            )
        vehicle_id = chosen or next(iter(cars), None)
        if vehicle_id in cars and cars[vehicle_id].is_connectable is False:
            return self.async_abort(reason="not_connectable")
        self._choose(entry, user_id, vehicle_id, {"user": subentry.title})
        return await self.async_step_link()

    @override
    def _end_linked(self) -> SubentryFlowResult:
        """End: the car is linked, and nothing of the subentry changes."""
        return self.async_abort(reason="linked")


def _own_user(entry: JedlixConfigEntry) -> dict[str, Any] | None:
    """Return the answer of the form for a driver's log-in, None for an account."""
    return {CONF_USER_ID: entry.data[CONF_USER_ID]} if is_driver(entry.data) else None


def _known_cars(entry: JedlixConfigEntry) -> dict[str, tuple[str, ...]]:
    """Return the cars that the list of users has shown so far, by user."""
    return entry.runtime_data.car_names if entry.state is ConfigEntryState.LOADED else {}
