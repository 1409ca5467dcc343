"""Webhook: joins push and the coordinator, from the webhook handler to the refresh request.

The subscriptions at Jedlix stay through restarts and reloads, so nothing is lost meanwhile. Only removing
the entry deletes them. Nothing that goes wrong here fails the entry: polling goes on.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
import logging
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_WEBHOOK_ID
from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later
from homeassistant.util import dt as dt_util

from .api import JedlixClient, WebhookMessage
from .api.gate import wanted_by_person
from .const import CONF_WEBHOOK_KEY
from .coordinator import JedlixCoordinator
from .errors import failure, refuse
from .listeners import Listeners
from .publisher import Source
from .push.callback_url import track_callback_url
from .push.evidence import RegistrationEvidence
from .push.handler import KEY_REFUSALS, RecentDelivery, Refusal, WebhookHandler
from .push.health import PushHealth, PushState, RegistrationState
from .push.issues import PushIssues
from .push.record import PushRecord
from .push.registration import Registration

_LOGGER = logging.getLogger(__name__)

# The counters are written this long after a delivery, in seconds, together with those of the next deliveries.
COUNTERS_DELAY: Final = 1.0


class JedlixPush:
    """Push of one entry: the webhook handler, the registration, the health and the repairs."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry[Any],
        client: JedlixClient,
        *,
        record: PushRecord,
        health: PushHealth,
        coordinator: JedlixCoordinator,
    ) -> None:
        """Prepare; nothing is answered before `register_handler`."""
        self._hass = hass
        self._entry = entry
        self._report = client.report
        self._record = record
        self._coordinator = coordinator
        self._evidence = RegistrationEvidence()
        self._issues = PushIssues(hass, entry.entry_id, entry.title)
        self._cancel_counters: CALLBACK_TYPE | None = None
        self._is_renewing = False
        self._reviewed_state: PushState | None = None
        self._listeners: Listeners[()] = Listeners()
        self.health = health
        self.registration = Registration(
            hass,
            entry,
            client,
            offered=coordinator.offered,
            record=record,
            health=health,
            evidence=self._evidence,
            concluded=self._review,
        )
        self._handler = WebhookHandler(
            hass,
            entry.data[CONF_WEBHOOK_ID],
            entry.data[CONF_WEBHOOK_KEY],
            inbox=record.inbox,
            on_delivery=self._process,
            on_test=self._evidence.note_test,
            on_refusal=self._note_refusal,
            is_ready=lambda: not (coordinator.is_closed or coordinator.publisher.is_full),
        )

    @property
    def state(self) -> PushState:
        """Return the push state."""
        return self.health.state(dt_util.utcnow())

    @property
    def arrivals(self) -> Iterable[RecentDelivery]:
        """Return the last deliveries, oldest first, refused ones included."""
        return self._handler.arrivals

    @callback
    def listen(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call the listener when something about push changed; returns what ends it."""
        return self._listeners.add(listener)

    @callback
    def register_handler(self) -> CALLBACK_TYPE:
        """Register the webhook handler, in the place of the config flow's; returns what unregisters it."""
        self._handler.register()
        return self._handler.unregister

    @callback
    def start(self) -> None:
        """Register at Jedlix in the background, and keep it so until the entry is unloaded."""
        self.health.reviewed = self._review
        self._entry.async_on_unload(self._stop)
        self._entry.async_on_unload(
            track_callback_url(
                self._hass, self._entry.data[CONF_WEBHOOK_ID], self.registration.check_now
            )
        )
        self._entry.async_create_background_task(
            self._hass, self.registration.keep(), "jedlix push"
        )

    @callback
    def _stop(self) -> None:
        self.health.reviewed = lambda: None
        self._issues.clear()
        if self._cancel_counters is not None:
            self._cancel_counters()

    @callback
    def resubscribe(self) -> None:
        """Write all subscriptions again, now, also while Jedlix asks to wait: a person wants it."""
        self.registration.resubscribe(by_person=True)

    async def resubscribe_now(self) -> None:
        """Write all subscriptions again, those that Jedlix has refused included, and wait for the outcome.

        Raises an error in words where no push is wanted, or none could be registered.
        """
        if self.state is PushState.OFF:
            refuse("push_off", account=self._entry.title)
        if await self.registration.resubscribe_now() is not None:
            raise failure("not_registered", account=self._entry.title)

    async def try_callback(self, data: Mapping[str, Any]) -> str | None:
        """Try the callback of an entry's data, see `Registration.try_callback`; a success ends the repair."""
        with wanted_by_person():
            problem = await self.registration.try_callback(data)
        if problem is None:
            self._issues.clear()
        return problem

    # -- deliveries ----------------------------------------------------------------------------------------

    @callback
    def _process(self, message: WebhookMessage) -> None:
        """Process a new delivery after it was answered: publish it as it came, and request a refresh."""
        now = dt_util.utcnow()
        self._report.note_delivery(message)
        user_id = message.user_id or self._coordinator.fleet.owner(message)
        self.health.note_delivery(user_id, message.occurred_at, now)
        self._record.last_delivery = now
        self._record.schedule_save()
        self._write_counters_soon()
        self._coordinator.publisher.publish_delivery(
            message,
            Source.WEBHOOK,
            followed=message.user_id in self._coordinator.followed,
            late=False,
        )
        self._coordinator.deliveries.handle(message)

    @callback
    def _note_refusal(self, why: Refusal) -> None:
        self._evidence.note_refusal(why)
        if why in KEY_REFUSALS:
            self.health.note_wrong_key(dt_util.utcnow(), why.value)
        elif why is Refusal.NOT_READY:
            self._coordinator.note_missed_delivery()
        else:
            self.health.note_bad_body()
        self._write_counters_soon()

    @callback
    def _write_counters_soon(self) -> None:
        """Have the counters written soon, and another push state at once."""
        if self.state is not self._reviewed_state:
            self._review()
        elif self._cancel_counters is None:
            self._cancel_counters = async_call_later(
                self._hass, COUNTERS_DELAY, HassJob(self._write_counters, cancel_on_shutdown=True)
            )

    @callback
    def _write_counters(self, _now: datetime) -> None:
        self._cancel_counters = None
        self._review()

    # -- health --------------------------------------------------------------------------------------------

    @callback
    def _review(self) -> None:
        """Act on the health of push: show it, and renew the subscriptions after the first silence."""
        self._reviewed_state = self.state
        is_first_silence = self._reviewed_state is PushState.SILENT and self.health.silences == 1
        if is_first_silence and not self._is_renewing:
            _LOGGER.info(
                "Jedlix seems to have stopped its deliveries; the webhook is registered again"
            )
            self.registration.resubscribe()
        self._is_renewing = is_first_silence
        # While Jedlix cannot be asked, the last known problem stays.
        if (
            self.registration.problem is not None
            or self.health.registration is not RegistrationState.PENDING
        ):
            self._issues.note(self._problem(), dt_util.utcnow(), self.registration.refusal or "-")
        self._listeners.call()

    def _problem(self) -> str | None:
        """Return what keeps push from working: a refused registration, or what the deliveries show."""
        if self.registration.problem is not None:
            return self.registration.problem
        match self.state:
            case PushState.FAILING:
                return self.health.key_problem
            case PushState.SILENT if self.health.silences > 1:
                return "silent"
            case _:
                return None
