"""Linking: the steps that link a car at its maker, for the gear of a user's row and for repairs."""

from abc import abstractmethod
import asyncio
from collections.abc import Mapping
from contextlib import suppress
import logging
from typing import Any, Final, override

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import callback
from homeassistant.data_entry_flow import FlowContext, FlowHandler, FlowResult
import voluptuous as vol

from ..api import (
    Conflict,
    ConnectionFailed,
    ConnectSession,
    Forbidden,
    JedlixError,
    NotFound,
    Rejected,
)
from ..data import JedlixConfigEntry
from ..errors import link_form_error
from ..subentries import user_subentries
from .reminder import Reminder

_LOGGER = logging.getLogger(__name__)

# How often Jedlix is asked what became of the link, in seconds.
LOOK_INTERVAL: Final = 3.0
# After so many seconds without a new page the person is asked whether to go on: a browser that was left
# behind must not ask Jedlix for ever.
PATIENCE: Final = 15 * 60.0
# So many failed looks in a row are shown; so many refusals in a row mean that the attempt is forgotten.
AWAY_AFTER: Final = 3
GONE_AFTER: Final = 3
# How long the end waits until the car was read again, in seconds.
REFRESH_PATIENCE: Final = 10.0
# The reasons that leave the form open for another try.
_TRY_AGAIN: Final = frozenset(
    {"cannot_connect", "invalid_auth", "link_refused", "not_jedlix", "not_loaded"}
)


