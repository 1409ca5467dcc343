"""Falsifications of what Jedlix gets: calls, commands, and what comes from its history."""

from collections.abc import Sequence

from .falsify import Falsification, Replace, replaced, returns

FALSIFIED_CALLS: Sequence[Falsification] = (
    Falsification(
        name="Retry-After is ignored",
        edits=(
            Replace("Transport._call", "self._gate.pause(err.retry_after)", "pass"),
            Replace(
                "Transport._call",
                "(isinstance(err, RateLimited) and err.retry_after) or pause",
                "pause",
            ),
        ),
        figures=("calls_in_pause",),
    ),
    replaced(
        "a token is asked for at each call",
        "TokenSource.token",
        "if token is None or self._clock() >= token.renew_at:",
        "if True:",
        "calls_too_many",
    ),
    returns(
        "a refused token is used on",
        "TokenSource.refuse",
        "None",
        "lost",
        "too_slow",
        "wrong_state",
    ),
    replaced(
        "each event type is subscribed twice",
        "_write",
        "    try:\n        made = await client.subscribe(event_type, url, key)\n",
        "    try:\n        await client.subscribe(event_type, url, key)\n"
        "        made = await client.subscribe(event_type, url, key)\n",
        "calls_too_many",
    ),
    returns(
        "charging locations are read at each refresh",
        "DetailSchedule.take_locations_due",
        "True",
        "calls_too_many",
    ),
    replaced(
        "settings are written twice",
        "Commands._write",
        "        self._hold(key, settings, change)\n",
        "        await self._client.update_charge_settings(*key, change(settings))\n"
        "        self._hold(key, settings, change)\n",
        "calls_too_many",
    ),
    replaced(
        "no call is tried again",
        "Transport._call",
        "iter(self._back_off)",
        "iter(())",
        "commands_failed",
    ),
    replaced(
        "a command that failed says nothing",
        "Commands._attempt",
        "raise failure_of(err) from err",
        "return",
        "commands_failed",
    ),
    replaced(
        "the desired level lifts the minimum",
        "Commands.set_levels",
        "desired is not None and known is not None and known > desired:",
        "desired is not None:",
        "commands_failed",
    ),
    replaced(
        "one page of the history is read",
        "WebhookHistory._read",
        "backlog.add([item for item in page if self._is_missed(item, since)])",
        "backlog.add([item for item in page if self._is_missed(item, since)])\n"
        "                break",
        "webhooks_lost",
    ),
    replaced(
        "what the history reports is not late",
        "Deliveries.publish_missed",
        "self._note_report(message, Source.HISTORY, late=True)",
        "self._note_report(message, Source.HISTORY, late=False)",
        "late_wrong",
    ),
)
