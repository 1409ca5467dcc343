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
from simulator.faults.kinds import TOKEN, USER_TOKEN
from simulator.faults.lies import Lies
from simulator.messages import Request
from simulator.model import JsonObject

from . import answers, token, user_token
from .answers import Perform, Struck
from .http import Call, Endpoint, Problem, user_in
from .scopes import SCOPES

_LOGGER = logging.getLogger(__name__)
_API_PATHS = ("/api/", "/oauth/")
_GUARDED = (*_API_PATHS, user_token.TOKEN_PATH)


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
        if not request.path.startswith(_GUARDED):
            return await handler(request)
        response: web.StreamResponse
        try:
            if request.path.startswith(_API_PATHS):  # the identity provider is not Jedlix
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
        self._cloud.requests_answered += 1
        self._cloud.requests.append(
            Request(datetime.now(UTC), request.method, request.path_qs, response.status)
        )
        return response

    async def date(self, request: web.Request, response: web.StreamResponse) -> None:
        """Write the Date header by Jedlix's clock, as everything else."""
        if request.path.startswith(_API_PATHS):
            response.headers["Date"] = format_datetime(self._cloud.now(), usegmt=True)

    async def _apply_faults(self, request: web.Request) -> None:
        faults = self._cloud.faults
        if time.monotonic() < self._cloud.outage_until:
            if faults.outage_how == "refuse" and request.transport is not None:
                request.transport.abort()
            raise Problem(503, "The API is away (a fault).")
        if faults.api_slow_seconds:
            await asyncio.sleep(faults.api_slow_seconds)
        if self._cloud.chance.happens(faults.api_429):
            headers = {"Retry-After": str(faults.retry_after)}
            raise Problem(429, "Too many requests (a fault).", headers)
        if self._cloud.chance.happens(faults.api_500):
            raise Problem(500, "Something broke (a fault).")

    async def token(self, request: web.Request) -> web.StreamResponse:
        """Answer a request for a token."""
        return await self._answer(TOKEN, request, lambda: token.answer(self._cloud, request))

    async def user_token(self, request: web.Request) -> web.StreamResponse:
        """Answer a request for a driver's tokens."""
        return await self._answer(
            USER_TOKEN, request, lambda: user_token.answer(self._cloud, request)
        )

    async def _answer(
        self, name: str, request: web.Request, perform: Perform
    ) -> web.StreamResponse:
        """Perform a call, or let an aimed fault answer it."""
        cloud = self._cloud
        fault = cloud.aimed.take_answer(name, user_in(request), cloud.clock())
        if fault is None:
            return await perform()
        struck = Struck(fault=fault, request=request, perform=perform, now=cloud.now())
        return await answers.answer(struck)

    def handler(
        self, endpoint: Endpoint, version: str
    ) -> Callable[..., Awaitable[web.StreamResponse]]:
        """Return the handler of an endpoint under one version prefix."""

        async def serve(request: web.Request) -> web.StreamResponse:
            return await self._answer(
                endpoint.name, request, lambda: self._serve(endpoint, version, request)
            )

        return serve

    async def _serve(self, endpoint: Endpoint, version: str, request: web.Request) -> web.Response:
        """Check the credentials and perform the call."""
        cloud = self._cloud
        self._check_credentials(request, endpoint)
        if endpoint.name in cloud.faults.absent or not cloud.offers(
            endpoint.name, is_assumed=endpoint.is_assumed
        ):
            raise Problem(404, "There is no such endpoint.")
        if endpoint.name in cloud.faults.forbidden:
            raise Problem(403, "The scope or the plan does not allow this.")
        body = await _read_body(request)
        now, clock = cloud.catch_up(), cloud.clock()
        lies = Lies(cloud.aimed.lies(endpoint.name, clock), clock, now)
        call = Call(cloud=cloud, request=request, version=version, now=now, body=body, lies=lies)
        try:
            return await self._perform(endpoint, call, clock)
        finally:
            lies.count()
            cloud.settle()

    async def _perform(self, endpoint: Endpoint, call: Call, clock: datetime) -> web.Response:
        """Call the endpoint's function. Before a change, keep the user's state for stale reads."""
        user = self._cloud.world.users.get(call.user_id or "")
        if call.request.method == "GET" or user is None:
            return await endpoint.handler(call)
        stale = Lies(self._cloud.aimed.of_kind("stale_reads"), clock, call.now)
        stale.before_change(user, self._cloud.world.sessions.of(user.id))
        response = await endpoint.handler(call)
        stale.after_change(user.id)
        return response

    def _check_credentials(self, request: web.Request, endpoint: Endpoint) -> None:
        settings = self._cloud.settings
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not self._cloud.tokens.is_valid(token, self._cloud.now()):
            raise Problem(
                401, "The token is missing, unknown or has expired.", {"WWW-Authenticate": "Bearer"}
            )
        owner = self._cloud.tokens.owner(token)
        if owner is not None and user_in(request) != owner.user_id:
            raise Problem(403, "The token of a driver is good for calls of that driver only.")
        if owner is not None and (wanted := SCOPES.get(endpoint.name)) not in {None, *owner.scopes}:
            raise Problem(403, f"The token lacks the scope {wanted}.")
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
