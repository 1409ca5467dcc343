"""Falsifications of deliveries and of the history, and of what follows from one and leads to another."""

from collections.abc import Sequence

from .falsify import Falsification, replaced

FALSIFIED_SIGNALS: Sequence[Falsification] = (
    replaced(
        "a broken body is answered with 200",
        "_STATUS",
        "Refusal.BAD_BODY: HTTPStatus.BAD_REQUEST",
        "Refusal.BAD_BODY: HTTPStatus.OK",
        "strangers_accepted",
    ),
    replaced(
        "each stranger is a line in the log",
        "REFUSAL_LOG_INTERVAL",
        "300.0",
        "0.0",
        "warnings_logged",
    ),
    replaced(
        "missed deliveries come newest first",
        "WebhookHistory._publish_since",
        "message.occurred_at or since)",
        "message.occurred_at or since, reverse=True)",
        "webhooks_wrong",
    ),
    replaced(
        "deliveries bear the local time",
        "Publisher._publish_delivery",
        "message.occurred_at and message.occurred_at.isoformat()",
        "message.occurred_at and dt_util.as_local(message.occurred_at).isoformat()",
        "webhooks_wrong",
    ),
    replaced(
        "a boost ends when that is found",
        "_boost_changes",
        "_change(ChangeType.BOOST_ENDED, new, now, ended_at, session_id=ended)",
        "_change(ChangeType.BOOST_ENDED, new, now, session_id=ended)",
        "wrong_details",
    ),
    replaced(
        "what waits for the start comes in reverse",
        "Publisher._take_waiting",
        "popleft()",
        "pop()",
        "webhooks_wrong",
    ),
    replaced(
        "the history is read at each poll",
        "WebhookHistory.publish_missed",
        "self._record.missed_since = self._missed_meanwhile",
        "pass",
        "calls_too_many",
    ),
    replaced(
        "what the history names comes from a poll",
        "Poll.refresh_users",
        "Source.HISTORY if user_id in named else Source.POLL",
        "Source.POLL",
        "wrong_source",
    ),
    replaced(
        "a request during a refresh is forgotten",
        "RefreshQueue.request",
        "self._requested_again[user_id] = True",
        "pass",
        "too_slow",
        "lost",
    ),
    replaced(
        "the settings are lost at a restart",
        "_vehicle_from_json",
        "None if raw is None else ChargeSettings.from_json(raw)",
        "None",
        "interruptions_failed",
    ),
    replaced(
        "after a reload all counts as missed",
        "JedlixCoordinator.__init__",
        "is_start=entry.entry_id not in hass.data.get(READ_SINCE_START, ())",
        "is_start=True",
        "late_wrong",
    ),
    replaced(
        "a user who is added waits for the next poll",
        "JedlixCoordinator.follow",
        "self._queue.request(user_id)",
        "pass",
        "interruptions_failed",
    ),
    replaced(
        "an impossible session names the minimum level",
        "change_of_report",
        "else car.settings.desired_battery_level",
        "else car.settings.minimum_battery_level",
        "wrong_details",
    ),
    replaced(
        "the reason of an earlier lost link stays",
        "Link.advance",
        "is_connected=is_connected, reason=None, lost_at=lost_at",
        "is_connected=is_connected, lost_at=lost_at",
        "wrong_details",
    ),
)
