"""What survives a restart: seen deliveries, the checkpoint, the last snapshots, the held subscriptions.

One Store per entry. A change marks a write as due; it happens a few seconds later, however many changes come
meanwhile, and at a normal stop. What a kill takes away is caught up from Jedlix. Reading and writing happen
in threads, and only the users that changed are put into words anew.
"""

import asyncio
from datetime import datetime
import logging
from pathlib import Path
import time
from typing import Any, Final

from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.storage import Store
import orjson

from .api import BadAnswer
from .api.reading import Fields, boolean, moment
from .const import DOMAIN
from .push.guesses import Guesses
from .push.inbox import Inbox
from .push.subscriptions import Held, HeldSubscriptions
from .snapshot import UserSnapshot, snapshot_as_json, snapshot_from_json

_LOGGER = logging.getLogger(__name__)

_VERSION: Final = 1
_WRITE_AFTER: Final = 5.0
ISSUE_DAMAGED: Final = "memory_damaged"


class Memory:
    """The memory of one entry."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Begin empty; `load` brings back what was kept."""
        self._hass = hass
        self._entry_id = entry_id
        self._issue_id = f"{ISSUE_DAMAGED}_{entry_id}"
        self._store = self._new_store()
        self._writing = asyncio.Lock()
        self._in_words: dict[str, tuple[UserSnapshot, orjson.Fragment]] = {}
        self._due: CALLBACK_TYPE | None = None
        self.is_closed = False
        self.inbox = Inbox()
        self.checkpoint: datetime | None = None
        self.missed_since: datetime | None = None
        self.users: dict[str, UserSnapshot] = {}
        self.subscriptions: HeldSubscriptions = {}
        self.guesses: Guesses = {}
        self.push_announces = False
        self.last_delivery: datetime | None = None

    async def load(self) -> None:
        """Read the Store. One that cannot be read is set aside with a repair; we then begin anew."""
        try:
            if (data := await self._store.async_load()) is not None:
                await self._hass.async_add_executor_job(self._take, data)
        except (
            HomeAssistantError,
            BadAnswer,
            TypeError,
            KeyError,
            ValueError,
            AttributeError,
            NotImplementedError,
        ) as err:
            _LOGGER.warning("The memory could not be read and was set aside: %s", err)
            await self._hass.async_add_executor_job(self._set_aside)
            ir.async_create_issue(
                self._hass,
                DOMAIN,
                self._issue_id,
                is_fixable=False,
                severity=ir.IssueSeverity.WARNING,
                translation_key=ISSUE_DAMAGED,
            )
            # a Store that failed to load keeps the failure; its successor starts clean
            self._store = self._new_store()

    @callback
    def changed(self) -> None:
        """Have the memory written soon; calls before that cost nothing."""
        if self._due is None and not self.is_closed:
            self._due = async_call_later(
                self._hass, _WRITE_AFTER, HassJob(self._write_due, cancel_on_shutdown=True)
            )
            self._store.async_delay_save(self._as_json, 3600)  # the net for a normal stop

    async def save(self) -> None:
        """Write for the last time; a change after that must not overwrite what the next life writes."""
        self.is_closed = True
        await self.write()

    async def write(self) -> None:
        """Write now."""
        if self._due is not None:
            self._due()
            self._due = None
        async with self._writing:
            data = await self._hass.async_add_executor_job(self._as_json)
            await self._store.async_save(data)

    async def forget(self) -> None:
        """Delete the file, what was set aside, and what was said about it."""
        await self._store.async_remove()
        await self._hass.async_add_executor_job(self._delete_set_aside)
        ir.async_delete_issue(self._hass, DOMAIN, self._issue_id)

    async def _write_due(self, _now: datetime) -> None:
        self._due = None
        await self.write()

    def _new_store(self) -> Store[dict[str, Any]]:
        return Store(
            self._hass,
            _VERSION,
            f"{DOMAIN}.{self._entry_id}",
            private=True,
            atomic_writes=True,
            serialize_in_event_loop=False,
        )

    def _as_json(self) -> dict[str, Any]:
        """Return what is to be kept. Runs in a thread: whatever may change meanwhile is copied first."""
        return {
            "inbox": self.inbox.as_json(),
            "checkpoint": _text(self.checkpoint),
            "missed_since": _text(self.missed_since),
            "users": self._users_in_words(),
            "subscriptions": {
                key: held.as_json() for key, held in self.subscriptions.copy().items()
            },
            "guesses": self.guesses.copy(),
            "push_announces": self.push_announces,
            "last_delivery": _text(self.last_delivery),
        }

    def _users_in_words(self) -> list[orjson.Fragment]:
        """Return each user as JSON; a snapshot never changes, so one that is still the same is not read."""
        before, self._in_words = self._in_words, {}
        for user_id, user in self.users.copy().items():
            known, words = before.get(user_id, (None, None))
            if words is None or known is not user:
                words = orjson.Fragment(orjson.dumps(snapshot_as_json(user)))
            self._in_words[user_id] = (user, words)
        return [words for _, words in self._in_words.values()]

    def _take(self, data: object) -> None:
        """Read it all before keeping any of it, so that a damaged file leaves nothing half read."""
        fields = Fields(data)
        inbox, users, held = (fields.get(key) for key in ("inbox", "users", "subscriptions"))
        guesses = fields.get("guesses")
        seen = {
            str(key): float(arrived)
            for key, arrived in (inbox.items() if isinstance(inbox, dict) else ())
        }
        snapshots = [
            snapshot_from_json(user) for user in (users if isinstance(users, list) else ())
        ]
        subscriptions = {
            str(key): Held.from_json(item)
            for key, item in (held.items() if isinstance(held, dict) else ())
        }
        self.inbox = Inbox(seen)
        self.checkpoint = moment(fields.get("checkpoint"))
        self.missed_since = moment(fields.get("missedsince"))
        self.users = {user.user_id: user for user in snapshots}
        self.subscriptions = subscriptions
        self.guesses = {
            str(name): is_offered is True
            for name, is_offered in (guesses.items() if isinstance(guesses, dict) else ())
        }
        self.push_announces = boolean(fields.get("pushannounces")) is True
        self.last_delivery = moment(fields.get("lastdelivery"))

    def _set_aside(self) -> None:
        path = Path(self._store.path)
        if path.exists():
            path.rename(path.with_name(f"{path.name}.damaged.{int(time.time())}"))

    def _delete_set_aside(self) -> None:
        path = Path(self._store.path)
        for aside in path.parent.glob(f"{path.name}.damaged.*"):
            aside.unlink(missing_ok=True)


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
