"""Config flow: the steps user, custom, users, webhook and connect; reauthentication and reconfiguration."""

from collections.abc import Mapping
import logging
import secrets
from typing import Any, Final, override

from homeassistant.components import webhook
from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigEntryState,
    ConfigFlow,
    ConfigFlowResult,
    ConfigSubentryData,
    ConfigSubentryFlow,
    OptionsFlow,
)
from homeassistant.const import (
    CONF_API_KEY,
    CONF_CLIENT_ID,
    CONF_CLIENT_SECRET,
    CONF_WEBHOOK_ID,
)
from homeassistant.core import callback
from yarl import URL

from .api import JedlixError
from .const import (
    CONF_AUDIENCE,
    CONF_BASE_URL,
    CONF_CALLBACK,
    CONF_CALLBACK_URL,
    CONF_ENVIRONMENT,
    CONF_EVENT_TYPES,
    CONF_POLL_MINUTES,
    CONF_TOKEN_URL,
    CONF_USER_ID,
    CONF_USERS,
    CONF_WEBHOOK_KEY,
    DEFAULT_POLL_MINUTES,
    DOCUMENTED_EVENT_TYPES,
    DOMAIN,
    SUBENTRY_USER,
)
from .data import JedlixConfigEntry, make_client
from .errors import account_form_error, user_form_error
from .flows.options import JedlixOptionsFlow
from .flows.schemas import (
    ENVIRONMENTS,
    TOKEN_URL,
    account_title,
    callback_data,
    credentials_schema,
    custom_schema,
    reauth_schema,
    stripped,
    users_schema,
    webhook_schema,
)
from .flows.users import UserSubentryFlow
from .push.callback_url import (
    Callback,
    ChosenUrl,
    NoCallback,
    choose_url,
    delete_cloudhook,
    is_private_host,
    is_valid_url,
)
from .push.connection_test import ConnectionTest
from .push.registration import Registration
from .push.subscriptions import unsubscribe_all
from .store import JedlixStore
from .subentries import followed_users
from .users import TenantUser, check_users, find_users, normalize_user_id

_LOGGER = logging.getLogger(__name__)

_NEW_KEY_BYTES: Final = 32
_SECRETS: Final = frozenset({CONF_CLIENT_SECRET, CONF_API_KEY})
# Errors that the form with the credentials shows.
_CREDENTIAL_ERRORS: Final = frozenset({"invalid_auth", "forbidden"})


