"""Push steps: the steps of set-up and reconfiguration that choose a callback and try it."""

from abc import abstractmethod
import secrets
from typing import Any, Final, override

from homeassistant.components import webhook
from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntryState,
    ConfigFlow,
    ConfigFlowResult,
)
from homeassistant.const import CONF_WEBHOOK_ID
from homeassistant.core import callback
from homeassistant.helpers.translation import async_get_translations
from yarl import URL

from ..const import CONF_CALLBACK, CONF_CALLBACK_URL, CONF_WEBHOOK_KEY, DOMAIN
from ..data import JedlixConfigEntry, make_client
from ..push.callback_url import Callback, ChosenUrl, NoCallback, choose_url, delete_cloudhook
from ..push.connection_test import ConnectionTest
from ..push.registration import Registration
from .reminder import Reminder
from .schemas import callback_data, webhook_schema

_NEW_KEY_BYTES: Final = 32


class PushSteps(ConfigFlow):
    """The steps `webhook` and `connect`; `finish` follows them, and `_data` is what was entered so far."""

    def __init__(self) -> None:
        """Start with nothing entered."""
        super().__init__()
        self._data: dict[str, Any] = {}
        self._url: ChosenUrl  # the step before `connect` chooses it
        self._test: ConnectionTest | None = None
        self._spare_webhook_id: str | None = None
        self._connect_error: str | None = None
        self._refusal: str | None = None
        self._reminder = Reminder()

    @abstractmethod
    async def async_step_finish(
        self, _user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """End the flow."""

    def _make_webhook(self) -> None:
        """Make a new webhook with a new key; one that it replaces accepts deliveries until it is tested."""
        self._data[CONF_WEBHOOK_ID] = self._spare_webhook_id = webhook.async_generate_id()
        self._data[CONF_WEBHOOK_KEY] = secrets.token_urlsafe(_NEW_KEY_BYTES)

    async def async_step_webhook(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask how Jedlix reaches this Home Assistant; the next step tries it."""
        self._reminder.stop()
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
                    return await self.async_step_finish()
                self._url = url
                return await self.async_step_connect()
        elif self._connect_error is not None:
            errors["base"] = self._connect_error
        automatic = await self._automatic()
        return self.async_show_form(
            step_id="webhook",
            data_schema=self.add_suggested_values_to_schema(webhook_schema(), self._data),
            errors=errors,
            description_placeholders={"auto": automatic, "reason": self._refusal or "-"},
        )

    async def _automatic(self) -> str:
        """Return what "Automatic" takes here, or why it takes nothing, in the language of Home Assistant."""
        address, key = "", ""
        try:
            chosen = await choose_url(self.hass, self._data | {CONF_CALLBACK: Callback.AUTO})
        except NoCallback as err:
            key = err.reason
        else:
            if chosen is not None:
                address, key = f": {URL(chosen.url).origin()}", chosen.callback.value
        language = self.hass.config.language
        texts = await async_get_translations(self.hass, language, "selector", {DOMAIN})
        return texts.get(f"component.{DOMAIN}.selector.automatic.options.{key}", key) + address

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
        self._connect_error, self._refusal = task.result(), self._test.refusal
        self._reminder.start(self)
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
        push = entry.runtime_data.push
        return None if push is None else push.registration

    def _hand_over(self) -> None:
        """Leave the tested webhook to the entry, and the cloudhook where it uses one."""
        self._reminder.stop()  # a client that asks once more would create another entry
        if self._test is not None:
            self._test.hand_over()
        if self._data[CONF_CALLBACK] in (Callback.AUTO, Callback.CLOUD):
            self._spare_webhook_id = None

    @callback
    @override
    def async_remove(self) -> None:
        """Undo the connection test when the dialog is closed, unless it was handed over to the entry.

        The same holds for the cloudhook, which is created as soon as its address is shown.
        """
        self._reminder.stop()
        if self._test is not None:
            self._test.close()
        if self._spare_webhook_id is not None:
            self.hass.async_create_task(
                delete_cloudhook(self.hass, self._spare_webhook_id), "jedlix delete cloudhook"
            )
