"""Config flow: the steps account, custom, users, webhook and connect; reauthentication and reconfiguration.

Set-up begins with the menu user; the steps of a driver's log-in stand in `flows/driver.py`, those that choose
users in `flows/choice.py`.
Reconfiguration is a menu of the steps credentials, push and environment.
What is left empty stays.
"""

from collections.abc import Mapping
from typing import Any, override

from homeassistant.config_entries import (
    SOURCE_REAUTH,
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigEntryState,
    ConfigFlowResult,
    ConfigSubentryData,
    ConfigSubentryFlow,
    OptionsFlow,
)
from homeassistant.const import CONF_CLIENT_ID, CONF_CLIENT_SECRET, CONF_WEBHOOK_ID
from homeassistant.core import callback
from yarl import URL

from .const import (
    CONF_AUDIENCE,
    CONF_BASE_URL,
    CONF_CALLBACK,
    CONF_ENVIRONMENT,
    CONF_FOLLOW_NEW_USERS,
    CONF_POLL_MINUTES,
    CONF_TOKEN_URL,
    CONF_USER_ID,
    CONF_USERS,
    DEFAULT_POLL_MINUTES,
    DOMAIN,
    SUBENTRY_USER,
)
from .data import JedlixConfigEntry, is_driver, make_client
from .flows.checks import (
    CREDENTIAL_ERRORS,
    account_id,
    address_errors,
    credentials_errors,
    other_account_errors,
    users_errors,
)
from .flows.choice import ChoiceSteps
from .flows.driver import DriverSteps
from .flows.options import JedlixOptionsFlow
from .flows.schemas import (
    CUSTOM,
    SECRETS,
    account_title,
    addresses_of,
    changed_credentials,
    changed_credentials_schema,
    credentials_schema,
    custom_schema,
    environment_schema,
    reauth_schema,
    stripped,
)
from .flows.users import UserSubentryFlow
from .issues import show_subscriptions_left
from .push.callback_url import Callback, delete_cloudhook
from .push.copies import unsubscribe_own
from .store import JedlixStore
from .users import find_users


