"""What people meet when they set up: user, custom, users, webhook, connect; then reauth and reconfigure."""

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

from .account_flows import JedlixOptionsFlow, UserSubentryFlow
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
from .flow_errors import account_error, user_error
from .flow_forms import (
    ENVIRONMENTS,
    TOKEN_URL,
    account_title,
    callback_choice,
    credentials_form,
    custom_form,
    reauth_form,
    users_form,
    webhook_form,
    without_blanks,
)
from .following import all_followed
from .memory import Memory
from .push.callback_url import (
    Callback,
    NoCallback,
    choose_url,
    delete_cloudhook,
    is_private_host,
    is_valid_url,
)
from .push.subscriptions import unsubscribe_all
from .push.trial import Trial
from .runtime import make_client
from .tenant import TenantUser, check_users, find_users, own_spelling

_LOGGER = logging.getLogger(__name__)

_NEW_KEY_BYTES: Final = 32
_SECRETS: Final = frozenset({CONF_CLIENT_SECRET, CONF_API_KEY})
# What is mended where the credentials are entered.
_CREDENTIAL_ERRORS: Final = frozenset({"invalid_auth", "forbidden"})


class JedlixConfigFlow(ConfigFlow, domain=DOMAIN):
    """Set-up, reauthentication and reconfiguration; the three share their steps."""

    VERSION = 1
    MINOR_VERSION = 1

    def __init__(self) -> None:
        """Begin with nothing entered."""
        self._data: dict[str, Any] = {}
        self._found: dict[str, TenantUser] = {}
        self._chosen: dict[str, str] = {}
        self._trial: Trial | None = None
        self._spare_webhook_id: str | None = None
        self._connect_error: str | None = None
        self._credential_errors: dict[str, str] = {}

    @classmethod
    @callback
    @override
    def async_get_supported_subentry_types(
        cls, config_entry: ConfigEntry
    ) -> dict[str, type[ConfigSubentryFlow]]:
        """Return how to add one more user."""
        return {SUBENTRY_USER: UserSubentryFlow}

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry) -> OptionsFlow:
        """Return the options."""
        return JedlixOptionsFlow()

    # -- credentials ---------------------------------------------------------------------------------------

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the environment and the credentials, and try them."""
        errors, self._credential_errors = self._credential_errors, {}
        if user_input is not None:
            self._data |= {CONF_API_KEY: None} | without_blanks(user_input)
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
                credentials_form(),
                {key: value for key, value in self._data.items() if key not in _SECRETS},
            ),
            errors=errors,
        )

    async def async_step_custom(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the addresses of another environment, and try the credentials there."""
        errors: dict[str, str] = {}
        if user_input is not None:
            entered = without_blanks(user_input)
            base_url = entered[CONF_BASE_URL].rstrip("/")
            self._data |= {
                CONF_BASE_URL: base_url,
                CONF_TOKEN_URL: entered[CONF_TOKEN_URL].rstrip("/"),
                CONF_AUDIENCE: entered.get(CONF_AUDIENCE) or base_url,
            }
            errors = self._address_errors() or await self._try_credentials()
            if errors.get("base") in _CREDENTIAL_ERRORS:
                # the credentials were entered one step before, so that is where they are mended
                self._credential_errors = errors
                return await self.async_step_user()
            if not errors:
                return await self._step_after_credentials()
        shown = dict(self._data)
        if shown.get(CONF_AUDIENCE) == shown.get(CONF_BASE_URL):
            shown.pop(CONF_AUDIENCE, None)  # it follows the address, also one that is mended now
        return self.async_show_form(
            step_id="custom",
            data_schema=self.add_suggested_values_to_schema(custom_form(), shown),
            errors=errors,
        )

    def _address_errors(self) -> dict[str, str]:
        """Return what is wrong with the custom addresses: plain http is for this house only."""
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
            return {"base": account_error(err)}
        except Exception:
            _LOGGER.exception("Unexpected error while trying the credentials")
            return {"base": "unknown"}
        return {}

    async def _step_after_credentials(self) -> ConfigFlowResult:
        """Go on: one entry per tenant and environment; reconfiguring skips the choice of users."""
        host = URL(self._data[CONF_BASE_URL]).authority
        unique_id = f"{host}/{self._data[CONF_CLIENT_ID]}"
        # A dialog that a page loaded anew has left behind ends once this one has made the entry.
        await self.async_set_unique_id(unique_id, raise_on_progress=False)
        if self.source == SOURCE_RECONFIGURE:
            self._abort_if_unique_id_mismatch(reason="wrong_account")
        else:
            self._abort_if_unique_id_configured()
        # Reconfiguring rotates both: the new door is tried while the old one still takes deliveries.
        self._data[CONF_WEBHOOK_ID] = self._spare_webhook_id = webhook.async_generate_id()
        self._data[CONF_WEBHOOK_KEY] = secrets.token_urlsafe(_NEW_KEY_BYTES)
        if self.source == SOURCE_RECONFIGURE:
            return await self.async_step_webhook()
        self._found = await find_users(make_client(self.hass, self._data))
        return await self.async_step_users()

    # -- users ---------------------------------------------------------------------------------------------

    async def async_step_users(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask whom to follow; ids that Jedlix does not know are named."""
        errors: dict[str, str] = {}
        placeholders = {"user": "", "found": str(len(self._found))}
        if user_input is not None:
            wanted = dict.fromkeys(
                user_id if user_id in self._found else own_spelling(user_id)
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
                users_form(self._found), user_input or {}
            ),
            errors=errors,
            description_placeholders=placeholders,
        )

    async def _check(self, wanted: list[str]) -> tuple[dict[str, str], dict[str, str], str]:
        """Return the titles of the wanted users, the errors of the form, and the id that is wrong."""
        if not wanted:
            return {}, {CONF_USERS: "no_users"}, ""
        if followed := all_followed(self.hass).intersection(wanted):
            return {}, {CONF_USERS: "followed_elsewhere"}, ", ".join(sorted(followed))
        titles: dict[str, str] = {}
        for user_id, cars in (
            await check_users(make_client(self.hass, self._data), wanted)
        ).items():
            if isinstance(cars, JedlixError):
                return {}, {CONF_USERS: user_error(cars)}, user_id
            place = self._found[user_id].place if user_id in self._found else None
            titles[user_id] = TenantUser(user_id, place, cars).label
        return titles, {}, ""

    # -- push ----------------------------------------------------------------------------------------------

    async def async_step_webhook(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask how Jedlix is to reach this Home Assistant; the next step tries it."""
        errors: dict[str, str] = {}
        if user_input is not None:
            self._data |= callback_choice(user_input)
            if user_input[CONF_CALLBACK] == Callback.NONE:
                return await self._finish()
            try:
                await choose_url(self.hass, self._data)
            except NoCallback as err:
                field = (
                    CONF_CALLBACK_URL if user_input[CONF_CALLBACK] == Callback.CUSTOM else "base"
                )
                errors[field] = err.reason
            else:
                return await self.async_step_connect()
        elif self._connect_error is not None:
            errors["base"] = self._connect_error
        shown = {CONF_CALLBACK: Callback.AUTO, **self._data}
        try:
            chosen = await choose_url(self.hass, self._data | {CONF_CALLBACK: Callback.AUTO})
        except NoCallback as err:
            chosen = None
            # what to do about it is better known before the first try
            if not errors and shown[CONF_CALLBACK] == Callback.AUTO:
                errors["base"] = err.reason
        return self.async_show_form(
            step_id="webhook",
            data_schema=self.add_suggested_values_to_schema(webhook_form(), shown),
            errors=errors,
            description_placeholders={
                "auto": "-" if chosen is None else str(URL(chosen.url).origin())
            },
        )

    async def async_step_connect(
        self, _user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Open the door, have Jedlix register it, and wait for its test message."""
        if self._trial is None:
            chosen = await choose_url(self.hass, self._data)
            assert chosen is not None  # noqa: S101  the step before has seen to it
            old = self._get_reconfigure_entry() if self.source == SOURCE_RECONFIGURE else None
            client = make_client(self.hass, self._data)
            self._trial = Trial(self.hass, client, self._data, chosen, replaces=old)
            self._trial.start()
        task = self._trial.task
        if not task.done():
            return self.async_show_progress(
                step_id="connect", progress_action="connect", progress_task=task
            )
        self._connect_error = task.result()
        if self._connect_error is None:
            return self.async_show_progress_done(next_step_id="finish")
        self._trial.close()
        self._trial = None
        return self.async_show_progress_done(next_step_id="webhook")

    async def async_step_finish(
        self, _user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Keep what was entered and tried."""
        return await self._finish()

    async def _finish(self) -> ConfigFlowResult:
        if self._trial is not None:
            self._trial.hand_over()
        if self._data[CONF_CALLBACK] in (Callback.AUTO, Callback.CLOUD):
            self._spare_webhook_id = None
        if self.source == SOURCE_RECONFIGURE:
            entry = self._get_reconfigure_entry()
            await self._leave_old_callback(entry)
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
        """Shut the trial's door when the dialog is closed; one that was handed over is the entry's.

        So is the cloudhook, which comes into being as soon as its address is shown.
        """
        if self._trial is not None:
            self._trial.close()
        if self._spare_webhook_id is not None:
            self.hass.async_create_task(
                delete_cloudhook(self.hass, self._spare_webhook_id), "jedlix delete cloudhook"
            )

    async def _leave_old_callback(self, entry: ConfigEntry) -> None:
        """Give back what the old callback had: nobody would know of it once the new one has its place."""
        if entry.state is ConfigEntryState.LOADED:
            memory: Memory = entry.runtime_data.memory
        else:
            memory = Memory(self.hass, entry.entry_id)
            await memory.load()
        webhook_id = entry.data[CONF_WEBHOOK_ID]
        try:
            await unsubscribe_all(
                make_client(self.hass, self._data), memory.subscriptions, webhook_id
            )
        except JedlixError as err:
            _LOGGER.warning("The old webhook subscriptions could not be deleted at Jedlix: %s", err)
        await delete_cloudhook(self.hass, webhook_id)

    def _update(self, entry: ConfigEntry, reason: str) -> ConfigFlowResult:
        """Keep the new data and begin anew with them.

        A loaded entry reloads by its listener, though only where something differs; without a reload, polling
        that an AuthError has ended would not begin again.
        """
        reloads = entry.state is ConfigEntryState.LOADED and dict(entry.data) != self._data
        result = self.async_update_and_abort(entry, data=self._data, reason=reason)
        if not reloads:
            self.hass.config_entries.async_schedule_reload(entry.entry_id)
        return result

    # -- reauth and reconfigure ----------------------------------------------------------------------------

    async def async_step_reauth(self, entry_data: Mapping[str, Any]) -> ConfigFlowResult:
        """Begin again with what is known; only the secrets are asked for."""
        self._data = dict(entry_data)
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the secret and the API key of the same tenant."""
        errors: dict[str, str] = {}
        if user_input is not None:
            self._data |= {CONF_API_KEY: None} | without_blanks(user_input)
            if not (errors := await self._try_credentials()):
                return self._update(self._get_reauth_entry(), "reauth_successful")
        return self.async_show_form(
            step_id="reauth_confirm",
            data_schema=reauth_form(),
            errors=errors,
            description_placeholders={"client_id": self._data[CONF_CLIENT_ID]},
        )

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Go through everything again, with what is known filled in."""
        self._data = dict(self._get_reconfigure_entry().data)
        return await self.async_step_user(user_input)
