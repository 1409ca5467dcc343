"""The door of the API: faults first, then token and key, then the endpoint; errors in one shape."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import format_datetime
import logging
import time
from typing import TYPE_CHECKING, NamedTuple

from aiohttp import web
import orjson

from simulator.model import JsonObject

from . import token
from .http import Call, Endpoint, Problem

if TYPE_CHECKING:
    from simulator.app import Simulator

_LOGGER = logging.getLogger(__name__)


class Request(NamedTuple):
    """An API call that was answered, in real time; `path` has the query with it."""

    time: datetime
    method: str
    path: str
    status: int


class Gate:
    """Lets API calls in: outages and faults first, then token, key, and the mode's rules."""

    def __init__(self, sim: Simulator) -> None:
        """Guard this simulator."""
        self._sim = sim

    @web.middleware
    async def guard(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        """Strike with faults, turn errors into problem details, and log the call."""
        if not request.path.startswith(("/api/", "/oauth/")):
            return await handler(request)
        response: web.StreamResponse
        try:
            await self._strike_call(request)
            response = await handler(request)
        except Problem as problem:
            response = problem.response(request.path)
        except web.HTTPException as err:
            response = Problem(
                err.status, f"{request.method} {request.path}: {err.reason}"
            ).response(request.path)
        except ConnectionError:
            raise
        except Exception:
            _LOGGER.exception("%s %s", request.method, request.path)
            response = Problem(500, "The simulator has a bug; see its output.").response(
                request.path
            )
        if self._sim.faults.clock_skew_seconds:
            response.headers["Date"] = format_datetime(self._sim.now(), usegmt=True)
        self._sim.requests_answered += 1
        self._sim.requests.append(
            Request(datetime.now(UTC), request.method, request.path_qs, response.status)
        )
        return response

    async def _strike_call(self, request: web.Request) -> None:
        faults = self._sim.faults
        if time.monotonic() < self._sim.outage_until:
            if faults.outage_how == "refuse" and request.transport is not None:
                request.transport.abort()
            raise Problem(503, "The API is away (a fault).")
        if faults.api_slow_seconds:
            await asyncio.sleep(faults.api_slow_seconds)
        if self._sim.dice.happens(faults.api_429):
            headers = {"Retry-After": str(faults.retry_after)}
            raise Problem(429, "Too many requests (a fault).", headers)
        if self._sim.dice.happens(faults.api_500):
            raise Problem(500, "Something broke (a fault).")

    async def token(self, request: web.Request) -> web.Response:
        """Answer a request for a token."""
        return await token.answer(self._sim, request)

    def entrance(self, endpoint: Endpoint, version: str) -> Callable[..., Awaitable[web.Response]]:
        """Return the handler of an endpoint under one version prefix."""

        async def serve(request: web.Request) -> web.Response:
            return await self._serve(endpoint, version, request)

        return serve

    async def _serve(self, endpoint: Endpoint, version: str, request: web.Request) -> web.Response:
        sim = self._sim
        self._check_credentials(request)
        if endpoint.name in sim.faults.absent or (sim.is_strict and endpoint.is_assumed):
            raise Problem(404, "There is no such endpoint.")
        if endpoint.name in sim.faults.forbidden:
            raise Problem(403, "The scope or the plan does not allow this.")
        body = await _read_body(request)
        call = Call(sim=sim, request=request, version=version, now=sim.catch_up(), body=body)
        try:
            return await endpoint.handler(call)
        finally:
            sim.settle()

    def _check_credentials(self, request: web.Request) -> None:
        settings = self._sim.settings
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not self._sim.tokens.is_valid(token, self._sim.now()):
            raise Problem(
                401, "The token is missing, unknown or has expired.", {"WWW-Authenticate": "Bearer"}
            )
        key = request.headers.get("ApiKey")
        if settings.api_key_check == "off" or (key is None and settings.api_key_check == "sent"):
            return
        if key != settings.api_key:
            raise Problem(403, "The ApiKey is missing or wrong.")


async def _read_body(request: web.Request) -> JsonObject:
    if request.method == "GET" or not (raw := await request.read()).strip():
        return {}
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as err:
        raise Problem(400, f"The body is not JSON: {err}.") from None
    if not isinstance(body, dict):
        raise Problem(400, "The body must be a JSON object.")
    return body
