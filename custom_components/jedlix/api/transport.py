"""Transport: sends the calls of the table with a token, repeats those that failed, and reads pages."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from http import HTTPStatus
import random
from typing import Final, Protocol
from urllib.parse import quote
from uuid import uuid4

from aiohttp import ClientSession
import orjson

from .clock import JedlixClock
from .endpoints import ENDPOINTS, Endpoints, Evidence
from .errors import BadAnswer, ConnectionFailed, JedlixError, NotFound, RateLimited
from .gate import CallGate
from .http import send
from .reading import Json, join_pages, read_json, read_page, wire_time
from .report import ApiReport
from .token_address import Auth

# The maximum of v2 (documented).
PAGE_SIZE: Final = 100
MAX_PAGES: Final = 1000
# Pauses before a call that failed on Jedlix's side is repeated, in seconds.
BACK_OFF: Final = (0.5, 2.0)
# A call is repeated only if Jedlix asks for no longer pause than this, in seconds.
MAX_WAIT: Final = 10.0

type Params = dict[str, str | datetime | None]


class _Item(Protocol):
    """An item of a list; one without an id is recognized by its content."""

    @property
    def id(self) -> str | None: ...


class Transport:
    """The way to the API of one tenant, or of one user of it. It raises a JedlixError and nothing else.

    A call that fails on Jedlix's side (429, 5xx, time-out) is repeated up to twice, after growing pauses,
    unless doing it twice could do harm. After a 401 it is repeated once, with a new token.
    """

    def __init__(
        self,
        session: ClientSession,
        *,
        base_url: str,
        auth: Auth,
        user_id: str | None = None,
        api_key: str | None = None,
        client_name: str,
        client_version: str,
        endpoints: Endpoints = ENDPOINTS,
        back_off: Sequence[float] = BACK_OFF,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: JedlixClock | None = None,
        gate: CallGate | None = None,
    ) -> None:
        """Use the host at `base_url`, which may have a path before /api (SDK).

        `user_id` is whose token it is, None for that of a tenant.
        """
        self._session = session
        self._base_url = base_url.rstrip("/").removesuffix("/api/v1").removesuffix("/api/v2")
        self._auth = auth
        self.user_id = user_id
        self._endpoints = endpoints
        self._back_off = back_off
        self._sleep = sleep
        self._gate = gate or CallGate()
        # what was sent and no text may quote: the API key, and those of registrations
        self._secrets = {api_key} if api_key else set[str]()
        self.clock = clock or JedlixClock()
        self.report = ApiReport(self.clock.now, endpoints)
        self._headers = {
            "Accept": "application/json",
            "Jedlix-ClientName": client_name,
            "Jedlix-ClientVersion": client_version,
        } | ({"ApiKey": api_key} if api_key else {})

    async def _all[T: _Item](
        self,
        name: str,
        read: Callable[[object], T],
        params: Params | None = None,
        **ids: str,
    ) -> tuple[T, ...]:
        """Return a whole list. These are plain arrays (SDK); where one comes in pages, all are read.

        It is `Incomplete` where an item could not be read.
        """
        first = read_page(await self._call(name, params, **ids), read)
        if not first.has_more:
            return first.items
        return join_pages([page async for page in self._pages(name, read, params, **ids)])

    async def _pages[T: _Item](
        self,
        name: str,
        read: Callable[[object], T],
        params: Params | None = None,
        **ids: str,
    ) -> AsyncIterator[tuple[T, ...]]:
        """Yield pages until none is left, or until one has no new items (paging not understood)."""
        seen: set[object] = set()
        for index in range(1, MAX_PAGES + 1):
            paging: Params = {"pageSize": str(PAGE_SIZE), "pageIndex": str(index)}
            page = read_page(await self._call(name, (params or {}) | paging, **ids), read)
            new = type(page.items)(item for item in page.items if (item.id or item) not in seen)
            if new:
                yield new
            if not new or not page.has_more:
                return
            seen.update(item.id or item for item in new)

    async def _call(
        self,
        name: str,
        params: Params | None = None,
        body: Json = None,
        **ids: str,
    ) -> object:
        """Call an endpoint of the table and return its JSON, or None for an empty answer.

        The answer to a GET that is declared to have no content (204) is an empty list (inferred).
        """
        if not all(value.strip(".") for value in ids.values()):
            raise NotFound("an id of dots alone would change the path")
        endpoint = self._endpoints[name]
        path = endpoint.path.format(**{key: quote(value, safe="") for key, value in ids.items()})
        query = {
            key: wire_time(value) if isinstance(value, datetime) else value
            for key, value in (params or {}).items()
            if value is not None
        }
        if body is None and endpoint.method in ("POST", "DELETE"):
            body = {}  # The API requires a body even for a DELETE (SDK).
        pauses = iter(self._back_off)
        while True:
            try:
                async with self._gate.slot(ids.get("user_id")):
                    return await self._exchange(name, self._base_url + path, query, body)
            except ConnectionFailed as err:
                limited = isinstance(err, RateLimited)
                if isinstance(err, RateLimited) and err.retry_after is not None:
                    self._gate.pause(err.retry_after)
                pause = next(pauses, None)
                # A POST may have been done although it failed; only after a 429 it was certainly not.
                if pause is None or (endpoint.method == "POST" and not limited):
                    raise
                wait = (isinstance(err, RateLimited) and err.retry_after) or pause
                if wait > MAX_WAIT:
                    raise
                await self._sleep(wait * random.uniform(1.0, 1.25))  # noqa: S311

    async def _exchange(
        self,
        name: str,
        url: str,
        query: dict[str, str],
        body: Json,
    ) -> object:
        endpoint = self._endpoints[name]
        headers = dict(self._headers)
        options: dict[str, object] = {"params": query}
        self._secrets.update(_secrets_in(body))
        if body is not None:
            headers["Content-Type"] = "application/json"
            options["data"] = orjson.dumps(body)
        for _ in range(2):
            token = await self._auth.token()
            headers["Authorization"] = f"Bearer {token}"
            headers["Jedlix-CorrelationId"] = str(uuid4())
            try:
                answer = await send(self._session, endpoint.method, url, headers=headers, **options)
            except JedlixError:
                self.report.note_no_answer(name)
                raise
            self.clock.note_date(answer.date)
            self.report.note_answer(name, answer)
            if answer.status != HTTPStatus.UNAUTHORIZED:
                break
            self._auth.refuse(token)
        answer.raise_unless_ok((*self._secrets, *self._auth.secrets, token))
        if answer.status == HTTPStatus.NO_CONTENT and endpoint.method == "GET":
            return []
        if not answer.body.strip():
            return None
        try:
            data = read_json(answer.body)
        except (orjson.JSONDecodeError, BadAnswer) as err:
            # The answer to a write is not documented: a 2xx is enough. But it is no page in HTML.
            is_page = answer.kind == "HTML" and endpoint.evidence is not Evidence.DOCUMENTED
            if endpoint.method != "GET" and not is_page:
                return None
            raise BadAnswer("the answer is not JSON") from err
        self.report.note_content(name, data)
        return data


def _secrets_in(body: Json) -> tuple[str, ...]:
    """Return the secrets of a registration: the key, and the webhook id at the end of the URL."""
    if not isinstance(body, dict) or "apiKey" not in body:
        return ()
    return str(body["apiKey"]), str(body["endpointUrl"]).rpartition("/")[2]
