"""Store: what survives a restart: snapshots, seen deliveries, subscriptions, the time of the last good poll.

One file per entry. A change schedules a save, which happens some seconds later however many changes follow,
and at a normal stop. What a kill loses is fetched from Jedlix again. Reading and writing happen in threads,
and only the users that changed are serialized again.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
import logging
from pathlib import Path
import time
from typing import Any, Final, override

from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.storage import STORAGE_DIR, Store
import orjson

from .api import BadAnswer
from .api.offered import Experience
from .api.reading import Fields, boolean, integer, moment
from .const import DOMAIN
from .push.inbox import Inbox
from .push.record import PushRecord
from .push.refused_types import Refusal
from .push.subscriptions import HeldSubscription
from .state.credentials import CredentialsCheck
from .state.reports import Reports
from .state.serialization import snapshot_as_json, snapshot_from_json
from .state.series import ImportMark
from .state.user_snapshot import UserSnapshot

_LOGGER = logging.getLogger(__name__)

_VERSION: Final = 1
_MINOR_VERSION: Final = 2
SAVE_DELAY: Final = 5.0
ISSUE_DAMAGED: Final = "memory_damaged"


class _File(Store[dict[str, Any]]):
    """The file of one entry, which reads those of earlier versions too."""

    @override
    async def _async_migrate_func(
        self, old_major_version: int, old_minor_version: int, old_data: Any
    ) -> Any:
        """Return the data of another version; one of another major version cannot be read."""
        if old_major_version != _VERSION:
            raise NotImplementedError
        return old_data if old_minor_version > 1 else with_present_names(_mapping(old_data))


def with_present_names(data: dict[str, object]) -> dict[str, object]:
    """Return the data of a file of minor version 1 with the names of version 2."""
    renamed = {"checkpoint": "tenant_read_at", "push_announces": "reports_changes"}
    data = {renamed.get(name, name): value for name, value in data.items()}
    for held in _mapping(data.get("subscriptions")).values():
        if isinstance(held, dict) and "key_print" in held:
            held["key_hash"] = held.pop("key_print")
    return data


class JedlixStore:
    """The store of one entry."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Start empty; `load` reads what was saved."""
        self._hass = hass
        self._entry_id = entry_id
        self._issue_id = f"{ISSUE_DAMAGED}_{entry_id}"
        self._file = self._new_file()
        self._is_save_scheduled = False
        self._is_held = False
        self._serialized: dict[str, tuple[UserSnapshot, orjson.Fragment]] = {}
        self.is_closed = False
        self.users: dict[str, UserSnapshot] = {}
        self.tenant_read_at: datetime | None = None
        # when a delivery last requested a refresh of a user, until one that began later has succeeded
        self.refresh_requests: dict[str, datetime] = {}
        self.learned_calls: dict[str, Experience] = {}
        self.imported: dict[str, ImportMark] = {}
        self.credentials = CredentialsCheck()
        self.push = PushRecord(schedule_save=self.schedule_save)
        self.reports = Reports()

    async def load(self) -> None:
        """Read the file. One that cannot be read is set aside with a repair, and the store starts empty."""
        try:
            if (data := await self._load_file()) is not None:
                await self._hass.async_add_executor_job(self._read, data)
        except BadAnswer as err:
            _LOGGER.warning("The file of Jedlix %s was set aside: %s", self._file.path, err)
            await self._hass.async_add_executor_job(self._set_aside)
            ir.async_create_issue(
                self._hass,
                DOMAIN,
                self._issue_id,
                is_fixable=False,
                severity=ir.IssueSeverity.WARNING,
                translation_key=ISSUE_DAMAGED,
            )
            # A Store that failed to load keeps the failure.
            self._file = self._new_file()

    @callback
    def schedule_save(self) -> None:
        """Save in some seconds. More calls until then cost nothing, and do not push it back."""
        if not self._is_save_scheduled and not self.is_closed:
            self._is_save_scheduled = True
            if not self._is_held:
                self._file.async_delay_save(self._as_json, SAVE_DELAY)

    @callback
    def hold(self) -> None:
        """Schedule no save until `release`: what is not published yet must be found again after a kill."""
        self._is_held = True

    @callback
    def release(self) -> None:
        """Schedule the save that was wanted meanwhile."""
        self._is_held = False
        if self._is_save_scheduled:
            self._is_save_scheduled = False
            self.schedule_save()

    @callback
    def close_with_home_assistant(self) -> CALLBACK_TYPE:
        """Close when Home Assistant saves for the last time in a stop; returns what ends that.

        What is found afterwards would be forgotten: the next start finds it again.
        """

        @callback
        def last_save_began(_event: Event) -> None:
            self.is_closed = True

        return self._hass.bus.async_listen(EVENT_HOMEASSISTANT_FINAL_WRITE, last_save_began)

    async def close(self) -> None:
        """Save for the last time. A later change must not overwrite what the next set-up saves."""
        self.is_closed = True
        await self.save()

    async def save(self) -> None:
        """Save now."""
        await self._file.async_save(await self._hass.async_add_executor_job(self._as_json))
        if self._is_save_scheduled:
            # It was scheduled meanwhile, and Home Assistant has dropped it.
            self._is_save_scheduled = False
            self.schedule_save()

    async def remove(self) -> None:
        """Delete the file, the files that were set aside, and the repair."""
        await self._file.async_remove()
        await self._hass.async_add_executor_job(self._delete_set_aside)
        ir.async_delete_issue(self._hass, DOMAIN, self._issue_id)

    def _new_file(self) -> _File:
        return _File(
            self._hass,
            _VERSION,
            f"{DOMAIN}.{self._entry_id}",
            private=True,
            atomic_writes=True,
            minor_version=_MINOR_VERSION,
            serialize_in_event_loop=False,
        )

    async def _load_file(self) -> object:
        """Return the content of the file, None where there is none; raises BadAnswer when it is not ours."""
        try:
            return await self._file.async_load()
        except (HomeAssistantError, KeyError, NotImplementedError, TypeError) as err:
            # Home Assistant expects a file of its own shape and version, and raises these for another.
            raise BadAnswer(f"it is not a store: {err!r}") from err

    # -- the content of the file ---------------------------------------------------------------------------

    def _as_json(self) -> dict[str, Any]:
        """Return what is saved. Runs in a thread, so whatever may change meanwhile is copied first."""
        self._is_save_scheduled = False
        return {
            "inbox": self.push.inbox.as_json(),
            "tenant_read_at": _text(self.tenant_read_at),
            "missed_since": _text(self.push.missed_since),
            "users": self._users_as_json(),
            "refresh_requests": {
                user_id: at.isoformat() for user_id, at in self.refresh_requests.copy().items()
            },
            "subscriptions": {
                event_type: held.as_json()
                for event_type, held in self.push.subscriptions.copy().items()
            },
            "refused_types": {
                event_type: refusal.as_json()
                for event_type, refusal in self.push.refused_types.copy().items()
            },
            "reports_changes": self.push.reports_changes,
            "reports": self.reports.as_json(),
            "last_delivery": _text(self.push.last_delivery),
            "last_tests": _text(self.push.last_tests),
            "learned_calls": {
                name: experience.as_json() for name, experience in self.learned_calls.copy().items()
            },
            "imported": {car: mark.as_json() for car, mark in self.imported.copy().items()},
            "credentials": {
                "refused_since": _text(self.credentials.refused_since),
                "refusals": self.credentials.refusals,
            },
        }

    def _users_as_json(self) -> list[orjson.Fragment]:
        """Return each user as JSON. A snapshot never changes, so the same one is serialized once."""
        before, serialized = self._serialized, {}
        for user_id, user in self.users.copy().items():
            known, fragment = before.get(user_id, (None, None))
            if fragment is None or known is not user:
                fragment = orjson.Fragment(orjson.dumps(snapshot_as_json(user)))
            serialized[user_id] = (user, fragment)
        # Another save may do the same in another thread.
        self._serialized = serialized
        return [fragment for _, fragment in serialized.values()]

    def _read(self, data: object) -> None:
        """Read each part by itself, so that one that cannot be read costs only itself; raises BadAnswer."""
        fields = Fields(data)
        self.tenant_read_at = moment(fields.get("tenantreadat"))
        self.users = {user.user_id: user for user in self._parts(_users(fields), _user)}
        for user_id, user in self.users.items():
            if user.refreshed_at is None and user.first_refresh is None:
                self.users[user_id] = replace(user, refreshed_at=self.tenant_read_at)
        self.refresh_requests = {
            user_id: at
            for user_id, value in _mapping(fields.get("refreshrequests")).items()
            if (at := moment(value)) is not None
        }
        self.push = PushRecord(
            schedule_save=self.schedule_save,
            inbox=Inbox(dict(self._parts(_mapping(fields.get("inbox")).items(), _delivery))),
            missed_since=moment(fields.get("missedsince")),
            subscriptions=dict(
                self._parts(_mapping(fields.get("subscriptions")).items(), _subscription)
            ),
            refused_types=dict(
                self._parts(_mapping(fields.get("refusedtypes")).items(), _refused_type)
            ),
            found_before=tuple(
                name
                for name, is_accepted in _mapping(fields.get("guesses")).items()
                if is_accepted is True
            ),
            reports_changes=boolean(fields.get("reportschanges")) is True,
            last_delivery=moment(fields.get("lastdelivery")),
            last_tests=moment(fields.get("lasttests")),
        )
        self.learned_calls = dict(
            self._parts(_mapping(fields.get("learnedcalls")).items(), _experience)
        )
        self.imported = dict(self._parts(_mapping(fields.get("imported")).items(), _import_mark))
        self.reports = Reports.from_json(_mapping(fields.get("reports")))
        refused = Fields(_mapping(fields.get("credentials")))
        self.credentials = CredentialsCheck(
            moment(refused.get("refusedsince")), integer(refused.get("refusals")) or 0
        )

    def _parts[T, R](self, parts: Iterable[T], read: Callable[[T], R]) -> Iterator[R]:
        """Yield the parts that can be read; what is lost is fetched again, and the log says so."""
        for part in parts:
            try:
                yield read(part)
            except BadAnswer as err:
                _LOGGER.warning("A part of the file of Jedlix cannot be read: %s", err)

    def _set_aside(self) -> None:
        path = Path(self._file.path)
        if path.exists():
            path.rename(path.with_name(f"{path.name}.damaged.{int(time.time())}"))

    def _delete_set_aside(self) -> None:
        path = Path(self._file.path)
        for aside in path.parent.glob(f"{path.name}.damaged.*"):
            aside.unlink(missing_ok=True)


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _mapping(value: object) -> dict[str, object]:
    """Return a stored mapping, an empty one where there is none."""
    return value if isinstance(value, dict) else {}


