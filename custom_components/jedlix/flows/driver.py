"""Driver steps: a log-in at the identity provider of the driver's app, with OAuth2 and PKCE.

The application credentials of Home Assistant do not fit: they know one provider for all entries.
"""

from abc import abstractmethod
from collections.abc import Mapping
import time
from typing import Any, Final, override
from uuid import uuid4

from homeassistant.config_entries import ConfigFlow, ConfigFlowResult
from homeassistant.const import CONF_CLIENT_ID, CONF_CLIENT_SECRET, CONF_TOKEN
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.config_entry_oauth2_flow import (
    AUTH_CALLBACK_PATH,
    LocalOAuth2ImplementationWithPkce,
    async_get_redirect_uri,
)
from homeassistant.helpers.network import NoURLAvailableError, get_url
import voluptuous as vol

from ..api import JedlixError
from ..api.user_token import UserToken, redeem_code
from ..const import (
    CONF_AUDIENCE,
    CONF_AUTHORIZE_URL,
    CONF_BASE_URL,
    CONF_LOG_IN,
    CONF_SCOPE,
    CONF_TOKEN_URL,
    CONF_USER_ID,
    DOMAIN,
)
from ..errors import provider_form_error
from ..users import normalize_user_id
from .checks import address_errors, credentials_errors
from .reminder import Reminder
from .schemas import DEFAULT_SCOPE, SECRETS, driver_data, driver_schema

_REFUSED_BY_PERSON: Final = "access_denied"


def redirect_address(hass: HomeAssistant) -> str:
    """Return the address to which a provider sends a browser back, which has to be registered there.

    Raises NoURLAvailableError where nobody knows by which address the browser reaches Home Assistant.
    """
    try:
        return async_get_redirect_uri(hass)
    except RuntimeError:  # no request of the frontend led here
        return get_url(hass, prefer_external=True) + AUTH_CALLBACK_PATH


class DriverLogIn(LocalOAuth2ImplementationWithPkce):
    """One log-in: the page to open, and the exchange of the code that comes back."""

    def __init__(self, hass: HomeAssistant, data: Mapping[str, Any], *, asks_again: bool) -> None:
        """Make a new secret for this log-in. `asks_again` has the provider ask who logs in (OpenID)."""
        super().__init__(
            hass, DOMAIN, data[CONF_CLIENT_ID], data[CONF_AUTHORIZE_URL], data[CONF_TOKEN_URL]
        )
        self._data = data
        self._asks_again = asks_again
        self._redirect_uri = redirect_address(hass)

    @property
    @override
    def redirect_uri(self) -> str:
        """Return the address to come back to."""
        return self._redirect_uri

    @property
    @override
    def extra_authorize_data(self) -> dict[str, str]:
        """Return what is asked for: the scopes and the audience, as far as they were entered."""
        wanted = {"scope": self._data[CONF_SCOPE], "audience": self._data[CONF_AUDIENCE]}
        if self._asks_again:
            wanted["prompt"] = "login"
        return {
            name: value for name, value in wanted.items() if value
        } | super().extra_authorize_data

    async def redeem(self, code: str) -> UserToken:
        """Exchange the code for tokens; raises a JedlixError."""
        return await redeem_code(
            async_get_clientsession(self.hass),
            token_url=self.token_url,
            client_id=self.client_id,
            client_secret=self._data[CONF_CLIENT_SECRET],
            code=code,
            redirect_uri=self._redirect_uri,
            code_verifier=self.code_verifier,
            now=time.time(),
        )


