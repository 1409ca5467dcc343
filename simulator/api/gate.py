"""Gate of the API: faults first, then token and key, then the endpoint; errors in one shape."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import format_datetime
import logging
import time

from aiohttp import web
import orjson

from simulator.cloud import Cloud
from simulator.messages import Request
from simulator.model import JsonObject

from . import token
from .http import Call, Endpoint, Problem

_LOGGER = logging.getLogger(__name__)


class Gate:
    """Lets API calls in: outages and faults first, then token, key, and the mode's rules."""

    def __init__(self, cloud: Cloud) -> None:
        """Guard the API of this cloud."""
        self._cloud = cloud

    @web.middleware
    async def guard(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        """Apply faults, turn errors into problem details, and record the call."""
        if not request.path.startswith(("/api/", "/oauth/")):
            return await handler(request)
        response: web.StreamResponse
        try:
            await self._apply_faults(request)
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
        if self._cloud.faults.clock_skew_seconds:
            response.headers["Date"] = format_datetime(self._cloud.now(), usegmt=True)
        self._cloud.requests_answered += 1
        self._cloud.requests.append(
            Request(datetime.now(UTC), request.method, request.path_qs, response.status)
        )
        return response

    async def _apply_faults(self, request: web.Request) -> None:
        faults = self._cloud.faults
        if time.monotonic() < self._cloud.outage_until:
            if faults.outage_how == "refuse" and request.transport is not None:
                request.transport.abort()
            raise Problem(503, "The API is away (a fault).")
        if faults.api_slow_seconds:
            await asyncio.sleep(faults.api_slow_seconds)
        if self._cloud.dice.happens(faults.api_429):
            headers = {"Retry-After": str(faults.retry_after)}
            raise Problem(429, "Too many requests (a fault).", headers)
        if self._cloud.dice.happens(faults.api_500):
            raise Problem(500, "Something broke (a fault).")

    async def token(self, request: web.Request) -> web.Response:
        """Answer a request for a token."""
        return await token.answer(self._cloud, request)

    def entrance(self, endpoint: Endpoint, version: str) -> Callable[..., Awaitable[web.Response]]:
        """Return the handler of an endpoint under one version prefix."""

        async def serve(request: web.Request) -> web.Response:
            return await self._serve(endpoint, version, request)

        return serve

    async def _serve(self, endpoint: Endpoint, version: str, request: web.Request) -> web.Response:
        cloud = self._cloud
        self._check_credentials(request)
        if endpoint.name in cloud.faults.absent or (cloud.is_strict and endpoint.is_assumed):
            raise Problem(404, "There is no such endpoint.")
        if endpoint.name in cloud.faults.forbidden:
            raise Problem(403, "The scope or the plan does not allow this.")
        body = await _read_body(request)
        call = Call(cloud=cloud, request=request, version=version, now=cloud.catch_up(), body=body)
        try:
            return await endpoint.handler(call)
        finally:
            cloud.settle()

    def _check_credentials(self, request: web.Request) -> None:
        settings = self._cloud.settings
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not self._cloud.tokens.is_valid(token, self._cloud.now()):
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