class LinkingSteps[Context: FlowContext, Result: FlowResult[Any, Any], Handler](
    FlowHandler[Context, Result, Handler]
):
    """The steps `link`, `log_in` and `link_unfinished`, and the end. `_choose` comes first.

    Nothing is begun at Jedlix before the person has submitted `link`. The address of the maker's page is a
    secret: it stands in a placeholder of the dialog and nowhere else.
    """

    _entry: JedlixConfigEntry
    _user_id: str
    _vehicle_id: str | None
    _placeholders: Mapping[str, str]
    _session: ConnectSession
    _patient_until: float

    def __init__(self) -> None:
        """Start with nothing begun at Jedlix."""
        super().__init__()
        self._reminder = Reminder()
        self._task: asyncio.Task[str | None] | None = None
        self._pages = self._failures = self._refusals = 0
        self._reason = ""

    def _choose(
        self,
        entry: JedlixConfigEntry,
        user_id: str,
        vehicle_id: str | None,
        placeholders: Mapping[str, str],
    ) -> None:
        """Link this car of this user, a new one where `vehicle_id` is None. The forms have placeholders."""
        self._entry, self._user_id, self._vehicle_id = entry, user_id, vehicle_id
        self._placeholders = placeholders

    @abstractmethod
    def _end_linked(self) -> Result:
        """End the flow after the car was linked."""

    # -- the steps -----------------------------------------------------------------------------------------

    async def async_step_link(self, user_input: dict[str, Any] | None = None) -> Result:
        """Say what comes; once the person agrees, begin."""
        errors: dict[str, str] = {}
        if user_input is not None:
            self._reason = await self._begin()
            if not self._reason:
                return await self.async_step_log_in()
            if self._reason not in _TRY_AGAIN:
                return await self.async_step_end()
            errors["base"] = self._reason
        return self.async_show_form(
            step_id="link",
            data_schema=vol.Schema({}),
            errors=errors,
            description_placeholders=self._placeholders,
        )

    async def async_step_log_in(self, _user_input: dict[str, Any] | None = None) -> Result:
        """Show the page that the person has to open, and wait until Jedlix says what became of it."""
        if self._task is None:
            self._task = self.hass.async_create_background_task(self._follow(), "jedlix link")
        elif not self._task.done():
            self._reminder.stop()  # Home Assistant asks when a task ends; whoever asks later is the dialog
        if not self._task.done():
            action = "log_in" if self._pages == 1 else "next_page"
            return self.async_show_progress(
                step_id="log_in",
                progress_action="away" if self._is_away else action,
                progress_task=self._task,
                description_placeholders={
                    "url": self._session.page or "",
                    "page": str(self._pages),
                },
            )
        next_step, self._task = self._task.result(), None
        self._reminder.start(self)
        if next_step is None:
            return await self.async_step_log_in()
        return self.async_show_progress_done(next_step_id=next_step)

    async def async_step_link_unfinished(self, user_input: dict[str, Any] | None = None) -> Result:
        """Ask whether to go on waiting."""
        self._reminder.stop()
        if user_input is not None:
            self._be_patient()
            return await self.async_step_log_in()
        return self.async_show_form(
            step_id="link_unfinished",
            data_schema=vol.Schema({}),
            description_placeholders=self._placeholders,
        )

    async def async_step_end(self, _user_input: dict[str, Any] | None = None) -> Result:
        """End the flow."""
        self._reminder.stop()
        if self._reason == "linked":
            return self._end_linked()
        return self.async_abort(reason=self._reason)

    @callback
    @override
    def async_remove(self) -> None:
        """Remind nobody of a dialog that was closed; Home Assistant ends the task."""
        self._reminder.stop()

    # -- Jedlix --------------------------------------------------------------------------------------------

    @property
    def _is_loaded(self) -> bool:
        return self._entry.state is ConfigEntryState.LOADED

    @property
    def _is_followed(self) -> bool:
        """Return whether the user is still followed; the entry may be removed."""
        known = self.hass.config_entries.async_get_entry(self._entry.entry_id)
        return known is self._entry and self._user_id in user_subentries(self._entry)

    @property
    def _is_away(self) -> bool:
        return self._failures >= AWAY_AFTER

    async def _begin(self) -> str:
        """Begin at Jedlix; returns the reason why the flow ends or must try again, else an empty text."""
        self._pages = self._failures = self._refusals = 0
        if not self._is_followed:
            return "user_removed"
        if not self._is_loaded:
            return "not_loaded"
        try:
            self._session = await self._new_session()
        except JedlixError as err:
            return link_form_error(err)
        if self._session.is_finished:
            return await self._wait_for_car()
        if self._session.page is None:
            return "needs_app"
        self._note_page()
        return ""

    async def _new_session(self) -> ConnectSession:
        """Return a new connect session, or one that was begun before; raises a JedlixError."""
        client = self._entry.runtime_data.client
        try:
            return await client.connect_vehicle(self._user_id, self._vehicle_id)
        except Conflict:
            begun: tuple[ConnectSession, ...] = ()
            with suppress(JedlixError):
                begun = await client.unfinished_connect_sessions(self._user_id)
            if not (unfinished := [item for item in begun if not item.is_finished]):
                raise
            return unfinished[-1]

    def _note_page(self) -> None:
        self._pages += 1
        self._be_patient()

    def _be_patient(self) -> None:
        self._patient_until = asyncio.get_running_loop().time() + PATIENCE

    async def _follow(self) -> str | None:
        """Ask Jedlix until there is something else to show; returns the next step, None for other words."""
        try:
            async with asyncio.timeout_at(self._patient_until):
                while True:
                    await asyncio.sleep(LOOK_INTERVAL)
                    if await self._look():
                        return "end" if self._reason else None
        except TimeoutError:
            return "link_unfinished"
        except Exception:
            _LOGGER.exception("Linking a Jedlix car failed")
            self._reason = "unknown"
            return "end"

    async def _look(self) -> bool:
        """Ask Jedlix once; returns whether there is something else to show. An end has its reason."""
        was_away = self._is_away
        if not self._is_followed:
            self._reason = "user_removed"
            return True
        try:
            session = await self._read()
        except JedlixError as err:
            is_refusal = isinstance(err, Forbidden | Rejected) or (
                isinstance(err, NotFound) and err.is_answer
            )
            self._refusals = self._refusals + 1 if is_refusal else 0
            self._failures = 0 if is_refusal else self._failures + 1
            if self._refusals >= GONE_AFTER:
                self._reason = "link_lost"
        else:
            self._refusals = self._failures = 0
            if session.is_finished:
                self._session = session
                self._reason = await self._wait_for_car()
            elif session.page is not None and session.page != self._session.page:
                self._session = session
                self._note_page()
                return True
            elif session.page is None and session.start_url is not None:
                self._reason = "needs_app"
        return bool(self._reason) or self._is_away != was_away

    async def _read(self) -> ConnectSession:
        """Return the state of the attempt; raises a JedlixError, also while the entry is reloaded."""
        if not self._is_loaded:
            raise ConnectionFailed("the entry is not loaded")
        client = self._entry.runtime_data.client
        return await client.connect_session(self._user_id, self._session.id)

    async def _wait_for_car(self) -> str:
        """Refresh the user; returns how the flow ends: whether Jedlix reports the car as linked already."""
        if not self._is_loaded:
            return "linked_unseen"
        coordinator = self._entry.runtime_data.coordinator
        with suppress(TimeoutError):
            async with asyncio.timeout(REFRESH_PATIENCE):
                await coordinator.refresh_after_command(self._user_id)
        vehicle_id = self._session.vehicle_id or self._vehicle_id or ""
        car = coordinator.fleet.vehicle((self._user_id, vehicle_id))
        is_linked = car is not None and car.link.is_connected is not False and not car.link.is_ready
        return "linked" if is_linked else "linked_unseen"
