"""Issues: the repairs of users, of a failing import, and of what is left at Jedlix.

A user who cannot be read, and an account without users, are noticed after each good poll, so only while
Jedlix answers. These repairs disappear with the first good refresh.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.loader import async_get_loaded_integration

from .const import CONF_USER_ID, DOMAIN

ISSUE_USER_UNREADABLE: Final = "user_unreadable"
ISSUE_NO_USERS: Final = "no_users"
ISSUE_NOT_IMPORTED: Final = "history_not_imported"
ISSUE_SUBSCRIPTIONS_LEFT: Final = "subscriptions_left"

UNREADABLE_AFTER: Final = timedelta(hours=6)
NO_USERS_AFTER: Final = timedelta(minutes=15)
# After an outage of Jedlix the users get this long to be read again.
ANSWERING_BEFORE_ISSUE: Final = timedelta(minutes=15)

_PAGE: Final = "/blob/main/docs/troubleshooting.md#"


class UserIssue(NamedTuple):
    """One repair: of one user, or of the whole account."""

    repair: str
    user_id: str | None = None


def find_issues(
    *,
    followed: Collection[str],
    failing_since: Mapping[str, datetime],
    closed_since: Mapping[str, datetime],
    answering_since: datetime,
    now: datetime,
) -> set[UserIssue]:
    """Return the repairs to show now.

    `failing_since` is since when users cannot be read. `closed_since` is since when Jedlix says that they do
    not exist, or are not ours to read. `answering_since` is since when all polls were good.
    """
    if all(
        user_id in closed_since and now - closed_since[user_id] > NO_USERS_AFTER
        for user_id in followed
    ):
        return {UserIssue(ISSUE_NO_USERS)}
    if now - answering_since < ANSWERING_BEFORE_ISSUE:
        return set()
    return {
        UserIssue(ISSUE_USER_UNREADABLE, user_id)
        for user_id in followed
        if now - min(failing_since.get(user_id, now), closed_since.get(user_id, now))
        >= UNREADABLE_AFTER
    }


class UserIssues:
    """The repairs of the users of one entry."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
        """Start without a repair."""
        self._hass = hass
        self._entry = entry
        self._closed_since: dict[str, datetime] = {}
        self._answering_since: datetime | None = None
        self._shown: set[UserIssue] = set()

    @callback
    def note_closed(self, user_id: str, now: datetime) -> None:
        """Note that Jedlix does not know a user, or does not allow us to read them."""
        self._closed_since.setdefault(user_id, now)

    @callback
    def note_readable(self, user_id: str) -> None:
        """Note a good refresh of a user."""
        self.forget(user_id)
        self._delete({UserIssue(ISSUE_NO_USERS)})

    @callback
    def forget(self, user_id: str) -> None:
        """Forget a user, with their repair."""
        self._closed_since.pop(user_id, None)
        self._delete({UserIssue(ISSUE_USER_UNREADABLE, user_id)})

    @callback
    def note_failed_poll(self) -> None:
        """Note that Jedlix does not answer. What is shown stays."""
        self._answering_since = None

    @callback
    def review(
        self, followed: Collection[str], failing_since: Mapping[str, datetime], now: datetime
    ) -> None:
        """Show what is wrong after a good poll, and delete what no longer is."""
        if self._answering_since is None:
            self._answering_since = now
        wanted = find_issues(
            followed=followed,
            failing_since=failing_since,
            closed_since=self._closed_since,
            answering_since=self._answering_since,
            now=now,
        )
        self._delete(self._shown - wanted)
        for issue in wanted - self._shown:
            self._show(issue)

    @callback
    def clear(self) -> None:
        """Delete all repairs."""
        self._delete(set(self._shown))

    def _show(self, issue: UserIssue) -> None:
        self._shown.add(issue)
        placeholders = {"account": self._entry.title}
        if issue.user_id is not None:
            placeholders["user"] = self._title_of(issue.user_id)
        _create(self._hass, self._issue_id(issue), issue.repair, placeholders)

    def _delete(self, issues: set[UserIssue]) -> None:
        for issue in issues & self._shown:
            self._shown.discard(issue)
            ir.async_delete_issue(self._hass, DOMAIN, self._issue_id(issue))

    def _title_of(self, user_id: str) -> str:
        titles = (
            subentry.title
            for subentry in self._entry.subentries.values()
            if subentry.data.get(CONF_USER_ID) == user_id
        )
        return next(titles, user_id)

    def _issue_id(self, issue: UserIssue) -> str:
        of_user = () if issue.user_id is None else (issue.user_id,)
        return "_".join((issue.repair, self._entry.entry_id, *of_user))


@callback
def show_import_issue(hass: HomeAssistant, entry: ConfigEntry[Any], error: str) -> None:
    """Show that past sessions could not be imported for long."""
    placeholders = {"account": entry.title, "error": error}
    issue_id = f"{ISSUE_NOT_IMPORTED}_{entry.entry_id}"
    _create(hass, issue_id, ISSUE_NOT_IMPORTED, placeholders)


@callback
def delete_import_issue(hass: HomeAssistant, entry: ConfigEntry[Any]) -> None:
    """Delete that repair, where it is shown."""
    ir.async_delete_issue(hass, DOMAIN, f"{ISSUE_NOT_IMPORTED}_{entry.entry_id}")


@callback
def show_subscriptions_left(
    hass: HomeAssistant, entry: ConfigEntry[Any], event_types: Collection[str]
) -> None:
    """Show, until the next start, what stays subscribed at Jedlix after an entry has left the account."""
    if event_types:
        placeholders = {"account": entry.title, "event_types": ", ".join(sorted(event_types))}
        issue_id = f"{ISSUE_SUBSCRIPTIONS_LEFT}_{entry.entry_id}"
        _create(hass, issue_id, ISSUE_SUBSCRIPTIONS_LEFT, placeholders)


def _create(hass: HomeAssistant, issue_id: str, repair: str, placeholders: dict[str, str]) -> None:
    """Create a repair whose page stands among the troubles in the docs."""
    documentation = async_get_loaded_integration(hass, DOMAIN).documentation
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id,
        is_fixable=False,
        learn_more_url=f"{documentation}{_PAGE}{repair.replace('_', '-')}",
        severity=ir.IssueSeverity.WARNING,
        translation_key=repair,
        translation_placeholders=placeholders,
    )
