"""The stage of a run: a simulator, a Home Assistant with the probe, and the doors that are posted to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import orjson

from ..config_folder import add_component
from ..flows import CONFIG, Flow, add_jedlix, set_options
from ..home import Home
from ..simulator import Simulator
from ..websocket import WebSocket

PROBE = Path(__file__).parent / "bench_probe"
BARE = "bare" * 16
EMPTY = "void" * 16
TEMPLATES = "templates.yaml"
SESSION_STARTED = "simSessionStarted"
"""A type that nothing but the ring follows from (the documented two are told as changes as well)."""
_RECORDED = "\nhistory:\nlogbook:\n"


def prepare(home: Home) -> None:
    """Give a Home that is not started the probe, an empty file of templates, and no recorder yet."""
    configuration = home.folder / "configuration.yaml"
    words = configuration.read_text(encoding="utf-8").replace(_RECORDED, "\n")
    words += f"\ntemplate: !include {TEMPLATES}\n"
    configuration.write_text(words, encoding="utf-8")
    (home.folder / TEMPLATES).write_text("[]\n", encoding="utf-8")
    add_component(home.folder, PROBE)


class BenchFailed(Exception):
    """What was measured was not what was meant to be measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One loaded entry of the integration and the users whom it follows."""

    entry_id: str
    users: list[str]
    webhook_id: str
    key: str


class Stage:
    """What the measurements talk to."""

    def __init__(
        self, home: Home, socket: WebSocket, simulator: Simulator, http: aiohttp.ClientSession
    ) -> None:
        """Take what runs."""
        self.home = home
        self.simulator = simulator
        self._socket = socket
        self._http = http

    async def restart_with_recorder(self) -> None:
        """Start Home Assistant anew, with a recorder from now on."""
        await self._socket.close()
        with (self.home.folder / "configuration.yaml").open("a", encoding="utf-8") as configuration:
            configuration.write(_RECORDED)
        await self.home.restart()
        self._socket = await self.home.api.websocket()

    async def ask(self, question: str, **args: Any) -> Any:
        """Ask the probe something."""
        return await self._socket.call("bench", do=question, args=args)

    async def add_account(self, name: str, users: list[str]) -> Account:
        """Add the integration for these users as a person would; each name is a tenant of its own."""
        info = await self.simulator.info()
        entry_id = await add_jedlix(self.home.api, info | {"client_id": name}, users)
        await self.ask("settle", entry_id=entry_id)
        return Account(entry_id=entry_id, users=users, **await self.ask("entry", entry_id=entry_id))

    async def ask_for_all_types(self, account: Account) -> None:
        """Have an account subscribe to all types that the simulator has."""
        info = await self.simulator.info()
        event_types = [*info["documented_event_types"], *info["own_event_types"]]
        await set_options(self.home.api, account.entry_id, event_types=event_types)
        await self.ask("settle", entry_id=account.entry_id)

    async def add_sleep_as_android(self) -> str:
        """Set core's integration up through its own flow; returns its webhook id."""
        flow = await Flow.begin(self.home.api, CONFIG, "sleep_as_android")
        await flow.submit("user", {})
        entry_id = flow.result()["result"]["entry_id"]
        return str((await self.ask("entry", entry_id=entry_id))["webhook_id"])

    async def remove(self, account: Account) -> None:
        """Remove an entry with all that belongs to it."""
        path = f"config/config_entries/entry/{account.entry_id}"
        await self.home.api.rest("DELETE", path)

    async def post(self, webhook_id: str, body: bytes, key: str = "") -> int:
        """POST to a door and return the status, over a connection that stays open."""
        headers = {"Content-Type": "application/json"}
        if key:
            headers["Authorization"] = f"Basic {key}"
        url = f"{self.home.base_url}/api/webhook/{webhook_id}"
        async with self._http.post(url, data=body, headers=headers) as response:
            await response.read()
            return response.status

    async def requests(self, after: int) -> list[Mapping[str, Any]]:
        """Return the API calls that the simulator answered after one with a number."""
        url = f"{self.simulator.url}/control/requests?after={after}"
        async with self._http.get(url) as response:
            answer: dict[str, list[Mapping[str, Any]]] = await response.json()
            return answer["requests"]

    async def last_request(self) -> int:
        """Return the number of the last API call that the simulator answered."""
        requests = await self.requests(0)
        return int(requests[-1]["n"]) if requests else 0

    async def deliver_unheard(self, user_id: str, count: int) -> None:
        """Let that many events happen at Jedlix, none of which is delivered while `drop` is 1."""
        body = {"event_type": SESSION_STARTED, "user_id": user_id, "count": count}
        async with self._http.post(f"{self.simulator.url}/control/deliver", json=body) as response:
            response.raise_for_status()
            await response.read()


def delivery(user_id: str) -> bytes:
    """Return a new delivery of Jedlix about a user."""
    return orjson.dumps(
        {
            "eventType": SESSION_STARTED,
            "id": str(uuid4()),
            "tenant": "simulator",
            "timestamp": now(),
            "userId": user_id,
            "isTest": False,
            "vehicleId": str(uuid4()),
            "sessionId": str(uuid4()),
        }
    )


def now() -> str:
    """Return the time as Jedlix writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
