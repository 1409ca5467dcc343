"""Issues of push: the one repair that is shown once a problem has lasted, and disappears with it."""

from datetime import datetime, timedelta
from typing import Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.loader import async_get_loaded_integration

from ..const import DOMAIN

# What keeps push from working, and the repair that says what to do.
_REPAIR_OF: Final = {
    "no_url": "no_public_url",
    "no_own_url": "no_public_url",
    "no_cloud": "no_public_url",
    "cloud_away": "no_public_url",
    "invalid_url": "no_public_url",
    "not_https": "url_not_https",
    "not_reachable": "endpoint_not_reachable",
    "rejected": "subscription_rejected",
    "slot_taken": "slot_taken",
    "no_key": "no_key",
    "wrong_key": "wrong_key",
    "silent": "push_silent",
}
REPAIRS: Final = tuple(dict.fromkeys(_REPAIR_OF.values()))

# A problem that may end by itself is not worth a message: a cloud that connects after the start, a proxy that
# restarts. The cloud shows itself that it is away, and a silence has lasted before it is noticed.
SHOWN_AFTER: Final = timedelta(minutes=5)
_SHOWN_AFTER_OF: Final = {"cloud_away": timedelta(hours=1), "silent": timedelta(0)}

_PAGE: Final = "/blob/main/docs/push-and-repairs.md#"


class PushIssues:
    """The repairs of one entry."""

    def __init__(self, hass: HomeAssistant, entry_id: str, title: str) -> None:
        """Start without a problem; the title names the account in the texts."""
        self._hass = hass
        self._entry_id = entry_id
        self._title = title
        self._problem: str | None = None
        self._since: datetime | None = None
        self._shown: str | None = None
        self._reason = ""

    @callback
    def note(self, problem: str | None, now: datetime, reason: str = "-") -> None:
        """Note what is wrong now, None for nothing, and show it if it has lasted.

        `reason` is how Jedlix refuses, in its words.
        """
        if problem is None:
            self.clear()
            return
        if self._since is None or problem != self._problem:
            self._problem, self._since = problem, now
        if now - self._since >= _SHOWN_AFTER_OF.get(problem, SHOWN_AFTER):
            self._show(_REPAIR_OF[problem], reason)

    @callback
    def clear(self) -> None:
        """Forget the problem and delete its repair."""
        self._problem = self._since = None
        if self._shown is not None:
            ir.async_delete_issue(self._hass, DOMAIN, self._issue_id(self._shown))
            self._shown = None

    @callback
    def _show(self, repair: str, reason: str) -> None:
        if (repair, reason) == (self._shown, self._reason):
            return
        if self._shown not in (None, repair):
            ir.async_delete_issue(self._hass, DOMAIN, self._issue_id(self._shown))
        self._shown, self._reason = repair, reason
        documentation = async_get_loaded_integration(self._hass, DOMAIN).documentation
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            self._issue_id(repair),
            data={"entry_id": self._entry_id},
            is_fixable=True,
            learn_more_url=f"{documentation}{_PAGE}{repair.replace('_', '-')}",
            severity=ir.IssueSeverity.WARNING,
            translation_key=repair,
            translation_placeholders={"account": self._title, "reason": reason},
        )

    def _issue_id(self, repair: str) -> str:
        return f"{repair}_{self._entry_id}"