class JedlixConfigFlow(ChoiceSteps, DriverSteps, domain=DOMAIN):
    """Set-up, reauthentication and reconfiguration, which share their steps."""

    VERSION = 1
    MINOR_VERSION = 2

    def __init__(self) -> None:
        """Start with nothing entered."""
        super().__init__()
        self._credential_errors: dict[str, str] = {}
        self._unseen = ""

    @classmethod
    @callback
    @override
    def async_get_supported_subentry_types(
        cls, config_entry: ConfigEntry
    ) -> dict[str, type[ConfigSubentryFlow]]:
        """Return the flow that adds one more user."""
        return {SUBENTRY_USER: UserSubentryFlow}

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry) -> OptionsFlow:
        """Return the options flow."""
        return JedlixOptionsFlow()

    # -- credentials ---------------------------------------------------------------------------------------

    @override
    async def async_step_user(self, _user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask by what a person has access to Jedlix."""
        return self.async_show_menu(step_id="user", menu_options=["account", "driver"])

    async def async_step_account(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the environment and the credentials, and try them."""
        errors, self._credential_errors = self._credential_errors, {}
        if user_input is not None:
            self._data |= changed_credentials(self._data, user_input)
            if user_input[CONF_ENVIRONMENT] == CUSTOM:
                return await self.async_step_custom()
            self._data |= addresses_of(user_input[CONF_ENVIRONMENT])
            if not (errors := await self._account_errors()):
                return await self._step_after_account()
        return self.async_show_form(
            step_id="account",
            data_schema=self.add_suggested_values_to_schema(
                credentials_schema(has_secret=CONF_CLIENT_SECRET in self._data),
                {key: value for key, value in self._data.items() if key not in SECRETS},
            ),
            errors=errors,
        )

    async def async_step_custom(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the addresses of another environment, and try the credentials there."""
        errors: dict[str, str] = {}
        if user_input is not None:
            entered = stripped(user_input)
            base_url = entered[CONF_BASE_URL].rstrip("/")
            self._data |= {
                CONF_BASE_URL: base_url,
                CONF_TOKEN_URL: entered[CONF_TOKEN_URL].rstrip("/"),
                CONF_AUDIENCE: entered.get(CONF_AUDIENCE) or base_url,
            }
            errors = address_errors(self._data) or await self._account_errors()
            if errors.get("base") in CREDENTIAL_ERRORS:
                return await self._step_credentials(errors)
            if not errors:
                return await self._step_after_account()
        shown = dict(self._data)
        if shown.get(CONF_AUDIENCE) == shown.get(CONF_BASE_URL):
            shown.pop(CONF_AUDIENCE, None)  # it follows the address, also one that is corrected now
        return self.async_show_form(
            step_id="custom",
            data_schema=self.add_suggested_values_to_schema(custom_schema(), shown),
            errors=errors,
        )

    async def _account_errors(self) -> dict[str, str]:
        """Try the account; returns the errors of the form. Another one has to see the followed users."""
        errors = await credentials_errors(self.hass, self._data)
        if self.source == SOURCE_RECONFIGURE and not errors and self._is_other_account():
            errors, self._unseen = await other_account_errors(
                self.hass, self._get_reconfigure_entry(), self._data
            )
        return errors

    async def _step_credentials(self, errors: dict[str, str]) -> ConfigFlowResult:
        """Go to the form with the credentials, which shows these errors."""
        self._credential_errors = errors
        if self.source == SOURCE_RECONFIGURE:
            return await self.async_step_credentials()
        return await self.async_step_account()

    async def _step_after_account(self) -> ConfigFlowResult:
        """Go on: one entry per tenant and environment; reconfiguring skips the choice of users."""
        if self.source == SOURCE_RECONFIGURE:
            if self._is_other_account():
                return await self.async_step_push()
            return self._update(self._get_reconfigure_entry(), "reconfigure_successful")
        # A dialog that was left behind by a reload of the page ends once this one has created the entry.
        await self.async_set_unique_id(account_id(self._data), raise_on_progress=False)
        self._abort_if_unique_id_configured()
        self._make_webhook()
        self._found = await find_users(make_client(self.hass, self._data))
        return await self.async_step_users()

    # -- a driver's log-in ---------------------------------------------------------------------------------

    @property
    @override
    def _known(self) -> Mapping[str, Any]:
        if self.source == SOURCE_REAUTH:
            return self._get_reauth_entry().data
        if self.source == SOURCE_RECONFIGURE:
            return self._get_reconfigure_entry().data
        return {}

    @override
    async def _driver_finish(self) -> ConfigFlowResult:
        """Create an entry that follows the driver alone, or update the one whose driver has logged in."""
        if self.source == SOURCE_REAUTH:
            return self._update(self._get_reauth_entry(), "reauth_successful")
        entry_id = account_id(self._data)
        if self.source == SOURCE_RECONFIGURE:
            entry = self._get_reconfigure_entry()
            other = self.hass.config_entries.async_entry_for_domain_unique_id(DOMAIN, entry_id)
            if other not in (None, entry):
                return await self._log_in_again("account_taken")
            return self._update(entry, "reconfigure_successful")
        await self.async_set_unique_id(entry_id, raise_on_progress=False)
        self._abort_if_unique_id_configured()
        user_id = self._data[CONF_USER_ID]
        self._chosen, errors, _ = await users_errors(
            self.hass, make_client(self.hass, self._data), [user_id], {}
        )
        if errors:
            return await self._log_in_again(errors[CONF_USERS], user_id)
        return await self.async_step_finish()

    # -- the end -------------------------------------------------------------------------------------------

    @override
    async def async_step_finish(
        self, _user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Create or update the entry with what was entered and tested."""
        self._hand_over()
        if self.source == SOURCE_RECONFIGURE:
            entry = self._get_reconfigure_entry()
            await self._delete_old_callback(entry)
            return self._update(entry, "reconfigure_successful")
        has_push = self._data[CONF_CALLBACK] != Callback.NONE
        return self.async_create_entry(
            title=account_title(self._data),
            description="with_push" if has_push else "without_push",
            data=self._data,
            options={CONF_POLL_MINUTES: DEFAULT_POLL_MINUTES}
            | ({CONF_FOLLOW_NEW_USERS: True} if self._are_all_followed else {}),
            subentries=[
                ConfigSubentryData(
                    subentry_type=SUBENTRY_USER,
                    data={CONF_USER_ID: user_id},
                    title=title,
                    unique_id=user_id,
                )
                for user_id, title in self._chosen.items()
            ],
        )

    async def _delete_old_callback(self, entry: JedlixConfigEntry) -> None:
        """Delete the subscriptions and the cloudhook of the old callback, which the new one replaces."""
        if entry.state is ConfigEntryState.LOADED:
            store = entry.runtime_data.store
        else:
            store = JedlixStore(self.hass, entry.entry_id)
            await store.load()
        webhook_id = entry.data[CONF_WEBHOOK_ID]
        client = make_client(self.hass, entry.data)
        left = await unsubscribe_own(self.hass, client, entry.data, store.push.subscriptions)
        await delete_cloudhook(self.hass, webhook_id)
        if self._is_other_account():
            show_subscriptions_left(self.hass, entry, left)
            # What was learned of the old account says nothing about the new one.
            store.learned_calls.clear()
            store.push.subscriptions.clear()
            await store.save()

    def _update(self, entry: ConfigEntry, reason: str) -> ConfigFlowResult:
        """Update the entry and reload it.

        A loaded entry is reloaded by its listener, but only where something differs. Without a reload,
        polling that refused credentials have ended would not start again.
        """
        reloads = entry.state is ConfigEntryState.LOADED and dict(entry.data) != self._data
        has_own_title = entry.title != account_title(entry.data)
        result = self.async_update_and_abort(
            entry,
            unique_id=account_id(self._data),
            title=entry.title if has_own_title else account_title(self._data),
            data=self._data,
            reason=reason,
        )
        if not reloads:
            self.hass.config_entries.async_schedule_reload(entry.entry_id)
        return result

    # -- reauth and reconfigure ----------------------------------------------------------------------------

    async def async_step_reauth(self, entry_data: Mapping[str, Any]) -> ConfigFlowResult:
        """Start with what is known; only the secrets are asked for."""
        self._data = dict(entry_data)
        if is_driver(entry_data):
            return await self.async_step_driver_reauth()
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the secret and the API key of the same tenant."""
        errors: dict[str, str] = {}
        entry = self._get_reauth_entry()
        if user_input is not None:
            self._data |= changed_credentials(entry.data, user_input)
            if not (errors := await credentials_errors(self.hass, self._data)):
                return self._update(entry, "reauth_successful")
        return self.async_show_form(
            step_id="reauth_confirm",
            data_schema=reauth_schema(),
            errors=errors,
            description_placeholders={"client_id": self._data[CONF_CLIENT_ID]},
        )

    async def async_step_reconfigure(
        self, _user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Offer what can be changed; all of a driver's log-in is one form."""
        self._data = dict(self._get_reconfigure_entry().data)
        if is_driver(self._data):
            return await self.async_step_driver()
        return self.async_show_menu(
            step_id="reconfigure", menu_options=["credentials", "push", "environment"]
        )

    async def async_step_credentials(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for other credentials, and try them."""
        errors, self._credential_errors = self._credential_errors, {}
        if user_input is not None:
            self._data |= changed_credentials(self._get_reconfigure_entry().data, user_input)
            if not (errors := await self._account_errors()):
                return await self._step_after_account()
        return self.async_show_form(
            step_id="credentials",
            data_schema=self.add_suggested_values_to_schema(
                changed_credentials_schema(), {CONF_CLIENT_ID: self._data[CONF_CLIENT_ID]}
            ),
            errors=errors,
            description_placeholders={
                "host": str(URL(self._data[CONF_BASE_URL]).authority),
                "user": self._unseen,
            },
        )

    async def async_step_push(self, _user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Change push: the webhook gets a new address and a new key."""
        self._make_webhook()
        return await self.async_step_webhook()

    async def async_step_environment(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for another environment, and try the known credentials there."""
        errors: dict[str, str] = {}
        if user_input is not None:
            self._data |= user_input
            if user_input[CONF_ENVIRONMENT] == CUSTOM:
                return await self.async_step_custom()
            self._data |= addresses_of(user_input[CONF_ENVIRONMENT])
            errors = await self._account_errors()
            if errors.get("base") in CREDENTIAL_ERRORS:
                return await self._step_credentials(errors)
            if not errors:
                return await self._step_after_account()
        return self.async_show_form(
            step_id="environment",
            data_schema=self.add_suggested_values_to_schema(environment_schema(), self._data),
            errors=errors,
        )

    def _is_other_account(self) -> bool:
        """Return whether the entry that is reconfigured becomes that of another account."""
        return account_id(self._data) != self._get_reconfigure_entry().unique_id
