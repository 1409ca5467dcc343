"""Websocket connection to Home Assistant: commands, and events with the time at which they came."""

import asyncio
from collections.abc import AsyncIterator
import contextlib
from dataclasses import dataclass
import time
from typing import Any, Self

import aiohttp

MAX_MESSAGE = 64 * 1024 * 1024
"""A registry of a thousand cars is one message; aiohttp's own limit is 4 MiB."""


class CommandFailed(Exception):
    """Home Assistant refused a websocket command."""


class Disconnected(Exception):
    """The connection to Home Assistant has ended."""


@dataclass(frozen=True, slots=True)
class Received:
    """One event as it came in; `at` is the wall clock in seconds, which other processes have as well."""

    at: float
    event: dict[str, Any]

    @property
    def event_type(self) -> str:
        """The bus event's type; empty for what is not a bus event."""
        return str(self.event.get("event_type", ""))

    @property
    def data(self) -> dict[str, Any]:
        """The bus event's data."""
        data: dict[str, Any] = self.event.get("data", {})
        return data


class Subscription:
    """The events of one subscription, in a queue; iterating ends with the connection."""

    def __init__(self) -> None:
        """Use `WebSocket.subscribe`."""
        self._queue: asyncio.Queue[Received | None] = asyncio.Queue()

    def put(self, received: Received | None) -> None:
        """Append an event; None ends the iteration."""
        self._queue.put_nowait(received)

    async def __aiter__(self) -> AsyncIterator[Received]:
        """Yield events until the connection ends."""
        while (received := await self._queue.get()) is not None:
            yield received


class WebSocket:
    """One authenticated connection. Use it as a context manager, or close it."""

    def __init__(self, connection: aiohttp.ClientWebSocketResponse) -> None:
        """Use `WebSocket.connect`."""
        self._connection = connection
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._subscriptions: dict[int, Subscription] = {}
        self._last_id = 0
        self._reader: asyncio.Task[None] | None = None

    @classmethod
    async def connect(cls, session: aiohttp.ClientSession, base_url: str, token: str) -> Self:
        """Connect and log in; raises `Disconnected` when the token is refused."""
        connection = await session.ws_connect(f"{base_url}/api/websocket", max_msg_size=MAX_MESSAGE)
        await connection.receive_json()  # auth_required
        await connection.send_json({"type": "auth", "access_token": token})
        answer = await connection.receive_json()
        if answer["type"] != "auth_ok":
            await connection.close()
            raise Disconnected(f"Home Assistant refused the token: {answer.get('message')}")
        socket = cls(connection)
        socket._reader = asyncio.create_task(socket._read(), name="home assistant websocket")
        return socket

    async def call(self, command: str, **fields: Any) -> Any:
        """Send one command and return its result; raises `CommandFailed` or `Disconnected`."""
        return await self._send(self._next_id(), command, fields)

    async def subscribe(
        self, command: str, into: Subscription | None = None, **fields: Any
    ) -> Subscription:
        """Send a command that answers with events; none that follows the answer is missed.

        With `into`, the events join those of another subscription, in the order in which they come.
        """
        number = self._next_id()
        subscription = self._subscriptions[number] = into or Subscription()
        await self._send(number, command, fields)
        return subscription

    async def subscribe_events(self, *event_types: str) -> Subscription:
        """Subscribe to these types of bus events, in one queue, in the order in which they come."""
        subscription = Subscription()
        for event_type in event_types:
            await self.subscribe("subscribe_events", into=subscription, event_type=event_type)
        return subscription

    @property
    def closed(self) -> bool:
        """True once no answer can come any more."""
        return self._reader is None or self._reader.done()

    async def close(self) -> None:
        """Close the connection; open commands fail, open subscriptions end."""
        await self._connection.close()
        if self._reader is not None:
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader

    async def __aenter__(self) -> Self:
        """Return the connection itself."""
        return self

    async def __aexit__(self, *error: object) -> None:
        """Close the connection."""
        await self.close()

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    async def _send(self, number: int, command: str, fields: dict[str, Any]) -> Any:
        if self.closed:
            raise Disconnected(f"{command}: the connection to Home Assistant is closed")
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        try:
            await self._connection.send_json({**fields, "id": number, "type": command})
            message = await answer
        except (ConnectionError, aiohttp.ClientError) as error:
            raise Disconnected(f"{command}: {error}") from error
        finally:
            self._answers.pop(number, None)
        if not message["success"]:
            refusal = message["error"]
            raise CommandFailed(f"{command}: {refusal['message']} ({refusal['code']})")
        return message["result"]

    async def _read(self) -> None:
        try:
            async for frame in self._connection:
                at = time.time()
                if frame.type is not aiohttp.WSMsgType.TEXT:
                    continue
                message = frame.json()
                for part in message if isinstance(message, list) else [message]:
                    self._take(part, at)
        finally:
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(Disconnected("the connection to Home Assistant ended"))
            for subscription in self._subscriptions.values():
                subscription.put(None)

    def _take(self, message: dict[str, Any], at: float) -> None:
        number = message.get("id", 0)
        if message["type"] == "event":
            if subscription := self._subscriptions.get(number):
                subscription.put(Received(at, message["event"]))
        elif (answer := self._answers.get(number)) is not None and not answer.done():
            answer.set_result(message)