def _users(fields: Fields) -> list[object]:
    users = fields.get("users")
    return users if isinstance(users, list) else []


def _user(data: object) -> UserSnapshot:
    return snapshot_from_json(data)


def _delivery(item: tuple[str, object]) -> tuple[str, float]:
    delivery_id, arrived = item
    if not isinstance(arrived, int | float):
        raise BadAnswer("a stored delivery without a time")
    return delivery_id, float(arrived)


def _subscription(item: tuple[str, object]) -> tuple[str, HeldSubscription]:
    return item[0], HeldSubscription.from_json(item[1])


def _refused_type(item: tuple[str, object]) -> tuple[str, Refusal]:
    return item[0], Refusal.from_json(item[1])


def _experience(item: tuple[str, object]) -> tuple[str, Experience]:
    return item[0], Experience.from_json(item[1])


def _import_mark(item: tuple[str, object]) -> tuple[str, ImportMark]:
    return item[0], ImportMark.from_json(item[1])


def remove_orphaned_files(config_folder: str, entry_ids: Collection[str]) -> frozenset[str]:
    """Delete the files of entries that no longer exist; return the URLs that they had subscribed. Blocks."""
    urls: set[str] = set()
    for path in Path(config_folder, STORAGE_DIR).glob(f"{DOMAIN}.*"):
        if path.name.split(".")[1] not in entry_ids:
            urls.update(_subscribed_urls(path.read_bytes()))
            path.unlink(missing_ok=True)
    return frozenset(urls)


def _subscribed_urls(content: bytes) -> Iterator[str]:
    """Yield the URLs of the subscriptions in a file; nothing of one that cannot be read."""
    with suppress(orjson.JSONDecodeError):
        data = _mapping(_mapping(orjson.loads(content)).get("data"))
        for held in _mapping(data.get("subscriptions")).items():
            with suppress(BadAnswer):
                yield _subscription(held)[1].url
