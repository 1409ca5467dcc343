"""Deliveries: the users whom a delivery is about, what it reports of them, and the refreshes it requests."""

from collections.abc import Callable, Collection
from datetime import datetime

from homeassistant.core import callback

from .api import WebhookMessage
from .fleet import Fleet
from .publisher import Publisher, Source
from .push.event_types import may_concern_settings
from .state.details import DetailSchedule
from .state.reports import change_of_report
from .state.schedule import PollSchedule
from .store import JedlixStore


class Deliveries:
    """The deliveries of one entry. `now` is Jedlix's time.

    `request_refresh` requests a refresh of a user; `request_poll` brings the poll forward.
    """

    def __init__(
        self,
        *,
        store: JedlixStore,
        schedule: PollSchedule,
        details: DetailSchedule,
        fleet: Fleet,
        publisher: Publisher,
        now: Callable[[], datetime],
        request_refresh: Callable[[str], object],
        request_poll: Callable[[], object],
    ) -> None:
        """Take what knows the users, and what serves the requests."""
        self._store = store
        self._schedule = schedule
        self._details = details
        self._fleet = fleet
        self._publisher = publisher
        self._now = now
        self._request_refresh = request_refresh
        self._request_poll = request_poll

    @callback
    def handle(self, message: WebhookMessage) -> None:
        """Request a refresh of the user that a delivery names.

        A delivery that names nobody refreshes all users of a household. In a fleet it brings the poll
        forward.
        """
        self._note_report(message, Source.WEBHOOK, late=False)
        if (users := self._note_users(message)) is None:
            self._request_poll()
            return
        for user_id in users:
            self._request_refresh(user_id)

    @callback
    def publish_missed(self, message: WebhookMessage) -> Collection[str]:
        """Publish a delivery that the history names; returns the followed users whom it is about."""
        followed = message.user_id in self._schedule.followed
        self._publisher.publish_delivery(message, Source.HISTORY, followed=followed, late=True)
        self._note_report(message, Source.HISTORY, late=True)
        return self._note_users(message) or ()

    @callback
    def _note_report(self, message: WebhookMessage, source: Source, *, late: bool) -> None:
        """Note what a delivery says of a followed user, and publish what only a delivery can say."""
        user = self._store.users.get(message.user_id or self._fleet.owner(message) or "")
        if user is None:
            return
        self._store.reports.note(message, user, self._now())
        self._store.schedule_save()
        if (change := change_of_report(message, user, self._now())) is not None:
            self._publisher.publish(change, source, late=late)

    def _note_users(self, message: WebhookMessage) -> Collection[str] | None:
        """Return the followed users whom a delivery is about, None where it may be anybody of a fleet.

        The store remembers that they wait for a refresh, so that a stop does not forget it. The event type
        says whether settings may have changed (a guess); this only decides what is read.
        """
        if (user_id := message.user_id or self._fleet.owner(message)) is not None:
            users = self._schedule.followed & {user_id}
        elif self._schedule.is_household:
            users = self._schedule.followed
        else:
            return None
        for followed in users:
            self._store.refresh_requests[followed] = self._now()
            if may_concern_settings(message.event_type):
                self._details.request_settings(followed)
        return users
