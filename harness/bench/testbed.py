"""Testbed of the bench: a simulator, a Home Assistant with the probe, and the webhooks that are measured."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import orjson

from ..config_entries import add_jedlix, remove, set_options
from ..config_folder import add_component
from ..flows import CONFIG, Flow
from ..home import Home
from ..simulator import Simulator
from ..websocket import WebSocket

PROBE = Path(__file__).parent / "bench_probe"
BARE = "bare" * 16
EMPTY = "void" * 16
TEMPLATES = "templates.yaml"
SESSION_STARTED = "sessionStarted"
"""A type that only requests a refresh (the documented two are published as changes as well)."""
_RECORDED = "\nhistory:\nlogbook:\n"


@asynccontextmanager
async def start_testbed(
    folder: Path, *arguments: str, with_recorder: bool = False
) -> AsyncIterator[Testbed]:
    """Start a simulator with these arguments and a Home Assistant with the probe, in a folder.

    Raises BenchFailed at the end where the integration has logged an error.
    """
    home = Home(folder / "home")
    _prepare(home, with_recorder=with_recorder)
    async with AsyncExitStack() as stack:
        simulator = await stack.enter_async_context(Simulator.ours(folder, *arguments))
        await stack.enter_async_context(home)
        socket = await stack.enter_async_context(await home.api.websocket())
        http = await stack.enter_async_context(
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=1),
                timeout=aiohttp.ClientTimeout(total=60),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        )
        yield Testbed(home, socket, simulator, http)
        if errors := home.log_errors("jedlix"):
            raise BenchFailed(f"Home Assistant logged:\n{errors[-1]}")


def _prepare(home: Home, *, with_recorder: bool) -> None:
    """Add the probe and an empty file of templates to a Home that is not started."""
    configuration = home.folder / "configuration.yaml"
    text = configuration.read_text(encoding="utf-8")
    if not with_recorder:
        text = text.replace(_RECORDED, "\n")
    text += f"\ntemplate: !include {TEMPLATES}\n"
    configuration.write_text(text, encoding="utf-8")
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


class Testbed:
    """What the measurements use."""

    def __init__(
        self, home: Home, socket: WebSocket, simulator: Simulator, http: aiohttp.ClientSession
    ) -> None:
        """Take what is running."""
        self.home = home
        self.simulator = simulator
        self._socket = socket
        self._http = http

    async def restart(self, *, with_recorder: bool = False) -> None:
        """Restart Home Assistant, with a recorder from now on where it is to have one."""
        await self._socket.close()
        if with_recorder:
            path = self.home.folder / "configuration.yaml"
            with path.open("a", encoding="utf-8") as configuration:
                configuration.write(_RECORDED)
        await self.home.restart()
        self._socket = await self.home.api.websocket()

    async def version(self) -> str:
        """Return the version of Home Assistant."""
        return str((await self._socket.call("get_config"))["version"])

    async def ask(self, question: str, **args: Any) -> Any:
        """Ask the probe something."""
        return await self._socket.call("bench", do=question, args=args)

    async def add_account(self, name: str, users: list[str]) -> Account:
        """Add the integration for these users as a person would; each name is a tenant of its own."""
        info = await self.simulator.info()
        entry_id = await add_jedlix(self.home.api, info | {"client_id": name}, users)
        await self.ask("settle", entry_id=entry_id)
        return Account(entry_id=entry_id, users=users, **await self.ask("entry", entry_id=entry_id))

    async def subscribe_to_everything(self, account: Account) -> None:
        """Subscribe an account to all event types of the simulator."""
        event_types = await self.simulator.event_types()
        await set_options(self.home.api, account.entry_id, event_types=event_types)
        await self.ask("settle", entry_id=account.entry_id)

    async def add_sleep_as_android(self) -> str:
        """Set core's integration up through its own flow; returns its webhook id."""
        flow = await Flow.begin(self.home.api, CONFIG, "sleep_as_android")
        await flow.submit("user", {})
        entry_id = flow.result()["result"]["entry_id"]
        return str((await self.ask("entry", entry_id=entry_id))["webhook_id"])

    async def remove(self, account: Account) -> None:
        """Remove an entry with everything that belongs to it."""
        await remove(self.home.api, account.entry_id)

    async def post(self, webhook_id: str, body: bytes, key: str = "") -> int:
        """POST to a webhook over a connection that stays open, and return the status."""
        headers = {"Content-Type": "application/json"}
        if key:
            headers["Authorization"] = f"Basic {key}"
        url = f"{self.home.base_url}/api/webhook/{webhook_id}"
        async with self._http.post(url, data=body, headers=headers) as response:
            await response.read()
            return response.status

    async def last_request(self) -> int:
        """Return the number of the last API call that the simulator answered."""
        requests = await self.simulator.requests()
        return int(requests[-1]["n"]) if requests else 0


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
