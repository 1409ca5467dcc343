"""Client of the Jedlix API: one async method per endpoint, typed in and out."""

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
from .connect_session import ConnectSession
from .endpoints import ENDPOINTS, Endpoints, Evidence
from .errors import (
    BadAnswer,
    Conflict,
    ConnectionFailed,
    Forbidden,
    JedlixError,
    NotFound,
    RateLimited,
    Rejected,
)
from .gate import CallGate
from .http import send
from .locations import ChargingLocation
from .models import (
    Charger,
    ChargeSettings,
    DeliveryRecord,
    Refresh,
    Session,
    Subscription,
    Vehicle,
    WebhookMessage,
)
from .reading import Json, read_json, read_page, wire_time
from .report import ApiReport
from .token_address import Auth

# The maximum of v2 (documented).
PAGE_SIZE: Final = 100
MAX_PAGES: Final = 1000
# Pauses before a call that failed on Jedlix's side is repeated, in seconds.
BACK_OFF: Final = (0.5, 2.0)
# A call is repeated only if Jedlix asks for no longer pause than this, in seconds.
MAX_WAIT: Final = 10.0

type _Params = dict[str, str | datetime | None]


class _Item(Protocol):
    """An item of a list; one without an id is recognized by its content."""

    @property
    def id(self) -> str | None: ...


