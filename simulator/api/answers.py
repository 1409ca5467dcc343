"""Answers of aimed faults: what a call gets instead of its true answer."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from aiohttp import web
import orjson

from simulator.faults.aimed import Fault

from .http import Problem, json_response

type Perform = Callable[[], Awaitable[web.StreamResponse]]

CALLER_GONE = 499
"""Status under which a call that never got an answer is recorded, once its caller has gone."""

_WITHOUT_BODY = {204, 205, 304}
_SECONDS_BETWEEN_CHECKS = 0.05
_PAGE = "<!doctype html><html><head><title>Log in</title></head><body><h1>Please log in</h1></body></html>"


@dataclass(slots=True, frozen=True, kw_only=True)
class Struck:
    """A call that a fault answers. `perform` carries it out; `now` is Jedlix's time."""

    fault: Fault
    request: web.Request
    perform: Perform
    now: datetime


async def answer(struck: Struck) -> web.StreamResponse:
    """Answer a call as its fault has it."""
    if struck.fault.values.get("performed"):
        with suppress(Problem):
            await struck.perform()
    return await ANSWERS[struck.fault.kind.name](struck)


async def _status(struck: Struck) -> web.StreamResponse:
    status, text = struck.fault["status"], struck.fault["text"]
    if status in _WITHOUT_BODY:
        return web.Response(status=status)
    if struck.fault["problem"]:
        return Problem(status, text or "This answer is a fault.").response(struck.request.path)
    return web.Response(status=status, text=text)


async def _html(struck: Struck) -> web.StreamResponse:
    if struck.fault["status"] in _WITHOUT_BODY:
        return web.Response(status=struck.fault["status"])
    return web.Response(status=struck.fault["status"], text=_PAGE, content_type="text/html")


async def _empty_list(struck: Struck) -> web.StreamResponse:
    body = _body(await struck.perform())
    value = orjson.loads(body) if body else None
    if isinstance(value, dict) and isinstance(value.get("items"), list):
        return json_response(value | {"items": [], "totalPages": 0, "totalCount": 0})
    return json_response([])


async def _empty_object(_struck: Struck) -> web.StreamResponse:
    return json_response({})


async def _hang(struck: Struck) -> web.StreamResponse:
    while not _is_gone(struck.request):  # noqa: ASYNC110  aiohttp has no event for it
        await asyncio.sleep(_SECONDS_BETWEEN_CHECKS)
    return web.Response(status=CALLER_GONE)


def _is_gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


async def _slow(struck: Struck) -> web.StreamResponse:
    await asyncio.sleep(struck.fault["delay_seconds"])
    return await struck.perform()


async def _truncated(struck: Struck) -> web.StreamResponse:
    try:
        response = await struck.perform()
    except Problem as refusal:
        response = refusal.response(struck.request.path)
    if not (body := _body(response)):
        return response
    kept = body[: int(len(body) * struck.fault["percent"] / 100)]
    if not struck.fault["closes_connection"]:
        return web.Response(body=kept, status=response.status, content_type=response.content_type)
    cut = web.StreamResponse(status=response.status)
    cut.content_type, cut.content_length = response.content_type, len(body)
    await cut.prepare(struck.request)
    await cut.write(kept)
    if struck.request.transport is not None:
        struck.request.transport.close()
    return cut


async def _redirect(struck: Struck) -> web.StreamResponse:
    return web.Response(
        status=struck.fault["status"], headers={"Location": struck.fault["location"]}
    )


async def _retry_after(struck: Struck) -> web.StreamResponse:
    wait = struck.fault.seconds("wait_seconds")
    header = {
        "seconds": str(struck.fault["wait_seconds"]),
        "date": format_datetime(struck.now + wait, usegmt=True),
        "epoch": str(int((struck.now + wait).timestamp())),
        "absurd": struck.fault["text"],
    }[struck.fault["form"]]
    raise Problem(struck.fault["status"], "Not now (a fault).", {"Retry-After": header})


async def _unauthorized(_struck: Struck) -> web.StreamResponse:
    raise Problem(401, "No token is accepted (a fault).", {"WWW-Authenticate": "Bearer"})


async def _token_refused(struck: Struck) -> web.StreamResponse:
    status = struck.fault["status"]
    error = {400: "unauthorized_client", 401: "invalid_client", 403: "access_denied"}[status]
    body = {"error": error, "error_description": "The client is refused (a fault)."}
    return json_response(body if struck.fault["names_client"] else {}, status)


def _body(response: web.StreamResponse) -> bytes:
    """Return the body of an answer; all answers of the API and the token address have bytes or nothing."""
    body = response.body if isinstance(response, web.Response) else None
    return body if isinstance(body, bytes) else b""


ANSWERS: dict[str, Callable[[Struck], Awaitable[web.StreamResponse]]] = {
    "status": _status,
    "html": _html,
    "empty_list": _empty_list,
    "empty_object": _empty_object,
    "hang": _hang,
    "slow": _slow,
    "truncated": _truncated,
    "redirect": _redirect,
    "retry_after": _retry_after,
    "unauthorized": _unauthorized,
    "token_refused": _token_refused,
}
