"""The life of push: the door, the registration at Jedlix with its retries, the world that changes.

The remote subscriptions stay through restarts and reloads, so nothing is lost to them; only removing the
entry deletes them. Nothing that goes wrong here fails the entry: polling goes on.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
import logging
from typing import TYPE_CHECKING, Any, Final

from homeassistant.const import CONF_WEBHOOK_ID
from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later
from homeassistant.util import dt as dt_util

from ..announcer import Source, tell_each
from ..api import JedlixClient, WebhookMessage
from ..const import CONF_WEBHOOK_KEY
from ..coordinator import JedlixCoordinator
from ..memory import Memory
from .health import PushHealth, PushState, Registration
from .issues import PushIssues
from .receiver import Arrival, Door, Refusal
from .registrar import Registrar
from .surroundings import watch
from .witness import Witness

if TYPE_CHECKING:
    from ..runtime import JedlixConfigEntry

_LOGGER = logging.getLogger(__name__)

# Counters are written this long after a delivery, in seconds, with whatever else came meanwhile.
_COUNTERS_AFTER: Final = 1.0


class PushLink:
    """Push of one entry, from Jedlix's POST to the ring."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: JedlixConfigEntry,
        client: JedlixClient,
        *,
        memory: Memory,
        health: PushHealth,
        coordinator: JedlixCoordinator,
    ) -> None:
        """Prepare; the door is shut until `open`."""
        self._hass = hass
        self._entry = entry
        self._memory = memory
        self._coordinator = coordinator
        self._witness = Witness()
        self._issues = PushIssues(hass, entry.entry_id, entry.title)
        self._counters_due: CALLBACK_TYPE | None = None
        self._listeners: list[CALLBACK_TYPE] = []
        self.health = health
        self.registrar = Registrar(
            hass,
            entry,
            client,
            memory=memory,
            health=health,
            witness=self._witness,
            concluded=self._review,
        )
        self._door = Door(
            hass,
            entry.data[CONF_WEBHOOK_ID],
            entry.data[CONF_WEBHOOK_KEY],
            inbox=memory.inbox,
            deliver=self._deliver,
            test=self._witness.saw_test,
            refused=self._refused,
        )

    @property
    def state(self) -> PushState:
        """Return what a user sees of push."""
        return self.health.state(dt_util.utcnow())

    @property
    def arrivals(self) -> Iterable[Arrival]:
        """Return the last deliveries, oldest first, the refused ones among them."""
        return self._door.arrivals

    @callback
    def listen(self, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call the listener whenever something about push changed; returns what ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    @callback
    def open(self) -> Callable[[], None]:
        """Open the door, in the place of the config flow's; returns what shuts it."""
        self._door.open()
        return self._door.close

    @callback
    def start(self) -> None:
        """Register at Jedlix in the background and keep it so until the entry is unloaded."""
        self.health.reviewed = self._review
        self._entry.async_on_unload(self._stop)
        for stop in watch(self._hass, self._entry.data[CONF_WEBHOOK_ID], self.registrar.wake):
            self._entry.async_on_unload(stop)
        self._entry.async_create_background_task(self._hass, self.registrar.keep(), "jedlix push")

    @callback
    def _stop(self) -> None:
        self.health.reviewed = lambda: None
        self._issues.clear()
        if self._counters_due is not None:
            self._counters_due()

    @callback
    def resubscribe(self) -> None:
        """Have all subscriptions written anew, now."""
        self.registrar.resubscribe()

    async def attempt(self, data: Mapping[str, Any]) -> str | None:
        """Try the callback of an entry's data, as `Registrar.attempt` does; a success ends the repair."""
        if (problem := await self.registrar.attempt(data)) is None:
            self._issues.clear()
        return problem

    # -- deliveries ----------------------------------------------------------------------------------------

    @callback
    def _deliver(self, message: WebhookMessage) -> None:
        """Handle a new delivery, after it was answered: pass it on raw, and ring."""
        before = self.state
        now = dt_util.utcnow()
        self.health.delivered(message.user_id, message.occurred_at, now)
        self._memory.last_delivery = now
        self._memory.changed()
        self._counted(before)
        self._coordinator.announcer.tell_webhook(
            message,
            Source.WEBHOOK,
            followed=message.user_id in self._coordinator.followed,
            late=False,
        )
        self._coordinator.ring(message)

    @callback
    def _refused(self, why: Refusal) -> None:
        before = self.state
        if why is Refusal.WRONG_KEY:
            self._witness.saw_wrong_key()
            self.health.refused_key(dt_util.utcnow())
        else:
            self.health.refused_body()
        self._counted(before)

    @callback
    def _counted(self, before: PushState) -> None:
        """Have the counters written soon, and a new state at once."""
        if self.state is not before:
            self._review()
        elif self._counters_due is None:
            self._counters_due = async_call_later(
                self._hass,
                _COUNTERS_AFTER,
                HassJob(self._write_counters, cancel_on_shutdown=True),
            )

    @callback
    def _write_counters(self, _now: datetime) -> None:
        self._counters_due = None
        self._review()

    # -- health --------------------------------------------------------------------------------------------

    @callback
    def _review(self) -> None:
        """See to what the evidence says by now: it is shown, and the first silence is answered."""
        if self.state is PushState.SILENT and self.health.silences == 1:
            _LOGGER.info("Jedlix seems to have stopped calling; the webhooks are registered anew")
            self.resubscribe()
        # while Jedlix cannot be asked, what was wrong before still is
        if (
            self.registrar.problem is not None
            or self.health.registration is not Registration.PENDING
        ):
            self._issues.note(self._trouble(), dt_util.utcnow())
        tell_each(self._listeners)

    def _trouble(self) -> str | None:
        """Return what keeps push from working: a problem of the registration, or what is seen at the door."""
        if self.registrar.problem is not None:
            return self.registrar.problem
        match self.state:
            case PushState.FAILING:
                return "wrong_key"
            case PushState.SILENT if self.health.silences > 1:
                return "silent"
            case _:
                return None