class JedlixClient:
    """The API of one tenant, or of one user of it. Every method raises a JedlixError and nothing else.

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

    async def check_access(self) -> None:
        """Get a token and use it, so that a wrong secret, key or address is found; raises a JedlixError.

        A tenant may be without one of the two documented tenant-wide lists, or have no right to it. Forbidden
        is raised when it has no right to either. A user's token is good for that user's calls only
        (documented).
        """
        await self._auth.token()
        if self.user_id is not None:
            await self._call("vehicles", user_id=self.user_id)
            return
        refusal: Forbidden | None = None
        for name in ("sessions", "locations"):
            try:
                await self._call(name, {"pageSize": "1", "pageIndex": "1"})
            except NotFound:
                continue
            except Forbidden as err:
                refusal = err
            else:
                return
        if refusal is not None:
            raise refusal

    # -- vehicles, chargers, locations ---------------------------------------------------------------------

    async def vehicles(self, user_id: str) -> tuple[Vehicle, ...]:
        """Return the cars of a user (documented); NotFound when there is no such user."""
        return await self._all(
            "vehicles", lambda item: Vehicle.from_json(item, user_id), user_id=user_id
        )

    async def chargers(self, user_id: str) -> tuple[Charger, ...]:
        """Return the chargers of a user with their state (SDK)."""
        return await self._all(
            "chargers", lambda item: Charger.from_json(item, user_id), user_id=user_id
        )

    async def user_locations(self, user_id: str) -> tuple[ChargingLocation, ...]:
        """Return the charging locations of a user (SDK)."""
        return await self._all("user_locations", ChargingLocation.from_json, user_id=user_id)

    def location_pages(self) -> AsyncIterator[tuple[ChargingLocation, ...]]:
        """Yield the charging locations of all users, newest first (documented)."""
        return self._pages("locations", ChargingLocation.from_json)

    # -- sessions ------------------------------------------------------------------------------------------

    def session_pages(
        self,
        *,
        user_id: str | None = None,
        vehicle_id: str | None = None,
        started_from: datetime | None = None,
        started_to: datetime | None = None,
        ended_from: datetime | None = None,
    ) -> AsyncIterator[tuple[Session, ...]]:
        """Yield sessions, newest first: the tenant's (documented), or one user's (assumed, A4).

        The filter `startTimeFrom` is documented. The other three are inferred: no caller relies on them.
        """
        params: _Params = {
            "vehicleId": vehicle_id,
            "startTimeFrom": started_from,
            "startTimeTo": started_to,
            "endTimeFrom": ended_from,
        }
        if user_id is None:
            return self._pages("sessions", Session.from_json, params)
        return self._pages(
            "user_sessions",
            lambda item: Session.from_json(item, user_id),
            params,
            user_id=user_id,
        )

    async def session(self, user_id: str, session_id: str) -> Session:
        """Return one session of a user (that the call exists is documented; its path is assumed, A4)."""
        return Session.from_json(
            await self._call("session", user_id=user_id, session_id=session_id), user_id
        )

    async def financials(
        self, user_id: str, *, started_from: datetime, started_to: datetime
    ) -> tuple[Session, ...]:
        """Return sessions with their costs and savings (documented; path and shape: assumed, A7)."""
        return await self._all(
            "financials",
            lambda item: Session.from_json(item, user_id),
            {"startTimeFrom": started_from, "startTimeTo": started_to},
            user_id=user_id,
        )

    async def boost(self, user_id: str, session_id: str, *, enabled: bool) -> None:
        """Charge now to the desired level, or go back to smart (body documented, path assumed, A5)."""
        body: Json = {"type": "boostCharging", "enabled": enabled}
        await self._call("session_settings", body=body, user_id=user_id, session_id=session_id)

    async def set_current_battery_level(self, user_id: str, session_id: str, level: int) -> None:
        """Set the level in % of a car that does not report it (body documented, path assumed, A5).

        The documented spelling of the key looks like a typing error. If it is refused, the call is repeated
        once with the other spelling.
        """
        ids = {"user_id": user_id, "session_id": session_id}
        body: dict[str, Json] = {"type": "currentBatteryLevel"}
        try:
            await self._call("session_settings", None, body | {"currentSateOfCharge": level}, **ids)
        except Conflict:
            raise
        except Rejected:
            await self._call(
                "session_settings", None, body | {"currentStateOfCharge": level}, **ids
            )

    # -- charge settings and state refresh -----------------------------------------------------------------

    async def charge_settings(self, user_id: str, vehicle_id: str) -> ChargeSettings:
        """Return the charge settings of a car (fields documented, path assumed, A3)."""
        return ChargeSettings.from_json(
            await self._call("charge_settings", user_id=user_id, vehicle_id=vehicle_id)
        )

    async def update_charge_settings(
        self, user_id: str, vehicle_id: str, settings: dict[str, Json]
    ) -> None:
        """Write the whole settings back, unknown keys included (documented; path assumed, A3)."""
        await self._call(
            "update_charge_settings", body=settings, user_id=user_id, vehicle_id=vehicle_id
        )

    async def request_refresh(self, user_id: str, vehicle_id: str) -> Refresh:
        """Request a new reading from the car: at most once in 10 minutes (documented; path assumed, A6)."""
        return Refresh.from_json(
            await self._call("request_refresh", user_id=user_id, vehicle_id=vehicle_id)
        )

    async def refresh_status(self, user_id: str, vehicle_id: str) -> Refresh:
        """Return the state of the last such request; NotFound 15 minutes after it (documented; path: A6)."""
        return Refresh.from_json(
            await self._call("refresh_status", user_id=user_id, vehicle_id=vehicle_id)
        )

    # -- linking a car at its maker ------------------------------------------------------------------------

    async def connect_vehicle(self, user_id: str, vehicle_id: str | None = None) -> ConnectSession:
        """Begin to link a user's car at its maker: a new one (documented), or one that is known (SDK).

        Raises Conflict when the user has a linked car already (one per user: documented), or another attempt
        is not finished (inferred). Where the tenant lacks the call for a known car, it is the documented one.
        """
        if vehicle_id is not None:
            try:
                return ConnectSession.from_json(
                    await self._call("reconnect_vehicle", user_id=user_id, vehicle_id=vehicle_id)
                )
            except NotFound:
                pass
        return ConnectSession.from_json(await self._call("connect_vehicle", user_id=user_id))

    async def connect_session(self, user_id: str, connect_session_id: str) -> ConnectSession:
        """Return the state of an attempt to link a car (documented)."""
        return ConnectSession.from_json(
            await self._call(
                "connect_session", user_id=user_id, connect_session_id=connect_session_id
            )
        )

    async def unfinished_connect_sessions(self, user_id: str) -> tuple[ConnectSession, ...]:
        """Return the attempts to link a car of a user that are not finished (SDK)."""
        return await self._all(
            "connect_sessions", ConnectSession.from_json, {"type": "vehicle"}, user_id=user_id
        )

    # -- webhooks ------------------------------------------------------------------------------------------

    async def subscribe(self, event_type: str, endpoint_url: str, key: str) -> Subscription:
        """Register a webhook (documented): Jedlix calls the address before it answers.

        `key` is the secret that each delivery presents.
        Raises Rejected when the address cannot be reached (documented) or the event type is not offered,
        Conflict when there is another subscription in its place (assumed). That a subscription has an id is
        reported, that the answer names it is assumed (A10).
        """
        body: Json = {
            "eventType": event_type,
            "endpointUrl": endpoint_url,
            "apiKey": key,
            "isActive": True,
        }
        data = await self._call("subscribe", body=body)
        try:
            return Subscription(
                id=Subscription.from_json(data).id, event_type=event_type, endpoint_url=endpoint_url
            )
        except BadAnswer:  # The shape of the answer is not documented; a 2xx is enough.
            return Subscription(event_type=event_type, endpoint_url=endpoint_url)

    async def subscriptions(self) -> tuple[Subscription, ...]:
        """Return the tenant's webhook subscriptions (assumed, A10)."""
        return await self._all("subscriptions", Subscription.from_json)

    async def unsubscribe(self, subscription_id: str) -> None:
        """Delete a subscription (assumed, A10)."""
        await self._call("unsubscribe", subscription_id=subscription_id)

    async def webhook_history_pages(
        self, since: datetime, until: datetime
    ) -> AsyncIterator[tuple[WebhookMessage, ...]]:
        """Yield the messages of the last 7 days, newest first (kept: documented; path assumed, A11).

        A message that was delivered more than once may come more than once. Jedlix's records can be found by
        type, status and time of delivery (reported: they are indexed so); the names of the filters by time
        are inferred from that, or assumed.
        """
        pages = self._pages(
            "webhook_history",
            DeliveryRecord.from_json,
            {
                "sentAtFrom": since,
                "sentAtTo": until,
                "timestampFrom": since,
                "timestampTo": until,
            },
        )
        async for page in pages:
            yield tuple(item.message for item in page)

    # -- calls ---------------------------------------------------------------------------------------------

    async def _all[T: _Item](
        self,
        name: str,
        read: Callable[[object], T],
        params: _Params | None = None,
        **ids: str,
    ) -> tuple[T, ...]:
        """Return a whole list. These are plain arrays (SDK); where one comes in pages, all are read."""
        first = read_page(await self._call(name, params, **ids), read)
        if not first.has_more:
            return first.items
        pages = self._pages(name, read, params, **ids)
        return tuple([item async for page in pages for item in page])

    async def _pages[T: _Item](
        self,
        name: str,
        read: Callable[[object], T],
        params: _Params | None = None,
        **ids: str,
    ) -> AsyncIterator[tuple[T, ...]]:
        """Yield pages until none is left, or until one has no new items (paging not understood)."""
        seen: set[object] = set()
        for index in range(1, MAX_PAGES + 1):
            paging: _Params = {"pageSize": str(PAGE_SIZE), "pageIndex": str(index)}
            page = read_page(await self._call(name, (params or {}) | paging, **ids), read)
            new = tuple(item for item in page.items if (item.id or item) not in seen)
            if new:
                yield new
            if not new or not page.has_more:
                return
            seen.update(item.id or item for item in new)

    async def _call(
        self,
        name: str,
        params: _Params | None = None,
        body: Json = None,
        **ids: str,
    ) -> object:
        """Call an endpoint of the table and return its JSON, or None for an empty answer."""
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
