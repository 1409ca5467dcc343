"""Answers of aimed faults: what a call gets instead of its true answer."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from email.utils import format_datetime

from aiohttp import web
import orjson

from simulator.faults.aimed import Fault

from .http import Problem, json_response

type Perform = Callable[[], Awaitable[web.StreamResponse]]
type _Answer = Callable[[Fault, web.Request, Perform, datetime], Awaitable[web.StreamResponse]]

CALLER_GONE = 499
"""Status under which a call that never got an answer is recorded, once its caller has gone."""

_WITHOUT_BODY = {204, 205, 304}
_SECONDS_BETWEEN_CHECKS = 0.05
_PAGE = "<!doctype html><html><head><title>Log in</title></head><body><h1>Please log in</h1></body></html>"


async def answer(
    fault: Fault, request: web.Request, perform: Perform, now: datetime
) -> web.StreamResponse:
    """Answer a call as the fault has it. `perform` carries the call out; `now` is Jedlix's time."""
    if fault.values.get("performed"):
        await perform()
    return await ANSWERS[fault.kind.name](fault, request, perform, now)


async def _status(
    fault: Fault, request: web.Request, _perform: Perform, _now: datetime
) -> web.StreamResponse:
    status, text = fault["status"], fault["text"]
    if status in _WITHOUT_BODY:
        return web.Response(status=status)
    if fault["problem"]:
        return Problem(status, text or "This answer is a fault.").response(request.path)
    return web.Response(status=status, text=text)


async def _html(
    fault: Fault, _request: web.Request, _perform: Perform, _now: datetime
) -> web.StreamResponse:
    if fault["status"] in _WITHOUT_BODY:
        return web.Response(status=fault["status"])
    return web.Response(status=fault["status"], text=_PAGE, content_type="text/html")


async def _empty_list(
    _fault: Fault, _request: web.Request, perform: Perform, _now: datetime
) -> web.StreamResponse:
    body = _body(await perform())
    value = orjson.loads(body) if body else None
    if isinstance(value, dict) and isinstance(value.get("items"), list):
        return json_response(value | {"items": [], "totalPages": 0, "totalCount": 0})
    return json_response([])


async def _empty_object(
    _fault: Fault, _request: web.Request, _perform: Perform, _now: datetime
) -> web.StreamResponse:
    return json_response({})


async def _hang(
    _fault: Fault, request: web.Request, _perform: Perform, _now: datetime
) -> web.StreamResponse:
    while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110
        await asyncio.sleep(_SECONDS_BETWEEN_CHECKS)
    return web.Response(status=CALLER_GONE)


async def _slow(
    fault: Fault, _request: web.Request, perform: Perform, _now: datetime
) -> web.StreamResponse:
    await asyncio.sleep(fault["delay_seconds"])
    return await perform()


async def _truncated(
    fault: Fault, request: web.Request, perform: Perform, _now: datetime
) -> web.StreamResponse:
    response = await perform()
    if not (body := _body(response)):
        return response
    kept = body[: int(len(body) * fault["percent"] / 100)]
    if not fault["closes_connection"]:
        return web.Response(body=kept, status=response.status, content_type=response.content_type)
    cut = web.StreamResponse(status=response.status)
    cut.content_type, cut.content_length = response.content_type, len(body)
    await cut.prepare(request)
    await cut.write(kept)
    if request.transport is not None:
        request.transport.close()
    return cut


async def _redirect(
    fault: Fault, _request: web.Request, _perform: Perform, _now: datetime
) -> web.StreamResponse:
    return web.Response(status=fault["status"], headers={"Location": fault["location"]})


async def _retry_after(
    fault: Fault, _request: web.Request, _perform: Perform, now: datetime
) -> web.StreamResponse:
    wait = fault.seconds("wait_seconds")
    header = {
        "seconds": f"{fault['wait_seconds']:g}",
        "date": format_datetime(now + wait, usegmt=True),
        "epoch": str(int((now + wait).timestamp())),
        "absurd": fault["text"],
    }[fault["form"]]
    raise Problem(fault["status"], "Not now (a fault).", {"Retry-After": header})


async def _unauthorized(
    _fault: Fault, _request: web.Request, _perform: Perform, _now: datetime
) -> web.StreamResponse:
    raise Problem(401, "No token is accepted (a fault).", {"WWW-Authenticate": "Bearer"})


async def _token_refused(
    fault: Fault, _request: web.Request, _perform: Perform, _now: datetime
) -> web.StreamResponse:
    status = fault["status"]
    error = {400: "unauthorized_client", 401: "invalid_client", 403: "access_denied"}[status]
    body = {"error": error, "error_description": "The client is refused (a fault)."}
    return json_response(body if fault["names_client"] else {}, status)


def _body(response: web.StreamResponse) -> bytes:
    """Return the body of an answer; all answers of the API and the token address have bytes or nothing."""
    body = response.body if isinstance(response, web.Response) else None
    return body if isinstance(body, bytes) else b""


ANSWERS: dict[str, _Answer] = {
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
