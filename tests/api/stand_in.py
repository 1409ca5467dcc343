"""Stand-in for Jedlix that gives the answers of a test, for answers that the simulator never gives."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from aiohttp import ClientSession, web
from multidict import CIMultiDictProxy
import orjson

from custom_components.jedlix.api import JedlixClient, TokenSource
from custom_components.jedlix.api.endpoints import ENDPOINTS, Endpoints
from custom_components.jedlix.api.gate import CallGate
from custom_components.jedlix.api.token_address import Auth
from custom_components.jedlix.api.transport import BACK_OFF

TOKEN_PATH = "/oauth/token"


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: bytes go out as they are, anything else as JSON."""

    status: int = 200
    body: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came over the wire."""

    method: str
    target: str
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def path(self) -> str:
        """The path, still quoted."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The query, unquoted."""
        return dict(parse_qsl(urlsplit(self.target).query))

    @property
    def form(self) -> dict[str, str]:
        """The body as a form."""
        return dict(parse_qsl(self.body.decode()))

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return orjson.loads(self.body)


class Cloud:
    """A server for both addresses, of the API and of the token; it keeps the requests."""

    def __init__(self) -> None:
        """Answer each login with a new token, and each call with an empty list."""
        self.calls: list[Request] = []
        self.logins: list[Request] = []
        self.url = ""
        self.otherwise = Reply(body=[])
        self._replies: deque[Reply] = deque()
        self._login_replies: deque[Reply] = deque()
        self._open = asyncio.Event()
        self._open.set()
        self._runner: web.AppRunner | None = None

    def say(self, *replies: Reply) -> None:
        """Give these answers to the next calls."""
        self._replies.extend(replies)

    def say_at_login(self, *replies: Reply) -> None:
        """Give these answers to the next requests for a token."""
        self._login_replies.extend(replies)

    def forget(self) -> None:
        """Drop the answers that are still to be given, and the requests so far."""
        for queue in (self.calls, self.logins, self._replies, self._login_replies):
            queue.clear()

    @contextmanager
    def silence(self) -> Iterator[None]:
        """Give no answer meanwhile."""
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    async def start(self) -> Self:
        """Listen on a free port."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def stop(self) -> None:
        """Stop listening."""
        self._open.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        received = Request(request.method, request.raw_path, request.headers, await request.read())
        if request.path == TOKEN_PATH:
            self.logins.append(received)
            token = {"access_token": f"token-{len(self.logins)}", "expires_in": 3600}
            reply = self._login_replies.popleft() if self._login_replies else Reply(body=token)
        else:
            self.calls.append(received)
            reply = self._replies.popleft() if self._replies else self.otherwise
        await self._open.wait()
        body = reply.body if isinstance(reply.body, bytes) else orjson.dumps(reply.body)
        return web.Response(status=reply.status, body=body, headers=reply.headers)


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait until something has come over a socket."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  There is no event to wait for.
            await asyncio.sleep(0)


async def no_sleep(_seconds: float) -> None:
    """Sleep no longer than other tasks need."""
    await asyncio.sleep(0)


def make_auth(
    http: ClientSession,
    url: str,
    *,
    secret: str = "secret",
    audience: str | None = None,
    clock: Callable[[], float] = monotonic,
) -> TokenSource:
    """Return the source of the tokens for this cloud."""
    return TokenSource(
        http,
        token_url=url + TOKEN_PATH,
        client_id="client",
        client_secret=secret,
        audience=url if audience is None else audience,
        clock=clock,
    )


def make_client(
    http: ClientSession,
    url: str,
    *,
    auth: Auth | None = None,
    user_id: str | None = None,
    base_path: str = "",
    api_key: str | None = "key",
    endpoints: Endpoints = ENDPOINTS,
    back_off: Sequence[float] = BACK_OFF,
    sleep: Callable[[float], Awaitable[None]] = no_sleep,
    gate: CallGate | None = None,
) -> JedlixClient:
    """Return a client of this cloud that does not pause before it repeats a call."""
    return JedlixClient(
        http,
        base_url=url + base_path,
        auth=auth or make_auth(http, url),
        user_id=user_id,
        api_key=api_key,
        client_name="tests",
        client_version="1.2.3",
        endpoints=endpoints,
        back_off=back_off,
        sleep=sleep,
        gate=gate,
    )
