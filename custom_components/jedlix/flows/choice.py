"""Choice of users: the steps of set-up that ask whom to follow, and check them."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from homeassistant.config_entries import ConfigFlowResult

from ..const import CONF_USERS
from ..data import make_client
from ..users import TenantUser, normalize_user_id
from .checks import users_errors
from .push import PushSteps
from .schemas import CONF_ALL_USERS, users_schema

# More users are checked while the dialog shows how far that is.
MAX_USERS_WITHOUT_PROGRESS: Final = 20

type _Checked = tuple[dict[str, str], dict[str, str], str]


class ChoiceSteps(PushSteps):
    """The steps `users`, `check_users` and `users_checked`; `webhook` follows them.

    `_found` are the users who can be chosen, `_chosen` the titles of those who are, by id.
    """

    def __init__(self) -> None:
        """Start with nobody found."""
        super().__init__()
        self._found: Mapping[str, TenantUser] = {}
        self._chosen: dict[str, str] = {}
        self._are_all_followed = False
        self._entered: dict[str, Any] = {}
        self._check: asyncio.Task[_Checked]  # the step `users` starts it

    async def async_step_users(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask which users to follow, and check them; many are checked in the background."""
        if user_input is None:
            self._entered = {CONF_USERS: list(self._found)} if len(self._found) == 1 else {}
            return self._users_form({}, "")
        self._entered = user_input
        self._are_all_followed = user_input.get(CONF_ALL_USERS, False)
        wanted = dict.fromkeys(
            user_id if user_id in self._found else normalize_user_id(user_id)
            for user_id in user_input[CONF_USERS]
        )
        wanted.pop("", None)
        self._check = self.hass.async_create_task(
            users_errors(
                self.hass,
                make_client(self.hass, self._data),
                wanted,
                self._found,
                are_all_wanted=self._are_all_followed,
                checked=self.async_update_progress,
            )
        )
        if self._are_all_followed or len(wanted) <= MAX_USERS_WITHOUT_PROGRESS:
            await self._check
            return await self.async_step_users_checked()
        return await self.async_step_check_users()

    async def async_step_check_users(
        self, _user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show how far the check is."""
        if not self._check.done():
            return self.async_show_progress(
                step_id="check_users",
                progress_action="check_users",
                progress_task=self._check,
                description_placeholders={"count": str(len(self._entered[CONF_USERS]))},
            )
        self._reminder.start(self)
        return self.async_show_progress_done(next_step_id="users_checked")

    async def async_step_users_checked(
        self, _user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Go on; the error names an id that Jedlix does not know."""
        self._reminder.stop()
        self._chosen, errors, user_id = self._check.result()
        if errors:
            return self._users_form(errors, user_id)
        return await self.async_step_webhook()

    def _users_form(self, errors: dict[str, str], user_id: str) -> ConfigFlowResult:
        return self.async_show_form(
            step_id="users",
            data_schema=self.add_suggested_values_to_schema(
                users_schema(self._found), self._entered
            ),
            errors=errors,
            description_placeholders={"user": user_id, "found": str(len(self._found))},
        )
