"""Simulator of the Jedlix cloud: a process of ours, or one that runs already."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
import sys
from typing import Any, Self

import aiohttp

from .paths import ROOT
from .process import Child, free_port

START_PATIENCE = 20.0


class SimulatorFailed(Exception):
    """The simulator could not be reached, or refused what it was asked."""


class Simulator:
    """The simulator's control API. Use it as a context manager.

    With arguments for its command line it is a process of ours, which ends with us. Without them (None) it is
    somebody else's, at `url`.
    """

    def __init__(self, url: str, arguments: Sequence[str] | None, log: Path) -> None:
        """Use `Simulator.ours` or `Simulator.at`."""
        self.url = url.rstrip("/")
        self._arguments = arguments
        self._log = log
        self._child: Child | None = None
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60))

    @classmethod
    def ours(cls, folder: Path, *arguments: str) -> Self:
        """Prepare a simulator of ours, on a free port, with these arguments."""
        port = free_port()
        return cls(
            f"http://127.0.0.1:{port}", ["--port", str(port), *arguments], folder / "simulator.log"
        )

    @classmethod
    def at(cls, url: str) -> Self:
        """Use the simulator that runs at `url`."""
        return cls(url, None, Path())

    @property
    def is_ours(self) -> bool:
        """Return whether it ends with us."""
        return self._arguments is not None

    async def __aenter__(self) -> Self:
        """Start it, if it is ours, and wait until it answers."""
        try:
            if self._arguments is not None:
                self._child = await Child.start(
                    "The simulator",
                    [sys.executable, "-m", "simulator", *self._arguments],
                    log=self._log,
                    folder=ROOT,
                )
                await self._until_it_answers(self._child)
            await self.truth()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        """Close the connection, and stop it if it is ours."""
        await self._session.close()
        if self._child is not None:
            await self._child.stop()

    def exited(self) -> str:
        """Return how it ended although nobody stopped it; empty while all is well."""
        return "" if self._child is None else self._child.ended_by_itself()

    # Its control API

    async def truth(self) -> dict[str, Any]:
        """Return the world as it is: users with their vehicles, and all changes so far."""
        truth: dict[str, Any] = await self._ask("GET", "truth")
        return truth

    async def deliveries(self, after: int = 0) -> list[dict[str, Any]]:
        """Return the webhook deliveries with a number above `after`, with their attempts."""
        answer = await self._ask("GET", f"deliveries?after={after}")
        deliveries: list[dict[str, Any]] = answer["deliveries"]
        return deliveries

    async def requests(self, after: int = 0) -> list[dict[str, Any]]:
        """Return the API calls with a number above `after` that were answered."""
        answer = await self._ask("GET", f"requests?after={after}")
        requests: list[dict[str, Any]] = answer["requests"]
        return requests

    async def tested_types(self, after: int = 0) -> set[str]:
        """Return the event types whose test message was answered well, in a delivery above `after`.

        A subscription is made right after its test, so these are subscribed.
        """
        return {
            delivery["event_type"]
            for delivery in await self.deliveries(after)
            if delivery["is_test"]
            and any(200 <= (attempt["status"] or 0) < 300 for attempt in delivery["attempts"])
        }

    async def info(self) -> dict[str, Any]:
        """Return its addresses, its credentials, and the event types that it can deliver."""
        info: dict[str, Any] = await self._ask("GET", "info")
        return info

    async def event_types(self) -> list[str]:
        """Return all event types that it can deliver, documented or not."""
        info = await self.info()
        return [*info["documented_event_types"], *info["reported_event_types"]]

    async def users(self) -> list[dict[str, Any]]:
        """Return the users with their vehicles."""
        users: list[dict[str, Any]] = (await self.truth())["users"]
        return users

    async def plug(self, vehicle_id: str, location: str = "home") -> None:
        """Plug a car in at its home, or at an `unknown` place."""
        await self._ask("POST", f"vehicles/{vehicle_id}/plug", {"location": location})

    async def unplug(self, vehicle_id: str) -> None:
        """Pull the plug."""
        await self._ask("POST", f"vehicles/{vehicle_id}/unplug", {})

    async def telemetry(self, vehicle_id: str, **reading: Any) -> None:
        """Let the car report `battery_level`, `charge_state` or `range`."""
        await self._ask("POST", f"vehicles/{vehicle_id}/telemetry", reading)

    async def change_settings(self, vehicle_id: str, **settings: Any) -> None:
        """Change charge settings by the names that the API uses, as the driver would in the app."""
        await self._ask("POST", f"vehicles/{vehicle_id}/settings", settings)

    async def boost(self, vehicle_id: str, *, enabled: bool) -> None:
        """Boost the car's smart session or stop boosting, as the driver would in the app."""
        await self._ask("POST", f"vehicles/{vehicle_id}/boost", {"enabled": enabled})

    async def link(self, vehicle_id: str, *, connected: bool, reason: str = "disconnected") -> None:
        """Lose or restore the link to the car's maker; the reason is `disconnected` or `credentials`."""
        body = {"connected": connected, "reason": reason}
        await self._ask("POST", f"vehicles/{vehicle_id}/link", body)

    async def log_in_pages(self, pages: int) -> None:
        """Have the makers' log-in take so many pages from now on."""
        await self._ask("POST", "linking", {"pages": pages})

    async def connect_sessions(self) -> list[dict[str, Any]]:
        """Return the attempts to link a car, oldest first."""
        attempts: list[dict[str, Any]] = (await self._ask("GET", "linking"))["connect_sessions"]
        return attempts

    async def impossible(self, vehicle_id: str) -> None:
        """Let Jedlix find that the car's session cannot reach the desired level."""
        await self._ask("POST", f"vehicles/{vehicle_id}/impossible", {})

    async def ledger(self) -> dict[str, Any]:
        """Return all sessions with their figures, all reports of cars, and all tokens that were given."""
        ledger: dict[str, Any] = await self._ask("GET", "ledger")
        return ledger

    async def ready(self, vehicle_id: str) -> None:
        """Let the car's maker have activated the car."""
        await self._ask("POST", f"vehicles/{vehicle_id}/ready", {})

    async def add_user(self) -> None:
        """Let the tenant get one more user, with a car."""
        await self._ask("POST", "users", {})

    async def deliver(self, user_id: str, event_type: str, count: int) -> None:
        """Let this many events about a user happen."""
        body = {"event_type": event_type, "user_id": user_id, "count": count}
        await self._ask("POST", "deliver", body)

    async def set_faults(self, **faults: Any) -> None:
        """Set these faults by their names and leave the others."""
        await self._ask("POST", "faults", faults)

    async def clear_faults(self) -> None:
        """Switch all faults off."""
        await self._ask("DELETE", "faults")

    async def clock(self, **setting: float) -> dict[str, Any]:
        """Set `speed`, `hour` or `advance_hours`; returns the speed and the time that it has now."""
        answer: dict[str, Any] = await self._ask("POST", "clock", setting)
        return answer

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        url = f"{self.url}/control/{path}"
        try:
            async with self._session.request(method, url, json=body) as response:
                if response.status >= 400:
                    text = (await response.text())[:300]
                    raise SimulatorFailed(f"{method} {url}: {response.status} {text}")
                return await response.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise SimulatorFailed(f"no simulator answers at {url}: {reason}") from error

    async def _until_it_answers(self, child: Child) -> None:
        try:
            async with asyncio.timeout(START_PATIENCE):
                while True:
                    if child.exit_code is not None:
                        raise child.failed("did not start")
                    try:
                        await self.truth()
                    except SimulatorFailed:
                        await asyncio.sleep(0.05)
                    else:
                        return
        except TimeoutError:
            raise child.failed(f"did not answer within {START_PATIENCE:.0f} s") from None