class DriverSteps(ConfigFlow):
    """The steps `driver`, `driver_reauth`, `auth` and `log_in`; `_driver_finish` follows them.

    `_data` is what was entered so far, with the user and the tokens at the end.
    """

    _data: dict[str, Any]
    _reminder: Reminder
    _log_in: DriverLogIn
    _returned: Mapping[str, Any] | None = None

    def __init__(self) -> None:
        """Start with nothing entered."""
        super().__init__()
        self._log_in_form = "driver"
        self._log_in_error: str | None = None
        self._log_in_reason = ""
        self._is_other_person = False

    @property
    @abstractmethod
    def _known(self) -> Mapping[str, Any]:
        """Return the data of the entry that is changed, nothing for a new one."""

    @abstractmethod
    async def _driver_finish(self) -> ConfigFlowResult:
        """End the flow; `_data` is complete and was tried."""

    async def async_step_driver(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the provider and the environment, then open the provider's page."""
        errors: dict[str, str] = {}
        self._log_in_form = "driver"
        if user_input is not None:
            self._data = driver_data(self._known, user_input)
            errors = address_errors(self._data, (CONF_BASE_URL, CONF_AUTHORIZE_URL, CONF_TOKEN_URL))
            if not errors:
                return await self._begin_log_in()
        shown = {CONF_SCOPE: DEFAULT_SCOPE} | {
            key: value for key, value in self._data.items() if key not in SECRETS
        }
        return self.async_show_form(
            step_id="driver",
            data_schema=self.add_suggested_values_to_schema(driver_schema(), shown),
            **self._log_in_texts(errors),
        )

    async def async_step_driver_reauth(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask the driver to log in again. Only the request of a browser knows where to come back to."""
        self._log_in_form = "driver_reauth"
        if user_input is not None:
            return await self._begin_log_in()
        return self.async_show_form(
            step_id="driver_reauth", data_schema=vol.Schema({}), **self._log_in_texts({})
        )

    def _log_in_texts(self, errors: dict[str, str]) -> dict[str, Any]:
        """Return the errors of the form, with that of the last log-in, and the placeholders of its texts."""
        error, self._log_in_error = self._log_in_error, None
        try:
            redirect = redirect_address(self.hass)
        except NoURLAvailableError:
            error, redirect = "no_redirect", "-"
        return {
            "errors": errors if error is None else errors | {"base": error},
            "description_placeholders": {
                "redirect": redirect,
                "reason": self._log_in_reason,
                "user": self._log_in_reason,
            },
        }

    async def _begin_log_in(self) -> ConfigFlowResult:
        """Open the provider's page. After the wrong person, it is to ask who logs in."""
        try:
            self._log_in = DriverLogIn(self.hass, self._data, asks_again=self._is_other_person)
        except NoURLAvailableError:
            return await self._log_in_again("no_redirect")
        return await self.async_step_auth()

    async def _log_in_again(self, error: str, reason: str = "") -> ConfigFlowResult:
        """Show the form that began the log-in, with what was wrong."""
        self._log_in_error, self._log_in_reason = error, reason
        self._is_other_person = error == "wrong_driver"
        if self._log_in_form == "driver":
            return await self.async_step_driver()
        return await self.async_step_driver_reauth()

    async def async_step_auth(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Wait for the browser to come back from the provider; Home Assistant's own page continues here."""
        if user_input is None:
            return self.async_external_step(
                step_id="auth", url=await self._log_in.async_generate_authorize_url(self.flow_id)
            )
        self._returned = user_input
        self._reminder.start(self)
        return self.async_external_step_done(next_step_id="log_in")

    async def async_step_log_in(
        self, _user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Exchange the code, see whose tokens they are, and try them at Jedlix."""
        self._reminder.stop()
        returned, self._returned = self._returned or {}, None
        if (code := returned.get("code")) is None:
            error = returned.get("error", _REFUSED_BY_PERSON)
            is_person = error == _REFUSED_BY_PERSON
            return await self._log_in_again(
                "log_in_refused" if is_person else "provider_refused", str(error)
            )
        try:
            token = await self._log_in.redeem(code)
            user_id = normalize_user_id(token.user_id)
        except JedlixError as err:
            return await self._log_in_again(provider_form_error(err), str(err))
        if token.refresh_token is None:
            return await self._log_in_again("no_refresh_token")
        if self._known.get(CONF_USER_ID, user_id) != user_id:
            return await self._log_in_again("wrong_driver", user_id)
        self._data |= {
            CONF_USER_ID: user_id,
            CONF_TOKEN: {CONF_LOG_IN: uuid4().hex, **token.as_json()},
        }
        if errors := await credentials_errors(self.hass, self._data):
            return await self._log_in_again(errors["base"], user_id)
        return await self._driver_finish()