class JedlixConfigFlow(ConfigFlow, domain=DOMAIN):
    """Set-up, reauthentication and reconfiguration, which share their steps."""

    VERSION = 1
    MINOR_VERSION = 1

    def __init__(self) -> None:
        """Start with nothing entered."""
        self._data: dict[str, Any] = {}
        self._found: dict[str, TenantUser] = {}
        self._chosen: dict[str, str] = {}
        self._url: ChosenUrl  # the step before `connect` chooses it
        self._test: ConnectionTest | None = None
        self._spare_webhook_id: str | None = None
        self._connect_error: str | None = None
        self._credential_errors: dict[str, str] = {}

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
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the environment and the credentials, and try them."""
        errors, self._credential_errors = self._credential_errors, {}
        if user_input is not None:
            self._data |= {CONF_API_KEY: None} | stripped(user_input)
            if (base_url := ENVIRONMENTS.get(user_input[CONF_ENVIRONMENT])) is None:
                return await self.async_step_custom()
            self._data |= {
                CONF_BASE_URL: base_url,
                CONF_TOKEN_URL: TOKEN_URL,
                CONF_AUDIENCE: base_url,
            }
            if not (errors := await self._try_credentials()):
                return await self._step_after_credentials()
        return self.async_show_form(
            step_id="user",
            data_schema=self.add_suggested_values_to_schema(
                credentials_schema(),
                {key: value for key, value in self._data.items() if key not in _SECRETS},
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
            errors = self._address_errors() or await self._try_credentials()
            if errors.get("base") in _CREDENTIAL_ERRORS:
                # The credentials were entered one step before, so that form shows the error.
                self._credential_errors = errors
                return await self.async_step_user()
            if not errors:
                return await self._step_after_credentials()
        shown = dict(self._data)
        if shown.get(CONF_AUDIENCE) == shown.get(CONF_BASE_URL):
            shown.pop(CONF_AUDIENCE, None)  # it follows the address, also one that is corrected now
        return self.async_show_form(
            step_id="custom",
            data_schema=self.add_suggested_values_to_schema(custom_schema(), shown),
            errors=errors,
        )

    def _address_errors(self) -> dict[str, str]:
        """Return the errors of the custom addresses: plain http is allowed for private hosts only."""
        errors: dict[str, str] = {}
        for field in (CONF_BASE_URL, CONF_TOKEN_URL):
            if not is_valid_url(self._data[field], allow_http=True):
                errors[field] = "invalid_url"
            elif not is_valid_url(
                self._data[field], allow_http=is_private_host(URL(self._data[field]).host)
            ):
                errors[field] = "http_not_private"
        return errors

    async def _try_credentials(self) -> dict[str, str]:
        """Fetch a token; returns the errors of the form."""
        try:
            await make_client(self.hass, self._data).check_access()
        except JedlixError as err:
            return {"base": account_form_error(err)}
        except Exception:
            _LOGGER.exception("Unexpected error while trying the Jedlix credentials")
            return {"base": "unknown"}
        return {}

    async def _step_after_credentials(self) -> ConfigFlowResult:
        """Go on: one entry per tenant and environment; reconfiguring skips the choice of users."""
        host = URL(self._data[CONF_BASE_URL]).authority
        unique_id = f"{host}/{self._data[CONF_CLIENT_ID]}"
        # A dialog that was left behind by a reload of the page ends once this one has created the entry.
        await self.async_set_unique_id(unique_id, raise_on_progress=False)
        if self.source == SOURCE_RECONFIGURE:
            self._abort_if_unique_id_mismatch(reason="wrong_account")
        else:
            self._abort_if_unique_id_configured()
        # Reconfiguring rotates both: the new webhook is tested while the old one still accepts deliveries.
        self._data[CONF_WEBHOOK_ID] = self._spare_webhook_id = webhook.async_generate_id()
        self._data[CONF_WEBHOOK_KEY] = secrets.token_urlsafe(_NEW_KEY_BYTES)
        if self.source == SOURCE_RECONFIGURE:
            return await self.async_step_webhook()
        self._found = await find_users(make_client(self.hass, self._data))
        return await self.async_step_users()

    # -- users ---------------------------------------------------------------------------------------------

    async def async_step_users(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask which users to follow; the error names an id that Jedlix does not know."""
        errors: dict[str, str] = {}
        placeholders = {"user": "", "found": str(len(self._found))}
        if user_input is not None:
            wanted = dict.fromkeys(
                user_id if user_id in self._found else normalize_user_id(user_id)
                for user_id in user_input[CONF_USERS]
            )
            self._chosen, errors, bad = await self._check(
                [user_id for user_id in wanted if user_id]
            )
            placeholders["user"] = bad
            if not errors:
                return await self.async_step_webhook()
        elif len(self._found) == 1:
            user_input = {CONF_USERS: list(self._found)}
        return self.async_show_form(
            step_id="users",
            data_schema=self.add_suggested_values_to_schema(
                users_schema(self._found), user_input or {}
            ),
            errors=errors,
            description_placeholders=placeholders,
        )

    async def _check(self, wanted: list[str]) -> tuple[dict[str, str], dict[str, str], str]:
        """Return the titles of the wanted users, the errors of the form, and the id that they are about."""
        if not wanted:
            return {}, {CONF_USERS: "no_users"}, ""
        if followed := followed_users(self.hass).intersection(wanted):
            return {}, {CONF_USERS: "followed_elsewhere"}, ", ".join(sorted(followed))
        titles: dict[str, str] = {}
        for user_id, cars in (
            await check_users(make_client(self.hass, self._data), wanted)
        ).items():
            if isinstance(cars, JedlixError):
                return {}, {CONF_USERS: user_form_error(cars)}, user_id
            place = self._found[user_id].place if user_id in self._found else None
            titles[user_id] = TenantUser(user_id, place, cars).label
        return titles, {}, ""

    # -- push ----------------------------------------------------------------------------------------------

    async def async_step_webhook(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask how Jedlix reaches this Home Assistant; the next step tries it."""
        errors: dict[str, str] = {}
        if user_input is not None:
            self._data |= callback_data(user_input)
            try:
                url = await choose_url(self.hass, self._data)
            except NoCallback as err:
                field = (
                    CONF_CALLBACK_URL if user_input[CONF_CALLBACK] == Callback.CUSTOM else "base"
                )
                errors[field] = err.reason
            else:
                if url is None:  # no push is wanted
                    return await self._finish()
                self._url = url
                return await self.async_step_connect()
        elif self._connect_error is not None:
            errors["base"] = self._connect_error
        shown = {CONF_CALLBACK: Callback.AUTO, **self._data}
        try:
            chosen = await choose_url(self.hass, self._data | {CONF_CALLBACK: Callback.AUTO})
        except NoCallback as err:
            chosen = None
            # Advice before the first attempt is better than an error after it.
            if not errors and shown[CONF_CALLBACK] == Callback.AUTO:
                errors["base"] = err.reason
        return self.async_show_form(
            step_id="webhook",
            data_schema=self.add_suggested_values_to_schema(webhook_schema(), shown),
            errors=errors,
            description_placeholders={
                "auto": "-" if chosen is None else str(URL(chosen.url).origin())
            },
        )

    async def async_step_connect(
        self, _user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Have Jedlix register the webhook, and wait for its test message."""
        if self._test is None:
            self._test = ConnectionTest(
                self.hass,
                make_client(self.hass, self._data),
                self._data,
                self._url,
                replaces=self._replaced_registration(),
            )
            self._test.start()
        task = self._test.task
        if not task.done():
            return self.async_show_progress(
                step_id="connect", progress_action="connect", progress_task=task
            )
        self._connect_error = task.result()
        if self._connect_error is None:
            return self.async_show_progress_done(next_step_id="finish")
        self._test.close()
        self._test = None
        return self.async_show_progress_done(next_step_id="webhook")

    def _replaced_registration(self) -> Registration | None:
        """Return the registration of the entry that is reconfigured, where it is loaded."""
        if self.source != SOURCE_RECONFIGURE:
            return None
        entry: JedlixConfigEntry = self._get_reconfigure_entry()
        if entry.state is not ConfigEntryState.LOADED:
            return None
        return entry.runtime_data.push.registration

    async def async_step_finish(
        self, _user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Create or update the entry with what was entered and tested."""
        return await self._finish()

    async def _finish(self) -> ConfigFlowResult:
        if self._test is not None:
            self._test.hand_over()
        if self._data[CONF_CALLBACK] in (Callback.AUTO, Callback.CLOUD):
            self._spare_webhook_id = None
        if self.source == SOURCE_RECONFIGURE:
            entry = self._get_reconfigure_entry()
            await self._delete_old_callback(entry)
            return self._update(entry, "reconfigure_successful")
        return self.async_create_entry(
            title=account_title(self._data),
            data=self._data,
            options={
                CONF_EVENT_TYPES: list(DOCUMENTED_EVENT_TYPES),
                CONF_POLL_MINUTES: DEFAULT_POLL_MINUTES,
            },
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

    @callback
    @override
    def async_remove(self) -> None:
        """Undo the connection test when the dialog is closed, unless it was handed over to the entry.

        The same holds for the cloudhook, which is created as soon as its address is shown.
        """
        if self._test is not None:
            self._test.close()
        if self._spare_webhook_id is not None:
            self.hass.async_create_task(
                delete_cloudhook(self.hass, self._spare_webhook_id), "jedlix delete cloudhook"
            )

    async def _delete_old_callback(self, entry: JedlixConfigEntry) -> None:
        """Delete the subscriptions and the cloudhook of the old callback, which the new one replaces."""
        if entry.state is ConfigEntryState.LOADED:
            store = entry.runtime_data.store
        else:
            store = JedlixStore(self.hass, entry.entry_id)
            await store.load()
        webhook_id = entry.data[CONF_WEBHOOK_ID]
        try:
            await unsubscribe_all(
                make_client(self.hass, self._data), store.push.subscriptions, webhook_id
            )
        except JedlixError as err:
            _LOGGER.warning("The old webhook subscriptions could not be deleted at Jedlix: %s", err)
        await delete_cloudhook(self.hass, webhook_id)

    def _update(self, entry: ConfigEntry, reason: str) -> ConfigFlowResult:
        """Update the entry and reload it.

        A loaded entry is reloaded by its listener, but only where something differs. Without a reload,
        polling that refused credentials have ended would not start again.
        """
        reloads = entry.state is ConfigEntryState.LOADED and dict(entry.data) != self._data
        result = self.async_update_and_abort(entry, data=self._data, reason=reason)
        if not reloads:
            self.hass.config_entries.async_schedule_reload(entry.entry_id)
        return result

    # -- reauth and reconfigure ----------------------------------------------------------------------------

    async def async_step_reauth(self, entry_data: Mapping[str, Any]) -> ConfigFlowResult:
        """Start with what is known; only the secrets are asked for."""
        self._data = dict(entry_data)
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the secret and the API key of the same tenant."""
        errors: dict[str, str] = {}
        if user_input is not None:
            self._data |= {CONF_API_KEY: None} | stripped(user_input)
            if not (errors := await self._try_credentials()):
                return self._update(self._get_reauth_entry(), "reauth_successful")
        return self.async_show_form(
            step_id="reauth_confirm",
            data_schema=reauth_schema(),
            errors=errors,
            description_placeholders={"client_id": self._data[CONF_CLIENT_ID]},
        )

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Go through all steps again, with what is known filled in."""
        self._data = dict(self._get_reconfigure_entry().data)
        return await self.async_step_user(user_input)
